//! Events of agents: who they are and what they want to do. What they are doing follows from
//! reservations and sessions.

use crate::ids::{AgentId, ProviderId};
use crate::sealed::Sealed;
use crate::topic::Skill;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    Registered(AgentRegistered),
    Updated(AgentUpdated),
    StatusSet(AgentStatusSet),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRegistered {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affiliated_with: Option<ProviderId>,
    pub agent: AgentId,
    /// Inquiries at once, 1 to 100.
    pub capacity: u32,
    pub display_name: Sealed,
    pub location: String,
    /// Short, for recorded exclusions: 1, 2, 3 … in order of registration on this call server.
    pub number: u32,
    pub skills: Vec<Skill>,
}

/// An absent member stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUpdated {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affiliated_with: Option<ProviderId>,
    pub agent: AgentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<Skill>>,
}

/// What an agent wants; UNAVAILABLE is derived and never wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Will {
    Offline,
    Available,
    Break,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WillReason {
    Asked,
    Lapsed,
    Operator,
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatusSet {
    pub agent: AgentId,
    /// What the agent or operator wrote, sealed with the agent's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    pub reason: WillReason,
    pub will: Will,
}
