//! Strikes: an agent that wins an auction and does not consent, by lapse or refusal, has one. Each is forgotten by
//! itself after a while; as many as [`BARS_AT`] at once bar the agent from naming bids.
//!
//! It promises that a bar ends by an event, which wakes what waits for somebody who could bid, and that its end leaves no
//! strike. What was bid before stays binding: a bar is no way out of a leading bid, so who is barred may still win, and a
//! further strike begins the bar anew.
//!
//! Deliberately not here: claims, selections and invitations, which know neither strikes nor bars.

use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::*;
use crate::ids::{AgentId, ReservationId};
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::state::{Agent, Reservation, State, Timer};
use crate::time::{Span, Timestamp};
use std::sync::Arc;

/// After that a strike is forgotten.
pub const STANDS_FOR: Span = Span::days(1);
/// So many at once bar.
pub const BARS_AT: usize = 3;
pub const BARRED_FOR: Span = Span::minutes(60);
/// So many are remembered. More come only while the agent is barred, and the bar's end clears them all.
pub const KEPT_MAX: usize = check::LIST_MAX;

impl Agent {
    /// It names no new bid. By what is recorded: the bar's end is an event.
    pub fn is_barred(&self) -> bool {
        self.barred_until.is_some()
    }
    /// Those that are not forgotten.
    pub fn strikes_at(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.strikes.iter().copied().filter(move |until| now < *until)
    }
}

/// What comes of a reservation to which its agent did not consent: nothing, where no auction gave it, or where consent
/// would have been refused, since the customer is erased.
pub(crate) fn strike(
    state: &State,
    id: ReservationId,
    row: &Reservation,
    reason: StrikeReason,
    ctx: &Ctx,
) -> Vec<Event> {
    let Some(auction) = row.auction else { return vec![] };
    if state.inquiries.get(row.inquiry).is_some_and(|inquiry| inquiry.ends_soon) {
        return vec![];
    }
    let agent = state.agents.get(row.agent).expect("who is asked is registered");
    let struck = AgentStruck { agent: row.agent, auction, reason, reservation: id, until: ctx.now + STANDS_FOR };
    let mut events: Vec<Event> = vec![struck.into()];
    if agent.is_barred() || agent.strikes_at(ctx.now).count() + 1 >= BARS_AT {
        events.push(AgentBarred { agent: row.agent, until: ctx.now + BARRED_FOR }.into());
    }
    events
}

/// Its hour is over. A late platform ends it when it comes back.
pub(crate) fn end_bar(agent: AgentId) -> Vec<Event> {
    vec![AgentBarEnded { agent }.into()]
}

/// By an operator.
pub fn forgive(state: &State, agent: AgentId, reason: &Sealed, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let row = state.agents.get(agent).ok_or(Refusal::NotFound { field: "agentId" })?;
    if !row.is_barred() && row.strikes_at(ctx.now).next().is_none() {
        return Err(Refusal::NotAllowedNow { message: "The agent has no strikes, and is not barred." });
    }
    Ok(vec![AgentStrikesForgiven { agent, reason: reason.clone() }.into()])
}

pub(crate) fn struck(state: &mut State, e: &AgentStruck, at: Timestamp) {
    state.change_agent(e.agent, |row| {
        let standing: Vec<Timestamp> = row.strikes_at(at).chain([e.until]).collect();
        row.strikes = standing[standing.len().saturating_sub(KEPT_MAX)..].into();
    });
}

pub(crate) fn bar(state: &mut State, agent: AgentId, until: Timestamp) {
    lift(state, agent);
    state.set_timer(until, Timer::BarEnds(agent));
    state.change_agent(agent, |row| row.barred_until = Some(until));
}

/// No strikes, and no bar.
pub(crate) fn clear(state: &mut State, agent: AgentId) {
    lift(state, agent);
    state.change_agent(agent, |row| {
        row.strikes = Arc::new([]);
        row.barred_until = None;
    });
}

fn lift(state: &mut State, agent: AgentId) {
    if let Some(old) = state.agents.get(agent).expect("an agent is registered first").barred_until {
        state.clear_timer(old, Timer::BarEnds(agent));
    }
}
