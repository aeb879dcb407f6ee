//! The live views from a snapshot, and to one; and the views as they were at past positions.
//!
//! Two logs make a market: the call server's, and `community` with the acceptances. What stands in a market
//! follows from how far each of them is folded, in whatever order: a dossier takes its acceptance before or after
//! its registration, and an acceptance up to the last registered one whose dossier is not there is of a closed
//! inquiry. So a market's snapshot at a position holds the acceptances of the dossiers that it knows, which all
//! stand at or before the last one that was registered there: it follows from that log's position alone. The
//! others come from `community`: those after its own snapshot are folded anyway, those before it are found by
//! their positions (see [`Live::fill`]).
//!
//! Not here: files (`store::snapshot`), and when a snapshot is made (`api`).

use super::books::Books;
use super::community::Community;
use super::market::Market;
use super::position::Position;
use super::{Live, RefoldError, ViewError, Watched, acceptance, each_page_to, read, write};
use domain::log::{LogName, Seq};
use domain::state::State;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};
use store::backend::EventStore;
use store::raw::Head;
use store::recorded::Recorded;
use store::snapshot::{self, Damaged, Snapshot, Snapshots};
use store::writer::folded::Folded;

/// Names the code that folds: snapshots of any other are not understood.
pub const BUILD: &str = env!("FOLD_BUILD");

/// The fold of one log as a start does it, without anybody who looks at it: what a snapshot is made from, and
/// what one is compared with. Equal where all of it is.
pub struct LogFold {
    log: LogName,
    writer: Folded,
    view: View,
}

#[derive(Debug, PartialEq)]
enum View {
    Community(Box<Watched<Community>>),
    Market(Box<Market>),
    Books(Box<Watched<Books>>),
    /// What leaves the house is folded where it is sent from.
    Nothing,
}

impl LogFold {
    /// Before the log's first event.
    pub fn new(log: &LogName) -> LogFold {
        let view = match log.is_reserved() {
            true if *log == LogName::community() => View::Community(Box::default()),
            true if *log == LogName::treasury() => View::Books(Box::default()),
            true => View::Nothing,
            false => View::Market(Box::default()),
        };
        LogFold { log: log.clone(), writer: Folded::default(), view }
    }

    pub fn restore(snapshot: &Snapshot) -> Result<LogFold, Damaged> {
        let view = match LogFold::new(&snapshot.log).view {
            View::Community(_) => View::Community(Box::new(community_of(snapshot)?)),
            View::Market(_) => View::Market(Box::new(market_of(snapshot)?)),
            View::Books(_) => View::Books(Box::new(books_of(snapshot)?)),
            View::Nothing => View::Nothing,
        };
        Ok(LogFold { log: snapshot.log.clone(), writer: Folded::restore(snapshot)?, view })
    }

    pub fn head(&self) -> Option<Head> {
        self.writer.head
    }
    pub fn state(&self) -> &State {
        &self.writer.state
    }

    /// Folds the next events of the log.
    pub fn fold(&mut self, page: &[Arc<Recorded>]) -> Result<(), ViewError> {
        for event in page {
            self.writer.take(event);
        }
        match &mut self.view {
            View::Community(community) => {
                let Watched { position, view } = &mut **community;
                position.fold(&self.log, page, |recorded| view.fold(recorded))
            }
            View::Market(market) => market.take(&self.log, page),
            View::Books(books) => {
                let Watched { position, view } = &mut **books;
                position.fold(&self.log, page, |recorded| view.fold(recorded))
            }
            View::Nothing => Ok(()),
        }
    }

    /// Takes what a market's dossiers need of `community`; afterwards the fold is what a snapshot holds.
    pub fn complete(&mut self, store: &dyn EventStore) -> Result<(), RefoldError> {
        match &mut self.view {
            View::Community(_) | View::Books(_) | View::Nothing => Ok(()),
            View::Market(market) => fill(market, store, None),
        }
    }

    /// Of a log that holds an event. [`LogFold::complete`] comes first.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let view = match &self.view {
            View::Community(community) => snapshot::encode(&community.view),
            View::Market(market) => snapshot::encode(&**market),
            View::Books(books) => snapshot::encode(&books.view),
            View::Nothing => Vec::new(),
        };
        Some(Snapshot { log: self.log.clone(), head: self.writer.head?, writer: self.writer.save(), view })
    }

    /// What differs between two folds of one log up to one position; `None` where nothing does.
    pub fn difference(&self, other: &LogFold) -> Option<&'static str> {
        let (one, other, view) = (&self.writer, &other.writer, self.view != other.view);
        [
            (one.state != other.state, "the state"),
            (one.time != other.time || one.head != other.head, "the position"),
            (one.keys != other.keys, "the idempotency keys"),
            (view, "the live view"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

fn community_of(snapshot: &Snapshot) -> Result<Watched<Community>, Damaged> {
    Ok(Watched { position: Position::at(snapshot.head), view: snapshot::decode(&snapshot.view)? })
}

fn books_of(snapshot: &Snapshot) -> Result<Watched<Books>, Damaged> {
    Ok(Watched { position: Position::at(snapshot.head), view: snapshot::decode(&snapshot.view)? })
}

fn market_of(snapshot: &Snapshot) -> Result<Market, Damaged> {
    let mut market: Market = snapshot::decode(&snapshot.view)?;
    market.position = Position::at(snapshot.head);
    Ok(market)
}

/// Gives the market's dossiers the acceptances that they lack, as far as `community` is folded (`None`: as far as
/// the market has registered, which is as far as it can lack any).
fn fill(market: &mut Market, store: &dyn EventStore, to: Option<Seq>) -> Result<(), RefoldError> {
    let community = LogName::community();
    let lacking: BTreeSet<Seq> = market.lacks().filter(|seq| to.is_none_or(|to| *seq <= to)).collect();
    // Each is a row of its own: between two of them may stand a day of other call servers' acceptances.
    for seqs in lacking.into_iter().collect::<Vec<_>>().chunks(1_024) {
        for raw in store.read_at(&community, seqs)? {
            let recorded = Recorded::open(&community, raw)?;
            if let Some(e) = acceptance(&recorded) {
                market.on_acceptance(e, &recorded).map_err(|misfit| ViewError::at(&recorded, misfit))?;
            }
        }
    }
    Ok(())
}

impl Live {
    /// Puts what a snapshot holds in place of a view that is still empty; the log goes on from there. After
    /// `community`'s, which comes last, ask [`Live::fill`].
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), Damaged> {
        if snapshot.log == LogName::community() {
            *write(&self.community) = community_of(snapshot)?;
        } else if snapshot.log == LogName::treasury() {
            *write(&self.books) = books_of(snapshot)?;
        } else {
            let market = Arc::new(RwLock::new(market_of(snapshot)?));
            write(&self.markets).insert(snapshot.log.clone(), market);
        }
        self.publish(&snapshot.log, Some(snapshot.head));
        Ok(())
    }

    /// Gives the markets the acceptances up to `community`'s position, where that was restored and they were not
    /// told: those of dossiers that lack them, and those that no market has registered yet.
    pub fn fill(&self, store: &dyn EventStore) -> Result<(), RefoldError> {
        let community = read(&self.community);
        let Some(head) = community.position.head() else { return Ok(()) };
        let mut from: Option<Seq> = None;
        for (log, accepted_to) in community.view.accepted() {
            let market = self.market(log);
            let mut market = write(&market);
            fill(&mut market, store, Some(head.seq))?;
            if market.registered_to().is_none_or(|registered_to| registered_to < accepted_to) {
                let next = market.registered_to().map_or(0, |seq| seq + 1);
                from = Some(from.map_or(next, |from| from.min(next)));
            }
        }
        // Rare, and few: what was accepted in the moment before the snapshot, or was never registered.
        let Some(from) = from else { return Ok(()) };
        each_page_to(store, &LogName::community(), from, Some(head.seq), |page| {
            for recorded in page {
                if let Some(e) = acceptance(recorded) {
                    let accepted = write(&self.market(&e.call_server)).on_acceptance(e, recorded);
                    accepted.map_err(|misfit| ViewError::at(recorded, misfit))?;
                }
            }
            Ok(())
        })
    }

    /// The views as they were when each of these logs ended at its position (inclusive). A log that is not
    /// named counts as empty; but where `community` is not, the call servers have the acceptances that they had
    /// taken over, and nobody's else are looked for. Errors: a log that cannot be read or folded, or ends before
    /// its position.
    pub fn as_of(
        snapshots: &Snapshots,
        store: &dyn EventStore,
        heads: &BTreeMap<LogName, Seq>,
    ) -> Result<Live, RefoldError> {
        let live = Live::new();
        let community = heads.get_key_value(&LogName::community());
        // What leaves the house has no live view.
        let others = heads.iter().filter(|(log, _)| !log.is_reserved() || **log == LogName::treasury());
        for (log, to) in others.chain(community) {
            snapshots.nearest(store, log, Some(*to), |snapshot| match community {
                Some((_, accepted_to)) => live.restore_known(&snapshot, *accepted_to),
                None => live.restore(&snapshot).map(Some),
            })?;
            if *log == LogName::community() {
                live.fill(store)?;
            }
            if live.head(log).is_none_or(|head| head.seq < *to) {
                let from = Head::next(live.head(log));
                each_page_to(store, log, from, Some(*to), |page| Ok(live.apply(page)?))?;
            }
            if live.head(log).is_none_or(|head| head.seq != *to) {
                return Err(RefoldError::Ended { log: log.clone(), seq: *to });
            }
            if community.is_none() && !log.is_reserved() {
                fill(&mut write(&live.market(log)), store, None)?;
            }
        }
        Ok(live)
    }

    /// A snapshot that holds nothing of `community` past a position; `None` for one that does, which can only come of
    /// asking for positions that never were at once.
    fn restore_known(&self, snapshot: &Snapshot, accepted_to: Seq) -> Result<Option<()>, Damaged> {
        if !snapshot.log.is_reserved() {
            let market = market_of(snapshot)?;
            if market.registered_to() > Some(accepted_to) {
                return Ok(None);
            }
        }
        self.restore(snapshot).map(Some)
    }
}

/// Writes a map in order of its keys, so that equal views give equal bytes.
pub(super) fn in_order<K: Ord + Serialize, V: Serialize, H, S: Serializer>(
    map: &HashMap<K, V, H>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut rows: Vec<(&K, &V)> = map.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    serializer.collect_map(rows)
}
