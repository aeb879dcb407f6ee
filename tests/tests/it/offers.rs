//! What a provider bounds of its offer, over HTTP and on its page: paused, most open inquiries, a day's budget.

use crate::front::browse;
use serde_json::{Value, json};
use tests::{House, Scratch, Town, eventually, key, text};

fn accept(house: &House, offer: &(String, String)) -> Value {
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    house.client("").give_keyed("acceptOffer", input, &key(), "inquiry { id }")
}

fn refused(answer: &Value) -> String {
    text(&answer["userErrors"][0]["code"])
}

fn page(house: &House, path: &str) -> String {
    let shown = browse(house, "GET", path, "", "");
    assert_eq!(shown.status, 200, "{}", shown.html);
    shown.html
}

fn withdraw(town: &mut Town, accepted: &Value) {
    town.operator.give("withdrawInquiry", json!({"inquiryId": accepted["inquiry"]["id"]}), "inquiry { state }");
}

/// Claims and ends it, by the first agent.
fn serve(town: &mut Town, accepted: &Value) {
    let (_, agent) = &mut town.agents[0];
    let claimed = agent.give("claimInquiry", json!({"inquiryId": accepted["inquiry"]["id"]}), "session { id }");
    agent.give("endSession", json!({"sessionId": claimed["session"]["id"]}), "session { id }");
}

fn paid() -> Value {
    json!({"claim": {"price": {"amount": "3.00", "currency": "EUR"}, "direction": "REVERSE"}})
}

#[test]
fn a_paused_offer_says_so_and_what_was_accepted_goes_on() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town.offer(paid(), json!({}));
    let before = accept(&house, &offer);
    let link = format!("/l/{}", offer.1);
    assert!(page(&house, &link).contains("<form"));

    let paused = town.provider.give("pauseOffer", json!({"offerId": offer.0}), "offer { state }");
    assert_eq!(paused["offer"]["state"], "PAUSED");
    assert_eq!(refused(&accept(&house, &offer)), "OFFER_PAUSED");
    let html = page(&house, &link);
    assert!(html.contains("This offer is paused") && !html.contains("<form"), "{html}");
    assert!(page(&house, "/").contains(&link), "its links stay");
    let start = json!({"offerId": offer.0, "topic": "cards/lost", "channel": "MESSAGE", "customer": {}});
    let started = town.operator.give_keyed("startInquiry", start, &key(), "inquiry { id }");
    assert_eq!(refused(&started), "OFFER_PAUSED");
    serve(&mut town, &before);

    town.provider.give("resumeOffer", json!({"offerId": offer.0}), "offer { state }");
    assert_eq!(accept(&house, &offer)["userErrors"], json!([]));
    assert!(page(&house, &link).contains("<form"));
}

#[test]
fn limits_hold_across_a_killed_house() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let limits = json!({"maxOpenInquiries": 2, "dailyBudget": {"amount": "9.00", "currency": "EUR"}});
    let offer = town.offer(paid(), limits.clone());
    let shown = "query($id: ID!) { offer(id: $id) { maxOpenInquiries dailyBudget { amount currency } } }";
    let id = json!({"id": offer.0});
    assert_eq!(town.provider.ask(shown, id.clone())["offer"], limits);
    assert_eq!(town.operator.ask(shown, id.clone())["offer"], limits);
    let hidden = json!({"maxOpenInquiries": null, "dailyBudget": null});
    assert_eq!(house.client("").ask(shown, id.clone())["offer"], hidden);
    assert_eq!(town.agents[0].1.ask(shown, id.clone())["offer"], hidden);

    let (first, second) = (accept(&house, &offer), accept(&house, &offer));
    assert_eq!(refused(&accept(&house, &offer)), "LIMIT_REACHED");
    // What came of it is told at once, and lost by no crash in between.
    withdraw(&mut town, &first);
    house.kill();
    let house = House::open(&data);
    town.move_to(&house);
    let third = eventually("the place comes back", || {
        Some(accept(&house, &offer)).filter(|accepted| accepted["userErrors"] == json!([]))
    });
    assert_eq!(refused(&accept(&house, &offer)), "LIMIT_REACHED");

    // Two are served, for 6.00 of 9.00; the withdrawn one cost nothing.
    serve(&mut town, &second);
    serve(&mut town, &third);
    let fourth = eventually("the places come back", || {
        Some(accept(&house, &offer)).filter(|accepted| accepted["userErrors"] == json!([]))
    });
    // Which limit it is an operator is told, and nobody who comes by.
    eventually("all ends are told", || {
        let input = json!({"offerId": offer.0, "topic": "cards/lost", "channel": "MESSAGE", "customer": {}});
        let answer = town.operator.give_keyed("startInquiry", input, &key(), "inquiry { id }");
        assert_eq!(refused(&answer), "LIMIT_REACHED");
        text(&answer["userErrors"][0]["message"]).contains("budget").then_some(())
    });
    let over = accept(&house, &offer);
    assert_eq!(refused(&over), "LIMIT_REACHED");
    let said = text(&over["userErrors"][0]["message"]);
    assert_eq!(said, "The offer takes no more inquiries now; try again later.");
    withdraw(&mut town, &fourth);
    let fifth = eventually("what was not spent comes back", || {
        Some(accept(&house, &offer)).filter(|accepted| accepted["userErrors"] == json!([]))
    });
    // An agent sees nothing of it in its inquiry's trail.
    serve(&mut town, &fifth);
    let trail = "query($id: ID!) { auditTrail(subject: $id, first: 50) { edges { node { type data redacted } } } }";
    let of = json!({"id": fifth["inquiry"]["id"]});
    let freed = |seen: Value| -> Vec<Value> {
        let edges = seen["auditTrail"]["edges"].as_array().unwrap().clone();
        let completed = edges.into_iter().filter(|edge| edge["node"]["type"] == "inquiry.completed.v1");
        completed.map(|edge| edge["node"]["data"]["freed"].clone()).collect()
    };
    let spent = json!({"offer": offer.0, "spent": {"amount": "3.00", "currency": "EUR"}});
    assert_eq!(freed(town.provider.ask(trail, of.clone())), [spent]);
    let customers = freed(town.agents[0].1.ask(trail, of));
    assert!(customers.iter().all(Value::is_null), "{customers:?}");
    // A FORWARD offer has no budget.
    let forward = json!({"claim": {"direction": "FORWARD", "price": {"amount": "3.00", "currency": "EUR"}}});
    let input = json!({"title": "T", "links": [], "channels": ["MESSAGE"], "allocation": forward, "dailyBudget": {"amount": "9.00", "currency": "EUR"}});
    let wrong = town.provider.give_keyed("publishOffer", input, &key(), "offer { id }");
    assert_eq!(wrong["userErrors"][0]["field"], json!(["dailyBudget"]));
}
