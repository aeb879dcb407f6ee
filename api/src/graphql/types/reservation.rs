//! Reservations: one inquiry before one agent until a deadline.

use super::agent::Agent;
use super::connection::connection;
use super::enums::{ReservationPurpose, ReservationState};
use super::eyes::Eyes;
use super::inquiry::Inquiry;
use super::money::Money;
use super::rights::Sight;
use super::session::Session;
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::DateTime;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::ReservationId;
use projections::live::reservation::{ReservationRow, ReservationState as State};
use std::sync::Arc;

pub struct Reservation {
    pub(crate) row: ReservationRow,
    sight: Sight,
}

connection!(ReservationConnection, ReservationEdge, Reservation);

impl Reservation {
    pub(crate) async fn load(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        id: ReservationId,
    ) -> Result<Option<Reservation>, Error> {
        let sight = Sight::of(app, eyes, id).await?;
        Ok(sight.and_then(|sight| Reservation::within(&sight, id)))
    }

    /// One of an inquiry's.
    pub(crate) fn within(sight: &Sight, id: ReservationId) -> Option<Reservation> {
        let row = sight.handle.read(|dossier| dossier.reservation(id).cloned())?;
        let seen = sight.part.sees_reservation(&sight.eyes.viewer, &row);
        seen.then(|| Reservation { row, sight: sight.clone() })
    }

    /// Those of an inquiry that the viewer sees, in order of opening.
    pub(crate) fn all(sight: &Sight) -> Vec<Reservation> {
        let rows = sight.handle.read(|dossier| dossier.reservations().to_vec()).into_iter();
        rows.filter(|row| sight.part.sees_reservation(&sight.eyes.viewer, row))
            .map(|row| Reservation { row, sight: sight.clone() })
            .collect()
    }
}

/// One inquiry before one agent until a deadline: the customer's information first, the inquiry itself only on consent. `url` is the HTML page that shows it. Once it has ended otherwise the agent sees the customer no more.
#[Object]
impl Reservation {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn inquiry(&self) -> Result<Inquiry, Error> {
        Inquiry::show(self.sight.clone()).ok_or_else(|| code(ErrorCode::Internal, "a reservation without its inquiry"))
    }
    async fn agent(&self, ctx: &Context<'_>) -> Result<Agent, Error> {
        let named = self.sight.names_agent_of(&self.row);
        Agent::show(app(ctx), &self.sight.eyes, self.row.agent, named)
            .ok_or_else(|| code(ErrorCode::Internal, "a reservation without its agent"))
    }
    async fn purpose(&self) -> ReservationPurpose {
        self.row.purpose.into()
    }
    // INVITED and TRANSFER.
    async fn invited_by(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.sight.eyes, self.row.invited_by?, self.sight.part.sees_agent_names())
    }
    /// What whoever hands the session over wrote to who takes it: after consent, and to its author.
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        let viewer = &self.sight.eyes.viewer;
        let wrote = self.row.invited_by.is_some_and(|agent| *viewer == Actor::Agent(agent));
        let came = *viewer == Actor::Agent(self.row.agent) && self.row.state == State::Accepted;
        match self.row.note.as_deref().filter(|_| wrote || came) {
            Some(note) => app(ctx).open(note).await,
            None => Ok(None),
        }
    }
    async fn session(&self) -> Option<Session> {
        if self.row.state == State::Accepted { Session::show(self.sight.clone()) } else { None }
    }
    async fn state(&self) -> ReservationState {
        self.row.state.into()
    }
    async fn price(&self) -> Option<Money> {
        self.row.price.map(Money::from)
    }
    async fn reserved_at(&self) -> DateTime {
        DateTime(self.row.reserved_at)
    }
    async fn information_viewed_at(&self) -> Option<DateTime> {
        self.row.information_viewed_at.map(DateTime)
    }
    async fn deadline(&self) -> DateTime {
        DateTime(self.row.deadline)
    }
    // Opens to the agent alone, and only at the address that the agent itself sees here.
    async fn url(&self, ctx: &Context<'_>) -> String {
        let (app, row) = (app(ctx), &self.row);
        let page = format!("{}/reservations/{}", app.public_url, row.id);
        if self.sight.eyes.viewer != Actor::Agent(row.agent) {
            return page;
        }
        format!("{page}?access={}", app.signer.reservation(row.id, row.agent, row.reserved_at))
    }
    async fn attempt(&self) -> i32 {
        i32::try_from(self.row.attempt).unwrap_or(i32::MAX)
    }
}
