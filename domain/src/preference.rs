//! The preferred agent: who served a customer last is asked before anybody else, for a while.
//!
//! It promises: where that agent could have the inquiry it is chosen, whatever the policy; where it is merely busy nobody
//! else is, until the preference is over; where it could not have it for any other reason everybody is asked, as if it
//! were not there. So holding follows from the state, and its end alone is an event. At most [`HELD_MAX`] inquiries
//! prefer one agent at once: what one agent's leaving sets free fits one decision.
//!
//! Deliberately not here: who served last (the edge looks it up, the acceptance carries it), the choice itself
//! (`routing`). Money, locations and standing values are asked when the agent is free, not while it is busy.
//! Why it is so: `docs/adr/0050-preferred-agent.md`.

use crate::agent::suits;
use crate::event::Event;
use crate::event::inquiry::InquiryPreferenceEnded;
use crate::ids::{AgentId, InquiryId};
use crate::state::{Agent, Inquiry, Preferred, Preferring, State, Timer};
use crate::terms::OfferTerms;
use crate::time::{Span, Timestamp};

/// Inquiries that prefer one agent: whoever comes after them is anybody's.
pub const HELD_MAX: usize = 10;

/// How long an inquiry that comes now prefers its customer's last agent; absent: it does not.
pub(crate) fn lasts(state: &State, terms: &OfferTerms, last: Option<AgentId>) -> Option<Span> {
    let agent = last.filter(|_| !terms.prefer_last_agent_for.is_zero())?;
    state.agents.get(agent)?;
    (of(state, agent).count() < HELD_MAX).then_some(terms.prefer_last_agent_for)
}

/// Those that prefer an agent, in their order.
pub(crate) fn of(state: &State, agent: AgentId) -> impl Iterator<Item = Preferring> + '_ {
    let from = (agent, Timestamp(i64::MIN), InquiryId(0));
    state.preferring.range(from..).copied().take_while(move |(one, ..)| *one == agent)
}

/// Whether an inquiry waits for the agent that it prefers: that one would have it, were it not busy. `ended`: so many of
/// what it is busy with end in the same decision.
pub(crate) fn holds(inquiry: &Inquiry, id: AgentId, agent: &Agent, ended: u32) -> bool {
    if inquiry.preferred.is_none_or(|preferred| preferred.agent != id) {
        return false;
    }
    let mut applicant = agent.applicant(id);
    applicant.load -= ended;
    let busy = agent.is_divided() || applicant.load >= applicant.capacity;
    // As if it had nothing to do.
    applicant.load = 0;
    applicant.available = agent.wants_work();
    busy && suits(applicant, inquiry.demand()).is_ok()
}

/// It has waited long enough.
pub(crate) fn end(state: &State, id: InquiryId) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("a timer goes with its inquiry");
    let preferred = inquiry.preferred.expect("a timer goes with its preference");
    vec![InquiryPreferenceEnded { agent: preferred.agent, inquiry: id }.into()]
}

/// From the answer to the request for user information on. It counts from when somebody can first be selected.
pub(crate) fn begin(state: &mut State, id: InquiryId, agent: AgentId, lasts: Span, at: Timestamp) {
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    let (place, has_begun) = (row.stands_at, row.begins_at.is_none());
    state.add_preferring((agent, place, id));
    state.inquiries.change(&mut state.journal, id, |row| row.preferred = Some(Preferred { agent, lasts, until: None }));
    if has_begun {
        count_from(state, id, at);
    }
}

/// Somebody can be selected from now on.
pub(crate) fn count_from(state: &mut State, id: InquiryId, at: Timestamp) {
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    let Some(preferred) = row.preferred else { return };
    let until = at + preferred.lasts;
    state.set_timer(until, Timer::PreferenceEnds(id));
    let preferred = Preferred { until: Some(until), ..preferred };
    state.inquiries.change(&mut state.journal, id, |row| row.preferred = Some(preferred));
}

/// It prefers nobody any more: it has waited long enough, an agent has it, its customer has left.
pub(crate) fn forget(state: &mut State, id: InquiryId) {
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    let Some(preferred) = row.preferred else { return };
    drop_marks(state, id, preferred, row.stands_at);
    state.inquiries.change(&mut state.journal, id, |row| row.preferred = None);
}

/// What stands beside an inquiry that goes.
pub(crate) fn drop_marks(state: &mut State, id: InquiryId, preferred: Preferred, stands_at: Timestamp) {
    if let Some(until) = preferred.until {
        state.clear_timer(until, Timer::PreferenceEnds(id));
    }
    state.remove_preferring((preferred.agent, stands_at, id));
}
