//! A look at a node's live view in the middle of a day: who stands in which queue of a call server, and at which place.
//! The auditor says whether that is so.

use crate::audit::glances::Glance;
use crate::dice::Dice;
use crate::house::{House, lock, log};

/// None where the node is down, or its view has nothing of the call server yet.
pub fn take(dice: &mut Dice, house: &House) -> Option<Glance> {
    let (log, node) = (log(dice.one(&["main", "main", "east"])), dice.throw(2));
    if !house.is_up(node) {
        return None;
    }
    let live = house.live(node);
    let seq = live.head(&log)?.seq;
    let known = lock(&house.known).markets.get(&log)?.queues.clone();
    let mut glance = Glance { log: log.to_string(), seq, queues: Default::default(), positions: Default::default() };
    for queue in known {
        let rows = live.queue_inquiries(queue, None, usize::MAX >> 1);
        glance.positions.extend(rows.iter().map(|row| (row.id.to_string(), live.position(row.id))));
        glance.queues.insert(queue.to_string(), rows.iter().map(|row| row.id.to_string()).collect());
    }
    Some(glance)
}
