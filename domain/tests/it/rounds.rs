//! Rounds: an unsold inquiry is auctioned again when an eligible agent is free, up to `rounds`.

use crate::support::market::names;
use crate::support::*;
use domain::event::Event;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::OfferTerms;

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
    assert_eq!(names(&declined)[1..], ["auction.bid_forfeited", "auction.unsold", "inquiry.requeued"]);
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
    assert_eq!(names(&events)[2..], ["auction.bid_forfeited", "auction.unsold", "auction.opened"]);
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
    let opened: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Auction(domain::event::auction::AuctionEvent::Opened(e)) => Some(e.inquiry),
            _ => None,
        })
        .collect();
    assert_eq!(opened, inquiries);
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
        affiliated_with: None,
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
