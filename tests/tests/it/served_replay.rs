//! A folder that a replay filled, served: its auctions, bids, audit trails and settlements can be asked for.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{Client, House, Scratch, cents, recorded, run, text};

const CLOSED: &str = "query($after: Cursor) { auctions(filter: {states: [AWARDED, UNSOLD]}, first: 100, after: $after) { edges { node { id state bidCount clearingPrice { amount currency } } } pageInfo { hasNextPage endCursor } } }";
const INQUIRIES: &str = "query($after: Cursor) { inquiries(first: 100, after: $after) { edges { node { id state offer { title } auction { id } } } pageInfo { hasNextPage endCursor } } }";
const BIDS: &str = "query($id: ID!, $after: Cursor) { auction(id: $id) { bids(first: 100, after: $after) { edges { node { state amount { amount } bidder } } } state bidCount clearingPrice { amount } winner { id } } }";
const TRAIL: &str = "query($id: ID!, $after: Cursor) { auditTrail(subject: $id, first: 100, after: $after) { edges { node { log seq type role data prevHash hash } } pageInfo { hasNextPage endCursor } } }";
const SETTLEMENTS: &str = "query($after: Cursor) { settlements(first: 100, after: $after) { edges { node { id state inquiry { id } price { amount currency } postings { account leg amount { amount currency } } } } pageInfo { hasNextPage endCursor } } }";

/// Everything that this test asks, at once: the same before and after the history is rebuilt.
fn look(operator: &mut Client, finance: &mut Client, one: &Value) -> Value {
    json!({
        "auctions": operator.pages("auctions", CLOSED, json!({})),
        "inquiries": operator.pages("inquiries", INQUIRIES, json!({})),
        "bids": operator.ask(BIDS, json!({"id": one["auction"]["id"]})),
        "trail": operator.pages("auditTrail", TRAIL, json!({"id": one["auction"]["id"]})),
        "settlements": finance.pages("settlements", SETTLEMENTS, json!({})),
    })
}

#[test]
fn a_replayed_market_is_served_with_its_bids_trails_and_settlements() {
    let (Some(auctions), Some(bids)) =
        (recorded("ebay_auctions_cartier_palm/auctions.csv"), recorded("ebay_auctions_cartier_palm/bids.csv"))
    else {
        return;
    };
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let folder = data.to_str().unwrap();
    let (auctions, bids) = (auctions.to_str().unwrap(), bids.to_str().unwrap());
    let ran = run(&["replay", "auctions", "--json", "--auctions", auctions, "--bids", bids, "--data", folder]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary: Value = serde_json::from_str(&ran.out).unwrap();
    let missed = summary["mismatches"].as_array().unwrap();
    // The first with several bids whose recorded price came out.
    let table = std::fs::read_to_string(auctions).unwrap();
    let (id, price, count) = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .find(|cells| cells[5].parse::<u32>().unwrap() > 3 && missed.iter().all(|row| row["auction"] != cells[0]))
        .map(|cells| (cells[0].to_owned(), cells[4].to_owned(), cells[5].parse::<u32>().unwrap()))
        .expect("an auction with several bids");

    let house = House::open(&data);
    let mut operator = house.client(&house.token("operator", None));
    let mut finance = house.client(&house.token("finance", None));
    let inquiries = operator.pages("inquiries", INQUIRIES, json!({}));
    assert_eq!(inquiries.len(), 479);
    let one = inquiries
        .iter()
        .find(|inquiry| text(&inquiry["offer"]["title"]).ends_with(&id))
        .unwrap_or_else(|| panic!("no inquiry for auction {id}"))
        .clone();
    let seen = look(&mut operator, &mut finance, &one);

    let closed = seen["auctions"].as_array().unwrap();
    let mut ids: Vec<String> = closed.iter().map(|auction| text(&auction["id"])).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((closed.len(), ids.len()), (479, 479), "every auction once");
    let accepted: u64 = closed.iter().map(|auction| auction["bidCount"].as_u64().unwrap()).sum();
    assert_eq!(json!(accepted), summary["accepted"]);

    let auction = &seen["bids"]["auction"];
    assert_eq!((&auction["state"], &auction["clearingPrice"]["amount"]), (&json!("AWARDED"), &json!(price)), "{id}");
    let bids = auction["bids"]["edges"].as_array().unwrap();
    assert_eq!((bids.len(), &auction["bidCount"]), (count as usize, &json!(count)), "{id}");
    assert_eq!(bids.iter().filter(|edge| edge["node"]["state"] == "WON").count(), 1, "{bids:?}");
    let trail = seen["trail"].as_array().unwrap();
    let placed = trail.iter().filter(|entry| entry["type"] == "auction.bid_placed.v1").count();
    assert_eq!(placed, bids.len());
    assert!(trail.iter().any(|entry| entry["type"] == "auction.awarded.v1"));
    let seqs: Vec<u64> = trail.iter().map(|entry| text(&entry["seq"]).parse().unwrap()).collect();
    assert!(seqs.is_sorted(), "oldest first: {seqs:?}");

    let sold = closed.iter().filter(|auction| auction["state"] == "AWARDED").count();
    let settlements = seen["settlements"].as_array().unwrap();
    assert_eq!(settlements.len(), sold, "one settlement for each auction that was sold");
    let mut settled: Vec<String> = settlements.iter().map(|row| text(&row["inquiry"]["id"])).collect();
    settled.sort();
    settled.dedup();
    assert_eq!(settled.len(), sold, "each of another inquiry");
    for settlement in settlements {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for posting in settlement["postings"].as_array().unwrap() {
            *sums.entry(text(&posting["amount"]["currency"])).or_default() += cents(&posting["amount"]["amount"]);
        }
        assert!(!sums.is_empty() && sums.values().all(|sum| *sum == 0), "{settlement}");
    }
    let total = |rows: &[Value], field: &str| -> i64 {
        rows.iter().filter(|row| !row[field].is_null()).map(|row| cents(&row[field]["amount"])).sum()
    };
    assert_eq!(total(settlements, "price"), total(closed, "clearingPrice"));

    assert_eq!(house.stop(), 0);
    for command in ["verify", "rebuild", "verify"] {
        let ran = run(&[command, "--data", folder]);
        assert_eq!(ran.code, 0, "{command}: {}{}", ran.out, ran.err);
    }
    let house = House::open(&data);
    let (mut operator, mut finance) = (operator.at(&house), finance.at(&house));
    let again = look(&mut operator, &mut finance, &one);
    assert_eq!(tests::differences(&seen, &again), Vec::<String>::new(), "a rebuilt history gives the same answers");
}
