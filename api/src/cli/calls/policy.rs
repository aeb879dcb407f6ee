//! How the house routes recorded calls, and what is supposed of agents: a JSON object, each member of it optional.
//!
//! It promises that whatever the house would not take is refused before anything is replayed, in one line that names the
//! member. Deliberately not here: that a topic is one of the calls' (`Calls::run`).

use super::super::{Failure, Misuse};
use domain::check;
use domain::queue::PRIORITY_CREDIT_MAX;
use domain::refusal::Refusal;
use domain::terms::{RelaxationRing, RoutingPolicy};
use domain::time::Span;
use domain::topic::Topic;
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) routing: RoutingPolicy,
    /// How long an agent takes to consent.
    pub(super) consent_after_s: u32,
    pub(super) consent_window_s: u32,
    /// 0: none.
    pub(super) wrap_up_s: u32,
    pub(super) max_wait_s: u32,
    /// A gap between an agent's conversations that is longer is a break.
    pub(super) break_after_s: u32,
    /// Of the offer: so many steps.
    pub(super) priority: u32,
    /// Of the queue: what a step is worth.
    pub(super) priority_credit_s: u32,
    pub(super) relaxation: Vec<Ring>,
    /// What is otherwise for calls of one type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "each_once")]
    pub(super) topics: BTreeMap<Topic, OfTopic>,
}

/// Less is asked of agents after so much waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ring {
    pub(super) after_s: u32,
    pub(super) any_topic: bool,
    pub(super) lower_levels: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfTopic {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority_credit_s: Option<u32>,
    /// In place of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) relaxation: Option<Vec<Ring>>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            routing: RoutingPolicy::LongestIdle,
            consent_after_s: 0,
            consent_window_s: 20,
            wrap_up_s: 0,
            max_wait_s: 3_600,
            break_after_s: 1_800,
            priority: 0,
            priority_credit_s: 0,
            relaxation: vec![],
            topics: BTreeMap::new(),
        }
    }
}

/// What holds for the calls of one topic: its offer's and its queue's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Favour {
    pub(super) priority: u32,
    pub(super) priority_credit: Span,
    pub(super) relaxation: Vec<RelaxationRing>,
}

impl Policy {
    pub(super) fn read(path: &Path) -> Result<Policy, Failure> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| Misuse(format!("{shown} cannot be read: {error}")))?;
        let policy = parsed(&text).and_then(|policy: Policy| policy.checked().map(|()| policy));
        Ok(policy.map_err(|reason| Misuse(format!("{shown}: {reason}")))?)
    }

    /// What a decision would refuse, under the names of this file.
    fn checked(&self) -> Result<(), String> {
        if self.routing == RoutingPolicy::BestValue {
            return Err("routing: BEST_VALUE needs money, which the log does not have".to_owned());
        }
        let within = |name: &str, seconds: u32, least: i64, most: Span| {
            let span = Span::seconds(seconds.into());
            let most_s = most.0 / 1_000_000;
            if span < Span::seconds(least) || span > most {
                Err(format!("{name}: {least} to {most_s}"))
            } else {
                Ok(())
            }
        };
        within("consent_window_s", self.consent_window_s, 1, check::CONSENT_WINDOW_MAX)?;
        within("max_wait_s", self.max_wait_s, 1, check::MAX_WAIT_MAX)?;
        within("wrap_up_s", self.wrap_up_s, 0, check::WRAP_UP_MAX)?;
        if self.consent_after_s >= self.consent_window_s {
            return Err("consent_after_s: must be below consent_window_s, or nobody consents".to_owned());
        }
        let all = OfTopic {
            priority: Some(self.priority),
            priority_credit_s: Some(self.priority_credit_s),
            relaxation: Some(self.relaxation.clone()),
        };
        let parts = self.topics.iter().map(|(topic, part)| (format!("topics.{topic}."), part));
        for (at, part) in std::iter::once((String::new(), &all)).chain(parts) {
            if part.priority.is_some_and(|steps| steps > check::PRIORITY_MAX) {
                return Err(format!("{at}priority: 0 to {}", check::PRIORITY_MAX));
            }
            let credit = part.priority_credit_s.unwrap_or(0);
            within(&format!("{at}priority_credit_s"), credit, 0, PRIORITY_CREDIT_MAX)?;
            let rings: Vec<RelaxationRing> = part.relaxation.iter().flatten().map(Ring::in_the_house).collect();
            check::rings(&rings, self.max_wait()).map_err(|refusal| format!("{at}{}", in_this_file(&refusal)))?;
        }
        Ok(())
    }

    pub(super) fn favour(&self, topic: &Topic) -> Favour {
        let own = self.topics.get(topic).cloned().unwrap_or_default();
        Favour {
            priority: own.priority.unwrap_or(self.priority),
            priority_credit: Span::seconds(own.priority_credit_s.unwrap_or(self.priority_credit_s).into()),
            relaxation: own.relaxation.as_ref().unwrap_or(&self.relaxation).iter().map(Ring::in_the_house).collect(),
        }
    }
    pub(super) fn consent_after(&self) -> Span {
        Span::seconds(self.consent_after_s.into())
    }
    pub(super) fn consent_window(&self) -> Span {
        Span::seconds(self.consent_window_s.into())
    }
    pub(super) fn max_wait(&self) -> Span {
        Span::seconds(self.max_wait_s.into())
    }
    pub(super) fn break_after(&self) -> Span {
        Span::seconds(self.break_after_s.into())
    }
    pub(super) fn wrap_up(&self) -> Option<Span> {
        (self.wrap_up_s > 0).then(|| Span::seconds(self.wrap_up_s.into()))
    }
}

impl Ring {
    fn in_the_house(&self) -> RelaxationRing {
        RelaxationRing {
            after: Span::seconds(self.after_s.into()),
            any_topic: self.any_topic,
            lower_levels: self.lower_levels,
        }
    }
}

/// Of two members of one name a map would take the last without a word.
fn each_once<'de, D: Deserializer<'de>>(topics: D) -> Result<BTreeMap<Topic, OfTopic>, D::Error> {
    struct EachOnce;
    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<Topic, OfTopic>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object of topics")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut topics = BTreeMap::new();
            while let Some((topic, part)) = members.next_entry::<Topic, OfTopic>()? {
                let twice = format!("topics.{topic}: is there twice");
                if topics.insert(topic, part).is_some() {
                    return Err(de::Error::custom(twice));
                }
            }
            Ok(topics)
        }
    }
    topics.deserialize_map(EachOnce)
}

/// `relaxation.1.after` is `relaxation.1.after_s` here.
fn in_this_file(refusal: &Refusal) -> String {
    let names = refusal.field().unwrap_or_default().into_iter().map(|name| match name.as_str() {
        "after" => "after_s".to_owned(),
        "lowerLevels" => "lower_levels".to_owned(),
        _ => name,
    });
    let message = refusal.message().replace("maxWait", "max_wait_s").replace("PT1S", "1");
    format!("{}: {message}", names.collect::<Vec<_>>().join("."))
}

/// The message ends with line and column, and begins with the member that is to blame.
fn parsed(text: &str) -> Result<Policy, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let policy = serde_json::from_str(text).map_err(|error| match culprit::<Policy>(&value) {
        Some(name) => format!("{name}: {error}"),
        None => error.to_string(),
    })?;
    match no_object(&value) {
        Some(name) => Err(format!("{name}a JSON object is wanted")),
        None => Ok(policy),
    }
}

/// A list would be read as the members in their order, which nobody means.
fn no_object(value: &Value) -> Option<String> {
    let Some(members) = value.as_object() else { return Some(String::new()) };
    let rings = members.get("relaxation").and_then(Value::as_array).into_iter().flatten().enumerate();
    let topics = members.get("topics").and_then(Value::as_object).into_iter().flatten();
    let ring = rings.filter(|(_, ring)| !ring.is_object()).map(|(at, _)| format!("relaxation.{at}: ")).next();
    let below = |(topic, value): (&String, &Value)| {
        let name = no_object(value)?;
        Some(if name.is_empty() { format!("topics.{topic}: ") } else { format!("topics.{topic}.{name}") })
    };
    ring.or_else(|| topics.filter_map(below).next())
}

/// The member that cannot be read, however deep: each alone would do, since none is required.
fn culprit<T: DeserializeOwned>(value: &Value) -> Option<String> {
    let alone = |name: &String, value: &Value| Value::Object([(name.clone(), value.clone())].into_iter().collect());
    let fails = |(name, value): &(&String, &Value)| serde_json::from_value::<T>(alone(name, value)).is_err();
    let (name, value) = value.as_object()?.iter().find(fails)?;
    let within = match name.as_str() {
        "topics" => {
            let fails = |(_, value): &(&String, &Value)| serde_json::from_value::<OfTopic>((*value).clone()).is_err();
            let of = value.as_object().and_then(|topics| topics.iter().find(fails));
            of.map(|(topic, value)| below(topic, culprit::<OfTopic>(value)))
        }
        "relaxation" => {
            let fails = |(_, value): &(usize, &Value)| serde_json::from_value::<Ring>((*value).clone()).is_err();
            let of = value.as_array().and_then(|rings| rings.iter().enumerate().find(fails));
            of.map(|(at, value)| below(&at.to_string(), culprit::<Ring>(value)))
        }
        _ => None,
    };
    Some(below(name, within))
}

fn below(name: &str, within: Option<String>) -> String {
    within.map_or_else(|| name.to_owned(), |within| format!("{name}.{within}"))
}
