//! What one caller and one address may take, through the binary and its flags: subscriptions, connections, items, and
//! cursors that are not theirs.

use crate::front::browse;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tests::feeds::{Socket, Sse};
use tests::{House, Scratch, Town, eventually, key, run, text};

const AGENTS: &str = "subscription { agentsFeed(callServer: \"main\") { meta { seq } agent { status } } }";

/// The status and the body of a request on a connection of its own; none where it is closed unanswered.
fn ask(house: &House, accept: &str, token: &str, body: &Value) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(house.address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: {accept}\r\n\
         authorization: Bearer {token}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        house.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// What a subscription comes to: `next`, or why it is refused. It begins some time after it was asked for, so an agent
/// is busy until something is heard of it.
fn subscribed(town: &mut Town, socket: &mut Socket, id: &str) -> String {
    socket.say(&json!({"id": id, "type": "subscribe", "payload": {"query": AGENTS}}));
    for status in ["BREAK", "AVAILABLE"].into_iter().cycle() {
        town.agents[0].1.give("setAgentStatus", json!({"status": status}), "seq");
        socket.say(&json!({"type": "ping"}));
        loop {
            let said = socket.hear();
            match said["type"].as_str() {
                Some("pong") => break,
                Some("next") if said["id"] == id => return "next".to_owned(),
                Some("error") if said["id"] == id => return text(&said["payload"][0]["extensions"]["code"]),
                _ => {}
            }
        }
    }
    unreachable!("an endless loop")
}

#[test]
fn subscriptions_of_a_caller_are_bounded_by_a_flag_on_all_its_sockets_and_streams() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--subscriptions-per-caller", "3"]);
    let mut town = Town::found(&house, 1);
    let [ann, ben] = ["ann", "ben"].map(|name| house.token("operator", Some(name)));
    let [mut one, mut other] = [(); 2].map(|()| Socket::open(&house, &ann));
    one.begin();
    other.begin();
    assert_eq!(subscribed(&mut town, &mut one, "1"), "next");
    assert_eq!(subscribed(&mut town, &mut one, "2"), "next");
    assert_eq!(subscribed(&mut town, &mut other, "1"), "next");
    assert_eq!(subscribed(&mut town, &mut other, "2"), "RATE_LIMITED");
    let (status, body) = ask(&house, "text/event-stream", &ann, &json!({"query": AGENTS})).unwrap();
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("RATE_LIMITED"), "{body}");
    // Queries are no subscriptions, another caller is another, and an end makes room.
    assert_eq!(ask(&house, "application/json", &ann, &json!({"query": "{ viewer { id } }"})).unwrap().0, 200);
    let _bens = Sse::open(&house, &ben, AGENTS, json!({}));
    drop(one);
    let mut ids = 3..;
    eventually("the places are free again", || {
        let id = ids.next()?.to_string();
        (subscribed(&mut town, &mut other, &id) == "next").then_some(())
    });
    for wrong in ["0", "-1", "x"] {
        let folder = scratch.join("never");
        let ran = run(&["serve", "--data", folder.to_str().unwrap(), "--subscriptions-per-caller", wrong]);
        assert_eq!(ran.code, 2, "{wrong}");
    }
}

#[test]
fn connections_of_an_address_are_bounded_by_a_flag_and_those_of_a_proxy_are_not() {
    let scratch = Scratch::new();
    let query = json!({"query": "{ __typename }"});
    let hold = |house: &House, count: usize| -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect(house.address).unwrap()).collect()
    };
    let house = House::open_with(&scratch.join("plain"), &["--connections-per-address", "3"]);
    let token = house.token("operator", None);
    let mut held = hold(&house, 3);
    assert_eq!(ask(&house, "application/json", &token, &query), None, "closed unanswered");
    held.pop();
    eventually("a place is free again", || ask(&house, "application/json", &token, &query));
    let options = ["--connections-per-address", "3", "--trusted-proxy", "127.0.0.1"];
    let house = House::open_with(&scratch.join("behind"), &options);
    let token = house.token("operator", None);
    let _held = hold(&house, 12);
    assert_eq!(ask(&house, "application/json", &token, &query).unwrap().0, 200);
}

#[test]
fn items_are_paid_and_who_cannot_waits_and_misses_nothing() {
    let scratch = Scratch::new();
    // 20,000 at once, the most that a request may cost, and 100 in a second.
    let house = House::open_with(&scratch.join("data"), &["--rate-limit", "100"]);
    // It costs 103 to begin, and as much an item: 99 aliases, three fields.
    let wide: Vec<String> = (0..99).map(|at| format!("s{at}: status")).collect();
    let wide = format!(
        "subscription($after: Cursor) {{ agentsFeed(callServer: \"main\", after: $after) {{ meta {{ seq }} agent {{ {} }} }} }}",
        wide.join(" ")
    );
    let mut town = Town::found(&house, 1);
    let poor = house.token("operator", Some("poor"));
    let mut feed = Sse::open(&house, &poor, &wide, json!({}));
    let mut narrow = Sse::open(&house, &house.token("operator", Some("rich")), AGENTS, json!({}));
    let mut status = ["BREAK", "AVAILABLE"].into_iter().cycle();
    let mut change = |town: &mut Town| {
        town.agents[0].1.give("setAgentStatus", json!({"status": status.next()}), "seq");
    };
    // More than can be paid at once.
    let mut seqs = Vec::new();
    for _ in 0..250 {
        change(&mut town);
        seqs.push(narrow.item()["meta"]["seq"].clone());
    }
    // What was there at once: about 190 items. It has nothing left, and what it asks is refused.
    for seq in &seqs[..185] {
        assert_eq!(feed.item()["meta"]["seq"], *seq);
    }
    eventually("its bucket is empty", || {
        let (status, body) =
            ask(&house, "application/json", &poor, &json!({"query": wide.replace("subscription", "query")})).unwrap();
        (status == 429).then(|| assert!(body.contains("RATE_LIMITED"), "{body}"))
    });
    // What follows comes as it can be paid, each in its turn; the others have it long since.
    for seq in &seqs[185..195] {
        assert_eq!(feed.item()["meta"]["seq"], *seq);
    }
}

#[test]
fn a_cursor_that_is_not_the_callers_is_400_without_data() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 3);
    let list = "query($after: Cursor) { agents(first: 1, after: $after) { edges { cursor node { id } } } }";
    let cursor = text(&town.operator.ask(list, json!({}))["agents"]["edges"][0]["cursor"]);
    town.operator.ask(list, json!({"after": cursor}));
    let mut flipped = cursor.clone().into_bytes();
    let last = flipped.len() / 2;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let other_list = "query($after: Cursor) { queues(first: 1, after: $after) { edges { cursor } } }";
    let trail = "query($after: Cursor) { auditTrail(first: 1, after: $after) { edges { cursor } } }";
    let (operator, agent) = (town.operator.token.clone(), town.agents[0].1.token.clone());
    for media in ["application/json", "application/graphql-response+json", "*/*"] {
        for (token, document, after) in [
            (&operator, list, flipped.as_str()),
            (&operator, list, &cursor[..cursor.len() - 2]),
            (&operator, list, "nonsense"),
            (&operator, other_list, &cursor),
            (&operator, trail, &cursor),
            (&agent, trail, &cursor),
        ] {
            let asked = json!({"query": document, "variables": {"after": after}});
            let (status, body) = ask(&house, media, token, &asked).unwrap();
            let answer: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(status, 400, "{media} {document} {after}: {body}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{body}");
            assert!(answer.get("data").is_none(), "{body}");
        }
    }
}

/// Whoever accepts may be anybody, with the token of the first one too, so what counts is the address, as the proxy in
/// front names it.
#[test]
fn acceptances_are_bounded_by_address() {
    let scratch = Scratch::new();
    let flags = ["--acceptances-per-minute", "3", "--acceptances-per-hour", "9", "--trusted-proxy", "127.0.0.1"];
    let house = House::open_with(&scratch.join("data"), &flags);
    let mut town = Town::found(&house, 0);
    let offer = town.offer(json!({"claim": {}}), json!({}));
    let document = "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { inquiry { id } customerToken replayed userErrors { code } } }";
    let accept_as = |from: &str, key: &str, link: &str| {
        let input = json!({"offerId": offer.0, "linkId": link, "channel": "MESSAGE", "idempotencyKey": key});
        let body = json!({"query": document, "variables": {"input": input}}).to_string();
        let headers = format!("x-forwarded-for: {from}\r\ncontent-type: application/json\r\n");
        let answer = browse(&house, "POST", "/graphql", &headers, &body);
        let json: Value = serde_json::from_str(&answer.html).unwrap_or_else(|_| panic!("{}", answer.html));
        (json, answer)
    };
    let accept = |from: &str| accept_as(from, &key(), &offer.1).0;
    let is_limited = |answer: &Value| answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED";
    let kept = key();
    let first = accept_as("192.0.2.1", &kept, &offer.1).0;
    assert!(first["data"]["acceptOffer"]["inquiry"]["id"].is_string(), "{first}");
    // What is refused takes no place.
    let refused = accept_as("192.0.2.1", &key(), "lnk_00000000000000000000000000").0;
    assert_eq!(refused["data"]["acceptOffer"]["userErrors"][0]["code"], "NOT_FOUND");
    assert!(!is_limited(&accept("192.0.2.1")) && !is_limited(&accept("192.0.2.1")));
    let fourth = accept("192.0.2.1");
    assert!(is_limited(&fourth), "{fourth}");
    assert!(fourth["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap() > 1_000, "{fourth}");
    // A key that was recorded is answered, however many came since.
    let again = accept_as("192.0.2.1", &kept, &offer.1).0;
    assert_eq!(again["data"]["acceptOffer"]["replayed"], true, "{again}");
    assert_eq!(again["data"]["acceptOffer"]["inquiry"], first["data"]["acceptOffer"]["inquiry"]);
    // Others have their own; a /64 is one.
    for host in 1..=3 {
        assert!(!is_limited(&accept(&format!("2001:db8:0:1::{host}"))));
    }
    assert!(is_limited(&accept("2001:db8:0:1:9::9")) && !is_limited(&accept("2001:db8:0:2::1")));
    // The token that the first one gave opens nothing.
    let authorization = format!("authorization: Bearer {}\r\n", text(&first["data"]["acceptOffer"]["customerToken"]));
    let accept_known = |from: &str| {
        let from = format!("{from}\r\n{authorization}");
        accept_as(from.trim_end(), &key(), &offer.1).0
    };
    assert!(is_limited(&accept_known("192.0.2.1")) && !is_limited(&accept_known("192.0.2.9")));
    // Nor does a header that the client writes itself: then it is whoever the proxy does not tell apart, and all of these
    // are one.
    let forged = |number: u32| accept(&format!("192.0.2.{number}\r\nforwarded: for=6.6.6.6"));
    assert_eq!((1..=6).filter(|number| is_limited(&forged(100 + number))).count(), 3);
    // The page says it, too.
    let link = format!("/l/{}", offer.1);
    let from = "x-forwarded-for: 192.0.2.1\r\n";
    let shown = browse(&house, "GET", &link, from, "");
    let pressed = browse(&house, "POST", &link, from, &format!("proof={}", shown.field("proof")));
    assert_eq!(pressed.status, 429, "{}", pressed.html);
    assert!(pressed.html.contains("Many inquiries came from your connection"), "{}", pressed.html);
    let wait: u64 = pressed.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let elsewhere =
        browse(&house, "POST", &link, "x-forwarded-for: 192.0.2.7\r\n", &format!("proof={}", shown.field("proof")));
    assert_eq!(elsewhere.status, 303, "{}", elsewhere.html);
}

/// Keys that only an erasure takes out of the vault again.
fn sealed_keys(data: &std::path::Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let vault = rusqlite::Connection::open_with_flags(data.join("vault.sqlite"), flags).unwrap();
    vault.query_row("SELECT count(*) FROM sealed_key", [], |row| row.get(0)).unwrap()
}

/// Whoever is refused leaves nothing behind, or it counts for the address.
#[test]
fn what_is_refused_seals_nothing_or_counts() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let flags = ["--acceptances-per-minute", "3", "--trusted-proxy", "127.0.0.1"];
    let house = House::open_with(&data, &flags);
    let mut operator = house.client(&house.token("operator", None));
    let bank = text(&operator.give("registerProvider", json!({"name": "Bank"}), "provider { id }")["provider"]["id"]);
    let mut provider = house.client(&house.token("provider", Some(&bank)));
    let published = json!({"title": "Help", "links": [{"label": "Lost", "topic": "cards/lost"}], "channels": ["MESSAGE"],
        "allocation": {"claim": {}}, "acceptsQuestions": true});
    let offer = provider.give("publishOffer", published, "offer { id links { id } }")["offer"].clone();
    let mut anybody = house.client("");
    anybody.comes_from = Some("192.0.2.1".into());
    let wanted = "inquiry { id } customerToken";
    let asking = |topic: &str| {
        json!({"offerId": offer["id"], "question": "My card number is 4711", "topics": [topic], "channel": "MESSAGE",
            "customer": {"displayName": "Ann"}})
    };
    let refused = |client: &mut tests::Client, mutation: &str, input: Value| {
        client.give_keyed(mutation, input, &key(), "inquiry { id }")["userErrors"][0]["code"].clone()
    };
    let before = sealed_keys(&data);

    // Nobody could take it: by the API, by the page's form, by the contact centre.
    let link = format!("/l/{}", text(&offer["links"][0]["id"]));
    let from = "x-forwarded-for: 192.0.2.1\r\n";
    let shown = browse(&house, "GET", &link, from, "");
    for _ in 0..10 {
        assert_eq!(refused(&mut anybody, "acceptOffer", asking("cards/lost")), "NOT_ALLOWED_NOW");
        let form = format!("proof={}&channel=MESSAGE&question=My+card&name=Ann", shown.field("proof"));
        let pressed = browse(&house, "POST", &link, from, &form);
        assert!((400..500).contains(&pressed.status) && pressed.status != 429, "{}: {}", pressed.status, pressed.html);
    }
    let start = |topic: &str| {
        json!({"offerId": offer["id"], "topic": topic, "channel": "MESSAGE", "message": "We call you back",
            "customer": {"displayName": "Ann"}})
    };
    assert_eq!(refused(&mut operator, "startInquiry", start("cards/lost")), "NOT_ALLOWED_NOW");
    operator.give("openCallServer", json!({"name": "main", "topics": ["cards"]}), "callServer { id }");
    // A subject matter that nobody has named.
    for _ in 0..10 {
        assert_eq!(refused(&mut anybody, "acceptOffer", asking("my/card/4711")), "INVALID");
    }
    assert_eq!(refused(&mut operator, "startInquiry", start("my/card/4711")), "INVALID");
    assert_eq!(sealed_keys(&data), before, "nothing was sealed for what was refused");

    // None of them has taken a place, and what is answered again takes none; what is refused once it was sealed does.
    let (retried, by_link) =
        (key(), json!({"offerId": offer["id"], "linkId": offer["links"][0]["id"], "channel": "MESSAGE"}));
    for replayed in [false, true, true, true] {
        assert_eq!(anybody.give_keyed("acceptOffer", by_link.clone(), &retried, wanted)["replayed"], replayed);
    }
    let reused = anybody.give_keyed("acceptOffer", asking("cards/lost"), &retried, wanted);
    assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(sealed_keys(&data), before + 1);
    assert_eq!(anybody.give("acceptOffer", asking("cards/lost"), wanted)["replayed"], false);
    assert_eq!(sealed_keys(&data), before + 2);
    let (document, variables) = tests::command("acceptOffer", asking("cards/lost"), &key(), wanted);
    let fourth = anybody.send(&document, variables).unwrap();
    assert_eq!(fourth["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{fourth}");
}
