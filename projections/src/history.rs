//! History: what has happened, as SQL rows in a file of its own. Audit trails, bids, money, inquiries
//! that are long closed, idempotency keys of the last day.
//!
//! ```text
//! apply, subjects   one event → its rows, and the index of whom it concerns
//! runs, segments    that index, and the one of keys, many to a row
//! follow, projector one slice of a log → one transaction; the thread that keeps at it
//! bell              who wakes the thread
//! rebuild           the file anew beside the old one; the file against a fold from zero
//! trail, scope      audit trails: the index up to the checkpoint, the log itself beyond it
//! lists, keys, rows pages of rows; idempotency keys
//! customers         since when one is a customer, and what it gave last
//! postings          the legs of an event, and one of them by its id
//! journal           which entries the journal has, in its order
//! visibility, redact  what of an event a viewer may see; facts, from the rows, for it
//! ```
//! Rows and the checkpoint of their log are written in one transaction, so a row is there exactly when
//! its event is folded in. The logs decide: this file can be lost, deleted and folded again.
//!
//! Deliberately not here: the bytes of events and bids (read from the log), what is open now (`live`), and any
//! cursor or statement that outlives a call (a long reader would keep SQLite's write-ahead log growing).

mod apply;
mod bell;
pub mod customers;
mod facts;
mod follow;
pub mod journal;
pub mod keys;
pub mod lists;
mod postings;
pub mod projector;
pub mod rebuild;
mod redact;
pub mod rows;
mod runs;
mod scope;
mod segments;
mod subjects;
pub mod trail;
pub mod visibility;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod projector_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod visibility_tests;

use domain::ids::Subject;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use store::backend::ReadError;
use store::chain::{ChainError, Verifier};
use store::raw::{Hash, Head};
use store::recorded::{CorruptEvent, Recorded};

/// The schema, by number; `PRAGMA user_version` says which one a file has.
const SCHEMA: &str = include_str!("../../migrations/history/sqlite/0001_history.sql");
const VERSION: i64 = 3;
/// Idle connections kept for reading.
const READERS_MAX: usize = 8;

/// Why history could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("history file {path} cannot be opened")]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("history file {path} has schema {found}, this program knows {VERSION}: `callmarket rebuild` folds it anew")]
    Schema { path: PathBuf, found: i64 },
    #[error("the disk is full while {step}")]
    Full { step: &'static str },
    #[error("history failed while {step}")]
    Sql {
        step: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a log cannot be read")]
    Read(#[from] ReadError),
    #[error("an event cannot be read")]
    Corrupt(#[from] CorruptEvent),
    #[error("log {log} is broken")]
    Chain {
        log: LogName,
        #[source]
        source: ChainError,
    },
    /// The log is not the one that was folded in: restored, or failed over with loss. Rebuild.
    #[error("log {log} has forked: history has folded {known:?}, the log has {found:?} there")]
    Fork { log: LogName, known: Head, found: Option<Head> },
    /// Another projector was faster, or the caller left something out. Nothing was written.
    #[error("log {log} is folded up to {at:?}, so events from {from} on do not follow")]
    Overtaken { log: LogName, at: Option<Seq>, from: Seq },
    #[error("log {log} position {seq}: cannot be applied: {what}")]
    Apply { log: LogName, seq: Seq, subject: Option<Subject>, what: &'static str },
    #[error("the rebuilt history could not take its place at {path}")]
    Swap {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl HistoryError {
    /// Whether waiting may help: then nobody needs to look.
    pub fn passes(&self) -> bool {
        match self {
            HistoryError::Full { .. }
            | HistoryError::Overtaken { .. }
            | HistoryError::Read(ReadError::Unavailable { .. } | ReadError::Unlisted { .. }) => true,
            HistoryError::Sql { source, .. } => {
                matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            HistoryError::Open { .. }
            | HistoryError::Schema { .. }
            | HistoryError::Read(ReadError::Missing { .. } | ReadError::Damaged { .. })
            | HistoryError::Corrupt(_)
            | HistoryError::Chain { .. }
            | HistoryError::Fork { .. }
            | HistoryError::Apply { .. }
            | HistoryError::Swap { .. } => false,
        }
    }
}

/// Names the step in which a statement failed.
fn at(step: &'static str) -> impl FnOnce(rusqlite::Error) -> HistoryError {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => HistoryError::Full { step },
        _ => HistoryError::Sql { step, source },
    }
}

/// How far a log is folded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub head: Head,
    /// The log's time there.
    pub time: Timestamp,
}

/// The rows, and the way to them. Shared by the projector and any number of readers.
pub struct History {
    files: RwLock<Files>,
    progress: Mutex<Progress>,
    moved: Condvar,
    /// Wakes the projector.
    bell: bell::Bell,
}

/// Everything that a rebuild replaces. Its write lock is held only while the new file takes its place.
struct Files {
    /// Absent in memory, where the one connection also reads.
    path: Option<PathBuf>,
    write: Mutex<Writer>,
    idle: Mutex<Vec<Connection>>,
}

struct Writer {
    db: Connection,
    numbers: subjects::Numbers,
}

/// The checkpoints as committed, so that nobody asks SQL for them.
struct Progress {
    /// Goes up when a rebuilt file takes its place.
    generation: u64,
    checkpoints: BTreeMap<LogName, Checkpoint>,
    /// Slices that found the disk full, ever.
    turned_away: u64,
    /// The last one did.
    full: bool,
}

/// How a wait for the logs' ends ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// They are folded in.
    There,
    /// The disk is full, so nothing comes until there is space: what is folded in is all that can be had.
    Full,
    /// It took longer than was given.
    Late,
}

// A panic elsewhere leaves no half-written state: transactions roll back, caches are taken out first.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl History {
    /// Opens `history.sqlite` at `path`, or makes it. One process at a time.
    pub fn open(path: &Path) -> Result<History, HistoryError> {
        History::over(Files::open(path)?)
    }

    /// For looking, beside a server that writes or not: makes nothing and changes nothing.
    pub fn open_read_only(path: &Path) -> Result<History, HistoryError> {
        History::over(Files::open_read_only(path)?)
    }

    pub fn open_in_memory() -> Result<History, HistoryError> {
        History::over(Files::in_memory()?)
    }

    fn over(files: Files) -> Result<History, HistoryError> {
        let checkpoints = checkpoints(&lock(&files.write).db).map_err(at("reading the checkpoints"))?;
        let progress = Mutex::new(Progress { generation: 0, checkpoints, turned_away: 0, full: false });
        Ok(History { files: RwLock::new(files), progress, moved: Condvar::new(), bell: bell::Bell::default() })
    }

    /// Folds events that follow the log's checkpoint, in one transaction with the new checkpoint. On any
    /// error nothing is written.
    ///
    /// Errors: `Overtaken` where they do not follow, `Fork` and `Chain` where they are not chained to
    /// what was folded, `Apply` with the first event that could not be applied.
    pub fn project(&self, log: &LogName, events: &[Recorded]) -> Result<(), HistoryError> {
        self.projected(log, events, Links::All)
    }

    /// The same with events that this process has recorded or read in this order: only their first one's link is
    /// checked, since the others' were made or checked when they were. `generation`: of the file when they were
    /// taken. A file that was rebuilt since may hold less, because the store does.
    fn project_handed(&self, log: &LogName, events: &[Arc<Recorded>], generation: u64) -> Result<(), HistoryError> {
        self.projected(log, events, Links::First { generation })
    }

    fn projected<E: Borrow<Recorded>>(&self, log: &LogName, events: &[E], links: Links) -> Result<(), HistoryError> {
        let outcome = self.fold_in(log, events, links);
        if let Err(HistoryError::Full { .. }) = &outcome {
            let mut progress = lock(&self.progress);
            progress.turned_away += 1;
            progress.full = true;
            drop(progress);
            self.moved.notify_all();
        }
        outcome
    }

    fn fold_in<E: Borrow<Recorded>>(&self, log: &LogName, events: &[E], links: Links) -> Result<(), HistoryError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let (first, last) = (first.borrow(), last.borrow());
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        if let Links::First { generation } = links
            && generation != self.generation()
        {
            let at = self.checkpoint(log).map(|checkpoint| checkpoint.head.seq);
            return Err(HistoryError::Overtaken { log: log.clone(), at, from: first.seq });
        }
        let mut writer = lock(&files.write);
        // Numbers given in a transaction that fails are nobody's: the cache comes back only after commit.
        let mut numbers = std::mem::take(&mut writer.numbers);
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(at("beginning"))?;
        let log_no = subjects::log_no(&tx, log).map_err(at("numbering the log"))?;
        let old = checkpoint(&tx, log_no).map_err(at("reading the checkpoint"))?;
        let checked = match links {
            Links::All => events,
            Links::First { .. } => &events[..1],
        };
        if let Err(error) = linked(log, old, first, checked) {
            // Whoever was faster, we go on from there.
            if let (HistoryError::Overtaken { .. }, Some(old)) = (&error, old) {
                lock(&self.progress).checkpoints.insert(log.clone(), old);
            }
            return Err(error);
        }

        let mut fold = apply::Fold::new(&tx, log, log_no, &mut numbers);
        for event in events {
            fold.event(event.borrow())?;
        }
        fold.finish(last.time)?;
        let checkpoint = Checkpoint { head: last.raw.head(), time: last.time };
        if !advance(&tx, log_no, old, checkpoint).map_err(at("writing the checkpoint"))? {
            return Err(HistoryError::Overtaken { log: log.clone(), at: old.map(|old| old.head.seq), from: first.seq });
        }
        tx.commit().map_err(at("committing"))?;
        writer.numbers = numbers;
        let mut progress = lock(&self.progress);
        progress.checkpoints.insert(log.clone(), checkpoint);
        progress.full = false;
        drop(progress);
        self.moved.notify_all();
        Ok(())
    }

    /// How far the log is folded in; `None` where nothing of it is.
    pub fn checkpoint(&self, log: &LogName) -> Option<Checkpoint> {
        lock(&self.progress).checkpoints.get(log).copied()
    }

    pub fn checkpoints(&self) -> BTreeMap<LogName, Checkpoint> {
        lock(&self.progress).checkpoints.clone()
    }

    /// Waits until the log is folded up to `seq`, inclusive. `false`: it took longer than `timeout`.
    pub fn wait_for(&self, log: &LogName, seq: Seq, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut hurry = None;
        let mut progress = lock(&self.progress);
        loop {
            if progress.checkpoints.get(log).is_some_and(|checkpoint| checkpoint.head.seq >= seq) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            hurry.get_or_insert_with(|| self.bell.hurry());
            progress = self.moved.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until each log is folded up to its head, but not for a disk to get space: whoever waits wakes the
    /// projector, and a slice that is turned away ends the wait.
    pub fn wait_unless_full(&self, heads: &[(LogName, Head)], timeout: Duration) -> Waited {
        let end = Instant::now() + timeout;
        let mut hurry = None;
        let mut progress = lock(&self.progress);
        let turned_away = progress.turned_away;
        loop {
            let there = |(log, head): &(LogName, Head)| {
                progress.checkpoints.get(log).is_some_and(|checkpoint| checkpoint.head.seq >= head.seq)
            };
            if heads.iter().all(there) {
                return Waited::There;
            }
            let left = end.saturating_duration_since(Instant::now());
            if progress.turned_away != turned_away || left.is_zero() && progress.full {
                return Waited::Full;
            }
            if left.is_zero() {
                return Waited::Late;
            }
            hurry.get_or_insert_with(|| self.bell.hurry());
            progress = self.moved.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn generation(&self) -> u64 {
        lock(&self.progress).generation
    }

    /// Runs short statements on a connection of the pool.
    fn read<T>(
        &self,
        step: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &files.path else { return query(&lock(&files.write).db).map_err(at(step)) };
        let idle = lock(&files.idle).pop();
        let db = match idle {
            Some(db) => db,
            None => reader(path).map_err(|source| HistoryError::Open { path: path.clone(), source })?,
        };
        let answer = query(&db).map_err(at(step))?;
        let mut idle = lock(&files.idle);
        if idle.len() < READERS_MAX {
            idle.push(db);
        }
        Ok(answer)
    }
}

impl Files {
    fn open(path: &Path) -> Result<Files, HistoryError> {
        let failed = |source| HistoryError::Open { path: path.to_owned(), source };
        let db = Connection::open(path).map_err(failed)?;
        // The log is what must be durable. WAL with NORMAL keeps this file consistent; a power loss takes
        // its last transactions and their checkpoints together.
        db.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        db.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        db.pragma_update(None, "busy_timeout", 5_000).map_err(failed)?;
        db.pragma_update(None, "cache_size", -32_768).map_err(failed)?;
        // Busy pages are written back once in 32 MB of changes, not in each 4: 55,000 bids/s for 38,000.
        db.pragma_update(None, "wal_autocheckpoint", 8_000).map_err(failed)?;
        Files::over(db, Some(path.to_owned()))
    }

    fn open_read_only(path: &Path) -> Result<Files, HistoryError> {
        let failed = |source| HistoryError::Open { path: path.to_owned(), source };
        let db = reader(path).map_err(failed)?;
        match db.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0)).map_err(failed)? {
            VERSION => {}
            found => return Err(HistoryError::Schema { path: path.to_owned(), found }),
        }
        let write = Mutex::new(Writer { db, numbers: subjects::Numbers::default() });
        Ok(Files { path: Some(path.to_owned()), write, idle: Mutex::default() })
    }

    fn in_memory() -> Result<Files, HistoryError> {
        let db = Connection::open_in_memory();
        Files::over(db.map_err(|source| HistoryError::Open { path: ":memory:".into(), source })?, None)
    }

    fn over(mut db: Connection, path: Option<PathBuf>) -> Result<Files, HistoryError> {
        let version = |db: &Connection| db.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0));
        match version(&db).map_err(at("reading the schema's number"))? {
            VERSION => {}
            0 => {
                let tx = db.transaction().map_err(at("making the schema"))?;
                tx.execute_batch(SCHEMA).map_err(at("making the schema"))?;
                tx.commit().map_err(at("making the schema"))?;
            }
            found => return Err(HistoryError::Schema { path: path.unwrap_or_default(), found }),
        }
        db.set_prepared_statement_cache_capacity(128);
        let write = Mutex::new(Writer { db, numbers: subjects::Numbers::default() });
        Ok(Files { path, write, idle: Mutex::default() })
    }
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.pragma_update(None, "busy_timeout", 5_000)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Whose links to the event before them are checked.
#[derive(Clone, Copy)]
enum Links {
    All,
    First { generation: u64 },
}

/// Whether the events are the next ones of the very log that was folded in so far.
fn linked<E: Borrow<Recorded>>(
    log: &LogName,
    old: Option<Checkpoint>,
    first: &Recorded,
    events: &[E],
) -> Result<(), HistoryError> {
    let known = old.map(|old| old.head);
    if first.seq != Head::next(known) {
        return Err(HistoryError::Overtaken { log: log.clone(), at: known.map(|head| head.seq), from: first.seq });
    }
    let mut chain = Verifier::after(known);
    for event in events.iter().map(E::borrow) {
        chain.check(&event.raw).map_err(|source| match known {
            Some(known) if event.seq == first.seq => {
                HistoryError::Fork { log: log.clone(), known, found: Some(event.raw.head()) }
            }
            Some(_) | None => HistoryError::Chain { log: log.clone(), source },
        })?;
    }
    Ok(())
}

const CHECKPOINT_COLUMNS: &str = "seq, hash, time";

fn checkpoint_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Checkpoint> {
    let rows::Whole(seq) = row.get("seq")?;
    let head = Head { seq, hash: row.get::<_, Hash>("hash")? };
    Ok(Checkpoint { head, time: Timestamp(row.get("time")?) })
}

fn checkpoint(db: &Connection, log_no: i64) -> rusqlite::Result<Option<Checkpoint>> {
    db.prepare_cached(&format!("SELECT {CHECKPOINT_COLUMNS} FROM checkpoint WHERE log = ?1"))?
        .query_row([log_no], checkpoint_row)
        .optional()
}

fn checkpoints(db: &Connection) -> rusqlite::Result<BTreeMap<LogName, Checkpoint>> {
    let sql = format!("SELECT name, {CHECKPOINT_COLUMNS} FROM checkpoint JOIN log ON log.no = checkpoint.log");
    let mut statement = db.prepare(&sql)?;
    let rows = statement.query_map((), |row| {
        let rows::Text(log) = row.get("name")?;
        Ok((log, checkpoint_row(row)?))
    })?;
    rows.collect()
}

/// `false` where the old checkpoint is no longer what it was: somebody else has written.
fn advance(db: &Connection, log_no: i64, old: Option<Checkpoint>, new: Checkpoint) -> rusqlite::Result<bool> {
    let (seq, hash, time) = (rows::Whole(new.head.seq), new.head.hash, new.time.0);
    let changed = match old {
        None => db
            .prepare_cached("INSERT OR IGNORE INTO checkpoint(log, seq, hash, time) VALUES(?1, ?2, ?3, ?4)")?
            .execute((log_no, seq, hash, time))?,
        Some(old) => db
            .prepare_cached("UPDATE checkpoint SET seq = ?2, hash = ?3, time = ?4 WHERE log = ?1 AND seq = ?5")?
            .execute((log_no, seq, hash, time, rows::Whole(old.head.seq)))?,
    };
    Ok(changed == 1)
}
