//! What an agent is told.

use super::agent::Agent;
use super::bid::Bid;
use super::connection::{Pager, connection};
use super::enums::NoticeKind;
use super::eyes::Eyes;
use super::reservation::Reservation;
use crate::app::{App, blocking};
use crate::graphql::app;
use crate::graphql::scalars::DateTime;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::NoticeId;
use domain::log::{LogName, Seq};
use projections::live::agent::AgentRow;
use projections::live::notice::{NoticeRow, told_by};
use std::sync::Arc;
use store::recorded::Recorded;

pub struct Notice {
    row: NoticeRow,
    eyes: Eyes,
}

connection!(NoticeConnection, NoticeEdge, Notice);

impl Notice {
    pub(crate) fn show(row: NoticeRow, eyes: impl Into<Eyes>) -> Notice {
        Notice { row, eyes: eyes.into() }
    }

    /// Of the viewing agent's own; a notice's id does not lead to its agent.
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: NoticeId) -> Result<Option<Notice>, Error> {
        let Actor::Agent(own) = viewer else { return Ok(None) };
        let Some(seq) = app.live.notice_position(*own, id) else { return Ok(None) };
        let newest = app.live.notices(*own).into_iter().find(|row| row.id == id);
        let row = match (newest, app.live.place(*own)) {
            (None, Some(place)) => told_again(app, place.log, vec![seq]).await?.into_iter().find(|row| row.id == id),
            (row, _) => row,
        };
        Ok(row.map(|row| Notice::show(row, viewer)))
    }

    /// All that are kept of an agent, oldest first.
    pub(crate) async fn page(
        app: &Arc<App>,
        eyes: &Eyes,
        agent: &AgentRow,
        pager: &Pager<u64>,
    ) -> Result<NoticeConnection, Error> {
        let (older, newest) = eyes.live(app).all_notices(agent.id, pager.after, pager.limit());
        let older = told_again(app, agent.log.clone(), older).await?;
        let all = older.into_iter().chain(newest).map(|row| (row.seq, Notice::show(row, eyes)));
        Ok(NoticeConnection::page(pager, pager.slice(all, |(seq, _)| *seq, false)))
    }
}

/// Notices made again of the events that told them.
async fn told_again(app: &Arc<App>, log: LogName, seqs: Vec<Seq>) -> Result<Vec<NoticeRow>, Error> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let store = app.store.clone();
    blocking(move || {
        let mut rows = Vec::with_capacity(seqs.len());
        for raw in store.read_at(&log, &seqs)? {
            rows.extend(told_by(&Recorded::open(&log, raw)?));
        }
        Ok(rows)
    })
    .await
}

/// Kept until read. RESERVATION_LAPSED names the second agent, or null where nobody is left.
#[Object]
impl Notice {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    /// When the agent first said that it has read this; null while it is unread.
    async fn read_at(&self) -> Option<DateTime> {
        self.row.read_at.map(DateTime)
    }
    async fn kind(&self) -> NoticeKind {
        self.row.kind.into()
    }
    async fn reservation(&self, ctx: &Context<'_>) -> Result<Option<Reservation>, Error> {
        match self.row.reservation {
            Some(id) => Reservation::load(app(ctx), &self.eyes, id).await,
            None => Ok(None),
        }
    }
    async fn bid(&self, ctx: &Context<'_>) -> Result<Option<Bid>, Error> {
        match self.row.bid {
            Some(id) => Bid::load(app(ctx), &self.eyes, id).await,
            None => Ok(None),
        }
    }
    // Named to the first agent by rule, though a rival; what it does stays hidden.
    async fn second_agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.eyes, self.row.second_agent?, false)
    }
}
