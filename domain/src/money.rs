//! Money: an exact amount at the currency's ISO 4217 exponent. No `Ord` and no `Add`: two
//! currencies have neither order nor sum, so whatever could meet two returns a `Result`.

use crate::currency::Currency;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// An amount in one currency, with exactly the currency's decimals. May be negative (balances,
/// postings); what must not be is checked where it enters. JSON:
/// `{"amount":"19.99","currency":"EUR"}`, never a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// Why an amount is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not `-?digits[.digits]` with at most 18 digits before the point and no needless zero.
    Malformed,
    /// More decimals than the currency has.
    Scale {
        exponent: u32,
    },
    CurrencyMismatch,
    Overflow,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoneyError::Malformed => {
                f.write_str("an amount is a string such as \"19.99\" with at most 18 digits before the point")
            }
            MoneyError::Scale { exponent } => write!(f, "the currency has {exponent} decimals"),
            MoneyError::CurrencyMismatch => f.write_str("the currencies differ"),
            MoneyError::Overflow => f.write_str("the amount is too large"),
        }
    }
}
impl std::error::Error for MoneyError {}

/// The order of two amounts. Of one currency they have one scale, and then their digits decide.
pub fn order(a: Decimal, b: Decimal) -> Ordering {
    if a.scale() == b.scale() { a.mantissa().cmp(&b.mantissa()) } else { a.cmp(&b) }
}

/// Digits before the point.
const INTEGER_DIGITS_MAX: usize = 18;

impl Money {
    /// Reads the wire form: `-?digits[.digits]`, padded to the currency's exponent. rust_decimal alone
    /// would take `+1`, `1_000`, `.5` and `5.`, so the shape is checked first.
    pub fn parse(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::Malformed),
            None => (unsigned, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > INTEGER_DIGITS_MAX || !digits(whole) || !digits(fraction) {
            return Err(MoneyError::Malformed);
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(MoneyError::Malformed);
        }
        if fraction.len() > currency.exponent() as usize {
            return Err(MoneyError::Scale { exponent: currency.exponent() });
        }
        let amount = Decimal::from_str_exact(text).map_err(|_| MoneyError::Malformed)?;
        Money::new(amount, currency)
    }

    /// Errors: `Scale` where the amount has more decimals than the currency; `Overflow`.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Money, MoneyError> {
        let exponent = currency.exponent();
        if amount.scale() == exponent && !amount.is_zero() {
            return Ok(Money { amount, currency });
        }
        let mut exact = amount;
        exact.rescale(exponent);
        if exact != amount {
            return Err(MoneyError::Scale { exponent });
        }
        if exact.scale() != exponent {
            return Err(MoneyError::Overflow);
        }
        // Zero has no sign: "-0.00" and "0.00" must be one value and one text.
        if exact.is_zero() {
            exact.set_sign_positive(true);
        }
        Ok(Money { amount: exact, currency })
    }

    pub fn zero(currency: Currency) -> Money {
        Money { amount: Decimal::new(0, currency.exponent()), currency }
    }
    /// The smallest positive amount: 0.01 of EUR, 1 of JPY.
    pub fn smallest(currency: Currency) -> Money {
        Money { amount: Decimal::new(1, currency.exponent()), currency }
    }
    /// In smallest units: 1999 for 19.99 EUR.
    pub fn units(self) -> i128 {
        self.amount.mantissa()
    }
    /// The other way round. At most 2^96 units, which no amount within its bounds comes near.
    pub fn of_units(units: i128, currency: Currency) -> Money {
        Money { amount: Decimal::from_i128_with_scale(units, currency.exponent()), currency }
    }
    pub fn amount(self) -> Decimal {
        self.amount
    }
    pub fn currency(self) -> Currency {
        self.currency
    }
    pub fn is_positive(self) -> bool {
        self.amount.is_sign_positive() && !self.amount.is_zero()
    }
    pub fn is_negative(self) -> bool {
        self.amount.is_sign_negative()
    }

    /// Errors: `CurrencyMismatch`, `Overflow`. Never wraps, never rounds.
    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Money::new(amount, self.currency)
    }
    /// Errors: `CurrencyMismatch`, `Overflow`.
    pub fn minus(self, other: Money) -> Result<Money, MoneyError> {
        self.plus(other.negated())
    }
    pub fn negated(self) -> Money {
        let amount = if self.amount.is_zero() { self.amount } else { -self.amount };
        Money { amount, ..self }
    }
    /// Errors: `CurrencyMismatch`.
    pub fn compare(self, other: Money) -> Result<Ordering, MoneyError> {
        self.same_currency(other)?;
        Ok(order(self.amount, other.amount))
    }
    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::CurrencyMismatch) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur(text: &str) -> Result<Money, MoneyError> {
        Money::parse(text, "EUR".parse().unwrap())
    }

    #[test]
    fn amounts_read_and_print_at_the_exponent() {
        for (given, printed) in [
            ("0", "0.00"),
            ("-0.0", "0.00"),
            ("1.5", "1.50"),
            ("-19.99", "-19.99"),
            ("999999999999999999.99", "999999999999999999.99"),
        ] {
            assert_eq!(eur(given).unwrap().amount().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_amount() {
        for text in [
            "",
            "-",
            "+1",
            "1_000",
            ".5",
            "5.",
            "1e3",
            "01",
            "NaN",
            "1,5",
            " 1",
            "٣",
            "1000000000000000000",
            "--1",
            "1.-5",
        ] {
            assert_eq!(eur(text), Err(MoneyError::Malformed), "{text}");
        }
        assert_eq!(eur("1.005"), Err(MoneyError::Scale { exponent: 2 }));
        assert_eq!(Money::parse("1.0", "JPY".parse().unwrap()), Err(MoneyError::Scale { exponent: 0 }));
    }

    proptest! {
        #[test]
        fn digits_decide_where_scales_are_equal(a: i64, b: i64, scales in (0u32..4, 0u32..4)) {
            let (a, b) = (Decimal::new(a, scales.0), Decimal::new(b, scales.1));
            prop_assert_eq!(order(a, b), a.cmp(&b));
        }
    }

    proptest! {
        #[test]
        fn sums_are_exact(a in -10_000_000_000i64..10_000_000_000, b in -10_000_000_000i64..10_000_000_000) {
            let currency: Currency = "EUR".parse().unwrap();
            let money = |cents: i64| Money::new(Decimal::new(cents, 2), currency).unwrap();
            prop_assert_eq!(money(a).plus(money(b)), Ok(money(a + b)));
            prop_assert_eq!(money(a).minus(money(b)), Ok(money(a - b)));
            prop_assert_eq!(money(a).plus(Money::zero("USD".parse().unwrap())), Err(MoneyError::CurrencyMismatch));
        }
    }
}
