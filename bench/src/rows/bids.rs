//! Durable accepted `placeBid`/s over HTTP, against a program that only echoes and against the peer that a builder
//! would pick instead.
//!
//! Promises: the real binary with its data on the disk, tokens, views and audit index on; the index is asked for
//! while the load runs, and a run in which it was more than two seconds behind is an error; after each round the views
//! show every accepted bid.
//!
//! Not here: how a town is founded (`town`), and the load itself (`load`).

use crate::ask::key;
use crate::load::{Connection, Load, Script, drive, find, post};
use crate::past::Draw;
use crate::program::{House, Peer, Program, slow_flush};
use crate::report::{Figure, Report, Side};
use crate::town::{Agent, Bidder, Town};
use crate::{Failure, Line, Scratch, tell};
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const WARM: Duration = Duration::from_secs(1);
/// More than any round here has reached, so that auctions never run out.
const BIDS_A_SECOND_MAX: usize = 80_000;
/// How far the audit index may be behind.
const BEHIND_MAX: Duration = Duration::from_secs(2);
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// A served town whose agents bid, a group of rivals for each connection.
pub(crate) struct Market {
    pub(crate) house: House,
    town: Town,
    rivals: Vec<Vec<Agent>>,
    offer: (String, String),
    bidders: usize,
    /// Of the audit index, at worst, while the load ran.
    pub(crate) behind: Duration,
}

impl Market {
    pub(crate) fn found(house: House, connections: usize, rivals: usize) -> Result<Market, Failure> {
        let mut town = Town::found(&house)?;
        let mut agents = town.hire(&house, &vec![vec![]; connections * rivals])?;
        let rivals = (0..connections).map(|_| agents.split_off(agents.len() - rivals)).collect();
        let offer = town.publish(&[])?;
        Ok(Market { house, town, rivals, offer, bidders: 0, behind: Duration::ZERO })
    }

    /// One round: fresh auctions, then bids.
    pub(crate) fn round(&mut self, span: Duration) -> Result<Load, Failure> {
        let connections = self.rivals.len();
        let bids = (WARM + span).as_secs() as usize * BIDS_A_SECOND_MAX / connections;
        let share = Bidder::auctions_for(bids, self.rivals[0].len());
        let auctions = self.town.auctions(&self.offer, share * connections)?;
        let address = self.house.program.address;
        let mut scripts = Vec::with_capacity(connections);
        for (agents, auctions) in self.rivals.iter().zip(auctions.chunks(share)) {
            scripts.push(Bidder::new(address, agents, auctions, self.bidders));
            self.bidders += 1;
        }
        let question = post(address, Some(&self.town.operator.token), &question());
        tell(&format!("{} auctions are open; bids for {} s", auctions.len(), (WARM + span).as_secs()));
        let (load, behind) = runtime()?.block_on(async {
            let (driven, behind) = tokio::join!(
                drive(address, scripts, WARM, span),
                probe(address, &question, Instant::now() + WARM + span)
            );
            Ok::<_, Failure>((driven?.0, behind?))
        })?;
        self.behind = self.behind.max(behind);
        let shown = self.town.bids(&auctions)?;
        if shown != load.accepted {
            return Err(format!("{} bids were accepted, and the views show {shown}", load.accepted).into());
        }
        Ok(load)
    }
}

/// A list that history answers: the server waits for its index to have everything that the views had when it was asked.
fn question() -> String {
    json!({"query": "{ inquiries(first: 1) { pageInfo { hasNextPage } } }"}).to_string()
}

/// Asks until `end`, and once after it, how far the audit index is behind: as long as the answer takes. The worst.
async fn probe(address: SocketAddr, question: &[u8], end: Instant) -> Result<Duration, Failure> {
    let mut connection = Connection::open(address).await?;
    let mut worst = Duration::ZERO;
    loop {
        let last = Instant::now() >= end;
        let asked = Instant::now();
        let (_, body) = connection.exchange(question).await?;
        let behind = asked.elapsed();
        // The server gives up after as long as is promised.
        if find(body, b"\"errors\"").is_some() || behind > BEHIND_MAX {
            let body = String::from_utf8_lossy(body);
            return Err(format!("the audit index is more than 2 s behind ({} ms): {body}", behind.as_millis()).into());
        }
        worst = worst.max(behind);
        if last {
            return Ok(worst);
        }
        tokio::time::sleep_until((asked + PROBE_EVERY).min(end).into()).await;
    }
}

/// One thread: the generator shares the cores with what it measures.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

struct Echo {
    bytes: Vec<u8>,
    wanted: Vec<u8>,
}

impl Echo {
    /// The same three things that a bid says, of the same length.
    fn new(address: SocketAddr) -> Echo {
        let key = key();
        let document = "mutation($input: EchoInput!) { echo(input: $input) { auctionId amount idempotencyKey } }";
        let input = json!({"auctionId": "auc_01jd3v8k3qe5x9m2w7t6c4h0bn", "amount": "1000.00", "idempotencyKey": key});
        let body = json!({"query": document, "variables": {"input": input}}).to_string();
        Echo { bytes: post(address, None, &body), wanted: format!("\"idempotencyKey\":\"{key}\"").into_bytes() }
    }
}

impl Script for Echo {
    fn next(&mut self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
    fn accepts(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && find(body, &self.wanted).is_some()
    }
}

/// One connection's bids at the peer: an auction of its own, ever higher amounts.
struct PeerBidder {
    bytes: Vec<u8>,
    address: SocketAddr,
    auction: usize,
    sent: u64,
    rivals: usize,
}

/// The peer's table has so many.
const PEER_AUCTIONS: usize = 100;

impl Script for PeerBidder {
    fn next(&mut self) -> Option<&[u8]> {
        const DOCUMENT: &str = "mutation($a:Int!,$b:String!,$m:Int!){placeBid(input:{auction:$a,bidder:$b,amount:$m})\
                                {result{rowId amount}}}";
        self.sent += 1;
        let bidder = format!("agent-{}-{}", self.auction, self.sent % self.rivals as u64);
        let variables = json!({"a": self.auction, "b": bidder, "m": self.sent});
        // Its numbers have no fixed length, and at its rate the writing costs nothing.
        self.bytes = post(self.address, None, &json!({"query": DOCUMENT, "variables": variables}).to_string());
        Some(&self.bytes)
    }
    fn accepts(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && find(body, b"\"rowId\":\"").is_some() && find(body, b"\"errors\"").is_none()
    }
}

fn house(line: &Line, scratch: &Scratch, slow: bool) -> Result<(Market, Option<std::path::PathBuf>), Failure> {
    let shim = if slow { Some(slow_flush(&scratch.base)?) } else { None };
    let house = House::open(&scratch.join("data"), shim.as_deref(), &[])?;
    tell("founding a town");
    Ok((Market::found(house, line.connections, line.rivals())?, shim))
}

/// Runs `theirs` and `ours` in turns.
fn in_turns(
    line: &Line,
    market: &mut Market,
    ours: &mut Side,
    theirs: &mut Side,
    mut other: impl FnMut(Duration) -> Result<Load, Failure>,
) -> Result<(), Failure> {
    let span = line.span(10);
    for round in 1..=line.rounds {
        tell(&format!("round {round} of {}", line.rounds));
        ours.add_load(&market.round(span)?);
        theirs.add_load(&other(span)?);
    }
    Ok(())
}

fn also(line: &Line, market: &Market) -> Result<Vec<(String, String)>, Failure> {
    let (now, most) = market.house.program.memory()?;
    Ok(vec![
        ("connections".to_owned(), line.connections.to_string()),
        ("rivals in an auction".to_owned(), line.rivals.to_string()),
        ("audit index behind at worst".to_owned(), format!("{} ms", market.behind.as_millis())),
        ("server's memory at the end".to_owned(), format!("{now:.0} MiB, at most {most:.0} MiB")),
    ])
}

pub(crate) fn against_echo(line: &Line, scratch: &Scratch, slow: bool) -> Result<Report, Failure> {
    let (mut market, _) = house(line, scratch, slow)?;
    let echo = Program::echo()?;
    let (mut ours, mut theirs) = (Side::new("callmarket placeBid", "/s"), Side::new("echo", "/s"));
    in_turns(line, &mut market, &mut ours, &mut theirs, |span| {
        let scripts = (0..line.connections).map(|_| Echo::new(echo.address)).collect();
        Ok(runtime()?.block_on(drive(echo.address, scripts, WARM, span))?.0)
    })?;
    let ratio = ours.median() / theirs.median();
    let (row, more, floor, aim) =
        if slow { ("bids-slow", ", 1 ms added to every flush", 0.45, 0.8) } else { ("bids", "", 0.7, 1.2) };
    Ok(Report {
        row,
        what: format!("durable accepted placeBid over HTTP against an echo{more}"),
        figures: vec![Figure::ratio("placeBid / echo", ratio, floor, aim)],
        also: also(line, &market)?,
        sides: vec![ours, theirs],
    })
}

pub(crate) fn against_peer(line: &Line, scratch: &Scratch, slow: bool) -> Result<Report, Failure> {
    if line.connections > PEER_AUCTIONS {
        return Err(format!("the peer has {PEER_AUCTIONS} auctions, so at most as many connections").into());
    }
    let (mut market, shim) = house(line, scratch, slow)?;
    tell("starting PostgreSQL and PostGraphile");
    let peer = Peer::open(&scratch.base, shim.as_deref())?;
    let (mut ours, mut theirs) = (Side::new("callmarket placeBid", "/s"), Side::new("PostGraphile placeBid", "/s"));
    let mut draw = Draw(line.seed);
    in_turns(line, &mut market, &mut ours, &mut theirs, |span| {
        peer.empty()?;
        // Which of its hundred, so that no row of the table has a better place than another.
        let first = draw.word() as usize % PEER_AUCTIONS;
        let (address, rivals) = (peer.program.address, line.rivals());
        let bidder = |number| {
            let auction = (first + number) % PEER_AUCTIONS;
            PeerBidder { bytes: Vec::new(), address, auction, sent: 0, rivals }
        };
        let load = runtime()?.block_on(drive(address, (0..line.connections).map(bidder).collect(), WARM, span))?.0;
        let stored = peer.count()?;
        if stored != load.accepted {
            return Err(format!("{} bids were accepted, and the peer holds {stored}", load.accepted).into());
        }
        Ok(load)
    })?;
    let ratio = ours.median() / theirs.median();
    let (row, more, floor, aim) =
        if slow { ("peer-slow", ", 1 ms added to every flush", 4.0, 8.0) } else { ("peer", "", 6.0, 12.0) };
    let mut also = also(line, &market)?;
    also.push(("peer".to_owned(), peer.version()?));
    Ok(Report {
        row,
        what: format!("durable accepted placeBid over HTTP against PostGraphile and PostgreSQL{more}"),
        figures: vec![Figure::ratio("placeBid / peer's", ratio, floor, aim)],
        also,
        sides: vec![ours, theirs],
    })
}
