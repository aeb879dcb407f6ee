//! Killed at every event: what a simulated day asked of one log is asked again, once each, of one node that is
//! killed before and after its appends, is started again, and is asked again what it had not answered. It comes to
//! the same log, byte for byte, and so to the same state and the same live view as the node that was never killed.
//!
//! A batch is appended whole or not at all (the store's conformance suite), so a kill inside one is a kill before it.
//! Deliberately not here: a real process and its disk, which the stories kill; faults of the store, other nodes.

use crate::day::{Day, MORNING, live_through};
use crate::house::{Asked, VIEWED, lock, log};
use crate::views;
use domain::event::Event;
use domain::event::inquiry::InquiryEvent;
use domain::ids::Subject;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use projections::live::Live;
use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use store::backend::{AppendError, EventStore, Limits, ReadError};
use store::clock::TurnedClock;
use store::keys::NoOldKeys;
use store::memory::MemoryStore;
use store::raw::{Head, RawEvent};
use store::recorded::Recorded;
use store::writer::order::{Answer, Entropy, Key, Order};
use store::writer::{Settings, Writer};

/// Days whose orders are asked again, and the first after them with claims and selections; each kill alone takes such a
/// day.
const DAYS: std::ops::Range<u64> = 0..if cfg!(debug_assertions) { 2 } else { 8 };

/// An append of the day, counted from zero, and on which side of it the node dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kill {
    append: usize,
    after: bool,
}

/// The death of the process, as an unwinding.
struct Killed;

/// A store whose node dies at some appends. What it holds stays.
struct Mortal {
    store: MemoryStore,
    /// Each happens once.
    kills: Mutex<Vec<Kill>>,
    /// That the store has taken.
    appends: AtomicUsize,
    /// Since the last of them.
    drawn: AtomicU64,
}

impl Mortal {
    fn dies(&self, append: usize, after: bool) {
        let mut kills = lock(&self.kills);
        if let Some(at) = kills.iter().position(|kill| *kill == Kill { append, after }) {
            kills.swap_remove(at);
            drop(kills);
            resume_unwind(Box::new(Killed));
        }
    }

    /// The same randomness for the same position, however often somebody came there.
    fn draw(&self, log: &LogName) -> Entropy {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&length(&self.store, log).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Entropy(bytes)
    }
}

impl EventStore for Mortal {
    fn limits(&self) -> Limits {
        self.store.limits()
    }
    fn logs(&self) -> Result<Vec<LogName>, ReadError> {
        self.store.logs()
    }
    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError> {
        self.store.head(log)
    }
    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        let append = self.appends.load(Ordering::Relaxed);
        self.dies(append, false);
        self.store.append(log, expected, batch)?;
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.drawn.store(0, Ordering::Relaxed);
        self.dies(append, true);
        Ok(())
    }
    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.store.confirm(log, expected)
    }
    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        self.store.read(log, from, max)
    }
    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        self.store.read_at(log, seqs)
    }
}

fn length(store: &MemoryStore, log: &LogName) -> Seq {
    Head::next(store.head(log).expect("the store in memory can be read"))
}

/// What was asked of a log, each wish once and under a key, in the order of its instants.
fn script(day: &Day, log: &LogName) -> Vec<(Timestamp, Order)> {
    let record = lock(&day.house.record);
    let mut keys = HashSet::new();
    let mut asked: Vec<&Asked> = record.asked.iter().filter(|asked| asked.log == *log).collect();
    asked.retain(|asked| asked.order.key.is_none_or(|key| keys.insert(key.hash)));
    let keyed = asked.into_iter().enumerate().map(|(at, asked)| {
        let key = Key { hash: at as u128 + 1, fingerprint: at as u64 };
        // A process manager has no key: the call server's own state knows what it has taken over.
        let key = asked.order.source.is_none().then_some(key);
        (asked.entered, Order { key, ..asked.order.clone() })
    });
    let mut script: Vec<_> = keyed.collect();
    script.sort_by_key(|(at, _)| *at);
    script
}

/// What a day comes to.
struct Outcome {
    store: MemoryStore,
    head: Option<Head>,
    appends: usize,
    writer: Writer,
    live: Arc<Live>,
    /// To each order.
    answers: Vec<String>,
}

struct Node<'a> {
    log: &'a LogName,
    mortal: Arc<Mortal>,
    clock: Arc<TurnedClock>,
    running: Option<(Writer, Arc<Live>)>,
}

impl Node<'_> {
    fn start(&mut self) -> &mut Writer {
        let live = Arc::new(Live::new());
        let (mortal, log) = (self.mortal.clone(), self.log.clone());
        let draw = Box::new(move || mortal.draw(&log));
        let told = live.clone();
        let told: store::writer::Subscriber = Arc::new(move |events| {
            told.apply(events).expect("what a writer tells fits the live view");
        });
        self.mortal.drawn.store(0, Ordering::Relaxed);
        let (store, clock) = (self.mortal.clone(), self.clock.clone());
        let writer =
            Writer::open(self.log.clone(), store, clock, draw, Arc::new(NoOldKeys), vec![told], Settings::default());
        &mut self.running.insert((writer.expect("what stands there opens"), live)).0
    }

    /// Does it, again where the node died over it: nobody had an answer.
    fn survive<T>(&mut self, mut step: impl FnMut(&mut Writer) -> T) -> T {
        loop {
            let writer = match &mut self.running {
                Some((writer, _)) => writer,
                None => self.start(),
            };
            match catch_unwind(AssertUnwindSafe(|| step(writer))) {
                Ok(done) => return done,
                Err(payload) if payload.is::<Killed>() => self.running = None,
                Err(payload) => resume_unwind(payload),
            }
        }
    }

    /// What is due until then happens when it is due.
    fn run_to(&mut self, until: Timestamp) {
        while let Some(due) = self.survive(|writer| writer.next_deadline()).filter(|due| *due <= until) {
            self.turn(due);
            self.survive(|writer| writer.tick()).expect("the store in memory takes it");
        }
        self.turn(until);
    }

    fn turn(&self, to: Timestamp) {
        use store::clock::Clock;
        self.clock.turn(to.max(self.clock.now()));
    }
}

fn live_again(log: &LogName, script: &[(Timestamp, Order)], kills: Vec<Kill>) -> Outcome {
    let mortal = Mortal {
        store: MemoryStore::new(),
        kills: Mutex::new(kills),
        appends: AtomicUsize::new(0),
        drawn: AtomicU64::new(0),
    };
    let clock = Arc::new(TurnedClock::new(Timestamp(MORNING)));
    let mut node = Node { log, mortal: Arc::new(mortal), clock, running: None };
    let mut answers = Vec::with_capacity(script.len());
    for (at, order) in script {
        node.run_to(*at);
        let answer = node.survive(|writer| writer.handle(order.clone()));
        answers.push(told(&answer));
    }
    // Whatever is due within a day of the last word.
    let last = script.last().map_or(MORNING, |(at, _)| at.0);
    node.run_to(Timestamp(last + 86_400_000_000));
    assert!(lock(&node.mortal.kills).is_empty(), "{log}: some kills never came: {:?}", lock(&node.mortal.kills));
    let head = node.mortal.store.head(log).expect("the store in memory can be read");
    let appends = node.mortal.appends.load(Ordering::Relaxed);
    let (writer, live) = node.running.expect("it has run to the end");
    Outcome { store: node.mortal.store.clone(), head, appends, writer, live, answers }
}

/// Who asks again hears that it was so already: the same events.
fn told(answer: &Answer) -> String {
    match answer {
        Answer::Done(events) if events.is_empty() => "nothing, a repeat".to_owned(),
        Answer::Done(events) => format!("{} from {}", events.len(), events[0].seq),
        Answer::Replayed { first, events } => format!("{events} from {first}"),
        Answer::Refused(refusal) => format!("{refusal:?}"),
        Answer::Unavailable(message) => panic!("a store in memory is there: {message}"),
    }
}

/// Compares a day with the one on which nobody was killed.
fn compare(what: &str, killed: &Outcome, whole: &Outcome, script: &[(Timestamp, Order)], subjects: &BTreeSet<Subject>) {
    for (at, (killed, whole)) in killed.answers.iter().zip(&whole.answers).enumerate() {
        // Without a key, what was done is found to be so already.
        if script[at].1.key.is_some() || !killed.starts_with("nothing") {
            assert_eq!(killed, whole, "{what}: order {at} is answered otherwise: {:?}", script[at].1.command);
        }
    }
    assert_eq!(killed.head, whole.head, "{what}: the log comes to other bytes");
    assert!(killed.writer.state() == whole.writer.state(), "{what}: the writer comes to another state");
    views::same(what, &killed.live, &whole.live, subjects);
}

fn subjects(store: &MemoryStore, log: &LogName) -> BTreeSet<Subject> {
    let raw = store.read(log, 0, usize::MAX >> 1).expect("the store in memory can be read");
    raw.into_iter().flat_map(|raw| Recorded::open(log, raw).expect("what was written reads").subjects).collect()
}

#[test]
fn killed_at_every_event_a_day_comes_to_the_same() {
    let chosen = |seed: &u64| {
        let day = live_through(*seed, false);
        let rules: BTreeSet<String> = VIEWED.iter().flat_map(|name| chosen_by(&day.house.store, &log(name))).collect();
        rules.contains("claim/1") && rules.len() > 2
    };
    let chosen = (DAYS.end..400).find(chosen).expect("a day on which agents claim and are selected, too");
    for seed in DAYS.chain([chosen]) {
        let day = live_through(seed, false);
        for name in VIEWED {
            let log = log(name);
            let script = script(&day, &log);
            let whole = live_again(&log, &script, vec![]);
            let subjects = subjects(&whole.store, &log);
            let each = (0..whole.appends).flat_map(|append| [false, true].map(|after| Kill { append, after }));
            // Once in all of these places, one after the other.
            compare(
                "killed everywhere",
                &live_again(&log, &script, each.clone().collect()),
                &whole,
                &script,
                &subjects,
            );
            // And in each of them alone; without optimisation in some.
            for kill in each.step_by(if cfg!(debug_assertions) { 41 } else { 1 }) {
                compare(&format!("{kill:?}"), &live_again(&log, &script, vec![kill]), &whole, &script, &subjects);
            }
            println!(
                "seed {seed}, {name}: {} orders, {} appends, {} events",
                script.len(),
                whole.appends,
                Head::next(whole.head)
            );
        }
    }
}

/// The rules of the choices without an auction.
fn chosen_by(store: &MemoryStore, log: &LogName) -> BTreeSet<String> {
    let raw = store.read(log, 0, usize::MAX >> 1).expect("the store in memory can be read");
    let events = raw.into_iter().map(|raw| Recorded::open(log, raw).expect("what was written reads"));
    let rules = events.filter_map(|event| match event.event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) if e.agent.is_some() => Some(e.why.rule),
        _ => None,
    });
    rules.collect()
}
