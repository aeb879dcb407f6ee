//! A clean end and a new start: every kind of object reads the same after it, to everybody, whether the start
//! folds the logs from zero or takes snapshots.

use serde_json::{Value, json};
use std::path::Path;
use tests::{Client, House, Scratch, Town, copy, differences, eventually, run, text};

/// What is asked, each in a request of its own; `serverNow` is not. Those with `$id` are asked for every id
/// of that kind that the operator sees.
const LISTS: [&str; 13] = [
    "{ viewer { id role agent { ...agent } provider { id name } customer { id displayName email } } }",
    "{ offers(first: 20) { edges { node { id revision title state links { id label topic } allocation { __typename } } } } }",
    "{ callServers { id name topics queueDepth agentsAvailable head locations { name sessions } } }",
    "{ queues(first: 20) { edges { node { ...queue } } } }",
    "{ inquiries(first: 50) { edges { node { id seq state position auction { id } reservation { id } session { id } settlement { id } } } } }",
    "{ auctions(first: 20) { edges { node { ...auction } } } }",
    "{ agents(first: 20) { edges { node { id status load reservation { id } sessions { id } } } } }",
    "{ accounts(first: 20) { edges { node { ...account } } } }",
    "{ settlements(first: 20) { edges { node { id state at price { amount } postings { account leg amount { amount } } } } } }",
    "{ auditTrail(first: 100) { edges { node { id log seq type data redacted hash } } upTo { log seq hash } } }",
    "{ auditTrail(reverse: true, first: 100) { edges { node { id log seq type data redacted hash } } } }",
    "{ agents(filter: {statuses: [BREAK]}, first: 20) { edges { node { id } } } }",
    "{ auctions(filter: {states: [OPEN]}, first: 20) { edges { node { id } } } }",
];
const OBJECTS: [(&str, &str); 6] = [
    ("queues", "query($id: ID!) { queue(id: $id) { ...queue } }"),
    ("inquiries", "query($id: ID!) { inquiry(id: $id) { ...inquiry } }"),
    ("auctions", "query($id: ID!) { auction(id: $id) { ...auction inquiry { id } } }"),
    ("agents", "query($id: ID!) { agent(id: $id) { ...agent } }"),
    ("accounts", "query($id: ID!) { account(id: $id) { ...account } }"),
    ("settlements", "query($id: ID!) { node(id: $id) { id __typename } }"),
];
const SESSION: &str = "query($session: ID!, $channel: ID!, $customer: ID!) {
  session(id: $session) { ...session messages(channelId: $channel, first: 20) { edges { node { id author text at seq agent { id } } } } }
  customer(id: $customer) { id displayName email phone masked since records(first: 5) { edges { node { at topics seconds notes disposition } } } }
}";
const FRAGMENTS: [(&str, &str); 7] = [
    ("...queue", "fragment queue on Queue { id seq state topic depth oldestAt origin bornFrom inquiries(first: 20) { edges { node { id position } } } }"),
    ("...inquiry", "fragment inquiry on Inquiry {
        id seq state topics position acceptedAt expiresAt question language customer { id displayName masked } customerInformation { requestedAt answeredAt outcome }
        auction { id } reservation { ...reservation } session { ...session } settlement { id } queues { id }
        auctions(first: 5) { edges { node { ...auction } } } reservations(first: 5) { edges { node { ...reservation } } }
        decisions(first: 10) { edges { node { seq at kind rule excluded { reason count } candidates(first: 5) { edges { node { rank score bid { amount } } } } } } }
    }"),
    ("...agent", "fragment agent on Agent {
        id seq displayName location skills { name level } status statusReason statusSince will capacity load reservation { ...reservation } sessions { id }
        wallets { ...account } notices(first: 20) { edges { node { id at kind reservation { id } bid { id } secondAgent { id } } } }
    }"),
    ("...auction", "fragment auction on Auction {
        id seq round state opensAt closesAt hardClosesAt price { amount } minimumBid { amount } reserveMet bidCount myBid { id state amount { amount } }
        bids(first: 10) { edges { node { id bidder amount { amount } state placedAt lossReason } } } winner { id } clearingPrice { amount }
    }"),
    ("...reservation", "fragment reservation on Reservation { id state attempt reservedAt deadline price { amount } informationViewedAt agent { id } }"),
    ("...session", "fragment session on Session { id seq state startedAt endedAt endedBy wrapUpDeadline notes participants { customer joinedAt leftAt agent { id displayName } } channels { id kind purpose state openedAt closedAt } record { id notes } }"),
    ("...account", "fragment account on Account { id seq balance { amount } held { amount } available { amount } creditLimit { amount } holds(first: 10) { edges { node { amount { amount } since bid { id } } } } postings(first: 10) { edges { node { id leg amount { amount } } } } }"),
];

/// A document with the fragments that it names, and those that they name.
fn whole(document: &str) -> String {
    let mut document = document.to_owned();
    while let Some((_, fragment)) =
        FRAGMENTS.iter().find(|(name, text)| document.contains(name) && !document.contains(text))
    {
        document.push_str(fragment);
    }
    document
}

/// Everything that this viewer can ask for, of everything that there is.
fn look(client: &mut Client, ids: &[(&str, String)], session: &Value) -> Value {
    let lists = LISTS.iter().map(|list| ((*list).to_owned(), client.ask(&whole(list), json!({}))));
    let mut seen: serde_json::Map<String, Value> = lists.collect();
    for (kind, id) in ids {
        let (_, document) = OBJECTS.iter().find(|(name, _)| name == kind).expect("a kind of object");
        seen.insert(format!("{kind} {id}"), client.ask(&whole(document), json!({"id": id})));
    }
    seen.insert("session".into(), client.ask(&whole(SESSION), session.clone()));
    Value::Object(seen)
}

fn auction(format: &str, open_for: &str, rounds: u32) -> Value {
    json!({"direction": "FORWARD", "format": format, "currency": "EUR", "openFor": open_for, "rounds": rounds})
}

/// Accepts, bids, waits for the reservation, and consents: inquiry, session, MAIN channel, customer.
fn engage(house: &House, town: &mut Town, agent: usize, wrap_up: &str) -> (String, String, String, Client) {
    let offer = town.publish(auction("PROXY", "PT1S", 1), json!({"consentWindow": "PT1M", "wrapUp": wrap_up}));
    let (reservation, accepted) = reserve(house, town, agent, &offer);
    let wanted = "session { id channels { id purpose } }";
    let session =
        town.agents[agent].1.give("acceptReservation", json!({"reservationId": reservation}), wanted)["session"]
            .clone();
    let customer = house.client(&text(&accepted["customerToken"]));
    (text(&accepted["inquiry"]["id"]), text(&session["id"]), text(&session["channels"][0]["id"]), customer)
}

fn reserve(house: &House, town: &mut Town, agent: usize, offer: &(String, String)) -> (Value, Value) {
    let accepted = town.accept(house, offer);
    let bid = town.bid(agent, &text(&accepted["inquiry"]["auction"]["id"]), "3.00");
    assert_eq!(bid["userErrors"], json!([]));
    let client = &mut town.agents[agent].1;
    let reservation = eventually("the winner is asked", || {
        let seen = client.ask("{ viewer { agent { reservation { id } } } }", json!({}));
        Some(seen["viewer"]["agent"]["reservation"]["id"].clone()).filter(|id| !id.is_null())
    });
    (reservation, accepted)
}

#[test]
fn everything_reads_the_same_after_a_clean_restart() {
    let scratch = Scratch::new();
    reads_the_same(&scratch.join("data"), &[]);
}

#[test]
fn everything_reads_the_same_after_a_start_from_snapshots() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    // Few events lie past a snapshot, and which ones is chance.
    reads_the_same(&data, &["--snapshot-every", "5"]);
    let logs = ["community", "main", "treasury"];
    for log in logs {
        assert!(std::fs::read_dir(data.join("snapshots").join(log)).unwrap().next().is_some(), "{log} has snapshots");
    }
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    assert_eq!(verified.out.matches(" good, 0 damaged").count(), logs.len(), "{}", verified.out);
}

/// A day of every kind of object, with houses started so.
fn reads_the_same(data: &Path, options: &[&str]) {
    let house = House::open_with(data, options);
    let mut town = Town::found(&house, 6);
    let ask = "query($id: ID!) { inquiry(id: $id) { state position queues { id } customer { id } } agent(id: $id) { status } }";

    // Agent 0 lapses and is on a break, with a notice.
    let brief = town.publish(auction("PROXY", "PT1S", 1), json!({"consentWindow": "PT1S"}));
    let (_, lapsed) = reserve(&house, &mut town, 0, &brief);
    // Agent 1 is in a session with messages, agent 2 in wrap-up with notes.
    let (_, session, channel, mut customer) = engage(&house, &mut town, 1, "PT10M");
    let say = |text: &str| json!({"sessionId": session, "channelId": channel, "text": text});
    town.agents[1].1.give("sendMessage", say("Good day"), "message { id }");
    customer.give("sendMessage", say("My card is gone"), "message { id }");
    town.agents[1].1.give("saveNotes", json!({"sessionId": session, "notes": "asks for a new card"}), "session { id }");
    let (_, ended, ..) = engage(&house, &mut town, 2, "PT10M");
    town.agents[2].1.give("endSession", json!({"sessionId": ended}), "session { state }");
    // Two inquiries that nobody bid for stand in their queue.
    let unsold = town.publish(auction("SEALED_FIRST_PRICE", "PT1S", 1), json!({}));
    let waiting: Vec<String> = (0..2).map(|_| text(&town.accept(&house, &unsold)["inquiry"]["id"])).collect();
    let queued = eventually("both stand in the queue", || {
        let seen: Vec<Value> =
            waiting.iter().map(|id| town.operator.ask(ask, json!({"id": id}))["inquiry"].clone()).collect();
        Some(seen).filter(|seen| seen.iter().all(|inquiry| inquiry["state"] == "QUEUED"))
    });
    let places: Vec<i64> = queued.iter().map(|inquiry| inquiry["position"].as_i64().expect("a position")).collect();
    assert!(places[0] < places[1], "first come, first: {places:?}");
    eventually("the lapse", || {
        let seen = town.operator.ask(ask, json!({"id": town.agents[0].0}));
        Some(()).filter(|()| seen["agent"]["status"] == "BREAK")
    });
    // Open auctions with holds, a sealed one and an open one; agent 4 outbids agent 3.
    for format in ["SEALED_SECOND_PRICE", "PROXY", "OPEN"] {
        let offer = town.publish(auction(format, "PT12H", 2), json!({}));
        let id = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
        for (agent, amount) in [(3, "5.00"), (4, "8.00")] {
            assert_eq!(town.bid(agent, &id, amount)["userErrors"], json!([]), "{format}");
        }
    }
    // A pending reservation, last of all: its window is long.
    let long = town.publish(auction("PROXY", "PT1S", 1), json!({"consentWindow": "PT10M"}));
    let (_, reserved) = reserve(&house, &mut town, 5, &long);
    let subject = text(&reserved["inquiry"]["id"]);
    let seen = town.operator.ask(ask, json!({"id": subject}))["inquiry"].clone();
    assert_eq!(seen["state"], "RESERVED");

    let ids = json!({"session": session, "channel": channel, "customer": seen["customer"]["id"]});
    let mut viewers: Vec<(String, Client)> = vec![
        ("the operator".into(), town.operator.at(&house)),
        ("finance".into(), town.finance.at(&house)),
        ("the provider".into(), town.provider.at(&house)),
        ("a customer in a session".into(), customer.at(&house)),
        ("a customer before one".into(), house.client(&text(&reserved["customerToken"]))),
        ("a customer whose agent lapsed".into(), house.client(&text(&lapsed["customerToken"]))),
        ("nobody".into(), house.client("")),
    ];
    for (number, (_, client)) in town.agents.iter().enumerate() {
        viewers.push((format!("agent {number}"), client.at(&house)));
    }
    let mut objects = Vec::new();
    for (kind, _) in OBJECTS {
        let list = format!(
            "query($after: Cursor) {{ {kind}(first: 100, after: $after) {{ edges {{ node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let found = town.operator.pages(kind, &list, json!({}));
        assert!(!found.is_empty(), "the story has no {kind}");
        objects.extend(found.iter().map(|node| (kind, text(&node["id"]))));
    }
    let before: Vec<Value> = viewers.iter_mut().map(|(_, client)| look(client, &objects, &ids)).collect();
    let of_operator = before[0].to_string();
    for wanted in [
        "IN_AUCTION",
        "QUEUED",
        "RESERVED",
        "ENGAGED",
        "WRAP_UP",
        "PENDING",
        "BREAK",
        "RESERVATION_LAPSED",
        "BID_OUTBID",
        "ESCROWED",
    ] {
        assert!(of_operator.contains(&format!("\"{wanted}\"")), "the story has no {wanted}");
    }
    assert!(before[3].to_string().contains("My card is gone"));

    assert_eq!(house.stop(), 0);
    let house = House::open_with(data, options);
    for ((who, client), before) in viewers.iter().zip(&before) {
        let after = look(&mut client.at(&house), &objects, &ids);
        assert_eq!(differences(before, &after), Vec::<String>::new(), "to {who} something reads otherwise");
    }
}

#[test]
fn a_community_log_that_came_back_older_is_found_before_it_is_built_on() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let rules = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"});
    let offer = town.publish(rules, json!({}));
    town.accept(&house, &offer);
    assert_eq!(house.stop(), 0);
    let older = scratch.join("older");
    copy(&data, &older);
    let house = House::open(&data);
    town.move_to(&house);
    town.accept(&house, &offer);
    assert_eq!(house.stop(), 0);
    // Only this log comes back, and the history goes, as somebody in a hurry would do it.
    for entry in std::fs::read_dir(data.join("logs")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("community") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(older.join("logs")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("community") {
            std::fs::copy(entry.path(), data.join("logs").join(entry.file_name())).unwrap();
        }
    }
    for file in ["history.sqlite", "history.sqlite-wal", "history.sqlite-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    let folder = data.to_str().unwrap();
    let verified = run(&["verify", "--data", folder]);
    assert_eq!(verified.code, 1, "{}", verified.out);
    assert!(verified.out.contains("log main: it has taken over position"), "{}", verified.out);
    let served = run(&["serve", "--listen", "127.0.0.1:0", "--data", folder]);
    assert_eq!(served.code, 1);
    assert!(served.err.contains("community"), "{}", served.err);
}
