//! The row of one reservation: one inquiry before one agent until a deadline.

use super::error::Misfit;
use domain::event::reservation::{Purpose, RescindReason, ReservationEvent, ReservationOpened};
use domain::event::wallet::Party;
use domain::ids::{AgentId, AuctionId, BidId, InquiryId, ReservationId, SessionId};
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::sealed::Sealed;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReservationState {
    Pending,
    Accepted,
    Declined,
    Lapsed,
    Rescinded,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    pub id: ReservationId,
    /// The call server's log.
    pub log: LogName,
    pub seq: Seq,
    pub inquiry: InquiryId,
    pub agent: AgentId,
    pub auction: Option<AuctionId>,
    pub bid: Option<BidId>,
    pub purpose: Purpose,
    /// Whose invitation it is, into which session, and what came with it; absent: it is about the inquiry itself.
    pub invited_by: Option<AgentId>,
    pub session: Option<SessionId>,
    pub note: Option<Arc<Sealed>>,
    pub state: ReservationState,
    /// Of whose account the price is held; absent where an auction holds it, or nothing is paid.
    pub payer: Option<Party>,
    pub price: Option<Money>,
    /// How often the inquiry had been put back into its place before.
    pub chain: u32,
    /// 1 for the first agent asked, 2 for the second.
    pub attempt: u32,
    pub reserved_at: Timestamp,
    pub deadline: Timestamp,
    /// When the agent's browser retrieved the customer's information.
    pub information_viewed_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Who was asked next, where it lapsed or was declined.
    pub second_agent: Option<AgentId>,
    pub rescinded_for: Option<RescindReason>,
}

impl ReservationRow {
    pub(super) fn open(e: &ReservationOpened, chain: u32, recorded: &Recorded) -> ReservationRow {
        ReservationRow {
            id: e.reservation,
            log: recorded.log.clone(),
            seq: recorded.seq,
            inquiry: e.inquiry,
            agent: e.agent,
            auction: e.auction,
            bid: e.bid,
            purpose: e.purpose,
            invited_by: e.invitation.as_ref().map(|invitation| invitation.by),
            session: e.invitation.as_ref().map(|invitation| invitation.session),
            note: e.invitation.as_ref().and_then(|invitation| invitation.note.clone()).map(Arc::new),
            state: ReservationState::Pending,
            payer: e.payer,
            price: e.price,
            chain,
            attempt: e.attempt,
            reserved_at: recorded.time,
            deadline: e.deadline,
            information_viewed_at: None,
            ended_at: None,
            second_agent: None,
            rescinded_for: None,
        }
    }

    /// Whose money it holds while it is pending, and how much.
    pub fn held_of(&self) -> Option<(Party, Money)> {
        self.payer.zip(self.price)
    }

    /// Everything after the opening.
    pub(super) fn apply(&mut self, event: &ReservationEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let now = recorded.time;
        match event {
            ReservationEvent::Opened(e) => return Err(Misfit::Twice(e.reservation.into())),
            ReservationEvent::Viewed(_) => {
                self.information_viewed_at.get_or_insert(now);
            }
            // Told to who invited.
            ReservationEvent::InvitationAnswered(_) => {}
            ReservationEvent::Accepted(_) => self.end(ReservationState::Accepted, now),
            ReservationEvent::Declined(e) => {
                self.end(ReservationState::Declined, now);
                self.second_agent = e.second_agent;
            }
            ReservationEvent::Lapsed(e) => {
                self.end(ReservationState::Lapsed, now);
                self.second_agent = e.second_agent;
            }
            ReservationEvent::Rescinded(e) => {
                self.end(ReservationState::Rescinded, now);
                self.rescinded_for = Some(e.reason);
            }
        }
        self.seq = recorded.seq;
        Ok(())
    }

    fn end(&mut self, state: ReservationState, now: Timestamp) {
        self.state = state;
        self.ended_at = Some(now);
    }
}
