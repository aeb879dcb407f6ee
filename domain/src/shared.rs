//! What many rows say alike, kept once: inquiries of one offer have its terms, its rules and mostly its skills.
//!
//! It promises equal values and nothing else: a row holds the same whether what it shares was known before or not.
//! So it is no part of the state, is not taken back, and may forget at any time. It matters to bids: what ten
//! thousand auctions share stays near the processor, what each has for itself does not.

use crate::ids::OfferId;
use crate::terms::{AuctionRules, OfferTerms};
use crate::topic::Skill;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Offers that are remembered at most; then it begins anew.
const OFFERS_MAX: usize = 1_024;

/// Of each offer, what its last inquiry had.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    terms: BTreeMap<OfferId, Arc<OfferTerms>>,
    rules: BTreeMap<OfferId, Arc<AuctionRules>>,
    skills: BTreeMap<OfferId, Arc<[Skill]>>,
}

impl Shared {
    pub(crate) fn terms(&mut self, offer: OfferId, terms: &OfferTerms) -> Arc<OfferTerms> {
        known(&mut self.terms, offer, terms, || Arc::new(terms.clone()))
    }
    pub(crate) fn rules(&mut self, offer: OfferId, rules: &AuctionRules) -> Arc<AuctionRules> {
        known(&mut self.rules, offer, rules, || Arc::new(rules.clone()))
    }
    pub(crate) fn skills(&mut self, offer: OfferId, skills: &[Skill]) -> Arc<[Skill]> {
        known(&mut self.skills, offer, skills, || skills.into())
    }
}

fn known<T: PartialEq + ?Sized>(
    map: &mut BTreeMap<OfferId, Arc<T>>,
    offer: OfferId,
    value: &T,
    make: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    if let Some(known) = map.get(&offer)
        && **known == *value
    {
        return known.clone();
    }
    if map.len() >= OFFERS_MAX {
        map.clear();
    }
    let made = make();
    map.insert(offer, made.clone());
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_kept_once_and_others_never_taken_for_them() {
        let skill = |name: &str| Skill { level: 1, name: name.parse().unwrap() };
        let mut shared = Shared::default();
        let cards = shared.skills(OfferId(1), &[skill("cards")]);
        assert!(Arc::ptr_eq(&cards, &shared.skills(OfferId(1), &[skill("cards")])));
        assert_eq!(*shared.skills(OfferId(1), &[skill("loans")]), [skill("loans")]);
        assert_eq!(*shared.skills(OfferId(1), &[skill("cards")]), *cards);
        for offer in 2..3 * OFFERS_MAX as u128 {
            assert_eq!(*shared.skills(OfferId(offer), &[skill("cards")]), *cards);
        }
        assert!(shared.skills.len() <= OFFERS_MAX);
    }
}
