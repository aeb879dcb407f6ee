//! Feeds through the schema, over a house in memory: what each viewer gets, and that a feed taken up again
//! at any of its cursors goes on as the one that ran.

use crate::graphql::testing::{House, Market, Who, market, text, who};
use domain::actor::Role;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use store::memory::Fault;

pub(super) const META: &str = "meta { cursor log seq replay }";
pub(super) const GAP: &str = "gap { reason resumeFrom }";

/// The next item; panics where none comes.
pub(super) async fn next(feed: &mut (impl Stream<Item = Value> + Unpin)) -> Value {
    let item = tokio::time::timeout(Duration::from_secs(10), feed.next()).await.expect("an item in time");
    item.expect("the feed goes on")
}

/// The next item's one root field, without errors.
pub(super) async fn item(feed: &mut (impl Stream<Item = Value> + Unpin)) -> Value {
    let mut item = next(feed).await;
    assert_eq!(item["errors"], Value::Null, "{item}");
    let root = item["data"].as_object_mut().expect("data").values_mut().next().expect("a root field");
    root.take()
}

/// Items until `last` holds, that one included.
pub(super) async fn until(feed: &mut (impl Stream<Item = Value> + Unpin), last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut items = Vec::new();
    loop {
        items.push(item(feed).await);
        if items.last().is_some_and(&last) {
            return items;
        }
    }
}

pub(super) fn kinds(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["kind"].as_str().expect("a kind")).collect()
}

/// `document` takes `$id` and `$after`.
pub(super) fn watch(
    house: &House,
    who: &Who,
    document: &str,
    id: &str,
    after: Value,
) -> impl Stream<Item = Value> + Unpin + use<> {
    house.watch(who, document, json!({ "id": id, "after": after }))
}

/// Bid by both, award, consent by the winner, a message each, the end, wrap-up done.
pub(super) async fn life(house: &House, market: &Market) {
    let session = engage(house, market).await;
    talk(house, market, &session).await;
}

/// The first part of it; the session.
pub(super) async fn engage(house: &House, market: &Market) -> Value {
    for (agent, amount) in market.agents.iter().zip(["7", "9"]) {
        let bid = json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
        house.tell(agent, "placeBid", bid, "bid { id }").await;
    }
    let ben = &market.agents[1];
    house.close(market).await;
    let reservation = house.pending(ben).await;
    let fields = "session { id channels { id } }";
    house.tell(ben, "acceptReservation", json!({ "reservationId": reservation }), fields).await["session"].take()
}

pub(super) async fn talk(house: &House, market: &Market, session: &Value) {
    let ben = &market.agents[1];
    for who in [ben, &market.customer] {
        let message =
            json!({ "sessionId": session["id"], "channelId": session["channels"][0]["id"], "text": "Hello." });
        house.tell(who, "sendMessage", message, "message { id }").await;
    }
    house.tell(ben, "endSession", json!({ "sessionId": session["id"] }), "session { id }").await;
    house.tell(ben, "completeWrapUp", json!({ "sessionId": session["id"] }), "session { id }").await;
}

pub(super) fn queue_feed() -> String {
    format!(
        "subscription($id: ID!, $after: Cursor) {{ queueFeed(queueId: $id, after: $after) {{ {META} kind inquiry {{ id state }} queue {{ depth }} {GAP} }} }}"
    )
}
pub(super) fn agent_feed() -> String {
    format!(
        "subscription($id: ID, $after: Cursor) {{ agentFeed(agentId: $id, after: $after) {{ {META} kind reservation {{ id state }} auction {{ id }} bid {{ id state }} agent {{ status }} session {{ id state }} notice {{ kind }} {GAP} }} }}"
    )
}
pub(super) fn audit_feed() -> String {
    format!(
        "subscription($id: ID, $after: Cursor) {{ auditFeed(subject: $id, after: $after) {{ {META} entry {{ seq log type }} {GAP} }} }}"
    )
}

fn agents_feed() -> String {
    format!(
        "subscription($id: String!, $after: Cursor) {{ agentsFeed(callServer: $id, after: $after) {{ {META} agent {{ id status load }} {GAP} }} }}"
    )
}
fn inquiry_feed() -> String {
    format!(
        "subscription($id: ID!, $after: Cursor) {{ inquiryFeed(inquiryId: $id, after: $after) {{ {META} inquiry {{ state }} position message {{ id text }} {GAP} }} }}"
    )
}
pub(super) fn session_feed() -> String {
    format!(
        "subscription($id: ID!, $after: Cursor) {{ sessionFeed(sessionId: $id, after: $after) {{ {META} kind session {{ id state }} message {{ id text }} {GAP} }} }}"
    )
}

pub(super) async fn queue_of(house: &House, inquiry: &str) -> Value {
    let query = "query($id: ID!) { inquiry(id: $id) { feedCursor queues { id feedCursor } } }";
    house.ask(&who(Role::Operator), query, json!({ "id": inquiry })).await["inquiry"].take()
}

#[tokio::test]
async fn a_queue_feed_tells_every_change_once() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    let queue = inquiry["queues"][0]["id"].as_str().unwrap().to_owned();
    let operator = who(Role::Operator);
    let mut feed = watch(&house, &operator, &queue_feed(), &queue, inquiry["queues"][0]["feedCursor"].clone());
    life(&house, &market).await;
    let items = until(&mut feed, |item| item["kind"] == "LEFT").await;
    assert_eq!(kinds(&items), ["CHANGED", "CHANGED", "CHANGED", "CHANGED", "LEFT"], "bid, bid, award, reservation");
    assert!(items.iter().all(|item| item["inquiry"]["id"] == market.inquiry && item["meta"]["log"] == "main"));
    assert_eq!(items[4]["queue"]["depth"], 0);
}

/// A feed of one log, and which of the log's events make its items.
struct Case {
    who: Who,
    document: String,
    id: String,
    after: Value,
    tells: fn(&str, &Value, &str) -> bool,
}

/// The event types that make items of these feeds, in the agent's for the events that name it.
fn tells_queue(of: &str, subjects: &Value, id: &str) -> bool {
    if of == "queue.retired.v1" {
        return subjects.as_array().unwrap().iter().any(|subject| subject == id);
    }
    ["auction.bid_placed.v1", "auction.awarded.v1", "reservation.opened.v1", "session.opened.v1"].contains(&of)
}
fn tells_agent(of: &str, subjects: &Value, id: &str) -> bool {
    let of_auction = ["auction.bid_placed.v1", "auction.bid_outbid.v1", "auction.awarded.v1", "auction.bid_lost.v1"];
    let named = subjects.as_array().unwrap().iter().any(|subject| subject == id);
    named && (of_auction.contains(&of) || tells_agents(of, subjects, id))
}
fn tells_agents(of: &str, _: &Value, _: &str) -> bool {
    let of_agent = ["agent.status_set.v1", "reservation.opened.v1", "reservation.accepted.v1"];
    let of_session = ["session.opened.v1", "session.ended.v1", "session.wrap_up_completed.v1"];
    of_agent.contains(&of) || of_session.contains(&of)
}
fn tells_session(of: &str, _: &Value, _: &str) -> bool {
    let of_session = ["session.opened.v1", "session.ended.v1", "session.wrap_up_completed.v1"];
    of == "session.message_sent.v1" || of_session.contains(&of)
}
fn tells_inquiry(of: &str, _: &Value, _: &str) -> bool {
    let of_session = ["session.opened.v1", "session.message_sent.v1", "session.ended.v1"];
    of == "reservation.opened.v1" || of == "inquiry.completed.v1" || of_session.contains(&of)
}

/// The house's events of `main` after this position, as an operator sees them: position, type, subjects.
async fn recorded(house: &House, after: u64) -> Vec<(u64, String, Value)> {
    let trail = "query($from: Seq) { auditTrail(filter: { log: \"main\", fromSeq: $from }, first: 100) {
        edges { node { seq type subjects } } pageInfo { hasNextPage } } }";
    let seen = house.ask(&who(Role::Operator), trail, json!({ "from": (after + 1).to_string() })).await;
    assert_eq!(seen["auditTrail"]["pageInfo"]["hasNextPage"], false);
    let nodes = seen["auditTrail"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]);
    nodes.map(|node| (seq_of(&node["seq"]), text(&node["type"]), node["subjects"].clone())).collect()
}

fn seq_of(value: &Value) -> u64 {
    value.as_str().expect("a position").parse().expect("a number")
}

#[tokio::test]
async fn a_feed_taken_up_at_any_cursor_goes_on_as_the_one_that_ran() {
    let house = House::start();
    let market = market(&house, "PROXY").await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    let (operator, ben) = (who(Role::Operator), market.agents[1].clone());
    let queue = text(&inquiry["queues"][0]["id"]);
    // One position of the log, as each viewer has it.
    let began = house.app.live.head(&"main".parse().unwrap()).unwrap().seq;
    let cursor = "query($id: ID!) { inquiry(id: $id) { feedCursor } }";
    let mut from = Vec::new();
    for who in [&operator, &ben, &market.customer] {
        from.push(house.ask(who, cursor, json!({ "id": market.inquiry })).await["inquiry"]["feedCursor"].take());
    }
    let case = |who: &Who, document: String, id: &str, after: &Value, tells| Case {
        who: who.clone(),
        document,
        id: id.to_owned(),
        after: after.clone(),
        tells,
    };
    let mut cases = vec![
        case(&operator, queue_feed(), &queue, &from[0], tells_queue),
        case(&ben, agent_feed(), &ben.1, &from[1], tells_agent),
        case(&operator, agents_feed(), "main", &from[0], tells_agents),
        case(&market.customer, inquiry_feed(), &market.inquiry, &from[2], tells_inquiry),
        case(&operator, inquiry_feed(), &market.inquiry, &from[0], tells_inquiry),
    ];
    let open = |case: &Case, after: &Value| watch(&house, &case.who, &case.document, &case.id, after.clone());
    for case in &cases {
        // Who leaves in the midst leaves nothing behind.
        drop(open(case, &case.after));
    }
    // These run while everything happens.
    let mut running: Vec<_> = cases.iter().map(|case| open(case, &case.after)).collect();
    let session = engage(&house, &market).await;
    for (who, from) in [(&ben, &from[1]), (&market.customer, &from[2])] {
        cases.push(case(who, session_feed(), session["id"].as_str().unwrap(), from, tells_session));
        running.push(open(&cases[cases.len() - 1], from));
    }
    talk(&house, &market, &session).await;
    house.tell(&ben, "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    let events = recorded(&house, began).await;
    for (case, feed) in cases.iter().zip(&mut running) {
        let told = events.iter().filter(|(_, of, subjects)| (case.tells)(of, subjects, &case.id));
        let expected: Vec<u64> = told.map(|(seq, ..)| *seq).collect();
        assert!(expected.len() >= 4, "{}: {events:?}", case.document);
        let mut ran = Vec::new();
        while ran.len() < expected.len() {
            ran.push(item(feed).await);
        }
        let seqs = |items: &[Value]| -> Vec<u64> { items.iter().map(|item| seq_of(&item["meta"]["seq"])).collect() };
        assert_eq!(seqs(&ran), expected, "{}: {events:?}", case.document);
        // What an item is of; its objects are as they are when it is delivered.
        let told = |items: &[Value]| -> Vec<Value> {
            items
                .iter()
                .map(|item| json!([item["meta"]["seq"], item["kind"], item["message"], item["notice"]]))
                .collect()
        };
        let mut at = case.after.clone();
        for skipped in 0..ran.len() {
            let mut again = open(case, &at);
            let mut items = Vec::new();
            while items.len() < ran.len() - skipped {
                items.push(item(&mut again).await);
            }
            assert_eq!(told(&items), told(&ran)[skipped..], "{} after {skipped}", case.document);
            assert!(items.iter().all(|item| item["meta"]["replay"] == true));
            at = ran[skipped]["meta"]["cursor"].clone();
        }
        // Behind the last there is nothing.
        nothing(&mut open(case, &at)).await;
    }
    drop(running);
    assert_eq!(house.app.feeds.readers(), 0);
}

#[tokio::test]
async fn an_agents_feed_shows_the_way_to_the_session() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let [ann, ben] = [&market.agents[0], &market.agents[1]];
    let mut of_ann = watch(&house, ann, &agent_feed(), &ann.1, Value::Null);
    let mut of_ben = watch(&house, ben, &agent_feed(), &ben.1, Value::Null);
    // Both must have begun before anything happens.
    let begun = tokio::join!(nothing(&mut of_ann), nothing(&mut of_ben));
    assert_eq!(begun, ((), ()));
    life(&house, &market).await;
    let mut items = until(&mut of_ben, |item| item["kind"] == "SESSION_CHANGED").await;
    items.push(item(&mut of_ben).await);
    let expected = [
        "BID_CHANGED",
        "BID_CHANGED",
        "RESERVATION_OPENED",
        "RESERVATION_ENDED",
        "SESSION_OPENED",
        "SESSION_CHANGED",
        "SESSION_CHANGED",
    ];
    assert_eq!(kinds(&items), expected);
    assert_eq!(items[1]["notice"]["kind"], "BID_WON");
    let items = until(&mut of_ann, |item| item["notice"]["kind"] == "BID_LOST").await;
    assert_eq!(kinds(&items), ["BID_CHANGED"; 3], "placed, outbid, lost");
    let one = watch(&house, ann, &agent_feed(), &ben.1, Value::Null);
    assert_refused(one, "FORBIDDEN").await;
}

/// Lets a feed begin, which has nothing to say yet.
pub(super) async fn nothing(feed: &mut (impl Stream<Item = Value> + Unpin)) {
    let said = tokio::time::timeout(Duration::from_millis(300), feed.next()).await;
    assert!(said.is_err(), "{said:?}");
}

pub(super) async fn assert_refused(mut feed: impl Stream<Item = Value> + Unpin, code: &str) {
    let answer = next(&mut feed).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
    let end = tokio::time::timeout(Duration::from_secs(10), feed.next()).await;
    assert_eq!(end.expect("it ends"), None);
}

#[tokio::test]
async fn who_may_not_see_a_thing_may_not_watch_it() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    let queue = inquiry["queues"][0]["id"].as_str().unwrap();
    let stranger = Who(Role::Customer, "cus_00000000000000000000000009".into());
    let other = Who(Role::Provider, "prv_00000000000000000000000009".into());
    let agents =
        "subscription($id: String!, $after: Cursor) { agentsFeed(callServer: $id, after: $after) { meta { seq } } }";
    let of_inquiry =
        "subscription($id: ID!, $after: Cursor) { inquiryFeed(inquiryId: $id, after: $after) { meta { seq } } }";
    let ticks = "subscription($id: ID!) { auctionTicks(auctionId: $id) { id } }";
    let (queues, audits) = (queue_feed(), audit_feed());
    for (who, document, id, code) in [
        (&market.provider, queues.as_str(), queue, "FORBIDDEN"),
        (&market.customer, &queues, queue, "FORBIDDEN"),
        (&self::who(Role::Anonymous), &queues, queue, "UNAUTHENTICATED"),
        (&market.agents[0], agents, "main", "FORBIDDEN"),
        (&market.provider, agents, "main", "FORBIDDEN"),
        (&self::who(Role::Operator), agents, "nowhere", "FORBIDDEN"),
        (&stranger, of_inquiry, &market.inquiry, "FORBIDDEN"),
        (&other, of_inquiry, &market.inquiry, "FORBIDDEN"),
        (&market.customer, ticks, &market.auction, "FORBIDDEN"),
        (&other, &audits, &market.inquiry, "FORBIDDEN"),
        (&stranger, &audits, &market.inquiry, "FORBIDDEN"),
        (&self::who(Role::Operator), &queues, "nonsense", "FORBIDDEN"),
    ] {
        assert_refused(watch(&house, who, document, id, Value::Null), code).await;
    }
    assert_eq!(house.app.feeds.readers(), 0);
}

#[tokio::test]
async fn a_cursor_holds_for_its_viewer_and_its_log_alone() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    let queue = inquiry["queues"][0]["id"].as_str().unwrap();
    let cursor = inquiry["queues"][0]["feedCursor"].as_str().unwrap().to_owned();
    let ann = &market.agents[0];
    assert_refused(watch(&house, ann, &queue_feed(), queue, cursor.clone().into()), "BAD_REQUEST").await;
    let mut flipped = cursor.clone();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    assert_refused(watch(&house, &who(Role::Operator), &queue_feed(), queue, flipped.into()), "BAD_REQUEST").await;
    // An inquiry's cursor is one of the same log.
    let mut feed = watch(&house, &who(Role::Operator), &queue_feed(), queue, inquiry["feedCursor"].clone());
    nothing(&mut feed).await;
    // A subject's or filter's audit cursor is that subject's and filter's.
    let mut feed = watch(&house, &who(Role::Operator), &audit_feed(), &market.inquiry, Value::Null);
    nothing(&mut feed).await;
    house.tell(&market.customer, "withdrawInquiry", json!({ "inquiryId": market.inquiry }), "inquiry { id }").await;
    let cursor = item(&mut feed).await["meta"]["cursor"].take();
    assert_refused(watch(&house, &who(Role::Operator), &audit_feed(), &market.auction, cursor.clone()), "BAD_REQUEST")
        .await;
    assert_refused(watch(&house, &market.provider, &audit_feed(), &market.inquiry, cursor), "BAD_REQUEST").await;
}

#[tokio::test]
async fn sealed_bids_reach_a_feed_when_their_auction_has_closed() {
    let house = House::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let [ann, _] = [&market.agents[0], &market.agents[1]];
    let operator = who(Role::Operator);
    let inquiry = queue_of(&house, &market.inquiry).await;
    let queue = inquiry["queues"][0]["id"].as_str().unwrap();
    let ticks = "subscription($id: ID!) { auctionTicks(auctionId: $id, maxPerSecond: 50) { state bidCount } }";
    let rivals = watch(&house, &market.agents[1], &agent_feed(), &market.agents[1].1, Value::Null);
    let mut silent = vec![
        Box::pin(rivals) as std::pin::Pin<Box<dyn Stream<Item = Value>>>,
        Box::pin(watch(&house, &operator, &agent_feed(), &ann.1, Value::Null)),
        Box::pin(watch(&house, &operator, &queue_feed(), queue, Value::Null)),
        Box::pin(watch(&house, &operator, &audit_feed(), &market.inquiry, Value::Null)),
        Box::pin(watch(&house, &market.provider, &audit_feed(), &market.inquiry, Value::Null)),
    ];
    let mut ticking = Box::pin(watch(&house, &operator, ticks, &market.auction, Value::Null));
    assert_eq!(item(&mut ticking).await["state"], "OPEN");
    for feed in &mut silent {
        nothing(feed).await;
    }
    let mut own = Box::pin(watch(&house, ann, &agent_feed(), &ann.1, Value::Null));
    nothing(&mut own).await;
    let bid = json!({ "auctionId": market.auction, "amount": { "amount": "7", "currency": "EUR" } });
    house.tell(ann, "placeBid", bid, "bid { id }").await;
    assert_eq!(item(&mut own).await["kind"], "BID_CHANGED");
    for feed in &mut silent {
        nothing(feed).await;
    }
    nothing(&mut ticking).await;

    house.close(&market).await;
    assert_eq!(item(&mut ticking).await["bidCount"], 1);
    for (at, viewer) in [(3, &operator), (4, &market.provider)] {
        let told = until(&mut silent[at], |item| item["entry"]["type"] == "auction.bid_placed.v1").await;
        let [.., closing, bid] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(closing["entry"]["type"], "auction.awarded.v1");
        assert_ne!(closing["meta"]["cursor"], bid["meta"]["cursor"]);
        // Taken up between the two, before them, or after them: nothing twice, nothing left out.
        let types =
            |items: &[Value]| -> Vec<String> { items.iter().map(|item| item["entry"]["type"].to_string()).collect() };
        let rest = until(&mut silent[at], |item| item["entry"]["type"] == "reservation.opened.v1").await;
        let ran: Vec<Value> = told.iter().chain(&rest).cloned().collect();
        for (skipped, from) in ran.iter().enumerate() {
            let mut again = watch(&house, viewer, &audit_feed(), &market.inquiry, from["meta"]["cursor"].clone());
            let mut items = Vec::new();
            while items.len() < ran.len() - skipped - 1 {
                items.push(item(&mut again).await);
            }
            assert_eq!(types(&items), types(&ran)[skipped + 1..], "after {skipped}");
        }
    }
}

#[tokio::test]
async fn after_a_fork_nobody_is_shown_what_was_lost() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let inquiry = queue_of(&house, &market.inquiry).await;
    let queue = inquiry["queues"][0]["id"].as_str().unwrap();
    let operator = who(Role::Operator);
    let mut feed = watch(&house, &operator, &queue_feed(), queue, inquiry["queues"][0]["feedCursor"].clone());
    let [ann, ben] = [&market.agents[0], &market.agents[1]];
    let bid = json!({ "auctionId": market.auction, "amount": { "amount": "7", "currency": "EUR" } });
    let placed = house.tell(ann, "placeBid", bid, "bid { id }").await;
    assert_eq!(item(&mut feed).await["kind"], "CHANGED");
    // A copy without the bid takes the log's place; the next command meets it.
    house.store.inject(&"main".parse().unwrap(), [Fault::DropTail(1)]);
    let document = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { bid { id } } }";
    let again = |key: char| {
        let amount = json!({ "amount": "9", "currency": "EUR" });
        json!({ "input": { "auctionId": market.auction, "amount": amount, "idempotencyKey": key.to_string().repeat(16) } })
    };
    let refused = house.run(ben, document, again('a')).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    let gap = item(&mut feed).await;
    assert_eq!((&gap["kind"], &gap["gap"]["reason"]), (&json!("GAP"), &json!("RETENTION")));
    assert_eq!(feed.next().await, None);
    // The views are folded anew beside whatever else goes on.
    let seen = "query($auction: ID!, $bid: ID!) { auction(id: $auction) { bidCount } node(id: $bid) { id }
        auditTrail(subject: $auction, first: 9, filter: { types: [\"auction.bid_placed.v1\"] }) { edges { node { id } } } }";
    let variables = json!({ "auction": market.auction, "bid": placed["bid"]["id"] });
    let expected = json!({ "auction": { "bidCount": 0 }, "node": null, "auditTrail": { "edges": [] } });
    let main: domain::log::LogName = "main".parse().unwrap();
    let mut last = (Value::Null, false);
    for _ in 0..200 {
        let checkpoint = house.app.history.checkpoint(&main).map(|checkpoint| checkpoint.head);
        let agree = checkpoint.is_some() && checkpoint == house.app.live.head(&main);
        last = (house.ask(&operator, seen, variables.clone()).await, agree);
        if last == (expected.clone(), true) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(last, (expected, true));
    // The customer is still there, and the log takes nothing more.
    let customer = house
        .ask(
            &market.customer,
            "query($id: ID!) { inquiry(id: $id) { customer { displayName } } }",
            json!({ "id": market.inquiry }),
        )
        .await;
    assert_eq!(customer["inquiry"]["customer"]["displayName"], "Carl");
    let refused = house.run(ben, document, again('b')).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    let mut feed = watch(&house, &operator, &queue_feed(), queue, Value::Null);
    assert_eq!(item(&mut feed).await["kind"], "GAP");
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn more_sealed_bids_than_a_page_are_let_out_once_each() {
    let house = House::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let operator = who(Role::Operator);
    let mut feed = watch(&house, &operator, &audit_feed(), &market.inquiry, Value::Null);
    nothing(&mut feed).await;
    // Each later bid of an agent supersedes its earlier one; all of them are told.
    let mut bids = Vec::new();
    for number in 0..200 {
        let amount = json!({ "amount": format!("{}.{:02}", 5 + number / 100, number % 100), "currency": "EUR" });
        let bid = json!({ "auctionId": market.auction, "amount": amount });
        let agent = &market.agents[number % 2];
        bids.push(house.tell(agent, "placeBid", bid, "bid { id }").await["seq"].take());
    }
    let within = bids[..100].to_vec();
    let document = "subscription($id: ID, $to: Seq) { auditFeed(subject: $id, filter: { log: \"main\", toSeq: $to }) { entry { seq } } }";
    let mut bounded = house.watch(&operator, document, json!({ "id": market.inquiry, "to": bids[100] }));
    nothing(&mut bounded).await;
    house.close(&market).await;
    let told = until(&mut feed, |item| item["entry"]["type"] == "reservation.opened.v1").await;
    let late: Vec<&Value> = told.iter().filter(|item| item["entry"]["type"] == "auction.bid_placed.v1").collect();
    let seqs: Vec<Value> = late.iter().map(|item| item["entry"]["seq"].clone()).collect();
    assert_eq!(seqs, bids);
    // Taken up among the last of them.
    let mut again = watch(&house, &operator, &audit_feed(), &market.inquiry, late[190]["meta"]["cursor"].clone());
    for expected in &late[191..] {
        assert_eq!(item(&mut again).await["entry"], expected["entry"]);
    }
    // A filter bounds what is told, not the closing that lets it out.
    let mut seqs = Vec::new();
    while seqs.len() < within.len() {
        seqs.push(item(&mut bounded).await["entry"]["seq"].take());
    }
    assert_eq!(seqs, within);
}

#[tokio::test]
async fn a_wait_is_estimated_once_five_were_answered() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let offer = json!({
        "title": "Card help", "channels": ["MESSAGE"], "links": [{ "label": "Old", "topic": "cards/old" }],
        "allocation": { "claim": {} },
    });
    let offer = house.tell(&market.provider, "publishOffer", offer, "offer { id links { id } }").await;
    let accept = json!({
        "offerId": offer["offer"]["id"], "linkId": offer["offer"]["links"][0]["id"], "channel": "MESSAGE",
    });
    let mut inquiries = Vec::new();
    for _ in 0..7 {
        let accepted =
            house.tell(&who(Role::Anonymous), "acceptOffer", accept.clone(), "inquiry { id } customerToken").await;
        let token = house.app.signing.verify(accepted["customerToken"].as_str().unwrap()).unwrap();
        let customer = Who(Role::Customer, token.actor.id().unwrap());
        inquiries.push((accepted["inquiry"]["id"].as_str().unwrap().to_owned(), customer));
    }
    let (last, customer) = inquiries.pop().unwrap();
    let document = "subscription($id: ID!) { inquiryFeed(inquiryId: $id) { position estimatedWait { low high } } }";
    let mut feed = house.watch(&customer, document, json!({ "id": last }));
    nothing(&mut feed).await;
    // Who withdraws was not answered.
    let (gone, left) = inquiries.remove(0);
    house.tell(&left, "withdrawInquiry", json!({ "inquiryId": gone }), "inquiry { id }").await;
    let mut told = vec![item(&mut feed).await];
    let agent = &market.agents[0];
    for (inquiry, _) in &inquiries {
        let claimed = house.tell(agent, "claimInquiry", json!({ "inquiryId": inquiry }), "session { id }").await;
        let session = claimed["session"]["id"].clone();
        house.tell(agent, "endSession", json!({ "sessionId": session }), "inquiry { state }").await;
        told.push(item(&mut feed).await);
    }
    let positions: Vec<i64> = told.iter().map(|item| item["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, [6, 5, 4, 3, 2, 1]);
    let known: Vec<bool> = told.iter().map(|item| item["estimatedWait"].is_object()).collect();
    assert_eq!(known, [false, false, false, false, false, true], "{told:?}");
    assert!(told[5]["estimatedWait"]["high"].as_str().unwrap().starts_with("PT"), "{told:?}");
    // A feed that begins now knows what the others waited, and so does one after a restart: it is the house's view.
    let wait = house.app.live.estimated_wait(last.parse().unwrap()).unwrap();
    assert!(wait.0 <= wait.1, "{wait:?}");
}
