//! A customer that leaves keeps its place for a while: over HTTP, as it, its agents and its provider see it.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, key, micros, text};

const LEFT: &str = "inquiry { state placeKeptUntil position }";

/// Accepts; the inquiry and the customer's token.
fn ask(house: &House, offer: &(String, String)) -> (String, String) {
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    (text(&accepted["inquiry"]["id"]), text(&accepted["customerToken"]))
}

fn code(answer: &Value) -> &Value {
    &answer["userErrors"][0]["code"]
}

fn try_to(client: &mut Client, mutation: &str, inquiry: &str) -> Value {
    client.give_keyed(mutation, json!({"inquiryId": inquiry}), &key(), LEFT)
}

#[test]
fn who_leaves_the_queue_comes_back_to_the_old_place() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let (first, token) = ask(&house, &offer);
    let (second, other) = ask(&house, &offer);
    let (mut customer, mut behind) = (house.client(&token), house.client(&other));
    let position = |client: &mut Client, inquiry: &str| {
        client.ask("query($id: ID!) { inquiry(id: $id) { position } }", json!({"id": inquiry}))["inquiry"]["position"]
            .clone()
    };
    assert_eq!((position(&mut customer, &first), position(&mut behind, &second)), (json!(1), json!(2)));
    assert_eq!(code(&try_to(&mut customer, "resumeInquiry", &first)), "NOT_ALLOWED_NOW", "it is there");

    let before = tests::now();
    let left = try_to(&mut customer, "withdrawInquiry", &first);
    assert_eq!(
        (&left["inquiry"]["state"], &left["inquiry"]["position"]),
        (&json!("WITHDRAWN"), &Value::Null),
        "{left}"
    );
    let kept = micros(&left["inquiry"]["placeKeptUntil"]) - before;
    assert!((895_000_000..=930_000_000).contains(&kept), "a quarter of an hour: {kept}");
    assert_eq!(position(&mut behind, &second), json!(1));
    // Nobody can have it meanwhile, and nobody else brings it back.
    let claimed = town.agents[0].1.give_keyed("claimInquiry", json!({"inquiryId": first}), &key(), "session { id }");
    assert_eq!(code(&claimed), "INQUIRY_CLOSED", "{claimed}");
    assert_eq!(code(&try_to(&mut behind, "resumeInquiry", &first)), "NOT_FOUND");
    assert_eq!(code(&try_to(&mut customer, "withdrawInquiry", &first)), "INQUIRY_CLOSED", "once");

    // Back, and in front again; the same key is a replay, also once it has left again.
    let same = key();
    let input = json!({"inquiryId": first});
    let back = customer.give_keyed("resumeInquiry", input.clone(), &same, LEFT);
    assert_eq!(back["inquiry"], json!({"state": "QUEUED", "placeKeptUntil": null, "position": 1}), "{back}");
    assert_eq!(position(&mut behind, &second), json!(2));
    try_to(&mut customer, "withdrawInquiry", &first);
    let again = customer.give_keyed("resumeInquiry", input, &same, LEFT);
    assert_eq!((&again["replayed"], &again["inquiry"]["state"]), (&json!(true), &json!("WITHDRAWN")));

    // A start of the house forgets none of it.
    let data = scratch.join("data");
    house.stop();
    let house = House::open(&data);
    let mut customer = house.client(&token);
    let back = try_to(&mut customer, "resumeInquiry", &first);
    assert_eq!(back["inquiry"], json!({"state": "QUEUED", "placeKeptUntil": null, "position": 1}), "{back}");

    // What an operator withdraws is over.
    let mut operator = house.client(&house.token("operator", None));
    let over = try_to(&mut operator, "withdrawInquiry", &first);
    assert_eq!(over["inquiry"]["placeKeptUntil"], Value::Null);
    assert_eq!(code(&try_to(&mut customer, "resumeInquiry", &first)), "PLACE_LOST");
}

#[test]
fn coming_back_to_an_auction_opens_the_next_round() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let rules = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"});
    let offer = town.publish(rules, json!({}));
    let (inquiry, token) = ask(&house, &offer);
    let mut customer = house.client(&token);
    let auctions = |town: &mut Town| {
        let document =
            "query($id: ID!) { inquiry(id: $id) { auctions(first: 5) { edges { node { id round state } } } } }";
        let seen = town.operator.ask(document, json!({"id": inquiry}));
        seen["inquiry"]["auctions"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| edge["node"].clone())
            .collect::<Vec<_>>()
    };
    let first = text(&auctions(&mut town)[0]["id"]);
    town.bid(0, &first, "5.00");
    let held = "{ viewer { agent { wallets { held { amount } } } } }";
    assert_eq!(town.agents[0].1.ask(held, json!({}))["viewer"]["agent"]["wallets"][0]["held"]["amount"], "5.00");
    try_to(&mut customer, "withdrawInquiry", &inquiry);
    assert_eq!(town.agents[0].1.ask(held, json!({}))["viewer"]["agent"]["wallets"][0]["held"]["amount"], "0.00");
    let back = try_to(&mut customer, "resumeInquiry", &inquiry);
    assert_eq!(back["inquiry"]["state"], "IN_AUCTION", "{back}");
    let states: Vec<Value> = auctions(&mut town).iter().map(|one| json!([one["round"], one["state"]])).collect();
    assert_eq!(states, [json!([1, "CANCELLED"]), json!([2, "OPEN"])]);
}
