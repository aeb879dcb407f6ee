//! Who gives a command.

use crate::ids::{AgentId, CustomerId, ProviderId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What an actor is. SYSTEM: timers, process managers, the platform itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    Operator,
    Provider,
    Agent,
    Finance,
    Customer,
    Anonymous,
    System,
}

/// An actor with the id that its role implies. Operators and finance people are named by their token's
/// subject: at most 64 characters of `A-Z a-z 0-9 . _ -`, which is no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    Operator(Arc<str>),
    Finance(Arc<str>),
    Provider(ProviderId),
    Agent(AgentId),
    Customer(CustomerId),
    Anonymous,
    System,
}

/// A role and an id that do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadActor;

impl fmt::Display for BadActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the role needs another kind of subject")
    }
}
impl std::error::Error for BadActor {}

const NAME_CHARS_MAX: usize = 64;

impl Actor {
    pub fn role(&self) -> Role {
        match self {
            Actor::Operator(_) => Role::Operator,
            Actor::Finance(_) => Role::Finance,
            Actor::Provider(_) => Role::Provider,
            Actor::Agent(_) => Role::Agent,
            Actor::Customer(_) => Role::Customer,
            Actor::Anonymous => Role::Anonymous,
            Actor::System => Role::System,
        }
    }

    /// The id as the envelope and the token carry it; absent for ANONYMOUS and SYSTEM.
    pub fn id(&self) -> Option<String> {
        match self {
            Actor::Operator(name) | Actor::Finance(name) => Some(name.to_string()),
            Actor::Provider(id) => Some(id.to_string()),
            Actor::Agent(id) => Some(id.to_string()),
            Actor::Customer(id) => Some(id.to_string()),
            Actor::Anonymous | Actor::System => None,
        }
    }

    /// Errors: `BadActor` where the id is not of the role's kind.
    pub fn new(role: Role, id: Option<&str>) -> Result<Actor, BadActor> {
        let name = |id: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || b == b'-';
            let valid = (1..=NAME_CHARS_MAX).contains(&id.len()) && id.bytes().all(plain);
            if valid { Ok(Arc::from(id)) } else { Err(BadActor) }
        };
        match (role, id) {
            (Role::Operator, Some(id)) => Ok(Actor::Operator(name(id)?)),
            (Role::Finance, Some(id)) => Ok(Actor::Finance(name(id)?)),
            (Role::Provider, Some(id)) => id.parse().map(Actor::Provider).map_err(|_| BadActor),
            (Role::Agent, Some(id)) => id.parse().map(Actor::Agent).map_err(|_| BadActor),
            (Role::Customer, Some(id)) => id.parse().map(Actor::Customer).map_err(|_| BadActor),
            (Role::Anonymous, None) => Ok(Actor::Anonymous),
            (Role::System, None) => Ok(Actor::System),
            _ => Err(BadActor),
        }
    }
}
