//! Inputs of finance: refunds, payouts and fee rules.

use super::parse::{self, MoneyInput, Path};
use crate::graphql::scalars::{DateTime, Decimal, Duration};
use crate::graphql::types::enums::{RefundReason, Rounding};
use async_graphql::{ID, InputObject};
use domain::command::Command;
use domain::currency::Currency;
use domain::event::wallet::ReturnReason;
use domain::fees::Percent;
use domain::ids::{AccountId, PayoutId, SettlementId};
use domain::money::Money;
use domain::refusal::Refusal;

#[derive(InputObject, Clone, Debug)]
pub struct RefundSettlementInput {
    pub settlement_id: ID,
    /// At most what is left of the price.
    pub amount: MoneyInput,
    pub reason: RefundReason,
    pub idempotency_key: String,
}

/// Percentages of 0 to 100, with at most four decimals. `jurisdiction`: to whom the tax is owed; required where there is any. `validFrom`: now where it is absent, never before now. `taxRounding`: HALF_EVEN where it is absent. `returnWindow`: P2D where it is absent, at most P90D.
#[derive(InputObject, Clone, Debug)]
pub struct SetFeeRuleInput {
    pub commission: Decimal,
    pub tax: Decimal,
    pub tax_rounding: Option<Rounding>,
    pub return_window: Option<Duration>,
    pub jurisdiction: Option<String>,
    pub valid_from: Option<DateTime>,
    pub idempotency_key: String,
}

/// `amount`: at most what is payable, less what the owner owes.
#[derive(InputObject, Clone, Debug)]
pub struct PayOutInput {
    pub account_id: ID,
    pub amount: MoneyInput,
    pub idempotency_key: String,
}

/// `payoutId`: one of that account. `reason`: the bank's, an ISO 20022 return reason code such as AC04.
#[derive(InputObject, Clone, Debug)]
pub struct ReturnPayoutInput {
    pub account_id: ID,
    pub payout_id: ID,
    pub reason: String,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct NetPayableInput {
    pub account_id: ID,
    pub idempotency_key: String,
}

impl PayOutInput {
    pub fn account(&self) -> Result<AccountId, Refusal> {
        parse::id(&self.account_id, "accountId")
    }
    /// In the account's currency.
    pub fn amount(&self, currency: Currency) -> Result<Money, Refusal> {
        let path = Path::Input.member("amount");
        let amount = parse::money(&path, &self.amount)?;
        if amount.currency() != currency {
            return Err(path.member("currency").invalid("the currency of the account"));
        }
        Ok(amount)
    }
}

impl ReturnPayoutInput {
    pub fn account(&self) -> Result<AccountId, Refusal> {
        parse::id(&self.account_id, "accountId")
    }
    pub fn payout(&self) -> Result<PayoutId, Refusal> {
        parse::id(&self.payout_id, "payoutId")
    }
    pub fn reason(&self) -> Result<ReturnReason, Refusal> {
        let bad = |_| Path::Input.member("reason").invalid("four capital letters or digits, such as AC04");
        self.reason.parse().map_err(bad)
    }
}

impl NetPayableInput {
    pub fn account(&self) -> Result<AccountId, Refusal> {
        parse::id(&self.account_id, "accountId")
    }
}

impl RefundSettlementInput {
    pub fn settlement(&self) -> Result<SettlementId, Refusal> {
        parse::id(&self.settlement_id, "settlementId")
    }
    pub fn command(&self) -> Result<Command, Refusal> {
        Ok(Command::RefundSettlement {
            settlement: self.settlement()?,
            amount: parse::money(&Path::Input.member("amount"), &self.amount)?,
            reason: self.reason.into(),
        })
    }
}

impl SetFeeRuleInput {
    pub fn command(&self) -> Result<Command, Refusal> {
        let percent = |value: Decimal, field: &'static str| {
            let bad = || Path::Input.member(field).invalid("a percentage of 0 to 100 with at most four decimals");
            Percent::new(value.0).map_err(|_| bad())
        };
        Ok(Command::SetFeeRule {
            commission: percent(self.commission, "commission")?,
            tax: percent(self.tax, "tax")?,
            return_window: self.return_window.map(|Duration(window)| window),
            tax_rounding: self.tax_rounding.map_or_else(Default::default, Into::into),
            jurisdiction: self.jurisdiction.clone(),
            valid_from: self.valid_from.map(|DateTime(at)| at),
        })
    }
}
