//! The window of idempotency keys: which command appended which events, for 24 h of event time.
//!
//! Two generations of a bounded number of keys stand in memory. What falls out is found through
//! [`OldKeys`] (history's key index and the log's tail), asked only where an in-memory filter says
//! "maybe", so a key that was never seen costs no I/O.
//!
//! A snapshot keeps a [`KeyTrace`] of them: enough to say "maybe", so that a writer that starts from it asks
//! [`OldKeys`] for what it did not see itself.
//!
//! Deliberately not here: answers. A replayed command is answered from the log.

use crate::recorded::Recorded;
use domain::log::Seq;
use domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// After this much event time a key is free again.
pub const KEPT: Span = Span::days(1);

/// Where the events of a keyed command stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first one.
    pub first: Seq,
    pub events: u32,
    pub fingerprint: u64,
    pub at: Timestamp,
}

/// Keys of the last 24 h that the window does not hold any more.
pub trait OldKeys: Send + Sync {
    /// The key's command in this log, of the 24 h before `now`; may answer an older one.
    fn find(&self, hash: u128, now: Timestamp) -> Result<Option<Seen>, Unfindable>;
}

/// The index of old keys cannot be asked now, so whether the key is new is not known.
#[derive(Debug, thiserror::Error)]
#[error("the index of idempotency keys cannot be read: {0}")]
pub struct Unfindable(pub String);

/// A Bloom filter of one generation: ten bits and four probes a key let about one stranger in eighty pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Filter {
    bits: Vec<u64>,
    /// The newest key's time: the filter is dropped 24 h after it.
    newest: Timestamp,
}

const BITS_PER_KEY: usize = 10;
const PROBES: u32 = 4;

impl Filter {
    fn of(keys: impl ExactSizeIterator<Item = u64>, newest: Timestamp) -> Filter {
        let words = (keys.len() * BITS_PER_KEY).div_ceil(64).max(1);
        let mut filter = Filter { bits: vec![0; words], newest };
        for key in keys {
            for probe in 0..PROBES {
                let bit = filter.bit(key, probe);
                filter.bits[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }
    /// Keys are hashes already: their halves make the probes.
    fn bit(&self, key: u64, probe: u32) -> usize {
        let (low, high) = (key, key.rotate_left(32));
        (low.wrapping_add(u64::from(probe).wrapping_mul(high | 1)) % (self.bits.len() as u64 * 64)) as usize
    }
    fn maybe(&self, hash: u128) -> bool {
        (0..PROBES).all(|probe| {
            let bit = self.bit(short(hash), probe);
            self.bits[bit / 64] & (1 << (bit % 64)) != 0
        })
    }
}

/// What a filter knows of a key.
fn short(hash: u128) -> u64 {
    hash as u64
}

/// The keys of the last 24 h of event time, as a snapshot keeps them: eight bytes a key, and ten bits of those
/// before the last million. It follows from the log alone, whatever was snapshot before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyTrace {
    /// Of a million keys each, oldest first.
    full: Vec<Filter>,
    /// The keys since, by the hour, oldest first.
    hours: Vec<Hour>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hour {
    number: i64,
    newest: Timestamp,
    keys: Vec<u64>,
}

/// Keys that a trace holds one by one.
const TRACED: usize = 1_000_000;

impl KeyTrace {
    /// Takes over an event of the log.
    pub fn replay(&mut self, event: &Recorded) {
        if let Some(key) = event.key {
            self.note(key.hash, event.time);
        }
    }

    fn note(&mut self, hash: u128, at: Timestamp) {
        let number = at.0.div_euclid(Span::minutes(60).0);
        match self.hours.last_mut().filter(|hour| hour.number == number) {
            Some(hour) => {
                hour.keys.push(short(hash));
                hour.newest = at;
            }
            None => {
                self.hours.retain(|hour| at - hour.newest < KEPT);
                self.full.retain(|filter| at - filter.newest < KEPT);
                self.hours.push(Hour { number, newest: at, keys: vec![short(hash)] });
            }
        }
        if self.len() >= TRACED {
            self.full.extend(self.filter());
            self.hours.clear();
        }
    }

    fn len(&self) -> usize {
        self.hours.iter().map(|hour| hour.keys.len()).sum()
    }

    fn filter(&self) -> Option<Filter> {
        let newest = self.hours.last()?.newest;
        let keys: Vec<u64> = self.hours.iter().flat_map(|hour| &hour.keys).copied().collect();
        Some(Filter::of(keys.into_iter(), newest))
    }
}

pub struct KeyWindow {
    generation_max: usize,
    young: HashMap<u128, Seen>,
    old: HashMap<u128, Seen>,
    /// Of generations that fell out, oldest first.
    gone: Vec<Filter>,
    /// Keys of the batch that is not acknowledged yet.
    unacknowledged: Vec<u128>,
}

impl KeyWindow {
    /// Holds up to twice `generation_max` keys.
    pub fn new(generation_max: usize) -> KeyWindow {
        KeyWindow {
            generation_max,
            young: HashMap::new(),
            old: HashMap::new(),
            gone: Vec::new(),
            unacknowledged: Vec::new(),
        }
    }

    /// A window that saw none of these keys itself.
    pub fn after(trace: &KeyTrace, generation_max: usize) -> KeyWindow {
        let gone = trace.full.iter().cloned().chain(trace.filter()).collect();
        KeyWindow { gone, ..KeyWindow::new(generation_max) }
    }

    /// The command that used this key within 24 h before `now`.
    pub fn find(&self, hash: u128, now: Timestamp, older: &dyn OldKeys) -> Result<Option<Seen>, Unfindable> {
        let found = match self.young.get(&hash).or_else(|| self.old.get(&hash)) {
            Some(seen) => Some(*seen),
            None if self.gone.iter().any(|filter| filter.maybe(hash)) => older.find(hash, now)?,
            None => None,
        };
        Ok(found.filter(|seen| now - seen.at < KEPT))
    }

    /// Notes a command that was just decided; `roll_back` forgets it, `acknowledge` keeps it.
    pub fn note(&mut self, hash: u128, seen: Seen) {
        self.young.insert(hash, seen);
        self.unacknowledged.push(hash);
    }

    /// Keys of the rejected batch are free again. A key noted anew after its 24 h loses its old entry too,
    /// which no longer counted.
    pub fn roll_back(&mut self) {
        for hash in self.unacknowledged.drain(..) {
            self.young.remove(&hash);
        }
    }

    pub fn acknowledge(&mut self, now: Timestamp) {
        self.unacknowledged.clear();
        if self.young.len() >= self.generation_max {
            let fallen = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            if !fallen.is_empty() {
                let newest = fallen.values().map(|seen| seen.at).max().unwrap_or(now);
                self.gone.push(Filter::of(fallen.keys().map(|hash| short(*hash)), newest));
            }
            self.gone.retain(|filter| now - filter.newest < KEPT);
        }
    }

    /// Takes over an event that the log holds, at start or from another writer.
    pub fn replay(&mut self, event: &Recorded) {
        if let Some(key) = event.key {
            let seen = Seen { first: event.seq, events: key.events, fingerprint: key.fingerprint, at: event.time };
            self.young.insert(key.hash, seen);
            self.acknowledge(event.time);
        }
    }
}

/// For logs whose window never rotates, such as a replay's.
pub struct NoOldKeys;

impl OldKeys for NoOldKeys {
    fn find(&self, _: u128, _: Timestamp) -> Result<Option<Seen>, Unfindable> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Index(Mutex<HashMap<u128, Seen>>);
    impl OldKeys for Index {
        fn find(&self, hash: u128, _: Timestamp) -> Result<Option<Seen>, Unfindable> {
            Ok(self.0.lock().unwrap().get(&hash).copied())
        }
    }

    /// Hashes as SHA-256 makes them: spread over all bits.
    fn hash(n: u64) -> u128 {
        use sha2::Digest;
        u128::from_be_bytes(sha2::Sha256::digest(n.to_be_bytes())[..16].try_into().unwrap())
    }
    fn seen(n: u64, at: i64) -> Seen {
        Seen { first: n, events: 1, fingerprint: n, at: Timestamp(at) }
    }

    #[test]
    fn a_key_is_found_in_the_window_and_through_the_index_until_a_day_is_over() {
        let index = Index(Mutex::default());
        let mut window = KeyWindow::new(10);
        for n in 0..100 {
            window.note(hash(n), seen(n, n as i64));
            index.0.lock().unwrap().insert(hash(n), seen(n, n as i64));
            window.acknowledge(Timestamp(n as i64));
        }
        for n in 0..100 {
            assert_eq!(window.find(hash(n), Timestamp(100), &index).unwrap(), Some(seen(n, n as i64)), "{n}");
            let last = Timestamp(n as i64 + KEPT.0 - 1);
            assert!(window.find(hash(n), last, &index).unwrap().is_some());
            assert_eq!(window.find(hash(n), Timestamp(last.0 + 1), &index).unwrap(), None);
        }
        let strangers = (1_000..2_000).filter(|n| window.gone.iter().any(|filter| filter.maybe(hash(*n)))).count();
        assert!(strangers < 300, "{strangers} of 1000 unknown keys would ask the index");
    }

    #[test]
    fn a_window_after_a_trace_asks_the_index_for_what_the_trace_saw_within_a_day() {
        let index = Index(Mutex::default());
        let mut trace = KeyTrace::default();
        let minute = Span::minutes(1).0;
        for n in 0..2_000 {
            trace.note(hash(n), Timestamp(n as i64 * minute));
            index.0.lock().unwrap().insert(hash(n), seen(n, n as i64 * minute));
        }
        let now = Timestamp(2_000 * minute);
        let window = KeyWindow::after(&trace, 10);
        for n in 0..2_000 {
            let young = now.0 - (n as i64 * minute) < KEPT.0;
            let expected = young.then(|| seen(n, n as i64 * minute));
            assert_eq!(window.find(hash(n), now, &index).unwrap(), expected, "{n}");
        }
        assert!(trace.len() <= 25 * 60, "what is older than a day leaves by the hour: {}", trace.len());
        let strangers = (10_000..20_000).filter(|n| window.gone.iter().any(|filter| filter.maybe(hash(*n)))).count();
        assert!(strangers < 300, "{strangers} of 10000 unknown keys would ask the index");
    }

    #[test]
    fn a_full_trace_says_maybe_of_every_key() {
        let mut trace = KeyTrace::default();
        for n in 0..TRACED as u64 + 5 {
            trace.note(hash(n), Timestamp(n as i64));
        }
        assert_eq!((trace.full.len(), trace.len()), (1, 5));
        let window = KeyWindow::after(&trace, 10);
        let known = |n: &u64| window.gone.iter().any(|filter| filter.maybe(hash(*n)));
        assert!((0..TRACED as u64 + 5).all(|n| known(&n)));
        let strangers = (5_000_000..5_010_000u64).filter(known).count();
        assert!(strangers < 400, "{strangers} of 10000 unknown keys would ask the index");
    }

    #[test]
    fn a_rejected_batch_frees_its_keys() {
        let mut window = KeyWindow::new(10);
        window.note(hash(1), seen(1, 1));
        window.roll_back();
        assert_eq!(window.find(hash(1), Timestamp(2), &NoOldKeys).unwrap(), None);
    }
}
