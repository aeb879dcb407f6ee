//! Sealed bids: before closing nothing that follows from a hidden bid shows in anybody else's view. Each
//! viewer looks at everything it can ask for, a rival bids, and it looks again.

mod feeds;

use serde_json::{Value, json};
use tests::{Client, House, Scratch, Town, differences, text};

/// Everything that could tell. Only what is about the whole log may move: `upTo`, `head`, `serverNow`.
const LOOK: &str = "
query($auction: ID!, $inquiry: ID!, $rival: ID!, $queue: ID!) {
  auction(id: $auction) { ...auction }
  auctions(first: 10) { edges { node { ...auction } } }
  inquiry(id: $inquiry) {
    id seq state position expiresAt
    auctions(first: 5) { edges { node { ...auction } } }
    reservations(first: 5) { edges { node { id state } } }
    decisions(first: 10) { edges { node { kind rule chosen { __typename } excluded { reason count } candidates(first: 10) { edges { node { bid { amount } score rank } } } } } }
  }
  inquiries(first: 10) { edges { node { id seq state } } }
  queue(id: $queue) { id seq depth oldestAt inquiries(first: 5) { edges { node { id } } } }
  agent(id: $rival) { id seq status statusSince load wallets { ...account } notices(first: 10) { edges { node { kind } } } }
  agents(first: 10) { edges { node { id seq status load wallets { ...account } } } }
  accounts(ownerId: $rival, first: 10) { edges { node { ...account } } }
  settlements(first: 10) { edges { node { id state } } }
  callServers { name queueDepth agentsAvailable }
}
fragment auction on Auction {
  id seq state closesAt hardClosesAt price { amount } minimumBid { amount } maximumBid { amount } reserveMet bidCount
  myBid { id amount { amount } } bids(first: 20) { edges { node { id bidder amount { amount } state agent { id } } } }
  winner { id } clearingPrice { amount } rules { reserve { amount } }
}
fragment account on Account {
  id seq balance { amount } held { amount } available { amount } creditLimit { amount }
  holds(first: 10) { edges { node { amount { amount } bid { id } } } }
}";

/// Trails cost more than one request with all the rest may.
const TRAILS: &str = "
query($auction: ID!, $inquiry: ID!, $rival: ID!) {
  auditTrail(subject: $inquiry, first: 100) { edges { node { type data redacted role subjects } } }
  ofAuction: auditTrail(subject: $auction, first: 100) { edges { node { type data } } }
  ofRival: auditTrail(subject: $rival, first: 100) { edges { node { type data } } }
  all: auditTrail(first: 100) { edges { node { type data } } }
}";

fn look(client: &mut Client, ids: &Value) -> Value {
    look_with(client, ids, TRAILS)
}

fn look_with(client: &mut Client, ids: &Value, trails: &str) -> Value {
    let mut seen = client.ask(LOOK, ids.clone());
    for (name, trail) in client.ask(trails, ids.clone()).as_object().expect("trails") {
        seen[name] = trail.clone();
    }
    seen
}

fn story(format: &str) {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 3);
    let auction = json!({"direction": "FORWARD", "format": format, "currency": "EUR", "reserve": "2.00", "reserveHidden": true, "openFor": "PT1H"});
    let offer = town.publish(auction, json!({}));
    let accepted = town.accept(&house, &offer);
    let queues = town.operator.ask("{ queues(callServer: \"main\", first: 5) { edges { node { id } } } }", json!({}));
    let ids = json!({
        "auction": accepted["inquiry"]["auction"]["id"], "inquiry": accepted["inquiry"]["id"], "rival": town.agents[0].0,
        "queue": queues["queues"]["edges"][0]["node"]["id"],
    });
    let auction = text(&ids["auction"]);
    // A bidder of its own, a bystander, the provider, finance, the operator, the customer, nobody.
    town.bid(1, &auction, "4.00");
    let mut viewers = [
        ("a rival bidder", house.client(&town.agents[1].1.token)),
        ("an agent without a bid", house.client(&town.agents[2].1.token)),
        ("the provider", house.client(&town.provider.token)),
        ("finance", house.client(&town.finance.token)),
        ("the operator", house.client(&town.operator.token)),
        ("the customer", house.client(&text(&accepted["customerToken"]))),
        ("nobody", house.client("")),
    ];
    let before: Vec<Value> = viewers.iter_mut().map(|(_, client)| look(client, &ids)).collect();
    let own_before = look(&mut town.agents[0].1, &ids);

    for amount in ["9.00", "3.00", "11.00"] {
        let bid = town.bid(0, &auction, amount);
        assert_eq!(bid["userErrors"], json!([]), "{bid}");
        for ((who, client), before) in viewers.iter_mut().zip(&before) {
            let after = look(client, &ids);
            assert_eq!(differences(before, &after), Vec::<String>::new(), "{who} learns of a hidden bid of {amount}");
        }
    }
    let own = look(&mut town.agents[0].1, &ids);
    assert_ne!(own, own_before, "the bidder sees its own bid");
    assert_eq!(own["auction"]["myBid"]["amount"]["amount"], "11.00");
    assert_eq!(own["accounts"]["edges"][0]["node"]["held"]["amount"], "11.00");
    assert_eq!(own["auction"]["bids"]["edges"].as_array().unwrap().len(), 3);
    let bid = text(&own["auction"]["myBid"]["id"]);
    town.agents[0].1.give("withdrawBid", json!({"bidId": bid}), "bid { state }");
    for ((who, client), before) in viewers.iter_mut().zip(&before) {
        let after = look(client, &ids);
        assert_eq!(differences(before, &after), Vec::<String>::new(), "{who} learns of a hidden withdrawal");
    }
}

#[test]
fn nobody_learns_of_a_hidden_first_price_bid() {
    story("SEALED_FIRST_PRICE");
}

#[test]
fn nobody_learns_of_a_hidden_second_price_bid() {
    story("SEALED_SECOND_PRICE");
}

/// What a viewer sees, without what moves with a log or differs by chance: ids become their order of
/// appearance, instants, positions and hashes are left out.
fn settled(seen: &Value) -> Value {
    fn walk(value: &Value, ids: &mut Vec<String>) -> Value {
        match value {
            Value::Object(members) => {
                let moving = ["seq", "cursor", "hash", "prevHash", "dataHash", "salt", "ciphertext", "head"];
                let kept = members.iter().filter(|(name, _)| !moving.contains(&name.as_str()));
                kept.map(|(name, value)| (name.clone(), walk(value, ids))).collect()
            }
            Value::Array(items) => items.iter().map(|item| walk(item, ids)).collect(),
            Value::String(text) if is_instant(text) => json!("an instant"),
            // Microseconds since 1970, as the log has them.
            Value::Number(number) if number.as_u64().is_some_and(|micros| micros > 1_000_000_000_000_000) => {
                json!("an instant")
            }
            // Accounts are paths with ids in them.
            Value::String(text) => {
                let mut name = |part: &str| {
                    if !is_id(part) {
                        return part.to_owned();
                    }
                    let at = ids.iter().position(|id| id == part).unwrap_or_else(|| {
                        ids.push(part.to_owned());
                        ids.len() - 1
                    });
                    format!("{}{at}", &part[..4])
                };
                json!(text.split(':').map(&mut name).collect::<Vec<_>>().join(":"))
            }
            other => other.clone(),
        }
    }
    walk(seen, &mut Vec::new())
}

fn is_instant(text: &str) -> bool {
    text.len() >= 20 && text.starts_with("20") && text.as_bytes()[10] == b'T' && text.ends_with('Z')
}

fn is_id(text: &str) -> bool {
    text.len() > 20 && text.as_bytes()[3] == b'_' && text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// A market with one open auction, and what these bids, in order, leave each viewer to see: the names of
/// the viewers with their views.
fn market(rules: &Value, bids: &[(usize, &str)], observers: &[usize], trails: &str) -> Vec<(String, Value)> {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 3);
    let offer = town.publish(rules.clone(), json!({}));
    let accepted = town.accept(&house, &offer);
    let queues = town.operator.ask("{ queues(callServer: \"main\", first: 5) { edges { node { id } } } }", json!({}));
    let ids = json!({
        "auction": accepted["inquiry"]["auction"]["id"], "inquiry": accepted["inquiry"]["id"], "rival": town.agents[0].0,
        "queue": queues["queues"]["edges"][0]["node"]["id"],
    });
    for (agent, amount) in bids {
        let bid = town.bid(*agent, &text(&ids["auction"]), amount);
        assert_eq!(bid["userErrors"], json!([]), "{bid}");
    }
    let mut viewers: Vec<(String, Client)> =
        observers.iter().map(|agent| (format!("agent {agent}"), house.client(&town.agents[*agent].1.token))).collect();
    for (who, token) in [
        ("the provider", &town.provider.token),
        ("finance", &town.finance.token),
        ("the operator", &town.operator.token),
    ] {
        viewers.push((who.to_owned(), house.client(token)));
    }
    viewers.into_iter().map(|(who, mut client)| (who, settled(&look_with(&mut client, &ids, trails)))).collect()
}

fn same(one: &[(String, Value)], other: &[(String, Value)], what: &str) {
    for ((who, one), (_, other)) in one.iter().zip(other) {
        assert_eq!(differences(one, other), Vec::<String>::new(), "{who} can tell {what}");
    }
}

/// Whoever bids second does not learn that it is the second: not by its pseudonym, not by its events.
#[test]
fn an_observer_that_bids_does_not_learn_of_an_earlier_hidden_bid() {
    let trails = TRAILS.replace("{ type data", "{ type actor role subjects redacted data");
    let trails = trails.replace("data redacted role subjects }", "data }");
    for format in ["SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"] {
        let rules =
            json!({"direction": "FORWARD", "format": format, "currency": "EUR", "reserve": "2.00", "openFor": "PT1H"});
        let with = market(&rules, &[(0, "9.00"), (1, "4.00"), (1, "5.00")], &[1, 2], &trails);
        let without = market(&rules, &[(1, "4.00"), (1, "5.00")], &[1, 2], &trails);
        let own = &with[0].1["auction"]["bids"]["edges"];
        assert_eq!(own.as_array().unwrap().len(), 2, "it sees its own bids: {own}");
        same(&with, &without, &format!("{format} with a hidden bid from one without"));
    }
}

/// What could tell a leading maximum: its amount anywhere, or that it changed.
const LEADER: &str = "query($auction: ID!, $rival: ID!, $inquiry: ID!) {
  auction(id: $auction) { seq price { amount } minimumBid { amount } bidCount bids(first: 5) { edges { node { seq amount { amount } bidder state } } } }
  inquiry(id: $inquiry) { decisions(first: 10) { edges { node { kind candidates(first: 5) { edges { node { bid { amount } score tieKey } } } } } } }
  agent(id: $rival) { wallets { ...account } }
  accounts(ownerId: $rival, first: 5) { edges { node { ...account } } }
  ofAuction: auditTrail(subject: $auction, first: 50) { edges { node { type data redacted salt } } }
  ofLeader: auditTrail(subject: $rival, first: 50) { edges { node { type data redacted salt } } }
  all: auditTrail(first: 100) { edges { node { type data redacted salt } } }
}
fragment account on Account { seq balance { amount } held { amount } available { amount } holds(first: 5) { edges { node { amount { amount } bid { amount { amount } } } } } postings(first: 5) { edges { node { amount { amount } } } } }";

#[test]
fn a_leading_proxy_maximum_is_its_bidders_alone() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let offer = town.publish(json!({"direction": "FORWARD", "format": "PROXY", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"}), json!({}));
    let accepted = town.accept(&house, &offer);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    let ids = json!({"auction": auction, "rival": town.agents[0].0, "inquiry": accepted["inquiry"]["id"]});
    let mut viewers = [
        ("a rival", house.client(&town.agents[1].1.token)),
        ("the provider", house.client(&town.provider.token)),
        ("finance", house.client(&town.finance.token)),
        ("the operator", house.client(&town.operator.token)),
        ("the customer", house.client(&text(&accepted["customerToken"]))),
    ];
    // The maximum, what it leaves of 1000.00, and then a higher one of the same bidder.
    for (amount, left) in [("77.31", "922.69"), ("88.43", "911.57")] {
        assert_eq!(town.bid(0, &auction, amount)["userErrors"], json!([]));
        for (who, client) in &mut viewers {
            let seen = client.ask(LEADER, ids.clone());
            for telling in ["77.31", "88.43", "922.69", "911.57"] {
                assert!(!seen.to_string().contains(telling), "{who} sees the leading maximum by {telling}: {seen:#}");
            }
            // Finance sees no auction at all; to the others it stands at its opening price.
            assert!(seen["auction"].is_null() || seen["auction"]["price"]["amount"] == "1.00", "{who}: {seen}");
        }
        let own = town.agents[0].1.ask(LEADER, ids.clone());
        let account = &own["accounts"]["edges"][0]["node"];
        assert_eq!((&account["held"]["amount"], &account["available"]["amount"]), (&json!(amount), &json!(left)));
        assert!(own["ofAuction"].to_string().contains(amount), "its own entries: {own:#}");
    }
}

/// Two leaders that bid as often, one by more than the other: to everybody else the same.
#[test]
fn nobody_can_tell_a_high_proxy_maximum_from_a_low_one() {
    let rules = json!({"direction": "FORWARD", "format": "PROXY", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"});
    let trails = TRAILS.replace("{ type data", "{ type redacted data").replace("redacted role", "role");
    let see = |bids: &[(usize, &str)]| market(&rules, bids, &[1, 2], &trails);
    same(&see(&[(0, "77.31")]), &see(&[(0, "155.20")]), "a maximum of 77.31 from one of 155.20");
    let raised = see(&[(0, "77.31"), (0, "88.43")]);
    let further = see(&[(0, "77.31"), (0, "155.20")]);
    same(&raised, &further, "a leader that raised itself to 88.43 from one that went to 155.20");
    let high = see(&[(0, "77.31"), (1, "5.00")]);
    let low = see(&[(0, "42.00"), (1, "5.00")]);
    same(&high, &low, "a maximum of 77.31 that was bid against from one of 42.00");
}
