//! Mutants: days on which something was tampered with after the fact, as a bug would have recorded it, with
//! positions, hashes and answers made to fit again. The auditor must refuse each, for the right reason.

#![allow(clippy::ptr_arg)] // Some mutants add or remove lines, so all are given the vector.

mod blocks;
mod books;
mod erasures;
mod merges;
mod offers;
mod selections;
mod strikes;
mod webhooks;

use crate::audit::answers::Said;
use crate::audit::{Books, Line, audit};
use crate::day::live_through;
use crate::evidence;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Changes a call server's log, where the day has what it needs.
type Tamper = fn(&mut Vec<Line>) -> Option<()>;
/// What it is, how it is made, and the invariants that may refuse it.
type Mutant = (&'static str, Tamper, &'static [&'static str]);

fn data(line: &Line) -> Value {
    serde_json::from_slice(&line.data).expect("data is JSON")
}
fn envelope(line: &Line) -> Value {
    serde_json::from_slice(&line.envelope).expect("an envelope is JSON")
}
fn edit(line: &mut Line, change: impl FnOnce(&mut Value)) {
    let mut value = data(line);
    change(&mut value);
    line.data = value.to_string().into();
}
fn edit_envelope(line: &mut Line, change: impl FnOnce(&mut Value)) {
    let mut value = envelope(line);
    change(&mut value);
    line.envelope = value.to_string().into();
}
fn is(line: &Line, kind: &str) -> bool {
    envelope(line)["type"] == format!("{kind}.v1")
}
fn find(lines: &[Line], kind: &str) -> Option<usize> {
    lines.iter().position(|line| is(line, kind))
}
fn group_of(lines: &[Line], at: usize) -> std::ops::Range<usize> {
    let id = envelope(&lines[at])["correlation"].clone();
    let mine = |line: &&Line| envelope(line)["correlation"] == id;
    let start = at - lines[..at].iter().rev().take_while(mine).count();
    start..at + lines[at..].iter().take_while(mine).count()
}
/// One smallest unit more.
fn a_cent(money: &mut Value) {
    let amount = money["amount"].as_str().expect("an amount");
    let last = amount.chars().last().expect("a digit");
    let other = if last == '9' { '8' } else { char::from(last as u8 + 1) };
    money["amount"] = json!(format!("{}{other}", &amount[..amount.len() - 1]));
}

/// Positions, counts and hashes fit again; told answers follow the events that they told of.
fn reseal(books: &mut Books, log: &str, answers_follow: bool) {
    // What readers saw, and views showed, is the day as it was.
    books.watches.clear();
    books.glances.clear();
    // And so is what was sent.
    if log != "effects" {
        books.logs.remove("effects");
        books.told.retain(|told| told.log != "effects");
        books.sent.clear();
    }
    // Books that were made from what was tampered with would tell of nothing else.
    if log != "treasury" {
        books.logs.remove("treasury");
        books.told.retain(|told| told.log != "treasury");
    }
    let lines = books.logs.get_mut(log).expect("the log");
    for at in 0..lines.len() {
        if answers_follow && envelope(&lines[at]).get("key").is_some() {
            let events = group_of(lines, at).len();
            edit_envelope(&mut lines[at], |envelope| envelope["key"]["events"] = json!(events));
        }
    }
    let mut previous = [0; 32];
    for (index, line) in lines.iter_mut().enumerate() {
        edit_envelope(line, |envelope| envelope["seq"] = json!(index));
        let data_hash = Sha256::new().chain_update(line.salt).chain_update(&line.data).finalize();
        let hash = Sha256::new().chain_update(previous).chain_update(&line.envelope).chain_update(data_hash);
        let hash: [u8; 32] = hash.finalize().into();
        (line.seq, line.hash, previous) = (index as u64, hash, hash);
    }
    if !answers_follow {
        return;
    }
    let length = lines.len() as u64;
    let mut now: HashMap<String, Vec<(u64, [u8; 32])>> = HashMap::new();
    for line in lines.iter() {
        let id = envelope(line)["correlation"].as_str().expect("a command").to_owned();
        now.entry(id).or_default().push((line.seq, line.hash));
    }
    for told in books.told.iter_mut().filter(|told| told.log == log) {
        match &mut told.said {
            Said::Done(events) if !events.is_empty() => {
                // Where all are gone, nobody remembers.
                told.said = now.get(&told.id).map_or(Said::Nothing, |events| Said::Done(events.clone()));
            }
            Said::Replayed { .. } | Said::Refused { .. } => told.said = Said::Unavailable,
            Said::Done(_) | Said::Unavailable | Said::Nothing => {}
        }
        told.until = told.until.min(length);
    }
}

fn doubled_award(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "reservation.opened")?;
    let mut second = lines[at].clone();
    edit(&mut second, |data| data["reservation"] = json!("res_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
    second.hash = [1; 32];
    lines.insert(at + 1, second);
    Some(())
}
fn awarded_again(lines: &mut Vec<Line>) -> Option<()> {
    // A whole award once more, as if nobody had been asked yet.
    let at = find(lines, "auction.awarded")?;
    let group = group_of(lines, at);
    let again: Vec<Line> = lines[group.clone()]
        .iter()
        .cloned()
        .map(|mut line| {
            edit_envelope(&mut line, |envelope| {
                envelope["correlation"] = json!("cmd_00000000000000000000000000000001");
                // A key serves one command.
                drop(envelope.as_object_mut().map(|members| members.remove("key")));
            });
            line.hash = Sha256::digest(line.hash).into();
            line
        })
        .collect();
    lines.splice(group.end..group.end, again);
    Some(())
}
fn read_by_another(lines: &mut Vec<Line>) -> Option<()> {
    // What somebody else was told before.
    let at = find(lines, "agent.notices_read")?;
    let agent = data(&lines[at])["agent"].clone();
    let others = |line: &Line| is(line, "auction.bid_outbid") && data(line)["agent"] != agent;
    let told = lines[..at].iter().position(others)?;
    edit(&mut lines[at], |data| data["through"] = json!(told));
    Some(())
}
fn read_ahead(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "agent.notices_read")?;
    edit(&mut lines[at], |data| data["through"] = json!(at));
    Some(())
}
fn other_answer(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.information_answered")?;
    edit(&mut lines[at], |data| {
        data["outcome"] = json!(if data["outcome"] == "FOUND" { "UNAVAILABLE" } else { "FOUND" });
    });
    Some(())
}
fn overdrawn_hold(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "auction.bid_placed") && data(line).get("hold").is_some())?;
    edit(&mut lines[at], |data| a_cent(&mut data["hold"]));
    Some(())
}
fn poorer_wallet(lines: &mut Vec<Line>) -> Option<()> {
    // The winner's money never came in.
    let paid =
        lines.iter().position(|line| is(line, "settlement.escrowed") && data(line)["payer"].get("agent").is_some())?;
    let (payer, currency) = (data(&lines[paid])["payer"].clone(), data(&lines[paid])["price"]["currency"].clone());
    let zero = match currency.as_str()? {
        "EUR" => "0.01",
        "JPY" => "1",
        _ => "0.001",
    };
    for line in lines[..paid].iter_mut().filter(|line| is(line, "wallet.credited")) {
        if data(line)["owner"] == payer && data(line)["amount"]["currency"] == currency {
            edit(line, |data| {
                data["amount"]["amount"] = json!(zero);
                data["legs"][0]["amount"]["amount"] = json!(zero);
                data["legs"][1]["amount"]["amount"] = json!(format!("-{zero}"));
            });
        }
    }
    Some(())
}
fn leg_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "settlement.pending")?;
    edit(&mut lines[at], |data| a_cent(&mut data["legs"][0]["amount"]));
    Some(())
}
fn both_legs_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "settlement.escrowed")?;
    edit(&mut lines[at], |data| (0..2).for_each(|leg| a_cent(&mut data["legs"][leg]["amount"])));
    Some(())
}
fn swapped(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "auction.bid_outbid")?;
    lines.swap(at, at - 1);
    // The key stays on the first of the command's events.
    let key = envelope(&lines[at]).get("key").cloned();
    edit_envelope(&mut lines[at], |envelope| drop(envelope.as_object_mut().map(|members| members.remove("key"))));
    if let Some(key) = key {
        edit_envelope(&mut lines[at - 1], |envelope| envelope["key"] = key);
    }
    Some(())
}
fn price_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "auction.awarded")?;
    edit(&mut lines[at], |data| ["price", "hold"].into_iter().for_each(|name| a_cent(&mut data[name])));
    let group = group_of(lines, at);
    let opened = group.start + find(&lines[group], "reservation.opened")?;
    edit(&mut lines[opened], |data| a_cent(&mut data["price"]));
    Some(())
}
fn another_winner(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "auction.awarded") && data(line)["why"]["ranked"][1].is_object())?;
    let second = data(&lines[at])["why"]["ranked"][1].clone();
    let (agent, bid) = (second["subject"].clone(), second["bid"].clone());
    let before = data(&lines[at])["agent"].clone();
    let group = group_of(lines, at);
    for line in &mut lines[group] {
        if is(line, "auction.awarded") || is(line, "reservation.opened") {
            edit(line, |data| (data["agent"], data["bid"]) = (agent.clone(), bid.clone()));
            edit_envelope(line, |envelope| {
                let subjects = envelope["subjects"].as_array_mut().expect("subjects");
                subjects.iter_mut().filter(|one| **one == before).for_each(|one| *one = agent.clone());
            });
        }
    }
    Some(())
}
fn lapse_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    // The chain and the inquiry's rounds end with it, so nothing of what comes later is about it.
    let opens = |line: &Line| is(line, "auction.opened") || is(line, "reservation.opened");
    let last = |at: &usize| {
        let inquiry = data(&lines[*at])["inquiry"].clone();
        let again = |line: &Line| opens(line) && data(line)["inquiry"] == inquiry;
        is(&lines[*at], "reservation.lapsed") && !lines[*at..].iter().any(again)
    };
    let at = (0..lines.len()).find(last)?;
    lines.drain(group_of(lines, at));
    Some(())
}
fn blamed_too_late(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "reservation.lapsed")?;
    for line in &mut lines[at..] {
        edit_envelope(line, |envelope| {
            envelope["time"] = json!(envelope["time"].as_i64().expect("a time") + 3_600_000_000)
        });
    }
    Some(())
}
fn gone_unseen(lines: &mut Vec<Line>) -> Option<()> {
    // The report that bound it was never made.
    let gone = lines.iter().position(|line| is(line, "agent.status_set") && data(line)["reason"] == "ABSENT")?;
    let agent = data(&lines[gone])["agent"].clone();
    let names = |line: &Line| data(line)["agents"].as_array().is_some_and(|agents| agents.contains(&agent));
    let reports = |line: &Line| is(line, "agent.presence_reported") && names(line);
    // With another one before, it was bound already.
    let bound = lines[..gone].iter().position(reports)?;
    if lines[bound + 1..gone].iter().any(reports) {
        return None;
    }
    lines.remove(bound);
    Some(())
}
fn gone_too_early(lines: &mut Vec<Line>) -> Option<()> {
    // To the microsecond: where its deadline was met late, a moment before is late enough.
    let time = |line: &Line| envelope(line)["time"].as_i64().expect("a time");
    let exact = |at: &usize| {
        let (before, gone) = (&lines[..*at], &lines[*at]);
        let absent = is(gone, "agent.status_set") && data(gone)["reason"] == "ABSENT";
        let reported = |line: &Line| is(line, "agent.presence_reported") && time(line) + 60_000_000 == time(gone);
        absent && before.iter().any(reported) && before.last().is_some_and(|last| time(last) < time(gone))
    };
    let gone = (0..lines.len()).find(exact)?;
    let now = time(&lines[gone]);
    edit_envelope(&mut lines[gone], |envelope| envelope["time"] = json!(now - 1));
    Some(())
}
fn inquiry_lost(lines: &mut Vec<Line>) -> Option<()> {
    // The last that came: nothing of the others refers to it.
    let at = lines.iter().rposition(|line| is(line, "inquiry.registered"))?;
    let inquiry = data(&lines[at])["inquiry"].clone();
    lines.retain(|line| !envelope(line)["subjects"].as_array().expect("subjects").contains(&inquiry));
    Some(())
}
/// A minute later than its offer opens, and it begins then.
fn opened_late(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "inquiry.registered") && data(line).get("begins_at").is_some())?;
    edit(&mut lines[at], |data| {
        data["begins_at"] = json!(data["begins_at"].as_i64().expect("an instant") + 60_000_000)
    });
    Some(())
}
/// As if the offer's hours had been forgotten.
fn hours_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "inquiry.registered") && data(line).get("begins_at").is_some())?;
    edit(&mut lines[at], |data| drop(data.as_object_mut().expect("an object").remove("begins_at")));
    Some(())
}
fn never_closed(lines: &mut Vec<Line>) -> Option<()> {
    // Without a key, which would be missed on its own.
    let unkeyed = |line: &Line| is(line, "inquiry.withdrawn") && envelope(line).get("key").is_none();
    let at = lines.iter().position(unkeyed)?;
    lines.remove(at);
    Some(())
}
fn no_capacity(lines: &mut Vec<Line>) -> Option<()> {
    let placed = find(lines, "reservation.opened")?;
    let agent = data(&lines[placed])["agent"].clone();
    let hired = lines.iter().position(|line| is(line, "agent.registered") && data(line)["agent"] == agent)?;
    edit(&mut lines[hired], |data| data["capacity"] = json!(0));
    let raised =
        |line: &Line| is(line, "agent.updated") && data(line)["agent"] == agent && data(line).get("capacity").is_some();
    if lines[..placed].iter().any(raised) {
        return None;
    }
    Some(())
}
fn bid_too_low(lines: &mut Vec<Line>) -> Option<()> {
    let low = |line: &Line| {
        is(line, "auction.bid_placed") && data(line)["standing"] == "LEADS" && data(line).get("supersedes").is_none()
    };
    // The second leader of an auction, at nearly nothing (or nearly everything).
    let at = lines.iter().enumerate().position(|(at, line)| {
        low(line) && lines[..at].iter().any(|other| low(other) && data(other)["auction"] == data(line)["auction"])
    })?;
    let before = lines[..at]
        .iter()
        .rev()
        .find(|other| is(other, "auction.bid_placed") && data(other)["auction"] == data(&lines[at])["auction"])?;
    let amount = data(before)["amount"].clone();
    edit(&mut lines[at], |data| data["amount"] = amount);
    Some(())
}
fn key_twice(lines: &mut Vec<Line>) -> Option<()> {
    let keyed: Vec<usize> = (0..lines.len()).filter(|at| envelope(&lines[*at]).get("key").is_some()).collect();
    let (first, second) = (*keyed.first()?, *keyed.get(1)?);
    let hash = envelope(&lines[first])["key"]["hash"].clone();
    edit_envelope(&mut lines[second], |envelope| envelope["key"]["hash"] = hash);
    Some(())
}
fn half_a_command(lines: &mut Vec<Line>) -> Option<()> {
    // Consent is recorded, and the money stays.
    let at = find(lines, "settlement.escrowed")?;
    lines.remove(at);
    Some(())
}
fn limit_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    // The last one, so that few have spent under it.
    let at = lines.iter().rposition(|line| is(line, "call_server.credit_limit_granted"))?;
    lines.drain(group_of(lines, at));
    Some(())
}
fn limit_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let limited = |line: &Line| is(line, "call_server.credit_limit_granted") && data(line).get("limit").is_some();
    let at = lines.iter().rposition(limited)?;
    edit(&mut lines[at], |data| a_cent(&mut data["limit"]));
    Some(())
}
fn elsewhere(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "call_server.started")?;
    edit(&mut lines[at], |data| data["locations"] = json!([{"name": "Wels"}]));
    Some(())
}
fn second_consent(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "session.opened")?;
    let mut again = lines[at].clone();
    edit(&mut again, |data| data["session"] = json!("ses_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
    again.hash = [2; 32];
    lines.insert(at + 1, again);
    Some(())
}

fn uninvited(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "session.agent_joined")?;
    let own = data(&lines[at])["reservation"].clone();
    let opened =
        lines.iter().filter(|line| is(line, "reservation.opened")).map(|line| data(line)["reservation"].clone());
    let other = opened.into_iter().find(|other| *other != own)?;
    edit(&mut lines[at], |data| data["reservation"] = other);
    Some(())
}
fn told_wrongly(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "reservation.invitation_answered")?;
    let invited = data(&lines[at])["invited"].clone();
    // Where the platform was late, it is asked anew: then that is right.
    if data(&lines[at]).get("next") == Some(&invited) {
        return None;
    }
    edit(&mut lines[at], |data| data["next"] = invited);
    Some(())
}

const MUTANTS: &[Mutant] = &[
    ("a reservation for two", doubled_award, &["no double award", "second agent"]),
    ("an award twice", awarded_again, &["no double award", "every answer is borne out", "no state past its deadline"]),
    ("a hold beyond the bid", overdrawn_hold, &["holds = live bids"]),
    ("a wallet overdrawn", poorer_wallet, &["credit limit", "exclusions", "claims", "standing values"]),
    ("a leg by a cent", leg_by_a_cent, &["postings sum to zero"]),
    ("both legs by a cent", both_legs_by_a_cent, &["postings", "postings sum to zero"]),
    ("two events swapped", swapped, &["winner"]),
    ("a price by a cent", price_by_a_cent, &["winner"]),
    ("another winner", another_winner, &["winner"]),
    ("a lapse forgotten", lapse_forgotten, &["no state past its deadline", "deadlines", "exclusions"]),
    ("blame for the platform's lateness", blamed_too_late, &["late platform", "deadlines", "auction terms", "why"]),
    ("an agent gone whom nobody had seen", gone_unseen, &["presence", "no state past its deadline", "deadlines"]),
    ("an agent gone too early", gone_too_early, &["presence", "deadlines", "no state past its deadline"]),
    ("an inquiry lost", inquiry_lost, &["no lost inquiry", "queues", "deadlines", "known things"]),
    ("an opening a minute late", opened_late, &["business hours"]),
    ("hours that nobody minded", hours_forgotten, &["business hours"]),
    (
        "an inquiry never closed",
        never_closed,
        &["no stuck inquiry", "queues", "auction terms", "lapses", "atomic", "no state past its deadline"],
    ),
    (
        "an agent beyond its capacity",
        no_capacity,
        &["who may bid", "no agent beyond capacity", "rounds", "winner", "exclusions"],
    ),
    ("a bid short of the increment", bid_too_low, &["increments", "winner"]),
    ("a key twice", key_twice, &["keys"]),
    ("an agent that nobody invited", uninvited, &["conference", "atomic"]),
    ("the next agent named wrongly", told_wrongly, &["conference"]),
    ("half a command", half_a_command, &["atomic"]),
    ("a limit that was never handed over", limit_forgotten, &["handover", "accounts", "known things"]),
    ("notices of another that are read", read_by_another, &["notices"]),
    ("notices that are read before they are told", read_ahead, &["notices"]),
    ("an answer that nobody gave", other_answer, &["user information"]),
    ("a limit by a cent", limit_by_a_cent, &["handover"]),
    ("a call server elsewhere", elsewhere, &["handover", "known things"]),
    ("two sessions of one inquiry", second_consent, &["no double award"]),
];

fn days() -> impl Iterator<Item = (u64, Books)> {
    (0..600).map(|seed| (seed, evidence::of(&live_through(seed, false))))
}

/// The days themselves are in order, so what is found in their mutants is the mutants'. What else a mutant breaks on a
/// day may be found first: it is on some day that it must be found for what it is, and on each that it must be found.
#[test]
fn the_auditor_finds_every_mutant() {
    let mut left: Vec<(&Mutant, Vec<String>)> = MUTANTS
        .iter()
        .chain(selections::SELECTIONS)
        .chain(merges::MERGES)
        .chain(blocks::BLOCKS)
        .chain(strikes::STRIKES)
        .chain(books::FEES)
        .map(|mutant| (mutant, vec![]))
        .collect();
    let mut missed = vec![];
    for (seed, day) in days() {
        left.retain_mut(|((name, tamper, invariants), otherwise)| {
            let applied = ["main", "east"].into_iter().find_map(|log| {
                let mut books = day.clone();
                tamper(books.logs.get_mut(log).expect("the log"))?;
                reseal(&mut books, log, true);
                Some(books)
            });
            let Some(books) = applied else { return true };
            match audit(&books, true) {
                Ok(_) => missed.push(format!("{name}: not found on day {seed}")),
                Err(found) if invariants.contains(&found.invariant) => return false,
                Err(found) => otherwise.push(format!("day {seed}: {found:?}")),
            }
            true
        });
        if left.is_empty() {
            break;
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let left: Vec<_> = left.iter().map(|((name, ..), otherwise)| (name, otherwise)).collect();
    assert!(left.is_empty(), "no day has what these need, or they are found for something else: {left:#?}");
}

fn found(books: &Books) -> &'static str {
    audit(books, true).expect_err("a mutant is found").invariant
}

#[test]
fn the_auditor_finds_a_broken_chain_and_a_broken_promise() {
    let (_, day) = days().next().expect("a day");
    let answered = day.told.iter().rposition(|told| matches!(&told.said, Said::Done(events) if !events.is_empty()));
    let answered = answered.expect("somebody was answered");
    let log = day.told[answered].log.clone();

    let mut flipped = day.clone();
    flipped.logs.get_mut("main").expect("the log")[3].hash[7] ^= 1;
    assert_eq!(found(&flipped), "chain");
    let mut salted = day.clone();
    salted.logs.get_mut("main").expect("the log")[3].salt[0] ^= 1;
    assert_eq!(found(&salted), "chain");
    let mut gap = day.clone();
    gap.logs.get_mut("main").expect("the log").remove(4);
    assert_eq!(found(&gap), "chain");

    // An acknowledged command is gone, and nobody tells who was answered.
    let mut lost = day.clone();
    let Said::Done(events) = &day.told[answered].said else { unreachable!("it was just found") };
    let seqs: Vec<u64> = events.iter().map(|(seq, _)| *seq).collect();
    lost.logs.get_mut(&log).expect("the log").retain(|line| !seqs.contains(&line.seq));
    reseal(&mut lost, &log, false);
    assert_eq!(found(&lost), "every answer is borne out");
    // It was refused, and stands.
    let mut refused = day.clone();
    refused.told[answered].said = Said::Refused { code: "FORBIDDEN" };
    assert_eq!(found(&refused), "every answer is borne out");
    // A replay that names other events.
    let mut replayed = day.clone();
    replayed.told[answered].said = Said::Replayed { first: 1, events: 7 };
    assert_eq!(found(&replayed), "every answer is borne out");
    // Nobody asked for it.
    let mut unasked = day;
    unasked.told.remove(answered);
    assert_eq!(found(&unasked), "every answer is borne out");
}

#[test]
fn the_auditor_finds_a_feed_that_leaves_out_repeats_reorders_or_tells_too_much() {
    type Seen = Vec<(u64, [u8; 32])>;
    let stranger = |day: &Books, at: usize| {
        let watch = &day.watches[at];
        let lines = day.logs[&watch.log].iter().filter(|line| watch.seen.iter().all(|(seq, _)| *seq != line.seq));
        let mut after = lines.filter(|line| watch.seen.get(4).is_some_and(|fifth| fifth.0 < line.seq));
        after.next().map(|line| (line.seq, line.hash))
    };
    let fit = |(_, day): (u64, Books)| {
        let at = (0..day.watches.len()).find(|at| stranger(&day, *at).is_some())?;
        Some((stranger(&day, at)?, at, day))
    };
    let (stranger, at, day) = days().find_map(fit).expect("somebody watched a part of it for a while");
    let tampers: [&dyn Fn(&mut Seen); 6] = [
        &|seen| {
            seen.remove(2);
        },
        &|seen| seen.truncate(3),
        &|seen| seen.insert(2, seen[2]),
        &|seen| seen.swap(2, 3),
        &|seen| seen[2].1[0] ^= 1,
        &|seen| seen.insert(seen.partition_point(|(seq, _)| *seq < stranger.0), stranger),
    ];
    for tamper in tampers {
        let mut books = day.clone();
        tamper(&mut books.watches[at].seen);
        assert_eq!(found(&books), "feeds");
    }
}
