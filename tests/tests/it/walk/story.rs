//! The community that is walked: who is in it, what they do, and where its secrets come to stand.
//!
//! Each mutation is given as everywhere, and all of its payload is asked for and looked through, too.

use super::paths::{Schema, payloads};
use super::{Found, Ids, fill, place};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;
use tests::{Client, House, command, eventually, eventually_within, key, text};

/// The community, while it comes about.
pub(super) struct Story<'a> {
    pub(super) house: &'a House,
    pub(super) schema: Schema,
    pub(super) clients: Vec<Client>,
    pub(super) found: Vec<Found>,
    /// For each viewer and log a position from which its feeds can go on: the first that it was shown.
    pub(super) cursors: Vec<BTreeMap<String, String>>,
}

impl Story<'_> {
    /// Gives a mutation once, and asks for all of its payload by the same key. What the first answer had of it.
    fn give(&mut self, who: &str, mutation: &str, input: Value) -> Value {
        let viewer = place(who);
        let client = &mut self.clients[viewer];
        let of = self.schema.of("Mutation").fields.iter().find(|field| field.name == mutation).unwrap();
        let none = Ids::new();
        let (key, mut first) = (key(), Value::Null);
        for document in payloads(self.schema.beneath(&of.of, 2, &fill(&none))) {
            let (text, variables) = command(mutation, input.clone(), &key, &document.text);
            let answer = client.send(&text, variables).expect("the server answers");
            let payload = &answer["data"][mutation];
            assert!(answer["errors"].is_null() && payload["userErrors"] == json!([]), "{mutation}: {answer}");
            self.found[viewer].note(viewer, &answer, payload, &document);
            if first.is_null() {
                first = payload.clone();
            }
        }
        first
    }
    fn ask(&mut self, who: &str, document: &str, variables: Value) -> Value {
        self.clients[place(who)].ask(document, variables)
    }
    /// Of what happens from now on, at two addresses, one of which is gone.
    fn bank_is_told(&mut self) {
        let receiver = receiver();
        for name in ["hook-of-bank", "hook-of-bank-gone"] {
            let input = json!({"url": format!("{receiver}/{name}"), "types": ["offer.published.v1"]});
            self.give("bank", "createWebhook", input);
        }
        let auction =
            json!({"auction": {"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}});
        self.publish("bank", "cards/told", "PT10M", auction);
        let document = "{ viewer { provider { webhooks { disabledAt deliveries(first: 5) { edges { node { id lastStatus } } } } } } }";
        let hooks = eventually("both were tried", || {
            let seen = self.ask("bank", document, json!({}));
            let hooks = seen["viewer"]["provider"]["webhooks"].as_array()?.clone();
            let tried = |hook: &Value| hook["deliveries"]["edges"][0]["node"]["lastStatus"].is_number();
            (hooks.iter().all(tried) && hooks.iter().any(|hook| !hook["disabledAt"].is_null())).then_some(hooks)
        });
        // Deeper than the paths go: everybody is told of them here.
        let ids = hooks.iter().map(|hook| text(&hook["deliveries"]["edges"][0]["node"]["id"]));
        self.found[place("bank")].ids.entry("WebhookDelivery".to_owned()).or_default().extend(ids);
    }
    fn becomes(&mut self, who: &str, token: &str) {
        self.clients[place(who)] = self.house.client(token);
    }

    fn hire(&mut self, who: &str, name: &str, market: &str, skill: &str, money: &str) {
        let input = json!({"displayName": name, "callServer": market, "location": "home", "skills": [{"name": skill}]});
        let id = text(&self.give("operator", "registerAgent", input)["agent"]["id"]);
        self.credit(json!({"owner": id}), money);
        self.becomes(who, &self.house.token("agent", Some(&id)));
        self.give(who, "setAgentStatus", json!({"status": "AVAILABLE"}));
    }
    fn credit(&mut self, mut input: Value, money: &str) {
        input["amount"] = json!({"amount": money, "currency": "EUR"});
        input["reference"] = "first money".into();
        self.give("finance", "creditWallet", input);
    }
    fn publish(&mut self, who: &str, topic: &str, consent: &str, allocation: Value) -> Value {
        let input = json!({
            "title": "Help", "channels": ["MESSAGE", "TELEPHONE"], "links": [{"label": "Help", "topic": topic}],
            "requiredSkills": [{"name": topic.split('/').next()}], "shownBeforeConsent": ["tier"], "wrapUp": "PT5M",
            "consentWindow": consent, "validUntil": "2999-01-01T00:00:00Z", "terms": {"version": "1", "url": "https://bank.example/terms"}, "allocation": allocation,
        });
        self.give(who, "publishOffer", input)["offer"].clone()
    }
    /// By a link, with a question; the auction. A customer is new the first time, and known by its token from then on.
    fn accept(&mut self, who: &str, offer: &Value, question: &str, channel: &str, more: Value) -> String {
        let mut input = json!({"offerId": offer["id"], "linkId": offer["links"][0]["id"], "question": question, "channel": channel, "termsVersion": "1"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let accepted = self.give(who, "acceptOffer", input);
        if let Some(token) = accepted["customerToken"].as_str() {
            self.becomes(who, token);
        }
        let inquiry = accepted["inquiry"]["id"].clone();
        let seen =
            self.ask("operator", "query($id: ID!) { inquiry(id: $id) { auction { id } } }", json!({"id": inquiry}));
        self.note_cursors();
        text(&seen["inquiry"]["auction"]["id"])
    }
    fn note_cursors(&mut self) {
        const SHOWN: &str = "edges { node { feedCursor callServer { name } } }";
        let document = format!(
            "{{ inquiries(first: 8) {{ {SHOWN} }} queues(first: 8) {{ {SHOWN} }} agents(first: 8) {{ {SHOWN} }} }}"
        );
        for (client, cursors) in self.clients.iter_mut().zip(&mut self.cursors) {
            let seen = client.ask(&document, Value::Null);
            let lists = seen.as_object().unwrap().values();
            for node in lists.flat_map(|list| list["edges"].as_array().unwrap()).map(|edge| &edge["node"]) {
                if let (Some(log), Some(cursor)) = (node["callServer"]["name"].as_str(), node["feedCursor"].as_str()) {
                    cursors.entry(log.to_owned()).or_insert_with(|| cursor.to_owned());
                }
            }
        }
    }
    fn bid(&mut self, who: &str, auction: &str, amount: &str) {
        self.give(who, "placeBid", json!({"auctionId": auction, "amount": {"amount": amount, "currency": "EUR"}}));
    }
    /// Waits until an answer has this word.
    fn comes(&mut self, what: &str, who: &str, asked: &str, word: &str) {
        let document = format!("{{ {asked} }}");
        eventually(what, || self.ask(who, &document, json!({})).to_string().contains(word).then_some(()));
    }
    /// Ann is asked, looks, and consents: session and channel.
    fn consent(&mut self) -> (Value, Value) {
        let reservation = eventually("Ann is asked", || {
            let seen = self.ask("Ann", "{ viewer { agent { reservation { id } } } }", json!({}));
            Some(seen["viewer"]["agent"]["reservation"]["id"].clone()).filter(|id| !id.is_null())
        });
        self.give("Ann", "viewReservation", json!({"reservationId": reservation}));
        let session = self.give("Ann", "acceptReservation", json!({"reservationId": reservation}))["session"].clone();
        (session["id"].clone(), session["channels"][0]["id"].clone())
    }
    /// Ann hands her session over to Gus, whom nobody here watches, and Gus hands it back.
    fn handed_to_and_fro(&mut self, session: &Value) {
        let gus = json!({"displayName": "Gus of Gent", "callServer": "main", "location": "home", "skills": []});
        let gus = self.give("operator", "registerAgent", gus)["agent"]["id"].clone();
        let mut client = self.house.client(&self.house.token("agent", gus.as_str()));
        client.give("setAgentStatus", json!({"status": "AVAILABLE"}), "agent { id }");
        let ann = self.ask("Ann", "{ viewer { agent { id } } }", json!({}))["viewer"]["agent"]["id"].clone();
        let to = |agent: &Value| json!({"sessionId": session, "to": {"agentId": agent}, "note": "a word from one to the other"});
        let asked = self.give("Ann", "transferSession", to(&gus))["reservation"]["id"].clone();
        client.give("acceptReservation", json!({"reservationId": asked}), "session { id }");
        self.give("Ann", "completeWrapUp", json!({"sessionId": session}));
        let asked = client.give("transferSession", to(&ann), "reservation { id }")["reservation"]["id"].clone();
        self.give("Ann", "acceptReservation", json!({"reservationId": asked}));
        client.give("completeWrapUp", json!({"sessionId": session, "notes": "what Gus did"}), "session { id }");
    }
    /// Who has a strike wins twice more, and declines. Those who ask are nobody that is known, and go.
    fn is_barred(&mut self, agent: &str, offer: &Value) {
        self.give(agent, "setAgentStatus", json!({"status": "AVAILABLE"}));
        for _ in 0..2 {
            let link = &offer["links"][0]["id"];
            let input = json!({"offerId": offer["id"], "linkId": link, "channel": "MESSAGE", "termsVersion": "1"});
            let came = self.house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
            let of = "query($id: ID!) { inquiry(id: $id) { auction { id } } }";
            let seen = self.ask("operator", of, json!({"id": came["inquiry"]["id"]}));
            self.bid(agent, &text(&seen["inquiry"]["auction"]["id"]), "10.00");
            let asked = self.ask(agent, "{ viewer { agent { reservation { id } } } }", json!({}));
            let asked = asked["viewer"]["agent"]["reservation"]["id"].clone();
            self.give(agent, "declineReservation", json!({"reservationId": asked}));
            let mut customer = self.house.client(&text(&came["customerToken"]));
            customer.give("withdrawInquiry", json!({"inquiryId": came["inquiry"]["id"]}), "inquiry { id }");
        }
        self.give(agent, "setAgentStatus", json!({"status": "BREAK"}));
    }
    /// The instant of what was recorded last.
    fn now(&mut self) -> String {
        let last = "{ auditTrail(reverse: true, first: 1) { edges { node { at } } } }";
        let seen = self.ask("operator", last, json!({}));
        format!("point: {{at: \"{}\"}}", text(&seen["auditTrail"]["edges"][0]["node"]["at"]))
    }
}

fn customer(name: &str, address: &str, telephone: &str, tier: &str, iban: &str) -> Value {
    json!({"customer": {"displayName": name, "email": address, "phone": telephone, "attributes": {"tier": tier, "iban": iban}}})
}

/// Hears of deliveries, and takes none: what ends with `gone` is gone, the others fail. Its address.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut line = String::new();
            let _ = BufReader::new(&stream).read_line(&mut line);
            let status = if line.contains("gone ") { "410 Gone" } else { "500 Failed" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// Tells it all; moments to look back at.
pub(super) fn tell(story: &mut Story) -> Vec<String> {
    for (name, topic) in [("main", "cards"), ("other", "loans")] {
        let input = json!({"name": name, "topics": [topic], "languages": ["en"], "locations": [{"name": "home", "limit": "80.5", "trafficUnit": "Mbit/s", "sessionLimit": 100}]});
        story.give("operator", "openCallServer", input);
        let traffic = json!({"callServer": name, "location": "home", "traffic": "7.5", "validFor": "PT1H"});
        story.give("operator", "reportLocationTraffic", traffic);
    }
    let mut merged = Vec::new();
    for topic in ["cards/new", "cards/old", "cards/blue"] {
        let input = json!({"callServer": "main", "topic": topic, "requiredSkills": [{"name": "cards"}]});
        let queue = story.give("operator", "declareQueue", input)["queue"]["id"].clone();
        match topic {
            "cards/old" => drop(story.give("operator", "retireQueue", json!({"queueId": queue}))),
            "cards/blue" => merged.push(queue),
            _ => merged.insert(0, queue),
        }
    }
    story.give("operator", "mergeQueues", json!({"fromQueueIds": [merged[1]], "intoQueueId": merged[0]}));
    for (who, name) in [("bank", "Example Bank"), ("rival", "Rival House")] {
        let home = format!("https://{who}.example");
        let jwk =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": who, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let input = json!({"name": name, "homepage": home, "origins": [home], "customerKeys": [jwk]});
        let id = text(&story.give("operator", "registerProvider", input)["provider"]["id"]);
        story.becomes(who, &story.house.token("provider", Some(&id)));
        let money = if who == "bank" { "5019.41" } else { "6029.43" };
        story.credit(json!({"owner": id, "callServer": "main"}), money);
        // Nobody that is here works for bank.
        if who == "bank" {
            let agent = json!({"displayName": "Fay of Faro", "callServer": "main", "location": "home", "skills": [], "affiliatedWith": id});
            story.give("operator", "registerAgent", agent);
        }
    }
    let fee = json!({"commission": "15", "tax": "20", "taxRounding": "HALF_UP", "jurisdiction": "at", "validFrom": null, "returnWindow": "PT20S"});
    story.give("finance", "setFeeRule", fee);
    story.hire("Ann", "Ann of Ankara", "main", "cards", "1007.77");
    story.hire("Ben", "Ben of Berlin", "main", "cards", "2011.31");
    story.hire("Cat", "Cat of Cairo", "main", "cards", "3013.37");
    story.hire("Dan", "Dan of Dakar", "other", "loans", "4017.39");
    story.hire("Eve", "Eve of Essen", "other", "loans", "100.00");
    let rules = |format: &str, open_for: &str, reserve: &str, more: Value| {
        let mut rules = json!({"direction": "FORWARD", "format": format, "currency": "EUR", "openFor": open_for, "reserve": reserve, "reserveHidden": true});
        rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"auction": rules})
    };
    // A lone maximum that meets a hidden reserve lifts the price to it: that one is no secret.
    let increment = json!({"increment": [{"from": "0", "by": "0.50"}], "softClose": "PT1M", "hardClose": "PT2H", "startingPrice": "1.00"});
    let brief = story.publish("bank", "cards/lost", "PT10M", rules("SEALED_SECOND_PRICE", "PT1S", "4.11", json!({})));
    let open = story.publish("bank", "cards/lost", "PT10M", rules("OPEN", "PT1H", "4.11", json!({"buyNow": "29.00"})));
    let sealed = story.publish("bank", "cards/lost", "PT10M", rules("SEALED_FIRST_PRICE", "PT1H", "4.11", json!({})));
    let proxy = story.publish("bank", "cards/lost", "PT10M", rules("PROXY", "PT1H", "3.00", increment));
    let reverse = json!({"direction": "REVERSE", "startingPrice": "9.00"});
    let in_main = story.publish("rival", "cards/stolen", "PT10M", rules("OPEN", "PT1H", "7.19", reverse));
    let in_other =
        story.publish("rival", "loans/late", "PT10M", rules("SEALED_FIRST_PRICE", "PT1H", "6.13", json!({})));
    let lapses = rules("OPEN", "PT1H", "6.13", json!({"buyNow": "10.00"}));
    let lapses = story.publish("rival", "loans/late", "PT1S", lapses);
    let again = rules("OPEN", "PT1H", "6.13", json!({"buyNow": "10.00", "rounds": 1}));
    let again = story.publish("rival", "loans/late", "PT10M", again);
    let once = rules("OPEN", "PT1S", "6.13", json!({"rounds": 1}));
    let unsold = story.publish("rival", "loans/late", "PT10M", once);

    let carla = customer("Carla Carlsen", "carla@example.org", "+351210000001", "gold-of-carla", "iban-of-carla");
    let auction = story.accept("Carla", &brief, "Was there a card of Carla?", "MESSAGE", carla);
    story.bid("Ann", &auction, "23.29");
    story.bid("Ben", &auction, "19.31");
    let position = "{ auditTrail(filter: {log: \"main\"}, reverse: true, first: 1) { edges { node { seq } } } }";
    let position = text(&story.ask("operator", position, json!({}))["auditTrail"]["edges"][0]["node"]["seq"]);
    let mut moments = vec![format!("point: {{seq: {position:?}}}, log: \"main\"")];
    let (session, channel) = story.consent();
    story.give("Ann", "saveNotes", json!({"sessionId": session, "notes": "earlier-notes-of-ann"}));
    story.give("Ann", "sendMessage", json!({"sessionId": session, "channelId": channel, "text": "word-of-ann"}));
    story.handed_to_and_fro(&session);
    story.give("Carla", "endSession", json!({"sessionId": session}));
    let saved = json!({"sessionId": session, "notes": "record-notes-of-ann", "disposition": "disposition-of-ann", "information": {"is": "information-of-ann"}});
    story.give("Ann", "completeWrapUp", saved);

    let settled = "{ settlements(first: 1) { edges { node { id } } } }";
    let settled = eventually("Carla's is settled", || {
        let seen = story.ask("finance", settled, json!({}));
        Some(seen["settlements"]["edges"][0]["node"]["id"].clone()).filter(|id| !id.is_null())
    });
    let back = json!({"settlementId": settled, "amount": {"amount": "1.00", "currency": "EUR"}, "reason": "GOODWILL"});
    story.give("finance", "refundSettlement", back);
    story.bank_is_told();
    let content =
        json!({"content": {"url": "https://bank.example/cards", "title": "Cards", "excerpt": "excerpt-of-carla"}});
    let auction = story.accept("Carla", &open, "Where is the card of Carla?", "TELEPHONE", content);
    story.bid("Ben", &auction, "11.00");
    story.bid("Ann", &auction, "29.00");
    moments.push(story.now());
    let (session, channel) = story.consent();
    // She did not give her number again.
    let dialled = story.ask("Ann", "{ viewer { agent { sessions { channels { dial } } } } }", json!({}));
    assert_eq!(dialled["viewer"]["agent"]["sessions"][0]["channels"][0]["dial"], "+351210000001");
    story.give("Carla", "sendMessage", json!({"sessionId": session, "channelId": channel, "text": "word-of-carla"}));
    story.give("Ann", "saveNotes", json!({"sessionId": session, "notes": "notes-of-ann"}));

    let cora = customer("Cora Corelli", "cora@example.org", "+351210000002", "silver-of-cora", "iban-of-cora");
    let auction = story.accept("Cora", &sealed, "Where is the card of Cora?", "MESSAGE", cora);
    story.bid("Ben", &auction, "71.13");
    story.bid("Cat", &auction, "73.17");
    let auction = story.accept("Cora", &proxy, "Where is the card of Cora?", "TELEPHONE", json!({}));
    story.bid("Ben", &auction, "87.19");
    let zoe = customer("Zoe Zola", "zoe@example.org", "+351210000003", "bronze-of-zoe", "iban-of-zoe");
    let auction = story.accept("Zoe", &in_other, "Where is the loan of Zoe?", "MESSAGE", zoe);
    story.bid("Dan", &auction, "8.37");
    story.accept("Zoe", &in_main, "Where is the loan of Zoe?", "MESSAGE", json!({}));
    let auction = story.accept("Zoe", &unsold, "Where is the loan of Zoe?", "MESSAGE", json!({"language": "en"}));
    story.comes("Zoe's auction closes", "operator", &format!("auction(id: {auction:?}) {{ state }}"), "UNSOLD");
    let auction = story.accept("Zoe", &lapses, "Where is the loan of Zoe?", "MESSAGE", json!({}));
    story.bid("Eve", &auction, "7.00");
    story.bid("Dan", &auction, "10.00");
    let notices = "viewer { agent { notices(first: 5) { edges { node { kind } } } } }";
    story.comes("Dan's reservation lapses", "Dan", notices, "RESERVATION_LAPSED");
    let told = story.ask("Dan", "{ viewer { agent { notices(first: 1) { edges { node { id } } } } } }", json!({}));
    let told = told["viewer"]["agent"]["notices"]["edges"][0]["node"]["id"].clone();
    story.give("Dan", "readNotices", json!({"noticeId": told}));
    story.is_barred("Dan", &again);
    // Somebody of whom nothing is known is routed to the best agent of main, whose money the price is held of.
    let input = json!({"displayName": "Gil of Graz", "callServer": "main", "location": "home", "skills": [{"name": "cards", "level": 9}]});
    let gil = text(&story.give("operator", "registerAgent", input)["agent"]["id"]);
    story.credit(json!({"owner": gil}), "50.00");
    let available = json!({"agentId": gil, "status": "AVAILABLE"});
    story.give("operator", "setAgentStatus", available);
    let value = json!({"topic": "loans", "direction": "REVERSE", "value": {"amount": "3.17", "currency": "EUR"}, "validUntil": "2999-01-01T00:00:00Z"});
    story.give("Eve", "setStandingValue", value);
    let price = json!({"amount": "2.47", "currency": "EUR"});
    let routed = json!({"routed": {"direction": "FORWARD", "price": price, "policy": "BEST_SKILLED"}});
    let routed = story.publish("rival", "cards/stolen", "PT10M", routed);
    let input =
        json!({"offerId": routed["id"], "linkId": routed["links"][0]["id"], "channel": "MESSAGE", "termsVersion": "1"});
    story.house.client("").give("acceptOffer", input.clone(), "inquiry { id }");
    // The next has nobody left, and goes, and keeps its place.
    let away = story.house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    let mut customer = story.house.client(&text(&away["customerToken"]));
    customer.give("withdrawInquiry", json!({"inquiryId": away["inquiry"]["id"]}), "inquiry { id }");
    // Rival wants nothing more of either.
    story.give("rival", "blockCustomer", json!({"inquiryId": away["inquiry"]["id"]}));
    story.give("rival", "blockAgent", json!({"agentId": gil}));
    // Carla waits for Ann, who has served her before and is busy.
    let input = json!({"title": "Help", "channels": ["MESSAGE"], "links": [{"label": "Help", "topic": "cards/lost"}], "allocation": {"routed": {"policy": "LONGEST_IDLE"}}, "preferLastAgentFor": "PT10M"});
    let again = story.give("bank", "publishOffer", input)["offer"].clone();
    let input = json!({"offerId": again["id"], "linkId": again["links"][0]["id"], "channel": "MESSAGE"});
    story.give("Carla", "acceptOffer", input);
    // One that has hours, a minute a week, and an inquiry that waits for them.
    let monday = json!({"days": ["MONDAY"], "from": "00:00", "to": "00:01"});
    let hours = json!({"zone": "Europe/Vienna", "weekly": [monday], "closedOn": ["2030-01-07"]});
    let input = json!({"title": "Help", "channels": ["MESSAGE"], "links": [{"label": "Help", "topic": "cards/stolen"}], "relaxation": [{"after": "PT1H", "lowerLevels": 1}], "allocation": {"claim": {"price": {"amount": "1.13", "currency": "EUR"}}}, "hours": hours, "maxOpenInquiries": 9, "dailyBudget": {"amount": "90.00", "currency": "EUR"}});
    let seldom = story.give("rival", "publishOffer", input)["offer"].clone();
    let input = json!({"offerId": seldom["id"], "linkId": seldom["links"][0]["id"], "channel": "MESSAGE"});
    story.house.client("").give("acceptOffer", input.clone(), "inquiry { id }");
    // What Carla's earned bank is payable by now, and a part of it on its way.
    let earned = "{ accounts(first: 50) { edges { node { id payable { amount } } } } }";
    let account = eventually_within(Duration::from_secs(40), "a return window ends", || {
        let seen = story.ask("finance", earned, json!({}));
        let edges = seen["accounts"]["edges"].as_array()?.clone();
        edges
            .into_iter()
            .find(|edge| edge["node"]["payable"]["amount"] != "0.00")
            .map(|edge| edge["node"]["id"].clone())
    });
    let paid = json!({"accountId": account, "amount": {"amount": "1.00", "currency": "EUR"}});
    story.give("finance", "payOut", paid);
    // One whose customer is erased.
    let gone = story.house.client("").give("acceptOffer", input, "inquiry { id customer { id } }");
    let gone = json!({"customerId": gone["inquiry"]["customer"]["id"], "reason": "she asked for it"});
    story.give("operator", "eraseCustomer", gone);
    moments.push(story.now());
    moments
}
