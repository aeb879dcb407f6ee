//! Events of reservations: one inquiry before one agent until a deadline.

use crate::ids::{AgentId, AuctionId, BidId, InquiryId, ReservationId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationEvent {
    Opened(ReservationOpened),
    Viewed(ReservationViewed),
    Accepted(ReservationAccepted),
    Declined(ReservationDeclined),
    Lapsed(ReservationLapsed),
    Rescinded(ReservationRescinded),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    Selected,
    Awarded,
    Invited,
    Transfer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationOpened {
    pub agent: AgentId,
    /// 1 for the first agent asked, 2 for the second.
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auction: Option<AuctionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidId>,
    pub deadline: Timestamp,
    pub inquiry: InquiryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    pub purpose: Purpose,
    pub reservation: ReservationId,
}

/// The agent's browser has retrieved the customer's information.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationViewed {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub reservation: ReservationId,
}

/// Consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationAccepted {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub reservation: ReservationId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationDeclined {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    /// What the agent wrote, sealed with the agent's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
    pub reservation: ReservationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_agent: Option<AgentId>,
}

/// No answer in time. This is the notice to the agent too: it names who is asked now, or nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationLapsed {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub reservation: ReservationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_agent: Option<AgentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RescindReason {
    /// The customer withdrew.
    InquiryGone,
    /// The platform was down at the deadline: nobody is blamed.
    PlatformLate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRescinded {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub reason: RescindReason,
    pub reservation: ReservationId,
}
