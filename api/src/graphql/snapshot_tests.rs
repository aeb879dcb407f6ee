//! The past through the schema, over a house in memory: what was true then, under the rights of today.

use super::scalars::DateTime;
use super::testing::{House, Market, Who, market, text, who};
use async_graphql::ScalarType;
use domain::actor::Role;
use domain::log::LogName;
use domain::time::{Span, Timestamp};
use serde_json::{Value, json};

fn head(house: &House, log: &str) -> u64 {
    let log: LogName = log.parse().unwrap();
    house.app.live.head(&log).map(|head| head.seq).unwrap()
}

fn rfc3339(at: Timestamp) -> String {
    text(&serde_json::to_value(DateTime(at).to_value()).unwrap())
}

fn here(house: &House) -> u64 {
    head(house, "main")
}

/// These fields of one object, or list, as of a position of `main`; `$id` stands for the object's.
async fn then(house: &House, who: &Who, seq: u64, fields: &str, id: &str) -> Value {
    as_of(house, who, &format!("point: {{ seq: \"{seq}\" }}, log: \"main\""), fields, id).await
}

async fn as_of(house: &House, who: &Who, point: &str, fields: &str, id: &str) -> Value {
    let document = format!("{{ asOf({point}) {{ it: {} }} }}", fields.replace("$id", &format!("\"{id}\"")));
    let mut data = house.ask(who, &document, json!({})).await;
    match data["asOf"].is_null() {
        true => panic!("{document}: no such point"),
        false => data["asOf"]["it"].take(),
    }
}

async fn bid(house: &House, market: &Market, agent: usize, amount: &str) -> String {
    let input = json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
    text(&house.tell(&market.agents[agent], "placeBid", input, "bid { id }").await["bid"]["id"])
}

/// Turns the clock on, and has the call server look at it.
async fn later(house: &House, market: &Market, seconds: i64) {
    house.turn_to(house.app.clock.now() + Span::seconds(seconds));
    let report = json!({ "agentId": market.agents[1].1, "location": "l" });
    house.tell(&who(Role::Operator), "updateAgent", report, "agent { id }").await;
}

async fn account_of(house: &House, owner: &str) -> String {
    let query = "query($id: ID!) { accounts(ownerId: $id, first: 1) { edges { node { id } } } }";
    let data = house.ask(&who(Role::Finance), query, json!({ "id": owner })).await;
    text(&data["accounts"]["edges"][0]["node"]["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_object_reads_as_it_was_before_and_after_a_change() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (operator, ann) = (who(Role::Operator), &market.agents[0]);
    let seen = "query($inquiry: ID!, $auction: ID!, $agent: ID!) {
        inquiry(id: $inquiry) { queues { id } offer { id } state } auction(id: $auction) { state } agent(id: $agent) { status } }";
    let ids = json!({ "inquiry": market.inquiry, "auction": market.auction, "agent": ann.1 });
    let now = house.ask(&operator, seen, ids).await;
    let (queue, offer) = (text(&now["inquiry"]["queues"][0]["id"]), text(&now["inquiry"]["offer"]["id"]));
    let account = account_of(&house, &ann.1).await;

    let mut steps = vec![here(&house)];
    bid(&house, &market, 0, "5").await;
    steps.push(here(&house));
    bid(&house, &market, 0, "20").await;
    steps.push(here(&house));
    let consent = json!({ "reservationId": house.pending(ann).await });
    let session = house.tell(ann, "acceptReservation", consent, "session { id }").await;
    steps.push(here(&house));
    house.tell(ann, "endSession", json!({ "sessionId": session["session"]["id"] }), "session { id }").await;
    house.tell(ann, "completeWrapUp", json!({ "sessionId": session["session"]["id"] }), "session { id }").await;
    steps.push(here(&house));

    for (fields, id, wanted) in [
        (
            "inquiry(id: $id) { state auction { state price { amount } } session { state } settlement { state } position }",
            &market.inquiry,
            json!([
                { "state": "IN_AUCTION", "auction": { "state": "OPEN", "price": null }, "session": null, "settlement": null, "position": 1 },
                { "state": "IN_AUCTION", "auction": { "state": "OPEN", "price": { "amount": "5.00" } }, "session": null, "settlement": null, "position": 1 },
                { "state": "RESERVED", "auction": { "state": "AWARDED", "price": { "amount": "20.00" } }, "session": null, "settlement": null, "position": 1 },
                { "state": "ENGAGED", "auction": { "state": "AWARDED", "price": { "amount": "20.00" } }, "session": { "state": "OPEN" }, "settlement": { "state": "ESCROWED" }, "position": null },
                { "state": "COMPLETED", "auction": { "state": "AWARDED", "price": { "amount": "20.00" } }, "session": { "state": "CLOSED" }, "settlement": { "state": "PENDING" }, "position": null },
            ]),
        ),
        (
            "auction(id: $id) { state bidCount bids(first: 9) { edges { node { amount { amount } state } } } winner { id } inquiry { state } }",
            &market.auction,
            json!([
                { "state": "OPEN", "bidCount": 0, "bids": { "edges": [] }, "winner": null, "inquiry": { "state": "IN_AUCTION" } },
                { "state": "OPEN", "bidCount": 1, "bids": { "edges": [{ "node": { "amount": { "amount": "5.00" }, "state": "ACTIVE" } }] }, "winner": null, "inquiry": { "state": "IN_AUCTION" } },
                { "state": "AWARDED", "bidCount": 2, "bids": { "edges": [{ "node": { "amount": { "amount": "5.00" }, "state": "SUPERSEDED" } }, { "node": { "amount": { "amount": "20.00" }, "state": "WON" } }] }, "winner": { "id": ann.1 }, "inquiry": { "state": "RESERVED" } },
            ]),
        ),
        (
            "agent(id: $id) { status load reservation { state } sessions { state } wallets { balance { amount } held { amount } } }",
            &ann.1,
            json!([
                { "status": "AVAILABLE", "load": 0, "reservation": null, "sessions": [], "wallets": [{ "balance": { "amount": "50.00" }, "held": { "amount": "0.00" } }] },
                { "status": "AVAILABLE", "load": 0, "reservation": null, "sessions": [], "wallets": [{ "balance": { "amount": "50.00" }, "held": { "amount": "5.00" } }] },
                { "status": "UNAVAILABLE", "load": 1, "reservation": { "state": "PENDING" }, "sessions": [], "wallets": [{ "balance": { "amount": "50.00" }, "held": { "amount": "20.00" } }] },
                { "status": "UNAVAILABLE", "load": 1, "reservation": null, "sessions": [{ "state": "OPEN" }], "wallets": [{ "balance": { "amount": "30.00" }, "held": { "amount": "0.00" } }] },
                { "status": "AVAILABLE", "load": 0, "reservation": null, "sessions": [], "wallets": [{ "balance": { "amount": "30.00" }, "held": { "amount": "0.00" } }] },
            ]),
        ),
        (
            "account(id: $id) { balance { amount } available { amount } holds(first: 9) { edges { node { amount { amount } bid { state } } } } owner { __typename } callServer { name head } }",
            &account,
            json!([
                { "balance": { "amount": "50.00" }, "available": { "amount": "50.00" }, "holds": { "edges": [] }, "owner": { "__typename": "Agent" }, "callServer": { "name": "main", "head": steps[0].to_string() } },
                { "balance": { "amount": "50.00" }, "available": { "amount": "45.00" }, "holds": { "edges": [{ "node": { "amount": { "amount": "5.00" }, "bid": { "state": "ACTIVE" } } }] }, "owner": { "__typename": "Agent" }, "callServer": { "name": "main", "head": steps[1].to_string() } },
            ]),
        ),
        (
            "queue(id: $id) { depth oldestAt inquiries(first: 9) { edges { node { state } } } callServer { queueDepth agentsAvailable } }",
            &queue,
            Value::Null,
        ),
        ("agents(filter: { statuses: [AVAILABLE] }, first: 9) { edges { node { id } } }", &queue, Value::Null),
    ] {
        let mut found = Vec::new();
        for at in &steps {
            found.push(then(&house, &operator, *at, fields, id).await);
        }
        if fields.starts_with("queue") {
            let depths: Vec<_> = found.iter().map(|queue| queue["depth"].clone()).collect();
            assert_eq!(depths, [1, 1, 1, 0, 0]);
            let states = found.iter().map(|queue| queue["inquiries"]["edges"][0]["node"]["state"].clone());
            assert_eq!(
                states.collect::<Vec<_>>(),
                [json!("IN_AUCTION"), json!("IN_AUCTION"), json!("RESERVED"), Value::Null, Value::Null]
            );
            let available = found.iter().map(|queue| queue["callServer"]["agentsAvailable"].clone());
            assert_eq!(available.collect::<Vec<_>>(), [2, 2, 1, 1, 2]);
            assert_eq!([&found[2]["oldestAt"], &found[3]["oldestAt"]].map(Value::is_null), [false, true]);
        } else if fields.starts_with("agents") {
            let available = found.iter().map(|list| list["edges"].as_array().unwrap().len());
            assert_eq!(available.collect::<Vec<_>>(), [2, 2, 1, 1, 2]);
        } else {
            for (at, wanted) in wanted.as_array().unwrap().iter().enumerate() {
                assert_eq!(&found[at], wanted, "{fields} as of {}", steps[at]);
            }
        }
    }

    // The present, and the past that ends with it, are one.
    let whole = "inquiry(id: $id) { seq feedCursor state acceptedAt expiresAt topics decisions(first: 9) { edges { node { kind rule at } } }
        reservations(first: 9) { edges { node { state attempt agent { displayName } } } } customer { since masked records(first: 5) { edges { node { at } } } } }";
    let present = format!("query($id: ID!) {{ it: {whole} }}");
    for viewer in [&operator, ann, &market.provider, &market.customer, &who(Role::Finance)] {
        let present = house.ask(viewer, &present, json!({ "id": market.inquiry })).await;
        let past = then(&house, viewer, here(&house), whole, &market.inquiry).await;
        let shown = |inquiry: &Value| {
            let mut inquiry = inquiry.clone();
            inquiry.as_object_mut().unwrap().remove("feedCursor");
            inquiry
        };
        assert_eq!(shown(&past), shown(&present["it"]), "{:?}", viewer.0);
        assert_eq!(past["feedCursor"], present["it"]["feedCursor"], "a feed goes on from there");
    }

    // Before it was accepted it is not there; nor are its parts, whatever leads to them.
    assert_eq!(then(&house, &operator, 0, "inquiry(id: $id) { id }", &market.inquiry).await, Value::Null);
    assert_eq!(then(&house, &operator, 0, "auction(id: $id) { id }", &market.auction).await, Value::Null);
    assert_eq!(then(&house, &operator, 0, "agent(id: $id) { id }", &ann.1).await, Value::Null);
    assert_eq!(then(&house, &operator, 0, "queue(id: $id) { id }", &queue).await, Value::Null);
    assert_eq!(then(&house, &operator, 0, "account(id: $id) { id }", &account).await, Value::Null);
    assert_eq!(then(&house, &operator, 0, "offer(id: $id) { id }", &offer).await, Value::Null);
    // An id of another kind names nothing.
    assert_eq!(then(&house, &operator, here(&house), "queue(id: $id) { id }", &market.auction).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_shows_the_revision_of_then_to_who_sees_it_now() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let nobody = who(Role::Anonymous);
    let offer = house.ask(&nobody, "{ offers(first: 1) { edges { node { id } } } }", json!({})).await;
    let offer = text(&offer["offers"]["edges"][0]["node"]["id"]);
    let published = head(&house, "community");
    let revise = json!({ "offerId": offer, "expectedRevision": 1, "title": "Card help, day and night" });
    house.tell(&market.provider, "reviseOffer", revise, "offer { id }").await;
    let revised = head(&house, "community");
    let fields = "offer(id: $id) { revision title state provider { name } }";
    let of_community = |seq: u64| format!("point: {{ seq: \"{seq}\" }}, log: \"community\"");
    let wanted = |revision: u64, title: &str, state: &str| json!({ "revision": revision, "title": title, "state": state, "provider": { "name": "Bank" } });
    let (first, second) = (wanted(1, "Card help", "PUBLISHED"), wanted(2, "Card help, day and night", "PUBLISHED"));
    for viewer in [&market.customer, &market.provider, &market.agents[0]] {
        assert_eq!(as_of(&house, viewer, &of_community(published), fields, &offer).await, first);
        assert_eq!(as_of(&house, viewer, &of_community(revised), fields, &offer).await, second);
    }
    // A text that was superseded is published no more.
    let nothing = house.run(&nobody, &format!("{{ asOf({}) {{ seq }} }}", of_community(published)), json!({})).await;
    assert_eq!(nothing, json!({ "data": { "asOf": null } }));
    // What an inquiry accepted is the revision it accepted, at any position.
    let accepted = "inquiry(id: $id) { offer { revision } }";
    assert_eq!(then(&house, &market.provider, here(&house), accepted, &market.inquiry).await["offer"]["revision"], 1);

    house.tell(&market.provider, "retireOffer", json!({ "offerId": offer }), "offer { id }").await;
    let retired = head(&house, "community");
    let own = as_of(&house, &market.provider, &of_community(retired), fields, &offer).await;
    assert_eq!(own, wanted(2, "Card help, day and night", "RETIRED"));
    assert_eq!(as_of(&house, &market.provider, &of_community(published), fields, &offer).await, first);
    // What was taken back is not shown by looking back.
    for at in [published, revised, retired] {
        assert_eq!(as_of(&house, &market.customer, &of_community(at), fields, &offer).await, Value::Null);
    }
}

const BIDS: &str = "auction(id: $id) { state bidCount reserveMet price { amount } seq
    bids(first: 9) { edges { node { bidder amount { amount } state } } } }";
const HELD: &str = "account(id: $id) { seq held { amount } available { amount } holds(first: 9) { edges { node { amount { amount } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_bid_is_hidden_at_every_position_until_its_auction_has_closed() {
    let house = House::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let (operator, finance, ann, ben) = (who(Role::Operator), who(Role::Finance), &market.agents[0], &market.agents[1]);
    let account = account_of(&house, &ann.1).await;
    let before = here(&house);
    let sealed = bid(&house, &market, 0, "7").await;
    let after = here(&house);
    bid(&house, &market, 1, "5").await;

    for viewer in [&operator, &market.provider, ben] {
        let [one, other] = [before, after].map(|at| then(&house, viewer, at, BIDS, &market.auction));
        let (one, other) = (one.await, other.await);
        assert_eq!(one, other, "{:?}: a position tells nothing", viewer.0);
        assert_eq!(one["bids"]["edges"], json!([]));
        assert_eq!([&one["bidCount"], &one["reserveMet"], &one["price"]], [&Value::Null; 3]);
    }
    for viewer in [&operator, &finance] {
        let [one, other] = [before, after].map(|at| then(&house, viewer, at, HELD, &account));
        assert_eq!(one.await, other.await, "{:?}", viewer.0);
    }
    let own = then(&house, ann, after, BIDS, &market.auction).await;
    assert_eq!(
        own["bids"]["edges"],
        json!([{ "node": { "bidder": "B0", "amount": { "amount": "7.00" }, "state": "ACTIVE" } }])
    );
    assert_eq!(then(&house, ann, before, BIDS, &market.auction).await["bids"]["edges"], json!([]));
    assert_eq!(then(&house, ann, after, HELD, &account).await["held"]["amount"], "7.00");
    assert_eq!(then(&house, ann, before, HELD, &account).await["held"]["amount"], "0.00");

    house.close(&market).await;
    let shown = json!([{ "node": { "bidder": "B1", "amount": { "amount": "7.00" }, "state": "ACTIVE" } }]);
    for viewer in [&operator, &market.provider] {
        let then_open = then(&house, viewer, after, BIDS, &market.auction).await;
        assert_eq!((&then_open["state"], &then_open["bids"]["edges"]), (&json!("OPEN"), &shown), "{:?}", viewer.0);
        assert_eq!((&then_open["bidCount"], &then_open["reserveMet"]), (&json!(1), &json!(true)));
        assert_eq!(then(&house, viewer, before, BIDS, &market.auction).await["bidCount"], 0);
    }
    let rival = then(&house, ben, after, BIDS, &market.auction).await;
    assert_eq!(rival["bids"]["edges"][0]["node"], json!({ "bidder": "B1", "amount": null, "state": "ACTIVE" }));
    for viewer in [&operator, &finance] {
        let held = then(&house, viewer, after, HELD, &account).await;
        assert_eq!((&held["held"]["amount"], &held["available"]["amount"]), (&json!("7.00"), &json!("43.00")));
        assert_eq!(held["holds"]["edges"], json!([{ "node": { "amount": { "amount": "7.00" } } }]));
        assert_eq!(then(&house, viewer, before, HELD, &account).await["held"]["amount"], "0.00");
    }
    assert_eq!(then(&house, &market.customer, after, "auction(id: $id) { id }", &market.auction).await, Value::Null);
    assert!(sealed.starts_with("bid_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leading_maximum_is_its_bidders_alone_for_ever() {
    let house = House::start();
    let market = market(&house, "PROXY").await;
    let (operator, ann) = (who(Role::Operator), &market.agents[0]);
    let account = account_of(&house, &ann.1).await;
    bid(&house, &market, 0, "37").await;
    let leads = here(&house);
    house.close(&market).await;
    for viewer in [&operator, &market.provider, &market.agents[1]] {
        let shown = then(&house, viewer, leads, BIDS, &market.auction).await;
        assert_eq!(shown["bids"]["edges"][0]["node"]["amount"], Value::Null, "{:?}", viewer.0);
        assert_eq!(shown["price"]["amount"], "4.00");
    }
    assert_eq!(then(&house, &operator, leads, HELD, &account).await["held"]["amount"], "0.00");
    let own = then(&house, ann, leads, BIDS, &market.auction).await;
    assert_eq!(own["bids"]["edges"][0]["node"]["amount"]["amount"], "37.00");
    assert_eq!(then(&house, ann, leads, HELD, &account).await["held"]["amount"], "37.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_today() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (ann, ben) = (&market.agents[0], &market.agents[1]);
    let waiting = here(&house);
    bid(&house, &market, 1, "5").await;
    bid(&house, &market, 0, "20").await;
    let asked = here(&house);
    let sees = "inquiry(id: $id) { state question customer { displayName masked } customerInformation { outcome } reservation { state agent { displayName } } }";
    let masked = json!({ "displayName": "C.", "masked": true });
    let full = json!({ "displayName": "Carl", "masked": false });

    // Ann is asked, and sees the customer masked, then as now.
    for at in [waiting, asked] {
        let seen = then(&house, ann, at, sees, &market.inquiry).await;
        assert_eq!((&seen["customer"], &seen["question"]), (&masked, &Value::Null), "{seen}");
    }
    // Ben lost: he sees the customer no more, not where he did either.
    assert_eq!(then(&house, ben, waiting, sees, &market.inquiry).await["customer"], Value::Null);
    let named = |seen: &Value| seen["reservation"]["agent"]["displayName"].clone();
    assert_eq!(named(&then(&house, &market.provider, asked, sees, &market.inquiry).await), "Agent 1");

    // Ann lets it lapse: what she saw is hers no longer; Ben is asked and may look back.
    later(&house, &market, 21).await;
    for at in [waiting, asked, here(&house)] {
        let seen = then(&house, ann, at, sees, &market.inquiry).await;
        assert_eq!([&seen["customer"], &seen["customerInformation"]], [&Value::Null; 2], "{at}: {seen}");
        assert_eq!(then(&house, ben, at, sees, &market.inquiry).await["customer"], masked);
    }
    // Her own reservation she still sees, as it was.
    assert_eq!(then(&house, ann, asked, sees, &market.inquiry).await["reservation"]["state"], "PENDING");

    // Ben consents: what he may see now he sees at any position, as it was there.
    let consent = json!({ "reservationId": house.pending(ben).await });
    house.tell(ben, "acceptReservation", consent, "session { id }").await;
    for (at, state) in [(waiting, "IN_AUCTION"), (asked, "RESERVED")] {
        let seen = then(&house, ben, at, sees, &market.inquiry).await;
        assert_eq!(
            (&seen["state"], &seen["customer"], &seen["question"]),
            (&json!(state), &full, &json!("Where is my card?"))
        );
    }
    let session = "inquiry(id: $id) { session { state } }";
    assert_eq!(then(&house, ann, here(&house), session, &market.inquiry).await["session"], Value::Null);
    // Another provider, another customer: nothing, as now.
    for stranger in [
        Who(Role::Customer, domain::ids::CustomerId(1).to_string()),
        Who(Role::Provider, domain::ids::ProviderId(1).to_string()),
    ] {
        let point = "point: { at: \"AT\" }".replace("AT", &rfc3339(house.app.clock.now()));
        assert_eq!(as_of(&house, &stranger, &point, sees, &market.inquiry).await, Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_is_a_position_of_a_log_or_a_time() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let operator = who(Role::Operator);
    let ask = async |who: &Who, point: &str| {
        let document = format!("{{ asOf({point}) {{ log seq at }} }}");
        house.run(who, &document, json!({})).await
    };
    let at = |at| format!("point: {{ at: \"{}\" }}", rfc3339(at));
    let refused = ask(&operator, "point: { seq: \"3\" }").await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    let beyond = here(&house) + 1;
    let first = "point: { seq: \"0\" }, log: ";
    for nothing in [
        format!("point: {{ seq: \"{beyond}\" }}, log: \"main\""),
        "point: { seq: \"99999\" }, log: \"treasury\"".to_owned(),
        format!("{first}\"effects\""),
        format!("{first}\"nowhere\""),
        format!("{first}\"No Name\""),
        at(house.app.clock.now() + Span::seconds(60)),
        at(house.app.clock.now()) + ", log: \"nowhere\"",
    ] {
        assert_eq!(ask(&operator, &nothing).await, json!({ "data": { "asOf": null } }), "{nothing}");
    }
    // A log of which a viewer sees nothing is as if there were none.
    let main = format!("{first}\"main\"");
    for (viewer, sees) in [
        (&who(Role::Anonymous), false),
        (&Who(Role::Agent, domain::ids::AgentId(1).to_string()), false),
        (&market.customer, true),
        (&market.agents[0], true),
        (&market.provider, true),
        (&who(Role::Finance), true),
    ] {
        assert_eq!(ask(viewer, &main).await["data"]["asOf"].is_object(), sees, "{:?}", viewer.0);
        let community = ask(viewer, &format!("{first}\"community\"")).await;
        assert_eq!(community["data"]["asOf"].is_object(), viewer.0 != Role::Anonymous);
    }

    // A call server with nothing of theirs in it, where customers and providers are concerned.
    house.tell(&operator, "openCallServer", json!({ "name": "bank", "topics": ["bank"] }), "callServer { id }").await;
    for (viewer, sees) in [
        (&market.customer, false),
        (&Who(Role::Customer, domain::ids::CustomerId(1).to_string()), false),
        (&market.provider, false),
        (&market.agents[0], false),
        (&who(Role::Finance), true),
        (&operator, true),
    ] {
        for bank in [format!("{first}\"bank\""), at(house.app.clock.now()) + ", log: \"bank\""] {
            assert_eq!(ask(viewer, &bank).await["data"]["asOf"].is_object(), sees, "{:?} {bank}", viewer.0);
        }
    }
    let others = Who(Role::Provider, domain::ids::ProviderId(1).to_string());
    assert_eq!(ask(&others, &main).await, json!({ "data": { "asOf": null } }));
    // Money is something to see; so is an inquiry that is over, of an offer that is no more.
    let credit = json!({ "owner": market.provider.1, "callServer": "bank", "amount": { "amount": "5", "currency": "EUR" }, "reference": "r" });
    house.tell(&who(Role::Finance), "creditWallet", credit, "account { id }").await;
    assert!(ask(&market.provider, &format!("{first}\"bank\"")).await["data"]["asOf"].is_object());

    // Between two events it is as the first left it.
    let quiet = here(&house);
    house.turn_to(house.app.clock.now() + Span::seconds(10));
    let between = house.app.clock.now();
    house.turn_to(house.app.clock.now() + Span::seconds(10));
    bid(&house, &market, 0, "5").await;
    let moment = ask(&operator, &format!("{}, log: \"main\"", at(between))).await;
    assert_eq!(moment["data"]["asOf"], json!({ "log": "main", "seq": quiet.to_string(), "at": rfc3339(between) }));
    let unnamed = ask(&operator, &at(between)).await;
    assert_eq!(unnamed["data"]["asOf"], json!({ "log": null, "seq": null, "at": rfc3339(between) }));
    let count = "auction(id: $id) { bidCount serverNow }";
    let shown = as_of(&house, &operator, &at(between), count, &market.auction).await;
    assert_eq!(shown, json!({ "bidCount": 0, "serverNow": rfc3339(between) }));
    assert_eq!(then(&house, &operator, here(&house), count, &market.auction).await["bidCount"], 1);
    // Before the first event there was nothing.
    let before = "point: { at: \"1999-01-01T00:00:00Z\" }, log: \"main\"";
    assert_eq!(ask(&operator, before).await["data"]["asOf"]["seq"], Value::Null);
    let agents = "agents(first: 9) { edges { node { id } } }";
    assert_eq!(as_of(&house, &operator, before, agents, &market.auction).await["edges"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_looked_back_in_by_whose_inquiry_there_is_over() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let seen = async |who: &Who| {
        let document = "{ asOf(point: { seq: \"0\" }, log: \"main\") { at } }";
        house.ask(who, document, json!({})).await["asOf"].is_object()
    };
    let withdraw = json!({ "inquiryId": market.inquiry });
    house.tell(&market.customer, "withdrawInquiry", withdraw, "inquiry { state }").await;
    let inquiry = "query($id: ID!) { inquiry(id: $id) { offer { id } } }";
    let offer = house.ask(&market.provider, inquiry, json!({ "id": market.inquiry })).await;
    let retire = json!({ "offerId": offer["inquiry"]["offer"]["id"] });
    house.tell(&market.provider, "retireOffer", retire, "offer { id }").await;
    assert!(seen(&market.customer).await && seen(&market.provider).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_at_its_own_moment_alone() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let operator = who(Role::Operator);
    let list = "LIST(first: 1, after: $after) { edges { node { id } cursor } pageInfo { hasNextPage endCursor } }";
    let declare = json!({ "callServer": "main", "topic": "loans" });
    house.tell(&operator, "declareQueue", declare, "queue { id }").await;
    let seq = here(&house);
    bid(&house, &market, 0, "5").await;
    for name in ["agents", "queues"] {
        let list = list.replace("LIST", name);
        let present = format!("query($after: Cursor) {{ it: {list} }}");
        let past = |seq: u64| {
            format!("query($after: Cursor) {{ asOf(point: {{ seq: \"{seq}\" }}, log: \"main\") {{ it: {list} }} }}")
        };
        let now = house.ask(&operator, &present, json!({})).await;
        let then = house.ask(&operator, &past(seq), json!({})).await;
        assert_eq!(then, house.ask(&operator, &past(seq), json!({})).await, "the same, asked again");
        let (of_now, of_then) = (&now["it"]["pageInfo"]["endCursor"], &then["asOf"]["it"]["pageInfo"]["endCursor"]);
        assert_ne!(of_now, of_then);
        let second = house.ask(&operator, &past(seq), json!({ "after": of_then })).await;
        let edges = [&then, &second].map(|page| page["asOf"]["it"]["edges"][0]["node"]["id"].clone());
        assert!(!edges[1].is_null() && edges[0] != edges[1], "{edges:?}");
        for (document, cursor) in [(&present, of_then), (&past(seq), of_now), (&past(seq + 1), of_then)] {
            let refused = house.run(&operator, document, json!({ "after": cursor })).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{document}");
        }
    }
}
