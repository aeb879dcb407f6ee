//! What is said on a socket, as `graphql-transport-ws` has it.
//!
//! Promises: what is not one of a client's messages, whole and of the right types, is none at all; of
//! `connection_init` nothing but a token is read.
//!
//! Not here: which message may come when (`socket`).

use crate::answer::Answer;
use crate::endpoint::Params;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Ids are the client's; graphql-ws sends UUIDs.
const ID_BYTES_MAX: usize = 128;

/// What a client may say.
#[derive(Debug)]
pub(super) enum Message {
    /// With its token, if it brings one, as the header it stands for.
    Init(HeaderMap),
    /// With its payload, which comes back.
    Ping(Option<Box<RawValue>>),
    Pong,
    Subscribe(String, Params),
    Complete(String),
}

/// None where it is no message of a client.
pub(super) fn parse(text: &str) -> Option<Message> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "type")]
        kind: String,
        id: Option<String>,
        #[serde(borrow)]
        payload: Option<&'a RawValue>,
    }
    let wire: Wire<'_> = serde_json::from_str(text).ok()?;
    let id = wire.id.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    match wire.kind.as_str() {
        "connection_init" => Some(Message::Init(authorization(wire.payload)?)),
        "ping" => {
            object(wire.payload)?;
            Some(Message::Ping(wire.payload.map(ToOwned::to_owned)))
        }
        "pong" => object(wire.payload).map(|_| Message::Pong),
        "subscribe" => {
            let params: Params = serde_json::from_str(wire.payload?.get()).ok()?;
            params.query.as_ref()?;
            Some(Message::Subscribe(id?, params))
        }
        "complete" => id.map(Message::Complete),
        _ => None,
    }
}

/// A payload is an object, or absent.
fn object(payload: Option<&RawValue>) -> Option<serde_json::Map<String, serde_json::Value>> {
    match payload {
        Some(payload) => serde_json::from_str(payload.get()).ok(),
        None => Some(serde_json::Map::new()),
    }
}

/// What stands under `authorization` is held to all that the header is held to; whatever else a client says
/// of itself is nobody's business.
fn authorization(payload: Option<&RawValue>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let said = object(payload)?;
    for value in ["authorization", "Authorization"].iter().filter_map(|key| said.get(*key)).filter(|it| !it.is_null()) {
        let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        // No token reads like this, so it is refused, not overlooked.
        headers.append(AUTHORIZATION, value.unwrap_or_else(|| HeaderValue::from_static("")));
    }
    Some(headers)
}

pub(super) fn ack() -> String {
    r#"{"type":"connection_ack"}"#.to_owned()
}

pub(super) fn pong(payload: Option<&RawValue>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{}}}"#, payload.get()),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

pub(super) fn next(id: &str, answer: &Answer) -> String {
    format!(r#"{{"id":{},"type":"next","payload":{}}}"#, json(id), answer.body())
}

/// Why an operation has not run, or goes no further.
pub(super) fn error(id: &str, answer: &Answer) -> String {
    let errors = serde_json::to_string(&answer.errors()).expect("errors are JSON");
    format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, json(id))
}

pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, json(id))
}

fn json(id: &str) -> String {
    serde_json::to_string(id).expect("text is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_say_is_read() {
        assert!(matches!(parse(r#"{"type":"connection_init"}"#), Some(Message::Init(none)) if none.is_empty()));
        assert!(matches!(parse(r#"{"type":"connection_init","payload":null}"#), Some(Message::Init(_))));
        assert!(matches!(parse(r#"{"type":"ping"}"#), Some(Message::Ping(None))));
        assert!(matches!(parse(r#"{"type":"pong","payload":{"a":[1]}}"#), Some(Message::Pong)));
        assert!(matches!(parse(r#"{"id":"1","type":"complete"}"#), Some(Message::Complete(id)) if id == "1"));
        let subscribe = r#"{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":{"x":1}},"more":1}"#;
        assert!(matches!(parse(subscribe), Some(Message::Subscribe(..))));
    }

    #[test]
    fn everything_else_is_nothing() {
        let long = format!(r#"{{"id":"{}","type":"complete"}}"#, "x".repeat(129));
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":7}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":7}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"ping"} x"#,
            &long,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_a_token_is_read_of_an_init() {
        let said = |payload: &str| match parse(&format!(r#"{{"type":"connection_init","payload":{payload}}}"#)) {
            Some(Message::Init(headers)) => {
                headers.get_all(AUTHORIZATION).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
            }
            _ => vec!["bad".to_owned()],
        };
        assert_eq!(said(r#"{"authorization":"Bearer x"}"#), ["Bearer x"]);
        assert_eq!(said(r#"{"Authorization":"Bearer x"}"#), ["Bearer x"]);
        assert!(said(r#"{"authorization":null,"user":"ann","jwt":{"role":"OPERATOR"},"headers":{}}"#).is_empty());
        assert_eq!(said(r#"{"authorization":"a","Authorization":"b"}"#), ["a", "b"]);
        assert_eq!(said(r#"{"authorization":{"token":"x"}}"#), [""]);
        assert_eq!(said(r#"{"authorization":"a\nb"}"#), [""]);
    }
}
