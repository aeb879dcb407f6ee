//! What becomes of an item that is not made in time.

use super::*;
use crate::graphql::testing::{House, market};
use futures_util::StreamExt;
use serde_json::json;
use std::future::pending;
use std::time::Duration;

/// Whose items are never made.
struct Stuck;

impl Feed for Stuck {
    type Item = ();

    async fn make(&mut self, _: &Arc<App>, _: &Actor, _: &Recorded, _: FeedMeta) -> Result<Made<()>, Error> {
        pending().await
    }

    fn gap(&self, _: FeedMeta, _: FeedGap) {}
}

#[tokio::test]
async fn a_feed_whose_item_is_not_made_in_time_says_so_and_ends() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let log: LogName = "main".parse().unwrap();
    let viewer = Actor::Operator("olga".into());
    let from = Some(feed_cursor(&house.app, &viewer, &log, house.app.live.head(&log)));
    house.tell(&market.agents[0], "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    let feed = follow(&house.app, viewer, log, vec![Watched::Agents], from, Stuck, None).await.unwrap();
    let mut feed = item::each_within(Duration::from_millis(200), feed.boxed()).boxed();
    // Long before the deadline of an endpoint that nobody has set another.
    let told = tokio::time::timeout(crate::endpoint::DEADLINE / 2, feed.next()).await.expect("in its time");
    let error = told.expect("it says so").expect_err("nothing was made").into_server_error(Default::default());
    assert_eq!(crate::errors::code_of(&error), Some(ErrorCode::Timeout));
    assert!(feed.next().await.is_none(), "who goes on from its last cursor misses nothing");
}
