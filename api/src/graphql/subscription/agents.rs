//! `agentsFeed`: every change of what a call server's agents want and do, for operators.

use super::source::{Feed, FeedGap, FeedMeta, Made, follow as follow_log, nothing_to_watch};
use crate::app::App;
use crate::graphql::scalars::Cursor;
use crate::graphql::types::Agent;
use crate::shared::Member;
use async_graphql::{Error, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, Subject};
use domain::log::LogName;
use futures_util::Stream;
use projections::feed::Watched;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(SimpleObject)]
pub struct AgentsFeedItem {
    meta: FeedMeta,
    agent: Option<Agent>,
    gap: Option<FeedGap>,
}

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    call_server: &str,
    after: Option<Cursor>,
    equal: Option<Arc<Member>>,
) -> Result<impl Stream<Item = Result<AgentsFeedItem, Error>> + use<>, Error> {
    let log = call_server.parse::<LogName>().ok().filter(|log| app.live.call_server(log).is_some());
    let log = log.filter(|_| matches!(viewer, Actor::Operator(_))).ok_or_else(|| nothing_to_watch(&viewer))?;
    follow_log(app, viewer, log, vec![Watched::Agents], after, Watch, equal).await
}

struct Watch;

impl Feed for Watch {
    type Item = AgentsFeedItem;

    async fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<AgentsFeedItem>, Error> {
        let Some(agent) = agent_of(event).filter(|_| changes_an_agent(&event.event)) else {
            return Ok(Made::Nothing);
        };
        let agent = Agent::load(app, viewer, agent).await?;
        Ok(Made::Item(AgentsFeedItem { meta, agent, gap: None }))
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> AgentsFeedItem {
        AgentsFeedItem { meta, agent: None, gap: Some(gap) }
    }
}

fn agent_of(event: &Recorded) -> Option<AgentId> {
    event.subjects.iter().find_map(|subject| match subject {
        Subject::AgentId(id) => Some(*id),
        _ => None,
    })
}

/// Bids, messages and money change nothing of what an agent does.
fn changes_an_agent(event: &Event) -> bool {
    match event {
        Event::Agent(
            AgentEvent::PresenceReported(_)
            | AgentEvent::Blocked(_)
            | AgentEvent::Unblocked(_)
            | AgentEvent::CustomerBlocked(_)
            | AgentEvent::CustomerUnblocked(_)
            | AgentEvent::NoticesRead(_),
        ) => false,
        Event::Agent(
            AgentEvent::Registered(_)
            | AgentEvent::Updated(_)
            | AgentEvent::StatusSet(_)
            | AgentEvent::RoundsPutOff(_)
            | AgentEvent::RoundsResumed(_)
            | AgentEvent::StandingValueSet(_)
            | AgentEvent::Struck(_)
            | AgentEvent::Barred(_)
            | AgentEvent::BarEnded(_)
            | AgentEvent::StrikesForgiven(_),
        ) => true,
        Event::Reservation(event) => {
            !matches!(event, ReservationEvent::Viewed(_) | ReservationEvent::InvitationAnswered(_))
        }
        Event::Session(event) => match event {
            SessionEvent::Opened(_)
            | SessionEvent::Ended(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_) => true,
            SessionEvent::MessageSent(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => false,
        },
        Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => false,
    }
}
