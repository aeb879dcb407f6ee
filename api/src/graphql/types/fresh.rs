//! Reads that must contain a write: `minSeq`, and lists that history answers.

use crate::app::{App, blocking};
use crate::errors::{ErrorCode, code};
use crate::graphql::scalars::Seq;
use async_graphql::Error;
use domain::actor::Actor;
use domain::ids::Subject;
use domain::log::LogName;
use projections::history::Waited;
use std::sync::Arc;
use std::time::Duration;
use store::raw::Head;
use tokio::time::Instant;

/// How long a read waits for what it must contain.
const PATIENCE: Duration = Duration::from_secs(2);
/// A position this far beyond its log's head is nobody's answer yet: waiting for it is pointless.
const AHEAD_MAX: u64 = 10_000;

/// Waits until the log of `id` is folded up to `min_seq`, without holding a thread. Errors: STALE_READ after
/// two seconds, also where the id is nobody's: then the position it waits for has no log. At once for a
/// position far beyond the head, and for a caller without a token: what it was answered, the views hold.
pub(crate) async fn at_least(
    app: &Arc<App>,
    viewer: &Actor,
    id: impl Into<Subject>,
    min_seq: Option<Seq>,
) -> Result<(), Error> {
    let Some(Seq(seq)) = min_seq else { return Ok(()) };
    let id = id.into();
    let stale = || code(ErrorCode::StaleRead, "minSeq is not reached yet; ask again");
    let deadline = Instant::now() + PATIENCE;
    let mut moved = app.views_moved.subscribe();
    let may_wait = *viewer != Actor::Anonymous;
    let mut log = known(app, id);
    if log.is_none() && may_wait {
        log = recorded(app, id).await?;
    }
    loop {
        moved.mark_unchanged();
        log = log.or_else(|| known(app, id));
        if let Some(log) = &log {
            let next = Head::next(app.live.head(log));
            if seq < next {
                return Ok(());
            }
            if seq - next >= AHEAD_MAX {
                return Err(stale());
            }
        }
        if !may_wait || !matches!(tokio::time::timeout_at(deadline, moved.changed()).await, Ok(Ok(()))) {
            return Err(stale());
        }
    }
}

/// The log that an id lives in, where memory knows it.
fn known(app: &App, id: Subject) -> Option<LogName> {
    match id {
        Subject::OfferId(_) => Some(LogName::community()),
        _ => app.live.place(id).map(|place| place.log),
    }
}

/// The same for what is long closed.
async fn recorded(app: &Arc<App>, id: Subject) -> Result<Option<LogName>, Error> {
    let house = app.clone();
    let recorded = blocking(move || house.history.log_of(&*house.store, id)).await?;
    Ok(recorded.filter(|log| !log.is_reserved()))
}

/// Waits until history holds whatever the live views held when this was asked. On a full disk it cannot, and
/// says so at once: then what it holds is served, as everything else is. Errors: UNAVAILABLE after two seconds.
pub(crate) async fn caught_up(app: &Arc<App>) -> Result<(), Error> {
    caught_up_to(app, app.live.heads()).await
}

/// The same of one log.
pub(crate) async fn caught_up_with(app: &Arc<App>, log: &LogName) -> Result<(), Error> {
    caught_up_to(app, app.live.head(log).map(|head| (log.clone(), head)).into_iter().collect()).await
}

async fn caught_up_to(app: &Arc<App>, heads: Vec<(LogName, Head)>) -> Result<(), Error> {
    let behind = |log: &LogName, seq| app.history.checkpoint(log).is_none_or(|known| known.head.seq < seq);
    if !heads.iter().any(|(log, head)| behind(log, head.seq)) {
        return Ok(());
    }
    let house = app.clone();
    let wait = move || {
        // It may sleep after having found the disk full: then it looks once more.
        house.wake_projector();
        Ok(house.history.wait_unless_full(&heads, PATIENCE))
    };
    match blocking(wait).await? {
        Waited::There | Waited::Full => Ok(()),
        Waited::Late => Err(code(ErrorCode::Unavailable, "History is behind; try again.")),
    }
}
