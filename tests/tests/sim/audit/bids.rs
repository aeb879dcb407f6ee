//! A bid against the rules of its auction: whether it may stand, what it came to, what it holds and costs.

use super::entry::Entry;
use super::fold::unknown;
use super::market::{Bid, Fate, Market, Phase};
use super::{Audited, must, places, strikes};

pub fn fold<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    if entry.is("auction.bid_placed") {
        return placed(market, entry);
    }
    let Some(auction) = market.auctions.get_mut(entry.text("auction")) else { return unknown(entry) };
    let (id, agent) = (entry.text("bid"), entry.text("agent"));
    let at = auction.bids.iter().position(|bid| bid.id == id && bid.agent == agent);
    must!(entry, at.is_some(), "known things", "was never placed");
    let at = at.expect("just seen");
    let fate = auction.bids[at].fate;
    match entry.kind.as_str() {
        "auction.bid_outbid.v1" => {
            let leads = auction.leader() == Some(at);
            must!(
                entry,
                fate == Fate::Live && !leads && !auction.rules.sealed(),
                "winner",
                "leads still, or never did"
            );
        }
        "auction.bid_withdrawn.v1" => {
            let may = auction.rules.sealed() && auction.phase == Phase::Open && entry.time < auction.closes_at;
            must!(
                entry,
                may && auction.counts.get(agent) == Some(&at),
                "withdrawals",
                "only sealed bids, until closing"
            );
            auction.bids[at].fate = Fate::Withdrawn;
            auction.counts.remove(agent);
        }
        "auction.bid_lost.v1" => {
            must!(entry, matches!(fate, Fate::Live | Fate::Won), "losers", "is told twice: it was {fate:?}");
            auction.bids[at].fate = Fate::Lost;
        }
        "auction.bid_forfeited.v1" => {
            must!(entry, !matches!(fate, Fate::Withdrawn | Fate::Forfeited), "losers", "was {fate:?}");
            if auction.winner.is_some_and(|(winner, _)| winner == at) {
                let provider = market.inquiries[auction.inquiry].provider;
                auction.holds.remove(provider);
            }
            auction.bids[at].fate = Fate::Forfeited;
            auction.counts.remove(agent);
        }
        other => must!(entry, false, "known events", "{other}"),
    }
    auction.holds.remove(agent);
    Ok(())
}

fn placed<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (id, agent, (amount, currency)) = (entry.text("bid"), entry.text("agent"), entry.money("amount"));
    let auction_id = entry.text("auction");
    let Some(auction) = market.auctions.get(auction_id) else { return unknown(entry) };
    let rules = &auction.rules;
    must!(entry, !strikes::is_barred(market, agent), "strikes", "{agent} is barred, and bids");
    must!(entry, auction.phase == Phase::Open && entry.time < auction.closes_at, "late bids", "the auction is closed");
    must!(entry, currency == rules.currency && amount > 0, "bids", "{amount} {currency} is no bid here");
    let inquiry = &market.inquiries[auction.inquiry];
    let unfit = market.unfit(agent, inquiry, 0);
    must!(entry, unfit.is_none(), "who may bid", "{agent} is {unfit:?}");

    let leader = auction.leader();
    let leads = leader.is_some_and(|at| auction.bids[at].agent == agent);
    let best = leader.map(|at| auction.bids[at].amount);
    if !(leads && rules.format == "PROXY") {
        let bound = rules.bound(auction.price);
        let stands = bound.is_none_or(|bound| rules.at_least(amount, bound));
        must!(entry, stands, "increments", "{amount} is short of {bound:?}");
    }
    let own = auction.holds.get(agent).copied().unwrap_or(0);
    if rules.forward {
        let free = market.free(agent, currency).map(|free| free + own);
        must!(entry, free.is_none_or(|free| free >= amount), "credit limit", "bids {amount} with {free:?} free");
    }
    let beats = best.is_none_or(|best| rules.worth(amount) > rules.worth(best));
    let standing = match (rules.sealed(), beats) {
        (true, _) => "SEALED",
        (false, true) => "LEADS",
        (false, false) if leads && rules.format == "PROXY" => "NO_EFFECT",
        (false, false) => "OUTBID_AT_ONCE",
    };
    must!(entry, entry.text("standing") == standing, "winner", "should be {standing}");
    let buys = standing == "LEADS" && rules.buy_now.is_some_and(|buy_now| rules.at_least(amount, buy_now));
    let avoided = buys && places::is_avoided(market, agent, None);
    must!(entry, !avoided, "location traffic", "{agent} ends the auction where nobody is to win");
    let effect = standing != "NO_EFFECT";
    let earlier = auction.counts.get(agent).filter(|_| effect).map(|at| auction.bids[*at].id);
    must!(entry, entry.text_if("supersedes") == earlier, "bids", "supersedes other than {earlier:?}");
    let hold = match standing {
        "NO_EFFECT" => Some(own).filter(|own| *own != 0),
        "SEALED" | "LEADS" if rules.forward => Some(amount),
        _ => None,
    };
    let found = entry.money_if("hold").map(|(hold, _)| hold);
    must!(entry, found == hold, "holds = live bids", "holds {found:?} and not {hold:?}");

    let auction = market.auctions.get_mut(auction_id).expect("just seen");
    let number = match auction.bidders.iter().position(|one| *one == agent) {
        Some(at) => at + 1,
        None => {
            auction.bidders.push(agent);
            auction.bidders.len()
        }
    };
    must!(entry, entry.int("bidder") as usize == number, "bids", "is of bidder {number}");
    auction.bids.push(Bid { id, agent, amount, fate: Fate::Live });
    if effect {
        auction.counts.insert(agent, auction.bids.len() - 1);
    }
    match hold {
        Some(hold) => auction.holds.insert(agent, hold),
        None => auction.holds.remove(agent),
    };
    auction.price = entry.money_if("price").map(|(price, _)| price);
    let ranked: Vec<_> = auction.ranked().into_iter().map(|at| auction.bids[at].amount).collect();
    let price = match auction.rules.format {
        "OPEN" => Some(amount),
        "PROXY" => auction.rules.proxy(ranked[0], ranked.get(1).copied()),
        _ => None,
    };
    must!(entry, auction.price == price, "price", "is {:?} and not {price:?}", auction.price);
    Ok(())
}
