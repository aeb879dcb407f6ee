//! Fee rules: what the house takes of a price. For whoever trades here, and those who run the house.

use super::connection::{Pager, connection};
use super::enums::Rounding;
use super::eyes::Eyes;
use crate::app::App;
use crate::graphql::scalars::{Cursor, DateTime, Decimal, Duration};
use async_graphql::{Error, ID, Object};
use domain::actor::Actor;
use domain::ids::FeeRuleId;
use projections::live::books::RuleRow;
use std::sync::Arc;

/// The commission is of the price without tax, and tax is owed on the commission; the payee has the rest. The rule that was set last, of those that have begun, is in force at a consent.
pub struct FeeRule {
    row: RuleRow,
}

connection!(FeeRuleConnection, FeeRuleEdge, FeeRule);

fn sees_rules(viewer: &Actor) -> bool {
    match viewer {
        Actor::Finance(_) | Actor::Operator(_) | Actor::Agent(_) | Actor::Provider(_) => true,
        Actor::Customer(_) | Actor::Anonymous | Actor::System => false,
    }
}

impl FeeRule {
    pub(crate) fn load(app: &App, viewer: &Actor, id: FeeRuleId) -> Option<FeeRule> {
        let row = app.live.books(|_, books| books.rules().iter().find(|row| row.rule.id == id).cloned());
        row.filter(|_| sees_rules(viewer)).map(|row| FeeRule { row })
    }

    /// In the order of their numbers.
    pub(crate) fn list(
        app: &Arc<App>,
        eyes: &Eyes,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<FeeRuleConnection, Error> {
        let pager = Pager::<u64>::new(app, eyes, "fee rules", &(), first, after)?;
        let rows = match sees_rules(&eyes.viewer) {
            true => eyes.live(app).books(|_, books| books.rules().to_vec()),
            false => Vec::new(),
        };
        let (rows, more) = pager.slice(rows, |row| row.rule.number.into(), false);
        let nodes = rows.into_iter().map(|row| (u64::from(row.rule.number), FeeRule { row }));
        Ok(FeeRuleConnection::page(&pager, (nodes.collect(), more)))
    }
}

#[Object]
impl FeeRule {
    pub(crate) async fn id(&self) -> ID {
        self.row.rule.id.to_string().into()
    }
    /// From 1; a posting of a fee names it as `fee/1`.
    async fn number(&self) -> i32 {
        i32::try_from(self.row.rule.number).unwrap_or(i32::MAX)
    }
    /// Percent of the price without tax.
    async fn commission(&self) -> Decimal {
        Decimal(self.row.rule.commission.value())
    }
    /// Percent.
    async fn tax(&self) -> Decimal {
        Decimal(self.row.rule.tax.value())
    }
    /// Of the tax; the commission is always rounded HALF_EVEN.
    async fn tax_rounding(&self) -> Rounding {
        self.row.rule.tax_rounding.into()
    }
    /// To whom the tax is owed, such as `de`.
    async fn jurisdiction(&self) -> Option<&str> {
        self.row.rule.jurisdiction.as_deref()
    }
    /// How long a payer may object after completion; then the payee's share is payable.
    async fn return_window(&self) -> Duration {
        Duration(self.row.rule.return_window)
    }
    async fn valid_from(&self) -> DateTime {
        DateTime(self.row.rule.valid_from)
    }
    async fn set_at(&self) -> DateTime {
        DateTime(self.row.set_at)
    }
}
