//! Events of settlements: the money of one inquiry. They carry their legs as facts; the books take their
//! order from the treasury.

use crate::event::wallet::Party;
use crate::ids::{AgentId, BidId, InquiryId, SettlementId};
use crate::money::Money;
use crate::terms::Direction;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettlementEvent {
    Escrowed(SettlementEscrowed),
    Pending(SettlementPending),
    Payable(SettlementPayable),
    Refunded(SettlementRefunded),
    Released(SettlementReleased),
}

/// What the house takes of a price, and the tax on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    pub commission: Money,
    /// The rule's.
    pub number: u32,
    pub tax: Money,
}

/// Why a payer has its money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundReason {
    /// The other side was not there.
    NoShow,
    /// It was about something else than what was offered or asked.
    WrongTopic,
    /// The same matter was paid before.
    Duplicate,
    PoorQuality,
    Goodwill,
}

/// One line of a transaction: debit positive, credit negative. The legs of one event sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The path in the chart of accounts, such as `liabilities:agent:agt_…:wallet`.
    pub account: String,
    pub amount: Money,
    /// The rule and its version, such as `escrow/1`.
    pub rule: String,
}

/// At consent: the price leaves the payer's wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementEscrowed {
    /// Who assists: payer (FORWARD) or payee (REVERSE).
    pub agent: AgentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<BidId>,
    pub direction: Direction,
    /// The number of the fee rule that is in force; absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_rule: Option<u32>,
    pub inquiry: InquiryId,
    pub legs: Vec<Leg>,
    pub payee: Party,
    pub payer: Party,
    pub price: Money,
    pub settlement: SettlementId,
}

/// At completion: the payee's, inside the return window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementPending {
    /// Who assists: payer (FORWARD) or payee (REVERSE).
    pub agent: AgentId,
    /// Absent where no fee rule was in force at the consent. The payee has the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Fee>,
    pub inquiry: InquiryId,
    pub legs: Vec<Leg>,
    pub payable_at: Timestamp,
    pub payee: Party,
    pub settlement: SettlementId,
}

/// The return window is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementPayable {
    /// Who assists: payer (FORWARD) or payee (REVERSE).
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub legs: Vec<Leg>,
    pub payee: Party,
    pub settlement: SettlementId,
}

/// Inside the return window: back to the payer, a share of it from each who has a share of the price. A refund of all
/// that is left ends the settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementRefunded {
    /// Who assists: payer (FORWARD) or payee (REVERSE).
    pub agent: AgentId,
    pub amount: Money,
    /// Of the credit note, from 1 without gaps in this log.
    pub credit_note: u64,
    /// What the house gives back of its fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Fee>,
    pub inquiry: InquiryId,
    /// Of the price, what was not given back now or before.
    pub left: Money,
    pub legs: Vec<Leg>,
    pub payer: Party,
    pub reason: RefundReason,
    pub settlement: SettlementId,
}

/// Nothing came of it: back to the payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementReleased {
    /// Who assists: payer (FORWARD) or payee (REVERSE).
    pub agent: AgentId,
    pub inquiry: InquiryId,
    pub legs: Vec<Leg>,
    pub payer: Party,
    pub settlement: SettlementId,
}
