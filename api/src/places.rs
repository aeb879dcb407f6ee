//! The process manager from the call servers back to `community`: where an inquiry of an offer with limits has ended,
//! its place is free. What such an end asks there is in `store::handover`.
//!
//! It is told of acknowledged ends by the writers, so that offers without limits cost it nothing, and sends one command
//! for each, in the order of their log. `community` refuses a repeat. What ended while nobody listened (the house was
//! stopped, or died between the two logs) is found again at the start: of what `community` still counts, whatever is
//! open on no call server, and has an end behind what `community` has taken over from there.
//!
//! Not here: what is counted, and what is given back (`domain::limits`).

use crate::app::App;
use domain::ids::InquiryId;
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::history::{History, HistoryError};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use store::backend::EventStore;
use store::handover::{frees_a_place, order_back};
use store::recorded::Recorded;
use store::writer::Writer;
use store::writer::order::{Answer, Entropy};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Ends brought at once.
const BATCH: usize = 256;
const RETRY: Duration = Duration::from_millis(100);

/// Ends that nobody has brought to `community` yet: no more than it counts.
pub(crate) struct Places {
    ended: UnboundedSender<Arc<Recorded>>,
    to_bring: Mutex<Option<UnboundedReceiver<Arc<Recorded>>>>,
}

/// Told of each acknowledged batch of a call server.
pub(crate) struct Ear(UnboundedSender<Arc<Recorded>>);

impl Ear {
    pub(crate) fn note(&self, events: &[Arc<Recorded>]) {
        for event in events.iter().filter(|event| frees_a_place(&event.event)) {
            // Nobody brings any more once the house stops; the next start finds it.
            let _ = self.0.send(event.clone());
        }
    }
}

impl Places {
    pub(crate) fn new() -> Places {
        let (ended, to_bring) = mpsc::unbounded_channel();
        Places { ended, to_bring: Mutex::new(Some(to_bring)) }
    }

    pub(crate) fn ear(&self) -> Ear {
        Ear(self.ended.clone())
    }

    /// Before any writer runs: what ended while nobody listened.
    pub(crate) fn find(
        &self,
        community: &Writer,
        call_servers: &[Writer],
        history: &History,
        store: &dyn EventStore,
    ) -> Result<(), HistoryError> {
        let mut counted: BTreeSet<InquiryId> = BTreeSet::new();
        community.state().counted.any_keyed(|inquiry, _| {
            counted.insert(inquiry);
            false
        });
        let is_open = |id: &InquiryId| call_servers.iter().any(|writer| writer.state().inquiries.get(*id).is_some());
        let mut ends = Vec::new();
        for inquiry in counted.into_iter().filter(|id| !is_open(id)) {
            let events = history.events_of(store, inquiry.into())?;
            ends.extend(events.into_iter().filter(|event| frees_a_place(&event.event)));
        }
        ends.sort_by(|a, b| (&a.log, a.seq).cmp(&(&b.log, b.seq)));
        let taken = &community.state().sources;
        let is_new = |end: &Arc<Recorded>| taken.get(&end.log).is_none_or(|last| last.seq < end.seq);
        for end in ends.into_iter().filter(is_new) {
            let _ = self.ended.send(end);
        }
        Ok(())
    }
}

/// Brings every end, for as long as the house runs.
pub(crate) async fn bring(app: Weak<App>) {
    let listening = app.upgrade().and_then(|app| app.places.to_bring.lock().expect("no holder panics").take());
    let Some(mut ended) = listening else { return };
    let mut ends = Vec::new();
    // Said once, however long it lasts.
    let mut waits_for = None;
    while ended.recv_many(&mut ends, BATCH).await > 0 {
        while !ends.is_empty() {
            let Some(strong) = app.upgrade() else { return };
            let brought = step(&strong, &ends).await;
            drop(strong);
            match brought {
                Ok(()) => {
                    ends.clear();
                    if waits_for.take().is_some() {
                        tracing::info!("places.brought");
                    }
                }
                Err((count, reason)) => {
                    if waits_for.replace(reason) != Some(reason) {
                        tracing::error!(reason, "places.waiting");
                    }
                    ends.drain(..count);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Errors: how many were brought, and why not the next.
async fn step(app: &App, ends: &[Arc<Recorded>]) -> Result<(), (usize, &'static str)> {
    let mailbox = app.mailbox(&LogName::community()).ok_or((0, "community is not open"))?;
    let orders = ends.iter().filter_map(|end| order_back(end, Entropy::draw)).collect();
    for (count, answer) in mailbox.send_all(orders).into_iter().enumerate() {
        match answer.await {
            Ok(Answer::Done(_) | Answer::Replayed { .. }) => {}
            // Its log is not the one that `community` knows: nothing of it is counted, and it is said at each start.
            Ok(Answer::Refused(refusal @ Refusal::SourceForked)) => {
                tracing::error!(log = %ends[count].log, code = refusal.code(), "places.forked");
            }
            Ok(Answer::Refused(refusal)) => return Err((count, refusal.code())),
            Ok(Answer::Unavailable(message)) => return Err((count, message)),
            Err(_) => return Err((count, "the writer has stopped")),
        }
    }
    Ok(())
}
