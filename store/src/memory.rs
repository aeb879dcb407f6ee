//! Logs in memory, for tests: as strict as the others, and able to fail on demand. Any number of
//! writers may share it, each with a handle that tells the hook who calls.
//!
//! Nothing here survives the process, and nothing here is fast: it is read by people.

use crate::backend::{AppendError, EventStore, Limits, ReadError, Refused, Verdict, judge};
use crate::raw::{Head, RawEvent};
use domain::log::{LogName, Seq};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A handle on shared logs. Clones share them.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    node: usize,
}

struct Shared {
    limits: Limits,
    state: Mutex<State>,
    hook: RwLock<Option<Hook>>,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<LogName, Vec<RawEvent>>,
    faults: HashMap<LogName, VecDeque<Fault>>,
}

type Hook = Arc<dyn Fn(Call<'_>) + Send + Sync>;

/// What goes wrong at one append. Faults of a log wait in a queue; every append takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// All is well this time: for a fault at a later append.
    Nothing,
    Conflict,
    RefusedFull,
    /// The answer is `Unknown`, and nothing was written.
    UnknownNotWritten,
    /// The batch is taken as ever, and where that is `Ok` the answer is `Unknown`.
    UnknownWritten,
    /// The answer is `Broken`, and nothing was written.
    Broken,
    /// Before the append the log loses so many of its last events, like a restored copy.
    DropTail(usize),
}

/// A call that is about to happen, as the hook sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The handle that calls: see `MemoryStore::node`.
    pub node: usize,
    pub log: &'a LogName,
    pub kind: CallKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    Head,
    Append,
    Confirm,
    Read,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::with_limits(Limits { batch_bytes: 8 << 20, batch_events: 10_000, event_bytes: 4 << 20 })
    }
    pub fn with_limits(limits: Limits) -> MemoryStore {
        let shared = Shared { limits, state: Mutex::default(), hook: RwLock::default() };
        MemoryStore { shared: Arc::new(shared), node: 0 }
    }
    /// Another handle on the same logs, whose calls the hook sees under this number.
    pub fn node(&self, node: usize) -> MemoryStore {
        MemoryStore { shared: self.shared.clone(), node }
    }
    /// Adds faults for the next appends to this log, whoever calls; a confirmation takes none.
    pub fn inject(&self, log: &LogName, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.entry(log.clone()).or_default().extend(faults);
    }
    /// Takes away the last events of a log, now.
    pub fn drop_tail(&self, log: &LogName, count: usize) {
        self.state().drop_tail(log, count);
    }
    /// Calls `hook` before every later call, with nothing locked: it may append through another
    /// handle, or wait until another thread has. It sees the calls that it makes, too.
    pub fn on_call(&self, hook: impl Fn(Call<'_>) + Send + Sync + 'static) {
        *self.shared.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    fn before(&self, log: &LogName, kind: CallKind) {
        let hook = self.shared.hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(Call { node: self.node, log, kind });
        }
    }
    // A test that panics in one thread should not hide its message behind another's lock error.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl State {
    fn events(&self, log: &LogName) -> &[RawEvent] {
        self.logs.get(log).map_or(&[], Vec::as_slice)
    }
    fn head(&self, log: &LogName) -> Option<Head> {
        self.events(log).last().map(RawEvent::head)
    }
    fn drop_tail(&mut self, log: &LogName, count: usize) {
        if let Some(events) = self.logs.get_mut(log) {
            events.truncate(events.len().saturating_sub(count));
        }
    }
    fn judge(&self, log: &LogName, expected: Option<Head>, last: Option<Head>) -> Verdict {
        let events = self.events(log);
        let hash_at = |seq: Seq| Ok::<_, std::convert::Infallible>(event_at(events, seq).map(|event| event.hash));
        match judge(expected, last, self.head(log), hash_at) {
            Ok(verdict) => verdict,
            Err(never) => match never {},
        }
    }
    fn append(&mut self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        match self.judge(log, expected, batch.last().map(RawEvent::head)) {
            Verdict::Fits => self.logs.entry(log.clone()).or_default().extend_from_slice(batch),
            Verdict::Repeated => {}
            Verdict::Fails(error) => return Err(error),
        }
        Ok(())
    }
}

impl EventStore for MemoryStore {
    fn limits(&self) -> Limits {
        self.shared.limits
    }

    fn logs(&self) -> Result<Vec<LogName>, ReadError> {
        let state = self.state();
        Ok(state.logs.iter().filter(|(_, events)| !events.is_empty()).map(|(log, _)| log.clone()).collect())
    }

    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError> {
        self.before(log, CallKind::Head);
        Ok(self.state().head(log))
    }

    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        self.shared.limits.check(expected, batch)?;
        self.before(log, CallKind::Append);
        let mut state = self.state();
        let fault = state.faults.get_mut(log).and_then(VecDeque::pop_front).unwrap_or(Fault::Nothing);
        match fault {
            Fault::Nothing => state.append(log, expected, batch),
            Fault::Conflict => Err(AppendError::Conflict),
            Fault::RefusedFull => Err(Refused::Full.into()),
            Fault::UnknownNotWritten => Err(AppendError::Unknown("injected; nothing was written".into())),
            Fault::UnknownWritten => {
                state.append(log, expected, batch)?;
                Err(AppendError::Unknown("injected; the batch was written".into()))
            }
            Fault::Broken => Err(AppendError::Broken("injected".into())),
            Fault::DropTail(count) => {
                state.drop_tail(log, count);
                state.append(log, expected, batch)
            }
        }
    }

    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.before(log, CallKind::Confirm);
        match self.state().judge(log, expected, None) {
            Verdict::Fits | Verdict::Repeated => Ok(()),
            Verdict::Fails(error) => Err(error),
        }
    }

    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        self.before(log, CallKind::Read);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.state().events(log).iter().skip(from).take(max).cloned().collect())
    }

    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        self.before(log, CallKind::Read);
        let state = self.state();
        let events = state.events(log);
        let find = |&seq| event_at(events, seq).cloned().ok_or(ReadError::Missing { log: log.clone(), seq });
        seqs.iter().map(find).collect()
    }
}

fn event_at(events: &[RawEvent], seq: Seq) -> Option<&RawEvent> {
    events.get(usize::try_from(seq).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, events};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn conforms() {
        conformance::run(&|| Arc::new(MemoryStore::new()));
    }

    #[test]
    fn faults_are_taken_in_order_one_an_append() {
        let (store, log) = (MemoryStore::new(), LogName::community());
        let batch = events(None, &["a"]);
        let head = batch.last().map(RawEvent::head);
        store.inject(&log, [Fault::Nothing, Fault::Conflict, Fault::RefusedFull, Fault::UnknownNotWritten]);
        store.inject(&log, [Fault::Broken, Fault::UnknownWritten]);
        assert_eq!(store.append(&log, None, &batch), Ok(()));
        let next = events(head, &["b"]);
        assert_eq!(store.append(&log, head, &next), Err(AppendError::Conflict));
        assert_eq!(store.append(&log, head, &next), Err(Refused::Full.into()));
        assert!(matches!(store.append(&log, head, &next), Err(AppendError::Unknown(_))));
        assert!(matches!(store.append(&log, head, &next), Err(AppendError::Broken(_))));
        assert_eq!(store.confirm(&log, head), Ok(()), "nothing was written so far");
        assert!(matches!(store.append(&log, head, &next), Err(AppendError::Unknown(_))));
        assert_eq!(store.append(&log, head, &next), Ok(()), "the resend finds its batch");
        assert_eq!(store.read(&log, 0, 9).unwrap(), [batch, next].concat());
    }

    #[test]
    fn a_lost_tail_is_a_fork_until_the_writer_starts_from_it() {
        let (store, log) = (MemoryStore::new(), LogName::community());
        let batch = events(None, &["a", "b", "c"]);
        store.append(&log, None, &batch).unwrap();
        store.inject(&log, [Fault::DropTail(2)]);
        let head = batch.last().map(RawEvent::head);
        let found = Some(batch[0].head());
        assert_eq!(store.append(&log, head, &events(head, &["d"])), Err(AppendError::Fork { found }));
        assert_eq!(store.append(&log, found, &events(found, &["e"])), Ok(()));
    }

    #[test]
    fn the_hook_lets_one_writer_in_before_the_other() {
        let (store, log) = (MemoryStore::new(), LogName::community());
        let (first, second) = (store.node(1), store.node(2));
        let done = AtomicBool::new(false);
        store.on_call(move |call| {
            if call.node == 1 && call.kind == CallKind::Append && !done.swap(true, Ordering::SeqCst) {
                second.append(call.log, None, &events(None, &["second"])).unwrap();
            }
        });
        assert_eq!(first.append(&log, None, &events(None, &["first"])), Err(AppendError::Conflict));
        assert_eq!(&*first.read(&log, 0, 1).unwrap()[0].data, br#""second""#);
    }
}
