//! Wallets: an owner's account per currency, spent in the same decision as the bid. A hold is no posting;
//! money moves at escrow and at a credit.

use crate::check;
use crate::currency::Currency;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::settlement::Leg;
use crate::event::wallet::*;
use crate::ids::AccountId;
use crate::money::{Money, order};
use crate::payout;
use crate::refusal::Refusal;
use crate::state::{Account, State};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// The path of a party's wallet in the chart of accounts.
pub fn wallet_path(owner: Party) -> String {
    party_path(owner, "wallet")
}

/// Of what is owed to a party: `wallet`, `pending`, `payable`.
pub(crate) fn party_path(owner: Party, state: &str) -> String {
    match owner {
        Party::Agent(id) => format!("liabilities:agent:{id}:{state}"),
        Party::Provider(id) => format!("liabilities:provider:{id}:{state}"),
    }
}

/// What the owner can hold or spend; absent: without limit. Without an account: nothing for an agent,
/// without limit for a provider, who pays on account.
pub fn available(state: &State, owner: Party, currency: Currency) -> Option<Decimal> {
    match (state.accounts.get((owner, currency)), owner) {
        (Some(account), _) => account.available(),
        (None, Party::Agent(_)) => Some(Decimal::ZERO),
        (None, Party::Provider(_)) => None,
    }
}

/// Whether the owner can hold or spend a price now.
pub(crate) fn can_pay(state: &State, owner: Party, price: Money) -> bool {
    available(state, owner, price.currency()).is_none_or(|free| free >= price.amount())
}

pub fn credit(state: &State, owner: Party, amount: Money, reference: &str, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let known = match owner {
        Party::Agent(id) => state.agents.get(id).is_some(),
        // Providers live in `community`; the edge has looked there.
        Party::Provider(_) => true,
    };
    if !known {
        return Err(Refusal::NotFound { field: "owner" });
    }
    if !amount.is_positive() {
        return Err(Refusal::invalid(&["amount", "amount"], "more than zero"));
    }
    check::magnitude(&["amount", "amount"], amount.amount())?;
    check::text(&["reference"], reference, check::TEXT_CHARS_MAX)?;
    let balance = state.accounts.get((owner, amount.currency())).map_or(Decimal::ZERO, |account| account.balance);
    let bound = Decimal::from(10u64.pow(check::AMOUNT_DIGITS_MAX));
    if balance + amount.amount() >= bound {
        return Err(Refusal::invalid(&["amount", "amount"], "the balance would exceed 18 digits"));
    }

    // After this point the money is in.
    let mut events = Vec::new();
    let account = open_if_absent(state, owner, amount.currency(), None, ctx, &mut events);
    let rule = "top-up/1".to_owned();
    let legs = vec![
        Leg { account: "assets:bank:client".to_owned(), amount, rule: rule.clone() },
        Leg { account: wallet_path(owner), amount: amount.negated(), rule },
    ];
    events.push(WalletCredited { account, amount, legs, owner, reference: reference.to_owned() }.into());
    Ok(events)
}

/// The owner's account in a currency; where it has none, one is opened: an agent's with `limit` or no
/// credit, a provider's without limit.
pub(crate) fn open_if_absent(
    state: &State,
    owner: Party,
    currency: Currency,
    limit: Option<Money>,
    ctx: &Ctx,
    events: &mut Vec<Event>,
) -> AccountId {
    if let Some(account) = state.accounts.get((owner, currency)) {
        return account.id;
    }
    let account = AccountId(ctx.ids.next());
    let zero = Money::zero(currency);
    let credit_limit = match owner {
        Party::Agent(_) => Some(limit.unwrap_or(zero)),
        Party::Provider(_) => limit,
    };
    events.push(WalletOpened { account, credit_limit, owner, zero }.into());
    account
}

/// Sets how far an agent may owe.
pub(crate) fn set_limit(
    state: &State,
    owner: Party,
    limit: Money,
    ctx: &Ctx,
    events: &mut Vec<Event>,
) -> Result<(), Refusal> {
    if limit.is_negative() {
        return Err(Refusal::invalid(&["creditLimit", "amount"], "zero or more"));
    }
    check::magnitude(&["creditLimit", "amount"], limit.amount())?;
    match state.accounts.get((owner, limit.currency())) {
        Some(account) => events.push(CreditLimitSet { account: account.id, limit, owner }.into()),
        None => {
            open_if_absent(state, owner, limit.currency(), Some(limit), ctx, events);
        }
    }
    Ok(())
}

/// Changes what is held of an account by the difference of two holds.
pub(crate) fn change_hold(state: &mut State, owner: Party, currency: Currency, old: Decimal, new: Decimal) {
    if order(old, new) != Ordering::Equal {
        state.accounts.change(&mut state.journal, (owner, currency), |account| account.held += new - old);
    }
}

pub fn apply(state: &mut State, event: &WalletEvent) {
    match event {
        WalletEvent::Opened(e) => {
            let zero = e.zero.amount();
            let row = Account::new(e.account, zero, e.credit_limit.map(Money::amount));
            state.accounts.put(&mut state.journal, (e.owner, e.zero.currency()), row);
        }
        WalletEvent::Credited(e) => {
            state.accounts.change(&mut state.journal, (e.owner, e.amount.currency()), |account| {
                account.balance += e.amount.amount()
            })
        }
        WalletEvent::CreditLimitSet(e) => {
            state.accounts.change(&mut state.journal, (e.owner, e.limit.currency()), |account| {
                account.credit_limit = Some(e.limit.amount())
            })
        }
        WalletEvent::PayableNetted(_) | WalletEvent::PaidOut(_) | WalletEvent::PayoutReturned(_) => {
            payout::apply(state, event)
        }
    }
}
