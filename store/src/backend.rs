//! `EventStore`: what the house asks of a place that keeps logs. Its one write is the conditional
//! append, the only lock in the system; `conformance` holds every backend to it.
//!
//! Deliberately not here: waiting (a backend blocks; the writer is a thread of its own), retrying (the
//! writer decides), waking readers (they follow the writer, or poll), and what an event means.

use crate::raw::{Hash, Head, RawEvent};
use domain::log::{LogName, Seq};
use std::error::Error;

/// A place that keeps logs. Any number of callers may use it at once; a node may die at any time.
pub trait EventStore: Send + Sync + 'static {
    /// The most that one append may carry.
    fn limits(&self) -> Limits;

    /// The names of all logs that hold an event, sorted.
    fn logs(&self) -> Result<Vec<LogName>, ReadError>;

    /// The last event of a log; `None` where the log is empty or does not exist.
    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError>;

    /// Appends the whole batch or nothing, if the log's head is `expected`. `Ok` means durable. A log
    /// begins with its first batch, at `expected: None`.
    ///
    /// Sending a batch that already stands in the log is `Ok` and changes nothing, also where others
    /// have appended after it: it is recognised by the hash at its last position.
    ///
    /// Panics if the batch is empty or its positions do not follow `expected` without a gap.
    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError>;

    /// Whether the log's head is still `expected`, for a decision that appends nothing.
    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError>;

    /// At most `max` events from `from` on (inclusive), in order and without a gap. Fewer than `max`
    /// means that the log ended there; a log that does not exist is empty.
    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError>;

    /// The events at these positions, which ascend; a missing one is `ReadError::Missing`.
    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError>;
}

/// The most that one append may carry; sizes are `RawEvent::size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub batch_bytes: usize,
    pub batch_events: usize,
    pub event_bytes: usize,
}

impl Limits {
    /// What every backend checks before it sends anything.
    ///
    /// Panics if the batch is empty or does not follow `expected`: that is a bug of the writer.
    pub fn check(&self, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        assert!(!batch.is_empty(), "an empty batch has nothing to append; ask confirm");
        let mut bytes = 0;
        for (seq, event) in (Head::next(expected)..).zip(batch) {
            assert_eq!(event.seq, seq, "the positions of a batch follow the expected head without a gap");
            fits("the bytes of one event", event.size(), self.event_bytes)?;
            bytes += event.size();
        }
        fits("the events of a batch", batch.len(), self.batch_events)?;
        fits("the bytes of a batch", bytes, self.batch_bytes)
    }
}

fn fits(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size <= limit { Ok(()) } else { Err(Refused::TooLarge { what, size, limit }.into()) }
}

/// Why an append has no `Ok`. Every variant is another duty of the writer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Nothing written: the log has moved on. Read the tail and decide again.
    #[error("the log has moved on")]
    Conflict,
    /// Nothing written: the log no longer holds what we built upon, because a copy with loss was
    /// restored or promoted. `found` is its head now. Stop writing this log and say so loudly.
    #[error("the log has lost events that it held: its head is now {found:?}")]
    Fork { found: Option<Head> },
    /// Nothing written, and sending it again as it is would be refused again.
    #[error("the append was refused: {0}")]
    Refused(#[from] Refused),
    /// Maybe written. Send the very same batch again until it resolves; answer nobody meanwhile.
    #[error("whether the batch was written is not known: {0}")]
    Unknown(String),
    /// Maybe written, and nothing read back now proves that it is durable. Do not send it again: end
    /// the process, and start from what the disk really holds.
    #[error("the store can no longer be trusted: {0}")]
    Broken(String),
}

/// Why a store did not take a batch. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{what} are {size}, and the limit is {limit}")]
    TooLarge { what: &'static str, size: usize, limit: usize },
    #[error("the store does not allow it: {0}")]
    Denied(String),
    #[error("the disk is full")]
    Full,
}

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("log {log} has no event {seq}")]
    Missing { log: LogName, seq: Seq },
    /// Asking again may help.
    #[error("log {log} cannot be read: {step} failed")]
    Unavailable { log: LogName, step: &'static str, source: Box<dyn Error + Send + Sync> },
    /// Which logs there are is not known; asking again may help.
    #[error("the logs cannot be listed")]
    Unlisted { source: Box<dyn Error + Send + Sync> },
    /// Asking again does not help: somebody has to look.
    #[error("log {log} is damaged: {what}")]
    Damaged { log: LogName, what: String },
}

/// What an append or a confirmation means for a log whose head is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The head is the expected one: go on.
    Fits,
    /// The batch stands in the log already.
    Repeated,
    Fails(AppendError),
}

/// The rule of the conditional append, for backends that compare heads themselves. `last` is the last
/// event of the batch, if there is one; `hash_at` gives the hash at a position up to `head`.
pub(crate) fn judge<E>(
    expected: Option<Head>,
    last: Option<Head>,
    head: Option<Head>,
    mut hash_at: impl FnMut(Seq) -> Result<Option<Hash>, E>,
) -> Result<Verdict, E> {
    if head == expected {
        return Ok(Verdict::Fits);
    }
    let mut holds = |known: Head| -> Result<bool, E> {
        Ok(head.is_some_and(|head| known.seq <= head.seq) && hash_at(known.seq)? == Some(known.hash))
    };
    // The hash covers all that came before, so this one comparison stands for the whole batch.
    if let Some(last) = last
        && holds(last)?
    {
        return Ok(Verdict::Repeated);
    }
    match expected {
        Some(expected) if !holds(expected)? => Ok(Verdict::Fails(AppendError::Fork { found: head })),
        _ => Ok(Verdict::Fails(AppendError::Conflict)),
    }
}
