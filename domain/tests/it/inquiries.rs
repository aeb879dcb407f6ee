//! Inquiries: registered once, waiting as long as the offer says, withdrawn in every state that allows it.

use crate::support::market::{losses, names};
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::auction::LossReason;
use domain::event::community::{OfferAccepted, SourcePosition};
use domain::event::inquiry::{InformationOutcome, InquiryEvent};
use domain::ids::{CustomerId, InquiryId};
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::{Allocation, Direction, OfferTerms, RoutingPolicy};
use domain::time::{Span, Timestamp};

#[test]
fn registered_whether_or_not_an_agent_is_there_with_the_information_first_and_the_auction_open() {
    let mut market = Market::empty();
    let events = market.registers(terms::terms(forward(Open)), &["help"]).unwrap();
    assert_eq!(
        names(&events),
        [
            "queue.opened",
            "inquiry.registered",
            "inquiry.information_requested",
            "inquiry.information_answered",
            "auction.opened"
        ]
    );
    let Event::Inquiry(InquiryEvent::InformationAnswered(answered)) = &events[3] else { panic!() };
    assert_eq!(answered.outcome, InformationOutcome::New);
    assert_eq!(market.row().state, InquiryState::InAuction);
}

/// That there was no answer in time is recorded as any answer is, and nothing waits for it: the auction opens as ever.
#[test]
fn what_was_found_out_of_the_customer_is_recorded_and_the_first_time_counts() {
    for (is_new, unavailable, outcome) in [
        (true, false, InformationOutcome::New),
        (false, false, InformationOutcome::Found),
        (false, true, InformationOutcome::Unavailable),
    ] {
        let mut market = Market::empty();
        let acceptance = OfferAccepted {
            customer_is_new: is_new,
            information_unavailable: unavailable,
            ..market.acceptance(terms::terms(forward(Open)), &["help"])
        };
        let events = market.registers_this(acceptance.clone()).unwrap();
        let Event::Inquiry(InquiryEvent::InformationAnswered(answered)) = &events[3] else { panic!() };
        assert_eq!(answered.outcome, outcome);
        assert_eq!(names(&events)[4], "auction.opened");
        // Another node asks later and hears another answer.
        let acceptance = Box::new(OfferAccepted { information_unavailable: !unavailable, ..acceptance });
        let source = SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: 1 };
        let again = Command::RegisterInquiry { acceptance, accepted_at: market.now, source };
        assert_eq!(market.asks(Actor::System, again).unwrap(), []);
    }
}

#[test]
fn an_acceptance_taken_over_twice_is_taken_over_once() {
    let mut market = Market::empty();
    market.auctions(forward(Open));
    let acceptance = Box::new(market.acceptance(terms::terms(forward(Open)), &["help"]));
    for (seq, repeated) in [(0, true), (1, true), (2, false)] {
        let source = SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq };
        let acceptance = Box::new(OfferAccepted { inquiry: InquiryId(99), ..(*acceptance).clone() });
        let answer =
            market.asks(Actor::System, Command::RegisterInquiry { acceptance, accepted_at: MORNING, source }).unwrap();
        assert_eq!(answer.is_empty(), repeated, "seq {seq}");
    }
    // A log that was restored gave the position to another acceptance: that one is not swallowed as a repeat.
    let source = SourcePosition { hash: "01".to_owned(), log: LogName::community(), seq: 2 };
    let forked = Command::RegisterInquiry { acceptance: acceptance.clone(), accepted_at: MORNING, source };
    let before = market.state.clone();
    assert_eq!(market.asks(Actor::System, forked), Err(Refusal::SourceForked));
    assert!(market.state == before);
    let command = Command::RegisterInquiry {
        acceptance,
        accepted_at: MORNING,
        source: SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: 9 },
    };
    assert_eq!(market.operator(command), Err(Refusal::Forbidden), "process managers alone");
}

#[test]
fn the_desired_skills_are_the_offers_the_topics_and_the_queues_at_the_highest_level() {
    let mut market = Market::empty();
    let declare = Command::DeclareQueue {
        priority_credit: Span::ZERO,
        topic: topic("cards"),
        required_skills: vec![skill("german", 3), skill("cards/lost", 4)],
    };
    market.operator(declare).unwrap();
    let terms =
        OfferTerms { required_skills: vec![skill("german", 2), skill("law", 5)], ..terms::terms(forward(Open)) };
    market.inquires(terms, &["cards/lost"]);
    assert_eq!(&*market.row().desired_skills, [skill("german", 3), skill("law", 5), skill("cards/lost", 4)]);
}

#[test]
fn max_wait_runs_only_while_the_inquiry_merely_waits() {
    let mut market = Market::with(&[ANN, BEN]);
    let terms = OfferTerms { max_wait: seconds(100), ..terms::terms(forward(Open).rounds(2)) };
    market.inquires(terms, &["help"]);
    market.rests(ANN);
    market.rests(BEN);
    // In auction until 60; 30 of the 100 seconds wait until 90; in auction until 150.
    market.until(second(90));
    market.available(ANN);
    market.bid(ANN, "1.00");
    market.until(second(150));
    // Reserved until 170, by a lapse; 70 seconds of waiting are left.
    assert!(market.asked().is_some());
    market.until(second(170));
    assert_eq!(market.row().state, InquiryState::Queued);
    assert_eq!(market.state.next_deadline(), Some(second(240)));
    assert!(market.until(before(second(240))).is_empty());
    assert_eq!(names(&market.until(second(240))), ["inquiry.expired", "queue.retired"]);
    assert!(market.state.inquiries.is_empty());
}

#[test]
fn without_an_auction_it_waits_in_its_queues_until_it_expires() {
    for allocation in [
        Allocation::Claim { direction: Direction::Reverse, price: None },
        Allocation::Routed {
            direction: Direction::Reverse,
            policy: RoutingPolicy::LongestIdle,
            price: Some(eur("3.00")),
        },
    ] {
        let mut market = Market::empty();
        let terms = OfferTerms { allocation, max_wait: seconds(100), ..terms::terms(forward(Open)) };
        market.inquires(terms, &["help"]);
        assert_eq!(market.row().state, InquiryState::Queued);
        assert!(market.until(before(second(100))).is_empty());
        assert_eq!(names(&market.until(second(100))), ["inquiry.expired", "queue.retired"]);
    }
}

#[test]
fn a_customer_withdraws_its_own_inquiry_and_an_operator_any() {
    let mut market = Market::empty();
    let inquiry = market.auctions(forward(Open));
    let withdraw = Command::WithdrawInquiry { inquiry, reason: None };
    let missing = Err(Refusal::NotFound { field: "inquiryId" });
    assert_eq!(market.asks(Actor::Customer(CustomerId(9)), withdraw.clone()), missing);
    assert_eq!(market.customer(Command::WithdrawInquiry { inquiry: InquiryId(9), reason: None }), missing);
    assert_eq!(market.asks(Actor::Agent(ANN), withdraw.clone()), Err(Refusal::Forbidden));
    assert!(market.operator(withdraw.clone()).is_ok());
    assert_eq!(market.operator(withdraw), missing, "once");
}

#[test]
fn withdrawn_while_queued() {
    let mut market = Market::empty();
    market.auctions(forward(Open));
    market.closes();
    assert_eq!(names(&market.withdraws().unwrap()), ["inquiry.withdrawn"]);
}

#[test]
fn withdrawn_while_waiting_for_a_round() {
    let mut market = Market::empty();
    market.auctions(forward(Open).rounds(2));
    market.closes();
    market.withdraws().unwrap();
    market.hire(ANN, "1.00", 1);
    assert_eq!(market.state.auctions.len(), 1, "no round for who is away");
}

#[test]
fn withdrawn_in_auction_every_standing_bid_is_lost_and_every_hold_free() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(SealedFirstPrice));
    market.bid(ANN, "5.00");
    market.bid(ANN, "6.00");
    market.bid(BEN, "7.00");
    let events = market.withdraws().unwrap();
    assert_eq!(losses(&events), [(ANN, LossReason::InquiryGone), (BEN, LossReason::InquiryGone)]);
    assert_eq!((market.held(ANN), market.held(BEN)), (eur("0.00"), eur("0.00")));
    assert_eq!(names(&events)[2..], ["auction.cancelled", "inquiry.withdrawn"]);
}

#[test]
fn withdrawn_while_reserved_the_agent_is_told_and_not_blamed() {
    for rules in [forward(Open), reverse(Open)] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(rules);
        market.bid(BEN, "8.00");
        market.bid(ANN, if market.open_auction().rules.direction == Direction::Forward { "9.00" } else { "7.00" });
        market.closes();
        let events = market.withdraws().unwrap();
        assert_eq!(names(&events)[..2], ["reservation.rescinded", "auction.bid_lost"]);
        assert_eq!(losses(&events), [(ANN, LossReason::InquiryGone)], "the loser was told at the closing");
        assert_eq!(market.held(ANN), eur("0.00"));
        assert_eq!(market.held_of(domain::event::wallet::Party::Provider(PROVIDER)), eur("0.00"));
        assert_eq!(market.who(ANN).load(), 0);
    }
}

#[test]
fn once_an_agent_has_consented_it_is_not_withdrawn() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    assert!(matches!(market.withdraws(), Err(Refusal::NotAllowedNow { .. })));
    let session = market.session();
    market.agent(ANN, Command::EndSession { session }).unwrap();
    assert!(matches!(market.withdraws(), Err(Refusal::NotAllowedNow { .. })), "in wrap-up");
    market.pass(Span::minutes(10));
    assert_eq!(market.withdraws(), Err(Refusal::NotFound { field: "inquiryId" }), "completed");
}

fn claimed() -> OfferTerms {
    let allocation = Allocation::Claim { direction: Direction::Reverse, price: None };
    OfferTerms { allocation, max_wait: seconds(100), ..terms::terms(forward(Open)) }
}

fn routed() -> OfferTerms {
    let allocation =
        Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::LongestIdle, price: None };
    OfferTerms { allocation, ..claimed() }
}

const KEPT: Span = domain::inquiry::PLACE_KEPT;

fn kept_from(left: Timestamp) -> Timestamp {
    left + KEPT
}

#[test]
fn an_operators_withdrawal_is_for_good() {
    let mut market = Market::empty();
    let inquiry = market.inquires(claimed(), &["help"]);
    let events = market.operator(Command::WithdrawInquiry { inquiry, reason: None }).unwrap();
    assert_eq!(names(&events), ["inquiry.withdrawn", "queue.retired"]);
    assert_eq!(market.resumes(), Err(Refusal::NotFound { field: "inquiryId" }));
}

#[test]
fn who_left_comes_back_to_the_old_place_and_waits_for_what_was_left() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    let accepted_at = market.row().accepted_at;
    market.until(second(40));
    assert_eq!(names(&market.withdraws().unwrap()), ["inquiry.withdrawn"]);
    assert_eq!(market.row().state, InquiryState::Withdrawn);
    market.pass(Span::minutes(10));
    let back = market.now;
    assert_eq!(names(&market.resumes().unwrap()), ["inquiry.resumed"]);
    assert_eq!((market.row().state, market.row().accepted_at), (InquiryState::Queued, accepted_at));
    assert_eq!(market.state.next_deadline(), Some(back + seconds(60)), "the time away is not waited");
}

#[test]
fn a_place_is_kept_until_its_instant_and_not_at_it() {
    for (early, refused) in [(1, None), (0, Some(Refusal::PlaceLost)), (-1, Some(Refusal::PlaceLost))] {
        let mut market = Market::empty();
        market.inquires(claimed(), &["help"]);
        market.withdraws().unwrap();
        // Asked of the state itself, before its timer is settled.
        let now = Timestamp(kept_from(market.now).0 - early);
        let inquiry = market.inquiry;
        let ctx = domain::decide::Ctx {
            now,
            actor: Actor::Customer(CUSTOMER),
            ids: domain::ids::IdSource::new(now.0, 1 << 6),
        };
        let answer = domain::decide::decide(&market.state, &Command::ResumeInquiry { inquiry }, &ctx);
        assert_eq!(answer.err(), refused, "{early} µs before");
    }
}

#[test]
fn who_does_not_come_back_loses_the_place_and_its_queue_goes() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    market.withdraws().unwrap();
    let queue = market.row().queues[0];
    assert!(matches!(market.operator(Command::RetireQueue { queue }), Err(Refusal::NotAllowedNow { .. })));
    let end = kept_from(market.now);
    assert!(market.until(before(end)).is_empty());
    assert_eq!(names(&market.until(end)), ["inquiry.place_lost", "queue.retired"]);
    assert!(market.state.inquiries.is_empty() && market.state.timers.is_empty());
    assert_eq!(market.resumes(), Err(Refusal::NotFound { field: "inquiryId" }));
}

#[test]
fn a_platform_that_was_down_takes_nobodys_place() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    market.withdraws().unwrap();
    let now = kept_from(market.now) + seconds(30);
    let ctx = domain::decide::Ctx { now, actor: Actor::System, ids: domain::ids::IdSource::new(now.0, 1 << 6) };
    let events = domain::decide::execute_due(&mut market.state, true, &ctx).unwrap();
    assert_eq!(names(&events), ["inquiry.place_kept"]);
    assert_eq!(market.state.next_deadline(), Some(kept_from(now)));
}

#[test]
fn whose_inquiry_it_is_comes_back_and_nobody_else() {
    let mut market = Market::empty();
    let inquiry = market.inquires(claimed(), &["help"]);
    let resume = Command::ResumeInquiry { inquiry };
    assert!(matches!(market.resumes(), Err(Refusal::NotAllowedNow { .. })), "it is there");
    market.withdraws().unwrap();
    assert_eq!(market.withdraws(), Err(Refusal::InquiryClosed), "once");
    assert_eq!(
        market.asks(Actor::Customer(CustomerId(9)), resume.clone()),
        Err(Refusal::NotFound { field: "inquiryId" })
    );
    assert_eq!(market.operator(resume.clone()), Err(Refusal::Forbidden));
    assert_eq!(market.asks(Actor::Agent(ANN), resume), Err(Refusal::Forbidden));
    market.hire(ANN, "0", 1);
    assert_eq!(market.agent(ANN, Command::ClaimInquiry { inquiry }), Err(Refusal::InquiryClosed), "nobody is there");
    market.resumes().unwrap();
    market.agent(ANN, Command::ClaimInquiry { inquiry }).unwrap();
    assert!(matches!(market.resumes(), Err(Refusal::NotAllowedNow { .. })), "somebody helps");
}

#[test]
fn coming_back_opens_the_next_round_whatever_rounds_says() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.withdraws().unwrap();
    assert_eq!(names(&market.resumes().unwrap()), ["inquiry.resumed", "auction.opened"]);
    assert_eq!((market.open_auction().round, market.row().state), (2, InquiryState::InAuction));
    market.bid(ANN, "6.00");
    market.closes();
    market.accepts(ANN).unwrap();
}

#[test]
fn coming_back_selects_anew_and_asks_again_who_was_rescinded() {
    let mut market = Market::with(&[ANN]);
    market.inquires(routed(), &["help"]);
    assert_eq!(market.row().state, InquiryState::Reserved);
    assert_eq!(names(&market.withdraws().unwrap()), ["reservation.rescinded", "inquiry.withdrawn"]);
    assert_eq!(market.who(ANN).load(), 0);
    let events = market.resumes().unwrap();
    assert_eq!(names(&events), ["inquiry.resumed", "inquiry.selection_made", "reservation.opened"]);
}

#[test]
fn coming_back_has_an_end() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    for _ in 0..domain::inquiry::COMEBACKS_MAX {
        market.withdraws().unwrap();
        market.resumes().unwrap();
    }
    assert_eq!(names(&market.withdraws().unwrap()), ["inquiry.withdrawn", "queue.retired"]);
}
