//! Events of reservations: one inquiry before one agent until a deadline.

use crate::event::wallet::Party;
use crate::ids::{AgentId, AuctionId, BidId, InquiryId, ReservationId, SessionId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::time::Timestamp;
use crate::topic::Skill;
use crate::why::Why;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationEvent {
    Opened(ReservationOpened),
    Viewed(ReservationViewed),
    Accepted(ReservationAccepted),
    Declined(ReservationDeclined),
    Lapsed(ReservationLapsed),
    Rescinded(ReservationRescinded),
    InvitationAnswered(InvitationAnswered),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    Selected,
    Awarded,
    Invited,
    Transfer,
}

/// What an agent in a session asks another one for: to join it, or to take it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The inviting agent.
    pub by: AgentId,
    /// What it wrote to whom takes over, sealed with the customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    pub session: SessionId,
    /// What whoever comes must be able to do. Absent: this agent was named, and nobody is asked after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<Skill>>,
    /// Why this one, where the platform selected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
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
    /// INVITED and TRANSFER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Box<Invitation>>,
    /// Whose money the price is held of until the reservation ends. Absent where an auction's award holds it, or
    /// nothing is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Party>,
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
    /// Who invited has taken it back.
    TakenBack,
    /// The session that the agent was invited to is over.
    SessionOver,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRescinded {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub reason: RescindReason,
    pub reservation: ReservationId,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Answer {
    Accepted,
    Declined,
    Lapsed,
    /// The platform was down at the deadline.
    Rescinded,
}

/// To the inviting agent: what became of its invitation, and who is asked now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationAnswered {
    /// The inviting agent.
    pub agent: AgentId,
    pub answer: Answer,
    pub inquiry: InquiryId,
    pub invited: AgentId,
    /// Who is asked after it; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<AgentId>,
    pub reservation: ReservationId,
    pub session: SessionId,
}
