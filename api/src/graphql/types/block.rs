//! Who is kept from whom, for whoever asked for it, and operators. Never for whom it is about.

use super::agent::Agent;
use super::connection::{Pager, connection};
use super::eyes::Eyes;
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime};
use async_graphql::{Context, Error, Object};
use domain::ids::{AgentId, ProviderId};
use domain::time::Timestamp;
use std::sync::Arc;

pub struct Block {
    agent: AgentId,
    since: Timestamp,
    eyes: Eyes,
}

connection!(BlockConnection, BlockEdge, Block);

impl Block {
    /// Of an agent by a provider; absent where there is none. Whether the viewer may see it the caller has asked.
    pub(crate) fn of_agent(app: &App, eyes: impl Into<Eyes>, provider: ProviderId, agent: AgentId) -> Option<Block> {
        let eyes = eyes.into();
        let before = agent.0.checked_sub(1).map(AgentId);
        let found = eyes.live(app).agents_blocked_by(provider, before, 1).into_iter().next();
        let (agent, since) = found.filter(|(found, _)| *found == agent)?;
        Some(Block { agent, since, eyes })
    }

    /// All that a provider made. Whether the viewer may see them the caller has asked.
    pub(crate) fn of_provider(
        app: &Arc<App>,
        eyes: &Eyes,
        provider: ProviderId,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<BlockConnection, Error> {
        let list = format_args!("blocks of {provider}").to_string();
        let pager = Pager::<u128>::new(app, eyes, list, &(), first, after)?;
        let rows = eyes.live(app).agents_blocked_by(provider, pager.after.map(AgentId), pager.limit());
        let all = rows.into_iter().map(|(agent, since)| (agent.0, Block { agent, since, eyes: eyes.clone() }));
        Ok(BlockConnection::page(&pager, pager.cut(all.collect())))
    }
}

/// One who is kept from the inquiries of a provider. Nobody else learns of it, least of all who is blocked.
#[Object]
impl Block {
    async fn agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.eyes, self.agent, false)
    }
    /// The first time, where it was asked for again.
    async fn blocked_at(&self) -> DateTime {
        DateTime(self.since)
    }
}
