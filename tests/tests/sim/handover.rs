//! The process managers from `community` to a call server, and back, and those between the call servers and `treasury`, one
//! step at a time: in the order of `api/src/{handover,places,books,fees}.rs`, with their repeats after a crash or a lost
//! answer. What an event asks is the product's own code.
//!
//! The one in `api` runs on tokio and draws from the machine's randomness, so a seed could not turn it.

use crate::dice::Dice;
use crate::house::House;
use domain::log::LogName;
use store::backend::EventStore;
use store::handover::{order_back, order_for, order_to_post, order_to_take};
use store::recorded::Recorded;
use store::writer::order::{Answer, Entropy};

/// And back: one node brings at most `max` ends of inquiries whose offers have limits from a call server to `community`,
/// after what `community` has taken over from there as that node knows it. Whether it has more to do there.
pub fn bring_ends(house: &House, dice: &mut Dice, node: usize, log: &LogName, max: usize) -> bool {
    let community = LogName::community();
    let Some(from) = taken_over(house, dice, node, &community, log) else { return false };
    let page = house.store.read(log, from, usize::MAX >> 1).expect("the store in memory can be read");
    let events = page.into_iter().map(|raw| Recorded::open(log, raw).expect("what was written reads"));
    let entered = house.now(node);
    let mut orders: Vec<_> = events.filter_map(|event| order_back(&event, || Entropy(dice.bytes()))).collect();
    let more = orders.len() > max;
    orders.truncate(max);
    if orders.is_empty() {
        return false;
    }
    let answers = house.give(node, &community, orders.into_iter().map(|order| (order, entered)).collect());
    for answer in answers.unwrap_or_default() {
        if let Answer::Refused(refusal) = answer {
            panic!("the end of an inquiry in {log} was refused by `community`: {refusal:?}");
        }
    }
    more
}

/// One node posts at most `max` events of a call server that move money, after what `treasury` has taken over from there as
/// that node knows it. Whether it has more to do there.
pub fn post(house: &House, dice: &mut Dice, node: usize, log: &LogName, max: usize) -> bool {
    let treasury = LogName::treasury();
    let Some(from) = taken_over(house, dice, node, &treasury, log) else { return false };
    let page = house.store.read(log, from, usize::MAX >> 1).expect("the store in memory can be read");
    let events = page.into_iter().map(|raw| Recorded::open(log, raw).expect("what was written reads"));
    let entered = house.now(node);
    let mut orders: Vec<_> = events.filter_map(|event| order_to_post(&event, || Entropy(dice.bytes()))).collect();
    let more = orders.len() > max;
    orders.truncate(max);
    if orders.is_empty() {
        return false;
    }
    let answers = house.give(node, &treasury, orders.into_iter().map(|order| (order, entered)).collect());
    for answer in answers.unwrap_or_default() {
        if let Answer::Refused(refusal) = answer {
            panic!("what {log} moves is no entry: {refusal:?}");
        }
    }
    more
}

/// One node brings a call server the fee rules that it lacks, as its live view of the books has them.
pub fn bring_rules(house: &House, dice: &mut Dice, node: usize, log: &LogName) {
    let Some(from) = taken_over(house, dice, node, log, &LogName::treasury()) else { return };
    let entered = house.now(node);
    let rules = house.live(node).books(|_, books| books.rules().to_vec());
    let lacking = rules.into_iter().filter(|row| row.source.seq >= from);
    let orders: Vec<_> =
        lacking.map(|row| (order_to_take(row.rule, row.source, Entropy(dice.bytes())), entered)).collect();
    if orders.is_empty() {
        return;
    }
    for answer in house.give(node, log, orders).unwrap_or_default() {
        if let Answer::Refused(refusal) = answer {
            panic!("a fee rule was refused by {log}: {refusal:?}");
        }
    }
}

/// The first position of `from` that `log` has not taken over, as a node that is up knows it. Sometimes too early: it had
/// brought what is there, and never heard so.
fn taken_over(house: &House, dice: &mut Dice, node: usize, log: &LogName, from: &LogName) -> Option<u64> {
    let next =
        house.with_writer(node, log, |writer| writer.state().sources.get(from).map_or(0, |last| last.seq + 1))?;
    Some(next.saturating_sub(if dice.percent(8) { dice.throw(9) as u64 } else { 0 }))
}

/// Hands over at most `max` events of `community` by one node. Whether it has more to do there.
pub fn step(house: &House, dice: &mut Dice, node: usize, log: &LogName, max: usize) -> bool {
    let Some(mut next) = house.handed(node, log) else { return false };
    let community = LogName::community();
    let page = house.store.read(&community, next, max).expect("the store in memory can be read");
    let events: Vec<Recorded> =
        page.into_iter().map(|raw| Recorded::open(&community, raw).expect("what was written reads")).collect();
    let Some(last) = events.last() else { return false };
    let entered = house.now(node);
    let asked = events.iter().filter_map(|event| Some((event.seq, order_for(event, log, || Entropy(dice.bytes()))?)));
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
