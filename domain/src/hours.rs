//! Business hours of an offer: which time of day it is served, in a time zone of its own. Accepted outside of them,
//! an inquiry is registered like any other and begins with the next opening: until then nobody is asked about it,
//! nobody bids on it or claims it, and its `max_wait` does not run. What has begun goes on after closing.
//!
//! It promises the same instant for the same hours and moment on every machine: the zones are those that the
//! program was built with, never the machine's. Deliberately not here: when an agent works. It says so itself.

use crate::check;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Of a day, in the zone of the hours: from 0 to 1440 minutes after midnight. In JSON a number.
pub type Minute = u16;
pub const MIDNIGHT: Minute = 24 * 60;

/// From one time of day up to another; to the same or an earlier one: past midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyHours {
    /// On which it opens.
    pub days: Vec<Weekday>,
    pub from: Minute,
    pub to: Minute,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessHours {
    /// Days on which it does not open, whatever the week says. In JSON `2026-12-25`.
    pub closed_on: Vec<Date>,
    pub weekly: Vec<WeeklyHours>,
    /// A name of the IANA time zone database: `Europe/Vienna`.
    pub zone: String,
}

/// Of a day that is closed: those that are written with four digits.
const YEARS: RangeInclusive<i16> = 1..=9999;

/// So many days can be named as closed at most that within so many days it has opened.
const DAYS_LOOKED_AHEAD: usize = 7 * (check::LIST_MAX + 2);

/// Those that are part of the program: reading the machine's would be I/O, and differ between nodes.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// By its name in the IANA time zone database. `Etc/Unknown`, which stands there for no zone at all, is none.
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok().filter(|zone| !zone.is_unknown())
}

impl BusinessHours {
    fn zone(&self) -> Option<TimeZone> {
        zone(&self.zone)
    }

    /// Errors: INVALID, with the path of what is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.zone().is_none() {
            return Err(Refusal::invalid(&["hours", "zone"], "a name of the IANA time zone database: Europe/Vienna"));
        }
        check::list(&["hours", "weekly"], &self.weekly)?;
        check::list(&["hours", "closedOn"], &self.closed_on)?;
        for (at, day) in self.closed_on.iter().enumerate() {
            if !YEARS.contains(&day.year()) {
                return Err(Refusal::invalid_at(&["hours", "closedOn"], at, &[], "a date in the years 1 to 9999"));
            }
            if self.closed_on[..at].contains(day) {
                return Err(Refusal::invalid_at(&["hours", "closedOn"], at, &[], "each date once"));
            }
        }
        if self.weekly.is_empty() {
            return Err(Refusal::invalid(&["hours", "weekly"], "at least one"));
        }
        for (at, hours) in self.weekly.iter().enumerate() {
            let wrong = |member, message| Err(Refusal::invalid_at(&["hours", "weekly"], at, &[member], message));
            let twice = |(at, day): (usize, &Weekday)| hours.days[..at].contains(day);
            if hours.days.is_empty() || hours.days.iter().enumerate().any(twice) {
                return wrong("days", "at least one day, each once");
            }
            if hours.from >= MIDNIGHT {
                return wrong("from", "from 00:00 to 23:59");
            }
            if hours.to > MIDNIGHT {
                return wrong("to", "from 00:00 to 24:00");
            }
        }
        Ok(())
    }

    /// When it opens next; absent: it is open. Windows are half-open: at the end of one it is closed. A time of day
    /// that a day lacks is taken as late as the clocks were put forward, one that it has twice as the first.
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = self.zone()?;
        let today = jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned(zone.clone()).date();
        // Yesterday's may reach past midnight.
        let mut begun = [today.yesterday().ok()?, today].into_iter().flat_map(|day| self.windows(day, &zone));
        if begun.any(|(from, to)| from <= now && now < to) {
            return None;
        }
        // Later days open later, so the first day with an opening to come has the next one.
        let days = std::iter::successors(Some(today), |day| day.tomorrow().ok());
        let mut openings = days.take(DAYS_LOOKED_AHEAD).filter_map(|day| {
            let windows = self.windows(day, &zone).into_iter();
            windows.filter(|(from, to)| now < *from && from < to).map(|(from, _)| from).min()
        });
        openings.next()
    }

    /// Those that open on a day, as instants.
    fn windows(&self, day: Date, zone: &TimeZone) -> Vec<(Timestamp, Timestamp)> {
        if self.closed_on.contains(&day) {
            return Vec::new();
        }
        let weekday = weekday(day);
        let instant = |day: Date, minute: Minute| {
            let (day, minute) = if minute == MIDNIGHT { (day.tomorrow().ok()?, 0) } else { (day, minute) };
            let hour = i8::try_from(minute / 60).ok()?;
            let local = day.at(hour, i8::try_from(minute % 60).ok()?, 0, 0);
            Some(Timestamp(zone.to_ambiguous_timestamp(local).compatible().ok()?.as_microsecond()))
        };
        let window = |hours: &WeeklyHours| {
            let last = if hours.from < hours.to { day } else { day.tomorrow().ok()? };
            Some((instant(day, hours.from)?, instant(last, hours.to)?))
        };
        self.weekly.iter().filter(|hours| hours.days.contains(&weekday)).filter_map(window).collect()
    }
}

fn weekday(day: Date) -> Weekday {
    use jiff::civil::Weekday as Known;
    match day.weekday() {
        Known::Monday => Weekday::Monday,
        Known::Tuesday => Weekday::Tuesday,
        Known::Wednesday => Weekday::Wednesday,
        Known::Thursday => Weekday::Thursday,
        Known::Friday => Weekday::Friday,
        Known::Saturday => Weekday::Saturday,
        Known::Sunday => Weekday::Sunday,
    }
}
