//! Queues that are merged, over HTTP: what stands in them, what comes, and what their watchers hear.

use serde_json::{Value, json};
use tests::feeds::Sse;
use tests::{House, Scratch, Town, key, text};

const FEED: &str = "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { kind inquiry { id } queue { state depth mergedInto { id } } } }";

fn declare(town: &mut Town, topic: &str) -> String {
    let input = json!({"callServer": "main", "topic": topic});
    text(&town.operator.give("declareQueue", input, "queue { id }")["queue"]["id"])
}

fn accept(town: &mut Town, house: &House, offer: &str, link: &Value) -> String {
    let input = json!({"offerId": offer, "linkId": link, "channel": "MESSAGE"});
    let inquiry = text(&house.client("").give("acceptOffer", input, "inquiry { id }")["inquiry"]["id"]);
    assert!(
        town.operator.ask("query($id: ID!) { inquiry(id: $id) { id } }", json!({"id": inquiry}))["inquiry"]["id"]
            .is_string()
    );
    inquiry
}

fn queues_of(town: &mut Town, inquiry: &str) -> Value {
    let seen =
        town.operator.ask("query($id: ID!) { inquiry(id: $id) { position queues { id } } }", json!({"id": inquiry}));
    seen["inquiry"].clone()
}

/// An offer to claim, with a link for each of the two queues.
fn two_links(town: &mut Town) -> Value {
    let links = json!([{"label": "Lost", "topic": "cards/lost"}, {"label": "All", "topic": "cards/all"}]);
    let input = json!({"providerId": town.provider_id, "title": "Help", "channels": ["MESSAGE"], "links": links, "allocation": {"claim": {}}});
    town.provider.give("publishOffer", input, "offer { id links { id } }")["offer"].clone()
}

#[test]
fn merged_queues_are_one_to_everybody() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let (lost, cards) = (declare(&mut town, "cards/lost"), declare(&mut town, "cards/all"));
    let offer = two_links(&mut town);
    let id = text(&offer["id"]);
    let (by_lost, by_all) = (offer["links"][0]["id"].clone(), offer["links"][1]["id"].clone());
    let first = accept(&mut town, &house, &id, &by_lost);
    let second = accept(&mut town, &house, &id, &by_all);

    let token = house.token("operator", None);
    let [mut from, mut into] = [&lost, &cards].map(|queue| {
        let seen = town.operator.ask("query($id: ID!) { queue(id: $id) { feedCursor } }", json!({"id": queue}));
        Sse::open(&house, &token, FEED, json!({"id": queue, "after": seen["queue"]["feedCursor"]}))
    });
    let input = json!({"fromQueueIds": [lost], "intoQueueId": cards});
    let kept = key();
    let wanted = "queue { id state depth oldestAt inquiries(first: 5) { edges { node { id position } } } }";
    let merged = town.operator.give_keyed("mergeQueues", input.clone(), &kept, wanted);
    assert_eq!(merged["userErrors"], json!([]));
    let nodes: Vec<&Value> =
        merged["queue"]["inquiries"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]).collect();
    assert_eq!((&merged["queue"]["id"], &merged["queue"]["state"]), (&json!(cards), &json!("OPEN")));
    assert_eq!(nodes, [&json!({"id": first, "position": 1}), &json!({"id": second, "position": 2})], "by acceptance");
    assert_eq!(town.operator.give_keyed("mergeQueues", input, &kept, "queue { id }")["replayed"], true);

    let heard = |feed: &mut Sse| {
        let item = feed.item();
        (text(&item["kind"]), item["inquiry"]["id"].clone())
    };
    assert_eq!(heard(&mut from), ("QUEUE_CHANGED".to_owned(), Value::Null));
    assert_eq!(heard(&mut from), ("LEFT".to_owned(), json!(first)));
    assert_eq!(heard(&mut into), ("QUEUE_CHANGED".to_owned(), Value::Null));
    assert_eq!(heard(&mut into), ("ENTERED".to_owned(), json!(first)));

    // The merged one says where it went, here and after a start, and nothing opens its topic again.
    let lineage = "query($id: ID!) { queue(id: $id) { state topic depth mergedInto { id topic } origin } }";
    let shown = town.operator.ask(lineage, json!({"id": lost}))["queue"].clone();
    let expected = json!({"state": "MERGED", "topic": "cards/lost", "depth": 0, "mergedInto": {"id": cards, "topic": "cards/all"}, "origin": "DECLARED"});
    assert_eq!(shown, expected);
    let third = accept(&mut town, &house, &id, &by_lost);
    assert_eq!(queues_of(&mut town, &third), json!({"position": 3, "queues": [{"id": cards}]}));
    assert_eq!(heard(&mut into), ("ENTERED".to_owned(), json!(third)));
    let again = json!({"callServer": "main", "topic": "cards/lost"});
    let refused = town.operator.give_keyed("declareQueue", again, &key(), "queue { id }");
    assert!(text(&refused["userErrors"][0]["message"]).contains("merged into that of cards/all"), "{refused}");
    for (mutation, input) in [
        ("retireQueue", json!({"queueId": lost})),
        ("mergeQueues", json!({"fromQueueIds": [lost], "intoQueueId": cards})),
        ("mergeQueues", json!({"fromQueueIds": [cards], "intoQueueId": lost})),
    ] {
        let refused = town.operator.give_keyed(mutation, input, &key(), "queue { id }");
        assert!(refused["userErrors"][0]["code"].is_string(), "{mutation}: {refused}");
    }

    // What moved is claimed, and its watchers hear it where it stands now.
    let (_, agent) = &mut town.agents[0];
    agent.give("claimInquiry", json!({"inquiryId": first}), "session { id }");
    assert_eq!(heard(&mut into), ("LEFT".to_owned(), json!(first)));
    assert_eq!(house.stop(), 0);
    let house = House::open(&data);
    town.move_to(&house);
    assert_eq!(town.operator.ask(lineage, json!({"id": lost}))["queue"], expected);
    assert_eq!(queues_of(&mut town, &third), json!({"position": 2, "queues": [{"id": cards}]}));
    let listed = "query($id: ID!) { inquiries(filter: {queueId: $id}, first: 9) { edges { node { id } } } }";
    let all = town.operator.ask(listed, json!({"id": cards}));
    assert_eq!(all["inquiries"]["edges"].as_array().unwrap().len(), 3, "{all}");
}

/// Its watchers hear of it when it is back, in front of who came later.
#[test]
fn who_is_away_meanwhile_comes_back_to_where_the_queue_went() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let (lost, cards) = (declare(&mut town, "cards/lost"), declare(&mut town, "cards/all"));
    let offer = two_links(&mut town);
    let input = json!({"offerId": offer["id"], "linkId": offer["links"][0]["id"], "channel": "MESSAGE"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    let (first, customer) = (text(&accepted["inquiry"]["id"]), text(&accepted["customerToken"]));
    let second = accept(&mut town, &house, &text(&offer["id"]), &offer["links"][1]["id"]);
    let away = json!({"inquiryId": first});
    house.client(&customer).give("withdrawInquiry", away.clone(), "inquiry { id }");

    let seen = town.operator.ask("query($id: ID!) { queue(id: $id) { feedCursor } }", json!({"id": cards}));
    let after = seen["queue"]["feedCursor"].clone();
    let mut into = Sse::open(&house, &house.token("operator", None), FEED, json!({"id": cards, "after": after}));
    let input = json!({"fromQueueIds": [lost], "intoQueueId": cards});
    assert_eq!(town.operator.give("mergeQueues", input, "queue { depth }")["queue"]["depth"], 1, "who is there");
    let heard = |feed: &mut Sse| {
        let item = feed.item();
        (text(&item["kind"]), item["inquiry"]["id"].clone())
    };
    assert_eq!(heard(&mut into), ("QUEUE_CHANGED".to_owned(), Value::Null));
    // A start of the house forgets none of it.
    drop(into);
    assert_eq!(house.stop(), 0);
    let house = House::open(&data);
    town.move_to(&house);
    let mut into = Sse::open(&house, &house.token("operator", None), FEED, json!({"id": cards, "after": after}));
    assert_eq!(heard(&mut into), ("QUEUE_CHANGED".to_owned(), Value::Null));
    house.client(&customer).give("resumeInquiry", away, "inquiry { id }");
    assert_eq!(heard(&mut into), ("ENTERED".to_owned(), json!(first)));
    assert_eq!(queues_of(&mut town, &first), json!({"position": 1, "queues": [{"id": cards}]}));
    assert_eq!(queues_of(&mut town, &second), json!({"position": 2, "queues": [{"id": cards}]}));
    let depth = town.operator.ask("query($id: ID!) { queue(id: $id) { depth } }", json!({"id": lost}));
    assert_eq!(depth["queue"]["depth"], 0);
}

/// Whoever runs the market says what a priority is worth in a queue; the offer says which priority it has.
#[test]
fn a_priority_stands_ahead_by_its_credit_everywhere_and_is_served_first() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    town.agents[0].1.give("setAgentStatus", json!({"status": "BREAK"}), "agent { id }");
    let credit = json!({"callServer": "main", "topic": "cards", "priorityCredit": "PT1H"});
    let declared = town.operator.give("declareQueue", credit, "queue { id priorityCredit }")["queue"].clone();
    assert_eq!(declared["priorityCredit"], "PT1H");
    let (queue, routed) = (text(&declared["id"]), json!({"routed": {}}));
    let plain = town.offer(routed.clone(), json!({"priority": 0}));
    let preferred = town.offer(routed, json!({"priority": 2}));
    let input = json!({"offerId": preferred.0, "expectedRevision": 1, "priority": 11});
    let refused = town.provider.give_keyed("reviseOffer", input, &key(), "offer { id }");
    assert_eq!(refused["userErrors"][0]["field"], json!(["priority"]), "{refused}");

    let [first, second] = [&plain, &preferred].map(|offer| text(&town.accept(&house, offer)["inquiry"]["id"]));
    let page = "query($id: ID!) { queue(id: $id) { depth oldestAt inquiries(first: 5) { edges { node { id position acceptedAt standsAt } } } } }";
    let seen = town.operator.ask(page, json!({"id": queue}))["queue"].clone();
    let nodes = seen["inquiries"]["edges"].as_array().unwrap();
    let order: Vec<&Value> = nodes.iter().map(|edge| &edge["node"]["id"]).collect();
    assert_eq!(order, [&json!(second), &json!(first)], "{seen}");
    assert_eq!((&nodes[0]["node"]["position"], &nodes[1]["node"]["position"]), (&json!(1), &json!(2)));
    assert_eq!(nodes[1]["node"]["standsAt"], nodes[1]["node"]["acceptedAt"]);
    assert!(text(&nodes[0]["node"]["standsAt"]) < text(&nodes[1]["node"]["standsAt"]), "two hours: {seen}");
    assert_eq!(seen["oldestAt"], nodes[1]["node"]["acceptedAt"], "who waits the longest is not the first");

    // The same page by page, and after a start.
    let two = "query($id: ID!, $after: Cursor) { queue(id: $id) { inquiries(first: 1, after: $after) { edges { cursor node { id } } } } }";
    let at = town.operator.ask(two, json!({"id": queue}))["queue"]["inquiries"]["edges"][0]["cursor"].clone();
    assert_eq!(house.stop(), 0);
    let house = House::open(&data);
    town.move_to(&house);
    let next = town.operator.ask(two, json!({"id": queue, "after": at}))["queue"]["inquiries"]["edges"][0].clone();
    assert_eq!(next["node"]["id"], json!(first));

    // One agent becomes free: it is asked about the preferred one.
    town.agents[0].1.give("setAgentStatus", json!({"status": "AVAILABLE"}), "agent { id }");
    let states = [&first, &second].map(|id| {
        let document = "query($id: ID!) { inquiry(id: $id) { state } }";
        town.operator.ask(document, json!({"id": id}))["inquiry"]["state"].clone()
    });
    assert_eq!(states, [json!("QUEUED"), json!("RESERVED")]);
}
