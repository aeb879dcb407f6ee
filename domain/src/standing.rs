//! Standing values: what an agent would pay or take for a topic without being asked. Under BEST_VALUE it is the price
//! (`routing`); in a PROXY auction the platform bids it for the agent as its maximum, at the opening.
//!
//! Deliberately not here: when a value is set, and by whom (`agent`).

use crate::auction;
use crate::currency::Currency;
use crate::decide::{Ctx, apply};
use crate::event::Event;
use crate::event::auction::AuctionEvent;
use crate::ids::{AgentId, AuctionId};
use crate::money::Money;
use crate::pricing;
use crate::state::{Agent, Inquiry, StandingValue, State};
use crate::terms::{AuctionFormat, AuctionRules, Direction};
use crate::time::Timestamp;

/// Bids by standing values in one auction at most, so that they fit the batch of the opening.
pub const BIDS_AT_OPENING: usize = 500;

/// What an agent would pay or take for one of the inquiry's topics: the value it set for the nearest topic above.
pub(crate) fn value_of(
    agent: &Agent,
    inquiry: &Inquiry,
    direction: Direction,
    currency: Currency,
    now: Timestamp,
) -> Option<Money> {
    let fits = |value: &&StandingValue| {
        value.direction == direction
            && value.value.currency() == currency
            && value.valid_until.is_none_or(|until| now < until)
            && inquiry.topics.iter().any(|topic| value.topic.contains(topic))
    };
    let nearest = agent.values.iter().filter(fits).max_by(|a, b| {
        let by_amount = || pricing::by_rank(direction, b.value.amount(), a.value.amount());
        a.topic.depth().cmp(&b.topic.depth()).then_with(by_amount)
    });
    nearest.map(|value| value.value)
}

/// Bids for the agents who could bid in an auction that has just opened and named a value for it, in order of
/// registration. Who could not, does not: what refuses a bid passes it over.
pub(crate) fn bid_at_opening(state: &mut State, events: &[Event], ctx: &Ctx) -> Vec<Event> {
    let mut done = Vec::new();
    for event in events {
        if let Event::Auction(AuctionEvent::Opened(e)) = event
            && e.rules.format == AuctionFormat::Proxy
        {
            for (agent, amount) in maxima(state, e.auction, ctx.now) {
                let Ok(placed) = auction::bid_for(state, e.auction, agent, amount, ctx) else { continue };
                for event in &placed {
                    apply(state, event, ctx.now);
                }
                done.extend(placed);
            }
        }
    }
    done
}

/// How many will at most be bid by themselves where a round with these rules opens.
pub(crate) fn bids_to_come(state: &State, inquiry: &Inquiry, rules: &AuctionRules, now: Timestamp) -> usize {
    if rules.format != AuctionFormat::Proxy {
        return 0;
    }
    let would = |id: &&AgentId| {
        let agent = state.agents.get(**id);
        let agent = agent.filter(|agent| !agent.is_barred());
        agent.is_some_and(|agent| value_of(agent, inquiry, rules.direction, rules.currency, now).is_some())
    };
    state.roster.iter().filter(would).take(BIDS_AT_OPENING).count()
}

fn maxima(state: &State, id: AuctionId, now: Timestamp) -> Vec<(AgentId, Money)> {
    let auction = state.auctions.get(id).expect("an auction that opened is there");
    let inquiry = state.inquiries.get(auction.inquiry).expect("an auction has its inquiry");
    let refused = auction::refused_by(state, inquiry);
    let (direction, currency) = (auction.rules.direction, auction.rules.currency);
    let value = |id: &AgentId| {
        let agent = state.agents.get(*id).filter(|agent| !agent.is_barred() && !refused.contains(id))?;
        Some((*id, value_of(agent, inquiry, direction, currency, now)?))
    };
    state.roster.iter().filter_map(value).take(BIDS_AT_OPENING).collect()
}
