//! Sessions: opened by consent, ended by customer or first agent or by themselves, wrapped up, and with that the
//! inquiry is completed. Messages and notes come sealed.
//!
//! Not here: who else is in a session, and on which channels (`conference`).

use crate::actor::Actor;
use crate::conference;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::inquiry::InquiryCompleted;
use crate::event::reservation::RescindReason;
use crate::event::session::*;
use crate::ids::{AgentId, ChannelId, MessageId, RecordId, ReservationId, SessionId};
use crate::inquiry;
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::settlement;
use crate::state::{InquiryState, Session, SessionPhase, State, Timer, WrapUp};
use crate::terms::ChannelKind;
use crate::time::{Span, Timestamp};
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

/// So long after its session's end an agent may still save notes and, where there was no wrap-up, the
/// record.
pub const WRITABLE_FOR: Span = Span::days(1);
/// How long after its original end a wrap-up may go on, all extensions together: whoever needs more has the
/// day for notes. Without a bound an agent could stay UNAVAILABLE for ever, and keep its payment from settling.
pub const WRAP_UP_EXTENDED_MAX: Span = Span::minutes(30);
/// A session in which nobody says anything for so long, and nobody is on the telephone, ends by itself.
pub const IDLE_FOR: Span = Span::minutes(30);
/// No session goes on for longer (docs/adr/0024).
pub const LASTS_MAX: Span = Span::minutes(8 * 60);

pub(crate) fn find(state: &State, id: SessionId) -> Result<&Session, Refusal> {
    state.sessions.get(id).ok_or(Refusal::NotFound { field: "sessionId" })
}

/// Who takes part: the customer and the agents in it. To anybody else the session is not there.
fn author(session: &Session, ctx: &Ctx) -> Result<Author, Refusal> {
    match ctx.actor {
        Actor::Agent(agent) if session.has(agent) => Ok(Author::Agent),
        Actor::Customer(customer) if customer == session.customer => Ok(Author::Customer),
        _ => Err(Refusal::NotFound { field: "sessionId" }),
    }
}

pub fn send_message(state: &State, id: SessionId, channel: ChannelId, text: &Sealed, ctx: &Ctx) -> Decided {
    let session = find(state, id)?;
    let author = author(session, ctx)?;
    let agent = match ctx.actor {
        Actor::Agent(agent) => Some(agent),
        _ => None,
    };
    let side = session.side(channel).filter(|side| agent.is_some_and(|agent| side.between.contains(&agent)));
    if channel != session.channel && side.is_none() {
        return Err(Refusal::NotFound { field: "channelId" });
    }
    if session.phase != SessionPhase::Open {
        return Err(Refusal::SessionClosed);
    }
    Ok(vec![
        MessageSent {
            agent,
            author,
            channel,
            inquiry: session.inquiry,
            message: MessageId(ctx.ids.next()),
            session: id,
            side: side.is_some(),
            text: text.clone(),
        }
        .into(),
    ])
}

/// Disconnects for all; customer or first agent. Without wrap-up the inquiry is completed at once.
pub fn end(state: &State, id: SessionId, ctx: &Ctx) -> Decided {
    let session = find(state, id)?;
    let by = author(session, ctx)?;
    if session.phase != SessionPhase::Open {
        return Err(Refusal::SessionClosed);
    }
    if matches!(ctx.actor, Actor::Agent(agent) if agent != session.agent) {
        return Err(Refusal::NotAllowedNow { message: "Only the first agent ends the session for all; leave it." });
    }
    Ok(ended(state, id, session, by, ctx))
}

/// Nobody has said anything, or it has gone on for too long. `late`: the platform was down, so perhaps somebody
/// wanted to: it goes on.
pub fn end_by_itself(state: &State, id: SessionId, late: bool, ctx: &Ctx) -> Vec<Event> {
    let session = state.sessions.get(id).expect("a timer goes with its session");
    if late {
        return vec![SessionKept { inquiry: session.inquiry, session: id, until: ctx.now + IDLE_FOR }.into()];
    }
    ended(state, id, session, Author::System, ctx)
}

pub(crate) fn ended(state: &State, id: SessionId, session: &Session, by: Author, ctx: &Ctx) -> Vec<Event> {
    let inquiry = state.inquiries.get(session.inquiry).expect("an open session has its inquiry");
    let wrap_up_deadline = inquiry.terms.wrap_up.map(|span| ctx.now + span);
    let rescinded = |invitation: &ReservationId| conference::rescind(state, *invitation, RescindReason::SessionOver);
    let mut events: Vec<Event> = session.invitations.iter().map(rescinded).collect();
    // Each has an event of its own: it is in its trail, and makes it free.
    for guest in session.guests.iter() {
        events.push(conference::left(id, session, *guest, None));
    }
    let ended = SessionEnded { agent: session.agent, by, inquiry: session.inquiry, session: id, wrap_up_deadline };
    events.push(ended.into());
    if wrap_up_deadline.is_none() {
        settlement::complete(state, inquiry, session.inquiry, ctx, &mut events);
        events.push(InquiryCompleted { freed: inquiry::freed(state, inquiry), inquiry: session.inquiry }.into());
    }
    events
}

/// The session of its first agent, while `phases` allow, or of one that has handed over and wraps up.
fn own<'a>(
    state: &'a State,
    id: SessionId,
    phases: &[SessionPhase],
    ctx: &Ctx,
) -> Result<(AgentId, &'a Session), Refusal> {
    let session = find(state, id)?;
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::NotFound { field: "sessionId" }) };
    if session.agent != agent {
        let wraps_up = session.wrap_up(agent).is_some();
        let refusal = match session.has(agent) {
            true => Refusal::NotAllowedNow { message: "This is the first agent's to do." },
            false => Refusal::NotFound { field: "sessionId" },
        };
        return if wraps_up { Ok((agent, session)) } else { Err(refusal) };
    }
    let over = session.closed_at.is_some_and(|at| at + WRITABLE_FOR <= ctx.now);
    if over || !phases.contains(&session.phase) {
        return Err(match session.phase {
            SessionPhase::Open => Refusal::NotAllowedNow { message: "End the session first." },
            SessionPhase::WrapUp | SessionPhase::Closed => Refusal::SessionClosed,
        });
    }
    Ok((agent, session))
}

/// Autosave, in session, wrap-up and for a day after.
pub fn save_notes(state: &State, id: SessionId, notes: &Sealed, ctx: &Ctx) -> Decided {
    let (agent, session) = own(state, id, &[SessionPhase::Open, SessionPhase::WrapUp, SessionPhase::Closed], ctx)?;
    Ok(vec![NotesSaved { agent, inquiry: session.inquiry, notes: notes.clone(), session: id }.into()])
}

pub fn extend_wrap_up(state: &State, id: SessionId, by: Span, ctx: &Ctx) -> Decided {
    let (agent, session) = own(state, id, &[SessionPhase::WrapUp], ctx)?;
    if by <= Span::ZERO {
        return Err(Refusal::invalid(&["by"], "more than zero"));
    }
    let wrap_up = session.wrap_up(agent).expect("who wraps up has until when");
    let deadline = wrap_up.deadline + by;
    if deadline > wrap_up.ends + WRAP_UP_EXTENDED_MAX {
        return Err(Refusal::LimitReached { message: "Wrap-up goes on for at most PT30M after its original end." });
    }
    Ok(vec![WrapUpExtended { agent, inquiry: session.inquiry, session: id, wrap_up_deadline: deadline }.into()])
}

/// Saves the inquiry information; the inquiry is completed and the agent free. Where there was no wrap-up,
/// within a day after the end, once. Who has handed over saves its own part, and the session goes on.
pub fn complete_wrap_up(state: &State, id: SessionId, information: &Option<Sealed>, ctx: &Ctx) -> Decided {
    let (agent, session) = own(state, id, &[SessionPhase::WrapUp, SessionPhase::Closed], ctx)?;
    if session.recorded && agent == session.agent {
        return Err(Refusal::SessionClosed);
    }
    Ok(completed(state, id, session, agent, information.clone(), ctx))
}

/// The wrap-up deadline has come: what was not written is not saved.
pub fn end_wrap_up(state: &State, id: SessionId, agent: AgentId, ctx: &Ctx) -> Vec<Event> {
    let session = state.sessions.get(id).expect("a timer goes with its session");
    completed(state, id, session, agent, None, ctx)
}

fn completed(
    state: &State,
    id: SessionId,
    session: &Session,
    agent: AgentId,
    information: Option<Sealed>,
    ctx: &Ctx,
) -> Vec<Event> {
    let mut events = vec![
        WrapUpCompleted {
            agent,
            customer: session.customer,
            information,
            inquiry: session.inquiry,
            record: RecordId(ctx.ids.next()),
            session: id,
        }
        .into(),
    ];
    if session.phase == SessionPhase::WrapUp && agent == session.agent {
        let inquiry = state.inquiries.get(session.inquiry).expect("a session in wrap-up has its inquiry");
        settlement::complete(state, inquiry, session.inquiry, ctx, &mut events);
        events.push(InquiryCompleted { freed: inquiry::freed(state, inquiry), inquiry: session.inquiry }.into());
    }
    events
}

impl Session {
    /// The agents in it, while it is open: the first one first.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> + '_ {
        std::iter::once(self.agent).chain(self.guests.iter().copied())
    }
    pub fn has(&self, agent: AgentId) -> bool {
        self.agent == agent || self.guests.contains(&agent)
    }
    pub fn wrap_up(&self, agent: AgentId) -> Option<&WrapUp> {
        self.wrap_ups.iter().find(|one| one.agent == agent)
    }
}

/// Nobody wraps it up any more: for a day its agent may still write, and then it is forgotten.
fn keep_for_a_day(state: &mut State, id: SessionId, at: Timestamp) {
    let row = state.sessions.get(id).expect("a session opens first");
    if row.phase == SessionPhase::Closed && row.wrap_ups.is_empty() {
        state.add_closed(at, id);
    }
}

fn close(state: &mut State, id: SessionId, at: Timestamp) {
    state.sessions.change(&mut state.journal, id, |row| {
        row.phase = SessionPhase::Closed;
        row.closed_at = Some(at);
    });
    keep_for_a_day(state, id, at);
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

/// Somebody said or did something in an open session: it is not idle. While somebody is on the telephone it never
/// is.
pub(crate) fn stirs(state: &mut State, id: SessionId, at: Timestamp) {
    let row = state.sessions.get(id).expect("a session opens first");
    let talks = row.kind == ChannelKind::Telephone && row.connected;
    let idle_at = (!talks).then_some(at + IDLE_FOR);
    if row.idle_at == idle_at {
        return;
    }
    set_idle_at(state, id, idle_at);
}

fn set_idle_at(state: &mut State, id: SessionId, idle_at: Option<Timestamp>) {
    let old = state.sessions.get(id).expect("a session opens first").idle_at;
    if let Some(old) = old {
        state.clear_timer(old, Timer::SessionIsIdle(id));
    }
    if let Some(at) = idle_at {
        state.set_timer(at, Timer::SessionIsIdle(id));
    }
    state.sessions.change(&mut state.journal, id, |row| row.idle_at = idle_at);
}

fn set_ends_at(state: &mut State, id: SessionId, ends_at: Option<Timestamp>) {
    let old = state.sessions.get(id).expect("a session opens first").ends_at;
    if let Some(old) = old {
        state.clear_timer(old, Timer::SessionIsLong(id));
    }
    if let Some(at) = ends_at {
        state.set_timer(at, Timer::SessionIsLong(id));
    }
    state.sessions.change(&mut state.journal, id, |row| row.ends_at = ends_at);
}

pub(crate) fn begin_wrap_up(state: &mut State, id: SessionId, agent: AgentId, deadline: Timestamp) {
    let wrap_up = WrapUp { agent, ends: deadline, deadline };
    state.set_timer(deadline, Timer::WrapUpEnds(id, agent));
    state.change_agent(agent, |row| row.wrap_ups += 1);
    state.sessions.change(&mut state.journal, id, |row| {
        row.wrap_ups = row.wrap_ups.iter().copied().chain([wrap_up]).collect();
    });
}

pub fn apply(state: &mut State, event: &SessionEvent, at: Timestamp) {
    match event {
        SessionEvent::Opened(e) => {
            let row = Session {
                inquiry: e.inquiry,
                agent: e.agent,
                customer: e.customer,
                channel: e.channel,
                kind: e.kind,
                connected: false,
                guests: Arc::new([]),
                invitations: Arc::new([]),
                sides: Arc::new([]),
                sides_opened: 0,
                phase: SessionPhase::Open,
                opened_at: at,
                idle_at: None,
                ends_at: None,
                wrap_ups: Arc::new([]),
                closed_at: None,
                recorded: false,
            };
            state.sessions.put(&mut state.journal, e.session, row);
            set_idle_at(state, e.session, Some(at + IDLE_FOR));
            set_ends_at(state, e.session, Some(at + LASTS_MAX));
            state.change_agent(e.agent, |agent| {
                agent.sessions += 1;
                agent.worked_at = at;
            });
            let queues = state.inquiries.get(e.inquiry).expect("a session is about an inquiry").queues.clone();
            crate::queue::count(state, &queues, false);
            crate::inquiry::stop_waiting(state, e.inquiry, InquiryState::Engaged, at);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| row.session = Some(e.session));
        }
        SessionEvent::MessageSent(e) => stirs(state, e.session, at),
        SessionEvent::NotesSaved(_) => {}
        SessionEvent::Kept(e) => {
            let row = state.sessions.get(e.session).expect("a session opens first");
            let (idle, ends) = (row.idle_at, row.ends_at);
            if idle.is_some_and(|idle| idle < e.until) {
                set_idle_at(state, e.session, Some(e.until));
            }
            if ends.is_some_and(|ends| ends < e.until) {
                set_ends_at(state, e.session, Some(e.until));
            }
        }
        SessionEvent::AgentJoined(e) => conference::apply_joined(state, e, at),
        SessionEvent::AgentLeft(e) => conference::apply_left(state, e, at),
        SessionEvent::ChannelOpened(e) => conference::apply_channel_opened(state, e, at),
        SessionEvent::ChannelConnected(e) => conference::apply_channel_connected(state, e, at),
        SessionEvent::ChannelClosed(e) => conference::apply_channel_closed(state, e, at),
        SessionEvent::Ended(e) => {
            state.change_agent(e.agent, |agent| {
                agent.sessions -= 1;
                agent.worked_at = at;
            });
            state.sessions.change(&mut state.journal, e.session, |row| row.sides = [].into());
            set_idle_at(state, e.session, None);
            set_ends_at(state, e.session, None);
            match e.wrap_up_deadline {
                Some(deadline) => {
                    state.sessions.change(&mut state.journal, e.session, |row| row.phase = SessionPhase::WrapUp);
                    begin_wrap_up(state, e.session, e.agent, deadline);
                    state.inquiries.change(&mut state.journal, e.inquiry, |row| row.state = InquiryState::WrapUp);
                }
                None => close(state, e.session, at),
            }
        }
        SessionEvent::WrapUpExtended(e) => {
            let row = state.sessions.get(e.session).expect("a session opens first");
            let old = row.wrap_up(e.agent).expect("wrap-up has a deadline").deadline;
            state.clear_timer(old, Timer::WrapUpEnds(e.session, e.agent));
            state.set_timer(e.wrap_up_deadline, Timer::WrapUpEnds(e.session, e.agent));
            let moved = |one: &WrapUp| match one.agent == e.agent {
                true => WrapUp { deadline: e.wrap_up_deadline, ..*one },
                false => *one,
            };
            state.sessions.change(&mut state.journal, e.session, |row| {
                row.wrap_ups = row.wrap_ups.iter().map(moved).collect();
            });
        }
        SessionEvent::WrapUpCompleted(e) => {
            let row = state.sessions.get(e.session).expect("a session opens first");
            let is_first = row.agent == e.agent;
            let closes = is_first && row.phase == SessionPhase::WrapUp;
            let wrap_up = row.wrap_up(e.agent).copied();
            if let Some(wrap_up) = wrap_up {
                state.clear_timer(wrap_up.deadline, Timer::WrapUpEnds(e.session, e.agent));
                state.change_agent(e.agent, |agent| {
                    agent.wrap_ups -= 1;
                    agent.worked_at = at;
                });
            }
            state.sessions.change(&mut state.journal, e.session, |row| {
                row.wrap_ups = row.wrap_ups.iter().copied().filter(|one| one.agent != e.agent).collect();
                row.recorded |= is_first;
            });
            match closes {
                true => close(state, e.session, at),
                false if wrap_up.is_some() => keep_for_a_day(state, e.session, at),
                false => {}
            }
        }
    }
}
