//! Who is kept from whom: between a provider and an agent that it blocks nothing begins, by no way, until the block is
//! taken back; nor between an agent and a customer whom it keeps away from, until that one is erased. What stood before
//! it goes on. Of whom a provider blocks `community` accepts nothing for it.

use super::entry::Entry;
use super::fold::unknown;
use super::market::Market;
use super::{Audited, must};
use std::collections::BTreeSet;

/// Whether this provider keeps the agent from its inquiries, or the agent is unknown.
pub fn are_apart(market: &Market<'_>, agent: &str, provider: &str) -> bool {
    market.agents.get(agent).is_none_or(|row| row.blocked_by.contains(provider))
}

/// Set, or taken back, by the provider or for it.
pub fn agent<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let may = matches!(entry.role.as_str(), "PROVIDER" | "OPERATOR");
    must!(entry, may, "blocks", "is asked for by {}", entry.role);
    let Some(row) = market.agents.get_mut(entry.text("agent")) else { return unknown(entry) };
    let provider = entry.text("provider");
    if entry.is("agent.blocked") {
        row.blocked_by.insert(provider);
    } else {
        row.blocked_by.remove(provider);
    }
    Ok(())
}

/// Whom an agent keeps away from, set or taken back by itself or for it.
pub fn customer<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let may = matches!(entry.role.as_str(), "AGENT" | "OPERATOR");
    must!(entry, may, "blocks", "is asked for by {}", entry.role);
    let Some(row) = market.agents.get_mut(entry.text("agent")) else { return unknown(entry) };
    let customer = entry.text("customer");
    if entry.is("agent.customer_blocked") {
        row.keeps_from.insert(customer);
    } else {
        row.keeps_from.remove(customer);
    }
    Ok(())
}

/// `community`: nothing is accepted of whom its offer's provider blocks.
pub fn audit(community: &[Entry]) -> Audited {
    let mut apart: BTreeSet<(&str, &str)> = BTreeSet::new();
    for entry in community {
        let pair = || (entry.text("provider"), entry.text("customer"));
        match entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind) {
            "provider.customer_blocked" | "provider.customer_unblocked" => {
                let may = matches!(entry.role.as_str(), "PROVIDER" | "OPERATOR");
                must!(entry, may, "blocks", "is asked for by {}", entry.role);
                match entry.is("provider.customer_blocked") {
                    true => apart.insert(pair()),
                    false => apart.remove(&pair()),
                };
            }
            "customer.erased" => apart.retain(|(_, customer)| *customer != entry.text("customer")),
            "offer.accepted" => must!(entry, !apart.contains(&pair()), "blocks", "is of whom its provider blocks"),
            _ => {}
        }
    }
    Ok(())
}

/// Before an event is folded: whoever gets an inquiry by it may have it. A reservation of before the block may still
/// become a session, so sessions are not asked.
pub fn before(market: &Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let begins = match entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind) {
        "auction.bid_placed" | "auction.awarded" | "reservation.opened" => Some(entry.text("agent")),
        "inquiry.selection_made" => entry.text_if("agent"),
        _ => None,
    };
    let Some(agent) = begins else { return Ok(()) };
    let about = entry.text("inquiry");
    let came = || group.iter().find(|one| one.is("inquiry.registered") && one.text("inquiry") == about);
    let known = market.inquiries.get(about).map(|row| (row.provider, row.customer));
    let known = known.or_else(|| came().map(|one| (one.text("provider"), one.text("customer"))));
    let Some((provider, customer)) = known else { return unknown(entry) };
    must!(entry, !are_apart(market, agent, provider), "blocks", "{agent} gets {about}, which {provider} keeps from it");
    let keeps = market.agents.get(agent).is_some_and(|row| row.keeps_from.contains(customer));
    must!(entry, !keeps, "blocks", "{agent} gets {about}, and keeps away from {customer}");
    Ok(())
}
