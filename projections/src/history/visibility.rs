//! What of an event a viewer may see: absent, in part, or whole. Pure; what is true now comes in through
//! `Facts`. Every audit page, feed, webhook and export asks here, so this is one table of rights:
//!
//! | viewer | sees events of |
//! |---|---|
//! | operator | everything |
//! | provider | itself, its offers, its webhooks, its wallets, whom it blocks, and its offers' inquiries, auctions, reservations, sessions, settlements |
//! | finance | wallets, settlements, credit limits |
//! | agent | whatever has it among the subjects, whom it blocks itself too, but not who blocks it: no report of presence has, so those are operators' alone |
//! | customer | its own acceptances and inquiries, and their sessions' opening, agents, MAIN channel, its messages, and end |
//!
//! Before anything else: what a bid does in an open sealed auction is absent to all but its bidder, who
//! is decided by the auction's state now and not by a position. Where facts are missing the answer is the
//! narrower one. What is hidden inside an event that is seen stands in `redact`.

use super::redact;
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::auction::AuctionEvent;
use domain::event::community::{CallServerEvent, OfferEvent, ProviderEvent};
use domain::event::inquiry::InquiryEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::SettlementEvent;
use domain::event::wallet::{Party, WalletEvent};
use domain::ids::{AgentId, AuctionId, CustomerId, InquiryId, OfferId, ProviderId, Subject};
use domain::terms::AuctionFormat;
use serde_json::Value;
use store::recorded::Recorded;

/// What a viewer gets of an event. The event's salt goes with `Full` alone: with it hidden data could
/// be guessed from its hash.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Absent,
    /// `data` with null in the hidden places; `redacted` names them, such as
    /// `terms.allocation.auction.reserve` or `why.ranked.1`.
    Partial {
        data: Value,
        redacted: Vec<String>,
    },
    /// The data as it stands in the log.
    Full,
}

/// What is true now. `None`: nobody knows, and the narrower answer is given.
pub trait Facts {
    fn auction(&self, id: AuctionId) -> Option<AuctionFacts>;
    fn inquiry(&self, id: InquiryId) -> Option<InquiryFacts>;
    /// Whether the agent takes, or took, part in the inquiry's session. Where nobody knows: no.
    fn is_engaged(&self, inquiry: InquiryId, agent: AgentId) -> bool;
    fn provider_of(&self, offer: OfferId) -> Option<ProviderId>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuctionFacts {
    pub format: AuctionFormat,
    /// Not closed yet.
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InquiryFacts {
    pub provider: ProviderId,
    pub customer: CustomerId,
}

/// What `viewer` may see of `event`.
pub fn see(viewer: &Actor, event: &Recorded, facts: &dyn Facts) -> Seen {
    if is_hidden_bid(viewer, &event.event, facts) || !concerns(viewer, event, facts) {
        return Seen::Absent;
    }
    redact::redact(viewer, event, facts)
}

/// Whether `viewer`, who sees the event, may know who gave its command. Its role is no secret; who it is, only
/// where the viewer may see that party:
///
/// | viewer | is told who acted |
/// |---|---|
/// | everybody | itself |
/// | operator | everybody |
/// | provider | the customer of its own inquiry; an agent whom an event of it concerns |
/// | finance | operators, finance; the parties of an event about money |
/// | agent | operators; the customer whose session it takes part in |
/// | customer | the agent whom an event of its own session concerns |
///
/// A filter by actor asks here, too: what does not show must not be found.
pub fn sees_actor(viewer: &Actor, event: &Recorded, facts: &dyn Facts) -> bool {
    let actor = &event.actor;
    if viewer == actor {
        return true;
    }
    match (viewer, actor) {
        // Nobody in particular.
        (_, Actor::System | Actor::Anonymous) => true,
        (Actor::Operator(_), _) => true,
        (Actor::Provider(own), Actor::Customer(id)) => {
            facts_of(event, facts).is_some_and(|inquiry| inquiry.provider == *own && inquiry.customer == *id)
        }
        (Actor::Provider(own), Actor::Agent(id)) => {
            is_about(event, *id) && facts_of(event, facts).is_some_and(|inquiry| inquiry.provider == *own)
        }
        (Actor::Finance(_), Actor::Operator(_) | Actor::Finance(_)) => true,
        (Actor::Finance(_), Actor::Agent(id)) => is_party(&event.event, Party::Agent(*id)),
        (Actor::Finance(_), Actor::Provider(id)) => is_party(&event.event, Party::Provider(*id)),
        (Actor::Agent(_), Actor::Operator(_)) => true,
        (Actor::Agent(own), Actor::Customer(id)) => {
            let inquiry = super::subjects::inquiry_of(&event.subjects);
            let is_its = facts_of(event, facts).is_some_and(|inquiry| inquiry.customer == *id);
            is_its && inquiry.is_some_and(|inquiry| facts.is_engaged(inquiry, *own))
        }
        (Actor::Customer(own), Actor::Agent(id)) => {
            let is_session = matches!(event.event, Event::Session(_));
            is_session && is_about(event, *id) && facts_of(event, facts).is_some_and(|inquiry| inquiry.customer == *own)
        }
        (Actor::Provider(_), Actor::Operator(_) | Actor::Finance(_) | Actor::Provider(_))
        | (Actor::Finance(_), Actor::Customer(_))
        | (Actor::Agent(_), Actor::Agent(_) | Actor::Provider(_) | Actor::Finance(_))
        | (Actor::Customer(_), Actor::Operator(_) | Actor::Provider(_) | Actor::Finance(_) | Actor::Customer(_))
        | (Actor::Anonymous | Actor::System, _) => false,
    }
}

fn is_about(event: &Recorded, agent: AgentId) -> bool {
    event.subjects.contains(&Subject::from(agent))
}

/// Whose money the event is about. A settlement's agent is one of its two parties.
fn is_party(event: &Event, party: Party) -> bool {
    let parties = match event {
        Event::Wallet(WalletEvent::Opened(e)) => [Some(e.owner), None, None],
        Event::Wallet(WalletEvent::Credited(e)) => [Some(e.owner), None, None],
        Event::Wallet(WalletEvent::CreditLimitSet(e)) => [Some(e.owner), None, None],
        Event::Wallet(WalletEvent::PayableNetted(e)) => [Some(e.owner), None, None],
        Event::Wallet(WalletEvent::PaidOut(e)) => [Some(e.owner), None, None],
        Event::Wallet(WalletEvent::PayoutReturned(e)) => [Some(e.owner), None, None],
        Event::Settlement(SettlementEvent::Escrowed(e)) => [Some(Party::Agent(e.agent)), Some(e.payer), Some(e.payee)],
        Event::Settlement(SettlementEvent::Pending(e)) => [Some(Party::Agent(e.agent)), Some(e.payee), None],
        Event::Settlement(SettlementEvent::Payable(e)) => [Some(Party::Agent(e.agent)), Some(e.payee), None],
        // What it loses is in the legs: its agent is one of the two, and a provider is asked by its inquiry.
        Event::Settlement(SettlementEvent::Refunded(e)) => [Some(Party::Agent(e.agent)), Some(e.payer), None],
        Event::Settlement(SettlementEvent::Released(e)) => [Some(Party::Agent(e.agent)), Some(e.payer), None],
        Event::CallServer(CallServerEvent::CreditLimitGranted(e)) => [Some(Party::Provider(e.provider)), None, None],
        Event::CallServer(
            CallServerEvent::Opened(_)
            | CallServerEvent::Updated(_)
            | CallServerEvent::Started(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Webhook(_)
        | Event::Journal(_) => return false,
    };
    parties.contains(&Some(party))
}

/// Of the inquiry that the event belongs to. An acceptance says it itself: no call server knows it yet.
fn facts_of(event: &Recorded, facts: &dyn Facts) -> Option<InquiryFacts> {
    if let Event::Offer(OfferEvent::Accepted(e)) = &event.event {
        return Some(InquiryFacts { provider: e.provider, customer: e.customer });
    }
    inquiry_facts(event, facts)
}

/// Whether the event is what a bid did in an auction that is sealed and open, or may be.
fn is_hidden_bid(viewer: &Actor, event: &Event, facts: &dyn Facts) -> bool {
    let Event::Auction(event) = event else { return false };
    let (auction, bidder): (AuctionId, Option<AgentId>) = match event {
        AuctionEvent::BidPlaced(e) => (e.auction, Some(e.agent)),
        AuctionEvent::BidOutbid(e) => (e.auction, Some(e.agent)),
        AuctionEvent::BidWithdrawn(e) => (e.auction, Some(e.agent)),
        AuctionEvent::BidLost(e) => (e.auction, Some(e.agent)),
        AuctionEvent::BidForfeited(e) => (e.auction, Some(e.agent)),
        // That a bid moved the closing says that there was a bid; whose is not recorded.
        AuctionEvent::Extended(e) if e.bid.is_some() => (e.auction, None),
        AuctionEvent::Opened(_)
        | AuctionEvent::Extended(_)
        | AuctionEvent::Awarded(_)
        | AuctionEvent::Unsold(_)
        | AuctionEvent::Cancelled(_) => return false,
    };
    redact::is_sealed_now(auction, facts) && !bidder.is_some_and(|bidder| *viewer == Actor::Agent(bidder))
}

/// Whether the event is the viewer's to see at all.
fn concerns(viewer: &Actor, event: &Recorded, facts: &dyn Facts) -> bool {
    match viewer {
        Actor::Operator(_) => true,
        Actor::Provider(id) => concerns_provider(*id, event, facts),
        Actor::Finance(_) => concerns_finance(&event.event),
        Actor::Agent(id) => !is_block(&event.event) && event.subjects.contains(&Subject::from(*id)),
        Actor::Customer(id) => concerns_customer(*id, event, facts),
        Actor::Anonymous | Actor::System => false,
    }
}

/// Of an agent by a provider: it is not told.
fn is_block(event: &Event) -> bool {
    matches!(event, Event::Agent(AgentEvent::Blocked(_) | AgentEvent::Unblocked(_)))
}

fn concerns_provider(id: ProviderId, event: &Recorded, facts: &dyn Facts) -> bool {
    match &event.event {
        Event::Provider(ProviderEvent::Registered(e)) => e.provider == id,
        Event::Provider(ProviderEvent::Updated(e)) => e.provider == id,
        Event::Provider(ProviderEvent::CustomerBlocked(e)) => e.provider == id,
        Event::Provider(ProviderEvent::CustomerUnblocked(e)) => e.provider == id,
        Event::Offer(OfferEvent::Published(e)) => e.provider == id,
        Event::Offer(OfferEvent::Revised(e)) => facts.provider_of(e.offer) == Some(id),
        Event::Offer(OfferEvent::Paused(e)) => facts.provider_of(e.offer) == Some(id),
        Event::Offer(OfferEvent::Resumed(e)) => facts.provider_of(e.offer) == Some(id),
        Event::Offer(OfferEvent::Retired(e)) => facts.provider_of(e.offer) == Some(id),
        Event::Offer(OfferEvent::PlaceFreed(e)) => facts.provider_of(e.offer) == Some(id),
        Event::Offer(OfferEvent::Accepted(e)) => e.provider == id,
        Event::CallServer(CallServerEvent::CreditLimitGranted(e)) => e.provider == id,
        Event::CallServer(
            CallServerEvent::Opened(_)
            | CallServerEvent::Updated(_)
            | CallServerEvent::Started(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_),
        ) => false,
        // Whom it blocks itself; what an agent does and wants is the agent's.
        Event::Agent(AgentEvent::Blocked(e)) => e.provider == id,
        Event::Agent(AgentEvent::Unblocked(e)) => e.provider == id,
        Event::Agent(
            AgentEvent::Registered(_)
            | AgentEvent::Updated(_)
            | AgentEvent::StatusSet(_)
            | AgentEvent::RoundsPutOff(_)
            | AgentEvent::RoundsResumed(_)
            | AgentEvent::PresenceReported(_)
            | AgentEvent::StandingValueSet(_)
            // Whom an agent keeps away from is its own.
            | AgentEvent::CustomerBlocked(_)
            | AgentEvent::CustomerUnblocked(_)
            | AgentEvent::NoticesRead(_)
            | AgentEvent::Struck(_)
            | AgentEvent::Barred(_)
            | AgentEvent::BarEnded(_)
            | AgentEvent::StrikesForgiven(_),
        ) => false,
        Event::Customer(_) | Event::Queue(_) => false,
        Event::Webhook(e) => e.provider() == id,
        // The books are of everybody's money.
        Event::Journal(_) => false,
        Event::Wallet(WalletEvent::Opened(e)) => e.owner == Party::Provider(id),
        Event::Wallet(WalletEvent::Credited(e)) => e.owner == Party::Provider(id),
        Event::Wallet(WalletEvent::CreditLimitSet(e)) => e.owner == Party::Provider(id),
        Event::Wallet(WalletEvent::PayableNetted(e)) => e.owner == Party::Provider(id),
        Event::Wallet(WalletEvent::PaidOut(e)) => e.owner == Party::Provider(id),
        Event::Wallet(WalletEvent::PayoutReturned(e)) => e.owner == Party::Provider(id),
        Event::Inquiry(_) | Event::Auction(_) | Event::Reservation(_) | Event::Session(_) | Event::Settlement(_) => {
            inquiry_facts(event, facts).is_some_and(|inquiry| inquiry.provider == id)
        }
    }
}

fn concerns_finance(event: &Event) -> bool {
    match event {
        Event::Wallet(_)
        | Event::Settlement(_)
        | Event::Journal(_)
        | Event::CallServer(CallServerEvent::CreditLimitGranted(_)) => true,
        Event::CallServer(
            CallServerEvent::Opened(_)
            | CallServerEvent::Updated(_)
            | CallServerEvent::Started(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Webhook(_) => false,
    }
}

fn concerns_customer(id: CustomerId, event: &Recorded, facts: &dyn Facts) -> bool {
    match &event.event {
        Event::Offer(OfferEvent::Accepted(e)) => e.customer == id,
        // Who else could have had it is no customer's business.
        Event::Inquiry(InquiryEvent::SelectionMade(_) | InquiryEvent::PreferenceEnded(_)) => false,
        // What agents say and do beside MAIN is not there for the customer.
        Event::Session(SessionEvent::MessageSent(e)) if e.side => false,
        Event::Session(SessionEvent::ChannelConnected(e)) if e.side => false,
        Event::Inquiry(
            InquiryEvent::Registered(_)
            | InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Withdrawn(_)
            | InquiryEvent::Resumed(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::PlaceLost(_)
            | InquiryEvent::Expired(_)
            | InquiryEvent::Completed(_)
            | InquiryEvent::TopicsConfirmed(_)
            | InquiryEvent::Moved(_),
        )
        | Event::Session(
            SessionEvent::Opened(_)
            | SessionEvent::MessageSent(_)
            | SessionEvent::Ended(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::Kept(_),
        ) => inquiry_facts(event, facts).is_some_and(|inquiry| inquiry.customer == id),
        Event::Session(
            SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelClosed(_),
        )
        | Event::Offer(
            OfferEvent::Published(_)
            | OfferEvent::Revised(_)
            | OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_)
            | OfferEvent::PlaceFreed(_),
        )
        | Event::Provider(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => false,
    }
}

fn inquiry_facts(event: &Recorded, facts: &dyn Facts) -> Option<InquiryFacts> {
    facts.inquiry(super::subjects::inquiry_of(&event.subjects)?)
}
