//! Wallets, postings and settlements: the legs of every event sum to zero, the books agree with the wallets,
//! and each step of a settlement moves what the step before left.

use super::entry::{Entry, list, money, text};
use super::fold::unknown;
use super::market::{Account, Market, Settlement};
use super::{Audited, must};
use std::collections::BTreeMap;

const RETURN_WINDOW: i64 = 2 * 86_400_000_000;

/// Every event's legs, whatever it is about.
pub fn legs<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    let legs = list(&entry.data, "legs");
    for leg in legs {
        let (amount, currency) = money(&leg["amount"]);
        *sums.entry(currency).or_default() += amount;
        *market.books.entry((text(leg, "account"), currency)).or_default() += amount;
    }
    must!(entry, legs.len() != 1 && sums.values().all(|sum| *sum == 0), "postings sum to zero", "sums to {sums:?}");
    Ok(())
}

/// From one path to another, and nothing else.
fn moves(entry: &Entry, from: &str, to: &str, (amount, currency): (i128, &str)) -> Audited {
    let found: Vec<_> =
        list(&entry.data, "legs").iter().map(|leg| (text(leg, "account"), money(&leg["amount"]))).collect();
    let expected = vec![(from, (amount, currency)), (to, (-amount, currency))];
    must!(entry, found == expected, "postings", "{found:?} and not {expected:?}");
    Ok(())
}

fn path(owner: &str, what: &str) -> String {
    let kind = if owner.starts_with("agt_") { "agent" } else { "provider" };
    format!("liabilities:{kind}:{owner}:{what}")
}

/// A wallet is owed to its owner: its path is the balance with the sign turned.
fn agrees(market: &Market<'_>, entry: &Entry, owner: &str, currency: &str) -> Audited {
    let posted = market.books.get(&(path(owner, "wallet").as_str(), currency)).copied().unwrap_or(0);
    let balance = market.accounts.get(&(owner, currency)).map(|account| account.balance);
    must!(entry, balance == Some(-posted), "postings", "{owner} has {balance:?}, the books say {}", -posted);
    Ok(())
}

pub fn limit_granted<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (zero, currency) = entry.money("zero");
    let limit = entry.money_if("limit");
    must!(entry, zero == 0 && limit.is_none_or(|limit| limit.1 == currency), "accounts", "is in two currencies");
    let (owner, id) = (entry.text("provider"), entry.text("account"));
    let account = market.accounts.entry((owner, currency)).or_insert_with(|| Account::new(id, None));
    must!(entry, account.id == id, "accounts", "there is {} already", account.id);
    account.set_limit(limit.map(|(limit, _)| limit));
    Ok(())
}

pub fn wallet<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let (owner, id) = (entry.party("owner"), entry.text("account"));
    if entry.is("wallet.opened") {
        let (zero, currency) = entry.money("zero");
        let limit = entry.money_if("credit_limit").map(|(limit, _)| limit);
        must!(entry, zero == 0 && (limit.is_some() || owner.starts_with("prv_")), "accounts", "an agent has a limit");
        let twice = market.accounts.insert((owner, currency), Account::new(id, limit));
        must!(entry, twice.is_none(), "accounts", "{owner} has one in {currency}");
        return Ok(());
    }
    let credited = entry.is("wallet.credited");
    let (amount, currency) = entry.money(if credited { "amount" } else { "limit" });
    let Some(account) = market.accounts.get_mut(&(owner, currency)).filter(|account| account.id == id) else {
        return unknown(entry);
    };
    if credited {
        must!(entry, amount > 0, "accounts", "credits {amount}");
        account.balance += amount;
        moves(entry, "assets:bank:client", &path(owner, "wallet"), (amount, currency))?;
        agrees(market, entry, owner, currency)
    } else {
        account.set_limit(Some(amount));
        Ok(())
    }
}

pub fn settlement<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (id, about) = (entry.text("settlement"), entry.text("inquiry"));
    let escrow = format!("liabilities:escrow:{about}");
    if entry.is("settlement.escrowed") {
        return escrowed(market, entry, group, &escrow);
    }
    let Some(row) = market.settlements.get_mut(id).filter(|row| row.inquiry == about) else { return unknown(entry) };
    must!(entry, entry.party("payee") == row.payee, "settled", "is paid to another");
    match entry.kind.as_str() {
        "settlement.pending.v1" => {
            must!(entry, row.payable_at.is_none(), "settled", "is pending twice");
            must!(
                entry,
                entry.int("payable_at") == entry.time + RETURN_WINDOW,
                "deadlines",
                "is payable at another time"
            );
            row.payable_at = Some(entry.int("payable_at"));
            moves(entry, &escrow, &path(row.payee, "pending"), row.price)
        }
        "settlement.payable.v1" => {
            must!(entry, row.payable_at.is_some_and(|at| at <= entry.time), "deadlines", "is payable too early");
            moves(entry, &path(row.payee, "pending"), &path(row.payee, "payable"), row.price)?;
            market.settlements.remove(id);
            Ok(())
        }
        // Nothing releases a settlement yet; the day it does, this says what must hold.
        other => {
            must!(entry, false, "known events", "{other}");
            Ok(())
        }
    }
}

/// At consent the hold becomes a posting of the same amount; who claims pays at once.
fn escrowed<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry], escrow: &str) -> Audited {
    let (about, price) = (entry.text("inquiry"), entry.money("price"));
    let accepted = group.iter().find(|other| other.is("reservation.accepted") && other.text("inquiry") == about);
    let reservation = accepted.and_then(|accepted| market.reservations.get(accepted.text("reservation")));
    let won = reservation.and_then(|reservation| reservation.won);
    let bid = entry.text_if("bid");
    must!(entry, bid == won.map(|(_, bid)| bid), "settled", "is for {bid:?}, and {won:?} was won");
    let Some(inquiry) = market.inquiries.get_mut(about) else { return unknown(entry) };
    let opened = |other: &&Entry| other.is("session.opened") && other.text("inquiry") == about;
    let Some(session) = group.iter().find(opened).and_then(|opened| market.sessions.get(opened.text("session"))) else {
        return unknown(entry);
    };
    let parties = (session.agent, inquiry.provider);
    let (payer, payee) = if inquiry.way.forward() { parties } else { (parties.1, parties.0) };
    let right = entry.party("payer") == payer && entry.party("payee") == payee && inquiry.owed == Some(price);
    must!(entry, right, "settled", "is not what was won, or stated");
    if let Some((auction, _)) = won {
        let auction = market.auctions.get_mut(auction).expect("what was won was auctioned");
        let held = auction.holds.remove(payer);
        must!(entry, held == Some(price.0), "holds = live bids", "{held:?} was held for {price:?}");
        auction.winner = None;
    }
    must!(entry, !inquiry.settled, "settled", "is paid twice");
    inquiry.settled = true;
    let row = Settlement { inquiry: about, payee, price, payable_at: None };
    market.settlements.insert(entry.text("settlement"), row);
    let Some(account) = market.accounts.get_mut(&(payer, price.1)) else { return unknown(entry) };
    account.balance -= price.0;
    moves(entry, &path(payer, "wallet"), escrow, price)?;
    agrees(market, entry, payer, price.1)
}
