//! Prices and awards against an oracle: the rules of auctions told a second time, by brute force, in whole
//! cents, from the recorded bids alone. It keeps no price and no second bid between bids, so the figures
//! that the exchange carries along are compared with figures from scratch.

use crate::support::market::{forfeits, losses};
use crate::support::*;
use domain::event::auction::LossReason;
use domain::ids::AgentId;
use domain::refusal::Refusal;
use domain::terms::{AuctionFormat, AuctionRules, Direction, IncrementStep};
use proptest::prelude::*;
use rust_decimal::Decimal;

const BIDDERS: [AgentId; 4] = [ANN, BEN, CAT, DAN];

/// Amounts are cents; bidders are 0 to 3.
#[derive(Clone, Debug)]
struct Oracle {
    forward: bool,
    format: AuctionFormat,
    reserve: Option<i64>,
    hidden: bool,
    starting: Option<i64>,
    buy_now: Option<i64>,
    /// Ascending; the first one from zero.
    steps: Vec<(i64, i64)>,
    /// Bids with effect, in order of recording.
    recorded: Vec<(usize, i64)>,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Stands,
    NoEffect,
    /// The bound that it misses.
    Refused(i64),
    Bought,
}

impl Oracle {
    fn at_least_as_good(&self, a: i64, b: i64) -> bool {
        if self.forward { a >= b } else { a <= b }
    }
    fn increment(&self, at: i64) -> i64 {
        let reached: Vec<i64> = self.steps.iter().filter(|(from, _)| *from <= at).map(|(_, by)| *by).collect();
        *reached.last().unwrap_or(&1)
    }
    fn improved(&self, amount: i64) -> i64 {
        if self.forward { amount + self.increment(amount) } else { (amount - self.increment(amount)).max(0) }
    }
    fn sealed(&self) -> bool {
        matches!(self.format, AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice)
    }
    /// Each agent's latest, best first, the earlier recorded before the later at the same amount.
    fn ranking(&self) -> Vec<(usize, i64)> {
        let mut left = self.recorded.clone();
        let mut ranked = vec![];
        let stands = |at: usize, all: &[(usize, i64)]| !all[at + 1..].iter().any(|(agent, _)| *agent == all[at].0);
        left = (0..left.len()).filter(|at| stands(*at, &left)).map(|at| left[at]).collect();
        while !left.is_empty() {
            let mut best = 0;
            for at in 1..left.len() {
                if !self.at_least_as_good(left[best].1, left[at].1) {
                    best = at;
                }
            }
            ranked.push(left.remove(best));
        }
        ranked
    }
    fn opening(&self) -> Option<i64> {
        let public = self.reserve.filter(|_| !self.hidden);
        self.starting.or(public).or(self.forward.then_some(1))
    }
    fn valid(&self, amount: i64) -> bool {
        self.reserve.is_none_or(|reserve| self.at_least_as_good(amount, reserve))
    }
    fn clamp(&self, price: i64, own: i64) -> i64 {
        if self.forward { price.min(own) } else { price.max(own) }
    }
    /// min(best maximum, best of anyone else + increment at that bid); alone: the opening price; the reserve
    /// where the maximum meets it.
    fn proxy(&self, ranked: &[(usize, i64)]) -> Option<i64> {
        let own = ranked[0].1;
        let price = match ranked.get(1) {
            Some((_, second)) => Some(self.clamp(self.improved(*second), own)),
            None => self.opening().map(|opening| self.clamp(opening, own)),
        };
        match self.reserve.filter(|_| self.valid(own)) {
            Some(reserve) => match price {
                Some(price) if self.at_least_as_good(price, reserve) => Some(price),
                _ => Some(reserve),
            },
            None => price,
        }
    }
    fn price(&self) -> Option<i64> {
        let ranked = self.ranking();
        match self.format {
            _ if ranked.is_empty() || self.sealed() => None,
            AuctionFormat::Proxy => self.proxy(&ranked),
            _ => Some(ranked[0].1),
        }
    }
    fn bid(&mut self, agent: usize, amount: i64) -> Verdict {
        let leader = self.ranking().first().copied();
        let own_proxy = self.format == AuctionFormat::Proxy && leader.is_some_and(|(leader, _)| leader == agent);
        let bound = match self.price() {
            Some(price) => Some(self.improved(price)),
            None => self.opening(),
        };
        let buys = self.buy_now.is_some_and(|buy_now| self.at_least_as_good(amount, buy_now));
        if let Some(bound) = bound
            && !own_proxy
            && !buys
            && !self.at_least_as_good(amount, bound)
        {
            let beyond = self.buy_now.is_some_and(|buy_now| self.at_least_as_good(bound, buy_now));
            return Verdict::Refused(if beyond { self.buy_now.unwrap() } else { bound });
        }
        if own_proxy && leader.is_some_and(|(_, best)| self.at_least_as_good(best, amount)) {
            return Verdict::NoEffect;
        }
        self.recorded.push((agent, amount));
        if buys { Verdict::Bought } else { Verdict::Stands }
    }
    /// What the first of these would pay, the others being all that is left.
    fn clearing(&self, ranked: &[(usize, i64)]) -> i64 {
        let own = ranked[0].1;
        if let Some(buy_now) = self.buy_now.filter(|buy_now| self.at_least_as_good(own, *buy_now)) {
            return buy_now;
        }
        let second = ranked.get(1).map(|(_, amount)| *amount).filter(|amount| self.valid(*amount));
        match self.format {
            AuctionFormat::SealedFirstPrice | AuctionFormat::Open => own,
            AuctionFormat::Proxy => self.proxy(ranked).unwrap(),
            AuctionFormat::SealedSecondPrice if self.forward => {
                [second, self.reserve, self.starting, Some(1)].into_iter().flatten().max().unwrap()
            }
            AuctionFormat::SealedSecondPrice => second.unwrap_or(own),
        }
    }
    /// Who is asked one after the other, at which price, where everybody declines.
    fn chain(&self, resting: &[bool; 4]) -> Vec<(usize, i64)> {
        let mut left = self.ranking();
        let mut asked = vec![];
        while let Some((agent, amount)) = left.first().copied() {
            if !self.valid(amount) {
                break;
            }
            if !resting[agent] {
                asked.push((agent, self.clearing(&left)));
            }
            left.remove(0);
        }
        asked
    }
    fn held(&self, agent: usize) -> i64 {
        let ranked = self.ranking();
        let holds = if self.sealed() { &ranked[..] } else { &ranked[..ranked.len().min(1)] };
        holds.iter().find(|(other, _)| self.forward && *other == agent).map_or(0, |(_, amount)| *amount)
    }
    fn rules(&self) -> AuctionRules {
        let cents = |amount: i64| Decimal::new(amount, 2);
        AuctionRules {
            buy_now: self.buy_now.map(cents),
            increment: self
                .steps
                .iter()
                .map(|(from, by)| IncrementStep { by: cents(*by), from: cents(*from) })
                .collect(),
            reserve: self.reserve.map(cents),
            reserve_hidden: self.hidden,
            starting_price: self.starting.map(cents),
            ..auction(if self.forward { Direction::Forward } else { Direction::Reverse }, self.format)
        }
    }
}

fn cents(amount: i64) -> domain::money::Money {
    domain::money::Money::new(Decimal::new(amount, 2), euro()).unwrap()
}

fn oracles() -> impl Strategy<Value = Oracle> {
    let formats =
        [AuctionFormat::SealedFirstPrice, AuctionFormat::SealedSecondPrice, AuctionFormat::Open, AuctionFormat::Proxy];
    let bounds =
        (proptest::option::of(5i64..30), any::<bool>(), proptest::option::of(3i64..35), proptest::option::of(5i64..40));
    let steps = (1i64..5, proptest::option::of((8i64..25, 1i64..8)));
    (any::<bool>(), proptest::sample::select(formats.to_vec()), bounds, steps).prop_map(
        |(forward, format, bounds, steps)| {
            let (reserve, hidden, starting, buy_now) = bounds;
            let mut oracle = Oracle {
                forward,
                format,
                reserve: if forward { reserve } else { Some(reserve.unwrap_or(30)) },
                hidden,
                starting,
                buy_now,
                steps: vec![(0, steps.0)],
                recorded: vec![],
            };
            oracle.steps.extend(steps.1);
            let bounds = [oracle.reserve, oracle.starting];
            let short = |buy_now: &i64| bounds.iter().flatten().any(|bound| !oracle.at_least_as_good(*buy_now, *bound));
            oracle.buy_now = oracle.buy_now.filter(|buy_now| !oracle.sealed() && !short(buy_now));
            oracle
        },
    )
}

/// Bids by any of the four, in a range so small that ties, reserves and bounds are met often.
fn bids() -> impl Strategy<Value = Vec<(usize, i64)>> {
    proptest::collection::vec((0usize..4, 1i64..45), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_exchange_agrees_with_the_oracle(mut oracle in oracles(), bids in bids(), resting: [bool; 4]) {
        let mut market = Market::with(&BIDDERS);
        let rules = oracle.rules();
        market.auctions(rules);
        for (agent, amount) in bids {
            let answer = market.bids(BIDDERS[agent], &cents(amount).amount().to_string());
            match (oracle.bid(agent, amount), &answer) {
                (Verdict::Refused(bound), Err(Refusal::BidTooLow { minimum })) if oracle.forward => prop_assert_eq!(*minimum, cents(bound)),
                (Verdict::Refused(bound), Err(Refusal::BidTooHigh { maximum })) if !oracle.forward => prop_assert_eq!(*maximum, cents(bound)),
                (Verdict::Stands | Verdict::NoEffect | Verdict::Bought, Ok(_)) => {}
                (verdict, answer) => prop_assert!(false, "{verdict:?}, but {answer:?}"),
            }
            if market.pending().is_some() {
                break;
            }
            prop_assert_eq!(market.price(), oracle.price().map(cents));
            for (number, agent) in BIDDERS.iter().enumerate() {
                prop_assert_eq!(market.held(*agent), cents(oracle.held(number)), "held of {}", agent);
            }
        }
        let bought = market.pending().is_some();
        let ranked = oracle.ranking();
        let mut resting = resting;
        if bought {
            resting[ranked[0].0] = false;
        }
        for (number, _) in resting.iter().enumerate().filter(|(_, rests)| **rests) {
            market.rests(BIDDERS[number]);
        }

        // Everyone is told once, and why.
        let chain = oracle.chain(&resting);
        if !bought {
            let closing = market.closes();
            let won = chain.first().map(|(agent, _)| *agent);
            let passed: Vec<usize> = ranked.iter().map(|(agent, _)| *agent).take_while(|agent| Some(*agent) != won).collect();
            let passed: Vec<AgentId> = passed.into_iter().filter(|agent| oracle.valid(amount_of(&ranked, *agent))).map(|agent| BIDDERS[agent]).collect();
            prop_assert_eq!(forfeits(&closing), passed.iter().map(|agent| (*agent, LossReason::NotFree)).collect::<Vec<_>>());
            let told: Vec<(AgentId, LossReason)> = ranked
                .iter()
                .filter(|(agent, _)| Some(*agent) != won && !passed.contains(&BIDDERS[*agent]))
                .map(|(agent, amount)| {
                    let reason = match won {
                        _ if !oracle.valid(*amount) => LossReason::ReserveNotMet,
                        Some(won) if amount_of(&ranked, won) == *amount => LossReason::TieLater,
                        _ => LossReason::Outbid,
                    };
                    (BIDDERS[*agent], reason)
                })
                .collect();
            prop_assert_eq!(losses(&closing), told);
        }

        // The chain: each declines, and the next is asked at the price that follows without it.
        for (agent, price) in chain {
            prop_assert_eq!(market.asked(), Some((BIDDERS[agent], cents(price))));
            if oracle.forward {
                prop_assert_eq!(market.held(BIDDERS[agent]), cents(price));
            }
            market.declines(BIDDERS[agent]).unwrap();
        }
        prop_assert_eq!(market.asked(), None);
        for agent in BIDDERS {
            prop_assert_eq!(market.held(agent), cents(0));
        }
    }
}

fn amount_of(ranked: &[(usize, i64)], agent: usize) -> i64 {
    ranked.iter().find(|(other, _)| *other == agent).unwrap().1
}
