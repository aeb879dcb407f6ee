//! `auctionTicks`: an auction's present state, at once and whenever it changes, never more often than asked.
//! Between two ticks everything coalesces, so a slow reader misses steps and never the last state.

use super::source::{nothing_to_watch, read_on, unreadable};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::types::Auction;
use async_graphql::{Error, ID};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::ids::AuctionId;
use futures_util::{Stream, stream};
use projections::feed::{Reader, Step, Watched};
use std::sync::Arc;
use std::time::Duration;
use store::recorded::Recorded;
use tokio::time::Instant;

const PER_SECOND_MAX: i32 = 50;

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    auction: &ID,
    max_per_second: i32,
) -> Result<impl Stream<Item = Result<Auction, Error>> + use<>, Error> {
    if !(1..=PER_SECOND_MAX).contains(&max_per_second) {
        let message = format!("maxPerSecond: 1 to {PER_SECOND_MAX}");
        return Err(code(ErrorCode::BadRequest, message));
    }
    let id: AuctionId = auction.parse().map_err(|_| nothing_to_watch(&viewer))?;
    let found = Auction::load(app, &viewer, id).await?.ok_or_else(|| nothing_to_watch(&viewer))?;
    let watched = vec![Watched::Inquiry(found.row.inquiry)];
    let reader = app.feeds.follow(&found.row.log, watched, None).map_err(|error| unreadable(&error))?;
    let pause = Duration::from_secs(1) / max_per_second.unsigned_abs();
    let ticks = Ticks { app: app.clone(), viewer, id, reader: Some(Box::new(reader)), pause, last: None };
    Ok(stream::unfold(ticks, |mut ticks| async move {
        let tick = ticks.next().await?;
        Some((tick, ticks))
    }))
}

struct Ticks {
    app: Arc<App>,
    viewer: Actor,
    id: AuctionId,
    /// Absent once the feed has ended.
    reader: Option<Box<Reader>>,
    pause: Duration,
    last: Option<Instant>,
}

impl Ticks {
    async fn next(&mut self) -> Option<Result<Auction, Error>> {
        if let Some(last) = self.last {
            if let Err(error) = self.changed().await {
                self.reader = None;
                return Some(Err(error));
            }
            tokio::time::sleep_until(last + self.pause).await;
            // What came meanwhile is in this tick.
            while let Some(reader) = self.reader.as_mut()
                && let Ok(Step::Event(_)) = reader.step()
            {}
        }
        self.reader.as_ref()?;
        self.last = Some(Instant::now());
        match Auction::load(&self.app, &self.viewer, self.id).await {
            Ok(Some(auction)) => Some(Ok(auction)),
            Ok(None) => {
                self.reader = None;
                Some(Err(nothing_to_watch(&self.viewer)))
            }
            Err(error) => {
                self.reader = None;
                Some(Err(error))
            }
        }
    }

    async fn changed(&mut self) -> Result<(), Error> {
        loop {
            let Some(mut reader) = self.reader.take() else { return Ok(()) };
            match reader.step().map_err(|error| unreadable(&error))? {
                Step::Event(event) => {
                    self.reader = Some(reader);
                    if self.shows(&event) {
                        return Ok(());
                    }
                }
                Step::Read => {
                    let read = read_on(reader).await?;
                    self.reader = Some(read.map_err(|error| unreadable(&error))?);
                }
                Step::Wait => {
                    reader.arrived().await;
                    self.reader = Some(reader);
                }
            }
        }
    }

    /// Whether the viewer can see a difference: that there was a sealed bid is nobody's but its bidder's.
    fn shows(&self, event: &Recorded) -> bool {
        let Event::Auction(change) = &event.event else { return false };
        let (auction, bidder) = match change {
            AuctionEvent::Opened(e) => (e.auction, None),
            AuctionEvent::BidPlaced(e) => (e.auction, Some(e.agent)),
            AuctionEvent::BidOutbid(e) => (e.auction, Some(e.agent)),
            AuctionEvent::BidWithdrawn(e) => (e.auction, Some(e.agent)),
            AuctionEvent::Extended(e) => (e.auction, None),
            AuctionEvent::Awarded(e) => (e.auction, None),
            AuctionEvent::BidLost(e) => (e.auction, Some(e.agent)),
            AuctionEvent::BidForfeited(e) => (e.auction, Some(e.agent)),
            AuctionEvent::Unsold(e) => (e.auction, None),
            AuctionEvent::Cancelled(e) => (e.auction, None),
        };
        let own = bidder.is_some_and(|bidder| self.viewer == Actor::Agent(bidder));
        auction == self.id && (own || !change.is_hidden_until_closing())
    }
}
