//! Agents: what they want (will) and what they are doing (reservations, sessions, wrap-up) are kept
//! apart. UNAVAILABLE is never stored, it follows from what they are doing.

use crate::actor::Actor;
use crate::block;
use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::agent::*;
use crate::event::wallet::Party;
use crate::ids::{AgentId, CustomerId, ProviderId};
use crate::log::Seq;
use crate::money::Money;
use crate::patch::Patch;
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::state::{Agent, Auction, Inquiry, StandingValue, State, Timer};
use crate::strike;
use crate::terms::Direction;
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic, covers};
use crate::wallet;
use std::collections::BTreeSet;
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

/// Who is in no report for this long is gone. Nodes report every 20 s, so two reports may be late or lost.
const PRESENCE_LASTS: Span = Span::seconds(60);

impl Agent {
    /// Pending reservations count: who is being asked is not free for another.
    pub fn load(&self) -> u32 {
        self.reserved + self.sessions
    }
    /// Neither wraps anything up nor talks in a conference.
    pub(crate) fn is_divided(&self) -> bool {
        !self.is_undivided()
    }
    pub(crate) fn wants_work(&self) -> bool {
        self.will == Will::Available
    }
    fn is_undivided(&self) -> bool {
        self.wrap_ups == 0 && self.conferences == 0
    }
    /// Can be selected, win, or bid now.
    pub fn is_free(&self) -> bool {
        self.will == Will::Available && self.is_undivided() && self.load() < self.capacity
    }
}

/// What of an agent decides whether it may take an inquiry.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    pub agent: AgentId,
    pub affiliated_with: Option<ProviderId>,
    /// It wants to, wraps nothing up, and is in no conference.
    pub available: bool,
    pub skills: &'a [Skill],
    pub load: u32,
    pub capacity: u32,
    /// In order, both.
    pub blocked_by: &'a [ProviderId],
    pub blocks: &'a [CustomerId],
}

/// What of an inquiry decides which agents may take it.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    pub provider: ProviderId,
    pub customer: CustomerId,
    pub independent_agents_only: bool,
    /// Who started it, where the provider pays: nobody makes work for itself at another's cost.
    pub unpaid: Option<AgentId>,
    pub desired_skills: &'a [Skill],
    /// Its customer is erased: nobody gets it any more.
    pub ends_soon: bool,
}

/// Why an agent may not take an inquiry now, in order of precedence; `Ok` where it may. Decisions and
/// lists both ask here.
pub fn suits(agent: Applicant<'_>, demand: Demand<'_>) -> Result<(), Refusal> {
    if demand.ends_soon {
        return Err(Refusal::InquiryClosed);
    }
    if block::holds(agent.blocked_by, demand.provider) {
        return Err(Refusal::AgentBlocked);
    }
    if block::holds(agent.blocks, demand.customer) {
        return Err(Refusal::AgentKeepsAway);
    }
    if demand.independent_agents_only && agent.affiliated_with == Some(demand.provider) {
        return Err(Refusal::AgentNotIndependent);
    }
    if demand.unpaid == Some(agent.agent) {
        return Err(Refusal::AgentStartedIt);
    }
    if !agent.available {
        return Err(Refusal::AgentNotAvailable);
    }
    if !covers(agent.skills, demand.desired_skills) {
        return Err(Refusal::AgentLacksSkill);
    }
    if agent.load >= agent.capacity {
        return Err(Refusal::AgentAtCapacity);
    }
    Ok(())
}

impl Agent {
    pub fn applicant(&self, agent: AgentId) -> Applicant<'_> {
        Applicant {
            agent,
            affiliated_with: self.affiliated_with,
            available: self.will == Will::Available && self.is_undivided(),
            skills: &self.skills,
            load: self.load(),
            capacity: self.capacity,
            blocked_by: &self.blocked_by,
            blocks: &self.blocks,
        }
    }
}

impl Auction {
    /// Its inquiry's.
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            provider: self.provider,
            customer: self.customer,
            independent_agents_only: self.independent_agents_only,
            unpaid: self.unpaid,
            desired_skills: &self.desired_skills,
            ends_soon: self.ends_soon,
        }
    }
}

impl Inquiry {
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            provider: self.provider,
            customer: self.customer,
            independent_agents_only: self.terms.independent_agents_only,
            unpaid: self.unpaid,
            desired_skills: &self.desired_skills,
            ends_soon: self.ends_soon,
        }
    }
}

pub fn eligible(id: AgentId, agent: &Agent, inquiry: &Inquiry) -> Result<(), Refusal> {
    suits(agent.applicant(id), inquiry.demand())
}

pub fn register(
    state: &State,
    agent: AgentId,
    display_name: &Sealed,
    location: &str,
    skills: &[Skill],
    capacity: u32,
    affiliated_with: Option<ProviderId>,
    credit_limit: Option<Money>,
    ctx: &Ctx,
) -> Decided {
    check::text(&["location"], location, check::TEXT_CHARS_MAX)?;
    check::skills(&["skills"], skills)?;
    check::capacity(capacity)?;
    if state.agents.get(agent).is_some() {
        return Err(Refusal::NameTaken);
    }
    let mut events: Vec<Event> = vec![
        AgentRegistered {
            affiliated_with,
            agent,
            capacity,
            display_name: display_name.clone(),
            location: location.to_owned(),
            number: state.scalars.agents + 1,
            skills: skills.to_vec(),
        }
        .into(),
    ];
    if let Some(limit) = credit_limit {
        wallet::set_limit(state, Party::Agent(agent), limit, ctx, &mut events)?;
    }
    Ok(events)
}

pub fn update(
    state: &State,
    agent: AgentId,
    display_name: &Option<Sealed>,
    location: &Option<String>,
    skills: &Option<Vec<Skill>>,
    capacity: Option<u32>,
    affiliated_with: Patch<ProviderId>,
    credit_limit: Option<Money>,
    ctx: &Ctx,
) -> Decided {
    if let Some(location) = location {
        check::text(&["location"], location, check::TEXT_CHARS_MAX)?;
    }
    check::skills(&["skills"], skills.as_deref().unwrap_or_default())?;
    check::capacity(capacity.unwrap_or(1))?;
    state.agents.get(agent).ok_or(Refusal::NotFound { field: "agentId" })?;
    let mut events = Vec::new();
    if display_name.is_some()
        || location.is_some()
        || skills.is_some()
        || capacity.is_some()
        || !affiliated_with.is_keep()
    {
        let updated = AgentUpdated {
            affiliated_with: affiliated_with.set(),
            affiliation_ended: affiliated_with.is_clear(),
            agent,
            capacity,
            display_name: display_name.clone(),
            location: location.clone(),
            skills: skills.clone(),
        };
        events.push(updated.into());
    }
    if let Some(limit) = credit_limit {
        wallet::set_limit(state, Party::Agent(agent), limit, ctx, &mut events)?;
    }
    if events.is_empty() {
        return Err(Refusal::nothing_to_change());
    }
    Ok(events)
}

/// By the agent itself, or by an operator. Asked for while busy it takes effect after: the shown status
/// is derived. Asked for again it is recorded again: what is acknowledged has its place in the log, and its
/// key with it.
pub fn set_status(state: &State, agent: AgentId, will: Will, note: &Option<Sealed>, ctx: &Ctx) -> Decided {
    let reason = match &ctx.actor {
        Actor::Agent(own) if *own == agent => WillReason::Asked,
        Actor::Operator(_) => WillReason::Operator,
        _ => return Err(Refusal::NotFound { field: "agentId" }),
    };
    state.agents.get(agent).ok_or(Refusal::NotFound { field: "agentId" })?;
    Ok(vec![AgentStatusSet { agent, note: note.clone(), reason, will }.into()])
}

/// By the agent itself, or by an operator. `None` takes it back.
pub fn set_standing_value(
    state: &State,
    agent: AgentId,
    topic: &Topic,
    direction: Direction,
    value: Option<Money>,
    valid_until: Option<Timestamp>,
    ctx: &Ctx,
) -> Decided {
    let own = match &ctx.actor {
        Actor::Agent(own) => *own == agent,
        actor => matches!(actor, Actor::Operator(_)),
    };
    let row = state.agents.get(agent).filter(|_| own).ok_or(Refusal::NotFound { field: "agentId" })?;
    if let Some(value) = value {
        if !value.is_positive() {
            return Err(Refusal::invalid(&["value", "amount"], "more than zero"));
        }
        check::magnitude(&["value", "amount"], value.amount())?;
    }
    if valid_until.is_some_and(|until| until <= ctx.now) {
        return Err(Refusal::invalid(&["validUntil"], "in the future"));
    }
    let known = row.values.iter().any(|known| known.is_for(topic, direction));
    if value.is_some() && !known && row.values.len() == check::LIST_MAX {
        return Err(Refusal::LimitReached { message: "An agent has at most 50 standing values." });
    }
    Ok(vec![StandingValueSet { agent, direction, topic: topic.clone(), valid_until, value }.into()])
}

/// By the agent itself. What it was told is a view, so the edge says by which event; read again it is recorded again.
pub fn read_notices(state: &State, agent: AgentId, through: Option<Seq>, ctx: &Ctx) -> Decided {
    let own = ctx.actor == Actor::Agent(agent);
    state.agents.get(agent).filter(|_| own).ok_or(Refusal::NotFound { field: "agentId" })?;
    let through = through.ok_or(Refusal::NotFound { field: "noticeId" })?;
    Ok(vec![AgentNoticesRead { agent, through }.into()])
}

/// Values are over: from now on the one for the next topic above counts, so what waits is looked at again.
pub fn end_values(state: &State, agent: AgentId, ctx: &Ctx) -> Vec<Event> {
    let row = state.agents.get(agent).expect("a timer goes with its agent");
    let over = row.values.iter().filter(|value| value.valid_until.is_some_and(|until| until <= ctx.now));
    let end = |value: &StandingValue| {
        let (direction, topic) = (value.direction, value.topic.clone());
        StandingValueSet { agent, direction, topic, valid_until: None, value: None }.into()
    };
    over.map(end).collect()
}

/// The time has come to go on with the rounds that the agent fits.
pub fn resume_rounds(agent: AgentId) -> Vec<Event> {
    vec![AgentRoundsResumed { agent }.into()]
}

/// A node says which agents have a feed at it. Who is not of this log is none of its business; where that leaves
/// nobody, nothing is recorded.
pub fn report_presence(state: &State, agents: &[AgentId], node: &str) -> Decided {
    check::text(&["node"], node, check::TEXT_CHARS_MAX)?;
    if agents.len() > check::PRESENCE_MAX {
        return Err(Refusal::invalid(&["agents"], format!("at most {} agents", check::PRESENCE_MAX)));
    }
    let known: BTreeSet<AgentId> = agents.iter().copied().filter(|id| state.agents.get(*id).is_some()).collect();
    if known.is_empty() {
        return Ok(vec![]);
    }
    Ok(vec![reported(state, known, Some(node.to_owned()))])
}

fn reported(state: &State, agents: BTreeSet<AgentId>, node: Option<String>) -> Event {
    let agents = agents.into_iter().collect();
    AgentPresenceReported { agents, call_server: state.scalars.call_server, node }.into()
}

/// Nobody has reported the agent for too long: it goes offline, after what it is doing. `late`: the platform was
/// down, so nobody could report anybody. All whose time ran out meanwhile get it anew.
pub fn absent(state: &State, agent: AgentId, late: bool, ctx: &Ctx) -> Vec<Event> {
    if !late {
        return vec![AgentStatusSet { agent, note: None, reason: WillReason::Absent, will: Will::Offline }.into()];
    }
    let due = state.timers.iter().take_while(|(due, _)| *due <= ctx.now);
    let unseen = due.filter_map(|(_, timer)| match timer {
        Timer::AgentIsAbsent(id) => Some(*id),
        Timer::TrafficExpires(_)
        | Timer::ValueEnds(_)
        | Timer::BarEnds(_)
        | Timer::AuctionCloses(_)
        | Timer::ReservationLapses(_)
        | Timer::InquiryBegins(_)
        | Timer::InquiryExpires(_)
        | Timer::WrapUpEnds(..)
        | Timer::RoundsGoOn(_)
        | Timer::SettlementMatures(_)
        | Timer::SessionIsIdle(_)
        | Timer::SessionIsLong(_)
        | Timer::SelectsAgain(_)
        | Timer::PlaceIsLost(_)
        | Timer::Relaxes(_)
        | Timer::PreferenceEnds(_)
        | Timer::MergeGoesOn(_)
        | Timer::ForgetsOn(_) => None,
    });
    vec![reported(state, unseen.take(check::PRESENCE_MAX).collect(), None)]
}

pub fn apply(state: &mut State, event: &AgentEvent, at: Timestamp) {
    match event {
        AgentEvent::Registered(e) => {
            let row = Agent {
                number: e.number,
                will: Will::Offline,
                skills: e.skills.clone().into(),
                capacity: e.capacity,
                location: e.location.as_str().into(),
                affiliated_with: e.affiliated_with,
                reserved: 0,
                sessions: 0,
                wrap_ups: 0,
                conferences: 0,
                rounds_at: None,
                present_until: None,
                worked_at: at,
                selected: 0,
                values: Arc::new([]),
                blocked_by: Arc::new([]),
                blocks: Arc::new([]),
                strikes: Arc::new([]),
                barred_until: None,
            };
            state.agents.put(&mut state.journal, e.agent, row);
            state.enroll(e.agent);
            state.change_scalars(|scalars| scalars.agents = e.number);
        }
        AgentEvent::Updated(e) => state.change_agent(e.agent, |row| {
            if let Some(skills) = &e.skills {
                row.skills = skills.clone().into();
            }
            if let Some(location) = &e.location {
                row.location = location.as_str().into();
            }
            row.capacity = e.capacity.unwrap_or(row.capacity);
            row.affiliated_with = e.affiliation().over(row.affiliated_with);
        }),
        AgentEvent::StatusSet(e) => {
            // Whoever asks for AVAILABLE is bound by the feeds it has from then on, and nobody else is bound.
            set_present_until(state, e.agent, None);
            state.change_agent(e.agent, |row| {
                // Who comes to work has been idle since then, and not since it left.
                if e.will == Will::Available && row.will != Will::Available {
                    row.worked_at = at;
                }
                row.will = e.will;
            });
        }
        AgentEvent::StandingValueSet(e) => {
            let named = e.value.map(|value| StandingValue {
                direction: e.direction,
                topic: e.topic.clone(),
                valid_until: e.valid_until,
                value,
            });
            set_value(state, e.agent, named, |known| known.is_for(&e.topic, e.direction));
        }
        AgentEvent::Blocked(e) => {
            state.change_agent(e.agent, |row| row.blocked_by = block::with(&row.blocked_by, e.provider));
        }
        AgentEvent::Unblocked(e) => {
            state.change_agent(e.agent, |row| row.blocked_by = block::without(&row.blocked_by, e.provider));
        }
        AgentEvent::CustomerBlocked(e) => {
            state.change_agent(e.agent, |row| row.blocks = block::with(&row.blocks, e.customer));
        }
        AgentEvent::CustomerUnblocked(e) => {
            state.change_agent(e.agent, |row| row.blocks = block::without(&row.blocks, e.customer));
        }
        AgentEvent::Struck(e) => strike::struck(state, e, at),
        AgentEvent::Barred(e) => strike::bar(state, e.agent, e.until),
        AgentEvent::BarEnded(AgentBarEnded { agent })
        | AgentEvent::StrikesForgiven(AgentStrikesForgiven { agent, .. }) => strike::clear(state, *agent),
        AgentEvent::RoundsPutOff(e) => e.agents().for_each(|agent| set_rounds_at(state, agent, Some(e.until))),
        AgentEvent::RoundsResumed(e) => set_rounds_at(state, e.agent, None),
        // What an agent was told is kept by the views.
        AgentEvent::NoticesRead(_) => {}
        AgentEvent::PresenceReported(e) => {
            for agent in &e.agents {
                let row = state.agents.get(*agent).expect("an agent is registered first");
                if row.will == Will::Available {
                    set_present_until(state, *agent, Some(at + PRESENCE_LASTS));
                }
            }
        }
    }
}

fn set_value(
    state: &mut State,
    agent: AgentId,
    named: Option<StandingValue>,
    replaced: impl Fn(&StandingValue) -> bool,
) {
    let row = state.agents.get(agent).expect("an agent is registered first");
    let old = row.values.iter().find(|known| replaced(known)).and_then(|known| known.valid_until);
    let values: Arc<[StandingValue]> =
        row.values.iter().filter(|known| !replaced(known)).cloned().chain(named).collect();
    let until = |due| values.iter().any(|value| value.valid_until == Some(due));
    if let Some(due) = old.filter(|due| !until(*due)) {
        state.clear_timer(due, Timer::ValueEnds(agent));
    }
    if let Some(due) = values.iter().find(|known| replaced(known)).and_then(|known| known.valid_until) {
        state.set_timer(due, Timer::ValueEnds(agent));
    }
    state.change_agent(agent, |row| row.values = values);
}

fn set_rounds_at(state: &mut State, agent: AgentId, at: Option<Timestamp>) {
    let old = state.agents.get(agent).expect("an agent is registered first").rounds_at;
    if let Some(old) = old {
        state.clear_timer(old, Timer::RoundsGoOn(agent));
    }
    if let Some(at) = at {
        state.set_timer(at, Timer::RoundsGoOn(agent));
    }
    state.change_agent(agent, |row| row.rounds_at = at);
}

fn set_present_until(state: &mut State, agent: AgentId, until: Option<Timestamp>) {
    let old = state.agents.get(agent).expect("an agent is registered first").present_until;
    if old == until {
        return;
    }
    if let Some(old) = old {
        state.clear_timer(old, Timer::AgentIsAbsent(agent));
    }
    if let Some(until) = until {
        state.set_timer(until, Timer::AgentIsAbsent(agent));
    }
    state.change_agent(agent, |row| row.present_until = until);
}
