//! The thread that keeps history up to date: woken by the writer, or every `POLL`, it follows every log of
//! the store from its checkpoint, slice by slice. What writers hand over it folds as it is; what they did
//! not, or what does not follow, it reads from the log.
//!
//! It promises short transactions (at most 250 ms, so readers and `rebuild` get in between), that no log
//! waits for another, and to say where it stands: `status`. A full disk, or a store that does not answer,
//! is waited for. An event that cannot be applied stops its log, loudly, until a rebuild or a restart;
//! the other logs go on.

use super::{History, HistoryError, follow, lock};
use crate::handed::Handed;
use domain::ids::Subject;
use domain::log::{LogName, Seq};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::backend::EventStore;
use store::raw::Head;
use store::recorded::Recorded;

/// Other processes' events are found by asking.
const POLL: Duration = Duration::from_millis(100);
/// From the beginning of one slice to that of the next: one transaction of many events costs far less than
/// many of few. Nobody waits for it: trails read the log's tail themselves, and whoever waits for rows ends it.
const GATHER: Duration = Duration::from_millis(100);
/// A slice aims at this, to stay below 250 ms when the machine is busy.
const SLICE: Duration = Duration::from_millis(100);
const EVENTS_MIN: usize = 64;
const EVENTS_MAX: usize = 16_384;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    pub checkpoint: Option<Head>,
    /// Events that the log has and history has not.
    pub lag: u64,
    pub trouble: Option<Trouble>,
}

/// Why a log is not followed at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Every cause, outermost first.
    pub what: String,
    /// Whether somebody has to look; otherwise it is tried again by itself.
    pub stopped: bool,
    pub seq: Option<Seq>,
    pub subject: Option<Subject>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub logs: BTreeMap<LogName, LogStatus>,
    /// The store itself does not say which logs it has.
    pub store: Option<String>,
}

impl Status {
    /// Whether every log is followed.
    pub fn is_well(&self) -> bool {
        self.store.is_none() && self.logs.values().all(|log| log.trouble.is_none())
    }
}

/// Follows until it is stopped or dropped.
pub struct Projector {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    history: Arc<History>,
    store: Arc<dyn EventStore>,
    handed: Handed,
    status: Mutex<Status>,
}

impl Projector {
    /// Errors: the thread cannot be started.
    pub fn start(history: Arc<History>, store: Arc<dyn EventStore>) -> std::io::Result<Projector> {
        let shared = Shared { history, store, handed: Handed::default(), status: Mutex::default() };
        let shared = Arc::new(shared);
        let runner = Runner::new(shared.clone());
        let thread = std::thread::Builder::new().name("history".into()).spawn(move || runner.run())?;
        Ok(Projector { shared, thread: Some(thread) })
    }

    /// Takes over consecutive acknowledged events of one log. Never blocks, and never waits for the folding.
    pub fn publish(&self, events: &[Arc<Recorded>]) {
        let Some(last) = events.last() else { return };
        // At the start writers tell their whole logs.
        if self.shared.history.checkpoint(&last.log).is_none_or(|known| known.head.seq < last.seq) {
            self.shared.handed.put(events);
            self.wake();
        }
    }

    /// There may be events that nobody handed over. Never blocks; many calls are one.
    pub fn wake(&self) {
        self.shared.history.bell.ring();
    }

    pub fn status(&self) -> Status {
        lock(&self.shared.status).clone()
    }

    /// Ends after the slice at hand.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.history.bell.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the history projector had panicked");
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread remembers between rounds.
struct Runner {
    shared: Arc<Shared>,
    /// Logs that wait for somebody to look.
    stopped: BTreeSet<LogName>,
    /// Of the file in which they stopped: a rebuilt one starts them again.
    generation: u64,
    events_max: usize,
    backoff: Duration,
    /// When the last slice began that had any event, or failed.
    folded: Instant,
}

impl Runner {
    fn new(shared: Arc<Shared>) -> Runner {
        let generation = shared.history.generation();
        Runner {
            shared,
            stopped: BTreeSet::new(),
            generation,
            events_max: 1_024,
            backoff: BACKOFF_MIN,
            folded: Instant::now(),
        }
    }

    fn run(mut self) {
        let bell = &self.shared.clone().history.bell;
        loop {
            let round = self.round();
            // What comes after idleness is folded at once, and what follows it gathers.
            let end = self.folded + GATHER;
            let goes_on = match round {
                Round::More => !bell.is_stopped(),
                Round::Soon => bell.gather(end),
                // Whoever wakes now is served by the round that follows.
                Round::Idle => bell.sleep(POLL) && bell.gather(end),
                Round::Wait => {
                    self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
                    bell.sleep(self.backoff) && bell.gather(end)
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// One slice of each log that has more.
    fn round(&mut self) -> Round {
        let (history, store) = (self.shared.history.clone(), self.shared.store.clone());
        if history.generation() != self.generation {
            self.generation = history.generation();
            self.stopped.clear();
            // What waits may have been lost by the store, which is why the file was rebuilt.
            self.shared.handed.clear();
        }
        let mut logs: BTreeSet<LogName> = match store.logs() {
            Ok(logs) => logs.into_iter().collect(),
            Err(error) => {
                lock(&self.shared.status).store = Some(chain(&error));
                return Round::Wait;
            }
        };
        lock(&self.shared.status).store = None;
        // A log that history knows and the store does not is a fork: the slice finds out.
        logs.extend(history.checkpoints().into_keys());
        let mut round = Round::Idle;
        for log in logs {
            if self.stopped.contains(&log) {
                self.report(&log, None);
                continue;
            }
            let (begun, events_max) = (Instant::now(), self.events_max);
            match self.slice(&log) {
                Ok(events) => {
                    if events > 0 {
                        self.folded = begun;
                    }
                    self.adapt(events, begun.elapsed());
                    if self.report(&log, Some(None)) && matches!(round, Round::Idle | Round::Soon) {
                        round = if events == events_max { Round::More } else { Round::Soon };
                    }
                }
                Err(error) => {
                    self.folded = begun;
                    let stopped = !error.passes();
                    if stopped {
                        tracing::error!(log = %log, "history stopped following: {}", chain(&error));
                        self.stopped.insert(log.clone());
                    } else {
                        // Said once: whoever reads wakes us, and a full disk is found full each time.
                        if !self.waits_already(&log) {
                            tracing::warn!(log = %log, "history waits: {}", chain(&error));
                        }
                        round = Round::Wait;
                    }
                    let subject = if let HistoryError::Apply { subject, .. } = &error { *subject } else { None };
                    let trouble = Trouble { what: chain(&error), stopped, seq: follow::place(&error), subject };
                    self.report(&log, Some(Some(trouble)));
                }
            }
        }
        if !matches!(round, Round::Wait) {
            self.backoff = BACKOFF_MIN;
        }
        round
    }

    /// Folds what was handed over, or what the log has.
    fn slice(&self, log: &LogName) -> Result<usize, HistoryError> {
        let history = &*self.shared.history;
        let next = Head::next(history.checkpoint(log).map(|checkpoint| checkpoint.head));
        let events = self.shared.handed.take(log, next, self.events_max);
        if !events.is_empty() {
            match history.project_handed(log, &events, self.generation) {
                Ok(()) => return Ok(events.len()),
                Err(full @ HistoryError::Full { .. }) => return Err(full),
                // Whatever is wrong with them, the log decides, and says it better.
                Err(_) => self.shared.handed.forget(log),
            }
        }
        follow::slice(history, &*self.shared.store, log, self.events_max, None)
    }

    fn waits_already(&self, log: &LogName) -> bool {
        lock(&self.shared.status).logs.get(log).is_some_and(|status| status.trouble.is_some())
    }

    /// Larger slices while they are quick, smaller ones when they are not.
    fn adapt(&mut self, events: usize, took: Duration) {
        if took > SLICE {
            self.events_max = (self.events_max / 2).max(EVENTS_MIN);
        } else if events == self.events_max && took < SLICE / 3 {
            self.events_max = (self.events_max * 2).min(EVENTS_MAX);
        }
    }

    /// Notes where the log stands; `trouble`: `None` leaves it as it is. Gives whether there is more.
    fn report(&self, log: &LogName, trouble: Option<Option<Trouble>>) -> bool {
        let checkpoint = self.shared.history.checkpoint(log).map(|checkpoint| checkpoint.head);
        let mut status = lock(&self.shared.status);
        let old = status.logs.remove(log);
        let trouble = trouble.unwrap_or_else(|| old.as_ref().and_then(|old| old.trouble.clone()));
        // A head that cannot be read says nothing new about the lag.
        let lag = match self.shared.store.head(log) {
            Ok(head) => Head::next(head).saturating_sub(Head::next(checkpoint)),
            Err(_) => old.map_or(0, |old| old.lag),
        };
        status.logs.insert(log.clone(), LogStatus { checkpoint, lag, trouble });
        lag > 0
    }
}

enum Round {
    /// Some log has more than one slice takes: go on at once.
    More,
    /// Some log has more, which may gather.
    Soon,
    Idle,
    /// Something has to pass first.
    Wait,
}

/// An error with all its causes, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
