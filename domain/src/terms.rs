//! What an offer promises, frozen into each acceptance, and the rules of an auction: plain data with
//! the checks that publishing makes. Stored as they stand here, members in alphabetical order.

use crate::currency::Currency;
use crate::hours::BusinessHours;
use crate::ids::LinkId;
use crate::money::Money;
use crate::sealed::Sealed;
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// MESSAGE or TELEPHONE: how customer and agent talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChannelKind {
    Message,
    Telephone,
}

/// FORWARD: agents pay for the right, the highest wins. REVERSE: agents name their fee, the lowest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    Forward,
    Reverse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuctionFormat {
    SealedFirstPrice,
    SealedSecondPrice,
    Open,
    Proxy,
}

impl AuctionFormat {
    /// Bids are hidden from everybody but their bidder until closing.
    pub fn is_sealed(self) -> bool {
        matches!(self, AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice)
    }
}

/// From this amount upward the increment is `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementStep {
    pub by: Decimal,
    pub from: Decimal,
}

/// The rules of one auction. All amounts are in `currency`, at its exponent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuctionRules {
    /// OPEN and PROXY alone: a bid at or beyond it closes the auction at this price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy_now: Option<Decimal>,
    pub currency: Currency,
    pub direction: Direction,
    pub format: AuctionFormat,
    /// From opening; no soft close goes beyond it. Required with `soft_close`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_close: Option<Span>,
    /// Ascending by `from`. Below the first step, and where empty: the currency's smallest amount.
    pub increment: Vec<IncrementStep>,
    pub open_for: Span,
    /// A floor (FORWARD), or a ceiling (REVERSE, required).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Decimal>,
    pub reserve_hidden: bool,
    /// How often an unsold inquiry may be auctioned, 1 to 10.
    pub rounds: u32,
    /// An accepted bid leaves at least this long to answer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_close: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_price: Option<Decimal>,
}

/// How the platform selects where it routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RoutingPolicy {
    LongestIdle,
    BestSkilled,
    RoundRobin,
    BestValue,
}

/// How an agent comes to an inquiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    Auction(AuctionRules),
    Claim {
        direction: Direction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    },
    Routed {
        direction: Direction,
        policy: RoutingPolicy,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    },
}

impl Allocation {
    /// Whether whoever assists is paid by the provider for it.
    pub fn is_paid_by_provider(&self) -> bool {
        match self {
            Allocation::Auction(rules) => rules.direction == Direction::Reverse,
            Allocation::Claim { direction, price } | Allocation::Routed { direction, price, .. } => {
                *direction == Direction::Reverse && price.is_some()
            }
        }
    }
}

/// A hyperlink of an offer. Following it accepts with `topic` as the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferLink {
    pub id: LinkId,
    pub label: String,
    pub topic: Topic,
}

/// The text the customer agrees to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentText {
    pub url: String,
    pub version: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What an offer asks of agents once an inquiry has waited so long: less than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelaxationRing {
    /// Of waiting, counted as for `max_wait`.
    pub after: Span,
    /// The skills that its topics name are not asked for, unless the offer or a queue asks for them itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_topic: bool,
    /// So much lower is each level than at first, and 1 at least.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lower_levels: u32,
}

/// One revision of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferTerms {
    pub accepts_questions: bool,
    pub allocation: Allocation,
    pub channels: Vec<ChannelKind>,
    /// How long a selected agent has to consent.
    pub consent_window: Span,
    /// What the acceptances of one day (UTC) may cost the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_budget: Option<Money>,
    /// When it is served; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<BusinessHours>,
    /// Agents affiliated with the provider may not assist.
    pub independent_agents_only: bool,
    pub links: Vec<OfferLink>,
    /// How many of its inquiries may be open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_open: Option<u32>,
    /// How long an inquiry may wait with no auction open and no reservation pending.
    pub max_wait: Span,
    /// ROUTED alone: so long whoever served the customer last is asked before anybody else, though it is busy. Zero: nobody is.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub prefer_last_agent_for: Span,
    /// 0 to 10: so many times a queue's credit its inquiries stand ahead there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: u32,
    /// In order of time; each asks for less than the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relaxation: Vec<RelaxationRing>,
    pub required_skills: Vec<Skill>,
    /// Names of customer attributes that an agent sees before consent.
    pub shown_before_consent: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<ConsentText>,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// How long an agent has to wrap up; absent: no wrap-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up: Option<Span>,
}

/// Where the customer met the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Placement {
    ProviderPage,
    CommunityPage,
    Direct,
}

/// The content that an acceptance is about. Path and query of its address, its title and excerpt are whatever
/// the accepting page wrote there, a person's name too, so they are sealed: only what was checked is in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentReference {
    /// `scheme://host[:port]`, one of the provider's or the community's.
    pub origin: String,
    /// Address, title and excerpt: one JSON object, sealed.
    pub page: Sealed,
    pub placement: Placement,
}

/// What opened the inquiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Initiator {
    Customer,
    ContactCenter,
    UserInterface,
}
