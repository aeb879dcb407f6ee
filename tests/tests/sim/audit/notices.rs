//! What agents say that they have read: each its own, and what it was told before.

use super::entry::Entry;
use super::{Audited, must};

/// What tells an agent something.
const TELLING: [&str; 9] = [
    "reservation.opened",
    "reservation.lapsed",
    "reservation.rescinded",
    "reservation.invitation_answered",
    "agent.status_set",
    "auction.bid_outbid",
    "auction.awarded",
    "auction.bid_lost",
    "auction.bid_forfeited",
];

pub fn audit(entries: &[Entry]) -> Audited {
    for entry in entries.iter().filter(|entry| entry.is("agent.notices_read")) {
        let agent = entry.text("agent");
        must!(entry, entry.role == "AGENT", "notices", "is read by {}", entry.role);
        must!(entry, entry.actor.as_deref() == Some(agent), "notices", "is read by {:?}", entry.actor);
        let through = entry.int("through");
        let told = usize::try_from(through).ok().and_then(|at| entries.get(at)).filter(|told| told.seq < entry.seq);
        let told = told.filter(|told| told.text_if("agent") == Some(agent));
        let tells = told.is_some_and(|told| TELLING.iter().any(|kind| told.is(kind)));
        must!(entry, tells, "notices", "{agent} was told nothing at {through}");
    }
    Ok(())
}
