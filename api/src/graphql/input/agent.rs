//! Agents, the queues of their call server, and wallets.

use super::super::scalars::{DateTime, Duration};
use super::super::types::enums::{AgentWill, AuctionDirection};
use super::parse::{self, Clearable, MoneyInput, Path, SkillInput};
use async_graphql::{ID, InputObject};
use domain::command::Command;
use domain::event::wallet::Party;
use domain::ids::{AgentId, ProviderId};
use domain::log::LogName;
use domain::money::Money;
use domain::patch::Patch;
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::time::Span;
use domain::topic::Skill;

#[derive(InputObject, Clone, Debug)]
pub struct RegisterAgentInput {
    pub display_name: String,
    pub call_server: String,
    pub location: String,
    pub skills: Vec<SkillInput>,
    #[graphql(default = 1)]
    pub capacity: i32,
    pub affiliated_with: Option<ID>,
    pub credit_limit: Option<MoneyInput>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct UpdateAgentInput {
    pub agent_id: ID,
    pub display_name: Option<String>,
    pub location: Option<String>,
    pub skills: Option<Vec<SkillInput>>,
    pub capacity: Option<i32>,
    pub affiliated_with: Clearable<ID>,
    pub credit_limit: Option<MoneyInput>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct SetAgentStatusInput {
    pub agent_id: Option<ID>,
    pub status: AgentWill,
    pub reason: Option<String>,
    pub idempotency_key: String,
}

/// All that the agent was told up to and including this notice is read.
#[derive(InputObject, Clone, Debug)]
pub struct ReadNoticesInput {
    pub notice_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct SetStandingValueInput {
    pub agent_id: Option<ID>,
    pub topic: String,
    pub direction: AuctionDirection,
    pub value: Option<MoneyInput>,
    pub valid_until: Option<DateTime>,
    pub idempotency_key: String,
}

/// `reason`: kept sealed, with the agent's data.
#[derive(InputObject, Clone, Debug)]
pub struct ForgiveStrikesInput {
    pub agent_id: ID,
    pub reason: String,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct DeclareQueueInput {
    pub call_server: String,
    pub topic: String,
    pub required_skills: Option<Vec<SkillInput>>,
    /// For each step of its offer's priority an inquiry stands so much earlier than it came, P1D at most; of several queues the most counts, in all of them. PT0S: first come, first served.
    #[graphql(default_with = "Duration(Span::ZERO)")]
    pub priority_credit: Duration,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct MergeQueuesInput {
    pub from_queue_ids: Vec<ID>,
    pub into_queue_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct RetireQueueInput {
    pub queue_id: ID,
    pub idempotency_key: String,
}

/// `callServer` is required where the owner is a provider.
#[derive(InputObject, Clone, Debug)]
pub struct CreditWalletInput {
    pub owner: ID,
    pub call_server: Option<String>,
    pub amount: MoneyInput,
    pub reference: String,
    pub idempotency_key: String,
}

/// An agent to be registered, all but its name.
#[derive(Debug)]
pub struct NewAgent {
    pub call_server: LogName,
    skills: Vec<Skill>,
    capacity: u32,
    pub affiliated_with: Option<ProviderId>,
    credit_limit: Option<Money>,
}

impl RegisterAgentInput {
    pub fn parse(&self) -> Result<NewAgent, Refusal> {
        let path = Path::Input;
        display_name(&self.display_name)?;
        Ok(NewAgent {
            call_server: parse::call_server(&self.call_server, "callServer")?,
            skills: parse::skills(&path.member("skills"), &self.skills)?,
            capacity: parse::count(&path.member("capacity"), self.capacity)?,
            affiliated_with: provider(self.affiliated_with.as_ref())?,
            credit_limit: credit_limit(self.credit_limit.as_ref())?,
        })
    }

    /// `display_name`: sealed for `agent`.
    pub fn command(&self, new: NewAgent, agent: AgentId, display_name: Sealed) -> Command {
        Command::RegisterAgent {
            agent,
            display_name,
            location: self.location.clone(),
            skills: new.skills,
            capacity: new.capacity,
            affiliated_with: new.affiliated_with,
            credit_limit: new.credit_limit,
        }
    }
}

/// What an agent becomes, all but its name.
#[derive(Debug)]
pub struct ChangedAgent {
    pub agent: AgentId,
    skills: Option<Vec<Skill>>,
    capacity: Option<u32>,
    pub affiliated_with: Patch<ProviderId>,
    credit_limit: Option<Money>,
}

impl UpdateAgentInput {
    pub fn parse(&self) -> Result<ChangedAgent, Refusal> {
        let path = Path::Input;
        let skills = |given: &[SkillInput]| parse::skills(&path.member("skills"), given);
        self.display_name.as_deref().map_or(Ok(()), display_name)?;
        Ok(ChangedAgent {
            agent: parse::id(&self.agent_id, "agentId")?,
            skills: self.skills.as_deref().map(skills).transpose()?,
            capacity: self.capacity.map(|given| parse::count(&path.member("capacity"), given)).transpose()?,
            affiliated_with: self.affiliated_with.0.as_ref().try_map(|id| parse::id(id, "affiliatedWith"))?,
            credit_limit: credit_limit(self.credit_limit.as_ref())?,
        })
    }

    pub fn command(&self, changed: ChangedAgent, display_name: Option<Sealed>) -> Command {
        Command::UpdateAgent {
            agent: changed.agent,
            display_name,
            location: self.location.clone(),
            skills: changed.skills,
            capacity: changed.capacity,
            affiliated_with: changed.affiliated_with,
            credit_limit: changed.credit_limit,
        }
    }
}

fn display_name(given: &str) -> Result<(), Refusal> {
    domain::check::text(&["displayName"], given, domain::check::TEXT_CHARS_MAX)
}

fn provider(given: Option<&ID>) -> Result<Option<ProviderId>, Refusal> {
    given.map(|id| parse::id(id, "affiliatedWith")).transpose()
}

fn credit_limit(given: Option<&MoneyInput>) -> Result<Option<Money>, Refusal> {
    given.map(|limit| parse::money(&Path::Input.member("creditLimit"), limit)).transpose()
}

/// Why an agent's status is set, in its own or an operator's words.
pub const REASON_CHARS_MAX: usize = 500;

impl SetStandingValueInput {
    /// The agent that is named, if one is.
    pub fn agent(&self) -> Result<Option<AgentId>, Refusal> {
        self.agent_id.as_ref().map(|id| parse::id(id, "agentId")).transpose()
    }

    pub fn parse(&self, agent: AgentId) -> Result<Command, Refusal> {
        let path = Path::Input;
        let money = |value| parse::money(&path.member("value"), value);
        Ok(Command::SetStandingValue {
            agent,
            topic: parse::topic(&path.member("topic"), &self.topic)?,
            direction: self.direction.into(),
            value: self.value.as_ref().map(money).transpose()?,
            valid_until: self.valid_until.map(|until| until.0),
        })
    }
}

impl ForgiveStrikesInput {
    pub fn parse(&self) -> Result<AgentId, Refusal> {
        domain::check::text(&["reason"], &self.reason, REASON_CHARS_MAX)?;
        parse::id(&self.agent_id, "agentId")
    }
}

impl SetAgentStatusInput {
    /// The agent that is named; absent: the one who asks.
    pub fn parse(&self) -> Result<Option<AgentId>, Refusal> {
        if let Some(reason) = &self.reason {
            parse::text(&Path::Input.member("reason"), reason, REASON_CHARS_MAX)?;
        }
        self.agent_id.as_ref().map(|id| parse::id(id, "agentId")).transpose()
    }
}

impl DeclareQueueInput {
    pub fn parse(&self) -> Result<(LogName, Command), Refusal> {
        let path = Path::Input;
        let required = self.required_skills.as_deref().unwrap_or_default();
        let command = Command::DeclareQueue {
            priority_credit: self.priority_credit.0,
            topic: parse::topic(&path.member("topic"), &self.topic)?,
            required_skills: parse::skills(&path.member("requiredSkills"), required)?,
        };
        Ok((parse::call_server(&self.call_server, "callServer")?, command))
    }
}

/// Money that came in from outside, and for whom.
#[derive(Debug)]
pub struct Credit {
    pub owner: Party,
    pub call_server: Option<LogName>,
    pub amount: Money,
}

impl CreditWalletInput {
    pub fn parse(&self) -> Result<Credit, Refusal> {
        let agent = self.owner.as_str().parse().map(Party::Agent);
        let owner = agent.or_else(|_| self.owner.as_str().parse().map(Party::Provider));
        let owner = owner.map_err(|_| Refusal::NotFound { field: "owner" })?;
        if matches!(owner, Party::Provider(_)) && self.call_server.is_none() {
            return Err(Path::Input
                .member("callServer")
                .invalid("a provider has a wallet on each call server: name one"));
        }
        let call_server = self.call_server.as_deref().map(|name| parse::call_server(name, "callServer"));
        Ok(Credit {
            owner,
            call_server: call_server.transpose()?,
            amount: parse::money(&Path::Input.member("amount"), &self.amount)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::scalars::{CurrencyCode, Decimal};

    fn money(amount: &str) -> MoneyInput {
        MoneyInput { amount: Decimal(amount.parse().unwrap()), currency: CurrencyCode("EUR".into()) }
    }

    fn agent() -> RegisterAgentInput {
        RegisterAgentInput {
            display_name: "Ann".into(),
            call_server: "main".into(),
            location: "Lisbon".into(),
            skills: vec![SkillInput { name: "cards".into(), level: 2 }],
            capacity: 1,
            affiliated_with: None,
            credit_limit: Some(money("5")),
            idempotency_key: "k".into(),
        }
    }

    #[test]
    fn an_agent_parses_or_says_where_it_does_not() {
        assert_eq!(agent().parse().unwrap().call_server.as_str(), "main");
        let field = |input: RegisterAgentInput| input.parse().unwrap_err().field().unwrap();
        assert_eq!(field(RegisterAgentInput { display_name: " ".into(), ..agent() }), ["displayName"]);
        assert_eq!(field(RegisterAgentInput { capacity: -1, ..agent() }), ["capacity"]);
        assert_eq!(
            field(RegisterAgentInput { credit_limit: Some(money("0.001")), ..agent() }),
            ["creditLimit", "amount"]
        );
        let unknown = RegisterAgentInput { affiliated_with: Some(ID("prv_1".into())), ..agent() };
        assert_eq!(unknown.parse().unwrap_err(), Refusal::NotFound { field: "affiliatedWith" });
    }

    #[test]
    fn a_wallet_is_an_agents_or_a_providers_on_a_named_call_server() {
        let credit = |owner: String, call_server: Option<&str>| CreditWalletInput {
            owner: ID(owner),
            call_server: call_server.map(str::to_owned),
            amount: money("10"),
            reference: "r".into(),
            idempotency_key: "k".into(),
        };
        let (agent, provider) = (AgentId(1).to_string(), ProviderId(1).to_string());
        assert_eq!(credit(agent, None).parse().unwrap().owner, Party::Agent(AgentId(1)));
        assert!(credit(provider.clone(), Some("main")).parse().is_ok());
        assert_eq!(credit(provider, None).parse().unwrap_err().field().unwrap(), ["callServer"]);
        let refused = credit("cus_1".into(), None).parse().unwrap_err();
        assert_eq!(refused, Refusal::NotFound { field: "owner" });
    }
}
