//! Payouts: what is payable to an owner leaves for its bank, comes back from there, or pays what the owner owes.
//!
//! Promises: no more leaves than is payable, and nothing while the owner owes as much; what leaves is on its way until a
//! bank statement says that it arrived, or it is sent back, once, and is payable again. Spending from a wallet does not
//! touch what is payable, nor the other way round.
//!
//! Not here: bank statements and what they tell of payouts (`treasury`), files for a bank, and when something is payable
//! (`settlement`).

use crate::currency::Currency;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::settlement::Leg;
use crate::event::wallet::{PaidOut, Party, PayableNetted, PayoutReturned, ReturnReason, WalletEvent};
use crate::ids::PayoutId;
use crate::money::Money;
use crate::refusal::Refusal;
use crate::state::{Account, State};
use crate::wallet::{party_path, wallet_path};
use rust_decimal::Decimal;
use std::sync::Arc;

/// Of one account, on their way at once.
pub const PAYOUTS_MAX: usize = 1_000;
/// Where money stands that has left an account and not yet the bank.
const IN_TRANSIT: &str = "liabilities:payout-in-transit";

/// What is payable to the owner leaves for its bank.
///
/// Errors: NOT_FOUND; INVALID for nothing; INSUFFICIENT_FUNDS for more than is payable beside what the owner owes;
/// LIMIT_REACHED.
pub fn pay(state: &State, owner: Party, amount: Money, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let account = known(state, owner, amount.currency())?;
    if !amount.is_positive() {
        return Err(Refusal::invalid(&["amount", "amount"], "more than zero"));
    }
    let free = account.payable - owed(account).min(account.payable);
    if amount.amount() > free {
        return Err(Refusal::NotPayable { payable: of(free, amount.currency()) });
    }
    if account.payouts.len() >= PAYOUTS_MAX {
        return Err(Refusal::LimitReached { message: "A thousand payouts of this account are on their way." });
    }

    // After this point it has left.
    let payout = PayoutId(ctx.ids.next());
    let legs = moves(payable_path(owner), IN_TRANSIT.to_owned(), amount, "payout/1");
    Ok(vec![PaidOut { account: account.id, amount, legs, owner, payout }.into()])
}

/// The bank sent it back: it is payable again. Errors: NOT_FOUND, also where it came back before.
pub fn send_back(
    state: &State,
    owner: Party,
    currency: Currency,
    payout: PayoutId,
    reason: ReturnReason,
) -> Result<Vec<Event>, Refusal> {
    let account = known(state, owner, currency)?;
    let on_its_way = account.payouts.iter().find(|(id, _)| *id == payout);
    let (_, amount) = on_its_way.ok_or(Refusal::NotFound { field: "payoutId" })?;
    let amount = *amount;
    let legs = moves(IN_TRANSIT.to_owned(), payable_path(owner), amount, "payout-return/1");
    Ok(vec![PayoutReturned { account: account.id, amount, legs, owner, payout, reason }.into()])
}

/// What is payable to the owner pays what it owes, as far as it goes. Errors: NOT_FOUND; NOT_ALLOWED_NOW where there is
/// nothing on one of the sides.
pub fn net(state: &State, owner: Party, currency: Currency) -> Result<Vec<Event>, Refusal> {
    let account = known(state, owner, currency)?;
    let amount = owed(account).min(account.payable);
    if amount.is_zero() {
        return Err(Refusal::NotAllowedNow { message: "The owner owes nothing, or nothing is payable to it." });
    }
    let amount = of(amount, currency);
    let legs = moves(payable_path(owner), wallet_path(owner), amount, "netting/1");
    Ok(vec![PayableNetted { account: account.id, amount, legs, owner }.into()])
}

fn known(state: &State, owner: Party, currency: Currency) -> Result<&Account, Refusal> {
    state.accounts.get((owner, currency)).ok_or(Refusal::NotFound { field: "accountId" })
}

/// As a positive amount.
fn owed(account: &Account) -> Decimal {
    (-account.balance).max(Decimal::ZERO)
}

fn payable_path(owner: Party) -> String {
    party_path(owner, "payable")
}

fn of(amount: Decimal, currency: Currency) -> Money {
    Money::new(amount, currency).expect("sums of posted amounts have the currency's decimals")
}

/// Debit `from`, credit `to`.
fn moves(from: String, to: String, amount: Money, rule: &str) -> Vec<Leg> {
    let leg = |account, amount| Leg { account, amount, rule: rule.to_owned() };
    vec![leg(from, amount), leg(to, amount.negated())]
}

pub(crate) fn apply(state: &mut State, event: &WalletEvent) {
    match event {
        WalletEvent::PayableNetted(e) => change(state, e.owner, e.amount, |account, amount| {
            account.payable -= amount;
            account.balance += amount;
        }),
        WalletEvent::PaidOut(e) => change(state, e.owner, e.amount, |account, amount| {
            account.payable -= amount;
            account.payouts = account.payouts.iter().copied().chain([(e.payout, e.amount)]).collect::<Arc<[_]>>();
        }),
        WalletEvent::PayoutReturned(e) => change(state, e.owner, e.amount, |account, amount| {
            account.payable += amount;
            account.payouts = account.payouts.iter().copied().filter(|(id, _)| *id != e.payout).collect::<Arc<[_]>>();
        }),
        WalletEvent::Opened(_) | WalletEvent::Credited(_) | WalletEvent::CreditLimitSet(_) => {}
    }
}

fn change(state: &mut State, owner: Party, amount: Money, change: impl FnOnce(&mut Account, Decimal)) {
    let key = (owner, amount.currency());
    state.accounts.change(&mut state.journal, key, |account| change(account, amount.amount()));
}
