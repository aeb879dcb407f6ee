//! The journal: which entries there are, in its order: by when the money moved, then as they were posted. An entry that
//! was posted late stands where its money moved.
//!
//! As far as `treasury` is folded in. Not here: the entries themselves, which the log has, and balances (`live::books`).

use super::rows::{Whole, text};
use super::{History, HistoryError};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

/// Where an entry stands: when its money moved, and its position in `treasury`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPlace {
    pub at: Timestamp,
    pub seq: Seq,
}

/// What is asked of the journal; the default asks for all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// With a leg of this account: its path in the chart.
    pub account: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    /// Up to this position of `treasury`, inclusive: as the journal was then.
    pub known: Option<Seq>,
}

/// Entries whose place in the journal and in the log lie on different sides of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Posted after the position, and their money had moved before the instant. In no order.
    pub late: Vec<Seq>,
    /// Posted up to the position, and their money moved at the instant or after it: a clock went back.
    pub early: Vec<Seq>,
}

fn place(row: &Row<'_>) -> rusqlite::Result<EntryPlace> {
    let Whole(seq) = row.get("seq")?;
    Ok(EntryPlace { at: Timestamp(row.get("at")?), seq })
}

impl History {
    /// In the journal's order.
    pub fn journal(
        &self,
        filter: &JournalFilter,
        after: Option<EntryPlace>,
        limit: usize,
    ) -> Result<Vec<EntryPlace>, HistoryError> {
        let signed = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
        let mut conditions = vec!["1"];
        let mut values: Vec<Value> = Vec::new();
        let table = if filter.account.is_some() { "entry_account" } else { "entry" };
        if let Some(account) = &filter.account {
            conditions.push("account = ?");
            values.push(account.clone().into());
        }
        for (condition, bound) in [("at >= ?", filter.from), ("at < ?", filter.to)] {
            if let Some(bound) = bound {
                conditions.push(condition);
                values.push(bound.0.into());
            }
        }
        if let Some(known) = filter.known {
            conditions.push("seq <= ?");
            values.push(signed(known).into());
        }
        if let Some(after) = after {
            conditions.push("(at, seq) > (?, ?)");
            values.extend([after.at.0.into(), signed(after.seq).into()]);
        }
        let conditions = conditions.join(" AND ");
        let sql = format!("SELECT at, seq FROM {table} WHERE {conditions} ORDER BY at, seq LIMIT {limit}");
        self.read("reading the journal", |db| {
            db.prepare_cached(&sql)?.query_map(params_from_iter(values), place)?.collect()
        })
    }

    /// What stands on the other side of `at` than its position does of `end`; `end` absent: before the first. Nothing
    /// beyond `known` is looked at. Reads what it gives and one entry more for each source.
    pub fn crossing(&self, end: Option<Seq>, at: Timestamp, known: Seq) -> Result<Crossing, HistoryError> {
        let is_within = |seq: Seq| end.is_some_and(|end| seq <= end);
        self.read("looking for late entries", |db| {
            let mut found = Crossing::default();
            let mut source = String::new();
            while let Some(next) = source_after(db, &source)? {
                let before = "SELECT at, seq FROM entry WHERE source = ?1 AND at < ?2 ORDER BY at DESC, seq DESC";
                let mut statement = db.prepare_cached(before)?;
                for place in statement.query_map((next.as_str(), at.0), place)? {
                    match place?.seq {
                        seq if is_within(seq) => break,
                        seq if seq <= known => found.late.push(seq),
                        _ => {}
                    }
                }
                let since = "SELECT at, seq FROM entry WHERE source = ?1 AND at >= ?2 ORDER BY at, seq";
                let mut statement = db.prepare_cached(since)?;
                for place in statement.query_map((next.as_str(), at.0), place)? {
                    match place?.seq {
                        seq if is_within(seq) => found.early.push(seq),
                        _ => break,
                    }
                }
                source = next.as_str().to_owned();
            }
            Ok(found)
        })
    }
}

fn source_after(db: &Connection, name: &str) -> rusqlite::Result<Option<LogName>> {
    let sql = "SELECT source FROM entry WHERE source > ?1 ORDER BY source LIMIT 1";
    db.prepare_cached(sql)?.query_map([name], |row| text(row, "source"))?.next().transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Seq = 100;

    /// Entries of (source, at, seq), as they are folded.
    fn journal(entries: &[(&str, i64, i64)]) -> History {
        let history = History::open_in_memory().unwrap();
        history
            .read("making entries", |db| {
                for (source, at, seq) in entries {
                    db.execute("INSERT INTO entry(at, seq, source) VALUES(?1, ?2, ?3)", (at, seq, source))?;
                }
                Ok(())
            })
            .unwrap();
        history
    }

    fn crossing(history: &History, end: Option<Seq>, at: i64) -> (Vec<Seq>, Vec<Seq>) {
        let mut found = history.crossing(end, Timestamp(at), KNOWN).unwrap();
        found.late.sort_unstable();
        found.early.sort_unstable();
        (found.late, found.early)
    }

    #[test]
    fn what_was_posted_late_and_what_was_posted_early_is_found_of_each_source() {
        let history = journal(&[
            ("main", 10, 0),
            ("main", 20, 1),
            ("other", 15, 5),
            ("main", 30, 2),
            ("other", 16, 6),
            ("other", 40, 7),
            ("third", 19, 101),
        ]);
        assert_eq!(crossing(&history, Some(1), 21), (vec![5, 6], vec![]), "beyond what is known is not looked at");
        assert_eq!(crossing(&history, Some(2), 21), (vec![5, 6], vec![2]));
        assert_eq!(crossing(&history, Some(7), 50), (vec![], vec![]));
        assert_eq!(crossing(&history, None, 11), (vec![0], vec![]));
        assert_eq!(crossing(&history, None, 10), (vec![], vec![]), "at the instant is after it");
        assert_eq!(crossing(&history, Some(0), 10), (vec![], vec![0]));
    }

    #[test]
    fn the_journal_is_in_the_order_of_the_money() {
        let history = journal(&[("main", 10, 0), ("main", 20, 1), ("other", 15, 2), ("main", 20, 3)]);
        let seqs = |filter: &JournalFilter, after, limit| -> Vec<Seq> {
            history.journal(filter, after, limit).unwrap().into_iter().map(|place| place.seq).collect()
        };
        let all = JournalFilter::default();
        assert_eq!(seqs(&all, None, 10), [0, 2, 1, 3]);
        assert_eq!(seqs(&all, Some(EntryPlace { at: Timestamp(20), seq: 1 }), 10), [3]);
        assert_eq!(seqs(&all, None, 2), [0, 2]);
        let part = JournalFilter { from: Some(Timestamp(15)), to: Some(Timestamp(20)), ..all.clone() };
        assert_eq!(seqs(&part, None, 10), [2]);
        assert_eq!(seqs(&JournalFilter { known: Some(1), ..all }, None, 10), [0, 1]);
    }
}
