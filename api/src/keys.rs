//! Idempotency keys of those who are at home on no one call server: operators, finance, providers, customers.
//!
//! A key's scope is (actor, mutation, key), and each writer knows the keys of its own log alone. An agent has
//! one log, so its writer's answer is the whole answer, and its commands ask nothing here. The others may use a
//! key on one call server and again on another: before their command goes to a log, the others are asked.
//!
//! It promises: a key that another log has acknowledged is found, and two commands with one key wait for each
//! other, whatever logs they go to. Between nodes the second is not promised (docs/adr/0009).
//!
//! Not here: keys used again on the same log (its writer), and what became of the command.

use domain::actor::Role;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use projections::history::{History, HistoryError};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::backend::EventStore;
use store::keys::KEPT;
use store::raw::Head;
use store::recorded::Recorded;
use tokio::sync::OwnedMutexGuard;

/// Keys of one generation: two of them are some 20 MB.
const GENERATION_MAX: usize = 65_536;

/// Whether the role may give one mutation to several logs.
pub(crate) fn roams(role: Role) -> bool {
    match role {
        Role::Operator | Role::Finance | Role::Provider | Role::Customer => true,
        // An agent has one call server; strangers accept offers, which `community` decides; process managers
        // have no keys.
        Role::Agent | Role::Anonymous | Role::System => false,
    }
}

/// Where a key was used.
#[derive(Clone, Debug)]
struct Use {
    log: LogName,
    seq: Seq,
    at: Timestamp,
}

/// The newest keys that roam, in two generations.
#[derive(Default)]
struct Recent {
    young: HashMap<u128, Use>,
    old: HashMap<u128, Use>,
    /// Up to which position of each log keys have fallen out.
    gone: BTreeMap<LogName, Seq>,
}

#[derive(Default)]
pub(crate) struct RoamingKeys {
    recent: Mutex<Recent>,
    /// Keys of commands that are on their way.
    turns: Mutex<HashMap<u128, Arc<tokio::sync::Mutex<()>>>>,
}

// A panic elsewhere leaves both as they were: each change is one call of a map.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RoamingKeys {
    /// Called with each batch of a call server that is acknowledged, and at the start with all of its log that no
    /// snapshot stands for.
    pub(crate) fn note(&self, events: &[Arc<Recorded>]) {
        self.note_bounded(events, GENERATION_MAX);
    }

    /// What a snapshot stands for was not noted: keys up to there are looked up.
    pub(crate) fn begin_after(&self, log: &LogName, seq: Seq) {
        let mut recent = lock(&self.recent);
        let gone = recent.gone.entry(log.clone()).or_default();
        *gone = seq.max(*gone);
    }

    fn note_bounded(&self, events: &[Arc<Recorded>], generation_max: usize) {
        for event in events {
            let Some(key) = event.key.filter(|_| roams(event.actor.role())) else { continue };
            let mut recent = lock(&self.recent);
            recent.young.insert(key.hash, Use { log: event.log.clone(), seq: event.seq, at: event.time });
            if recent.young.len() >= generation_max {
                let young = std::mem::take(&mut recent.young);
                for fallen in std::mem::replace(&mut recent.old, young).into_values() {
                    let gone = recent.gone.entry(fallen.log).or_default();
                    *gone = fallen.seq.max(*gone);
                }
            }
        }
    }

    /// Waits until no other command with this key is on its way. Its turn lasts until it is dropped.
    pub(crate) async fn turn(self: &Arc<RoamingKeys>, hash: u128) -> Turn {
        // It is there before it is waited for: a caller who gives up waiting leaves nothing behind either.
        let mut turn = Turn { keys: self.clone(), hash, held: None };
        let waiting = lock(&self.turns).entry(hash).or_default().clone();
        turn.held = Some(waiting.lock_owned().await);
        turn
    }

    /// When the key was used on one of `logs`, within 24 h before `now`. May touch a disk.
    pub(crate) fn used_on(
        &self,
        logs: &[LogName],
        hash: u128,
        now: Timestamp,
        history: &History,
        store: &dyn EventStore,
    ) -> Result<Option<Timestamp>, HistoryError> {
        let known = {
            let recent = lock(&self.recent);
            let found = recent.young.get(&hash).or_else(|| recent.old.get(&hash));
            found.filter(|used| logs.contains(&used.log) && now - used.at < KEPT).map(|used| used.at)
        };
        if known.is_some() {
            return Ok(known);
        }
        for log in logs {
            let folded = Head::next(history.checkpoint(log).map(|checkpoint| checkpoint.head));
            let gone = lock(&self.recent).gone.get(log).map_or(0, |gone| gone + 1);
            // What history lacks yet stands here, unless it fell out: then the log's end is read for it.
            let found = if gone <= folded {
                history.find_folded_key(log, hash, now)?
            } else {
                history.find_key(store, log, hash, now)?
            };
            if let Some(found) = found {
                return Ok(Some(found.time));
            }
        }
        Ok(None)
    }
}

/// The right to use a key.
pub(crate) struct Turn {
    keys: Arc<RoamingKeys>,
    hash: u128,
    /// Absent while it waits.
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = lock(&self.keys.turns);
        self.held = None;
        // Nobody can come to wait meanwhile: that takes the same lock.
        if turns.get(&self.hash).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::actor::Actor;
    use domain::event::Event;
    use domain::event::queue::QueueRetired;
    use domain::ids::QueueId;
    use store::memory::MemoryStore;
    use store::recorded::{CommandId, Facts, KeyMark};

    fn main_log() -> LogName {
        "main".parse().unwrap()
    }

    /// One event a key, chained, and noted.
    fn fill(keys: &RoamingKeys, store: &MemoryStore, actor: &Actor, hashes: std::ops::Range<u128>) -> Vec<Recorded> {
        let mut all = Vec::new();
        for hash in hashes {
            let head = store.head(&main_log()).unwrap();
            let facts = Facts {
                actor: actor.clone(),
                key: Some(KeyMark { hash, fingerprint: 1, events: 1 }),
                correlation: CommandId(hash),
                causation: None,
                source: None,
                trace: None,
                time: Timestamp(hash as i64),
                salt: [7; 16],
            };
            let event: Event = QueueRetired { last: None, queue: QueueId(hash) }.into();
            let event = Recorded::seal(&main_log(), Head::next(head), &Head::link(head), event, facts);
            store.append(&main_log(), head, std::slice::from_ref(&event.raw)).unwrap();
            keys.note_bounded(&[Arc::new(event.clone())], 4);
            all.push(event);
        }
        all
    }

    #[test]
    fn a_key_is_found_in_memory_in_history_and_in_the_end_of_the_log() {
        let (keys, store, history) = (RoamingKeys::default(), MemoryStore::new(), History::open_in_memory().unwrap());
        let operator = Actor::Operator("op".into());
        let events = fill(&keys, &store, &operator, 0..20);
        let used = |hash, now| keys.used_on(&[main_log()], hash, Timestamp(now), &history, &store).unwrap();
        // Most have fallen out of memory, and history has none.
        for hash in 0..20 {
            assert_eq!(used(hash, 100), Some(Timestamp(hash as i64)), "{hash}");
        }
        assert_eq!(used(20, 100), None);
        assert_eq!(used(3, 3 + KEPT.0), None, "free after a day");
        history.project(&main_log(), &events[..10]).unwrap();
        assert!((0..20).all(|hash| used(hash, 100).is_some()), "the rest is read from the log");
        history.project(&main_log(), &events[10..]).unwrap();
        assert!((0..20).all(|hash| used(hash, 100).is_some()));
        assert_eq!(keys.used_on(&["east".parse().unwrap()], 3, Timestamp(100), &history, &store).unwrap(), None);
    }

    #[test]
    fn agents_keys_are_not_kept() {
        let (keys, store) = (RoamingKeys::default(), MemoryStore::new());
        fill(&keys, &store, &Actor::Agent(domain::ids::AgentId(1)), 0..3);
        assert!(lock(&keys.recent).young.is_empty());
    }

    #[tokio::test]
    async fn two_commands_with_one_key_wait_for_each_other() {
        let keys = Arc::new(RoamingKeys::default());
        let first = keys.turn(1).await;
        let other = keys.turn(2).await;
        let mut second = Box::pin(keys.turn(1));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await;
        assert_eq!(lock(&keys.turns).len(), 2);
        drop((second, other));
        assert!(lock(&keys.turns).is_empty(), "nothing is kept of a turn that is over");
    }
}
