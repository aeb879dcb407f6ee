//! Who stands where, as a live view said it in the middle of a day: in each queue everybody who stands there by then, in
//! their order; and who waits, at the place that is the best over its queues.

use super::entry::Entry;
use super::market::{Market, Step};
use super::{Audited, must};
use std::collections::BTreeMap;

/// What one node's view showed of a call server when it had come to `seq`.
#[derive(Clone, Debug)]
pub struct Glance {
    pub log: String,
    pub seq: u64,
    /// By queue, in the order shown.
    pub queues: BTreeMap<String, Vec<String>>,
    /// The position of each of them; before its offer's hours there is none.
    pub positions: BTreeMap<String, Option<usize>>,
}

pub fn after(market: &Market<'_>, group: &[Entry], glances: &[&Glance]) -> Audited {
    let last = group.last().expect("a group has events");
    for glance in glances.iter().filter(|glance| glance.seq == last.seq) {
        let stands = |id: &&&str| market.inquiries[**id].step != Step::Away;
        for (id, queue) in &market.queues {
            let mut here: Vec<&str> = queue.standing.iter().filter(stands).copied().collect();
            here.sort_by_key(|id| market.inquiries[*id].place);
            let shown = glance.queues.get(*id).map_or(&[][..], Vec::as_slice);
            must!(last, here == shown, "views of queues", "{id} shows {shown:?}, and {here:?} stand there");
        }
        let gone =
            glance.queues.iter().find(|(id, shown)| !shown.is_empty() && !market.queues.contains_key(id.as_str()));
        must!(last, gone.is_none(), "views of queues", "{gone:?} is retired");
        for (id, shown) in &glance.positions {
            let row = &market.inquiries[id.as_str()];
            let before = |other: &&&str| {
                let other = &market.inquiries[**other];
                !matches!(other.step, Step::Away | Step::Early) && other.place < row.place
            };
            let place = |queue: &&str| 1 + market.queues[*queue].standing.iter().filter(before).count();
            let best = row.queues.iter().map(place).min().filter(|_| row.step != Step::Early);
            must!(last, *shown == best, "views of queues", "{id} is shown at {shown:?} and stands at {best:?}");
        }
    }
    Ok(())
}
