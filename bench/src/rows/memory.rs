//! Memory follows open work: what a server holds after a start with N closed inquiries, half of them, none.
//!
//! Idempotency keys of the last day stay in memory up to a bound, whatever they belonged to. So both are shown: as the
//! product runs, and with a window of a thousand keys, where what is left is the inquiries' own.
//!
//! Not here: memory under load (`scale` shows it), and what open inquiries take.

use super::scale;
use crate::past::{self, LOTS, Past};
use crate::program::{House, rebuild};
use crate::report::{Figure, Report, Side};
use crate::{Failure, Line, Scratch, tell};
use std::path::Path;
use store::writer::Settings;

const FEW_KEYS: [&str; 2] = ["--keys-in-memory", "1000"];

pub(crate) fn run(line: &Line, scratch: &Scratch) -> Result<Report, Failure> {
    let mut sides = Vec::new();
    let mut also = Vec::new();
    for inquiries in [0, line.inquiries / 2, line.inquiries] {
        let data = scratch.join(&format!("data-{inquiries}"));
        tell(&format!("making {inquiries} closed inquiries"));
        let events = make(&data, line.seed, inquiries)?;
        rebuild(&data)?;
        also.push((format!("{inquiries} closed inquiries"), format!("{events} events")));
        for (name, options) in [("as it runs", &[][..]), ("with few keys", &FEW_KEYS[..])] {
            let mut side = Side::new(format!("{inquiries} closed inquiries, {name}"), "MiB resident");
            for _ in 0..line.rounds {
                side.add(House::open(&data, None, options)?.program.memory()?.0);
            }
            sides.push(side);
        }
    }
    // Of the second half alone: what a first few cost once (pages of the views, an allocator's arenas) is no slope.
    let half = (line.inquiries - line.inquiries / 2) as f64;
    let per = |at: usize| (sides[at].median() - sides[at - 2].median()) * f64::from(1 << 20) / half;
    let figure = |name: &str, value| Figure {
        name: format!("bytes a closed inquiry of the second half, {name}"),
        value,
        unit: "B",
        floor: None,
        aim: None,
        less_is_better: true,
    };
    let figures = vec![figure("as it runs", per(4)), figure("with few keys", per(5))];
    let what = "memory of a server after its start with closed inquiries against one with none".to_owned();
    Ok(Report { row: "memory", what, sides, figures, also })
}

fn make(data: &Path, seed: u64, inquiries: usize) -> Result<u64, Failure> {
    if inquiries == 0 {
        // The same people, and nothing that they did.
        return scale::make(data, seed, 1);
    }
    let mut past = Past::begin(past::store(data)?, seed, inquiries, 2 * LOTS, Settings::default())?;
    past.live_through(inquiries)?;
    past.settle()?;
    Ok(past.events())
}
