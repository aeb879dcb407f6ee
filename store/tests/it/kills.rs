//! A process that appends through a writer on SQLite is killed at random moments, again and again: what it
//! acknowledged is there once, the chain is whole, and the next start goes on.

use crate::support::*;
use domain::log::{LogName, Seq};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::clock::{Clock, SystemClock};
use store::folder::DataFolder;
use store::keys::NoOldKeys;
use store::sqlite::SqliteStore;
use store::writer::mailbox::spawn;
use store::writer::order::Answer;
use store::writer::{Settings, Writer};

/// Names the data folder, and makes this program the one that is killed.
const FOLDER: &str = "STORE_IT_KILLED_FOLDER";
/// The first order that nobody has seen acknowledged.
const FROM: &str = "STORE_IT_KILLED_FROM";
/// Orders that wait together.
const AT_ONCE: u64 = 16;

fn open(folder: &DataFolder, log: &LogName) -> Writer {
    let store = Arc::new(SqliteStore::open(folder).unwrap());
    let (clock, older) = (Arc::new(SystemClock), Arc::new(NoOldKeys));
    let draw = Box::new(store::writer::order::Entropy::draw);
    Writer::open(log.clone(), store, clock, draw, older, vec![], Settings::default()).unwrap()
}

/// Order `n` under its key; named so that the log tells which it was.
fn nth(n: u64) -> store::writer::order::Order {
    let name = format!("provider {n}");
    let command = domain::command::Command::RegisterProvider {
        name,
        homepage: None,
        origins: vec![],
        credit_limits: vec![],
        customer_keys: vec![],
    };
    // Each process counts its entropy from one; ids must not repeat.
    let entropy = store::writer::order::Entropy::draw();
    keyed(
        store::writer::order::Order { entropy, id: entropy.command_id(), ..order(operator(), command) },
        u128::from(n),
        n,
    )
}

/// No test: the life of the process that is killed. It prints `acked <order> <seq>` and never ends by itself.
#[test]
fn the_one_that_is_killed() {
    let Ok(path) = std::env::var(FOLDER) else { return };
    let folder = DataFolder::open(path).unwrap();
    let (mailbox, _thread) = spawn(open(&folder, &LogName::community()), |_, _| panic!("no flush has failed"));
    // The harness has begun a line of its own.
    println!();
    let mut next: u64 = std::env::var(FROM).unwrap().parse().unwrap();
    loop {
        let answers: Vec<_> = (next..next + AT_ONCE).map(|n| (n, mailbox.send(nth(n)))).collect();
        for (n, answer) in answers {
            match answer.blocking_recv().unwrap() {
                Answer::Done(events) => println!("acked {n} {}", events[0].seq),
                Answer::Replayed { first, .. } => println!("acked {n} {first}"),
                other => panic!("{other:?}"),
            }
        }
        next += AT_ONCE;
    }
}

/// Lets the other process live until so many orders are acknowledged, then kills it wherever it is.
fn live_and_die(folder: &std::path::Path, acked: &mut BTreeMap<u64, Seq>, lines: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::the_one_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(FROM, acked.len().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = 0;
    let mut note = |line: String| {
        // The last line may be cut short: then its end was not heard, and nothing was promised.
        let mut words = line.split_ascii_whitespace();
        if let (Some("acked"), Some(n), Some(seq)) = (words.next(), words.next(), words.next()) {
            let seq = seq.parse().unwrap();
            let before = acked.insert(n.parse().unwrap(), seq);
            assert!(before.is_none_or(|before| before == seq), "an order is acknowledged at one position");
            heard += 1;
        }
        heard
    };
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut whole_line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.ends_with('\n').then_some(line)
    };
    while let Some(line) = whole_line() {
        if note(line) == lines {
            break;
        }
    }
    child.kill().unwrap();
    // What it said before it died counts as said.
    while let Some(line) = whole_line() {
        note(line);
    }
    let status = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&status.stderr);
    assert!(heard >= lines, "it died by itself: {said}");
    assert!(!status.status.success());
}

#[test]
fn what_was_acknowledged_outlives_a_kill_and_stands_once() {
    let scratch = Scratch::new();
    let mut acked = BTreeMap::new();
    let mut seed = SystemClock.now().0 as u64;
    println!("seed {seed}");
    for round in 0..12 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        live_and_die(&scratch.0, &mut acked, 1 + (seed >> 33) as usize % 200);

        let folder = DataFolder::open(&scratch.0).unwrap();
        let store = SqliteStore::open(&folder).unwrap();
        let log = log_of(&store, &LogName::community());
        let mut keys = BTreeMap::new();
        for event in &log {
            let key = event.key.expect("every order has a key");
            assert!(
                keys.insert(key.hash as u64, event.seq).is_none(),
                "round {round}: order {} stands twice",
                key.hash
            );
        }
        for (n, seq) in &acked {
            assert_eq!(keys.get(n), Some(seq), "round {round}: order {n} was acknowledged");
        }
        // What stands beyond the acknowledged was at hand when the process died.
        assert!(keys.len() <= acked.len() + AT_ONCE as usize);
        assert!(keys.keys().copied().eq(0..keys.len() as u64), "in order, without a gap");
        drop(store);
        let writer = open(&folder, &LogName::community());
        assert!(*writer.state() == fold(&log));
    }
}
