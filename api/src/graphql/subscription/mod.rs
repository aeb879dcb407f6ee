//! The subscription root: feeds of what happens, resumable by the cursor of any item.
//!
//! `source` follows a call server's log and turns its events into items; one file per feed says which events
//! become which items. `ticks` and `audit` differ: the first shows a state and may coalesce, the second reads
//! the trail of all logs. Rights are checked when a feed begins and again at each item, as its viewer.
//!
//! An item's objects are as they are when it is delivered, never older than its event. An event is one item at
//! most; what an agent is told by it (`notice`) stands in that item. Sealed bids make no items before their
//! auction closes, except the bidder's own. Order: that of the log; `auditFeed`, over all logs, that of each.
//!
//! Not here: transports, token expiry, how long a reader may take (`ws`, `sse`).

pub mod agent;
pub mod agents;
pub mod audit;
pub mod inquiry;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod place_tests;
pub mod queue;
#[cfg(test)]
mod resume_tests;
pub mod session;
pub mod source;
#[cfg(test)]
mod tests;
mod ticks;
#[cfg(test)]
mod told_tests;

use super::scalars::Cursor;
use super::types::Auction;
use super::types::filters::AuditFilter;
use super::{actor, app};
use crate::shared::Member;
use async_graphql::{Context, Error, ID, Subscription};
use futures_util::Stream;
use std::sync::Arc;

pub(crate) use source::feed_cursor;

/// The subscription among its equals, where the transport knows them.
fn equal(ctx: &Context<'_>) -> Option<Arc<Member>> {
    ctx.data_opt::<Arc<Member>>().cloned()
}

pub struct Feeds;

/// Exactly one root field. `after` is exclusive and may be the `feedCursor` of what was queried, so that query and feed leave no gap; absent means from now. Lossless feeds never skip silently: they send FeedGap.
#[Subscription(name = "Subscription")]
impl Feeds {
    /// Every change in a queue. Lossless.
    async fn queue_feed(
        &self,
        ctx: &Context<'_>,
        queue_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<queue::QueueFeedItem, Error>> + use<>, Error> {
        queue::follow(app(ctx), actor(ctx), &queue_id, after, equal(ctx)).await
    }
    /// What concerns the viewing agent: reservations offered, lapsed, rescinded; auctions opened that it could bid in; outbid, won, lost; notices; status set by the platform; sessions. Lossless.
    async fn agent_feed(
        &self,
        ctx: &Context<'_>,
        agent_id: Option<ID>,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<agent::AgentFeedItem, Error>> + use<>, Error> {
        agent::follow(app(ctx), actor(ctx), agent_id.as_ref(), after, equal(ctx)).await
    }
    /// Every change of status, load, reservation or session of a call server's agents. Operators. Lossless.
    async fn agents_feed(
        &self,
        ctx: &Context<'_>,
        call_server: String,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<agents::AgentsFeedItem, Error>> + use<>, Error> {
        agents::follow(app(ctx), actor(ctx), &call_server, after, equal(ctx)).await
    }
    /// A session to those in it: messages of their channels, participants, channels, state. Lossless.
    async fn session_feed(
        &self,
        ctx: &Context<'_>,
        session_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<session::SessionFeedItem, Error>> + use<>, Error> {
        session::follow(app(ctx), actor(ctx), &session_id, after, equal(ctx)).await
    }
    /// What the waiting or engaged customer sees: position, estimated wait, session opened, messages. Lossless.
    async fn inquiry_feed(
        &self,
        ctx: &Context<'_>,
        inquiry_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<inquiry::InquiryFeedItem, Error>> + use<>, Error> {
        inquiry::follow(app(ctx), actor(ctx), &inquiry_id, after).await
    }
    /// The auction's present state; ticks may be coalesced.
    async fn auction_ticks(
        &self,
        ctx: &Context<'_>,
        auction_id: ID,
        #[graphql(default = 10)] max_per_second: i32,
    ) -> Result<impl Stream<Item = Result<Auction, Error>> + use<>, Error> {
        ticks::follow(app(ctx), actor(ctx), &auction_id, max_per_second).await
    }
    /// New audit entries as they are recorded. Lossless.
    async fn audit_feed(
        &self,
        ctx: &Context<'_>,
        subject: Option<ID>,
        filter: Option<AuditFilter>,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<audit::AuditFeedItem, Error>> + use<>, Error> {
        audit::follow(app(ctx), actor(ctx), subject, filter.unwrap_or_default(), after).await
    }
}
