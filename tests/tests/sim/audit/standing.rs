//! Standing values: what an agent would pay or take unasked, as its events say, and the bids that the platform makes of
//! them where a PROXY auction opens: for everybody who could bid its value then, in order of registration, for nobody
//! else, and at no other amount.

use super::entry::{Amount, Entry};
use super::fold::unknown;
use super::market::{Agent, Market, Phase, covers};
use super::{Audited, must, places, strikes};

#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub topic: &'a str,
    pub forward: bool,
    pub amount: Amount,
    pub currency: &'a str,
    pub until: Option<i64>,
}

/// In place of what it named for the same topic and direction.
pub fn set<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let Some(row) = market.agents.get_mut(entry.text("agent")) else { return unknown(entry) };
    let (topic, forward, until) =
        (entry.text("topic"), entry.text("direction") == "FORWARD", entry.int_if("valid_until"));
    must!(entry, until.is_none_or(|until| entry.time < until), "standing values", "is over before it begins");
    let known = row.values.iter().find(|known| known.topic == topic && known.forward == forward);
    let over = known.and_then(|known| known.until).is_some_and(|until| until <= entry.time);
    let ended = over && entry.data.get("value").is_none();
    must!(entry, !entry.is_tick() || ended, "standing values", "ends by itself before its end");
    row.values.retain(|known| known.topic != topic || known.forward != forward);
    if let Some((amount, currency)) = entry.money_if("value") {
        must!(entry, amount > 0, "standing values", "is {amount}");
        row.values.push(Value { topic, forward, amount, currency, until });
    }
    must!(entry, row.values.len() <= 50, "standing values", "are {}", row.values.len());
    Ok(())
}

/// Of the values in force for one of the topics, that of the nearest topic above; of equally near ones the better for
/// who takes it.
pub fn value_of(agent: &Agent<'_>, topics: &[&str], forward: bool, currency: &str, now: i64) -> Option<Amount> {
    let fits = |value: &&Value<'_>| {
        let counts = value.until.is_none_or(|until| now < until);
        let about = topics.iter().any(|topic| covers(value.topic, topic));
        counts && about && value.forward == forward && value.currency == currency
    };
    let worth = |value: &Value<'_>| if forward { value.amount } else { -value.amount };
    let near = |value: &Value<'_>| value.topic.split('/').count();
    agent.values.iter().filter(fits).max_by_key(|value| (near(value), worth(value))).map(|value| value.amount)
}

/// PROXY auctions that have just opened, and how far their opening bids have come.
#[derive(Default)]
pub struct Opening<'a> {
    auctions: Vec<&'a str>,
    /// The next auction of them, and the next agent of the roster.
    next: (usize, usize),
    /// The last bid was in this one: what comes of it is part of it.
    bids_in: Option<&'a str>,
}

/// Before an event is folded: whoever should have bid by now has.
pub fn before<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let about = entry.data.get("auction").and_then(serde_json::Value::as_str);
    if entry.is("auction.bid_placed") {
        let auction = entry.text("auction");
        if let Some(at) = market.opening.auctions.iter().position(|one| *one == auction) {
            return bids(market, entry, at);
        }
        let earlier = |one: &&Entry| one.seq < entry.seq && one.is("auction.opened") && one.text("auction") == auction;
        must!(entry, !group.iter().any(|one| earlier(&one)), "standing values", "is bid at an opening for nobody");
    }
    let of_the_bid = market.opening.bids_in.is_some_and(|auction| about == Some(auction) || entry.is("wallet.opened"));
    let opens = entry.is("auction.opened") || entry.is("agent.rounds_put_off");
    if of_the_bid && !opens || opens && market.opening.next == (0, 0) {
        return Ok(());
    }
    after(market, entry)
}

/// An auction has opened: what comes next are its opening bids.
pub fn opened<'a>(market: &mut Market<'a>, auction: &'a str) {
    if market.auctions[auction].rules.format == "PROXY" {
        market.opening.auctions.push(auction);
    }
}

/// At the end of a command, too: nobody is left who could bid its value.
pub fn after<'a>(market: &mut Market<'a>, entry: &Entry) -> Audited {
    if market.opening.auctions.is_empty() {
        return Ok(());
    }
    let opening = std::mem::take(&mut market.opening);
    nobody_could(market, entry, &opening, (opening.auctions.len(), 0))
}

fn bids<'a>(market: &mut Market<'a>, entry: &'a Entry, at: usize) -> Audited {
    let (auction, agent) = (entry.text("auction"), entry.text("agent"));
    let turn = market.roster.iter().position(|one| *one == agent);
    let Some(turn) = turn else { return unknown(entry) };
    must!(entry, market.opening.next <= (at, turn), "standing values", "{agent} has had its turn");
    let opening = std::mem::take(&mut market.opening);
    nobody_could(market, entry, &opening, (at, turn))?;
    let named = could(market, auction, agent, entry.time);
    let amount = entry.money("amount");
    must!(entry, named == Some(amount.0), "standing values", "{agent} bids {amount:?}, and would bid {named:?}");
    market.opening = Opening { next: (at, turn + 1), bids_in: Some(auction), ..opening };
    Ok(())
}

/// From where the opening bids had come to until there.
fn nobody_could(market: &Market<'_>, entry: &Entry, opening: &Opening<'_>, until: (usize, usize)) -> Audited {
    for (at, auction) in opening.auctions.iter().enumerate() {
        for (turn, agent) in market.roster.iter().enumerate() {
            if opening.next <= (at, turn) && (at, turn) < until {
                let named = could(market, auction, agent, entry.time);
                must!(entry, named.is_none(), "standing values", "{agent} would have bid {named:?} in {auction}");
            }
        }
    }
    Ok(())
}

/// What an agent bids by its standing value, where it could bid that itself.
fn could(market: &Market<'_>, auction: &str, agent: &str, now: i64) -> Option<Amount> {
    let auction = &market.auctions[auction];
    let (rules, inquiry) = (&auction.rules, &market.inquiries[auction.inquiry]);
    let amount = value_of(&market.agents[agent], &inquiry.topics, rules.forward, rules.currency, now)?;
    let refused = inquiry.reservations.iter().map(|id| &market.reservations[id]);
    let refused = refused.into_iter().any(|one| one.agent == agent && (one.pending || one.declined));
    let open = auction.phase == Phase::Open && now < auction.closes_at;
    if refused || !open || strikes::is_barred(market, agent) || market.unfit(agent, inquiry, 0).is_some() {
        return None;
    }
    let reaches = |bound: Option<Amount>| bound.is_none_or(|bound| rules.at_least(amount, bound));
    let leader = auction.leader().map(|at| auction.bids[at].amount);
    let leads = leader.is_none_or(|best| rules.worth(best) < rules.worth(amount));
    let free = |owner: &str| {
        let own = auction.holds.get(owner).copied().unwrap_or(0);
        market.free(owner, rules.currency).map(|free| free + own)
    };
    let buys = leads && rules.buy_now.is_some_and(|buy_now| rules.at_least(amount, buy_now));
    if buys && places::is_avoided(market, agent, None) {
        return None;
    }
    let paid = match rules.buy_now.filter(|buy_now| rules.at_least(amount, *buy_now)) {
        _ if rules.forward => free(agent).is_none_or(|free| free >= amount),
        Some(buy_now) if leads => free(inquiry.provider).is_none_or(|free| free >= buy_now),
        _ => true,
    };
    (reaches(rules.bound(auction.price)) && paid).then_some(amount)
}
