//! Audit trails: every event that concerns a subject, or every event there is, merged over the logs by
//! (time, log, position).
//!
//! Never behind: up to a log's checkpoint the index says which events concern a subject, beyond it the
//! log itself is read. An offer's trail holds the events of its inquiries too, a provider's those of its
//! offers; an id that is no subject of any event stands for what it belongs to: a bid for its auction, a
//! channel, message or record for its inquiry, a link for its offer, a posting for its settlement or account.
//! Each log's time never goes back, so one binary search turns a time, or
//! the position of another log, into a position of this one.
//!
//! A filter that matches little of a large log reads much of it, so the caller bounds how many events are
//! read; the answer then says where the reading stopped, and the next one goes on from there.
//!
//! What is read of the log itself is checked, each event against the one before it, and so is what the index names
//! where the position before is named too; a link that does not hold is `HistoryError::Chain`, and nothing of that
//! log is told. An event alone cannot be checked: its hash needs the one before it, which would be a second row
//! for each. Whoever shows an entry has that hash in hand and checks it there (`api`); `first_at` looks at
//! times, and checks nothing.
//!
//! Not here: what the viewer may see of them (`visibility`).

use super::runs;
use super::scope::{Checkpoints, Scope, home};
use super::subjects::{self, needs_home};
use super::{History, HistoryError};
use domain::actor::Role;
use domain::ids::{InquiryId, Subject};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use store::backend::EventStore;
use store::chain::Verifier;
use store::raw::{Head, RawEvent};
use store::recorded::{CommandId, Recorded};

/// Events of one read.
const PAGE_MIN: usize = 16;
const PAGE_MAX: usize = 2_048;

/// What must be true of an entry. Empty and absent members ask nothing. Ranges are half-open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub types: Vec<String>,
    /// As `Actor::id` gives it.
    pub actor: Option<String>,
    pub roles: Vec<Role>,
    pub correlation: Option<CommandId>,
    pub log: Option<LogName>,
    pub from_seq: Option<Seq>,
    pub to_seq: Option<Seq>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    /// What ranges do not say already.
    pub fn fits(&self, event: &Recorded) -> bool {
        (self.types.is_empty() || self.types.iter().any(|name| name == event.type_name))
            && (self.roles.is_empty() || self.roles.contains(&event.actor.role()))
            && self.correlation.is_none_or(|command| command == event.correlation)
            && self.actor.as_ref().is_none_or(|id| event.actor.id().as_ref() == Some(id))
    }
}

/// A place in the merged order of all logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub time: Timestamp,
    pub log: LogName,
    pub seq: Seq,
}

impl Position {
    pub fn of(event: &Recorded) -> Position {
        Position { time: event.time, log: event.log.clone(), seq: event.seq }
    }
}

/// How much one call may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events of the answer.
    pub events: usize,
    /// Events read, those included that the filter leaves out. Each log may read one small page beyond it,
    /// so that every call comes further.
    pub read: usize,
}

impl Bounds {
    /// As much as it takes.
    pub fn events(events: usize) -> Bounds {
        Bounds { events, read: usize::MAX }
    }
}

/// A part of a trail.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    pub events: Vec<Arc<Recorded>>,
    /// Events that were read for it.
    pub read: usize,
    /// Where the reading stopped, because its bound was reached: nothing up to there is missing.
    pub stopped: Option<Position>,
}

impl History {
    /// Events after `after`, oldest first; with `reverse` newest first, and `after` means before. `subject`:
    /// an id of any kind; absent: every event. An id that nobody knows has no events.
    pub fn trail(
        &self,
        store: &dyn EventStore,
        subject: Option<Subject>,
        filter: &AuditFilter,
        after: Option<&Position>,
        reverse: bool,
        bounds: Bounds,
    ) -> Result<Trail, HistoryError> {
        let plan = Plan { history: self, store, filter, reverse, known: self.checkpoints() };
        let ranges = plan.ranges(plan.logs()?, after)?;
        let mut scope = match subject {
            None => None,
            Some(subject) => match Scope::of(self, store, &plan.known, subject)? {
                None => return Ok(Trail::default()),
                Some(scope) => Some(scope),
            },
        };
        let mut sources = Vec::new();
        for (log, range) in ranges {
            sources.push(Source::new(&plan, log, range, bounds.events, scope.as_ref())?);
        }
        let mut trail = Trail::default();
        let mut left = bounds.read;
        while trail.events.len() < bounds.events {
            let mut next: Option<(Position, usize)> = None;
            for (at, source) in sources.iter_mut().enumerate() {
                source.fill(&plan, scope.as_mut(), &mut left)?;
                let Some(position) = source.place() else { continue };
                let earlier = next.as_ref().is_none_or(|(best, _)| (position < *best) != reverse);
                if earlier {
                    next = Some((position, at));
                }
            }
            let Some((position, at)) = next else { break };
            let Some(event) = sources[at].ready.pop_front() else {
                // What this log holds from here on was not read: nothing behind it may be told.
                trail.stopped = Some(position);
                break;
            };
            trail.events.push(event);
        }
        trail.read = sources.iter().map(|source| source.read).sum();
        Ok(trail)
    }

    /// All events that concern the subject: those of the house's own logs first, then each log in its
    /// order. What an inquiry, auction or agent of the past is folded from.
    pub fn events_of(&self, store: &dyn EventStore, subject: Subject) -> Result<Vec<Arc<Recorded>>, HistoryError> {
        let filter = AuditFilter::default();
        let plan = Plan { history: self, store, filter: &filter, reverse: false, known: self.checkpoints() };
        let mut logs = plan.logs()?;
        logs.sort_by_key(|log| !log.is_reserved());
        let ranges = plan.ranges(logs, None)?;
        let Some(mut scope) = Scope::of(self, store, &plan.known, subject)? else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        let mut unbounded = usize::MAX;
        for (log, range) in ranges {
            let mut source = Source::new(&plan, log, range, PAGE_MAX, Some(&scope))?;
            loop {
                source.fill(&plan, Some(&mut scope), &mut unbounded)?;
                if source.ready.is_empty() {
                    break;
                }
                events.extend(source.ready.drain(..));
            }
        }
        Ok(events)
    }

    /// The inquiry that the id is, belongs to, or is about.
    pub fn inquiry_of(&self, store: &dyn EventStore, id: Subject) -> Result<Option<InquiryId>, HistoryError> {
        match id {
            Subject::InquiryId(inquiry) => Ok(Some(inquiry)),
            Subject::AuctionId(_)
            | Subject::BidId(_)
            | Subject::ReservationId(_)
            | Subject::SessionId(_)
            | Subject::ChannelId(_)
            | Subject::MessageId(_)
            | Subject::RecordId(_)
            | Subject::SettlementId(_)
            | Subject::PostingId(_) => {
                if needs_home(id) {
                    // A bid's is its auction, which is about an inquiry.
                    return match home(store, &self.checkpoints(), self, id)? {
                        Some(home) => self.inquiry_of(store, home),
                        None => Ok(None),
                    };
                }
                let first = self.trail(store, Some(id), &AuditFilter::default(), None, false, Bounds::events(1))?;
                Ok(first.events.first().and_then(|event| subjects::inquiry_of(&event.subjects)))
            }
            Subject::ProviderId(_)
            | Subject::OfferId(_)
            | Subject::LinkId(_)
            | Subject::CallServerId(_)
            | Subject::QueueId(_)
            | Subject::CustomerId(_)
            | Subject::AgentId(_)
            | Subject::NoticeId(_)
            | Subject::AccountId(_)
            | Subject::FeeRuleId(_)
            | Subject::PayoutId(_)
            | Subject::WebhookId(_)
            | Subject::DeliveryId(_)
            | Subject::EventId(_) => Ok(None),
        }
    }

    /// What an id leads to that is no subject of any event, such as a bid to its auction. `None`: nobody knows it,
    /// or it needs no look-up.
    pub fn home_of(&self, store: &dyn EventStore, id: Subject) -> Result<Option<Subject>, HistoryError> {
        if needs_home(id) { home(store, &self.checkpoints(), self, id) } else { Ok(None) }
    }

    /// The log where the id lives: its call server's where it has one, else `community`. `None`: unknown.
    pub fn log_of(&self, store: &dyn EventStore, id: Subject) -> Result<Option<LogName>, HistoryError> {
        let community = LogName::community();
        let mut logs = store.logs()?;
        // What a call server's log says of these, it took from `community`.
        if matches!(id, Subject::ProviderId(_) | Subject::OfferId(_) | Subject::LinkId(_) | Subject::CustomerId(_)) {
            logs.retain(|log| *log == community);
        }
        logs.sort_by_key(|log| log.is_reserved());
        for log in logs {
            let filter = AuditFilter { log: Some(log.clone()), ..AuditFilter::default() };
            if !self.trail(store, Some(id), &filter, None, false, Bounds::events(1))?.events.is_empty() {
                return Ok(Some(log));
            }
        }
        Ok(None)
    }
}

/// The question, the same for every log.
struct Plan<'a> {
    history: &'a History,
    store: &'a dyn EventStore,
    filter: &'a AuditFilter,
    reverse: bool,
    /// The index answers below these, the logs from there on: taken first, and then kept, so that no
    /// event falls between the two while history goes on.
    known: Checkpoints,
}

impl Plan<'_> {
    fn logs(&self) -> Result<Vec<LogName>, HistoryError> {
        let mut logs = self.store.logs()?;
        logs.retain(|log| self.filter.log.as_ref().is_none_or(|only| only == log));
        Ok(logs)
    }

    fn end_of_index(&self, log: &LogName) -> Seq {
        Head::next(self.known.get(log).map(|checkpoint| checkpoint.head))
    }

    fn ranges(&self, logs: Vec<LogName>, after: Option<&Position>) -> Result<Vec<(LogName, Range<Seq>)>, HistoryError> {
        let mut ranges = Vec::new();
        for log in logs {
            let range = self.range(&log, after)?;
            ranges.extend(range.map(|range| (log, range)));
        }
        Ok(ranges)
    }

    /// The positions of the log that can still answer; `None`: none.
    fn range(&self, log: &LogName, after: Option<&Position>) -> Result<Option<Range<Seq>>, HistoryError> {
        let end = Head::next(self.store.head(log)?);
        let filter = self.filter;
        let mut range = filter.from_seq.unwrap_or(0)..filter.to_seq.unwrap_or(end).min(end);
        let first_at = |time| first_at(self.store, log, end, time);
        if let Some(from) = filter.from {
            range.start = range.start.max(first_at(from)?);
        }
        if let Some(to) = filter.to {
            range.end = range.end.min(first_at(to)?);
        }
        if let Some(after) = after {
            let start = first_after(self.store, log, end, after)?;
            let stop = if *log == after.log { after.seq } else { start };
            if self.reverse {
                range.end = range.end.min(stop);
            } else {
                range.start = range.start.max(start);
            }
        }
        Ok((range.start < range.end).then_some(range))
    }
}

/// The first position of the log behind `after` in the merged order; `end`, or what follows it, where there is none.
fn first_after(store: &dyn EventStore, log: &LogName, end: Seq, after: &Position) -> Result<Seq, HistoryError> {
    // Where the two logs' events share an instant, the names order them.
    let past = Timestamp(after.time.0.saturating_add(1));
    match log.cmp(&after.log) {
        std::cmp::Ordering::Equal => Ok(after.seq + 1),
        std::cmp::Ordering::Greater => first_at(store, log, end, after.time),
        std::cmp::Ordering::Less => first_at(store, log, end, past),
    }
}

/// Where every log goes on behind `after`.
pub fn resume(store: &dyn EventStore, after: &Position) -> Result<Vec<(LogName, Seq)>, HistoryError> {
    let logs = store.logs()?.into_iter();
    logs.map(|log| {
        let end = Head::next(store.head(&log)?);
        let next = first_after(store, &log, end, after)?;
        Ok((log, next))
    })
    .collect()
}

/// The first position at or after `time`; `end` where there is none.
pub(super) fn first_at(store: &dyn EventStore, log: &LogName, end: Seq, time: Timestamp) -> Result<Seq, HistoryError> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let probe = store.read_at(log, &[middle])?.pop();
        let Some(raw) = probe else { return Ok(high) };
        if Recorded::open(log, raw)?.time < time { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// One log's part of the answer, read page by page as it is asked for.
struct Source {
    log: LogName,
    left: Range<Seq>,
    /// Below it the index answers, from it on the log.
    indexed: Seq,
    /// The log's number and the subjects' numbers in the index.
    log_no: Option<i64>,
    numbers: Vec<i64>,
    page: usize,
    /// How many events were read, and the last of them.
    read: usize,
    reached: Option<Position>,
    ready: VecDeque<Arc<Recorded>>,
}

impl Source {
    fn new(
        plan: &Plan<'_>,
        log: LogName,
        left: Range<Seq>,
        limit: usize,
        scope: Option<&Scope>,
    ) -> Result<Source, HistoryError> {
        let indexed = match scope {
            None => 0,
            Some(_) => plan.end_of_index(&log),
        };
        let ids: Vec<String> = scope.iter().flat_map(|scope| &scope.subjects).map(Subject::to_string).collect();
        let (log_no, numbers) = plan.history.read("numbering a trail", |db| {
            let log_no = subjects::known_log_no(db, &log)?;
            let numbers = ids.iter().filter_map(|id| subjects::subject_no(db, id).transpose());
            Ok((log_no, numbers.collect::<rusqlite::Result<Vec<_>>>()?))
        })?;
        let page = limit.clamp(PAGE_MIN, PAGE_MAX);
        Ok(Source { log, left, indexed, log_no, numbers, page, read: 0, reached: None, ready: VecDeque::new() })
    }

    /// Where this log goes on: what is ready, or where its reading stopped; `None`: it has ended.
    fn place(&self) -> Option<Position> {
        match self.ready.front() {
            Some(event) => Some(Position::of(event)),
            None => self.reached.clone().filter(|_| !self.left.is_empty()),
        }
    }

    /// Reads on until something is ready, nothing is left, or `budget` is used up.
    fn fill(&mut self, plan: &Plan<'_>, mut scope: Option<&mut Scope>, budget: &mut usize) -> Result<(), HistoryError> {
        while self.ready.is_empty() && !self.left.is_empty() {
            if *budget == 0 && self.reached.is_some() {
                return Ok(());
            }
            self.page = self.page.min((*budget).max(PAGE_MIN));
            let by_index = if plan.reverse { self.left.end <= self.indexed } else { self.left.start < self.indexed };
            let raw = if by_index { self.by_index(plan)? } else { self.by_log(plan)? };
            self.linked(&raw)?;
            self.read += raw.len();
            *budget = budget.saturating_sub(raw.len());
            let last = if plan.reverse { 0 } else { raw.len().saturating_sub(1) };
            for (at, raw) in raw.into_iter().enumerate() {
                let event = Recorded::open(&self.log, raw)?;
                if at == last {
                    self.reached = Some(Position::of(&event));
                }
                let ours = match &mut scope {
                    Some(scope) if !by_index => scope.concerns(plan.history, &event)?,
                    Some(_) | None => true,
                };
                if ours && plan.filter.fits(&event) {
                    self.ready.push_back(Arc::new(event));
                }
            }
            if plan.reverse {
                self.ready.make_contiguous().reverse();
            }
            self.page = (self.page * 2).min(PAGE_MAX);
        }
        Ok(())
    }

    /// The next page of what the index names, in ascending order.
    fn by_index(&mut self, plan: &Plan<'_>) -> Result<Vec<RawEvent>, HistoryError> {
        let range = self.left.start..self.left.end.min(self.indexed);
        let mut seqs = self.indexed_seqs(plan, &range)?;
        let whole = seqs.len() < self.page;
        match (plan.reverse, seqs.last()) {
            (false, Some(last)) if !whole => self.left.start = last + 1,
            (true, Some(first)) if !whole => self.left.end = *first,
            (false, _) => self.left.start = range.end,
            (true, _) => self.left.end = range.start,
        }
        seqs.sort_unstable();
        Ok(plan.store.read_at(&self.log, &seqs)?)
    }

    /// The first page of positions in the range, in the direction of reading.
    fn indexed_seqs(&self, plan: &Plan<'_>, range: &Range<Seq>) -> Result<Vec<Seq>, HistoryError> {
        let Some(log_no) = self.log_no else { return Ok(Vec::new()) };
        let mut seqs = plan.history.read("reading the index", |db| {
            let mut seqs: Vec<Seq> = Vec::new();
            for subject in &self.numbers {
                seqs.extend(runs::read(db, *subject, log_no, range, plan.reverse, self.page)?);
            }
            Ok(seqs)
        })?;
        seqs.sort_unstable();
        seqs.dedup();
        if plan.reverse {
            seqs.reverse();
        }
        seqs.truncate(self.page);
        Ok(seqs)
    }

    /// The next page of the log itself, in ascending order.
    fn by_log(&mut self, plan: &Plan<'_>) -> Result<Vec<RawEvent>, HistoryError> {
        let page = self.page as Seq;
        let range = if plan.reverse {
            self.left.end.saturating_sub(page).max(self.left.start).max(self.indexed)..self.left.end
        } else {
            self.left.start..self.left.end.min(self.left.start + page)
        };
        // One more, for the link to it: it was given already, or is not asked for.
        let before = range.start.saturating_sub(1);
        let mut raw = plan.store.read(&self.log, before, (range.end - before) as usize)?;
        if before < range.start && !raw.is_empty() {
            let first = raw.remove(0);
            raw.first().map_or(Ok(()), |event| link(&self.log, Some(first.head()), event))?;
        } else if let Some(first) = raw.first() {
            link(&self.log, None, first)?;
        }
        if plan.reverse {
            self.left.end = range.start
        } else {
            self.left.start = range.end
        }
        Ok(raw)
    }

    /// Checks every event of a page whose predecessor stands in it.
    fn linked(&self, page: &[RawEvent]) -> Result<(), HistoryError> {
        page.windows(2)
            .filter(|pair| pair[0].seq + 1 == pair[1].seq)
            .try_for_each(|pair| link(&self.log, Some(pair[0].head()), &pair[1]))
    }
}

fn link(log: &LogName, before: Option<Head>, event: &RawEvent) -> Result<(), HistoryError> {
    Verifier::after(before).check(event).map_err(|source| HistoryError::Chain { log: log.clone(), source })
}
