//! For tests: a store whose disk turned one digit of one event's data into another, and kept its hash.

use domain::log::{LogName, Seq};
use store::backend::{AppendError, EventStore, Limits, ReadError};
use store::memory::MemoryStore;
use store::raw::{Head, RawEvent};

pub(crate) struct Flipped {
    pub(crate) inner: MemoryStore,
    pub(crate) log: LogName,
    pub(crate) seq: Seq,
}

impl Flipped {
    fn turn(&self, log: &LogName, mut read: Vec<RawEvent>) -> Vec<RawEvent> {
        for event in read.iter_mut().filter(|event| *log == self.log && event.seq == self.seq) {
            let digit = event.data.iter_mut().rev().find(|byte| byte.is_ascii_digit());
            *digit.expect("data with a digit") ^= 1;
        }
        read
    }
}

impl EventStore for Flipped {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
    fn logs(&self) -> Result<Vec<LogName>, ReadError> {
        self.inner.logs()
    }
    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError> {
        self.inner.head(log)
    }
    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        self.inner.append(log, expected, batch)
    }
    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.inner.confirm(log, expected)
    }
    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        Ok(self.turn(log, self.inner.read(log, from, max)?))
    }
    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        Ok(self.turn(log, self.inner.read_at(log, seqs)?))
    }
}
