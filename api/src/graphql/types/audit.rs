//! Audit trails: events as their viewer may see them, over all logs in the order of time.
//!
//! One request reads a bounded number of events. Where the viewer sees few of them a page may be short, or
//! empty, and still say that more follow: its `endCursor` then is where the reading stopped.

use super::connection::{PageInfo, Pager};
use super::enums::Role;
use super::filters::AuditFilter;
use crate::app::{App, blocking};
use crate::graphql::scalars::{Cursor, DateTime, Json, Seq};
use async_graphql::{ComplexObject, Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::ids::{AuctionId, EventId, InquiryId, OfferId, ProviderId, Subject};
use domain::log::LogName;
use projections::history::trail::Position;
use projections::history::visibility::{AuctionFacts, Facts, InquiryFacts, Seen, see};
use projections::history::{HistoryError, rows, trail};
use projections::live::auction::AuctionState;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::chain;
use store::raw::{GENESIS, Hash, Head, Hex};
use store::recorded::Recorded;

/// Events that one request reads, those included that the filter or the viewer's rights leave out.
const EVENTS_MAX: usize = 4_096;

#[derive(SimpleObject)]
#[graphql(complex)]
pub struct AuditEntry {
    #[graphql(skip)]
    own: EventId,
    log: String,
    seq: Seq,
    at: DateTime,
    #[graphql(name = "type")]
    type_name: String,
    subjects: Vec<ID>,
    actor: Option<ID>,
    role: Role,
    causation: Option<ID>,
    correlation: ID,
    /// Null or partial where `redacted` names what the viewer may not see: sealed bids before closing, sealed personal data, other parties.
    data: Option<Json>,
    redacted: Vec<String>,
    /// hash = SHA-256(prevHash, canonical envelope, dataHash); dataHash = SHA-256(salt, data). `salt` comes with unredacted data only.
    prev_hash: String,
    hash: String,
    data_hash: String,
    salt: Option<String>,
}

#[ComplexObject]
impl AuditEntry {
    pub(crate) async fn id(&self) -> ID {
        self.own.to_string().into()
    }
}

#[derive(SimpleObject, Clone)]
pub struct LogPosition {
    log: String,
    seq: Seq,
    hash: String,
}

#[derive(SimpleObject)]
pub struct AuditEdge {
    cursor: Cursor,
    node: AuditEntry,
}

/// `upTo`: how far each log was read for this set of pages.
#[derive(SimpleObject)]
pub struct AuditConnection {
    edges: Vec<AuditEdge>,
    page_info: PageInfo,
    up_to: Vec<LogPosition>,
}

/// What one request found.
#[derive(Default)]
struct Found {
    entries: Vec<(Position, AuditEntry)>,
    /// Where the reading stopped before the page was full or the trail at its end.
    stopped: Option<Position>,
    more: bool,
    up_to: Vec<LogPosition>,
}

impl AuditConnection {
    pub(crate) async fn read(
        app: &Arc<App>,
        viewer: &Actor,
        subject: Option<ID>,
        filter: AuditFilter,
        reverse: bool,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AuditConnection, Error> {
        let scope = (subject.as_deref(), &filter, reverse);
        let pager = Pager::<Position>::new(app, viewer, "auditTrail", &scope, first, after)?;
        let asked = match subject.as_ref().map(|id| id.parse::<Subject>()) {
            None => Some(narrowest(viewer)),
            Some(Ok(subject)) => Some(Some(subject)),
            Some(Err(_)) => None,
        };
        let found = match (asked, filter.read(), viewer) {
            (Some(subject), Some(filter), viewer) if !matches!(viewer, Actor::Anonymous | Actor::System) => {
                let search =
                    Search { app: app.clone(), viewer: viewer.clone(), subject, filter, reverse, first: pager.first };
                let after = pager.after.clone();
                blocking(move || search.run(after)).await?
            }
            _ => Found::default(),
        };
        let edges: Vec<AuditEdge> =
            found.entries.into_iter().map(|(at, node)| AuditEdge { cursor: pager.cursor(&at), node }).collect();
        let start = edges.first().map(|edge| edge.cursor.clone());
        let end = found.stopped.map(|at| pager.cursor(&at)).or_else(|| edges.last().map(|edge| edge.cursor.clone()));
        Ok(AuditConnection { page_info: pager.info(start, end, found.more), edges, up_to: found.up_to })
    }
}

/// Where no subject is asked for: whatever concerns the viewer, which spares reading all logs for it. An
/// operator, and finance, do read all.
fn narrowest(viewer: &Actor) -> Option<Subject> {
    match viewer {
        Actor::Provider(id) => Some((*id).into()),
        Actor::Agent(id) => Some((*id).into()),
        Actor::Customer(id) => Some((*id).into()),
        Actor::Operator(_) | Actor::Finance(_) | Actor::Anonymous | Actor::System => None,
    }
}

struct Search {
    app: Arc<App>,
    viewer: Actor,
    subject: Option<Subject>,
    filter: trail::AuditFilter,
    reverse: bool,
    first: usize,
}

impl Search {
    fn run(&self, after: Option<Position>) -> Result<Found, HistoryError> {
        let mut found = Found { up_to: self.heads()?, ..Found::default() };
        let facts = Now { app: &self.app, auctions: RefCell::default(), inquiries: RefCell::default() };
        if self.first == 0 || !self.has_part(&facts)? {
            return Ok(found);
        }
        let mut at = after;
        let mut visible: Vec<(Arc<Recorded>, Seen)> = Vec::new();
        let mut left = EVENTS_MAX;
        // One more than the page, to know whether there is another.
        while visible.len() <= self.first && left > 0 {
            let wanted = (2 * (self.first + 1)).min(left);
            let bounds = trail::Bounds { events: wanted, read: left };
            let store = &*self.app.store;
            let part = self.app.history.trail(store, self.subject, &self.filter, at.as_ref(), self.reverse, bounds)?;
            let ended = part.events.len() < wanted && part.stopped.is_none();
            left = left.saturating_sub(part.read);
            for event in part.events {
                at = Some(Position::of(&event));
                match see(&self.viewer, &event, &facts) {
                    Seen::Absent => {}
                    seen => visible.push((event, seen)),
                }
            }
            if ended {
                at = None;
                break;
            }
            if part.stopped.is_some() {
                at = part.stopped;
                break;
            }
        }
        found.more = visible.len() > self.first || at.is_some();
        if visible.len() <= self.first {
            found.stopped = at;
        }
        visible.truncate(self.first);
        let previous = self.previous(&visible)?;
        found.entries = visible
            .into_iter()
            .map(|(event, seen)| {
                let link = event.seq.checked_sub(1).and_then(|seq| previous.get(&(event.log.clone(), seq)));
                (Position::of(&event), self.entry(&event, seen, link.unwrap_or(&GENESIS)))
            })
            .collect();
        Ok(found)
    }

    /// Whether any event of the subject can be the viewer's to see. Where none can, nothing is read.
    fn has_part(&self, facts: &Now<'_>) -> Result<bool, HistoryError> {
        let Some(subject) = self.subject else { return Ok(true) };
        let of_inquiry = |fits: &dyn Fn(InquiryFacts) -> bool| -> Result<bool, HistoryError> {
            let inquiry = match self.app.live.dossier_of(subject) {
                Some(dossier) => dossier.read(|dossier| dossier.inquiry().map(|row| row.id)),
                None => self.app.history.inquiry_of(&*self.app.store, subject)?,
            };
            Ok(inquiry.is_some_and(|id| facts.inquiry(id).is_some_and(fits)))
        };
        match (&self.viewer, subject) {
            (Actor::Operator(_) | Actor::Finance(_), _) => Ok(true),
            (Actor::Provider(own), Subject::ProviderId(id)) => Ok(*own == id),
            (Actor::Provider(own), Subject::OfferId(id)) => Ok(facts.provider_of(id) == Some(*own)),
            (Actor::Provider(own), Subject::LinkId(id)) => {
                Ok(self.app.live.link(id).is_some_and(|(offer, _)| facts.provider_of(offer) == Some(*own)))
            }
            // Its own events may stand beside these: the log says.
            (Actor::Provider(_), Subject::AgentId(_) | Subject::CustomerId(_) | Subject::AccountId(_)) => Ok(true),
            (Actor::Provider(own), _) => of_inquiry(&|known| known.provider == *own),
            (Actor::Agent(own), Subject::AgentId(id)) => Ok(*own == id),
            (Actor::Agent(_), Subject::AccountId(_) | Subject::QueueId(_) | Subject::CallServerId(_)) => Ok(true),
            (
                Actor::Agent(own),
                Subject::InquiryId(_)
                | Subject::AuctionId(_)
                | Subject::BidId(_)
                | Subject::ReservationId(_)
                | Subject::SessionId(_)
                | Subject::ChannelId(_)
                | Subject::MessageId(_)
                | Subject::RecordId(_)
                | Subject::SettlementId(_),
            ) => {
                let home = self.app.live.place(Subject::from(*own)).map(|place| place.log);
                let log = match self.app.live.place(subject) {
                    Some(place) => Some(place.log),
                    None => self.app.history.log_of(&*self.app.store, subject)?,
                };
                Ok(home.is_some() && log == home)
            }
            (Actor::Agent(_), _) => Ok(false),
            (Actor::Customer(own), Subject::CustomerId(id)) => Ok(*own == id),
            (Actor::Customer(own), _) => of_inquiry(&|known| known.customer == *own),
            (Actor::Anonymous | Actor::System, _) => Ok(false),
        }
    }

    fn heads(&self) -> Result<Vec<LogPosition>, HistoryError> {
        let mut heads = Vec::new();
        for log in self.app.store.logs()? {
            if self.filter.log.as_ref().is_some_and(|only| *only != log) {
                continue;
            }
            let head: Option<Head> = self.app.store.head(&log)?;
            heads.extend(head.map(|head| LogPosition {
                log: log.to_string(),
                seq: Seq(head.seq),
                hash: Hex(&head.hash).to_string(),
            }));
        }
        Ok(heads)
    }

    /// The hashes that the entries are chained to.
    fn previous(&self, events: &[(Arc<Recorded>, Seen)]) -> Result<HashMap<(LogName, u64), Hash>, HistoryError> {
        let mut wanted: BTreeMap<LogName, Vec<u64>> = BTreeMap::new();
        for (event, _) in events {
            if let Some(seq) = event.seq.checked_sub(1) {
                wanted.entry(event.log.clone()).or_default().push(seq);
            }
        }
        let mut hashes = HashMap::new();
        for (log, mut seqs) in wanted {
            seqs.sort_unstable();
            for raw in self.app.store.read_at(&log, &seqs)? {
                hashes.insert((log.clone(), raw.seq), raw.hash);
            }
        }
        Ok(hashes)
    }

    fn entry(&self, event: &Recorded, seen: Seen, previous: &Hash) -> AuditEntry {
        let raw = &event.raw;
        let (data, redacted, whole) = match seen {
            Seen::Absent => (None, Vec::new(), false),
            Seen::Partial { data, redacted } => (async_graphql::Value::from_json(data).ok().map(Json), redacted, false),
            Seen::Full => {
                let text = std::str::from_utf8(&raw.data).ok();
                (text.and_then(|text| Json::from_text(text).ok()), Vec::new(), true)
            }
        };
        AuditEntry {
            own: event.id,
            log: event.log.to_string(),
            seq: Seq(event.seq),
            at: DateTime(event.time),
            type_name: event.type_name.to_owned(),
            subjects: event.subjects.iter().map(|subject| subject.to_string().into()).collect(),
            actor: self.actor(event),
            role: event.actor.role().into(),
            causation: event.causation.map(|id| id.to_string().into()),
            correlation: event.correlation.to_string().into(),
            data,
            redacted,
            prev_hash: Hex(previous).to_string(),
            hash: Hex(&raw.hash).to_string(),
            data_hash: Hex(&chain::data_hash(&raw.salt, &raw.data)).to_string(),
            salt: whole.then(|| Hex(&raw.salt).to_string()),
        }
    }

    /// Who outbid an agent is a rival, and named to nobody who only has a pseudonym for it.
    fn actor(&self, event: &Recorded) -> Option<ID> {
        let is_rival = matches!((&self.viewer, &event.actor), (Actor::Agent(own), Actor::Agent(id)) if own != id);
        event.actor.id().filter(|_| !is_rival).map(ID::from)
    }
}

/// What is true now: the live views, and the history's rows for what they let go. What neither knows is
/// unknown, and then less is shown.
struct Now<'a> {
    app: &'a App,
    auctions: RefCell<HashMap<AuctionId, Option<AuctionFacts>>>,
    inquiries: RefCell<HashMap<InquiryId, Option<InquiryFacts>>>,
}

impl Now<'_> {
    fn look_up_auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        if let Some(row) = self.app.live.auction(id) {
            return Some(AuctionFacts { format: row.rules.format, open: row.state == AuctionState::Open });
        }
        let row = self.app.history.auction(id).inspect_err(|error| tracing::error!(%error, "history.unreadable"));
        row.ok().flatten().map(|row| AuctionFacts { format: row.format, open: row.state == rows::AuctionState::Open })
    }

    fn look_up_inquiry(&self, id: InquiryId) -> Option<InquiryFacts> {
        if let Some(row) = self.app.live.inquiry(id) {
            return Some(InquiryFacts { provider: row.provider, customer: row.customer });
        }
        let row = self.app.history.inquiry(id).inspect_err(|error| tracing::error!(%error, "history.unreadable"));
        row.ok().flatten().map(|row| InquiryFacts { provider: row.provider, customer: row.customer })
    }
}

impl Facts for Now<'_> {
    fn auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        *self.auctions.borrow_mut().entry(id).or_insert_with(|| self.look_up_auction(id))
    }
    fn inquiry(&self, id: InquiryId) -> Option<InquiryFacts> {
        *self.inquiries.borrow_mut().entry(id).or_insert_with(|| self.look_up_inquiry(id))
    }
    fn provider_of(&self, offer: OfferId) -> Option<ProviderId> {
        self.app.live.offer(offer).map(|row| row.provider)
    }
}
