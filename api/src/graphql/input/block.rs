//! Who is to be kept from whom, and who no longer.

use super::parse;
use async_graphql::{ID, InputObject};
use domain::ids::{AgentId, ProviderId};
use domain::refusal::Refusal;

/// An agent, and from whose inquiries.
pub struct OfAgent {
    pub agent: AgentId,
    /// Operators name it; a provider means itself.
    pub provider: Option<ProviderId>,
}

macro_rules! of_agent {
    ($($name:ident)*) => {
        $(
            #[derive(InputObject, Clone, Debug)]
            pub struct $name {
                pub agent_id: ID,
                /// Operators name the provider; a provider means itself.
                pub provider_id: Option<ID>,
                pub idempotency_key: String,
            }

            impl $name {
                pub fn parse(&self) -> Result<OfAgent, Refusal> {
                    let provider = self.provider_id.as_ref().map(|id| parse::id(id, "providerId")).transpose()?;
                    Ok(OfAgent { agent: parse::id(&self.agent_id, "agentId")?, provider })
                }
            }
        )*
    };
}

of_agent! { BlockAgentInput UnblockAgentInput }
