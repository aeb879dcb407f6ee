//! What `community` decided for a call server stands there, once, as it was decided: acceptances, limits, locations.

use super::entry::{Amount, Entry, list, money, text};
use super::{Audited, must};
use serde_json::Value;
use std::collections::BTreeMap;

/// `over`: it is evening, so nothing may be left to be handed over.
pub fn audit(log: &str, entries: &[Entry], community: &[Entry], treasury: Option<&[Entry]>, over: bool) -> Audited {
    let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut registered: BTreeMap<&str, &Entry> = BTreeMap::new();
    let mut answered: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries {
        if let Some((from, seq, hash)) = &entry.source
            && !(from == "treasury" && treasury.is_none())
        {
            let source = match from.as_str() {
                "community" => community.get(*seq as usize),
                "treasury" => treasury.and_then(|treasury| treasury.get(*seq as usize)),
                _ => None,
            };
            must!(
                entry,
                source.is_some_and(|source| hex(&source.hash) == *hash),
                "handover",
                "has no such source {seq}"
            );
            must!(
                entry,
                from == "treasury" || source.is_some_and(|source| source.id == entry.id),
                "handover",
                "is another command than {seq}"
            );
        }
        if entry.is("inquiry.registered") {
            let twice = registered.insert(entry.text("inquiry"), entry);
            must!(entry, twice.is_none(), "no lost inquiry", "is registered twice");
        }
        if entry.is("inquiry.information_answered") {
            let twice = answered.insert(entry.text("inquiry"), entry);
            must!(entry, twice.is_none(), "user information", "is answered twice");
        }
    }
    if let Some(treasury) = treasury {
        rules_taken(log, entries, treasury, over)?;
    }
    for accepted in community.iter().filter(|entry| entry.is("offer.accepted") && entry.text("call_server") == log) {
        let inquiry = accepted.text("inquiry");
        let Some(entry) = registered.remove(inquiry) else {
            must!(accepted, !over, "no lost inquiry", "{inquiry} was never registered in {log}");
            continue;
        };
        let by_agent = accepted.role == "AGENT";
        must!(accepted, by_agent == accepted.data.get("started_by").is_some(), "handover", "was started by another");
        for member in
            ["offer", "provider", "customer", "topics", "terms", "revision", "channel", "question", "started_by"]
        {
            let same = entry.data.get(member) == accepted.data.get(member);
            must!(entry, same, "handover", "{member} is not what was accepted");
        }
        must!(entry, entry.int("accepted_at") == accepted.time, "handover", "accepted at another time");
        let Some(answer) = answered.get(inquiry) else {
            must!(entry, false, "user information", "has no answer");
            continue;
        };
        let is = |member| accepted.data.get(member).is_some_and(|value| *value == true);
        let outcome = match (is("information_unavailable"), is("customer_is_new")) {
            (true, true) => "nobody can be unknown and new",
            (true, false) => "UNAVAILABLE",
            (false, true) => "NEW",
            (false, false) => "FOUND",
        };
        must!(answer, answer.text("outcome") == outcome, "user information", "is not what was found out: {outcome}");
        let last = answer.data.get("last_agent") == accepted.data.get("last_agent");
        must!(answer, last, "user information", "names another than the last agent");
        must!(answer, answer.data.get("profile") == accepted.data.get("profile"), "user information", "is another's");
    }
    if let Some(entry) = registered.values().next() {
        must!(entry, false, "no lost inquiry", "nobody accepted it");
    }
    for source in community {
        let taken: Vec<&Entry> = entries.iter().filter(|entry| is_from(entry, source)).collect();
        let (granted, started) = (limits_granted(&taken), locations_started(&taken));
        let (limits, locations) = (limits_of(source, log), locations_of(source, log));
        let yet = !over && taken.is_empty();
        must!(source, yet || granted == limits, "handover", "asks for {limits:?}, and {log} has {granted:?}");
        must!(source, yet || started == locations, "handover", "asks for {locations:?}, and {log} has {started:?}");
    }
    Ok(())
}

fn is_from(entry: &Entry, source: &Entry) -> bool {
    entry.source.as_ref().is_some_and(|(from, seq, _)| *from == source.log && *seq == source.seq)
}

/// By currency; without an amount there is no limit any more.
type Limits<'a> = BTreeMap<&'a str, Option<Amount>>;

/// What an event of `community` says of a provider's limits at a call server.
fn limits_of<'a>(source: &'a Entry, log: &str) -> Limits<'a> {
    let ours = |name: &str| list(&source.data, name).iter().filter(|one| text(one, "call_server") == log);
    let limits = ours("credit_limits").map(|one| money(&one["limit"])).map(|(limit, currency)| (currency, Some(limit)));
    limits.chain(ours("limits_lifted").map(|one| (text(one, "currency"), None))).collect()
}
fn limits_granted<'a>(taken: &[&'a Entry]) -> Limits<'a> {
    let granted = taken.iter().filter(|entry| entry.is("call_server.credit_limit_granted"));
    granted.map(|entry| (entry.money("zero").1, entry.money_if("limit").map(|(limit, _)| limit))).collect()
}

/// What an event of `community` says of a call server's locations; none where it says nothing.
fn locations_of<'a>(source: &'a Entry, log: &str) -> Option<&'a Value> {
    let about = source.is("call_server.opened") || source.is("call_server.updated");
    if about && source.text("name") == log { source.data.get("locations") } else { None }
}
fn locations_started<'a>(taken: &[&'a Entry]) -> Option<&'a Value> {
    taken.iter().find(|entry| entry.is("call_server.started")).and_then(|entry| entry.data.get("locations"))
}

/// Every fee rule, as it was set, in its order.
fn rules_taken(log: &str, entries: &[Entry], treasury: &[Entry], over: bool) -> Audited {
    let mut set = treasury.iter().filter(|entry| entry.is("fee_rule.set"));
    for entry in entries.iter().filter(|entry| entry.is("fee_rule.taken")) {
        let same = set.next().is_some_and(|set| set.data.get("rule") == entry.data.get("rule"));
        must!(entry, same, "handover", "is not the rule that was set");
    }
    if let Some(missed) = set.next() {
        must!(missed, !over, "handover", "was never taken over by {log}");
    }
    Ok(())
}
