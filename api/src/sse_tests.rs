use crate::auth::unix_time;
use crate::endpoint::Limits;
use crate::listen;
use crate::testing::{House, Raw, house, house_with, soon, until};
use serde_json::{Value as Json, json};
use std::time::Duration;

const STREAM: &str = "text/event-stream";

async fn post(house: &House, accept: &str, headers: &str, query: &str) -> Raw {
    let mut raw = Raw::connect(house.address).await;
    raw.post(accept, headers, json!({"query": query})).await;
    raw
}

/// The head of a response, in lower case.
async fn head(raw: &mut Raw) -> String {
    raw.up_to("\r\n\r\n").await.to_ascii_lowercase()
}

async fn next(raw: &mut Raw) -> Json {
    raw.up_to("event: next\ndata: ").await;
    serde_json::from_str(&raw.up_to("\n\n").await).unwrap()
}

async fn complete(raw: &mut Raw) {
    raw.up_to("event: complete\ndata:\n\n").await;
}

#[tokio::test]
async fn operations_of_all_kinds_are_streams() {
    let house = house().await;
    let mut raw = post(&house, STREAM, "", "subscription{count(to:2){n}}").await;
    let got = head(&mut raw).await;
    for header in [
        "http/1.1 200 ok",
        "content-type: text/event-stream; charset=utf-8\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "vary: accept, authorization, origin\r\n",
    ] {
        assert!(got.contains(header), "{got}");
    }
    for n in [1, 2] {
        assert_eq!(next(&mut raw).await, json!({"data": {"count": {"n": n}}}));
    }
    complete(&mut raw).await;
    // The connection goes on.
    raw.post(STREAM, &format!("Authorization: Bearer {}\r\n", house.token("ann", 60)), json!({"query": "{viewer}"}))
        .await;
    head(&mut raw).await;
    assert_eq!(next(&mut raw).await, json!({"data": {"viewer": "Operator ann"}}));
    complete(&mut raw).await;
    raw.post(STREAM, "", json!({"query": "mutation{write}"})).await;
    assert_eq!(next(&mut raw).await, json!({"data": {"write": 7}}));
    complete(&mut raw).await;

    for query in ["query=%7Bviewer%7D", "query=subscription%7Bcount(to:1)%7Bn%7D%7D"] {
        raw.write(&format!("GET /graphql?{query} HTTP/1.1\r\nHost: house\r\nAccept: {STREAM}\r\n\r\n")).await;
        assert!(next(&mut raw).await["data"].is_object());
        complete(&mut raw).await;
    }
    house.is_empty().await;
}

#[tokio::test]
async fn errors_are_told_in_the_stream_or_by_the_status() {
    let house = house().await;
    for (query, code) in [
        ("{", "PARSE_FAILED"),
        ("subscription{nothing}", "VALIDATION_FAILED"),
        ("subscription{a:count(to:1){n} b:count(to:1){n}}", "VALIDATION_FAILED"),
        (&format!("{{{}", "{a".repeat(100)), "COST_EXCEEDED"),
    ] {
        let mut raw = post(&house, STREAM, "", query).await;
        assert!(head(&mut raw).await.starts_with("http/1.1 200"));
        let got = next(&mut raw).await;
        assert_eq!((&got["errors"][0]["extensions"]["code"], got.get("data")), (&json!(code), None));
        complete(&mut raw).await;
    }
    let json_head = "content-type: application/json; charset=utf-8";
    for (headers, body, status) in [
        ("Authorization: Bearer x\r\n", json!({"query": "{viewer}"}), 401),
        ("Content-Encoding: gzip\r\n", json!({"query": "{viewer}"}), 415),
        ("", json!([]), 400),
        ("", json!({}), 400),
        ("", json!({"query": "x".repeat(1_024 * 1_024)}), 413),
    ] {
        let mut raw = Raw::connect(house.address).await;
        raw.post(STREAM, headers, body).await;
        let got = head(&mut raw).await;
        assert!(got.starts_with(&format!("http/1.1 {status}")) && got.contains(json_head), "{got}");
    }
    let mut raw = Raw::connect(house.address).await;
    raw.write(&format!("GET /graphql?query=mutation%7Bwrite%7D HTTP/1.1\r\nHost: h\r\nAccept: {STREAM}\r\n\r\n")).await;
    let got = head(&mut raw).await;
    assert!(got.starts_with("http/1.1 405") && got.contains("allow: post"), "{got}");
    house.is_empty().await;
}

#[tokio::test]
async fn the_preferred_type_decides() {
    let house = house().await;
    for (accept, query, is) in [
        ("text/event-stream, multipart/mixed", "subscription{count(to:1){n}}", "200 ok text/event-stream"),
        ("application/json;q=0.5, Text/Event-Stream", "{viewer}", "200 ok text/event-stream"),
        (
            "application/graphql-response+json, application/json, text/event-stream",
            "{viewer}",
            "200 ok application/graphql",
        ),
        ("text/event-stream;q=0.5, */*", "{viewer}", "200 ok application/json"),
        ("text/event-stream;q=0, */*", "subscription{count(to:1){n}}", "400 bad request application/json"),
        ("application/json", "subscription{count(to:1){n}}", "400 bad request application/json"),
        ("multipart/mixed", "subscription{count(to:1){n}}", "406 not acceptable application/json"),
    ] {
        let mut raw = post(&house, accept, "", query).await;
        let got = head(&mut raw).await;
        let (status, rest) = got.split_once("\r\n").unwrap();
        let media = rest.split("content-type: ").nth(1).unwrap();
        let told = format!("{} {media}", status.trim_start_matches("http/1.1 "));
        assert!(told.starts_with(is), "{accept}: {told}");
        if !is.starts_with("200") {
            assert!(raw.up_to("}]}").await.contains("BAD_REQUEST"));
        }
    }
}

#[tokio::test]
async fn a_quiet_stream_gives_signs_of_life() {
    let limits = Limits { ping: Duration::from_millis(20), ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    let mut raw = post(&house, STREAM, "", "subscription{feed}").await;
    for _ in 0..5 {
        raw.up_to(":\n\n").await;
    }
    house.news.send(4).unwrap();
    assert_eq!(next(&mut raw).await["data"]["feed"], 4);
    drop(raw);
    house.is_empty().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let house = house().await;
    let token = house.token("ann", 3);
    let end = house.end_of(&token);
    let token = format!("Authorization: Bearer {token}\r\n");
    let mut quiet = post(&house, STREAM, &token, "subscription{feed}").await;
    let got = next(&mut quiet).await;
    assert_eq!(got["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    complete(&mut quiet).await;
    house.is_empty().await;
    // At its end, within the second that is promised.
    let at = unix_time();
    assert!(at >= end && at <= end + Duration::from_secs(1), "{:?} after its end", at.checked_sub(end));
}

#[tokio::test]
async fn streams_of_a_caller_are_bounded() {
    let limits = Limits { caller_streams: 2, ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    let token = format!("Authorization: Bearer {}\r\n", house.token("ann", 60));
    let mut one = post(&house, STREAM, &token, "subscription{feed}").await;
    let mut two = post(&house, STREAM, &token, "subscription{feed}").await;
    head(&mut one).await;
    head(&mut two).await;
    let mut three = post(&house, STREAM, &token, "{viewer}").await;
    let got = head(&mut three).await;
    assert!(got.starts_with("http/1.1 429") && got.contains("retry-after: 1"), "{got}");
    drop(one);
    until(|| house.connected.seats.taken() == 1).await;
    let mut four = post(&house, STREAM, &token, "{viewer}").await;
    next(&mut four).await;
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_off_and_hurts_nobody() {
    let limits = Limits { send: Duration::from_millis(200), ..Limits::default() };
    let house = house_with(limits, listen::Limits::default()).await;
    let mut reader = post(&house, STREAM, "", "subscription{feed}").await;
    head(&mut reader).await;
    until(|| house.running.now() == 1).await;
    let mut stuck = post(&house, STREAM, "Connection: close\r\n", "subscription{hot(bytes:10000){blob}}").await;
    next(&mut stuck).await;
    until(|| house.running.now() == 1).await;
    house.news.send(1).unwrap();
    assert_eq!(next(&mut reader).await["data"]["feed"], 1);
    assert!(!stuck.rest().await.contains("event: complete"), "so that a client that wakes up comes back");
    drop(reader);
    house.is_empty().await;
}

#[tokio::test]
async fn a_resolver_that_panics_ends_its_stream_alone() {
    let house = house().await;
    let mut other = post(&house, STREAM, "", "subscription{feed}").await;
    head(&mut other).await;
    until(|| house.running.now() == 1).await;
    let mut raw = post(&house, STREAM, "", "subscription{count(to:9){panics}}").await;
    assert_eq!(next(&mut raw).await["errors"][0]["extensions"]["code"], "INTERNAL");
    complete(&mut raw).await;
    house.news.send(1).unwrap();
    assert_eq!(next(&mut other).await["data"]["feed"], 1);
}

#[tokio::test]
async fn streams_end_when_the_house_does() {
    let house = house().await;
    let mut quiet = post(&house, STREAM, "", "subscription{feed}").await;
    head(&mut quiet).await;
    let mut hot = post(&house, STREAM, "", "subscription{hot(bytes:10){n}}").await;
    head(&mut hot).await;
    until(|| house.running.now() == 2).await;
    house.plug.pull();
    for raw in [quiet, hot] {
        let rest = raw.rest().await;
        assert!(rest.ends_with("0\r\n\r\n") && !rest.contains("event: complete"), "the feed is not at its end");
    }
    soon(house.served).await.unwrap();
}

#[tokio::test]
async fn of_dead_streams_nothing_is_left() {
    let house = house().await;
    for round in 0..5 {
        let mut open = Vec::new();
        for each in 0..40 {
            let query = if each % 2 == 0 { "subscription{feed}" } else { "subscription{hot(bytes:20000){n blob}}" };
            open.push(post(&house, STREAM, "", query).await);
        }
        if round == 0 {
            until(|| house.connected.streams.now() == 40 && house.running.now() == 40).await;
        }
        for (each, raw) in open.into_iter().enumerate() {
            if each % 3 == 0 {
                raw.stream.set_zero_linger().unwrap();
            }
        }
    }
    house.is_empty().await;
}
