//! A house in memory for the tests: every role asks, tells and watches through the schema. `market` puts one
//! acceptance into it, with two agents who could bid.

use crate::app::{App, Parts};
use crate::auth::Viewer;
use crate::graphql;
use async_graphql::{Request, Response, Schema, Variables};
use domain::actor::{Actor, Role};
use domain::ids::AuctionId;
use domain::time::{Span, Timestamp};
use futures_util::{Stream, StreamExt};
use projections::history::History;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use store::clock::{Clock, SystemClock};
use store::folder::DataFolder;
use store::memory::MemoryStore;
use store::vault::Vault;
use store::writer::Settings;

pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<MemoryStore>,
    schema: Schema<graphql::query::Query, graphql::mutation::Mutation, graphql::subscription::Feeds>,
    folder: PathBuf,
    clock: Arc<Turned>,
    pub(crate) keys: AtomicU32,
}

/// The machine's clock, some microseconds ahead.
#[derive(Default)]
struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.app.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[derive(Clone)]
pub(crate) struct Who(pub(crate) Role, pub(crate) String);

pub(crate) fn who(role: Role) -> Who {
    Who(role, "somebody".into())
}

impl House {
    pub(crate) fn start() -> House {
        let folder = std::env::temp_dir().join(format!("callmarket-reads-{:016x}", getrandom::u64().unwrap()));
        let clock = Arc::new(Turned::default());
        let store = Arc::new(MemoryStore::new());
        let parts = Parts {
            folder: DataFolder::open(&folder).unwrap(),
            store: store.clone(),
            vault: Vault::in_memory().unwrap(),
            history: History::open_in_memory().unwrap(),
            clock: clock.clone(),
            settings: Settings { keys: 1_000, ..Settings::default() },
            snapshot_every: crate::snapshotter::EVERY,
            topics_model: None,
            public_url: "http://127.0.0.1:8080".into(),
            loopback_webhooks: true,
        };
        let app = App::start(parts).unwrap();
        let schema = graphql::builder(app.clone()).finish();
        House { app, store, schema, folder, clock, keys: AtomicU32::new(0) }
    }

    pub(crate) fn keys_folder(&self) -> PathBuf {
        self.folder.join("keys")
    }

    pub(crate) async fn run(&self, who: &Who, document: &str, variables: Value) -> Value {
        let request = request(who, document, variables);
        serde_json::to_value(self.schema.execute(request).await).unwrap()
    }

    /// A subscription's answers.
    pub(crate) fn watch(
        &self,
        who: &Who,
        document: &str,
        variables: Value,
    ) -> impl Stream<Item = Value> + Unpin + use<> {
        let answers = self.schema.execute_stream(request(who, document, variables));
        Box::pin(answers.map(|response: Response| serde_json::to_value(response).unwrap()))
    }

    /// The data of a query that must not fail.
    pub(crate) async fn ask(&self, who: &Who, document: &str, variables: Value) -> Value {
        let mut answer = self.run(who, document, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{document}: {answer}");
        answer["data"].take()
    }

    /// Turns the clock on to this instant. Writers hear it with their next command.
    pub(crate) fn turn_to(&self, at: Timestamp) {
        self.clock.0.fetch_add((at - self.clock.now()).0, Ordering::Relaxed);
    }

    /// Turns the clock on by this much.
    pub(crate) fn pass(&self, span: Span) {
        self.turn_to(self.clock.now() + span);
    }

    /// Turns the clock to the auction's closing, and has its call server look at it.
    pub(crate) async fn close(&self, market: &Market) {
        let auction: AuctionId = market.auction.parse().unwrap();
        let closes_at = self.app.live.auction(auction).unwrap().closes_at;
        self.turn_to(closes_at);
        self.tell(&market.agents[0], "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    }

    /// The reservation that an agent is asked to consent to.
    pub(crate) async fn pending(&self, agent: &Who) -> String {
        let query = "query($id: ID!) { agent(id: $id) { reservation { id } } }";
        text(&self.ask(agent, query, json!({ "id": agent.1 })).await["agent"]["reservation"]["id"])
    }

    /// A mutation that must succeed.
    pub(crate) async fn tell(&self, who: &Who, mutation: &str, mut input: Value, fields: &str) -> Value {
        input["idempotencyKey"] = format!("0123456789abcdef{:016x}", self.keys.fetch_add(1, Ordering::Relaxed)).into();
        let (first, rest) = mutation.split_at(1);
        let document = format!(
            "mutation($input: {}{rest}Input!) {{ it: {mutation}(input: $input) {{ {fields} seq userErrors {{ code message field }} }} }}",
            first.to_uppercase()
        );
        let mut data = self.ask(who, &document, json!({ "input": input })).await;
        assert_eq!(data["it"]["userErrors"], json!([]), "{mutation}: {data}");
        data["it"].take()
    }
}

fn request(who: &Who, document: &str, variables: Value) -> Request {
    let viewer = match who.0 {
        Role::Anonymous => Viewer::anonymous(),
        role => Viewer {
            actor: Actor::new(role, Some(&who.1)).expect("an actor"),
            expires_at: None,
            token: None,
            vouched: None,
        },
    };
    Request::new(document).variables(Variables::from_json(variables)).data(viewer)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(crate) struct Market {
    pub(crate) provider: Who,
    pub(crate) agents: Vec<Who>,
    pub(crate) customer: Who,
    pub(crate) inquiry: String,
    pub(crate) auction: String,
}

pub(crate) async fn market(house: &House, format: &str) -> Market {
    let operator = who(Role::Operator);
    house.tell(&operator, "openCallServer", json!({ "name": "main", "topics": [] }), "callServer { id }").await;
    let provider = house.tell(&operator, "registerProvider", json!({ "name": "Bank" }), "provider { id }").await;
    let provider = Who(Role::Provider, text(&provider["provider"]["id"]));
    let mut agents = Vec::new();
    for name in ["Ann Agent", "Ben Agent"] {
        let input =
            json!({ "displayName": name, "callServer": "main", "location": "l", "skills": [{ "name": "cards" }] });
        let agent = house.tell(&operator, "registerAgent", input, "agent { id }").await;
        let agent = Who(Role::Agent, text(&agent["agent"]["id"]));
        let input = json!({ "owner": agent.1, "amount": { "amount": "50", "currency": "EUR" }, "reference": "r" });
        house.tell(&who(Role::Finance), "creditWallet", input, "account { id }").await;
        house.tell(&agent, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
        agents.push(agent);
    }
    let mut rules = json!({
        "direction": "FORWARD", "format": format, "currency": "EUR", "openFor": "PT60S",
        "reserve": "4", "reserveHidden": true, "startingPrice": "2",
    });
    if format == "OPEN" {
        rules["buyNow"] = "20".into();
    }
    let offer = json!({
        "title": "Card help", "channels": ["TELEPHONE"], "links": [{ "label": "Lost", "topic": "cards/lost" }],
        "shownBeforeConsent": ["tier"], "wrapUp": "PT5M", "allocation": { "auction": rules },
    });
    let offer = house.tell(&provider, "publishOffer", offer, "offer { id }").await;
    let accept = json!({
        "offerId": offer["offer"]["id"], "question": "Where is my card?", "topics": ["cards/lost"], "channel": "TELEPHONE",
        "customer": { "displayName": "Carl", "phone": "+351", "attributes": { "tier": "gold", "iban": "DE00" } },
    });
    let accepted = house.tell(&who(Role::Anonymous), "acceptOffer", accept, "inquiry { id } customerToken").await;
    let token = house.app.signing.verify(accepted["customerToken"].as_str().unwrap()).unwrap();
    let inquiry = text(&accepted["inquiry"]["id"]);
    let found =
        house.ask(&operator, "query($id: ID!) { inquiry(id: $id) { auction { id } } }", json!({ "id": inquiry })).await;
    let auction = text(&found["inquiry"]["auction"]["id"]);
    Market { provider, agents, customer: Who(Role::Customer, token.actor.id().unwrap()), inquiry, auction }
}
