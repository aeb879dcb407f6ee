//! Erasing a customer.

use super::call::{Call, Step, answer};
use super::payload::CustomerPayload;
use crate::app::blocking;
use crate::graphql::input::community::EraseCustomerInput;
use crate::graphql::input::parse;
use crate::graphql::input::work::reason;
use crate::graphql::types::{Customer, fresh};
use async_graphql::{Context, Error, Object};
use domain::command::{Command, rights};
use domain::ids::CustomerId;
use domain::log::LogName;
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Customers;

#[Object]
impl Customers {
    async fn erase_customer(&self, ctx: &Context<'_>, input: EraseCustomerInput) -> Result<CustomerPayload, Error> {
        let call = Call::begin(ctx, rights::ERASE_CUSTOMER, &input, &input.idempotency_key)?;
        answer(erase_customer(&call, &input)).await
    }
}

async fn erase_customer(call: &Call, input: &EraseCustomerInput) -> Step<CustomerPayload> {
    let customer: CustomerId = parse::id(&input.customer_id, "customerId")?;
    let reason = reason(&input.reason)?;
    let (app, community) = (&call.app, LogName::community());
    fresh::caught_up_with(app, &community).await?;
    let house = app.clone();
    if blocking(move || house.history.customer(&*house.store, customer, None)).await?.is_none() {
        return Err(Refusal::NotFound { field: "customerId" }.into());
    }
    // Once it is erased there is no key to seal with.
    let reason = reason.filter(|_| app.live.erased_at(customer).is_none());
    let reason = call.seal(customer, reason).await?;
    let done = call.submit(&community, Command::EraseCustomer { customer, reason }).await?;
    if let Some(seq) = done.seq {
        app.erasures.deleted(seq).await?;
        // Each has begun to end what of it is open there.
        for server in app.live.call_servers() {
            app.handed_over(&server.name, seq).await?;
        }
    }
    Ok(CustomerPayload::new(&done, Customer::load(app, &call.actor, customer).await?))
}
