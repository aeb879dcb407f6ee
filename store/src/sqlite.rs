//! Logs in SQLite, one file each: the embedded default, for one node.
//!
//! It promises what `EventStore` asks, on one condition: this process is the only one that writes,
//! which an exclusive `DataFolder` ensures. Hence the head is known without reading it. On a shared
//! folder the store only reads, beside a running server if there is one.
//!
//! A commit syncs the write-ahead log (`synchronous=FULL`). Its pages move into the database file beside the
//! writer, which moves the last of them itself (`mover`); readers hold no snapshot longer than one page of a
//! read, so the write-ahead log stays small. No mmap: an I/O error would be a signal, not an error.
//!
//! Nothing here opens a database file but SQLite. POSIX locks belong to the process: closing a second
//! descriptor of the same file would silently drop SQLite's own.

use crate::backend::{AppendError, EventStore, Limits, ReadError, Refused, Verdict, judge};
use crate::folder::{self, DataFolder};
use crate::raw::{Hash, Head, RawEvent};
use domain::log::{LogName, Seq};
pub use file::OpenError;
pub(crate) use file::{checkpoint, checkpoint_truncate, connect_to_read, connect_to_write};
use mover::Mover;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ToSql, ffi, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

mod file;
mod mover;

const MIGRATIONS: &[&str] = &[include_str!("../../migrations/log/sqlite/0001_event.sql")];

/// A command's events always fit (1,000 bidders of an auction), and a batch commits in milliseconds.
const LIMITS: Limits = Limits { batch_bytes: 8 << 20, batch_events: 10_000, event_bytes: 4 << 20 };

/// Pages written before they are moved into the database file: 16 MiB. Ahead of SQLite's 1,000, since
/// the last page of a log is written again by every commit and should be moved once.
const CHECKPOINT_PAGES: usize = 4_000;

/// So many, and the writer waits for the thread that moves them: the write-ahead log does not outgrow it.
const PAGES_MAX: usize = 4 * CHECKPOINT_PAGES;

/// Reads of one log at the same time. More would only share the same cores.
const READERS: usize = 4;

/// Every log of a data folder.
pub struct SqliteStore {
    // Dropped before `folder`: the lock is let go when the last file is closed.
    logs: RwLock<HashMap<LogName, Arc<LogFile>>>,
    folder: DataFolder,
}

impl SqliteStore {
    /// Opens the logs of the folder: for writing if it is exclusive, else for reading.
    ///
    /// For writing, all that a former process wrote is synced first: it may have died between a write
    /// and its sync, and what we read from then on must not vanish with the power.
    pub fn open(folder: &DataFolder) -> Result<SqliteStore, OpenError> {
        let store = SqliteStore { logs: RwLock::default(), folder: folder.clone() };
        if folder.is_exclusive() {
            let mut logs = store.logs.write().unwrap_or_else(PoisonError::into_inner);
            for name in names(&folder.logs())? {
                let file = LogFile::open_to_write(store.path(&name))?;
                logs.insert(name, Arc::new(file));
            }
            folder::sync_folder(&folder.logs())?;
        }
        Ok(store)
    }

    fn path(&self, log: &LogName) -> PathBuf {
        self.folder.logs().join(format!("{log}.sqlite"))
    }

    fn file(&self, log: &LogName) -> Option<Arc<LogFile>> {
        let known = self.logs.read().unwrap_or_else(PoisonError::into_inner).get(log).cloned();
        // Beside a server logs appear while we look; the server itself makes every one.
        if known.is_some() || self.folder.is_exclusive() || !self.path(log).exists() {
            return known;
        }
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        Some(logs.entry(log.clone()).or_insert_with(|| Arc::new(LogFile::open_to_read(self.path(log)))).clone())
    }

    fn create(&self, log: &LogName) -> Result<Arc<LogFile>, OpenError> {
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = logs.get(log) {
            return Ok(file.clone()); // Another thread was faster.
        }
        let file = Arc::new(LogFile::open_to_write(self.path(log))?);
        folder::sync_folder(&self.folder.logs())?;
        logs.insert(log.clone(), file.clone());
        Ok(file)
    }

    fn only_if_exclusive(&self) -> Result<(), AppendError> {
        let why = "the data folder is open for reading only";
        if self.folder.is_exclusive() { Ok(()) } else { Err(Refused::Denied(why.into()).into()) }
    }
}

impl EventStore for SqliteStore {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn logs(&self) -> Result<Vec<LogName>, ReadError> {
        let unlisted = |error: OpenError| ReadError::Unlisted { source: error.into() };
        let mut logs = names(&self.folder.logs()).map_err(unlisted)?;
        logs.sort();
        // A crash while a log is made leaves a file without events.
        let mut found = Vec::with_capacity(logs.len());
        for log in logs {
            if self.head(&log)?.is_some() {
                found.push(log);
            }
        }
        Ok(found)
    }

    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError> {
        let Some(file) = self.file(log) else {
            return Ok(None);
        };
        file.readers.read(log, "reading the head", read_head)
    }

    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        self.only_if_exclusive()?;
        LIMITS.check(expected, batch)?;
        let file = match (self.file(log), expected) {
            (Some(file), _) => file,
            (None, None) => self.create(log).map_err(OpenError::into_append_error)?,
            (None, Some(_)) => return Err(AppendError::Fork { found: None }),
        };
        file.writer().append(expected, batch)
    }

    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.only_if_exclusive()?;
        match (self.file(log), expected) {
            (Some(file), _) => file.writer().confirm(expected),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(AppendError::Fork { found: None }),
        }
    }

    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        let (Some(file), Ok(from)) = (self.file(log), i64::try_from(from)) else {
            return Ok(Vec::new());
        };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let events = file.readers.read(log, "reading events", |reader| {
            let sql = "SELECT seq, envelope, data, salt, hash FROM event WHERE seq >= ? ORDER BY seq LIMIT ?";
            let mut statement = reader.prepare_cached(sql)?;
            statement.query_map([from, max], raw_event)?.collect::<Result<Vec<_>, _>>()
        })?;
        for (expected, event) in (from.unsigned_abs()..).zip(&events) {
            if event.seq != expected {
                let what = format!("event {} follows where event {expected} should stand", event.seq);
                return Err(ReadError::Damaged { log: log.clone(), what });
            }
        }
        Ok(events)
    }

    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        let Some(&first) = seqs.first() else {
            return Ok(Vec::new());
        };
        let missing = |seq| ReadError::Missing { log: log.clone(), seq };
        let file = self.file(log).ok_or_else(|| missing(first))?;
        file.readers.read(log, "reading events", |reader| {
            // One snapshot for all: taking one costs more than finding an event in it.
            let snapshot = reader.unchecked_transaction()?;
            let sql = "SELECT seq, envelope, data, salt, hash FROM event WHERE seq = ?";
            let mut statement = snapshot.prepare_cached(sql)?;
            let mut events = Vec::with_capacity(seqs.len());
            for &seq in seqs {
                let event = match i64::try_from(seq) {
                    Ok(position) => statement.query_row([position], raw_event).optional()?,
                    Err(_) => None,
                };
                match event {
                    Some(event) => events.push(event),
                    None => return Ok(Err(missing(seq))),
                }
            }
            Ok(Ok(events))
        })?
    }
}

/// One log: a writer, where we may write, and readers.
struct LogFile {
    // Dropped first, so that the writer closes last, and by that moves everything into the file.
    readers: Readers,
    writer: Option<Mutex<Writer>>,
}

impl LogFile {
    fn open_to_write(path: PathBuf) -> Result<LogFile, OpenError> {
        let connection = connect_to_write(&path, MIGRATIONS)?;
        let mover = Mover::new(path.clone());
        let writer = Writer { mover, connection, head: None, pages: 0, broken: None };
        Ok(LogFile { readers: Readers::new(path), writer: Some(Mutex::new(writer)) })
    }
    fn open_to_read(path: PathBuf) -> LogFile {
        LogFile { readers: Readers::new(path), writer: None }
    }
    fn writer(&self) -> MutexGuard<'_, Writer> {
        let writer = self.writer.as_ref().expect("whoever appends holds the folder, and opened to write");
        writer.lock().expect("an append does not panic")
    }
}

struct Writer {
    // Dropped first: the last connection that closes moves everything into the file.
    mover: Mover,
    connection: Connection,
    /// The head as of our last commit; the inner `None` is an empty log, the outer one means: read it.
    head: Option<Option<Head>>,
    /// Written since pages were last moved into the database file; an estimate.
    pages: usize,
    /// Why nothing may be written any more.
    broken: Option<String>,
}

impl Writer {
    fn append(&mut self, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        match self.verdict(expected, batch.last().map(RawEvent::head))? {
            Verdict::Fits => {}
            Verdict::Repeated => return Ok(()),
            Verdict::Fails(error) => return Err(error),
        }
        self.insert(batch).map_err(|error| self.failed(error))?;
        self.head = Some(batch.last().map(RawEvent::head));
        // The leaf, its parents, and what the texts fill.
        self.pages += 2 + batch.iter().map(RawEvent::size).sum::<usize>() / 4096;
        self.move_pages();
        Ok(())
    }

    fn confirm(&mut self, expected: Option<Head>) -> Result<(), AppendError> {
        match self.verdict(expected, None)? {
            Verdict::Fits | Verdict::Repeated => Ok(()),
            Verdict::Fails(error) => Err(error),
        }
    }

    fn verdict(&mut self, expected: Option<Head>, last: Option<Head>) -> Result<Verdict, AppendError> {
        if let Some(why) = &self.broken {
            return Err(AppendError::Broken(why.clone()));
        }
        let judged = self.head().and_then(|head| judge(expected, last, head, |seq| hash_at(&self.connection, seq)));
        judged.map_err(|error| self.failed(error))
    }

    fn head(&mut self) -> rusqlite::Result<Option<Head>> {
        let head = match self.head {
            Some(head) => head,
            None => read_head(&self.connection)?,
        };
        self.head = Some(head);
        Ok(head)
    }

    fn insert(&self, batch: &[RawEvent]) -> rusqlite::Result<()> {
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        // A deferred transaction that reads first would get SQLITE_BUSY at once, timeout or not.
        run("BEGIN IMMEDIATE")?;
        let sql = "INSERT INTO event (seq, envelope, data, salt, hash) VALUES (?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(sql)?;
        for event in batch {
            let seq = event.seq.cast_signed();
            insert.execute(params![seq, Text(&event.envelope), Text(&event.data), event.salt, event.hash])?;
        }
        run("COMMIT").map(|_| ())
    }

    /// Takes back what a failure left behind, and says what it means. See `classify`.
    fn failed(&mut self, error: rusqlite::Error) -> AppendError {
        self.head = None;
        if !self.connection.is_autocommit()
            && let Err(rollback) = self.connection.execute_batch("ROLLBACK")
        {
            self.broken = Some(format!("{error}, and then taking the batch back failed: {rollback}"));
        }
        if let Some(why) = &self.broken {
            return AppendError::Broken(why.clone());
        }
        let meaning = classify(&error);
        if let AppendError::Broken(why) = &meaning {
            self.broken = Some(why.clone());
        }
        meaning
    }

    /// Has pages moved into the database file as far as readers allow. SQLite's own automatic checkpoint
    /// would swallow its errors, and a failed sync must end the process. The batch before it is durable
    /// in either case, so the error is the next append's.
    fn move_pages(&mut self) {
        let ours = match self.mover.is_running() {
            true => self.mover.has_ended() || self.pages >= PAGES_MAX,
            // Where there is no thread to be had, all of it is the writer's.
            false => self.pages >= CHECKPOINT_PAGES && self.mover.begin().is_err(),
        };
        if ours {
            self.pages = 0;
            // Whatever kept the thread from it need not keep the writer; but after a failed sync nothing syncs again.
            let moved = match self.mover.end() {
                Err(error) if breaks(&error) => Err(error),
                Ok(()) | Err(_) => checkpoint(&self.connection),
            };
            if let Err(error) = moved {
                tracing::warn!(%error, "log.pages_not_moved");
                if let AppendError::Broken(why) = classify(&error) {
                    self.broken = Some(why);
                }
            }
        }
    }
}

/// What an error of SQLite means for a batch, after the transaction was rolled back.
///
/// - `SQLITE_FULL`: a page could not be written. The page that marks the commit is the last one of a
///   transaction, so nothing was committed, and a later batch may fit.
/// - The primary key: somebody else wrote, against the rules. The log has moved on; nothing is written.
/// - `READONLY`, `PERM`, `AUTH`, `CANTOPEN`: found out before anything is written.
/// - `BUSY`, `LOCKED`, `NOMEM`, `INTERRUPT`, `PROTOCOL`, `SCHEMA`, `ABORT`: a matter of the moment.
///   Mostly nothing is written, but the same batch sent again is right in either case.
/// - Everything else (`IOERR_*`, `CORRUPT`, `NOTADB`, a failed CHECK, a missing table) breaks. After a
///   failed sync the system may mark its pages clean: reading them back, or syncing again, proves
///   nothing. An error after the sync (`IOERR_SHM*`) leaves a commit that only the next start sees.
fn classify(error: &rusqlite::Error) -> AppendError {
    let text = error.to_string();
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return AppendError::Broken(text);
    };
    if matches!(code.extended_code, ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID) {
        return AppendError::Conflict;
    }
    match code.code {
        ErrorCode::DiskFull => Refused::Full.into(),
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied
        | ErrorCode::CannotOpen => Refused::Denied(text).into(),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::OperationAborted
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::SchemaChanged => AppendError::Unknown(text),
        _ => AppendError::Broken(text),
    }
}

/// Whether an error means that the process should end: `classify`.
pub(crate) fn breaks(error: &rusqlite::Error) -> bool {
    matches!(classify(error), AppendError::Broken(_))
}

/// Connections for reading, made when first needed and kept.
struct Readers {
    path: PathBuf,
    state: Mutex<ReaderState>,
    freed: Condvar,
}

#[derive(Default)]
struct ReaderState {
    idle: Vec<Connection>,
    busy: usize,
}

impl Readers {
    fn new(path: PathBuf) -> Readers {
        Readers { path, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Lends a connection to `query`, waiting for one where all are lent.
    fn read<T>(
        &self,
        log: &LogName,
        step: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let mut lent = Lent { readers: self, connection: self.take() };
        let connection = match lent.connection.take() {
            Some(connection) => Ok(connection),
            None => connect_to_read(&self.path, MIGRATIONS.len()),
        };
        let connection = connection.map_err(|error| error.into_read_error(log, "opening the file"))?;
        let answer = query(&connection).map_err(|error| read_error(error, log, step))?;
        // Not after an error: what it left in the connection is not worth knowing.
        lent.connection = Some(connection);
        Ok(answer)
    }

    fn take(&self) -> Option<Connection> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state =
            self.freed.wait_while(state, |state| state.busy >= READERS).unwrap_or_else(PoisonError::into_inner);
        state.busy += 1;
        state.idle.pop()
    }
}

/// Gives its place back, also when the query panics.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= 1;
        state.idle.extend(self.connection.take());
        self.readers.freed.notify_one();
    }
}

fn read_error(error: rusqlite::Error, log: &LogName, step: &'static str) -> ReadError {
    let log = log.clone();
    if breaks(&error) {
        ReadError::Damaged { log, what: format!("{step} failed: {error}") }
    } else {
        ReadError::Unavailable { log, step, source: error.into() }
    }
}

fn read_head(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")?;
    statement.query_row([], |row| Ok(Head { seq: seq(row)?, hash: row.get(1)? })).optional()
}

fn hash_at(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<Hash>> {
    let mut statement = connection.prepare_cached("SELECT hash FROM event WHERE seq = ?")?;
    statement.query_row([seq.cast_signed()], |row| row.get(0)).optional()
}

fn raw_event(row: &Row<'_>) -> rusqlite::Result<RawEvent> {
    let text = |column| -> rusqlite::Result<Box<[u8]>> { Ok(row.get_ref(column)?.as_bytes()?.into()) };
    Ok(RawEvent { seq: seq(row)?, envelope: text(1)?, data: text(2)?, salt: row.get(3)?, hash: row.get(4)? })
}

/// The position in the first column; never negative by the table's CHECK.
fn seq(row: &Row<'_>) -> rusqlite::Result<Seq> {
    Ok(row.get::<_, i64>(0)?.cast_unsigned())
}

/// Stores bytes as TEXT without looking at them.
struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

fn names(folder: &Path) -> Result<Vec<LogName>, OpenError> {
    let listing = |source| OpenError::List { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(listing)? {
        let file_name = entry.map_err(listing)?.file_name();
        // Not ours: the write-ahead log and its index, and whatever people put there.
        names.extend(file_name.to_str().and_then(|name| name.strip_suffix(".sqlite")?.parse().ok()));
    }
    Ok(names)
}

impl OpenError {
    /// What failing to make a log means for its first batch: none of it was written, so the same
    /// batch may come again, unless a sync failed.
    fn into_append_error(self) -> AppendError {
        match self {
            OpenError::Sqlite { source, .. } => classify(&source),
            OpenError::Folder(error) => AppendError::Broken(error.to_string()),
            OpenError::InUse { .. } => AppendError::Unknown(self.to_string()),
            OpenError::List { .. }
            | OpenError::TooOld { .. }
            | OpenError::Setting { .. }
            | OpenError::Newer { .. }
            | OpenError::Older { .. } => Refused::Denied(self.to_string()).into(),
        }
    }
    fn into_read_error(self, log: &LogName, step: &'static str) -> ReadError {
        match self {
            OpenError::Sqlite { source, .. } => read_error(source, log, step),
            other => ReadError::Unavailable { log: log.clone(), step, source: other.into() },
        }
    }
}

#[cfg(test)]
mod tests;
