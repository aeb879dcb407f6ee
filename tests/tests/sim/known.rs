//! What the people of a simulated day can know: ids that some writer has told of, with just enough about
//! each to ask something sensible of it.
//!
//! It learns from acknowledged events alone, each once and in order, whichever node tells first.
//! Deliberately not here: any judgement. What is no longer so is asked for all the same, sometimes.

use domain::currency::Currency;
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::auction::AuctionEvent;
use domain::event::community::{OfferEvent, ProviderEvent};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::queue::QueueEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::SettlementEvent;
use domain::event::wallet::{Party, WalletEvent};
use domain::event::webhook::WebhookEvent;
use domain::ids::*;
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::terms::{Allocation, AuctionRules, OfferTerms};
use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use store::recorded::Recorded;

#[derive(Clone)]
pub struct KnownAuction {
    pub id: AuctionId,
    pub rules: AuctionRules,
    pub price: Option<Money>,
    pub open: bool,
}

#[derive(Clone)]
pub struct KnownSession {
    pub id: SessionId,
    pub inquiry: InquiryId,
    pub channel: ChannelId,
    pub agent: AgentId,
    /// Third agents in it.
    pub guests: Vec<AgentId>,
    /// Channels beside MAIN, and one agent on each.
    pub sides: Vec<(ChannelId, AgentId)>,
    /// Who led it before.
    pub formers: Vec<AgentId>,
    pub customer: CustomerId,
    /// Nobody has ended it.
    pub open: bool,
    /// Its agent has nothing left to do for it.
    pub over: bool,
}

#[derive(Clone)]
pub struct KnownReservation {
    pub id: ReservationId,
    pub agent: AgentId,
    /// Who invited.
    pub by: Option<AgentId>,
    pub pending: bool,
    pub deadline: Timestamp,
}

/// Of one call server.
#[derive(Default)]
pub struct KnownMarket {
    pub agents: Vec<AgentId>,
    pub auctions: Vec<KnownAuction>,
    pub bids: Vec<(BidId, AgentId)>,
    placed: Vec<(BidId, AgentId, AuctionId)>,
    pub reservations: Vec<KnownReservation>,
    pub sessions: Vec<KnownSession>,
    pub inquiries: Vec<(InquiryId, CustomerId)>,
    /// Withdrawn by their customers, who may come back.
    pub away: Vec<(InquiryId, CustomerId)>,
    /// Agents select these themselves, and nobody has yet.
    pub claimable: Vec<InquiryId>,
    pub queues: Vec<QueueId>,
    pub blocked: Vec<(AgentId, ProviderId)>,
    pub kept: Vec<(AgentId, CustomerId)>,
    /// Who was told something, by the event at which position.
    pub told: Vec<(AgentId, Seq)>,
    /// What was completed, at what price.
    pub settled: Vec<(SettlementId, Money)>,
    /// Parts of what is payable, as they became that.
    pub payable: Vec<(Party, Money)>,
    pub payouts: Vec<(Party, PayoutId, Currency)>,
    escrowed: Vec<(SettlementId, Money)>,
    /// Who has strikes.
    pub struck: Vec<AgentId>,
    /// Who may name no bid.
    pub barred: Vec<AgentId>,
    /// When it was last heard of.
    pub now: Timestamp,
}

#[derive(Clone)]
pub struct KnownOffer {
    pub id: OfferId,
    pub provider: ProviderId,
    pub revision: u32,
    pub terms: OfferTerms,
}

#[derive(Default)]
pub struct Known {
    /// The next position of each log.
    next: BTreeMap<LogName, Seq>,
    pub providers: Vec<ProviderId>,
    pub offers: Vec<KnownOffer>,
    pub paused: Vec<OfferId>,
    pub blocked: Vec<(ProviderId, CustomerId)>,
    /// Of every acceptance.
    pub accepted: Vec<(ProviderId, CustomerId, InquiryId)>,
    pub erased: BTreeSet<CustomerId>,
    pub markets: BTreeMap<LogName, KnownMarket>,
    /// Whose webhooks stand, and what each has delivered or will.
    pub webhooks: Vec<(WebhookId, ProviderId)>,
    pub deliveries: Vec<(DeliveryId, WebhookId)>,
    /// Many came in the morning, about very much.
    pub crowded: bool,
}

impl Known {
    pub fn learn(&mut self, event: &Recorded) {
        let next = self.next.entry(event.log.clone()).or_default();
        if event.seq != *next {
            return;
        }
        *next += 1;
        if event.log == LogName::community() {
            self.learn_community(&event.event);
        } else if event.log == LogName::effects() {
            self.learn_effects(&event.event);
        } else if event.log != LogName::treasury() {
            let market = self.markets.entry(event.log.clone()).or_default();
            market.now = event.time;
            market.learn(&event.event);
            let told = match &event.event {
                Event::Reservation(ReservationEvent::Lapsed(e)) => Some(e.agent),
                Event::Reservation(ReservationEvent::Rescinded(e)) => Some(e.agent),
                Event::Auction(AuctionEvent::BidOutbid(e)) => Some(e.agent),
                Event::Auction(AuctionEvent::BidLost(e)) => Some(e.agent),
                _ => None,
            };
            market.told.extend(told.map(|agent| (agent, event.seq)));
        }
    }

    fn learn_community(&mut self, event: &Event) {
        match event {
            Event::Provider(ProviderEvent::Registered(e)) => self.providers.push(e.provider),
            Event::Offer(OfferEvent::Published(e)) => {
                self.offers.push(KnownOffer { id: e.offer, provider: e.provider, revision: 1, terms: e.terms.clone() })
            }
            Event::Offer(OfferEvent::Revised(e)) => {
                for offer in self.offers.iter_mut().filter(|offer| offer.id == e.offer) {
                    offer.revision = e.revision;
                    offer.terms = e.terms.clone();
                }
            }
            Event::Customer(CustomerEvent::Erased(e)) => {
                self.erased.insert(e.customer);
            }
            Event::Provider(ProviderEvent::CustomerBlocked(e)) => self.blocked.push((e.provider, e.customer)),
            Event::Provider(ProviderEvent::CustomerUnblocked(e)) => {
                self.blocked.retain(|one| *one != (e.provider, e.customer));
            }
            Event::Offer(OfferEvent::Accepted(e)) => self.accepted.push((e.provider, e.customer, e.inquiry)),
            Event::Offer(OfferEvent::Paused(e)) => self.paused.push(e.offer),
            Event::Offer(OfferEvent::Resumed(e)) => self.paused.retain(|offer| *offer != e.offer),
            _ => {}
        }
    }
}

impl Known {
    fn learn_effects(&mut self, event: &Event) {
        match event {
            Event::Webhook(WebhookEvent::Created(e)) => self.webhooks.push((e.webhook, e.provider)),
            Event::Webhook(WebhookEvent::Deleted(e)) => {
                self.webhooks.retain(|one| one.0 != e.webhook);
                self.deliveries.retain(|one| one.1 != e.webhook);
            }
            Event::Webhook(WebhookEvent::DeliveryPlanned(e)) => self.deliveries.push((e.delivery, e.webhook)),
            _ => {}
        }
    }
}

impl KnownMarket {
    /// Nothing is counted against the agent any more.
    fn clear(&mut self, agent: AgentId) {
        self.struck.retain(|one| *one != agent);
        self.barred.retain(|one| *one != agent);
    }
    /// Of auctions that are open.
    pub fn sealed_bids(&self) -> impl Iterator<Item = (BidId, AgentId)> + '_ {
        let open =
            |id: &AuctionId| self.auctions.iter().any(|one| one.id == *id && one.open && one.rules.format.is_sealed());
        self.placed.iter().filter(move |(.., auction)| open(auction)).map(|(bid, agent, _)| (*bid, *agent))
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::Agent(AgentEvent::Registered(e)) => self.agents.push(e.agent),
            Event::Settlement(SettlementEvent::Escrowed(e)) => self.escrowed.push((e.settlement, e.price)),
            Event::Settlement(SettlementEvent::Pending(e)) => {
                self.settled.extend(self.escrowed.iter().filter(|one| one.0 == e.settlement));
            }
            Event::Settlement(SettlementEvent::Payable(e)) => {
                self.payable.extend(e.legs.first().map(|leg| (e.payee, leg.amount)));
            }
            Event::Wallet(WalletEvent::PaidOut(e)) => self.payouts.push((e.owner, e.payout, e.amount.currency())),
            Event::Agent(AgentEvent::CustomerBlocked(e)) => self.kept.push((e.agent, e.customer)),
            Event::Agent(AgentEvent::CustomerUnblocked(e)) => self.kept.retain(|one| *one != (e.agent, e.customer)),
            Event::Agent(AgentEvent::Blocked(e)) => self.blocked.push((e.agent, e.provider)),
            Event::Agent(AgentEvent::Unblocked(e)) => self.blocked.retain(|one| *one != (e.agent, e.provider)),
            Event::Agent(AgentEvent::Struck(e)) => self.struck.push(e.agent),
            Event::Agent(AgentEvent::Barred(e)) => self.barred.push(e.agent),
            Event::Agent(AgentEvent::BarEnded(e)) => self.clear(e.agent),
            Event::Agent(AgentEvent::StrikesForgiven(e)) => self.clear(e.agent),
            Event::Queue(QueueEvent::Opened(e)) => self.queues.push(e.queue),
            Event::Inquiry(InquiryEvent::Registered(e)) => {
                self.inquiries.push((e.inquiry, e.customer));
                if matches!(e.terms.allocation, Allocation::Claim { .. }) {
                    self.claimable.push(e.inquiry);
                }
            }
            Event::Inquiry(InquiryEvent::SelectionMade(e)) => self.claimable.retain(|one| *one != e.inquiry),
            Event::Inquiry(InquiryEvent::Withdrawn(e)) => {
                self.claimable.retain(|one| *one != e.inquiry);
                let who = self.inquiries.iter().filter(|one| one.0 == e.inquiry && e.place_kept_until.is_some());
                self.away.extend(who.copied());
            }
            Event::Inquiry(InquiryEvent::Resumed(e)) => self.away.retain(|one| one.0 != e.inquiry),
            Event::Inquiry(InquiryEvent::PlaceLost(e)) => self.away.retain(|one| one.0 != e.inquiry),
            Event::Inquiry(InquiryEvent::Expired(e)) => self.claimable.retain(|one| *one != e.inquiry),
            Event::Auction(event) => self.learn_auction(event),
            Event::Reservation(ReservationEvent::Opened(e)) => self.reservations.push(KnownReservation {
                id: e.reservation,
                agent: e.agent,
                by: e.invitation.as_ref().map(|invitation| invitation.by),
                pending: true,
                deadline: e.deadline,
            }),
            Event::Reservation(ReservationEvent::Accepted(e)) => self.answered(e.reservation),
            Event::Reservation(ReservationEvent::Declined(e)) => self.answered(e.reservation),
            Event::Reservation(ReservationEvent::Lapsed(e)) => self.answered(e.reservation),
            Event::Reservation(ReservationEvent::Rescinded(e)) => self.answered(e.reservation),
            Event::Session(SessionEvent::Opened(e)) => self.sessions.push(KnownSession {
                id: e.session,
                inquiry: e.inquiry,
                channel: e.channel,
                agent: e.agent,
                guests: vec![],
                sides: vec![],
                formers: vec![],
                customer: e.customer,
                open: true,
                over: false,
            }),
            Event::Session(SessionEvent::AgentJoined(e)) => {
                for one in self.sessions.iter_mut().filter(|one| one.id == e.session) {
                    one.guests.retain(|guest| *guest != e.agent);
                    if e.first {
                        one.formers.push(one.agent);
                        one.agent = e.agent;
                    } else {
                        one.guests.push(e.agent);
                    }
                }
            }
            Event::Session(SessionEvent::AgentLeft(e)) => {
                let of = self.sessions.iter_mut().filter(|one| one.id == e.session);
                of.for_each(|one| one.guests.retain(|guest| *guest != e.agent));
            }
            Event::Session(SessionEvent::ChannelOpened(e)) => {
                let of = self.sessions.iter_mut().filter(|one| one.id == e.session);
                of.for_each(|one| one.sides.push((e.channel, e.agent)));
            }
            Event::Session(SessionEvent::Ended(e)) => {
                self.sessions.iter_mut().filter(|one| one.id == e.session).for_each(|one| one.open = false)
            }
            Event::Session(SessionEvent::WrapUpCompleted(e)) => {
                self.sessions.iter_mut().filter(|one| one.id == e.session).for_each(|one| one.over = true)
            }
            _ => {}
        }
    }

    fn learn_auction(&mut self, event: &AuctionEvent) {
        match event {
            AuctionEvent::Opened(e) => {
                self.auctions.push(KnownAuction { id: e.auction, rules: e.rules.clone(), price: None, open: true })
            }
            AuctionEvent::BidPlaced(e) => {
                self.bids.push((e.bid, e.agent));
                self.placed.push((e.bid, e.agent, e.auction));
                self.auctions.iter_mut().filter(|one| one.id == e.auction).for_each(|one| one.price = e.price);
            }
            AuctionEvent::Awarded(e) => self.closed(e.auction),
            AuctionEvent::Unsold(e) => self.closed(e.auction),
            AuctionEvent::Cancelled(e) => self.closed(e.auction),
            AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_) => {}
        }
    }

    fn closed(&mut self, id: AuctionId) {
        self.auctions.iter_mut().filter(|one| one.id == id).for_each(|one| one.open = false);
    }
    fn answered(&mut self, id: ReservationId) {
        self.reservations.iter_mut().filter(|one| one.id == id).for_each(|one| one.pending = false);
    }
}
