//! Who served a customer last is asked first when it comes again, and waited for while it is busy, over HTTP.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, eventually, key, text};

const ASKED: &str = "{ viewer { agent { reservation { id inquiry { id } } } } }";
const SEEN: &str = "query($id: ID!) { inquiry(id: $id) { state preferredAgent { id displayName } preferredUntil
    customerInformation { outcome } reservation { agent { id } }
    decisions(first: 20) { edges { node { kind rule excluded { reason count } } } } } }";

/// What the agent is asked about.
fn asked(client: &mut Client) -> Option<(String, String)> {
    let asked = client.ask(ASKED, json!({}))["viewer"]["agent"]["reservation"].clone();
    (!asked.is_null()).then(|| (text(&asked["id"]), text(&asked["inquiry"]["id"])))
}
fn last_decision(seen: &Value) -> Value {
    seen["decisions"]["edges"].as_array().unwrap().last().unwrap()["node"].clone()
}

#[test]
fn who_served_a_customer_last_is_asked_first_and_waited_for() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let routed = json!({"routed": {"policy": "LONGEST_IDLE"}});
    let offer = town.offer(routed, json!({"preferLastAgentFor": "PT2M", "consentWindow": "PT5M"}));
    let accepting = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let come = |client: &mut Client| client.give("acceptOffer", accepting.clone(), "inquiry { id } customerToken");
    let see = |town: &mut Town, id: &str| town.operator.ask(SEEN, json!({"id": id}))["inquiry"].clone();

    // Ben is on a break, so Ann serves her first; then Ann has worked last, and Ben would be first by the policy.
    let (ann, ben) = (town.agents[0].0.clone(), town.agents[1].0.clone());
    town.agents[1].1.give("setAgentStatus", json!({"status": "BREAK"}), "agent { status }");
    let mut carla = house.client("");
    let first = come(&mut carla);
    let mut carla = house.client(&text(&first["customerToken"]));
    let (reservation, _) = eventually("Ann is asked", || asked(&mut town.agents[0].1));
    let consent = json!({"reservationId": reservation});
    let session = town.agents[0].1.give("acceptReservation", consent, "session { id }")["session"]["id"].clone();
    town.agents[0].1.give("endSession", json!({"sessionId": session}), "session { id }");
    town.agents[0].1.give("completeWrapUp", json!({"sessionId": session}), "session { id }");
    town.agents[1].1.give("setAgentStatus", json!({"status": "AVAILABLE"}), "agent { status }");

    // She comes again: Ann, by preference.
    let second = text(&come(&mut carla)["inquiry"]["id"]);
    let seen = see(&mut town, &second);
    assert_eq!(
        (&seen["preferredAgent"]["id"], &seen["reservation"]["agent"]["id"]),
        (&json!(ann), &json!(ann)),
        "{seen}"
    );
    assert_eq!(seen["customerInformation"]["outcome"], "FOUND");
    assert_eq!(last_decision(&seen)["rule"], "preferred_agent/1");
    // Nobody but provider and operator is told.
    assert_eq!(carla.ask(SEEN, json!({"id": second}))["inquiry"]["preferredUntil"], Value::Null);
    assert!(town.provider.ask(SEEN, json!({"id": second}))["inquiry"]["preferredUntil"].is_string());

    // Once more while Ann is busy: she waits, though Ben is free.
    let third = text(&come(&mut carla)["inquiry"]["id"]);
    let seen = see(&mut town, &third);
    assert_eq!((&seen["state"], &seen["preferredAgent"]["id"]), (&json!("QUEUED"), &json!(ann)), "{seen}");
    let held = json!({"reason": "HELD_FOR_PREFERRED", "count": 1});
    assert!(last_decision(&seen)["excluded"].as_array().unwrap().contains(&held), "{seen}");
    assert_eq!(asked(&mut town.agents[1].1), None);
    // Whom nobody has served is Ben's at once.
    let stranger = text(&come(&mut house.client(""))["inquiry"]["id"]);
    let (reservation, inquiry) = eventually("Ben is asked", || asked(&mut town.agents[1].1));
    assert_eq!(inquiry, stranger);
    town.agents[1].1.give("declineReservation", json!({"reservationId": reservation}), "reservation { state }");

    // Ann goes: Ben has her in the same decision.
    town.agents[0].1.give("setAgentStatus", json!({"status": "BREAK"}), "agent { status }");
    let (_, inquiry) = asked(&mut town.agents[1].1).expect("Ben is asked at once");
    assert_eq!(inquiry, third);
    let seen = see(&mut town, &third);
    assert_eq!(
        (last_decision(&seen)["rule"].clone(), &seen["reservation"]["agent"]["id"]),
        (json!("longest_idle/1"), &json!(ben))
    );

    // The term is for routed offers, and has a bound.
    for (change, field) in [
        (json!({"preferLastAgentFor": "PT10M0.000001S"}), "preferLastAgentFor"),
        (json!({"allocation": {"claim": {}}}), "preferLastAgentFor"),
    ] {
        let mut input = json!({"offerId": offer.0, "expectedRevision": 1});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = town.provider.give_keyed("reviseOffer", input, &key(), "offer { id }");
        assert_eq!(refused["userErrors"][0]["field"], json!([field]), "{refused}");
    }
    let off = json!({"offerId": offer.0, "expectedRevision": 1, "preferLastAgentFor": "PT0S"});
    let revised = town.provider.give("reviseOffer", off, "offer { preferLastAgentFor }");
    assert_eq!(revised["offer"]["preferLastAgentFor"], "PT0S");
}
