//! Folding a log into state, as a start does it (read, parse, check the chain, apply, note the keys), against reading
//! and parsing the same rows.
//!
//! Not here: views. What they cost at a start is in `scale`.

use crate::past::{LOTS, Past};
use crate::report::{Figure, Report, Side};
use crate::{Failure, Line, Scratch, tell};
use serde_json::Value;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use store::backend::EventStore;
use store::clock::SystemClock;
use store::folder::DataFolder;
use store::keys::NoOldKeys;
use store::raw::RawEvent;
use store::recorded::Recorded;
use store::sqlite::SqliteStore;
use store::writer::order::Entropy;
use store::writer::{Settings, Writer};

const EVENTS: u64 = 300_000;
/// What a writer reads at once.
const PAGE: usize = 1_000;

pub(crate) fn run(line: &Line, scratch: &Scratch) -> Result<Report, Failure> {
    let wanted = line.events.first().copied().unwrap_or(EVENTS);
    let folder = DataFolder::open(scratch.join("data"))?;
    let store: Arc<dyn EventStore> = Arc::new(SqliteStore::open(&folder)?);
    tell(&format!("making a log of {wanted} events"));
    let mut past = Past::begin(store.clone(), line.seed, wanted as usize / 10, 2 * LOTS, Settings::default())?;
    while past.events() < wanted {
        past.live_through(LOTS)?;
    }
    past.settle()?;
    let log = past.floor().0.clone();
    drop(past);
    let mut folded = Side::new("fold: read, parse, check, apply", "events/s");
    let mut parsed = Side::new("read and parse", "events/s");
    let mut valued = Side::new("read and parse into untyped JSON", "events/s");
    for _ in 0..line.rounds {
        let begun = Instant::now();
        let (clock, older) = (Arc::new(SystemClock), Arc::new(NoOldKeys));
        let entropy = Box::new(Entropy::draw);
        let writer = Writer::open(log.clone(), store.clone(), clock, entropy, older, vec![], Settings::default())?;
        let events = writer.head().map_or(0, |head| head.seq + 1) as f64;
        folded.add(events / begun.elapsed().as_secs_f64());
        drop(writer);

        let begun = Instant::now();
        read(&*store, &log, |raw| {
            black_box(Recorded::open(&log, raw)?);
            Ok(())
        })?;
        parsed.add(events / begun.elapsed().as_secs_f64());

        let begun = Instant::now();
        read(&*store, &log, |raw| {
            black_box::<(Value, Value)>((serde_json::from_slice(&raw.envelope)?, serde_json::from_slice(&raw.data)?));
            Ok(())
        })?;
        valued.add(events / begun.elapsed().as_secs_f64());
    }
    let ratio = folded.median() / parsed.median();
    let head = store.head(&log)?.map_or(0, |head| head.seq + 1);
    Ok(Report {
        row: "fold",
        what: "fold of a call server's log into state against reading and parsing the same rows".to_owned(),
        figures: vec![Figure::ratio("fold / read and parse", ratio, 0.5, 0.8)],
        sides: vec![folded, parsed, valued],
        also: vec![("events in the log".to_owned(), head.to_string())],
    })
}

fn read(
    store: &dyn EventStore,
    log: &domain::log::LogName,
    mut each: impl FnMut(RawEvent) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut from = 0;
    loop {
        let page = store.read(log, from, PAGE)?;
        let full = page.len() == PAGE;
        from += page.len() as u64;
        page.into_iter().try_for_each(&mut each)?;
        if !full {
            return Ok(());
        }
    }
}
