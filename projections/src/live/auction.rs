//! One auction with its bids, as its own events make it. Bids stand in order of recording and keep
//! that order: a bid's index is its place in the bid history.
//!
//! Not here: what the next bid must be (`domain::pricing`), and who may see an amount.

use super::error::Misfit;
use domain::event::auction::{AuctionEvent, AuctionOpened, BidPlaced, LossReason, Standing};
use domain::ids::{AgentId, AuctionId, BidId, InquiryId};
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::terms::AuctionRules;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuctionState {
    Open,
    Awarded,
    Unsold,
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionRow {
    pub id: AuctionId,
    /// The call server's log.
    pub log: LogName,
    pub seq: Seq,
    pub inquiry: InquiryId,
    /// 1 for the first.
    pub round: u32,
    pub rules: Arc<AuctionRules>,
    pub state: AuctionState,
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
    pub hard_closes_at: Option<Timestamp>,
    /// When it was awarded for the first time, found unsold or cancelled.
    pub closed_at: Option<Timestamp>,
    /// The price of the last bid that had one, then the clearing price. Absent while sealed, and before
    /// the first bid.
    pub price: Option<Money>,
    /// The bid that leads while OPEN; absent in sealed auctions.
    pub leading: Option<BidId>,
    /// Every recorded bid, whatever became of it.
    pub bid_count: u32,
    /// Who has the award now. Absent between a forfeit and the next award.
    pub winner: Option<AgentId>,
    pub winning_bid: Option<BidId>,
    pub clearing_price: Option<Money>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BidState {
    Active,
    /// A better bid stands. In PROXY that is also a leader's own higher maximum, where it named less later: such
    /// a bid never counts, and supersedes nothing.
    Outbid,
    /// A later bid of the same agent counts instead.
    Superseded,
    Withdrawn,
    Won,
    Forfeited,
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidRow {
    pub id: BidId,
    pub auction: AuctionId,
    pub agent: AgentId,
    /// The agent's number in this auction: rivals see it as `B3`.
    pub bidder: u32,
    /// PROXY: the agent's maximum.
    pub amount: Money,
    /// What it came to when it was placed: whether it ever led says who may see a PROXY maximum.
    pub standing: Standing,
    pub state: BidState,
    pub loss_reason: Option<LossReason>,
    pub placed_at: Timestamp,
    /// Where the bid was recorded.
    pub placed_seq: Seq,
    /// Of its last change.
    pub seq: Seq,
}

/// An auction and its bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auction {
    row: AuctionRow,
    bids: Vec<BidRow>,
    /// Where each bid stands in `bids`.
    #[serde(serialize_with = "super::restore::in_order")]
    places: HashMap<BidId, usize>,
    /// The bid of each agent that counts.
    #[serde(serialize_with = "super::restore::in_order")]
    effective: HashMap<AgentId, usize>,
}

impl Auction {
    pub fn row(&self) -> &AuctionRow {
        &self.row
    }
    /// In order of recording. A page is a slice of it.
    pub fn bids(&self) -> &[BidRow] {
        &self.bids
    }
    pub fn bid(&self, id: BidId) -> Option<&BidRow> {
        self.place(id).map(|place| &self.bids[place])
    }
    /// Where a bid stands in `bids`: constant time.
    pub fn place(&self, id: BidId) -> Option<usize> {
        self.places.get(&id).copied()
    }
    /// The bid of `agent` that counts; none after a withdrawal.
    pub fn effective_bid(&self, agent: AgentId) -> Option<&BidRow> {
        self.effective.get(&agent).map(|place| &self.bids[*place])
    }

    /// Whether the bid that counts of any agent satisfies `test`. Linear in the agents.
    pub fn any_effective(&self, test: impl Fn(&BidRow) -> bool) -> bool {
        self.effective.values().any(|place| test(&self.bids[*place]))
    }

    pub(super) fn open(e: &AuctionOpened, recorded: &Recorded) -> Auction {
        let row = AuctionRow {
            id: e.auction,
            log: recorded.log.clone(),
            seq: recorded.seq,
            inquiry: e.inquiry,
            round: e.round,
            rules: Arc::new(e.rules.clone()),
            state: AuctionState::Open,
            opens_at: recorded.time,
            closes_at: e.closes_at,
            hard_closes_at: e.hard_closes_at,
            closed_at: None,
            price: None,
            leading: None,
            bid_count: 0,
            winner: None,
            winning_bid: None,
            clearing_price: None,
        };
        Auction { row, bids: Vec::new(), places: HashMap::new(), effective: HashMap::new() }
    }

    /// Everything after the opening.
    pub(super) fn apply(&mut self, event: &AuctionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let (seq, now) = (recorded.seq, recorded.time);
        match event {
            AuctionEvent::Opened(e) => return Err(Misfit::Twice(e.auction.into())),
            AuctionEvent::BidPlaced(e) => self.place_bid(e, recorded)?,
            AuctionEvent::BidOutbid(e) => {
                self.turn(e.bid, BidState::Outbid, None, seq)?;
                if self.row.leading == Some(e.bid) {
                    self.row.leading = None;
                }
            }
            AuctionEvent::BidWithdrawn(e) => {
                self.turn(e.bid, BidState::Withdrawn, None, seq)?;
                if self.effective.get(&e.agent) == self.places.get(&e.bid) {
                    self.effective.remove(&e.agent);
                }
            }
            AuctionEvent::Extended(e) => {
                self.row.closes_at = e.closes_at;
                // Absent where it stays as it was.
                self.row.hard_closes_at = e.hard_closes_at.or(self.row.hard_closes_at);
            }
            AuctionEvent::Awarded(e) => {
                self.turn(e.bid, BidState::Won, None, seq)?;
                self.close(AuctionState::Awarded, now);
                self.row.winner = Some(e.agent);
                self.row.winning_bid = Some(e.bid);
                self.row.clearing_price = Some(e.price);
                self.row.price = Some(e.price);
            }
            AuctionEvent::BidLost(e) => self.lose(e.bid, BidState::Lost, e.reason, seq)?,
            AuctionEvent::BidForfeited(e) => self.lose(e.bid, BidState::Forfeited, e.reason, seq)?,
            AuctionEvent::Unsold(_) => self.close(AuctionState::Unsold, now),
            AuctionEvent::Cancelled(_) => self.close(AuctionState::Cancelled, now),
        }
        // A position that moves would tell that somebody has bid.
        if !event.is_hidden_until_closing() {
            self.row.seq = seq;
        }
        Ok(())
    }

    fn place_bid(&mut self, e: &BidPlaced, recorded: &Recorded) -> Result<(), Misfit> {
        let place = self.bids.len();
        if self.places.insert(e.bid, place).is_some() {
            return Err(Misfit::Twice(e.bid.into()));
        }
        if let Some(earlier) = e.supersedes {
            self.turn(earlier, BidState::Superseded, None, recorded.seq)?;
        }
        let state = match e.standing {
            Standing::Sealed | Standing::Leads => BidState::Active,
            Standing::OutbidAtOnce | Standing::NoEffect => BidState::Outbid,
        };
        match e.standing {
            Standing::Sealed | Standing::OutbidAtOnce => {
                self.effective.insert(e.agent, place);
            }
            Standing::Leads => {
                self.effective.insert(e.agent, place);
                self.row.leading = Some(e.bid);
            }
            Standing::NoEffect => {}
        }
        self.bids.push(BidRow {
            id: e.bid,
            auction: e.auction,
            agent: e.agent,
            bidder: e.bidder,
            amount: e.amount,
            standing: e.standing,
            state,
            loss_reason: None,
            placed_at: recorded.time,
            placed_seq: recorded.seq,
            seq: recorded.seq,
        });
        self.row.bid_count += 1;
        self.row.price = e.price.or(self.row.price);
        Ok(())
    }

    fn lose(&mut self, bid: BidId, state: BidState, reason: LossReason, seq: Seq) -> Result<(), Misfit> {
        self.turn(bid, state, Some(reason), seq)?;
        if self.row.winning_bid == Some(bid) {
            self.row.winner = None;
            self.row.winning_bid = None;
            self.row.clearing_price = None;
        }
        Ok(())
    }

    fn turn(&mut self, bid: BidId, state: BidState, reason: Option<LossReason>, seq: Seq) -> Result<(), Misfit> {
        let place = self.place(bid).ok_or(Misfit::Unknown(bid.into()))?;
        let row = &mut self.bids[place];
        row.state = state;
        row.loss_reason = reason;
        row.seq = seq;
        Ok(())
    }

    fn close(&mut self, state: AuctionState, now: Timestamp) {
        self.row.state = state;
        self.row.leading = None;
        self.row.closed_at.get_or_insert(now);
    }
}
