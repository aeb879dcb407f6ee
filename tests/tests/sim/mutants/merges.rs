//! Days on which a merge of queues was tampered with, and views that show a queue otherwise than it stands.

use super::{Mutant, data, days, edit, edit_envelope, envelope, find, found, group_of, is};
use crate::audit::Line;
use serde_json::json;

pub const MERGES: &[Mutant] = &[
    ("a queue merged into itself", into_itself, &["merges"]),
    ("somebody is left in a merged queue", left_behind, &["merges"]),
    ("moved by a side door", moved_elsewhere, &["merges"]),
    ("moved before who stands first", out_of_order, &["merges"]),
    ("asked for otherwise after a move", asks_otherwise, &["merges"]),
    ("moved as if it were there", away_forgotten, &["merges"]),
    ("moved twice to one place", already_forgotten, &["merges"]),
    ("put off for nothing", put_off_for_nothing, &["merges"]),
    ("put off for longer", put_off_longer, &["merges"]),
    ("the rest is forgotten", rest_forgotten, &["merges"]),
    ("the rest never follows", rest_never_follows, &["no state past its deadline"]),
];

fn moves(line: &Line) -> bool {
    is(line, "inquiry.moved")
}
fn into_itself(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "queue.merged")?;
    edit(&mut lines[at], |data| data["into"] = data["queue"].clone());
    Some(())
}
fn left_behind(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.moved")?;
    lines.remove(at);
    Some(())
}
fn moved_elsewhere(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.moved")?;
    let opened = |line: &&Line| is(line, "queue.opened") && data(line)["queue"] != data(&lines[at])["into"];
    let other = lines[..at].iter().find(opened).map(|line| data(line)["queue"].clone())?;
    edit(&mut lines[at], |data| data["into"] = other);
    Some(())
}
/// Of two inquiries that move in one decision.
fn out_of_order(lines: &mut Vec<Line>) -> Option<()> {
    let one = |line: &Line| data(line)["inquiry"].clone();
    let two = |at: &usize| {
        let (first, second) = (&lines[*at], &lines[at + 1]);
        let together = envelope(first)["correlation"] == envelope(second)["correlation"];
        moves(first) && moves(second) && together && one(first) != one(second)
    };
    let at = (0..lines.len() - 1).find(two)?;
    lines.swap(at, at + 1);
    Some(())
}
fn asks_otherwise(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.moved")?;
    edit(&mut lines[at], |data| {
        data["desired_skills"] = json!([{"level": 1, "name": "general"}, {"level": 1, "name": "x"}])
    });
    Some(())
}
fn forgets(lines: &mut Vec<Line>, member: &str) -> Option<()> {
    let at = lines.iter().position(|line| moves(line) && data(line).get(member).is_some())?;
    edit(&mut lines[at], |data| drop(data.as_object_mut().map(|members| members.remove(member))));
    Some(())
}
fn away_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    forgets(lines, "away")
}
fn already_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    forgets(lines, "already")
}
/// The last that moves in a decision, though there is room for it.
fn put_off_for_nothing(lines: &mut Vec<Line>) -> Option<()> {
    let last = |at: &usize| {
        let merges = lines[group_of(lines, *at)].iter().any(|line| is(line, "queue.merged"));
        let next = lines.get(at + 1).is_none_or(|next| !moves(next) && !is(next, "queue.merge_put_off"));
        moves(&lines[*at]) && next && merges
    };
    let at = (0..lines.len()).find(last)?;
    let until = envelope(&lines[at])["time"].as_i64()? + 50_000;
    edit(&mut lines[at], |data| *data = json!({"queue": data["from"], "until": until}));
    edit_envelope(&mut lines[at], |envelope| envelope["type"] = json!("queue.merge_put_off.v1"));
    Some(())
}
fn put_off_longer(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "queue.merge_put_off")?;
    edit(&mut lines[at], |data| data["until"] = json!(data["until"].as_i64().expect("an instant") + 1));
    Some(())
}
fn rest_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "queue.merge_put_off")?;
    lines.remove(at);
    Some(())
}
fn rest_never_follows(lines: &mut Vec<Line>) -> Option<()> {
    let goes_on = |at: &usize| {
        let group = &lines[group_of(lines, *at)];
        moves(&lines[*at]) && group.iter().all(|line| !is(line, "queue.merged"))
    };
    let at = (0..lines.len()).find(goes_on)?;
    lines.drain(group_of(lines, at));
    Some(())
}

#[test]
fn the_auditor_finds_a_view_that_shows_a_queue_otherwise() {
    type Shown = Vec<String>;
    let fit = days().find_map(|(_, day)| {
        let long = |shown: &Shown| shown.len() > 1;
        let at = day.glances.iter().position(|glance| glance.queues.values().any(long))?;
        Some((at, day))
    });
    let (at, day) = fit.expect("two stand in a queue when somebody looks");
    let tampers: [&dyn Fn(&mut Shown); 3] =
        [&|shown| shown.swap(0, 1), &|shown| drop(shown.pop()), &|shown| shown.push(shown[0].clone())];
    for tamper in tampers {
        let mut books = day.clone();
        let queue = books.glances[at].queues.values_mut().find(|shown| shown.len() > 1).expect("just seen");
        tamper(queue);
        assert_eq!(found(&books), "views of queues");
    }
    let mut books = day;
    let place = books.glances[at].positions.values_mut().next().expect("somebody stands there");
    *place = place.map_or(Some(1), |place| Some(place + 1));
    assert_eq!(found(&books), "views of queues");
}
