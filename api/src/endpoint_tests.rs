//! What items of subscriptions cost, and what becomes of a reader that has spent what it may.

use super::*;
use crate::graphql;
use crate::graphql::testing::{House as Market, market};
use crate::testing::{Client, house_limited, soon, until};
use serde_json::{Value as Json, json};

/// A document whose items cost as much as it has fields, and one more.
fn wide(fields: usize) -> String {
    let fields: Vec<String> = (0..fields).map(|at| format!("n{at}:n")).collect();
    format!("subscription{{hot(bytes:0){{{}}}}}", fields.join(" "))
}

/// Whether nothing but the answer to a ping comes next.
async fn is_quiet(client: &mut Client) -> bool {
    client.say(json!({"type": "ping"})).await;
    client.hear().await["type"] == "pong"
}

#[tokio::test]
async fn items_are_paid_and_who_has_spent_all_waits_on_an_open_socket() {
    // A bucket of the most that one request may cost, and nothing to speak of flows in.
    let house = house_limited("1").await;
    let mut client = house.admitted(house.bearer("ann")).await;
    let (document, cost) = (wide(99), 100);
    client.subscribe("1", &document).await;
    // What the bucket pays, and one more that is owed; then the feed waits, and the socket lives.
    let payable = (20_000 - document.len() / 16 - cost) / cost;
    for _ in 0..=payable {
        assert_eq!(client.hear().await["type"], "next");
    }
    assert!(is_quiet(&mut client).await, "more than {payable} were paid");
    client.subscribe("2", &document).await;
    let got = client.hear().await;
    assert_eq!((&got["id"], &got["type"]), (&json!("2"), &json!("error")));
    assert_eq!(got["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(house.running.now(), 1, "it waits and is not cut off");
    // Nobody else waits.
    let mut other = house.admitted(house.bearer("bob")).await;
    other.subscribe("1", &document).await;
    assert_eq!(other.hear().await["type"], "next");
    // A reader that waits is gone as any other is.
    drop((client, other));
    house.is_empty().await;
}

#[tokio::test]
async fn a_reader_that_waits_goes_on_when_it_can_pay() {
    let house = house_limited("20000").await;
    let mut client = house.admitted(house.bearer("ann")).await;
    let began = std::time::Instant::now();
    client.subscribe("1", &wide(99)).await;
    // 750 are paid by what 5 s of their share hold; 100 more come as 15,000 flow in a second.
    for at in 0..850 {
        let got = client.hear().await;
        assert_eq!(got["payload"]["data"]["hot"]["n0"], at, "none is left out");
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    until(|| house.running.now() == 1).await;
}

#[tokio::test]
async fn what_an_equal_has_made_costs_its_bytes_alone() {
    let house = Market::start();
    let market = market(&house, "OPEN").await;
    let app = house.app.clone();
    let endpoint = Endpoint::new(move || graphql::builder(app.clone()), house.app.clone());
    let endpoint = endpoint.limited("1".parse().unwrap());
    let fields: Vec<String> = (0..99).map(|at| format!("n{at}: status")).collect();
    let document =
        format!("subscription {{ agentsFeed(callServer: \"main\") {{ agent {{ {} }} }} }}", fields.join(" "));
    let [olga, otto] = ["olga", "otto"].map(|name| Actor::Operator(name.into()));
    let open = async |actor: &Actor| {
        let viewer = Viewer { actor: actor.clone(), expires_at: None, token: None, vouched: None };
        let caller = Caller { viewer, client: crate::proxy::Client::direct([127, 0, 0, 1].into()) };
        let params = serde_json::from_value::<Params>(json!({ "query": document })).unwrap();
        endpoint.stream(caller, params, true).await.unwrap()
    };
    let (mut first, mut second) = (open(&olga).await, open(&otto).await);
    for feed in [&mut first, &mut second] {
        assert!(tokio::time::timeout(Duration::from_millis(300), feed.next()).await.is_err(), "it begins");
    }
    let items = 40;
    for number in 0..items {
        let status = ["BREAK", "AVAILABLE"][number % 2];
        house.tell(&market.agents[0], "setAgentStatus", json!({ "status": status }), "agent { id }").await;
        let made = soon(first.next()).await.unwrap().body();
        assert_eq!(soon(second.next()).await.unwrap().body(), made);
    }
    assert_eq!(endpoint.shared().taken(), 40);
    // Each has begun, and the first has paid for a document that was not known; of the items the last is not paid
    // yet. So little flows in that it does not matter.
    let left = |actor: &Actor| {
        let holder = Holder::Caller(actor.clone());
        let most = (0..=cost::COST_MAX).rev().step_by(50).find(|cost| endpoint.rate.take(&holder, *cost).is_ok());
        most.unwrap()
    };
    let (of_first, of_second) = (left(&olga), left(&otto));
    assert!(of_first.abs_diff(20_000 - 100 - 39 * 101 - document.len() as u64 / 16) <= 100, "{of_first}");
    assert!(of_second.abs_diff(20_000 - 100 - 39) <= 100, "{of_second}");
}

#[tokio::test]
async fn a_subscription_that_ends_itself_gives_its_seat_back() {
    let house = house_limited("off").await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("1", "subscription{count(to:3){n}}").await;
    for _ in 0..3 {
        assert_eq!(client.hear().await["type"], "next");
    }
    assert_eq!(client.hear().await["type"], "complete");
    until(|| house.connected.subscriptions.taken() == 0).await;
    drop(client);
    house.is_empty().await;
}
