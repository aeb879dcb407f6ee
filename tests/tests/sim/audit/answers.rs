//! Every answer is borne out by the log, and every event is somebody's. Positions are of the log that the
//! order was given to.

use super::entry::{Entry, groups};
use super::{Audited, Books, Finding, must};
use std::collections::{BTreeMap, HashMap};

/// An order that was given to a writer, and what it heard.
#[derive(Clone, Debug)]
pub struct Told {
    pub log: String,
    /// The command.
    pub id: String,
    /// Hash and fingerprint.
    pub key: Option<(String, String)>,
    pub entered: i64,
    /// How long the log was, before and after.
    pub from: u64,
    pub until: u64,
    pub said: Said,
}

#[derive(Clone, Debug)]
pub enum Said {
    /// The events, by position and hash.
    Done(Vec<(u64, [u8; 32])>),
    Replayed {
        first: u64,
        events: u64,
    },
    Refused {
        code: &'static str,
    },
    Unavailable,
    /// The node died over it: anything may be, but whole.
    Nothing,
}

const DAY: i64 = 86_400_000_000;

pub fn audit(books: &Books, logs: &BTreeMap<&str, Vec<Entry>>) -> Audited {
    let mut by_id: HashMap<(&str, &str), Vec<&Told>> = HashMap::new();
    for told in &books.told {
        by_id.entry((&told.log, &told.id)).or_default().push(told);
    }
    let mut groups_of: HashMap<(&str, &str), &[Entry]> = HashMap::new();
    let mut keys: HashMap<(&str, &str), Vec<&Entry>> = HashMap::new();
    for (log, entries) in logs {
        for group in groups(entries) {
            let first = &group[0];
            groups_of.insert((log, &first.id), group);
            if let Some((hash, ..)) = &first.key {
                keys.entry((log, hash)).or_default().push(first);
            }
            every_event_is_somebodys(first, group, by_id.get(&(*log, first.id.as_str())), books)?;
        }
    }
    for told in &books.told {
        let group = groups_of.get(&(told.log.as_str(), told.id.as_str())).copied();
        let named = told.key.as_ref().and_then(|(hash, _)| keys.get(&(told.log.as_str(), hash.as_str())));
        let length = logs.get(told.log.as_str()).map_or(0, |entries| entries.len() as u64);
        let broken = |what: String| Finding {
            invariant: "every answer is borne out",
            log: told.log.clone(),
            seq: told.until.min(length.max(1) - 1),
            what: format!("{told:?}: {what}"),
        };
        let alone = by_id[&(told.log.as_str(), told.id.as_str())].len() == 1;
        match &told.said {
            Said::Done(events) if !events.is_empty() => {
                let found: Vec<_> = group.unwrap_or_default().iter().map(|entry| (entry.seq, entry.hash)).collect();
                if found != *events {
                    return Err(broken(format!("{} events stand", found.len())));
                }
                let key = group.and_then(|group| group[0].key.as_ref()).map(|(hash, print, _)| (hash, print));
                if key != told.key.as_ref().map(|(hash, print)| (hash, print)) {
                    return Err(broken(format!("{key:?} is recorded")));
                }
            }
            Said::Done(_) | Said::Refused { .. } | Said::Unavailable => {
                // A process manager sends one event's command again under the same name.
                if alone && let Some(group) = group {
                    return Err(broken(format!("{} events stand at {}", group.len(), group[0].seq)));
                }
            }
            Said::Replayed { .. } | Said::Nothing => {}
        }
        // It may have been decided as late as that: at the log's last time, which a clock ahead may have written.
        let last = logs.get(told.log.as_str()).and_then(|entries| entries[..told.until.min(length) as usize].last());
        let decided = last.map_or(told.entered, |last| last.time.max(told.entered));
        let known = named.into_iter().flatten().filter(|entry| decided - entry.time < DAY);
        let (_, print) = told.key.clone().unwrap_or_default();
        match &told.said {
            Said::Replayed { first, events } => {
                let there = named.into_iter().flatten().find(|entry| entry.seq == *first && entry.seq < told.until);
                let same = there.and_then(|entry| entry.key.clone()).map(|(_, print, events)| (print, events));
                if same != Some((print, *events)) {
                    return Err(broken(format!("{same:?} stands there")));
                }
            }
            Said::Refused { code: "IDEMPOTENCY_KEY_REUSED" } => {
                let other =
                    |entry: &&&Entry| entry.seq < told.until && entry.key.as_ref().is_some_and(|key| key.1 != print);
                if !named.into_iter().flatten().any(|entry| other(&entry)) {
                    return Err(broken("the key was never used with another input".to_owned()));
                }
            }
            Said::Refused { .. } | Said::Done(_) => {
                // Had the key been known, the answer would have been another.
                if let Some(entry) = known.clone().find(|entry| entry.seq < told.from && entry.id != told.id) {
                    return Err(broken(format!("the key stands at {} already", entry.seq)));
                }
            }
            Said::Unavailable | Said::Nothing => {}
        }
    }
    Ok(())
}

/// By an acknowledged order, by one whose node died over it, or by a timer.
fn every_event_is_somebodys(first: &Entry, group: &[Entry], told: Option<&Vec<&Told>>, books: &Books) -> Audited {
    let done = |told: &&&Told| matches!(&told.said, Said::Done(events) if !events.is_empty());
    let owners = told.into_iter().flatten().filter(done).count();
    let died = told.into_iter().flatten().any(|told| matches!(told.said, Said::Nothing));
    // What a deadline ended elsewhere is brought here under the same name.
    let timer = books.ticks.contains(&first.id) && first.source.is_none();
    must!(first, owners <= 1, "every answer is borne out", "{owners} were told that it is theirs");
    must!(first, owners == 1 || died || timer, "every answer is borne out", "{} events are nobody's", group.len());
    must!(first, timer == first.is_tick(), "every answer is borne out", "only a deadline asks by itself");
    Ok(())
}
