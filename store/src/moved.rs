//! Logs as they are, moved from one store to another that holds none: what a replay decided in memory is kept in a
//! folder.
//!
//! It decides nothing, so it is no writer, and nothing but whole logs from their first event passes here. It promises
//! the same events in the same order, appended in batches that the other store takes; a log that stands there already
//! refuses the first of them. Deliberately not here: following a log that somebody writes.

use crate::backend::{AppendError, EventStore, ReadError};
use crate::raw::{Head, RawEvent};
use domain::log::LogName;

/// Events read at once.
const PAGE: usize = 4_096;

/// What was moved until then stands.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("log {log} cannot be moved")]
    Append {
        log: LogName,
        #[source]
        source: AppendError,
    },
}

pub fn all_logs(from: &dyn EventStore, to: &dyn EventStore) -> Result<(), MoveError> {
    let limits = to.limits();
    for log in from.logs()? {
        let (mut head, mut batch, mut bytes) = (None, Vec::new(), 0);
        loop {
            let page = from.read(&log, Head::next(batch.last().map(RawEvent::head).or(head)), PAGE)?;
            let is_last = page.len() < PAGE;
            for event in page {
                if batch.len() == limits.batch_events || bytes + event.size() > limits.batch_bytes {
                    head = append(to, &log, head, &batch)?;
                    (batch, bytes) = (Vec::new(), 0);
                }
                bytes += event.size();
                batch.push(event);
            }
            if is_last {
                break;
            }
        }
        append(to, &log, head, &batch)?;
    }
    Ok(())
}

fn append(
    store: &dyn EventStore,
    log: &LogName,
    head: Option<Head>,
    batch: &[RawEvent],
) -> Result<Option<Head>, MoveError> {
    let Some(last) = batch.last() else { return Ok(head) };
    store.append(log, head, batch).map_err(|source| MoveError::Append { log: log.clone(), source })?;
    Ok(Some(last.head()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Limits;
    use crate::conformance::events;
    use crate::memory::MemoryStore;

    #[test]
    fn a_log_arrives_whole_in_batches_that_the_other_store_takes_and_once() {
        let limits = MemoryStore::new().limits();
        let log = LogName::community();
        let texts: Vec<String> = (0..PAGE + 5).map(|number| number.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for count in [1, PAGE - 1, PAGE, PAGE + 1, PAGE + 5] {
            let from = MemoryStore::with_limits(Limits { batch_events: PAGE + 5, ..limits });
            let all = events(None, &texts[..count]);
            from.append(&log, None, &all).unwrap();
            let size = all.iter().map(RawEvent::size).max().unwrap();
            for small in [Limits { batch_events: 7, ..limits }, Limits { batch_bytes: 3 * size, ..limits }] {
                let to = MemoryStore::with_limits(small);
                all_logs(&from, &to).unwrap();
                assert_eq!(to.read(&log, 0, PAGE + 9).unwrap(), all);
            }
        }
        let (from, to) = (MemoryStore::new(), MemoryStore::new());
        from.append(&log, None, &events(None, &["a"])).unwrap();
        to.append(&log, None, &events(None, &["b"])).unwrap();
        assert!(matches!(all_logs(&from, &to), Err(MoveError::Append { source: AppendError::Conflict, .. })));
        all_logs(&MemoryStore::new(), &to).unwrap();
    }
}
