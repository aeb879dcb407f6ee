//! A little market: one offer in `community`, one call server `main` with three agents and their money, and
//! a clock that stands until it is turned.

use domain::actor::Actor;
use domain::command::{Acceptance, Command, NewLink};
use domain::decide::apply;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::AuctionEvent;
use domain::event::community::{OfferAccepted, OfferEvent, SourcePosition};
use domain::event::inquiry::InformationOutcome;
use domain::event::wallet::Party;
use domain::ids::*;
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::state::State;
use domain::terms::*;
use domain::time::{Span, Timestamp};
use domain::topic::{Skill, Topic};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::backend::{EventStore, Limits};
use store::chain::Verifier;
use store::clock::TurnedClock;
use store::keys::{NoOldKeys, OldKeys};
use store::memory::MemoryStore;
use store::raw::{Hex, RawEvent};
use store::recorded::Recorded;
use store::snapshot::Snapshot;
use store::writer::folded::{Folded, page_after};
use store::writer::order::{Answer, Entropy, Key, Order};
use store::writer::{OpenError, Settings, Subscriber, Writer};

pub const MORNING: Timestamp = Timestamp(1_800_000_000_000_000);
pub const ANN: AgentId = AgentId(1);
pub const BEN: AgentId = AgentId(2);
pub const CAT: AgentId = AgentId(3);
pub const CUSTOMER: CustomerId = CustomerId(9);
/// An auction is open so long, and a winner has so long to consent.
pub const OPEN_FOR: Span = Span::seconds(60);
pub const CONSENT: Span = Span::seconds(20);

pub fn main_log() -> LogName {
    "main".parse().unwrap()
}
pub fn eur(text: &str) -> Money {
    Money::parse(text, "EUR".parse().unwrap()).unwrap()
}
pub fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}
pub fn sealed(text: &str) -> Sealed {
    Sealed { ciphertext: text.into(), subject: CUSTOMER.into() }
}
pub fn operator() -> Actor {
    Actor::Operator("op".into())
}
pub fn before(instant: Timestamp) -> Timestamp {
    Timestamp(instant.0 - 1)
}

/// Never the same twice in one process, and the same in the next.
pub fn entropy() -> Entropy {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Entropy(bytes)
}

pub fn order(actor: Actor, command: Command) -> Order {
    let entropy = entropy();
    let id = entropy.command_id();
    Order { command, actor, id, key: None, causation: None, source: None, trace: None, entropy }
}
pub fn keyed(order: Order, hash: u128, fingerprint: u64) -> Order {
    Order { key: Some(Key { hash, fingerprint }), ..order }
}

/// Money comes in: the plainest command that always changes something.
pub fn credit(agent: AgentId, amount: &str) -> Order {
    let command = Command::CreditWallet { owner: Party::Agent(agent), amount: eur(amount), reference: "till".into() };
    order(Actor::Finance("fin".into()), command)
}
pub fn bid(agent: AgentId, auction: AuctionId, amount: &str) -> Order {
    order(Actor::Agent(agent), Command::PlaceBid { auction, amount: eur(amount) })
}
pub fn will(agent: AgentId, will: Will) -> Order {
    order(Actor::Agent(agent), Command::SetAgentStatus { agent, will, note: None })
}
/// Refused for ever.
pub fn nonsense() -> Order {
    order(Actor::Customer(CUSTOMER), Command::WithdrawInquiry { inquiry: InquiryId(0), reason: None })
}

pub fn rules() -> AuctionRules {
    AuctionRules {
        buy_now: None,
        currency: "EUR".parse().unwrap(),
        direction: Direction::Forward,
        format: AuctionFormat::Open,
        hard_close: None,
        increment: vec![],
        open_for: OPEN_FOR,
        reserve: None,
        reserve_hidden: false,
        rounds: 1,
        soft_close: None,
        starting_price: None,
    }
}
pub fn terms(rules: AuctionRules) -> OfferTerms {
    OfferTerms {
        accepts_questions: true,
        allocation: Allocation::Auction(rules),
        channels: vec![ChannelKind::Message],
        consent_window: CONSENT,
        daily_budget: None,
        hours: None,
        independent_agents_only: false,
        links: vec![],
        max_open: None,
        max_wait: Span::minutes(60),
        prefer_last_agent_for: Span::ZERO,
        priority: 0,
        relaxation: vec![],
        required_skills: vec![],
        shown_before_consent: vec![],
        terms: None,
        title: "Help".to_owned(),
        valid_until: None,
        wrap_up: Some(Span::minutes(1)),
    }
}

/// A writer is opened with what a test says, and what it does not care about.
pub struct Opening {
    pub log: LogName,
    pub store: Arc<dyn EventStore>,
    pub clock: Arc<TurnedClock>,
    pub older: Arc<dyn OldKeys>,
    pub subscribers: Vec<Subscriber>,
    pub settings: Settings,
    /// What a snapshot gave.
    pub after: Folded,
}

impl Opening {
    pub fn of(log: &LogName, store: &MemoryStore, clock: &Arc<TurnedClock>) -> Opening {
        Opening {
            log: log.clone(),
            store: Arc::new(store.clone()),
            clock: clock.clone(),
            older: Arc::new(NoOldKeys),
            subscribers: vec![],
            settings: Settings::default(),
            after: Folded::default(),
        }
    }
    /// After a snapshot of all that the log holds, written and read again.
    pub fn after_snapshot(mut self) -> Opening {
        let mut folded = Folded::default();
        loop {
            let page = page_after(&*self.store, &self.log, folded.head).unwrap();
            page.iter().for_each(|event| folded.take(event));
            if page.is_empty() {
                break;
            }
        }
        let head = folded.head.expect("an empty log has no snapshot");
        let snapshot = Snapshot { log: self.log.clone(), head, writer: folded.save(), view: vec![] };
        self.after = Folded::restore(&snapshot).unwrap();
        self
    }
    pub fn told(mut self, subscriber: impl Fn(&[Arc<Recorded>]) + Send + Sync + 'static) -> Opening {
        self.subscribers.push(Arc::new(subscriber));
        self
    }
    pub fn try_open(self) -> Result<Writer, OpenError> {
        let draw = Box::new(entropy);
        let Opening { log, store, clock, older, subscribers, settings, after } = self;
        Writer::open_after(after, log, store, clock, draw, older, subscribers, settings)
    }
    pub fn open(self) -> Writer {
        self.try_open().unwrap()
    }
}

pub struct Market {
    pub store: MemoryStore,
    pub clock: Arc<TurnedClock>,
    pub community: Writer,
    pub offer: OfferId,
}

impl Market {
    pub fn new() -> Market {
        Market::on(MemoryStore::new())
    }

    /// Opens provider, call server and offer in `community`; in `main` hires three agents, each AVAILABLE
    /// with 100.00.
    pub fn on(store: MemoryStore) -> Market {
        let clock = Arc::new(TurnedClock::new(MORNING));
        let mut community = Opening::of(&LogName::community(), &store, &clock).open();
        let registered = Command::RegisterProvider {
            name: "Bank".into(),
            homepage: None,
            origins: vec![],
            credit_limits: vec![],
            customer_keys: vec![],
        };
        let events = done(community.handle(order(operator(), registered)));
        let Subject::ProviderId(provider) = events[0].subjects[0] else { panic!("a provider comes first") };
        let opened = Command::OpenCallServer {
            name: main_log(),
            topics: vec![topic("help")],
            languages: vec![],
            locations: vec![],
        };
        let call_server = done(community.handle(order(operator(), opened)));
        let links = vec![NewLink { label: "Ask us".into(), topic: topic("help") }];
        let published = Command::PublishOffer { provider, terms: terms(rules()), links };
        let events = done(community.handle(order(Actor::Provider(provider), published)));
        let Subject::OfferId(offer) = events[0].subjects[0] else { panic!("an offer comes first") };
        let market = Market { store, clock, community, offer };

        let mut main = market.open();
        let Subject::CallServerId(id) = call_server[0].subjects[0] else { panic!("a call server comes first") };
        let started = Command::StartCallServer {
            call_server: id,
            name: main_log(),
            locations: vec![],
            source: position(&call_server[0]),
        };
        done(main.handle(order(Actor::System, started)));
        let skills = vec![Skill { level: 1, name: topic("help") }];
        for agent in [ANN, BEN, CAT] {
            let hired = Command::RegisterAgent {
                agent,
                display_name: sealed("name"),
                location: "Graz".into(),
                skills: skills.clone(),
                capacity: 2,
                affiliated_with: None,
                credit_limit: None,
            };
            done(main.handle(order(operator(), hired)));
            done(main.handle(credit(agent, "100.00")));
            done(main.handle(will(agent, Will::Available)));
        }
        market
    }

    /// Opens the writer of `main`.
    pub fn open(&self) -> Writer {
        self.opening().open()
    }
    pub fn opening(&self) -> Opening {
        Opening::of(&main_log(), &self.store, &self.clock)
    }

    /// A customer accepts; what `main` is to be told.
    pub fn accepts(&mut self) -> Order {
        let acceptance = Acceptance {
            offer: self.offer,
            offer_revision: None,
            link: None,
            topics: vec![topic("help")],
            question: Some(sealed("how?")),
            classified: None,
            content: None,
            channel: ChannelKind::Message,
            initiator: Initiator::Customer,
            language: None,
            customer: CUSTOMER,
            information: InformationOutcome::New,
            last_agents: vec![],
            proven_by: None,
            profile: None,
            terms_version: None,
            waiting: vec![],
            known_topics: vec![],
            community_origins: vec![],
        };
        let events = done(self.community.handle(order(Actor::Anonymous, Command::AcceptOffer(Box::new(acceptance)))));
        register_inquiry(&events[0])
    }

    /// A customer accepts, and the auction opens in `main`.
    pub fn auction(&mut self, main: &mut Writer) -> AuctionId {
        let order = self.accepts();
        opened_auction(&done(main.handle(order)))
    }

    pub fn at(&self, now: Timestamp) {
        self.clock.turn(now);
    }
    pub fn pass(&self, span: Span) {
        self.at(self.now() + span);
    }
    pub fn now(&self) -> Timestamp {
        store::clock::Clock::now(&*self.clock)
    }

    /// The whole log `main`, its chain checked.
    pub fn log(&self) -> Vec<Recorded> {
        log_of(&self.store, &main_log())
    }
    pub fn types(&self) -> Vec<&'static str> {
        self.log().iter().map(|event| event.type_name).collect()
    }
}

fn register_inquiry(source: &Recorded) -> Order {
    let Event::Offer(OfferEvent::Accepted(accepted)) = &source.event else { panic!("no acceptance") };
    let accepted: OfferAccepted = (**accepted).clone();
    let command =
        Command::RegisterInquiry { acceptance: Box::new(accepted), accepted_at: source.time, source: position(source) };
    Order { causation: Some(source.id), source: Some(position(source)), ..order(Actor::System, command) }
}

pub fn position(source: &Recorded) -> SourcePosition {
    SourcePosition { hash: Hex(&source.raw.hash).to_string(), log: source.log.clone(), seq: source.seq }
}

pub fn opened_auction(events: &[Arc<Recorded>]) -> AuctionId {
    let opened = events.iter().find_map(|event| match &event.event {
        Event::Auction(AuctionEvent::Opened(opened)) => Some(opened.auction),
        _ => None,
    });
    opened.expect("an auction opened")
}

/// A log as it stands, its chain checked.
pub fn log_of(store: &dyn EventStore, log: &LogName) -> Vec<Recorded> {
    let mut verifier = Verifier::new();
    let open = |raw: RawEvent| {
        verifier.check(&raw).unwrap();
        Recorded::open(log, raw).unwrap()
    };
    store.read(log, 0, usize::MAX >> 1).unwrap().into_iter().map(open).collect()
}

/// What the first `count` events come to.
pub fn fold(events: &[Recorded]) -> State {
    let mut state = State::default();
    for event in events {
        apply(&mut state, &event.event, event.time);
    }
    state.acknowledge();
    state
}

pub fn done(answer: Answer) -> Vec<Arc<Recorded>> {
    match answer {
        Answer::Done(events) => events,
        other => panic!("not done: {other:?}"),
    }
}
pub fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
pub fn replayed(answer: Answer) -> (Seq, u32) {
    match answer {
        Answer::Replayed { first, events } => (first, events),
        other => panic!("not replayed: {other:?}"),
    }
}
pub fn unavailable(answer: Answer) -> &'static str {
    match answer {
        Answer::Unavailable(message) => message,
        other => panic!("not unavailable: {other:?}"),
    }
}
/// The one event that an answer speaks of.
pub fn first(answer: Answer) -> Seq {
    done(answer)[0].seq
}

/// Limits under which every command makes a batch of its own.
pub fn one_command_a_batch() -> Limits {
    Limits { batch_bytes: 8 << 20, batch_events: 20, event_bytes: 4 << 20 }
}

/// A folder for one test, gone afterwards.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("store-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the system's cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
