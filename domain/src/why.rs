//! The recorded why of a choice: the rule, who was left out for which reason, and the ranking. The best
//! 20 stand in full; the rest is recomputed from the log as of that position.

use crate::ids::{BidId, Subject};
use crate::money::Money;
use serde::{Deserialize, Serialize};

/// Ranked candidates recorded in full.
pub const RANKED_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExclusionReason {
    NotAvailable,
    AtCapacity,
    LacksSkill,
    LocationAvoided,
    AlreadyAsked,
    DeclinedCoolOff,
    NotIndependent,
    NoFunds,
    TopicMismatch,
    LanguageMismatch,
    /// By the inquiry's provider.
    Blocked,
    /// It waits for the agent who served its customer last, who is busy.
    HeldForPreferred,
}

/// Agents left out for one reason, by their short numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    pub agents: Vec<u32>,
    pub reason: ExclusionReason,
    /// Call servers or queues left out; agents stand in `agents`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
}

/// A candidate in its place of the ranking, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidId>,
    /// What the rule compared, as a decimal string; absent where the amount is it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    pub subject: Subject,
    /// What decided between equals, such as the order of recording.
    pub tie_key: String,
}

/// One choice and its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Subject>,
    pub excluded: Vec<Excluded>,
    pub ranked: Vec<Ranked>,
    /// The rule and its version, such as `award/1`.
    pub rule: String,
}
