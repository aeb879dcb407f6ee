//! The name of a log and a position in it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A position in one log: the first event stands at 0, and there are no gaps.
pub type Seq = u64;

/// The name of a log, `[a-z][a-z0-9-]{0,31}`: a call server's name, or one of the reserved names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName(Arc<str>);

/// Not of the form `[a-z][a-z0-9-]{0,31}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLogName;

impl fmt::Display for BadLogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name starts with a-z and has at most 32 characters of a-z, 0-9 and -")
    }
}
impl std::error::Error for BadLogName {}

/// Names that no call server can take.
const RESERVED: [&str; 3] = ["community", "treasury", "effects"];

impl LogName {
    /// Providers, offers, call servers, acceptances.
    pub fn community() -> LogName {
        LogName(Arc::from("community"))
    }
    /// What leaves the house: webhooks and their deliveries.
    pub fn effects() -> LogName {
        LogName(Arc::from("effects"))
    }
    /// The books: a journal entry for each event that moves money.
    pub fn treasury() -> LogName {
        LogName(Arc::from("treasury"))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether the name is kept for the house's own logs.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.as_str())
    }
}

impl FromStr for LogName {
    type Err = BadLogName;
    fn from_str(text: &str) -> Result<LogName, BadLogName> {
        let bytes = text.as_bytes();
        let valid = (1..=32).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if valid { Ok(LogName(Arc::from(text))) } else { Err(BadLogName) }
    }
}
impl Serialize for LogName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for LogName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        crate::text::read(d)
    }
}
impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_boundary() {
        let longest = "a".repeat(32);
        for good in ["a", "bank-1", longest.as_str()] {
            assert!(good.parse::<LogName>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(33);
        for bad in ["", "1a", "-a", "A", "a_b", "a/b", "..", "ä", too_long.as_str()] {
            assert_eq!(bad.parse::<LogName>(), Err(BadLogName), "{bad}");
        }
    }
}
