//! `agentFeed`: what concerns one agent, for its console.

use super::source::{Feed, FeedGap, FeedMeta, Made, follow as follow_log, nothing_to_watch};
use crate::app::{App, blocking};
use crate::graphql::scalars::Cursor;
use crate::graphql::types::notice::Notice;
use crate::graphql::types::rights::sees_agent;
use crate::graphql::types::search::could_ever_bid;
use crate::graphql::types::{Agent, Auction, Bid, Reservation, Session};
use crate::presence::Present;
use crate::shared::Member;
use async_graphql::{Enum, Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::{AgentEvent, Will};
use domain::event::auction::AuctionEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, AuctionId, BidId, ReservationId, SessionId};
use futures_util::Stream;
use projections::feed::Watched;
use projections::history::trail::{AuditFilter, Bounds};
use projections::live::notice::{NOTICES_MAX, NoticeRow, notice_of};
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(SimpleObject)]
pub struct AgentFeedItem {
    meta: FeedMeta,
    kind: AgentFeedKind,
    reservation: Option<Reservation>,
    auction: Option<Auction>,
    bid: Option<Bid>,
    agent: Option<Agent>,
    session: Option<Session>,
    notice: Option<Notice>,
    gap: Option<FeedGap>,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentFeedKind {
    ReservationOpened,
    ReservationEnded,
    AuctionOpened,
    BidChanged,
    StatusChanged,
    SessionOpened,
    SessionChanged,
    Notice,
    Gap,
}

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    agent: Option<&ID>,
    after: Option<Cursor>,
    equal: Option<Arc<Member>>,
) -> Result<impl Stream<Item = Result<AgentFeedItem, Error>> + use<>, Error> {
    let own = match viewer {
        Actor::Agent(id) => Some(id),
        _ => None,
    };
    let id: Option<AgentId> = match agent {
        Some(id) => id.parse().ok(),
        None => own,
    };
    let id = id.filter(|id| sees_agent(&viewer, *id)).ok_or_else(|| nothing_to_watch(&viewer))?;
    let log = app.live.agent(id).map(|row| row.log).ok_or_else(|| nothing_to_watch(&viewer))?;
    let present = (own == Some(id)).then(|| app.presence.enter(&log, id));
    follow_log(app, viewer, log, vec![Watched::Agent(id)], after, Watch { agent: id, present }, equal).await
}

struct Watch {
    agent: AgentId,
    /// Where the agent itself watches: it is there for as long as its feed is.
    present: Option<Present>,
}

/// What of an event is shown beside its kind.
#[derive(Default)]
struct Told {
    reservation: Option<ReservationId>,
    auction: Option<AuctionId>,
    bid: Option<BidId>,
    session: Option<SessionId>,
}

impl Feed for Watch {
    type Item = AgentFeedItem;

    fn comes_by(&self, event: &Recorded) {
        if let Some(present) = &self.present {
            present.hears(&event.event);
        }
    }

    async fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<AgentFeedItem>, Error> {
        let Some((kind, told)) = told(&event.event) else { return Ok(Made::Nothing) };
        if let Event::Auction(bid) = &event.event
            && bid.is_hidden_until_closing()
            && *viewer != Actor::Agent(self.agent)
        {
            return Ok(Made::Nothing);
        }
        if kind == AgentFeedKind::AuctionOpened && !could_ever_bid(app, self.agent, event).await? {
            return Ok(Made::Nothing);
        }
        let reservation = match told.reservation {
            Some(id) => Reservation::load(app, viewer, id).await?,
            None => None,
        };
        let auction = match told.auction {
            Some(id) => Auction::load(app, viewer, id).await?,
            None => None,
        };
        let bid = match told.bid {
            Some(id) => Bid::load(app, viewer, id).await?,
            None => None,
        };
        let session = match told.session {
            Some(id) => Session::load(app, viewer, id).await?,
            None => None,
        };
        let notice = notice(app, self.agent, event).await?.or_else(|| last_read(app, self.agent, event));
        let notice = notice.map(|row| Notice::show(row, viewer));
        let agent = Agent::load(app, viewer, self.agent).await?;
        Ok(Made::Item(AgentFeedItem { meta, kind, reservation, auction, bid, agent, session, notice, gap: None }))
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> AgentFeedItem {
        AgentFeedItem {
            meta,
            kind: AgentFeedKind::Gap,
            reservation: None,
            auction: None,
            bid: None,
            agent: None,
            session: None,
            notice: None,
            gap: Some(gap),
        }
    }
}

/// What the event tells the agent: as the live view keeps it, or what it kept once, made of the event again.
async fn notice(app: &Arc<App>, agent: AgentId, event: &Recorded) -> Result<Option<NoticeRow>, Error> {
    let Some((_, told)) = notice_of(event, true, true).filter(|(told, _)| *told == agent) else { return Ok(None) };
    let kept = app.live.notices(agent);
    if let Some(row) = kept.iter().find(|row| row.id == told.id) {
        return Ok(Some(*row));
    }
    // None has made room, or none so young.
    if kept.len() < NOTICES_MAX || kept.first().is_some_and(|oldest| oldest.seq < event.seq) {
        return Ok(None);
    }
    let (mut is_second, mut changes) = (false, false);
    if let Event::Reservation(ReservationEvent::Opened(e)) = &event.event {
        let dossier = app.dossier(e.inquiry).await?;
        is_second = dossier.is_some_and(|dossier| dossier.read(|dossier| dossier.was_second(e)));
    } else if let Event::Agent(AgentEvent::StatusSet(e)) = &event.event {
        changes = will_before(app, agent, event).await? != e.will;
    }
    Ok(notice_of(event, is_second, changes).map(|(_, row)| row))
}

/// The newest notice that the agent has read by this event, while it is one of the newest hundred.
fn last_read(app: &App, agent: AgentId, event: &Recorded) -> Option<NoticeRow> {
    let Event::Agent(AgentEvent::NoticesRead(e)) = &event.event else { return None };
    app.live.notices(agent).into_iter().rev().find(|row| row.seq <= e.through)
}

/// What the agent wanted before this event.
async fn will_before(app: &Arc<App>, agent: AgentId, event: &Recorded) -> Result<Will, Error> {
    let filter = AuditFilter {
        types: vec![event.type_name.to_owned()],
        log: Some(event.log.clone()),
        to_seq: Some(event.seq),
        ..AuditFilter::default()
    };
    let app = app.clone();
    blocking(move || {
        let bounds = Bounds::events(1);
        let found = app.history.trail(&*app.store, Some(agent.into()), &filter, None, true, bounds)?;
        let before = found.events.first().map(|before| &before.event);
        // It was registered as OFFLINE.
        Ok(if let Some(Event::Agent(AgentEvent::StatusSet(e))) = before { e.will } else { Will::Offline })
    })
    .await
}

/// Messages and notes go to those in the session (`sessionFeed`); money to its accounts.
fn told(event: &Event) -> Option<(AgentFeedKind, Told)> {
    let bid = |auction, bid| {
        let told = Told { auction: Some(auction), bid: Some(bid), ..Told::default() };
        Some((AgentFeedKind::BidChanged, told))
    };
    let reservation = |kind, id| Some((kind, Told { reservation: Some(id), ..Told::default() }));
    let session = |kind, id| Some((kind, Told { session: Some(id), ..Told::default() }));
    match event {
        Event::Auction(event) => match event {
            AuctionEvent::Opened(e) => {
                Some((AgentFeedKind::AuctionOpened, Told { auction: Some(e.auction), ..Told::default() }))
            }
            AuctionEvent::BidPlaced(e) => bid(e.auction, e.bid),
            AuctionEvent::BidOutbid(e) => bid(e.auction, e.bid),
            AuctionEvent::BidWithdrawn(e) => bid(e.auction, e.bid),
            AuctionEvent::Awarded(e) => bid(e.auction, e.bid),
            AuctionEvent::BidLost(e) => bid(e.auction, e.bid),
            AuctionEvent::BidForfeited(e) => bid(e.auction, e.bid),
            AuctionEvent::Extended(_) | AuctionEvent::Unsold(_) | AuctionEvent::Cancelled(_) => None,
        },
        Event::Reservation(event) => match event {
            ReservationEvent::Opened(e) => reservation(AgentFeedKind::ReservationOpened, e.reservation),
            ReservationEvent::Accepted(e) => reservation(AgentFeedKind::ReservationEnded, e.reservation),
            ReservationEvent::Declined(e) => reservation(AgentFeedKind::ReservationEnded, e.reservation),
            ReservationEvent::Lapsed(e) => reservation(AgentFeedKind::ReservationEnded, e.reservation),
            ReservationEvent::Rescinded(e) => reservation(AgentFeedKind::ReservationEnded, e.reservation),
            ReservationEvent::InvitationAnswered(e) => reservation(AgentFeedKind::Notice, e.reservation),
            ReservationEvent::Viewed(_) => None,
        },
        Event::Session(event) => match event {
            SessionEvent::Opened(e) => session(AgentFeedKind::SessionOpened, e.session),
            SessionEvent::Ended(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::WrapUpExtended(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::WrapUpCompleted(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::AgentJoined(e) => session(AgentFeedKind::SessionOpened, e.session),
            SessionEvent::AgentLeft(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::ChannelOpened(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::ChannelConnected(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::ChannelClosed(e) => session(AgentFeedKind::SessionChanged, e.session),
            SessionEvent::MessageSent(_) | SessionEvent::NotesSaved(_) | SessionEvent::Kept(_) => None,
        },
        // With the last that it has read.
        Event::Agent(AgentEvent::NoticesRead(_)) => Some((AgentFeedKind::Notice, Told::default())),
        // An agent is no subject of it, so it does not come here.
        Event::Agent(AgentEvent::PresenceReported(_)) => None,
        // It is not told who blocks it, and whom it blocks it knows.
        Event::Agent(
            AgentEvent::Blocked(_)
            | AgentEvent::Unblocked(_)
            | AgentEvent::CustomerBlocked(_)
            | AgentEvent::CustomerUnblocked(_),
        ) => None,
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
        ) => Some((AgentFeedKind::StatusChanged, Told::default())),
        Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}
