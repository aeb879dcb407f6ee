//! What has happened: facts, past tense, one enum per subject. Who and when stand in the envelope.
//! The payloads are stored as they stand here, members in alphabetical order, so that their JSON is
//! canonical (RFC 8785); a payload that must change gets a new stored shape (`store/stored`).

pub mod agent;
pub mod auction;
pub mod community;
pub mod customer;
pub mod inquiry;
pub mod journal;
pub mod queue;
pub mod reservation;
pub mod session;
pub mod settlement;
pub mod wallet;
pub mod webhook;

use crate::ids::Subject;
use agent::AgentEvent;
use auction::AuctionEvent;
use community::{CallServerEvent, OfferEvent, ProviderEvent};
use customer::CustomerEvent;
use inquiry::InquiryEvent;
use journal::JournalEvent;
use queue::QueueEvent;
use reservation::ReservationEvent;
use session::SessionEvent;
use settlement::{Leg, SettlementEvent};
use wallet::WalletEvent;
use webhook::WebhookEvent;

/// Payloads that hold an offer's whole terms are boxed: an event is moved several times on its way into the log, and
/// almost all of them are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Provider(ProviderEvent),
    Offer(OfferEvent),
    CallServer(CallServerEvent),
    Customer(CustomerEvent),
    Queue(QueueEvent),
    Inquiry(InquiryEvent),
    Auction(AuctionEvent),
    Agent(AgentEvent),
    Wallet(WalletEvent),
    Reservation(ReservationEvent),
    Session(SessionEvent),
    Settlement(SettlementEvent),
    Webhook(WebhookEvent),
    Journal(JournalEvent),
}

/// At most three subjects of an event: the entity, its inquiry, the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    list: [Option<Subject>; 3],
}

impl Subjects {
    pub fn iter(&self) -> impl Iterator<Item = Subject> + '_ {
        self.list.iter().flatten().copied()
    }
}

fn none() -> Subjects {
    Subjects { list: [None, None, None] }
}
fn one(entity: impl Into<Subject>) -> Subjects {
    Subjects { list: [Some(entity.into()), None, None] }
}
fn two(entity: impl Into<Subject>, other: impl Into<Subject>) -> Subjects {
    Subjects { list: [Some(entity.into()), Some(other.into()), None] }
}
fn three(entity: impl Into<Subject>, inquiry: impl Into<Subject>, agent: impl Into<Subject>) -> Subjects {
    Subjects { list: [Some(entity.into()), Some(inquiry.into()), Some(agent.into())] }
}

impl Event {
    /// Whom the event concerns, the entity first. An offer and its provider are reached through the
    /// inquiry.
    pub fn subjects(&self) -> Subjects {
        match self {
            Event::Provider(event) => match event {
                ProviderEvent::Registered(e) => one(e.provider),
                ProviderEvent::Updated(e) => one(e.provider),
                ProviderEvent::CustomerBlocked(e) => two(e.provider, e.customer),
                ProviderEvent::CustomerUnblocked(e) => two(e.provider, e.customer),
            },
            Event::Offer(event) => match event {
                OfferEvent::Published(e) => two(e.offer, e.provider),
                OfferEvent::Revised(e) => one(e.offer),
                OfferEvent::Paused(e) => one(e.offer),
                OfferEvent::Resumed(e) => one(e.offer),
                OfferEvent::Retired(e) => one(e.offer),
                OfferEvent::PlaceFreed(e) => two(e.offer, e.inquiry),
                OfferEvent::Accepted(e) => three(e.inquiry, e.offer, e.customer),
            },
            Event::CallServer(event) => match event {
                CallServerEvent::Opened(e) => one(e.call_server),
                CallServerEvent::Updated(e) => one(e.call_server),
                CallServerEvent::Started(e) => one(e.call_server),
                CallServerEvent::CreditLimitGranted(e) => two(e.account, e.provider),
                CallServerEvent::TrafficReported(e) => one(e.call_server),
                CallServerEvent::TrafficExpired(e) => one(e.call_server),
            },
            Event::Customer(event) => match event {
                CustomerEvent::Erased(e) => one(e.customer),
                CustomerEvent::Forgotten(e) => one(e.customer),
            },
            Event::Queue(event) => match event {
                QueueEvent::Opened(e) => one(e.queue),
                QueueEvent::Retired(e) => one(e.queue),
                QueueEvent::Merged(e) => two(e.queue, e.into),
                QueueEvent::MergePutOff(e) => one(e.queue),
            },
            Event::Inquiry(event) => match event {
                InquiryEvent::Registered(e) => two(e.inquiry, e.customer),
                InquiryEvent::InformationRequested(e) => two(e.inquiry, e.customer),
                InquiryEvent::InformationAnswered(e) => two(e.inquiry, e.customer),
                InquiryEvent::PreferenceEnded(e) => two(e.inquiry, e.agent),
                InquiryEvent::SelectionMade(e) => match e.agent {
                    Some(agent) => two(e.inquiry, agent),
                    None => one(e.inquiry),
                },
                InquiryEvent::Began(e) => one(e.inquiry),
                InquiryEvent::PutOff(e) => one(e.inquiry),
                InquiryEvent::Requeued(e) => one(e.inquiry),
                InquiryEvent::Withdrawn(e) => one(e.inquiry),
                InquiryEvent::Resumed(e) => one(e.inquiry),
                InquiryEvent::PlaceKept(e) => one(e.inquiry),
                InquiryEvent::PlaceLost(e) => one(e.inquiry),
                InquiryEvent::Relaxed(e) => one(e.inquiry),
                InquiryEvent::Expired(e) => one(e.inquiry),
                InquiryEvent::Completed(e) => one(e.inquiry),
                InquiryEvent::TopicsConfirmed(e) => two(e.inquiry, e.agent),
                InquiryEvent::Moved(e) => three(e.inquiry, e.from, e.into),
            },
            Event::Auction(event) => match event {
                AuctionEvent::Opened(e) => two(e.auction, e.inquiry),
                AuctionEvent::BidPlaced(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::BidOutbid(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::BidWithdrawn(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::Extended(e) => two(e.auction, e.inquiry),
                AuctionEvent::Awarded(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::BidLost(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::BidForfeited(e) => three(e.auction, e.inquiry, e.agent),
                AuctionEvent::Unsold(e) => two(e.auction, e.inquiry),
                AuctionEvent::Cancelled(e) => two(e.auction, e.inquiry),
            },
            Event::Agent(event) => match event {
                AgentEvent::Registered(e) => one(e.agent),
                AgentEvent::Updated(e) => one(e.agent),
                AgentEvent::StatusSet(e) => one(e.agent),
                AgentEvent::RoundsPutOff(e) => one(e.agent),
                AgentEvent::RoundsResumed(e) => one(e.agent),
                AgentEvent::StandingValueSet(e) => one(e.agent),
                AgentEvent::Blocked(e) => two(e.agent, e.provider),
                AgentEvent::Unblocked(e) => two(e.agent, e.provider),
                AgentEvent::CustomerBlocked(e) => two(e.agent, e.customer),
                AgentEvent::CustomerUnblocked(e) => two(e.agent, e.customer),
                AgentEvent::NoticesRead(e) => one(e.agent),
                // Of the agent alone, as its status: what comes of its work is no business of a provider.
                AgentEvent::Struck(e) => one(e.agent),
                AgentEvent::Barred(e) => one(e.agent),
                AgentEvent::BarEnded(e) => one(e.agent),
                AgentEvent::StrikesForgiven(e) => one(e.agent),
                // Not its agents: their trails would hold little else.
                AgentEvent::PresenceReported(e) => e.call_server.map_or_else(none, one),
            },
            Event::Wallet(event) => match event {
                WalletEvent::Opened(e) => two(e.account, e.owner.subject()),
                WalletEvent::Credited(e) => two(e.account, e.owner.subject()),
                WalletEvent::CreditLimitSet(e) => two(e.account, e.owner.subject()),
                WalletEvent::PayableNetted(e) => two(e.account, e.owner.subject()),
                WalletEvent::PaidOut(e) => three(e.account, e.owner.subject(), e.payout),
                WalletEvent::PayoutReturned(e) => three(e.account, e.owner.subject(), e.payout),
            },
            Event::Reservation(event) => match event {
                ReservationEvent::Opened(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::Viewed(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::Accepted(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::Declined(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::Lapsed(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::Rescinded(e) => three(e.reservation, e.inquiry, e.agent),
                ReservationEvent::InvitationAnswered(e) => three(e.reservation, e.inquiry, e.agent),
            },
            Event::Session(event) => match event {
                SessionEvent::Opened(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::MessageSent(e) => match e.agent {
                    Some(agent) => three(e.session, e.inquiry, agent),
                    None => two(e.session, e.inquiry),
                },
                SessionEvent::Ended(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::NotesSaved(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::WrapUpExtended(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::WrapUpCompleted(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::AgentJoined(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::AgentLeft(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::ChannelOpened(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::ChannelConnected(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::ChannelClosed(e) => three(e.session, e.inquiry, e.agent),
                SessionEvent::Kept(e) => two(e.session, e.inquiry),
            },
            Event::Settlement(event) => match event {
                SettlementEvent::Escrowed(e) => three(e.settlement, e.inquiry, e.agent),
                SettlementEvent::Pending(e) => three(e.settlement, e.inquiry, e.agent),
                SettlementEvent::Payable(e) => three(e.settlement, e.inquiry, e.agent),
                SettlementEvent::Refunded(e) => three(e.settlement, e.inquiry, e.agent),
                SettlementEvent::Released(e) => three(e.settlement, e.inquiry, e.agent),
            },
            Event::Webhook(event) => match event {
                WebhookEvent::Created(e) => two(e.webhook, e.provider),
                WebhookEvent::SecretRotated(e) => two(e.webhook, e.provider),
                WebhookEvent::Deleted(e) => two(e.webhook, e.provider),
                WebhookEvent::Disabled(e) => two(e.webhook, e.provider),
                WebhookEvent::DeliveryPlanned(e) => three(e.webhook, e.provider, e.delivery),
                WebhookEvent::DeliveryAttempted(e) => three(e.webhook, e.provider, e.delivery),
                WebhookEvent::RedeliveryAsked(e) => three(e.webhook, e.provider, e.delivery),
            },
            Event::Journal(event) => match event {
                JournalEvent::EntryPosted(e) => one(e.about),
                JournalEvent::FeeRuleSet(e) => one(e.rule.id),
                JournalEvent::FeeRuleTaken(e) => one(e.rule.id),
            },
        }
    }

    /// What an event moves between accounts, as it says itself; none where it moves nothing. A hold is no posting, and
    /// a journal entry moves nothing a second time.
    pub fn legs(&self) -> Option<&[Leg]> {
        match self {
            Event::Wallet(event) => match event {
                WalletEvent::Credited(e) => Some(&e.legs),
                WalletEvent::PayableNetted(e) => Some(&e.legs),
                WalletEvent::PaidOut(e) => Some(&e.legs),
                WalletEvent::PayoutReturned(e) => Some(&e.legs),
                WalletEvent::Opened(_) | WalletEvent::CreditLimitSet(_) => None,
            },
            Event::Settlement(event) => match event {
                SettlementEvent::Escrowed(e) => Some(&e.legs),
                SettlementEvent::Pending(e) => Some(&e.legs),
                SettlementEvent::Payable(e) => Some(&e.legs),
                SettlementEvent::Refunded(e) => Some(&e.legs),
                SettlementEvent::Released(e) => Some(&e.legs),
            },
            Event::Provider(_)
            | Event::Offer(_)
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Inquiry(_)
            | Event::Auction(_)
            | Event::Agent(_)
            | Event::Reservation(_)
            | Event::Session(_)
            | Event::Webhook(_)
            | Event::Journal(_) => None,
        }
    }
}

/// `From` each payload, so that a decision can write `events.push(BidPlaced { … }.into())`.
macro_rules! into_event {
    ($($subject:ident($enum:ident): $($variant:ident($payload:path)),*;)*) => {
        $($(
            impl From<$payload> for Event {
                fn from(payload: $payload) -> Event {
                    Event::$subject($enum::$variant(payload.into()))
                }
            }
        )*)*
    };
}

into_event! {
    Provider(ProviderEvent): Registered(community::ProviderRegistered), Updated(community::ProviderUpdated),
        CustomerBlocked(community::ProviderCustomerBlocked), CustomerUnblocked(community::ProviderCustomerUnblocked);
    Offer(OfferEvent): Published(community::OfferPublished), Revised(community::OfferRevised),
        Paused(community::OfferPaused), Resumed(community::OfferResumed),
        Retired(community::OfferRetired), PlaceFreed(community::OfferPlaceFreed), Accepted(community::OfferAccepted);
    CallServer(CallServerEvent): Opened(community::CallServerOpened), Updated(community::CallServerUpdated),
        Started(community::CallServerStarted), CreditLimitGranted(community::CreditLimitGranted),
        TrafficReported(community::CallServerTrafficReported), TrafficExpired(community::CallServerTrafficExpired);
    Customer(CustomerEvent): Erased(customer::CustomerErased), Forgotten(customer::CustomerForgotten);
    Queue(QueueEvent): Opened(queue::QueueOpened), Retired(queue::QueueRetired),
        Merged(queue::QueueMerged), MergePutOff(queue::QueueMergePutOff);
    Inquiry(InquiryEvent): Registered(inquiry::InquiryRegistered), InformationRequested(inquiry::InformationRequested),
        InformationAnswered(inquiry::InformationAnswered), SelectionMade(inquiry::SelectionMade), Began(inquiry::InquiryBegan), PutOff(inquiry::InquiryPutOff), Relaxed(inquiry::InquiryRelaxed), PreferenceEnded(inquiry::InquiryPreferenceEnded), Requeued(inquiry::InquiryRequeued),
        Withdrawn(inquiry::InquiryWithdrawn), Resumed(inquiry::InquiryResumed), PlaceKept(inquiry::InquiryPlaceKept),
        PlaceLost(inquiry::InquiryPlaceLost), Expired(inquiry::InquiryExpired), Completed(inquiry::InquiryCompleted),
        TopicsConfirmed(inquiry::TopicsConfirmed), Moved(inquiry::InquiryMoved);
    Auction(AuctionEvent): Opened(auction::AuctionOpened), BidPlaced(auction::BidPlaced), BidOutbid(auction::BidOutbid),
        BidWithdrawn(auction::BidWithdrawn), Extended(auction::AuctionExtended), Awarded(auction::AuctionAwarded),
        BidLost(auction::BidLost), BidForfeited(auction::BidForfeited), Unsold(auction::AuctionUnsold),
        Cancelled(auction::AuctionCancelled);
    Agent(AgentEvent): Registered(agent::AgentRegistered), Updated(agent::AgentUpdated), StatusSet(agent::AgentStatusSet),
        RoundsPutOff(agent::AgentRoundsPutOff), RoundsResumed(agent::AgentRoundsResumed),
        PresenceReported(agent::AgentPresenceReported), StandingValueSet(agent::StandingValueSet),
        Blocked(agent::AgentBlocked), Unblocked(agent::AgentUnblocked),
        CustomerBlocked(agent::AgentCustomerBlocked), CustomerUnblocked(agent::AgentCustomerUnblocked),
        NoticesRead(agent::AgentNoticesRead),
        Struck(agent::AgentStruck), Barred(agent::AgentBarred), BarEnded(agent::AgentBarEnded),
        StrikesForgiven(agent::AgentStrikesForgiven);
    Wallet(WalletEvent): Opened(wallet::WalletOpened), Credited(wallet::WalletCredited), CreditLimitSet(wallet::CreditLimitSet),
        PayableNetted(wallet::PayableNetted), PaidOut(wallet::PaidOut), PayoutReturned(wallet::PayoutReturned);
    Reservation(ReservationEvent): Opened(reservation::ReservationOpened), Viewed(reservation::ReservationViewed),
        Accepted(reservation::ReservationAccepted), Declined(reservation::ReservationDeclined),
        Lapsed(reservation::ReservationLapsed), Rescinded(reservation::ReservationRescinded),
        InvitationAnswered(reservation::InvitationAnswered);
    Session(SessionEvent): Opened(session::SessionOpened), MessageSent(session::MessageSent), Ended(session::SessionEnded),
        NotesSaved(session::NotesSaved), WrapUpExtended(session::WrapUpExtended), WrapUpCompleted(session::WrapUpCompleted),
        AgentJoined(session::AgentJoined), AgentLeft(session::AgentLeft), ChannelOpened(session::ChannelOpened),
        ChannelConnected(session::ChannelConnected), ChannelClosed(session::ChannelClosed), Kept(session::SessionKept);
    Settlement(SettlementEvent): Escrowed(settlement::SettlementEscrowed), Pending(settlement::SettlementPending),
        Payable(settlement::SettlementPayable), Refunded(settlement::SettlementRefunded), Released(settlement::SettlementReleased);
    Webhook(WebhookEvent): Created(webhook::WebhookCreated), SecretRotated(webhook::WebhookSecretRotated),
        Deleted(webhook::WebhookDeleted), Disabled(webhook::WebhookDisabled),
        DeliveryPlanned(webhook::WebhookDeliveryPlanned), DeliveryAttempted(webhook::WebhookDeliveryAttempted),
        RedeliveryAsked(webhook::WebhookRedeliveryAsked);
    Journal(JournalEvent): EntryPosted(journal::EntryPosted), FeeRuleSet(journal::FeeRuleSet),
        FeeRuleTaken(journal::FeeRuleTaken);
}
