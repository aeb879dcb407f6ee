//! The preferred agent: who served a customer last is chosen before anybody, and waited for while it is merely busy.

use crate::hours;
use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::community::OfferAccepted;
use domain::event::inquiry::{InformationAnswered, InquiryEvent};
use domain::ids::AgentId;
use domain::preference::HELD_MAX;
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::time::Span;
use domain::why::{ExclusionReason, Why};

fn routed() -> OfferTerms {
    let (direction, policy) = (Direction::Reverse, RoutingPolicy::LongestIdle);
    OfferTerms {
        allocation: Allocation::Routed { direction, policy, price: None },
        prefer_last_agent_for: seconds(120),
        ..terms::terms(forward(AuctionFormat::Open))
    }
}
fn accepted(market: &Market, terms: OfferTerms, last_agent: Option<AgentId>) -> OfferAccepted {
    OfferAccepted { customer_is_new: false, last_agent, ..market.acceptance(terms, &["help"]) }
}
/// A customer whom `last` served comes again.
fn comes(market: &mut Market, last: AgentId) -> Vec<Event> {
    let acceptance = accepted(market, routed(), Some(last));
    market.registers_this(acceptance).unwrap()
}
/// Somebody whom nobody has served.
fn stranger(market: &mut Market) -> Vec<Event> {
    let acceptance = accepted(market, routed(), None);
    market.registers_this(acceptance).unwrap()
}
fn asked(market: &Market) -> Option<AgentId> {
    market.pending().map(|(_, row)| row.agent)
}
fn choice(events: &[Event]) -> Why {
    let made = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => Some(e.why.clone()),
        _ => None,
    };
    events.iter().find_map(made).expect("somebody is looked for")
}
fn excluded(why: &Why) -> Vec<(ExclusionReason, Vec<u32>)> {
    why.excluded.iter().map(|group| (group.reason, group.agents.clone())).collect()
}
fn answer(events: &[Event]) -> InformationAnswered {
    let answered = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::InformationAnswered(e)) => Some(e.clone()),
        _ => None,
    };
    events.iter().find_map(answered).expect("the request is answered")
}
/// Ann has been idle for the longest; Ben is who served the customer.
fn two() -> Market {
    let mut market = Market::empty();
    for agent in [ANN, BEN] {
        market.hire(agent, "100.00", 1);
        market.pass(seconds(1));
    }
    market
}
/// Ben talks with somebody, Ann is free.
fn ben_is_busy() -> Market {
    let mut market = two();
    comes(&mut market, BEN);
    market.accepts(BEN).unwrap();
    market
}

#[test]
fn who_served_the_customer_last_is_chosen_before_who_is_first_by_the_policy() {
    let mut market = two();
    let events = comes(&mut market, BEN);
    let answered = answer(&events);
    assert_eq!((answered.last_agent, answered.preferred_for), (Some(BEN), Some(seconds(120))));
    let why = choice(&events);
    assert_eq!((why.rule.as_str(), why.chosen), ("preferred_agent/1", Some(BEN.into())));
    let ranked: Vec<_> = why.ranked.iter().map(|one| one.subject).collect();
    assert_eq!(ranked, [BEN.into(), ANN.into()], "and who would have been next");
    assert_eq!(asked(&market), Some(BEN));
    // Who declines is passed over, and the policy decides.
    let events = market.declines(BEN).unwrap();
    assert_eq!((choice(&events).rule.as_str(), asked(&market)), ("longest_idle/1", Some(ANN)));

    // Without a last agent, or with one of another call server, it is as ever.
    let mut market = two();
    assert_eq!(choice(&stranger(&mut market)).rule, "longest_idle/1");
    let mut market = two();
    let events = comes(&mut market, DAN);
    assert_eq!((answer(&events).last_agent, answer(&events).preferred_for), (Some(DAN), None));
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn while_it_is_busy_nobody_else_is_asked_until_the_instant_and_then_everybody() {
    let mut market = ben_is_busy();
    let events = comes(&mut market, BEN);
    let held = [(ExclusionReason::HeldForPreferred, vec![1]), (ExclusionReason::AtCapacity, vec![2])];
    assert_eq!((choice(&events).chosen, excluded(&choice(&events))), (None, held.to_vec()));
    assert_eq!(market.row().state, InquiryState::Queued);
    // Others are given what comes after it.
    stranger(&mut market);
    assert_eq!(asked(&market), Some(ANN));
    market.declines(ANN).unwrap();
    assert!(market.pass(Span(seconds(120).0 - 1)).is_empty(), "a microsecond early");
    let events = market.pass(Span(1));
    assert_eq!(names(&events), ["inquiry.preference_ended", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!(choice(&events).rule, "longest_idle/1");
}

#[test]
fn once_it_is_free_it_has_it() {
    let mut market = ben_is_busy();
    let session = market.session();
    comes(&mut market, BEN);
    market.agent(BEN, Command::EndSession { session }).unwrap();
    assert_eq!(asked(&market), None, "it wraps up");
    let events = market.agent(BEN, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert_eq!(choice(&events).rule, "preferred_agent/1");
    assert_eq!(asked(&market), Some(BEN));
    market.accepts(BEN).unwrap();
    assert_eq!(market.row().preferred, None, "who has an agent prefers none");
    assert!(market.state.preferring.is_empty());
}

#[test]
fn where_it_could_not_have_it_for_another_reason_everybody_is_asked_at_once() {
    // It goes: in the same decision, and it is chosen again where it is back in time.
    let mut market = ben_is_busy();
    comes(&mut market, BEN);
    let events = market.rests(BEN);
    assert_eq!(names(&events), ["agent.status_set", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!(asked(&market), Some(ANN));
    // It has unlearned what is asked for.
    let mut market = ben_is_busy();
    comes(&mut market, BEN);
    let unlearn = Command::UpdateAgent {
        agent: BEN,
        display_name: None,
        location: None,
        skills: Some(vec![]),
        capacity: None,
        affiliated_with: domain::patch::Patch::Keep,
        credit_limit: None,
    };
    market.operator(unlearn).unwrap();
    assert_eq!(asked(&market), Some(ANN));
    // Its provider blocks it.
    let mut market = ben_is_busy();
    comes(&mut market, BEN);
    market.asks(Actor::Provider(PROVIDER), Command::BlockAgent { agent: BEN, provider: PROVIDER }).unwrap();
    assert_eq!(asked(&market), Some(ANN));
    // It declined this very inquiry before it became busy.
    let mut market = two();
    market.rests(ANN);
    let first = comes(&mut market, BEN);
    assert_eq!(choice(&first).chosen, Some(BEN.into()));
    let inquiry = market.inquiry;
    market.declines(BEN).unwrap();
    comes(&mut market, BEN);
    market.accepts(BEN).unwrap();
    market.available(ANN);
    let row = market.state.inquiries.get(inquiry).unwrap();
    assert_eq!(row.state, InquiryState::Reserved, "Ann is asked, though Ben is preferred and busy");
}

#[test]
fn it_counts_from_when_somebody_can_be_selected_and_coming_back_does_not_renew_it() {
    let mut market = ben_is_busy();
    let opens = hours::daily("UTC", 8 * 60 + 1, 8 * 60);
    let early = OfferTerms { hours: Some(opens), ..routed() };
    let acceptance = accepted(&market, early, Some(BEN));
    market.registers_this(acceptance).unwrap();
    assert_eq!(market.row().preferred.unwrap().until, None);
    let begins = market.row().begins_at.expect("it is not open yet");
    market.until(begins);
    assert_eq!(market.row().preferred.unwrap().until, Some(begins + seconds(120)));
    assert_eq!(asked(&market), None, "held from then on");
    market.withdraws().unwrap();
    assert!(market.state.preferring.is_empty());
    market.resumes().unwrap();
    assert_eq!((market.row().preferred, asked(&market)), (None, Some(ANN)));
}

#[test]
fn so_many_wait_for_one_agent_and_whoever_comes_after_them_is_anybodys() {
    let mut market = ben_is_busy();
    for _ in 0..HELD_MAX {
        comes(&mut market, BEN);
        assert_eq!(asked(&market), None);
    }
    let events = comes(&mut market, BEN);
    assert_eq!((answer(&events).last_agent, answer(&events).preferred_for), (Some(BEN), None));
    assert_eq!(asked(&market), Some(ANN));
    // One less, one more.
    market.declines(ANN).unwrap();
    market.withdraws().unwrap();
    market.pass(seconds(121));
    assert!(market.state.preferring.is_empty());
    assert_eq!(answer(&comes(&mut market, BEN)).preferred_for, Some(seconds(120)));
}

#[test]
fn the_term_has_bounds_and_is_for_routed_offers_alone() {
    let with = |span| domain::check::terms(&OfferTerms { prefer_last_agent_for: span, ..routed() });
    for (span, valid) in [
        (Span::ZERO, true),
        (Span(seconds(1).0 - 1), false),
        (seconds(1), true),
        (Span::minutes(10), true),
        (Span(Span::minutes(10).0 + 1), false),
    ] {
        assert_eq!(with(span).is_ok(), valid, "{span:?}");
    }
    let claim = Allocation::Claim { direction: Direction::Reverse, price: None };
    for allocation in [claim, Allocation::Auction(forward(AuctionFormat::Open))] {
        let refused = domain::check::terms(&OfferTerms { allocation, ..routed() }).unwrap_err();
        let expected = Refusal::invalid(&["preferLastAgentFor"], "only where the platform selects: routed");
        assert_eq!(refused, expected);
    }
}
