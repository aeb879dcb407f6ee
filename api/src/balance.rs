//! The books as of a position of `treasury` and an instant: what had moved before the instant, as far as it was known at
//! the position.
//!
//! Promises: the same position and instant give the same balances for ever. What was posted late counts from when its
//! money moved, so a month that is over changes only by what is still found of it, and not as of a position then.
//!
//! Not here: who may see them (`types::journal`).

use crate::app::App;
use crate::cli::causes;
use crate::errors::{ErrorCode, code};
use crate::graphql::types::eyes::Eyes;
use crate::graphql::types::fresh;
use crate::past::{event_at, last_until};
use async_graphql::Error;
use domain::event::Event;
use domain::event::journal::JournalEvent;
use domain::event::settlement::Leg;
use domain::log::{LogName, Seq};
use domain::money::MoneyError;
use domain::time::Timestamp;
use projections::history::HistoryError;
use projections::history::journal::Crossing;
use projections::live::books::Books;
use projections::live::{Live, RefoldError};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::backend::ReadError;
use store::recorded::{CorruptEvent, Recorded};

/// Events read at once.
const PAGE: usize = 1_024;

/// Why balances of the past cannot be had.
#[derive(Debug, thiserror::Error)]
enum BalanceError {
    #[error("the books cannot be folded")]
    Fold(#[from] RefoldError),
    #[error("late entries cannot be looked for")]
    History(#[from] HistoryError),
    #[error("an entry cannot be read")]
    Read(#[from] ReadError),
    #[error("an entry cannot be read")]
    Corrupt(#[from] CorruptEvent),
    #[error("the balances are too large to count")]
    Money(#[from] MoneyError),
}

#[derive(Debug)]
pub(crate) struct Balance {
    /// The last event of `treasury` that was known.
    pub(crate) known: Seq,
    /// How many entries are in it.
    pub(crate) entries: u64,
    pub(crate) books: Books,
}

/// `until`: exclusive; absent: all that is known. `None` before the first event of `treasury`. Errors: UNAVAILABLE where
/// the books cannot be read, or history cannot catch up with them.
pub(crate) async fn balance(app: &Arc<App>, eyes: &Eyes, until: Option<Timestamp>) -> Result<Option<Balance>, Error> {
    let Some(until) = until else {
        let all = |known: Option<Seq>, books: &Books| {
            known.map(|known| Balance { known, entries: books.entries(), books: books.clone() })
        };
        return Ok(eyes.live(app).books(all));
    };
    let Some(known) = eyes.live(app).books(|known, _| known) else { return Ok(None) };
    fresh::caught_up_with(app, &LogName::treasury()).await?;
    let house = app.clone();
    match tokio::task::spawn_blocking(move || before(&house, known, until)).await {
        Ok(Ok(balance)) => Ok(Some(balance)),
        Ok(Err(error)) => {
            tracing::error!(error = causes(&error), "books.unreadable");
            Err(code(ErrorCode::Unavailable, "The books cannot be read now; try again."))
        }
        Err(_) => Err(code(ErrorCode::Internal, "Reading failed.")),
    }
}

/// What had moved before an instant, as far as it was known at a position.
fn before(app: &App, known: Seq, until: Timestamp) -> Result<Balance, BalanceError> {
    let log = LogName::treasury();
    let last = event_at(&*app.store, &log, known)?.raw.head();
    let end = last_until(&*app.store, &log, last, Timestamp(until.0.saturating_sub(1)))?.map(|head| head.seq);
    let mut books = Books::default();
    if let Some(end) = end {
        books = Live::as_of(&app.snapshots, &*app.store, &BTreeMap::from([(log, end)]))?.books(|_, all| all.clone());
    }
    let Crossing { late, early } = app.history.crossing(end, until, known)?;
    let entries = books.entries() + late.len() as u64 - early.len() as u64;
    legs(app, late, |legs| books.add(legs))?;
    legs(app, early, |legs| books.take_out(legs))?;
    Ok(Balance { known, entries, books })
}

/// Those of the entries at these positions of `treasury`.
fn legs(
    app: &App,
    mut seqs: Vec<Seq>,
    mut each: impl FnMut(&[Leg]) -> Result<(), MoneyError>,
) -> Result<(), BalanceError> {
    let log = LogName::treasury();
    seqs.sort_unstable();
    for seqs in seqs.chunks(PAGE) {
        for raw in app.store.read_at(&log, seqs)? {
            if let Event::Journal(JournalEvent::EntryPosted(entry)) = Recorded::open(&log, raw)?.event {
                each(&entry.legs)?;
            }
        }
    }
    Ok(())
}
