//! Days on which what left the house was tampered with: claims in `effects`, and the requests that receivers heard.

use super::{data, days, edit, find, is, reseal};
use crate::audit::{Books, Line, audit};
use serde_json::json;

/// Changes a day's `effects`, or what was sent, where the day has what it needs.
type Tamper = fn(&mut Books) -> Option<()>;

const MUTANTS: &[(&str, Tamper, &[&str])] = &[
    ("planned twice", planned_twice, &["planned once"]),
    ("sent before it is claimed", sent_before_its_claim, &["nothing is sent before it is claimed"]),
    ("two of one inquiry out of order", out_of_order, &["order of deliveries"]),
    ("never planned", never_planned, &["told at least once"]),
    ("never sent", never_sent, &["attempts"]),
    ("sent again when it was told", sent_once_more, &["sent once"]),
    ("sent before it is due", sent_too_early, &["sent when due"]),
    ("given up after the first", given_up, &["attempts"]),
    ("tried again too soon", again_too_soon, &["attempts"]),
    ("an answer that nobody gave", another_answer, &["attempts"]),
    ("an amount in the body", with_an_amount, &["ids and topics alone"]),
    ("another event in the body", of_another_event, &["ids and topics alone"]),
    ("signed with a secret that is over", old_secret, &["webhooks"]),
    ("told to another provider", to_another, &["claims of webhooks", "webhooks"]),
    ("a type that nobody asked for", not_asked_for, &["claims of webhooks"]),
    ("a bid in a sealed auction that is open", sealed_bid, &["sealed bids"]),
    ("not sent again where that was asked for", redelivery_forgotten, &["told at least once"]),
];

fn effects(books: &mut Books) -> &mut Vec<Line> {
    books.logs.get_mut("effects").expect("the log")
}

fn planned_twice(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let mut second = lines[find(lines, "webhook.delivery_planned")?].clone();
    edit(&mut second, |data| data["delivery"] = json!("dlv_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
    let at = find(lines, "webhook.delivery_planned")?;
    lines.insert(at + 1, second);
    books.sent.iter_mut().for_each(|sent| sent.effects += u64::from(sent.effects > at as u64));
    Some(())
}
fn sent_before_its_claim(books: &mut Books) -> Option<()> {
    let name = books.sent.first()?.delivery.clone();
    let claim = effects(books).iter().position(|line| data(line)["delivery"] == name.as_str())?;
    books.sent[0].effects = claim as u64;
    Some(())
}
/// The second of a line goes with the first.
fn out_of_order(books: &mut Books) -> Option<()> {
    let about = |books: &Books, delivery: &str| {
        let of = |line: &&Line| is(line, "webhook.delivery_planned") && data(line)["delivery"] == delivery;
        let (at, line) = books.logs["effects"].iter().enumerate().find(|(_, line)| of(line))?;
        Some((at as u64, data(line)["about"].clone()))
    };
    for first in 0..books.sent.len() {
        for second in first + 1..books.sent.len() {
            let (one, other) = (&books.sent[first], &books.sent[second]);
            let (at, same) = (about(books, &one.delivery)?, about(books, &other.delivery)?);
            let together = one.webhook == other.webhook && one.delivery != other.delivery && at.1 == same.1;
            if together && same.0 < one.effects && one.effects < other.effects {
                let mut moved = books.sent.remove(second);
                moved.effects = books.sent[first].effects;
                books.sent.insert(first, moved);
                return Some(());
            }
        }
    }
    None
}
/// With it goes all that followed, as if nobody had read the event.
fn never_planned(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = find(lines, "webhook.delivery_planned")?;
    // Who was deleted later, or has gone, is owed nothing.
    let webhook = data(&lines[at])["webhook"].clone();
    let ends = |line: &Line| is(line, "webhook.deleted") || is(line, "webhook.disabled");
    if lines.iter().any(|line| ends(line) && data(line)["webhook"] == webhook) {
        return None;
    }
    let name = data(&lines[at])["delivery"].clone();
    let gone: Vec<u64> = lines.iter().filter(|line| data(line)["delivery"] == name).map(|line| line.seq).collect();
    lines.retain(|line| !gone.contains(&line.seq));
    books.sent.retain(|sent| name != sent.delivery.as_str());
    for sent in &mut books.sent {
        sent.effects -= gone.iter().filter(|seq| **seq < sent.effects).count() as u64;
    }
    Some(())
}
fn never_sent(books: &mut Books) -> Option<()> {
    let at = books.sent.iter().position(|sent| sent.answered == Some((200, None)))?;
    books.sent.remove(at);
    Some(())
}
fn sent_once_more(books: &mut Books) -> Option<()> {
    let done = books.sent.iter().find(|sent| sent.answered == Some((200, None)))?;
    let mut again = done.clone();
    let told = |line: &Line| is(line, "webhook.delivery_attempted") && data(line)["delivery"] == done.delivery.as_str();
    again.effects = books.logs["effects"].iter().rposition(told)? as u64 + 1;
    let at = books.sent.partition_point(|sent| sent.effects < again.effects);
    books.sent.insert(at, again);
    Some(())
}
fn sent_too_early(books: &mut Books) -> Option<()> {
    let lines = &books.logs["effects"];
    // Right after the one before, which had failed.
    let failed = |at: usize| {
        let again = &books.sent[at];
        let before = books.sent[..at].iter().rfind(|sent| sent.delivery == again.delivery)?;
        let said = |line: &Line| data(line)["delivery"] == again.delivery.as_str() && data(line)["outcome"] == "FAILED";
        let recorded = lines[before.effects as usize..again.effects as usize].iter().any(said);
        recorded.then_some((at, before.at + 1))
    };
    let (at, early) = (0..books.sent.len()).find_map(failed)?;
    books.sent[at].at = early;
    Some(())
}
fn given_up(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = lines.iter().position(|line| data(line)["outcome"] == "FAILED")?;
    edit(&mut lines[at], |data| {
        data["outcome"] = json!("DEAD");
        drop(data.as_object_mut().map(|members| members.remove("next_attempt_at")));
    });
    Some(())
}
fn again_too_soon(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = lines.iter().position(|line| data(line)["outcome"] == "FAILED")?;
    edit(&mut lines[at], |data| {
        data["next_attempt_at"] = json!(data["next_attempt_at"].as_i64().expect("an instant") - 4_000_000_000);
    });
    Some(())
}
fn another_answer(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = lines.iter().position(|line| data(line)["status"] == 503)?;
    edit(&mut lines[at], |data| data["status"] = json!(500));
    Some(())
}
fn with_an_amount(books: &mut Books) -> Option<()> {
    let sent = books.sent.first_mut()?;
    sent.body = sent.body.replacen("\"data\":{", "\"data\":{\"amount\":\"4.25\",", 1);
    Some(())
}
fn of_another_event(books: &mut Books) -> Option<()> {
    let at = books.sent.iter().position(|sent| sent.body != books.sent[0].body)?;
    books.sent[0].body = books.sent[at].body.clone();
    Some(())
}
fn old_secret(books: &mut Books) -> Option<()> {
    let both = books.sent.iter_mut().find(|sent| sent.secrets.len() > 1)?;
    both.secrets.remove(0);
    Some(())
}
fn to_another(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = find(lines, "webhook.created")?;
    let (webhook, provider) = (data(&lines[at])["webhook"].clone(), data(&lines[at])["provider"].clone());
    let planned = |line: &Line| is(line, "webhook.delivery_planned") && data(line)["webhook"] == webhook;
    let told = lines.iter().position(planned)?;
    let others = |line: &&Line| is(line, "webhook.created") && data(line)["provider"] != provider;
    let other = lines[..told].iter().find(others).map(|line| data(line)["webhook"].clone())?;
    edit(&mut lines[told], |data| data["webhook"] = other);
    Some(())
}
fn not_asked_for(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let told = find(lines, "webhook.delivery_planned")?;
    let webhook = data(&lines[told])["webhook"].clone();
    let created = |line: &Line| is(line, "webhook.created") && data(line)["webhook"] == webhook;
    let at = lines.iter().position(created)?;
    edit(&mut lines[at], |data| data["types"] = json!(["nothing"]));
    Some(())
}
/// It is told as soon as it is placed.
fn sealed_bid(books: &mut Books) -> Option<()> {
    let is_sealed = |lines: &[Line], auction: &serde_json::Value| {
        let opened = |line: &&Line| is(line, "auction.opened") && data(line)["auction"] == *auction;
        let rules = lines.iter().find(opened).map(|line| data(line)["rules"]["format"].to_string());
        rules.is_some_and(|format| format.contains("SEALED"))
    };
    let told: Vec<(String, u64, String)> = books.logs["effects"]
        .iter()
        .filter(|line| is(line, "webhook.delivery_planned"))
        .map(data)
        .map(|plan| {
            let source = &plan["source"];
            let log = source["log"].as_str().expect("a log").to_owned();
            (log, source["seq"].as_u64().expect("a position"), plan["delivery"].as_str().expect("an id").to_owned())
        })
        .collect();
    for (log, seq, delivery) in told {
        let lines = &books.logs[&log];
        let line = &lines[seq as usize];
        let bid = is(line, "auction.bid_placed") && is_sealed(lines, &data(line)["auction"]);
        if let Some(sent) = books.sent.iter_mut().find(|sent| bid && sent.delivery == delivery) {
            sent.of = seq + 1;
            return Some(());
        }
    }
    None
}
/// Of what had ended: what came of it is cut off with its requests.
fn redelivery_forgotten(books: &mut Books) -> Option<()> {
    let lines = effects(books);
    let at = lines.iter().rposition(|line| is(line, "webhook.redelivery_asked"))?;
    let name = data(&lines[at])["delivery"].clone();
    let webhook = data(&lines[at])["webhook"].clone();
    let of = |line: &Line| is(line, "webhook.delivery_attempted") && data(line)["delivery"] == name;
    let ends = |line: &Line| is(line, "webhook.deleted") || is(line, "webhook.disabled");
    let ended = |line: &Line| of(line) && data(line)["outcome"] != "FAILED";
    let owed = !lines.iter().any(|line| ends(line) && data(line)["webhook"] == webhook);
    if !owed || !lines[..at].iter().any(ended) {
        return None;
    }
    let gone: Vec<u64> = lines[at..].iter().filter(|line| of(line)).map(|line| line.seq).collect();
    lines.retain(|line| !gone.contains(&line.seq));
    books.sent.retain(|sent| name != sent.delivery.as_str() || sent.effects <= at as u64);
    for sent in &mut books.sent {
        sent.effects -= gone.iter().filter(|seq| **seq < sent.effects).count() as u64;
    }
    Some(())
}

#[test]
fn the_auditor_finds_what_is_told_twice_too_early_out_of_order_or_not_at_all() {
    let mut left: Vec<_> = MUTANTS.iter().map(|mutant| (mutant, vec![])).collect();
    let mut missed = vec![];
    for (seed, day) in days() {
        left.retain_mut(|((name, tamper, invariants), otherwise)| {
            let mut books = day.clone();
            if tamper(&mut books).is_none() {
                return true;
            }
            reseal(&mut books, "effects", true);
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
