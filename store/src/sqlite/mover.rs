//! Moving a log's pages from its write-ahead log into the database file, beside the writer.
//!
//! A checkpoint copies up to 16 MiB, which takes tens of milliseconds; whoever waits for the next batch would wait
//! for it. So a connection and a thread of its own copy the most, and the writer what was committed meanwhile. The
//! writer's is also the one that syncs the file: SQLite does so where nobody has committed beside the checkpoint. Only
//! then can the write-ahead log start over. ADR 19 says why this is safe.
//!
//! It promises: no thread outlives its mover; what fails is told to the writer.
//!
//! Not here: when it is time, and what a failure means (the writer).

use super::file::{checkpoint, connect_beside};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

pub(super) struct Mover {
    path: PathBuf,
    /// Between two runs.
    connection: Option<Connection>,
    running: Option<JoinHandle<rusqlite::Result<Connection>>>,
}

impl Mover {
    pub(super) fn new(path: PathBuf) -> Mover {
        Mover { path, connection: None, running: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins a run. Errors: no thread.
    pub(super) fn begin(&mut self) -> std::io::Result<()> {
        let (path, connection) = (self.path.clone(), self.connection.take());
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        self.running = Some(thread.spawn(move || run(&path, connection))?);
        Ok(())
    }

    /// Whether a run has ended since it was begun.
    pub(super) fn has_ended(&self) -> bool {
        self.running.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Waits for the end of a run. Errors: a checkpoint's.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        self.connection = Some(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        Ok(())
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // What it has not moved stays in the write-ahead log.
            let _ = running.join();
        }
    }
}

/// The second time for what was committed during the first, so that little is left to the writer.
fn run(path: &Path, connection: Option<Connection>) -> rusqlite::Result<Connection> {
    let connection = match connection {
        Some(connection) => connection,
        None => connect_beside(path)?,
    };
    checkpoint(&connection)?;
    checkpoint(&connection)?;
    Ok(connection)
}
