//! Where agents sit, over HTTP: limits, reports, and who is passed over because of them.

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, eventually, text};

const PLACES: &str =
    "callServer { locations { name traffic limit trafficUnit reportedAt sessions sessionLimit avoided } }";

/// Home, as an answer about its call server shows it.
fn home(answer: &Value) -> Value {
    answer["callServer"]["locations"][0].clone()
}

fn report(client: &mut Client, traffic: &str, valid_for: &str) -> Value {
    let input = json!({"callServer": "main", "location": "home", "traffic": traffic, "validFor": valid_for});
    client.give("reportLocationTraffic", input, PLACES)
}

const ASKED: &str = "query($id: ID!) { inquiry(id: $id) { state reservation { id agent { id } } decisions(first: 20) { edges { node { kind excluded { reason count } } } } } }";

#[test]
fn where_too_much_goes_on_nobody_is_selected_until_it_is_less() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let place = |limit: &str, sessions: i32| {
        let home = json!({"name": "home", "limit": limit, "trafficUnit": "Mbit/s", "sessionLimit": sessions});
        json!({"callServer": "main", "locations": [home]})
    };
    let shown = home(&town.operator.give("updateCallServer", place("80", 2), PLACES));
    let expected = json!({"name": "home", "traffic": null, "limit": "80", "trafficUnit": "Mbit/s", "reportedAt": null, "sessions": 0, "sessionLimit": 2, "avoided": false});
    assert_eq!(shown, expected);
    let shown = home(&report(&mut town.operator, "80.5", "PT1H"));
    assert_eq!((&shown["traffic"], &shown["avoided"]), (&json!("80.5"), &json!(true)));
    assert!(shown["reportedAt"].is_string(), "{shown}");

    let offer = town.offer(json!({"routed": {}}), json!({"consentWindow": "PT10M"}));
    let accept = |town: &mut Town| text(&town.accept(&house, &offer)["inquiry"]["id"]);
    let first = accept(&mut town);
    let mut asked = |inquiry: &str| town.operator.ask(ASKED, json!({"id": inquiry}))["inquiry"].clone();
    let waits = asked(&first);
    assert_eq!(waits["state"], "QUEUED", "both sit where too much goes on");
    let reasons = waits["decisions"]["edges"].to_string();
    assert!(reasons.contains(r#"[{"count":2,"reason":"LOCATION_AVOIDED"}]"#), "{reasons}");

    // Less is reported: the answer to the report says who is asked already.
    let shown = home(&report(&mut town.operator, "79.9", "PT1H"));
    assert_eq!((&shown["avoided"], &shown["sessions"]), (&json!(false), &json!(1)));
    let mut asked = |inquiry: &str| town.operator.ask(ASKED, json!({"id": inquiry}))["inquiry"].clone();
    assert_eq!(asked(&first)["reservation"]["agent"]["id"], json!(town.agents[0].0));

    // A report that counts for a moment: then what waits is given out by itself.
    report(&mut town.operator, "80", "PT2S");
    let second = accept(&mut town);
    let mut asked = |inquiry: &str| town.operator.ask(ASKED, json!({"id": inquiry}))["inquiry"].clone();
    let given = eventually("the report is over", || {
        Some(asked(&second))
            .filter(|inquiry| inquiry["state"] == "RESERVED")
            .map(|inquiry| inquiry["reservation"].clone())
    });
    assert_eq!(given["agent"]["id"], json!(town.agents[1].0));
    let places = town.operator.ask("{ callServers { locations { traffic sessions avoided } } }", json!({}));
    let two = json!([{"traffic": null, "sessions": 2, "avoided": true}]);
    assert_eq!(places["callServers"][0]["locations"], two, "two of two: what we count ourselves");

    // Of a place that the call server does not name nobody reports anything.
    let absent = json!({"callServer": "main", "location": "away", "traffic": "1"});
    let refused = town.operator.give_keyed("reportLocationTraffic", absent, &tests::key(), "callServer { id }");
    assert_eq!(
        (&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"]),
        (&json!("NOT_FOUND"), &json!(["location"]))
    );
}

#[test]
fn an_auction_passes_over_who_sits_where_too_much_goes_on() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let home = json!({"callServer": "main", "locations": [{"name": "home", "sessionLimit": 0}, {"name": "away"}]});
    town.operator.give("updateCallServer", home, "callServer { id }");
    let away = json!({"agentId": town.agents[0].0, "location": "away"});
    town.operator.give("updateAgent", away, "agent { location }");
    let money = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let rules =
        json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT3S", "buyNow": "50.00"});
    let offer = town.publish(rules, json!({"consentWindow": "PT10M"}));
    let accepted = town.accept(&house, &offer);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    town.bid(0, &auction, "5.00");
    town.bid(1, &auction, "6.00");
    let all = json!({"auctionId": auction, "amount": money("50.00")});
    let refused = town.agents[1].1.give_keyed("placeBid", all, &tests::key(), "bid { id }");
    assert_eq!(refused["userErrors"][0]["code"], "LOCATION_AVOIDED", "it would end the auction for nobody: {refused}");
    assert_eq!(refused["userErrors"][0]["retryable"], json!(true));
    let document = "query($id: ID!) { auction(id: $id) { state winner { id } bids(first: 5) { edges { node { state lossReason } } } } }";
    let sold = eventually("the auction is over", || {
        let auction = town.operator.ask(document, json!({"id": auction}))["auction"].clone();
        Some(auction).filter(|auction| auction["state"] == "AWARDED")
    });
    assert_eq!(sold["winner"]["id"], json!(town.agents[0].0));
    assert!(sold["bids"].to_string().contains("NOT_FREE"), "{sold}");
    let held = town.agents[1].1.ask("{ viewer { agent { status wallets { held { amount } } } } }", json!({}));
    assert_eq!(held["viewer"]["agent"], json!({"status": "AVAILABLE", "wallets": [{"held": {"amount": "0.00"}}]}));
}
