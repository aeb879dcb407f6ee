//! Sessions: who talks with whom on which channels, and what was said.

use super::agent::Agent;
use super::connection::{Pager, connection};
use super::customer::Customer;
use super::enums::{ChannelKind, ChannelPurpose, ChannelState, MessageAuthor, Role, SessionState};
use super::eyes::Eyes;
use super::inquiry::Inquiry;
use super::record::InquiryRecord;
use super::rights::{Part, Sight};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::graphql::subscription::feed_cursor;
use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::actor::Actor;
use domain::ids::{ChannelId, MessageId, SessionId};
use domain::terms::ChannelKind as Kind;
use projections::live::session::{ChannelPurpose as Purpose, ChannelRow, MessageRow, ParticipantRow, SessionRow, Who};
use std::sync::Arc;

pub struct Session {
    row: SessionRow,
    participants: Vec<ParticipantRow>,
    channels: Vec<ChannelRow>,
    sight: Sight,
}

impl Session {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: SessionId) -> Result<Option<Session>, Error> {
        Ok(Sight::of(app, eyes, id).await?.and_then(Session::show))
    }

    /// The session of an inquiry, for those in it, the provider and operators.
    pub(crate) fn show(sight: Sight) -> Option<Session> {
        if !sight.part.sees_session() {
            return None;
        }
        let (row, participants, channels) = sight.handle.read(|dossier| {
            let session = dossier.session()?;
            let seen = |row: &&ChannelRow| sight.part.sees_channel(&sight.eyes.viewer, row);
            let channels = session.channels().iter().filter(seen).copied().collect();
            Some((session.row().clone(), session.participants().to_vec(), channels))
        })?;
        Some(Session { row, participants, channels, sight })
    }
}

impl Session {
    /// Whether the viewer is an agent that had left before this position: what comes after is not its business,
    /// unless it is in wrap-up, where its own is told in `agentFeed`.
    pub(crate) fn left_before(&self, seq: domain::log::Seq) -> bool {
        let left = self.sight.handle.read(|dossier| until(dossier.session()?, &self.sight.eyes.viewer));
        left.is_some_and(|left| left < seq)
    }
    pub(crate) fn shows_channel(&self, id: ChannelId) -> bool {
        self.channels.iter().any(|row| row.id == id)
    }
}

#[Object]
impl Session {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn feed_cursor(&self, ctx: &Context<'_>) -> Result<Cursor, Error> {
        let log = self.sight.handle.read(|dossier| dossier.inquiry().map(|row| row.log.clone()));
        let log = log.ok_or_else(|| code(ErrorCode::Internal, "a session without its inquiry"))?;
        Ok(feed_cursor(app(ctx), &self.sight.eyes.viewer, &log, self.sight.at))
    }
    async fn inquiry(&self) -> Result<Inquiry, Error> {
        Inquiry::show(self.sight.clone()).ok_or_else(|| code(ErrorCode::Internal, "a session without its inquiry"))
    }
    async fn state(&self) -> SessionState {
        self.row.state.into()
    }
    async fn started_at(&self) -> DateTime {
        DateTime(self.row.started_at)
    }
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(DateTime)
    }
    async fn ended_by(&self) -> Option<Role> {
        self.row.ended_by.map(Role::from)
    }
    async fn wrap_up_deadline(&self) -> Option<DateTime> {
        self.row.wrap_up_deadline.map(DateTime)
    }
    /// While it is open, when it ends by itself: nobody says anything until then, or it has gone on for PT8H.
    async fn ends_at(&self) -> Option<DateTime> {
        let (ends_at, idle_at) = (self.row.ends_at?, self.row.idle_at);
        Some(DateTime(idle_at.map_or(ends_at, |idle_at| idle_at.min(ends_at))))
    }
    async fn participants(&self, ctx: &Context<'_>) -> Vec<Participant> {
        let named = self.sight.part.sees_agent_names();
        let show = |row: &ParticipantRow| Participant {
            agent: match row.who {
                Who::Agent(id) => Agent::show(app(ctx), &self.sight.eyes, id, named),
                Who::Customer(_) => None,
            },
            customer: matches!(row.who, Who::Customer(_)),
            joined_at: DateTime(row.joined_at),
            left_at: row.left_at.map(DateTime),
        };
        self.participants.iter().map(show).collect()
    }
    async fn channels(&self) -> Vec<Channel> {
        self.channels.iter().map(|row| Channel::show(*row, &self.sight)).collect()
    }
    async fn messages(
        &self,
        ctx: &Context<'_>,
        channel_id: ID,
        #[graphql(default = false)] reverse: bool,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<MessageConnection, Error> {
        let list = format_args!("messages of {}", self.row.id).to_string();
        let filter = (&*channel_id, reverse);
        let pager = Pager::<u64>::new(app(ctx), &self.sight.eyes, list, &filter, first, after)?;
        let Ok(channel) = channel_id.parse::<ChannelId>() else {
            return Ok(MessageConnection::page(&pager, (Vec::new(), false)));
        };
        let (rows, more) = self.sight.handle.read(|dossier| {
            let all = dossier.session().map_or(&[][..], |session| session.messages());
            // Of a channel that the viewer is not on there is nothing.
            let seen = self.channels.iter().any(|row| row.id == channel);
            let until = dossier.session().and_then(|session| until(session, &self.sight.eyes.viewer));
            let on = |row: &&MessageRow| seen && row.channel == channel && until.is_none_or(|left| row.seq < left);
            let key = |row: &&MessageRow| row.seq;
            let (page, more) = if reverse {
                pager.slice(all.iter().rev().filter(on), key, true)
            } else {
                pager.slice(all.iter().filter(on), key, false)
            };
            (page.into_iter().cloned().collect::<Vec<_>>(), more)
        });
        let nodes = rows.into_iter().map(|row| (row.seq, Message::show(row, &self.sight))).collect();
        Ok(MessageConnection::page(&pager, (nodes, more)))
    }
    /// Agents and operators alone.
    async fn notes(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        match self.row.notes.as_deref().filter(|_| self.sight.part.sees_notes()) {
            Some(notes) => app(ctx).open(notes).await,
            None => Ok(None),
        }
    }
    async fn record(&self) -> Option<InquiryRecord> {
        InquiryRecord::within(&self.sight)
    }
}

/// An agent that left sees nothing of what was said afterwards.
fn until(session: &projections::live::session::Session, viewer: &Actor) -> Option<domain::log::Seq> {
    match viewer {
        Actor::Agent(agent) => session.left(*agent),
        _ => None,
    }
}

#[derive(SimpleObject)]
pub struct Participant {
    agent: Option<Agent>,
    customer: bool,
    joined_at: DateTime,
    left_at: Option<DateTime>,
}

pub struct Channel {
    row: ChannelRow,
    /// Whose number is dialled, to who may dial it.
    customer: Option<Customer>,
}

impl Channel {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: ChannelId) -> Result<Option<Channel>, Error> {
        let Some(session) = Sight::of(app, eyes, id).await?.and_then(Session::show) else { return Ok(None) };
        let row = session.channels.iter().find(|row| row.id == id);
        Ok(row.map(|row| Channel::show(*row, &session.sight)))
    }

    fn show(row: ChannelRow, sight: &Sight) -> Channel {
        let is_main = row.purpose == Purpose::Main;
        let dials = row.kind == Kind::Telephone && is_main && sight.part == Part::Engaged;
        Channel { row, customer: Customer::of(sight).filter(|_| dials) }
    }
}

/// MAIN joins customer and agents; SIDE joins agents only and is null and silent to the customer. Until a media server is configured a TELEPHONE channel is dialled by the agent: `dial` is the number, after consent.
#[Object]
impl Channel {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn state(&self) -> ChannelState {
        self.row.state.into()
    }
    async fn dial(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        let Some(customer) = &self.customer else { return Ok(None) };
        customer.telephone(app(ctx)).await
    }
    async fn kind(&self) -> ChannelKind {
        self.row.kind.into()
    }
    async fn purpose(&self) -> ChannelPurpose {
        self.row.purpose.into()
    }
    async fn opened_at(&self) -> DateTime {
        DateTime(self.row.opened_at)
    }
    async fn closed_at(&self) -> Option<DateTime> {
        self.row.closed_at.map(DateTime)
    }
}

pub struct Message {
    row: MessageRow,
    /// Who reads the texts also knows who wrote them.
    reads: bool,
    named: bool,
    eyes: Eyes,
}

connection!(MessageConnection, MessageEdge, Message);

impl Message {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: MessageId) -> Result<Option<Message>, Error> {
        let Some(sight) = Sight::of(app, eyes, id).await? else { return Ok(None) };
        if !sight.part.sees_session() {
            return Ok(None);
        }
        let row = sight.handle.read(|dossier| {
            let session = dossier.session()?;
            let row = session.message(id)?;
            let seen = sight.part.sees_channel(&sight.eyes.viewer, session.channel(row.channel)?);
            let until = until(session, &sight.eyes.viewer);
            (seen && until.is_none_or(|left| row.seq < left)).then(|| row.clone())
        });
        Ok(row.map(|row| Message::show(row, &sight)))
    }

    fn show(row: MessageRow, sight: &Sight) -> Message {
        Message {
            row,
            reads: sight.part.sees_messages(),
            named: sight.part.sees_agent_names(),
            eyes: sight.eyes.clone(),
        }
    }
}

/// `text`: null once the customer is erased.
#[Object]
impl Message {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn channel_id(&self) -> ID {
        self.row.channel.to_string().into()
    }
    async fn author(&self) -> MessageAuthor {
        self.row.author.into()
    }
    async fn agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.eyes, self.row.agent?, self.named)
    }
    async fn text(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        if self.reads { app(ctx).open(&self.row.text).await } else { Ok(None) }
    }
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
}
