//! The books: journal entries, and what they add up to. For finance and operators; to others they are absent.
//!
//! Not here: whose money moved why (settlements and accounts), and how balances of the past are found (`balance`).

use super::connection::{Key, Pager, connection};
use super::eyes::Eyes;
use super::fresh;
use super::money::Money;
use super::settlement::Posting;
use crate::app::{App, blocking};
use crate::balance::{Balance, balance};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use async_graphql::{Context, Error, ID, InputObject, Object, SimpleObject};
use domain::actor::Actor;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::journal::{EntryPosted, JournalEvent};
use domain::log::LogName;
use domain::time::Timestamp;
use projections::history::HistoryError;
use projections::history::journal::{self, EntryPlace};
use projections::live::books::{AccountKey, Books, Total};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use store::backend::EventStore;
use store::raw::Hex;
use store::recorded::Recorded;

/// Whether the viewer sees the books.
fn sees_books(viewer: &Actor) -> bool {
    match viewer {
        Actor::Finance(_) | Actor::Operator(_) => true,
        Actor::Agent(_) | Actor::Provider(_) | Actor::Customer(_) | Actor::Anonymous | Actor::System => false,
    }
}

/// `account`: a path of the chart, with a posting to which an entry is taken. `from` (inclusive) and `to` (exclusive) are of when the money moved.
#[derive(InputObject, Clone, Debug, Default)]
pub struct JournalFilter {
    account: Option<String>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

/// One event that moved money, in the books. Its postings sum to zero in each currency.
pub struct JournalEntry {
    seq: domain::log::Seq,
    booked_at: Timestamp,
    entry: EntryPosted,
}

connection!(JournalConnection, JournalEdge, JournalEntry);

impl JournalEntry {
    /// In the order of the money. History has all of them once it has caught up.
    pub(crate) async fn list(
        app: &Arc<App>,
        eyes: &Eyes,
        filter: JournalFilter,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<JournalConnection, Error> {
        let pager = Pager::<EntryPlace>::new(app, eyes, "journal", &filter, first, after)?;
        let known = eyes.live(app).books(|known, _| known);
        let (true, Some(known)) = (sees_books(&eyes.viewer), known) else {
            return Ok(JournalConnection::page(&pager, (Vec::new(), false)));
        };
        fresh::caught_up_with(app, &LogName::treasury()).await?;
        let wanted = journal::JournalFilter {
            account: filter.account,
            from: filter.from.map(|DateTime(at)| at),
            to: filter.to.map(|DateTime(at)| at),
            known: Some(known),
        };
        let (house, after, limit) = (app.clone(), pager.after, pager.limit());
        let entries = blocking(move || {
            let places = house.history.journal(&wanted, after, limit)?;
            read_entries(&*house.store, places)
        });
        Ok(JournalConnection::page(&pager, pager.cut(entries.await?)))
    }
}

/// The entries at these places, in their order.
fn read_entries(
    store: &dyn EventStore,
    places: Vec<EntryPlace>,
) -> Result<Vec<(EntryPlace, JournalEntry)>, HistoryError> {
    let log = LogName::treasury();
    let mut seqs: Vec<_> = places.iter().map(|place| place.seq).collect();
    seqs.sort_unstable();
    let mut found = BTreeMap::new();
    for raw in store.read_at(&log, &seqs)? {
        let recorded = Recorded::open(&log, raw)?;
        if let Event::Journal(JournalEvent::EntryPosted(entry)) = recorded.event {
            found.insert(recorded.seq, JournalEntry { seq: recorded.seq, booked_at: recorded.time, entry });
        }
    }
    Ok(places.into_iter().filter_map(|place| Some((place, found.remove(&place.seq)?))).collect())
}

#[Object]
impl JournalEntry {
    /// From 1, without gaps, in the order of `seq`.
    async fn number(&self) -> Seq {
        Seq(self.entry.number)
    }
    /// Position in `treasury`.
    async fn seq(&self) -> Seq {
        Seq(self.seq)
    }
    /// When the money moved.
    async fn at(&self) -> DateTime {
        DateTime(self.entry.at)
    }
    /// When the books learned of it.
    async fn booked_at(&self) -> DateTime {
        DateTime(self.booked_at)
    }
    /// The settlement, or the account that was credited.
    async fn about(&self) -> ID {
        self.entry.about.to_string().into()
    }
    async fn source(&self) -> JournalSource {
        JournalSource {
            log: self.entry.source.log.to_string(),
            seq: Seq(self.entry.source.seq),
            hash: self.entry.source.hash.clone(),
        }
    }
    async fn postings(&self) -> Vec<Posting> {
        Posting::of_entry(&self.entry)
    }
}

/// The event that moved the money: its log, position and chain hash.
#[derive(SimpleObject)]
pub struct JournalSource {
    log: String,
    seq: Seq,
    hash: String,
}

/// What stands in each account. Debit positive.
pub struct TrialBalance {
    balance: Arc<Balance>,
    until: Option<Timestamp>,
    eyes: Eyes,
}

impl TrialBalance {
    /// `until`: exclusive, of when the money moved.
    pub(crate) async fn load(
        app: &Arc<App>,
        eyes: &Eyes,
        until: Option<DateTime>,
    ) -> Result<Option<TrialBalance>, Error> {
        if !sees_books(&eyes.viewer) {
            return Ok(None);
        }
        let until = until.map(|DateTime(at)| at);
        let balance = balance(app, eyes, until).await?;
        Ok(balance.map(|balance| TrialBalance { balance: Arc::new(balance), until, eyes: eyes.clone() }))
    }
}

#[Object]
impl TrialBalance {
    /// Position in `treasury` up to which it was known.
    async fn seq(&self) -> Seq {
        Seq(self.balance.known)
    }
    /// Journal entries that are in it.
    async fn entries(&self) -> Seq {
        Seq(self.balance.entries)
    }
    /// Of each currency; debit and credit are equal.
    async fn totals(&self) -> Result<Vec<TrialBalanceTotal>, Error> {
        let totals = self.balance.books.totals().map_err(|error| Error::new(error.to_string()))?;
        let shown = |(currency, total): (Currency, Total)| TrialBalanceTotal {
            debit: Money::of(total.debit, currency),
            credit: Money::of(total.credit, currency),
        };
        Ok(totals.into_iter().map(shown).collect())
    }
    /// Accounts that have a balance, by path and currency.
    async fn lines(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<TrialBalanceLineConnection, Error> {
        let list = format!("trial balance until {:?}", self.until.map(|at| at.0));
        let pager = Pager::<AccountKey>::new(app(ctx), &self.eyes, list, &(), first, after)?;
        let lines = self.balance.books.balances(pager.after.as_ref()).take(pager.limit());
        let lines = lines.map(|(key, amount)| {
            let line = TrialBalanceLine { account: key.0.to_string(), balance: Money::of(amount, key.1) };
            (key.clone(), line)
        });
        let lines = lines.collect();
        Ok(TrialBalanceLineConnection::page(&pager, pager.cut(lines)))
    }
    /// SHA-256 of all lines, each `account`, tab, currency, tab, amount, newline: equal where the balances are.
    async fn sha256(&self) -> String {
        Hex(&digest(&self.balance.books)).to_string()
    }
}

fn digest(books: &Books) -> [u8; 32] {
    let mut lines = String::new();
    for ((account, currency), mut amount) in books.balances(None) {
        amount.rescale(currency.exponent());
        let _ = writeln!(lines, "{account}\t{currency}\t{amount}");
    }
    Sha256::digest(lines).into()
}

/// Of the accounts with a debit balance, and of those with a credit balance, as positive amounts.
#[derive(SimpleObject)]
pub struct TrialBalanceTotal {
    debit: Money,
    credit: Money,
}

#[derive(SimpleObject)]
pub struct TrialBalanceLine {
    /// Path in the chart of accounts.
    account: String,
    balance: Money,
}

connection!(TrialBalanceLineConnection, TrialBalanceLineEdge, TrialBalanceLine);

impl Key for EntryPlace {
    fn write(&self) -> Vec<u8> {
        [self.at.0.to_be_bytes(), self.seq.to_be_bytes()].concat()
    }
    fn read(bytes: &[u8]) -> Option<EntryPlace> {
        let (at, seq) = bytes.split_first_chunk::<8>()?;
        Some(EntryPlace { at: Timestamp(i64::from_be_bytes(*at)), seq: u64::read(seq)? })
    }
}

impl Key for AccountKey {
    fn write(&self) -> Vec<u8> {
        format!("{} {}", self.1, self.0).into_bytes()
    }
    fn read(bytes: &[u8]) -> Option<AccountKey> {
        let (currency, account) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        Some((account.into(), currency.parse().ok()?))
    }
}
