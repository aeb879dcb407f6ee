//! One session: who takes part, its channels, its messages in order of recording, its notes and what
//! wrap-up saved.

use super::error::Misfit;
use domain::event::session::{Author, SessionEvent, SessionOpened};
use domain::ids::{AgentId, ChannelId, CustomerId, InquiryId, MessageId, RecordId, SessionId};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::terms::ChannelKind;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionState {
    Open,
    WrapUp,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: SessionId,
    /// The call server's log.
    pub log: LogName,
    pub seq: Seq,
    pub inquiry: InquiryId,
    pub customer: CustomerId,
    /// The first agent.
    pub agent: AgentId,
    pub state: SessionState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<Author>,
    pub wrap_up_deadline: Option<Timestamp>,
    pub notes: Option<Arc<Sealed>>,
    pub record: Option<RecordRow>,
}

/// Inquiry information saved to the customer's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    pub id: RecordId,
    pub customer: CustomerId,
    pub agent: AgentId,
    pub at: Timestamp,
    /// Notes, disposition, information: one JSON object.
    pub information: Option<Arc<Sealed>>,
    pub seq: Seq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Who {
    Customer(CustomerId),
    Agent(AgentId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantRow {
    pub who: Who,
    pub joined_at: Timestamp,
    pub left_at: Option<Timestamp>,
}

/// MAIN joins customer and agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChannelPurpose {
    Main,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChannelState {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRow {
    pub id: ChannelId,
    pub session: SessionId,
    pub kind: ChannelKind,
    pub purpose: ChannelPurpose,
    pub state: ChannelState,
    pub opened_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub seq: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    pub id: MessageId,
    pub session: SessionId,
    pub channel: ChannelId,
    pub author: Author,
    /// Where an agent wrote it.
    pub agent: Option<AgentId>,
    pub text: Arc<Sealed>,
    pub at: Timestamp,
    pub seq: Seq,
}

/// A session and what was said in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    row: SessionRow,
    participants: Vec<ParticipantRow>,
    channels: Vec<ChannelRow>,
    messages: Vec<MessageRow>,
}

impl Session {
    pub fn row(&self) -> &SessionRow {
        &self.row
    }
    pub fn participants(&self) -> &[ParticipantRow] {
        &self.participants
    }
    pub fn channels(&self) -> &[ChannelRow] {
        &self.channels
    }
    pub fn channel(&self, id: ChannelId) -> Option<&ChannelRow> {
        self.channels.iter().find(|channel| channel.id == id)
    }
    /// Of all channels, in order of recording, so sorted by `seq`. A page is a slice of it.
    pub fn messages(&self) -> &[MessageRow] {
        &self.messages
    }
    /// Looks from the newest back.
    pub fn message(&self, id: MessageId) -> Option<&MessageRow> {
        self.messages.iter().rev().find(|message| message.id == id)
    }

    pub(super) fn open(e: &SessionOpened, recorded: &Recorded) -> Session {
        let now = recorded.time;
        let row = SessionRow {
            id: e.session,
            log: recorded.log.clone(),
            seq: recorded.seq,
            inquiry: e.inquiry,
            customer: e.customer,
            agent: e.agent,
            state: SessionState::Open,
            started_at: now,
            ended_at: None,
            ended_by: None,
            wrap_up_deadline: None,
            notes: None,
            record: None,
        };
        let joined = |who| ParticipantRow { who, joined_at: now, left_at: None };
        let main = ChannelRow {
            id: e.channel,
            session: e.session,
            kind: e.kind,
            purpose: ChannelPurpose::Main,
            state: ChannelState::Open,
            opened_at: now,
            closed_at: None,
            seq: recorded.seq,
        };
        Session {
            row,
            participants: vec![joined(Who::Customer(e.customer)), joined(Who::Agent(e.agent))],
            channels: vec![main],
            messages: Vec::new(),
        }
    }

    /// Everything after the opening.
    pub(super) fn apply(&mut self, event: &SessionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let (seq, now) = (recorded.seq, recorded.time);
        match event {
            SessionEvent::Opened(e) => return Err(Misfit::Twice(e.session.into())),
            SessionEvent::MessageSent(e) => {
                self.channel(e.channel).ok_or(Misfit::Unknown(e.channel.into()))?;
                self.messages.push(MessageRow {
                    id: e.message,
                    session: e.session,
                    channel: e.channel,
                    author: e.author,
                    agent: e.agent,
                    text: Arc::new(e.text.clone()),
                    at: now,
                    seq,
                });
            }
            SessionEvent::Ended(e) => {
                self.row.state = match e.wrap_up_deadline {
                    Some(_) => SessionState::WrapUp,
                    None => SessionState::Closed,
                };
                self.row.wrap_up_deadline = e.wrap_up_deadline;
                self.row.ended_at = Some(now);
                self.row.ended_by = Some(e.by);
                for participant in self.participants.iter_mut().filter(|one| one.left_at.is_none()) {
                    participant.left_at = Some(now);
                }
                for channel in self.channels.iter_mut().filter(|one| one.state == ChannelState::Open) {
                    channel.state = ChannelState::Closed;
                    channel.closed_at = Some(now);
                    channel.seq = seq;
                }
            }
            SessionEvent::NotesSaved(e) => self.row.notes = Some(Arc::new(e.notes.clone())),
            SessionEvent::WrapUpExtended(e) => self.row.wrap_up_deadline = Some(e.wrap_up_deadline),
            SessionEvent::WrapUpCompleted(e) => {
                self.row.state = SessionState::Closed;
                self.row.record = Some(RecordRow {
                    id: e.record,
                    customer: e.customer,
                    agent: e.agent,
                    at: now,
                    information: e.information.clone().map(Arc::new),
                    seq,
                });
            }
        }
        self.row.seq = seq;
        Ok(())
    }
}
