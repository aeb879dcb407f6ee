//! Claims: selecting opens the session; one agent has the inquiry; what a claim needs; who pays.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::community::OfferAccepted;
use domain::event::inquiry::InquiryEvent;
use domain::event::session::SessionEvent;
use domain::event::wallet::Party;
use domain::ids::{InquiryId, ProviderId};
use domain::money::Money;
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::why::ExclusionReason;
use proptest::prelude::*;

fn offer(direction: Direction, price: Option<&str>) -> OfferTerms {
    let plain = terms::terms(forward(AuctionFormat::Open));
    OfferTerms { allocation: Allocation::Claim { direction, price: price.map(eur) }, ..plain }
}
fn free_of_charge() -> OfferTerms {
    offer(Direction::Reverse, None)
}

#[test]
fn selecting_opens_the_session_and_says_why() {
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(free_of_charge(), &["help"]);
    assert_eq!(market.row().state, InquiryState::Queued, "nobody is asked: agents come by themselves");
    let informed =
        market.log.iter().any(|(_, event)| matches!(event, Event::Inquiry(InquiryEvent::InformationAnswered(_))));
    assert!(informed, "the customer's information is recorded before anybody can select");
    let events = market.claims(ANN).unwrap();
    assert_eq!(names(&events), ["inquiry.selection_made", "session.opened", "queue.retired"]);
    let Event::Inquiry(InquiryEvent::SelectionMade(made)) = &events[0] else { panic!() };
    assert_eq!((made.agent, made.why.chosen, made.why.rule.as_str()), (Some(ANN), Some(ANN.into()), "claim/1"));
    assert_eq!(market.row().state, InquiryState::Engaged);
    assert_eq!((market.who(ANN).load(), market.who(BEN).load()), (1, 0));
    assert_eq!(market.claims(BEN), Err(Refusal::InquiryTaken), "nobody has it twice");
    assert_eq!(market.claims(ANN), Err(Refusal::InquiryTaken));
}

#[test]
fn each_thing_that_a_claim_needs() {
    let mut market = Market::with(&[ANN]);
    let nothing = NotFound::inquiry();
    market.inquiry = InquiryId(77);
    assert_eq!(market.claims(ANN), Err(nothing.clone()));
    market.inquires(free_of_charge(), &["help"]);
    assert_eq!(market.claims(DAN), Err(nothing), "an agent of another call server sees no inquiry here");
    let claim = Command::ClaimInquiry { inquiry: market.inquiry };
    assert_eq!(market.operator(claim.clone()), Err(Refusal::Forbidden));
    assert_eq!(market.customer(claim), Err(Refusal::Forbidden));

    market.register(BEN, &[skill("help", 1)], 1, Some(PROVIDER));
    market.available(BEN);
    assert_eq!(market.claims(BEN), Err(Refusal::AgentNotIndependent));
    market.register(CAT, &[skill("cards", 9)], 1, Some(ProviderId(2)));
    assert_eq!(market.claims(CAT), Err(Refusal::AgentNotAvailable), "OFFLINE until it says otherwise");
    market.available(CAT);
    assert_eq!(market.claims(CAT), Err(Refusal::AgentLacksSkill));
    market.rests(ANN);
    assert_eq!(market.claims(ANN), Err(Refusal::AgentNotAvailable));
    market.available(ANN);
    market.claims(ANN).unwrap();
    market.inquires(free_of_charge(), &["help"]);
    assert_eq!(market.claims(ANN), Err(Refusal::AgentAtCapacity));
    let session = market.log.iter().rev().find_map(|(_, event)| match event {
        Event::Session(SessionEvent::Opened(e)) => Some(e.session),
        _ => None,
    });
    market.agent(ANN, Command::EndSession { session: session.unwrap() }).unwrap();
    assert_eq!(market.claims(ANN), Err(Refusal::AgentNotAvailable), "in wrap-up");
}

/// Work that somebody makes for itself at a provider's cost is for somebody else; at its own cost, or at nobody's, it
/// may have it.
#[test]
fn who_started_an_inquiry_is_not_paid_for_it() {
    let started = |market: &mut Market, terms: OfferTerms| {
        let acceptance = market.acceptance(terms, &["help"]);
        market.registers_this(OfferAccepted { started_by: Some(ANN), ..acceptance }).unwrap();
    };
    let allocated = |allocation: Allocation| OfferTerms { allocation, ..free_of_charge() };
    let routed = |price: Option<&str>| {
        let policy = RoutingPolicy::LongestIdle;
        allocated(Allocation::Routed { direction: Direction::Reverse, policy, price: price.map(eur) })
    };
    let mut market = Market::with(&[ANN, BEN]);
    started(&mut market, offer(Direction::Reverse, Some("3.00")));
    assert_eq!(market.claims(ANN), Err(Refusal::AgentStartedIt));
    market.claims(BEN).unwrap();

    let mut market = Market::with(&[ANN, BEN]);
    started(&mut market, routed(Some("3.00")));
    assert_eq!(market.pending().unwrap().1.agent, BEN, "ANN has been idle for longer");
    let made = market.log.iter().find_map(|(_, event)| match event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => Some(e.why.excluded.clone()),
        _ => None,
    });
    let left_out = made.unwrap();
    assert_eq!((left_out[0].reason, &left_out[0].agents), (ExclusionReason::NotIndependent, &vec![1]));

    let mut market = Market::with(&[ANN, BEN]);
    started(&mut market, terms::terms(reverse(AuctionFormat::Open)));
    assert_eq!(market.bids(ANN, "3.00"), Err(Refusal::AgentStartedIt));
    market.bid(BEN, "3.00");

    for costs_the_provider_nothing in [free_of_charge(), offer(Direction::Forward, Some("3.00"))] {
        let mut market = Market::with(&[ANN]);
        started(&mut market, costs_the_provider_nothing);
        market.claims(ANN).unwrap();
    }
    let mut market = Market::with(&[ANN]);
    started(&mut market, routed(None));
    assert_eq!(market.pending().unwrap().1.agent, ANN);
    let mut market = Market::with(&[ANN]);
    started(&mut market, terms::terms(forward(AuctionFormat::Open)));
    market.bid(ANN, "3.00");
}

/// The refusal of what is not there.
struct NotFound;
impl NotFound {
    fn inquiry() -> Refusal {
        Refusal::NotFound { field: "inquiryId" }
    }
}

#[test]
fn only_offers_that_say_so_are_claimed() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(AuctionFormat::Open));
    assert_eq!(market.claims(ANN), Err(Refusal::OtherAllocation));
}

#[test]
fn a_claim_at_the_end_of_the_wait_is_late() {
    for (at, answer) in [
        (before(second(3_600)), None),
        (second(3_600), Some(Refusal::InquiryClosed)),
        (second(3_600) + MICROSECOND, Some(Refusal::InquiryClosed)),
    ] {
        let mut market = Market::with(&[ANN]);
        market.inquires(free_of_charge(), &["help"]);
        market.jumps_to(at);
        assert_eq!(market.claims(ANN).err(), answer, "{at:?}");
    }
}

#[test]
fn whoever_pays_has_the_money_or_there_is_no_claim() {
    for (has, enough) in [("4.99", false), ("5.00", true), ("5.01", true)] {
        let mut market = Market::empty();
        market.hire(ANN, has, 1);
        market.inquires(offer(Direction::Forward, Some("5.00")), &["help"]);
        let answer = market.claims(ANN);
        if !enough {
            assert_eq!(answer, Err(Refusal::InsufficientFunds { available: eur(has) }));
            continue;
        }
        assert!(names(&answer.unwrap()).contains(&"settlement.escrowed"));
        assert_eq!(market.balance(Party::Agent(ANN)), eur(has).minus(eur("5.00")).unwrap());
        assert_eq!(market.held(ANN), eur("0.00"), "a claim holds nothing: it pays");
    }
    // REVERSE: the provider pays, up to its limit.
    for (limit, enough) in [("4.99", false), ("5.00", true), ("5.01", true)] {
        let mut market = Market::with(&[ANN]);
        market.limits(PROVIDER, limit);
        market.inquires(offer(Direction::Reverse, Some("5.00")), &["help"]);
        let answer = market.claims(ANN);
        if !enough {
            assert_eq!(answer, Err(Refusal::ProviderCannotPay), "how much it has is not told");
            continue;
        }
        assert!(answer.is_ok());
        assert_eq!(market.balance(Party::Provider(PROVIDER)), eur("5.00").negated());
    }
    // Without a limit it pays on account.
    let mut market = Market::with(&[ANN]);
    market.inquires(offer(Direction::Reverse, Some("5.00")), &["help"]);
    market.claims(ANN).unwrap();
    assert_eq!(market.balance(Party::Provider(PROVIDER)), eur("5.00").negated());
}

#[test]
fn a_price_is_more_than_zero() {
    let checked = |price: Money| {
        domain::check::terms(&OfferTerms {
            allocation: Allocation::Claim { direction: Direction::Forward, price: Some(price) },
            ..free_of_charge()
        })
    };
    assert_eq!(checked(eur("0.01")), Ok(()));
    for wrong in ["0.00", "-0.01"] {
        let refused = checked(eur(wrong)).unwrap_err();
        assert_eq!(refused.field().unwrap(), ["allocation", "claim", "price", "amount"]);
    }
}

#[test]
fn what_was_claimed_is_wrapped_up_like_any_other() {
    let mut market = Market::with(&[ANN]);
    market.inquires(offer(Direction::Forward, Some("5.00")), &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    market.customer(Command::EndSession { session }).unwrap();
    let done = market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert_eq!(names(&done), ["session.wrap_up_completed", "settlement.pending", "inquiry.completed"]);
    assert!(market.who(ANN).is_free());
    market.will(ANN, Will::Offline);
}

proptest! {
    /// However many select however many inquiries, in whatever order: each is had once, and nobody beyond capacity.
    #[test]
    fn one_session_however_many_claim(
        capacities in proptest::collection::vec(1u32..4, 2..5),
        claims in proptest::collection::vec((0usize..5, 0usize..6), 1..60),
        inquiries in 1usize..6,
    ) {
        let agents = [ANN, BEN, CAT, DAN];
        let mut market = Market::empty();
        for (agent, capacity) in agents.iter().zip(&capacities) {
            market.hire(*agent, "0", *capacity);
        }
        let asked: Vec<InquiryId> = (0..inquiries).map(|_| market.inquires(free_of_charge(), &["help"])).collect();
        let mut had = vec![0; inquiries];
        for (agent, inquiry) in claims {
            let (agent, at) = (agents[agent % capacities.len()], inquiry % inquiries);
            let free = market.who(agent).is_free();
            let answer = market.asks(Actor::Agent(agent), Command::ClaimInquiry { inquiry: asked[at] });
            match answer {
                Ok(_) => had[at] += 1,
                Err(Refusal::InquiryTaken) => prop_assert_eq!(had[at], 1),
                Err(Refusal::AgentAtCapacity) => prop_assert!(!free && had[at] == 0),
                Err(other) => panic!("{other:?}"),
            }
            prop_assert!(had[at] <= 1);
        }
        let sessions = market.log.iter().filter(|(_, event)| matches!(event, Event::Session(SessionEvent::Opened(_)))).count();
        prop_assert_eq!(sessions, had.iter().sum::<usize>());
    }
}
