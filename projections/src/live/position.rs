//! How far one log is folded, and that it is folded in order, once, or not at all.

use super::error::{Misfit, ViewError};
use domain::log::LogName;
use std::sync::Arc;
use store::raw::Head;
use store::recorded::Recorded;

/// Where a view stands in its log.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Position {
    head: Option<Head>,
    /// Set once, and then nothing is folded any more: what stands may be half an event.
    stopped: Option<ViewError>,
}

impl Position {
    pub(super) fn at(head: Head) -> Position {
        Position { head: Some(head), stopped: None }
    }
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }
    pub(super) fn stopped(&self) -> Option<&ViewError> {
        self.stopped.as_ref()
    }

    /// Folds what lies past this position, up to the end of the batch or the first event that does not
    /// fit.
    pub(super) fn fold(
        &mut self,
        log: &LogName,
        batch: &[Arc<Recorded>],
        mut fold: impl FnMut(&Recorded) -> Result<(), Misfit>,
    ) -> Result<(), ViewError> {
        for recorded in batch {
            if let Some(error) = &self.stopped {
                return Err(error.clone());
            }
            let folded = match self.follows(log, recorded) {
                Ok(false) => continue,
                Ok(true) => fold(recorded),
                Err(misfit) => Err(misfit),
            };
            match folded {
                Ok(()) => self.head = Some(recorded.raw.head()),
                Err(misfit) => self.stopped = Some(ViewError::at(recorded, misfit)),
            }
        }
        self.stopped.clone().map_or(Ok(()), Err)
    }

    /// Whether the event is the next one; a repeat is not.
    fn follows(&self, log: &LogName, recorded: &Recorded) -> Result<bool, Misfit> {
        if recorded.log != *log {
            return Err(Misfit::WrongLog);
        }
        let expected = Head::next(self.head);
        if recorded.seq > expected {
            return Err(Misfit::Gap { expected });
        }
        match self.head {
            Some(head) if head.seq == recorded.seq && head.hash != recorded.raw.hash => Err(Misfit::Fork),
            Some(_) | None => Ok(recorded.seq == expected),
        }
    }
}
