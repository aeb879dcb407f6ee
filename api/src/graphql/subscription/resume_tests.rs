//! `auditFeed` taken up at what is not one of its own cursors: those of its trail, and `feedCursor`s.

use super::tests::{assert_refused, audit_feed, item, life, nothing, queue_of, watch};
use crate::graphql::testing::{House, Market, Who, market, who};
use domain::actor::Role;
use serde_json::{Value, json};

/// An entry by its place: log and position.
type Entry = (String, u64);

fn entry(node: &Value) -> Entry {
    (node["log"].as_str().unwrap().to_owned(), node["seq"].as_str().unwrap().parse().unwrap())
}

/// The trail of a subject with each entry's cursor, oldest first, whichever way it is read.
async fn trail(house: &House, viewer: &Who, subject: &str, reverse: bool) -> Vec<(Entry, Value)> {
    let document = "query($id: ID, $reverse: Boolean!, $after: Cursor) {
        auditTrail(subject: $id, reverse: $reverse, first: 7, after: $after) {
            edges { cursor node { log seq } } pageInfo { hasNextPage endCursor } } }";
    let (mut entries, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "id": subject, "reverse": reverse, "after": after });
        let page = house.ask(viewer, document, variables).await["auditTrail"].take();
        let edges = page["edges"].as_array().unwrap().iter();
        entries.extend(edges.map(|edge| (entry(&edge["node"]), edge["cursor"].clone())));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    if reverse {
        entries.reverse();
    }
    entries
}

fn sorted(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut all: Vec<Entry> = entries.into_iter().collect();
    all.sort();
    all
}

/// What the feed gives after a cursor, until `count` entries have come.
async fn taken_up(house: &House, viewer: &Who, subject: &str, after: &Value, count: usize) -> Vec<Entry> {
    let mut feed = watch(house, viewer, &audit_feed(), subject, after.clone());
    let mut got = Vec::new();
    while got.len() < count {
        let item = item(&mut feed).await;
        assert_eq!(item["gap"], Value::Null, "{item}");
        got.push(entry(&item["entry"]));
    }
    got
}

/// Trails read before, in the midst of and after an auction, each over two logs: at each of their cursors the feed gives
/// what the trail had not, once.
async fn at_every_cursor(format: &str) {
    let house = House::start();
    let market = market(&house, format).await;
    let revise = json!({ "offerId": offer_of(&house, &market).await, "expectedRevision": 1, "title": "More help" });
    house.tell(&market.provider, "reviseOffer", revise, "offer { id }").await;
    let operator = who(Role::Operator);
    let viewers = [(&operator, market.inquiry.clone()), (&market.provider, market.provider.1.clone())];
    let mut read = Vec::new();
    for part in 0..3 {
        match part {
            0 => {}
            1 => {
                for (agent, amount) in market.agents.iter().zip(["5", "6"]) {
                    let amount = json!({ "amount": amount, "currency": "EUR" });
                    let bid = json!({ "auctionId": market.auction, "amount": amount });
                    house.tell(agent, "placeBid", bid, "bid { id }").await;
                }
                let other = json!({
                    "offerId": offer_of(&house, &market).await, "question": "Where?", "topics": ["cards/lost"],
                    "channel": "TELEPHONE", "customer": { "displayName": "Dora" },
                });
                house.tell(&who(Role::Anonymous), "acceptOffer", other, "inquiry { id }").await;
            }
            _ => life(&house, &market).await,
        }
        for (viewer, subject) in &viewers {
            for reverse in [false, true] {
                read.push((*viewer, subject, trail(&house, viewer, subject, reverse).await));
            }
        }
    }
    let mut resumed = 0;
    for (viewer, subject, seen) in &read {
        let whole = trail(&house, viewer, subject, false).await;
        for (at, (_, cursor)) in seen.iter().enumerate() {
            let before: Vec<&Entry> = seen[..=at].iter().map(|(entry, _)| entry).collect();
            let rest = sorted(whole.iter().map(|(entry, _)| entry.clone()).filter(|entry| !before.contains(&entry)));
            let got = taken_up(&house, viewer, subject, cursor, rest.len()).await;
            assert_eq!(sorted(got), rest, "{format}: {} after {:?}", viewer.1, seen[at].0);
            resumed += 1;
        }
        // At the end there is nothing more.
        let (_, last) = whole.last().unwrap();
        nothing(&mut watch(&house, viewer, &audit_feed(), subject, last.clone())).await;
    }
    assert!(resumed > 100, "{resumed}");
}

async fn offer_of(house: &House, market: &Market) -> Value {
    let query = "query($id: ID!) { inquiry(id: $id) { offer { id } } }";
    house.ask(&who(Role::Operator), query, json!({ "id": market.inquiry })).await["inquiry"]["offer"]["id"].take()
}

#[tokio::test]
async fn an_audit_feed_goes_on_from_any_cursor_of_its_trail() {
    at_every_cursor("OPEN").await;
}

#[tokio::test]
async fn what_was_sealed_comes_once_whenever_its_trail_was_read() {
    at_every_cursor("SEALED_FIRST_PRICE").await;
}

#[tokio::test]
async fn an_audit_feed_goes_on_from_what_was_queried() {
    let house = House::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let operator = who(Role::Operator);
    let before = trail(&house, &operator, &market.inquiry, false).await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    life(&house, &market).await;
    let whole = trail(&house, &operator, &market.inquiry, false).await;
    let before: Vec<&Entry> = before.iter().map(|(entry, _)| entry).collect();
    let rest = sorted(whole.iter().map(|(entry, _)| entry.clone()).filter(|entry| !before.contains(&entry)));
    // An inquiry's and a queue's stand at the same place.
    for cursor in [&inquiry["feedCursor"], &inquiry["queues"][0]["feedCursor"]] {
        let got = taken_up(&house, &operator, &market.inquiry, cursor, rest.len()).await;
        assert_eq!(sorted(got), rest);
    }
    // Of another viewer, of another trail, or none at all.
    let refused = async |viewer: &Who, subject: &str, cursor: &Value| {
        assert_refused(watch(&house, viewer, &audit_feed(), subject, cursor.clone()), "BAD_REQUEST").await;
    };
    refused(&market.provider, &market.inquiry, &inquiry["feedCursor"]).await;
    refused(&operator, &market.auction, &whole[1].1.clone()).await;
    refused(&market.provider, &market.inquiry, &whole[1].1).await;
    refused(&operator, &market.inquiry, &json!("AQ")).await;
}
