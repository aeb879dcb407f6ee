//! Accounts: an owner's money in one currency on one call server.
//!
//! A provider without a limit pays on account: its `creditLimit` and `available` are then the greatest
//! amount there is, 18 digits before the point.

use super::bid::Bid;
use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::eyes::Eyes;
use super::fresh;
use super::money::Money;
use super::rights::{is_party, seen_holds, sees_money_of};
use super::settlement::{Party, Posting, PostingConnection};
use crate::app::{App, blocking};
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{CurrencyCode, Cursor, DateTime, Seq};
use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::actor::Actor;
use domain::currency::Currency;
use domain::event::wallet;
use domain::ids::{AccountId, PayoutId};
use domain::log::LogName;
use domain::wallet::wallet_path;
use projections::history::lists::{PostingPosition, PostingsOf};
use projections::history::rows::PostingRow;
use projections::live::account::{AccountRow, HoldRow, PayoutRow};
use std::sync::Arc;

pub struct Account {
    row: AccountRow,
    /// What the viewer sees held, by auction.
    holds: Vec<HoldRow>,
    held: domain::money::Money,
    eyes: Eyes,
}

connection!(AccountConnection, AccountEdge, Account);

/// Accounts that one owner has: few currencies on few call servers.
const ACCOUNTS_MAX: usize = 1_000;

impl Account {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: AccountId) -> Result<Option<Account>, Error> {
        let eyes = eyes.into();
        let row = eyes.live(app).account(id).filter(|row| sees_money_of(&eyes.viewer, row.owner));
        match row {
            Some(row) => Ok(Some(Account::show(app, &eyes, row).await?)),
            None => Ok(None),
        }
    }

    /// An owner's, for who sees its money.
    pub(crate) async fn of(
        app: &Arc<App>,
        eyes: &Eyes,
        log: Option<&LogName>,
        owner: wallet::Party,
    ) -> Result<Vec<Account>, Error> {
        let rows = eyes.live(app).accounts(log, Some(owner), None, ACCOUNTS_MAX);
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            shown.push(Account::show(app, eyes, row).await?);
        }
        Ok(shown)
    }

    /// Holds that tell of a sealed bid or of a PROXY maximum are the owner's alone until the award:
    /// everybody else sees the account without them.
    async fn show(app: &Arc<App>, eyes: &Eyes, row: AccountRow) -> Result<Account, Error> {
        let holds = seen_holds(app, eyes, &row).await?;
        let held = if is_party(&eyes.viewer, row.owner) {
            row.held
        } else {
            let zero = domain::money::Money::zero(row.currency);
            // Part of a sum that was added up already.
            holds.iter().fold(zero, |sum, hold| sum.plus(hold.amount).unwrap_or(sum))
        };
        Ok(Account { row, holds, held, eyes: eyes.clone() })
    }

    /// Those that the viewer sees, by id.
    pub(crate) async fn list(
        app: &Arc<App>,
        viewer: &Actor,
        owner: Option<ID>,
        currency: Option<CurrencyCode>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AccountConnection, Error> {
        let filter = (owner.as_deref(), currency.as_ref().map(|code| &code.0));
        let pager = Pager::<u128>::new(app, viewer, "accounts", &filter, first, after)?;
        let nothing = AccountConnection::page(&pager, (Vec::new(), false));
        let asked = match owner.map(|id| id.parse().ok().and_then(super::settlement::party_of)) {
            None => None,
            Some(Some(owner)) => Some(owner),
            Some(None) => return Ok(nothing),
        };
        let own = match viewer {
            Actor::Operator(_) | Actor::Finance(_) => None,
            Actor::Agent(id) => Some(wallet::Party::Agent(*id)),
            Actor::Provider(id) => Some(wallet::Party::Provider(*id)),
            Actor::Customer(_) | Actor::Anonymous | Actor::System => return Ok(nothing),
        };
        if let (Some(own), Some(asked)) = (own, asked)
            && own != asked
        {
            return Ok(nothing);
        }
        let next =
            |after: Option<&u128>, limit| app.live.accounts(None, own.or(asked), after.map(|id| AccountId(*id)), limit);
        let take = |row: AccountRow| {
            let taken = currency.as_ref().is_none_or(|code| code.0 == row.currency.code());
            taken.then_some(row)
        };
        let (rows, more) = pager.sift(next, |row| row.id.0, take);
        let (eyes, mut shown) = (Eyes::from(viewer), Vec::with_capacity(rows.len()));
        for (id, row) in rows {
            shown.push((id, Account::show(app, &eyes, row).await?));
        }
        Ok(AccountConnection::page(&pager, (shown, more)))
    }
}

/// What stands for "without limit".
fn unlimited(currency: Currency) -> Money {
    let exponent = currency.exponent();
    let digits = 10i128.pow(18 + exponent) - 1;
    Money::of(rust_decimal::Decimal::from_i128_with_scale(digits, exponent), currency)
}

#[Object]
impl Account {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn owner(&self, ctx: &Context<'_>) -> Result<Party, Error> {
        Party::show(app(ctx), &self.eyes, self.row.owner)
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.eyes, &self.row.log)
            .ok_or_else(|| code(ErrorCode::Internal, "an account without its call server"))
    }
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.row.currency.to_string())
    }
    async fn balance(&self) -> Money {
        self.row.balance.into()
    }
    async fn held(&self) -> Money {
        self.held.into()
    }
    async fn credit_limit(&self) -> Money {
        self.row.credit_limit.map_or_else(|| unlimited(self.row.currency), Money::from)
    }
    async fn available(&self) -> Result<Money, Error> {
        let Some(limit) = self.row.credit_limit else { return Ok(unlimited(self.row.currency)) };
        let available = self.row.balance.plus(limit).and_then(|sum| sum.minus(self.held));
        available.map(Money::from).map_err(|_| code(ErrorCode::Internal, "an account's amounts have no sum"))
    }
    /// Past its return windows, and not paid out: no part of the balance.
    async fn payable(&self) -> Money {
        self.row.payable.into()
    }
    /// On their way to the owner's bank, in the order in which they left. What came back is not in it.
    async fn payouts(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<PayoutConnection, Error> {
        let app = app(ctx);
        let list = format_args!("payouts of {}", self.row.id).to_string();
        let pager = Pager::<u128>::new(app, &self.eyes, list, &(), first, after)?;
        let rows = self.eyes.live(app).payouts(self.row.id);
        let (rows, more) = pager.slice(rows, |row| row.id.0, false);
        let shown = |row| Payout { account: self.row.clone(), row, eyes: self.eyes.clone() };
        let nodes = rows.into_iter().map(|row: PayoutRow| (row.id.0, shown(row)));
        Ok(PayoutConnection::page(&pager, (nodes.collect(), more)))
    }
    async fn holds(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<HoldConnection, Error> {
        let app = app(ctx);
        let list = format_args!("holds of {}", self.row.id).to_string();
        let pager = Pager::<u128>::new(app, &self.eyes, list, &(), first, after)?;
        let (rows, more) = pager.slice(self.holds.iter(), |hold| hold.held_for.number(), false);
        let mut nodes = Vec::with_capacity(rows.len());
        for row in rows {
            nodes.push((row.held_for.number(), Hold::of(app, &self.eyes, row).await?));
        }
        Ok(HoldConnection::page(&pager, (nodes, more)))
    }
    async fn postings(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<PostingConnection, Error> {
        let app = app(ctx);
        let list = format_args!("postings of {}", self.row.id).to_string();
        let pager = Pager::<PostingPosition>::new(app, &self.eyes, list, &(), first, after)?;
        fresh::caught_up(app).await?;
        // The chart has one path for an owner, whatever the call server and currency.
        let of = PostingsOf::Account(wallet_path(self.row.owner));
        let mut found = Vec::new();
        let mut at = pager.after.clone();
        loop {
            let (of, after, limit, house) = (of.clone(), at.clone(), pager.limit(), app.clone());
            let rows = blocking(move || house.history.postings(&of, after.as_ref(), limit)).await?;
            // In the order of time: what comes after the moment is not in it.
            let past = |row: &PostingRow| self.eyes.past.as_ref().is_some_and(|moment| row.at > moment.at);
            let ended = rows.len() < limit || rows.last().is_some_and(past);
            for row in rows {
                let position = PostingPosition::of(&row);
                at = Some(position.clone());
                let own = row.log == self.row.log && row.amount.currency() == self.row.currency;
                if own && self.eyes.reach(&row.log, row.seq) {
                    found.push((position, Posting::from(row)));
                }
            }
            if ended || found.len() > pager.first {
                return Ok(PostingConnection::page(&pager, pager.cut(found)));
            }
        }
    }
}

/// Money on its way to an owner's bank.
pub struct Payout {
    account: AccountRow,
    row: PayoutRow,
    eyes: Eyes,
}

connection!(PayoutConnection, PayoutEdge, Payout);

impl Payout {
    pub(crate) fn load(app: &App, viewer: &Actor, id: PayoutId) -> Option<Payout> {
        let (account, row) = app.live.payout(id)?;
        sees_money_of(viewer, account.owner).then(|| Payout { account, row, eyes: viewer.into() })
    }
}

#[Object]
impl Payout {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    /// That it left.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, Error> {
        Account::show(app(ctx), &self.eyes, self.account.clone()).await
    }
    async fn amount(&self) -> Money {
        self.row.amount.into()
    }
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    /// What the bank is told, and by which the payment is found again in its statements: ISO 11649, for ever the same.
    async fn reference(&self) -> String {
        reconcile::reference::issue(self.row.id.0)
    }
}

#[derive(SimpleObject)]
pub struct Hold {
    amount: Money,
    bid: Option<Bid>,
    since: DateTime,
    expires_at: Option<DateTime>,
}

connection!(HoldConnection, HoldEdge, Hold);

impl Hold {
    async fn of(app: &Arc<App>, eyes: &Eyes, row: &HoldRow) -> Result<Hold, Error> {
        let bid = match row.bid {
            Some(bid) => Bid::load(app, eyes, bid).await?,
            None => None,
        };
        let expires_at = row.expires_at.map(DateTime);
        Ok(Hold { amount: row.amount.into(), bid, since: DateTime(row.since), expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_limit_is_the_greatest_amount() {
        let amount = |code: &str| {
            let money = unlimited(code.parse().unwrap());
            serde_json::to_string(&async_graphql::Value::from(format!("{money:?}"))).unwrap()
        };
        assert!(amount("EUR").contains("999999999999999999.99"));
        assert!(amount("JPY").contains("999999999999999999)"));
        assert!(amount("CLF").contains("999999999999999999.9999"));
    }
}
