//! Days on which a strike or a bar was tampered with: forgotten, cut short, or got round. That a bar which ends is
//! heard stands in `domain/tests/it`: too few days have somebody who waits for just that agent.

use super::{Mutant, data, edit, edit_envelope, is};
use crate::audit::Line;
use serde_json::json;

pub const STRIKES: &[Mutant] = &[
    ("a strike not counted", not_counted, &["strikes"]),
    ("a strike that is never forgotten", never_forgotten, &["strikes"]),
    ("a third strike that bars nobody", bars_nobody, &["strikes"]),
    ("a bar by a microsecond", bar_by_a_microsecond, &["strikes"]),
    ("a bid of who is barred", bids_all_the_same, &["strikes"]),
];

fn find(lines: &[Line], kind: &str) -> Option<usize> {
    lines.iter().position(|line| is(line, kind))
}
fn later(line: &mut Line, by: i64) {
    edit(line, |data| data["until"] = json!(data["until"].as_i64().expect("an instant") + by));
}

fn not_counted(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.struck")?;
    lines.remove(at);
    Some(())
}
fn never_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.struck")?;
    later(&mut lines[at], 86_400_000_000_000);
    Some(())
}
fn bars_nobody(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.barred")?;
    lines.remove(at);
    Some(())
}
fn bar_by_a_microsecond(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.barred")?;
    later(&mut lines[at], -1);
    Some(())
}
/// The next bid after a bar is that agent's.
fn bids_all_the_same(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.barred")?;
    let agent = data(&lines[at])["agent"].clone();
    let clears = |line: &Line| is(line, "agent.bar_ended") || is(line, "agent.strikes_forgiven");
    let next = |line: &Line| is(line, "auction.bid_placed") || clears(line) && data(line)["agent"] == agent;
    let bid = at + 1 + lines[at + 1..].iter().position(next)?;
    if clears(&lines[bid]) {
        return None;
    }
    let other = data(&lines[bid])["agent"].clone();
    edit(&mut lines[bid], |data| data["agent"] = agent.clone());
    edit_envelope(&mut lines[bid], |envelope| {
        let subjects = envelope["subjects"].as_array_mut().expect("subjects");
        subjects.iter_mut().filter(|one| **one == other).for_each(|one| *one = agent.clone());
    });
    Some(())
}
