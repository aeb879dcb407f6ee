//! `queueFeed`: who enters and leaves a queue, and how those who stand in it fare.

use super::source::{Feed, FeedGap, FeedMeta, Made, follow as follow_log, nothing_to_watch};
use crate::app::App;
use crate::graphql::scalars::Cursor;
use crate::graphql::types::{Inquiry, Queue};
use crate::shared::Member;
use async_graphql::{Enum, Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::queue::QueueEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{InquiryId, QueueId};
use futures_util::Stream;
use projections::feed::Watched;
use projections::live::Dossier;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(SimpleObject)]
pub struct QueueFeedItem {
    meta: FeedMeta,
    kind: QueueFeedKind,
    inquiry: Option<Inquiry>,
    queue: Option<Queue>,
    gap: Option<FeedGap>,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFeedKind {
    Entered,
    Left,
    Changed,
    QueueChanged,
    Gap,
}

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    queue: &ID,
    after: Option<Cursor>,
    equal: Option<Arc<Member>>,
) -> Result<impl Stream<Item = Result<QueueFeedItem, Error>> + use<>, Error> {
    let id: QueueId = queue.parse().map_err(|_| nothing_to_watch(&viewer))?;
    if Queue::load(app, &viewer, id).await?.is_none() {
        return Err(nothing_to_watch(&viewer));
    }
    let log = app.live.queue(id).map(|row| row.log).ok_or_else(|| nothing_to_watch(&viewer))?;
    follow_log(app, viewer, log, vec![Watched::Queue(id)], after, Watch(id), equal).await
}

struct Watch(QueueId);

impl Feed for Watch {
    type Item = QueueFeedItem;

    async fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<QueueFeedItem>, Error> {
        let Some(kind) = kind(&event.event, self.0) else { return Ok(Made::Nothing) };
        if is_of_an_invitation(app, event).await? {
            return Ok(Made::Nothing);
        }
        // It was moved out of here before, or came here later.
        if !stood_here(app, event, self.0).await? {
            return Ok(Made::Nothing);
        }
        let queue = Queue::load(app, viewer, self.0).await?;
        // A queue that retired long ago is out of memory; who could watch it still can.
        if queue.is_none() && app.live.queue(self.0).is_some() {
            return Ok(Made::OutOfScope);
        }
        let inquiry = match inquiry_of(event) {
            Some(id) => Inquiry::load(app, viewer, id).await?,
            None => None,
        };
        Ok(Made::Item(QueueFeedItem { meta, kind, inquiry, queue, gap: None }))
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> QueueFeedItem {
        QueueFeedItem { meta, kind: QueueFeedKind::Gap, inquiry: None, queue: None, gap: Some(gap) }
    }
}

pub(super) fn inquiry_of(event: &Recorded) -> Option<InquiryId> {
    projections::inquiry_of(&event.subjects)
}

/// Whether the inquiry of an event stood in a queue then: of merged queues it has left one and come to the other.
async fn stood_here(app: &Arc<App>, event: &Recorded, queue: QueueId) -> Result<bool, Error> {
    let Some(id) = inquiry_of(event) else { return Ok(true) };
    let Some(dossier) = app.dossier(id).await? else { return Ok(true) };
    Ok(dossier.read(|dossier| dossier.inquiry().is_none_or(|row| row.stood_in(queue, event.seq))))
}

/// Who is asked into a session is asked about what stands in no queue any more.
async fn is_of_an_invitation(app: &Arc<App>, event: &Recorded) -> Result<bool, Error> {
    let reservation = match &event.event {
        Event::Reservation(ReservationEvent::Opened(e)) => return Ok(e.invitation.is_some()),
        Event::Reservation(ReservationEvent::Declined(e)) => e.reservation,
        Event::Reservation(ReservationEvent::Lapsed(e)) => e.reservation,
        Event::Reservation(ReservationEvent::Rescinded(e)) => e.reservation,
        _ => return Ok(false),
    };
    let dossier = app.dossier_of(reservation.into()).await?;
    let invited = |dossier: &Dossier| dossier.reservation(reservation).is_some_and(|row| row.invited_by.is_some());
    Ok(dossier.is_some_and(|dossier| dossier.read(invited)))
}

/// An inquiry stands in its queues from its registration until its session opens or it goes away; what comes
/// after is nothing to them. Bids of sealed auctions change nothing that is shown.
fn kind(event: &Event, queue: QueueId) -> Option<QueueFeedKind> {
    match event {
        Event::Queue(QueueEvent::Opened(_) | QueueEvent::Retired(_) | QueueEvent::Merged(_)) => {
            Some(QueueFeedKind::QueueChanged)
        }
        Event::Queue(QueueEvent::MergePutOff(_)) => None,
        Event::Inquiry(event) => match event {
            InquiryEvent::Registered(_) | InquiryEvent::Resumed(_) => Some(QueueFeedKind::Entered),
            InquiryEvent::Withdrawn(_) | InquiryEvent::Expired(_) => Some(QueueFeedKind::Left),
            // It left when its customer did.
            InquiryEvent::Moved(e) if e.away => None,
            InquiryEvent::Moved(e) if e.from == queue => Some(QueueFeedKind::Left),
            InquiryEvent::Moved(e) if e.into == queue && !e.already => Some(QueueFeedKind::Entered),
            InquiryEvent::Began(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Moved(_) => Some(QueueFeedKind::Changed),
            InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::Completed(_)
            | InquiryEvent::TopicsConfirmed(_)
            | InquiryEvent::PutOff(_) => None,
        },
        Event::Session(event) => match event {
            SessionEvent::Opened(_) => Some(QueueFeedKind::Left),
            SessionEvent::MessageSent(_)
            | SessionEvent::Ended(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => None,
        },
        Event::Auction(event) if event.is_hidden_until_closing() => None,
        Event::Auction(event) => match event {
            AuctionEvent::Opened(_)
            | AuctionEvent::BidPlaced(_)
            | AuctionEvent::Awarded(_)
            | AuctionEvent::Unsold(_)
            | AuctionEvent::Cancelled(_) => Some(QueueFeedKind::Changed),
            // One that a bid moved follows that bid; the other is the platform's.
            AuctionEvent::Extended(e) => e.bid.is_none().then_some(QueueFeedKind::Changed),
            AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_) => None,
        },
        Event::Reservation(event) => match event {
            ReservationEvent::Opened(_)
            | ReservationEvent::Declined(_)
            | ReservationEvent::Lapsed(_)
            | ReservationEvent::Rescinded(_) => Some(QueueFeedKind::Changed),
            // The session that follows is what counts.
            ReservationEvent::Viewed(_) | ReservationEvent::Accepted(_) | ReservationEvent::InvitationAnswered(_) => {
                None
            }
        },
        Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}
