//! An inquiry's way from its queues to its end, the agents that are asked about it, and their talk.

use super::entry::{Entry, text, texts};
use super::fold::{skills, unknown};
use super::market::{Fate, Inquiry, Market, Reservation, Session, Step, covers};
use super::selection::{self, Way};
use super::{Audited, conference, erasure, hours, merges, must, preference};
use std::collections::{BTreeMap, BTreeSet};

/// A customer that leaves may come back so long, and so often.
const PLACE_KEPT: i64 = 15 * 60_000_000;
const COMEBACKS: u32 = 10;

/// The inquiry that nobody waits for any more, by this event: it is over, or its conversation is.
pub fn ended_by(entry: &Entry) -> Option<&str> {
    let over = match entry.kind.as_str() {
        "inquiry.withdrawn.v1" => entry.data.get("place_kept_until").is_none(),
        "inquiry.place_lost.v1" | "inquiry.expired.v1" | "inquiry.completed.v1" | "session.ended.v1" => true,
        _ => false,
    };
    over.then(|| entry.text("inquiry"))
}

pub fn inquiry<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let id = entry.text("inquiry");
    if entry.is("inquiry.registered") {
        return registered(market, entry);
    }
    let Some(row) = market.inquiries.get_mut(id) else { return unknown(entry) };
    must!(entry, row.step != Step::Closed, "consumed once", "is closed already");
    match entry.kind.as_str() {
        "inquiry.information_requested.v1" => return Ok(()),
        "inquiry.information_answered.v1" => return preference::answered(market, entry),
        "inquiry.preference_ended.v1" => return preference::ended(row, entry),
        "inquiry.topics_confirmed.v1" => {
            must!(entry, row.session.is_some(), "topics", "is explained by nobody who has it");
            let session = row.session.and_then(|session| market.sessions.get(session));
            let has = session.is_some_and(|session| session.agent == entry.text("agent"));
            must!(entry, has, "topics", "is explained by another agent than the one who has it");
            let topics = super::entry::list(&entry.data, "topics");
            must!(entry, !topics.is_empty(), "topics", "is about nothing");
            let twice = topics.iter().enumerate().any(|(at, topic)| topics[..at].contains(topic));
            must!(entry, !twice, "topics", "is about something twice");
            return Ok(());
        }
        "inquiry.put_off.v1" => {
            let due = row.begins_at;
            must!(entry, due.is_some_and(|due| due <= entry.time), "business hours", "is put off before {due:?}");
            let opening = row.hours.and_then(|hours| hours::opening(hours, entry.time));
            must!(entry, opening == Some(entry.int("begins_at")), "business hours", "opens at {opening:?}");
            row.begins_at = opening;
            return Ok(());
        }
        "inquiry.began.v1" => {
            let due = row.begins_at.take();
            must!(entry, due.is_some_and(|due| due <= entry.time), "business hours", "begins before {due:?}");
            let opening = row.hours.and_then(|hours| hours::opening(hours, entry.time));
            must!(entry, opening.is_none(), "business hours", "begins while it is closed until {opening:?}");
            let expires = entry.time + row.wait_left;
            must!(entry, entry.int("expires_at") == expires, "deadlines", "expires at {expires}");
            (row.step, row.waits_since) = (Step::Queued, Some(entry.time));
            if let Some(preferred) = &mut row.preferred {
                preferred.until = Some(entry.time + preferred.lasts);
            }
            return Ok(());
        }
        "inquiry.relaxed.v1" => return relaxed(market, entry),
        "inquiry.moved.v1" => return merges::moved(market, entry, group),
        "inquiry.requeued.v1" => {
            let from = matches!(row.step, Step::InAuction | Step::Reserved) && row.session.is_none();
            must!(entry, from, "consumed once", "goes back from {:?}", row.step);
            let expires = entry.time + row.wait_left;
            must!(entry, entry.int("expires_at") == expires, "deadlines", "expires at {expires}");
            (row.step, row.waits_since) = (Step::Queued, Some(entry.time));
            // Who is asked from here on is asked in another chain.
            row.chain_from = row.reservations.len();
            let again = selection::selects_at(market, &market.inquiries[id], entry.time);
            market.inquiries.get_mut(id).expect("just seen").selects_at = again;
            return Ok(());
        }
        "inquiry.withdrawn.v1" => {
            let may = matches!(row.step, Step::Early | Step::Queued | Step::InAuction | Step::Reserved);
            must!(entry, may, "consumed once", "is withdrawn when {:?}", row.step);
            let asked = entry.role != "SYSTEM" || erasure::forgets(group, row.customer);
            must!(entry, asked, "erasure", "is withdrawn by nobody");
            let returns = entry.role == "CUSTOMER" && row.step != Step::Early && row.comebacks < COMEBACKS;
            let kept = returns.then_some(entry.time + PLACE_KEPT);
            must!(entry, entry.int_if("place_kept_until") == kept, "kept places", "should be kept until {kept:?}");
            if kept.is_some() {
                if let Some(since) = row.waits_since.take() {
                    row.wait_left = 0.max(row.wait_left - (entry.time - since));
                }
                (row.step, row.kept_until, row.selects_at) = (Step::Away, kept, None);
                row.preferred = None;
                return Ok(());
            }
        }
        "inquiry.resumed.v1" => {
            let in_time = row.kept_until.take().is_some_and(|until| entry.time < until);
            must!(entry, in_time && row.step == Step::Away, "kept places", "comes back from {:?}, or late", row.step);
            let expires = entry.time + row.wait_left;
            must!(entry, entry.int("expires_at") == expires, "deadlines", "expires at {expires}");
            (row.step, row.waits_since) = (Step::Queued, Some(entry.time));
            (row.comebacks, row.chain_from) = (row.comebacks + 1, row.reservations.len());
            return Ok(());
        }
        "inquiry.place_kept.v1" => {
            let was_lost = row.kept_until.is_some_and(|until| until <= entry.time);
            let until = entry.time + PLACE_KEPT;
            must!(entry, was_lost && entry.int("until") == until, "kept places", "should be kept until {until}");
            row.kept_until = Some(until);
            return Ok(());
        }
        "inquiry.place_lost.v1" => {
            let due = row.kept_until.take();
            let erased = erasure::forgets(group, row.customer);
            let lost = due.is_some_and(|due| due <= entry.time || erased);
            must!(entry, lost, "kept places", "is lost before {due:?}");
        }
        "inquiry.expired.v1" => {
            let due = row.waits_since.map(|since| since + row.wait_left);
            must!(entry, due.is_some_and(|due| due <= entry.time), "deadlines", "expires before {due:?}");
        }
        "inquiry.completed.v1" => {
            must!(entry, row.session.is_some() && row.done, "consumed once", "is completed with nobody done");
            let paid = group.iter().any(|other| other.is("settlement.pending") && other.text("inquiry") == id);
            must!(entry, paid == row.settled, "settled", "its money does not move");
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    (row.step, row.waits_since, row.selects_at, row.chosen) = (Step::Closed, None, None, None);
    (row.begins_at, row.preferred) = (None, None);
    market.queues.values_mut().for_each(|queue| queue.leaves(id));
    Ok(())
}

/// Every skill that is asked for anywhere, at the highest level.
pub fn wanted<'a>(own: &[(&'a str, i64)], topics: &[&'a str], of_queues: &[(&'a str, i64)]) -> BTreeMap<&'a str, i64> {
    let mut all: BTreeMap<&str, i64> = topics.iter().map(|topic| (*topic, 1)).collect();
    for (name, level) in own.iter().chain(of_queues) {
        let known = all.entry(name).or_default();
        *known = (*known).max(*level);
    }
    all
}

/// When the next ring begins, while it waits: all that it has waited counts.
pub fn relaxes_at(row: &Inquiry<'_>) -> Option<i64> {
    let after = super::entry::int(row.relaxation.get(row.rings)?, "after");
    Some(row.waits_since? + 0.max(after - (row.max_wait - row.wait_left)))
}

/// With so many rings entered: the topics that name a skill, and how much lower levels may be.
pub fn ring_of<'r, 'a>(row: &'r Inquiry<'a>, rings: usize) -> (&'r [&'a str], i64) {
    let Some(ring) = rings.checked_sub(1).and_then(|at| row.relaxation.get(at)) else { return (&row.topics, 0) };
    let any = ring.get("any_topic").is_some_and(|any| *any == true);
    let lower = ring.get("lower_levels").and_then(|levels| levels.as_i64()).unwrap_or(0);
    (if any { &[] } else { &row.topics }, lower)
}

/// `inquiry.relaxed`: in time, one ring after another, and what is asked for is what that ring says.
fn relaxed<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let id = entry.text("inquiry");
    let row = &market.inquiries[id];
    let due = relaxes_at(row);
    let in_time = entry.is_tick() && row.step == Step::Queued && due.is_some_and(|due| due <= entry.time);
    must!(entry, in_time, "relaxation", "is relaxed before {due:?}");
    must!(entry, entry.int("ring") == row.rings as i64 + 1, "relaxation", "{} rings were before", row.rings);
    let (topics, lower) = ring_of(row, row.rings + 1);
    let of_queues: Vec<_> = row.queues.iter().flat_map(|queue| market.queues[queue].skills.clone()).collect();
    let asked: BTreeMap<&str, i64> = wanted(&row.own_skills, topics, &of_queues)
        .into_iter()
        .map(|(name, level)| (name, 1.max(level - lower)))
        .collect();
    let found = skills(&entry.data, "desired_skills");
    let same = found.len() == asked.len() && found.iter().all(|(name, level)| asked.get(name) == Some(level));
    must!(entry, same, "relaxation", "asks for {found:?} and not {asked:?}");
    let row = market.inquiries.get_mut(id).expect("just seen");
    (row.rings, row.skills) = (row.rings + 1, found);
    Ok(())
}

/// Into every queue that fits, with every skill that is asked for anywhere.
fn registered<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (id, terms) = (entry.text("inquiry"), &entry.data["terms"]);
    let topics = texts(&entry.data, "topics");
    let fitting: BTreeSet<&str> = market
        .queues
        .iter()
        .filter(|(_, queue)| topics.iter().any(|topic| covers(queue.topic, topic)))
        .map(|(id, _)| merges::end_of(market, id))
        .collect();
    let queues = texts(&entry.data, "queues");
    let found: BTreeSet<&str> = queues.iter().copied().collect();
    must!(entry, found == fitting && queues.len() == found.len(), "queues", "stands in {found:?}, {fitting:?} fit");
    let own = topics.iter().all(|topic| market.queues.values().any(|queue| queue.topic == *topic));
    must!(entry, own, "queues", "a topic has no queue of its own");

    let own_skills = skills(terms, "required_skills");
    let of_queues: Vec<_> = queues.iter().flat_map(|queue| market.queues[queue].skills.clone()).collect();
    let desired = wanted(&own_skills, &topics, &of_queues);
    let found = skills(&entry.data, "desired_skills");
    let same = found.len() == desired.len() && found.iter().all(|(name, level)| desired.get(name) == Some(level));
    must!(entry, same, "who may bid", "asks for {found:?} and not {desired:?}");
    let accepted_at = entry.int("accepted_at");
    let step = queues.iter().map(|queue| market.queues[queue].credit).max().unwrap_or(0);
    let stands_at = accepted_at - step * terms.get("priority").and_then(|steps| steps.as_i64()).unwrap_or(0);
    let ahead = (stands_at != accepted_at).then_some(stands_at);
    must!(entry, entry.int_if("stands_at") == ahead, "queue order", "should stand at {stands_at}");
    for queue in &queues {
        market.queues.get_mut(queue).expect("just seen").standing.insert(id);
    }
    let way = Way::read(&terms["allocation"]);
    let comes = entry.text("initiator") != "CONTACT_CENTER";
    let begins_at = terms.get("hours").filter(|_| comes).and_then(|hours| hours::opening(hours, entry.time));
    must!(entry, entry.int_if("begins_at") == begins_at, "business hours", "begins at {begins_at:?}");
    let row = Inquiry {
        ends_soon: false,
        unpaid: entry.text_if("started_by").filter(|_| way.provider_pays()),
        step: if begins_at.is_some() { Step::Early } else { Step::Queued },
        begins_at,
        hours: terms.get("hours"),
        provider: entry.text("provider"),
        customer: entry.text("customer"),
        accepted_at: entry.int("accepted_at"),
        way,
        topics,
        chain_from: 0,
        selects_at: None,
        kept_until: None,
        comebacks: 0,
        chosen: None,
        owed: None,
        consent_window: terms["consent_window"].as_i64().expect("a span"),
        wrap_up: terms.get("wrap_up").and_then(|span| span.as_i64()),
        independent: terms["independent_agents_only"] == true,
        skills: found,
        own_skills,
        relaxation: terms.get("relaxation").and_then(|rings| rings.as_array()).map_or(&[], Vec::as_slice),
        rings: 0,
        prefers: terms.get("prefer_last_agent_for").and_then(|span| span.as_i64()).unwrap_or(0),
        preferred: None,
        max_wait: terms["max_wait"].as_i64().expect("a span"),
        queues,
        place: (stands_at, id),
        wait_left: terms["max_wait"].as_i64().expect("a span"),
        waits_since: begins_at.is_none().then_some(entry.time),
        auctions: vec![],
        reservations: vec![],
        session: None,
        settled: false,
        done: false,
    };
    must!(entry, market.inquiries.insert(id, row).is_none(), "no lost inquiry", "is registered twice");
    Ok(())
}

pub fn reservation<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    if entry.is("reservation.opened") {
        let invites = entry.data.get("invitation").is_some();
        return if invites { conference::opened(market, entry) } else { opened(market, entry) };
    }
    if market.invitations.contains_key(entry.text("reservation")) {
        return conference::answered(market, entry, group);
    }
    let Some(row) = market.reservations.get_mut(entry.text("reservation")) else { return unknown(entry) };
    must!(entry, row.pending && row.agent == entry.text("agent"), "consumed once", "is over, or another agent's");
    if entry.is("reservation.viewed") {
        must!(entry, entry.time < row.deadline, "deadlines", "is past its deadline");
        return Ok(());
    }
    (row.pending, row.ended_at) = (false, Some(entry.time));
    let (agent, won, inquiry, price) = (row.agent, row.won, row.inquiry, row.price);
    match entry.kind.as_str() {
        "reservation.accepted.v1" => {
            must!(entry, entry.time < row.deadline, "deadlines", "is past its deadline");
            let opens = group.iter().any(|other| other.is("session.opened") && other.text("inquiry") == inquiry);
            let pays = group.iter().any(|other| other.is("settlement.escrowed") && other.text("inquiry") == inquiry);
            must!(entry, opens && pays == price.is_some(), "atomic", "consent opens the session and pays");
            must!(entry, !market.inquiries[inquiry].ends_soon, "erasure", "is given what is to end");
            market.inquiries.get_mut(inquiry).expect("known").owed = price;
        }
        "reservation.declined.v1" => {
            must!(entry, entry.time < row.deadline, "deadlines", "is past its deadline");
            row.declined = true;
        }
        "reservation.lapsed.v1" => {
            let due = row.deadline <= entry.time;
            row.lapsed = true;
            let breaks = group.iter().any(|other| other.is("agent.status_set") && other.text("agent") == agent);
            let available = market.agents.get(agent).is_some_and(|agent| agent.available);
            must!(entry, !market.inquiries[inquiry].ends_soon, "erasure", "is blamed for what is to end");
            must!(entry, due && breaks == available, "lapses", "lapses before {}, or without a break", row.deadline);
        }
        "reservation.rescinded.v1" => {
            if let Some((auction, _)) = won {
                let auction = market.auctions.get_mut(auction).expect("what was won was auctioned");
                auction.holds.remove(agent);
                let provider = market.inquiries[inquiry].provider;
                if !auction.rules.forward {
                    auction.holds.remove(provider);
                }
            }
            let gone = group.iter().any(|other| other.is("inquiry.withdrawn") && other.text("inquiry") == inquiry)
                || market.inquiries[inquiry].ends_soon;
            must!(entry, gone == (entry.text("reason") == "INQUIRY_GONE"), "lapses", "is rescinded for no reason");
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    let rescinded = entry.is("reservation.rescinded");
    let gone = rescinded && entry.text("reason") == "INQUIRY_GONE";
    if won.is_none() && !gone && !entry.is("reservation.accepted") {
        selection::second_agent(entry, group)?;
    }
    let row = market.agents.get_mut(agent).expect("who is asked is registered");
    row.asked.remove(entry.text("reservation"));
    // Who was asked in vain through no doing of its own has been idle all along.
    if !rescinded {
        row.worked_at = entry.time;
    }
    Ok(())
}

fn opened<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (id, about, agent) = (entry.text("reservation"), entry.text("inquiry"), entry.text("agent"));
    let Some(inquiry) = market.inquiries.get(about) else { return unknown(entry) };
    let asked = inquiry.reservations.iter().any(|one| market.reservations[one].pending);
    must!(entry, !asked && inquiry.session.is_none(), "no double award", "somebody else has the inquiry");
    let won = match entry.text("purpose") {
        "SELECTED" => {
            selection::reserved(market, entry)?;
            None
        }
        _ => Some(awarded_to(market, entry)?),
    };
    let inquiry = market.inquiries.get_mut(about).expect("just seen");
    must!(entry, entry.int("deadline") == entry.time + inquiry.consent_window, "deadlines", "has another deadline");
    must!(entry, entry.int("attempt") as usize == inquiry.reservations.len() + 1, "second agent", "counts wrong");
    let row = market.agents.get_mut(agent).expect("who bids is registered");
    row.asked.insert(id);
    let (load, capacity) = (row.load(), row.capacity);
    must!(entry, load <= capacity, "no agent beyond capacity", "{agent} has {load} of {capacity}");
    must!(entry, row.wrap_ups.is_empty(), "no agent beyond capacity", "{agent} is in wrap-up");
    must!(entry, row.guest_in.is_empty(), "no agent beyond capacity", "{agent} is in a conference");
    if let Some(since) = inquiry.waits_since.take() {
        inquiry.wait_left = 0.max(inquiry.wait_left - (entry.time - since));
    }
    (inquiry.step, inquiry.selects_at) = (Step::Reserved, None);
    inquiry.reservations.push(id);
    let reservation = Reservation {
        inquiry: about,
        agent,
        won,
        price: entry.money_if("price"),
        payer: entry.data.get("payer").map(|_| entry.party("payer")),
        deadline: entry.int("deadline"),
        pending: true,
        declined: false,
        lapsed: false,
        ended_at: None,
    };
    must!(entry, market.reservations.insert(id, reservation).is_none(), "known things", "began before");
    Ok(())
}

/// By an auction that stands awarded to it, which holds the price.
fn awarded_to<'a>(market: &Market<'a>, entry: &'a Entry) -> Result<(&'a str, &'a str), super::Finding> {
    let (agent, bid) = (entry.text("agent"), entry.text("bid"));
    let auction = market.auctions.get(entry.text("auction"));
    let theirs = auction.is_some_and(|auction| {
        let winner = auction.winner.filter(|(at, _)| auction.bids[*at].fate == Fate::Won);
        let won = winner.is_some_and(|(at, price)| {
            auction.bids[at].agent == agent && auction.bids[at].id == bid && entry.money("price").0 == price
        });
        won && auction.inquiry == entry.text("inquiry")
    });
    must!(entry, theirs && entry.text("purpose") == "AWARDED", "no double award", "is not the winner's");
    must!(entry, entry.data.get("payer").is_none(), "holds = live bids", "is held twice");
    Ok((entry.text("auction"), bid))
}

pub fn session<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (id, about) = (entry.text("session"), entry.text("inquiry"));
    let Some(inquiry) = market.inquiries.get_mut(about) else { return unknown(entry) };
    if entry.is("session.opened") {
        let agent = entry.text("agent");
        let consents = |other: &Entry| {
            other.is("reservation.accepted") && other.text("inquiry") == about && other.text("agent") == agent
        };
        must!(entry, inquiry.session.is_none(), "no double award", "the inquiry is served already");
        // Who claims consents by it, and pays at once.
        let claims = inquiry.chosen.take_if(|(chosen, _)| *chosen == agent && matches!(inquiry.way, Way::Claim { .. }));
        let settles = |other: &Entry| other.is("settlement.escrowed") && other.text("inquiry") == about;
        match claims {
            Some((_, price)) => {
                must!(entry, group.iter().any(settles) == price.is_some(), "atomic", "a claim pays at once");
                inquiry.owed = price;
            }
            None => must!(entry, group.iter().any(consents), "no double award", "nobody consented"),
        }
        (inquiry.waits_since, inquiry.selects_at, inquiry.preferred) = (None, None, None);
        inquiry.session = Some(id);
        inquiry.step = Step::Engaged;
        market.queues.values_mut().for_each(|queue| queue.leaves(about));
        let row = market.agents.get_mut(agent).expect("who consents is registered");
        row.sessions.insert(id);
        row.worked_at = entry.time;
        let session = Session {
            inquiry: about,
            agent,
            customer: entry.text("customer"),
            channel: entry.text("channel"),
            agents: vec![agent],
            invitations: Default::default(),
            sides: Default::default(),
            telephone: entry.text("kind") == "TELEPHONE",
            connected: false,
            idle_at: Some(entry.time + 30 * 60_000_000),
            ends_at: Some(entry.time + 8 * 3_600_000_000),
            handed_over: Default::default(),
            open: true,
            ended_at: None,
            wrap_up: None,
            recorded: false,
        };
        must!(entry, inquiry.customer == session.customer, "consumed once", "is another customer's");
        market.sessions.insert(id, session);
        return Ok(());
    }
    const ELSEWHERE: [&str; 6] =
        ["agent_joined", "agent_left", "channel_opened", "channel_connected", "channel_closed", "kept"];
    if ELSEWHERE.iter().any(|kind| entry.is(&format!("session.{kind}"))) {
        return conference::happened(market, entry, group);
    }
    let Some(row) = market.sessions.get_mut(id) else { return unknown(entry) };
    must!(entry, row.inquiry == about, "known things", "is about another inquiry");
    let agent = market.agents.get_mut(row.agent).expect("who talks is registered");
    let in_a_day = row.ended_at.is_none_or(|at| entry.time < at + 86_400_000_000);
    match entry.kind.as_str() {
        "session.message_sent.v1" => {
            let channel = entry.text("channel");
            let side = row.sides.get(channel);
            must!(entry, row.open && (channel == row.channel || side.is_some()), "sessions", "is closed, or elsewhere");
            must!(
                entry,
                side.is_some() == entry.data.get("side").is_some(),
                "conference",
                "is said on another channel"
            );
            let may = |agent: &str| side.map_or(row.agents.contains(&agent), |two| two.contains(&agent));
            let right = entry.text_if("agent").map_or(side.is_none(), may);
            must!(entry, right, "conference", "is said by somebody who is not on the channel");
            row.stirs(entry.time);
        }
        "session.ended.v1" => {
            must!(entry, row.open, "sessions", "ends twice");
            let alone = row.agents == [entry.text("agent")] && row.invitations.is_empty();
            must!(entry, alone, "conference", "ends with {:?} in it", row.agents);
            let due = row.idle_at.into_iter().chain(row.ends_at).min();
            let by_itself = entry.text("by") == "SYSTEM";
            let may = due.is_some_and(|due| due <= entry.time) || erasure::forgets(group, inquiry.customer);
            must!(entry, !by_itself || may, "deadlines", "ends before {due:?}");
            (row.open, row.idle_at, row.ends_at) = (false, None, None);
            row.sides.clear();
            row.wrap_up = inquiry.wrap_up.map(|span| entry.time + span);
            must!(
                entry,
                entry.int_if("wrap_up_deadline") == row.wrap_up,
                "deadlines",
                "wraps up until {:?}",
                row.wrap_up
            );
            agent.sessions.remove(id);
            agent.worked_at = entry.time;
            if row.wrap_up.is_some() {
                agent.wrap_ups.insert(id);
                inquiry.step = Step::WrapUp;
            } else {
                row.ended_at = Some(entry.time);
                inquiry.done = true;
            }
        }
        "session.notes_saved.v1" => must!(entry, in_a_day, "sessions", "is over for a day"),
        "session.wrap_up_extended.v1" => {
            let until = entry.int("wrap_up_deadline");
            let handed = row.handed_over.get_mut(entry.text("agent")).filter(|_| entry.text("agent") != row.agent);
            let old = handed.as_deref().copied().or(row.wrap_up);
            must!(entry, old.is_some_and(|old| old < until), "deadlines", "does not extend {old:?}");
            match handed {
                Some(old) => *old = until,
                None => row.wrap_up = Some(until),
            }
        }
        "session.wrap_up_completed.v1" if entry.text("agent") != row.agent => {
            let handed = row.handed_over.remove(entry.text("agent"));
            must!(entry, handed.is_some(), "sessions", "nobody of that name hands it over");
            let agent = market.agents.get_mut(entry.text("agent")).expect("known");
            agent.wrap_ups.remove(id);
            agent.worked_at = entry.time;
        }
        "session.wrap_up_completed.v1" => {
            must!(entry, !row.recorded && !row.open && in_a_day, "consumed once", "is recorded twice, or too late");
            row.recorded = true;
            if row.wrap_up.take().is_some() {
                agent.wrap_ups.remove(id);
                agent.worked_at = entry.time;
                row.ended_at = Some(entry.time);
                inquiry.done = true;
            }
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    must!(entry, text(&entry.data, "session") == id, "known things", "names another session");
    Ok(())
}
