//! Whom an event concerns: subjects and logs as numbers, and where the ids lead that no event has as
//! its subject.

use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::OfferEvent;
use domain::event::session::SessionEvent;
use domain::ids::{InquiryId, OfferId, Subject};
use domain::log::LogName;
use domain::table::FixedHasher;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};

/// Entries of one generation of a cache; all of them together stay below ten megabytes, however long the logs
/// are. What is busy stays, and what fell out costs one look-up.
const GENERATION_MAX: usize = 32_768;

type Map<K, V> = HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// The newest entries, in two generations.
struct Recent<K, V> {
    young: Map<K, V>,
    old: Map<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent { young: Map::default(), old: Map::default() }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    fn get(&mut self, key: K) -> Option<V> {
        if let Some(value) = self.young.get(&key) {
            return Some(*value);
        }
        let value = self.old.remove(&key)?;
        self.insert(key, value);
        Some(value)
    }
    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

/// What the writer remembers of the rows, so that a busy auction costs no look-ups.
#[derive(Default)]
pub(super) struct Numbers {
    subjects: Recent<Subject, i64>,
    /// An inquiry's offer, by its number.
    offers: Recent<InquiryId, i64>,
}

impl Numbers {
    /// The subject's number; a new subject gets the next one.
    pub(super) fn subject(&mut self, db: &Connection, subject: Subject) -> rusqlite::Result<i64> {
        if let Some(no) = self.subjects.get(subject) {
            return Ok(no);
        }
        let id = subject.to_string();
        let no = match subject_no(db, &id)? {
            Some(no) => no,
            None => {
                db.prepare_cached("INSERT INTO subject(id) VALUES(?1)")?.execute([id])?;
                db.last_insert_rowid()
            }
        };
        self.subjects.insert(subject, no);
        Ok(no)
    }

    /// The number of the offer of an inquiry that is registered; `None` where it is not.
    pub(super) fn offer_of(&mut self, db: &Connection, inquiry: InquiryId) -> rusqlite::Result<Option<i64>> {
        if let Some(offer) = self.offers.get(inquiry) {
            return Ok(Some(offer));
        }
        let found = db
            .prepare_cached("SELECT offer FROM inquiry WHERE id = ?1")?
            .query_row([inquiry.to_string()], |row| row.get::<_, super::rows::Text<OfferId>>(0))
            .optional()?;
        let Some(super::rows::Text(offer)) = found else { return Ok(None) };
        let offer = self.subject(db, offer.into())?;
        self.offers.insert(inquiry, offer);
        Ok(Some(offer))
    }
}

pub(super) fn subject_no(db: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT no FROM subject WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()
}

pub(super) fn known_log_no(db: &Connection, log: &LogName) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT no FROM log WHERE name = ?1")?.query_row([log.as_str()], |row| row.get(0)).optional()
}

/// The log's number; a new log gets the next one.
pub(super) fn log_no(db: &Connection, log: &LogName) -> rusqlite::Result<i64> {
    if let Some(no) = known_log_no(db, log)? {
        return Ok(no);
    }
    db.execute("INSERT INTO log(name) VALUES(?1)", [log.as_str()])?;
    Ok(db.last_insert_rowid())
}

pub(super) use crate::inquiry_of;

/// The ids that an event brings into the world without having them as subjects, each with what it leads to: a
/// bid to its auction, a link to its offer, the rest to their inquiry. Postings are found by their event.
pub(super) fn homes(event: &Event) -> Vec<(Subject, Subject)> {
    match event {
        Event::Offer(OfferEvent::Published(e)) => {
            e.terms.links.iter().map(|link| (link.id.into(), e.offer.into())).collect()
        }
        Event::Offer(OfferEvent::Revised(e)) => {
            e.terms.links.iter().map(|link| (link.id.into(), e.offer.into())).collect()
        }
        Event::Auction(AuctionEvent::BidPlaced(e)) => vec![(e.bid.into(), e.auction.into())],
        Event::Session(SessionEvent::Opened(e)) => vec![(e.channel.into(), e.inquiry.into())],
        Event::Session(SessionEvent::ChannelOpened(e)) => vec![(e.channel.into(), e.inquiry.into())],
        Event::Session(SessionEvent::MessageSent(e)) => vec![(e.message.into(), e.inquiry.into())],
        Event::Session(SessionEvent::WrapUpCompleted(e)) => vec![(e.record.into(), e.inquiry.into())],
        Event::Provider(_)
        | Event::Offer(
            OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_)
            | OfferEvent::PlaceFreed(_)
            | OfferEvent::Accepted(_),
        )
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(
            AuctionEvent::Opened(_)
            | AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::Awarded(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_)
            | AuctionEvent::Unsold(_)
            | AuctionEvent::Cancelled(_),
        )
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Session(
            SessionEvent::Ended(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_),
        )
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => Vec::new(),
    }
}

/// Whether ids of this kind are subjects of no event, so that only a look-up leads to them.
pub(super) fn needs_home(id: Subject) -> bool {
    matches!(
        id,
        Subject::LinkId(_)
            | Subject::BidId(_)
            | Subject::ChannelId(_)
            | Subject::MessageId(_)
            | Subject::RecordId(_)
            | Subject::PostingId(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_bounded_and_keeps_what_is_busy() {
        let mut cache = Recent::default();
        cache.insert(u64::MAX, 7);
        for number in 0..10 * GENERATION_MAX as u64 {
            cache.insert(number, number);
            assert_eq!(cache.get(number), Some(number));
            if number % 1_000 == 0 {
                assert_eq!(cache.get(u64::MAX), Some(7));
            }
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION_MAX);
        assert_eq!(cache.get(0), None);
    }
}
