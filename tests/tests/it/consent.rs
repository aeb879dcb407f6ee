//! Before consent the wire carries neither what the customer asked nor how to reach it: looked for in the bytes of
//! every answer and feed item that the selected agent can ask for. Then the chain of those who do not consent.

use serde_json::{Value, json};
use std::time::Duration;
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, eventually, eventually_within, text};

/// What only the customer, and who has consented, may read. No part of an id, a time or a word of the house.
const SECRETS: [&str; 6] = ["wallet-in-the-tram", "Carlotta", "Quasimodo", "carla.q", "+43 660 7731", "AT61-QUASI"];
/// What the offer shows before consent.
const SHOWN: &str = "golden-tier";

const ALL_OF_AN_INQUIRY: &str = "id state question position topics language content { url title excerpt } \
    customer { id displayName email phone attributes masked since \
        records(first: 5) { edges { node { id at topics notes disposition information } } } } \
    customerInformation { outcome customer { displayName email phone attributes } } \
    reservation { id state note } session { id notes } decisions(first: 20) { edges { node { kind rule } } }";

/// Everything that an agent can ask about an inquiry, as the bytes that came.
fn asked_everywhere(client: &mut Client, inquiry: &str, reservation: &str, queue: &str) -> Vec<String> {
    let all = ALL_OF_AN_INQUIRY;
    let trail = |subject: &str| {
        format!("{{ auditTrail({subject}first: 100) {{ edges {{ node {{ type subjects actor data redacted }} }} }} }}")
    };
    let documents = [
        format!("{{ inquiry(id: \"{inquiry}\") {{ {all} }} }}"),
        format!("{{ node(id: \"{reservation}\") {{ ... on Reservation {{ inquiry {{ {all} }} }} }} }}"),
        format!("{{ viewer {{ agent {{ reservations {{ inquiry {{ {all} }} }} }} }} }}"),
        format!(
            "{{ viewer {{ agent {{ notices(first: 5) {{ edges {{ node {{ kind reservation {{ inquiry {{ {all} }} }} }} }} }} }} }} }}"
        ),
        format!("{{ queue(id: \"{queue}\") {{ inquiries(first: 5) {{ edges {{ node {{ {all} }} }} }} }} }}"),
        format!("{{ inquiries(first: 5) {{ edges {{ node {{ {all} }} }} }} }}"),
        trail(&format!("subject: \"{inquiry}\", ")),
        trail(&format!("subject: \"{reservation}\", ")),
        trail(""),
    ];
    let answer = |document: &String| {
        let body = json!({"query": document}).to_string();
        let (status, answer) = client.post(body.as_bytes(), "application/json").expect("the house answers");
        assert!(status == 200 && !answer.contains("\"errors\""), "{status} {answer} to {document}");
        answer
    };
    documents.iter().map(answer).collect()
}

fn tells_nothing(what: &str, bytes: &str) {
    for secret in SECRETS {
        assert!(!bytes.contains(secret), "{what} carries {secret}: {bytes}");
    }
}

fn reservation(client: &mut Client) -> Option<String> {
    let seen = client.ask("{ viewer { agent { reservation { id } } } }", json!({}));
    seen["viewer"]["agent"]["reservation"]["id"].as_str().map(str::to_owned)
}

fn notices(client: &mut Client) -> Vec<(String, Option<String>)> {
    let seen = client
        .ask("{ viewer { agent { notices(first: 50) { edges { node { kind secondAgent { id } } } } } } }", json!({}));
    let edges = seen["viewer"]["agent"]["notices"]["edges"].as_array().unwrap();
    edges
        .iter()
        .map(|edge| (text(&edge["node"]["kind"]), edge["node"]["secondAgent"]["id"].as_str().map(str::to_owned)))
        .collect()
}

#[test]
fn before_consent_no_byte_tells_what_was_asked_nor_by_whom_and_nobody_consents_in_the_end() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT2S", "rounds": 1});
    let offer = town.publish(auction, json!({"consentWindow": "PT4S", "shownBeforeConsent": ["tier"]}));
    let feed = "subscription { agentFeed { kind reservation { id inquiry { question customer { displayName email phone attributes masked }} } notice { kind } } }";
    let mut told = Sse::open(&house, &town.agents[1].1.token.clone(), feed, json!({}));
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE",
        "question": "I left my wallet-in-the-tram, and now?",
        "customer": {"displayName": "Carlotta Quasimodo", "email": "carla.q@example.org", "phone": "+43 660 7731",
            "attributes": {"tier": SHOWN, "iban": "AT61-QUASI"}}});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    let inquiry = text(&accepted["inquiry"]["id"]);
    let seen = town
        .operator
        .ask("query($id: ID!) { inquiry(id: $id) { auction { id } queues { id } } }", json!({"id": inquiry}));
    let (auction, queue) = (text(&seen["inquiry"]["auction"]["id"]), text(&seen["inquiry"]["queues"][0]["id"]));
    town.bid(0, &auction, "5.00");
    town.bid(1, &auction, "7.00");

    // The winner is asked: it sees an initial and what the offer shows, and not a byte more.
    let first =
        eventually_within(Duration::from_secs(20), "the winner is asked", || reservation(&mut town.agents[1].1));
    let answers = asked_everywhere(&mut town.agents[1].1, &inquiry, &first, &queue);
    assert!(answers[0].contains(SHOWN) && answers[0].contains("C."), "{}", answers[0]);
    for answer in &answers {
        tells_nothing("an answer to the selected agent", answer);
    }
    // Nor does anybody's who is not selected, nor the feed of who is.
    for answer in asked_everywhere(&mut town.agents[0].1, &inquiry, &first, &queue) {
        tells_nothing("an answer to a rival", &answer);
    }
    let mut items = Vec::new();
    while items.last().is_none_or(|item: &Value| item["kind"] != "RESERVATION_ENDED") {
        let item = told.item();
        tells_nothing("an item of agentFeed", &item.to_string());
        items.push(item);
    }
    assert!(items.iter().any(|item| item["kind"] == "RESERVATION_OPENED"), "{items:?}");

    // It let it lapse: BREAK, and told who is asked now. The second does not consent either, and nobody is left.
    let ids: Vec<String> = town.agents.iter().map(|(id, _)| id.clone()).collect();
    let second = eventually("the second is asked", || reservation(&mut town.agents[0].1));
    assert!(notices(&mut town.agents[1].1).contains(&("RESERVATION_LAPSED".into(), Some(ids[0].clone()))));
    assert!(notices(&mut town.agents[0].1).iter().any(|(kind, _)| kind == "SECOND_AGENT_SELECTED"));
    for answer in asked_everywhere(&mut town.agents[1].1, &inquiry, &first, &queue) {
        tells_nothing("an answer to who has let it lapse", &answer);
        assert!(!answer.contains(SHOWN), "it sees the customer no more: {answer}");
    }
    for answer in asked_everywhere(&mut town.agents[0].1, &inquiry, &second, &queue) {
        tells_nothing("an answer to the second agent", &answer);
    }
    let state = |town: &mut Town| {
        let seen = town.operator.ask("query($id: ID!) { inquiry(id: $id) { state position } }", json!({"id": inquiry}));
        (text(&seen["inquiry"]["state"]), seen["inquiry"]["position"].clone())
    };
    eventually_within(Duration::from_secs(20), "it is back at its place", || {
        (state(&mut town) == ("QUEUED".into(), json!(1))).then_some(())
    });
    let kept: Vec<_> = (0..2).map(|at| notices(&mut town.agents[at].1)).collect();
    assert!(kept[0].contains(&("RESERVATION_LAPSED".into(), None)), "nobody is left to ask: {:?}", kept[0]);
    for at in 0..2 {
        let seen = town.agents[at].1.ask("{ viewer { agent { status statusReason } } }", json!({}));
        assert_eq!(seen["viewer"]["agent"], json!({"status": "BREAK", "statusReason": "LAPSED"}));
    }

    // Notices are there for who comes back later, and after the house was killed.
    house.kill();
    let house = House::open(&scratch.join("data"));
    town.move_to(&house);
    for ((_, agent), kept) in town.agents.iter_mut().zip(&kept) {
        assert_eq!(&notices(agent), kept);
    }
}
