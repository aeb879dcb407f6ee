//! The same by feeds: worlds that differ in what is hidden, and every feed of every viewer until the closing.

use super::{same, settled};
use serde_json::{Value, json};
use tests::feeds::Sse;
use tests::{House, Scratch, Town, text};

const SHOWN: &str = "id state price { amount } minimumBid { amount } maximumBid { amount } reserveMet bidCount winner { id } clearingPrice { amount }
  bids(first: 5) { edges { node { id amount { amount } bidder state } } }";

/// A feed of one viewer, and what tells its last item, or the one behind the last.
struct Watched {
    who: String,
    feed: Sse,
    ends: Box<dyn Fn(&Value) -> bool>,
    /// The closing ends it, which may tell what was hidden.
    at_closing: bool,
    items: Vec<Value>,
}

impl Watched {
    fn read(&mut self) {
        loop {
            let item = self.feed.item();
            let ends = (self.ends)(&item);
            if !(ends && self.at_closing) {
                self.items.push(item);
            }
            if ends {
                return;
            }
        }
    }
}

/// What every feed gives each viewer from before these bids of agent 0 until right before the closing. Agents 1 and 2
/// are its rivals.
fn fed(rules: &Value, bids: &[&str]) -> Vec<(String, Value)> {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 3);
    let offer = town.publish(rules.clone(), json!({}));
    let accepted = town.accept(&house, &offer);
    let (auction, inquiry) = (accepted["inquiry"]["auction"]["id"].clone(), accepted["inquiry"]["id"].clone());
    let customer = text(&accepted["customerToken"]);
    let queues = town.operator.ask("{ queues(callServer: \"main\", first: 5) { edges { node { id } } } }", json!({}));
    let queue = queues["queues"]["edges"][0]["node"]["id"].clone();
    let agents: Vec<String> = town.agents.iter().map(|(id, _)| id.clone()).collect();

    let of_queue = format!(
        "queueFeed(queueId: $queue, after: $after) {{ kind inquiry {{ id state position auction {{ {SHOWN} }} }} queue {{ depth }} gap {{ reason }} }}"
    );
    let of_agent = format!("agentFeed(agentId: $agent, after: $after) {{ kind reservation {{ id }} auction {{ {SHOWN} }} bid {{ id amount {{ amount }} state }}
        agent {{ id status load wallets {{ held {{ amount }} available {{ amount }} }} }} session {{ id }} notice {{ kind }} gap {{ reason }} }}");
    let of_agents = "agentsFeed(callServer: \"main\", after: $after) { agent { id status load wallets { held { amount } available { amount } } } gap { reason } }";
    let of_inquiry = format!(
        "inquiryFeed(inquiryId: $inquiry, after: $after) {{ inquiry {{ id state auction {{ {SHOWN} }} }} position message {{ id }} gap {{ reason }} }}"
    );
    let ticks = format!("auctionTicks(auctionId: $auction, maxPerSecond: 50) {{ {SHOWN} }}");
    let audit = |subject: &str| {
        format!(
            "auditFeed(subject: {subject}, after: $after) {{ entry {{ log type data redacted role actor subjects }} gap {{ reason }} }}"
        )
    };
    let declared =
        [("$queue", "ID!"), ("$agent", "ID"), ("$inquiry", "ID!"), ("$auction", "ID!"), ("$after", "Cursor")];
    let mut watched: Vec<Watched> = Vec::new();
    let mut watch = |who: &str,
                     token: &str,
                     asked: &str,
                     agent: Option<&String>,
                     at_closing: bool,
                     ends: Box<dyn Fn(&Value) -> bool>| {
        let mut client = house.client(token);
        let cursor = "query($id: ID!) { inquiry(id: $id) { feedCursor } }";
        let after = client.ask(cursor, json!({"id": inquiry}))["inquiry"]["feedCursor"].clone();
        assert!(after.is_string(), "{who} has no cursor");
        let used = declared.iter().filter(|(name, _)| asked.contains(name));
        let used: Vec<String> = used.map(|(name, of)| format!("{name}: {of}")).collect();
        let document = format!("subscription({}) {{ {asked} }}", used.join(", "));
        let variables = json!({"queue": queue, "agent": agent, "inquiry": inquiry, "auction": auction, "after": after});
        let mut feed = Sse::open(&house, token, &document, variables);
        let name = asked.split('(').next().unwrap();
        let subject = if asked.contains("subject: $auction") { " of the auction" } else { "" };
        // A state comes at once, before anybody has bid.
        let items = if name == "auctionTicks" { vec![feed.item()] } else { Vec::new() };
        watched.push(Watched { who: format!("{who} by {name}{subject}"), feed, ends, at_closing, items });
    };
    // The offer is accepted once more, all agents are set to what they are, the customer withdraws.
    let entered = || {
        Box::new({
            let first = inquiry.clone();
            move |item: &Value| item["kind"] == "ENTERED" && item["inquiry"]["id"] != first
        })
    };
    let is_set = |agent: &str| {
        let agent = agent.to_owned();
        Box::new(move |item: &Value| {
            let (of, subjects) = (&item["entry"]["type"], &item["entry"]["subjects"]);
            let audited = of == "agent.status_set.v1" && subjects[0] == *agent;
            audited || item["kind"] == "STATUS_CHANGED" || item["kind"].is_null() && item["agent"]["id"] == *agent
        })
    };
    let is_type = |of: &'static str| Box::new(move |item: &Value| item["entry"]["type"] == of);
    let is_closing = || {
        // What becomes of bids stands before the outcome, in the same decision.
        let types = ["auction.bid_lost.v1", "auction.cancelled.v1"];
        Box::new(move |item: &Value| types.iter().any(|of| item["entry"]["type"] == *of))
    };
    let is_cancelled = || Box::new(|item: &Value| item["state"] == "CANCELLED");
    let is_withdrawn = || Box::new(|item: &Value| item["inquiry"]["state"] == "WITHDRAWN");
    for at in [1, 2] {
        let (id, client) = &town.agents[at];
        let (who, token) = (format!("agent {at}"), client.token.as_str());
        watch(&who, token, &of_queue, None, false, entered());
        watch(&who, token, &of_agent, None, false, is_set(id));
        watch(&who, token, &of_inquiry, None, true, is_withdrawn());
        watch(&who, token, &ticks, None, true, is_cancelled());
        watch(&who, token, &audit("null"), None, false, is_set(id));
    }
    let token = town.provider.token.as_str();
    watch("the provider", token, &of_inquiry, None, true, is_withdrawn());
    watch("the provider", token, &ticks, None, true, is_cancelled());
    watch("the provider", token, &audit("null"), None, false, is_type("auction.opened.v1"));
    watch("the provider", token, &audit("$auction"), None, true, is_closing());
    let token = town.operator.token.as_str();
    watch("the operator", token, &of_queue, None, false, entered());
    watch("the operator", token, &of_agent, Some(&agents[0]), false, is_set(&agents[0]));
    watch("the operator", token, of_agents, None, false, is_set(&agents[2]));
    watch("the operator", token, &of_inquiry, None, true, is_withdrawn());
    watch("the operator", token, &ticks, None, true, is_cancelled());
    watch("the operator", token, &audit("null"), None, false, is_set(&agents[2]));
    watch("the operator", token, &audit("$auction"), None, true, is_closing());
    watch("the customer", &customer, &of_inquiry, None, true, is_withdrawn());
    watch("the customer", &customer, &audit("$inquiry"), None, true, is_type("inquiry.withdrawn.v1"));

    for amount in bids {
        let bid = town.bid(0, &text(&auction), amount);
        assert_eq!(bid["userErrors"], json!([]), "{bid}");
    }
    town.accept(&house, &offer);
    for agent in &agents {
        town.operator.give("setAgentStatus", json!({"agentId": agent, "status": "AVAILABLE"}), "agent { id }");
    }
    watched.iter_mut().filter(|watched| !watched.at_closing).for_each(Watched::read);
    house.client(&customer).give("withdrawInquiry", json!({"inquiryId": inquiry}), "inquiry { id }");
    watched.iter_mut().filter(|watched| watched.at_closing).for_each(Watched::read);
    let settle = |mut watched: Watched| {
        // Between two logs there is no order.
        watched.items.sort_by_key(|item| item["entry"]["log"].to_string());
        (watched.who, settled(&json!(watched.items)))
    };
    watched.into_iter().map(settle).collect()
}

/// Two worlds that differ in what is hidden give equal items by every feed, but for ids, positions, cursors, hashes
/// and instants: those move with the log.
#[test]
fn no_feed_tells_what_is_hidden() {
    for format in ["SEALED_FIRST_PRICE", "SEALED_SECOND_PRICE"] {
        let rules = json!({"direction": "FORWARD", "format": format, "currency": "EUR", "reserve": "2.00", "reserveHidden": true, "openFor": "PT1H"});
        let with = fed(&rules, &["9.00", "11.00"]);
        assert!(with.iter().filter(|(_, items)| !items.as_array().unwrap().is_empty()).count() > 12, "{with:#?}");
        same(&with, &fed(&rules, &["3.00", "2.50"]), &format!("{format}: other bids"));
        same(&with, &fed(&rules, &[]), &format!("{format}: that there were bids"));
    }
    let rules = json!({"direction": "FORWARD", "format": "PROXY", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"});
    let low = fed(&rules, &["77.31"]);
    assert!(
        low.iter().any(|(_, items)| items.to_string().contains("auction.bid_placed.v1")),
        "a maximum is no secret bid"
    );
    same(&low, &fed(&rules, &["155.20"]), "PROXY: a maximum of 77.31 from one of 155.20");
}
