//! What a writer is given and what it answers: a command with everything that the envelope of its events
//! needs, and what became of it.

use crate::recorded::{CommandId, Recorded};
use domain::actor::Actor;
use domain::command::Command;
use domain::event::community::SourcePosition;
use domain::ids::EventId;
use domain::log::Seq;
use domain::refusal::Refusal;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

/// A command with everything that the envelope of its events needs.
#[derive(Clone, Debug)]
pub struct Order {
    pub command: Command,
    pub actor: Actor,
    pub id: CommandId,
    pub key: Option<Key>,
    pub causation: Option<EventId>,
    pub source: Option<SourcePosition>,
    pub trace: Option<Box<str>>,
    /// Ids and salts come from these 32 random bytes.
    pub entropy: Entropy,
}

/// 32 random bytes; `Debug` does not show them, salts come from them.
#[derive(Clone, Copy)]
pub struct Entropy(pub [u8; 32]);

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(…)")
    }
}

impl Entropy {
    /// From the operating system.
    pub fn draw() -> Entropy {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Entropy(bytes)
    }
    /// Names the command.
    pub fn command_id(&self) -> CommandId {
        self.source().command_id()
    }
    pub(super) fn source(&self) -> Source {
        Source(Hmac::new_from_slice(&self.0).expect("any length is a key"))
    }
}

/// What is derived from the randomness of one command; begun once for all of it.
pub(super) struct Source(Hmac<Sha256>);

impl Source {
    fn derive(&self, label: &[u8], index: u32) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(label);
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
    pub(super) fn salt(&self, index: u32) -> [u8; 16] {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.derive(b"salt", index)[..16]);
        salt
    }
    pub(super) fn word(&self, label: &[u8]) -> u64 {
        u64::from_be_bytes(self.derive(label, 0)[..8].try_into().expect("eight of thirty-two bytes"))
    }
    pub(super) fn command_id(&self) -> CommandId {
        let bytes = self.derive(b"command", 0);
        CommandId(u128::from_be_bytes(bytes[..16].try_into().expect("sixteen of thirty-two bytes")))
    }
}

/// An idempotency key: a hash of (actor, mutation, key) and a keyed fingerprint of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub hash: u128,
    pub fingerprint: u64,
}

#[derive(Clone, Debug)]
pub enum Answer {
    /// The command's events, which the log holds now; none where it asked for what was already so.
    Done(Vec<Arc<Recorded>>),
    /// The same key and input were seen before: its events stand at `first` and after.
    Replayed {
        first: Seq,
        events: u32,
    },
    Refused(Refusal),
    /// Nothing is known to have happened, or nothing has. Ask again with the same key.
    Unavailable(&'static str),
}
