//! Instants and spans in whole microseconds. `now` always comes from outside; nothing here reads a
//! clock. Reading and writing RFC 3339 and ISO 8601 text is the edge's work.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// An instant: microseconds since 1970-01-01T00:00:00Z. In JSON a number (below 2^53 until 2255).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in microseconds, never negative. In JSON a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    pub const ZERO: Span = Span(0);

    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
    pub const fn seconds(count: i64) -> Span {
        Span(count * 1_000_000)
    }
    pub const fn minutes(count: i64) -> Span {
        Span::seconds(count * 60)
    }
    pub const fn days(count: i64) -> Span {
        Span::seconds(count * 86_400)
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    /// Saturates at the end of time.
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    /// Saturates at the beginning of time.
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl Sub<Timestamp> for Timestamp {
    type Output = Span;
    /// The time since `earlier`; zero where that lies later.
    fn sub(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl Sub<Span> for Span {
    type Output = Span;
    /// What is left; zero where nothing is.
    fn sub(self, other: Span) -> Span {
        Span((self.0 - other.0).max(0))
    }
}
