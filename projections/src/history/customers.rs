//! What acceptances say of a customer: since when it is one, and the profile that it gave last. The rows say which
//! events those are; the sealed profile is read from the log.
//!
//! As far as `community` is folded in: a customer of a moment ago may be missing.

use super::rows::{InquiryState, Text, Whole, word};
use super::{History, HistoryError};
use domain::event::Event;
use domain::event::community::OfferEvent;
use domain::ids::{CustomerId, InquiryId, ProviderId};
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::time::Timestamp;
use rusqlite::OptionalExtension;
use store::backend::EventStore;
use store::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerRow {
    /// Of the first acceptance.
    pub since: Timestamp,
    /// As given last; absent where it never was.
    pub profile: Option<Sealed>,
}

impl History {
    /// Whether anything was accepted by it, as far as is folded in.
    pub fn knows_customer(&self, id: CustomerId) -> Result<bool, HistoryError> {
        self.read("looking for a customer", |db| {
            let mut statement = db.prepare_cached("SELECT EXISTS(SELECT 1 FROM customer WHERE id = ?1)")?;
            statement.query_row([id.to_string()], |row| row.get(0))
        })
    }

    /// Of each call server, the latest of a customer's inquiries about a provider's offers that was served to its end. As
    /// far as is folded in; of twenty call servers at most.
    pub fn last_served(&self, id: CustomerId, provider: ProviderId) -> Result<Vec<(LogName, InquiryId)>, HistoryError> {
        self.read("looking for what a customer asked before", |db| {
            // Its inquiries by the index of customers; ids are in order of time.
            let sql = "SELECT call_server, max(id) FROM inquiry WHERE customer = ?1 AND +provider = ?2
                       AND +state = ?3 GROUP BY call_server ORDER BY 2 DESC LIMIT 20";
            let mut statement = db.prepare_cached(sql)?;
            let wanted = (id.to_string(), provider.to_string(), word(&InquiryState::Completed));
            let rows = statement.query_map(wanted, |row| {
                let (Text(log), Text(inquiry)) = (row.get(0)?, row.get(1)?);
                Ok((log, inquiry))
            })?;
            rows.collect()
        })
    }

    /// `until`: as it was at this position of `community`; absent: now.
    pub fn customer(
        &self,
        store: &dyn EventStore,
        id: CustomerId,
        until: Option<Seq>,
    ) -> Result<Option<CustomerRow>, HistoryError> {
        let (id, until) = (id.to_string(), until.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX)));
        let found = self.read("reading a customer", |db| {
            let sql = "SELECT at FROM customer WHERE id = ?1 AND seq <= ?2 ORDER BY seq LIMIT 1";
            let since = db.prepare_cached(sql)?.query_row((&id, until), |row| row.get(0)).optional()?;
            let sql = "SELECT seq FROM customer WHERE id = ?1 AND seq <= ?2 AND profile ORDER BY seq DESC LIMIT 1";
            let profile = db.prepare_cached(sql)?.query_row((&id, until), |row| row.get(0)).optional()?;
            Ok(since.map(|since| (Timestamp(since), profile)))
        })?;
        let Some((since, given_at)) = found else { return Ok(None) };
        let profile = match given_at {
            Some(Whole(seq)) => profile_at(store, seq)?,
            None => None,
        };
        Ok(Some(CustomerRow { since, profile }))
    }
}

fn profile_at(store: &dyn EventStore, seq: Seq) -> Result<Option<Sealed>, HistoryError> {
    let log = LogName::community();
    let Some(raw) = store.read_at(&log, &[seq])?.pop() else { return Ok(None) };
    let Event::Offer(OfferEvent::Accepted(e)) = Recorded::open(&log, raw)?.event else { return Ok(None) };
    Ok(e.profile)
}
