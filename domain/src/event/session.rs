//! Events of sessions: the conversation, its channels and messages, wrap-up and what is saved.

use crate::ids::{AgentId, ChannelId, CustomerId, InquiryId, MessageId, RecordId, SessionId};
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
    pub text: Sealed,
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
