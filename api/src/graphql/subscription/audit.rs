//! `auditFeed`: new audit entries as they are recorded, over all logs.
//!
//! It reads the same trail that `auditTrail` reads, from where it stopped, whenever the logs move. Within a
//! log entries come in its order; the house's own logs come first where several have moved.
//!
//! What a bid did in a sealed auction is nobody's but its bidder's until closing. Such entries come right
//! after the first entry that tells of the closing, never at their own place: so it does not matter when a
//! feed is read, and one that is resumed goes on as if it had never stopped. A cursor holds a position of every
//! log, and how many of those late entries were given.
//!
//! It also goes on from a cursor of the same trail, and from the `feedCursor` of what was queried: with what follows in
//! the order of `auditTrail`, and with what was recorded in another log since the page was read, though dated
//! before. A trail that was read after a closing has shown the bids of before, so those are not let out again. What
//! is recorded in the very milliseconds in which a page is read may be in it and come once more; never neither. A
//! `feedCursor` knows of its own log alone: another goes on from the instant at which that one stood.

use super::source::{self, FeedGap, FeedMeta, GapReason, nothing_to_watch};
use crate::app::{App, blocking};
use crate::cursor;
use crate::graphql::scalars::Cursor;
use crate::graphql::types::audit::{self, AuditEntry, Now, Search, narrowest};
use crate::graphql::types::filters::AuditFilter;
use async_graphql::{Error, ID, SimpleObject};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::ids::{AgentId, AuctionId, Subject};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use futures_util::{Stream, stream};
use projections::feed::Mark;
use projections::history::visibility::{Facts, Seen};
use projections::history::{HistoryError, trail};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use store::raw::{Head, RawEvent};
use store::recorded::Recorded;
use tokio::sync::watch;

/// Events of one read of one log.
const PAGE: usize = 256;
/// A log that moves often is read this often.
const PAUSE: Duration = Duration::from_millis(20);
/// Late entries given at once, and events of their auction that are read at once.
const LATE_AT_ONCE: u32 = 64;
const EVENTS_AT_ONCE: usize = 1_024;

#[derive(SimpleObject)]
pub struct AuditFeedItem {
    meta: FeedMeta,
    entry: Option<AuditEntry>,
    gap: Option<FeedGap>,
}

/// All that an event lets out was told, if it was anything.
const ALL: u32 = u32::MAX;

/// How far one log was read: up to and with `seq`, and of what is told after that event `late` entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    seq: Seq,
    hash: [u8; 8],
    late: u32,
    shown: Option<Shown>,
}

/// What a trail that the feed goes on from has shown of bids that were sealed once: what they did at or before `to`,
/// where the closing stands at or before `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    to: Seq,
    by: Seq,
}

type Places = BTreeMap<LogName, Place>;

pub(super) async fn follow(
    app: &Arc<App>,
    viewer: Actor,
    subject: Option<ID>,
    filter: AuditFilter,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = Result<AuditFeedItem, Error>> + use<>, Error> {
    let scope = format!(
        "auditFeed\n{:?}\n{}\n{:?}\n{filter:?}",
        viewer.role(),
        viewer.id().unwrap_or_default(),
        subject.as_deref()
    );
    let after = match after {
        Some(given) => Some(read_after(app, &viewer, &scope, subject.as_ref(), &filter, given)?),
        None => None,
    };
    let subject = match subject {
        None => narrowest(&viewer),
        Some(id) => Some(id.parse::<Subject>().map_err(|_| nothing_to_watch(&viewer))?),
    };
    let filter = filter.read().ok_or_else(|| nothing_to_watch(&viewer))?;
    if matches!(viewer, Actor::Anonymous | Actor::System) {
        return Err(nothing_to_watch(&viewer));
    }
    let moved = app.views_moved.subscribe();
    let search = Search { app: app.clone(), viewer: viewer.clone(), subject, filter, reverse: false, first: 0 };
    let began: BTreeMap<LogName, Head> = app.live.heads().into_iter().collect();
    let known = began.clone();
    let (search, has_part, places) = blocking(move || {
        let has_part = search.has_part(&Now::of(&search.app))?;
        let places = match after {
            Some(after) => search.places(after, &known)?,
            None => Some(known.iter().map(place_at).collect()),
        };
        Ok((search, has_part, places))
    })
    .await?;
    if !has_part {
        return Err(nothing_to_watch(&viewer));
    }
    let forked = places.is_none();
    let places = places.unwrap_or_else(|| began.iter().map(place_at).collect());
    let feed = Audit {
        search: Some(search),
        app: app.clone(),
        scope,
        places,
        began,
        moved,
        ready: VecDeque::new(),
        fresh: true,
        gap: forked.then_some(GapReason::Retention),
    };
    Ok(stream::unfold(feed, |mut feed| async move {
        let item = feed.next().await?;
        Some((item, feed))
    }))
}

/// Where a feed is to go on.
enum After {
    Places(Places),
    Trail(audit::Place),
    /// The `feedCursor` of something that lives in this log.
    Mark(LogName, Option<Mark>),
}

fn read_after(
    app: &Arc<App>,
    viewer: &Actor,
    scope: &str,
    subject: Option<&ID>,
    filter: &AuditFilter,
    given: Cursor,
) -> Result<After, cursor::BadCursor> {
    if let Ok(payload) = cursor::decode(&app.cursor_secret, scope, &given.0) {
        return read_places(&payload).map(After::Places).ok_or(cursor::BadCursor);
    }
    for reverse in [false, true] {
        let trail = audit::pager(app, viewer, subject, filter, reverse, 0, Some(given.clone()));
        if let Some(place) = trail.ok().and_then(|pager| pager.after) {
            return Ok(After::Trail(place));
        }
    }
    let heads = app.live.heads().into_iter();
    let mut marks = heads.filter_map(|(log, _)| Some((source::decode(app, viewer, &log, &given).ok()?, log)));
    marks.next().map(|(mark, log)| After::Mark(log, mark)).ok_or(cursor::BadCursor)
}

fn place_at((log, head): (&LogName, &Head)) -> (LogName, Place) {
    (log.clone(), Place { seq: head.seq, hash: Mark::from(*head).hash, late: ALL, shown: None })
}

/// An entry, with where the feed is once it is given.
struct Ready {
    entry: AuditEntry,
    log: LogName,
    place: Place,
    at: Timestamp,
}

struct Audit {
    /// Away while it reads; absent once the feed has ended.
    search: Option<Search>,
    app: Arc<App>,
    scope: String,
    places: Places,
    /// Where the logs ended when the feed began.
    began: BTreeMap<LogName, Head>,
    moved: watch::Receiver<()>,
    ready: VecDeque<Ready>,
    /// Nothing was read yet.
    fresh: bool,
    gap: Option<GapReason>,
}

impl Audit {
    async fn next(&mut self) -> Option<Result<AuditFeedItem, Error>> {
        loop {
            if let Some(reason) = self.gap.take() {
                self.search = None;
                return Some(Ok(self.tell_gap(reason)));
            }
            if let Some(ready) = self.ready.pop_front() {
                return Some(Ok(self.give(ready)));
            }
            self.search.as_ref()?;
            if !std::mem::take(&mut self.fresh) && !self.is_behind() {
                self.moved.changed().await.ok()?;
                tokio::time::sleep(PAUSE).await;
            }
            if let Err(error) = self.read_on().await {
                self.search = None;
                return Some(Err(error));
            }
        }
    }

    fn is_behind(&self) -> bool {
        let heads = self.app.live.heads();
        heads.iter().any(|(log, head)| self.places.get(log).is_none_or(|place| place.seq < head.seq))
    }

    /// Reads one page of each log that has moved.
    async fn read_on(&mut self) -> Result<(), Error> {
        self.moved.mark_unchanged();
        let mut heads = self.app.live.heads();
        heads.sort_by_key(|(log, _)| !log.is_reserved());
        for (log, head) in heads {
            let from = self.places.get(&log).copied();
            let Some(search) = self.search.take() else { return Ok(()) };
            let name = log.clone();
            let (search, page) = blocking(move || {
                let page = search.page(&name, from, head)?;
                Ok((search, page))
            })
            .await?;
            self.search = Some(search);
            let Some((entries, place)) = page else {
                self.gap = Some(GapReason::Retention);
                return Ok(());
            };
            self.ready.extend(entries);
            // With entries, the place moves as they are given, and what follows the last is read again.
            if self.ready.iter().all(|ready| ready.log != log) {
                self.places.insert(log, place);
            }
        }
        Ok(())
    }

    fn give(&mut self, ready: Ready) -> AuditFeedItem {
        let replay = self.began.get(&ready.log).is_some_and(|head| ready.place.seq <= head.seq);
        let seq = ready.entry.position();
        self.places.insert(ready.log.clone(), ready.place);
        let meta = FeedMeta::new(self.cursor(), &ready.log, seq, ready.at, replay);
        AuditFeedItem { meta, entry: Some(ready.entry), gap: None }
    }

    fn cursor(&self) -> Cursor {
        Cursor(cursor::encode(&self.app.cursor_secret, &self.scope, &write_places(&self.places)))
    }

    fn tell_gap(&mut self, reason: GapReason) -> AuditFeedItem {
        if reason == GapReason::Retention {
            self.places = self.app.live.heads().iter().map(|(log, head)| place_at((log, head))).collect();
        }
        let cursor = self.cursor();
        let log = LogName::community();
        let seq = self.places.get(&log).map_or(0, |place| place.seq);
        let meta = FeedMeta::new(cursor.clone(), &log, seq, self.app.clock.now(), false);
        AuditFeedItem { meta, entry: None, gap: Some(FeedGap::new(reason, cursor)) }
    }
}

impl Search {
    /// Where each log goes on; `None` where the logs are not the ones that the cursor was given for.
    fn places(&self, after: After, known: &BTreeMap<LogName, Head>) -> Result<Option<Places>, HistoryError> {
        let read = |log: &LogName, seq: Seq| -> Result<Option<RawEvent>, HistoryError> {
            let found = self.app.store.read(log, seq, 1)?.into_iter().next();
            Ok(found.filter(|raw| raw.seq == seq))
        };
        let (event, trail) = match after {
            After::Places(places) => {
                for (log, place) in &places {
                    let stands = read(log, place.seq)?.is_some_and(|raw| raw.hash[..8] == place.hash);
                    if !stands || !known.contains_key(log) {
                        return Ok(None);
                    }
                }
                return Ok(Some(places));
            }
            // Nothing had happened yet.
            After::Mark(_, None) => return Ok(Some(Places::new())),
            After::Mark(log, Some(mark)) => {
                let found = read(&log, mark.seq)?.filter(|raw| raw.hash[..8] == mark.hash);
                (found.map(|raw| Recorded::open(&log, raw)).transpose()?, Vec::new())
            }
            After::Trail(place) => {
                let found = read(&place.at.log, place.at.seq)?;
                let event = found.map(|raw| Recorded::open(&place.at.log, raw)).transpose()?;
                (event.filter(|event| event.time == place.at.time), place.known)
            }
        };
        let Some(event) = event else { return Ok(None) };
        let trail: BTreeMap<LogName, Seq> = trail.into_iter().collect();
        let mut places = Places::new();
        for (log, next) in trail::resume(&*self.app.store, &trail::Position::of(&event))? {
            let known = trail.get(&log).copied();
            // What came to another log since is dated as it was asked for, which may be before.
            let next = known.filter(|_| log != event.log).map_or(next, |known| next.min(known + 1));
            let Some(to) = next.checked_sub(1) else { continue };
            let Some(raw) = read(&log, to)? else { return Ok(None) };
            let (_, place) = place_at((&log, &raw.head()));
            let shown = known.filter(|by| *by > to).map(|by| Shown { to, by });
            places.insert(log, Place { shown, ..place });
        }
        Ok(Some(places))
    }

    /// The entries of one log after `from`, up to `head` at most, and how far it came. `None`: the log is
    /// not the one that was followed.
    fn page(
        &self,
        log: &LogName,
        from: Option<Place>,
        head: Head,
    ) -> Result<Option<(Vec<Ready>, Place)>, HistoryError> {
        let start = from.map_or(0, |place| place.seq + 1);
        let mut given = Vec::new();
        let facts = Now::of(&self.app);
        // The rest of what the last event let out.
        if let Some(place) = from.filter(|place| place.late < ALL) {
            let last = self.app.store.read_at(log, &[place.seq])?.pop();
            let last = last.map(|raw| Recorded::open(log, raw)).transpose()?;
            if let Some(event) = last
                && self.let_out(&facts, &event, place, &mut given)?
            {
                return Ok(Some((given, Place { late: place.late + LATE_AT_ONCE, ..place })));
            }
        }
        let mut reached = from.unwrap_or(Place { seq: 0, hash: [0; 8], late: ALL, shown: None });
        let shown = reached.shown;
        if start <= head.seq {
            // What the filter says of positions and times is asked of what is told: a closing outside of them
            // lets out what lies within.
            let range = trail::AuditFilter {
                log: Some(log.clone()),
                from_seq: Some(start),
                to_seq: Some(head.seq + 1),
                ..trail::AuditFilter::default()
            };
            let named = self.filter.log.as_ref().is_none_or(|only| only == log);
            let mine = named && !self.is_hidden_bid(&facts)?;
            let bounds = trail::Bounds { events: PAGE, read: 16 * PAGE };
            let part = match mine {
                true => self.app.history.trail(&*self.app.store, self.subject, &range, None, false, bounds)?,
                false => trail::Trail::default(),
            };
            let last = part.events.last().map(|event| event.seq);
            let to = match &part.stopped {
                Some(position) => position.seq,
                None if part.events.len() == PAGE => last.unwrap_or(head.seq),
                None => head.seq,
            };
            for event in part.events {
                if hidden_bid(&event.event).is_some_and(|(auction, bidder)| self.waits(&facts, auction, bidder)) {
                    continue;
                }
                let hash = Mark::from(event.raw.head()).hash;
                let place = Place { seq: event.seq, hash, late: 0, shown: shown.filter(|shown| event.seq <= shown.by) };
                self.tell(&facts, &event, place, &mut given)?;
                if self.let_out(&facts, &event, place, &mut given)? {
                    return Ok(Some((given, Place { late: LATE_AT_ONCE, ..place })));
                }
            }
            let Some(raw) = self.app.store.read(log, to, 1)?.into_iter().next().filter(|raw| raw.seq == to) else {
                return Ok(None);
            };
            let shown = shown.filter(|shown| to <= shown.by);
            reached = Place { seq: to, hash: Mark::from(raw.head()).hash, late: ALL, shown };
        }
        Ok(Some((given, reached)))
    }

    /// Whether what a bid did is told at the closing, and not at its own place.
    fn waits(&self, facts: &Now<'_>, auction: AuctionId, bidder: Option<AgentId>) -> bool {
        let own = bidder.is_some_and(|bidder| self.viewer == Actor::Agent(bidder));
        !own && facts.auction(auction).is_none_or(|auction| auction.format.is_sealed())
    }

    /// What waited for this event, which stands at `place`, where it is the first of the trail to tell of a closing: a
    /// page of it, after those that were given already. Whether there is more.
    fn let_out(
        &self,
        facts: &Now<'_>,
        closing: &Recorded,
        place: Place,
        given: &mut Vec<Ready>,
    ) -> Result<bool, HistoryError> {
        let told = place.late;
        let shown = place.shown.filter(|shown| closing.seq <= shown.by);
        // In an agent's trail its own loss may be all that tells of the closing; elsewhere the outcome does.
        let of_agent = match self.subject {
            Some(Subject::AgentId(id)) => Some(Subject::from(id)),
            _ => None,
        };
        let Some(auction) = closing_of(&closing.event, of_agent.is_some()) else { return Ok(false) };
        if !self.waits(facts, auction, None) {
            return Ok(false);
        }
        let mut is_first = true;
        if told == 0 {
            self.each_before(closing, auction, of_agent, |event| {
                is_first = closing_of(&event.event, of_agent.is_some()) != Some(auction);
                Ok(if is_first { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        let (mut waited, mut more) = (0, false);
        if is_first {
            self.each_before(closing, auction, of_agent, |event| {
                let hidden = hidden_bid(&event.event);
                let waited_for_it = hidden.is_some_and(|(of, bidder)| of == auction && self.waits(facts, of, bidder));
                if !waited_for_it || shown.is_some_and(|shown| event.seq <= shown.to) {
                    return Ok(ControlFlow::Continue(()));
                }
                waited += 1;
                more = waited > told.saturating_add(LATE_AT_ONCE);
                if more {
                    return Ok(ControlFlow::Break(()));
                }
                if waited > told {
                    self.tell(facts, event, Place { late: waited, ..place }, given)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(more)
    }

    /// The auction's events before its closing, oldest first, page by page.
    fn each_before(
        &self,
        closing: &Recorded,
        auction: AuctionId,
        of_agent: Option<Subject>,
        mut each: impl FnMut(&Recorded) -> Result<ControlFlow<()>, HistoryError>,
    ) -> Result<(), HistoryError> {
        let range = trail::AuditFilter {
            log: Some(closing.log.clone()),
            to_seq: Some(closing.seq),
            ..trail::AuditFilter::default()
        };
        let (store, bounds) = (&*self.app.store, trail::Bounds::events(EVENTS_AT_ONCE));
        let mut at = None;
        loop {
            let part = self.app.history.trail(store, Some(auction.into()), &range, at.as_ref(), false, bounds)?;
            for event in &part.events {
                let ours = of_agent.is_none_or(|agent| event.subjects.contains(&agent));
                if ours && each(event)?.is_break() {
                    return Ok(());
                }
            }
            if part.events.len() < EVENTS_AT_ONCE {
                return Ok(());
            }
            at = part.events.last().map(|event| trail::Position::of(event));
        }
    }

    /// `event`, as the viewer may see it now; the feed is at `place` with it.
    fn tell(
        &self,
        facts: &Now<'_>,
        event: &Recorded,
        place: Place,
        given: &mut Vec<Ready>,
    ) -> Result<(), HistoryError> {
        let filter = &self.filter;
        let within = filter.from_seq.is_none_or(|from| from <= event.seq)
            && filter.to_seq.is_none_or(|to| event.seq < to)
            && filter.from.is_none_or(|from| from <= event.time)
            && filter.to.is_none_or(|to| event.time < to);
        if !within || !filter.fits(event) {
            return Ok(());
        }
        let seen = self.see(event, facts);
        if seen == Seen::Absent {
            return Ok(());
        }
        let before = match event.seq.checked_sub(1) {
            None => None,
            Some(seq) => self.app.store.read_at(&event.log, &[seq])?.pop().map(|raw| raw.head()),
        };
        let entry = self.entry(event, seen, before)?;
        given.push(Ready { entry, log: event.log.clone(), place, at: event.time });
        Ok(())
    }
}

/// What a bid did, if that is hidden while its auction is sealed and open: the auction, and whose it was.
fn hidden_bid(event: &Event) -> Option<(AuctionId, Option<AgentId>)> {
    let Event::Auction(event) = event else { return None };
    match event {
        AuctionEvent::BidPlaced(e) => Some((e.auction, Some(e.agent))),
        AuctionEvent::BidWithdrawn(e) => Some((e.auction, Some(e.agent))),
        AuctionEvent::Opened(_)
        | AuctionEvent::BidOutbid(_)
        | AuctionEvent::Extended(_)
        | AuctionEvent::Awarded(_)
        | AuctionEvent::BidLost(_)
        | AuctionEvent::BidForfeited(_)
        | AuctionEvent::Unsold(_)
        | AuctionEvent::Cancelled(_) => None,
    }
}

/// The auction that is closed by now, where the event tells so. `of_agent`: also by what became of a bid.
fn closing_of(event: &Event, of_agent: bool) -> Option<AuctionId> {
    let Event::Auction(event) = event else { return None };
    match event {
        AuctionEvent::Awarded(e) => Some(e.auction),
        AuctionEvent::Unsold(e) => Some(e.auction),
        AuctionEvent::Cancelled(e) => Some(e.auction),
        AuctionEvent::BidLost(e) => of_agent.then_some(e.auction),
        AuctionEvent::BidForfeited(e) => of_agent.then_some(e.auction),
        AuctionEvent::Opened(_)
        | AuctionEvent::BidPlaced(_)
        | AuctionEvent::BidOutbid(_)
        | AuctionEvent::BidWithdrawn(_)
        | AuctionEvent::Extended(_) => None,
    }
}

/// Set in the length of a name where the place says what was shown.
const SAYS_SHOWN: u8 = 0x80;

/// Per log: length of the name, name, position, hash, late; what was shown, where that is said.
fn write_places(places: &Places) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (log, place) in places {
        let length = u8::try_from(log.as_str().len()).expect("a log's name has at most 32 letters");
        bytes.push(length | if place.shown.is_some() { SAYS_SHOWN } else { 0 });
        bytes.extend_from_slice(log.as_str().as_bytes());
        bytes.extend_from_slice(&place.seq.to_be_bytes());
        bytes.extend_from_slice(&place.hash);
        bytes.extend_from_slice(&place.late.to_be_bytes());
        for number in place.shown.iter().flat_map(|shown| [shown.to, shown.by]) {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
    bytes
}

fn read_places(mut bytes: &[u8]) -> Option<Places> {
    let mut places = Places::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length & !SAYS_SHOWN))?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<8>()?;
        let (late, mut rest) = rest.split_first_chunk::<4>()?;
        let mut shown = None;
        if length & SAYS_SHOWN != 0 {
            let (to, after) = rest.split_first_chunk::<8>()?;
            let (by, after) = after.split_first_chunk::<8>()?;
            shown = Some(Shown { to: u64::from_be_bytes(*to), by: u64::from_be_bytes(*by) });
            rest = after;
        }
        let log: LogName = std::str::from_utf8(name).ok()?.parse().ok()?;
        let place = Place { seq: u64::from_be_bytes(*seq), hash: *hash, late: u32::from_be_bytes(*late), shown };
        places.insert(log, place);
        bytes = rest;
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_as_they_were_written() {
        let place = |seq| Place { seq, hash: [seq as u8; 8], late: 3, shown: Some(Shown { to: seq, by: 9 }) };
        let places: Places =
            [(LogName::community(), Place { shown: None, ..place(7) }), ("main".parse().unwrap(), place(u64::MAX))]
                .into_iter()
                .collect();
        let bytes = write_places(&places);
        assert_eq!(read_places(&bytes), Some(places));
        assert_eq!(read_places(&bytes[..bytes.len() - 1]), None);
    }
}
