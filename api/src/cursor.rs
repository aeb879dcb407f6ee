//! Cursors: opaque, versioned, sealed against change and against use where they were not given.
//!
//! A cursor is the base64url of version byte ‖ payload ‖ the first 16 bytes of
//! HMAC-SHA-256(secret, length of scope ‖ scope ‖ version ‖ payload). The scope is what the cursor is bound
//! to: its connection or feed, the viewer, the filter, in any unambiguous text. The payload is authentic,
//! not secret: put no hidden value in it.
//!
//! Not here: what stands in a payload, and how long a position can be resumed from.

use crate::errors::{ErrorCode, code};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A cursor of another version is refused: the client starts over by a query.
const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
/// Longer text is not decoded at all.
// An audit feed's holds a place in each log: room for some two hundred of them.
pub const CURSOR_CHARACTERS_MAX: usize = 16_384;

/// Altered, cut, of another version, or of another connection, filter or viewer: which one is not said.
/// No `Display`: the library would take that for a message without a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCursor;

impl From<BadCursor> for async_graphql::Error {
    fn from(_: BadCursor) -> async_graphql::Error {
        code(ErrorCode::BadRequest, "the cursor does not belong here")
    }
}

/// `scope` must be given again to [`decode`], byte for byte.
pub fn encode(secret: &[u8; 32], scope: &str, payload: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(1 + payload.len() + TAG_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(payload);
    let tag = seal(secret, scope, &bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag[..TAG_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The payload as it was given to [`encode`]. Compares in constant time.
pub fn decode(secret: &[u8; 32], scope: &str, cursor: &str) -> Result<Vec<u8>, BadCursor> {
    if cursor.len() > CURSOR_CHARACTERS_MAX {
        return Err(BadCursor);
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    let sealed = bytes.len().checked_sub(TAG_BYTES).ok_or(BadCursor)?;
    let tag = bytes.split_off(sealed);
    seal(secret, scope, &bytes).verify_truncated_left(&tag).map_err(|_| BadCursor)?;
    if bytes.first() != Some(&VERSION) {
        return Err(BadCursor);
    }
    bytes.remove(0);
    Ok(bytes)
}

fn seal(secret: &[u8; 32], scope: &str, version_and_payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    // The length keeps a scope's end from being read as a payload's start.
    mac.update(&(scope.len() as u64).to_be_bytes());
    mac.update(scope.as_bytes());
    mac.update(version_and_payload);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: [u8; 32] = [7; 32];

    proptest! {
        #[test]
        fn a_cursor_reads_back_only_where_it_was_given(scope: String, other: String, payload: Vec<u8>, flip in 0usize..4096) {
            let payload = &payload[..payload.len().min(256)];
            let cursor = encode(&SECRET, &scope, payload);
            prop_assert_eq!(decode(&SECRET, &scope, &cursor).unwrap(), payload);
            prop_assert_eq!(decode(&[8; 32], &scope, &cursor), Err(BadCursor));
            if other != scope {
                prop_assert_eq!(decode(&SECRET, &other, &cursor), Err(BadCursor));
            }
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            let bit = flip % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&SECRET, &scope, &URL_SAFE_NO_PAD.encode(&bytes)), Err(BadCursor));
        }

        #[test]
        fn any_text_is_refused(text: String) {
            prop_assert_eq!(decode(&SECRET, "offers", &text), Err(BadCursor));
        }
    }

    #[test]
    fn a_scope_cannot_lend_bytes_to_the_payload() {
        let cursor = encode(&SECRET, "ab", b"c");
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        let tag = &bytes[bytes.len() - TAG_BYTES..];
        let moved = [&[VERSION], b"bc".as_slice(), tag].concat();
        assert_eq!(decode(&SECRET, "a", &URL_SAFE_NO_PAD.encode(moved)), Err(BadCursor));
    }

    #[test]
    fn cut_and_overlong_cursors_are_refused() {
        let cursor = encode(&SECRET, "offers", b"position");
        for end in 0..cursor.len() {
            assert_eq!(decode(&SECRET, "offers", &cursor[..end]), Err(BadCursor));
        }
        assert_eq!(decode(&SECRET, "offers", &"A".repeat(1_000_000)), Err(BadCursor));
    }
}
