//! Days on which an offer's limits were tampered with. `community` and the call servers name each other's hashes, so the
//! law alone is asked, about entries that no chain holds any more.

use super::days;
use crate::audit::entry::Entry;
use crate::audit::{Finding, limits, proofs, read};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Logs<'a> = BTreeMap<&'a str, Vec<Entry>>;
/// Whether the day has what it needs.
type Tamper = fn(&mut Logs<'_>) -> bool;

/// Changes each event of a kind for which it says so.
fn each(logs: &mut Logs<'_>, kinds: &[&str], change: impl Fn(&mut Value) -> bool) -> bool {
    let mut any = false;
    for entry in logs.values_mut().flatten().filter(|entry| kinds.iter().any(|kind| entry.is(kind))) {
        any |= change(&mut entry.data);
    }
    any
}
const TERMS: [&str; 3] = ["offer.published", "offer.revised", "offer.accepted"];

fn one_open(logs: &mut Logs<'_>) -> bool {
    each(logs, &TERMS, |data| {
        let limited = data["terms"].get("max_open").is_some_and(|most| *most != 1);
        if limited {
            data["terms"]["max_open"] = json!(1);
        }
        limited
    })
}
fn small_budget(logs: &mut Logs<'_>) -> bool {
    let accepted = logs["community"]
        .iter()
        .any(|entry| entry.is("offer.accepted") && entry.data["terms"].get("daily_budget").is_some());
    accepted
        && each(logs, &TERMS, |data| {
            let Some(budget) = data["terms"].get_mut("daily_budget") else { return false };
            let zeros = budget["amount"].as_str().expect("an amount").replace(|one: char| one.is_ascii_digit(), "0");
            budget["amount"] = json!(zeros);
            true
        })
}
fn never_resumed(logs: &mut Logs<'_>) -> bool {
    let community = logs.get_mut("community").expect("the log");
    let length = community.len();
    community.retain(|entry| !entry.is("offer.resumed"));
    community.len() < length
}
fn freed_twice(logs: &mut Logs<'_>) -> bool {
    let community = logs.get_mut("community").expect("the log");
    let Some(at) = community.iter().position(|entry| entry.is("offer.place_freed")) else { return false };
    let again = community[at].clone();
    community.insert(at + 1, again);
    true
}
fn never_freed(logs: &mut Logs<'_>) -> bool {
    let community = logs.get_mut("community").expect("the log");
    let Some(at) = community.iter().position(|entry| entry.is("offer.place_freed")) else { return false };
    community.remove(at);
    true
}
fn spent_nothing(logs: &mut Logs<'_>) -> bool {
    each(logs, &["offer.place_freed"], |data| {
        data.as_object_mut().and_then(|members| members.remove("spent")).is_some()
    })
}
fn reserved_nothing(logs: &mut Logs<'_>) -> bool {
    each(logs, &["offer.place_freed"], |data| {
        data.as_object_mut().and_then(|members| members.remove("reserved")).is_some()
    })
}
fn silent_end(logs: &mut Logs<'_>) -> bool {
    each(logs, &["inquiry.completed", "inquiry.expired", "inquiry.withdrawn"], |data| {
        data.as_object_mut().and_then(|members| members.remove("freed")).is_some()
    })
}
fn end_that_cost_nothing(logs: &mut Logs<'_>) -> bool {
    each(logs, &["inquiry.completed"], |data| {
        let freed = data.get_mut("freed").and_then(Value::as_object_mut);
        freed.and_then(|freed| freed.remove("spent")).is_some()
    })
}

const OFFERS: &[(&str, Tamper)] = &[
    ("more open than the bound", one_open),
    ("more spent than the budget", small_budget),
    ("accepted though paused", never_resumed),
    ("a place given back twice", freed_twice),
    ("a place never given back", never_freed),
    ("what was spent given back", spent_nothing),
    ("what was reserved forgotten", reserved_nothing),
    ("an end that tells nobody", silent_end),
    ("an end that cost nothing", end_that_cost_nothing),
];

#[test]
fn the_auditor_finds_what_exceeds_an_offers_limits() {
    let mut left: Vec<_> = OFFERS.iter().collect();
    for (_, day) in days() {
        let logs = read(&day).expect("a day is in order");
        left.retain(|(_, tamper)| {
            let mut logs = logs.clone();
            // Not every lower bound is passed on every day.
            let found: Result<(), Finding> = if tamper(&mut logs) { limits::audit(&logs, true) } else { Ok(()) };
            found.map_err(|found| assert_eq!(found.invariant, "offer limits", "{found:?}")).is_ok()
        });
        if left.is_empty() {
            return;
        }
    }
    let names: Vec<_> = left.iter().map(|(name, _)| name).collect();
    assert!(names.is_empty(), "not found on any day: {names:?}");
}

fn proven_by_a_stranger(logs: &mut Logs<'_>) -> bool {
    each(logs, &["offer.accepted"], |data| data.get_mut("proven_by").map(|key| *key = json!("nobody's")).is_some())
}
fn another_key_of_the_same_name(logs: &mut Logs<'_>) -> bool {
    each(logs, &["provider.registered", "provider.updated"], |data| {
        let keys = data.get_mut("customer_keys").and_then(|keys| keys.as_array_mut()).into_iter().flatten();
        keys.map(|key| key["thumbprint"] = json!("another's")).count() > 0
    })
}
fn key_taken_back(logs: &mut Logs<'_>) -> bool {
    each(logs, &["provider.registered", "provider.updated"], |data| {
        data.get_mut("customer_keys").map(|keys| *keys = json!([])).is_some()
    })
}
fn a_sixth_key(logs: &mut Logs<'_>) -> bool {
    each(logs, &["provider.registered"], |data| {
        let key = |kid| json!({"curve": "Ed25519", "kid": kid, "x": "eA"});
        data.get_mut("customer_keys").map(|keys| *keys = (0..6).map(key).collect()).is_some()
    })
}

#[test]
fn the_auditor_finds_a_customer_whom_no_key_of_the_provider_vouches_for() {
    let mut left: Vec<Tamper> = vec![proven_by_a_stranger, another_key_of_the_same_name, key_taken_back, a_sixth_key];
    for (_, day) in days() {
        let logs = read(&day).expect("a day is in order");
        left.retain(|tamper| {
            let mut logs = logs.clone();
            let found = if tamper(&mut logs) { proofs::audit(&logs["community"]) } else { Ok(()) };
            found.map_err(|found| assert_eq!(found.invariant, "customer proofs", "{found:?}")).is_ok()
        });
        if left.is_empty() {
            return;
        }
    }
    panic!("{} not found on any day", left.len());
}
