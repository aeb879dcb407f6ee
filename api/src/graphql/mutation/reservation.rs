//! An agent's answers to a reservation.

use super::call::{Call, Done, Step, answer};
use super::payload::{ReservationPayload, SessionPayload};
use crate::graphql::input::parse;
use crate::graphql::input::work::{
    AcceptReservationInput, DeclineReservationInput, RescindReservationInput, ViewReservationInput, reason,
};
use crate::graphql::types::{Inquiry, Reservation, Session};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, ReservationId};
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::live::Dossier;
use projections::live::reservation::{ReservationRow, ReservationState};

#[derive(Default)]
pub(super) struct Reservations;

#[Object]
impl Reservations {
    /// Records that the agent's browser has retrieved the customer's information.
    async fn view_reservation(
        &self,
        ctx: &Context<'_>,
        input: ViewReservationInput,
    ) -> Result<ReservationPayload, Error> {
        let call = Call::begin(ctx, rights::VIEW_RESERVATION, &input, &input.idempotency_key)?;
        answer(view_reservation(&call, &input)).await
    }

    /// Consent.
    async fn accept_reservation(
        &self,
        ctx: &Context<'_>,
        input: AcceptReservationInput,
    ) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::ACCEPT_RESERVATION, &input, &input.idempotency_key)?;
        answer(accept_reservation(&call, &input)).await
    }

    /// Takes back an invitation that is still pending.
    async fn rescind_reservation(
        &self,
        ctx: &Context<'_>,
        input: RescindReservationInput,
    ) -> Result<ReservationPayload, Error> {
        let call = Call::begin(ctx, rights::RESCIND_RESERVATION, &input, &input.idempotency_key)?;
        answer(rescind_reservation(&call, &input)).await
    }

    async fn decline_reservation(
        &self,
        ctx: &Context<'_>,
        input: DeclineReservationInput,
    ) -> Result<ReservationPayload, Error> {
        let call = Call::begin(ctx, rights::DECLINE_RESERVATION, &input, &input.idempotency_key)?;
        answer(decline_reservation(&call, &input)).await
    }
}

async fn view_reservation(call: &Call, input: &ViewReservationInput) -> Step<ReservationPayload> {
    let reservation = parse::id(&input.reservation_id, "reservationId")?;
    let (log, _) = own(call, reservation).await?;
    let done = submit(call, &log, reservation, Command::ViewReservation { reservation }).await?;
    payload(call, &done, reservation).await
}

async fn accept_reservation(call: &Call, input: &AcceptReservationInput) -> Step<SessionPayload> {
    let reservation = parse::id(&input.reservation_id, "reservationId")?;
    let (log, _) = own(call, reservation).await?;
    let done = submit(call, &log, reservation, Command::AcceptReservation { reservation }).await?;
    let (session, inquiry) = done.one(|event| match event {
        Event::Session(SessionEvent::Opened(e)) => Some((e.session, e.inquiry)),
        Event::Session(SessionEvent::AgentJoined(e)) => Some((e.session, e.inquiry)),
        _ => None,
    })?;
    let session = Session::load(&call.app, &call.actor, session).await?;
    Ok(SessionPayload::new(&done, session, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

async fn decline_reservation(call: &Call, input: &DeclineReservationInput) -> Step<ReservationPayload> {
    let reservation = parse::id(&input.reservation_id, "reservationId")?;
    let reason = reason(&input.reason)?;
    let (log, agent) = own(call, reservation).await?;
    let reason = call.seal(agent, reason).await?;
    let done = submit(call, &log, reservation, Command::DeclineReservation { reservation, reason }).await?;
    payload(call, &done, reservation).await
}

async fn rescind_reservation(call: &Call, input: &RescindReservationInput) -> Step<ReservationPayload> {
    let reservation = parse::id(&input.reservation_id, "reservationId")?;
    let find = |dossier: &Dossier| invited(dossier, &call.actor, reservation).map(|row| row.log.clone());
    let log = call.look(reservation, "reservationId", find).await?;
    let command = Command::RescindReservation { reservation };
    let over = |dossier: &Dossier, actor: &Actor| ended(invited(dossier, actor, reservation)?);
    let done = call.submit_about(&log, reservation, command, over).await?;
    payload(call, &done, reservation).await
}

/// An invitation that the caller made, or that another made into the session that it leads since.
fn invited<'a>(dossier: &'a Dossier, actor: &Actor, id: ReservationId) -> Option<&'a ReservationRow> {
    let Actor::Agent(agent) = actor else { return None };
    let row = dossier.reservation(id)?;
    let leads = dossier.session().is_some_and(|session| session.row().agent == *agent);
    row.invited_by.is_some_and(|by| by == *agent || leads).then_some(row)
}

/// The log and the agent of the caller's own reservation; another's is not there.
async fn own(call: &Call, reservation: ReservationId) -> Step<(LogName, AgentId)> {
    let find = |dossier: &Dossier| {
        let row = dossier.reservation(reservation).filter(|row| Actor::Agent(row.agent) == call.actor)?;
        Some((row.log.clone(), row.agent))
    };
    call.look(reservation, "reservationId", find).await
}

async fn submit(call: &Call, log: &LogName, id: ReservationId, command: Command) -> Step<Done> {
    call.submit_about(log, id, command, |dossier, actor| closed(dossier, actor, id)).await
}

/// How it ended, once its inquiry is over.
fn closed(dossier: &Dossier, actor: &Actor, id: ReservationId) -> Option<Refusal> {
    ended(dossier.reservation(id).filter(|row| Actor::Agent(row.agent) == *actor)?)
}

fn ended(row: &ReservationRow) -> Option<Refusal> {
    match row.state {
        ReservationState::Pending => None,
        ReservationState::Accepted | ReservationState::Declined => Some(Refusal::ReservationClosed),
        ReservationState::Lapsed => Some(Refusal::ReservationLapsed),
        ReservationState::Rescinded => Some(Refusal::ReservationRescinded),
    }
}

async fn payload(call: &Call, done: &Done, id: ReservationId) -> Step<ReservationPayload> {
    Ok(ReservationPayload::new(done, Reservation::load(&call.app, &call.actor, id).await?))
}
