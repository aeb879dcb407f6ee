//! What is to be told to whom: the log `effects` as this node has folded it, and what is on its way.
//!
//! Promises: of one webhook and one inquiry (or whatever else the events are about) one delivery is on its way at a
//! time, in the order of planning; what is claimed and not ended is due again after a start. Of one provider so many are
//! on their way at once that its receivers, however slow, leave places for others'.
//!
//! Not here: sending, and anything of deliveries that ended long ago: their last ones are kept for each webhook.

use domain::event::Event;
use domain::event::webhook::{DeliveryOutcome, WebhookEvent};
use domain::ids::{DeliveryId, ProviderId, Subject, WebhookId};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use store::recorded::Recorded;
use tokio::sync::watch;

/// Deliveries that ended, of one webhook.
const ENDED_MAX: usize = 1_000;
/// Of one provider, on their way at once.
const OF_A_PROVIDER_MAX: usize = 4;

#[derive(Clone, Debug)]
pub struct WebhookRow {
    pub id: WebhookId,
    pub provider: ProviderId,
    pub url: String,
    pub types: Vec<String>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    secret: Sealed,
    /// The one before, and until when it holds.
    before: Option<(Sealed, Timestamp)>,
}

impl WebhookRow {
    /// What a delivery is signed with now: the newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<&Sealed> {
        let before = self.before.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(before).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Delivered,
    Dead,
}

#[derive(Clone, Debug)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub webhook: WebhookId,
    /// The event that it tells.
    pub log: LogName,
    pub seq: Seq,
    pub state: DeliveryState,
    /// Since it was planned, or asked for again.
    pub attempts: u32,
    pub last_status: Option<u16>,
    pub next_attempt_at: Option<Timestamp>,
    about: Subject,
    provider: ProviderId,
}

#[derive(Default)]
struct Rows {
    webhooks: BTreeMap<WebhookId, WebhookRow>,
    deliveries: BTreeMap<DeliveryId, DeliveryRow>,
    /// Pending, in order.
    lines: BTreeMap<(WebhookId, Subject), VecDeque<DeliveryId>>,
    /// The first of each line that is not on its way.
    due: BTreeMap<ProviderId, BTreeSet<(Timestamp, DeliveryId)>>,
    /// Taken, and not back yet.
    on_their_way: BTreeMap<ProviderId, usize>,
    ended: BTreeMap<WebhookId, VecDeque<DeliveryId>>,
    /// The last event of each log that something was planned for.
    planned: BTreeMap<LogName, Seq>,
}

pub struct Board {
    rows: Mutex<Rows>,
    moved: watch::Sender<()>,
}

impl Default for Board {
    fn default() -> Board {
        Board { rows: Mutex::default(), moved: watch::Sender::new(()) }
    }
}

impl Board {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("nothing panics under this lock")
    }

    /// What was acknowledged in `effects`, in order.
    pub fn fold(&self, events: &[Arc<Recorded>]) {
        {
            let mut rows = self.rows();
            for recorded in events {
                if let Event::Webhook(event) = &recorded.event {
                    rows.fold(event, recorded.time);
                }
            }
        }
        self.moved.send_replace(());
    }

    /// That something was folded, or is back.
    pub fn moved(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    pub fn webhook(&self, id: WebhookId) -> Option<WebhookRow> {
        self.rows().webhooks.get(&id).cloned()
    }

    pub fn webhooks_of(&self, provider: ProviderId) -> Vec<WebhookRow> {
        self.rows().webhooks.values().filter(|row| row.provider == provider).cloned().collect()
    }

    /// Those that something can be told to.
    pub fn live(&self) -> Vec<WebhookRow> {
        self.rows().webhooks.values().filter(|row| row.disabled_at.is_none()).cloned().collect()
    }

    pub fn delivery(&self, id: DeliveryId) -> Option<DeliveryRow> {
        self.rows().deliveries.get(&id).cloned()
    }

    /// The newest first.
    pub fn deliveries_of(&self, webhook: WebhookId, state: Option<DeliveryState>) -> Vec<DeliveryRow> {
        let rows = self.rows();
        let of = rows.deliveries.values().rev().filter(|row| row.webhook == webhook);
        of.filter(|row| state.is_none_or(|state| row.state == state)).cloned().collect()
    }

    /// The last event of a log that something was planned for.
    pub fn planned(&self, log: &LogName) -> Option<Seq> {
        self.rows().planned.get(log).copied()
    }

    /// Takes what is due, at most so many; of each it must be said when it [came back](Board::is_back).
    pub fn take_due(&self, now: Timestamp, most: usize) -> Vec<(WebhookRow, DeliveryRow)> {
        let mut rows = self.rows();
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((provider, (at, id))) = rows.first_due().filter(|(_, (at, _))| *at <= now)
        {
            rows.undue(provider, id, Some(at));
            let Some(delivery) = rows.deliveries.get(&id).cloned() else { continue };
            let Some(webhook) = rows.webhooks.get(&delivery.webhook).cloned() else { continue };
            *rows.on_their_way.entry(provider).or_default() += 1;
            taken.push((webhook, delivery));
        }
        taken
    }

    /// Something taken is no longer on its way, whatever came of it.
    pub fn is_back(&self, provider: ProviderId) {
        {
            let mut rows = self.rows();
            let left = rows.on_their_way.remove(&provider).unwrap_or(0).saturating_sub(1);
            if left > 0 {
                rows.on_their_way.insert(provider, left);
            }
        }
        self.moved.send_replace(());
    }

    /// When something is due next that may be taken now.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.rows().first_due().map(|(_, (at, _))| at)
    }

    /// An attempt that could not even be recorded.
    pub fn put_back(&self, id: DeliveryId, at: Timestamp) {
        let mut rows = self.rows();
        let row = rows.deliveries.get(&id).filter(|row| row.state == DeliveryState::Pending);
        let is_first =
            row.is_some_and(|row| rows.lines.get(&(row.webhook, row.about)).and_then(VecDeque::front) == Some(&id));
        if is_first {
            rows.becomes_due(id, at);
        }
    }
}

impl Rows {
    /// The earliest of those whose provider has a place left.
    fn first_due(&self) -> Option<(ProviderId, (Timestamp, DeliveryId))> {
        let has_place =
            |provider: &ProviderId| self.on_their_way.get(provider).is_none_or(|count| *count < OF_A_PROVIDER_MAX);
        let firsts = self.due.iter().filter(|(provider, _)| has_place(provider));
        firsts.filter_map(|(provider, due)| Some((*provider, *due.first()?))).min_by_key(|(_, first)| *first)
    }

    fn becomes_due(&mut self, id: DeliveryId, at: Timestamp) {
        if let Some(row) = self.deliveries.get(&id) {
            self.due.entry(row.provider).or_default().insert((at, id));
        }
    }

    /// `at`: where it is known. No set is left empty.
    fn undue(&mut self, provider: ProviderId, id: DeliveryId, at: Option<Timestamp>) {
        let Some(due) = self.due.get_mut(&provider) else { return };
        match at {
            Some(at) => drop(due.remove(&(at, id))),
            None => due.retain(|(_, other)| *other != id),
        }
        if due.is_empty() {
            self.due.remove(&provider);
        }
    }

    fn fold(&mut self, event: &WebhookEvent, at: Timestamp) {
        match event {
            WebhookEvent::Created(e) => {
                let row = WebhookRow {
                    id: e.webhook,
                    provider: e.provider,
                    url: e.url.clone(),
                    types: e.types.clone(),
                    created_at: at,
                    disabled_at: None,
                    secret: e.secret.clone(),
                    before: None,
                };
                self.webhooks.insert(e.webhook, row);
            }
            WebhookEvent::SecretRotated(e) => {
                if let Some(row) = self.webhooks.get_mut(&e.webhook) {
                    let before = std::mem::replace(&mut row.secret, e.secret.clone());
                    row.before = Some((before, e.overlaps_until));
                }
            }
            WebhookEvent::Disabled(e) => {
                if let Some(row) = self.webhooks.get_mut(&e.webhook) {
                    row.disabled_at = Some(at);
                }
                for id in self.drop_lines(e.webhook) {
                    self.end(id, DeliveryState::Dead);
                }
            }
            WebhookEvent::Deleted(e) => {
                self.drop_lines(e.webhook);
                self.ended.remove(&e.webhook);
                self.deliveries.retain(|_, row| row.webhook != e.webhook);
                self.webhooks.remove(&e.webhook);
            }
            WebhookEvent::DeliveryPlanned(e) => {
                self.planned.insert(e.source.log.clone(), e.source.seq);
                let row = DeliveryRow {
                    id: e.delivery,
                    webhook: e.webhook,
                    log: e.source.log.clone(),
                    seq: e.source.seq,
                    state: DeliveryState::Pending,
                    attempts: 0,
                    last_status: None,
                    next_attempt_at: Some(at),
                    about: e.about,
                    provider: e.provider,
                };
                self.deliveries.insert(e.delivery, row);
                self.stand_in_line(e.delivery);
            }
            WebhookEvent::RedeliveryAsked(e) => {
                let Some(row) = self.deliveries.get_mut(&e.delivery) else { return };
                let was_pending = row.state == DeliveryState::Pending;
                if was_pending {
                    return;
                }
                (row.state, row.attempts, row.next_attempt_at) = (DeliveryState::Pending, 0, Some(at));
                if let Some(ended) = self.ended.get_mut(&e.webhook) {
                    ended.retain(|id| *id != e.delivery);
                }
                self.stand_in_line(e.delivery);
            }
            WebhookEvent::DeliveryAttempted(e) => {
                let Some(row) = self.deliveries.get_mut(&e.delivery) else { return };
                row.attempts = e.attempt;
                row.last_status = e.status.or(row.last_status);
                // It was on its way when its webhook was disabled.
                if row.state != DeliveryState::Pending {
                    if e.outcome == DeliveryOutcome::Delivered {
                        row.state = DeliveryState::Delivered;
                    }
                    return;
                }
                let state = match e.outcome {
                    DeliveryOutcome::Failed => {
                        row.next_attempt_at = e.next_attempt_at;
                        let (id, next) = (row.id, e.next_attempt_at.unwrap_or(at));
                        // At a start the fold itself had put it there.
                        self.undue(e.provider, id, None);
                        self.becomes_due(id, next);
                        return;
                    }
                    DeliveryOutcome::Delivered => DeliveryState::Delivered,
                    DeliveryOutcome::Dead => DeliveryState::Dead,
                };
                let line = (row.webhook, row.about);
                self.undue(e.provider, e.delivery, None);
                if let Some(waiting) = self.lines.get_mut(&line) {
                    waiting.retain(|id| *id != e.delivery);
                    match waiting.front() {
                        Some(next) => {
                            let next = *next;
                            self.make_due(next);
                        }
                        None => {
                            self.lines.remove(&line);
                        }
                    }
                }
                self.end(e.delivery, state);
            }
        }
    }

    fn stand_in_line(&mut self, id: DeliveryId) {
        let Some(row) = self.deliveries.get(&id) else { return };
        let line = self.lines.entry((row.webhook, row.about)).or_default();
        line.push_back(id);
        if line.len() == 1 {
            self.make_due(id);
        }
    }

    fn make_due(&mut self, id: DeliveryId) {
        if let Some(at) = self.deliveries.get(&id).and_then(|row| row.next_attempt_at) {
            self.becomes_due(id, at);
        }
    }

    /// All that was still to be told to a webhook.
    fn drop_lines(&mut self, webhook: WebhookId) -> Vec<DeliveryId> {
        let gone: Vec<DeliveryId> = self
            .lines
            .iter()
            .filter(|((of, _), _)| *of == webhook)
            .flat_map(|(_, line)| line.iter().copied())
            .collect();
        self.lines.retain(|(of, _), _| *of != webhook);
        if let Some(provider) = self.webhooks.get(&webhook).map(|row| row.provider) {
            // All at once: they may be many.
            let all: BTreeSet<DeliveryId> = gone.iter().copied().collect();
            let due = self.due.entry(provider).or_default();
            due.retain(|(_, id)| !all.contains(id));
            if due.is_empty() {
                self.due.remove(&provider);
            }
        }
        gone
    }

    fn end(&mut self, id: DeliveryId, state: DeliveryState) {
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        (row.state, row.next_attempt_at) = (state, None);
        let ended = self.ended.entry(row.webhook).or_default();
        ended.push_back(id);
        if ended.len() > ENDED_MAX
            && let Some(oldest) = ended.pop_front()
        {
            self.deliveries.remove(&oldest);
        }
    }
}
