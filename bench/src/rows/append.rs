//! The store's append, batches of 64 events of 300 B, against a plain write and fdatasync of the same bytes.
//!
//! Not here: making the events. Their hashes are the writer's work, done before the clock runs.

use crate::past::Draw;
use crate::report::{Figure, Report, Side};
use crate::{Failure, Line, Scratch};
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};
use store::backend::EventStore;
use store::chain;
use store::folder::DataFolder;
use store::raw::{Head, RawEvent};
use store::sqlite::SqliteStore;

const BATCH: usize = 64;
const EVENT: usize = 300;
/// Of these, position, salt and hash take 56.
const TEXTS: usize = EVENT - 56;

pub(crate) fn run(line: &Line, scratch: &Scratch) -> Result<Report, Failure> {
    let span = line.span(3);
    let (mut ours, mut theirs) = (Side::new("SQLite append", "events/s"), Side::new("write + fdatasync", "events/s"));
    let mut draw = Draw(line.seed);
    for round in 0..line.rounds {
        ours.add(append(scratch, round, span, &mut draw)?);
        theirs.add(write(scratch, round, span, &mut draw)?);
    }
    let ratio = ours.median() / theirs.median();
    Ok(Report {
        row: "append",
        what: "batches of 64 events of 300 B, durable, against write and fdatasync of the same bytes".to_owned(),
        figures: vec![Figure::ratio("append / write + fdatasync", ratio, 0.12, 0.16)],
        sides: vec![ours, theirs],
        also: vec![],
    })
}

/// The next batch of a log.
fn batch(head: Option<Head>, draw: &mut Draw) -> Vec<RawEvent> {
    let mut head = head;
    let mut batch = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let text = |length: usize, word: u64| -> Box<[u8]> {
            let mut text = format!("{{\"data\":\"{word:016x}");
            text.extend(std::iter::repeat_n('x', length - text.len() - 2));
            (text + "\"}").into_bytes().into()
        };
        let (envelope, data) = (text(TEXTS / 2, draw.word()), text(TEXTS - TEXTS / 2, draw.word()));
        let event = chain::seal(&Head::link(head), envelope, data, [7; 16], Head::next(head));
        debug_assert_eq!(event.size(), EVENT);
        head = Some(event.head());
        batch.push(event);
    }
    batch
}

fn append(scratch: &Scratch, round: usize, span: Duration, draw: &mut Draw) -> Result<f64, Failure> {
    let folder = DataFolder::open(scratch.join(&format!("append-{round}")))?;
    let store = SqliteStore::open(&folder)?;
    let log = "main".parse()?;
    let (mut head, mut events, mut spent) = (None, 0, Duration::ZERO);
    while spent < span {
        let batch = batch(head, draw);
        let begun = Instant::now();
        store.append(&log, head, &batch)?;
        spent += begun.elapsed();
        events += batch.len();
        head = batch.last().map(RawEvent::head);
    }
    Ok(events as f64 / spent.as_secs_f64())
}

fn write(scratch: &Scratch, round: usize, span: Duration, draw: &mut Draw) -> Result<f64, Failure> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(scratch.join(&format!("write-{round}")))?;
    let (mut head, mut events, mut spent) = (None, 0, Duration::ZERO);
    while spent < span {
        let batch = batch(head, draw);
        head = batch.last().map(RawEvent::head);
        let mut bytes = Vec::with_capacity(BATCH * EVENT);
        for event in &batch {
            bytes.extend(event.seq.to_le_bytes());
            for part in [&event.envelope[..], &event.data, &event.salt, &event.hash] {
                bytes.extend(part);
            }
        }
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        spent += begun.elapsed();
        events += batch.len();
    }
    Ok(events as f64 / spent.as_secs_f64())
}
