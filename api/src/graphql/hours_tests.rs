//! An offer's business hours through GraphQL, over a house in memory whose clock is turned to the opening.

use super::testing::{House, Who, market, text, who};
use domain::actor::Role;
use domain::time::Timestamp;
use serde_json::{Value, json};

const INQUIRY: &str = "query($id: ID!) { inquiry(id: $id) { state beginsAt expiresAt reservation { agent { id } }
    offer { hours { zone weekly { days from to } closedOn } } } }";

/// A time of day, UTC, so many minutes from now.
fn in_minutes(minutes: i64) -> String {
    let minute = jiff::Timestamp::now().as_second() / 60 + minutes;
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

#[tokio::test]
async fn nobody_is_asked_before_the_opening_and_somebody_is_at_it() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let seen = async |who: &Who, id: &str| house.ask(who, INQUIRY, json!({ "id": id })).await["inquiry"].take();
    let week = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let weekly = json!([{ "days": week, "from": in_minutes(10), "to": in_minutes(20) }]);
    let offer = json!({
        "title": "Card help", "channels": ["MESSAGE"], "links": [{ "label": "Lost", "topic": "cards/lost" }],
        "allocation": { "routed": {} }, "maxWait": "PT1H", "hours": { "zone": "UTC", "weekly": weekly },
    });
    let offer = house.tell(&market.provider, "publishOffer", offer, "offer { id revision links { id } }").await;
    let (offer, link) = (offer["offer"]["id"].clone(), offer["offer"]["links"][0]["id"].clone());
    let accept = json!({ "offerId": offer, "linkId": link, "channel": "MESSAGE" });
    let accepted = house
        .tell(&who(Role::Anonymous), "acceptOffer", accept.clone(), "inquiry { id beginsAt expiresAt } customerToken")
        .await;
    let inquiry = &accepted["inquiry"];
    let id = text(&inquiry["id"]);
    let begins_at: jiff::Timestamp = text(&inquiry["beginsAt"]).parse().unwrap();
    let ahead = begins_at.as_second() - jiff::Timestamp::now().as_second();
    assert!((9 * 60 - 2..=10 * 60).contains(&ahead) && begins_at.as_second() % 60 == 0, "{ahead} s");
    assert_eq!(inquiry["expiresAt"], Value::Null, "its wait has not begun");
    let waiting = seen(&market.provider, &id).await;
    assert_eq!((&waiting["state"], &waiting["reservation"]), (&json!("QUEUED"), &Value::Null));
    assert_eq!(waiting["offer"]["hours"], json!({ "zone": "UTC", "weekly": weekly, "closedOn": [] }));

    // A writer hears of the time with its next command.
    let tick = async || {
        house.tell(&market.agents[0], "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await
    };
    house.turn_to(Timestamp(begins_at.as_microsecond() - 1_000_000));
    tick().await;
    assert_eq!(seen(&market.provider, &id).await["reservation"], Value::Null);
    house.turn_to(Timestamp(begins_at.as_microsecond()));
    tick().await;
    let begun = seen(&market.provider, &id).await;
    assert_eq!((&begun["state"], &begun["beginsAt"]), (&json!("RESERVED"), &Value::Null));
    assert_eq!(begun["reservation"]["agent"]["id"], json!(market.agents[0].1), "idle the longest");

    // Open: at once. Without hours, by a revision: always.
    let open = house.tell(&who(Role::Anonymous), "acceptOffer", accept.clone(), "inquiry { beginsAt }").await;
    assert_eq!(open["inquiry"]["beginsAt"], Value::Null);
    let revise = json!({ "offerId": offer, "expectedRevision": 1, "hours": null });
    let revised = house.tell(&market.provider, "reviseOffer", revise, "offer { hours { zone } }").await;
    assert_eq!(revised["offer"]["hours"], Value::Null);
}
