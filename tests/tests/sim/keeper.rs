//! The background fold of a house, stepped by hand: snapshots of each log at positions that chance chooses.
//!
//! It goes on from where it was, or from a snapshot of its own, as it does after a start. A start takes any of them, the
//! newest or one long past. Deliberately not here: files, their checksums and their thinning (`store::snapshot`).

use crate::dice::Dice;
use crate::house::{House, VIEWED, lock, log};
use crate::readers::{Logs, read};
use domain::log::LogName;
use projections::live::LogFold;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::raw::Head;
use store::snapshot::Snapshot;

#[derive(Default)]
pub struct Keeper {
    folds: BTreeMap<LogName, LogFold>,
    kept: BTreeMap<LogName, Vec<Snapshot>>,
}

impl Keeper {
    /// Takes a snapshot of some log, somewhere between its last one and the log's end.
    pub fn keep_one(&mut self, house: &House, dice: &mut Dice) {
        let log = log(dice.one(&VIEWED));
        let kept = self.kept.entry(log.clone()).or_default();
        if let Some(newest) = kept.last().filter(|_| dice.percent(40)) {
            self.folds.insert(log.clone(), LogFold::restore(newest).expect("a snapshot reads"));
        }
        let fold = self.folds.entry(log.clone()).or_insert_with(|| LogFold::new(&log));
        let (next, length) = (Head::next(fold.head()), house.length(&log));
        if next < length {
            let wanted = if dice.percent(50) { length - next } else { 1 + dice.word() % (length - next) };
            fold_on(fold, house, &log, wanted as usize);
            kept.extend(fold.snapshot());
        }
    }

    /// Some snapshot of a log, or none.
    pub fn any(&self, log: &LogName, dice: &mut Dice) -> Option<Snapshot> {
        let kept = self.kept.get(log)?;
        if dice.percent(75) { dice.recent(kept) } else { None }
    }

    /// In the evening its folds, and the fold from each log's last snapshot, are the fold from zero.
    pub fn check(&mut self, house: &House, logs: &Logs) {
        for (log, mut fold) in std::mem::take(&mut self.folds) {
            let events = &logs[log.as_str()];
            let mut zero = LogFold::new(&log);
            let newest = self.kept.get(&log).and_then(|kept| kept.last());
            let mut restored = newest.map(|newest| LogFold::restore(newest).expect("a snapshot reads"));
            for fold in [&mut fold, &mut zero].into_iter().chain(&mut restored) {
                let left = &events[Head::next(fold.head()) as usize..];
                fold.fold(left).expect("what was written folds");
                fold.complete(&house.store).expect("what `community` holds fits the market");
            }
            assert_eq!(
                zero.difference(&fold),
                None,
                "snapshots: the fold of {log} that went on is not the fold from zero"
            );
            let different = restored.and_then(|restored| zero.difference(&restored));
            assert_eq!(different, None, "snapshots: {log} from a snapshot on is not the fold from zero");
        }
    }
}

/// Nobody may have been told of these yet; they stand, and people hear of them at last.
fn fold_on(fold: &mut LogFold, house: &House, log: &LogName, max: usize) {
    let events: Vec<_> = read(house, log, fold.head(), max).into_iter().map(Arc::new).collect();
    events.iter().for_each(|event| lock(&house.known).learn(event));
    fold.fold(&events).expect("what was written folds");
    fold.complete(&house.store).expect("what `community` holds fits the market");
}
