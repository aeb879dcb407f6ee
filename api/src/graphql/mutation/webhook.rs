//! Webhooks: made, given a new secret, deleted; a delivery sent again.

use super::agent::mint;
use super::call::{Call, Step, Stop, answer};
use super::payload::WebhookPayload;
use crate::graphql::input::parse;
use crate::graphql::input::webhook::{CreateWebhookInput, RedeliverWebhookInput, WebhookActionInput};
use crate::graphql::types::Webhook;
use crate::webhooks::fresh_secret;
use crate::webhooks::target::Target;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::webhook::WebhookEvent;
use domain::ids::{DeliveryId, WebhookId};
use domain::log::LogName;
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Webhooks;

#[Object]
impl Webhooks {
    async fn create_webhook(&self, ctx: &Context<'_>, input: CreateWebhookInput) -> Result<WebhookPayload, Error> {
        let call = Call::begin(ctx, rights::CREATE_WEBHOOK, &input, &input.idempotency_key)?;
        answer(create_webhook(&call, &input)).await
    }

    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        input: WebhookActionInput,
    ) -> Result<WebhookPayload, Error> {
        let call = Call::begin(ctx, rights::ROTATE_WEBHOOK_SECRET, &input, &input.idempotency_key)?;
        answer(rotate_webhook_secret(&call, &input)).await
    }

    async fn delete_webhook(&self, ctx: &Context<'_>, input: WebhookActionInput) -> Result<WebhookPayload, Error> {
        let call = Call::begin(ctx, rights::DELETE_WEBHOOK, &input, &input.idempotency_key)?;
        answer(delete_webhook(&call, &input)).await
    }

    async fn redeliver_webhook(
        &self,
        ctx: &Context<'_>,
        input: RedeliverWebhookInput,
    ) -> Result<WebhookPayload, Error> {
        let call = Call::begin(ctx, rights::REDELIVER_WEBHOOK, &input, &input.idempotency_key)?;
        answer(redeliver_webhook(&call, &input)).await
    }
}

async fn create_webhook(call: &Call, input: &CreateWebhookInput) -> Step<WebhookPayload> {
    let types = input.types()?;
    let own = match call.actor {
        Actor::Provider(id) => Some(id),
        _ => None,
    };
    let unnamed = || Refusal::invalid(&["providerId"], "name the provider");
    let provider = input.provider()?.or(own).ok_or_else(unnamed)?;
    let unknown = || Stop::from(Refusal::NotFound { field: "providerId" });
    call.app.live.provider(provider).filter(|_| own.is_none_or(|own| own == provider)).ok_or_else(unknown)?;
    let loopback = call.app.loopback_webhooks;
    let refused = |message| Stop::from(Refusal::UrlRefused { message });
    let target = Target::read(&input.url, loopback).map_err(refused)?;
    target.addresses(loopback).await.map_err(refused)?;
    let webhook = WebhookId(mint(call)?);
    let secret = fresh_secret();
    let sealed = call.seal_for(webhook, secret.clone()).await?;
    let command = Command::CreateWebhook { webhook, provider, url: input.url.clone(), types, secret: sealed };
    let done = call.submit(&LogName::effects(), command).await?;
    // On a replay, the one that was made then; its secret was shown then.
    let made = done.one(|event| match event {
        Event::Webhook(WebhookEvent::Created(e)) => Some(e.webhook),
        _ => None,
    })?;
    let secret = (!done.replayed).then_some(secret);
    Ok(WebhookPayload::new(&done, Webhook::load(&call.app, &call.actor, made), secret))
}

async fn rotate_webhook_secret(call: &Call, input: &WebhookActionInput) -> Step<WebhookPayload> {
    let webhook = own(call, parse::id(&input.webhook_id, "webhookId")?, "webhookId")?;
    let secret = fresh_secret();
    let sealed = call.seal_for(webhook, secret.clone()).await?;
    let done = call.submit(&LogName::effects(), Command::RotateWebhookSecret { webhook, secret: sealed }).await?;
    let secret = (!done.replayed).then_some(secret);
    Ok(WebhookPayload::new(&done, Webhook::load(&call.app, &call.actor, webhook), secret))
}

async fn delete_webhook(call: &Call, input: &WebhookActionInput) -> Step<WebhookPayload> {
    let webhook: WebhookId = parse::id(&input.webhook_id, "webhookId")?;
    let shown = Webhook::load(&call.app, &call.actor, webhook);
    let done = call.submit(&LogName::effects(), Command::DeleteWebhook { webhook }).await?;
    Ok(WebhookPayload::new(&done, shown, None))
}

async fn redeliver_webhook(call: &Call, input: &RedeliverWebhookInput) -> Step<WebhookPayload> {
    let delivery: DeliveryId = parse::id(&input.delivery_id, "deliveryId")?;
    let row = call.app.board.delivery(delivery).ok_or(Refusal::NotFound { field: "deliveryId" })?;
    let webhook = own(call, row.webhook, "deliveryId")?;
    let done = call.submit(&LogName::effects(), Command::RedeliverWebhook { webhook, delivery }).await?;
    Ok(WebhookPayload::new(&done, Webhook::load(&call.app, &call.actor, webhook), None))
}

/// Nothing is sealed for what is not there.
fn own(call: &Call, webhook: WebhookId, field: &'static str) -> Step<WebhookId> {
    match Webhook::load(&call.app, &call.actor, webhook) {
        Some(_) => Ok(webhook),
        None => Err(Refusal::NotFound { field }.into()),
    }
}
