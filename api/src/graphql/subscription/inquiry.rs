//! `inquiryFeed`: one inquiry to its customer, and to whoever else sees it.
//!
//! A position that moves because others left the queue is an item too; positions may coalesce, everything else
//! is there once.
//!
//! `estimatedWait`, while it waits: what those who were answered in its queue had waited for each place before them
//! (`projections/src/live/waits.rs`, ADR 41). Null before five were answered there, and before the offer's hours begin.

use super::queue::inquiry_of;
use super::source::{Feed, FeedGap, FeedMeta, Made, follow as follow_log, nothing_to_watch};
use crate::app::App;
use crate::graphql::scalars::{Cursor, Duration};
use crate::graphql::types::Inquiry;
use crate::graphql::types::session::Message;
use async_graphql::{Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{InquiryId, MessageId};
use futures_util::Stream;
use projections::feed::Watched;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(SimpleObject)]
pub struct InquiryFeedItem {
    meta: FeedMeta,
    inquiry: Option<Inquiry>,
    position: Option<i32>,
    estimated_wait: Option<WaitEstimate>,
    message: Option<Message>,
    gap: Option<FeedGap>,
}

#[derive(SimpleObject, Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitEstimate {
    low: Duration,
    high: Duration,
}

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    inquiry: &ID,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = Result<InquiryFeedItem, Error>> + use<>, Error> {
    let id: InquiryId = inquiry.parse().map_err(|_| nothing_to_watch(&viewer))?;
    let found = Inquiry::load(app, &viewer, id).await?.ok_or_else(|| nothing_to_watch(&viewer))?;
    let queues = found.row.queues.iter().map(|queue| Watched::Queue(*queue));
    let watched = std::iter::once(Watched::Inquiry(id)).chain(queues).collect();
    let position = position(app, id);
    // Which items there are depends on the position that was told last.
    follow_log(app, viewer, found.row.log.clone(), watched, after, Watch { id, position }, None).await
}

fn position(app: &App, id: InquiryId) -> Option<i32> {
    app.live.position(id).map(|position| i32::try_from(position).unwrap_or(i32::MAX))
}

struct Watch {
    id: InquiryId,
    /// As it was shown last.
    position: Option<i32>,
}

impl Feed for Watch {
    type Item = InquiryFeedItem;

    async fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<InquiryFeedItem>, Error> {
        let own = inquiry_of(event) == Some(self.id);
        let shown = if own { shown(&event.event) } else { moves(&event.event).then_some(None) };
        let Some(message) = shown else { return Ok(Made::Nothing) };
        let position = position(app, self.id);
        if !own && (position.is_none() || position == self.position) {
            return Ok(Made::Nothing);
        }
        let Some(inquiry) = Inquiry::load(app, viewer, self.id).await? else { return Ok(Made::OutOfScope) };
        let message = match message {
            Some(id) => match Message::load(app, viewer, id).await? {
                Some(message) => Some(message),
                None => return Ok(Made::Nothing),
            },
            None => None,
        };
        self.position = position;
        let begun = inquiry.row.begins_at.is_none();
        let estimated = position.filter(|_| begun).and_then(|_| app.live.estimated_wait(self.id));
        let estimated_wait = estimated.map(|(low, high)| WaitEstimate { low: Duration(low), high: Duration(high) });
        Ok(Made::Item(InquiryFeedItem { meta, inquiry: Some(inquiry), position, estimated_wait, message, gap: None }))
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> InquiryFeedItem {
        InquiryFeedItem { meta, inquiry: None, position: None, estimated_wait: None, message: None, gap: Some(gap) }
    }
}

/// What changes the inquiry as its customer sees it, with the message where it is one. Bids do not.
fn shown(event: &Event) -> Option<Option<MessageId>> {
    match event {
        Event::Inquiry(event) => match event {
            InquiryEvent::Registered(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Moved(_)
            | InquiryEvent::Withdrawn(_)
            | InquiryEvent::Resumed(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::Expired(_)
            | InquiryEvent::Completed(_) => Some(None),
            InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::TopicsConfirmed(_) => None,
        },
        Event::Auction(AuctionEvent::Opened(_) | AuctionEvent::Unsold(_)) => Some(None),
        Event::Auction(
            AuctionEvent::BidPlaced(_)
            | AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::Awarded(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_)
            | AuctionEvent::Cancelled(_),
        ) => None,
        // Each next agent is another RESERVED; who is asked into the session is not the customer's business.
        Event::Reservation(ReservationEvent::Opened(e)) => e.invitation.is_none().then_some(None),
        Event::Reservation(
            ReservationEvent::Viewed(_)
            | ReservationEvent::Accepted(_)
            | ReservationEvent::Declined(_)
            | ReservationEvent::Lapsed(_)
            | ReservationEvent::Rescinded(_)
            | ReservationEvent::InvitationAnswered(_),
        ) => None,
        Event::Session(event) => match event {
            SessionEvent::MessageSent(e) => Some(Some(e.message)),
            SessionEvent::ChannelConnected(e) if e.side => None,
            SessionEvent::Opened(_)
            | SessionEvent::Ended(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelConnected(_) => Some(None),
            SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => None,
        },
        Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}

/// Whether what happened to another inquiry can move those behind it.
fn moves(event: &Event) -> bool {
    match event {
        Event::Inquiry(event) => match event {
            InquiryEvent::Registered(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::Resumed(_)
            | InquiryEvent::Moved(_)
            | InquiryEvent::Withdrawn(_)
            | InquiryEvent::Expired(_) => true,
            InquiryEvent::PutOff(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Completed(_)
            | InquiryEvent::TopicsConfirmed(_) => false,
        },
        Event::Session(event) => matches!(event, SessionEvent::Opened(_)),
        Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => false,
    }
}
