//! A day by a script, in a house that is killed at every command: once while the command is under way, once when it has
//! been answered. Whoever asks again under the same key gets the same, and in the evening everything is as in a house
//! that nobody killed: the same events about each inquiry and agent, the same states, messages and money.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use tests::{Client, House, Scratch, command, key, text};

/// What the day has named so far: ids, by the names that the script gives them.
type Names = BTreeMap<&'static str, String>;

struct Step {
    who: &'static str,
    mutation: &'static str,
    input: fn(&Names) -> Value,
    wanted: &'static str,
    /// Names and where they stand in the payload.
    learns: &'static [(&'static str, &'static str)],
}

const fn step(
    who: &'static str,
    mutation: &'static str,
    input: fn(&Names) -> Value,
    wanted: &'static str,
    learns: &'static [(&'static str, &'static str)],
) -> Step {
    Step { who, mutation, input, wanted, learns }
}

fn eur(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn offer(names: &Names, allocation: Value) -> Value {
    json!({
        "providerId": names["provider"], "title": "Help with cards", "channels": ["MESSAGE"], "wrapUp": "PT10M",
        "consentWindow": "PT10M", "links": [{"label": "I lost my card", "topic": "cards/lost"}], "allocation": allocation,
    })
}

fn acceptance(names: &Names, offer: &str) -> Value {
    json!({
        "offerId": names[offer], "channel": "MESSAGE", "question": "Where is my card?", "topics": ["cards/lost"],
        "customer": {"displayName": "Carla Customer"},
    })
}

fn agent(name: &str) -> Value {
    json!({"displayName": name, "callServer": "main", "location": "home", "skills": [{"name": "cards", "level": 2}]})
}

const OFFER: &[(&str, &str)] = &[("offer", "/offer/id")];
const CLAIMED: &str = "session { id channels { id } } inquiry { id }";

/// A claim, a routed inquiry that the first agent declines, and an auction that ends at its buy-now price; in the claimed
/// one a third agent joins, talks beside, and leaves.
const DAY: &[Step] = &[
    step("operator", "openCallServer", |_| json!({"name": "main", "topics": ["cards"]}), "callServer { id }", &[]),
    step(
        "operator",
        "registerProvider",
        |_| json!({"name": "Example Bank"}),
        "provider { id }",
        &[("provider", "/provider/id")],
    ),
    step("operator", "registerAgent", |_| agent("Ann"), "agent { id }", &[("ann", "/agent/id")]),
    step("operator", "registerAgent", |_| agent("Ben"), "agent { id }", &[("ben", "/agent/id")]),
    step(
        "finance",
        "creditWallet",
        |n| json!({"owner": n["ann"], "amount": eur("50.00"), "reference": "a"}),
        "account { id }",
        &[],
    ),
    step(
        "finance",
        "creditWallet",
        |n| json!({"owner": n["ben"], "amount": eur("50.00"), "reference": "b"}),
        "account { id }",
        &[],
    ),
    step(
        "operator",
        "declareQueue",
        |_| json!({"callServer": "main", "topic": "cards/lost"}),
        "queue { id }",
        &[("queue", "/queue/id")],
    ),
    step(
        "operator",
        "publishOffer",
        |n| offer(n, json!({"claim": {"price": eur("3.00"), "direction": "FORWARD"}})),
        "offer { id }",
        OFFER,
    ),
    step(
        "anonymous",
        "acceptOffer",
        |n| acceptance(n, "offer"),
        "inquiry { id } customerToken",
        &[("claimed", "/inquiry/id"), ("carla", "/customerToken")],
    ),
    step("ann", "setAgentStatus", |_| json!({"status": "AVAILABLE"}), "agent { id }", &[]),
    step(
        "ann",
        "claimInquiry",
        |n| json!({"inquiryId": n["claimed"]}),
        CLAIMED,
        &[("session", "/session/id"), ("main", "/session/channels/0/id")],
    ),
    step(
        "ann",
        "sendMessage",
        |n| json!({"sessionId": n["session"], "channelId": n["main"], "text": "Hello"}),
        "message { id }",
        &[],
    ),
    step("ben", "setAgentStatus", |_| json!({"status": "AVAILABLE"}), "agent { id }", &[]),
    step(
        "ann",
        "inviteAgent",
        |n| json!({"sessionId": n["session"], "agent": {"agentId": n["ben"]}}),
        "reservation { id }",
        &[("invitation", "/reservation/id")],
    ),
    step("ben", "acceptReservation", |n| json!({"reservationId": n["invitation"]}), "session { id }", &[]),
    step(
        "ann",
        "openSideChannel",
        |n| json!({"sessionId": n["session"], "agentId": n["ben"], "kind": "MESSAGE"}),
        "session { channels { id } }",
        &[("side", "/session/channels/1/id")],
    ),
    step(
        "ben",
        "sendMessage",
        |n| json!({"sessionId": n["session"], "channelId": n["side"], "text": "Psst"}),
        "message { id }",
        &[],
    ),
    step("ben", "leaveSession", |n| json!({"sessionId": n["session"]}), "session { id }", &[]),
    step(
        "carla",
        "sendMessage",
        |n| json!({"sessionId": n["session"], "channelId": n["main"], "text": "Thanks"}),
        "message { id }",
        &[],
    ),
    step("carla", "endSession", |n| json!({"sessionId": n["session"]}), "session { id }", &[]),
    step("ann", "saveNotes", |n| json!({"sessionId": n["session"], "notes": "blocked"}), "session { id }", &[]),
    step(
        "ann",
        "completeWrapUp",
        |n| json!({"sessionId": n["session"], "disposition": "solved"}),
        "session { id }",
        &[],
    ),
    step("operator", "publishOffer", |n| offer(n, json!({"routed": {}})), "offer { id }", OFFER),
    step(
        "anonymous",
        "acceptOffer",
        |n| acceptance(n, "offer"),
        "inquiry { id } customerToken",
        &[("routed", "/inquiry/id")],
    ),
];

/// What follows of the routed one depends on whom the platform asks first: whoever it is declines.
const ROUTED: &[Step] =
    &[step("first", "declineReservation", |n| json!({"reservationId": n["reservation"]}), "reservation { id }", &[])];
const THEN: &[Step] = &[
    step("first", "viewReservation", |n| json!({"reservationId": n["reservation"]}), "reservation { id }", &[]),
    step(
        "first",
        "acceptReservation",
        |n| json!({"reservationId": n["reservation"]}),
        CLAIMED,
        &[("session", "/session/id")],
    ),
    step("first", "endSession", |n| json!({"sessionId": n["session"]}), "session { id }", &[]),
    step("first", "completeWrapUp", |n| json!({"sessionId": n["session"]}), "session { id }", &[]),
    step(
        "operator",
        "publishOffer",
        |n| {
            offer(
                n,
                json!({"auction": {"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H", "buyNow": "9.00"}}),
            )
        },
        "offer { id }",
        OFFER,
    ),
    step(
        "anonymous",
        "acceptOffer",
        |n| acceptance(n, "offer"),
        "inquiry { id } customerToken",
        &[("auctioned", "/inquiry/id"), ("dora", "/customerToken")],
    ),
];
const BIDS: &[Step] = &[
    step("ann", "placeBid", |n| json!({"auctionId": n["auction"], "amount": eur("4.00")}), "bid { id }", &[]),
    step("ben", "placeBid", |n| json!({"auctionId": n["auction"], "amount": eur("9.00")}), "bid { id }", &[]),
];
const LAST: &[Step] = &[
    step(
        "ben",
        "acceptReservation",
        |n| json!({"reservationId": n["reservation"]}),
        CLAIMED,
        &[("session", "/session/id")],
    ),
    step("dora", "endSession", |n| json!({"sessionId": n["session"]}), "session { id }", &[]),
];

struct Story {
    house: Option<House>,
    scratch: Scratch,
    killed: bool,
    names: Names,
    tokens: BTreeMap<&'static str, String>,
}

impl Story {
    fn begin(killed: bool) -> Story {
        let scratch = Scratch::new();
        let house = House::open(&scratch.join("data"));
        let mut tokens = BTreeMap::from([("anonymous", String::new())]);
        for role in ["operator", "finance"] {
            tokens.insert(role, house.token(role, None));
        }
        Story { house: Some(house), scratch, killed, names: Names::new(), tokens }
    }

    fn house(&self) -> &House {
        self.house.as_ref().unwrap()
    }

    fn client(&mut self, who: &'static str) -> Client {
        let token = match self.tokens.get(who) {
            Some(token) => token.clone(),
            // Customers have theirs, agents are given one.
            None if ["carla", "dora"].contains(&who) => self.names[who].clone(),
            None => self.house().token("agent", Some(&self.names[who])),
        };
        self.tokens.insert(who, token.clone());
        self.house().client(&token)
    }

    fn dies_and_starts_again(&mut self) {
        self.house.take().unwrap().kill();
        self.house = Some(House::open(&self.scratch.join("data")));
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            let (key, input) = (key(), (step.input)(&self.names));
            if self.killed {
                let client = self.client(step.who);
                let (query, variables) = command(step.mutation, input.clone(), &key, step.wanted);
                self.send_and_forget(&client.token, &json!({"query": query, "variables": variables}).to_string());
                self.dies_and_starts_again();
            }
            let payload = self.client(step.who).give_keyed(step.mutation, input.clone(), &key, step.wanted);
            assert_eq!(payload["userErrors"], json!([]), "{}: {payload}", step.mutation);
            if self.killed {
                self.dies_and_starts_again();
                let again = self.client(step.who).give_keyed(step.mutation, input, &key, step.wanted);
                assert_eq!(again["replayed"], true, "{}: {again}", step.mutation);
                assert_eq!((&again["log"], &again["seq"]), (&payload["log"], &payload["seq"]), "{}", step.mutation);
                for (name, path) in step.learns.iter().filter(|(_, path)| *path != "/customerToken") {
                    assert_eq!(again.pointer(path), payload.pointer(path), "{}: {name}", step.mutation);
                }
            }
            for (name, path) in step.learns {
                self.names.insert(name, text(payload.pointer(path).unwrap_or_else(|| panic!("{path} in {payload}"))));
            }
        }
    }

    /// Nobody waits for the answer.
    fn send_and_forget(&self, token: &str, body: &str) {
        let address = self.house().address;
        let mut stream = TcpStream::connect(address).unwrap();
        let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{bearer}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
    }

    /// Who is asked about an inquiry now.
    fn asked(&mut self, inquiry: &'static str) {
        let document = "query($id: ID!) { inquiry(id: $id) { reservation { id state agent { id } } auction { id } } }";
        let id = self.names[inquiry].clone();
        let seen = self.client("operator").ask(document, json!({"id": id}))["inquiry"].clone();
        if let Some(auction) = seen["auction"]["id"].as_str() {
            self.names.insert("auction", auction.to_owned());
        }
        if seen["reservation"]["state"] == "PENDING" {
            self.names.insert("reservation", text(&seen["reservation"]["id"]));
            let agent = text(&seen["reservation"]["agent"]["id"]);
            self.names.insert("first", agent);
            self.tokens.remove("first");
        }
    }

    fn evening(&mut self) -> Value {
        self.run(DAY);
        self.asked("routed");
        self.run(ROUTED);
        self.asked("routed");
        self.run(THEN);
        self.asked("auctioned");
        self.run(BIDS);
        self.asked("auctioned");
        self.run(LAST);
        let mut seen = serde_json::Map::new();
        let trail = "query($id: ID, $after: Cursor) { auditTrail(subject: $id, first: 100, after: $after) { edges { node { type role } } pageInfo { hasNextPage endCursor } } }";
        for name in ["claimed", "routed", "auctioned", "ann", "ben", "provider", "queue"] {
            let id = self.names[name].clone();
            seen.insert(name.to_owned(), self.client("operator").pages("auditTrail", trail, json!({"id": id})).into());
        }
        let state = "query($id: ID!) { inquiry(id: $id) { state topics auction { state bidCount price { amount } } session { state endedBy channels { kind purpose state } } settlement { state price { amount } postings { account amount { amount } rule } } } }";
        for name in ["claimed", "routed", "auctioned"] {
            let id = self.names[name].clone();
            seen.insert(format!("{name}: state"), self.client("finance").ask(state, json!({"id": id})));
        }
        let agent = "{ viewer { agent { status statusReason load wallets { balance { amount } held { amount } } notices(first: 20) { edges { node { kind } } } } } }";
        for name in ["ann", "ben"] {
            seen.insert(format!("{name}: state"), self.client(name).ask(agent, json!({})));
        }
        plain(&Value::Object(seen))
    }
}

/// Without what differs from house to house: ids stand for their kinds.
fn plain(value: &Value) -> Value {
    let is_id = |part: &str| {
        part.len() > 20 && part.get(3..4) == Some("_") && part.bytes().skip(4).all(|c| c.is_ascii_alphanumeric())
    };
    match value {
        Value::String(text) => {
            text.split(':').map(|part| if is_id(part) { &part[..3] } else { part }).collect::<Vec<_>>().join(":").into()
        }
        Value::Array(all) => all.iter().map(plain).collect(),
        Value::Object(all) => Value::Object(all.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        other => other.clone(),
    }
}

#[test]
fn a_day_in_a_house_that_is_killed_at_every_command_ends_as_any_other() {
    let whole = Story::begin(false).evening();
    let killed = Story::begin(true).evening();
    assert_eq!(tests::differences(&whole, &killed), Vec::<String>::new());
}
