//! When an offer opens, found by looking at every minute. The days' zones have one offset all year.

use super::entry::texts;
use serde_json::Value;

/// Minutes ahead of UTC.
const ZONES: [(&str, i64); 3] = [("UTC", 0), ("Asia/Kathmandu", 345), ("America/Phoenix", -420)];
/// 1970-01-01 was a Thursday.
const DAYS: [&str; 7] = ["THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY"];
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440;

/// A minute of local time, since 1970.
fn is_open(hours: &Value, minute: i64) -> bool {
    let opened_on = |day: i64, hours: &Value| texts(hours, "days").contains(&DAYS[day.rem_euclid(7) as usize]);
    let closed = |day: i64| texts(hours, "closed_on").contains(&date(day).as_str());
    let (today, at) = (minute.div_euclid(DAY), minute.rem_euclid(DAY));
    hours["weekly"].as_array().expect("weekly hours").iter().any(|weekly| {
        let (from, to) = (weekly["from"].as_i64().expect("a minute"), weekly["to"].as_i64().expect("a minute"));
        let this_day = opened_on(today, weekly) && !closed(today) && from <= at && (at < to || to <= from);
        let yesterdays = opened_on(today - 1, weekly) && !closed(today - 1) && to <= from && at < to;
        this_day || yesterdays
    })
}

/// In ISO 8601; of the day that the days begin on, and those around it.
fn date(day: i64) -> String {
    format!("2027-01-{:02}", day - 20_833 + 15)
}

/// The next opening after an instant at which it is closed; absent: it is open.
pub fn opening(hours: &Value, now: i64) -> Option<i64> {
    let zone = hours["zone"].as_str().expect("a zone");
    let (_, ahead) = ZONES.iter().find(|(name, _)| *name == zone).expect("a zone that the days have");
    let now = now.div_euclid(MINUTE);
    if is_open(hours, now + ahead) {
        return None;
    }
    let next = (now + 1..now + 30 * DAY).find(|minute| is_open(hours, minute + ahead));
    Some(next.expect("it opens within a month") * MINUTE)
}
