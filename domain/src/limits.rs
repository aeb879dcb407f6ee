//! What a provider bounds of its offer: how many of its inquiries are open at once, and what the acceptances of one
//! day (UTC) may cost it.
//!
//! It promises that neither is ever above its bound: an acceptance takes a place, and reserves the most that it may
//! cost, before it stands; the inquiry's end gives back the place and what was not spent. What was accepted while the
//! offer had neither limit is not counted: its end tells nobody, so that offers without limits cost nothing.
//!
//! Deliberately not here: who brings the ends from the call servers (a process manager), and what an inquiry costs.

use crate::money::Money;
use crate::refusal::Refusal;
use crate::terms::{Allocation, Direction, OfferTerms};
use crate::time::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Days since 1970 (UTC).
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(Span::days(1).0)
}

impl OfferTerms {
    /// Whether its acceptances are counted.
    pub fn is_limited(&self) -> bool {
        self.max_open.is_some() || self.daily_budget.is_some()
    }

    /// The most that one inquiry can cost the provider; absent: nothing.
    pub fn most_it_costs(&self) -> Option<Money> {
        match &self.allocation {
            Allocation::Auction(rules) if rules.direction == Direction::Reverse => {
                rules.reserve.and_then(|ceiling| Money::new(ceiling, rules.currency).ok())
            }
            Allocation::Claim { direction: Direction::Reverse, price }
            | Allocation::Routed { direction: Direction::Reverse, price, .. } => *price,
            Allocation::Auction(_) | Allocation::Claim { .. } | Allocation::Routed { .. } => None,
        }
    }
}

/// What the acceptances of one day have cost, or may still cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    pub day: i64,
    pub amount: Money,
}

/// What is taken of an offer's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Inquiries that were counted and have not ended.
    pub open: u32,
    /// Of the latest day with an acceptance that may cost anything.
    pub spending: Option<Spending>,
}

impl Used {
    /// Of one day and currency.
    fn spent_on(&self, day: i64, zero: Money) -> Decimal {
        let same = |spending: &&Spending| spending.day == day && spending.amount.currency() == zero.currency();
        self.spending.as_ref().filter(same).map_or(Decimal::ZERO, |spending| spending.amount.amount())
    }

    /// Whether one more is within the limits.
    pub fn admits(&self, terms: &OfferTerms, now: Timestamp) -> Result<(), Refusal> {
        if terms.max_open.is_some_and(|most| self.open >= most) {
            return Err(Refusal::LimitReached {
                message: "As many inquiries of this offer are open as its provider allows; try again when one has ended.",
            });
        }
        if let (Some(budget), Some(most)) = (terms.daily_budget, terms.most_it_costs())
            && self.spent_on(day_of(now), most) + most.amount() > budget.amount()
        {
            return Err(Refusal::LimitReached {
                message: "The offer's budget for today is used up; try again tomorrow.",
            });
        }
        Ok(())
    }

    /// One more is accepted at `now`, which may cost `reserved`.
    pub fn take(&mut self, reserved: Option<Money>, now: Timestamp) {
        self.open += 1;
        if let Some(reserved) = reserved {
            let day = day_of(now);
            self.set(day, reserved, self.spent_on(day, reserved) + reserved.amount());
        }
    }

    /// One that was accepted on `day` has ended. Of another day than the latest nothing is known any more, and nothing
    /// asked.
    pub fn give_back(&mut self, day: i64, reserved: Option<Money>, spent: Option<Money>) {
        self.open = self.open.saturating_sub(1);
        let is_latest =
            |one: &Spending, reserved: Money| one.day == day && one.amount.currency() == reserved.currency();
        if let (Some(spending), Some(reserved)) = (self.spending, reserved)
            && is_latest(&spending, reserved)
        {
            let unspent = reserved.amount() - spent.map_or(Decimal::ZERO, Money::amount);
            self.set(day, reserved, spending.amount.amount() - unspent);
        }
    }

    fn set(&mut self, day: i64, currency_of: Money, amount: Decimal) {
        let amount = Money::new(amount, currency_of.currency()).expect("sums of amounts at the exponent stay at it");
        self.spending = Some(Spending { day, amount });
    }
}
