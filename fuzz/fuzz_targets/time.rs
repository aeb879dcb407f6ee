//! Durations, instants, positions and currency codes: the other scalars that are read from text.
//!
//! Promises checked: what is taken prints in a canonical form that reads back as the same value and prints as itself;
//! the check of variables and the scalar agree; a duration is not negative.
//!
//! Not here: how long may be too long; fields say that.

#![no_main]

use api::graphql::scalars::{CurrencyCode, Cursor, DateTime, Duration, Seq, is_valid};
use async_graphql::{ScalarType, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    reads_back::<DateTime>("DateTime", text, |at| {
        assert!(at.0.0 >= DateTime::parse(Value::from("0000-01-01T00:00:00Z")).unwrap().0.0)
    });
    reads_back::<Duration>("Duration", text, |span| assert!(span.0.0 >= 0));
    reads_back::<Seq>("Seq", text, |seq| assert_eq!(seq.0.to_string(), text));
    reads_back::<CurrencyCode>("CurrencyCode", text, |code| assert_eq!(code.0, text));
    reads_back::<Cursor>("Cursor", text, |cursor| assert_eq!(cursor.0, text));
});

fn reads_back<T: ScalarType + PartialEq + std::fmt::Debug>(name: &str, text: &str, check: impl Fn(&T)) {
    let given = Value::String(text.to_owned());
    let read = T::parse(given.clone()).ok();
    assert_eq!(is_valid(name, &given), Some(read.is_some()), "{name} {text:?}: two checks, one answer");
    let Some(value) = read else {
        return;
    };
    check(&value);
    let canonical = value.to_value();
    let again = T::parse(canonical.clone()).unwrap_or_else(|_| panic!("{name}: {canonical} is given and not taken"));
    assert_eq!(again, value, "{name} {text:?} became {canonical}");
    assert_eq!(again.to_value(), canonical);
}
