//! The data folder: where a node without a database server keeps everything.
//!
//! ```text
//! LOCK            held by the one process that writes
//! format          {"format":1}
//! logs/           one file per log
//! vault.sqlite    keys of data subjects
//! snapshots/      folds of logs, by log and position; may be deleted
//! history.sqlite  views; may be deleted and built again
//! keys/           the master key and the house's signing keys, for the owner's eyes only
//! ```
//! Holding an exclusive `DataFolder` is what makes a process the only writer: whoever writes below
//! it keeps a clone. What stands in the files is their owners' business.

use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The layout that this program writes. It grows when an older program could no longer read the folder.
const FORMAT: u32 = 1;

/// An open data folder. Clones share the lock, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: Option<Arc<File>>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
}

/// Why a folder was not opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("there is no data folder at {path}; start the server there once, or name the right folder with --data")]
    Absent { path: PathBuf },
    #[error("{path} is a file; name a folder with --data")]
    NotAFolder { path: PathBuf },
    #[error("{path} holds other files and is no data folder; name an empty or a new folder with --data")]
    Foreign { path: PathBuf },
    #[error("{path} is in use by another process; stop that one, or name another folder with --data")]
    InUse { path: PathBuf },
    #[error(
        "{path} has format {found}, and this program knows formats up to {known}; \
         use the newer program that wrote it, or restore a backup from before"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{path} does not say a format; restore the file from a backup (it reads {{\"format\":{FORMAT}}})")]
    BadFormat { path: PathBuf, source: serde_json::Error },
    #[error("{step} {path} failed; the server's user needs to read and write there")]
    Io { step: &'static str, path: PathBuf, source: io::Error },
}

impl DataFolder {
    /// Opens the folder for the one process that may write in it, and makes it where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<DataFolder, FolderError> {
        let path = path.into();
        make_folder(&path)?;
        // Before anything is put into it: a mistyped --data must not turn a home into a data folder.
        if is_foreign(&path)? {
            return Err(FolderError::Foreign { path });
        }
        let lock_path = path.join("LOCK");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
        let lock = lock.map_err(|source| io_error("opening", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { path }),
            Err(TryLockError::Error(source)) => {
                return Err(io_error("locking", &lock_path, source));
            }
        }
        let folder = DataFolder { path, lock: Some(Arc::new(lock)) };
        if !folder.format_path().exists() {
            let text = serde_json::to_vec(&Format { format: FORMAT }).expect("a number becomes JSON");
            write_durably(&folder.format_path(), &text)?;
        }
        folder.check_format()?;
        make_folder(&folder.logs())?;
        make_folder(&folder.keys())?;
        sync_folder(folder.path())?;
        Ok(folder)
    }

    /// Opens a folder for reading, beside a server that writes in it or not. Takes no lock and
    /// changes nothing.
    pub fn open_shared(path: impl Into<PathBuf>) -> Result<DataFolder, FolderError> {
        let folder = DataFolder { path: path.into(), lock: None };
        if folder.path.is_file() {
            return Err(FolderError::NotAFolder { path: folder.path });
        }
        if !folder.format_path().exists() {
            return Err(FolderError::Absent { path: folder.path });
        }
        folder.check_format()?;
        Ok(folder)
    }

    /// Whether this process is the one that may write.
    pub fn is_exclusive(&self) -> bool {
        self.lock.is_some()
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }
    /// Whether anything was ever recorded here.
    pub fn has_logs(&self) -> Result<bool, FolderError> {
        let path = self.logs();
        let listing = |source| io_error("listing", &path, source);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(listing(source)),
        };
        for entry in entries {
            let name = entry.map_err(listing)?.file_name();
            if Path::new(&name).extension().is_some_and(|ending| ending == "sqlite") {
                return Ok(true);
            }
        }
        Ok(false)
    }
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault.sqlite")
    }
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }
    pub fn history(&self) -> PathBuf {
        self.path.join("history.sqlite")
    }
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
    fn format_path(&self) -> PathBuf {
        self.path.join("format")
    }

    fn check_format(&self) -> Result<(), FolderError> {
        let path = self.format_path();
        let text = fs::read(&path).map_err(|source| io_error("reading", &path, source))?;
        match serde_json::from_slice(&text) {
            Ok(Format { format }) if format <= FORMAT => Ok(()),
            Ok(Format { format }) => Err(FolderError::Newer { path: self.path.clone(), found: format, known: FORMAT }),
            Err(source) => Err(FolderError::BadFormat { path, source }),
        }
    }
}

/// Writes a small file that only the owner may read. Afterwards it stands there whole and durable; a
/// crash before leaves the old file or none.
pub fn write_durably(path: &Path, content: &[u8]) -> Result<(), FolderError> {
    let draft = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|source| io_error("writing", path, source))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder durable: a synced file whose name is lost is lost.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FolderError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|source| io_error("syncing", path, source))
}

pub(crate) fn make_folder(path: &Path) -> Result<(), FolderError> {
    if path.is_dir() {
        return Ok(());
    }
    if path.exists() {
        return Err(FolderError::NotAFolder { path: path.to_owned() });
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| io_error("making", path, source))?;
    match path.parent() {
        // A bare name stands in the current folder.
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Whether the folder holds anything that we did not put there. A start that was cut short leaves at
/// most the lock and the draft of `format`.
fn is_foreign(path: &Path) -> Result<bool, FolderError> {
    if path.join("format").exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(path).map_err(|source| io_error("listing", path, source))? {
        let entry = entry.map_err(|source| io_error("listing", path, source))?;
        // A fresh disk is mounted with a lost+found.
        if !["LOCK", "format", "format.new", "lost+found"].iter().any(|ours| entry.file_name() == *ours) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn io_error(step: &'static str, path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { step, path: path.to_owned(), source }
}

/// A folder for one test, gone afterwards.
#[cfg(test)]
pub(crate) struct Scratch(pub PathBuf);

#[cfg(test)]
impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("store-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let scratch = Scratch::new();
        let path = scratch.0.join("deep/data");
        let folder = DataFolder::open(&path).unwrap();
        assert!(folder.is_exclusive());
        assert_eq!((mode(&path), mode(&folder.keys()), mode(&folder.logs())), (0o700, 0o700, 0o700));
        assert_eq!(fs::read_to_string(path.join("format")).unwrap(), r#"{"format":1}"#);
        drop(folder);
        DataFolder::open(&path).expect("it opens again");
    }

    #[test]
    fn one_process_writes_and_others_look() {
        let scratch = Scratch::new();
        let folder = DataFolder::open(&scratch.0).unwrap();
        assert!(matches!(DataFolder::open(&scratch.0), Err(FolderError::InUse { .. })));
        assert!(!DataFolder::open_shared(&scratch.0).unwrap().is_exclusive());
        let clone = folder.clone();
        drop(folder);
        assert!(matches!(DataFolder::open(&scratch.0), Err(FolderError::InUse { .. })));
        drop(clone);
        DataFolder::open(&scratch.0).expect("the lock ends with its last holder");
    }

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let scratch = Scratch::new();
        fs::write(scratch.0.join("format"), r#"{"format":7,"more":true}"#).unwrap();
        for refused in [DataFolder::open(&scratch.0), DataFolder::open_shared(&scratch.0)] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("format 7") && text.contains("up to 1"), "{text}");
        }
        fs::write(scratch.0.join("format"), "").unwrap();
        assert!(matches!(DataFolder::open(&scratch.0), Err(FolderError::BadFormat { .. })));
    }

    #[test]
    fn other_peoples_folders_are_left_alone() {
        let scratch = Scratch::new();
        fs::write(scratch.0.join("thesis.txt"), "").unwrap();
        assert!(matches!(DataFolder::open(&scratch.0), Err(FolderError::Foreign { .. })));
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "not even a lock was put there");
        let file = scratch.0.join("thesis.txt");
        assert!(matches!(DataFolder::open(&file), Err(FolderError::NotAFolder { .. })));
        assert!(matches!(DataFolder::open_shared(&file), Err(FolderError::NotAFolder { .. })));
        assert!(matches!(DataFolder::open_shared(&scratch.0), Err(FolderError::Absent { .. })));
    }

    #[test]
    fn a_start_that_was_cut_short_goes_on() {
        let scratch = Scratch::new();
        fs::write(scratch.0.join("LOCK"), "").unwrap();
        fs::write(scratch.0.join("format.new"), "{").unwrap();
        DataFolder::open(&scratch.0).unwrap();
    }
}
