//! The log as a log: gapless, chained, canonical, in the order of time; keys and sources as they may stand.
//! The hashes are counted anew from the formula in the design.

use super::entry::{Entry, int, text, texts};
use super::{Finding, Line, must};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

const DAY: i64 = 86_400_000_000;

/// A log's entries, where it is one.
pub fn read(log: &str, lines: &[Line]) -> Result<Vec<Entry>, Finding> {
    let mut entries: Vec<Entry> = Vec::with_capacity(lines.len());
    let mut previous = [0; 32];
    let mut keys: HashMap<String, i64> = HashMap::new();
    let mut ids: HashMap<String, u64> = HashMap::new();
    let mut sources: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let broken = |what: &str| Finding { invariant: "chain", log: log.into(), seq: line.seq, what: what.into() };
        if line.seq != index as u64 {
            return Err(broken(&format!("stands at {index}")));
        }
        let data_hash = Sha256::new().chain_update(line.salt).chain_update(&line.data).finalize();
        let hash = Sha256::new().chain_update(previous).chain_update(&line.envelope).chain_update(data_hash).finalize();
        if hash[..] != line.hash {
            return Err(broken("does not hash to what its place demands"));
        }
        previous = line.hash;
        let envelope: Value = serde_json::from_slice(&line.envelope).map_err(|_| broken("has no JSON envelope"))?;
        let data: Value = serde_json::from_slice(&line.data).map_err(|_| broken("has no JSON data"))?;
        // serde_json's maps are sorted, so writing them again is the canonical form.
        if envelope.to_string().as_bytes() != line.envelope || data.to_string().as_bytes() != line.data {
            return Err(broken("is not canonical"));
        }
        let entry = open(log, line, &envelope, data);
        must!(
            &entry,
            text(&envelope, "log") == log && int(&envelope, "seq") as u64 == line.seq,
            "chain",
            "is misplaced"
        );
        let last = entries.last();
        must!(&entry, last.is_none_or(|last| last.time <= entry.time), "time", "goes back to {}", entry.time);
        must!(&entry, (1..=3).contains(&entry.subjects.len()), "envelope", "concerns {:?}", entry.subjects);
        for member in ["inquiry", "agent"] {
            let named = entry.data.get(member).and_then(Value::as_str);
            let listed = named.is_none_or(|named| entry.subjects.iter().any(|subject| subject == named));
            must!(&entry, listed, "envelope", "does not list its {member}");
        }
        let first = last.is_none_or(|last| last.id != entry.id);
        must!(
            &entry,
            first || last.is_some_and(|last| last.time == entry.time),
            "envelope",
            "a command has one instant"
        );
        must!(&entry, first || entry.key.is_none(), "keys", "a key stands on a command's first event");
        if first {
            let again = ids.insert(entry.id.clone(), entry.seq);
            must!(&entry, again.is_none(), "atomic", "{} stands at {again:?} too", entry.id);
        }
        if let Some((hash, ..)) = &entry.key {
            let before = keys.insert(hash.clone(), entry.time);
            let free = before.is_none_or(|before| entry.time - before >= DAY);
            must!(&entry, free, "keys", "the same key was used before");
        }
        if let Some((from, seq, hash)) = &entry.source {
            let before = sources.insert(from.clone(), (*seq, entry.id.clone()));
            let fits = before.is_none_or(|(before, id)| before < *seq || before == *seq && id == entry.id);
            must!(&entry, fits, "handover", "{from} {seq} {hash} was taken over before");
        }
        entries.push(entry);
    }
    for group in super::groups(&entries) {
        if let Some((_, _, events)) = &group[0].key {
            must!(&group[0], *events as usize == group.len(), "atomic", "{events} events, and {} stand", group.len());
        }
    }
    Ok(entries)
}

fn open(log: &str, line: &Line, envelope: &Value, data: Value) -> Entry {
    let key = envelope.get("key");
    let source = envelope.get("source");
    let own = |value: &Value, name: &str| text(value, name).to_owned();
    Entry {
        log: log.to_owned(),
        seq: line.seq,
        time: int(envelope, "time"),
        kind: own(envelope, "type"),
        role: own(envelope, "role"),
        actor: envelope.get("actor").map(|_| own(envelope, "actor")),
        key: key.map(|key| (own(key, "hash"), own(key, "fingerprint"), int(key, "events") as u64)),
        id: own(envelope, "correlation"),
        source: source.map(|one| (own(one, "log"), int(one, "seq") as u64, own(one, "hash"))),
        subjects: texts(envelope, "subjects").into_iter().map(str::to_owned).collect(),
        hash: line.hash,
        data,
    }
}
