//! Strikes: who wins an auction and does not consent has one, three at once bar from bidding for an hour, and a bar's end
//! is heard by what waits for somebody who could bid.

use crate::support::market::{names, statuses};
use crate::support::*;
use domain::actor::{Actor, Role};
use domain::command::{AgentChoice, Command, rights};
use domain::event::Event;
use domain::event::agent::{AgentEvent, AgentStruck, StrikeReason, Will};
use domain::ids::AgentId;
use domain::refusal::Refusal;
use domain::strike::{BARRED_FOR, STANDS_FOR};
use domain::terms::AuctionFormat::*;
use domain::terms::{Allocation, Direction, OfferTerms, RoutingPolicy};
use domain::time::{Span, Timestamp};

fn struck(events: &[Event]) -> Vec<AgentStruck> {
    let one = |event: &Event| match event {
        Event::Agent(AgentEvent::Struck(e)) => Some(e.clone()),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}
/// Until when somebody is barred by these.
fn barred(events: &[Event]) -> Vec<(AgentId, Timestamp)> {
    let one = |event: &Event| match event {
        Event::Agent(AgentEvent::Barred(e)) => Some((e.agent, e.until)),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}
fn has(events: &[Event], name: &str) -> bool {
    names(events).contains(&name)
}
/// A customer asks, the agent alone bids, wins and declines; the customer goes. What the refusal came to.
fn wins_and_declines(market: &mut Market, agent: AgentId) -> Vec<Event> {
    market.auctions(forward(Open));
    market.bid(agent, "5.00");
    market.closes();
    let events = market.declines(agent).unwrap();
    market.ends().unwrap();
    events
}
fn ann_barred() -> Market {
    let mut market = Market::with(&[ANN]);
    for _ in 0..3 {
        wins_and_declines(&mut market, ANN);
    }
    assert!(market.who(ANN).is_barred());
    market
}
fn forgives(market: &mut Market, agent: AgentId) -> Result<Vec<Event>, Refusal> {
    market.operator(Command::ForgiveStrikes { agent, reason: sealed("the line was down") })
}

#[test]
fn who_wins_and_declines_or_lapses_has_a_strike_in_the_same_decision() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.bid(BEN, "6.00");
    market.closes();
    let reservation = market.latest_of(BEN);
    let auction = market.auction();
    let events = market.declines(BEN).unwrap();
    let until = market.now + STANDS_FOR;
    let reason = StrikeReason::Declined;
    assert_eq!(struck(&events), [AgentStruck { agent: BEN, auction, reason, reservation, until }]);
    // The second agent has won, too.
    let reservation = market.latest_of(ANN);
    let events = market.lapses();
    let until = market.now + STANDS_FOR;
    let reason = StrikeReason::Lapsed;
    assert_eq!(struck(&events), [AgentStruck { agent: ANN, auction, reason, reservation, until }]);
    assert_eq!(statuses(&events), [(ANN, Will::Break)], "the break comes besides");
}

#[test]
fn nobody_is_struck_where_nobody_is_blamed() {
    let asked = || {
        let mut market = Market::with(&[ANN]);
        market.auctions(forward(Open));
        market.bid(ANN, "5.00");
        market.closes();
        market
    };
    // The customer goes.
    assert!(struck(&asked().withdraws().unwrap()).is_empty());
    // The platform was down at the deadline.
    let mut market = asked();
    let deadline = market.pending().unwrap().1.deadline;
    assert!(struck(&market.wakes_at(deadline + seconds(30))).is_empty());
    // The customer is erased, and this inquiry ends after another: who consented would be refused.
    let mut market = Market::with(&[ANN]);
    market.inquires(terms::terms(forward(Open)), &["help"]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.closes();
    market.forgets(CUSTOMER).unwrap();
    assert!(market.accepts(ANN).is_err());
    let events = market.declines(ANN).unwrap();
    assert!(has(&events, "reservation.declined") && struck(&events).is_empty());
    // It consents.
    assert!(struck(&asked().accepts(ANN).unwrap()).is_empty());
    // It is passed over, being on break when it would have won.
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.rests(ANN);
    let events = market.closes();
    assert!(has(&events, "auction.bid_forfeited") && struck(&events).is_empty());
}

#[test]
fn selections_and_invitations_give_no_strike() {
    let routed = || OfferTerms {
        allocation: Allocation::Routed {
            direction: Direction::Reverse,
            policy: RoutingPolicy::LongestIdle,
            price: None,
        },
        ..terms::terms(forward(Open))
    };
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(routed(), &["help"]);
    let first = market.pending().unwrap().1.agent;
    assert!(struck(&market.declines(first).unwrap()).is_empty());
    let events = market.lapses();
    assert!(has(&events, "reservation.lapsed") && struck(&events).is_empty());

    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(routed(), &["help"]);
    let first = market.pending().unwrap().1.agent;
    let other = if first == ANN { BEN } else { ANN };
    market.accepts(first).unwrap();
    let session = market.session();
    market.agent(first, Command::InviteAgent { session, agent: AgentChoice::Named(other) }).unwrap();
    let events = market.declines(other).unwrap();
    assert!(has(&events, "reservation.declined") && struck(&events).is_empty());
}

#[test]
fn the_third_strike_at_once_bars_for_an_hour_and_two_do_not() {
    let mut market = Market::with(&[ANN]);
    for _ in 0..2 {
        assert!(barred(&wins_and_declines(&mut market, ANN)).is_empty());
    }
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.closes();
    let events = market.declines(ANN).unwrap();
    let until = market.now + BARRED_FOR;
    assert_eq!(barred(&events), [(ANN, until)]);
    assert_eq!(names(&events)[..3], ["reservation.declined", "agent.struck", "agent.barred"]);
    market.ends().unwrap();

    market.until(before(until));
    market.auctions(forward(Open));
    let refused = market.bids(ANN, "5.00").unwrap_err();
    assert_eq!(refused, Refusal::AgentBarred { until });
    assert_eq!((refused.code(), refused.retryable()), ("AGENT_BARRED", true));
    assert!(refused.message().ends_with("Z."), "{}", refused.message());
    assert_eq!(names(&market.until(until)), ["agent.bar_ended"]);
    assert!(market.bids(ANN, "5.00").is_ok());
}

#[test]
fn each_strike_is_forgotten_by_itself_a_day_later() {
    // The third comes a microsecond before the first is forgotten, or just then.
    for (early, bars) in [(1, true), (0, false)] {
        let mut market = Market::with(&[ANN]);
        wins_and_declines(&mut market, ANN);
        let forgotten = market.who(ANN).strikes[0];
        market.pass(Span::minutes(60));
        wins_and_declines(&mut market, ANN);
        market.until(Timestamp(forgotten.0 - seconds(65).0));
        market.auctions(forward(Open));
        market.bid(ANN, "5.00");
        market.closes();
        market.until(Timestamp(forgotten.0 - early));
        let events = market.declines(ANN).unwrap();
        assert_eq!(barred(&events).len(), usize::from(bars));
    }
}

#[test]
fn who_is_barred_may_still_win_what_it_has_bid_and_a_strike_begins_the_hour_anew() {
    let mut market = Market::with(&[ANN]);
    market.register(BEN, &[skill("help", 1)], 1, None);
    for _ in 0..2 {
        wins_and_declines(&mut market, ANN);
    }
    let third = market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.pass(seconds(10));
    let fourth = market.auctions(forward(Open));
    market.bid(ANN, "6.00");
    market.inquiry = third;
    market.closes();
    let until = market.now + BARRED_FOR;
    assert_eq!(barred(&market.declines(ANN).unwrap()), [(ANN, until)]);
    market.inquiry = fourth;
    assert_eq!(market.bids(ANN, "7.00"), Err(Refusal::AgentBarred { until }), "nor raises it its own");
    market.closes();
    assert_eq!(market.asked(), Some((ANN, eur("6.00"))), "a bar is no way out of a leading bid");
    let anew = market.now + BARRED_FOR;
    assert_eq!(barred(&market.declines(ANN).unwrap()), [(ANN, anew)]);
    assert!(anew > until);
    assert!(!has(&market.until(until), "agent.bar_ended"), "the first hour counts no more");
    assert!(!has(&market.until(before(anew)), "agent.bar_ended"));
    assert!(has(&market.until(anew), "agent.bar_ended"));
}

#[test]
fn the_hour_begins_anew_also_where_the_older_strikes_are_forgotten_by_then() {
    let mut market = Market::empty();
    market.hire(ANN, "100.00", 2);
    wins_and_declines(&mut market, ANN);
    wins_and_declines(&mut market, ANN);
    let [first, second] = market.who(ANN).strikes[..] else { panic!("two strikes") };
    market.until(Timestamp(first.0 - seconds(65).0));
    let third = market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.closes();
    market.pass(seconds(3));
    let fourth = market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.inquiry = third;
    let reservation = market.pending().unwrap().0;
    let decline = |reservation| Command::DeclineReservation { reservation, reason: None };
    assert_eq!(barred(&market.agent(ANN, decline(reservation)).unwrap()).len(), 1);
    market.inquiry = fourth;
    market.closes();
    market.until(Timestamp(second.0 + seconds(1).0));
    assert_eq!(market.who(ANN).strikes_at(market.now).count(), 1, "that of the third alone");
    let anew = market.now + BARRED_FOR;
    assert_eq!(barred(&market.declines(ANN).unwrap()), [(ANN, anew)]);
}

#[test]
fn a_bars_end_spends_the_strikes() {
    let mut market = ann_barred();
    market.pass(BARRED_FOR);
    assert_eq!(market.who(ANN).strikes.len(), 0);
    for _ in 0..2 {
        assert!(barred(&wins_and_declines(&mut market, ANN)).is_empty(), "one more does not bar at once");
    }
    assert_eq!(barred(&wins_and_declines(&mut market, ANN)).len(), 1);
}

#[test]
fn nothing_is_auctioned_for_who_is_barred_until_the_bars_end_gives_the_round() {
    let mut market = ann_barred();
    let until = market.who(ANN).barred_until.unwrap();
    let patient = OfferTerms { max_wait: Span::days(1), ..terms::terms(forward(Open).rounds(3)) };
    market.inquires(patient, &["help"]);
    assert_eq!(names(&market.closes()), ["auction.unsold", "inquiry.requeued"], "no round for who could not bid");
    market.rests(ANN);
    assert_eq!(names(&market.available(ANN)), ["agent.status_set"]);
    assert!(market.until(before(until)).is_empty());
    assert_eq!(names(&market.until(until)), ["agent.bar_ended", "auction.opened"], "in the same decision");
    assert!(market.bids(ANN, "5.00").is_ok());
}

#[test]
fn a_platform_that_was_down_ends_the_bar_when_it_comes_back() {
    let mut market = ann_barred();
    let until = market.who(ANN).barred_until.unwrap();
    let patient = OfferTerms { max_wait: Span::days(1), ..terms::terms(forward(Open).rounds(2)) };
    market.inquires(patient, &["help"]);
    market.closes();
    let events = market.wakes_at(until + Span::minutes(30));
    assert_eq!(names(&events), ["agent.bar_ended", "auction.opened"]);
}

#[test]
fn a_standing_value_of_who_is_barred_is_not_bid() {
    let mut market = ann_barred();
    market.values(ANN, "help", Direction::Forward, Some("5.00"), None).unwrap();
    market.auctions(forward(Proxy));
    assert_eq!(market.open_auction().bidding.bids, 0);
    market.ends().unwrap();
    market.pass(BARRED_FOR);
    market.auctions(forward(Proxy));
    assert_eq!(market.open_auction().bidding.bids, 1);
}

#[test]
fn who_is_barred_claims_and_is_selected_as_ever() {
    let mut market = ann_barred();
    let (direction, price) = (Direction::Reverse, None);
    let claimed = Allocation::Claim { direction, price };
    market.inquires(OfferTerms { allocation: claimed, ..terms::terms(forward(Open)) }, &["help"]);
    assert!(market.claims(ANN).is_ok());

    let mut market = ann_barred();
    let routed = Allocation::Routed { direction, policy: RoutingPolicy::LongestIdle, price };
    market.inquires(OfferTerms { allocation: routed, ..terms::terms(forward(Open)) }, &["help"]);
    assert_eq!(market.pending().map(|(_, row)| row.agent), Some(ANN));
}

#[test]
fn an_operator_forgives_strikes_and_bar_and_what_waits_has_its_round() {
    let mut market = ann_barred();
    let patient = OfferTerms { max_wait: Span::days(1), ..terms::terms(forward(Open).rounds(2)) };
    market.inquires(patient, &["help"]);
    market.closes();
    let events = forgives(&mut market, ANN).unwrap();
    assert_eq!(names(&events), ["agent.strikes_forgiven", "auction.opened"]);
    assert!(market.bids(ANN, "5.00").is_ok());
    assert!(!has(&market.pass(Span::days(2)), "agent.bar_ended"), "there is no bar left to end");
}

#[test]
fn strikes_alone_are_forgiven_and_wake_nothing() {
    let mut market = Market::with(&[ANN]);
    wins_and_declines(&mut market, ANN);
    wins_and_declines(&mut market, ANN);
    assert_eq!(names(&forgives(&mut market, ANN).unwrap()), ["agent.strikes_forgiven"]);
    assert!(barred(&wins_and_declines(&mut market, ANN)).is_empty(), "it is the first again");
}

#[test]
fn where_there_is_nothing_nothing_is_forgiven() {
    let mut market = Market::with(&[ANN]);
    let refused = |answer: Result<Vec<Event>, Refusal>| answer.unwrap_err().code();
    assert_eq!(refused(forgives(&mut market, ANN)), "NOT_ALLOWED_NOW");
    assert_eq!(refused(forgives(&mut market, DAN)), "NOT_FOUND");
    wins_and_declines(&mut market, ANN);
    let forgotten = market.who(ANN).strikes[0];
    market.until(forgotten);
    assert_eq!(refused(forgives(&mut market, ANN)), "NOT_ALLOWED_NOW", "it was forgotten at that very instant");
    let by = Actor::Agent(ANN);
    let command = Command::ForgiveStrikes { agent: ANN, reason: sealed("me") };
    assert_eq!(market.asks(by, command), Err(Refusal::Forbidden));
    assert_eq!(rights::FORGIVE_STRIKES.1, [Role::Operator]);
}
