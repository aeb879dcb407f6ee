//! Who is kept from whom: nothing begins between a provider and an agent that it blocks, what stands goes on, and what
//! waits is given out when the block is taken back.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::block::AGENTS_MAX;
use domain::command::{AgentChoice, Command};
use domain::event::Event;
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::ids::{AgentId, ProviderId, SessionId};
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
