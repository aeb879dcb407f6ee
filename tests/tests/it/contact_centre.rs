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
fn an_operator_turns_to_a_providers_customers_and_an_agent_to_whom_it_has_served() {
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
    // Whom the provider blocks turns to none of its customers, and is not told more than that; what it did before stands.
    let (kept, more) = (key(), again(&offer, json!({"message": "And one more"})));
    let before = town.agents[0].1.give_keyed("startInquiry", more.clone(), &kept, wanted);
    let ann = json!({"agentId": town.agents[0].0});
    town.provider.give("blockAgent", ann.clone(), "block { blockedAt }");
    let blocked = town.agents[0].1.give_keyed("startInquiry", again(&offer, json!({})), &key(), wanted);
    assert_eq!(blocked["userErrors"][0]["code"], "NOT_ALLOWED_NOW", "{blocked}");
    assert_eq!(blocked["userErrors"][0]["message"], "This inquiry goes to other agents.");
    let replayed = town.agents[0].1.give_keyed("startInquiry", more, &kept, wanted);
    assert_eq!((&replayed["inquiry"], &replayed["replayed"]), (&before["inquiry"], &json!(true)));
    town.provider.give("unblockAgent", ann, "block { blockedAt }");
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
    let foreign = town.operator.give_keyed("startInquiry", again(&elsewhere, json!({})), &key(), wanted);
    assert_eq!(code(foreign), "NOT_FOUND", "to an operator no more than to an agent");
    let own = town.operator.give("startInquiry", again(&offer, json!({})), wanted);
    assert_eq!(own["inquiry"]["initiator"], "CONTACT_CENTER", "{own}");
    // The customer accepts offers herself, as a customer.
    let refused = nora.give_keyed(
        "acceptOffer",
        json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "initiator": "CONTACT_CENTER", "termsVersion": "1"}),
        &key(),
        "inquiry { id }",
    );
    assert_eq!(code(refused), "INVALID");
}

/// A provider that pays on account would be made to pay by whoever starts an inquiry, takes it and ends it.
#[test]
fn an_agent_is_not_paid_for_an_inquiry_that_it_started_itself() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let paid = json!({"price": {"amount": "3.00", "currency": "EUR"}, "direction": "REVERSE"});
    let input = json!({
        "providerId": town.provider_id, "title": "Help", "channels": ["MESSAGE"],
        "links": [{"label": "Cards", "topic": "cards/lost"}], "allocation": {"claim": paid},
    });
    let offer = text(&town.provider.give("publishOffer", input, "offer { id }")["offer"]["id"]);
    let first = json!({"offerId": offer, "topic": "cards/lost", "channel": "MESSAGE", "customer": {}});
    let wanted = "inquiry { id customer { id } }";
    let started = town.operator.give("startInquiry", first, wanted)["inquiry"].clone();
    let claim = |town: &mut Town, agent: usize, inquiry: &Value| {
        let input = json!({"inquiryId": inquiry["id"]});
        town.agents[agent].1.give_keyed("claimInquiry", input, &key(), "session { id }")
    };
    let end = |town: &mut Town, agent: usize, session: &Value| {
        town.agents[agent].1.give("endSession", json!({"sessionId": session["id"]}), "session { id }");
    };
    // The centre's own: served, and paid for.
    let session = claim(&mut town, 0, &started)["session"].clone();
    end(&mut town, 0, &session);

    // Its customer now, so the agent may turn to it; for its own work another agent is paid.
    let again =
        json!({"offerId": offer, "customerId": started["customer"]["id"], "topic": "cards/lost", "channel": "MESSAGE"});
    let own = town.agents[0].1.give("startInquiry", again, wanted)["inquiry"].clone();
    let refused = claim(&mut town, 0, &own);
    assert_eq!(refused["session"], Value::Null);
    let why = &refused["userErrors"][0];
    assert_eq!(why["code"], "AGENT_NOT_INDEPENDENT");
    assert_eq!(why["message"], "You started this inquiry; another agent is paid for it.");
    let session = claim(&mut town, 1, &own)["session"].clone();
    end(&mut town, 1, &session);
    let seen = town.operator.ask(
        "{ settlements(first: 9) { edges { node { payee { ... on Agent { id } } inquiry { id } } } } }",
        json!({}),
    );
    let paid: Vec<(&Value, &Value)> = seen["settlements"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (&edge["node"]["inquiry"]["id"], &edge["node"]["payee"]["id"]))
        .collect();
    let agents = [json!(town.agents[0].0), json!(town.agents[1].0)];
    assert_eq!(paid.len(), 2);
    assert!(paid.contains(&(&started["id"], &agents[0])) && paid.contains(&(&own["id"], &agents[1])), "{seen}");
}
