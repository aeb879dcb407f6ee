//! A provider is told of what happens, at a receiver of its own: signed, in order, again where that failed, and
//! nowhere that it should not lead.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::{Client, House, Scratch, Town, eventually, eventually_within, text};

const LOOPBACK: &[&str] = &["--loopback-webhooks"];
/// Longer than anything is on its way.
const LONG: Duration = Duration::from_secs(40);

/// What came to a receiver.
#[derive(Debug)]
struct Told {
    path: String,
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers each request with the next of `answers`, the last one for ever; says what came.
struct Hook {
    address: SocketAddr,
    told: Receiver<Told>,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Hook {
    fn open(answers: &[&str]) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new(answers.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>()));
        let (says, told) = channel();
        let script = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if let Some(heard) = hear(&stream) {
                    let answer = {
                        let mut script = script.lock().unwrap();
                        if script.len() > 1 { script.remove(0) } else { script[0].clone() }
                    };
                    let _ = (&stream).write_all(answer.as_bytes());
                    if says.send(heard).is_err() {
                        return;
                    }
                }
            }
        });
        Hook { address, told, answers }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?tenant=1", self.address)
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(Duration::from_secs(20)).expect("something is told")
    }

    fn answer(&self, answers: &[&str]) {
        *self.answers.lock().unwrap() = answers.iter().map(|answer| (*answer).to_owned()).collect();
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn hear(stream: &TcpStream) -> Option<Told> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut told =
        Told { path, id: String::new(), timestamp: String::new(), signature: String::new(), body: String::new() };
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "webhook-id" => told.id = value.to_owned(),
            "webhook-timestamp" => told.timestamp = value.to_owned(),
            "webhook-signature" => told.signature = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    told.body = String::from_utf8(body).ok()?;
    Some(told)
}

/// As a receiver would: with openssl, which knows nothing of this product.
fn is_signed(told: &Told, secret: &str) -> bool {
    let script = r#"key=$(printf %s "${SECRET#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \n')
        printf %s "$SAID" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w0"#;
    let said = format!("{}.{}.{}", told.id, told.timestamp, told.body);
    let out = std::process::Command::new("sh").args(["-c", script]).env("SECRET", secret).env("SAID", said).output();
    let expected = format!("v1,{}", String::from_utf8(out.unwrap().stdout).unwrap());
    expected.len() == 47 && told.signature.split(' ').any(|entry| entry == expected)
}

/// A receiver that does as `answers` says with each connection, on a thread of its own, and tells of each that came.
fn odd(answers: fn(TcpStream)) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (says, came) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let says = says.clone();
            std::thread::spawn(move || {
                if hear(&stream).is_some() {
                    let _ = says.send(());
                    answers(stream);
                }
            });
        }
    });
    (url, came)
}

/// Until whoever is told hangs up.
fn waits(mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let _ = stream.read(&mut [0]);
}
fn drips(mut stream: TcpStream) {
    // The connection's end shows as a failure to write.
    for byte in b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
fn drips_after_its_head(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    while stream.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_secs(1));
    }
}
/// Without end, until whoever is told hangs up.
fn floods(mut stream: TcpStream, head: &[u8], again: &[u8]) {
    let much = again.repeat(1_024);
    let _ = stream.write_all(head);
    while stream.write_all(&much).is_ok() {}
}
fn floods_with_a_body(stream: TcpStream) {
    floods(stream, b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 64]);
}
fn floods_with_headers(stream: TcpStream) {
    floods(stream, b"HTTP/1.1 200 OK\r\n", b"x-flood: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
}
fn floods_with_one_header(stream: TcpStream) {
    floods(stream, b"HTTP/1.1 200 OK\r\nx-flood: ", &[b'y'; 64]);
}
fn floods_with_promises(stream: TcpStream) {
    floods(stream, b"", b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// The most memory that the house ever had, in KiB.
fn peak(house: &House) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel counts it");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn receivers_that_stall_stall_nobody_else() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), LOOPBACK);
    let mut town = Town::found(&house, 1);
    let offer = town.publish(rules(), json!({}));
    let (url, came) = odd(waits);
    let (stalled, _) = hook(&mut town.provider, &url, json!(["offer.accepted.v1"]));
    // More than would be on their way at once; each is about an inquiry of its own.
    for _ in 0..70 {
        town.accept(&house, &offer);
    }
    came.recv_timeout(Duration::from_secs(10)).expect("the first is told");

    let input = json!({"name": "Other Bank"});
    let other = text(&town.operator.give("registerProvider", input, "provider { id }")["provider"]["id"]);
    let mut stranger = house.client(&house.token("provider", Some(&other)));
    let receiver = Hook::open(&[OK]);
    hook(&mut stranger, &receiver.url(), json!(["offer.published.v1"]));
    let input = json!({"providerId": other, "title": "Help", "links": [], "channels": ["MESSAGE"], "acceptsQuestions": true,
        "allocation": {"auction": rules()}});
    stranger.give("publishOffer", input, "offer { id }");
    let told = receiver.told.recv_timeout(Duration::from_secs(5)).expect("nobody waits for the one that stalls");
    assert_eq!(told.json()["type"], "offer.published.v1");

    // Nothing was answered in time: that failed, and is tried again.
    let failed = eventually_within(LONG, "the first has timed out", || {
        deliveries(&mut town.provider, &stalled).into_iter().find(|one| one["attempts"] == 1)
    });
    assert_eq!((&failed["state"], &failed["lastStatus"]), (&json!("PENDING"), &Value::Null));
    assert!(failed["nextAttemptAt"].is_string());
}

#[test]
fn receivers_that_flood_or_drip_cost_little() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), LOOPBACK);
    let mut town = Town::found(&house, 1);
    let offer = town.publish(rules(), json!({}));
    let odd = |town: &mut Town, answers| {
        let (url, came) = odd(answers);
        (hook(&mut town.provider, &url, json!(["offer.accepted.v1"])).0, came)
    };
    let answered = [odd(&mut town, floods_with_a_body), odd(&mut town, drips_after_its_head)];
    let failed = [
        odd(&mut town, floods_with_headers),
        odd(&mut town, floods_with_one_header),
        odd(&mut town, floods_with_promises),
        odd(&mut town, drips),
    ];
    let before = peak(&house);
    town.accept(&house, &offer);
    for (webhook, came) in &answered {
        came.recv_timeout(Duration::from_secs(30)).expect("it is told");
        let done = eventually_within(LONG, "its head is its answer", || {
            deliveries(&mut town.provider, webhook).into_iter().find(|one| one["state"] == "DELIVERED")
        });
        assert_eq!((&done["attempts"], &done["lastStatus"]), (&json!(1), &json!(200)));
    }
    for (webhook, came) in &failed {
        came.recv_timeout(Duration::from_secs(30)).expect("it is told");
        let tried = eventually_within(LONG, "it has no answer", || {
            deliveries(&mut town.provider, webhook).into_iter().find(|one| one["attempts"].as_u64() > Some(0))
        });
        assert_eq!((&tried["state"], &tried["lastStatus"]), (&json!("PENDING"), &Value::Null));
        // The one that failed is tried again.
        came.recv_timeout(Duration::from_secs(30)).expect("it is told once more");
    }
    let more = peak(&house) - before;
    assert!(more < 32 * 1_024, "{more} KiB more were needed");
}

fn rules() -> Value {
    json!({"direction": "FORWARD", "format": "SEALED_FIRST_PRICE", "currency": "EUR", "openFor": "PT2S"})
}

fn hook(provider: &mut Client, url: &str, types: Value) -> (String, String) {
    let made = provider.give("createWebhook", json!({"url": url, "types": types}), "webhook { id url types } secret");
    (text(&made["webhook"]["id"]), text(&made["secret"]))
}

fn deliveries(provider: &mut Client, webhook: &str) -> Vec<Value> {
    let document = "query($id: ID!) { node(id: $id) { ... on Webhook { disabledAt deliveries(first: 100) { edges { node { id state attempts lastStatus nextAttemptAt entry { type seq log redacted } } } } } } }";
    let seen = provider.ask(document, json!({"id": webhook}));
    seen["node"]["deliveries"]["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

#[test]
fn a_provider_is_told_of_each_acceptance() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), LOOPBACK);
    let mut town = Town::found(&house, 2);
    let offer = town.publish(rules(), json!({}));
    town.accept(&house, &offer);
    let receiver = Hook::open(&[OK]);
    let key = tests::key();
    let input = json!({"url": receiver.url(), "types": ["offer.accepted.v1"]});
    let made = town.provider.give_keyed("createWebhook", input.clone(), &key, "webhook { id } secret");
    let (webhook, secret) = (text(&made["webhook"]["id"]), text(&made["secret"]));
    let again = town.provider.give_keyed("createWebhook", input, &key, "webhook { id } secret");
    assert_eq!(
        (&again["webhook"]["id"], &again["secret"], &again["replayed"]),
        (&json!(webhook), &Value::Null, &json!(true))
    );

    // What was before it is not told; what comes is: ids, topic, link, time.
    let inquiry = text(&town.accept(&house, &offer)["inquiry"]["id"]);
    let told = receiver.next();
    let body = told.json();
    assert_eq!((told.path.as_str(), &body["type"]), ("/hooks?tenant=1", &json!("offer.accepted.v1")));
    let data = &body["data"];
    assert_eq!((&data["inquiry"], &data["offer"], &data["link"]), (&json!(inquiry), &json!(offer.0), &json!(offer.1)));
    assert_eq!((&data["topics"], &data["provider"]), (&json!(["cards/lost"]), &json!(town.provider_id)));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    for hidden in ["Carla", "carla", "ciphertext", "reserve", "EUR", "terms"] {
        assert!(!told.body.contains(hidden), "{hidden}: {}", told.body);
    }
    assert!(is_signed(&told, &secret), "{told:?}");
    let tampered = Told { body: told.body.replace(&inquiry, "inq_other"), ..told };
    assert!(!is_signed(&tampered, &secret));
    let done = eventually("the delivery is recorded", || {
        deliveries(&mut town.provider, &webhook).into_iter().find(|one| one["state"] == "DELIVERED")
    });
    assert_eq!((&done["id"], &done["attempts"], &done["lastStatus"]), (&json!(tampered.id), &json!(1), &json!(204)));
    assert_eq!((&done["entry"]["type"], &done["entry"]["log"]), (&json!("offer.accepted.v1"), &json!("community")));

    // Told once more where that is asked for, under the same id.
    let again = town.provider.give("redeliverWebhook", json!({"deliveryId": done["id"]}), "webhook { id } secret");
    assert_eq!(again["secret"], Value::Null);
    let repeated = receiver.next();
    assert_eq!((&repeated.id, repeated.body), (&tampered.id, tampered.body.replace("inq_other", &inquiry)));

    // Both secrets hold while a receiver takes over the new one.
    let rotated = town.provider.give("rotateWebhookSecret", json!({"webhookId": webhook}), "secret");
    let fresh = text(&rotated["secret"]);
    assert_ne!(fresh, secret);
    town.accept(&house, &offer);
    let told = receiver.next();
    assert!(is_signed(&told, &secret) && is_signed(&told, &fresh), "{told:?}");

    // Others know nothing of it, and deleted it tells nothing more.
    let input = json!({"name": "Other Bank"});
    let other = text(&town.operator.give("registerProvider", input, "provider { id }")["provider"]["id"]);
    let mut stranger = house.client(&house.token("provider", Some(&other)));
    let document = "query($id: ID!, $provider: ID!) { node(id: $id) { id } offers(providerId: $provider, first: 1) { edges { node { provider { webhooks { id } } } } } }";
    let seen = stranger.ask(document, json!({"id": webhook, "provider": town.provider_id}));
    assert_eq!(seen["node"], Value::Null);
    assert!(!seen.to_string().contains("whk_"), "{seen}");
    // Its provider reads what became of it by its id, and of what it told.
    let trail = "query($id: ID!) { auditTrail(subject: $id, first: 1) { edges { node { type } } } }";
    for (subject, first) in [(&webhook, "webhook.created.v1"), (&tampered.id, "webhook.delivery_planned.v1")] {
        let seen = town.provider.ask(trail, json!({"id": subject}));
        assert_eq!(seen["auditTrail"]["edges"], json!([{"node": {"type": first}}]));
        assert_eq!(stranger.ask(trail, json!({"id": subject}))["auditTrail"]["edges"], json!([]));
    }
    for (mutation, input) in [
        ("rotateWebhookSecret", json!({"webhookId": webhook})),
        ("deleteWebhook", json!({"webhookId": webhook})),
        ("redeliverWebhook", json!({"deliveryId": done["id"]})),
    ] {
        let refused = stranger.give_keyed(mutation, input, &tests::key(), "webhook { id }");
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "{mutation}");
    }
    let shown = town.provider.ask("{ viewer { provider { webhooks { id url types disabledAt } } } }", json!({}));
    assert_eq!(shown["viewer"]["provider"]["webhooks"][0]["id"], webhook);
    town.provider.give("deleteWebhook", json!({"webhookId": webhook}), "webhook { id }");
    let shown = town.provider.ask("{ viewer { provider { webhooks { id } } } }", json!({}));
    assert_eq!(shown["viewer"]["provider"]["webhooks"], json!([]));

    assert_eq!(house.stop(), 0);
    let verified = tests::run(&["verify", "--data", scratch.join("data").to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

#[test]
fn what_fails_is_told_again_in_order_and_survives_a_kill() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open_with(&data, LOOPBACK);
    let mut town = Town::found(&house, 2);
    let offer = town.publish(rules(), json!({}));
    let receiver = Hook::open(&[BUSY]);
    let (webhook, secret) = hook(&mut town.provider, &receiver.url(), json!([]));
    let accepted = town.accept(&house, &offer);
    let (inquiry, auction) = (text(&accepted["inquiry"]["id"]), text(&accepted["inquiry"]["auction"]["id"]));
    assert_eq!(town.bid(0, &auction, "5.00")["userErrors"], json!([]));
    assert_eq!(receiver.next().json()["type"], "offer.accepted.v1");
    let failed = eventually("the failure is recorded", || {
        deliveries(&mut town.provider, &webhook).into_iter().find(|one| one["attempts"] == 1)
    });
    assert_eq!((&failed["state"], &failed["lastStatus"]), (&json!("PENDING"), &json!(503)));
    assert!(failed["nextAttemptAt"].is_string());

    // Killed with all of it still to be told: a new start goes on where this one was.
    house.kill();
    receiver.answer(&[OK]);
    let house = House::open_with(&data, LOOPBACK);
    town.move_to(&house);
    let mut types = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    while types.last().is_none_or(|last: &String| last != "reservation.opened.v1") {
        let told = receiver.next();
        assert!(is_signed(&told, &secret));
        let body = told.json();
        if body["data"]["subjects"].to_string().contains(&inquiry) && ids.insert(told.id) {
            types.push(text(&body["type"]));
        }
    }
    assert_eq!(types[..2], ["offer.accepted.v1", "inquiry.registered.v1"], "{types:?}");
    // The bid was sealed when it was made: it is not told, and its award is.
    assert!(!types.contains(&"auction.bid_placed.v1".to_owned()), "{types:?}");
    assert!(types.contains(&"auction.awarded.v1".to_owned()), "{types:?}");

    // A receiver that is gone is not asked again, and what it missed is dead.
    receiver.answer(&[GONE]);
    town.accept(&house, &offer);
    let disabled = eventually("the webhook is disabled", || {
        let seen = town.provider.ask("{ viewer { provider { webhooks { disabledAt } } } }", json!({}));
        Some(seen["viewer"]["provider"]["webhooks"][0]["disabledAt"].clone()).filter(|at| !at.is_null())
    });
    assert!(disabled.is_string());
    let dead = eventually("what it missed is dead", || {
        let all = deliveries(&mut town.provider, &webhook);
        (!all.iter().any(|one| one["state"] == "PENDING"))
            .then(|| all.into_iter().find(|one| one["state"] == "DEAD"))
            .flatten()
    });
    let refused = town.provider.give_keyed(
        "redeliverWebhook",
        json!({"deliveryId": dead["id"]}),
        &tests::key(),
        "webhook { id }",
    );
    assert_eq!(refused["userErrors"][0]["code"], "NOT_ALLOWED_NOW");
}

#[test]
fn a_webhook_leads_nowhere_that_stands_beside_the_house() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    let mut town = Town::found(&house, 1);
    for url in [
        "http://127.0.0.1:1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0.0.0.0/",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://0x7f000001/",
        "https://user:pass@8.8.8.8/",
        "https://localhost/",
        "http://8.8.8.8/",
        "file:///etc/passwd",
        "https://10.1.2.3/",
    ] {
        let refused =
            town.provider.give_keyed("createWebhook", json!({"url": url}), &tests::key(), "webhook { id } secret");
        assert_eq!(refused["userErrors"][0]["code"], "URL_REFUSED", "{url}: {refused}");
        assert_eq!(refused["userErrors"][0]["field"], json!(["url"]), "{url}");
    }
    let wrong = json!({"url": "https://8.8.8.8/", "types": ["offer.accepted.v1", "offer.accepted.v1"]});
    let refused = town.provider.give_keyed("createWebhook", wrong, &tests::key(), "webhook { id }");
    assert_eq!(refused["userErrors"][0]["field"], json!(["types", "1"]));
    drop(house);

    // Made while it was allowed, refused when something is to be sent; a redirect is followed nowhere.
    let redirect = Hook::open(&[
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ]);
    let house = House::open_with(&data, LOOPBACK);
    town.move_to(&house);
    let offer = town.publish(rules(), json!({}));
    let (webhook, _) = hook(&mut town.provider, &redirect.url(), json!(["offer.accepted.v1"]));
    town.accept(&house, &offer);
    redirect.next();
    let pending = eventually("the redirect is a failure", || {
        deliveries(&mut town.provider, &webhook).into_iter().find(|one| one["lastStatus"] == 302)
    });
    assert_eq!(pending["state"], "PENDING");
    drop(house);
    let house = House::open(&data);
    town.move_to(&house);
    let refused = eventually("the second attempt is refused", || {
        deliveries(&mut town.provider, &webhook).into_iter().find(|one| one["attempts"] == 2)
    });
    assert_eq!((&refused["state"], &refused["lastStatus"]), (&json!("PENDING"), &json!(302)));
    assert!(redirect.told.try_recv().is_err(), "nothing was sent");
}
