//! One session: who takes part, its channels, its messages in order of recording, its notes and what
//! wrap-up saved.

use super::error::Misfit;
use domain::event::session::{Author, SessionEvent, SessionOpened};
use domain::ids::{AgentId, ChannelId, CustomerId, InquiryId, MessageId, RecordId, SessionId};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::session::{IDLE_FOR, LASTS_MAX};
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
    /// The first agent: who consented to the inquiry, or took the session over since.
    pub agent: AgentId,
    pub state: SessionState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<Author>,
    pub wrap_up_deadline: Option<Timestamp>,
    /// When it ends by itself, while it is open.
    pub ends_at: Option<Timestamp>,
    /// The same where nobody says anything; absent while somebody is on the telephone.
    pub idle_at: Option<Timestamp>,
    /// Until when those who handed over wrap up.
    pub handed_over: Vec<(AgentId, Timestamp)>,
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
    /// With what it left: what came after is not its business. Absent where the session ended for all.
    pub left_seq: Option<Seq>,
}

/// MAIN joins customer and agents, SIDE two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChannelPurpose {
    Main,
    Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChannelState {
    /// To be dialled: nobody has said yet that the other side is on the line.
    Connecting,
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRow {
    pub id: ChannelId,
    pub session: SessionId,
    pub kind: ChannelKind,
    pub purpose: ChannelPurpose,
    /// On SIDE.
    pub between: Option<[AgentId; 2]>,
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

impl ParticipantRow {
    fn new(who: Who, now: Timestamp) -> ParticipantRow {
        ParticipantRow { who, joined_at: now, left_at: None, left_seq: None }
    }
    fn agent(&self) -> Option<AgentId> {
        match self.who {
            Who::Agent(agent) => Some(agent),
            Who::Customer(_) => None,
        }
    }
}

impl ChannelRow {
    fn close(&mut self, now: Timestamp, seq: Seq) {
        if self.state != ChannelState::Closed {
            self.state = ChannelState::Closed;
            self.closed_at = Some(now);
            self.seq = seq;
        }
    }
}

/// What has to be dialled is not there at once.
fn begins(kind: ChannelKind) -> ChannelState {
    match kind {
        ChannelKind::Message => ChannelState::Open,
        ChannelKind::Telephone => ChannelState::Connecting,
    }
}

/// A session and what was said in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    row: SessionRow,
    participants: Vec<ParticipantRow>,
    channels: Vec<ChannelRow>,
    messages: Vec<MessageRow>,
    /// What who handed over has saved, before the session's own record.
    parts: Vec<RecordRow>,
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
    /// In it now.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.participants.iter().filter(|one| one.left_at.is_none()).filter_map(|one| one.agent())
    }
    /// Whether an agent ever took part in it.
    pub fn had(&self, agent: AgentId) -> bool {
        self.participants.iter().any(|one| one.agent() == Some(agent))
    }
    /// With what an agent left that is in it no more, while it goes on or went on: it sees no further.
    pub fn left(&self, agent: AgentId) -> Option<Seq> {
        let mut parts = self.participants.iter().filter(|one| one.agent() == Some(agent));
        parts.next_back().and_then(|last| last.left_seq)
    }
    /// What who handed over has saved.
    pub fn parts(&self) -> &[RecordRow] {
        &self.parts
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
            ends_at: Some(now + LASTS_MAX),
            idle_at: Some(now + IDLE_FOR),
            handed_over: Vec::new(),
            notes: None,
            record: None,
        };
        let joined = |who| ParticipantRow::new(who, now);
        let main = ChannelRow {
            id: e.channel,
            session: e.session,
            kind: e.kind,
            purpose: ChannelPurpose::Main,
            between: None,
            state: begins(e.kind),
            opened_at: now,
            closed_at: None,
            seq: recorded.seq,
        };
        Session {
            row,
            participants: vec![joined(Who::Customer(e.customer)), joined(Who::Agent(e.agent))],
            channels: vec![main],
            messages: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Somebody said or did something: it is not idle. A conversation on the telephone never is.
    fn stirs(&mut self, now: Timestamp) {
        let main = &self.channels[0];
        let talks = main.kind == ChannelKind::Telephone && main.state == ChannelState::Open;
        self.row.idle_at = (!talks).then_some(now + IDLE_FOR);
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
                self.stirs(now);
            }
            SessionEvent::AgentJoined(e) => {
                // Who takes over may have been there.
                if !self.agents().any(|agent| agent == e.agent) {
                    self.participants.push(ParticipantRow::new(Who::Agent(e.agent), now));
                }
                if e.first {
                    self.row.agent = e.agent;
                }
                self.stirs(now);
            }
            SessionEvent::AgentLeft(e) => {
                let there = |one: &&mut ParticipantRow| one.left_at.is_none() && one.agent() == Some(e.agent);
                let participant = self.participants.iter_mut().find(there).ok_or(Misfit::Unknown(e.agent.into()))?;
                participant.left_at = Some(now);
                participant.left_seq = Some(seq);
                let its = |one: &&mut ChannelRow| one.between.is_some_and(|between| between.contains(&e.agent));
                self.channels.iter_mut().filter(its).for_each(|channel| channel.close(now, seq));
                if let Some(deadline) = e.wrap_up_deadline {
                    self.row.handed_over.push((e.agent, deadline));
                }
                self.stirs(now);
            }
            SessionEvent::ChannelOpened(e) => {
                if self.channel(e.channel).is_some() {
                    return Err(Misfit::Twice(e.channel.into()));
                }
                self.channels.push(ChannelRow {
                    id: e.channel,
                    session: e.session,
                    kind: e.kind,
                    purpose: ChannelPurpose::Side,
                    between: Some([e.by, e.agent]),
                    state: begins(e.kind),
                    opened_at: now,
                    closed_at: None,
                    seq,
                });
                self.stirs(now);
            }
            SessionEvent::ChannelConnected(e) => {
                let channel = self.channels.iter_mut().find(|one| one.id == e.channel);
                let channel = channel.ok_or(Misfit::Unknown(e.channel.into()))?;
                channel.state = ChannelState::Open;
                channel.seq = seq;
                self.stirs(now);
            }
            SessionEvent::ChannelClosed(e) => {
                let channel = self.channels.iter_mut().find(|one| one.id == e.channel);
                channel.ok_or(Misfit::Unknown(e.channel.into()))?.close(now, seq);
                self.stirs(now);
            }
            SessionEvent::Kept(e) => {
                self.row.idle_at = self.row.idle_at.map(|at| at.max(e.until));
                self.row.ends_at = self.row.ends_at.map(|at| at.max(e.until));
            }
            SessionEvent::Ended(e) => {
                self.row.state = match e.wrap_up_deadline {
                    Some(_) => SessionState::WrapUp,
                    None => SessionState::Closed,
                };
                self.row.wrap_up_deadline = e.wrap_up_deadline;
                self.row.ended_at = Some(now);
                self.row.ended_by = Some(e.by);
                (self.row.ends_at, self.row.idle_at) = (None, None);
                for participant in self.participants.iter_mut().filter(|one| one.left_at.is_none()) {
                    participant.left_at = Some(now);
                }
                self.channels.iter_mut().for_each(|channel| channel.close(now, seq));
            }
            SessionEvent::NotesSaved(e) => self.row.notes = Some(Arc::new(e.notes.clone())),
            SessionEvent::WrapUpExtended(e) if e.agent == self.row.agent => {
                self.row.wrap_up_deadline = Some(e.wrap_up_deadline);
            }
            SessionEvent::WrapUpExtended(e) => {
                for (_, deadline) in self.row.handed_over.iter_mut().filter(|(agent, _)| *agent == e.agent) {
                    *deadline = e.wrap_up_deadline;
                }
            }
            SessionEvent::WrapUpCompleted(e) => {
                let record = RecordRow {
                    id: e.record,
                    customer: e.customer,
                    agent: e.agent,
                    at: now,
                    information: e.information.clone().map(Arc::new),
                    seq,
                };
                self.row.handed_over.retain(|(agent, _)| *agent != e.agent);
                if e.agent == self.row.agent && self.row.state != SessionState::Open {
                    self.row.state = SessionState::Closed;
                    self.row.record = Some(record);
                } else {
                    self.parts.push(record);
                }
            }
        }
        self.row.seq = seq;
        Ok(())
    }
}
