//! A deadline that passes while the disk does not answer: what the caller is told, and what stands.

use super::testing::{House, market};
use crate::auth::Viewer;
use crate::endpoint::{Caller, Endpoint, Params};
use crate::graphql;
use crate::proxy::Client;
use domain::actor::Actor;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::memory::CallKind;

#[tokio::test]
async fn what_was_appended_after_the_deadline_stands_and_its_key_finds_it() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let stuck = Arc::new(AtomicBool::new(true));
    let disk = Arc::clone(&stuck);
    house.store.on_call(move |call| {
        while call.kind == CallKind::Append && call.log.to_string() == "main" && disk.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let app = house.app.clone();
    let endpoint = Endpoint::new(move || graphql::builder(app.clone()), house.app.clone())
        .with_deadline(Duration::from_millis(300));
    let ann = &market.agents[0];
    let bids = async || {
        let actor = Actor::new(ann.0, Some(&ann.1)).unwrap();
        let caller = Caller {
            viewer: Viewer { actor, expires_at: None, token: None, vouched: None },
            client: Client::direct([127, 0, 0, 1].into()),
        };
        let amount = json!({ "amount": "7", "currency": "EUR" });
        let input = json!({ "auctionId": market.auction, "amount": amount, "idempotencyKey": "a".repeat(32) });
        let document = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { replayed seq bid { id } } }";
        let params = json!({ "query": document, "variables": { "input": input } });
        let answer = endpoint.execute(caller, serde_json::from_value::<Params>(params).unwrap(), true).await;
        serde_json::from_str::<Value>(&answer.body()).unwrap()
    };
    let late = bids().await;
    assert_eq!(late["errors"][0]["extensions"]["code"], "TIMEOUT", "{late}");
    assert_eq!(late.get("data"), None);
    // Others are answered meanwhile.
    let query = "query($id: ID!) { auction(id: $id) { bidCount } }";
    assert_eq!(house.ask(ann, query, json!({ "id": market.auction })).await["auction"]["bidCount"], 0);
    stuck.store(false, Ordering::Relaxed);
    let mut again = bids().await;
    for _ in 0..100 {
        if again["data"].is_object() {
            break;
        }
        again = bids().await;
    }
    assert_eq!(again["data"]["placeBid"]["replayed"], true, "{again}");
    assert!(again["data"]["placeBid"]["bid"]["id"].is_string(), "{again}");
    assert_eq!(house.ask(ann, query, json!({ "id": market.auction })).await["auction"]["bidCount"], 1);
}
