//! The background fold: one thread that folds each log as a start does, and keeps what came of it as snapshots.
//!
//! It promises: a log that is long has a snapshot near any of its positions, as far as they take no more room than
//! `KEPT_BYTES`; the writers never wait for it; asked to stop, it ends within one page or one file.
//!
//! It holds a second fold of one log in memory while it works, and works half of the time at most. A disk that is
//! full, or fails, is named once; everything else goes on without snapshots.

use crate::cli::causes;
use domain::log::{LogName, Seq};
use projections::live::{Live, LogFold, RefoldError, ViewError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::backend::{EventStore, ReadError};
use store::folder::FolderError;
use store::raw::Head;
use store::snapshot::Snapshots;
use store::writer::OpenError;
use store::writer::folded::page_after;

/// Events of a log from one snapshot of it to the next: what a start, or a look at a past position, folds at most.
/// That is two or three seconds (docs/adr/0016-snapshots.md).
pub(crate) const EVERY: u64 = 100_000;
/// How often the logs' lengths are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a disk that took no snapshot is left alone.
const RESPITE: Duration = Duration::from_secs(60);

pub(crate) struct Snapshotter {
    work: Arc<Work>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

struct Work {
    snapshots: Arc<Snapshots>,
    store: Arc<dyn EventStore>,
    live: Arc<Live>,
    every: u64,
    turn: Mutex<Turn>,
    turned: Condvar,
}

/// What the thread may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The house starts, and wants the machine for itself.
    Wait,
    Work,
    Stop,
}

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
    /// Starts the thread, which waits for [`Snapshotter::begin`].
    pub(crate) fn start(
        snapshots: Arc<Snapshots>,
        store: Arc<dyn EventStore>,
        live: Arc<Live>,
        every: u64,
    ) -> std::io::Result<Snapshotter> {
        let turn = Mutex::new(Turn::Wait);
        let work = Arc::new(Work { snapshots, store, live, every, turn, turned: Condvar::new() });
        let own = work.clone();
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(move || own.run())?;
        Ok(Snapshotter { work, thread: Mutex::new(Some(thread)) })
    }

    /// The house has started.
    pub(crate) fn begin(&self) {
        self.work.turn_to(Turn::Work);
    }

    /// Ends the thread and waits for it.
    pub(crate) fn stop(&self) {
        self.work.turn_to(Turn::Stop);
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

/// Folding everything a second time is a fifth of a busy server's work, and nobody waits for it: the thread takes what
/// the others leave. A system that does not know of threads' niceness lets it compete with them.
fn let_others_first() {
    let this = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(this), 19) {
        tracing::debug!(%error, "snapshots.not_nice");
    }
}

impl Work {
    fn turn_to(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.turned.notify_all();
    }

    fn stops(&self) -> bool {
        *lock(&self.turn) == Turn::Stop
    }

    /// Whether to go on after a while.
    fn pause(&self, time: Duration) -> bool {
        let waited = self.turned.wait_timeout_while(lock(&self.turn), time, |turn| *turn != Turn::Stop);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != Turn::Stop
    }

    fn run(&self) {
        let_others_first();
        let waiting = self.turned.wait_while(lock(&self.turn), |turn| *turn == Turn::Wait);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
        if !self.snapshots.are_kept() {
            return;
        }
        // Of each log, the position that its newest snapshot leaves off at.
        let mut next: BTreeMap<LogName, Seq> = BTreeMap::new();
        // Logs that cannot be folded: the live view has said why.
        let mut given_up: BTreeSet<LogName> = BTreeSet::new();
        let mut disk_failed = false;
        while self.pause(LOOK) {
            for (log, head) in self.live.heads() {
                let from = *next.entry(log.clone()).or_insert_with(|| self.next(&log));
                if (head.seq + 1).saturating_sub(from) < self.every || given_up.contains(&log) {
                    continue;
                }
                let outcome = self.fold(&log, head.seq);
                next.insert(log.clone(), self.next(&log));
                match outcome {
                    Ok(()) if disk_failed => {
                        disk_failed = false;
                        tracing::info!("snapshots.kept_again");
                    }
                    Ok(()) => {}
                    Err(error @ Failure::Disk(_)) => {
                        if !disk_failed {
                            tracing::warn!(%log, error = %causes(&error), "snapshot.not_written");
                        }
                        disk_failed = true;
                        if !self.pause(RESPITE) {
                            return;
                        }
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

    fn next(&self, log: &LogName) -> Seq {
        self.snapshots.positions(log).last().map_or(0, |newest| newest + 1)
    }

    /// Folds from the newest snapshot to `to`, and keeps one wherever enough has come since the last.
    fn fold(&self, log: &LogName, to: Seq) -> Result<(), Failure> {
        let restore = |snapshot| LogFold::restore(&snapshot).map(Some);
        let newest = self.snapshots.nearest(&*self.store, log, Some(to), restore)?;
        let mut fold = newest.unwrap_or_else(|| LogFold::new(log));
        loop {
            let due = Head::next(fold.head()) + self.every;
            if due > to + 1 {
                return Ok(());
            }
            while Head::next(fold.head()) < due {
                let began = Instant::now();
                let page = page_after(&*self.store, log, fold.head())?;
                let left = (due - Head::next(fold.head())) as usize;
                if page.is_empty() {
                    // The log is shorter than the view: a fork, which its writer will meet.
                    return Ok(());
                }
                fold.fold(&page[..page.len().min(left)])?;
                if !self.pause(began.elapsed()) {
                    return Ok(());
                }
            }
            let began = Instant::now();
            fold.complete(&*self.store)?;
            let Some(snapshot) = fold.snapshot() else { return Ok(()) };
            if self.stops() {
                return Ok(());
            }
            let bytes = self.snapshots.write(&snapshot)?;
            let ms = began.elapsed().as_millis() as u64;
            tracing::info!(%log, seq = snapshot.head.seq, bytes, ms, "snapshot.written");
        }
    }
}
