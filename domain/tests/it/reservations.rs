//! Reservations: consent in time, lapse, decline, rescind; the chain of agents; what a platform that was
//! down does.

use crate::support::market::{forfeits, names, second_agent, statuses};
use crate::support::*;
use domain::command::Command;
use domain::event::agent::Will;
use domain::event::auction::LossReason;
use domain::ids::ReservationId;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;

/// Ann leads with 9.00, Ben follows with 8.00, the auction has closed: Ann is asked until second 80.
fn ann_is_asked() -> Market {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    market.bid(BEN, "8.00");
    market.bid(ANN, "9.00");
    market.closes();
    market
}

#[test]
fn an_answer_at_the_deadline_is_late() {
    let answers = |id| {
        [
            Command::AcceptReservation { reservation: id },
            Command::DeclineReservation { reservation: id, reason: None },
            Command::ViewReservation { reservation: id },
        ]
    };
    for number in 0..3 {
        let mut market = ann_is_asked();
        let id = market.latest_of(ANN);
        assert_eq!(market.pending().unwrap().1.deadline, second(80));
        for late in [second(80), second(80) + MICROSECOND] {
            market.jumps_to(late);
            assert_eq!(market.agent(ANN, answers(id)[number].clone()), Err(Refusal::ReservationLapsed));
        }
        market.jumps_to(before(second(80)));
        assert!(market.agent(ANN, answers(id)[number].clone()).is_ok());
    }
}

#[test]
fn a_reservation_is_its_agents_alone() {
    let mut market = ann_is_asked();
    let reservation = market.latest_of(ANN);
    let missing = Err(Refusal::NotFound { field: "reservationId" });
    assert_eq!(market.agent(BEN, Command::AcceptReservation { reservation }), missing);
    assert_eq!(market.agent(ANN, Command::AcceptReservation { reservation: ReservationId(7) }), missing);
    assert_eq!(market.operator(Command::AcceptReservation { reservation }), Err(Refusal::Forbidden));
}

#[test]
fn an_answered_reservation_is_closed_a_lapsed_one_lapsed_a_rescinded_one_rescinded() {
    let mut market = ann_is_asked();
    market.accepts(ANN).unwrap();
    assert_eq!(market.accepts(ANN), Err(Refusal::ReservationClosed));
    assert_eq!(market.declines(ANN), Err(Refusal::ReservationClosed));

    let mut market = ann_is_asked();
    market.declines(ANN).unwrap();
    assert_eq!(market.accepts(ANN), Err(Refusal::ReservationClosed));

    let mut market = ann_is_asked();
    market.lapses();
    assert_eq!(market.accepts(ANN), Err(Refusal::ReservationLapsed));

    let mut market = ann_is_asked();
    let first = market.latest_of(ANN);
    market.wakes_at(second(300));
    assert_eq!(
        market.agent(ANN, Command::AcceptReservation { reservation: first }),
        Err(Refusal::ReservationRescinded)
    );
}

#[test]
fn seen_twice_is_recorded_twice_and_changes_nothing_that_is_decided() {
    let mut market = ann_is_asked();
    let reservation = market.latest_of(ANN);
    let before = market.state.clone();
    for _ in 0..2 {
        let seen = market.agent(ANN, Command::ViewReservation { reservation }).unwrap();
        assert_eq!(names(&seen), ["reservation.viewed"]);
        assert!(market.state == before);
    }
}

#[test]
fn consent_opens_the_session_and_takes_the_inquiry_out_of_its_queues() {
    let mut market = ann_is_asked();
    assert_eq!(
        names(&market.accepts(ANN).unwrap()),
        ["reservation.accepted", "session.opened", "settlement.escrowed", "queue.retired"]
    );
    assert_eq!((market.who(ANN).reserved, market.who(ANN).sessions), (0, 1));
}

#[test]
fn a_lapse_sets_the_agent_to_break_and_names_the_second_agent() {
    let mut market = ann_is_asked();
    let events = market.lapses();
    assert_eq!(
        names(&events),
        [
            "reservation.lapsed",
            "agent.status_set",
            "agent.struck",
            "auction.bid_forfeited",
            "auction.awarded",
            "reservation.opened"
        ]
    );
    assert_eq!(second_agent(&events), Some(BEN));
    assert_eq!(statuses(&events), [(ANN, Will::Break)]);
    assert_eq!(forfeits(&events), [(ANN, LossReason::Lapsed)]);
    assert_eq!(market.pending().unwrap().1.deadline, second(100), "the second agent has its own time");
    assert_eq!(market.pending().unwrap().1.attempt, 2);
    // Nobody is left: the notice to the last names nobody.
    let events = market.lapses();
    assert_eq!((second_agent(&events), statuses(&events)), (None, vec![(BEN, Will::Break)]));
    assert_eq!(names(&events)[4..], ["auction.unsold", "inquiry.requeued"]);
}

#[test]
fn a_lapse_takes_away_nothing_that_the_agent_asked_for_meanwhile() {
    for will in [Will::Offline, Will::Break] {
        let mut market = ann_is_asked();
        market.will(ANN, will);
        let events = market.lapses();
        assert_eq!(
            names(&events),
            ["reservation.lapsed", "agent.struck", "auction.bid_forfeited", "auction.awarded", "reservation.opened"]
        );
        assert_eq!((second_agent(&events), market.who(ANN).will), (Some(BEN), will));
    }
    // Who changed its mind in time is AVAILABLE, and goes on break.
    let mut market = ann_is_asked();
    market.will(ANN, Will::Offline);
    market.available(ANN);
    assert_eq!(statuses(&market.lapses()), [(ANN, Will::Break)]);
}

#[test]
fn who_declines_is_passed_over_without_a_break() {
    let mut market = ann_is_asked();
    let events = market.declines(ANN).unwrap();
    assert_eq!((second_agent(&events), statuses(&events)), (Some(BEN), vec![]));
    assert_eq!(market.who(ANN).will, Will::Available);
    assert_eq!(market.held(ANN), eur("0.00"));
}

#[test]
fn the_second_agent_is_passed_over_where_it_is_no_longer_free() {
    let mut market = ann_is_asked();
    market.rests(BEN);
    let events = market.declines(ANN).unwrap();
    assert_eq!(second_agent(&events), None);
    assert_eq!(forfeits(&events), [(ANN, LossReason::Declined), (BEN, LossReason::NotFree)]);
}

#[test]
fn a_status_asked_for_while_reserved_takes_nothing_back() {
    let mut market = ann_is_asked();
    market.rests(ANN);
    assert!(market.accepts(ANN).is_ok());
}

#[test]
fn a_platform_that_was_down_harms_nobody() {
    let mut market = ann_is_asked();
    let events = market.wakes_at(second(500));
    assert_eq!(names(&events), ["reservation.rescinded", "auction.awarded", "reservation.opened"]);
    assert_eq!(statuses(&events), []);
    assert_eq!(market.asked(), Some((ANN, eur("9.00"))), "selection starts anew, with the same bids");
    assert_eq!(market.pending().unwrap().1.deadline, second(520));
    assert_eq!(market.held(ANN), eur("9.00"));
    // As often as it is down.
    market.wakes_at(second(900));
    assert_eq!(market.asked(), Some((ANN, eur("9.00"))));
    market.lapses();
    assert_eq!(market.asked(), Some((BEN, eur("8.00"))));
}

#[test]
fn after_a_late_deadline_an_agent_that_went_away_is_passed_over() {
    let mut market = ann_is_asked();
    market.rests(ANN);
    let events = market.wakes_at(second(500));
    assert_eq!(forfeits(&events), [(ANN, LossReason::NotFree)]);
    assert_eq!(market.asked(), Some((BEN, eur("8.00"))));
    assert_eq!(market.who(ANN).will, Will::Break, "its own");
}

#[test]
fn late_in_reverse_the_provider_is_held_once() {
    let provider = domain::event::wallet::Party::Provider(PROVIDER);
    let mut market = Market::with(&[ANN]);
    market.auctions(reverse(Open));
    market.bid(ANN, "9.00");
    market.closes();
    market.wakes_at(second(500));
    assert_eq!(market.held_of(provider), eur("9.00"));
    market.declines(ANN).unwrap();
    assert_eq!(market.held_of(provider), eur("0.00"));
}
