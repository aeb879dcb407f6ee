//! The rows of a log's state: one of each subject, with what decisions have to know of it and no more.
//!
//! Not here: which tables they stand in, when they leave them, and how a change is taken back (`state`).

use crate::event::agent::Will;
use crate::event::auction::LossReason;
use crate::event::community::CreditLimit;
use crate::event::queue::QueueOrigin;
use crate::event::wallet::Party;
use crate::ids::*;
use crate::limits::Used;
use crate::sealed::Sealed;
use crate::terms::{AuctionRules, ChannelKind, Direction, OfferTerms};
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    pub suspended: bool,
    pub origins: Arc<[String]>,
    /// As given last: an update says which of them it lifts.
    pub credit_limits: Arc<[CreditLimit]>,
    /// The `kid` of each.
    pub customer_keys: Arc<[String]>,
    /// Customers of whom it takes no inquiry, in order.
    pub blocks: Arc<[CustomerId]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub provider: ProviderId,
    pub revision: u32,
    pub terms: Arc<OfferTerms>,
    pub paused: bool,
    pub retired: bool,
    /// Of its limits.
    pub used: Used,
}

/// An acceptance of an offer with limits, until its inquiry has ended on its call server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub offer: OfferId,
    /// Of the acceptance: days since 1970 (UTC).
    pub day: i64,
    /// The most that it may cost the provider.
    pub reserved: Option<crate::money::Money>,
}

/// A customer that was erased. `community` keeps it for good, so that nothing is accepted for it any more; a call server
/// while it still ends what is open of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// On a call server: when its next inquiry ends.
    pub goes_on: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallServer {
    pub id: CallServerId,
    pub topics: Arc<[Topic]>,
    pub languages: Arc<[String]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub number: u32,
    pub will: Will,
    pub skills: Arc<[Skill]>,
    pub capacity: u32,
    pub location: Arc<str>,
    pub affiliated_with: Option<ProviderId>,
    /// Pending reservations.
    pub reserved: u32,
    /// Open sessions.
    pub sessions: u32,
    /// Sessions in wrap-up.
    pub wrap_ups: u32,
    /// Open sessions that it joined as a third agent.
    pub conferences: u32,
    /// More inquiries fit it than one decision opens rounds for: then it goes on. Absent: nothing is left.
    pub rounds_at: Option<Timestamp>,
    /// AVAILABLE, and reported to have a feed since it asked for that: it goes offline then, unless it is reported
    /// again. Absent: it stays until it says otherwise.
    pub present_until: Option<Timestamp>,
    /// When it last was given work, finished work, or came to work: it is idle since.
    pub worked_at: Timestamp,
    /// Which selection of this call server chose it last; 0: none.
    pub selected: u64,
    /// One of a topic and direction.
    pub values: Arc<[StandingValue]>,
    /// Whose inquiries do not come to it, in order.
    pub blocked_by: Arc<[ProviderId]>,
    /// Customers whom it keeps away from, in order.
    pub blocks: Arc<[CustomerId]>,
    /// When each of its strikes is forgotten, the latest last; some may be by now.
    pub strikes: Arc<[Timestamp]>,
    /// It names no new bid. Absent: it is not barred.
    pub barred_until: Option<Timestamp>,
}

/// What an agent would pay or take for a topic without being asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingValue {
    pub direction: Direction,
    pub topic: Topic,
    /// It counts before that instant.
    pub valid_until: Option<Timestamp>,
    pub value: crate::money::Money,
}

impl StandingValue {
    pub fn is_for(&self, topic: &Topic, direction: Direction) -> bool {
        self.topic == *topic && self.direction == direction
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    pub topic: Topic,
    pub origin: QueueOrigin,
    pub required_skills: Arc<[Skill]>,
    /// Of waiting: what one step of priority is worth.
    pub priority_credit: Span,
    /// Inquiries that stand in it.
    pub depth: u32,
    /// Its topics are that queue's now, and what stands in it follows.
    pub merged_into: Option<QueueId>,
    /// Others were merged into it: it does not retire by itself, or their topics would open queues again.
    pub has_merged: bool,
    /// When the next of those who stand in it follow.
    pub moves_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InquiryState {
    Queued,
    InAuction,
    Reserved,
    Engaged,
    WrapUp,
    /// By its customer, whose place is kept: it still counts in its queues.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inquiry {
    pub state: InquiryState,
    pub offer: OfferId,
    pub provider: ProviderId,
    pub customer: CustomerId,
    /// Who started it, where the provider pays whoever assists: it is for somebody else then.
    pub unpaid: Option<AgentId>,
    pub terms: Arc<OfferTerms>,
    /// The offer's, its topics' and its queues', as far as they are asked for by now.
    pub desired_skills: Arc<[Skill]>,
    /// So many rings of the offer's relaxation it has entered.
    pub rings: u32,
    pub topics: Arc<[Topic]>,
    pub queues: Arc<[QueueId]>,
    pub channel: ChannelKind,
    pub accepted_at: Timestamp,
    /// Its place in its queues: earlier than `accepted_at` by what its priority is worth there.
    pub stands_at: Timestamp,
    /// The offer's hours have not begun, and nobody is asked before.
    pub begins_at: Option<Timestamp>,
    /// What is left of `max_wait` at `waiting_since`.
    pub wait_left: Span,
    /// Absent before it begins, and while an auction is open, a reservation pending, or an agent engaged.
    pub waiting_since: Option<Timestamp>,
    /// Every auction, the latest last.
    pub auctions: Arc<[AuctionId]>,
    /// Every reservation, the latest last.
    pub reservations: Arc<[ReservationId]>,
    /// So many of them came before it was last queued: who let one of the others lapse is not asked again.
    pub chain_from: u32,
    /// Routed: when a refusal is long enough ago to select again.
    pub selects_at: Option<Timestamp>,
    /// Routed, and until an agent has it: whom it prefers.
    pub preferred: Option<Preferred>,
    /// Withdrawn: when its place is lost.
    pub place_kept_until: Option<Timestamp>,
    /// How often its customer came back.
    pub comebacks: u32,
    /// Its customer is erased, and its end is on its way: nobody gets it any more.
    pub ends_soon: bool,
    pub session: Option<SessionId>,
    pub settlement: Option<SettlementId>,
}

impl Inquiry {
    /// Its wait ran out, though its timer may not have rung yet: nothing more is begun for it.
    pub fn wait_is_over(&self, now: Timestamp) -> bool {
        self.waiting_since.is_some_and(|since| since + self.wait_left <= now)
    }
    /// While it waits: when the next ring of the offer's relaxation begins. What it waited before counts.
    pub fn relaxes_at(&self) -> Option<Timestamp> {
        let ring = self.terms.relaxation.get(self.rings as usize)?;
        let waited = self.terms.max_wait - self.wait_left;
        Some(self.waiting_since? + (ring.after - waited))
    }
    pub fn auction(&self) -> Option<AuctionId> {
        self.auctions.last().copied()
    }
    pub fn reservation(&self) -> Option<ReservationId> {
        self.reservations.last().copied()
    }
}

/// Who is asked about an inquiry before anybody else: it served the customer last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferred {
    pub agent: AgentId,
    /// From when somebody can first be selected.
    pub lasts: Span,
    /// Absent before the inquiry has begun.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuctionPhase {
    Open,
    /// A reservation of the winner is pending or was accepted.
    Awarded,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auction {
    pub inquiry: InquiryId,
    /// Of the inquiry, which never changes these: a bid asks for them without looking there.
    pub provider: ProviderId,
    pub customer: CustomerId,
    pub independent_agents_only: bool,
    pub unpaid: Option<AgentId>,
    pub desired_skills: Arc<[Skill]>,
    /// Of the inquiry, which sets it once: its customer is erased.
    pub ends_soon: bool,
    pub rules: Arc<AuctionRules>,
    pub round: u32,
    pub phase: AuctionPhase,
    pub closes_at: Timestamp,
    pub hard_closes_at: Option<Timestamp>,
    /// The platform was down at a closing and moved it: that happens once.
    pub moved: bool,
    pub bidding: Bidding,
    /// The winner's bid by its number, while awarded.
    pub awarded: Option<u32>,
    /// REVERSE: held of the provider's account for the winner.
    pub provider_hold: Decimal,
}

/// What a bid changes of its auction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bidding {
    /// Recorded bids; they are numbered from 0 in order of recording.
    pub bids: u32,
    pub bidders: u32,
    /// OPEN and PROXY: the leading bid.
    pub best: Option<Best>,
    /// PROXY: the best maximum of anybody but the leader.
    pub second: Option<Decimal>,
    /// OPEN and PROXY: what the leader would pay now.
    pub price: Option<Decimal>,
    /// Each bid leads to the one before it, and each bidder to the one before it.
    pub last_bid: Option<BidId>,
    pub last_bidder: Option<AgentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub bid: BidId,
    pub agent: AgentId,
    pub amount: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BidPhase {
    Live,
    Lost(LossReason),
    Won,
    Forfeited,
}

/// A recorded bid, whether it counts or not. What became of it stands with its bidder while it counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bid {
    pub auction: AuctionId,
    pub agent: AgentId,
    /// The one recorded before it in its auction.
    pub before: Option<BidId>,
}

/// One agent in one auction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bidder {
    /// Its number, shown to rivals as `B3`; they go from 1 without gaps.
    pub number: u32,
    /// Recorded bids.
    pub bids: u32,
    /// Its bid that counts; absent after a withdrawal.
    pub bid: Option<CountingBid>,
    /// Held of its wallet.
    pub hold: Decimal,
    /// Who has the number before.
    pub before: Option<AgentId>,
}

/// Of the bids of one agent in one auction, the one that counts: the others were superseded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountingBid {
    pub id: BidId,
    /// Order of recording.
    pub number: u32,
    pub amount: Decimal,
    pub phase: BidPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReservationPhase {
    Pending,
    Accepted,
    Declined,
    Lapsed,
    Rescinded,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub inquiry: InquiryId,
    pub agent: AgentId,
    pub auction: Option<AuctionId>,
    pub bid: Option<BidId>,
    /// Of whose account the price is held for it; absent where an auction holds it.
    pub payer: Option<Party>,
    pub price: Option<crate::money::Money>,
    pub deadline: Timestamp,
    pub attempt: u32,
    pub phase: ReservationPhase,
    pub ended_at: Option<Timestamp>,
    /// Absent: the agent is asked for the inquiry itself.
    pub invitation: Option<Arc<Invited>>,
}

/// What an agent in a session asks another one for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invited {
    pub session: SessionId,
    pub by: AgentId,
    /// To take the session over.
    pub transfer: bool,
    /// Of whoever is asked next; absent: nobody is.
    pub skills: Option<Arc<[Skill]>>,
    pub note: Option<Sealed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionPhase {
    Open,
    WrapUp,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub inquiry: InquiryId,
    /// The first agent: who consented to the inquiry, or took the session over since.
    pub agent: AgentId,
    pub customer: CustomerId,
    /// MAIN, and how customer and agents talk on it.
    pub channel: ChannelId,
    pub kind: ChannelKind,
    /// A TELEPHONE channel's agent has reported that the customer is on the line.
    pub connected: bool,
    /// The other agents in it, in order of joining.
    pub guests: Arc<[AgentId]>,
    /// Pending ones.
    pub invitations: Arc<[ReservationId]>,
    /// SIDE channels, open ones, and how many there have been.
    pub sides: Arc<[Side]>,
    pub sides_opened: u32,
    pub phase: SessionPhase,
    pub opened_at: Timestamp,
    /// When it ends by itself, while it is open: nobody says anything until then; it has gone on for too long.
    pub idle_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    /// Of its first agent, and of those who have handed over.
    pub wrap_ups: Arc<[WrapUp]>,
    /// Since then its agent may still write, for a day.
    pub closed_at: Option<Timestamp>,
    /// The customer's record has what came of it.
    pub recorded: bool,
}

/// A channel between two agents of a session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub channel: ChannelId,
    pub kind: ChannelKind,
    pub between: [AgentId; 2],
    pub connected: bool,
}

/// One agent's wrap-up of one session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrapUp {
    pub agent: AgentId,
    /// As the offer has it: no extension counts from anywhere else.
    pub ends: Timestamp,
    pub deadline: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub balance: Decimal,
    pub held: Decimal,
    /// Absent: without limit.
    pub credit_limit: Option<Decimal>,
    /// Past its return windows, and not paid out: no part of the balance, and not spent here.
    #[serde(default)]
    pub payable: Decimal,
    /// On their way, by the order in which they were made.
    #[serde(default)]
    pub payouts: Arc<[(PayoutId, crate::money::Money)]>,
}

impl Account {
    pub(crate) fn new(id: AccountId, zero: Decimal, credit_limit: Option<Decimal>) -> Account {
        Account { id, balance: zero, held: zero, credit_limit, payable: zero, payouts: Arc::default() }
    }
    /// What can be held or spent; absent: without limit.
    pub fn available(&self) -> Option<Decimal> {
        self.credit_limit.map(|limit| self.balance + limit - self.held)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settlement {
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub direction: Direction,
    pub payer: Party,
    pub payee: Party,
    pub price: crate::money::Money,
    /// The number of the rule that was in force at the consent.
    pub fee_rule: Option<u32>,
    /// Set at completion.
    pub pending: Option<Pending>,
}

/// A settlement inside its return window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub payable_at: Timestamp,
    /// What of the price was not given back.
    pub left: crate::money::Money,
    /// What of that is the house's.
    pub fee: Option<crate::event::settlement::Fee>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub provider: ProviderId,
    pub disabled: bool,
}
