//! Who is to be kept from whom, and who no longer.

use super::parse;
use async_graphql::{ID, InputObject};
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId};
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

/// A customer by itself or by an inquiry of its own, and who keeps away from it.
pub struct OfCustomer {
    pub customer: Option<CustomerId>,
    pub inquiry: Option<InquiryId>,
    /// Operators name one of the two; agents and providers mean themselves.
    pub agent: Option<AgentId>,
    pub provider: Option<ProviderId>,
}

macro_rules! of_customer {
    ($($name:ident)*) => {
        $(
            #[derive(InputObject, Clone, Debug)]
            pub struct $name {
                /// One of the customer's, which the agent served, or of the provider's offers. Or the customer itself.
                pub inquiry_id: Option<ID>,
                pub customer_id: Option<ID>,
                /// Operators name the agent or the provider; both mean themselves.
                pub agent_id: Option<ID>,
                pub provider_id: Option<ID>,
                pub idempotency_key: String,
            }

            impl $name {
                pub fn parse(&self) -> Result<OfCustomer, Refusal> {
                    Ok(OfCustomer {
                        customer: self.customer_id.as_ref().map(|id| parse::id(id, "customerId")).transpose()?,
                        inquiry: self.inquiry_id.as_ref().map(|id| parse::id(id, "inquiryId")).transpose()?,
                        agent: self.agent_id.as_ref().map(|id| parse::id(id, "agentId")).transpose()?,
                        provider: self.provider_id.as_ref().map(|id| parse::id(id, "providerId")).transpose()?,
                    })
                }
            }
        )*
    };
}

of_customer! { BlockCustomerInput UnblockCustomerInput }
