//! A call centre on a turned clock: one provider, a queue and a link for each topic, one offer for all topics that are
//! promised the same, one call server, its agents.
//! The same writers and decisions as `serve`, stepped by hand, in memory.
//!
//! It promises the same bytes each time: what is drawn elsewhere is counted here. So nothing in it is secret, and
//! nothing in it has to be: agents are pseudonyms, and callers have neither names nor questions.

use super::policy::Favour;
use crate::cli::Failure;
use crate::cli::market::{done, order, position, taken_over};
use base64::Engine;
use domain::actor::Actor;
use domain::command::{Acceptance, ChannelReport, Command, NewLink};
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::community::{CallServerEvent, OfferEvent, ProviderEvent};
use domain::event::inquiry::InformationOutcome;
use domain::ids::{AgentId, ChannelId, CustomerId, IdSource, InquiryId, LinkId, OfferId, ReservationId, SessionId};
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::state::{ReservationPhase, State};
use domain::terms::{Allocation, ChannelKind, Initiator, OfferTerms};
use domain::time::{Span, Timestamp};
use domain::topic::{Skill, Topic};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::clock::{Clock, TurnedClock};
use store::keys::NoOldKeys;
use store::memory::MemoryStore;
use store::raw::Head;
use store::recorded::Recorded;
use store::vault::{Key, Vault};
use store::writer::order::{Answer, Entropy};
use store::writer::{Settings, Writer};

const CALL_SERVER: &str = "replay";

/// What stands for randomness: the next of a row that depends on its name alone.
struct Dice {
    row: &'static str,
    thrown: u64,
}

impl Dice {
    fn of(row: &'static str) -> Dice {
        Dice { row, thrown: 0 }
    }
    fn throw(&mut self) -> Entropy {
        self.thrown += 1;
        let digest = Sha256::new().chain_update(self.row).chain_update(self.thrown.to_be_bytes());
        Entropy(digest.finalize().into())
    }
    fn id(&mut self, now: Timestamp) -> u128 {
        let entropy = self.throw().0;
        IdSource::new(now.0, u64::from_be_bytes(entropy[..8].try_into().expect("eight of thirty-two bytes"))).next()
    }
}

/// What every offer promises.
pub(super) struct Promise {
    pub(super) allocation: Allocation,
    pub(super) consent_window: Span,
    pub(super) max_wait: Span,
    pub(super) wrap_up: Option<Span>,
}

impl Promise {
    /// An offer has to take something, also where nobody calls.
    fn terms(&self, favour: Favour, accepts_questions: bool) -> OfferTerms {
        OfferTerms {
            accepts_questions,
            allocation: self.allocation.clone(),
            channels: vec![ChannelKind::Telephone],
            consent_window: self.consent_window,
            daily_budget: None,
            hours: None,
            independent_agents_only: true,
            links: vec![],
            max_open: None,
            max_wait: self.max_wait,
            prefer_last_agent_for: Span::ZERO,
            priority: favour.priority,
            relaxation: favour.relaxation,
            required_skills: vec![],
            shown_before_consent: vec![],
            terms: None,
            title: "Recorded calls".to_owned(),
            valid_until: None,
            wrap_up: self.wrap_up,
        }
    }
}

pub(super) struct Floor {
    clock: Arc<TurnedClock>,
    pub(super) store: Arc<MemoryStore>,
    community: Writer,
    floor: Writer,
    dice: Dice,
    /// Events of the call server that nobody has looked at yet.
    told: Arc<Mutex<Vec<Arc<Recorded>>>>,
    links: BTreeMap<Topic, (OfferId, LinkId)>,
    operator: Actor,
}

impl Floor {
    /// At `now`; nobody is registered yet.
    pub(super) fn open(now: Timestamp, topics: &[(Topic, Favour)], promise: Promise) -> Result<Floor, Failure> {
        let clock = Arc::new(TurnedClock::new(now));
        let store = Arc::new(MemoryStore::new());
        let told: Arc<Mutex<Vec<Arc<Recorded>>>> = Arc::default();
        let writer = |log: LogName, row: &'static str, hears: Option<Arc<Mutex<Vec<Arc<Recorded>>>>>| {
            let mut dice = Dice::of(row);
            let hear = |told: Arc<Mutex<Vec<Arc<Recorded>>>>| {
                let hear = move |events: &[Arc<Recorded>]| {
                    told.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(events);
                };
                Arc::new(hear) as store::writer::Subscriber
            };
            let draw = Box::new(move || dice.throw());
            let subscribers = hears.map(hear).into_iter().collect();
            let older = Arc::new(NoOldKeys);
            Writer::open(log, store.clone(), clock.clone(), draw, older, subscribers, Settings::default())
        };
        let mut community = writer(LogName::community(), "calls: ticks of the community", None)?;
        let name: LogName = CALL_SERVER.parse().expect("the constant is a log's name");
        let mut floor = writer(name.clone(), "calls: ticks of the call server", Some(told.clone()))?;
        let mut dice = Dice::of("calls: commands");
        let operator = Actor::Operator("replay".into());

        let root: Topic = super::rows::ROOT.parse().expect("the constant is a topic");
        let opening = Command::OpenCallServer { name, topics: vec![root], languages: vec![], locations: vec![] };
        let opened = done(community.handle(order(opening, &operator, dice.throw())))?;
        let Event::CallServer(CallServerEvent::Opened(facts)) = &opened[0].event else {
            return Err("opening a call server opened none".into());
        };
        let start = Command::StartCallServer {
            call_server: facts.call_server,
            name: facts.name.clone(),
            locations: vec![],
            source: position(&opened[0]),
        };
        done(floor.handle(taken_over(start, &opened[0], dice.throw())))?;
        let registering = Command::RegisterProvider {
            name: "Recorded calls".to_owned(),
            homepage: None,
            origins: vec![],
            credit_limits: vec![],
            customer_keys: vec![],
        };
        let registered = done(community.handle(order(registering, &operator, dice.throw())))?;
        let Event::Provider(ProviderEvent::Registered(facts)) = &registered[0].event else {
            return Err("registering a provider registered none".into());
        };
        let provider = facts.provider;
        // An offer has one priority and its rings: topics of which the same is promised stand in one.
        let mut offers: Vec<(Favour, Vec<&Topic>)> = vec![];
        for (topic, favour) in topics {
            let same = |known: &&mut (Favour, Vec<&Topic>)| {
                (known.0.priority, &known.0.relaxation) == (favour.priority, &favour.relaxation)
            };
            match offers.iter_mut().find(same) {
                Some((_, topics)) => topics.push(topic),
                None => offers.push((favour.clone(), vec![topic])),
            }
        }
        if offers.is_empty() {
            offers.push((Favour::default(), vec![]));
        }
        let mut links = BTreeMap::new();
        for (favour, topics) in offers {
            let terms = promise.terms(favour, topics.is_empty());
            let new = topics.iter().map(|topic| NewLink { label: topic.to_string(), topic: (*topic).clone() });
            let publish = Command::PublishOffer { provider, terms, links: new.collect() };
            let published = done(community.handle(order(publish, &Actor::Provider(provider), dice.throw())))?;
            let Event::Offer(OfferEvent::Published(facts)) = &published[0].event else {
                return Err("publishing an offer published none".into());
            };
            let of = facts.terms.links.iter().map(|link| (link.topic.clone(), (facts.offer, link.id)));
            links.extend(of);
        }
        // Else each queue would be born with its first caller and retire with its last, over and over.
        for (topic, favour) in topics {
            let priority_credit = favour.priority_credit;
            let declare = Command::DeclareQueue { priority_credit, topic: topic.clone(), required_skills: vec![] };
            done(floor.handle(order(declare, &operator, dice.throw())))?;
        }
        Ok(Floor { clock, store, community, floor, dice, told, links, operator })
    }

    /// `name` is a pseudonym: it is sealed as names are, with a key that the vault is given.
    pub(super) fn register(&mut self, name: &str, topics: &[Topic], vault: &Vault) -> Result<AgentId, Failure> {
        let agent = AgentId(self.dice.id(self.clock.now()));
        let subject = agent.to_string();
        let key = vault.give(&subject, Key::of(self.dice.throw().0))?;
        let ciphertext = key.seal_alike(subject.as_bytes(), name.as_bytes());
        let ciphertext = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ciphertext);
        let register = Command::RegisterAgent {
            agent,
            display_name: Sealed { ciphertext: ciphertext.into(), subject: agent.into() },
            location: "recorded".to_owned(),
            skills: topics.iter().map(|name| Skill { level: 1, name: name.clone() }).collect(),
            capacity: 1,
            affiliated_with: None,
            credit_limit: None,
        };
        let operator = self.operator.clone();
        self.give(register, &operator)?;
        Ok(agent)
    }

    pub(super) fn customer(&mut self) -> CustomerId {
        CustomerId(self.dice.id(self.clock.now()))
    }

    pub(super) fn state(&self) -> &State {
        self.floor.state()
    }
    pub(super) fn head(&self) -> Option<Head> {
        self.floor.head()
    }
    /// Events of both logs.
    pub(super) fn events(&self) -> u64 {
        [&self.community, &self.floor].into_iter().filter_map(|writer| writer.head()).map(|head| head.seq + 1).sum()
    }
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.floor.next_deadline()
    }

    /// Turns the clock to `to`, at which or after which nothing is due yet.
    pub(super) fn turn(&mut self, to: Timestamp) {
        self.clock.turn(to.max(self.clock.now()));
    }
    /// Turns the clock to a deadline, and decides what is due.
    pub(super) fn tick(&mut self, due: Timestamp) -> Result<(), Failure> {
        self.turn(due);
        self.floor.tick()?;
        Ok(())
    }
    /// What has happened at the call server since this was asked last.
    pub(super) fn news(&mut self) -> Vec<Arc<Recorded>> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give(&mut self, command: Command, actor: &Actor) -> Result<(), Failure> {
        done(self.floor.handle(order(command, actor, self.dice.throw()))).map(|_| ())
    }

    /// A caller follows the link of `topic`.
    pub(super) fn call(
        &mut self,
        topic: &Topic,
        customer: CustomerId,
        customer_is_new: bool,
    ) -> Result<InquiryId, Failure> {
        let (offer, link) = *self.links.get(topic).ok_or("a call is about what no offer has")?;
        let acceptance = Acceptance {
            offer,
            offer_revision: None,
            link: Some(link),
            topics: vec![],
            question: None,
            classified: None,
            content: None,
            channel: ChannelKind::Telephone,
            initiator: Initiator::Customer,
            language: None,
            customer,
            information: if customer_is_new { InformationOutcome::New } else { InformationOutcome::Found },
            last_agents: vec![],
            proven_by: None,
            profile: None,
            terms_version: None,
            waiting: vec![],
            known_topics: vec![],
            community_origins: vec![],
        };
        let accept = Command::AcceptOffer(Box::new(acceptance));
        let accepted = done(self.community.handle(order(accept, &Actor::Customer(customer), self.dice.throw())))?;
        let Event::Offer(OfferEvent::Accepted(facts)) = &accepted[0].event else {
            return Err("accepting an offer recorded no acceptance".into());
        };
        let register = Command::RegisterInquiry {
            acceptance: facts.clone(),
            accepted_at: accepted[0].time,
            source: position(&accepted[0]),
        };
        done(self.floor.handle(taken_over(register, &accepted[0], self.dice.throw())))?;
        Ok(facts.inquiry)
    }

    pub(super) fn hang_up(&mut self, inquiry: InquiryId, customer: CustomerId) -> Result<(), Failure> {
        self.give(Command::WithdrawInquiry { inquiry, reason: None }, &Actor::Customer(customer))
    }
    pub(super) fn be(&mut self, agent: AgentId, will: Will) -> Result<(), Failure> {
        self.give(Command::SetAgentStatus { agent, will, note: None }, &Actor::Agent(agent))
    }
    pub(super) fn report(&mut self, open: Open, report: ChannelReport) -> Result<(), Failure> {
        let Open { session, channel, agent } = open;
        self.give(Command::ReportChannel { session, channel, report }, &Actor::Agent(agent))
    }

    /// Consents, where the reservation still stands.
    pub(super) fn consent(&mut self, reservation: ReservationId) -> Result<(), Failure> {
        let row = self.state().reservations.get(reservation);
        let Some(agent) = row.filter(|row| row.phase == ReservationPhase::Pending).map(|row| row.agent) else {
            return Ok(());
        };
        self.give(Command::AcceptReservation { reservation }, &Actor::Agent(agent))
    }

    /// Whether the agent got it. `false`: the product refused, because the agent has another.
    pub(super) fn claim(&mut self, inquiry: InquiryId, agent: AgentId) -> Result<bool, Failure> {
        let claim = order(Command::ClaimInquiry { inquiry }, &Actor::Agent(agent), self.dice.throw());
        match self.floor.handle(claim) {
            Answer::Refused(Refusal::AgentAtCapacity) => Ok(false),
            answer => done(answer).map(|_| true),
        }
    }
}

/// An open session, as its agent speaks of it.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) session: SessionId,
    pub(super) channel: ChannelId,
    pub(super) agent: AgentId,
}
