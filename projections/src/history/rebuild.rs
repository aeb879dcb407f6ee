//! History anew, and history checked. Both fold the logs from zero, the way the projector does.
//!
//! `rebuild` serves the old file until the new one takes its place; `verify` compares a fold from zero
//! with what stands in the file, table by table, without showing what it found: rows hold sealed bids.

use super::trail::first_at;
use super::{
    Checkpoint, Files, History, HistoryError, Progress, at, checkpoints, follow, lock, runs, segments, subjects,
};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use store::backend::EventStore;
use store::keys::KEPT;
use store::raw::Head;

/// Events of one transaction while folding from zero.
const SLICE: usize = 8_192;

/// The first place where the rows are not what the logs make of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: &'static str,
    /// The row's first columns, as far as they are its key.
    pub row: String,
    pub kind: DifferenceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The logs make this row, and history has not.
    Missing,
    /// History has this row, and the logs make none.
    Unfounded,
    /// The value in this column, counted from 0 in the order of the schema.
    Column(usize),
}

impl History {
    /// Opens the file for a rebuild: one of another schema gives way to an empty one.
    pub fn open_to_rebuild(path: &Path) -> Result<History, HistoryError> {
        match History::open(path) {
            Err(HistoryError::Schema { .. }) => {
                remove(path).map_err(|source| HistoryError::Swap { path: path.to_owned(), source })?;
                History::open(path)
            }
            opened => opened,
        }
    }

    /// Folds all logs into a new file beside this one, which then takes its place. Readers and the
    /// projector go on with the old one meanwhile. `progress` hears each log, how far it is, and its head.
    ///
    /// A file that cannot be opened at all needs no rebuild: delete it, and the projector fills a new one.
    pub fn rebuild(
        &self,
        store: &dyn EventStore,
        progress: impl FnMut(&LogName, Option<Seq>, Option<Seq>),
    ) -> Result<(), HistoryError> {
        let path = self.files.read().unwrap_or_else(PoisonError::into_inner).path.clone();
        let Some(path) = path else {
            let fresh = History::open_in_memory()?;
            fold(&fresh, store, progress)?;
            let (files, checkpoints) = fresh.into_parts();
            let mut current = self.files.write().unwrap_or_else(PoisonError::into_inner);
            *current = files;
            self.swapped(checkpoints);
            return Ok(());
        };
        let beside = suffixed(&path, ".new");
        let swap = |source| HistoryError::Swap { path: path.clone(), source };
        remove(&beside).map_err(swap)?;
        let fresh = History::open(&beside)?;
        fold(&fresh, store, progress)?;
        close(fresh.into_parts().0)?;

        let mut current = self.files.write().unwrap_or_else(PoisonError::into_inner);
        // A connection must not outlive its file's name, so the old file is closed before it goes. Until
        // the new one is open an empty one in memory stands in; nobody sees it, the lock is ours.
        close(std::mem::replace(&mut *current, Files::in_memory()?))?;
        // The old file goes before its write-ahead log: a crash here leaves no file, and the projector
        // fills a new one, rather than a file beside a write-ahead log that is not its own.
        let swapped = remove(&path).and_then(|()| std::fs::rename(&beside, &path)).map_err(swap);
        // Whatever stands there now is served, with its own checkpoints.
        *current = Files::open(&path)?;
        let checkpoints = checkpoints(&lock(&current.write).db).map_err(at("reading the checkpoints"))?;
        self.swapped(checkpoints);
        swapped
    }

    /// Compares every row with a fold from zero, up to the checkpoints. `None`: they are equal. In a file
    /// the projector goes on meanwhile: the comparison stands on a snapshot.
    pub fn verify(&self, store: &dyn EventStore) -> Result<Option<Difference>, HistoryError> {
        let fresh = History::open_in_memory()?;
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let compare = |db: &Connection| -> Result<Option<Difference>, HistoryError> {
            // One read transaction: checkpoints and rows of one instant.
            let tx = db.unchecked_transaction().map_err(at("beginning a snapshot"))?;
            let mut kept = BTreeMap::new();
            for (log, checkpoint) in checkpoints(&tx).map_err(at("reading the checkpoints"))? {
                while Head::next(fresh.checkpoint(&log).map(|done| done.head)) <= checkpoint.head.seq {
                    if follow::slice(&fresh, store, &log, SLICE, Some(checkpoint.head.seq))? == 0 {
                        let known = checkpoint.head;
                        return Err(HistoryError::Fork { log, known, found: None });
                    }
                }
                let found = fresh.checkpoint(&log).map(|done| done.head);
                if found != Some(checkpoint.head) {
                    return Err(HistoryError::Fork { log, known: checkpoint.head, found });
                }
                let oldest = Timestamp(checkpoint.time.0.saturating_sub(KEPT.0 - 1));
                kept.insert(log.clone(), first_at(store, &log, checkpoint.head.seq + 1, oldest)?);
            }
            let expected = fresh.files.read().unwrap_or_else(PoisonError::into_inner);
            let expected = lock(&expected.write);
            difference(&expected.db, &tx, &kept).map_err(at("comparing rows"))
        };
        match &files.path {
            None => compare(&lock(&files.write).db),
            Some(path) => {
                let open = |source| HistoryError::Open { path: path.clone(), source };
                compare(&super::reader(path).map_err(open)?)
            }
        }
    }

    /// Called with the files locked, so that nobody folds in between.
    fn swapped(&self, checkpoints: BTreeMap<LogName, Checkpoint>) {
        let mut progress = lock(&self.progress);
        let (generation, turned_away) = (progress.generation + 1, progress.turned_away);
        *progress = Progress { generation, checkpoints, turned_away, full: false };
        self.moved.notify_all();
    }

    fn into_parts(self) -> (Files, BTreeMap<LogName, Checkpoint>) {
        let progress = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.files.into_inner().unwrap_or_else(PoisonError::into_inner), progress.checkpoints)
    }
}

fn fold(
    fresh: &History,
    store: &dyn EventStore,
    mut progress: impl FnMut(&LogName, Option<Seq>, Option<Seq>),
) -> Result<(), HistoryError> {
    for log in store.logs()? {
        let head = store.head(&log)?.map(|head| head.seq);
        while follow::slice(fresh, store, &log, SLICE, None)? > 0 {
            progress(&log, fresh.checkpoint(&log).map(|done| done.head.seq), head);
        }
    }
    Ok(())
}

/// Closes every connection, so that SQLite folds the write-ahead log into the file and removes it.
fn close(files: Files) -> Result<(), HistoryError> {
    drop(files.idle);
    let writer = Mutex::into_inner(files.write).unwrap_or_else(PoisonError::into_inner);
    writer.db.close().map_err(|(_, source)| at("closing the file")(source))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file first, then what SQLite keeps beside it.
fn remove(path: &Path) -> std::io::Result<()> {
    for path in [path.to_owned(), suffixed(path, "-wal"), suffixed(path, "-shm")] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Every table, with how many of its first columns are its key, in the order of the key. Numbers are
/// given in the order of meeting, which differs between two folds: names stand for them.
const TABLES: &[(&str, usize, &str)] = &[
    ("checkpoint", 1, "SELECT l.name, c.seq, c.hash, c.time FROM checkpoint c JOIN log l ON l.no = c.log ORDER BY 1"),
    ("lookup", 1, "SELECT * FROM lookup ORDER BY id"),
    ("offer", 1, "SELECT * FROM offer ORDER BY id"),
    ("inquiry", 1, "SELECT * FROM inquiry ORDER BY id"),
    ("inquiry_topic", 2, "SELECT * FROM inquiry_topic ORDER BY topic, inquiry"),
    ("inquiry_queue", 2, "SELECT * FROM inquiry_queue ORDER BY queue, inquiry"),
    ("customer", 2, "SELECT * FROM customer ORDER BY id, seq"),
    ("inquiry_agent", 2, "SELECT * FROM inquiry_agent ORDER BY agent, inquiry"),
    ("auction", 1, "SELECT * FROM auction ORDER BY id"),
    ("settlement", 1, "SELECT * FROM settlement ORDER BY id"),
    ("posting", 4, "SELECT * FROM posting ORDER BY at, log, seq, leg"),
    ("entry", 2, "SELECT * FROM entry ORDER BY at, seq"),
    ("entry_account", 3, "SELECT * FROM entry_account ORDER BY account, at, seq"),
];

/// The index of subjects: where its runs begin depends on the slices, so it is compared entry by entry.
const RUNS: &str = "SELECT s.id, l.name, e.first, e.seqs FROM subject s CROSS JOIN subject_event e ON e.subject = s.no
                    JOIN log l ON l.no = e.log ORDER BY 1, 2, 3";

/// `kept`: from where on each log's keys must be there; older ones may be or not.
fn difference(
    expected: &Connection,
    found: &Connection,
    kept: &BTreeMap<LogName, Seq>,
) -> rusqlite::Result<Option<Difference>> {
    for (table, key, sql) in TABLES.iter().copied() {
        let (mut left, mut right) = (expected.prepare(sql)?, found.prepare(sql)?);
        let (mut left, mut right) = (left.query(())?, right.query(())?);
        let differs = compare(table, key, || values(left.next()?), || values(right.next()?))?;
        if differs.is_some() {
            return Ok(differs);
        }
    }
    let (mut left, mut right) = (expected.prepare(RUNS)?, found.prepare(RUNS)?);
    let (left, right) = (entries(left.query(())?), entries(right.query(())?));
    let differs = compare("subject_event", 3, left, right)?;
    if differs.is_some() {
        return Ok(differs);
    }
    for (log, from) in kept {
        let (left, right) = (keys(expected, log, *from)?, keys(found, log, *from)?);
        let differs = compare("key_segment", 2, left, right)?;
        if differs.is_some() {
            return Ok(differs);
        }
    }
    Ok(None)
}

/// The first row in which two tables differ.
fn compare(
    table: &'static str,
    key: usize,
    mut expected: impl FnMut() -> rusqlite::Result<Option<Vec<Value>>>,
    mut found: impl FnMut() -> rusqlite::Result<Option<Vec<Value>>>,
) -> rusqlite::Result<Option<Difference>> {
    loop {
        let (row, kind) = match (expected()?, found()?) {
            (None, None) => return Ok(None),
            (Some(left), None) => (left, DifferenceKind::Missing),
            (None, Some(right)) => (right, DifferenceKind::Unfounded),
            (Some(left), Some(right)) => match left.iter().zip(&right).position(|(left, right)| left != right) {
                None => continue,
                // Another key: the lesser one stands alone on its side.
                Some(column) if column < key && before(&left[column], &right[column]) => {
                    (left, DifferenceKind::Missing)
                }
                Some(column) if column < key => (right, DifferenceKind::Unfounded),
                Some(column) => (left, DifferenceKind::Column(column)),
            },
        };
        return Ok(Some(Difference { table, row: named(&row[..key]), kind }));
    }
}

fn values(row: Option<&rusqlite::Row<'_>>) -> rusqlite::Result<Option<Vec<Value>>> {
    row.map(|row| (0..row.as_ref().column_count()).map(|column| row.get(column)).collect()).transpose()
}

fn number(number: u64) -> Value {
    Value::Integer(number as i64)
}

/// Subject, log and position, one by one.
fn entries(mut rows: rusqlite::Rows<'_>) -> impl FnMut() -> rusqlite::Result<Option<Vec<Value>>> {
    let (mut of, mut run) = ([Value::Null, Value::Null], Vec::new().into_iter());
    move || {
        loop {
            if let Some(seq) = run.next() {
                let [subject, log] = of.clone();
                return Ok(Some(vec![subject, log, number(seq)]));
            }
            let Some(row) = rows.next()? else { return Ok(None) };
            (of, run) = ([row.get(0)?, row.get(1)?], runs::run(row)?.into_iter());
        }
    }
}

/// Log, position and half a hash, one by one.
fn keys(
    db: &Connection,
    log: &LogName,
    from: Seq,
) -> rusqlite::Result<impl FnMut() -> rusqlite::Result<Option<Vec<Value>>>> {
    let name = Value::Text(log.to_string());
    let log_no = subjects::known_log_no(db, log)?.unwrap_or_default();
    let mut next = segments::in_order(db, log_no, from)?;
    Ok(move || {
        let entry = next()?;
        Ok(entry.map(|(half, seq)| vec![name.clone(), number(seq), number(half)]))
    })
}

/// In SQLite's order; the columns of keys are integers or text.
fn before(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => left < right,
        (Value::Text(left), Value::Text(right)) => left < right,
        _ => false,
    }
}

fn named(key: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Null | Value::Real(_) | Value::Blob(_) => "?".to_owned(),
    };
    key.iter().map(text).collect::<Vec<_>>().join(" ")
}
