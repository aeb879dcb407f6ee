//! The past over HTTP: a provider walks the audit trail of its inquiry and asks at each position how things stood.
//! They stood as the trail says, and after SIGKILL and a new start every answer is the same, byte for byte.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, eventually, text};

const TRAIL: &str = "query($id: ID!) { auditTrail(subject: $id, first: 100) {
    edges { node { log seq at type } } pageInfo { hasNextPage } } }";
const AS_OF: &str =
    "query($id: ID!, $seq: Seq!, $log: String!) { asOf(point: { seq: $seq }, log: $log) { log seq at inquiry(id: $id) {
  seq feedCursor state position expiresAt callServer { name head queueDepth } offer { revision state }
  queues { id seq depth } customer { displayName masked } customerInformation { requestedAt answeredAt outcome }
  auctions(first: 5) { edges { cursor node {
    seq state round opensAt closesAt serverNow price { amount } reserveMet bidCount winner { id }
    bids(first: 9) { edges { cursor node { id bidder amount { amount } state placedAt } } }
  } } }
  reservations(first: 5) { edges { node { id state attempt price { amount } agent { id displayName } } } }
  session { id state participants { customer leftAt agent { displayName } } }
  settlement { state price { amount } postings { account amount { amount } } }
  decisions(first: 10) { edges { node { kind rule chosen { __typename } excluded { reason count } } } }
} } }";

fn ask(client: &mut Client, variables: &Value) -> String {
    let body = json!({"query": AS_OF, "variables": variables}).to_string();
    let (status, text) = client.post(body.as_bytes(), "application/json").expect("the server answers");
    assert_eq!(status, 200, "{text}");
    text
}

/// The reservation that an agent is asked to consent to.
fn asked(client: &mut Client) -> Value {
    eventually("an agent is asked", || {
        let seen = client.ask("{ viewer { agent { reservation { id } } } }", json!({}));
        Some(seen["viewer"]["agent"]["reservation"]["id"].clone()).filter(|id| !id.is_null())
    })
}

/// What the trail says of the inquiry, event by event.
#[derive(Default)]
struct Told {
    state: Option<&'static str>,
    bids: u64,
    reservations: usize,
    settlement: Option<&'static str>,
}

impl Told {
    fn hear(&mut self, event: &str) {
        match event {
            "inquiry.registered.v1" => self.state = Some("QUEUED"),
            "auction.opened.v1" => self.state = Some("IN_AUCTION"),
            "auction.awarded.v1" | "reservation.declined.v1" | "reservation.accepted.v1" => self.state = Some("QUEUED"),
            "reservation.opened.v1" => {
                self.state = Some("RESERVED");
                self.reservations += 1;
            }
            "session.opened.v1" => self.state = Some("ENGAGED"),
            "session.ended.v1" => self.state = Some("WRAP_UP"),
            "inquiry.completed.v1" => self.state = Some("COMPLETED"),
            "auction.bid_placed.v1" => self.bids += 1,
            "settlement.escrowed.v1" => self.settlement = Some("ESCROWED"),
            "settlement.pending.v1" => self.settlement = Some("PENDING"),
            _ => {}
        }
    }
}

#[test]
fn a_provider_reads_its_inquirys_past_position_by_position_and_after_a_kill_the_same() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let rules = json!({"direction": "FORWARD", "format": "SEALED_FIRST_PRICE", "currency": "EUR", "reserve": "5.00", "openFor": "PT1S"});
    let offer = town.publish(rules, json!({"consentWindow": "PT1M", "wrapUp": "PT5M"}));
    let accepted = town.accept(&house, &offer);
    let inquiry = text(&accepted["inquiry"]["id"]);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    for (agent, amount) in [(0, "12.00"), (1, "10.00")] {
        town.bid(agent, &auction, amount);
    }
    let first = asked(&mut town.agents[0].1);
    town.agents[0].1.give("declineReservation", json!({"reservationId": first}), "reservation { state }");
    let agent = &mut town.agents[1].1;
    let second = asked(agent);
    let session =
        agent.give("acceptReservation", json!({"reservationId": second}), "session { id }")["session"].clone();
    agent.give("endSession", json!({"sessionId": session["id"]}), "session { state }");
    agent.give("completeWrapUp", json!({"sessionId": session["id"]}), "session { state }");

    let trail = town.provider.ask(TRAIL, json!({"id": inquiry}))["auditTrail"].clone();
    assert_eq!(trail["pageInfo"]["hasNextPage"], false);
    let (mut told, mut answers) = (Told::default(), Vec::new());
    for edge in trail["edges"].as_array().unwrap() {
        let [log, seq, at, event] = ["log", "seq", "at", "type"].map(|member| text(&edge["node"][member]));
        let request = json!({"id": inquiry, "log": log, "seq": seq});
        let answer = ask(&mut town.provider, &request);
        let seen: Value = serde_json::from_str(&answer).unwrap();
        let seen = &seen["data"]["asOf"];
        assert_eq!((&seen["log"], &seen["seq"], &seen["at"]), (&json!(log), &json!(seq), &json!(at)), "{answer}");
        told.hear(&event);
        let shown = &seen["inquiry"];
        assert_eq!(shown["state"], json!(told.state), "{event}: {answer}");
        if told.state.is_some() {
            let bids = &shown["auctions"]["edges"][0]["node"];
            let count = if bids.is_null() { 0 } else { bids["bidCount"].as_u64().unwrap() };
            assert_eq!(count, told.bids, "{event}: {answer}");
            assert_eq!(shown["reservations"]["edges"].as_array().unwrap().len(), told.reservations, "{event}");
            assert_eq!(shown["settlement"]["state"], json!(told.settlement), "{event}");
            assert_eq!(shown["callServer"]["head"], json!(seq), "{event}");
        }
        answers.push((request, answer));
    }
    assert_eq!((told.state, told.bids, told.reservations), (Some("COMPLETED"), 2, 2));
    let states: Vec<String> = answers
        .iter()
        .filter_map(|(_, answer)| {
            let answer: Value = serde_json::from_str(answer).unwrap();
            answer["data"]["asOf"]["inquiry"]["state"].as_str().map(str::to_owned)
        })
        .collect();
    for state in ["QUEUED", "IN_AUCTION", "RESERVED", "ENGAGED", "WRAP_UP", "COMPLETED"] {
        assert!(states.iter().any(|seen| seen == state), "{state} is never seen: {states:?}");
    }

    house.kill();
    let house = House::open(&data);
    let mut provider = town.provider.at(&house);
    for (request, before) in &answers {
        assert_eq!(&ask(&mut provider, request), before);
    }
    // Another's past is nobody's business.
    let mut stranger = house.client(&house.token("customer", Some(&domain::ids::CustomerId(1).to_string())));
    let (request, _) = answers.last().unwrap();
    let seen: Value = serde_json::from_str(&ask(&mut stranger, request)).unwrap();
    assert_eq!(seen["data"]["asOf"]["inquiry"], Value::Null);
}
