//! The vault: one key per data subject, and a few secrets of the store itself. Personal data stands in
//! logs and views only sealed with its subject's key, so deleting that key erases the person there.
//!
//! What leads to a subject from outside (`leads_to`) stands here, too, and goes with its key.
//!
//! It promises: a key is durable before anybody may seal with it; an erased subject never gets another
//! key; the file alone opens nothing, because every key in it is sealed with a master key from a file of
//! its own. One thread owns the database and commits what many callers ask in one transaction.
//!
//! Deliberately not here: who may open what (the edge decides), which fields are sealed, and backups:
//! an old copy of the vault brings erased keys back, so backups of it must expire.

use crate::folder::{DataFolder, FolderError, sync_folder, write_durably};
use crate::sqlite::{OpenError, breaks, checkpoint, checkpoint_truncate, connect_to_read, connect_to_write};
pub use key::{Key, Unsealable};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

mod key;

const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/vault/sqlite/0001_key.sql"),
    include_str!("../../migrations/vault/sqlite/0002_key_in_place.sql"),
    include_str!("../../migrations/vault/sqlite/0003_reference.sql"),
];

/// Callers that may wait; one more waits until the thread has taken a batch.
const QUEUE: usize = 1_024;
/// Requests after which pages move into the file. A key changes some four pages, so the write-ahead log keeps to a few MiB.
const MOVE_EVERY: usize = 256;
/// Unwrapped keys that are kept: at most twice as many.
const GENERATION: usize = 4_096;
/// A secret that every vault has, to tell the right master key from another.
const CHECK: &str = "vault.check";

/// Why the vault gives no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VaultError {
    /// The subject was erased: there is no key, and there will be none.
    #[error("the data subject was erased")]
    Erased,
    #[error("the vault is open for reading only")]
    ReadOnly,
    /// Nothing was changed; asking again may help (a full disk, a busy file).
    #[error("{step} in the vault failed")]
    Unavailable { step: &'static str, source: Arc<rusqlite::Error> },
    /// The key is deleted, but an older page of the vault may still hold it sealed, because somebody
    /// reads the file. Erase again.
    #[error("the key is deleted, but a reader of the vault keeps its trace; erase again")]
    TraceLeft,
    /// What is durable is not known: end the process and start from what the disk holds.
    #[error("the vault can no longer be trusted: {0}")]
    Broken(Arc<str>),
}

/// Why the vault was not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultOpenError {
    #[error(transparent)]
    File(#[from] OpenError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("reading the master key {path} failed")]
    ReadMaster { path: PathBuf, source: std::io::Error },
    #[error("the master key {path} is not 32 bytes long; restore it from a backup")]
    BadMaster { path: PathBuf },
    #[error(
        "the vault has no master key {path}; restore it from a backup: \
         with a new one everything that is sealed would be lost"
    )]
    NoMaster { path: PathBuf },
    #[error(
        "the vault {path} is gone, and the logs hold what was sealed with its keys; restore it from a backup: \
         with a new one all of that would be lost"
    )]
    NoVault { path: PathBuf },
    #[error("the master key {path} is not this vault's; restore the right one from a backup")]
    WrongMaster { path: PathBuf },
    #[error("checking the master key failed")]
    Check(#[source] VaultError),
    #[error("starting the vault's thread failed")]
    Thread(#[source] std::io::Error),
}

/// A handle on the vault; shared by reference or in an `Arc`. Its thread ends with it.
pub struct Vault {
    // `None` only while dropping.
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    cache: Arc<Mutex<Cache>>,
}

impl Vault {
    /// Opens the vault of a folder, for reading only where the folder is shared. The first opening
    /// makes the vault and the master key; once there are logs, both must be there.
    pub fn open(folder: &DataFolder) -> Result<Vault, VaultOpenError> {
        let path = folder.vault();
        if !path.exists() && folder.has_logs()? {
            return Err(VaultOpenError::NoVault { path });
        }
        let master = master_key(folder)?;
        let connection = if folder.is_exclusive() {
            let connection = connect_to_write(&path, MIGRATIONS)?;
            sync_folder(folder.path())?;
            overwrite_what_is_deleted(&connection, path)?;
            connection
        } else {
            connect_to_read(&path, MIGRATIONS.len())?
        };
        let worker = Worker::new(connection, master, Some(folder.clone()));
        let vault = Vault::start(worker)?;
        match vault.secret(CHECK) {
            Ok(_) => Ok(vault),
            Err(VaultError::Broken(_)) => Err(VaultOpenError::WrongMaster { path: master_path(folder) }),
            Err(error) => Err(VaultOpenError::Check(error)),
        }
    }

    /// A vault that ends with the process, for tests.
    pub fn in_memory() -> Result<Vault, VaultOpenError> {
        let failed = |source| OpenError::Sqlite { step: "making", path: ":memory:".into(), source };
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(&MIGRATIONS.concat()).map_err(failed)?;
        Vault::start(Worker::new(connection, Key::random(), None))
    }

    fn start(mut worker: Worker) -> Result<Vault, VaultOpenError> {
        let (requests, queue) = sync_channel(QUEUE);
        let cache = worker.cache.clone();
        let thread = std::thread::Builder::new().name("vault".into()).spawn(move || worker.run(&queue));
        let thread = thread.map_err(VaultOpenError::Thread)?;
        Ok(Vault { requests: Some(requests), thread: Some(thread), cache })
    }

    /// The subject's key, made if there is none yet; durable before this returns. `subject` is an id,
    /// never a name. Blocks for up to one commit where the key is not cached.
    pub fn key_for(&self, subject: &str) -> Result<Key, VaultError> {
        if let Some(key) = lock(&self.cache).get(subject) {
            return Ok(key);
        }
        match self.ask(Ask::Key { subject: subject.into(), make: Make::Random })? {
            Answer::Key(Some(key)) => Ok(key),
            Answer::Key(None) | Answer::Led(_) | Answer::Done => Err(VaultError::Erased),
        }
    }

    /// Gives a subject that has none a key from outside, durable before this returns; whoever has one keeps it, and is
    /// told by what comes back. For recorded markets, which must be the same each time they are told.
    pub fn give(&self, subject: &str, key: Key) -> Result<Key, VaultError> {
        match self.ask(Ask::Key { subject: subject.into(), make: Make::Given(key) })? {
            Answer::Key(Some(key)) => Ok(key),
            Answer::Key(None) | Answer::Led(_) | Answer::Done => Err(VaultError::Erased),
        }
    }

    /// The subject's key if it has one: `None` where it was erased or never had any.
    pub fn existing(&self, subject: &str) -> Result<Option<Key>, VaultError> {
        if let Some(key) = lock(&self.cache).get(subject) {
            return Ok(Some(key));
        }
        match self.ask(Ask::Key { subject: subject.into(), make: Make::Nothing })? {
            Answer::Key(key) => Ok(key),
            Answer::Led(_) | Answer::Done => Ok(None),
        }
    }

    /// Deletes the subject's key for ever, and sees to it that the subject never gets another one,
    /// whether it had one or not. Erasing again is fine. Whoever was handed the key before keeps it
    /// until dropped.
    pub fn erase(&self, subject: &str) -> Result<(), VaultError> {
        self.ask(Ask::Erase { subject: subject.into() }).map(|_| ())
    }

    /// Whom a mark leads to; absent where it leads to nobody.
    pub fn led_to(&self, mark: Mark) -> Result<Option<Box<str>>, VaultError> {
        self.lead(mark, None)
    }

    /// Whom a mark leads to, from now on to `first` where it led to nobody; durable before this returns. Of two who
    /// ask at once one is the first, and both are told the same. Erasing the subject ends it.
    pub fn leads_to(&self, mark: Mark, first: &str) -> Result<Box<str>, VaultError> {
        Ok(self.lead(mark, Some(first.into()))?.unwrap_or_else(|| first.into()))
    }

    fn lead(&self, mark: Mark, first: Option<Box<str>>) -> Result<Option<Box<str>>, VaultError> {
        match self.ask(Ask::Lead { mark, first })? {
            Answer::Led(subject) => Ok(subject),
            Answer::Key(_) | Answer::Done => Err(VaultError::ReadOnly),
        }
    }

    /// A random secret of the store by its name, made once, durable before this returns. What it is
    /// for stands in the name: `idempotency.fingerprint`.
    pub fn secret(&self, name: &str) -> Result<[u8; 32], VaultError> {
        match self.ask(Ask::Secret { name: name.into() })? {
            Answer::Key(Some(key)) => Ok(key.0),
            Answer::Key(None) | Answer::Led(_) | Answer::Done => Err(VaultError::ReadOnly),
        }
    }

    fn ask(&self, ask: Ask) -> Result<Answer, VaultError> {
        let (reply, answer) = sync_channel(1);
        let requests = self.requests.as_ref().expect("the vault is not being dropped");
        let ended = |_| VaultError::Broken("its thread has ended".into());
        requests.send(Request { ask, reply }).map_err(|_| ended(()))?;
        answer.recv().map_err(|_| ended(()))?
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.requests = None; // Ends the thread, after what was asked.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Request {
    ask: Ask,
    reply: SyncSender<Result<Answer, VaultError>>,
}

/// Of what leads to a subject: nothing that anybody could read.
pub type Mark = [u8; 16];

enum Ask {
    Key { subject: Box<str>, make: Make },
    Erase { subject: Box<str> },
    Secret { name: Box<str> },
    Lead { mark: Mark, first: Option<Box<str>> },
}

/// What becomes of a subject without a key.
enum Make {
    Nothing,
    Random,
    Given(Key),
}

enum Answer {
    Key(Option<Key>),
    Led(Option<Box<str>>),
    Done,
}

/// What the thread owns.
struct Worker {
    connection: Connection,
    master: Key,
    /// Filled and emptied by the thread alone, in the order of commits: an erased key cannot return.
    cache: Arc<Mutex<Cache>>,
    /// Whether keys may be made; a vault in memory has no folder and may.
    writes: bool,
    /// Requests since the write-ahead log was moved into the file.
    unmoved: usize,
    broken: Option<Arc<str>>,
    // Kept so that the folder's lock outlives the connection.
    _folder: Option<DataFolder>,
}

impl Worker {
    fn new(connection: Connection, master: Key, folder: Option<DataFolder>) -> Worker {
        let writes = folder.as_ref().is_none_or(DataFolder::is_exclusive);
        Worker { connection, master, cache: Arc::default(), writes, unmoved: 0, broken: None, _folder: folder }
    }

    /// Takes what has gathered, commits it at once, answers, until nobody can ask any more.
    fn run(&mut self, queue: &Receiver<Request>) {
        while let Ok(first) = queue.recv() {
            let batch: Vec<Request> = std::iter::once(first).chain(queue.try_iter().take(QUEUE - 1)).collect();
            let answers = match self.commit(&batch) {
                Ok(answers) => answers,
                // One failure is everybody's: nothing of the batch stands.
                Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
            };
            for (request, answer) in batch.into_iter().zip(answers) {
                let _ = request.reply.send(answer); // Who no longer waits needs no answer.
            }
        }
    }

    fn commit(&mut self, batch: &[Request]) -> Result<Vec<Result<Answer, VaultError>>, VaultError> {
        if let Some(why) = &self.broken {
            return Err(VaultError::Broken(why.clone()));
        }
        let done = self.transact(batch);
        if let Err(VaultError::Broken(why)) = &done {
            self.broken = Some(why.clone());
        }
        let mut answers = done?;
        if !self.writes {
            return Ok(answers); // Nothing is cached: we would not hear of an erasure.
        }
        let mut cache = lock(&self.cache);
        for (request, answer) in batch.iter().zip(&answers) {
            match (&request.ask, answer) {
                (Ask::Key { subject, .. }, Ok(Answer::Key(Some(key)))) => cache.put(subject.clone(), key.clone()),
                (Ask::Erase { subject }, Ok(_)) => cache.remove(subject),
                _ => {}
            }
        }
        drop(cache);
        if batch.iter().any(|request| matches!(request.ask, Ask::Erase { .. })) {
            self.scrub(batch, &mut answers);
        }
        self.move_pages(batch.len());
        Ok(answers)
    }

    /// Now and then, what the write-ahead log holds goes into the file, so that it does not grow with every customer. The
    /// batch before it is durable in either case: where a sync fails, it is the next one that hears of it.
    fn move_pages(&mut self, requests: usize) {
        self.unmoved += requests;
        if self.unmoved < MOVE_EVERY {
            return;
        }
        self.unmoved = 0;
        if let Err(error) = checkpoint(&self.connection).map_err(failed("moving pages")) {
            tracing::warn!(%error, "vault.pages_not_moved");
            if let VaultError::Broken(why) = error {
                self.broken = Some(why);
            }
        }
    }

    fn transact(&self, batch: &[Request]) -> Result<Vec<Result<Answer, VaultError>>, VaultError> {
        let run = |sql, step| {
            let mut statement = self.connection.prepare_cached(sql).map_err(failed(step))?;
            statement.execute([]).map(|_| ()).map_err(failed(step))
        };
        run(if self.writes { "BEGIN IMMEDIATE" } else { "BEGIN" }, "beginning")?;
        let done = batch.iter().map(|request| self.answer(&request.ask)).collect::<Result<Vec<_>, _>>();
        let done = done.and_then(|answers| run("COMMIT", "committing").map(|()| answers));
        if !self.connection.is_autocommit() {
            let rolled_back = self.connection.execute_batch("ROLLBACK");
            rolled_back.map_err(|error| VaultError::Broken(error.to_string().into()))?;
        }
        done
    }

    /// The outer error is the database's and fails the batch; the inner one is this request's answer.
    fn answer(&self, ask: &Ask) -> Result<Result<Answer, VaultError>, VaultError> {
        match ask {
            Ask::Key { subject, make } => {
                let sql = "SELECT sealed FROM subject LEFT JOIN sealed_key USING (no) WHERE subject = ?";
                match self.find(sql, subject)? {
                    Some(None) if !matches!(make, Make::Nothing) => Ok(Err(VaultError::Erased)),
                    Some(None) => Ok(Ok(Answer::Key(None))),
                    Some(Some(sealed)) => self.unseal("key", subject, &sealed).map(|key| Ok(Answer::Key(Some(key)))),
                    None => {
                        let key = match make {
                            Make::Nothing => return Ok(Ok(Answer::Key(None))),
                            Make::Random => Key::random(),
                            Make::Given(key) => key.clone(),
                        };
                        let made = self.make("INSERT INTO sealed_key (sealed) VALUES (?2)", "key", subject, key)?;
                        if made.is_ok() {
                            let sql = "INSERT INTO subject (subject, no) VALUES (?, last_insert_rowid())";
                            self.change(sql, subject, "making a key")?;
                        }
                        Ok(made)
                    }
                }
            }
            Ask::Secret { name } => match self.find("SELECT sealed FROM secret WHERE name = ?", name)? {
                Some(sealed) => self
                    .unseal("secret", name, &sealed.expect("the column is NOT NULL"))
                    .map(|key| Ok(Answer::Key(Some(key)))),
                None => self.make("INSERT INTO secret (name, sealed) VALUES (?, ?)", "secret", name, Key::random()),
            },
            Ask::Erase { subject } => {
                if !self.writes {
                    return Ok(Err(VaultError::ReadOnly));
                }
                // As long as the key was, so it is overwritten where it stands.
                let sql = "UPDATE sealed_key SET sealed = zeroblob(length(sealed)) \
                           WHERE no = (SELECT no FROM subject WHERE subject = ?)";
                self.change(sql, subject, "erasing a key")?;
                let sql = "INSERT INTO subject (subject, no) VALUES (?, NULL) ON CONFLICT DO UPDATE SET no = NULL";
                self.change(sql, subject, "erasing a key")?;
                self.change("DELETE FROM reference WHERE customer = ?", subject, "erasing a key")?;
                Ok(Ok(Answer::Done))
            }
            Ask::Lead { mark, first } => self.led(mark, first.as_deref()),
        }
    }

    fn led(&self, mark: &Mark, first: Option<&str>) -> Result<Result<Answer, VaultError>, VaultError> {
        let sql = "SELECT customer FROM reference WHERE mark = ?";
        let found = self.connection.prepare_cached(sql).and_then(|mut look| {
            let found: Option<String> = look.query_row([mark], |row| row.get(0)).optional()?;
            Ok(found)
        });
        match (found.map_err(failed("looking"))?, first) {
            (Some(subject), _) => Ok(Ok(Answer::Led(Some(subject.into())))),
            (None, None) => Ok(Ok(Answer::Led(None))),
            (None, Some(_)) if !self.writes => Ok(Err(VaultError::ReadOnly)),
            (None, Some(first)) => {
                let sql = "INSERT INTO reference (mark, customer) VALUES (?, ?)";
                let put = self.connection.prepare_cached(sql).and_then(|mut put| put.execute(params![mark, first]));
                put.map_err(failed("leading to a subject"))?;
                Ok(Ok(Answer::Led(Some(first.into()))))
            }
        }
    }

    /// The sealed column of the row, if there is a row; the inner `None` is an erased key.
    fn find(&self, sql: &str, name: &str) -> Result<Option<Option<Vec<u8>>>, VaultError> {
        let mut select = self.connection.prepare_cached(sql).map_err(failed("looking"))?;
        select.query_row([name], |row| row.get(0)).optional().map_err(failed("looking"))
    }

    fn change(&self, sql: &str, subject: &str, step: &'static str) -> Result<usize, VaultError> {
        let changed = self.connection.prepare_cached(sql).and_then(|mut change| change.execute([subject]));
        changed.map_err(failed(step))
    }

    /// `sql` takes the name and the sealed key.
    fn make(&self, sql: &str, kind: &str, name: &str, key: Key) -> Result<Result<Answer, VaultError>, VaultError> {
        if !self.writes {
            return Ok(Err(VaultError::ReadOnly));
        }
        let sealed = self.master.seal(&place(kind, name), &key.0);
        let made = self.connection.prepare_cached(sql).and_then(|mut insert| insert.execute(params![name, sealed]));
        made.map(|_| Ok(Answer::Key(Some(key)))).map_err(failed("making a key"))
    }

    fn unseal(&self, kind: &str, name: &str, sealed: &[u8]) -> Result<Key, VaultError> {
        let wrong = || VaultError::Broken(format!("the master key does not open the {kind} of {name}").into());
        let key = self.master.open(&place(kind, name), sealed).map_err(|_| wrong())?;
        Ok(Key(key.try_into().map_err(|_| wrong())?))
    }

    /// Erasing overwrites the key in the database file, but the write-ahead log still holds the page as
    /// it was: empty it, too.
    fn scrub(&mut self, batch: &[Request], answers: &mut [Result<Answer, VaultError>]) {
        let problem = match checkpoint_truncate(&self.connection) {
            Ok(true) => return,
            Ok(false) => VaultError::TraceLeft,
            Err(error) => failed("emptying the write-ahead log")(error),
        };
        if let VaultError::Broken(why) = &problem {
            self.broken = Some(why.clone());
        }
        for (request, answer) in batch.iter().zip(answers) {
            if matches!(request.ask, Ask::Erase { .. }) && answer.is_ok() {
                *answer = Err(problem.clone());
            }
        }
    }
}

/// What moves or goes, goes with its bytes: pages that are freed are overwritten with zeros.
fn overwrite_what_is_deleted(connection: &Connection, path: PathBuf) -> Result<(), OpenError> {
    let setting = "secure_delete";
    match connection.query_row("PRAGMA secure_delete = ON", [], |row| row.get(0)) {
        Ok(1) => Ok(()),
        Ok(found) => Err(OpenError::Setting { path, setting, found: i64::to_string(&found), needed: "1" }),
        Err(source) => Err(OpenError::Sqlite { step: "configuring", path, source }),
    }
}

/// What a sealed key is bound to, so that no row can stand in for another.
fn place(kind: &str, name: &str) -> Vec<u8> {
    format!("{kind}\0{name}").into_bytes()
}

fn failed(step: &'static str) -> impl FnOnce(rusqlite::Error) -> VaultError {
    move |error| {
        if breaks(&error) {
            VaultError::Broken(format!("{step}: {error}").into())
        } else {
            VaultError::Unavailable { step, source: Arc::new(error) }
        }
    }
}

fn master_path(folder: &DataFolder) -> PathBuf {
    folder.keys().join("master")
}

fn master_key(folder: &DataFolder) -> Result<Key, VaultOpenError> {
    let path = master_path(folder);
    match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().map(Key).map_err(|_| VaultOpenError::BadMaster { path }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Made before the vault is: a vault without a master key has lost it.
            if folder.vault().exists() || !folder.is_exclusive() {
                return Err(VaultOpenError::NoMaster { path });
            }
            let master = Key::random();
            write_durably(&path, &master.0)?;
            Ok(master)
        }
        Err(source) => Err(VaultOpenError::ReadMaster { path, source }),
    }
}

/// Unwrapped keys in two generations: the older goes when the younger is full.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<str>, Key>,
    old: HashMap<Box<str>, Key>,
}

impl Cache {
    fn get(&mut self, subject: &str) -> Option<Key> {
        if let Some(key) = self.young.get(subject) {
            return Some(key.clone());
        }
        let (subject, key) = self.old.remove_entry(subject)?;
        self.put(subject, key.clone());
        Some(key)
    }
    fn put(&mut self, subject: Box<str>, key: Key) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(subject, key);
    }
    fn remove(&mut self, subject: &str) {
        self.young.remove(subject);
        self.old.remove(subject);
    }
}

fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
