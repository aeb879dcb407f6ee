//! Two nodes on one shared store: the real writers, stepped by hand, each node with its clock and its live
//! view. A trap, set for the next step, crashes a node or lets its rival act at any call to the store.
//!
//! A crash is an unwinding that takes the node's writers, live view, feeds and handover positions with it; whatever
//! the store holds stays, and so do snapshots. Nothing here runs by itself: no threads, no waiting but the writer's
//! own.

use crate::audit::webhooks::{Mark, Sent};
use crate::dice::Dice;
use crate::keeper::Keeper;
use crate::known::Known;
use crate::wire::{OnTheLog, Wire};
use domain::event::Event;
use domain::event::inquiry::InquiryEvent;
use domain::ids::{InquiryId, QueueId};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use projections::feed::{Dealer, Feeds};
use projections::live::Live;
use projections::webhooks::board::Board;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use store::backend::EventStore;
use store::clock::{Clock, TurnedClock};
use store::memory::MemoryStore;
use store::raw::Head;
use store::recorded::Recorded;
use store::writer::folded::Folded;
use store::writer::order::{Answer, Entropy, Order};
use store::writer::{Settings, Writer};

/// So few that a reader who lags finds it full.
const INBOX: usize = 12;

pub const LOGS: [&str; 5] = ["main", "east", "community", "treasury", "effects"];
/// Those that live views fold.
pub const VIEWED: [&str; 4] = ["main", "east", "community", "treasury"];

pub fn log(name: &str) -> LogName {
    name.parse().expect("a log's name")
}

/// One order and what became of it; the log had `from` events when it was given, `until` when it was answered.
pub struct Asked {
    pub log: LogName,
    pub order: Order,
    pub entered: Timestamp,
    pub from: Seq,
    pub until: Seq,
    /// `None`: the node crashed, nobody was answered.
    pub answer: Option<Answer>,
}

/// A writer began, or had its store back: deadlines before `at` are late for it. The log had `length` events.
pub struct Up {
    pub log: LogName,
    pub at: Timestamp,
    pub length: Seq,
}

/// What the driver writes down for those who look afterwards.
#[derive(Default)]
pub struct Record {
    pub asked: Vec<Asked>,
    pub ticks: Vec<Entropy>,
    pub ups: Vec<Up>,
    pub crashes: usize,
    /// Where the other logs stood when `effects` had so many events, and what was sent.
    pub marks: Vec<Mark>,
    pub sent: Vec<Sent>,
    /// Starts that were refused: the clock was too far behind the log.
    pub clocks_behind: usize,
    /// Writers and views that began with a snapshot, and those of them whose log had gone on since.
    pub restored: usize,
    pub restored_behind: usize,
}

/// What springs at a call to the store.
pub enum Spring {
    Crash,
    /// The other node does this first.
    Rival(LogName, Vec<Order>),
    /// Time passes meanwhile.
    Time(i64),
}

/// The node's call that is `calls` calls ahead, before or after the store has heard it.
pub struct Trap {
    pub node: usize,
    pub calls: usize,
    pub after: bool,
    pub spring: Spring,
}

/// The crash of a node, as an unwinding.
struct Crash;

#[derive(Default)]
struct Running {
    writers: BTreeMap<LogName, Writer>,
    live: Arc<Live>,
    /// How far each call server was handed its acceptances, as this node knows.
    handed: BTreeMap<LogName, Seq>,
    feeds: Option<(Arc<Feeds>, Dealer)>,
    board: Arc<Board>,
    /// How far each log was read for webhooks.
    planned: BTreeMap<LogName, Seq>,
    /// Which of the node's starts this was.
    life: u64,
}

struct Node {
    clock: Arc<TurnedClock>,
    running: Mutex<Running>,
}

/// What a start makes anew.
struct Views {
    live: Arc<Live>,
    feeds: Arc<Feeds>,
    board: Arc<Board>,
}

pub struct House {
    pub store: MemoryStore,
    nodes: [Node; 2],
    pub known: Arc<Mutex<Known>>,
    pub record: Arc<Mutex<Record>>,
    /// Snapshots outlive the nodes.
    pub keeper: Mutex<Keeper>,
    /// The live view of the node that crashed last, as it stood: some earlier position of each log.
    pub fallen: Mutex<Option<Arc<Live>>>,
    trap: Mutex<Option<Trap>>,
    lives: AtomicU64,
    /// Injected faults that no append has met yet, by log.
    faults: Mutex<BTreeMap<LogName, usize>>,
    dice: Mutex<Dice>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A crash unwinds between locks, never under one.
    mutex.lock().expect("nothing panics under this lock")
}

impl House {
    pub fn new(dice: Dice, now: Timestamp) -> Arc<House> {
        let node = || Node { clock: Arc::new(TurnedClock::new(now)), running: Mutex::default() };
        Arc::new(House {
            store: MemoryStore::new(),
            nodes: [node(), node()],
            known: Arc::default(),
            record: Arc::default(),
            keeper: Mutex::default(),
            fallen: Mutex::default(),
            trap: Mutex::default(),
            lives: AtomicU64::new(0),
            faults: Mutex::default(),
            dice: Mutex::new(dice),
        })
    }

    pub fn length(&self, log: &LogName) -> Seq {
        Head::next(self.store.head(log).expect("the store in memory can be read"))
    }
    /// Of its last event.
    pub fn last_time(&self, log: &LogName) -> Option<Timestamp> {
        let length = self.length(log);
        let last = self.store.read(log, length.checked_sub(1)?, 1).expect("the store in memory can be read");
        last.into_iter().next().map(|raw| Recorded::open(log, raw).expect("what was written reads").time)
    }
    pub fn turn(&self, node: usize, now: Timestamp) {
        self.nodes[node].clock.turn(now);
    }
    pub fn now(&self, node: usize) -> Timestamp {
        self.nodes[node].clock.now()
    }
    pub fn set_trap(&self, trap: Option<Trap>) {
        *lock(&self.trap) = trap;
    }
    pub fn is_up(&self, node: usize) -> bool {
        !lock(&self.nodes[node].running).writers.is_empty()
    }
    pub fn live(&self, node: usize) -> Arc<Live> {
        lock(&self.nodes[node].running).live.clone()
    }
    /// Looks at a writer between steps; `None` where the node is down.
    pub fn with_writer<R>(&self, node: usize, log: &LogName, look: impl FnOnce(&Writer) -> R) -> Option<R> {
        lock(&self.nodes[node].running).writers.get(log).map(look)
    }
    /// The earliest deadline that a node knows of.
    pub fn next_deadline(&self, node: usize) -> Option<Timestamp> {
        lock(&self.nodes[node].running).writers.values().filter_map(Writer::next_deadline).min()
    }
    /// The next acceptance that a node would hand over: what the call server's own state says, at first.
    pub fn handed(&self, node: usize, log: &LogName) -> Option<Seq> {
        let running = lock(&self.nodes[node].running);
        let taken = |writer: &Writer| writer.state().sources.get(&LogName::community()).map_or(0, |last| last.seq + 1);
        running.handed.get(log).copied().or_else(|| running.writers.get(log).map(taken))
    }
    pub fn set_handed(&self, node: usize, log: &LogName, next: Option<Seq>) {
        let mut running = lock(&self.nodes[node].running);
        match next {
            Some(next) if !running.writers.is_empty() => running.handed.insert(log.clone(), next),
            _ => running.handed.remove(log),
        };
    }
    /// Faults for the next appends, unless earlier ones still wait: a conflict that is none would deny a
    /// batch that stands.
    pub fn inject(&self, log: &LogName, faults: Vec<store::memory::Fault>) {
        let mut waiting = lock(&self.faults);
        let waiting = waiting.entry(log.clone()).or_default();
        if *waiting == 0 {
            *waiting = faults.len();
            self.store.inject(log, faults);
        }
    }
    /// An append meets the first fault that waits.
    pub fn takes_a_fault(&self, log: &LogName) {
        if let Some(waiting) = lock(&self.faults).get_mut(log) {
            *waiting = waiting.saturating_sub(1);
        }
    }
    pub fn faults_wait(&self) -> bool {
        lock(&self.faults).values().any(|count| *count > 0)
    }

    /// Opens the node's writers on fresh views, the call servers before `community`, each from a snapshot or from its
    /// log's start. A clock too far behind the log keeps it down, and so does a trap.
    pub fn start(self: &Arc<House>, node: usize) -> bool {
        let live = Arc::new(Live::new());
        let (feeds, dealer) = self.feeds_beside(&live);
        let views = Views { live, feeds, board: Arc::default() };
        let mut writers = BTreeMap::new();
        for name in LOGS {
            let name = log(name);
            let opened = catch_unwind(AssertUnwindSafe(|| self.open(node, &name, &views)));
            match opened {
                Ok(Some(writer)) => writers.insert(name, writer),
                Ok(None) => return false,
                Err(payload) => {
                    assert_crash(payload);
                    return false;
                }
            };
        }
        let Views { live, feeds, board } = views;
        let (handed, planned, feeds) = (BTreeMap::new(), BTreeMap::new(), Some((feeds, dealer)));
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        *lock(&self.nodes[node].running) = Running { writers, live, handed, feeds, board, planned, life };
        true
    }

    /// As `api` starts one: its feeds ask the live view for an inquiry's queues, and then what was recorded.
    fn feeds_beside(&self, live: &Arc<Live>) -> (Arc<Feeds>, Dealer) {
        let (live, store) = (live.clone(), self.store.clone());
        let queues_of = Arc::new(move |inquiry| match live.inquiry(inquiry) {
            Some(row) => Ok(row.all_queues().collect()),
            None => Ok(recorded_queues(&store, inquiry)),
        });
        Feeds::by_hand(Arc::new(self.store.clone()), queues_of, Arc::new(|_, _| Vec::new()), INBOX)
    }

    fn open(self: &Arc<House>, node: usize, log: &LogName, views: &Views) -> Option<Writer> {
        let wire = Arc::new(Wire::new(self, node, self.nodes[node].clock.clone()));
        let (known, live, board) = (self.known.clone(), views.live.clone(), views.board.clone());
        let leaves = *log == LogName::effects();
        let mut dice = lock(&self.dice).split();
        let folded = self.restored(log, views, &wire, &mut dice);
        let record = self.record.clone();
        let draw = Box::new(move || {
            let entropy = Entropy(dice.bytes());
            lock(&record).ticks.push(entropy);
            entropy
        });
        let feeds = (!log.is_reserved()).then(|| views.feeds.clone());
        let told: store::writer::Subscriber = Arc::new(move |events| {
            events.iter().for_each(|event| lock(&known).learn(event));
            if leaves {
                return board.fold(events);
            }
            live.apply(events).expect("what a writer tells fits the live view");
            if let Some(feeds) = &feeds {
                feeds.publish(events);
            }
        });
        let clock = self.nodes[node].clock.clone();
        // So few that keys fall out of memory all day.
        let settings = Settings { keys: 6, ..Settings::default() };
        let older = Arc::new(OnTheLog { store: self.store.clone(), log: log.clone() });
        let opened = Writer::open_after(folded, log.clone(), wire, clock.clone(), draw, older, vec![told], settings);
        match opened {
            Ok(writer) => {
                self.up(log, clock.now(), self.length(log));
                Some(writer)
            }
            Err(store::writer::OpenError::ClockBehind { .. }) => {
                lock(&self.record).clocks_behind += 1;
                None
            }
            Err(other) => panic!("a writer cannot open: {other:?}"),
        }
    }

    /// What a start takes over of a log: nothing, or one of its snapshots, put into the views too.
    fn restored(&self, log: &LogName, views: &Views, wire: &Wire, dice: &mut Dice) -> Folded {
        let Some(snapshot) = lock(&self.keeper).any(log, dice) else { return Folded::default() };
        let folded = Folded::restore(&snapshot).expect("a snapshot reads");
        views.live.restore(&snapshot).expect("a snapshot reads");
        views.feeds.begin_after(log, snapshot.head);
        if *log == LogName::community() {
            views.live.fill(wire).expect("what `community` holds fits the live view");
        }
        let mut record = lock(&self.record);
        record.restored += 1;
        record.restored_behind += usize::from(snapshot.head.seq + 1 < self.length(log));
        folded
    }

    /// Names what a node has become since it started last; `None` where it is down.
    pub fn life(&self, node: usize) -> Option<u64> {
        let running = lock(&self.nodes[node].running);
        running.feeds.as_ref().map(|_| running.life)
    }
    /// The feeds of a node that is up.
    pub fn feeds(&self, node: usize) -> Option<Arc<Feeds>> {
        lock(&self.nodes[node].running).feeds.as_ref().map(|(feeds, _)| feeds.clone())
    }
    /// The node's feeds deal out at most so many batches.
    pub fn deal(&self, node: usize, batches: usize) {
        if let Some((feeds, dealer)) = &lock(&self.nodes[node].running).feeds {
            (0..batches).take_while(|_| dealer.deal(feeds)).for_each(drop);
        }
    }

    /// From now on, what fell due before `at` is late for the writer that speaks.
    pub fn up(&self, log: &LogName, at: Timestamp, length: Seq) {
        lock(&self.record).ups.push(Up { log: log.clone(), at, length });
    }

    /// Everything that is not in the store is gone.
    pub fn crash(&self, node: usize) {
        lock(&self.record).crashes += 1;
        let running = std::mem::take(&mut *lock(&self.nodes[node].running));
        if !running.writers.is_empty() {
            *lock(&self.fallen) = Some(running.live);
        }
    }

    /// Gives a run of orders to a node; `None` where it is down, or goes down over it.
    pub fn give(&self, node: usize, log: &LogName, orders: Vec<(Order, Timestamp)>) -> Option<Vec<Answer>> {
        let mut writer = lock(&self.nodes[node].running).writers.remove(log)?;
        let from = self.length(log);
        let outcome = catch_unwind(AssertUnwindSafe(|| writer.handle_all(orders.clone())));
        let until = self.length(log);
        let answers = match outcome {
            Ok(answers) => Some(answers),
            Err(payload) => {
                assert_crash(payload);
                None
            }
        };
        let mark = (*log == LogName::effects()).then(|| self.mark());
        let mut record = lock(&self.record);
        record.marks.extend(mark);
        for (index, (order, entered)) in orders.into_iter().enumerate() {
            let answer = answers.as_ref().map(|answers| answers[index].clone());
            record.asked.push(Asked { log: log.clone(), order, entered, from, until, answer });
        }
        drop(record);
        self.put_back(node, log, writer, answers.is_some());
        if let Some(answers) = &answers {
            self.reads_its_writes(node, log, answers);
        }
        answers
    }

    /// What the webhooks' planner and sender of a node that is up look at.
    pub fn hooks(&self, node: usize) -> Option<(Arc<Live>, Arc<Board>)> {
        let running = lock(&self.nodes[node].running);
        (!running.writers.is_empty()).then(|| (running.live.clone(), running.board.clone()))
    }
    /// How far a node has read each log for them.
    pub fn planned(&self, node: usize) -> BTreeMap<LogName, Seq> {
        lock(&self.nodes[node].running).planned.clone()
    }
    pub fn set_planned(&self, node: usize, planned: BTreeMap<LogName, Seq>) {
        lock(&self.nodes[node].running).planned = planned;
    }

    /// The node's timer rings.
    pub fn tick(&self, node: usize, log: &LogName) {
        let Some(mut writer) = lock(&self.nodes[node].running).writers.remove(log) else { return };
        match catch_unwind(AssertUnwindSafe(|| writer.tick())) {
            Ok(_) => self.put_back(node, log, writer, true),
            Err(payload) => {
                assert_crash(payload);
                self.put_back(node, log, writer, false);
            }
        }
    }

    fn put_back(&self, node: usize, log: &LogName, writer: Writer, alive: bool) {
        if !alive || writer.is_broken() {
            drop(writer);
            return self.crash(node);
        }
        lock(&self.nodes[node].running).writers.insert(log.clone(), writer);
    }

    /// Where all logs stand.
    fn mark(&self) -> Mark {
        let lengths = VIEWED.iter().map(|name| ((*name).to_owned(), self.length(&log(name))));
        Mark { effects: self.length(&LogName::effects()), lengths: lengths.collect() }
    }

    /// An answer leaves after the node's live view has what it tells of.
    fn reads_its_writes(&self, node: usize, log: &LogName, answers: &[Answer]) {
        let told = answers.iter().filter_map(|answer| match answer {
            Answer::Done(events) => events.last().map(|event| event.seq),
            Answer::Replayed { first, events } => Some(first + u64::from(*events) - 1),
            Answer::Refused(_) | Answer::Unavailable(_) => None,
        });
        if let Some(last) = told.max()
            && *log != LogName::effects()
            && self.is_up(node)
        {
            let seen = self.live(node).head(log).map(|head| head.seq);
            assert!(seen >= Some(last), "read-your-writes: {log} {last} was answered, the live view is at {seen:?}");
        }
    }

    /// A node is about to call the store, or has its answer.
    pub fn springs(&self, node: usize, after: bool) {
        let mut trap = lock(&self.trap);
        let Some(set) = trap.as_mut().filter(|set| set.node == node && set.after == after) else { return };
        if set.calls > 0 {
            set.calls -= 1;
            return;
        }
        let sprung = trap.take().expect("just seen");
        drop(trap);
        match sprung.spring {
            Spring::Crash => resume_unwind(Box::new(Crash)),
            Spring::Rival(log, orders) => {
                let rival = 1 - node;
                let entered = self.now(rival);
                self.give(rival, &log, orders.into_iter().map(|order| (order, entered)).collect());
            }
            Spring::Time(micros) => {
                for node in 0..2 {
                    self.turn(node, Timestamp(self.now(node).0 + micros));
                }
            }
        }
    }
}

/// Of an inquiry that a live view no longer has, or never had.
fn recorded_queues(store: &MemoryStore, inquiry: InquiryId) -> Vec<QueueId> {
    let markets = LOGS.iter().map(|name| log(name)).filter(|log| !log.is_reserved());
    let events = markets.flat_map(|log| {
        let raw = store.read(&log, 0, usize::MAX >> 1).expect("the store in memory can be read");
        raw.into_iter().map(move |raw| Recorded::open(&log, raw).expect("what was written reads"))
    });
    let queues = events.flat_map(|event| match event.event {
        Event::Inquiry(InquiryEvent::Registered(e)) if e.inquiry == inquiry => e.queues,
        Event::Inquiry(InquiryEvent::Moved(e)) if e.inquiry == inquiry => vec![e.into],
        _ => vec![],
    });
    queues.collect()
}

fn assert_crash(payload: Box<dyn std::any::Any + Send>) {
    if !payload.is::<Crash>() {
        resume_unwind(payload);
    }
}
