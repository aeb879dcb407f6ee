//! Withdrawing an inquiry and coming back to it, claiming one, and saying what it is about.

use super::call::{Call, Step, answer};
use super::payload::{InquiryPayload, SessionPayload};
use crate::graphql::input::parse::{self, Path};
use crate::graphql::input::work::{
    ClaimInquiryInput, ConfirmTopicsInput, ResumeInquiryInput, WithdrawInquiryInput, reason,
};
use crate::graphql::types::topic_score::published_topics;
use crate::graphql::types::{Inquiry, Session};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::session::SessionEvent;
use domain::ids::{CustomerId, InquiryId};
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::terms::Allocation;
use domain::topic::Topic;
use projections::live::Dossier;
use projections::live::inquiry::InquiryState;

#[derive(Default)]
pub(super) struct Inquiries;

#[Object]
impl Inquiries {
    async fn withdraw_inquiry(&self, ctx: &Context<'_>, input: WithdrawInquiryInput) -> Result<InquiryPayload, Error> {
        let call = Call::begin(ctx, rights::WITHDRAW_INQUIRY, &input, &input.idempotency_key)?;
        answer(withdraw_inquiry(&call, &input)).await
    }

    /// Back to the old place, until `placeKeptUntil`.
    async fn resume_inquiry(&self, ctx: &Context<'_>, input: ResumeInquiryInput) -> Result<InquiryPayload, Error> {
        let call = Call::begin(ctx, rights::RESUME_INQUIRY, &input, &input.idempotency_key)?;
        answer(resume_inquiry(&call, &input)).await
    }

    async fn claim_inquiry(&self, ctx: &Context<'_>, input: ClaimInquiryInput) -> Result<SessionPayload, Error> {
        let call = Call::begin(ctx, rights::CLAIM_INQUIRY, &input, &input.idempotency_key)?;
        answer(claim_inquiry(&call, &input)).await
    }

    /// By the agent who has it: teaches the classifier, moves no queue.
    async fn confirm_topics(&self, ctx: &Context<'_>, input: ConfirmTopicsInput) -> Result<InquiryPayload, Error> {
        let call = Call::begin(ctx, rights::CONFIRM_TOPICS, &input, &input.idempotency_key)?;
        answer(confirm_topics(&call, &input)).await
    }
}

async fn withdraw_inquiry(call: &Call, input: &WithdrawInquiryInput) -> Step<InquiryPayload> {
    let inquiry: InquiryId = parse::id(&input.inquiry_id, "inquiryId")?;
    let reason = reason(&input.reason)?;
    let mine = |dossier: &Dossier| {
        let row = dossier.inquiry().filter(|row| may_withdraw(&call.actor, row.customer))?;
        Some((row.log.clone(), row.customer))
    };
    let (log, customer) = call.look(inquiry, "inquiryId", mine).await?;
    let reason = call.seal(customer, reason).await?;
    let command = Command::WithdrawInquiry { inquiry, reason };
    let done = call.submit_about(&log, inquiry, command, closed).await?;
    Ok(InquiryPayload::new(&done, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

async fn resume_inquiry(call: &Call, input: &ResumeInquiryInput) -> Step<InquiryPayload> {
    let inquiry: InquiryId = parse::id(&input.inquiry_id, "inquiryId")?;
    let log = call.log_of(inquiry, "inquiryId").await?;
    let over = |dossier: &Dossier, actor: &Actor| {
        let row = dossier.inquiry().filter(|row| *actor == Actor::Customer(row.customer))?;
        match row.state {
            InquiryState::Withdrawn => Some(Refusal::PlaceLost),
            state => state.is_final().then_some(Refusal::InquiryClosed),
        }
    };
    let done = call.submit_about(&log, inquiry, Command::ResumeInquiry { inquiry }, over).await?;
    Ok(InquiryPayload::new(&done, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

async fn claim_inquiry(call: &Call, input: &ClaimInquiryInput) -> Step<SessionPayload> {
    let inquiry: InquiryId = parse::id(&input.inquiry_id, "inquiryId")?;
    let log = call.log_of(inquiry, "inquiryId").await?;
    // An agent of another call server sees no inquiry here, open or closed.
    let here = || agents_market(call).is_some_and(|own| own == log);
    let gone = |dossier: &Dossier, _: &Actor| here().then(|| how_it_went(dossier))?;
    let done = call.submit_about(&log, inquiry, Command::ClaimInquiry { inquiry }, gone).await?;
    let (session, inquiry) = done.one(|event| match event {
        Event::Session(SessionEvent::Opened(e)) => Some((e.session, e.inquiry)),
        _ => None,
    })?;
    let session = Session::load(&call.app, &call.actor, session).await?;
    Ok(SessionPayload::new(&done, session, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

/// Of an inquiry that is over: whether somebody had it, or nobody could have it any more.
fn how_it_went(dossier: &Dossier) -> Option<Refusal> {
    let row = dossier.inquiry().filter(|row| row.state.is_final())?;
    Some(match (&row.terms.allocation, dossier.session()) {
        (Allocation::Routed { .. } | Allocation::Auction(_), _) => Refusal::OtherAllocation,
        (Allocation::Claim { .. }, Some(_)) => Refusal::InquiryTaken,
        (Allocation::Claim { .. }, None) => Refusal::InquiryClosed,
    })
}

/// The call server of the agent who calls.
pub(super) fn agents_market(call: &Call) -> Option<LogName> {
    match call.actor {
        Actor::Agent(agent) => call.app.live.market_of(agent),
        _ => None,
    }
}

async fn confirm_topics(call: &Call, input: &ConfirmTopicsInput) -> Step<InquiryPayload> {
    let inquiry: InquiryId = parse::id(&input.inquiry_id, "inquiryId")?;
    let topics = parse::topics(&Path::Input.member("topics"), &input.topics)?;
    let place = |dossier: &Dossier| dossier.inquiry().map(|row| (row.log.clone(), row.terms.clone()));
    let (log, terms) = call.look(inquiry, "inquiryId", place).await?;
    let published = published_topics(&call.app, &terms);
    let is_known = |topic: &&Topic| {
        published.contains(topic)
            || call.app.live.is_published_topic(topic)
            || call.app.subjects.knows(topic, |name| call.app.live.named(name))
    };
    let known_topics = topics.iter().filter(is_known).cloned().collect();
    let command = Command::ConfirmTopics { inquiry, topics, known_topics };
    let over = |dossier: &Dossier, actor: &Actor| {
        let agent = dossier.session().map(|session| Actor::Agent(session.row().agent));
        (agent.as_ref() == Some(actor)).then_some(Refusal::InquiryClosed)
    };
    let done = call.submit_about(&log, inquiry, command, over).await?;
    Ok(InquiryPayload::new(&done, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

/// Its customer, or an operator; to anybody else it is not there.
fn may_withdraw(actor: &Actor, customer: CustomerId) -> bool {
    matches!(actor, Actor::Operator(_)) || *actor == Actor::Customer(customer)
}

fn closed(dossier: &Dossier, actor: &Actor) -> Option<Refusal> {
    let row = dossier.inquiry().filter(|row| may_withdraw(actor, row.customer))?;
    row.state.is_final().then_some(Refusal::InquiryClosed)
}
