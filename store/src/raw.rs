//! An event as the log keeps it: two opaque texts, a salt and a hash. This is all a backend knows.
//! What the texts mean stands in `stored`; how the hash is made stands in `chain`.

use domain::log::Seq;
use std::fmt;

/// SHA-256.
pub type Hash = [u8; 32];

/// The hash before the first event of every log.
pub const GENESIS: Hash = [0; 32];

/// The last event of a log: where it stands and what it, and with it everything before it, was.
/// Two logs with equal heads hold equal events. An empty log has no head: `Option<Head>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    pub seq: Seq,
    pub hash: Hash,
}

impl Head {
    /// The position that follows `head`.
    pub fn next(head: Option<Head>) -> Seq {
        head.map_or(0, |head| head.seq + 1)
    }
    /// What the event after `head` is chained to.
    pub fn link(head: Option<Head>) -> Hash {
        head.map_or(GENESIS, |head| head.hash)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, Hex(&self.hash))
    }
}

/// One event. Both texts are stored and given back byte for byte.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawEvent {
    /// 0-based and gapless in its log.
    pub seq: Seq,
    /// The canonical envelope, JSON text.
    pub envelope: Box<[u8]>,
    /// What happened, JSON text.
    pub data: Box<[u8]>,
    /// Hashed before `data`, so that nobody finds hidden data by guessing it.
    pub salt: [u8; 16],
    /// Covers this event and the hash of the one before: `chain::event_hash`.
    pub hash: Hash,
}

impl RawEvent {
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
    /// What counts against `Limits`, in bytes: both texts, salt, hash and position.
    pub fn size(&self) -> usize {
        self.envelope.len() + self.data.len() + 16 + 32 + 8
    }
}

/// Says which event it is and not what it says: debug text ends up in logs and traces.
impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawEvent({:?}, {} + {} bytes)", self.head(), self.envelope.len(), self.data.len())
    }
}

/// Shows bytes as lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl Hex<'_> {
    /// What 64 hexadecimal digits say; `None` where they are none.
    pub fn read(text: &str) -> Option<Hash> {
        let mut hash = Hash::default();
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
            if !pair.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(hash)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
