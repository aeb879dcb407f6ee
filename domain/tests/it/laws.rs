//! Laws: what holds after any commands in any order, at any time. The auditor looks after each step
//! (`support/auditor.rs`); here the market is driven at random, and the whole is looked at in the end.

use crate::hours;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::decide::{Ctx, Outcome, execute, execute_due};
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::AuctionEvent;
use domain::event::community::{Location, OfferAccepted, SourcePosition};
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::{RefundReason, SettlementEvent};
use domain::event::wallet::Party;
use domain::fees::{FeeRule, Percent};
use domain::ids::*;
use domain::log::LogName;
use domain::money::Money;
use domain::split::Rounding;
use domain::state::{InquiryState, State};
use domain::terms::RoutingPolicy::*;
use domain::terms::{Allocation, AuctionFormat, AuctionRules, Direction, OfferTerms, RelaxationRing};
use domain::time::{Span, Timestamp};
use proptest::prelude::*;
use rust_decimal::Decimal;

const AGENTS: [AgentId; 4] = [ANN, BEN, CAT, DAN];

/// Something that somebody does. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Deed {
    /// `patience`: how many seconds the inquiry may wait; 0: an hour.
    Ask {
        rules: usize,
        wrap_up: bool,
        topics: usize,
        patience: i64,
    },
    Claim {
        agent: usize,
        inquiry: usize,
    },
    Value {
        agent: usize,
        topic: usize,
        cents: i64,
        forward: bool,
        seconds: i64,
    },
    Bid {
        agent: usize,
        auction: usize,
        cents: i64,
    },
    WithdrawBid {
        bid: usize,
    },
    View {
        asked: usize,
    },
    Accept {
        asked: usize,
    },
    Decline {
        asked: usize,
    },
    Resume {
        inquiry: usize,
    },
    Withdraw {
        inquiry: usize,
    },
    Talk {
        session: usize,
    },
    Extend {
        session: usize,
    },
    End {
        session: usize,
        by_customer: bool,
    },
    Complete {
        session: usize,
    },
    Will {
        agent: usize,
        will: Will,
    },
    /// A node reports these, by the bits.
    Report {
        agents: u8,
    },
    Forgive {
        agent: usize,
    },
    Credit {
        agent: usize,
        cents: i64,
    },
    CreditProvider {
        cents: i64,
    },
    /// A fee rule, begun or not.
    Rule {
        commission: i64,
        seconds: i64,
    },
    Refund {
        settlement: usize,
        cents: i64,
    },
    LimitProvider {
        cents: i64,
    },
    Capacity {
        agent: usize,
        capacity: u32,
    },
    Learn {
        agent: usize,
    },
    Declare {
        topic: usize,
    },
    RetireQueue {
        queue: usize,
    },
    Move {
        agent: usize,
        location: usize,
    },
    /// By the provider; without `on` it is taken back.
    Block {
        agent: usize,
        on: bool,
    },
    KeepAway {
        agent: usize,
        on: bool,
    },
    Erase,
    Traffic {
        location: usize,
        traffic: i64,
        seconds: i64,
    },
    Limits {
        traffic: i64,
        sessions: u32,
    },
    Pass {
        microseconds: i64,
    },
    ToTheDeadline,
    JustBeforeTheDeadline,
    BeDown {
        seconds: i64,
    },
}

const TOPICS: [&[&str]; 4] = [&["help"], &["help/cards"], &["cards", "cards/lost"], &["help", "cards"]];

/// How agents come to the market's inquiries: formats, directions, and what makes closings and chains of every kind.
fn menu() -> Vec<Allocation> {
    let mut menu = vec![];
    for direction in [Direction::Forward, Direction::Reverse] {
        for format in [
            AuctionFormat::SealedFirstPrice,
            AuctionFormat::SealedSecondPrice,
            AuctionFormat::Open,
            AuctionFormat::Proxy,
        ] {
            let plain = AuctionRules { rounds: 2, ..auction(direction, format) };
            menu.push(Allocation::Auction(plain.clone()));
            let reserved = plain.reserve("5.00");
            menu.push(Allocation::Auction(reserved.clone().hidden().rounds(3)));
            if !format.is_sealed() {
                let buy_now = if direction == Direction::Forward { "8.00" } else { "2.00" };
                let rules = reserved.soft_close(15, 90).buy_now(buy_now).step("0", "0.25");
                menu.push(Allocation::Auction(rules));
            }
        }
        for price in [None, Some(eur("2.00"))] {
            menu.push(Allocation::Claim { direction, price });
            // As many again, so that they are about as frequent as auctions.
            for policy in [LongestIdle, BestSkilled, RoundRobin, LongestIdle, RoundRobin] {
                menu.push(Allocation::Routed { direction, policy, price });
            }
        }
        for bound in ["1.00", "4.00"] {
            menu.push(Allocation::Routed { direction, policy: BestValue, price: Some(eur(bound)) });
        }
    }
    menu
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let agent = 0usize..4;
    let some = 0usize..1_000;
    let one = prop_oneof![
        6 => (some.clone(), any::<bool>(), 0usize..4, prop_oneof![3 => Just(0), 1 => 1i64..40]).prop_map(|(rules, wrap_up, topics, patience)| Deed::Ask { rules, wrap_up, topics, patience }),
        40 => (agent.clone(), some.clone(), 50i64..1_200).prop_map(|(agent, auction, cents)| Deed::Bid { agent, auction, cents }),
        6 => (agent.clone(), some.clone()).prop_map(|(agent, inquiry)| Deed::Claim { agent, inquiry }),
        4 => (agent.clone(), 0usize..4, -80i64..600, any::<bool>(), 0i64..90).prop_map(|(agent, topic, cents, forward, seconds)| Deed::Value { agent, topic, cents, forward, seconds }),
        2 => some.clone().prop_map(|bid| Deed::WithdrawBid { bid }),
        2 => some.clone().prop_map(|asked| Deed::View { asked }),
        12 => some.clone().prop_map(|asked| Deed::Accept { asked }),
        8 => some.clone().prop_map(|asked| Deed::Decline { asked }),
        2 => some.clone().prop_map(|inquiry| Deed::Withdraw { inquiry }),
        2 => some.clone().prop_map(|inquiry| Deed::Resume { inquiry }),
        1 => some.clone().prop_map(|session| Deed::Talk { session }),
        1 => some.clone().prop_map(|session| Deed::Extend { session }),
        9 => (some.clone(), any::<bool>()).prop_map(|(session, by_customer)| Deed::End { session, by_customer }),
        8 => some.clone().prop_map(|session| Deed::Complete { session }),
        1 => (agent.clone(), prop_oneof![Just(Will::Offline), Just(Will::Break)]).prop_map(|(agent, will)| Deed::Will { agent, will }),
        7 => agent.clone().prop_map(|agent| Deed::Will { agent, will: Will::Available }),
        4 => (0u8..16).prop_map(|agents| Deed::Report { agents }),
        1 => agent.clone().prop_map(|agent| Deed::Forgive { agent }),
        2 => (agent.clone(), 1i64..1_500).prop_map(|(agent, cents)| Deed::Credit { agent, cents }),
        1 => (1i64..900).prop_map(|cents| Deed::CreditProvider { cents }),
        1 => (0i64..1_000_000, -60i64..60).prop_map(|(commission, seconds)| Deed::Rule { commission, seconds }),
        3 => (some.clone(), 1i64..1_500).prop_map(|(settlement, cents)| Deed::Refund { settlement, cents }),
        1 => (2_000i64..4_000).prop_map(|cents| Deed::LimitProvider { cents }),
        1 => (agent.clone(), 2u32..4).prop_map(|(agent, capacity)| Deed::Capacity { agent, capacity }),
        1 => agent.clone().prop_map(|agent| Deed::Learn { agent }),
        1 => (0usize..4).prop_map(|topic| Deed::Declare { topic }),
        1 => some.prop_map(|queue| Deed::RetireQueue { queue }),
        1 => (agent.clone(), 0usize..3).prop_map(|(agent, location)| Deed::Move { agent, location }),
        2 => (agent.clone(), 0u8..3).prop_map(|(agent, on)| Deed::Block { agent, on: on == 0 }),
        2 => (agent.clone(), 0u8..3).prop_map(|(agent, on)| Deed::KeepAway { agent, on: on == 0 }),
        1 => Just(Deed::Erase),
        3 => (0usize..2, 0i64..14, 1i64..60).prop_map(|(location, traffic, seconds)| Deed::Traffic { location, traffic, seconds }),
        1 => (5i64..14, 0u32..4).prop_map(|(traffic, sessions)| Deed::Limits { traffic, sessions }),
        4 => (0i64..12_000_000).prop_map(|microseconds| Deed::Pass { microseconds }),
        5 => Just(Deed::ToTheDeadline),
        2 => Just(Deed::JustBeforeTheDeadline),
        // Also over the end of a wrap-up.
        2 => prop_oneof![0i64..60, 540i64..700].prop_map(|seconds| Deed::BeDown { seconds }),
    ];
    proptest::collection::vec(one, 1..180)
}

fn cents(amount: i64) -> Money {
    Money::new(Decimal::new(amount, 2), euro()).unwrap()
}

/// What the log has named so far, by kind.
fn seen<T: Copy>(market: &Market, pick: impl Fn(&Event) -> Option<T>, number: usize) -> Option<T> {
    let all: Vec<T> = market.log.iter().filter_map(|(_, event)| pick(event)).collect();
    // The latest are the ones that matter most: count from the end, the last three mostly.
    let reach = if number.is_multiple_of(4) { all.len() } else { all.len().min(3) };
    if reach == 0 { None } else { all.get(all.len() - 1 - number % reach).copied() }
}

fn registered(event: &Event) -> Option<InquiryId> {
    match event {
        Event::Inquiry(InquiryEvent::Registered(e)) => Some(e.inquiry),
        _ => None,
    }
}

/// Each recorded choice is what the state just before it gives, and the best by a reckoning of its own.
fn choices_are_the_best(log: &[(Timestamp, Event)]) {
    let mut state = State::default();
    for (at, event) in log {
        if let Event::Inquiry(InquiryEvent::SelectionMade(e)) = event
            && let Allocation::Routed { .. } = &state.inquiries.get(e.inquiry).unwrap().terms.allocation
        {
            assert_eq!(domain::routing::why(&state, e.inquiry, *at).as_ref(), Some(&e.why), "recomputed");
            assert_eq!(routed::best(&state, e.inquiry, *at), e.agent, "the best of those who could have it");
        }
        if let Event::Auction(AuctionEvent::Awarded(e)) = event {
            let location = &state.agents.get(e.agent).unwrap().location;
            assert!(!routed::is_avoided(&state, location), "nobody is awarded anything at {location}");
        }
        domain::decide::apply(&mut state, event, *at);
    }
}

/// Graz has limits, Linz one of traffic; Wels is not known.
fn limited(limit: Option<Decimal>, session_limit: Option<u32>) -> Vec<Location> {
    let graz = Location { limit, name: "Graz".to_owned(), session_limit, traffic_unit: None };
    let linz = Location { limit: Some(Decimal::TEN), name: "Linz".to_owned(), ..Location::default() };
    vec![graz, linz]
}

/// Does it, whatever the answer: refusals too must change nothing.
fn does(market: &mut Market, deed: &Deed, menu: &[Allocation]) {
    let session_of = |event: &Event| match event {
        Event::Session(SessionEvent::Opened(e)) => Some((e.session, e.channel, e.agent)),
        _ => None,
    };
    match deed {
        Deed::Ask { rules, wrap_up, topics, patience } => {
            let allocation = menu[rules % menu.len()].clone();
            let terms = OfferTerms { allocation, ..terms::terms(forward(AuctionFormat::Open)) };
            let max_wait = if *patience == 0 { terms.max_wait } else { Span::seconds(*patience) };
            let ring = RelaxationRing { after: Span::seconds(*patience / 3), any_topic: true, lower_levels: 1 };
            let relaxation = if *patience > 6 { vec![ring] } else { vec![] };
            // Closed for the first minute of the day.
            let hours = (*patience % 4 == 1).then(|| hours::daily("UTC", 8 * 60 + 1, 8 * 60));
            let terms = OfferTerms {
                hours,
                wrap_up: terms.wrap_up.filter(|_| *wrap_up),
                max_wait,
                priority: (*patience).rem_euclid(4) as u32,
                relaxation,
                ..terms
            };
            let routed = matches!(terms.allocation, Allocation::Routed { .. });
            let prefers = routed && *patience % 3 == 0;
            let prefer_last_agent_for = if prefers { Span::seconds(40) } else { Span::ZERO };
            let terms = OfferTerms { prefer_last_agent_for, ..terms };
            let last_agent = prefers.then(|| AGENTS[*topics % AGENTS.len()]);
            let acceptance = OfferAccepted { last_agent, ..market.acceptance(terms, TOPICS[*topics]) };
            market.registers_this(acceptance).unwrap();
        }
        Deed::Bid { agent, auction, cents: amount } => {
            let opened = |event: &Event| match event {
                Event::Auction(AuctionEvent::Opened(e)) => Some(e.auction),
                _ => None,
            };
            if let Some(auction) = seen(market, opened, *auction) {
                let _ = market.agent(AGENTS[*agent], Command::PlaceBid { auction, amount: cents(*amount) });
            }
        }
        Deed::Claim { agent, inquiry } => {
            if let Some(inquiry) = seen(market, registered, *inquiry) {
                let _ = market.agent(AGENTS[*agent], Command::ClaimInquiry { inquiry });
            }
        }
        Deed::Value { agent, topic: number, cents: amount, forward, seconds } => {
            let command = Command::SetStandingValue {
                agent: AGENTS[*agent],
                topic: topic(["help", "cards", "cards/lost", "help/cards"][*number]),
                direction: if *forward { Direction::Forward } else { Direction::Reverse },
                value: (*amount > 0).then(|| cents(*amount)),
                valid_until: (*seconds > 0).then(|| market.now + Span::seconds(*seconds)),
            };
            market.agent(AGENTS[*agent], command).unwrap();
        }
        Deed::WithdrawBid { bid } => {
            let placed = |event: &Event| match event {
                Event::Auction(AuctionEvent::BidPlaced(e)) => Some((e.bid, e.agent)),
                _ => None,
            };
            if let Some((bid, agent)) = seen(market, placed, *bid) {
                let _ = market.agent(agent, Command::WithdrawBid { bid });
            }
        }
        Deed::View { asked } => answer(market, *asked, |reservation| Command::ViewReservation { reservation }),
        Deed::Accept { asked } => answer(market, *asked, |reservation| Command::AcceptReservation { reservation }),
        Deed::Decline { asked } => {
            answer(market, *asked, |reservation| Command::DeclineReservation { reservation, reason: None })
        }
        Deed::Withdraw { inquiry } => {
            if let Some(inquiry) = seen(market, registered, *inquiry) {
                let _ = market.customer(Command::WithdrawInquiry { inquiry, reason: None });
            }
        }
        Deed::Resume { inquiry } => {
            if let Some(inquiry) = seen(market, registered, *inquiry) {
                let _ = market.customer(Command::ResumeInquiry { inquiry });
            }
        }
        Deed::Talk { session } => {
            if let Some((session, channel, agent)) = seen(market, session_of, *session) {
                let _ = market.customer(Command::SendMessage { session, channel, text: sealed("hello") });
                let _ = market.agent(agent, Command::SendMessage { session, channel, text: sealed("hello") });
                let _ = market.agent(agent, Command::SaveNotes { session, notes: sealed("notes") });
            }
        }
        Deed::Extend { session } => {
            if let Some((session, _, agent)) = seen(market, session_of, *session) {
                let _ = market.agent(agent, Command::ExtendWrapUp { session, by: Span::seconds(30) });
            }
        }
        Deed::End { session, by_customer } => {
            if let Some((session, _, agent)) = seen(market, session_of, *session) {
                let actor = if *by_customer { Actor::Customer(CUSTOMER) } else { Actor::Agent(agent) };
                let _ = market.asks(actor, Command::EndSession { session });
            }
        }
        Deed::Complete { session } => {
            if let Some((session, _, agent)) = seen(market, session_of, *session) {
                let _ = market.agent(agent, Command::CompleteWrapUp { session, information: Some(sealed("record")) });
            }
        }
        Deed::Will { agent, will } => {
            market.will(AGENTS[*agent], *will);
        }
        Deed::Report { agents } => {
            let agents: Vec<AgentId> = (0..4).filter(|bit| agents >> bit & 1 == 1).map(|bit| AGENTS[bit]).collect();
            market.reports(&agents);
        }
        Deed::Forgive { agent } => {
            let _ = market.operator(Command::ForgiveStrikes { agent: AGENTS[*agent], reason: sealed("forgiven") });
        }
        Deed::Credit { agent, cents: amount } => market.credit(AGENTS[*agent], &cents(*amount).amount().to_string()),
        Deed::CreditProvider { cents: amount } => {
            let command = Command::CreditWallet {
                owner: Party::Provider(PROVIDER),
                amount: cents(*amount),
                reference: "bank".to_owned(),
            };
            market.asks(Actor::Finance("till".into()), command).unwrap();
        }
        Deed::Rule { commission, seconds } => {
            let number = market.steps.len() as u32;
            let rule = FeeRule {
                id: FeeRuleId(number.into()),
                number,
                commission: Percent::new(Decimal::new(*commission, 4)).unwrap(),
                tax: "20".parse().unwrap(),
                tax_rounding: Rounding::HalfEven,
                return_window: Span::seconds(*seconds + 60),
                jurisdiction: Some("at".to_owned()),
                valid_from: market.now + Span::seconds(*seconds),
            };
            let source = SourcePosition { hash: "00".into(), log: LogName::treasury(), seq: number.into() };
            market.asks(Actor::System, Command::TakeFeeRule { rule, source }).unwrap();
        }
        Deed::Refund { settlement, cents: amount } => {
            let pending = |event: &Event| match event {
                Event::Settlement(SettlementEvent::Pending(e)) => Some(e.settlement),
                _ => None,
            };
            if let Some(settlement) = seen(market, pending, *settlement) {
                let command =
                    Command::RefundSettlement { settlement, amount: cents(*amount), reason: RefundReason::Goodwill };
                let _ = market.asks(Actor::Finance("till".into()), command);
            }
        }
        Deed::LimitProvider { cents: limit } => {
            // Never under what it owes: a limit cut below that is the operator's own doing.
            let owner = Party::Provider(PROVIDER);
            let owes = market.held_of(owner).minus(market.balance(owner)).unwrap().amount().max(Decimal::ZERO);
            let limit = Money::new(Decimal::new(*limit, 2) + owes, euro()).unwrap();
            let source = SourcePosition {
                hash: "00".to_owned(),
                log: "limits".parse().unwrap(),
                seq: market.steps.len() as u64,
            };
            market
                .asks(
                    Actor::System,
                    Command::GrantCreditLimits { provider: PROVIDER, limits: vec![limit], lifted: vec![], source },
                )
                .unwrap();
        }
        Deed::Capacity { agent, capacity } => {
            let capacity = market.who(AGENTS[*agent]).capacity.max(*capacity);
            update(market, AGENTS[*agent], None, Some(capacity));
        }
        Deed::Learn { agent } => update(market, AGENTS[*agent], Some(vec![skill("help", 1), skill("cards", 1)]), None),
        Deed::Declare { topic: number } => {
            let topic = topic(["help", "cards", "cards/lost", "help/cards"][*number]);
            let _ = market.operator(Command::DeclareQueue {
                priority_credit: Span::seconds(20),
                topic,
                required_skills: vec![],
            });
        }
        Deed::RetireQueue { queue } => {
            let opened = |event: &Event| match event {
                Event::Queue(domain::event::queue::QueueEvent::Opened(e)) => Some(e.queue),
                _ => None,
            };
            if let Some(queue) = seen(market, opened, *queue) {
                let _ = market.operator(Command::RetireQueue { queue });
            }
        }
        Deed::Move { agent, location } => market.sits(AGENTS[*agent], ["Graz", "Linz", "Wels"][*location]),
        Deed::Block { agent, on } => {
            market.blocks(AGENTS[*agent], *on).unwrap();
        }
        Deed::KeepAway { agent, on } => {
            let _ = market.keeps_away(AGENTS[*agent], *on);
        }
        Deed::Erase => {
            market.forgets(CUSTOMER).unwrap();
        }
        Deed::Traffic { location, traffic, seconds } => {
            market.traffic(["Graz", "Linz"][*location], &traffic.to_string(), *seconds).unwrap();
        }
        Deed::Limits { traffic, sessions } => {
            market.starts(limited(Some(Decimal::from(*traffic)), (*sessions > 0).then_some(*sessions)));
        }
        Deed::Pass { microseconds } => {
            market.pass(Span(*microseconds));
        }
        Deed::ToTheDeadline => {
            if let Some(due) = market.state.next_deadline() {
                market.until(due);
            }
        }
        Deed::JustBeforeTheDeadline => {
            if let Some(due) = market.state.next_deadline() {
                market.until(before(due));
            }
        }
        Deed::BeDown { seconds } => {
            let wakes = market.now + Span::seconds(*seconds);
            market.wakes_at(wakes);
        }
    }
}

/// One of the latest reservations is answered by its agent, in time or not.
fn answer(market: &mut Market, number: usize, command: impl Fn(ReservationId) -> Command) {
    let opened = |event: &Event| match event {
        Event::Reservation(ReservationEvent::Opened(e)) => Some((e.reservation, e.agent)),
        _ => None,
    };
    if let Some((reservation, agent)) = seen(market, opened, number) {
        let _ = market.agent(agent, command(reservation));
    }
}

fn update(market: &mut Market, agent: AgentId, skills: Option<Vec<Skill>>, capacity: Option<u32>) {
    let command = Command::UpdateAgent {
        agent,
        display_name: None,
        location: None,
        skills,
        capacity,
        affiliated_with: Patch::Keep,
        credit_limit: None,
    };
    market.operator(command).unwrap();
}

/// The recorded steps, decided again from nothing.
fn decided_again(steps: &[Step]) -> (State, Vec<Event>) {
    let mut state = State::default();
    let mut log = vec![];
    for step in steps {
        let ctx =
            |at: domain::time::Timestamp, actor, entropy| Ctx { now: at, actor, ids: IdSource::new(at.0, entropy) };
        match step {
            Step::Command { at, by, command, entropy } => {
                let outcome = execute(&mut state, command, &ctx(*at, by.clone(), *entropy));
                log.extend(outcome.map(Outcome::into_events).unwrap_or_default());
            }
            Step::Due { at, late, entropy } => {
                log.extend(execute_due(&mut state, *late, &ctx(*at, Actor::System, *entropy)).unwrap());
            }
        }
    }
    (state, log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_after_anything(deeds in deeds()) {
        let menu = menu();
        let mut market = Market::empty();
        market.starts(limited(Some(Decimal::TEN), Some(3)));
        for (number, agent) in AGENTS.into_iter().enumerate() {
            market.hire(agent, ["8.00", "12.00", "30.00", "3.00"][number], [1, 2, 1, 1][number]);
        }
        let (at_first, seen) = (market.state.clone(), market.log.len());
        for agent in [ANN, BEN, CAT] {
            update(&mut market, agent, Some(vec![skill("help", 1), skill("cards", 1)]), None);
        }
        for deed in &deeds {
            does(&mut market, deed, &menu);
        }

        prop_assert!(market.folded() == market.state, "the log alone gives the state");
        let (state, log) = decided_again(&market.steps);
        prop_assert!(state == market.state, "deciding again gives the state");
        prop_assert!(log.iter().eq(market.log.iter().map(|(_, event)| event)), "and the events");

        choices_are_the_best(&market.log);

        // Written as a snapshot in the middle of the day, and read again, it goes on as if nothing had been.
        let (day, cut) = (&market.log, market.log.len() / 2);
        let fold = |mut state: State, from: usize, to: usize| {
            for (now, event) in &day[from..to] {
                domain::decide::apply(&mut state, event, *now);
            }
            state
        };
        let noon = fold(State::default(), 0, cut);
        let written = rmp_serde::to_vec_named(&noon).unwrap();
        let mut read: State = rmp_serde::from_slice(&written).unwrap();
        read.share();
        prop_assert!(read == noon, "a state is read as it was written");
        prop_assert!(rmp_serde::to_vec_named(&read).unwrap() == written, "equal states are equal bytes");
        prop_assert!(fold(read, cut, day.len()) == market.state, "and goes on to the same");

        // All of it taken back at once: the journal of a whole day.
        let (mark, mut day) = market.folded_from(at_first.clone(), seen);
        day.roll_back(mark);
        prop_assert!(day == at_first, "a day is taken back as a command is");

        // In the evening everybody goes home, and nothing is left but what is owed.
        evening(&mut market);
        prop_assert!(market.state.inquiries.is_empty() && market.state.settlements.is_empty() && market.state.timers.is_empty());
        market.auditor.books_sum_to_zero();
        for (_, event) in &market.log {
            if let Event::Settlement(SettlementEvent::Escrowed(e)) = event {
                let escrow = format!("liabilities:escrow:{}", e.inquiry);
                prop_assert_eq!(market.auditor.posted(&escrow, euro()), Decimal::ZERO, "escrow is left empty");
            }
        }
    }
}

/// Withdraws what waits, ends what is open, and waits until all is payable.
fn evening(market: &mut Market) {
    let opened: Vec<InquiryId> = market
        .log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Inquiry(domain::event::inquiry::InquiryEvent::Registered(e)) => Some(e.inquiry),
            _ => None,
        })
        .collect();
    for inquiry in opened {
        let Some(row) = market.state.inquiries.get(inquiry).cloned() else { continue };
        match row.session {
            None if row.state == InquiryState::Withdrawn => {}
            None => market.customer(Command::WithdrawInquiry { inquiry, reason: None }).map(|_| ()).unwrap(),
            Some(session) => {
                let _ = market.customer(Command::EndSession { session });
            }
        }
    }
    market.pass(Span::days(5));
}
