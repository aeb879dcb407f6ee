//! What can be asked of a log. Commands are imperatives; everything in them is parsed and, where it is
//! personal, sealed. A command goes to the log that holds what it is about.

use crate::actor::Role;
use crate::currency::Currency;
use crate::event::agent::Will;
use crate::event::community::{Classified, CreditLimit, CustomerKey, Location, OfferAccepted, SourcePosition};
use crate::event::inquiry::InformationOutcome;
use crate::event::settlement::{Leg, RefundReason};
use crate::event::wallet::{Party, ReturnReason};
use crate::fees::{FeeRule, Percent};
use crate::ids::*;
use crate::log::{LogName, Seq};
use crate::money::Money;
use crate::patch::Patch;
use crate::sealed::Sealed;
use crate::split::Rounding;
use crate::terms::{ChannelKind, Direction, Initiator, OfferTerms};
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use rust_decimal::Decimal;

/// A hyperlink to be published; its id comes with the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    pub label: String,
    pub topic: Topic,
}

/// The parts of an offer that a revision replaces; an absent one stays, and what an offer may lack can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferChange {
    pub accepts_questions: Option<bool>,
    pub allocation: Option<crate::terms::Allocation>,
    pub channels: Option<Vec<ChannelKind>>,
    pub consent_window: Option<Span>,
    pub daily_budget: Patch<Money>,
    pub hours: Patch<crate::hours::BusinessHours>,
    pub links: Option<Vec<NewLink>>,
    pub max_open: Patch<u32>,
    pub max_wait: Option<Span>,
    /// Zero: nobody is preferred any more.
    pub prefer_last_agent_for: Option<Span>,
    pub priority: Option<u32>,
    pub relaxation: Option<Vec<crate::terms::RelaxationRing>>,
    pub required_skills: Option<Vec<Skill>>,
    pub terms: Patch<crate::terms::ConsentText>,
    pub title: Option<String>,
    pub valid_until: Patch<Timestamp>,
    pub wrap_up: Patch<Span>,
}

/// The content that is accepted from, before the decision says where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Of its address, as the URL standard computes it.
    pub origin: String,
    pub page: Sealed,
    /// The edge has it from its own page: nothing led there, and `origin` is the community's.
    pub direct: bool,
}

/// An acceptance as the edge hands it to `community`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    pub offer: OfferId,
    pub offer_revision: Option<u32>,
    pub link: Option<LinkId>,
    /// Topics given with a question: known ones alone, since topics stand in the log in clear.
    pub topics: Vec<Topic>,
    pub question: Option<Sealed>,
    /// What the classifier makes of the question. Its topics are of trained labels, of published names, or terms that
    /// at least five customers used: the edge sees to it, as it does to `known_topics`.
    pub classified: Option<Classified>,
    pub content: Option<Content>,
    pub channel: ChannelKind,
    pub initiator: Initiator,
    pub language: Option<String>,
    pub customer: CustomerId,
    /// What the customer database answered the edge.
    pub information: InformationOutcome,
    /// Who served the customer last for this provider, on each call server: one at most of each, and none where the edge
    /// had no reason to look or no answer.
    pub last_agents: Vec<(LogName, AgentId)>,
    /// The key of the provider's, by its identity, with which the edge found a proof right.
    pub proven_by: Option<String>,
    pub profile: Option<Sealed>,
    pub terms_version: Option<String>,
    /// How many inquiries wait on each call server, as its live view shows now.
    pub waiting: Vec<(LogName, u64)>,
    /// Those of `topics` that name an open DECLARED or LINK queue as the live views show now, or that the classifier
    /// knows.
    pub known_topics: Vec<Topic>,
    /// Origins of the community's own pages.
    pub community_origins: Vec<String>,
}

/// A named agent, or one selected by skills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentChoice {
    Named(AgentId),
    Skilled(Vec<Skill>),
}

/// What an agent says of a TELEPHONE channel that it dials itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelReport {
    Connected,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    // To `community`.
    RegisterProvider {
        name: String,
        homepage: Option<String>,
        origins: Vec<String>,
        credit_limits: Vec<CreditLimit>,
        customer_keys: Vec<CustomerKey>,
    },
    UpdateProvider {
        provider: ProviderId,
        name: Option<String>,
        homepage: Patch<String>,
        origins: Option<Vec<String>>,
        suspended: Option<bool>,
        credit_limits: Option<Vec<CreditLimit>>,
        customer_keys: Option<Vec<CustomerKey>>,
    },
    OpenCallServer {
        name: LogName,
        topics: Vec<Topic>,
        languages: Vec<String>,
        locations: Vec<Location>,
    },
    UpdateCallServer {
        name: LogName,
        default: Option<bool>,
        topics: Option<Vec<Topic>>,
        languages: Option<Vec<String>>,
        locations: Option<Vec<Location>>,
    },
    /// `terms.links` is empty; the decision makes the links from `links`.
    PublishOffer {
        provider: ProviderId,
        terms: OfferTerms,
        links: Vec<NewLink>,
    },
    ReviseOffer {
        offer: OfferId,
        expected_revision: u32,
        change: OfferChange,
    },
    /// It is not accepted until it is resumed.
    PauseOffer {
        offer: OfferId,
    },
    ResumeOffer {
        offer: OfferId,
    },
    RetireOffer {
        offer: OfferId,
    },
    /// By a process manager: an inquiry of an offer with limits has ended on its call server.
    FreePlace {
        inquiry: InquiryId,
        spent: Option<Money>,
        source: SourcePosition,
    },
    /// For good. That there is such a customer the edge has seen to.
    EraseCustomer {
        customer: CustomerId,
        reason: Option<Sealed>,
    },
    AcceptOffer(Box<Acceptance>),
    /// The contact centre turns to a customer: initiator CONTACT_CENTER, one topic, and what it says as the question.
    StartInquiry(Box<Acceptance>),

    // To a call server, by process managers.
    StartCallServer {
        call_server: CallServerId,
        name: LogName,
        locations: Vec<Location>,
        source: SourcePosition,
    },
    GrantCreditLimits {
        provider: ProviderId,
        limits: Vec<Money>,
        /// In these it had a limit, and has none any more.
        lifted: Vec<Currency>,
        source: SourcePosition,
    },
    RegisterInquiry {
        acceptance: Box<OfferAccepted>,
        accepted_at: Timestamp,
        source: SourcePosition,
    },
    /// In place of what could not be sealed, since its customer is erased: refused, but for a repeat, whose key is known.
    RecordOfErased,
    /// `community` has erased it: what of it is open here ends.
    ForgetCustomer {
        customer: CustomerId,
        source: SourcePosition,
    },

    /// By a node: these agents have a feed at it.
    ReportPresence {
        agents: Vec<AgentId>,
        node: String,
    },

    // To a call server, by people.
    RegisterAgent {
        agent: AgentId,
        display_name: Sealed,
        location: String,
        skills: Vec<Skill>,
        capacity: u32,
        affiliated_with: Option<ProviderId>,
        credit_limit: Option<Money>,
    },
    UpdateAgent {
        agent: AgentId,
        display_name: Option<Sealed>,
        location: Option<String>,
        skills: Option<Vec<Skill>>,
        capacity: Option<u32>,
        affiliated_with: Patch<ProviderId>,
        credit_limit: Option<Money>,
    },
    SetAgentStatus {
        agent: AgentId,
        will: Will,
        note: Option<Sealed>,
    },
    /// `value`: absent takes it back.
    SetStandingValue {
        agent: AgentId,
        topic: Topic,
        direction: Direction,
        value: Option<Money>,
        valid_until: Option<Timestamp>,
    },
    /// By a provider: its inquiries come to the agent by no way.
    BlockAgent {
        agent: AgentId,
        provider: ProviderId,
    },
    UnblockAgent {
        agent: AgentId,
        provider: ProviderId,
    },
    /// By an agent on its call server: it keeps away from a customer whom it has served. By a provider, in `community`:
    /// it takes no inquiry of a customer's. That the two have met the edge has seen to.
    BlockCustomer {
        owner: Party,
        customer: CustomerId,
        inquiry: InquiryId,
    },
    UnblockCustomer {
        owner: Party,
        customer: CustomerId,
    },
    /// `through`: the position of the event that told it; absent where the edge knows of no such notice.
    ReadNotices {
        agent: AgentId,
        through: Option<Seq>,
    },
    ForgiveStrikes {
        agent: AgentId,
        reason: Sealed,
    },
    /// How much goes on at a location now, by whoever measures it.
    ReportLocationTraffic {
        location: String,
        traffic: Decimal,
        valid_for: Span,
    },
    DeclareQueue {
        /// Of waiting: what one step of priority is worth. Zero: first come, first served.
        priority_credit: Span,
        topic: Topic,
        required_skills: Vec<Skill>,
    },
    RetireQueue {
        queue: QueueId,
    },
    MergeQueues {
        from: Vec<QueueId>,
        into: QueueId,
    },
    CreditWallet {
        owner: Party,
        amount: Money,
        reference: String,
    },
    PayOut {
        owner: Party,
        amount: Money,
    },
    ReturnPayout {
        owner: Party,
        currency: Currency,
        payout: PayoutId,
        reason: ReturnReason,
    },
    NetPayable {
        owner: Party,
        currency: Currency,
    },
    WithdrawInquiry {
        inquiry: InquiryId,
        reason: Option<Sealed>,
    },
    ResumeInquiry {
        inquiry: InquiryId,
    },
    ClaimInquiry {
        inquiry: InquiryId,
    },
    ConfirmTopics {
        inquiry: InquiryId,
        topics: Vec<Topic>,
        /// Those of `topics` that are published, or that the classifier knows.
        known_topics: Vec<Topic>,
    },
    PlaceBid {
        auction: AuctionId,
        amount: Money,
    },
    WithdrawBid {
        bid: BidId,
    },
    ViewReservation {
        reservation: ReservationId,
    },
    AcceptReservation {
        reservation: ReservationId,
    },
    DeclineReservation {
        reservation: ReservationId,
        reason: Option<Sealed>,
    },
    SendMessage {
        session: SessionId,
        channel: ChannelId,
        text: Sealed,
    },
    InviteAgent {
        session: SessionId,
        agent: AgentChoice,
    },
    /// An invitation by whose acceptance the inviting agent leaves.
    TransferSession {
        session: SessionId,
        to: AgentChoice,
        note: Option<Sealed>,
    },
    RescindReservation {
        reservation: ReservationId,
    },
    LeaveSession {
        session: SessionId,
    },
    /// `kind` absent: another than MAIN's.
    OpenSideChannel {
        session: SessionId,
        agent: AgentId,
        kind: Option<ChannelKind>,
    },
    CloseChannel {
        session: SessionId,
        channel: ChannelId,
    },
    ReportChannel {
        session: SessionId,
        channel: ChannelId,
        report: ChannelReport,
    },
    EndSession {
        session: SessionId,
    },
    SaveNotes {
        session: SessionId,
        notes: Sealed,
    },
    ExtendWrapUp {
        session: SessionId,
        by: Span,
    },
    CompleteWrapUp {
        session: SessionId,
        information: Option<Sealed>,
    },

    // To `effects`.
    CreateWebhook {
        webhook: WebhookId,
        provider: ProviderId,
        url: String,
        types: Vec<String>,
        secret: Sealed,
    },
    RotateWebhookSecret {
        webhook: WebhookId,
        secret: Sealed,
    },
    DeleteWebhook {
        webhook: WebhookId,
    },
    RedeliverWebhook {
        webhook: WebhookId,
        delivery: DeliveryId,
    },
    PlanDeliveries {
        webhooks: Vec<WebhookId>,
        about: Subject,
        event: EventId,
        source: SourcePosition,
    },
    RecordAttempt {
        webhook: WebhookId,
        delivery: DeliveryId,
        attempt: crate::webhook::Attempt,
    },

    /// To the call server of a settlement.
    RefundSettlement {
        settlement: SettlementId,
        amount: Money,
        reason: RefundReason,
    },
    /// By a process manager: a fee rule was set.
    TakeFeeRule {
        rule: FeeRule,
        source: SourcePosition,
    },

    // To `treasury`.
    SetFeeRule {
        commission: Percent,
        tax: Percent,
        tax_rounding: Rounding,
        /// Absent: two days.
        return_window: Option<Span>,
        jurisdiction: Option<String>,
        /// Absent: now.
        valid_from: Option<Timestamp>,
    },
    /// By a process manager: an event of a call server moves money.
    PostEntry {
        about: Subject,
        at: Timestamp,
        legs: Vec<Leg>,
        source: SourcePosition,
    },
}

/// A mutation's name and who may give it; what a role may do only to its own things is checked in the
/// decision.
pub type Right = (&'static str, &'static [Role]);

/// The role × mutation table. The edge asks it before it looks anything up or seals anything, a decision
/// asks it first of all. Process managers are SYSTEM and have no mutation.
pub mod rights {
    use super::Right;
    use crate::actor::Role::*;

    pub const PROCESS: Right = ("", &[System]);
    /// In place of whichever mutation it stands for.
    pub const RECORDED: Right = ("", &[Customer, Agent]);
    pub const REGISTER_PROVIDER: Right = ("registerProvider", &[Operator]);
    pub const UPDATE_PROVIDER: Right = ("updateProvider", &[Operator]);
    pub const OPEN_CALL_SERVER: Right = ("openCallServer", &[Operator]);
    pub const UPDATE_CALL_SERVER: Right = ("updateCallServer", &[Operator]);
    pub const PUBLISH_OFFER: Right = ("publishOffer", &[Provider, Operator]);
    pub const REVISE_OFFER: Right = ("reviseOffer", &[Provider, Operator]);
    pub const PAUSE_OFFER: Right = ("pauseOffer", &[Provider, Operator]);
    pub const RESUME_OFFER: Right = ("resumeOffer", &[Provider, Operator]);
    pub const RETIRE_OFFER: Right = ("retireOffer", &[Provider, Operator]);
    pub const ERASE_CUSTOMER: Right = ("eraseCustomer", &[Operator]);
    pub const ACCEPT_OFFER: Right = ("acceptOffer", &[Customer, Anonymous]);
    pub const START_INQUIRY: Right = ("startInquiry", &[Agent, Operator]);
    pub const REGISTER_AGENT: Right = ("registerAgent", &[Operator]);
    pub const UPDATE_AGENT: Right = ("updateAgent", &[Operator]);
    pub const SET_AGENT_STATUS: Right = ("setAgentStatus", &[Agent, Operator]);
    pub const SET_STANDING_VALUE: Right = ("setStandingValue", &[Agent, Operator]);
    pub const BLOCK_AGENT: Right = ("blockAgent", &[Provider, Operator]);
    pub const UNBLOCK_AGENT: Right = ("unblockAgent", &[Provider, Operator]);
    pub const BLOCK_CUSTOMER: Right = ("blockCustomer", &[Agent, Provider, Operator]);
    pub const UNBLOCK_CUSTOMER: Right = ("unblockCustomer", &[Agent, Provider, Operator]);
    pub const READ_NOTICES: Right = ("readNotices", &[Agent]);
    pub const FORGIVE_STRIKES: Right = ("forgiveStrikes", &[Operator]);
    pub const REPORT_LOCATION_TRAFFIC: Right = ("reportLocationTraffic", &[Operator]);
    pub const DECLARE_QUEUE: Right = ("declareQueue", &[Operator]);
    pub const MERGE_QUEUES: Right = ("mergeQueues", &[Operator]);
    pub const RETIRE_QUEUE: Right = ("retireQueue", &[Operator]);
    pub const CREDIT_WALLET: Right = ("creditWallet", &[Finance]);
    pub const PAY_OUT: Right = ("payOut", &[Finance]);
    pub const RETURN_PAYOUT: Right = ("returnPayout", &[Finance]);
    pub const NET_PAYABLE: Right = ("netPayable", &[Finance]);
    pub const REFUND_SETTLEMENT: Right = ("refundSettlement", &[Finance]);
    pub const SET_FEE_RULE: Right = ("setFeeRule", &[Finance]);
    pub const WITHDRAW_INQUIRY: Right = ("withdrawInquiry", &[Customer, Operator]);
    pub const RESUME_INQUIRY: Right = ("resumeInquiry", &[Customer]);
    pub const CLAIM_INQUIRY: Right = ("claimInquiry", &[Agent]);
    pub const CONFIRM_TOPICS: Right = ("confirmTopics", &[Agent]);
    pub const PLACE_BID: Right = ("placeBid", &[Agent]);
    pub const WITHDRAW_BID: Right = ("withdrawBid", &[Agent]);
    pub const VIEW_RESERVATION: Right = ("viewReservation", &[Agent]);
    pub const ACCEPT_RESERVATION: Right = ("acceptReservation", &[Agent]);
    pub const DECLINE_RESERVATION: Right = ("declineReservation", &[Agent]);
    pub const SEND_MESSAGE: Right = ("sendMessage", &[Agent, Customer]);
    pub const INVITE_AGENT: Right = ("inviteAgent", &[Agent]);
    pub const TRANSFER_SESSION: Right = ("transferSession", &[Agent]);
    pub const RESCIND_RESERVATION: Right = ("rescindReservation", &[Agent]);
    pub const LEAVE_SESSION: Right = ("leaveSession", &[Agent]);
    pub const OPEN_SIDE_CHANNEL: Right = ("openSideChannel", &[Agent]);
    pub const CLOSE_CHANNEL: Right = ("closeChannel", &[Agent]);
    pub const REPORT_CHANNEL: Right = ("reportChannel", &[Agent]);
    pub const END_SESSION: Right = ("endSession", &[Agent, Customer]);
    pub const SAVE_NOTES: Right = ("saveNotes", &[Agent]);
    pub const EXTEND_WRAP_UP: Right = ("extendWrapUp", &[Agent]);
    pub const COMPLETE_WRAP_UP: Right = ("completeWrapUp", &[Agent]);
    pub const CREATE_WEBHOOK: Right = ("createWebhook", &[Provider, Operator]);
    pub const ROTATE_WEBHOOK_SECRET: Right = ("rotateWebhookSecret", &[Provider, Operator]);
    pub const DELETE_WEBHOOK: Right = ("deleteWebhook", &[Provider, Operator]);
    pub const REDELIVER_WEBHOOK: Right = ("redeliverWebhook", &[Provider, Operator]);

    /// Every mutation.
    pub const ALL: [Right; 57] = [
        REGISTER_PROVIDER,
        UPDATE_PROVIDER,
        OPEN_CALL_SERVER,
        UPDATE_CALL_SERVER,
        PUBLISH_OFFER,
        REVISE_OFFER,
        PAUSE_OFFER,
        RESUME_OFFER,
        RETIRE_OFFER,
        ERASE_CUSTOMER,
        ACCEPT_OFFER,
        START_INQUIRY,
        REGISTER_AGENT,
        UPDATE_AGENT,
        SET_AGENT_STATUS,
        SET_STANDING_VALUE,
        BLOCK_AGENT,
        UNBLOCK_AGENT,
        BLOCK_CUSTOMER,
        UNBLOCK_CUSTOMER,
        READ_NOTICES,
        FORGIVE_STRIKES,
        REPORT_LOCATION_TRAFFIC,
        DECLARE_QUEUE,
        MERGE_QUEUES,
        RETIRE_QUEUE,
        CREDIT_WALLET,
        PAY_OUT,
        RETURN_PAYOUT,
        NET_PAYABLE,
        REFUND_SETTLEMENT,
        SET_FEE_RULE,
        WITHDRAW_INQUIRY,
        RESUME_INQUIRY,
        CLAIM_INQUIRY,
        CONFIRM_TOPICS,
        PLACE_BID,
        WITHDRAW_BID,
        VIEW_RESERVATION,
        ACCEPT_RESERVATION,
        DECLINE_RESERVATION,
        SEND_MESSAGE,
        INVITE_AGENT,
        RESCIND_RESERVATION,
        OPEN_SIDE_CHANNEL,
        CLOSE_CHANNEL,
        REPORT_CHANNEL,
        TRANSFER_SESSION,
        LEAVE_SESSION,
        END_SESSION,
        SAVE_NOTES,
        EXTEND_WRAP_UP,
        COMPLETE_WRAP_UP,
        CREATE_WEBHOOK,
        ROTATE_WEBHOOK_SECRET,
        DELETE_WEBHOOK,
        REDELIVER_WEBHOOK,
    ];
}

impl Command {
    /// Its row in the table.
    pub fn rights(&self) -> Right {
        match self {
            Command::RegisterProvider { .. } => rights::REGISTER_PROVIDER,
            Command::UpdateProvider { .. } => rights::UPDATE_PROVIDER,
            Command::OpenCallServer { .. } => rights::OPEN_CALL_SERVER,
            Command::UpdateCallServer { .. } => rights::UPDATE_CALL_SERVER,
            Command::PublishOffer { .. } => rights::PUBLISH_OFFER,
            Command::ReviseOffer { .. } => rights::REVISE_OFFER,
            Command::PauseOffer { .. } => rights::PAUSE_OFFER,
            Command::ResumeOffer { .. } => rights::RESUME_OFFER,
            Command::RetireOffer { .. } => rights::RETIRE_OFFER,
            Command::FreePlace { .. } => rights::PROCESS,
            Command::EraseCustomer { .. } => rights::ERASE_CUSTOMER,
            Command::AcceptOffer(_) => rights::ACCEPT_OFFER,
            Command::StartInquiry(_) => rights::START_INQUIRY,
            Command::StartCallServer { .. } => rights::PROCESS,
            Command::GrantCreditLimits { .. } => rights::PROCESS,
            Command::RegisterInquiry { .. } => rights::PROCESS,
            Command::ForgetCustomer { .. } => rights::PROCESS,
            Command::RecordOfErased => rights::RECORDED,
            Command::ReportPresence { .. } => rights::PROCESS,
            Command::RegisterAgent { .. } => rights::REGISTER_AGENT,
            Command::UpdateAgent { .. } => rights::UPDATE_AGENT,
            Command::SetAgentStatus { .. } => rights::SET_AGENT_STATUS,
            Command::SetStandingValue { .. } => rights::SET_STANDING_VALUE,
            Command::BlockAgent { .. } => rights::BLOCK_AGENT,
            Command::UnblockAgent { .. } => rights::UNBLOCK_AGENT,
            Command::BlockCustomer { .. } => rights::BLOCK_CUSTOMER,
            Command::UnblockCustomer { .. } => rights::UNBLOCK_CUSTOMER,
            Command::ReadNotices { .. } => rights::READ_NOTICES,
            Command::ForgiveStrikes { .. } => rights::FORGIVE_STRIKES,
            Command::ReportLocationTraffic { .. } => rights::REPORT_LOCATION_TRAFFIC,
            Command::DeclareQueue { .. } => rights::DECLARE_QUEUE,
            Command::MergeQueues { .. } => rights::MERGE_QUEUES,
            Command::RetireQueue { .. } => rights::RETIRE_QUEUE,
            Command::CreditWallet { .. } => rights::CREDIT_WALLET,
            Command::PayOut { .. } => rights::PAY_OUT,
            Command::ReturnPayout { .. } => rights::RETURN_PAYOUT,
            Command::NetPayable { .. } => rights::NET_PAYABLE,
            Command::RefundSettlement { .. } => rights::REFUND_SETTLEMENT,
            Command::SetFeeRule { .. } => rights::SET_FEE_RULE,
            Command::TakeFeeRule { .. } => rights::PROCESS,
            Command::WithdrawInquiry { .. } => rights::WITHDRAW_INQUIRY,
            Command::ResumeInquiry { .. } => rights::RESUME_INQUIRY,
            Command::ClaimInquiry { .. } => rights::CLAIM_INQUIRY,
            Command::ConfirmTopics { .. } => rights::CONFIRM_TOPICS,
            Command::PlaceBid { .. } => rights::PLACE_BID,
            Command::WithdrawBid { .. } => rights::WITHDRAW_BID,
            Command::ViewReservation { .. } => rights::VIEW_RESERVATION,
            Command::AcceptReservation { .. } => rights::ACCEPT_RESERVATION,
            Command::DeclineReservation { .. } => rights::DECLINE_RESERVATION,
            Command::SendMessage { .. } => rights::SEND_MESSAGE,
            Command::InviteAgent { .. } => rights::INVITE_AGENT,
            Command::TransferSession { .. } => rights::TRANSFER_SESSION,
            Command::RescindReservation { .. } => rights::RESCIND_RESERVATION,
            Command::LeaveSession { .. } => rights::LEAVE_SESSION,
            Command::OpenSideChannel { .. } => rights::OPEN_SIDE_CHANNEL,
            Command::CloseChannel { .. } => rights::CLOSE_CHANNEL,
            Command::ReportChannel { .. } => rights::REPORT_CHANNEL,
            Command::EndSession { .. } => rights::END_SESSION,
            Command::SaveNotes { .. } => rights::SAVE_NOTES,
            Command::ExtendWrapUp { .. } => rights::EXTEND_WRAP_UP,
            Command::CompleteWrapUp { .. } => rights::COMPLETE_WRAP_UP,
            Command::CreateWebhook { .. } => rights::CREATE_WEBHOOK,
            Command::RotateWebhookSecret { .. } => rights::ROTATE_WEBHOOK_SECRET,
            Command::DeleteWebhook { .. } => rights::DELETE_WEBHOOK,
            Command::RedeliverWebhook { .. } => rights::REDELIVER_WEBHOOK,
            Command::PlanDeliveries { .. } => rights::PROCESS,
            Command::RecordAttempt { .. } => rights::PROCESS,
            Command::PostEntry { .. } => rights::PROCESS,
        }
    }
}
