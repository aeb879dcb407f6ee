//! Cursors: nobody but the house makes one, and one text is one cursor.
//!
//! Promises checked: text that is taken is byte for byte what sealing its payload gives; a cursor reads back only in
//! the scope it was made for, and with one bit turned nowhere.
//!
//! The input is a cursor as a stranger sends it; its bytes also serve as scope and payload of one that is made, some of
//! them so long that they are refused.

#![no_main]

use api::cursor::{CURSOR_CHARACTERS_MAX, decode, encode};
use libfuzzer_sys::fuzz_target;

/// Known to this file, so that seeds can hold sealed cursors: mutation then starts from those.
const SECRET: [u8; 32] = [7; 32];
const SCOPE: &str = "offers";

fuzz_target!(|text: &str| {
    if let Ok(payload) = decode(&SECRET, SCOPE, text) {
        assert_eq!(encode(&SECRET, SCOPE, &payload), text, "two texts are one cursor");
    }
    let at = text.len() / 2;
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (scope, payload) = text.split_at(at);
    let payload = payload.repeat(1 + text.len() % 8);
    let cursor = encode(&SECRET, scope, payload.as_bytes());
    match decode(&SECRET, scope, &cursor) {
        Ok(read) => {
            assert_eq!(read, payload.as_bytes());
            assert!(cursor.len() <= CURSOR_CHARACTERS_MAX, "a cursor of {} characters reads back", cursor.len());
        }
        Err(_) => {
            assert!(cursor.len() > CURSOR_CHARACTERS_MAX, "a cursor of {} characters does not read back", cursor.len())
        }
    }
    assert!(decode(&SECRET, &format!("{scope}x"), &cursor).is_err());
    let mut turned = cursor.into_bytes();
    let bit = text.len() % turned.len();
    turned[bit] ^= 1;
    if let Ok(turned) = String::from_utf8(turned) {
        assert!(decode(&SECRET, scope, &turned).is_err(), "{turned} was never given");
    }
});
