//! Tables that can be taken back. A [`Table`] is a std map with a fixed hasher; every change notes the
//! old row in the state's one [`Journal`], so a batch that the log refuses is undone exactly, and a batch
//! that stands costs one truncation. Persistent maps with an O(1) copy per batch were 18 times slower
//! (docs/adr/0005-undo-journal.md).
//!
//! Deliberately not here: iteration. Nothing whose order is an accident may reach an event.

use crate::state::Undo;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A folded multiplication for each word, with a fixed start. Keys are ids that this house minted, so nobody outside
/// can make them collide; what strangers choose (topics, names) is kept in ordered maps.
#[derive(Clone, Default)]
pub struct FixedHasher(u64);

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl FixedHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }
    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }
    /// An id is random below and has its time and count above: what tells two ids of one command apart does not meet
    /// its counterpart of the other half.
    fn write_u128(&mut self, n: u128) {
        self.mix(n as u64 ^ ((n >> 64) as u64).rotate_left(32));
    }
    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A row of a table: how to note its old value.
pub trait Row: Clone {
    type Key: Copy + Eq + Hash;
    fn undo(key: Self::Key, old: Option<Self>) -> Undo;
}

/// Old rows, newest last.
#[derive(Clone, Default)]
pub struct Journal {
    pub(crate) entries: Vec<Undo>,
}

#[derive(Clone)]
pub struct Table<V: Row> {
    rows: HashMap<V::Key, V, BuildHasherDefault<FixedHasher>>,
}

impl<V: Row> Default for Table<V> {
    fn default() -> Self {
        Table { rows: HashMap::default() }
    }
}

impl<V: Row + PartialEq> PartialEq for Table<V> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

/// In order of keys, so that equal tables are written as equal bytes. The one iteration there is: it reaches a
/// snapshot, and no event.
impl<V: Row + Serialize> Serialize for Table<V>
where
    V::Key: Ord + Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        serializer.collect_seq(rows)
    }
}

impl<'de, V: Row + Deserialize<'de>> Deserialize<'de> for Table<V>
where
    V::Key: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<(V::Key, V)>::deserialize(deserializer)?;
        Ok(Table { rows: rows.into_iter().collect() })
    }
}

impl<V: Row> Table<V> {
    pub fn get(&self, key: V::Key) -> Option<&V> {
        self.rows.get(&key)
    }
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// Whether some row satisfies `test`. The order of asking is an accident and cannot show.
    pub fn any_keyed(&self, mut test: impl FnMut(V::Key, &V) -> bool) -> bool {
        self.rows.iter().any(|(key, row)| test(*key, row))
    }
    /// For what changes no row's value; unnoted. The order is an accident.
    pub(crate) fn each(&mut self, keep: impl FnMut(&mut V)) {
        self.rows.values_mut().for_each(keep);
    }
    pub(crate) fn put(&mut self, journal: &mut Journal, key: V::Key, row: V) {
        let old = self.rows.insert(key, row);
        journal.entries.push(V::undo(key, old));
    }
    /// Changes a row that an earlier event made.
    pub(crate) fn change(&mut self, journal: &mut Journal, key: V::Key, change: impl FnOnce(&mut V)) {
        let row = self.rows.get_mut(&key).expect("an event changes only what an earlier event made");
        journal.entries.push(V::undo(key, Some(row.clone())));
        change(row);
    }
    pub(crate) fn remove(&mut self, journal: &mut Journal, key: V::Key) -> Option<V> {
        let old = self.rows.remove(&key)?;
        journal.entries.push(V::undo(key, Some(old.clone())));
        Some(old)
    }
    /// Changes a row, or puts one there first where there is none.
    pub(crate) fn change_or_put(
        &mut self,
        journal: &mut Journal,
        key: V::Key,
        new: impl FnOnce() -> V,
        change: impl FnOnce(&mut V),
    ) {
        match self.rows.entry(key) {
            Entry::Occupied(known) => {
                let row = known.into_mut();
                journal.entries.push(V::undo(key, Some(row.clone())));
                change(row);
            }
            Entry::Vacant(place) => {
                journal.entries.push(V::undo(key, None));
                change(place.insert(new()));
            }
        }
    }
    /// Changes a row, unnoted: the caller notes it, or puts back what was.
    pub(crate) fn alter<R>(&mut self, key: V::Key, change: impl FnOnce(&mut V) -> R) -> R {
        change(self.rows.get_mut(&key).expect("an event changes only what an earlier event made"))
    }
    /// Puts an old row back, unnoted.
    pub(crate) fn restore(&mut self, key: V::Key, old: Option<V>) {
        match old {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
    }
}
