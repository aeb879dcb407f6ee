//! Events of the log `effects`: whom a provider wants told of what, what was claimed to be told, and what came of it.

use crate::event::community::SourcePosition;
use crate::ids::{DeliveryId, EventId, ProviderId, Subject, WebhookId};
use crate::sealed::Sealed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    Created(WebhookCreated),
    SecretRotated(WebhookSecretRotated),
    Deleted(WebhookDeleted),
    Disabled(WebhookDisabled),
    DeliveryPlanned(WebhookDeliveryPlanned),
    DeliveryAttempted(WebhookDeliveryAttempted),
    RedeliveryAsked(WebhookRedeliveryAsked),
}

impl WebhookEvent {
    /// Whose webhook it is.
    pub fn provider(&self) -> ProviderId {
        match self {
            WebhookEvent::Created(e) => e.provider,
            WebhookEvent::SecretRotated(e) => e.provider,
            WebhookEvent::Deleted(e) => e.provider,
            WebhookEvent::Disabled(e) => e.provider,
            WebhookEvent::DeliveryPlanned(e) => e.provider,
            WebhookEvent::DeliveryAttempted(e) => e.provider,
            WebhookEvent::RedeliveryAsked(e) => e.provider,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookCreated {
    pub provider: ProviderId,
    /// What deliveries are signed with, sealed for the webhook.
    pub secret: Sealed,
    /// Of events; empty: all that the provider sees.
    pub types: Vec<String>,
    pub url: String,
    pub webhook: WebhookId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSecretRotated {
    /// Until then deliveries are signed with the secret before, too.
    pub overlaps_until: Timestamp,
    pub provider: ProviderId,
    pub secret: Sealed,
    pub webhook: WebhookId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDeleted {
    pub provider: ProviderId,
    pub webhook: WebhookId,
}

/// Its receiver said that it is gone for good (410). What was still to be told is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDisabled {
    pub provider: ProviderId,
    pub webhook: WebhookId,
}

/// Claimed before it is done: this event of another log is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDeliveryPlanned {
    /// The inquiry, or what the event is about otherwise: of these, deliveries keep their order.
    pub about: Subject,
    pub delivery: DeliveryId,
    pub event: EventId,
    pub provider: ProviderId,
    pub source: SourcePosition,
    pub webhook: WebhookId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryOutcome {
    Delivered,
    /// To be tried again.
    Failed,
    /// It is not tried again by itself.
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDeliveryAttempted {
    /// 1 for the first since it was planned, or asked for again.
    pub attempt: u32,
    pub delivery: DeliveryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    pub outcome: DeliveryOutcome,
    pub provider: ProviderId,
    /// Of HTTP; absent where no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub webhook: WebhookId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRedeliveryAsked {
    pub delivery: DeliveryId,
    pub provider: ProviderId,
    pub webhook: WebhookId,
}
