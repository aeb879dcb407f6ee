//! Wallets, postings, fees and settlements: the legs of every event sum to zero, the books agree with the wallets, and
//! each step of a settlement moves what the step before left, less what the house takes.

use super::entry::{Amount, Entry, int, list, money, smallest, text};
use super::fold::unknown;
use super::market::{Account, FeeRule, Market, Settlement};
use super::{Audited, must};
use std::collections::BTreeMap;

/// Where no rule says otherwise.
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
    if ["wallet.payable_netted", "wallet.paid_out", "wallet.payout_returned"].iter().any(|kind| entry.is(kind)) {
        return payout(market, entry, owner, id);
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

/// What is payable leaves, comes back, or pays what is owed. What is payable is what the books say.
fn payout<'a>(market: &mut Market<'a>, entry: &'a Entry, owner: &'a str, id: &str) -> Audited {
    let (amount, currency) = entry.money("amount");
    must!(entry, amount > 0 && entry.role == "FINANCE", "payouts", "{amount}, by {}", entry.role);
    let Some(account) = market.accounts.get_mut(&(owner, currency)).filter(|account| account.id == id) else {
        return unknown(entry);
    };
    let owed = (-account.balance).max(0);
    let (wallet, payable, transit) = (path(owner, "wallet"), path(owner, "payable"), "liabilities:payout-in-transit");
    // The legs are in the books already: what is left.
    let left = -market.books.get(&(payable.as_str(), currency)).copied().unwrap_or(0);
    must!(entry, left >= 0, "payouts", "leaves {left} payable to {owner}");
    match entry.kind.as_str() {
        "wallet.payable_netted.v1" => {
            must!(entry, amount == owed.min(left + amount), "payouts", "nets {amount} of {owed} owed");
            account.balance += amount;
            moves(entry, &payable, &wallet, (amount, currency))?;
            agrees(market, entry, owner, currency)
        }
        "wallet.paid_out.v1" => {
            must!(entry, left >= owed, "payouts", "leaves {left}, and {owner} owes {owed}");
            let twice = market.payouts.insert(entry.text("payout"), (owner, amount, currency));
            must!(entry, twice.is_none(), "payouts", "was paid out before");
            moves(entry, &payable, transit, (amount, currency))
        }
        _ => {
            let sent = market.payouts.remove(entry.text("payout"));
            must!(entry, sent == Some((owner, amount, currency)), "payouts", "{sent:?} was on its way");
            moves(entry, transit, &payable, (amount, currency))
        }
    }
}

pub fn fee_rule<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let rule = &entry.data["rule"];
    let rule = FeeRule {
        number: int(rule, "number"),
        commission: percent(text(rule, "commission")),
        tax: percent(text(rule, "tax")),
        half_up: rule.get("tax_rounding").is_some_and(|rounding| rounding == "half_up"),
        jurisdiction: rule.get("jurisdiction").map(|_| text(rule, "jurisdiction")),
        return_window: rule.get("return_window").map_or(RETURN_WINDOW, |_| int(rule, "return_window")),
        valid_from: int(rule, "valid_from"),
    };
    let next = market.fee_rules.last().map_or(1, |last| last.number + 1);
    must!(entry, rule.number == next, "fees", "is rule {} and not {next}", rule.number);
    market.fee_rules.push(rule);
    Ok(())
}

/// In ten-thousandths.
fn percent(text: &str) -> Amount {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{part:0<4}");
    digits.parse().expect("a percentage has at most four decimals")
}

/// What a price comes to, for its payee, as commission, and as tax.
fn shares_of((price, currency): (Amount, &str), rule: Option<&FeeRule<'_>>) -> [Amount; 3] {
    let Some(rule) = rule else { return [price, 0, 0] };
    let (unit, whole) = (smallest(currency), 1_000_000);
    // The nearest multiple of a unit, and of two the even one, or the larger.
    let nearest = |of: Amount, by: Amount, up: bool| {
        let (below, above) = (of / (by * unit), (of + by * unit - 1) / (by * unit));
        let (to_below, to_above) = (of - below * by * unit, above * by * unit - of);
        let above_it_is = to_above < to_below || to_above == to_below && (up || above % 2 == 0);
        unit * if above_it_is { above } else { below }
    };
    let commission = nearest(price * rule.commission, whole + rule.tax, false);
    let tax = nearest(commission * rule.tax, whole, rule.half_up).min(price - commission);
    [price - commission - tax, commission, tax]
}

fn fee_paths(rule: Option<&FeeRule<'_>>) -> [String; 2] {
    let jurisdiction = rule.and_then(|rule| rule.jurisdiction).unwrap_or("none");
    ["income:commission".to_owned(), format!("liabilities:tax:output-vat:{jurisdiction}")]
}

/// These legs, in any order; of the optional ones those that are not zero.
fn posts(
    entry: &Entry,
    currency: &str,
    always: &[(String, Amount)],
    optional: &[(impl AsRef<str>, Amount)],
) -> Audited {
    let mut found: Vec<(&str, Amount)> = Vec::new();
    for leg in list(&entry.data, "legs") {
        let (amount, of) = money(&leg["amount"]);
        must!(entry, of == currency, "postings", "is in {of}");
        found.push((text(leg, "account"), amount));
    }
    let optional = optional.iter().map(|(path, amount)| (path.as_ref(), *amount)).filter(|(_, amount)| *amount != 0);
    let mut expected: Vec<(&str, Amount)> = always.iter().map(|(path, amount)| (path.as_str(), *amount)).collect();
    expected.extend(optional);
    found.sort_unstable();
    expected.sort_unstable();
    must!(entry, found == expected, "postings", "{found:?} and not {expected:?}");
    Ok(())
}

pub fn settlement<'a>(market: &mut Market<'a>, entry: &'a Entry, group: &'a [Entry]) -> Audited {
    let (id, about) = (entry.text("settlement"), entry.text("inquiry"));
    let escrow = format!("liabilities:escrow:{about}");
    if entry.is("settlement.escrowed") {
        return escrowed(market, entry, group, &escrow);
    }
    let Some(row) = market.settlements.get_mut(id).filter(|row| row.inquiry == about) else { return unknown(entry) };
    let back = entry.is("settlement.refunded");
    let party = if back { ("payer", row.payer) } else { ("payee", row.payee) };
    must!(entry, entry.party(party.0) == party.1, "settled", "is paid to another");
    match entry.kind.as_str() {
        "settlement.pending.v1" => {
            must!(entry, row.payable_at.is_none(), "settled", "is pending twice");
            let rule = row.rule.and_then(|number| market.fee_rules.iter().find(|rule| rule.number == number));
            let payable_at = entry.time + rule.map_or(RETURN_WINDOW, |rule| rule.return_window);
            must!(entry, entry.int("payable_at") == payable_at, "deadlines", "is payable at another time");
            row.payable_at = Some(payable_at);
            let shares = shares_of(row.price, rule);
            let (payee, price) = (row.payee, row.price);
            row.shares = shares;
            let [of_payee, commission, tax] = shares;
            let said = entry.data.get("fee").map(|fee| (money(&fee["commission"]).0, money(&fee["tax"]).0));
            must!(entry, said == rule.map(|_| (commission, tax)), "fees", "says {said:?} and not {shares:?}");
            let paths = fee_paths(rule);
            let legs = [(escrow, price.0), (path(payee, "pending"), -of_payee)];
            posts(entry, price.1, &legs, &[(&paths[0], -commission), (&paths[1], -tax)])
        }
        "settlement.refunded.v1" => {
            market.credit_notes += 1;
            must!(entry, entry.int("credit_note") == market.credit_notes, "fees", "its credit note leaves a gap");
            must!(entry, row.payable_at.is_some_and(|at| entry.time < at), "deadlines", "is given back too late");
            let (amount, currency) = entry.money("amount");
            let left = row.shares.iter().sum::<Amount>() - amount;
            must!(entry, amount > 0 && left >= 0 && currency == row.price.1, "fees", "gives back {amount} of {left}");
            must!(entry, entry.money("left") == (left, currency), "fees", "leaves {left}");
            let unit = smallest(currency);
            let mut shares = [0; 3];
            for (share, had) in shares.iter_mut().zip(row.shares) {
                *share = amount * had / (left + amount) / unit * unit;
            }
            // What is left of rounding down, a unit each: to the largest remainders, and of equal ones to the first.
            let mut order = [0, 1, 2];
            order.sort_by_key(|at| -((amount * row.shares[*at]) % ((left + amount) * unit)));
            let missing = (amount - shares.iter().sum::<Amount>()) / unit;
            order.iter().take(missing as usize).for_each(|at| shares[*at] += unit);
            for (had, share) in row.shares.iter_mut().zip(shares) {
                *had -= share;
                must!(entry, *had >= 0, "fees", "a share gives more than it has");
            }
            let rule = row.rule.and_then(|number| market.fee_rules.iter().find(|rule| rule.number == number));
            let (paths, payee, payer) = (fee_paths(rule), row.payee, row.payer);
            if left == 0 {
                market.settlements.remove(id);
            }
            let optional =
                [(path(payee, "pending"), shares[0]), (paths[0].clone(), shares[1]), (paths[1].clone(), shares[2])];
            let optional: Vec<(&str, Amount)> =
                optional.iter().map(|(path, amount)| (path.as_str(), *amount)).collect();
            posts(entry, currency, &[(path(payer, "wallet"), -amount)], &optional)?;
            let Some(account) = market.accounts.get_mut(&(payer, currency)) else { return unknown(entry) };
            account.balance += amount;
            agrees(market, entry, payer, currency)
        }
        "settlement.payable.v1" => {
            must!(entry, row.payable_at.is_some_and(|at| at <= entry.time), "deadlines", "is payable too early");
            let amount = (row.shares[0], row.price.1);
            moves(entry, &path(row.payee, "pending"), &path(row.payee, "payable"), amount)?;
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
    let begun = market.fee_rules.iter().filter(|rule| rule.valid_from <= entry.time);
    let rule = begun.map(|rule| rule.number).max();
    must!(entry, entry.int_if("fee_rule") == rule, "fees", "is not by {rule:?}, which is in force");
    let row = Settlement { inquiry: about, payee, payer, price, rule, shares: [price.0, 0, 0], payable_at: None };
    market.settlements.insert(entry.text("settlement"), row);
    let Some(account) = market.accounts.get_mut(&(payer, price.1)) else { return unknown(entry) };
    account.balance -= price.0;
    moves(entry, &path(payer, "wallet"), escrow, price)?;
    agrees(market, entry, payer, price.1)
}
