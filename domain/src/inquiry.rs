//! Inquiries: one acceptance and its life. `Queued → InAuction | Reserved → Engaged → WrapUp → Completed`,
//! or `Withdrawn`, `Expired`. A customer that leaves may come back to its place for a while. Registered whether or not
//! an agent is available; consumed exactly once.
//! `max_wait` runs only while the inquiry merely waits.

use crate::actor::Actor;
use crate::auction;
use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::{OfferAccepted, SourcePosition};
use crate::event::inquiry::*;
use crate::event::reservation::{RescindReason, ReservationRescinded};
use crate::event::session::Author;
use crate::event::wallet::Party;
use crate::ids::{InquiryId, QueueId};
use crate::preference;
use crate::queue;
use crate::refusal::Refusal;
use crate::routing;
use crate::sealed::Sealed;
use crate::session;
use crate::state::{AuctionPhase, Inquiry, InquiryState, ReservationPhase, State, Timer};
use crate::terms::{Allocation, AuctionRules, Initiator, OfferTerms};
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use crate::waiting::Place;
use std::sync::Arc;

/// How long a customer that leaves may come back to its place.
pub const PLACE_KEPT: Span = Span::seconds(15 * 60);
/// How often it may: each return may open a round, and an inquiry keeps all of its rounds.
pub const COMEBACKS_MAX: u32 = 10;

/// Takes an acceptance over from `community`: into every queue that fits, the customer's information
/// asked for and answered, and the auction opened. A repeat changes nothing.
pub fn register(
    state: &State,
    acceptance: &OfferAccepted,
    accepted_at: Timestamp,
    source: &SourcePosition,
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    let inquiry = acceptance.inquiry;
    let customer = acceptance.customer;
    let mut events = Vec::new();
    let queues = queue::enter(state, &acceptance.topics, acceptance.link, inquiry, ctx, &mut events);

    let of_queues = queues.iter().flat_map(|(_, skills)| skills.iter().cloned());
    let desired = queue::desired_skills(&acceptance.terms, &acceptance.topics, of_queues);
    let terms = acceptance.terms.clone();
    let queues: Vec<QueueId> = queues.into_iter().map(|(id, _)| id).collect();
    let stands_at = queue::place(state, &terms, &queues, accepted_at);
    // Whom the contact centre turns to is not kept waiting by hours for those who come.
    let comes = acceptance.initiator != Initiator::ContactCenter;
    let begins_at = terms.hours.as_ref().filter(|_| comes).and_then(|hours| hours.next_opening(ctx.now));
    let rules = rules_of(&terms).filter(|_| begins_at.is_none()).cloned();
    events.push(
        InquiryRegistered {
            accepted_at,
            begins_at,
            channel: acceptance.channel,
            classified: acceptance.classified.clone(),
            content: acceptance.content.clone(),
            customer,
            desired_skills: desired,
            initiator: acceptance.initiator,
            inquiry,
            language: acceptance.language.clone(),
            link: acceptance.link,
            offer: acceptance.offer,
            provider: acceptance.provider,
            question: acceptance.question.clone(),
            queues,
            revision: acceptance.revision,
            source: source.clone(),
            stands_at: Some(stands_at).filter(|at| *at != accepted_at),
            started_by: acceptance.started_by,
            terms,
            topics: acceptance.topics.clone(),
        }
        .into(),
    );
    // The customer database was asked with the acceptance, which waited for its answer as long as anybody does: what is
    // known came with it, sealed.
    events.push(InformationRequested { customer, inquiry }.into());
    let outcome = match (acceptance.information_unavailable, acceptance.customer_is_new) {
        (true, _) => InformationOutcome::Unavailable,
        (false, true) => InformationOutcome::New,
        (false, false) => InformationOutcome::Found,
    };
    let last_agent = acceptance.last_agent;
    let preferred_for = preference::lasts(state, &acceptance.terms, last_agent);
    let profile = acceptance.profile.clone();
    events.push(InformationAnswered { customer, inquiry, last_agent, outcome, preferred_for, profile }.into());
    if let Some(rules) = rules {
        events.push(auction::open(inquiry, rules, 1, ctx));
    }
    Ok(events)
}

fn rules_of(terms: &OfferTerms) -> Option<&AuctionRules> {
    match &terms.allocation {
        Allocation::Auction(rules) => Some(rules),
        Allocation::Claim { .. } | Allocation::Routed { .. } => None,
    }
}

/// The offer's hours have begun. Where they are over again, since the platform was down for as long as they lasted, nobody
/// is harmed by it: it begins with the next ones.
pub fn begin(state: &State, id: InquiryId, ctx: &Ctx) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("a timer goes with its inquiry");
    if let Some(begins_at) = inquiry.terms.hours.as_ref().and_then(|hours| hours.next_opening(ctx.now)) {
        return vec![InquiryPutOff { begins_at, inquiry: id }.into()];
    }
    let mut events = vec![InquiryBegan { expires_at: ctx.now + inquiry.wait_left, inquiry: id }.into()];
    events.extend(rules_of(&inquiry.terms).map(|rules| auction::open(id, rules.clone(), 1, ctx)));
    events
}

/// It has waited so long that the next ring of its offer's relaxation begins.
pub fn relax(state: &State, id: InquiryId) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("a timer goes with its inquiry");
    let ring = inquiry.rings + 1;
    let desired_skills = queue::desired_after(state, inquiry, &inquiry.queues, ring);
    vec![InquiryRelaxed { desired_skills, inquiry: id, ring }.into()]
}

/// By its customer, or an operator; until an agent has consented.
pub fn withdraw(state: &State, id: InquiryId, reason: &Option<Sealed>, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let own = |inquiry: &&Inquiry| match &ctx.actor {
        Actor::Customer(customer) => *customer == inquiry.customer,
        actor => matches!(actor, Actor::Operator(_)),
    };
    let inquiry = state.inquiries.get(id).filter(own).ok_or(Refusal::NotFound { field: "inquiryId" })?;
    match inquiry.state {
        InquiryState::Queued | InquiryState::InAuction | InquiryState::Reserved => {}
        InquiryState::Engaged | InquiryState::WrapUp => {
            return Err(Refusal::NotAllowedNow { message: "An agent has consented; end the session instead." });
        }
        InquiryState::Withdrawn => return Err(Refusal::InquiryClosed),
    }
    // What has not begun is waited for nowhere yet.
    let has_begun = inquiry.begins_at.is_none();
    let returns = matches!(ctx.actor, Actor::Customer(_)) && has_begun && inquiry.comebacks < COMEBACKS_MAX;
    let place_kept_until = returns.then_some(ctx.now + PLACE_KEPT);

    // After this point the inquiry is gone.
    Ok(withdrawn(state, id, inquiry, place_kept_until, reason))
}

/// Nobody waits any more: whoever is asked or bids is told, and it leaves its queues.
fn withdrawn(
    state: &State,
    id: InquiryId,
    inquiry: &Inquiry,
    place_kept_until: Option<Timestamp>,
    reason: &Option<Sealed>,
) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(reservation) = pending(state, inquiry) {
        events.push(
            ReservationRescinded {
                agent: reservation.1,
                inquiry: id,
                reason: RescindReason::InquiryGone,
                reservation: reservation.0,
            }
            .into(),
        );
    }
    if let Some(auction) = inquiry.auction() {
        auction::cancel(state, auction, &mut events);
    }
    // A kept place is one of the offer's open inquiries.
    let freed = if place_kept_until.is_none() { freed(state, inquiry) } else { None };
    events.push(InquiryWithdrawn { freed, inquiry: id, place_kept_until, reason: reason.clone() }.into());
    // A kept place keeps its queues.
    if place_kept_until.is_none() {
        queue::leave(state, &inquiry.queues, id, &mut events);
    }
    events
}

/// Its customer is erased: what waits is withdrawn for good, a kept place is lost, a session ends.
pub(crate) fn forget(state: &State, id: InquiryId, ctx: &Ctx) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("who is forgotten has it open");
    match inquiry.state {
        InquiryState::Queued | InquiryState::InAuction | InquiryState::Reserved => {
            withdrawn(state, id, inquiry, None, &None)
        }
        InquiryState::Withdrawn => place_lost(state, id, inquiry),
        InquiryState::Engaged => {
            let session = inquiry.session.expect("an engaged inquiry has a session");
            let row = state.sessions.get(session).expect("an open session is not forgotten");
            session::ended(state, session, row, Author::System, ctx)
        }
        InquiryState::WrapUp => Vec::new(),
    }
}

/// By its customer, to the old place: what was sought for it before it left is sought anew.
pub fn resume(state: &State, id: InquiryId, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    let own = |inquiry: &&Inquiry| ctx.actor == Actor::Customer(inquiry.customer);
    let inquiry = state.inquiries.get(id).filter(own).ok_or(Refusal::NotFound { field: "inquiryId" })?;
    match inquiry.state {
        InquiryState::Withdrawn => {}
        InquiryState::Queued
        | InquiryState::InAuction
        | InquiryState::Reserved
        | InquiryState::Engaged
        | InquiryState::WrapUp => {
            return Err(Refusal::NotAllowedNow { message: "The inquiry is not withdrawn." });
        }
    }
    if inquiry.ends_soon || inquiry.place_kept_until.is_none_or(|until| until <= ctx.now) {
        return Err(Refusal::PlaceLost);
    }

    // After this point it waits again. A round is opened whatever `rounds` says: that bounds what opens by itself.
    let mut events = vec![InquiryResumed { expires_at: ctx.now + inquiry.wait_left, inquiry: id }.into()];
    match &inquiry.terms.allocation {
        Allocation::Auction(rules) => {
            events.push(auction::open(id, rules.clone(), inquiry.auctions.len() as u32 + 1, ctx));
        }
        Allocation::Claim { .. } | Allocation::Routed { .. } => {}
    }
    Ok(events)
}

/// Nobody came back. `late`: the platform was down at that instant, so the customer could not.
pub fn lose_place(state: &State, id: InquiryId, late: bool, ctx: &Ctx) -> Vec<Event> {
    if late {
        return vec![InquiryPlaceKept { inquiry: id, until: ctx.now + PLACE_KEPT }.into()];
    }
    place_lost(state, id, state.inquiries.get(id).expect("a timer goes with its inquiry"))
}

fn place_lost(state: &State, id: InquiryId, inquiry: &Inquiry) -> Vec<Event> {
    let mut events = vec![InquiryPlaceLost { freed: freed(state, inquiry), inquiry: id }.into()];
    queue::leave(state, &inquiry.queues, id, &mut events);
    events
}

fn pending(state: &State, inquiry: &Inquiry) -> Option<(crate::ids::ReservationId, crate::ids::AgentId)> {
    let id = inquiry.reservation()?;
    let row = state.reservations.get(id)?;
    (row.phase == ReservationPhase::Pending).then_some((id, row.agent))
}

/// `max_wait` is over.
pub fn expire(state: &State, id: InquiryId) -> Vec<Event> {
    let inquiry = state.inquiries.get(id).expect("a timer goes with its inquiry");
    let mut events = vec![InquiryExpired { freed: freed(state, inquiry), inquiry: id }.into()];
    queue::leave(state, &inquiry.queues, id, &mut events);
    events
}

/// What `community` is to be told of the end of an inquiry whose offer has limits.
pub(crate) fn freed(state: &State, inquiry: &Inquiry) -> Option<Freed> {
    if !inquiry.terms.is_limited() {
        return None;
    }
    let settlement = inquiry.settlement.and_then(|id| state.settlements.get(id));
    let by_provider = settlement.filter(|row| matches!(row.payer, Party::Provider(_)));
    Some(Freed { offer: inquiry.offer, spent: by_provider.map(|row| row.price) })
}

/// The event that puts an inquiry back into its old place, with the wait that it had left.
pub(crate) fn requeue(inquiry: &Inquiry, id: InquiryId, ctx: &Ctx) -> Event {
    InquiryRequeued { expires_at: ctx.now + inquiry.wait_left, inquiry: id }.into()
}

/// By the agent who has it, from consent until its wrap-up ends. Topics stand in clear, so they are known ones.
pub fn confirm_topics(
    state: &State,
    id: InquiryId,
    topics: &[Topic],
    known: &[Topic],
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    let inquiry = state.inquiries.get(id).ok_or(Refusal::NotFound { field: "inquiryId" })?;
    let session = inquiry.session.and_then(|session| state.sessions.get(session));
    let Actor::Agent(agent) = ctx.actor else { return Err(Refusal::Forbidden) };
    if session.is_none_or(|session| session.agent != agent) {
        return Err(Refusal::NotAllowedNow { message: "The agent who has the inquiry says what it is about." });
    }
    check::list(&["topics"], topics)?;
    if topics.is_empty() {
        return Err(Refusal::invalid(&["topics"], "at least one"));
    }
    if let Some(at) = (0..topics.len()).find(|at| topics[..*at].contains(&topics[*at])) {
        return Err(Refusal::invalid_at(&["topics"], at, &[], "each subject matter once"));
    }
    if let Some(at) = topics.iter().position(|topic| !known.contains(topic)) {
        return Err(Refusal::invalid_at(&["topics"], at, &[], "not a known subject matter"));
    }
    // After this point it is said.
    Ok(vec![TopicsConfirmed { agent, inquiry: id, topics: topics.to_vec() }.into()])
}

pub fn apply(state: &mut State, event: &InquiryEvent, at: Timestamp) {
    match event {
        InquiryEvent::Registered(e) => {
            state.note_source(&e.source);
            let queues: Arc<[QueueId]> = e.queues.clone().into();
            queue::count(state, &queues, true);
            let row = Inquiry {
                state: InquiryState::Queued,
                offer: e.offer,
                provider: e.provider,
                customer: e.customer,
                unpaid: e.started_by.filter(|_| e.terms.allocation.is_paid_by_provider()),
                terms: state.shared.terms(e.offer, &e.terms),
                desired_skills: state.shared.skills(e.offer, &e.desired_skills),
                topics: e.topics.as_slice().into(),
                rings: 0,
                queues,
                channel: e.channel,
                accepted_at: e.accepted_at,
                stands_at: e.place(),
                begins_at: e.begins_at,
                wait_left: e.terms.max_wait,
                waiting_since: e.begins_at.is_none().then_some(at),
                auctions: Arc::new([]),
                reservations: Arc::new([]),
                chain_from: 0,
                selects_at: None,
                preferred: None,
                place_kept_until: None,
                comebacks: 0,
                ends_soon: state.erased.get(e.customer).is_some(),
                session: None,
                settlement: None,
            };
            match e.begins_at {
                Some(begins_at) => state.set_timer(begins_at, Timer::InquiryBegins(e.inquiry)),
                None => state.set_timer(at + row.wait_left, Timer::InquiryExpires(e.inquiry)),
            }
            state.inquiries.put(&mut state.journal, e.inquiry, row);
            await_ring(state, e.inquiry);
            add_unassigned(state, e.inquiry);
        }
        InquiryEvent::Began(e) => {
            let row = state.inquiries.get(e.inquiry).expect("an inquiry is registered first");
            if let Some(due) = row.begins_at {
                state.clear_timer(due, Timer::InquiryBegins(e.inquiry));
            }
            state.set_timer(e.expires_at, Timer::InquiryExpires(e.inquiry));
            state.inquiries.change(&mut state.journal, e.inquiry, |row| {
                row.begins_at = None;
                row.waiting_since = Some(at);
            });
            preference::count_from(state, e.inquiry, at);
            await_ring(state, e.inquiry);
            add_unassigned(state, e.inquiry);
        }
        InquiryEvent::PutOff(e) => {
            let row = state.inquiries.get(e.inquiry).expect("an inquiry is registered first");
            if let Some(due) = row.begins_at {
                state.clear_timer(due, Timer::InquiryBegins(e.inquiry));
            }
            state.set_timer(e.begins_at, Timer::InquiryBegins(e.inquiry));
            state.inquiries.change(&mut state.journal, e.inquiry, |row| row.begins_at = Some(e.begins_at));
        }
        InquiryEvent::InformationRequested(_) | InquiryEvent::TopicsConfirmed(_) => {}
        InquiryEvent::InformationAnswered(e) => {
            if let Some((agent, lasts)) = e.last_agent.zip(e.preferred_for) {
                preference::begin(state, e.inquiry, agent, lasts, at);
            }
        }
        // Who is chosen is asked, or has the session, from the next event on.
        InquiryEvent::SelectionMade(e) => {
            if e.agent.is_none() {
                select_again(state, e.inquiry, at);
            }
        }
        InquiryEvent::Requeued(e) => {
            wait_again(state, e.inquiry, e.expires_at, at);
            select_again(state, e.inquiry, at);
            let row = state.inquiries.get(e.inquiry).expect("just changed");
            if matches!(row.terms.allocation, Allocation::Routed { .. }) {
                state.add_unassigned(Place::of(e.inquiry, row));
                return;
            }
            if let Allocation::Auction(rules) = &row.terms.allocation
                && (row.auctions.len() as u32) < rules.rounds
            {
                state.add_waiting(Place::of(e.inquiry, row));
            }
        }
        InquiryEvent::PreferenceEnded(e) => preference::forget(state, e.inquiry),
        InquiryEvent::Moved(e) => move_to(state, e),
        InquiryEvent::Relaxed(e) => {
            forget_ring(state, e.inquiry);
            desire(state, e.inquiry, &e.desired_skills, |row| row.rings = e.ring);
            await_ring(state, e.inquiry);
        }
        InquiryEvent::Withdrawn(InquiryWithdrawn { place_kept_until: None, inquiry, .. }) => {
            drop_inquiry(state, *inquiry, true);
        }
        InquiryEvent::Withdrawn(InquiryWithdrawn { place_kept_until: Some(until), inquiry, .. }) => {
            stop_waiting(state, *inquiry, InquiryState::Withdrawn, at);
            keep_place(state, *inquiry, Some(*until));
        }
        InquiryEvent::PlaceKept(e) => keep_place(state, e.inquiry, Some(e.until)),
        InquiryEvent::PlaceLost(e) => drop_inquiry(state, e.inquiry, true),
        InquiryEvent::Resumed(e) => {
            keep_place(state, e.inquiry, None);
            state.inquiries.change(&mut state.journal, e.inquiry, |row| row.comebacks += 1);
            wait_again(state, e.inquiry, e.expires_at, at);
            add_unassigned(state, e.inquiry);
        }
        InquiryEvent::Expired(e) => drop_inquiry(state, e.inquiry, true),
        InquiryEvent::Completed(e) => drop_inquiry(state, e.inquiry, false),
    }
}

/// Routed, and begun: somebody is looked for.
fn add_unassigned(state: &mut State, id: InquiryId) {
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    if matches!(row.terms.allocation, Allocation::Routed { .. }) && row.begins_at.is_none() {
        state.add_unassigned(Place::of(id, row));
    }
}

/// It stands in another queue, and may be another's to have.
fn move_to(state: &mut State, e: &InquiryMoved) {
    queue::count(state, &[e.from], false);
    if !e.already {
        queue::count(state, &[e.into], true);
    }
    desire(state, e.inquiry, &e.desired_skills, |row| {
        let others = row.queues.iter().filter(|id| **id != e.from && **id != e.into).copied();
        row.queues = others.chain([e.into]).collect();
    });
}

/// Where it waits for somebody, it waits by what is desired now.
fn desire(state: &mut State, id: InquiryId, desired_skills: &[Skill], change: impl FnOnce(&mut Inquiry)) {
    let (waiting, unassigned) = (state.waiting.contains(id), state.unassigned.contains(id));
    state.remove_waiting(id);
    state.remove_unassigned(id);
    let offer = state.inquiries.get(id).expect("an inquiry is registered first").offer;
    let desired_skills = state.shared.skills(offer, desired_skills);
    state.inquiries.change(&mut state.journal, id, |row| {
        row.desired_skills = desired_skills;
        change(row);
    });
    let place = Place::of(id, state.inquiries.get(id).expect("just changed"));
    if waiting {
        state.add_waiting(place);
    } else if unassigned {
        state.add_unassigned(place);
    }
}

/// While it waits, its next ring of relaxation is due some time.
fn await_ring(state: &mut State, id: InquiryId) {
    if let Some(due) = state.inquiries.get(id).and_then(Inquiry::relaxes_at) {
        state.set_timer(due, Timer::Relaxes(id));
    }
}

fn forget_ring(state: &mut State, id: InquiryId) {
    if let Some(due) = state.inquiries.get(id).and_then(Inquiry::relaxes_at) {
        state.clear_timer(due, Timer::Relaxes(id));
    }
}

/// Back in its place, with nobody asked: a chain of its own begins.
fn wait_again(state: &mut State, id: InquiryId, expires_at: Timestamp, at: Timestamp) {
    state.set_timer(expires_at, Timer::InquiryExpires(id));
    state.inquiries.change(&mut state.journal, id, |row| {
        row.state = InquiryState::Queued;
        row.waiting_since = Some(at);
        row.chain_from = row.reservations.len() as u32;
    });
    await_ring(state, id);
}

/// Until when a withdrawn inquiry may come back. Absent: it is back.
fn keep_place(state: &mut State, id: InquiryId, until: Option<Timestamp>) {
    let old = state.inquiries.get(id).and_then(|row| row.place_kept_until);
    if let Some(old) = old {
        state.clear_timer(old, Timer::PlaceIsLost(id));
    }
    if let Some(until) = until {
        state.set_timer(until, Timer::PlaceIsLost(id));
    }
    state.inquiries.change(&mut state.journal, id, |row| row.place_kept_until = until);
}

/// Nobody could be selected: tried again when the first refusal is long enough ago.
fn select_again(state: &mut State, id: InquiryId, at: Timestamp) {
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    let (old, due) = (row.selects_at, routing::cooled_off_at(state, row, at));
    if let Some(old) = old {
        state.clear_timer(old, Timer::SelectsAgain(id));
    }
    if let Some(due) = due {
        state.set_timer(due, Timer::SelectsAgain(id));
    }
    if old != due {
        state.inquiries.change(&mut state.journal, id, |row| row.selects_at = due);
    }
}

/// The wait stops: an auction opens, a reservation is pending, or a session opens.
pub(crate) fn stop_waiting(state: &mut State, id: InquiryId, next: InquiryState, at: Timestamp) {
    forget_ring(state, id);
    match next {
        // Coming back does not renew it.
        InquiryState::Engaged | InquiryState::Withdrawn => preference::forget(state, id),
        InquiryState::Queued | InquiryState::InAuction | InquiryState::Reserved | InquiryState::WrapUp => {}
    }
    let row = state.inquiries.get(id).expect("an inquiry is registered first");
    let row_selects_at = row.selects_at;
    if let Some(since) = row.waiting_since {
        state.clear_timer(since + row.wait_left, Timer::InquiryExpires(id));
    }
    state.remove_waiting(id);
    state.remove_unassigned(id);
    if let Some(due) = row_selects_at {
        state.clear_timer(due, Timer::SelectsAgain(id));
    }
    state.inquiries.change(&mut state.journal, id, |row| {
        row.selects_at = None;
        if let Some(since) = row.waiting_since.take() {
            row.wait_left = row.wait_left - (at - since);
        }
        row.state = next;
    });
}

/// An inquiry that is over takes everything of it along; its settlement stays until it is payable, its
/// session for a day.
fn drop_inquiry(state: &mut State, id: InquiryId, from_queues: bool) {
    let Some(row) = state.inquiries.remove(&mut state.journal, id) else { return };
    if from_queues {
        queue::count(state, &row.queues, false);
    }
    if let Some(since) = row.waiting_since {
        state.clear_timer(since + row.wait_left, Timer::InquiryExpires(id));
    }
    if let Some(due) = row.relaxes_at() {
        state.clear_timer(due, Timer::Relaxes(id));
    }
    if let Some(due) = row.begins_at {
        state.clear_timer(due, Timer::InquiryBegins(id));
    }
    state.remove_waiting(id);
    state.remove_unassigned(id);
    if let Some(preferred) = row.preferred {
        preference::drop_marks(state, id, preferred, row.stands_at);
    }
    if let Some(due) = row.selects_at {
        state.clear_timer(due, Timer::SelectsAgain(id));
    }
    if let Some(due) = row.place_kept_until {
        state.clear_timer(due, Timer::PlaceIsLost(id));
    }
    for auction_id in row.auctions.iter() {
        let auction = state.auctions.remove(&mut state.journal, *auction_id).expect("an inquiry's auctions go with it");
        debug_assert!(auction.phase != AuctionPhase::Open, "an open auction is cancelled first");
        let mut bid = auction.bidding.last_bid;
        while let Some(id) = bid {
            bid = state.drop_bid(id).expect("each bid leads to one that was recorded").before;
        }
        let mut bidder = auction.bidding.last_bidder;
        while let Some(agent) = bidder {
            let row = state.bidders.remove(&mut state.journal, (*auction_id, agent));
            bidder = row.expect("each bidder leads to one that has bid").before;
        }
    }
    for reservation in row.reservations.iter() {
        state.reservations.remove(&mut state.journal, *reservation);
    }
}
