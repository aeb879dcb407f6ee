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

/// Of one log: some twenty megabytes, and half a second of the fastest log.
const EVENTS_MAX: usize = 16_384;

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

    pub(super) fn clear(&self) {
        lock(&self.logs).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{life, main_log};
    use super::*;

    #[test]
    fn what_it_gives_follows_without_a_gap() {
        let main = main_log();
        let all: Vec<Arc<Recorded>> = life().recorded[&main].iter().cloned().map(Arc::new).collect();
        let handed = Handed::default();
        let seqs = |next, max| handed.take(&main, next, max).iter().map(|event| event.seq).collect::<Vec<_>>();
        let nothing: [Seq; 0] = [];
        handed.put(&all[2..5]);
        assert_eq!(seqs(0, 9), nothing, "what stands before them is not there");
        handed.put(&all[6..8]);
        handed.put(&all[5..6]);
        assert_eq!(seqs(3, 2), [3, 4]);
        assert_eq!(seqs(5, 9), [5], "what did not follow was left out");
        handed.put(&all[7..9]);
        assert_eq!(seqs(6, 9), nothing);
        assert_eq!(seqs(8, 9), [8]);
        handed.put(&all[9..11]);
        assert_eq!(seqs(20, 9), nothing, "the log was read further");
        handed.put(&all[4..6]);
        handed.forget(&main);
        assert_eq!(seqs(4, 9), nothing);
    }

    #[test]
    fn it_is_bounded() {
        let mut event = life().recorded[&main_log()][0].clone();
        let handed = Handed::default();
        for seq in 0..2 * EVENTS_MAX as Seq {
            event.seq = seq;
            handed.put(&[Arc::new(event.clone())]);
        }
        assert_eq!(handed.take(&main_log(), 0, usize::MAX).len(), EVENTS_MAX);
    }
}
