use super::origin_of;
use crate::auth::unix_time;
use crate::endpoint::Limits;
use crate::listen;
use crate::testing::{Client, House, Raw, house, house_with, soon, until};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Request as Upgrade;

/// How long after its end a token may still be felt: that its socket is closed is promised within a second.
const SOON: Duration = Duration::from_secs(1);

fn with(house: &House, name: &'static str, value: &str) -> Upgrade {
    let mut request = house.upgrade();
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// A socket that said this first is closed with this code.
async fn close_of(house: &House, first: Message) -> u16 {
    let mut client = house.socket(house.upgrade()).await.unwrap();
    client.raw(first).await;
    client.closed().await
}

#[tokio::test]
async fn operations_of_all_kinds_run() {
    let house = house().await;
    let mut client = house.admitted(house.bearer("ann")).await;
    client.subscribe("q", "{viewer}").await;
    assert_eq!(
        client.hear().await,
        json!({"id": "q", "type": "next", "payload": {"data": {"viewer": "Operator ann"}}})
    );
    assert_eq!(client.hear().await, json!({"id": "q", "type": "complete"}));
    client.subscribe("m", "mutation{write}").await;
    assert_eq!(client.hear().await["payload"], json!({"data": {"write": 7}}));
    assert_eq!(client.hear().await, json!({"id": "m", "type": "complete"}));
    client.subscribe("s", "subscription{...F} fragment F on TestSubscription{x:count(to:2){n}}").await;
    for n in [1, 2] {
        assert_eq!(client.hear().await, json!({"id": "s", "type": "next", "payload": {"data": {"x": {"n": n}}}}));
    }
    assert_eq!(client.hear().await, json!({"id": "s", "type": "complete"}));
    // An id that has ended is free.
    client.subscribe("s", "{viewer}").await;
    assert_eq!(client.hear().await["type"], "next");
    drop(client);
    house.is_empty().await;
}

#[tokio::test]
async fn what_may_not_run_is_an_error_and_never_a_next() {
    let house = house().await;
    let mut client = house.admitted(Json::Null).await;
    for (query, expected) in [
        ("{", "PARSE_FAILED"),
        ("{nothing}", "VALIDATION_FAILED"),
        ("subscription{a:count(to:1){n} b:count(to:1){n}}", "VALIDATION_FAILED"),
        ("subscription{...on TestQuery{viewer}}", "VALIDATION_FAILED"),
        ("subscription{__typename}", "VALIDATION_FAILED"),
        ("subscription{count(to:1)@skip(if:true){n}}", "VALIDATION_FAILED"),
        ("query($i:Int!){viewer}", "VALIDATION_FAILED"),
        (&format!("{{{}", "{a".repeat(100)), "COST_EXCEEDED"),
        ("query A{viewer} query B{viewer}", "BAD_REQUEST"),
    ] {
        client.subscribe("1", query).await;
        let got = client.hear().await;
        assert_eq!((&got["id"], &got["type"]), (&json!("1"), &json!("error")), "{query}");
        assert_eq!(got["payload"][0]["extensions"]["code"], expected, "{query}");
    }
    // What a resolver says is a result.
    client.subscribe("1", "subscription{refused}").await;
    let got = client.hear().await;
    assert_eq!((&got["type"], &got["payload"]["data"]), (&json!("next"), &Json::Null));
    assert_eq!(got["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(client.hear().await["type"], "complete");
}

#[tokio::test]
async fn messages_out_of_order_have_their_close_codes() {
    let house = house().await;
    let subscribe = json!({"id": "1", "type": "subscribe", "payload": {"query": "{viewer}"}}).to_string();
    assert_eq!(close_of(&house, Message::text(subscribe.clone())).await, 4401);
    for bad in [
        Message::text(""),
        Message::text("{"),
        Message::text(r#"{"type":"start","id":"1","payload":{"query":"{viewer}"}}"#),
        Message::text(r#"{"type":"connection_init","payload":1}"#),
        Message::binary(r#"{"type":"connection_init"}"#),
        Message::text(format!(r#"{{"type":"ping","payload":{{"a":"{}"}}}}"#, "x".repeat(64 * 1_024))),
    ] {
        assert_eq!(close_of(&house, bad).await, 4400);
    }

    let mut client = house.admitted(Json::Null).await;
    client.say(json!({"type": "connection_init"})).await;
    assert_eq!(client.closed().await, 4429);

    let mut client = house.admitted(Json::Null).await;
    client.subscribe("1", "subscription{feed}").await;
    client.raw(Message::text(subscribe)).await;
    assert_eq!(client.closed().await, 4409);
    house.is_empty().await;
}

#[tokio::test]
async fn a_socket_speaks_one_protocol() {
    let house = house().await;
    let mut older = house.upgrade();
    older.headers_mut().remove("sec-websocket-protocol");
    let none = older.clone();
    older.headers_mut().insert("sec-websocket-protocol", "graphql-ws".parse().unwrap());
    for request in [none, older] {
        // The client that these tests use insists on an answer to what it asks for, so it is spoken to in bytes.
        let asked = request.headers().get("sec-websocket-protocol").map_or("x", |value| value.to_str().unwrap());
        let mut raw = Raw::connect(house.address).await;
        raw.write(&format!(
            "GET /graphql HTTP/1.1\r\nHost: house\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: \
             13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {asked}\r\n\r\n"
        ))
        .await;
        assert!(raw.up_to("\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        let frame = raw.bytes(4).await;
        assert_eq!((frame[0], u16::from_be_bytes([frame[2], frame[3]])), (0x88, 4406));
    }
    let mut both = house.upgrade();
    both.headers_mut().insert("sec-websocket-protocol", "graphql-ws, graphql-transport-ws".parse().unwrap());
    let mut client = house.socket(both).await.unwrap();
    client.say(json!({"type": "connection_init"})).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
}

#[tokio::test]
async fn who_says_nothing_is_asked_to_leave() {
    let limits = Limits { init: Duration::from_millis(300), ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    assert_eq!(house.socket(house.upgrade()).await.unwrap().closed().await, 4408);
    // Pings are no introduction.
    assert_eq!(close_of(&house, Message::text(r#"{"type":"ping"}"#)).await, 4408);
    house.is_empty().await;
}

#[tokio::test]
async fn only_a_token_names_a_caller() {
    let house = house().await;
    let viewer = async |payload: Json| {
        let mut client = house.admitted(payload).await;
        client.subscribe("1", "{viewer}").await;
        client.hear().await["payload"]["data"]["viewer"].as_str().unwrap().to_owned()
    };
    let token = house.token("ann", 60);
    assert_eq!(viewer(json!({"authorization": format!("Bearer {token}")})).await, "Operator ann");
    assert_eq!(viewer(json!({"Authorization": format!("bearer {token}")})).await, "Operator ann");
    assert_eq!(viewer(json!({})).await, "Anonymous ");
    for claims in [json!({"user": "ann", "role": "OPERATOR"}), json!({"jwt": {"sub": "ann"}, "token": &token})] {
        assert_eq!(viewer(claims).await, "Anonymous ");
    }
    for bad in [json!("Bearer x"), json!(format!("{token}")), json!(""), json!(7), json!({"Bearer": &token})] {
        let init = json!({"type": "connection_init", "payload": {"authorization": bad}});
        assert_eq!(close_of(&house, Message::text(init.to_string())).await, 4403);
    }

    let named = with(&house, "authorization", &format!("Bearer {token}"));
    let mut client = house.socket(named.clone()).await.unwrap();
    client.say(json!({"type": "connection_init"})).await;
    client.hear().await;
    client.subscribe("1", "{viewer}").await;
    assert_eq!(client.hear().await["payload"]["data"]["viewer"], "Operator ann");
    assert_eq!(house.socket(with(&house, "authorization", "Bearer x")).await.err(), Some(401));
    // Two names are none.
    let mut client = house.socket(named).await.unwrap();
    client.say(json!({"type": "connection_init", "payload": house.bearer("bob")})).await;
    assert_eq!(client.closed().await, 4403);
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let house = house().await;
    let token = house.token("ann", 8);
    let mut quiet = house.admitted(json!({"authorization": format!("Bearer {token}")})).await;
    quiet.subscribe("1", "subscription{feed}").await;
    // One that always has an item, and one whose reader does not read.
    let mut hot = house.admitted(json!({"authorization": format!("Bearer {token}")})).await;
    // Long ones: what waits in the connection is read before the close frame.
    hot.subscribe("1", "subscription{hot(bytes:10000){blob}}").await;
    let mut stuck = house.admitted(json!({"authorization": format!("Bearer {token}")})).await;
    stuck.subscribe("1", "subscription{hot(bytes:100000){blob}}").await;
    // One that says nothing at all ends with its token too, where that comes before the wait for its first message.
    let short = house.token("ann", 2);
    let idle = house.socket(with(&house, "authorization", &format!("Bearer {short}"))).await.unwrap();
    let (end, short_end) = (house.end_of(&token), house.end_of(&short));
    let told = async |client: Client| (client.closed().await, unix_time());
    let closed = futures_util::future::join3(told(quiet), told(hot), told(idle)).await;
    // At its end, within the second that is promised.
    for ((code, at), end) in [(closed.0, end), (closed.1, end), (closed.2, short_end)] {
        assert_eq!(code, 4403);
        assert!(at >= end && at <= end + SOON, "{:?} after {end:?}", at.checked_sub(end));
    }
    // Who does not read is told as long as anybody is, and then gone.
    house.is_empty().await;
    assert!(unix_time() <= end + Limits::default().farewell + SOON);
}

#[tokio::test]
async fn operations_of_a_socket_are_bounded() {
    let limits = Limits { operations: 3, ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    let mut client = house.admitted(Json::Null).await;
    for id in ["1", "2", "3", "4"] {
        client.subscribe(id, "subscription{feed}").await;
    }
    let got = client.hear().await;
    assert_eq!((&got["id"], &got["type"]), (&json!("4"), &json!("error")));
    assert_eq!(got["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    // Others go on, and one that is completed makes room.
    client.say(json!({"id": "1", "type": "complete"})).await;
    client.subscribe("4", "subscription{feed}").await;
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.hear().await, json!({"type": "pong"}));
    let mut ids = BTreeSet::new();
    while ids.len() < 3 {
        house.news.send(5).unwrap();
        let got = client.hear().await;
        assert_eq!(got["payload"]["data"]["feed"], 5);
        ids.insert(got["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids, ["2", "3", "4"].map(str::to_owned).into());
}

#[tokio::test]
async fn subscriptions_of_a_caller_are_bounded_wherever_they_are() {
    let limits = Limits { caller_subscriptions: 3, ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    let feed = "subscription{feed}";
    let mut sockets = [house.admitted(house.bearer("ann")).await, house.admitted(house.bearer("ann")).await];
    for socket in &mut sockets {
        socket.subscribe("1", feed).await;
    }
    let token = format!("Authorization: Bearer {}\r\n", house.token("ann", 60));
    let mut events = Raw::connect(house.address).await;
    events.post("text/event-stream", &token, json!({"query": feed})).await;
    until(|| house.connected.subscriptions.taken() == 3).await;
    sockets[0].subscribe("2", feed).await;
    // Pings would go on for ever.
    let got = soon(sockets[0].hear()).await;
    assert_eq!((&got["id"], &got["type"]), (&json!("2"), &json!("error")));
    assert_eq!(got["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    let mut more = Raw::connect(house.address).await;
    more.post("text/event-stream", &token, json!({"query": feed})).await;
    assert!(more.up_to("\r\n\r\n").await.starts_with("HTTP/1.1 429"));
    // It is hers alone, and of subscriptions alone.
    let mut other = house.admitted(house.bearer("bob")).await;
    other.subscribe("1", feed).await;
    until(|| house.connected.subscriptions.taken() == 4).await;
    sockets[0].subscribe("3", "{viewer}").await;
    assert_eq!(sockets[0].hear().await["payload"]["data"]["viewer"], "Operator ann");
    assert_eq!(sockets[0].hear().await, json!({"id": "3", "type": "complete"}));
    // One that does not come about takes no place, and one that ends gives its own back.
    sockets[0].say(json!({"id": "1", "type": "complete"})).await;
    for _ in 0..4 {
        sockets[0].subscribe("4", "subscription{nothing}").await;
        assert_eq!(sockets[0].hear().await["payload"][0]["extensions"]["code"], "VALIDATION_FAILED");
    }
    sockets[0].subscribe("5", feed).await;
    until(|| house.connected.subscriptions.taken() == 4 && house.running.now() == 4).await;
    drop((sockets, events, more, other));
    house.is_empty().await;
}

#[tokio::test]
async fn a_completed_operation_says_nothing_more() {
    let house = house().await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("hot", "subscription{hot(bytes:1){n}}").await;
    client.subscribe("stuck", "{never}").await;
    client.hear().await;
    for id in ["hot", "stuck", "unknown"] {
        client.say(json!({"id": id, "type": "complete"})).await;
    }
    client.say(json!({"type": "ping", "payload": {"a": 1}})).await;
    let pong = loop {
        let got = client.hear().await;
        if got["id"] != "hot" {
            break got;
        }
    };
    // Both were ended before the ping was read, so all that follows is of what follows.
    assert_eq!(pong, json!({"type": "pong", "payload": {"a": 1}}));
    client.say(json!({"type": "pong"})).await;
    client.subscribe("hot", "{viewer}").await;
    assert_eq!(client.hear().await["payload"]["data"]["viewer"], "Anonymous ");
    assert_eq!(client.hear().await, json!({"id": "hot", "type": "complete"}));
    until(|| house.running.now() + house.connected.operations.now() == 0).await;
}

#[tokio::test]
async fn a_hot_stream_starves_nobody() {
    let house = house().await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("hot", "subscription{hot(bytes:100){n blob}}").await;
    client.hear().await;
    client.subscribe("other", "subscription{count(to:50){n}}").await;
    let (mut hot_before, mut most) = (0, 0);
    loop {
        let got = client.hear().await;
        match (got["id"].as_str().unwrap(), got["type"].as_str().unwrap()) {
            ("hot", _) => hot_before += 1,
            (_, "complete") => break,
            (_, _) => {
                // What was in flight when the second began does not count.
                let first = got["payload"]["data"]["count"]["n"] == 1;
                most = if first { 0 } else { most.max(hot_before) };
                hot_before = 0;
            }
        }
    }
    assert!(most <= 2 * 16, "{most} items of the hot stream between two of the other");
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket_with_cookies() {
    let house = house().await;
    let from = |origin: &str, cookie: Option<&str>| {
        let mut request = with(&house, "origin", origin);
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        house.socket(request)
    };
    for foreign in [
        "https://evil.example",
        "null",
        "https://house.example.evil",
        "http://house.example",
        "https://house.example:444",
    ] {
        assert_eq!(from(foreign, Some("s=1")).await.err(), Some(403), "{foreign}");
        assert!(from(foreign, None).await.is_ok(), "a token is brought by whoever has one");
    }
    assert!(from("https://house.example", Some("s=1")).await.is_ok());
    assert!(house.socket(with(&house, "cookie", "s=1")).await.is_ok(), "not a page");
    house.is_empty().await;
}

#[test]
fn origins_are_written_as_browsers_do() {
    for (url, origin) in [
        ("https://House.example:443/", Some("https://house.example")),
        ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
        ("http://[::1]:80", Some("http://[::1]")),
        ("house", None),
    ] {
        assert_eq!(origin_of(url).as_deref(), origin, "{url}");
    }
}
