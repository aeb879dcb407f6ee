//! What leaves the house: webhooks. A planner reads the other logs and claims in `effects` what is to be told of each
//! event; a sender tells what is claimed and due, and records what came of it (`docs/adr/0028-webhooks.md`).
//!
//! Promises: nothing is sent before it is claimed by an event, whose delivery's id is the receiver's idempotency key;
//! each event is claimed once for each webhook that stood when it happened, at least once sent, and ordered with
//! others about the same inquiry; a provider is told of what its audit trail shows it at that moment, never of sealed
//! bids, and of ids and topics alone.
//!
//! Not here: what a webhook is and who may have one (`domain::webhook`), which addresses are refused (`target`), how
//! one is signed and sent (`send`).

pub(crate) mod board;
mod send;
pub(crate) mod target;

pub(crate) use send::fresh_secret;

use crate::app::App;
use crate::graphql::types::audit::Now;
use crate::graphql::types::fresh;
use board::{DeliveryRow, WebhookRow};
use domain::actor::Actor;
use domain::command::Command;
use domain::event::community::SourcePosition;
use domain::event::webhook::DeliveryOutcome;
use domain::ids::{ProviderId, Subject, WebhookId};
use domain::log::{LogName, Seq};
use domain::time::{Span, Timestamp};
use domain::webhook::Attempt;
use projections::history::visibility::{Seen, see};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::backend::EventStore;
use store::raw::{Head, Hex};
use store::recorded::Recorded;
use store::writer::order::{Answer, Entropy, Order};
use target::Target;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Events read at once.
const PAGE: usize = 256;
const PAUSE: Duration = Duration::from_millis(500);
/// On their way at once; of one provider far fewer (`board`).
const SENDING_MAX: usize = 64;
/// From one attempt to the next, in seconds: some three days in all, as the standard has it. Each is lengthened by up
/// to a fifth, so that receivers that failed together are not asked together.
const SCHEDULE: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

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
async fn plan_all(app: &Arc<App>, next: &mut BTreeMap<LogName, Seq>) -> Result<(), &'static str> {
    // Heads before webhooks: whoever stood when an event happened is among those that are looked up after it.
    let heads = app.live.heads();
    let webhooks = app.board.live();
    let Some(since) = webhooks.iter().map(|row| row.created_at).min() else {
        next.clear();
        return Ok(());
    };
    for (log, head) in heads {
        let mut at = match next.get(&log) {
            Some(at) => *at,
            None => begin(app, &log, since).await?,
        };
        while at <= head.seq {
            // An inquiry that is closed by now is known to history alone.
            fresh::caught_up_with(app, &log).await.map_err(|_| "history is behind")?;
            let (orders, read) = page(app, &log, at, head.seq, webhooks.clone()).await?;
            let mailbox = app.mailbox(&LogName::effects()).ok_or("effects is not open")?;
            for answer in mailbox.send_all(orders) {
                match answer.await {
                    Ok(Answer::Done(_) | Answer::Replayed { .. }) => {}
                    Ok(Answer::Refused(_)) => return Err("effects refuses what is to be told"),
                    Ok(Answer::Unavailable(_)) | Err(_) => return Err("effects cannot be written"),
                }
            }
            at += read;
            next.insert(log.clone(), at);
        }
        next.insert(log, at);
    }
    Ok(())
}

/// Where to read a log from: behind what was claimed of it, and where the first webhook that stands now was made.
async fn begin(app: &Arc<App>, log: &LogName, since: Timestamp) -> Result<Seq, &'static str> {
    let planned = app.board.planned(log).map_or(0, |seq| seq + 1);
    let (store, name) = (app.store.clone(), log.clone());
    let end = Head::next(app.live.head(log));
    let found = tokio::task::spawn_blocking(move || first_at(&*store, &name, end, since));
    Ok(planned.max(found.await.map_err(|_| "reading a log failed")??))
}

/// The first of `end` events that is not before `since`: time never runs back in a log.
fn first_at(store: &dyn EventStore, log: &LogName, end: Seq, since: Timestamp) -> Result<Seq, &'static str> {
    let (mut from, mut to) = (0, end);
    while from < to {
        let middle = from + (to - from) / 2;
        let raw = store.read(log, middle, 1).map_err(|_| "a log cannot be read")?.pop().ok_or("a log has a gap")?;
        let event = Recorded::open(log, raw).map_err(|_| "a log holds an event that cannot be read")?;
        if event.time < since {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    Ok(from)
}

/// What a page of a log asks to be claimed, and how many events were read.
async fn page(
    app: &Arc<App>,
    log: &LogName,
    at: Seq,
    to: Seq,
    webhooks: Vec<WebhookRow>,
) -> Result<(Vec<Order>, Seq), &'static str> {
    let (app, log) = (app.clone(), log.clone());
    let read = move || {
        let count = usize::try_from(to - at + 1).unwrap_or(PAGE).min(PAGE);
        let raws = app.store.read(&log, at, count).map_err(|_| "a log cannot be read")?;
        let read = raws.len() as u64;
        if read == 0 {
            return Err("a log has a gap");
        }
        let facts = Now::of(&app);
        let mut orders = Vec::new();
        for raw in raws {
            let event = Recorded::open(&log, raw).map_err(|_| "a log holds an event that cannot be read")?;
            let mut sees = BTreeMap::<ProviderId, bool>::new();
            let wants = |row: &&WebhookRow| {
                row.created_at <= event.time
                    && (row.types.is_empty() || row.types.iter().any(|name| name == event.type_name))
                    && *sees
                        .entry(row.provider)
                        .or_insert_with(|| see(&Actor::Provider(row.provider), &event, &facts) != Seen::Absent)
            };
            let told: Vec<WebhookId> = webhooks.iter().filter(wants).map(|row| row.id).collect();
            if !told.is_empty() {
                orders.push(claim(&event, told));
            }
        }
        Ok((orders, read))
    };
    tokio::task::spawn_blocking(read).await.map_err(|_| "reading a log failed")?
}

fn claim(event: &Recorded, webhooks: Vec<WebhookId>) -> Order {
    let source = SourcePosition { hash: Hex(&event.raw.hash).to_string(), log: event.log.clone(), seq: event.seq };
    let about = projections::inquiry_of(&event.subjects).map(Subject::from);
    let about = about.or(event.subjects.first().copied()).unwrap_or(Subject::EventId(event.id));
    Order {
        command: Command::PlanDeliveries { webhooks, about, event: event.id, source: source.clone() },
        actor: Actor::System,
        id: event.correlation,
        key: None,
        causation: Some(event.id),
        source: Some(source),
        trace: event.trace.clone(),
        entropy: Entropy::draw(),
    }
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
    let outcome = tell(app, webhook, delivery).await;
    let number = delivery.attempts + 1;
    let attempt = match outcome {
        Ok(Some(answered)) if (200..300).contains(&answered.status) => Attempt {
            number,
            status: Some(answered.status),
            outcome: DeliveryOutcome::Delivered,
            next_at: None,
            is_gone: false,
        },
        Ok(Some(answered)) if answered.status == 410 => {
            Attempt { number, status: Some(410), outcome: DeliveryOutcome::Dead, next_at: None, is_gone: true }
        }
        Ok(answered) => failed(app, number, answered.map(|a| a.status), answered.and_then(|a| a.retry_after)),
        Err(Untold::Refused) => failed(app, number, None, None),
        Err(Untold::Hidden) => {
            Attempt { number, status: None, outcome: DeliveryOutcome::Dead, next_at: None, is_gone: false }
        }
        Err(Untold::Later) => {
            app.board.put_back(delivery.id, app.clock.now() + Span::seconds(5));
            return;
        }
    };
    let entropy = Entropy::draw();
    let order = Order {
        command: Command::RecordAttempt { webhook: webhook.id, delivery: delivery.id, attempt },
        actor: Actor::System,
        id: entropy.command_id(),
        key: None,
        causation: None,
        source: None,
        trace: None,
        entropy,
    };
    let answer = match app.mailbox(&LogName::effects()) {
        Some(mailbox) => mailbox.send(order).await.ok(),
        None => None,
    };
    match answer {
        // Refused: it was deleted meanwhile.
        Some(Answer::Done(_) | Answer::Replayed { .. } | Answer::Refused(_)) => {}
        // It is told once more; its id is the same.
        Some(Answer::Unavailable(_)) | None => app.board.put_back(delivery.id, app.clock.now() + Span::seconds(5)),
    }
}

/// Why something was not even tried.
enum Untold {
    /// The address is not one to send to, now.
    Refused,
    /// The provider may not see it any more.
    Hidden,
    /// The house cannot read what it needs.
    Later,
}

async fn tell(app: &Arc<App>, webhook: &WebhookRow, delivery: &DeliveryRow) -> Result<Option<send::Answered>, Untold> {
    let (reader, log, seq, provider) = (app.clone(), delivery.log.clone(), delivery.seq, webhook.provider);
    let body = tokio::task::spawn_blocking(move || {
        let raw = reader.store.read(&log, seq, 1).ok()?.pop()?;
        let event = Recorded::open(&log, raw).ok()?;
        let seen = see(&Actor::Provider(provider), &event, &Now::of(&reader));
        Some(send::body(&event, &seen))
    });
    let body = body.await.ok().flatten().ok_or(Untold::Later)?.ok_or(Untold::Hidden)?;
    let now = app.clock.now();
    let mut secrets = Vec::new();
    let before = webhook.before.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
    for sealed in std::iter::once(&webhook.secret).chain(before) {
        secrets.push(app.open(sealed).await.ok().flatten().ok_or(Untold::Later)?);
    }
    let (id, timestamp) = (delivery.id.to_string(), now.0 / 1_000_000);
    let signature = send::signature(&secrets, &id, timestamp, &body).ok_or(Untold::Later)?;
    let target = Target::read(&webhook.url, app.loopback_webhooks).map_err(|_| Untold::Refused)?;
    let sent = send::send(&target, app.loopback_webhooks, delivery.id, timestamp, &signature, body).await;
    sent.map_err(|_| Untold::Refused)
}

fn failed(app: &App, number: u32, status: Option<u16>, retry_after: Option<Duration>) -> Attempt {
    let step = SCHEDULE.get(usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1));
    let next_at = step.map(|seconds| {
        let jitter = getrandom::u64().map_or(0, |drawn| drawn % (*seconds as u64 * 200_000)) as i64;
        let wanted = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let planned = Span(seconds * 1_000_000 + jitter);
        app.clock.now() + planned.max(Span(i64::try_from(wanted.as_micros()).unwrap_or(i64::MAX)))
    });
    let outcome = if next_at.is_some() { DeliveryOutcome::Failed } else { DeliveryOutcome::Dead };
    Attempt { number, status, outcome, next_at, is_gone: false }
}
