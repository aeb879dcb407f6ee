//! Claims: an agent selects an inquiry from the queue itself, and selecting opens the session. The customer's
//! information was recorded with the inquiry, before anybody could select it.
//!
//! It promises that one agent has the inquiry, however many select it at once: the second finds it taken. A claim
//! needs what a bid needs. Deliberately not here: locations. Who selects has chosen to, wherever it sits.

use crate::actor::Actor;
use crate::agent::eligible;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::inquiry::SelectionMade;
use crate::event::session::SessionOpened;
use crate::event::wallet::Party;
use crate::ids::{AgentId, ChannelId, InquiryId, SessionId};
use crate::money::Money;
use crate::queue;
use crate::refusal::Refusal;
use crate::settlement;
use crate::state::{InquiryState, State};
use crate::terms::Allocation;
use crate::wallet;
use crate::why::{Ranked, Why};
use rust_decimal::Decimal;

/// For the agent who asks.
pub fn claim(state: &State, id: InquiryId, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let Actor::Agent(agent_id) = ctx.actor else { return Err(Refusal::Forbidden) };
    let inquiry = state.inquiries.get(id).ok_or(Refusal::NotFound { field: "inquiryId" })?;
    // An agent of another call server sees no inquiry here.
    let agent = state.agents.get(agent_id).ok_or(Refusal::NotFound { field: "inquiryId" })?;
    let Allocation::Claim { direction, price } = &inquiry.terms.allocation else {
        return Err(Refusal::OtherAllocation);
    };
    match inquiry.state {
        InquiryState::Queued => {}
        InquiryState::Withdrawn => return Err(Refusal::InquiryClosed),
        InquiryState::InAuction | InquiryState::Reserved | InquiryState::Engaged | InquiryState::WrapUp => {
            return Err(Refusal::InquiryTaken);
        }
    }
    if inquiry.begins_at.is_some() {
        return Err(Refusal::NotAllowedNow { message: "The offer's hours have not begun." });
    }
    if inquiry.wait_is_over(ctx.now) {
        return Err(Refusal::InquiryClosed);
    }
    eligible(agent_id, agent, inquiry)?;
    if let Some(price) = price {
        let (payer, _) = settlement::parties(*direction, agent_id, inquiry.provider);
        pays(state, payer, *price)?;
    }

    // After this point the agent has the inquiry.
    let mut events: Vec<Event> = vec![
        SelectionMade { agent: Some(agent_id), inquiry: id, why: why(agent_id, agent.number, *price) }.into(),
        SessionOpened {
            agent: agent_id,
            channel: ChannelId(ctx.ids.next()),
            customer: inquiry.customer,
            inquiry: id,
            kind: inquiry.channel,
            session: SessionId(ctx.ids.next()),
        }
        .into(),
    ];
    if let Some(price) = price {
        settlement::escrow(state, id, inquiry, agent_id, None, *price, ctx, &mut events);
    }
    queue::leave(state, &inquiry.queues, id, &mut events);
    Ok(events)
}

fn pays(state: &State, payer: Party, price: Money) -> Result<(), Refusal> {
    if wallet::can_pay(state, payer, price) {
        return Ok(());
    }
    // How much the provider has is not the agent's business.
    let Party::Agent(_) = payer else { return Err(Refusal::ProviderCannotPay) };
    let free = wallet::available(state, payer, price.currency()).unwrap_or(Decimal::ZERO);
    let available = Money::new(free, price.currency()).expect("sums of amounts at the exponent stay at it");
    Err(Refusal::InsufficientFunds { available })
}

/// Nobody competed: it took what it saw.
fn why(agent: AgentId, number: u32, price: Option<Money>) -> Why {
    let ranked = Ranked { amount: price, bid: None, score: None, subject: agent.into(), tie_key: number.to_string() };
    Why { chosen: Some(agent.into()), excluded: vec![], ranked: vec![ranked], rule: "claim/1".to_owned() }
}
