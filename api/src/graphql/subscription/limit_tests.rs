//! Feeds at their limits: equal ones that share, readers that are lost, sight that ends. Over a house in memory.

use super::source::{Feed, FeedGap, FeedMeta, Made, follow};
use crate::app::App;
use crate::auth::Viewer;
use crate::endpoint::{Answers, Caller, Endpoint, Limits, Params};
use crate::graphql;
use crate::graphql::testing::{House, Who, market, who};
use crate::proxy::Client;
use async_graphql::Error;
use domain::actor::{Actor, Role};
use futures_util::{FutureExt, StreamExt};
use projections::feed::Watched;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use store::recorded::Recorded;

type HouseEndpoint = Endpoint<graphql::query::Query, graphql::mutation::Mutation, graphql::subscription::Feeds>;

const QUEUE_FEED: &str = "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { \
                          meta { cursor seq replay } kind inquiry { id state auction { bidCount } } queue { depth } } }";

fn endpoint(house: &House) -> HouseEndpoint {
    let app = house.app.clone();
    // A thousand of one caller.
    let limits = Limits { caller_subscriptions: 1_000, ..Limits::default() };
    Endpoint::new(move || graphql::builder(app.clone()), house.app.clone()).with_limits(limits)
}

async fn open(endpoint: &HouseEndpoint, viewer: &Who, document: &str, variables: Value) -> Answers {
    let actor = Actor::new(viewer.0, Some(&viewer.1)).unwrap();
    let viewer = Viewer { actor, expires_at: None, token: None, vouched: None };
    let caller = Caller { viewer, client: Client::direct([127, 0, 0, 1].into()) };
    let params = json!({ "query": document, "variables": variables });
    endpoint.stream(caller, serde_json::from_value::<Params>(params).unwrap(), true).await.unwrap()
}

/// As it is sent.
async fn bytes(answers: &mut Answers) -> String {
    let answer = tokio::time::timeout(Duration::from_secs(10), answers.next()).await.expect("an item in time");
    let body = answer.expect("the feed goes on").body();
    assert!(!body.contains("errors"), "{body}");
    body
}

/// Lets a feed begin, which has nothing to say yet.
async fn begin(answers: &mut Answers) {
    assert!(tokio::time::timeout(Duration::from_millis(300), answers.next()).await.is_err());
}

async fn bid(house: &House, agent: &Who, auction: &str, amount: &str) {
    let bid = json!({ "auctionId": auction, "amount": { "amount": amount, "currency": "EUR" } });
    house.tell(agent, "placeBid", bid, "bid { id }").await;
}

#[tokio::test]
async fn equal_subscriptions_execute_once_and_share_bytes() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let endpoint = endpoint(&house);
    let [olga, otto] = ["olga", "otto"].map(|name| Who(Role::Operator, name.to_owned()));
    let ann = &market.agents[0];
    let query = "query($id: ID!) { inquiry(id: $id) { queues { id feedCursor } } }";
    let seen = house.ask(&olga, query, json!({ "id": market.inquiry })).await;
    let (queue, cursor) = (&seen["inquiry"]["queues"][0]["id"], &seen["inquiry"]["queues"][0]["feedCursor"]);
    let mut one = open(&endpoint, &olga, QUEUE_FEED, json!({ "id": queue })).await;
    // Another person of the same sight, who begins at the cursor that the first was given.
    let mut other = open(&endpoint, &otto, QUEUE_FEED, json!({ "id": queue, "after": cursor })).await;
    let mut again = open(&endpoint, &olga, QUEUE_FEED, json!({ "id": queue })).await;
    let mut agents = open(&endpoint, ann, QUEUE_FEED, json!({ "id": queue })).await;
    let mut alone = Box::pin(house.watch(&olga, QUEUE_FEED, json!({ "id": queue })));
    assert!(tokio::time::timeout(Duration::from_millis(300), alone.next()).await.is_err());
    for feed in [&mut one, &mut other, &mut again, &mut agents] {
        begin(feed).await;
    }
    for amount in ["5", "6", "7"] {
        bid(&house, ann, &market.auction, amount).await;
        let first = bytes(&mut one).await;
        let taken = endpoint.shared().taken();
        assert_eq!(bytes(&mut other).await, first);
        assert_eq!(bytes(&mut again).await, first);
        assert_eq!(endpoint.shared().taken(), taken + 2, "neither was executed");
        let item: Value = serde_json::from_str(&first).unwrap();
        let executed = alone.next().await.unwrap();
        assert_eq!(item["data"], executed["data"], "it is what its own execution would have given");
        let of_agent: Value = serde_json::from_str(&bytes(&mut agents).await).unwrap();
        assert_eq!(of_agent["data"]["queueFeed"]["inquiry"], item["data"]["queueFeed"]["inquiry"]);
        assert_ne!(of_agent["data"]["queueFeed"]["meta"]["cursor"], item["data"]["queueFeed"]["meta"]["cursor"]);
    }
    // One who does not read holds nobody up, and makes its own of what is no longer fresh.
    bid(&house, ann, &market.auction, "8").await;
    let first = bytes(&mut one).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let taken = endpoint.shared().taken();
    assert_eq!(bytes(&mut other).await, first, "nothing has happened since");
    assert_eq!(endpoint.shared().taken(), taken);
    drop((one, other, again, agents));
    assert_eq!((endpoint.shared().groups(), house.app.feeds.readers()), (0, 1));
}

#[tokio::test]
async fn a_presence_is_told_of_by_a_feed_whose_items_are_anothers() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let endpoint = endpoint(&house);
    let ann = &market.agents[0];
    let document = "subscription { agentFeed { meta { seq } kind agent { status } } }";
    let mut consoles = Vec::new();
    for _ in 0..3 {
        let mut console = open(&endpoint, ann, document, Value::Null).await;
        begin(&mut console).await;
        consoles.push(console);
    }
    house.tell(ann, "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    let first = bytes(&mut consoles[0]).await;
    for console in &mut consoles[1..] {
        assert_eq!(bytes(console).await, first);
    }
    assert_eq!(endpoint.shared().taken(), 2);
}

#[tokio::test]
async fn a_reader_that_falls_too_far_behind_is_told_where_to_go_on() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let operator = who(Role::Operator);
    let document = "subscription($after: Cursor) { agentsFeed(callServer: \"main\", after: $after) { \
                    meta { seq replay } agent { status } gap { reason resumeFrom } } }";
    // Beyond the 256 events that an inbox holds.
    house.app.feeds.lose_from(20);
    let mut lost = Box::pin(house.watch(&operator, document, json!({})));
    let mut near = Box::pin(house.watch(&operator, document, json!({})));
    for feed in [&mut lost, &mut near] {
        assert!(tokio::time::timeout(Duration::from_millis(300), feed.next()).await.is_err());
    }
    let mut begun = Vec::new();
    for number in 0..302 {
        let status = ["BREAK", "AVAILABLE"][number % 2];
        house.tell(&market.agents[0], "setAgentStatus", json!({ "status": status }), "agent { id }").await;
        if number < 100 {
            begun.push(near.next().await.unwrap()["data"]["agentsFeed"]["meta"]["seq"].take());
        }
    }
    // What had arrived is given, and then the gap; who is a little behind reads the log and misses nothing.
    let (mut told, mut gap) = (Vec::new(), Value::Null);
    while let Some(mut item) = tokio::time::timeout(Duration::from_secs(10), lost.next()).await.unwrap() {
        let item = item["data"]["agentsFeed"].take();
        match item["gap"].is_null() {
            true => told.push(item["meta"]["seq"].clone()),
            false => gap = item["gap"].clone(),
        }
    }
    assert_eq!(gap["reason"], "SLOW_CONSUMER");
    assert!(told.len() < 302, "it was told everything: {}", told.len());
    while begun.len() < 302 {
        let mut item = tokio::time::timeout(Duration::from_secs(10), near.next()).await.unwrap().unwrap();
        assert_eq!(item["data"]["agentsFeed"]["gap"], Value::Null, "{item}");
        begun.push(item["data"]["agentsFeed"]["meta"]["seq"].take());
    }
    assert_eq!(told, begun[..told.len()]);
    // From there on it misses nothing, however far that is: catching up is not falling behind.
    let mut again = Box::pin(house.watch(&operator, document, json!({ "after": gap["resumeFrom"] })));
    for expected in &begun[told.len()..] {
        let item = again.next().await.unwrap();
        assert_eq!(item["data"]["agentsFeed"]["meta"]["seq"], *expected);
    }
}

/// Shows positions to whoever may see them, which ends at one of them. No sight of today's rights ends while its
/// token holds, so the feeds of the schema cannot be brought to it.
struct Until(u64);

impl Feed for Until {
    type Item = (FeedMeta, Option<FeedGap>);

    async fn make(
        &mut self,
        _: &Arc<App>,
        _: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> Result<Made<Self::Item>, Error> {
        Ok(if event.seq < self.0 { Made::Item((meta, None)) } else { Made::OutOfScope })
    }

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> Self::Item {
        (meta, Some(gap))
    }
}

#[tokio::test]
async fn who_may_watch_no_more_is_told_so_and_nothing_else() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let log: domain::log::LogName = "main".parse().unwrap();
    let viewer = Actor::Operator("olga".into());
    let from = house.app.live.head(&log).unwrap().seq + 1;
    let feed = follow(&house.app, viewer, log, vec![Watched::Agents], None, Until(from + 2), None).await.unwrap();
    let mut feed = pin!(feed);
    assert!(feed.next().now_or_never().is_none());
    for status in ["BREAK", "AVAILABLE", "BREAK", "AVAILABLE"] {
        house.tell(&market.agents[0], "setAgentStatus", json!({ "status": status }), "agent { id }").await;
    }
    let mut seqs = Vec::new();
    let gap = loop {
        let item = tokio::time::timeout(Duration::from_secs(10), feed.next()).await.unwrap();
        match item.expect("the gap is told").unwrap() {
            (meta, None) => seqs.push(meta.seq.0),
            (meta, Some(gap)) => break (meta.seq.0, gap.reason),
        }
    };
    assert_eq!(seqs, [from, from + 1]);
    assert_eq!(gap, (from + 1, graphql::subscription::source::GapReason::ScopeChanged), "after what it has seen");
    assert!(feed.next().await.is_none());
}

#[tokio::test]
async fn a_thousand_equals_execute_an_event_once() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let endpoint = endpoint(&house);
    let olga = who(Role::Operator);
    let query = "query($id: ID!) { inquiry(id: $id) { queues { id } } }";
    let queue = house.ask(&olga, query, json!({ "id": market.inquiry })).await["inquiry"]["queues"][0]["id"].take();
    for (equal, amount) in [(true, "5"), (false, "6")] {
        let mut feeds = Vec::new();
        for number in 0..1_000 {
            let document = if equal { QUEUE_FEED.to_owned() } else { format!("{QUEUE_FEED} # {number}") };
            feeds.push(open(&endpoint, &olga, &document, json!({ "id": queue })).await);
        }
        for feed in &mut feeds {
            assert!(feed.next().now_or_never().is_none());
        }
        // Beginning is off this thread; whoever has begun is a reader.
        while house.app.feeds.readers() < feeds.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for feed in &mut feeds {
            assert!(feed.next().now_or_never().is_none());
        }
        let taken = endpoint.shared().taken();
        bid(&house, &market.agents[0], &market.auction, amount).await;
        bytes(&mut feeds[0]).await;
        for feed in &mut feeds[1..] {
            bytes(feed).await;
        }
        assert_eq!(endpoint.shared().taken() - taken, if equal { 999 } else { 0 });
    }
}
