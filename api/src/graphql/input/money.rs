//! Inputs of finance: refunds and fee rules.

use super::parse::{self, MoneyInput, Path};
use crate::graphql::scalars::{DateTime, Decimal};
use crate::graphql::types::enums::{RefundReason, Rounding};
use async_graphql::{ID, InputObject};
use domain::command::Command;
use domain::fees::Percent;
use domain::ids::SettlementId;
use domain::refusal::Refusal;

#[derive(InputObject, Clone, Debug)]
pub struct RefundSettlementInput {
    pub settlement_id: ID,
    /// At most what is left of the price.
    pub amount: MoneyInput,
    pub reason: RefundReason,
    pub idempotency_key: String,
}

/// Percentages of 0 to 100, with at most four decimals. `jurisdiction`: to whom the tax is owed; required where there is any. `validFrom`: now where it is absent, never before now. `taxRounding`: HALF_EVEN where it is absent.
#[derive(InputObject, Clone, Debug)]
pub struct SetFeeRuleInput {
    pub commission: Decimal,
    pub tax: Decimal,
    pub tax_rounding: Option<Rounding>,
    pub jurisdiction: Option<String>,
    pub valid_from: Option<DateTime>,
    pub idempotency_key: String,
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
            tax_rounding: self.tax_rounding.map_or_else(Default::default, Into::into),
            jurisdiction: self.jurisdiction.clone(),
            valid_from: self.valid_from.map(|DateTime(at)| at),
        })
    }
}
