//! Why a live view stops. It never guesses: an event that does not fit what was folded before it ends
//! the view of its log, loudly and for good.

use domain::currency::Currency;
use domain::event::wallet::Party;
use domain::ids::Subject;
use domain::log::{LogName, Seq};
use domain::money::MoneyError;
use store::recorded::Recorded;

/// The live view of `log` ends before `seq`. Every later batch of that log gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log {log} position {seq}, {subject}: the view cannot take this event")]
pub struct ViewError {
    pub log: LogName,
    pub seq: Seq,
    /// The entity of the event.
    pub subject: Subject,
    #[source]
    pub misfit: Misfit,
}

impl ViewError {
    pub(crate) fn at(recorded: &Recorded, misfit: Misfit) -> ViewError {
        let subject = recorded.event.subjects().iter().next().expect("every event has an entity");
        ViewError { log: recorded.log.clone(), seq: recorded.seq, subject, misfit }
    }
}

/// How an event does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("position {expected} was expected")]
    Gap { expected: Seq },
    /// The store lost history, or another store was opened.
    #[error("another event stood at this position before")]
    Fork,
    #[error("this kind of event does not belong in this log, or the batch is of several logs")]
    WrongLog,
    #[error("{0} is not known")]
    Unknown(Subject),
    #[error("{0} exists already")]
    Twice(Subject),
    #[error("revision {expected} was expected")]
    Revision { expected: u32 },
    /// A dossier was given an event that does not name its inquiry.
    #[error("the event concerns another inquiry")]
    OtherInquiry,
    #[error("{owner:?} has no account in {currency}")]
    NoAccount { owner: Party, currency: Currency },
    #[error("the amounts have no sum")]
    Money(#[from] MoneyError),
}
