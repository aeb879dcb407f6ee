//! What mutations answer with: the things as they are now, where it was recorded, and what was refused.

use super::call::{Done, Payload};
use super::user_error::UserError;
use crate::graphql::scalars::Seq;
use crate::graphql::types::account::Payout;
use crate::graphql::types::fee::FeeRule;
use crate::graphql::types::{
    Account, Agent, Auction, Bid, Block, CallServer, Customer, Inquiry, Message, Offer, Provider, Queue, Reservation,
    Session, Settlement, Webhook,
};
use async_graphql::SimpleObject;

/// Where a command's events stand; both are null where it changed nothing.
pub(super) struct Position {
    pub(super) log: String,
    pub(super) seq: Option<domain::log::Seq>,
    pub(super) replayed: bool,
}

impl From<&Done> for Position {
    fn from(done: &Done) -> Position {
        Position { log: done.log.to_string(), seq: done.seq, replayed: done.replayed }
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty),* })*) => {
        $(
            $(#[$doc])*
            #[derive(SimpleObject)]
            pub struct $name {
                $($field: Option<$ty>,)*
                log: Option<String>,
                seq: Option<Seq>,
                replayed: bool,
                user_errors: Vec<UserError>,
            }

            impl $name {
                pub(super) fn new(at: impl Into<Position>, $($field: Option<$ty>),*) -> $name {
                    let at = at.into();
                    $name {
                        $($field,)*
                        log: Some(at.log),
                        seq: at.seq.map(Seq),
                        replayed: at.replayed,
                        user_errors: Vec::new(),
                    }
                }
            }

            impl Payload for $name {
                fn refused(error: UserError) -> $name {
                    $name { $($field: None,)* log: None, seq: None, replayed: false, user_errors: vec![error] }
                }
            }
        )*
    };
}

payloads! {
    ProviderPayload { provider: Provider }
    CustomerPayload { customer: Customer }
    CallServerPayload { call_server: CallServer }
    AgentPayload { agent: Agent }
    /// `block`: null where it was taken back.
    BlockPayload { block: Block }
    AccountPayload { account: Account }
    PayoutPayload { payout: Payout, account: Account }
    SettlementPayload { settlement: Settlement }
    FeeRulePayload { fee_rule: FeeRule }
    OfferPayload { offer: Offer }
    AcceptOfferPayload { inquiry: Inquiry, customer_token: String }
    InquiryPayload { inquiry: Inquiry }
    BidPayload { bid: Bid, auction: Auction }
    ReservationPayload { reservation: Reservation }
    SessionPayload { session: Session, inquiry: Inquiry }
    QueuePayload { queue: Queue }
    MessagePayload { message: Message }
    /// `secret` once, at creation and rotation.
    WebhookPayload { webhook: Webhook, secret: String }
}
