//! What a bid costs, and which bid comes next: arithmetic on amounts of one auction, hence of one
//! currency. No state, no agents.
//!
//! FORWARD and REVERSE mirror each other: "better" is higher or lower, a floor becomes a ceiling, plus
//! becomes minus.

use crate::money::{Money, order};
use crate::terms::{AuctionFormat, AuctionRules, Direction};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// `Less`: `a` is the better bid. Equal amounts are equal here; the earlier recorded one wins.
pub fn by_rank(direction: Direction, a: Decimal, b: Decimal) -> Ordering {
    match direction {
        Direction::Forward => order(b, a),
        Direction::Reverse => order(a, b),
    }
}

/// Whether `a` beats `b`.
pub fn beats(direction: Direction, a: Decimal, b: Decimal) -> bool {
    by_rank(direction, a, b) == Ordering::Less
}

/// Whether `a` is `b` or better. Equal counts: an amount that equals the reserve meets it.
pub fn reaches(direction: Direction, a: Decimal, b: Decimal) -> bool {
    by_rank(direction, a, b) != Ordering::Greater
}

fn better_of(direction: Direction, a: Decimal, b: Decimal) -> Decimal {
    if beats(direction, b, a) { b } else { a }
}

fn worse_of(direction: Direction, a: Decimal, b: Decimal) -> Decimal {
    if beats(direction, b, a) { a } else { b }
}

/// The increment at an amount: of the last step at or under it.
pub fn increment_at(rules: &AuctionRules, amount: Decimal) -> Decimal {
    let step = rules.increment.iter().rev().find(|step| step.from <= amount);
    step.map_or_else(|| Money::smallest(rules.currency).amount(), |step| step.by)
}

/// One increment better than `amount`; REVERSE not below zero, which no bid reaches: there the amount
/// cannot be beaten.
pub fn one_better(rules: &AuctionRules, amount: Decimal) -> Decimal {
    let by = increment_at(rules, amount);
    match rules.direction {
        Direction::Forward => amount + by,
        Direction::Reverse => (amount - by).max(Decimal::ZERO),
    }
}

/// Whether an amount meets the reserve, where there is one.
pub fn meets_reserve(rules: &AuctionRules, amount: Decimal) -> bool {
    rules.reserve.is_none_or(|reserve| reaches(rules.direction, amount, reserve))
}

/// The least (FORWARD) or greatest (REVERSE) first bid: the starting price, else a public reserve, else
/// the smallest amount (FORWARD) or no bound (REVERSE).
pub fn opening(rules: &AuctionRules) -> Option<Decimal> {
    let public = if rules.reserve_hidden { None } else { rules.reserve };
    match rules.direction {
        Direction::Forward => Some(rules.starting_price.or(public).unwrap_or(Money::smallest(rules.currency).amount())),
        Direction::Reverse => rules.starting_price.or(public),
    }
}

/// The least (FORWARD) or greatest (REVERSE) bid that stands, by anyone but a PROXY leader; absent: any.
/// Sealed auctions answer from the rules alone. A bid of `buy_now` always stands.
pub fn next_bound(rules: &AuctionRules, price: Option<Decimal>) -> Option<Decimal> {
    let bound = match (rules.format, price) {
        (AuctionFormat::Open | AuctionFormat::Proxy, Some(price)) => Some(one_better(rules, price)),
        _ => opening(rules),
    };
    match (bound, rules.buy_now) {
        (Some(bound), Some(buy_now)) => Some(worse_of(rules.direction, bound, buy_now)),
        (bound, _) => bound,
    }
}

/// Whether a bidder has the money for a bid. `free`: what its wallet has free, its own hold in this auction
/// included; absent: without limit. REVERSE: the provider pays.
pub fn affords(direction: Direction, free: Option<Decimal>, amount: Decimal) -> bool {
    direction == Direction::Reverse || free.is_none_or(|free| order(free, amount) != Ordering::Less)
}

/// PROXY: what the leader pays. `best` is its maximum, `second` the best maximum of anybody else.
///
/// min(best, second + increment at second); alone: the opening price. A maximum that meets the reserve
/// pays at least the reserve. REVERSE mirrors. Absent: alone, short of a hidden reserve and without an
/// opening price; any number would tell the leader's own.
pub fn proxy_price(rules: &AuctionRules, best: Decimal, second: Option<Decimal>) -> Option<Decimal> {
    let price = second.map(|second| one_better(rules, second)).or_else(|| opening(rules));
    let price = price.map(|price| worse_of(rules.direction, best, price));
    let reserve = rules.reserve.filter(|reserve| reaches(rules.direction, best, *reserve));
    match (price, reserve) {
        (Some(price), Some(reserve)) => Some(better_of(rules.direction, price, reserve)),
        (price, reserve) => price.or(reserve),
    }
}

/// What the first of `ranked` pays: the bids of different agents, best first, of which the first meets the
/// reserve. A bid at or beyond `buy_now` pays `buy_now`, whenever it wins.
pub fn clearing_price(rules: &AuctionRules, ranked: &[Decimal]) -> Decimal {
    let own = ranked[0];
    let second = ranked.get(1).copied();
    if let Some(buy_now) = rules.buy_now
        && reaches(rules.direction, own, buy_now)
    {
        return buy_now;
    }
    match rules.format {
        AuctionFormat::SealedFirstPrice | AuctionFormat::Open => own,
        AuctionFormat::Proxy => proxy_price(rules, own, second).expect("a bid that meets the reserve has a price"),
        AuctionFormat::SealedSecondPrice => {
            match (rules.direction, second.filter(|second| meets_reserve(rules, *second))) {
                (Direction::Forward, second) => {
                    let floors = rules.reserve.into_iter().chain(rules.starting_price);
                    let floor = floors.max().unwrap_or(Money::smallest(rules.currency).amount());
                    second.map_or(floor, |second| second.max(floor))
                }
                (Direction::Reverse, Some(second)) => rules.reserve.map_or(second, |ceiling| second.min(ceiling)),
                // With one valid bid the ceiling would be a gift: first price.
                (Direction::Reverse, None) => own,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::IncrementStep;
    use crate::time::Span;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }
    fn rules(direction: Direction, format: AuctionFormat) -> AuctionRules {
        AuctionRules {
            buy_now: None,
            currency: "USD".parse().unwrap(),
            direction,
            format,
            hard_close: None,
            increment: vec![
                IncrementStep { from: d("0"), by: d("0.05") },
                IncrementStep { from: d("1"), by: d("0.25") },
            ],
            open_for: Span::minutes(1),
            reserve: None,
            reserve_hidden: false,
            rounds: 1,
            soft_close: None,
            starting_price: Some(d("0.50")),
        }
    }

    #[test]
    fn the_increment_is_of_the_step_at_or_under_the_amount() {
        let rules = rules(Direction::Forward, AuctionFormat::Proxy);
        assert_eq!(increment_at(&rules, d("0.99")), d("0.05"));
        assert_eq!(increment_at(&rules, d("1.00")), d("0.25"));
        assert_eq!(increment_at(&rules, d("1.01")), d("0.25"));
        let bare = AuctionRules { increment: vec![], ..rules };
        assert_eq!(increment_at(&bare, d("7")), d("0.01"));
    }

    #[test]
    fn a_proxy_leader_pays_one_increment_over_the_second() {
        let rules = rules(Direction::Forward, AuctionFormat::Proxy);
        assert_eq!(proxy_price(&rules, d("9"), None), Some(d("0.50")));
        assert_eq!(proxy_price(&rules, d("9"), Some(d("5"))), Some(d("5.25")));
        assert_eq!(proxy_price(&rules, d("5.10"), Some(d("5"))), Some(d("5.10")));
        assert_eq!(proxy_price(&rules, d("5"), Some(d("5"))), Some(d("5")));
        let reserved = AuctionRules { reserve: Some(d("7")), reserve_hidden: true, ..rules };
        assert_eq!(proxy_price(&reserved, d("6.99"), Some(d("5"))), Some(d("5.25")));
        assert_eq!(proxy_price(&reserved, d("7"), Some(d("5"))), Some(d("7")));
        assert_eq!(proxy_price(&reserved, d("9"), None), Some(d("7")));
    }

    #[test]
    fn reverse_proxy_mirrors() {
        let rules = AuctionRules {
            reserve: Some(d("20")),
            starting_price: None,
            ..rules(Direction::Reverse, AuctionFormat::Proxy)
        };
        assert_eq!(proxy_price(&rules, d("8"), None), Some(d("20")));
        assert_eq!(proxy_price(&rules, d("8"), Some(d("10"))), Some(d("9.75")));
        assert_eq!(proxy_price(&rules, d("9.90"), Some(d("10"))), Some(d("9.90")));
        assert_eq!(next_bound(&rules, Some(d("9.75"))), Some(d("9.50")));
        assert_eq!(next_bound(&rules, Some(d("0.01"))), Some(d("0")));
    }

    #[test]
    fn alone_a_proxy_leader_never_shows_its_own_amount() {
        let hidden = AuctionRules {
            reserve: Some(d("20")),
            reserve_hidden: true,
            starting_price: None,
            ..rules(Direction::Reverse, AuctionFormat::Proxy)
        };
        assert_eq!(proxy_price(&hidden, d("20.01"), None), None);
        assert_eq!(proxy_price(&hidden, d("20"), None), Some(d("20")));
        assert_eq!(proxy_price(&hidden, d("8"), None), Some(d("20")));
    }

    #[test]
    fn a_second_proxy_maximum_counts_even_short_of_the_reserve() {
        let reserved = AuctionRules { reserve: Some(d("7")), ..rules(Direction::Forward, AuctionFormat::Proxy) };
        assert_eq!(clearing_price(&reserved, &[d("9"), d("6.99")]), d("7.24"));
        let sealed = AuctionRules { format: AuctionFormat::SealedSecondPrice, ..reserved };
        assert_eq!(clearing_price(&sealed, &[d("9"), d("6.99")]), d("7"));
    }

    #[test]
    fn second_price_with_one_valid_bid() {
        let forward =
            AuctionRules { reserve: Some(d("3")), ..rules(Direction::Forward, AuctionFormat::SealedSecondPrice) };
        assert_eq!(clearing_price(&forward, &[d("9")]), d("3"));
        assert_eq!(clearing_price(&forward, &[d("9"), d("4")]), d("4"));
        let unreserved = AuctionRules { reserve: None, ..forward };
        assert_eq!(clearing_price(&unreserved, &[d("9")]), d("0.50"));
        let reverse =
            AuctionRules { reserve: Some(d("20")), ..rules(Direction::Reverse, AuctionFormat::SealedSecondPrice) };
        assert_eq!(clearing_price(&reverse, &[d("8")]), d("8"));
        assert_eq!(clearing_price(&reverse, &[d("8"), d("11")]), d("11"));
    }

    #[test]
    fn buy_now_is_always_a_bid_that_stands() {
        let rules = AuctionRules { buy_now: Some(d("6")), ..rules(Direction::Forward, AuctionFormat::Open) };
        assert_eq!(next_bound(&rules, None), Some(d("0.50")));
        assert_eq!(next_bound(&rules, Some(d("5.90"))), Some(d("6")));
    }
}
