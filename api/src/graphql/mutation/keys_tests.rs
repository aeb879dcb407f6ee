//! Every mutation, done once: whoever is told that it is done has a place in a log for it, and a key that answers
//! with it again. Also where it asks for what is so already; where it asks for nothing, it is refused.

use crate::graphql::testing::{House, Market, Who, market, text, who};
use domain::actor::Role;
use domain::command::rights;
use domain::time::Span;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// A house, and the mutations that were done in it.
struct Table {
    house: House,
    market: Market,
    done: BTreeSet<String>,
}

impl Table {
    fn key(&self) -> String {
        format!("fedcba9876543210{:016x}", self.house.keys.fetch_add(1, Ordering::Relaxed))
    }

    async fn send(&self, who: &Who, mutation: &str, input: &Value, fields: &str) -> Value {
        let named = match mutation {
            // These share their input.
            "rotateWebhookSecret" | "deleteWebhook" => "webhookAction",
            other => other,
        };
        let (first, rest) = named.split_at(1);
        let document = format!(
            "mutation($input: {}{rest}Input!) {{ it: {mutation}(input: $input) {{
                {fields} log seq replayed userErrors {{ __typename code message field }} }} }}",
            first.to_uppercase()
        );
        self.house.ask(who, &document, json!({ "input": input })).await["it"].take()
    }

    /// Done, and done again under the same key.
    async fn does(&mut self, who: &Who, mutation: &str, mut input: Value, fields: &str) -> Value {
        input["idempotencyKey"] = self.key().into();
        let first = self.send(who, mutation, &input, fields).await;
        assert_eq!(first["userErrors"], json!([]), "{mutation}: {first}");
        assert_eq!(first["replayed"], false, "{mutation}: {first}");
        assert!(first["seq"].is_string() && first["log"].is_string(), "{mutation} has no place: {first}");
        let again = self.send(who, mutation, &input, fields).await;
        assert_eq!(again["replayed"], true, "{mutation} is done twice under one key: {again}");
        assert_eq!((&again["log"], &again["seq"]), (&first["log"], &first["seq"]), "{mutation}");
        self.done.insert(mutation.to_owned());
        first
    }

    /// Refused for naming nothing, which takes no key: the same key then does something.
    async fn does_nothing(&mut self, who: &Who, mutation: &str, mut input: Value, change: Value) {
        input["idempotencyKey"] = self.key().into();
        let refused = self.send(who, mutation, &input, "").await;
        let error = &refused["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID"), &Value::Null), "{mutation}: {refused}");
        assert_eq!((&refused["log"], &refused["seq"]), (&Value::Null, &Value::Null));
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let done = self.send(who, mutation, &input, "").await;
        assert!(done["seq"].is_string() && done["replayed"] == false, "{mutation}: {done}");
    }

    /// What a webhook is to tell, once that is planned.
    async fn delivery(&self, who: &Who, webhook: &str) -> String {
        let document =
            "query($id: ID!) { node(id: $id) { ... on Webhook { deliveries(first: 1) { edges { node { id } } } } } }";
        let mut moved = self.house.app.board.moved();
        loop {
            let found = self.house.ask(who, document, json!({ "id": webhook })).await;
            if let Some(id) = found["node"]["deliveries"]["edges"][0]["node"]["id"].as_str() {
                return id.to_owned();
            }
            moved.changed().await.unwrap();
        }
    }
}

fn id(answer: &Value, of: &str) -> String {
    text(&answer[of]["id"])
}

#[tokio::test]
async fn an_accepted_mutation_has_a_place_in_a_log_and_takes_its_key() {
    let house = House::start();
    let market = market(&house, "SEALED_SECOND_PRICE").await;
    let mut table = Table { house, market, done: BTreeSet::new() };
    let (operator, finance, nobody) = (who(Role::Operator), who(Role::Finance), who(Role::Anonymous));
    let (provider, customer) = (table.market.provider.clone(), table.market.customer.clone());
    let [ann, ben] = [0, 1].map(|at| table.market.agents[at].clone());

    // The community.
    let input = json!({ "name": "second", "topics": [] });
    table.does(&operator, "openCallServer", input, "callServer { id }").await;
    let other = json!({ "callServer": "second" });
    table.does_nothing(&operator, "updateCallServer", other.clone(), json!({ "topics": ["loans"] })).await;
    table.does_nothing(&operator, "updateCallServer", other, json!({ "default": false, "languages": ["en"] })).await;
    let input = json!({ "callServer": "second", "topics": ["loans"] });
    table.does(&operator, "updateCallServer", input, "callServer { id }").await;
    let input = json!({ "callServer": "second", "locations": [{ "name": "Lisbon", "sessionLimit": 3 }] });
    table.does(&operator, "updateCallServer", input, "callServer { id }").await;
    let input = json!({ "callServer": "second", "location": "Lisbon", "traffic": "7.5" });
    table.does(&operator, "reportLocationTraffic", input, "callServer { locations { traffic } }").await;
    let registered = table.does(&operator, "registerProvider", json!({ "name": "Shop" }), "provider { id }").await;
    let shop = json!({ "providerId": id(&registered, "provider") });
    table.does_nothing(&operator, "updateProvider", shop.clone(), json!({ "name": "Shop" })).await;
    let input = json!({ "providerId": shop["providerId"], "name": "Shop" });
    table.does(&operator, "updateProvider", input, "provider { id }").await;
    let input = json!({ "displayName": "Cat", "callServer": "main", "location": "l", "skills": [] });
    let cat = id(&table.does(&operator, "registerAgent", input, "agent { id }").await, "agent");
    table.does_nothing(&operator, "updateAgent", json!({ "agentId": cat }), json!({ "capacity": 1 })).await;
    table.does(&operator, "updateAgent", json!({ "agentId": cat, "capacity": 1 }), "agent { id }").await;
    let input = json!({ "callServer": "main", "topic": "loans" });
    let queue = id(&table.does(&operator, "declareQueue", input, "queue { id }").await, "queue");
    let input = json!({ "callServer": "main", "topic": "credit" });
    let merged = id(&table.does(&operator, "declareQueue", input, "queue { id }").await, "queue");
    let input = json!({ "fromQueueIds": [merged], "intoQueueId": queue });
    table.does(&operator, "mergeQueues", input, "queue { id }").await;
    table.does(&operator, "retireQueue", json!({ "queueId": queue }), "queue { id }").await;
    let input = json!({ "owner": cat, "amount": { "amount": "5", "currency": "EUR" }, "reference": "r" });
    table.does(&finance, "creditWallet", input, "account { id }").await;
    table.does(&finance, "setFeeRule", json!({ "commission": "10", "tax": "0" }), "feeRule { number }").await;

    // What is so already is recorded again. Under its first key a status never comes back.
    let available = json!({ "status": "AVAILABLE" });
    let since = "query($id: ID!) { agent(id: $id) { status statusSince } }";
    let before = table.house.ask(&ann, since, json!({ "id": ann.1 })).await;
    table.does(&ann, "setAgentStatus", available.clone(), "agent { id }").await;
    assert_eq!(table.house.ask(&ann, since, json!({ "id": ann.1 })).await, before, "nothing became another");
    let mut asked = available;
    asked["idempotencyKey"] = table.key().into();
    assert_eq!(table.send(&ben, "setAgentStatus", &asked, "").await["replayed"], false);
    table.does(&ben, "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    assert_eq!(table.send(&ben, "setAgentStatus", &asked, "").await["replayed"], true, "a late retry");
    let shown = table.house.ask(&ben, since, json!({ "id": ben.1 })).await;
    assert_eq!(shown["agent"]["status"], "BREAK", "which undoes nothing");
    asked["status"] = "OFFLINE".into();
    let conflict = table.send(&ben, "setAgentStatus", &asked, "").await;
    assert_eq!(conflict["userErrors"][0]["__typename"], "IdempotencyConflict", "{conflict}");
    table.does(&ben, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;

    // A webhook, from which nobody hears anything: nobody listens there.
    let input = json!({ "url": "http://127.0.0.1:9/", "types": ["offer.published.v1"] });
    let webhook = id(&table.does(&provider, "createWebhook", input, "webhook { id }").await, "webhook");

    // An offer from publication to retirement.
    let rules = json!({ "direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT60S" });
    let input = json!({ "title": "t", "links": [{ "label": "Loans", "topic": "loans" }], "channels": ["MESSAGE"], "allocation": { "auction": rules } });
    let offer = id(&table.does(&provider, "publishOffer", input, "offer { id }").await, "offer");
    let revise = |revision: u32| json!({ "offerId": offer, "expectedRevision": revision });
    table.does_nothing(&provider, "reviseOffer", revise(1), json!({ "title": "t" })).await;
    // Its title is "t" already, so its terms kept their number.
    let input = json!({ "offerId": offer, "expectedRevision": 1, "title": "u" });
    table.does(&provider, "reviseOffer", input, "offer { id }").await;
    let input = json!({ "offerId": offer, "question": "?", "channel": "MESSAGE" });
    let asked = id(&table.does(&nobody, "acceptOffer", input, "inquiry { id }").await, "inquiry");
    let input = json!({ "offerId": offer, "topic": "loans", "channel": "MESSAGE", "message": "Hello" });
    let started = id(&table.does(&operator, "startInquiry", input, "inquiry { id }").await, "inquiry");
    table.does(&operator, "withdrawInquiry", json!({ "inquiryId": started }), "inquiry { id }").await;
    table.does(&operator, "withdrawInquiry", json!({ "inquiryId": asked }), "inquiry { id }").await;
    let input = json!({ "offerId": offer, "question": "?", "channel": "MESSAGE" });
    let own = id(&table.does(&customer, "acceptOffer", input, "inquiry { id }").await, "inquiry");
    table.does(&customer, "withdrawInquiry", json!({ "inquiryId": own }), "inquiry { id }").await;
    table.does(&customer, "resumeInquiry", json!({ "inquiryId": own }), "inquiry { id }").await;
    table.does(&provider, "pauseOffer", json!({ "offerId": offer }), "offer { id }").await;
    table.does(&provider, "resumeOffer", json!({ "offerId": offer }), "offer { id }").await;
    table.does(&provider, "retireOffer", json!({ "offerId": offer }), "offer { id }").await;
    let told = table.delivery(&provider, &webhook).await;
    table.does(&provider, "redeliverWebhook", json!({ "deliveryId": told }), "webhook { id }").await;
    table.does(&provider, "rotateWebhookSecret", json!({ "webhookId": webhook }), "webhook { id }").await;

    // An inquiry from bid to record.
    let auction = table.market.auction.clone();
    let bid = |amount: &str| json!({ "auctionId": auction, "amount": { "amount": amount, "currency": "EUR" } });
    table.does(&ann, "placeBid", bid("8"), "bid { id }").await;
    let withdrawn = id(&table.does(&ben, "placeBid", bid("9"), "bid { id }").await, "bid");
    table.does(&ben, "withdrawBid", json!({ "bidId": withdrawn }), "bid { id }").await;
    table.does(&ben, "placeBid", bid("7"), "bid { id }").await;
    table.house.close(&table.market).await;
    let input = json!({ "reservationId": table.house.pending(&ann).await });
    table.does(&ann, "declineReservation", input, "reservation { id }").await;
    // It had won, so there is a strike to forgive.
    let input = json!({ "agentId": ann.1, "reason": "It was asked by mistake." });
    table.does(&operator, "forgiveStrikes", input, "agent { strikes { at } }").await;
    let reservation = table.house.pending(&ben).await;
    let input = json!({ "reservationId": reservation });
    let viewed = "query($id: ID!) { node(id: $id) { ... on Reservation { informationViewedAt } } }";
    table.does(&ben, "viewReservation", input.clone(), "reservation { id }").await;
    let first = table.house.ask(&ben, viewed, json!({ "id": reservation })).await;
    assert!(first["node"]["informationViewedAt"].is_string(), "{first}");
    table.does(&ben, "viewReservation", input.clone(), "reservation { id }").await;
    assert_eq!(table.house.ask(&ben, viewed, json!({ "id": reservation })).await, first, "the first time counts");
    let fields = "session { id channels { id } }";
    let opened = table.does(&ben, "acceptReservation", input, fields).await;
    let session = id(&opened, "session");
    let input = json!({ "sessionId": session, "channelId": opened["session"]["channels"][0]["id"], "text": "hello" });
    table.does(&customer, "sendMessage", input, "message { id }").await;
    table.does(&ben, "saveNotes", json!({ "sessionId": session, "notes": "n" }), "session { id }").await;
    let invite = json!({ "sessionId": session, "agent": { "agentId": ann.1 } });
    let asked = id(&table.does(&ben, "inviteAgent", invite.clone(), "reservation { id }").await, "reservation");
    table.does(&ben, "rescindReservation", json!({ "reservationId": asked }), "reservation { id }").await;
    let asked = id(&table.does(&ben, "inviteAgent", invite, "reservation { id }").await, "reservation");
    table.does(&ann, "acceptReservation", json!({ "reservationId": asked }), "session { id }").await;
    let input = json!({ "sessionId": session, "agentId": ann.1, "kind": "TELEPHONE" });
    let opened = table.does(&ben, "openSideChannel", input, "session { channels { id } }").await;
    let side = opened["session"]["channels"][1]["id"].clone();
    table.does(&ann, "reportChannel", json!({ "channelId": side, "report": "CONNECTED" }), "session { id }").await;
    table.does(&ann, "closeChannel", json!({ "channelId": side }), "session { id }").await;
    let input = json!({ "sessionId": session, "to": { "agentId": ann.1 } });
    table.does(&ben, "transferSession", input, "reservation { id }").await;
    table.does(&ann, "leaveSession", json!({ "sessionId": session }), "session { id }").await;
    table.does(&customer, "endSession", json!({ "sessionId": session }), "session { id }").await;
    table.does(&ben, "extendWrapUp", json!({ "sessionId": session, "by": "PT1M" }), "session { id }").await;
    table.does(&ben, "completeWrapUp", json!({ "sessionId": session }), "session { id }").await;
    let settled = "{ settlements(first: 1) { edges { node { id } } } }";
    let settled = table.house.ask(&finance, settled, json!({})).await;
    let settlement = &settled["settlements"]["edges"][0]["node"]["id"];
    let input =
        json!({ "settlementId": settlement, "amount": { "amount": "1", "currency": "EUR" }, "reason": "POOR_QUALITY" });
    table.does(&finance, "refundSettlement", input, "settlement { left { amount } }").await;

    table.does(&provider, "deleteWebhook", json!({ "webhookId": webhook }), "webhook { id }").await;
    let value = json!({ "topic": "cards", "direction": "FORWARD", "value": { "amount": "1", "currency": "EUR" } });
    let told =
        table.house.ask(&ann, "{ viewer { agent { notices(first: 1) { edges { node { id } } } } } }", json!({})).await;
    let notice = json!({ "noticeId": told["viewer"]["agent"]["notices"]["edges"][0]["node"]["id"] });
    table.does(&ann, "readNotices", notice, "agent { unreadNotices }").await;
    table.does(&ann, "setStandingValue", value, "agent { standingValues { topic } }").await;

    let block = json!({ "agentId": ann.1 });
    table.does(&provider, "blockAgent", block.clone(), "block { agent { id } blockedAt }").await;
    table.does(&provider, "unblockAgent", block, "block { blockedAt }").await;

    // One that an agent selects itself.
    let input = json!({ "title": "c", "links": [{ "label": "Cards", "topic": "cards" }], "channels": ["MESSAGE"], "allocation": { "claim": { "direction": "REVERSE", "price": { "amount": "2", "currency": "EUR" } } } });
    let claimed = table.does(&provider, "publishOffer", input, "offer { id links { id } }").await;
    let link = &claimed["offer"]["links"][0]["id"];
    let input = json!({ "offerId": claimed["offer"]["id"], "linkId": link, "channel": "MESSAGE" });
    let asked = id(&table.does(&nobody, "acceptOffer", input, "inquiry { id }").await, "inquiry");
    table.does(&ann, "claimInquiry", json!({ "inquiryId": asked }), "session { id }").await;
    table.does(&ann, "confirmTopics", json!({ "inquiryId": asked, "topics": ["cards"] }), "inquiry { topics }").await;

    let block = json!({ "inquiryId": asked });
    table.does(&ann, "blockCustomer", block.clone(), "block { customer { id } inquiry { id } blockedAt }").await;
    table.does(&ann, "unblockCustomer", block, "block { blockedAt }").await;

    // The provider has earned what Ben paid, and owes what Ann is paid.
    table.house.pass(Span::days(2));
    table.house.tell(&ben, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    let own = "query($id: ID!) { accounts(ownerId: $id, first: 2) { edges { node { id } } } }";
    let seen = table.house.ask(&finance, own, json!({ "id": provider.1 })).await;
    let account = seen["accounts"]["edges"][0]["node"]["id"].clone();
    let input = json!({ "accountId": account, "amount": { "amount": "0.5", "currency": "EUR" } });
    let out = table.does(&finance, "payOut", input, "payout { id reference }").await;
    let input = json!({ "accountId": account, "payoutId": out["payout"]["id"], "reason": "AC04" });
    table.does(&finance, "returnPayout", input, "account { payable { amount } }").await;
    table.does(&finance, "netPayable", json!({ "accountId": account }), "account { balance { amount } }").await;

    table.does(&operator, "eraseCustomer", json!({ "customerId": customer.1 }), "customer { erasedAt }").await;

    let all: BTreeSet<String> = rights::ALL.iter().map(|(mutation, _)| (*mutation).to_owned()).collect();
    assert_eq!(table.done, all, "every mutation is in this table");
}
