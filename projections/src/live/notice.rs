//! What an agent is told and keeps until read: one notice at most of one event, with an id taken from
//! the event's, so that every node gives it the same one.
//!
//! It promises: what is unread is kept however old it is, up to [`UNREAD_MAX`] before the newest hundred. In memory an old
//! one is the position of its event, from which it is made again: docs/adr/0048-notices-kept-until-read.md.

use domain::event::Event;
use domain::event::agent::{AgentEvent, WillReason};
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::reservation::ReservationEvent;
use domain::ids::{AgentId, AuctionId, BidId, InquiryId, NoticeId, ReservationId};
use domain::log::Seq;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use store::recorded::Recorded;

/// How many notices an agent keeps in memory as they are, read or not.
pub const NOTICES_MAX: usize = 100;
/// How many unread ones before those it keeps by their positions. Beyond, the oldest is found in the agent's trail alone.
pub const UNREAD_MAX: usize = 5_000;

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
    /// It won, and did not consent.
    Struck,
    Barred,
    /// It may bid again.
    BarEnded,
    StrikesForgiven,
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
    /// Absent: it is unread.
    pub read_at: Option<Timestamp>,
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
            read_at: None,
        }
    }
}

/// An unread notice that has made room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Older {
    pub seq: Seq,
    /// The lower half of its id: whoever looks for an id finds the event to compare with.
    mark: u64,
}

/// What one agent was told, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    newest: VecDeque<NoticeRow>,
    /// All of them before the newest.
    older: VecDeque<Older>,
}

impl Notices {
    /// At most [`NOTICES_MAX`].
    pub fn newest(&self) -> &VecDeque<NoticeRow> {
        &self.newest
    }

    pub fn unread(&self) -> usize {
        self.older.len() + self.newest.iter().filter(|row| row.read_at.is_none()).count()
    }

    /// Unread ones before the newest, after a position.
    pub fn older(&self, after: Option<Seq>) -> impl Iterator<Item = Older> + '_ {
        let from = after.map_or(0, |after| self.older.partition_point(|one| one.seq <= after));
        self.older.range(from..).copied()
    }

    /// The position of the event that made a notice. Of two unread old ones whose marks are alike, the later.
    pub fn position(&self, id: NoticeId) -> Option<Seq> {
        let newest = self.newest.iter().rev().find(|row| row.id == id).map(|row| row.seq);
        newest.or_else(|| self.older.iter().rev().find(|one| one.mark == mark(id)).map(|one| one.seq))
    }

    /// The oldest makes room; unread it is kept by its position.
    pub(super) fn keep(&mut self, notice: NoticeRow) {
        if self.newest.len() == NOTICES_MAX
            && let Some(oldest) = self.newest.pop_front().filter(|row| row.read_at.is_none())
        {
            if self.older.len() == UNREAD_MAX {
                self.older.pop_front();
            }
            self.older.push_back(Older { seq: oldest.seq, mark: mark(oldest.id) });
        }
        self.newest.push_back(notice);
    }

    pub(super) fn read(&mut self, through: Seq, at: Timestamp) {
        let read = self.older.partition_point(|one| one.seq <= through);
        self.older.drain(..read);
        for row in self.newest.iter_mut().take_while(|row| row.seq <= through) {
            row.read_at.get_or_insert(at);
        }
    }
}

fn mark(id: NoticeId) -> u64 {
    id.0 as u64
}

/// The notice of an event that is known to have told somebody.
pub fn told_by(recorded: &Recorded) -> Option<NoticeRow> {
    notice_of(recorded, true, true).map(|(_, row)| row)
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
        Event::Agent(AgentEvent::Struck(e)) => {
            let (reservation, auction) = (Some(e.reservation), Some(e.auction));
            Some((e.agent, NoticeRow { reservation, auction, ..row(NoticeKind::Struck) }))
        }
        Event::Agent(AgentEvent::Barred(e)) => Some((e.agent, row(NoticeKind::Barred))),
        Event::Agent(AgentEvent::BarEnded(e)) => Some((e.agent, row(NoticeKind::BarEnded))),
        Event::Agent(AgentEvent::StrikesForgiven(e)) => Some((e.agent, row(NoticeKind::StrikesForgiven))),
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
            | AgentEvent::CustomerUnblocked(_)
            | AgentEvent::NoticesRead(_),
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
        | Event::Webhook(_)
        | Event::Journal(_) => None,
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
