//! A session's messages and notes, its end and its wrap-up. What is said and noted is sealed with the
//! customer's key.

use super::call::{Call, Done, Step, answer};
use super::payload::{MessagePayload, SessionPayload};
use crate::graphql::input::parse::{self, Path};
use crate::graphql::input::work::{
    CompleteWrapUpInput, EndSessionInput, ExtendWrapUpInput, MESSAGE_CHARS_MAX, NOTES_CHARS_MAX, SaveNotesInput,
    SendMessageInput,
};
use crate::graphql::types::{Inquiry, Message, Session};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::session::SessionEvent;
use domain::ids::{CustomerId, InquiryId, SessionId};
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::live::Dossier;
use projections::live::session::{SessionRow, SessionState};

#[derive(Default)]
pub(super) struct Sessions;

#[Object]
impl Sessions {
    async fn send_message(&self, ctx: &Context<'_>, input: SendMessageInput) -> Result<MessagePayload, Error> {
        let call = Call::begin(ctx, rights::SEND_MESSAGE, &input, &input.idempotency_key)?;
        answer(send_message(&call, &input)).await
    }

    /// Disconnects for all; customer or first agent. The agent goes to wrap-up, or straight to AVAILABLE where the offer asks for none.
    async fn end_session(&self, ctx: &Context<'_>, input: EndSessionInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::END_SESSION, &input, &input.idempotency_key)?;
        answer(end_session(&call, &input)).await
    }

    /// Autosave, in session, wrap-up and for 24 h after.
    async fn save_notes(&self, ctx: &Context<'_>, input: SaveNotesInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::SAVE_NOTES, &input, &input.idempotency_key)?;
        answer(save_notes(&call, &input)).await
    }

    async fn extend_wrap_up(&self, ctx: &Context<'_>, input: ExtendWrapUpInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::EXTEND_WRAP_UP, &input, &input.idempotency_key)?;
        answer(extend_wrap_up(&call, &input)).await
    }

    /// Saves the inquiry information to the customer's record and sets the agent AVAILABLE; where there is no wrap-up, within 24 h after the end.
    async fn complete_wrap_up(&self, ctx: &Context<'_>, input: CompleteWrapUpInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::COMPLETE_WRAP_UP, &input, &input.idempotency_key)?;
        answer(complete_wrap_up(&call, &input)).await
    }
}

/// A session that the caller takes part in.
struct Place {
    session: SessionId,
    log: LogName,
    inquiry: InquiryId,
    customer: CustomerId,
}

async fn send_message(call: &Call, input: &SendMessageInput) -> Step<MessagePayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let channel = parse::id(&input.channel_id, "channelId")?;
    parse::text(&Path::Input.member("text"), &input.text, MESSAGE_CHARS_MAX)?;
    let place = place(call, session).await?;
    let text = call.app.seal(place.customer.into(), input.text.clone()).await?;
    let done = submit(call, &place, Command::SendMessage { session, channel, text }).await?;
    let message = done.one(|event| match event {
        Event::Session(SessionEvent::MessageSent(e)) => Some(e.message),
        _ => None,
    })?;
    Ok(MessagePayload::new(&done, Message::load(&call.app, &call.actor, message).await?))
}

async fn end_session(call: &Call, input: &EndSessionInput) -> Step<SessionPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let place = place(call, session).await?;
    let done = submit(call, &place, Command::EndSession { session }).await?;
    payload(call, &done, &place).await
}

async fn save_notes(call: &Call, input: &SaveNotesInput) -> Step<SessionPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    parse::text_or_nothing(&Path::Input.member("notes"), &input.notes, NOTES_CHARS_MAX)?;
    let place = place(call, session).await?;
    let notes = call.app.seal(place.customer.into(), input.notes.clone()).await?;
    let done = submit(call, &place, Command::SaveNotes { session, notes }).await?;
    payload(call, &done, &place).await
}

async fn extend_wrap_up(call: &Call, input: &ExtendWrapUpInput) -> Step<SessionPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let place = place(call, session).await?;
    let done = submit(call, &place, Command::ExtendWrapUp { session, by: input.by.0 }).await?;
    payload(call, &done, &place).await
}

async fn complete_wrap_up(call: &Call, input: &CompleteWrapUpInput) -> Step<SessionPayload> {
    let (session, information) = input.parse()?;
    let place = place(call, session).await?;
    let information = call.seal(place.customer, information).await?;
    let done = submit(call, &place, Command::CompleteWrapUp { session, information }).await?;
    payload(call, &done, &place).await
}

/// To anybody who does not take part it is not there, and nothing is sealed for them.
async fn place(call: &Call, session: SessionId) -> Step<Place> {
    let find = |dossier: &Dossier| {
        let row = joined(dossier, &call.actor)?;
        Some(Place { session, log: row.log.clone(), inquiry: row.inquiry, customer: row.customer })
    };
    call.look(session, "sessionId", find).await
}

fn joined<'a>(dossier: &'a Dossier, actor: &Actor) -> Option<&'a SessionRow> {
    let row = dossier.session()?.row();
    (*actor == Actor::Agent(row.agent) || *actor == Actor::Customer(row.customer)).then_some(row)
}

async fn submit(call: &Call, place: &Place, command: Command) -> Step<Done> {
    let closed = |dossier: &Dossier, actor: &Actor| {
        let row = joined(dossier, actor)?;
        (row.state == SessionState::Closed).then_some(Refusal::SessionClosed)
    };
    call.submit_about(&place.log, place.session, command, closed).await
}

async fn payload(call: &Call, done: &Done, place: &Place) -> Step<SessionPayload> {
    let session = Session::load(&call.app, &call.actor, place.session).await?;
    Ok(SessionPayload::new(done, session, Inquiry::load(&call.app, &call.actor, place.inquiry).await?))
}
