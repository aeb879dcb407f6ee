//! What a reader of a feed has seen is exactly what concerns it of the log: nothing left out, nothing twice, in order,
//! from where it began to the end, however often its node died under it.

use super::entry::{Entry, texts};
use super::{Audited, Finding};
use std::collections::BTreeMap;

/// From which position on a reader was promised everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    AtTheStart,
    After(u64),
    /// The log had so many events. Its node may have been behind, and then it saw some of those too.
    Now(u64),
}

#[derive(Clone, Debug)]
pub struct Watch {
    pub log: String,
    /// Ids; `None` is every agent's.
    pub watched: Vec<Option<String>>,
    pub began: Began,
    pub seen: Vec<(u64, [u8; 32])>,
}

pub fn audit(watches: &[Watch], logs: &BTreeMap<&str, Vec<Entry>>) -> Audited {
    for watch in watches {
        let entries = logs.get(watch.log.as_str()).map_or(&[][..], Vec::as_slice);
        let stays = stays(entries);
        let theirs: Vec<(u64, [u8; 32])> = entries
            .iter()
            .filter(|entry| concerns(watch, entry, &stays))
            .map(|entry| (entry.seq, entry.hash))
            .collect();
        let from = match watch.began {
            Began::AtTheStart => 0,
            Began::After(seq) => seq + 1,
            Began::Now(length) => length.min(watch.seen.first().map_or(length, |(seq, _)| *seq)),
        };
        let due = &theirs[theirs.partition_point(|(seq, _)| *seq < from)..];
        if watch.seen != due {
            let same = watch.seen.iter().zip(due).take_while(|(seen, due)| seen == due).count();
            let (seen, due) = (watch.seen.get(same).map(|one| one.0), due.get(same).map(|one| one.0));
            let what = format!(
                "who watches {:?} from {:?} on saw {seen:?} after {same} events, where {due:?} was due",
                watch.watched, watch.began
            );
            let seq = due.or(seen).unwrap_or_default();
            return Err(Finding { invariant: "feeds", log: watch.log.clone(), seq, what });
        }
    }
    Ok(())
}

/// From when on, and until when, an inquiry's events are a queue's: the move itself is both queues'. Where nobody moves it
/// away they are for good.
struct Stay<'a> {
    queue: &'a str,
    from: u64,
    until: u64,
}

fn stays(entries: &[Entry]) -> BTreeMap<&str, Vec<Stay<'_>>> {
    let mut stays: BTreeMap<&str, Vec<Stay<'_>>> = BTreeMap::new();
    let stay = |entry: &Entry, queue| Stay { queue, from: entry.seq, until: u64::MAX };
    for entry in entries {
        if entry.is("inquiry.registered") {
            let queues = texts(&entry.data, "queues").into_iter();
            stays.insert(entry.text("inquiry"), queues.map(|queue| stay(entry, queue)).collect());
        }
        if entry.is("inquiry.moved") {
            let (from, into) = (entry.text("from"), entry.text("into"));
            let of = stays.entry(entry.text("inquiry")).or_default();
            of.iter_mut().filter(|one| one.queue == from).for_each(|one| one.until = entry.seq);
            if of.iter().all(|one| one.queue != into) {
                of.push(stay(entry, into));
            }
        }
    }
    stays
}

fn concerns(watch: &Watch, entry: &Entry, stays: &BTreeMap<&str, Vec<Stay<'_>>>) -> bool {
    watch.watched.iter().any(|watched| {
        let Some(id) = watched else { return entry.subjects.iter().any(|subject| subject.starts_with("agt_")) };
        let stood = |one: &Stay<'_>| one.queue == id && (one.from..=one.until).contains(&entry.seq);
        let of_inquiry = |subject: &String| stays.get(subject.as_str()).is_some_and(|stays| stays.iter().any(stood));
        let to_every_agent = id.starts_with("agt_") && entry.is("auction.opened");
        to_every_agent || entry.subjects.contains(id) || entry.subjects.iter().any(of_inquiry)
    })
}
