//! `callmarket export journal`: the books as other programs read them: hledger (which ledger reads as well), beancount,
//! and CSV with a row for each posting.
//!
//! Promises: the same bytes from the same log up to the same position; entries stand in the order of their money, so that
//! dates never go back; amounts are exact, at their currency's exponent; what is exported holds its own proof: each
//! posting for hledger asserts the balance that our own fold has there, beancount's file asserts all of them at its end.
//!
//! Not here: what an entry is (`domain::books`), the trial balance (GraphQL).

use super::{Failure, Found, Misuse, Place};
use crate::graphql::scalars::DateTime;
use clap::{Args, ValueEnum};
use domain::currency::Currency;
use domain::event::Event;
use domain::event::journal::{EntryPosted, JournalEvent};
use domain::event::settlement::Leg;
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::time::{Span, Timestamp};
use projections::live::books::Books;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, ErrorKind, Write, stdout};
use store::backend::EventStore;
use store::recorded::Recorded;
use store::sqlite::SqliteStore;

/// Events read at once.
const PAGE: usize = 1_024;

#[derive(Args)]
pub(crate) struct Journal {
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum)]
    format: Format,
    /// The first day (UTC), as 2026-11-01, or an instant: what moved before is one opening entry (CSV: left out)
    #[arg(long)]
    from: Option<String>,
    /// The first day (UTC), or instant, that is left out
    #[arg(long)]
    to: Option<String>,
    /// As it was known at this position of the log `treasury`
    #[arg(long)]
    known: Option<Seq>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Hledger,
    Beancount,
    Csv,
}

/// What is written, before anything of it is.
struct Extent {
    /// When the money moved, and where the entry stands; in the journal's order.
    entries: Vec<(Timestamp, Seq)>,
    /// What had moved before the first of them, and when that begins.
    opening: Option<(Timestamp, Books)>,
    /// Of all these, with the day of the first entry that meets them.
    accounts: BTreeMap<String, String>,
    currencies: BTreeSet<Currency>,
}

impl Journal {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let (from, to) = (instant("--from", self.from.as_deref())?, instant("--to", self.to.as_deref())?);
        let store = SqliteStore::open(&self.place.beside()?)?;
        let extent = extent(&store, from, to, self.known)?;
        let mut out = BufWriter::new(stdout().lock());
        let written = match self.format {
            Format::Hledger => hledger(&store, &extent, &mut out),
            Format::Beancount => beancount(&store, &extent, &mut out),
            Format::Csv => csv(&store, &extent, &mut out),
        };
        match written.and_then(|()| Ok(out.flush()?)) {
            // Whoever reads has seen enough.
            Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => {
                Ok(Found::Nothing)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(Found::Nothing),
        }
    }
}

/// A day begins at midnight UTC.
fn instant(option: &str, given: Option<&str>) -> Result<Option<Timestamp>, Misuse> {
    let Some(text) = given else { return Ok(None) };
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let read = match day() {
        Some(day) => Some(day.timestamp()),
        None => text.parse::<jiff::Timestamp>().ok(),
    };
    let read = read.ok_or_else(|| Misuse(format!("{option} {text}: a day such as 2026-11-01, or an instant")))?;
    Ok(Some(Timestamp(read.as_microsecond())))
}

fn day(at: Timestamp) -> String {
    DateTime(at).to_string().chars().take(10).collect()
}

/// Reads the log once, and keeps of each entry where it stands.
fn extent(
    store: &dyn EventStore,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    known: Option<Seq>,
) -> Result<Extent, Failure> {
    let log = LogName::treasury();
    let mut entries = Vec::new();
    let mut accounts: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut currencies = BTreeSet::new();
    let mut opening = Books::default();
    let mut next: Seq = 0;
    'log: loop {
        let page = store.read(&log, next, PAGE)?;
        let is_last = page.len() < PAGE;
        for raw in page {
            next = raw.seq + 1;
            if known.is_some_and(|known| raw.seq > known) {
                break 'log;
            }
            let Event::Journal(JournalEvent::EntryPosted(entry)) = Recorded::open(&log, raw)?.event else { continue };
            if to.is_some_and(|to| entry.at >= to) {
                continue;
            }
            let at = from.map_or(entry.at, |from| entry.at.max(from));
            for leg in &entry.legs {
                let first = accounts.entry(leg.account.clone()).or_insert(at);
                *first = at.min(*first);
                currencies.insert(leg.amount.currency());
            }
            match from {
                Some(from) if entry.at < from => opening.add(&entry.legs)?,
                _ => entries.push((entry.at, next - 1)),
            }
        }
        if is_last {
            break;
        }
    }
    entries.sort_unstable();
    let accounts = accounts.into_iter().map(|(path, first)| (path, day(first))).collect();
    Ok(Extent { entries, opening: from.map(|from| (from, opening)), accounts, currencies })
}

/// Each entry, in the journal's order.
fn each(
    store: &dyn EventStore,
    extent: &Extent,
    mut write: impl FnMut(&Recorded, &EntryPosted) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let log = LogName::treasury();
    for places in extent.entries.chunks(PAGE) {
        let mut seqs: Vec<Seq> = places.iter().map(|(_, seq)| *seq).collect();
        seqs.sort_unstable();
        let mut found = BTreeMap::new();
        for raw in store.read_at(&log, &seqs)? {
            let recorded = Recorded::open(&log, raw)?;
            found.insert(recorded.seq, recorded);
        }
        for (_, seq) in places {
            if let Some(recorded) = found.get(seq)
                && let Event::Journal(JournalEvent::EntryPosted(entry)) = &recorded.event
            {
                write(recorded, entry)?;
            }
        }
    }
    Ok(())
}

/// At the currency's exponent.
fn shown(mut amount: Decimal, currency: Currency) -> String {
    amount.rescale(currency.exponent());
    amount.to_string()
}

/// The opening balances as an entry's legs.
fn opened(opening: &Books) -> Result<Vec<Leg>, Failure> {
    let leg = |((account, currency), amount): (&(std::sync::Arc<str>, Currency), Decimal)| {
        let amount = Money::new(amount, *currency)?;
        Ok(Leg { account: account.to_string(), amount, rule: "opening/1".to_owned() })
    };
    opening.balances(None).map(leg).collect()
}

/// Account and currency declarations, so that strict checks pass; two spaces before an amount, since with one the
/// amount becomes a part of the account's name.
fn hledger(store: &dyn EventStore, extent: &Extent, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "; callmarket export journal. Debit positive; each posting asserts its account's balance.")?;
    for currency in &extent.currencies {
        writeln!(out, "commodity {currency}")?;
        // Of a currency without decimals no form is taken by both programs.
        if currency.exponent() > 0 {
            writeln!(out, "    format 1000.{} {currency}", "0".repeat(currency.exponent() as usize))?;
        }
    }
    for account in extent.accounts.keys() {
        writeln!(out, "account {account}")?;
    }
    let mut books = Books::default();
    let mut post = |out: &mut dyn Write, legs: &[Leg]| -> Result<(), Failure> {
        for leg in legs {
            books.add(std::slice::from_ref(leg))?;
            let currency = leg.amount.currency();
            let balance = shown(books.balance(&leg.account, currency), currency);
            let amount = shown(leg.amount.amount(), currency);
            writeln!(out, "    {}  {amount} {currency} = {balance} {currency}", leg.account)?;
        }
        Ok(())
    };
    if let Some((from, opening)) = &extent.opening {
        let legs = opened(opening)?;
        if !legs.is_empty() {
            writeln!(out, "\n{} opening balances", day(*from))?;
            post(out, &legs)?;
        }
    }
    each(store, extent, |_, entry| {
        let rule = entry.legs.first().map_or("", |leg| leg.rule.as_str());
        writeln!(out, "\n{} ({}) {rule} {}", day(entry.at), entry.number, entry.about)?;
        writeln!(out, "    ; {} {} {}", entry.source.log, entry.source.seq, entry.source.hash)?;
        post(out, &entry.legs)
    })
}

/// `liabilities:agent:agt_01…:wallet` as beancount takes it: `Liabilities:Agent:Agt-01…:Wallet`.
fn capital(account: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).map(|letter| if letter == '_' { '-' } else { letter }).collect::<String>()
    };
    account.split(':').map(part).collect::<Vec<_>>().join(":")
}

/// With tolerance 0: as it comes, beancount lets half a cent slip.
fn beancount(store: &dyn EventStore, extent: &Extent, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, ";; callmarket export journal. Debit positive; the balances at the end are what our own fold has.")?;
    writeln!(out, "option \"tolerance_multiplier\" \"0\"")?;
    for (account, first) in &extent.accounts {
        writeln!(out, "{first} open {}", capital(account))?;
    }
    let mut books = Books::default();
    let mut last = None;
    let mut post = |out: &mut dyn Write, at: Timestamp, legs: &[Leg]| -> Result<(), Failure> {
        last = Some(at);
        books.add(legs)?;
        for leg in legs {
            let currency = leg.amount.currency();
            writeln!(out, "  {}  {} {currency}", capital(&leg.account), shown(leg.amount.amount(), currency))?;
        }
        Ok(())
    };
    if let Some((from, opening)) = &extent.opening {
        let legs = opened(opening)?;
        if !legs.is_empty() {
            writeln!(out, "\n{} * \"opening balances\"", day(*from))?;
            post(out, *from, &legs)?;
        }
    }
    each(store, extent, |_, entry| {
        let rule = entry.legs.first().map_or("", |leg| leg.rule.as_str());
        writeln!(out, "\n{} * \"{rule}\" \"{}\"", day(entry.at), entry.about)?;
        writeln!(out, "  number: {}", entry.number)?;
        writeln!(out, "  source: \"{} {} {}\"", entry.source.log, entry.source.seq, entry.source.hash)?;
        post(out, entry.at, &entry.legs)
    })?;
    // Beancount looks at a balance as a day begins.
    if let Some(last) = last {
        let after = day(Timestamp(last.0 + Span::days(1).0));
        writeln!(out)?;
        for ((account, currency), amount) in books.balances(None) {
            writeln!(out, "{after} balance {}  {} {currency}", capital(account), shown(amount, *currency))?;
        }
    }
    Ok(())
}

fn csv(store: &dyn EventStore, extent: &Extent, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record([
        "number",
        "seq",
        "at",
        "booked_at",
        "about",
        "log",
        "log_seq",
        "log_hash",
        "leg",
        "account",
        "amount",
        "currency",
        "rule",
    ])?;
    each(store, extent, |recorded, entry| {
        for (number, leg) in entry.legs.iter().enumerate() {
            let currency = leg.amount.currency();
            table.write_record([
                entry.number.to_string().as_str(),
                &recorded.seq.to_string(),
                &DateTime(entry.at).to_string(),
                &DateTime(recorded.time).to_string(),
                &entry.about.to_string(),
                entry.source.log.as_str(),
                &entry.source.seq.to_string(),
                &entry.source.hash,
                &number.to_string(),
                &leg.account,
                &shown(leg.amount.amount(), currency),
                currency.code(),
                &leg.rule,
            ])?;
        }
        Ok(())
    })?;
    table.flush()?;
    Ok(())
}
