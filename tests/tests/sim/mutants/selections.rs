//! Days on which a claim, a selection or a standing value was tampered with. Where later events would tell of what is
//! gone, the day ends there: the law must be broken by then.

use super::{Mutant, a_cent, data, edit, edit_envelope, envelope, find, group_of, is};
use crate::audit::Line;
use serde_json::{Value, json};
use std::ops::Range;

pub const SELECTIONS: &[Mutant] = &[
    ("a claim by an agent on a break", claimed_on_a_break, &["claims"]),
    ("a claim beyond the wallet", claimed_beyond_the_wallet, &["claims"]),
    ("a claim of what another claimed", claimed_twice, &["no double award", "keys"]),
    ("a claim of what is routed", claimed_though_routed, &["why", "exclusions"]),
    ("a claim that nobody pays", claimed_for_nothing, &["atomic"]),
    ("a claim at another price", claimed_at_another_price, &["settled"]),
    ("the second best is selected", second_best, &["selection"]),
    ("left out for another reason", another_reason, &["exclusions"]),
    ("left out for no reason", no_reason, &["exclusions"]),
    ("a ranking out of order", ranking_swapped, &["selection"]),
    ("a preference beyond what the offer says", preferred_longer, &["preferred agent"]),
    ("a preference that is not told", untold_preference, &["why"]),
    ("held for nobody, they say", not_held, &["exclusions"]),
    ("another score", another_score, &["why"]),
    ("another tie", another_tie, &["why"]),
    ("by another policy", another_policy, &["why"]),
    ("a place ahead by a second", ahead_by_a_second, &["queue order"]),
    ("who stands behind is served first", served_before_its_turn, &["queue order"]),
    ("less asked for than the ring says", asks_for_nothing, &["relaxation"]),
    ("a ring left out", skipped_ring, &["relaxation"]),
    ("nobody is asked, and somebody is free", left_waiting, &["no stuck inquiry"]),
    ("a selection that asks nobody", selected_in_vain, &["atomic", "no stuck inquiry"]),
    ("looked for with no occasion", no_occasion, &["selection"]),
    ("asked again in its cool-off", asked_in_its_cool_off, &["exclusions"]),
    ("asked again in the same chain", asked_in_the_chain, &["exclusions"]),
    ("a cool-off that ends unheard", cool_off_forgotten, &["no state past its deadline", "deadlines"]),
    ("another second agent", another_second_agent, &["second agent"]),
    ("not back at its place", never_requeued, &["no stuck inquiry"]),
    ("a selection's price by a cent", selected_by_a_cent, &["selection"]),
    ("a selection's price held of nobody", held_of_nobody, &["holds = live bids"]),
    ("a value named otherwise", value_by_a_cent, &["exclusions", "selection", "why", "standing values"]),
    (
        "a value that is over at that instant",
        value_is_over,
        &["exclusions", "standing values", "no state past its deadline"],
    ),
    ("a value that was taken back", value_taken_back, &["exclusions", "standing values", "why", "selection"]),
    ("an opening bid by a cent", opening_bid_by_a_cent, &["standing values"]),
    ("an opening bid forgotten", opening_bid_forgotten, &["standing values"]),
    ("paid for what it started itself", started_by_nobody, &["exclusions", "handover"]),
];

/// The first selection by the platform of which something is so.
fn selection(lines: &[Line], wanted: impl Fn(&Value) -> bool) -> Option<usize> {
    let routed = |data: &Value| data["why"]["rule"] != "claim/1" && wanted(data);
    lines.iter().position(|line| is(line, "inquiry.selection_made") && routed(&data(line)))
}
fn claim(lines: &[Line], wanted: impl Fn(&[Line]) -> bool) -> Option<Range<usize>> {
    let claims = |line: &Line| is(line, "inquiry.selection_made") && data(line)["why"]["rule"] == "claim/1";
    let mut found = (0..lines.len()).filter(|at| claims(&lines[*at])).map(|at| group_of(lines, at));
    found.find(|group| wanted(&lines[group.clone()]))
}
fn has(group: &[Line], kind: &str) -> bool {
    group.iter().any(|line| is(line, kind))
}
/// In data and subjects.
fn rename(line: &mut Line, from: &Value, to: &Value) {
    edit(line, |data| data["agent"] = to.clone());
    edit_envelope(line, |envelope| {
        let subjects = envelope["subjects"].as_array_mut().expect("subjects");
        subjects.iter_mut().filter(|one| *one == from).for_each(|one| *one = to.clone());
    });
}
fn registered<'a>(lines: &'a [Line], wanted: impl Fn(&Value) -> bool + 'a) -> impl Iterator<Item = Value> + 'a {
    lines.iter().filter(|line| is(line, "agent.registered")).map(data).filter(move |one| wanted(one))
}
/// Nothing after a group: the day ends with it.
fn ends_after(lines: &mut Vec<Line>, at: usize) {
    let end = group_of(lines, at).end;
    lines.truncate(end);
}

fn claimed_on_a_break(lines: &mut Vec<Line>) -> Option<()> {
    let group = claim(lines, |group| !has(group, "settlement.escrowed"))?;
    let at = group.start;
    let claimant = data(&lines[at])["agent"].clone();
    let on_a_break = |agent: &Value| {
        let theirs = |line: &&Line| is(line, "agent.status_set") && data(line)["agent"] == *agent;
        lines[..at].iter().rev().find(theirs).is_some_and(|line| data(line)["will"] != "AVAILABLE")
    };
    // Whatever the offer asks: independence is looked at before.
    let fits = |one: &Value| one.get("affiliated_with").is_none() && on_a_break(&one["agent"]);
    let other = registered(&lines[..at], fits).next()?;
    edit(&mut lines[at], |data| {
        data["why"]["chosen"] = other["agent"].clone();
        data["why"]["ranked"][0]["subject"] = other["agent"].clone();
        data["why"]["ranked"][0]["tie_key"] = json!(other["number"].to_string());
    });
    let opened = group.start + find(&lines[group.clone()], "session.opened")?;
    rename(&mut lines[at], &claimant, &other["agent"]);
    rename(&mut lines[opened], &claimant, &other["agent"]);
    Some(())
}
fn claimed_beyond_the_wallet(lines: &mut Vec<Line>) -> Option<()> {
    let group = claim(lines, |group| {
        let paid = |line: &Line| is(line, "settlement.escrowed") && data(line)["direction"] == "FORWARD";
        group.iter().any(paid)
    })?;
    let inquiry = data(&lines[group.start])["inquiry"].clone();
    let came = lines.iter().position(|line| is(line, "inquiry.registered") && data(line)["inquiry"] == inquiry)?;
    edit(&mut lines[came], |data| {
        let price = &mut data["terms"]["allocation"]["claim"]["price"]["amount"];
        *price = json!(format!("9999{}", price.as_str().expect("an amount")));
    });
    Some(())
}
fn claimed_twice(lines: &mut Vec<Line>) -> Option<()> {
    let at = claim(lines, |_| true)?.start;
    let mut again = lines[at].clone();
    // The key stays on the first of the command's events.
    edit_envelope(&mut again, |envelope| drop(envelope.as_object_mut().map(|members| members.remove("key"))));
    again.hash = [3; 32];
    lines.insert(at + 1, again);
    Some(())
}
fn claimed_though_routed(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data.get("agent").is_some())?;
    edit(&mut lines[at], |data| data["why"]["rule"] = json!("claim/1"));
    Some(())
}
fn claimed_for_nothing(lines: &mut Vec<Line>) -> Option<()> {
    let group = claim(lines, |group| has(group, "settlement.escrowed"))?;
    let paid = group.start + find(&lines[group], "settlement.escrowed")?;
    lines.remove(paid);
    Some(())
}
fn claimed_at_another_price(lines: &mut Vec<Line>) -> Option<()> {
    let group = claim(lines, |group| has(group, "settlement.escrowed"))?;
    let paid = group.start + find(&lines[group], "settlement.escrowed")?;
    let other = |amount: &mut Value| {
        let text = amount["amount"].as_str().expect("an amount").to_owned();
        amount["amount"] = json!(match text.strip_prefix('-') {
            Some(text) => format!("-1{text}"),
            None => format!("1{text}"),
        });
    };
    edit(&mut lines[paid], |data| {
        other(&mut data["price"]);
        (0..2).for_each(|leg| other(&mut data["legs"][leg]["amount"]));
    });
    Some(())
}

fn second_best(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["ranked"][1].is_object())?;
    let (first, second) = (data(&lines[at])["agent"].clone(), data(&lines[at])["why"]["ranked"][1].clone());
    edit(&mut lines[at], |data| {
        data["why"]["chosen"] = second["subject"].clone();
        data["why"]["ranked"].as_array_mut().expect("a ranking").swap(0, 1);
    });
    let opened = at + find(&lines[at..], "reservation.opened")?;
    rename(&mut lines[at], &first, &second["subject"]);
    rename(&mut lines[opened], &first, &second["subject"]);
    Some(())
}
fn another_reason(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["excluded"][0]["reason"] == "LACKS_SKILL")?;
    edit(&mut lines[at], |data| data["why"]["excluded"][0]["reason"] = json!("NO_FUNDS"));
    Some(())
}
fn no_reason(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["excluded"][0].is_object())?;
    edit(&mut lines[at], |data| {
        data["why"]["excluded"].as_array_mut().expect("who is left out").remove(0);
    });
    Some(())
}
fn ranking_swapped(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["ranked"][2].is_object())?;
    edit(&mut lines[at], |data| data["why"]["ranked"].as_array_mut().expect("a ranking").swap(1, 2));
    Some(())
}
fn another_score(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["ranked"][0].get("score").is_some())?;
    edit(&mut lines[at], |data| data["why"]["ranked"][0]["score"] = json!("77"));
    Some(())
}
fn another_tie(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data.get("agent").is_some())?;
    edit(&mut lines[at], |data| data["why"]["ranked"][0]["tie_key"] = json!("load 7, idle 0.000000, agent 1"));
    Some(())
}
fn another_policy(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data["why"]["rule"] == "best_skilled/1")?;
    edit(&mut lines[at], |data| data["why"]["rule"] = json!("longest_idle/1"));
    Some(())
}

fn ahead_by_a_second(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.registered")?;
    edit(&mut lines[at], |data| {
        let place = data.get("stands_at").unwrap_or(&data["accepted_at"]).as_i64().expect("an instant");
        data["stands_at"] = json!(place - 1_000_000);
    });
    Some(())
}
fn asks_for_nothing(lines: &mut Vec<Line>) -> Option<()> {
    let asks = |line: &Line| is(line, "inquiry.relaxed") && data(line)["desired_skills"][0].is_object();
    let at = lines.iter().position(asks)?;
    edit(&mut lines[at], |data| data["desired_skills"] = json!([]));
    Some(())
}
fn skipped_ring(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "inquiry.relaxed")?;
    edit(&mut lines[at], |data| data["ring"] = json!(data["ring"].as_i64().expect("a number") + 1));
    Some(())
}
fn left_waiting(lines: &mut Vec<Line>) -> Option<()> {
    // Somebody came to work, and the platform did not look what waits.
    let comes = |at: &usize| {
        let group = group_of(lines, *at);
        is(&lines[*at], "inquiry.selection_made")
            && is(&lines[group.start], "agent.status_set")
            && data(&lines[*at]).get("agent").is_some()
    };
    let at = (0..lines.len()).find(comes)?;
    lines.truncate(at);
    Some(())
}
/// An agent became free for what waited, and another just like it stood before that.
fn served_before_its_turn(lines: &mut Vec<Line>) -> Option<()> {
    let about = |line: &Line, inquiry: &Value| data(line)["inquiry"] == *inquiry;
    let overtaken = |at: usize| {
        let (chosen, start) = (data(&lines[at]), group_of(lines, at).start);
        let routed = is(&lines[at], "inquiry.selection_made") && chosen["why"]["rule"] != "claim/1";
        let called = lines[start..at].iter().any(|line| about(line, &chosen["inquiry"]));
        if !routed || called || chosen.get("agent").is_none() {
            return None;
        }
        let came = |line: &Line| is(line, "inquiry.registered") && about(line, &chosen["inquiry"]);
        let came = lines[..start].iter().position(came)?;
        // What is asked of agents stays as it is, so nothing of the other falls due meanwhile.
        data(&lines[came])["terms"].get("relaxation").is_none().then_some(came)
    };
    let came = (0..lines.len()).find_map(overtaken)?;
    let (mut twin, inquiry) = (lines[came].clone(), data(&lines[came])["inquiry"].clone());
    let first = json!("inq_00000000000000000000000000");
    edit(&mut twin, |data| data["inquiry"] = first.clone());
    edit_envelope(&mut twin, |envelope| {
        let subjects = envelope["subjects"].as_array_mut().expect("subjects");
        subjects.iter_mut().filter(|one| **one == inquiry).for_each(|one| *one = first.clone());
        drop(envelope.as_object_mut().map(|members| members.remove("key")));
    });
    twin.hash = [3; 32];
    lines.insert(came + 1, twin);
    Some(())
}
fn selected_in_vain(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data.get("agent").is_some())?;
    let opened = at + find(&lines[at..], "reservation.opened")?;
    lines.truncate(opened);
    Some(())
}
fn no_occasion(lines: &mut Vec<Line>) -> Option<()> {
    // Where nobody was found, and the next command, at the same instant, has nothing to do with it.
    let time = |line: &Line| envelope(line)["time"].clone();
    let fits = |at: &usize| {
        let next = group_of(lines, *at).end;
        let same = |line: &Line| time(line) == time(&lines[*at]);
        is(&lines[*at], "inquiry.selection_made")
            && data(&lines[*at]).get("agent").is_none()
            && lines.get(next).is_some_and(|line| same(line) && is(line, "agent.presence_reported"))
    };
    let at = (0..lines.len()).find(fits)?;
    let next = group_of(lines, at).end;
    let mut again = lines[at].clone();
    let of = envelope(&lines[next]);
    edit_envelope(&mut again, |envelope| {
        for member in ["correlation", "time"] {
            envelope[member] = of[member].clone();
        }
    });
    again.hash = [4; 32];
    lines.insert(next + 1, again);
    ends_after(lines, next);
    Some(())
}
/// Whoever was left out for a reason, and is the only one, is asked.
fn asked_all_the_same(lines: &mut Vec<Line>, reason: &str) -> Option<()> {
    let alone = |one: &Value| one["reason"] == reason && one["agents"].as_array().is_some_and(|all| all.len() == 1);
    let out = |data: &Value| data["why"]["excluded"].as_array().and_then(|all| all.iter().position(alone));
    let at = selection(lines, |data| out(data).is_some() && data.get("agent").is_some())?;
    let place = out(&data(&lines[at]))?;
    let number = data(&lines[at])["why"]["excluded"][place]["agents"][0].clone();
    let other = registered(lines, |one| one["number"] == number).next()?;
    let chosen = data(&lines[at])["agent"].clone();
    edit(&mut lines[at], |data| {
        data["why"]["excluded"].as_array_mut().expect("who is left out").remove(place);
        data["why"]["chosen"] = other["agent"].clone();
        data["why"]["ranked"][0]["subject"] = other["agent"].clone();
    });
    let opened = at + find(&lines[at..], "reservation.opened")?;
    rename(&mut lines[at], &chosen, &other["agent"]);
    rename(&mut lines[opened], &chosen, &other["agent"]);
    let start = group_of(lines, at).start;
    for line in &mut lines[start..at] {
        if data(line)["second_agent"] == chosen {
            edit(line, |data| data["second_agent"] = other["agent"].clone());
        }
    }
    Some(())
}
fn asked_in_its_cool_off(lines: &mut Vec<Line>) -> Option<()> {
    asked_all_the_same(lines, "DECLINED_COOL_OFF")
}
fn asked_in_the_chain(lines: &mut Vec<Line>) -> Option<()> {
    asked_all_the_same(lines, "ALREADY_ASKED")
}
fn cool_off_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    // It finds nobody, so nothing after it tells of it; and something else comes next, for which no earlier timer may be
    // left.
    let rings = |at: &usize| {
        let group = group_of(lines, *at);
        let about = |line: &Line| data(line)["inquiry"] == data(&lines[*at])["inquiry"];
        if group.end == lines.len() || lines[group_of(lines, group.end)].iter().any(about) {
            return false;
        }
        is(&lines[*at], "inquiry.selection_made") && data(&lines[*at]).get("agent").is_none() && group.len() == 1
    };
    let at = (0..lines.len()).find(rings)?;
    lines.remove(at);
    Some(())
}
fn another_second_agent(lines: &mut Vec<Line>) -> Option<()> {
    let routed = |at: &usize| {
        is(&lines[*at], "reservation.lapsed") && has(&lines[group_of(lines, *at)], "inquiry.selection_made")
    };
    let at = (0..lines.len()).find(routed)?;
    let own = data(&lines[at])["agent"].clone();
    edit(&mut lines[at], |data| data["second_agent"] = own);
    Some(())
}
fn never_requeued(lines: &mut Vec<Line>) -> Option<()> {
    let at = selection(lines, |data| data.get("agent").is_none())?;
    let group = group_of(lines, at);
    let back = lines.get(at + 1).filter(|line| is(line, "inquiry.requeued")).map(|_| at + 1)?;
    if group.end != back + 1 {
        return None;
    }
    lines.truncate(back);
    Some(())
}

/// A reservation for whom the platform selected, at a price.
fn priced(lines: &[Line]) -> Option<usize> {
    let selected = |line: &Line| {
        is(line, "reservation.opened") && data(line)["purpose"] == "SELECTED" && data(line)["price"].is_object()
    };
    lines.iter().position(selected)
}
fn selected_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = priced(lines)?;
    edit(&mut lines[at], |data| a_cent(&mut data["price"]));
    Some(())
}
fn held_of_nobody(lines: &mut Vec<Line>) -> Option<()> {
    let at = priced(lines)?;
    edit(&mut lines[at], |data| drop(data.as_object_mut().map(|members| members.remove("payer"))));
    Some(())
}

/// The last setting of a value that a BEST_VALUE selection ranked first, and where it was ranked.
fn ranked_value(lines: &[Line]) -> Option<(usize, usize)> {
    let best = |line: &Line| is(line, "inquiry.selection_made") && data(line)["why"]["rule"] == "best_value/1";
    let mut found = (0..lines.len()).filter(|at| best(&lines[*at])).filter_map(|at| {
        let (agent, amount) =
            (data(&lines[at])["agent"].clone(), data(&lines[at])["why"]["ranked"][0]["amount"].clone());
        let named = |line: &Line| {
            is(line, "agent.standing_value_set") && data(line)["agent"] == agent && data(line)["value"] == amount
        };
        let mut named = (0..at).filter(|set| named(&lines[*set]));
        // One alone, so that no other value of the agent has its amount.
        named.next().filter(|_| named.next().is_none()).map(|set| (set, at))
    });
    found.next()
}
fn value_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let (set, at) = ranked_value(lines)?;
    edit(&mut lines[set], |data| a_cent(&mut data["value"]));
    ends_after(lines, at);
    Some(())
}
fn value_is_over(lines: &mut Vec<Line>) -> Option<()> {
    let (set, at) = ranked_value(lines)?;
    let now = envelope(&lines[at])["time"].clone();
    if envelope(&lines[set])["time"] == now {
        return None;
    }
    edit(&mut lines[set], |data| data["valid_until"] = now);
    ends_after(lines, at);
    Some(())
}
fn value_taken_back(lines: &mut Vec<Line>) -> Option<()> {
    let (set, at) = ranked_value(lines)?;
    edit(&mut lines[set], |data| drop(data.as_object_mut().map(|members| members.remove("value"))));
    ends_after(lines, at);
    Some(())
}

fn opening_bid(lines: &[Line]) -> Option<usize> {
    let opens = |group: &[Line], auction: &Value| {
        group.iter().any(|line| is(line, "auction.opened") && data(line)["auction"] == *auction)
    };
    let by_itself = |at: &usize| {
        is(&lines[*at], "auction.bid_placed")
            && opens(&lines[group_of(lines, *at).start..*at], &data(&lines[*at])["auction"])
    };
    (0..lines.len()).find(by_itself)
}
fn opening_bid_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = opening_bid(lines)?;
    edit(&mut lines[at], |data| a_cent(&mut data["amount"]));
    Some(())
}
fn opening_bid_forgotten(lines: &mut Vec<Line>) -> Option<()> {
    let at = opening_bid(lines)?;
    lines.truncate(at);
    Some(())
}
fn started_by_nobody(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().position(|line| is(line, "inquiry.registered") && data(line).get("started_by").is_some())?;
    edit(&mut lines[at], |data| drop(data.as_object_mut().map(|members| members.remove("started_by"))));
    Some(())
}

fn preferred_longer(lines: &mut Vec<Line>) -> Option<()> {
    let prefers = |line: &Line| is(line, "inquiry.information_answered") && data(line).get("preferred_for").is_some();
    let at = lines.iter().position(prefers)?;
    edit(&mut lines[at], |data| data["preferred_for"] = json!(data["preferred_for"].as_i64().expect("a span") + 1));
    Some(())
}
fn untold_preference(lines: &mut Vec<Line>) -> Option<()> {
    let by_it = |line: &Line| is(line, "inquiry.selection_made") && data(line)["why"]["rule"] == "preferred_agent/1";
    let at = lines.iter().position(by_it)?;
    edit(&mut lines[at], |data| data["why"]["rule"] = json!("longest_idle/1"));
    Some(())
}
fn not_held(lines: &mut Vec<Line>) -> Option<()> {
    let held = |value: &Value| {
        let groups = value["why"]["excluded"].as_array()?;
        groups.iter().position(|group| group["reason"] == "HELD_FOR_PREFERRED")
    };
    let at = lines.iter().position(|line| is(line, "inquiry.selection_made") && held(&data(line)).is_some())?;
    edit(&mut lines[at], |data| {
        let group = held(data).expect("just found");
        data["why"]["excluded"][group]["reason"] = json!("LACKS_SKILL");
    });
    Some(())
}
