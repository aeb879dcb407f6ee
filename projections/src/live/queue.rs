//! Queues and who stands in them. An inquiry stands from its registration until its session opens or it
//! goes away, or again from its coming back, at the place that its registration says: auctions and reservations do not
//! move it. Who stands there before its offer's hours begin has that place, but does not wait: it counts in no position.
//!
//! Cost: entering and leaving are logarithmic. A position counts those before it, linear in the queue:
//! some 10 µs at 1,000 waiting.

use super::error::Misfit;
use super::waits::Waits;
use domain::event::inquiry::{InquiryEvent, InquiryMoved};
use domain::event::queue::{QueueEvent, QueueOrigin};
use domain::event::session::SessionEvent;
use domain::ids::{InquiryId, QueueId, Subject};
use domain::log::{LogName, Seq};
use domain::time::{Span, Timestamp};
use domain::topic::{Skill, Topic};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use store::recorded::Recorded;

/// Retired queues that stay in memory: generated ones come and go with their inquiries.
pub const RETIRED_MAX: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QueueState {
    Open,
    Retired,
    /// Its topic, and what stood in it, are another queue's.
    Merged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    pub id: QueueId,
    /// The call server's log.
    pub log: LogName,
    /// Of its last change; an inquiry that enters or leaves is one.
    pub seq: Seq,
    pub topic: Topic,
    pub state: QueueState,
    pub origin: QueueOrigin,
    /// The link or the inquiry that it was born from.
    pub born_from: Option<Subject>,
    pub required_skills: Arc<[Skill]>,
    pub priority_credit: Span,
    /// Inquiries that stand in it.
    pub depth: usize,
    /// When the one that waits the longest was accepted.
    pub oldest_at: Option<Timestamp>,
    pub opened_at: Timestamp,
    pub retired_at: Option<Timestamp>,
    pub merged_into: Option<QueueId>,
}

/// What operators made of a name that a question gave to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing: it may name a queue.
    Freely,
    /// They merged that queue: what is called so is called this.
    Otherwise(Topic),
    /// They retired it: nothing is called so until somebody publishes the name.
    NoMore,
}

/// Where an inquiry stands in each of its queues, and the key of a page of them: `(stands_at, id)`.
pub type QueueKey = (Timestamp, InquiryId);

/// An inquiry that stands in queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Came {
    pub(super) inquiry: InquiryId,
    pub(super) accepted_at: Timestamp,
    pub(super) stands_at: Timestamp,
}

impl Came {
    fn place(&self) -> QueueKey {
        (self.stands_at, self.inquiry)
    }
    fn age(&self) -> QueueKey {
        (self.accepted_at, self.inquiry)
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Queue {
    row: QueueRow,
    /// In their order.
    waiting: BTreeSet<QueueKey>,
    /// Of them, those whose offers' hours have not begun: nobody waits with them.
    early: BTreeSet<QueueKey>,
    /// The same as `waiting`, by acceptance: where a priority counts, the first is not always the one that waits the longest.
    ages: BTreeSet<QueueKey>,
    waits: Waits,
}

impl Queue {
    fn count(&mut self, seq: Seq) {
        self.row.depth = self.waiting.len();
        self.row.oldest_at = self.ages.first().map(|age| age.0);
        self.row.seq = seq;
    }
    fn enter(&mut self, came: Came, early: bool, seq: Seq) {
        self.waiting.insert(came.place());
        if early {
            self.early.insert(came.place());
        }
        self.ages.insert(came.age());
        self.count(seq);
    }
    fn leave(&mut self, came: Came, seq: Seq) {
        self.waiting.remove(&came.place());
        self.early.remove(&came.place());
        self.ages.remove(&came.age());
        self.count(seq);
    }
    /// 1 for the first of those who wait.
    fn place_of(&self, key: QueueKey) -> usize {
        1 + self.waiting.range(..key).count() - self.early.range(..key).count()
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    came: Came,
    queues: Box<[QueueId]>,
    /// Where it came to stand best, and the place there; both where it was moved to, if it was.
    came_to: Option<(QueueId, usize)>,
}

/// The queues of one call server.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queues {
    by_id: BTreeMap<QueueId, Queue>,
    open: BTreeSet<(Topic, QueueId)>,
    /// Merged ones stay: operators make few.
    merged: BTreeSet<(Topic, QueueId)>,
    retired: VecDeque<QueueId>,
    /// Retired by operators, with what was merged into them, and not published since: operators make few.
    unwanted: BTreeSet<Topic>,
    #[serde(serialize_with = "super::restore::in_order")]
    standing: HashMap<InquiryId, Standing>,
    /// Of them, those whose offers' hours have not begun.
    early: BTreeSet<InquiryId>,
}

impl Queues {
    pub(super) fn get(&self, id: QueueId) -> Option<&QueueRow> {
        self.by_id.get(&id).map(|queue| &queue.row)
    }
    /// Inquiries that stand in any queue, and whose offers' hours have begun.
    pub(super) fn waiting(&self) -> usize {
        self.standing.len() - self.early.len()
    }
    /// Open queues by topic and id; with `beneath`, those of that topic and what lies beneath it.
    pub(super) fn after(
        &self,
        beneath: Option<&Topic>,
        after: Option<&(Topic, QueueId)>,
    ) -> impl Iterator<Item = &QueueRow> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.open
            .range((from, Bound::Unbounded))
            .filter(move |(topic, _)| beneath.is_none_or(|wanted| wanted.contains(topic)))
            .filter_map(|(_, id)| self.get(*id))
    }
    /// Whether an open queue has exactly this topic, and not from a question.
    pub(super) fn is_published(&self, topic: &Topic) -> bool {
        let all = (topic.clone(), QueueId(0))..=(topic.clone(), QueueId(u128::MAX));
        let open = self.open.range(all.clone()).filter_map(|(_, id)| self.get(*id));
        // What was published before it was merged still is, as long as it leads somewhere.
        let leads = |row: &&QueueRow| self.end_of(row).is_some_and(|end| end.state == QueueState::Open);
        let merged = self.merged.range(all).filter_map(|(_, id)| self.get(*id)).filter(leads);
        open.chain(merged).any(|row| match row.origin {
            QueueOrigin::Declared | QueueOrigin::Link => true,
            QueueOrigin::Question => false,
        })
    }
    /// What operators made of this name, where a question gave it to a queue.
    pub(super) fn named(&self, topic: &Topic) -> Named {
        let all = (topic.clone(), QueueId(0))..=(topic.clone(), QueueId(u128::MAX));
        let merged = self.merged.range(all).filter_map(|(_, id)| self.get(*id));
        let of_questions = merged.filter(|row| row.origin == QueueOrigin::Question);
        let open = of_questions.filter_map(|row| self.end_of(row)).find(|end| end.state == QueueState::Open);
        match open {
            Some(end) => Named::Otherwise(end.topic.clone()),
            None if self.unwanted.contains(topic) => Named::NoMore,
            None => Named::Freely,
        }
    }
    /// Where a merged queue was merged into, in the end.
    fn end_of<'a>(&'a self, mut row: &'a QueueRow) -> Option<&'a QueueRow> {
        while let Some(into) = row.merged_into {
            row = self.get(into)?;
        }
        Some(row)
    }
    /// Those that stand in a queue, in their order.
    pub(super) fn standing_in(&self, id: QueueId, after: Option<QueueKey>) -> impl Iterator<Item = QueueKey> {
        self.by_id.get(&id).into_iter().flat_map(move |queue| queue.waiting.range(super::past(after)).copied())
    }
    /// 1 for the first; the smallest over the inquiry's queues. Absent before its offer's hours begin.
    pub(super) fn position(&self, inquiry: InquiryId) -> Option<usize> {
        let standing = self.waits(inquiry)?;
        self.best(&standing.queues, standing.came.place()).map(|(_, place)| place)
    }
    /// From how long to how long it may wait yet; absent where too few were answered in the queue of its position.
    pub(super) fn estimate(&self, inquiry: InquiryId) -> Option<(Span, Span)> {
        let standing = self.waits(inquiry)?;
        let (queue, place) = self.best(&standing.queues, standing.came.place())?;
        self.by_id.get(&queue)?.waits.range(place)
    }
    fn waits(&self, inquiry: InquiryId) -> Option<&Standing> {
        self.standing.get(&inquiry).filter(|_| !self.early.contains(&inquiry))
    }
    /// The queue in which it stands at the smallest place.
    fn best(&self, queues: &[QueueId], key: QueueKey) -> Option<(QueueId, usize)> {
        let found = queues.iter().filter_map(|id| Some((*id, self.by_id.get(id)?.place_of(key))));
        found.min_by_key(|(_, place)| *place)
    }

    pub(super) fn on_queue(&mut self, event: &QueueEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            QueueEvent::Opened(e) => {
                let row = QueueRow {
                    id: e.queue,
                    log: recorded.log.clone(),
                    seq: recorded.seq,
                    topic: e.topic.clone(),
                    state: QueueState::Open,
                    origin: e.origin,
                    born_from: e.born_from,
                    required_skills: e.required_skills.as_slice().into(),
                    priority_credit: e.priority_credit,
                    depth: 0,
                    oldest_at: None,
                    opened_at: recorded.time,
                    retired_at: None,
                    merged_into: None,
                };
                let (waiting, early, ages) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
                let queue = Queue { row, waiting, early, ages, waits: Waits::default() };
                if self.by_id.insert(e.queue, queue).is_some() {
                    return Err(Misfit::Twice(e.queue.into()));
                }
                self.open.insert((e.topic.clone(), e.queue));
                match e.origin {
                    QueueOrigin::Declared | QueueOrigin::Link => self.unwanted.remove(&e.topic),
                    QueueOrigin::Question => false,
                };
            }
            QueueEvent::Merged(e) => {
                let row = &mut self.by_id.get_mut(&e.queue).ok_or(Misfit::Unknown(e.queue.into()))?.row;
                row.state = QueueState::Merged;
                row.merged_into = Some(e.into);
                row.seq = recorded.seq;
                let place = (row.topic.clone(), e.queue);
                self.open.remove(&place);
                self.merged.insert(place);
                self.by_id.get_mut(&e.into).ok_or(Misfit::Unknown(e.into.into()))?.row.seq = recorded.seq;
            }
            QueueEvent::MergePutOff(e) => {
                self.by_id.get_mut(&e.queue).ok_or(Misfit::Unknown(e.queue.into()))?.row.seq = recorded.seq;
            }
            QueueEvent::Retired(e) => {
                let row = &mut self.by_id.get_mut(&e.queue).ok_or(Misfit::Unknown(e.queue.into()))?.row;
                row.state = QueueState::Retired;
                row.retired_at = Some(recorded.time);
                row.seq = recorded.seq;
                let topic = row.topic.clone();
                self.open.remove(&(topic.clone(), e.queue));
                if e.last.is_none() {
                    self.unwant(topic, e.queue);
                }
                self.retired.push_back(e.queue);
                if self.retired.len() > RETIRED_MAX
                    && let Some(oldest) = self.retired.pop_front()
                {
                    self.by_id.remove(&oldest);
                }
            }
        }
        Ok(())
    }

    /// An operator retired the queue of this topic, and gave back what was merged into it.
    fn unwant(&mut self, topic: Topic, queue: QueueId) {
        let rows = self.merged.iter().filter_map(|(_, id)| self.get(*id));
        let led = rows.filter(|row| self.end_of(row).is_some_and(|end| end.id == queue));
        let led: Vec<Topic> = led.map(|row| row.topic.clone()).collect();
        self.unwanted.extend(led.into_iter().chain([topic]));
    }

    pub(super) fn on_inquiry(&mut self, event: &InquiryEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            InquiryEvent::Registered(e) => {
                let came = Came { inquiry: e.inquiry, accepted_at: e.accepted_at, stands_at: e.place() };
                // Who begins late, before its offer's hours, does not wait for agents: it says nothing to others.
                let early = e.begins_at.is_some();
                if early {
                    self.early.insert(e.inquiry);
                }
                self.enter(came, &e.queues, !early, recorded)?;
            }
            InquiryEvent::Moved(e) => self.move_to(e, recorded)?,
            InquiryEvent::Withdrawn(e) => self.leave(e.inquiry, recorded),
            InquiryEvent::Expired(e) => self.leave(e.inquiry, recorded),
            // It left when it was withdrawn. Where it comes back to stands in its row (`market`).
            InquiryEvent::PlaceKept(_) | InquiryEvent::PlaceLost(_) | InquiryEvent::Resumed(_) => {}
            InquiryEvent::Completed(e) => self.leave(e.inquiry, recorded),
            InquiryEvent::Began(e) => self.begin(e.inquiry),
            // It stood at its place all the while.
            InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::TopicsConfirmed(_)
            | InquiryEvent::PutOff(_) => {}
        }
        Ok(())
    }

    pub(super) fn on_session(&mut self, event: &SessionEvent, recorded: &Recorded) {
        match event {
            SessionEvent::Opened(e) => {
                self.answered(e.inquiry, recorded.time);
                self.leave(e.inquiry, recorded);
            }
            SessionEvent::MessageSent(_)
            | SessionEvent::Ended(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => {}
        }
    }

    /// At its place, whenever it enters. `measured`: how long it waits tells others something.
    pub(super) fn enter(
        &mut self,
        came: Came,
        queues: &[QueueId],
        measured: bool,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        let early = self.early.contains(&came.inquiry);
        for id in queues {
            let queue = self.by_id.get_mut(id).ok_or(Misfit::Unknown((*id).into()))?;
            queue.enter(came, early, recorded.seq);
        }
        let came_to = if measured { self.best(queues, came.place()) } else { None };
        self.standing.insert(came.inquiry, Standing { came, queues: queues.into(), came_to });
        Ok(())
    }

    /// Now it waits, at the place where it stood all the while.
    fn begin(&mut self, inquiry: InquiryId) {
        self.early.remove(&inquiry);
        let Some(standing) = self.standing.get(&inquiry) else { return };
        for id in &standing.queues {
            if let Some(queue) = self.by_id.get_mut(id) {
                queue.early.remove(&standing.came.place());
            }
        }
    }

    /// At its own place. Who is away stands nowhere: where it comes back to stands in its row.
    fn move_to(&mut self, e: &InquiryMoved, recorded: &Recorded) -> Result<(), Misfit> {
        let Some(standing) = self.standing.get_mut(&e.inquiry) else { return Ok(()) };
        let came = standing.came;
        let early = self.early.contains(&e.inquiry);
        let others = standing.queues.iter().filter(|id| **id != e.from && **id != e.into).copied();
        standing.queues = others.chain([e.into]).collect();
        self.by_id.get_mut(&e.from).ok_or(Misfit::Unknown(e.from.into()))?.leave(came, recorded.seq);
        self.by_id.get_mut(&e.into).ok_or(Misfit::Unknown(e.into.into()))?.enter(came, early, recorded.seq);
        // What it waits tells of the queue that it is in, and of all who are before it there.
        let into = self.by_id.get(&e.into).map_or(1, |queue| queue.place_of(came.place()));
        if let Some(standing) = self.standing.get_mut(&e.inquiry)
            && let Some((_, place)) = standing.came_to.filter(|(queue, _)| *queue == e.from)
        {
            standing.came_to = Some((e.into, place.max(into)));
        }
        Ok(())
    }

    /// The credit of a priority moves the place, never the measured wait.
    fn answered(&mut self, inquiry: InquiryId, at: Timestamp) {
        let Some(standing) = self.standing.get(&inquiry) else { return };
        let Some((queue, place)) = standing.came_to else { return };
        let waited = at - standing.came.accepted_at;
        if let Some(queue) = self.by_id.get_mut(&queue) {
            queue.waits.answered(waited, place);
        }
    }

    fn leave(&mut self, inquiry: InquiryId, recorded: &Recorded) {
        let Some(standing) = self.standing.remove(&inquiry) else { return };
        self.early.remove(&inquiry);
        for id in &standing.queues {
            if let Some(queue) = self.by_id.get_mut(id) {
                queue.leave(standing.came, recorded.seq);
            }
        }
    }
}
