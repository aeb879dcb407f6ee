//! Mutations through the schema, over a house in memory.

use crate::app::{App, Parts};
use crate::auth::Viewer;
use crate::graphql;
use async_graphql::{EmptySubscription, Request, Schema, Variables};
use domain::actor::{Actor, Role};
use domain::command::rights;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId, Subject};
use projections::history::History;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use store::clock::SystemClock;
use store::folder::DataFolder;
use store::memory::MemoryStore;
use store::vault::Vault;
use store::writer::Settings;

type House = Schema<graphql::query::Query, graphql::mutation::Mutation, EmptySubscription>;

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
            public_url: "http://127.0.0.1:8080".into(),
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
        let (first, rest) = mutation.split_at(1);
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
            role => Viewer { actor: Actor::new(role, Some(&who.1)).expect("an actor"), expires_at: None },
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
    assert_eq!(question, r#"{"question":"Where is my card?","title":"Cards"}"#);
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

    let input = json!({ "callServer": "main", "locations": [{ "name": "Lisbon", "sessionLimit": 2 }] });
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
        "reviseOffer" => json!({ "offerId": "x", "expectedRevision": 1 }),
        "retireOffer" => json!({ "offerId": "x" }),
        "acceptOffer" => json!({ "offerId": "x", "channel": "MESSAGE" }),
        "registerAgent" => json!({ "displayName": "Ann", "callServer": "main", "location": "l", "skills": [] }),
        "updateAgent" => json!({ "agentId": "x" }),
        "setAgentStatus" => json!({ "status": "BREAK", "reason": "r" }),
        "declareQueue" => json!({ "callServer": "main", "topic": "t" }),
        "retireQueue" => json!({ "queueId": "x" }),
        "creditWallet" => json!({ "owner": "x", "amount": money, "reference": "r" }),
        "withdrawInquiry" => json!({ "inquiryId": "x" }),
        "placeBid" => json!({ "auctionId": "x", "amount": money }),
        "withdrawBid" => json!({ "bidId": "x" }),
        "viewReservation" | "acceptReservation" | "declineReservation" => json!({ "reservationId": "x" }),
        "sendMessage" => json!({ "sessionId": session, "channelId": "x", "text": "t" }),
        "endSession" | "completeWrapUp" => json!({ "sessionId": session }),
        "saveNotes" => json!({ "sessionId": session, "notes": "n" }),
        "extendWrapUp" => json!({ "sessionId": session, "by": "PT1M" }),
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
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{mutation} as {role:?}: {answer}");
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
