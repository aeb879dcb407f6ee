//! Feeds: acknowledged events of a call server's log, given to whoever watches what they concern.
//!
//! A [`Reader`] gets every event after its start that concerns what it watches, once, in the log's order:
//! from its inbox while it keeps up, from the log itself where it began further back or fell behind. So
//! nothing is ever skipped, and a slow reader costs a bounded inbox and its own reading. The writer's
//! thread hands a batch over and waits for nobody; a thread of its own deals the events out.
//!
//! An event concerns the agents, queues and inquiries among its subjects; with an inquiry, the queues that
//! it was registered in; an auction's opening concerns every agent. The rule is the same for both ways, so
//! a feed that is resumed shows what the one that ran would have shown. Of agents that could not bid in an auction, and
//! whose feeds would pass its opening over, the dealing wakes none.
//!
//! What is read from the log is checked: every link from the event that the reader stands at to where the inbox
//! takes over. A byte that was changed since it was written ends the feed with `FeedError::Chain`, and the event is
//! not given. What a mark names is not itself checked: the link to it is, with the event that follows.
//!
//! Not here: what a viewer may see of an event, cursors as text, how long a reader may lag (`api`).

use crate::inquiry_of;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::inquiry::InquiryEvent;
use domain::ids::{AgentId, InquiryId, QueueId, Subject};
use domain::log::{LogName, Seq};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use store::backend::{EventStore, ReadError};
use store::chain::{ChainError, Verifier};
use store::raw::{Hash, Head};
use store::recorded::{CorruptEvent, Recorded};
use tokio::sync::Notify;

/// Events that wait for one reader; with more it reads the log again.
const INBOX: usize = 256;
/// Batches that wait to be dealt out; with more every reader of the log reads it again.
const BATCHES: usize = 1_024;
/// Events of one read of the log.
const PAGE: usize = 512;
/// A reader this many positions behind its log will not catch up by itself.
const LAG_MAX: u64 = 1_000_000;
/// Inquiries whose queues a reader remembers while it reads the log.
const QUEUES_KNOWN: usize = 4_096;

/// What a reader watches. Of a queue: its own events and those of the inquiries registered in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    Queue(QueueId),
    /// And every auction that opens.
    Agent(AgentId),
    /// Whatever concerns any agent.
    Agents,
    Inquiry(InquiryId),
}

/// The queues that an inquiry was registered in, open or closed; none where it is unknown.
pub type QueuesOf = Arc<dyn Fn(InquiryId) -> Result<Vec<QueueId>, FeedError> + Send + Sync>;

/// Those of the agents who could never bid in the auction that this event opens; whoever shows a feed shows them
/// nothing of it. None of them where that is not known.
pub type Outsiders = Arc<dyn Fn(&Recorded, &[AgentId]) -> Vec<AgentId> + Send + Sync>;

/// Why a reader cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("the log cannot be read")]
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
    #[error("an inquiry's queues cannot be found")]
    Queues(#[source] Box<crate::history::HistoryError>),
    /// The log is another one now than the one that was followed: it was restored, or lost its end.
    #[error("the log holds another history than the one that was followed")]
    Forked,
}

/// A position to start after, and enough of the hash there to tell another history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub seq: Seq,
    pub hash: [u8; 8],
}

impl From<Head> for Mark {
    fn from(head: Head) -> Mark {
        Mark { seq: head.seq, hash: prefix(&head.hash) }
    }
}

fn prefix(hash: &Hash) -> [u8; 8] {
    hash[..8].try_into().expect("eight of thirty-two bytes")
}

/// All feeds of one node. Shared as `Arc<Feeds>`.
pub struct Feeds {
    store: Arc<dyn EventStore>,
    queues_of: QueuesOf,
    outsiders: Outsiders,
    logs: Mutex<BTreeMap<LogName, LogFeeds>>,
    readers: AtomicUsize,
    lag_max: AtomicU64,
    inbox: usize,
    batches: SyncSender<Vec<Arc<Recorded>>>,
}

#[derive(Default)]
struct LogFeeds {
    /// Every event up to here has been dealt out, or needs not be.
    dealt: Option<Head>,
    ended: bool,
    inboxes: HashMap<Watched, Vec<Arc<Inbox>>>,
}

struct Inbox {
    /// The first position that is dealt to it, and what stands before it.
    from: Seq,
    before: Option<Head>,
    room: usize,
    content: Mutex<Content>,
    arrived: Notify,
}

#[derive(Default)]
struct Content {
    events: VecDeque<Arc<Recorded>>,
    /// The last position that was put in.
    last: Option<Seq>,
    state: State,
    /// Where the dealing had come to as it fell behind: whatever concerns the reader up to there was put in.
    left_at: Option<Head>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// It was full: the rest is in the log.
    Behind,
    /// The log is no longer the one that was followed.
    Ended,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    fn take(&self) -> Result<Option<Arc<Recorded>>, State> {
        let mut content = lock(&self.content);
        match content.events.pop_front() {
            Some(event) => Ok(Some(event)),
            None if content.state == State::Open => Ok(None),
            None => Err(content.state),
        }
    }

    fn put(&self, event: &Arc<Recorded>) {
        let mut content = lock(&self.content);
        // What concerns a reader twice is dealt once.
        let repeated = content.last.is_some_and(|last| last >= event.seq);
        if content.state != State::Open || event.seq < self.from || repeated {
            return;
        }
        content.last = Some(event.seq);
        if content.events.len() == self.room {
            content.state = State::Behind;
        } else {
            content.events.push_back(event.clone());
        }
        drop(content);
        self.arrived.notify_one();
    }

    fn end(&self) {
        self.turn(State::Ended, None);
    }

    /// What follows is in the log; everything up to `dealt` was put in.
    fn fall_behind(&self, dealt: Option<Head>) {
        self.turn(State::Behind, dealt);
    }

    fn turn(&self, state: State, dealt: Option<Head>) {
        let mut content = lock(&self.content);
        if content.state == State::Open {
            content.left_at = dealt;
        }
        if content.state != State::Ended {
            content.state = state;
        }
        drop(content);
        self.arrived.notify_one();
    }
}

impl LogFeeds {
    fn reached(&mut self, head: Head) {
        if self.dealt.is_none_or(|dealt| dealt.seq < head.seq) {
            self.dealt = Some(head);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Inbox>> {
        self.inboxes.values().flatten()
    }
}

impl Feeds {
    /// Starts the thread that deals events out; it ends with the last handle.
    pub fn start(store: Arc<dyn EventStore>, queues_of: QueuesOf, outsiders: Outsiders) -> std::io::Result<Arc<Feeds>> {
        let (feeds, waiting) = Feeds::by_hand(store, queues_of, outsiders, INBOX);
        let weak = Arc::downgrade(&feeds);
        std::thread::Builder::new().name("feeds".to_owned()).spawn(move || deal(&weak, &waiting))?;
        Ok(feeds)
    }

    /// The same without the thread: batches wait until [`Dealer::deal`] is called, so that a simulation decides when.
    /// `inbox`: how many events wait for one reader.
    pub fn by_hand(
        store: Arc<dyn EventStore>,
        queues_of: QueuesOf,
        outsiders: Outsiders,
        inbox: usize,
    ) -> (Arc<Feeds>, Dealer) {
        let (batches, waiting) = sync_channel(BATCHES);
        let feeds = Feeds {
            store,
            queues_of,
            outsiders,
            logs: Mutex::default(),
            readers: AtomicUsize::new(0),
            lag_max: AtomicU64::new(LAG_MAX),
            inbox,
            batches,
        };
        (Arc::new(feeds), Dealer(waiting))
    }

    /// Hands over consecutive acknowledged events of one log, which the live views hold by now. Does not wait.
    pub fn publish(&self, batch: &[Arc<Recorded>]) {
        let Some(last) = batch.last() else { return };
        if self.readers.load(Ordering::Acquire) == 0 {
            let mut logs = lock(&self.logs);
            // A reader may have come in between; then the batch is dealt out.
            if self.readers.load(Ordering::Acquire) == 0 {
                logs.entry(last.log.clone()).or_default().reached(last.raw.head());
                return;
            }
        }
        if self.batches.try_send(batch.to_vec()).is_err() {
            let mut logs = lock(&self.logs);
            let log = logs.entry(last.log.clone()).or_default();
            let dealt = log.dealt;
            log.reached(last.raw.head());
            log.all().for_each(|inbox| inbox.fall_behind(dealt));
        }
    }

    /// Up to here the log was known before anybody came: a reader begins after it unless it asks otherwise.
    pub fn begin_after(&self, log: &LogName, head: Head) {
        lock(&self.logs).entry(log.clone()).or_default().reached(head);
    }

    /// Ends every reader of a log that has forked, for good.
    pub fn end(&self, log: &LogName) {
        let mut logs = lock(&self.logs);
        let log = logs.entry(log.clone()).or_default();
        log.ended = true;
        log.all().for_each(|inbox| inbox.end());
    }

    /// From how many positions on a reader that falls behind is lost.
    pub fn lose_from(&self, positions: u64) {
        self.lag_max.store(positions, Ordering::Relaxed);
    }

    /// Readers there are now.
    pub fn readers(&self) -> usize {
        self.readers.load(Ordering::Acquire)
    }

    /// A reader of one call server's log. `after` is exclusive; absent: from now on. Reads the log to check
    /// that `after` stands there.
    ///
    /// Errors: `Forked` where it does not.
    pub fn follow(
        self: &Arc<Feeds>,
        log: &LogName,
        watched: Vec<Watched>,
        after: Option<Mark>,
    ) -> Result<Reader, FeedError> {
        let Some(mark) = after else { return self.begin(log, watched, None) };
        let found = self.store.read(log, mark.seq, 1)?.first().map(|raw| raw.head());
        let stands = found.filter(|head| head.seq == mark.seq && prefix(&head.hash) == mark.hash);
        self.begin(log, watched, Some(Some(stands.ok_or(FeedError::Forked)?)))
    }

    /// The same from the log's first event on.
    pub fn follow_from_start(self: &Arc<Feeds>, log: &LogName, watched: Vec<Watched>) -> Result<Reader, FeedError> {
        self.begin(log, watched, Some(None))
    }

    /// After this event, or before the first; absent: from now on.
    fn begin(
        self: &Arc<Feeds>,
        log: &LogName,
        watched: Vec<Watched>,
        after: Option<Option<Head>>,
    ) -> Result<Reader, FeedError> {
        // Counted first: from here on batches are dealt out.
        self.readers.fetch_add(1, Ordering::AcqRel);
        let joined = self.join(log, &watched);
        let inbox = joined.inspect_err(|_| {
            self.readers.fetch_sub(1, Ordering::AcqRel);
        })?;
        let began = inbox.from;
        let at = after.unwrap_or(inbox.before);
        Ok(Reader {
            feeds: self.clone(),
            log: log.clone(),
            watched,
            at,
            began,
            inbox,
            page: VecDeque::new(),
            queues: HashMap::new(),
        })
    }

    fn join(&self, log: &LogName, watched: &[Watched]) -> Result<Arc<Inbox>, FeedError> {
        let mut logs = lock(&self.logs);
        let feeds = logs.entry(log.clone()).or_default();
        if feeds.ended {
            return Err(FeedError::Forked);
        }
        let (from, before, room) = (Head::next(feeds.dealt), feeds.dealt, self.inbox);
        let inbox = Inbox { from, before, room, content: Mutex::default(), arrived: Notify::new() };
        let inbox = Arc::new(inbox);
        for watched in watched {
            feeds.inboxes.entry(*watched).or_default().push(inbox.clone());
        }
        Ok(inbox)
    }

    fn leave(&self, log: &LogName, watched: &[Watched], inbox: &Arc<Inbox>) {
        let mut logs = lock(&self.logs);
        let Some(feeds) = logs.get_mut(log) else { return };
        for watched in watched {
            if let Some(inboxes) = feeds.inboxes.get_mut(watched) {
                inboxes.retain(|one| !Arc::ptr_eq(one, inbox));
                if inboxes.is_empty() {
                    feeds.inboxes.remove(watched);
                }
            }
        }
    }

    fn deal_out(&self, batch: &[Arc<Recorded>]) {
        let Some(last) = batch.last() else { return };
        let outsiders = self.outsiders_of(batch);
        // Queues are looked up before the lock is taken: the writers' threads may wait for it.
        let watches_queues = lock(&self.logs)
            .get(&last.log)
            .is_some_and(|feeds| feeds.inboxes.keys().any(|watched| matches!(watched, Watched::Queue(_))));
        let mut queues: HashMap<InquiryId, Vec<QueueId>> = HashMap::new();
        let mut unknown = false;
        if watches_queues {
            let inquiries: HashSet<InquiryId> = batch.iter().filter_map(|event| inquiry_of(&event.subjects)).collect();
            for inquiry in inquiries {
                match (self.queues_of)(inquiry) {
                    Ok(found) => {
                        queues.insert(inquiry, found);
                    }
                    Err(error) => {
                        tracing::error!(%error, "feed.queues_unknown");
                        unknown = true;
                    }
                }
            }
        }
        let mut logs = lock(&self.logs);
        let feeds = logs.entry(last.log.clone()).or_default();
        if unknown {
            // Before any event of the batch: who has got a later one would not look for an earlier one.
            let on_queues = feeds.inboxes.iter().filter(|(watched, _)| matches!(watched, Watched::Queue(_)));
            on_queues.flat_map(|(_, inboxes)| inboxes).for_each(|inbox| inbox.fall_behind(feeds.dealt));
        }
        for event in batch {
            let of_inquiry = inquiry_of(&event.subjects).and_then(|id| queues.get(&id));
            for watched in concerns(event, of_inquiry.map_or(&[][..], Vec::as_slice)) {
                feeds.inboxes.get(&watched).into_iter().flatten().for_each(|inbox| inbox.put(event));
            }
            if is_opening(event) {
                let outside = outsiders.get(&event.seq);
                let told = |watched: &Watched| match watched {
                    Watched::Agent(id) => !outside.is_some_and(|outside| outside.contains(id)),
                    Watched::Queue(_) | Watched::Agents | Watched::Inquiry(_) => false,
                };
                let agents = feeds.inboxes.iter().filter(|(watched, _)| told(watched));
                agents.flat_map(|(_, inboxes)| inboxes).for_each(|inbox| inbox.put(event));
            }
        }
        feeds.reached(last.raw.head());
    }
}

/// Batches that writers have handed over and nobody has dealt out yet.
pub struct Dealer(Receiver<Vec<Arc<Recorded>>>);

impl Dealer {
    /// Deals out the oldest batch; false where none waits.
    pub fn deal(&self, feeds: &Feeds) -> bool {
        let batch = self.0.try_recv();
        batch.iter().for_each(|batch| feeds.deal_out(batch));
        batch.is_ok()
    }
}

impl Feeds {
    /// Of each opening in the batch, the watching agents who could never bid. Whoever comes to watch after this is none
    /// of them, and is told.
    fn outsiders_of(&self, batch: &[Arc<Recorded>]) -> HashMap<Seq, HashSet<AgentId>> {
        let openings: Vec<_> = batch.iter().filter(|event| is_opening(event)).collect();
        let (Some(log), false) = (batch.first().map(|event| &event.log), openings.is_empty()) else {
            return HashMap::new();
        };
        let agents: Vec<AgentId> = lock(&self.logs).get(log).map_or_else(Vec::new, |feeds| {
            let agent = |watched: &Watched| if let Watched::Agent(id) = watched { Some(*id) } else { None };
            feeds.inboxes.keys().filter_map(agent).collect()
        });
        openings.iter().map(|event| (event.seq, (self.outsiders)(event, &agents).into_iter().collect())).collect()
    }
}

fn deal(feeds: &Weak<Feeds>, waiting: &Dealer) {
    while let Ok(batch) = waiting.0.recv() {
        let Some(feeds) = feeds.upgrade() else { return };
        feeds.deal_out(&batch);
    }
}

/// What an event concerns, but for the agents who are told of every opening.
fn concerns(event: &Recorded, queues: &[QueueId]) -> impl Iterator<Item = Watched> {
    let named = event.subjects.iter().filter_map(|subject| match subject {
        Subject::QueueId(id) => Some(Watched::Queue(*id)),
        Subject::AgentId(id) => Some(Watched::Agent(*id)),
        Subject::InquiryId(id) => Some(Watched::Inquiry(*id)),
        _ => None,
    });
    let agents = event.subjects.iter().any(|subject| matches!(subject, Subject::AgentId(_)));
    // Once each: an event may name a queue of its inquiry itself.
    let others = queues.iter().filter(|id| !event.subjects.contains(&Subject::QueueId(**id)));
    named.chain(agents.then_some(Watched::Agents)).chain(others.map(|id| Watched::Queue(*id)))
}

fn is_opening(event: &Recorded) -> bool {
    matches!(event.event, Event::Auction(AuctionEvent::Opened(_)))
}

/// One reader's place in a log. Dropping it leaves nothing behind.
pub struct Reader {
    feeds: Arc<Feeds>,
    log: LogName,
    watched: Vec<Watched>,
    /// The last event that was looked at; none before the first.
    at: Option<Head>,
    /// Where the log ended when the reading began.
    began: Seq,
    inbox: Arc<Inbox>,
    /// Read from the log, not yet given.
    page: VecDeque<Arc<Recorded>>,
    queues: HashMap<InquiryId, Vec<QueueId>>,
}

/// What a reader has at hand.
pub enum Step {
    Event(Arc<Recorded>),
    /// The log is to be read: call [`Reader::read_on`] where blocking is allowed.
    Read,
    /// Nothing: wait for [`Reader::arrived`].
    Wait,
}

impl Reader {
    /// The next event, if it is at hand.
    ///
    /// Errors: `Forked`, and nothing comes after it.
    pub fn step(&mut self) -> Result<Step, FeedError> {
        if let Some(event) = self.page.pop_front() {
            return Ok(Step::Event(event));
        }
        if self.next() < self.inbox.from {
            return Ok(Step::Read);
        }
        loop {
            return match self.inbox.take() {
                // It began after what the dealing had come to.
                Ok(Some(event)) if event.seq < self.next() => continue,
                Ok(Some(event)) => {
                    self.at = Some(event.raw.head());
                    Ok(Step::Event(event))
                }
                Ok(None) => Ok(Step::Wait),
                Err(State::Ended) => Err(FeedError::Forked),
                Err(_) => {
                    // A quiet one stands at the last event that concerned it, and has missed nothing since.
                    let left_at = lock(&self.inbox.content).left_at;
                    if Head::next(left_at) > self.next() {
                        self.at = left_at;
                    }
                    self.feeds.leave(&self.log, &self.watched, &self.inbox);
                    self.inbox = self.feeds.join(&self.log, &self.watched)?;
                    // What came by the inbox may have moved an inquiry to another queue.
                    self.queues.clear();
                    Ok(Step::Read)
                }
            };
        }
    }

    /// The first position that has not been looked at.
    fn next(&self) -> Seq {
        Head::next(self.at)
    }

    /// Reads a page of what the inbox does not have. Blocks on the disk.
    ///
    /// Errors: `Chain` at an event that is not what was written, `Forked` where the log has lost what was dealt out.
    pub fn read_on(&mut self) -> Result<(), FeedError> {
        let (until, next) = (self.inbox.from, self.next());
        let wanted = usize::try_from(until.saturating_sub(next)).unwrap_or(PAGE).min(PAGE);
        if wanted == 0 {
            return Ok(());
        }
        let page = self.feeds.store.read(&self.log, next, wanted)?;
        if page.len() < wanted {
            // What was dealt out stands in the log, or the log is another one.
            return Err(FeedError::Forked);
        }
        let mut chain = Verifier::after(self.at);
        for raw in page {
            chain.check(&raw).map_err(|source| FeedError::Chain { log: self.log.clone(), source })?;
            let event = Arc::new(Recorded::open(&self.log, raw)?);
            self.at = chain.head();
            if self.is_for_me(&event)? {
                self.page.push_back(event);
            }
        }
        // The dealing goes on from an event that the log must hold.
        if self.next() == until && self.at != self.inbox.before {
            return Err(FeedError::Forked);
        }
        Ok(())
    }

    fn is_for_me(&mut self, event: &Recorded) -> Result<bool, FeedError> {
        // It stands in other queues from here on.
        if let Event::Inquiry(InquiryEvent::Moved(e)) = &event.event {
            self.queues.remove(&e.inquiry);
        }
        if is_opening(event) && self.watched.iter().any(|watched| matches!(watched, Watched::Agent(_))) {
            return Ok(true);
        }
        if concerns(event, &[]).any(|one| self.watched.contains(&one)) {
            return Ok(true);
        }
        let Some(inquiry) = inquiry_of(&event.subjects) else { return Ok(false) };
        if !self.watched.iter().any(|watched| matches!(watched, Watched::Queue(_))) {
            return Ok(false);
        }
        if self.queues.len() >= QUEUES_KNOWN {
            self.queues.clear();
        }
        let queues = match self.queues.entry(inquiry) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert((self.feeds.queues_of)(inquiry)?),
        };
        Ok(queues.iter().any(|id| self.watched.contains(&Watched::Queue(*id))))
    }

    /// Ends when the inbox may hold something new.
    pub async fn arrived(&self) {
        self.inbox.arrived.notified().await;
    }

    /// Whether an event stood in the log before the reading began.
    pub fn is_replay(&self, seq: Seq) -> bool {
        seq < self.began
    }

    /// Whether it still reads what stood in the log before it began.
    pub fn is_catching_up(&self) -> bool {
        self.next() < self.began
    }

    /// Whether it kept up once and has fallen so far behind that it will not do so again by itself.
    pub fn is_lost(&self) -> bool {
        let dealt = lock(&self.feeds.logs).get(&self.log).and_then(|feeds| feeds.dealt);
        let lag = Head::next(dealt).saturating_sub(self.next());
        !self.is_catching_up() && lag > self.feeds.lag_max.load(Ordering::Relaxed)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.feeds.leave(&self.log, &self.watched, &self.inbox);
        self.feeds.readers.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
