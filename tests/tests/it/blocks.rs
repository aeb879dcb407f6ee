//! Who is kept from whom, over HTTP, as those see it who asked for it, and those who are not told.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, key, text};

const BLOCKS: &str = "query($id: ID!) { node(id: $id) { ... on Provider { blocks(first: 10) { edges { node { agent { id } blockedAt } } } } } }";

/// Whom the provider blocks, as the viewer sees it; none where it does not.
fn blocked(client: &mut Client, provider: &str) -> Option<Vec<String>> {
    let seen = client.ask(BLOCKS, json!({"id": provider}));
    let edges = seen["node"]["blocks"]["edges"].as_array()?.clone();
    Some(edges.iter().map(|edge| text(&edge["node"]["agent"]["id"])).collect())
}

fn refused(client: &mut Client, mutation: &str, input: Value) -> String {
    text(&client.give_keyed(mutation, input, &key(), "")["userErrors"][0]["code"])
}

/// Of the first selection, as the viewer is told it.
fn left_out(client: &mut Client, inquiry: &Value) -> Value {
    let document = "query($id: ID!) { inquiry(id: $id) { decisions(first: 9) { edges { node { kind excluded { reason count } } } } } }";
    let seen = client.ask(document, json!({"id": inquiry}));
    let all = seen["inquiry"]["decisions"]["edges"].as_array().unwrap().clone();
    all.into_iter().map(|edge| edge["node"].clone()).find(|one| one["kind"] == "SELECTION").unwrap()["excluded"].clone()
}

#[test]
fn a_blocked_agent_gets_nothing_of_the_provider_and_is_not_told_also_after_a_kill() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let (ann, ben) = (town.agents[0].0.clone(), town.agents[1].0.clone());
    let provider = town.provider_id.clone();
    let block = json!({"agentId": ann});
    let made = town.provider.give("blockAgent", block.clone(), "block { agent { id displayName } blockedAt }");
    assert_eq!(made["block"]["agent"]["id"], json!(ann));
    assert_eq!(made["block"]["agent"]["displayName"], "Agent 1", "a name is nothing that a block shows");
    assert_eq!(refused(&mut town.operator, "blockAgent", block.clone()), "INVALID", "whose inquiries?");
    assert_eq!(refused(&mut town.provider, "blockAgent", json!({"agentId": "agt_0"})), "NOT_FOUND");

    // It is passed over, and the provider and operators learn for what.
    let routed = town.offer(json!({"routed": {}}), json!({"consentWindow": "PT1M"}));
    let inquiry = town.accept(&house, &routed)["inquiry"]["id"].clone();
    let asked = "query($id: ID!) { inquiry(id: $id) { reservation { agent { id } } } }";
    let seen = town.operator.ask(asked, json!({"id": inquiry}));
    assert_eq!(seen["inquiry"]["reservation"]["agent"]["id"], json!(ben));
    let blocks = json!([{"reason": "BLOCKED", "count": 1}]);
    assert_eq!(left_out(&mut town.provider, &inquiry), blocks);
    assert_eq!(left_out(&mut town.operator, &inquiry), blocks);
    let busy = json!([{"reason": "NOT_AVAILABLE", "count": 1}]);
    assert_eq!(left_out(&mut town.agents[0].1, &inquiry), busy, "nor are agents told that somebody is");

    // What it could select or bid for itself, it may not, and is not shown as what it may.
    let claimed = town.offer(json!({"claim": {}}), json!({}));
    let waiting = town.accept(&house, &claimed)["inquiry"]["id"].clone();
    let claim = json!({"inquiryId": waiting});
    assert_eq!(refused(&mut town.agents[0].1, "claimInquiry", claim.clone()), "NOT_ALLOWED_NOW");
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT10M"});
    let offer = town.publish(auction, json!({}));
    let auction = town.accept(&house, &offer)["inquiry"]["auction"]["id"].clone();
    let bid = json!({"auctionId": auction, "amount": {"amount": "1.00", "currency": "EUR"}});
    assert_eq!(refused(&mut town.agents[0].1, "placeBid", bid), "NOT_ALLOWED_NOW");
    let eligible = "{ auctions(first: 9, filter: {eligibleOnly: true}) { edges { node { id } } } }";
    let list = |client: &mut Client| client.ask(eligible, json!({}))["auctions"]["edges"].as_array().unwrap().len();
    assert_eq!(list(&mut town.agents[0].1), 0);

    // Who sees it, and who does not; a kill changes nothing of it.
    let token = town.agents[0].0.clone();
    house.kill();
    let house = House::open(&scratch.join("data"));
    town.move_to(&house);
    assert_eq!(blocked(&mut town.provider, &provider), Some(vec![ann.clone()]));
    assert_eq!(blocked(&mut town.operator, &provider), Some(vec![ann.clone()]));
    assert_eq!(blocked(&mut town.agents[0].1, &provider), None);
    assert_eq!(blocked(&mut town.agents[1].1, &provider), None);
    assert_eq!(blocked(&mut house.client(""), &provider), None);
    let rival = town.operator.give("registerProvider", json!({"name": "Rival House"}), "provider { id }");
    let mut rival = house.client(&house.token("provider", Some(&text(&rival["provider"]["id"]))));
    assert_eq!(blocked(&mut rival, &provider), None);
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { type } } } }";
    let told = |client: &mut Client, subject: &str| {
        client.ask(trail, json!({"id": subject})).to_string().contains("agent.blocked")
    };
    assert!(!told(&mut town.agents[0].1, &token), "not in its own trail either");
    assert!(told(&mut town.provider, &provider) && told(&mut town.operator, &token));
    assert!(!told(&mut rival, &provider));
    assert_eq!(refused(&mut town.agents[0].1, "claimInquiry", claim.clone()), "NOT_ALLOWED_NOW");

    // Taken back, and asked for by an operator on behalf.
    let named = json!({"agentId": ann, "providerId": provider});
    let gone = town.operator.give("unblockAgent", named, "block { blockedAt }");
    assert_eq!(gone["block"], Value::Null);
    assert_eq!(blocked(&mut town.provider, &provider), Some(vec![]));
    town.agents[0].1.give("claimInquiry", claim, "session { id }");
}

/// Who keeps away from a customer, as the viewer sees it; none where it does not.
fn kept(client: &mut Client, owner: &str) -> Option<Value> {
    let block = "blocks(first: 9) { edges { node { agent { id } customer { id masked email } inquiry { id } } } }";
    let document =
        format!("query($id: ID!) {{ node(id: $id) {{ ... on Agent {{ {block} }} ... on Provider {{ {block} }} }} }}");
    let seen = client.ask(&document, json!({"id": owner}));
    seen["node"]["blocks"]["edges"].as_array().map(|edges| edges.iter().map(|edge| edge["node"].clone()).collect())
}

#[test]
fn an_agent_and_a_provider_keep_away_from_a_customer_until_it_is_erased() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let (ann, provider) = (town.agents[0].0.clone(), town.provider_id.clone());
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let accepted = town.accept(&house, &offer);
    let mut carla = house.client(&text(&accepted["customerToken"]));
    let first = accepted["inquiry"]["id"].clone();
    let of_first = json!({"inquiryId": first});
    assert_eq!(refused(&mut town.agents[0].1, "blockCustomer", of_first.clone()), "NOT_FOUND", "not served yet");
    let claimed = town.agents[0].1.give("claimInquiry", of_first.clone(), "session { id } inquiry { customer { id } }");
    let customer = claimed["inquiry"]["customer"]["id"].clone();
    assert_eq!(refused(&mut town.agents[1].1, "blockCustomer", of_first.clone()), "NOT_FOUND", "another one served it");
    assert_eq!(refused(&mut town.agents[1].1, "blockCustomer", json!({"customerId": customer})), "NOT_FOUND");
    assert_eq!(refused(&mut town.agents[0].1, "blockCustomer", json!({})), "INVALID");
    let other = json!({"inquiryId": first, "agentId": town.agents[1].0});
    assert_eq!(refused(&mut town.agents[0].1, "blockCustomer", other), "NOT_FOUND");

    // While they talk. The customer goes on, and finds nothing of it.
    let made = town.agents[0].1.give(
        "blockCustomer",
        json!({"customerId": customer}),
        "block { inquiry { id } agent { id } }",
    );
    assert_eq!(made["block"], json!({"inquiry": {"id": first}, "agent": null}));
    town.agents[0].1.give("endSession", json!({"sessionId": claimed["session"]["id"]}), "session { id }");
    town.agents[0].1.give("completeWrapUp", json!({"sessionId": claimed["session"]["id"]}), "session { id }");
    let again = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let second = carla.give("acceptOffer", again.clone(), "inquiry { id }")["inquiry"]["id"].clone();
    let claim = json!({"inquiryId": second});
    assert_eq!(refused(&mut town.agents[0].1, "claimInquiry", claim.clone()), "NOT_ALLOWED_NOW");
    let mine = kept(&mut town.agents[0].1, &ann).unwrap();
    assert_eq!((&mine[0]["customer"]["id"], &mine[0]["inquiry"]["id"]), (&customer, &first));
    assert_eq!(mine[0]["customer"]["email"], "carla@example.org", "it has talked with her");
    assert_eq!(kept(&mut town.operator, &ann).unwrap()[0]["customer"]["id"], customer);
    for client in [&mut town.provider, &mut town.agents[1].1, &mut carla] {
        assert_eq!(kept(client, &ann), None);
    }
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { type } } } }";
    let told = |client: &mut Client, subject: &Value| {
        client.ask(trail, json!({"id": subject})).to_string().contains("agent.customer_blocked")
    };
    assert!(told(&mut town.agents[0].1, &json!(ann)) && told(&mut town.operator, &customer));
    assert!(!told(&mut carla, &customer) && !told(&mut town.provider, &json!(provider)));
    assert!(!told(&mut town.provider, &first), "nor with the inquiry that it was named by");

    // The provider takes nothing more of her; what is open is served.
    let made = town.provider.give(
        "blockCustomer",
        json!({"customerId": customer}),
        "block { customer { id masked } blockedAt }",
    );
    assert_eq!(made["block"]["customer"], json!({"id": customer, "masked": true}));
    // Whoever is refused is told so, in the answer and on the page, and neither by whom nor why; nothing comes by itself.
    let told = carla.give_keyed("acceptOffer", again.clone(), &key(), "");
    assert_eq!(told["userErrors"][0]["message"], "This provider takes no inquiries of yours.");
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { type } } } }";
    let knows = |client: &mut Client| client.ask(trail, json!({"id": customer})).to_string().contains("blocked");
    assert!(!knows(&mut carla) && knows(&mut town.operator));
    let start = json!({"offerId": offer.0, "customerId": customer, "topic": "cards/lost", "channel": "MESSAGE"});
    assert_eq!(refused(&mut town.operator, "startInquiry", start.clone()), "NOT_ALLOWED_NOW");
    assert_eq!(refused(&mut town.agents[0].1, "startInquiry", start), "NOT_ALLOWED_NOW");
    town.agents[1].1.give("claimInquiry", claim, "session { id }");
    let rival = town.operator.give("registerProvider", json!({"name": "Rival House"}), "provider { id }");
    let rival = text(&rival["provider"]["id"]);
    let mut client = house.client(&house.token("provider", Some(&rival)));
    assert_eq!(refused(&mut client, "blockCustomer", json!({"customerId": customer})), "NOT_FOUND", "none of its own");
    assert_eq!(refused(&mut client, "blockCustomer", of_first.clone()), "NOT_FOUND");
    assert_eq!(kept(&mut client, &provider), None);

    // Killed and back, taken back and set again, and gone with her.
    house.kill();
    let house = House::open(&scratch.join("data"));
    town.move_to(&house);
    let mut carla = carla.at(&house);
    assert_eq!(refused(&mut carla, "acceptOffer", again.clone()), "NOT_ALLOWED_NOW");
    let gone = town.provider.give("unblockCustomer", of_first.clone(), "block { blockedAt }");
    assert_eq!(gone["block"], Value::Null);
    carla.give("acceptOffer", again, "inquiry { id }");
    let on_behalf = json!({"customerId": customer, "providerId": provider});
    town.operator.give("blockCustomer", on_behalf.clone(), "block { blockedAt }");
    assert_eq!(kept(&mut town.provider, &provider).unwrap().as_array().map(Vec::len), Some(1));
    town.operator.give("eraseCustomer", json!({"customerId": customer}), "customer { erasedAt }");
    assert_eq!(kept(&mut town.provider, &provider), Some(json!([])));
    tests::eventually("what was open of her has ended", || {
        (kept(&mut town.agents[0].1, &ann) == Some(json!([]))).then_some(())
    });
    assert_eq!(refused(&mut town.agents[0].1, "blockCustomer", of_first), "NOT_ALLOWED_NOW");
    assert_eq!(refused(&mut town.operator, "blockCustomer", on_behalf), "NOT_ALLOWED_NOW");
}
