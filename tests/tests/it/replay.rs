//! Recorded market history through the binary.

use serde_json::Value;
use std::fs;
use tests::{Scratch, recorded, run};

fn summary(out: &str) -> Value {
    assert_eq!(out.lines().count(), 1, "--json prints one line");
    serde_json::from_str(out).unwrap()
}

#[test]
fn recorded_proxy_auctions_come_to_their_recorded_prices() {
    let (Some(auctions), Some(bids)) =
        (recorded("ebay_auctions_cartier_palm/auctions.csv"), recorded("ebay_auctions_cartier_palm/bids.csv"))
    else {
        return;
    };
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let ran = run(&[
        "replay",
        "auctions",
        "--json",
        "--auctions",
        auctions.to_str().unwrap(),
        "--bids",
        bids.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = summary(&ran.out);
    assert_eq!((&found["auctions"], &found["bids"]), (&479.into(), &7870.into()));
    assert_eq!((&found["accepted"], &found["refused"]), (&7866.into(), &4.into()));
    assert_eq!(found["exact"], 117 + 331);
    // Which of them are Cartier's.
    let cartier: Vec<String> = fs::read_to_string(auctions)
        .unwrap()
        .lines()
        .filter(|line| line.contains("Cartier"))
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    let mismatches = found["mismatches"].as_array().unwrap();
    let of_cartier = mismatches.iter().filter(|row| cartier.iter().any(|id| row["auction"] == id.as_str())).count();
    assert_eq!((of_cartier, mismatches.len() - of_cartier), (136 - 117, 343 - 331));

    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    let again = run(&["replay", "auctions", "--auctions", "x", "--bids", "y", "--data", data.to_str().unwrap()]);
    assert_eq!(again.code, 2, "a file that is not there is wrong use");
}

#[test]
fn recorded_sealed_auctions_come_to_their_winning_bids() {
    let (Some(auctions), Some(bids)) =
        (recorded("timber_sealed_bids_1973_1986/auctions.csv"), recorded("timber_sealed_bids_1973_1986/bids.csv"))
    else {
        return;
    };
    let ran = run(&[
        "replay",
        "sealed",
        "--json",
        "--auctions",
        auctions.to_str().unwrap(),
        "--bids",
        bids.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = summary(&ran.out);
    assert_eq!((&found["auctions"], &found["exact"], &found["refused"]), (&11_019.into(), &11_019.into(), &0.into()));
    assert_eq!(found["mismatches"], serde_json::json!([]));
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_run_goes_on() {
    let scratch = Scratch::new();
    let (auctions, bids) = (scratch.join("a.csv"), scratch.join("b.csv"));
    fs::write(
        &auctions,
        "auction_id,item,duration_days,open_usd,price_usd\n1,Watch,3,1.00,3.50\n2,Watch,three,1.00,2.00\n1,Watch,3,1.00,9.00\n3,Watch,7,5.00,\n4,Watch,3\n",
    )
    .unwrap();
    fs::write(
        &bids,
        "auction_id,seq,bid_usd,bidtime_days,bidder\n1,1,3.25,0.5,ann\n1,2,1e3,0.6,ben\n1,3,4.00,0.7,ben\n1,4,4.10,2.9,\n9,1,1.00,0.1,ann\n2,1,1.00,0.1,ann\n1,x,9.00,2.95,ann\n",
    )
    .unwrap();
    let ran = run(&[
        "replay",
        "auctions",
        "--json",
        "--auctions",
        auctions.to_str().unwrap(),
        "--bids",
        bids.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 1);
    let found = summary(&ran.out);
    // Ann's 3.25, then Ben's 4.00 leads at 3.50; 4.10 by a stranger lifts it to 4.00 and takes over at 4.10.
    assert_eq!((&found["auctions"], &found["bids"], &found["accepted"]), (&2.into(), &3.into(), &3.into()));
    assert_eq!(found["mismatches"][0]["replayed"], "4.10");
    for place in [
        "a.csv:3: duration_days",
        "a.csv:4: auction 1 stands in the file twice",
        "a.csv:6: 3 cells",
        "b.csv:3: bid_usd",
        "b.csv:6: auction 9",
        "b.csv:8: seq",
    ] {
        assert!(ran.err.contains(place), "{place} is not named in\n{}", ran.err);
    }
    assert!(!ran.err.contains("b.csv:7"), "a bid of a reported auction is not reported again");
}

/// Replays two files of proxy auctions, given as text.
fn replay(scratch: &Scratch, auctions: &str, bids: &str, more: &[&str]) -> tests::Ran {
    let (a, b) = (scratch.join("a.csv"), scratch.join("b.csv"));
    fs::write(&a, format!("auction_id,item,duration_days,open_usd,price_usd\n{auctions}")).unwrap();
    fs::write(&b, format!("auction_id,seq,bid_usd,bidtime_days,bidder\n{bids}")).unwrap();
    run(&[&["replay", "auctions", "--auctions", a.to_str().unwrap(), "--bids", b.to_str().unwrap()], more].concat())
}

#[test]
fn lines_are_counted_in_files_of_other_systems() {
    let scratch = Scratch::new();
    let (auctions, bids) = (scratch.join("a.csv"), scratch.join("b.csv"));
    fs::write(
        &auctions,
        "\u{feff}auction_id,item,duration_days,open_usd,price_usd\r\n1,\"Watch,\r\ngold\",3,1.00,1.00\r\n2,Watch,three,1.00,2.00\r\n",
    )
    .unwrap();
    fs::write(&bids, "auction_id,seq,bid_usd,bidtime_days,bidder\r\n1,1,3.25,0.5,ann\r\n1,2,1e3,0.6,ben\r\n").unwrap();
    let ran = run(&["replay", "auctions", "--auctions", auctions.to_str().unwrap(), "--bids", bids.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    for place in ["a.csv:4: duration_days", "b.csv:3: bid_usd"] {
        assert!(ran.err.contains(place), "{place} is not named in\n{}", ran.err);
    }
}

#[test]
fn a_hidden_bidder_is_nobody_with_a_name() {
    let scratch = Scratch::new();
    // Whoever hides behind bid 2 of auction 1 is not the bidder called 1:2, who leads and is not outbid by itself.
    let ran =
        replay(&scratch, "1,Watch,3,1.00,5.00\n", "1,1,5.00,0.5,1:2\n1,2,4.75,0.6,\n1,2,9.00,0.7,\n", &["--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("b.csv:4: seq 2 stands in its auction twice"), "{}", ran.err);
    let found = summary(&ran.out);
    assert_eq!((&found["bids"], &found["accepted"], &found["exact"]), (&2.into(), &2.into(), &1.into()));
}

#[test]
fn credit_lasts_through_a_file_of_the_largest_amounts() {
    let scratch = Scratch::new();
    let most = "999999999999999999.99";
    let auctions: String = (1..=4).map(|n| format!("{n},Watch,3,{most},{most}\n")).collect();
    let bids: String = (1..=4).map(|n| format!("{n},1,{most},0.5,ann\n")).collect();
    let data = scratch.join("data");
    let ran = replay(&scratch, &auctions, &bids, &["--json", "--data", data.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = summary(&ran.out);
    assert_eq!((&found["accepted"], &found["refused"], &found["exact"]), (&4.into(), &0.into(), &4.into()));
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

#[test]
fn a_bid_at_the_end_or_after_is_late() {
    let scratch = Scratch::new();
    // The third is in time by less than a microsecond; the sixth stands after late ones, and is not.
    let auctions = "1,Watch,3,1.00,4.25\n2,Watch,3,1.00,\n";
    let bids = "1,1,2.00,0.5,ann\n1,2,3.00,2.9,ben\n1,3,4.00,2.999999999999,cid\n1,4,9.00,3,dan\n1,5,9.00,3.5,eve\n1,6,5.00,2.95,ann\n2,1,2.00,3.00,ann\n";
    let ran = replay(&scratch, auctions, bids, &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = summary(&ran.out);
    assert_eq!((&found["accepted"], &found["refused"], &found["exact"]), (&4.into(), &3.into(), &2.into()));
    let told = replay(&scratch, auctions, bids, &[]);
    assert!(told.out.contains("4 accepted, 3 refused (3 at or after the end)"), "{}", told.out);
}

#[test]
fn a_file_without_its_columns_is_refused_by_name() {
    let scratch = Scratch::new();
    let file = scratch.join("a.csv");
    fs::write(&file, "auction_id,item\n").unwrap();
    let ran = run(&["replay", "sealed", "--auctions", file.to_str().unwrap(), "--bids", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no column winning_bid"), "{}", ran.err);
}
