//! A bounded map in two generations: what was asked for lately stays, the rest goes in one piece.
//!
//! Promises: never more weight than twice a generation's limit, and no bookkeeping on a hit in the young
//! generation. Not here: expiry, which is the caller's (a token's `exp`), and locks.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// The limit is in whatever unit the caller weighs its entries in.
#[derive(Debug)]
pub(crate) struct TwoGenerations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_weight: usize,
    generation_max: usize,
}

impl<K: Hash + Eq, V: Clone> TwoGenerations<K, V> {
    pub(crate) fn new(generation_max: usize) -> TwoGenerations<K, V> {
        TwoGenerations { young: HashMap::new(), old: HashMap::new(), young_weight: 0, generation_max }
    }

    /// An entry of the old generation that is asked for becomes young again.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, weight)) = self.old.remove_entry(key)?;
        self.insert(key, value.clone(), weight);
        Some(value)
    }

    /// An entry heavier than a whole generation is not kept.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        if weight > self.generation_max {
            return;
        }
        if self.young_weight + weight > self.generation_max {
            self.old = std::mem::take(&mut self.young);
            self.young_weight = 0;
        }
        self.young_weight += weight;
        if let Some((_, replaced)) = self.young.insert(key, (value, weight)) {
            self.young_weight -= replaced;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut cache = TwoGenerations::new(10);
        cache.insert("hot", 0, 1);
        for cold in 1..1_000 {
            cache.insert(Box::leak(format!("cold {cold}").into_boxed_str()), cold, 1);
            assert_eq!(cache.get("hot"), Some(0));
            assert!(cache.young.len() + cache.old.len() <= 20);
        }
        assert_eq!(cache.get("cold 1"), None);
        assert_eq!(cache.get("cold 999"), Some(999));
    }

    #[test]
    fn weight_is_bounded_and_replacing_is_not_adding() {
        let mut cache = TwoGenerations::new(10);
        cache.insert("giant", 1, 11);
        assert_eq!(cache.get("giant"), None);
        for round in 0..100 {
            cache.insert("same", round, 4);
        }
        assert_eq!(cache.get("same"), Some(99));
        assert!(cache.young_weight <= 10);
    }
}
