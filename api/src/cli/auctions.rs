//! `callmarket replay auctions` and `replay sealed`: recorded bid histories through the same writer and
//! decisions as live ones. Each auction is one inquiry in a window of its own. The recorded price is
//! compared, never read by the rule. Columns and rules are explained beside the data that they came with.

use super::market::{Bid, Market, unlimited};
use super::progress::Progress;
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
use std::collections::{BTreeMap, HashMap, HashSet};
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
/// No window is shorter.
const OPEN_FOR_MIN: Span = Span::seconds(1);
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
    /// A bid at its end or after is late.
    duration: Span,
    /// In the order in which they are placed, the late ones last.
    bids: Vec<RecordedBid>,
}

struct RecordedBid {
    seq: u64,
    amount: Money,
    at: Span,
    bidder: Bidder,
}

/// Whose a recorded bid is.
#[derive(PartialEq, Eq, Hash)]
enum Bidder {
    /// The same person in every auction.
    Named(String),
    /// Somebody who made this bid and no other, known by its row among the bids.
    Hidden(usize),
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
        let pace = total / ALL_WINDOWS_MAX.0 + 1;

        let mut market = Market::open(store.clone(), vault, BEGINNING)?;
        let mut agents: HashMap<String, AgentId> = HashMap::new();
        let (mut accepted, mut refused, mut late, mut exact) = (0u64, 0u64, 0u64, 0u64);
        let mut mismatches = Vec::new();
        let mut progress = Progress::new(lots.len(), "auctions");
        for lot in &lots {
            let bidders = register(&mut market, lot, &mut agents, unlimited(currency))?;
            let opened = market.now();
            let open = market.offer(&lot.title, rules(kind, lot, currency, pace))?;
            let bids: Vec<_> = bidders
                .into_iter()
                .zip(&lot.bids)
                .map(|(agent, bid)| (agent, bid.amount, opened + lot.placed_at(bid, pace)))
                .collect();
            for (bid, answer) in lot.bids.iter().zip(market.bid(&open, &bids)?) {
                if (answer == Bid::Late) != lot.is_late(bid) {
                    return Err(format!("auction {}, bid {}: {answer:?} at {:?}", lot.id, bid.seq, bid.at).into());
                }
                match answer {
                    Bid::Accepted => accepted += 1,
                    Bid::Refused => refused += 1,
                    Bid::Late => late += 1,
                }
            }
            let price = market.close(&open)?;
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
        refused += late;
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
            let late = if late == 0 { String::new() } else { format!(" ({late} at or after the end)") };
            println!(
                "{} auctions, {bids} bids: {accepted} accepted, {refused} refused{late}; {exact} prices exact, {} not; {} events in {seconds:.1} s",
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
        let auctions = Table::open(&self.auctions, kind.auction_columns)?;
        let bids = Table::open(&self.bids, kind.bid_columns)?;
        Ok(read_lots(kind, auctions, bids, currency))
    }
}

/// The lots of both tables, and what of them could not be read.
fn read_lots(kind: &Kind, mut auctions: Table, mut bids: Table, currency: Currency) -> (Vec<Lot>, Vec<String>) {
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
    let mut taken: Vec<HashSet<u64>> = lots.iter().map(|_| HashSet::new()).collect();
    for (number, row) in std::mem::take(&mut bids.rows).into_iter().enumerate() {
        let id = bids.cell(&row, "auction_id").to_owned();
        match known.get(&id) {
            Some(Some(at)) => match read_bid(kind, &bids, &row, number, currency, &mut taken[*at]) {
                Ok(bid) => lots[*at].bids.push(bid),
                Err(reason) => bids.report(row.line, reason),
            },
            // Its auction's row is reported already.
            Some(None) => {}
            None => bids.report(row.line, format!("auction {id} is not in the auctions' file")),
        }
    }
    for lot in &mut lots {
        if kind.days.is_none() {
            let last = lot.bids.iter().map(|bid| bid.at).max().unwrap_or(Span::ZERO);
            lot.duration = Span(last.0 + STEP.0);
        }
        let duration = lot.duration;
        lot.bids.sort_by_key(|bid| (bid.at >= duration, bid.seq));
        // Times follow the recorded order: where they do not, the order counts. A late bid makes no other late.
        let mut latest = Span::ZERO;
        for bid in lot.bids.iter_mut().filter(|bid| bid.at < duration) {
            latest = latest.max(bid.at);
            bid.at = latest;
        }
    }
    let mut unreadable = auctions.unreadable;
    unreadable.append(&mut bids.unreadable);
    (lots, unreadable)
}

/// Folds the history views up to the logs' ends, so that `serve` answers lists at once.
pub(super) fn tell_history(folder: &DataFolder, store: Arc<dyn EventStore>) -> Result<(), Failure> {
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
    // A part of a microsecond is the bidder's: it never makes a bid late.
    let duration = match kind.days {
        Some(column) => days(column, table.cell(row, column), Decimal::ceil)?,
        None => Span::ZERO,
    };
    let item = kind.item.map_or("Sale", |column| table.cell(row, column));
    let title: String = format!("{} {id}", if item.is_empty() { "Auction" } else { item })
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Ok(Lot { id: id.to_owned(), title, opening, recorded: recorded.to_owned(), duration, bids: Vec::new() })
}

/// `number` is the row's among the bids, `taken` what its auction has of `seq` already.
fn read_bid(
    kind: &Kind,
    table: &Table,
    row: &Row,
    number: usize,
    currency: Currency,
    taken: &mut HashSet<u64>,
) -> Result<RecordedBid, String> {
    let seq = table.cell(row, "seq").parse().map_err(|_| "seq is no whole number".to_owned())?;
    // Which of two came first is not told, nor whether the second is another bid at all.
    if !taken.insert(seq) {
        return Err(format!("seq {seq} stands in its auction twice"));
    }
    let amount = amount(kind.amount, table.cell(row, kind.amount), currency)?;
    let at = match kind.at {
        Some(column) => days(column, table.cell(row, column), Decimal::floor)?,
        None => Span(STEP.0.saturating_mul(i64::try_from(seq).unwrap_or(i64::MAX)).min(Span::days(1).0)),
    };
    let bidder = match kind.bidder.map_or("", |column| table.cell(row, column)) {
        "" => Bidder::Hidden(number),
        name => Bidder::Named(name.to_owned()),
    };
    Ok(RecordedBid { seq, amount, at, bidder })
}

/// The agents of a lot's bids, in their order; who was not met before is registered. `agents` are those met.
fn register(
    market: &mut Market,
    lot: &Lot,
    agents: &mut HashMap<String, AgentId>,
    credit: Money,
) -> Result<Vec<AgentId>, Failure> {
    let mut seen = HashSet::new();
    let is_met = |bidder: &Bidder| matches!(bidder, Bidder::Named(name) if agents.contains_key(name));
    let strangers: Vec<&RecordedBid> =
        lot.bids.iter().filter(|bid| !is_met(&bid.bidder) && seen.insert(&bid.bidder)).collect();
    let name = |bid: &&RecordedBid| match &bid.bidder {
        Bidder::Named(name) => name.clone(),
        Bidder::Hidden(_) => format!("{}:{}", lot.id, bid.seq),
    };
    let names: Vec<String> = strangers.iter().map(name).collect();
    let mut hidden: HashMap<usize, AgentId> = HashMap::new();
    for (bid, agent) in strangers.into_iter().zip(market.register(&names, credit)?) {
        match &bid.bidder {
            Bidder::Named(name) => agents.insert(name.clone(), agent),
            Bidder::Hidden(row) => hidden.insert(*row, agent),
        };
    }
    let agent = |bid: &RecordedBid| match &bid.bidder {
        Bidder::Named(name) => agents[name],
        Bidder::Hidden(row) => hidden[row],
    };
    Ok(lot.bids.iter().map(agent).collect())
}

fn amount(column: &str, text: &str, currency: Currency) -> Result<Money, String> {
    let money = Money::parse(text, currency).map_err(|error| format!("{column} {text:?}: {error}"))?;
    if money.is_negative() {
        return Err(format!("{column} {text:?}: negative"));
    }
    Ok(money)
}

/// Days with a fraction, at most 30 of them; `round` makes microseconds whole.
fn days(column: &str, text: &str, round: fn(&Decimal) -> Decimal) -> Result<Span, String> {
    let wrong = || format!("{column} {text:?}: not a number of days from 0 to 30");
    let days = Decimal::from_str_exact(text).map_err(|_| wrong())?;
    if days.is_sign_negative() || days > Decimal::from(30) {
        return Err(wrong());
    }
    let micros = round(&(days * Decimal::from(Span::days(1).0))).to_i64().ok_or_else(wrong)?;
    Ok(Span(micros))
}

impl Lot {
    fn is_late(&self, bid: &RecordedBid) -> bool {
        bid.at >= self.duration
    }
    /// How long the auction stays open in a history told `pace` times as fast.
    fn open_for(&self, pace: i64) -> Span {
        Span((self.duration.0 + pace - 1).div_euclid(pace)).max(OPEN_FOR_MIN)
    }
    /// When a bid is placed, from the opening. Rounding makes none late. A late one comes at the closing
    /// instant, whenever it was recorded: its refusal leaves no trace, and the winner need not wait for it.
    fn placed_at(&self, bid: &RecordedBid, pace: i64) -> Span {
        if self.is_late(bid) { self.open_for(pace) } else { Span(bid.at.0 / pace) }
    }
    fn window(&self) -> Span {
        Span(self.open_for(1).0 + GAP.0)
    }
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
        open_for: lot.open_for(pace),
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

/// What must hold of any two files, for `fuzz/`: nothing is lost without a word, and what was read can be replayed.
#[cfg(fuzzing)]
pub(crate) fn check_recorded(auctions: &[u8], bids: &[u8]) {
    let currency: Currency = CURRENCY.parse().expect("the constant is a currency");
    for kind in [&PROXY, &SEALED] {
        let read = |file, name: &str, columns| Table::read(file, name.as_ref(), columns);
        let (Ok(auctions), Ok(bids)) =
            (read(auctions, "auctions", kind.auction_columns), read(bids, "bids", kind.bid_columns))
        else {
            continue;
        };
        let auction_rows = auctions.rows.len() + auctions.unreadable.len();
        let bid_rows = bids.rows.len() + bids.unreadable.len();
        let (mut lots, unreadable) = read_lots(kind, auctions, bids, currency);
        assert_eq!(lots.len() + unreadable.iter().filter(|row| row.starts_with("auctions:")).count(), auction_rows);
        let taken: usize = lots.iter().map(|lot| lot.bids.len()).sum();
        assert!(taken + unreadable.iter().filter(|row| row.starts_with("bids:")).count() <= bid_rows);
        // A few are enough, and more take long.
        lots.truncate(2);
        let store = Arc::new(MemoryStore::new());
        let vault = Vault::in_memory().expect("a vault in memory opens");
        let mut market = Market::open(store, vault, BEGINNING).expect("an empty market opens");
        let mut agents = HashMap::new();
        for lot in &mut lots {
            lot.bids.truncate(4);
            let open_for = lot.open_for(1);
            assert!(open_for >= OPEN_FOR_MIN && open_for <= Span::days(30));
            assert!(lot.bids.iter().all(|bid| lot.is_late(bid) == (lot.placed_at(bid, 1) >= open_for)));
            let bidders = register(&mut market, lot, &mut agents, unlimited(currency)).expect("bidders are registered");
            let opened = market.now();
            let open = market.offer(&lot.title, rules(kind, lot, currency, 1)).expect("a lot that was read is offered");
            let bids: Vec<_> = (bidders.iter().zip(&lot.bids))
                .map(|(agent, bid)| (*agent, bid.amount, opened + lot.placed_at(bid, 1)))
                .collect();
            let answers = market.bid(&open, &bids).expect("bids are taken or refused for their amount or time");
            assert!(lot.bids.iter().zip(answers).all(|(bid, answer)| lot.is_late(bid) == (answer == Bid::Late)));
            market.close(&open).expect("the auction ends");
            market.advance(market.now() + GAP).expect("the clock goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lots of two files; each row is given without its auction, which is "1".
    fn read(kind: &Kind, auction: &str, bids: &[&str]) -> (Vec<Lot>, Vec<String>) {
        let table = |columns: &'static [&'static str], rows: &[&str]| {
            let rows: Vec<String> = rows.iter().map(|row| format!("1,{row}\n")).collect();
            let text = format!("{}\n{}", columns.join(","), rows.concat());
            Table::read(text.as_bytes(), "file".as_ref(), columns).unwrap()
        };
        let currency = CURRENCY.parse().unwrap();
        read_lots(kind, table(kind.auction_columns, &[auction]), table(kind.bid_columns, bids), currency)
    }

    #[test]
    fn bids_are_in_time_before_the_end_and_late_from_it_on_at_every_pace() {
        let bids = [
            "1,1.00,0,a",
            "2,1.00,2.999999999999,a",
            "3,1.00,3,a",
            "4,1.00,0.5,a",
            "5,1.00,2.9999999999999999,a",
            "6,1.00,3.000000001,a",
        ];
        let (lots, unreadable) = read(&PROXY, "Watch,3,1.00,1.00", &bids);
        assert_eq!(unreadable, Vec::<String>::new());
        let lot = &lots[0];
        let late: Vec<_> = lot.bids.iter().map(|bid| (bid.seq, lot.is_late(bid))).collect();
        assert_eq!(late, [(1, false), (2, false), (4, false), (5, false), (3, true), (6, true)]);
        for pace in [1, 2, 7, 959, 1_000_003, 1_000_000_000_000] {
            let open_for = rules(&PROXY, lot, CURRENCY.parse().unwrap(), pace).open_for;
            assert!(open_for >= OPEN_FOR_MIN && open_for <= Span::days(3), "{open_for:?} at {pace}");
            let placed: Vec<_> = lot.bids.iter().map(|bid| lot.placed_at(bid, pace)).collect();
            assert!(placed.is_sorted(), "{placed:?} at {pace}");
            for (bid, placed) in lot.bids.iter().zip(placed) {
                assert_eq!(placed >= open_for, lot.is_late(bid), "bid {} at {pace}: {placed:?}", bid.seq);
            }
        }
    }

    #[test]
    fn a_history_without_times_has_no_late_bids() {
        let (lots, unreadable) = read(&SEALED, "9", &["18446744073709551615,9", "1,8", "100000,7"]);
        assert_eq!(unreadable, Vec::<String>::new());
        assert!(lots[0].bids.iter().all(|bid| !lots[0].is_late(bid)));
        assert_eq!(lots[0].bids.iter().map(|bid| bid.seq).collect::<Vec<_>>(), [1, 100_000, u64::MAX]);
    }

    #[test]
    fn a_hidden_bidder_is_nobody_else() {
        let bids = ["1,1.00,0,ann", "2,2.00,1,", "3,3.00,1,", "4,4.00,2,1:2", "5,5.00,2,ann"];
        let (lots, _) = read(&PROXY, "Watch,3,1.00,1.00", &bids);
        let mut market = Market::open(Arc::new(MemoryStore::new()), Vault::in_memory().unwrap(), BEGINNING).unwrap();
        let mut met = HashMap::new();
        let credit = unlimited(CURRENCY.parse().unwrap());
        let first = register(&mut market, &lots[0], &mut met, credit).unwrap();
        let again = register(&mut market, &lots[0], &mut met, credit).unwrap();
        assert_eq!((first[0], first[0], first[3]), (first[4], again[0], again[3]), "who has a name comes back");
        let all: HashSet<_> = first.iter().chain(&again).collect();
        assert_eq!(all.len(), 2 + 2 + 2, "who has none does not, and is nobody with a name that looks like it");
    }
}
