//! The payload of an event as JSON, by the compiler's list of events.

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
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;

/// Checks that the payload is written canonically and read back as it was; its members.
fn checked<T: Serialize + DeserializeOwned + PartialEq + Debug>(payload: &T) -> Value {
    let text = serde_json::to_string(payload).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    // serde_json keeps an object's members in order of their names.
    assert_eq!(serde_json::to_string(&value).unwrap(), text, "members stand in alphabetical order");
    assert!(whole(&value), "no number in an event has a fraction: {text}");
    let read: T = serde_json::from_str(&text).unwrap();
    assert_eq!(&read, payload, "an event reads back as written");
    assert_eq!(serde_json::to_string(&read).unwrap(), text, "and is written again to the letter");
    value
}

/// RFC 8785 writes integers below 2^53 as they are.
fn whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53),
        Value::Array(items) => items.iter().all(whole),
        Value::Object(members) => members.values().all(whole),
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
    }
}

macro_rules! payloads {
    ($($subject:ident($enum:ident::$variant:ident) = $name:literal;)*) => {
        pub fn payload(event: &Event) -> Value {
            match event {
                $(Event::$subject($enum::$variant(payload)) => checked(payload),)*
            }
        }
        pub fn name(event: &Event) -> &'static str {
            match event {
                $(Event::$subject($enum::$variant(_)) => $name,)*
            }
        }
    };
}

payloads! {
    Provider(ProviderEvent::Registered) = "provider.registered";
    Provider(ProviderEvent::Updated) = "provider.updated";
    Provider(ProviderEvent::CustomerBlocked) = "provider.customer_blocked";
    Provider(ProviderEvent::CustomerUnblocked) = "provider.customer_unblocked";
    Offer(OfferEvent::Published) = "offer.published";
    Offer(OfferEvent::Revised) = "offer.revised";
    Offer(OfferEvent::Retired) = "offer.retired";
    Offer(OfferEvent::Paused) = "offer.paused";
    Offer(OfferEvent::Resumed) = "offer.resumed";
    Offer(OfferEvent::PlaceFreed) = "offer.place_freed";
    Offer(OfferEvent::Accepted) = "offer.accepted";
    CallServer(CallServerEvent::Opened) = "call_server.opened";
    CallServer(CallServerEvent::Updated) = "call_server.updated";
    CallServer(CallServerEvent::Started) = "call_server.started";
    CallServer(CallServerEvent::CreditLimitGranted) = "call_server.credit_limit_granted";
    CallServer(CallServerEvent::TrafficReported) = "call_server.traffic_reported";
    CallServer(CallServerEvent::TrafficExpired) = "call_server.traffic_expired";
    Customer(CustomerEvent::Erased) = "customer.erased";
    Customer(CustomerEvent::Forgotten) = "customer.forgotten";
    Queue(QueueEvent::Opened) = "queue.opened";
    Queue(QueueEvent::Retired) = "queue.retired";
    Queue(QueueEvent::Merged) = "queue.merged";
    Queue(QueueEvent::MergePutOff) = "queue.merge_put_off";
    Inquiry(InquiryEvent::Registered) = "inquiry.registered";
    Inquiry(InquiryEvent::InformationRequested) = "inquiry.information_requested";
    Inquiry(InquiryEvent::InformationAnswered) = "inquiry.information_answered";
    Inquiry(InquiryEvent::SelectionMade) = "inquiry.selection_made";
    Inquiry(InquiryEvent::Began) = "inquiry.began";
    Inquiry(InquiryEvent::PutOff) = "inquiry.put_off";
    Inquiry(InquiryEvent::PreferenceEnded) = "inquiry.preference_ended";
    Inquiry(InquiryEvent::Relaxed) = "inquiry.relaxed";
    Inquiry(InquiryEvent::Requeued) = "inquiry.requeued";
    Inquiry(InquiryEvent::Withdrawn) = "inquiry.withdrawn";
    Inquiry(InquiryEvent::Resumed) = "inquiry.resumed";
    Inquiry(InquiryEvent::PlaceKept) = "inquiry.place_kept";
    Inquiry(InquiryEvent::PlaceLost) = "inquiry.place_lost";
    Inquiry(InquiryEvent::Expired) = "inquiry.expired";
    Inquiry(InquiryEvent::Completed) = "inquiry.completed";
    Inquiry(InquiryEvent::TopicsConfirmed) = "inquiry.topics_confirmed";
    Inquiry(InquiryEvent::Moved) = "inquiry.moved";
    Auction(AuctionEvent::Opened) = "auction.opened";
    Auction(AuctionEvent::BidPlaced) = "auction.bid_placed";
    Auction(AuctionEvent::BidOutbid) = "auction.bid_outbid";
    Auction(AuctionEvent::BidWithdrawn) = "auction.bid_withdrawn";
    Auction(AuctionEvent::Extended) = "auction.extended";
    Auction(AuctionEvent::Awarded) = "auction.awarded";
    Auction(AuctionEvent::BidLost) = "auction.bid_lost";
    Auction(AuctionEvent::BidForfeited) = "auction.bid_forfeited";
    Auction(AuctionEvent::Unsold) = "auction.unsold";
    Auction(AuctionEvent::Cancelled) = "auction.cancelled";
    Agent(AgentEvent::Registered) = "agent.registered";
    Agent(AgentEvent::Updated) = "agent.updated";
    Agent(AgentEvent::StatusSet) = "agent.status_set";
    Agent(AgentEvent::RoundsPutOff) = "agent.rounds_put_off";
    Agent(AgentEvent::StandingValueSet) = "agent.standing_value_set";
    Agent(AgentEvent::Blocked) = "agent.blocked";
    Agent(AgentEvent::Unblocked) = "agent.unblocked";
    Agent(AgentEvent::CustomerBlocked) = "agent.customer_blocked";
    Agent(AgentEvent::CustomerUnblocked) = "agent.customer_unblocked";
    Agent(AgentEvent::NoticesRead) = "agent.notices_read";
    Agent(AgentEvent::Struck) = "agent.struck";
    Agent(AgentEvent::Barred) = "agent.barred";
    Agent(AgentEvent::BarEnded) = "agent.bar_ended";
    Agent(AgentEvent::StrikesForgiven) = "agent.strikes_forgiven";
    Agent(AgentEvent::RoundsResumed) = "agent.rounds_resumed";
    Agent(AgentEvent::PresenceReported) = "agent.presence_reported";
    Wallet(WalletEvent::Opened) = "wallet.opened";
    Wallet(WalletEvent::Credited) = "wallet.credited";
    Wallet(WalletEvent::PayableNetted) = "wallet.payable_netted";
    Wallet(WalletEvent::PaidOut) = "wallet.paid_out";
    Wallet(WalletEvent::PayoutReturned) = "wallet.payout_returned";
    Wallet(WalletEvent::CreditLimitSet) = "wallet.credit_limit_set";
    Reservation(ReservationEvent::Opened) = "reservation.opened";
    Reservation(ReservationEvent::Viewed) = "reservation.viewed";
    Reservation(ReservationEvent::Accepted) = "reservation.accepted";
    Reservation(ReservationEvent::Declined) = "reservation.declined";
    Reservation(ReservationEvent::Lapsed) = "reservation.lapsed";
    Reservation(ReservationEvent::Rescinded) = "reservation.rescinded";
    Reservation(ReservationEvent::InvitationAnswered) = "reservation.invitation_answered";
    Session(SessionEvent::Opened) = "session.opened";
    Session(SessionEvent::MessageSent) = "session.message_sent";
    Session(SessionEvent::Ended) = "session.ended";
    Session(SessionEvent::NotesSaved) = "session.notes_saved";
    Session(SessionEvent::WrapUpExtended) = "session.wrap_up_extended";
    Session(SessionEvent::WrapUpCompleted) = "session.wrap_up_completed";
    Session(SessionEvent::AgentJoined) = "session.agent_joined";
    Session(SessionEvent::AgentLeft) = "session.agent_left";
    Session(SessionEvent::ChannelOpened) = "session.channel_opened";
    Session(SessionEvent::ChannelConnected) = "session.channel_connected";
    Session(SessionEvent::ChannelClosed) = "session.channel_closed";
    Session(SessionEvent::Kept) = "session.kept";
    Settlement(SettlementEvent::Escrowed) = "settlement.escrowed";
    Settlement(SettlementEvent::Pending) = "settlement.pending";
    Settlement(SettlementEvent::Payable) = "settlement.payable";
    Settlement(SettlementEvent::Refunded) = "settlement.refunded";
    Settlement(SettlementEvent::Released) = "settlement.released";
    Webhook(WebhookEvent::Created) = "webhook.created";
    Webhook(WebhookEvent::SecretRotated) = "webhook.secret_rotated";
    Webhook(WebhookEvent::Deleted) = "webhook.deleted";
    Webhook(WebhookEvent::Disabled) = "webhook.disabled";
    Webhook(WebhookEvent::DeliveryPlanned) = "webhook.delivery_planned";
    Webhook(WebhookEvent::DeliveryAttempted) = "webhook.delivery_attempted";
    Webhook(WebhookEvent::RedeliveryAsked) = "webhook.redelivery_asked";
    Journal(JournalEvent::EntryPosted) = "journal.entry_posted";
    Journal(JournalEvent::FeeRuleSet) = "fee_rule.set";
    Journal(JournalEvent::FeeRuleTaken) = "fee_rule.taken";
}
