//! Audit trails: events as their viewer may see them, over all logs in the order of time.
//!
//! One request reads a bounded number of events. Where the viewer sees few of them a page may be short, or
//! empty, and still say that more follow: its `endCursor` then is where the reading stopped.

use super::connection::{Key, PageInfo, Pager};
use super::enums::Role;
use super::filters::AuditFilter;
use super::rights::sees_bid;
use crate::app::{App, blocking};
use crate::graphql::scalars::{Cursor, DateTime, Json, Seq};
use async_graphql::{ComplexObject, Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, AuctionId, ChannelId, CustomerId, EventId, InquiryId, OfferId, ProviderId, Subject};
use domain::log::LogName;
use domain::time::Timestamp;
use projections::history::trail::Position;
use projections::history::visibility::{AuctionFacts, Facts, InquiryFacts, Seen, see, sees_actor};
use projections::history::{HistoryError, rows, trail};
use projections::live::auction::AuctionState;
use projections::live::session::Who;
use projections::live::{self, Dossier};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::chain::{self, Verifier};
use store::raw::{Head, Hex};
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
    /// Where the live views stood before anything was read.
    known: Vec<(LogName, u64)>,
}

impl AuditEntry {
    pub(crate) fn position(&self) -> u64 {
        self.seq.0
    }
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
        let pager = pager(app, viewer, subject.as_ref(), &filter, reverse, first, after)?;
        let asked = match subject.as_ref().map(|id| id.parse::<Subject>()) {
            None => Some(narrowest(viewer)),
            Some(Ok(subject)) => Some(Some(subject)),
            Some(Err(_)) => None,
        };
        let found = match (asked, filter.read(), viewer) {
            (Some(subject), Some(filter), viewer) if !matches!(viewer, Actor::Anonymous | Actor::System) => {
                let search =
                    Search { app: app.clone(), viewer: viewer.clone(), subject, filter, reverse, first: pager.first };
                let after = pager.after.clone().map(|place| place.at);
                blocking(move || search.run(after)).await?
            }
            _ => Found::default(),
        };
        let mut place =
            Place { at: Position { time: Timestamp(0), log: LogName::community(), seq: 0 }, known: found.known };
        let mut cursor = |at: Position| {
            place.at = at;
            pager.cursor(&place)
        };
        let edges: Vec<AuditEdge> =
            found.entries.into_iter().map(|(at, node)| AuditEdge { cursor: cursor(at), node }).collect();
        let start = edges.first().map(|edge| edge.cursor.clone());
        let end = found.stopped.map(cursor).or_else(|| edges.last().map(|edge| edge.cursor.clone()));
        Ok(AuditConnection { page_info: pager.info(start, end, found.more), edges, up_to: found.up_to })
    }
}

/// The pages of one trail. What it is bound to, `auditFeed` asks for too: it goes on from a trail's cursors.
pub(crate) fn pager(
    app: &Arc<App>,
    viewer: &Actor,
    subject: Option<&ID>,
    filter: &AuditFilter,
    reverse: bool,
    first: i32,
    after: Option<Cursor>,
) -> Result<Pager<Place>, Error> {
    let scope = (subject.map(|id| id.as_str()), filter, reverse);
    Pager::new(app, viewer, "auditTrail", &scope, first, after)
}

/// What a trail's cursor holds: a place in the merged order, and where the logs stood before the page was read, which
/// says what of sealed auctions it could show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: Position,
    pub(crate) known: Vec<(LogName, u64)>,
}

/// The position; for each log a byte, which stands in no name, its name and how far it was known.
impl Key for Place {
    fn write(&self) -> Vec<u8> {
        let mut bytes = self.at.write();
        for (log, seq) in &self.known {
            bytes.push(0);
            bytes.extend_from_slice(&seq.to_be_bytes());
            bytes.extend_from_slice(log.as_str().as_bytes());
        }
        bytes
    }
    fn read(bytes: &[u8]) -> Option<Place> {
        const NUMBERS: usize = 16;
        // A name ends where the next log begins.
        let end_of_name = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let name = end_of_name(bytes.get(NUMBERS..)?);
        let (position, mut rest) = bytes.split_at_checked(NUMBERS + name)?;
        let mut known = Vec::new();
        while let Some((_, after)) = rest.split_first() {
            let (seq, after) = after.split_first_chunk::<8>()?;
            let (name, after) = after.split_at_checked(end_of_name(after))?;
            known.push((std::str::from_utf8(name).ok()?.parse().ok()?, u64::from_be_bytes(*seq)));
            rest = after;
        }
        Some(Place { at: Position::read(position)?, known })
    }
}

/// Where no subject is asked for: whatever concerns the viewer, which spares reading all logs for it. An
/// operator, and finance, do read all.
pub(crate) fn narrowest(viewer: &Actor) -> Option<Subject> {
    match viewer {
        Actor::Provider(id) => Some((*id).into()),
        Actor::Agent(id) => Some((*id).into()),
        Actor::Customer(id) => Some((*id).into()),
        Actor::Operator(_) | Actor::Finance(_) | Actor::Anonymous | Actor::System => None,
    }
}

pub(crate) struct Search {
    pub(crate) app: Arc<App>,
    pub(crate) viewer: Actor,
    pub(crate) subject: Option<Subject>,
    pub(crate) filter: trail::AuditFilter,
    pub(crate) reverse: bool,
    pub(crate) first: usize,
}

impl Search {
    fn run(&self, after: Option<Position>) -> Result<Found, HistoryError> {
        let known = self.app.live.heads().into_iter().map(|(log, head)| (log, head.seq)).collect();
        let mut found = Found { up_to: self.heads()?, known, ..Found::default() };
        let facts = Now::of(&self.app);
        if self.first == 0 || !self.has_part(&facts)? || self.is_hidden_bid(&facts)? {
            return Ok(found);
        }
        // Asked of what is seen, and never of what is read: a reading that stops early tells of what it found.
        let filter = trail::AuditFilter { actor: None, ..self.filter.clone() };
        let mut at = after;
        let mut visible: Vec<(Arc<Recorded>, Seen)> = Vec::new();
        let mut left = EVENTS_MAX;
        // One more than the page, to know whether there is another.
        while visible.len() <= self.first && left > 0 {
            let wanted = (2 * (self.first + 1)).min(left);
            let bounds = trail::Bounds { events: wanted, read: left };
            let store = &*self.app.store;
            let part = self.app.history.trail(store, self.subject, &filter, at.as_ref(), self.reverse, bounds)?;
            let ended = part.events.len() < wanted && part.stopped.is_none();
            left = left.saturating_sub(part.read);
            for event in part.events {
                at = Some(Position::of(&event));
                match self.see(&event, &facts) {
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
        let entries = visible.into_iter().map(|(event, seen)| {
            let before = event.seq.checked_sub(1).and_then(|seq| previous.get(&(event.log.clone(), seq)));
            Ok((Position::of(&event), self.entry_with(&event, seen, before.copied(), &facts)?))
        });
        found.entries = entries.collect::<Result<_, HistoryError>>()?;
        Ok(found)
    }

    /// Whether the subject is a bid that the viewer may not see now: then its trail, which is its auction's, is as
    /// empty as that of an id that nobody has.
    pub(crate) fn is_hidden_bid(&self, facts: &Now<'_>) -> Result<bool, HistoryError> {
        let Some(subject @ Subject::BidId(bid)) = self.subject else { return Ok(false) };
        let placed = self.app.live.dossier_of(subject).and_then(|dossier| {
            dossier.read(|dossier| {
                let auction = dossier.auction_of(bid)?;
                Some(sees_bid(&self.viewer, auction.row(), auction.bid(bid)?.agent))
            })
        });
        if let Some(seen) = placed {
            return Ok(!seen);
        }
        // Closed long ago, or so new that the live view lacks it.
        match self.app.history.home_of(&*self.app.store, subject)? {
            Some(Subject::AuctionId(auction)) => {
                Ok(facts.auction(auction).is_none_or(|auction| auction.open && auction.format.is_sealed()))
            }
            _ => Ok(false),
        }
    }

    /// Whether the channel is MAIN of an inquiry of the customer's.
    fn is_main_of(&self, customer: CustomerId, id: ChannelId) -> Result<bool, HistoryError> {
        let is_main = |dossier: &Dossier| {
            let its = dossier.inquiry().is_some_and(|row| row.customer == customer);
            its && dossier.session().and_then(|session| session.channel(id)).is_some_and(|row| row.between.is_none())
        };
        if let Some(dossier) = self.app.live.dossier_of(id) {
            return Ok(dossier.read(is_main));
        }
        let Some(inquiry) = self.app.history.inquiry_of(&*self.app.store, id.into())? else { return Ok(false) };
        let events = self.app.history.events_of(&*self.app.store, inquiry.into())?;
        Ok(crate::app::fold(&events).is_some_and(|dossier| dossier.read(is_main)))
    }

    /// Whether any event of the subject can be the viewer's to see. Where none can, nothing is read.
    pub(crate) fn has_part(&self, facts: &Now<'_>) -> Result<bool, HistoryError> {
        let Some(mut subject) = self.subject else { return Ok(true) };
        if let (Subject::PostingId(_), Actor::Provider(_) | Actor::Agent(_)) = (subject, &self.viewer) {
            let Some(home) = self.app.history.home_of(&*self.app.store, subject)? else { return Ok(false) };
            subject = home;
        }
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
            (
                Actor::Provider(_),
                Subject::AgentId(_)
                | Subject::CustomerId(_)
                | Subject::AccountId(_)
                | Subject::PayoutId(_)
                | Subject::WebhookId(_)
                | Subject::DeliveryId(_),
            ) => Ok(true),
            // Whoever does not see a bid does not learn that there is one.
            (Actor::Provider(_) | Actor::Agent(_), Subject::BidId(_)) if self.is_hidden_bid(facts)? => Ok(false),
            (Actor::Provider(own), _) => of_inquiry(&|known| known.provider == *own),
            (Actor::Agent(own), Subject::AgentId(id)) => Ok(*own == id),
            (
                Actor::Agent(_),
                Subject::AccountId(_) | Subject::PayoutId(_) | Subject::QueueId(_) | Subject::CallServerId(_),
            ) => Ok(true),
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
            (Actor::Customer(_), Subject::AuctionId(_) | Subject::BidId(_)) => Ok(false),
            // Beside MAIN there is nothing for a customer, not even that there is something.
            (Actor::Customer(own), Subject::ChannelId(id)) => self.is_main_of(*own, id),
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

    /// What the entries are chained to.
    fn previous(&self, events: &[(Arc<Recorded>, Seen)]) -> Result<HashMap<(LogName, u64), Head>, HistoryError> {
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
                hashes.insert((log.clone(), raw.seq), raw.head());
            }
        }
        Ok(hashes)
    }

    /// What the viewer may see of an event. Who acted must not be found by whom it is not told.
    pub(crate) fn see(&self, event: &Recorded, facts: &Now<'_>) -> Seen {
        match &self.filter.actor {
            Some(id) if event.actor.id().as_ref() != Some(id) => Seen::Absent,
            Some(_) if !sees_actor(&self.viewer, event, facts) => Seen::Absent,
            Some(_) | None => see(&self.viewer, event, facts),
        }
    }

    /// An event as an entry; `before`: what it is chained to.
    ///
    /// Errors: `Chain` where the event is not what was written.
    pub(crate) fn entry(&self, event: &Recorded, seen: Seen, before: Option<Head>) -> Result<AuditEntry, HistoryError> {
        self.entry_with(event, seen, before, &Now::of(&self.app))
    }

    fn entry_with(
        &self,
        event: &Recorded,
        seen: Seen,
        before: Option<Head>,
        facts: &Now<'_>,
    ) -> Result<AuditEntry, HistoryError> {
        // Rows that were read by their positions are checked here, each on its own, and nowhere before.
        Verifier::after(before)
            .check(&event.raw)
            .map_err(|source| HistoryError::Chain { log: event.log.clone(), source })?;
        let raw = &event.raw;
        let (data, redacted, whole) = match seen {
            Seen::Absent => (None, Vec::new(), false),
            Seen::Partial { data, redacted } => (async_graphql::Value::from_json(data).ok().map(Json), redacted, false),
            Seen::Full => {
                let text = std::str::from_utf8(&raw.data).ok();
                (text.and_then(|text| Json::from_text(text).ok()), Vec::new(), true)
            }
        };
        Ok(AuditEntry {
            own: event.id,
            log: event.log.to_string(),
            seq: Seq(event.seq),
            at: DateTime(event.time),
            type_name: event.type_name.to_owned(),
            subjects: event.subjects.iter().map(|subject| subject.to_string().into()).collect(),
            actor: event.actor.id().filter(|_| sees_actor(&self.viewer, event, facts)).map(ID::from),
            role: event.actor.role().into(),
            causation: event.causation.map(|id| id.to_string().into()),
            correlation: event.correlation.to_string().into(),
            data,
            redacted,
            prev_hash: Hex(&Head::link(before)).to_string(),
            hash: Hex(&raw.hash).to_string(),
            data_hash: Hex(&chain::data_hash(&raw.salt, &raw.data)).to_string(),
            salt: whole.then(|| Hex(&raw.salt).to_string()),
        })
    }
}

/// What is true now: the live views, and the history's rows for what they let go. What neither knows is
/// unknown, and then less is shown.
pub(crate) struct Now<'a> {
    app: &'a App,
    auctions: RefCell<HashMap<AuctionId, Option<AuctionFacts>>>,
    inquiries: RefCell<HashMap<InquiryId, Option<InquiryFacts>>>,
    engaged: RefCell<HashMap<InquiryId, Vec<AgentId>>>,
}

impl Now<'_> {
    pub(crate) fn of(app: &App) -> Now<'_> {
        Now { app, auctions: RefCell::default(), inquiries: RefCell::default(), engaged: RefCell::default() }
    }

    fn look_up_auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        if let Some(row) = self.app.live.auction(id) {
            return Some(AuctionFacts { format: row.rules.format, open: row.state == AuctionState::Open });
        }
        let row = self.app.history.auction(id).inspect_err(|error| tracing::error!(%error, "history.unreadable"));
        row.ok().flatten().map(|row| AuctionFacts { format: row.format, open: row.state == rows::AuctionState::Open })
    }

    /// The agents of an inquiry's session.
    fn look_up_engaged(&self, id: InquiryId) -> Vec<AgentId> {
        let joined = |session: &live::session::Session| {
            let agents = session.participants().iter().filter_map(|participant| match participant.who {
                Who::Agent(id) => Some(id),
                Who::Customer(_) => None,
            });
            agents.collect()
        };
        if let Some(dossier) = self.app.live.dossier(id) {
            return dossier.read(|dossier| dossier.session().map(joined)).unwrap_or_default();
        }
        let events = self.app.history.events_of(&*self.app.store, id.into());
        let events = events.inspect_err(|error| tracing::error!(%error, "history.unreadable")).unwrap_or_default();
        let opened = events.iter().filter_map(|event| match &event.event {
            Event::Session(SessionEvent::Opened(e)) => Some(e.agent),
            _ => None,
        });
        opened.collect()
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
    fn is_engaged(&self, inquiry: InquiryId, agent: AgentId) -> bool {
        let mut engaged = self.engaged.borrow_mut();
        engaged.entry(inquiry).or_insert_with(|| self.look_up_engaged(inquiry)).contains(&agent)
    }
    fn provider_of(&self, offer: OfferId) -> Option<ProviderId> {
        self.app.live.offer(offer).map(|row| row.provider)
    }
}
