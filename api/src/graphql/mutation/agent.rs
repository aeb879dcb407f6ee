//! Agents: registered and updated by operators, their status set by themselves or an operator.

use super::call::{Call, Step, Stop, answer};
use super::payload::AgentPayload;
use crate::errors::{ErrorCode, code};
use crate::graphql::input::agent::{
    ForgiveStrikesInput, ReadNoticesInput, RegisterAgentInput, SetAgentStatusInput, SetStandingValueInput,
    UpdateAgentInput,
};
use crate::graphql::input::parse;
use crate::graphql::types::Agent;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::ids::{AgentId, IdSource, NoticeId, ProviderId};
use domain::log::LogName;
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Agents;

#[Object]
impl Agents {
    async fn register_agent(&self, ctx: &Context<'_>, input: RegisterAgentInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::REGISTER_AGENT, &input, &input.idempotency_key)?;
        answer(register_agent(&call, &input)).await
    }

    /// Skills, location, capacity, credit limit; an absent field stays as it is.
    async fn update_agent(&self, ctx: &Context<'_>, input: UpdateAgentInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::UPDATE_AGENT, &input, &input.idempotency_key)?;
        answer(update_agent(&call, &input)).await
    }

    async fn set_agent_status(&self, ctx: &Context<'_>, input: SetAgentStatusInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::SET_AGENT_STATUS, &input, &input.idempotency_key)?;
        answer(set_agent_status(&call, &input)).await
    }

    /// The agent says how far it has read what it was told. Of what is read already the first time counts.
    async fn read_notices(&self, ctx: &Context<'_>, input: ReadNoticesInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::READ_NOTICES, &input, &input.idempotency_key)?;
        answer(read_notices(&call, &input)).await
    }

    async fn set_standing_value(&self, ctx: &Context<'_>, input: SetStandingValueInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::SET_STANDING_VALUE, &input, &input.idempotency_key)?;
        answer(set_standing_value(&call, &input)).await
    }

    /// All strikes of an agent, and its bar. Refused where there is nothing to forgive.
    async fn forgive_strikes(&self, ctx: &Context<'_>, input: ForgiveStrikesInput) -> Result<AgentPayload, Error> {
        let call = Call::begin(ctx, rights::FORGIVE_STRIKES, &input, &input.idempotency_key)?;
        answer(forgive_strikes(&call, &input)).await
    }
}

/// A new id, made here because what is sealed for somebody names them.
pub(super) fn mint(call: &Call) -> Step<u128> {
    let entropy = getrandom::u64().map_err(|_| code(ErrorCode::Unavailable, "No randomness; try again."))?;
    Ok(IdSource::new(call.app.clock.now().0, entropy).next())
}

async fn register_agent(call: &Call, input: &RegisterAgentInput) -> Step<AgentPayload> {
    let new = input.parse()?;
    known_call_server(call, &new.call_server)?;
    known_provider(call, new.affiliated_with)?;
    let log = new.call_server.clone();
    let minted = AgentId(mint(call)?);
    let name = call.seal_for(minted, input.display_name.clone()).await?;
    let done = call.submit(&log, input.command(new, minted, name)).await?;
    // On a replay, the one that was registered then.
    let agent = done.one(|event| match event {
        Event::Agent(AgentEvent::Registered(e)) => Some(e.agent),
        _ => None,
    })?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

async fn update_agent(call: &Call, input: &UpdateAgentInput) -> Step<AgentPayload> {
    let changed = input.parse()?;
    let agent = changed.agent;
    let log = log_of(call, agent)?;
    known_provider(call, changed.affiliated_with.set())?;
    let name = call.seal(agent, input.display_name.clone()).await?;
    let done = call.submit(&log, input.command(changed, name)).await?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

async fn set_agent_status(call: &Call, input: &SetAgentStatusInput) -> Step<AgentPayload> {
    let agent = itself_or_named(call, input.parse()?)?;
    let log = log_of(call, agent)?;
    let note = call.seal(agent, input.reason.clone()).await?;
    let done = call.submit(&log, Command::SetAgentStatus { agent, will: input.status.into(), note }).await?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

async fn read_notices(call: &Call, input: &ReadNoticesInput) -> Step<AgentPayload> {
    let notice: NoticeId = parse::id(&input.notice_id, "noticeId")?;
    let agent = itself_or_named(call, None)?;
    let log = log_of(call, agent)?;
    // Where it is none of the agent's, or kept no more, the decision says so: a repeat has its answer all the same.
    let through = call.app.live.notice_position(agent, notice);
    let done = call.submit(&log, Command::ReadNotices { agent, through }).await?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

async fn set_standing_value(call: &Call, input: &SetStandingValueInput) -> Step<AgentPayload> {
    let agent = itself_or_named(call, input.agent()?)?;
    let command = input.parse(agent)?;
    let log = log_of(call, agent)?;
    let done = call.submit(&log, command).await?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

async fn forgive_strikes(call: &Call, input: &ForgiveStrikesInput) -> Step<AgentPayload> {
    let agent = input.parse()?;
    let log = log_of(call, agent)?;
    let reason = call.seal_for(agent, input.reason.clone()).await?;
    let done = call.submit(&log, Command::ForgiveStrikes { agent, reason }).await?;
    Ok(AgentPayload::new(&done, Agent::load(&call.app, &call.actor, agent).await?))
}

/// An agent means itself; an operator names one.
fn itself_or_named(call: &Call, named: Option<AgentId>) -> Step<AgentId> {
    match (&call.actor, named) {
        (Actor::Agent(own), None) => Ok(*own),
        (Actor::Agent(own), Some(named)) if *own != named => Err(Refusal::NotFound { field: "agentId" }.into()),
        (_, Some(named)) => Ok(named),
        (_, None) => Err(Refusal::invalid(&["agentId"], "name the agent").into()),
    }
}

/// The call server of an agent. Agents never leave.
pub(super) fn log_of(call: &Call, agent: AgentId) -> Step<LogName> {
    let place = call.app.live.place(agent);
    place.map(|place| place.log).ok_or(Stop::from(Refusal::NotFound { field: "agentId" }))
}

pub(super) fn known_call_server(call: &Call, name: &LogName) -> Step<()> {
    match call.app.live.call_server(name) {
        Some(_) => Ok(()),
        None => Err(Refusal::NotFound { field: "callServer" }.into()),
    }
}

/// Providers live in `community`, so the call server's decision cannot look.
fn known_provider(call: &Call, provider: Option<ProviderId>) -> Step<()> {
    match provider {
        Some(id) if call.app.live.provider(id).is_none() => Err(Refusal::NotFound { field: "affiliatedWith" }.into()),
        _ => Ok(()),
    }
}
