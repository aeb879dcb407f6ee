//! Readers that lag: a live view and, for some seeds, the SQL history, each fed from the store's tail in
//! slices of any size, whenever it comes to it.
//!
//! Deliberately not here: the projector's thread and its waiting; what it folds is folded here by hand. History stands
//! in memory, since what its files do has tests of its own.

use crate::dice::Dice;
use crate::house::{House, LOGS, VIEWED, log};
use domain::log::LogName;
use projections::history::History;
use projections::live::Live;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::backend::EventStore;
use store::raw::Head;
use store::recorded::Recorded;

pub struct Readers {
    pub live: Live,
    pub history: Option<History>,
}

impl Readers {
    pub fn new(history: bool) -> Readers {
        let history = history.then(|| History::open_in_memory().expect("a new history"));
        Readers { live: Live::new(), history }
    }

    /// One reader reads a little of one log.
    pub fn read_on(&self, dice: &mut Dice, house: &House) {
        let log = log(dice.one(&VIEWED));
        let max = dice.one(&[1, 7, 60]);
        if dice.percent(60) {
            self.read_live(house, &log, max);
        } else {
            self.read_history(house, &log, max);
        }
    }

    pub fn read_all(&self, house: &House) {
        // A history that begins with the call servers must come to the same.
        for name in VIEWED {
            while self.read_live(house, &log(name), 500) {}
        }
        for name in LOGS {
            while self.read_history(house, &log(name), 100_000) {}
        }
    }

    fn read_live(&self, house: &House, log: &LogName, max: usize) -> bool {
        let events = read(house, log, self.live.head(log), max);
        let events: Vec<Arc<Recorded>> = events.into_iter().map(Arc::new).collect();
        self.live.apply(&events).expect("the log's tail fits the live view");
        !events.is_empty()
    }

    fn read_history(&self, house: &House, log: &LogName, max: usize) -> bool {
        let Some(history) = &self.history else { return false };
        let events = read(house, log, history.checkpoint(log).map(|done| done.head), max);
        history.project(log, &events).expect("the log's tail fits history");
        !events.is_empty()
    }
}

/// Every log, whole, decoded once.
pub type Logs = BTreeMap<&'static str, Vec<Arc<Recorded>>>;

pub fn all(house: &House) -> Logs {
    let whole = |name| read(house, &log(name), None, usize::MAX >> 1).into_iter().map(Arc::new).collect();
    LOGS.into_iter().map(|name| (name, whole(name))).collect()
}

pub fn read(house: &House, log: &LogName, after: Option<Head>, max: usize) -> Vec<Recorded> {
    let raw = house.store.read(log, Head::next(after), max).expect("the store in memory can be read");
    raw.into_iter().map(|raw| Recorded::open(log, raw).expect("what was written reads")).collect()
}
