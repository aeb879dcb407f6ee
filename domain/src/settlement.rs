//! Settlements: escrow at consent, pending at completion, payable after the return window. A bid is a hold
//! and never a posting; the first legs are the escrow's. The legs of each event sum to zero, exactly.

use crate::decide::Ctx;
use crate::event::Event;
use crate::event::settlement::*;
use crate::event::wallet::Party;
use crate::ids::{AgentId, BidId, InquiryId, ProviderId, SettlementId};
use crate::money::Money;
use crate::state::{Inquiry, Settlement, State, Timer};
use crate::terms::{Allocation, Direction};
use crate::time::Span;
use crate::wallet::{open_if_absent, wallet_path};

/// How long a payer may object before the payee's money is payable.
pub const RETURN_WINDOW: Span = Span::days(2);

fn party_path(party: Party, state: &str) -> String {
    match party {
        Party::Agent(id) => format!("liabilities:agent:{id}:{state}"),
        Party::Provider(id) => format!("liabilities:provider:{id}:{state}"),
    }
}

fn escrow_path(inquiry: InquiryId) -> String {
    format!("liabilities:escrow:{inquiry}")
}

/// Moves `amount` from one account to another: debit positive, credit negative.
fn transfer(from: String, to: String, amount: Money, rule: &str) -> Vec<Leg> {
    vec![
        Leg { account: from, amount, rule: rule.to_owned() },
        Leg { account: to, amount: amount.negated(), rule: rule.to_owned() },
    ]
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
        inquiry: id,
        legs: transfer(wallet_path(payer), escrow_path(id), price, "escrow/1"),
        payee,
        payer,
        price,
        settlement: SettlementId(ctx.ids.next()),
    };
    events.push(escrowed.into());
}

/// At completion: the payee's, inside the return window.
pub(crate) fn complete(state: &State, inquiry: &Inquiry, id: InquiryId, ctx: &Ctx, events: &mut Vec<Event>) {
    let Some(settlement) = inquiry.settlement else { return };
    let row = state.settlements.get(settlement).expect("an inquiry's settlement was escrowed");
    let pending = SettlementPending {
        agent: row.agent,
        inquiry: id,
        legs: transfer(escrow_path(id), party_path(row.payee, "pending"), row.price, "completion/1"),
        payable_at: ctx.now + RETURN_WINDOW,
        payee: row.payee,
        settlement,
    };
    events.push(pending.into());
}

/// The return window is over.
pub fn mature(state: &State, id: SettlementId) -> Vec<Event> {
    let row = state.settlements.get(id).expect("a timer goes with its settlement");
    let legs = transfer(party_path(row.payee, "pending"), party_path(row.payee, "payable"), row.price, "maturity/1");
    vec![SettlementPayable { agent: row.agent, inquiry: row.inquiry, legs, payee: row.payee, settlement: id }.into()]
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
                payable_at: None,
            };
            state.settlements.put(&mut state.journal, e.settlement, row);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| row.settlement = Some(e.settlement));
        }
        SettlementEvent::Pending(e) => {
            state.set_timer(e.payable_at, Timer::SettlementMatures(e.settlement));
            state.settlements.change(&mut state.journal, e.settlement, |row| row.payable_at = Some(e.payable_at));
        }
        SettlementEvent::Payable(e) => {
            let row =
                state.settlements.remove(&mut state.journal, e.settlement).expect("a settlement is pending first");
            state.clear_timer(
                row.payable_at.expect("a settlement is pending first"),
                Timer::SettlementMatures(e.settlement),
            );
        }
        SettlementEvent::Released(e) => {
            if let Some(row) = state.settlements.remove(&mut state.journal, e.settlement) {
                let key = (row.payer, row.price.currency());
                state.accounts.change(&mut state.journal, key, |account| account.balance += row.price.amount());
            }
        }
    }
}
