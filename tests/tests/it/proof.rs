//! A provider says who its customer is: by the API, on pages without JavaScript, many at once, and by who may not.

use crate::front::browse;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, eventually, key, now, text};

/// What the provider knows its customer by; it stands nowhere in the house.
const ANN: &str = "account-of-ann-4711";

struct Signer(EncodingKey);

impl Signer {
    /// Ed25519: PKCS#8 (RFC 8410) around a seed.
    fn new(seed: u8) -> Signer {
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        Signer(EncodingKey::from_ed_der(&[head.as_slice(), &[seed; 32]].concat()))
    }
    fn public(&self, kid: &str) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.0, Algorithm::EdDSA).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        jwk
    }
    fn says(&self, kid: &str, provider: &str, sub: &str, seconds: i64) -> String {
        let claims = json!({ "sub": sub, "aud": provider, "exp": now() / 1_000_000 + seconds });
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &self.0).unwrap()
    }
}

fn accepting(offer: &(String, String), proof: &str) -> Value {
    json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customerProof": proof,
        "customer": {"displayName": "Ann Account"}})
}
const WANTED: &str = "inquiry { id customer { id displayName } } customerToken";

fn accept(client: &mut Client, offer: &(String, String), proof: &str) -> Value {
    client.give("acceptOffer", accepting(offer, proof), WANTED)
}
fn refused(client: &mut Client, offer: &(String, String), proof: &str) -> Value {
    let answer = client.give_keyed("acceptOffer", accepting(offer, proof), &key(), WANTED);
    assert_eq!(answer["inquiry"], Value::Null);
    answer["userErrors"][0].clone()
}
fn customer(accepted: &Value) -> String {
    text(&accepted["inquiry"]["customer"]["id"])
}
fn outcome(town: &mut Town, accepted: &Value) -> Value {
    let document = "query($id: ID!) { inquiry(id: $id) { customerInformation { outcome } } }";
    let seen = town.operator.ask(document, json!({"id": accepted["inquiry"]["id"]}));
    seen["inquiry"]["customerInformation"]["outcome"].clone()
}
fn has_keys(town: &mut Town, keys: Value) {
    let input = json!({"providerId": town.provider_id, "customerKeys": keys});
    town.operator.give("updateProvider", input, "provider { id }");
}

#[test]
fn a_proof_makes_a_customer_once_and_finds_it_from_then_on() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let signer = Signer::new(1);

    // Keys are public ones, and the provider's own to read.
    let input =
        json!({"providerId": town.provider_id, "customerKeys": [signer.public("2026"), {"kty": "oct", "k": "AAAA"}]});
    let wrong = town.operator.give_keyed("updateProvider", input, &key(), "provider { id }");
    assert_eq!(wrong["userErrors"][0]["code"], "INVALID");
    assert_eq!(wrong["userErrors"][0]["field"], json!(["customerKeys", "1"]));
    has_keys(&mut town, json!([signer.public("2026")]));
    let asking = "query($id: ID!) { node(id: $id) { ... on Provider { name customerKeys } } }";
    let id = json!({"id": town.provider_id});
    assert_eq!(town.provider.ask(asking, id.clone())["node"]["customerKeys"][0]["x"], signer.public("")["x"]);
    let seen = town.agents[0].1.ask(asking, id);
    assert_eq!(seen["node"], json!({"name": "Example Bank", "customerKeys": null}));

    let offer = town.offer(json!({"claim": {}}), json!({}));
    let bank = town.provider_id.clone();
    let first = accept(&mut house.client(""), &offer, &signer.says("2026", &bank, ANN, 300));
    assert_eq!(outcome(&mut town, &first), "NEW");
    // It is served, and what was learned is kept.
    let agent = &mut town.agents[0].1;
    let claimed = agent.give("claimInquiry", json!({"inquiryId": first["inquiry"]["id"]}), "session { id }");
    let session = json!({"sessionId": claimed["session"]["id"]});
    agent.give("endSession", session.clone(), "session { id }");
    let done = json!({"sessionId": session["sessionId"], "disposition": "card replaced"});
    agent.give("completeWrapUp", done, "session { id }");

    // Another day, another proof, no token: the same customer, and what is known of it.
    let second = accept(&mut house.client(""), &offer, &signer.says("2026", &bank, ANN, 60));
    assert_eq!(customer(&second), customer(&first));
    assert_eq!(outcome(&mut town, &second), "FOUND");
    let mut ann = house.client(&text(&second["customerToken"]));
    let own = ann.ask("{ viewer { id } inquiries(first: 9) { edges { node { id } } } }", json!({}));
    assert_eq!(own["viewer"]["id"], json!(customer(&first)));
    assert_eq!(own["inquiries"]["edges"].as_array().unwrap().len(), 2);
    let input = json!({"inquiryId": second["inquiry"]["id"]});
    town.agents[0].1.give("claimInquiry", input.clone(), "session { id }");
    let document = "query($inquiryId: ID!) { inquiry(id: $inquiryId) { customer { records(first: 9) { edges { node { disposition } } } } } }";
    let records = eventually("the record is shown", || {
        let seen = town.agents[0].1.ask(document, input.clone())["inquiry"]["customer"]["records"]["edges"].clone();
        Some(seen).filter(|seen| seen.as_array().is_some_and(|edges| !edges.is_empty()))
    });
    assert_eq!(records, json!([{"node": {"disposition": "card replaced"}}]));

    // Of another provider the same reference is somebody else, without records.
    let registered = town.operator.give(
        "registerProvider",
        json!({"name": "Other Bank", "customerKeys": [signer.public("2026")]}),
        "provider { id }",
    );
    let other = text(&registered["provider"]["id"]);
    let home = std::mem::replace(&mut town.provider_id, other.clone());
    town.provider = house.client(&house.token("provider", Some(&other)));
    let elsewhere = town.offer(json!({"claim": {}}), json!({}));
    let stranger = accept(&mut house.client(""), &elsewhere, &signer.says("2026", &other, ANN, 60));
    assert_ne!(customer(&stranger), customer(&first));
    assert_eq!(outcome(&mut town, &stranger), "NEW");
    let foreign = refused(&mut house.client(""), &elsewhere, &signer.says("2026", &home, ANN, 60));
    assert_eq!(foreign["code"], "CUSTOMER_PROOF_REFUSED", "made for {home}");

    // Sixteen at once, of one customer whom nobody knows yet.
    let proof = signer.says("2026", &bank, "ben", 60);
    let asked: Vec<_> = (0..16)
        .map(|_| {
            let (mut client, offer, proof) = (house.client(""), offer.clone(), proof.clone());
            std::thread::spawn(move || accept(&mut client, &offer, &proof))
        })
        .collect();
    let accepted: Vec<Value> = asked.into_iter().map(|one| one.join().unwrap()).collect();
    let told: BTreeSet<String> = accepted.iter().map(customer).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let new = accepted.iter().filter(|one| outcome(&mut town, one) == "NEW").count();
    assert_eq!(new, 1, "of all of them one is the first");

    // The reference stands in no file, and it leads to the same customer after a restart.
    town.agents.clear();
    assert_eq!(house.stop(), 0);
    for entry in std::fs::read_dir(scratch.join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(ANN.len()).any(|window| window == ANN.as_bytes());
            assert!(!found, "the reference stands in {}", path.display());
        }
    }
    let house = House::open(&scratch.join("data"));
    let later = accept(&mut house.client(""), &offer, &signer.says("2026", &bank, ANN, 60));
    assert_eq!(customer(&later), customer(&first));
}

/// Another process holds history, so nothing is folded into it, for longer than anybody waits.
#[test]
fn an_acceptance_waits_two_seconds_for_what_is_known_of_its_customer_and_others_not_at_all() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let signer = Signer::new(1);
    has_keys(&mut town, json!([signer.public("2026")]));
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let bank = town.provider_id.clone();
    let known = accept(&mut house.client(""), &offer, &signer.says("2026", &bank, ANN, 300));
    // By a list that history answers it is known to be folded in.
    town.operator.ask("query($id: ID!) { customer(id: $id) { since } }", json!({"id": customer(&known)}));

    let history = rusqlite::Connection::open(scratch.join("data").join("history.sqlite")).unwrap();
    history.busy_timeout(Duration::from_secs(10)).unwrap();
    history.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let ben = signer.says("2026", &bank, "ben", 300);
    let mut told = |client: &mut Client, proof: &str| {
        let accepted = accept(client, &offer, proof);
        outcome(&mut town, &accepted)
    };
    assert_eq!(told(&mut house.client(""), &ben), "NEW", "who is made by its proof needs no looking up");
    let late = std::thread::spawn({
        let (mut client, offer, proof) = (house.client(""), offer.clone(), ben.clone());
        move || {
            let began = Instant::now();
            (accept(&mut client, &offer, &proof), began.elapsed())
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    // Meanwhile others go on, or they would be UNAVAILABLE too: who was known before, and who is new.
    assert_eq!(told(&mut house.client(""), &signer.says("2026", &bank, ANN, 300)), "FOUND");
    assert_eq!(told(&mut house.client(""), &signer.says("2026", &bank, "cleo", 300)), "NEW");
    let (accepted, took) = late.join().unwrap();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(outcome(&mut town, &accepted), "UNAVAILABLE");

    // It waits for an agent as any other, who sees the record once history is back; what was recorded stays.
    history.execute_batch("COMMIT").unwrap();
    let claimed =
        town.agents[0].1.give("claimInquiry", json!({"inquiryId": accepted["inquiry"]["id"]}), "session { id }");
    assert_ne!(claimed["session"], Value::Null);
    let document =
        "query($id: ID!) { inquiry(id: $id) { customerInformation { outcome customer { displayName since } } } }";
    let seen = town.agents[0].1.ask(document, json!({"id": accepted["inquiry"]["id"]}));
    let information = &seen["inquiry"]["customerInformation"];
    assert_eq!(
        (&information["outcome"], &information["customer"]["displayName"]),
        (&json!("UNAVAILABLE"), &json!("Ann Account"))
    );
    assert!(information["customer"]["since"].is_string());
    town.agents.clear();
    assert_eq!(house.stop(), 0);
    let house = House::open(&scratch.join("data"));
    town.move_to(&house);
    assert_eq!(outcome(&mut town, &accepted), "UNAVAILABLE");
}

#[test]
fn who_is_not_vouched_for_is_refused_and_the_same_key_still_replays() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    let (signer, thief) = (Signer::new(1), Signer::new(2));
    has_keys(&mut town, json!([signer.public("2026")]));
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let bank = town.provider_id.clone();
    let mut anybody = house.client("");

    let hour = 3_600;
    for (proof, why) in [
        (signer.says("2026", &bank, ANN, -1), "expired"),
        (signer.says("2026", &bank, ANN, 25 * hour), "too far ahead"),
        (signer.says("2019", &bank, ANN, hour), "by a kid that nobody knows"),
        (thief.says("2026", &bank, ANN, hour), "by a stranger's key"),
        (signer.says("2026", "callmarket", ANN, hour), "for another audience"),
        (signer.says("2026", &bank, "", hour), "of nobody"),
        ("x".repeat(100_000), "enormous"),
        (String::new(), "empty"),
    ] {
        let error = refused(&mut anybody, &offer, &proof);
        assert_eq!(error["code"], "CUSTOMER_PROOF_REFUSED", "{why}: {error}");
        assert_eq!((&error["field"], &error["retryable"]), (&json!(["customerProof"]), &json!(false)), "{why}");
    }
    let counted = "{ inquiries(first: 9) { edges { node { id } } } }";
    let none = town.operator.ask(counted, json!({}));
    assert_eq!(none["inquiries"]["edges"], json!([]), "what is refused leaves nothing");

    // A proof and a token are of one customer.
    let proof = signer.says("2026", &bank, ANN, hour);
    let (retried, input) = (key(), accepting(&offer, &proof));
    let first = anybody.give_keyed("acceptOffer", input.clone(), &retried, WANTED);
    let mut ann = house.client(&text(&first["customerToken"]));
    let again = accept(&mut ann, &offer, &proof);
    assert_eq!((customer(&again), &again["customerToken"]), (customer(&first), &Value::Null));
    let unproven = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let ben = anybody.give("acceptOffer", unproven, WANTED);
    let mut ben = house.client(&text(&ben["customerToken"]));
    for sub in [ANN, "somebody whom nobody knows"] {
        let error = refused(&mut ben, &offer, &signer.says("2026", &bank, sub, hour));
        assert_eq!(error["code"], "CUSTOMER_PROOF_REFUSED", "{error}");
    }

    // The provider takes its key back: from then on it proves nothing; what was accepted is answered again.
    has_keys(&mut town, json!([thief.public("2027")]));
    assert_eq!(refused(&mut anybody, &offer, &proof)["code"], "CUSTOMER_PROOF_REFUSED");
    let replayed = anybody.give_keyed("acceptOffer", input, &retried, WANTED);
    assert_eq!((&replayed["inquiry"]["id"], &replayed["replayed"]), (&first["inquiry"]["id"], &json!(true)));
    // Another proof under the same key is another input.
    let other = accepting(&offer, &thief.says("2027", &bank, ANN, hour));
    let reused = anybody.give_keyed("acceptOffer", other, &retried, WANTED);
    assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    // The customer is the provider's, by whichever of its keys.
    assert_eq!(customer(&accept(&mut anybody, &offer, &thief.says("2027", &bank, ANN, hour))), customer(&first));
    let input = json!({"providerId": bank, "state": "SUSPENDED"});
    town.operator.give("updateProvider", input, "provider { id }");
    assert_eq!(refused(&mut anybody, &offer, &thief.says("2027", &bank, ANN, hour))["code"], "NOT_ALLOWED_NOW");
}

#[test]
fn a_link_of_the_providers_page_carries_the_proof_through_a_form() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    let signer = Signer::new(1);
    has_keys(&mut town, json!([signer.public("2026")]));
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let bank = town.provider_id.clone();
    let known = accept(&mut house.client(""), &offer, &signer.says("2026", &bank, ANN, 60));

    let press = |page: &crate::front::Page, more: &str| {
        let form = format!("proof={}&revision=1&channel=MESSAGE{more}", page.field("proof"));
        browse(&house, "POST", &format!("/l/{}", offer.1), "sec-fetch-site: same-origin\r\n", &form)
    };
    let address = format!("/l/{}?customerProof={}", offer.1, signer.says("2026", &bank, ANN, 60));
    let shown = browse(&house, "GET", &address, "", "");
    assert_eq!(
        (shown.header("referrer-policy"), shown.header("cache-control")),
        (Some("no-referrer"), Some("no-store"))
    );
    let pressed = press(&shown, &format!("&customerProof={}", shown.field("customerProof")));
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    let mut ann = house.client(&house.token("customer", Some(&customer(&known))));
    let own = ann.ask("{ inquiries(first: 9) { edges { node { id } } } }", json!({}));
    assert_eq!(own["inquiries"]["edges"].as_array().unwrap().len(), 2, "hers, by the form");

    // Open for too long: it is said, and the next press is somebody new's.
    let late = signer.says("2026", &bank, ANN, -1);
    let shown = browse(&house, "GET", &format!("/l/{}?customerProof={late}", offer.1), "", "");
    let refused = press(&shown, &format!("&customerProof={late}"));
    assert_eq!(refused.status, 422);
    assert!(refused.html.contains("as somebody new") && !refused.html.contains("customerProof"), "{}", refused.html);
    assert_eq!(press(&refused, "").status, 303);
    let own = ann.ask("{ inquiries(first: 9) { edges { node { id } } } }", json!({}));
    assert_eq!(own["inquiries"]["edges"].as_array().unwrap().len(), 2);
    // A page without one is as it was.
    let plain = browse(&house, "GET", &format!("/l/{}", offer.1), "", "");
    assert_eq!(plain.header("referrer-policy"), Some("same-origin"));
    assert!(!plain.html.contains("customerProof"));
}

/// Whom a proof leads to is settled by the first acceptance that stands, not by one that is refused.
#[test]
fn what_is_refused_makes_nobody_of_a_reference() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    let signer = Signer::new(1);
    has_keys(&mut town, json!([signer.public("2026")]));
    let offer = town.offer(json!({"claim": {}}), json!({"acceptsQuestions": true}));
    let bank = town.provider_id.clone();
    let mut anybody = house.client("");
    let proof = signer.says("2026", &bank, ANN, 300);
    let mut asking = accepting(&offer, &proof);
    asking["topics"] = json!(["my/card/4711"]);
    let error = anybody.give_keyed("acceptOffer", asking, &key(), WANTED)["userErrors"][0].clone();
    assert_eq!(error["field"], json!(["topics", "0"]), "{error}");

    // A key that somebody has used without a proof does not make whoever that was the provider's customer.
    let used = key();
    let unproven = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let stranger = anybody.give_keyed("acceptOffer", unproven, &used, WANTED);
    let reused = anybody.give_keyed("acceptOffer", accepting(&offer, &proof), &used, WANTED);
    assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");

    let first = accept(&mut anybody, &offer, &proof);
    assert_eq!(outcome(&mut town, &first), "NEW");
    assert_ne!(customer(&first), customer(&stranger));
    let second = accept(&mut anybody, &offer, &proof);
    assert_eq!((customer(&second), outcome(&mut town, &second)), (customer(&first), json!("FOUND")));
}

/// What a key gave it takes with it, tokens and streams that are open, and its name given to another key brings nothing back.
#[test]
fn a_token_holds_for_as_long_as_the_key_that_vouched_for_it() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    let (stolen, new) = (Signer::new(1), Signer::new(2));
    has_keys(&mut town, json!([stolen.public("2026"), new.public("2027")]));
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let bank = town.provider_id.clone();
    let mut anybody = house.client("");
    let (retried, input) = (key(), accepting(&offer, &stolen.says("2026", &bank, ANN, 300)));
    let by_stolen = anybody.give_keyed("acceptOffer", input.clone(), &retried, WANTED);
    let by_new = accept(&mut anybody, &offer, &new.says("2027", &bank, ANN, 300));
    let unproven = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE"});
    let unproven = anybody.give("acceptOffer", unproven, WANTED);
    let token = |accepted: &Value| text(&accepted["customerToken"]);
    let status = |house: &House, token: &str| {
        house.client(token).post(br#"{"query":"{ viewer { id } }"}"#, "application/json").unwrap().0
    };
    let statuses = |house: &House| [&by_stolen, &by_new, &unproven].map(|one| status(house, &token(one)));
    assert_eq!(statuses(&house), [200, 200, 200]);
    let feed = "subscription($id: ID!) { inquiryFeed(inquiryId: $id) { position } }";
    let mut watches = Sse::open(&house, &token(&by_stolen), feed, json!({"id": by_stolen["inquiry"]["id"]}));

    has_keys(&mut town, json!([new.public("2027")]));
    assert_eq!(statuses(&house), [401, 200, 200]);
    while watches.answer().is_some() {} // It ends, or this waits in vain.
    // What was accepted is answered again, with nothing to open more by.
    let replayed = anybody.give_keyed("acceptOffer", input.clone(), &retried, WANTED);
    assert_eq!((&replayed["replayed"], &replayed["customerToken"]), (&json!(true), &Value::Null));
    // The name says nothing of which key it is.
    has_keys(&mut town, json!([new.public("2026")]));
    assert_eq!(statuses(&house), [401, 200, 200]);
    assert_eq!(anybody.give_keyed("acceptOffer", input, &retried, WANTED)["customerToken"], Value::Null);
    assert_eq!(house.stop(), 0);
    let house = House::open(&scratch.join("data"));
    assert_eq!(statuses(&house), [401, 200, 200], "after a start");
}
