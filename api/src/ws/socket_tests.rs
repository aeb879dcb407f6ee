use crate::endpoint::Limits;
use crate::listen;
use crate::testing::{House, house, house_limited, house_with, house_within, soon, until};
use futures_util::stream::StreamExt;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn limited(limits: Limits) -> House {
    house_with(limits, listen::Limits::default()).await
}

#[tokio::test]
async fn a_caller_and_an_address_have_so_many_sockets() {
    let house = limited(Limits { caller_streams: 2, address_streams: 3, ..Limits::default() }).await;
    let named = |name: &str| {
        let mut request = house.upgrade();
        let bearer = format!("Bearer {}", house.token(name, 60));
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
        house.socket(request)
    };
    let _by_header = named("ann").await.unwrap();
    let by_message = house.admitted(house.bearer("ann")).await;
    assert_eq!(named("ann").await.err(), Some(429));
    let mut third = house.socket(house.upgrade()).await.unwrap();
    third.say(json!({"type": "connection_init", "payload": house.bearer("ann")})).await;
    assert_eq!(third.closed().await, 4414);
    assert!(named("bob").await.is_ok(), "each for itself");

    // Who has a name takes none of the address's seats.
    until(|| house.connected.seats.taken() == 2).await;
    let _anonymous = [
        house.admitted(Json::Null).await,
        house.admitted(Json::Null).await,
        house.socket(house.upgrade()).await.unwrap(),
    ];
    assert_eq!(house.socket(house.upgrade()).await.err(), Some(429));
    drop(by_message);
    until(|| house.connected.seats.taken() == 4).await;
    assert!(named("ann").await.is_ok());
}

#[tokio::test]
async fn every_message_is_paid_by_its_length_and_who_cannot_waits() {
    let house = house_limited("4000").await;
    let mut chatty = house.admitted(house.bearer("ann")).await;
    let mut other = house.admitted(house.bearer("bob")).await;
    let began = Instant::now();
    // A bucket holds 20,000, and each of these costs 4 for each of its 63 KiB.
    let long = json!({"type": "pong", "payload": {"x": "x".repeat(63 * 1_024)}});
    for _ in 0..85 {
        chatty.say(long.clone()).await;
    }
    chatty.say(json!({"type": "ping"})).await;
    assert_eq!(chatty.hear().await, json!({"type": "pong"}));
    assert!(began.elapsed() >= millis(300), "{:?}", began.elapsed());
    other.say(json!({"type": "ping", "payload": {"a": 1}})).await;
    assert_eq!(other.hear().await, json!({"type": "pong", "payload": {"a": 1}}));
    // What can be refused is, at once.
    for _ in 0..3 {
        chatty.say(long.clone()).await;
    }
    chatty.subscribe("1", &format!("{{ hello }} # {}", "x".repeat(60 * 1_024))).await;
    let refused = chatty.hear().await;
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED"))
    );
}

#[tokio::test]
async fn a_quiet_socket_is_pinged_and_a_dead_one_closed() {
    let farewell = Duration::from_secs(30);
    let silence = Duration::from_secs(2);
    let house = limited(Limits { ping: millis(20), silence, farewell, ..Limits::default() }).await;
    let mut alive = house.admitted(Json::Null).await;
    let mut dead = house.admitted(Json::Null).await;
    dead.subscribe("1", "subscription{feed}").await;
    until(|| house.running.now() == 1).await;
    // Reading answers pings. Who does not is dead when its operation has ended.
    while house.running.now() == 1 {
        let frame = soon(alive.wire.next()).await.unwrap().unwrap();
        assert!(matches!(frame, Message::Ping(_)), "{frame:?}");
    }
    assert_eq!(dead.closed().await, 1001);
    until(|| house.connected.sockets.now() == 1).await;
    drop(alive);
    house.is_empty().await;
}

#[tokio::test]
async fn a_resolver_that_panics_ends_its_stream_alone() {
    let house = house().await;
    let mut other = house.admitted(Json::Null).await;
    other.subscribe("feed", "subscription{feed}").await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("feed", "subscription{feed}").await;
    for query in ["subscription{count(to:9){n panics}}", "subscription{unreachable}"] {
        client.subscribe("1", query).await;
        let got = client.hear().await;
        assert_eq!((&got["id"], &got["payload"]["errors"][0]["extensions"]["code"]), (&json!("1"), &json!("INTERNAL")));
        assert!(!got.to_string().contains("as a test wants it"));
        assert_eq!(client.hear().await, json!({"id": "1", "type": "complete"}));
    }
    until(|| house.running.now() == 2).await;
    house.news.send(3).unwrap();
    for client in [&mut client, &mut other] {
        assert_eq!(client.hear().await["payload"]["data"]["feed"], 3);
    }
}

#[tokio::test]
async fn an_item_has_a_deadline_and_the_next_one_its_own() {
    let house = house_within(millis(300), Limits::default(), listen::Limits::default()).await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("1", "subscription{count(to:2){n never}}").await;
    for _ in 0..2 {
        let got = client.hear().await;
        assert_eq!(got["payload"]["errors"][0]["extensions"]["code"], "TIMEOUT", "{got}");
    }
    assert_eq!(client.hear().await["type"], "complete");
    client.subscribe("2", "{never}").await;
    assert_eq!(client.hear().await["payload"]["errors"][0]["extensions"]["code"], "TIMEOUT");
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_off_and_hurts_nobody() {
    let house = limited(Limits { send: millis(200), ..Limits::default() }).await;
    let mut reader = house.admitted(Json::Null).await;
    reader.subscribe("1", "subscription{feed}").await;
    let mut stuck = house.admitted(Json::Null).await;
    stuck.subscribe("1", "subscription{hot(bytes:10000){blob}}").await;
    until(|| house.connected.sockets.now() == 1).await;
    house.news.send(1).unwrap();
    assert_eq!(reader.hear().await["payload"]["data"]["feed"], 1);
    drop(reader);
    house.is_empty().await;
}

#[tokio::test]
async fn a_reader_that_comes_back_hears_why() {
    let house = limited(Limits { send: millis(100), farewell: Duration::from_secs(30), ..Limits::default() }).await;
    let mut stuck = house.admitted(Json::Null).await;
    stuck.subscribe("1", "subscription{hot(bytes:10000){blob}}").await;
    stuck.hear().await;
    // The operation ends at once, its socket when the reason is told.
    until(|| house.running.now() == 0).await;
    assert_eq!(stuck.closed().await, 4413);
    house.is_empty().await;
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_a_socket_is_refused() {
    let house = limited(Limits { message_bytes: 1_000, ..Limits::default() }).await;
    let mut client = house.admitted(Json::Null).await;
    client.subscribe("1", "{blob(bytes:900)}").await;
    assert_eq!(client.hear().await["type"], "next");
    assert_eq!(client.hear().await["type"], "complete");
    client.subscribe("2", "subscription{hot(bytes:1000){blob}}").await;
    let got = client.hear().await;
    assert_eq!((&got["type"], &got["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("COST_EXCEEDED")));
    until(|| house.running.now() == 0).await;
    client.subscribe("2", "{viewer}").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn the_longest_answer_fits_through() {
    let house = house().await;
    let mut client = house.admitted(Json::Null).await;
    let bytes = Limits::default().message_bytes - 100;
    for id in ["1", "2", "3"] {
        client.subscribe(id, &format!("{{blob(bytes:{bytes})}}")).await;
    }
    let mut lengths = Vec::new();
    while lengths.len() < 3 {
        let got = client.hear().await;
        if got["type"] == "next" {
            lengths.push(got["payload"]["data"]["blob"].as_str().unwrap().len());
        }
    }
    assert_eq!(lengths, [bytes; 3]);
}

#[tokio::test]
async fn sockets_are_told_to_come_back_when_the_house_ends() {
    let house = house().await;
    let mut fed = house.admitted(Json::Null).await;
    fed.subscribe("1", "subscription{feed}").await;
    let quiet = house.socket(house.upgrade()).await.unwrap();
    let mut hot = house.admitted(Json::Null).await;
    hot.subscribe("1", "subscription{hot(bytes:10){n}}").await;
    until(|| house.running.now() == 2).await;
    house.plug.pull();
    for client in [fed, quiet, hot] {
        assert_eq!(client.closed().await, 1012);
    }
    soon(house.served).await.unwrap();
    assert_eq!(house.connected.sockets.now() + house.running.now(), 0);
}

/// In each state that a socket can die in, by each way of dying.
#[tokio::test]
async fn of_two_thousand_dead_sockets_nothing_is_left() {
    let patient = Duration::from_secs(60);
    let house = limited(Limits { init: patient, send: patient, ..Limits::default() }).await;
    for round in 0..20 {
        let sockets = futures_util::future::join_all((0..100).map(async |each| {
            if each % 5 == 0 {
                return house.socket(house.upgrade()).await.unwrap();
            }
            let mut client = house.admitted(house.bearer(&format!("caller{each}"))).await;
            match each % 5 {
                1 => {}
                2 => client.subscribe("1", "subscription{feed}").await,
                3 => client.subscribe("1", "subscription{hot(bytes:20000){n blob}}").await,
                _ => client.subscribe("1", "{never}").await,
            }
            client
        }))
        .await;
        if round == 0 {
            until(|| house.connected.operations.now() == 60 && house.running.now() == 40).await;
            assert_eq!((house.connected.sockets.now(), house.connected.seats.taken()), (100, 100));
        }
        for (each, mut client) in sockets.into_iter().enumerate() {
            match each % 3 {
                // With a close frame, as a shut connection, and by reset.
                0 => drop(client.wire.close(None).await),
                1 => drop(client),
                _ => client.wire.get_ref().set_zero_linger().unwrap(),
            }
        }
    }
    house.is_empty().await;
}
