//! Topical queues: declared, born from a link or a question, retired. A queue fits an inquiry when its
//! topic equals one of the inquiry's or is an ancestor of one.

use crate::check;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::queue::*;
use crate::ids::{InquiryId, LinkId, QueueId, Subject};
use crate::refusal::Refusal;
use crate::state::{Queue, State};
use crate::topic::{Skill, Topic};

pub fn declare(state: &State, topic: &Topic, required_skills: &[Skill], ctx: &Ctx) -> Result<Vec<Event>, Refusal> {
    check::skills(&["requiredSkills"], required_skills)?;
    if state.queue_topics.contains_key(topic) {
        return Err(Refusal::invalid(&["topic"], "a queue of this topic is open"));
    }
    Ok(vec![
        QueueOpened {
            born_from: None,
            origin: QueueOrigin::Declared,
            queue: QueueId(ctx.ids.next()),
            required_skills: required_skills.to_vec(),
            topic: topic.clone(),
        }
        .into(),
    ])
}

pub fn retire(state: &State, queue: QueueId) -> Result<Vec<Event>, Refusal> {
    let row = state.queues.get(queue).ok_or(Refusal::NotFound { field: "queueId" })?;
    if row.depth > 0 {
        return Err(Refusal::NotAllowedNow {
            message: "Inquiries stand in this queue; merge it, or wait until it is empty.",
        });
    }
    Ok(vec![QueueRetired { last: None, queue }.into()])
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
                queue,
                required_skills: vec![],
                topic: topic.clone(),
            };
            events.push(opened.into());
            fitting.insert(topic.clone(), (queue, vec![]));
        }
    }
    fitting.into_values().collect()
}

/// What follows when an inquiry leaves its queues: a generated queue that becomes empty retires.
pub(crate) fn leave(state: &State, queues: &[QueueId], inquiry: InquiryId, events: &mut Vec<Event>) {
    for id in queues {
        let row = state.queues.get(*id).expect("an inquiry stands in queues that exist");
        if row.origin == QueueOrigin::Question && row.depth == 1 {
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
    }
}

pub fn apply(state: &mut State, event: &QueueEvent) {
    match event {
        QueueEvent::Opened(e) => {
            let row = Queue {
                topic: e.topic.clone(),
                origin: e.origin,
                required_skills: e.required_skills.clone().into(),
                depth: 0,
            };
            state.queues.put(&mut state.journal, e.queue, row);
            state.put_queue_topic(e.topic.clone(), Some(e.queue));
        }
        QueueEvent::Retired(e) => {
            let row = state.queues.remove(&mut state.journal, e.queue);
            state.put_queue_topic(row.expect("a queue opens before it retires").topic, None);
        }
    }
}
