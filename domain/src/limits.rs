//! What a provider bounds of its offer: how many of its inquiries are open at once, and what the acceptances of one
//! day (UTC) may cost it.
//!
//! It promises that neither is ever above its bound: an acceptance takes a place, and reserves the most that it may
//! cost, before it stands; the inquiry's end gives back the place and what was not spent. What was accepted while the
//! offer had neither limit is not counted: its end tells nobody, so that offers without limits cost nothing.
//!
//! Deliberately not here: who brings the ends from the call servers (a process manager), and what an inquiry costs.

use crate::currency::Currency;
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

/// What is taken of an offer's limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Inquiries that were counted and have not ended.
    pub open: u32,
    /// The latest with an acceptance that may cost anything.
    pub day: i64,
    /// What the acceptances of that day have cost, or may still cost: one sum for each currency that the offer had then,
    /// so that changing it to and fro begins no budget anew.
    pub spent: Vec<Money>,
}

impl Used {
    fn spent_on(&self, day: i64, currency: Currency) -> Decimal {
        let sum = self.spent.iter().filter(|_| self.day == day).find(|sum| sum.currency() == currency);
        sum.map_or(Decimal::ZERO, |sum| sum.amount())
    }

    /// Whether one more is within the limits. Which of them is in the way is for those to know who see the offer's limits;
    /// to everybody else it takes nobody now.
    pub fn admits(&self, terms: &OfferTerms, now: Timestamp, sees_limits: bool) -> Result<(), Refusal> {
        let reached = |message: &'static str| Refusal::LimitReached {
            message: if sees_limits { message } else { "The offer takes no more inquiries now; try again later." },
        };
        if terms.max_open.is_some_and(|most| self.open >= most) {
            let message =
                "As many inquiries of this offer are open as its provider allows; try again when one has ended.";
            return Err(reached(message));
        }
        if let (Some(budget), Some(most)) = (terms.daily_budget, terms.most_it_costs())
            && self.spent_on(day_of(now), most.currency()) + most.amount() > budget.amount()
        {
            return Err(reached("The offer's budget for today is used up; try again tomorrow."));
        }
        Ok(())
    }

    /// One more is accepted at `now`, which may cost `reserved`.
    pub fn take(&mut self, reserved: Option<Money>, now: Timestamp) {
        self.open += 1;
        if let Some(reserved) = reserved {
            let day = day_of(now);
            if self.day != day {
                self.day = day;
                self.spent.clear();
            }
            self.add(reserved, reserved.amount());
        }
    }

    /// One that was accepted on `day` has ended. Of another day than the latest nothing is known any more, and nothing
    /// asked.
    pub fn give_back(&mut self, day: i64, reserved: Option<Money>, spent: Option<Money>) {
        self.open = self.open.saturating_sub(1);
        if let Some(reserved) = reserved.filter(|_| day == self.day) {
            self.add(reserved, spent.map_or(Decimal::ZERO, |spent| spent.amount()) - reserved.amount());
        }
    }

    fn add(&mut self, currency_of: Money, amount: Decimal) {
        let currency = currency_of.currency();
        let sum = self.spent_on(self.day, currency) + amount;
        let sum = Money::new(sum, currency).expect("sums of amounts at the exponent stay at it");
        self.spent.retain(|other| other.currency() != currency);
        self.spent.push(sum);
    }
}
