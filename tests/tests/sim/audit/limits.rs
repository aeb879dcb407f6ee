//! What a provider bounds of its offer: how many of its inquiries are open at once, and what a day's acceptances may cost
//! it. Neither is ever above its bound, whatever the logs between have told each other; what has ended is given back,
//! once, and only what was not spent; what is paused is not accepted.

use super::entry::{Amount, Entry, int, money, text};
use super::selection::{Price, Way};
use super::{Audited, must};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 86_400_000_000;

#[derive(Default)]
struct Offer<'a> {
    terms: Option<&'a Value>,
    paused: bool,
    open: i64,
    /// By day and currency.
    spent: BTreeMap<(i64, &'a str), Amount>,
}

struct Counted<'a> {
    offer: &'a str,
    day: i64,
    reserved: Price<'a>,
}

fn is_limited(terms: &Value) -> bool {
    terms.get("max_open").is_some() || terms.get("daily_budget").is_some()
}

/// The most that one inquiry can cost the provider.
fn most<'a>(terms: &'a Value) -> Price<'a> {
    match Way::read(&terms["allocation"]) {
        Way::Auction { forward: false, rules } => {
            let currency = text(rules, "currency");
            rules.get("reserve").and_then(Value::as_str).map(|most| (super::entry::amount(most, currency), currency))
        }
        Way::Claim { forward: false, price } | Way::Routed { forward: false, price, .. } => price,
        Way::Auction { .. } | Way::Claim { .. } | Way::Routed { .. } => None,
    }
}

/// `community`, with the call servers' ends. `over`: it is evening, so everything has ended and was told.
pub fn audit<'a>(logs: &'a BTreeMap<&str, Vec<Entry>>, over: bool) -> Audited {
    let community = logs.get("community").map_or(&[][..], Vec::as_slice);
    let mut offers: BTreeMap<&str, Offer<'a>> = BTreeMap::new();
    let mut counted: BTreeMap<&str, Counted<'a>> = BTreeMap::new();
    for (log, entries) in logs.iter().filter(|(log, _)| **log != "community") {
        ends(log, entries)?;
    }
    for entry in community {
        let kind = entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind);
        if !kind.starts_with("offer.") {
            continue;
        }
        let offer = offers.entry(entry.text("offer")).or_default();
        match kind {
            "offer.published" | "offer.revised" => offer.terms = Some(&entry.data["terms"]),
            "offer.paused" => offer.paused = true,
            "offer.resumed" => offer.paused = false,
            "offer.accepted" => counted.extend(accepted(offer, entry)?.map(|one| (entry.text("inquiry"), one))),
            "offer.place_freed" => {
                let Some(one) = counted.remove(entry.text("inquiry")) else {
                    must!(entry, false, "offer limits", "gives back what was not taken");
                    continue;
                };
                given_back(logs, offer, entry, &one)?;
            }
            _ => {}
        }
    }
    if let (true, Some(last), Some((inquiry, _))) = (over, community.last(), counted.first_key_value()) {
        must!(last, false, "offer limits", "{inquiry} is counted still");
    }
    Ok(())
}

fn accepted<'a>(offer: &mut Offer<'a>, entry: &'a Entry) -> Result<Option<Counted<'a>>, super::Finding> {
    must!(entry, !offer.paused, "offer limits", "its offer is paused");
    let terms = &entry.data["terms"];
    must!(entry, offer.terms == Some(terms), "offer limits", "is accepted on other terms than stand");
    if !is_limited(terms) {
        return Ok(None);
    }
    let (day, reserved) = (entry.time.div_euclid(DAY), most(terms));
    offer.open += 1;
    let within = terms.get("max_open").is_none_or(|_| offer.open <= int(terms, "max_open"));
    must!(entry, within, "offer limits", "{} of it are open", offer.open);
    if let Some((amount, currency)) = reserved {
        let spent = offer.spent.entry((day, currency)).or_default();
        *spent += amount;
        let budget = terms.get("daily_budget").map(money);
        let within = budget.is_none_or(|(budget, of)| of == currency && *spent <= budget);
        must!(entry, within, "offer limits", "{spent} of {budget:?} may be spent");
    }
    Ok(Some(Counted { offer: entry.text("offer"), day, reserved }))
}

/// As the end on the call server says.
fn given_back<'a>(
    logs: &BTreeMap<&str, Vec<Entry>>,
    offer: &mut Offer<'a>,
    entry: &'a Entry,
    counted: &Counted<'a>,
) -> Audited {
    let told = entry.source.as_ref();
    let source = told.and_then(|(log, seq, _)| logs.get(log.as_str())?.get(*seq as usize));
    let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let there = source.zip(told).is_some_and(|(source, (.., hash))| hex(&source.hash) == *hash);
    must!(entry, there, "handover", "has no such source {told:?}");
    let ends = source.is_some_and(|source| {
        source.data.get("freed").is_some()
            && source.text("inquiry") == entry.text("inquiry")
            && source.data["freed"].get("spent") == entry.data.get("spent")
    });
    must!(entry, ends, "offer limits", "has not ended, or cost something else");
    let same = entry.text("offer") == counted.offer
        && entry.int("day") == counted.day
        && entry.money_if("reserved") == counted.reserved;
    must!(entry, same, "offer limits", "took something else");
    offer.open -= 1;
    if let Some((amount, currency)) = counted.reserved {
        let spent = entry.money_if("spent").map_or(0, |(spent, _)| spent);
        must!(entry, spent <= amount, "offer limits", "cost {spent}, and {amount} at most");
        *offer.spent.entry((counted.day, currency)).or_default() -= amount - spent;
    }
    Ok(())
}

/// Each end of an inquiry of an offer with limits says what it has cost the provider, and no other does.
fn ends(log: &str, entries: &[Entry]) -> Audited {
    let mut limited: BTreeMap<&str, (&str, Price<'_>)> = BTreeMap::new();
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    for entry in entries {
        match entry.kind.as_str() {
            "inquiry.registered.v1" if is_limited(&entry.data["terms"]) => {
                limited.insert(entry.text("inquiry"), (entry.text("offer"), None));
            }
            "settlement.escrowed.v1" if entry.party("payer").starts_with("prv_") => {
                if let Some((_, spent)) = limited.get_mut(entry.text("inquiry")) {
                    *spent = Some(entry.money("price"));
                }
            }
            // Who may come back has not ended yet.
            "inquiry.withdrawn.v1" if entry.data.get("place_kept_until").is_some() => {
                must!(entry, entry.data.get("freed").is_none(), "offer limits", "is not over yet");
            }
            "inquiry.withdrawn.v1" | "inquiry.place_lost.v1" | "inquiry.expired.v1" | "inquiry.completed.v1" => {
                let freed = entry.data.get("freed");
                let said = freed.map(|freed| (text(freed, "offer"), freed.get("spent").map(money)));
                let due = limited.get(entry.text("inquiry")).copied();
                must!(entry, said == due, "offer limits", "{log} says {said:?} and not {due:?}");
                must!(entry, ended.insert(entry.text("inquiry")), "consumed once", "ends twice");
            }
            _ => {}
        }
    }
    Ok(())
}
