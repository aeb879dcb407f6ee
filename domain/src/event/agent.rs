//! Events of agents: who they are, what they want to do, who of them is there, from whom they are kept, how far the
//! platform has looked for what waits for them, and what comes of winning without consenting. What they are doing
//! follows from reservations and sessions.

use crate::ids::{AgentId, AuctionId, CallServerId, CustomerId, InquiryId, ProviderId, ReservationId};
use crate::log::Seq;
use crate::money::Money;
use crate::patch::Patch;
use crate::sealed::Sealed;
use crate::terms::Direction;
use crate::time::Timestamp;
use crate::topic::{Skill, Topic};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    Registered(AgentRegistered),
    Updated(AgentUpdated),
    StatusSet(AgentStatusSet),
    Blocked(AgentBlocked),
    Unblocked(AgentUnblocked),
    CustomerBlocked(AgentCustomerBlocked),
    CustomerUnblocked(AgentCustomerUnblocked),
    RoundsPutOff(AgentRoundsPutOff),
    RoundsResumed(AgentRoundsResumed),
    PresenceReported(AgentPresenceReported),
    StandingValueSet(StandingValueSet),
    NoticesRead(AgentNoticesRead),
    Struck(AgentStruck),
    Barred(AgentBarred),
    BarEnded(AgentBarEnded),
    StrikesForgiven(AgentStrikesForgiven),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRegistered {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affiliated_with: Option<ProviderId>,
    pub agent: AgentId,
    /// Inquiries at once, 1 to 100.
    pub capacity: u32,
    pub display_name: Sealed,
    pub location: String,
    /// Short, for recorded exclusions: 1, 2, 3 … in order of registration on this call server.
    pub number: u32,
    pub skills: Vec<Skill>,
}

/// An absent member stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUpdated {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affiliated_with: Option<ProviderId>,
    /// It is affiliated with nobody from now on. Never beside `affiliated_with`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub affiliation_ended: bool,
    pub agent: AgentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<Skill>>,
}

impl AgentUpdated {
    pub fn affiliation(&self) -> Patch<ProviderId> {
        Patch::recorded(self.affiliated_with, self.affiliation_ended)
    }
}

/// What an agent wants; UNAVAILABLE is derived and never wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Will {
    Offline,
    Available,
    Break,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WillReason {
    Asked,
    Lapsed,
    Operator,
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatusSet {
    pub agent: AgentId,
    /// What the agent or operator wrote, sealed with the agent's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
    pub reason: WillReason,
    pub will: Will,
}

/// More inquiries fit the agent, who became free, than one decision opens rounds for. The platform goes on
/// at `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRoundsPutOff {
    pub agent: AgentId,
    /// Whoever became free with it, and has to wait like it: a relieved location may free thousands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<AgentId>,
    pub until: Timestamp,
}

impl AgentRoundsPutOff {
    /// One event for so many.
    const AT_ONCE: usize = 500;

    /// All of them, in their order.
    pub fn of(agents: &[AgentId], until: Timestamp) -> impl Iterator<Item = AgentRoundsPutOff> {
        agents.chunks(Self::AT_ONCE).map(move |some| AgentRoundsPutOff {
            agent: some[0],
            others: some[1..].to_vec(),
            until,
        })
    }

    pub fn agents(&self) -> impl Iterator<Item = AgentId> {
        std::iter::once(self.agent).chain(self.others.iter().copied())
    }
}

/// The rounds that were put off are opened from here on, where the agent is still free for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRoundsResumed {
    pub agent: AgentId,
}

/// These agents are there: they have a feed each. Who is AVAILABLE and in no further report for a while goes offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPresenceReported {
    /// Sorted, each once.
    pub agents: Vec<AgentId>,
    /// The call server that this log is. Its trail has the reports, and no agent's: they come three times a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_server: Option<CallServerId>,
    /// The process that has their feeds. Absent: none looked, since the platform was down, and they get their time anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// What the agent would pay (FORWARD) or take (REVERSE) for a topic, and for what lies beneath it, without being asked.
/// In place of what it named for the same topic and direction before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingValueSet {
    pub agent: AgentId,
    pub direction: Direction,
    pub topic: Topic,
    /// Absent: until it is set anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Absent: it names none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
}

/// The provider's inquiries come to the agent by no way from now on. It is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBlocked {
    pub agent: AgentId,
    pub provider: ProviderId,
}

/// The provider takes its block back, or says once more that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUnblocked {
    pub agent: AgentId,
    pub provider: ProviderId,
}

/// The agent keeps away from a customer: its inquiries come to it by no way from now on. Nobody else is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCustomerBlocked {
    pub agent: AgentId,
    pub customer: CustomerId,
    /// One of the customer's inquiries that it served. No subject: whoever may see that inquiry is not told.
    pub known_by: InquiryId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCustomerUnblocked {
    pub agent: AgentId,
    pub customer: CustomerId,
}

/// The agent has read what it was told by the events up to and including one of them. Read already is read still: the
/// first time counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNoticesRead {
    pub agent: AgentId,
    /// The position of that event in this log.
    pub through: Seq,
}

/// How a winner did not consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StrikeReason {
    Declined,
    Lapsed,
}

/// The agent won the auction, was asked, and did not consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStruck {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub reason: StrikeReason,
    pub reservation: ReservationId,
    /// It counts before that instant.
    pub until: Timestamp,
}

/// The agent names no new bid until then. Where it is barred already, its bar begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBarred {
    pub agent: AgentId,
    pub until: Timestamp,
}

/// The agent may bid again, and its strikes are spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBarEnded {
    pub agent: AgentId,
}

/// By an operator: the agent has no strikes any more, and is not barred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStrikesForgiven {
    pub agent: AgentId,
    /// What the operator wrote, sealed with the agent's key.
    pub reason: Sealed,
}
