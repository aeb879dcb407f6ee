//! The process manager from `community` to a call server. What an event asks there is in `store::handover`.
//!
//! It reads `community` after what the call server's own state has taken over, in order, and sends one
//! command per event that is the call server's. The state refuses a repeat, so a crash between any two
//! steps costs a repeat and nothing else. Where the call server cannot write, it tries again; what waits
//! is shown by how far it has come. Where another event was taken over from the same position, `community` is
//! not the log that the call server knows: then it stops for good, and nothing of it is taken for a repeat.

use crate::app::App;
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::handover::order_for;
use store::raw::Head;
use store::recorded::Recorded;
use store::writer::mailbox::Mailbox;
use store::writer::order::{Answer, Entropy};
use tokio::sync::watch;

/// Events of `community` read at once.
const PAGE: usize = 500;
const RETRY: Duration = Duration::from_millis(100);

/// Brings one call server everything from `next` on, for as long as the house runs.
pub(crate) async fn run(app: Weak<App>, mailbox: Mailbox, mut next: Seq, done: watch::Sender<Option<Seq>>) {
    let Some(mut moved) = app.upgrade().map(|app| app.community_moved.subscribe()) else { return };
    let mut told = None;
    loop {
        moved.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let outcome = step(&strong, &mailbox, &mut next).await;
        drop(strong);
        // Also where only a part of the page was taken: whoever waits for that part need wait no longer.
        done.send_replace(next.checked_sub(1));
        match outcome {
            Ok(more) => {
                if told.take().is_some() {
                    tracing::info!(log = %mailbox.log(), next, "handover.resumed");
                }
                if !more && moved.changed().await.is_err() {
                    return;
                }
            }
            Err(Halt::Forked) => {
                tracing::error!(
                    log = %mailbox.log(), next, "handover.stopped: community is not the log that was read before"
                );
                return;
            }
            Err(Halt::Waits(reason)) => {
                // It is tried again ten times a second; what is new is said once.
                if told.replace((next, reason)) != Some((next, reason)) {
                    tracing::error!(log = %mailbox.log(), next, reason, "handover.waiting");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Why a page was not taken whole.
#[derive(Debug, PartialEq, Eq)]
enum Halt {
    /// For a reason that may pass.
    Waits(&'static str),
    Forked,
}

impl From<&'static str> for Halt {
    fn from(reason: &'static str) -> Halt {
        Halt::Waits(reason)
    }
}

/// Hands over one page; `next` ends behind what was taken. Returns whether there is more.
async fn step(app: &App, mailbox: &Mailbox, next: &mut Seq) -> Result<bool, Halt> {
    let events = read(app, *next).await?;
    let more = events.len() == PAGE;
    let mut orders = Vec::new();
    let mut seqs = Vec::new();
    for event in &events {
        if let Some(order) = order_for(event, mailbox.log(), Entropy::draw) {
            orders.push(order);
            seqs.push(event.seq);
        }
    }
    for (answer, seq) in mailbox.send_all(orders).into_iter().zip(seqs) {
        match answer.await {
            Ok(Answer::Done(_) | Answer::Replayed { .. }) => *next = seq + 1,
            Ok(Answer::Refused(Refusal::SourceForked)) => return Err(Halt::Forked),
            // What `community` decided cannot be refused here; it blocks for ever, and says so.
            Ok(Answer::Refused(refusal)) => return Err(refusal.code().into()),
            Ok(Answer::Unavailable(message)) => return Err(message.into()),
            Err(_) => return Err("the writer has stopped".into()),
        }
    }
    *next = events.last().map_or(*next, |last| last.seq + 1);
    Ok(more)
}

/// A page of `community` from a position on, as far as the live views have come.
pub(crate) async fn read(app: &App, from: Seq) -> Result<Vec<Recorded>, &'static str> {
    let store = app.store.clone();
    // No further than the live views: what follows from an acceptance is shown with it.
    let told = Head::next(app.live.head(&LogName::community()));
    let wanted = usize::try_from(told.saturating_sub(from)).unwrap_or(PAGE).min(PAGE);
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let read = tokio::task::spawn_blocking(move || {
        let log = LogName::community();
        let raws = store.read(&log, from, wanted).map_err(|_| "community cannot be read")?;
        let open = |raw| Recorded::open(&log, raw).map_err(|_| "community holds an event that cannot be read");
        raws.into_iter().map(open).collect()
    });
    read.await.map_err(|_| "reading community failed")?
}

/// Watches `community` for call servers that were opened, from `next` on.
pub(crate) async fn open_call_servers(app: Weak<App>, mut next: Seq) {
    let Some(mut moved) = app.upgrade().map(|app| app.community_moved.subscribe()) else { return };
    let mut told = None;
    loop {
        moved.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let outcome = meet_all(&strong, &mut next).await;
        drop(strong);
        match outcome {
            Ok(more) => {
                told = None;
                if !more && moved.changed().await.is_err() {
                    return;
                }
            }
            Err(reason) => {
                if told.as_ref() != Some(&(next, reason.clone())) {
                    tracing::error!(next, reason, "call_server.unopened");
                    told = Some((next, reason));
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Opens what one page names; `next` ends behind what was met. Returns whether there is more.
async fn meet_all(app: &Arc<App>, next: &mut Seq) -> Result<bool, String> {
    let events = read(app, *next).await?;
    for event in &events {
        app.meet(event).await.map_err(|error| error.to_string())?;
        *next = event.seq + 1;
    }
    Ok(events.len() == PAGE)
}
