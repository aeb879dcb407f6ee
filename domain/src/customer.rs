//! Erasing a customer: `community` says so, and each call server ends what of it is open there, then who keeps away
//! from it.
//!
//! One inquiry with each decision: an auction's end alone may be a thousand events, and a queue must see each
//! leave before the next. From the first decision on nobody gets any of them (`ends_soon`): no selection, claim, bid,
//! award, consent or invitation, and no agent is blamed for what it is asked about them.
//!
//! Not here: the key that is deleted, and who is a customer at all (the edge knows both), and what agents still have
//! to wrap up: that is their work and their money.

use crate::auction::ROUNDS_PAUSE;
use crate::block;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::SourcePosition;
use crate::event::customer::{CustomerErased, CustomerEvent, CustomerForgotten};
use crate::ids::{CustomerId, InquiryId};
use crate::inquiry;
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::state::{Erased, Inquiry, InquiryState, State, Timer};

type Decided = Result<Vec<Event>, Refusal>;

/// Asked for again it is recorded again.
pub fn erase(customer: CustomerId, reason: &Option<Sealed>) -> Decided {
    Ok(vec![CustomerErased { customer, reason: reason.clone() }.into()])
}

/// Taken over from `community`. A repeat changes nothing, nor does a customer of whom nothing is open here and from whom
/// nobody keeps away: nothing more comes of it.
pub fn forget(state: &State, customer: CustomerId, source: &SourcePosition, ctx: &Ctx) -> Decided {
    let is_known = next_of(state, customer).is_some() || block::is_blocked(state, customer);
    if state.has_source(source)? || !is_known {
        return Ok(vec![]);
    }
    Ok(end_next(state, customer, Some(source), ctx))
}

/// The next inquiry of a customer who is being forgotten.
pub fn go_on(state: &State, customer: CustomerId, ctx: &Ctx) -> Vec<Event> {
    end_next(state, customer, None, ctx)
}

fn end_next(state: &State, customer: CustomerId, source: Option<&SourcePosition>, ctx: &Ctx) -> Vec<Event> {
    let next = next_of(state, customer);
    let until = next.filter(|(_, more)| *more).map(|_| ctx.now + ROUNDS_PAUSE);
    let mut events = vec![CustomerForgotten { customer, source: source.cloned(), until }.into()];
    if let Some((id, _)) = next {
        events.extend(inquiry::forget(state, id, ctx));
    }
    events
}

/// Of its open inquiries the first one accepted, and whether there are more.
fn next_of(state: &State, customer: CustomerId) -> Option<(InquiryId, bool)> {
    let mut open = Vec::new();
    state.inquiries.any_keyed(|id, row| {
        if row.customer == customer && is_open(row) {
            open.push((row.accepted_at, id));
        }
        false
    });
    let (_, first) = open.iter().min().copied()?;
    Some((first, open.len() > 1))
}

/// Whether there is something to end: in its wrap-up an inquiry is its agent's.
fn is_open(inquiry: &Inquiry) -> bool {
    match inquiry.state {
        InquiryState::Queued
        | InquiryState::InAuction
        | InquiryState::Reserved
        | InquiryState::Engaged
        | InquiryState::Withdrawn => true,
        InquiryState::WrapUp => false,
    }
}

pub fn apply(state: &mut State, event: &CustomerEvent) {
    match event {
        CustomerEvent::Erased(e) => {
            if state.erased.get(e.customer).is_none() {
                state.erased.put(&mut state.journal, e.customer, Erased { goes_on: None });
            }
            block::take_off(state, e.customer);
        }
        CustomerEvent::Forgotten(e) => {
            if let Some(source) = &e.source {
                state.note_source(source);
            }
            let before = state.erased.remove(&mut state.journal, e.customer);
            if let Some(due) = before.and_then(|row| row.goes_on) {
                state.clear_timer(due, Timer::ForgetsOn(e.customer));
            }
            if let Some(until) = e.until {
                state.set_timer(until, Timer::ForgetsOn(e.customer));
                state.erased.put(&mut state.journal, e.customer, Erased { goes_on: Some(until) });
                end_soon(state, e.customer);
            } else {
                // Until nothing of it is left they are kept apart.
                block::forget(state, e.customer);
            }
        }
    }
}

/// What of it is open, and every auction over that, is to end.
fn end_soon(state: &mut State, customer: CustomerId) {
    let mut open = Vec::new();
    state.inquiries.any_keyed(|id, row| {
        if row.customer == customer && is_open(row) && !row.ends_soon {
            open.push((id, row.auction()));
        }
        false
    });
    for (id, auction) in open {
        state.inquiries.change(&mut state.journal, id, |row| row.ends_soon = true);
        if let Some(auction) = auction {
            state.auctions.change(&mut state.journal, auction, |row| row.ends_soon = true);
        }
    }
}
