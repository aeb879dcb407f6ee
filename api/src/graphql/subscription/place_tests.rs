//! Places in queues as feeds tell them: who came by two queues that become one, and who waits for its offer's hours.

use super::tests::{item, nothing};
use crate::graphql::testing::{House, Who, market, text, who};
use domain::actor::Role;
use domain::time::Timestamp;
use serde_json::{Value, json};

const QUEUE: &str =
    "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { kind inquiry { id } } }";

/// An offer whose link leads to the topic; what its acceptances send.
async fn offer(house: &House, provider: &Who, topic: &str, hours: Value) -> Value {
    let input = json!({
        "title": "Card help", "channels": ["MESSAGE"], "links": [{ "label": "Old", "topic": topic }],
        "allocation": { "claim": {} }, "hours": hours,
    });
    let offer = house.tell(provider, "publishOffer", input, "offer { id links { id } }").await;
    json!({ "offerId": offer["offer"]["id"], "linkId": offer["offer"]["links"][0]["id"], "channel": "MESSAGE" })
}

async fn accept(house: &House, input: &Value) -> (String, Who) {
    let wanted = "inquiry { id } customerToken";
    let accepted = house.tell(&who(Role::Anonymous), "acceptOffer", input.clone(), wanted).await;
    let token = house.app.signing.verify(accepted["customerToken"].as_str().unwrap()).unwrap();
    (text(&accepted["inquiry"]["id"]), Who(Role::Customer, token.actor.id().unwrap()))
}

/// A cursor from before tells the same entry whether the feed is read before the merge or after it.
#[tokio::test]
async fn who_stood_in_parent_and_child_entered_the_parent_once_and_not_by_their_merge() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let operator = who(Role::Operator);
    let declare = async |topic: &str| {
        let input = json!({ "callServer": "main", "topic": topic });
        house.tell(&operator, "declareQueue", input, "queue { id feedCursor }").await["queue"].take()
    };
    let (parent, child) = (declare("loans").await, declare("loans/car").await);
    let after = json!({ "id": parent["id"], "after": parent["feedCursor"] });
    let input = offer(&house, &market.provider, "loans/car", Value::Null).await;
    let (inquiry, _) = accept(&house, &input).await;
    let entered = json!({ "kind": "ENTERED", "inquiry": { "id": inquiry } });
    // The child opened beneath the parent, and is none of its business.
    assert_eq!(item(&mut house.watch(&operator, QUEUE, after.clone())).await, entered);

    let merge = json!({ "fromQueueIds": [child["id"]], "intoQueueId": parent["id"] });
    house.tell(&operator, "mergeQueues", merge, "queue { depth }").await;
    let mut feed = house.watch(&operator, QUEUE, after);
    assert_eq!(item(&mut feed).await, entered);
    assert_eq!(item(&mut feed).await, json!({ "kind": "QUEUE_CHANGED", "inquiry": null }));
    assert_eq!(item(&mut feed).await, json!({ "kind": "CHANGED", "inquiry": { "id": inquiry } }));
    nothing(&mut feed).await;
}

/// Nobody waits with who came before its offer's hours: places count it from its beginning on, at the place that it had.
#[tokio::test]
async fn who_waits_for_the_hours_of_its_offer_is_before_nobody_until_they_begin() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let at = |minutes: i64| {
        let minute = jiff::Timestamp::now().as_second() / 60 + minutes;
        format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
    };
    let week = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let hours = json!({ "zone": "UTC", "weekly": [{ "days": week, "from": at(10), "to": at(20) }] });
    let closed = offer(&house, &market.provider, "cards/old", hours).await;
    let open = offer(&house, &market.provider, "cards/old", Value::Null).await;
    let (early, early_customer) = accept(&house, &closed).await;
    accept(&house, &closed).await;
    let (waits, customer) = accept(&house, &open).await;
    let operator = who(Role::Operator);
    let document = "query($id: ID!) { inquiry(id: $id) { position beginsAt callServer { queueDepth } } }";
    let seen = async |id: &str| house.ask(&operator, document, json!({ "id": id })).await["inquiry"].take();
    let before = seen(&early).await;
    assert_eq!(
        (&before["position"], &before["callServer"]["queueDepth"]),
        (&Value::Null, &json!(2)),
        "the market's own: {before}"
    );
    assert_eq!(seen(&waits).await["position"], 1);

    let feed = "subscription($id: ID!) { inquiryFeed(inquiryId: $id) { position inquiry { beginsAt } } }";
    let mut its = house.watch(&early_customer, feed, json!({ "id": early }));
    let mut others = house.watch(&customer, feed, json!({ "id": waits }));
    nothing(&mut its).await;
    nothing(&mut others).await;
    let begins_at: jiff::Timestamp = text(&before["beginsAt"]).parse().unwrap();
    house.turn_to(Timestamp(begins_at.as_microsecond()));
    house.tell(&market.agents[0], "setAgentStatus", json!({ "status": "BREAK" }), "agent { id }").await;
    assert_eq!(item(&mut its).await, json!({ "position": 1, "inquiry": { "beginsAt": null } }));
    // Both begin at once: a place may be told for each of them, or for both together.
    let mut told = item(&mut others).await;
    if told["position"] == 2 {
        told = item(&mut others).await;
    }
    assert_eq!(told["position"], 3);
    assert_eq!(seen(&waits).await["callServer"]["queueDepth"], 4);
}
