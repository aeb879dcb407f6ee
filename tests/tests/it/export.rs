//! `export customer` gives out all that is about the customer, also what others wrote about it, and nothing that is
//! others' own.

use serde_json::{Value, json};
use tests::{House, Scratch, Town, run, text};

#[test]
fn what_agents_wrote_about_a_customer_and_where_it_asked_are_in_its_export() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 3);
    let ids: Vec<String> = town.agents.iter().map(|(id, _)| id.clone()).collect();
    let origins = json!({"providerId": town.provider_id, "origins": ["https://shop.example"]});
    town.operator.give("updateProvider", origins, "provider { id }");
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let page =
        json!({"url": "https://shop.example/cards?x=1", "title": "Carla's cards", "excerpt": "Dear Carla, your card"});
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "question": "My card is gone, what now?",
        "content": page, "customer": {"displayName": "Carla Customer"}});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    let mut carla = house.client(&text(&accepted["customerToken"]));
    let inquiry = json!({"inquiryId": accepted["inquiry"]["id"]});
    let of_session = "session { id channels { id purpose } } inquiry { customer { id } }";
    let claimed = town.agents[0].1.give("claimInquiry", inquiry.clone(), of_session);
    let customer = text(&claimed["inquiry"]["customer"]["id"]);
    let (session, main) = (claimed["session"]["id"].clone(), claimed["session"]["channels"][0]["id"].clone());
    let say = |channel: &Value, text: &str| json!({"sessionId": session, "channelId": channel, "text": text});
    carla.give("sendMessage", say(&main, "Hello"), "message { id }");

    let mut asked = |mutation: &str, agent: usize, more: Value| {
        let input = json!({"sessionId": session, "agent": {"agentId": ids[agent]}, "to": {"agentId": ids[agent]}});
        let mut input = input.as_object().unwrap().clone();
        input.remove(if mutation == "inviteAgent" { "to" } else { "agent" });
        input.extend(more.as_object().unwrap().clone());
        let asked = town.agents[0].1.give(mutation, Value::Object(input), "reservation { id }");
        json!({"reservationId": asked["reservation"]["id"]})
    };
    let invited = asked("inviteAgent", 1, json!({}));
    let refused = asked("transferSession", 2, json!({"note": "She has called twice today"}));
    town.agents[1].1.give("acceptReservation", invited, "session { id }");
    let reason = json!({"reason": "My grandmother is ill", "reservationId": refused["reservationId"]});
    town.agents[2].1.give("declineReservation", reason, "reservation { id }");
    let open = json!({"sessionId": session, "agentId": ids[1], "kind": "MESSAGE"});
    let opened = town.agents[0].1.give("openSideChannel", open, "session { channels { id purpose } }");
    let side = opened["session"]["channels"][1]["id"].clone();
    town.agents[1].1.give("sendMessage", say(&side, "They are a difficult customer"), "message { id }");
    town.agents[0].1.give("blockCustomer", json!({"customerId": customer}), "block { blockedAt }");
    town.provider.give("blockCustomer", json!({"customerId": customer}), "block { blockedAt }");
    town.provider.give("unblockCustomer", json!({"customerId": customer}), "block { blockedAt }");

    let ran = run(&["export", "customer", "--data", data.to_str().unwrap(), "--customer", &customer, "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let inquiry = &document["inquiries"][0];
    assert_eq!((&inquiry["content"]["page"], &inquiry["content"]["origin"]), (&page, &json!("https://shop.example")));
    assert_eq!((&inquiry["question"], &inquiry["link"]), (&json!("My card is gone, what now?"), &json!(offer.1)));
    let said: Vec<Value> = inquiry["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["channel"], one["agent"], one["text"]]))
        .collect();
    assert_eq!(said, [json!(["MAIN", null, "Hello"]), json!(["SIDE", ids[1], "They are a difficult customer"])]);
    let notes = inquiry["handOvers"].as_array().unwrap();
    assert_eq!(notes.len(), 1, "an invitation has none");
    let (by, to, text) = (&notes[0]["agent"], &notes[0]["to"], &notes[0]["text"]);
    assert_eq!((by, to, text), (&json!(ids[0]), &json!(ids[2]), &json!("She has called twice today")));
    let blocks = document["blocks"].as_array().unwrap();
    assert_eq!(blocks.iter().map(|block| block["blocked"].clone()).collect::<Vec<_>>(), [json!(true), json!(false)]);
    assert!(blocks.iter().all(|block| block["provider"] == town.provider_id.as_str() && block["at"].is_string()));
    for others in ["grandmother", "customer_blocked", "Agent 1"] {
        assert!(!ran.out.contains(others), "{others} in {}", ran.out);
    }
}
