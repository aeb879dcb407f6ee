//! Days on which a block was tampered with: set for somebody else, not taken back, or taken back in vain. Of what a
//! provider's block of a customer says to `community` the law alone is asked, about entries that no chain holds any more.

use super::{Mutant, data, days, edit, edit_envelope, group_of, is};
use crate::audit::entry::Entry;
use crate::audit::{Line, blocks, read};
use serde_json::Value;
use std::collections::BTreeMap;

pub const BLOCKS: &[Mutant] = &[
    ("an inquiry for whom its provider blocks", given_to_the_blocked, &["blocks"]),
    ("a block that was not taken back", never_taken_back, &["blocks"]),
    ("left out as busy though blocked", blocked_as_busy, &["exclusions"]),
    ("taken back, and nobody looks", nobody_looks, &["no stuck inquiry"]),
    ("a block by an agent", blocked_by_an_agent, &["blocks"]),
    ("an inquiry of whom the agent keeps away from", given_though_kept_away, &["blocks"]),
    ("an agent's block in the record", told_in_the_record, &["exclusions"]),
    ("kept away from the erased", never_forgotten, &["erasure", "exclusions", "no stuck inquiry"]),
    ("an agent's block by a provider", blocked_by_another, &["blocks"]),
];

/// What begins for an agent, with the provider whose it is.
fn begins(lines: &[Line], at: usize) -> Option<(Value, Value)> {
    let line = &lines[at];
    let named = ["auction.bid_placed", "reservation.opened", "inquiry.selection_made"];
    named.iter().find(|kind| is(line, kind))?;
    let one = data(line);
    let of = |line: &&Line| is(line, "inquiry.registered") && data(line)["inquiry"] == one["inquiry"];
    let provider = data(lines[..at].iter().find(of)?)["provider"].clone();
    one["agent"].is_string().then(|| (one["agent"].clone(), provider))
}
fn is_of(line: &Line, agent: &Value, provider: &Value) -> bool {
    let one = data(line);
    one["agent"] == *agent && one["provider"] == *provider
}
/// The event is about another agent and provider from now on.
fn moves_to(line: &mut Line, agent: &Value, provider: &Value) {
    edit(line, |data| (data["agent"], data["provider"]) = (agent.clone(), provider.clone()));
    edit_envelope(line, |envelope| envelope["subjects"] = serde_json::json!([agent, provider]));
}

fn given_to_the_blocked(lines: &mut Vec<Line>) -> Option<()> {
    let block = lines.iter().position(|line| is(line, "agent.blocked"))?;
    // The next thing that begins after it, so that nothing else tells before.
    let begun = |at| begins(lines, at).map(|(agent, provider)| (at, agent, provider));
    let (at, agent, provider) = (block + 1..lines.len()).find_map(begun)?;
    let over = |line: &Line| is(line, "agent.unblocked") && is_of(line, &agent, &provider);
    if lines[block..at].iter().any(over) {
        return None;
    }
    let registered = |line: &Line| is(line, "agent.registered") && data(line)["agent"] == agent;
    lines[..block].iter().find(|line| registered(line))?;
    moves_to(&mut lines[block], &agent, &provider);
    Some(())
}
fn given_though_kept_away(lines: &mut Vec<Line>) -> Option<()> {
    let block = lines.iter().position(|line| is(line, "agent.customer_blocked"))?;
    let (at, agent, inquiry) = (block + 1..lines.len()).find_map(|at| {
        let (agent, _) = begins(lines, at)?;
        Some((at, agent, data(&lines[at])["inquiry"].clone()))
    })?;
    let of = |line: &&Line| is(line, "inquiry.registered") && data(line)["inquiry"] == inquiry;
    let customer = data(lines.iter().find(of)?)["customer"].clone();
    // Its erasure, or the agent itself, has ended it by then.
    let ends = |line: &Line| is(line, "customer.forgotten") || is(line, "agent.customer_unblocked");
    let over = |line: &Line| ends(line) && data(line)["customer"] == customer;
    if lines[block..at].iter().any(over) {
        return None;
    }
    edit(&mut lines[block], |data| (data["agent"], data["customer"]) = (agent.clone(), customer.clone()));
    edit_envelope(&mut lines[block], |envelope| envelope["subjects"] = serde_json::json!([agent, customer]));
    Some(())
}
fn told_in_the_record(lines: &mut Vec<Line>) -> Option<()> {
    // Nobody else is left out as busy, so that the word alone changes.
    let kept = |at: &usize| {
        let line = &lines[*at];
        is(line, "inquiry.selection_made") && lines[..*at].iter().any(|one| is(one, "agent.customer_blocked"))
    };
    let busy = |line: &Line| {
        let groups = data(line)["why"]["excluded"].as_array().cloned().unwrap_or_default();
        let blocked = groups.iter().any(|group| group["reason"] == "BLOCKED");
        groups.iter().position(|group| group["reason"] == "NOT_AVAILABLE").filter(|_| !blocked)
    };
    let (at, group) = (0..lines.len()).filter(kept).find_map(|at| Some((at, busy(&lines[at])?)))?;
    edit(&mut lines[at], |data| data["why"]["excluded"][group]["reason"] = "BLOCKED".into());
    Some(())
}
fn never_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    // Nothing of it was open: that nobody keeps away from it is all that there was to end.
    let alone = |at: &usize| is(&lines[*at], "customer.forgotten") && group_of(lines, *at).len() == 1;
    let source = |at: &usize| !data(&lines[*at])["source"].is_null();
    let at = (0..lines.len()).filter(alone).find(source)?;
    let customer = data(&lines[at])["customer"].clone();
    let kept = |line: &Line| is(line, "agent.customer_blocked") && data(line)["customer"] == customer;
    for line in lines[..at].iter_mut().filter(|line| kept(line)) {
        edit(line, |data| data["customer"] = "cus_7zzzzzzzzzzzzzzzzzzzzzzzzz".into());
    }
    Some(())
}
fn blocked_by_another(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "agent.customer_blocked"))?;
    edit_envelope(&mut lines[at], |envelope| envelope["role"] = "PROVIDER".into());
    Some(())
}

type Logs<'a> = BTreeMap<&'a str, Vec<Entry>>;
/// Whether the day has what it needs.
type Tamper = fn(&mut Logs<'_>) -> bool;

/// The next acceptance after a provider's block is of whom it blocks.
fn accepted_of_the_blocked(logs: &mut Logs<'_>) -> bool {
    let community = logs.get_mut("community").expect("the log");
    let Some(block) = community.iter().position(|entry| entry.is("provider.customer_blocked")) else { return false };
    let pair = |entry: &Entry| (entry.data["provider"].clone(), entry.data["customer"].clone());
    let Some(next) = community[block..].iter().position(|entry| entry.is("offer.accepted")) else { return false };
    let accepted = pair(&community[block + next]);
    (community[block].data["provider"], community[block].data["customer"]) = accepted;
    true
}
fn blocked_by_a_customer(logs: &mut Logs<'_>) -> bool {
    let community = logs.get_mut("community").expect("the log");
    let block = community.iter_mut().find(|entry| entry.is("provider.customer_blocked"));
    block.map(|entry| entry.role = "CUSTOMER".to_owned()).is_some()
}

#[test]
fn the_auditor_finds_what_is_accepted_of_the_blocked() {
    let mut left: Vec<(&str, Tamper)> =
        vec![("accepted of the blocked", accepted_of_the_blocked), ("blocked by a customer", blocked_by_a_customer)];
    for (_, day) in days() {
        let logs = read(&day).expect("a day is in order");
        blocks::audit(&logs["community"]).expect("a day is in order");
        left.retain(|(_, tamper)| {
            let mut logs = logs.clone();
            let found = if tamper(&mut logs) { blocks::audit(&logs["community"]) } else { Ok(()) };
            found.map_err(|found| assert_eq!(found.invariant, "blocks", "{found:?}")).is_ok()
        });
        if left.is_empty() {
            return;
        }
    }
    let names: Vec<_> = left.iter().map(|(name, _)| name).collect();
    assert!(names.is_empty(), "not found on any day: {names:?}");
}

fn never_taken_back(lines: &mut Vec<Line>) -> Option<()> {
    let apart = |at: usize| {
        let one = data(&lines[at]);
        let set = |line: &&Line| is(line, "agent.blocked") || is(line, "agent.unblocked");
        let last = lines[..at].iter().rev().filter(set).find(|line| is_of(line, &one["agent"], &one["provider"]));
        last.is_some_and(|line| is(line, "agent.blocked"))
    };
    let found = (0..lines.len()).find(|at| {
        let next = || (at + 1..lines.len()).find_map(|later| begins(lines, later));
        let one = || data(&lines[*at]);
        is(&lines[*at], "agent.unblocked")
            && apart(*at)
            && next().is_some_and(|(agent, provider)| agent == one()["agent"] && provider == one()["provider"])
    });
    let at = found?;
    edit_envelope(&mut lines[at], |envelope| envelope["type"] = "agent.blocked.v1".into());
    Some(())
}
fn blocked_as_busy(lines: &mut Vec<Line>) -> Option<()> {
    let blocked = |line: &Line| {
        let groups = data(line)["why"]["excluded"].as_array().cloned().unwrap_or_default();
        let at = groups.iter().position(|group| group["reason"] == "BLOCKED");
        at.filter(|_| is(line, "inquiry.selection_made"))
    };
    let (line, at) = lines.iter_mut().find_map(|line| blocked(line).map(|at| (line, at)))?;
    edit(line, |data| data["why"]["excluded"][at]["reason"] = "NOT_AVAILABLE".into());
    Some(())
}
fn nobody_looks(lines: &mut Vec<Line>) -> Option<()> {
    let gives = |at: &usize| {
        let group = group_of(lines, *at);
        let given = |line: &Line| {
            is(line, "auction.opened") || is(line, "inquiry.selection_made") && data(line)["agent"].is_string()
        };
        is(&lines[*at], "agent.unblocked") && lines[*at + 1..group.end].iter().any(given)
    };
    let at = (0..lines.len()).find(gives)?;
    lines.truncate(at + 1);
    Some(())
}
fn blocked_by_an_agent(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "agent.blocked"))?;
    edit_envelope(&mut lines[at], |envelope| envelope["role"] = "AGENT".into());
    Some(())
}
