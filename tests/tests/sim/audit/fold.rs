//! One event against what stands: whether it may be, and what it changes. Inquiries, reservations and sessions
//! are in `inquiry`, money in `money`, bids in `bids`; who wins is judged before, in `award`.

use super::entry::{Entry, int, list, text, texts};
use super::market::{Agent, Auction, Fate, Market, Phase, Queue, Step};
use super::pricing::Rules;
use super::selection::Way;
use super::{Audited, bids, blocks, erasure, inquiry, merges, money, must, places, selection, standing, strikes};
use serde_json::Value;

/// In no report for this long.
const ABSENT_AFTER: i64 = 60_000_000;

pub fn skills<'a>(value: &'a Value, name: &str) -> Vec<(&'a str, i64)> {
    list(value, name).iter().map(|one| (text(one, "name"), int(one, "level"))).collect()
}

pub fn fold<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    money::legs(market, entry)?;
    match entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind) {
        "call_server.started" => places::started(market, entry),
        "call_server.traffic_reported" => places::reported(market, entry),
        "call_server.traffic_expired" => places::expired(market, entry),
        "customer.forgotten" => erasure::forgotten(market, entry, group),
        "queue.opened" => queue_opened(market, entry),
        "queue.retired" => queue_retired(market, entry),
        "queue.merged" => merges::merged(market, entry, group),
        "queue.merge_put_off" => merges::put_off(market, entry, group),
        "agent.registered" => agent_registered(market, entry),
        "agent.updated" => agent_updated(market, entry),
        "agent.status_set" => status_set(market, entry, group),
        "agent.rounds_put_off" | "agent.rounds_resumed" => rounds_wait(market, entry),
        "agent.blocked" | "agent.unblocked" => blocks::agent(market, entry),
        "agent.customer_blocked" | "agent.customer_unblocked" => blocks::customer(market, entry),
        // Its law is about the whole log: `notices`.
        "agent.notices_read" => Ok(()),
        "agent.standing_value_set" => standing::set(market, entry),
        "agent.struck" | "agent.barred" | "agent.bar_ended" | "agent.strikes_forgiven" => {
            strikes::agent(market, entry, group)
        }
        "inquiry.selection_made" => selection::made(market, entry, group),
        "agent.presence_reported" => presence_reported(market, entry),
        "auction.opened" => auction_opened(market, entry, group),
        "auction.extended" => extended(market, entry, group),
        "auction.awarded" => awarded(market, entry),
        "auction.unsold" => closed(market, entry),
        "auction.cancelled" => cancelled(market, entry, group),
        kind if kind.starts_with("auction.bid_") => bids::fold(market, entry),
        kind if kind.starts_with("inquiry.") => inquiry::inquiry(market, entry, group),
        kind if kind.starts_with("reservation.") => inquiry::reservation(market, entry, group),
        kind if kind.starts_with("session.") => inquiry::session(market, entry, group),
        "call_server.credit_limit_granted" => money::limit_granted(market, entry),
        "fee_rule.taken" => money::fee_rule(market, entry),
        kind if kind.starts_with("wallet.") => money::wallet(market, entry),
        kind if kind.starts_with("settlement.") => money::settlement(market, entry, group),
        _ => {
            must!(entry, false, "known events", "is no event of a call server");
            Ok(())
        }
    }
}

fn queue_opened<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let topic = entry.text("topic");
    let open = market.queues.values().any(|queue| queue.topic == topic);
    must!(entry, !open, "queues", "a queue of {topic} is open");
    let queue = Queue {
        topic,
        origin: entry.text("origin"),
        skills: skills(&entry.data, "required_skills"),
        credit: entry.int_if("priority_credit").unwrap_or(0),
        standing: Default::default(),
        into: None,
        has_merged: false,
        moves_at: None,
    };
    market.queues.insert(entry.text("queue"), queue);
    Ok(())
}

fn queue_retired(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let id = entry.text("queue");
    let Some(queue) = market.queues.get(id) else { return unknown(entry) };
    let goes = queue.standing.is_empty() && queue.into.is_none();
    must!(entry, goes, "queues", "is not empty, or was merged");
    let generated = queue.origin == "QUESTION" && !queue.has_merged;
    must!(entry, entry.text_if("last").is_none() || generated, "queues", "only generated queues retire by themselves");
    // With it goes what leads to it; nobody is on the way.
    let leads: Vec<&str> = market.queues.keys().filter(|other| merges::end_of(market, other) == id).copied().collect();
    for other in leads {
        let moving = market.queues.remove(other).is_some_and(|queue| !queue.standing.is_empty());
        must!(entry, !moving, "merges", "{other} leads there, and somebody stands in it");
    }
    Ok(())
}

fn agent_registered<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let number = market.agents.len() as i64 + 1;
    must!(entry, entry.int("number") == number, "agents", "is number {} of {number}", entry.int("number"));
    let agent = Agent {
        number,
        worked_at: entry.time,
        location: entry.text("location"),
        capacity: entry.int("capacity") as usize,
        skills: skills(&entry.data, "skills"),
        affiliated: entry.text_if("affiliated_with"),
        ..Agent::default()
    };
    let twice = market.agents.insert(entry.text("agent"), agent).is_some();
    must!(entry, !twice, "agents", "is registered twice");
    market.roster.push(entry.text("agent"));
    Ok(())
}

fn agent_updated<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let agent = market.agents.get_mut(entry.text("agent"));
    must!(entry, agent.is_some(), "agents", "is unknown");
    let agent = agent.expect("just seen");
    if let Some(capacity) = entry.int_if("capacity") {
        agent.capacity = capacity as usize;
    }
    if entry.data.get("skills").is_some() {
        agent.skills = skills(&entry.data, "skills");
    }
    agent.location = entry.text_if("location").unwrap_or(agent.location);
    if entry.data.get("affiliation_ended") == Some(&Value::Bool(true)) {
        agent.affiliated = None;
    }
    agent.affiliated = entry.text_if("affiliated_with").or(agent.affiliated);
    Ok(())
}

fn status_set(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let agent = entry.text("agent");
    let Some(row) = market.agents.get_mut(agent) else { return unknown(entry) };
    let lapsed = group.iter().any(|other| other.is("reservation.lapsed") && other.text("agent") == agent);
    must!(entry, (entry.text("reason") == "LAPSED") == lapsed, "lapses", "a lapse sets to BREAK, and only a lapse");
    must!(entry, !lapsed || row.available && entry.text("will") == "BREAK", "lapses", "a lapse sets to BREAK");
    let until = row.present_until.take();
    if entry.text("reason") == "ABSENT" {
        let gone = entry.is_tick() && row.available && until.is_some_and(|until| until <= entry.time);
        must!(entry, gone && entry.text("will") == "OFFLINE", "presence", "is bound until {until:?}");
    }
    let available = entry.text("will") == "AVAILABLE";
    // Who comes to work has been idle since then.
    if available && !row.available {
        row.worked_at = entry.time;
    }
    row.available = available;
    Ok(())
}

/// By a node that sees them; or by the platform, which was down when their time ran out.
fn presence_reported(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let agents = texts(&entry.data, "agents");
    must!(entry, !agents.is_empty() && agents.is_sorted_by(|a, b| a < b), "presence", "names {agents:?}");
    let excused = entry.text_if("node").is_none();
    for agent in agents {
        let Some(row) = market.agents.get_mut(agent) else { return unknown(entry) };
        let due = row.present_until.is_some_and(|until| until <= entry.time);
        must!(entry, due || !excused, "presence", "excuses {agent}, who is bound until {:?}", row.present_until);
        if row.available {
            row.present_until = Some(entry.time + ABSENT_AFTER);
        }
    }
    Ok(())
}

/// More rounds than one decision may open wait for the agent's next one.
fn rounds_wait(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let until = entry.int_if("until");
    let others = list(&entry.data, "others").iter().filter_map(serde_json::Value::as_str);
    for agent in std::iter::once(entry.text("agent")).chain(others) {
        let Some(row) = market.agents.get_mut(agent) else { return unknown(entry) };
        must!(entry, until.is_some() != row.rounds_at.is_some(), "rounds", "waits for rounds already, or not at all");
        row.rounds_at = until;
    }
    Ok(())
}

fn auction_opened<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (id, about) = (entry.text("auction"), entry.text("inquiry"));
    let rival = market.auctions.values().any(|other| other.inquiry == about && other.phase != Phase::Closed);
    must!(entry, !rival, "no double award", "another auction of the inquiry is open or awarded");
    let Some(inquiry) = market.inquiries.get_mut(about) else {
        must!(entry, false, "no lost inquiry", "is about nothing");
        return Ok(());
    };
    let rules = Rules::read(&entry.data["rules"]);
    let round = inquiry.auctions.len() + 1;
    // Who comes back is bid for anew, whatever was bid before it left.
    let comes_back = group.iter().any(|other| other.is("inquiry.resumed") && other.text("inquiry") == about);
    let may = round <= inquiry.way.rounds() || comes_back;
    must!(entry, entry.int("round") as usize == round && may, "rounds", "is round {round}");
    let accepted = matches!(inquiry.way, Way::Auction { rules, .. } if entry.data["rules"] == *rules);
    must!(entry, accepted, "auction terms", "has other rules than were accepted");
    must!(entry, entry.int("closes_at") == entry.time + rules.open_for, "auction terms", "closes at another time");
    let hard = rules.hard_close.map(|span| entry.time + span);
    must!(entry, entry.int_if("hard_closes_at") == hard, "auction terms", "closes hard at another time");
    must!(entry, inquiry.step != Step::Early, "business hours", "is auctioned before the hours of its offer");
    must!(entry, inquiry.session.is_none() && inquiry.step != Step::Closed, "no double award", "is served or closed");
    if let Some(since) = inquiry.waits_since.take() {
        inquiry.wait_left = 0.max(inquiry.wait_left - (entry.time - since));
    }
    inquiry.step = Step::InAuction;
    inquiry.auctions.push(id);
    let auction = Auction {
        inquiry: about,
        closes_at: entry.int("closes_at"),
        rules,
        phase: Phase::Open,
        hard,
        moved: false,
        bids: vec![],
        counts: Default::default(),
        bidders: vec![],
        price: None,
        winner: None,
        holds: Default::default(),
    };
    market.auctions.insert(id, auction);
    standing::opened(market, id);
    Ok(())
}

/// By an accepted bid to now + soft close, never beyond the hard close; or by the platform, once.
fn extended(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let Some(auction) = market.auctions.get_mut(entry.text("auction")) else { return unknown(entry) };
    must!(entry, auction.phase == Phase::Open, "auction terms", "is not open");
    let (closes_at, hard) = (entry.int("closes_at"), entry.int_if("hard_closes_at"));
    let soft = auction.rules.soft_close;
    match entry.text_if("bid") {
        Some(bid) => {
            let placed = group.iter().any(|other| other.is("auction.bid_placed") && other.text("bid") == bid);
            let expected = soft.zip(auction.hard).map(|(soft, hard)| (entry.time + soft).min(hard));
            let right = placed && expected == Some(closes_at) && hard == auction.hard && closes_at > auction.closes_at;
            must!(entry, right, "soft close", "moves to {closes_at}, {expected:?} would be right");
        }
        None => {
            let expected = entry.time + soft.unwrap_or(0).max(30_000_000);
            let later = auction.hard.map(|hard| hard.max(expected));
            let right = entry.is_tick() && !auction.moved && closes_at == expected && hard == later;
            must!(entry, right, "late platform", "moves to {closes_at}, {expected} would be right");
            auction.moved = true;
        }
    }
    (auction.closes_at, auction.hard) = (closes_at, hard);
    Ok(())
}

fn awarded<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let Some(auction) = market.auctions.get_mut(entry.text("auction")) else { return unknown(entry) };
    let (price, currency) = entry.money("price");
    must!(entry, entry.money("hold") == (price, currency), "holds = live bids", "holds another amount than the price");
    let asked = market.inquiries[auction.inquiry].reservations.iter().any(|id| market.reservations[id].pending);
    must!(entry, !asked && auction.phase != Phase::Closed, "no double award", "somebody else has the award");
    let at = auction.bids.iter().position(|bid| bid.id == entry.text("bid") && bid.agent == entry.text("agent"));
    must!(entry, at.is_some(), "winner", "is a bid that was never placed");
    let at = at.expect("just seen");
    auction.bids[at].fate = Fate::Won;
    auction.phase = Phase::Awarded;
    auction.winner = Some((at, price));
    let provider = market.inquiries[auction.inquiry].provider;
    let payer = if auction.rules.forward { auction.bids[at].agent } else { provider };
    auction.holds.insert(payer, price);
    Ok(())
}

fn closed(market: &mut Market<'_>, entry: &Entry) -> Audited {
    let Some(auction) = market.auctions.get_mut(entry.text("auction")) else { return unknown(entry) };
    must!(entry, auction.phase != Phase::Closed, "auction terms", "is closed already");
    let left = auction.counts.values().find(|at| matches!(auction.bids[**at].fate, Fate::Live | Fate::Won));
    must!(entry, left.is_none(), "losers", "{left:?} was told nothing");
    auction.phase = Phase::Closed;
    auction.winner = None;
    Ok(())
}

/// With its inquiry: what counted is lost, and nothing stays held.
fn cancelled(market: &mut Market<'_>, entry: &Entry, group: &[Entry]) -> Audited {
    let withdrawn =
        group.iter().any(|other| other.is("inquiry.withdrawn") && other.text("inquiry") == entry.text("inquiry"));
    must!(entry, withdrawn, "auction terms", "its inquiry stays");
    if let Some(auction) = market.auctions.get_mut(entry.text("auction")) {
        let provider = market.inquiries[auction.inquiry].provider;
        if !auction.rules.forward {
            auction.holds.remove(provider);
        }
    }
    closed(market, entry)
}

pub fn unknown(entry: &Entry) -> Audited {
    must!(entry, false, "known things", "is about something that never began");
    Ok(())
}
