//! Amounts: `Decimal` as the wire has it, and money in a currency.
//!
//! Promises checked: what is taken has the contract's shape, is the number its digits say and prints back to it; two
//! texts of one value make one money, which prints at its currency's exponent and reads back as itself; what the
//! scalar refuses is no money either.
//!
//! Not here: sums, which the domain's property tests have.

#![no_main]

use api::graphql::scalars::Decimal;
use async_graphql::{ScalarType, Value};
use domain::money::Money;
use libfuzzer_sys::fuzz_target;

/// Of each exponent there is.
const CURRENCIES: [(&str, usize); 4] = [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4)];

fuzz_target!(|text: &str| {
    let read = |text: &str| Decimal::parse(Value::String(text.to_owned())).ok();
    let taken = read(text);
    assert_eq!(taken.is_some(), Decimal::is_valid(&Value::String(text.to_owned())), "two checks, one answer");
    if let Some(decimal) = taken {
        assert!(is_of_form(text), "{text:?} was taken");
        let Value::String(printed) = decimal.to_value() else { panic!("a decimal is a string") };
        assert_eq!(printed, text, "digits were lost or gained");
    }
    for (code, exponent) in CURRENCIES {
        let currency = code.parse().expect("a current currency");
        let Ok(money) = Money::parse(text, currency) else {
            // Whatever has few enough digits is money.
            let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            assert!(taken.is_none() || fraction > exponent, "{text:?} is no {code}");
            continue;
        };
        // Minus nought is the one text that money takes and the scalar does not.
        assert!(taken.is_some() || money.amount().is_zero(), "{text:?} is {money:?} and no decimal");
        let printed = money.amount().to_string();
        assert_eq!(printed.split_once('.').map_or(0, |(_, fraction)| fraction.len()), exponent, "{printed}");
        assert_eq!(Money::parse(&printed, currency), Ok(money));
        assert_eq!(money.amount(), taken.map_or_else(Default::default, |decimal| decimal.0));
        assert!(!money.amount().is_zero() || !printed.starts_with('-'));
    }
});

/// The contract's words, without its code.
fn is_of_form(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let mut parts = unsigned.split('.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    let digits = |part: &str| !part.is_empty() && part.chars().all(|digit| ('0'..='9').contains(&digit));
    parts.next().is_none() && digits(whole) && fraction.is_none_or(digits) && (whole == "0" || !whole.starts_with('0'))
}
