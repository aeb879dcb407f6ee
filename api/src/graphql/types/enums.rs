//! The closed sets of the contract, and what they are in the domain and the views. An enum may hold values
//! that nothing takes yet: clients are told to expect more than they know.

use async_graphql::Enum;
use domain::event::auction::LossReason;
use domain::event::inquiry::InformationOutcome as Outcome;
use domain::event::session::Author;
use projections::history::rows;
use projections::live;

/// SYSTEM: timers, process managers, the platform itself.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::actor::Role")]
pub enum Role {
    Operator,
    Provider,
    Agent,
    Finance,
    Customer,
    Anonymous,
    System,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    Active,
    Suspended,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::ChannelKind")]
pub enum ChannelKind {
    Message,
    Telephone,
}

/// USER_INTERFACE: the page or widget opened the inquiry by its own rule. CONTACT_CENTER: only through startInquiry.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::Initiator")]
pub enum Initiator {
    Customer,
    ContactCenter,
    UserInterface,
}

/// Where the customer met the offer: a page of the provider, the community's own page, or neither.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::Placement")]
pub enum Placement {
    ProviderPage,
    CommunityPage,
    Direct,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[graphql(remote = "projections::webhooks::board::DeliveryState")]
pub enum DeliveryState {
    Pending,
    Delivered,
    Dead,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::community::OfferState")]
pub enum OfferState {
    Published,
    /// Not accepted until it is resumed; its links stay, and what was accepted goes on.
    Paused,
    Retired,
}

/// BEST_VALUE: the best standing value an available agent has set for the topic; it becomes the price.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::RoutingPolicy")]
pub enum RoutingPolicy {
    LongestIdle,
    BestSkilled,
    RoundRobin,
    BestValue,
}

/// FORWARD: agents pay for the right, the highest wins. REVERSE: agents name their fee, the lowest wins.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::Direction")]
pub enum AuctionDirection {
    Forward,
    Reverse,
}

/// OPEN: each bid is public and must beat the best by the increment. PROXY: each bid is a maximum; the price is the second-best maximum plus one increment.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::terms::AuctionFormat")]
pub enum AuctionFormat {
    SealedFirstPrice,
    SealedSecondPrice,
    Open,
    Proxy,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueState {
    Open,
    Retired,
    Merged,
}

impl From<live::queue::QueueState> for QueueState {
    fn from(state: live::queue::QueueState) -> QueueState {
        match state {
            live::queue::QueueState::Open => QueueState::Open,
            live::queue::QueueState::Retired => QueueState::Retired,
            live::queue::QueueState::Merged => QueueState::Merged,
        }
    }
}

/// DECLARED by an operator, LINK for an offer's topic, QUESTION when generated from the subject matter of an electronic question.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::queue::QueueOrigin")]
pub enum QueueOrigin {
    Declared,
    Link,
    Question,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::inquiry::InquiryState")]
pub enum InquiryState {
    Queued,
    InAuction,
    Reserved,
    Engaged,
    WrapUp,
    Completed,
    Withdrawn,
    Expired,
}

impl From<InquiryState> for rows::InquiryState {
    fn from(state: InquiryState) -> rows::InquiryState {
        match state {
            InquiryState::Queued => rows::InquiryState::Queued,
            InquiryState::InAuction => rows::InquiryState::InAuction,
            InquiryState::Reserved => rows::InquiryState::Reserved,
            InquiryState::Engaged => rows::InquiryState::Engaged,
            InquiryState::WrapUp => rows::InquiryState::WrapUp,
            InquiryState::Completed => rows::InquiryState::Completed,
            InquiryState::Withdrawn => rows::InquiryState::Withdrawn,
            InquiryState::Expired => rows::InquiryState::Expired,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InformationOutcome {
    Pending,
    Found,
    New,
    Unavailable,
}

impl From<Option<Outcome>> for InformationOutcome {
    fn from(outcome: Option<Outcome>) -> InformationOutcome {
        match outcome {
            None => InformationOutcome::Pending,
            Some(Outcome::Found) => InformationOutcome::Found,
            Some(Outcome::New) => InformationOutcome::New,
            Some(Outcome::Unavailable) => InformationOutcome::Unavailable,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    CallServer,
    Topics,
    Selection,
    Award,
}

impl From<live::inquiry::DecisionKind> for DecisionKind {
    fn from(kind: live::inquiry::DecisionKind) -> DecisionKind {
        match kind {
            live::inquiry::DecisionKind::CallServer => DecisionKind::CallServer,
            live::inquiry::DecisionKind::Topics => DecisionKind::Topics,
            live::inquiry::DecisionKind::Selection => DecisionKind::Selection,
            live::inquiry::DecisionKind::Award => DecisionKind::Award,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::why::ExclusionReason")]
pub enum ExclusionReason {
    NotAvailable,
    AtCapacity,
    LacksSkill,
    LocationAvoided,
    AlreadyAsked,
    DeclinedCoolOff,
    NotIndependent,
    NoFunds,
    TopicMismatch,
    LanguageMismatch,
    /// By the provider. Agents see those among NOT_AVAILABLE.
    Blocked,
    /// The inquiry waits for its `preferredAgent`, who is busy.
    HeldForPreferred,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::auction::AuctionState")]
pub enum AuctionState {
    Open,
    Awarded,
    Unsold,
    Cancelled,
}

impl From<AuctionState> for rows::AuctionState {
    fn from(state: AuctionState) -> rows::AuctionState {
        match state {
            AuctionState::Open => rows::AuctionState::Open,
            AuctionState::Awarded => rows::AuctionState::Awarded,
            AuctionState::Unsold => rows::AuctionState::Unsold,
            AuctionState::Cancelled => rows::AuctionState::Cancelled,
        }
    }
}

/// SUPERSEDED by the same agent's later bid. FORFEITED: won, then lapsed, declined or no longer free.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::auction::BidState")]
pub enum BidState {
    Active,
    Outbid,
    Superseded,
    Withdrawn,
    Won,
    Forfeited,
    Lost,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "LossReason")]
pub enum BidLossReason {
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

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::agent::AgentStatus")]
pub enum AgentStatus {
    Offline,
    Available,
    Unavailable,
    Break,
}

/// What an agent may ask for; UNAVAILABLE is derived.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::agent::Will")]
pub enum AgentWill {
    Offline,
    Available,
    Break,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReason {
    Asked,
    Lapsed,
    Reserved,
    Engaged,
    Conference,
    WrapUp,
    Operator,
    Absent,
}

impl From<live::agent::StatusReason> for StatusReason {
    fn from(reason: live::agent::StatusReason) -> StatusReason {
        match reason {
            live::agent::StatusReason::Asked => StatusReason::Asked,
            live::agent::StatusReason::Lapsed => StatusReason::Lapsed,
            live::agent::StatusReason::Operator => StatusReason::Operator,
            live::agent::StatusReason::Absent => StatusReason::Absent,
            live::agent::StatusReason::Reserved => StatusReason::Reserved,
            live::agent::StatusReason::Engaged => StatusReason::Engaged,
            live::agent::StatusReason::Conference => StatusReason::Conference,
            live::agent::StatusReason::WrapUp => StatusReason::WrapUp,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    ReservationLapsed,
    SecondAgentSelected,
    ReservationRescinded,
    StatusSet,
    BidOutbid,
    BidWon,
    BidLost,
    InvitationAnswered,
    Struck,
    Barred,
    BarEnded,
    StrikesForgiven,
}

/// Which of two units an amount becomes that lies in the middle between them. HALF_EVEN: the even one. HALF_UP: the larger one.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::split::Rounding")]
pub enum Rounding {
    HalfEven,
    HalfUp,
}

/// Why a payer has its money back. NO_SHOW: the other side was not there.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::settlement::RefundReason")]
pub enum RefundReason {
    NoShow,
    WrongTopic,
    Duplicate,
    PoorQuality,
    Goodwill,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::agent::StrikeReason")]
pub enum StrikeReason {
    Declined,
    Lapsed,
}

impl From<live::notice::NoticeKind> for NoticeKind {
    fn from(kind: live::notice::NoticeKind) -> NoticeKind {
        match kind {
            live::notice::NoticeKind::ReservationLapsed => NoticeKind::ReservationLapsed,
            live::notice::NoticeKind::SecondAgentSelected => NoticeKind::SecondAgentSelected,
            live::notice::NoticeKind::ReservationRescinded => NoticeKind::ReservationRescinded,
            live::notice::NoticeKind::StatusSet => NoticeKind::StatusSet,
            live::notice::NoticeKind::BidOutbid => NoticeKind::BidOutbid,
            live::notice::NoticeKind::BidWon => NoticeKind::BidWon,
            live::notice::NoticeKind::BidLost => NoticeKind::BidLost,
            live::notice::NoticeKind::InvitationAnswered => NoticeKind::InvitationAnswered,
            live::notice::NoticeKind::Struck => NoticeKind::Struck,
            live::notice::NoticeKind::Barred => NoticeKind::Barred,
            live::notice::NoticeKind::BarEnded => NoticeKind::BarEnded,
            live::notice::NoticeKind::StrikesForgiven => NoticeKind::StrikesForgiven,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::reservation::Purpose")]
pub enum ReservationPurpose {
    Selected,
    Awarded,
    Invited,
    Transfer,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::reservation::ReservationState")]
pub enum ReservationState {
    Pending,
    Accepted,
    Declined,
    Lapsed,
    Rescinded,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "live::session::SessionState")]
pub enum SessionState {
    Open,
    WrapUp,
    Closed,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelPurpose {
    Main,
    Side,
}

impl From<live::session::ChannelPurpose> for ChannelPurpose {
    fn from(purpose: live::session::ChannelPurpose) -> ChannelPurpose {
        match purpose {
            live::session::ChannelPurpose::Main => ChannelPurpose::Main,
            live::session::ChannelPurpose::Side => ChannelPurpose::Side,
        }
    }
}

/// What the agent who dials a TELEPHONE channel reports: the other side is on the line, or the call is over.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::command::ChannelReport")]
pub enum ChannelReport {
    Connected,
    Ended,
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    Connecting,
    Open,
    Closed,
}

impl From<live::session::ChannelState> for ChannelState {
    fn from(state: live::session::ChannelState) -> ChannelState {
        match state {
            live::session::ChannelState::Connecting => ChannelState::Connecting,
            live::session::ChannelState::Open => ChannelState::Open,
            live::session::ChannelState::Closed => ChannelState::Closed,
        }
    }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Author")]
pub enum MessageAuthor {
    Customer,
    Agent,
    System,
}

impl From<Author> for Role {
    fn from(author: Author) -> Role {
        match author {
            Author::Customer => Role::Customer,
            Author::Agent => Role::Agent,
            Author::System => Role::System,
        }
    }
}

/// ESCROWED at consent, PENDING at completion, PAYABLE after the return window, RELEASED where nothing came of it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlementState {
    Escrowed,
    Pending,
    Payable,
    Paid,
    Released,
    Refunded,
}

impl From<live::settlement::SettlementState> for SettlementState {
    fn from(state: live::settlement::SettlementState) -> SettlementState {
        match state {
            live::settlement::SettlementState::Escrowed => SettlementState::Escrowed,
            live::settlement::SettlementState::Pending => SettlementState::Pending,
            live::settlement::SettlementState::Payable => SettlementState::Payable,
            live::settlement::SettlementState::Refunded => SettlementState::Refunded,
            live::settlement::SettlementState::Released => SettlementState::Released,
        }
    }
}

impl From<rows::SettlementState> for SettlementState {
    fn from(state: rows::SettlementState) -> SettlementState {
        match state {
            rows::SettlementState::Escrowed => SettlementState::Escrowed,
            rows::SettlementState::Pending => SettlementState::Pending,
            rows::SettlementState::Payable => SettlementState::Payable,
            rows::SettlementState::Refunded => SettlementState::Refunded,
            rows::SettlementState::Released => SettlementState::Released,
        }
    }
}

impl SettlementState {
    /// None for a state that no settlement reaches yet.
    pub(crate) fn recorded(self) -> Option<rows::SettlementState> {
        match self {
            SettlementState::Escrowed => Some(rows::SettlementState::Escrowed),
            SettlementState::Pending => Some(rows::SettlementState::Pending),
            SettlementState::Payable => Some(rows::SettlementState::Payable),
            SettlementState::Released => Some(rows::SettlementState::Released),
            SettlementState::Refunded => Some(rows::SettlementState::Refunded),
            SettlementState::Paid => None,
        }
    }
}
