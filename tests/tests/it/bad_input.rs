//! Bad input gets a clear error that names the field, and nothing is recorded.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use tests::{Client, House, Scratch, Town, key, run, text};

/// Where the logs stand: nothing may be recorded between two looks.
fn positions(operator: &mut Client) -> Value {
    let seen = operator.ask("{ auditTrail(first: 1) { upTo { log seq hash } } }", json!({}));
    seen["auditTrail"]["upTo"].clone()
}

#[test]
fn bad_input_names_its_field_and_records_nothing() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town.publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "2.00", "openFor": "PT1H"}), json!({}));
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    let before = positions(&mut town.operator);

    // What a caller who is right about the schema can act on: userErrors.
    for (amount, currency, code, field) in [
        ("1.001", "EUR", "INVALID", json!(["amount", "amount"])),
        ("1.99", "EUR", "BID_TOO_LOW", json!(["amount"])),
        ("0.00", "EUR", "INVALID", json!(["amount", "amount"])),
        ("-5.00", "EUR", "INVALID", json!(["amount", "amount"])),
        ("5.00", "USD", "BID_CURRENCY", json!(["amount", "currency"])),
        ("5.00", "DEM", "INVALID", json!(["amount", "currency"])),
        ("1000.01", "EUR", "INSUFFICIENT_FUNDS", json!(["amount"])),
    ] {
        let input = json!({"auctionId": auction, "amount": {"amount": amount, "currency": currency}});
        let answer = town.agents[0].1.give_keyed("placeBid", input, &key(), "bid { id }");
        assert_eq!(
            (&answer["userErrors"][0]["code"], &answer["userErrors"][0]["field"]),
            (&json!(code), &field),
            "{amount} {currency}: {answer}"
        );
        assert_eq!((&answer["bid"], &answer["seq"]), (&Value::Null, &Value::Null));
    }
    for id in ["auc_00000000000000000000000000", "auc_1", "bid_00000000000000000000000000", ""] {
        let input = json!({"auctionId": id, "amount": {"amount": "5.00", "currency": "EUR"}});
        let answer = town.agents[0].1.give_keyed("placeBid", input, &key(), "bid { id }");
        assert_eq!(
            (&answer["userErrors"][0]["code"], &answer["userErrors"][0]["field"]),
            (&json!("NOT_FOUND"), &json!(["auctionId"])),
            "{id:?}"
        );
    }
    // What no client that knows the schema sends: top-level errors that name the place.
    for amount in [
        json!(5),
        json!(5.5),
        json!("1e3"),
        json!("+5"),
        json!(".5"),
        json!("5."),
        json!("1_000"),
        json!("NaN"),
        json!("٣"),
        json!(null),
    ] {
        let variables = json!({"input": {"auctionId": auction, "amount": {"amount": amount, "currency": "EUR"}, "idempotencyKey": key()}});
        let answer = town.agents[0]
            .1
            .send("mutation($input: PlaceBidInput!) { placeBid(input: $input) { seq } }", variables)
            .unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "VALIDATION_FAILED", "{amount}: {answer}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("amount"), "{amount}: {answer}");
        assert!(answer.get("data").is_none_or(Value::is_null));
    }
    for short in ["", "short", &"x".repeat(256)] {
        let variables = json!({"input": {"auctionId": auction, "amount": {"amount": "5.00", "currency": "EUR"}, "idempotencyKey": short}});
        let answer = town.agents[0]
            .1
            .send("mutation($input: PlaceBidInput!) { placeBid(input: $input) { seq } }", variables)
            .unwrap();
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("idempotencyKey"), "{answer}");
    }
    // A role that may not: FORBIDDEN; no token at all, or a bad one.
    let input = json!({"input": {"auctionId": auction, "amount": {"amount": "5.00", "currency": "EUR"}, "idempotencyKey": key()}});
    let document = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { seq } }";
    assert_eq!(town.provider.send(document, input.clone()).unwrap()["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let stale = run(&[
        "token",
        "--data",
        house.data.to_str().unwrap(),
        "--role",
        "agent",
        "--subject",
        &town.agents[0].0,
        "--ttl",
        "1s",
    ]);
    let mut late = house.client(stale.out.trim());
    let refused = tests::eventually("the token expires", || {
        let answer = late.send(document, input.clone()).unwrap();
        // Until then it is a good bid of another agent's key.
        Some(answer["errors"][0]["extensions"]["code"].clone()).filter(|code| !code.is_null())
    });
    assert_eq!(refused, "UNAUTHENTICATED");
    assert_eq!(
        house.client("nonsense").send(document, input).unwrap()["errors"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );

    let after = positions(&mut town.operator);
    let seq = |positions: &Value| -> Vec<(String, String)> {
        positions.as_array().unwrap().iter().map(|at| (text(&at["log"]), text(&at["seq"]))).collect()
    };
    // The one good bid of the short-lived token is all that was recorded.
    let moved: Vec<_> = seq(&before).into_iter().zip(seq(&after)).filter(|(before, after)| before != after).collect();
    assert!(moved.len() <= 1, "{moved:?}");
    let count = town.operator.ask("query($id: ID!) { auction(id: $id) { bidCount } }", json!({"id": auction}));
    assert!(count["auction"]["bidCount"].as_i64().unwrap() <= 1);
}

#[test]
fn a_hundred_megabytes_and_a_bomb_of_fragments_hurt_nobody() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut client = house.client("");

    let mut stream = TcpStream::connect(house.address).unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        100 * 1024 * 1024
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");

    let mut bomb = String::from("query { ...f0 }");
    for n in 0..30 {
        bomb.push_str(&format!(" fragment f{n} on Query {{ ...f{} ...f{} }}", n + 1, n + 1));
    }
    bomb.push_str(" fragment f30 on Query { __typename }");
    let started = std::time::Instant::now();
    let refused = client.send(&bomb, json!({})).unwrap();
    assert!(started.elapsed().as_millis() < 1_000, "a bomb of fragments is counted, not run");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "COST_EXCEEDED", "{refused}");
    let deep = "{ a".repeat(100_000);
    assert!(client.send(&deep[..60_000], json!({})).unwrap()["errors"][0]["extensions"]["code"].is_string());
    assert_eq!(client.ask("{ __typename }", json!({})), json!({"__typename": "Query"}));
}

#[test]
fn a_data_folder_in_use_or_newer_is_refused_with_a_reason() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let path = data.to_str().unwrap();
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--data", path]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("in use"), "{}", second.err);
    assert_eq!(house.stop(), 0);

    std::fs::write(data.join("format"), "{\"format\":99}").unwrap();
    for command in ["serve", "verify", "rebuild"] {
        let refused = run(&[command, "--data", path]);
        assert_eq!(refused.code, 1, "{command}");
        assert!(refused.err.contains("99"), "{command}: {}", refused.err);
    }
    assert_eq!(run(&["serve", "--no-such-option"]).code, 2);
    assert_eq!(run(&["verify", "--data", scratch.join("nowhere").to_str().unwrap()]).code, 2);
}

/// With a new vault nothing of what the logs hold could ever be read.
#[test]
fn a_house_whose_vault_is_gone_does_not_open() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    Town::found(&house, 1);
    assert_eq!(house.stop(), 0);
    for file in ["vault.sqlite", "vault.sqlite-wal", "vault.sqlite-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    let path = data.to_str().unwrap();
    let served = run(&["serve", "--listen", "127.0.0.1:0", "--data", path]);
    assert_eq!(served.code, 1);
    assert!(served.err.contains("vault.sqlite"), "{}", served.err);
    let verified = run(&["verify", "--data", path]);
    assert_eq!(verified.code, 1);
    assert!(verified.out.contains("vault.sqlite"), "{}", verified.out);
    assert!(!data.join("vault.sqlite").exists());
}

#[test]
fn on_a_full_disk_writes_are_refused_reads_are_served_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    std::fs::create_dir(&data).unwrap();
    let Some(_disk) = SmallDisk::mount(&data) else {
        println!("skipped: a small file system can be mounted only by root");
        return;
    };
    let house = House::open(&data.join("house"));
    let mut town = Town::found(&house, 2);
    let offer = town
        .publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT12H"}), json!({}));
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    let document =
        "mutation($input: PlaceBidInput!) { placeBid(input: $input) { bid { id } seq replayed userErrors { code } } }";
    let bid = |cents: usize, key: &str| json!({"input": {"auctionId": auction, "amount": {"amount": format!("{}.{:02}", cents / 100, cents % 100), "currency": "EUR"}, "idempotencyKey": key}});

    std::fs::write(data.join("ballast"), vec![0; 4096]).unwrap();
    let mut accepted = Vec::new();
    let mut refused = None;
    fill(&data);
    for cents in 1..20_000 {
        let key = key();
        let answer = town.agents[cents % 2].1.send(document, bid(cents, &key)).unwrap();
        match answer.get("errors") {
            None => accepted.push((cents, key, answer["data"]["placeBid"]["bid"]["id"].clone())),
            Some(errors) => {
                assert_eq!(errors[0]["extensions"]["code"], "UNAVAILABLE", "{errors}");
                refused = Some((cents, key));
                break;
            }
        }
    }
    let (cents, key) = refused.expect("the disk becomes full");
    let count = |town: &mut Town| {
        town.operator.ask("query($id: ID!) { auction(id: $id) { bidCount price { amount } } }", json!({"id": auction}))
    };
    assert_eq!(count(&mut town)["auction"]["bidCount"], accepted.len());

    // Space again: the same command goes through, without a restart.
    std::fs::remove_file(data.join("filler")).unwrap();
    let answer = tests::eventually("writes are taken again", || {
        let answer = town.agents[cents % 2].1.send(document, bid(cents, &key)).unwrap();
        answer.get("errors").is_none().then_some(answer)
    });
    assert_eq!(answer["data"]["placeBid"]["userErrors"], json!([]));
    assert_eq!(count(&mut town)["auction"]["bidCount"], accepted.len() + 1);
    for (cents, key, id) in accepted.iter().rev().take(20) {
        let again = town.agents[cents % 2].1.send(document, bid(*cents, key)).unwrap();
        assert_eq!(
            (&again["data"]["placeBid"]["replayed"], &again["data"]["placeBid"]["bid"]["id"]),
            (&json!(true), id)
        );
    }
    assert_eq!(house.stop(), 0);
    let verified = run(&["verify", "--data", data.join("house").to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

/// The logs have room, the views have not: what history has folded in is served, and soon.
#[test]
fn where_history_has_no_room_lists_show_what_it_has() {
    let scratch = Scratch::new();
    let (data, small) = (scratch.join("data"), scratch.join("small"));
    std::fs::create_dir(&small).unwrap();
    let Some(_disk) = SmallDisk::mount(&small) else {
        println!("skipped: a small file system can be mounted only by root");
        return;
    };
    assert_eq!(House::open(&data).stop(), 0);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("history.sqlite{end}")));
    }
    std::os::unix::fs::symlink(small.join("history.sqlite"), data.join("history.sqlite")).unwrap();

    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let offer = town
        .publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT12H"}), json!({}));
    let count = |town: &mut Town| {
        let lists = "{ inquiries(first: 50) { edges { node { id } } } settlements(first: 1) { edges { node { id } } }
            accounts(first: 1) { edges { node { postings(first: 1) { edges { node { id } } } } } } }";
        let begun = std::time::Instant::now();
        let answer = town.operator.send(lists, json!({})).unwrap();
        assert_eq!(answer.get("errors"), None, "{answer}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
        answer["data"]["inquiries"]["edges"].as_array().unwrap().len()
    };
    for known in 1..5 {
        town.accept(&house, &offer);
        assert_eq!(count(&mut town), known, "a list waits for what was acknowledged");
    }
    fill(&small);
    for _ in 0..40 {
        town.accept(&house, &offer);
    }
    assert!((4..44).contains(&count(&mut town)), "some of it did not fit");
    count(&mut town);

    std::fs::remove_file(small.join("filler")).unwrap();
    assert_eq!(count(&mut town), 44, "and now there is room");
    assert_eq!(house.stop(), 0);
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

/// Leaves next to nothing free.
fn fill(folder: &Path) {
    let mut filler = std::fs::File::create(folder.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
}

/// A file system of 24 MiB.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<SmallDisk> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(at).status().ok()?;
        status.success().then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
