//! Who is kept from whom: a provider blocks an agent, and its inquiries come to that agent by no way.
//!
//! It promises that nothing begins between the two from the block on: no selection, claim, bid, award, invitation or
//! transfer; and that what waits is looked at again when the block is taken back. What stands already goes on: a pending
//! reservation, a session. A bid that stands is passed over at the award, as one that is no longer free is.
//!
//! Deliberately not here: who may have what (`agent::suits` asks for blocks among the rest), and why anybody is blocked:
//! no reason is asked for.

use crate::community::own_provider;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::{AgentBlocked, AgentUnblocked};
use crate::ids::{AgentId, ProviderId};
use crate::refusal::Refusal;
use crate::state::{Agent, State};
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

/// Agents of one call server that one provider blocks at most.
pub const AGENTS_MAX: usize = 1_000;

impl Agent {
    pub fn is_blocked_by(&self, provider: ProviderId) -> bool {
        holds(&self.blocked_by, provider)
    }
}

/// By the provider itself, or by an operator for it. Asked for again it is recorded again.
pub fn block_agent(state: &State, agent: AgentId, provider: ProviderId, ctx: &Ctx) -> Decided {
    let row = agent_of(state, agent, provider, ctx)?;
    if !row.is_blocked_by(provider) && blocked_agents(state, provider) >= AGENTS_MAX {
        return Err(Refusal::LimitReached { message: "A provider blocks at most 1,000 agents of one call server." });
    }
    Ok(vec![AgentBlocked { agent, provider }.into()])
}

pub fn unblock_agent(state: &State, agent: AgentId, provider: ProviderId, ctx: &Ctx) -> Decided {
    agent_of(state, agent, provider, ctx)?;
    Ok(vec![AgentUnblocked { agent, provider }.into()])
}

fn agent_of<'a>(state: &'a State, agent: AgentId, provider: ProviderId, ctx: &Ctx) -> Result<&'a Agent, Refusal> {
    if !own_provider(provider, ctx) {
        return Err(Refusal::NotFound { field: "providerId" });
    }
    state.agents.get(agent).ok_or(Refusal::NotFound { field: "agentId" })
}

fn blocked_agents(state: &State, provider: ProviderId) -> usize {
    let blocked = |id: &&AgentId| state.agents.get(**id).is_some_and(|row| row.is_blocked_by(provider));
    state.roster.iter().filter(blocked).count()
}

/// Of a list in order.
pub(crate) fn holds<T: Ord + Copy>(all: &[T], one: T) -> bool {
    all.binary_search(&one).is_ok()
}

/// The list with it, in order, once.
pub(crate) fn with<T: Ord + Copy>(all: &[T], one: T) -> Arc<[T]> {
    let at = all.partition_point(|other| *other < one);
    let rest = if holds(all, one) { &all[at + 1..] } else { &all[at..] };
    all[..at].iter().copied().chain([one]).chain(rest.iter().copied()).collect()
}

pub(crate) fn without<T: Ord + Copy>(all: &[T], one: T) -> Arc<[T]> {
    all.iter().copied().filter(|other| *other != one).collect()
}
