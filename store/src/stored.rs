//! Every event shape ever written, by its stored `type`. Append-only: an entry is added, never edited,
//! so what was ever written decodes for ever (`tests/golden`). Today each type's shape is the domain's
//! payload itself; the day a payload changes, its old form moves here as a struct of its own with a
//! `From` into today's, and writing uses a new version number (docs/adr/0004-stored-shapes.md).

use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::auction::AuctionEvent;
use domain::event::community::{CallServerEvent, OfferEvent, ProviderEvent};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::journal::JournalEvent;
use domain::event::queue::QueueEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::SettlementEvent;
use domain::event::wallet::WalletEvent;
use domain::event::webhook::WebhookEvent;

/// A stored event that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Written by a newer version, or damaged.
    #[error("unknown event type {0}")]
    UnknownType(String),
    #[error("event data of type {type_name} does not have its shape")]
    Shape {
        type_name: String,
        #[source]
        source: serde_json::Error,
    },
}

/// What most payloads need.
const DATA_BYTES: usize = 768;

fn write_json(payload: &impl serde::Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(DATA_BYTES);
    serde_json::to_writer(&mut out, payload).expect("payloads have string keys and no floats");
    out
}

/// Reads JSON that ought to be UTF-8: looked at once as a whole, instead of string by string.
pub(crate) fn read_json<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T, serde_json::Error> {
    match std::str::from_utf8(text) {
        Ok(text) => serde_json::from_str(text),
        // It says where.
        Err(_) => serde_json::from_slice(text),
    }
}

macro_rules! stored {
    ($($name:literal => $subject:ident($enum:ident::$variant:ident);)*) => {
        /// Every type name, in the order of this file.
        pub const TYPES: &[&str] = &[$($name),*];

        /// The type's name, spelled once, for an event read or written.
        pub fn type_name(event: &Event) -> &'static str {
            match event { $(Event::$subject($enum::$variant(_)) => $name,)* }
        }

        /// The stored JSON of an event: compact, members in alphabetical order (RFC 8785).
        pub fn encode(event: &Event) -> (&'static str, Vec<u8>) {
            match event {
                $(Event::$subject($enum::$variant(payload)) => ($name, write_json(payload)),)*
            }
        }

        /// Reads what `encode` ever wrote. Errors: an unknown type, another shape.
        pub fn decode(type_name: &str, data: &[u8]) -> Result<(&'static str, Event), StoredError> {
            let shape = |source| StoredError::Shape { type_name: type_name.to_owned(), source };
            match type_name {
                $($name => Ok(($name, Event::$subject($enum::$variant(read_json(data).map_err(shape)?)))),)*
                other => Err(StoredError::UnknownType(other.to_owned())),
            }
        }
    };
}

stored! {
    "provider.registered.v1" => Provider(ProviderEvent::Registered);
    "provider.updated.v1" => Provider(ProviderEvent::Updated);
    "provider.customer_blocked.v1" => Provider(ProviderEvent::CustomerBlocked);
    "provider.customer_unblocked.v1" => Provider(ProviderEvent::CustomerUnblocked);
    "offer.published.v1" => Offer(OfferEvent::Published);
    "offer.revised.v1" => Offer(OfferEvent::Revised);
    "offer.retired.v1" => Offer(OfferEvent::Retired);
    "offer.accepted.v1" => Offer(OfferEvent::Accepted);
    "offer.paused.v1" => Offer(OfferEvent::Paused);
    "offer.resumed.v1" => Offer(OfferEvent::Resumed);
    "offer.place_freed.v1" => Offer(OfferEvent::PlaceFreed);
    "call_server.opened.v1" => CallServer(CallServerEvent::Opened);
    "call_server.updated.v1" => CallServer(CallServerEvent::Updated);
    "call_server.started.v1" => CallServer(CallServerEvent::Started);
    "call_server.credit_limit_granted.v1" => CallServer(CallServerEvent::CreditLimitGranted);
    "call_server.traffic_reported.v1" => CallServer(CallServerEvent::TrafficReported);
    "call_server.traffic_expired.v1" => CallServer(CallServerEvent::TrafficExpired);
    "customer.erased.v1" => Customer(CustomerEvent::Erased);
    "customer.forgotten.v1" => Customer(CustomerEvent::Forgotten);
    "queue.opened.v1" => Queue(QueueEvent::Opened);
    "queue.retired.v1" => Queue(QueueEvent::Retired);
    "queue.merged.v1" => Queue(QueueEvent::Merged);
    "queue.merge_put_off.v1" => Queue(QueueEvent::MergePutOff);
    "inquiry.registered.v1" => Inquiry(InquiryEvent::Registered);
    "inquiry.information_requested.v1" => Inquiry(InquiryEvent::InformationRequested);
    "inquiry.information_answered.v1" => Inquiry(InquiryEvent::InformationAnswered);
    "inquiry.selection_made.v1" => Inquiry(InquiryEvent::SelectionMade);
    "inquiry.began.v1" => Inquiry(InquiryEvent::Began);
    "inquiry.put_off.v1" => Inquiry(InquiryEvent::PutOff);
    "inquiry.preference_ended.v1" => Inquiry(InquiryEvent::PreferenceEnded);
    "inquiry.relaxed.v1" => Inquiry(InquiryEvent::Relaxed);
    "inquiry.requeued.v1" => Inquiry(InquiryEvent::Requeued);
    "inquiry.withdrawn.v1" => Inquiry(InquiryEvent::Withdrawn);
    "inquiry.resumed.v1" => Inquiry(InquiryEvent::Resumed);
    "inquiry.place_kept.v1" => Inquiry(InquiryEvent::PlaceKept);
    "inquiry.place_lost.v1" => Inquiry(InquiryEvent::PlaceLost);
    "inquiry.expired.v1" => Inquiry(InquiryEvent::Expired);
    "inquiry.completed.v1" => Inquiry(InquiryEvent::Completed);
    "inquiry.topics_confirmed.v1" => Inquiry(InquiryEvent::TopicsConfirmed);
    "inquiry.moved.v1" => Inquiry(InquiryEvent::Moved);
    "auction.opened.v1" => Auction(AuctionEvent::Opened);
    "auction.bid_placed.v1" => Auction(AuctionEvent::BidPlaced);
    "auction.bid_outbid.v1" => Auction(AuctionEvent::BidOutbid);
    "auction.bid_withdrawn.v1" => Auction(AuctionEvent::BidWithdrawn);
    "auction.extended.v1" => Auction(AuctionEvent::Extended);
    "auction.awarded.v1" => Auction(AuctionEvent::Awarded);
    "auction.bid_lost.v1" => Auction(AuctionEvent::BidLost);
    "auction.bid_forfeited.v1" => Auction(AuctionEvent::BidForfeited);
    "auction.unsold.v1" => Auction(AuctionEvent::Unsold);
    "auction.cancelled.v1" => Auction(AuctionEvent::Cancelled);
    "agent.registered.v1" => Agent(AgentEvent::Registered);
    "agent.updated.v1" => Agent(AgentEvent::Updated);
    "agent.status_set.v1" => Agent(AgentEvent::StatusSet);
    "agent.rounds_put_off.v1" => Agent(AgentEvent::RoundsPutOff);
    "agent.rounds_resumed.v1" => Agent(AgentEvent::RoundsResumed);
    "agent.presence_reported.v1" => Agent(AgentEvent::PresenceReported);
    "agent.notices_read.v1" => Agent(AgentEvent::NoticesRead);
    "agent.standing_value_set.v1" => Agent(AgentEvent::StandingValueSet);
    "agent.struck.v1" => Agent(AgentEvent::Struck);
    "agent.barred.v1" => Agent(AgentEvent::Barred);
    "agent.bar_ended.v1" => Agent(AgentEvent::BarEnded);
    "agent.strikes_forgiven.v1" => Agent(AgentEvent::StrikesForgiven);
    "agent.blocked.v1" => Agent(AgentEvent::Blocked);
    "agent.unblocked.v1" => Agent(AgentEvent::Unblocked);
    "agent.customer_blocked.v1" => Agent(AgentEvent::CustomerBlocked);
    "agent.customer_unblocked.v1" => Agent(AgentEvent::CustomerUnblocked);
    "wallet.opened.v1" => Wallet(WalletEvent::Opened);
    "wallet.credited.v1" => Wallet(WalletEvent::Credited);
    "wallet.credit_limit_set.v1" => Wallet(WalletEvent::CreditLimitSet);
    "wallet.payable_netted.v1" => Wallet(WalletEvent::PayableNetted);
    "wallet.paid_out.v1" => Wallet(WalletEvent::PaidOut);
    "wallet.payout_returned.v1" => Wallet(WalletEvent::PayoutReturned);
    "reservation.opened.v1" => Reservation(ReservationEvent::Opened);
    "reservation.viewed.v1" => Reservation(ReservationEvent::Viewed);
    "reservation.accepted.v1" => Reservation(ReservationEvent::Accepted);
    "reservation.declined.v1" => Reservation(ReservationEvent::Declined);
    "reservation.lapsed.v1" => Reservation(ReservationEvent::Lapsed);
    "reservation.rescinded.v1" => Reservation(ReservationEvent::Rescinded);
    "reservation.invitation_answered.v1" => Reservation(ReservationEvent::InvitationAnswered);
    "session.opened.v1" => Session(SessionEvent::Opened);
    "session.message_sent.v1" => Session(SessionEvent::MessageSent);
    "session.ended.v1" => Session(SessionEvent::Ended);
    "session.notes_saved.v1" => Session(SessionEvent::NotesSaved);
    "session.wrap_up_extended.v1" => Session(SessionEvent::WrapUpExtended);
    "session.wrap_up_completed.v1" => Session(SessionEvent::WrapUpCompleted);
    "session.agent_joined.v1" => Session(SessionEvent::AgentJoined);
    "session.agent_left.v1" => Session(SessionEvent::AgentLeft);
    "session.channel_opened.v1" => Session(SessionEvent::ChannelOpened);
    "session.channel_connected.v1" => Session(SessionEvent::ChannelConnected);
    "session.channel_closed.v1" => Session(SessionEvent::ChannelClosed);
    "session.kept.v1" => Session(SessionEvent::Kept);
    "settlement.escrowed.v1" => Settlement(SettlementEvent::Escrowed);
    "settlement.pending.v1" => Settlement(SettlementEvent::Pending);
    "settlement.payable.v1" => Settlement(SettlementEvent::Payable);
    "settlement.refunded.v1" => Settlement(SettlementEvent::Refunded);
    "settlement.released.v1" => Settlement(SettlementEvent::Released);
    "webhook.created.v1" => Webhook(WebhookEvent::Created);
    "webhook.secret_rotated.v1" => Webhook(WebhookEvent::SecretRotated);
    "webhook.deleted.v1" => Webhook(WebhookEvent::Deleted);
    "webhook.disabled.v1" => Webhook(WebhookEvent::Disabled);
    "webhook.delivery_planned.v1" => Webhook(WebhookEvent::DeliveryPlanned);
    "webhook.delivery_attempted.v1" => Webhook(WebhookEvent::DeliveryAttempted);
    "webhook.redelivery_asked.v1" => Webhook(WebhookEvent::RedeliveryAsked);
    "journal.entry_posted.v1" => Journal(JournalEvent::EntryPosted);
    "fee_rule.set.v1" => Journal(JournalEvent::FeeRuleSet);
    "fee_rule.taken.v1" => Journal(JournalEvent::FeeRuleTaken);
}
