//! The row of one inquiry, what the customer database answered for it, and its recorded decisions.
//! Not here: when the state changes (`dossier`), and its position (`queue`).

use domain::event::community::Classified;
use domain::event::inquiry::{InformationOutcome, InquiryRegistered};
use domain::ids::{AgentId, CustomerId, InquiryId, LinkId, OfferId, ProviderId, QueueId, Subject};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::state::Preferred;
use domain::terms::{ChannelKind, ContentReference, Initiator, OfferTerms};
use domain::time::Timestamp;
use domain::topic::{Skill, Topic};
use domain::why::{Ranked, Why};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::recorded::{CommandId, Recorded};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InquiryState {
    Queued,
    InAuction,
    Reserved,
    Engaged,
    WrapUp,
    Completed,
    Withdrawn,
    Expired,
}

impl InquiryState {
    /// Before the session: the inquiry stands in its queues.
    pub fn is_waiting(self) -> bool {
        match self {
            InquiryState::Queued | InquiryState::InAuction | InquiryState::Reserved => true,
            InquiryState::Engaged
            | InquiryState::WrapUp
            | InquiryState::Completed
            | InquiryState::Withdrawn
            | InquiryState::Expired => false,
        }
    }
    /// Nothing allocates it any more.
    pub fn is_final(self) -> bool {
        match self {
            InquiryState::Completed | InquiryState::Withdrawn | InquiryState::Expired => true,
            InquiryState::Queued
            | InquiryState::InAuction
            | InquiryState::Reserved
            | InquiryState::Engaged
            | InquiryState::WrapUp => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryRow {
    pub id: InquiryId,
    /// The call server's log.
    pub log: LogName,
    /// Of the last event of the inquiry, its auctions, reservations, session and settlement.
    pub seq: Seq,
    /// The command that registered it.
    pub registered_by: CommandId,
    /// Of the last event of the inquiry that this command made: an auction opens with the registration.
    pub registered_seq: Seq,
    pub offer: OfferId,
    pub provider: ProviderId,
    /// The revision that was accepted, and its terms.
    pub revision: u32,
    pub terms: Arc<OfferTerms>,
    pub state: InquiryState,
    pub channel: ChannelKind,
    pub initiator: Initiator,
    /// The agent who turned to the customer.
    pub started_by: Option<AgentId>,
    pub link: Option<LinkId>,
    pub content: Option<Arc<ContentReference>>,
    pub language: Option<Arc<str>>,
    pub topics: Arc<[Topic]>,
    /// What the classifier made of the question, where it was asked.
    pub classified: Option<Arc<Classified>>,
    pub queues: Arc<[QueueId]>,
    /// Out of which queues it was moved into which: those were merged.
    pub moves: Arc<[Move]>,
    pub desired_skills: Arc<[Skill]>,
    /// Of the offer's relaxation, the one that it entered last; 0 before the first.
    pub ring: u32,
    pub customer: CustomerId,
    /// The electronic question, with title and excerpt of its content.
    pub question: Option<Arc<Sealed>>,
    /// The last request for user information; absent before the first one.
    pub information: Option<InformationRow>,
    pub accepted_at: Timestamp,
    /// Its place in its queues.
    pub stands_at: Timestamp,
    pub registered_at: Timestamp,
    /// When the offer's hours begin; absent once they have.
    pub begins_at: Option<Timestamp>,
    /// When `max_wait` is over. Absent while that time does not run: before it begins, in an auction, before
    /// an agent, and after waiting.
    pub expires_at: Option<Timestamp>,
    /// Until an agent has it: who served its customer last, and is asked before anybody else.
    pub preferred: Option<Preferred>,
    /// Withdrawn by its customer, who may come back before that instant: it is not over yet.
    pub place_kept_until: Option<Timestamp>,
    /// Withdrawn, expired or completed.
    pub ended_at: Option<Timestamp>,
    /// What the customer or operator wrote on withdrawing.
    pub withdrawal_reason: Option<Arc<Sealed>>,
}

impl InquiryRow {
    pub(super) fn new(e: &InquiryRegistered, recorded: &Recorded) -> InquiryRow {
        InquiryRow {
            id: e.inquiry,
            log: recorded.log.clone(),
            seq: recorded.seq,
            registered_by: recorded.correlation,
            registered_seq: recorded.seq,
            offer: e.offer,
            provider: e.provider,
            revision: e.revision,
            terms: Arc::new(e.terms.clone()),
            state: InquiryState::Queued,
            channel: e.channel,
            initiator: e.initiator,
            started_by: e.started_by,
            link: e.link,
            content: e.content.clone().map(Arc::new),
            language: e.language.as_deref().map(Arc::from),
            topics: e.topics.as_slice().into(),
            classified: e.classified.clone().map(Arc::new),
            queues: e.queues.as_slice().into(),
            moves: Arc::new([]),
            desired_skills: e.desired_skills.as_slice().into(),
            ring: 0,
            customer: e.customer,
            question: e.question.clone().map(Arc::new),
            information: None,
            accepted_at: e.accepted_at,
            stands_at: e.place(),
            registered_at: recorded.time,
            begins_at: e.begins_at,
            // A deadline set by an event counts from that event.
            expires_at: e.begins_at.is_none().then_some(recorded.time + e.terms.max_wait),
            preferred: None,
            place_kept_until: None,
            ended_at: None,
            withdrawal_reason: None,
        }
    }
}

impl InquiryRow {
    /// Every queue that it stands in, or stood in.
    pub fn all_queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.iter().copied().chain(self.moves.iter().map(|one| one.from))
    }

    /// Whether it stood in a queue when an event happened, the event that took it out of there included.
    pub fn stood_in(&self, queue: QueueId, seq: Seq) -> bool {
        let left = self.moves.iter().find(|one| one.from == queue).map(|one| one.seq);
        // Where it stood already it came with its registration.
        let came = self.moves.iter().find(|one| one.into == queue).filter(|one| !one.already).map(|one| one.seq);
        left.is_none_or(|left| seq <= left) && came.is_none_or(|came| came <= seq)
    }
}

/// One move of an inquiry out of a queue that was merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub seq: Seq,
    pub from: QueueId,
    pub into: QueueId,
    /// It stood in `into` before, by another queue of its own.
    pub already: bool,
}

/// The request for user information and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformationRow {
    pub customer: CustomerId,
    pub requested_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    /// Absent while pending.
    pub outcome: Option<InformationOutcome>,
    pub profile: Option<Arc<Sealed>>,
    pub seq: Seq,
}

/// What `community` recorded when the customer accepted, beyond what the call server took over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptanceRow {
    /// In `community`.
    pub seq: Seq,
    pub at: Timestamp,
    pub customer_is_new: bool,
    /// Name, e-mail, telephone, attributes, as given with this acceptance.
    pub profile: Option<Arc<Sealed>>,
    pub terms_version: Option<Arc<str>>,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DecisionKind {
    CallServer,
    Topics,
    /// Of an agent: by itself, or by the platform.
    Selection,
    Award,
}

/// One recorded choice and its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// `community` for the call server, the call server's own for the rest.
    pub log: LogName,
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: DecisionKind,
    pub why: Arc<Why>,
}

impl DecisionRow {
    pub(super) fn new(kind: DecisionKind, why: Why, recorded: &Recorded) -> DecisionRow {
        DecisionRow { log: recorded.log.clone(), seq: recorded.seq, at: recorded.time, kind, why: Arc::new(why) }
    }

    /// Topics came with the link, or were given with the question, and nothing competed with them; or the classifier
    /// found them: the candidates are topics, which are no subjects, so each stands under the inquiry.
    pub(super) fn topics(e: &InquiryRegistered, recorded: &Recorded) -> DecisionRow {
        let given = if e.link.is_some() { "link/1" } else { "given/1" };
        let rule = e.classified.as_ref().map_or(given, |classified| &classified.rule);
        let candidates = e.classified.iter().flat_map(|classified| &classified.scores);
        let ranked = candidates.map(|candidate| Ranked {
            amount: None,
            bid: None,
            score: Some(format!("{}.{:04}", candidate.score / 10_000, candidate.score % 10_000)),
            subject: e.inquiry.into(),
            tie_key: candidate.topic.to_string(),
        });
        // Queues stand in order of topic: the chosen one's own after its ancestors'.
        let chosen = e.queues.last().filter(|_| e.classified.is_some()).map(|queue| Subject::from(*queue));
        let why = Why { chosen, excluded: Vec::new(), ranked: ranked.collect(), rule: rule.to_owned() };
        DecisionRow::new(DecisionKind::Topics, why, recorded)
    }
}
