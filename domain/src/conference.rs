//! Who else is in a session: agents are invited by reservations of their own, join, take over, leave; SIDE channels
//! join two of them, and the customer never learns of those.
//!
//! An invitation moves no money and no inquiry: what was awarded stays awarded. Where it names nobody the platform
//! selects, and goes on to the next one until somebody comes or nobody is left.

use crate::actor::Actor;
use crate::agent::{Applicant, Demand, suits};
use crate::award::reason_of;
use crate::check;
use crate::command::{AgentChoice, ChannelReport};
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::reservation::*;
use crate::event::session::*;
use crate::ids::{AgentId, ChannelId, ReservationId, SessionId};
use crate::location;
use crate::refusal::Refusal;
use crate::routing::COOL_OFF;
use crate::sealed::Sealed;
use crate::session::{begin_wrap_up, ended, find, stirs};
use crate::state::{Agent, Invited, Reservation, ReservationPhase, Session, SessionPhase, Side, State};
use crate::terms::ChannelKind;
use crate::time::Timestamp;
use crate::topic::Skill;
use crate::why::{Excluded, ExclusionReason, RANKED_MAX, Ranked, Why};

type Decided = Result<Vec<Event>, Refusal>;

/// Agents in a session, those included that are asked to come.
pub const AGENTS_MAX: usize = 8;
/// SIDE channels of one session, closed ones included.
pub const SIDES_MAX: u32 = 64;

impl Session {
    /// An open SIDE channel.
    pub fn side(&self, id: ChannelId) -> Option<&Side> {
        self.sides.iter().find(|side| side.channel == id)
    }
}

/// The open session of an agent who is in it.
fn joined<'a>(state: &'a State, id: SessionId, ctx: &Ctx) -> Result<(AgentId, &'a Session), Refusal> {
    let session = find(state, id)?;
    match ctx.actor {
        Actor::Agent(agent) if session.has(agent) => match session.phase {
            SessionPhase::Open => Ok((agent, session)),
            SessionPhase::WrapUp | SessionPhase::Closed => Err(Refusal::SessionClosed),
        },
        _ => Err(Refusal::NotFound { field: "sessionId" }),
    }
}

/// The same of its first agent.
fn led<'a>(state: &'a State, id: SessionId, ctx: &Ctx) -> Result<(AgentId, &'a Session), Refusal> {
    let (agent, session) = joined(state, id, ctx)?;
    if agent != session.agent {
        return Err(Refusal::NotAllowedNow { message: "This is the first agent's to do." });
    }
    Ok((agent, session))
}

/// Another agent is asked to join.
pub fn invite(state: &State, id: SessionId, choice: &AgentChoice, ctx: &Ctx) -> Decided {
    let (agent, session) = led(state, id, ctx)?;
    let (named, skills) = chosen(choice, "agent")?;
    let invited = Invited { session: id, by: agent, transfer: false, skills, note: None };
    first_asked(state, session, named, invited, ctx)
}

/// Another agent is asked to take over; it may be in the session already.
pub fn transfer(state: &State, id: SessionId, choice: &AgentChoice, note: &Option<Sealed>, ctx: &Ctx) -> Decided {
    let (agent, session) = led(state, id, ctx)?;
    let (named, skills) = chosen(choice, "to")?;
    let pending = |id: &&ReservationId| {
        let row = state.reservations.get(**id).expect("a pending invitation is a reservation");
        row.invitation.as_ref().is_some_and(|invitation| invitation.transfer)
    };
    if session.invitations.iter().find(pending).is_some() {
        return Err(Refusal::NotAllowedNow {
            message: "Somebody is asked to take over already; take that back first.",
        });
    }
    let invited = Invited { session: id, by: agent, transfer: true, skills, note: note.clone() };
    first_asked(state, session, named, invited, ctx)
}

type Chosen = (Option<AgentId>, Option<std::sync::Arc<[Skill]>>);

fn chosen(choice: &AgentChoice, field: &str) -> Result<Chosen, Refusal> {
    match choice {
        AgentChoice::Named(agent) => Ok((Some(*agent), None)),
        AgentChoice::Skilled(skills) => {
            check::skills(&[field, "skills"], skills)?;
            if skills.is_empty() {
                return Err(Refusal::invalid(&[field, "skills"], "at least one skill"));
            }
            Ok((None, Some(skills.clone().into())))
        }
    }
}

fn first_asked(state: &State, session: &Session, named: Option<AgentId>, invited: Invited, ctx: &Ctx) -> Decided {
    // Who is in it already takes no place when it takes over.
    let comes = named.is_none_or(|agent| !session.has(agent));
    if comes && session.agents().count() + session.invitations.len() >= AGENTS_MAX {
        return Err(Refusal::LimitReached { message: "At most 8 agents are in a session or asked to come." });
    }
    let (agent, why) = match named {
        Some(agent) => {
            may_come(state, session, agent, &invited)?;
            (agent, None)
        }
        None => {
            let (agent, why) = select(state, session, &invited, None, ctx.now);
            (agent.ok_or(Refusal::AgentNotAvailable)?, Some(why))
        }
    };

    // After this point the agent is asked.
    Ok(vec![ask(state, session, agent, why, &invited, 1, ctx)])
}

/// A named agent is asked whatever its skills are: who names it knows why.
fn may_come(state: &State, session: &Session, agent: AgentId, invited: &Invited) -> Result<(), Refusal> {
    let row = state.agents.get(agent).ok_or(Refusal::NotFound { field: "agentId" })?;
    let is_asked =
        session.invitations.iter().any(|id| state.reservations.get(*id).is_some_and(|one| one.agent == agent));
    if is_asked {
        return Err(Refusal::NotAllowedNow { message: "The agent is asked already." });
    }
    let demand = demand(state, session, &[]);
    let suited = suits(row.applicant(agent), demand);
    // Who is kept from an inquiry does not take it over either. Its colleague is told what it is told of anybody.
    if matches!(suited, Err(Refusal::AgentBlocked | Refusal::AgentKeepsAway)) {
        return Err(Refusal::AgentNotAvailable);
    }
    if session.has(agent) {
        return match invited.transfer && agent != session.agent {
            // Who is in it does not become busier by taking it over.
            true => Ok(()),
            false => Err(Refusal::NotAllowedNow { message: "The agent is in the session." }),
        };
    }
    suited
}

fn demand<'a>(state: &State, session: &Session, desired_skills: &'a [Skill]) -> Demand<'a> {
    let inquiry = state.inquiries.get(session.inquiry).expect("an open session has its inquiry");
    let independent_agents_only = inquiry.terms.independent_agents_only;
    // A third agent is paid by nobody.
    let (provider, customer, ends_soon) = (inquiry.provider, inquiry.customer, inquiry.ends_soon);
    Demand { provider, customer, independent_agents_only, unpaid: None, desired_skills, ends_soon }
}

/// An invitation that ends in the same decision: the state still counts it.
struct Ending<'a> {
    row: &'a Reservation,
    answer: Answer,
}

/// The best skilled of those who are free, then the least busy, then the first registered.
fn select(
    state: &State,
    session: &Session,
    invited: &Invited,
    ending: Option<&Ending<'_>>,
    now: Timestamp,
) -> (Option<AgentId>, Why) {
    let wanted = invited.skills.as_deref().unwrap_or_default();
    let demand = demand(state, session, wanted);
    let refused = refused_by(state, session, invited, ending, now);
    let avoided = location::avoided(state, ending.map(|ending| ending.row.agent));
    let mut fit: Vec<(u32, u32, u32, AgentId)> = Vec::new();
    let mut left_out: Vec<(ExclusionReason, u32)> = Vec::new();
    state.agents.any_keyed(|id, row| {
        if session.has(id) {
            return false;
        }
        let freed = u32::from(ending.is_some_and(|ending| ending.row.agent == id));
        let applicant = Applicant { load: row.load() - freed, ..row.applicant(id) };
        if let Some((_, reason)) = refused.iter().find(|(agent, _)| *agent == id) {
            left_out.push((*reason, row.number));
            return false;
        }
        match suits(applicant, demand) {
            Ok(()) if avoided.contains(&&*row.location) => {
                left_out.push((ExclusionReason::LocationAvoided, row.number))
            }
            Ok(()) => fit.push((level_of(row, wanted), applicant.load, row.number, id)),
            Err(refusal) => left_out.push((reason_of(&refusal), row.number)),
        }
        false
    });
    // The table's order is an accident.
    fit.sort_by_key(|(level, load, number, _)| (std::cmp::Reverse(*level), *load, *number));
    left_out.sort();
    let mut excluded: Vec<Excluded> = Vec::new();
    for (reason, number) in left_out {
        match excluded.last_mut().filter(|group| group.reason == reason) {
            Some(group) => group.agents.push(number),
            None => excluded.push(Excluded { agents: vec![number], reason, subjects: vec![] }),
        }
    }
    let ranked = fit.iter().take(RANKED_MAX).map(|(level, load, number, id)| Ranked {
        amount: None,
        bid: None,
        score: Some(level.to_string()),
        subject: (*id).into(),
        tie_key: format!("{load}:{number}"),
    });
    let best = fit.first().map(|(.., id)| *id);
    let why = Why { chosen: best.map(Into::into), excluded, ranked: ranked.collect(), rule: "invite/1".to_owned() };
    (best, why)
}

/// The levels of the skills by which it covers what is wanted.
fn level_of(agent: &Agent, wanted: &[Skill]) -> u32 {
    let best = |want: &Skill| {
        let covering = agent.skills.iter().filter(|have| have.name.contains(&want.name));
        covering.map(|have| u32::from(have.level)).max().unwrap_or(0)
    };
    wanted.iter().map(best).sum()
}

/// Who is being asked into this session, has declined of late, or let this invitation lapse. An earlier one is
/// forgotten: its agent was on break since, and is asked again once it is back.
fn refused_by(
    state: &State,
    session: &Session,
    invited: &Invited,
    ending: Option<&Ending<'_>>,
    now: Timestamp,
) -> Vec<(AgentId, ExclusionReason)> {
    let inquiry = state.inquiries.get(session.inquiry).expect("an open session has its inquiry");
    let mut refused = Vec::new();
    // How often it was asked before: those lapses count, back to its first attempt.
    let mut attempt = ending.map_or(0, |ending| ending.row.attempt);
    for id in inquiry.reservations.iter().rev() {
        let row = state.reservations.get(*id).expect("they go with their inquiry");
        let Some(other) = row.invitation.as_deref().filter(|other| other.session == invited.session) else { continue };
        let in_chain = attempt > 1 && row.attempt == attempt - 1 && other == invited;
        attempt -= u32::from(in_chain);
        let reason = match row.phase {
            ReservationPhase::Declined if row.ended_at.is_some_and(|ended| now < ended + COOL_OFF) => {
                ExclusionReason::DeclinedCoolOff
            }
            ReservationPhase::Lapsed if in_chain => ExclusionReason::AlreadyAsked,
            ReservationPhase::Pending if ending.is_none_or(|ending| ending.row.agent != row.agent) => {
                ExclusionReason::AlreadyAsked
            }
            ReservationPhase::Pending
            | ReservationPhase::Accepted
            | ReservationPhase::Declined
            | ReservationPhase::Lapsed
            | ReservationPhase::Rescinded => continue,
        };
        refused.push((row.agent, reason));
    }
    refused.extend(ending.and_then(|ending| match ending.answer {
        Answer::Declined => Some((ending.row.agent, ExclusionReason::DeclinedCoolOff)),
        Answer::Lapsed => Some((ending.row.agent, ExclusionReason::AlreadyAsked)),
        Answer::Accepted | Answer::Rescinded => None,
    }));
    refused
}

fn ask(
    state: &State,
    session: &Session,
    agent: AgentId,
    why: Option<Why>,
    invited: &Invited,
    attempt: u32,
    ctx: &Ctx,
) -> Event {
    let inquiry = state.inquiries.get(session.inquiry).expect("an open session has its inquiry");
    let invitation = Invitation {
        by: invited.by,
        note: invited.note.clone(),
        session: invited.session,
        skills: invited.skills.as_deref().map(<[Skill]>::to_vec),
        why,
    };
    ReservationOpened {
        agent,
        attempt,
        auction: None,
        bid: None,
        deadline: ctx.now + inquiry.terms.consent_window,
        inquiry: session.inquiry,
        invitation: Some(Box::new(invitation)),
        payer: None,
        price: None,
        purpose: if invited.transfer { Purpose::Transfer } else { Purpose::Invited },
        reservation: ReservationId(ctx.ids.next()),
    }
    .into()
}

/// Consent: the agent is in the session. Who takes it over leads it from now on, and who led it wraps up.
pub(crate) fn accept(state: &State, id: ReservationId, row: &Reservation, invited: &Invited, ctx: &Ctx) -> Vec<Event> {
    let session = state.sessions.get(invited.session).expect("an invitation ends before its session");
    let inquiry = state.inquiries.get(row.inquiry).expect("an open session has its inquiry");
    let joined = AgentJoined {
        agent: row.agent,
        first: invited.transfer,
        inquiry: row.inquiry,
        reservation: id,
        session: invited.session,
    };
    let mut events: Vec<Event> =
        vec![ReservationAccepted { agent: row.agent, inquiry: row.inquiry, reservation: id }.into(), joined.into()];
    if invited.transfer {
        let wrap_up_deadline = inquiry.terms.wrap_up.map(|span| ctx.now + span);
        events.push(left(invited.session, session, session.agent, wrap_up_deadline));
    }
    events.push(answered(id, row, invited, Answer::Accepted, None));
    events
}

/// Tells who invited.
fn answered(id: ReservationId, row: &Reservation, invited: &Invited, answer: Answer, next: Option<AgentId>) -> Event {
    InvitationAnswered {
        agent: invited.by,
        answer,
        inquiry: row.inquiry,
        invited: row.agent,
        next,
        reservation: id,
        session: invited.session,
    }
    .into()
}

/// Who is asked after an invitation came to nothing, and the events of telling and asking.
pub(crate) fn ask_next(
    state: &State,
    id: ReservationId,
    row: &Reservation,
    invited: &Invited,
    answer: Answer,
    ctx: &Ctx,
) -> (Option<AgentId>, Vec<Event>) {
    let session = state.sessions.get(invited.session).expect("an invitation ends before its session");
    let ending = Ending { row, answer };
    let next = match &invited.skills {
        // The decision sees the state before: the agent's own reservation is still pending there.
        Some(_) => {
            let (next, why) = select(state, session, invited, Some(&ending), ctx.now);
            next.map(|agent| (agent, why))
        }
        None => None,
    };
    let asked = next.as_ref().map(|(agent, _)| *agent);
    let mut events = vec![answered(id, row, invited, answer, asked)];
    if let Some((agent, why)) = next {
        events.push(ask(state, session, agent, Some(why), invited, row.attempt + 1, ctx));
    }
    (asked, events)
}

/// Who invited takes it back, or who leads the session since.
pub fn take_back(state: &State, id: ReservationId, ctx: &Ctx) -> Decided {
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::Forbidden) };
    let leads = |session| state.sessions.get(session).is_some_and(|session| session.agent == agent);
    let own = |row: &&Reservation| {
        row.invitation.as_ref().is_some_and(|invited| invited.by == agent || leads(invited.session))
    };
    let row = state.reservations.get(id).filter(own).ok_or(Refusal::NotFound { field: "reservationId" })?;
    crate::reservation::still_pending(row, ctx)?;
    Ok(vec![rescind(state, id, RescindReason::TakenBack)])
}

pub(crate) fn rescind(state: &State, id: ReservationId, reason: RescindReason) -> Event {
    let row = state.reservations.get(id).expect("a pending invitation is a reservation");
    ReservationRescinded { agent: row.agent, inquiry: row.inquiry, reason, reservation: id }.into()
}

/// A third agent leaves; the session goes on.
pub fn leave(state: &State, id: SessionId, ctx: &Ctx) -> Decided {
    let (agent, session) = joined(state, id, ctx)?;
    if agent == session.agent {
        return Err(Refusal::NotAllowedNow { message: "The first agent transfers the session, or ends it." });
    }
    let mut events: Vec<Event> = asked_by(state, session, agent)
        .into_iter()
        .map(|invitation| rescind(state, invitation, RescindReason::TakenBack))
        .collect();
    events.push(left(id, session, agent, None));
    Ok(events)
}

pub(crate) fn left(id: SessionId, session: &Session, agent: AgentId, wrap_up_deadline: Option<Timestamp>) -> Event {
    AgentLeft { agent, inquiry: session.inquiry, session: id, wrap_up_deadline }.into()
}

/// A pending request to take over, made of the agent itself, ends with its leaving.
fn asked_by(state: &State, session: &Session, agent: AgentId) -> Vec<ReservationId> {
    let is_its = |id: &&ReservationId| state.reservations.get(**id).is_some_and(|row| row.agent == agent);
    session.invitations.iter().filter(is_its).copied().collect()
}

/// Two agents of a session talk by themselves.
pub fn open_side_channel(state: &State, id: SessionId, with: AgentId, kind: Option<ChannelKind>, ctx: &Ctx) -> Decided {
    let (agent, session) = joined(state, id, ctx)?;
    if with == agent {
        return Err(Refusal::invalid(&["agentId"], "another agent than yourself"));
    }
    if !session.has(with) {
        return Err(Refusal::NotAParticipant);
    }
    let kind = kind.unwrap_or(match session.kind {
        ChannelKind::Message => ChannelKind::Telephone,
        ChannelKind::Telephone => ChannelKind::Message,
    });
    let is_there = |side: &Side| side.kind == kind && side.between.contains(&agent) && side.between.contains(&with);
    if session.sides.iter().any(is_there) {
        return Err(Refusal::NotAllowedNow { message: "There is such a channel between you." });
    }
    if session.sides_opened >= SIDES_MAX {
        return Err(Refusal::LimitReached { message: "A session has at most 64 side channels." });
    }
    let channel = ChannelId(ctx.ids.next());
    Ok(vec![ChannelOpened { agent: with, by: agent, channel, inquiry: session.inquiry, kind, session: id }.into()])
}

pub fn close_channel(state: &State, id: SessionId, channel: ChannelId, ctx: &Ctx) -> Decided {
    let (agent, session) = joined(state, id, ctx)?;
    if channel == session.channel {
        return Err(Refusal::NotAllowedNow { message: "MAIN ends with the session." });
    }
    let side = own_side(session, channel, agent)?;
    Ok(vec![closed(id, session, side, agent)])
}

fn own_side(session: &Session, channel: ChannelId, agent: AgentId) -> Result<&Side, Refusal> {
    let side = session.side(channel).filter(|side| side.between.contains(&agent));
    side.ok_or(Refusal::NotFound { field: "channelId" })
}

fn closed(id: SessionId, session: &Session, side: &Side, by: AgentId) -> Event {
    let agent = if side.between[0] == by { side.between[1] } else { side.between[0] };
    ChannelClosed { agent, by, channel: side.channel, inquiry: session.inquiry, session: id }.into()
}

/// Who dials says that the other side is on the line, or that the call is over: with MAIN's the session ends.
pub fn report_channel(state: &State, id: SessionId, channel: ChannelId, report: ChannelReport, ctx: &Ctx) -> Decided {
    let (agent, session) = joined(state, id, ctx)?;
    let is_main = channel == session.channel;
    let kind = if is_main { session.kind } else { own_side(session, channel, agent)?.kind };
    if kind != ChannelKind::Telephone {
        return Err(Refusal::NotAllowedNow { message: "Nobody dials a MESSAGE channel." });
    }
    if is_main && agent != session.agent {
        return Err(Refusal::NotAllowedNow { message: "This is the first agent's to do." });
    }
    match report {
        ChannelReport::Connected => {
            Ok(vec![ChannelConnected { agent, channel, inquiry: session.inquiry, session: id, side: !is_main }.into()])
        }
        ChannelReport::Ended if is_main => Ok(ended(state, id, session, Author::Agent, ctx)),
        ChannelReport::Ended => Ok(vec![closed(id, session, own_side(session, channel, agent)?, agent)]),
    }
}

/// Changes who is in a session, and with that who is busy with it and who is there as a third agent.
fn regroup(state: &mut State, id: SessionId, at: Timestamp, change: impl FnOnce(&mut Session)) {
    let before = state.sessions.get(id).expect("a session opens first").clone();
    state.sessions.change(&mut state.journal, id, change);
    let after = state.sessions.get(id).expect("just changed").clone();
    for agent in before.agents().chain(after.agents().filter(|agent| !before.has(*agent))) {
        let (was, is) = (before.guests.contains(&agent), after.guests.contains(&agent));
        let (had, has) = (before.has(agent), after.has(agent));
        if (was, had) != (is, has) {
            state.change_agent(agent, |row| {
                row.sessions = row.sessions + u32::from(has) - u32::from(had);
                row.conferences = row.conferences + u32::from(is) - u32::from(was);
                row.worked_at = at;
            });
        }
    }
}

pub(crate) fn apply_joined(state: &mut State, e: &AgentJoined, at: Timestamp) {
    regroup(state, e.session, at, |row| {
        let others = row.guests.iter().copied().filter(|agent| *agent != e.agent);
        if e.first {
            row.guests = others.chain([row.agent]).collect();
            row.agent = e.agent;
        } else {
            row.guests = others.chain([e.agent]).collect();
        }
    });
    stirs(state, e.session, at);
}

pub(crate) fn apply_left(state: &mut State, e: &AgentLeft, at: Timestamp) {
    regroup(state, e.session, at, |row| {
        row.guests = row.guests.iter().copied().filter(|agent| *agent != e.agent).collect();
        row.sides = row.sides.iter().copied().filter(|side| !side.between.contains(&e.agent)).collect();
    });
    if let Some(deadline) = e.wrap_up_deadline {
        begin_wrap_up(state, e.session, e.agent, deadline);
    }
    stirs(state, e.session, at);
}

pub(crate) fn apply_channel_opened(state: &mut State, e: &ChannelOpened, at: Timestamp) {
    let side = Side { channel: e.channel, kind: e.kind, between: [e.by, e.agent], connected: false };
    state.sessions.change(&mut state.journal, e.session, |row| {
        row.sides = row.sides.iter().copied().chain([side]).collect();
        row.sides_opened += 1;
    });
    stirs(state, e.session, at);
}

pub(crate) fn apply_channel_connected(state: &mut State, e: &ChannelConnected, at: Timestamp) {
    state.sessions.change(&mut state.journal, e.session, |row| {
        if e.channel == row.channel {
            row.connected = true;
        }
        let told = |side: &Side| Side { connected: side.connected || side.channel == e.channel, ..*side };
        row.sides = row.sides.iter().map(told).collect();
    });
    stirs(state, e.session, at);
}

pub(crate) fn apply_channel_closed(state: &mut State, e: &ChannelClosed, at: Timestamp) {
    state.sessions.change(&mut state.journal, e.session, |row| {
        row.sides = row.sides.iter().copied().filter(|side| side.channel != e.channel).collect();
    });
    stirs(state, e.session, at);
}

/// A pending invitation is known to its session, and one that has ended is not.
pub(crate) fn note_invitation(state: &mut State, id: ReservationId, session: SessionId, pending: bool) {
    state.sessions.change(&mut state.journal, session, |row| {
        let others = row.invitations.iter().copied().filter(|other| *other != id);
        row.invitations = others.chain(pending.then_some(id)).collect();
    });
}
