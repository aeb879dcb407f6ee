//! The auditor: folds the events in its own way and compares. It knows the rules of the house and shares no
//! code with the decisions; of the state it reads the rows alone.

use super::json;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::agent::{AgentEvent, Will, WillReason};
use domain::event::auction::AuctionEvent;
use domain::event::community::CallServerEvent;
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::journal::JournalEvent;
use domain::event::reservation::{Purpose, ReservationEvent};
use domain::event::session::SessionEvent;
use domain::event::settlement::{Leg, SettlementEvent};
use domain::event::wallet::{Party, WalletEvent};
use domain::ids::*;
use domain::money::Money;
use domain::state::{InquiryState, ReservationPhase, State};
use domain::terms::{Allocation, Direction};
use domain::time::{Span, Timestamp};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

type AccountKey = (Party, Currency);

#[derive(Default)]
pub struct Auditor {
    balances: BTreeMap<AccountKey, Decimal>,
    limits: BTreeMap<AccountKey, Option<Decimal>>,
    /// One hold per payer and auction.
    holds: BTreeMap<(Party, AuctionId), (Currency, Decimal)>,
    /// What a pending reservation holds, where no auction does.
    reserved: BTreeMap<ReservationId, (Party, Currency, Decimal)>,
    directions: BTreeMap<AuctionId, Direction>,
    open_auctions: BTreeSet<AuctionId>,
    inquiry_of: BTreeMap<AuctionId, InquiryId>,
    providers: BTreeMap<InquiryId, Party>,
    pending: BTreeMap<ReservationId, (InquiryId, AgentId, Option<AuctionId>)>,
    /// The agents in an open session, the first one first.
    sessions: BTreeMap<SessionId, Vec<AgentId>>,
    /// Pending, and who is in which session by consent.
    invitations: BTreeMap<ReservationId, SessionId>,
    sides: BTreeMap<ChannelId, (SessionId, [AgentId; 2])>,
    ends_at: BTreeMap<SessionId, Timestamp>,
    /// The first agent of a session, for ever.
    leads: BTreeMap<SessionId, AgentId>,
    recorded: BTreeSet<SessionId>,
    wrap_ups: BTreeSet<(SessionId, AgentId)>,
    served: BTreeSet<InquiryId>,
    open_inquiries: BTreeSet<InquiryId>,
    /// Of those that nobody has engaged yet.
    waits: BTreeMap<InquiryId, Wait>,
    /// Their whole waits, and the rings of their offers.
    rings: BTreeMap<InquiryId, (Span, Vec<domain::terms::RelaxationRing>)>,
    /// When the hours of their offers begin.
    begin: BTreeMap<InquiryId, Timestamp>,
    /// Whose customers left, and until when they may come back.
    away: BTreeMap<InquiryId, Timestamp>,
    /// Of open inquiries.
    customers: BTreeMap<InquiryId, CustomerId>,
    /// When each erased customer was let go of last, and when more of it ends.
    forgotten: BTreeMap<CustomerId, (Timestamp, Option<Timestamp>)>,
    capacities: BTreeMap<AgentId, u32>,
    /// By whom each agent is blocked.
    blocked: BTreeSet<(AgentId, Party)>,
    /// Whom each agent keeps away from.
    keeps: BTreeSet<(AgentId, CustomerId)>,
    available: BTreeSet<AgentId>,
    /// Who goes offline then, unless it is reported again.
    present_until: BTreeMap<AgentId, Timestamp>,
    /// When each strike of an agent is forgotten; and who names no bid until then.
    strikes: BTreeMap<AgentId, Vec<Timestamp>>,
    barred_until: BTreeMap<AgentId, Timestamp>,
    /// Within a step: who has just not consented to what it had won, and who must be barred for that.
    blamed: Option<(AgentId, AuctionId)>,
    owes_bar: Option<AgentId>,
    /// What is left of each settlement inside its return window: credits of the payee, of commission, of tax.
    shares: BTreeMap<SettlementId, [Decimal; 3]>,
    credit_notes: u64,
    /// On their way.
    payouts: BTreeMap<PayoutId, (Party, Money)>,
    /// Legs by account path and currency: everything ever posted.
    books: BTreeMap<(String, Currency), Decimal>,
}

/// How long an inquiry may still wait, and since when it does; absent: its wait stands still.
struct Wait {
    left: Span,
    since: Option<Timestamp>,
}

impl Wait {
    /// Something begins for the inquiry, so its wait stands still.
    fn stops(&mut self, at: Timestamp) {
        if let Some(since) = self.since.take() {
            let waited = at - since;
            assert!(waited < self.left, "nothing is begun for an inquiry whose wait is over");
            self.left = self.left - waited;
        }
    }
}

impl Auditor {
    pub fn sees(&mut self, event: &Event, at: Timestamp) {
        concerns(event);
        match event {
            Event::Wallet(event) => match event {
                WalletEvent::Opened(e) => {
                    let key = (e.owner, e.zero.currency());
                    assert!(self.balances.insert(key, Decimal::ZERO).is_none(), "one account per owner and currency");
                    self.limits.insert(key, e.credit_limit.map(|limit| limit.amount()));
                }
                WalletEvent::Credited(e) => {
                    self.books(&e.legs);
                    *self.balances.get_mut(&(e.owner, e.amount.currency())).unwrap() += e.amount.amount();
                }
                WalletEvent::PayableNetted(e) => {
                    let (key, amount) = ((e.owner, e.amount.currency()), e.amount.amount());
                    self.books(&e.legs);
                    let balance = self.balances.get_mut(&key).unwrap();
                    assert!(amount > Decimal::ZERO && *balance + amount <= Decimal::ZERO, "what is owed, at most");
                    *balance += amount;
                    self.payable_is_left(e.owner, e.amount);
                }
                WalletEvent::PaidOut(e) => {
                    self.books(&e.legs);
                    let owed = -self.balances[&(e.owner, e.amount.currency())].min(Decimal::ZERO);
                    let left = self.payable_is_left(e.owner, e.amount);
                    assert!(left >= owed, "who owes is paid what it does not owe: {left} of {owed} owed");
                    assert!(self.payouts.insert(e.payout, (e.owner, e.amount)).is_none(), "paid out once");
                }
                WalletEvent::PayoutReturned(e) => {
                    self.books(&e.legs);
                    assert_eq!(self.payouts.remove(&e.payout), Some((e.owner, e.amount)), "what left comes back");
                }
                WalletEvent::CreditLimitSet(e) => {
                    self.limits.insert((e.owner, e.limit.currency()), Some(e.limit.amount()));
                }
            },
            Event::CallServer(CallServerEvent::CreditLimitGranted(e)) => {
                let key = (Party::Provider(e.provider), e.zero.currency());
                self.balances.entry(key).or_default();
                self.limits.insert(key, e.limit.map(|limit| limit.amount()));
            }
            Event::Customer(CustomerEvent::Forgotten(e)) => {
                let due = self.forgotten.insert(e.customer, (at, e.until)).and_then(|(_, due)| due);
                assert!(
                    e.source.is_some() || due.is_some_and(|due| due <= at),
                    "it goes on when it said that it would"
                );
                assert!(e.until.is_none_or(|until| until > at), "commands come in between");
                if e.until.is_none() {
                    self.keeps.retain(|(_, customer)| *customer != e.customer);
                }
            }
            Event::Inquiry(event) => self.sees_inquiry(event, at),
            Event::Auction(event) => self.sees_auction(event, at),
            Event::Agent(AgentEvent::Registered(e)) => {
                self.capacities.insert(e.agent, e.capacity);
            }
            Event::Agent(AgentEvent::Updated(e)) => {
                if let Some(capacity) = e.capacity {
                    self.capacities.insert(e.agent, capacity);
                }
            }
            Event::Reservation(event) => self.sees_reservation(event, at),
            Event::Session(event) => self.sees_session(event, at),
            // `effects` moves nothing of a market.
            Event::Webhook(_) => {}
            Event::Journal(JournalEvent::EntryPosted(e)) => self.books(&e.legs),
            Event::Journal(JournalEvent::FeeRuleSet(_) | JournalEvent::FeeRuleTaken(_)) => {}
            Event::Settlement(event) => match event {
                SettlementEvent::Escrowed(e) => {
                    self.books(&e.legs);
                    let payer = (e.payer, e.price.currency());
                    *self.balances.get_mut(&payer).expect("who pays has an account") -= e.price.amount();
                    let inquiry_of = &self.inquiry_of;
                    self.holds.retain(|(party, auction), _| (*party, inquiry_of[auction]) != (e.payer, e.inquiry));
                }
                SettlementEvent::Pending(e) => {
                    self.books(&e.legs);
                    self.shares.insert(e.settlement, shares(&e.legs));
                }
                SettlementEvent::Refunded(e) => {
                    self.books(&e.legs);
                    self.credit_notes += 1;
                    assert_eq!(e.credit_note, self.credit_notes, "credit notes have no gaps");
                    let left = self.shares.get_mut(&e.settlement).expect("what is pending can be given back");
                    for (left, back) in left.iter_mut().zip(shares(&e.legs)) {
                        *left += back;
                        assert!(!left.is_sign_positive() || left.is_zero(), "no share gives back more than it has");
                    }
                    let payer = (e.payer, e.amount.currency());
                    *self.balances.get_mut(&payer).expect("who paid has an account") += e.amount.amount();
                    if left.iter().all(Decimal::is_zero) {
                        self.shares.remove(&e.settlement);
                    }
                }
                SettlementEvent::Payable(e) => {
                    self.books(&e.legs);
                    let [payees, ..] = self.shares.remove(&e.settlement).expect("what matures was pending");
                    assert_eq!(-e.legs[0].amount.amount(), payees, "all that the payee has left is payable");
                }
                SettlementEvent::Released(e) => self.books(&e.legs),
            },
            Event::Provider(_)
            | Event::Offer(_)
            | Event::CallServer(_)
            | Event::Customer(CustomerEvent::Erased(_))
            | Event::Queue(_)
            | Event::Agent(
                AgentEvent::RoundsPutOff(_)
                | AgentEvent::RoundsResumed(_)
                | AgentEvent::StandingValueSet(_)
                | AgentEvent::NoticesRead(_),
            ) => {}
            Event::Agent(AgentEvent::Blocked(e)) => {
                self.blocked.insert((e.agent, Party::Provider(e.provider)));
            }
            Event::Agent(AgentEvent::Unblocked(e)) => {
                self.blocked.remove(&(e.agent, Party::Provider(e.provider)));
            }
            Event::Agent(AgentEvent::CustomerBlocked(e)) => {
                self.keeps.insert((e.agent, e.customer));
            }
            Event::Agent(AgentEvent::CustomerUnblocked(e)) => {
                self.keeps.remove(&(e.agent, e.customer));
            }
            Event::Agent(AgentEvent::Struck(e)) => {
                let (blamed, auction) = self.blamed.take().expect("a strike is of who was asked and did not consent");
                assert_eq!((e.agent, e.auction, e.until), (blamed, auction, at + Span::days(1)));
                let strikes = self.strikes.entry(e.agent).or_default();
                strikes.push(e.until);
                let standing = strikes.iter().filter(|until| at < **until).count();
                self.owes_bar = (standing >= 3 || self.barred_until.contains_key(&e.agent)).then_some(e.agent);
            }
            Event::Agent(AgentEvent::Barred(e)) => {
                assert_eq!(self.owes_bar.take(), Some(e.agent), "nobody is barred before its third strike");
                assert_eq!(e.until, at + Span::minutes(60));
                self.barred_until.insert(e.agent, e.until);
            }
            Event::Agent(AgentEvent::BarEnded(e)) => {
                let until = self.barred_until.remove(&e.agent);
                assert!(until.is_some_and(|until| until <= at), "a bar ends when it is due, and not before");
                self.strikes.remove(&e.agent);
            }
            Event::Agent(AgentEvent::StrikesForgiven(e)) => {
                let standing = self.strikes.remove(&e.agent).unwrap_or_default().into_iter().any(|until| at < until);
                let barred = self.barred_until.remove(&e.agent).is_some();
                assert!(standing || barred, "there was something to forgive");
            }
            Event::Agent(AgentEvent::StatusSet(e)) => {
                let until = self.present_until.remove(&e.agent);
                if e.reason == WillReason::Absent {
                    assert!(until.is_some_and(|until| until <= at), "nobody is absent who was not bound until then");
                    assert_eq!(e.will, Will::Offline);
                }
                match e.will {
                    Will::Available => self.available.insert(e.agent),
                    Will::Offline | Will::Break => self.available.remove(&e.agent),
                };
            }
            Event::Agent(AgentEvent::PresenceReported(e)) => {
                assert!(!e.agents.is_empty() && e.agents.is_sorted_by(|a, b| a < b), "sorted, each once");
                for agent in &e.agents {
                    assert!(self.capacities.contains_key(agent), "only agents of this log are reported");
                    let due = self.present_until.get(agent).is_some_and(|until| *until <= at);
                    assert!(e.node.is_some() || due, "the platform excuses whose time ran out, and nobody else");
                    if self.available.contains(agent) {
                        self.present_until.insert(*agent, at + Span::seconds(60));
                    }
                }
            }
        }
    }

    fn sees_inquiry(&mut self, event: &InquiryEvent, at: Timestamp) {
        match event {
            InquiryEvent::Registered(e) => {
                self.providers.insert(e.inquiry, Party::Provider(e.provider));
                self.open_inquiries.insert(e.inquiry);
                self.customers.insert(e.inquiry, e.customer);
                let since = e.begins_at.is_none().then_some(at);
                self.waits.insert(e.inquiry, Wait { left: e.terms.max_wait, since });
                self.rings.insert(e.inquiry, (e.terms.max_wait, e.terms.relaxation.clone()));
                self.begin.extend(e.begins_at.map(|begins_at| (e.inquiry, begins_at)));
            }
            InquiryEvent::Began(e) => {
                let begins_at = self.begin.remove(&e.inquiry).expect("it begins once");
                assert!(begins_at <= at, "it begins when its offer's hours do, and not before");
                let wait = self.waits.get_mut(&e.inquiry).expect("it was registered");
                assert_eq!((wait.since, e.expires_at), (None, at + wait.left), "it has not waited yet");
                wait.since = Some(at);
            }
            InquiryEvent::PutOff(e) => {
                let begins_at = self.begin.insert(e.inquiry, e.begins_at).expect("it has not begun");
                assert!(begins_at <= at && at < e.begins_at, "at its time it is put off to a later one");
            }
            InquiryEvent::Withdrawn(e) => match e.place_kept_until {
                None => self.closes(e.inquiry),
                Some(until) => {
                    assert!(until > at, "a place is kept for a while");
                    self.rests(e.inquiry);
                    self.waits.get_mut(&e.inquiry).expect("it waited").stops(at);
                    self.away.insert(e.inquiry, until);
                }
            },
            InquiryEvent::Relaxed(e) => {
                let wait = &self.waits[&e.inquiry];
                let (whole, rings) = &self.rings[&e.inquiry];
                let since = wait.since.expect("it waits");
                let waited = whole.0 - wait.left.0 + (at - since).0;
                assert!(rings[e.ring as usize - 1].after.0 <= waited, "it has waited that long");
            }
            InquiryEvent::PreferenceEnded(e) => {
                assert!(!self.served.contains(&e.inquiry), "who has an agent prefers none");
            }
            InquiryEvent::PlaceKept(e) => {
                let old = self.away.insert(e.inquiry, e.until);
                assert!(old.is_some_and(|old| old <= at && at < e.until), "kept on when it would have been lost");
            }
            InquiryEvent::PlaceLost(e) => {
                let until = self.away.remove(&e.inquiry);
                let erased = self.customers.get(&e.inquiry).and_then(|customer| self.forgotten.get(customer));
                let erased = erased.is_some_and(|(forgotten_at, _)| *forgotten_at == at);
                assert!(
                    until.is_some_and(|until| until <= at || erased),
                    "a place is lost when it is due, or its customer is erased, and not before"
                );
                self.closes(e.inquiry);
            }
            InquiryEvent::Resumed(e) => {
                let until = self.away.remove(&e.inquiry);
                assert!(until.is_some_and(|until| at < until), "who comes back comes in time");
                let wait = self.waits.get_mut(&e.inquiry).expect("it waited before");
                wait.since = Some(at);
                assert_eq!(e.expires_at, at + wait.left, "it waits for what was left");
            }
            InquiryEvent::Expired(e) => {
                let wait = &self.waits[&e.inquiry];
                let over = wait.since.is_some_and(|since| at - since >= wait.left);
                assert!(over, "an inquiry expires when its wait is over, and not before");
                self.closes(e.inquiry);
            }
            InquiryEvent::Completed(e) => self.closes(e.inquiry),
            InquiryEvent::Requeued(e) => {
                assert!(!self.served.contains(&e.inquiry), "who is served waits no more");
                let wait = self.waits.get_mut(&e.inquiry).expect("it waited before");
                wait.since = Some(at);
                assert_eq!(e.expires_at, at + wait.left, "it waits for what was left");
            }
            InquiryEvent::SelectionMade(e) => {
                assert!(!self.served.contains(&e.inquiry), "who is served is selected no more");
                assert!(!self.begin.contains_key(&e.inquiry), "nobody is selected before it begins");
                assert_eq!(e.agent.map(Subject::from), e.why.chosen, "what was chosen is what is recorded");
                e.agent.into_iter().for_each(|agent| self.are_not_kept_apart(agent, e.inquiry));
            }
            InquiryEvent::TopicsConfirmed(e) => {
                assert!(self.served.contains(&e.inquiry), "who serves it knows what it is about");
                assert!(!e.topics.is_empty(), "it is about something");
                let once: std::collections::BTreeSet<_> = e.topics.iter().collect();
                assert_eq!(once.len(), e.topics.len(), "it is about each of them once");
            }
            InquiryEvent::Moved(e) => {
                assert!(!self.served.contains(&e.inquiry), "who is served stands in no queue");
                assert!(e.from != e.into, "it stands elsewhere");
                assert_eq!(e.away, self.away.contains_key(&e.inquiry), "who is away comes back there");
            }
            InquiryEvent::InformationRequested(_) | InquiryEvent::InformationAnswered(_) => {}
        }
    }

    fn closes(&mut self, inquiry: InquiryId) {
        self.begin.remove(&inquiry);
        assert!(self.open_inquiries.remove(&inquiry), "an inquiry closes once");
        self.waits.remove(&inquiry);
        self.rests(inquiry);
    }

    /// Nobody is asked about it, and nothing is held for it.
    fn rests(&self, inquiry: InquiryId) {
        assert!(!self.away.contains_key(&inquiry), "who is away has gone already");
        assert!(!self.pending.values().any(|(about, ..)| *about == inquiry), "nobody is asked about what is closed");
        let of = |auction: &AuctionId| self.inquiry_of[auction] == inquiry;
        assert!(!self.open_auctions.iter().any(of), "an auction does not outlive its inquiry");
        assert!(!self.holds.keys().any(|(_, auction)| of(auction)), "a hold does not outlive its inquiry");
    }

    fn sees_auction(&mut self, event: &AuctionEvent, at: Timestamp) {
        match event {
            AuctionEvent::Opened(e) => {
                let rival = self.open_auctions.iter().any(|other| self.inquiry_of[other] == e.inquiry);
                assert!(!rival, "one auction of an inquiry is open at a time");
                assert!(!self.begin.contains_key(&e.inquiry), "nothing is auctioned before it begins");
                self.waits.get_mut(&e.inquiry).expect("it waits").stops(at);
                self.open_auctions.insert(e.auction);
                self.inquiry_of.insert(e.auction, e.inquiry);
                self.directions.insert(e.auction, e.rules.direction);
            }
            AuctionEvent::BidPlaced(e) => {
                assert!(!self.barred_until.contains_key(&e.agent), "who is barred names no new bid");
                assert!(self.open_auctions.contains(&e.auction), "bids are placed while the auction is open");
                self.are_not_kept_apart(e.agent, e.inquiry);
                let key = (Party::Agent(e.agent), e.auction);
                match e.hold {
                    Some(hold) => self.holds.insert(key, (hold.currency(), hold.amount())),
                    None => self.holds.remove(&key),
                };
            }
            AuctionEvent::BidOutbid(e) => self.frees(e.agent, e.auction),
            AuctionEvent::BidWithdrawn(e) => self.frees(e.agent, e.auction),
            AuctionEvent::BidLost(e) => self.frees(e.agent, e.auction),
            AuctionEvent::BidForfeited(e) => {
                self.frees(e.agent, e.auction);
                let awarded =
                    self.pending.values().any(|(_, agent, auction)| (*agent, *auction) == (e.agent, Some(e.auction)));
                assert!(!awarded, "a reservation ends before its bid is forfeited");
            }
            AuctionEvent::Extended(e) => {
                assert!(e.hard_closes_at.is_none_or(|hard| e.closes_at <= hard), "nothing goes beyond the hard close");
            }
            AuctionEvent::Awarded(e) => {
                self.open_auctions.remove(&e.auction);
                let payer = match self.directions[&e.auction] {
                    Direction::Forward => Party::Agent(e.agent),
                    Direction::Reverse => self.providers[&e.inquiry],
                };
                assert_eq!(e.hold, e.price, "what is held for the winner is what it will cost");
                self.holds.insert((payer, e.auction), (e.price.currency(), e.price.amount()));
            }
            AuctionEvent::Unsold(e) => {
                self.open_auctions.remove(&e.auction);
                assert!(
                    !self.holds.keys().any(|(_, auction)| *auction == e.auction),
                    "nothing is held for what nobody has won"
                );
            }
            AuctionEvent::Cancelled(e) => {
                self.open_auctions.remove(&e.auction);
                assert!(
                    !self.holds.keys().any(|(_, auction)| *auction == e.auction),
                    "a cancelled auction holds nothing"
                );
            }
        }
    }

    /// Nothing begins between the two.
    fn are_not_kept_apart(&self, agent: AgentId, inquiry: InquiryId) {
        let provider = self.providers[&inquiry];
        assert!(!self.blocked.contains(&(agent, provider)), "{provider:?} blocks {agent}, who gets {inquiry}");
        let customer = self.customers[&inquiry];
        assert!(!self.keeps.contains(&(agent, customer)), "{agent} keeps away from {customer}, and gets {inquiry}");
    }

    fn frees(&mut self, agent: AgentId, auction: AuctionId) {
        self.holds.remove(&(Party::Agent(agent), auction));
    }

    fn sees_reservation(&mut self, event: &ReservationEvent, at: Timestamp) {
        match event {
            ReservationEvent::Opened(e) => {
                self.are_not_kept_apart(e.agent, e.inquiry);
                let mut joins = false;
                match &e.invitation {
                    None => {
                        let rival = self.pending.values().any(|(inquiry, ..)| *inquiry == e.inquiry);
                        assert!(!rival, "one agent is asked about an inquiry at a time");
                        self.waits.get_mut(&e.inquiry).expect("it waits").stops(at);
                    }
                    Some(invitation) => {
                        let agents = &self.sessions[&invitation.session];
                        joins = !agents.contains(&e.agent);
                        assert!(joins || e.purpose == Purpose::Transfer, "who is in it is asked to take over alone");
                        assert!(e.price.is_none() && e.auction.is_none(), "an invitation moves no money");
                        self.invitations.insert(e.reservation, invitation.session);
                    }
                }
                self.pending.insert(e.reservation, (e.inquiry, e.agent, e.auction));
                if let (Some(payer), Some(price)) = (e.payer, e.price) {
                    assert!(e.auction.is_none(), "an auction's award holds its price itself");
                    self.reserved.insert(e.reservation, (payer, price.currency(), price.amount()));
                }
                if joins || e.invitation.is_none() {
                    assert!(self.load(e.agent) <= self.capacities[&e.agent], "nobody is asked beyond its capacity");
                    let wraps_up = self.wrap_ups.iter().any(|(_, agent)| *agent == e.agent);
                    assert!(!wraps_up, "nobody is asked in wrap-up");
                    assert_eq!(self.conferences(e.agent), 0, "nobody is asked in a conference");
                }
            }
            ReservationEvent::Viewed(e) => assert!(self.pending.contains_key(&e.reservation)),
            ReservationEvent::Accepted(e) => {
                self.reserved.remove(&e.reservation);
                self.pending.remove(&e.reservation).expect("a reservation ends once");
            }
            ReservationEvent::InvitationAnswered(e) => {
                assert!(!self.pending.contains_key(&e.reservation), "who invited is told when it is over");
            }
            ReservationEvent::Declined(e) => self.blames(e.reservation),
            ReservationEvent::Lapsed(e) => self.blames(e.reservation),
            ReservationEvent::Rescinded(e) => self.ends(e.reservation),
        }
    }

    /// It is the agent's own doing that it did not take it: where it had won it, the next word is of a strike.
    fn blames(&mut self, id: ReservationId) {
        let (inquiry, agent, auction) = self.pending[&id];
        // Of whom is erased nobody could have had it.
        let gone = self.customers.get(&inquiry).and_then(|customer| self.forgotten.get(customer));
        let blames = gone.is_none_or(|(_, until)| until.is_none());
        self.blamed = auction.filter(|_| blames).map(|auction| (agent, auction));
        self.ends(id);
    }

    /// The agent did not take it: what was held for it is free.
    fn ends(&mut self, id: ReservationId) {
        self.reserved.remove(&id);
        let (inquiry, agent, auction) = self.pending.remove(&id).expect("a reservation ends once");
        self.invitations.remove(&id);
        if let Some(auction) = auction {
            self.frees(agent, auction);
            self.holds.remove(&(self.providers[&inquiry], auction));
        }
    }

    fn sees_session(&mut self, event: &SessionEvent, at: Timestamp) {
        match event {
            SessionEvent::Opened(e) => {
                assert!(self.served.insert(e.inquiry), "an inquiry is consumed exactly once");
                self.waits.get_mut(&e.inquiry).expect("it waits").stops(at);
                self.sessions.insert(e.session, vec![e.agent]);
                self.leads.insert(e.session, e.agent);
                self.ends_at.insert(e.session, at + Span::minutes(8 * 60));
            }
            SessionEvent::AgentJoined(e) => {
                assert_eq!(self.invitations.remove(&e.reservation), Some(e.session), "nobody comes uninvited");
                let agents = self.sessions.get_mut(&e.session).expect("nobody joins what is over");
                agents.retain(|agent| *agent != e.agent);
                agents.insert(if e.first { 0 } else { agents.len() }, e.agent);
                self.leads.insert(e.session, agents[0]);
            }
            SessionEvent::AgentLeft(e) => {
                let agents = self.sessions.get_mut(&e.session).expect("nobody leaves what is over");
                assert_ne!(agents[0], e.agent, "a session has its first agent for as long as it is open");
                let before = agents.len();
                agents.retain(|agent| *agent != e.agent);
                assert_eq!(agents.len() + 1, before, "who leaves was there");
                self.sides.retain(|_, (session, between)| *session != e.session || !between.contains(&e.agent));
                if e.wrap_up_deadline.is_some() {
                    self.wrap_ups.insert((e.session, e.agent));
                }
            }
            SessionEvent::ChannelOpened(e) => {
                let agents = &self.sessions[&e.session];
                assert!(agents.contains(&e.agent) && agents.contains(&e.by) && e.by != e.agent, "two agents in it");
                self.sides.insert(e.channel, (e.session, [e.by, e.agent]));
            }
            SessionEvent::ChannelConnected(e) => {
                assert_eq!(e.side, self.sides.contains_key(&e.channel));
                assert!(self.sessions[&e.session].contains(&e.agent));
            }
            SessionEvent::ChannelClosed(e) => {
                let (session, between) = self.sides.remove(&e.channel).expect("a channel closes once");
                assert!(session == e.session && between.contains(&e.by) && between.contains(&e.agent));
            }
            SessionEvent::Kept(e) => {
                let ends_at = self.ends_at.get_mut(&e.session).expect("it is open");
                *ends_at = e.until.max(*ends_at);
            }
            SessionEvent::Ended(e) => {
                let agents = self.sessions.remove(&e.session).expect("a session ends once");
                assert_eq!(agents, [e.agent], "it is its first agent's, and the others have left");
                assert!(at <= self.ends_at.remove(&e.session).unwrap(), "no session goes on for too long");
                assert!(!self.invitations.values().any(|session| *session == e.session), "nobody is asked into it");
                self.sides.retain(|_, (session, _)| *session != e.session);
                if e.wrap_up_deadline.is_some() {
                    self.wrap_ups.insert((e.session, e.agent));
                }
            }
            SessionEvent::WrapUpCompleted(e) => {
                self.wrap_ups.remove(&(e.session, e.agent));
                if self.leads[&e.session] == e.agent {
                    assert!(self.recorded.insert(e.session), "a session is recorded once");
                }
            }
            SessionEvent::MessageSent(e) => {
                let agents = &self.sessions[&e.session];
                assert!(e.agent.is_none_or(|agent| agents.contains(&agent)), "who writes is in it");
                assert_eq!(e.side, self.sides.contains_key(&e.channel), "what is beside MAIN says so");
            }
            SessionEvent::NotesSaved(_) | SessionEvent::WrapUpExtended(_) => {}
        }
    }

    fn books(&mut self, legs: &[Leg]) {
        let mut sums: BTreeMap<Currency, Decimal> = BTreeMap::new();
        for leg in legs {
            *sums.entry(leg.amount.currency()).or_default() += leg.amount.amount();
            *self.books.entry((leg.account.clone(), leg.amount.currency())).or_default() += leg.amount.amount();
        }
        assert!(legs.len() >= 2 && sums.values().all(Decimal::is_zero), "the legs of an event sum to zero");
    }

    fn load(&self, agent: AgentId) -> u32 {
        let asked = self.pending.values().filter(|(_, other, _)| *other == agent).count();
        let talking = self.sessions.values().filter(|agents| agents.contains(&agent)).count();
        (asked + talking) as u32
    }

    fn conferences(&self, agent: AgentId) -> u32 {
        let with_others = |agents: &&Vec<AgentId>| agents[1..].contains(&agent);
        self.sessions.values().filter(with_others).count() as u32
    }

    /// The state says what the events said, and keeps nothing of what is over.
    pub fn audits(&self, state: &State, now: Timestamp) {
        Auditor::locations_are_counted(state);
        self.strikes_are_known(state, now);
        let mut held: BTreeMap<AccountKey, Decimal> = BTreeMap::new();
        for ((party, _), (currency, amount)) in &self.holds {
            *held.entry((*party, *currency)).or_default() += amount;
        }
        for (party, currency, amount) in self.reserved.values() {
            *held.entry((*party, *currency)).or_default() += amount;
        }
        for (key, balance) in &self.balances {
            let account = state.accounts.get(*key).expect("an account stays");
            let held = held.remove(key).unwrap_or_default();
            assert_eq!(account.held, held, "held is the sum of the live holds of {key:?}");
            assert_eq!(account.balance, *balance, "the balance of {key:?}");
            assert_eq!(account.credit_limit, self.limits[key]);
            let free = self.limits[key].map(|limit| balance + limit - held);
            assert!(free.is_none_or(|free| free >= Decimal::ZERO), "{key:?} is beyond its credit limit: {free:?}");
            // Debit positive: a wallet is owed to its owner.
            let path = match key.0 {
                Party::Agent(id) => format!("liabilities:agent:{id}:wallet"),
                Party::Provider(id) => format!("liabilities:provider:{id}:wallet"),
            };
            let posted = self.books.get(&(path, key.1)).copied().unwrap_or_default();
            assert_eq!(-posted, *balance, "the books agree with the wallet of {key:?}");
            assert_eq!(account.payable, self.payable(key.0, key.1), "what is payable to {key:?}");
            let sent: Vec<_> = account.payouts.iter().map(|(id, amount)| (*id, (key.0, *amount))).collect();
            let known = self.payouts.iter().filter(|(_, sent)| (sent.0, sent.1.currency()) == *key);
            assert!(known.map(|(id, sent)| (*id, *sent)).eq(sent), "what is on its way from {key:?}");
        }
        assert!(held.is_empty(), "what is held is held of an account: {held:?}");
        assert_eq!(state.accounts.len(), self.balances.len());

        let wrong = state.agents.any_keyed(|id, row| {
            let wrap_ups = self.wrap_ups.iter().filter(|(_, agent)| *agent == id).count();
            row.load() != self.load(id)
                || row.wrap_ups as usize != wrap_ups
                || row.conferences != self.conferences(id)
                || row.capacity != self.capacities[&id]
        });
        assert!(!wrong, "an agent's load is its pending reservations and open sessions");
        let known: usize = state.roster.iter().map(|id| state.agents.get(*id).unwrap().blocked_by.len()).sum();
        assert_eq!(known, self.blocked.len(), "who is blocked is known, and nobody else");
        let known: usize = state.roster.iter().map(|id| state.agents.get(*id).unwrap().blocks.len()).sum();
        assert_eq!(known, self.keeps.len(), "who keeps away from whom is known, and of whom is erased nothing");
        let wrong = state.agents.any_keyed(|id, row| row.present_until != self.present_until.get(&id).copied());
        assert!(!wrong, "who is AVAILABLE and was reported is bound, and nobody else");
        assert_eq!(state.inquiries.len(), self.open_inquiries.len());
        let forgotten = state.queues.any_keyed(|id, row| {
            let mut standing = 0;
            state.inquiries.any_keyed(|_, inquiry| {
                standing += u32::from(inquiry.session.is_none() && inquiry.queues.contains(&id));
                false
            });
            row.depth != standing
        });
        assert!(!forgotten, "a queue's depth is the inquiries that stand in it");
        self.nobody_waits_beside_a_free_agent(state, now);
        super::routed::nobody_waits_for_whom_it_could_have(state, now);
        if state.inquiries.is_empty() {
            self.nothing_is_left(state);
        }
    }

    /// Unsold, with rounds left and time to wait, and an agent is free for it who has not said no: its next
    /// round is open, or is only put off for a moment.
    fn nobody_waits_beside_a_free_agent(&self, state: &State, now: Timestamp) {
        state.inquiries.any_keyed(|id, row| {
            let Allocation::Auction(rules) = &row.terms.allocation else { return false };
            let unsold = row.state == InquiryState::Queued && row.auctions.len() < rules.rounds as usize;
            if !unsold || row.waiting_since.is_none_or(|since| now - since >= row.wait_left) {
                return false;
            }
            let declined = |agent| {
                let of = |id: &ReservationId| state.reservations.get(*id).unwrap();
                row.reservations
                    .iter()
                    .map(of)
                    .any(|asked| asked.agent == agent && asked.phase == ReservationPhase::Declined)
            };
            let idle = state.agents.any_keyed(|agent, one| {
                let unengaged = one.wrap_ups == 0 && one.conferences == 0;
                let could_win = !super::routed::is_avoided(state, &one.location);
                let could_bid = could_win && !self.barred_until.contains_key(&agent);
                let free = one.will == Will::Available && unengaged && one.load() < one.capacity && could_bid;
                let independent = !row.terms.independent_agents_only || one.affiliated_with != Some(row.provider);
                let skilled = row.desired_skills.iter().all(|want| {
                    let path = format!("{}/", want.name);
                    one.skills.iter().any(|has| has.level >= want.level && path.starts_with(&format!("{}/", has.name)))
                });
                free && independent
                    && row.unpaid != Some(agent)
                    && skilled
                    && one.rounds_at.is_none()
                    && !declined(agent)
                    && !self.blocked.contains(&(agent, Party::Provider(row.provider)))
                    && !self.keeps.contains(&(agent, row.customer))
            });
            // Its customer is erased, and another of its inquiries was to end first.
            let ends_soon = state.erased.get(row.customer).is_some_and(|row| row.goes_on.is_some());
            assert!(!idle || ends_soon, "{id} waits, and an agent is free for it");
            false
        });
    }

    /// Sessions that are over but for the wrap-up of who has handed over.
    fn handed_over(&self) -> usize {
        self.wrap_ups.iter().map(|(session, _)| session).collect::<BTreeSet<_>>().len()
    }

    /// Who won and did not consent was struck in the same step, and barred where that was the third.
    fn strikes_are_known(&self, state: &State, now: Timestamp) {
        assert_eq!((self.blamed, self.owes_bar), (None, None), "a strike, or its bar, was forgotten");
        state.agents.any_keyed(|agent, row| {
            assert_eq!(row.barred_until, self.barred_until.get(&agent).copied(), "until when {agent} is barred");
            let known = self.strikes.get(&agent).into_iter().flatten().filter(|until| now < **until);
            assert!(row.strikes_at(now).eq(known.copied()), "the strikes of {agent}");
            false
        });
    }

    /// What is counted at each location is what its agents do.
    fn locations_are_counted(state: &State) {
        let mut sums: BTreeMap<std::sync::Arc<str>, u32> = BTreeMap::new();
        state.agents.any_keyed(|_, row| {
            *sums.entry(row.location.clone()).or_default() += row.reserved + row.sessions;
            false
        });
        for (name, load) in sums {
            assert_eq!(state.sites.get(&name).map_or(0, |site| site.load), load, "what goes on at {name}");
        }
    }

    fn nothing_is_left(&self, state: &State) {
        let rows = [
            state.auctions.len(),
            state.bids.len(),
            state.bidders.len(),
            state.reservations.len(),
            // For a day their agents may still write; who has handed over wraps up.
            state.sessions.len() - state.closed_sessions.len() - self.handed_over(),
            state.waiting.len() + state.unassigned.len(),
        ];
        assert_eq!(rows, [0; 6], "open work leaves nothing behind");
        // Who has handed over may still wrap up when all is over.
        let reports = state.sites.values().filter(|site| site.report.is_some()).count();
        let ends = |id: &AgentId| {
            let values = &state.agents.get(*id).expect("the roster names who is registered").values;
            values.iter().filter_map(|value| value.valid_until).collect::<BTreeSet<_>>().len()
        };
        let values: usize = state.roster.iter().map(ends).sum();
        let bars = self.barred_until.len();
        let forgets = self.forgotten.values().filter(|(_, until)| until.is_some()).count();
        let due = state.settlements.len()
            + self.present_until.len()
            + self.wrap_ups.len()
            + reports
            + values
            + forgets
            + bars;
        assert_eq!(
            state.timers.len(),
            due,
            "all that will fall due is money, what agents name, and who is not there any more"
        );
        assert!(self.holds.is_empty() && self.pending.is_empty() && self.sessions.is_empty() && self.sides.is_empty());
    }

    /// What every account path comes to; all together zero.
    pub fn books_sum_to_zero(&self) {
        let mut sums: BTreeMap<Currency, Decimal> = BTreeMap::new();
        for ((_, currency), amount) in &self.books {
            *sums.entry(*currency).or_default() += amount;
        }
        assert!(sums.values().all(Decimal::is_zero));
    }

    fn payable(&self, owner: Party, currency: Currency) -> Decimal {
        let kind = if matches!(owner, Party::Agent(_)) { "agent" } else { "provider" };
        -self.posted(&format!("liabilities:{kind}:{}:payable", owner.subject()), currency)
    }

    /// What is payable to a party after an amount has left.
    fn payable_is_left(&self, owner: Party, amount: Money) -> Decimal {
        let left = self.payable(owner, amount.currency());
        assert!(amount.amount() > Decimal::ZERO && left >= Decimal::ZERO, "no more leaves than is payable");
        left
    }

    pub fn posted(&self, path: &str, currency: Currency) -> Decimal {
        self.books.get(&(path.to_owned(), currency)).copied().unwrap_or_default()
    }
}

/// What the legs credit (negative) or debit to a payee, as commission, and as tax.
fn shares(legs: &[Leg]) -> [Decimal; 3] {
    let mut shares = [Decimal::ZERO; 3];
    for leg in legs {
        let at = match leg.account.as_str() {
            "income:commission" => 1,
            path if path.starts_with("liabilities:tax:") => 2,
            path if path.ends_with(":pending") => 0,
            _ => continue,
        };
        shares[at] += leg.amount.amount();
    }
    shares
}

/// Subjects are one to three, none twice, and name what the payload names; the payload is canonical JSON.
fn concerns(event: &Event) {
    let payload = json::payload(event);
    let subjects: Vec<String> = event.subjects().iter().map(|subject| subject.to_string()).collect();
    let distinct: BTreeSet<&String> = subjects.iter().collect();
    assert!(subjects.len() <= 3 && distinct.len() == subjects.len(), "{event:?}");
    if let Event::Agent(AgentEvent::PresenceReported(e)) = event {
        assert_eq!(subjects, e.call_server.iter().map(ToString::to_string).collect::<Vec<_>>(), "no agent's trail");
        return;
    }
    for member in ["inquiry", "agent"] {
        if let Some(id) = payload.get(member).and_then(|id| id.as_str()) {
            assert!(subjects.iter().any(|subject| subject == id), "{} concerns its {member}", json::name(event));
        }
    }
    // The entity comes first: the payload's member of the event's own kind names it.
    let entity = match event {
        Event::Provider(_) => "provider",
        Event::Offer(domain::event::community::OfferEvent::Accepted(_)) => "inquiry",
        Event::Offer(_) => "offer",
        Event::CallServer(CallServerEvent::CreditLimitGranted(_)) | Event::Wallet(_) => "account",
        Event::CallServer(_) => "call_server",
        Event::Customer(_) => "customer",
        Event::Queue(_) => "queue",
        Event::Inquiry(_) => "inquiry",
        Event::Auction(_) => "auction",
        Event::Agent(_) => "agent",
        Event::Reservation(_) => "reservation",
        Event::Session(_) => "session",
        Event::Settlement(_) => "settlement",
        Event::Webhook(_) => "webhook",
        Event::Journal(JournalEvent::EntryPosted(_)) => "about",
        Event::Journal(JournalEvent::FeeRuleSet(_) | JournalEvent::FeeRuleTaken(_)) => {
            assert_eq!(payload["rule"]["id"].as_str(), Some(subjects[0].as_str()));
            return;
        }
    };
    assert_eq!(payload[entity].as_str(), Some(subjects[0].as_str()), "the entity comes first: {}", json::name(event));
}
