//! What finance does: money that comes in from outside, goes back, or leaves; fee rules.

use super::agent::known_call_server;
use super::call::{Call, Step, answer};
use super::payload::{AccountPayload, FeeRulePayload, PayoutPayload, SettlementPayload};
use crate::graphql::input::agent::{Credit, CreditWalletInput};
use crate::graphql::input::money::{
    NetPayableInput, PayOutInput, RefundSettlementInput, ReturnPayoutInput, SetFeeRuleInput,
};
use crate::graphql::types::account::Payout;
use crate::graphql::types::fee::FeeRule;
use crate::graphql::types::{Account, Settlement};
use async_graphql::{Context, Error, Object};
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::journal::JournalEvent;
use domain::event::wallet::{Party, WalletEvent};
use domain::ids::AccountId;
use domain::log::LogName;
use domain::refusal::Refusal;
use projections::live::Dossier;
use projections::live::account::AccountRow;
use projections::live::settlement::SettlementState;

#[derive(Default)]
pub(super) struct Wallets;

#[Object]
impl Wallets {
    async fn credit_wallet(&self, ctx: &Context<'_>, input: CreditWalletInput) -> Result<AccountPayload, Error> {
        let call = Call::begin(ctx, rights::CREDIT_WALLET, &input, &input.idempotency_key)?;
        answer(credit_wallet(&call, &input)).await
    }

    /// Inside the return window: a part of the price back to the payer, or all that is left of it.
    async fn refund_settlement(
        &self,
        ctx: &Context<'_>,
        input: RefundSettlementInput,
    ) -> Result<SettlementPayload, Error> {
        let call = Call::begin(ctx, rights::REFUND_SETTLEMENT, &input, &input.idempotency_key)?;
        answer(refund_settlement(&call, &input)).await
    }

    /// What is payable to the account's owner leaves for its bank; `payout` names what it can come back by.
    async fn pay_out(&self, ctx: &Context<'_>, input: PayOutInput) -> Result<PayoutPayload, Error> {
        let call = Call::begin(ctx, rights::PAY_OUT, &input, &input.idempotency_key)?;
        answer(pay_out(&call, &input)).await
    }

    /// The bank sent a payout back: it is payable again.
    async fn return_payout(&self, ctx: &Context<'_>, input: ReturnPayoutInput) -> Result<AccountPayload, Error> {
        let call = Call::begin(ctx, rights::RETURN_PAYOUT, &input, &input.idempotency_key)?;
        answer(return_payout(&call, &input)).await
    }

    /// What is payable to the account's owner pays what it owes, as far as it goes.
    async fn net_payable(&self, ctx: &Context<'_>, input: NetPayableInput) -> Result<AccountPayload, Error> {
        let call = Call::begin(ctx, rights::NET_PAYABLE, &input, &input.idempotency_key)?;
        answer(net_payable(&call, &input)).await
    }

    /// What the house takes of a price from an instant on. Each call server takes it over a moment later.
    async fn set_fee_rule(&self, ctx: &Context<'_>, input: SetFeeRuleInput) -> Result<FeeRulePayload, Error> {
        let call = Call::begin(ctx, rights::SET_FEE_RULE, &input, &input.idempotency_key)?;
        answer(set_fee_rule(&call, &input)).await
    }
}

async fn refund_settlement(call: &Call, input: &RefundSettlementInput) -> Step<SettlementPayload> {
    let (id, command) = (input.settlement()?, input.command()?);
    let log = call.log_of(id, "settlementId").await?;
    let done = call.submit_about(&log, id, command, |dossier, _| over(dossier)).await?;
    Ok(SettlementPayload::new(&done, Settlement::load(&call.app, &call.actor, id).await?))
}

/// Why nothing of a settlement goes back any more.
fn over(dossier: &Dossier) -> Option<Refusal> {
    let message = match dossier.settlement()?.row().state {
        SettlementState::Payable => "The return window is over.",
        SettlementState::Refunded | SettlementState::Released => "All of it was given back.",
        SettlementState::Escrowed | SettlementState::Pending => return None,
    };
    Some(Refusal::NotAllowedNow { message })
}

async fn pay_out(call: &Call, input: &PayOutInput) -> Step<PayoutPayload> {
    let account = known_account(call, input.account()?)?;
    let command = Command::PayOut { owner: account.owner, amount: input.amount(account.currency)? };
    let done = call.submit(&account.log, command).await?;
    let payout = done.one(|event| match event {
        Event::Wallet(WalletEvent::PaidOut(e)) => Some(e.payout),
        _ => None,
    })?;
    let shown = Payout::load(&call.app, &call.actor, payout);
    Ok(PayoutPayload::new(&done, shown, Account::load(&call.app, &call.actor, account.id).await?))
}

async fn return_payout(call: &Call, input: &ReturnPayoutInput) -> Step<AccountPayload> {
    let (payout, reason) = (input.payout()?, input.reason()?);
    let account = known_account(call, input.account()?)?;
    let command = Command::ReturnPayout { owner: account.owner, currency: account.currency, payout, reason };
    let done = call.submit(&account.log, command).await?;
    Ok(AccountPayload::new(&done, Account::load(&call.app, &call.actor, account.id).await?))
}

async fn net_payable(call: &Call, input: &NetPayableInput) -> Step<AccountPayload> {
    let account = known_account(call, input.account()?)?;
    let command = Command::NetPayable { owner: account.owner, currency: account.currency };
    let done = call.submit(&account.log, command).await?;
    Ok(AccountPayload::new(&done, Account::load(&call.app, &call.actor, account.id).await?))
}

fn known_account(call: &Call, id: AccountId) -> Step<AccountRow> {
    Ok(call.app.live.account(id).ok_or(Refusal::NotFound { field: "accountId" })?)
}

async fn set_fee_rule(call: &Call, input: &SetFeeRuleInput) -> Step<FeeRulePayload> {
    let done = call.submit(&LogName::treasury(), input.command()?).await?;
    let id = done.one(|event| match event {
        Event::Journal(JournalEvent::FeeRuleSet(e)) => Some(e.rule.id),
        _ => None,
    })?;
    Ok(FeeRulePayload::new(&done, FeeRule::load(&call.app, &call.actor, id)))
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
