//! Live views of a past position: a `Live` of its own, folded up to exactly the positions asked for.
//!
//! The two logs that make a market are folded apart: the call server's first, as at a start, and then
//! `community` up to a position of its own. What comes of it depends on the two positions alone.

use super::{Live, RefoldError, each_page_to};
use domain::log::{LogName, Seq};
use std::collections::BTreeMap;
use store::backend::EventStore;

impl Live {
    /// The views as they were when each of these logs ended at its position (inclusive). A log that is not
    /// named counts as empty. Errors: a log that cannot be read or folded, or ends before its position.
    pub fn as_of(store: &dyn EventStore, heads: &BTreeMap<LogName, Seq>) -> Result<Live, RefoldError> {
        let live = Live::new();
        let community = LogName::community();
        // The reserved logs but `community` have no live view.
        let markets = heads.iter().filter(|(log, _)| !log.is_reserved());
        for (log, to) in markets.chain(heads.get_key_value(&community)) {
            each_page_to(store, log, 0, Some(*to), |page| Ok(live.apply(page)?))?;
            if live.head(log).is_none_or(|head| head.seq != *to) {
                return Err(RefoldError::Ended { log: log.clone(), seq: *to });
            }
        }
        Ok(live)
    }
}
