//! Decided again: the commands that the day recorded, in the order that the log gives them, on a fresh state
//! make the same events; every refusal is one on some state between its question and its answer; and both
//! writers stand in the evening where the log stands.
//!
//! Deliberately not here: judging whether a decision is right. That is the auditor's.

use crate::day::Day;
use crate::house::{Asked, lock, log};
use crate::readers::Logs;
use domain::actor::Actor;
use domain::decide::{Ctx, apply, decide, execute, execute_due};
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::auction::AuctionEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::{RescindReason, ReservationEvent};
use domain::event::session::SessionEvent;
use domain::ids::IdSource;
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::routing;
use domain::state::State;
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Arc;
use store::recorded::{CommandId, Recorded};
use store::writer::order::{Answer, Entropy};

pub fn check(day: &Day, logs: &Logs) {
    for (name, events) in logs {
        let log = log(name);
        let state = decided_again(day, &log, events);
        let mut folded = State::default();
        for event in events {
            chosen_again(&folded, event);
            apply(&mut folded, &event.event, event.time);
        }
        folded.acknowledge();
        assert!(state == folded, "decided again: {name} comes to another state than its fold");
        for node in 0..2 {
            let same = day.house.with_writer(node, &log, |writer| *writer.state() == folded);
            assert_eq!(same, Some(true), "fold: the writer of {name} on node {node} stands elsewhere than the log");
        }
    }
}

/// The state just before a selection gives the same one again.
fn chosen_again(state: &State, event: &Recorded) {
    if let Event::Inquiry(InquiryEvent::SelectionMade(e)) = &event.event
        && e.why.rule != "claim/1"
    {
        let again = routing::why(state, e.inquiry, event.time);
        assert_eq!(again.as_ref(), Some(&e.why), "decided again: {} {} is chosen otherwise", event.log, event.seq);
    }
}

fn context(now: Timestamp, actor: Actor, entropy: &Entropy) -> Ctx {
    // As the writer takes ids from a command's randomness.
    let mut mac = Hmac::<Sha256>::new_from_slice(&entropy.0).expect("any length is a key");
    mac.update(b"ids\0\0\0\0");
    let word: [u8; 8] = mac.finalize().into_bytes()[..8].try_into().expect("eight of thirty-two bytes");
    Ctx { now, actor, ids: IdSource::new(now.0, u64::from_be_bytes(word)) }
}

fn decided_again(day: &Day, log: &LogName, events: &[Arc<Recorded>]) -> State {
    let record = lock(&day.house.record);
    let ticks: HashMap<CommandId, Entropy> =
        record.ticks.iter().map(|entropy| (entropy.command_id(), *entropy)).collect();
    let asked: Vec<&Asked> = record.asked.iter().filter(|asked| asked.log == *log).collect();
    let mut orders: HashMap<CommandId, Vec<&Asked>> = HashMap::new();
    for one in &asked {
        orders.entry(one.order.id).or_default().push(one);
    }
    let mut refused: Vec<(&Asked, &Refusal)> = asked
        .iter()
        .filter_map(|one| match &one.answer {
            Some(Answer::Refused(refusal)) if !matches!(refusal, Refusal::KeyReused { .. }) => Some((*one, refusal)),
            _ => None,
        })
        .collect();
    let mut state = State::default();
    let mut last: Option<Timestamp> = None;
    let mut length = 0;
    refused.retain(|one| !is_refused(&state, last, length, one));
    for group in events.chunk_by(|a, b| a.correlation == b.correlation) {
        let first = &group[0];
        let same = |made: &[Event]| made.iter().eq(group.iter().map(|event| &event.event));
        let made = match ticks.get(&first.correlation).filter(|_| first.source.is_none()) {
            Some(entropy) => {
                let ctx = context(first.time, Actor::System, entropy);
                let made = execute_due(&mut state, group.iter().any(|event| spares(event)), &ctx);
                made.is_some_and(|made| same(&made))
            }
            // A process manager may have sent it more than once, and only one of them came about.
            None => orders.get(&first.correlation).into_iter().flatten().any(|one| {
                let mark = state.mark();
                let ctx = context(first.time, one.order.actor.clone(), &one.order.entropy);
                let made = execute(&mut state, &one.order.command, &ctx);
                let same = made.is_ok_and(|made| same(&made.into_events()));
                if !same {
                    state.roll_back(mark);
                }
                same
            }),
        };
        assert!(made, "decided again: {log} {} makes other events than {group:?}", first.seq);
        state.acknowledge();
        length += group.len() as u64;
        last = Some(first.time);
        refused.retain(|one| !is_refused(&state, last, length, one));
    }
    let left: Vec<String> = refused.iter().map(|(one, refusal)| format!("{:?}: {refusal:?}", one.order)).collect();
    assert!(left.is_empty(), "every answer is borne out: {log} refused what it would not: {left:#?}");
    state
}

/// Whether the command is refused just so on this state. `true`: it needs no more looking at.
fn is_refused(state: &State, last: Option<Timestamp>, length: u64, (one, refusal): &(&Asked, &Refusal)) -> bool {
    if !(one.from..=one.until).contains(&length) {
        return false;
    }
    let now = last.map_or(one.entered, |last| one.entered.max(last));
    if state.next_deadline().is_some_and(|due| due <= now) {
        return false;
    }
    let ctx = context(now, one.order.actor.clone(), &one.order.entropy);
    decide(state, &one.order.command, &ctx).is_err_and(|again| again == **refusal)
}

/// The timer's own sign that the platform was late.
fn spares(event: &Recorded) -> bool {
    match &event.event {
        Event::Auction(AuctionEvent::Extended(e)) => e.bid.is_none(),
        Event::Reservation(ReservationEvent::Rescinded(e)) => e.reason == RescindReason::PlatformLate,
        Event::Agent(AgentEvent::PresenceReported(e)) => e.node.is_none(),
        Event::Session(SessionEvent::Kept(_)) | Event::Inquiry(InquiryEvent::PlaceKept(_)) => true,
        _ => false,
    }
}
