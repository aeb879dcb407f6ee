//! A market on a turned clock: the same writers and decisions as `serve`, stepped by hand. The clock stops
//! at every deadline, so nothing is late and nothing closes by being looked at.

use super::Failure;
use base64::Engine;
use domain::actor::Actor;
use domain::command::{Acceptance, Command, NewLink};
use domain::currency::Currency;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::AuctionEvent;
use domain::event::community::OfferEvent;
use domain::event::community::SourcePosition;
use domain::event::inquiry::InformationOutcome;
use domain::event::queue::QueueEvent;
use domain::event::session::SessionEvent;
use domain::event::wallet::Party;
use domain::ids::{AgentId, AuctionId, CustomerId, IdSource, InquiryId, ProviderId};
use domain::log::LogName;
use domain::money::Money;
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::terms::{Allocation, AuctionRules, ChannelKind, Initiator, OfferTerms};
use domain::time::{Span, Timestamp};
use domain::topic::{Skill, Topic};
use rust_decimal::Decimal;
use std::sync::Arc;
use store::backend::EventStore;
use store::clock::{Clock, TurnedClock};
use store::keys::NoOldKeys;
use store::raw::Hex;
use store::recorded::Recorded;
use store::vault::Vault;
use store::writer::order::{Answer, Entropy, Order};
use store::writer::{Settings, Writer};

/// The topic of everything that is replayed, and the skill of everybody who bids.
const TOPIC: &str = "auctions";
const CALL_SERVER: &str = "replay";
/// Agents registered in one append.
const REGISTERED_AT_ONCE: usize = 400;

pub(crate) struct Market {
    clock: Arc<TurnedClock>,
    community: Writer,
    floor: Writer,
    vault: Arc<Vault>,
    provider: ProviderId,
    topic: Topic,
    operator: Actor,
}

/// What a recorded bid came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bid {
    Accepted,
    Refused,
    /// Refused because the auction was closed.
    Late,
}

/// The largest amount of a currency that can be bid: who owes nothing can pay whatever it bids.
pub(crate) fn unlimited(currency: Currency) -> Money {
    // Every amount has at most 18 digits before the point.
    let beyond = Decimal::from(10u64.pow(18));
    Money::new(beyond - Money::smallest(currency).amount(), currency).expect("it has the currency's decimals")
}

impl Market {
    /// A call server, a provider, and nobody else, at `now`. Errors: a store that holds a market already.
    pub(crate) fn open(store: Arc<dyn EventStore>, vault: Vault, now: Timestamp) -> Result<Market, Failure> {
        if !store.logs()?.is_empty() {
            return Err("the data folder already holds a market; a replay needs an empty one".into());
        }
        let clock = Arc::new(TurnedClock::new(now));
        let writer = |log: LogName| -> Result<Writer, Failure> {
            let older = Arc::new(NoOldKeys);
            let writer = Writer::open(
                log,
                store.clone(),
                clock.clone(),
                Box::new(Entropy::draw),
                older,
                vec![],
                Settings::default(),
            );
            Ok(writer?)
        };
        let mut community = writer(LogName::community())?;
        let floor: LogName = CALL_SERVER.parse().expect("the constant is a log's name");
        let mut floor = writer(floor)?;
        let operator = Actor::Operator("replay".into());
        let topic: Topic = TOPIC.parse().expect("the constant is a topic");

        let opening = Command::OpenCallServer {
            name: floor.log().clone(),
            topics: vec![topic.clone()],
            languages: vec![],
            locations: vec![],
        };
        let opened = done(community.handle(order(opening, &operator, Entropy::draw())))?;
        let Event::CallServer(domain::event::community::CallServerEvent::Opened(facts)) = &opened[0].event else {
            return Err("opening a call server opened none".into());
        };
        let start = Command::StartCallServer {
            call_server: facts.call_server,
            name: facts.name.clone(),
            locations: vec![],
            source: position(&opened[0]),
        };
        done(floor.handle(taken_over(start, &opened[0], Entropy::draw())))?;
        let registering = Command::RegisterProvider {
            name: "Recorded market".to_owned(),
            homepage: None,
            origins: vec![],
            credit_limits: vec![],
            customer_keys: vec![],
        };
        let registered = done(community.handle(order(registering, &operator, Entropy::draw())))?;
        let provider = match &registered[0].event {
            Event::Provider(domain::event::community::ProviderEvent::Registered(facts)) => facts.provider,
            _ => return Err("registering a provider registered none".into()),
        };
        Ok(Market { clock, community, floor, vault: Arc::new(vault), provider, topic, operator })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Events of both logs.
    pub(crate) fn events(&self) -> u64 {
        [&self.community, &self.floor].into_iter().filter_map(|writer| writer.head()).map(|head| head.seq + 1).sum()
    }

    /// Turns the clock to `to`, stopping at every deadline before it and at it.
    pub(crate) fn advance(&mut self, to: Timestamp) -> Result<(), Failure> {
        while let Some(due) = self.floor.next_deadline().filter(|due| *due <= to) {
            self.clock.turn(due.max(self.clock.now()));
            self.floor.tick()?;
        }
        self.clock.turn(to.max(self.clock.now()));
        Ok(())
    }

    /// Turns the clock until nothing is due any more.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        while let Some(due) = self.floor.next_deadline() {
            self.advance(due)?;
        }
        Ok(())
    }

    /// Registers bidders by name, skilled, available, who may owe `credit`.
    pub(crate) fn register(&mut self, names: &[String], credit: Money) -> Result<Vec<AgentId>, Failure> {
        let ids =
            IdSource::new(self.now().0, u64::from_be_bytes(Entropy::draw().0[..8].try_into().expect("eight bytes")));
        let mut agents = Vec::with_capacity(names.len());
        for chunk in names.chunks(REGISTERED_AT_ONCE) {
            let minted: Vec<AgentId> = chunk.iter().map(|_| AgentId(ids.next())).collect();
            let sealed = self.seal_names(&minted, chunk)?;
            let mut orders = Vec::new();
            for (agent, display_name) in minted.iter().zip(sealed) {
                let register = Command::RegisterAgent {
                    agent: *agent,
                    display_name,
                    location: "recorded".to_owned(),
                    skills: vec![Skill { level: 1, name: self.topic.clone() }],
                    capacity: 1,
                    affiliated_with: None,
                    credit_limit: Some(credit),
                };
                orders.push((order(register, &self.operator, Entropy::draw()), self.now()));
                let available = Command::SetAgentStatus { agent: *agent, will: Will::Available, note: None };
                orders.push((order(available, &Actor::Agent(*agent), Entropy::draw()), self.now()));
            }
            for answer in self.floor.handle_all(orders) {
                done(answer)?;
            }
            agents.extend(minted);
        }
        Ok(agents)
    }

    /// Each name under its agent's own key. The vault commits the keys of concurrent callers together.
    fn seal_names(&self, agents: &[AgentId], names: &[String]) -> Result<Vec<Sealed>, Failure> {
        const CALLERS: usize = 16;
        let share = agents.len().div_ceil(CALLERS).max(1);
        let vault = &*self.vault;
        let seal = |agent: &AgentId, name: &String| {
            let subject = agent.to_string();
            let key = vault.key_for(&subject)?;
            let ciphertext =
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.seal(subject.as_bytes(), name.as_bytes()));
            Ok::<_, store::vault::VaultError>(Sealed { ciphertext: ciphertext.into(), subject: (*agent).into() })
        };
        std::thread::scope(|scope| {
            let parts = agents.chunks(share).zip(names.chunks(share));
            let callers: Vec<_> = parts
                .map(|(agents, names)| {
                    let share = move || {
                        agents.iter().zip(names).map(|(agent, name)| seal(agent, name)).collect::<Result<Vec<_>, _>>()
                    };
                    scope.spawn(share)
                })
                .collect();
            let mut sealed = Vec::with_capacity(agents.len());
            for caller in callers {
                sealed.extend(caller.join().map_err(|_| "sealing names failed")??);
            }
            Ok(sealed)
        })
    }

    /// Publishes an offer with these rules and accepts it: one inquiry, its auction open.
    pub(crate) fn offer(&mut self, title: &str, rules: AuctionRules) -> Result<Lot, Failure> {
        let terms = OfferTerms {
            accepts_questions: false,
            allocation: Allocation::Auction(rules),
            channels: vec![ChannelKind::Message],
            consent_window: Span::seconds(20),
            daily_budget: None,
            hours: None,
            independent_agents_only: true,
            links: vec![],
            max_open: None,
            max_wait: Span::days(1),
            prefer_last_agent_for: Span::ZERO,
            priority: 0,
            relaxation: vec![],
            required_skills: vec![],
            shown_before_consent: vec![],
            terms: None,
            title: title.to_owned(),
            valid_until: None,
            wrap_up: None,
        };
        let links = vec![NewLink { label: title.to_owned(), topic: self.topic.clone() }];
        let publish = Command::PublishOffer { provider: self.provider, terms, links };
        let published = done(self.community.handle(order(publish, &Actor::Provider(self.provider), Entropy::draw())))?;
        let Event::Offer(OfferEvent::Published(facts)) = &published[0].event else {
            return Err("publishing an offer published none".into());
        };
        let (offer, link) = (facts.offer, facts.terms.links[0].id);
        let entropy = Entropy::draw();
        let customer = CustomerId(
            IdSource::new(self.now().0, u64::from_be_bytes(entropy.0[..8].try_into().expect("eight bytes"))).next(),
        );
        let acceptance = Acceptance {
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
        };
        let accepted = done(self.community.handle(order(
            Command::AcceptOffer(Box::new(acceptance)),
            &Actor::Customer(customer),
            Entropy::draw(),
        )))?;
        let Event::Offer(OfferEvent::Accepted(facts)) = &accepted[0].event else {
            return Err("accepting an offer recorded no acceptance".into());
        };
        let register = Command::RegisterInquiry {
            acceptance: facts.clone(),
            accepted_at: accepted[0].time,
            source: position(&accepted[0]),
        };
        let registered = done(self.floor.handle(taken_over(register, &accepted[0], Entropy::draw())))?;
        let opened = registered.iter().find_map(|event| match &event.event {
            Event::Auction(AuctionEvent::Opened(opened)) => Some(opened.auction),
            _ => None,
        });
        debug_assert!(!registered.iter().any(|event| matches!(&event.event, Event::Queue(QueueEvent::Retired(_)))));
        Ok(Lot {
            inquiry: facts.inquiry,
            customer,
            auction: opened.ok_or("an inquiry to be auctioned opened no auction")?,
        })
    }

    /// Pays what an agent owes, where it could not bid `amount` otherwise: its credit knows no end. Between
    /// auctions nothing of it is held, so all of its limit is free then.
    fn keep_solvent(&mut self, agent: AgentId, amount: Money) -> Result<(), Failure> {
        let owner = Party::Agent(agent);
        let account = self.floor.state().accounts.get((owner, amount.currency()));
        let account = account.ok_or("a bidder was registered without credit")?;
        let short = account.available().is_some_and(|available| available < amount.amount());
        let debt = Money::new(-account.balance, amount.currency())?;
        if short && debt.is_positive() {
            let reference = "debts of earlier auctions".to_owned();
            let pay = Command::CreditWallet { owner, amount: debt, reference };
            done(self.floor.handle(order(pay, &Actor::Finance("replay".into()), Entropy::draw())))?;
        }
        Ok(())
    }

    /// Places the bids of a lot just opened, each at its instant, in order. Errors: a bid refused for what no
    /// recorded bid can be refused for, such as too little credit.
    pub(crate) fn bid(&mut self, lot: &Lot, bids: &[(AgentId, Money, Timestamp)]) -> Result<Vec<Bid>, Failure> {
        for (agent, amount, _) in bids {
            self.keep_solvent(*agent, *amount)?;
        }
        if let Some((.., last)) = bids.last() {
            self.clock.turn((*last).max(self.clock.now()));
        }
        let place = |(agent, amount, at): &(AgentId, Money, Timestamp)| {
            (
                order(
                    Command::PlaceBid { auction: lot.auction, amount: *amount },
                    &Actor::Agent(*agent),
                    Entropy::draw(),
                ),
                *at,
            )
        };
        let answers = self.floor.handle_all(bids.iter().map(place).collect());
        answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Done(_) => Ok(Bid::Accepted),
                Answer::Refused(Refusal::AuctionClosed) => Ok(Bid::Late),
                Answer::Refused(refusal) if is_about_the_bid(&refusal) => Ok(Bid::Refused),
                other => Err(done(other).err().unwrap_or_else(|| "a bid was answered for another one".into())),
            })
            .collect()
    }

    /// Turns the clock to the closing, lets the winner consent at once and the session end. Nothing stays
    /// open. Returns the price; `None` where nobody won.
    pub(crate) fn close(&mut self, lot: &Lot) -> Result<Option<Money>, Failure> {
        while let Some(auction) = self.floor.state().auctions.get(lot.auction)
            && auction.phase == domain::state::AuctionPhase::Open
        {
            let closes_at = auction.closes_at;
            self.advance(closes_at)?;
        }
        let state = self.floor.state();
        let inquiry = state.inquiries.get(lot.inquiry).ok_or("the inquiry is gone before it was answered")?;
        let pending =
            inquiry.reservation().and_then(|id| state.reservations.get(id).map(|row| (id, row.agent, row.price)));
        let Some((reservation, agent, price)) = pending else {
            let withdraw = Command::WithdrawInquiry { inquiry: lot.inquiry, reason: None };
            done(self.floor.handle(order(withdraw, &Actor::Customer(lot.customer), Entropy::draw())))?;
            return Ok(None);
        };
        let consented = done(self.floor.handle(order(
            Command::AcceptReservation { reservation },
            &Actor::Agent(agent),
            Entropy::draw(),
        )))?;
        let session = consented.iter().find_map(|event| match &event.event {
            Event::Session(SessionEvent::Opened(opened)) => Some(opened.session),
            _ => None,
        });
        let session = session.ok_or("consent opened no session")?;
        done(self.floor.handle(order(Command::EndSession { session }, &Actor::Agent(agent), Entropy::draw())))?;
        Ok(price)
    }
}

/// One recorded auction in the market.
pub(crate) struct Lot {
    inquiry: InquiryId,
    customer: CustomerId,
    auction: AuctionId,
}

/// Refusals that a recorded bid in time can meet; every other one is a fault of the replay. Money is never
/// short, and only a REVERSE auction has bids that are too high.
fn is_about_the_bid(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::BidTooLow { .. } | Refusal::Invalid { .. } | Refusal::LimitReached { .. })
}

/// Nobody asks twice: it has no key. `entropy` is drawn, or counted where the bytes are to be the same each time.
pub(super) fn order(command: Command, actor: &Actor, entropy: Entropy) -> Order {
    Order {
        command,
        actor: actor.clone(),
        id: entropy.command_id(),
        key: None,
        causation: None,
        source: None,
        trace: None,
        entropy,
    }
}

pub(super) fn taken_over(command: Command, source: &Recorded, entropy: Entropy) -> Order {
    Order {
        id: source.correlation,
        causation: Some(source.id),
        source: Some(position(source)),
        ..order(command, &Actor::System, entropy)
    }
}

pub(super) fn position(source: &Recorded) -> SourcePosition {
    SourcePosition { hash: Hex(&source.raw.hash).to_string(), log: source.log.clone(), seq: source.seq }
}

pub(super) fn done(answer: Answer) -> Result<Vec<Arc<Recorded>>, Failure> {
    match answer {
        Answer::Done(events) => Ok(events),
        Answer::Replayed { .. } => Err("a command without a key was taken for a repeat".into()),
        Answer::Refused(refusal) => Err(format!("refused: {} ({})", refusal.message(), refusal.code()).into()),
        Answer::Unavailable(message) => Err(message.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::terms::{AuctionFormat, Direction};
    use store::memory::MemoryStore;

    fn usd(text: &str) -> Money {
        Money::parse(text, "USD".parse().unwrap()).unwrap()
    }
    fn market() -> Market {
        let now = Timestamp(1_000_000_000_000_000);
        Market::open(Arc::new(MemoryStore::new()), Vault::in_memory().unwrap(), now).unwrap()
    }
    fn rules() -> AuctionRules {
        AuctionRules {
            buy_now: None,
            currency: "USD".parse().unwrap(),
            direction: Direction::Forward,
            format: AuctionFormat::SealedFirstPrice,
            hard_close: None,
            increment: vec![],
            open_for: Span::minutes(1),
            reserve: None,
            reserve_hidden: false,
            rounds: 1,
            soft_close: None,
            starting_price: None,
        }
    }

    #[test]
    fn unlimited_is_the_largest_amount_that_can_be_written() {
        for (code, largest) in [("USD", "999999999999999999.99"), ("JPY", "999999999999999999")] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!(unlimited(currency), Money::parse(largest, currency).unwrap());
            let next = unlimited(currency).plus(Money::smallest(currency)).unwrap().amount().to_string();
            assert!(Money::parse(&next, currency).is_err(), "{next}");
        }
    }

    #[test]
    fn credit_does_not_run_out_however_often_all_of_it_is_spent() {
        let mut market = market();
        let all = unlimited("USD".parse().unwrap());
        let bidders = market.register(&["ann".to_owned()], all).unwrap();
        for _ in 0..3 {
            let lot = market.offer("Lot", rules()).unwrap();
            let at = market.now();
            assert_eq!(market.bid(&lot, &[(bidders[0], all, at)]).unwrap(), [Bid::Accepted]);
            assert_eq!(market.close(&lot).unwrap(), Some(all));
        }
    }

    #[test]
    fn a_bid_without_money_is_a_fault_and_no_refused_bid() {
        let mut market = market();
        let bidders = market.register(&["ann".to_owned()], usd("1.00")).unwrap();
        let lot = market.offer("Lot", rules()).unwrap();
        let at = market.now();
        let fault = market.bid(&lot, &[(bidders[0], usd("1.01"), at)]).unwrap_err();
        assert!(fault.to_string().contains("INSUFFICIENT_FUNDS"), "{fault}");
    }

    #[test]
    fn a_bid_at_the_closing_instant_is_late() {
        let mut market = market();
        let bidders = market.register(&["ann".to_owned(), "ben".to_owned()], usd("9.00")).unwrap();
        let lot = market.offer("Lot", rules()).unwrap();
        let end = market.now() + Span::minutes(1);
        let bids = [(bidders[0], usd("5.00"), Timestamp(end.0 - 1)), (bidders[1], usd("6.00"), end)];
        assert_eq!(market.bid(&lot, &bids).unwrap(), [Bid::Accepted, Bid::Late]);
        assert_eq!(market.close(&lot).unwrap(), Some(usd("5.00")));
    }
}
