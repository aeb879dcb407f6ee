//! Events of topical queues.

use crate::ids::{InquiryId, QueueId, Subject};
use crate::time::Span;
use crate::time::Timestamp;
use crate::topic::{Skill, Topic};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueEvent {
    Opened(QueueOpened),
    Retired(QueueRetired),
    Merged(QueueMerged),
    MergePutOff(QueueMergePutOff),
}

/// DECLARED by an operator, LINK for an offer's topic, QUESTION for the subject of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QueueOrigin {
    Declared,
    Link,
    Question,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueOpened {
    /// The link or the inquiry that the queue was born from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born_from: Option<Subject>,
    pub origin: QueueOrigin,
    /// So much earlier than it came an inquiry stands for each step of its priority. Zero: first come, first served.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub priority_credit: Span,
    pub queue: QueueId,
    pub required_skills: Vec<Skill>,
    pub topic: Topic,
}

/// By an operator, or by itself where a generated queue has become empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRetired {
    /// The last inquiry that left it, where it retired by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<InquiryId>,
    pub queue: QueueId,
}

/// By an operator: what its topic brings from now on goes to `into`, and what stands in it moves there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMerged {
    pub into: QueueId,
    pub queue: QueueId,
}

/// More stand in it than one decision moves: the rest follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMergePutOff {
    pub queue: QueueId,
    pub until: Timestamp,
}
