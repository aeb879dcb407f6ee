//! What an offer promises: skills, terms, allocation and the rules of its auctions.

use super::enums::{AuctionDirection, AuctionFormat, RoutingPolicy};
use super::money::{Money, at_exponent};
use crate::graphql::scalars::{CurrencyCode, DateTime, Decimal, Duration};
use async_graphql::{SimpleObject, Union};
use domain::terms;

#[derive(SimpleObject, Clone, Debug)]
pub struct Terms {
    version: String,
    url: String,
}

impl From<&terms::ConsentText> for Terms {
    fn from(text: &terms::ConsentText) -> Terms {
        Terms { version: text.version.clone(), url: text.url.clone() }
    }
}

#[derive(SimpleObject, Clone, Debug)]
pub struct Skill {
    name: String,
    level: i32,
}

impl From<&domain::topic::Skill> for Skill {
    fn from(skill: &domain::topic::Skill) -> Skill {
        Skill { name: skill.name.to_string(), level: i32::from(skill.level) }
    }
}

#[derive(Union, Clone, Debug)]
pub enum Allocation {
    Claim(ClaimRules),
    Routed(RoutedRules),
    Auction(AuctionRules),
}

impl Allocation {
    /// `shows_reserve`: also where it is hidden.
    pub(crate) fn of(allocation: &terms::Allocation, shows_reserve: bool) -> Allocation {
        match allocation {
            terms::Allocation::Claim { direction, price } => {
                Allocation::Claim(ClaimRules { price: price.map(Money::from), direction: (*direction).into() })
            }
            terms::Allocation::Routed { direction, policy, price } => Allocation::Routed(RoutedRules {
                price: price.map(Money::from),
                direction: (*direction).into(),
                policy: (*policy).into(),
            }),
            terms::Allocation::Auction(rules) => Allocation::Auction(AuctionRules::of(rules, shows_reserve)),
        }
    }
}

/// Agents select the inquiry from the queue themselves; selecting it opens the session.
#[derive(SimpleObject, Clone, Debug)]
pub struct ClaimRules {
    price: Option<Money>,
    direction: AuctionDirection,
}

/// The platform selects an available agent with the skills, who must consent in time.
#[derive(SimpleObject, Clone, Debug)]
pub struct RoutedRules {
    price: Option<Money>,
    direction: AuctionDirection,
    policy: RoutingPolicy,
}

/// Agents bid against each other for the right to assist; the winner must consent in time.
#[derive(SimpleObject, Clone, Debug)]
pub struct AuctionRules {
    direction: AuctionDirection,
    format: AuctionFormat,
    currency: CurrencyCode,
    /// Floor (FORWARD) or ceiling (REVERSE, required). Null to all but provider and operator while hidden.
    reserve: Option<Money>,
    reserve_hidden: bool,
    starting_price: Option<Money>,
    buy_now: Option<Money>,
    rounds: i32,
    increment: Vec<IncrementStep>,
    open_for: Duration,
    soft_close: Option<Duration>,
    hard_close: Option<Duration>,
}

impl AuctionRules {
    pub(crate) fn of(rules: &terms::AuctionRules, shows_reserve: bool) -> AuctionRules {
        let money = |amount| Money::of(amount, rules.currency);
        let step = |step: &terms::IncrementStep| IncrementStep {
            from: at_exponent(step.from, rules.currency),
            by: at_exponent(step.by, rules.currency),
        };
        AuctionRules {
            direction: rules.direction.into(),
            format: rules.format.into(),
            currency: CurrencyCode(rules.currency.to_string()),
            reserve: rules.reserve.filter(|_| shows_reserve || !rules.reserve_hidden).map(money),
            reserve_hidden: rules.reserve_hidden,
            starting_price: rules.starting_price.map(money),
            buy_now: rules.buy_now.map(money),
            rounds: i32::try_from(rules.rounds).unwrap_or(i32::MAX),
            increment: rules.increment.iter().map(step).collect(),
            open_for: Duration(rules.open_for),
            soft_close: rules.soft_close.map(Duration),
            hard_close: rules.hard_close.map(Duration),
        }
    }
}

/// From this amount upward the increment is `by`.
#[derive(SimpleObject, Clone, Debug)]
pub struct IncrementStep {
    from: Decimal,
    by: Decimal,
}

/// What an agent would pay (FORWARD) or take (REVERSE) for a topic without being asked: the price under BEST_VALUE, the
/// maximum in PROXY auctions.
#[derive(SimpleObject, Clone, Debug)]
pub struct StandingValue {
    topic: String,
    direction: AuctionDirection,
    value: Money,
    valid_until: Option<DateTime>,
}

impl From<&domain::state::StandingValue> for StandingValue {
    fn from(value: &domain::state::StandingValue) -> StandingValue {
        StandingValue {
            topic: value.topic.to_string(),
            direction: value.direction.into(),
            value: value.value.into(),
            valid_until: value.valid_until.map(DateTime),
        }
    }
}

/// From `after` on an inquiry asks less of agents. Time in an auction or before an agent does not count, as for `maxWait`.
#[derive(SimpleObject, Clone, Debug)]
pub struct RelaxationRing {
    /// Of waiting.
    after: Duration,
    /// So much lower is each level than at first, and 1 at least.
    lower_levels: i32,
    /// The skills that the inquiry's topics name are not asked for, unless the offer or a queue asks for them itself.
    any_topic: bool,
}

impl From<&domain::terms::RelaxationRing> for RelaxationRing {
    fn from(ring: &domain::terms::RelaxationRing) -> RelaxationRing {
        let lower_levels = i32::try_from(ring.lower_levels).unwrap_or(i32::MAX);
        RelaxationRing { after: Duration(ring.after), lower_levels, any_topic: ring.any_topic }
    }
}
