//! Who waits for an agent: unsold inquiries with rounds left, and routed ones that nobody is asked about, each in
//! an index of its own, by what they demand of an agent.
//!
//! It promises that an agent who became free finds what it can serve without looking at what it cannot.
//! Whatever strangers put there that nobody is skilled in costs the search as many steps as there are
//! subject matters, not as many as there are inquiries.
//!
//! Whom a provider blocks passes over that provider's inquiries one by one: a list for each provider would cost every
//! agent as many steps as there are providers, to spare the few who are blocked.
//!
//! Deliberately not here: who may bid. The index narrows down; `agent::eligible` says it.

use crate::ids::{InquiryId, ProviderId};
use crate::state::{Agent, Inquiry};
use crate::time::Timestamp;
use crate::topic::{Skill, Topic, covers};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

/// What an inquiry demands of an agent, whoever it is and whenever. In order of skills, so that all that
/// begins with a missing skill is passed over in one step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Demanded {
    /// Each skill once, in order of name.
    skills: Arc<[(Topic, u8)]>,
    /// Agents affiliated with this provider may not take it.
    independent_of: Option<ProviderId>,
}

/// Above every level: behind all demands of a skill.
const BEHIND: u8 = u8::MAX;

impl Demanded {
    fn by(inquiry: &Inquiry) -> Demanded {
        let mut skills: Vec<(Topic, u8)> =
            inquiry.desired_skills.iter().map(|skill| (skill.name.clone(), skill.level)).collect();
        skills.sort();
        let independent_of = inquiry.terms.independent_agents_only.then_some(inquiry.provider);
        Demanded { skills: skills.into(), independent_of }
    }

    /// Where the next demand may stand that `agent` fits, if it is not this one: past all that begin with the
    /// first skill it lacks.
    fn past_what_lacks(&self, agent: &Agent) -> Option<Demanded> {
        let lacks = |(name, level): &(Topic, u8)| {
            !covers(&agent.skills, std::slice::from_ref(&Skill { level: *level, name: name.clone() }))
        };
        let at = self.skills.iter().position(lacks)?;
        let mut skills = self.skills[..=at].to_vec();
        skills[at].1 = BEHIND;
        Some(Demanded { skills: skills.into(), independent_of: None })
    }
}

/// An inquiry's turn: by its place in its queues, then by id.
type Turn = (Timestamp, InquiryId);

/// Where an inquiry waits: what takes its place back, and gives it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    demanded: Demanded,
    turn: Turn,
}

impl Place {
    pub(crate) fn of(id: InquiryId, inquiry: &Inquiry) -> Place {
        Place { demanded: Demanded::by(inquiry), turn: (inquiry.stands_at, id) }
    }
    pub(crate) fn inquiry(&self) -> InquiryId {
        self.turn.1
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// No list is empty.
    turns: BTreeMap<Demanded, BTreeSet<Turn>>,
    places: BTreeMap<InquiryId, Place>,
}

impl Waiting {
    pub fn len(&self) -> usize {
        self.places.len()
    }
    pub(crate) fn contains(&self, id: InquiryId) -> bool {
        self.places.contains_key(&id)
    }
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether it did not wait before.
    pub(crate) fn insert(&mut self, place: Place) -> bool {
        self.turns.entry(place.demanded.clone()).or_default().insert(place.turn);
        self.places.insert(place.inquiry(), place).is_none()
    }

    pub(crate) fn remove(&mut self, id: InquiryId) -> Option<Place> {
        let place = self.places.remove(&id)?;
        if let Some(turns) = self.turns.get_mut(&place.demanded) {
            turns.remove(&place.turn);
            if turns.is_empty() {
                self.turns.remove(&place.demanded);
            }
        }
        Some(place)
    }

    /// Those whose demand the agent meets, in their order.
    pub(crate) fn fitting(&self, agent: &Agent) -> impl Iterator<Item = InquiryId> {
        let mut lists: Vec<_> = self.lists(agent).into_iter().map(BTreeSet::iter).collect();
        let mut heads: BinaryHeap<Reverse<(Turn, usize)>> = BinaryHeap::new();
        for (number, list) in lists.iter_mut().enumerate() {
            heads.extend(list.next().map(|turn| Reverse((*turn, number))));
        }
        std::iter::from_fn(move || {
            let Reverse((turn, number)) = heads.pop()?;
            heads.extend(lists[number].next().map(|turn| Reverse((*turn, number))));
            Some(turn.1)
        })
    }

    fn lists(&self, agent: &Agent) -> Vec<&BTreeSet<Turn>> {
        let mut found = Vec::new();
        let mut from: Bound<Demanded> = Bound::Unbounded;
        while let Some((demanded, turns)) = self.turns.range((from, Bound::Unbounded)).next() {
            from = match demanded.past_what_lacks(agent) {
                Some(next) => Bound::Included(next),
                None => {
                    if demanded.independent_of.is_none() || demanded.independent_of != agent.affiliated_with {
                        found.push(turns);
                    }
                    Bound::Excluded(demanded.clone())
                }
            };
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::agent::Will;
    use crate::topic::SKILL_LEVEL_MAX;
    use proptest::prelude::*;

    fn agent(skills: &[(&str, u8)], affiliated_with: Option<ProviderId>) -> Agent {
        let skills: Vec<Skill> =
            skills.iter().map(|(name, level)| Skill { level: *level, name: name.parse().unwrap() }).collect();
        Agent {
            number: 1,
            will: Will::Available,
            skills: skills.into(),
            capacity: 1,
            location: "Graz".into(),
            affiliated_with,
            reserved: 0,
            sessions: 0,
            wrap_ups: 0,
            conferences: 0,
            rounds_at: None,
            present_until: None,
            worked_at: Timestamp(0),
            selected: 0,
            values: Arc::new([]),
            blocked_by: Arc::new([]),
            blocks: Arc::new([]),
            strikes: Arc::new([]),
            barred_until: None,
        }
    }

    fn place(id: u128, accepted_at: i64, skills: &[(&str, u8)], independent_of: Option<ProviderId>) -> Place {
        let skills = skills.iter().map(|(name, level)| (name.parse().unwrap(), *level)).collect::<BTreeSet<_>>();
        let demanded = Demanded { skills: skills.into_iter().collect(), independent_of };
        Place { demanded, turn: (Timestamp(accepted_at), InquiryId(id)) }
    }

    fn found(waiting: &Waiting, agent: &Agent) -> Vec<u128> {
        waiting.fitting(agent).map(|id| id.0).collect()
    }

    #[test]
    fn what_fits_comes_in_the_order_of_acceptance_whatever_it_demands() {
        let mut waiting = Waiting::default();
        for place in [
            place(1, 9, &[("help", 1)], None),
            place(2, 3, &[("cards", 1), ("help", 1)], None),
            place(3, 5, &[("help", 1)], Some(ProviderId(7))),
            place(4, 1, &[("help", 2)], None),
            place(5, 2, &[], None),
            place(6, 4, &[("cards/lost", 1)], None),
            place(7, 0, &[("cars", 1)], None),
        ] {
            assert!(waiting.insert(place));
        }
        assert_eq!(found(&waiting, &agent(&[("help", 1)], None)), [5, 3, 1]);
        assert_eq!(found(&waiting, &agent(&[("help", 1), ("cards", 1)], None)), [5, 2, 6, 3, 1]);
        assert_eq!(found(&waiting, &agent(&[("help", 2)], Some(ProviderId(7)))), [4, 5, 1]);
        assert_eq!(found(&waiting, &agent(&[], None)), [5]);
        for id in 1..=7 {
            assert_eq!(waiting.remove(InquiryId(id)).map(|place| place.inquiry()), Some(InquiryId(id)));
        }
        assert!(waiting.remove(InquiryId(1)).is_none() && waiting == Waiting::default(), "nothing is left behind");
    }

    const NAMES: [&str; 6] = ["a", "a/b", "a/b/c", "b", "c", "c/a"];

    fn skills(levels: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Vec<(&'static str, u8)>> {
        proptest::collection::btree_map(proptest::sample::select(&NAMES[..]), levels, 0..4)
            .prop_map(|skills| skills.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_that_fits_is_passed_over_and_nothing_else_is_found(
            all in proptest::collection::vec((skills(1..=SKILL_LEVEL_MAX), 0i64..5, proptest::option::of(0u128..2)), 0..40),
            has in skills(1..=SKILL_LEVEL_MAX),
            with in proptest::option::of(0u128..2),
        ) {
            let agent = agent(&has, with.map(ProviderId));
            let mut waiting = Waiting::default();
            let mut fitting = vec![];
            for (id, (skills, accepted_at, provider)) in all.iter().enumerate() {
                waiting.insert(place(id as u128, *accepted_at, skills, provider.map(ProviderId)));
                let wanted: Vec<Skill> =
                    skills.iter().map(|(name, level)| Skill { level: *level, name: name.parse().unwrap() }).collect();
                if covers(&agent.skills, &wanted) && (provider.is_none() || *provider != with) {
                    fitting.push((*accepted_at, id as u128));
                }
            }
            fitting.sort_unstable();
            prop_assert_eq!(found(&waiting, &agent), fitting.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
        }
    }
}
