//! The writer of one log on one node: drain the mailbox, decide, append the batch, answer, publish.
//!
//! It promises: an answer means durable; refusals too go out only with their batch; an event is published
//! once, in order, and before the answer that depends on it; on `Conflict` the batch is taken back, the
//! tail read and everything decided again; a command that cannot be decided in time is told so.
//!
//! [`Writer`] is a plain state machine that tests and replays step by hand; [`mailbox::spawn`] gives it a thread
//! and a mailbox. Deliberately not here: leadership, leases, async. The append is the only lock.

pub mod folded;
pub mod mailbox;
pub mod order;

use crate::backend::{AppendError, EventStore, ReadError, Refused};
use crate::chain::ChainError;
use crate::clock::Clock;
use crate::keys::{KeyWindow, OldKeys, Seen};
use crate::raw::{Head, RawEvent};
use crate::recorded::{CorruptEvent, Facts, KeyMark, Recorded};
use domain::actor::Actor;
use domain::decide::{self, Ctx};
use domain::event::Event;
use domain::ids::IdSource;
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::state::{Mark, State};
use domain::time::{Span, Timestamp};
use folded::{Folded, PAGE};
use order::{Answer, Entropy, Key, Order, Source};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// What hears of acknowledged events: one log's, in order, each once, before the answers go out. Called on the teller's
/// thread where the writer has one (`mailbox::spawn`); whoever gave a command waits for it, so it must be quick.
pub type Subscriber = Arc<dyn Fn(&[Arc<Recorded>]) + Send + Sync>;

/// How a writer works; [`Settings::default`] is what the product runs with.
#[derive(Clone)]
pub struct Settings {
    pub mailbox: usize,
    /// Commands of one batch at most.
    pub batch: usize,
    /// Keys of one of the two generations in memory.
    pub keys: usize,
    /// How long a command may wait for its decision.
    pub patience: Span,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { mailbox: 4_096, batch: 512, keys: 1_000_000, patience: Span::seconds(10) }
    }
}

/// A deadline this far in the past at its tick means the platform, not the person, was late.
const LATE: Span = Span::seconds(10);
/// How far the log's last time may lie ahead of the clock at start.
const AHEAD_MAX: Span = Span::seconds(5);

/// A log that cannot be written or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("log {log} cannot be read")]
    Read {
        log: LogName,
        #[source]
        source: ReadError,
    },
    #[error("the hash chain of log {log} is broken")]
    Chain {
        log: LogName,
        #[source]
        source: ChainError,
    },
    #[error(transparent)]
    Corrupt(#[from] CorruptEvent),
    #[error("the clock is {seconds} s behind the last event of log {log}; set it before starting")]
    ClockBehind { log: LogName, seconds: i64 },
}

/// Why a writer writes no more.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stopped {
    /// The store went back, or holds another history than this node: an operator must look.
    Fork,
    /// A flush failed: what the disk holds is not known. The process starts again.
    Broken,
    /// An event cannot be understood, or its link does not hold.
    Unreadable,
}

pub struct Writer {
    log: LogName,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    draw: Box<dyn FnMut() -> Entropy + Send>,
    older: Arc<dyn OldKeys>,
    subscribers: Vec<Subscriber>,
    settings: Settings,
    state: State,
    keys: KeyWindow,
    head: Option<Head>,
    /// Of the last event.
    time: Timestamp,
    /// When this writer started, or got its store back.
    up_since: Timestamp,
    down: bool,
    stopped: Option<Stopped>,
}

/// Which orders of a batch have waited so long that nobody may be left to hear. Looked at before every attempt:
/// a batch may be sent, resolved and decided again for as long as the store takes.
struct GivenUp {
    patience: Span,
    /// The latest instant seen: a clock that steps back brings nobody back, so where one order of a run is
    /// given up, every later one is.
    seen: Timestamp,
}

/// Of an order that nobody may be left to hear of.
const WAITED_TOO_LONG: &str = "The command waited too long; try again.";

impl GivenUp {
    fn after(patience: Span) -> GivenUp {
        GivenUp { patience, seen: Timestamp(i64::MIN) }
    }
    fn look(&mut self, now: Timestamp) {
        self.seen = self.seen.max(now);
    }
    fn on(&self, entered: Timestamp) -> bool {
        self.seen - entered > self.patience
    }
}

/// A decided but unacknowledged batch.
struct Draft {
    events: Vec<Recorded>,
    bytes: usize,
    time: Timestamp,
}

/// Where a draft and the state were before a command or a timer was decided.
struct Before {
    state: Mark,
    events: usize,
    bytes: usize,
    time: Timestamp,
}

enum Decided {
    /// Positions in the draft's events.
    Done(std::ops::Range<usize>),
    Replayed {
        first: Seq,
        events: u32,
    },
    Refused(Refusal),
    Unavailable(&'static str),
}

impl Writer {
    /// Folds the log from its start, checking the chain; tells `subscribers` every event.
    pub fn open(
        log: LogName,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        draw: Box<dyn FnMut() -> Entropy + Send>,
        older: Arc<dyn OldKeys>,
        subscribers: Vec<Subscriber>,
        settings: Settings,
    ) -> Result<Writer, OpenError> {
        Writer::open_after(Folded::default(), log, store, clock, draw, older, subscribers, settings)
    }

    /// The same from what a snapshot gave; `subscribers` are told what comes after it, and know the rest.
    pub fn open_after(
        folded: Folded,
        log: LogName,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        draw: Box<dyn FnMut() -> Entropy + Send>,
        older: Arc<dyn OldKeys>,
        subscribers: Vec<Subscriber>,
        settings: Settings,
    ) -> Result<Writer, OpenError> {
        let mut writer = Writer {
            log,
            store,
            clock,
            draw,
            older,
            subscribers,
            state: folded.state,
            keys: KeyWindow::after(&folded.keys, settings.keys),
            settings,
            head: folded.head,
            time: folded.time,
            up_since: Timestamp(i64::MIN),
            down: false,
            stopped: None,
        };
        writer.catch_up()?;
        // Folding a long log takes its time: what fell due meanwhile is late.
        let now = writer.clock.now();
        writer.up_since = now;
        if writer.time > now + AHEAD_MAX {
            let seconds = (writer.time - now).0 / 1_000_000;
            return Err(OpenError::ClockBehind { log: writer.log, seconds });
        }
        Ok(writer)
    }

    pub fn log(&self) -> &LogName {
        &self.log
    }
    pub fn state(&self) -> &State {
        &self.state
    }
    pub fn head(&self) -> Option<Head> {
        self.head
    }
    /// The earliest deadline of the state.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.next_deadline()
    }

    /// Takes over what the log holds beyond our head, a page whole or not at all: what is applied is published.
    fn catch_up(&mut self) -> Result<(), OpenError> {
        let page = folded::page_after(&*self.store, &self.log, self.head)?;
        let more = page.len() == PAGE;
        self.take_over(page);
        if !more {
            return Ok(());
        }
        // A long tail: another thread reads and checks the next page while this one applies. Both have enough to do.
        std::thread::scope(|scope| {
            let (pages, read) = sync_channel(1);
            let (store, log, mut head) = (self.store.clone(), self.log.clone(), self.head);
            let reader = std::thread::Builder::new().name(format!("tail-{}", self.log));
            let reader = reader.spawn_scoped(scope, move || {
                loop {
                    let page = folded::page_after(&*store, &log, head);
                    let ended = page.as_ref().map_or(true, |page| page.len() < PAGE);
                    if let Ok([.., last]) = page.as_deref() {
                        head = Some(last.raw.head());
                    }
                    // Nobody takes it where applying has panicked.
                    if pages.send(page).is_err() || ended {
                        return;
                    }
                }
            });
            let reader = reader.expect("a thread can be started");
            let taken = read.iter().try_for_each(|page| page.map(|page| self.take_over(page)));
            drop(read);
            // What stopped it stops us, in its own words.
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            taken
        })
    }

    /// Applies what the log holds and others may have written.
    fn take_over(&mut self, events: Vec<Arc<Recorded>>) {
        for event in &events {
            folded::apply(&mut self.state, &mut self.time, &mut self.head, event);
            self.keys.replay(event);
        }
        self.publish(&events);
    }

    fn publish(&self, events: &[Arc<Recorded>]) {
        if !events.is_empty() {
            for subscriber in &self.subscribers {
                subscriber(events);
            }
        }
    }

    /// Decides what is due now, as much as fits one append, and appends it. Returns whether anything was due;
    /// `Err` where the store took nothing, so the timers stay due.
    pub fn tick(&mut self) -> Result<bool, &'static str> {
        if self.state.next_deadline().is_none_or(|due| self.clock.now() < due) {
            return Ok(false);
        }
        let entered = self.clock.now();
        match self.batch(vec![], entered, None).0 {
            Ok(()) => Ok(true),
            Err(message) => Err(message),
        }
    }

    /// Decides one command now. For replays and tests; a thread's mailbox hands over whole batches.
    pub fn handle(&mut self, order: Order) -> Answer {
        let entered = self.clock.now();
        let (_, mut answers) = self.batch(vec![(order, entered)], entered, None);
        answers.pop().expect("one order, one answer")
    }

    /// Decides a run of commands, each at its own instant, in as few appends as fit. For replays on a turned
    /// clock, which must stand at or after the last instant and stop at every deadline in between.
    pub fn handle_all(&mut self, orders: Vec<(Order, Timestamp)>) -> Vec<Answer> {
        let now = self.clock.now();
        self.batch(orders, now, None).1
    }

    /// One batch, answered in order. Nothing of it is known to anybody before it is acknowledged. `patience`:
    /// how long its orders wait for their decision, where somebody waits for the answers.
    fn batch(
        &mut self,
        orders: Vec<(Order, Timestamp)>,
        now: Timestamp,
        patience: Option<Span>,
    ) -> (Result<(), &'static str>, Vec<Answer>) {
        let mut answers = Vec::with_capacity(orders.len());
        let mut rest = &orders[..];
        let mut given_up = patience.map(GivenUp::after);
        loop {
            let before = answers.len();
            let outcome = self.attempt(rest, now, &mut given_up, &mut answers);
            rest = &rest[answers.len() - before..];
            match outcome {
                Ok(()) if rest.is_empty() => return (Ok(()), answers),
                // The batch limit was reached: the rest makes the next one.
                Ok(()) => {}
                Err(message) => {
                    answers.extend(rest.iter().map(|_| Answer::Unavailable(message)));
                    return (Err(message), answers);
                }
            }
        }
    }

    /// Decides as many orders as fit one append, appends, publishes; deciding again on `Conflict`.
    fn attempt(
        &mut self,
        orders: &[(Order, Timestamp)],
        now: Timestamp,
        given_up: &mut Option<GivenUp>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), &'static str> {
        if self.stopped.is_some() {
            return Err("This log is stopped; the operator has been told.");
        }
        loop {
            if let Some(given_up) = given_up {
                given_up.look(self.clock.now());
                // Nothing is left to decide, so nothing is to be appended.
                if !orders.is_empty() && orders.iter().all(|(_, entered)| given_up.on(*entered)) {
                    answers.extend(orders.iter().map(|_| Answer::Unavailable(WAITED_TOO_LONG)));
                    return Ok(());
                }
            }
            if self.down {
                // Should this append be taken, the store is back by now, and what fell due before is late.
                self.up_since = self.clock.now();
            }
            let mark = self.state.mark();
            let (mut draft, decided) = self.decide(orders, now, given_up.as_ref());
            match self.append(&mut draft) {
                Ok(()) => {
                    self.state.acknowledge();
                    self.time = draft.time;
                    self.keys.acknowledge(draft.time);
                    if let Some(last) = draft.events.last() {
                        self.head = Some(last.raw.head());
                    }
                    if self.down {
                        self.down = false;
                        self.up_since = self.clock.now();
                        tracing::info!(log = %self.log, "store.recovered");
                    }
                    let events: Vec<Arc<Recorded>> = draft.events.into_iter().map(Arc::new).collect();
                    self.publish(&events);
                    answers.extend(decided.into_iter().map(|decided| match decided {
                        Decided::Done(range) => Answer::Done(events[range].to_vec()),
                        Decided::Replayed { first, events } => Answer::Replayed { first, events },
                        Decided::Refused(refusal) => Answer::Refused(refusal),
                        Decided::Unavailable(message) => Answer::Unavailable(message),
                    }));
                    return Ok(());
                }
                Err(error) => {
                    self.state.roll_back(mark);
                    self.keys.roll_back();
                    self.failed(error)?;
                }
            }
        }
    }

    /// What a failed append means; `Ok`: decide again.
    fn failed(&mut self, error: AppendError) -> Result<(), &'static str> {
        match error {
            AppendError::Conflict => match self.catch_up() {
                Ok(()) => Ok(()),
                Err(error @ OpenError::Read { .. }) => {
                    tracing::error!(log = %self.log, error = %chain_of(&error), "writer.tail_unreadable");
                    self.lost("The log cannot be read now; try again.")
                }
                Err(error) => {
                    tracing::error!(log = %self.log, error = %chain_of(&error), "writer.tail_corrupt");
                    self.stopped = Some(Stopped::Unreadable);
                    Err("This log is stopped: it holds what cannot be understood. The operator has been told.")
                }
            },
            AppendError::Fork { found } => {
                tracing::error!(log = %self.log, ours = ?self.head, theirs = ?found, "writer.fork");
                self.stopped = Some(Stopped::Fork);
                Err("This log is stopped: the store holds another history. The operator has been told.")
            }
            AppendError::Refused(Refused::Full) => self.lost("The disk is full: nothing was written, reading goes on."),
            AppendError::Refused(refused) => {
                tracing::error!(log = %self.log, error = %refused, "writer.refused");
                self.lost("The store refused the write: nothing was written.")
            }
            AppendError::Unknown(_) => unreachable!("append sends again until it knows"),
            AppendError::Broken(cause) => {
                tracing::error!(log = %self.log, error = %cause, "writer.broken");
                self.stopped = Some(Stopped::Broken);
                Err("The store has failed; the process must start again.")
            }
        }
    }

    fn lost(&mut self, message: &'static str) -> Result<(), &'static str> {
        if !self.down {
            tracing::error!(log = %self.log, message, "store.lost");
        }
        self.down = true;
        Err(message)
    }

    /// Decides nothing any more: the log is not what was written.
    fn halt(&mut self) {
        self.stopped.get_or_insert(Stopped::Unreadable);
    }

    /// Whether the process should end because what the disk holds is not known.
    pub fn is_broken(&self) -> bool {
        self.stopped == Some(Stopped::Broken)
    }

    /// Whether the store holds another history than the one that was decided on.
    pub fn is_forked(&self) -> bool {
        self.stopped == Some(Stopped::Fork)
    }

    /// Appends, or confirms the head where there is nothing to append. `Unknown` is resolved here: the very
    /// same batch is sent again until the store says what became of it.
    fn append(&mut self, draft: &mut Draft) -> Result<(), AppendError> {
        // Lent to the store: a batch is as many bytes again.
        let batch: Vec<RawEvent> = draft.events.iter_mut().map(|event| std::mem::take(&mut event.raw)).collect();
        let outcome = self.append_until_known(&batch);
        for (event, raw) in draft.events.iter_mut().zip(batch) {
            event.raw = raw;
        }
        outcome
    }

    fn append_until_known(&mut self, batch: &[RawEvent]) -> Result<(), AppendError> {
        let mut pause = Duration::from_millis(5);
        let mut maybe_written = false;
        loop {
            let outcome = match batch.is_empty() {
                true => self.store.confirm(&self.log, self.head),
                false => self.store.append(&self.log, self.head, batch),
            };
            let cause = match outcome {
                Err(AppendError::Unknown(cause)) => cause,
                // A refusal of the resend says nothing of what was sent before; a head that stands does.
                Err(AppendError::Refused(refused))
                    if maybe_written && self.store.confirm(&self.log, self.head).is_err() =>
                {
                    refused.to_string()
                }
                other => return other,
            };
            tracing::warn!(log = %self.log, error = %cause, "append.unknown");
            maybe_written = true;
            self.down = true;
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    fn decide(
        &mut self,
        orders: &[(Order, Timestamp)],
        now: Timestamp,
        given_up: Option<&GivenUp>,
    ) -> (Draft, Vec<Decided>) {
        // A bid and whom it outbids.
        let mut draft = Draft { events: Vec::with_capacity(2 * orders.len()), bytes: 0, time: self.time };
        let mut decided = Vec::with_capacity(orders.len());
        if orders.is_empty() {
            self.due(now.max(draft.time), &mut draft);
        }
        for (order, entered) in orders {
            if self.is_full(&draft) {
                break;
            }
            if given_up.is_some_and(|given_up| given_up.on(*entered)) {
                decided.push(Decided::Unavailable(WAITED_TOO_LONG));
                continue;
            }
            let at = (*entered).max(draft.time);
            if !self.due(at, &mut draft) {
                break;
            }
            let Some(one) = self.decide_one(order, at, &mut draft) else { break };
            decided.push(one);
        }
        (draft, decided)
    }

    fn is_full(&self, draft: &Draft) -> bool {
        let limits = self.store.limits();
        // A command may make a thousand events of a kilobyte: it must still fit.
        draft.events.len() + COMMAND_EVENTS_MAX > limits.batch_events && !draft.events.is_empty()
            || draft.bytes > limits.batch_bytes / 2 && !draft.events.is_empty()
    }

    /// Whether the batch is more than the store takes. What has just been decided is then taken back, where it is not
    /// all of the batch: it comes first in the next one.
    fn overflows(&mut self, draft: &mut Draft, before: Before) -> bool {
        let limits = self.store.limits();
        let fits = draft.events.len() <= limits.batch_events && draft.bytes <= limits.batch_bytes;
        if fits || before.events == 0 {
            return false;
        }
        self.state.roll_back(before.state);
        draft.events.truncate(before.events);
        (draft.bytes, draft.time) = (before.bytes, before.time);
        true
    }

    fn before(&self, draft: &Draft) -> Before {
        Before { state: self.state.mark(), events: draft.events.len(), bytes: draft.bytes, time: draft.time }
    }

    /// What is due by `at`, the earliest first. Whether all of it fitted, and more would.
    fn due(&mut self, at: Timestamp, draft: &mut Draft) -> bool {
        while !self.is_full(draft) {
            let Some(due) = self.state.next_deadline().filter(|due| *due <= at) else { return true };
            let late = due < self.up_since || at - due > LATE;
            let source = (self.draw)().source();
            let ctx = Ctx { now: at, actor: Actor::System, ids: IdSource::new(at.0, source.word(b"ids")) };
            let before = self.before(draft);
            let Some(events) = decide::execute_due(&mut self.state, late, &ctx) else { return true };
            let facts = Facts {
                actor: Actor::System,
                key: None,
                correlation: source.command_id(),
                causation: None,
                source: None,
                trace: None,
                time: at,
                salt: [0; 16],
            };
            self.record(events, 0, facts, &source, draft);
            if self.overflows(draft, before) {
                return false;
            }
        }
        false
    }

    /// `None`: its events do not fit beside those that are there.
    fn decide_one(&mut self, order: &Order, at: Timestamp, draft: &mut Draft) -> Option<Decided> {
        if let Some(key) = order.key {
            match self.keys.find(key.hash, at, &*self.older) {
                Ok(Some(seen)) if seen.fingerprint == key.fingerprint => {
                    return Some(Decided::Replayed { first: seen.first, events: seen.events });
                }
                Ok(Some(seen)) => return Some(Decided::Refused(Refusal::KeyReused { first_seen_at: seen.at })),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(log = %self.log, %error, "writer.keys_unreadable");
                    return Some(Decided::Unavailable("Earlier idempotency keys cannot be looked up now; try again."));
                }
            }
        }
        let source = order.entropy.source();
        let ids = IdSource::new(at.0, source.word(b"ids"));
        let ctx = Ctx { now: at, actor: order.actor.clone(), ids };
        let before = self.before(draft);
        let outcome = match decide::execute(&mut self.state, &order.command, &ctx) {
            Ok(outcome) => outcome,
            Err(refusal) => return Some(Decided::Refused(refusal)),
        };
        let start = draft.events.len();
        let asked = outcome.asked.len();
        // The key answers for all of it: what followed by itself stands behind what was asked.
        let count = (asked + outcome.followed.len()) as u32;
        let mark = |key: Key| KeyMark { hash: key.hash, fingerprint: key.fingerprint, events: count };
        let facts = Facts {
            actor: order.actor.clone(),
            key: order.key.map(mark),
            correlation: order.id,
            causation: order.causation,
            source: order.source.clone(),
            trace: order.trace.clone(),
            time: at,
            salt: [0; 16],
        };
        if outcome.followed.is_empty() {
            self.record(outcome.asked, 0, facts, &source, draft);
        } else {
            // Nobody is named for what the platform did to others, though it belongs to the same command.
            let followed = Facts { actor: Actor::System, key: None, causation: None, source: None, ..facts.clone() };
            self.record(outcome.asked, 0, facts, &source, draft);
            self.record(outcome.followed, asked, followed, &source, draft);
        }
        if self.overflows(draft, before) {
            return None;
        }
        if let (Some(key), Some(first)) = (order.key, draft.events.get(start)) {
            let seen = Seen { first: first.seq, events: count, fingerprint: key.fingerprint, at };
            self.keys.note(key.hash, seen);
        }
        Some(Decided::Done(start..draft.events.len()))
    }

    /// Chains a command's events to the draft, of which it has made `before` already. The key stands on the
    /// first of them.
    fn record(&mut self, events: Vec<Event>, before: usize, facts: Facts, source: &Source, draft: &mut Draft) {
        let mut key = facts.key;
        for (index, event) in (before..).zip(events) {
            let head = draft.events.last().map_or(self.head, |last| Some(last.raw.head()));
            let facts = Facts { key: key.take(), salt: source.salt(index as u32), ..facts.clone() };
            let sealed = Recorded::seal(&self.log, Head::next(head), &Head::link(head), event, facts);
            draft.bytes += sealed.raw.size();
            draft.time = draft.time.max(sealed.time);
            draft.events.push(sealed);
        }
    }
}

/// Of the largest command: a closing with its thousand bidders, and all that may follow from it (selections, rounds and
/// their opening bids, each bounded: `domain::decide`).
const COMMAND_EVENTS_MAX: usize = 4_500;

/// An error and its causes, for one log line.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
