//! Money that comes in from outside.

use super::agent::known_call_server;
use super::call::{Call, Step, answer};
use super::payload::AccountPayload;
use crate::graphql::input::agent::{Credit, CreditWalletInput};
use crate::graphql::types::Account;
use async_graphql::{Context, Error, Object};
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::wallet::{Party, WalletEvent};
use domain::log::LogName;
use domain::refusal::Refusal;

#[derive(Default)]
pub(super) struct Wallets;

#[Object]
impl Wallets {
    async fn credit_wallet(&self, ctx: &Context<'_>, input: CreditWalletInput) -> Result<AccountPayload, Error> {
        let call = Call::begin(ctx, rights::CREDIT_WALLET, &input, &input.idempotency_key)?;
        answer(credit_wallet(&call, &input)).await
    }
}

async fn credit_wallet(call: &Call, input: &CreditWalletInput) -> Step<AccountPayload> {
    let credit = input.parse()?;
    let log = log_of(call, &credit)?;
    let command =
        Command::CreditWallet { owner: credit.owner, amount: credit.amount, reference: input.reference.clone() };
    let done = call.submit(&log, command).await?;
    let account = done.one(|event| match event {
        Event::Wallet(WalletEvent::Credited(e)) => Some(e.account),
        _ => None,
    })?;
    Ok(AccountPayload::new(&done, Account::load(&call.app, &call.actor, account).await?))
}

/// Where the wallet is: an agent has one call server, a provider names it.
fn log_of(call: &Call, credit: &Credit) -> Step<LogName> {
    let missing = Refusal::NotFound { field: "owner" };
    match (credit.owner, &credit.call_server) {
        (Party::Agent(agent), named) => {
            let place = call.app.live.place(agent).ok_or(missing.clone())?;
            // An agent of another call server has no wallet at this one.
            if named.as_ref().is_some_and(|named| *named != place.log) { Err(missing.into()) } else { Ok(place.log) }
        }
        (Party::Provider(provider), Some(named)) => {
            known_call_server(call, named)?;
            call.app.live.provider(provider).ok_or(missing)?;
            Ok(named.clone())
        }
        (Party::Provider(_), None) => Err(missing.into()),
    }
}
