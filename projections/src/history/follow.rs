//! One slice of one log, from its checkpoint on: read, checked, folded. The projector, `rebuild` and
//! `verify` all go this way.

use super::{History, HistoryError};
use domain::log::{LogName, Seq};
use store::backend::EventStore;
use store::raw::{Head, RawEvent};
use store::recorded::{CorruptEvent, Recorded};

/// Folds at most `max` events after the log's checkpoint, none beyond `last`. Gives how many.
///
/// Each slice begins by reading the checkpoint's own event again: one event more, and a log that was
/// restored or cut behind our back shows at once.
///
/// Where an event is bad, what stands before it is folded, and the error follows.
pub(super) fn slice(
    history: &History,
    store: &dyn EventStore,
    log: &LogName,
    max: usize,
    last: Option<Seq>,
) -> Result<usize, HistoryError> {
    let known = history.checkpoint(log).map(|checkpoint| checkpoint.head);
    let room = last
        .map_or(usize::MAX, |last| usize::try_from((last + 1).saturating_sub(Head::next(known))).unwrap_or(usize::MAX));
    let max = max.min(room);
    let raw = match known {
        None => store.read(log, 0, max)?,
        Some(known) => {
            let mut raw = store.read(log, known.seq, max.saturating_add(1))?.into_iter();
            let found = raw.next().map(|event| event.head());
            if found != Some(known) {
                return Err(HistoryError::Fork { log: log.clone(), known, found });
            }
            raw.collect()
        }
    };
    let (events, bad) = decode(log, raw);
    let (events, bad) = match history.project(log, &events) {
        Ok(()) => (events.len(), bad),
        Err(HistoryError::Apply { log: at, seq, subject, what }) => {
            let good = events.partition_point(|event| event.seq < seq);
            history.project(log, &events[..good])?;
            (good, Some(HistoryError::Apply { log: at, seq, subject, what }))
        }
        Err(other) => return Err(other),
    };
    match bad {
        Some(bad) => Err(bad),
        None => Ok(events),
    }
}

/// The events up to the first that cannot be read.
fn decode(log: &LogName, raw: Vec<RawEvent>) -> (Vec<Recorded>, Option<HistoryError>) {
    let mut events = Vec::with_capacity(raw.len());
    for event in raw {
        match Recorded::open(log, event) {
            Ok(event) => events.push(event),
            Err(bad) => return (events, Some(bad.into())),
        }
    }
    (events, None)
}

/// Where a bad event stands, for the status.
pub(super) fn place(error: &HistoryError) -> Option<Seq> {
    match error {
        HistoryError::Apply { seq, .. } => Some(*seq),
        HistoryError::Corrupt(
            CorruptEvent::Envelope { seq, .. }
            | CorruptEvent::Actor { seq, .. }
            | CorruptEvent::Misplaced { seq, .. }
            | CorruptEvent::Data { seq, .. },
        ) => Some(*seq),
        HistoryError::Chain { source, .. } => Some(match source {
            store::chain::ChainError::Gap { expected, .. } => *expected,
            store::chain::ChainError::Broken { seq } => *seq,
        }),
        HistoryError::Fork { known, .. } => Some(known.seq),
        HistoryError::Open { .. }
        | HistoryError::Schema { .. }
        | HistoryError::Full { .. }
        | HistoryError::Sql { .. }
        | HistoryError::Read(_)
        | HistoryError::Overtaken { .. }
        | HistoryError::Swap { .. } => None,
    }
}
