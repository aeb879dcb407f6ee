//! Acknowledged events that a writer of this process hands over, so that who folds them (history, snapshots) neither
//! reads nor parses nor checks them again.
//!
//! It promises nothing but that what it gives follows without a gap: what does not fit is left out, and the
//! log has it. So a reader that is far behind costs a bounded queue and its own reading, and a log that nobody takes
//! from costs nothing.

use domain::log::{LogName, Seq};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::recorded::Recorded;

/// Of one log: some twenty megabytes, and half a second of the fastest log.
const EVENTS_MAX: usize = 16_384;

/// For one reader.
#[derive(Default)]
pub struct Handed {
    /// Of the logs that were taken from.
    logs: Mutex<BTreeMap<LogName, VecDeque<Arc<Recorded>>>>,
}

impl Handed {
    // What is held here is changed in single steps: a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LogName, VecDeque<Arc<Recorded>>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Consecutive events of one log. They are left out where nobody has taken from it yet, where they do not follow
    /// those that wait, and where they are too many.
    pub fn put(&self, events: &[Arc<Recorded>]) {
        let Some(first) = events.first() else { return };
        let mut logs = self.lock();
        let Some(waiting) = logs.get_mut(&first.log) else { return };
        let follows = waiting.back().is_none_or(|last| last.seq + 1 == first.seq);
        if follows && waiting.len() + events.len() <= EVENTS_MAX {
            waiting.extend(events.iter().cloned());
        }
    }

    /// At most `max` events from `next` on; none where the log has to be read for it. From the first time on, what
    /// comes is kept until it is taken or forgotten.
    pub fn take(&self, log: &LogName, next: Seq, max: usize) -> Vec<Arc<Recorded>> {
        let mut logs = self.lock();
        let Some(waiting) = logs.get_mut(log) else {
            logs.insert(log.clone(), VecDeque::new());
            return Vec::new();
        };
        while waiting.front().is_some_and(|event| event.seq < next) {
            waiting.pop_front();
        }
        if waiting.front().is_none_or(|event| event.seq != next) {
            return Vec::new();
        }
        waiting.drain(..max.min(waiting.len())).collect()
    }

    /// Whatever waits is read from the log instead, and nothing is kept until somebody takes again.
    pub fn forget(&self, log: &LogName) {
        self.lock().remove(log);
    }

    /// [`Handed::forget`], of every log.
    pub fn clear(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{life, main_log};

    #[test]
    fn what_it_gives_follows_without_a_gap() {
        let main = main_log();
        let all: Vec<Arc<Recorded>> = life().recorded[&main].iter().cloned().map(Arc::new).collect();
        let handed = Handed::default();
        let seqs = |next, max| handed.take(&main, next, max).iter().map(|event| event.seq).collect::<Vec<_>>();
        let nothing: [Seq; 0] = [];
        handed.put(&all[..2]);
        assert_eq!(seqs(0, 9), nothing, "nobody had asked yet");
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
        handed.put(&all[4..6]);
        assert_eq!(seqs(4, 9), nothing, "nobody asks any more");
    }

    #[test]
    fn it_is_bounded() {
        let mut event = life().recorded[&main_log()][0].clone();
        let handed = Handed::default();
        assert!(handed.take(&main_log(), 0, 1).is_empty());
        for seq in 0..2 * EVENTS_MAX as Seq {
            event.seq = seq;
            handed.put(&[Arc::new(event.clone())]);
        }
        assert_eq!(handed.take(&main_log(), 0, usize::MAX).len(), EVENTS_MAX);
    }
}
