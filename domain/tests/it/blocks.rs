//! Who is kept from whom: nothing begins between a provider and an agent that it blocks, nor between an agent and a
//! customer whom it keeps away from; what stands goes on, and what waits is given out when the block is taken back. Of
//! whom a provider blocks nothing is accepted for it.

use crate::community::{front, plain};
use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::block::{AGENTS_MAX, CUSTOMERS_OF_AGENT_MAX, CUSTOMERS_OF_PROVIDER_MAX};
use domain::command::{AgentChoice, Command};
use domain::event::Event;
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId, SessionId};
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::why::ExclusionReason;

fn routed() -> OfferTerms {
    let allocation =
        Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::LongestIdle, price: None };
    OfferTerms { allocation, ..terms::terms(forward(AuctionFormat::Open)) }
}
fn claimed() -> OfferTerms {
    let allocation = Allocation::Claim { direction: Direction::Reverse, price: None };
    OfferTerms { allocation, ..terms::terms(forward(AuctionFormat::Open)) }
}
fn asked(events: &[Event]) -> Vec<AgentId> {
    let opened = |event: &Event| match event {
        Event::Reservation(ReservationEvent::Opened(e)) => Some(e.agent),
        _ => None,
    };
    events.iter().filter_map(opened).collect()
}
/// Of the first choice among them: why each was left out, by number.
fn left_out(events: &[Event]) -> Vec<(ExclusionReason, Vec<u32>)> {
    let why = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => Some(e.why.clone()),
        Event::Auction(AuctionEvent::Awarded(e)) => Some(e.why.clone()),
        Event::Auction(AuctionEvent::Unsold(e)) => Some(e.why.clone()),
        Event::Reservation(ReservationEvent::Opened(e)) => e.invitation.as_ref()?.why.clone(),
        _ => None,
    };
    let why = events.iter().find_map(why).expect("somebody was chosen, or nobody");
    why.excluded.iter().map(|group| (group.reason, group.agents.clone())).collect()
}
fn invites(session: SessionId, agent: AgentChoice) -> Command {
    Command::InviteAgent { session, agent }
}

#[test]
fn a_provider_blocks_and_an_operator_for_it_and_nobody_else() {
    let mut market = Market::with(&[ANN]);
    let block = Command::BlockAgent { agent: ANN, provider: PROVIDER };
    assert_eq!(market.agent(ANN, block.clone()), Err(Refusal::Forbidden));
    assert_eq!(market.customer(block.clone()), Err(Refusal::Forbidden));
    let another = Actor::Provider(ProviderId(2));
    assert_eq!(market.asks(another.clone(), block.clone()), Err(Refusal::NotFound { field: "providerId" }));
    let unblock = Command::UnblockAgent { agent: ANN, provider: PROVIDER };
    assert_eq!(market.asks(another, unblock.clone()), Err(Refusal::NotFound { field: "providerId" }));
    assert_eq!(market.blocks(DAN, true), Err(Refusal::NotFound { field: "agentId" }));
    assert_eq!(market.blocks(DAN, false), Err(Refusal::NotFound { field: "agentId" }));
    assert_eq!(names(&market.blocks(ANN, true).unwrap()), ["agent.blocked"]);
    assert_eq!(names(&market.operator(block).unwrap()), ["agent.blocked"], "asked for again it is recorded again");
    assert_eq!(*market.who(ANN).blocked_by, [PROVIDER]);
    assert_eq!(names(&market.operator(unblock.clone()).unwrap()), ["agent.unblocked"]);
    assert_eq!(names(&market.operator(unblock).unwrap()), ["agent.unblocked"]);
    assert!(market.who(ANN).blocked_by.is_empty());
}

#[test]
fn a_blocked_agent_is_not_selected_and_the_why_says_so() {
    let mut market = Market::with(&[ANN, BEN]);
    market.blocks(ANN, true).unwrap();
    let events = market.registers(routed(), &["help"]).unwrap();
    assert_eq!(asked(&events), [BEN], "Ann has been idle longer");
    assert_eq!(left_out(&events), [(ExclusionReason::Blocked, vec![1])]);
    // Another provider's come to it.
    let acceptance = market.acceptance(routed(), &["help"]);
    let other = domain::event::community::OfferAccepted { provider: ProviderId(2), ..acceptance };
    assert_eq!(asked(&market.registers_this(other).unwrap()), [ANN]);
}

#[test]
fn a_blocked_agent_neither_claims_nor_bids() {
    let mut market = Market::with(&[ANN, BEN]);
    market.blocks(ANN, true).unwrap();
    market.inquires(claimed(), &["help"]);
    assert_eq!(market.claims(ANN), Err(Refusal::AgentBlocked));
    let told = Refusal::AgentBlocked;
    assert_eq!((told.code(), told.retryable(), told.field()), ("NOT_ALLOWED_NOW", true, None));
    assert_eq!(told.message(), "This inquiry goes to other agents.", "not who says so");
    market.blocks(ANN, false).unwrap();
    market.claims(ANN).unwrap();

    market.blocks(BEN, true).unwrap();
    market.auctions(forward(AuctionFormat::Open));
    assert_eq!(market.bids(BEN, "1.00"), Err(Refusal::AgentBlocked));
}

#[test]
fn its_standing_value_is_not_bid_at_an_opening() {
    let mut market = Market::with(&[ANN, BEN]);
    for agent in [ANN, BEN] {
        market.values(agent, "help", Direction::Forward, Some("3.00"), None).unwrap();
    }
    market.blocks(ANN, true).unwrap();
    let events = market.registers(terms::terms(forward(AuctionFormat::Proxy)), &["help"]).unwrap();
    let placed = |event: &Event| match event {
        Event::Auction(AuctionEvent::BidPlaced(e)) => Some(e.agent),
        _ => None,
    };
    assert_eq!(events.iter().filter_map(placed).collect::<Vec<_>>(), [BEN]);
}

#[test]
fn a_bid_that_stands_is_passed_over_at_the_award_and_nothing_of_it_is_held() {
    for format in [AuctionFormat::SealedFirstPrice, AuctionFormat::Open, AuctionFormat::Proxy] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(forward(format));
        market.bid(BEN, "1.00");
        market.bid(ANN, "5.00");
        market.blocks(ANN, true).unwrap();
        let events = market.closes();
        let reason = |event: &Event| match event {
            Event::Auction(AuctionEvent::BidForfeited(e)) => Some((e.agent, e.reason)),
            _ => None,
        };
        let forfeited: Vec<_> = events.iter().filter_map(reason).collect();
        assert_eq!(forfeited, [(ANN, LossReason::NotFree)], "told as of whoever is not free");
        assert_eq!(left_out(&events), [(ExclusionReason::Blocked, vec![1])]);
        assert_eq!(market.asked().map(|(agent, _)| agent), Some(BEN));
        assert_eq!((market.held(ANN), market.who(ANN).is_free()), (eur("0.00"), true), "free, and no break");
    }
}

#[test]
fn a_pending_reservation_and_a_session_go_on_and_the_next_choice_passes_it_over() {
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(routed(), &["help"]);
    assert_eq!(market.latest_of(ANN), market.row().reservation().unwrap());
    market.blocks(ANN, true).unwrap();
    market.accepts(ANN).unwrap();
    let session = market.session();
    market.agent(ANN, Command::SaveNotes { session, notes: sealed("on") }).unwrap();
    market.agent(ANN, Command::EndSession { session }).unwrap();

    // Asked before the platform went down, blocked meanwhile: it is not asked anew.
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(routed(), &["help"]);
    market.blocks(ANN, true).unwrap();
    let deadline = market.state.reservations.get(market.latest_of(ANN)).unwrap().deadline;
    let events = market.wakes_at(deadline);
    assert_eq!(asked(&events), [BEN]);
    // Nor is it asked second.
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(routed(), &["help"]);
    market.blocks(BEN, true).unwrap();
    let events = market.declines(ANN).unwrap();
    assert_eq!((asked(&events), market.row().state), (vec![], InquiryState::Queued));
}

#[test]
fn nobody_invites_or_hands_over_to_it_whether_it_is_there_or_not() {
    let mut market = Market::with(&[ANN]);
    for (agent, law) in [(BEN, 3), (CAT, 2)] {
        market.register(agent, &[skill("law", law)], 3, None);
        market.available(agent);
    }
    market.inquires(claimed(), &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    market.blocks(BEN, true).unwrap();
    // As of anybody who cannot come: it is nothing to its colleague.
    let named = |agent| AgentChoice::Named(agent);
    assert_eq!(market.agent(ANN, invites(session, named(BEN))), Err(Refusal::AgentNotAvailable));
    let hands_over = Command::TransferSession { session, to: named(BEN), note: None };
    assert_eq!(market.agent(ANN, hands_over.clone()), Err(Refusal::AgentNotAvailable));
    let skilled = AgentChoice::Skilled(vec![skill("law", 2)]);
    let events = market.agent(ANN, invites(session, skilled)).unwrap();
    assert_eq!(asked(&events), [CAT], "Ben is better");
    assert_eq!(left_out(&events), [(ExclusionReason::Blocked, vec![2])]);

    // Who joined before stays, and does not take it over.
    market.blocks(BEN, false).unwrap();
    market.agent(ANN, invites(session, named(BEN))).unwrap();
    market.accepts(BEN).unwrap();
    market.blocks(BEN, true).unwrap();
    assert!(market.state.sessions.get(session).unwrap().agents().any(|agent| agent == BEN));
    assert_eq!(market.agent(ANN, hands_over), Err(Refusal::AgentNotAvailable));
}

#[test]
fn what_waits_is_given_to_whom_the_block_is_taken_back_from_at_once() {
    let mut market = Market::with(&[ANN]);
    market.blocks(ANN, true).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!(market.row().state, InquiryState::Queued);
    let events = market.blocks(ANN, false).unwrap();
    assert_eq!(names(&events), ["agent.unblocked", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!(names(&market.followed), ["inquiry.selection_made", "reservation.opened"], "by the platform");

    // An unsold one gets its next round, and not before.
    let mut market = Market::with(&[ANN]);
    market.blocks(ANN, true).unwrap();
    market.auctions(forward(AuctionFormat::Open).rounds(2));
    assert_eq!(names(&market.closes())[..], ["auction.unsold", "inquiry.requeued"], "a round for nobody");
    market.rests(ANN);
    assert_eq!(names(&market.available(ANN)), ["agent.status_set"], "free, and kept from it");
    assert_eq!(names(&market.blocks(ANN, true).unwrap()), ["agent.blocked"]);
    let events = market.blocks(ANN, false).unwrap();
    assert_eq!(names(&events), ["agent.unblocked", "auction.opened"]);
    let again = market.blocks(ANN, false).unwrap();
    assert_eq!(names(&again), ["agent.unblocked"], "who was not blocked is not freed");
}

#[test]
fn a_provider_blocks_so_many_agents_of_a_call_server_and_no_more() {
    let mut market = Market::empty();
    market.audited = false;
    let agents: Vec<AgentId> = (0..=AGENTS_MAX as u128).map(|number| AgentId(1_000 + number)).collect();
    for agent in &agents {
        market.register(*agent, &[], 1, None);
    }
    for agent in &agents[1..] {
        market.blocks(*agent, true).unwrap();
    }
    assert!(matches!(market.blocks(agents[0], true), Err(Refusal::LimitReached { .. })));
    market.blocks(agents[1], true).unwrap();
    let other = Command::BlockAgent { agent: agents[0], provider: ProviderId(2) };
    market.asks(Actor::Provider(ProviderId(2)), other).unwrap();
    market.blocks(agents[1], false).unwrap();
    market.blocks(agents[0], true).unwrap();
}

const OTHER: CustomerId = CustomerId(2);

fn of_other(market: &Market, terms: OfferTerms) -> domain::event::community::OfferAccepted {
    domain::event::community::OfferAccepted { customer: OTHER, ..market.acceptance(terms, &["help"]) }
}

#[test]
fn an_agent_keeps_away_from_a_customer_and_an_operator_for_it_and_nobody_else() {
    let mut market = Market::with(&[ANN]);
    let (owner, customer, inquiry) = (Party::Agent(ANN), CUSTOMER, InquiryId(1));
    let block = Command::BlockCustomer { owner, customer, inquiry };
    let unblock = Command::UnblockCustomer { owner, customer };
    let missing = Err(Refusal::NotFound { field: "agentId" });
    for command in [block.clone(), unblock.clone()] {
        assert_eq!(market.customer(command.clone()), Err(Refusal::Forbidden));
        assert_eq!(market.agent(BEN, command.clone()), missing, "not for another one");
        assert_eq!(market.asks(Actor::Provider(PROVIDER), command), missing);
    }
    let nobody = Command::BlockCustomer { owner: Party::Agent(DAN), customer, inquiry };
    assert_eq!(market.operator(nobody), missing);
    let elsewhere = Command::BlockCustomer { owner: Party::Provider(PROVIDER), customer, inquiry };
    assert_eq!(market.operator(elsewhere), Err(Refusal::NotFound { field: "providerId" }), "that is community's");
    assert_eq!(names(&market.agent(ANN, block.clone()).unwrap()), ["agent.customer_blocked"]);
    assert_eq!(names(&market.operator(block).unwrap()), ["agent.customer_blocked"]);
    assert_eq!(*market.who(ANN).blocks, [CUSTOMER]);
    for _ in 0..2 {
        assert_eq!(names(&market.operator(unblock.clone()).unwrap()), ["agent.customer_unblocked"]);
    }
    assert!(market.who(ANN).blocks.is_empty());
}

/// As somebody who is busy: a provider that blocks nobody would read from another word what it is not told.
#[test]
fn who_keeps_away_gets_nothing_of_the_customer_and_the_why_does_not_say_so() {
    let mut market = Market::with(&[ANN, BEN]);
    market.keeps_away(ANN, true).unwrap();
    let events = market.registers(routed(), &["help"]).unwrap();
    assert_eq!(asked(&events), [BEN], "Ann has been idle longer");
    assert_eq!(left_out(&events), [(ExclusionReason::NotAvailable, vec![1])]);
    let acceptance = of_other(&market, routed());
    assert_eq!(asked(&market.registers_this(acceptance).unwrap()), [ANN], "somebody else's come to it");
    market.declines(ANN).unwrap();

    market.inquires(claimed(), &["help"]);
    assert_eq!(market.claims(ANN), Err(Refusal::AgentKeepsAway));
    let (own, providers) = (Refusal::AgentKeepsAway, Refusal::AgentBlocked);
    assert_eq!((own.code(), own.message()), (providers.code(), providers.message()), "one word for both");
    assert!(own.retryable() && own.field().is_none());
    market.auctions(forward(AuctionFormat::Open));
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentKeepsAway));

    // A bid that stands is passed over.
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(AuctionFormat::SealedFirstPrice));
    market.bid(BEN, "1.00");
    market.bid(ANN, "5.00");
    market.keeps_away(ANN, true).unwrap();
    let events = market.closes();
    assert_eq!(left_out(&events), [(ExclusionReason::NotAvailable, vec![1])]);
    assert_eq!(market.asked().map(|(agent, _)| agent), Some(BEN));
    assert_eq!((market.held(ANN), market.who(ANN).is_free()), (eur("0.00"), true));
}

#[test]
fn nobody_invites_or_hands_over_to_who_keeps_away_whether_it_is_there_or_not() {
    let mut market = Market::with(&[ANN]);
    for (agent, law) in [(BEN, 3), (CAT, 2)] {
        market.register(agent, &[skill("law", law)], 3, None);
        market.available(agent);
    }
    market.inquires(claimed(), &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    let named = || AgentChoice::Named(BEN);
    market.keeps_away(BEN, true).unwrap();
    assert_eq!(market.agent(ANN, invites(session, named())), Err(Refusal::AgentNotAvailable));
    let skilled = AgentChoice::Skilled(vec![skill("law", 2)]);
    let events = market.agent(ANN, invites(session, skilled)).unwrap();
    assert_eq!((asked(&events), left_out(&events)[0].clone()), (vec![CAT], (ExclusionReason::NotAvailable, vec![2])));
    market.keeps_away(BEN, false).unwrap();
    market.agent(ANN, invites(session, named())).unwrap();
    market.accepts(BEN).unwrap();
    market.keeps_away(BEN, true).unwrap();
    let hands_over = Command::TransferSession { session, to: named(), note: None };
    assert_eq!(market.agent(ANN, hands_over), Err(Refusal::AgentNotAvailable));
    market.keeps_away(ANN, true).unwrap();
    market.agent(ANN, Command::EndSession { session }).unwrap();
}

#[test]
fn what_waits_is_given_to_who_no_longer_keeps_away_at_once() {
    let mut market = Market::with(&[ANN]);
    market.keeps_away(ANN, true).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!(market.row().state, InquiryState::Queued);
    let events = market.keeps_away(ANN, false).unwrap();
    assert_eq!(names(&events), ["agent.customer_unblocked", "inquiry.selection_made", "reservation.opened"]);
    let mut market = Market::with(&[ANN]);
    market.keeps_away(ANN, true).unwrap();
    market.auctions(forward(AuctionFormat::Open).rounds(2));
    market.closes();
    assert_eq!(names(&market.keeps_away(ANN, false).unwrap()), ["agent.customer_unblocked", "auction.opened"]);
}

#[test]
fn who_is_erased_is_kept_from_nobody_once_nothing_of_it_is_left() {
    // Nothing of it is open, and still it is let go of.
    let mut market = Market::with(&[ANN, BEN]);
    market.keeps_away(ANN, true).unwrap();
    assert_eq!(names(&market.forgets(CUSTOMER).unwrap()), ["customer.forgotten"]);
    assert!(market.who(ANN).blocks.is_empty());
    assert!(market.forgets(CUSTOMER).unwrap().is_empty(), "nobody knows it any more");

    // While something is, it stays away.
    market.rests(BEN);
    market.keeps_away(ANN, true).unwrap();
    market.inquires(routed(), &["help"]);
    market.inquires(routed(), &["help"]);
    assert_eq!(names(&market.forgets(CUSTOMER).unwrap())[..2], ["customer.forgotten", "inquiry.withdrawn"]);
    assert_eq!(*market.who(ANN).blocks, [CUSTOMER]);
    assert!(matches!(market.keeps_away(BEN, true), Err(Refusal::CustomerErased)), "it is being erased");
    market.pass(seconds(1));
    assert!(market.who(ANN).blocks.is_empty() && market.state.erased.is_empty());
}

#[test]
fn an_agent_keeps_away_from_so_many_and_no_more() {
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let block = |customer| Command::BlockCustomer { owner: Party::Agent(ANN), customer, inquiry: InquiryId(1) };
    for number in 1..=CUSTOMERS_OF_AGENT_MAX as u128 {
        market.agent(ANN, block(CustomerId(number))).unwrap();
    }
    let one_more = block(CustomerId(7_000));
    assert!(matches!(market.agent(ANN, one_more.clone()), Err(Refusal::LimitReached { .. })));
    market.agent(ANN, block(CustomerId(9))).unwrap();
    market.agent(ANN, Command::UnblockCustomer { owner: Party::Agent(ANN), customer: CustomerId(9) }).unwrap();
    market.agent(ANN, one_more).unwrap();
}

#[test]
fn of_whom_a_provider_blocks_nothing_is_accepted_for_it_however_it_comes() {
    let mut front = front(plain());
    let accepted = front.accepts(|_| {}).unwrap();
    let (customer, inquiry, provider) = (accepted.customer, accepted.inquiry, front.provider);
    let owner = Party::Provider(provider);
    let block = Command::BlockCustomer { owner, customer, inquiry };
    assert_eq!(front.market.customer(block.clone()), Err(Refusal::Forbidden));
    let missing = Err(Refusal::NotFound { field: "providerId" });
    assert_eq!(front.market.asks(Actor::Provider(ProviderId(99)), block.clone()), missing);
    assert_eq!(front.market.agent(ANN, block.clone()), missing);
    for by in [Actor::Provider(provider), Actor::Operator("ops".into())] {
        assert_eq!(names(&front.market.asks(by, block.clone()).unwrap()), ["provider.customer_blocked"]);
    }
    let refused = Err("NOT_ALLOWED_NOW");
    let by_token = front.accepts(|_| {}).map(|_| ()).map_err(|refusal| refusal.code());
    assert_eq!(by_token, refused);
    let start = domain::command::Acceptance { link: None, topics: vec![topic("cards/lost")], ..front.acceptance() };
    let start = Command::StartInquiry(Box::new(start));
    assert_eq!(front.market.operator(start.clone()).map_err(|refusal| refusal.code()), Err("NOT_ALLOWED_NOW"));
    assert_eq!(front.market.agent(ANN, start.clone()).map_err(|refusal| refusal.code()), Err("NOT_ALLOWED_NOW"));
    front.accepts(|ask| ask.customer = OTHER).unwrap();
    let unblock = Command::UnblockCustomer { owner, customer };
    assert_eq!(names(&front.market.operator(unblock).unwrap()), ["provider.customer_unblocked"]);
    front.accepts(|_| {}).unwrap();
    front.market.operator(start).unwrap();

    // Its erasure takes it off the list, and nobody puts it there again.
    front.market.operator(block.clone()).unwrap();
    front.market.operator(Command::EraseCustomer { customer, reason: None }).unwrap();
    assert!(front.market.state.providers.get(provider).unwrap().blocks.is_empty());
    assert!(matches!(front.market.operator(block), Err(Refusal::CustomerErased)));
}

#[test]
fn a_provider_blocks_so_many_customers_and_no_more() {
    let mut front = front(plain());
    front.market.audited = false;
    let owner = Party::Provider(front.provider);
    let block = |number| Command::BlockCustomer { owner, customer: CustomerId(number), inquiry: InquiryId(1) };
    for number in 1..=CUSTOMERS_OF_PROVIDER_MAX as u128 {
        front.market.operator(block(number)).unwrap();
    }
    assert!(matches!(front.market.operator(block(70_000)), Err(Refusal::LimitReached { .. })));
    front.market.operator(block(9)).unwrap();
    front.market.operator(Command::UnblockCustomer { owner, customer: CustomerId(9) }).unwrap();
    front.market.operator(block(70_000)).unwrap();
}
