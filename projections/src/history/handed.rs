//! Acknowledged events that a writer of this process hands over, so that the projector neither reads nor parses
//! nor checks them again.
//!
//! It promises nothing but that what it gives follows without a gap: what does not fit is left out, and the
//! log has it. So a projector that is far behind costs a bounded queue and its own reading.

use super::lock;
use domain::log::{LogName, Seq};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use store::recorded::Recorded;

/// Of one log: some thirty megabytes.
const EVENTS_MAX: usize = 32_768;

#[derive(Default)]
pub(super) struct Handed {
    logs: Mutex<BTreeMap<LogName, VecDeque<Arc<Recorded>>>>,
}

impl Handed {
    /// Consecutive events of one log. They are left out where they do not follow those that wait, or are too many.
    pub(super) fn put(&self, events: &[Arc<Recorded>]) {
        let Some(first) = events.first() else { return };
        let mut logs = lock(&self.logs);
        let waiting = match logs.get_mut(&first.log) {
            Some(waiting) => waiting,
            None => logs.entry(first.log.clone()).or_default(),
        };
        let follows = waiting.back().is_none_or(|last| last.seq + 1 == first.seq);
        if follows && waiting.len() + events.len() <= EVENTS_MAX {
            waiting.extend(events.iter().cloned());
        }
    }

    /// At most `max` events from `next` on; none where the log has to be read for it.
    pub(super) fn take(&self, log: &LogName, next: Seq, max: usize) -> Vec<Arc<Recorded>> {
        let mut logs = lock(&self.logs);
        let Some(waiting) = logs.get_mut(log) else { return Vec::new() };
        while waiting.front().is_some_and(|event| event.seq < next) {
            waiting.pop_front();
        }
        if waiting.front().is_none_or(|event| event.seq != next) {
            return Vec::new();
        }
        waiting.drain(..max.min(waiting.len())).collect()
    }

    /// Whatever waits is read from the log instead.
    pub(super) fn forget(&self, log: &LogName) {
        lock(&self.logs).remove(log);
    }
}
