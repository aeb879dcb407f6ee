//! Keeping agents from a provider's inquiries and customers from agents and providers, and letting them back.
//!
//! Here it is seen to that who is to be kept apart has met: an agent names a customer whom it has served, a provider one
//! that has had an inquiry about an offer of its. Nobody finds out by it who else there is.

use super::acceptance::served;
use super::agent::log_of;
use super::call::{Call, Step, answer};
use super::payload::BlockPayload;
use crate::app::blocking;
use crate::graphql::input::block::{
    BlockAgentInput, BlockCustomerInput, OfAgent, OfCustomer, UnblockAgentInput, UnblockCustomerInput,
};
use crate::graphql::types::{Block, fresh};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId};
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::history::lists::InquiryFilter;
use projections::live::Dossier;

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

    /// By an agent that has served the customer: it gets nothing of its any more. By a provider: it takes nothing of it any
    /// more. What is open already goes on.
    async fn block_customer(&self, ctx: &Context<'_>, input: BlockCustomerInput) -> Result<BlockPayload, Error> {
        let call = Call::begin(ctx, rights::BLOCK_CUSTOMER, &input, &input.idempotency_key)?;
        answer(block_customer(&call, &input)).await
    }

    async fn unblock_customer(&self, ctx: &Context<'_>, input: UnblockCustomerInput) -> Result<BlockPayload, Error> {
        let call = Call::begin(ctx, rights::UNBLOCK_CUSTOMER, &input, &input.idempotency_key)?;
        answer(unblock_customer(&call, &input)).await
    }
}

async fn block_customer(call: &Call, input: &BlockCustomerInput) -> Step<BlockPayload> {
    let (owner, customer, inquiry) = of_customer(call, input.parse()?).await?;
    if call.app.live.erased_at(customer).is_some() {
        return Err(Refusal::NotAllowedNow { message: "This customer's data was erased." }.into());
    }
    let command = Command::BlockCustomer { owner, customer, inquiry };
    let done = call.submit(&log_of_party(call, owner)?, command).await?;
    Ok(BlockPayload::new(&done, Block::load(&call.app, &call.actor, owner, customer.0)))
}

async fn unblock_customer(call: &Call, input: &UnblockCustomerInput) -> Step<BlockPayload> {
    let (owner, customer, _) = of_customer(call, input.parse()?).await?;
    let done = call.submit(&log_of_party(call, owner)?, Command::UnblockCustomer { owner, customer }).await?;
    Ok(BlockPayload::new(&done, Block::load(&call.app, &call.actor, owner, customer.0)))
}

fn log_of_party(call: &Call, party: Party) -> Step<LogName> {
    match party {
        Party::Agent(agent) => log_of(call, agent),
        Party::Provider(_) => Ok(LogName::community()),
    }
}

/// Who keeps away from whom, and an inquiry by which the two know each other.
async fn of_customer(call: &Call, input: OfCustomer) -> Step<(Party, CustomerId, InquiryId)> {
    let owner = owner(call, input.agent, input.provider)?;
    match (input.inquiry, input.customer) {
        (Some(inquiry), None) => {
            let met = |dossier: &Dossier| {
                let row = dossier.inquiry()?;
                let met = match owner {
                    Party::Agent(agent) => dossier.session().is_some_and(|session| session.had(agent)),
                    Party::Provider(provider) => row.provider == provider,
                };
                met.then_some(row.customer)
            };
            Ok((owner, call.look(inquiry, "inquiryId", met).await?, inquiry))
        }
        (None, Some(customer)) => {
            fresh::caught_up(&call.app).await?;
            let filter = InquiryFilter { customer: Some(customer), ..InquiryFilter::default() };
            let inquiry = match owner {
                Party::Agent(agent) => served(call, agent, filter).await?,
                Party::Provider(provider) => {
                    let filter = InquiryFilter { provider: Some(provider), ..filter };
                    let house = call.app.clone();
                    let rows = blocking(move || house.history.inquiries(&filter, None, 1)).await?;
                    rows.first().map(|row| row.id)
                }
            };
            let inquiry = inquiry.ok_or(Refusal::NotFound { field: "customerId" })?;
            Ok((owner, customer, inquiry))
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(Refusal::invalid(&["inquiryId"], "name an inquiry, or the customer").into())
        }
    }
}

/// Agents and providers mean themselves; an operator names one of them.
fn owner(call: &Call, agent: Option<AgentId>, provider: Option<ProviderId>) -> Step<Party> {
    match (&call.actor, agent, provider) {
        (Actor::Agent(own), None, None) => Ok(Party::Agent(*own)),
        (Actor::Agent(own), Some(named), None) if *own == named => Ok(Party::Agent(named)),
        (Actor::Agent(_), Some(_), None) => Err(Refusal::NotFound { field: "agentId" }.into()),
        (Actor::Agent(_), _, Some(_)) => Err(Refusal::NotFound { field: "providerId" }.into()),
        (Actor::Provider(_), Some(_), _) => Err(Refusal::NotFound { field: "agentId" }.into()),
        (Actor::Provider(_), None, named) => Ok(Party::Provider(itself_or_named(call, named)?)),
        (_, Some(agent), None) => Ok(Party::Agent(agent)),
        (_, None, Some(provider)) => Ok(Party::Provider(itself_or_named(call, Some(provider))?)),
        (_, None, None) | (_, Some(_), Some(_)) => {
            Err(Refusal::invalid(&["agentId"], "name the agent, or the provider").into())
        }
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
    Ok(BlockPayload::new(&done, Block::load(&call.app, &call.actor, Party::Provider(provider), agent.0)))
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
