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
use std::fmt;

/// 128 bits that name a command; all its events carry it as their correlation, and so does what follows
/// from them in other logs. Shown as `cmd_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandId(pub u128);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cmd_{:032x}", self.0)
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
        let digits = text.strip_prefix("cmd_").filter(|digits| digits.len() == 32).ok_or(domain::ids::BadId)?;
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

/// The stored envelope. Members stand in alphabetical order, because that is the canonical form.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    correlation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<StoredKey>,
    log: LogName,
    role: Role,
    seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourcePosition>,
    subjects: Vec<Subject>,
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Box<str>>,
    #[serde(rename = "type", borrow)]
    type_name: std::borrow::Cow<'a, str>,
}

/// Hexadecimal, since the numbers are wider than JSON's.
#[derive(Serialize, Deserialize)]
struct StoredKey {
    events: u32,
    fingerprint: String,
    hash: String,
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
        let envelope = Envelope {
            actor: facts.actor.id(),
            causation: facts.causation,
            correlation: facts.correlation.to_string(),
            key: facts.key.map(|key| StoredKey {
                events: key.events,
                fingerprint: format!("{:016x}", key.fingerprint),
                hash: format!("{:032x}", key.hash),
            }),
            log: log.clone(),
            role: facts.actor.role(),
            seq,
            source: facts.source.clone(),
            subjects: subjects.clone(),
            time: facts.time,
            trace: facts.trace.clone(),
            type_name: type_name.into(),
        };
        let envelope = serde_json::to_vec(&envelope).expect("an envelope has string keys and no floats");
        let raw = chain::seal(previous, envelope.into(), data.into(), facts.salt, seq);
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
        let envelope: Envelope<'_> = serde_json::from_slice(&raw.envelope).map_err(bad_envelope)?;
        if envelope.log != *log || envelope.seq != seq {
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
            source: envelope.source.clone(),
            trace: envelope.trace.clone(),
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
    use domain::ids::AgentId;

    #[test]
    fn what_was_sealed_opens_the_same() {
        let log: LogName = "main".parse().unwrap();
        let event: Event =
            AgentStatusSet { agent: AgentId(7), note: None, reason: WillReason::Asked, will: Will::Available }.into();
        let facts = Facts {
            actor: Actor::Agent(AgentId(7)),
            key: Some(KeyMark { hash: u128::MAX, fingerprint: 1, events: 1 }),
            correlation: CommandId(42),
            causation: Some(EventId(9)),
            source: Some(SourcePosition { hash: "00".into(), log: LogName::community(), seq: 3 }),
            trace: Some("00-aa-bb-01".into()),
            time: Timestamp(1),
            salt: [3; 16],
        };
        let sealed = Recorded::seal(&log, 5, &[1; 32], event, facts);
        assert_eq!(Recorded::open(&log, sealed.raw.clone()).unwrap(), sealed);
        let other: LogName = "other".parse().unwrap();
        assert!(matches!(Recorded::open(&other, sealed.raw.clone()), Err(CorruptEvent::Misplaced { .. })));
        // Canonical: reading and writing it with sorted members changes nothing.
        for text in [&sealed.raw.envelope, &sealed.raw.data] {
            let value: serde_json::Value = serde_json::from_slice(text).unwrap();
            assert_eq!(serde_json::to_vec(&value).unwrap(), text.to_vec());
        }
    }
}
