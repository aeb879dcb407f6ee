//! `sessionFeed`: a session to those in it.

use super::source::{Feed, FeedGap, FeedMeta, Made, follow as follow_log, nothing_to_watch};
use crate::app::App;
use crate::graphql::scalars::Cursor;
use crate::graphql::types::session::Message;
use crate::graphql::types::{Session, rights::Sight};
use crate::shared::Member;
use async_graphql::{Enum, Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::session::SessionEvent;
use domain::ids::{ChannelId, MessageId, SessionId};
use futures_util::Stream;
use projections::feed::Watched;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(SimpleObject)]
pub struct SessionFeedItem {
    meta: FeedMeta,
    kind: SessionFeedKind,
    session: Option<Session>,
    message: Option<Message>,
    gap: Option<FeedGap>,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFeedKind {
    Message,
    Participant,
    Channel,
    State,
    Gap,
}

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    session: &ID,
    after: Option<Cursor>,
    equal: Option<Arc<Member>>,
) -> Result<impl Stream<Item = Result<SessionFeedItem, Error>> + use<>, Error> {
    let id: SessionId = session.parse().map_err(|_| nothing_to_watch(&viewer))?;
    let sight = Sight::of(app, &viewer, id).await?.filter(|sight| sight.part.sees_session());
    let inquiry = sight.and_then(|sight| sight.handle.read(|dossier| dossier.inquiry().cloned()));
    let inquiry = inquiry.ok_or_else(|| nothing_to_watch(&viewer))?;
    let watched = vec![Watched::Inquiry(inquiry.id)];
    follow_log(app, viewer, inquiry.log, watched, after, Watch(id), equal).await
}

struct Watch(SessionId);

impl Feed for Watch {
    type Item = SessionFeedItem;

    async fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<SessionFeedItem>, Error> {
        let Some((kind, shown)) = kind(&event.event, self.0) else { return Ok(Made::Nothing) };
        let Some(session) = Session::load(app, viewer, self.0).await? else { return Ok(Made::OutOfScope) };
        if session.left_before(event.seq) {
            return Ok(Made::OutOfScope);
        }
        let message = match shown {
            Shown::Message(id) => match Message::load(app, viewer, id).await? {
                Some(message) => Some(message),
                // Of a channel that the viewer is not on.
                None => return Ok(Made::Nothing),
            },
            Shown::Channel(id) if !session.shows_channel(id) => return Ok(Made::Nothing),
            Shown::Channel(_) | Shown::Nothing => None,
        };
        Ok(Made::Item(SessionFeedItem { meta, kind, session: Some(session), message, gap: None }))
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> SessionFeedItem {
        SessionFeedItem { meta, kind: SessionFeedKind::Gap, session: None, message: None, gap: Some(gap) }
    }
}

/// What of it an item shows beside the session itself.
enum Shown {
    Message(MessageId),
    /// Of those on the channel alone.
    Channel(ChannelId),
    Nothing,
}

/// Notes are for the agent that writes them, and no news.
fn kind(event: &Event, own: SessionId) -> Option<(SessionFeedKind, Shown)> {
    let Event::Session(event) = event else { return None };
    let (session, kind, shown) = match event {
        SessionEvent::Opened(e) => (e.session, SessionFeedKind::State, Shown::Nothing),
        SessionEvent::MessageSent(e) => (e.session, SessionFeedKind::Message, Shown::Message(e.message)),
        SessionEvent::AgentJoined(e) => (e.session, SessionFeedKind::Participant, Shown::Nothing),
        SessionEvent::AgentLeft(e) => (e.session, SessionFeedKind::Participant, Shown::Nothing),
        SessionEvent::ChannelOpened(e) => (e.session, SessionFeedKind::Channel, Shown::Channel(e.channel)),
        SessionEvent::ChannelConnected(e) => (e.session, SessionFeedKind::Channel, Shown::Channel(e.channel)),
        SessionEvent::ChannelClosed(e) => (e.session, SessionFeedKind::Channel, Shown::Channel(e.channel)),
        SessionEvent::Ended(e) => (e.session, SessionFeedKind::State, Shown::Nothing),
        SessionEvent::Kept(e) => (e.session, SessionFeedKind::State, Shown::Nothing),
        SessionEvent::WrapUpExtended(e) => (e.session, SessionFeedKind::State, Shown::Nothing),
        SessionEvent::WrapUpCompleted(e) => (e.session, SessionFeedKind::State, Shown::Nothing),
        SessionEvent::NotesSaved(_) => return None,
    };
    (session == own).then_some((kind, shown))
}
