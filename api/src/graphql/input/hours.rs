//! Business hours as they are sent: times of day as `HH:MM`, days as ISO 8601 dates.

use super::super::types::hours::Weekday;
use super::parse::Path;
use async_graphql::InputObject;
use domain::hours::{BusinessHours, MIDNIGHT, Minute, WeeklyHours};
use domain::refusal::Refusal;
use jiff::civil::Date;

/// When an offer is served, in its own time zone. Accepted outside of it, an inquiry waits for the next opening; what has begun goes on after closing.
#[derive(InputObject, Clone, Debug)]
pub struct BusinessHoursInput {
    /// A name of the IANA time zone database: Europe/Vienna.
    pub zone: String,
    pub weekly: Vec<WeeklyHoursInput>,
    /// Dates, ISO 8601, on which it does not open.
    #[graphql(default)]
    pub closed_on: Vec<String>,
}

/// From a time of day, `HH:MM`, up to another; to the same or an earlier one: past midnight. A day ends at 24:00.
#[derive(InputObject, Clone, Debug)]
pub struct WeeklyHoursInput {
    pub days: Vec<Weekday>,
    pub from: String,
    pub to: String,
}

impl BusinessHoursInput {
    pub(super) fn parse(&self) -> Result<BusinessHours, Refusal> {
        let input = Path::Input;
        let hours = input.member("hours");
        let (weekly, closed_on) = (hours.member("weekly"), hours.member("closedOn"));
        let week = |(at, given): (usize, &WeeklyHoursInput)| {
            let path = weekly.entry(at);
            Ok(WeeklyHours {
                days: given.days.iter().map(|day| (*day).into()).collect(),
                from: minute(&path.member("from"), &given.from)?,
                to: minute(&path.member("to"), &given.to)?,
            })
        };
        let date = |(at, given): (usize, &String)| {
            let read: Option<Date> = given.parse().ok();
            // As it is written, so that one date has one name: what is parsed is more than that.
            let read = read.filter(|date| date.to_string() == *given);
            read.ok_or_else(|| closed_on.entry(at).invalid("a date such as 2026-12-25"))
        };
        Ok(BusinessHours {
            closed_on: self.closed_on.iter().enumerate().map(date).collect::<Result<_, _>>()?,
            weekly: self.weekly.iter().enumerate().map(week).collect::<Result<_, _>>()?,
            zone: self.zone.clone(),
        })
    }
}

/// `HH:MM`, two digits each; `24:00` too.
fn minute(path: &Path<'_>, given: &str) -> Result<Minute, Refusal> {
    let parsed = || {
        let [a, b, b':', c, d] = *given.as_bytes() else { return None };
        let digit = |byte: u8| byte.is_ascii_digit().then(|| Minute::from(byte - b'0'));
        let (hour, minute) = (digit(a)? * 10 + digit(b)?, digit(c)? * 10 + digit(d)?);
        Some(hour * 60 + minute).filter(|whole| minute < 60 && *whole <= MIDNIGHT)
    };
    parsed().ok_or_else(|| path.invalid("a time of day such as 09:30, up to 24:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_have_two_digits_each() {
        let read = |text| minute(&Path::Input, text).ok();
        assert_eq!((read("00:00"), read("09:30"), read("24:00")), (Some(0), Some(570), Some(1440)));
        for wrong in ["24:01", "9:30", "09:60", "0930", "09:3", "99:99", "-1:00", "09:30:00", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let hours = |from: &str, closed: &str| BusinessHoursInput {
            zone: "UTC".into(),
            weekly: vec![WeeklyHoursInput { days: vec![Weekday::Monday], from: from.into(), to: "24:00".into() }],
            closed_on: vec!["2026-12-25".into(), closed.into()],
        };
        let read = hours("09:00", "2028-02-29").parse().unwrap();
        assert_eq!((read.weekly[0].from, read.closed_on[1].to_string()), (540, "2028-02-29".to_owned()));
        let field = |given: BusinessHoursInput| given.parse().unwrap_err().field().unwrap().join(".");
        assert_eq!(field(hours("9", "2026-12-26")), "hours.weekly.0.from");
        for wrong in ["2026-02-29", "26-12-2026", "2026-12-26T00:00", "2026-12-6", "+002026-12-06", "tomorrow"] {
            assert_eq!(field(hours("09:00", wrong)), "hours.closedOn.1", "{wrong}");
        }
    }
}
