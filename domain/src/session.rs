//! Sessions: opened by consent, ended by customer or agent, wrapped up, and with that the inquiry is
//! completed. Messages and notes come sealed.

use crate::actor::Actor;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::inquiry::InquiryCompleted;
use crate::event::session::*;
use crate::ids::{ChannelId, MessageId, RecordId, SessionId};
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::settlement;
use crate::state::{InquiryState, Session, SessionPhase, State, Timer};
use crate::time::{Span, Timestamp};

type Decided = Result<Vec<Event>, Refusal>;

/// So long after its session's end an agent may still save notes and, where there was no wrap-up, the
/// record.
pub const WRITABLE_FOR: Span = Span::days(1);
/// How long after its original end a wrap-up may go on, all extensions together: whoever needs more has the
/// day for notes. Without a bound an agent could stay UNAVAILABLE for ever, and keep its payment from settling.
pub const WRAP_UP_EXTENDED_MAX: Span = Span::minutes(30);

fn find(state: &State, id: SessionId) -> Result<&Session, Refusal> {
    state.sessions.get(id).ok_or(Refusal::NotFound { field: "sessionId" })
}

/// Who takes part: the customer and the agent. To anybody else the session is not there.
fn author(session: &Session, ctx: &Ctx) -> Result<Author, Refusal> {
    match ctx.actor {
        Actor::Agent(agent) if agent == session.agent => Ok(Author::Agent),
        Actor::Customer(customer) if customer == session.customer => Ok(Author::Customer),
        _ => Err(Refusal::NotFound { field: "sessionId" }),
    }
}

pub fn send_message(state: &State, id: SessionId, channel: ChannelId, text: &Sealed, ctx: &Ctx) -> Decided {
    let session = find(state, id)?;
    let author = author(session, ctx)?;
    if channel != session.channel {
        return Err(Refusal::NotFound { field: "channelId" });
    }
    if session.phase != SessionPhase::Open {
        return Err(Refusal::SessionClosed);
    }
    Ok(vec![
        MessageSent {
            agent: (author == Author::Agent).then_some(session.agent),
            author,
            channel,
            inquiry: session.inquiry,
            message: MessageId(ctx.ids.next()),
            session: id,
            text: text.clone(),
        }
        .into(),
    ])
}

/// Disconnects for all. Without wrap-up the inquiry is completed at once.
pub fn end(state: &State, id: SessionId, ctx: &Ctx) -> Decided {
    let session = find(state, id)?;
    let by = author(session, ctx)?;
    if session.phase != SessionPhase::Open {
        return Err(Refusal::SessionClosed);
    }
    let inquiry = state.inquiries.get(session.inquiry).expect("an open session has its inquiry");
    let wrap_up_deadline = inquiry.terms.wrap_up.map(|span| ctx.now + span);
    let ended = SessionEnded { agent: session.agent, by, inquiry: session.inquiry, session: id, wrap_up_deadline };
    let mut events = vec![ended.into()];
    if wrap_up_deadline.is_none() {
        settlement::complete(state, inquiry, session.inquiry, ctx, &mut events);
        events.push(InquiryCompleted { inquiry: session.inquiry }.into());
    }
    Ok(events)
}

/// The agent's own session, while `phases` allow.
fn own<'a>(state: &'a State, id: SessionId, phases: &[SessionPhase], ctx: &Ctx) -> Result<&'a Session, Refusal> {
    let session = find(state, id)?;
    if author(session, ctx)? != Author::Agent {
        return Err(Refusal::NotFound { field: "sessionId" });
    }
    let over = session.closed_at.is_some_and(|at| at + WRITABLE_FOR <= ctx.now);
    if over || !phases.contains(&session.phase) {
        return Err(match session.phase {
            SessionPhase::Open => Refusal::NotAllowedNow { message: "End the session first." },
            SessionPhase::WrapUp | SessionPhase::Closed => Refusal::SessionClosed,
        });
    }
    Ok(session)
}

/// Autosave, in session, wrap-up and for a day after.
pub fn save_notes(state: &State, id: SessionId, notes: &Sealed, ctx: &Ctx) -> Decided {
    let session = own(state, id, &[SessionPhase::Open, SessionPhase::WrapUp, SessionPhase::Closed], ctx)?;
    Ok(vec![NotesSaved { agent: session.agent, inquiry: session.inquiry, notes: notes.clone(), session: id }.into()])
}

pub fn extend_wrap_up(state: &State, id: SessionId, by: Span, ctx: &Ctx) -> Decided {
    let session = own(state, id, &[SessionPhase::WrapUp], ctx)?;
    if by <= Span::ZERO {
        return Err(Refusal::invalid(&["by"], "more than zero"));
    }
    let deadline = session.wrap_up_deadline.expect("wrap-up has a deadline") + by;
    let original = session.wrap_up_ends.expect("wrap-up has an original end");
    if deadline > original + WRAP_UP_EXTENDED_MAX {
        return Err(Refusal::LimitReached { message: "Wrap-up goes on for at most PT30M after its original end." });
    }
    Ok(vec![
        WrapUpExtended { agent: session.agent, inquiry: session.inquiry, session: id, wrap_up_deadline: deadline }
            .into(),
    ])
}

/// Saves the inquiry information; the inquiry is completed and the agent free. Where there was no wrap-up,
/// within a day after the end, once.
pub fn complete_wrap_up(state: &State, id: SessionId, information: &Option<Sealed>, ctx: &Ctx) -> Decided {
    let session = own(state, id, &[SessionPhase::WrapUp, SessionPhase::Closed], ctx)?;
    if session.recorded {
        return Err(Refusal::SessionClosed);
    }
    Ok(completed(state, id, session, information.clone(), ctx))
}

/// The wrap-up deadline has come: what was not written is not saved.
pub fn end_wrap_up(state: &State, id: SessionId, ctx: &Ctx) -> Vec<Event> {
    let session = state.sessions.get(id).expect("a timer goes with its session");
    completed(state, id, session, None, ctx)
}

fn completed(state: &State, id: SessionId, session: &Session, information: Option<Sealed>, ctx: &Ctx) -> Vec<Event> {
    let mut events = vec![
        WrapUpCompleted {
            agent: session.agent,
            customer: session.customer,
            information,
            inquiry: session.inquiry,
            record: RecordId(ctx.ids.next()),
            session: id,
        }
        .into(),
    ];
    if session.phase == SessionPhase::WrapUp {
        let inquiry = state.inquiries.get(session.inquiry).expect("a session in wrap-up has its inquiry");
        settlement::complete(state, inquiry, session.inquiry, ctx, &mut events);
        events.push(InquiryCompleted { inquiry: session.inquiry }.into());
    }
    events
}

fn close(state: &mut State, id: SessionId, at: Timestamp) {
    state.add_closed(at, id);
    state.sessions.change(&mut state.journal, id, |row| {
        row.phase = SessionPhase::Closed;
        row.closed_at = Some(at);
    });
}

/// Lets go of the sessions whose day is over at the time of an event, whatever it is about.
pub(crate) fn forget(state: &mut State, at: Timestamp) {
    while let Some((closed, id)) = state.closed_sessions.first().copied()
        && closed + WRITABLE_FOR <= at
    {
        state.remove_closed(closed, id);
        state.sessions.remove(&mut state.journal, id);
    }
}

pub fn apply(state: &mut State, event: &SessionEvent, at: Timestamp) {
    match event {
        SessionEvent::Opened(e) => {
            let row = Session {
                inquiry: e.inquiry,
                agent: e.agent,
                customer: e.customer,
                channel: e.channel,
                phase: SessionPhase::Open,
                opened_at: at,
                wrap_up_ends: None,
                wrap_up_deadline: None,
                closed_at: None,
                recorded: false,
            };
            state.sessions.put(&mut state.journal, e.session, row);
            state.agents.change(&mut state.journal, e.agent, |agent| agent.sessions += 1);
            let queues = state.inquiries.get(e.inquiry).expect("a session is about an inquiry").queues.clone();
            crate::queue::count(state, &queues, false);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| {
                row.state = InquiryState::Engaged;
                row.session = Some(e.session);
            });
        }
        SessionEvent::MessageSent(_) | SessionEvent::NotesSaved(_) => {}
        SessionEvent::Ended(e) => {
            state.agents.change(&mut state.journal, e.agent, |agent| {
                agent.sessions -= 1;
                agent.wrap_ups += u32::from(e.wrap_up_deadline.is_some());
            });
            match e.wrap_up_deadline {
                Some(deadline) => {
                    state.sessions.change(&mut state.journal, e.session, |row| {
                        row.phase = SessionPhase::WrapUp;
                        row.wrap_up_ends = Some(deadline);
                        row.wrap_up_deadline = Some(deadline);
                    });
                    state.set_timer(deadline, Timer::WrapUpEnds(e.session));
                    state.inquiries.change(&mut state.journal, e.inquiry, |row| row.state = InquiryState::WrapUp);
                }
                None => close(state, e.session, at),
            }
        }
        SessionEvent::WrapUpExtended(e) => {
            let old =
                state.sessions.get(e.session).and_then(|row| row.wrap_up_deadline).expect("wrap-up has a deadline");
            state.clear_timer(old, Timer::WrapUpEnds(e.session));
            state.set_timer(e.wrap_up_deadline, Timer::WrapUpEnds(e.session));
            state.sessions.change(&mut state.journal, e.session, |row| row.wrap_up_deadline = Some(e.wrap_up_deadline));
        }
        SessionEvent::WrapUpCompleted(e) => {
            let row = state.sessions.get(e.session).expect("a session opens first");
            if let (SessionPhase::WrapUp, Some(deadline)) = (row.phase, row.wrap_up_deadline) {
                state.clear_timer(deadline, Timer::WrapUpEnds(e.session));
                state.agents.change(&mut state.journal, e.agent, |agent| agent.wrap_ups -= 1);
                close(state, e.session, at);
            }
            state.sessions.change(&mut state.journal, e.session, |row| row.recorded = true);
        }
    }
}
