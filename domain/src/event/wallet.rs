//! Events of wallets: an owner's account in one currency on one call server.

use crate::event::settlement::Leg;
use crate::ids::{AccountId, AgentId, PayoutId, ProviderId, Subject};
use crate::money::Money;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEvent {
    Opened(WalletOpened),
    Credited(WalletCredited),
    CreditLimitSet(CreditLimitSet),
    PayableNetted(PayableNetted),
    PaidOut(PaidOut),
    PayoutReturned(PayoutReturned),
}

/// Who can own a wallet or be party to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Agent(AgentId),
    Provider(ProviderId),
}

impl Party {
    pub fn subject(self) -> Subject {
        match self {
            Party::Agent(id) => id.into(),
            Party::Provider(id) => id.into(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletOpened {
    pub account: AccountId,
    /// How far below zero it may go; absent: without limit (a provider on account). Names the currency
    /// through `zero` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Money>,
    pub owner: Party,
    /// Zero in the account's currency.
    pub zero: Money,
}

/// Money came in from outside. The legs sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletCredited {
    pub account: AccountId,
    pub amount: Money,
    pub legs: Vec<Leg>,
    pub owner: Party,
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimitSet {
    pub account: AccountId,
    pub limit: Money,
    pub owner: Party,
}

/// What is payable to an owner pays what it owes. The legs sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayableNetted {
    pub account: AccountId,
    pub amount: Money,
    pub legs: Vec<Leg>,
    pub owner: Party,
}

/// What is payable to an owner is on its way to it. The legs sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidOut {
    pub account: AccountId,
    pub amount: Money,
    pub legs: Vec<Leg>,
    pub owner: Party,
    pub payout: PayoutId,
}

/// The bank sent it back: it is payable again. The legs sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutReturned {
    pub account: AccountId,
    pub amount: Money,
    pub legs: Vec<Leg>,
    pub owner: Party,
    pub payout: PayoutId,
    /// ISO 20022, ExternalReturnReason1Code: `AC04` is a closed account.
    pub reason: ReturnReason,
}

/// Four capital letters or digits, as the external code set has them; which of them mean something is the banks' to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReturnReason([u8; 4]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReason;

impl ReturnReason {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
impl FromStr for ReturnReason {
    type Err = NoReason;
    fn from_str(text: &str) -> Result<ReturnReason, NoReason> {
        let code: [u8; 4] = text.as_bytes().try_into().map_err(|_| NoReason)?;
        let is_code = code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if is_code { Ok(ReturnReason(code)) } else { Err(NoReason) }
    }
}
impl Serialize for ReturnReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for ReturnReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|NoReason| serde::de::Error::custom("no code of a return reason"))
    }
}
