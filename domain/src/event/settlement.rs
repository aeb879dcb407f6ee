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
    Released(SettlementReleased),
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
