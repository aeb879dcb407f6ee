//! Days on which a block was tampered with: set for somebody else, not taken back, or taken back in vain.

use super::{Mutant, data, edit, edit_envelope, group_of, is};
use crate::audit::Line;
use serde_json::Value;

pub const BLOCKS: &[Mutant] = &[
    ("an inquiry for whom its provider blocks", given_to_the_blocked, &["blocks"]),
    ("a block that was not taken back", never_taken_back, &["blocks"]),
    ("left out as busy though blocked", blocked_as_busy, &["exclusions"]),
    ("taken back, and nobody looks", nobody_looks, &["no stuck inquiry"]),
    ("a block by an agent", blocked_by_an_agent, &["blocks"]),
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
    let (agent, provider) = (block + 1..lines.len()).find_map(|at| begins(lines, at))?;
    let registered = |line: &Line| is(line, "agent.registered") && data(line)["agent"] == agent;
    lines[..block].iter().find(|line| registered(line))?;
    moves_to(&mut lines[block], &agent, &provider);
    Some(())
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
