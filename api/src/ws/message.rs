//! What is said on a socket, as `graphql-transport-ws` has it.
//!
//! Promises: what is not one of a client's messages, whole and of the right types, is none at all; of
//! `connection_init` nothing but a token is read. What a payload holds is looked at by nobody before it is paid: until
//! then a message costs one walk over its text.
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
pub(super) enum Message<'a> {
    /// With a payload for [`authorization`].
    Init(Option<&'a RawValue>),
    /// With its payload, which comes back.
    Ping(Option<&'a RawValue>),
    Pong,
    /// With a payload for [`params`].
    Subscribe(String, &'a RawValue),
    Complete(String),
}

/// None where it is no message of a client.
pub(super) fn parse(text: &str) -> Option<Message<'_>> {
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
        "connection_init" => Some(Message::Init(object(wire.payload)?)),
        "ping" => Some(Message::Ping(object(wire.payload)?)),
        "pong" => object(wire.payload).map(|_| Message::Pong),
        "subscribe" => Some(Message::Subscribe(id?, wire.payload?)),
        "complete" => id.map(Message::Complete),
        _ => None,
    }
}

/// A payload is an object, or absent. It is JSON by now, so its first letter tells.
fn object(payload: Option<&RawValue>) -> Option<Option<&RawValue>> {
    payload.is_none_or(|payload| payload.get().starts_with('{')).then_some(payload)
}

/// What is to be executed; `None` where it is no such thing.
pub(super) fn params(payload: &RawValue) -> Option<Params> {
    let params: Params = serde_json::from_str(payload.get()).ok()?;
    params.query.is_some().then_some(params)
}

/// The token of a `connection_init`, if it brings one, as the header that it stands for. What stands under
/// `authorization` is held to all that the header is held to; whatever else a client says of itself is nobody's
/// business. `None`: it cannot be read.
pub(super) fn authorization(payload: Option<&RawValue>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some(payload) = payload else { return Some(headers) };
    let said: serde_json::Map<String, serde_json::Value> = serde_json::from_str(payload.get()).ok()?;
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
        assert!(matches!(parse(r#"{"type":"connection_init"}"#), Some(Message::Init(None))));
        assert!(matches!(parse(r#"{"type":"connection_init","payload":null}"#), Some(Message::Init(_))));
        assert!(matches!(parse(r#"{"type":"ping"}"#), Some(Message::Ping(None))));
        assert!(matches!(parse(r#"{"type":"pong","payload":{"a":[1]}}"#), Some(Message::Pong)));
        assert!(matches!(parse(r#"{"id":"1","type":"complete"}"#), Some(Message::Complete(id)) if id == "1"));
        let subscribe = r#"{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":{"x":1}},"more":1}"#;
        assert!(
            matches!(parse(subscribe), Some(Message::Subscribe(id, payload)) if id == "1" && params(payload).is_some())
        );
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
            r#"{"type":"complete"}"#,
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"ping"} x"#,
            &long,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        for payload in ["{}", "7", r#"{"query":7}"#, r#"{"query":"{a}","variables":[]}"#] {
            let text = format!(r#"{{"type":"subscribe","id":"1","payload":{payload}}}"#);
            assert!(
                matches!(parse(&text), Some(Message::Subscribe(_, payload)) if params(payload).is_none()),
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_token_is_read_of_an_init() {
        let said = |payload: &str| match parse(&format!(r#"{{"type":"connection_init","payload":{payload}}}"#)) {
            Some(Message::Init(payload)) => {
                let headers = authorization(payload).unwrap();
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
