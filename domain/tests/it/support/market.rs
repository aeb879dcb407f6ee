//! A call server in one hand: commands at given instants, deadlines as they fall due, what came of them.

use super::terms::terms;
use super::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::decide::{Ctx, Outcome, apply, execute, execute_due};
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::community::{Location, OfferAccepted, SourcePosition};
use domain::event::reservation::ReservationEvent;
use domain::event::wallet::Party;
use domain::ids::*;
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::state::{Agent, Auction, Inquiry, Mark, Reservation, ReservationPhase, State};
use domain::terms::{AuctionRules, ChannelKind, Initiator, OfferTerms};
use domain::why::Why;

pub type Answer = Result<Vec<Event>, Refusal>;

/// What was asked of the market, to be asked again.
#[derive(Clone, Debug)]
pub enum Step {
    Command { at: Timestamp, by: Actor, command: Command, entropy: u64 },
    Due { at: Timestamp, late: bool, entropy: u64 },
}

pub struct Market {
    pub state: State,
    pub now: Timestamp,
    /// Everything that happened, oldest first.
    pub log: Vec<(Timestamp, Event)>,
    pub steps: Vec<Step>,
    /// What the platform did by itself because of the latest command.
    pub followed: Vec<Event>,
    /// The inquiry that the short words are about: the latest.
    pub inquiry: InquiryId,
    /// Off where a test only counts: the auditor looks at everything after each step.
    pub audited: bool,
    pub auditor: Auditor,
    sources: u64,
}

impl Market {
    /// Nobody is here yet.
    pub fn empty() -> Market {
        Market {
            state: State::default(),
            now: MORNING,
            log: vec![],
            steps: vec![],
            followed: vec![],
            inquiry: InquiryId(0),
            audited: true,
            auditor: Auditor::default(),
            sources: 0,
        }
    }

    /// These agents are AVAILABLE, skilled in `help`, with 100.00 in their wallets.
    pub fn with(agents: &[AgentId]) -> Market {
        let mut market = Market::empty();
        for agent in agents {
            market.hire(*agent, "100.00", 1);
        }
        market
    }

    pub fn hire(&mut self, agent: AgentId, money: &str, capacity: u32) {
        self.register(agent, &[skill("help", 1)], capacity, None);
        if money != "0" {
            self.credit(agent, money);
        }
        self.available(agent);
    }

    pub fn register(&mut self, agent: AgentId, skills: &[Skill], capacity: u32, affiliated_with: Option<ProviderId>) {
        self.operator(Command::RegisterAgent {
            agent,
            display_name: sealed("name"),
            location: "Graz".to_owned(),
            skills: skills.to_vec(),
            capacity,
            affiliated_with,
            credit_limit: None,
        })
        .unwrap();
    }

    // Where agents sit.

    /// The call server begins, or has these locations from now on.
    pub fn starts(&mut self, locations: Vec<Location>) {
        let seq = self.steps.len() as u64;
        let source = SourcePosition { hash: "00".to_owned(), log: "starts".parse().unwrap(), seq };
        let (call_server, name) = (CallServerId(1), "bank".parse().unwrap());
        self.asks(Actor::System, Command::StartCallServer { call_server, name, locations, source }).unwrap();
    }
    pub fn sits(&mut self, agent: AgentId, location: &str) {
        let command = Command::UpdateAgent {
            agent,
            display_name: None,
            location: Some(location.to_owned()),
            skills: None,
            capacity: None,
            affiliated_with: Patch::Keep,
            credit_limit: None,
        };
        self.operator(command).unwrap();
    }
    pub fn traffic(&mut self, location: &str, traffic: &str, valid_for: i64) -> Answer {
        self.traffic_for(location, traffic, seconds(valid_for))
    }
    pub fn traffic_for(&mut self, location: &str, traffic: &str, valid_for: Span) -> Answer {
        let location = location.to_owned();
        self.operator(Command::ReportLocationTraffic { location, traffic: d(traffic), valid_for })
    }

    // Asking.

    pub fn asks(&mut self, by: Actor, command: Command) -> Answer {
        // The top bits: an id takes 58 of the 64.
        let entropy = (self.steps.len() as u64 + 1) << 6;
        self.steps.push(Step::Command { at: self.now, by: by.clone(), command: command.clone(), entropy });
        let ctx = || Ctx { now: self.now, actor: by.clone(), ids: IdSource::new(self.now.0, entropy) };
        let name = command.rights().0;
        if self.audited {
            let before = self.state.clone();
            let mark = self.state.mark();
            let tried = execute(&mut self.state, &command, &ctx());
            self.state.roll_back(mark);
            assert!(self.state == before, "taken back is as before: {command:?}");
            let again = execute(&mut self.state, &command, &ctx());
            assert_eq!(tried, again, "deciding again gives the same");
            assert!(again.is_ok() || self.state == before, "a refusal changes nothing");
            let has_event = again.as_ref().is_ok_and(|outcome| !outcome.asked.is_empty());
            assert!(name.is_empty() || again.is_err() || has_event, "{name}: its key has no event to stand on");
            self.told(again)
        } else {
            let answer = execute(&mut self.state, &command, &ctx());
            self.told(answer)
        }
    }

    fn told(&mut self, answer: Result<Outcome, Refusal>) -> Answer {
        self.followed = answer.as_ref().map_or(vec![], |outcome| outcome.followed.clone());
        self.happened(answer.map(Outcome::into_events))
    }

    fn happened(&mut self, answer: Answer) -> Answer {
        self.state.acknowledge();
        if let Ok(events) = &answer {
            for event in events {
                self.log.push((self.now, event.clone()));
                if self.audited {
                    self.auditor.sees(event, self.now);
                }
            }
        }
        if self.audited {
            self.auditor.audits(&self.state, self.now);
        }
        answer
    }

    fn due(&mut self, late: bool) -> Vec<Event> {
        let entropy = (self.steps.len() as u64 + 1) << 6;
        self.steps.push(Step::Due { at: self.now, late, entropy });
        let ctx = || Ctx { now: self.now, actor: Actor::System, ids: IdSource::new(self.now.0, entropy) };
        if self.audited {
            let before = self.state.clone();
            let mark = self.state.mark();
            let tried = execute_due(&mut self.state, late, &ctx());
            self.state.roll_back(mark);
            assert!(self.state == before, "taken back is as before: {tried:?}");
        }
        let events = execute_due(&mut self.state, late, &ctx()).expect("something is due");
        self.happened(Ok(events)).unwrap()
    }

    /// The clock goes on to `at`; each deadline on the way is decided at its instant. What happened.
    pub fn until(&mut self, at: Timestamp) -> Vec<Event> {
        let mut events = vec![];
        while let Some(due) = self.state.next_deadline().filter(|due| *due <= at) {
            self.now = self.now.max(due);
            events.extend(self.due(false));
        }
        self.now = self.now.max(at);
        events
    }
    pub fn pass(&mut self, span: Span) -> Vec<Event> {
        self.until(self.now + span)
    }
    /// The platform was down until `at`: what fell due meanwhile is decided now, and late.
    pub fn wakes_at(&mut self, at: Timestamp) -> Vec<Event> {
        self.now = self.now.max(at);
        let mut events = vec![];
        while self.state.next_deadline().is_some_and(|due| due <= self.now) {
            events.extend(self.due(true));
        }
        events
    }
    /// The clock jumps and nothing is decided: a command that comes before the tick.
    pub fn jumps_to(&mut self, at: Timestamp) {
        self.now = at;
    }

    pub fn operator(&mut self, command: Command) -> Answer {
        self.asks(Actor::Operator("ops".into()), command)
    }
    pub fn agent(&mut self, agent: AgentId, command: Command) -> Answer {
        self.asks(Actor::Agent(agent), command)
    }
    pub fn customer(&mut self, command: Command) -> Answer {
        self.asks(Actor::Customer(CUSTOMER), command)
    }

    // The short words.

    /// A customer accepts an offer under these rules; the auction is open.
    pub fn auctions(&mut self, rules: AuctionRules) -> InquiryId {
        self.inquires(terms(rules), &["help"])
    }
    pub fn inquires(&mut self, terms: OfferTerms, topics: &[&str]) -> InquiryId {
        let answer = self.registers(terms, topics);
        assert!(answer.is_ok());
        self.inquiry
    }
    pub fn registers(&mut self, terms: OfferTerms, topics: &[&str]) -> Answer {
        let acceptance = self.acceptance(terms, topics);
        self.registers_this(acceptance)
    }
    /// The acceptance as it is, but for its id.
    pub fn registers_this(&mut self, acceptance: OfferAccepted) -> Answer {
        self.sources += 1;
        self.inquiry = InquiryId(u128::from(self.sources));
        let acceptance = OfferAccepted { inquiry: self.inquiry, ..acceptance };
        let source = SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: self.sources };
        self.asks(
            Actor::System,
            Command::RegisterInquiry { acceptance: Box::new(acceptance), accepted_at: self.now, source },
        )
    }
    /// `community` has erased a customer.
    pub fn forgets(&mut self, customer: CustomerId) -> Answer {
        self.sources += 1;
        self.forgets_again(customer)
    }
    /// The process manager repeats itself.
    pub fn forgets_again(&mut self, customer: CustomerId) -> Answer {
        let source = SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: self.sources };
        self.asks(Actor::System, Command::ForgetCustomer { customer, source })
    }
    pub fn acceptance(&self, terms: OfferTerms, topics: &[&str]) -> OfferAccepted {
        OfferAccepted {
            call_server: "bank".parse().unwrap(),
            channel: ChannelKind::Message,
            classified: None,
            content: None,
            customer: CUSTOMER,
            customer_is_new: true,
            information_unavailable: false,
            last_agent: None,
            proven_by: None,
            initiator: Initiator::Customer,
            inquiry: self.inquiry,
            language: None,
            link: None,
            offer: OfferId(1),
            profile: Some(sealed("profile")),
            provider: PROVIDER,
            question: Some(sealed("question")),
            revision: 1,
            started_by: None,
            terms,
            terms_version: None,
            topics: topics.iter().map(|text| topic(text)).collect(),
            why: Why { chosen: None, excluded: vec![], ranked: vec![], rule: "content/1".to_owned() },
        }
    }
    pub fn credit(&mut self, agent: AgentId, amount: &str) {
        let command =
            Command::CreditWallet { owner: Party::Agent(agent), amount: eur(amount), reference: "cash".to_owned() };
        self.asks(Actor::Finance("till".into()), command).unwrap();
    }
    pub fn will(&mut self, agent: AgentId, will: Will) -> Vec<Event> {
        self.agent(agent, Command::SetAgentStatus { agent, will, note: None }).unwrap()
    }
    pub fn available(&mut self, agent: AgentId) -> Vec<Event> {
        self.will(agent, Will::Available)
    }
    pub fn rests(&mut self, agent: AgentId) -> Vec<Event> {
        self.will(agent, Will::Break)
    }

    /// A node says who has a feed at it.
    pub fn reports(&mut self, agents: &[AgentId]) -> Vec<Event> {
        self.asks(Actor::System, Command::ReportPresence { agents: agents.to_vec(), node: "n1".to_owned() }).unwrap()
    }

    pub fn bids(&mut self, agent: AgentId, amount: &str) -> Answer {
        self.bids_in(self.auction(), agent, amount)
    }
    pub fn bids_in(&mut self, auction: AuctionId, agent: AgentId, amount: &str) -> Answer {
        self.agent(agent, Command::PlaceBid { auction, amount: eur(amount) })
    }
    /// The bid stands.
    pub fn bid(&mut self, agent: AgentId, amount: &str) -> BidId {
        let events = self.bids(agent, amount).unwrap();
        match &events[0] {
            Event::Auction(AuctionEvent::BidPlaced(placed)) => placed.bid,
            other => panic!("a bid was placed first, not {other:?}"),
        }
    }
    pub fn withdraws_bid(&mut self, agent: AgentId, bid: BidId) -> Answer {
        self.agent(agent, Command::WithdrawBid { bid })
    }
    /// The clock goes on to the auction's closing.
    pub fn closes(&mut self) -> Vec<Event> {
        self.until(self.open_auction().closes_at)
    }
    pub fn accepts(&mut self, agent: AgentId) -> Answer {
        let reservation = self.latest_of(agent);
        self.agent(agent, Command::AcceptReservation { reservation })
    }
    pub fn declines(&mut self, agent: AgentId) -> Answer {
        let reservation = self.latest_of(agent);
        self.agent(agent, Command::DeclineReservation { reservation, reason: None })
    }
    /// The clock goes on to the deadline of the pending reservation.
    pub fn lapses(&mut self) -> Vec<Event> {
        let (_, row) = self.pending().expect("a reservation is pending");
        let deadline = row.deadline;
        self.until(deadline)
    }
    /// The same of the agent's latest one, of whatever inquiry.
    pub fn lapses_of(&mut self, agent: AgentId) -> Vec<Event> {
        let deadline = self.state.reservations.get(self.latest_of(agent)).expect("it is pending").deadline;
        self.until(deadline)
    }
    /// The agent selects the inquiry itself.
    pub fn claims(&mut self, agent: AgentId) -> Answer {
        let inquiry = self.inquiry;
        self.agent(agent, Command::ClaimInquiry { inquiry })
    }
    /// The provider may owe this much.
    pub fn limits(&mut self, provider: ProviderId, limit: &str) {
        let seq = self.steps.len() as u64;
        let source = SourcePosition { hash: "00".to_owned(), log: "limits".parse().unwrap(), seq };
        let grant = Command::GrantCreditLimits { provider, limits: vec![eur(limit)], lifted: vec![], source };
        self.asks(Actor::System, grant).unwrap();
    }
    /// Its provider keeps the agent from its inquiries, or lets it back.
    pub fn blocks(&mut self, agent: AgentId, on: bool) -> Answer {
        let provider = PROVIDER;
        let command = match on {
            true => Command::BlockAgent { agent, provider },
            false => Command::UnblockAgent { agent, provider },
        };
        self.asks(Actor::Provider(provider), command)
    }
    /// The agent keeps away from the customer of the inquiry, or no longer.
    pub fn keeps_away(&mut self, agent: AgentId, on: bool) -> Answer {
        let (owner, customer, inquiry) = (Party::Agent(agent), CUSTOMER, self.inquiry);
        let command = match on {
            true => Command::BlockCustomer { owner, customer, inquiry },
            false => Command::UnblockCustomer { owner, customer },
        };
        self.agent(agent, command)
    }
    /// What the agent would pay or take for a topic.
    pub fn values(
        &mut self,
        agent: AgentId,
        about: &str,
        direction: domain::terms::Direction,
        value: Option<&str>,
        valid_until: Option<Timestamp>,
    ) -> Answer {
        let (topic, value) = (topic(about), value.map(eur));
        self.agent(agent, Command::SetStandingValue { agent, topic, direction, value, valid_until })
    }
    pub fn withdraws(&mut self) -> Answer {
        let inquiry = self.inquiry;
        self.customer(Command::WithdrawInquiry { inquiry, reason: None })
    }
    /// Withdrawn by an operator, for good.
    pub fn ends(&mut self) -> Answer {
        let inquiry = self.inquiry;
        self.operator(Command::WithdrawInquiry { inquiry, reason: None })
    }
    pub fn resumes(&mut self) -> Answer {
        let inquiry = self.inquiry;
        self.customer(Command::ResumeInquiry { inquiry })
    }
    // Looking.

    pub fn row(&self) -> &Inquiry {
        self.state.inquiries.get(self.inquiry).expect("the inquiry is open")
    }
    pub fn auction(&self) -> AuctionId {
        self.row().auction().expect("the inquiry was auctioned")
    }
    pub fn open_auction(&self) -> &Auction {
        self.state.auctions.get(self.auction()).unwrap()
    }
    pub fn price(&self) -> Option<Money> {
        let auction = self.open_auction();
        auction.bidding.price.map(|price| Money::new(price, auction.rules.currency).unwrap())
    }
    pub fn session(&self) -> SessionId {
        self.row().session.expect("a session was opened")
    }
    pub fn who(&self, agent: AgentId) -> &Agent {
        self.state.agents.get(agent).unwrap()
    }
    pub fn held(&self, agent: AgentId) -> Money {
        self.money(Party::Agent(agent), |account| account.held)
    }
    pub fn balance(&self, owner: Party) -> Money {
        self.money(owner, |account| account.balance)
    }
    pub fn held_of(&self, owner: Party) -> Money {
        self.money(owner, |account| account.held)
    }
    fn money(&self, owner: Party, of: impl Fn(&domain::state::Account) -> Decimal) -> Money {
        Money::new(self.state.accounts.get((owner, euro())).map_or(Decimal::ZERO, of), euro()).unwrap()
    }
    pub fn pending(&self) -> Option<(ReservationId, &Reservation)> {
        let id = self.row().reservation()?;
        self.state.reservations.get(id).filter(|row| row.phase == ReservationPhase::Pending).map(|row| (id, row))
    }
    /// Who is asked for consent now, and at which price.
    pub fn asked(&self) -> Option<(AgentId, Money)> {
        self.pending().map(|(_, row)| (row.agent, row.price.expect("an award has a price")))
    }
    /// The agent's latest reservation, of whatever inquiry.
    pub fn latest_of(&self, agent: AgentId) -> ReservationId {
        let opened = self.log.iter().rev().find_map(|(_, event)| match event {
            Event::Reservation(ReservationEvent::Opened(opened)) if opened.agent == agent => Some(opened.reservation),
            _ => None,
        });
        opened.expect("the agent was asked")
    }

    /// The log after its first `seen` events, folded onto `state`, and the mark where that began.
    pub fn folded_from(&self, mut state: State, seen: usize) -> (Mark, State) {
        let mark = state.mark();
        for (at, event) in &self.log[seen..] {
            apply(&mut state, event, *at);
        }
        (mark, state)
    }
    /// The state that the log alone gives.
    pub fn folded(&self) -> State {
        let mut state = State::default();
        for (at, event) in &self.log {
            apply(&mut state, event, *at);
        }
        state
    }
}

/// Whose bids did not win, and why, in order.
pub fn losses(events: &[Event]) -> Vec<(AgentId, LossReason)> {
    let lost = |event: &Event| match event {
        Event::Auction(AuctionEvent::BidLost(e)) => Some((e.agent, e.reason)),
        _ => None,
    };
    events.iter().filter_map(lost).collect()
}
/// Whose bids were passed over or came to nothing, and why, in order.
pub fn forfeits(events: &[Event]) -> Vec<(AgentId, LossReason)> {
    let forfeited = |event: &Event| match event {
        Event::Auction(AuctionEvent::BidForfeited(e)) => Some((e.agent, e.reason)),
        _ => None,
    };
    events.iter().filter_map(forfeited).collect()
}
/// Whom a lapse or a refusal names as the second agent.
pub fn second_agent(events: &[Event]) -> Option<AgentId> {
    events.iter().find_map(|event| match event {
        Event::Reservation(ReservationEvent::Lapsed(e)) => Some(e.second_agent),
        Event::Reservation(ReservationEvent::Declined(e)) => Some(e.second_agent),
        _ => None,
    })?
}
pub fn statuses(events: &[Event]) -> Vec<(AgentId, Will)> {
    let set = |event: &Event| match event {
        Event::Agent(domain::event::agent::AgentEvent::StatusSet(e)) => Some((e.agent, e.will)),
        _ => None,
    };
    events.iter().filter_map(set).collect()
}
/// Names of what happened, such as `auction.awarded`, to be compared as a list.
pub fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(super::json::name).collect()
}
