//! Idempotency keys of the last 24 hours of event time: older than the writer's memory, younger than a
//! day. After that a key is free.

use super::{History, HistoryError, scope, segments, subjects};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use std::ops::{ControlFlow, RangeInclusive};
use store::backend::EventStore;
use store::keys::KEPT;
use store::raw::Head;
use store::recorded::Recorded;

/// The command that a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    pub log: LogName,
    /// Of its first event.
    pub seq: Seq,
    pub time: Timestamp,
    /// Of its input.
    pub fingerprint: u64,
    /// How many events it appended.
    pub events: u32,
}

impl History {
    /// The newest command with this key among those that begin at positions `within` of the log, if it was
    /// recorded less than 24 hours before `now`. Never behind: what is not folded yet is read from the log.
    pub fn find_key(
        &self,
        store: &dyn EventStore,
        log: &LogName,
        hash: u128,
        within: RangeInclusive<Seq>,
        now: Timestamp,
    ) -> Result<Option<FoundKey>, HistoryError> {
        let from = Head::next(self.checkpoint(log).map(|checkpoint| checkpoint.head)).max(*within.start());
        let mut found = None;
        if from <= *within.end() {
            scope::scan(store, log, from, |event| {
                if event.seq > *within.end() {
                    return ControlFlow::Break(());
                }
                found = key_of(&event).filter(|(known, _)| *known == hash).map(|(_, key)| key).or(found.take());
                ControlFlow::Continue(())
            })?;
        }
        if found.is_none() {
            return self.find_folded_key(store, log, hash, within, now);
        }
        Ok(found.filter(|key| now - key.time < KEPT))
    }

    /// The same up to the log's checkpoint alone, for whoever knows the rest.
    pub fn find_folded_key(
        &self,
        store: &dyn EventStore,
        log: &LogName,
        hash: u128,
        within: RangeInclusive<Seq>,
        now: Timestamp,
    ) -> Result<Option<FoundKey>, HistoryError> {
        let seqs = self.read("finding a key", |db| {
            // One instant: a merge moves keys from segment to segment.
            let tx = db.unchecked_transaction()?;
            let Some(log_no) = subjects::known_log_no(&tx, log)? else { return Ok(Vec::new()) };
            segments::find(&tx, log_no, segments::half(hash), &within, now)
        })?;
        for seq in seqs {
            for raw in store.read_at(log, &[seq])? {
                let found = key_of(&Recorded::open(log, raw)?);
                if let Some((_, key)) = found.filter(|(known, _)| *known == hash) {
                    return Ok(Some(key).filter(|key| now - key.time < KEPT));
                }
            }
        }
        Ok(None)
    }
}

fn key_of(event: &Recorded) -> Option<(u128, FoundKey)> {
    let key = event.key?;
    let found = FoundKey {
        log: event.log.clone(),
        seq: event.seq,
        time: event.time,
        fingerprint: key.fingerprint,
        events: key.events,
    };
    Some((key.hash, found))
}
