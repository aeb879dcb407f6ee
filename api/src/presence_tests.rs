//! Presence from feeds to status, over a house in memory on a turned clock.

use crate::drain::drain;
use crate::endpoint::Endpoint;
use crate::graphql::testing::{House, Market, Who, market, who};
use crate::testing::admitted;
use crate::{graphql, listen};
use domain::actor::{Actor, Role};
use domain::log::LogName;
use domain::time::{Span, Timestamp};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use store::backend::EventStore;
use store::memory::Fault;
use store::recorded::Recorded;
use tokio::task::JoinHandle;

const MINUTE: Span = Span::seconds(60);

fn main_log() -> LogName {
    "main".parse().unwrap()
}

/// A feed that somebody reads, until it is hung up.
struct Console(JoinHandle<()>);

impl Console {
    async fn hangs_up(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

fn feed(house: &House, viewer: &Who, agent: &Who) -> Console {
    let document = "subscription($id: ID) { agentFeed(agentId: $id) { kind } }";
    let mut items = house.watch(viewer, document, json!({ "id": agent.1 }));
    Console(tokio::spawn(async move {
        while let Some(item) = items.next().await {
            assert_eq!(item["errors"], Value::Null, "{item}");
        }
    }))
}

/// When each report was recorded, and whom it names.
fn reports(house: &House) -> Vec<(Timestamp, Vec<Value>)> {
    let raws = house.store.read(&main_log(), 0, 10_000).unwrap();
    let events = raws.into_iter().map(|raw| Recorded::open(&main_log(), raw).unwrap());
    let reports = events.filter(|event| event.type_name == "agent.presence_reported.v1");
    reports
        .map(|event| {
            let data: Value = serde_json::from_slice(&event.raw.data).unwrap();
            (event.time, data["agents"].as_array().unwrap().clone())
        })
        .collect()
}

/// The instant of the report that makes `count` of them.
async fn reported(house: &House, count: usize) -> Timestamp {
    for _ in 0..1_000 {
        if let Some((at, _)) = reports(house).get(count - 1) {
            return *at;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} reports: {:?}", reports(house));
}

/// Status and reason at an instant to come.
async fn status_at(house: &House, agent: &Who, at: Timestamp) -> (Value, Value) {
    house.turn_to(at);
    // Any command: before it the writer looks at its deadlines.
    let credit = json!({ "owner": agent.1, "amount": { "amount": "1", "currency": "EUR" }, "reference": "r" });
    house.tell(&who(Role::Finance), "creditWallet", credit, "account { id }").await;
    let query = "query($id: ID!) { agent(id: $id) { status statusReason } }";
    let mut found = house.ask(agent, query, json!({ "id": agent.1 })).await["agent"].take();
    (found["status"].take(), found["statusReason"].take())
}

fn available() -> (Value, Value) {
    ("AVAILABLE".into(), "ASKED".into())
}
fn absent() -> (Value, Value) {
    ("OFFLINE".into(), "ABSENT".into())
}

async fn house() -> (House, Market) {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    (house, market)
}

#[tokio::test]
async fn an_agent_whose_feed_has_gone_is_offline_a_minute_later_and_one_over_plain_http_stays() {
    let (house, market) = house().await;
    let [ann, ben] = &market.agents[..] else { panic!("two agents") };
    let console = feed(&house, ann, ann);
    let at = reported(&house, 1).await;
    assert_eq!(reports(&house)[0].1, [json!(ann.1)]);
    console.hangs_up().await;
    let nearly = Timestamp((at + MINUTE).0 - 5_000_000);
    assert_eq!(status_at(&house, ann, nearly).await, available());
    assert_eq!(status_at(&house, ann, at + MINUTE).await, absent());
    assert_eq!(status_at(&house, ben, at + Span::days(1)).await, available());
    let query = "query($id: ID!) { agent(id: $id) { notices(first: 9) { edges { node { kind } } } } }";
    let told = house.ask(ann, query, json!({ "id": ann.1 })).await;
    assert_eq!(told["agent"]["notices"]["edges"], json!([{ "node": { "kind": "STATUS_SET" } }]));
    assert_eq!(reports(&house).len(), 1, "nobody is left to be reported");
}

#[tokio::test]
async fn a_feed_that_is_completed_on_an_open_socket_is_gone_like_any_other() {
    let (house, market) = house().await;
    let ann = &market.agents[0];
    let app = house.app.clone();
    let endpoint = Endpoint::new(move || graphql::builder(app.clone()), house.app.clone());
    let (plug, drain) = drain();
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let router = endpoint.until(drain.clone()).router();
    let served = tokio::spawn(listen::serve(listener, router, listen::Limits::default(), drain));
    let actor = Actor::new(ann.0, Some(&ann.1)).unwrap();
    let token = house.app.signing.mint(&actor, Span::days(1)).unwrap();
    let mut socket = admitted(address, json!({"authorization": format!("Bearer {token}")})).await;
    socket.subscribe("feed", "subscription { agentFeed { kind } }").await;
    let ticks = format!("subscription {{ auctionTicks(auctionId: \"{}\") {{ state }} }}", market.auction);
    socket.subscribe("ticks", &ticks).await;
    let at = reported(&house, 1).await;
    socket.say(json!({"type": "complete", "id": "feed"})).await;
    let mut heard = socket.hear().await;
    assert_eq!(heard["id"], "ticks", "{heard}");
    socket.say(json!({"type": "ping"})).await;
    while heard["type"] != "pong" {
        heard = socket.hear().await;
    }
    assert_eq!(status_at(&house, ann, at + MINUTE).await, absent());
    // The other operation goes on.
    socket.say(json!({"type": "ping"})).await;
    while socket.hear().await["type"] != "pong" {}
    plug.pull();
    drop(socket);
    served.await.unwrap();
}

#[tokio::test]
async fn who_is_back_within_a_minute_stays() {
    let (house, market) = house().await;
    let ann = &market.agents[0];
    let console = feed(&house, ann, ann);
    let first = reported(&house, 1).await;
    console.hangs_up().await;
    house.turn_to(Timestamp((first + MINUTE).0 - 5_000_000));
    let console = feed(&house, ann, ann);
    let second = reported(&house, 2).await;
    assert!(second < first + MINUTE, "the machine was too slow for this test");
    assert_eq!(status_at(&house, ann, first + MINUTE).await, available());
    console.hangs_up().await;
    assert_eq!(status_at(&house, ann, second + MINUTE).await, absent());
}

#[tokio::test]
async fn of_two_feeds_one_is_enough() {
    let (house, market) = house().await;
    let ann = &market.agents[0];
    let (first, second) = (feed(&house, ann, ann), feed(&house, ann, ann));
    reported(&house, 1).await;
    first.hangs_up().await;
    assert_eq!(house.app.presence.room(&main_log()).take(true).len(), 1);
    second.hangs_up().await;
    assert_eq!(house.app.presence.room(&main_log()).take(true), []);
}

#[tokio::test]
async fn who_asks_for_available_again_without_a_feed_stays() {
    let (house, market) = house().await;
    let ann = &market.agents[0];
    let console = feed(&house, ann, ann);
    let at = reported(&house, 1).await;
    console.hangs_up().await;
    house.tell(ann, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    assert_eq!(status_at(&house, ann, at + Span::days(1)).await, available());
}

#[tokio::test]
async fn who_asks_for_available_before_its_console_is_bound_by_that_console() {
    let (house, market) = house().await;
    let ann = &market.agents[0];
    house.tell(ann, "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    let console = feed(&house, ann, ann);
    reported(&house, 1).await;
    house.tell(ann, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    let at = reported(&house, 2).await;
    console.hangs_up().await;
    assert_eq!(status_at(&house, ann, at + MINUTE).await, absent());
}

#[tokio::test]
async fn an_operator_who_watches_an_agent_is_not_that_agent() {
    let (house, market) = house().await;
    let watching = feed(&house, &who(Role::Operator), &market.agents[0]);
    tokio::time::sleep(2 * super::SETTLES).await;
    assert_eq!(reports(&house), []);
    watching.hangs_up().await;
}

#[tokio::test]
async fn a_report_that_could_not_be_written_is_made_again() {
    let (house, market) = house().await;
    let [ann, ben] = &market.agents[..] else { panic!("two agents") };
    house.store.inject(&main_log(), [Fault::RefusedFull]);
    let consoles = [feed(&house, ann, ann), feed(&house, ben, ben)];
    reported(&house, 1).await;
    assert_eq!(reports(&house)[0].1.len(), 2, "both, in one report");
    for console in consoles {
        console.hangs_up().await;
    }
}

#[tokio::test]
async fn it_ends_with_the_house() {
    let (house, market) = house().await;
    let console = feed(&house, &market.agents[0], &market.agents[0]);
    reported(&house, 1).await;
    console.hangs_up().await;
    drop(house);
    for _ in 0..500 {
        if tokio::runtime::Handle::current().metrics().num_alive_tasks() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something goes on without its house");
}
