//! Routed offers: the platform selects an agent, who must consent in time.
//!
//! It promises that whoever is chosen is the best by the offer's policy among those who could have it, but for whom the
//! inquiry prefers (`preference`), that each
//! choice says why, and that the same state gives the same choice again. A lapse or a refusal chooses the second
//! agent in the same decision; where nobody is left the inquiry is back at its old place, and is selected for again
//! when somebody could have it: an agent who is free, has money or names a value, or a refusal long enough ago.
//!
//! Deliberately not here: the reservation itself (`reservation`), and what an agent must be to have anything
//! (`agent::suits`).

use crate::agent::eligible;
use crate::award;
use crate::decide::{Ctx, apply};
use crate::event::Event;
use crate::event::agent::{AgentEvent, AgentRoundsPutOff};
use crate::event::auction::AuctionEvent;
use crate::event::community::CallServerEvent;
use crate::event::inquiry::{InquiryEvent, SelectionMade};
use crate::event::reservation::{Purpose, ReservationEvent, ReservationOpened};
use crate::event::settlement::SettlementEvent;
use crate::event::wallet::{Party, WalletEvent};
use crate::ids::{AgentId, InquiryId, ReservationId};
use crate::inquiry;
use crate::location;
use crate::money::Money;
use crate::preference;
use crate::pricing;
use crate::settlement;
use crate::standing;
use crate::state::{Agent, Inquiry, InquiryState, Reservation, ReservationPhase, State};
use crate::terms::{Allocation, Direction, RoutingPolicy};
use crate::time::{Span, Timestamp};
use crate::topic::Skill;
use crate::wallet;
use crate::why::{Excluded, ExclusionReason, RANKED_MAX, Ranked, Why};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// So long an agent who declined an inquiry is not asked about it again.
pub const COOL_OFF: Span = Span::minutes(5);
/// Selections of one decision at most, so that its events fit one batch.
pub const SELECTIONS_AT_ONCE: usize = 100;
/// Agents that the selections of one decision name at most, so that their bytes fit a batch.
const NAMED_AT_ONCE: usize = 200_000;

/// A reservation of the inquiry that ends in the same decision: the state still counts it.
pub(crate) struct Ending<'a> {
    pub(crate) row: &'a Reservation,
    /// Absent: without blame, so its agent may be asked again.
    pub(crate) reason: Option<ExclusionReason>,
}

/// Who was chosen and at which price, or nobody, and why.
struct Choice {
    agent: Option<(AgentId, Option<Money>)>,
    why: Why,
}

/// What a policy compares: the least first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    first: Decimal,
    load: u32,
    /// Who has been without work the longest.
    worked_at: Timestamp,
    number: u32,
}

struct Contender {
    agent: AgentId,
    rank: Rank,
    price: Option<Money>,
    score: Option<Decimal>,
}

/// The rules of a routed offer.
#[derive(Clone, Copy)]
struct Rules {
    direction: Direction,
    policy: RoutingPolicy,
    price: Option<Money>,
}

fn rules_of(inquiry: &Inquiry) -> Option<Rules> {
    match &inquiry.terms.allocation {
        Allocation::Routed { direction, policy, price } => {
            Some(Rules { direction: *direction, policy: *policy, price: *price })
        }
        Allocation::Auction(_) | Allocation::Claim { .. } => None,
    }
}

/// How well an agent's skills meet what is desired: the levels of the best that covers each, added up.
fn skill_score(has: &[Skill], desired: &[Skill]) -> Decimal {
    let best = |want: &Skill| has.iter().filter(|have| have.name.contains(&want.name)).map(|have| have.level).max();
    desired.iter().map(|want| Decimal::from(best(want).unwrap_or(0))).sum()
}

/// Microseconds as a decimal of seconds.
fn in_seconds(span: Span) -> Decimal {
    Decimal::new(span.0, 6)
}

/// What the search for one inquiry knows.
struct Search<'a> {
    state: &'a State,
    inquiry: &'a Inquiry,
    rules: Rules,
    ending: Option<&'a Ending<'a>>,
    /// Asked since the inquiry was last queued, or cooling off.
    refused: Vec<(AgentId, ExclusionReason)>,
    /// Locations.
    avoided: Vec<&'a str>,
    /// Whom it prefers.
    preferred: Option<AgentId>,
    /// That one is busy, and would have it otherwise: so nobody else has it.
    held: bool,
    now: Timestamp,
}

impl<'a> Search<'a> {
    fn new(
        state: &'a State,
        inquiry: &'a Inquiry,
        rules: Rules,
        ending: Option<&'a Ending<'a>>,
        now: Timestamp,
    ) -> Search<'a> {
        let mut refused: Vec<(AgentId, ExclusionReason)> = Vec::new();
        for (at, id) in inquiry.reservations.iter().enumerate() {
            let row = state.reservations.get(*id).expect("an inquiry's reservations go with it");
            let in_this_chain = at >= inquiry.chain_from as usize;
            let cools_off = row.ended_at.is_some_and(|ended| now < ended + COOL_OFF);
            match row.phase {
                ReservationPhase::Declined if cools_off => refused.push((row.agent, ExclusionReason::DeclinedCoolOff)),
                ReservationPhase::Lapsed if in_this_chain => refused.push((row.agent, ExclusionReason::AlreadyAsked)),
                ReservationPhase::Pending
                | ReservationPhase::Accepted
                | ReservationPhase::Declined
                | ReservationPhase::Lapsed
                | ReservationPhase::Rescinded => {}
            }
        }
        refused.extend(ending.and_then(|ending| Some((ending.row.agent, ending.reason?))));
        let avoided = location::avoided(state, ending.map(|ending| ending.row.agent));
        let preferred = inquiry.preferred.map(|preferred| preferred.agent);
        let held = preferred.is_some_and(|id| {
            let agent = state.agents.get(id).expect("who is preferred is registered");
            let ended = u32::from(ending.is_some_and(|ending| ending.row.agent == id));
            let is_refused = refused.iter().any(|(agent, _)| *agent == id);
            !is_refused && preference::holds(inquiry, id, agent, ended)
        });
        Search { state, inquiry, rules, ending, refused, avoided, preferred, held, now }
    }

    /// What is free of a payer's money, with what the ending reservation holds of it.
    fn can_pay(&self, payer: Party, price: Money) -> bool {
        let held = |ending: &Ending<'_>| match (ending.row.payer, ending.row.price) {
            (Some(owner), Some(held)) if owner == payer && held.currency() == price.currency() => held.amount(),
            _ => Decimal::ZERO,
        };
        let freed = self.ending.map_or(Decimal::ZERO, held);
        wallet::available(self.state, payer, price.currency()).is_none_or(|free| free + freed >= price.amount())
    }

    /// Its place in the ranking, or why it has none.
    fn look_at(&self, id: AgentId, agent: &Agent) -> Result<Contender, ExclusionReason> {
        let here = self.ending.is_some_and(|ending| ending.row.agent == id);
        let mut applicant = agent.applicant(id);
        applicant.load -= u32::from(here);
        // Before anything else: what the agent's answer to this inquiry makes of it comes with the same decision.
        if let Some((_, reason)) = self.refused.iter().find(|(agent, _)| *agent == id) {
            return Err(*reason);
        }
        award::fits(applicant, self.inquiry)?;
        if self.avoided.contains(&&*agent.location) {
            return Err(ExclusionReason::LocationAvoided);
        }
        let Rules { direction, policy, price } = self.rules;
        let (price, first, score) = match policy {
            RoutingPolicy::LongestIdle => (price, Decimal::ZERO, in_seconds(self.now - agent.worked_at)),
            RoutingPolicy::BestSkilled => {
                let score = skill_score(&agent.skills, &self.inquiry.desired_skills);
                (price, -score, score)
            }
            RoutingPolicy::RoundRobin => {
                let turn = Decimal::from(agent.selected);
                (price, turn, turn)
            }
            RoutingPolicy::BestValue => {
                // The price bounds what is taken, and names the currency. Who names no value within it offers nothing
                // for the topic.
                let nothing = ExclusionReason::TopicMismatch;
                let bound = price.ok_or(nothing)?;
                let value = standing::value_of(agent, self.inquiry, direction, bound.currency(), self.now);
                let fits = |value: &Money| pricing::reaches(direction, value.amount(), bound.amount());
                let value = value.filter(fits).ok_or(nothing)?;
                let better_first = match direction {
                    Direction::Forward => -value.amount(),
                    Direction::Reverse => value.amount(),
                };
                (Some(value), better_first, value.amount())
            }
        };
        if let Some(price) = price {
            let (payer, _) = settlement::parties(direction, id, self.inquiry.provider);
            if !self.can_pay(payer, price) {
                return Err(ExclusionReason::NoFunds);
            }
        }
        if self.held {
            return Err(ExclusionReason::HeldForPreferred);
        }
        let rank = Rank { first, load: applicant.load, worked_at: agent.worked_at, number: agent.number };
        Ok(Contender { agent: id, rank, price, score: (policy != RoutingPolicy::BestValue).then_some(score) })
    }

    fn choose(&self) -> Choice {
        let mut excluded: Vec<Excluded> = Vec::new();
        let mut contenders = Vec::new();
        for id in &self.state.roster {
            let agent = self.state.agents.get(*id).expect("the roster names who is registered");
            match self.look_at(*id, agent) {
                Ok(contender) => contenders.push(contender),
                Err(reason) => award::exclude(&mut excluded, reason, agent.number),
            }
        }
        // Before the policy: who served the customer last.
        let is_last = |one: &Contender| self.preferred == Some(one.agent);
        contenders.sort_by(|a, b| is_last(b).cmp(&is_last(a)).then_with(|| a.rank.cmp(&b.rank)));
        let ranked = contenders.iter().take(RANKED_MAX).map(|one| Ranked {
            amount: one.price,
            bid: None,
            score: one.score.map(|score| score.to_string()),
            subject: one.agent.into(),
            tie_key: format!(
                "load {}, idle {}, agent {}",
                one.rank.load,
                in_seconds(self.now - one.rank.worked_at),
                one.rank.number
            ),
        });
        let rule = match self.rules.policy {
            _ if contenders.first().is_some_and(is_last) => "preferred_agent/1",
            RoutingPolicy::LongestIdle => "longest_idle/1",
            RoutingPolicy::BestSkilled => "best_skilled/1",
            RoutingPolicy::RoundRobin => "round_robin/1",
            RoutingPolicy::BestValue => "best_value/1",
        };
        let agent = contenders.first().map(|best| (best.agent, best.price));
        let chosen = agent.map(|(agent, _)| agent.into());
        Choice { agent, why: Why { chosen, excluded, ranked: ranked.collect(), rule: rule.to_owned() } }
    }
}

/// Records the choice, and opens a reservation for whoever was chosen.
fn record(state: &State, id: InquiryId, inquiry: &Inquiry, rules: Rules, choice: Choice, ctx: &Ctx) -> Vec<Event> {
    let Choice { agent, why } = choice;
    let mut events: Vec<Event> = vec![SelectionMade { agent: agent.map(|(agent, _)| agent), inquiry: id, why }.into()];
    let Some((agent, price)) = agent else { return events };
    let payer = price.map(|price| {
        let (payer, _) = settlement::parties(rules.direction, agent, inquiry.provider);
        // The price is held of its account from now on, so it has one.
        wallet::open_if_absent(state, payer, price.currency(), None, ctx, &mut events);
        payer
    });
    let opened = ReservationOpened {
        agent,
        attempt: inquiry.reservations.len() as u32 + 1,
        auction: None,
        bid: None,
        deadline: ctx.now + inquiry.terms.consent_window,
        inquiry: id,
        invitation: None,
        payer,
        price,
        purpose: Purpose::Selected,
        reservation: ReservationId(ctx.ids.next()),
    };
    events.push(opened.into());
    events
}

/// Who is asked after `ending` came to nothing, and the events of asking.
pub(crate) fn ask_next(state: &State, ending: &Ending<'_>, ctx: &Ctx) -> (Option<AgentId>, Vec<Event>) {
    let id = ending.row.inquiry;
    let inquiry = state.inquiries.get(id).expect("a pending reservation has its inquiry");
    let Some(rules) = rules_of(inquiry) else { return (None, vec![inquiry::requeue(inquiry, id, ctx)]) };
    let choice = Search::new(state, inquiry, rules, Some(ending), ctx.now).choose();
    let next = choice.agent.map(|(agent, _)| agent);
    let mut events = record(state, id, inquiry, rules, choice, ctx);
    if next.is_none() {
        events.push(inquiry::requeue(inquiry, id, ctx));
    }
    (next, events)
}

/// Selects for an inquiry that waits, for whatever reason it may be possible now.
pub(crate) fn select(state: &State, id: InquiryId, ctx: &Ctx) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("who waits is registered");
    let rules = rules_of(inquiry).expect("only routed inquiries are selected for");
    let choice = Search::new(state, inquiry, rules, None, ctx.now).choose();
    record(state, id, inquiry, rules, choice, ctx)
}

/// The choice for an inquiry as the state is just before it is recorded: the same that was recorded, in full.
pub fn why(state: &State, id: InquiryId, now: Timestamp) -> Option<Why> {
    let inquiry = state.inquiries.get(id)?;
    Some(Search::new(state, inquiry, rules_of(inquiry)?, None, now).choose().why)
}

/// When the first refusal of an inquiry that waits is long enough ago.
pub(crate) fn cooled_off_at(state: &State, inquiry: &Inquiry, now: Timestamp) -> Option<Timestamp> {
    rules_of(inquiry)?;
    let declined = inquiry.reservations.iter().filter_map(|id| {
        let row = state.reservations.get(*id)?;
        let ended = row.ended_at.filter(|_| row.phase == ReservationPhase::Declined)?;
        Some(ended + COOL_OFF).filter(|until| now < *until)
    });
    declined.min()
}

/// What may make a selection possible that was not.
#[derive(Default)]
pub(crate) struct Woken {
    agents: Vec<AgentId>,
    /// Every free agent: a provider has money again, say.
    everybody: bool,
}

/// Asked before the events are applied.
pub(crate) fn woken_by(state: &State, events: &[Event]) -> Woken {
    let mut woken = Woken::default();
    for event in events {
        wakes(state, event, &mut woken);
    }
    woken
}

fn wakes(state: &State, event: &Event, woken: &mut Woken) {
    let owner = |party: Party, woken: &mut Woken| match party {
        Party::Agent(agent) => woken.agents.push(agent),
        Party::Provider(_) => woken.everybody = true,
    };
    match event {
        Event::Wallet(WalletEvent::Credited(e)) => owner(e.owner, woken),
        Event::Wallet(WalletEvent::CreditLimitSet(e)) => owner(e.owner, woken),
        Event::Wallet(WalletEvent::PayableNetted(e)) => owner(e.owner, woken),
        // With its first limit in a currency an account is opened.
        Event::Wallet(WalletEvent::Opened(e)) if e.credit_limit.is_some() => owner(e.owner, woken),
        Event::CallServer(CallServerEvent::CreditLimitGranted(_)) => woken.everybody = true,
        Event::Settlement(SettlementEvent::Refunded(e)) => owner(e.payer, woken),
        Event::Settlement(SettlementEvent::Released(e)) => owner(e.payer, woken),
        // What was held is free: an agent's, or its provider's.
        Event::Auction(AuctionEvent::BidOutbid(e)) => woken.agents.push(e.agent),
        // A later bid or an award may hold less than the bid before.
        Event::Auction(AuctionEvent::BidPlaced(e)) => woken.agents.push(e.agent),
        Event::Auction(AuctionEvent::Awarded(e)) => woken.agents.push(e.agent),
        Event::Auction(AuctionEvent::BidWithdrawn(e)) => woken.agents.push(e.agent),
        Event::Auction(AuctionEvent::BidLost(e)) => woken.agents.push(e.agent),
        Event::Auction(AuctionEvent::BidForfeited(_) | AuctionEvent::Cancelled(_)) => woken.everybody = true,
        Event::Reservation(ReservationEvent::Declined(e)) => frees(state, e.reservation, woken),
        Event::Reservation(ReservationEvent::Lapsed(e)) => frees(state, e.reservation, woken),
        Event::Reservation(ReservationEvent::Rescinded(e)) => frees(state, e.reservation, woken),
        Event::Agent(AgentEvent::StandingValueSet(e)) => woken.agents.push(e.agent),
        // What waits for it alone waits for nobody any more.
        Event::Agent(AgentEvent::Blocked(e)) => woken.agents.push(e.agent),
        Event::Agent(AgentEvent::CustomerBlocked(e)) => woken.agents.push(e.agent),
        Event::Wallet(WalletEvent::Opened(_) | WalletEvent::PaidOut(_) | WalletEvent::PayoutReturned(_))
        // Where that relieves a location, its agents are free (`location::relieved`).
        | Event::CallServer(
            CallServerEvent::Opened(_)
            | CallServerEvent::Updated(_)
            | CallServerEvent::Started(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_),
        )
        | Event::Settlement(SettlementEvent::Escrowed(_) | SettlementEvent::Pending(_) | SettlementEvent::Payable(_))
        | Event::Auction(AuctionEvent::Opened(_) | AuctionEvent::Extended(_) | AuctionEvent::Unsold(_))
        | Event::Reservation(
            ReservationEvent::Opened(_)
            | ReservationEvent::Viewed(_)
            | ReservationEvent::Accepted(_)
            | ReservationEvent::InvitationAnswered(_),
        )
        | Event::Agent(
            AgentEvent::Registered(_)
            | AgentEvent::Updated(_)
            | AgentEvent::StatusSet(_)
            | AgentEvent::Unblocked(_)
            | AgentEvent::CustomerUnblocked(_)
            | AgentEvent::RoundsPutOff(_)
            | AgentEvent::RoundsResumed(_)
            | AgentEvent::PresenceReported(_)
            | AgentEvent::NoticesRead(_)
            // Selections know no bar.
            | AgentEvent::Struck(_)
            | AgentEvent::Barred(_)
            | AgentEvent::BarEnded(_)
            | AgentEvent::StrikesForgiven(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Session(_)
        | Event::Webhook(_)
        | Event::Journal(_) => {}
    }
}

fn frees(state: &State, id: ReservationId, woken: &mut Woken) {
    let row = state.reservations.get(id).expect("a reservation opens before it ends");
    woken.everybody |= matches!(row.payer, Some(Party::Provider(_)));
}

/// Selects for whom it has become possible, and applies each selection, so that the next one sees it: the inquiries
/// that just came to wait, then, for each agent who may be free now, what waits the longest of what it could have.
pub(crate) fn follow(state: &mut State, asked: &[Event], freed: &[AgentId], woken: &Woken, ctx: &Ctx) -> Vec<Event> {
    let mut done: Vec<Event> = Vec::new();
    for event in asked {
        let (id, is_new) = match event {
            Event::Inquiry(InquiryEvent::Registered(e)) => (e.inquiry, true),
            Event::Inquiry(InquiryEvent::Began(e)) => (e.inquiry, true),
            Event::Inquiry(InquiryEvent::Resumed(e)) => (e.inquiry, true),
            // What is found, or not, with less asked for.
            Event::Inquiry(InquiryEvent::Relaxed(e)) => (e.inquiry, true),
            Event::Inquiry(InquiryEvent::PreferenceEnded(e)) => (e.inquiry, true),
            Event::Inquiry(InquiryEvent::Requeued(e)) => (e.inquiry, false),
            Event::Inquiry(
                InquiryEvent::InformationRequested(_)
                | InquiryEvent::InformationAnswered(_)
                | InquiryEvent::SelectionMade(_)
                | InquiryEvent::TopicsConfirmed(_)
                | InquiryEvent::PutOff(_)
                // Everybody looks for it: `auction::freed_by`.
                | InquiryEvent::Moved(_)
                | InquiryEvent::Withdrawn(_)
                | InquiryEvent::PlaceKept(_)
                | InquiryEvent::PlaceLost(_)
                | InquiryEvent::Expired(_)
                | InquiryEvent::Completed(_),
            )
            | Event::Provider(_)
            | Event::Offer(_)
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Auction(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Reservation(_)
            | Event::Session(_)
            | Event::Settlement(_)
            | Event::Webhook(_)
        | Event::Journal(_) => continue,
        };
        // A platform that comes late may enter a ring of what expires next.
        let waits = |row: &Inquiry| {
            let queued = row.state == InquiryState::Queued && row.begins_at.is_none();
            queued && !row.wait_is_over(ctx.now) && rules_of(row).is_some()
        };
        if !state.inquiries.get(id).is_some_and(waits) {
            continue;
        }
        let events = select(state, id, ctx);
        // That nobody was left is recorded already. Who let it lapse before, and is back from its break, is asked
        // once more, in a chain of its own.
        if is_new || events.len() > 1 {
            go_on(state, events, &mut done, ctx);
        }
    }
    if state.unassigned.is_empty() {
        return done;
    }
    let (mut selections, mut put_off) = (0, Vec::new());
    // Each names all agents of whom none is chosen.
    let at_once = (NAMED_AT_ONCE / state.roster.len().max(1)).clamp(1, SELECTIONS_AT_ONCE);
    for agent in candidates(state, freed, woken) {
        while let Some(id) = first_for(state, agent, ctx.now) {
            if selections == at_once {
                put_off.push(agent);
                break;
            }
            selections += 1;
            go_on(state, select(state, id, ctx), &mut done, ctx);
        }
    }
    // Whom an inquiry prefers may be busy no more, or gone, and not have it: then it is anybody's.
    for (_, id, agent) in no_longer_held(state, freed, woken) {
        if selections >= at_once {
            if !put_off.contains(&agent) {
                put_off.push(agent);
            }
            continue;
        }
        if is_looked_for(state, id, ctx.now) {
            selections += 1;
            let events = select(state, id, ctx);
            // That nobody is there is recorded already.
            if events.len() > 1 {
                go_on(state, events, &mut done, ctx);
            }
        }
    }
    let until = ctx.now + crate::auction::ROUNDS_PAUSE;
    go_on(state, AgentRoundsPutOff::of(&put_off, until).map(Event::from).collect(), &mut done, ctx);
    done
}

/// What prefers one of the agents who changed, in the order in which it waits.
fn no_longer_held(state: &State, freed: &[AgentId], woken: &Woken) -> Vec<(Timestamp, InquiryId, AgentId)> {
    if state.preferring.is_empty() {
        return Vec::new();
    }
    let changed: BTreeSet<AgentId> = freed.iter().chain(&woken.agents).copied().collect();
    let preferring = changed.into_iter().flat_map(|agent| preference::of(state, agent));
    let mut all: Vec<_> = preferring.map(|(agent, place, id)| (place, id, agent)).collect();
    all.sort_unstable();
    all
}

/// It waits, nobody is held for it, and it is not over.
fn is_looked_for(state: &State, id: InquiryId, now: Timestamp) -> bool {
    let row = state.inquiries.get(id).expect("who prefers somebody is registered");
    let Some(rules) = rules_of(row).filter(|_| state.unassigned.contains(id) && !row.wait_is_over(now)) else {
        return false;
    };
    !Search::new(state, row, rules, None, now).held
}

fn go_on(state: &mut State, events: Vec<Event>, done: &mut Vec<Event>, ctx: &Ctx) {
    for event in &events {
        apply(state, event, ctx.now);
    }
    done.extend(events);
}

/// Each once, in the order in which they became free; then in order of registration.
fn candidates(state: &State, freed: &[AgentId], woken: &Woken) -> Vec<AgentId> {
    let everybody: &[AgentId] = if woken.everybody { &state.roster } else { &[] };
    let mut seen = BTreeSet::new();
    let all = freed.iter().chain(&woken.agents).chain(everybody).copied();
    all.filter(|agent| seen.insert(*agent)).collect()
}

/// Of the inquiries that wait, the first in their order that the agent could have now.
fn first_for(state: &State, id: AgentId, now: Timestamp) -> Option<InquiryId> {
    // Who waits for its turn to go on need not be looked at before.
    let agent = state.agents.get(id).filter(|agent| agent.is_free() && agent.rounds_at.is_none())?;
    state.unassigned.fitting(agent).find(|inquiry| {
        let row = state.inquiries.get(*inquiry).expect("who waits is registered");
        let Some(rules) = rules_of(row) else { return false };
        !row.wait_is_over(now)
            && eligible(id, agent, row).is_ok()
            && Search::new(state, row, rules, None, now).look_at(id, agent).is_ok()
    })
}
