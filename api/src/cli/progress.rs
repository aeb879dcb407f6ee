//! How far a long command is: a line on standard error, gone at the end.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// A count on standard error, where somebody watches.
pub(crate) struct Progress {
    done: usize,
    total: usize,
    what: &'static str,
    shown: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(total: usize, what: &'static str) -> Progress {
        Progress { done: 0, total, what, shown: std::io::stderr().is_terminal().then(Instant::now) }
    }
    pub(crate) fn step(&mut self) {
        self.done += 1;
        if let Some(shown) = self.shown
            && shown.elapsed().as_millis() > 100
        {
            let percent = self.done * 100 / self.total.max(1);
            eprint!("\r{percent:3} % of {} {}", self.total, self.what);
            let _ = std::io::stderr().flush();
            self.shown = Some(Instant::now());
        }
    }
    pub(crate) fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
