//! What people ask on a simulated day: every command there is, by whoever may and sometimes by whoever may
//! not, about what is known to be there and sometimes about what is not.
//!
//! Deliberately not here: when an order is sent, to which node, and how often.

use crate::dice::Dice;
use crate::hooks;
use crate::house::log;
use crate::known::{Known, KnownMarket, KnownSession};
use crate::menu::{self, grid, skill, topic};
use crate::trade;
use domain::actor::Actor;
use domain::command::{AgentChoice, ChannelReport, Command};
use domain::event::agent::Will;
use domain::event::settlement::RefundReason;
use domain::event::wallet::Party;
use domain::ids::*;
use domain::log::LogName;
use domain::money::Money;
use domain::patch::Patch;
use domain::sealed::Sealed;
use domain::split::Rounding;
use domain::terms::{ChannelKind, Direction};
use domain::time::Span;
use domain::topic::Skill;
use rust_decimal::Decimal;
use store::writer::order::{Key, Order};

/// A command on its way: to which log, by whom.
pub type Deed = (LogName, Actor, Command);

pub fn operator() -> Actor {
    Actor::Operator("op".into())
}
fn finance() -> Actor {
    Actor::Finance("fin".into())
}
pub fn sealed(subject: impl Into<Subject>) -> Sealed {
    Sealed { ciphertext: "c2VhbGVk".into(), subject: subject.into() }
}

/// An order as the edge makes it. `key`: from a person who may ask again.
pub fn order(dice: &mut Dice, (_, actor, command): Deed, key: Option<Key>) -> Order {
    let entropy = store::writer::order::Entropy(dice.bytes());
    Order { command, actor, id: entropy.command_id(), key, causation: None, source: None, trace: None, entropy }
}

const WEIGHTS: [(usize, Draw); 63] = [
    (28, bid),
    (3, claim),
    (3, set_standing_value),
    (1, block_agent),
    (4, unblock_agent),
    (1, keep_away),
    (2, come_back),
    (1, trade::block_customer),
    (4, trade::unblock_customer),
    (1, read_notices),
    (1, forgive_strikes),
    (13, trade::accept_offer),
    (12, consent),
    (5, decline),
    (1, view),
    (3, withdraw_bid),
    (3, withdraw_inquiry),
    (3, resume_inquiry),
    (4, send_message),
    (7, end_session),
    (5, invite),
    (2, transfer),
    (1, take_back),
    (2, leave),
    (2, open_side_channel),
    (1, close_channel),
    (1, report_channel),
    (2, save_notes),
    (2, extend_wrap_up),
    (2, confirm_topics),
    (6, complete_wrap_up),
    (11, will),
    (4, report_presence),
    (4, credit_agent),
    (1, credit_provider),
    (3, refund_settlement),
    (3, pay_out),
    (1, return_payout),
    (1, net_payable),
    (1, set_fee_rule),
    (2, update_agent),
    (3, report_traffic),
    (1, register_agent),
    (1, declare_queue),
    (3, merge_queues),
    (1, retire_queue),
    (1, trade::erase_customer),
    (1, trade::revise_offer),
    (1, trade::pause_offer),
    (4, trade::resume_offer),
    (1, trade::retire_offer),
    (2, trade::update_provider),
    (1, trade::limit_provider),
    (1, trade::register_provider),
    (1, trade::publish_offer),
    (1, trade::update_call_server),
    (1, trade::open_call_server),
    (1, hooks::create_webhook),
    (1, hooks::rotate_secret),
    (1, hooks::delete_webhook),
    (2, hooks::redeliver),
    (1, process_by_hand),
    (1, nonsense),
];

type Draw = fn(&mut Dice, &Known, &LogName) -> Option<Deed>;

/// Somebody wants something.
pub fn draw(dice: &mut Dice, known: &Known) -> Deed {
    let weights = WEIGHTS.map(|(weight, _)| weight);
    loop {
        let market = log(dice.one(&["main", "main", "east"]));
        let (_, any) = WEIGHTS[dice.weighed(&weights)];
        let draw = what_waits(dice, known, &market).unwrap_or(any);
        if let Some((log, actor, command)) = draw(dice, known, &market) {
            let stranger = dice.percent(2);
            return (log, if stranger { self::stranger(dice) } else { actor }, command);
        }
    }
}

/// Who is asked, who talks, who wraps up: mostly they go on.
fn what_waits(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Draw> {
    let market = market(known, log)?;
    if known.crowded && dice.percent(3) {
        return Some(merge_queues);
    }
    if market.reservations.iter().any(|one| one.pending && one.by.is_some()) && dice.percent(12) {
        return Some(take_back);
    }
    if market.sessions.iter().any(|one| one.open && !one.sides.is_empty()) && dice.percent(30) {
        return Some(dice.one(&[send_message as Draw, close_channel, report_channel, leave]));
    }
    if market.sessions.iter().any(|one| one.open && !one.guests.is_empty()) && dice.percent(30) {
        return Some(dice.one(&[open_side_channel as Draw, open_side_channel, leave, transfer, invite]));
    }
    // Who is barred works on, and bids again from the moment the bar is taken away: what waited for it begins then.
    if !market.barred.is_empty() && dice.percent(10) {
        return Some(dice.one(&[works_on as Draw, works_on, forgive_barred]));
    }
    // Who has strikes is on its way to the next one: only three at once bar.
    let reluctant = |one: &crate::known::KnownReservation| one.pending && market.struck.contains(&one.agent);
    if market.reservations.iter().any(reluctant) && dice.percent(80) {
        return Some(decline_again);
    }
    if !market.struck.is_empty() && market.auctions.iter().any(|one| one.open) && dice.percent(50) {
        return Some(dice.one(&[win_again as Draw, win_again, back_to_work]));
    }
    if market.reservations.iter().any(|one| one.pending) && dice.percent(30) {
        return Some(dice.one(&[consent as Draw, consent, consent, decline, view]));
    }
    if market.sessions.iter().any(|one| one.open) && dice.percent(12) {
        return Some(dice.one(&[send_message as Draw, end_session, end_session, save_notes, invite, transfer, leave]));
    }
    if market.sessions.iter().any(|one| !one.open && !one.over) && dice.percent(12) {
        return Some(dice.one(&[complete_wrap_up as Draw, complete_wrap_up, extend_wrap_up, save_notes]));
    }
    if !market.claimable.is_empty() && dice.percent(18) {
        return Some(claim);
    }
    (market.auctions.iter().any(|one| one.open) && dice.percent(25)).then_some(bid as Draw)
}

fn stranger(dice: &mut Dice) -> Actor {
    dice.one(&[
        Actor::Anonymous,
        Actor::Customer(CustomerId(77)),
        Actor::Agent(AgentId(1)),
        Actor::Agent(AgentId(99)),
        Actor::Provider(ProviderId(5)),
        operator(),
        finance(),
        Actor::System,
    ])
}

fn market<'a>(known: &'a Known, log: &LogName) -> Option<&'a KnownMarket> {
    known.markets.get(log)
}

fn bid(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let open: Vec<_> = market.auctions.iter().filter(|one| one.open).cloned().collect();
    let auction = if dice.percent(95) { dice.pick(&open)? } else { dice.recent(&market.auctions)? };
    let agent = dice.pick(&market.agents)?;
    let rules = &auction.rules;
    let currency = if dice.percent(98) { rules.currency } else { menu::currency(dice) };
    let smallest = domain::money::Money::smallest(currency);
    let amount = match auction.price {
        Some(price) if dice.percent(60) && price.currency() == currency => {
            let step = match dice.throw(4) {
                0 => smallest,
                1 => domain::money::Money::zero(currency),
                _ => grid(dice.between(1, 4), currency),
            };
            let step = if rules.direction == Direction::Forward { step } else { step.negated() };
            price.plus(step).ok()?
        }
        _ if rules.direction == Direction::Forward => grid(dice.between(1, 26), currency),
        _ => grid(dice.between(6, 42), currency),
    };
    Some((log.clone(), Actor::Agent(agent), Command::PlaceBid { auction: auction.id, amount }))
}

/// Who has strikes bids what mostly leads. Barred, it may not.
fn win_again(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let open: Vec<_> = market.auctions.iter().filter(|one| one.open).cloned().collect();
    let (auction, agent) = (dice.pick(&open)?, *market.struck.last()?);
    let forward = auction.rules.direction == Direction::Forward;
    let named = if forward { dice.between(20, 28) } else { dice.between(1, 6) };
    let amount = grid(named, auction.rules.currency);
    Some((log.clone(), Actor::Agent(agent), Command::PlaceBid { auction: auction.id, amount }))
}
fn back_to_work(_: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = *market(known, log)?.struck.last()?;
    Some((log.clone(), Actor::Agent(agent), Command::SetAgentStatus { agent, will: Will::Available, note: None }))
}
fn works_on(_: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = *market(known, log)?.barred.last()?;
    Some((log.clone(), Actor::Agent(agent), Command::SetAgentStatus { agent, will: Will::Available, note: None }))
}
fn forgive_barred(_: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = *market(known, log)?.barred.last()?;
    Some((log.clone(), operator(), Command::ForgiveStrikes { agent, reason: sealed(agent) }))
}
fn decline_again(_: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let one = market.reservations.iter().find(|one| one.pending && market.struck.contains(&one.agent))?;
    let command = Command::DeclineReservation { reservation: one.id, reason: None };
    Some((log.clone(), Actor::Agent(one.agent), command))
}

/// The newest that nobody has: so several agents select the same one. Sometimes what somebody has, or what is not
/// selected so.
fn claim(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let inquiry = match dice.throw(20) {
        0 => dice.recent(&market.inquiries)?.0,
        _ => *market.claimable.last()?,
    };
    let agent = dice.pick(&market.agents)?;
    Some((log.clone(), Actor::Agent(agent), Command::ClaimInquiry { inquiry }))
}

/// By a provider that has an offer, of whoever is there.
fn block_agent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = dice.pick(&market(known, log)?.agents)?;
    let provider = dice.pick(&known.offers)?.provider;
    let actor = if dice.percent(80) { Actor::Provider(provider) } else { operator() };
    Some((log.clone(), actor, Command::BlockAgent { agent, provider }))
}
/// Mostly one that there is.
fn unblock_agent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (agent, provider) = dice.pick(&market(known, log)?.blocked)?;
    let actor = if dice.percent(80) { Actor::Provider(provider) } else { operator() };
    Some((log.clone(), actor, Command::UnblockAgent { agent, provider }))
}

/// By an agent that has talked with the customer.
fn keep_away(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let all = &market(known, log)?.sessions;
    let at = dice.throw(all.len().max(1));
    let KnownSession { agent, customer, inquiry, .. } = all.get(at)?.clone();
    let actor = if dice.percent(80) { Actor::Agent(agent) } else { operator() };
    Some((log.clone(), actor, Command::BlockCustomer { owner: Party::Agent(agent), customer, inquiry }))
}
fn come_back(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (agent, customer) = dice.pick(&market(known, log)?.kept)?;
    let actor = if dice.percent(80) { Actor::Agent(agent) } else { operator() };
    Some((log.clone(), actor, Command::UnblockCustomer { owner: Party::Agent(agent), customer }))
}

/// Mostly of who has some.
fn forgive_strikes(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let agent = if dice.percent(80) { dice.pick(&market.struck)? } else { dice.pick(&market.agents)? };
    Some((log.clone(), operator(), Command::ForgiveStrikes { agent, reason: sealed(agent) }))
}

/// Named for a while, changed, taken back. Some end at the very instant at which a reservation lapses.
fn set_standing_value(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let agent = dice.pick(&market.agents)?;
    let (direction, currency) = (dice.one(&[Direction::Forward, Direction::Reverse]), menu::currency(dice));
    let value = dice.percent(85).then(|| grid(dice.between(1, 24), currency));
    let lapses = market.reservations.iter().rev().find(|one| one.pending).map(|one| one.deadline);
    let valid_until = match dice.throw(10) {
        0..=2 => lapses,
        3..=4 => Some(market.now + Span::seconds(dice.one(&[0, 5, 60, 900]))),
        _ => None,
    };
    let topic = topic(dice.one(&["cards", "cards/lost", "loans", "loans/home", "travel", "general"]));
    let actor = if dice.percent(85) { Actor::Agent(agent) } else { operator() };
    let command = Command::SetStandingValue { agent, topic, direction, value, valid_until };
    Some((log.clone(), actor, command))
}
/// What an agent was told last, or something before; sometimes what the edge finds nowhere, or another's.
fn read_notices(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let (agent, through) = dice.recent(&market.told)?;
    let through = dice.percent(95).then_some(through);
    let actor = if dice.percent(95) { agent } else { dice.pick(&market.agents)? };
    Some((log.clone(), Actor::Agent(actor), Command::ReadNotices { agent, through }))
}

/// For the morning: what somebody would pay and take for what the house is about.
pub fn first_value(dice: &mut Dice, log: &LogName, agent: AgentId) -> Deed {
    let topic = topic(if log.as_str() == "main" { dice.one(&["cards", "loans"]) } else { "travel" });
    let direction = dice.one(&[Direction::Forward, Direction::Reverse]);
    let value = Some(grid(dice.between(1, 24), menu::currency(dice)));
    let command = Command::SetStandingValue { agent, topic, direction, value, valid_until: None };
    (log.clone(), Actor::Agent(agent), command)
}

fn reservation(dice: &mut Dice, known: &Known, log: &LogName) -> Option<(ReservationId, Actor)> {
    let all = &market(known, log)?.reservations;
    let pending: Vec<_> = all.iter().filter(|one| one.pending).cloned().collect();
    let one = if dice.percent(93) { dice.pick(&pending)? } else { dice.recent(all)? };
    Some((one.id, Actor::Agent(one.agent)))
}
fn consent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (reservation, agent) = reservation(dice, known, log)?;
    Some((log.clone(), agent, Command::AcceptReservation { reservation }))
}
fn decline(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (reservation, agent) = reservation(dice, known, log)?;
    let reason = dice.percent(30).then(|| sealed(AgentId(1)));
    Some((log.clone(), agent, Command::DeclineReservation { reservation, reason }))
}
fn view(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (reservation, agent) = reservation(dice, known, log)?;
    Some((log.clone(), agent, Command::ViewReservation { reservation }))
}
fn withdraw_bid(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let sealed: Vec<_> = market.sealed_bids().collect();
    let (bid, agent) = if dice.percent(70) { dice.pick(&sealed)? } else { dice.recent(&market.bids)? };
    Some((log.clone(), Actor::Agent(agent), Command::WithdrawBid { bid }))
}
fn resume_inquiry(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let market = market(known, log)?;
    let left = if dice.percent(80) { &market.away } else { &market.inquiries };
    let (inquiry, customer) = dice.recent(left)?;
    Some((log.clone(), Actor::Customer(customer), Command::ResumeInquiry { inquiry }))
}
fn withdraw_inquiry(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (inquiry, customer) = dice.recent(&market(known, log)?.inquiries)?;
    let actor = if dice.percent(70) { Actor::Customer(customer) } else { operator() };
    Some((log.clone(), actor, Command::WithdrawInquiry { inquiry, reason: None }))
}

fn session(
    dice: &mut Dice,
    known: &Known,
    log: &LogName,
    wanted: fn(&crate::known::KnownSession) -> bool,
) -> Option<crate::known::KnownSession> {
    let all = &market(known, log)?.sessions;
    let fitting: Vec<_> = all.iter().filter(|one| wanted(one)).cloned().collect();
    if dice.percent(92) { dice.pick(&fitting) } else { dice.recent(all) }
}
fn either(dice: &mut Dice, session: &crate::known::KnownSession) -> Actor {
    if dice.percent(50) { Actor::Agent(session.agent) } else { Actor::Customer(session.customer) }
}
fn send_message(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open)?;
    let text = sealed(one.customer);
    if let Some((channel, agent)) = dice.pick(&one.sides).filter(|_| dice.percent(40)) {
        return Some((log.clone(), Actor::Agent(agent), Command::SendMessage { session: one.id, channel, text }));
    }
    Some((log.clone(), either(dice, &one), Command::SendMessage { session: one.id, channel: one.channel, text }))
}
/// By whoever leads it, mostly.
fn leader(dice: &mut Dice, one: &crate::known::KnownSession) -> Actor {
    match dice.pick(&one.guests) {
        Some(guest) if dice.percent(10) => Actor::Agent(guest),
        _ => Actor::Agent(one.agent),
    }
}
fn choice(dice: &mut Dice, known: &Known, log: &LogName) -> Option<AgentChoice> {
    if dice.percent(50) {
        return Some(AgentChoice::Skilled(vec![skill(dice.one(&["cards", "loans", "travel", "general"]), 1)]));
    }
    dice.pick(&market(known, log)?.agents).map(AgentChoice::Named)
}
fn invite(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open)?;
    let agent = choice(dice, known, log)?;
    Some((log.clone(), leader(dice, &one), Command::InviteAgent { session: one.id, agent }))
}
fn transfer(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open)?;
    let to = match dice.pick(&one.guests) {
        Some(guest) if dice.percent(50) => AgentChoice::Named(guest),
        _ => choice(dice, known, log)?,
    };
    let note = dice.percent(50).then(|| sealed(one.customer));
    Some((log.clone(), leader(dice, &one), Command::TransferSession { session: one.id, to, note }))
}
fn take_back(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let all = &market(known, log)?.reservations;
    let invitations: Vec<_> = all.iter().filter(|one| one.by.is_some() && one.pending).cloned().collect();
    let one = dice.pick(&invitations)?;
    Some((log.clone(), Actor::Agent(one.by?), Command::RescindReservation { reservation: one.id }))
}
fn leave(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open && !one.guests.is_empty())?;
    let agent = if dice.percent(90) { dice.pick(&one.guests)? } else { one.agent };
    Some((log.clone(), Actor::Agent(agent), Command::LeaveSession { session: one.id }))
}
fn open_side_channel(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open && !one.guests.is_empty())?;
    let agent = dice.pick(&one.guests)?;
    let kind = dice.one(&[None, Some(ChannelKind::Message), Some(ChannelKind::Telephone)]);
    Some((log.clone(), Actor::Agent(one.agent), Command::OpenSideChannel { session: one.id, agent, kind }))
}
fn close_channel(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open && !one.sides.is_empty())?;
    let (channel, agent) = dice.pick(&one.sides)?;
    Some((log.clone(), Actor::Agent(agent), Command::CloseChannel { session: one.id, channel }))
}
fn report_channel(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open)?;
    let (channel, agent) = match dice.pick(&one.sides) {
        Some(side) if dice.percent(30) => side,
        _ => (one.channel, one.agent),
    };
    let report = dice.one(&[ChannelReport::Connected, ChannelReport::Connected, ChannelReport::Ended]);
    Some((log.clone(), Actor::Agent(agent), Command::ReportChannel { session: one.id, channel, report }))
}
fn end_session(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| one.open)?;
    Some((log.clone(), either(dice, &one), Command::EndSession { session: one.id }))
}
fn save_notes(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |_| true)?;
    let notes = sealed(one.agent);
    Some((log.clone(), Actor::Agent(one.agent), Command::SaveNotes { session: one.id, notes }))
}
/// Who handed over wraps up, too.
fn former(dice: &mut Dice, one: crate::known::KnownSession) -> crate::known::KnownSession {
    match dice.pick(&one.formers) {
        Some(agent) if dice.percent(40) => crate::known::KnownSession { agent, ..one },
        _ => one,
    }
}
fn extend_wrap_up(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| !one.open && !one.over)?;
    let one = former(dice, one);
    let by = Span::seconds(dice.one(&[0, 1, 20, 40, 1_000]));
    Some((log.clone(), Actor::Agent(one.agent), Command::ExtendWrapUp { session: one.id, by }))
}
fn confirm_topics(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| !one.over)?;
    let one = former(dice, one);
    let known_topics = vec![topic("cards"), topic("loans")];
    let topics = match dice.throw(8) {
        0 => vec![],
        1 => vec![topic("cards"), topic("ludwig")],
        2 => known_topics.clone(),
        3 => vec![topic("cards"), topic("cards")],
        _ => vec![topic(dice.one(&["cards", "loans"]))],
    };
    let command = Command::ConfirmTopics { inquiry: one.inquiry, topics, known_topics };
    Some((log.clone(), Actor::Agent(one.agent), command))
}
fn complete_wrap_up(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let one = session(dice, known, log, |one| !one.open && !one.over)?;
    let one = former(dice, one);
    let information = dice.percent(70).then(|| sealed(one.customer));
    Some((log.clone(), Actor::Agent(one.agent), Command::CompleteWrapUp { session: one.id, information }))
}

fn will(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = dice.pick(&market(known, log)?.agents)?;
    let will = if dice.percent(82) { Will::Available } else { dice.one(&[Will::Break, Will::Offline]) };
    let actor = if dice.percent(85) { Actor::Agent(agent) } else { operator() };
    let note = dice.percent(10).then(|| sealed(agent));
    Some((log.clone(), actor, Command::SetAgentStatus { agent, will, note }))
}

/// Who has a feed at one of the nodes; seldom somebody whom this log does not know.
fn report_presence(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let mut agents: Vec<AgentId> = vec![];
    for agent in &market(known, log)?.agents {
        if dice.percent(55) {
            agents.push(*agent);
        }
    }
    if dice.percent(10) {
        agents.push(AgentId(99));
    }
    let node = dice.one(&["n0", "n1"]).to_owned();
    Some((log.clone(), Actor::System, Command::ReportPresence { agents, node }))
}

pub fn credit(dice: &mut Dice, log: &LogName, owner: Party, least: i64, most: i64) -> Deed {
    let currency = menu::currency(dice);
    let amount = grid(dice.between(least, most), currency);
    (log.clone(), finance(), Command::CreditWallet { owner, amount, reference: "till".to_owned() })
}
fn credit_agent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = dice.pick(&market(known, log)?.agents)?;
    Some(credit(dice, log, Party::Agent(agent), 0, 24))
}
fn credit_provider(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    Some(credit(dice, log, Party::Provider(provider), 1, 30))
}

/// Of what is settled, mostly inside its window; a part, all, or more than there is.
fn refund_settlement(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (settlement, price) = dice.pick(&market(known, log)?.settled)?;
    let units = price.units();
    let units = match dice.throw(8) {
        0..3 => units,
        3 => units + 1,
        4 => 0,
        _ => i128::from(dice.between(0, i64::try_from(units).unwrap_or(i64::MAX))),
    };
    let amount = Money::of_units(units, price.currency());
    let reason = dice.one(&[RefundReason::NoShow, RefundReason::PoorQuality]);
    Some((log.clone(), finance(), Command::RefundSettlement { settlement, amount, reason }))
}
/// What is payable, as far as is known: all of it, a part, or more than there is.
pub fn pay_out(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (owner, payable) = dice.pick(&market(known, log)?.payable)?;
    let units = payable.units();
    let units = match dice.throw(6) {
        0 => units + 1,
        1 => i128::from(dice.between(0, i64::try_from(units).unwrap_or(i64::MAX))),
        _ => units,
    };
    Some((log.clone(), finance(), Command::PayOut { owner, amount: Money::of_units(units, payable.currency()) }))
}
/// Also what came back before.
pub fn return_payout(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (owner, payout, currency) = dice.pick(&market(known, log)?.payouts)?;
    let reason = dice.one(&["AC04", "AM09"]).parse().expect("a return reason");
    Some((log.clone(), finance(), Command::ReturnPayout { owner, currency, payout, reason }))
}
fn net_payable(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (owner, payable) = dice.pick(&market(known, log)?.payable)?;
    Some(netting(log, owner, payable))
}
pub fn netting(log: &LogName, owner: Party, payable: Money) -> Deed {
    (log.clone(), finance(), Command::NetPayable { owner, currency: payable.currency() })
}
/// From now on, from soon on, or from before now on, which is refused.
fn set_fee_rule(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let mut command = fee_rule(dice);
    if let Command::SetFeeRule { valid_from, .. } = &mut command
        && dice.percent(30)
    {
        *valid_from = Some(market(known, log)?.now + Span::seconds(dice.between(-60, 600)));
    }
    Some((LogName::treasury(), finance(), command))
}
pub fn fee_rule(dice: &mut Dice) -> Command {
    let percent = |text: &str| text.parse().expect("a percentage");
    let tax = dice.one(&["0", "20", "8.1", "9.975"]);
    Command::SetFeeRule {
        commission: percent(dice.one(&["0", "15", "33.3333", "100"])),
        tax: percent(tax),
        tax_rounding: dice.one(&[Rounding::HalfEven, Rounding::HalfUp]),
        return_window: dice.one(&[None, Some(Span::ZERO), Some(Span::minutes(1)), Some(Span::minutes(60))]),
        jurisdiction: (tax != "0").then(|| "at".to_owned()),
        valid_from: None,
    }
}

pub fn skills(dice: &mut Dice, log: &LogName) -> Vec<Skill> {
    let first = if log.as_str() == "main" { "general" } else { "travel" };
    let expert = dice.percent(60);
    let wanted: Vec<&str> =
        [first, "cards", "loans", "travel"].into_iter().filter(|_| expert || dice.percent(80)).collect();
    let mut skills: Vec<Skill> = vec![];
    for name in wanted {
        let skill = skill(name, dice.between(if expert { 2 } else { 1 }, 3) as u8);
        if !skills.iter().any(|known| known.name == skill.name) {
            skills.push(skill);
        }
    }
    skills
}

pub fn register(dice: &mut Dice, known: &Known, log: &LogName, agent: AgentId) -> Deed {
    let command = Command::RegisterAgent {
        agent,
        display_name: sealed(agent),
        location: dice.one(&["Graz", "Linz"]).to_owned(),
        skills: skills(dice, log),
        capacity: dice.one(&[1, 1, 1, 2, 3]),
        affiliated_with: if dice.percent(15) { dice.pick(&known.providers) } else { None },
        credit_limit: if dice.percent(20) { Some(grid(dice.between(0, 12), menu::currency(dice))) } else { None },
    };
    (log.clone(), operator(), command)
}
fn register_agent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    // Whose id is taken is refused.
    let first = if log.as_str() == "main" { 1 } else { 21 };
    let agent = AgentId(first + dice.throw(8) as u128);
    Some(register(dice, known, log, agent))
}
fn update_agent(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let agent = dice.pick(&market(known, log)?.agents)?;
    let command = Command::UpdateAgent {
        agent,
        display_name: dice.percent(10).then(|| sealed(agent)),
        location: dice.percent(10).then(|| "Wels".to_owned()),
        skills: if dice.percent(40) { Some(skills(dice, log)) } else { None },
        capacity: if dice.percent(40) { Some(dice.between(0, 3) as u32) } else { None },
        affiliated_with: match dice.throw(10) {
            0 => dice.pick(&known.providers).map_or(Patch::Keep, Patch::Set),
            1 => Patch::Clear,
            _ => Patch::Keep,
        },
        credit_limit: if dice.percent(25) { Some(grid(dice.between(0, 20), menu::currency(dice))) } else { None },
    };
    Some((log.clone(), operator(), command))
}

/// Sometimes of a place that the call server does not name.
fn report_traffic(dice: &mut Dice, _: &Known, log: &LogName) -> Option<Deed> {
    let location = dice.one(&["Graz", "Graz", "Linz", "Wels"]).to_owned();
    let traffic = Decimal::new(dice.between(0, 28) * 5, 1);
    let valid_for = Span::seconds(dice.between(5, 120));
    Some((log.clone(), operator(), Command::ReportLocationTraffic { location, traffic, valid_for }))
}

fn declare_queue(dice: &mut Dice, _: &Known, log: &LogName) -> Option<Deed> {
    let topic = dice.one(&["cards", "loans", "travel", "loans/home", "general"]);
    Some(declare(dice, log, topic))
}

pub fn declare(dice: &mut Dice, log: &LogName, name: &str) -> Deed {
    let required_skills = if dice.percent(30) { vec![skill("cards", 2)] } else { vec![] };
    let priority_credit = Span::seconds(dice.one(&[0, 20, 600]));
    let topic = topic(name);
    (log.clone(), operator(), Command::DeclareQueue { priority_credit, topic, required_skills })
}
/// One or two into another; now and then all that there are, so that more stands in them than one decision moves.
fn merge_queues(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let all = &market(known, log)?.queues;
    let into = dice.pick(all)?;
    let from = match dice.throw(if known.crowded { 3 } else { 12 }) {
        0 => all.iter().rev().filter(|queue| **queue != into).take(50).copied().collect(),
        1 => vec![dice.pick(all)?, dice.pick(all)?],
        _ => vec![dice.pick(all)?],
    };
    Some((log.clone(), operator(), Command::MergeQueues { from, into }))
}
fn retire_queue(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let queue = dice.pick(&market(known, log)?.queues)?;
    Some((log.clone(), operator(), Command::RetireQueue { queue }))
}

/// What process managers send, by somebody who is none.
fn process_by_hand(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    let source =
        domain::event::community::SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: 1_000_000 };
    Some((log.clone(), operator(), Command::GrantCreditLimits { provider, limits: vec![], lifted: vec![], source }))
}
fn nonsense(dice: &mut Dice, _: &Known, log: &LogName) -> Option<Deed> {
    let nowhere = dice.one(&[
        Command::WithdrawInquiry { inquiry: InquiryId(0), reason: None },
        Command::EndSession { session: SessionId(0) },
        Command::RetireQueue { queue: QueueId(0) },
    ]);
    let actor =
        if matches!(nowhere, Command::RetireQueue { .. }) { operator() } else { Actor::Customer(CustomerId(1)) };
    Some((log.clone(), actor, nowhere))
}
