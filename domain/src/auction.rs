//! Auctions: bidding rounds over one inquiry. Four formats, two directions, one tie rule (the earlier
//! recorded bid), one hold per agent and auction. What a bid costs stands in `pricing`, who wins in
//! `award`.

use crate::actor::Actor;
use crate::agent::{self, eligible};
use crate::award;
use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::{AgentEvent, AgentRoundsPutOff};
use crate::event::auction::*;
use crate::event::inquiry::InquiryEvent;
use crate::event::reservation::ReservationEvent;
use crate::event::session::SessionEvent;
use crate::event::wallet::Party;
use crate::ids::{AgentId, AuctionId, BidId, InquiryId};
use crate::inquiry;
use crate::location;
use crate::money::Money;
use crate::pricing;
use crate::refusal::Refusal;
use crate::standing;
use crate::state::{
    Agent, Auction, AuctionPhase, Best, Bid, BidPhase, Bidder, Bidding, CountingBid, Inquiry, InquiryState,
    ReservationPhase, State, Timer,
};
use crate::terms::{Allocation, AuctionFormat, AuctionRules, Direction};
use crate::time::{Span, Timestamp};
use crate::wallet::{self, change_hold};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// Who bids in one auction at most, so that the events of its closing fit one batch.
pub const BIDDERS_MAX: u32 = 1_000;
/// Recorded bids of one bidder in one auction at most. Sealed auctions have no other bound: one over all
/// bids would tell of rivals.
pub const SEALED_BIDS_MAX: u32 = 100;
pub const BIDS_MAX: u32 = 1_000;
/// OPEN and PROXY: recorded bids of one auction, so that its size is bounded. After that a bidder has its
/// first few left, so that nobody can use up what others need.
pub const AUCTION_BIDS_MAX: u32 = 20_000;
pub const FIRST_BIDS: u32 = 10;
/// After the platform was down at a closing, bidders get at least this long.
const LATE_GRACE: Span = Span::seconds(30);
/// Rounds opened by one decision at most, so that its events fit one batch.
pub const ROUNDS_AT_ONCE: usize = 500;
/// Where one decision's rounds do not suffice, the next ones open so much later: commands come in between.
pub const ROUNDS_PAUSE: Span = Span(50_000);

pub(crate) fn open(inquiry: InquiryId, rules: AuctionRules, round: u32, ctx: &Ctx) -> Event {
    AuctionOpened {
        auction: AuctionId(ctx.ids.next()),
        closes_at: ctx.now + rules.open_for,
        hard_closes_at: rules.hard_close.map(|span| ctx.now + span),
        inquiry,
        round,
        rules,
    }
    .into()
}

/// Places a bid for the agent who asks.
pub fn place_bid(state: &State, id: AuctionId, amount: Money, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::Forbidden) };
    bid_for(state, id, agent, amount, ctx)
}

/// The same for an agent who is not asked: by its standing value.
pub(crate) fn bid_for(
    state: &State,
    id: AuctionId,
    agent_id: AgentId,
    amount: Money,
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    let auction = state.auctions.get(id).ok_or(Refusal::NotFound { field: "auctionId" })?;
    // An agent of another call server sees no auction here.
    let agent = state.agents.get(agent_id).ok_or(Refusal::NotFound { field: "auctionId" })?;
    if auction.phase != AuctionPhase::Open || auction.closes_at <= ctx.now {
        return Err(Refusal::AuctionClosed);
    }
    let rules = &auction.rules;
    let direction = rules.direction;
    if amount.currency() != rules.currency {
        return Err(Refusal::BidCurrency { currency: rules.currency });
    }
    if !amount.is_positive() {
        return Err(Refusal::invalid(&["amount", "amount"], "more than zero"));
    }
    check::magnitude(&["amount", "amount"], amount.amount())?;
    agent::suits(agent.applicant(agent_id), auction.demand())?;
    if let Some(until) = agent.barred_until {
        return Err(Refusal::AgentBarred { until });
    }
    let named = amount.amount();
    let bidder = state.bidders.get((id, agent_id));
    let bidding = &auction.bidding;
    let best = bidding.best;
    let leads = best.is_some_and(|best| best.agent == agent_id);
    let free_choice = leads && rules.format == AuctionFormat::Proxy;
    if !free_choice
        && let Some(bound) = pricing::next_bound(rules, bidding.price)
        && !pricing::reaches(direction, named, bound)
    {
        let bound = Money::new(bound, rules.currency).expect("bounds keep the exponent");
        return Err(match direction {
            Direction::Forward => Refusal::BidTooLow { minimum: bound },
            Direction::Reverse => Refusal::BidTooHigh { maximum: bound },
        });
    }
    let bought = rules.buy_now.is_some_and(|buy_now| pricing::reaches(direction, named, buy_now));
    let standing = match (rules.format, best) {
        (AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice, _) => Standing::Sealed,
        (_, None) => Standing::Leads,
        (AuctionFormat::Proxy, Some(best)) if leads && !pricing::beats(direction, named, best.amount) => {
            Standing::NoEffect
        }
        (_, Some(best)) if pricing::beats(direction, named, best.amount) => Standing::Leads,
        // An amount that equals the leader's maximum is later, so it does not lead. Bought is bought.
        (_, Some(_)) => Standing::OutbidAtOnce,
    };
    if direction == Direction::Forward {
        let held = bidder.map_or(Decimal::ZERO, |bidder| bidder.hold);
        let free =
            wallet::available(state, Party::Agent(agent_id), rules.currency).expect("an agent's wallet has a limit");
        if !pricing::affords(direction, Some(free + held), named) {
            let available =
                Money::new(free + held, rules.currency).expect("sums of amounts at the exponent stay at it");
            return Err(Refusal::InsufficientFunds { available });
        }
    }
    // It would close the auction and be passed over: nobody is to end it for the others by what cannot win, or cannot
    // be paid.
    if bought && standing == Standing::Leads && location::avoided(state, None).contains(&&*agent.location) {
        return Err(Refusal::LocationAvoided);
    }
    if let (Some(buy_now), Direction::Reverse, true, Standing::Leads) = (rules.buy_now, direction, bought, standing) {
        let price = Money::new(buy_now, rules.currency).expect("prices keep the exponent");
        if !award::provider_can_pay(state, auction, price) {
            return Err(Refusal::ProviderOutOfFunds);
        }
    }
    if bidder.is_none() && bidding.bidders == BIDDERS_MAX {
        return Err(Refusal::LimitReached { message: "The auction has as many bidders as it can take." });
    }
    let placed = bidder.map_or(0, |bidder| bidder.bids);
    if placed >= if rules.format.is_sealed() { SEALED_BIDS_MAX } else { BIDS_MAX } {
        return Err(Refusal::LimitReached { message: "You have bid as often as one bidder can in one auction." });
    }
    if !rules.format.is_sealed() && bidding.bids >= AUCTION_BIDS_MAX && placed >= FIRST_BIDS {
        return Err(Refusal::LimitReached { message: "The auction has as many bids as it can take." });
    }

    // After this point the bid stands.
    let bid = BidId(ctx.ids.next());
    let second = second_after(direction, bidding, named, standing, agent_id);
    let price = match rules.format {
        AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice => None,
        AuctionFormat::Open => Some(named),
        AuctionFormat::Proxy => {
            let best = if standing == Standing::Leads { named } else { best.map_or(named, |best| best.amount) };
            pricing::proxy_price(rules, best, second)
        }
    };
    let holds = direction == Direction::Forward && matches!(standing, Standing::Sealed | Standing::Leads);
    let money = |amount| Money::new(amount, rules.currency).expect("prices keep the exponent");
    let supersedes = match standing {
        Standing::NoEffect => None,
        _ => bidder.and_then(|bidder| bidder.bid).map(|counting| counting.id),
    };
    // It, whom it outbids, and what it moves; an award at once makes more.
    let mut events: Vec<Event> = Vec::with_capacity(if rules.soft_close.is_some() { 3 } else { 2 });
    events.push(
        BidPlaced {
            agent: agent_id,
            amount,
            auction: id,
            bid,
            bidder: bidder.map_or(bidding.bidders + 1, |bidder| bidder.number),
            hold: if standing == Standing::NoEffect {
                bidder.map(|bidder| bidder.hold).filter(|hold| !hold.is_zero()).map(money)
            } else {
                holds.then_some(amount)
            },
            inquiry: auction.inquiry,
            price: price.map(money),
            standing,
            supersedes,
        }
        .into(),
    );
    if let (Standing::Leads, Some(best), false) = (standing, best, leads) {
        events.push(BidOutbid { agent: best.agent, auction: id, bid: best.bid, inquiry: auction.inquiry }.into());
    }
    if bought && standing == Standing::Leads {
        let mut bidders = award::standing_bids(state, id, auction);
        bidders.retain(|candidate| candidate.agent != agent_id);
        bidders.push(award::Candidate {
            agent: agent_id,
            amount: named,
            bid,
            number: bidding.bids,
            hold: named,
            phase: BidPhase::Live,
        });
        award::decide_award(state, id, auction, bidders, true, award::Ending::Nothing, ctx, &mut events);
    } else if let (Some(soft), Some(hard), true) =
        (rules.soft_close, auction.hard_closes_at, standing != Standing::NoEffect)
    {
        // An accepted bid leaves the others time to answer, up to the hard close.
        let extended = (ctx.now + soft).min(hard);
        if auction.closes_at < extended {
            let moved = AuctionExtended {
                auction: id,
                bid: Some(bid),
                closes_at: extended,
                hard_closes_at: auction.hard_closes_at,
                inquiry: auction.inquiry,
            };
            events.push(moved.into());
        }
    }
    Ok(events)
}

/// PROXY: the best maximum of anybody but the leader, after a bid.
fn second_after(
    direction: Direction,
    before: &Bidding,
    named: Decimal,
    standing: Standing,
    agent: AgentId,
) -> Option<Decimal> {
    match (standing, before.best) {
        (Standing::Leads, Some(best)) if best.agent != agent => Some(best.amount),
        (Standing::OutbidAtOnce, _) => Some(match before.second {
            Some(second) if pricing::beats(direction, second, named) => second,
            _ => named,
        }),
        _ => before.second,
    }
}

/// Takes a sealed bid back, until closing.
pub fn withdraw_bid(state: &State, id: BidId, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::Forbidden) };
    let missing = Refusal::NotFound { field: "bidId" };
    let bid = state.bids.get(id).filter(|bid| bid.agent == agent).ok_or(missing)?;
    let auction = state.auctions.get(bid.auction).expect("a bid has its auction");
    if auction.phase != AuctionPhase::Open || auction.closes_at <= ctx.now {
        return Err(Refusal::AuctionClosed);
    }
    let counting = state.bidders.get((bid.auction, agent)).and_then(|bidder| bidder.bid);
    let stands = counting.is_some_and(|counting| counting.id == id && counting.phase == BidPhase::Live);
    if !auction.rules.format.is_sealed() || !stands {
        return Err(Refusal::BidNotWithdrawable);
    }
    Ok(vec![BidWithdrawn { agent, auction: bid.auction, bid: id, inquiry: auction.inquiry }.into()])
}

/// The closing is due. `late`: the platform was down at it, so it moves once.
pub fn close(state: &State, id: AuctionId, late: bool, ctx: &Ctx) -> Vec<Event> {
    let auction = state.auctions.get(id).expect("a timer goes with its auction");
    if late && !auction.moved {
        let grace = auction.rules.soft_close.map_or(LATE_GRACE, |soft| Span(soft.0.max(LATE_GRACE.0)));
        let closes_at = ctx.now + grace;
        let hard_closes_at = auction.hard_closes_at.map(|hard| hard.max(closes_at));
        return vec![
            AuctionExtended { auction: id, bid: None, closes_at, hard_closes_at, inquiry: auction.inquiry }.into(),
        ];
    }
    let mut events = Vec::new();
    award::decide_award(
        state,
        id,
        auction,
        award::standing_bids(state, id, auction),
        false,
        award::Ending::Nothing,
        ctx,
        &mut events,
    );
    events
}

/// The inquiry goes away: live bids are lost, holds are free.
pub(crate) fn cancel(state: &State, id: AuctionId, events: &mut Vec<Event>) {
    let auction = state.auctions.get(id).expect("an inquiry's auctions go with it");
    if auction.phase == AuctionPhase::Closed {
        return;
    }
    for candidate in award::standing_bids(state, id, auction) {
        if matches!(candidate.phase, BidPhase::Live | BidPhase::Won) {
            let lost = BidLost {
                agent: candidate.agent,
                auction: id,
                bid: candidate.bid,
                inquiry: auction.inquiry,
                reason: LossReason::InquiryGone,
            };
            events.push(lost.into());
        }
    }
    events.push(AuctionCancelled { auction: id, inquiry: auction.inquiry }.into());
}

/// Who said no to an inquiry, or has it before it now: a round is not opened for them. Who let it lapse is
/// on break, and counts again once it is back.
pub(crate) fn refused_by(state: &State, inquiry: &Inquiry) -> Vec<AgentId> {
    let asked = inquiry
        .reservations
        .iter()
        .map(|id| state.reservations.get(*id).expect("an inquiry's reservations go with it"));
    asked
        .filter(|row| matches!(row.phase, ReservationPhase::Declined | ReservationPhase::Pending))
        .map(|row| row.agent)
        .collect()
}

/// The agents who may become free by these events. Asked before they are applied: who is AVAILABLE and says
/// so again is not freed by it.
pub(crate) fn freed_by(state: &State, events: &[Event]) -> Vec<AgentId> {
    let mut freed = Vec::new();
    for id in events.iter().filter_map(|event| may_free(state, event)) {
        if !freed.contains(&id) {
            freed.push(id);
        }
    }
    // What waits may be desired otherwise: whoever is free looks there.
    let otherwise = |event: &Event| {
        matches!(event, Event::Inquiry(InquiryEvent::Moved(_)))
            || matches!(event, Event::Inquiry(InquiryEvent::Relaxed(e)) if state.waiting.contains(e.inquiry))
    };
    if events.iter().any(otherwise) {
        freed.extend(state.roster.iter().filter(|id| !freed.contains(id)).copied().collect::<Vec<_>>());
    }
    freed
}

fn may_free(state: &State, event: &Event) -> Option<AgentId> {
    match event {
        Event::Agent(AgentEvent::Updated(e)) => Some(e.agent),
        Event::Agent(AgentEvent::StatusSet(e)) => {
            state.agents.get(e.agent).is_some_and(|agent| agent.will != e.will).then_some(e.agent)
        }
        Event::Agent(AgentEvent::RoundsResumed(e)) => Some(e.agent),
        Event::Agent(AgentEvent::Unblocked(e)) => {
            state.agents.get(e.agent).is_some_and(|agent| agent.is_blocked_by(e.provider)).then_some(e.agent)
        }
        // Who was not barred could bid all along.
        Event::Agent(AgentEvent::BarEnded(e)) => Some(e.agent),
        Event::Agent(AgentEvent::StrikesForgiven(e)) => {
            state.agents.get(e.agent).is_some_and(Agent::is_barred).then_some(e.agent)
        }
        Event::Reservation(ReservationEvent::Declined(e)) => Some(e.agent),
        Event::Reservation(ReservationEvent::Lapsed(e)) => Some(e.agent),
        Event::Reservation(ReservationEvent::Rescinded(e)) => Some(e.agent),
        Event::Session(SessionEvent::Ended(e)) => Some(e.agent),
        Event::Session(SessionEvent::AgentLeft(e)) => Some(e.agent),
        // Whoever was the third and takes the session over is in no conference any more.
        Event::Session(SessionEvent::AgentJoined(e)) => e.first.then_some(e.agent),
        Event::Session(SessionEvent::WrapUpCompleted(e)) => Some(e.agent),
        Event::Agent(AgentEvent::CustomerUnblocked(e)) => {
            state.agents.get(e.agent).is_some_and(|agent| agent.keeps_from(e.customer)).then_some(e.agent)
        }
        Event::Agent(
            AgentEvent::Registered(_)
            | AgentEvent::RoundsPutOff(_)
            | AgentEvent::PresenceReported(_)
            | AgentEvent::StandingValueSet(_)
            | AgentEvent::Blocked(_)
            | AgentEvent::CustomerBlocked(_)
            | AgentEvent::NoticesRead(_)
            | AgentEvent::Struck(_)
            | AgentEvent::Barred(_),
        )
        | Event::Reservation(
            ReservationEvent::Opened(_)
            | ReservationEvent::Viewed(_)
            | ReservationEvent::Accepted(_)
            | ReservationEvent::InvitationAnswered(_),
        )
        | Event::Session(
            SessionEvent::Opened(_)
            | SessionEvent::MessageSent(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}

/// Rounds for unsold inquiries that wait for one, where one of these agents is free now and could bid, the
/// first accepted first. What is beyond one decision is put off, not forgotten.
///
/// Only rounds count against the bound. What else is looked at fits the agent: it has said no to it itself, or
/// its wait is over and its timer rings at this very instant.
pub(crate) fn next_rounds(state: &State, freed: &[AgentId], ctx: &Ctx) -> Vec<Event> {
    let mut rounds: Vec<Event> = Vec::new();
    let (mut put_off, mut bids) = (Vec::new(), 0);
    let mut taken: BTreeSet<InquiryId> = BTreeSet::new();
    let avoided = location::avoided(state, None);
    for id in freed {
        let free = state
            .agents
            .get(*id)
            .filter(|agent| agent.is_free() && !agent.is_barred() && !avoided.contains(&&*agent.location));
        // Who waits for its rounds to go on need not be looked at before: it may toggle as it likes.
        let Some(agent) = free.filter(|agent| agent.rounds_at.is_none()) else { continue };
        for inquiry_id in state.waiting.fitting(agent) {
            let inquiry = state.inquiries.get(inquiry_id).expect("who waits is registered");
            let Allocation::Auction(rules) = &inquiry.terms.allocation else { continue };
            if taken.contains(&inquiry_id)
                || inquiry.wait_is_over(ctx.now)
                || eligible(*id, agent, inquiry).is_err()
                || refused_by(state, inquiry).contains(id)
            {
                continue;
            }
            // What will be bid in it by itself counts, too: as much as one round may have, of all together.
            let more = standing::bids_to_come(state, inquiry, rules, ctx.now);
            if rounds.len() == ROUNDS_AT_ONCE || !rounds.is_empty() && bids + more > standing::BIDS_AT_OPENING {
                put_off.push(*id);
                break;
            }
            bids += more;
            taken.insert(inquiry_id);
            rounds.push(open(inquiry_id, rules.clone(), inquiry.auctions.len() as u32 + 1, ctx));
        }
    }
    rounds.extend(AgentRoundsPutOff::of(&put_off, ctx.now + ROUNDS_PAUSE).map(Event::from));
    rounds
}

/// Changes what is held of an agent's wallet for an auction. REVERSE: the provider pays.
fn set_hold(state: &mut State, id: AuctionId, agent: AgentId, hold: Decimal) {
    let rules = &state.auctions.get(id).expect("a bid has its auction").rules;
    if rules.direction == Direction::Reverse {
        return;
    }
    let currency = rules.currency;
    let mut old = Decimal::ZERO;
    state.bidders.change(&mut state.journal, (id, agent), |bidder| old = std::mem::replace(&mut bidder.hold, hold));
    change_hold(state, Party::Agent(agent), currency, old, hold);
}

/// REVERSE: what is held of the provider's account for the winner; it was opened at the award.
pub(crate) fn set_provider_hold(state: &mut State, id: AuctionId, hold: Decimal) {
    let auction = state.auctions.get(id).expect("a bid has its auction");
    if auction.rules.direction == Direction::Forward {
        return;
    }
    let (currency, old) = (auction.rules.currency, auction.provider_hold);
    let provider = Party::Provider(state.inquiries.get(auction.inquiry).expect("an auction has its inquiry").provider);
    state.auctions.change(&mut state.journal, id, |auction| auction.provider_hold = hold);
    change_hold(state, provider, currency, old, hold);
}

/// What became of a bid that counts; returns its number.
fn set_phase(state: &mut State, auction: AuctionId, agent: AgentId, bid: BidId, phase: BidPhase) -> u32 {
    let mut number = 0;
    state.bidders.change(&mut state.journal, (auction, agent), |bidder| {
        let counting = bidder.bid.as_mut().filter(|counting| counting.id == bid);
        let counting = counting.expect("nothing becomes of a bid that does not count");
        counting.phase = phase;
        number = counting.number;
    });
    number
}

/// The winner's hold is free again, whoever paid.
pub(crate) fn free_winner(state: &mut State, id: AuctionId, agent: AgentId) {
    set_hold(state, id, agent, Decimal::ZERO);
    set_provider_hold(state, id, Decimal::ZERO);
}

pub fn apply(state: &mut State, event: &AuctionEvent, at: Timestamp) {
    match event {
        AuctionEvent::Opened(e) => {
            let inquiry = state.inquiries.get(e.inquiry).expect("an auction has its inquiry");
            let row = Auction {
                inquiry: e.inquiry,
                provider: inquiry.provider,
                customer: inquiry.customer,
                independent_agents_only: inquiry.terms.independent_agents_only,
                unpaid: inquiry.unpaid,
                desired_skills: inquiry.desired_skills.clone(),
                ends_soon: inquiry.ends_soon,
                rules: state.shared.rules(inquiry.offer, &e.rules),
                round: e.round,
                phase: AuctionPhase::Open,
                closes_at: e.closes_at,
                hard_closes_at: e.hard_closes_at,
                moved: false,
                bidding: Bidding::default(),
                awarded: None,
                provider_hold: Decimal::ZERO,
            };
            state.auctions.put(&mut state.journal, e.auction, row);
            state.set_timer(e.closes_at, Timer::AuctionCloses(e.auction));
            inquiry::stop_waiting(state, e.inquiry, InquiryState::InAuction, at);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| {
                row.auctions = row.auctions.iter().copied().chain([e.auction]).collect();
            });
        }
        AuctionEvent::BidPlaced(e) => bid_placed(state, e),
        AuctionEvent::BidOutbid(e) => set_hold(state, e.auction, e.agent, Decimal::ZERO),
        AuctionEvent::BidWithdrawn(e) => {
            set_hold(state, e.auction, e.agent, Decimal::ZERO);
            state.bidders.change(&mut state.journal, (e.auction, e.agent), |bidder| bidder.bid = None);
        }
        AuctionEvent::Extended(e) => {
            let old = state.auctions.get(e.auction).expect("an auction opens first").closes_at;
            state.clear_timer(old, Timer::AuctionCloses(e.auction));
            state.set_timer(e.closes_at, Timer::AuctionCloses(e.auction));
            state.auctions.change(&mut state.journal, e.auction, |row| {
                row.closes_at = e.closes_at;
                row.hard_closes_at = e.hard_closes_at;
                row.moved |= e.bid.is_none();
            });
        }
        AuctionEvent::Awarded(e) => {
            let number = set_phase(state, e.auction, e.agent, e.bid, BidPhase::Won);
            set_hold(state, e.auction, e.agent, e.hold.amount());
            set_provider_hold(state, e.auction, e.hold.amount());
            close_phase(state, e.auction, AuctionPhase::Awarded, Some(number));
        }
        AuctionEvent::BidLost(e) => {
            set_phase(state, e.auction, e.agent, e.bid, BidPhase::Lost(e.reason));
            set_hold(state, e.auction, e.agent, Decimal::ZERO);
        }
        AuctionEvent::BidForfeited(e) => {
            let number = set_phase(state, e.auction, e.agent, e.bid, BidPhase::Forfeited);
            set_hold(state, e.auction, e.agent, Decimal::ZERO);
            let awarded = state.auctions.get(e.auction).and_then(|auction| auction.awarded);
            if awarded == Some(number) {
                set_provider_hold(state, e.auction, Decimal::ZERO);
            }
        }
        AuctionEvent::Unsold(e) => close_phase(state, e.auction, AuctionPhase::Closed, None),
        AuctionEvent::Cancelled(e) => {
            set_provider_hold(state, e.auction, Decimal::ZERO);
            close_phase(state, e.auction, AuctionPhase::Closed, None);
        }
    }
}

fn close_phase(state: &mut State, id: AuctionId, phase: AuctionPhase, awarded: Option<u32>) {
    let closes_at = state.auctions.get(id).expect("an auction opens first").closes_at;
    state.clear_timer(closes_at, Timer::AuctionCloses(id));
    state.auctions.change(&mut state.journal, id, |auction| {
        auction.phase = phase;
        auction.awarded = awarded;
    });
}

fn bid_placed(state: &mut State, e: &BidPlaced) {
    let amount = e.amount.amount();
    let (direction, currency, before) = state.change_bidding(e.auction, |bidding, rules| {
        let before = (bidding.bids, bidding.last_bid, bidding.last_bidder);
        bidding.second = second_after(rules.direction, bidding, amount, e.standing, e.agent);
        bidding.bids += 1;
        bidding.price = e.price.map(Money::amount);
        bidding.last_bid = Some(e.bid);
        // Numbers have no gaps: a new one is a new bidder's.
        if e.bidder > bidding.bidders {
            bidding.bidders = e.bidder;
            bidding.last_bidder = Some(e.agent);
        }
        if e.standing == Standing::Leads {
            bidding.best = Some(Best { bid: e.bid, agent: e.agent, amount });
        }
        (rules.direction, rules.currency, before)
    });
    let (number, last_bid, last_bidder) = before;
    state.record_bid(e.bid, Bid { auction: e.auction, agent: e.agent, before: last_bid });
    let mut holds = (Decimal::ZERO, Decimal::ZERO);
    let new = || Bidder { number: e.bidder, bids: 0, bid: None, hold: Decimal::ZERO, before: last_bidder };
    state.bidders.change_or_put(&mut state.journal, (e.auction, e.agent), new, |bidder| {
        bidder.bids += 1;
        holds.0 = bidder.hold;
        if e.standing != Standing::NoEffect {
            bidder.bid = Some(CountingBid { id: e.bid, number, amount, phase: BidPhase::Live });
            if direction == Direction::Forward {
                bidder.hold = e.hold.map_or(Decimal::ZERO, Money::amount);
            }
        }
        holds.1 = bidder.hold;
    });
    change_hold(state, Party::Agent(e.agent), currency, holds.0, holds.1);
}
