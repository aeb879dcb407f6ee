//! What `fuzz/` reaches besides the crate's public face. Built for it alone.
//!
//! Not here: properties of what is public anyway; those stand in `fuzz/fuzz_targets`.

/// A second copy of the file, so that the first stays the socket's own.
#[path = "ws/message.rs"]
#[allow(dead_code)]
mod message;

use message::Message;
use serde_json::{Value, json};

/// Whether these two files, read as recorded history, keep what `replay` promises of any two; panics where not.
pub fn check_recorded(auctions: &[u8], bids: &[u8]) {
    crate::cli::check_recorded(auctions, bids);
}

/// A customer proof of a provider with a key that nobody signs with: nothing proves anything.
pub fn check_proof(text: &str) {
    use domain::event::community::{Curve, CustomerKey};
    use hmac::KeyInit;
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(); // RFC 8037, appendix A.
    let keys = [CustomerKey { curve: Curve::Ed25519, kid: "k".to_owned(), thumbprint: String::new(), x, y: None }];
    let secret = hmac::Hmac::new_from_slice(&[0; 32]).expect("any length is a key");
    let read = crate::proof::read(text, domain::ids::ProviderId(1), &keys, &secret, domain::time::Timestamp(0));
    assert!(read.is_err(), "a stranger proves something");
    if let Ok(jwk) = serde_json::from_str::<Value>(text)
        && let Ok(key) = crate::proof::key_of(&jwk)
    {
        assert_eq!(crate::proof::key_of(&crate::proof::jwk_of(&key)), Ok(key), "a key that is shown is the same key");
    }
}

/// Whether a client may say this on a socket; panics where what was read is not what was said.
pub fn check_message(text: &str) -> bool {
    let Some(message) = message::parse(text) else {
        return false;
    };
    // What nobody reads is skipped, not read: there may be half a surrogate pair in it, which no text of ours can hold.
    let Ok(said) = serde_json::from_str::<Value>(text) else {
        return true;
    };
    match message {
        // Tokens come back as headers, none of which may hold a line's end.
        Message::Init(payload) => {
            assert_eq!(said["type"], "connection_init");
            let Some(headers) = message::authorization(payload) else { return false };
            assert!(headers.len() <= 2 && headers.values().all(|value| !value.as_bytes().contains(&b'\n')));
        }
        Message::Ping(payload) => {
            let pong: Value = serde_json::from_str(&message::pong(payload)).expect("a pong is JSON");
            assert_eq!(
                (&pong["type"], pong.get("payload")),
                (&json!("pong"), payload.as_ref().map(|_| &said["payload"]))
            );
        }
        Message::Pong => assert_eq!(said["type"], "pong"),
        Message::Subscribe(id, payload) => {
            let Some(params) = message::params(payload) else { return false };
            assert_eq!((&said["id"], &said["payload"]["query"]), (&json!(id), &json!(params.query)));
            let complete: Value = serde_json::from_str(&message::complete(&id)).expect("a message is JSON");
            assert_eq!(complete, json!({"id": id, "type": "complete"}));
        }
        Message::Complete(id) => assert!(said["id"] == id && (1..=128).contains(&id.len())),
    }
    true
}
