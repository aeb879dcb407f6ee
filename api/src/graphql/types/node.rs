//! Whatever has an id.

use super::account::Payout;
use super::audit::AuditEntry;
use super::bid::Bid;
use super::fee::FeeRule;
use super::notice::Notice;
use super::offer::OfferLink;
use super::record::InquiryRecord;
use super::session::{Channel, Message, Session};
use super::settlement::{Posting, Settlement};
use super::{
    Account, Agent, Auction, CallServer, Customer, Inquiry, Offer, Provider, Queue, Reservation, Webhook,
    WebhookDelivery,
};
use crate::app::App;
use async_graphql::{Error, ID, Interface};
use domain::actor::Actor;
use domain::ids::Subject;
use std::sync::Arc;

#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Provider(Provider),
    CallServer(CallServer),
    Offer(Offer),
    OfferLink(OfferLink),
    Queue(Queue),
    Inquiry(Inquiry),
    Customer(Customer),
    InquiryRecord(InquiryRecord),
    Auction(Auction),
    Bid(Bid),
    Agent(Agent),
    Notice(Notice),
    Reservation(Reservation),
    Session(Session),
    Channel(Channel),
    Message(Message),
    Settlement(Settlement),
    Posting(Posting),
    Account(Account),
    AuditEntry(AuditEntry),
    Payout(Payout),
    FeeRule(FeeRule),
    Webhook(Webhook),
    WebhookDelivery(WebhookDelivery),
}

impl Node {
    /// What the id names, where the viewer sees it. An event's id is taken from its hash and says nothing about
    /// where it stands; an index over all of them would cost at every append, so `evt_` is found in audit trails
    /// and not here.
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: &ID) -> Result<Option<Node>, Error> {
        let Ok(subject) = id.parse::<Subject>() else { return Ok(None) };
        Ok(match subject {
            Subject::ProviderId(id) => Provider::load(app, viewer, id).await?.map(Node::Provider),
            Subject::OfferId(id) => Offer::load(app, viewer, id).await?.map(Node::Offer),
            Subject::LinkId(id) => OfferLink::load(app, viewer, id).map(Node::OfferLink),
            Subject::CallServerId(id) => match app.live.call_server_by_id(id) {
                Some(row) => CallServer::load(app, viewer, &row.name).await?.map(Node::CallServer),
                None => None,
            },
            Subject::QueueId(id) => Queue::load(app, viewer, id).await?.map(Node::Queue),
            Subject::CustomerId(id) => Customer::load(app, viewer, id).await?.map(Node::Customer),
            Subject::InquiryId(id) => Inquiry::load(app, viewer, id).await?.map(Node::Inquiry),
            Subject::RecordId(id) => InquiryRecord::load(app, viewer, id).await?.map(Node::InquiryRecord),
            Subject::AuctionId(id) => Auction::load(app, viewer, id).await?.map(Node::Auction),
            Subject::BidId(id) => Bid::load(app, viewer, id).await?.map(Node::Bid),
            Subject::AgentId(id) => Agent::load(app, viewer, id).await?.map(Node::Agent),
            Subject::ReservationId(id) => Reservation::load(app, viewer, id).await?.map(Node::Reservation),
            Subject::SessionId(id) => Session::load(app, viewer, id).await?.map(Node::Session),
            Subject::ChannelId(id) => Channel::load(app, viewer, id).await?.map(Node::Channel),
            Subject::MessageId(id) => Message::load(app, viewer, id).await?.map(Node::Message),
            Subject::NoticeId(id) => Notice::load(app, viewer, id).await?.map(Node::Notice),
            Subject::SettlementId(id) => Settlement::load(app, viewer, id).await?.map(Node::Settlement),
            Subject::AccountId(id) => Account::load(app, viewer, id).await?.map(Node::Account),
            Subject::PostingId(id) => Posting::load(app, viewer, id).await?.map(Node::Posting),
            Subject::PayoutId(id) => Payout::load(app, viewer, id).map(Node::Payout),
            Subject::FeeRuleId(id) => FeeRule::load(app, viewer, id).map(Node::FeeRule),
            Subject::WebhookId(id) => Webhook::load(app, viewer, id).map(Node::Webhook),
            Subject::DeliveryId(id) => WebhookDelivery::load(app, viewer, id).map(Node::WebhookDelivery),
            Subject::EventId(_) => None,
        })
    }
}
