//! A session's messages and notes, its end and its wrap-up. What is said and noted is sealed with the
//! customer's key.

use super::call::{Call, Done, Step, answer};
use super::payload::{MessagePayload, ReservationPayload, SessionPayload};
use crate::graphql::input::parse::{self, Path};
use crate::graphql::input::work::{
    CloseChannelInput, CompleteWrapUpInput, EndSessionInput, ExtendWrapUpInput, InviteAgentInput, LeaveSessionInput,
    MESSAGE_CHARS_MAX, NOTES_CHARS_MAX, OpenSideChannelInput, REASON_CHARS_MAX, ReportChannelInput, SaveNotesInput,
    SendMessageInput, TransferSessionInput,
};
use crate::graphql::types::{Inquiry, Message, Reservation, Session};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{ChannelId, CustomerId, InquiryId, SessionId};
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::live::Dossier;
use projections::live::session::{ChannelRow, ChannelState, SessionRow, SessionState};

#[derive(Default)]
pub(super) struct Sessions;

#[Object]
impl Sessions {
    async fn send_message(&self, ctx: &Context<'_>, input: SendMessageInput) -> Result<MessagePayload, Error> {
        let call = Call::begin(ctx, rights::SEND_MESSAGE, &input, &input.idempotency_key)?;
        answer(send_message(&call, &input)).await
    }

    /// Invites a third agent: a reservation of its own, which sets the third agent UNAVAILABLE on consent and AVAILABLE when it leaves.
    async fn invite_agent(&self, ctx: &Context<'_>, input: InviteAgentInput) -> Result<ReservationPayload, Error> {
        let call = Call::begin(ctx, rights::INVITE_AGENT, &input, &input.idempotency_key)?;
        answer(invite_agent(&call, &input)).await
    }

    async fn open_side_channel(&self, ctx: &Context<'_>, input: OpenSideChannelInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::OPEN_SIDE_CHANNEL, &input, &input.idempotency_key)?;
        answer(open_side_channel(&call, &input)).await
    }

    async fn close_channel(&self, ctx: &Context<'_>, input: CloseChannelInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::CLOSE_CHANNEL, &input, &input.idempotency_key)?;
        answer(close_channel(&call, &input)).await
    }

    /// By the agent who dials a TELEPHONE channel, until a media server does. ENDED on MAIN ends the session as endSession does; on SIDE it closes the channel.
    async fn report_channel(&self, ctx: &Context<'_>, input: ReportChannelInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::REPORT_CHANNEL, &input, &input.idempotency_key)?;
        answer(report_channel(&call, &input)).await
    }

    /// An invitation by whose acceptance the inviting agent leaves; the award and its money stay with the first agent.
    async fn transfer_session(
        &self,
        ctx: &Context<'_>,
        input: TransferSessionInput,
    ) -> Result<ReservationPayload, Error> {
        let call = Call::begin(ctx, rights::TRANSFER_SESSION, &input, &input.idempotency_key)?;
        answer(transfer_session(&call, &input)).await
    }

    async fn leave_session(&self, ctx: &Context<'_>, input: LeaveSessionInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::LEAVE_SESSION, &input, &input.idempotency_key)?;
        answer(leave_session(&call, &input)).await
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
    let message = |text| Command::SendMessage { session, channel, text };
    let command = call.recording(place.customer, input.text.clone(), message).await?;
    let done = submit(call, &place, command).await?;
    let message = done.one(|event| match event {
        Event::Session(SessionEvent::MessageSent(e)) => Some(e.message),
        _ => None,
    })?;
    Ok(MessagePayload::new(&done, Message::load(&call.app, &call.actor, message).await?))
}

async fn invite_agent(call: &Call, input: &InviteAgentInput) -> Step<ReservationPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let agent = input.agent.parse("agent")?;
    let place = place(call, session).await?;
    let done = submit(call, &place, Command::InviteAgent { session, agent }).await?;
    invitation(call, &done).await
}

async fn transfer_session(call: &Call, input: &TransferSessionInput) -> Step<ReservationPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let to = input.to.parse("to")?;
    if let Some(note) = &input.note {
        parse::text(&Path::Input.member("note"), note, REASON_CHARS_MAX)?;
    }
    let place = place(call, session).await?;
    let note = call.seal(place.customer, input.note.clone()).await?;
    let done = submit(call, &place, Command::TransferSession { session, to, note }).await?;
    invitation(call, &done).await
}

async fn invitation(call: &Call, done: &Done) -> Step<ReservationPayload> {
    let reservation = done.one(|event| match event {
        Event::Reservation(ReservationEvent::Opened(e)) => Some(e.reservation),
        _ => None,
    })?;
    Ok(ReservationPayload::new(done, Reservation::load(&call.app, &call.actor, reservation).await?))
}

async fn leave_session(call: &Call, input: &LeaveSessionInput) -> Step<SessionPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let place = place(call, session).await?;
    let done = submit(call, &place, Command::LeaveSession { session }).await?;
    payload(call, &done, &place).await
}

async fn open_side_channel(call: &Call, input: &OpenSideChannelInput) -> Step<SessionPayload> {
    let session = parse::id(&input.session_id, "sessionId")?;
    let agent = parse::id(&input.agent_id, "agentId")?;
    let place = place(call, session).await?;
    let kind = input.kind.map(Into::into);
    let done = submit(call, &place, Command::OpenSideChannel { session, agent, kind }).await?;
    payload(call, &done, &place).await
}

async fn close_channel(call: &Call, input: &CloseChannelInput) -> Step<SessionPayload> {
    let channel = parse::id(&input.channel_id, "channelId")?;
    let place = place_of(call, channel).await?;
    let session = place.session;
    let done = submit_on(call, &place, channel, Command::CloseChannel { session, channel }).await?;
    payload(call, &done, &place).await
}

async fn report_channel(call: &Call, input: &ReportChannelInput) -> Step<SessionPayload> {
    let channel = parse::id(&input.channel_id, "channelId")?;
    let place = place_of(call, channel).await?;
    let (session, report) = (place.session, input.report.into());
    let done = submit_on(call, &place, channel, Command::ReportChannel { session, channel, report }).await?;
    payload(call, &done, &place).await
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
    let notes = |notes| Command::SaveNotes { session, notes };
    let command = call.recording(place.customer, input.notes.clone(), notes).await?;
    let done = submit(call, &place, command).await?;
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
    let complete = |information| Command::CompleteWrapUp { session, information };
    let command = match information {
        Some(text) => call.recording(place.customer, text, |sealed| complete(Some(sealed))).await?,
        None => complete(None),
    };
    let done = submit(call, &place, command).await?;
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

/// The same by one of its channels that the caller is on.
async fn place_of(call: &Call, channel: ChannelId) -> Step<Place> {
    let find = |dossier: &Dossier| {
        let row = joined(dossier, &call.actor)?;
        on(dossier, &call.actor, channel)?;
        Some(Place { session: row.id, log: row.log.clone(), inquiry: row.inquiry, customer: row.customer })
    };
    call.look(channel, "channelId", find).await
}

fn on<'a>(dossier: &'a Dossier, actor: &Actor, channel: ChannelId) -> Option<&'a ChannelRow> {
    let row = dossier.session()?.channel(channel)?;
    let Actor::Agent(agent) = actor else { return None };
    row.between.is_none_or(|between| between.contains(agent)).then_some(row)
}

fn joined<'a>(dossier: &'a Dossier, actor: &Actor) -> Option<&'a SessionRow> {
    let session = dossier.session()?;
    let row = session.row();
    let is_in = match actor {
        Actor::Agent(agent) => session.had(*agent),
        actor => *actor == Actor::Customer(row.customer),
    };
    is_in.then_some(row)
}

/// Of a channel: the log forgets it where it is closed.
async fn submit_on(call: &Call, place: &Place, channel: ChannelId, command: Command) -> Step<Done> {
    let closed = |dossier: &Dossier, actor: &Actor| {
        let row = joined(dossier, actor)?;
        let is_closed = on(dossier, actor, channel)?.state == ChannelState::Closed;
        match row.state {
            SessionState::Open => is_closed.then_some(Refusal::ChannelClosed),
            SessionState::WrapUp | SessionState::Closed => Some(Refusal::SessionClosed),
        }
    };
    call.submit_about(&place.log, place.session, command, closed).await
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
