//! How a page tells an instant: as people read it, in the zone that its offer is served in.
//!
//! Deliberately not here: the visitor's own zone. No request says it, and without a script no page learns it; so the zone is
//! named beside the time.

use super::html::{Html, Language, html};
use domain::hours;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

const MONTHS: [(&str, &str); 12] = [
    ("January", "Januar"),
    ("February", "Februar"),
    ("March", "März"),
    ("April", "April"),
    ("May", "Mai"),
    ("June", "Juni"),
    ("July", "Juli"),
    ("August", "August"),
    ("September", "September"),
    ("October", "Oktober"),
    ("November", "November"),
    ("December", "Dezember"),
];

/// An instant of the API, to the second, with its zone: UTC where the offer names none. Nothing where there is none.
pub(super) fn moment(language: Language, instant: &Value, zone: &Value) -> Option<Html> {
    let exact = instant.as_str()?;
    let (name, zone) = match zone.as_str().and_then(|name| Some((name, hours::zone(name)?))) {
        Some(named) => named,
        None => ("UTC", TimeZone::UTC),
    };
    let local = exact.parse::<Timestamp>().ok()?.to_zoned(zone);
    let (english, german) = MONTHS[usize::try_from(local.month()).ok()? - 1];
    let month = language.say(english, german);
    let (day, dot) = (i64::from(local.day()), language.say("", "."));
    // What opens or closes does so on the minute.
    let second = Some(local.second()).filter(|second| *second != 0).map(|second| format!(":{second:02}"));
    let clock = format!("{:02}:{:02}", local.hour(), local.minute());
    Some(html!(
        "<time datetime=\"" (exact) "\">" (day) (dot) " " (month) " " (i64::from(local.year())) ", " (clock) (second) " (" (name) ")</time>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(language: Language, instant: &str, zone: Value) -> String {
        moment(language, &json!(instant), &zone).expect("an instant").text().to_owned()
    }

    #[test]
    fn in_the_offers_zone_and_by_its_summer_time() {
        let vienna = json!("Europe/Vienna");
        assert_eq!(
            told(Language::English, "2026-01-05T08:00:00.123456Z", vienna.clone()),
            "<time datetime=\"2026-01-05T08:00:00.123456Z\">5 January 2026, 09:00 (Europe/Vienna)</time>"
        );
        assert!(
            told(Language::German, "2026-07-05T22:30:09Z", vienna).contains(">6. Juli 2026, 00:30:09 (Europe/Vienna)<")
        );
    }

    #[test]
    fn without_a_zone_in_utc_and_without_an_instant_nothing() {
        assert!(
            told(Language::English, "2026-12-31T23:59:59Z", Value::Null).contains(">31 December 2026, 23:59:59 (UTC)<")
        );
        assert!(told(Language::English, "2026-12-31T23:59:59Z", json!("Etc/Unknown")).contains("(UTC)"));
        for none in [Value::Null, json!(""), json!("tomorrow")] {
            assert!(moment(Language::English, &none, &Value::Null).is_none(), "{none}");
        }
    }
}
