//! How agents come to inquiries without an auction, over HTTP, as the people in it see it.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, eventually, key, text};

const CLAIMED: &str =
    "session { id state channels { id purpose } } inquiry { id state question customer { displayName email masked } }";

fn claim(client: &mut Client, inquiry: &str) -> Value {
    client.give_keyed("claimInquiry", json!({"inquiryId": inquiry}), &key(), CLAIMED)
}

/// Accepts with a question; the inquiry and the customer's token.
fn ask(house: &House, offer: &(String, String)) -> (String, String) {
    let profile = json!({"displayName": "Carla Customer", "email": "carla@example.org"});
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": profile, "question": "Where is my card?"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    (text(&accepted["inquiry"]["id"]), text(&accepted["customerToken"]))
}

#[test]
fn one_of_many_who_select_an_inquiry_at_once_has_it() {
    const AGENTS: usize = 8;
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, AGENTS);
    let price = json!({"amount": "3.00", "currency": "EUR"});
    let offer = town.offer(json!({"claim": {"direction": "FORWARD", "price": price}}), json!({}));
    let (inquiry, customer) = ask(&house, &offer);
    // It is shown to agents in its queue, and its customer is nobody's yet.
    let shown = town.agents[0].1.ask(
        "query($id: ID!) { inquiry(id: $id) { state question customer { displayName masked } customerInformation { outcome } queues { inquiries(first: 5) { edges { node { id } } } } } }",
        json!({"id": inquiry}),
    );
    let shown = &shown["inquiry"];
    assert_eq!((&shown["state"], &shown["question"]), (&json!("QUEUED"), &Value::Null), "{shown}");
    assert_eq!(shown["customerInformation"]["outcome"], "NEW", "recorded before anybody selects");
    assert_eq!(shown["queues"][0]["inquiries"]["edges"][0]["node"]["id"], json!(inquiry));

    let answers: Vec<Value> = std::thread::scope(|scope| {
        let claims: Vec<_> =
            town.agents.iter_mut().map(|(_, client)| scope.spawn(|| claim(client, &inquiry))).collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    let won: Vec<usize> = (0..AGENTS).filter(|at| answers[*at]["userErrors"] == json!([])).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (at, answer) in answers.iter().enumerate().filter(|(at, _)| *at != won[0]) {
        assert_eq!(answer["userErrors"][0]["code"], "INQUIRY_TAKEN", "agent {at}: {answer}");
        assert_eq!(answer["session"], Value::Null);
    }
    let had = &answers[won[0]];
    assert_eq!((&had["session"]["state"], &had["inquiry"]["state"]), (&json!("OPEN"), &json!("ENGAGED")));
    assert_eq!(had["inquiry"]["question"], "Where is my card?");
    assert_eq!(had["inquiry"]["customer"]["email"], "carla@example.org");

    // The choice is recorded: its agent and those who see rivals read it, nobody else.
    let document = "query($id: ID!) { inquiry(id: $id) { decisions(first: 10) { edges { node { kind rule chosen { ... on Agent { id } } candidates(first: 5) { edges { node { bid { amount } rank } } } } } } } }";
    let selection = |client: &mut Client| {
        let seen = client.ask(document, json!({"id": inquiry}));
        let decisions = seen["inquiry"]["decisions"]["edges"].as_array().cloned().unwrap_or_default();
        decisions.into_iter().map(|edge| edge["node"].clone()).find(|node| node["kind"] == "SELECTION")
    };
    let chosen = json!({
        "kind": "SELECTION", "rule": "claim/1", "chosen": {"id": town.agents[won[0]].0},
        "candidates": {"edges": [{"node": {"bid": {"amount": "3.00"}, "rank": 1}}]},
    });
    assert_eq!(selection(&mut town.operator), Some(chosen.clone()));
    assert_eq!(selection(&mut town.provider), Some(chosen.clone()));
    assert_eq!(selection(&mut town.agents[won[0]].1), Some(chosen));
    let mut client = house.client(&customer);
    assert_eq!(selection(&mut client), None, "who could have had it is no customer's business");
    let trail = client.ask(
        "query($id: ID) { auditTrail(subject: $id, first: 50) { edges { node { type } } } }",
        json!({"id": inquiry}),
    );
    assert!(!trail.to_string().contains("selection_made"), "{trail}");

    // The price went from the agent's wallet to escrow, and its session ends like any other.
    let wallet = |town: &mut Town, at: usize| {
        town.agents[at].1.ask("{ viewer { agent { load wallets { balance { amount } held { amount } } } } }", json!({}))
            ["viewer"]["agent"]
            .clone()
    };
    let paid = wallet(&mut town, won[0]);
    assert_eq!(paid, json!({"load": 1, "wallets": [{"balance": {"amount": "997.00"}, "held": {"amount": "0.00"}}]}));
    client.give("endSession", json!({"sessionId": had["session"]["id"]}), "inquiry { state }");
    let late = claim(&mut town.agents[(won[0] + 1) % AGENTS].1, &inquiry);
    assert_eq!(late["userErrors"][0]["code"], "INQUIRY_TAKEN", "also once it is over");
}

#[test]
fn what_cannot_be_claimed_says_why() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"});
    let auctioned = town.publish(auction, json!({}));
    let (inquiry, _) = ask(&house, &auctioned);
    let code = |answer: Value| answer["userErrors"][0]["code"].clone();
    assert_eq!(code(claim(&mut town.agents[0].1, &inquiry)), "OTHER_ALLOCATION");

    let price = json!({"amount": "1000.01", "currency": "EUR"});
    let dear = town.offer(json!({"claim": {"direction": "FORWARD", "price": price}}), json!({}));
    let (inquiry, customer) = ask(&house, &dear);
    let poor = claim(&mut town.agents[0].1, &inquiry);
    assert_eq!(poor["userErrors"][0]["__typename"], "InsufficientFunds", "{poor}");
    let free = town.offer(json!({"claim": {}}), json!({}));
    town.agents[0].1.give("setAgentStatus", json!({"status": "BREAK"}), "agent { id }");
    let (gratis, _) = ask(&house, &free);
    assert_eq!(code(claim(&mut town.agents[0].1, &gratis)), "AGENT_NOT_AVAILABLE");
    town.agents[0].1.give("setAgentStatus", json!({"status": "AVAILABLE"}), "agent { id }");
    let same = key();
    let first = town.agents[0].1.give_keyed("claimInquiry", json!({"inquiryId": gratis}), &same, CLAIMED);
    let again = town.agents[0].1.give_keyed("claimInquiry", json!({"inquiryId": gratis}), &same, CLAIMED);
    assert_eq!((&again["replayed"], &again["session"]["id"]), (&json!(true), &first["session"]["id"]));
    house.client(&customer).give("withdrawInquiry", json!({"inquiryId": inquiry}), "inquiry { state }");
    assert_eq!(code(claim(&mut town.agents[1].1, &inquiry)), "INQUIRY_CLOSED");
}

const ASKED: &str = "{ viewer { agent { id status statusReason reservation { id purpose attempt price { amount } deadline inquiry { id question customer { displayName email masked } } } notices(first: 10) { edges { node { kind secondAgent { id } } } } wallets { held { amount } holds(first: 5) { edges { node { amount { amount } bid { id } expiresAt } } } } } } }";

/// What an agent has before it now.
fn before(client: &mut Client) -> Value {
    client.ask(ASKED, json!({}))["viewer"]["agent"].clone()
}

fn asked(what: &str, client: &mut Client) -> Value {
    eventually(what, || Some(before(client)["reservation"].clone()).filter(|found| !found.is_null()))
}

#[test]
fn the_platform_selects_and_a_lapse_names_the_second_agent() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let price = json!({"amount": "4.00", "currency": "EUR"});
    let routed = json!({"routed": {"direction": "FORWARD", "price": price, "policy": "LONGEST_IDLE"}});
    let offer = town.offer(routed, json!({"consentWindow": "PT2S"}));
    let (inquiry, _) = ask(&house, &offer);
    // The first to come is idle the longest; the customer is masked and the price is held.
    let (first, second) = town.agents.split_at_mut(1);
    let (first, second) = (&mut first[0], &mut second[0]);
    let reserved = asked("the first agent is asked", &mut first.1);
    assert_eq!((&reserved["purpose"], &reserved["attempt"]), (&json!("SELECTED"), &json!(1)));
    assert_eq!((&reserved["price"]["amount"], &reserved["inquiry"]["question"]), (&json!("4.00"), &Value::Null));
    let masked = json!({"displayName": "C.", "email": null, "masked": true});
    assert_eq!(reserved["inquiry"]["customer"], masked);
    let hold = json!({"amount": {"amount": "4.00"}, "bid": null, "expiresAt": reserved["deadline"]});
    assert_eq!(before(&mut first.1)["wallets"][0]["holds"]["edges"][0]["node"], hold);

    let next = asked("the second agent is asked", &mut second.1);
    assert_eq!((&next["attempt"], &next["inquiry"]["id"]), (&json!(2), &json!(inquiry)));
    let lapsed = before(&mut first.1);
    assert_eq!((&lapsed["status"], &lapsed["statusReason"]), (&json!("BREAK"), &json!("LAPSED")));
    assert_eq!(lapsed["wallets"][0]["held"]["amount"], "0.00", "what was held is free again");
    let notices = lapsed["notices"]["edges"].to_string();
    assert!(notices.contains("RESERVATION_LAPSED") && notices.contains(&second.0), "{notices}");
    let told = before(&mut second.1)["notices"]["edges"].to_string();
    assert!(told.contains("SECOND_AGENT_SELECTED"), "{told}");

    let consented = second.1.give("acceptReservation", json!({"reservationId": next["id"]}), CLAIMED);
    assert_eq!(consented["inquiry"]["question"], "Where is my card?");
    assert_eq!(consented["inquiry"]["customer"]["email"], "carla@example.org");
    let paid = second.1.ask("{ viewer { agent { wallets { balance { amount } held { amount } } } } }", json!({}));
    let wallet = json!([{"balance": {"amount": "996.00"}, "held": {"amount": "0.00"}}]);
    assert_eq!(paid["viewer"]["agent"]["wallets"], wallet);

    // Both choices answer, each with its reasons.
    let document = "query($id: ID!) { inquiry(id: $id) { decisions(first: 10) { edges { node { kind rule chosen { ... on Agent { id } } excluded { reason count } candidates(first: 5) { edges { node { rank score tieKey } } } } } } } }";
    let decisions = |client: &mut Client| -> Vec<Value> {
        let seen = client.ask(document, json!({"id": inquiry}));
        let edges = seen["inquiry"]["decisions"]["edges"].as_array().cloned().unwrap_or_default();
        edges.into_iter().map(|edge| edge["node"].clone()).filter(|node| node["kind"] == "SELECTION").collect()
    };
    let made = decisions(&mut town.operator);
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!((&made[0]["rule"], &made[0]["chosen"]["id"]), (&json!("longest_idle/1"), &json!(first.0)));
    assert_eq!((&made[0]["excluded"], made[0]["candidates"]["edges"].as_array().unwrap().len()), (&json!([]), 2));
    assert_eq!(made[1]["chosen"]["id"], json!(second.0));
    assert_eq!(made[1]["excluded"], json!([{"reason": "ALREADY_ASKED", "count": 1}]));
    let own = decisions(&mut second.1);
    assert_eq!(own[0]["chosen"], Value::Null, "a rival is nobody to an agent: {own:?}");
    assert_eq!(own[1]["chosen"]["id"], json!(second.0));
}

#[test]
fn what_waits_goes_to_who_names_the_best_value() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let bound = json!({"amount": "9.00", "currency": "EUR"});
    let offer = town.offer(json!({"routed": {"price": bound, "policy": "BEST_VALUE"}}), json!({}));
    let (inquiry, _) = ask(&house, &offer);
    let state = "query($id: ID!) { inquiry(id: $id) { state position reservation { price { amount } agent { id } } } }";
    let waits = town.operator.ask(state, json!({"id": inquiry}));
    assert_eq!((&waits["inquiry"]["state"], &waits["inquiry"]["position"]), (&json!("QUEUED"), &json!(1)));
    let value = |amount: &str| json!({"topic": "cards", "direction": "REVERSE", "value": {"amount": amount, "currency": "EUR"}});
    let fields = "agent { standingValues { topic direction value { amount } validUntil } }";
    let set = town.agents[0].1.give("setStandingValue", value("9.01"), fields);
    assert_eq!(set["agent"]["standingValues"][0]["value"]["amount"], "9.01");
    assert_eq!(town.operator.ask(state, json!({"id": inquiry}))["inquiry"]["state"], "QUEUED", "beyond the ceiling");
    town.agents[1].1.give("setStandingValue", value("6.50"), fields);
    let seen = town.operator.ask(state, json!({"id": inquiry}));
    assert_eq!(seen["inquiry"]["reservation"], json!({"price": {"amount": "6.50"}, "agent": {"id": town.agents[1].0}}));
    let rival = json!({"id": town.agents[1].0});
    let rival = town.agents[0].1.ask("query($id: ID!) { agent(id: $id) { standingValues { topic } } }", rival);
    assert!(rival["agent"].is_null() || rival["agent"]["standingValues"].is_null(), "nobody's business: {rival}");
    // Declined, it waits at its old place: nobody else is within the ceiling.
    let reservation = asked("the second agent is asked", &mut town.agents[1].1);
    town.agents[1].1.give("declineReservation", json!({"reservationId": reservation["id"]}), "reservation { state }");
    let back = town.operator.ask(state, json!({"id": inquiry}));
    assert_eq!((&back["inquiry"]["state"], &back["inquiry"]["position"]), (&json!("QUEUED"), &json!(1)));
    town.agents[0].1.give("setStandingValue", value("9.00"), fields);
    assert_eq!(
        town.operator.ask(state, json!({"id": inquiry}))["inquiry"]["reservation"]["agent"]["id"],
        json!(town.agents[0].0)
    );
}

/// What is asked of agents becomes less while an inquiry waits; the record says when, what for, and who is left out yet.
#[test]
fn who_waits_long_enough_is_given_to_whom_less_is_asked_of() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let german = json!([{"name": "german", "level": 3}]);
    let rings = json!([{"after": "PT1S", "lowerLevels": 1}, {"after": "PT2S", "lowerLevels": 9, "anyTopic": true}]);
    let more = json!({"requiredSkills": german, "relaxation": rings, "consentWindow": "PT1M"});
    let offer = town.offer(json!({"routed": {}}), more);
    let document = "query($id: ID!) { offer(id: $id) { relaxation { after lowerLevels anyTopic } } }";
    let shown = town.operator.ask(document, json!({"id": offer.0}))["offer"]["relaxation"].clone();
    assert_eq!(shown[1], json!({"after": "PT2S", "lowerLevels": 9, "anyTopic": true}));
    let input = json!({"offerId": offer.0, "expectedRevision": 1, "relaxation": [{"after": "P1D", "lowerLevels": 1}]});
    let refused = town.provider.give_keyed("reviseOffer", input, &key(), "offer { id }");
    assert_eq!(refused["userErrors"][0]["field"], json!(["relaxation", "0", "after"]), "{refused}");
    // Cards is what the one agent knows; German of the lowest level it learns now.
    let skills = json!({"agentId": town.agents[0].0, "skills": [{"name": "german"}]});
    town.operator.give("updateAgent", skills, "agent { id }");

    let accepted = town.accept(&house, &offer);
    let id = json!({"id": accepted["inquiry"]["id"]});
    let document = "query($id: ID!) { inquiry(id: $id) { state ring requiredSkills { name level } decisions(first: 9) { edges { node { kind chosen { __typename } excluded { reason count } } } } } }";
    let asked = eventually("its second ring", || {
        let seen = town.operator.ask(document, id.clone())["inquiry"].clone();
        (seen["state"] == "RESERVED").then_some(seen)
    });
    assert_eq!(asked["ring"], 2);
    assert_eq!(asked["requiredSkills"], json!([{"name": "german", "level": 1}]));
    let all = asked["decisions"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]);
    let selections: Vec<&Value> = all.filter(|one| one["kind"] == "SELECTION").collect();
    assert_eq!(selections.len(), 3, "at first, and at each ring: {asked}");
    assert_eq!(selections[1]["excluded"][0]["reason"], "LACKS_SKILL");
    assert_eq!(selections[2]["chosen"]["__typename"], "Agent");
}
