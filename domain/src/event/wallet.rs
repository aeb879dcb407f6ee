//! Events of wallets: an owner's account in one currency on one call server.

use crate::event::settlement::Leg;
use crate::ids::{AccountId, AgentId, ProviderId, Subject};
use crate::money::Money;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEvent {
    Opened(WalletOpened),
    Credited(WalletCredited),
    CreditLimitSet(CreditLimitSet),
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
