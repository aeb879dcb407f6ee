//! The house as it was: a point of the past resolved to one position in each log, and the live views folded up to
//! exactly there.
//!
//! Promises: the same fold as the live views', over the same events, so that what was true then reads as it read
//! then; a position means the same rows for ever, before and after a restart; one fold at a time, so that the past
//! never takes the present's cores, and by turns ([`line`]); a few folds are kept for as long as somebody looks.
//!
//! The positions are those of one moment: the asked log's own, and of every other log the last event at or before
//! its instant. `community` is never behind what a call server had taken over from it, nor a call server ahead of an
//! asked position of `community`: else an inquiry could stand there without its offer, where clocks went back or many
//! events have one instant.
//!
//! Not here: who may see what (rights are the present's: `types::rights`), and rows that are no live view's.

mod line;

use crate::app::{App, PATIENCE, blocking, fold};
use crate::errors::{ErrorCode, busy_field, code};
use async_graphql::Error;
use domain::actor::Actor;
use domain::ids::InquiryId;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use line::Line;
use projections::live::{DossierHandle, Live, RefoldError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::backend::{EventStore, ReadError};
use store::raw::Head;
use store::recorded::Recorded;
use tokio::time::Instant;

/// The last event of each log that is part of it. A log that had none is not named.
pub(crate) type Heads = BTreeMap<LogName, Head>;

/// Folds that are kept. Each may be as large as the live views.
const KEPT_MAX: usize = 4;
/// How long one is kept that nobody asks for.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// When to come again where there was no place in line.
const COME_AGAIN: Duration = Duration::from_secs(1);
/// Events read at a time.
const PAGE: u64 = 1_024;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Seq { log: LogName, seq: Seq },
    At { at: Timestamp, log: Option<LogName> },
}

/// One moment of the past.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) point: Point,
    /// Of the asked log, where one was asked for and had begun.
    pub(crate) seq: Option<Seq>,
    pub(crate) at: Timestamp,
    pub(crate) rows: Arc<Rows>,
}

/// The live views up to these positions, and no further.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) live: Live,
    heads: Heads,
}

impl Past {
    /// The log that was asked for.
    pub(crate) fn log(&self) -> Option<&LogName> {
        match &self.point {
            Point::Seq { log, .. } => Some(log),
            Point::At { log, .. } => log.as_ref(),
        }
    }

    /// The last event of a log that had happened.
    pub(crate) fn end(&self, log: &LogName) -> Option<Seq> {
        self.rows.heads.get(log).map(|head| head.seq)
    }

    /// Whether the event at this position had happened.
    pub(crate) fn holds(&self, log: &LogName, seq: Seq) -> bool {
        self.end(log).is_some_and(|end| seq <= end)
    }

    /// Everything about an inquiry as it was; `None` where it was not yet. One that had closed long before is folded
    /// from its events.
    pub(crate) async fn dossier(
        self: &Arc<Past>,
        app: &Arc<App>,
        inquiry: InquiryId,
    ) -> Result<Option<DossierHandle>, Error> {
        if let Some(handle) = self.rows.live.dossier(inquiry) {
            return Ok(Some(handle));
        }
        let (past, house) = (self.clone(), app.clone());
        blocking(move || {
            let mut events = house.history.events_of(&*house.store, inquiry.into())?;
            events.retain(|event| past.holds(&event.log, event.seq));
            Ok(fold(&events))
        })
        .await
    }
}

/// The folds of one house.
#[derive(Debug, Default)]
pub(crate) struct Pasts {
    line: Mutex<Line>,
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    rows: Arc<Rows>,
    used: Instant,
}

impl Pasts {
    /// Lets go of all, for a log that has lost its end. What is asked for from now on resolves to other hashes.
    pub(crate) fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, heads: &Heads, now: Instant) -> Option<Arc<Rows>> {
        let mut kept = self.kept();
        let found = kept.iter_mut().find(|one| one.rows.heads == *heads)?;
        found.used = now;
        Some(found.rows.clone())
    }

    /// Keeps a fold; the one that was asked for least lately makes room. Whether it is the only one.
    fn keep(&self, rows: Arc<Rows>, now: Instant) -> bool {
        let mut kept = self.kept();
        if kept.len() == KEPT_MAX
            && let Some(oldest) = (0..kept.len()).min_by_key(|at| kept[*at].used)
        {
            kept.swap_remove(oldest);
        }
        kept.push(Kept { rows, used: now });
        kept.len() == 1
    }

    /// Lets go of what nobody asked for lately; whether anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut kept = self.kept();
        kept.retain(|one| now - one.used < KEPT_FOR);
        !kept.is_empty()
    }
}

/// The house at this point. `None`: no such log, no such position, or an instant that is not past.
///
/// Errors: RATE_LIMITED where the caller has enough in line, or others come before it; UNAVAILABLE where others' folds,
/// or this one, take longer than a request has; what was begun is kept for who asks again.
pub(crate) async fn as_of(app: &Arc<App>, who: &Actor, point: Point) -> Result<Option<Past>, Error> {
    let deadline = Instant::now() + PATIENCE;
    let (house, asked) = (app.clone(), point.clone());
    let found = unhindered(move || resolve(&house.live, &*house.store, house.clock.now(), &asked)).await?;
    let Some((at, heads)) = found else { return Ok(None) };
    let rows = rows(app, who, heads, deadline).await?;
    let past = Past { seq: None, point, at, rows };
    let seq = past.log().and_then(|log| past.rows.heads.get(log)).map(|head| head.seq);
    Ok(Some(Past { seq, ..past }))
}

async fn rows(app: &Arc<App>, who: &Actor, heads: Heads, deadline: Instant) -> Result<Arc<Rows>, Error> {
    if let Some(rows) = app.pasts.find(&heads, Instant::now()) {
        return Ok(rows);
    }
    let Some(told) = app.pasts.line().enter(who, heads) else {
        return Err(busy_field("you look at too many moments at once", COME_AGAIN));
    };
    tokio::spawn(take_turns(app.clone()));
    match tokio::time::timeout_at(deadline, told).await {
        Ok(Ok(folded)) => folded,
        Ok(Err(_)) => Err(busy_field("too many moments are looked at", COME_AGAIN)),
        Err(_) => Err(code(ErrorCode::Unavailable, "The past is still being folded; try again.")),
    }
}

/// Folds for whoever's turn it is, until nobody waits; at once where another does so already.
async fn take_turns(app: Arc<App>) {
    loop {
        let Some(heads) = app.pasts.line().next() else { return };
        let folded = match app.pasts.find(&heads, Instant::now()) {
            // It was made between the look and the place in line.
            Some(rows) => Ok(rows),
            None => folded(&app, heads).await,
        };
        app.pasts.line().end(folded);
    }
}

async fn folded(app: &Arc<App>, heads: Heads) -> Result<Arc<Rows>, Error> {
    let house = app.clone();
    let rows = unhindered(move || {
        let ends = heads.iter().map(|(log, head)| (log.clone(), head.seq)).collect();
        let live = Live::as_of(&house.snapshots, &*house.store, &ends)?;
        // A log that lost its end meanwhile, and has another: it resolves to that next time.
        Ok((live.heads().into_iter().collect::<Heads>() == heads).then_some(Rows { live, heads }))
    });
    let rows = Arc::new(rows.await?.ok_or_else(unreadable)?);
    if app.pasts.keep(rows.clone(), Instant::now()) {
        tokio::spawn(sweep(Arc::downgrade(app)));
    }
    Ok(rows)
}

/// Runs what reads logs off the async threads.
async fn unhindered<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RefoldError> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::error!(%error, "past.unreadable");
            Err(unreadable())
        }
        Err(_) => Err(code(ErrorCode::Internal, "Reading failed.")),
    }
}

fn unreadable() -> Error {
    code(ErrorCode::Unavailable, "The past cannot be read now; try again.")
}

/// Runs for as long as anything is kept.
async fn sweep(app: std::sync::Weak<App>) {
    loop {
        tokio::time::sleep(KEPT_FOR / 4).await;
        match app.upgrade() {
            Some(app) if app.pasts.sweep(Instant::now()) => {}
            _ => return,
        }
    }
}

/// The instant, and the position of each log there. No position lies beyond what the live views hold: who may see
/// what is asked of them.
fn resolve(
    live: &Live,
    store: &dyn EventStore,
    now: Timestamp,
    point: &Point,
) -> Result<Option<(Timestamp, Heads)>, RefoldError> {
    let known: Heads = live.heads().into_iter().collect();
    let (at, fixed) = match point {
        Point::Seq { log, seq } => {
            if known.get(log).is_none_or(|head| *seq > head.seq) {
                return Ok(None);
            }
            let event = event_at(store, log, *seq)?;
            (event.time, Some((log, event.raw.head())))
        }
        Point::At { at, log } => {
            // A call server that has recorded nothing yet has a log all the same.
            let is_one = |log: &LogName| known.contains_key(log) || live.call_server(log).is_some();
            if *at > now || log.as_ref().is_some_and(|log| !is_one(log)) {
                return Ok(None);
            }
            (*at, None)
        }
    };
    Ok(Some((at, heads_at(&known, store, at, fixed)?)))
}

/// The position of each log at this instant. `known`: their ends; `fixed`: the one that was asked for.
fn heads_at(
    known: &Heads,
    store: &dyn EventStore,
    at: Timestamp,
    fixed: Option<(&LogName, Head)>,
) -> Result<Heads, RefoldError> {
    let mut heads = Heads::new();
    for (log, end) in known {
        let there = match fixed {
            Some((asked, head)) if asked == log => Some(head),
            _ => last_until(store, log, *end, at)?,
        };
        heads.extend(there.map(|head| (log.clone(), head)));
    }
    let community = LogName::community();
    let most = fixed.filter(|(log, _)| **log == community).map(|(_, head)| head.seq);
    let mut taken: Option<Seq> = None;
    for log in known.keys().filter(|log| !log.is_reserved()) {
        let Some(head) = heads.remove(log) else { continue };
        let (last, source) = not_ahead(store, log, head, most)?;
        heads.extend(last.map(|head| (log.clone(), head)));
        taken = taken.max(source);
    }
    if let Some(taken) = taken
        && heads.get(&community).is_none_or(|head| head.seq < taken)
    {
        heads.insert(community.clone(), event_at(store, &community, taken)?.raw.head());
    }
    Ok(heads)
}

/// The last event up to `head` that is not later than `at`. A log's time never goes back.
pub(crate) fn last_until(
    store: &dyn EventStore,
    log: &LogName,
    head: Head,
    at: Timestamp,
) -> Result<Option<Head>, RefoldError> {
    let is_later = |seq| Ok::<_, RefoldError>(event_at(store, log, seq)?.time > at);
    if !is_later(head.seq)? {
        return Ok(Some(head));
    }
    let (mut first, mut end) = (0, head.seq);
    while first < end {
        let middle = first + (end - first) / 2;
        if is_later(middle)? { end = middle } else { first = middle + 1 }
    }
    match first.checked_sub(1) {
        Some(last) => Ok(Some(event_at(store, log, last)?.raw.head())),
        None => Ok(None),
    }
}

/// The last event up to `head` before any that came of a position of `community` beyond `most`, and the last
/// position of `community` that had been taken over there.
// Read backwards until an event names its source: acceptances are never far apart where there is a market.
fn not_ahead(
    store: &dyn EventStore,
    log: &LogName,
    head: Head,
    most: Option<Seq>,
) -> Result<(Option<Head>, Option<Seq>), RefoldError> {
    let (mut last, mut end) = (Some(head), head.seq + 1);
    while end > 0 {
        let from = end.saturating_sub(PAGE / 8);
        for raw in store.read(log, from, usize::try_from(end - from).unwrap_or(usize::MAX))?.into_iter().rev() {
            let event = Recorded::open(log, raw)?;
            // The one before an event that has to go.
            last = last.or_else(|| Some(event.raw.head()));
            match event.source.as_ref().filter(|source| source.log == LogName::community()) {
                Some(source) if most.is_some_and(|most| source.seq > most) => last = None,
                Some(source) => return Ok((last, Some(source.seq))),
                None => {}
            }
        }
        end = from;
    }
    Ok((last, None))
}

pub(crate) fn event_at(store: &dyn EventStore, log: &LogName, seq: Seq) -> Result<Recorded, RefoldError> {
    let found = store.read(log, seq, 1)?.into_iter().next();
    let raw = found.ok_or_else(|| ReadError::Missing { log: log.clone(), seq })?;
    Ok(Recorded::open(log, raw)?)
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
