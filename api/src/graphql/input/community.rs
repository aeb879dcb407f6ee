//! Providers and call servers.

use super::super::scalars::{Decimal, Duration, Json};
use super::super::types::enums::ProviderState;
use super::origin::origin_alone;
use super::parse::{self, Clearable, MoneyInput, Path};
use crate::proof;
use async_graphql::{ID, InputObject};
use domain::command::Command;
use domain::event::community::{CreditLimit, CustomerKey, Location};
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::time::Span;

const JWK_BYTES_MAX: usize = 4 * 1_024;

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
    /// With which the provider signs `AcceptOfferInput.customerProof`: public keys as JWKs, Ed25519 or P-256, at most 5.
    pub customer_keys: Option<Vec<Json>>,
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
    /// All of them: what is signed with another proves nothing from now on. Absent: they stay.
    pub customer_keys: Option<Vec<Json>>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct LocationInput {
    pub name: String,
    pub limit: Option<Decimal>,
    pub traffic_unit: Option<String>,
    pub session_limit: Option<i32>,
}

#[derive(InputObject, Clone, Debug)]
pub struct ReportLocationTrafficInput {
    pub call_server: String,
    pub location: String,
    pub traffic: Decimal,
    #[graphql(default_with = "Duration(Span::seconds(60))")]
    pub valid_for: Duration,
    pub idempotency_key: String,
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

#[derive(InputObject, Clone, Debug)]
pub struct EraseCustomerInput {
    pub customer_id: ID,
    // Erased with the rest.
    pub reason: Option<String>,
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
            customer_keys: customer_keys(self.customer_keys.as_deref().unwrap_or_default())?,
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
            customer_keys: self.customer_keys.as_deref().map(customer_keys).transpose()?,
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
            locations: locations(self.locations.as_deref().unwrap_or_default())?,
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
            locations: self.locations.as_deref().map(locations).transpose()?,
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

fn customer_keys(given: &[Json]) -> Result<Vec<CustomerKey>, Refusal> {
    let input = Path::Input;
    let list = input.member("customerKeys");
    let parse = |(at, jwk): (usize, &Json)| {
        let path = list.entry(at);
        proof::key_of(&parse::json(&path, jwk, JWK_BYTES_MAX, 3)?).map_err(|message| path.invalid(message))
    };
    given.iter().enumerate().map(parse).collect()
}

impl ReportLocationTrafficInput {
    /// The call server's log, and the command.
    pub fn parse(&self) -> Result<(LogName, Command), Refusal> {
        let log = parse::call_server(&self.call_server, "callServer")?;
        let location = self.location.clone();
        let report = Command::ReportLocationTraffic { location, traffic: self.traffic.0, valid_for: self.valid_for.0 };
        Ok((log, report))
    }
}

fn locations(given: &[LocationInput]) -> Result<Vec<Location>, Refusal> {
    let list = Path::Input.member("locations");
    let parse = |(at, location): (usize, &LocationInput)| {
        let too_small = |_| list.entry(at).member("sessionLimit").invalid("zero or more");
        Ok(Location {
            limit: location.limit.as_ref().map(|limit| limit.0),
            name: location.name.clone(),
            session_limit: location.session_limit.map(u32::try_from).transpose().map_err(too_small)?,
            traffic_unit: location.traffic_unit.clone(),
        })
    };
    given.iter().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::scalars::CurrencyCode;

    fn provider() -> RegisterProviderInput {
        RegisterProviderInput {
            name: "Bank".into(),
            homepage: None,
            origins: None,
            credit_limits: None,
            customer_keys: None,
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
        let lisbon = |session_limit| LocationInput {
            name: "Lisbon".into(),
            limit: Some(Decimal("80.5".parse().unwrap())),
            traffic_unit: Some("Mbit/s".into()),
            session_limit,
        };
        let open = |name: &str, session_limit| OpenCallServerInput {
            name: name.into(),
            topics: vec!["cards/lost".into()],
            languages: None,
            locations: Some(vec![lisbon(session_limit)]),
            idempotency_key: "k".into(),
        };
        let Command::OpenCallServer { locations, .. } = open("main", Some(0)).parse().unwrap() else { panic!() };
        let [location] = locations.as_slice() else { panic!("{locations:?}") };
        assert_eq!((location.name.as_str(), location.session_limit), ("Lisbon", Some(0)));
        assert_eq!(location.limit, Some("80.5".parse().unwrap()));
        assert_eq!(open("Main", None).parse().unwrap_err().field().unwrap(), ["name"]);
        let refused = open("main", Some(-1)).parse().unwrap_err();
        assert_eq!(refused.field().unwrap(), ["locations", "0", "sessionLimit"]);
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
