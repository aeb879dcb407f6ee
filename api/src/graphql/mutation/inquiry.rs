//! Withdrawing an inquiry.

use super::call::{Call, Step, answer};
use super::payload::InquiryPayload;
use crate::graphql::input::parse;
use crate::graphql::input::work::{WithdrawInquiryInput, reason};
use crate::graphql::types::Inquiry;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::ids::{CustomerId, InquiryId};
use domain::refusal::Refusal;
use projections::live::Dossier;

#[derive(Default)]
pub(super) struct Inquiries;

#[Object]
impl Inquiries {
    async fn withdraw_inquiry(&self, ctx: &Context<'_>, input: WithdrawInquiryInput) -> Result<InquiryPayload, Error> {
        let call = Call::begin(ctx, rights::WITHDRAW_INQUIRY, &input, &input.idempotency_key)?;
        answer(withdraw_inquiry(&call, &input)).await
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

/// Its customer, or an operator; to anybody else it is not there.
fn may_withdraw(actor: &Actor, customer: CustomerId) -> bool {
    matches!(actor, Actor::Operator(_)) || *actor == Actor::Customer(customer)
}

fn closed(dossier: &Dossier, actor: &Actor) -> Option<Refusal> {
    let row = dossier.inquiry().filter(|row| may_withdraw(actor, row.customer))?;
    row.state.is_final().then_some(Refusal::InquiryClosed)
}
