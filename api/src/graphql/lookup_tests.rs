//! Ids that lead somewhere else, over a house in memory: bids that are hidden, postings, events; and offers that
//! have run out.

use super::testing::{House, Market, Who, market, text, who};
use domain::actor::Role;
use domain::ids::{BidId, PostingId};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

fn everybody(market: &Market) -> Vec<Who> {
    let [operator, finance] = [Role::Operator, Role::Finance].map(who);
    let Market { provider, customer, agents, .. } = market;
    vec![operator, finance, provider.clone(), customer.clone(), agents[0].clone(), agents[1].clone()]
}

async fn trail(house: &House, who: &Who, subject: &str) -> Value {
    let document = "query($id: ID!) { auditTrail(subject: $id, first: 50) {
        edges { node { id type } } pageInfo { hasNextPage hasPreviousPage endCursor } upTo { log seq hash } } }";
    house.ask(who, document, json!({ "id": subject })).await["auditTrail"].take()
}

fn types(trail: &Value) -> Vec<String> {
    trail["edges"].as_array().unwrap().iter().map(|edge| text(&edge["node"]["type"])).collect()
}

async fn bid(house: &House, market: &Market, agent: usize, amount: &str) -> String {
    let input = json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
    text(&house.tell(&market.agents[agent], "placeBid", input, "bid { id }").await["bid"]["id"])
}

async fn node(house: &House, who: &Who, id: &str) -> Value {
    let document = "query($id: ID!) { node(id: $id) { __typename id } }";
    house.ask(who, document, json!({ "id": id })).await["node"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_bids_id_says_no_more_than_one_that_nobody_has() {
    let house = House::start();
    let market = market(&house, "SEALED_SECOND_PRICE").await;
    let (hidden, made_up) = (bid(&house, &market, 0, "5").await, BidId(7).to_string());
    let watch = "subscription($id: ID!) { auditFeed(subject: $id) { entry { type } } }";
    for viewer in everybody(&market) {
        if viewer.1 == market.agents[0].1 {
            let own = types(&trail(&house, &viewer, &hidden).await);
            assert!(!own.is_empty() && own.iter().all(|name| name == "auction.bid_placed.v1"), "{own:?}");
            continue;
        }
        let answers = [trail(&house, &viewer, &hidden).await, trail(&house, &viewer, &made_up).await];
        assert_eq!(answers[0], answers[1], "{:?}", viewer.0);
        assert_eq!(answers[0]["edges"], json!([]));
        assert_eq!(
            [node(&house, &viewer, &hidden).await, node(&house, &viewer, &made_up).await],
            [(); 2].map(|_| Value::Null)
        );
        // Whether there is anything to watch is the same; operators and finance watch, and hear nothing of it.
        let mut feeds = [&hidden, &made_up].map(|id| house.watch(&viewer, watch, json!({ "id": id })));
        bid(&house, &market, 0, "5").await;
        let mut heard = Vec::new();
        for feed in &mut feeds {
            heard.push(tokio::time::timeout(Duration::from_millis(200), feed.next()).await.ok().flatten());
        }
        assert_eq!(heard[0], heard[1], "{:?}", viewer.0);
    }
    // A key that was used stands in the way of no answer about it.
    let key = "00112233445566778899aabbccddeeff";
    let status =
        "mutation($key: String!) { setAgentStatus(input: { status: AVAILABLE, idempotencyKey: $key }) { seq } }";
    house.ask(&market.agents[1], status, json!({ "key": key })).await;
    let withdraw = "mutation($id: ID!, $key: String!) { withdrawBid(input: { bidId: $id, idempotencyKey: $key }) {
        log seq userErrors { code field message } } }";
    let other = bid(&house, &market, 1, "6").await;
    house.ask(&market.agents[1], withdraw, json!({ "id": other, "key": key })).await;
    let mut refused = Vec::new();
    for id in [&hidden, &made_up] {
        refused.push(house.ask(&market.agents[1], withdraw, json!({ "id": id, "key": key })).await);
    }
    assert_eq!(refused[0], refused[1]);
    assert_eq!(refused[0]["withdrawBid"]["userErrors"][0]["code"], "NOT_FOUND");

    // After closing it leads to its auction, and no further.
    bid(&house, &market, 1, "6").await;
    house.close(&market).await;
    for viewer in [who(Role::Operator), market.provider.clone()] {
        let of_bid = trail(&house, &viewer, &hidden).await;
        assert_eq!(of_bid["edges"], trail(&house, &viewer, &market.auction).await["edges"]);
        let types = types(&of_bid);
        assert!(types.iter().any(|name| name == "auction.awarded.v1"), "{types:?}");
        assert!(types.iter().all(|name| name.starts_with("auction.") || name.starts_with("reservation.")), "{types:?}");
        assert_eq!(node(&house, &viewer, &hidden).await["id"], json!(hidden));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_is_there_for_whoever_sees_its_money() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let agent = &market.agents[0];
    bid(&house, &market, 0, "20").await;
    let consent = json!({ "reservationId": house.pending(agent).await });
    house.tell(agent, "acceptReservation", consent, "session { id }").await;

    let operator = who(Role::Operator);
    let query = "{ settlements(first: 1) { edges { node { id postings { id } } } } }";
    let settlements = house.ask(&operator, query, json!({})).await;
    let settlement = &settlements["settlements"]["edges"][0]["node"];
    let of_settlement = text(&settlement["postings"][0]["id"]);
    let query =
        "{ accounts(first: 1) { edges { node { id postings(first: 1) { edges { node { id transaction } } } } } } }";
    let accounts = house.ask(agent, query, json!({})).await;
    let account = &accounts["accounts"]["edges"][0]["node"];
    let credited = &account["postings"]["edges"][0]["node"];
    let of_wallet = text(&credited["id"]);

    for (posting, sees) in [
        // Operator, finance, provider, customer, its agent, another agent.
        (&of_settlement, [true, true, true, false, true, false]),
        (&of_wallet, [true, true, false, false, true, false]),
    ] {
        for (viewer, sees) in everybody(&market).into_iter().zip(sees) {
            let shown = match sees {
                true => json!({ "__typename": "Posting", "id": posting }),
                false => Value::Null,
            };
            assert_eq!(node(&house, &viewer, posting).await, shown, "{posting} for {:?}", viewer.0);
        }
        assert_eq!(node(&house, &who(Role::Anonymous), posting).await, Value::Null);
    }
    for (posting, home) in [(&of_settlement, text(&settlement["id"])), (&of_wallet, text(&account["id"]))] {
        for viewer in everybody(&market) {
            let (of_posting, of_home) = (trail(&house, &viewer, posting).await, trail(&house, &viewer, &home).await);
            assert_eq!(of_posting["edges"], of_home["edges"], "{posting} for {:?}", viewer.0);
        }
        assert_ne!(trail(&house, &operator, posting).await["edges"], json!([]));
    }
    assert_eq!(node(&house, &operator, &PostingId(7).to_string()).await, Value::Null);
    // There is no index over events: ADR 0009.
    assert_eq!(node(&house, &operator, &text(&credited["transaction"])).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_has_run_out_is_there_for_its_own_and_for_who_accepted_it() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let query = "query($id: ID!) { inquiry(id: $id) { offer { id links { id } } auction { closesAt } } }";
    let inquiry = house.ask(&market.provider, query, json!({ "id": market.inquiry })).await;
    let (offer, link) =
        (text(&inquiry["inquiry"]["offer"]["id"]), text(&inquiry["inquiry"]["offer"]["links"][0]["id"]));
    let until = &inquiry["inquiry"]["auction"]["closesAt"];
    let revise = json!({ "offerId": offer, "expectedRevision": 1, "validUntil": until });
    house.tell(&market.provider, "reviseOffer", revise, "offer { id }").await;

    let query = "query($id: ID!, $link: ID!) { offer(id: $id) { id } link: node(id: $link) { id } offers(first: 9) { edges { node { id } } } }";
    let found = async |who: &Who| {
        let data = house.ask(who, query, json!({ "id": offer, "link": link })).await;
        let listed = data["offers"]["edges"].as_array().unwrap().len() == 1;
        assert_eq!([data["offer"].is_object(), data["link"].is_object()], [listed; 2], "{data}");
        listed
    };
    let viewers = [who(Role::Anonymous), market.customer.clone(), market.agents[0].clone(), who(Role::Finance)];
    for viewer in &viewers {
        assert!(found(viewer).await, "{:?}", viewer.0);
    }
    house.close(&market).await;
    for viewer in &viewers {
        assert!(!found(viewer).await, "{:?}", viewer.0);
    }
    assert!(found(&market.provider).await && found(&who(Role::Operator)).await);
    let accepted = "query($id: ID!) { inquiry(id: $id) { offer { id } } }";
    let accepted = house.ask(&market.customer, accepted, json!({ "id": market.inquiry })).await;
    assert_eq!(accepted["inquiry"]["offer"]["id"], json!(offer));
    // Who tries all the same hears why not.
    let accept = "mutation($id: ID!) { acceptOffer(input: { offerId: $id, question: \"?\", channel: TELEPHONE,
        idempotencyKey: \"0123456789abcdef0123456789abcdef\" }) { userErrors { code } } }";
    let refused = house.ask(&who(Role::Anonymous), accept, json!({ "id": offer })).await;
    assert_eq!(refused["acceptOffer"]["userErrors"][0]["code"], "OFFER_EXPIRED");
}
