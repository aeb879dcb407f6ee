//! Snapshots: whatever becomes of them, a start comes to what the logs say.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{Client, House, Scratch, Town, command, copy, eventually, key, run, text};

/// A snapshot every few events.
const OFTEN: [&str; 2] = ["--snapshot-every", "7"];

fn town(data: &Path, agents: usize) -> (House, Town, (String, String)) {
    let house = House::open_with(data, &OFTEN);
    let mut town = Town::found(&house, agents);
    let rules = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT12H"});
    let offer = town.publish(rules, json!({}));
    (house, town, offer)
}

/// Something done to a snapshot's file.
type Harm = fn(&Path);

/// Whole snapshots of a log, oldest first.
fn kept(data: &Path, log: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data.join("snapshots").join(log)) else { return Vec::new() };
    let mut kept: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    kept.retain(|path| path.extension().is_some_and(|ending| ending == "snapshot"));
    kept.sort();
    kept
}

fn position(path: &Path) -> u64 {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    name.split('-').next().unwrap().parse().unwrap()
}

fn start_and_stop(data: &Path) {
    let house = House::open(data);
    // It hears SIGTERM by the time it answers.
    house.client("").ask("{ __typename }", json!({}));
    assert_eq!(house.stop(), 0);
}

/// What an operator sees of open work and of money.
fn seen(operator: &mut Client) -> Value {
    operator.ask(
        "{ inquiries(first: 20) { edges { node { id seq state position acceptedAt customer { id since } decisions(first: 3) { edges { node { kind seq } } }
             auction { id seq bidCount price { amount } bids(first: 10) { edges { node { id bidder state amount { amount } } } } } } } }
           agents(first: 20) { edges { node { id seq status load } } }
           accounts(first: 20) { edges { node { id seq balance { amount } held { amount } } } }
           callServers { name head queueDepth } }",
        json!({}),
    )
}

#[test]
fn a_key_used_before_a_snapshot_is_known_after_it() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let (house, mut town, offer) = town(&data, 2);
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    // An agent has one log; finance may use a key on any; a customer's is of `community`.
    let bid = json!({"auctionId": auction, "amount": {"amount": "3.00", "currency": "EUR"}});
    let credit = |amount: &str| json!({"owner": town.agents[1].0, "amount": {"amount": amount, "currency": "EUR"}, "reference": "till"});
    let (credit, other) = (credit("5.00"), credit("6.00"));
    let accept = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let (bid_key, credit_key, accept_key) = (key(), key(), key());
    let given = [
        town.agents[0].1.give_keyed("placeBid", bid.clone(), &bid_key, "bid { id }"),
        town.finance.give_keyed("creditWallet", credit.clone(), &credit_key, "account { id }"),
        house.client("").give_keyed("acceptOffer", accept.clone(), &accept_key, "inquiry { id }"),
    ];
    let seqs: Vec<u64> = given.iter().map(|given| text(&given["seq"]).parse().unwrap()).collect();
    let last = *seqs.iter().max().unwrap();
    // Until both logs have a snapshot past all of it.
    eventually("snapshots past the keys", || {
        town.accept(&house, &offer);
        let past = |log: &str| kept(&data, log).last().is_some_and(|path| position(path) > last);
        (past("main") && past("community")).then_some(())
    });
    assert_eq!(house.stop(), 0);

    let house = House::open_with(&data, &OFTEN);
    let mut finance = town.finance.at(&house);
    let again = [
        town.agents[0].1.at(&house).give_keyed("placeBid", bid, &bid_key, "bid { id }"),
        finance.give_keyed("creditWallet", credit, &credit_key, "account { id }"),
        house.client("").give_keyed("acceptOffer", accept, &accept_key, "inquiry { id }"),
    ];
    for (given, again) in given.iter().zip(&again) {
        assert_eq!((&again["replayed"], &again["seq"]), (&json!(true), &given["seq"]), "{again}");
    }
    let refused = finance.give_keyed("creditWallet", other, &credit_key, "account { id }");
    assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "{refused}");
}

#[test]
fn a_snapshot_that_is_damaged_of_another_build_or_gone_costs_time_alone() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let (house, mut town, offer) = town(&data, 3);
    for number in 0..6 {
        let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
        town.bid(number % 3, &auction, "3.00");
    }
    eventually("snapshots of both logs", || {
        (kept(&data, "main").len() > 2 && !kept(&data, "community").is_empty()).then_some(())
    });
    let before = seen(&mut town.operator);
    assert_eq!(house.stop(), 0);

    let harms: [(&str, Harm); 5] = [
        ("nothing", |_| ()),
        ("a byte in the middle", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("a torn end", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
        }),
        ("another build's name", |path| {
            let name = format!("{:020}-{}.snapshot", position(path), "0".repeat(32));
            std::fs::rename(path, path.with_file_name(name)).unwrap();
        }),
        ("no file", |path| std::fs::remove_file(path).unwrap()),
    ];
    for (what, harm) in harms {
        for all in [false, true] {
            let copied = scratch.join(&format!("{} {all}", what.replace(' ', "-")));
            copy(&data, &copied);
            for log in ["main", "community"] {
                let kept = kept(&copied, log);
                let harmed = if all { &kept[..] } else { &kept[kept.len() - 1..] };
                harmed.iter().for_each(|path| harm(path));
            }
            let house = House::open(&copied);
            assert_eq!(seen(&mut town.operator.at(&house)), before, "{what}, of all: {all}");
            assert_eq!(house.stop(), 0);
        }
    }
}

/// The value of a field in what was logged of a log.
fn logged(heard: &str, event: &str, log: &str, field: &str) -> Option<u64> {
    let (event, log, field) = (format!(" {event} "), format!("log={log}"), format!("{field}="));
    let line = heard.lines().find(|line| line.contains(&event) && line.split(' ').any(|word| word == log))?;
    line.split(' ').find_map(|word| word.strip_prefix(field.as_str()))?.parse().ok()
}

#[test]
fn a_start_says_which_snapshot_it_began_with_and_answers_as_before() {
    let scratch = Scratch::new();
    let (data, heard) = (scratch.join("data"), scratch.join("heard"));
    let (house, mut town, offer) = town(&data, 2);
    for number in 0..5 {
        let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
        town.bid(number % 2, &auction, "3.00");
    }
    eventually("snapshots of both logs", || {
        (!kept(&data, "main").is_empty() && !kept(&data, "community").is_empty()).then_some(())
    });
    let before = seen(&mut town.operator);
    assert_eq!(house.stop(), 0);
    let verified: Value =
        serde_json::from_str(&run(&["verify", "--json", "--data", data.to_str().unwrap()]).out).unwrap();

    let house = House::open_heard(&data, &OFTEN, &heard);
    assert_eq!(seen(&mut town.operator.at(&house)), before);
    assert_eq!(house.stop(), 0);
    let heard = std::fs::read_to_string(&heard).unwrap();
    for log in ["main", "community"] {
        let of_log = |one: &&Value| one["log"] == log;
        let events = verified["logs"].as_array().unwrap().iter().find(of_log).unwrap()["events"].as_u64().unwrap();
        let began_with = logged(&heard, "log.folded", log, "snapshot").unwrap_or_else(|| panic!("{log}: {heard}"));
        assert!(kept(&data, log).iter().any(|path| position(path) == began_with), "{log}: {heard}");
        let tail = logged(&heard, "log.folded", log, "events").unwrap();
        assert_eq!(began_with + 1 + tail, events, "{log}: {heard}");
    }
}

/// Changes one letter of the reference of each credit, which stand below any snapshot. (Pages keep copies of rows that
/// have moved.)
fn change_the_references(data: &Path) {
    let path = data.join("logs/main.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let wanted = b"\"reference\":\"";
    let found = bytes.windows(wanted.len()).enumerate().filter(|(_, window)| window == wanted).map(|(at, _)| at);
    let found: Vec<usize> = found.collect();
    assert!(!found.is_empty(), "wallets were credited");
    for at in found {
        bytes[at + wanted.len()] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
}

/// Takes an event out of the log, below any snapshot, by somebody who knows how the log defends itself.
fn drop_an_event(data: &Path) {
    let log = rusqlite::Connection::open(data.join("logs/main.sqlite")).unwrap();
    log.execute_batch("DROP TRIGGER event_is_never_deleted").unwrap();
    assert_eq!(log.execute("DELETE FROM event WHERE seq = 3", []).unwrap(), 1);
}

#[test]
fn what_is_changed_or_missing_before_the_snapshot_is_found_and_the_log_takes_no_more() {
    for harm in [change_the_references, drop_an_event] {
        broken_before_the_snapshot(harm);
    }
}

fn broken_before_the_snapshot(harm: Harm) {
    let scratch = Scratch::new();
    let (data, heard) = (scratch.join("data"), scratch.join("heard"));
    let (house, mut town, offer) = town(&data, 2);
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    eventually("a snapshot past the credits", || {
        town.accept(&house, &offer);
        (kept(&data, "main").len() > 1).then_some(())
    });
    assert_eq!(house.stop(), 0);
    harm(&data);

    // The start takes the snapshot's word for it, and walks the chain behind it.
    let house = House::open_heard(&data, &OFTEN, &heard);
    let refused = eventually("the bid is refused", || {
        let input = json!({"auctionId": auction, "amount": {"amount": "3.00", "currency": "EUR"}});
        let (document, variables) = command("placeBid", input, &key(), "bid { id }");
        let answer = town.agents[0].1.at(&house).send(&document, variables).unwrap();
        answer["errors"][0]["message"].as_str().map(str::to_owned)
    });
    assert!(refused.contains("stopped"), "{refused}");
    // What it holds can be read, and the other logs go on.
    assert!(!seen(&mut town.operator.at(&house))["agents"]["edges"].as_array().unwrap().is_empty());
    town.move_to(&house);
    town.publish(
        json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"}),
        json!({}),
    );
    assert_eq!(house.stop(), 0);
    let heard = std::fs::read_to_string(&heard).unwrap();
    let broken = heard.lines().find(|line| line.contains("chain.broken")).unwrap_or_else(|| panic!("{heard}"));
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    let event = broken.split("event ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(verified.out.contains(event) && verified.code != 0, "{broken}: {}", verified.out);
    // Of the log that was not touched, nothing is said.
    assert!(broken.contains("log=main") && heard.matches("chain.broken").count() == 1, "{heard}");
}

#[test]
fn a_damaged_snapshot_is_told_of_once_and_counted_by_verify() {
    let scratch = Scratch::new();
    let (data, heard) = (scratch.join("data"), scratch.join("heard"));
    let (house, mut town, offer) = town(&data, 1);
    eventually("snapshots of main", || {
        town.accept(&house, &offer);
        (kept(&data, "main").len() > 2).then_some(())
    });
    assert_eq!(house.stop(), 0);
    let kept = kept(&data, "main");
    let newest = kept.last().unwrap();
    std::fs::write(newest, "nothing").unwrap();
    let verify = |json: &[&str]| run(&[&["verify", "--data", data.to_str().unwrap()], json].concat());
    let verified = verify(&[]);
    assert_eq!(verified.code, 1, "{}", verified.out);
    let count = format!(", snapshots: {} good, 1 damaged", kept.len() - 1);
    assert!(verified.out.lines().any(|line| line.starts_with("main: ") && line.ends_with(&count)), "{}", verified.out);
    let verified: Value = serde_json::from_str(&verify(&["--json"]).out).unwrap();
    let main = verified["logs"].as_array().unwrap().iter().find(|log| log["log"] == "main").unwrap();
    assert_eq!((&main["snapshots"], &main["damagedSnapshots"]), (&json!(kept.len() - 1), &json!(1)));

    // The start meets it, and then whoever looks back.
    let house = House::open_heard(&data, &[], &heard);
    let mut operator = town.operator.at(&house);
    for seq in [position(newest), position(newest) - 1] {
        let point = json!({"seq": seq.to_string()});
        let document = "query($seq: Seq!) { asOf(point: {seq: $seq}, log: \"main\") { seq } }";
        assert_eq!(operator.ask(document, point)["asOf"]["seq"], seq.to_string());
    }
    assert_eq!(house.stop(), 0);
    let heard = std::fs::read_to_string(&heard).unwrap();
    assert_eq!(heard.matches("snapshot.damaged").count(), 1, "{heard}");
    assert_eq!(logged(&heard, "snapshot.damaged", "main", "seq"), Some(position(newest)), "{heard}");
}

#[test]
fn verify_names_a_snapshot_that_is_not_the_fold() {
    let scratch = Scratch::new();
    let (data, other) = (scratch.join("data"), scratch.join("other"));
    let folder = data.to_str().unwrap();
    for data in [&data, &other] {
        let (house, mut town, offer) = town(data, 1);
        eventually("snapshots of main", || {
            town.accept(&house, &offer);
            (kept(data, "main").len() > 1).then_some(())
        });
        assert_eq!(house.stop(), 0);
    }
    let verified = run(&["verify", "--data", folder]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    // Another house's, whole and of this build, at a position that this log has too.
    let (ours, theirs) = (kept(&data, "main")[0].clone(), kept(&other, "main")[0].clone());
    assert_eq!(position(&ours), position(&theirs), "both stand at the first seventh event");
    std::fs::copy(theirs, &ours).unwrap();
    let verified = run(&["verify", "--data", folder]);
    assert_eq!(verified.code, 1, "{}", verified.out);
    let named = format!("log main: the snapshot at position {} is not the fold", position(&ours));
    assert!(verified.out.contains(&named), "{}", verified.out);
    // A start passes it over, and lets go of what is of no history of this log.
    start_and_stop(&data);
    let newest = kept(&data, "main").pop().unwrap();
    std::fs::remove_file(newest).unwrap();
    for path in kept(&data, "main").into_iter().filter(|path| *path != ours) {
        std::fs::remove_file(path).unwrap();
    }
    start_and_stop(&data);
    assert!(!ours.exists(), "a lost history's snapshot is deleted");
    assert_eq!(run(&["verify", "--data", folder]).code, 0);
}

#[test]
fn sigkill_while_snapshots_are_written_loses_nothing() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let (house, mut town, offer) = town(&data, 2);
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    let mut house = Some(house);
    let mut cents = 300;
    for round in 0..6 {
        let running = house.take().unwrap();
        let going = AtomicBool::new(true);
        let (mut client, first) = (town.agents[round % 2].1.at(&running), cents);
        let told = std::thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut told = Vec::new();
                let mut cents = first;
                while going.load(Ordering::Relaxed) {
                    cents += 1;
                    let amount = format!("{}.{:02}", cents / 100, cents % 100);
                    let input = json!({"auctionId": auction, "amount": {"amount": amount, "currency": "EUR"}});
                    let (document, variables) = tests::command("placeBid", input, &key(), "bid { id }");
                    match client.send(&document, variables) {
                        Ok(answer) => told.push(text(&answer["data"]["placeBid"]["bid"]["id"])),
                        Err(_) => break,
                    }
                    // An agent has a thousand bids in an auction.
                    std::thread::sleep(Duration::from_millis(3));
                }
                (told, cents)
            });
            // Under this load a snapshot is being folded or written at any moment.
            std::thread::sleep(Duration::from_millis(400 + 61 * round as u64));
            running.kill();
            going.store(false, Ordering::Relaxed);
            caller.join().unwrap()
        });
        cents = told.1;
        assert!(told.0.len() > 10, "the load was real");
        assert!(!kept(&data, "main").is_empty(), "there are snapshots by now");

        // With the snapshots and without, the same stands; and all that was answered.
        let bare = scratch.join(&format!("bare-{round}"));
        copy(&data, &bare);
        std::fs::remove_dir_all(bare.join("snapshots")).unwrap();
        let without = House::open(&bare);
        let with = House::open_with(&data, &OFTEN);
        assert_eq!(seen(&mut town.operator.at(&with)), seen(&mut town.operator.at(&without)), "round {round}");
        let mut agent = town.agents[round % 2].1.at(&with);
        for bid in told.0.iter().rev().take(20) {
            let found = agent.ask("query($id: ID!) { node(id: $id) { id } }", json!({"id": bid}));
            assert_eq!(found["node"]["id"], **bid, "round {round}");
        }
        assert_eq!(without.stop(), 0);
        house = Some(with);
    }
    assert_eq!(house.unwrap().stop(), 0);
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}
