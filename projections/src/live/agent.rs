//! Agents: who they are, what they want, what they have before them, and the status that follows.
//!
//! Will and doing are kept apart. What is shown is derived after every event that touches either, so
//! a status asked for while busy shows as UNAVAILABLE until the work is done and then takes effect.

use super::error::Misfit;
use super::notice::{Notices, notice_of};
use domain::event::agent::{AgentBarEnded, AgentEvent, AgentStrikesForgiven, StrikeReason, Will, WillReason};
use domain::event::reservation::{ReservationEvent, ReservationOpened};
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId, ReservationId, SessionId};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::state::StandingValue;
use domain::strike::KEPT_MAX;
use domain::time::Timestamp;
use domain::topic::Skill;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::recorded::Recorded;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AgentStatus {
    Offline,
    Available,
    Unavailable,
    Break,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StatusReason {
    Asked,
    Lapsed,
    Operator,
    Absent,
    Reserved,
    Engaged,
    Conference,
    WrapUp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    pub id: AgentId,
    /// The call server's log.
    pub log: LogName,
    /// Of the last event that changed this row: its own, and those of its reservations and sessions.
    pub seq: Seq,
    /// Short, for recorded exclusions.
    pub number: u32,
    pub display_name: Arc<Sealed>,
    pub location: Arc<str>,
    pub skills: Arc<[Skill]>,
    pub capacity: u32,
    pub affiliated_with: Option<ProviderId>,
    pub will: Will,
    /// Why the will is what it is; absent before anybody asked.
    pub will_reason: Option<WillReason>,
    pub status: AgentStatus,
    pub status_reason: Option<StatusReason>,
    /// When `status` last changed. A status that lasted no time is no change: consent ends a reservation
    /// and opens a session at one instant, and the agent was unavailable all along.
    pub status_since: Timestamp,
    /// Pending reservations and open sessions.
    pub load: u32,
    pub registered_at: Timestamp,
    /// One of a topic and direction, the one set last at the end.
    pub values: Arc<[StandingValue]>,
    /// The latest last; some may be forgotten by now.
    pub strikes: Arc<[StrikeRow]>,
    /// It names no new bid. Absent: it is not barred.
    pub barred_until: Option<Timestamp>,
    /// Whose inquiries do not come to it, in order. Nothing that the agent is shown.
    pub blocked_by: Arc<[ProviderId]>,
    /// Customers whom it keeps away from, in order. Nothing that anybody else is shown.
    pub blocks: Arc<[CustomerId]>,
}

/// What comes of winning an auction and not consenting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrikeRow {
    pub at: Timestamp,
    pub reason: StrikeReason,
    pub reservation: ReservationId,
    /// Then it is forgotten.
    pub until: Timestamp,
}

/// A pending reservation of an agent. Sorts by deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingReservation {
    pub deadline: Timestamp,
    pub reservation: ReservationId,
    pub inquiry: InquiryId,
}

/// A session that an agent is in or wraps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engagement {
    pub session: SessionId,
    pub inquiry: InquiryId,
    /// It joined as a third agent.
    pub conference: bool,
}

/// Somebody keeps away from a customer: by which inquiry the two know each other, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerBlock {
    pub inquiry: InquiryId,
    pub since: Timestamp,
}

/// An agent and what it has before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    row: AgentRow,
    pending: Vec<PendingReservation>,
    sessions: Vec<Engagement>,
    wrap_ups: Vec<Engagement>,
    blocks: BTreeMap<CustomerId, CustomerBlock>,
    notices: Notices,
    /// The status before this one, and since when: taken up again where this one lasted no time.
    before: (AgentStatus, Timestamp),
}

impl Agent {
    pub fn row(&self) -> &AgentRow {
        &self.row
    }
    /// Nearest deadline first.
    pub fn pending(&self) -> &[PendingReservation] {
        &self.pending
    }
    /// The open ones, oldest first.
    pub fn sessions(&self) -> &[Engagement] {
        &self.sessions
    }
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Whom it keeps away from, by id.
    pub fn blocks(&self, after: Option<CustomerId>) -> impl Iterator<Item = (CustomerId, CustomerBlock)> {
        self.blocks.range(super::past(after)).map(|(customer, block)| (*customer, *block))
    }
    /// `block`: absent where it is taken back. Of one that is set again the first counts.
    fn keep_away(&mut self, customer: CustomerId, block: Option<CustomerBlock>) {
        match block {
            Some(block) => {
                self.blocks.entry(customer).or_insert(block);
            }
            None => {
                self.blocks.remove(&customer);
            }
        }
        self.row.blocks = self.blocks.keys().copied().collect();
    }

    /// Derives load and status. Called once at the end of every event that touched the agent.
    fn settle(&mut self, recorded: &Recorded) {
        let row = &mut self.row;
        row.seq = recorded.seq;
        row.load = u32::try_from(self.pending.len() + self.sessions.len()).unwrap_or(u32::MAX);
        let wraps_up = !self.wrap_ups.is_empty();
        let confers = self.sessions.iter().any(|one| one.conference);
        let unavailable = match row.will {
            Will::Available => wraps_up || confers || row.load >= row.capacity,
            // What was asked for takes effect after the work.
            Will::Break | Will::Offline => wraps_up || row.load > 0,
        };
        let status = if unavailable { AgentStatus::Unavailable } else { wanted(row.will) };
        row.status_reason = if !unavailable {
            row.will_reason.map(reason_of)
        } else if wraps_up && row.load < row.capacity {
            Some(StatusReason::WrapUp)
        } else if confers {
            Some(StatusReason::Conference)
        } else if !self.pending.is_empty() {
            Some(StatusReason::Reserved)
        } else {
            Some(StatusReason::Engaged)
        };
        if status != row.status {
            let lasted_no_time = row.status_since == recorded.time && self.before.0 == status;
            let since = if lasted_no_time { self.before.1 } else { recorded.time };
            self.before = (row.status, row.status_since);
            row.status = status;
            row.status_since = since;
        }
    }
}

fn wanted(will: Will) -> AgentStatus {
    match will {
        Will::Offline => AgentStatus::Offline,
        Will::Available => AgentStatus::Available,
        Will::Break => AgentStatus::Break,
    }
}

fn reason_of(reason: WillReason) -> StatusReason {
    match reason {
        WillReason::Asked => StatusReason::Asked,
        WillReason::Lapsed => StatusReason::Lapsed,
        WillReason::Operator => StatusReason::Operator,
        WillReason::Absent => StatusReason::Absent,
    }
}

/// The agents of one call server.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agents {
    by_id: BTreeMap<AgentId, Agent>,
    /// Whom each provider blocks, and since when.
    blocked: BTreeMap<ProviderId, BTreeMap<AgentId, Timestamp>>,
}

impl Agents {
    pub(super) fn get(&self, id: AgentId) -> Option<&Agent> {
        self.by_id.get(&id)
    }
    /// By id.
    pub(super) fn after(&self, after: Option<AgentId>) -> impl Iterator<Item = &Agent> {
        self.by_id.range(super::past(after)).map(|(_, agent)| agent)
    }
    /// Whom a provider blocks, by id.
    pub(super) fn blocked_by(
        &self,
        provider: ProviderId,
        after: Option<AgentId>,
    ) -> impl Iterator<Item = (AgentId, Timestamp)> {
        let all = self.blocked.get(&provider).into_iter();
        all.flat_map(move |all| all.range(super::past(after))).map(|(agent, since)| (*agent, *since))
    }
    fn known(&mut self, id: AgentId) -> Result<&mut Agent, Misfit> {
        self.by_id.get_mut(&id).ok_or(Misfit::Unknown(id.into()))
    }

    pub(super) fn on_agent(&mut self, event: &AgentEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let id = match event {
            AgentEvent::Registered(e) => {
                let row = AgentRow {
                    id: e.agent,
                    log: recorded.log.clone(),
                    seq: recorded.seq,
                    number: e.number,
                    display_name: Arc::new(e.display_name.clone()),
                    location: e.location.as_str().into(),
                    skills: e.skills.as_slice().into(),
                    capacity: e.capacity,
                    affiliated_with: e.affiliated_with,
                    will: Will::Offline,
                    will_reason: None,
                    status: AgentStatus::Offline,
                    status_reason: None,
                    status_since: recorded.time,
                    load: 0,
                    registered_at: recorded.time,
                    values: Arc::new([]),
                    strikes: Arc::new([]),
                    barred_until: None,
                    blocked_by: Arc::new([]),
                    blocks: Arc::new([]),
                };
                let before = (row.status, row.status_since);
                let agent = Agent {
                    row,
                    pending: Vec::new(),
                    sessions: Vec::new(),
                    wrap_ups: Vec::new(),
                    blocks: BTreeMap::new(),
                    notices: Notices::default(),
                    before,
                };
                if self.by_id.insert(e.agent, agent).is_some() {
                    return Err(Misfit::Twice(e.agent.into()));
                }
                e.agent
            }
            AgentEvent::Updated(e) => {
                let row = &mut self.known(e.agent)?.row;
                row.affiliated_with = e.affiliation().over(row.affiliated_with);
                row.capacity = e.capacity.unwrap_or(row.capacity);
                if let Some(name) = &e.display_name {
                    row.display_name = Arc::new(name.clone());
                }
                if let Some(location) = &e.location {
                    row.location = location.as_str().into();
                }
                if let Some(skills) = &e.skills {
                    row.skills = skills.as_slice().into();
                }
                e.agent
            }
            AgentEvent::StatusSet(e) => {
                let row = &mut self.known(e.agent)?.row;
                let changed = row.will != e.will;
                row.will = e.will;
                row.will_reason = Some(e.reason);
                self.tell(recorded, false, changed)?;
                e.agent
            }
            AgentEvent::StandingValueSet(e) => {
                let row = &mut self.known(e.agent)?.row;
                let others = row.values.iter().filter(|known| !known.is_for(&e.topic, e.direction)).cloned();
                let named = e.value.map(|value| StandingValue {
                    direction: e.direction,
                    topic: e.topic.clone(),
                    valid_until: e.valid_until,
                    value,
                });
                row.values = others.chain(named).collect();
                e.agent
            }
            AgentEvent::Struck(e) => {
                let row = &mut self.known(e.agent)?.row;
                let at = recorded.time;
                let strike = StrikeRow { at, reason: e.reason, reservation: e.reservation, until: e.until };
                let standing: Vec<_> =
                    row.strikes.iter().copied().filter(|old| at < old.until).chain([strike]).collect();
                row.strikes = standing[standing.len().saturating_sub(KEPT_MAX)..].into();
                self.tell(recorded, false, false)?;
                e.agent
            }
            AgentEvent::Barred(e) => {
                self.known(e.agent)?.row.barred_until = Some(e.until);
                self.tell(recorded, false, false)?;
                e.agent
            }
            AgentEvent::BarEnded(AgentBarEnded { agent })
            | AgentEvent::StrikesForgiven(AgentStrikesForgiven { agent, .. }) => {
                let row = &mut self.known(*agent)?.row;
                row.strikes = Arc::new([]);
                row.barred_until = None;
                self.tell(recorded, false, false)?;
                *agent
            }
            // The agent's row says the same to it as before, `seq` included.
            AgentEvent::Blocked(e) => return self.block(e.agent, e.provider, Some(recorded.time)),
            AgentEvent::Unblocked(e) => return self.block(e.agent, e.provider, None),
            AgentEvent::CustomerBlocked(e) => {
                let block = CustomerBlock { inquiry: e.known_by, since: recorded.time };
                self.known(e.agent)?.keep_away(e.customer, Some(block));
                return Ok(());
            }
            AgentEvent::CustomerUnblocked(e) => {
                self.known(e.agent)?.keep_away(e.customer, None);
                return Ok(());
            }
            AgentEvent::NoticesRead(e) => {
                self.known(e.agent)?.notices.read(e.through, recorded.time);
                e.agent
            }
            // How far the platform has looked for what waits for it is no news to the agent.
            AgentEvent::RoundsPutOff(_) | AgentEvent::RoundsResumed(_) => return Ok(()),
            // A status follows from what an agent says and does; being seen is neither.
            AgentEvent::PresenceReported(_) => return Ok(()),
        };
        self.known(id)?.settle(recorded);
        Ok(())
    }

    /// The customer is erased, and nothing of it is left.
    pub(super) fn forget(&mut self, customer: CustomerId) {
        for agent in self.by_id.values_mut().filter(|agent| agent.blocks.contains_key(&customer)) {
            agent.keep_away(customer, None);
        }
    }

    /// `since`: absent where the block is taken back. Of one that is set again the first time counts.
    fn block(&mut self, agent: AgentId, provider: ProviderId, since: Option<Timestamp>) -> Result<(), Misfit> {
        let row = &mut self.known(agent)?.row;
        let others = row.blocked_by.iter().copied().filter(|other| *other != provider);
        let mut all: Vec<ProviderId> = others.chain(since.map(|_| provider)).collect();
        all.sort_unstable();
        row.blocked_by = all.into();
        let of_provider = self.blocked.entry(provider).or_default();
        match since {
            Some(since) => {
                of_provider.entry(agent).or_insert(since);
            }
            None => {
                of_provider.remove(&agent);
            }
        }
        if of_provider.is_empty() {
            self.blocked.remove(&provider);
        }
        Ok(())
    }

    /// `is_second`: of a reservation that opens, whether another agent has let it lapse or declined before, in the
    /// same selection.
    pub(super) fn on_reservation(
        &mut self,
        event: &ReservationEvent,
        is_second: bool,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        match event {
            ReservationEvent::Opened(e) => self.reserve(e, is_second, recorded),
            // The agent looked: nothing of its own changed.
            ReservationEvent::Viewed(_) => Ok(()),
            ReservationEvent::InvitationAnswered(_) => self.tell(recorded, false, false),
            ReservationEvent::Accepted(e) => self.free(e.agent, e.reservation, recorded),
            ReservationEvent::Declined(e) => self.free(e.agent, e.reservation, recorded),
            ReservationEvent::Lapsed(e) => {
                self.tell(recorded, false, false)?;
                self.free(e.agent, e.reservation, recorded)
            }
            ReservationEvent::Rescinded(e) => {
                self.tell(recorded, false, false)?;
                self.free(e.agent, e.reservation, recorded)
            }
        }
    }

    fn reserve(&mut self, e: &ReservationOpened, is_second: bool, recorded: &Recorded) -> Result<(), Misfit> {
        self.tell(recorded, is_second, false)?;
        let agent = self.known(e.agent)?;
        let pending = PendingReservation { deadline: e.deadline, reservation: e.reservation, inquiry: e.inquiry };
        let at = agent.pending.partition_point(|other| *other < pending);
        agent.pending.insert(at, pending);
        agent.settle(recorded);
        Ok(())
    }

    fn free(&mut self, agent: AgentId, reservation: ReservationId, recorded: &Recorded) -> Result<(), Misfit> {
        let agent = self.known(agent)?;
        agent.pending.retain(|pending| pending.reservation != reservation);
        agent.settle(recorded);
        Ok(())
    }

    pub(super) fn on_session(&mut self, event: &SessionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            SessionEvent::Opened(e) => self.engage(e.agent, e.session, e.inquiry, false, recorded)?,
            SessionEvent::AgentJoined(e) => self.engage(e.agent, e.session, e.inquiry, !e.first, recorded)?,
            SessionEvent::AgentLeft(e) => {
                self.release(e.agent, e.session, e.inquiry, e.wrap_up_deadline.is_some(), recorded)?;
            }
            SessionEvent::Ended(e) => {
                self.release(e.agent, e.session, e.inquiry, e.wrap_up_deadline.is_some(), recorded)?;
            }
            SessionEvent::WrapUpCompleted(e) => {
                let agent = self.known(e.agent)?;
                agent.wrap_ups.retain(|one| one.session != e.session);
                agent.settle(recorded);
            }
            // Nobody becomes busier or freer by these.
            SessionEvent::MessageSent(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => {}
        }
        Ok(())
    }

    fn engage(
        &mut self,
        agent: AgentId,
        session: SessionId,
        inquiry: InquiryId,
        conference: bool,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        let row = self.known(agent)?;
        // Who takes over may have been there.
        row.sessions.retain(|one| one.session != session);
        row.sessions.push(Engagement { session, inquiry, conference });
        row.settle(recorded);
        Ok(())
    }

    fn release(
        &mut self,
        agent: AgentId,
        session: SessionId,
        inquiry: InquiryId,
        wraps_up: bool,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        let row = self.known(agent)?;
        row.sessions.retain(|one| one.session != session);
        if wraps_up {
            row.wrap_ups.push(Engagement { session, inquiry, conference: false });
        }
        row.settle(recorded);
        Ok(())
    }

    /// Bids change no agent otherwise.
    pub(super) fn on_auction(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        self.tell(recorded, false, false)
    }

    /// Keeps the notice of an event, where it is one.
    fn tell(&mut self, recorded: &Recorded, is_second: bool, changes: bool) -> Result<(), Misfit> {
        let Some((agent, notice)) = notice_of(recorded, is_second, changes) else { return Ok(()) };
        self.known(agent)?.notices.keep(notice);
        Ok(())
    }
}
