//! The process manager from the call servers to the books: each event that moves money becomes one journal entry. What
//! such an event asks of `treasury` is in `store::handover`.
//!
//! It is told of money by the writers, so that the many events that move none cost it nothing, and sends one command for
//! each, in the order of its log. What moved while nobody listened (the house was stopped, died between the two logs, or
//! is older than its books) is read from the log at the start: `treasury` knows how far it has come, and refuses a
//! repeat. Where the books cannot take an event, its log's money stays out of them from there on, loudly, and that of
//! the others goes on.
//!
//! Not here: what an entry must be (`domain::books`), what they add up to (`projections::live::books`).

use crate::app::App;
use domain::log::{LogName, Seq};
use domain::state::Taken;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use store::handover::order_to_post;
use store::raw::Head;
use store::recorded::Recorded;
use store::writer::order::{Answer, Entropy};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Entries posted at once.
const BATCH: usize = 256;
/// Events read at once.
const PAGE: u64 = 1_024;
const RETRY: Duration = Duration::from_millis(100);

/// Money that moved and is not in the books yet, by call server; and how far the books had come of each at the start.
#[derive(Default)]
pub(crate) struct Tills {
    heard: Mutex<BTreeMap<LogName, UnboundedReceiver<Arc<Recorded>>>>,
    taken: Mutex<BTreeMap<LogName, Taken>>,
}

/// Told of each acknowledged batch of a call server.
pub(crate) struct Ear(UnboundedSender<Arc<Recorded>>);

impl Ear {
    pub(crate) fn note(&self, events: &[Arc<Recorded>]) {
        for event in events.iter().filter(|event| event.event.legs().is_some()) {
            // Nobody posts any more once the house stops, or where the log is blocked; a start finds it.
            let _ = self.0.send(event.clone());
        }
    }
}

impl Tills {
    /// Before the log's writer tells of anything.
    pub(crate) fn ear(&self, log: &LogName) -> Ear {
        let (moved, heard) = mpsc::unbounded_channel();
        self.heard.lock().expect("no holder panics").insert(log.clone(), heard);
        Ear(moved)
    }

    /// How far `treasury` has come, before its writer runs.
    pub(crate) fn begin(&self, taken: &BTreeMap<LogName, Taken>) {
        *self.taken.lock().expect("no holder panics") = taken.clone();
    }
}

/// Why a batch was not posted whole.
enum Halt {
    /// For a reason that may pass.
    Waits(&'static str),
    /// For good.
    Blocked(&'static str),
}

/// Posts what one call server moves, for as long as the house runs.
pub(crate) async fn post(app: Weak<App>, log: LogName) {
    let Some((mut heard, mut next)) = app.upgrade().and_then(|app| begin(&app, &log)) else { return };
    let mut events = Vec::new();
    let mut is_behind = true;
    // Said once, however long it lasts.
    let mut waits_for = None;
    loop {
        let Some(strong) = app.upgrade() else { return };
        let stepped = match events.is_empty() && is_behind {
            true => read_on(&strong, &log, &mut next, &mut events).await.map(|more| is_behind = more),
            false => step(&strong, &mut events, &mut next).await,
        };
        drop(strong);
        match stepped {
            Ok(()) => {
                if waits_for.take().is_some() {
                    tracing::info!(%log, next, "books.resumed");
                }
                if events.is_empty() && !is_behind {
                    if heard.recv_many(&mut events, BATCH).await == 0 {
                        return;
                    }
                    // Heard, and read as well.
                    events.retain(|event| event.seq >= next);
                }
            }
            Err(Halt::Waits(reason)) => {
                if waits_for.replace(reason) != Some(reason) {
                    tracing::error!(%log, next, reason, "books.waiting");
                }
                tokio::time::sleep(RETRY).await;
            }
            Err(Halt::Blocked(reason)) => {
                tracing::error!(
                    %log, next, reason, "books.blocked: nothing of this log is posted any more; look at it with `callmarket verify`"
                );
                return;
            }
        }
    }
}

/// Who is told of a log's money, and from which position on the books lack it.
fn begin(app: &App, log: &LogName) -> Option<(UnboundedReceiver<Arc<Recorded>>, Seq)> {
    let heard = app.tills.heard.lock().expect("no holder panics").remove(log)?;
    let taken = app.tills.taken.lock().expect("no holder panics").get(log).map(|taken| taken.seq + 1);
    Some((heard, taken.unwrap_or(0)))
}

/// Reads a page from `next` on. Returns whether there is more that was recorded before this start; `next` then stands
/// behind what was read, and what comes later is heard.
async fn read_on(app: &App, log: &LogName, next: &mut Seq, events: &mut Vec<Arc<Recorded>>) -> Result<bool, Halt> {
    let end = Head::next(app.live.head(log));
    let wanted = end.saturating_sub(*next).min(PAGE);
    let (store, name, from) = (app.store.clone(), log.clone(), *next);
    let read = tokio::task::spawn_blocking(move || {
        let raws = store.read(&name, from, usize::try_from(wanted).unwrap_or(usize::MAX));
        let raws = raws.map_err(|_| Halt::Waits("the log cannot be read"))?;
        let opened: Result<Vec<Recorded>, _> = raws.into_iter().map(|raw| Recorded::open(&name, raw)).collect();
        opened.map_err(|_| Halt::Blocked("the log holds an event that cannot be read"))
    });
    let page = read.await.map_err(|_| Halt::Waits("reading the log failed"))??;
    *next = page.last().map_or(*next, |last| last.seq + 1);
    events.extend(page.into_iter().filter(|event| event.event.legs().is_some()).map(Arc::new));
    Ok(*next < end)
}

/// Posts these events and takes out those that are posted; `next` never goes back.
async fn step(app: &App, events: &mut Vec<Arc<Recorded>>, next: &mut Seq) -> Result<(), Halt> {
    let mailbox = app.mailbox(&LogName::treasury()).ok_or(Halt::Waits("treasury is not open"))?;
    let orders = events.iter().filter_map(|event| order_to_post(event, Entropy::draw)).collect();
    let mut posted = 0;
    let mut halt = None;
    for answer in mailbox.send_all(orders) {
        match answer.await {
            Ok(Answer::Done(_) | Answer::Replayed { .. }) => posted += 1,
            // Of another log than is known, or no entry at all: nobody can tell what the books would be with it.
            Ok(Answer::Refused(refusal)) => halt = Some(Halt::Blocked(refusal.code())),
            Ok(Answer::Unavailable(message)) => halt = Some(Halt::Waits(message)),
            Err(_) => halt = Some(Halt::Waits("the writer has stopped")),
        }
        if halt.is_some() {
            break;
        }
    }
    if let Some(last) = events.drain(..posted).next_back() {
        *next = (*next).max(last.seq + 1);
    }
    halt.map_or(Ok(()), Err)
}
