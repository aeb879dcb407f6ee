//! Mutations through the schema, over a house in memory.

use crate::app::{App, Parts, StartError};
use crate::auth::Viewer;
use crate::graphql;
use async_graphql::{Request, Schema, Variables};
use domain::actor::{Actor, Role};
use domain::command::rights;
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId, Subject};
use domain::log::LogName;
use projections::history::History;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use store::backend::EventStore;
use store::clock::SystemClock;
use store::folder::DataFolder;
use store::memory::MemoryStore;
use store::raw::Head;
use store::recorded::{Facts, Recorded};
use store::vault::Vault;
use store::writer::Settings;

type House = Schema<graphql::query::Query, graphql::mutation::Mutation, graphql::subscription::Feeds>;

struct Fixture {
    app: Arc<App>,
    schema: House,
    folder: PathBuf,
    keys: AtomicU32,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.app.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[derive(Clone)]
struct Who(Role, String);

fn operator() -> Who {
    Who(Role::Operator, "olga".into())
}
fn finance() -> Who {
    Who(Role::Finance, "fred".into())
}
fn nobody() -> Who {
    Who(Role::Anonymous, String::new())
}

impl Fixture {
    fn start() -> Fixture {
        let folder = std::env::temp_dir().join(format!("callmarket-mutations-{:016x}", getrandom::u64().unwrap()));
        let parts = Parts {
            folder: DataFolder::open(&folder).unwrap(),
            store: Arc::new(MemoryStore::new()),
            vault: Vault::in_memory().unwrap(),
            history: History::open_in_memory().unwrap(),
            clock: Arc::new(SystemClock),
            settings: Settings { keys: 1_000, ..Settings::default() },
            snapshot_every: crate::snapshotter::EVERY,
            topics_model: None,
            public_url: "http://127.0.0.1:8080".into(),
            loopback_webhooks: true,
        };
        let app = App::start(parts).unwrap();
        let schema = graphql::builder(app.clone()).finish();
        Fixture { app, schema, folder, keys: AtomicU32::new(0) }
    }

    /// A key that nobody used, random enough for callers without a token.
    fn key(&self) -> String {
        format!("0123456789abcdef{:016x}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// The answer to `mutation(input: $input) { fields }`, errors included.
    async fn send(&self, who: &Who, mutation: &str, input: Value, fields: &str) -> Value {
        let named = match mutation {
            // These share their input.
            "rotateWebhookSecret" | "deleteWebhook" => "webhookAction",
            other => other,
        };
        let (first, rest) = named.split_at(1);
        let document = format!(
            "mutation($input: {}{rest}Input!) {{ answer: {mutation}(input: $input) {{ {fields} log seq replayed userErrors {{
                __typename code message field retryable
                ... on BidTooLow {{ minimum {{ amount currency }} }}
                ... on StaleRevision {{ currentRevision }}
                ... on IdempotencyConflict {{ firstSeenAt }}
            }} }} }}",
            first.to_uppercase()
        );
        let viewer = match who.0 {
            Role::Anonymous => Viewer::anonymous(),
            role => Viewer {
                actor: Actor::new(role, Some(&who.1)).expect("an actor"),
                expires_at: None,
                token: None,
                vouched: None,
            },
        };
        let variables = Variables::from_json(json!({ "input": input }));
        let response = self.schema.execute(Request::new(document).variables(variables).data(viewer)).await;
        let mut json = serde_json::to_value(&response).unwrap();
        match json["data"]["answer"].take() {
            Value::Null => json,
            answer => answer,
        }
    }

    /// The same with a new key, where it must succeed.
    async fn done(&self, who: &Who, mutation: &str, mut input: Value, fields: &str) -> Value {
        input["idempotencyKey"] = self.key().into();
        let answer = self.send(who, mutation, input, fields).await;
        assert_eq!(answer["userErrors"], json!([]), "{mutation}: {answer}");
        assert_eq!(answer["replayed"], false, "{mutation}: {answer}");
        answer
    }

    /// The same where it must be refused: the one user error.
    async fn refused(&self, who: &Who, mutation: &str, mut input: Value) -> Value {
        input["idempotencyKey"] = self.key().into();
        let mut answer = self.send(who, mutation, input, "").await;
        assert_eq!((&answer["log"], &answer["seq"]), (&Value::Null, &Value::Null), "{mutation}: {answer}");
        answer["userErrors"][0].take()
    }
}

fn id(answer: &Value, object: &str) -> String {
    answer[object]["id"].as_str().unwrap_or_else(|| panic!("no {object} in {answer}")).to_owned()
}

/// A provider with an auctioned offer, a call server, and an agent with money who is available.
struct Market {
    provider: Who,
    agent: Who,
    offer: String,
}

async fn market(house: &Fixture) -> Market {
    let opened =
        house.done(&operator(), "openCallServer", json!({ "name": "main", "topics": [] }), "callServer { id }").await;
    assert_eq!(opened["log"], "community");
    let limit = json!([{ "callServer": "main", "limit": { "amount": "1000", "currency": "EUR" } }]);
    let input = json!({ "name": "Bank", "origins": ["https://bank.example"], "creditLimits": limit });
    let provider = id(&house.done(&operator(), "registerProvider", input, "provider { id }").await, "provider");
    let input = json!({
        "displayName": "Ann Agent", "callServer": "main", "location": "Lisbon",
        "skills": [{ "name": "cards", "level": 3 }],
    });
    let registered = house.done(&operator(), "registerAgent", input, "agent { id }").await;
    assert_eq!(registered["log"], "main");
    let agent = id(&registered, "agent");
    let input = json!({ "owner": agent, "amount": { "amount": "50", "currency": "EUR" }, "reference": "top-up 1" });
    house.done(&finance(), "creditWallet", input, "account { id }").await;
    let agent = Who(Role::Agent, agent);
    house.done(&agent, "setAgentStatus", json!({ "status": "AVAILABLE", "reason": "back" }), "agent { id }").await;
    let provider = Who(Role::Provider, provider);
    let input = json!({
        "title": "Card help", "channels": ["MESSAGE"], "wrapUp": "PT5M",
        "links": [{ "label": "Lost card", "topic": "cards/lost" }],
        "allocation": { "auction": {
            "direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT60S",
            "startingPrice": "5", "buyNow": "20", "increment": [{ "from": "0", "by": "1" }],
        } },
    });
    let offer = id(&house.done(&provider, "publishOffer", input, "offer { id }").await, "offer");
    Market { provider, agent, offer }
}

#[tokio::test]
async fn an_acceptance_goes_from_bid_to_wrap_up_and_every_key_answers_again() {
    let house = Fixture::start();
    let market = market(&house).await;

    let mut accept = json!({
        "offerId": market.offer, "question": "Where is my card?", "topics": ["cards/lost"], "channel": "MESSAGE",
        "content": { "url": "https://bank.example/cards", "title": "Cards" },
        "customer": { "displayName": "Carl", "attributes": { "tier": "gold" } },
        "idempotencyKey": house.key(),
    });
    let fields = "inquiry { id state question customer { displayName masked } auction { id } } customerToken";
    let first = house.send(&nobody(), "acceptOffer", accept.clone(), fields).await;
    assert_eq!(first["userErrors"], json!([]), "{first}");
    // Who came without a token sees its inquiry as the customer it has become.
    let shown = &first["inquiry"];
    assert_eq!((&shown["state"], &shown["question"]), (&json!("IN_AUCTION"), &json!("Where is my card?")));
    assert_eq!(shown["customer"], json!({ "displayName": "Carl", "masked": false }));
    assert_eq!(shown["auction"], Value::Null, "auctions are not a customer's to see");
    let inquiry: InquiryId = id(&first, "inquiry").parse().unwrap();
    let row = house.app.live.inquiry(inquiry).unwrap();
    assert_eq!(first["log"], "main");
    assert_eq!(first["seq"], row.registered_seq.to_string());
    let viewer = house.app.signing.verify(first["customerToken"].as_str().unwrap()).unwrap();
    assert_eq!(viewer.actor, Actor::Customer(row.customer));
    let question = house.app.open(row.question.as_deref().unwrap()).await.unwrap().unwrap();
    assert_eq!(question, r#"{"question":"Where is my card?"}"#);
    let customer = Who(Role::Customer, row.customer.to_string());

    let again = house.send(&nobody(), "acceptOffer", accept.clone(), fields).await;
    assert_eq!(again["replayed"], true, "{again}");
    for same in ["inquiry", "log", "seq"] {
        assert_eq!(again[same], first[same], "{same}");
    }
    assert_ne!(again["customerToken"], first["customerToken"], "no token is ever stored");
    let token = house.app.signing.verify(again["customerToken"].as_str().unwrap()).unwrap();
    assert_eq!(token.actor, viewer.actor);
    accept["question"] = "Another question".into();
    let other = house.send(&nobody(), "acceptOffer", accept, fields).await;
    assert_eq!(other["userErrors"][0]["__typename"], "IdempotencyConflict", "{other}");
    assert!(other["userErrors"][0]["firstSeenAt"].is_string());

    let auction = house.app.live.dossier(inquiry).unwrap().read(|dossier| dossier.auctions()[0].row().id).to_string();
    let bid = |amount: &str| json!({ "auctionId": auction, "amount": { "amount": amount, "currency": "EUR" } });
    let low = house.refused(&market.agent, "placeBid", bid("4.99")).await;
    assert_eq!((&low["__typename"], &low["code"]), (&json!("BidTooLow"), &json!("BID_TOO_LOW")));
    assert_eq!(low["minimum"], json!({ "amount": "5.00", "currency": "EUR" }));
    let scale = house.refused(&market.agent, "placeBid", bid("5.001")).await;
    assert_eq!((&scale["code"], &scale["field"]), (&json!("INVALID"), &json!(["amount", "amount"])));
    let poor = house.refused(&market.agent, "placeBid", bid("51")).await;
    assert_eq!(poor["code"], "INSUFFICIENT_FUNDS");
    let mut bought = bid("20");
    bought["idempotencyKey"] = house.key().into();
    let won = house.send(&market.agent, "placeBid", bought.clone(), "bid { id } auction { id }").await;
    assert_eq!((&won["userErrors"], id(&won, "auction")), (&json!([]), auction.clone()));

    let agent: AgentId = market.agent.1.parse().unwrap();
    let reservation = json!({ "reservationId": house.app.live.agent_pending(agent)[0].reservation.to_string() });
    house.done(&market.agent, "viewReservation", reservation.clone(), "reservation { id }").await;
    let mut consent = reservation.clone();
    consent["idempotencyKey"] = house.key().into();
    let opened = house.send(&market.agent, "acceptReservation", consent.clone(), "session { id } inquiry { id }").await;
    let session = id(&opened, "session");
    let late = house.refused(&market.agent, "declineReservation", reservation.clone()).await;
    assert_eq!(late["code"], "RESERVATION_CLOSED");

    let channel = house.app.live.dossier(inquiry).unwrap();
    let channel = channel.read(|dossier| dossier.session().unwrap().channels()[0].id).to_string();
    let say = |text: &str| json!({ "sessionId": session, "channelId": channel, "text": text });
    house.done(&customer, "sendMessage", say("hello"), "message { id }").await;
    house.done(&market.agent, "sendMessage", say("good day"), "message { id }").await;
    let empty = house.refused(&market.agent, "sendMessage", say(" ")).await;
    assert_eq!((&empty["code"], &empty["field"]), (&json!("INVALID"), &json!(["text"])));
    let stranger = Who(Role::Customer, CustomerId(1).to_string());
    let unseen = house.refused(&stranger, "sendMessage", say("let me in")).await;
    assert_eq!((&unseen["code"], &unseen["field"]), (&json!("NOT_FOUND"), &json!(["sessionId"])));
    assert!(house.app.vault.existing(&stranger.1).unwrap().is_none(), "nothing was sealed for a stranger");

    let of = |more: Value| {
        let mut input = json!({ "sessionId": session });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    house.done(&market.agent, "saveNotes", of(json!({ "notes": "lost in Rome" })), "session { id }").await;
    house.done(&customer, "endSession", of(json!({})), "session { id } inquiry { id }").await;
    house.done(&market.agent, "extendWrapUp", of(json!({ "by": "PT5M" })), "session { id }").await;
    let saved = json!({ "notes": "solved", "disposition": "RESOLVED", "information": { "case": "7" } });
    house.done(&market.agent, "completeWrapUp", of(saved), "session { id } inquiry { id }").await;

    // The call server's state has let go of all of it.
    let closed = house.refused(&market.agent, "placeBid", bid("30")).await;
    assert_eq!(closed["code"], "AUCTION_CLOSED");
    let unseen = house.refused(&Who(Role::Agent, AgentId(1).to_string()), "placeBid", bid("30")).await;
    assert_eq!(unseen["code"], "NOT_FOUND");
    assert_eq!(house.refused(&market.agent, "acceptReservation", reservation).await["code"], "RESERVATION_CLOSED");
    // For a day after the end the agent may still write.
    house.done(&market.agent, "saveNotes", of(json!({ "notes": "x" })), "session { id }").await;
    assert_eq!(house.refused(&customer, "endSession", of(json!({}))).await["code"], "SESSION_CLOSED");
    let withdraw = json!({ "inquiryId": inquiry.to_string() });
    assert_eq!(house.refused(&customer, "withdrawInquiry", withdraw.clone()).await["code"], "INQUIRY_CLOSED");
    assert_eq!(house.refused(&stranger, "withdrawInquiry", withdraw).await["code"], "NOT_FOUND");
    // Its keys are kept all the same.
    let replayed = house.send(&market.agent, "placeBid", bought, "bid { id } auction { id }").await;
    assert_eq!((&replayed["replayed"], &replayed["bid"]), (&json!(true), &won["bid"]), "{replayed}");
    assert_eq!(replayed["seq"], won["seq"]);
    let replayed = house.send(&market.agent, "acceptReservation", consent, "session { id }").await;
    assert_eq!((&replayed["replayed"], id(&replayed, "session")), (&json!(true), session));
}

#[tokio::test]
async fn operators_and_providers_keep_their_things() {
    let house = Fixture::start();
    let market = market(&house).await;
    let provider = json!({ "providerId": market.provider.1 });

    let mut update = provider.clone();
    update["state"] = "SUSPENDED".into();
    house.done(&operator(), "updateProvider", update.clone(), "provider { id }").await;
    let accept = json!({ "offerId": market.offer, "question": "?", "channel": "MESSAGE" });
    assert_eq!(house.refused(&nobody(), "acceptOffer", accept.clone()).await["code"], "NOT_ALLOWED_NOW");
    update["state"] = "ACTIVE".into();
    house.done(&operator(), "updateProvider", update, "provider { id }").await;

    let mut seen_before = accept.clone();
    seen_before["offerRevision"] = 7.into();
    let stale = house.refused(&nobody(), "acceptOffer", seen_before).await;
    assert_eq!((&stale["code"], &stale["field"]), (&json!("STALE_REVISION"), &json!(["offerRevision"])));
    let mut elsewhere = accept.clone();
    elsewhere["content"] = json!({ "url": "https://evil.example/" });
    assert_eq!(house.refused(&nobody(), "acceptOffer", elsewhere).await["code"], "ORIGIN_REFUSED");

    let input = json!({ "callServer": "main", "locations": [{ "name": "Lisbon" }] });
    house.done(&operator(), "updateCallServer", input, "callServer { id }").await;
    assert_eq!(
        house.refused(&operator(), "openCallServer", json!({ "name": "main", "topics": [] })).await["code"],
        "NAME_TAKEN"
    );
    // Nobody makes up a topic; an operator declares it.
    let mut on_loans = accept.clone();
    on_loans["topics"] = json!(["loans"]);
    let unknown = house.refused(&nobody(), "acceptOffer", on_loans.clone()).await;
    assert_eq!((&unknown["code"], &unknown["field"]), (&json!("INVALID"), &json!(["topics", "0"])));
    let input = json!({ "callServer": "main", "topic": "loans" });
    house.done(&operator(), "declareQueue", input, "queue { id }").await;
    let accepted = house.done(&nobody(), "acceptOffer", on_loans, "inquiry { topics }").await;
    assert_eq!(accepted["inquiry"]["topics"], json!(["loans"]));

    let input = json!({ "callServer": "main", "topic": "cards", "requiredSkills": [{ "name": "cards" }] });
    let queue = id(&house.done(&operator(), "declareQueue", input, "queue { id }").await, "queue");
    let mut retire = json!({ "queueId": queue, "idempotencyKey": house.key() });
    assert_eq!(house.send(&operator(), "retireQueue", retire.clone(), "").await["userErrors"], json!([]));
    assert_eq!(house.send(&operator(), "retireQueue", retire.clone(), "").await["replayed"], true);
    retire["queueId"] = "que_00000000000000000000000001".into();
    assert_eq!(house.refused(&operator(), "retireQueue", retire).await["code"], "NOT_FOUND");

    let input =
        json!({ "agentId": market.agent.1, "displayName": "Anna", "capacity": 2, "affiliatedWith": market.provider.1 });
    house.done(&operator(), "updateAgent", input, "agent { id }").await;
    let input = json!({ "agentId": market.agent.1, "affiliatedWith": ProviderId(1).to_string() });
    assert_eq!(house.refused(&operator(), "updateAgent", input).await["field"], json!(["affiliatedWith"]));
    let nameless = house.refused(&operator(), "setAgentStatus", json!({ "status": "BREAK" })).await;
    assert_eq!((&nameless["code"], &nameless["field"]), (&json!("INVALID"), &json!(["agentId"])));
    let other = json!({ "agentId": AgentId(1).to_string(), "status": "BREAK", "reason": "mine now" });
    assert_eq!(house.refused(&market.agent, "setAgentStatus", other).await["code"], "NOT_FOUND");

    let input = json!({ "owner": market.provider.1, "callServer": "main", "amount": { "amount": "5", "currency": "EUR" }, "reference": "r" });
    house.done(&finance(), "creditWallet", input, "account { id }").await;

    let publish = json!({ "title": "t", "links": [], "channels": ["MESSAGE"], "allocation": { "claim": {} } });
    assert_eq!(house.refused(&operator(), "publishOffer", publish.clone()).await["field"], json!(["providerId"]));
    let mut foreign = publish;
    foreign["providerId"] = ProviderId(1).to_string().into();
    assert_eq!(house.refused(&market.provider, "publishOffer", foreign).await["code"], "NOT_FOUND");
    let revise = json!({ "offerId": market.offer, "expectedRevision": 1, "title": "Card rescue" });
    house.done(&market.provider, "reviseOffer", revise.clone(), "offer { id }").await;
    let stale = house.refused(&market.provider, "reviseOffer", revise.clone()).await;
    assert_eq!((&stale["__typename"], &stale["currentRevision"]), (&json!("StaleRevision"), &json!(2)));
    let rival = Who(Role::Provider, ProviderId(1).to_string());
    assert_eq!(house.refused(&rival, "reviseOffer", revise).await["code"], "NOT_FOUND");
    house.done(&market.provider, "retireOffer", json!({ "offerId": market.offer }), "offer { id }").await;
    assert_eq!(house.refused(&nobody(), "acceptOffer", accept).await["code"], "OFFER_RETIRED");
}

#[tokio::test]
async fn a_customer_withdraws_and_a_bidder_takes_a_sealed_bid_back() {
    let house = Fixture::start();
    let market = market(&house).await;
    let sealed = json!({ "auction": {
        "direction": "FORWARD", "format": "SEALED_SECOND_PRICE", "currency": "EUR", "openFor": "PT60S",
    } });
    let revise = json!({ "offerId": market.offer, "expectedRevision": 1, "allocation": sealed });
    house.done(&market.provider, "reviseOffer", revise, "offer { id }").await;
    // A token of the house for somebody it has not met.
    let customer = Who(Role::Customer, CustomerId(7).to_string());
    let accept = json!({ "offerId": market.offer, "question": "?", "topics": ["cards/lost"], "channel": "MESSAGE" });
    let accepted = house.done(&customer, "acceptOffer", accept, "inquiry { id } customerToken").await;
    assert_eq!(accepted["customerToken"], Value::Null);
    let inquiry: InquiryId = id(&accepted, "inquiry").parse().unwrap();
    let acceptance = house.app.live.dossier(inquiry).unwrap();
    assert!(acceptance.read(|dossier| dossier.acceptance().unwrap().customer_is_new));
    let auction = acceptance.read(|dossier| dossier.auctions()[0].row().id).to_string();
    let input = json!({ "auctionId": auction, "amount": { "amount": "5", "currency": "EUR" } });
    let bid = id(&house.done(&market.agent, "placeBid", input, "bid { id }").await, "bid");
    house.done(&market.agent, "withdrawBid", json!({ "bidId": bid }), "bid { id } auction { id }").await;
    assert_eq!(
        house.refused(&market.agent, "withdrawBid", json!({ "bidId": bid })).await["code"],
        "BID_NOT_WITHDRAWABLE"
    );
    let input = json!({ "inquiryId": inquiry.to_string(), "reason": "found it" });
    house.done(&customer, "withdrawInquiry", input, "inquiry { id }").await;
    assert_eq!(house.refused(&market.agent, "withdrawBid", json!({ "bidId": bid })).await["code"], "AUCTION_CLOSED");
}

/// An input of each mutation that the schema takes.
fn example(mutation: &str) -> Value {
    let money = json!({ "amount": "1", "currency": "EUR" });
    let session = "ses_00000000000000000000000001";
    match mutation {
        "registerProvider" => json!({ "name": "Bank" }),
        "updateProvider" => json!({ "providerId": "prv_00000000000000000000000001" }),
        "openCallServer" => json!({ "name": "main", "topics": [] }),
        "updateCallServer" => json!({ "callServer": "main" }),
        "publishOffer" => {
            json!({ "providerId": "x", "title": "t", "links": [], "channels": [], "allocation": { "claim": {} } })
        }
        "mergeQueues" => json!({ "fromQueueIds": ["x"], "intoQueueId": "y" }),
        "reviseOffer" => json!({ "offerId": "x", "expectedRevision": 1 }),
        "pauseOffer" | "resumeOffer" | "retireOffer" => json!({ "offerId": "x" }),
        "startInquiry" => json!({ "offerId": "x", "topic": "t", "channel": "MESSAGE" }),
        "acceptOffer" => json!({ "offerId": "x", "channel": "MESSAGE" }),
        "eraseCustomer" => json!({ "customerId": "x" }),
        "registerAgent" => json!({ "displayName": "Ann", "callServer": "main", "location": "l", "skills": [] }),
        "updateAgent" => json!({ "agentId": "x" }),
        "setAgentStatus" => json!({ "status": "BREAK", "reason": "r" }),
        "blockAgent" | "unblockAgent" => json!({ "agentId": "x" }),
        "blockCustomer" | "unblockCustomer" => json!({ "inquiryId": "x" }),
        "readNotices" => json!({ "noticeId": "x" }),
        "forgiveStrikes" => json!({ "agentId": "x", "reason": "r" }),
        "setStandingValue" => json!({ "topic": "cards", "direction": "FORWARD" }),
        "reportLocationTraffic" => json!({ "callServer": "main", "location": "l", "traffic": "1" }),
        "declareQueue" => json!({ "callServer": "main", "topic": "t" }),
        "retireQueue" => json!({ "queueId": "x" }),
        "creditWallet" => json!({ "owner": "x", "amount": money, "reference": "r" }),
        "payOut" => json!({ "accountId": "x", "amount": money }),
        "returnPayout" => json!({ "accountId": "x", "payoutId": "x", "reason": "AC04" }),
        "netPayable" => json!({ "accountId": "x" }),
        "refundSettlement" => json!({ "settlementId": "x", "amount": money, "reason": "GOODWILL" }),
        "setFeeRule" => json!({ "commission": "15", "tax": "0" }),
        "withdrawInquiry" | "resumeInquiry" | "claimInquiry" => json!({ "inquiryId": "x" }),
        "placeBid" => json!({ "auctionId": "x", "amount": money }),
        "withdrawBid" => json!({ "bidId": "x" }),
        "inviteAgent" => json!({ "sessionId": session, "agent": { "agentId": "x" } }),
        "transferSession" => json!({ "sessionId": session, "to": { "agentId": "x" } }),
        "leaveSession" => json!({ "sessionId": session }),
        "openSideChannel" => json!({ "sessionId": session, "agentId": "x" }),
        "closeChannel" => json!({ "channelId": "x" }),
        "reportChannel" => json!({ "channelId": "x", "report": "CONNECTED" }),
        "viewReservation" | "acceptReservation" | "declineReservation" | "rescindReservation" => {
            json!({ "reservationId": "x" })
        }
        "sendMessage" => json!({ "sessionId": session, "channelId": "x", "text": "t" }),
        "endSession" | "completeWrapUp" => json!({ "sessionId": session }),
        "saveNotes" => json!({ "sessionId": session, "notes": "n" }),
        "confirmTopics" => json!({ "inquiryId": "x", "topics": ["cards"] }),
        "extendWrapUp" => json!({ "sessionId": session, "by": "PT1M" }),
        "createWebhook" => json!({ "providerId": "x", "url": "https://example.org/" }),
        "rotateWebhookSecret" | "deleteWebhook" => json!({ "webhookId": "x" }),
        "redeliverWebhook" => json!({ "deliveryId": "x" }),
        other => panic!("no example of {other}"),
    }
}

#[tokio::test]
async fn the_table_of_rights_decides_before_anything_else() {
    let house = Fixture::start();
    let everybody = [
        (operator(), domain::actor::Role::Operator),
        (finance(), domain::actor::Role::Finance),
        (nobody(), domain::actor::Role::Anonymous),
        (Who(Role::Provider, ProviderId(1).to_string()), domain::actor::Role::Provider),
        (Who(Role::Agent, AgentId(1).to_string()), domain::actor::Role::Agent),
        (Who(Role::Customer, CustomerId(1).to_string()), domain::actor::Role::Customer),
    ];
    for (mutation, roles) in rights::ALL {
        for (who, role) in &everybody {
            let mut input = example(mutation);
            input["idempotencyKey"] = house.key().into();
            if roles.contains(role) {
                continue;
            }
            let answer = house.send(who, mutation, input, "").await;
            let code = match role {
                domain::actor::Role::Anonymous => "UNAUTHENTICATED",
                _ => "FORBIDDEN",
            };
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{mutation} as {role:?}: {answer}");
        }
    }
    for subject in [Subject::from(AgentId(1)), Subject::from(CustomerId(1))] {
        assert!(house.app.vault.existing(&subject.to_string()).unwrap().is_none(), "nothing was sealed");
    }
}

#[tokio::test]
async fn keys_are_checked_before_anything_is_sealed() {
    let house = Fixture::start();
    for (who, key) in [(operator(), "short"), (nobody(), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")] {
        let (mutation, fields) = if who.0 == Role::Operator { ("registerAgent", "") } else { ("acceptOffer", "") };
        let mut input = example(mutation);
        input["idempotencyKey"] = key.into();
        let answer = house.send(&who, mutation, input, fields).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{answer}");
    }
}

#[test]
fn every_row_of_the_table_is_a_mutation() {
    let sdl = graphql::bare().finish().sdl();
    for (mutation, _) in rights::ALL {
        assert!(sdl.contains(&format!("{mutation}(input: ")), "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_acceptance_leaves_no_key_and_a_repeat_is_still_answered() {
    let house = Fixture::start();
    let market = market(&house).await;
    let key = house.key();
    let with = |key: &str, channel: &str| json!({ "offerId": market.offer, "question": "?", "channel": channel, "idempotencyKey": key });
    let made = |key: &str| {
        let customer = house.app.new_customer(&Actor::Anonymous, rights::ACCEPT_OFFER.0, key);
        house.app.vault.existing(&customer.to_string()).unwrap().is_some()
    };
    let refused = house.send(&nobody(), "acceptOffer", with(&key, "TELEPHONE"), "").await;
    assert_eq!(refused["userErrors"][0]["code"], "CHANNEL_NOT_OFFERED", "{refused}");
    assert!(!made(&key));

    let accepted = house.send(&nobody(), "acceptOffer", with(&key, "MESSAGE"), "inquiry { id }").await;
    assert_eq!(accepted["userErrors"], json!([]), "{accepted}");
    assert!(made(&key));
    house.done(&market.provider, "retireOffer", json!({ "offerId": market.offer }), "offer { id }").await;
    let again = house.send(&nobody(), "acceptOffer", with(&key, "MESSAGE"), "inquiry { id }").await;
    assert_eq!((&again["replayed"], &again["inquiry"]), (&json!(true), &accepted["inquiry"]), "{again}");
    let other = house.key();
    let late = house.send(&nobody(), "acceptOffer", with(&other, "MESSAGE"), "").await;
    assert_eq!(late["userErrors"][0]["code"], "OFFER_RETIRED", "{late}");
    assert!(!made(&other));
}

#[tokio::test]
async fn null_takes_away_what_may_be_absent_and_an_absent_field_stays() {
    let house = Fixture::start();
    let market = market(&house).await;
    let (agent, provider) = (&market.agent.1, &market.provider.1);

    let fields = "agent { affiliatedWith { id } capacity location }";
    let update = |more: Value| {
        let mut input = json!({ "agentId": agent });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let own = json!({ "id": provider });
    for (more, affiliated) in [
        (json!({ "affiliatedWith": provider }), own.clone()),
        (json!({ "capacity": 2 }), own.clone()),
        // What is always there cannot be taken away.
        (json!({ "location": null, "capacity": 2, "skills": null, "creditLimit": null }), own),
        (json!({ "affiliatedWith": null }), Value::Null),
        (json!({ "capacity": 3 }), Value::Null),
    ] {
        let answer = house.done(&operator(), "updateAgent", update(more.clone()), fields).await;
        assert_eq!(answer["agent"]["affiliatedWith"], affiliated, "{more}");
        assert_eq!(answer["agent"]["location"], "Lisbon");
    }

    // A variable that was not given is an absent field, in a literal too.
    house.done(&operator(), "updateAgent", update(json!({ "affiliatedWith": provider })), "agent { id }").await;
    let document = "mutation($agent: ID!, $with: ID, $key: String!) {
        updateAgent(input: { agentId: $agent, affiliatedWith: $with, capacity: 4, idempotencyKey: $key }) { agent { affiliatedWith { id } } }
    }";
    for (with, affiliated) in [(None, json!({ "id": provider })), (Some(Value::Null), Value::Null)] {
        let mut variables = json!({ "agent": agent, "key": house.key() });
        if let Some(with) = with {
            variables["with"] = with;
        }
        let viewer = Viewer {
            actor: Actor::new(Role::Operator, Some("olga")).unwrap(),
            expires_at: None,
            token: None,
            vouched: None,
        };
        let request = Request::new(document).variables(Variables::from_json(variables)).data(viewer);
        let data = serde_json::to_value(house.schema.execute(request).await).unwrap();
        assert_eq!(data["data"]["updateAgent"]["agent"]["affiliatedWith"], affiliated, "{data}");
    }

    let fields = "provider { homepage origins }";
    let page = json!("https://bank.example/");
    for (more, homepage) in [
        (json!({ "homepage": page }), page.clone()),
        (json!({ "name": "Bank" }), page),
        (json!({ "homepage": null, "origins": null }), Value::Null),
        (json!({ "name": "Bank" }), Value::Null),
    ] {
        let mut input = json!({ "providerId": provider });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = house.done(&operator(), "updateProvider", input, fields).await;
        assert_eq!(answer["provider"], json!({ "homepage": homepage, "origins": ["https://bank.example"] }), "{more}");
    }

    let fields = "offer { wrapUp validUntil terms { version } title }";
    let until = "2999-01-01T00:00:00Z";
    let terms = json!({ "version": "1", "url": "https://bank.example/terms" });
    let full = json!({ "wrapUp": "PT5M", "validUntil": until, "terms": { "version": "1" }, "title": "Card help" });
    let bare = json!({ "wrapUp": null, "validUntil": null, "terms": null, "title": "Card help" });
    for (revision, more, shown) in [
        (1, json!({ "validUntil": until, "terms": terms }), full.clone()),
        (2, json!({ "title": null, "maxWait": "PT1H" }), full),
        (3, json!({ "wrapUp": null, "validUntil": null, "terms": null }), bare.clone()),
        (4, json!({ "title": "Card help" }), bare),
    ] {
        let mut input = json!({ "offerId": market.offer, "expectedRevision": revision });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = house.done(&market.provider, "reviseOffer", input, fields).await;
        assert_eq!(answer["offer"], shown, "{more}");
    }
}

#[tokio::test]
async fn a_key_takes_the_same_input_in_another_form_and_null_is_not_absent() {
    let house = Fixture::start();
    let market = market(&house).await;
    let credit = |key: &str, amount: &str| json!({ "owner": market.agent.1, "amount": { "amount": amount, "currency": "EUR" }, "reference": "r", "idempotencyKey": key });
    let key = house.key();
    let first = house.send(&finance(), "creditWallet", credit(&key, "20.0"), "account { balance { amount } }").await;
    assert_eq!(first["replayed"], false, "{first}");
    for same in ["20.00", "20"] {
        let again = house.send(&finance(), "creditWallet", credit(&key, same), "account { balance { amount } }").await;
        assert_eq!((&again["replayed"], &again["seq"]), (&json!(true), &first["seq"]), "{same}: {again}");
        assert_eq!(again["account"]["balance"]["amount"], "70.00");
    }
    let other = house.send(&finance(), "creditWallet", credit(&key, "20.01"), "").await;
    assert_eq!(other["userErrors"][0]["__typename"], "IdempotencyConflict", "{other}");

    let mut update = json!({ "agentId": market.agent.1, "capacity": 2, "idempotencyKey": house.key() });
    house.send(&operator(), "updateAgent", update.clone(), "agent { id }").await;
    update["location"] = Value::Null;
    let again = house.send(&operator(), "updateAgent", update.clone(), "agent { id }").await;
    assert_eq!(again["replayed"], true, "null says no more than absent here: {again}");
    update["affiliatedWith"] = Value::Null;
    let other = house.send(&operator(), "updateAgent", update, "agent { id }").await;
    assert_eq!(other["userErrors"][0]["__typename"], "IdempotencyConflict", "and here it does: {other}");
}

#[tokio::test]
async fn a_wrap_up_that_goes_on_too_long_and_rules_that_hide_nothing_are_refused() {
    let house = Fixture::start();
    let market = market(&house).await;
    let hidden = json!({ "auction": {
        "direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT60S", "reserveHidden": true,
    } });
    let revise = json!({ "offerId": market.offer, "expectedRevision": 1, "allocation": hidden });
    let refused = house.refused(&market.provider, "reviseOffer", revise).await;
    assert_eq!(
        (&refused["code"], &refused["field"]),
        (&json!("INVALID"), &json!(["allocation", "auction", "reserveHidden"]))
    );

    let accept = json!({ "offerId": market.offer, "question": "?", "topics": ["cards/lost"], "channel": "MESSAGE" });
    let accepted = house.done(&nobody(), "acceptOffer", accept, "inquiry { id }").await;
    let inquiry: InquiryId = id(&accepted, "inquiry").parse().unwrap();
    let auction = house.app.live.dossier(inquiry).unwrap().read(|dossier| dossier.auctions()[0].row().id).to_string();
    let bid = json!({ "auctionId": auction, "amount": { "amount": "20", "currency": "EUR" } });
    house.done(&market.agent, "placeBid", bid, "bid { id }").await;
    let agent: AgentId = market.agent.1.parse().unwrap();
    let reservation = json!({ "reservationId": house.app.live.agent_pending(agent)[0].reservation.to_string() });
    let opened = house.done(&market.agent, "acceptReservation", reservation, "session { id }").await;
    let session = json!({ "sessionId": id(&opened, "session") });
    house.done(&market.agent, "endSession", session.clone(), "session { id }").await;
    let by = |span: &str| json!({ "sessionId": session["sessionId"], "by": span });
    let refused = house.refused(&market.agent, "extendWrapUp", by("PT30M0.000001S")).await;
    assert_eq!(refused["code"], "LIMIT_REACHED", "{refused}");
    house.done(&market.agent, "extendWrapUp", by("PT30M"), "session { wrapUpDeadline }").await;
    assert_eq!(house.refused(&market.agent, "extendWrapUp", by("PT0.000001S")).await["code"], "LIMIT_REACHED");
}

#[tokio::test]
async fn a_pages_address_stands_in_no_log_and_is_read_by_those_it_is_for() {
    let house = Fixture::start();
    let market = market(&house).await;
    let url = "https://bank.example/karl-koenig/desk?mail=karl%40k.example#iban-at61";
    let content = json!({ "url": url, "title": "Karl's desk", "excerpt": "Dear Karl" });
    let mut accepted = Vec::new();
    let topic = json!(["cards/lost"]);
    let offer = house.app.live.offer(market.offer.parse().unwrap()).unwrap();
    for asked in
        [json!({ "question": "Where?", "topics": topic }), json!({ "linkId": offer.terms.links[0].id.to_string() })]
    {
        let mut accept = json!({ "offerId": market.offer, "channel": "MESSAGE", "content": content });
        accept.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let fields = "inquiry { id content { url title excerpt placement } }";
        let answer = house.done(&nobody(), "acceptOffer", accept, fields).await;
        let shown = json!({ "url": url, "title": "Karl's desk", "excerpt": "Dear Karl", "placement": "PROVIDER_PAGE" });
        assert_eq!(answer["inquiry"]["content"], shown, "its customer reads it");
        accepted.push((id(&answer, "inquiry"), shown));
    }
    for (inquiry, shown) in &accepted {
        let see = async |who: &Who| {
            let document = "query($id: ID!) { inquiry(id: $id) { content { url title excerpt placement } } }";
            let viewer = Viewer {
                actor: Actor::new(who.0, Some(&who.1)).unwrap(),
                expires_at: None,
                token: None,
                vouched: None,
            };
            let request = Request::new(document).variables(Variables::from_json(json!({ "id": inquiry }))).data(viewer);
            serde_json::to_value(house.schema.execute(request).await).unwrap()["data"]["inquiry"]["content"].take()
        };
        assert_eq!(see(&market.provider).await, *shown);
        let origin =
            json!({ "url": "https://bank.example", "title": null, "excerpt": null, "placement": "PROVIDER_PAGE" });
        assert_eq!(see(&operator()).await, origin);
        assert_eq!(see(&market.agent).await, Value::Null, "before consent");
    }
    let mut read = 0;
    for log in house.app.store.logs().unwrap() {
        for raw in house.app.store.read(&log, 0, 1_000).unwrap() {
            read += 1;
            let text = format!("{}{}", String::from_utf8_lossy(&raw.envelope), String::from_utf8_lossy(&raw.data));
            let text = text.to_lowercase();
            for part in ["karl", "koenig", "desk", "%40", "iban", "where?"] {
                assert!(!text.contains(part), "{part} stands in {log}: {text}");
            }
        }
    }
    assert!(read > 10);
}

#[tokio::test]
async fn a_credit_limit_that_is_not_named_again_is_lifted() {
    let house = Fixture::start();
    let market = market(&house).await;
    let id: ProviderId = market.provider.1.parse().unwrap();
    let limit_of = || house.app.live.accounts(None, Some(Party::Provider(id)), None, 9)[0].credit_limit;
    assert!(limit_of().is_some(), "as it was registered");
    let mut offer = json!({
        "title": "Paid help", "channels": ["MESSAGE"], "links": [{ "label": "Lost card", "topic": "cards/paid" }],
        "allocation": { "auction": {
            "direction": "REVERSE", "format": "OPEN", "currency": "EUR", "openFor": "PT60S", "reserve": "30", "buyNow": "9",
        } },
    });
    let offer = house.done(&market.provider, "publishOffer", offer.take(), "offer { id links { id } }").await;
    let accept = json!({
        "offerId": offer["offer"]["id"], "linkId": offer["offer"]["links"][0]["id"], "channel": "MESSAGE",
    });
    let limits = |amount: Option<&str>| {
        let limit = |amount| json!({ "callServer": "main", "limit": { "amount": amount, "currency": "EUR" } });
        json!({ "providerId": market.provider.1, "creditLimits": amount.map(limit).into_iter().collect::<Vec<_>>() })
    };
    for (amount, awarded) in [(Some("8.99"), false), (None, true)] {
        house.done(&operator(), "updateProvider", limits(amount), "provider { id }").await;
        assert_eq!(limit_of().map(|limit| limit.to_string()), amount.map(|amount| format!("{amount} EUR")));
        let accepted = house.done(&nobody(), "acceptOffer", accept.clone(), "inquiry { id }").await;
        let inquiry: InquiryId = accepted["inquiry"]["id"].as_str().unwrap().parse().unwrap();
        let auction =
            house.app.live.dossier(inquiry).unwrap().read(|dossier| dossier.auctions()[0].row().id).to_string();
        let bid = json!({ "auctionId": auction, "amount": { "amount": "9", "currency": "EUR" } });
        if awarded {
            house.done(&market.agent, "placeBid", bid, "bid { id }").await;
        } else {
            // Without a word on how much the provider has.
            let refused = house.refused(&market.agent, "placeBid", bid).await;
            assert_eq!(
                (&refused["code"], &refused["__typename"]),
                (&json!("INSUFFICIENT_FUNDS"), &json!("PlainUserError"))
            );
        }
        let agent: AgentId = market.agent.1.parse().unwrap();
        assert_eq!(!house.app.live.agent_pending(agent).is_empty(), awarded, "{amount:?}");
    }
}

#[tokio::test]
async fn a_key_that_another_call_server_knows_is_refused() {
    let house = Fixture::start();
    let market = market(&house).await;
    house.done(&operator(), "openCallServer", json!({ "name": "east", "topics": [] }), "callServer { id }").await;
    let input =
        json!({ "displayName": "Eva", "callServer": "east", "location": "Graz", "skills": [{ "name": "cards" }] });
    let east = id(&house.done(&operator(), "registerAgent", input, "agent { id }").await, "agent");
    let credit = |owner: &str, key: &str| json!({ "owner": owner, "amount": { "amount": "20", "currency": "EUR" }, "reference": "r", "idempotencyKey": key });
    let key = house.key();
    let first = house.send(&finance(), "creditWallet", credit(&market.agent.1, &key), "").await;
    assert_eq!((&first["log"], &first["replayed"]), (&json!("main"), &json!(false)), "{first}");
    let other = house.send(&finance(), "creditWallet", credit(&east, &key), "").await;
    assert_eq!(other["userErrors"][0]["__typename"], "IdempotencyConflict", "{other}");
    assert!(other["userErrors"][0]["firstSeenAt"].is_string() && other["seq"].is_null(), "{other}");
    let again = house.send(&finance(), "creditWallet", credit(&market.agent.1, &key), "").await;
    assert_eq!((&again["replayed"], &again["seq"]), (&json!(true), &first["seq"]), "its own log answers again");
    let somebody = Who(Role::Finance, "fiona".into());
    let theirs = house.send(&somebody, "creditWallet", credit(&east, &key), "").await;
    assert_eq!((&theirs["log"], &theirs["userErrors"]), (&json!("east"), &json!([])), "another actor's key is another");

    // Both at once: one of them has it.
    for _ in 0..20 {
        let key = house.key();
        let (main, east) = (credit(&market.agent.1, &key), credit(&east, &key));
        let fred = finance();
        let sent = |input| house.send(&fred, "creditWallet", input, "");
        let (main, east) = tokio::join!(sent(main), sent(east));
        let conflicts = [&main, &east].map(|answer| answer["userErrors"][0]["__typename"] == "IdempotencyConflict");
        assert_eq!(conflicts.iter().filter(|conflict| **conflict).count(), 1, "{main} {east}");
    }
}

/// `community` was restored from an older backup, and its views deleted: what a call server has taken over is
/// not there any more, or another event is.
#[tokio::test]
async fn a_call_server_does_not_start_beside_a_community_it_does_not_know() {
    let folder = std::env::temp_dir().join(format!("callmarket-forked-{:016x}", getrandom::u64().unwrap()));
    let start = |store: MemoryStore| {
        App::start(Parts {
            folder: DataFolder::open(folder.join(format!("{:016x}", getrandom::u64().unwrap()))).unwrap(),
            store: Arc::new(store),
            vault: Vault::in_memory().unwrap(),
            history: History::open_in_memory().unwrap(),
            clock: Arc::new(SystemClock),
            settings: Settings { keys: 1_000, ..Settings::default() },
            snapshot_every: crate::snapshotter::EVERY,
            topics_model: None,
            public_url: "http://127.0.0.1:8080".into(),
            loopback_webhooks: true,
        })
    };
    let house = Fixture::start();
    market(&house).await;
    let (community, main) = (LogName::community(), "main".parse::<LogName>().unwrap());
    let copy = |log: &LogName, upto: usize, into: &MemoryStore| {
        let mut head = None;
        for raw in house.app.store.read(log, 0, upto).unwrap() {
            into.append(log, head, std::slice::from_ref(&raw)).unwrap();
            head = Some(raw.head());
        }
    };
    // The call server, its provider's limit; then the offer.
    let known = 2;
    assert_eq!(house.app.store.head(&community).unwrap().map(|head| head.seq), Some(known as u64));
    let refused = |store: MemoryStore| match start(store).map(|app| app.stop()) {
        Err(StartError::Forked { log, reader, .. }) => {
            assert_eq!(log, community);
            assert!(reader.contains("main"), "{reader}");
        }
        other => panic!("{other:?}"),
    };
    for upto in [0, 1] {
        let store = MemoryStore::new();
        copy(&main, 1_000, &store);
        copy(&community, upto, &store);
        refused(store);
    }
    // As long as it was, and another event at the position that was taken over.
    let store = MemoryStore::new();
    copy(&main, 1_000, &store);
    copy(&community, 1, &store);
    let other = Fixture::start();
    market(&other).await;
    let raw = other.app.store.read(&community, 1, 1).unwrap().remove(0);
    let event = Recorded::open(&community, raw).unwrap();
    let head = store.head(&community).unwrap();
    let facts = Facts {
        actor: event.actor.clone(),
        key: event.key,
        correlation: event.correlation,
        causation: event.causation,
        source: None,
        trace: None,
        time: event.time + domain::time::Span::days(1),
        salt: [7; 16],
    };
    let event = Recorded::seal(&community, 1, &Head::link(head), event.event, facts);
    store.append(&community, head, &[event.raw]).unwrap();
    refused(store);

    for upto in [known, known + 1] {
        let store = MemoryStore::new();
        copy(&main, 1_000, &store);
        copy(&community, upto, &store);
        start(store).unwrap().stop();
    }
    let _ = std::fs::remove_dir_all(&folder);
}
