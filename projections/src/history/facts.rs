//! Facts for `visibility` from the rows: for what is closed and in no live view any more.
//!
//! Rows may be a moment behind; then an auction that has just closed still counts as open, and one that
//! has just opened is unknown: both hide. So does a row that cannot be read, which is logged.

use super::rows::{AuctionState, Text};
use super::visibility::{AuctionFacts, Facts, InquiryFacts};
use super::{History, HistoryError};
use domain::ids::{AgentId, AuctionId, InquiryId, OfferId, ProviderId};
use rusqlite::OptionalExtension;

impl Facts for History {
    fn auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        let row = known(History::auction(self, id))?;
        Some(AuctionFacts { format: row.format, open: row.state == AuctionState::Open })
    }

    fn inquiry(&self, id: InquiryId) -> Option<InquiryFacts> {
        let row = known(History::inquiry(self, id))?;
        Some(InquiryFacts { provider: row.provider, customer: row.customer })
    }

    /// The rows do not tell those who were asked from those who consented, so nobody knows here.
    fn is_engaged(&self, _: InquiryId, _: AgentId) -> bool {
        false
    }

    fn provider_of(&self, offer: OfferId) -> Option<ProviderId> {
        let row = self.read("finding an offer's provider", |db| {
            db.prepare_cached("SELECT provider FROM offer WHERE id = ?1")?
                .query_row([offer.to_string()], |row| row.get::<_, Text<ProviderId>>(0))
                .optional()
        });
        known(row).map(|Text(provider)| provider)
    }
}

fn known<T>(row: Result<Option<T>, HistoryError>) -> Option<T> {
    row.unwrap_or_else(|error| {
        tracing::error!("a fact is unknown: {error}");
        None
    })
}
