//! Business hours of an offer, as they were given.

use async_graphql::{Enum, SimpleObject};
use domain::hours as given;

/// ISO 8601's.
#[derive(Enum, Copy, Clone, Debug, PartialEq, Eq)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

macro_rules! weekdays {
    ($($day:ident)*) => {
        impl From<Weekday> for given::Weekday {
            fn from(day: Weekday) -> given::Weekday {
                match day { $(Weekday::$day => given::Weekday::$day,)* }
            }
        }
        impl From<given::Weekday> for Weekday {
            fn from(day: given::Weekday) -> Weekday {
                match day { $(given::Weekday::$day => Weekday::$day,)* }
            }
        }
    };
}
weekdays!(Monday Tuesday Wednesday Thursday Friday Saturday Sunday);

/// When an offer is served, in its own time zone. Accepted outside of it, an inquiry waits for the next opening; what has begun goes on after closing.
#[derive(SimpleObject, Clone, Debug)]
pub struct BusinessHours {
    /// A name of the IANA time zone database.
    zone: String,
    weekly: Vec<WeeklyHours>,
    /// Dates, ISO 8601, on which it does not open.
    closed_on: Vec<String>,
}

/// From a time of day, `HH:MM`, up to another; to the same or an earlier one: past midnight. A day ends at 24:00.
#[derive(SimpleObject, Clone, Debug)]
pub struct WeeklyHours {
    days: Vec<Weekday>,
    from: String,
    to: String,
}

impl From<&given::BusinessHours> for BusinessHours {
    fn from(hours: &given::BusinessHours) -> BusinessHours {
        BusinessHours {
            zone: hours.zone.clone(),
            weekly: hours.weekly.iter().map(|weekly| weekly.into()).collect(),
            closed_on: hours.closed_on.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&given::WeeklyHours> for WeeklyHours {
    fn from(hours: &given::WeeklyHours) -> WeeklyHours {
        let clock = |minute: given::Minute| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days = hours.days.iter().map(|day| (*day).into()).collect();
        WeeklyHours { days, from: clock(hours.from), to: clock(hours.to) }
    }
}
