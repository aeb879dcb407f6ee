//! Where agents sit, and how much goes on there: traffic that is reported, for a while, and what is counted by
//! ourselves, open sessions and pending reservations.
//!
//! It promises that at or above either of its limits a location is avoided: nobody there is selected by the platform or
//! awarded an auction, until a report says less, or expires, a limit is raised, or somebody there has done its work. A
//! location without limits, or that its call server does not name, is never avoided; a limit of traffic says nothing
//! while there is no report.
//!
//! Deliberately not here: what is avoided by whom. Selections, awards and rounds ask; claims, ordinary bids and
//! invitations by name do not, since there an agent or its colleague has chosen (docs/adr/0031-location-traffic.md).

use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::{CallServerTrafficExpired, CallServerTrafficReported, Location};
use crate::ids::AgentId;
use crate::refusal::Refusal;
use crate::state::{State, Timer};
use crate::time::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A report counts for this long at most: whoever says nothing for a day knows nothing.
pub const VALID_FOR_MAX: Span = Span::days(1);

/// What goes on at one location, whether its call server names it or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// In order of first appearance: what a timer calls it.
    pub number: u32,
    /// Open sessions and pending reservations of its agents.
    pub load: u32,
    /// The last report, until it expires.
    pub report: Option<Report>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub traffic: Decimal,
    pub valid_until: Timestamp,
}

/// Whether either limit is reached.
pub fn is_at_limit(location: &Location, traffic: Option<Decimal>, sessions: u32) -> bool {
    let by_report = location.limit.zip(traffic).is_some_and(|(limit, traffic)| limit <= traffic);
    by_report || location.session_limit.is_some_and(|limit| limit <= sessions)
}

/// The locations that are avoided now. `leaving`: whose reservation ends in the same decision, and is still counted.
pub(crate) fn avoided(state: &State, leaving: Option<AgentId>) -> Vec<&str> {
    let left = leaving.and_then(|agent| state.agents.get(agent)).map(|row| &row.location);
    let is_avoided = |location: &&Location| {
        let site = state.sites.get(location.name.as_str());
        let gone = u32::from(left.is_some_and(|name| **name == *location.name));
        let load = site.map_or(0, |site| site.load.saturating_sub(gone));
        is_at_limit(location, site.and_then(|site| site.report).map(|report| report.traffic), load)
    };
    state.scalars.locations.iter().filter(is_avoided).map(|location| location.name.as_str()).collect()
}

/// The agents of those locations that were avoided and are not any more, in order of registration.
pub(crate) fn relieved(state: &State, before: &[String]) -> Vec<AgentId> {
    if before.is_empty() {
        return Vec::new();
    }
    let now = avoided(state, None);
    let free: Vec<&String> = before.iter().filter(|name| !now.contains(&name.as_str())).collect();
    if free.is_empty() {
        return Vec::new();
    }
    let sits_there = |id: &&AgentId| {
        let row = state.agents.get(**id).expect("the roster names who is registered");
        free.iter().any(|name| **name == *row.location)
    };
    state.roster.iter().filter(sits_there).copied().collect()
}

/// By whoever measures it, for a location that the call server names.
pub fn report(
    state: &State,
    location: &str,
    traffic: Decimal,
    valid_for: Span,
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    let named = state.scalars.locations.iter().any(|known| known.name == location);
    let call_server = state.scalars.call_server.filter(|_| named).ok_or(Refusal::NotFound { field: "location" })?;
    if traffic.is_sign_negative() && !traffic.is_zero() {
        return Err(Refusal::invalid(&["traffic"], "zero or more"));
    }
    check::magnitude(&["traffic"], traffic)?;
    if valid_for <= Span::ZERO || valid_for > VALID_FOR_MAX {
        return Err(Refusal::invalid(&["validFor"], "more than zero, at most P1D"));
    }

    // After this point it counts.
    let location = location.to_owned();
    Ok(vec![CallServerTrafficReported { call_server, location, traffic, valid_until: ctx.now + valid_for }.into()])
}

/// The report of a location is too old to count.
pub(crate) fn expire(state: &State, number: u32) -> Vec<Event> {
    let found = state.sites.iter().find(|(_, site)| site.number == number);
    let (name, _) = found.expect("a timer goes with its location");
    let call_server = state.scalars.call_server.expect("who has a report has been started");
    vec![CallServerTrafficExpired { call_server, location: name.to_string() }.into()]
}

pub(crate) fn apply_report(state: &mut State, name: &str, report: Option<Report>) {
    let mut site = site(state, name);
    if let Some(old) = site.report {
        state.clear_timer(old.valid_until, Timer::TrafficExpires(site.number));
    }
    if let Some(new) = report {
        state.set_timer(new.valid_until, Timer::TrafficExpires(site.number));
    }
    site.report = report;
    state.put_site(name.into(), site);
}

fn site(state: &State, name: &str) -> Site {
    let new = || Site { number: state.sites.len() as u32 + 1, ..Site::default() };
    state.sites.get(name).cloned().unwrap_or_else(new)
}

/// What an agent does counts where it sits.
pub(crate) fn count(state: &mut State, name: &Arc<str>, was: u32, is: u32) {
    if was != is {
        let mut site = site(state, name);
        site.load = site.load + is - was;
        state.put_site(name.clone(), site);
    }
}
