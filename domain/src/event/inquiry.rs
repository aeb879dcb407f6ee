//! Events of an inquiry: registered, informed, withdrawn, expired, back in its place, completed.

use crate::event::community::{Classified, SourcePosition};
use crate::ids::{AgentId, CustomerId, InquiryId, LinkId, OfferId, ProviderId, QueueId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::terms::{ChannelKind, ContentReference, Initiator, OfferTerms};
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use crate::why::Why;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InquiryEvent {
    Registered(Box<InquiryRegistered>),
    InformationRequested(InformationRequested),
    InformationAnswered(InformationAnswered),
    SelectionMade(SelectionMade),
    Began(InquiryBegan),
    PutOff(InquiryPutOff),
    Requeued(InquiryRequeued),
    Withdrawn(InquiryWithdrawn),
    Resumed(InquiryResumed),
    PlaceKept(InquiryPlaceKept),
    PlaceLost(InquiryPlaceLost),
    Expired(InquiryExpired),
    Completed(InquiryCompleted),
    TopicsConfirmed(TopicsConfirmed),
    Moved(InquiryMoved),
    Relaxed(InquiryRelaxed),
    PreferenceEnded(InquiryPreferenceEnded),
}

/// An acceptance stands in the call server's queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryRegistered {
    pub accepted_at: Timestamp,
    /// Accepted outside the offer's hours: when they begin. Absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    pub channel: ChannelKind,
    /// What the classifier made of the question, where nobody said what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classified: Option<Classified>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentReference>,
    pub customer: CustomerId,
    /// The offer's, and one named by each topic; each queue may add its own.
    pub desired_skills: Vec<Skill>,
    pub initiator: Initiator,
    pub inquiry: InquiryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
    pub offer: OfferId,
    pub provider: ProviderId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Sealed>,
    pub queues: Vec<QueueId>,
    pub revision: u32,
    pub source: SourcePosition,
    /// Its place in its queues, where a priority puts it ahead. Absent: `accepted_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_at: Option<Timestamp>,
    /// The agent who turned to the customer. Absent: nobody did, or an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<AgentId>,
    pub terms: OfferTerms,
    pub topics: Vec<Topic>,
}

impl InquiryRegistered {
    /// The instant that orders it in all its queues, then its id does. Nothing moves it.
    pub fn place(&self) -> Timestamp {
        self.stands_at.unwrap_or(self.accepted_at)
    }
}

/// The offer's hours have begun: from now on it waits for an agent, and `max_wait` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryBegan {
    pub expires_at: Timestamp,
    pub inquiry: InquiryId,
}

/// The platform was down for as long as the offer was open: it begins with the next opening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryPutOff {
    pub begins_at: Timestamp,
    pub inquiry: InquiryId,
}

/// What the customer database answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InformationOutcome {
    Found,
    New,
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformationRequested {
    pub customer: CustomerId,
    pub inquiry: InquiryId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformationAnswered {
    pub customer: CustomerId,
    pub inquiry: InquiryId,
    /// Who served the customer last for this provider here, where the offer prefers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_agent: Option<AgentId>,
    pub outcome: InformationOutcome,
    /// So long, from when somebody can first be selected, the last agent is preferred. Absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_for: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Sealed>,
}

/// An agent was chosen without an auction: it selected the inquiry itself, or the platform selected it. Absent:
/// nobody could be. A session or a reservation follows in the same decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionMade {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    pub inquiry: InquiryId,
    pub why: Why,
}

/// Nobody is left to ask: the inquiry is back at its old place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryRequeued {
    /// When it will expire, counted without the time in auctions and reservations.
    pub expires_at: Timestamp,
    pub inquiry: InquiryId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryWithdrawn {
    /// Of an offer with limits: what `community` is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Freed>,
    pub inquiry: InquiryId,
    /// By its customer, who may come back before that instant. Absent: it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_kept_until: Option<Timestamp>,
    /// What the customer or operator wrote, sealed with the customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// What an inquiry that has ended leaves of its offer's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    pub offer: OfferId,
    /// What it costs the provider in the end; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Money>,
}

/// Its customer is back, at the old place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryResumed {
    /// When it will expire, counted without the time that the customer was away.
    pub expires_at: Timestamp,
    pub inquiry: InquiryId,
}

/// The platform was down when the place would have been lost: its customer could not have come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryPlaceKept {
    pub inquiry: InquiryId,
    pub until: Timestamp,
}

/// Its customer did not come back in time: it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryPlaceLost {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Freed>,
    pub inquiry: InquiryId,
}

/// `max_wait` is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryExpired {
    /// Of an offer with limits: what `community` is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Freed>,
    pub inquiry: InquiryId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryCompleted {
    /// Of an offer with limits: what `community` is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Freed>,
    pub inquiry: InquiryId,
}

/// The agent who has it says what it is about. It stays in the queues that it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicsConfirmed {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub topics: Vec<Topic>,
}

/// It has waited long enough for the next ring of its offer's relaxation: less is asked of agents from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryRelaxed {
    /// All that is asked for now.
    pub desired_skills: Vec<Skill>,
    pub inquiry: InquiryId,
    /// 1 for the first.
    pub ring: u32,
}

/// It has waited long enough for the agent who served its customer last: everybody is asked alike from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryPreferenceEnded {
    pub agent: AgentId,
    pub inquiry: InquiryId,
}

/// A queue that it stood in was merged into another one: it stands there now, at the place of its own acceptance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryMoved {
    /// It stood there already, by another queue of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
    /// Its customer is: it stands nowhere meanwhile, and comes back to `into`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
    /// From now on. What was in an auction, or reserved, keeps the ones that it began with.
    pub desired_skills: Vec<Skill>,
    pub from: QueueId,
    pub inquiry: InquiryId,
    pub into: QueueId,
}
