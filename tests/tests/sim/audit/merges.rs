//! Merged queues: what stands in them moves to the one that they lead to, the first in their order first, each at its own
//! place and from all of them at once; what is beyond one decision follows by a timer, and nobody is forgotten. Who is
//! away moves like the others, and comes back there.

use super::entry::Entry;
use super::fold::{skills, unknown};
use super::inquiry::{ring_of, wanted};
use super::market::{Inquiry, Market, Step};
use super::{Audited, must};
use std::collections::BTreeMap;

/// Moves of one decision, and letters of what they ask for: a skill's name and so many more.
const MOVES: usize = 250;
const LETTERS: usize = 512 * 1_024;
const MORE_LETTERS: usize = 24;
/// What is put off goes on then.
const PAUSE: i64 = 50_000;

/// The queues that what is merged leads to, and one that was not merged, itself.
pub fn end_of<'a>(market: &Market<'a>, mut queue: &'a str) -> &'a str {
    while let Some(next) = market.queues.get(queue).and_then(|row| row.into) {
        queue = next;
    }
    queue
}

/// By an operator, of two that stand open: so nothing leads in a circle.
pub fn merged<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (queue, into) = (entry.text("queue"), entry.text("into"));
    must!(entry, entry.role == "OPERATOR", "merges", "is merged by {}", entry.role);
    let open = |id: &str| market.queues.get(id).is_some_and(|row| row.into.is_none());
    must!(entry, open(queue) && open(into) && queue != into, "merges", "merges {queue} into {into}");
    let elsewhere = group.iter().any(|other| other.is("queue.merged") && other.text("into") != into);
    must!(entry, !elsewhere, "merges", "leads to two queues");
    market.queues.get_mut(queue).expect("just seen").into = Some(into);
    market.queues.get_mut(into).expect("just seen").has_merged = true;
    Ok(())
}

/// What this group moves from: what it merges, or the one queue whose rest is due.
fn sources(group: &[Entry]) -> Vec<&str> {
    let merged: Vec<&str> = group.iter().filter(|one| one.is("queue.merged")).map(|one| one.text("queue")).collect();
    if !merged.is_empty() {
        return merged;
    }
    let goes_on = group.iter().find_map(|one| match one.kind.as_str() {
        "inquiry.moved.v1" => Some(one.text("from")),
        "queue.merge_put_off.v1" => Some(one.text("queue")),
        _ => None,
    });
    goes_on.into_iter().collect()
}

/// That an event moves from a queue of this group, or puts it off: merged just now, or due.
fn is_its_turn(market: &Market<'_>, entry: &Entry, group: &[Entry], queue: &str) -> Audited {
    let Some(row) = market.queues.get(queue) else { return unknown(entry) };
    must!(entry, sources(group).contains(&queue), "merges", "{queue} is not what moves here");
    let merged = group.iter().any(|one| one.is("queue.merged") && one.text("queue") == queue);
    let due = entry.is_tick() && row.moves_at.is_some_and(|at| at <= entry.time);
    must!(entry, merged || due, "merges", "{queue} goes on though due at {:?}", row.moves_at);
    Ok(())
}

/// The queues that it stands in afterwards.
fn queues_after<'a>(row: &Inquiry<'a>, from: &[&str], into: &'a str) -> Vec<&'a str> {
    let others = row.queues.iter().filter(|id| !from.contains(id) && **id != into).copied();
    others.chain([into]).collect()
}

/// What is asked for in these queues of what waits; what is under way goes on as it began.
fn asked_in<'a>(market: &Market<'a>, row: &Inquiry<'a>, queues: &[&'a str]) -> BTreeMap<&'a str, i64> {
    if !matches!(row.step, Step::Early | Step::Queued | Step::Away) {
        return row.skills.iter().copied().collect();
    }
    let (topics, lower) = ring_of(row, row.rings);
    let of_queues: Vec<_> = queues.iter().flat_map(|queue| market.queues[queue].skills.clone()).collect();
    let all = wanted(&row.own_skills, topics, &of_queues).into_iter();
    all.map(|(name, level)| (name, 1.max(level - lower))).collect()
}

pub fn moved<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (id, from, into) = (entry.text("inquiry"), entry.text("from"), entry.text("into"));
    is_its_turn(market, entry, group, from)?;
    let stands = market.queues[from].standing.contains(id);
    let end = end_of(market, from);
    must!(entry, stands && end == into && end != from, "merges", "moves to {into}, {from} leads to {end}");
    let row = &market.inquiries[id];
    let says = |name: &str| entry.data.get(name).is_some_and(|value| *value == true);
    must!(entry, says("already") == row.queues.contains(&into), "merges", "stood there already, or not");
    must!(entry, says("away") == (row.step == Step::Away), "merges", "is away, or not");
    // Who stands first moves first, from all of these queues, in the order in which they were named.
    let from_all = sources(group);
    let before = group.iter().rfind(|one| one.seq < entry.seq && one.is("inquiry.moved"));
    if let Some(before) = before {
        let (other, turn) = (before.text("inquiry"), |queue: &str| from_all.iter().position(|one| *one == queue));
        let in_order = match other == id {
            true => turn(before.text("from")) < turn(from),
            false => market.inquiries[other].place < row.place,
        };
        must!(entry, in_order, "merges", "moves behind {other}");
    }
    let queues = queues_after(row, &from_all, into);
    let (found, asked) = (skills(&entry.data, "desired_skills"), asked_in(market, row, &queues));
    let same = found.len() == asked.len() && found.iter().all(|(name, level)| asked.get(name) == Some(level));
    must!(entry, same, "merges", "asks for {found:?} and not {asked:?}");

    let row = market.inquiries.get_mut(id).expect("just seen");
    row.skills = found;
    row.queues = queues_after(row, &[from], into);
    market.queues.get_mut(into).expect("where it leads to").standing.insert(id);
    market.queues.get_mut(from).expect("just seen").leaves(id);
    Ok(())
}

pub fn put_off(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let queue = entry.text("queue");
    is_its_turn(market, entry, group, queue)?;
    let row = market.queues.get_mut(queue).expect("just seen");
    must!(entry, !row.standing.is_empty(), "merges", "nobody is left in {queue}");
    let until = entry.time + PAUSE;
    must!(entry, entry.int("until") == until, "merges", "should go on at {until}");
    row.moves_at = Some(until);
    Ok(())
}

/// Nobody who could still move in this decision was left, and whoever was left follows.
pub fn after(market: &Market<'_>, group: &[Entry]) -> Audited {
    let last = group.last().expect("a group has events");
    for (id, row) in &market.queues {
        let follows = row.moves_at.is_some();
        let should = row.into.is_some() && !row.standing.is_empty();
        must!(last, follows == should, "merges", "{id} has {} left, due at {:?}", row.standing.len(), row.moves_at);
        let stays = row.origin != "QUESTION" || row.has_merged || row.into.is_some() || !row.standing.is_empty();
        must!(last, stays, "queues", "{id} was generated, is empty, and stays");
    }
    let from = sources(group);
    let left = from.iter().flat_map(|queue| market.queues[queue].standing.iter()).map(|id| market.inquiries[*id].place);
    let Some(next) = left.min() else { return Ok(()) };
    let moves: Vec<&Entry> = group.iter().filter(|one| one.is("inquiry.moved")).collect();
    let behind = moves.iter().all(|one| market.inquiries[one.text("inquiry")].place < next);
    must!(last, behind, "merges", "{} is left, and others moved before it", next.1);
    let letters = |skills: &mut dyn Iterator<Item = &str>| skills.map(|name| name.len() + MORE_LETTERS).sum::<usize>();
    let said = |one: &&Entry| letters(&mut skills(&one.data, "desired_skills").into_iter().map(|one| one.0));
    let row = &market.inquiries[next.1];
    let count = row.queues.iter().filter(|queue| from.contains(queue)).count();
    let asked = asked_in(market, row, &queues_after(row, &from, end_of(market, from[0])));
    let more = count * letters(&mut asked.keys().copied());
    let full = moves.len() + count > MOVES || moves.iter().map(said).sum::<usize>() + more > LETTERS;
    must!(last, full && !moves.is_empty(), "merges", "{} is left after {} moves", next.1, moves.len());
    Ok(())
}
