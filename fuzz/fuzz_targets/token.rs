//! Bearer tokens: garbage, and tokens of the house with something changed.
//!
//! Promises checked: no header but the house's own, whole, names anybody; whoever holds a valid token is who it was
//! made for, however the header is written; no change of a valid token's text is taken; no stranger's text is a customer
//! proof.
//!
//! The input is an `Authorization` header; and an edit: its first bytes say where a valid token is changed, and how.

#![no_main]

use api::auth::{Authenticate, SigningKey};
use domain::actor::{Actor, Role};
use domain::time::Span;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Thrown away with the process, so that no seed can hold a token that is good.
static HOUSE: LazyLock<(SigningKey, String, Actor)> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&[11; 32]).expect("any 32 bytes are a key");
    let actor = Actor::new(Role::Operator, Some("fuzz")).expect("a plain name");
    let token = key.mint(&actor, Span::days(1)).expect("a token is made");
    (key, token, actor)
});

fuzz_target!(|data: &[u8]| {
    std::str::from_utf8(data).map(api::fuzzing::check_proof).unwrap_or_default();
    let (key, token, actor) = &*HOUSE;
    let named = |header: &[u8]| {
        let mut headers = axum::http::HeaderMap::new();
        let value = axum::http::HeaderValue::from_bytes(header).ok()?;
        headers.insert(axum::http::header::AUTHORIZATION, value);
        Some(key.authenticate(&headers))
    };
    if let Some(Ok(viewer)) = named(data) {
        panic!("a stranger's header names {:?}", viewer.actor);
    }
    let [low, high, how, with @ ..] = data else {
        return;
    };
    let at = usize::from(u16::from_le_bytes([*low, *high])) % (token.len() + 1);
    let mut changed = token.clone().into_bytes();
    let end = (at + usize::from(how >> 2)).min(changed.len());
    match how % 4 {
        0 => drop(changed.splice(at..at, with.iter().copied())),
        1 => drop(changed.splice(at..end, with.iter().copied())),
        2 => changed.truncate(at),
        // Bits of characters: a base64 text that decodes to the same bytes is another text all the same.
        _ => {
            for (byte, mask) in changed[at..].iter_mut().zip(with) {
                *byte ^= mask;
            }
        }
    }
    let header = [b"Bearer ", changed.as_slice()].concat();
    match named(&header) {
        Some(Ok(viewer)) => {
            // The header is trimmed, so blanks around the token are none of it.
            let kept = changed.trim_ascii();
            assert_eq!(kept, token.as_bytes(), "a changed token is taken");
            assert_eq!(viewer.actor, *actor);
        }
        Some(Err(_)) => assert_ne!(changed, token.as_bytes(), "the house's own token is refused"),
        None => {}
    }
});
