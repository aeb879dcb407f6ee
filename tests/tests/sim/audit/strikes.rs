//! Strikes, recounted from the reservations that auctions gave: each that is declined or lapses is a strike of its agent,
//! in the same decision, and nothing else is. The third that stands at once bars the agent for an hour, and so does each
//! while it is barred; who is barred names no bid. A bar's end, or an operator, clears all of it.

use super::entry::Entry;
use super::fold::unknown;
use super::market::Market;
use super::{Audited, must};

const FORGOTTEN_AFTER: i64 = 86_400_000_000;
const BARRED_FOR: i64 = 3_600_000_000;

pub fn agent(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    match entry.kind.as_str() {
        "agent.struck.v1" => struck(market, entry, group),
        "agent.barred.v1" => barred(market, entry),
        _ => cleared(market, entry),
    }
}

fn is_refusal(entry: &Entry) -> bool {
    entry.is("reservation.declined") || entry.is("reservation.lapsed")
}

fn struck(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let (agent, asked) = (entry.text("agent"), entry.text("reservation"));
    let refused = group.iter().find(|one| is_refusal(one) && one.text("reservation") == asked && one.seq < entry.seq);
    let how = refused.map(|one| if one.is("reservation.lapsed") { "LAPSED" } else { "DECLINED" });
    must!(entry, how == Some(entry.text("reason")), "strikes", "is for what was {how:?}");
    let won = market.reservations.get(asked).filter(|one| one.agent == agent).and_then(|one| one.won);
    let auction = won.map(|(auction, _)| auction);
    must!(entry, auction == Some(entry.text("auction")), "strikes", "is for what {agent} won in {auction:?}");
    let until = entry.time + FORGOTTEN_AFTER;
    must!(entry, entry.int("until") == until, "strikes", "is forgotten at another time than {until}");
    let Some(row) = market.agents.get_mut(agent) else { return unknown(entry) };
    row.strikes.retain(|until| entry.time < *until);
    row.strikes.push(until);
    row.owes_bar = row.strikes.len() >= 3 || row.barred_until.is_some();
    Ok(())
}

fn barred(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let Some(row) = market.agents.get_mut(entry.text("agent")) else { return unknown(entry) };
    let owed = std::mem::take(&mut row.owes_bar);
    must!(entry, owed, "strikes", "comes with {:?} standing", row.strikes);
    let until = entry.time + BARRED_FOR;
    must!(entry, entry.int("until") == until, "strikes", "ends at another time than {until}");
    row.barred_until = Some(until);
    Ok(())
}

fn cleared(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let Some(row) = market.agents.get_mut(entry.text("agent")) else { return unknown(entry) };
    let until = row.barred_until.take();
    if entry.is("agent.bar_ended") {
        let due = until.is_some_and(|until| until <= entry.time);
        must!(entry, due && entry.is_tick(), "strikes", "ends a bar until {until:?}");
    } else {
        let standing = row.strikes.iter().any(|until| entry.time < *until) || until.is_some();
        must!(
            entry,
            standing && entry.role == "OPERATOR",
            "strikes",
            "there is nothing to forgive, or it is no operator"
        );
    }
    row.strikes.clear();
    Ok(())
}

/// At the end of a command: nobody was spared.
pub fn after(market: &Market<'_>, group: &[Entry]) -> Audited {
    for entry in group.iter().filter(|entry| is_refusal(entry)) {
        let asked = entry.text("reservation");
        // Of a customer that is erased nobody could have had it.
        let gone = |about: &str| market.inquiries.get(about).is_some_and(|row| row.ends_soon);
        let won = market.reservations.get(asked).is_some_and(|one| one.won.is_some() && !gone(one.inquiry));
        let counted = group.iter().filter(|one| one.is("agent.struck") && one.text("reservation") == asked).count();
        must!(entry, counted == usize::from(won), "strikes", "{asked} gave {counted} strikes");
    }
    for entry in group.iter().filter(|entry| entry.is("agent.struck")) {
        let owes = market.agents.get(entry.text("agent")).is_none_or(|row| row.owes_bar);
        must!(entry, !owes, "strikes", "is one too many, and {} is not barred", entry.text("agent"));
    }
    Ok(())
}

/// Whether the agent may name a bid.
pub fn is_barred(market: &Market<'_>, agent: &str) -> bool {
    market.agents.get(agent).is_none_or(|row| row.barred_until.is_some())
}
