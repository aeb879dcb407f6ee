//! Who else is in a session: who is asked into it, who joins, takes over and leaves, and channels beside MAIN.
//!
//! The laws: nobody comes uninvited; a session has its first agent for as long as it is open; whoever is there as a
//! third agent is asked for nothing else; who invited is told what came of it, once; nothing of it moves money; what is
//! said beside MAIN is said between the two agents on that channel.

use super::entry::{Entry, list, text};
use super::fold::{skills, unknown};
use super::market::{Invitation, Market, covers};
use super::{Audited, must, places};

const IDLE: i64 = 30 * 60_000_000;

pub fn opened<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (id, about, agent) = (entry.text("reservation"), entry.text("inquiry"), entry.text("agent"));
    let given = &entry.data["invitation"];
    let (session, by) = (text(given, "session"), text(given, "by"));
    let transfer = entry.text("purpose") == "TRANSFER";
    let Some(row) = market.sessions.get_mut(session) else { return unknown(entry) };
    must!(entry, row.open && row.inquiry == about, "conference", "is into a session that is over, or another's");
    let moneyless = ["price", "auction", "bid"].iter().all(|name| entry.data.get(*name).is_none());
    must!(entry, moneyless, "conference", "an invitation moves money");
    let inquiry = &market.inquiries[about];
    must!(entry, entry.int("deadline") == entry.time + inquiry.consent_window, "deadlines", "has another deadline");
    let inside = row.agents.contains(&agent);
    must!(entry, !inside || transfer && row.agents[0] != agent, "conference", "{agent} is there already");
    let wanted = skills(given, "skills");
    if !inside {
        let fit = market.agents.get(agent).is_some_and(|one| {
            let skilled =
                |want: &(&str, i64)| one.skills.iter().any(|(name, level)| *level >= want.1 && covers(name, want.0));
            let independent = !inquiry.independent || one.affiliated != Some(inquiry.provider);
            one.is_free() && independent && wanted.iter().all(skilled)
        });
        must!(entry, fit, "conference", "{agent} is not free for it, or cannot do it");
    }
    // By name is a choice of a person.
    let avoided = !wanted.is_empty() && places::is_avoided(market, agent, None);
    must!(entry, !avoided, "location traffic", "{agent} is selected where too much goes on");
    let chosen = given.get("why").is_some();
    must!(entry, chosen != wanted.is_empty(), "conference", "is chosen with nothing to choose by, or without a word");
    let row = market.sessions.get_mut(session).expect("just seen");
    row.invitations.insert(id);
    let there = row.agents.len() + row.invitations.len();
    must!(entry, there <= 8, "conference", "{there} agents are there or asked to come");
    market.agents.get_mut(agent).expect("just seen").asked.insert(id);
    let deadline = entry.int("deadline");
    let skilled = !list(given, "skills").is_empty();
    let row = Invitation { session, agent, by, transfer, skilled, deadline, pending: true, told: false };
    must!(entry, market.invitations.insert(id, row).is_none(), "known things", "began before");
    Ok(())
}

/// Whatever comes after the opening.
pub fn answered<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let id = entry.text("reservation");
    let row = market.invitations.get_mut(id).expect("the caller has seen it");
    if entry.is("reservation.invitation_answered") {
        must!(entry, !row.pending && !row.told, "conference", "is told before its end, or twice");
        must!(
            entry,
            row.by == entry.text("agent") && row.agent == entry.text("invited"),
            "conference",
            "tells another"
        );
        row.told = true;
        // Whoever is free now may be asked about another inquiry, too.
        let here = |one: &&Entry| one.is("reservation.opened") && one.text("inquiry") == entry.text("inquiry");
        let next = group.iter().find(here).map(|one| one.text("agent"));
        must!(
            entry,
            entry.text_if("next") == next,
            "conference",
            "names {:?}, {next:?} is asked",
            entry.text_if("next")
        );
        must!(entry, next.is_none() || row.skilled, "conference", "somebody is asked after who was named");
        return Ok(());
    }
    must!(entry, row.pending && row.agent == entry.text("agent"), "consumed once", "is over, or another agent's");
    if entry.is("reservation.viewed") {
        must!(entry, entry.time < row.deadline, "deadlines", "is past its deadline");
        return Ok(());
    }
    row.pending = false;
    let (agent, session) = (row.agent, row.session);
    let tells = group.iter().any(|one| one.is("reservation.invitation_answered") && one.text("reservation") == id);
    match entry.kind.as_str() {
        "reservation.accepted.v1" => {
            must!(entry, entry.time < row.deadline, "deadlines", "is past its deadline");
            let first = row.transfer;
            let joins = |one: &Entry| {
                one.is("session.agent_joined")
                    && one.text("reservation") == id
                    && (one.data.get("first") == Some(&serde_json::Value::Bool(true))) == first
            };
            must!(entry, tells && group.iter().any(joins), "atomic", "consent joins the session, and is told");
        }
        "reservation.declined.v1" => {
            must!(entry, tells && entry.time < row.deadline, "deadlines", "is past its deadline, or not told");
        }
        "reservation.lapsed.v1" => {
            let breaks = group.iter().any(|one| one.is("agent.status_set") && one.text("agent") == agent);
            let available = market.agents.get(agent).is_some_and(|agent| agent.available);
            let right = tells && row.deadline <= entry.time && breaks == available;
            must!(entry, right, "lapses", "lapses before {}, without a break, or untold", row.deadline);
        }
        "reservation.rescinded.v1" => {
            let over = group.iter().any(|one| one.is("session.ended") && one.text("session") == session);
            let right = match entry.text("reason") {
                "SESSION_OVER" => over,
                "PLATFORM_LATE" => tells && entry.is_tick(),
                // The customer is erased: nobody is blamed for what ends by itself.
                "INQUIRY_GONE" => tells && entry.is_tick() && market.inquiries[entry.text("inquiry")].ends_soon,
                reason => reason == "TAKEN_BACK" && !over,
            };
            must!(entry, right, "lapses", "is rescinded for no reason");
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    let one = market.agents.get_mut(agent).expect("who is asked is registered");
    one.asked.remove(id);
    if !entry.is("reservation.rescinded") {
        one.worked_at = entry.time;
    }
    market.sessions.get_mut(session).expect("an invitation has its session").invitations.remove(id);
    Ok(())
}

/// What happens in a session beside its opening, its end and its wrap-up.
pub fn happened<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let id = entry.text("session");
    let Some(row) = market.sessions.get_mut(id) else { return unknown(entry) };
    must!(entry, row.open, "sessions", "is over");
    match entry.kind.as_str() {
        "session.agent_joined.v1" => {
            let agent = entry.text("agent");
            let invited = market.invitations.get(entry.text("reservation"));
            let came = invited.is_some_and(|one| one.session == id && one.agent == agent && !one.pending);
            must!(entry, came, "conference", "{agent} comes uninvited");
            let first = entry.data.get("first").is_some();
            must!(entry, invited.is_some_and(|one| one.transfer == first), "conference", "{agent} takes another part");
            // Who is relieved of the lead has worked until now, too.
            if first {
                market.agents.get_mut(row.agent).expect("known").worked_at = entry.time;
            }
            row.agents.retain(|one| *one != agent);
            row.agents.insert(if first { 0 } else { row.agents.len() }, agent);
            let one = market.agents.get_mut(agent).expect("known");
            one.worked_at = entry.time;
            one.sessions.insert(id);
            if first {
                one.guest_in.remove(id);
                row.agent = agent;
            } else {
                one.guest_in.insert(id);
            }
        }
        "session.agent_left.v1" => {
            let agent = entry.text("agent");
            must!(entry, row.agents.contains(&agent) && row.agents[0] != agent, "conference", "{agent} cannot leave");
            let hands_over = group.iter().any(|one| one.is("session.agent_joined") && one.data.get("first").is_some());
            let wrap_up = market.inquiries[row.inquiry].wrap_up.filter(|_| hands_over).map(|span| entry.time + span);
            must!(entry, entry.int_if("wrap_up_deadline") == wrap_up, "deadlines", "wraps up until {wrap_up:?}");
            row.agents.retain(|one| *one != agent);
            row.sides.retain(|_, between| !between.contains(&agent));
            let one = market.agents.get_mut(agent).expect("known");
            one.worked_at = entry.time;
            one.sessions.remove(id);
            one.guest_in.remove(id);
            if let Some(until) = wrap_up {
                one.wrap_ups.insert(id);
                row.handed_over.insert(agent, until);
            }
        }
        "session.channel_opened.v1" => {
            let between = [entry.text("by"), entry.text("agent")];
            let right = between[0] != between[1] && between.iter().all(|agent| row.agents.contains(agent));
            must!(entry, right, "conference", "joins {between:?}, {:?} are there", row.agents);
            row.sides.insert(entry.text("channel"), between);
        }
        "session.channel_connected.v1" => {
            let channel = entry.text("channel");
            let side = entry.data.get("side").is_some();
            must!(entry, side == row.sides.contains_key(channel), "conference", "is another channel");
            must!(entry, side || row.telephone && channel == row.channel, "conference", "nobody dials it");
            row.connected |= !side;
        }
        "session.channel_closed.v1" => {
            let between = row.sides.remove(entry.text("channel"));
            let right =
                between.is_some_and(|two| two.contains(&entry.text("by")) && two.contains(&entry.text("agent")));
            must!(entry, right, "conference", "is not theirs to close");
        }
        "session.kept.v1" => {
            let until = entry.int("until");
            must!(entry, entry.is_tick() && until == entry.time + IDLE, "late platform", "goes on until {until}");
            row.idle_at = row.idle_at.map(|at| at.max(until));
            row.ends_at = row.ends_at.map(|at| at.max(until));
            return Ok(());
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    // Who leaves because it ends keeps it from nothing.
    if !group.iter().any(|one| one.is("session.ended") && one.text("session") == id) {
        row.stirs(entry.time);
    }
    Ok(())
}
