//! Whom a trail is about, and what of it only the log can say yet: beyond the checkpoints there is no
//! index, so events are asked one by one, and ids are looked for.

use super::rows::Text;
use super::subjects::{self, needs_home};
use super::trail::first_at;
use super::{Checkpoint, History, HistoryError};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::OfferEvent;
use domain::event::inquiry::InquiryEvent;
use domain::ids::{AuctionId, BidId, IdSource, InquiryId, OfferId, ProviderId, Subject};
use domain::log::{LogName, Seq};
use rusqlite::OptionalExtension;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use store::backend::EventStore;
use store::raw::Head;
use store::recorded::Recorded;

/// Events of the first read of a log, and of the largest.
const PAGE_MIN: usize = 64;
const PAGE_MAX: usize = 2_048;

pub(super) type Checkpoints = BTreeMap<LogName, Checkpoint>;

/// Whom a trail is about.
pub(super) struct Scope {
    /// Whose rows the index has.
    pub(super) subjects: HashSet<Subject>,
    /// Inquiries are asked whether they belong to it.
    owner: Option<Owner>,
    inquiries: HashMap<InquiryId, bool>,
}

#[derive(Clone, Copy)]
enum Owner {
    Offer(OfferId),
    Provider(ProviderId),
}

impl Scope {
    /// `None`: nobody knows the id.
    pub(super) fn of(
        history: &History,
        store: &dyn EventStore,
        known: &Checkpoints,
        id: Subject,
    ) -> Result<Option<Scope>, HistoryError> {
        let subject = if needs_home(id) { home(store, known, history, id)? } else { Some(id) };
        let Some(subject) = subject else { return Ok(None) };
        let owner = match subject {
            Subject::OfferId(offer) => Some(Owner::Offer(offer)),
            Subject::ProviderId(provider) => Some(Owner::Provider(provider)),
            _ => None,
        };
        let mut scope = Scope { subjects: HashSet::from([subject]), owner, inquiries: HashMap::new() };
        if owner.is_some() {
            // Before the rows: what is folded in between is then known twice rather than not at all.
            scan_tails(store, known, |event| {
                scope.learn(&event.event);
                ControlFlow::Continue(())
            })?;
        }
        if let Some(Owner::Provider(provider)) = owner {
            let offers = history.read("reading a provider's offers", |db| {
                db.prepare_cached("SELECT id FROM offer WHERE provider = ?1")?
                    .query_map([provider.to_string()], |row| row.get::<_, Text<OfferId>>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })?;
            scope.subjects.extend(offers.into_iter().map(|Text(offer)| Subject::from(offer)));
        }
        Ok(Some(scope))
    }

    fn learn(&mut self, event: &Event) {
        let (inquiry, offer, provider) = match event {
            Event::Offer(OfferEvent::Published(e)) => (None, e.offer, e.provider),
            Event::Offer(OfferEvent::Accepted(e)) => (Some(e.inquiry), e.offer, e.provider),
            Event::Inquiry(InquiryEvent::Registered(e)) => (Some(e.inquiry), e.offer, e.provider),
            Event::Provider(_)
            | Event::Offer(
                OfferEvent::Revised(_)
                | OfferEvent::Paused(_)
                | OfferEvent::Resumed(_)
                | OfferEvent::Retired(_)
                | OfferEvent::PlaceFreed(_),
            )
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Inquiry(
                InquiryEvent::InformationRequested(_)
                | InquiryEvent::InformationAnswered(_)
                | InquiryEvent::SelectionMade(_)
                | InquiryEvent::Began(_)
                | InquiryEvent::PutOff(_)
                | InquiryEvent::Relaxed(_)
                | InquiryEvent::PreferenceEnded(_)
                | InquiryEvent::Requeued(_)
                | InquiryEvent::Withdrawn(_)
                | InquiryEvent::Resumed(_)
                | InquiryEvent::PlaceKept(_)
                | InquiryEvent::PlaceLost(_)
                | InquiryEvent::Expired(_)
                | InquiryEvent::Completed(_)
                | InquiryEvent::TopicsConfirmed(_)
                | InquiryEvent::Moved(_),
            )
            | Event::Auction(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Reservation(_)
            | Event::Session(_)
            | Event::Settlement(_)
            | Event::Webhook(_)
            | Event::Journal(_) => return,
        };
        let ours = match self.owner {
            Some(Owner::Offer(id)) => id == offer,
            Some(Owner::Provider(id)) => id == provider,
            None => false,
        };
        if ours {
            self.subjects.insert(offer.into());
            self.inquiries.extend(inquiry.map(|inquiry| (inquiry, true)));
        }
    }

    /// Whether an event that the index does not have yet belongs to the trail.
    pub(super) fn concerns(&mut self, history: &History, event: &Recorded) -> Result<bool, HistoryError> {
        if event.subjects.iter().any(|subject| self.subjects.contains(subject)) {
            return Ok(true);
        }
        let (Some(_), Some(inquiry)) = (self.owner, subjects::inquiry_of(&event.subjects)) else { return Ok(false) };
        if let Some(ours) = self.inquiries.get(&inquiry) {
            return Ok(*ours);
        }
        let offer = history.read("finding an inquiry's offer", |db| {
            db.prepare_cached("SELECT offer FROM inquiry WHERE id = ?1")?
                .query_row([inquiry.to_string()], |row| row.get::<_, Text<OfferId>>(0))
                .optional()
        })?;
        let ours = offer.is_some_and(|Text(offer)| self.subjects.contains(&offer.into()));
        self.inquiries.insert(inquiry, ours);
        Ok(ours)
    }
}

/// Reads a log from `from` to its end, or until `each` has enough.
pub(super) fn scan(
    store: &dyn EventStore,
    log: &LogName,
    from: Seq,
    mut each: impl FnMut(Recorded) -> ControlFlow<()>,
) -> Result<(), HistoryError> {
    let (mut from, mut size) = (from, PAGE_MIN);
    loop {
        let page = store.read(log, from, size)?;
        let ended = page.len() < size;
        size = (2 * size).min(PAGE_MAX);
        for raw in page {
            from = raw.seq + 1;
            if each(Recorded::open(log, raw)?).is_break() {
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
    }
}

/// Reads what lies beyond the checkpoints of every log.
pub(super) fn scan_tails(
    store: &dyn EventStore,
    known: &Checkpoints,
    mut each: impl FnMut(Recorded) -> ControlFlow<()>,
) -> Result<(), HistoryError> {
    for log in store.logs()? {
        let from = Head::next(known.get(&log).map(|checkpoint| checkpoint.head));
        let mut flow = ControlFlow::Continue(());
        scan(store, &log, from, |event| {
            flow = each(event);
            flow
        })?;
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// Where an id leads that is no subject of any event.
pub(super) fn home(
    store: &dyn EventStore,
    known: &Checkpoints,
    history: &History,
    id: Subject,
) -> Result<Option<Subject>, HistoryError> {
    if let Subject::PostingId(id) = id {
        return Ok(history.posting(store, id)?.and_then(|row| row.home()));
    }
    if let Subject::BidId(bid) = id {
        return Ok(auction_of(store, bid)?.map(Subject::from));
    }
    // The rows first, since most ids are old. What they lacked then stands beyond checkpoints of before.
    let row = history.read("finding an id", |db| {
        db.prepare_cached("SELECT home FROM lookup WHERE id = ?1")?
            .query_row([id.to_string()], |row| row.get::<_, Text<Subject>>(0))
            .optional()
    })?;
    if let Some(Text(home)) = row {
        return Ok(Some(home));
    }
    let mut found = None;
    scan_tails(store, known, |event| {
        found = subjects::homes(&event.event).into_iter().find_map(|(known, home)| (known == id).then_some(home));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// The auction of a bid: its id was made in the millisecond of its event, so a few events of each log are read.
fn auction_of(store: &dyn EventStore, bid: BidId) -> Result<Option<AuctionId>, HistoryError> {
    let instant = IdSource::made_at(bid.0);
    for log in store.logs()?.into_iter().filter(|log| !log.is_reserved()) {
        let end = Head::next(store.head(&log)?);
        let from = first_at(store, &log, end, instant.start)?;
        let mut found = None;
        scan(store, &log, from, |event| {
            if let Event::Auction(AuctionEvent::BidPlaced(placed)) = &event.event
                && placed.bid == bid
            {
                found = Some(placed.auction);
            }
            if found.is_some() || event.time >= instant.end {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
