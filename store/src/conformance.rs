//! What every backend must pass. A backend's test calls `run` with a function that makes an empty
//! store, and `reopen` with one that opens the same data again.
//!
//! The cases speak only through `EventStore`: what a backend does on its own (locks, files, faults)
//! is tested beside it. They panic with the name of the case.

use crate::backend::{AppendError, EventStore, ReadError, Refused};
use crate::chain::{Verifier, seal};
use crate::raw::{Head, RawEvent};
use domain::log::{LogName, Seq};
use std::sync::Arc;

type Case = fn(&Arc<dyn EventStore>);

const CASES: &[(&str, Case)] = &[
    ("an empty store", an_empty_store),
    ("positions without a gap", positions_without_a_gap),
    ("only the head is appended to", only_the_head_is_appended_to),
    ("the same batch twice", the_same_batch_twice),
    ("the same batch after others went on", the_same_batch_after_others_went_on),
    ("the same batch after a foreign one", the_same_batch_after_a_foreign_one),
    ("a prefix that fits and then differs", a_prefix_that_fits_and_then_differs),
    ("another hash at the same position", another_hash_at_the_same_position),
    ("a head that went back", a_head_that_went_back),
    ("a confirmation", a_confirmation),
    ("a race", a_race),
    ("limits", limits),
    ("reads", reads),
    ("reads at positions", reads_at_positions),
    ("log names", log_names),
    ("logs are apart", logs_are_apart),
    ("bytes come back as they were", bytes_come_back_as_they_were),
    ("big data", big_data),
];

/// Runs every case on a store of its own.
pub fn run(new_store: &dyn Fn() -> Arc<dyn EventStore>) {
    for (name, case) in CASES {
        // Shown by the test harness only when the case fails.
        println!("conformance: {name}");
        case(&new_store());
    }
}

/// What was acknowledged is there when the store is opened again. `open` opens the same data each
/// time; the store before is gone by then.
pub fn reopen(open: &dyn Fn() -> Arc<dyn EventStore>) {
    let batch = events(None, &["a", "b"]);
    ok(open().append(&log(), None, &batch));
    let store = open();
    assert_eq!(ok(store.logs()), [log()]);
    assert_eq!(ok(store.head(&log())), head(&batch));
    assert_eq!(ok(store.append(&log(), None, &batch)), (), "the batch is recognised");
    let next = events(head(&batch), &["c"]);
    ok(store.append(&log(), head(&batch), &next));
    drop(store);
    assert_eq!(ok(open().read(&log(), 0, 9)), [batch, next].concat());
}

/// A batch of events after `after`, one for each text; equal texts make equal events.
pub fn events(after: Option<Head>, texts: &[&str]) -> Vec<RawEvent> {
    let mut head = after;
    let seal_next = |text: &&str| {
        let (envelope, data) = (format!(r#"{{"for":"{text}"}}"#), format!("{text:?}"));
        let event =
            seal(&Head::link(head), envelope.into_bytes().into(), data.into_bytes().into(), [3; 16], Head::next(head));
        head = Some(event.head());
        event
    };
    texts.iter().map(seal_next).collect()
}

fn an_empty_store(store: &Arc<dyn EventStore>) {
    assert_eq!(ok(store.logs()), []);
    assert_eq!(ok(store.head(&log())), None);
    assert_eq!(ok(store.read(&log(), 0, 10)), []);
    assert_eq!(ok(store.read_at(&log(), &[])), []);
    assert!(matches!(store.read_at(&log(), &[0]), Err(ReadError::Missing { seq: 0, .. })));
    assert_eq!(store.confirm(&log(), None), Ok(()));
    assert_eq!(ok(store.logs()), [], "asking makes no log");
}

fn positions_without_a_gap(store: &Arc<dyn EventStore>) {
    let mut expected = None;
    for round in 0..5 {
        let text = round.to_string();
        let batch = events(expected, &vec![text.as_str(); round + 1]);
        ok(store.append(&log(), expected, &batch));
        expected = head(&batch);
        assert_eq!(ok(store.head(&log())), expected);
    }
    verify(store, 15);
}

fn only_the_head_is_appended_to(store: &Arc<dyn EventStore>) {
    let batch = events(None, &["a", "b"]);
    ok(store.append(&log(), None, &batch));
    for behind in [None, Some(batch[0].head())] {
        assert_eq!(store.append(&log(), behind, &events(behind, &["x", "y", "z"])), Err(AppendError::Conflict));
    }
    assert_eq!(ok(store.read(&log(), 0, 9)), batch, "a refused batch leaves nothing behind");
    let next = events(head(&batch), &["c"]);
    assert_eq!(store.append(&log(), head(&batch), &next), Ok(()));
    verify(store, 3);
}

fn the_same_batch_twice(store: &Arc<dyn EventStore>) {
    let first = events(None, &["a", "b"]);
    let second = events(head(&first), &["c", "d"]);
    for (expected, batch) in [(None, &first), (head(&first), &second)] {
        for _ in 0..3 {
            assert_eq!(store.append(&log(), expected, batch), Ok(()));
        }
    }
    verify(store, 4);
}

fn the_same_batch_after_others_went_on(store: &Arc<dyn EventStore>) {
    let ours = events(None, &["a", "b"]);
    let theirs = events(head(&ours), &["c"]);
    ok(store.append(&log(), None, &ours));
    ok(store.append(&log(), head(&ours), &theirs));
    assert_eq!(store.append(&log(), None, &ours), Ok(()), "it stands in the log");
    verify(store, 3);
}

fn the_same_batch_after_a_foreign_one(store: &Arc<dyn EventStore>) {
    let base = events(None, &["base"]);
    ok(store.append(&log(), None, &base));
    let ours = events(head(&base), &["ours"]);
    ok(store.append(&log(), head(&base), &events(head(&base), &["theirs", "too"])));
    for _ in 0..2 {
        assert_eq!(store.append(&log(), head(&base), &ours), Err(AppendError::Conflict));
    }
    verify(store, 3);
}

fn a_prefix_that_fits_and_then_differs(store: &Arc<dyn EventStore>) {
    let stored = events(None, &["a", "b", "c"]);
    ok(store.append(&log(), None, &stored));
    let differs = events(None, &["a", "b", "x"]);
    let longer = events(None, &["a", "b", "c", "d"]);
    for batch in [differs, longer] {
        assert_eq!(store.append(&log(), None, &batch), Err(AppendError::Conflict));
    }
    // A prefix of what stands is a batch that stands.
    assert_eq!(store.append(&log(), None, &stored[..2]), Ok(()));
    verify(store, 3);
}

fn another_hash_at_the_same_position(store: &Arc<dyn EventStore>) {
    ok(store.append(&log(), None, &events(None, &["a"])));
    assert_eq!(store.append(&log(), None, &events(None, &["b"])), Err(AppendError::Conflict));
    assert_eq!(&*ok(store.read(&log(), 0, 1))[0].data, br#""a""#);
}

/// Seen from a writer that knows more than the store: a copy with loss was restored.
fn a_head_that_went_back(store: &Arc<dyn EventStore>) {
    let known = events(None, &["a", "b", "c"]);
    let next = events(head(&known), &["d"]);
    let fork = |found| Err(AppendError::Fork { found });

    assert_eq!(store.append(&log(), head(&known), &next), fork(None), "everything is lost");
    assert_eq!(store.confirm(&log(), head(&known)), fork(None));
    assert_eq!(ok(store.logs()), []);

    ok(store.append(&log(), None, &known[..1]));
    assert_eq!(store.append(&log(), head(&known), &next), fork(head(&known[..1])), "the end is lost");
    assert_eq!(store.confirm(&log(), head(&known)), fork(head(&known[..1])));

    // Others went on from the loss: as long as ours, then longer.
    let mut found = head(&known[..1]);
    for texts in [["x", "y"], ["z", "z"]] {
        let others = events(found, &texts);
        ok(store.append(&log(), found, &others));
        found = head(&others);
        assert_eq!(store.append(&log(), head(&known), &next), fork(found));
        assert_eq!(store.confirm(&log(), head(&known)), fork(found));
    }
    verify(store, 5);
}

fn a_confirmation(store: &Arc<dyn EventStore>) {
    let batch = events(None, &["a", "b"]);
    ok(store.append(&log(), None, &batch));
    assert_eq!(store.confirm(&log(), head(&batch)), Ok(()));
    assert_eq!(store.confirm(&log(), Some(batch[0].head())), Err(AppendError::Conflict));
    assert_eq!(store.confirm(&log(), None), Err(AppendError::Conflict));
}

/// Two writers that know nothing of each other; exactly one wins each position.
fn a_race(store: &Arc<dyn EventStore>) {
    const EACH: usize = 40;
    let writer = |name: &'static str| {
        let mut won = Vec::new();
        while won.len() < EACH {
            let expected = ok(store.head(&log()));
            let batch = events(expected, &[name]);
            match store.append(&log(), expected, &batch) {
                Ok(()) => won.push(batch[0].seq),
                Err(AppendError::Conflict) => {}
                Err(other) => panic!("{name}: {other}"),
            }
        }
        won
    };
    let mut won = std::thread::scope(|scope| {
        let threads = ["left", "right"].map(|name| scope.spawn(move || writer(name)));
        threads.map(|thread| thread.join().expect("a writer panicked")).concat()
    });
    won.sort_unstable();
    assert_eq!(won, (0..2 * EACH as Seq).collect::<Vec<_>>());
    verify(store, 2 * EACH);
}

fn limits(store: &Arc<dyn EventStore>) {
    let limits = store.limits();
    let size = |size: usize| {
        let data = vec![b'1'; size - events(None, &[""])[0].size() + 2];
        seal(&[0; 32], br#"{"for":""}"#.as_slice().into(), data.into(), [0; 16], 0)
    };
    let too_large = |batch: &[RawEvent], limit: usize| {
        let refusal = store.append(&log(), None, batch);
        let Err(AppendError::Refused(Refused::TooLarge { limit: named, size, .. })) = refusal else {
            panic!("expected TooLarge, got {refusal:?}");
        };
        assert_eq!((named, size > limit), (limit, true));
    };
    too_large(&[size(limits.event_bytes + 1)], limits.event_bytes);
    too_large(&events(None, &vec!["x"; limits.batch_events + 1]), limits.batch_events);
    let events_over = limits.batch_bytes / limits.event_bytes + 1;
    if events_over <= limits.batch_events {
        let mut batch = vec![size(limits.event_bytes); events_over];
        (0..).zip(&mut batch).for_each(|(seq, event)| event.seq = seq);
        too_large(&batch, limits.batch_bytes);
    }
    assert_eq!(ok(store.logs()), [], "nothing was sent");
    assert_eq!(store.append(&log(), None, &[size(limits.event_bytes)]), Ok(()), "exactly the limit fits");
}

fn reads(store: &Arc<dyn EventStore>) {
    let texts: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    let batch = events(None, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    ok(store.append(&log(), None, &batch));
    assert_eq!(ok(store.read(&log(), 0, 0)), []);
    assert_eq!(ok(store.read(&log(), 7, 1)), batch[7..8], "inclusive");
    assert_eq!(ok(store.read(&log(), 24, 10)), batch[24..]);
    assert_eq!(ok(store.read(&log(), 25, 10)), []);
    assert_eq!(ok(store.read(&log(), Seq::MAX, usize::MAX)), []);
    assert_eq!(ok(store.read(&log(), 0, usize::MAX)), batch);
    let pages: Vec<RawEvent> = (0..25).step_by(4).flat_map(|from| ok(store.read(&log(), from, 4))).collect();
    assert_eq!(pages, batch);
}

fn reads_at_positions(store: &Arc<dyn EventStore>) {
    let batch = events(None, &["a", "b", "c", "d"]);
    ok(store.append(&log(), None, &batch));
    assert_eq!(ok(store.read_at(&log(), &[0, 2, 3])), [&batch[..1], &batch[2..]].concat());
    assert_eq!(ok(store.read_at(&log(), &[])), []);
    for (seqs, missing) in [([1, 4], 4), ([2, Seq::MAX], Seq::MAX)] {
        let answer = store.read_at(&log(), &seqs);
        assert!(matches!(answer, Err(ReadError::Missing { seq, .. }) if seq == missing), "{answer:?}");
    }
}

fn log_names(store: &Arc<dyn EventStore>) {
    let longest = "z".repeat(32);
    let names: Vec<LogName> = [longest.as_str(), "bank-2", "bank-10", "community", "a"].map(name).into();
    for name in &names {
        ok(store.append(name, None, &events(None, &["a"])));
    }
    let mut sorted = names;
    sorted.sort();
    assert_eq!(ok(store.logs()), sorted);
}

fn logs_are_apart(store: &Arc<dyn EventStore>) {
    let (one, other) = (events(None, &["one"]), events(None, &["other", "two"]));
    ok(store.append(&name("one"), None, &one));
    ok(store.append(&name("other"), None, &other));
    assert_eq!(ok(store.read(&name("one"), 0, 9)), one);
    assert_eq!(ok(store.head(&name("other"))), head(&other));
}

/// White space, key order, characters of every length, and what no JSON text holds.
fn bytes_come_back_as_they_were(store: &Arc<dyn EventStore>) {
    let texts: [&[u8]; 4] = [b"{ \"b\" : 1,\t\"a\":1.0 }\n", "\"ä€😀\"".as_bytes(), b"nul \0 inside", b""];
    let mut batch = Vec::new();
    for text in texts {
        let before = head(&batch);
        batch.push(seal(&Head::link(before), text.into(), text.into(), [0xff; 16], Head::next(before)));
    }
    ok(store.append(&log(), None, &batch));
    assert_eq!(ok(store.read(&log(), 0, 9)), batch);
}

fn big_data(store: &Arc<dyn EventStore>) {
    let big = "x".repeat(1_000_000);
    let batch = events(None, &["small", &big, "small"]);
    ok(store.append(&log(), None, &batch));
    assert_eq!(ok(store.read(&log(), 0, 9)), batch);
    assert_eq!(ok(store.read_at(&log(), &[1])), batch[1..2]);
}

fn verify(store: &Arc<dyn EventStore>, count: usize) {
    let stored = ok(store.read(&log(), 0, usize::MAX));
    assert_eq!(stored.len(), count);
    let mut verifier = Verifier::new();
    stored.iter().for_each(|event| ok(verifier.check(event)));
    assert_eq!(ok(store.head(&log())), verifier.head());
}

fn log() -> LogName {
    name("conformance")
}

fn name(text: &str) -> LogName {
    text.parse().expect("a log name")
}

fn head(batch: &[RawEvent]) -> Option<Head> {
    batch.last().map(RawEvent::head)
}

#[track_caller]
fn ok<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error} ({error:?})"))
}
