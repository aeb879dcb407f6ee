//! A past: logs made by the real writers and decisions on a turned clock, as long as one likes, in a folder that the
//! server opens. The clock stops at every deadline.
//!
//! ```text
//! one inquiry  accepted → auctioned, bids by two agents in turn → awarded → consent → session → settled
//! ```
//! Promises: every command has an idempotency key, as a client's has; at the end all inquiries are closed and all
//! settlements payable; the same seed makes the same logs, but for the instant at which they end.
//!
//! Not here: personal data. Names are sealed with nobody's key.

use crate::Failure;
use crate::ask::mix;
use crate::town::{CALL_SERVER, TOPIC};
use domain::actor::Actor;
use domain::command::{Acceptance, Command, NewLink};
use domain::currency::Currency;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::AuctionEvent;
use domain::event::community::{CallServerEvent, OfferAccepted, OfferEvent, ProviderEvent, SourcePosition};
use domain::event::inquiry::InformationOutcome;
use domain::event::session::SessionEvent;
use domain::event::wallet::Party;
use domain::ids::{AgentId, AuctionId, CustomerId, IdSource, InquiryId, LinkId, OfferId};
use domain::log::LogName;
use domain::money::Money;
use domain::sealed::Sealed;
use domain::state::State;
use domain::terms::{Allocation, AuctionFormat, AuctionRules, ChannelKind, Direction, Initiator, OfferTerms};
use domain::time::{Span, Timestamp};
use domain::topic::{Skill, Topic};
use rust_decimal::Decimal;
use std::path::Path;
use std::sync::{Arc, Mutex};
use store::backend::EventStore;
use store::clock::{Clock, SystemClock, TurnedClock};
use store::folder::DataFolder;
use store::keys::NoOldKeys;
use store::raw::Hex;
use store::recorded::Recorded;
use store::sqlite::SqliteStore;
use store::vault::Vault;
use store::writer::order::{Answer, Entropy, Key, Order};
use store::writer::{Settings, Writer};

/// Inquiries that are open at the same time.
pub(crate) const LOTS: usize = 200;
const BIDS: usize = 10;
/// From one lot of inquiries to the next: of the return window, in which settlements are open work, a few lots.
const STEP: Span = Span::minutes(6 * 60);
const OPEN_FOR: Span = Span::minutes(1);
/// Longer than the return window, after which a settlement needs nobody any more.
const SETTLED: Span = Span::days(3);
/// Longer than anything that is made to stay open.
const LONG: Span = Span::days(30);

/// Draws: SplitMix64 (Steele, Lea, Flood 2014), so that a seed says everything.
#[derive(Clone)]
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
    fn entropy(&mut self) -> Entropy {
        let mut bytes = [0; 32];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&self.word().to_be_bytes());
        }
        Entropy(bytes)
    }
}

pub(crate) struct Past {
    clock: Arc<TurnedClock>,
    community: Writer,
    floor: Writer,
    draw: Draw,
    topic: Topic,
    /// With a link each: the auctions of the first close in a minute, those of the second stay open.
    short: (OfferId, LinkId),
    long: (OfferId, LinkId),
    /// Two of them bid in each auction.
    pub(crate) agents: Vec<AgentId>,
}

struct Lot {
    inquiry: InquiryId,
    auction: AuctionId,
    bidders: [AgentId; 2],
}

/// The store of a folder that a server is to open later: with a vault, without which it would not.
pub(crate) fn store(data: &Path) -> Result<Arc<SqliteStore>, Failure> {
    let folder = DataFolder::open(data)?;
    Vault::open(&folder)?;
    Ok(Arc::new(SqliteStore::open(&folder)?))
}

impl Past {
    /// A call server with its agents; enough time before now for so many inquiries.
    pub(crate) fn begin(
        store: Arc<dyn EventStore>,
        seed: u64,
        inquiries: usize,
        agents: usize,
        settings: Settings,
    ) -> Result<Past, Failure> {
        let steps = i64::try_from(inquiries.div_ceil(LOTS))? + 1;
        let begin = Timestamp(SystemClock.now().0 - steps * STEP.0 - SETTLED.0);
        let clock = Arc::new(TurnedClock::new(begin));
        let writer = |log: &str| -> Result<Writer, Failure> {
            // What the timers draw. The two logs draw apart.
            let draws = Mutex::new(Draw(mix(seed ^ log.len() as u64)));
            let draw = move || draws.lock().expect("no holder panics").entropy();
            let (older, clock) = (Arc::new(NoOldKeys), clock.clone());
            Ok(Writer::open(log.parse()?, store.clone(), clock, Box::new(draw), older, vec![], settings.clone())?)
        };
        let (mut community, mut floor) = (writer(LogName::community().as_str())?, writer(CALL_SERVER)?);
        let mut draw = Draw(seed);
        let topic: Topic = TOPIC.parse().map_err(|error| format!("{error}"))?;
        let operator = Actor::Operator("bench".into());

        let name = floor.log().clone();
        let opening =
            Command::OpenCallServer { name, topics: vec![topic.clone()], languages: vec![], locations: vec![] };
        let opened = done(community.handle(order(opening, &operator, &mut draw)))?;
        let Event::CallServer(CallServerEvent::Opened(facts)) = &opened[0].event else {
            return Err("opening a call server opened none".into());
        };
        let (call_server, name, source) = (facts.call_server, facts.name.clone(), position(&opened[0]));
        let start = Command::StartCallServer { call_server, name, locations: vec![], source };
        done(floor.handle(taken_over(start, &opened[0], &mut draw)))?;
        let registering = Command::RegisterProvider {
            name: "Past Bank".into(),
            homepage: None,
            origins: vec![],
            credit_limits: vec![],
            customer_keys: vec![],
        };
        let registered = done(community.handle(order(registering, &operator, &mut draw)))?;
        let Event::Provider(ProviderEvent::Registered(facts)) = &registered[0].event else {
            return Err("registering a provider registered none".into());
        };
        let provider = Actor::Provider(facts.provider);
        let mut offers = Vec::new();
        for open_for in [OPEN_FOR, LONG] {
            let links = vec![NewLink { label: "I lost my card".to_owned(), topic: topic.clone() }];
            let publish = Command::PublishOffer { provider: facts.provider, terms: terms(open_for)?, links };
            let published = done(community.handle(order(publish, &provider, &mut draw)))?;
            let Event::Offer(OfferEvent::Published(facts)) = &published[0].event else {
                return Err("publishing an offer published none".into());
            };
            offers.push((facts.offer, facts.terms.links[0].id));
        }
        let (short, long) = (offers[0], offers[1]);
        let mut past = Past { clock, community, floor, draw, topic, short, long, agents: vec![] };
        past.hire(agents)?;
        Ok(past)
    }

    fn hire(&mut self, count: usize) -> Result<(), Failure> {
        let now = self.clock.now();
        let money = Money::new(Decimal::new(100_000_000_000, 2), euro()?).map_err(|error| error.to_string())?;
        let mut orders = Vec::new();
        for _ in 0..count {
            let agent = AgentId(IdSource::new(now.0, self.draw.word()).next());
            let register = Command::RegisterAgent {
                agent,
                display_name: Sealed { ciphertext: "c2VhbGVkIHdpdGggbm9ib2R5J3Mga2V5".into(), subject: agent.into() },
                location: "home".to_owned(),
                skills: vec![Skill { level: 1, name: self.topic.clone() }],
                capacity: 1,
                affiliated_with: None,
                credit_limit: None,
            };
            let credit = Command::CreditWallet { owner: Party::Agent(agent), amount: money, reference: "bench".into() };
            let available = Command::SetAgentStatus { agent, will: Will::Available, note: None };
            let by = [Actor::Operator("bench".into()), Actor::Finance("bench".into()), Actor::Agent(agent)];
            for (command, by) in [register, credit, available].into_iter().zip(&by) {
                orders.push((order(command, by, &mut self.draw), now));
            }
            self.agents.push(agent);
        }
        all_done(self.floor.handle_all(orders))?;
        Ok(())
    }

    /// Events of both logs.
    pub(crate) fn events(&self) -> u64 {
        [&self.community, &self.floor].into_iter().filter_map(|writer| writer.head()).map(|head| head.seq + 1).sum()
    }
    pub(crate) fn floor(&self) -> (&LogName, &State) {
        (self.floor.log(), self.floor.state())
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens so many auctions, which stay open for long after the past has ended.
    pub(crate) fn open(&mut self, count: usize) -> Result<Vec<AuctionId>, Failure> {
        let mut auctions = Vec::with_capacity(count);
        while auctions.len() < count {
            let lots = self.accept(self.long, LOTS.min(count - auctions.len()))?;
            auctions.extend(lots.iter().map(|lot| lot.auction));
        }
        Ok(auctions)
    }

    /// So many inquiries from acceptance to the end. Needs twice [`LOTS`] agents.
    pub(crate) fn live_through(&mut self, inquiries: usize) -> Result<(), Failure> {
        let mut left = inquiries;
        while left > 0 {
            let begun = self.clock.now();
            let lots = self.accept(self.short, LOTS.min(left))?;
            left -= lots.len();
            self.bid(&lots)?;
            self.advance(begun + OPEN_FOR)?;
            self.serve(&lots)?;
            self.advance(begun + STEP)?;
        }
        Ok(())
    }

    /// Until nothing is due but what was made to stay.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        let end = self.clock.now() + SETTLED;
        self.advance(end)
    }

    fn accept(&mut self, (offer, link): (OfferId, LinkId), count: usize) -> Result<Vec<Lot>, Failure> {
        let now = self.clock.now();
        let mut orders = Vec::with_capacity(count);
        for _ in 0..count {
            let customer = CustomerId(IdSource::new(now.0, self.draw.word()).next());
            let accept = Command::AcceptOffer(Box::new(acceptance(offer, link, customer)));
            orders.push((order(accept, &Actor::Customer(customer), &mut self.draw), now));
        }
        let mut accepted: Vec<(OfferAccepted, Arc<Recorded>)> = Vec::with_capacity(count);
        for events in all_done(self.community.handle_all(orders))? {
            let Some((Event::Offer(OfferEvent::Accepted(facts)), event)) = events.first().map(|one| (&one.event, one))
            else {
                return Err("accepting an offer recorded no acceptance".into());
            };
            accepted.push(((**facts).clone(), event.clone()));
        }
        let mut orders = Vec::with_capacity(count);
        for (facts, event) in &accepted {
            let acceptance = Box::new(facts.clone());
            let register = Command::RegisterInquiry { acceptance, accepted_at: event.time, source: position(event) };
            orders.push((taken_over(register, event, &mut self.draw), now));
        }
        let mut lots = Vec::with_capacity(count);
        let answers = all_done(self.floor.handle_all(orders))?;
        for (number, ((facts, _), events)) in accepted.iter().zip(answers).enumerate() {
            let auction = events.iter().find_map(|event| match &event.event {
                Event::Auction(AuctionEvent::Opened(opened)) => Some(opened.auction),
                _ => None,
            });
            let auction = auction.ok_or("an inquiry to be auctioned opened no auction")?;
            let bidders = [0, 1].map(|side| self.agents[(2 * number + side) % self.agents.len()]);
            lots.push(Lot { inquiry: facts.inquiry, auction, bidders });
        }
        Ok(lots)
    }

    fn bid(&mut self, lots: &[Lot]) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut orders = Vec::with_capacity(lots.len() * BIDS);
        for turn in 0..BIDS {
            for lot in lots {
                let amount = cents(1_000 + turn as i64)?;
                let place = Command::PlaceBid { auction: lot.auction, amount };
                orders.push((order(place, &Actor::Agent(lot.bidders[turn % 2]), &mut self.draw), now));
            }
        }
        all_done(self.floor.handle_all(orders))?;
        Ok(())
    }

    /// The winners consent at once and their sessions end.
    fn serve(&mut self, lots: &[Lot]) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut orders = Vec::with_capacity(lots.len());
        let mut winners = Vec::with_capacity(lots.len());
        for lot in lots {
            let state = self.floor.state();
            let reservation = state.inquiries.get(lot.inquiry).and_then(|inquiry| inquiry.reservation());
            let reservation = reservation.ok_or("an auction with bids reserved nobody")?;
            let agent = state.reservations.get(reservation).ok_or("a reservation is gone")?.agent;
            let consent = Command::AcceptReservation { reservation };
            orders.push((order(consent, &Actor::Agent(agent), &mut self.draw), now));
            winners.push(agent);
        }
        let consented = all_done(self.floor.handle_all(orders))?;
        let mut orders = Vec::with_capacity(lots.len());
        for (agent, events) in winners.iter().zip(consented) {
            let session = events.iter().find_map(|event| match &event.event {
                Event::Session(SessionEvent::Opened(opened)) => Some(opened.session),
                _ => None,
            });
            let end = Command::EndSession { session: session.ok_or("consent opened no session")? };
            orders.push((order(end, &Actor::Agent(*agent), &mut self.draw), now));
        }
        all_done(self.floor.handle_all(orders))?;
        Ok(())
    }

    /// Turns the clock to `to`, stopping at every deadline on the way.
    fn advance(&mut self, to: Timestamp) -> Result<(), Failure> {
        while let Some(due) = self.floor.next_deadline().filter(|due| *due <= to) {
            self.clock.turn(due.max(self.clock.now()));
            self.floor.tick()?;
        }
        self.clock.turn(to.max(self.clock.now()));
        Ok(())
    }
}

pub(crate) fn euro() -> Result<Currency, Failure> {
    Ok("EUR".parse()?)
}

pub(crate) fn cents(cents: i64) -> Result<Money, Failure> {
    Ok(Money::new(Decimal::new(cents, 2), euro()?)?)
}

fn terms(open_for: Span) -> Result<OfferTerms, Failure> {
    let rules = AuctionRules {
        buy_now: None,
        currency: euro()?,
        direction: Direction::Forward,
        format: AuctionFormat::Open,
        hard_close: None,
        increment: vec![],
        open_for,
        reserve: None,
        reserve_hidden: false,
        rounds: 1,
        soft_close: None,
        starting_price: None,
    };
    Ok(OfferTerms {
        accepts_questions: false,
        allocation: Allocation::Auction(rules),
        channels: vec![ChannelKind::Message],
        consent_window: Span::seconds(20),
        daily_budget: None,
        hours: None,
        independent_agents_only: true,
        links: vec![],
        max_open: None,
        max_wait: LONG,
        prefer_last_agent_for: Span::ZERO,
        priority: 0,
        relaxation: vec![],
        required_skills: vec![],
        shown_before_consent: vec![],
        terms: None,
        title: "Help with cards".to_owned(),
        valid_until: None,
        wrap_up: None,
    })
}

fn acceptance(offer: OfferId, link: LinkId, customer: CustomerId) -> Acceptance {
    Acceptance {
        offer,
        offer_revision: None,
        link: Some(link),
        topics: vec![],
        question: None,
        classified: None,
        content: None,
        channel: ChannelKind::Message,
        initiator: Initiator::Customer,
        language: None,
        customer,
        information: InformationOutcome::New,
        last_agents: vec![],
        proven_by: None,
        profile: None,
        terms_version: None,
        waiting: vec![],
        known_topics: vec![],
        community_origins: vec![],
    }
}

fn order(command: Command, actor: &Actor, draw: &mut Draw) -> Order {
    let entropy = draw.entropy();
    let hash = u128::from(draw.word()) << 64 | u128::from(draw.word());
    Order {
        command,
        actor: actor.clone(),
        id: entropy.command_id(),
        key: Some(Key { hash, fingerprint: draw.word() }),
        causation: None,
        source: None,
        trace: None,
        entropy,
    }
}

fn taken_over(command: Command, source: &Recorded, draw: &mut Draw) -> Order {
    let order = order(command, &Actor::System, draw);
    Order { id: source.correlation, key: None, causation: Some(source.id), source: Some(position(source)), ..order }
}

fn position(source: &Recorded) -> SourcePosition {
    SourcePosition { hash: Hex(&source.raw.hash).to_string(), log: source.log.clone(), seq: source.seq }
}

fn done(answer: Answer) -> Result<Vec<Arc<Recorded>>, Failure> {
    match answer {
        Answer::Done(events) => Ok(events),
        Answer::Replayed { .. } => Err("a new command was taken for a repeat".into()),
        Answer::Refused(refusal) => Err(format!("refused: {} ({})", refusal.message(), refusal.code()).into()),
        Answer::Unavailable(message) => Err(message.into()),
    }
}

fn all_done(answers: Vec<Answer>) -> Result<Vec<Vec<Arc<Recorded>>>, Failure> {
    answers.into_iter().map(done).collect()
}
