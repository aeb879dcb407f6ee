//! A long log against an empty one: throughput and p99 of `placeBid`, the time of a start, memory, disk per event.
//!
//! Promises: all logs are measured in one run, round by round in turns; the long ones were made by the real writers
//! and hold closed inquiries only, each with its auction, bids, session and settlement; the servers have their
//! snapshots, and nothing left to do, as bids begin.
//!
//! Not here: what many open inquiries cost.

use super::bids::Market;
use crate::past::{self, LOTS, Past};
use crate::program::{House, rebuild};
use crate::report::{Figure, Report, Side, number};
use crate::{Failure, Line, Scratch, tell};
use std::path::Path;
use std::time::Instant;
use store::writer::Settings;

const EVENTS: [u64; 2] = [1_000_000, 10_000_000];

/// A folder whose logs hold at least so many events, in both logs together, and closed inquiries only.
pub(crate) fn make(data: &Path, seed: u64, events: u64) -> Result<u64, Failure> {
    // An inquiry makes some forty; the clock only has to begin early enough.
    let mut past = Past::begin(past::store(data)?, seed, events as usize / 20, 2 * LOTS, Settings::default())?;
    let begun = Instant::now();
    let mut told = 0;
    while past.events() < events {
        past.live_through(LOTS)?;
        if past.events() / 1_000_000 > told {
            told = past.events() / 1_000_000;
            tell(&format!("{told} M events after {} s", begun.elapsed().as_secs()));
        }
    }
    past.settle()?;
    Ok(past.events())
}

pub(crate) fn run(line: &Line, scratch: &Scratch) -> Result<Report, Failure> {
    let wanted = if line.events.is_empty() { EVENTS.to_vec() } else { line.events.clone() };
    let (mut markets, mut sides, mut also) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in std::iter::once(0).chain(wanted) {
        let data = scratch.join(&format!("data-{wanted}"));
        let mut name = "empty log".to_owned();
        if wanted > 0 {
            tell(&format!("making {wanted} events"));
            let begun = Instant::now();
            let events = make(&data, line.seed, wanted)?;
            name = format!("{} events", number(events as f64));
            let made = begun.elapsed();
            let logs = size(&data)? as f64 / events as f64;
            tell("building its history");
            let begun = Instant::now();
            rebuild(&data)?;
            let built = begun.elapsed();
            let whole = size(&data)? as f64 / events as f64;
            also.push((
                format!("{name}, disk"),
                format!("{logs:.0} B an event in the logs, {whole:.0} B with history"),
            ));
            also.push((
                format!("{name}, made"),
                format!("by the writers in {:.0} s, history built in {:.0} s", made.as_secs_f64(), built.as_secs_f64()),
            ));
        }
        let mut house = House::open(&data, None, &[])?;
        let start = |house: &House| format!("{:.2} s until it answers", house.started_in.as_secs_f64());
        also.push((format!("{name}, start from zero"), start(&house)));
        if wanted > 0 {
            tell("waiting for its snapshots");
            let begun = Instant::now();
            house.program.rest()?;
            also.push((format!("{name}, snapshots"), format!("made in {:.0} s", begun.elapsed().as_secs_f64())));
            drop(house);
            house = House::open(&data, None, &[])?;
            also.push((format!("{name}, start from a snapshot"), start(&house)));
            let begun = Instant::now();
            house.program.rest()?;
            also.push((
                format!("{name}, chain before it"),
                format!("walked in {:.0} s", begun.elapsed().as_secs_f64()),
            ));
        }
        let (memory, most) = house.program.memory()?;
        also.push((format!("{name}, memory after it"), format!("{memory:.0} MiB, at most {most:.0} MiB")));
        tell("founding a town");
        markets.push(Market::found(house, line.connections, line.rivals())?);
        sides.push(Side::new(format!("placeBid, {name}"), "/s"));
    }
    for round in 1..=line.rounds {
        tell(&format!("round {round} of {}", line.rounds));
        for (market, side) in markets.iter_mut().zip(&mut sides) {
            side.add_load(&market.round(line.span(10))?);
        }
    }
    let mut figures = Vec::new();
    let bounded = sides.len() - 1;
    for (at, side) in sides.iter().enumerate().skip(1) {
        // The design bounds the longest log; the others are shown beside it.
        let bound = |floor, aim| if at == bounded { (Some(floor), Some(aim)) } else { (None, None) };
        let (floor, aim) = bound(0.9, 1.0);
        let value = side.median() / sides[0].median();
        let name = format!("throughput, {} / empty log", side.name());
        figures.push(Figure { name, value, unit: "", floor, aim, less_is_better: false });
        let (floor, aim) = bound(1.2, 1.0);
        let value = side.p99() / sides[0].p99();
        figures.push(Figure {
            name: format!("p99, log {at} / empty"),
            value,
            unit: "",
            floor,
            aim,
            less_is_better: true,
        });
    }
    for (market, side) in markets.iter().zip(&sides) {
        let (now, most) = market.house.program.memory()?;
        also.push((format!("{}, memory at the end", side.name()), format!("{now:.0} MiB, at most {most:.0} MiB")));
        also.push((
            format!("{}, audit index behind", side.name()),
            format!("{} ms at worst", market.behind.as_millis()),
        ));
    }
    let what = "placeBid with a long log against an empty one, start, memory, disk".to_owned();
    Ok(Report { row: "scale", what, sides, figures, also })
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
