//! Events of an auction. Each names its auction, its inquiry and, where one agent is concerned, that
//! agent: an agent's money can be folded from its own events alone.

use crate::ids::{AgentId, AuctionId, BidId, InquiryId};
use crate::money::Money;
use crate::terms::AuctionRules;
use crate::time::Timestamp;
use crate::why::Why;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuctionEvent {
    Opened(AuctionOpened),
    BidPlaced(BidPlaced),
    BidOutbid(BidOutbid),
    BidWithdrawn(BidWithdrawn),
    Extended(AuctionExtended),
    Awarded(AuctionAwarded),
    BidLost(BidLost),
    BidForfeited(BidForfeited),
    Unsold(AuctionUnsold),
    Cancelled(AuctionCancelled),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionOpened {
    pub auction: AuctionId,
    pub closes_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_closes_at: Option<Timestamp>,
    pub inquiry: InquiryId,
    /// 1 for the first.
    pub round: u32,
    pub rules: AuctionRules,
}

impl AuctionEvent {
    /// A sealed bid, or its withdrawal: until closing nobody but its bidder may learn of it, not even that
    /// something was recorded about this auction.
    pub fn is_hidden_until_closing(&self) -> bool {
        match self {
            AuctionEvent::BidPlaced(e) => e.standing == Standing::Sealed,
            AuctionEvent::BidWithdrawn(_) => true,
            AuctionEvent::Opened(_)
            | AuctionEvent::BidOutbid(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::Awarded(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_)
            | AuctionEvent::Unsold(_)
            | AuctionEvent::Cancelled(_) => false,
        }
    }
}

/// A bid stands. A deadline it moves is an `Extended` of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidPlaced {
    pub agent: AgentId,
    /// PROXY: the agent's maximum.
    pub amount: Money,
    pub auction: AuctionId,
    pub bid: BidId,
    /// The agent's number in this auction: rivals see it as `B3`.
    pub bidder: u32,
    /// What is held of the agent's wallet for this auction from now on; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Money>,
    pub inquiry: InquiryId,
    /// The auction's price after this bid; absent while sealed, and where a PROXY leader is alone, short
    /// of a hidden reserve and without an opening price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// What the bid came to.
    pub standing: Standing,
    /// The agent's earlier bid, where this one takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<BidId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Sealed: nobody knows before closing.
    Sealed,
    Leads,
    /// A leader's maximum already reaches it.
    OutbidAtOnce,
    /// The leader's own, no higher than its maximum: recorded without effect.
    NoEffect,
}

/// A leading bid leads no more; its hold is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidOutbid {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub bid: BidId,
    pub inquiry: InquiryId,
}

/// A sealed bid is taken back before closing; its hold is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidWithdrawn {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub bid: BidId,
    pub inquiry: InquiryId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionExtended {
    pub auction: AuctionId,
    /// The bid that extended it; absent where the platform was down at the closing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidId>,
    pub closes_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_closes_at: Option<Timestamp>,
    pub inquiry: InquiryId,
}

/// A bid wins, at first or as the next in line. A reservation follows in the same decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionAwarded {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub bid: BidId,
    /// What is held of the payer's account: the agent's (FORWARD) or the provider's (REVERSE).
    pub hold: Money,
    pub inquiry: InquiryId,
    pub price: Money,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LossReason {
    Outbid,
    NoFunds,
    TieLater,
    ReserveNotMet,
    BoughtNow,
    NotFree,
    Lapsed,
    Declined,
    AuctionCancelled,
    InquiryGone,
}

/// A bid did not win; its hold is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidLost {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub bid: BidId,
    pub inquiry: InquiryId,
    pub reason: LossReason,
}

/// A bid won, or would have, and its agent lapsed, declined, or was not free; its hold is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidForfeited {
    pub agent: AgentId,
    pub auction: AuctionId,
    pub bid: BidId,
    pub inquiry: InquiryId,
    pub reason: LossReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionUnsold {
    pub auction: AuctionId,
    pub inquiry: InquiryId,
    pub why: Why,
}

/// The inquiry went away while the auction was open or awarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionCancelled {
    pub auction: AuctionId,
    pub inquiry: InquiryId,
}
