//! The live views: what is open now, in the memory of one node, folded from the logs in their order.
//!
//! A node's writers call [`Live::apply`] with each acknowledged batch before any answer leaves, so a
//! read on that node contains every write it answered; other logs and other nodes' writes come from the
//! store's tail through the same door. The fold is the same either way: it depends on the events alone,
//! not on batches, clocks or I/O, and an event seen again changes nothing.
//!
//! ```text
//! community       providers, offers with every revision, call servers, customers
//! market          one call server: the four below, and which inquiry an id belongs to
//!   agent, notice   what agents want, do and show, and what they are told
//!   queue           who stands where
//!   account         balances and holds
//!   dossier         all of one inquiry: inquiry, auction, reservation, session, settlement
//! books           what stands in each account of the chart
//! read            what the outside asks
//! restore         the views from a snapshot, to a snapshot, and of past positions
//! ```
//!
//! Memory follows open work: a closed inquiry leaves (see `market`), and is folded from its events where
//! it is asked for again. A node that starts folds the call servers' logs before `community`, so that
//! the acceptances of what is closed already never enter.
//!
//! Not here: rights and masking, the next bid's bounds, closed work, feeds.

pub mod account;
pub mod agent;
pub mod auction;
pub mod books;
pub mod community;
pub mod dossier;
mod error;
mod handle;
pub mod inquiry;
mod market;
pub mod notice;
mod position;
pub mod queue;
mod read;
pub mod reservation;
mod restore;
pub mod session;
pub mod settlement;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_account;
#[cfg(test)]
mod tests_agent;
#[cfg(test)]
mod tests_inquiry;
#[cfg(test)]
mod tests_restore;
mod waits;

pub use dossier::Dossier;
pub use error::{Misfit, ViewError};
pub use handle::DossierHandle;
pub use market::{CLOSED_MAX, Traffic};
pub use read::Place;
pub use restore::{BUILD, LogFold};

use books::Books;
use community::Community;
use domain::event::Event;
use domain::event::community::{OfferAccepted, OfferEvent};
use domain::log::{LogName, Seq};
use domain::table::FixedHasher;
use market::Market;
use position::Position;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use store::backend::{EventStore, ReadError};
use store::chain::{ChainError, Verifier};
use store::raw::Head;
use store::recorded::{CorruptEvent, Recorded};

/// The views of one node. Shared as `Arc<Live>`.
///
/// A batch becomes visible as a whole within its log's view; dossiers have locks of their own, so one
/// read may see a dossier a moment before the queue that it left.
// Locks are taken in this order: community, markets, one market, one dossier, heads. That of the books stands alone.
#[derive(Debug, Default)]
pub struct Live {
    community: RwLock<Watched<Community>>,
    markets: RwLock<BTreeMap<LogName, Arc<RwLock<Market>>>>,
    books: RwLock<Watched<Books>>,
    heads: Mutex<BTreeMap<LogName, Head>>,
    /// A head moved.
    moved: Condvar,
}

#[derive(Debug, Default, PartialEq)]
struct Watched<V> {
    position: Position,
    view: V,
}

impl Live {
    pub fn new() -> Live {
        Live::default()
    }

    /// Folds consecutive events of one log. An event at or below the view's position is skipped.
    ///
    /// Errors: a gap, another event at the view's position, or an event that does not fit. What came
    /// before it stays; that log's view is then over, and every later batch of it gets the same error.
    pub fn apply(&self, batch: &[Arc<Recorded>]) -> Result<(), ViewError> {
        let Some(first) = batch.first() else { return Ok(()) };
        let log = &first.log;
        if *log == LogName::community() {
            let mut guard = write(&self.community);
            let Watched { position, view } = &mut *guard;
            let result = position.fold(log, batch, |recorded| self.fold_community(view, recorded));
            self.publish(log, position.head());
            result
        } else if *log == LogName::treasury() {
            let mut guard = write(&self.books);
            let Watched { position, view } = &mut *guard;
            let result = position.fold(log, batch, |recorded| view.fold(recorded));
            self.publish(log, position.head());
            result
        } else if log.is_reserved() {
            // What leaves the house is folded where it is sent from.
            Err(ViewError::at(first, Misfit::WrongLog))
        } else {
            let market = self.market(log);
            let mut market = write(&market);
            let result = market.take(log, batch);
            self.publish(log, market.position.head());
            result
        }
    }

    /// Forgets what was folded of a call server's log, and folds what the store holds of it now, with the
    /// acceptances that `community` has for it. Meanwhile readers see less than there is. Errors: a log that
    /// cannot be read or folded; then the view stands where it came to.
    pub fn fold_anew(&self, log: &LogName, store: &dyn EventStore) -> Result<(), RefoldError> {
        {
            let market = self.market(log);
            let mut market = write(&market);
            *market = Market::default();
            lock(&self.heads).remove(log);
        }
        each_page(store, log, |page| Ok(self.apply(page)?))?;
        // The dossiers' acceptances stand in the other log, which was folded long ago.
        let market = self.market(log);
        each_page(store, &LogName::community(), |page| {
            for recorded in page {
                if let Some(e) = acceptance(recorded).filter(|e| e.call_server == *log) {
                    let accepted = write(&market).on_acceptance(e, recorded);
                    accepted.map_err(|misfit| ViewError::at(recorded, misfit))?;
                }
            }
            Ok(())
        })
    }

    /// The last event of `log` that is folded; none before the first.
    pub fn head(&self, log: &LogName) -> Option<Head> {
        lock(&self.heads).get(log).copied()
    }
    /// By name.
    pub fn heads(&self) -> Vec<(LogName, Head)> {
        lock(&self.heads).iter().map(|(log, head)| (log.clone(), *head)).collect()
    }
    /// Blocks until `log` is folded up to `seq`; false where `timeout` comes first.
    pub fn wait_for(&self, log: &LogName, seq: Seq, timeout: Duration) -> bool {
        let behind = |heads: &mut BTreeMap<LogName, Head>| heads.get(log).is_none_or(|head| head.seq < seq);
        let waited = self.moved.wait_timeout_while(lock(&self.heads), timeout, behind);
        !waited.expect("nothing panics under this lock").1.timed_out()
    }

    /// The views that are over, for whoever asks whether this node is ready. None in health.
    pub fn failures(&self) -> Vec<ViewError> {
        let mut failures: Vec<ViewError> = read(&self.community).position.stopped().cloned().into_iter().collect();
        failures.extend(read(&self.books).position.stopped().cloned());
        failures.extend(read(&self.markets).values().filter_map(|market| read(market).position.stopped().cloned()));
        failures
    }

    /// The books and the last event that is in them; absent before the first. Nothing is folded into them while the look
    /// lasts.
    pub fn books<T>(&self, look: impl FnOnce(Option<Seq>, &Books) -> T) -> T {
        let books = read(&self.books);
        look(books.position.head().map(|head| head.seq), &books.view)
    }

    fn fold_community(&self, view: &mut Community, recorded: &Recorded) -> Result<(), Misfit> {
        view.fold(recorded)?;
        match acceptance(recorded) {
            Some(e) => write(&self.market(&e.call_server)).on_acceptance(e, recorded),
            None => Ok(()),
        }
    }

    /// The call server's view, begun where its log or an acceptance names it first.
    fn market(&self, log: &LogName) -> Arc<RwLock<Market>> {
        if let Some(market) = read(&self.markets).get(log) {
            return market.clone();
        }
        write(&self.markets).entry(log.clone()).or_default().clone()
    }

    /// Called under the lock of the log's view, so that heads never go back.
    fn publish(&self, log: &LogName, head: Option<Head>) {
        let Some(head) = head else { return };
        lock(&self.heads).insert(log.clone(), head);
        self.moved.notify_all();
    }
}

/// Why a log could not be folded anew.
#[derive(Debug, thiserror::Error)]
pub enum RefoldError {
    #[error("it cannot be read")]
    Read(#[from] ReadError),
    #[error(transparent)]
    Corrupt(#[from] CorruptEvent),
    /// What stands in the log is not what was written.
    #[error("log {log} is broken")]
    Chain {
        log: LogName,
        #[source]
        source: ChainError,
    },
    #[error(transparent)]
    View(#[from] ViewError),
    #[error("log {log} ends before position {seq}")]
    Ended { log: LogName, seq: Seq },
}

fn each_page(
    store: &dyn EventStore,
    log: &LogName,
    each: impl FnMut(&[Arc<Recorded>]) -> Result<(), RefoldError>,
) -> Result<(), RefoldError> {
    each_page_to(store, log, 0, None, each)
}

/// The events from `from` to `to`, both included, or to the log's end. Each is checked against the one before it.
fn each_page_to(
    store: &dyn EventStore,
    log: &LogName,
    mut from: Seq,
    to: Option<Seq>,
    mut each: impl FnMut(&[Arc<Recorded>]) -> Result<(), RefoldError>,
) -> Result<(), RefoldError> {
    const PAGE: u64 = 1_024;
    let before = match from.checked_sub(1) {
        Some(before) => store.read(log, before, 1)?.first().map(|raw| raw.head()),
        None => None,
    };
    let mut chain = Verifier::after(before);
    loop {
        let left = to.map_or(PAGE, |to| (to + 1).saturating_sub(from));
        let asked = left.min(PAGE) as usize;
        let raw = store.read(log, from, asked)?;
        let ended = raw.len() < asked || left <= PAGE && to.is_some();
        from += raw.len() as u64;
        for event in &raw {
            chain.check(event).map_err(|source| RefoldError::Chain { log: log.clone(), source })?;
        }
        let page = raw.into_iter().map(|raw| Ok(Arc::new(Recorded::open(log, raw)?)));
        each(&page.collect::<Result<Vec<_>, CorruptEvent>>()?)?;
        if ended {
            return Ok(());
        }
    }
}

/// By ids that this house minted, in no order that could show.
type ById<K, V> = HashMap<K, V, BuildHasherDefault<FixedHasher>>;
fn acceptance(recorded: &Recorded) -> Option<&OfferAccepted> {
    match &recorded.event {
        Event::Offer(OfferEvent::Accepted(e)) => Some(e),
        Event::Offer(
            OfferEvent::Published(_)
            | OfferEvent::Revised(_)
            | OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_)
            | OfferEvent::PlaceFreed(_),
        )
        | Event::Provider(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}

/// The keys after `after`, for a page.
fn past<K>(after: Option<K>) -> (Bound<K>, Bound<K>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().expect("no fold panics")
}
fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().expect("no fold panics")
}
fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nothing panics under this lock")
}
