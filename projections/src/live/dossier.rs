//! Everything about one inquiry, folded from the events that name it as a subject and from nothing
//! else: the inquiry, its auctions with their bids, its reservations, its session, its settlement, and
//! what was decided.
//!
//! The live view folds it for open inquiries; folding the same events from the log gives a closed one,
//! or an earlier one. The acceptance stands in `community` and the rest in the call server's log: each
//! log's events come in their order, the two logs in any.

use super::auction::{Auction, AuctionState};
use super::error::{Misfit, ViewError};
use super::inquiry::{AcceptanceRow, DecisionKind, DecisionRow, InformationRow, InquiryRow, InquiryState, Move};
use super::reservation::{ReservationRow, ReservationState};
use super::session::{Session, SessionState};
use super::settlement::Settlement;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::{OfferAccepted, OfferEvent};
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::{ReservationEvent, ReservationOpened};
use domain::event::session::SessionEvent;
use domain::event::settlement::SettlementEvent;
use domain::ids::{AuctionId, BidId, InquiryId, ReservationId, Subject};
use domain::log::Seq;
use domain::state::Preferred;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    id: InquiryId,
    /// Position in `community` up to which the acceptance is folded.
    community_seq: Option<Seq>,
    /// Where in `community` the acceptance stands that was registered.
    registered_from: Option<Seq>,
    /// Position in the call server's log up to which the rest is folded.
    seq: Option<Seq>,
    acceptance: Option<AcceptanceRow>,
    inquiry: Option<InquiryRow>,
    auctions: Vec<Auction>,
    reservations: Vec<ReservationRow>,
    session: Option<Session>,
    settlement: Option<Settlement>,
    decisions: Vec<DecisionRow>,
    /// How often it was put back into its place.
    requeued: u32,
}

/// The inquiry that an event concerns.
pub fn inquiry_of(recorded: &Recorded) -> Option<InquiryId> {
    crate::inquiry_of(&recorded.subjects)
}

impl Dossier {
    pub fn id(&self) -> InquiryId {
        self.id
    }
    /// Absent until the acceptance is folded.
    pub fn acceptance(&self) -> Option<&AcceptanceRow> {
        self.acceptance.as_ref()
    }
    /// Where its acceptance stands, if that is not folded yet.
    pub(super) fn lacks(&self) -> Option<Seq> {
        self.registered_from.filter(|_| self.acceptance.is_none())
    }
    /// Absent until the call server registered it.
    pub fn inquiry(&self) -> Option<&InquiryRow> {
        self.inquiry.as_ref()
    }
    /// One a round, in order.
    pub fn auctions(&self) -> &[Auction] {
        &self.auctions
    }
    pub fn auction(&self, id: AuctionId) -> Option<&Auction> {
        self.auctions.iter().find(|auction| auction.row().id == id)
    }
    /// The auction that a bid was placed in.
    pub fn auction_of(&self, bid: BidId) -> Option<&Auction> {
        self.auctions.iter().find(|auction| auction.place(bid).is_some())
    }
    /// In order of opening.
    pub fn reservations(&self) -> &[ReservationRow] {
        &self.reservations
    }
    pub fn reservation(&self, id: ReservationId) -> Option<&ReservationRow> {
        self.reservations.iter().find(|reservation| reservation.id == id)
    }
    /// Whether an agent is asked in another's stead, who let the same selection's reservation lapse or declined
    /// it. A later attempt alone says nothing: a new round has a first choice of its own, and who was rescinded
    /// because the platform was late is asked again.
    pub fn is_second(&self, e: &ReservationOpened) -> bool {
        self.reservations.iter().any(|earlier| stands_back_for(earlier, self.requeued, e))
    }
    /// The same of a reservation that opened long ago: who refused before it has not changed its mind.
    pub fn was_second(&self, e: &ReservationOpened) -> bool {
        let chain = self.reservation(e.reservation).map_or(0, |row| row.chain);
        let mut earlier = self.reservations.iter().take_while(|earlier| earlier.id != e.reservation);
        earlier.any(|earlier| stands_back_for(earlier, chain, e))
    }
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }
    pub fn settlement(&self) -> Option<&Settlement> {
        self.settlement.as_ref()
    }
    /// Oldest first; the choice of the call server before all others.
    pub fn decisions(&self) -> &[DecisionRow] {
        &self.decisions
    }

    /// Nothing is left to do for anybody: memory may let it go. Its settlement may still go on.
    pub fn is_closed(&self) -> bool {
        let session_is_closed = self.session.as_ref().is_none_or(|session| session.row().state == SessionState::Closed);
        let is_over = |inquiry: &InquiryRow| inquiry.state.is_final() && inquiry.place_kept_until.is_none();
        self.inquiry.as_ref().is_some_and(is_over) && session_is_closed
    }

    /// Every id that leads to this dossier, its own left out.
    pub fn ids(&self) -> impl Iterator<Item = Subject> + '_ {
        let auctions = self.auctions.iter().flat_map(|auction| {
            let bids = auction.bids().iter().map(|bid| bid.id.into());
            std::iter::once(auction.row().id.into()).chain(bids)
        });
        let reservations = self.reservations.iter().map(|reservation| reservation.id.into());
        let sessions = self.session.iter().flat_map(|session| {
            let channels = session.channels().iter().map(|channel| channel.id.into());
            let messages = session.messages().iter().map(|message| message.id.into());
            let records = session.row().record.iter().chain(session.parts());
            let record = records.map(|record| record.id.into());
            std::iter::once(session.row().id.into()).chain(channels).chain(messages).chain(record)
        });
        let settlements = self.settlement.iter().map(|settlement| settlement.row().id.into());
        auctions.chain(reservations).chain(sessions).chain(settlements)
    }

    /// A dossier begins with the acceptance or the registration, whichever is read first.
    pub fn from_first(recorded: &Recorded) -> Result<Dossier, ViewError> {
        let id = inquiry_of(recorded).ok_or_else(|| ViewError::at(recorded, Misfit::OtherInquiry))?;
        let mut dossier = Dossier {
            id,
            community_seq: None,
            registered_from: None,
            seq: None,
            acceptance: None,
            inquiry: None,
            auctions: Vec::new(),
            reservations: Vec::new(),
            session: None,
            settlement: None,
            decisions: Vec::new(),
            requeued: 0,
        };
        dossier.apply(recorded)?;
        Ok(dossier)
    }

    /// Folds one event. Seeing an event twice is seeing it once. After an error the dossier is void.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), ViewError> {
        self.fold(recorded).map_err(|misfit| ViewError::at(recorded, misfit))
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        if inquiry_of(recorded) != Some(self.id) {
            return Err(Misfit::OtherInquiry);
        }
        let folded = match &recorded.event {
            Event::Offer(_) => &mut self.community_seq,
            Event::Provider(_)
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Inquiry(_)
            | Event::Auction(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Reservation(_)
            | Event::Session(_)
            | Event::Settlement(_)
            | Event::Webhook(_)
            | Event::Journal(_) => &mut self.seq,
        };
        if folded.is_some_and(|folded| recorded.seq <= folded) {
            return Ok(());
        }
        *folded = Some(recorded.seq);
        match &recorded.event {
            Event::Offer(event) => return self.on_offer(event, recorded),
            Event::Inquiry(event) => self.on_inquiry(event, recorded)?,
            Event::Auction(event) => self.on_auction(event, recorded)?,
            Event::Reservation(event) => self.on_reservation(event, recorded)?,
            Event::Session(event) => self.on_session(event, recorded)?,
            Event::Settlement(event) => self.on_settlement(event, recorded)?,
            Event::Provider(_)
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Webhook(_)
            | Event::Journal(_) => {
                return Err(Misfit::OtherInquiry);
            }
        }
        let hidden = matches!(&recorded.event, Event::Auction(event) if event.is_hidden_until_closing());
        let row = self.registered()?;
        // A position that moves would tell that somebody has bid.
        if !hidden {
            row.seq = recorded.seq;
        }
        if recorded.correlation == row.registered_by {
            row.registered_seq = recorded.seq;
        }
        Ok(())
    }

    fn registered(&mut self) -> Result<&mut InquiryRow, Misfit> {
        self.inquiry.as_mut().ok_or(Misfit::Unknown(self.id.into()))
    }

    fn on_offer(&mut self, event: &OfferEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            OfferEvent::Accepted(e) => self.accept(e, recorded),
            // Its offer's, and nothing of the inquiry.
            OfferEvent::PlaceFreed(_) => {}
            OfferEvent::Published(_)
            | OfferEvent::Revised(_)
            | OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_) => {
                return Err(Misfit::OtherInquiry);
            }
        }
        Ok(())
    }

    fn accept(&mut self, e: &OfferAccepted, recorded: &Recorded) {
        self.acceptance = Some(AcceptanceRow {
            seq: recorded.seq,
            at: recorded.time,
            customer_is_new: e.customer_is_new,
            profile: e.profile.clone().map(Arc::new),
            terms_version: e.terms_version.as_deref().map(Arc::from),
        });
        // First whichever log is read first: nothing was decided before it.
        self.decisions.insert(0, DecisionRow::new(DecisionKind::CallServer, e.why.clone(), recorded));
    }

    fn on_inquiry(&mut self, event: &InquiryEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let now = recorded.time;
        match event {
            InquiryEvent::Registered(e) => {
                if self.inquiry.is_some() {
                    return Err(Misfit::Twice(e.inquiry.into()));
                }
                self.inquiry = Some(InquiryRow::new(e, recorded));
                self.registered_from = Some(e.source.seq);
                self.decisions.push(DecisionRow::topics(e, recorded));
            }
            InquiryEvent::InformationRequested(e) => {
                self.registered()?.information = Some(InformationRow {
                    customer: e.customer,
                    requested_at: now,
                    answered_at: None,
                    outcome: None,
                    profile: None,
                    seq: recorded.seq,
                });
            }
            InquiryEvent::InformationAnswered(e) => {
                let information = self.registered()?.information.as_mut();
                let information = information.ok_or(Misfit::Unknown(e.customer.into()))?;
                information.answered_at = Some(now);
                information.outcome = Some(e.outcome);
                information.profile = e.profile.clone().map(Arc::new);
                information.seq = recorded.seq;
                let inquiry = self.registered()?;
                let has_begun = inquiry.begins_at.is_none();
                inquiry.preferred = e.last_agent.zip(e.preferred_for).map(|(agent, lasts)| Preferred {
                    agent,
                    lasts,
                    until: has_begun.then_some(now + lasts),
                });
            }
            InquiryEvent::PreferenceEnded(_) => self.registered()?.preferred = None,
            InquiryEvent::SelectionMade(e) => {
                self.decisions.push(DecisionRow::new(DecisionKind::Selection, e.why.clone(), recorded));
            }
            InquiryEvent::Began(e) => {
                let inquiry = self.registered()?;
                inquiry.begins_at = None;
                inquiry.expires_at = Some(e.expires_at);
                if let Some(preferred) = &mut inquiry.preferred {
                    preferred.until = Some(now + preferred.lasts);
                }
            }
            InquiryEvent::PutOff(e) => self.registered()?.begins_at = Some(e.begins_at),
            InquiryEvent::Relaxed(e) => {
                let inquiry = self.registered()?;
                inquiry.desired_skills = e.desired_skills.as_slice().into();
                inquiry.ring = e.ring;
            }
            InquiryEvent::Requeued(e) => {
                self.requeued += 1;
                let inquiry = self.registered()?;
                inquiry.state = InquiryState::Queued;
                inquiry.expires_at = Some(e.expires_at);
            }
            InquiryEvent::Withdrawn(e) => {
                self.registered()?.withdrawal_reason = e.reason.clone().map(Arc::new);
                self.end(InquiryState::Withdrawn, recorded)?;
                self.registered()?.place_kept_until = e.place_kept_until;
            }
            InquiryEvent::PlaceKept(e) => self.registered()?.place_kept_until = Some(e.until),
            InquiryEvent::PlaceLost(_) => self.registered()?.place_kept_until = None,
            InquiryEvent::Resumed(e) => {
                self.requeued += 1;
                let inquiry = self.registered()?;
                inquiry.state = InquiryState::Queued;
                inquiry.expires_at = Some(e.expires_at);
                inquiry.place_kept_until = None;
                inquiry.ended_at = None;
                inquiry.withdrawal_reason = None;
            }
            InquiryEvent::Expired(_) => self.end(InquiryState::Expired, recorded)?,
            InquiryEvent::Completed(_) => self.end(InquiryState::Completed, recorded)?,
            // Its topics are what it was registered under.
            InquiryEvent::Moved(e) => {
                let row = self.registered()?;
                let others = row.queues.iter().filter(|id| **id != e.from && **id != e.into).copied();
                row.queues = others.chain([e.into]).collect();
                row.desired_skills = e.desired_skills.as_slice().into();
                let one = Move { seq: recorded.seq, from: e.from, into: e.into, already: e.already };
                row.moves = row.moves.iter().copied().chain([one]).collect();
            }
            InquiryEvent::TopicsConfirmed(_) => {
                self.registered()?;
            }
        }
        Ok(())
    }

    fn end(&mut self, state: InquiryState, recorded: &Recorded) -> Result<(), Misfit> {
        let inquiry = self.registered()?;
        inquiry.state = state;
        inquiry.begins_at = None;
        inquiry.expires_at = None;
        inquiry.preferred = None;
        inquiry.ended_at = Some(recorded.time);
        Ok(())
    }

    /// While the inquiry waits, its state says what it waits for. The time it may wait runs in QUEUED
    /// alone, and what is left of it comes with the event that queues it again.
    fn settle_waiting(&mut self) -> Result<(), Misfit> {
        let pending = self.reservations.iter().any(|one| one.state == ReservationState::Pending);
        let open = self.auctions.last().is_some_and(|auction| auction.row().state == AuctionState::Open);
        let inquiry = self.registered()?;
        if inquiry.state.is_waiting() {
            inquiry.state = match (pending, open) {
                (true, _) => InquiryState::Reserved,
                (false, true) => InquiryState::InAuction,
                (false, false) => InquiryState::Queued,
            };
            if inquiry.state != InquiryState::Queued {
                inquiry.expires_at = None;
            }
        }
        Ok(())
    }

    fn on_auction(&mut self, event: &AuctionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let auction = match event {
            AuctionEvent::Opened(e) => {
                if self.auction(e.auction).is_some() {
                    return Err(Misfit::Twice(e.auction.into()));
                }
                self.auctions.push(Auction::open(e, recorded));
                return self.settle_waiting();
            }
            AuctionEvent::Awarded(e) => {
                self.decisions.push(DecisionRow::new(DecisionKind::Award, e.why.clone(), recorded));
                e.auction
            }
            AuctionEvent::Unsold(e) => {
                self.decisions.push(DecisionRow::new(DecisionKind::Award, e.why.clone(), recorded));
                e.auction
            }
            AuctionEvent::BidPlaced(e) => e.auction,
            AuctionEvent::BidOutbid(e) => e.auction,
            AuctionEvent::BidWithdrawn(e) => e.auction,
            AuctionEvent::Extended(e) => e.auction,
            AuctionEvent::BidLost(e) => e.auction,
            AuctionEvent::BidForfeited(e) => e.auction,
            AuctionEvent::Cancelled(e) => e.auction,
        };
        let known = self.auctions.iter_mut().find(|one| one.row().id == auction);
        known.ok_or(Misfit::Unknown(auction.into()))?.apply(event, recorded)?;
        self.settle_waiting()
    }

    fn on_reservation(&mut self, event: &ReservationEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let reservation = match event {
            ReservationEvent::Opened(e) => {
                if self.reservation(e.reservation).is_some() {
                    return Err(Misfit::Twice(e.reservation.into()));
                }
                self.reservations.push(ReservationRow::open(e, self.requeued, recorded));
                if let Some(why) = e.invitation.as_ref().and_then(|invitation| invitation.why.clone()) {
                    self.decisions.push(DecisionRow::new(DecisionKind::Selection, why, recorded));
                }
                return self.settle_waiting();
            }
            ReservationEvent::Viewed(e) => e.reservation,
            ReservationEvent::Accepted(e) => e.reservation,
            ReservationEvent::Declined(e) => e.reservation,
            ReservationEvent::Lapsed(e) => e.reservation,
            ReservationEvent::Rescinded(e) => e.reservation,
            ReservationEvent::InvitationAnswered(e) => e.reservation,
        };
        let known = self.reservations.iter_mut().find(|one| one.id == reservation);
        known.ok_or(Misfit::Unknown(reservation.into()))?.apply(event, recorded)?;
        self.settle_waiting()
    }

    fn on_session(&mut self, event: &SessionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match (event, &mut self.session) {
            (SessionEvent::Opened(e), None) => {
                self.session = Some(Session::open(e, recorded));
                let inquiry = self.registered()?;
                inquiry.state = InquiryState::Engaged;
                inquiry.preferred = None;
                inquiry.expires_at = None;
                return Ok(());
            }
            (event, Some(session)) => session.apply(event, recorded)?,
            (_, None) => return Err(Misfit::Unknown(self.id.into())),
        }
        let wraps_up = self.session.as_ref().is_some_and(|one| one.row().state == SessionState::WrapUp);
        let inquiry = self.registered()?;
        if wraps_up && !inquiry.state.is_final() {
            inquiry.state = InquiryState::WrapUp;
        }
        Ok(())
    }

    fn on_settlement(&mut self, event: &SettlementEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match (event, &mut self.settlement) {
            (SettlementEvent::Escrowed(e), None) => self.settlement = Some(Settlement::escrow(e, recorded)),
            (event, Some(settlement)) => settlement.apply(event, recorded)?,
            (_, None) => return Err(Misfit::Unknown(self.id.into())),
        }
        Ok(())
    }
}

/// Whether another agent refused the same selection's reservation: in the same auction, or since the inquiry was last
/// in its place.
fn stands_back_for(earlier: &ReservationRow, chain: u32, e: &ReservationOpened) -> bool {
    let refused = matches!(earlier.state, ReservationState::Declined | ReservationState::Lapsed);
    let session = e.invitation.as_ref().map(|invitation| invitation.session);
    let same = earlier.chain == chain && earlier.auction == e.auction && earlier.session == session;
    refused && same && earlier.agent != e.agent
}
