//! Who is kept from whom, for whoever asked for it, and operators. Never for whom it is about.

use super::agent::Agent;
use super::connection::{Pager, connection};
use super::customer::Customer;
use super::eyes::Eyes;
use super::inquiry::Inquiry;
use super::rights::{Sight, sees_blocks_of};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime};
use async_graphql::{Context, Error, Object};
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId, InquiryId};
use domain::time::Timestamp;
use projections::live::Live;
use projections::live::agent::CustomerBlock;
use std::sync::Arc;

pub struct Block {
    who: Who,
    since: Timestamp,
    eyes: Eyes,
}

#[derive(Clone, Copy)]
enum Who {
    Agent(AgentId),
    /// By the inquiry by which the two know each other.
    Customer(CustomerId, InquiryId),
}

impl Who {
    fn number(self) -> u128 {
        match self {
            Who::Agent(agent) => agent.0,
            Who::Customer(customer, _) => customer.0,
        }
    }
}

connection!(BlockConnection, BlockEdge, Block);

/// What a party made, by id, at most so many.
fn made(live: &Live, party: Party, after: Option<u128>, limit: usize) -> Vec<(Who, Timestamp)> {
    let mut all: Vec<(Who, Timestamp)> = match party {
        Party::Agent(agent) => customers(live.blocks_of_agent(agent, after.map(CustomerId), limit)),
        Party::Provider(provider) => {
            let agents = live.agents_blocked_by(provider, after.map(AgentId), limit);
            let mut all: Vec<_> = agents.into_iter().map(|(agent, since)| (Who::Agent(agent), since)).collect();
            all.extend(customers(live.blocks_of_provider(provider, after.map(CustomerId), limit)));
            all
        }
    };
    all.sort_by_key(|(who, _)| who.number());
    all.truncate(limit);
    all
}

fn customers(rows: Vec<(CustomerId, CustomerBlock)>) -> Vec<(Who, Timestamp)> {
    rows.into_iter().map(|(customer, block)| (Who::Customer(customer, block.inquiry), block.since)).collect()
}

impl Block {
    /// The one of a party with this id, be it an agent's or a customer's; absent where there is none, or nothing to the
    /// viewer.
    pub(crate) fn load(app: &App, eyes: impl Into<Eyes>, party: Party, id: u128) -> Option<Block> {
        let eyes = eyes.into();
        let found = made(eyes.live(app), party, id.checked_sub(1), 1).into_iter().next();
        let (who, since) = found.filter(|(who, _)| who.number() == id && sees_blocks_of(&eyes.viewer, party))?;
        Some(Block { who, since, eyes })
    }

    /// All that a party made; absent for whoever may not see them.
    pub(crate) fn all(
        app: &Arc<App>,
        eyes: &Eyes,
        party: Party,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<Option<BlockConnection>, Error> {
        if !sees_blocks_of(&eyes.viewer, party) {
            return Ok(None);
        }
        let list = format_args!("blocks of {}", party.subject()).to_string();
        let pager = Pager::<u128>::new(app, eyes, list, &(), first, after)?;
        let rows = made(eyes.live(app), party, pager.after, pager.limit()).into_iter();
        let all = rows.map(|(who, since)| (who.number(), Block { who, since, eyes: eyes.clone() }));
        Ok(Some(BlockConnection::page(&pager, pager.cut(all.collect()))))
    }

    async fn sight(&self, app: &Arc<App>) -> Result<Option<Sight>, Error> {
        match self.who {
            Who::Customer(_, inquiry) => Sight::of(app, &self.eyes, inquiry).await,
            Who::Agent(_) => Ok(None),
        }
    }
}

/// Somebody who is kept from somebody else. Nobody learns of it but who asked for it, and operators; least of all who is
/// blocked.
#[Object]
impl Block {
    /// By a provider: its inquiries come to this agent by no way.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        match self.who {
            Who::Agent(agent) => Agent::show(app(ctx), &self.eyes, agent, false),
            Who::Customer(..) => None,
        }
    }
    /// By an agent: it gets nothing of this customer's. By a provider: it takes nothing of it.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<Customer>, Error> {
        Ok(self.sight(app(ctx)).await?.as_ref().and_then(Customer::of))
    }
    /// By which the two know each other.
    async fn inquiry(&self, ctx: &Context<'_>) -> Result<Option<Inquiry>, Error> {
        match self.who {
            Who::Customer(_, inquiry) => Inquiry::load(app(ctx), &self.eyes, inquiry).await,
            Who::Agent(_) => Ok(None),
        }
    }
    /// The first time, where it was asked for again.
    async fn blocked_at(&self) -> DateTime {
        DateTime(self.since)
    }
}
