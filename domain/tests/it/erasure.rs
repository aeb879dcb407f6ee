//! Erasing a customer: what of it is open ends, one inquiry with each decision; nothing is accepted for it any more;
//! and nobody else's is touched.

use crate::community::{front, plain};
use crate::support::market::{names, statuses};
use crate::support::*;
use domain::actor::Actor;
use domain::auction::ROUNDS_PAUSE;
use domain::command::Command;
use domain::event::Event;
use domain::event::inquiry::{Freed, InquiryEvent};
use domain::event::session::{Author, SessionEvent};
use domain::event::wallet::Party;
use domain::ids::{CustomerId, InquiryId};
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::{Allocation, Direction, OfferTerms, RoutingPolicy};
use domain::time::Span;
use proptest::prelude::*;

const OTHER: CustomerId = CustomerId(2);

fn claimed() -> OfferTerms {
    OfferTerms {
        allocation: Allocation::Claim { direction: Direction::Forward, price: None },
        ..terms::terms(forward(Open))
    }
}

impl Market {
    fn inquires_for(&mut self, customer: CustomerId, terms: OfferTerms, topics: &[&str]) -> InquiryId {
        let acceptance = self.acceptance(terms, topics);
        self.registers_this(domain::event::community::OfferAccepted { customer, ..acceptance }).unwrap();
        self.inquiry
    }
    /// The auction that is open last.
    fn inquiry_auction(&self) -> Option<domain::ids::AuctionId> {
        self.state.inquiries.get(self.inquiry)?.auction()
    }
    /// A reservation that waits for its agent: one of the two has it.
    fn any_pending(&self) -> Option<(domain::ids::ReservationId, domain::ids::AgentId)> {
        self.state.inquiries.get(self.inquiry)?;
        let (id, row) = self.pending()?;
        Some((id, row.agent))
    }
    fn has(&self, inquiry: InquiryId) -> bool {
        self.state.inquiries.get(inquiry).is_some()
    }
}

#[test]
fn what_waits_is_withdrawn_for_good_and_others_stay() {
    let mut market = Market::empty();
    let mine = market.inquires(claimed(), &["help"]);
    let others = market.inquires_for(OTHER, claimed(), &["help"]);
    let events = market.forgets(CUSTOMER).unwrap();
    assert_eq!(names(&events), ["customer.forgotten", "inquiry.withdrawn"]);
    let Event::Inquiry(InquiryEvent::Withdrawn(withdrawn)) = &events[1] else { panic!() };
    assert_eq!((withdrawn.place_kept_until, &withdrawn.reason), (None, &None), "nobody comes back to it");
    assert!(!market.has(mine) && market.has(others));
    assert!(market.state.erased.is_empty(), "nothing of it is left to end");
    assert!(market.forgets_again(CUSTOMER).unwrap().is_empty(), "a repeat");
    assert!(market.forgets(CUSTOMER).unwrap().is_empty(), "erased again: nothing is open");
    assert!(market.forgets(CustomerId(9)).unwrap().is_empty(), "never heard of");
}

#[test]
fn who_bids_is_told_and_has_its_money_back() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    assert_eq!(market.held(ANN), eur("5.00"));
    let events = market.forgets(CUSTOMER).unwrap();
    let wanted = ["customer.forgotten", "auction.bid_lost", "auction.cancelled", "inquiry.withdrawn", "queue.retired"];
    assert_eq!(names(&events), wanted);
    assert_eq!(market.held(ANN), eur("0.00"));
    assert_eq!(market.balance(Party::Agent(ANN)), eur("100.00"));
}

#[test]
fn who_is_asked_is_asked_no_more_and_is_free() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    market.closes();
    assert!(market.pending().is_some());
    let events = market.forgets(CUSTOMER).unwrap();
    let wanted = [
        "customer.forgotten",
        "reservation.rescinded",
        "auction.bid_lost",
        "auction.cancelled",
        "inquiry.withdrawn",
        "queue.retired",
    ];
    assert_eq!(names(&events), wanted);
    assert!(market.who(ANN).is_free());
    assert_eq!(market.held(ANN), eur("0.00"));
}

/// One ends with each decision; meanwhile the others are nobody's, by whatever way.
#[test]
fn what_is_still_to_end_is_nobodys() {
    let routed = |policy| OfferTerms {
        allocation: Allocation::Routed { direction: Direction::Reverse, policy, price: Some(eur("3.00")) },
        ..terms::terms(forward(Open))
    };
    // Queued, to be claimed.
    let mut market = Market::with(&[ANN]);
    market.inquires(claimed(), &["help"]);
    market.inquires(claimed(), &["help"]);
    market.forgets(CUSTOMER).unwrap();
    assert_eq!(market.claims(ANN).unwrap_err(), Refusal::InquiryClosed);

    // In an auction that closes before it has its turn: the bid is passed over, and nobody is asked.
    let mut market = Market::with(&[ANN]);
    market.inquires(claimed(), &["help"]);
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    let auction = market.inquiry_auction().unwrap();
    market.forgets(CUSTOMER).unwrap();
    let amount = eur("6.00");
    assert_eq!(market.agent(ANN, Command::PlaceBid { auction, amount }).unwrap_err(), Refusal::InquiryClosed);

    // Asked already: who consents is refused, and who does not is not blamed.
    let mut market = Market::with(&[ANN]);
    market.inquires(claimed(), &["help"]);
    let brief = OfferTerms { consent_window: Span(ROUNDS_PAUSE.0 / 2), ..routed(RoutingPolicy::LongestIdle) };
    market.inquires(brief, &["help"]);
    assert_eq!(market.asked().map(|(agent, _)| agent), Some(ANN));
    market.forgets(CUSTOMER).unwrap();
    assert_eq!(market.accepts(ANN).unwrap_err(), Refusal::ReservationRescinded);
    let events = market.pass(Span(ROUNDS_PAUSE.0 / 2));
    assert_eq!(names(&events), ["reservation.rescinded", "inquiry.selection_made", "inquiry.requeued"]);
    assert!(market.who(ANN).is_free() && statuses(&events).is_empty());
    let events = market.pass(ROUNDS_PAUSE);
    assert_eq!(names(&events), ["customer.forgotten", "inquiry.withdrawn", "queue.retired"]);

    // A conversation's end frees its agent, who is not selected for the same customer's next.
    let mut market = Market::with(&[ANN]);
    market.inquires(routed(RoutingPolicy::LongestIdle), &["help"]);
    market.accepts(ANN).unwrap();
    market.inquires(OfferTerms { wrap_up: None, ..routed(RoutingPolicy::LongestIdle) }, &["help"]);
    let events = market.forgets(CUSTOMER).unwrap();
    assert!(!names(&events).contains(&"reservation.opened"), "{:?}", names(&events));
}

#[test]
fn a_kept_place_is_lost_at_once() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    market.withdraws().unwrap();
    let events = market.forgets(CUSTOMER).unwrap();
    assert_eq!(names(&events), ["customer.forgotten", "inquiry.place_lost", "queue.retired"]);
    assert!(market.state.inquiries.is_empty() && market.state.timers.is_empty());
}

#[test]
fn what_has_not_begun_never_does() {
    let mut market = Market::with(&[ANN]);
    market.inquires(crate::hours::from_nine(claimed().allocation), &["help"]);
    assert!(market.row().begins_at.is_some());
    let events = market.forgets(CUSTOMER).unwrap();
    assert_eq!(names(&events), ["customer.forgotten", "inquiry.withdrawn", "queue.retired"]);
    assert!(market.state.timers.is_empty());
}

#[test]
fn a_conversation_ends_by_itself_and_its_agent_wraps_up_and_is_paid() {
    let mut market = Market::with(&[ANN]);
    market.inquires(OfferTerms { wrap_up: Some(seconds(60)), ..terms::terms(forward(Open)) }, &["help"]);
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    let (session, inquiry) = (market.session(), market.inquiry);
    let events = market.forgets(CUSTOMER).unwrap();
    assert_eq!(names(&events), ["customer.forgotten", "session.ended"]);
    let Event::Session(SessionEvent::Ended(ended)) = &events[1] else { panic!() };
    assert_eq!(ended.by, Author::System, "its customer did not say so");
    assert_eq!(market.row().state, InquiryState::WrapUp);
    // What its agent wraps up is its agent's: an erasure ends nothing of it.
    assert!(market.forgets(CUSTOMER).unwrap().is_empty());
    let events = market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert_eq!(names(&events), ["session.wrap_up_completed", "settlement.pending", "inquiry.completed"]);
    assert!(!market.has(inquiry) && market.who(ANN).is_free());
}

#[test]
fn a_conference_ends_for_everybody() {
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(claimed(), &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    let agent = domain::command::AgentChoice::Named(BEN);
    market.agent(ANN, Command::InviteAgent { session, agent }).unwrap();
    let events = market.forgets(CUSTOMER).unwrap();
    assert_eq!(names(&events), ["customer.forgotten", "reservation.rescinded", "session.ended"]);
    assert!(market.who(BEN).is_free() && market.row().state == InquiryState::WrapUp);
}

#[test]
fn one_inquiry_ends_with_each_decision_the_first_accepted_first() {
    let mut market = Market::empty();
    let limited = OfferTerms { max_open: Some(9), ..claimed() };
    let ids: Vec<InquiryId> = (0..3).map(|_| market.inquires(limited.clone(), &["help"])).collect();
    let freed = |events: &[Event]| {
        let of = |event: &Event| match event {
            Event::Inquiry(InquiryEvent::Withdrawn(e)) => Some((e.inquiry, e.freed)),
            _ => None,
        };
        events.iter().filter_map(of).collect::<Vec<_>>()
    };
    let place = Some(Freed { offer: domain::ids::OfferId(1), spent: None });
    assert_eq!(freed(&market.forgets(CUSTOMER).unwrap()), [(ids[0], place)]);
    assert!(market.forgets_again(CUSTOMER).unwrap().is_empty(), "a repeat does not hurry it");
    let next = market.now + ROUNDS_PAUSE;
    assert!(market.until(before(next)).is_empty());
    assert_eq!(freed(&market.until(next)), [(ids[1], place)]);
    let events = market.until(next + ROUNDS_PAUSE);
    assert_eq!(names(&events), ["customer.forgotten", "inquiry.withdrawn", "queue.retired"], "the last one out");
    assert_eq!(freed(&events), [(ids[2], place)]);
    assert!(market.state.timers.is_empty() && market.state.erased.is_empty());
}

#[test]
fn what_ends_otherwise_meanwhile_is_not_missed() {
    let mut market = Market::empty();
    market.inquires(claimed(), &["help"]);
    market.inquires(claimed(), &["help"]);
    market.forgets(CUSTOMER).unwrap();
    market.ends().unwrap();
    assert_eq!(names(&market.pass(ROUNDS_PAUSE)), ["customer.forgotten"]);
    assert!(market.state.timers.is_empty() && market.state.erased.is_empty());
}

#[test]
fn a_platform_that_was_down_goes_on_with_it() {
    let mut market = Market::empty();
    market.inquires(OfferTerms { max_wait: Span::days(1), ..claimed() }, &["help"]);
    market.inquires(OfferTerms { max_wait: Span::days(1), ..claimed() }, &["help"]);
    market.forgets(CUSTOMER).unwrap();
    let later = market.now + seconds(3_600);
    assert_eq!(names(&market.wakes_at(later)), ["customer.forgotten", "inquiry.withdrawn", "queue.retired"]);
}

#[test]
fn nothing_is_accepted_for_who_was_erased_and_erasing_again_is_recorded_again() {
    let mut front = front(plain());
    let customer = front.accepts(|_| {}).unwrap().customer;
    let erase = Command::EraseCustomer { customer, reason: Some(sealed("asked for it")) };
    for by in [Actor::Customer(customer), Actor::Agent(ANN), Actor::Provider(front.provider), Actor::System] {
        assert_eq!(front.market.asks(by, erase.clone()), Err(Refusal::Forbidden));
    }
    for _ in 0..2 {
        assert_eq!(names(&front.market.operator(erase.clone()).unwrap()), ["customer.erased"]);
        assert!(matches!(front.accepts(|_| {}), Err(Refusal::CustomerErased)));
    }
    let start = domain::command::Acceptance { link: None, topics: vec![topic("cards/lost")], ..front.acceptance() };
    let started = front.market.operator(Command::StartInquiry(Box::new(start)));
    assert!(matches!(started, Err(Refusal::CustomerErased)), "nor does anybody turn to it");
    front.accepts(|ask| ask.customer = OTHER).unwrap();
    // What is refused of everybody is said first.
    assert_eq!(front.accepts(|ask| ask.offer_revision = Some(9)), Err(Refusal::StaleRevision { current: 1 }));
}

/// A step of a random day of two customers.
#[derive(Clone, Debug)]
enum Deed {
    Comes { erased: bool, how: u8 },
    Bids,
    Accepts,
    Leaves,
    Passes(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (any::<bool>(), 0..4u8).prop_map(|(erased, how)| Deed::Comes { erased, how }),
        2 => Just(Deed::Bids),
        2 => Just(Deed::Accepts),
        1 => Just(Deed::Leaves),
        2 => (1..40i64).prop_map(Deed::Passes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever goes on: soon after it is forgotten nothing of it is open, nothing of anybody else has gone, and no more
    /// decisions were needed than it had inquiries. The auditor looks at holds, capacities and queues after each.
    #[test]
    fn all_of_it_ends_and_nothing_else(deeds in prop::collection::vec(deed(), 1..24)) {
        let mut market = Market::with(&[ANN, BEN]);
        let mut ids = vec![];
        for deed in deeds {
            match deed {
                Deed::Comes { erased, how } => {
                    let customer = if erased { CUSTOMER } else { OTHER };
                    let long = OfferTerms { max_wait: Span::days(1), max_open: Some(90), ..claimed() };
                    let terms = match how {
                        0 => long,
                        1 => OfferTerms { max_wait: Span::days(1), ..terms::terms(forward(Open)) },
                        2 => OfferTerms { wrap_up: Some(seconds(20)), ..long },
                        _ => OfferTerms {
                            allocation: Allocation::Routed {
                                direction: Direction::Forward, policy: RoutingPolicy::LongestIdle, price: None,
                            },
                            ..long
                        },
                    };
                    ids.push((customer, market.inquires_for(customer, terms, &["help"])));
                }
                // What cannot be done now is refused, and the day goes on.
                Deed::Bids => drop(market.inquiry_auction().map(|auction| market.bids_in(auction, ANN, "1.00"))),
                Deed::Accepts => {
                    if let Some((id, row)) = market.any_pending() {
                        drop(market.agent(row, Command::AcceptReservation { reservation: id }));
                    } else if market.has(market.inquiry) {
                        drop(market.claims(BEN));
                    }
                }
                Deed::Leaves => {
                    let inquiry = market.inquiry;
                    drop(market.customer(Command::WithdrawInquiry { inquiry, reason: None }));
                }
                Deed::Passes(span) => drop(market.pass(seconds(span))),
            }
        }
        let open = |market: &Market, of: CustomerId| -> Vec<InquiryId> {
            let mine = ids.iter().filter(|(customer, id)| *customer == of && market.has(*id));
            mine.map(|(_, id)| *id).collect()
        };
        let wraps_up = |market: &Market, id: &InquiryId| {
            market.state.inquiries.get(*id).is_some_and(|row| row.state == InquiryState::WrapUp)
        };
        let others = open(&market, OTHER);
        let mine = open(&market, CUSTOMER).iter().filter(|id| !wraps_up(&market, id)).count();
        let mut events = market.forgets(CUSTOMER).unwrap();
        events.extend(market.pass(Span(ROUNDS_PAUSE.0 * mine as i64)));
        prop_assert!(open(&market, CUSTOMER).iter().all(|id| wraps_up(&market, id)));
        prop_assert_eq!(open(&market, OTHER), others);
        prop_assert_eq!(names(&events).iter().filter(|name| **name == "customer.forgotten").count(), mine);
        prop_assert!(market.state.erased.is_empty());
    }
}
