//! What leaves the house: webhooks, on their way. A planner reads the other logs and claims in `effects` what is to be
//! told of each event; a sender tells what is claimed and due, and records what came of it
//! (`docs/adr/0028-webhooks.md`).
//!
//! Promises: how much is on its way at once; that whatever cannot be planned, sent or recorded now is tried again.
//!
//! Not here: what is planned, due, told and made of an answer (`projections::webhooks`), what a webhook is and who may
//! have one (`domain::webhook`), which addresses are refused (`target`), how one is signed and sent (`send`).

mod send;
pub(crate) mod target;

pub(crate) use send::fresh_secret;

use crate::app::App;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::audit::Now;
use crate::graphql::types::fresh;
use domain::ids::ProviderId;
use domain::log::{LogName, Seq};
use projections::webhooks::board::{DeliveryRow, WebhookRow};
use projections::webhooks::plan::{Reason, Round};
use projections::webhooks::told::{self, Came, PUT_BACK};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::writer::order::{Answer, Entropy};
use target::Target;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const PAUSE: Duration = Duration::from_millis(500);
/// On their way at once; of one provider far fewer (`projections::webhooks::board`).
const SENDING_MAX: usize = 64;

/// Claims what is to be told, for as long as the house runs.
pub(crate) async fn plan(app: Weak<App>) {
    let Some(mut moved) = app.upgrade().map(|app| app.views_moved.subscribe()) else { return };
    let mut next = BTreeMap::new();
    let mut told = None;
    loop {
        moved.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let planned = plan_all(&strong, &mut next).await;
        drop(strong);
        match planned {
            Ok(()) => {
                told = None;
                if moved.changed().await.is_err() {
                    return;
                }
            }
            Err(reason) => {
                if told.replace(reason) != Some(reason) {
                    tracing::error!(reason, "webhooks.waiting");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Everything that the views hold now. `next`: how far each log was read; forgotten where nobody is to be told.
async fn plan_all(app: &Arc<App>, next: &mut BTreeMap<LogName, Seq>) -> Result<(), Reason> {
    let Some(round) = Round::now(&app.live, &app.board).map(Arc::new) else {
        next.clear();
        return Ok(());
    };
    for (log, head) in &round.heads {
        let mut at = match next.get(log) {
            Some(at) => *at,
            None => read(app, &round, log, |app, round, log| round.begin(&*app.store, &app.board, log)).await?,
        };
        while at <= head.seq {
            // An inquiry that is closed by now is known to history alone.
            fresh::caught_up_with(app, log).await.map_err(|_| "history is behind")?;
            let page = move |app: &App, round: &Round, log: &LogName| {
                round.page(&*app.store, log, at, &Now::of(app), Entropy::draw)
            };
            let (orders, count) = read(app, &round, log, page).await?;
            let mailbox = app.mailbox(&LogName::effects()).ok_or("effects is not open")?;
            for answer in mailbox.send_all(orders) {
                match answer.await {
                    Ok(Answer::Done(_) | Answer::Replayed { .. }) => {}
                    Ok(Answer::Refused(_)) => return Err("effects refuses what is to be told"),
                    Ok(Answer::Unavailable(_)) | Err(_) => return Err("effects cannot be written"),
                }
            }
            at += count;
            next.insert(log.clone(), at);
        }
        next.insert(log.clone(), at);
    }
    Ok(())
}

/// Reads a log where nobody is kept waiting.
async fn read<T: Send + 'static>(
    app: &Arc<App>,
    round: &Arc<Round>,
    log: &LogName,
    read: impl FnOnce(&App, &Round, &LogName) -> Result<T, Reason> + Send + 'static,
) -> Result<T, Reason> {
    let (app, round, log) = (app.clone(), round.clone(), log.clone());
    let read = tokio::task::spawn_blocking(move || read(&app, &round, &log));
    read.await.map_err(|_| "reading a log failed")?
}

/// Tells what is due, for as long as the house runs.
pub(crate) async fn send(app: Weak<App>) {
    let Some(mut moved) = app.upgrade().map(|app| app.board.moved()) else { return };
    let places = Arc::new(Semaphore::new(SENDING_MAX));
    loop {
        moved.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let now = strong.clock.now();
        for (webhook, delivery) in strong.board.take_due(now, places.available_permits()) {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let app = strong.clone();
            tokio::spawn(async move {
                let back = Back { app: app.clone(), provider: webhook.provider, _place: place };
                attempt(&app, &webhook, &delivery).await;
                drop(back);
            });
        }
        let due = strong.board.next_due();
        let is_full = places.available_permits() == 0;
        drop(strong);
        // A place that becomes free says so, as does whatever is folded.
        let pause = match due {
            Some(at) if !is_full => Duration::from_micros(u64::try_from((at - now).0).unwrap_or(0).max(1_000)),
            _ => Duration::from_secs(3_600),
        };
        if let Ok(Err(_)) = tokio::time::timeout(pause, moved.changed()).await {
            return;
        }
    }
}

/// Gives a place back however its attempt ends, and says so.
struct Back {
    app: Arc<App>,
    provider: ProviderId,
    _place: OwnedSemaphorePermit,
}

impl Drop for Back {
    fn drop(&mut self) {
        self.app.board.is_back(self.provider);
    }
}

/// Tells it once, and records what came of it.
async fn attempt(app: &Arc<App>, webhook: &WebhookRow, delivery: &DeliveryRow) {
    // It is told once more where this cannot be recorded; its id is the same.
    if ask_and_record(app, webhook, delivery).await.is_none() {
        app.board.put_back(delivery.id, app.clock.now() + PUT_BACK);
    }
}

/// `None`: the house cannot read what it needs, or cannot write what came of it.
async fn ask_and_record(app: &Arc<App>, webhook: &WebhookRow, delivery: &DeliveryRow) -> Option<()> {
    let came = tell(app, webhook, delivery).await?;
    let jitter = getrandom::u64().unwrap_or(0);
    let order = told::record(webhook, delivery, came, jitter, Entropy::draw());
    match app.mailbox(&LogName::effects())?.send(order).await.ok()? {
        // Refused: it was deleted meanwhile.
        Answer::Done(_) | Answer::Replayed { .. } | Answer::Refused(_) => Some(()),
        Answer::Unavailable(_) => None,
    }
}

async fn tell(app: &Arc<App>, webhook: &WebhookRow, delivery: &DeliveryRow) -> Option<Came> {
    let (reader, row, due) = (app.clone(), webhook.clone(), delivery.clone());
    let body = tokio::task::spawn_blocking(move || {
        told::body(&*reader.store, &row, &due, &Now::of(&reader), |at| DateTime(at).to_string())
    });
    let Some(body) = body.await.ok()?? else { return Some(Came::Hidden) };
    let now = app.clock.now();
    let mut secrets = Vec::new();
    for sealed in webhook.secrets(now) {
        secrets.push(app.open(sealed).await.ok()??);
    }
    let (id, timestamp) = (delivery.id.to_string(), now.0 / 1_000_000);
    let signature = send::signature(&secrets, &id, timestamp, &body)?;
    // The address may be one that nothing is sent to, now.
    let Ok(target) = Target::read(&webhook.url, app.loopback_webhooks) else { return Some(Came::Nothing) };
    let sent = send::send(&target, app.loopback_webhooks, delivery.id, timestamp, &signature, body).await;
    Some(sent.ok().flatten().map_or(Came::Nothing, Came::Answered))
}
