//! The books against the logs that they were made from, for `callmarket verify`: each event that moves money has one
//! entry, which says what the event says, and no entry stands for anything else.
//!
//! What the books have not come to yet is no finding: it is posted at the next start, or in a moment.

use super::Failure;
use domain::books::balances;
use domain::event::Event;
use domain::event::journal::JournalEvent;
use domain::log::{LogName, Seq};
use std::collections::BTreeMap;
use store::backend::EventStore;
use store::raw::Hex;
use store::recorded::Recorded;

/// Events read at once.
const PAGE: usize = 1_024;

#[derive(Default)]
pub(super) struct Booked {
    pub(super) entries: u64,
    /// Events that move money and are beyond what the books have come to.
    pub(super) waiting: u64,
    pub(super) findings: Vec<String>,
}

/// Reads `treasury` with the source of each entry, then the call servers' logs. A log that cannot be read is an error.
pub(super) fn booked(store: &dyn EventStore) -> Result<Booked, Failure> {
    let mut found = Booked::default();
    let posted = entries(store, &mut found)?;
    for log in store.logs()?.into_iter().filter(|log| !log.is_reserved()) {
        let none = Vec::new();
        let posted = posted.get(&log).unwrap_or(&none);
        let mut expected = posted.iter().copied().peekable();
        let last = posted.last().copied();
        each(store, &log, |event| {
            if event.event.legs().is_none() {
                return Ok(());
            }
            if last.is_none_or(|last| event.seq > last) {
                found.waiting += 1;
            } else if expected.next_if_eq(&event.seq).is_none() {
                found.findings.push(format!("books: {log} position {} moves money and has no entry", event.seq));
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// The positions that have entries, by their log, each list growing: an entry out of its order is a finding, and left out.
fn entries(store: &dyn EventStore, found: &mut Booked) -> Result<BTreeMap<LogName, Vec<Seq>>, Failure> {
    let mut posted: BTreeMap<LogName, Vec<Seq>> = BTreeMap::new();
    each(store, &LogName::treasury(), |event| {
        let Event::Journal(JournalEvent::EntryPosted(entry)) = &event.event else { return Ok(()) };
        found.entries += 1;
        let mut wrong = |what: &str| {
            let (log, seq) = (&entry.source.log, entry.source.seq);
            found.findings.push(format!("books: treasury position {} ({log} position {seq}): {what}", event.seq));
        };
        if entry.number != found.entries {
            wrong("its number does not follow");
        }
        if !balances(&entry.legs) {
            wrong("its legs do not sum to zero");
        }
        let source = match store.read(&entry.source.log, entry.source.seq, 1)?.pop() {
            Some(raw) if raw.seq == entry.source.seq => Some(Recorded::open(&entry.source.log, raw)?),
            Some(_) | None => None,
        };
        let Some(source) = source.filter(|source| Hex(&source.raw.hash).to_string() == entry.source.hash) else {
            wrong("its source is not in that log");
            return Ok(());
        };
        let about = source.event.subjects().iter().next();
        if source.event.legs() != Some(&entry.legs) || source.time != entry.at || about != Some(entry.about) {
            wrong("it does not say what its source says");
        }
        let of_log = posted.entry(entry.source.log.clone()).or_default();
        match of_log.last() {
            Some(last) if entry.source.seq <= *last => wrong("its source was posted before"),
            Some(_) | None => of_log.push(entry.source.seq),
        }
        Ok(())
    })?;
    Ok(posted)
}

fn each(
    store: &dyn EventStore,
    log: &LogName,
    mut look: impl FnMut(&Recorded) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next: Seq = 0;
    loop {
        let page = store.read(log, next, PAGE)?;
        let is_last = page.len() < PAGE;
        for raw in page {
            next = raw.seq + 1;
            look(&Recorded::open(log, raw)?)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::actor::Actor;
    use domain::event::community::SourcePosition;
    use domain::event::journal::EntryPosted;
    use domain::event::settlement::Leg;
    use domain::event::wallet::{Party, WalletCredited};
    use domain::ids::{AccountId, AgentId};
    use domain::money::Money;
    use domain::time::Timestamp;
    use store::memory::MemoryStore;
    use store::raw::{GENESIS, Hash};
    use store::recorded::{CommandId, Facts};

    const ACCOUNT: AccountId = AccountId(1);

    /// A house of one call server with two credits.
    struct House {
        store: MemoryStore,
        ends: BTreeMap<LogName, (Seq, Hash)>,
        entries: Vec<EntryPosted>,
    }

    impl House {
        fn new() -> House {
            let mut house = House { store: MemoryStore::new(), ends: BTreeMap::new(), entries: Vec::new() };
            for (number, cents) in [(1, "1.00"), (2, "2.00")] {
                let amount = Money::parse(cents, "EUR".parse().unwrap()).unwrap();
                let leg = |account: &str, amount| Leg { account: account.into(), amount, rule: "top-up/1".into() };
                let legs = vec![leg("assets:bank:client", amount), leg("liabilities:x:wallet", amount.negated())];
                let owner = Party::Agent(AgentId(2));
                let credit =
                    WalletCredited { account: ACCOUNT, amount, legs: legs.clone(), owner, reference: "".into() };
                let (seq, hash) = house.append("main", credit.into());
                let source = SourcePosition { hash: Hex(&hash).to_string(), log: "main".parse().unwrap(), seq };
                house.entries.push(EntryPosted { about: ACCOUNT.into(), at: Timestamp(0), legs, number, source });
            }
            house
        }

        fn append(&mut self, log: &str, event: Event) -> (Seq, Hash) {
            let log: LogName = if log == "treasury" { LogName::treasury() } else { log.parse().unwrap() };
            let head = self.store.head(&log).unwrap();
            let (seq, before) = self.ends.get(&log).map_or((0, GENESIS), |(seq, hash)| (seq + 1, *hash));
            let facts = Facts {
                actor: Actor::System,
                key: None,
                correlation: CommandId(1),
                causation: None,
                source: None,
                trace: None,
                time: Timestamp(0),
                salt: [0; 16],
            };
            let recorded = Recorded::seal(&log, seq, &before, event, facts);
            self.store.append(&log, head, std::slice::from_ref(&recorded.raw)).unwrap();
            self.ends.insert(log, (seq, recorded.raw.hash));
            (seq, recorded.raw.hash)
        }

        /// What is found once these entries are posted.
        fn found(mut self, entries: impl IntoIterator<Item = EntryPosted>) -> (u64, u64, Vec<String>) {
            for entry in entries {
                self.append("treasury", entry.into());
            }
            let found = booked(&self.store).unwrap();
            (found.entries, found.waiting, found.findings)
        }
    }

    fn one(findings: Vec<String>, what: &str) {
        assert!(findings.len() == 1 && findings[0].contains(what), "{what}: {findings:?}");
    }

    #[test]
    fn books_that_are_behind_wait_and_are_no_finding() {
        for posted in 0..=2 {
            let house = House::new();
            let entries = house.entries[..posted].to_vec();
            assert_eq!(house.found(entries), (posted as u64, 2 - posted as u64, vec![]));
        }
    }

    #[test]
    fn an_entry_that_is_missing_doubled_or_wrong_is_named() {
        let spoiled = |spoil: &dyn Fn(&mut Vec<EntryPosted>)| {
            let house = House::new();
            let mut entries = house.entries.clone();
            spoil(&mut entries);
            for (number, entry) in (1..).zip(&mut entries) {
                entry.number = number;
            }
            house.found(entries).2
        };
        one(spoiled(&|entries| drop(entries.remove(0))), "main position 0 moves money and has no entry");
        one(spoiled(&|entries| entries.push(entries[1].clone())), "was posted before");
        one(spoiled(&|entries| entries[1].legs = entries[0].legs.clone()), "does not say what its source says");
        one(spoiled(&|entries| entries[1].at = Timestamp(1)), "does not say what its source says");
        one(spoiled(&|entries| entries[1].about = AccountId(9).into()), "does not say what its source says");
        let elsewhere = spoiled(&|entries| entries[1].source.seq = 7);
        assert!(elsewhere[0].contains("its source is not in that log"), "{elsewhere:?}");
        let off = spoiled(&|entries| drop(entries[1].legs.pop()));
        assert!(off[0].contains("do not sum to zero"), "{off:?}");

        let house = House::new();
        let mut entries = house.entries.clone();
        entries[1].number = 3;
        one(house.found(entries).2, "its number does not follow");
    }
}
