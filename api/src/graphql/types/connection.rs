//! Relay connections: pages of a list, with cursors that hold the key of an entry and are bound to the
//! viewer, the field, the filter and, where the past is read, the moment.

use super::eyes::Eyes;
use crate::app::App;
use crate::cursor;
use crate::graphql::scalars::Cursor;
use crate::graphql::sight;
use async_graphql::{Error, SimpleObject};
use domain::ids::{InquiryId, QueueId};
use domain::log::LogName;
use domain::time::Timestamp;
use domain::topic::Topic;
use projections::history::lists::PostingPosition;
use projections::history::trail::Position;
use std::sync::Arc;

/// What `first` may be at most; the transport refuses more before anything runs.
pub(crate) const FIRST_MAX: usize = 100;

#[derive(SimpleObject, Debug)]
pub struct PageInfo {
    pub(crate) has_next_page: bool,
    pub(crate) has_previous_page: bool,
    pub(crate) start_cursor: Option<Cursor>,
    pub(crate) end_cursor: Option<Cursor>,
}

/// `first` and `after` of one list.
pub(crate) struct Pager<K> {
    pub(crate) first: usize,
    pub(crate) after: Option<K>,
    scope: String,
    app: Arc<App>,
}

impl<K: Key> Pager<K> {
    /// `list`: the field and what it hangs on; `filter`: all that the list depends on besides.
    ///
    /// Errors: BAD_REQUEST for a cursor of another list, filter, viewer or moment.
    pub(crate) fn new(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        list: impl std::fmt::Display,
        filter: &impl std::fmt::Debug,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<Pager<K>, Error> {
        let eyes = eyes.into();
        let scope = format!("{}\n{list}\n{filter:?}{}", sight(&eyes.viewer), eyes.scope());
        let read = |Cursor(text): Cursor| {
            let payload = cursor::decode(&app.cursor_secret, &scope, &text)?;
            K::read(&payload).ok_or(cursor::BadCursor)
        };
        let after = after.map(read).transpose()?;
        let first = usize::try_from(first).unwrap_or(0).min(FIRST_MAX);
        Ok(Pager { first, after, scope, app: app.clone() })
    }

    pub(crate) fn cursor(&self, key: &K) -> Cursor {
        Cursor(cursor::encode(&self.app.cursor_secret, &self.scope, &key.write()))
    }

    /// One more than a page, to see whether there is another.
    pub(crate) fn limit(&self) -> usize {
        self.first + 1
    }

    /// Rows of a list in order, at most `limit` of them, that this page takes; whether more follow.
    pub(crate) fn cut<T>(&self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > self.first;
        rows.truncate(self.first);
        (rows, more)
    }

    /// The page of a list that is all in memory, in order. `keys` grow, or shrink where the list is
    /// reversed.
    pub(crate) fn slice<T>(
        &self,
        all: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> K,
        reverse: bool,
    ) -> (Vec<T>, bool)
    where
        K: Ord,
    {
        let past = |row: &T| match &self.after {
            None => true,
            Some(after) if reverse => key(row) < *after,
            Some(after) => key(row) > *after,
        };
        self.cut(all.into_iter().filter(past).take(self.limit()).collect())
    }

    /// Reads on until the page is full or the list ends: `next` gives rows after a key, at most `limit`;
    /// `take` says what of a row the viewer sees.
    pub(crate) fn sift<R, T>(
        &self,
        next: impl Fn(Option<&K>, usize) -> Vec<R>,
        key: impl Fn(&R) -> K,
        take: impl Fn(R) -> Option<T>,
    ) -> (Vec<(K, T)>, bool)
    where
        K: Clone,
    {
        let mut found = Vec::new();
        let mut after = self.after.clone();
        loop {
            let rows = next(after.as_ref(), SIFT_ROWS);
            let ended = rows.len() < SIFT_ROWS;
            for row in rows {
                let at = key(&row);
                after = Some(at.clone());
                if let Some(taken) = take(row) {
                    found.push((at, taken));
                    if found.len() > self.first {
                        return self.cut(found);
                    }
                }
            }
            if ended {
                return (found, false);
            }
        }
    }

    pub(crate) fn info(&self, first: Option<Cursor>, last: Option<Cursor>, more: bool) -> PageInfo {
        PageInfo { has_next_page: more, has_previous_page: self.after.is_some(), start_cursor: first, end_cursor: last }
    }
}

/// Rows read at a time where a list is sifted.
const SIFT_ROWS: usize = 256;

/// What a cursor holds: the place of an entry in its list. Nothing that its viewer may not see.
pub(crate) trait Key: Sized {
    fn write(&self) -> Vec<u8>;
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Key for u64 {
    fn write(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn read(bytes: &[u8]) -> Option<u64> {
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
}

/// An id.
impl Key for u128 {
    fn write(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn read(bytes: &[u8]) -> Option<u128> {
        bytes.try_into().ok().map(u128::from_be_bytes)
    }
}

/// A place in a queue.
impl Key for (Timestamp, InquiryId) {
    fn write(&self) -> Vec<u8> {
        [&self.0.0.to_be_bytes()[..], &self.1.0.to_be_bytes()].concat()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (time, id) = bytes.split_first_chunk::<8>()?;
        Some((Timestamp(i64::from_be_bytes(*time)), InquiryId(u128::read(id)?)))
    }
}

impl Key for (Topic, QueueId) {
    fn write(&self) -> Vec<u8> {
        [&self.1.0.to_be_bytes()[..], self.0.as_str().as_bytes()].concat()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, topic) = bytes.split_first_chunk::<16>()?;
        let topic = std::str::from_utf8(topic).ok()?.parse().ok()?;
        Some((topic, QueueId(u128::from_be_bytes(*id))))
    }
}

impl Key for Position {
    fn write(&self) -> Vec<u8> {
        [&self.time.0.to_be_bytes()[..], &self.seq.to_be_bytes(), self.log.as_str().as_bytes()].concat()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        let (seq, log) = rest.split_first_chunk::<8>()?;
        let log: LogName = std::str::from_utf8(log).ok()?.parse().ok()?;
        Some(Position { time: Timestamp(i64::from_be_bytes(*time)), log, seq: u64::from_be_bytes(*seq) })
    }
}

impl Key for PostingPosition {
    fn write(&self) -> Vec<u8> {
        [&self.leg.to_be_bytes()[..], &self.event.write()].concat()
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (leg, event) = bytes.split_first_chunk::<4>()?;
        Some(PostingPosition { event: Position::read(event)?, leg: u32::from_be_bytes(*leg) })
    }
}

/// A connection and its edge, as the contract names them.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            cursor: $crate::graphql::scalars::Cursor,
            node: $node,
        }

        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            edges: Vec<$edge>,
            pub(crate) page_info: $crate::graphql::types::connection::PageInfo,
        }

        impl $connection {
            /// Nodes with their keys, in order; whether more follow.
            pub(crate) fn page<K: $crate::graphql::types::connection::Key>(
                pager: &$crate::graphql::types::connection::Pager<K>,
                (nodes, more): (Vec<(K, $node)>, bool),
            ) -> $connection {
                let edges: Vec<$edge> =
                    nodes.into_iter().map(|(key, node)| $edge { cursor: pager.cursor(&key), node }).collect();
                let first = edges.first().map(|edge| edge.cursor.clone());
                let last = edges.last().map(|edge| edge.cursor.clone());
                $connection { page_info: pager.info(first, last, more), edges }
            }
        }
    };
}
pub(crate) use connection;
