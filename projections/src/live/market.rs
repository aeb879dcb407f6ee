//! The view of one call server's log: its agents, queues and accounts, and the dossiers of its open
//! inquiries with the ids that lead to them.
//!
//! Memory follows open work. A dossier goes when its inquiry is closed, except for the last
//! `CLOSED_MAX`, so that who closed it can read it without history. What happens to an inquiry after
//! that (its settlement, late notes) touches accounts at most; history has the rest.

use super::ById;
use super::account::{Accounts, AuctionFacts};
use super::agent::Agents;
use super::dossier::{Dossier, inquiry_of};
use super::error::{Misfit, ViewError};
use super::handle::DossierHandle;
use super::position::Position;
use super::queue::{Came, Queues};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::{CallServerEvent, OfferAccepted};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::journal::JournalEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::SettlementEvent;
use domain::ids::{AuctionId, BidId, InquiryId, Subject};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use store::recorded::Recorded;

/// Closed inquiries that stay in memory.
pub const CLOSED_MAX: usize = 1_024;

/// How much goes on at a location, as it was reported last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    pub amount: Decimal,
    pub reported_at: Timestamp,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Market {
    #[serde(skip)]
    pub(super) position: Position,
    pub(super) agents: Agents,
    pub(super) queues: Queues,
    pub(super) accounts: Accounts,
    /// The last report of each location, until it expires.
    pub(super) traffic: BTreeMap<Arc<str>, Traffic>,
    dossiers: BTreeMap<InquiryId, DossierHandle>,
    /// The open ones.
    auctions: BTreeSet<AuctionId>,
    /// Auction, bid, reservation, session, channel, message, settlement, record: to the inquiry.
    #[serde(serialize_with = "super::restore::in_order")]
    inquiries: ById<Subject, InquiryId>,
    /// In order of closing.
    closed: VecDeque<InquiryId>,
    /// The last acceptance that was registered here: they come in the order of `community`.
    registered_to: Option<Seq>,
}

impl Market {
    pub(super) fn dossier(&self, id: InquiryId) -> Option<&DossierHandle> {
        self.dossiers.get(&id)
    }
    /// Those in memory, by id.
    pub(super) fn dossiers(&self, after: Option<InquiryId>) -> impl Iterator<Item = &DossierHandle> {
        self.dossiers.range(super::past(after)).map(|(_, dossier)| dossier)
    }
    /// Open auctions, by id.
    pub(super) fn auctions(&self, after: Option<AuctionId>) -> impl Iterator<Item = AuctionId> {
        self.auctions.range(super::past(after)).copied()
    }
    pub(super) fn inquiry_of(&self, subject: Subject) -> Option<InquiryId> {
        match subject {
            Subject::InquiryId(id) => self.dossiers.contains_key(&id).then_some(id),
            subject => self.inquiries.get(&subject).copied(),
        }
    }
    /// Whether something lives here that is not an inquiry's.
    pub(super) fn has(&self, subject: Subject) -> bool {
        match subject {
            Subject::AgentId(id) => self.agents.get(id).is_some(),
            Subject::QueueId(id) => self.queues.get(id).is_some(),
            Subject::AccountId(id) => self.accounts.get(id).is_some(),
            Subject::PayoutId(id) => self.accounts.of_payout(id).is_some(),
            _ => false,
        }
    }

    /// The last acceptance that was registered here.
    pub(super) fn registered_to(&self) -> Option<Seq> {
        self.registered_to
    }
    /// Where in `community` the acceptances stand that its dossiers lack.
    pub(super) fn lacks(&self) -> impl Iterator<Item = Seq> {
        self.dossiers.values().filter_map(|dossier| dossier.read(Dossier::lacks))
    }

    /// The acceptance of an inquiry of this call server, from `community`. Where the two logs are read
    /// apart it may come after the inquiry has closed and gone, and then stays away.
    pub(super) fn on_acceptance(&mut self, e: &OfferAccepted, recorded: &Recorded) -> Result<(), Misfit> {
        match self.dossiers.get(&e.inquiry) {
            Some(dossier) => dossier.write(|dossier| dossier.fold(recorded)),
            None if self.registered_to.is_some_and(|seq| recorded.seq <= seq) => Ok(()),
            None => self.begin(recorded),
        }
    }

    /// Folds what of its log's next events it has not seen.
    pub(super) fn take(&mut self, log: &LogName, batch: &[Arc<Recorded>]) -> Result<(), ViewError> {
        let mut position = std::mem::take(&mut self.position);
        let result = position.fold(log, batch, |recorded| self.fold(recorded));
        self.forget();
        self.position = position;
        result
    }

    fn fold(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        match &recorded.event {
            // Shown as it was set.
            Event::Journal(JournalEvent::FeeRuleTaken(_)) => Ok(()),
            Event::Provider(_) | Event::Offer(_) | Event::Webhook(_) | Event::Journal(_) => Err(Misfit::WrongLog),
            // What ends of it has events of its own.
            Event::Customer(CustomerEvent::Forgotten(e)) => {
                if e.until.is_none() {
                    self.agents.forget(e.customer);
                }
                Ok(())
            }
            Event::Customer(CustomerEvent::Erased(_)) => Err(Misfit::WrongLog),
            Event::CallServer(event) => self.on_call_server(event, recorded),
            Event::Queue(event) => self.queues.on_queue(event, recorded),
            Event::Agent(event) => self.agents.on_agent(event, recorded),
            Event::Wallet(event) => self.accounts.on_wallet(event, recorded),
            Event::Inquiry(event) => self.on_inquiry(event, recorded),
            Event::Auction(event) => self.on_auction(event, recorded),
            Event::Reservation(event) => self.on_reservation(event, recorded),
            Event::Session(event) => self.on_session(event, recorded),
            Event::Settlement(event) => self.on_settlement(event, recorded),
        }
    }

    /// Lets go of the oldest closed dossiers. Called after a batch, so that all events of the command
    /// that closed an inquiry find it.
    fn forget(&mut self) {
        while self.closed.len() > CLOSED_MAX
            && let Some(id) = self.closed.pop_front()
        {
            if let Some(dossier) = self.dossiers.remove(&id) {
                dossier.read(|dossier| {
                    for id in dossier.ids() {
                        self.inquiries.remove(&id);
                    }
                });
            }
        }
    }

    fn on_call_server(&mut self, event: &CallServerEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            // `community` described it already; the log only has to begin.
            CallServerEvent::Started(_) => Ok(()),
            CallServerEvent::CreditLimitGranted(e) => {
                self.accounts.on_credit_limit(e, recorded);
                Ok(())
            }
            CallServerEvent::TrafficReported(e) => {
                let traffic = Traffic { amount: e.traffic, reported_at: recorded.time };
                self.traffic.insert(e.location.as_str().into(), traffic);
                Ok(())
            }
            CallServerEvent::TrafficExpired(e) => {
                self.traffic.remove(e.location.as_str());
                Ok(())
            }
            CallServerEvent::Opened(_) | CallServerEvent::Updated(_) => Err(Misfit::WrongLog),
        }
    }

    fn on_inquiry(&mut self, event: &InquiryEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            InquiryEvent::Registered(e) => {
                self.registered_to = self.registered_to.max(Some(e.source.seq));
                if !self.dossiers.contains_key(&e.inquiry) {
                    self.begin(recorded)?;
                }
            }
            InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Withdrawn(_)
            | InquiryEvent::Resumed(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::Expired(_)
            | InquiryEvent::Completed(_)
            | InquiryEvent::TopicsConfirmed(_)
            | InquiryEvent::Moved(_) => {}
        }
        self.fold_dossier(recorded)?;
        self.queues.on_inquiry(event, recorded)?;
        match event {
            InquiryEvent::Resumed(e) => self.stands_again(e.inquiry, recorded),
            InquiryEvent::Registered(_)
            | InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::Moved(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Withdrawn(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::Expired(_)
            | InquiryEvent::Completed(_)
            | InquiryEvent::TopicsConfirmed(_) => Ok(()),
        }
    }

    fn stands_again(&mut self, id: InquiryId, recorded: &Recorded) -> Result<(), Misfit> {
        let row = self.dossiers.get(&id).and_then(|dossier| dossier.read(|dossier| dossier.inquiry().cloned()));
        let row = row.ok_or(Misfit::Unknown(id.into()))?;
        // It has not waited all the while: it says nothing to others.
        let came = Came { inquiry: id, accepted_at: row.accepted_at, stands_at: row.stands_at };
        self.queues.enter(came, &row.queues, false, recorded)
    }

    fn on_auction(&mut self, event: &AuctionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let auction = match event {
            AuctionEvent::Opened(e) => e.auction,
            AuctionEvent::BidPlaced(e) => e.auction,
            AuctionEvent::BidOutbid(e) => e.auction,
            AuctionEvent::BidWithdrawn(e) => e.auction,
            AuctionEvent::Extended(e) => e.auction,
            AuctionEvent::BidLost(e) => e.auction,
            AuctionEvent::BidForfeited(e) => e.auction,
            AuctionEvent::Awarded(e) => e.auction,
            AuctionEvent::Unsold(e) => e.auction,
            AuctionEvent::Cancelled(e) => e.auction,
        };
        let unknown = Misfit::Unknown(auction.into());
        let facts = self.fold_into(recorded, |dossier| {
            let rules = &dossier.auction(auction).ok_or(unknown)?.row().rules;
            let provider = dossier.inquiry().ok_or(unknown)?.provider;
            Ok(AuctionFacts { direction: rules.direction, format: rules.format, provider })
        })?;
        let facts = facts.ok_or_else(|| nowhere(recorded))?;
        match event {
            AuctionEvent::Opened(_) => {
                self.auctions.insert(auction);
                self.lead(auction, recorded);
            }
            AuctionEvent::BidPlaced(e) => self.lead(e.bid, recorded),
            AuctionEvent::Awarded(_) | AuctionEvent::Unsold(_) | AuctionEvent::Cancelled(_) => {
                self.auctions.remove(&auction);
            }
            AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_) => {}
        }
        self.accounts.on_auction(event, facts, recorded)?;
        self.agents.on_auction(recorded)
    }

    fn on_reservation(&mut self, event: &ReservationEvent, recorded: &Recorded) -> Result<(), Misfit> {
        self.fold_dossier(recorded)?;
        let is_second = match event {
            ReservationEvent::Opened(e) => {
                self.lead(e.reservation, recorded);
                self.dossiers.get(&e.inquiry).is_some_and(|dossier| dossier.read(|dossier| dossier.is_second(e)))
            }
            ReservationEvent::Viewed(_)
            | ReservationEvent::Accepted(_)
            | ReservationEvent::Declined(_)
            | ReservationEvent::Lapsed(_)
            | ReservationEvent::Rescinded(_)
            | ReservationEvent::InvitationAnswered(_) => false,
        };
        let id = match event {
            ReservationEvent::Opened(e) => e.reservation,
            ReservationEvent::Viewed(e) => e.reservation,
            ReservationEvent::Accepted(e) => e.reservation,
            ReservationEvent::Declined(e) => e.reservation,
            ReservationEvent::Lapsed(e) => e.reservation,
            ReservationEvent::Rescinded(e) => e.reservation,
            ReservationEvent::InvitationAnswered(e) => e.reservation,
        };
        let inquiry = inquiry_of(recorded).and_then(|id| self.dossiers.get(&id));
        let payer = inquiry.and_then(|dossier| dossier.read(|dossier| dossier.reservation(id)?.held_of()));
        self.accounts.on_reservation(event, payer, recorded)?;
        self.agents.on_reservation(event, is_second, recorded)
    }

    fn on_session(&mut self, event: &SessionEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            SessionEvent::Opened(e) => {
                self.fold_dossier(recorded)?;
                self.lead(e.session, recorded);
                self.lead(e.channel, recorded);
            }
            SessionEvent::MessageSent(e) => {
                self.fold_dossier(recorded)?;
                self.lead(e.message, recorded);
            }
            SessionEvent::ChannelOpened(e) => {
                self.fold_dossier(recorded)?;
                self.lead(e.channel, recorded);
            }
            SessionEvent::Ended(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => self.fold_dossier(recorded)?,
            // These may come for a day after the end.
            SessionEvent::NotesSaved(_) | SessionEvent::WrapUpExtended(_) => {
                self.fold_if_here(recorded)?;
            }
            SessionEvent::WrapUpCompleted(e) => {
                if self.fold_if_here(recorded)? {
                    self.lead(e.record, recorded);
                }
            }
        }
        self.queues.on_session(event, recorded);
        self.agents.on_session(event, recorded)
    }

    fn on_settlement(&mut self, event: &SettlementEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let auction = match event {
            SettlementEvent::Escrowed(e) => {
                self.fold_dossier(recorded)?;
                self.lead(e.settlement, recorded);
                e.bid.and_then(|bid| self.auction_of(bid, recorded))
            }
            SettlementEvent::Pending(_)
            | SettlementEvent::Refunded(_)
            | SettlementEvent::Payable(_)
            | SettlementEvent::Released(_) => {
                self.fold_if_here(recorded)?;
                None
            }
        };
        self.accounts.on_settlement(event, auction, recorded)
    }

    fn auction_of(&self, bid: BidId, recorded: &Recorded) -> Option<AuctionId> {
        let dossier = self.dossiers.get(&inquiry_of(recorded)?)?;
        dossier.read(|dossier| dossier.auction_of(bid).map(|auction| auction.row().id))
    }

    fn begin(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        let dossier = Dossier::from_first(recorded).map_err(|error| error.misfit)?;
        self.dossiers.insert(dossier.id(), DossierHandle::from(dossier));
        Ok(())
    }

    fn fold_dossier(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        self.fold_into(recorded, |_| Ok(()))?.ok_or_else(|| nowhere(recorded))
    }

    /// Whether the inquiry is still in memory.
    fn fold_if_here(&mut self, recorded: &Recorded) -> Result<bool, Misfit> {
        Ok(self.fold_into(recorded, |_| Ok(()))?.is_some())
    }

    /// Folds the event into its inquiry's dossier, where that is still in memory, and looks at it.
    fn fold_into<R>(
        &mut self,
        recorded: &Recorded,
        look: impl FnOnce(&Dossier) -> Result<R, Misfit>,
    ) -> Result<Option<R>, Misfit> {
        let Some(id) = inquiry_of(recorded) else { return Ok(None) };
        let Some(dossier) = self.dossiers.get(&id) else { return Ok(None) };
        let (was_closed, is_closed, seen) = dossier.write(|dossier| {
            let was_closed = dossier.is_closed();
            dossier.fold(recorded)?;
            Ok::<_, Misfit>((was_closed, dossier.is_closed(), look(dossier)?))
        })?;
        if is_closed && !was_closed {
            self.closed.push_back(id);
        }
        Ok(Some(seen))
    }

    /// From now on `subject` leads to the event's inquiry.
    fn lead(&mut self, subject: impl Into<Subject>, recorded: &Recorded) {
        if let Some(inquiry) = inquiry_of(recorded) {
            self.inquiries.insert(subject.into(), inquiry);
        }
    }
}

/// Of an event whose inquiry is not in memory, though it must be.
fn nowhere(recorded: &Recorded) -> Misfit {
    inquiry_of(recorded).map_or(Misfit::OtherInquiry, |id| Misfit::Unknown(id.into()))
}
