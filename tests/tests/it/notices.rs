//! What an agent is told is kept until it says that it has read it: over a restart, page by page, and as it was before.

use serde_json::{Value, json};
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, key, text};

/// More than an agent keeps in memory as they are.
const OUTBID: usize = 108;
const PAGE: &str = "query($after: Cursor) { viewer { agent { unreadNotices notices(first: 40, after: $after) {
    edges { node { id kind readAt bid { amount { amount } } } } pageInfo { hasNextPage endCursor } } } } }";

/// All of them, and how many of them are said to be unread.
fn notices(client: &mut Client, unread: Option<bool>) -> (Vec<Value>, Value) {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let seen = client.ask(PAGE, json!({"after": after}))["viewer"]["agent"].clone();
        let page = &seen["notices"];
        let wanted = |node: &&Value| unread.is_none_or(|unread| unread == node["readAt"].is_null());
        all.extend(page["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]).filter(wanted).cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return (all, seen["unreadNotices"].clone());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[test]
fn a_notice_is_kept_until_its_agent_has_read_it() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H",
        "increment": [{"from": "0.00", "by": "0.01"}]});
    let offer = town.publish(auction, json!({}));
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    for round in 0..OUTBID {
        town.bid(0, &auction, &format!("{}.00", 2 * round + 1));
        town.bid(1, &auction, &format!("{}.00", 2 * round + 2));
    }

    // All of them, the oldest first, though memory has fewer.
    let ann = town.agents[0].0.clone();
    let (all, unread) = notices(&mut town.agents[0].1, None);
    let amounts: Vec<String> = all.iter().map(|one| text(&one["bid"]["amount"]["amount"])).collect();
    let bids: Vec<String> = (0..OUTBID).map(|round| format!("{}.00", 2 * round + 1)).collect();
    assert_eq!((amounts, unread), (bids, json!(OUTBID)));
    assert!(all.iter().all(|one| one["kind"] == "BID_OUTBID" && one["readAt"].is_null()));
    // Also by its id, to the agent itself.
    let node = "query($id: ID!) { node(id: $id) { ... on Notice { kind readAt } } }";
    let oldest = json!({"id": all[0]["id"]});
    assert_eq!(town.agents[0].1.ask(node, oldest.clone())["node"]["kind"], "BID_OUTBID");
    assert_eq!(town.agents[1].1.ask(node, oldest)["node"], Value::Null);

    // Its console elsewhere hears of it.
    let from =
        town.agents[0].1.ask("{ viewer { agent { feedCursor } } }", json!({}))["viewer"]["agent"]["feedCursor"].clone();
    let feed = "subscription($after: Cursor) { agentFeed(after: $after) { kind notice { id readAt } agent { unreadNotices } } }";
    let mut console = Sse::open(&house, &town.agents[0].1.token, feed, json!({"after": from}));
    let before = text(
        &town.operator.ask("query($id: ID!) { agent(id: $id) { seq callServer { head } } }", json!({"id": ann}))["agent"]
            ["callServer"]["head"],
    );
    let wanted = "agent { unreadNotices }";
    let (fifth, once) = (json!({"noticeId": all[4]["id"]}), key());
    let read = town.agents[0].1.give_keyed("readNotices", fifth.clone(), &once, wanted);
    assert_eq!((&read["userErrors"], &read["agent"]["unreadNotices"]), (&json!([]), &json!(OUTBID - 5)));
    let heard = console.answer().unwrap()["data"]["agentFeed"].clone();
    assert_eq!((&heard["kind"], &heard["agent"]["unreadNotices"]), (&json!("NOTICE"), &json!(OUTBID - 5)));
    let (left, _) = notices(&mut town.agents[0].1, Some(true));
    assert_eq!(left[0]["id"], all[5]["id"]);
    // The same again is the same answer, though what it names is kept no more; a new request finds nothing.
    let again = town.agents[0].1.give_keyed("readNotices", fifth.clone(), &once, wanted);
    assert_eq!((&again["seq"], &again["replayed"]), (&read["seq"], &json!(true)));
    let gone = town.agents[0].1.give_keyed("readNotices", fifth, &key(), wanted);
    assert_eq!(gone["userErrors"][0]["code"], "NOT_FOUND");
    // Another's notice is nobody else's to read.
    let foreign = town.agents[1].1.give_keyed("readNotices", json!({"noticeId": all[9]["id"]}), &key(), wanted);
    assert_eq!(foreign["userErrors"][0]["code"], "NOT_FOUND");

    // One of the newest hundred: it stays, and says since when it is read.
    let tenth = &left[9]["id"];
    town.agents[0].1.give("readNotices", json!({"noticeId": tenth}), wanted);
    let (shown, unread) = notices(&mut town.agents[0].1, Some(false));
    assert_eq!(unread, json!(OUTBID - 15));
    let read_at = shown.last().map(|one| (one["id"].clone(), one["readAt"].clone())).unwrap();
    assert!(read_at.0 == *tenth && read_at.1.is_string(), "{read_at:?}");
    let (left, _) = notices(&mut town.agents[0].1, Some(true));
    assert_eq!((left.len(), &left[0]["id"]), (OUTBID - 15, &all[15]["id"]));

    // As it was before: all unread, and as many.
    let then = "query($id: ID!, $seq: Seq!) { asOf(point: {seq: $seq}, log: \"main\") { agent(id: $id) { unreadNotices
        notices(first: 100) { edges { node { id } } } } } }";
    let past = town.agents[0].1.ask(then, json!({"id": ann, "seq": before}))["asOf"]["agent"].clone();
    assert_eq!((&past["unreadNotices"], &past["notices"]["edges"][0]["node"]["id"]), (&json!(OUTBID), &all[0]["id"]));
    // Who does not see what it is told does not see how much of it is unread.
    let seen = town.operator.ask("query($id: ID!) { agent(id: $id) { unreadNotices } }", json!({"id": ann}));
    assert_eq!(seen["agent"]["unreadNotices"], json!(OUTBID - 15));

    drop(console);
    assert_eq!(house.stop(), 0);
    let house = House::open(&data);
    town.move_to(&house);
    let (after, unread) = notices(&mut town.agents[0].1, None);
    assert_eq!((after.len(), unread), (100, json!(OUTBID - 15)));
    let one = after.iter().find(|one| one["id"] == *tenth).unwrap();
    assert_eq!(one["readAt"], read_at.1);
}
