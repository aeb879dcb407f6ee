//! Settlements: escrow at consent, pending at completion, payable after the return window; until then money may go back.
//! A bid is a hold and never a posting; the first legs are the escrow's. The legs of each event sum to zero, exactly.

use crate::decide::Ctx;
use crate::event::Event;
use crate::event::settlement::*;
use crate::event::wallet::Party;
use crate::fees::{self, RETURN_WINDOW, Split};
use crate::ids::{AgentId, BidId, InquiryId, ProviderId, SettlementId};
use crate::money::Money;
use crate::refusal::Refusal;
use crate::split::share_out;
use crate::state::{Inquiry, Pending, Settlement, State, Timer};
use crate::terms::{Allocation, Direction};
use crate::wallet::{open_if_absent, party_path, wallet_path};

fn escrow_path(inquiry: InquiryId) -> String {
    format!("liabilities:escrow:{inquiry}")
}

/// Moves `amount` from one account to another: debit positive, credit negative.
fn transfer(from: String, to: String, amount: Money, rule: &str) -> Vec<Leg> {
    vec![leg(from, amount, rule), leg(to, amount.negated(), rule)]
}

fn leg(account: String, amount: Money, rule: &str) -> Leg {
    Leg { account, amount, rule: rule.to_owned() }
}

/// Who pays and who is paid, where this agent assists this provider.
pub(crate) fn parties(direction: Direction, agent: AgentId, provider: ProviderId) -> (Party, Party) {
    let (agent, provider) = (Party::Agent(agent), Party::Provider(provider));
    match direction {
        Direction::Forward => (agent, provider),
        Direction::Reverse => (provider, agent),
    }
}

/// At consent, or as an agent claims: the price leaves the payer's wallet.
pub(crate) fn escrow(
    state: &State,
    id: InquiryId,
    inquiry: &Inquiry,
    agent: AgentId,
    bid: Option<BidId>,
    price: Money,
    ctx: &Ctx,
    events: &mut Vec<Event>,
) {
    let direction = match &inquiry.terms.allocation {
        Allocation::Auction(rules) => rules.direction,
        Allocation::Claim { direction, .. } | Allocation::Routed { direction, .. } => *direction,
    };
    let (payer, payee) = parties(direction, agent, inquiry.provider);
    open_if_absent(state, payer, price.currency(), None, ctx, events);
    let escrowed = SettlementEscrowed {
        agent,
        bid,
        direction,
        fee_rule: fees::in_force(state, ctx.now).map(|rule| rule.number),
        inquiry: id,
        legs: transfer(wallet_path(payer), escrow_path(id), price, "escrow/1"),
        payee,
        payer,
        price,
        settlement: SettlementId(ctx.ids.next()),
    };
    events.push(escrowed.into());
}

/// At completion: the payee's, inside the return window, less the fee of the rule that was in force at the consent.
pub(crate) fn complete(state: &State, inquiry: &Inquiry, id: InquiryId, ctx: &Ctx, events: &mut Vec<Event>) {
    let Some(settlement) = inquiry.settlement else { return };
    let row = state.settlements.get(settlement).expect("an inquiry's settlement was escrowed");
    let rule = row.fee_rule.and_then(|number| fees::numbered(state, number));
    let fee = rule.map(|rule| {
        let Split { commission, tax, .. } = fees::split(row.price, rule);
        Fee { commission, number: rule.number, tax }
    });
    let mut legs = vec![leg(escrow_path(id), row.price, "completion/1")];
    legs.push(leg(party_path(row.payee, "pending"), payees(row.price, fee).negated(), "completion/1"));
    legs.extend(fee_legs(state, fee.as_ref(), Money::negated));
    let pending = SettlementPending {
        agent: row.agent,
        fee,
        inquiry: id,
        legs,
        payable_at: ctx.now + rule.map_or(RETURN_WINDOW, |rule| rule.return_window),
        payee: row.payee,
        settlement,
    };
    events.push(pending.into());
}

/// What is the payee's of an amount.
fn payees(of: Money, fee: Option<Fee>) -> Money {
    let fee = fee.map_or(0, |fee| fee.commission.units() + fee.tax.units());
    Money::of_units(of.units() - fee, of.currency())
}

/// The house's legs, `sign` as they are posted: none that is zero.
fn fee_legs(state: &State, fee: Option<&Fee>, sign: impl Fn(Money) -> Money) -> Vec<Leg> {
    let Some(fee) = fee else { return Vec::new() };
    let jurisdiction = fees::numbered(state, fee.number).and_then(|rule| rule.jurisdiction.as_deref());
    let tax = format!("liabilities:tax:output-vat:{}", jurisdiction.unwrap_or("none"));
    let rule = format!("fee/{}", fee.number);
    let legs = [("income:commission".to_owned(), fee.commission), (tax, fee.tax)];
    let posted = legs.into_iter().filter(|(_, amount)| !amount.amount().is_zero());
    posted.map(|(account, amount)| leg(account, sign(amount), &rule)).collect()
}

/// By finance, inside the return window: a part of the price back to the payer, or all that is left. Each share of the
/// price gives its part of it, by largest remainder over what is left of each, so that no share falls below zero and all
/// of them are zero when all is given back.
///
/// Errors: NOT_FOUND, also of what is payable long since; NOT_ALLOWED_NOW before completion; INVALID.
pub fn refund(state: &State, id: SettlementId, amount: Money, reason: RefundReason) -> Result<Vec<Event>, Refusal> {
    let row = state.settlements.get(id).ok_or(Refusal::NotFound { field: "settlementId" })?;
    let Some(pending) = &row.pending else {
        return Err(Refusal::NotAllowedNow { message: "The inquiry is not completed: nothing is settled yet." });
    };
    if amount.currency() != row.price.currency() {
        return Err(Refusal::invalid(&["amount", "currency"], "the currency of the price"));
    }
    if !amount.is_positive() || amount.units() > pending.left.units() {
        return Err(Refusal::invalid(
            &["amount", "amount"],
            format!("more than zero, at most {}", pending.left.amount()),
        ));
    }

    // After this point it is given back.
    let currency = amount.currency();
    let money = |units| Money::of_units(units, currency);
    let payee = payees(pending.left, pending.fee);
    let shares = match pending.fee {
        None => vec![amount.units(), 0, 0],
        Some(fee) => share_out(amount.units(), &[payee.units(), fee.commission.units(), fee.tax.units()]),
    };
    let fee = pending.fee.map(|fee| Fee { commission: money(shares[1]), number: fee.number, tax: money(shares[2]) });
    let mut legs = Vec::new();
    if shares[0] != 0 {
        legs.push(leg(party_path(row.payee, "pending"), money(shares[0]), "refund/1"));
    }
    legs.extend(fee_legs(state, fee.as_ref(), |amount| amount));
    legs.push(leg(wallet_path(row.payer), amount.negated(), "refund/1"));
    let refunded = SettlementRefunded {
        agent: row.agent,
        amount,
        credit_note: state.scalars.credit_notes + 1,
        fee,
        inquiry: row.inquiry,
        left: less(pending.left, amount),
        legs,
        payer: row.payer,
        reason,
        settlement: id,
    };
    Ok(vec![refunded.into()])
}

/// The return window is over: it is the payee's, whose account keeps it.
pub fn mature(state: &State, id: SettlementId, ctx: &Ctx) -> Vec<Event> {
    let row = state.settlements.get(id).expect("a timer goes with its settlement");
    let pending = row.pending.as_ref().expect("a settlement is pending first");
    let amount = payees(pending.left, pending.fee);
    let legs = transfer(party_path(row.payee, "pending"), party_path(row.payee, "payable"), amount, "maturity/1");
    let mut events = Vec::new();
    open_if_absent(state, row.payee, amount.currency(), None, ctx, &mut events);
    let payable = SettlementPayable { agent: row.agent, inquiry: row.inquiry, legs, payee: row.payee, settlement: id };
    events.push(payable.into());
    events
}

pub fn apply(state: &mut State, event: &SettlementEvent) {
    match event {
        SettlementEvent::Escrowed(e) => {
            // The hold becomes a posting.
            let inquiry = state.inquiries.get(e.inquiry).expect("a settlement is about an inquiry");
            if let Some(auction) = inquiry.auction() {
                crate::auction::free_winner(state, auction, e.agent);
            }
            let key = (e.payer, e.price.currency());
            state.accounts.change(&mut state.journal, key, |account| account.balance -= e.price.amount());
            let row = Settlement {
                agent: e.agent,
                inquiry: e.inquiry,
                direction: e.direction,
                payer: e.payer,
                payee: e.payee,
                price: e.price,
                fee_rule: e.fee_rule,
                pending: None,
            };
            state.settlements.put(&mut state.journal, e.settlement, row);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| row.settlement = Some(e.settlement));
        }
        SettlementEvent::Pending(e) => {
            state.set_timer(e.payable_at, Timer::SettlementMatures(e.settlement));
            state.settlements.change(&mut state.journal, e.settlement, |row| {
                row.pending = Some(Pending { payable_at: e.payable_at, left: row.price, fee: e.fee });
            });
        }
        SettlementEvent::Refunded(e) => {
            let key = (e.payer, e.amount.currency());
            state.accounts.change(&mut state.journal, key, |account| account.balance += e.amount.amount());
            state.change_scalars(|scalars| scalars.credit_notes = e.credit_note);
            let mut is_over = false;
            state.settlements.change(&mut state.journal, e.settlement, |row| {
                let pending = row.pending.as_mut().expect("a settlement is pending first");
                pending.left = e.left;
                pending.fee = pending.fee.zip(e.fee).map(|(fee, back)| Fee {
                    commission: less(fee.commission, back.commission),
                    number: fee.number,
                    tax: less(fee.tax, back.tax),
                });
                is_over = pending.left.amount().is_zero();
            });
            if is_over {
                end(state, e.settlement);
            }
        }
        SettlementEvent::Payable(e) => {
            let row = state.settlements.get(e.settlement).expect("a settlement is pending first");
            let pending = row.pending.as_ref().expect("a settlement is pending first");
            let amount = payees(pending.left, pending.fee);
            let key = (e.payee, amount.currency());
            // Where it was opened with this event: else the log is older than payouts are.
            if state.accounts.get(key).is_some() {
                state.accounts.change(&mut state.journal, key, |account| account.payable += amount.amount());
            }
            end(state, e.settlement);
        }
        SettlementEvent::Released(e) => {
            if let Some(row) = state.settlements.remove(&mut state.journal, e.settlement) {
                let key = (row.payer, row.price.currency());
                state.accounts.change(&mut state.journal, key, |account| account.balance += row.price.amount());
            }
        }
    }
}

/// Of amounts that the decision compared.
fn less(amount: Money, by: Money) -> Money {
    Money::of_units(amount.units() - by.units(), amount.currency())
}

/// Nothing of it is pending any more.
fn end(state: &mut State, id: SettlementId) {
    let row = state.settlements.remove(&mut state.journal, id).expect("a settlement is pending first");
    let pending = row.pending.as_ref().expect("a settlement is pending first");
    state.clear_timer(pending.payable_at, Timer::SettlementMatures(id));
}
