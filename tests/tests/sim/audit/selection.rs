//! Who has an inquiry without an auction: whoever selects it, or whom the platform selects. The rules are told once
//! more, from the design's words and the stored JSON: who could have it, who of them is first by the policy, at which
//! price, and why the others are left out. And nobody waits beside an agent that could have what it waits for.

use super::entry::{Amount, Entry, int, list, money, text};
use super::market::{Inquiry, Market, Step, covers};
use super::{Audited, must, places, preference, standing};
use serde_json::Value;

/// Who declines is not asked again so soon.
const COOL_OFF: i64 = 5 * 60_000_000;
/// Of the ranking, what is recorded in full.
const RANKED: usize = 20;

pub type Price<'a> = Option<(Amount, &'a str)>;

/// How agents come to an inquiry.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    Auction { forward: bool, rules: &'a Value },
    Claim { forward: bool, price: Price<'a> },
    Routed { forward: bool, policy: &'a str, price: Price<'a> },
}

impl<'a> Way<'a> {
    pub fn read(allocation: &'a Value) -> Way<'a> {
        let forward = |one: &Value| text(one, "direction") == "FORWARD";
        let price = |one: &'a Value| one.get("price").map(money);
        if let Some(rules) = allocation.get("auction") {
            Way::Auction { forward: forward(rules), rules }
        } else if let Some(one) = allocation.get("claim") {
            Way::Claim { forward: forward(one), price: price(one) }
        } else {
            let one = &allocation["routed"];
            Way::Routed { forward: forward(one), policy: text(one, "policy"), price: price(one) }
        }
    }
    pub fn forward(&self) -> bool {
        match self {
            Way::Auction { forward, .. } | Way::Claim { forward, .. } | Way::Routed { forward, .. } => *forward,
        }
    }
    /// Whoever assists is paid for it.
    pub fn provider_pays(&self) -> bool {
        match self {
            Way::Auction { forward, .. } => !forward,
            Way::Claim { forward, price } | Way::Routed { forward, price, .. } => !forward && price.is_some(),
        }
    }
    /// How often it may be auctioned.
    pub fn rounds(&self) -> usize {
        match self {
            Way::Auction { rules, .. } => int(rules, "rounds") as usize,
            Way::Claim { .. } | Way::Routed { .. } => 0,
        }
    }
}

struct Contender<'a> {
    agent: &'a str,
    /// What the policy compares, then load, then since when it is idle, then its number: the least first.
    rank: (Amount, usize, i64, i64),
    price: Price<'a>,
    score: Option<String>,
}

/// Whole microseconds as seconds with six decimals.
fn seconds(span: i64) -> String {
    format!("{}.{:06}", span / 1_000_000, span % 1_000_000)
}

/// Whoever pays has the money now.
fn can_pay(market: &Market<'_>, payer: &str, price: Price<'_>) -> bool {
    price.is_none_or(|(amount, currency)| market.free(payer, currency).is_none_or(|free| free >= amount))
}

/// An agent's place in the ranking of a routed inquiry, or for what it is left out: the first of the reasons in the
/// order of the design.
fn look<'a>(
    market: &Market<'a>,
    inquiry: &Inquiry<'a>,
    agent: &'a str,
    now: i64,
) -> Result<Contender<'a>, &'static str> {
    let Way::Routed { forward, policy, price } = inquiry.way else { return Err("NOT_ROUTED") };
    let row = &market.agents[agent];
    for (at, id) in inquiry.reservations.iter().enumerate() {
        let asked = &market.reservations[id];
        let Some(ended) = asked.ended_at.filter(|_| asked.agent == agent) else { continue };
        if asked.declined && now < ended + COOL_OFF {
            return Err("DECLINED_COOL_OFF");
        }
        if asked.lapsed && at >= inquiry.chain_from {
            return Err("ALREADY_ASKED");
        }
    }
    if let Some(reason) = market.unfit(agent, inquiry, 0) {
        return Err(reason);
    }
    if places::is_avoided(market, agent, None) {
        return Err("LOCATION_AVOIDED");
    }
    let best = |wanted: &str| row.skills.iter().filter(|(name, _)| covers(name, wanted)).map(|one| one.1).max();
    let (first, score, price) = match policy {
        "LONGEST_IDLE" => (0, Some(seconds(now - row.worked_at)), price),
        "BEST_SKILLED" => {
            let sum: i64 = inquiry.skills.iter().map(|(name, _)| best(name).unwrap_or(0)).sum();
            (-Amount::from(sum), Some(sum.to_string()), price)
        }
        "ROUND_ROBIN" => (Amount::from(row.selected), Some(row.selected.to_string()), price),
        _ => {
            let (bound, currency) = price.ok_or("TOPIC_MISMATCH")?;
            let value = standing::value_of(row, &inquiry.topics, forward, currency, now);
            let within = value.filter(|value| if forward { *value >= bound } else { *value <= bound });
            let value = within.ok_or("TOPIC_MISMATCH")?;
            (if forward { -value } else { value }, None, Some((value, currency)))
        }
    };
    let payer = if forward { agent } else { inquiry.provider };
    if !can_pay(market, payer, price) {
        return Err("NO_FUNDS");
    }
    if preference::holds(market, inquiry, now) {
        return Err("HELD_FOR_PREFERRED");
    }
    Ok(Contender { agent, rank: (first, row.load(), row.worked_at, row.number), price, score })
}

/// Whether somebody could have a routed inquiry now.
pub fn somebody_could<'a>(market: &Market<'a>, inquiry: &Inquiry<'a>, now: i64) -> bool {
    matches!(inquiry.way, Way::Routed { .. })
        && market.roster.iter().any(|agent| look(market, inquiry, agent, now).is_ok())
}

/// When the first refusal of it is long enough ago: the platform selects again then.
pub fn selects_at<'a>(market: &Market<'a>, inquiry: &Inquiry<'a>, now: i64) -> Option<i64> {
    let Way::Routed { .. } = inquiry.way else { return None };
    let declined = inquiry.reservations.iter().map(|id| &market.reservations[id]).filter(|one| one.declined);
    declined.filter_map(|one| Some(one.ended_at? + COOL_OFF)).filter(|until| now < *until).min()
}

/// `inquiry.selection_made`, against what stands just before it.
pub fn made<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let inquiry = &market.inquiries[entry.text("inquiry")];
    let asked = inquiry.reservations.iter().any(|one| market.reservations[one].pending);
    let waits = matches!(inquiry.step, Step::Queued | Step::Reserved) && !asked && inquiry.session.is_none();
    must!(entry, waits && inquiry.chosen.is_none(), "no double award", "is chosen for again");
    if matches!(inquiry.way, Way::Routed { .. }) && !has_occasion(entry, inquiry, group) {
        // That nobody was found is told only where somebody had to be looked for.
        must!(entry, entry.text_if("agent").is_some(), "selection", "looks for somebody with no occasion");
        let first = market.roster.iter().any(|agent| is_first_for(market, inquiry, agent, entry.time));
        must!(entry, first, "queue order", "is the first for none of those who could have it");
    }
    let chosen = match inquiry.way {
        Way::Claim { forward, price } => Some(claimed(market, entry, inquiry, forward, price)?),
        Way::Routed { policy, .. } => selected(market, entry, inquiry, policy)?,
        Way::Auction { .. } => {
            must!(entry, false, "selection", "is bid for, and nobody selects");
            None
        }
    };
    let why = &entry.data["why"];
    let agent = chosen.map(|(agent, _)| agent);
    let named = why.get("chosen").and_then(Value::as_str);
    must!(entry, entry.text_if("agent") == agent && named == agent, "selection", "{agent:?} should have been chosen");
    let selects_at = if agent.is_none() { selects_at(market, inquiry, entry.time) } else { inquiry.selects_at };
    let inquiry = market.inquiries.get_mut(entry.text("inquiry")).expect("just seen");
    (inquiry.chosen, inquiry.selects_at) = (chosen, selects_at);
    Ok(())
}

/// It is looked for because of itself: it came, its chain ended, a refusal cooled off. Else an agent became free.
fn has_occasion(entry: &Entry, inquiry: &Inquiry<'_>, group: &[Entry]) -> bool {
    // Before the choice: what it leads to is no occasion for it.
    let about = |one: &&Entry| one.seq < entry.seq && one.text_if("inquiry") == Some(entry.text("inquiry"));
    let called = group.iter().filter(about).any(|one| {
        let kind = one.kind.as_str();
        matches!(
            kind,
            "inquiry.registered.v1"
                | "inquiry.began.v1"
                | "inquiry.resumed.v1"
                | "inquiry.relaxed.v1"
                | "inquiry.preference_ended.v1"
        ) || kind.starts_with("reservation.")
    });
    called || entry.is_tick() && inquiry.selects_at.is_some_and(|at| at <= entry.time)
}

/// Of all that wait, nothing that the agent could have stands before it.
fn is_first_for<'a>(market: &Market<'a>, inquiry: &Inquiry<'a>, agent: &'a str, now: i64) -> bool {
    let before = |other: &&Inquiry<'a>| {
        let waits = other.waits_since.is_some_and(|since| now < since + other.wait_left);
        other.step == Step::Queued && waits && other.place < inquiry.place
    };
    let could = |one: &Inquiry<'a>| look(market, one, agent, now).is_ok();
    could(inquiry) && !market.inquiries.values().filter(before).any(could)
}

/// It takes what it sees: one that waits, that it may have, and that can be paid for.
fn claimed<'a>(
    market: &Market<'a>,
    entry: &'a Entry,
    inquiry: &Inquiry<'a>,
    forward: bool,
    price: Price<'a>,
) -> Result<(&'a str, Price<'a>), super::Finding> {
    let agent = entry.text("agent");
    let waits = inquiry.waits_since.is_some_and(|since| since + inquiry.wait_left > entry.time);
    must!(entry, inquiry.step == Step::Queued && waits, "claims", "does not wait any more");
    must!(entry, entry.role == "AGENT", "claims", "is selected by {}", entry.role);
    let unfit = market.unfit(agent, inquiry, 0);
    must!(entry, unfit.is_none(), "claims", "{agent} is {unfit:?}");
    let payer = if forward { agent } else { inquiry.provider };
    must!(entry, can_pay(market, payer, price), "claims", "{payer} cannot pay {price:?}");
    let why = &entry.data["why"];
    let ranked = list(why, "ranked");
    let alone = text(why, "rule") == "claim/1" && list(why, "excluded").is_empty() && ranked.len() == 1;
    let number = market.agents[agent].number.to_string();
    let says = alone && text(&ranked[0], "subject") == agent && text(&ranked[0], "tie_key") == number;
    must!(entry, says && ranked[0].get("amount").map(money) == price, "why", "says otherwise of who took it itself");
    Ok((agent, price))
}

/// The first of those who could have it, with everybody else's reason.
fn selected<'a>(
    market: &Market<'a>,
    entry: &'a Entry,
    inquiry: &Inquiry<'a>,
    policy: &str,
) -> Result<Option<(&'a str, Price<'a>)>, super::Finding> {
    let why = &entry.data["why"];
    let mut contenders: Vec<Contender<'a>> = vec![];
    let mut excluded: Vec<(&str, Vec<i64>)> = vec![];
    for agent in &market.roster {
        match look(market, inquiry, agent, entry.time) {
            Ok(one) => contenders.push(one),
            Err(reason) => {
                let number = market.agents[agent].number;
                match excluded.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, numbers)) => numbers.push(number),
                    None => excluded.push((reason, vec![number])),
                }
            }
        }
    }
    let preferred = inquiry.preferred.map(|preferred| preferred.agent);
    contenders.sort_by_key(|one| (preferred != Some(one.agent), one.rank));
    let by_preference = contenders.first().is_some_and(|one| preferred == Some(one.agent));
    let rule = if by_preference { "preferred_agent/1".to_owned() } else { format!("{}/1", policy.to_lowercase()) };
    must!(entry, text(why, "rule") == rule, "why", "was chosen by {rule}");
    let numbers =
        |one: &Value| list(one, "agents").iter().map(|one| one.as_i64().expect("a number")).collect::<Vec<_>>();
    let found: Vec<(&str, Vec<i64>)> =
        list(why, "excluded").iter().map(|one| (text(one, "reason"), numbers(one))).collect();
    must!(entry, found == excluded, "exclusions", "leaves out {found:?} and not {excluded:?}");
    let said: Vec<_> = list(why, "ranked").iter().map(|one| text(one, "subject")).collect();
    let first: Vec<_> = contenders.iter().take(RANKED).map(|one| one.agent).collect();
    must!(entry, said == first, "selection", "ranks {said:?} and not {first:?}");
    for (one, said) in contenders.iter().zip(list(why, "ranked")) {
        let (_, load, since, number) = one.rank;
        let tie = format!("load {load}, idle {}, agent {number}", seconds(entry.time - since));
        let score = said.get("score").and_then(Value::as_str);
        let right = said.get("amount").map(money) == one.price && score == one.score.as_deref();
        must!(entry, right && text(said, "tie_key") == tie, "why", "says otherwise of {}: {tie}", one.agent);
    }
    Ok(contenders.first().map(|one| (one.agent, one.price)))
}

/// `reservation.opened` for whom the platform has just selected: at its price, held of whoever pays.
pub fn reserved<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let agent = entry.text("agent");
    let inquiry = market.inquiries.get_mut(entry.text("inquiry")).expect("the caller has seen it");
    let Way::Routed { forward, .. } = inquiry.way else {
        must!(entry, false, "selection", "is not routed");
        return Ok(());
    };
    let chosen = inquiry.chosen.take();
    let price = entry.data.get("price").map(money);
    must!(entry, chosen == Some((agent, price)), "selection", "{chosen:?} was chosen");
    let payer = price.map(|_| if forward { agent } else { inquiry.provider });
    let held = entry.data.get("payer").map(|_| entry.party("payer"));
    must!(entry, held == payer, "holds = live bids", "is held of {held:?} and not {payer:?}");
    let moneyless = entry.data.get("auction").is_none() && entry.data.get("bid").is_none();
    must!(entry, moneyless, "selection", "names a bid");
    market.selections += 1;
    market.agents.get_mut(agent).expect("who is chosen is registered").selected = market.selections;
    Ok(())
}

/// Who was named to the first agent as the second one is whom the same decision chose.
pub fn second_agent(entry: &Entry, group: &[Entry]) -> Audited {
    let about = |one: &&Entry| one.is("inquiry.selection_made") && one.text("inquiry") == entry.text("inquiry");
    let next = group.iter().filter(|one| one.seq > entry.seq).find(about);
    must!(entry, next.is_some(), "second agent", "nobody is looked for");
    let next = next.and_then(|next| next.text_if("agent"));
    let named = entry.text_if("second_agent");
    must!(entry, entry.is("reservation.rescinded") || named == next, "second agent", "{named:?}, {next:?} is asked");
    Ok(())
}
