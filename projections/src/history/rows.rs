//! The rows that lists give, and how their columns read back: ids and names through `FromStr`, closed
//! sets of words through serde, money at its currency's exponent. A column that does not read back is a
//! damaged file, and says so as an SQL error.
//!
//! Not here: what a viewer may see of a row, and bids, which are read from the log.

use domain::currency::Currency;
use domain::ids::{
    AccountId, AgentId, AuctionId, BidId, CustomerId, EventId, InquiryId, OfferId, PostingId, ProviderId, SettlementId,
    Subject,
};
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::terms::{AuctionFormat, ChannelKind, Direction};
use domain::time::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, ToSql};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InquiryState {
    Queued,
    InAuction,
    Reserved,
    Engaged,
    WrapUp,
    Completed,
    Withdrawn,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuctionState {
    Open,
    Awarded,
    Unsold,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SettlementState {
    Escrowed,
    Pending,
    Payable,
    Refunded,
    Released,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryRow {
    pub id: InquiryId,
    pub offer: OfferId,
    pub revision: u32,
    pub provider: ProviderId,
    pub call_server: LogName,
    pub state: InquiryState,
    pub customer: CustomerId,
    pub channel: ChannelKind,
    pub accepted_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuctionRow {
    pub id: AuctionId,
    pub inquiry: InquiryId,
    pub call_server: LogName,
    pub round: u32,
    pub state: AuctionState,
    pub direction: Direction,
    pub format: AuctionFormat,
    pub currency: Currency,
    pub opened_at: Timestamp,
    pub closes_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub winner: Option<AgentId>,
    pub clearing_price: Option<Money>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementRow {
    pub id: SettlementId,
    pub inquiry: InquiryId,
    pub bid: Option<BidId>,
    pub state: SettlementState,
    pub direction: Direction,
    pub price: Money,
    /// What of it was not given back.
    pub left: Money,
    /// An agent or a provider.
    pub payer: Subject,
    pub payee: Subject,
    /// When the state began, and the event that began it.
    pub at: Timestamp,
    pub log: LogName,
    pub seq: Seq,
}

/// One leg of a transaction. Debit positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingRow {
    pub id: PostingId,
    /// The event whose legs sum to zero.
    pub transaction: EventId,
    pub settlement: Option<SettlementId>,
    pub wallet: Option<AccountId>,
    pub leg: u32,
    pub at: Timestamp,
    pub account: String,
    pub amount: Money,
    pub rule: String,
    pub log: LogName,
    pub seq: Seq,
}

/// A column that is the text form of `T`.
pub(super) struct Text<T>(pub(super) T);

impl<T: FromStr> FromSql for Text<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Text<T>> {
        value.as_str()?.parse().map(Text).map_err(|_| FromSqlError::InvalidType)
    }
}

/// A column that is one word of a closed set, as serde spells it.
pub(super) struct Word<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Word<T>> {
        let word = serde_json::Value::String(value.as_str()?.to_owned());
        serde_json::from_value(word).map(Word).map_err(|_| FromSqlError::InvalidType)
    }
}

/// A position or a count. SQLite's integers end at 2^63, which no log reaches.
pub(super) struct Whole(pub(super) u64);

impl ToSql for Whole {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let signed = i64::try_from(self.0).map_err(|source| rusqlite::Error::ToSqlConversionFailure(source.into()))?;
        Ok(signed.into())
    }
}
impl FromSql for Whole {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Whole> {
        let signed = value.as_i64()?;
        signed.try_into().map(Whole).map_err(|_| FromSqlError::OutOfRange(signed))
    }
}

/// The word that `Word` reads back.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("closed sets are spelled as one word"),
    }
}

pub(super) fn text<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    row.get::<_, Text<T>>(column).map(|Text(value)| value)
}
fn text_if<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Text<T>>>(column)?.map(|Text(value)| value))
}
fn closed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    row.get::<_, Word<T>>(column).map(|Word(value)| value)
}
fn whole(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, Whole>(column).map(|Whole(value)| value)
}
fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp)
}
fn money_if(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Money>> {
    let Some(amount) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let at = row.as_ref().column_index(column)?;
    let bad = |source| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(source));
    Money::parse(&amount, text(row, "currency")?).map(Some).map_err(bad)
}
fn money(row: &Row<'_>, column: &str) -> rusqlite::Result<Money> {
    let at = row.as_ref().column_index(column)?;
    money_if(row, column)?.ok_or_else(|| rusqlite::Error::InvalidColumnType(at, column.to_owned(), Type::Null))
}

pub(super) fn inquiry(row: &Row<'_>) -> rusqlite::Result<InquiryRow> {
    Ok(InquiryRow {
        id: text(row, "id")?,
        offer: text(row, "offer")?,
        revision: row.get("revision")?,
        provider: text(row, "provider")?,
        call_server: text(row, "call_server")?,
        state: closed(row, "state")?,
        customer: text(row, "customer")?,
        channel: closed(row, "channel")?,
        accepted_at: time(row, "accepted_at")?,
        closed_at: row.get::<_, Option<i64>>("closed_at")?.map(Timestamp),
    })
}

pub(super) fn auction(row: &Row<'_>) -> rusqlite::Result<AuctionRow> {
    Ok(AuctionRow {
        id: text(row, "id")?,
        inquiry: text(row, "inquiry")?,
        call_server: text(row, "call_server")?,
        round: row.get("round")?,
        state: closed(row, "state")?,
        direction: closed(row, "direction")?,
        format: closed(row, "format")?,
        currency: text(row, "currency")?,
        opened_at: time(row, "opened_at")?,
        closes_at: time(row, "closes_at")?,
        closed_at: row.get::<_, Option<i64>>("closed_at")?.map(Timestamp),
        winner: text_if(row, "winner")?,
        clearing_price: money_if(row, "clearing_price")?,
    })
}

pub(super) fn settlement(row: &Row<'_>) -> rusqlite::Result<SettlementRow> {
    Ok(SettlementRow {
        id: text(row, "id")?,
        inquiry: text(row, "inquiry")?,
        bid: text_if(row, "bid")?,
        state: closed(row, "state")?,
        direction: closed(row, "direction")?,
        price: money(row, "price")?,
        left: money(row, "left")?,
        payer: text(row, "payer")?,
        payee: text(row, "payee")?,
        at: time(row, "at")?,
        log: text(row, "log")?,
        seq: whole(row, "seq")?,
    })
}

pub(super) fn posting(row: &Row<'_>) -> rusqlite::Result<PostingRow> {
    Ok(PostingRow {
        id: text(row, "id")?,
        transaction: text(row, "txn")?,
        settlement: text_if(row, "settlement")?,
        wallet: text_if(row, "wallet")?,
        leg: row.get("leg")?,
        at: time(row, "at")?,
        account: row.get("account")?,
        amount: money(row, "amount")?,
        rule: row.get("rule")?,
        log: text(row, "log")?,
        seq: whole(row, "seq")?,
    })
}
