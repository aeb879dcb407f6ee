//! What lists can be asked for. Empty and absent members ask nothing; a member that cannot name anything
//! (an id of another kind, a topic that is none) matches nothing, which is `None` here.

use super::enums::{AgentStatus, AuctionState, InquiryState, Role, SettlementState};
use crate::graphql::input::parse::SkillInput;
use crate::graphql::scalars::{CurrencyCode, DateTime, Seq};
use async_graphql::{ID, InputObject};
use domain::log::LogName;
use domain::topic::{Skill, Topic, covers};
use projections::history::{lists, trail};
use projections::live::agent::AgentRow;
use projections::live::inquiry::InquiryRow;
use std::str::FromStr;

#[derive(InputObject, Clone, Debug, Default)]
pub struct AuditFilter {
    types: Option<Vec<String>>,
    actor: Option<ID>,
    roles: Option<Vec<Role>>,
    correlation: Option<ID>,
    log: Option<String>,
    from_seq: Option<Seq>,
    to_seq: Option<Seq>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

#[derive(InputObject, Clone, Debug, Default)]
pub struct AuctionFilter {
    pub(crate) states: Option<Vec<AuctionState>>,
    call_server: Option<String>,
    topics: Option<Vec<String>>,
    #[graphql(default = false)]
    pub(crate) eligible_only: bool,
}

#[derive(InputObject, Clone, Debug, Default)]
pub struct SettlementFilter {
    states: Option<Vec<SettlementState>>,
    party_id: Option<ID>,
    inquiry_id: Option<ID>,
    currency: Option<CurrencyCode>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

#[derive(InputObject, Clone, Debug, Default)]
pub struct InquiryFilter {
    pub(crate) states: Option<Vec<InquiryState>>,
    offer_id: Option<ID>,
    queue_id: Option<ID>,
    agent_id: Option<ID>,
    call_server: Option<String>,
    topic: Option<String>,
    customer_id: Option<ID>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

#[derive(InputObject, Clone, Debug, Default)]
pub struct AgentFilter {
    statuses: Option<Vec<AgentStatus>>,
    skills: Option<Vec<SkillInput>>,
    call_server: Option<String>,
    location: Option<String>,
}

/// `None`: it names nothing. `Some(None)`: nothing was asked.
fn named<T: FromStr>(given: Option<impl AsRef<str>>) -> Option<Option<T>> {
    given.map(|text| text.as_ref().parse().ok()).map_or(Some(None), |read| read.map(Some))
}

fn text(id: &Option<ID>) -> Option<&str> {
    id.as_ref().map(|id| id.as_str())
}

impl AuditFilter {
    pub(crate) fn read(&self) -> Option<trail::AuditFilter> {
        Some(trail::AuditFilter {
            types: self.types.clone().unwrap_or_default(),
            actor: self.actor.as_ref().map(|id| id.to_string()),
            roles: self.roles.iter().flatten().map(|role| (*role).into()).collect(),
            correlation: named(text(&self.correlation))?,
            log: named(self.log.as_ref())?,
            from_seq: self.from_seq.map(|seq| seq.0),
            to_seq: self.to_seq.map(|seq| seq.0),
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
        })
    }
}

impl AuctionFilter {
    pub(crate) fn read(&self) -> Option<lists::AuctionFilter> {
        let topics = self.topics.iter().flatten().map(|topic| topic.parse().ok());
        let topics: Vec<Topic> = match &self.topics {
            // Of several topics those that are none add nothing.
            Some(given) if !given.is_empty() => {
                let topics: Vec<Topic> = topics.flatten().collect();
                if topics.is_empty() { return None } else { topics }
            }
            _ => Vec::new(),
        };
        Some(lists::AuctionFilter {
            states: self.states.iter().flatten().map(|state| (*state).into()).collect(),
            call_server: named(self.call_server.as_ref())?,
            topics,
            inquiry: None,
            provider: None,
        })
    }
}

impl SettlementFilter {
    pub(crate) fn read(&self) -> Option<lists::SettlementFilter> {
        let states: Vec<_> = self.states.iter().flatten().filter_map(|state| state.recorded()).collect();
        if states.is_empty() && self.states.as_ref().is_some_and(|asked| !asked.is_empty()) {
            return None;
        }
        Some(lists::SettlementFilter {
            states,
            party: named(text(&self.party_id))?,
            inquiry: named(text(&self.inquiry_id))?,
            currency: named(self.currency.as_ref().map(|code| &code.0))?,
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
        })
    }
}

impl InquiryFilter {
    pub(crate) fn read(&self) -> Option<lists::InquiryFilter> {
        Some(lists::InquiryFilter {
            states: self.states.iter().flatten().map(|state| (*state).into()).collect(),
            offer: named(text(&self.offer_id))?,
            provider: None,
            queue: named(text(&self.queue_id))?,
            agent: named(text(&self.agent_id))?,
            call_server: named(self.call_server.as_ref())?,
            topic: named(self.topic.as_ref())?,
            customer: named(text(&self.customer_id))?,
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
        })
    }

    pub(crate) fn takes_state(&self, row: &InquiryRow) -> bool {
        let asked = self.states.as_deref().unwrap_or_default();
        asked.is_empty() || asked.contains(&row.state.into())
    }
}

/// What history answers by its indexes, of a row of the live view. `agent` is left to the caller.
pub(crate) fn inquiry_fits(filter: &lists::InquiryFilter, row: &InquiryRow) -> bool {
    filter.offer.is_none_or(|offer| offer == row.offer)
        && filter.provider.is_none_or(|provider| provider == row.provider)
        && filter.queue.is_none_or(|queue| row.all_queues().any(|stood| stood == queue))
        && filter.call_server.as_ref().is_none_or(|log| *log == row.log)
        && filter.topic.as_ref().is_none_or(|wanted| row.topics.iter().any(|topic| wanted.contains(topic)))
        && filter.customer.is_none_or(|customer| customer == row.customer)
        && filter.from.is_none_or(|from| row.accepted_at >= from)
        && filter.to.is_none_or(|to| row.accepted_at < to)
}

/// An agent filter, read.
#[derive(Debug)]
pub(crate) struct Agents {
    pub(crate) log: Option<LogName>,
    statuses: Vec<AgentStatus>,
    skills: Vec<Skill>,
    location: Option<String>,
}

impl AgentFilter {
    pub(crate) fn read(&self) -> Option<Agents> {
        let skill =
            |skill: &SkillInput| Some(Skill { level: u8::try_from(skill.level).ok()?, name: skill.name.parse().ok()? });
        Some(Agents {
            log: named(self.call_server.as_ref())?,
            statuses: self.statuses.clone().unwrap_or_default(),
            skills: self.skills.iter().flatten().map(skill).collect::<Option<_>>()?,
            location: self.location.clone(),
        })
    }
}

impl Agents {
    pub(crate) fn takes(&self, row: &AgentRow) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&row.status.into()))
            && covers(&row.skills, &self.skills)
            && self.location.as_deref().is_none_or(|location| location == &*row.location)
    }
}
