//! What providers offer.

use super::call::{Call, Done, Step, answer};
use super::payload::OfferPayload;
use crate::graphql::input::offer::{
    PauseOfferInput, PublishOfferInput, ResumeOfferInput, RetireOfferInput, ReviseOfferInput,
};
use crate::graphql::input::parse;
use crate::graphql::types::Offer;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::community::OfferEvent;
use domain::log::LogName;

#[derive(Default)]
pub(super) struct Offers;

#[Object]
impl Offers {
    async fn publish_offer(&self, ctx: &Context<'_>, input: PublishOfferInput) -> Result<OfferPayload, Error> {
        let call = Call::begin(ctx, rights::PUBLISH_OFFER, &input, &input.idempotency_key)?;
        answer(publish_offer(&call, &input)).await
    }

    /// A new revision; inquiries keep the one they accepted.
    async fn revise_offer(&self, ctx: &Context<'_>, input: ReviseOfferInput) -> Result<OfferPayload, Error> {
        let call = Call::begin(ctx, rights::REVISE_OFFER, &input, &input.idempotency_key)?;
        answer(revise_offer(&call, &input)).await
    }

    /// It is not accepted until it is resumed: its page says so, its links stay, and what was accepted goes on.
    async fn pause_offer(&self, ctx: &Context<'_>, input: PauseOfferInput) -> Result<OfferPayload, Error> {
        let call = Call::begin(ctx, rights::PAUSE_OFFER, &input, &input.idempotency_key)?;
        answer(pause_offer(&call, &input)).await
    }

    async fn resume_offer(&self, ctx: &Context<'_>, input: ResumeOfferInput) -> Result<OfferPayload, Error> {
        let call = Call::begin(ctx, rights::RESUME_OFFER, &input, &input.idempotency_key)?;
        answer(resume_offer(&call, &input)).await
    }

    async fn retire_offer(&self, ctx: &Context<'_>, input: RetireOfferInput) -> Result<OfferPayload, Error> {
        let call = Call::begin(ctx, rights::RETIRE_OFFER, &input, &input.idempotency_key)?;
        answer(retire_offer(&call, &input)).await
    }
}

async fn publish_offer(call: &Call, input: &PublishOfferInput) -> Step<OfferPayload> {
    let own = match call.actor {
        Actor::Provider(id) => Some(id),
        _ => None,
    };
    offer_payload(call, call.submit(&LogName::community(), input.parse(own)?).await?).await
}

async fn revise_offer(call: &Call, input: &ReviseOfferInput) -> Step<OfferPayload> {
    offer_payload(call, call.submit(&LogName::community(), input.parse()?).await?).await
}

async fn pause_offer(call: &Call, input: &PauseOfferInput) -> Step<OfferPayload> {
    let offer = parse::id(&input.offer_id, "offerId")?;
    offer_payload(call, call.submit(&LogName::community(), Command::PauseOffer { offer }).await?).await
}

async fn resume_offer(call: &Call, input: &ResumeOfferInput) -> Step<OfferPayload> {
    let offer = parse::id(&input.offer_id, "offerId")?;
    offer_payload(call, call.submit(&LogName::community(), Command::ResumeOffer { offer }).await?).await
}

async fn retire_offer(call: &Call, input: &RetireOfferInput) -> Step<OfferPayload> {
    let offer = parse::id(&input.offer_id, "offerId")?;
    offer_payload(call, call.submit(&LogName::community(), Command::RetireOffer { offer }).await?).await
}

async fn offer_payload(call: &Call, done: Done) -> Step<OfferPayload> {
    let offer = done.one(|event| match event {
        Event::Offer(OfferEvent::Published(e)) => Some(e.offer),
        Event::Offer(OfferEvent::Revised(e)) => Some(e.offer),
        Event::Offer(OfferEvent::Paused(e)) => Some(e.offer),
        Event::Offer(OfferEvent::Resumed(e)) => Some(e.offer),
        Event::Offer(OfferEvent::Retired(e)) => Some(e.offer),
        _ => None,
    })?;
    Ok(OfferPayload::new(&done, Offer::load(&call.app, &call.actor, offer).await?))
}
