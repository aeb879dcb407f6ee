//! What an agent is told and keeps until read: one notice at most of one event, with an id taken from
//! the event's, so that every node gives it the same one.

use domain::event::Event;
use domain::event::agent::{AgentEvent, WillReason};
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::reservation::ReservationEvent;
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
    /// To who invited. Names who is asked now, or nobody.
    InvitationAnswered,
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
    fn new(kind: NoticeKind, recorded: &Recorded) -> NoticeRow {
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

/// Whom an event tells of it, and what: of the event alone but for two facts about before. `is_second`: of a
/// reservation that opens, whether another agent has let it lapse or declined, in the same selection. `changes`:
/// of a status that is set, whether it was another.
///
/// So what memory has let go can be told again from the log.
pub fn notice_of(recorded: &Recorded, is_second: bool, changes: bool) -> Option<(AgentId, NoticeRow)> {
    let row = |kind| NoticeRow::new(kind, recorded);
    match &recorded.event {
        Event::Auction(event) => of_auction(event, recorded),
        Event::Reservation(event) => match event {
            ReservationEvent::Opened(e) => is_second.then(|| {
                let (inquiry, reservation) = (Some(e.inquiry), Some(e.reservation));
                (e.agent, NoticeRow { inquiry, reservation, bid: e.bid, ..row(NoticeKind::SecondAgentSelected) })
            }),
            ReservationEvent::Lapsed(e) => {
                let (inquiry, reservation) = (Some(e.inquiry), Some(e.reservation));
                let second_agent = e.second_agent;
                Some((e.agent, NoticeRow { inquiry, reservation, second_agent, ..row(NoticeKind::ReservationLapsed) }))
            }
            ReservationEvent::Rescinded(e) => {
                let (inquiry, reservation) = (Some(e.inquiry), Some(e.reservation));
                Some((e.agent, NoticeRow { inquiry, reservation, ..row(NoticeKind::ReservationRescinded) }))
            }
            ReservationEvent::InvitationAnswered(e) => {
                let (inquiry, reservation) = (Some(e.inquiry), Some(e.reservation));
                let second_agent = e.next;
                Some((e.agent, NoticeRow { inquiry, reservation, second_agent, ..row(NoticeKind::InvitationAnswered) }))
            }
            ReservationEvent::Viewed(_) | ReservationEvent::Accepted(_) | ReservationEvent::Declined(_) => None,
        },
        Event::Agent(AgentEvent::StatusSet(e)) => match e.reason {
            // The agent knows what it asked for.
            WillReason::Asked => None,
            WillReason::Lapsed | WillReason::Operator | WillReason::Absent => {
                changes.then(|| (e.agent, row(NoticeKind::StatusSet)))
            }
        },
        Event::Agent(
            AgentEvent::Registered(_)
            | AgentEvent::Updated(_)
            | AgentEvent::RoundsPutOff(_)
            | AgentEvent::RoundsResumed(_)
            | AgentEvent::PresenceReported(_)
            | AgentEvent::StandingValueSet(_)
            | AgentEvent::Blocked(_)
            | AgentEvent::Unblocked(_)
            | AgentEvent::CustomerBlocked(_)
            | AgentEvent::CustomerUnblocked(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Wallet(_)
        | Event::Session(_)
        | Event::Settlement(_)
        | Event::Webhook(_) => None,
    }
}

/// What bidders are told.
fn of_auction(event: &AuctionEvent, recorded: &Recorded) -> Option<(AgentId, NoticeRow)> {
    let (kind, agent, inquiry, auction, bid) = match event {
        AuctionEvent::BidOutbid(e) => (NoticeKind::BidOutbid, e.agent, e.inquiry, e.auction, e.bid),
        AuctionEvent::Awarded(e) => (NoticeKind::BidWon, e.agent, e.inquiry, e.auction, e.bid),
        AuctionEvent::BidLost(e) => (NoticeKind::BidLost, e.agent, e.inquiry, e.auction, e.bid),
        AuctionEvent::BidForfeited(e) => match e.reason {
            // Its own doing: the lapse has a notice of its own, and who declines knows.
            LossReason::Lapsed | LossReason::Declined => return None,
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
        | AuctionEvent::Cancelled(_) => return None,
    };
    let notice = NoticeRow::new(kind, recorded);
    Some((agent, NoticeRow { inquiry: Some(inquiry), auction: Some(auction), bid: Some(bid), ..notice }))
}
