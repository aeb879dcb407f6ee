//! Logs for the tests: chained events on the memory store, and one inquiry's whole life.

use domain::actor::Actor;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::agent::{AgentRegistered, AgentStatusSet, Will, WillReason};
use domain::event::auction::{AuctionAwarded, AuctionOpened, BidLost, BidOutbid, BidPlaced, LossReason, Standing};
use domain::event::community::{OfferAccepted, OfferPublished, SourcePosition};
use domain::event::inquiry::{InquiryCompleted, InquiryRegistered};
use domain::event::reservation::{Purpose, ReservationAccepted, ReservationOpened};
use domain::event::session::{Author, MessageSent, SessionEnded, SessionOpened, WrapUpCompleted};
use domain::event::settlement::{Leg, SettlementEscrowed};
use domain::event::wallet::{Party, WalletCredited};
use domain::ids::*;
use domain::log::LogName;
use domain::money::Money;
use domain::sealed::Sealed;
use domain::terms::{
    Allocation, AuctionFormat, AuctionRules, ChannelKind, Direction, Initiator, OfferLink, OfferTerms,
};
use domain::time::{Span, Timestamp};
use domain::why::{Excluded, ExclusionReason, Ranked, Why};
use std::collections::BTreeMap;
use store::backend::EventStore;
use store::memory::MemoryStore;
use store::raw::{Head, RawEvent};
use store::recorded::{CommandId, Facts, KeyMark, Recorded};

pub(super) const PROVIDER: ProviderId = ProviderId(1);
pub(super) const OTHER_PROVIDER: ProviderId = ProviderId(2);
pub(super) const OFFER: OfferId = OfferId(1);
pub(super) const LINK: LinkId = LinkId(1);
pub(super) const CUSTOMER: CustomerId = CustomerId(1);
pub(super) const INQUIRY: InquiryId = InquiryId(1);
pub(super) const AUCTION: AuctionId = AuctionId(1);
pub(super) const QUEUE: QueueId = QueueId(1);
pub(super) const ANN: AgentId = AgentId(1);
pub(super) const BEN: AgentId = AgentId(2);
pub(super) const SESSION: SessionId = SessionId(1);
pub(super) const SETTLEMENT: SettlementId = SettlementId(1);

pub(super) fn log(name: &str) -> LogName {
    name.parse().unwrap()
}
pub(crate) fn main_log() -> LogName {
    log("main")
}
pub(super) fn eur(text: &str) -> Money {
    Money::parse(text, "EUR".parse::<Currency>().unwrap()).unwrap()
}
pub(super) fn sealed(subject: impl Into<Subject>) -> Sealed {
    Sealed { ciphertext: "abc".into(), subject: subject.into() }
}

/// Appends to the memory store, and keeps what it appended.
#[derive(Default)]
pub(crate) struct Logs {
    pub(super) store: MemoryStore,
    pub(crate) recorded: BTreeMap<LogName, Vec<Recorded>>,
}

impl Logs {
    pub(super) fn add(&mut self, log: &LogName, at: i64, event: impl Into<Event>) -> Recorded {
        self.add_by(log, at, event, Actor::System, None)
    }

    pub(super) fn add_by(
        &mut self,
        log: &LogName,
        at: i64,
        event: impl Into<Event>,
        actor: Actor,
        key: Option<KeyMark>,
    ) -> Recorded {
        let head: Option<Head> = self.store.head(log).unwrap();
        let facts = Facts {
            actor,
            key,
            correlation: CommandId(at as u128),
            causation: None,
            source: None,
            trace: None,
            time: Timestamp(at),
            salt: [7; 16],
        };
        let event = Recorded::seal(log, Head::next(head), &Head::link(head), event.into(), facts);
        let raw: [RawEvent; 1] = [event.raw.clone()];
        self.store.append(log, head, &raw).unwrap();
        self.recorded.entry(log.clone()).or_default().push(event.clone());
        event
    }
}

pub(super) fn rules(format: AuctionFormat) -> AuctionRules {
    AuctionRules {
        buy_now: None,
        currency: "EUR".parse().unwrap(),
        direction: Direction::Forward,
        format,
        hard_close: None,
        increment: Vec::new(),
        open_for: Span::minutes(1),
        reserve: Some(rust_decimal::Decimal::new(500, 2)),
        reserve_hidden: true,
        rounds: 3,
        soft_close: None,
        starting_price: None,
    }
}

pub(super) fn terms(format: AuctionFormat) -> OfferTerms {
    OfferTerms {
        accepts_questions: true,
        allocation: Allocation::Auction(rules(format)),
        channels: vec![ChannelKind::Message],
        consent_window: Span::seconds(20),
        daily_budget: None,
        hours: None,
        independent_agents_only: true,
        links: vec![OfferLink { id: LINK, label: "Lost card".into(), topic: "cards/lost".parse().unwrap() }],
        max_open: None,
        max_wait: Span::days(1),
        prefer_last_agent_for: Span::ZERO,
        priority: 0,
        relaxation: vec![],
        required_skills: Vec::new(),
        shown_before_consent: Vec::new(),
        terms: None,
        title: "Cards".into(),
        valid_until: None,
        wrap_up: None,
    }
}

pub(super) fn published(offer: OfferId, provider: ProviderId) -> OfferPublished {
    let mut terms = terms(AuctionFormat::SealedFirstPrice);
    terms.links[0].id = LinkId(offer.0);
    OfferPublished { offer, provider, terms }
}

pub(super) fn accepted(inquiry: InquiryId, offer: OfferId, provider: ProviderId) -> OfferAccepted {
    OfferAccepted {
        call_server: main_log(),
        channel: ChannelKind::Message,
        classified: None,
        content: None,
        customer: CUSTOMER,
        customer_is_new: true,
        information_unavailable: false,
        last_agent: None,
        proven_by: None,
        initiator: Initiator::Customer,
        inquiry,
        language: None,
        link: Some(LINK),
        offer,
        profile: Some(sealed(CUSTOMER)),
        provider,
        question: None,
        revision: 1,
        started_by: None,
        terms: terms(AuctionFormat::SealedFirstPrice),
        terms_version: None,
        topics: vec!["cards/lost".parse().unwrap()],
        why: why(Vec::new()),
    }
}

pub(super) fn registered(inquiry: InquiryId, offer: OfferId, provider: ProviderId) -> InquiryRegistered {
    InquiryRegistered {
        accepted_at: Timestamp(10),
        begins_at: None,
        channel: ChannelKind::Message,
        classified: None,
        content: None,
        customer: CUSTOMER,
        desired_skills: Vec::new(),
        initiator: Initiator::Customer,
        inquiry,
        language: None,
        link: Some(LINK),
        offer,
        provider,
        question: None,
        queues: vec![QUEUE],
        revision: 1,
        source: SourcePosition { hash: "00".into(), log: LogName::community(), seq: 1 },
        stands_at: None,
        started_by: None,
        terms: terms(AuctionFormat::SealedFirstPrice),
        topics: vec!["cards/lost".parse().unwrap()],
    }
}

pub(crate) fn opened(auction: AuctionId, inquiry: InquiryId, format: AuctionFormat) -> AuctionOpened {
    let rules = rules(format);
    AuctionOpened { auction, closes_at: Timestamp(90), hard_closes_at: None, inquiry, round: 1, rules }
}

pub(super) fn bid(bid: u128, agent: AgentId, amount: &str, standing: Standing) -> BidPlaced {
    BidPlaced {
        agent,
        amount: eur(amount),
        auction: AUCTION,
        bid: BidId(bid),
        bidder: agent.0 as u32,
        hold: Some(eur(amount)),
        inquiry: INQUIRY,
        price: None,
        standing,
        supersedes: None,
    }
}

pub(super) fn outbid(bid: u128, agent: AgentId) -> BidOutbid {
    BidOutbid { agent, auction: AUCTION, bid: BidId(bid), inquiry: INQUIRY }
}

/// The same about an inquiry that was never registered, so that it cannot be applied.
pub(super) fn of_nobody(event: BidOutbid) -> BidOutbid {
    BidOutbid { inquiry: InquiryId(99), ..event }
}

pub(super) fn why(ranked: Vec<(AgentId, &str)>) -> Why {
    let place = |(agent, amount): (AgentId, &str)| Ranked {
        amount: Some(eur(amount)),
        bid: None,
        score: None,
        subject: agent.into(),
        tie_key: "1".into(),
    };
    Why {
        chosen: ranked.first().map(|(agent, _)| (*agent).into()),
        excluded: vec![Excluded { agents: vec![9], reason: ExclusionReason::NoFunds, subjects: Vec::new() }],
        ranked: ranked.into_iter().map(place).collect(),
        rule: "award/1".into(),
    }
}

pub(super) fn awarded(bid: u128, agent: AgentId, price: &str, why: Why) -> AuctionAwarded {
    let (hold, price) = (eur(price), eur(price));
    AuctionAwarded { agent, auction: AUCTION, bid: BidId(bid), hold, inquiry: INQUIRY, price, why }
}

/// One offer, one inquiry and its auction, session and settlement: 3 events of `community`, the rest of
/// `main`, at times that interleave.
pub(crate) fn life() -> Logs {
    let (community, main) = (LogName::community(), main_log());
    let mut logs = Logs::default();
    logs.add(&community, 1, published(OFFER, PROVIDER));
    logs.add(&community, 5, published(OfferId(2), OTHER_PROVIDER));
    logs.add(&community, 10, accepted(INQUIRY, OFFER, PROVIDER));
    for (number, agent) in [(1, ANN), (2, BEN)] {
        let location = "north".to_owned();
        let display_name = sealed(agent);
        logs.add(
            &main,
            2,
            AgentRegistered {
                affiliated_with: None,
                agent,
                capacity: 1,
                display_name,
                location,
                number,
                skills: Vec::new(),
            },
        );
    }
    logs.add(&main, 3, AgentStatusSet { agent: ANN, note: None, reason: WillReason::Asked, will: Will::Available });
    let leg =
        |account: &str, amount: &str| Leg { account: account.into(), amount: eur(amount), rule: "credit/1".into() };
    let legs = vec![leg("assets:bank", "100.00"), leg("liabilities:agent:ann:wallet", "-100.00")];
    logs.add(
        &main,
        4,
        WalletCredited {
            account: AccountId(1),
            amount: eur("100.00"),
            legs,
            owner: Party::Agent(ANN),
            reference: "r".into(),
        },
    );
    logs.add(&main, 10, registered(INQUIRY, OFFER, PROVIDER));
    logs.add(&main, 10, opened(AUCTION, INQUIRY, AuctionFormat::Open));
    let key = Some(KeyMark { hash: 77, fingerprint: 5, events: 1 });
    logs.add_by(&main, 11, bid(1, BEN, "6.00", Standing::Leads), Actor::Agent(BEN), key);
    logs.add(&main, 12, bid(2, ANN, "7.00", Standing::Leads));
    logs.add(&main, 12, outbid(1, BEN));
    logs.add(&main, 90, awarded(2, ANN, "7.00", why(vec![(ANN, "7.00"), (BEN, "6.00")])));
    logs.add(
        &main,
        90,
        BidLost { agent: BEN, auction: AUCTION, bid: BidId(1), inquiry: INQUIRY, reason: LossReason::Outbid },
    );
    let reservation = ReservationId(1);
    let deadline = Timestamp(110);
    logs.add(
        &main,
        90,
        ReservationOpened {
            agent: ANN,
            attempt: 1,
            auction: Some(AUCTION),
            bid: Some(BidId(2)),
            deadline,
            inquiry: INQUIRY,
            invitation: None,
            payer: None,
            price: Some(eur("7.00")),
            purpose: Purpose::Awarded,
            reservation,
        },
    );
    logs.add(&main, 95, ReservationAccepted { agent: ANN, inquiry: INQUIRY, reservation });
    let channel = ChannelId(1);
    logs.add(
        &main,
        95,
        SessionOpened {
            agent: ANN,
            channel,
            customer: CUSTOMER,
            inquiry: INQUIRY,
            kind: ChannelKind::Message,
            session: SESSION,
        },
    );
    let legs = vec![leg("liabilities:agent:ann:wallet", "7.00"), leg("liabilities:escrow", "-7.00")];
    let (payer, payee) = (Party::Agent(ANN), Party::Provider(PROVIDER));
    logs.add(
        &main,
        95,
        SettlementEscrowed {
            agent: ANN,
            bid: Some(BidId(2)),
            direction: Direction::Forward,
            fee_rule: None,
            inquiry: INQUIRY,
            legs,
            payee,
            payer,
            price: eur("7.00"),
            settlement: SETTLEMENT,
        },
    );
    logs.add(
        &main,
        96,
        MessageSent {
            agent: None,
            author: Author::Customer,
            channel,
            inquiry: INQUIRY,
            message: MessageId(1),
            session: SESSION,
            side: false,
            text: sealed(CUSTOMER),
        },
    );
    logs.add(
        &main,
        99,
        SessionEnded { agent: ANN, by: Author::Agent, inquiry: INQUIRY, session: SESSION, wrap_up_deadline: None },
    );
    logs.add(
        &main,
        99,
        WrapUpCompleted {
            agent: ANN,
            customer: CUSTOMER,
            information: None,
            inquiry: INQUIRY,
            record: RecordId(1),
            session: SESSION,
        },
    );
    logs.add(&main, 99, InquiryCompleted { freed: None, inquiry: INQUIRY });
    logs
}
