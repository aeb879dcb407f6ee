//! `callmarket replay auctions` and `replay sealed`: recorded bid histories through the same writer and
//! decisions as live ones. Each auction is one inquiry in a window of its own. The recorded price is
//! compared, never read by the rule. Columns and rules are explained beside the data that they came with.

use super::market::{Bid, Market};
use super::table::{Row, Table};
use super::{Failure, Found};
use clap::Args;
use domain::currency::Currency;
use domain::ids::AgentId;
use domain::money::Money;
use domain::terms::{AuctionFormat, AuctionRules, Direction, IncrementStep};
use domain::time::{Span, Timestamp};
use projections::history::History;
use projections::history::projector::Projector;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::backend::EventStore;
use store::folder::DataFolder;
use store::memory::MemoryStore;
use store::sqlite::SqliteStore;
use store::vault::Vault;

#[derive(Args)]
pub(crate) struct Files {
    /// The auctions
    #[arg(long)]
    auctions: PathBuf,
    /// The bids
    #[arg(long)]
    bids: PathBuf,
    /// A folder for the replayed market, which `serve` opens; must be new. Absent: kept in memory
    #[arg(long, env = "CALLMARKET_DATA")]
    data: Option<PathBuf>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Auctions {
    #[command(flatten)]
    files: Files,
}

#[derive(Args)]
pub(crate) struct Sealed {
    #[command(flatten)]
    files: Files,
}

impl Auctions {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        self.files.run(&PROXY)
    }
}
impl Sealed {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        self.files.run(&SEALED)
    }
}

/// Where the replayed market is kept; the folder is locked for as long as it is held.
type Opened = (Arc<dyn EventStore>, Vault, Option<DataFolder>);

/// What differs between the two kinds of history.
struct Kind {
    format: AuctionFormat,
    auction_columns: &'static [&'static str],
    bid_columns: &'static [&'static str],
    recorded: &'static str,
    amount: &'static str,
    opening: Option<&'static str>,
    days: Option<&'static str>,
    at: Option<&'static str>,
    bidder: Option<&'static str>,
    item: Option<&'static str>,
}

/// eBay's proxy bidding.
const PROXY: Kind = Kind {
    format: AuctionFormat::Proxy,
    auction_columns: &["auction_id", "item", "duration_days", "open_usd", "price_usd"],
    bid_columns: &["auction_id", "seq", "bid_usd", "bidtime_days", "bidder"],
    recorded: "price_usd",
    amount: "bid_usd",
    opening: Some("open_usd"),
    days: Some("duration_days"),
    at: Some("bidtime_days"),
    bidder: Some("bidder"),
    item: Some("item"),
};

/// Timber sales: one sealed bid each.
const SEALED: Kind = Kind {
    format: AuctionFormat::SealedFirstPrice,
    auction_columns: &["auction_id", "winning_bid"],
    bid_columns: &["auction_id", "seq", "bid"],
    recorded: "winning_bid",
    amount: "bid",
    opening: None,
    days: None,
    at: None,
    bidder: None,
    item: None,
};

/// Amounts of both kinds are in it; timber's unit is not documented and only compared with itself.
const CURRENCY: &str = "USD";
/// eBay's table: from this second-best bid upward the increment is that.
const INCREMENTS: [(&str, &str); 10] = [
    ("0.00", "0.05"),
    ("1.00", "0.25"),
    ("5.00", "0.50"),
    ("25.00", "1.00"),
    ("100.00", "2.50"),
    ("250.00", "5.00"),
    ("500.00", "10.00"),
    ("1000.00", "25.00"),
    ("2500.00", "50.00"),
    ("5000.00", "100.00"),
];
/// Where the turned clock begins: 2001-09-09T01:46:40Z.
const BEGINNING: Timestamp = Timestamp(1_000_000_000_000_000);
/// All windows together must end before today, so that `serve` can go on from there.
const ALL_WINDOWS_MAX: Span = Span::days(20 * 365);
/// Longer auctions are none.
const OPEN_FOR_MAX: Span = Span::days(30);
/// Between one auction's closing and the next one's opening.
const GAP: Span = Span::minutes(1);
/// Where the history records no times, bids come one a second.
const STEP: Span = Span::seconds(1);

struct Lot {
    id: String,
    title: String,
    opening: Option<Decimal>,
    /// As it stands in the file.
    recorded: String,
    duration: Span,
    bids: Vec<RecordedBid>,
}

struct RecordedBid {
    seq: u64,
    amount: Money,
    at: Span,
    bidder: Option<String>,
}

struct Mismatch {
    auction: String,
    recorded: String,
    replayed: Option<String>,
}

impl Files {
    fn run(self, kind: &Kind) -> Result<Found, Failure> {
        let started = Instant::now();
        let currency: Currency = CURRENCY.parse().expect("the constant is a currency");
        let (lots, unreadable) = self.read(kind, currency)?;
        let (store, vault, folder) = self.open()?;
        let total: i64 = lots.iter().map(|lot| lot.window().0).sum();
        // A long history is told faster, in the same order.
        let pace = (total / ALL_WINDOWS_MAX.0 + 1).max(pace_for_longest(&lots));

        let mut market = Market::open(store.clone(), vault, BEGINNING)?;
        let credit = Money::parse("999999999999999", currency).expect("the constant is an amount");
        let mut agents: HashMap<String, AgentId> = HashMap::new();
        let (mut accepted, mut refused, mut exact) = (0u64, 0u64, 0u64);
        let mut mismatches = Vec::new();
        let mut progress = Progress::new(lots.len());
        for lot in &lots {
            // Whoever was not met before is registered before the auction opens.
            let named = |bid: &RecordedBid| bid.bidder.clone().unwrap_or_else(|| format!("{}:{}", lot.id, bid.seq));
            let mut unknown: Vec<String> = Vec::new();
            for bid in &lot.bids {
                let name = named(bid);
                if !agents.contains_key(&name) && !unknown.contains(&name) {
                    unknown.push(name);
                }
            }
            for (name, agent) in unknown.iter().zip(market.register(&unknown, credit)?) {
                agents.insert(name.clone(), agent);
            }
            let opened = market.now();
            let open = market.offer(&lot.title, rules(kind, lot, currency, pace))?;
            let bids: Vec<_> =
                lot.bids.iter().map(|bid| (agents[&named(bid)], bid.amount, opened + Span(bid.at.0 / pace))).collect();
            for bid in market.bid(&open, &bids)? {
                match bid {
                    Bid::Accepted => accepted += 1,
                    Bid::Refused => refused += 1,
                }
            }
            let price = market.close(&open)?;
            if kind.bidder.is_none() {
                // Each bid was a different person's: nobody comes back.
                agents.clear();
            }
            match price {
                Some(price) if same(&lot.recorded, price) => exact += 1,
                None if lot.recorded.is_empty() => exact += 1,
                price => mismatches.push(Mismatch {
                    auction: lot.id.clone(),
                    recorded: lot.recorded.clone(),
                    replayed: price.map(|price| as_in_file(&lot.recorded, price)),
                }),
            }
            let next = market.now() + GAP;
            market.advance(next)?;
            progress.step();
        }
        market.finish()?;
        progress.end();
        if let Some(folder) = &folder {
            tell_history(folder, store.clone())?;
        }

        for row in &unreadable {
            eprintln!("{row}");
        }
        let bids = accepted + refused;
        let seconds = started.elapsed().as_secs_f64();
        if self.json {
            let rows: Vec<_> = mismatches
                .iter()
                .map(|row| json!({"auction": row.auction, "recorded": row.recorded, "replayed": row.replayed}))
                .collect();
            let seconds = (seconds * 1_000.0).round() / 1_000.0;
            let line = json!({
                "auctions": lots.len(), "bids": bids, "accepted": accepted, "refused": refused, "exact": exact,
                "mismatches": rows, "events": market.events(), "seconds": seconds,
            });
            println!("{line}");
        } else {
            for row in &mismatches {
                println!(
                    "{}: recorded {}, replayed {}",
                    row.auction,
                    row.recorded,
                    row.replayed.as_deref().unwrap_or("unsold")
                );
            }
            println!(
                "{} auctions, {bids} bids: {accepted} accepted, {refused} refused; {exact} prices exact, {} not; {} events in {seconds:.1} s",
                lots.len(),
                mismatches.len(),
                market.events(),
            );
        }
        // A price that differs is a finding about the history, and the point of the exercise; a row that
        // cannot be read is one about the file.
        Ok(if unreadable.is_empty() { Found::Nothing } else { Found::Something })
    }

    fn open(&self) -> Result<Opened, Failure> {
        match &self.data {
            None => Ok((Arc::new(MemoryStore::new()), Vault::in_memory()?, None)),
            Some(path) => {
                let folder = DataFolder::open(path)?;
                Ok((Arc::new(SqliteStore::open(&folder)?), Vault::open(&folder)?, Some(folder)))
            }
        }
    }

    /// Both files, bids in order; and every row that could not be read.
    fn read(&self, kind: &Kind, currency: Currency) -> Result<(Vec<Lot>, Vec<String>), Failure> {
        let mut auctions = Table::read(&self.auctions, kind.auction_columns)?;
        let mut lots: Vec<Lot> = Vec::new();
        let mut known: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for row in std::mem::take(&mut auctions.rows) {
            let id = auctions.cell(&row, "auction_id").to_owned();
            let read = match known.contains_key(&id) {
                true => Err(format!("auction {id} stands in the file twice")),
                false => read_lot(kind, &auctions, &row, &id, currency),
            };
            match read {
                Ok(lot) => {
                    known.insert(id, Some(lots.len()));
                    lots.push(lot);
                }
                Err(reason) => {
                    auctions.report(row.line, reason);
                    known.entry(id).or_insert(None);
                }
            }
        }
        let mut bids = Table::read(&self.bids, kind.bid_columns)?;
        for row in std::mem::take(&mut bids.rows) {
            let id = bids.cell(&row, "auction_id").to_owned();
            match known.get(&id) {
                Some(Some(at)) => match read_bid(kind, &bids, &row, currency) {
                    Ok(bid) => lots[*at].bids.push(bid),
                    Err(reason) => bids.report(row.line, reason),
                },
                // Its auction's row is reported already.
                Some(None) => {}
                None => bids.report(row.line, format!("auction {id} is not in the auctions' file")),
            }
        }
        for lot in &mut lots {
            lot.bids.sort_by_key(|bid| bid.seq);
            // Times follow the recorded order: where they do not, the order counts.
            let mut latest = Span::ZERO;
            for bid in &mut lot.bids {
                latest = latest.max(bid.at);
                bid.at = latest;
            }
        }
        let mut unreadable = auctions.unreadable;
        unreadable.append(&mut bids.unreadable);
        Ok((lots, unreadable))
    }
}

/// Folds the history views up to the logs' ends, so that `serve` answers lists at once.
fn tell_history(folder: &DataFolder, store: Arc<dyn EventStore>) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let history = Arc::new(History::open(&folder.history())?);
    let projector = Projector::start(history.clone(), store.clone())?;
    for log in store.logs()? {
        let Some(head) = store.head(&log)? else { continue };
        while !history.wait_for(&log, head.seq, PATIENCE) {
            let status = projector.status();
            if !status.is_well() {
                return Err(format!("the history views cannot be written: {status:?}").into());
            }
        }
    }
    projector.stop();
    Ok(())
}

fn read_lot(kind: &Kind, table: &Table, row: &Row, id: &str, currency: Currency) -> Result<Lot, String> {
    if id.is_empty() {
        return Err("auction_id is empty".to_owned());
    }
    let recorded = table.cell(row, kind.recorded);
    if !recorded.is_empty() {
        amount(kind.recorded, recorded, currency)?;
    }
    let opening = match kind.opening {
        // An opening of zero is none: the smallest amount opens.
        Some(column) => {
            Some(amount(column, table.cell(row, column), currency)?.amount()).filter(|opening| !opening.is_zero())
        }
        None => None,
    };
    let duration = kind.days.map_or(Ok(Span::ZERO), |column| days(column, table.cell(row, column)))?;
    let item = kind.item.map_or("Sale", |column| table.cell(row, column));
    let title: String = format!("{} {id}", if item.is_empty() { "Auction" } else { item })
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Ok(Lot { id: id.to_owned(), title, opening, recorded: recorded.to_owned(), duration, bids: Vec::new() })
}

fn read_bid(kind: &Kind, table: &Table, row: &Row, currency: Currency) -> Result<RecordedBid, String> {
    let seq = table.cell(row, "seq").parse().map_err(|_| "seq is no whole number".to_owned())?;
    let amount = amount(kind.amount, table.cell(row, kind.amount), currency)?;
    let at = match kind.at {
        Some(column) => days(column, table.cell(row, column))?,
        None => Span(STEP.0.saturating_mul(i64::try_from(seq).unwrap_or(i64::MAX)).min(Span::days(1).0)),
    };
    let bidder = kind.bidder.map(|column| table.cell(row, column)).filter(|name| !name.is_empty());
    Ok(RecordedBid { seq, amount, at, bidder: bidder.map(str::to_owned) })
}

fn amount(column: &str, text: &str, currency: Currency) -> Result<Money, String> {
    let money = Money::parse(text, currency).map_err(|error| format!("{column} {text:?}: {error}"))?;
    if money.is_negative() {
        return Err(format!("{column} {text:?}: negative"));
    }
    Ok(money)
}

/// Days with a fraction, to the microsecond; at most 30 of them.
fn days(column: &str, text: &str) -> Result<Span, String> {
    let wrong = || format!("{column} {text:?}: not a number of days from 0 to 30");
    let days = Decimal::from_str_exact(text).map_err(|_| wrong())?;
    if days.is_sign_negative() || days > Decimal::from(30) {
        return Err(wrong());
    }
    let micros = (days * Decimal::from(Span::days(1).0)).round().to_i64().ok_or_else(wrong)?;
    Ok(Span(micros))
}

impl Lot {
    /// How long the auction stays open: a recorded bid at the very end is still in time.
    fn open_for(&self) -> Span {
        let last = self.bids.last().map_or(Span::ZERO, |bid| bid.at);
        Span(self.duration.max(last).0 + Span::seconds(1).0)
    }
    fn window(&self) -> Span {
        Span(self.open_for().0 + GAP.0)
    }
}

/// How much faster the longest auction must be told to close in time with its last bid in it.
fn pace_for_longest(lots: &[Lot]) -> i64 {
    let longest = lots.iter().map(|lot| lot.open_for().0).max().unwrap_or(0);
    let room = OPEN_FOR_MAX.0 - Span::seconds(1).0;
    (longest + room - 1).div_euclid(room).max(1)
}

fn rules(kind: &Kind, lot: &Lot, currency: Currency, pace: i64) -> AuctionRules {
    let step = |(from, by): &(&str, &str)| IncrementStep {
        by: by.parse().expect("the table holds numbers"),
        from: from.parse().expect("the table holds numbers"),
    };
    AuctionRules {
        buy_now: None,
        currency,
        direction: Direction::Forward,
        format: kind.format,
        hard_close: None,
        increment: if kind.format == AuctionFormat::Proxy { INCREMENTS.iter().map(step).collect() } else { vec![] },
        // Never under a second, and always past the last bid.
        open_for: Span(lot.open_for().0 / pace + Span::seconds(1).0),
        reserve: None,
        reserve_hidden: false,
        rounds: 1,
        soft_close: None,
        starting_price: lot.opening,
    }
}

fn same(recorded: &str, price: Money) -> bool {
    Decimal::from_str_exact(recorded).is_ok_and(|recorded| recorded == price.amount())
}

/// The amount with as many decimals as the recorded one, where that loses nothing.
fn as_in_file(recorded: &str, price: Money) -> String {
    let decimals = recorded.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u32);
    let mut shown = price.amount();
    shown.rescale(decimals);
    if shown == price.amount() { shown.to_string() } else { price.amount().to_string() }
}

/// A count on standard error, where somebody watches.
struct Progress {
    done: usize,
    total: usize,
    shown: Option<Instant>,
}

impl Progress {
    fn new(total: usize) -> Progress {
        Progress { done: 0, total, shown: std::io::stderr().is_terminal().then(Instant::now) }
    }
    fn step(&mut self) {
        self.done += 1;
        if let Some(shown) = self.shown
            && shown.elapsed().as_millis() > 100
        {
            let percent = self.done * 100 / self.total.max(1);
            eprint!("\r{percent:3} % of {} auctions", self.total);
            let _ = std::io::stderr().flush();
            self.shown = Some(Instant::now());
        }
    }
    fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_auction_still_takes_its_last_bid() {
        let currency: Currency = CURRENCY.parse().unwrap();
        for length in [Span::ZERO, Span::days(7), Span(Span::days(30).0 - 1), Span::days(30)] {
            let bid = RecordedBid { seq: 1, amount: Money::parse("1", currency).unwrap(), at: length, bidder: None };
            let lot = Lot {
                id: "1".into(),
                title: "Lot".into(),
                opening: None,
                recorded: "1".into(),
                duration: length,
                bids: vec![bid],
            };
            let pace = pace_for_longest(std::slice::from_ref(&lot));
            let open_for = rules(&PROXY, &lot, currency, pace).open_for;
            assert!(open_for <= OPEN_FOR_MAX && length.0 / pace < open_for.0, "{length:?} at {pace}: {open_for:?}");
        }
    }
}
