//! Strikes over HTTP: who wins and does not consent is told, barred at the third and let in again by an operator; nobody
//! else sees any of it.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, key, text};

const OWN: &str =
    "query($id: ID!) { node(id: $id) { ... on Agent { strikes { reason at until reservation { id } } barredUntil } } }";

fn code(client: &mut Client, mutation: &str, input: Value) -> Value {
    client.give_keyed(mutation, input, &key(), "")["userErrors"][0].clone()
}

#[test]
fn who_wins_and_declines_three_times_is_barred_and_forgiven_and_nobody_else_sees_it() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let ann = town.agents[0].0.clone();
    let rules = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT10M", "buyNow": "1.00", "rounds": 1});
    let offer = town.publish(rules, json!({"consentWindow": "PT1M"}));
    let mut last = Value::Null;
    for _ in 0..3 {
        let auction = town.accept(&house, &offer)["inquiry"]["auction"]["id"].clone();
        let bid = json!({"auctionId": auction, "amount": {"amount": "1.00", "currency": "EUR"}});
        town.agents[0].1.give("placeBid", bid, "bid { id }");
        let asked = town.agents[0].1.ask("{ viewer { agent { reservation { id } } } }", json!({}));
        last = asked["viewer"]["agent"]["reservation"]["id"].clone();
        town.agents[0].1.give("declineReservation", json!({"reservationId": last}), "reservation { id }");
    }

    // It sees its strikes, and so do operators, also after a kill.
    house.kill();
    let house = House::open(&scratch.join("data"));
    town.move_to(&house);
    let own = town.agents[0].1.ask(OWN, json!({"id": ann}))["node"].clone();
    let strikes = own["strikes"].as_array().unwrap();
    assert_eq!(strikes.len(), 3);
    assert_eq!((&strikes[2]["reason"], &strikes[2]["reservation"]["id"]), (&json!("DECLINED"), &last));
    let until = text(&own["barredUntil"]);
    assert_eq!(town.operator.ask(OWN, json!({"id": ann}))["node"]["barredUntil"], json!(until));
    // A provider and a rival meet it at its reservations, if at all, and learn nothing.
    let met = "query($id: ID!) { node(id: $id) { ... on Reservation { agent { strikes { until } barredUntil } } } }";
    let nothing = json!({"strikes": null, "barredUntil": null});
    assert_eq!(town.provider.ask(met, json!({"id": last}))["node"]["agent"], nothing);
    assert_eq!(town.agents[1].1.ask(met, json!({"id": last}))["node"], Value::Null);
    assert_eq!(town.agents[1].1.ask(OWN, json!({"id": ann}))["node"], Value::Null);
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { type } } } }";
    let told = |client: &mut Client, subject: &str| {
        let seen = client.ask(trail, json!({"id": subject})).to_string();
        ["agent.struck", "agent.barred"].map(|kind| seen.contains(kind))
    };
    assert_eq!(told(&mut town.agents[0].1, &ann), [true; 2]);
    assert_eq!(told(&mut town.operator, &ann), [true; 2]);
    let provider = town.provider_id.clone();
    assert_eq!(told(&mut town.provider, &provider), [false; 2]);
    let notices = "{ viewer { agent { notices(first: 50) { edges { node { kind reservation { id } } } } } } }";
    let kinds = |client: &mut Client| {
        let seen = client.ask(notices, json!({}))["viewer"]["agent"]["notices"]["edges"].as_array().unwrap().clone();
        seen.iter().map(|edge| text(&edge["node"]["kind"])).collect::<Vec<_>>()
    };
    let all = kinds(&mut town.agents[0].1);
    let count = |kind: &str| all.iter().filter(|one| *one == kind).count();
    assert_eq!((count("STRUCK"), count("BARRED"), count("BAR_ENDED")), (3, 1, 0));

    // It may not bid, and is shown nothing that it could bid on.
    let auction = town.accept(&house, &offer)["inquiry"]["auction"]["id"].clone();
    let bid = json!({"auctionId": auction, "amount": {"amount": "0.50", "currency": "EUR"}});
    let error = code(&mut town.agents[0].1, "placeBid", bid.clone());
    assert_eq!((&error["code"], &error["retryable"]), (&json!("AGENT_BARRED"), &json!(true)));
    assert!(text(&error["message"]).contains(&until[..19]), "{error} {until}");
    let eligible = "{ auctions(first: 9, filter: {eligibleOnly: true}) { edges { node { id } } } }";
    let list = |client: &mut Client| client.ask(eligible, json!({}))["auctions"]["edges"].as_array().unwrap().len();
    assert_eq!((list(&mut town.agents[0].1), list(&mut town.agents[1].1)), (0, 1));

    let forgive = json!({"agentId": ann, "reason": "Carla's line was down"});
    let forgiven = town.operator.give("forgiveStrikes", forgive.clone(), "agent { strikes { until } barredUntil }");
    assert_eq!(forgiven["agent"], json!({"strikes": [], "barredUntil": null}));
    assert_eq!(code(&mut town.operator, "forgiveStrikes", forgive)["code"], "NOT_ALLOWED_NOW");
    assert_eq!(kinds(&mut town.agents[0].1).last().unwrap(), "STRIKES_FORGIVEN");
    let clear = town
        .operator
        .ask("query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { data } } } }", json!({"id": ann}));
    assert!(!clear.to_string().contains("line was down"), "a reason is sealed");
    assert_eq!(list(&mut town.agents[0].1), 1);
    town.agents[0].1.give("placeBid", bid, "bid { id }");
}
