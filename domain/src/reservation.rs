//! Reservations: one inquiry before one agent until a deadline. Consent opens the session; a lapse sets
//! an agent that is AVAILABLE to BREAK and asks the second agent in the same decision; declining passes over
//! without a break. Who won it in an auction has a strike for either (`strike`).

use crate::actor::Actor;
use crate::auction;
use crate::award;
use crate::conference;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::{AgentStatusSet, StrikeReason, Will, WillReason};
use crate::event::auction::{BidForfeited, LossReason};
use crate::event::reservation::*;
use crate::event::session::SessionOpened;
use crate::ids::{AgentId, ChannelId, ReservationId, SessionId};
use crate::inquiry;
use crate::queue;
use crate::refusal::Refusal;
use crate::routing;
use crate::sealed::Sealed;
use crate::settlement;
use crate::state::{InquiryState, Invited, Reservation, ReservationPhase, State, Timer};
use crate::strike;
use crate::time::Timestamp;
use crate::wallet::change_hold;
use crate::why::ExclusionReason;
use rust_decimal::Decimal;
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

/// The reservation of the agent who asks.
fn own<'a>(state: &'a State, id: ReservationId, ctx: &Ctx) -> Result<&'a Reservation, Refusal> {
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::Forbidden) };
    let found = state.reservations.get(id).filter(|row| row.agent == agent);
    found.ok_or(Refusal::NotFound { field: "reservationId" })
}

pub(crate) fn still_pending(row: &Reservation, ctx: &Ctx) -> Result<(), Refusal> {
    match row.phase {
        // An answer at the deadline is late.
        ReservationPhase::Pending if row.deadline <= ctx.now => Err(Refusal::ReservationLapsed),
        ReservationPhase::Pending => Ok(()),
        ReservationPhase::Lapsed => Err(Refusal::ReservationLapsed),
        ReservationPhase::Rescinded => Err(Refusal::ReservationRescinded),
        ReservationPhase::Accepted | ReservationPhase::Declined => Err(Refusal::ReservationClosed),
    }
}

/// The agent's browser has retrieved the customer's information. Seen twice is recorded twice; the first time
/// is the one that counts.
pub fn view(state: &State, id: ReservationId, ctx: &Ctx) -> Decided {
    let row = own(state, id, ctx)?;
    still_pending(row, ctx)?;
    Ok(vec![ReservationViewed { agent: row.agent, inquiry: row.inquiry, reservation: id }.into()])
}

/// Consent: the session opens, the inquiry leaves its queues, the price goes to escrow.
pub fn accept(state: &State, id: ReservationId, ctx: &Ctx) -> Decided {
    let row = own(state, id, ctx)?;
    still_pending(row, ctx)?;
    let inquiry = state.inquiries.get(row.inquiry).expect("a pending reservation has its inquiry");
    if inquiry.ends_soon {
        return Err(Refusal::ReservationRescinded);
    }
    if let Some(invited) = &row.invitation {
        return Ok(conference::accept(state, id, row, invited, ctx));
    }

    // After this point the agent has the inquiry.
    let mut events: Vec<Event> = vec![
        ReservationAccepted { agent: row.agent, inquiry: row.inquiry, reservation: id }.into(),
        SessionOpened {
            agent: row.agent,
            channel: ChannelId(ctx.ids.next()),
            customer: inquiry.customer,
            inquiry: row.inquiry,
            kind: inquiry.channel,
            session: SessionId(ctx.ids.next()),
        }
        .into(),
    ];
    if let Some(price) = row.price {
        settlement::escrow(state, row.inquiry, inquiry, row.agent, row.bid, price, ctx, &mut events);
    }
    queue::leave(state, &inquiry.queues, row.inquiry, &mut events);
    Ok(events)
}

/// Refuses: passed over, without a break. The second agent is asked.
pub fn decline(state: &State, id: ReservationId, reason: &Option<Sealed>, ctx: &Ctx) -> Decided {
    let row = own(state, id, ctx)?;
    still_pending(row, ctx)?;
    let (second_agent, next) = ask_next(state, id, row, Some(Refused::Declined), ctx);
    let declined = ReservationDeclined {
        agent: row.agent,
        inquiry: row.inquiry,
        reason: reason.clone(),
        reservation: id,
        second_agent,
    };
    let mut events: Vec<Event> = vec![declined.into()];
    events.extend(strike::strike(state, id, row, StrikeReason::Declined, ctx));
    events.extend(next);
    Ok(events)
}

/// No answer in time. `late`: the platform was down at the deadline, so nobody is blamed and selection
/// starts anew. Nor is anybody where the customer is erased: who consents then is refused.
pub fn lapse(state: &State, id: ReservationId, late: bool, ctx: &Ctx) -> Vec<Event> {
    let row = state.reservations.get(id).expect("a timer goes with its reservation");
    let ends_soon = state.inquiries.get(row.inquiry).is_some_and(|inquiry| inquiry.ends_soon);
    if late || ends_soon {
        let (_, mut next) = ask_next(state, id, row, None, ctx);
        let reason = if ends_soon { RescindReason::InquiryGone } else { RescindReason::PlatformLate };
        let rescinded = ReservationRescinded { agent: row.agent, inquiry: row.inquiry, reason, reservation: id };
        next.insert(0, rescinded.into());
        return next;
    }
    let (second_agent, next) = ask_next(state, id, row, Some(Refused::Lapsed), ctx);
    let lapsed = ReservationLapsed { agent: row.agent, inquiry: row.inquiry, reservation: id, second_agent };
    let mut events: Vec<Event> = vec![lapsed.into()];
    // Who asked for OFFLINE or BREAK meanwhile has what it asked for: it takes effect now.
    let will = state.agents.get(row.agent).expect("who is asked is registered").will;
    if will == Will::Available {
        let on_break = AgentStatusSet { agent: row.agent, note: None, reason: WillReason::Lapsed, will: Will::Break };
        events.push(on_break.into());
    }
    events.extend(strike::strike(state, id, row, StrikeReason::Lapsed, ctx));
    events.extend(next);
    events
}

/// How an agent did not take what it was asked about.
#[derive(Clone, Copy)]
enum Refused {
    Declined,
    Lapsed,
}

impl Refused {
    fn loss(self) -> LossReason {
        match self {
            Refused::Declined => LossReason::Declined,
            Refused::Lapsed => LossReason::Lapsed,
        }
    }
    fn exclusion(self) -> ExclusionReason {
        match self {
            Refused::Declined => ExclusionReason::DeclinedCoolOff,
            Refused::Lapsed => ExclusionReason::AlreadyAsked,
        }
    }
}

/// Who is asked after `row` came to nothing, and the events of asking. `refused`: `None` keeps its agent in the
/// race.
fn ask_next(
    state: &State,
    id: ReservationId,
    row: &Reservation,
    refused: Option<Refused>,
    ctx: &Ctx,
) -> (Option<AgentId>, Vec<Event>) {
    if let Some(invited) = &row.invitation {
        let answer = match refused {
            None => Answer::Rescinded,
            Some(Refused::Declined) => Answer::Declined,
            Some(Refused::Lapsed) => Answer::Lapsed,
        };
        return conference::ask_next(state, id, row, invited, answer, ctx);
    }
    let mut events = Vec::new();
    let (Some(auction_id), Some(bid)) = (row.auction, row.bid) else {
        let ending = routing::Ending { row, reason: refused.map(Refused::exclusion) };
        return routing::ask_next(state, &ending, ctx);
    };
    let lost = refused.map(Refused::loss);
    let auction = state.auctions.get(auction_id).expect("an awarded auction stays with its inquiry");
    let mut candidates = award::standing_bids(state, auction_id, auction);
    if let Some(reason) = lost {
        events.push(BidForfeited { agent: row.agent, auction: auction_id, bid, inquiry: row.inquiry, reason }.into());
        candidates.retain(|candidate| candidate.bid != bid);
    }
    // The decision sees the state before these events: the agent's own reservation still counts there.
    let next = award::decide_award(
        state,
        auction_id,
        auction,
        candidates,
        false,
        match lost {
            Some(_) => award::Ending::Refused(row.agent),
            None => award::Ending::Rescinded(row.agent),
        },
        ctx,
        &mut events,
    );
    (next, events)
}

pub fn apply(state: &mut State, event: &ReservationEvent, at: Timestamp) {
    match event {
        ReservationEvent::Opened(e) => {
            let row = Reservation {
                inquiry: e.inquiry,
                agent: e.agent,
                auction: e.auction,
                bid: e.bid,
                payer: e.payer,
                price: e.price,
                deadline: e.deadline,
                attempt: e.attempt,
                phase: ReservationPhase::Pending,
                invitation: e.invitation.as_deref().map(|invitation| invited(invitation, e.purpose)),
                ended_at: None,
            };
            state.reservations.put(&mut state.journal, e.reservation, row);
            state.set_timer(e.deadline, Timer::ReservationLapses(e.reservation));
            if let Some(invitation) = &e.invitation {
                conference::note_invitation(state, e.reservation, invitation.session, true);
            }
            if let (Some(payer), Some(price)) = (e.payer, e.price) {
                change_hold(state, payer, price.currency(), Decimal::ZERO, price.amount());
            }
            let turn = match e.purpose {
                Purpose::Selected => state.scalars.selections + 1,
                Purpose::Awarded | Purpose::Invited | Purpose::Transfer => 0,
            };
            if turn > 0 {
                state.change_scalars(|scalars| scalars.selections = turn);
            }
            state.change_agent(e.agent, |agent| {
                agent.reserved += 1;
                agent.selected = agent.selected.max(turn);
            });
            // Who is invited joins what goes on.
            if e.invitation.is_none() {
                inquiry::stop_waiting(state, e.inquiry, InquiryState::Reserved, at);
            }
            state.inquiries.change(&mut state.journal, e.inquiry, |row| {
                row.reservations = row.reservations.iter().copied().chain([e.reservation]).collect();
            });
        }
        // When it was seen first the views know, and what was told they tell; no decision asks.
        ReservationEvent::Viewed(_) | ReservationEvent::InvitationAnswered(_) => {}
        ReservationEvent::Accepted(e) => end(state, e.reservation, ReservationPhase::Accepted, at),
        ReservationEvent::Declined(e) => end(state, e.reservation, ReservationPhase::Declined, at),
        ReservationEvent::Lapsed(e) => end(state, e.reservation, ReservationPhase::Lapsed, at),
        ReservationEvent::Rescinded(e) => {
            end(state, e.reservation, ReservationPhase::Rescinded, at);
            let row = state.reservations.get(e.reservation).expect("just ended");
            if let Some(auction) = row.auction {
                auction::free_winner(state, auction, e.agent);
            }
        }
    }
}

fn invited(invitation: &Invitation, purpose: Purpose) -> Arc<Invited> {
    Arc::new(Invited {
        session: invitation.session,
        by: invitation.by,
        transfer: purpose == Purpose::Transfer,
        skills: invitation.skills.as_deref().map(Arc::from),
        note: invitation.note.clone(),
    })
}

fn end(state: &mut State, id: ReservationId, phase: ReservationPhase, at: Timestamp) {
    let row = state.reservations.get(id).expect("a reservation opens before it ends");
    let (agent, deadline) = (row.agent, row.deadline);
    let held = row.payer.zip(row.price);
    if let Some(session) = row.invitation.as_ref().map(|invited| invited.session) {
        conference::note_invitation(state, id, session, false);
    }
    state.clear_timer(deadline, Timer::ReservationLapses(id));
    if let Some((payer, price)) = held {
        change_hold(state, payer, price.currency(), price.amount(), Decimal::ZERO);
    }
    state.change_agent(agent, |row| {
        row.reserved -= 1;
        // Who was asked in vain through no doing of its own has been idle all along.
        if phase != ReservationPhase::Rescinded {
            row.worked_at = at;
        }
    });
    state.reservations.change(&mut state.journal, id, |row| {
        row.phase = phase;
        row.ended_at = Some(at);
    });
}
