//! Who is kept from whom: a provider blocks an agent, an agent a customer whom it has served. The inquiries of the one
//! come to the agent by no way. And a provider blocks a customer, of whom `community` accepts nothing for it any more.
//!
//! It promises that nothing begins between the two from the block on: no selection, claim, bid, award, invitation or
//! transfer; and that what waits is looked at again when the block is taken back. What stands already goes on: a pending
//! reservation, a session. A bid that stands is passed over at the award, as one that is no longer free is.
//!
//! Deliberately not here: who may have what (`agent::suits` asks for blocks among the rest), and why anybody is blocked:
//! no reason is asked for.

use crate::actor::Actor;
use crate::community::own_provider;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::{AgentBlocked, AgentCustomerBlocked, AgentCustomerUnblocked, AgentUnblocked};
use crate::event::community::{ProviderCustomerBlocked, ProviderCustomerUnblocked};
use crate::event::wallet::Party;
use crate::ids::{AgentId, CustomerId, InquiryId, ProviderId};
use crate::refusal::Refusal;
use crate::state::{Agent, Provider, State};
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

/// Agents of one call server that one provider blocks at most.
pub const AGENTS_MAX: usize = 1_000;
/// Customers whom one agent keeps away from at most.
pub const CUSTOMERS_OF_AGENT_MAX: usize = 1_000;
/// Customers whom one provider blocks at most.
pub const CUSTOMERS_OF_PROVIDER_MAX: usize = 10_000;

impl Agent {
    pub fn is_blocked_by(&self, provider: ProviderId) -> bool {
        holds(&self.blocked_by, provider)
    }
    pub fn keeps_from(&self, customer: CustomerId) -> bool {
        holds(&self.blocks, customer)
    }
}

impl Provider {
    pub fn blocks(&self, customer: CustomerId) -> bool {
        holds(&self.blocks, customer)
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

/// By the agent or provider itself, or by an operator for it: an agent on its call server, a provider in `community`.
/// Asked for again it is recorded again.
pub fn block_customer(state: &State, owner: Party, customer: CustomerId, known_by: InquiryId, ctx: &Ctx) -> Decided {
    let blocks = blocks_of(state, owner, ctx)?;
    if state.erased.get(customer).is_some() {
        return Err(Refusal::CustomerErased);
    }
    let (most, message) = match owner {
        Party::Agent(_) => (CUSTOMERS_OF_AGENT_MAX, "An agent blocks at most 1,000 customers."),
        Party::Provider(_) => (CUSTOMERS_OF_PROVIDER_MAX, "A provider blocks at most 10,000 customers."),
    };
    if !holds(blocks, customer) && blocks.len() >= most {
        return Err(Refusal::LimitReached { message });
    }
    Ok(vec![match owner {
        Party::Agent(agent) => AgentCustomerBlocked { agent, customer, known_by }.into(),
        Party::Provider(provider) => ProviderCustomerBlocked { customer, known_by, provider }.into(),
    }])
}

pub fn unblock_customer(state: &State, owner: Party, customer: CustomerId, ctx: &Ctx) -> Decided {
    blocks_of(state, owner, ctx)?;
    Ok(vec![match owner {
        Party::Agent(agent) => AgentCustomerUnblocked { agent, customer }.into(),
        Party::Provider(provider) => ProviderCustomerUnblocked { customer, provider }.into(),
    }])
}

/// Customers, where the actor may say so.
fn blocks_of<'a>(state: &'a State, owner: Party, ctx: &Ctx) -> Result<&'a [CustomerId], Refusal> {
    let found = match owner {
        Party::Agent(agent) => {
            let own = matches!(ctx.actor, Actor::Operator(_)) || ctx.actor == Actor::Agent(agent);
            state.agents.get(agent).filter(|_| own).map(|row| &*row.blocks)
        }
        Party::Provider(provider) => {
            state.providers.get(provider).filter(|_| own_provider(provider, ctx)).map(|row| &*row.blocks)
        }
    };
    found.ok_or(Refusal::NotFound {
        field: match owner {
            Party::Agent(_) => "agentId",
            Party::Provider(_) => "providerId",
        },
    })
}

/// Whether some agent of this call server keeps away from the customer.
pub(crate) fn is_blocked(state: &State, customer: CustomerId) -> bool {
    state.agents.any_keyed(|_, row| row.keeps_from(customer))
}

/// The customer is erased: who kept away from it has nobody to keep away from.
pub(crate) fn forget(state: &mut State, customer: CustomerId) {
    let keeps = |id: &AgentId| state.agents.get(*id).is_some_and(|row| row.keeps_from(customer));
    let all: Vec<AgentId> = state.roster.iter().copied().filter(keeps).collect();
    for agent in all {
        state.change_agent(agent, |row| row.blocks = without(&row.blocks, customer));
    }
}

/// The same in `community`.
pub(crate) fn take_off(state: &mut State, customer: CustomerId) {
    let mut all: Vec<ProviderId> = Vec::new();
    state.providers.any_keyed(|provider, row| {
        all.extend(row.blocks(customer).then_some(provider));
        false
    });
    for provider in all {
        state.providers.change(&mut state.journal, provider, |row| row.blocks = without(&row.blocks, customer));
    }
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
