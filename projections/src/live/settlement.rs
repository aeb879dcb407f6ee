//! The money of one inquiry: the settlement's row and the legs of its events as postings.

use super::error::Misfit;
use domain::event::settlement::{Leg, SettlementEscrowed, SettlementEvent};
use domain::event::wallet::Party;
use domain::ids::{BidId, EventId, InquiryId, PostingId, SettlementId};
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::terms::Direction;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::chain;
use store::raw::Hash;
use store::recorded::Recorded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SettlementState {
    Escrowed,
    Pending,
    Payable,
    /// All of it was given back.
    Refunded,
    Released,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementRow {
    pub id: SettlementId,
    /// The call server's log.
    pub log: LogName,
    pub seq: Seq,
    pub inquiry: InquiryId,
    pub bid: Option<BidId>,
    pub state: SettlementState,
    /// Of the last change of state.
    pub at: Timestamp,
    pub escrowed_at: Timestamp,
    /// When the return window ends; known from PENDING on.
    pub payable_at: Option<Timestamp>,
    pub price: Money,
    /// What of it was not given back.
    pub left: Money,
    pub direction: Direction,
    pub payer: Party,
    pub payee: Party,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostingRow {
    pub id: PostingId,
    /// The event whose legs sum to zero.
    pub transaction: EventId,
    pub at: Timestamp,
    /// The path in the chart of accounts.
    pub account: Arc<str>,
    /// Debit positive, credit negative.
    pub amount: Money,
    pub rule: Arc<str>,
    /// 0 for the transaction's first.
    pub leg: u32,
    pub seq: Seq,
}

/// The id of one leg's posting: 122 bits of SHA-256(event hash ‖ rule ‖ leg as 32 bytes, big-endian), so
/// that every view of the same log gives it the same one.
pub fn posting_id(event: &Hash, rule: &str, leg: u32) -> PostingId {
    let mut place = [0; 32];
    place[28..].copy_from_slice(&leg.to_be_bytes());
    PostingId(chain::event_id(&chain::event_hash(event, rule.as_bytes(), &place)))
}

/// A settlement and its postings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    row: SettlementRow,
    postings: Vec<PostingRow>,
}

impl Settlement {
    pub fn row(&self) -> &SettlementRow {
        &self.row
    }
    /// In order of recording.
    pub fn postings(&self) -> &[PostingRow] {
        &self.postings
    }

    pub(super) fn escrow(e: &SettlementEscrowed, recorded: &Recorded) -> Settlement {
        let row = SettlementRow {
            id: e.settlement,
            log: recorded.log.clone(),
            seq: recorded.seq,
            inquiry: e.inquiry,
            bid: e.bid,
            state: SettlementState::Escrowed,
            at: recorded.time,
            escrowed_at: recorded.time,
            payable_at: None,
            price: e.price,
            left: e.price,
            direction: e.direction,
            payer: e.payer,
            payee: e.payee,
        };
        let mut settlement = Settlement { row, postings: Vec::new() };
        settlement.post(&e.legs, recorded);
        settlement
    }

    /// Everything after the escrow.
    pub(super) fn apply(&mut self, event: &SettlementEvent, recorded: &Recorded) -> Result<(), Misfit> {
        let (state, legs) = match event {
            SettlementEvent::Escrowed(e) => return Err(Misfit::Twice(e.settlement.into())),
            SettlementEvent::Pending(e) => {
                self.row.payable_at = Some(e.payable_at);
                (SettlementState::Pending, &e.legs)
            }
            SettlementEvent::Refunded(e) => {
                self.row.left = e.left;
                let is_over = e.left.amount().is_zero();
                (if is_over { SettlementState::Refunded } else { SettlementState::Pending }, &e.legs)
            }
            SettlementEvent::Payable(e) => (SettlementState::Payable, &e.legs),
            SettlementEvent::Released(e) => (SettlementState::Released, &e.legs),
        };
        self.row.state = state;
        self.row.at = recorded.time;
        self.row.seq = recorded.seq;
        self.post(legs, recorded);
        Ok(())
    }

    fn post(&mut self, legs: &[Leg], recorded: &Recorded) {
        self.postings.extend((0..).zip(legs).map(|(number, leg)| PostingRow {
            id: posting_id(&recorded.raw.hash, &leg.rule, number),
            transaction: recorded.id,
            at: recorded.time,
            account: leg.account.as_str().into(),
            amount: leg.amount,
            rule: leg.rule.as_str().into(),
            leg: number,
            seq: recorded.seq,
        }));
    }
}
