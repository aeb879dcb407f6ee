//! Nothing outlives its deadline: before a command at an instant, everything due by then is settled, the
//! earliest first. Where the platform was late, nobody is blamed; where it was not, nobody is spared.

use super::entry::Entry;
use super::inquiry;
use super::market::{Market, Phase};
use super::places;
use super::{Audited, Finding, must};

/// A writer began, or had its store back, at an instant of its clock; the log had `length` events.
#[derive(Clone, Debug)]
pub struct Up {
    pub log: String,
    pub at: i64,
    pub length: u64,
}

/// A deadline this far back means the platform was late.
const LATE: i64 = 10_000_000;

/// Every deadline that stands.
fn standing<'a>(market: &Market<'a>) -> Vec<(i64, &'a str)> {
    let mut due = vec![];
    let open = market.auctions.iter().filter(|(_, one)| one.phase == Phase::Open);
    due.extend(open.map(|(id, one)| (one.closes_at, *id)));
    due.extend(market.reservations.iter().filter(|(_, one)| one.pending).map(|(id, one)| (one.deadline, *id)));
    let waiting = market.inquiries.iter().filter_map(|(id, one)| Some((one.waits_since? + one.wait_left, *id)));
    due.extend(waiting);
    due.extend(market.inquiries.iter().filter_map(|(id, one)| Some((one.begins_at?, *id))));
    due.extend(market.inquiries.iter().filter_map(|(id, one)| Some((one.selects_at?, *id))));
    due.extend(market.inquiries.iter().filter_map(|(id, one)| Some((inquiry::relaxes_at(one)?, *id))));
    due.extend(market.inquiries.iter().filter_map(|(id, one)| Some((one.preferred?.until?, *id))));
    due.extend(places::ends(market));
    due.extend(market.queues.iter().filter_map(|(id, one)| Some((one.moves_at?, *id))));
    due.extend(market.forgets.iter().map(|(id, at)| (*at, *id)));
    due.extend(market.inquiries.iter().filter_map(|(id, one)| Some((one.kept_until?, *id))));
    due.extend(market.invitations.iter().filter(|(_, one)| one.pending).map(|(id, one)| (one.deadline, *id)));
    due.extend(market.sessions.iter().filter_map(|(id, one)| Some((one.wrap_up?, *id))));
    due.extend(market.sessions.iter().filter_map(|(id, one)| Some((one.idle_at?, *id))));
    due.extend(market.sessions.iter().filter_map(|(id, one)| Some((one.ends_at?, *id))));
    due.extend(market.sessions.values().flat_map(|one| one.handed_over.iter().map(|(agent, at)| (*at, *agent))));
    due.extend(market.agents.iter().filter_map(|(id, one)| Some((one.rounds_at?, *id))));
    let values = market.agents.iter().flat_map(|(id, one)| one.values.iter().map(move |value| (id, value)));
    due.extend(values.filter_map(|(id, value)| Some((value.until?, *id))));
    due.extend(market.agents.iter().filter_map(|(id, one)| Some((one.present_until?, *id))));
    due.extend(market.agents.iter().filter_map(|(id, one)| Some((one.barred_until?, *id))));
    due.extend(market.settlements.iter().filter_map(|(id, one)| Some((one.payable_at?, *id))));
    due
}

/// The earliest deadline before the group, with all that fall due then.
pub type Due<'a> = Option<(i64, Vec<&'a str>)>;

pub fn before<'a>(market: &Market<'a>, group: &[Entry]) -> Result<Due<'a>, Finding> {
    let first = &group[0];
    let all = standing(market);
    let Some(earliest) = all.iter().map(|(due, _)| *due).min() else {
        must!(first, !first.is_tick(), "deadlines", "nothing is due");
        return Ok(None);
    };
    if first.is_tick() {
        must!(first, earliest <= first.time, "deadlines", "nothing is due before {earliest}");
        return Ok(Some((earliest, all.into_iter().filter(|(due, _)| *due == earliest).map(|(_, id)| id).collect())));
    }
    let left: Vec<_> = all.iter().filter(|(due, _)| *due <= first.time).collect();
    must!(first, left.is_empty(), "no state past its deadline", "comes at {} before {left:?} is settled", first.time);
    Ok(None)
}

pub fn after(market: &Market<'_>, group: &[Entry], due: Due<'_>, ups: &[&Up]) -> Audited {
    let first = &group[0];
    let Some((due, ids)) = due else { return Ok(()) };
    let now = standing(market);
    // An agent may have two deadlines at one instant: its wrap-up's, and until when it was seen.
    let of = |all: &[&str], id: &str| all.iter().filter(|other| **other == id).count();
    let left: Vec<&str> = now.iter().filter(|(at, _)| *at == due).map(|(_, id)| *id).collect();
    // Back from elsewhere, an inquiry may have come by two rings: the second is due at the same instant.
    let relaxed = |id: &&str| group.iter().any(|entry| entry.is("inquiry.relaxed") && entry.text("inquiry") == *id);
    let settled = ids.iter().any(|id| of(&left, id) < of(&ids, id) || relaxed(id));
    must!(first, settled, "no state past its deadline", "a timer settled none of {ids:?}");
    let spared = group.iter().find(|entry| {
        entry.is("reservation.rescinded") && entry.text("reason") == "PLATFORM_LATE"
            || entry.is("session.kept")
            || entry.is("inquiry.place_kept")
            || entry.is("auction.extended") && entry.text_if("bid").is_none()
            || entry.is("agent.presence_reported")
    });
    let long = first.time - due > LATE;
    if let Some(entry) = spared {
        let was_down = ups.iter().any(|up| due < up.at && up.length <= first.seq);
        must!(entry, long || was_down, "late platform", "was in time for {due}");
    }
    // A closing is moved once, and a second agent is asked at once.
    // What has just opened may be bought at once.
    let opened = |id: &str| group.iter().any(|entry| entry.is("auction.opened") && entry.text("auction") == id);
    let unmoved = |entry: &&Entry| {
        let id = entry.text("auction");
        market.auctions.get(id).is_some_and(|auction| !auction.moved) && !opened(id)
    };
    let asked_before = group.iter().any(|entry| entry.is("reservation.lapsed") || entry.is("reservation.rescinded"));
    let closing = group.iter().filter(|entry| entry.is("auction.awarded") || entry.is("auction.unsold")).find(unmoved);
    let lapsed = group.iter().find(|entry| entry.is("reservation.lapsed"));
    let absent = group.iter().find(|entry| entry.is("agent.status_set") && entry.text("reason") == "ABSENT");
    let ended = group.iter().find(|entry| entry.is("session.ended") && entry.text("by") == "SYSTEM");
    let ended = ended.or(group.iter().find(|entry| entry.is("inquiry.place_lost")));
    // An erasure is nobody's delay.
    let ended = ended.filter(|_| !group.iter().any(|entry| entry.is("customer.forgotten")));
    let harmed = lapsed.or(absent).or(ended).or(closing.filter(|_| !asked_before));
    if let Some(entry) = harmed {
        must!(entry, !long, "late platform", "blames somebody for {due}, {} us ago", first.time - due);
    }
    Ok(())
}
