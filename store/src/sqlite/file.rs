//! Opening a database file: what must be true of every connection, read back where it matters. Logs
//! and the vault are opened here; what stands in them is not known.

use crate::folder::FolderError;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a database file was not opened. Also said of the vault, which is opened the same way.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("listing {path} failed")]
    List { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("SQLite {found} can corrupt a write-ahead log; build with 3.51.3 or later")]
    TooOld { found: &'static str },
    #[error("{step} {path} failed")]
    Sqlite { step: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("{path} has {setting} = {found}, and durability needs {needed}")]
    Setting { path: PathBuf, setting: &'static str, found: String, needed: &'static str },
    #[error("{path} has had {found} migrations, and this program knows {known}; use the program that wrote it")]
    Newer { path: PathBuf, found: usize, known: usize },
    #[error("{path} has had {found} of {known} migrations; start the server once to apply the others")]
    Older { path: PathBuf, found: usize, known: usize },
    #[error("{path} is in use by another process, so that what it holds cannot be synced; close that one")]
    InUse { path: PathBuf },
}

/// Opens a database as the only one that writes in it, makes it if it is missing, applies the
/// migrations that it lacks, and syncs all that it holds. The caller syncs the folder.
pub(crate) fn connect_to_write(path: &Path, migrations: &[&str]) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < 3_051_003 {
        return Err(OpenError::TooOld { found: rusqlite::version() });
    }
    let failed = |step| move |source| OpenError::Sqlite { step, path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed("opening"))?;
    // Nobody else writes, so only a reader's recovery or a person's shell can keep us waiting.
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed("opening"))?;
    let mode: String = pragma(&connection, "journal_mode = WAL").map_err(failed("opening"))?;
    if mode != "wal" {
        let (setting, needed) = ("journal_mode", "wal");
        return Err(OpenError::Setting { path: path.to_owned(), setting, found: mode, needed });
    }
    configure_to_write(&connection).map_err(failed("configuring"))?;
    let synchronous: i64 = pragma(&connection, "synchronous").map_err(failed("configuring"))?;
    if synchronous != 2 {
        let (setting, needed, found) = ("synchronous", "2 (FULL)", synchronous.to_string());
        return Err(OpenError::Setting { path: path.to_owned(), setting, found, needed });
    }
    let done = migrated(&connection, path, migrations.len())?;
    for (number, sql) in migrations.iter().enumerate().skip(done) {
        let step = format!("BEGIN IMMEDIATE; {sql} PRAGMA user_version = {}; COMMIT;", number + 1);
        connection.execute_batch(&step).map_err(failed("migrating"))?;
    }
    if !checkpoint_truncate(&connection).map_err(failed("syncing"))? {
        return Err(OpenError::InUse { path: path.to_owned() });
    }
    Ok(connection)
}

/// Another connection to a database that [`connect_to_write`] has opened, for [`checkpoint`].
pub(super) fn connect_beside(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure_to_write(&connection)?;
    Ok(connection)
}

/// `fullfsync` reaches the platter on systems where a plain sync does not (macOS); elsewhere it is without effect.
/// `journal_size_limit`: a write-ahead log that a stuck reader made grow shrinks.
fn configure_to_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA mmap_size = 0;",
    )
}

/// Opens a database that exists for reading. It is never changed by that.
pub(crate) fn connect_to_read(path: &Path, migrations: usize) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Sqlite { step: "opening", path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let settings = "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;";
    connection.execute_batch(settings).map_err(failed)?;
    match migrated(&connection, path, migrations)? {
        found if found == migrations => Ok(connection),
        found => Err(OpenError::Older { path: path.to_owned(), found, known: migrations }),
    }
}

/// Syncs the write-ahead log and moves of it into the database file what no reader needs where it is. Waits for
/// nobody: beside another checkpoint it does nothing.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Syncs the write-ahead log, moves all of it into the database file, syncs that, and empties the
/// write-ahead log. `false`: a reader is in the way.
pub(crate) fn checkpoint_truncate(connection: &Connection) -> rusqlite::Result<bool> {
    pragma(connection, "wal_checkpoint(TRUNCATE)").map(|busy: i64| busy == 0)
}

fn migrated(connection: &Connection, path: &Path, known: usize) -> Result<usize, OpenError> {
    let failed = |source| OpenError::Sqlite { step: "reading the version of", path: path.to_owned(), source };
    let found: i32 = pragma(connection, "user_version").map_err(failed)?;
    match usize::try_from(found) {
        Ok(found) if found <= known => Ok(found),
        _ => Err(OpenError::Newer { path: path.to_owned(), found: found.unsigned_abs() as usize, known }),
    }
}

pub(super) fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, text: &str) -> rusqlite::Result<T> {
    connection.query_row(&format!("PRAGMA {text}"), [], |row| row.get(0))
}
