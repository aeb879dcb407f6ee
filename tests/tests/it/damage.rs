//! A byte that changed on the disk, in an event that no start reads any more: whoever reads the log there is told, and
//! nobody is shown what it says now.

use serde_json::{Value, json};
use std::path::Path;
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, eventually, run, text};

/// A snapshot every few events.
const OFTEN: [&str; 2] = ["--snapshot-every", "7"];

/// What was written, and what a changed bit makes of it.
const AMOUNTS: [&str; 2] = ["4.37", "4.36"];

const TRAIL: &str =
    "query($id: ID, $first: Int!, $after: Cursor) { auditTrail(subject: $id, first: $first, after: $after) {
    edges { cursor node { seq type data hash } } pageInfo { hasNextPage endCursor } } }";

/// Whether there is a snapshot of the log's events beyond this position.
fn is_past(data: &Path, log: &str, seq: u64) -> bool {
    let Ok(entries) = std::fs::read_dir(data.join("snapshots").join(log)) else { return false };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut whole = names.filter(|name| name.ends_with(".snapshot"));
    whole.any(|name| name.split('-').next().unwrap().parse::<u64>().unwrap() > seq)
}

/// Changes every copy of the amount in a log's file; how many there were.
fn change(data: &Path, log: &str) -> usize {
    let path = data.join("logs").join(format!("{log}.sqlite"));
    let mut bytes = std::fs::read(&path).unwrap();
    let [written, changed] = AMOUNTS.map(|amount| format!("\"{amount}\"").into_bytes());
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&written)).collect();
    for at in &found {
        bytes[*at..*at + changed.len()].copy_from_slice(&changed);
    }
    std::fs::write(path, bytes).unwrap();
    found.len()
}

/// A trail, page by page, until it ends or says that it cannot be read.
fn pages(client: &mut Client, id: Option<&str>, first: u32) -> (Vec<Value>, Option<Value>) {
    let (mut nodes, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = client.send(TRAIL, json!({"id": id, "first": first, "after": after})).expect("the server answers");
        if let Some(error) = answer["errors"].get(0) {
            return (nodes, Some(error["extensions"]["code"].clone()));
        }
        let page = &answer["data"]["auditTrail"];
        nodes.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return (nodes, None);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// What a feed says until it ends: its items, and why.
fn told(mut feed: Sse) -> (Vec<Value>, Value) {
    let mut items = Vec::new();
    while let Some(mut answer) = feed.answer() {
        if let Some(error) = answer["errors"].get(0) {
            let code = error["extensions"]["code"].clone();
            assert_eq!(feed.answer(), None, "and that is its end");
            return (items, code);
        }
        items.push(answer["data"].take());
    }
    panic!("it ended without a word after {items:?}");
}

#[test]
fn a_byte_changed_below_the_snapshot_is_told_to_every_reader_and_shown_to_none() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open_with(&data, &OFTEN);
    let mut town = Town::found(&house, 2);
    let rules = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT12H"});
    let offer = town.publish(rules, json!({}));
    let accepted = town.accept(&house, &offer);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    assert_eq!(town.bid(0, &auction, "3.00")["userErrors"], json!([]));
    let query = "query($auction: ID!, $inquiry: ID!, $agent: ID!) { inquiry(id: $inquiry) { feedCursor queues { id } } agent(id: $agent) { feedCursor }
        auditTrail(subject: $auction, first: 1) { edges { cursor } } }";
    let ids = json!({"auction": auction, "inquiry": accepted["inquiry"]["id"], "agent": town.agents[1].0});
    let before = town.operator.ask(query, ids.clone());
    let own = town.agents[1].1.ask(query, ids);
    assert_eq!(town.bid(1, &auction, AMOUNTS[0])["userErrors"], json!([]));
    let (whole, end) = pages(&mut town.operator, Some(&auction), 100);
    let bid = whole.iter().find(|node| node["data"].to_string().contains(AMOUNTS[0])).unwrap();
    let seq: u64 = text(&bid["seq"]).parse().unwrap();
    assert_eq!((&bid["type"], end), (&json!("auction.bid_placed.v1"), None));
    // What has no part in it.
    let other = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    eventually("a snapshot past the bid", || {
        town.accept(&house, &offer);
        is_past(&data, "main", seq).then_some(())
    });
    assert_eq!(house.stop(), 0);
    // A start brings all pages into the file.
    let house = House::open_with(&data, &OFTEN);
    house.client("").ask("{ __typename }", json!({}));
    assert_eq!(house.stop(), 0);
    assert!(change(&data, "main") > 0);

    let house = House::open_with(&data, &OFTEN);
    town.move_to(&house);
    let (operator, agent) = (&town.operator.token, &town.agents[1].1.token);
    let queue = text(&before["inquiry"]["queues"][0]["id"]);
    let trail = before["auditTrail"]["edges"][0]["cursor"].clone();
    let audit = "subscription($id: ID, $after: Cursor) { auditFeed(subject: $id, after: $after) { entry { seq type data hash } } }";
    let of_queue =
        "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { meta { seq } kind } }";
    let of_agent =
        "subscription($after: Cursor) { agentFeed(after: $after) { meta { seq } kind bid { amount { amount } } } }";
    let feeds = [
        Sse::open(&house, operator, audit, json!({"id": auction, "after": trail})),
        Sse::open(&house, operator, audit, json!({"id": auction, "after": before["inquiry"]["feedCursor"]})),
        Sse::open(&house, operator, of_queue, json!({"id": queue, "after": before["inquiry"]["feedCursor"]})),
        Sse::open(&house, agent, of_agent, json!({"after": own["agent"]["feedCursor"]})),
    ];
    for feed in feeds {
        let (items, code) = told(feed);
        assert_eq!(code, "UNAVAILABLE", "{items:?}");
        assert!(!json!(items).to_string().contains(AMOUNTS[1]), "{items:?}");
        let at = |item: &Value| -> u64 {
            let item = item.as_object().unwrap().values().next().unwrap();
            let seq = if item["entry"].is_null() { &item["meta"]["seq"] } else { &item["entry"]["seq"] };
            text(seq).parse().unwrap()
        };
        assert!(items.iter().all(|item| at(item) < seq), "{items:?}");
    }
    for (id, first) in [(Some(auction.as_str()), 100), (Some(&auction), 1), (None, 100), (None, 3)] {
        let (nodes, end) = pages(&mut town.operator, id, first);
        assert_eq!(end, Some(json!("UNAVAILABLE")), "{id:?} {first}: {nodes:?}");
        assert!(!json!(nodes).to_string().contains(AMOUNTS[1]), "{nodes:?}");
    }
    // As it was once: folded over the event and refused, or taken from a snapshot of before.
    let past = "query($at: Seq, $id: ID!) { asOf(point: { seq: $at }, log: \"main\") { auction(id: $id) { price { amount } } } }";
    for at in seq..seq + 7 {
        let variables = json!({"at": at.to_string(), "id": auction});
        let answer = town.operator.send(past, variables).expect("the server answers");
        let refused = answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE";
        let shown = &answer["data"]["asOf"]["auction"]["price"]["amount"];
        assert!(refused || *shown == AMOUNTS[0], "{at}: {answer}");
    }
    // What has no part in it reads as ever. The log takes no commands once its chain was walked: see `snapshots`.
    let (nodes, end) = pages(&mut town.operator, Some(&other), 100);
    assert!(end.is_none() && !nodes.is_empty(), "{nodes:?}");
    house.stop();
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 1, "{}", verified.out);
    assert!(verified.out.contains(&format!("event {seq} ")), "{}", verified.out);
}
