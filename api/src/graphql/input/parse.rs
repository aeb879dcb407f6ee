//! The pieces that many inputs are made of.

use super::super::scalars::{CurrencyCode, Decimal, Json};
use super::origin::origin_of;
use async_graphql::{ID, InputObject, InputType, InputValueError, InputValueResult, Name, Value};
use domain::currency::Currency;
use domain::log::LogName;
use domain::money::{Money, MoneyError};
use domain::patch::Patch;
use domain::refusal::Refusal;
use domain::topic::{Skill, Topic};
use std::borrow::Cow;
use std::str::FromStr;

/// Where in `input` something stands.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    Input,
    Member(&'a Path<'a>, &'static str),
    Entry(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub fn member(&'a self, name: &'static str) -> Path<'a> {
        Path::Member(self, name)
    }
    pub fn entry(&'a self, at: usize) -> Path<'a> {
        Path::Entry(self, at)
    }

    /// As a client reads it: `["links", "0", "topic"]`.
    pub fn to_field(&self) -> Vec<String> {
        match self {
            Path::Input => Vec::new(),
            Path::Member(parent, name) => joined(parent, (*name).to_owned()),
            Path::Entry(parent, at) => joined(parent, at.to_string()),
        }
    }

    pub fn invalid(&self, message: impl Into<String>) -> Refusal {
        Refusal::Invalid { field: self.to_field(), message: message.into() }
    }
}

fn joined(parent: &Path<'_>, part: String) -> Vec<String> {
    let mut field = parent.to_field();
    field.push(part);
    field
}

#[derive(InputObject, Clone, Debug)]
pub struct MoneyInput {
    pub amount: Decimal,
    pub currency: CurrencyCode,
}

#[derive(InputObject, Clone, Debug)]
pub struct SkillInput {
    pub name: String,
    #[graphql(default = 1)]
    pub level: i32,
}

/// A field of an update that null takes away, where absent leaves it as it is. In the schema it is any other
/// optional input. Fields that are always there are an `Option`: there null says no more than absent.
#[derive(Clone, Debug, Default)]
pub struct Clearable<T>(pub Patch<T>);

impl<T: InputType> InputType for Clearable<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }
    fn qualified_type_name() -> String {
        Option::<T>::qualified_type_name()
    }
    fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
        Option::<T>::create_type_info(registry)
    }
    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let patch = match value {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Clear,
            given => Patch::Set(T::parse(given).map_err(InputValueError::propagate)?),
        };
        Ok(Clearable(patch))
    }
    /// Absent is null, as it is of every optional input; so null must be something else, or idempotency would
    /// take the one for the other. No field of this kind is an enum.
    fn to_value(&self) -> Value {
        match &self.0 {
            Patch::Keep => Value::Null,
            Patch::Clear => Value::Enum(Name::new("CLEAR")),
            Patch::Set(value) => value.to_value(),
        }
    }
    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        match &self.0 {
            Patch::Set(value) => value.as_raw_value(),
            Patch::Keep | Patch::Clear => None,
        }
    }
}

/// An id of one kind. What cannot be one is nobody's.
pub fn id<T: FromStr>(given: &ID, field: &'static str) -> Result<T, Refusal> {
    given.as_str().parse().map_err(|_| Refusal::NotFound { field })
}

/// The name of a call server that should be there.
pub fn call_server(given: &str, field: &'static str) -> Result<LogName, Refusal> {
    let name = given.parse().ok().filter(|name: &LogName| !name.is_reserved());
    name.ok_or(Refusal::NotFound { field })
}

pub fn currency(path: &Path<'_>, given: &CurrencyCode) -> Result<Currency, Refusal> {
    given.0.parse().map_err(|_| path.invalid("a current ISO 4217 code"))
}

pub fn money(path: &Path<'_>, given: &MoneyInput) -> Result<Money, Refusal> {
    let currency = currency(&path.member("currency"), &given.currency)?;
    amount(&path.member("amount"), given.amount, currency)
}

/// At the currency's exponent; fewer decimals are padded, more are refused.
pub fn amount(path: &Path<'_>, given: Decimal, currency: Currency) -> Result<Money, Refusal> {
    Money::parse(&given.0.to_string(), currency).map_err(|error: MoneyError| path.invalid(error.to_string()))
}

pub fn topic(path: &Path<'_>, given: &str) -> Result<Topic, Refusal> {
    given.parse().map_err(|error: domain::topic::BadTopic| path.invalid(error.to_string()))
}

pub fn topics(path: &Path<'_>, given: &[String]) -> Result<Vec<Topic>, Refusal> {
    given.iter().enumerate().map(|(at, text)| topic(&path.entry(at), text)).collect()
}

/// Skills with levels that a skill can have; whether each stands once is the domain's to say.
pub fn skills(path: &Path<'_>, given: &[SkillInput]) -> Result<Vec<Skill>, Refusal> {
    let parse = |(at, skill): (usize, &SkillInput)| {
        let path = path.entry(at);
        let level = u8::try_from(skill.level).ok().filter(|level| (1..=domain::topic::SKILL_LEVEL_MAX).contains(level));
        let message = || format!("a level is from 1 to {}", domain::topic::SKILL_LEVEL_MAX);
        Ok(Skill {
            level: level.ok_or_else(|| path.member("level").invalid(message()))?,
            name: topic(&path.member("name"), &skill.name)?,
        })
    };
    given.iter().enumerate().map(parse).collect()
}

/// A number that counts something. Its upper bound is the domain's.
pub fn count(path: &Path<'_>, given: i32) -> Result<u32, Refusal> {
    u32::try_from(given).map_err(|_| path.invalid("not negative"))
}

/// Free text of 1 to `chars_max` characters that says something.
pub fn text(path: &Path<'_>, given: &str, chars_max: usize) -> Result<(), Refusal> {
    if given.trim().is_empty() {
        return Err(path.invalid(format!("1 to {chars_max} characters")));
    }
    text_or_nothing(path, given, chars_max)
}

/// The same where nothing may be said: notes that were emptied again. Line breaks and tabs are text, the
/// other control characters are not.
pub fn text_or_nothing(path: &Path<'_>, given: &str, chars_max: usize) -> Result<(), Refusal> {
    if given.chars().count() > chars_max {
        return Err(path.invalid(format!("at most {chars_max} characters")));
    }
    if given.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(path.invalid("no control characters but tabs and line breaks"));
    }
    Ok(())
}

/// An http or https address; how long it may be is the domain's to say.
pub fn url(path: &Path<'_>, given: &str) -> Result<(), Refusal> {
    let valid = origin_of(given).is_some();
    if valid { Ok(()) } else { Err(path.invalid("an http or https address with a plain host name")) }
}

/// A JSON value of at most `bytes_max` bytes as text, with at most `depth_max` brackets around any part.
pub fn json(path: &Path<'_>, given: &Json, bytes_max: usize, depth_max: usize) -> Result<serde_json::Value, Refusal> {
    // Depth first: writing recurses as deep as the value.
    if depth(&given.0) > depth_max {
        return Err(path.invalid(format!("nested at most {depth_max} deep")));
    }
    if given.to_text().len() > bytes_max {
        return Err(path.invalid(format!("at most {bytes_max} bytes as JSON")));
    }
    given.0.clone().into_json().map_err(|_| path.invalid("a JSON value"))
}

fn depth(value: &async_graphql::Value) -> usize {
    use async_graphql::Value;
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::{AuctionId, BidId};

    fn at<'a>() -> Path<'a> {
        Path::Input
    }
    fn field(refusal: Refusal) -> Vec<String> {
        assert_eq!(refusal.code(), "INVALID");
        refusal.field().unwrap()
    }
    fn eur(text: &str) -> MoneyInput {
        MoneyInput { amount: Decimal(text.parse().unwrap()), currency: CurrencyCode("EUR".to_owned()) }
    }

    #[test]
    fn money_takes_the_currencys_decimals_and_says_what_is_wrong_with_it() {
        let input = at();
        let path = input.member("amount");
        assert_eq!(money(&path, &eur("5")).unwrap().to_string(), "5.00 EUR");
        assert_eq!(field(money(&path, &eur("5.001")).unwrap_err()), ["amount", "amount"]);
        let stranger = MoneyInput { currency: CurrencyCode("XXX".to_owned()), ..eur("5") };
        assert_eq!(field(money(&path, &stranger).unwrap_err()), ["amount", "currency"]);
        let yen = MoneyInput { currency: CurrencyCode("JPY".to_owned()), ..eur("5.5") };
        assert_eq!(field(money(&path, &yen).unwrap_err()), ["amount", "amount"]);
    }

    #[test]
    fn what_null_takes_away_is_not_what_absent_leaves() {
        let read = |value| Clearable::<String>::parse(value).unwrap();
        let given = [None, Some(Value::Null), Some(Value::from("CLEAR"))].map(read);
        let patches = given.clone().map(|field| field.0);
        assert_eq!(patches, [Patch::Keep, Patch::Clear, Patch::Set("CLEAR".to_owned())]);
        let texts: std::collections::BTreeSet<String> =
            given.iter().map(|field| field.to_value().to_string()).collect();
        assert_eq!(texts.len(), 3, "each is another input: {texts:?}");
        assert!(Clearable::<String>::parse(Some(Value::from(1))).is_err());
    }

    #[test]
    fn an_id_that_is_none_is_nobodys() {
        let bid = BidId(7).to_string();
        assert_eq!(id::<BidId>(&ID(bid.clone()), "bidId"), Ok(BidId(7)));
        for wrong in ["", "bid_", "7", bid.as_str()] {
            let refused = id::<AuctionId>(&ID(wrong.to_owned()), "auctionId");
            assert_eq!(refused, Err(Refusal::NotFound { field: "auctionId" }));
        }
        assert!(call_server("community", "callServer").is_err());
    }

    #[test]
    fn lists_name_the_entry() {
        let input = at();
        let skill = |name: &str, level| SkillInput { name: name.to_owned(), level };
        let path = input.member("skills");
        assert_eq!(skills(&path, &[skill("a", 1), skill("b", 10)]).unwrap()[1].level, 10);
        for level in [0, -1, 11, 257] {
            assert_eq!(
                field(skills(&path, &[skill("a", 1), skill("b", level)]).unwrap_err()),
                ["skills", "1", "level"]
            );
        }
        assert_eq!(field(skills(&path, &[skill("A", 1)]).unwrap_err()), ["skills", "0", "name"]);
        assert_eq!(field(topics(&path, &["a".into(), "".into()]).unwrap_err()), ["skills", "1"]);
    }

    #[test]
    fn text_at_its_bounds() {
        let path = at();
        assert!(text(&path, &"ä".repeat(5), 5).is_ok());
        for bad in [&*"ä".repeat(6), "", " \n", "a\0"] {
            assert!(text(&path, bad, 5).is_err(), "{bad:?}");
        }
        assert!(text_or_nothing(&path, "", 5).is_ok());
        assert!(text(&path, "a\n\tb", 5).is_ok());
    }

    #[test]
    fn json_at_its_bounds() {
        let path = at();
        let deep = |n: usize| Json::from_text(&format!("{}1{}", "[".repeat(n), "]".repeat(n))).unwrap();
        assert!(json(&path, &deep(8), 100, 8).is_ok());
        assert!(json(&path, &deep(9), 100, 8).is_err());
        let eight = Json::from_text("\"123456\"").unwrap();
        assert!(json(&path, &eight, 8, 0).is_ok());
        assert!(json(&path, &eight, 7, 0).is_err());
    }
}
