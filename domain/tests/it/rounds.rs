//! Rounds: an unsold inquiry is auctioned again when an eligible agent is free, up to `rounds`.

use crate::support::market::names;
use crate::support::*;
use domain::auction::{ROUNDS_AT_ONCE, ROUNDS_PAUSE};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::ids::InquiryId;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::OfferTerms;
use domain::time::{Span, Timestamp};

fn opened(events: &[Event]) -> bool {
    names(events).contains(&"auction.opened")
}

#[test]
fn unsold_with_a_free_agent_opens_the_next_round_at_once_up_to_the_last() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).rounds(3));
    for round in 1..3 {
        assert_eq!(market.open_auction().round, round);
        assert_eq!(names(&market.closes()), ["auction.unsold", "auction.opened"]);
    }
    assert_eq!(market.open_auction().round, 3);
    assert_eq!(names(&market.closes()), ["auction.unsold", "inquiry.requeued"]);
    market.rests(ANN);
    assert!(!opened(&market.available(ANN)), "no round is left");
}

#[test]
fn with_nobody_free_it_waits_for_the_next_who_is() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).rounds(2));
    market.rests(ANN);
    assert_eq!(names(&market.closes()), ["auction.unsold", "inquiry.requeued"]);
    assert_eq!(market.row().state, InquiryState::Queued);
    market.register(BEN, &[], 1, None);
    assert!(!opened(&market.available(BEN)), "who lacks the skill is nobody here");
    assert_eq!(names(&market.available(ANN)), ["agent.status_set", "auction.opened"]);
    assert_eq!(market.open_auction().round, 2);
}

/// More inquiries wait than one decision opens rounds for, so one goes on waiting beside a free agent, for a
/// moment.
#[test]
fn who_is_available_and_says_so_again_opens_no_round() {
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    market.rests(ANN);
    for _ in 0..501 {
        market.auctions(forward(Open).rounds(2));
    }
    market.pass(seconds(60));
    let rounds = |events: &[Event]| names(events).iter().filter(|name| **name == "auction.opened").count();
    assert_eq!(rounds(&market.available(ANN)), 500);
    assert_eq!(names(&market.available(ANN)), ["agent.status_set"]);
    assert_eq!(rounds(&market.pass(ROUNDS_PAUSE)), 1);
}

#[test]
fn the_end_of_wrap_up_and_of_a_session_frees_an_agent() {
    for wrap_up in [true, false] {
        let mut market = Market::with(&[ANN]);
        let terms = terms::terms(forward(Open));
        let terms = OfferTerms { wrap_up: terms.wrap_up.filter(|_| wrap_up), ..terms };
        market.inquires(terms, &["help"]);
        market.bid(ANN, "1.00");
        market.closes();
        let first = market.inquiry;
        market.auctions(forward(Open).rounds(2));
        market.inquiry = first;
        market.accepts(ANN).unwrap();
        market.pass(seconds(60));
        let session = market.session();
        let ended = market.agent(ANN, domain::command::Command::EndSession { session }).unwrap();
        assert_eq!(opened(&ended), !wrap_up);
        if wrap_up {
            let completed = domain::command::Command::CompleteWrapUp { session, information: None };
            assert!(opened(&market.agent(ANN, completed).unwrap()));
        }
    }
}

#[test]
fn who_declined_opens_no_round_of_it_and_another_does() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).rounds(2));
    market.bid(ANN, "1.00");
    market.closes();
    let declined = market.declines(ANN).unwrap();
    assert_eq!(names(&declined)[2..], ["auction.bid_forfeited", "auction.unsold", "inquiry.requeued"]);
    market.rests(ANN);
    assert!(!opened(&market.available(ANN)), "she has said no to this one");
    market.hire(BEN, "5.00", 1);
    assert_eq!(market.open_auction().round, 2);
    assert!(market.bids(ANN, "1.00").is_ok(), "yet she may bid in the round that another opened");
}

#[test]
fn who_let_it_lapse_opens_a_round_once_it_is_back() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).rounds(2));
    market.bid(ANN, "1.00");
    market.closes();
    assert!(!opened(&market.lapses()));
    assert!(opened(&market.available(ANN)));
}

#[test]
fn exhausted_with_a_free_agent_opens_the_next_round_in_the_same_decision() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open).rounds(2));
    market.bid(ANN, "1.00");
    market.closes();
    let events = market.lapses();
    assert_eq!(names(&events)[3..], ["auction.bid_forfeited", "auction.unsold", "auction.opened"]);
}

#[test]
fn those_who_wait_get_their_round_in_the_order_of_acceptance() {
    let mut market = Market::with(&[ANN]);
    market.rests(ANN);
    let mut inquiries = vec![];
    for _ in 0..3 {
        inquiries.push(market.auctions(forward(Open).rounds(2)));
        market.pass(seconds(1));
    }
    market.pass(seconds(60));
    let events = market.available(ANN);
    assert_eq!(opened_for(&events), inquiries);
}

#[test]
fn a_skill_learned_and_a_capacity_raised_free_an_agent_and_a_bid_elsewhere_does_not() {
    let mut market = Market::with(&[ANN]);
    market.register(BEN, &[], 1, None);
    market.available(BEN);
    market.rests(ANN);
    market.auctions(forward(Open).rounds(2));
    market.closes();
    let learned = domain::command::Command::UpdateAgent {
        agent: BEN,
        display_name: None,
        location: None,
        skills: Some(vec![skill("help", 1)]),
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: None,
    };
    assert_eq!(names(&market.operator(learned).unwrap()), ["agent.updated", "auction.opened"]);
}

#[test]
fn a_customer_who_withdraws_frees_the_agent_for_another_inquiry() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "1.00");
    market.closes();
    let asked = market.inquiry;
    let terms = OfferTerms { consent_window: seconds(600), ..terms::terms(forward(Open)) };
    market.accepts(ANN).unwrap();
    let session = market.session();
    market.agent(ANN, domain::command::Command::EndSession { session }).unwrap();
    market.agent(ANN, domain::command::Command::CompleteWrapUp { session, information: None }).unwrap();
    let long = market.inquires(terms, &["help"]);
    assert_ne!(asked, long);
    market.bid(ANN, "1.00");
    market.closes();
    let waiting = market.auctions(forward(Open).rounds(2));
    market.closes();
    market.inquiry = long;
    let events = market.withdraws().unwrap();
    assert!(opened(&events));
    market.inquiry = waiting;
    assert_eq!(market.row().state, InquiryState::InAuction);
}

/// So many inquiries of a topic wait for their second round, one microsecond after the other; Ann is on break.
/// What is counted here is too much for the auditor, who looks at everything after each step.
fn wait_for_ann(market: &mut Market, topic: &str, count: usize) -> Vec<InquiryId> {
    market.rests(ANN);
    market.audited = false;
    let mut waiting = vec![];
    for _ in 0..count {
        waiting.push(market.inquires(terms::terms(forward(Open).rounds(2)), &[topic]));
        market.pass(MICROSECOND);
    }
    market.pass(seconds(61));
    assert!(waiting.iter().all(|id| market.state.inquiries.get(*id).unwrap().state == InquiryState::Queued));
    waiting
}

fn opened_for(events: &[Event]) -> Vec<InquiryId> {
    let opened = events.iter().filter_map(|event| match event {
        Event::Auction(AuctionEvent::Opened(e)) => Some(e.inquiry),
        _ => None,
    });
    opened.collect()
}

#[test]
fn what_nobody_can_serve_keeps_no_round_from_what_an_agent_can() {
    let mut market = Market::with(&[ANN]);
    wait_for_ann(&mut market, "cards", 2 * ROUNDS_AT_ONCE + 1);
    let help = wait_for_ann(&mut market, "help", 1);
    assert_eq!(opened_for(&market.available(ANN)), help);
    assert_eq!(market.who(ANN).rounds_at, None);
}

#[test]
fn the_providers_own_agent_opens_no_round_where_it_must_be_independent_and_opens_the_others() {
    let mut market = Market::with(&[ANN]);
    market.register(BEN, &[skill("help", 1)], 1, Some(PROVIDER));
    market.rests(ANN);
    let terms = terms::terms(forward(Open).rounds(2));
    market.inquires(terms.clone(), &["help"]);
    let any = market.inquires(OfferTerms { independent_agents_only: false, ..terms }, &["help"]);
    market.pass(seconds(61));
    assert_eq!(opened_for(&market.available(BEN)), [any]);
}

#[test]
fn beyond_one_decision_the_rounds_go_on_a_moment_later() {
    for (more, put_off) in [(0, false), (1, true)] {
        let mut market = Market::with(&[ANN]);
        let waiting = wait_for_ann(&mut market, "help", ROUNDS_AT_ONCE + more);
        let events = market.available(ANN);
        assert_eq!(opened_for(&events), waiting[..ROUNDS_AT_ONCE], "the first accepted first");
        assert_eq!(names(&events).last() == Some(&"agent.rounds_put_off"), put_off);
        let next = market.now + ROUNDS_PAUSE;
        assert_eq!(market.who(ANN).rounds_at, put_off.then_some(next));
        assert_eq!(market.until(before(next)), []);
        let events = market.until(next);
        assert_eq!(opened_for(&events), waiting[ROUNDS_AT_ONCE..]);
        if put_off {
            assert_eq!(names(&events), ["agent.rounds_resumed", "auction.opened"]);
        }
        assert_eq!(market.who(ANN).rounds_at, None);
        assert!(market.folded() == market.state);
    }
}

#[test]
fn rounds_that_were_put_off_are_opened_once_whatever_the_agent_does_meanwhile() {
    let mut market = Market::with(&[ANN]);
    let waiting = wait_for_ann(&mut market, "help", 2 * ROUNDS_AT_ONCE + 1);
    market.available(ANN);
    let next = market.now + ROUNDS_PAUSE;
    // Toggling costs the call server nothing: the next moment is fixed.
    for _ in 0..3 {
        assert_eq!(names(&market.rests(ANN)), ["agent.status_set"]);
        market.pass(MICROSECOND);
        assert_eq!(names(&market.available(ANN)), ["agent.status_set"]);
    }
    let events = market.until(next);
    assert_eq!(opened_for(&events), waiting[ROUNDS_AT_ONCE..2 * ROUNDS_AT_ONCE]);
    assert_eq!(market.who(ANN).rounds_at, Some(next + ROUNDS_PAUSE), "and so on until nothing is left");
    // Who is gone by then opens none, and what is left waits for who is free next.
    market.rests(ANN);
    assert_eq!(names(&market.until(next + ROUNDS_PAUSE)), ["agent.rounds_resumed"]);
    assert_eq!(opened_for(&market.available(ANN)), waiting[2 * ROUNDS_AT_ONCE..]);
}

#[test]
fn put_off_rounds_are_taken_back_like_everything_else() {
    let mut market = Market::with(&[ANN]);
    wait_for_ann(&mut market, "help", ROUNDS_AT_ONCE + 1);
    let (before, seen) = (market.state.clone(), market.log.len());
    market.available(ANN);
    market.pass(ROUNDS_PAUSE);
    let (mark, mut state) = market.folded_from(before.clone(), seen);
    assert!(state == market.state);
    state.roll_back(mark);
    assert!(state == before);
}

#[test]
fn rounds_of_others_are_the_platforms_doing_and_the_next_of_the_same_inquiry_is_part_of_what_was_asked() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).rounds(2));
    market.rests(ANN);
    market.closes();
    let events = market.available(ANN);
    assert_eq!(names(&market.followed), ["auction.opened"]);
    assert_eq!(names(&events), ["agent.status_set", "auction.opened"]);

    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open).rounds(2));
    market.bid(ANN, "1.00");
    market.closes();
    let events = market.declines(ANN).unwrap();
    assert_eq!(names(&events).last(), Some(&"auction.opened"));
    assert_eq!(market.followed, []);
}

#[test]
fn a_wait_that_is_over_ends_though_an_earlier_timer_of_the_same_tick_frees_an_agent() {
    for (late_by, opens) in [(Span::ZERO, false), (MICROSECOND, true)] {
        let mut market = Market::with(&[ANN]);
        market.auctions(forward(Open));
        market.bid(ANN, "1.00");
        market.closes();
        market.accepts(ANN).unwrap();
        let session = market.session();
        // Her wrap-up ends at second 660.
        market.agent(ANN, domain::command::Command::EndSession { session }).unwrap();
        let terms = OfferTerms { max_wait: seconds(545), ..terms::terms(forward(Open).rounds(2)) };
        // Unsold at second 120, so it waits until second 665.
        let inquiry = market.inquires(terms, &["help"]);
        assert_eq!(names(&market.closes()), ["auction.unsold", "inquiry.requeued"]);
        let events = market.wakes_at(Timestamp(second(665).0 - late_by.0));
        assert_eq!(names(&events)[0], "session.wrap_up_completed", "the earlier deadline comes first");
        assert_eq!(names(&events).contains(&"inquiry.expired"), !opens);
        assert_eq!(opened_for(&events), if opens { vec![inquiry] } else { vec![] });
    }
}
