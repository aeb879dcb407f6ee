//! Queues that operators declare, merge and retire.

use super::agent::known_call_server;
use super::call::{Call, Step, Stop, answer};
use super::payload::QueuePayload;
use crate::app::blocking;
use crate::graphql::input::agent::{DeclareQueueInput, MergeQueuesInput, RetireQueueInput};
use crate::graphql::input::parse;
use crate::graphql::types::Queue;
use async_graphql::{Context, Error, Object};
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::queue::QueueEvent;
use domain::ids::QueueId;
use domain::log::LogName;
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Queues;

#[Object]
impl Queues {
    async fn declare_queue(&self, ctx: &Context<'_>, input: DeclareQueueInput) -> Result<QueuePayload, Error> {
        let call = Call::begin(ctx, rights::DECLARE_QUEUE, &input, &input.idempotency_key)?;
        answer(declare_queue(&call, &input)).await
    }

    async fn merge_queues(&self, ctx: &Context<'_>, input: MergeQueuesInput) -> Result<QueuePayload, Error> {
        let call = Call::begin(ctx, rights::MERGE_QUEUES, &input, &input.idempotency_key)?;
        answer(merge_queues(&call, &input)).await
    }

    async fn retire_queue(&self, ctx: &Context<'_>, input: RetireQueueInput) -> Result<QueuePayload, Error> {
        let call = Call::begin(ctx, rights::RETIRE_QUEUE, &input, &input.idempotency_key)?;
        answer(retire_queue(&call, &input)).await
    }
}

async fn declare_queue(call: &Call, input: &DeclareQueueInput) -> Step<QueuePayload> {
    let (log, command) = input.parse()?;
    known_call_server(call, &log)?;
    let done = call.submit(&log, command).await?;
    let queue = done.one(|event| match event {
        Event::Queue(QueueEvent::Opened(e)) => Some(e.queue),
        _ => None,
    })?;
    Ok(QueuePayload::new(&done, Queue::load(&call.app, &call.actor, queue).await?))
}

/// What it was merged into.
async fn merge_queues(call: &Call, input: &MergeQueuesInput) -> Step<QueuePayload> {
    let into: QueueId = parse::id(&input.into_queue_id, "intoQueueId")?;
    let from = input.from_queue_ids.iter().map(|id| parse::id(id, "fromQueueIds"));
    let from = from.collect::<Result<Vec<QueueId>, Refusal>>()?;
    let log = log_of(call, into, "intoQueueId").await?;
    let done = call.submit(&log, Command::MergeQueues { from, into }).await?;
    Ok(QueuePayload::new(&done, Queue::load(&call.app, &call.actor, into).await?))
}

async fn retire_queue(call: &Call, input: &RetireQueueInput) -> Step<QueuePayload> {
    let queue: QueueId = parse::id(&input.queue_id, "queueId")?;
    let log = log_of(call, queue, "queueId").await?;
    let done = call.submit(&log, Command::RetireQueue { queue }).await?;
    Ok(QueuePayload::new(&done, Queue::load(&call.app, &call.actor, queue).await?))
}

/// The call server of a queue. Of those that retired long ago history knows it: a key may still ask.
async fn log_of(call: &Call, queue: QueueId, field: &'static str) -> Step<LogName> {
    if let Some(place) = call.app.live.place(queue) {
        return Ok(place.log);
    }
    let app = call.app.clone();
    let events = blocking(move || app.history.events_of(&*app.store, queue.into())).await?;
    events.first().map(|event| event.log.clone()).ok_or(Stop::from(Refusal::NotFound { field }))
}
