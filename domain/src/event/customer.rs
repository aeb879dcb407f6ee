//! Events about a customer itself: its erasure, in `community`, and what follows from it on each call server.

use crate::event::community::SourcePosition;
use crate::ids::CustomerId;
use crate::sealed::Sealed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerEvent {
    Erased(CustomerErased),
    Forgotten(CustomerForgotten),
}

/// In `community`: its key is deleted after this stands, and nothing is accepted for it any more. Asked for again it is
/// recorded again; the first one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerErased {
    pub customer: CustomerId,
    /// What the operator wrote, sealed with the customer's key: it goes with what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// In a call server's own log: what of the customer was open here ends, one inquiry with each of these events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerForgotten {
    pub customer: CustomerId,
    /// Of the erasure. Absent where this goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePosition>,
    /// More of it is open, and the next one ends then. Absent: that was all, and nobody keeps away from it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
