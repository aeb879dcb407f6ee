//! The state of one log: a table per subject, deadlines in order, and the journal that takes changes
//! back. `community` fills the first tables, a call server the others. Closed inquiries leave it, so
//! memory follows open work.

use crate::bids::Bids;
use crate::currency::Currency;
use crate::event::agent::Will;
use crate::event::auction::LossReason;
use crate::event::community::{CreditLimit, Location, SourcePosition};
use crate::event::queue::QueueOrigin;
use crate::event::wallet::Party;
use crate::ids::*;
use crate::limits::Used;
use crate::location::Site;
use crate::log::{LogName, Seq};
use crate::refusal::Refusal;
use crate::sealed::Sealed;
use crate::shared::Shared;
use crate::table::{Journal, Row, Table};
use crate::terms::{AuctionRules, ChannelKind, Direction, OfferTerms};
use crate::time::{Span, Timestamp};
use crate::topic::{Skill, Topic};
use crate::waiting::{Place, Waiting};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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

/// What falls due. A timer stands at its deadline until the event that settles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// First: what is too old at an instant counts for nothing that falls due at it.
    TrafficExpires(u32),
    ValueEnds(AgentId),
    BarEnds(AgentId),
    AuctionCloses(AuctionId),
    ReservationLapses(ReservationId),
    InquiryBegins(InquiryId),
    InquiryExpires(InquiryId),
    WrapUpEnds(SessionId, AgentId),
    RoundsGoOn(AgentId),
    SettlementMatures(SettlementId),
    AgentIsAbsent(AgentId),
    SessionIsIdle(SessionId),
    SessionIsLong(SessionId),
    SelectsAgain(InquiryId),
    MergeGoesOn(QueueId),
    PlaceIsLost(InquiryId),
    ForgetsOn(CustomerId),
    Relaxes(InquiryId),
    PreferenceEnds(InquiryId),
}

/// By whom it prefers, then by its place in its queues.
pub type Preferring = (AgentId, Timestamp, InquiryId);

/// One change to take back. What a bid changes stands here as it is; rows that are large and change seldom are
/// boxed, so that entries stay small.
#[derive(Clone)]
pub enum Undo {
    Provider(ProviderId, Option<Box<Provider>>),
    Offer(OfferId, Option<Box<Offer>>),
    Counted(InquiryId, Option<Box<Counted>>),
    Erased(CustomerId, Option<Erased>),
    Agent(AgentId, Option<Box<Agent>>),
    Queue(QueueId, Option<Box<Queue>>),
    Inquiry(InquiryId, Option<Box<Inquiry>>),
    Auction(AuctionId, Option<Box<Auction>>),
    Bidding(AuctionId, Bidding),
    BidRecorded(BidId),
    BidDropped(BidId, Bid),
    Bidder((AuctionId, AgentId), Option<Bidder>),
    Reservation(ReservationId, Option<Box<Reservation>>),
    Session(SessionId, Option<Box<Session>>),
    Account((Party, Currency), Option<Account>),
    Settlement(SettlementId, Option<Box<Settlement>>),
    Webhook(WebhookId, Option<Webhook>),
    CallServer(LogName, Option<CallServer>),
    QueueTopic(Topic, Option<QueueId>),
    TimerSet(Timestamp, Timer),
    TimerCleared(Timestamp, Timer),
    ClosedAdded(Timestamp, SessionId),
    ClosedRemoved(Timestamp, SessionId),
    WaitingAdded(InquiryId),
    WaitingRemoved(Place),
    UnassignedAdded(InquiryId),
    UnassignedRemoved(Place),
    PreferringAdded(Preferring),
    PreferringRemoved(Preferring),
    Enrolled,
    Site(Arc<str>, Option<Site>),
    Source(LogName, Option<Taken>),
    Scalars(Box<Scalars>),
}

macro_rules! rows {
    ($($row:ident by $key:ty, $old:ident => $kept:expr;)*) => {
        $(impl Row for $row {
            type Key = $key;
            fn undo(key: $key, old: Option<Self>) -> Undo {
                Undo::$row(key, old.map(|$old| $kept))
            }
        })*
    };
}

rows! {
    Provider by ProviderId, old => Box::new(old);
    Offer by OfferId, old => Box::new(old);
    Counted by InquiryId, old => Box::new(old);
    Erased by CustomerId, old => old;
    Agent by AgentId, old => Box::new(old);
    Queue by QueueId, old => Box::new(old);
    Inquiry by InquiryId, old => Box::new(old);
    Auction by AuctionId, old => Box::new(old);
    Bidder by (AuctionId, AgentId), old => old;
    Reservation by ReservationId, old => Box::new(old);
    Session by SessionId, old => Box::new(old);
    Account by (Party, Currency), old => old;
    Settlement by SettlementId, old => Box::new(old);
    Webhook by WebhookId, old => old;
}

/// Single values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scalars {
    /// Where acceptances go that fit nowhere.
    pub default_call_server: Option<LogName>,
    /// The call server that this log is.
    pub call_server: Option<CallServerId>,
    /// Agents registered here.
    pub agents: u32,
    pub locations: Arc<[Location]>,
    /// Agents selected so far, by the platform.
    pub selections: u64,
    /// Journal entries so far.
    pub entries: u64,
    /// In the order of their numbers.
    pub fee_rules: Arc<[crate::fees::FeeRule]>,
    /// Credit notes so far.
    pub credit_notes: u64,
}

/// The last event taken over from another log. The hash says which log that was: one that was restored goes on
/// differently from some position on, and gives known positions to other events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub seq: Seq,
    /// Hexadecimal chain hash.
    pub hash: Arc<str>,
}

/// The fold of one log.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct State {
    pub providers: Table<Provider>,
    pub offers: Table<Offer>,
    pub counted: Table<Counted>,
    pub erased: Table<Erased>,
    /// By name; few, and named by operators.
    pub call_servers: BTreeMap<LogName, CallServer>,
    pub agents: Table<Agent>,
    /// In order of registration: an agent's number is its place here, from 1.
    pub roster: Vec<AgentId>,
    /// By name, where agents work or traffic was reported.
    pub sites: BTreeMap<Arc<str>, Site>,
    pub queues: Table<Queue>,
    /// Open queues.
    pub queue_topics: BTreeMap<Topic, QueueId>,
    pub inquiries: Table<Inquiry>,
    pub auctions: Table<Auction>,
    pub bids: Bids,
    pub bidders: Table<Bidder>,
    pub reservations: Table<Reservation>,
    pub sessions: Table<Session>,
    pub accounts: Table<Account>,
    pub settlements: Table<Settlement>,
    pub webhooks: Table<Webhook>,
    pub timers: BTreeSet<(Timestamp, Timer)>,
    /// Unsold inquiries with rounds left.
    pub waiting: Waiting,
    /// Routed inquiries that nobody is asked about.
    pub unassigned: Waiting,
    /// Inquiries that prefer an agent.
    pub preferring: BTreeSet<Preferring>,
    /// Closed sessions whose agents may still write, by closing.
    pub closed_sessions: BTreeSet<(Timestamp, SessionId)>,
    /// The last event taken over from each log.
    pub sources: BTreeMap<LogName, Taken>,
    pub scalars: Scalars,
    #[serde(skip)]
    pub(crate) journal: Journal,
    #[serde(skip)]
    pub(crate) shared: Shared,
}

impl PartialEq for State {
    /// The journal is no part of what the log says, nor is how often it is kept in memory.
    fn eq(&self, other: &State) -> bool {
        self.providers == other.providers
            && self.offers == other.offers
            && self.counted == other.counted
            && self.erased == other.erased
            && self.call_servers == other.call_servers
            && self.agents == other.agents
            && self.queues == other.queues
            && self.queue_topics == other.queue_topics
            && self.inquiries == other.inquiries
            && self.auctions == other.auctions
            && self.bids == other.bids
            && self.bidders == other.bidders
            && self.reservations == other.reservations
            && self.sessions == other.sessions
            && self.accounts == other.accounts
            && self.settlements == other.settlements
            && self.webhooks == other.webhooks
            && self.timers == other.timers
            && self.waiting == other.waiting
            && self.unassigned == other.unassigned
            && self.preferring == other.preferring
            && self.roster == other.roster
            && self.sites == other.sites
            && self.closed_sessions == other.closed_sessions
            && self.sources == other.sources
            && self.scalars == other.scalars
    }
}

/// A point to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl State {
    /// Keeps once again what rows say alike, after they were read one by one. No value changes.
    pub fn share(&mut self) {
        let State { inquiries, auctions, shared, .. } = self;
        inquiries.each(|row| {
            row.terms = shared.terms(row.offer, &row.terms);
            row.desired_skills = shared.skills(row.offer, &row.desired_skills);
        });
        auctions.each(|row| {
            if let Some(inquiry) = inquiries.get(row.inquiry) {
                row.rules = shared.rules(inquiry.offer, &row.rules);
                row.desired_skills = shared.skills(inquiry.offer, &row.desired_skills);
            }
        });
    }

    pub fn mark(&self) -> Mark {
        Mark(self.journal.entries.len())
    }

    /// The log holds everything up to now: nothing of it will be taken back.
    pub fn acknowledge(&mut self) {
        self.journal.entries.clear();
    }

    /// Takes back everything since `mark`, newest first.
    pub fn roll_back(&mut self, mark: Mark) {
        while self.journal.entries.len() > mark.0 {
            match self.journal.entries.pop().expect("the length was just compared") {
                Undo::Provider(key, old) => self.providers.restore(key, old.map(|row| *row)),
                Undo::Offer(key, old) => self.offers.restore(key, old.map(|row| *row)),
                Undo::Counted(key, old) => self.counted.restore(key, old.map(|row| *row)),
                Undo::Erased(key, old) => self.erased.restore(key, old),
                Undo::Agent(key, old) => self.agents.restore(key, old.map(|row| *row)),
                Undo::Queue(key, old) => self.queues.restore(key, old.map(|row| *row)),
                Undo::Inquiry(key, old) => self.inquiries.restore(key, old.map(|row| *row)),
                Undo::Auction(key, old) => self.auctions.restore(key, old.map(|row| *row)),
                Undo::Bidding(key, old) => self.auctions.alter(key, |row| row.bidding = old),
                Undo::BidRecorded(id) => {
                    self.bids.remove(id);
                }
                Undo::BidDropped(id, row) => {
                    self.bids.insert(id, row);
                }
                Undo::Bidder(key, old) => self.bidders.restore(key, old),
                Undo::Reservation(key, old) => self.reservations.restore(key, old.map(|row| *row)),
                Undo::Session(key, old) => self.sessions.restore(key, old.map(|row| *row)),
                Undo::Account(key, old) => self.accounts.restore(key, old),
                Undo::Settlement(key, old) => self.settlements.restore(key, old.map(|row| *row)),
                Undo::Webhook(key, old) => self.webhooks.restore(key, old),
                Undo::CallServer(key, old) => restore(&mut self.call_servers, key, old),
                Undo::QueueTopic(key, old) => restore(&mut self.queue_topics, key, old),
                Undo::TimerSet(due, timer) => {
                    self.timers.remove(&(due, timer));
                }
                Undo::TimerCleared(due, timer) => {
                    self.timers.insert((due, timer));
                }
                Undo::ClosedAdded(at, session) => {
                    self.closed_sessions.remove(&(at, session));
                }
                Undo::ClosedRemoved(at, session) => {
                    self.closed_sessions.insert((at, session));
                }
                Undo::WaitingAdded(inquiry) => {
                    self.waiting.remove(inquiry);
                }
                Undo::WaitingRemoved(place) => {
                    self.waiting.insert(place);
                }
                Undo::UnassignedAdded(inquiry) => {
                    self.unassigned.remove(inquiry);
                }
                Undo::UnassignedRemoved(place) => {
                    self.unassigned.insert(place);
                }
                Undo::PreferringAdded(one) => {
                    self.preferring.remove(&one);
                }
                Undo::PreferringRemoved(one) => {
                    self.preferring.insert(one);
                }
                Undo::Enrolled => {
                    self.roster.pop();
                }
                Undo::Site(key, old) => restore(&mut self.sites, key, old),
                Undo::Source(key, old) => restore(&mut self.sources, key, old),
                Undo::Scalars(old) => self.scalars = *old,
            }
        }
    }

    pub(crate) fn set_timer(&mut self, due: Timestamp, timer: Timer) {
        if self.timers.insert((due, timer)) {
            self.journal.entries.push(Undo::TimerSet(due, timer));
        }
    }
    pub(crate) fn clear_timer(&mut self, due: Timestamp, timer: Timer) {
        if self.timers.remove(&(due, timer)) {
            self.journal.entries.push(Undo::TimerCleared(due, timer));
        }
    }
    pub(crate) fn add_closed(&mut self, at: Timestamp, session: SessionId) {
        if self.closed_sessions.insert((at, session)) {
            self.journal.entries.push(Undo::ClosedAdded(at, session));
        }
    }
    pub(crate) fn remove_closed(&mut self, at: Timestamp, session: SessionId) {
        if self.closed_sessions.remove(&(at, session)) {
            self.journal.entries.push(Undo::ClosedRemoved(at, session));
        }
    }
    pub(crate) fn add_waiting(&mut self, place: Place) {
        let inquiry = place.inquiry();
        if self.waiting.insert(place) {
            self.journal.entries.push(Undo::WaitingAdded(inquiry));
        }
    }
    pub(crate) fn remove_waiting(&mut self, inquiry: InquiryId) {
        if let Some(place) = self.waiting.remove(inquiry) {
            self.journal.entries.push(Undo::WaitingRemoved(place));
        }
    }
    pub(crate) fn add_unassigned(&mut self, place: Place) {
        let inquiry = place.inquiry();
        if self.unassigned.insert(place) {
            self.journal.entries.push(Undo::UnassignedAdded(inquiry));
        }
    }
    pub(crate) fn remove_unassigned(&mut self, inquiry: InquiryId) {
        if let Some(place) = self.unassigned.remove(inquiry) {
            self.journal.entries.push(Undo::UnassignedRemoved(place));
        }
    }
    pub(crate) fn add_preferring(&mut self, one: Preferring) {
        if self.preferring.insert(one) {
            self.journal.entries.push(Undo::PreferringAdded(one));
        }
    }
    pub(crate) fn remove_preferring(&mut self, one: Preferring) {
        if self.preferring.remove(&one) {
            self.journal.entries.push(Undo::PreferringRemoved(one));
        }
    }
    pub(crate) fn enroll(&mut self, agent: AgentId) {
        self.roster.push(agent);
        self.journal.entries.push(Undo::Enrolled);
    }
    /// Changes what a bid changes of its auction.
    pub(crate) fn change_bidding<R>(
        &mut self,
        auction: AuctionId,
        change: impl FnOnce(&mut Bidding, &AuctionRules) -> R,
    ) -> R {
        let journal = &mut self.journal.entries;
        self.auctions.alter(auction, |row| {
            journal.push(Undo::Bidding(auction, row.bidding));
            change(&mut row.bidding, &row.rules)
        })
    }
    pub(crate) fn record_bid(&mut self, id: BidId, row: Bid) {
        self.bids.insert(id, row);
        self.journal.entries.push(Undo::BidRecorded(id));
    }
    pub(crate) fn drop_bid(&mut self, id: BidId) -> Option<Bid> {
        let row = self.bids.remove(id)?;
        self.journal.entries.push(Undo::BidDropped(id, row));
        Some(row)
    }
    pub(crate) fn put_call_server(&mut self, name: LogName, row: CallServer) {
        let old = self.call_servers.insert(name.clone(), row);
        self.journal.entries.push(Undo::CallServer(name, old));
    }
    pub(crate) fn put_queue_topic(&mut self, topic: Topic, queue: Option<QueueId>) {
        let old = match queue {
            Some(queue) => self.queue_topics.insert(topic.clone(), queue),
            None => self.queue_topics.remove(&topic),
        };
        self.journal.entries.push(Undo::QueueTopic(topic, old));
    }
    /// Every change of an agent goes through here, so that what goes on where it sits is counted.
    pub(crate) fn change_agent(&mut self, id: AgentId, change: impl FnOnce(&mut Agent)) {
        let place = |row: &Agent| (row.location.clone(), row.load());
        let (location, load) = place(self.agents.get(id).expect("an agent is registered first"));
        self.agents.change(&mut self.journal, id, change);
        let (new_location, new_load) = place(self.agents.get(id).expect("just changed"));
        if location == new_location {
            return crate::location::count(self, &location, load, new_load);
        }
        crate::location::count(self, &location, load, 0);
        crate::location::count(self, &new_location, 0, new_load);
    }
    pub(crate) fn put_site(&mut self, name: Arc<str>, site: Site) {
        let old = self.sites.insert(name.clone(), site);
        self.journal.entries.push(Undo::Site(name, old));
    }
    pub(crate) fn change_scalars(&mut self, change: impl FnOnce(&mut Scalars)) {
        self.journal.entries.push(Undo::Scalars(Box::new(self.scalars.clone())));
        change(&mut self.scalars);
    }
    pub(crate) fn note_source(&mut self, source: &SourcePosition) {
        let taken = Taken { seq: source.seq, hash: source.hash.as_str().into() };
        let old = self.sources.insert(source.log.clone(), taken);
        self.journal.entries.push(Undo::Source(source.log.clone(), old));
    }
    /// Whether the event of another log was taken over already. Errors: SOURCE_FORKED where another event was,
    /// at the same position. Of earlier positions the hash is not kept: they are repeats.
    pub fn has_source(&self, source: &SourcePosition) -> Result<bool, Refusal> {
        match self.sources.get(&source.log) {
            Some(last) if last.seq == source.seq && *last.hash != *source.hash => Err(Refusal::SourceForked),
            last => Ok(last.is_some_and(|last| source.seq <= last.seq)),
        }
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }
}

fn restore<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, old: Option<V>) {
    match old {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
