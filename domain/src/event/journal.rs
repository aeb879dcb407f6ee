//! Events of the log `treasury`: the books. What a call server's event moves is a fact of that event; here it gets
//! its place in the journal.

use crate::event::community::SourcePosition;
use crate::event::settlement::Leg;
use crate::fees::FeeRule;
use crate::ids::Subject;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEvent {
    EntryPosted(EntryPosted),
    FeeRuleSet(FeeRuleSet),
    /// In a call server's log.
    FeeRuleTaken(FeeRuleTaken),
}

/// One event of a call server that moves money, in the books. Its legs sum to zero in each currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPosted {
    /// Whose money moved: a settlement, or the account that was credited.
    pub about: Subject,
    /// When the money moved: the time of the source, while the envelope's is when the books learned of it.
    pub at: Timestamp,
    /// Those of the source, in its order; each names its rule and version.
    pub legs: Vec<Leg>,
    /// Of the entry, from 1 without gaps: what stands between is no entry.
    pub number: u64,
    pub source: SourcePosition,
}

/// What the house takes of a price, from an instant on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRuleSet {
    pub rule: FeeRule,
}

/// The same, where prices are settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRuleTaken {
    pub rule: FeeRule,
    pub source: SourcePosition,
}
