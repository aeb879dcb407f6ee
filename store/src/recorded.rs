//! An event with its envelope, as the writer makes it and every reader gets it.
//!
//! The canonical envelope is compact JSON with members in alphabetical order (RFC 8785), without id,
//! salt and hash: those follow from it. `hash = SHA-256(previous hash ‖ canonical envelope ‖
//! SHA-256(salt ‖ data))`, and the event's id is 122 bits of that hash.

use crate::chain;
use crate::raw::{Hash, RawEvent};
use crate::stored::{self, StoredError};
use domain::actor::{Actor, BadActor, Role};
use domain::event::Event;
use domain::event::community::SourcePosition;
use domain::ids::{EventId, Subject};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// 128 bits that name a command; all its events carry it as their correlation, and so does what follows
/// from them in other logs. Shown as `cmd_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandId(pub u128);

impl CommandId {
    const PREFIX: &str = "cmd_";
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", Self::PREFIX, self.0)
    }
}
impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl std::str::FromStr for CommandId {
    type Err = domain::ids::BadId;
    fn from_str(text: &str) -> Result<CommandId, Self::Err> {
        let digits = text.strip_prefix(Self::PREFIX).filter(|digits| digits.len() == 32).ok_or(domain::ids::BadId)?;
        u128::from_str_radix(digits, 16).map(CommandId).map_err(|_| domain::ids::BadId)
    }
}

/// The idempotency key of a command, on its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyMark {
    /// Of (actor, mutation, key).
    pub hash: u128,
    /// Of the input, keyed with a secret of the store.
    pub fingerprint: u64,
    /// How many events the command appended, this one included.
    pub events: u32,
}

/// One event of one log.
#[derive(Clone, PartialEq)]
pub struct Recorded {
    pub id: EventId,
    pub log: LogName,
    pub seq: Seq,
    pub time: Timestamp,
    /// Such as `auction.bid_placed.v1`.
    pub type_name: &'static str,
    /// At most three: the entity, its inquiry, the agent.
    pub subjects: Vec<Subject>,
    pub actor: Actor,
    pub key: Option<KeyMark>,
    pub correlation: CommandId,
    /// The event in another log that brought this one about.
    pub causation: Option<EventId>,
    pub source: Option<SourcePosition>,
    /// W3C trace parent, where the caller sent one.
    pub trace: Option<Box<str>>,
    pub event: Event,
    /// The bytes that stand in the log.
    pub raw: RawEvent,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {} {:?}", self.log, self.seq, self.type_name, self.event)
    }
}

/// A log that cannot be understood from `seq` on. Readers stop there, loudly.
#[derive(Debug, thiserror::Error)]
pub enum CorruptEvent {
    #[error("log {log} position {seq}: the envelope cannot be read")]
    Envelope {
        log: LogName,
        seq: Seq,
        #[source]
        source: serde_json::Error,
    },
    #[error("log {log} position {seq}: actor and role do not fit")]
    Actor {
        log: LogName,
        seq: Seq,
        #[source]
        source: BadActor,
    },
    #[error("log {log} position {seq}: the envelope names another log or position")]
    Misplaced { log: LogName, seq: Seq },
    #[error("log {log} position {seq}: the data cannot be read")]
    Data {
        log: LogName,
        seq: Seq,
        #[source]
        source: StoredError,
    },
}

/// The stored envelope. Members stand in alphabetical order, because that is the canonical form; `write_envelope`
/// writes it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Envelope<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    actor: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    #[serde(borrow)]
    correlation: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    key: Option<StoredKey<'a>>,
    #[serde(borrow)]
    log: Cow<'a, str>,
    role: Role,
    seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourcePosition>,
    subjects: Vec<Subject>,
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Box<str>>,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
}

/// Hexadecimal, since the numbers are wider than JSON's.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct StoredKey<'a> {
    events: u32,
    #[serde(borrow)]
    fingerprint: Cow<'a, str>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
}

/// What most envelopes need.
const ENVELOPE_BYTES: usize = 640;

/// The canonical envelope, byte for byte what serde would write of an `Envelope`, without the texts in between: it is
/// written for every event, and is half of its bytes.
fn write_envelope(log: &LogName, seq: Seq, type_name: &str, subjects: &[Subject], facts: &Facts) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENVELOPE_BYTES);
    out.push(b'{');
    match &facts.actor {
        Actor::Operator(name) | Actor::Finance(name) => member(&mut out, "actor", |out| json(out, &**name)),
        Actor::Provider(id) => member(&mut out, "actor", |out| quoted(out, |out| id.append_to(out))),
        Actor::Agent(id) => member(&mut out, "actor", |out| quoted(out, |out| id.append_to(out))),
        Actor::Customer(id) => member(&mut out, "actor", |out| quoted(out, |out| id.append_to(out))),
        Actor::Anonymous | Actor::System => {}
    }
    if let Some(causation) = facts.causation {
        member(&mut out, "causation", |out| quoted(out, |out| causation.append_to(out)));
    }
    member(&mut out, "correlation", |out| {
        quoted(out, |out| {
            out.extend_from_slice(CommandId::PREFIX.as_bytes());
            hex(out, &facts.correlation.0.to_be_bytes());
        })
    });
    if let Some(KeyMark { hash, fingerprint, events }) = facts.key {
        member(&mut out, "key", |out| {
            out.push(b'{');
            member(out, "events", |out| json(out, &events));
            member(out, "fingerprint", |out| quoted(out, |out| hex(out, &fingerprint.to_be_bytes())));
            member(out, "hash", |out| quoted(out, |out| hex(out, &hash.to_be_bytes())));
            end(out, b'}');
        });
    }
    member(&mut out, "log", |out| json(out, log));
    member(&mut out, "role", |out| json(out, &facts.actor.role()));
    member(&mut out, "seq", |out| json(out, &seq));
    if let Some(source) = &facts.source {
        member(&mut out, "source", |out| json(out, source));
    }
    member(&mut out, "subjects", |out| {
        out.push(b'[');
        for subject in subjects {
            quoted(out, |out| subject.append_to(out));
            out.push(b',');
        }
        end(out, b']');
    });
    member(&mut out, "time", |out| json(out, &facts.time));
    if let Some(trace) = &facts.trace {
        member(&mut out, "trace", |out| json(out, trace));
    }
    member(&mut out, "type", |out| json(out, type_name));
    end(&mut out, b'}');
    out
}

/// A member and the comma after it.
fn member(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    value(out);
    out.push(b',');
}

/// The end of what has members, in place of the last comma.
fn end(out: &mut Vec<u8>, with: u8) {
    match out.last_mut() {
        Some(comma) if *comma == b',' => *comma = with,
        _ => out.push(with),
    }
}

/// Text that needs no escape.
fn quoted(out: &mut Vec<u8>, text: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    text(out);
    out.push(b'"');
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

fn json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value)
        .expect("memory takes what is written, and no value here has other keys or floats");
}

/// What a writer knows of an event before it has a place in the chain.
#[derive(Clone, Debug)]
pub struct Facts {
    pub actor: Actor,
    pub key: Option<KeyMark>,
    pub correlation: CommandId,
    pub causation: Option<EventId>,
    pub source: Option<SourcePosition>,
    pub trace: Option<Box<str>>,
    pub time: Timestamp,
    pub salt: [u8; 16],
}

impl Recorded {
    /// Encodes and chains a new event at `seq`.
    pub fn seal(log: &LogName, seq: Seq, previous: &Hash, event: Event, facts: Facts) -> Recorded {
        let (type_name, data) = stored::encode(&event);
        let subjects: Vec<Subject> = event.subjects().iter().collect();
        let envelope = write_envelope(log, seq, type_name, &subjects, &facts);
        // Copied at their length: an allocator gives and takes whole pieces faster than it cuts the end off one.
        let raw = chain::seal(previous, Box::from(&envelope[..]), Box::from(&data[..]), facts.salt, seq);
        Recorded {
            id: EventId(chain::event_id(&raw.hash)),
            log: log.clone(),
            seq,
            time: facts.time,
            type_name,
            subjects,
            actor: facts.actor,
            key: facts.key,
            correlation: facts.correlation,
            causation: facts.causation,
            source: facts.source,
            trace: facts.trace,
            event,
            raw,
        }
    }

    /// Reads an event back. Does not check the chain: `chain::Verifier` does.
    pub fn open(log: &LogName, raw: RawEvent) -> Result<Recorded, CorruptEvent> {
        let seq = raw.seq;
        let bad_envelope = |source| CorruptEvent::Envelope { log: log.clone(), seq, source };
        let envelope: Envelope<'_> = stored::read_json(&raw.envelope).map_err(bad_envelope)?;
        if envelope.log != log.as_str() || envelope.seq != seq {
            return Err(CorruptEvent::Misplaced { log: log.clone(), seq });
        }
        let actor = Actor::new(envelope.role, envelope.actor.as_deref()).map_err(|source| CorruptEvent::Actor {
            log: log.clone(),
            seq,
            source,
        })?;
        let (type_name, event) = stored::decode(&envelope.type_name, &raw.data)
            .map_err(|source| CorruptEvent::Data { log: log.clone(), seq, source })?;
        let misplaced = || CorruptEvent::Misplaced { log: log.clone(), seq };
        let key = match &envelope.key {
            None => None,
            Some(key) => Some(KeyMark {
                events: key.events,
                fingerprint: u64::from_str_radix(&key.fingerprint, 16).map_err(|_| misplaced())?,
                hash: u128::from_str_radix(&key.hash, 16).map_err(|_| misplaced())?,
            }),
        };
        let correlation = envelope.correlation.parse().map_err(|_| misplaced())?;
        Ok(Recorded {
            id: EventId(chain::event_id(&raw.hash)),
            log: log.clone(),
            seq,
            time: envelope.time,
            type_name,
            actor,
            key,
            correlation,
            causation: envelope.causation,
            source: envelope.source,
            trace: envelope.trace,
            subjects: envelope.subjects,
            event,
            raw,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event::agent::{AgentStatusSet, Will, WillReason};
    use domain::ids::{AgentId, CustomerId, ProviderId};

    fn event() -> Event {
        AgentStatusSet { agent: AgentId(7), note: None, reason: WillReason::Asked, will: Will::Available }.into()
    }

    /// Everything that an envelope may have.
    fn facts() -> Facts {
        Facts {
            actor: Actor::Agent(AgentId(7)),
            key: Some(KeyMark { hash: u128::MAX, fingerprint: 1, events: 1 }),
            correlation: CommandId(42),
            causation: Some(EventId(9)),
            source: Some(SourcePosition { hash: "00".into(), log: LogName::community(), seq: 3 }),
            trace: Some("00-aa-bb-01 \"\\\n\u{1}ä".into()),
            time: Timestamp(1),
            salt: [3; 16],
        }
    }

    #[test]
    fn what_was_sealed_opens_the_same() {
        let log: LogName = "main".parse().unwrap();
        let sealed = Recorded::seal(&log, 5, &[1; 32], event(), facts());
        assert_eq!(Recorded::open(&log, sealed.raw.clone()).unwrap(), sealed);
        let other: LogName = "other".parse().unwrap();
        assert!(matches!(Recorded::open(&other, sealed.raw.clone()), Err(CorruptEvent::Misplaced { .. })));
        // Canonical: reading and writing it with sorted members changes nothing.
        for text in [&sealed.raw.envelope, &sealed.raw.data] {
            let value: serde_json::Value = serde_json::from_slice(text).unwrap();
            assert_eq!(serde_json::to_vec(&value).unwrap(), text.to_vec());
        }
    }

    #[test]
    fn an_envelope_is_byte_for_byte_what_serde_makes_of_it() {
        let log: LogName = "main".parse().unwrap();
        let bare = Facts { key: None, causation: None, source: None, trace: None, time: Timestamp(-1), ..facts() };
        let actors = [
            Actor::Operator("ann \"of\" ops".into()),
            Actor::Finance("f.1".into()),
            Actor::Provider(ProviderId(u128::MAX)),
            Actor::Agent(AgentId(0)),
            Actor::Customer(CustomerId(1 << 120)),
            Actor::Anonymous,
            Actor::System,
        ];
        for actor in actors {
            for facts in [facts(), bare.clone()] {
                for subjects in [&[][..], &[AgentId(7).into()], &[AgentId(7).into(), ProviderId(1).into()]] {
                    let facts = Facts { actor: actor.clone(), ..facts.clone() };
                    let written = write_envelope(&log, u64::MAX, "a.b.v1", subjects, &facts);
                    let read: Envelope<'_> = serde_json::from_slice(&written).unwrap();
                    assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(written.clone()).unwrap());
                    assert_eq!((read.actor.as_deref(), read.role), (actor.id().as_deref(), actor.role()));
                }
            }
        }
    }
}
