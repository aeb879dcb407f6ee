//! Days on which an erasure was tampered with. As with an offer's limits the law alone is asked, about entries that no
//! chain holds any more; what a call server's log says of itself is asked of whole days.

use super::days;
use crate::audit::entry::Entry;
use crate::audit::{erasure, read};
use serde_json::json;
use std::collections::BTreeMap;

type Logs<'a> = BTreeMap<&'a str, Vec<Entry>>;
/// Whether the day has what it needs.
type Tamper = fn(&mut Logs<'_>) -> bool;

/// Where a customer is erased who has accepted before.
fn erased(logs: &Logs<'_>) -> Option<(usize, String)> {
    let community = &logs["community"];
    let at = community.iter().position(|entry| entry.is("customer.erased"))?;
    Some((at, community[at].text("customer").to_owned()))
}
fn accepted_afterwards(logs: &mut Logs<'_>) -> bool {
    let Some((at, customer)) = erased(logs) else { return false };
    let community = logs.get_mut("community").expect("the log");
    let later = community[at..].iter_mut().find(|entry| entry.is("offer.accepted"));
    later.map(|entry| entry.data["customer"] = json!(customer)).is_some()
}
fn erased_by_itself(logs: &mut Logs<'_>) -> bool {
    let Some((at, _)) = erased(logs) else { return false };
    logs.get_mut("community").expect("the log")[at].role = "CUSTOMER".to_owned();
    true
}
/// The call server goes on as if it had never heard of it.
fn never_ended(logs: &mut Logs<'_>) -> bool {
    let mut any = false;
    for entries in logs.values_mut() {
        let last = |entry: &Entry| entry.is("customer.forgotten") && entry.int_if("until").is_none();
        let Some(at) = entries.iter().position(last) else { continue };
        let id = entries[at].id.clone();
        entries.retain(|entry| entry.id != id);
        any |= entries[at..].iter().any(|entry| entry.source.as_ref().is_some_and(|(from, ..)| from == "community"));
    }
    any
}

const ERASURES: &[(&str, Tamper)] = &[
    ("accepted after the erasure", accepted_afterwards),
    ("erased by a customer", erased_by_itself),
    ("what was open goes on", never_ended),
];

#[test]
fn the_auditor_finds_what_an_erasure_left() {
    let mut left: Vec<_> = ERASURES.iter().collect();
    for (_, day) in days() {
        let logs = read(&day).expect("a day is in order");
        left.retain(|(_, tamper)| {
            let mut logs = logs.clone();
            let found = if tamper(&mut logs) { erasure::audit(&logs) } else { Ok(()) };
            found.map_err(|found| assert_eq!(found.invariant, "erasure", "{found:?}")).is_ok()
        });
        if left.is_empty() {
            return;
        }
    }
    let names: Vec<_> = left.iter().map(|(name, _)| name).collect();
    assert!(names.is_empty(), "not found on any day: {names:?}");
}
