//! Deadlines across SIGKILL. What fell due while the server was down is late: nobody is harmed by it. What
//! is still to come when it starts again goes on as if nothing had been.

use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;
use tests::{House, Scratch, Town, eventually, micros, now, run, text};

const SECOND: i64 = 1_000_000;
/// What a late auction gets where its soft close asks for no more.
const GRACE: i64 = 30 * SECOND;

const AUCTION: &str = "query($id: ID!) { auction(id: $id) { state round opensAt closesAt hardClosesAt bidCount price { amount } inquiry { state reservation { id state agent { id } } } } }";
const RESERVATIONS: &str = "query($id: ID!) { inquiry(id: $id) { state reservation { id } reservations(first: 10) { edges { node { id state attempt deadline price { amount } agent { id } } } } } }";
const AGENT: &str = "query($id: ID!) { agent(id: $id) { status statusReason will load reservation { id } notices(first: 10) { edges { node { kind } } } } }";

fn proxy(open_for: &str) -> Value {
    json!({"direction": "FORWARD", "format": "PROXY", "currency": "EUR", "startingPrice": "1.00", "openFor": open_for})
}

fn reservations(town: &mut Town, inquiry: &str) -> Vec<Value> {
    let seen = town.operator.ask(RESERVATIONS, json!({"id": inquiry}));
    let edges = seen["inquiry"]["reservations"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

/// Waits until the inquiry has a pending reservation, and returns it.
fn pending(town: &mut Town, inquiry: &str) -> Value {
    eventually("an agent is asked", || reservations(town, inquiry).into_iter().find(|one| one["state"] == "PENDING"))
}

/// Down until the instant has passed for sure; the folder served again.
fn down_until(house: House, town: &mut Town, instant: i64) -> House {
    let data = house.data.clone();
    house.kill();
    let rest = u64::try_from(instant + SECOND / 2 - now()).unwrap_or(0);
    sleep(Duration::from_micros(rest));
    let house = House::open(&data);
    town.move_to(&house);
    house
}

fn ends_clean(house: House) {
    let data = house.data.clone();
    assert_eq!(house.stop(), 0);
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

#[test]
fn an_auction_that_closed_while_the_server_was_down_moves_its_closing_once() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    // One with a hard close too, which moves along.
    let mut soft = proxy("PT3S");
    soft["softClose"] = json!("PT1S");
    soft["hardClose"] = json!("PT4S");
    let mut auctions = Vec::new();
    for rules in [proxy("PT3S"), soft] {
        let offer = town.publish(rules, json!({}));
        let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
        assert_eq!(town.bid(0, &auction, "5.00")["userErrors"], json!([]));
        auctions.push(auction);
    }
    let see = |town: &mut Town, id: &str| town.operator.ask(AUCTION, json!({"id": id}))["auction"].clone();
    let before: Vec<Value> = auctions.iter().map(|id| see(&mut town, id)).collect();
    assert!(before.iter().all(|auction| auction["state"] == "OPEN"), "{before:?}");
    let last = before.iter().map(|auction| micros(&auction["closesAt"])).max().unwrap();
    let started = last + SECOND / 2;
    let house = down_until(house, &mut town, last);

    let mut moved = Vec::new();
    for (id, before) in auctions.iter().zip(&before) {
        let late = eventually("the closing moves", || {
            Some(see(&mut town, id)).filter(|auction| auction["closesAt"] != before["closesAt"])
        });
        assert_eq!(
            (&late["state"], &late["round"], &late["bidCount"]),
            (&json!("OPEN"), &json!(1), &json!(1)),
            "{late}"
        );
        let (closes, seen) = (micros(&late["closesAt"]), now());
        assert!(closes >= started + GRACE && closes <= seen + GRACE, "about {GRACE} µs from {started}..{seen}: {late}");
        if !late["hardClosesAt"].is_null() {
            assert!(micros(&late["hardClosesAt"]) >= closes, "the hard close moves along: {late}");
        }
        // It is an open auction like any other.
        let bid = town.bid(1, id, "9.00");
        assert_eq!((&bid["userErrors"], &bid["auction"]["bidCount"]), (&json!([]), &json!(2)), "{bid}");
        moved.push(late["closesAt"].clone());
    }
    // Once: it does not move again, not by a second start either.
    let house = down_until(house, &mut town, now());
    for (id, moved) in auctions.iter().zip(&moved) {
        let again = see(&mut town, id);
        assert_eq!((&again["state"], &again["closesAt"], &again["bidCount"]), (&json!("OPEN"), moved, &json!(2)));
    }
    ends_clean(house);
}

#[test]
fn a_reservation_that_fell_due_while_the_server_was_down_harms_nobody() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let offer = town.publish(proxy("PT2S"), json!({"consentWindow": "PT2S"}));
    let accepted = town.accept(&house, &offer);
    let inquiry = text(&accepted["inquiry"]["id"]);
    let auction = text(&accepted["inquiry"]["auction"]["id"]);
    town.bid(0, &auction, "9.00");
    town.bid(1, &auction, "5.00");
    let first = pending(&mut town, &inquiry);
    assert_eq!(first["agent"]["id"], json!(town.agents[0].0));
    let house = down_until(house, &mut town, micros(&first["deadline"]));

    let (old, new) = eventually("selection starts anew", || {
        let all = reservations(&mut town, &inquiry);
        let old = all.iter().find(|one| one["id"] == first["id"])?.clone();
        let new = all.iter().find(|one| one["id"] != first["id"])?.clone();
        Some((old, new))
    });
    assert_eq!(old["state"], "RESCINDED", "nobody lapses who could not answer: {old}");
    assert_eq!((&new["state"], &new["agent"], &new["price"]), (&json!("PENDING"), &first["agent"], &first["price"]));
    let agent = town.operator.ask(AGENT, json!({"id": town.agents[0].0}))["agent"].clone();
    assert_ne!(agent["status"], "BREAK", "{agent}");
    assert_eq!((&agent["will"], &agent["reservation"]["id"]), (&json!("AVAILABLE"), &new["id"]), "{agent}");
    let kinds: Vec<&Value> =
        agent["notices"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["kind"]).collect();
    assert!(!kinds.contains(&&json!("RESERVATION_LAPSED")), "{kinds:?}");
    // The new one has its whole window, and can be consented to.
    assert!(micros(&new["deadline"]) > micros(&first["deadline"]) + 2 * SECOND, "{new}");
    let given = json!({"reservationId": new["id"]});
    town.agents[0].1.give("acceptReservation", given, "session { state } inquiry { state }");
    let stale = town.agents[0].1.give_keyed(
        "acceptReservation",
        json!({"reservationId": first["id"]}),
        &tests::key(),
        "session { id }",
    );
    assert_eq!(stale["userErrors"][0]["code"], "RESERVATION_RESCINDED", "{stale}");
    ends_clean(house);
}

#[test]
fn what_is_not_yet_due_at_a_restart_fires_in_time() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let asked = town.publish(proxy("PT1S"), json!({"consentWindow": "PT6S"}));
    let asked = town.accept(&house, &asked);
    town.bid(0, &text(&asked["inquiry"]["auction"]["id"]), "9.00");
    let inquiry = text(&asked["inquiry"]["id"]);
    let reserved = pending(&mut town, &inquiry);
    let open = town.publish(proxy("PT5S"), json!({}));
    let open = town.accept(&house, &open);
    let auction = text(&open["inquiry"]["auction"]["id"]);
    town.bid(1, &auction, "7.00");
    let before = town.operator.ask(AUCTION, json!({"id": auction}));

    let house = down_until(house, &mut town, now());
    assert!(now() + SECOND < micros(&before["auction"]["closesAt"]), "the restart came too late for this test");
    assert_eq!(town.operator.ask(AUCTION, json!({"id": auction})), before);
    assert_eq!(reservations(&mut town, &inquiry), std::slice::from_ref(&reserved));

    // Each event counts from its deadline; it is seen soon after.
    let won = pending(&mut town, &text(&open["inquiry"]["id"]));
    let closed = town.operator.ask(AUCTION, json!({"id": auction}))["auction"].clone();
    assert_eq!((&closed["state"], &closed["closesAt"]), (&json!("AWARDED"), &before["auction"]["closesAt"]));
    assert_eq!(won["agent"]["id"], json!(town.agents[1].0));
    let after_closing = now() - micros(&closed["closesAt"]);
    assert!((0..2 * SECOND).contains(&after_closing), "awarded {after_closing} µs after the closing");
    let lapsed = eventually("the reservation lapses", || {
        reservations(&mut town, &inquiry)
            .into_iter()
            .find(|one| one["id"] == reserved["id"] && one["state"] != "PENDING")
    });
    let after_deadline = now() - micros(&reserved["deadline"]);
    assert!((0..2 * SECOND).contains(&after_deadline), "lapsed {after_deadline} µs after the deadline");
    assert_eq!((&lapsed["state"], &lapsed["deadline"]), (&json!("LAPSED"), &reserved["deadline"]));
    let agent = town.operator.ask(AGENT, json!({"id": town.agents[0].0}))["agent"].clone();
    assert_eq!((&agent["status"], &agent["statusReason"]), (&json!("BREAK"), &json!("LAPSED")), "{agent}");
    ends_clean(house);
}
