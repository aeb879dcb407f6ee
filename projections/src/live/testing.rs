//! Events by hand: a pen that seals them into one log, and the payloads that the tests share. Ids are
//! small numbers, times are seconds, money is EUR.

use super::Live;
use domain::event::Event;
use domain::event::agent::{AgentRegistered, AgentStatusSet, Will, WillReason};
use domain::event::auction::{
    AuctionAwarded, AuctionOpened, BidForfeited, BidLost, BidOutbid, BidPlaced, LossReason, Standing,
};
use domain::event::community::{CallServerOpened, OfferAccepted, OfferPublished, SourcePosition};
use domain::event::inquiry::{InquiryCompleted, InquiryEvent, InquiryRegistered};
use domain::event::queue::{QueueOpened, QueueOrigin};
use domain::event::reservation::{Purpose, ReservationAccepted, ReservationLapsed, ReservationOpened};
use domain::event::session::{Author, SessionEnded, SessionOpened, WrapUpCompleted};
use domain::event::settlement::SettlementEscrowed;
use domain::event::wallet::{Party, WalletOpened};
use domain::ids::{
    AccountId, AgentId, AuctionId, BidId, CallServerId, ChannelId, CustomerId, InquiryId, OfferId, ProviderId, QueueId,
    RecordId, ReservationId, SessionId, SettlementId, Subject,
};
use domain::log::LogName;
use domain::money::Money;
use domain::sealed::Sealed;
use domain::terms::{Allocation, AuctionFormat, AuctionRules, ChannelKind, Direction, Initiator, OfferTerms};
use domain::time::{Span, Timestamp};
use domain::why::Why;
use std::sync::Arc;
use store::raw::Head;
use store::recorded::{CommandId, Facts, Recorded};

pub(super) const OFFER: OfferId = OfferId(1);
pub(super) const PROVIDER: ProviderId = ProviderId(1);
pub(super) const CUSTOMER: CustomerId = CustomerId(1);
pub(super) const ANN: AgentId = AgentId(1);
pub(super) const BEN: AgentId = AgentId(2);

/// Writes one log.
pub(super) struct Pen {
    log: LogName,
    head: Option<Head>,
    pub(super) now: Timestamp,
}

impl Pen {
    pub(super) fn new(log: &str) -> Pen {
        Pen { log: log.parse().unwrap(), head: None, now: at(0) }
    }
    pub(super) fn write(&mut self, event: impl Into<Event>) -> Arc<Recorded> {
        let facts = Facts {
            actor: domain::actor::Actor::System,
            key: None,
            correlation: CommandId(0),
            causation: None,
            source: None,
            trace: None,
            time: self.now,
            salt: [0; 16],
        };
        let sealed = Recorded::seal(&self.log, Head::next(self.head), &Head::link(self.head), event.into(), facts);
        self.head = Some(sealed.raw.head());
        Arc::new(sealed)
    }
    /// At `seconds`: one batch.
    pub(super) fn at(&mut self, seconds: i64, events: impl IntoIterator<Item = Event>) -> Vec<Arc<Recorded>> {
        self.now = at(seconds);
        events.into_iter().map(|event| self.write(event)).collect()
    }
}

/// A live view and the pen of the call server's log that it follows.
pub(super) struct Desk {
    pub(super) live: Live,
    pub(super) pen: Pen,
}

impl Desk {
    /// Ann and Ben have registered, and the queue `cards` is open.
    pub(super) fn new() -> Desk {
        let mut desk = Desk { live: Live::new(), pen: Pen::new("main") };
        desk.at(0, [queue(1, "cards"), agent(ANN, 1), agent(BEN, 1)]);
        desk
    }
    pub(super) fn at(&mut self, seconds: i64, events: impl IntoIterator<Item = Event>) {
        let batch = self.pen.at(seconds, events);
        self.live.apply(&batch).unwrap();
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}
pub(super) fn eur(text: &str) -> Money {
    Money::parse(text, "EUR".parse().unwrap()).unwrap()
}
pub(super) fn why(rule: &str) -> Why {
    Why { chosen: None, excluded: vec![], ranked: vec![], rule: rule.to_owned() }
}
pub(super) fn sealed(subject: impl Into<Subject>) -> Sealed {
    Sealed { ciphertext: "c2VhbGVk".into(), subject: subject.into() }
}

pub(super) fn rules(direction: Direction, format: AuctionFormat) -> AuctionRules {
    AuctionRules {
        buy_now: None,
        currency: "EUR".parse().unwrap(),
        direction,
        format,
        hard_close: None,
        increment: vec![],
        open_for: Span::seconds(60),
        reserve: None,
        reserve_hidden: false,
        rounds: 3,
        soft_close: None,
        starting_price: None,
    }
}

pub(super) fn terms() -> OfferTerms {
    OfferTerms {
        accepts_questions: true,
        allocation: Allocation::Auction(rules(Direction::Forward, AuctionFormat::Open)),
        channels: vec![ChannelKind::Message],
        consent_window: Span::seconds(20),
        daily_budget: None,
        hours: None,
        independent_agents_only: false,
        links: vec![],
        max_open: None,
        max_wait: Span::days(1),
        prefer_last_agent_for: Span::ZERO,
        priority: 0,
        relaxation: vec![],
        required_skills: vec![],
        shown_before_consent: vec![],
        terms: None,
        title: "Cards".into(),
        valid_until: None,
        wrap_up: None,
    }
}

pub(super) fn call_server(id: u128, name: &str) -> Event {
    let name = name.parse().unwrap();
    CallServerOpened { call_server: CallServerId(id), languages: vec![], locations: vec![], name, topics: vec![] }
        .into()
}
pub(super) fn published() -> Event {
    OfferPublished { offer: OFFER, provider: PROVIDER, terms: terms() }.into()
}
pub(super) fn accepted(inquiry: u128) -> Event {
    OfferAccepted {
        call_server: "main".parse().unwrap(),
        channel: ChannelKind::Message,
        classified: None,
        content: None,
        customer: CUSTOMER,
        customer_is_new: true,
        information_unavailable: false,
        last_agent: None,
        proven_by: None,
        initiator: Initiator::Customer,
        inquiry: InquiryId(inquiry),
        language: None,
        link: None,
        offer: OFFER,
        profile: Some(sealed(CUSTOMER)),
        provider: PROVIDER,
        question: None,
        revision: 1,
        started_by: None,
        terms: terms(),
        terms_version: None,
        topics: vec!["cards/lost".parse().unwrap()],
        why: why("call-server/1"),
    }
    .into()
}

pub(super) fn agent(agent: AgentId, capacity: u32) -> Event {
    AgentRegistered {
        affiliated_with: None,
        agent,
        capacity,
        display_name: sealed(agent),
        location: "vienna".into(),
        number: 1,
        skills: vec![],
    }
    .into()
}
pub(super) fn wants(agent: AgentId, will: Will, reason: WillReason) -> Event {
    AgentStatusSet { agent, note: None, reason, will }.into()
}
pub(super) fn queue(id: u128, topic: &str) -> Event {
    QueueOpened {
        born_from: None,
        origin: QueueOrigin::Declared,
        priority_credit: Span::ZERO,
        queue: QueueId(id),
        required_skills: vec![],
        topic: topic.parse().unwrap(),
    }
    .into()
}
/// The same registration, at an earlier place.
pub(super) fn ahead(event: Event, seconds: i64) -> Event {
    let Event::Inquiry(InquiryEvent::Registered(mut registered)) = event else { panic!("no registration") };
    registered.stands_at = Some(at(seconds));
    Event::Inquiry(InquiryEvent::Registered(registered))
}
/// The same registration, before its offer's hours: they begin at `seconds`.
pub(super) fn early(event: Event, seconds: i64) -> Event {
    let Event::Inquiry(InquiryEvent::Registered(mut registered)) = event else { panic!("no registration") };
    registered.begins_at = Some(at(seconds));
    Event::Inquiry(InquiryEvent::Registered(registered))
}
/// Accepted at `seconds`, as event number `inquiry` of `community`.
pub(super) fn registered(inquiry: u128, seconds: i64, queues: &[u128]) -> Event {
    InquiryRegistered {
        accepted_at: at(seconds),
        begins_at: None,
        channel: ChannelKind::Message,
        classified: None,
        content: None,
        customer: CUSTOMER,
        desired_skills: vec![],
        initiator: Initiator::Customer,
        inquiry: InquiryId(inquiry),
        language: None,
        link: None,
        offer: OFFER,
        provider: PROVIDER,
        question: None,
        queues: queues.iter().copied().map(QueueId).collect(),
        revision: 1,
        source: SourcePosition { hash: String::new(), log: LogName::community(), seq: inquiry as u64 },
        stands_at: None,
        started_by: None,
        terms: terms(),
        topics: vec!["cards/lost".parse().unwrap()],
    }
    .into()
}
pub(super) fn completed(inquiry: u128) -> Event {
    InquiryCompleted { freed: None, inquiry: InquiryId(inquiry) }.into()
}

/// The auction, bid, reservation and session of inquiry `n` have `n` as their ids, unless said otherwise.
pub(super) fn opened(inquiry: u128, rules: AuctionRules) -> Event {
    AuctionOpened {
        auction: AuctionId(inquiry),
        closes_at: at(60),
        hard_closes_at: None,
        inquiry: InquiryId(inquiry),
        round: 1,
        rules,
    }
    .into()
}
pub(super) fn bid(
    inquiry: u128,
    bid: u128,
    agent: AgentId,
    amount: &str,
    standing: Standing,
    hold: Option<&str>,
    supersedes: Option<u128>,
) -> Event {
    BidPlaced {
        agent,
        amount: eur(amount),
        auction: AuctionId(inquiry),
        bid: BidId(bid),
        bidder: agent.0 as u32,
        hold: hold.map(eur),
        inquiry: InquiryId(inquiry),
        price: if standing == Standing::Sealed { None } else { Some(eur(amount)) },
        standing,
        supersedes: supersedes.map(BidId),
    }
    .into()
}
pub(super) fn outbid(inquiry: u128, bid: u128, agent: AgentId) -> Event {
    BidOutbid { agent, auction: AuctionId(inquiry), bid: BidId(bid), inquiry: InquiryId(inquiry) }.into()
}
pub(super) fn lost(inquiry: u128, bid: u128, agent: AgentId, reason: LossReason) -> Event {
    BidLost { agent, auction: AuctionId(inquiry), bid: BidId(bid), inquiry: InquiryId(inquiry), reason }.into()
}
pub(super) fn forfeited(inquiry: u128, bid: u128, agent: AgentId, reason: LossReason) -> Event {
    BidForfeited { agent, auction: AuctionId(inquiry), bid: BidId(bid), inquiry: InquiryId(inquiry), reason }.into()
}
pub(super) fn awarded(inquiry: u128, bid: u128, agent: AgentId, price: &str) -> Event {
    AuctionAwarded {
        agent,
        auction: AuctionId(inquiry),
        bid: BidId(bid),
        hold: eur(price),
        inquiry: InquiryId(inquiry),
        price: eur(price),
        why: why("award/1"),
    }
    .into()
}

pub(super) fn reserved(inquiry: u128, reservation: u128, agent: AgentId, attempt: u32, deadline: i64) -> Event {
    ReservationOpened {
        agent,
        attempt,
        auction: None,
        bid: None,
        deadline: at(deadline),
        inquiry: InquiryId(inquiry),
        invitation: None,
        payer: None,
        price: None,
        purpose: Purpose::Awarded,
        reservation: ReservationId(reservation),
    }
    .into()
}
pub(super) fn consented(inquiry: u128, reservation: u128, agent: AgentId) -> Event {
    ReservationAccepted { agent, inquiry: InquiryId(inquiry), reservation: ReservationId(reservation) }.into()
}
pub(super) fn lapsed(inquiry: u128, reservation: u128, agent: AgentId, second: Option<AgentId>) -> Event {
    let reservation = ReservationId(reservation);
    ReservationLapsed { agent, inquiry: InquiryId(inquiry), reservation, second_agent: second }.into()
}
pub(super) fn session(inquiry: u128, agent: AgentId) -> Event {
    SessionOpened {
        agent,
        channel: ChannelId(inquiry),
        customer: CUSTOMER,
        inquiry: InquiryId(inquiry),
        kind: ChannelKind::Message,
        session: SessionId(inquiry),
    }
    .into()
}
pub(super) fn ended(inquiry: u128, agent: AgentId, wrap_up: Option<i64>) -> Event {
    SessionEnded {
        agent,
        by: Author::Customer,
        inquiry: InquiryId(inquiry),
        session: SessionId(inquiry),
        wrap_up_deadline: wrap_up.map(at),
    }
    .into()
}
pub(super) fn wrapped_up(inquiry: u128, agent: AgentId) -> Event {
    WrapUpCompleted {
        agent,
        customer: CUSTOMER,
        information: None,
        inquiry: InquiryId(inquiry),
        record: RecordId(inquiry),
        session: SessionId(inquiry),
    }
    .into()
}

pub(super) fn wallet(account: u128, owner: Party, credit_limit: Option<&str>) -> Event {
    WalletOpened { account: AccountId(account), credit_limit: credit_limit.map(eur), owner, zero: eur("0") }.into()
}
pub(super) fn escrowed(inquiry: u128, bid: u128, payer: Party, payee: Party, price: &str) -> Event {
    let agent = match (payer, payee) {
        (Party::Agent(agent), _) | (_, Party::Agent(agent)) => agent,
        _ => panic!("one party assists"),
    };
    SettlementEscrowed {
        agent,
        bid: Some(BidId(bid)),
        direction: Direction::Forward,
        fee_rule: None,
        inquiry: InquiryId(inquiry),
        legs: vec![],
        payee,
        payer,
        price: eur(price),
        settlement: SettlementId(inquiry),
    }
    .into()
}
