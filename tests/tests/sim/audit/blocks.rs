//! Who is kept from whom: between a provider and an agent that it blocks nothing begins, by no way, until the block is
//! taken back. What stood before it goes on.

use super::entry::Entry;
use super::fold::unknown;
use super::market::Market;
use super::{Audited, must};

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
    let known = market.inquiries.get(about).map(|row| row.provider);
    let Some(provider) = known.or_else(|| came().map(|one| one.text("provider"))) else { return unknown(entry) };
    must!(entry, !are_apart(market, agent, provider), "blocks", "{agent} gets {about}, which {provider} keeps from it");
    Ok(())
}
