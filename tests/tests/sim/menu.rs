//! What is offered on a simulated day: auctions of every format and direction with whatever else a rule can say, claims
//! and selections by every policy, on a coarse grid of amounts, so that ties, boundaries and empty wallets come up all
//! the time.

use crate::dice::Dice;
use domain::command::NewLink;
use domain::currency::Currency;
use domain::hours::{BusinessHours, Weekday, WeeklyHours};
use domain::money::Money;
use domain::terms::*;
use domain::time::Span;
use domain::topic::{Skill, Topic};
use rust_decimal::Decimal;

pub const CARDS: &[&str] = &["cards", "cards/lost", "loans", "loans/home"];
pub const TRAVEL: &[&str] = &["travel", "travel/visa"];

pub fn topic(text: &str) -> Topic {
    text.parse().expect("a topic")
}
pub fn skill(name: &str, level: u8) -> Skill {
    Skill { level, name: topic(name) }
}

/// Whole steps of the grid: a quarter of the currency's unit, 25 where it has no smaller part.
pub fn grid(steps: i64, currency: Currency) -> Money {
    let amount = match currency.exponent() {
        0 => Decimal::new(steps * 25, 0),
        2 => Decimal::new(steps * 25, 2),
        exponent => Decimal::new(steps * 250, exponent),
    };
    Money::new(amount, currency).expect("the grid keeps the exponent")
}

pub fn currency(dice: &mut Dice) -> Currency {
    dice.one(&["EUR", "EUR", "EUR", "JPY", "KWD"]).parse().expect("a currency")
}

fn sometimes<T>(dice: &mut Dice, percent: usize, value: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    if dice.percent(percent) { Some(value(dice)) } else { None }
}

pub fn rules(dice: &mut Dice) -> AuctionRules {
    let currency = currency(dice);
    let direction = dice.one(&[Direction::Forward, Direction::Reverse]);
    let format = dice.one(&[
        AuctionFormat::SealedFirstPrice,
        AuctionFormat::SealedSecondPrice,
        AuctionFormat::Open,
        AuctionFormat::Proxy,
        AuctionFormat::Proxy,
    ]);
    let forward = direction == Direction::Forward;
    let at = |steps: i64| grid(steps, currency).amount();
    let reserve = sometimes(dice, if forward { 50 } else { 100 }, |dice| {
        at(if forward { dice.between(4, 16) } else { dice.between(20, 40) })
    });
    let starting_price =
        sometimes(dice, 40, |dice| at(if forward { dice.between(1, 6) } else { dice.between(30, 44) }));
    let sealed = format.is_sealed();
    let buy_now = sometimes(dice, if sealed { 0 } else { 30 }, |dice| {
        at(if forward { dice.between(16, 30) } else { dice.between(2, 16) })
    });
    let open_for = Span::seconds(dice.between(2, 60));
    let hard_close = sometimes(dice, 50, |dice| Span(open_for.0 + Span::seconds(dice.between(0, 40)).0));
    let soft_close = if hard_close.is_some() && !sealed {
        sometimes(dice, 70, |dice| Span::seconds(dice.between(1, 20)))
    } else {
        None
    };
    let increment = match dice.throw(4) {
        0 => vec![],
        1 => vec![IncrementStep { by: at(1), from: at(0) }],
        2 => vec![IncrementStep { by: at(1), from: at(2) }, IncrementStep { by: at(3), from: at(10) }],
        _ => vec![IncrementStep { by: at(2), from: at(0) }, IncrementStep { by: at(1), from: at(12) }],
    };
    AuctionRules {
        buy_now,
        currency,
        direction,
        format,
        hard_close,
        increment,
        open_for,
        reserve,
        reserve_hidden: reserve.is_some() && dice.percent(40),
        rounds: dice.between(1, 3) as u32,
        soft_close,
        starting_price,
    }
}

/// How an agent comes to it: every way, with a price and without. Prices go beyond some wallets and credit limits.
pub fn allocation(dice: &mut Dice) -> Allocation {
    let direction = dice.one(&[Direction::Forward, Direction::Reverse]);
    let price = |dice: &mut Dice| {
        let currency = currency(dice);
        grid(dice.between(1, 30), currency)
    };
    match dice.weighed(&[56, 16, 28]) {
        0 => Allocation::Auction(rules(dice)),
        1 => Allocation::Claim { direction, price: sometimes(dice, 70, price) },
        _ => {
            let policy = dice.one(&[
                RoutingPolicy::LongestIdle,
                RoutingPolicy::BestSkilled,
                RoutingPolicy::RoundRobin,
                RoutingPolicy::BestValue,
                RoutingPolicy::BestValue,
            ]);
            let price = match policy {
                // It bounds what is taken.
                RoutingPolicy::BestValue => Some(value_bound(dice, direction)),
                _ => sometimes(dice, 55, price),
            };
            Allocation::Routed { direction, policy, price }
        }
    }
}

/// The least that is taken (FORWARD), or the most (REVERSE), so that some standing values are within it and some not.
fn value_bound(dice: &mut Dice, direction: Direction) -> Money {
    let steps = if direction == Direction::Forward { dice.between(1, 10) } else { dice.between(8, 24) };
    let currency = currency(dice);
    grid(steps, currency)
}

/// Some bound what may be open, some what a day may cost, so narrowly that it is reached.
pub fn terms(dice: &mut Dice) -> OfferTerms {
    let mut terms = unlimited(dice);
    if matches!(terms.allocation, Allocation::Routed { .. }) && dice.percent(60) {
        terms.prefer_last_agent_for = Span::seconds(dice.one(&[1, 20, 120, 600]));
    }
    terms.max_open = sometimes(dice, 12, |dice| dice.between(1, 3) as u32);
    if let Some(most) = terms.most_it_costs().filter(|_| dice.percent(20)) {
        let times = Decimal::from(dice.between(1, 3));
        terms.daily_budget = Money::new(most.amount() * times, most.currency()).ok();
    }
    terms
}

/// Sometimes less is asked for after a while.
fn relaxation(dice: &mut Dice, max_wait: Span) -> Vec<RelaxationRing> {
    let count = if dice.percent(35) { dice.between(1, 3) } else { 0 };
    let all = (1..=count).map(|number| RelaxationRing {
        after: Span(max_wait.0 * number / 8),
        any_topic: number > 1,
        lower_levels: number as u32,
    });
    all.filter(|ring| ring.after >= Span::seconds(1)).collect()
}

fn unlimited(dice: &mut Dice) -> OfferTerms {
    let max_wait = Span::seconds(dice.one(&[1, 30, 120, 600, 3_600]));
    let allocation = allocation(dice);
    let relaxation = relaxation(dice, max_wait);
    // After one round nobody is asked again, so that offer would be refused.
    let once = matches!(&allocation, Allocation::Auction(rules) if rules.rounds == 1);
    let relaxation = if once { vec![] } else { relaxation };
    OfferTerms {
        accepts_questions: dice.percent(80),
        allocation,
        channels: dice.one(&[
            vec![ChannelKind::Message],
            vec![ChannelKind::Telephone],
            vec![ChannelKind::Message, ChannelKind::Telephone],
        ]),
        consent_window: Span::seconds(dice.between(1, 25)),
        daily_budget: None,
        hours: sometimes(dice, 12, hours),
        independent_agents_only: dice.percent(25),
        links: vec![],
        max_open: None,
        max_wait,
        relaxation,
        prefer_last_agent_for: Span::ZERO,
        priority: if dice.percent(40) { dice.between(1, 10) as u32 } else { 0 },
        required_skills: if dice.percent(15) { vec![skill(dice.one(&["cards", "travel"]), 2)] } else { vec![] },
        shown_before_consent: vec![],
        terms: None,
        title: "Help".to_owned(),
        valid_until: None,
        wrap_up: sometimes(dice, 55, |dice| Span::seconds(dice.between(1, 90))),
    }
}

/// Open from some minute of the first hours on, so that some days begin with a closed offer; some over midnight, some not
/// on the first day. Some for a minute, which may pass while every node is down.
fn hours(dice: &mut Dice) -> BusinessHours {
    let (zone, ahead) = dice.one(&[("UTC", 0), ("Asia/Kathmandu", 345), ("America/Phoenix", -420)]);
    let first = (8 * 60 + ahead + dice.between(0, 40)).rem_euclid(1440);
    let lasts = if dice.percent(40) { 1 } else { dice.between(1, 1439) };
    let to = (first + lasts).rem_euclid(1440);
    let week = [Weekday::Friday, Weekday::Saturday, Weekday::Sunday, Weekday::Monday, Weekday::Tuesday];
    let weekly = vec![WeeklyHours { days: week.to_vec(), from: first as u16, to: to as u16 }];
    let closed = dice.percent(10).then(|| "2027-01-15".parse().expect("a date"));
    BusinessHours { closed_on: closed.into_iter().collect(), weekly, zone: zone.to_owned() }
}

pub fn links(dice: &mut Dice) -> Vec<NewLink> {
    let topics = if dice.percent(60) { CARDS } else { TRAVEL };
    let count = 1 + dice.throw(2);
    topics[..topics.len().min(count + dice.throw(3))]
        .iter()
        .map(|name| NewLink { label: format!("Ask about {name}"), topic: topic(name) })
        .collect()
}
