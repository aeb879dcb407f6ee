//! A fork that is met while the house runs: the store went back behind what was acknowledged, because a copy
//! with loss was restored or promoted.
//!
//! Promises: nobody is shown what was lost. The log's feeds end with `FeedGap`, its snapshots past the fork are
//! deleted, what was kept of the past is dropped, its live view and the history are folded anew from what the store
//! holds. The log stays readable and takes no more commands until an operator has looked and the process has started
//! again.
//!
//! Not here: noticing it (the writer does, at its next append or confirmation), and a fork of `community`, on
//! which every call server's log builds: then the process ends.

use crate::app::{App, fatal};
use domain::log::LogName;
use std::sync::Arc;

/// Called on the writer's thread, which has nothing to do any more.
pub(crate) fn drop_what_was_lost(app: &Arc<App>, log: &LogName) {
    tracing::error!(%log, "log.forked: it takes no more commands; look at it with `callmarket verify`");
    if log.is_reserved() {
        fatal(format_args!("log {log} holds another history than the one that was answered for"));
    }
    app.feeds.end(log);
    app.pasts.forget();
    if let Err(error) = app.snapshots.drop_lost(&*app.store, log) {
        // A start looks at each again before it takes it.
        tracing::warn!(%log, %error, "snapshots.not_dropped");
    }
    if let Err(error) = app.live.fold_anew(log, &*app.store) {
        fatal(format_args!("log {log} has forked and cannot be folded anew: {error}"));
    }
    app.views_moved.send_replace(());
    // Readers go on with the old rows for as long as this takes; they wait for nothing that it lacks.
    if let Err(error) = app.history.rebuild(&*app.store, |_, _, _| ()) {
        fatal(format_args!("log {log} has forked and the history cannot be rebuilt: {error}"));
    }
    tracing::warn!(%log, "log.folded_anew");
}
