//! One delivery, once: what is sent of its event, and what is recorded of the answer.
//!
//! Not here: when it is its turn (`board`), and the sending.

use super::board::{DeliveryRow, WebhookRow};
use crate::history::visibility::{Facts, Seen, see};
use domain::actor::Actor;
use domain::command::Command;
use domain::event::webhook::DeliveryOutcome;
use domain::ids::Subject;
use domain::time::{Span, Timestamp};
use domain::webhook::Attempt;
use serde_json::{Map, Value, json};
use store::backend::EventStore;
use store::recorded::Recorded;
use store::writer::order::{Entropy, Order};

/// From one attempt to the next, in seconds: some three days in all, as the standard has it. Each is lengthened by up
/// to a fifth, so that receivers that failed together are not asked together.
const SCHEDULE: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const RETRY_AFTER_MAX: Span = Span::days(1);
/// For what could not even be tried or recorded.
pub const PUT_BACK: Span = Span::seconds(5);

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    Answered(Answered),
    /// No answer, or no address to send to.
    Nothing,
    /// The provider may not see the event any more: it was not sent.
    Hidden,
}

/// What a receiver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// When it wants to be asked again.
    pub retry_after: Option<Span>,
}

/// The body, as its provider may see it now; the time of the event is written by `time`. `None`: it cannot be read now.
/// `Some(None)`: it is hidden.
pub fn body(
    store: &dyn EventStore,
    webhook: &WebhookRow,
    delivery: &DeliveryRow,
    facts: &dyn Facts,
    time: impl FnOnce(Timestamp) -> String,
) -> Option<Option<String>> {
    let raw = store.read(&delivery.log, delivery.seq, 1).ok()?.pop()?;
    let event = Recorded::open(&delivery.log, raw).ok()?;
    let seen = see(&Actor::Provider(webhook.provider), &event, facts);
    Some(shown(&event, &seen, time))
}

/// Which event, when, and the ids and topics in it that the provider sees. No amounts, no texts, no person.
fn shown(event: &Recorded, seen: &Seen, time: impl FnOnce(Timestamp) -> String) -> Option<String> {
    let data = match seen {
        Seen::Absent => return None,
        Seen::Partial { data, .. } => data.clone(),
        Seen::Full => serde_json::from_slice(&event.raw.data).ok()?,
    };
    let mut told = Map::new();
    for (name, value) in data.as_object()? {
        let is_id = value.as_str().is_some_and(|text| text.parse::<Subject>().is_ok());
        if is_id || name == "topics" || name == "call_server" {
            told.insert(name.clone(), value.clone());
        }
    }
    let subjects: Vec<String> = event.subjects.iter().map(Subject::to_string).collect();
    told.insert("event".to_owned(), json!(event.id.to_string()));
    told.insert("log".to_owned(), json!(event.log.as_str()));
    told.insert("seq".to_owned(), json!(event.seq.to_string()));
    told.insert("subjects".to_owned(), json!(subjects));
    let body = json!({"type": event.type_name, "timestamp": time(event.time), "data": Value::Object(told)});
    Some(body.to_string())
}

/// What is recorded of an attempt. `jitter`: drawn.
pub fn record(webhook: &WebhookRow, delivery: &DeliveryRow, came: Came, jitter: u64, entropy: Entropy) -> Order {
    let attempt = attempt(delivery.attempts + 1, came, jitter);
    Order {
        command: Command::RecordAttempt { webhook: webhook.id, delivery: delivery.id, attempt },
        actor: Actor::System,
        id: entropy.command_id(),
        key: None,
        causation: None,
        source: None,
        trace: None,
        entropy,
    }
}

fn attempt(number: u32, came: Came, jitter: u64) -> Attempt {
    let ended = |status, outcome, is_gone| Attempt { number, status, outcome, next_in: None, is_gone };
    let (status, retry_after) = match came {
        Came::Hidden => return ended(None, DeliveryOutcome::Dead, false),
        Came::Nothing => (None, None),
        Came::Answered(answered) => match answered.status {
            200..300 => return ended(Some(answered.status), DeliveryOutcome::Delivered, false),
            410 => return ended(Some(410), DeliveryOutcome::Dead, true),
            status => (Some(status), answered.retry_after),
        },
    };
    let step = SCHEDULE.get(usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1));
    let Some(step) = step.map(|seconds| Span::seconds(*seconds)) else {
        return ended(status, DeliveryOutcome::Dead, false);
    };
    let planned = Span(step.0 + (jitter % (step.0 as u64 / 5)) as i64);
    let wanted = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    Attempt { number, status, outcome: DeliveryOutcome::Failed, next_in: Some(planned.max(wanted)), is_gone: false }
}
