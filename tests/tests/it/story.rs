//! From a published offer to a settled bid, over HTTP against the binary, as the people in it see it.

use serde_json::{Value, json};
use tests::{House, Scratch, Town, eventually, key, run, text};

const SEALED: &str = "SEALED_SECOND_PRICE";

fn sealed(open_for: &str) -> Value {
    json!({"direction": "FORWARD", "format": SEALED, "currency": "EUR", "reserve": "5.00", "openFor": open_for})
}

#[test]
fn an_offer_becomes_a_settled_bid_with_the_second_agent() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let offer = town.publish(sealed("PT2S"), json!({"consentWindow": "PT2S"}));
    let accepted = town.accept(&house, &offer);
    assert_eq!(accepted["inquiry"]["state"], "IN_AUCTION");
    assert_eq!(accepted["inquiry"]["topics"], json!(["cards/lost"]));
    let inquiry = text(&accepted["inquiry"]["id"]);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    let mut customer = house.client(&text(&accepted["customerToken"]));

    for (agent, amount) in [(0, "12.00"), (1, "10.00")] {
        let bid = town.bid(agent, &auction, amount);
        assert_eq!(bid["bid"]["state"], "ACTIVE", "{bid}");
        assert_eq!(bid["auction"]["bidCount"], Value::Null, "a sealed auction does not count its bids");
    }
    // The first agent wins at the second price, and does not answer.
    let reserved = eventually("the winner is asked", || reservation(&mut town, 0));
    assert_eq!(reserved["price"], json!({"amount": "10.00", "currency": "EUR"}));
    assert_eq!(reserved["inquiry"]["customer"]["displayName"], "C.");
    assert_eq!(reserved["inquiry"]["customer"]["masked"], true);
    assert_eq!(reserved["inquiry"]["customer"]["email"], Value::Null);
    // The second agent is asked at the price that follows without the first: the reserve.
    let second = eventually("the second agent is asked", || reservation(&mut town, 1));
    assert_eq!(second["price"], json!({"amount": "5.00", "currency": "EUR"}));
    assert_eq!(second["attempt"], 2);
    let first = town.agents[0].1.ask(
        "{ viewer { agent { status statusReason notices(first: 5) { edges { node { kind secondAgent { id } } } } } } }",
        json!({}),
    );
    assert_eq!(
        (&first["viewer"]["agent"]["status"], &first["viewer"]["agent"]["statusReason"]),
        (&json!("BREAK"), &json!("LAPSED"))
    );
    let kinds: Vec<&Value> = first["viewer"]["agent"]["notices"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| &edge["node"]["kind"])
        .collect();
    assert!(kinds.contains(&&json!("RESERVATION_LAPSED")), "{kinds:?}");

    let consented = town.agents[1].1.give(
        "acceptReservation",
        json!({"reservationId": second["id"]}),
        "session { id state channels { id kind purpose state } } inquiry { state customer { displayName email masked } }",
    );
    assert_eq!(
        consented["inquiry"]["customer"],
        json!({"displayName": "Carla Customer", "email": "carla@example.org", "masked": false})
    );
    let session = text(&consented["session"]["id"]);
    let channel = text(&consented["session"]["channels"][0]["id"]);
    let say = |text: &str| json!({"sessionId": session, "channelId": channel, "text": text});
    town.agents[1].1.give("sendMessage", say("Hello"), "message { id }");
    customer.give("sendMessage", say("Thank you"), "message { id }");
    let heard = customer.ask(
        "query($id: ID!, $channel: ID!) { session(id: $id) { notes messages(channelId: $channel, first: 10) { edges { node { author text } } } } }",
        json!({"id": session, "channel": channel}),
    );
    let messages = heard["session"]["messages"]["edges"].as_array().unwrap();
    assert_eq!(messages[0]["node"], json!({"author": "AGENT", "text": "Hello"}));
    assert_eq!(messages[1]["node"], json!({"author": "CUSTOMER", "text": "Thank you"}));
    assert_eq!(heard["session"]["notes"], Value::Null);
    // The first agent lost the reservation: it sees no session, no customer.
    let lost = town.agents[0].1.ask(
        "query($id: ID!, $inquiry: ID!) { session(id: $id) { id } inquiry(id: $inquiry) { customer { id } question } }",
        json!({"id": session, "inquiry": inquiry}),
    );
    assert_eq!(lost["session"], Value::Null);
    assert!(lost["inquiry"].is_null() || lost["inquiry"]["customer"].is_null(), "{lost}");

    customer.give("endSession", json!({"sessionId": session}), "session { state endedBy } inquiry { state }");
    let settled = town.finance.ask(
        "query($id: ID) { settlements(filter: {inquiryId: $id}, first: 5) { edges { node { state direction price { amount } postings { account amount { amount } rule leg } } } } }",
        json!({"id": inquiry}),
    );
    let node = &settled["settlements"]["edges"][0]["node"];
    assert_eq!((&node["state"], &node["price"]["amount"]), (&json!("PENDING"), &json!("5.00")));
    let cents: i64 = node["postings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leg| text(&leg["amount"]["amount"]).replace('.', "").parse::<i64>().unwrap())
        .sum();
    assert_eq!(cents, 0);
    assert_eq!(node["postings"].as_array().unwrap().len(), 4);
    let wallets = town.agents[1]
        .1
        .ask("{ viewer { agent { wallets { balance { amount } held { amount } available { amount } } } } }", json!({}));
    assert_eq!(
        wallets["viewer"]["agent"]["wallets"],
        json!([{"balance": {"amount": "995.00"}, "held": {"amount": "0.00"}, "available": {"amount": "995.00"}}])
    );

    // The audit trail, as the provider reads it back; and the chain of every entry.
    let trail = town.provider.ask(
        "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { log seq type role prevHash hash data redacted } } pageInfo { hasNextPage } upTo { log seq hash } } }",
        json!({"id": inquiry}),
    );
    let types: Vec<String> =
        trail["auditTrail"]["edges"].as_array().unwrap().iter().map(|edge| text(&edge["node"]["type"])).collect();
    for wanted in [
        "offer.accepted.v1",
        "inquiry.registered.v1",
        "inquiry.information_requested.v1",
        "auction.opened.v1",
        "auction.bid_placed.v1",
        "auction.awarded.v1",
        "reservation.lapsed.v1",
        "auction.bid_forfeited.v1",
        "reservation.accepted.v1",
        "session.opened.v1",
        "settlement.escrowed.v1",
        "session.message_sent.v1",
        "session.ended.v1",
        "settlement.pending.v1",
        "inquiry.completed.v1",
    ] {
        assert!(types.iter().any(|name| name == wanted), "{wanted} is missing in {types:?}");
    }
    assert!(!types.iter().any(|name| name.starts_with("agent.")), "a provider sees no agent's status");
    assert!(!trail.to_string().contains("Carla"), "no personal data in clear");

    assert_eq!(house.stop(), 0, "SIGTERM is a good end");
    let verified = run(&["verify", "--data", scratch.join("data").to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

/// The pending reservation of an agent, if it has one.
fn reservation(town: &mut Town, agent: usize) -> Option<Value> {
    let seen = town.agents[agent].1.ask(
        "{ viewer { agent { reservation { id state attempt price { amount currency } inquiry { customer { displayName email masked } question } } } } }",
        json!({}),
    );
    Some(seen["viewer"]["agent"]["reservation"].clone()).filter(|found| !found.is_null())
}

#[test]
fn one_key_a_hundred_times_in_parallel_is_one_event_and_one_answer() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    // A window of four keys, so that it rotates; a restart comes on top.
    let house = House::open_with(&data, &["--keys-in-memory", "2"]);
    let mut town = Town::found(&house, 2);
    let offer = town
        .publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}), json!({}));
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    let one_key = key();
    let input = json!({"auctionId": auction, "amount": {"amount": "7.00", "currency": "EUR"}});
    let wanted = "bid { id }";
    let token = town.agents[0].1.token.clone();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (mut client, input, one_key) = (house.client(&token), input.clone(), one_key.clone());
                scope.spawn(move || client.give_keyed("placeBid", input, &one_key, wanted))
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let first = &answers[0];
    assert!(answers.iter().all(|answer| answer["bid"] == first["bid"]
        && answer["seq"] == first["seq"]
        && answer["userErrors"] == json!([])));
    assert_eq!(answers.iter().filter(|answer| answer["replayed"] == false).count(), 1);
    let count = |town: &mut Town| {
        town.agents[0].1.ask("query($id: ID!) { auction(id: $id) { bidCount } }", json!({"id": auction}))["auction"]["bidCount"].clone()
    };
    assert_eq!(count(&mut town), 1);

    // The window forgets it; the index does not.
    for cents in 1..20 {
        town.bid(usize::from(cents % 2 == 0), &auction, &format!("8.{cents:02}"));
    }
    let again = town.agents[0].1.give_keyed("placeBid", input.clone(), &one_key, wanted);
    assert_eq!((&again["bid"], &again["seq"], &again["replayed"]), (&first["bid"], &first["seq"], &json!(true)));
    let mut other = input.clone();
    other["amount"]["amount"] = json!("9.00");
    let refused = town.agents[0].1.give_keyed("placeBid", other.clone(), &one_key, wanted);
    assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");

    house.kill();
    let house = House::open_with(&data, &["--keys-in-memory", "2"]);
    let mut agent = house.client(&token);
    let again = agent.give_keyed("placeBid", input, &one_key, wanted);
    assert_eq!((&again["bid"], &again["seq"], &again["replayed"]), (&first["bid"], &first["seq"], &json!(true)));
    assert_eq!(
        agent.give_keyed("placeBid", other, &one_key, wanted)["userErrors"][0]["code"],
        "IDEMPOTENCY_KEY_REUSED"
    );
}
