//! Reads through the schema, over a house in memory: each role before the same inquiry.

use super::testing::{House, Who, market, text, who};
use domain::actor::Role;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const INQUIRY: &str = "query($id: ID!) { inquiry(id: $id) {
    state question customer { displayName email phone masked attributes } auction { id }
} }";

#[tokio::test]
async fn a_sealed_bid_is_its_bidders_alone_until_closing() {
    let house = House::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let bid = json!({ "auctionId": market.auction, "amount": { "amount": "7", "currency": "EUR" } });
    let fields = "bid { id bidder amount { amount } state } auction { bidCount price { amount } minimumBid { amount } myBid { id } }";
    let placed = house.tell(&market.agents[0], "placeBid", bid, fields).await;
    assert_eq!(placed["bid"]["amount"]["amount"], "7.00");
    assert_eq!(placed["bid"]["bidder"], "B0", "a number would tell how many came before");
    assert_eq!(placed["auction"]["bidCount"], Value::Null);
    assert_eq!(placed["auction"]["minimumBid"]["amount"], "2.00");
    assert_eq!(placed["auction"]["myBid"]["id"], placed["bid"]["id"]);

    let seen = "query($auction: ID!, $bid: ID!, $owner: ID!) {
        auction(id: $auction) { bidCount reserveMet price { amount } rules { reserve { amount } reserveHidden } bids(first: 9) { edges { node { id } } } }
        node(id: $bid) { id }
        accounts(ownerId: $owner, first: 9) { edges { node { held { amount } available { amount } holds(first: 9) { edges { node { amount { amount } } } } } } }
        auditTrail(subject: $auction, filter: { types: [\"auction.bid_placed.v1\"] }, first: 9) { edges { node { id } } pageInfo { hasNextPage } }
    }";
    let variables = json!({ "auction": market.auction, "bid": placed["bid"]["id"], "owner": market.agents[0].1 });
    for (viewer, accounts, reserve) in [
        (market.agents[1].clone(), 0, Value::Null),
        (market.provider.clone(), 0, json!({ "amount": "4.00" })),
        (who(Role::Operator), 1, json!({ "amount": "4.00" })),
    ] {
        let data = house.ask(&viewer, seen, variables.clone()).await;
        let auction = &data["auction"];
        assert_eq!(auction["bids"]["edges"], json!([]), "{data}");
        assert_eq!(
            (&auction["bidCount"], &auction["reserveMet"], &auction["price"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert_eq!(auction["rules"], json!({ "reserve": reserve, "reserveHidden": true }));
        assert_eq!(data["node"], Value::Null);
        assert_eq!(data["auditTrail"]["edges"], json!([]));
        let edges = data["accounts"]["edges"].as_array().unwrap();
        assert_eq!(edges.len(), accounts);
        for edge in edges {
            let node = &edge["node"];
            assert_eq!((&node["held"]["amount"], &node["available"]["amount"]), (&json!("0.00"), &json!("50.00")));
            assert_eq!(node["holds"]["edges"], json!([]));
        }
    }
    let own = house.ask(&market.agents[0], seen, variables.clone()).await;
    assert_eq!(own["auction"]["bids"]["edges"][0]["node"]["id"], placed["bid"]["id"]);
    assert_eq!(own["node"]["id"], placed["bid"]["id"]);
    assert_eq!(own["accounts"]["edges"][0]["node"]["held"]["amount"], "7.00");
    assert_eq!(own["auditTrail"]["edges"].as_array().unwrap().len(), 1);
    for outside in [market.customer, who(Role::Finance), who(Role::Anonymous)] {
        assert_eq!(house.ask(&outside, seen, variables.clone()).await["auction"], Value::Null);
    }
}

#[tokio::test]
async fn a_leading_maximum_shows_in_no_account_but_its_bidders() {
    let house = House::start();
    let market = market(&house, "PROXY").await;
    let ann = &market.agents[0];
    let accounts = "query($owner: ID!) { accounts(ownerId: $owner, first: 9) { edges { node {
        seq held { amount } available { amount } holds(first: 9) { edges { node { amount { amount } } } }
    } } } }";
    let owner = json!({ "owner": ann.1 });
    let before = house.ask(&who(Role::Finance), accounts, owner.clone()).await;
    let bid = json!({ "auctionId": market.auction, "amount": { "amount": "37", "currency": "EUR" } });
    house.tell(ann, "placeBid", bid, "bid { id }").await;
    for viewer in [who(Role::Finance), who(Role::Operator)] {
        assert_eq!(house.ask(&viewer, accounts, owner.clone()).await, before);
    }
    let own = house.ask(ann, accounts, owner).await;
    let own = &own["accounts"]["edges"][0]["node"];
    assert_eq!((&own["held"]["amount"], &own["available"]["amount"]), (&json!("37.00"), &json!("13.00")));
}

/// The contract hides a leading maximum and no other; the trail and the bid say the same to the same viewer.
#[tokio::test]
async fn a_maximum_is_hidden_where_it_led_or_would_tell_of_one_that_does() {
    let house = House::start();
    let market = market(&house, "PROXY").await;
    let (ann, ben) = (&market.agents[0], &market.agents[1]);
    let bid = |amount: &str| json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
    let fields = "bid { id state amount { amount } } auction { myBid { id } price { amount } }";
    let first = house.tell(ann, "placeBid", bid("30"), fields).await;
    let lower = house.tell(ann, "placeBid", bid("20"), fields).await;
    assert_eq!((&lower["bid"]["state"], &lower["auction"]["myBid"]["id"]), (&json!("OUTBID"), &first["bid"]["id"]));
    house.tell(ben, "placeBid", bid("12"), fields).await;

    let seen = "query($auction: ID!) {
        auction(id: $auction) { price { amount } bids(first: 9) { edges { node { id state amount { amount } } } } }
        auditTrail(subject: $auction, filter: { types: [\"auction.bid_placed.v1\"] }, first: 9) { edges { node { data } } }
    }";
    let operator = who(Role::Operator);
    let public = json!([null, null, "12.00"]);
    let anns = json!(["30.00", "20.00", "12.00"]);
    for (viewer, amounts, trail) in [
        (ann, &anns, json!(["30.00", "20.00"])),
        (ben, &public, json!(["12.00"])),
        (&market.provider, &public, public.clone()),
        (&operator, &public, public.clone()),
    ] {
        let data = house.ask(viewer, seen, json!({ "auction": market.auction })).await;
        let edges = |list: &Value, pointer: &str| -> Value {
            let nodes = list["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]);
            nodes.map(|node| node.pointer(pointer).cloned().unwrap_or(Value::Null)).collect()
        };
        let bids = &data["auction"]["bids"];
        assert_eq!(edges(bids, "/state"), json!(["ACTIVE", "OUTBID", "OUTBID"]), "{}", viewer.1);
        assert_eq!(&edges(bids, "/amount/amount"), amounts, "{}: {data}", viewer.1);
        assert_eq!(edges(&data["auditTrail"], "/data/amount/amount"), trail, "{}: {data}", viewer.1);
    }
    // Once it leads no more it is still nobody else's.
    house.tell(ben, "placeBid", bid("40"), fields).await;
    let data = house.ask(&operator, seen, json!({ "auction": market.auction })).await;
    let shown: Vec<(String, Value)> = data["auction"]["bids"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (text(&edge["node"]["state"]), edge["node"]["amount"].clone()))
        .collect();
    let hidden = |state: &str| (state.to_owned(), Value::Null);
    let public = ("SUPERSEDED".to_owned(), json!({ "amount": "12.00" }));
    assert_eq!(shown, [hidden("OUTBID"), hidden("OUTBID"), public, hidden("ACTIVE")]);
}

#[tokio::test]
async fn a_suspended_providers_offers_are_its_own_and_operators_until_it_is_reinstated() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (operator, nobody) = (who(Role::Operator), who(Role::Anonymous));
    let found = house.ask(&operator, "{ offers(first: 1) { edges { node { id links { id } } } } }", json!({})).await;
    let offer = &found["offers"]["edges"][0]["node"];
    let variables = json!({ "offer": offer["id"], "link": offer["links"][0]["id"], "provider": market.provider.1 });
    let document = "query($offer: ID!, $link: ID!, $provider: ID!) {
        offer(id: $offer) { state } byId: node(id: $offer) { id } link: node(id: $link) { id }
        all: offers(first: 9) { edges { node { id } } } of: offers(providerId: $provider, first: 9) { edges { node { id } } }
        provider: node(id: $provider) { ... on Provider { state offers(first: 9) { edges { node { id } } } } }
    }";
    let suspend = |state: &str| json!({ "providerId": market.provider.1, "state": state });
    let customer = &market.customer;
    let strangers = [&nobody, customer, &market.agents[0], &who(Role::Finance)];
    for (state, public) in [("ACTIVE", true), ("SUSPENDED", false), ("ACTIVE", true)] {
        house.tell(&operator, "updateProvider", suspend(state), "provider { state }").await;
        let knowing = [(&operator, true), (&market.provider, true)];
        for (viewer, sees) in strangers.iter().map(|viewer| (*viewer, public)).chain(knowing) {
            let data = house.ask(viewer, document, variables.clone()).await;
            let (count, there) = (usize::from(sees), |value: &Value| !value.is_null());
            let lists = [&data["all"], &data["of"], &data["provider"]["offers"]];
            assert_eq!(lists.map(|list| list["edges"].as_array().unwrap().len()), [count; 3], "{state}: {data}");
            assert_eq!([&data["offer"], &data["byId"], &data["link"]].map(there), [sees; 3], "{state}: {data}");
            assert_eq!(data["provider"]["state"], state);
        }
        // Whoever accepted it still sees what it accepted.
        let document = "query($id: ID!) { inquiry(id: $id) { offer { title } } }";
        let own = house.ask(customer, document, json!({ "id": market.inquiry })).await;
        assert_eq!(own["inquiry"]["offer"]["title"], "Card help");
        let key = format!("fedcba9876543210{:016x}", house.keys.fetch_add(1, Ordering::Relaxed));
        let accept =
            "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { inquiry { id } userErrors { code } } }";
        let input = json!({ "offerId": offer["id"], "linkId": offer["links"][0]["id"], "channel": "TELEPHONE", "idempotencyKey": key });
        let data = house.ask(&nobody, accept, json!({ "input": input })).await;
        let refused = if public { json!([]) } else { json!([{ "code": "NOT_ALLOWED_NOW" }]) };
        assert_eq!(data["acceptOffer"]["userErrors"], refused, "{state}");
    }
}

#[tokio::test]
async fn who_lacks_the_money_for_the_least_bid_is_not_eligible() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let ann = &market.agents[0];
    let eligible = "{ auctions(filter: { eligibleOnly: true }, first: 9) { edges { node { id } } } }";
    let found = |data: Value| data["auctions"]["edges"].as_array().unwrap().len();
    assert_eq!(found(house.ask(ann, eligible, json!({})).await), 1);
    let input = json!({ "displayName": "Cat", "callServer": "main", "location": "l", "skills": [{ "name": "cards" }] });
    let cat = house.tell(&who(Role::Operator), "registerAgent", input, "agent { id }").await;
    let cat = Who(Role::Agent, text(&cat["agent"]["id"]));
    house.tell(&cat, "setAgentStatus", json!({ "status": "AVAILABLE" }), "agent { id }").await;
    assert_eq!(found(house.ask(&cat, eligible, json!({})).await), 0, "no wallet");
    let credit = |amount: &str| json!({ "owner": cat.1, "amount": { "amount": amount, "currency": "EUR" }, "reference": amount });
    house.tell(&who(Role::Finance), "creditWallet", credit("1.99"), "account { id }").await;
    assert_eq!(found(house.ask(&cat, eligible, json!({})).await), 0);
    house.tell(&who(Role::Finance), "creditWallet", credit("0.01"), "account { id }").await;
    assert_eq!(found(house.ask(&cat, eligible, json!({})).await), 1, "the starting price");
    let bid = json!({ "auctionId": market.auction, "amount": { "amount": "15", "currency": "EUR" } });
    house.tell(ann, "placeBid", bid, "bid { id }").await;
    assert_eq!(found(house.ask(&cat, eligible, json!({})).await), 0);
    assert_eq!(found(house.ask(ann, eligible, json!({})).await), 1, "its own hold here counts as free");
}

#[tokio::test]
async fn each_role_sees_its_part_of_an_inquiry_from_queue_to_record() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (ann, ben) = (&market.agents[0], &market.agents[1]);
    let id = json!({ "id": market.inquiry });
    let masked =
        json!({ "displayName": "C.", "email": null, "phone": null, "masked": true, "attributes": { "tier": "gold" } });
    let full = json!({ "displayName": "Carl", "email": null, "phone": "+351", "masked": false, "attributes": { "iban": "DE00", "tier": "gold" } });

    let before = house.ask(ann, INQUIRY, id.clone()).await;
    assert_eq!((&before["inquiry"]["question"], &before["inquiry"]["customer"]), (&Value::Null, &masked));
    let own = house.ask(&market.customer, INQUIRY, id.clone()).await;
    assert_eq!((&own["inquiry"]["question"], &own["inquiry"]["customer"]), (&json!("Where is my card?"), &full));
    assert_eq!(own["inquiry"]["auction"], Value::Null);
    let provider = house.ask(&market.provider, INQUIRY, id.clone()).await;
    assert_eq!(
        (&provider["inquiry"]["question"], &provider["inquiry"]["customer"]),
        (&json!("Where is my card?"), &masked)
    );
    let operator = house.ask(&who(Role::Operator), INQUIRY, id.clone()).await;
    assert_eq!(
        (&operator["inquiry"]["question"], &operator["inquiry"]["customer"]["displayName"]),
        (&Value::Null, &Value::Null)
    );
    for stranger in [
        who(Role::Anonymous),
        who(Role::Finance),
        Who(Role::Customer, domain::ids::CustomerId(1).to_string()),
        Who(Role::Provider, domain::ids::ProviderId(1).to_string()),
        Who(Role::Agent, domain::ids::AgentId(1).to_string()),
    ] {
        assert_eq!(house.ask(&stranger, INQUIRY, id.clone()).await["inquiry"], Value::Null);
    }

    let bid = |amount: &str| json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
    house.tell(ben, "placeBid", bid("5"), "bid { id }").await;
    let won = house
        .tell(ann, "placeBid", bid("20"), "bid { id state } auction { state winner { id } clearingPrice { amount } }")
        .await;
    assert_eq!(won["auction"]["state"], "AWARDED");
    assert_eq!(won["auction"]["clearingPrice"]["amount"], "20.00");
    let lost = house.ask(ben, INQUIRY, id.clone()).await;
    assert_eq!(lost["inquiry"]["customer"], Value::Null, "who lost sees the customer no more");
    let rival = "query($id: ID!) { auction(id: $id) { winner { id } clearingPrice { amount }
        bids(reverse: true, first: 1) { edges { cursor node { bidder agent { id } amount { amount } lossReason } } pageInfo { hasNextPage } } } }";
    let seen = house.ask(ben, rival, json!({ "id": market.auction })).await;
    assert_eq!((&seen["auction"]["winner"], &seen["auction"]["clearingPrice"]), (&Value::Null, &Value::Null));
    let page = &seen["auction"]["bids"];
    assert_eq!(
        page["edges"][0]["node"],
        json!({ "bidder": "B2", "agent": null, "amount": { "amount": "20.00" }, "lossReason": null })
    );
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    // A cursor is bound to its viewer.
    let next = "query($id: ID!, $after: Cursor) { auction(id: $id) { bids(reverse: true, first: 1, after: $after) { edges { node { bidder lossReason } } pageInfo { hasNextPage hasPreviousPage } } } }";
    let variables = json!({ "id": market.auction, "after": page["edges"][0]["cursor"] });
    let second = house.ask(ben, next, variables.clone()).await;
    assert_eq!(second["auction"]["bids"]["edges"], json!([{ "node": { "bidder": "B1", "lossReason": "BOUGHT_NOW" } }]));
    assert_eq!(second["auction"]["bids"]["pageInfo"], json!({ "hasNextPage": false, "hasPreviousPage": true }));
    let foreign = house.run(ann, next, variables).await;
    assert_eq!(foreign["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{foreign}");

    let pending = "{ viewer { agent { displayName status reservation { id inquiry { customer { displayName } } } reservations { id } notices(first: 9) { edges { node { kind } } } } } }";
    let asked = house.ask(ann, pending, json!({})).await;
    let agent = &asked["viewer"]["agent"];
    assert_eq!((&agent["displayName"], &agent["status"]), (&json!("Ann Agent"), &json!("UNAVAILABLE")));
    assert_eq!(agent["reservation"]["inquiry"]["customer"]["displayName"], "C.");
    assert_eq!(agent["notices"]["edges"], json!([{ "node": { "kind": "BID_WON" } }]));
    let reservation = json!({ "reservationId": agent["reservation"]["id"] });
    let session = "session { id channels { id dial } participants { agent { displayName } customer } }";
    let opened = house.tell(ann, "acceptReservation", reservation, session).await;
    let channel = &opened["session"]["channels"][0];
    assert_eq!(channel["dial"], "+351");
    let after = house.ask(ann, INQUIRY, id.clone()).await;
    assert_eq!((&after["inquiry"]["question"], &after["inquiry"]["customer"]), (&json!("Where is my card?"), &full));

    let of = |more: Value| {
        let mut input = json!({ "sessionId": opened["session"]["id"] });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    house
        .tell(
            &market.customer,
            "sendMessage",
            of(json!({ "channelId": channel["id"], "text": "hello" })),
            "message { id }",
        )
        .await;
    house.tell(ann, "saveNotes", of(json!({ "notes": "lost in Rome" })), "session { id }").await;
    house.tell(&market.customer, "endSession", of(json!({})), "session { id }").await;
    let saved = json!({ "notes": "solved", "disposition": "RESOLVED", "information": { "z": "1", "a": "2" } });
    let done = house.tell(ann, "completeWrapUp", of(saved), "session { id }").await;

    let whole = "query($id: ID!, $session: ID!, $channel: ID!, $seq: Seq) {
        inquiry(id: $id, minSeq: $seq) { state session { notes record { notes disposition information }
            messages(channelId: $channel, first: 9) { edges { node { author text agent { displayName } } } } participants { agent { displayName } } }
            settlement { state price { amount } payer { __typename } postings { account amount { amount } } } decisions(first: 9) { edges { node { kind rule candidates(first: 9) { edges { node { rank bid { amount } } } } } } } }
        session(id: $session) { id }
        inquiries(first: 9) { edges { node { id } } }
        settlements(first: 9) { edges { node { id inquiry { id state } postings { id } } } }
        auditTrail(subject: $id, first: 100) { edges { node { type prevHash hash } } upTo { log } pageInfo { hasNextPage } }
    }";
    let variables = json!({ "id": market.inquiry, "session": opened["session"]["id"], "channel": channel["id"], "seq": done["seq"] });
    let own = house.ask(ann, whole, variables.clone()).await;
    let inquiry = &own["inquiry"];
    assert_eq!(inquiry["state"], "COMPLETED");
    assert_eq!(inquiry["session"]["notes"], "lost in Rome");
    assert_eq!(
        inquiry["session"]["record"],
        json!({ "notes": "solved", "disposition": "RESOLVED", "information": { "a": "2", "z": "1" } })
    );
    assert_eq!(
        inquiry["session"]["messages"]["edges"][0]["node"],
        json!({ "author": "CUSTOMER", "text": "hello", "agent": null })
    );
    assert_eq!(inquiry["settlement"]["price"]["amount"], "20.00");
    assert_eq!(own["settlements"]["edges"].as_array().unwrap().len(), 1);
    assert_eq!(own["inquiries"]["edges"].as_array().unwrap().len(), 1);

    let provider = house.ask(&market.provider, whole, variables.clone()).await;
    let inquiry = &provider["inquiry"];
    assert_eq!(
        (&inquiry["session"]["notes"], &inquiry["session"]["messages"]["edges"][0]["node"]["text"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(inquiry["session"]["participants"][1]["agent"]["displayName"], "Ann Agent");
    let award = inquiry["decisions"]["edges"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&award["node"]["kind"], &award["node"]["candidates"]["edges"][0]["node"]),
        (&json!("AWARD"), &json!({ "rank": 1, "bid": { "amount": "20.00" } }))
    );
    let trail = provider["auditTrail"]["edges"].as_array().unwrap();
    assert!(trail.len() >= 10, "{trail:?}");
    assert_eq!(trail[0]["node"]["type"], "offer.accepted.v1");

    let customer = house.ask(&market.customer, whole, variables.clone()).await;
    assert_eq!(customer["inquiry"]["session"]["record"]["notes"], Value::Null);
    assert_eq!(customer["inquiry"]["session"]["notes"], Value::Null);
    assert_eq!(customer["inquiry"]["settlement"], Value::Null);
    assert_eq!(customer["inquiry"]["session"]["participants"][1]["agent"]["displayName"], "Ann Agent");
    let finance = house.ask(&who(Role::Finance), whole, variables.clone()).await;
    assert_eq!(finance["settlements"]["edges"][0]["node"]["inquiry"]["state"], "COMPLETED");
    assert_eq!((&finance["inquiry"]["session"], &finance["session"]), (&Value::Null, &Value::Null));
    let rival = house.ask(ben, whole, variables.clone()).await;
    assert_eq!((&rival["inquiry"]["session"], &rival["inquiry"]["settlement"]), (&Value::Null, &Value::Null));
    assert_eq!(rival["settlements"]["edges"], json!([]));
    let bids: Vec<&Value> =
        rival["inquiry"]["decisions"]["edges"].as_array().unwrap().last().unwrap()["node"]["candidates"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| &edge["node"]["bid"])
            .collect();
    assert_eq!(bids, [&Value::Null, &json!({ "amount": "5.00" })]);

    // What is not reached in time is said, not guessed.
    let mut ahead = variables;
    ahead["seq"] = "1000000".into();
    let stale = house.run(ann, whole, ahead).await;
    assert_eq!(stale["errors"][0]["extensions"]["code"], "STALE_READ", "{stale}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_its_position_and_not_for_just_any() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let document = "query($id: ID!, $at: Seq) { auction(id: $id, minSeq: $at) { id } }";
    let at = |seq: u64| json!({ "id": market.auction, "at": seq.to_string() });
    let took = async |who: &Who, seq: u64| {
        let begun = std::time::Instant::now();
        let answer = house.run(who, document, at(seq)).await;
        (answer["errors"][0]["extensions"]["code"].clone(), begun.elapsed().as_millis())
    };
    let operator = who(Role::Operator);
    assert_eq!(took(&operator, 0).await.0, Value::Null);
    let (code, ms) = took(&operator, 1_000_000).await;
    assert!(code == "STALE_READ" && ms < 1_000, "far beyond the head: {code} after {ms} ms");
    let (code, ms) = took(&who(Role::Anonymous), 5_000).await;
    assert!(code == "STALE_READ" && ms < 1_000, "nobody waits without a token: {code} after {ms} ms");
    let next = house.app.live.head(&"main".parse().unwrap()).unwrap().seq + 1;
    let (waited, _) = tokio::join!(took(&operator, next), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let input = json!({ "auctionId": market.auction, "amount": { "amount": "9", "currency": "EUR" } });
        house.tell(&market.agents[0], "placeBid", input, "bid { id }").await
    });
    assert!(waited.0 == Value::Null && waited.1 < 2_000, "{waited:?}");
    let (code, ms) = took(&operator, 5_000).await;
    assert!(code == "STALE_READ" && ms >= 1_900, "{code} after {ms} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_part_in_it_gets_an_empty_trail() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let trail = async |who: &Who, id: &str| {
        let document = "query($id: ID) { auditTrail(subject: $id, first: 9) { edges { node { id } } pageInfo { hasNextPage endCursor } } }";
        let data = house.ask(who, document, json!({ "id": id })).await;
        let trail = &data["auditTrail"];
        (trail["edges"].as_array().unwrap().len(), trail["pageInfo"]["hasNextPage"] == true)
    };
    for (insider, id) in [
        (&market.customer, &market.inquiry),
        (&market.customer, &market.customer.1),
        (&market.provider, &market.auction),
        (&market.provider, &market.provider.1),
        (&market.agents[0], &market.agents[0].1),
    ] {
        assert!(trail(insider, id).await.0 > 0, "{id}");
    }
    let stranger = Who(Role::Customer, domain::ids::CustomerId(1).to_string());
    let rival = Who(Role::Provider, domain::ids::ProviderId(1).to_string());
    let elsewhere = Who(Role::Agent, domain::ids::AgentId(1).to_string());
    for (outsider, id) in [
        (&stranger, &market.inquiry),
        (&stranger, &market.customer.1),
        (&rival, &market.auction),
        (&rival, &market.provider.1),
        (&elsewhere, &market.auction),
        (&market.agents[0], &market.agents[1].1),
    ] {
        assert_eq!(trail(outsider, id).await, (0, false), "{id}");
    }
}

/// Who outbid an agent is a rival: neither the entry nor a filter tells.
#[tokio::test]
async fn an_actor_that_is_not_told_is_not_found_either() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (ann, ben) = (&market.agents[0], &market.agents[1]);
    for (agent, amount) in [(ben, "5"), (ann, "9")] {
        let bid = json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
        house.tell(agent, "placeBid", bid, "bid { id }").await;
    }
    let document = "query($subject: ID, $actor: ID) {
        auditTrail(subject: $subject, filter: { actor: $actor }, first: 50) { edges { node { type actor } } }
    }";
    let trail = async |viewer: &Who, subject: &str, actor: Option<&str>| -> Vec<(String, Value)> {
        let data = house.ask(viewer, document, json!({ "subject": subject, "actor": actor })).await;
        let edges = data["auditTrail"]["edges"].as_array().unwrap().clone();
        edges.iter().map(|edge| (text(&edge["node"]["type"]), edge["node"]["actor"].clone())).collect()
    };
    let outbid = "auction.bid_outbid.v1";
    let of = |found: &[(String, Value)]| found.iter().find(|(name, _)| name == outbid).map(|(_, actor)| actor.clone());
    assert_eq!(of(&trail(ben, &market.auction, None).await), Some(Value::Null));
    assert_eq!(trail(ben, &market.auction, Some(&ann.1)).await, []);
    assert_eq!(of(&trail(&who(Role::Operator), &market.auction, Some(&ann.1)).await), Some(json!(ann.1)));
    // The provider is told of bidders, and of nobody else: the event about Ben was caused by Ann.
    let bidders = trail(&market.provider, &market.auction, Some(&ann.1)).await;
    assert_eq!(bidders, [("auction.bid_placed.v1".to_owned(), json!(ann.1))]);
    assert_eq!(of(&trail(&market.provider, &market.auction, None).await), Some(Value::Null));
    let customer = trail(&market.provider, &market.inquiry, Some("somebody")).await;
    assert_eq!(customer, [], "operators and finance");
    assert_eq!(trail(&market.customer, &market.customer.1, Some(&ann.1)).await, []);
}
