//! A node's way to the store: every call may spring a trap, an append takes one of the faults that wait, and
//! what the writer must take from its answers about the store's health is written down for the auditor.

use crate::house::{House, lock};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, Weak};
use store::backend::{AppendError, EventStore, Limits, ReadError};
use store::clock::{Clock, TurnedClock};
use store::keys::{KEPT, OldKeys, Seen, Unfindable};
use store::memory::MemoryStore;
use store::raw::{Head, RawEvent};
use store::recorded::{KeyMark, Recorded};

pub struct Wire {
    house: Weak<House>,
    store: MemoryStore,
    node: usize,
    clock: Arc<TurnedClock>,
    store_is: Mutex<StoreIs>,
}

impl Wire {
    pub fn new(house: &Arc<House>, node: usize, clock: Arc<TurnedClock>) -> Wire {
        let store = house.store.node(node + 1);
        Wire { house: Arc::downgrade(house), store, node, clock, store_is: Mutex::default() }
    }
    fn house(&self) -> Arc<House> {
        self.house.upgrade().expect("the house outlives its nodes")
    }
    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let house = self.house();
        house.springs(self.node, false);
        let answer = call();
        house.springs(self.node, true);
        answer
    }
    /// With the store lost and found again, what fell due before is late.
    fn watch(
        &self,
        log: &LogName,
        is_append: bool,
        write: impl FnOnce() -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let (before, length) = (*lock(&self.store_is), self.house().length(log));
        let answer = write();
        let after = match (&answer, before) {
            (Err(AppendError::Unknown(_)), _) => StoreIs::Unsure,
            (Err(AppendError::Refused(_)), StoreIs::Unsure) => StoreIs::Doubted,
            (Err(AppendError::Refused(_)), _) => StoreIs::Lost,
            // The writer only asks whether the batch before the refusal was written.
            (_, StoreIs::Doubted) if !is_append => StoreIs::Lost,
            (Ok(()), _) => StoreIs::There,
            (Err(_), before) => before,
        };
        *lock(&self.store_is) = after;
        if before != StoreIs::There || after != StoreIs::There {
            self.house().up(log, self.clock.now(), length);
        }
        answer
    }
}

/// As the writer must take it from the answers that it had.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum StoreIs {
    #[default]
    There,
    Lost,
    /// The last append may have been written.
    Unsure,
    /// And then the resend was refused.
    Doubted,
}

impl EventStore for Wire {
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
        self.call(|| {
            self.watch(log, true, || {
                self.house().takes_a_fault(log);
                self.store.append(log, expected, batch)
            })
        })
    }
    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.call(|| self.watch(log, false, || self.store.confirm(log, expected)))
    }
    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        self.call(|| self.store.read(log, from, max))
    }
    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        self.call(|| self.store.read_at(log, seqs))
    }
}

/// Keys that have fallen out of a writer's memory, looked up in the log itself.
pub struct OnTheLog {
    pub store: MemoryStore,
    pub log: LogName,
}

impl OldKeys for OnTheLog {
    fn find(&self, hash: u128, within: RangeInclusive<Seq>, now: Timestamp) -> Result<Option<Seen>, Unfindable> {
        let raw = self.store.read(&self.log, 0, usize::MAX >> 1).map_err(|error| Unfindable(error.to_string()))?;
        let text = format!("\"hash\":\"{hash:032x}\"");
        let mut asked = raw.into_iter().rev().filter(|raw| within.contains(&raw.seq));
        let named = asked.find(|raw| String::from_utf8_lossy(&raw.envelope).contains(&text));
        let event = named.map(|raw| Recorded::open(&self.log, raw).expect("what was written reads"));
        Ok(event.filter(|event| now - event.time < KEPT).and_then(|event| {
            let KeyMark { fingerprint, events, .. } = event.key?;
            Some(Seen { first: event.seq, events, fingerprint, at: event.time })
        }))
    }
}
