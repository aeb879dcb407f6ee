//! `callmarket verify` and `callmarket rebuild`: the logs against themselves, snapshots and views against the logs.
//! Also whether the vault is there, and opens.

use super::{Failure, Found, Place, booked, causes};
use clap::Args;
use domain::log::{LogName, Seq};
use domain::state::State;
use projections::history::History;
use projections::live::{BUILD, LogFold};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use store::backend::EventStore;
use store::chain::Verifier;
use store::raw::Hex;
use store::recorded::Recorded;
use store::snapshot::Snapshots;
use store::sqlite::SqliteStore;
use store::vault::Vault;

const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let folder = self.place.beside()?;
        let store = SqliteStore::open(&folder)?;
        let mut findings = Vec::new();
        let mut logs = Vec::new();
        let snapshots = Snapshots::of(&folder, BUILD);
        for log in store.logs()? {
            match walk(&store, &log, &snapshots) {
                Ok(walked) => {
                    findings.extend(forked_sources(&store, &log, walked.fold.state())?);
                    findings.extend(walked.differing);
                    let (events, good, damaged) = (walked.events, walked.good, walked.damaged);
                    let head = walked.fold.head().map(|head| Hex(&head.hash).to_string());
                    if !self.json {
                        let head = head.as_deref().unwrap_or("empty");
                        let snapshots = match good + damaged {
                            0 => String::new(),
                            _ => format!(", snapshots: {good} good, {damaged} damaged"),
                        };
                        println!("{log}: {events} events, chain whole, head {head}{snapshots}");
                    }
                    logs.push(json!({
                        "log": log.as_str(), "events": events, "head": head,
                        "snapshots": good, "damagedSnapshots": damaged,
                    }));
                }
                Err(finding) => findings.push(format!("log {log}: {finding}")),
            }
        }
        // Without it, or with another master key, nothing that is sealed in the logs can be read.
        if !logs.is_empty() || folder.vault().exists() {
            match Vault::open(&folder) {
                Ok(_) if !self.json => println!("vault: opens"),
                Ok(_) => {}
                Err(error) => findings.push(format!("vault: {}", causes(&error))),
            }
        }
        // Only of logs that are whole.
        if findings.is_empty() {
            let booked = booked::booked(&store)?;
            if !self.json {
                let waiting = match booked.waiting {
                    0 => String::new(),
                    waiting => format!(", {waiting} events of call servers wait to be posted"),
                };
                println!("books: {} entries{waiting}", booked.entries);
            }
            findings.extend(booked.findings);
        }
        if folder.history().exists() {
            let difference = History::open_read_only(&folder.history()).and_then(|history| history.verify(&store));
            match difference {
                Ok(None) if !self.json => println!("history: what the logs say"),
                Ok(None) => {}
                Ok(Some(difference)) => findings.push(format!("history: {difference:?}")),
                Err(error) => findings.push(format!("history: {}", causes(&error))),
            }
        }
        if self.json {
            println!("{}", json!({"ok": findings.is_empty(), "logs": logs, "findings": findings}));
        } else {
            for finding in &findings {
                println!("FOUND {finding}");
            }
            println!("{}", if findings.is_empty() { "ok" } else { "not ok" });
        }
        Ok(if findings.is_empty() { Found::Nothing } else { Found::Something })
    }
}

struct Walked {
    events: u64,
    fold: LogFold,
    /// Snapshots that are the fold.
    good: u64,
    /// Those that are not, or cannot be read, or stand past the end; and what is wrong with each.
    damaged: u64,
    differing: Vec<String>,
}

impl Walked {
    fn differs(&mut self, log: &LogName, seq: Seq, what: &str) {
        self.damaged += 1;
        self.differing.push(format!("log {log}: the snapshot at position {seq} {what}"));
    }
}

/// Checks the chain, that every event can be read, that state and live view fold, and that each snapshot of this
/// build is the fold up to its position.
fn walk(store: &dyn EventStore, log: &LogName, snapshots: &Snapshots) -> Result<Walked, String> {
    let mut verifier = Verifier::new();
    let mut walked = Walked { events: 0, fold: LogFold::new(log), good: 0, damaged: 0, differing: Vec::new() };
    let mut positions = snapshots.positions(log);
    positions.reverse();
    loop {
        let page = store.read(log, walked.events, PAGE).map_err(|error| causes(&error))?;
        let last = page.len() < PAGE;
        for raw in page {
            verifier.check(&raw).map_err(|error| causes(&error))?;
            walked.events = raw.seq + 1;
            let event = Recorded::open(log, raw).map_err(|error| causes(&error))?;
            fold(&mut walked.fold, Arc::new(event))?;
            if let Some(seq) = positions.pop_if(|seq| *seq + 1 == walked.events) {
                walked.fold.complete(store).map_err(|error| causes(&error))?;
                let kept = snapshots.at(log, seq).and_then(|snapshot| LogFold::restore(&snapshot));
                let differs = match kept {
                    Ok(kept) => walked.fold.difference(&kept).map(|what| format!("{what} is another")),
                    Err(error) => Some(error.to_string()),
                };
                match differs {
                    None => walked.good += 1,
                    // Beside a server, it may have been let go of meanwhile.
                    Some(_) if !snapshots.positions(log).contains(&seq) => {}
                    Some(differs) => walked.differs(log, seq, &format!("is not the fold: {differs}")),
                }
            }
        }
        if last {
            for seq in positions.into_iter().rev() {
                walked.differs(log, seq, "is past the log's end");
            }
            return Ok(walked);
        }
    }
}

/// What a log has taken over from others must stand there: `serve` refuses to start where it does not.
fn forked_sources(store: &dyn EventStore, log: &LogName, state: &State) -> Result<Option<String>, Failure> {
    for (source, taken) in &state.sources {
        let found = store.read(source, taken.seq, 1)?;
        let stands = found.first().is_some_and(|raw| raw.seq == taken.seq && Hex(&raw.hash).to_string() == *taken.hash);
        if !stands {
            return Ok(Some(format!(
                "log {log}: it has taken over position {} of {source}, which holds another event, or none",
                taken.seq
            )));
        }
    }
    Ok(None)
}

/// The fold trusts what the decisions wrote; a log that holds anything else makes it panic.
fn fold(fold: &mut LogFold, event: Arc<Recorded>) -> Result<(), String> {
    let folded = catch_unwind(AssertUnwindSafe(|| fold.fold(std::slice::from_ref(&event))));
    match folded {
        Ok(folded) => folded.map_err(|error| causes(&error)),
        Err(_) => Err(format!("position {}: {} does not follow from what is before it", event.seq, event.type_name)),
    }
}

impl Rebuild {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let folder = self.place.alone()?;
        let store: Arc<dyn EventStore> = Arc::new(SqliteStore::open(&folder)?);
        let history = History::open_to_rebuild(&folder.history())?;
        history.rebuild(&*store, |_, _, _| {})?;
        println!("history rebuilt");
        Ok(Found::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::actor::Actor;
    use domain::event::community::OfferRetired;
    use domain::ids::OfferId;
    use domain::time::Timestamp;
    use store::memory::MemoryStore;
    use store::raw::GENESIS;
    use store::recorded::{CommandId, Facts};

    #[test]
    fn a_log_that_does_not_follow_from_itself_is_a_finding() {
        let store = MemoryStore::new();
        let log = LogName::community();
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
        // Retires an offer that was never published.
        let event = Recorded::seal(&log, 0, &GENESIS, OfferRetired { offer: OfferId(1) }.into(), facts);
        store.append(&log, None, std::slice::from_ref(&event.raw)).unwrap();
        let finding = walk(&store, &log, &Snapshots::none()).map(|_| ()).unwrap_err();
        assert!(finding.contains("position 0"), "{finding}");
    }
}
