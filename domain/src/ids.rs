//! Every id type, in one list. An id is a readable prefix and 128 bits in 26 characters of
//! Crockford's base 32, lower case (the TypeID form): `auc_01jd3v8k3qe5x9m2w7t6c4h0bn`. The first
//! 48 bits are Unix milliseconds, so ids sort by time; the rest comes with the command.
//!
//! Not here: where the randomness comes from (the writer's envelope, see [`IdSource`]).

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id's body.
const BODY: usize = 26;

/// An id that cannot be read: wrong prefix, wrong length or a character outside the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid id")
    }
}
impl std::error::Error for BadId {}

/// The digit that a byte is; `NONE` for others.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const NONE: u8 = 0x80;

/// Twelve digits fit a machine word, so 128 bits are a remainder and two words.
const WORD: usize = 12;
const WORD_BITS: usize = 5 * WORD;

fn encode(value: u128, out: &mut [u8]) {
    let digit = |bits: u64| ALPHABET[(bits & 31) as usize];
    let top = (value >> (2 * WORD_BITS)) as u64;
    out[0] = digit(top >> 5);
    out[1] = digit(top);
    for (from, word) in [(2, (value >> WORD_BITS) as u64), (2 + WORD, value as u64)] {
        let mut rest = word;
        for slot in out[from..from + WORD].iter_mut().rev() {
            *slot = digit(rest);
            rest >>= 5;
        }
    }
}

fn decode(body: &[u8]) -> Result<u128, BadId> {
    let body: &[u8; BODY] = body.try_into().map_err(|_| BadId)?;
    let mut seen = 0;
    let mut word = |digits: &[u8]| {
        digits.iter().fold(0_u64, |word, byte| {
            let digit = DIGITS[usize::from(*byte)];
            seen |= digit;
            word << 5 | u64::from(digit & 31)
        })
    };
    let (top, middle, low) = (word(&body[..2]), word(&body[2..2 + WORD]), word(&body[2 + WORD..]));
    // 26 characters hold 130 bits: the first one may only use its lower three.
    if seen & NONE != 0 || top > 0xff {
        return Err(BadId);
    }
    Ok(u128::from(top) << (2 * WORD_BITS) | u128::from(middle) << WORD_BITS | u128::from(low))
}

/// Reads the sixteen bytes of an id.
struct Bytes;

impl serde::de::Visitor<'_> for Bytes {
    type Value = u128;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sixteen bytes of an id")
    }
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<u128, E> {
        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
        Ok(u128::from_be_bytes(bytes))
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub u128);

            impl $name {
                pub const PREFIX: &'static str = $prefix;
            }
            impl $name {
                /// Appends the id's text, which is ASCII and needs no escape anywhere.
                pub fn append_to(&self, out: &mut Vec<u8>) {
                    out.extend_from_slice(concat!($prefix, "_").as_bytes());
                    let start = out.len();
                    out.resize(start + BODY, 0);
                    encode(self.0, &mut out[start..]);
                }
                /// Calls `with` with the id as text.
                fn with_text<R>(&self, with: impl FnOnce(&str) -> R) -> R {
                    const START: usize = concat!($prefix, "_").len();
                    let mut text = [0u8; START + BODY];
                    text[..START].copy_from_slice(concat!($prefix, "_").as_bytes());
                    encode(self.0, &mut text[START..]);
                    with(std::str::from_utf8(&text).expect("prefix and alphabet are ASCII"))
                }
            }
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.with_text(|text| f.write_str(text))
                }
            }
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }
            impl FromStr for $name {
                type Err = BadId;
                fn from_str(text: &str) -> Result<Self, BadId> {
                    let body = text.strip_prefix(concat!($prefix, "_")).ok_or(BadId)?;
                    decode(body.as_bytes()).map($name)
                }
            }
            impl Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    match s.is_human_readable() {
                        true => self.with_text(|text| s.serialize_str(text)),
                        // Of a snapshot, which is mostly ids: a third of the bytes and of the time.
                        false => s.serialize_bytes(&self.0.to_be_bytes()),
                    }
                }
            }
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    match d.is_human_readable() {
                        true => crate::text::read(d),
                        false => d.deserialize_bytes(Bytes).map($name),
                    }
                }
            }
            impl From<$name> for Subject {
                fn from(id: $name) -> Subject {
                    Subject::$name(id)
                }
            }
        )*

        /// An id of any kind: what an event can concern, what an audit trail can be asked for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Subject { $($name($name),)* }

        impl Subject {
            /// Appends the id's text, which is ASCII and needs no escape anywhere.
            pub fn append_to(&self, out: &mut Vec<u8>) {
                match self { $(Subject::$name(id) => id.append_to(out),)* }
            }
        }
        impl Serialize for Subject {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                // As text also where an id alone is bytes: its kind stands in it.
                match self { $(Subject::$name(id) => id.with_text(|text| s.serialize_str(text)),)* }
            }
        }
        impl fmt::Display for Subject {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Subject::$name(id) => fmt::Display::fmt(id, f),)* }
            }
        }
        impl FromStr for Subject {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                match text.split_once('_').ok_or(BadId)?.0 {
                    $($prefix => text.parse().map(Subject::$name),)*
                    _ => Err(BadId),
                }
            }
        }
    };
}

ids! {
    /// A content provider.
    ProviderId = "prv";
    /// A published offer of assistance.
    OfferId = "off";
    /// A hyperlink of an offer, carrying a topic.
    LinkId = "lnk";
    /// A call server. Its `name` names its log.
    CallServerId = "cls";
    /// The queue of one topic on one call server.
    QueueId = "que";
    /// Who accepts an offer.
    CustomerId = "cus";
    /// One acceptance and its life.
    InquiryId = "inq";
    /// Inquiry information saved to a customer's record.
    RecordId = "rec";
    /// One bidding round over one inquiry.
    AuctionId = "auc";
    /// Money named for the right to assist.
    BidId = "bid";
    /// Who assists.
    AgentId = "agt";
    /// One inquiry offered to one agent until a deadline.
    ReservationId = "res";
    /// A conversation.
    SessionId = "ses";
    /// A channel of a session.
    ChannelId = "chn";
    /// A message on a channel.
    MessageId = "msg";
    /// What an agent is told and keeps until read.
    NoticeId = "ntc";
    /// The money of one inquiry, from escrow to payable.
    SettlementId = "stl";
    /// One leg of a settlement. Taken from a hash, not time-ordered.
    PostingId = "pst";
    /// A wallet: an owner's account in one currency on one call server.
    AccountId = "acc";
    /// Money on its way from a wallet's owner's account to its bank.
    PayoutId = "pay";
    /// A fee rule.
    FeeRuleId = "fee";
    /// A webhook.
    WebhookId = "whk";
    /// A delivery of a webhook.
    DeliveryId = "dlv";
    /// An event. Taken from its chain hash, not time-ordered.
    EventId = "evt";
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        crate::text::read(d)
    }
}

/// Gives one command's ids, in order of asking: deterministic, so that deciding a recorded command
/// again gives the same events. The time part is the instant of the decision.
#[derive(Clone, Debug)]
pub struct IdSource {
    millis: u64,
    entropy: u64,
    count: std::cell::Cell<u16>,
}

impl IdSource {
    /// `entropy`: 64 random bits of the command. `now_us`: Unix microseconds.
    pub fn new(now_us: i64, entropy: u64) -> IdSource {
        IdSource { millis: (now_us / 1_000).max(0) as u64, entropy, count: std::cell::Cell::new(0) }
    }

    /// When the decision was made that gave this id: the millisecond. The first one also has what is older.
    pub fn made_at(id: u128) -> Range<Timestamp> {
        let start = (id >> 80) as i64 * 1_000;
        Timestamp(if start == 0 { i64::MIN } else { start })..Timestamp(start + 1_000)
    }

    /// 48 bits of time, the version and variant bits of a UUIDv7, the count and the entropy.
    pub fn next(&self) -> u128 {
        let count = self.count.get();
        self.count.set(count.checked_add(1).expect("a command makes fewer than 65,536 ids"));
        let high = ((self.millis & 0xFFFF_FFFF_FFFF) << 16) | 0x7000 | u64::from(count >> 4);
        // The variant takes two bits, the count's low four bits follow, then 58 bits of entropy.
        let low = (0b10 << 62) | (u64::from(count & 0xF) << 58) | (self.entropy >> 6);
        (u128::from(high) << 64) | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_written(value: u128) {
            let id = AuctionId(value);
            prop_assert_eq!(id.to_string().parse::<AuctionId>(), Ok(id));
            let mut bytes = b"-".to_vec();
            Subject::from(id).append_to(&mut bytes);
            prop_assert_eq!(bytes, format!("-{id}").into_bytes());
            prop_assert_eq!(id.to_string().parse::<Subject>(), Ok(Subject::AuctionId(id)));
            prop_assert!(id.to_string().parse::<BidId>().is_err());
        }

        #[test]
        fn ids_sort_as_their_text(a: u128, b: u128) {
            prop_assert_eq!(a.cmp(&b), AuctionId(a).to_string().cmp(&AuctionId(b).to_string()));
        }
    }

    #[test]
    fn strangers_are_refused() {
        for text in [
            "",
            "auc",
            "auc_",
            "auc_0",
            "auc_80000000000000000000000000",
            "auc_0000000000000000000000000U",
            "AUC_00000000000000000000000000",
        ] {
            assert_eq!(text.parse::<AuctionId>(), Err(BadId), "{text}");
        }
        assert!("auc_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<AuctionId>().is_ok());
    }

    #[test]
    fn a_source_never_repeats_and_follows_time() {
        let ids = IdSource::new(1_700_000_000_000_000, u64::MAX);
        let first: Vec<u128> = (0..1000).map(|_| ids.next()).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(first, sorted);
        assert!(IdSource::new(1_700_000_000_001_000, 0).next() > first[999]);
    }

    #[test]
    fn an_id_tells_the_millisecond_of_its_decision() {
        for now in [i64::MIN, -1, 0, 999, 1_000, 1_700_000_000_000_000, 1_700_000_000_000_999] {
            let made = IdSource::made_at(IdSource::new(now, u64::MAX).next());
            assert!(made.contains(&Timestamp(now)), "{now}: {made:?}");
            assert!(now < 1_000 || made.end.0 - made.start.0 == 1_000);
        }
    }
}
