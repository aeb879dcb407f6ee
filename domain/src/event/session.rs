//! Events of sessions: the conversation, its channels and messages, wrap-up and what is saved.

use crate::ids::{AgentId, ChannelId, CustomerId, InquiryId, MessageId, RecordId, ReservationId, SessionId};
use crate::sealed::Sealed;
use crate::terms::ChannelKind;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    Opened(SessionOpened),
    MessageSent(MessageSent),
    Ended(SessionEnded),
    NotesSaved(NotesSaved),
    WrapUpExtended(WrapUpExtended),
    WrapUpCompleted(WrapUpCompleted),
    AgentJoined(AgentJoined),
    AgentLeft(AgentLeft),
    ChannelOpened(ChannelOpened),
    ChannelConnected(ChannelConnected),
    ChannelClosed(ChannelClosed),
    Kept(SessionKept),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    pub agent: AgentId,
    /// The MAIN channel, customer and agents.
    pub channel: ChannelId,
    pub customer: CustomerId,
    pub inquiry: InquiryId,
    pub kind: ChannelKind,
    pub session: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Author {
    Customer,
    Agent,
    System,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    /// The agent, where one wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    pub author: Author,
    pub channel: ChannelId,
    pub inquiry: InquiryId,
    pub message: MessageId,
    pub session: SessionId,
    /// On a SIDE channel: the customer never learns of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub side: bool,
    pub text: Sealed,
}

/// Consent to an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentJoined {
    pub agent: AgentId,
    /// It takes over: it is the first agent from now on, and the former one leaves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
    pub inquiry: InquiryId,
    pub reservation: ReservationId,
    pub session: SessionId,
}

/// The session goes on without this agent; its SIDE channels are closed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLeft {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub session: SessionId,
    /// Who has handed over wraps up until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up_deadline: Option<Timestamp>,
}

/// A SIDE channel between two agents of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelOpened {
    /// The one who is spoken to.
    pub agent: AgentId,
    /// The one who opened it.
    pub by: AgentId,
    pub channel: ChannelId,
    pub inquiry: InquiryId,
    pub kind: ChannelKind,
    pub session: SessionId,
}

/// An agent reports that the other side of a TELEPHONE channel is on the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelConnected {
    /// Who reports it.
    pub agent: AgentId,
    pub channel: ChannelId,
    pub inquiry: InquiryId,
    pub session: SessionId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub side: bool,
}

/// A SIDE channel is over; the session goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelClosed {
    /// The other agent on it.
    pub agent: AgentId,
    /// The one who closed it.
    pub by: AgentId,
    pub channel: ChannelId,
    pub inquiry: InquiryId,
    pub session: SessionId,
}

/// The platform was down when the session would have ended by itself: it goes on until then at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionKept {
    pub inquiry: InquiryId,
    pub session: SessionId,
    pub until: Timestamp,
}

/// Disconnected for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    pub agent: AgentId,
    pub by: Author,
    pub inquiry: InquiryId,
    pub session: SessionId,
    /// Until when the agent may wrap up; absent: the session is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up_deadline: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotesSaved {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub notes: Sealed,
    pub session: SessionId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapUpExtended {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub session: SessionId,
    pub wrap_up_deadline: Timestamp,
}

/// The inquiry information is saved to the customer's record; by the agent, or by the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapUpCompleted {
    pub agent: AgentId,
    pub customer: CustomerId,
    /// Notes, disposition, information: one JSON object, sealed with the customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<Sealed>,
    pub inquiry: InquiryId,
    pub record: RecordId,
    pub session: SessionId,
}
