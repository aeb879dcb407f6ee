//! Postings: the legs of an event as rows, and one of them by its id, which is taken from a hash and tells
//! nothing of where it stands.
//!
//! Not here: lists of them (`lists`), and what they add up to (`live`).

use super::rows::{self, PostingRow};
use super::scope::scan_tails;
use super::{History, HistoryError};
use crate::live::settlement::posting_id;
use domain::event::Event;
use domain::event::settlement::{Leg, SettlementEvent};
use domain::event::wallet::WalletEvent;
use domain::ids::{AccountId, PostingId, SettlementId, Subject};
use rusqlite::OptionalExtension;
use std::ops::ControlFlow;
use store::backend::EventStore;
use store::recorded::Recorded;

impl PostingRow {
    /// What it belongs to: its settlement, or the account that was credited.
    pub fn home(&self) -> Option<Subject> {
        self.settlement.map(Subject::from).or(self.wallet.map(Subject::from))
    }
}

/// The rows of an event's legs, in their order; none where it moves no money.
pub(super) fn postings_of(e: &Recorded) -> Vec<PostingRow> {
    let Some((settlement, wallet, legs)) = legs_of(&e.event) else { return Vec::new() };
    let row = |(number, leg): (u32, &Leg)| PostingRow {
        id: posting_id(&e.raw.hash, &leg.rule, number),
        transaction: e.id,
        settlement,
        wallet,
        leg: number,
        at: e.time,
        account: leg.account.clone(),
        amount: leg.amount,
        rule: leg.rule.clone(),
        log: e.log.clone(),
        seq: e.seq,
    };
    (0..).zip(legs).map(row).collect()
}

/// Whose money an event moves, and how.
fn legs_of(event: &Event) -> Option<(Option<SettlementId>, Option<AccountId>, &[Leg])> {
    match event {
        Event::Wallet(WalletEvent::Credited(e)) => Some((None, Some(e.account), &e.legs)),
        Event::Wallet(WalletEvent::PayableNetted(e)) => Some((None, Some(e.account), &e.legs)),
        Event::Wallet(WalletEvent::PaidOut(e)) => Some((None, Some(e.account), &e.legs)),
        Event::Wallet(WalletEvent::PayoutReturned(e)) => Some((None, Some(e.account), &e.legs)),
        Event::Settlement(SettlementEvent::Escrowed(e)) => Some((Some(e.settlement), None, &e.legs)),
        Event::Settlement(SettlementEvent::Pending(e)) => Some((Some(e.settlement), None, &e.legs)),
        Event::Settlement(SettlementEvent::Payable(e)) => Some((Some(e.settlement), None, &e.legs)),
        Event::Settlement(SettlementEvent::Refunded(e)) => Some((Some(e.settlement), None, &e.legs)),
        Event::Settlement(SettlementEvent::Released(e)) => Some((Some(e.settlement), None, &e.legs)),
        Event::Wallet(WalletEvent::Opened(_) | WalletEvent::CreditLimitSet(_))
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}

impl History {
    /// The posting of this id, never behind: what is not folded in yet is read from the logs.
    pub fn posting(&self, store: &dyn EventStore, id: PostingId) -> Result<Option<PostingRow>, HistoryError> {
        // The rows first, since most ids are old. What they lacked then stands beyond these checkpoints.
        let known = self.checkpoints();
        let row = self.read("finding a posting", |db| {
            db.prepare_cached("SELECT * FROM posting WHERE id = ?1")?
                .query_row([id.to_string()], rows::posting)
                .optional()
        })?;
        let mut found = None;
        if row.is_none() {
            scan_tails(store, &known, |event| {
                found = postings_of(&event).into_iter().find(|row| row.id == id);
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(row.or(found))
    }
}
