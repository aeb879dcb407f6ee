//! Amounts with their currency, at its exponent.

use crate::graphql::scalars::{CurrencyCode, Decimal};
use async_graphql::SimpleObject;
use domain::currency::Currency;

#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: CurrencyCode,
}

impl From<domain::money::Money> for Money {
    fn from(money: domain::money::Money) -> Money {
        Money { amount: Decimal(money.amount()), currency: CurrencyCode(money.currency().to_string()) }
    }
}

impl Money {
    /// An amount of a rule, which the domain keeps at the exponent of the rule's currency.
    pub(crate) fn of(amount: rust_decimal::Decimal, currency: Currency) -> Money {
        Money { amount: at_exponent(amount, currency), currency: CurrencyCode(currency.to_string()) }
    }
}

/// Padded to the currency's exponent.
pub(crate) fn at_exponent(mut amount: rust_decimal::Decimal, currency: Currency) -> Decimal {
    amount.rescale(currency.exponent());
    Decimal(amount)
}
