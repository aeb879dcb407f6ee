//! Keeping agents from a provider's inquiries, and letting them back.

use super::agent::log_of;
use super::call::{Call, Step, answer};
use super::payload::BlockPayload;
use crate::graphql::input::block::{BlockAgentInput, OfAgent, UnblockAgentInput};
use crate::graphql::types::Block;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::ids::{AgentId, ProviderId};
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Blocks;

#[Object]
impl Blocks {
    /// By a provider: its inquiries come to the agent by no way. What the agent has of them already goes on. It is not told.
    async fn block_agent(&self, ctx: &Context<'_>, input: BlockAgentInput) -> Result<BlockPayload, Error> {
        let call = Call::begin(ctx, rights::BLOCK_AGENT, &input, &input.idempotency_key)?;
        let command = |agent, provider| Command::BlockAgent { agent, provider };
        answer(of_agent(&call, input.parse(), command)).await
    }

    async fn unblock_agent(&self, ctx: &Context<'_>, input: UnblockAgentInput) -> Result<BlockPayload, Error> {
        let call = Call::begin(ctx, rights::UNBLOCK_AGENT, &input, &input.idempotency_key)?;
        let command = |agent, provider| Command::UnblockAgent { agent, provider };
        answer(of_agent(&call, input.parse(), command)).await
    }
}

async fn of_agent(
    call: &Call,
    input: Result<OfAgent, Refusal>,
    command: impl FnOnce(AgentId, ProviderId) -> Command,
) -> Step<BlockPayload> {
    let OfAgent { agent, provider } = input?;
    let provider = itself_or_named(call, provider)?;
    let done = call.submit(&log_of(call, agent)?, command(agent, provider)).await?;
    Ok(BlockPayload::new(&done, Block::of_agent(&call.app, &call.actor, provider, agent)))
}

/// A provider means itself; an operator names one. Providers live in `community`, so the call server's decision cannot
/// look.
fn itself_or_named(call: &Call, named: Option<ProviderId>) -> Step<ProviderId> {
    let own = match call.actor {
        Actor::Provider(own) => Some(own),
        _ => None,
    };
    let provider = named.or(own).ok_or(Refusal::invalid(&["providerId"], "name the provider"))?;
    let known = own.is_none_or(|own| own == provider) && call.app.live.provider(provider).is_some();
    if known { Ok(provider) } else { Err(Refusal::NotFound { field: "providerId" }.into()) }
}
