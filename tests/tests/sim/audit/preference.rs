//! The preferred agent: who served a customer last is chosen before anybody, and waited for while it is merely busy. The
//! rules once more, from the words of ADR 50 and the stored JSON.

use super::entry::Entry;
use super::market::{Inquiry, Market};
use super::{Audited, must};

const COOL_OFF: i64 = 5 * 60_000_000;
/// So many prefer one agent at once.
const HELD: usize = 10;

#[derive(Clone, Copy)]
pub struct Preferred<'a> {
    pub agent: &'a str,
    pub lasts: i64,
    /// None before its offer's hours begin.
    pub until: Option<i64>,
}

/// `inquiry.information_answered`: who is preferred, and for how long.
pub fn answered<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let row = &market.inquiries[entry.text("inquiry")];
    let last = entry.text_if("last_agent");
    must!(entry, last.is_none() || row.prefers > 0, "preferred agent", "names who is preferred by nobody's terms");
    let waiting = |agent: &str| {
        let others = market.inquiries.values().filter_map(|one| one.preferred);
        others.filter(|preferred| preferred.agent == agent).count()
    };
    let known = last.filter(|agent| market.agents.contains_key(agent) && waiting(agent) < HELD);
    let lasts = known.map(|_| row.prefers);
    must!(entry, entry.int_if("preferred_for") == lasts, "preferred agent", "should be preferred for {lasts:?}");
    let preferred = known.zip(lasts).map(|(agent, lasts)| Preferred {
        agent,
        lasts,
        until: row.begins_at.is_none().then_some(entry.time + lasts),
    });
    market.inquiries.get_mut(entry.text("inquiry")).expect("just seen").preferred = preferred;
    Ok(())
}

/// `inquiry.preference_ended`: at its instant, by itself.
pub fn ended<'a>(row: &mut Inquiry<'a>, entry: &'a Entry) -> Audited {
    let preferred = row.preferred.take();
    let due = preferred.and_then(|preferred| preferred.until);
    must!(entry, entry.is_tick() && due.is_some_and(|due| due <= entry.time), "preferred agent", "ends before {due:?}");
    let agent = preferred.map(|preferred| preferred.agent);
    must!(entry, agent == Some(entry.text("agent")), "preferred agent", "is about another than {agent:?}");
    Ok(())
}

/// Its agent would have it, had it nothing else to do.
pub fn holds<'a>(market: &Market<'a>, inquiry: &Inquiry<'a>, now: i64) -> bool {
    let Some(Preferred { agent, .. }) = inquiry.preferred else { return false };
    let row = &market.agents[agent];
    let refused = inquiry.reservations.iter().enumerate().any(|(at, id)| {
        let asked = &market.reservations[id];
        let ended = asked.ended_at.filter(|_| asked.agent == agent);
        ended.is_some_and(|ended| asked.declined && now < ended + COOL_OFF || asked.lapsed && at >= inquiry.chain_from)
    });
    let busy = !row.wrap_ups.is_empty() || !row.guest_in.is_empty() || row.load() >= row.capacity;
    row.available && busy && !refused && market.suits(agent, inquiry)
}
