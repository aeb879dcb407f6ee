//! Who must win, at what price, and what the others must be told: derived from what stood before the
//! decision, and compared with what the decision recorded.

use super::entry::{Amount, Entry, list, text};
use super::market::{Auction, Fate, Market, Phase};
use super::places;
use super::{Audited, must};

struct Candidate<'a> {
    bid: &'a str,
    agent: &'a str,
    amount: Amount,
    /// Held of its wallet for this auction.
    hold: Amount,
}

/// What should come of it.
#[derive(Default)]
struct Outcome<'a> {
    forfeited: Vec<(&'a str, &'a str)>,
    winner: Option<(&'a str, &'a str, Amount)>,
    lost: Vec<(&'a str, &'a str)>,
    ranked: Vec<&'a str>,
}

/// A command's events, with each bid that the platform makes at an opening a part of its own: it may buy at once, when
/// the decision before it has awarded something already.
pub fn parts(group: &[Entry]) -> Vec<&[Entry]> {
    let opens = |one: &Entry, auction: &str| one.is("auction.opened") && one.text("auction") == auction;
    let by_itself = |at: usize| {
        let (before, entry) = (&group[..at], &group[at]);
        entry.is("auction.bid_placed") && before.iter().any(|one| opens(one, entry.text("auction")))
    };
    let mut parts = vec![];
    let mut from = 0;
    for at in (1..group.len()).filter(|at| by_itself(*at)) {
        parts.push(&group[from..at]);
        from = at;
    }
    parts.push(&group[from..]);
    parts
}

/// Where the group awards an auction, or finds it unsold.
pub fn decided<'a>(market: &Market<'a>, group: &'a [Entry]) -> Audited {
    let Some(entry) = group.iter().find(|entry| entry.is("auction.awarded") || entry.is("auction.unsold")) else {
        let over = |entry: &&Entry| {
            entry.is("auction.bid_forfeited") || entry.is("auction.bid_lost") && entry.text("reason") != "INQUIRY_GONE"
        };
        if let Some(entry) = group.iter().find(over) {
            must!(entry, false, "losers", "nobody has won");
        }
        return Ok(());
    };
    let (id, about) = (entry.text("auction"), entry.text("inquiry"));
    let Some(auction) = market.auctions.get(id) else { return super::fold::unknown(entry) };
    must!(entry, auction.phase != Phase::Closed && auction.inquiry == about, "no double award", "is closed");
    let ours = |kind: &'static str| group.iter().filter(move |one| one.is(kind) && one.text("inquiry") == about);

    let ended =
        ["reservation.declined", "reservation.lapsed", "reservation.rescinded"].into_iter().flat_map(ours).next();
    let awarded_before = auction.phase == Phase::Awarded;
    must!(entry, ended.is_some() == awarded_before, "no double award", "is awarded again with nobody gone");
    let bought = ours("auction.bid_placed").next();
    let outcome = derive(market, auction, ended, bought);

    let pairs = |kind: &'static str| -> Vec<(&str, &str)> {
        ours(kind).filter(|one| one.text("auction") == id).map(|one| (one.text("bid"), one.text("reason"))).collect()
    };
    let forfeited = pairs("auction.bid_forfeited");
    must!(entry, forfeited == outcome.forfeited, "winner", "{forfeited:?} passed over, not {:?}", outcome.forfeited);
    let mut lost = pairs("auction.bid_lost");
    let mut expected = outcome.lost.clone();
    lost.sort_unstable();
    expected.sort_unstable();
    must!(entry, lost == expected, "losers", "{lost:?} are told, not {expected:?}");
    let won: Vec<_> =
        ours("auction.awarded").map(|one| (one.text("agent"), one.text("bid"), one.money("price").0)).collect();
    must!(
        entry,
        won == outcome.winner.into_iter().collect::<Vec<_>>(),
        "winner",
        "{won:?} won, not {:?}",
        outcome.winner
    );
    let why = &entry.data["why"];
    let winner = outcome.winner.map(|(agent, ..)| agent);
    must!(entry, why.get("chosen").and_then(|one| one.as_str()) == winner, "why", "names another than {winner:?}");
    let ranked: Vec<&str> = list(why, "ranked").iter().map(|one| text(one, "bid")).collect();
    let best: Vec<&str> = outcome.ranked.into_iter().take(20).collect();
    must!(entry, ranked == best, "why", "ranks {ranked:?} and not {best:?}");

    let second = ended.and_then(|ended| ended.text_if("second_agent"));
    let named = ended.is_some_and(|ended| !ended.is("reservation.rescinded"));
    must!(entry, !named || second == winner, "second agent", "{second:?} was named to the first, {winner:?} was asked");
    let asked: Vec<_> =
        ours("reservation.opened").map(|one| (one.text("agent"), one.text("bid"), one.money("price").0)).collect();
    must!(entry, asked == won, "second agent", "{asked:?} are asked, {won:?} won");
    if winner.is_none() {
        let inquiry = &market.inquiries[about];
        let again = inquiry.auctions.len() < inquiry.way.rounds()
            && market.somebody_is_free(inquiry, ended.map(|ended| ended.text("agent")));
        let (opened, requeued) = (ours("auction.opened").count(), ours("inquiry.requeued").count());
        let right = if again { (opened, requeued) == (1, 0) } else { requeued == 1 };
        must!(entry, right, "rounds", "somebody is free: {again}; {opened} rounds opened, requeued {requeued}");
    }
    Ok(())
}

fn derive<'a>(
    market: &Market<'a>,
    auction: &Auction<'a>,
    ended: Option<&'a Entry>,
    bought: Option<&'a Entry>,
) -> Outcome<'a> {
    let inquiry = &market.inquiries[auction.inquiry];
    let rules = &auction.rules;
    let mut outcome = Outcome::default();
    let mut candidates: Vec<Candidate<'a>> = vec![];
    let gone = ended.filter(|ended| !ended.is("reservation.rescinded"));
    let gone_bid = gone.and_then(|gone| market.reservations[gone.text("reservation")].won).map(|(_, bid)| bid);
    for at in auction.ranked() {
        let bid = &auction.bids[at];
        let hold = auction.holds.get(bid.agent).copied().unwrap_or(0);
        let superseded = bought.is_some_and(|bought| bought.text("agent") == bid.agent);
        if Some(bid.id) == gone_bid {
            let reason = if gone.is_some_and(|gone| gone.is("reservation.lapsed")) { "LAPSED" } else { "DECLINED" };
            outcome.forfeited.push((bid.id, reason));
        } else if !superseded && matches!(bid.fate, Fate::Live | Fate::Lost | Fate::Won) {
            candidates.push(Candidate { bid: bid.id, agent: bid.agent, amount: bid.amount, hold });
        }
    }
    if let Some(bought) = bought {
        // It leads, so nobody ranks before it.
        let (amount, _) = bought.money("amount");
        candidates.insert(0, Candidate { bid: bought.text("bid"), agent: bought.text("agent"), amount, hold: amount });
    }
    let mut broke: Vec<&str> = vec![];
    let mut passed: Vec<&str> = vec![];
    for (at, one) in candidates.iter().enumerate() {
        if !rules.valid(one.amount) {
            break;
        }
        let released = ended.is_some_and(|ended| ended.is("reservation.rescinded") && ended.text("agent") == one.agent);
        let avoided = places::is_avoided(market, one.agent, ended.map(|ended| ended.text("agent")));
        if avoided || market.unfit(one.agent, inquiry, usize::from(released)).is_some() {
            outcome.forfeited.push((one.bid, "NOT_FREE"));
            passed.push(one.bid);
            continue;
        }
        let price = rules.clearing(one.amount, candidates.get(at + 1).map(|next| next.amount));
        let (payer, held) = match rules.forward {
            true => (one.agent, one.hold),
            false => (inquiry.provider, auction.holds.get(inquiry.provider).copied().unwrap_or(0)),
        };
        if market.free(payer, rules.currency).is_some_and(|free| free + held < price) {
            if rules.forward {
                outcome.forfeited.push((one.bid, "NO_FUNDS"));
                passed.push(one.bid);
            } else {
                broke.push(one.bid);
            }
            continue;
        }
        outcome.winner = Some((one.agent, one.bid, price));
        break;
    }
    let left: Vec<&Candidate<'a>> = candidates.iter().filter(|one| !passed.contains(&one.bid)).collect();
    outcome.ranked = left.iter().map(|one| one.bid).collect();
    // Losers are told once; whoever had won, and was let off, loses only where it does not win again.
    let let_off = ended.filter(|ended| ended.is("reservation.rescinded")).map(|ended| ended.text("agent"));
    let (won, best) = match outcome.winner {
        Some((_, bid, _)) => (Some(bid), candidates.iter().find(|one| one.bid == bid).map(|one| one.amount)),
        None => (None, None),
    };
    let told = left.iter().filter(|one| auction.phase == Phase::Open || let_off == Some(one.agent));
    for one in told.filter(|one| Some(one.bid) != won) {
        let reason = if broke.contains(&one.bid) {
            "NO_FUNDS"
        } else if !rules.valid(one.amount) {
            "RESERVE_NOT_MET"
        } else if bought.is_some() {
            "BOUGHT_NOW"
        } else if best == Some(one.amount) {
            "TIE_LATER"
        } else {
            "OUTBID"
        };
        outcome.lost.push((one.bid, reason));
    }
    outcome
}
