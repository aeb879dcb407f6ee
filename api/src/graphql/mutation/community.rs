//! Providers and call servers: recorded in `community`, answered once the call servers have them.

use super::agent::known_call_server;
use super::call::{Call, Done, Step, answer};
use super::payload::{CallServerPayload, ProviderPayload};
use crate::graphql::input::community::{
    OpenCallServerInput, RegisterProviderInput, ReportLocationTrafficInput, UpdateCallServerInput, UpdateProviderInput,
};
use crate::graphql::types::{CallServer, Provider};
use async_graphql::{Context, Error, Object};
use domain::command::rights;
use domain::event::Event;
use domain::event::community::{CallServerEvent, ProviderEvent};
use domain::ids::ProviderId;
use domain::log::LogName;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Community;

#[Object]
impl Community {
    async fn register_provider(
        &self,
        ctx: &Context<'_>,
        input: RegisterProviderInput,
    ) -> Result<ProviderPayload, Error> {
        let call = Call::begin(ctx, rights::REGISTER_PROVIDER, &input, &input.idempotency_key)?;
        answer(register_provider(&call, &input)).await
    }

    async fn open_call_server(
        &self,
        ctx: &Context<'_>,
        input: OpenCallServerInput,
    ) -> Result<CallServerPayload, Error> {
        let call = Call::begin(ctx, rights::OPEN_CALL_SERVER, &input, &input.idempotency_key)?;
        answer(open_call_server(&call, &input)).await
    }

    async fn update_provider(&self, ctx: &Context<'_>, input: UpdateProviderInput) -> Result<ProviderPayload, Error> {
        let call = Call::begin(ctx, rights::UPDATE_PROVIDER, &input, &input.idempotency_key)?;
        answer(update_provider(&call, &input)).await
    }

    async fn update_call_server(
        &self,
        ctx: &Context<'_>,
        input: UpdateCallServerInput,
    ) -> Result<CallServerPayload, Error> {
        let call = Call::begin(ctx, rights::UPDATE_CALL_SERVER, &input, &input.idempotency_key)?;
        answer(update_call_server(&call, &input)).await
    }

    async fn report_location_traffic(
        &self,
        ctx: &Context<'_>,
        input: ReportLocationTrafficInput,
    ) -> Result<CallServerPayload, Error> {
        let call = Call::begin(ctx, rights::REPORT_LOCATION_TRAFFIC, &input, &input.idempotency_key)?;
        answer(report_location_traffic(&call, &input)).await
    }
}

async fn register_provider(call: &Call, input: &RegisterProviderInput) -> Step<ProviderPayload> {
    let done = call.submit(&LogName::community(), input.parse()?).await?;
    let registered = done.one(|event| match event {
        Event::Provider(ProviderEvent::Registered(e)) => Some((e.provider, e.credit_limits.clone())),
        _ => None,
    });
    let (provider, limits) = registered?;
    let named = limits.into_iter().map(|limit| limit.call_server).collect();
    provider_payload(call, &done, provider, named).await
}

async fn update_provider(call: &Call, input: &UpdateProviderInput) -> Step<ProviderPayload> {
    let done = call.submit(&LogName::community(), input.parse()?).await?;
    let updated = done.one(|event| match event {
        Event::Provider(ProviderEvent::Updated(e)) => Some(e.clone()),
        _ => None,
    });
    let updated = updated?;
    let granted = updated.credit_limits.into_iter().flatten().map(|limit| limit.call_server);
    let named = granted.chain(updated.limits_lifted.into_iter().map(|limit| limit.call_server)).collect();
    provider_payload(call, &done, updated.provider, named).await
}

/// A limit counts, and counts no more, from the moment its call server has it.
async fn provider_payload(call: &Call, done: &Done, id: ProviderId, named: BTreeSet<LogName>) -> Step<ProviderPayload> {
    for name in &named {
        handed_over(call, done, name).await?;
    }
    Ok(ProviderPayload::new(done, Provider::load(&call.app, &call.actor, id).await?))
}

async fn open_call_server(call: &Call, input: &OpenCallServerInput) -> Step<CallServerPayload> {
    let done = call.submit(&LogName::community(), input.parse()?).await?;
    call_server_payload(call, &done).await
}

async fn update_call_server(call: &Call, input: &UpdateCallServerInput) -> Step<CallServerPayload> {
    let done = call.submit(&LogName::community(), input.parse()?).await?;
    call_server_payload(call, &done).await
}

/// Recorded by the call server itself.
async fn report_location_traffic(call: &Call, input: &ReportLocationTrafficInput) -> Step<CallServerPayload> {
    let (log, command) = input.parse()?;
    known_call_server(call, &log)?;
    let done = call.submit(&log, command).await?;
    Ok(CallServerPayload::new(&done, CallServer::load(&call.app, &call.actor, &log).await?))
}

async fn call_server_payload(call: &Call, done: &Done) -> Step<CallServerPayload> {
    let name = done.one(|event| match event {
        Event::CallServer(CallServerEvent::Opened(e)) => Some(e.name.clone()),
        Event::CallServer(CallServerEvent::Updated(e)) => Some(e.name.clone()),
        _ => None,
    })?;
    handed_over(call, done, &name).await?;
    Ok(CallServerPayload::new(done, CallServer::load(&call.app, &call.actor, &name).await?))
}

async fn handed_over(call: &Call, done: &Done, name: &LogName) -> Step<()> {
    if let Some(seq) = done.seq {
        call.app.handed_over(name, seq).await?;
    }
    Ok(())
}
