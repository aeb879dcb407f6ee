//! The state of one log: a table per subject, deadlines in order, and the journal that takes changes
//! back. `community` fills the first tables, a call server the others. Closed inquiries leave it, so
//! memory follows open work.

use crate::bids::Bids;
use crate::currency::Currency;
use crate::event::community::{Location, SourcePosition};
use crate::event::wallet::Party;
use crate::ids::*;
use crate::location::Site;
use crate::log::{LogName, Seq};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::table::{Journal, Row, Table};
use crate::terms::AuctionRules;
use crate::time::Timestamp;
use crate::topic::Topic;
use crate::waiting::{Place, Waiting};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod rows;
pub use rows::*;

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
