//! Decide and apply bids over 10,000 open auctions: one core, no I/O. Two agents outbid each other in each auction,
//! the auctions come in a random order, and the journal that takes things back is on, cut as a batch would cut it.
//!
//! Not here: the writer. What sealing and hashing the events costs stands in the other rows.

use crate::past::{Draw, Past, cents};
use crate::report::{Figure, Report, Side, number};
use crate::{Failure, Line, tell};
use domain::actor::Actor;
use domain::command::Command;
use domain::decide::{Ctx, execute};
use domain::ids::IdSource;
use domain::money::Money;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::memory::MemoryStore;
use store::writer::Settings;

const AUCTIONS: usize = 10_000;
const AGENTS: usize = 1_000;
/// Commands that are acknowledged together.
const BATCH: usize = 64;
const FLOOR: f64 = 500_000.0;
const AIM: f64 = 2_000_000.0;

pub(crate) fn run(line: &Line) -> Result<Report, Failure> {
    tell("opening 10,000 auctions");
    let mut past = Past::begin(Arc::new(MemoryStore::new()), line.seed, 0, AGENTS, Settings::default())?;
    let auctions = past.open(AUCTIONS)?;
    let span = line.span(2);
    let mut draw = Draw(line.seed);
    let now = past.now();
    let mut share = f64::INFINITY;
    let mut side = Side::new("decide + apply", "commands/s");
    for _ in 0..line.rounds {
        let mut state = past.floor().1.clone();
        // One pass over the auctions is a bid in each; the next pass goes through them in the same random order.
        let mut order: Vec<u32> = (0..AUCTIONS as u32).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, draw.word() as usize % (at + 1));
        }
        let agents = |auction: usize, pass: usize| past.agents[(auction * 2 + pass % 2) % AGENTS];
        let (begun, had) = (Instant::now(), on_the_core()?);
        let (mut count, mut pass) = (0_usize, 0_usize);
        let mut amount: Money = cents(100)?;
        while begun.elapsed() < span {
            for batch in order.chunks(BATCH) {
                for auction in batch {
                    let auction = *auction as usize;
                    let command = Command::PlaceBid { auction: auctions[auction], amount };
                    // An id takes the upper 58 of the 64 bits.
                    let ids = IdSource::new(now.0, (count as u64) << 6);
                    let ctx = Ctx { now, actor: Actor::Agent(agents(auction, pass)), ids };
                    let events = execute(&mut state, &command, &ctx);
                    black_box(events.map_err(|refusal| refusal.message())?);
                    count += 1;
                }
                state.acknowledge();
            }
            pass += 1;
            amount = cents(100 + i64::try_from(pass)?)?;
        }
        let elapsed = begun.elapsed();
        side.add(count as f64 / elapsed.as_secs_f64());
        share = share.min((on_the_core()? - had).as_secs_f64() / elapsed.as_secs_f64());
    }
    let figure = Figure {
        name: "commands/s on one core".to_owned(),
        value: side.median(),
        unit: "/s",
        floor: Some(FLOOR),
        aim: Some(AIM),
        less_is_better: false,
    };
    Ok(Report {
        row: "decide",
        what: "decide and apply of bids, 10,000 open auctions, one core, no I/O".to_owned(),
        sides: vec![side],
        figures: vec![figure],
        also: vec![
            ("agents".to_owned(), AGENTS.to_string()),
            ("acknowledged together".to_owned(), BATCH.to_string()),
            ("share of a core that it got, at least".to_owned(), number(share)),
        ],
    })
}

/// How long this thread has run: with others on the machine, a second is less than one of a core.
fn on_the_core() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("the system does not say how long a thread ran")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
