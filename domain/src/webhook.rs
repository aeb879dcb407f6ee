//! The log `effects`: webhooks, and what of other logs is to be told to whom. Nothing is sent before it is claimed here.
//!
//! Not here: which events a provider may see, how and when one is sent (`api`), deliveries that were made: the state
//! keeps the webhooks alone.

use crate::actor::Actor;
use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::SourcePosition;
use crate::event::webhook::*;
use crate::ids::{DeliveryId, EventId, ProviderId, Subject, WebhookId};
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::state::{State, Webhook};
use crate::time::Span;

type Decided = Result<Vec<Event>, Refusal>;

/// Of one provider.
pub const WEBHOOKS_MAX: usize = 20;
const TYPES_MAX: usize = 100;
const TYPE_CHARS_MAX: usize = 100;
/// How long a receiver has to take over a new secret.
pub const SECRETS_OVERLAP: Span = Span::days(1);

fn own(provider: ProviderId, ctx: &Ctx) -> bool {
    matches!(ctx.actor, Actor::Operator(_)) || ctx.actor == Actor::Provider(provider)
}

fn own_webhook<'a>(
    state: &'a State,
    webhook: WebhookId,
    field: &'static str,
    ctx: &Ctx,
) -> Result<&'a Webhook, Refusal> {
    let found = state.webhooks.get(webhook).filter(|row| own(row.provider, ctx));
    found.ok_or(Refusal::NotFound { field })
}

/// That there is such a provider, and that the address may be told anything, is known at the edge.
pub fn create(
    state: &State,
    webhook: WebhookId,
    provider: ProviderId,
    url: &str,
    types: &[String],
    secret: &Sealed,
    ctx: &Ctx,
) -> Decided {
    if !own(provider, ctx) {
        return Err(Refusal::NotFound { field: "providerId" });
    }
    check::url(&["url"], url)?;
    if types.len() > TYPES_MAX {
        return Err(Refusal::invalid(&["types"], format!("at most {TYPES_MAX} types")));
    }
    for (at, name) in types.iter().enumerate() {
        check::text(&["types", &at.to_string()], name, TYPE_CHARS_MAX)?;
    }
    let mut count = 0;
    state.webhooks.any_keyed(|_, row| {
        count += usize::from(row.provider == provider);
        false
    });
    if count >= WEBHOOKS_MAX {
        return Err(Refusal::LimitReached { message: "A provider has at most 20 webhooks; delete one." });
    }
    let (secret, types, url) = (secret.clone(), types.to_vec(), url.to_owned());
    Ok(vec![WebhookCreated { provider, secret, types, url, webhook }.into()])
}

pub fn rotate_secret(state: &State, webhook: WebhookId, secret: &Sealed, ctx: &Ctx) -> Decided {
    let provider = own_webhook(state, webhook, "webhookId", ctx)?.provider;
    let overlaps_until = ctx.now + SECRETS_OVERLAP;
    Ok(vec![WebhookSecretRotated { overlaps_until, provider, secret: secret.clone(), webhook }.into()])
}

pub fn delete(state: &State, webhook: WebhookId, ctx: &Ctx) -> Decided {
    let provider = own_webhook(state, webhook, "webhookId", ctx)?.provider;
    Ok(vec![WebhookDeleted { provider, webhook }.into()])
}

/// That the webhook has such a delivery is known at the edge.
pub fn redeliver(state: &State, webhook: WebhookId, delivery: DeliveryId, ctx: &Ctx) -> Decided {
    let row = own_webhook(state, webhook, "deliveryId", ctx)?;
    if row.disabled {
        return Err(Refusal::NotAllowedNow { message: "Its receiver has said that it is gone; create a new webhook." });
    }
    Ok(vec![WebhookRedeliveryAsked { delivery, provider: row.provider, webhook }.into()])
}

/// All that is to be told of one event of another log. A repeat changes nothing; who was deleted meanwhile is told
/// nothing.
pub fn plan(
    state: &State,
    webhooks: &[WebhookId],
    about: Subject,
    event: EventId,
    source: &SourcePosition,
    ctx: &Ctx,
) -> Decided {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    let planned = webhooks.iter().filter_map(|webhook| {
        let row = state.webhooks.get(*webhook).filter(|row| !row.disabled)?;
        let (delivery, source) = (DeliveryId(ctx.ids.next()), source.clone());
        Some(
            WebhookDeliveryPlanned { about, delivery, event, provider: row.provider, source, webhook: *webhook }.into(),
        )
    });
    Ok(planned.collect())
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: u32,
    pub status: Option<u16>,
    pub outcome: DeliveryOutcome,
    /// Only of what FAILED.
    pub next_in: Option<Span>,
    /// The receiver wants no more of this webhook.
    pub is_gone: bool,
}

pub fn record_attempt(
    state: &State,
    webhook: WebhookId,
    delivery: DeliveryId,
    attempt: &Attempt,
    ctx: &Ctx,
) -> Decided {
    let row = state.webhooks.get(webhook).ok_or(Refusal::NotFound { field: "webhookId" })?;
    let provider = row.provider;
    // What was on its way when its receiver was found to be gone is not tried again.
    let given_up = row.disabled && attempt.outcome == DeliveryOutcome::Failed;
    let outcome = if given_up { DeliveryOutcome::Dead } else { attempt.outcome };
    let attempted = WebhookDeliveryAttempted {
        attempt: attempt.number,
        delivery,
        next_attempt_at: attempt.next_in.filter(|_| !given_up).map(|span| ctx.now + span),
        outcome,
        provider,
        status: attempt.status,
        webhook,
    };
    let mut events = vec![attempted.into()];
    if attempt.is_gone && !row.disabled {
        events.push(WebhookDisabled { provider, webhook }.into());
    }
    Ok(events)
}

pub fn apply(state: &mut State, event: &WebhookEvent) {
    match event {
        WebhookEvent::Created(e) => {
            let row = Webhook { provider: e.provider, disabled: false };
            state.webhooks.put(&mut state.journal, e.webhook, row);
        }
        WebhookEvent::Deleted(e) => {
            state.webhooks.remove(&mut state.journal, e.webhook);
        }
        WebhookEvent::Disabled(e) => {
            state.webhooks.change(&mut state.journal, e.webhook, |row| row.disabled = true);
        }
        WebhookEvent::DeliveryPlanned(e) => state.note_source(&e.source),
        WebhookEvent::SecretRotated(_) | WebhookEvent::DeliveryAttempted(_) | WebhookEvent::RedeliveryAsked(_) => {}
    }
}
