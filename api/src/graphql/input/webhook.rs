//! Webhooks.

use super::parse::{self, Path};
use async_graphql::{ID, InputObject};
use domain::refusal::Refusal;
use store::stored::TYPES;

#[derive(InputObject, Clone, Debug)]
pub struct CreateWebhookInput {
    pub provider_id: Option<ID>,
    pub url: String,
    pub types: Option<Vec<String>>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct WebhookActionInput {
    pub webhook_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct RedeliverWebhookInput {
    pub delivery_id: ID,
    pub idempotency_key: String,
}

impl CreateWebhookInput {
    /// Types of events as audit trails name them; each once.
    pub fn types(&self) -> Result<Vec<String>, Refusal> {
        let input = Path::Input;
        let path = input.member("types");
        let types = self.types.clone().unwrap_or_default();
        for (at, name) in types.iter().enumerate() {
            if !TYPES.contains(&name.as_str()) || types[..at].contains(name) {
                return Err(path.entry(at).invalid("a type of event such as offer.accepted.v1, each once"));
            }
        }
        Ok(types)
    }

    pub fn provider(&self) -> Result<Option<domain::ids::ProviderId>, Refusal> {
        self.provider_id.as_ref().map(|id| parse::id(id, "providerId")).transpose()
    }
}
