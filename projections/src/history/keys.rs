//! Idempotency keys of the last 24 hours of event time: older than the writer's memory, younger than a
//! day. After that a key is free.

use super::rows::Whole;
use super::{History, HistoryError, scope};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rusqlite::OptionalExtension;
use std::ops::ControlFlow;
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
    /// The command with this key in the log, if it was recorded less than 24 hours before `now`. Never
    /// behind: what is not folded yet is read from the log.
    pub fn find_key(
        &self,
        store: &dyn EventStore,
        log: &LogName,
        hash: u128,
        now: Timestamp,
    ) -> Result<Option<FoundKey>, HistoryError> {
        let from = Head::next(self.checkpoint(log).map(|checkpoint| checkpoint.head));
        let mut found = None;
        scope::scan(store, log, from, |event| {
            found = key_of(&event).filter(|(known, _)| *known == hash).map(|(_, key)| key).or(found.take());
            ControlFlow::Continue(())
        })?;
        if found.is_none() {
            return self.find_folded_key(log, hash, now);
        }
        Ok(found.filter(|key| now - key.time < KEPT))
    }

    /// The same up to the log's checkpoint alone, for whoever knows the rest.
    pub fn find_folded_key(&self, log: &LogName, hash: u128, now: Timestamp) -> Result<Option<FoundKey>, HistoryError> {
        let found = self.read("finding a key", |db| {
            db.prepare_cached(
                "SELECT seq, time, fingerprint, events FROM idempotency_key
                 WHERE hash = ?1 AND log = ?2 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row((hash.to_be_bytes(), log.as_str()), |row| {
                Ok(FoundKey {
                    log: log.clone(),
                    seq: row.get::<_, Whole>("seq")?.0,
                    time: Timestamp(row.get("time")?),
                    fingerprint: u64::from_be_bytes(row.get("fingerprint")?),
                    events: row.get("events")?,
                })
            })
            .optional()
        })?;
        Ok(found.filter(|key| now - key.time < KEPT))
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
