//! Snapshots: what a log folds to at one position, in a file, so that a start need not begin at zero.
//!
//! ```text
//! DATA/snapshots/LOG/SEQ-BUILD.snapshot
//!   magic, length, {log, seq, hash, build, lengths}   what it is
//!   writer                                            MessagePack of `Folded`
//!   view                                              MessagePack of the log's live view
//!   SHA-256 of all before
//! ```
//! A snapshot is whole and durable under its name, or it is not there. It is disposable: one that is damaged, of
//! another build or of another history is passed over with a line in the log, once, and the next older one is taken.
//! One whose head does not stand in its log is of a lost history, and is deleted by whoever may write.
//!
//! Not here: what is in the two parts (`writer::folded`, `projections::live`), and when one is made.

use crate::backend::{EventStore, ReadError};
use crate::folder::{self, DataFolder, FolderError};
use crate::raw::{Hash, Head, Hex};
use domain::log::{LogName, Seq};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAGIC: &[u8; 8] = b"CMSNAP1\n";
const ENDING: &str = "snapshot";
const CHECKSUM: usize = 32;

/// What one log's snapshots may take together before older ones are thinned out.
pub const KEPT_BYTES: u64 = 1 << 30;
/// As many of the newest stay whatever they take: should one be damaged, there is another near by.
const KEPT_MIN: usize = 2;

/// The fold of a log up to and including `head`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub log: LogName,
    pub head: Head,
    pub writer: Vec<u8>,
    pub view: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    log: LogName,
    seq: Seq,
    hash: Hash,
    build: String,
    writer: u64,
    view: u64,
}

/// A snapshot that does not say what was written.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot is damaged: {0}")]
pub struct Damaged(pub String);

/// Writes one part of a snapshot. Equal values give equal bytes where their maps have an order.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Named fields: where a value leaves absent ones out, positions would say nothing.
    rmp_serde::to_vec_named(value).expect("states and views are plain data, and memory does not fail")
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Damaged> {
    rmp_serde::from_slice(bytes).map_err(|error| Damaged(error.to_string()))
}

impl Snapshot {
    fn to_bytes(&self, build: &str) -> Vec<u8> {
        let header = encode(&Header {
            log: self.log.clone(),
            seq: self.head.seq,
            hash: self.head.hash,
            build: build.to_owned(),
            writer: self.writer.len() as u64,
            view: self.view.len() as u64,
        });
        let length = (header.len() as u64).to_le_bytes();
        let mut bytes = [&MAGIC[..], &length, &header, &self.writer, &self.view].concat();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn from_bytes(bytes: &[u8], build: &str) -> Result<Snapshot, Damaged> {
        let damaged = |what: &str| Damaged(what.to_owned());
        let body = bytes.len().checked_sub(CHECKSUM).ok_or_else(|| damaged("it is too short"))?;
        let (body, checksum) = bytes.split_at(body);
        if Sha256::digest(body)[..] != *checksum {
            return Err(damaged("its checksum is another"));
        }
        let rest = body.strip_prefix(MAGIC).ok_or_else(|| damaged("it is of another format"))?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
        let cut = |bytes: &[u8], at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
        let at = cut(rest, u64::from_le_bytes(*length)).ok_or_else(|| damaged("its header has no end"))?;
        let (header, parts) = rest.split_at(at);
        let header: Header = decode(header)?;
        let at = cut(parts, header.writer).ok_or_else(|| damaged("its parts have no end"))?;
        let (writer, view) = parts.split_at(at);
        if header.build != build || view.len() as u64 != header.view {
            return Err(damaged("its header says something else"));
        }
        Ok(Snapshot {
            log: header.log,
            head: Head { seq: header.seq, hash: header.hash },
            writer: writer.to_vec(),
            view: view.to_vec(),
        })
    }
}

/// The snapshots of a data folder that this build can read.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// Absent: there are none, and none are kept.
    path: Option<PathBuf>,
    build: &'static str,
    may_write: bool,
    kept_bytes: u64,
    /// What this process has found wrong with files, and said.
    faults: Arc<Mutex<BTreeMap<PathBuf, Fault>>>,
}

/// Why a file is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It may be read another time.
    Unreadable,
    /// Damaged, or another build's: it is not looked at again until this process writes it anew.
    Unusable,
}

/// A snapshot's file, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    seq: Seq,
    build: String,
    path: PathBuf,
}

impl Snapshots {
    /// For stores in memory.
    pub fn none() -> Snapshots {
        Snapshots { path: None, build: "", may_write: false, kept_bytes: 0, faults: Arc::default() }
    }

    /// `build` names the code that folds: a snapshot of any other is not understood. Where the folder is shared
    /// nothing is written or deleted.
    pub fn of(folder: &DataFolder, build: &'static str) -> Snapshots {
        let may_write = folder.is_exclusive();
        let path = Some(folder.snapshots());
        Snapshots { path, build, may_write, kept_bytes: KEPT_BYTES, faults: Arc::default() }
    }

    pub fn are_kept(&self) -> bool {
        self.may_write && self.path.is_some()
    }

    fn of_log(&self, log: &LogName) -> Option<PathBuf> {
        self.path.as_ref().map(|path| path.join(log.as_str()))
    }

    /// All of a log, of any build, by position. A folder that cannot be listed has none.
    fn all(&self, log: &LogName) -> Vec<Named> {
        let Some(Ok(entries)) = self.of_log(log).map(fs::read_dir) else { return Vec::new() };
        let mut all: Vec<Named> = entries.filter_map(|entry| named(entry.ok()?.path())).collect();
        all.sort_by(|a, b| (a.seq, &a.build).cmp(&(b.seq, &b.build)));
        all
    }

    /// The positions that this build has snapshots of, in order.
    pub fn positions(&self, log: &LogName) -> Vec<Seq> {
        self.all(log).into_iter().filter(|one| one.build == self.build).map(|one| one.seq).collect()
    }

    fn faults(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be said: nothing was found wrong with this file before.
    fn is_news(&self, path: &Path, fault: Fault) -> bool {
        self.faults().insert(path.to_owned(), fault).is_none()
    }

    /// The newest snapshot at or before `at_most` (absent: of all) that stands in the log and that `restore` can
    /// use; none where the fold begins at zero. `restore` gives `None` for one that is whole and not for it.
    pub fn nearest<T>(
        &self,
        store: &dyn EventStore,
        log: &LogName,
        at_most: Option<Seq>,
        mut restore: impl FnMut(Snapshot) -> Result<Option<T>, Damaged>,
    ) -> Result<Option<T>, ReadError> {
        for one in self.all(log).into_iter().rev() {
            let Named { seq, build, path } = one;
            if at_most.is_some_and(|at_most| seq > at_most) || self.faults().get(&path) == Some(&Fault::Unusable) {
                continue;
            }
            if build != self.build {
                tracing::info!(%log, seq, "snapshot.of_another_build");
                self.is_news(&path, Fault::Unusable);
                continue;
            }
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                // Thinned out meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    if self.is_news(&path, Fault::Unreadable) {
                        tracing::warn!(%log, seq, %error, "snapshot.unreadable");
                    }
                    continue;
                }
            };
            let damaged = |error: Damaged| {
                tracing::warn!(%log, seq, %error, "snapshot.damaged");
                self.is_news(&path, Fault::Unusable);
            };
            let snapshot = match self.open(log, seq, &bytes) {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    damaged(error);
                    continue;
                }
            };
            if !stands(store, log, snapshot.head)? {
                tracing::warn!(%log, seq, hash = %Hex(&snapshot.head.hash), "snapshot.of_a_lost_history");
                self.delete(&path);
                continue;
            }
            match restore(snapshot) {
                Ok(Some(restored)) => return Ok(Some(restored)),
                Ok(None) => {}
                Err(error) => damaged(error),
            }
        }
        Ok(None)
    }

    /// One snapshot of this build. Its head may not stand in the log any more.
    pub fn at(&self, log: &LogName, seq: Seq) -> Result<Snapshot, Damaged> {
        let folder = self.of_log(log).ok_or_else(|| Damaged("none are kept".to_owned()))?;
        self.read(log, seq, &folder.join(file_name(seq, self.build)))
    }

    fn read(&self, log: &LogName, seq: Seq, path: &Path) -> Result<Snapshot, Damaged> {
        let bytes = fs::read(path).map_err(|error| Damaged(error.to_string()))?;
        self.open(log, seq, &bytes)
    }

    fn open(&self, log: &LogName, seq: Seq, bytes: &[u8]) -> Result<Snapshot, Damaged> {
        let snapshot = Snapshot::from_bytes(bytes, self.build)?;
        if snapshot.log != *log || snapshot.head.seq != seq {
            return Err(Damaged("its name says something else".to_owned()));
        }
        Ok(snapshot)
    }

    /// Makes it durable, then lets go of what it makes needless: snapshots of other builds, and by
    /// [`KEPT_BYTES`] some of the older ones. Returns its bytes.
    pub fn write(&self, snapshot: &Snapshot) -> Result<u64, FolderError> {
        let Some(folder) = self.of_log(&snapshot.log).filter(|_| self.may_write) else { return Ok(0) };
        folder::make_folder(&folder)?;
        let bytes = snapshot.to_bytes(self.build);
        let path = folder.join(file_name(snapshot.head.seq, self.build));
        if let Err(error) = folder::write_durably(&path, &bytes) {
            // On a full disk half a file is worth less than the room it takes.
            self.delete(&path.with_extension("new"));
            return Err(error);
        }
        self.faults().remove(&path);
        self.thin(&snapshot.log);
        Ok(bytes.len() as u64)
    }

    fn thin(&self, log: &LogName) {
        let (mut kept, other): (Vec<Named>, Vec<Named>) =
            self.all(log).into_iter().partition(|one| one.build == self.build);
        other.iter().for_each(|one| self.delete(&one.path));
        // What a process was writing when it died. This one writes nothing now, and no other may.
        let drafts = self.of_log(log).and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        for path in drafts.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "new")) {
            self.delete(&path);
        }
        let size = |one: &Named| fs::metadata(&one.path).map_or(0, |found| found.len());
        let mut sizes: Vec<u64> = kept.iter().map(size).collect();
        while sizes.iter().sum::<u64>() > self.kept_bytes {
            let seqs: Vec<Seq> = kept.iter().map(|one| one.seq).collect();
            let Some(at) = least_missed(&seqs) else { return };
            self.delete(&kept.remove(at).path);
            sizes.remove(at);
        }
    }

    /// Deletes what is not of the log as it stands now: it has forked, or was restored.
    pub fn drop_lost(&self, store: &dyn EventStore, log: &LogName) -> Result<(), ReadError> {
        for one in self.all(log) {
            let lost = match self.read(log, one.seq, &one.path) {
                Ok(snapshot) => !stands(store, log, snapshot.head)?,
                Err(_) => true,
            };
            if lost {
                tracing::warn!(%log, seq = one.seq, "snapshot.of_a_lost_history");
                self.delete(&one.path);
            }
        }
        Ok(())
    }

    fn delete(&self, path: &Path) {
        if !self.may_write {
            return;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "snapshot.not_deleted");
            }
            Ok(()) | Err(_) => {
                self.faults().remove(path);
            }
        }
    }
}

/// Whether the log holds the event that the snapshot ends with.
fn stands(store: &dyn EventStore, log: &LogName, head: Head) -> Result<bool, ReadError> {
    let found = store.read(log, head.seq, 1)?;
    Ok(found.first().is_some_and(|raw| raw.head() == head))
}

fn file_name(seq: Seq, build: &str) -> String {
    // As wide as the largest position, so that names sort as positions do.
    format!("{seq:020}-{build}.{ENDING}")
}

fn named(path: PathBuf) -> Option<Named> {
    let (seq, build) = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?.split_once('-')?;
    Some(Named { seq: seq.parse().ok()?, build: build.to_owned(), path })
}

/// Which of these positions to give up first: the one that leaves the smallest gap for its age, so that gaps
/// double with distance from the newest. `None` where only as many are left as always stay.
fn least_missed(seqs: &[Seq]) -> Option<usize> {
    let newest = *seqs.last()?;
    let may_go = seqs.len().checked_sub(KEPT_MIN)?;
    let missed = |at: &usize| {
        let before = at.checked_sub(1).map_or(0, |before| seqs[before]);
        let gap = seqs[at + 1] - before;
        let age = (newest - seqs[*at]).max(1);
        // In thousandths; the older of two equals goes.
        (u128::from(gap) * 1_000 / u128::from(age), *at)
    };
    (0..may_go).min_by_key(missed)
}

#[cfg(test)]
mod tests;
