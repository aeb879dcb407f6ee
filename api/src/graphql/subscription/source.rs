//! One log followed for one viewer: its events become items, each with the cursor to go on from.
//!
//! A cursor is a position of the log and a part of the hash there, bound to the viewer and the log: the
//! `feedCursor` of anything that lives in the log, or of any item of its feeds. Where the log no longer holds
//! that position, or the viewer's rights are gone, the feed says so with a `FeedGap` and ends.

use crate::app::App;
use crate::cursor;
use crate::errors::{ErrorCode, code};
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::graphql::sight;
use crate::item;
use crate::shared::{At, Member};
use async_graphql::{Enum, Error, SimpleObject};
use domain::actor::Actor;
use domain::log::LogName;
use domain::time::Timestamp;
use futures_util::{Stream, stream};
use projections::feed::{FeedError, Mark, Reader, Step, Watched};
use std::sync::Arc;
use store::raw::Head;
use store::recorded::Recorded;

#[derive(SimpleObject, Clone)]
pub struct FeedMeta {
    cursor: Cursor,
    log: String,
    pub(super) seq: Seq,
    at: DateTime,
    replay: bool,
}

#[derive(SimpleObject, Clone)]
pub struct FeedGap {
    pub(super) reason: GapReason,
    resume_from: Cursor,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    Retention,
    SlowConsumer,
    ScopeChanged,
}

impl FeedMeta {
    pub(super) fn new(cursor: Cursor, log: &LogName, seq: u64, at: Timestamp, replay: bool) -> FeedMeta {
        FeedMeta { cursor, log: log.to_string(), seq: Seq(seq), at: DateTime(at), replay }
    }
}

impl FeedGap {
    pub(super) fn new(reason: GapReason, resume_from: Cursor) -> FeedGap {
        FeedGap { reason, resume_from }
    }
}

/// What becomes of an event.
pub(super) enum Made<T> {
    Item(T),
    /// It is nothing to this feed.
    Nothing,
    /// The viewer may not follow this any more.
    OutOfScope,
}

/// A feed of one log: what is watched, and what its events become.
pub(super) trait Feed: Send + Sync + 'static {
    type Item: Send + 'static;

    /// Every event that concerns the feed comes by here first, whoever makes an item of it.
    fn comes_by(&self, _event: &Recorded) {}

    fn make(
        &mut self,
        app: &Arc<App>,
        viewer: &Actor,
        event: &Recorded,
        meta: FeedMeta,
    ) -> impl Future<Output = Result<Made<Self::Item>, Error>> + Send;

    fn gap(&self, meta: FeedMeta, gap: FeedGap) -> Self::Item;
}

/// Where a query stood in a log, for the feed that goes on from it.
pub(crate) fn feed_cursor(app: &App, viewer: &Actor, log: &LogName, head: Option<Head>) -> Cursor {
    encode(app, viewer, log, head.map(Mark::from))
}

fn scope(viewer: &Actor, log: &LogName) -> String {
    format!("feed\n{}\n{log}", sight(viewer))
}

fn encode(app: &App, viewer: &Actor, log: &LogName, mark: Option<Mark>) -> Cursor {
    let payload = mark.map(|mark| [&mark.seq.to_be_bytes()[..], &mark.hash].concat());
    Cursor(cursor::encode(&app.cursor_secret, &scope(viewer, log), &payload.unwrap_or_default()))
}

/// `None`: before the first event.
pub(super) fn decode(
    app: &App,
    viewer: &Actor,
    log: &LogName,
    given: &Cursor,
) -> Result<Option<Mark>, cursor::BadCursor> {
    let payload = cursor::decode(&app.cursor_secret, &scope(viewer, log), &given.0)?;
    if payload.is_empty() {
        return Ok(None);
    }
    let (seq, hash) = payload.split_first_chunk::<8>().ok_or(cursor::BadCursor)?;
    let hash = hash.try_into().map_err(|_| cursor::BadCursor)?;
    Ok(Some(Mark { seq: u64::from_be_bytes(*seq), hash }))
}

/// What is absent, and what the viewer may not watch: which one is not said.
pub(super) fn nothing_to_watch(viewer: &Actor) -> Error {
    match viewer {
        Actor::Anonymous => code(ErrorCode::Unauthenticated, "A feed needs a token."),
        _ => code(ErrorCode::Forbidden, "There is nothing here that you may watch."),
    }
}

/// Follows `log` from `after`, or from now on. Errors: BAD_REQUEST for a cursor of another viewer or log.
pub(super) async fn follow<F: Feed>(
    app: &Arc<App>,
    viewer: Actor,
    log: LogName,
    watched: Vec<Watched>,
    after: Option<Cursor>,
    feed: F,
    equal: Option<Arc<Member>>,
) -> Result<impl Stream<Item = Result<F::Item, Error>> + use<F>, Error> {
    let after = match after {
        None => Start::Now,
        Some(given) => decode(app, &viewer, &log, &given)?.map_or(Start::First, Start::After),
    };
    let (feeds, name) = (app.feeds.clone(), log.clone());
    let begun = tokio::task::spawn_blocking(move || match after {
        Start::Now => feeds.follow(&name, watched, None),
        Start::First => feeds.follow_from_start(&name, watched),
        Start::After(mark) => feeds.follow(&name, watched, Some(mark)),
    });
    let reading = match begun.await {
        Ok(Ok(reader)) => Reading::Goes(Box::new(reader)),
        Ok(Err(FeedError::Forked)) => Reading::Stops(GapReason::Retention),
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => return Err(code(ErrorCode::Internal, "Following failed.")),
    };
    // The last event that was looked at; a gap goes on from there.
    let last = match after {
        Start::After(mark) => Some(mark),
        Start::Now | Start::First => None,
    };
    let source = Source { app: app.clone(), viewer, log, feed, reading, last, equal };
    Ok(stream::unfold(source, |mut source| async move {
        let item = source.next().await?;
        Some((item, source))
    }))
}

#[derive(Clone, Copy)]
enum Start {
    Now,
    First,
    After(Mark),
}

enum Reading {
    Goes(Box<Reader>),
    /// A gap is to be told, then it ends.
    Stops(GapReason),
    Ended,
}

struct Source<F> {
    app: Arc<App>,
    viewer: Actor,
    log: LogName,
    feed: F,
    reading: Reading,
    last: Option<Mark>,
    /// Absent where an item depends on more than its event and the viewer's sight.
    equal: Option<Arc<Member>>,
}

impl<F: Feed> Source<F> {
    /// The next item; none at the end.
    async fn next(&mut self) -> Option<Result<F::Item, Error>> {
        loop {
            let mut reader = match std::mem::replace(&mut self.reading, Reading::Ended) {
                Reading::Goes(reader) => reader,
                Reading::Stops(reason) => return Some(Ok(self.tell_gap(reason))),
                Reading::Ended => return None,
            };
            match reader.step() {
                Ok(Step::Event(event)) => {
                    let replay = reader.is_replay(event.seq);
                    self.reading = Reading::Goes(reader);
                    self.feed.comes_by(&event);
                    let erasures = self.app.live.erasures();
                    let at = At { mark: Mark::from(event.raw.head()), replay, erasures };
                    if self.equal.as_ref().is_some_and(|member| member.takes(at)) {
                        self.last = Some(at.mark);
                        return Some(Err(code(ErrorCode::Internal, "An item of an equal subscription was lost.")));
                    }
                    match self.make(&event, replay).await {
                        Ok(Made::Item(item)) => {
                            if let Some(member) = &self.equal {
                                member.makes(at);
                            }
                            return Some(Ok(item));
                        }
                        Ok(Made::Nothing) => {}
                        Ok(Made::OutOfScope) => self.reading = Reading::Stops(GapReason::ScopeChanged),
                        Err(error) => {
                            self.reading = Reading::Ended;
                            return Some(Err(error));
                        }
                    }
                }
                Ok(Step::Read) if reader.is_lost() => {
                    self.reading = Reading::Stops(GapReason::SlowConsumer);
                }
                Ok(Step::Read) => match read_on(reader).await {
                    Ok(Ok(reader)) => self.reading = Reading::Goes(reader),
                    Ok(Err(FeedError::Forked)) => self.reading = Reading::Stops(GapReason::Retention),
                    Ok(Err(error)) => return Some(Err(unreadable(&error))),
                    Err(error) => return Some(Err(error)),
                },
                Ok(Step::Wait) => {
                    reader.arrived().await;
                    self.reading = Reading::Goes(reader);
                }
                Err(FeedError::Forked) => self.reading = Reading::Stops(GapReason::Retention),
                Err(error) => return Some(Err(unreadable(&error))),
            }
        }
    }

    async fn make(&mut self, event: &Recorded, replay: bool) -> Result<Made<F::Item>, Error> {
        let mark = Mark::from(event.raw.head());
        let cursor = encode(&self.app, &self.viewer, &self.log, Some(mark));
        let meta = FeedMeta::new(cursor, &self.log, event.seq, event.time, replay);
        let made = item::made(self.feed.make(&self.app, &self.viewer, event, meta)).await;
        // Its feed ends, as with any other error of making: who goes on from the last cursor meets the event again.
        let made = made.map_err(|_| code(ErrorCode::Timeout, "An item was not made in time."))??;
        if !matches!(made, Made::OutOfScope) {
            self.last = Some(mark);
        }
        Ok(made)
    }

    /// After a fork the only position left to go on from is the log's end.
    fn tell_gap(&mut self, reason: GapReason) -> F::Item {
        let head = self.app.live.head(&self.log).map(Mark::from);
        let from = if reason == GapReason::Retention { head } else { self.last.or(head) };
        let cursor = encode(&self.app, &self.viewer, &self.log, from);
        let seq = from.map_or(0, |mark| mark.seq);
        let meta = FeedMeta::new(cursor.clone(), &self.log, seq, self.app.clock.now(), false);
        self.feed.gap(meta, FeedGap::new(reason, cursor))
    }
}

/// The reader after it has read a page of the log, off the async threads.
pub(super) async fn read_on(mut reader: Box<Reader>) -> Result<Result<Box<Reader>, FeedError>, Error> {
    let read = tokio::task::spawn_blocking(move || reader.read_on().map(|()| reader));
    read.await.map_err(|_| code(ErrorCode::Internal, "Following failed."))
}

pub(super) fn unreadable(error: &dyn std::error::Error) -> Error {
    tracing::error!(%error, "feed.unreadable");
    code(ErrorCode::Unavailable, "The log cannot be read now; try again.")
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
