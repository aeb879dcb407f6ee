//! What is to be told of other logs' events: from which on to read, and what a page of them asks to be claimed.
//!
//! Promises: the same event asks the same claim under the same id, whoever reads it and however often; the claim names
//! its source, so that `effects` can refuse a repeat.

use super::board::{Board, WebhookRow};
use crate::history::visibility::{Facts, Seen, see};
use crate::live::Live;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::community::SourcePosition;
use domain::ids::{ProviderId, Subject, WebhookId};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use std::collections::BTreeMap;
use store::backend::EventStore;
use store::raw::{Head, Hex};
use store::recorded::{CommandId, Recorded};
use store::writer::order::{Entropy, Order};

/// Events read at once.
const PAGE: usize = 256;

/// Why nothing can be planned now.
pub type Reason = &'static str;

/// What is to be read, and for whom.
pub struct Round {
    pub heads: BTreeMap<LogName, Head>,
    pub webhooks: Vec<WebhookRow>,
    /// Since when the first of them stands.
    since: Timestamp,
}

impl Round {
    /// Everything that the views hold now. `None`: nobody is to be told of anything.
    pub fn now(live: &Live, board: &Board) -> Option<Round> {
        // Heads before webhooks: whoever stood when an event happened is among those that are looked up after it.
        let heads = live.heads();
        let webhooks = board.live();
        let since = webhooks.iter().map(|row| row.created_at).min()?;
        Some(Round { heads: heads.into_iter().collect(), webhooks, since })
    }

    /// Where to begin in a log: behind what was claimed of it, and where the first webhook that stands now was made.
    pub fn begin(&self, store: &dyn EventStore, board: &Board, log: &LogName) -> Result<Seq, Reason> {
        let planned = board.planned(log).map_or(0, |seq| seq + 1);
        let end = Head::next(self.heads.get(log).copied());
        Ok(planned.max(first_at(store, log, end, self.since)?))
    }

    /// What a page of a log from `at` on asks to be claimed, and how many events were read.
    pub fn page(
        &self,
        store: &dyn EventStore,
        log: &LogName,
        at: Seq,
        facts: &dyn Facts,
        mut draw: impl FnMut() -> Entropy,
    ) -> Result<(Vec<Order>, Seq), Reason> {
        let left = Head::next(self.heads.get(log).copied()).saturating_sub(at);
        let count = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
        let raws = store.read(log, at, count).map_err(|_| "a log cannot be read")?;
        let read = raws.len() as u64;
        if read == 0 {
            return Err("a log has a gap");
        }
        let mut orders = Vec::new();
        for raw in raws {
            let event = Recorded::open(log, raw).map_err(|_| "a log holds an event that cannot be read")?;
            let mut sees = BTreeMap::<ProviderId, bool>::new();
            let wants = |row: &&WebhookRow| {
                row.created_at <= event.time
                    && (row.types.is_empty() || row.types.iter().any(|name| name == event.type_name))
                    && *sees
                        .entry(row.provider)
                        .or_insert_with(|| see(&Actor::Provider(row.provider), &event, facts) != Seen::Absent)
            };
            let told: Vec<WebhookId> = self.webhooks.iter().filter(wants).map(|row| row.id).collect();
            if !told.is_empty() {
                orders.push(claim(&event, told, draw()));
            }
        }
        Ok((orders, read))
    }
}

/// The first of `end` events that is not before `since`: time never runs back in a log.
fn first_at(store: &dyn EventStore, log: &LogName, end: Seq, since: Timestamp) -> Result<Seq, Reason> {
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

fn claim(event: &Recorded, webhooks: Vec<WebhookId>, entropy: Entropy) -> Order {
    let source = SourcePosition { hash: Hex(&event.raw.hash).to_string(), log: event.log.clone(), seq: event.seq };
    let about = crate::inquiry_of(&event.subjects).map(Subject::from);
    let about = about.or(event.subjects.first().copied()).unwrap_or(Subject::EventId(event.id));
    Order {
        command: Command::PlanDeliveries { webhooks, about, event: event.id, source: source.clone() },
        actor: Actor::System,
        // One command may make many events that are told of: each is claimed under an id of its own.
        id: CommandId(event.id.0),
        key: None,
        causation: Some(event.id),
        source: Some(source),
        trace: event.trace.clone(),
        entropy,
    }
}
