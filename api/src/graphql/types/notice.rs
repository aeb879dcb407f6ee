//! What an agent is told.

use super::agent::Agent;
use super::bid::Bid;
use super::connection::connection;
use super::enums::NoticeKind;
use super::eyes::Eyes;
use super::reservation::Reservation;
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::DateTime;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::NoticeId;
use projections::live::notice::NoticeRow;

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
    pub(crate) fn load(app: &App, viewer: &Actor, id: NoticeId) -> Option<Notice> {
        let Actor::Agent(own) = viewer else { return None };
        let row = app.live.notices(*own).into_iter().find(|row| row.id == id)?;
        Some(Notice::show(row, viewer))
    }
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
