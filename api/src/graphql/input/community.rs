//! Providers and call servers.

use super::super::types::enums::ProviderState;
use super::origin::origin_alone;
use super::parse::{self, Clearable, MoneyInput, Path};
use async_graphql::{ID, InputObject};
use domain::command::Command;
use domain::event::community::{CreditLimit, Location};
use domain::refusal::Refusal;

/// Absent: the provider pays on account without limit.
#[derive(InputObject, Clone, Debug)]
pub struct CreditLimitInput {
    pub call_server: String,
    pub limit: MoneyInput,
}

#[derive(InputObject, Clone, Debug)]
pub struct RegisterProviderInput {
    pub name: String,
    pub homepage: Option<String>,
    pub origins: Option<Vec<String>>,
    pub credit_limits: Option<Vec<CreditLimitInput>>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct UpdateProviderInput {
    pub provider_id: ID,
    pub name: Option<String>,
    pub homepage: Clearable<String>,
    pub origins: Option<Vec<String>>,
    pub state: Option<ProviderState>,
    // All of them: a limit that the list does not name again is lifted. Absent: they stay.
    pub credit_limits: Option<Vec<CreditLimitInput>>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct LocationInput {
    pub name: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct OpenCallServerInput {
    pub name: String,
    pub topics: Vec<String>,
    pub languages: Option<Vec<String>>,
    pub locations: Option<Vec<LocationInput>>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct UpdateCallServerInput {
    pub call_server: String,
    pub default: Option<bool>,
    pub topics: Option<Vec<String>>,
    pub languages: Option<Vec<String>>,
    pub locations: Option<Vec<LocationInput>>,
    pub idempotency_key: String,
}

impl RegisterProviderInput {
    pub fn parse(&self) -> Result<Command, Refusal> {
        homepage(self.homepage.as_deref())?;
        Ok(Command::RegisterProvider {
            name: self.name.clone(),
            homepage: self.homepage.clone(),
            origins: origins(self.origins.as_deref().unwrap_or_default())?,
            credit_limits: credit_limits(self.credit_limits.as_deref().unwrap_or_default())?,
        })
    }
}

impl UpdateProviderInput {
    pub fn parse(&self) -> Result<Command, Refusal> {
        homepage(self.homepage.0.as_ref().map(String::as_str).set())?;
        Ok(Command::UpdateProvider {
            provider: parse::id(&self.provider_id, "providerId")?,
            name: self.name.clone(),
            homepage: self.homepage.0.clone(),
            origins: self.origins.as_deref().map(origins).transpose()?,
            suspended: self.state.map(|state| state == ProviderState::Suspended),
            credit_limits: self.credit_limits.as_deref().map(credit_limits).transpose()?,
        })
    }
}

impl OpenCallServerInput {
    pub fn parse(&self) -> Result<Command, Refusal> {
        let path = Path::Input;
        let malformed = |error: domain::log::BadLogName| path.member("name").invalid(error.to_string());
        Ok(Command::OpenCallServer {
            name: self.name.parse().map_err(malformed)?,
            topics: parse::topics(&path.member("topics"), &self.topics)?,
            languages: self.languages.clone().unwrap_or_default(),
            locations: locations(self.locations.as_deref().unwrap_or_default()),
        })
    }
}

impl UpdateCallServerInput {
    pub fn parse(&self) -> Result<Command, Refusal> {
        let topics = |given: &[String]| parse::topics(&Path::Input.member("topics"), given);
        Ok(Command::UpdateCallServer {
            name: parse::call_server(&self.call_server, "callServer")?,
            default: self.default,
            topics: self.topics.as_deref().map(topics).transpose()?,
            languages: self.languages.clone(),
            locations: self.locations.as_deref().map(locations),
        })
    }
}

fn homepage(given: Option<&str>) -> Result<(), Refusal> {
    given.map_or(Ok(()), |url| parse::url(&Path::Input.member("homepage"), url))
}

/// In canonical form: an acceptance's content is compared with them letter by letter.
fn origins(given: &[String]) -> Result<Vec<String>, Refusal> {
    let parse = |(at, text): (usize, &String)| {
        let message = "an origin such as https://example.org, without a path";
        origin_alone(text).ok_or_else(|| Path::Input.member("origins").entry(at).invalid(message))
    };
    given.iter().enumerate().map(parse).collect()
}

fn credit_limits(given: &[CreditLimitInput]) -> Result<Vec<CreditLimit>, Refusal> {
    let input = Path::Input;
    let list = input.member("creditLimits");
    let parse = |(at, limit): (usize, &CreditLimitInput)| {
        let path = list.entry(at);
        let name = limit.call_server.parse();
        Ok(CreditLimit {
            call_server: name.map_err(|_| path.member("callServer").invalid("no call server has this name"))?,
            limit: parse::money(&path.member("limit"), &limit.limit)?,
        })
    };
    given.iter().enumerate().map(parse).collect()
}

fn locations(given: &[LocationInput]) -> Vec<Location> {
    given.iter().map(|location| Location { name: location.name.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::scalars::{CurrencyCode, Decimal};

    fn provider() -> RegisterProviderInput {
        RegisterProviderInput {
            name: "Bank".into(),
            homepage: None,
            origins: None,
            credit_limits: None,
            idempotency_key: "k".into(),
        }
    }

    #[test]
    fn origins_become_canonical() {
        let input = RegisterProviderInput { origins: Some(vec!["HTTPS://Bank.example:443/".into()]), ..provider() };
        let Command::RegisterProvider { origins, .. } = input.parse().unwrap() else { panic!() };
        assert_eq!(origins, ["https://bank.example"]);
        let input = RegisterProviderInput {
            origins: Some(vec!["https://a.example".into(), "https://b.example/path".into()]),
            ..provider()
        };
        assert_eq!(input.parse().unwrap_err().field().unwrap(), ["origins", "1"]);
        let input = RegisterProviderInput { homepage: Some("bank.example".into()), ..provider() };
        assert_eq!(input.parse().unwrap_err().field().unwrap(), ["homepage"]);
    }

    #[test]
    fn a_credit_limit_names_the_part_that_is_wrong() {
        let limit = |call_server: &str, amount: &str| CreditLimitInput {
            call_server: call_server.into(),
            limit: MoneyInput { amount: Decimal(amount.parse().unwrap()), currency: CurrencyCode("EUR".into()) },
        };
        let with = |limits| RegisterProviderInput { credit_limits: Some(limits), ..provider() };
        assert!(with(vec![limit("main", "10")]).parse().is_ok());
        let refused = with(vec![limit("main", "10"), limit("Main", "10")]).parse().unwrap_err();
        assert_eq!(refused.field().unwrap(), ["creditLimits", "1", "callServer"]);
        let refused = with(vec![limit("main", "0.001")]).parse().unwrap_err();
        assert_eq!(refused.field().unwrap(), ["creditLimits", "0", "limit", "amount"]);
    }

    #[test]
    fn call_servers_and_their_locations() {
        let open = |name: &str| OpenCallServerInput {
            name: name.into(),
            topics: vec!["cards/lost".into()],
            languages: None,
            locations: Some(vec![LocationInput { name: "Lisbon".into() }]),
            idempotency_key: "k".into(),
        };
        let Command::OpenCallServer { locations, .. } = open("main").parse().unwrap() else { panic!() };
        assert_eq!(locations, [Location { name: "Lisbon".into() }]);
        assert_eq!(open("Main").parse().unwrap_err().field().unwrap(), ["name"]);
        let unknown = UpdateCallServerInput {
            call_server: "Main".into(),
            default: None,
            topics: None,
            languages: None,
            locations: None,
            idempotency_key: "k".into(),
        };
        assert_eq!(unknown.parse(), Err(Refusal::NotFound { field: "callServer" }));
    }
}
