//! The hash chain: every event's hash covers its envelope, its data and the hash before it, so equal
//! hashes at one position mean equal logs up to there. Pure functions; who holds which event, and
//! what to do about a broken chain, is the caller's.
//!
//! ```text
//! data hash  = SHA-256(salt ‖ data)
//! event hash = SHA-256(previous hash ‖ envelope ‖ data hash)
//! ```
//! Both inputs are unambiguous without lengths: one part of each has a variable length. Data is hashed
//! by itself, so that a chain can be verified, and shown, by somebody who may not see the data.

use crate::raw::{Hash, Head, RawEvent};
use domain::log::Seq;
use sha2::{Digest, Sha256};

pub fn data_hash(salt: &[u8; 16], data: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(data).finalize().into()
}

pub fn event_hash(previous: &Hash, envelope: &[u8], data_hash: &Hash) -> Hash {
    Sha256::new().chain_update(previous).chain_update(envelope).chain_update(data_hash).finalize().into()
}

/// The id of the event with this hash: a UUIDv8 (RFC 9562 §5.8) of the first 128 bits, six of which
/// give way to version and variant. Equal ids mean equal events on equal history.
pub fn event_id(hash: &Hash) -> u128 {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let (first, _) = hash.split_first_chunk::<16>().expect("a hash has 32 bytes");
    u128::from_be_bytes(*first) & !VERSION & !VARIANT | 8 << 76 | 0b10 << 62
}

/// Makes the event that stands at `seq`, after the event with hash `previous`.
pub fn seal(previous: &Hash, envelope: Box<[u8]>, data: Box<[u8]>, salt: [u8; 16], seq: Seq) -> RawEvent {
    let hash = event_hash(previous, &envelope, &data_hash(&salt, &data));
    RawEvent { seq, envelope, data, salt, hash }
}

/// The first place where a log is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("event {expected} should follow, but event {found} does")]
    Gap { expected: Seq, found: Seq },
    #[error("event {seq} does not hash to what its place in the chain demands")]
    Broken { seq: Seq },
}

/// Walks a log in order and checks every position and every link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier {
    head: Option<Head>,
}

impl Verifier {
    /// Starts before the first event.
    pub fn new() -> Verifier {
        Verifier::default()
    }
    /// Starts after an event that is trusted, for example a snapshot's.
    pub fn after(head: Option<Head>) -> Verifier {
        Verifier { head }
    }
    /// The last event that was checked.
    pub fn head(&self) -> Option<Head> {
        self.head
    }
    /// Checks the next event. After an error the verifier stands where it stood.
    pub fn check(&mut self, event: &RawEvent) -> Result<(), ChainError> {
        let expected = Head::next(self.head);
        if event.seq != expected {
            return Err(ChainError::Gap { expected, found: event.seq });
        }
        let data_hash = data_hash(&event.salt, &event.data);
        if event_hash(&Head::link(self.head), &event.envelope, &data_hash) != event.hash {
            return Err(ChainError::Broken { seq: event.seq });
        }
        self.head = Some(event.head());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{GENESIS, Hex};
    use proptest::prelude::*;

    fn log(texts: &[Vec<u8>]) -> Vec<RawEvent> {
        let mut head = None;
        let seal_next = |text: &Vec<u8>| {
            let event =
                seal(&Head::link(head), b"{}".as_slice().into(), text.clone().into(), [7; 16], Head::next(head));
            head = Some(event.head());
            event
        };
        texts.iter().map(seal_next).collect()
    }

    fn check(events: &[RawEvent]) -> Result<(), ChainError> {
        let mut verifier = Verifier::new();
        events.iter().try_for_each(|event| verifier.check(event))
    }

    /// The formula is stored for ever: this value must never change.
    #[test]
    fn the_formula_is_pinned() {
        let event = seal(&GENESIS, b"{\"a\":1}".as_slice().into(), b"{\"b\":2}".as_slice().into(), [1; 16], 0);
        assert_eq!(Hex(&event.hash).to_string(), "58450c06d62683d67728ac69b88539ba3d1c1156243256ea70922d6da977e1a3");
    }

    #[test]
    fn an_id_is_a_uuid_v8() {
        for hash in [[0x00; 32], [0xff; 32]] {
            let id = event_id(&hash);
            assert_eq!((id >> 76) & 0xf, 8);
            assert_eq!((id >> 62) & 0b11, 0b10);
        }
        assert_eq!(event_id(&[0xff; 32]), 0xffffffff_ffff_8fff_bfff_ffffffffffff);
    }

    #[test]
    fn a_gap_is_named() {
        let mut events = log(&[vec![1], vec![2], vec![3]]);
        events.remove(1);
        assert_eq!(check(&events), Err(ChainError::Gap { expected: 1, found: 2 }));
    }

    #[test]
    fn a_verifier_goes_on_after_a_trusted_head() {
        let events = log(&[vec![1], vec![2]]);
        let mut verifier = Verifier::after(Some(events[0].head()));
        assert_eq!(verifier.check(&events[1]), Ok(()));
        assert_eq!(verifier.head(), Some(events[1].head()));
        let mut stranger = Verifier::after(Some(Head { seq: 0, hash: [9; 32] }));
        assert_eq!(stranger.check(&events[1]), Err(ChainError::Broken { seq: 1 }));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_found_where_it_stands(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..8),
            at in any::<prop::sample::Index>(),
            field in 0..4,
        ) {
            let mut events = log(&texts);
            prop_assert_eq!(check(&events), Ok(()));
            let at = at.index(events.len());
            match field {
                0 => events[at].envelope[0] ^= 1,
                1 => events[at].data[0] ^= 1,
                2 => events[at].salt[0] ^= 1,
                _ => events[at].hash[0] ^= 1,
            }
            prop_assert_eq!(check(&events), Err(ChainError::Broken { seq: at as Seq }));
        }
    }
}
