//! Topical queues: declared, born from a link or a question, merged, retired. A queue fits an inquiry when its
//! topic equals one of the inquiry's or is an ancestor of one.

use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::inquiry::InquiryMoved;
use crate::event::queue::*;
use crate::ids::{InquiryId, LinkId, QueueId, Subject};
use crate::refusal::Refusal;
use crate::state::{Inquiry, InquiryState, Queue, State, Timer};
use crate::terms::OfferTerms;
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use std::collections::BTreeMap;

/// One step of priority is worth this much waiting at most.
pub const PRIORITY_CREDIT_MAX: Span = Span::days(1);

pub fn declare(
    state: &State,
    topic: &Topic,
    priority_credit: Span,
    required_skills: &[Skill],
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    if priority_credit > PRIORITY_CREDIT_MAX {
        return Err(Refusal::invalid(&["priorityCredit"], "at most P1D"));
    }
    check::skills(&["requiredSkills"], required_skills)?;
    if let Some(open) = state.queue_topics.get(topic).and_then(|id| state.queues.get(*id)) {
        let message = match open.topic == *topic {
            true => "a queue of this topic is open".to_owned(),
            false => format!("the queue of this topic was merged into that of {}; retire that one first", open.topic),
        };
        return Err(Refusal::invalid(&["topic"], message));
    }
    Ok(vec![
        QueueOpened {
            born_from: None,
            origin: QueueOrigin::Declared,
            priority_credit,
            queue: QueueId(ctx.ids.next()),
            required_skills: required_skills.to_vec(),
            topic: topic.clone(),
        }
        .into(),
    ])
}

pub fn retire(state: &State, queue: QueueId) -> Result<Vec<Event>, Refusal> {
    let row = state.queues.get(queue).ok_or(Refusal::NotFound { field: "queueId" })?;
    if row.merged_into.is_some() {
        return Err(Refusal::NotAllowedNow {
            message: "This queue was merged; retire the one that it was merged into.",
        });
    }
    if row.depth > 0 {
        return Err(Refusal::NotAllowedNow {
            message: "Inquiries stand in this queue, or may come back to it; merge it, or wait until it is empty.",
        });
    }
    if state.queues.any_keyed(|id, row| row.moves_at.is_some() && last_of(state, id) == queue) {
        return Err(Refusal::NotAllowedNow { message: "Inquiries of a merged queue are moving here; try again." });
    }
    Ok(vec![QueueRetired { last: None, queue }.into()])
}

/// Moves of one decision at most, so that its events, and what follows from them, fit one batch. An inquiry makes one
/// for each merged queue that it stands in, and makes all of them at once.
pub const MOVED_AT_ONCE: usize = 250;
/// Letters of the skills that are named by them, for the same reason.
const SKILLS_AT_ONCE: usize = 512 * 1_024;
/// What a skill takes besides its name, in JSON.
const SKILL_MEMBERS: usize = 24;

/// Their topics are `into`'s from now on, and what stands in them moves there. Topics of what was merged into them
/// before come along.
pub fn merge(state: &State, from: &[QueueId], into: QueueId, ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    check::list(&["fromQueueIds"], from)?;
    if from.is_empty() {
        return Err(Refusal::invalid(&["fromQueueIds"], "at least one"));
    }
    let target = state.queues.get(into).ok_or(Refusal::NotFound { field: "intoQueueId" })?;
    if target.merged_into.is_some() {
        return Err(Refusal::invalid(
            &["intoQueueId"],
            "this queue was merged itself; name the one that it was merged into",
        ));
    }
    for (at, id) in from.iter().enumerate() {
        let wrong = |message: &str| Err(Refusal::invalid_at(&["fromQueueIds"], at, &[], message));
        let row = state.queues.get(*id).ok_or(Refusal::NotFound { field: "fromQueueIds" })?;
        if *id == into {
            return wrong("a queue is not merged into itself");
        }
        if from[..at].contains(id) {
            return wrong("each queue once");
        }
        if row.merged_into.is_some() {
            return wrong("this queue was merged already");
        }
    }

    // After this point they are one queue.
    let mut events: Vec<Event> = from.iter().map(|queue| QueueMerged { into, queue: *queue }.into()).collect();
    move_on(state, from, into, ctx, &mut events);
    Ok(events)
}

/// The next of those who stand in a queue that was merged.
pub fn go_on(state: &State, queue: QueueId, ctx: &Ctx) -> Vec<Event> {
    let mut events = Vec::new();
    move_on(state, &[queue], last_of(state, queue), ctx, &mut events);
    events
}

/// Where it was merged into, in the end. Nothing merges into what was merged, so there is an end.
fn last_of(state: &State, mut queue: QueueId) -> QueueId {
    while let Some(next) = state.queues.get(queue).and_then(|row| row.merged_into) {
        queue = next;
    }
    queue
}

/// The first in their order first; what is beyond one decision is put off.
fn move_on(state: &State, from: &[QueueId], into: QueueId, ctx: &Ctx, events: &mut Vec<Event>) {
    let mut standing = Vec::new();
    if from.iter().any(|id| state.queues.get(*id).is_some_and(|row| row.depth > 0)) {
        state.inquiries.any_keyed(|id, row| {
            if stands(row) && row.queues.iter().any(|queue| from.contains(queue)) {
                standing.push((row.stands_at, id));
            }
            false
        });
    }
    standing.sort();
    let mut left: BTreeMap<QueueId, u32> = BTreeMap::new();
    left.extend(from.iter().filter_map(|id| Some((*id, state.queues.get(*id)?.depth))));
    let (mut moves, mut letters) = (0, 0);
    for (_, id) in standing {
        let inquiry = state.inquiries.get(id).expect("who stands in a queue is registered");
        let kept = |queue: &&QueueId| !from.contains(queue) && **queue != into;
        let queues: Vec<QueueId> = inquiry.queues.iter().filter(kept).copied().chain([into]).collect();
        // What is under way goes on as it began.
        let desired_skills = match inquiry.state {
            InquiryState::Queued | InquiryState::Withdrawn => desired_after(state, inquiry, &queues, inquiry.rings),
            InquiryState::InAuction | InquiryState::Reserved | InquiryState::Engaged | InquiryState::WrapUp => {
                inquiry.desired_skills.to_vec()
            }
        };
        let count = from.iter().filter(|queue| inquiry.queues.contains(queue)).count();
        let more = count * desired_skills.iter().map(|skill| skill.name.as_str().len() + SKILL_MEMBERS).sum::<usize>();
        if moves > 0 && (moves + count > MOVED_AT_ONCE || letters + more > SKILLS_AT_ONCE) {
            break;
        }
        (moves, letters) = (moves + count, letters + more);
        let away = inquiry.state == InquiryState::Withdrawn;
        let mut already = inquiry.queues.contains(&into);
        for queue in from.iter().filter(|queue| inquiry.queues.contains(queue)) {
            let desired_skills = desired_skills.clone();
            events.push(InquiryMoved { already, away, desired_skills, from: *queue, inquiry: id, into }.into());
            already = true;
            left.entry(*queue).and_modify(|depth| *depth -= 1);
        }
    }
    let until = ctx.now + crate::auction::ROUNDS_PAUSE;
    let put_off = left.into_iter().filter(|(_, depth)| *depth > 0);
    events.extend(put_off.map(|(queue, _)| Event::from(QueueMergePutOff { queue, until })));
}

/// From its registration until its session opens, or it goes away. A kept place counts.
fn stands(inquiry: &Inquiry) -> bool {
    match inquiry.state {
        InquiryState::Queued | InquiryState::InAuction | InquiryState::Reserved | InquiryState::Withdrawn => true,
        InquiryState::Engaged | InquiryState::WrapUp => false,
    }
}

/// Where an inquiry stands: what its priority is worth in its queues is a credit of time. Of several queues the one that
/// is worth most counts, so that it has one place in all of them.
pub(crate) fn place(state: &State, terms: &OfferTerms, queues: &[QueueId], accepted_at: Timestamp) -> Timestamp {
    let credits = queues.iter().filter_map(|id| Some(state.queues.get(*id)?.priority_credit));
    let credit = credits.max().unwrap_or(Span::ZERO);
    accepted_at - Span(credit.0.saturating_mul(i64::from(terms.priority)))
}

/// What is desired of agents in these queues, so many rings of relaxation entered.
pub(crate) fn desired_after(state: &State, inquiry: &Inquiry, queues: &[QueueId], rings: u32) -> Vec<Skill> {
    let rows = queues.iter().filter_map(|id| state.queues.get(*id));
    let of_queues = rows.flat_map(|row| row.required_skills.iter().cloned());
    let ring = rings.checked_sub(1).and_then(|at| inquiry.terms.relaxation.get(at as usize));
    let topics: &[Topic] = if ring.is_some_and(|ring| ring.any_topic) { &[] } else { &inquiry.topics };
    let lower = ring.map_or(0, |ring| u8::try_from(ring.lower_levels).unwrap_or(u8::MAX));
    let desired = desired_skills(&inquiry.terms, topics, of_queues).into_iter();
    desired.map(|skill| Skill { level: skill.level.saturating_sub(lower).max(1), ..skill }).collect()
}

/// The offer's, one named by each topic, and the queues'.
pub(crate) fn desired_skills(
    terms: &OfferTerms,
    topics: &[Topic],
    of_queues: impl Iterator<Item = Skill>,
) -> Vec<Skill> {
    let named = topics.iter().map(|topic| Skill { level: 1, name: topic.clone() });
    let mut desired: Vec<Skill> = Vec::new();
    for skill in terms.required_skills.iter().cloned().chain(named).chain(of_queues) {
        match desired.iter_mut().find(|known| known.name == skill.name) {
            Some(known) => known.level = known.level.max(skill.level),
            None => desired.push(skill),
        }
    }
    desired
}

/// The queues that fit, in order of topic; one is born for each topic that has none of its own.
pub(crate) fn enter(
    state: &State,
    topics: &[Topic],
    link: Option<LinkId>,
    inquiry: InquiryId,
    ctx: &Ctx,
    events: &mut Vec<Event>,
) -> Vec<(QueueId, Vec<Skill>)> {
    let mut fitting = std::collections::BTreeMap::new();
    for (at, topic) in topics.iter().enumerate() {
        for ancestor in topic.and_ancestors() {
            if let Some(id) = state.queue_topics.get(&ancestor) {
                let row = state.queues.get(*id).expect("an open topic names its queue");
                fitting.insert(ancestor, (*id, row.required_skills.to_vec()));
            }
        }
        if !fitting.contains_key(topic) {
            // The first topic of an acceptance by link is the link's.
            let (origin, born_from) = match link {
                Some(link) if at == 0 => (QueueOrigin::Link, Subject::from(link)),
                _ => (QueueOrigin::Question, Subject::from(inquiry)),
            };
            let queue = QueueId(ctx.ids.next());
            let opened = QueueOpened {
                born_from: Some(born_from),
                origin,
                priority_credit: Span::ZERO,
                queue,
                required_skills: vec![],
                topic: topic.clone(),
            };
            events.push(opened.into());
            fitting.insert(topic.clone(), (queue, vec![]));
        }
    }
    // One queue may have several of the topics, where others were merged into it.
    let mut entered: Vec<(QueueId, Vec<Skill>)> = Vec::new();
    for (id, skills) in fitting.into_values() {
        if entered.iter().all(|(known, _)| *known != id) {
            entered.push((id, skills));
        }
    }
    entered
}

/// What follows when an inquiry leaves its queues: a generated queue that becomes empty retires.
pub(crate) fn leave(state: &State, queues: &[QueueId], inquiry: InquiryId, events: &mut Vec<Event>) {
    for id in queues {
        let row = state.queues.get(*id).expect("an inquiry stands in queues that exist");
        let stays = row.has_merged || row.merged_into.is_some();
        if row.origin == QueueOrigin::Question && row.depth == 1 && !stays {
            events.push(QueueRetired { last: Some(inquiry), queue: *id }.into());
        }
    }
}

/// Counts an inquiry in (+1) or out (−1) of its queues.
pub(crate) fn count(state: &mut State, queues: &[QueueId], entered: bool) {
    for id in queues {
        state.queues.change(&mut state.journal, *id, |row| {
            row.depth = if entered { row.depth + 1 } else { row.depth - 1 };
        });
        if state.queues.get(*id).is_some_and(|row| row.depth == 0) {
            set_moves_at(state, *id, None);
        }
    }
}

fn set_moves_at(state: &mut State, queue: QueueId, at: Option<Timestamp>) {
    let old = state.queues.get(queue).expect("a queue opens first").moves_at;
    if old == at {
        return;
    }
    if let Some(old) = old {
        state.clear_timer(old, Timer::MergeGoesOn(queue));
    }
    if let Some(at) = at {
        state.set_timer(at, Timer::MergeGoesOn(queue));
    }
    state.queues.change(&mut state.journal, queue, |row| row.moves_at = at);
}

/// All topics that lead to a queue lead to another one, or nowhere.
fn lead_topics(state: &mut State, from: QueueId, to: Option<QueueId>) {
    let led = state.queue_topics.iter().filter(|(_, id)| **id == from);
    let topics: Vec<Topic> = led.map(|(topic, _)| topic.clone()).collect();
    for topic in topics {
        state.put_queue_topic(topic, to);
    }
}

pub fn apply(state: &mut State, event: &QueueEvent) {
    match event {
        QueueEvent::Opened(e) => {
            let row = Queue {
                topic: e.topic.clone(),
                origin: e.origin,
                priority_credit: e.priority_credit,
                required_skills: e.required_skills.clone().into(),
                depth: 0,
                merged_into: None,
                has_merged: false,
                moves_at: None,
            };
            state.queues.put(&mut state.journal, e.queue, row);
            state.put_queue_topic(e.topic.clone(), Some(e.queue));
        }
        QueueEvent::Retired(e) => {
            state.queues.remove(&mut state.journal, e.queue);
            lead_topics(state, e.queue, None);
        }
        QueueEvent::Merged(e) => {
            state.queues.change(&mut state.journal, e.queue, |row| row.merged_into = Some(e.into));
            state.queues.change(&mut state.journal, e.into, |row| row.has_merged = true);
            lead_topics(state, e.queue, Some(e.into));
        }
        QueueEvent::MergePutOff(e) => set_moves_at(state, e.queue, Some(e.until)),
    }
}
