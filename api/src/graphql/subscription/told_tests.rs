//! What single feeds tell: a session to those in it, an auction's state, an agent's notices of long ago.

use super::tests::{agent_feed, assert_refused, engage, item, kinds, nothing, session_feed, talk, until, watch};
use crate::graphql::testing::{House, Who, market, text, who};
use domain::actor::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_is_told_to_those_in_it_and_to_nobody_else() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let session = engage(&house, &market).await;
    let id = session["id"].as_str().unwrap();
    let [ann, ben] = [&market.agents[0], &market.agents[1]];
    let mut feeds = vec![
        watch(&house, ben, &session_feed(), id, Value::Null),
        watch(&house, &market.customer, &session_feed(), id, Value::Null),
    ];
    for feed in &mut feeds {
        nothing(feed).await;
    }
    talk(&house, &market, &session).await;
    for feed in &mut feeds {
        let mut items = Vec::new();
        while items.len() < 4 {
            items.push(item(feed).await);
        }
        assert_eq!(kinds(&items), ["MESSAGE", "MESSAGE", "STATE", "STATE"]);
        assert!(items[..2].iter().all(|item| item["message"]["text"] == "Hello."), "{items:?}");
        assert!(items[2..].iter().all(|item| item["message"].is_null()), "{items:?}");
        assert_eq!(items[3]["session"], json!({ "id": id, "state": "CLOSED" }));
        nothing(feed).await;
    }
    let stranger = Who(Role::Customer, "cus_00000000000000000000000009".into());
    let other = Who(Role::Provider, "prv_00000000000000000000000009".into());
    for (who, code) in [
        (ann, "FORBIDDEN"),
        (&stranger, "FORBIDDEN"),
        (&other, "FORBIDDEN"),
        (&self::who(Role::Anonymous), "UNAUTHENTICATED"),
    ] {
        assert_refused(watch(&house, who, &session_feed(), id, Value::Null), code).await;
    }
}

/// Ticks are a state: what is taken up anew begins with the present one. None is older than the one before, none
/// comes sooner than asked, and the last one comes.
#[tokio::test]
async fn ticks_show_what_is_and_never_more_often_than_asked() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let all = "subscription($id: ID!) { auctionTicks(auctionId: $id) { state bidCount price { amount } } }";
    let slow = all.replace("auctionId: $id", "auctionId: $id, maxPerSecond: 2");
    let start = tokio::time::Instant::now();
    let open = |document: &str| house.watch(&market.agents[0], document, json!({ "id": market.auction }));
    let mut feeds = [(open(all), 10), (open(&slow), 2)];
    for (feed, _) in &mut feeds {
        assert_eq!(item(feed).await["bidCount"], 0);
    }
    const BIDS: i64 = 12;
    for bid in 1..=BIDS {
        let amount = json!({ "amount": format!("{}", 4 + bid), "currency": "EUR" });
        let input = json!({ "auctionId": market.auction, "amount": amount });
        house.tell(&market.agents[bid as usize % 2], "placeBid", input, "bid { id }").await;
        // Whoever comes now sees what is now.
        let first = item(&mut open(all)).await;
        assert_eq!((&first["bidCount"], &first["price"]["amount"]), (&json!(bid), &json!(format!("{}.00", 4 + bid))));
    }
    house.close(&market).await;
    for (feed, per_second) in &mut feeds {
        let told = until(feed, |tick| tick["state"] == "AWARDED").await;
        // The first stood before.
        let least = std::time::Duration::from_secs(told.len() as u64) / *per_second;
        assert!(start.elapsed() >= least, "{} ticks in {:?}", told.len() + 1, start.elapsed());
        let counts: Vec<i64> = told.iter().map(|tick| tick["bidCount"].as_i64().unwrap()).collect();
        assert!(counts.is_sorted(), "{counts:?}");
        assert_eq!(counts.last(), Some(&BIDS));
        for tick in told.iter().filter(|tick| tick["bidCount"] != 0) {
            let price = format!("{}.00", 4 + tick["bidCount"].as_i64().unwrap());
            assert_eq!(tick["price"]["amount"], price, "a state that was: {tick}");
        }
    }
    for rate in [0, 51] {
        let document = all.replace("auctionId: $id", &format!("auctionId: $id, maxPerSecond: {rate}"));
        assert_refused(open(&document), "BAD_REQUEST").await;
    }
    drop(feeds);
    assert_eq!(house.app.feeds.readers(), 0);
}

#[tokio::test]
async fn what_an_agent_was_told_is_told_again_however_long_ago() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let [ann, ben] = [&market.agents[0], &market.agents[1]];
    let operator = who(Role::Operator);
    let query = "query($id: ID!) { inquiry(id: $id) { feedCursor offer { id } } }";
    let seen = house.ask(ann, query, json!({ "id": market.inquiry })).await["inquiry"].take();
    let mut feed = watch(&house, ann, &agent_feed(), &ann.1, seen["feedCursor"].clone());
    // Set to what it is already, it is told nothing.
    for _ in 0..2 {
        house.tell(&operator, "setAgentStatus", json!({ "agentId": ann.1, "status": "BREAK" }), "agent { id }").await;
    }
    house.tell(ann, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    let bid = async |agent: &Who, auction: &str, cents: u32| {
        let amount = json!({ "amount": format!("{}.{:02}", cents / 100, cents % 100), "currency": "EUR" });
        house.tell(agent, "placeBid", json!({ "auctionId": auction, "amount": amount }), "bid { id }").await;
    };
    bid(ann, &market.auction, 500).await;
    bid(ben, &market.auction, 600).await;
    house.close(&market).await;
    let decline = async |agent: &Who| {
        let pending = house.pending(agent).await;
        house.tell(agent, "declineReservation", json!({ "reservationId": pending }), "reservation { id }").await;
    };
    decline(ben).await;
    let mut ran = until(&mut feed, |item| item["notice"]["kind"] == "SECOND_AGENT_SELECTED").await;
    decline(ann).await;
    let accept = json!({
        "offerId": seen["offer"]["id"], "question": "Where?", "topics": ["cards/lost"], "channel": "TELEPHONE",
        "customer": { "displayName": "Dora" },
    });
    let accepted = house.tell(&who(Role::Anonymous), "acceptOffer", accept, "inquiry { id }").await;
    let query = "query($id: ID!) { inquiry(id: $id) { auction { id } } }";
    let opened = house.ask(&operator, query, json!({ "id": accepted["inquiry"]["id"] })).await;
    let auction = text(&opened["inquiry"]["auction"]["id"]);
    for step in 0..105 {
        bid(ann, &auction, 500 + 10 * step).await;
        bid(ben, &auction, 505 + 10 * step).await;
        ran.extend(until(&mut feed, |item| item["notice"]["kind"] == "BID_OUTBID").await);
    }
    let told = |items: &[Value]| -> Vec<Value> {
        items.iter().map(|item| json!([item["meta"]["seq"], item["kind"], item["notice"]["kind"]])).collect()
    };
    let notices: Vec<&Value> = ran.iter().map(|item| &item["notice"]["kind"]).filter(|kind| !kind.is_null()).collect();
    assert_eq!(notices[..5], ["STATUS_SET", "BID_OUTBID", "BID_LOST", "BID_WON", "SECOND_AGENT_SELECTED"]);
    assert_eq!(notices[5], "STRUCK", "it has won, and declined");
    assert_eq!(notices.len(), 6 + 105);
    let mut again = watch(&house, ann, &agent_feed(), &ann.1, seen["feedCursor"].clone());
    let mut items = Vec::new();
    while items.len() < ran.len() {
        items.push(item(&mut again).await);
    }
    assert_eq!(told(&items), told(&ran));
    nothing(&mut again).await;
}
