//! A customer is erased: what it said opens nowhere any more, what of it is open ends, its token and its addresses are
//! nobody's; and neither a restart, nor views built anew, nor an older vault bring anything back.

use crate::front::browse;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, eventually, key, run, text};

/// What only the customer, and who has consented, may read. No part of an id, a time or a word of the house.
const SECRETS: [&str; 8] = [
    "wallet-in-the-tram",
    "Carlotta",
    "carla.q",
    "+43 660 7731",
    "AT61-QUASI",
    "said-by-her",
    "noted-about-her",
    "kept-about-her",
];
const REASON: &str = "she wrote us a letter";

/// A customer with an inquiry in every state: served, talked about now, waiting, bid for, away.
struct Her {
    id: String,
    client: Client,
    served: String,
    talks: String,
    waits: String,
    bid_for: String,
    away: String,
}

impl Her {
    fn inquiries(&self) -> [&String; 5] {
        [&self.served, &self.talks, &self.waits, &self.bid_for, &self.away]
    }
}

fn claim() -> Value {
    json!({"claim": {"direction": "FORWARD"}})
}

fn arrives(house: &House, town: &mut Town) -> Her {
    let terms = json!({"version": "7", "url": "https://bank.example/terms"});
    let more = json!({"maxWait": "PT2H", "wrapUp": "PT5M", "maxOpenInquiries": 4, "terms": terms});
    let offer = town.offer(claim(), more);
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"});
    let auctioned = town.publish(auction, json!({}));
    let input = |offer: &(String, String)| {
        json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "termsVersion": "7", "question": "Where is my wallet-in-the-tram?",
            "customer": {"displayName": "Carlotta Quasimodo", "email": "carla.q@example.org", "phone": "+43 660 7731",
                "attributes": {"iban": "AT61-QUASI"}}})
    };
    let accepted = house.client("").give("acceptOffer", input(&offer), "inquiry { id } customerToken");
    let mut client = house.client(&text(&accepted["customerToken"]));
    let served = text(&accepted["inquiry"]["id"]);
    let agent = &mut town.agents[0].1;
    let session = talk(agent, &mut client, &served);
    agent.give("saveNotes", json!({"sessionId": session, "notes": "noted-about-her"}), "session { id }");
    client.give("endSession", json!({"sessionId": session}), "session { id }");
    let saved = json!({"sessionId": session, "notes": "noted-about-her", "information": {"of": "kept-about-her"}});
    agent.give("completeWrapUp", saved, "session { id }");

    let mut more =
        |offer: &(String, String)| text(&client.give("acceptOffer", input(offer), "inquiry { id }")["inquiry"]["id"]);
    let (away, talks, waits, bid_for) = (more(&offer), more(&offer), more(&offer), more(&auctioned));
    client.give("withdrawInquiry", json!({"inquiryId": away, "reason": "said-by-her"}), "inquiry { id }");
    talk(&mut town.agents[0].1, &mut client, &talks);
    let seen = town.operator.ask("query($id: ID!) { inquiry(id: $id) { auction { id } } }", json!({"id": bid_for}));
    town.bid(1, &text(&seen["inquiry"]["auction"]["id"]), "25.00");
    let id = text(&client.ask("{ viewer { customer { id } } }", json!({}))["viewer"]["customer"]["id"]);
    Her { id, client, served, talks, waits, bid_for, away }
}

fn talk(agent: &mut Client, customer: &mut Client, inquiry: &str) -> String {
    let claimed = agent.give("claimInquiry", json!({"inquiryId": inquiry}), "session { id channels { id } }");
    let session = text(&claimed["session"]["id"]);
    let said =
        json!({"sessionId": session, "channelId": claimed["session"]["channels"][0]["id"], "text": "said-by-her"});
    customer.give("sendMessage", said, "message { id }");
    session
}

const ALL: &str = "query($id: ID!) { inquiry(id: $id) { state question content { title } \
    customer { id displayName email phone attributes erasedAt } \
    customerInformation { customer { displayName } } \
    session { state endedBy notes record { notes information } channels { id } } \
    reservation { id } offer { id } } }";

fn inquiry(client: &mut Client, id: &str) -> Value {
    client.ask(ALL, json!({"id": id}))["inquiry"].clone()
}

/// Whatever a role can ask about her, as text.
fn asked(client: &mut Client, her: &Her) -> String {
    let mut all = String::new();
    for id in her.inquiries() {
        let shown = inquiry(client, id);
        all.push_str(&shown.to_string());
        let trail = "query($id: ID!) { auditTrail(subject: $id, first: 100) { edges { node { type data } } } }";
        all.push_str(&client.send(trail, json!({"id": id})).unwrap().to_string());
        if let Some(channel) = shown["session"]["channels"][0]["id"].as_str() {
            let messages = "query($id: ID!, $channel: ID!) { inquiry(id: $id) { session { messages(channelId: $channel, first: 9) { edges { node { text } } } } } }";
            all.push_str(&client.send(messages, json!({"id": id, "channel": channel})).unwrap().to_string());
        }
    }
    all
}

fn erase(operator: &mut Client, customer: &str, key: &str) -> Value {
    let wanted = "customer { id erasedAt displayName email phone attributes since records(first: 9) { edges { node { notes information } } } }";
    operator.give_keyed("eraseCustomer", json!({"customerId": customer, "reason": REASON}), key, wanted)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// In which files of the folder these bytes stand.
fn holding(data: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(data, &mut found);
    assert!(found.len() > 5, "{found:?}");
    found.retain(|path| {
        // A file of a log may go while its folder is read.
        let content = std::fs::read(path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    });
    found
}

/// The customer's key, as the vault's file has it; none once it is erased.
fn sealed_key(data: &Path, customer: &str) -> Option<Vec<u8>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(data.join("vault.sqlite"), flags).unwrap();
    let sql = "SELECT sealed FROM subject JOIN sealed_key USING (no) WHERE subject = ?1";
    let mut select = db.prepare(sql).unwrap();
    let mut rows = select.query([customer]).unwrap();
    rows.next().unwrap().map(|row| row.get(0).unwrap())
}

fn nothing_is_left(data: &Path, key: &[u8]) {
    for secret in SECRETS.iter().chain([&REASON]) {
        assert_eq!(holding(data, secret.as_bytes()), Vec::<PathBuf>::new(), "{secret}");
    }
    assert_eq!(holding(data, key), Vec::<PathBuf>::new(), "the sealed key");
}

/// Nobody finds anything of her by asking.
fn nothing_is_shown(house: &House, town: &mut Town, her: &Her, erased_at: &str) {
    town.move_to(house);
    let seen = "query($id: ID!) { node(id: $id) { ... on Customer { displayName email phone attributes erasedAt records(first: 9) { edges { node { notes information } } } } } }";
    let shown = town.operator.ask(seen, json!({"id": her.id}))["node"].clone();
    assert_eq!(shown["erasedAt"], erased_at);
    let agent = town.agents[0].1.token.clone();
    for client in [&mut town.operator, &mut town.provider, &mut house.client(&agent)] {
        let all = asked(client, her);
        for secret in SECRETS.iter().chain([&REASON]) {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        let served = inquiry(client, &her.served);
        let gone = json!({"id": her.id, "displayName": null, "email": null, "phone": null, "attributes": null, "erasedAt": erased_at});
        assert_eq!((&served["customer"], &served["question"]), (&gone, &Value::Null));
    }
    let (status, _) =
        house.client(&her.client.token).post(br#"{"query":"{ viewer { role } }"}"#, "application/json").unwrap();
    assert_eq!(status, 401, "her token is nobody's");
}

#[test]
fn an_erased_customer_is_gone_everywhere_and_nothing_brings_it_back() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let often = ["--snapshot-every", "9"];
    let house = House::open_with(&data, &often);
    let mut town = Town::found(&house, 2);
    let her = arrives(&house, &mut town);
    // Somebody else, of whom nothing may go.
    let other = town.offer(claim(), json!({}));
    let other = text(&town.accept(&house, &other)["inquiry"]["id"]);
    let mut herself = her.client.at(&house);
    let all = asked(&mut herself, &her);
    for secret in ["wallet-in-the-tram", "Carlotta", "said-by-her"] {
        assert!(all.contains(secret), "before, she reads it herself: {secret}");
    }
    let address = herself.ask("query($id: ID!) { inquiry(id: $id) { url } }", json!({"id": her.waits}));
    let address = text(&address["inquiry"]["url"]).replace(&format!("http://{}", house.address), "");
    assert_eq!(browse(&house, "GET", &address, "", "").status, 200);
    let before = "query($id: ID!) { inquiry(id: $id) { acceptedAt seq } }";
    let before = text(&town.operator.ask(before, json!({"id": her.bid_for}))["inquiry"]["acceptedAt"]);
    let sealed = sealed_key(&data, &her.id).unwrap();
    assert!(!holding(&data, &sealed).is_empty(), "the key is somewhere");
    let feed = "subscription($id: ID!) { inquiryFeed(inquiryId: $id) { inquiry { state } } }";
    let mut watches = Sse::open(&house, &her.client.token, feed, json!({"id": her.waits}));

    // By an operator alone; who is not there is not found.
    let nobody = erase(&mut town.operator, "cus_00000000000000000000000000", &key());
    assert_eq!(nobody["userErrors"][0]["code"], "NOT_FOUND");
    let talked = "query($id: ID!) { inquiry(id: $id) { session { id } } }";
    let session = town.operator.ask(talked, json!({"id": her.talks}))["inquiry"]["session"]["id"].clone();
    let (said, said_key) = (json!({"sessionId": session, "notes": "noted-in-time"}), key());
    let in_time = town.agents[0].1.give_keyed("saveNotes", said.clone(), &said_key, "seq");
    let once = key();
    let erased = erase(&mut town.operator, &her.id, &once);
    assert_eq!(erased["userErrors"], json!([]));
    // Whose answer was lost learns that it was recorded, though there is no key to seal it with any more.
    let repeated = town.agents[0].1.give_keyed("saveNotes", said, &said_key, "seq");
    assert_eq!((&repeated["seq"], &repeated["replayed"]), (&in_time["seq"], &json!(true)), "{repeated}");
    let erased_at = text(&erased["customer"]["erasedAt"]);
    assert_eq!((erased["replayed"].clone(), &erased["log"]), (json!(false), &json!("community")));
    let again = erase(&mut town.operator, &her.id, &once);
    assert_eq!(
        (&again["replayed"], &again["seq"], &again["customer"]),
        (&json!(true), &erased["seq"], &erased["customer"])
    );
    let twice = erase(&mut town.operator, &her.id, &key());
    assert_eq!((&twice["replayed"], &twice["customer"]), (&json!(false), &erased["customer"]), "recorded again");

    // What was open has ended; what bidders held is theirs.
    let states = |town: &mut Town| {
        let shown = her.inquiries().map(|id| inquiry(&mut town.operator, id));
        shown.map(|shown| (text(&shown["state"]), shown["session"]["endedBy"].clone()))
    };
    let by = |state: &str, ended: Value| (state.to_owned(), ended);
    let wanted = [
        by("COMPLETED", json!("CUSTOMER")),
        by("WRAP_UP", json!("SYSTEM")),
        by("WITHDRAWN", Value::Null),
        by("WITHDRAWN", Value::Null),
        by("WITHDRAWN", Value::Null),
    ];
    let open = ["QUEUED", "IN_AUCTION", "ENGAGED"];
    eventually("all of it has ended", || {
        states(&mut town).iter().all(|(state, _)| !open.contains(&&**state)).then_some(())
    });
    assert_eq!(states(&mut town), wanted);
    let account = "{ viewer { agent { wallets { held { amount } } } } }";
    let held = town.agents[1].1.ask(account, json!({}));
    assert_eq!(held["viewer"]["agent"]["wallets"][0]["held"]["amount"], "0.00", "{held}");
    assert_eq!(inquiry(&mut town.operator, &other)["state"], "QUEUED");
    // Her agent wraps up; there is no key for what it would write.
    let session = json!({"sessionId": session});
    let mut noted = session.clone();
    noted["notes"] = json!("noted-about-her");
    let refused = town.agents[0].1.give_keyed("completeWrapUp", noted, &key(), "session { id }");
    assert_eq!(refused["userErrors"][0]["code"], "NOT_ALLOWED_NOW", "{refused}");
    assert_eq!(refused["userErrors"][0]["retryable"], false, "{refused}");
    town.agents[0].1.give("completeWrapUp", session, "session { id }");
    // Her places are others' again.
    let of = inquiry(&mut town.operator, &her.waits)["offer"]["id"].clone();
    let links = town.operator.ask("query($id: ID!) { offer(id: $id) { links { id } } }", json!({"id": of}));
    let input =
        json!({"offerId": of, "linkId": links["offer"]["links"][0]["id"], "channel": "MESSAGE", "termsVersion": "7"});
    let mut taken = 0;
    eventually("her places come back", || {
        let answer = house.client("").give_keyed("acceptOffer", input.clone(), &key(), "inquiry { id }");
        taken += usize::from(answer["userErrors"] == json!([]));
        (taken == 4).then_some(())
    });
    let full = house.client("").give_keyed("acceptOffer", input, &key(), "inquiry { id }");
    assert_eq!(full["userErrors"][0]["code"], "LIMIT_REACHED", "each place once");

    assert_eq!(browse(&house, "GET", &address, "", "").status, 404);
    // Her feed ends with her token.
    while let Some(told) = watches.answer() {
        assert!(told.get("errors").is_none() || told["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", "{told}");
    }
    nothing_is_shown(&house, &mut town, &her, &erased_at);
    nothing_is_left(&data, &sealed);
    // Looking back shows rows of then, and nothing that was sealed.
    let past = format!(
        "query($id: ID!) {{ asOf(point: {{at: \"{before}\"}}) {{ inquiry(id: $id) {{ state question customer {{ displayName erasedAt }} }} }} }}"
    );
    let then = town.operator.ask(&past, json!({"id": her.waits}))["asOf"]["inquiry"].clone();
    assert_eq!(then, json!({"state": "QUEUED", "question": null, "customer": {"displayName": null, "erasedAt": null}}));
    let then = town.provider.ask(&past, json!({"id": her.waits}))["asOf"]["inquiry"].clone();
    assert_eq!(then["question"], Value::Null);

    // Neither a start, nor views built anew, nor snapshots bring anything back; every chain holds.
    assert_eq!(house.stop(), 0);
    let folder = data.to_str().unwrap();
    let verified = run(&["verify", "--data", folder]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    nothing_is_left(&data, &sealed);
    let rebuilt = run(&["rebuild", "--data", folder]);
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.err);
    let house = House::open_with(&data, &often);
    nothing_is_shown(&house, &mut town, &her, &erased_at);
    assert_eq!(browse(&house, "GET", &address, "", "").status, 404);
    assert_eq!(erase(&mut town.operator, &her.id, &once)["replayed"], true, "the key is known after a start");
    nothing_is_left(&data, &sealed);
}

#[test]
fn a_house_that_ended_between_the_log_and_the_vault_deletes_the_key_at_its_start() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let her = arrives(&house, &mut town);
    assert_eq!(house.stop(), 0);
    let older = scratch.join("older.sqlite");
    tests::copy(&data.join("vault.sqlite"), &older);
    let house = House::open(&data);
    town.move_to(&house);
    let erased = erase(&mut town.operator, &her.id, &key());
    let erased_at = text(&erased["customer"]["erasedAt"]);
    house.kill();

    // The folder of a house whose log says it, and whose vault has not heard of it.
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("vault.sqlite{ending}")));
    }
    tests::copy(&older, &data.join("vault.sqlite"));
    let sealed = sealed_key(&data, &her.id).unwrap();
    let heard = scratch.join("heard");
    let house = House::open_heard(&data, &[], &heard);
    assert!(std::fs::read_to_string(&heard).unwrap().contains("erasure.resumed"), "it is said");
    nothing_is_shown(&house, &mut town, &her, &erased_at);
    nothing_is_left(&data, &sealed);
    assert_eq!(house.stop(), 0);
    let house = House::open_heard(&data, &[], &heard);
    assert!(!std::fs::read_to_string(&heard).unwrap().contains("erasure.resumed"), "once");
    drop(house);
}

#[test]
fn the_form_of_an_erased_customer_makes_a_new_one() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town.offer(claim(), json!({}));
    let link = format!("/l/{}", offer.1);
    let shown = browse(&house, "GET", &link, "", "");
    let form = |proof: &str| format!("proof={proof}&revision=1&name=Carla&channel=MESSAGE");
    let pressed = browse(&house, "POST", &link, "", &form(&shown.field("proof")));
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    let first = pressed.header("location").unwrap().to_owned();
    let customer = |town: &mut Town| {
        let seen = town.operator.ask("{ inquiries(first: 9) { edges { node { customer { id } } } } }", json!({}));
        let edges = seen["inquiries"]["edges"].as_array().unwrap().clone();
        edges.iter().map(|edge| text(&edge["node"]["customer"]["id"])).collect::<Vec<_>>()
    };
    let other_content = browse(&house, "POST", &link, "", &(form(&shown.field("proof")) + "&title=Elsewhere"));
    assert!(other_content.html.contains("sent before with other content"), "{}", other_content.html);
    let her = customer(&mut town)[0].clone();
    assert_eq!(erase(&mut town.operator, &her, &key())["userErrors"], json!([]));

    let pressed = browse(&house, "POST", &link, "", &form(&shown.field("proof")));
    assert_eq!(pressed.status, 422, "{}", pressed.html);
    assert!(pressed.html.contains("has been erased"), "{}", pressed.html);
    let again = browse(&house, "POST", &link, "", &form(&pressed.field("proof")));
    assert_eq!(again.status, 303, "{}", again.html);
    let second = again.header("location").unwrap();
    assert_ne!(second, first);
    assert_eq!(browse(&house, "GET", &first, "", "").status, 404);
    assert_eq!(browse(&house, "GET", second, "", "").status, 200);
    assert!(customer(&mut town).iter().any(|id| *id != her));
}

/// Another process holds the vault, so that no key is deleted for a while: who is erased is nobody's to read all the same.
#[test]
fn an_erased_customer_is_read_by_nobody_before_its_key_is_gone() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let her = arrives(&house, &mut town);
    let mut herself = her.client.at(&house);
    let address = herself.ask("query($id: ID!) { inquiry(id: $id) { url } }", json!({"id": her.waits}));
    let address = text(&address["inquiry"]["url"]).replace(&format!("http://{}", house.address), "");
    let feed = "subscription($id: ID!) { inquiryFeed(inquiryId: $id) { inquiry { state question } } }";
    let mut watches = Sse::open(&house, &town.provider.token, feed, json!({"id": her.waits}));
    // Whoever may has read her, so her key is at hand in the house.
    assert!(asked(&mut town.provider, &her).contains("wallet-in-the-tram"));
    let talked = "query($id: ID!) { inquiry(id: $id) { session { id } } }";
    let session = town.operator.ask(talked, json!({"id": her.talks}))["inquiry"]["session"]["id"].clone();

    let vault = rusqlite::Connection::open(data.join("vault.sqlite")).unwrap();
    vault.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    vault.execute_batch("BEGIN IMMEDIATE").unwrap();
    let erasing = std::thread::spawn({
        let (mut operator, customer) = (house.client(&town.operator.token), her.id.clone());
        move || erase(&mut operator, &customer, &key())
    });
    let seen = "query($id: ID!) { customer(id: $id) { erasedAt } }";
    eventually("it stands in the log", || {
        let shown = town.operator.ask(seen, json!({"id": her.id}))["customer"]["erasedAt"].clone();
        shown.is_string().then_some(())
    });
    assert!(sealed_key(&data, &her.id).is_some_and(|key| key.iter().any(|byte| *byte != 0)), "the key is there still");
    let agent = town.agents[0].1.token.clone();
    for client in [&mut town.operator, &mut town.provider, &mut house.client(&agent)] {
        let all = asked(client, &her);
        for secret in SECRETS {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
    // What was ahead of it leaves its queue first.
    loop {
        let shown = watches.item()["inquiry"].clone();
        assert_eq!(shown["question"], Value::Null, "{shown}");
        if shown["state"] == "WITHDRAWN" {
            break;
        }
    }
    let (status, _) = herself.post(br#"{"query":"{ viewer { role } }"}"#, "application/json").unwrap();
    assert_eq!(status, 401, "her token is nobody's");
    assert_eq!(browse(&house, "GET", &address, "", "").status, 404);
    // Nothing is written about her any more.
    let noted = json!({"sessionId": session, "notes": "noted-about-her"});
    let refused = town.agents[0].1.give_keyed("saveNotes", noted, &key(), "seq");
    assert_ne!(refused["userErrors"], json!([]), "{refused}");
    let beside = export(&data, &her.id, &["--json"]);
    assert_eq!(beside.code, 0, "{}", beside.err);
    for secret in SECRETS {
        assert!(!beside.out.contains(secret), "{secret}");
    }

    assert!(!erasing.is_finished(), "no answer before the key is gone");
    vault.execute_batch("COMMIT").unwrap();
    assert_eq!(erasing.join().unwrap()["userErrors"], json!([]));
    assert_eq!(sealed_key(&data, &her.id), None);
}

fn export(data: &Path, customer: &str, more: &[&str]) -> tests::Ran {
    run(&[&["export", "customer", "--data", data.to_str().unwrap(), "--customer", customer], more].concat())
}

#[test]
fn a_customers_data_is_exported_in_clear_until_it_is_erased() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 2);
    let her = arrives(&house, &mut town);
    let other = town.offer(claim(), json!({}));
    let other = text(&town.accept(&house, &other)["inquiry"]["id"]);

    // Beside the running house, and without it: the same bytes.
    let beside = export(&data, &her.id, &[]);
    assert_eq!((beside.code, beside.err.as_str()), (0, ""), "{}", beside.out);
    assert_eq!(export(&data, &her.id, &[]).out, beside.out);
    let line = export(&data, &her.id, &["--json"]).out;
    assert_eq!(line.lines().count(), 1);
    let document: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&beside.out).unwrap(), document);
    let profile = json!({"displayName": "Carlotta Quasimodo", "email": "carla.q@example.org", "phone": "+43 660 7731",
        "attributes": {"iban": "AT61-QUASI"}});
    assert_eq!(
        (&document["customer"], &document["profile"], &document["erasedAt"]),
        (&json!(her.id), &profile, &Value::Null)
    );
    let inquiries = document["inquiries"].as_array().unwrap();
    let ids: Vec<String> = inquiries.iter().map(|inquiry| text(&inquiry["id"])).collect();
    assert_eq!(ids, [&her.served, &her.away, &her.talks, &her.waits, &her.bid_for].map(String::clone));
    let served = &inquiries[0];
    assert_eq!(served["question"], "Where is my wallet-in-the-tram?");
    assert_eq!(served["messages"][0]["text"], "said-by-her");
    assert_eq!(served["messages"][0]["author"], "CUSTOMER");
    assert_eq!(served["notes"][0]["text"], "noted-about-her");
    assert_eq!(
        served["records"][0]["saved"],
        json!({"information": {"of": "kept-about-her"}, "notes": "noted-about-her"})
    );
    let kinds: Vec<String> =
        served["decisions"].as_array().unwrap().iter().map(|decision| text(&decision["kind"])).collect();
    assert_eq!(kinds, ["CALL_SERVER", "SELECTION"]);
    assert!(served["decisions"].as_array().unwrap().iter().all(|decision| decision["at"].is_string()));
    assert_eq!(inquiries[1]["withdrawals"][0]["reason"], "said-by-her");
    assert_eq!(
        served["consent"],
        json!({"at": served["acceptedAt"], "url": "https://bank.example/terms", "version": "7"})
    );
    assert!(!line.contains(&other) && !line.contains("Carla Customer"), "nobody else's");

    let unknown = export(&data, "cus_00000000000000000000000000", &[]);
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(unknown.err.contains("no such customer"), "{}", unknown.err);
    assert_eq!(export(&data, "Carlotta", &[]).code, 2);

    let erased = erase(&mut town.operator, &her.id, &key());
    assert_eq!(house.stop(), 0);
    let after = export(&data, &her.id, &["--json"]);
    let erased_at = text(&erased["customer"]["erasedAt"]);
    assert_eq!(after.code, 0, "{}", after.err);
    assert!(after.err.contains(&format!("was erased at {erased_at}")), "{}", after.err);
    let document: Value = serde_json::from_str(&after.out).unwrap();
    assert_eq!((&document["erasedAt"], &document["profile"]), (&json!(erased_at), &Value::Null));
    assert_eq!(document["inquiries"].as_array().unwrap().len(), 5, "that there were some is no secret of hers");
    for secret in SECRETS.iter().chain([&REASON]) {
        assert!(!after.out.contains(secret), "{secret}");
    }
}
