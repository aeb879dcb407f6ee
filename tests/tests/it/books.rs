//! The books, over HTTP and by the commands: what moves is posted once, adds up, and is the same for ever; also after a
//! kill, and in a house that is older than its books. What other programs make of the exports: `clients/books_test.py`.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{Client, House, Scratch, Town, command, eventually, key, run, text};

const JOURNAL: &str = "query($account: String, $after: Cursor) { journal(filter: {account: $account}, first: 100, after: $after) { edges { node {
    number seq at bookedAt about source { log seq hash } postings { id transaction account amount { amount currency } rule leg at } } } pageInfo { hasNextPage endCursor } } }";
const BALANCE: &str = "query($until: DateTime) { trialBalance(until: $until) { seq entries sha256
    totals { debit { amount currency } credit { amount currency } } lines(first: 100) { edges { node { account balance { amount currency } } } } } }";

fn journal(client: &mut Client, account: Option<&str>) -> Vec<Value> {
    client.pages("journal", JOURNAL, json!({"account": account}))
}

fn balance(client: &mut Client, until: Option<&str>) -> Value {
    client.ask(BALANCE, json!({"until": until}))["trialBalance"].clone()
}

/// The lines of a trial balance in one currency.
fn lines(balance: &Value) -> BTreeMap<String, String> {
    let lines = balance["lines"]["edges"].as_array().unwrap_or_else(|| panic!("no trial balance: {balance}"));
    let line = |edge: &Value| (text(&edge["node"]["account"]), text(&edge["node"]["balance"]["amount"]));
    lines.iter().map(line).collect()
}

fn as_cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().unwrap_or_else(|_| panic!("no amount: {amount}"))
}

/// Once the books hold this many entries.
fn posted(client: &mut Client, entries: usize) -> Vec<Value> {
    eventually("the books have come so far", || {
        let found = journal(client, None);
        assert!(found.len() <= entries, "{} entries: {found:?}", found.len());
        (found.len() == entries).then_some(found)
    })
}

/// One agent claims at 3.00 EUR, serves and wraps up: two events that move money.
fn serve_one(house: &House, town: &mut Town, offer: &(String, String)) -> String {
    let accepted = town.accept(house, offer);
    let inquiry = text(&accepted["inquiry"]["id"]);
    let claimed = town.agents[0].1.give("claimInquiry", json!({"inquiryId": inquiry}), "session { id }");
    let session = json!({"sessionId": claimed["session"]["id"]});
    town.agents[0].1.give("endSession", session.clone(), "session { state }");
    town.agents[0].1.give("completeWrapUp", session, "session { state }");
    inquiry
}

fn claimable(town: &mut Town) -> (String, String) {
    let price = json!({"amount": "3.00", "currency": "EUR"});
    town.offer(json!({"claim": {"direction": "FORWARD", "price": price}}), json!({}))
}

fn verified(data: &Path) -> String {
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    verified.out
}

#[test]
fn what_moves_is_posted_once_and_adds_up_to_the_same_for_ever() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let agent = town.agents[0].0.clone();
    let offer = claimable(&mut town);
    let first = posted(&mut town.finance, 1);
    let credited = balance(&mut town.finance, None);
    assert_eq!(lines(&credited)[&format!("liabilities:agent:{agent}:wallet")], "-1000.00");

    let inquiry = serve_one(&house, &mut town, &offer);
    let entries = posted(&mut town.finance, 3);
    let rules: Vec<&Value> = entries.iter().map(|entry| &entry["postings"][0]["rule"]).collect();
    assert_eq!(rules, ["top-up/1", "escrow/1", "completion/1"]);
    assert_eq!(entries[0], first[0], "an entry stands");
    for (number, entry) in (1..).zip(&entries) {
        assert_eq!(entry["number"], json!(number.to_string()), "without gaps");
        let legs = entry["postings"].as_array().unwrap();
        let sum: i64 = legs.iter().map(|leg| as_cents(&text(&leg["amount"]["amount"]))).sum();
        assert_eq!((legs.len(), sum), (2, 0), "{entry}");
        assert!(entry["at"].as_str() <= entry["bookedAt"].as_str(), "{entry}");
    }
    // The postings are those of the settlement itself, ids included; and its event is the source.
    let settled = town.finance.ask(
        "query($id: ID) { settlements(filter: {inquiryId: $id}, first: 1) { edges { node { id log seq postings { id transaction account amount { amount currency } rule leg at } } } } }",
        json!({"id": inquiry}),
    );
    let settlement = &settled["settlements"]["edges"][0]["node"];
    let of_entries: Vec<&Value> = entries[1..].iter().flat_map(|entry| entry["postings"].as_array().unwrap()).collect();
    assert_eq!(settlement["postings"].as_array().unwrap().iter().collect::<Vec<_>>(), of_entries);
    assert_eq!((&entries[2]["source"]["log"], &entries[2]["source"]["seq"]), (&settlement["log"], &settlement["seq"]));
    assert_eq!(entries[2]["about"], settlement["id"]);
    // Its trail tells of the entries, to those who see the books.
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 50) { edges { node { log type } } } }";
    let types = |client: &mut Client| -> Vec<String> {
        let found = client.ask(trail, json!({"id": settlement["id"]}));
        let found = found["auditTrail"]["edges"].as_array().unwrap().clone();
        found.iter().map(|edge| text(&edge["node"]["type"])).collect()
    };
    let is_entry = |name: &&String| *name == "journal.entry_posted.v1";
    assert_eq!(types(&mut town.finance).iter().filter(is_entry).count(), 2);
    assert_eq!(types(&mut town.provider).iter().filter(is_entry).count(), 0);

    let now_held = balance(&mut town.finance, None);
    assert_eq!((&now_held["entries"], &now_held["seq"]), (&json!("3"), &json!("2")));
    let total = json!({"amount": "1000.00", "currency": "EUR"});
    assert_eq!(now_held["totals"], json!([{"debit": total, "credit": total}]));
    let held = lines(&now_held);
    assert_eq!(held["assets:bank:client"], "1000.00");
    assert_eq!(held[&format!("liabilities:agent:{agent}:wallet")], "-997.00");
    assert_eq!(held[&format!("liabilities:provider:{}:pending", town.provider_id)], "-3.00");
    assert_eq!(held.len(), 3, "the escrow is empty, and no line: {held:?}");
    let wallet = town.agents[0].1.ask("{ viewer { agent { wallets { balance { amount } } } } }", json!({}));
    assert_eq!(wallet["viewer"]["agent"]["wallets"][0]["balance"]["amount"], "997.00", "what its owner reads");

    // By account, and as of then.
    let of_escrow = journal(&mut town.finance, Some(&format!("liabilities:escrow:{inquiry}")));
    assert_eq!(of_escrow, entries[1..].to_vec());
    assert_eq!(journal(&mut town.finance, Some("assets:nothing")), Vec::<Value>::new());
    let then = "query($seq: Seq!, $until: DateTime) { asOf(point: {seq: $seq}, log: \"treasury\") { journal(first: 9) { edges { node { number } } } trialBalance(until: $until) { sha256 entries } } }";
    let was = town.finance.ask(then, json!({"seq": "0"}));
    assert_eq!(was["asOf"]["trialBalance"]["sha256"], credited["sha256"]);
    assert_eq!(was["asOf"]["journal"]["edges"].as_array().unwrap().len(), 1);
    let escrowed = text(&entries[1]["at"]);
    let before = balance(&mut town.finance, Some(&escrowed));
    assert_eq!(before["sha256"], credited["sha256"], "the instant itself is after it");
    assert_eq!(
        town.finance.ask(then, json!({"seq": "2", "until": escrowed}))["asOf"]["trialBalance"],
        json!({"sha256": credited["sha256"], "entries": "1"})
    );

    // Nobody else sees the books.
    let customer = house.token("customer", Some("cus_00000000000000000000000001"));
    let (mut customer, mut stranger) = (house.client(&customer), house.client(""));
    for client in [&mut town.provider, &mut town.agents[0].1, &mut customer, &mut stranger] {
        assert_eq!(journal(client, None), Vec::<Value>::new());
        assert_eq!(balance(client, None), Value::Null);
        let was = client.ask(then, json!({"seq": "0"}));
        assert!(was["asOf"].is_null() || was["asOf"]["trialBalance"].is_null(), "{was}");
    }
    assert_eq!(balance(&mut town.operator, None), now_held);

    assert_eq!(house.stop(), 0);
    assert!(verified(&data).contains("books: 3 entries\n"));
    let house = House::open(&data);
    town.move_to(&house);
    assert_eq!(balance(&mut town.finance, None), now_held, "the same bytes after a start");
    assert_eq!(balance(&mut town.finance, Some(&escrowed)), before);
    assert_eq!(journal(&mut town.finance, None), entries);
}

#[test]
fn a_house_that_is_older_than_its_books_gets_them_at_its_start() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let offer = claimable(&mut town);
    serve_one(&house, &mut town, &offer);
    let entries = posted(&mut town.finance, 4);
    let books = balance(&mut town.finance, None);
    assert_eq!(house.stop(), 0);

    // As a house was before there were books: the views know nothing of them either.
    for file in fs::read_dir(data.join("logs")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("treasury") {
            fs::remove_file(file).unwrap();
        }
    }
    fs::remove_file(data.join("history.sqlite")).unwrap();
    assert!(verified(&data).contains("books: 0 entries, 4 events of call servers wait to be posted"));
    let house = House::open(&data);
    town.move_to(&house);
    let again = posted(&mut town.finance, 4);
    for (old, new) in entries.iter().zip(&again) {
        for member in ["number", "seq", "at", "about", "source", "postings"] {
            assert_eq!(old[member], new[member], "{member}");
        }
        assert!(old["bookedAt"].as_str() < new["bookedAt"].as_str());
    }
    assert_eq!(balance(&mut town.finance, None)["sha256"], books["sha256"]);
    // What was posted late counts from when it moved.
    let before = balance(&mut town.finance, Some(&text(&entries[2]["at"])));
    assert_eq!(before["entries"], "2");
    assert_eq!(lines(&before)["assets:bank:client"], "2000.00");
    assert_eq!(house.stop(), 0);
    assert!(verified(&data).contains("books: 4 entries\n"));
}

#[test]
fn a_kill_between_the_money_and_the_books_loses_and_doubles_nothing() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let mut house = House::open(&data);
    let mut town = Town::found(&house, 3);
    let owners: Vec<String> = town.agents.iter().map(|(id, _)| id.clone()).collect();
    let mut answered: i64 = 3 * 100_000;
    for round in 0..6 {
        let going = AtomicBool::new(true);
        let token = town.finance.token.clone();
        answered += std::thread::scope(|scope| {
            let payers: Vec<_> = owners
                .iter()
                .map(|owner| {
                    let (mut client, going) = (house.client(&token), &going);
                    scope.spawn(move || {
                        let mut paid = 0;
                        while going.load(Ordering::Relaxed) {
                            let input = json!({"owner": owner, "amount": {"amount": "0.01", "currency": "EUR"}, "reference": "a cent"});
                            let (document, variables) = command("creditWallet", input, &key(), "account { id }");
                            match client.send(&document, variables) {
                                Ok(answer) if answer["data"]["creditWallet"]["seq"].is_string() => paid += 1,
                                Ok(_) | Err(_) => break,
                            }
                        }
                        paid
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(150 + 70 * round));
            house.kill();
            going.store(false, Ordering::Relaxed);
            payers.into_iter().map(|payer| payer.join().unwrap()).sum::<i64>()
        });
        house = House::open(&data);
        town.move_to(&house);
    }
    // What got no answer may be there as well: a cent for each payer and round.
    let wallets = town.finance.ask("{ accounts(first: 10) { edges { node { balance { amount } } } } }", json!({}));
    let wallets: i64 = wallets["accounts"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| as_cents(&text(&edge["node"]["balance"]["amount"])))
        .sum();
    assert!((answered..=answered + 18).contains(&wallets), "{answered} answered, {wallets} there");
    let books = eventually("the books have caught up", || {
        let found = balance(&mut town.finance, None);
        (as_cents(lines(&found).get("assets:bank:client")?) == wallets).then_some(found)
    });
    let entries = 3 + (wallets - 300_000);
    assert_eq!(books["entries"], json!(entries.to_string()), "one for each credit");
    println!("{entries} credits, {answered} cents answered, six kills");
    assert_eq!(house.stop(), 0);
    assert!(verified(&data).contains(&format!("books: {entries} entries\n")));
}

#[test]
fn the_exported_journal_is_in_order_and_complete_and_a_part_opens_with_what_was_before() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let yen =
        json!({"owner": town.agents[0].0, "amount": {"amount": "1500", "currency": "JPY"}, "reference": "in yen"});
    town.finance.give("creditWallet", yen, "account { id }");
    let offer = claimable(&mut town);
    serve_one(&house, &mut town, &offer);
    let entries = posted(&mut town.finance, 4);
    let folder = data.to_str().unwrap();
    let export = |extra: &[&str]| {
        let ran = run(&[&["export", "journal", "--data", folder, "--format"], extra].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    // Beside the running server.
    let csv = export(&["csv"]);
    assert_eq!(csv.lines().count(), 1 + 8, "a row for each posting: {csv}");
    assert!(csv.starts_with("number,seq,at,booked_at,about,log,log_seq,log_hash,leg,account,amount,currency,rule\n"));
    assert!(csv.contains(",assets:bank:client,1500,JPY,top-up/1\n"), "{csv}");
    let whole = export(&["hledger"]);
    assert!(whole.contains("    format 1000.00 EUR\ncommodity JPY\naccount "), "{whole}");
    assert!(whole.contains("    assets:bank:client  1500 JPY = 1500 JPY\n"), "{whole}");
    assert_eq!(whole, export(&["hledger"]), "the same bytes");
    assert_eq!(export(&["hledger", "--known", "1"]), export(&["hledger", "--to", &text(&entries[2]["at"])]));
    let part = export(&["hledger", "--from", &text(&entries[2]["at"])]);
    assert!(part.contains("opening balances\n    assets:bank:client  1000.00 EUR = 1000.00 EUR\n"), "{part}");
    assert!(part.contains("-997.00 EUR\n") && !part.contains("top-up/1"), "{part}");
    assert!(export(&["beancount"]).contains("open Assets:Bank:Client\n"));
    let nothing = export(&["csv", "--to", "2020-01-01"]);
    assert_eq!(nothing.lines().count(), 1);
    for wrong in [["--from", "yesterday"], ["--to", "2026-13-01"], ["--known", "-1"]] {
        let ran = run(&[&["export", "journal", "--data", folder, "--format", "csv"], &wrong[..]].concat());
        assert_eq!(ran.code, 2, "{wrong:?}: {}", ran.err);
    }
}

#[test]
fn what_is_payable_is_paid_out_and_comes_back_once() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    // Nobody may object for longer than a moment.
    let rule = json!({"commission": "15", "tax": "20", "jurisdiction": "at", "returnWindow": "PT0S"});
    town.finance.give("setFeeRule", rule, "feeRule { returnWindow }");
    let price = json!({"amount": "12.00", "currency": "EUR"});
    let offer = town.offer(json!({"claim": {"direction": "FORWARD", "price": price}}), json!({}));
    let taken =
        "{ auditTrail(filter: {log: \"main\", types: [\"fee_rule.taken.v1\"]}, first: 5) { edges { node { type } } } }";
    eventually("the rule has arrived", || {
        let seen = town.finance.ask(taken, json!({}));
        (seen["auditTrail"]["edges"].as_array()?.len() == 1).then_some(())
    });
    serve_one(&house, &mut town, &offer);
    let shown = "id balance { amount } payable { amount } payouts(first: 5) { edges { node { id reference amount { amount } account { id } } } }";
    let own = format!("query($id: ID!) {{ accounts(ownerId: $id, first: 2) {{ edges {{ node {{ {shown} }} }} }} }}");
    let provider = town.provider_id.clone();
    let account = |client: &mut tests::Client| {
        let mut seen = client.ask(&own, json!({"id": provider}));
        seen["accounts"]["edges"][0]["node"].take()
    };
    let earned = eventually("the share is payable", || {
        Some(account(&mut town.provider)).filter(|seen| seen["payable"]["amount"] == "10.20")
    });
    assert_eq!(earned["balance"]["amount"], "0.00", "what is payable is no part of the balance");

    let pay = |amount: &str| json!({"accountId": earned["id"], "amount": {"amount": amount, "currency": "EUR"}});
    let fields = format!("payout {{ id reference }} account {{ {shown} }} log seq replayed");
    let refused = |answer: &Value| text(&answer["userErrors"][0]["code"]);
    let more = town.finance.give_keyed("payOut", pay("10.21"), &key(), &fields);
    assert_eq!(refused(&more), "INSUFFICIENT_FUNDS");
    let yen = json!({"accountId": earned["id"], "amount": {"amount": "1", "currency": "JPY"}});
    assert_eq!(refused(&town.finance.give_keyed("payOut", yen, &key(), &fields)), "INVALID");
    let one_key = key();
    let out = town.finance.give_keyed("payOut", pay("10.00"), &one_key, &fields);
    let again = town.finance.give_keyed("payOut", pay("10.00"), &one_key, &fields);
    assert_eq!((&again["replayed"], &again["payout"]), (&json!(true), &out["payout"]), "a retry pays nothing twice");
    assert_eq!(out["account"]["payable"]["amount"], "0.20");
    // ISO 11649, and the same for whoever reads it.
    let reference = text(&out["payout"]["reference"]);
    assert!(reference.len() == 25 && reference.starts_with("RF"), "{reference}");
    let seen = account(&mut town.provider);
    assert_eq!(seen["payouts"]["edges"][0]["node"]["reference"], json!(reference));
    let payable = format!("liabilities:provider:{provider}:payable");
    let leg = |account: &str, amount: &str, rule: &str| (account.to_owned(), amount.to_owned(), rule.to_owned());
    let entries = posted(&mut town.finance, 5);
    assert_eq!(
        legs(&entries[4]),
        [leg(&payable, "10.00", "payout/1"), leg("liabilities:payout-in-transit", "-10.00", "payout/1")]
    );

    // Its owner reads of it by its id, and an agent whose money it is not nothing.
    let trail = "query($id: ID!) { auditTrail(subject: $id, first: 5) { edges { node { type } } } }";
    let id = json!({"id": out["payout"]["id"]});
    let seen = town.provider.ask(trail, id.clone());
    assert_eq!(seen["auditTrail"]["edges"], json!([{"node": {"type": "wallet.paid_out.v1"}}]));
    assert_eq!(town.agents[0].1.ask(trail, id)["auditTrail"]["edges"], json!([]));

    // The house stops at once, and knows after its start what is on its way.
    drop(town);
    house.kill();
    let house = House::open(&data);
    let mut finance = house.client(&house.token("finance", Some("fin-1")));
    let back = json!({"accountId": earned["id"], "payoutId": out["payout"]["id"], "reason": "AC04"});
    let wrong = json!({"accountId": earned["id"], "payoutId": out["payout"]["id"], "reason": "closed"});
    let fields = format!("account {{ {shown} }} log seq replayed");
    assert_eq!(refused(&finance.give_keyed("returnPayout", wrong, &key(), &fields)), "INVALID");
    let one_key = key();
    let returned = finance.give_keyed("returnPayout", back.clone(), &one_key, &fields);
    assert_eq!(returned["account"]["payable"]["amount"], "10.20", "{returned}");
    assert_eq!(returned["account"]["payouts"]["edges"], json!([]));
    assert_eq!(finance.give_keyed("returnPayout", back.clone(), &one_key, &fields)["replayed"], true);
    assert_eq!(refused(&finance.give_keyed("returnPayout", back, &key(), &fields)), "NOT_FOUND", "it came back once");
    let net = json!({"accountId": earned["id"]});
    assert_eq!(refused(&finance.give_keyed("netPayable", net, &key(), &fields)), "NOT_ALLOWED_NOW", "it owes nothing");
    posted(&mut finance, 6);
    drop(finance);
    drop(house);
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    assert!(verified.out.contains("books: 6 entries"), "{}", verified.out);
}

/// By account, amount and rule, of an entry.
fn legs(entry: &Value) -> Vec<(String, String, String)> {
    let leg = |leg: &Value| (text(&leg["account"]), text(&leg["amount"]["amount"]), text(&leg["rule"]));
    entry["postings"].as_array().unwrap().iter().map(leg).collect()
}

#[test]
fn the_house_takes_its_fee_and_gives_its_part_of_it_back() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    let fee = |commission: &str| json!({"commission": commission, "tax": "20", "jurisdiction": "at"});
    let first = town.finance.give("setFeeRule", fee("15"), "feeRule { id number commission tax jurisdiction } log seq");
    assert_eq!((&first["log"], &first["feeRule"]["number"]), (&json!("treasury"), &json!(1)));
    let price = json!({"amount": "12.00", "currency": "EUR"});
    let offer = town.offer(json!({"claim": {"direction": "FORWARD", "price": price}}), json!({}));
    // The call server takes the rule over a moment later; a first conversation waits for it.
    let taken =
        "{ auditTrail(filter: {log: \"main\", types: [\"fee_rule.taken.v1\"]}, first: 5) { edges { node { type } } } }";
    eventually("the rule has arrived", || {
        let seen = town.finance.ask(taken, json!({}));
        (seen["auditTrail"]["edges"].as_array()?.len() == 1).then_some(())
    });
    serve_one(&house, &mut town, &offer);
    let entries = posted(&mut town.finance, 3);
    let (agent, provider) = (town.agents[0].0.clone(), town.provider_id.clone());
    let pending = format!("liabilities:provider:{provider}:pending");
    let leg = |account: &str, amount: &str, rule: &str| (account.to_owned(), amount.to_owned(), rule.to_owned());
    assert_eq!(
        legs(&entries[2])[1..],
        [
            leg(&pending, "-10.20", "completion/1"),
            leg("income:commission", "-1.50", "fee/1"),
            leg("liabilities:tax:output-vat:at", "-0.30", "fee/1"),
        ]
    );

    // What is set later changes nothing of it.
    town.finance.give("setFeeRule", fee("90"), "feeRule { number }");
    let settlement = text(&entries[2]["about"]);
    let back = |amount: &str| {
        let amount = json!({"amount": amount, "currency": "EUR"});
        json!({"settlementId": settlement, "amount": amount, "reason": "POOR_QUALITY"})
    };
    let shown = "settlement { state price { amount } left { amount } } log seq replayed";
    let one_key = key();
    let half = town.finance.give_keyed("refundSettlement", back("6.00"), &one_key, shown);
    assert_eq!(
        (&half["settlement"]["state"], &half["settlement"]["left"]["amount"]),
        (&json!("PENDING"), &json!("6.00"))
    );
    let again = town.finance.give_keyed("refundSettlement", back("6.00"), &one_key, shown);
    assert_eq!((&again["replayed"], &again["settlement"]["left"]["amount"]), (&json!(true), &json!("6.00")));
    let entries = posted(&mut town.finance, 4);
    assert_eq!(
        legs(&entries[3]),
        [
            leg(&pending, "5.10", "refund/1"),
            leg("income:commission", "0.75", "fee/1"),
            leg("liabilities:tax:output-vat:at", "0.15", "fee/1"),
            leg(&format!("liabilities:agent:{agent}:wallet"), "-6.00", "refund/1"),
        ]
    );
    let refused = |answer: &Value| text(&answer["userErrors"][0]["code"]);
    let more = town.finance.give_keyed("refundSettlement", back("6.01"), &key(), shown);
    assert_eq!(refused(&more), "INVALID");
    let whole = town.finance.give("refundSettlement", back("6.00"), shown);
    assert_eq!(
        (&whole["settlement"]["state"], &whole["settlement"]["left"]["amount"]),
        (&json!("REFUNDED"), &json!("0.00"))
    );
    let over = town.finance.give_keyed("refundSettlement", back("0.01"), &key(), shown);
    assert_eq!(refused(&over), "NOT_ALLOWED_NOW");

    posted(&mut town.finance, 5);
    let held = lines(&balance(&mut town.finance, None));
    assert_eq!(held.len(), 2, "bank and wallet, as before: {held:?}");
    let wallet =
        "{ viewer { agent { wallets { balance { amount } } } } feeRules(first: 5) { edges { node { number } } } }";
    let seen = town.agents[0].1.ask(wallet, json!({}));
    assert_eq!(seen["viewer"]["agent"]["wallets"][0]["balance"]["amount"], "1000.00");
    assert_eq!(seen["feeRules"]["edges"].as_array().unwrap().len(), 2, "who is charged may know what");
    let list = "{ settlements(filter: {states: [REFUNDED]}, first: 5) { edges { node { id left { amount } } } } }";
    assert_eq!(town.provider.ask(list, json!({}))["settlements"]["edges"].as_array().unwrap().len(), 1);
    let rules = "{ feeRules(first: 5) { edges { node { id } } } }";
    assert_eq!(house.client("").ask(rules, json!({}))["feeRules"]["edges"], json!([]));

    // The same after a start: rules, what is left, and the books.
    let books = balance(&mut town.finance, None);
    house.kill();
    let house = House::open(&data);
    town.move_to(&house);
    assert_eq!(balance(&mut town.finance, None), books);
    let node = "query($id: ID!) { node(id: $id) { ... on FeeRule { number commission tax jurisdiction } } }";
    let rule = town.provider.ask(node, json!({"id": first["feeRule"]["id"]}));
    assert_eq!(rule["node"], json!({"number": 1, "commission": "15", "tax": "20", "jurisdiction": "at"}));
    assert_eq!(house.stop(), 0);
    verified(&data);
}
