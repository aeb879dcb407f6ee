//! Customers who are erased: nothing is accepted for them any more, and what of them is open on a call server ends, an
//! inquiry at a time, and soon; nobody else's does.

use super::entry::Entry;
use super::inquiry::ended_by;
use super::market::{Market, Step};
use super::{Audited, must};
use std::collections::{BTreeMap, BTreeSet};

/// Between one inquiry's end and the next one's.
const PAUSE: i64 = 50_000;

/// Whether the group lets go of this customer: then what ends in it ends for that.
pub fn forgets(group: &[Entry], customer: &str) -> bool {
    group.iter().any(|entry| entry.is("customer.forgotten") && entry.text("customer") == customer)
}

/// Before the group is folded: of what is open, the first accepted ends in it.
pub fn forgotten<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let customer = entry.text("customer");
    let due = market.forgets.remove(customer);
    let began = entry.source.is_some();
    let goes_on = entry.is_tick() && due.is_some_and(|due| due <= entry.time);
    must!(entry, began || goes_on, "erasure", "goes on though due at {due:?}");
    let mut open: Vec<(i64, &str)> = Vec::new();
    for (id, row) in &market.inquiries {
        if row.customer == customer && !matches!(row.step, Step::Closed | Step::WrapUp) {
            open.push((row.accepted_at, id));
        }
    }
    let first = open.iter().min().map(|(at, _)| *at);
    let kept = market.agents.values().any(|agent| agent.keeps_from.contains(customer));
    must!(entry, first.is_some() || kept || !began, "erasure", "has nothing to end");
    let ended: BTreeSet<&str> = group.iter().filter_map(ended_by).collect();
    let right = ended.len() == usize::from(first.is_some())
        && ended.iter().all(|id| open.iter().any(|(at, other)| other == id && Some(*at) == first));
    must!(entry, right, "erasure", "ends {ended:?} of {open:?}");
    let until = (open.len() > 1).then_some(entry.time + PAUSE);
    must!(entry, entry.int_if("until") == until, "erasure", "goes on at {until:?}");
    if until.is_some() {
        for (_, id) in &open {
            market.inquiries.get_mut(id).expect("just seen").ends_soon = true;
        }
    }
    market.forgets.extend(until.map(|until| (customer, until)));
    if until.is_none() {
        for agent in market.agents.values_mut() {
            agent.keeps_from.remove(customer);
        }
    }
    Ok(())
}

/// `community`, and what stood open on the call servers when they had heard of it.
pub fn audit(logs: &BTreeMap<&str, Vec<Entry>>) -> Audited {
    let community = logs.get("community").map_or(&[][..], Vec::as_slice);
    let mut erased: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in community {
        if entry.is("offer.accepted") {
            let customer = entry.text("customer");
            must!(entry, !erased.contains_key(customer), "erasure", "{customer} was erased before");
        }
        if entry.is("customer.erased") {
            must!(entry, entry.role == "OPERATOR", "erasure", "is erased by {}", entry.role);
            erased.entry(entry.text("customer")).or_insert(entry.seq);
        }
    }
    for (log, entries) in logs.iter().filter(|(log, _)| **log != "community") {
        for (customer, seq) in &erased {
            heard(log, entries, customer, *seq)?;
        }
    }
    Ok(())
}

/// What `community` decided after the erasure came here after it, so that then nothing of the customer waited.
fn heard(log: &str, entries: &[Entry], customer: &str, erased: u64) -> Audited {
    let later =
        |entry: &Entry| entry.source.as_ref().is_some_and(|(from, seq, _)| from == "community" && *seq > erased);
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut goes_on = false;
    // What ends does so by the end of its own group: who is erased once more, ends with that.
    let mut ending = None;
    for entry in entries {
        if later(entry) && ending != Some(&entry.id) {
            must!(entry, open.is_empty() || goes_on, "erasure", "{log} has {open:?} of {customer} still");
        }
        if entry.is("inquiry.registered") && entry.text("customer") == customer {
            open.insert(entry.text("inquiry"));
        }
        if let Some(inquiry) = ended_by(entry) {
            open.remove(inquiry);
        }
        if entry.is("customer.forgotten") && entry.text("customer") == customer {
            goes_on = entry.int_if("until").is_some();
            ending = Some(&entry.id);
        }
    }
    Ok(())
}
