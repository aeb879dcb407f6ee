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
