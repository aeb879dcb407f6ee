//! What an agent is told and keeps until read: one notice at most of one event, with an id taken from
//! the event's, so that every node gives it the same one.

use super::agent::Agents;
use super::error::Misfit;
use domain::event::auction::{AuctionEvent, LossReason};
use domain::ids::{AgentId, AuctionId, BidId, InquiryId, NoticeId, ReservationId};
use domain::log::Seq;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use store::recorded::Recorded;

/// How many notices an agent keeps in memory; older ones are found in the log.
pub const NOTICES_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NoticeKind {
    /// Names who is asked now, or nobody.
    ReservationLapsed,
    SecondAgentSelected,
    ReservationRescinded,
    /// By the platform or an operator.
    StatusSet,
    BidOutbid,
    BidWon,
    BidLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRow {
    pub id: NoticeId,
    pub kind: NoticeKind,
    pub at: Timestamp,
    pub seq: Seq,
    pub inquiry: Option<InquiryId>,
    pub reservation: Option<ReservationId>,
    pub auction: Option<AuctionId>,
    pub bid: Option<BidId>,
    pub second_agent: Option<AgentId>,
}

impl NoticeRow {
    pub(super) fn new(kind: NoticeKind, recorded: &Recorded) -> NoticeRow {
        NoticeRow {
            id: NoticeId(recorded.id.0),
            kind,
            at: recorded.time,
            seq: recorded.seq,
            inquiry: None,
            reservation: None,
            auction: None,
            bid: None,
            second_agent: None,
        }
    }
}

impl Agents {
    /// What bidders are told. Bids change no agent otherwise.
    pub(super) fn on_auction(&mut self, event: &AuctionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let (kind, agent, inquiry, auction, bid) = match event {
            AuctionEvent::BidOutbid(e) => (NoticeKind::BidOutbid, e.agent, e.inquiry, e.auction, e.bid),
            AuctionEvent::Awarded(e) => (NoticeKind::BidWon, e.agent, e.inquiry, e.auction, e.bid),
            AuctionEvent::BidLost(e) => (NoticeKind::BidLost, e.agent, e.inquiry, e.auction, e.bid),
            AuctionEvent::BidForfeited(e) => match e.reason {
                // Its own doing: the lapse has a notice of its own, and who declines knows.
                LossReason::Lapsed | LossReason::Declined => return Ok(()),
                // Passed over without having been asked.
                LossReason::NotFree
                | LossReason::NoFunds
                | LossReason::Outbid
                | LossReason::TieLater
                | LossReason::ReserveNotMet
                | LossReason::BoughtNow
                | LossReason::AuctionCancelled
                | LossReason::InquiryGone => (NoticeKind::BidLost, e.agent, e.inquiry, e.auction, e.bid),
            },
            // Opened is for those who could bid, which is asked and not told; the rest concerns no bidder
            // or answers its own command.
            AuctionEvent::Opened(_)
            | AuctionEvent::BidPlaced(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::Unsold(_)
            | AuctionEvent::Cancelled(_) => return Ok(()),
        };
        let mut notice = NoticeRow::new(kind, recorded);
        notice.inquiry = Some(inquiry);
        notice.auction = Some(auction);
        notice.bid = Some(bid);
        self.tell(agent, notice)
    }
}
