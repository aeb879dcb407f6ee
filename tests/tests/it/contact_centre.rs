//! The contact centre turns to a customer: an operator to anybody, an agent to whom it has served, over HTTP.

use serde_json::{Value, json};
use tests::{House, Scratch, Town, eventually, key, text};

fn serve(town: &mut Town, agent: usize, inquiry: &str) -> Value {
    let seen = town.operator.ask("query($id: ID!) { inquiry(id: $id) { auction { id } } }", json!({"id": inquiry}));
    town.bid(agent, &text(&seen["inquiry"]["auction"]["id"]), "3.00");
    let asked = eventually("the buyer is asked", || {
        let seen = town.agents[agent].1.ask(
            "{ viewer { agent { reservation { id inquiry { initiator question customer { id } } } } } }",
            json!({}),
        );
        Some(seen["viewer"]["agent"]["reservation"].clone()).filter(|found| !found.is_null())
    });
    assert_eq!(
        (&asked["inquiry"]["initiator"], &asked["inquiry"]["question"]),
        (&json!("CONTACT_CENTER"), &Value::Null)
    );
    let consented = town.agents[agent].1.give(
        "acceptReservation",
        json!({"reservationId": asked["id"]}),
        "session { id } inquiry { question customer { id displayName } }",
    );
    town.agents[agent].1.give("endSession", json!({"sessionId": consented["session"]["id"]}), "session { id }");
    consented
}

#[test]
fn an_operator_turns_to_anybody_and_an_agent_to_whom_it_has_served() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let auction =
        json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT10M", "buyNow": "3.00"});
    let terms = json!({"terms": {"version": "1", "url": "https://bank.example/terms"}});
    let offer = town.publish(auction.clone(), terms);

    // Somebody new, with a first word of the centre.
    let input = json!({"offerId": offer.0, "topic": "cards/lost", "channel": "MESSAGE",
        "message": "Your card was found", "customer": {"displayName": "Nora New", "email": "nora@example.org"}});
    let started = town.operator.give("startInquiry", input, "inquiry { id state initiator customer { id } }");
    assert_eq!(started["inquiry"]["initiator"], "CONTACT_CENTER");
    let (inquiry, customer) = (text(&started["inquiry"]["id"]), text(&started["inquiry"]["customer"]["id"]));
    let mut nora = house.client(&house.token("customer", Some(&customer)));
    let seen = nora.ask("query($id: ID!) { inquiry(id: $id) { question state } }", json!({"id": inquiry}));
    assert_eq!(seen["inquiry"]["question"], "Your card was found");

    // Only who has served her may turn to her, and only about an offer of the same provider.
    let again = |offer: &(String, String), more: Value| {
        let mut input =
            json!({"offerId": offer.0, "customerId": customer, "topic": "cards/lost", "channel": "MESSAGE"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let wanted = "inquiry { id initiator }";
    let code = |answer: Value| answer["userErrors"][0]["code"].clone();
    let early = town.agents[0].1.give_keyed("startInquiry", again(&offer, json!({})), &key(), wanted);
    assert_eq!(code(early), "NOT_FOUND");
    let served = serve(&mut town, 0, &inquiry);
    assert_eq!(served["inquiry"]["question"], "Your card was found");
    assert_eq!(served["inquiry"]["customer"]["displayName"], "Nora New");
    let second = town.agents[0].1.give("startInquiry", again(&offer, json!({"message": "One more thing"})), wanted);
    assert_eq!(second["inquiry"]["initiator"], "CONTACT_CENTER", "{second}");
    let other = town.agents[1].1.give_keyed("startInquiry", again(&offer, json!({})), &key(), wanted);
    assert_eq!(code(other), "NOT_FOUND", "who has not served her");
    let named = again(&offer, json!({"customer": {"displayName": "Somebody"}}));
    assert_eq!(code(town.agents[0].1.give_keyed("startInquiry", named, &key(), wanted)), "INVALID");
    let registered = town.operator.give("registerProvider", json!({"name": "Rival House"}), "provider { id }");
    let provider = text(&registered["provider"]["id"]);
    let home = std::mem::replace(&mut town.provider_id, provider.clone());
    town.provider = house.client(&house.token("provider", Some(&provider)));
    let elsewhere = town.publish(auction, json!({}));
    let foreign = town.agents[0].1.give_keyed("startInquiry", again(&elsewhere, json!({})), &key(), wanted);
    assert_eq!(code(foreign), "NOT_FOUND", "a customer of {home} is none of {provider}");
    // The customer accepts offers herself, as a customer.
    let refused = nora.give_keyed(
        "acceptOffer",
        json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "initiator": "CONTACT_CENTER", "termsVersion": "1"}),
        &key(),
        "inquiry { id }",
    );
    assert_eq!(code(refused), "INVALID");
}
