//! Every recorded bid by its id.
//!
//! Ids begin with their time, so a bid nearly always comes after all others: it is pushed to the end of a short run.
//! A run that is full is put away whole, and runs are found by where they begin. So recording costs a push, also
//! among millions of bids, and never stops to move all of them, as a hash map does when it grows.

use crate::ids::BidId;
use crate::state::Bid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Bids of a run that begins; one that gets late arrivals is split at twice that.
const RUN: usize = 128;

#[derive(Clone, Debug, Default)]
pub struct Bids {
    /// By a lower bound of what each holds. In order, none empty, all before `last`.
    runs: BTreeMap<BidId, Run>,
    last: Run,
    len: usize,
}

/// In order of id.
type Run = Vec<(BidId, Bid)>;

fn place(run: &Run, id: BidId) -> Result<usize, usize> {
    run.binary_search_by(|(known, _)| known.cmp(&id))
}

impl Bids {
    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, id: BidId) -> Option<&Bid> {
        let run = match self.last.first() {
            Some((first, _)) if *first <= id => &self.last,
            _ => self.runs.range(..=id).next_back()?.1,
        };
        place(run, id).ok().map(|at| &run[at].1)
    }

    /// In order of id.
    pub fn iter(&self) -> impl Iterator<Item = &(BidId, Bid)> {
        self.runs.values().chain([&self.last]).flatten()
    }

    /// A bid that was not there.
    pub(crate) fn insert(&mut self, id: BidId, bid: Bid) {
        self.len += 1;
        let end = self.last.last().or_else(|| self.runs.values().next_back()?.last());
        if end.is_none_or(|(end, _)| *end < id) {
            if self.last.len() == RUN {
                let full = std::mem::replace(&mut self.last, Run::with_capacity(RUN));
                self.runs.insert(full[0].0, full);
            }
            self.last.push((id, bid));
            return;
        }
        if self.last.first().is_some_and(|(first, _)| *first < id) {
            let at = place(&self.last, id).expect_err("an id is given once");
            self.last.insert(at, (id, bid));
            return;
        }
        // It came late: into the run that it falls in.
        let Some((_, run)) = self.runs.range_mut(..=id).next_back() else {
            self.runs.insert(id, vec![(id, bid)]);
            return;
        };
        let at = place(run, id).expect_err("an id is given once");
        run.insert(at, (id, bid));
        if run.len() == 2 * RUN {
            let rest = run.split_off(RUN);
            self.runs.insert(rest[0].0, rest);
        }
    }

    pub(crate) fn remove(&mut self, id: BidId) -> Option<Bid> {
        let bid = match self.last.first() {
            Some((first, _)) if *first <= id => self.last.remove(place(&self.last, id).ok()?).1,
            _ => {
                let (begin, run) = self.runs.range_mut(..=id).next_back()?;
                let bid = run.remove(place(run, id).ok()?).1;
                if run.is_empty() {
                    let begin = *begin;
                    self.runs.remove(&begin);
                }
                bid
            }
        };
        self.len -= 1;
        Some(bid)
    }
}

impl Serialize for Bids {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}
impl<'de> Deserialize<'de> for Bids {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Bids, D::Error> {
        let rows = Vec::<(BidId, Bid)>::deserialize(d)?;
        if !rows.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(serde::de::Error::custom("bids stand in order of their ids"));
        }
        let mut bids = Bids::default();
        for (id, bid) in rows {
            bids.insert(id, bid);
        }
        Ok(bids)
    }
}

/// The same bids: how they lie in runs is an accident.
impl PartialEq for Bids {
    fn eq(&self, other: &Bids) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AgentId, AuctionId};
    use proptest::prelude::*;
    use std::collections::btree_map::Entry;

    fn bid(n: u128) -> Bid {
        Bid { auction: AuctionId(n), agent: AgentId(n + 1), before: None }
    }

    proptest! {
        /// As a plain map does, whether bids come in order, late, or go in any order.
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0u128..3_000, 0u8..8), 1..2_000)) {
            let mut bids = Bids::default();
            let mut map = BTreeMap::new();
            let mut time = 0;
            for (n, kind) in steps {
                // Most come at the end; some late; some go.
                let id = if kind < 5 { time += 1; BidId(10_000 + time) } else { BidId(n * 5) };
                if kind == 7 {
                    let id = map.range(id..).next().map_or(id, |(id, _)| *id);
                    prop_assert_eq!(bids.remove(id), map.remove(&id));
                } else if let Entry::Vacant(place) = map.entry(id) {
                    place.insert(bid(n));
                    bids.insert(id, bid(n));
                }
                prop_assert_eq!(bids.get(id), map.get(&id));
                prop_assert_eq!(bids.len(), map.len());
            }
            prop_assert!(bids.iter().map(|(id, bid)| (id, bid)).eq(map.iter()));
            let read: Bids = serde_json::from_str(&serde_json::to_string(&bids).unwrap()).unwrap();
            prop_assert!(read == bids);
            let mut anew = Bids::default();
            map.iter().rev().for_each(|(id, bid)| anew.insert(*id, *bid));
            prop_assert!(anew == bids);
            for id in map.keys() {
                prop_assert!(bids.remove(*id).is_some());
                prop_assert!(bids != anew);
            }
            prop_assert!(bids.is_empty() && bids.runs.is_empty());
        }
    }
}
