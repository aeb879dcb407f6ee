//! The process manager from `community` to a call server, one step at a time: the commands that
//! `api/src/handover.rs` sends, in its order, with its repeats after a crash or a lost answer.
//!
//! The one in `api` runs on tokio and reads the machine's randomness, so a seed could not turn it; this one
//! must send what that one sends.

use crate::dice::Dice;
use crate::house::House;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::community::{CallServerEvent, CreditLimit, LiftedLimit, OfferEvent, ProviderEvent, SourcePosition};
use domain::log::LogName;
use store::backend::EventStore;
use store::raw::Hex;
use store::recorded::Recorded;
use store::writer::order::{Answer, Entropy, Order};

/// Hands over at most `max` events of `community` by one node. Whether it has more to do there.
pub fn step(house: &House, dice: &mut Dice, node: usize, log: &LogName, max: usize) -> bool {
    let Some(mut next) = house.handed(node, log) else { return false };
    let community = LogName::community();
    let page = house.store.read(&community, next, max).expect("the store in memory can be read");
    let events: Vec<Recorded> =
        page.into_iter().map(|raw| Recorded::open(&community, raw).expect("what was written reads")).collect();
    let Some(last) = events.last() else { return false };
    let entered = house.now(node);
    let asked = events.iter().filter_map(|event| Some((event.seq, order(dice, command_for(event, log)?, event))));
    let (seqs, orders): (Vec<_>, Vec<_>) = asked.map(|(seq, order)| (seq, (order, entered))).unzip();
    let answers = if orders.is_empty() { Some(vec![]) } else { house.give(node, log, orders) };
    let Some(answers) = answers else { return false };
    for (answer, seq) in answers.into_iter().zip(seqs) {
        match answer {
            Answer::Done(_) | Answer::Replayed { .. } => next = seq + 1,
            Answer::Refused(refusal) => panic!("what `community` decided was refused by {log}: {refusal:?}"),
            Answer::Unavailable(_) => {
                house.set_handed(node, log, Some(next));
                return true;
            }
        }
    }
    house.set_handed(node, log, Some(last.seq + 1));
    house.length(&community) > last.seq + 1
}

fn order(dice: &mut Dice, command: Command, source: &Recorded) -> Order {
    Order {
        command,
        actor: Actor::System,
        id: source.correlation,
        key: None,
        causation: Some(source.id),
        source: Some(position(source)),
        trace: source.trace.clone(),
        entropy: Entropy(dice.bytes()),
    }
}

fn position(source: &Recorded) -> SourcePosition {
    SourcePosition { hash: Hex(&source.raw.hash).to_string(), log: source.log.clone(), seq: source.seq }
}

/// What an event of `community` asks of a call server; `None`: nothing.
fn command_for(source: &Recorded, log: &LogName) -> Option<Command> {
    let grant = |provider, limits: &[CreditLimit], lifted: &[LiftedLimit]| {
        let ours = limits.iter().filter(|limit| limit.call_server == *log);
        let limits: Vec<_> = ours.map(|limit| limit.limit).collect();
        let ours = lifted.iter().filter(|limit| limit.call_server == *log);
        let lifted: Vec<_> = ours.map(|limit| limit.currency).collect();
        let any = !limits.is_empty() || !lifted.is_empty();
        any.then(|| Command::GrantCreditLimits { provider, limits, lifted, source: position(source) })
    };
    match &source.event {
        Event::Offer(OfferEvent::Accepted(accepted)) => {
            (accepted.call_server == *log).then(|| Command::RegisterInquiry {
                acceptance: accepted.clone(),
                accepted_at: source.time,
                source: position(source),
            })
        }
        Event::CallServer(CallServerEvent::Opened(opened)) => (opened.name == *log).then(|| Command::StartCallServer {
            call_server: opened.call_server,
            name: opened.name.clone(),
            locations: opened.locations.clone(),
            source: position(source),
        }),
        Event::CallServer(CallServerEvent::Updated(updated)) if updated.name == *log => {
            updated.locations.as_ref().map(|locations| Command::StartCallServer {
                call_server: updated.call_server,
                name: updated.name.clone(),
                locations: locations.clone(),
                source: position(source),
            })
        }
        Event::Provider(ProviderEvent::Registered(registered)) => {
            grant(registered.provider, &registered.credit_limits, &[])
        }
        Event::Provider(ProviderEvent::Updated(updated)) => {
            grant(updated.provider, updated.credit_limits.as_deref().unwrap_or_default(), &updated.limits_lifted)
        }
        _ => None,
    }
}
