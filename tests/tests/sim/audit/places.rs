//! Where agents sit: at or above either limit of a location nobody there is selected by the platform or wins. Reported
//! traffic counts until its time is over, which a timer says; what agents have on hand is counted anew from them.

use super::entry::{Entry, int, list, text};
use super::fold::unknown;
use super::market::Market;
use super::{Audited, must};
use serde_json::Value;

const DAY: i64 = 86_400_000_000;

#[derive(Default)]
pub struct Place {
    /// Of reported traffic, in millionths.
    limit: Option<i128>,
    sessions: Option<usize>,
    /// Traffic, and until when it counts.
    report: Option<(i128, i64)>,
    /// The call server names it: else it is never avoided.
    named: bool,
}

/// A decimal number in millionths.
fn millionths(value: &Value) -> i128 {
    let text = value.as_str().expect("a decimal is a text");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().expect("at most six decimals")
}

/// `call_server.started`: its locations, as they are now; a report stays.
pub fn started<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    market.places.values_mut().for_each(|place| place.named = false);
    for one in list(&entry.data, "locations") {
        let place = market.places.entry(text(one, "name")).or_default();
        place.limit = one.get("limit").map(millionths);
        place.sessions = one.get("session_limit").map(|_| int(one, "session_limit") as usize);
        place.named = true;
    }
    Ok(())
}

pub fn reported<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let Some(place) = market.places.get_mut(entry.text("location")).filter(|place| place.named) else {
        return unknown(entry);
    };
    let until = entry.int("valid_until");
    let right = entry.time < until && until <= entry.time + DAY;
    must!(entry, right, "location traffic", "counts until {until}");
    place.report = Some((millionths(&entry.data["traffic"]), until));
    Ok(())
}

pub fn expired<'a>(market: &mut Market<'a>, entry: &'a Entry) -> Audited {
    let place = market.places.get_mut(entry.text("location"));
    let until = place.and_then(|place| place.report.take()).map(|(_, until)| until);
    let over = entry.is_tick() && until.is_some_and(|until| until <= entry.time);
    must!(entry, over, "location traffic", "counts until {until:?}");
    Ok(())
}

/// Every report's end, by location.
pub fn ends<'a>(market: &Market<'a>) -> impl Iterator<Item = (i64, &'a str)> {
    market.places.iter().filter_map(|(name, place)| Some((place.report?.1, *name)))
}

/// Whether nobody is to be selected or awarded anything where an agent sits. `leaving`: whose reservation ends in the
/// same decision, and is still counted.
pub fn is_avoided(market: &Market<'_>, agent: &str, leaving: Option<&str>) -> bool {
    let Some(location) = market.agents.get(agent).map(|row| row.location) else { return false };
    let Some(place) = market.places.get(location).filter(|place| place.named) else { return false };
    let there = market.agents.iter().filter(|(_, row)| row.location == location);
    let on_hand: usize = there.map(|(id, row)| row.load() - usize::from(leaving == Some(*id))).sum();
    let by_report = place.limit.zip(place.report).is_some_and(|(limit, (traffic, _))| limit <= traffic);
    by_report || place.sessions.is_some_and(|limit| limit <= on_hand)
}
