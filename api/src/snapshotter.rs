//! The background fold: one thread that folds each log as a start does, and keeps what came of it as snapshots.
//!
//! It promises: a log that is long has a snapshot near any of its positions, as far as they take no more room than
//! `KEPT_BYTES`; the writers never wait for it; asked to stop, it ends within one page or one file. Before that it
//! walks the chain of each log that started from a snapshot up to there, once, and says where it is broken.
//!
//! What it folds the writers hand over: reading, parsing and checking a log again costs half as much again and more.
//! What they have not, it reads. So it holds a second fold of each log in memory, always: one that was dropped would
//! have to be read again. It works half of the time at most. A disk that is full, or fails, is named once; everything
//! else goes on without snapshots.

use crate::cli::causes;
use domain::log::{LogName, Seq};
use projections::handed::Handed;
use projections::live::{Live, LogFold, RefoldError, ViewError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::backend::{EventStore, ReadError};
use store::chain::{ChainError, Verifier};
use store::folder::FolderError;
use store::raw::Head;
use store::recorded::Recorded;
use store::snapshot::Snapshots;
use store::writer::OpenError;
use store::writer::folded::{PAGE, page_after};

/// Events of a log from one snapshot of it to the next: what a start, or a look at a past position, folds at most.
/// That is two or three seconds (docs/adr/0016-snapshots.md).
pub(crate) const EVERY: u64 = 100_000;
/// How often the logs' lengths are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a disk that took no snapshot, or a store that did not answer, is left alone.
const RESPITE: Duration = Duration::from_secs(60);

pub(crate) struct Snapshotter {
    work: Arc<Work>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

struct Work {
    snapshots: Arc<Snapshots>,
    store: Arc<dyn EventStore>,
    live: Arc<Live>,
    handed: Handed,
    every: u64,
    /// It has been named.
    disk_failed: AtomicBool,
    stop: Mutex<bool>,
    stopped: Condvar,
}

/// One log.
struct Followed {
    fold: LogFold,
    /// What follows the next snapshot.
    due: Seq,
}

/// What is done about a log whose chain is broken below the snapshot that it started from.
pub(crate) type OnBroken = Box<dyn Fn(&LogName, &dyn std::error::Error) + Send>;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error("its acceptances cannot be folded")]
    Refold(#[from] RefoldError),
    #[error(transparent)]
    Disk(#[from] FolderError),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Snapshotter {
    /// Idle until [`Snapshotter::begin`].
    pub(crate) fn new(
        snapshots: Arc<Snapshots>,
        store: Arc<dyn EventStore>,
        live: Arc<Live>,
        every: u64,
    ) -> Snapshotter {
        let (handed, disk_failed) = (Handed::default(), AtomicBool::default());
        let (stop, stopped) = (Mutex::new(false), Condvar::new());
        let work = Arc::new(Work { snapshots, store, live, handed, every, disk_failed, stop, stopped });
        Snapshotter { work, thread: Mutex::default() }
    }

    /// The house has started, these logs from snapshots of theirs. Errors: the thread cannot be started.
    pub(crate) fn begin(&self, started: Vec<(LogName, Head)>, on_broken: OnBroken) -> std::io::Result<()> {
        let own = self.work.clone();
        let thread = std::thread::Builder::new().name("snapshots".to_owned());
        *lock(&self.thread) = Some(thread.spawn(move || own.run(&started, &on_broken))?);
        Ok(())
    }

    /// Takes over consecutive acknowledged events of one log. Never waits for the folding.
    pub(crate) fn publish(&self, events: &[Arc<Recorded>]) {
        self.work.handed.put(events);
    }

    /// Ends the thread and waits for it.
    pub(crate) fn stop(&self) {
        *lock(&self.work.stop) = true;
        self.work.stopped.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for Snapshotter {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Nobody waits for this work: the thread takes what the others leave. A system that does not know of threads'
/// niceness lets it compete with them.
fn let_others_first() {
    let this = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(this), 19) {
        tracing::debug!(%error, "snapshots.not_nice");
    }
}

impl Work {
    fn stops(&self) -> bool {
        *lock(&self.stop)
    }

    /// Whether to go on after a while.
    fn pause(&self, time: Duration) -> bool {
        let waited = self.stopped.wait_timeout_while(lock(&self.stop), time, |stop| !*stop);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn run(&self, started: &[(LogName, Head)], on_broken: &OnBroken) {
        let_others_first();
        for (log, head) in started {
            self.walk_whole(log, *head, on_broken);
        }
        if !self.snapshots.are_kept() {
            return;
        }
        let mut followed: BTreeMap<LogName, Followed> = BTreeMap::new();
        // Logs that cannot be folded: the live view has said why.
        let mut given_up: BTreeSet<LogName> = BTreeSet::new();
        // Logs of which the disk took no snapshot, and when.
        let mut resting: BTreeMap<LogName, Instant> = BTreeMap::new();
        while self.pause(LOOK) {
            for (log, head) in self.live.heads() {
                if given_up.contains(&log) || resting.get(&log).is_some_and(|since| since.elapsed() < RESPITE) {
                    continue;
                }
                let outcome = self.follow(&log, head.seq, followed.remove(&log));
                if !matches!(outcome, Ok(Some(_))) {
                    self.handed.forget(&log);
                }
                match outcome {
                    Ok(goes_on) => followed.extend(goes_on.map(|followed| (log, followed))),
                    Err(error @ Failure::Disk(_)) => {
                        if !self.disk_failed.swap(true, Ordering::Relaxed) {
                            tracing::warn!(%log, error = %causes(&error), "snapshot.not_written");
                        }
                        resting.insert(log, Instant::now());
                    }
                    Err(Failure::Read(ReadError::Unavailable { .. })) => {}
                    Err(error) => {
                        tracing::error!(%log, error = %causes(&error), "snapshots.given_up");
                        given_up.insert(log);
                    }
                }
            }
        }
    }

    fn walk_whole(&self, log: &LogName, to: Head, on_broken: &OnBroken) {
        loop {
            match self.walk(log, to) {
                Ok(None) => return,
                Ok(Some(broken)) => return on_broken(log, &broken),
                // A position is missing.
                Err(error @ ReadError::Damaged { .. }) => return on_broken(log, &error),
                Err(error) => tracing::warn!(%log, error = %causes(&error), "chain.not_walked"),
            }
            // The store does not answer now; the log is not to go unchecked for that.
            if !self.pause(RESPITE) {
                return;
            }
        }
    }

    /// Checks each link of a log from its beginning to `to`, which a start has taken for granted. Gives the first that
    /// does not hold.
    fn walk(&self, log: &LogName, to: Head) -> Result<Option<ChainError>, ReadError> {
        let began = Instant::now();
        let mut verifier = Verifier::new();
        while Head::next(verifier.head()) <= to.seq {
            let began = Instant::now();
            let page = self.store.read(log, Head::next(verifier.head()), PAGE)?;
            for event in page.iter().take_while(|event| event.seq <= to.seq) {
                if let Err(broken) = verifier.check(event) {
                    return Ok(Some(broken));
                }
            }
            // The store says itself where it has gaps; an end before the head is a fork, which the writer meets.
            if page.is_empty() || !self.pause(began.elapsed()) {
                return Ok(None);
            }
        }
        if verifier.head() != Some(to) {
            return Ok(Some(ChainError::Broken { seq: to.seq }));
        }
        tracing::info!(%log, seq = to.seq, ms = began.elapsed().as_millis() as u64, "chain.walked");
        Ok(None)
    }

    /// Folds up to `to`, from where the fold stands or from the newest snapshot, and keeps one wherever enough has come
    /// since the last. Gives the fold back, unless it is of no use any more.
    fn follow(&self, log: &LogName, to: Seq, followed: Option<Followed>) -> Result<Option<Followed>, Failure> {
        let mut followed = match followed {
            Some(followed) => followed,
            None => {
                let fold = self.newest(log, to)?;
                Followed { due: Head::next(fold.head()) + self.every, fold }
            }
        };
        let Followed { fold, due } = &mut followed;
        if Head::next(fold.head()) > to + 1 {
            // The log has lost its end.
            return Ok(None);
        }
        while Head::next(fold.head()) <= to {
            let began = Instant::now();
            let next = Head::next(fold.head());
            let page = self.page(log, fold.head(), usize::try_from(*due - next).unwrap_or(PAGE).min(PAGE))?;
            if page.is_empty() {
                // The log is shorter than the view: a fork, which its writer will meet.
                return Ok(None);
            }
            fold.fold(&page)?;
            if Head::next(fold.head()) == *due {
                if !self.keep(log, fold)? {
                    return Ok(None);
                }
                *due += self.every;
            }
            if !self.pause(began.elapsed()) {
                return Ok(None);
            }
        }
        Ok(Some(followed))
    }

    fn newest(&self, log: &LogName, to: Seq) -> Result<LogFold, Failure> {
        let restore = |snapshot| LogFold::restore(&snapshot).map(Some);
        let newest = self.snapshots.nearest(&*self.store, log, Some(to), restore)?;
        Ok(newest.unwrap_or_else(|| LogFold::new(log)))
    }

    /// At most `max` events after `head`, handed over or read.
    fn page(&self, log: &LogName, head: Option<Head>, max: usize) -> Result<Vec<Arc<Recorded>>, OpenError> {
        let handed = self.handed.take(log, Head::next(head), max);
        if !handed.is_empty() {
            return Ok(handed);
        }
        let mut page = page_after(&*self.store, log, head)?;
        page.truncate(max);
        Ok(page)
    }

    /// Writes a snapshot; `false`: there is no time left, or the log does not hold what was folded.
    fn keep(&self, log: &LogName, fold: &mut LogFold) -> Result<bool, Failure> {
        let began = Instant::now();
        fold.complete(&*self.store)?;
        let Some(snapshot) = fold.snapshot() else { return Ok(false) };
        // What writers handed over was acknowledged, and may be lost all the same.
        let stands = |event: &[store::raw::RawEvent]| event.first().is_some_and(|event| event.head() == snapshot.head);
        if self.stops() || !stands(&self.store.read(log, snapshot.head.seq, 1)?) {
            return Ok(false);
        }
        let bytes = self.snapshots.write(&snapshot)?;
        if self.disk_failed.swap(false, Ordering::Relaxed) {
            tracing::info!("snapshots.kept_again");
        }
        let ms = began.elapsed().as_millis() as u64;
        tracing::info!(%log, seq = snapshot.head.seq, bytes, ms, "snapshot.written");
        Ok(true)
    }
}
