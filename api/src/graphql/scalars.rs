//! The scalars of the contract: what is taken, what is given, and that nothing else is taken.
//!
//! Promises: what is given reads back as the same value; JSON numbers are never money, positions or
//! times; [`is_valid`] and the scalars' own `parse` agree, so a value that passed the transport's check of
//! the variables cannot fail later.
//!
//! Not here: which currencies there are and how many decimals they have (the domain), and what stands in a
//! cursor.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use domain::time::{Span, Timestamp};
use std::fmt;

/// A decimal as the wire has it. Any scale: a currency's exponent is the domain's to check and to pad to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub rust_decimal::Decimal);

/// Three upper-case letters; whether they are a current currency is the domain's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub String);

/// An instant, in microseconds as the domain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// A length of time, in microseconds as the domain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub Span);

/// A position in one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq(pub u64);

/// What [`crate::cursor`] made, unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A JSON value with its members in the order they came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub Value);

impl Json {
    /// From JSON text, as an event holds its data. Errors where the text is not JSON.
    pub fn from_text(text: &str) -> serde_json::Result<Json> {
        serde_json::from_str(text).map(Json)
    }

    /// JSON text again, for a command to carry.
    pub fn to_text(&self) -> String {
        serde_json::to_string(&self.0).expect("a value read from JSON or GraphQL can be written as JSON")
    }
}

/// What a text scalar says of itself when it refuses.
trait TextScalar: Sized {
    const FORM: &'static str;
    fn read(text: &str) -> Option<Self>;
}

fn parse<T: TextScalar + async_graphql::InputType>(value: Value) -> InputValueResult<T> {
    match &value {
        Value::String(text) => T::read(text).ok_or_else(|| InputValueError::custom(T::FORM)),
        // Names the type and shows the value: `Expected input type "Decimal", found 1.5.`
        _ => Err(InputValueError::expected_type(value)),
    }
}

fn fits<T: TextScalar>(value: &Value) -> bool {
    matches!(value, Value::String(text) if T::read(text).is_some())
}

/// Whether the scalar of this name takes the value; none for a name that is not of this file.
pub fn is_valid(name: &str, value: &Value) -> Option<bool> {
    Some(match name {
        "Decimal" => fits::<Decimal>(value),
        "CurrencyCode" => fits::<CurrencyCode>(value),
        "DateTime" => fits::<DateTime>(value),
        "Duration" => fits::<Duration>(value),
        "Seq" => fits::<Seq>(value),
        "Cursor" => fits::<Cursor>(value),
        "JSON" => true,
        _ => return None,
    })
}

impl TextScalar for Decimal {
    const FORM: &'static str = "a decimal string like \"-12.50\" is needed";

    /// `^-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?$`, no negative zero, at most the 28 digits that are kept exactly.
    fn read(text: &str) -> Option<Decimal> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let whole_fits = digits(whole) && whole.len() <= 18 && (whole.len() == 1 || !whole.starts_with('0'));
        if !whole_fits || !fraction.is_none_or(digits) {
            return None;
        }
        let value = rust_decimal::Decimal::from_str_exact(text).ok()?;
        (!(value.is_zero() && text.starts_with('-'))).then_some(Decimal(value))
    }
}

impl TextScalar for CurrencyCode {
    const FORM: &'static str = "three upper-case letters are needed, like \"EUR\"";

    fn read(text: &str) -> Option<CurrencyCode> {
        let fits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        fits.then(|| CurrencyCode(text.to_owned()))
    }
}

impl TextScalar for DateTime {
    const FORM: &'static str = "an instant in UTC is needed, like \"2026-11-22T01:23:45.678901Z\"";

    /// RFC 3339 with `Z` (or `+00:00`) and at most six decimals; no leap seconds, no lower case.
    fn read(text: &str) -> Option<DateTime> {
        let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
        let (seconds, fraction) = match local.split_once('.') {
            Some((seconds, fraction)) => (seconds, Some(fraction)),
            None => (local, None),
        };
        let shape = seconds.len() == 19
            && seconds.bytes().zip(*b"0000-00-00T00:00:00").all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                mark => byte == mark,
            });
        let fraction_fits = fraction.is_none_or(|fraction| digits(fraction) && fraction.len() <= 6);
        // The library clamps a leap second; an instant that is not in the log's time is refused instead.
        if !shape || !fraction_fits || seconds.ends_with("60") {
            return None;
        }
        let local: jiff::civil::DateTime = local.parse().ok()?;
        let instant = jiff::tz::Offset::UTC.to_timestamp(local).ok()?;
        Some(DateTime(Timestamp(instant.as_microsecond())))
    }
}

impl fmt::Display for DateTime {
    /// Canonical: `Z`, as many decimals as are needed. Instants past the year 9999 are shown as its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.0.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_microsecond(self.0.0).unwrap_or(end).fmt(f)
    }
}

impl TextScalar for Duration {
    const FORM: &'static str = "a duration of days and below is needed, like \"P7D\" or \"PT20S\"";

    /// `PnDTnHnMnS`, each part optional, at least one there; decimals in the seconds alone, at most six.
    fn read(text: &str) -> Option<Duration> {
        let rest = text.strip_prefix('P')?;
        let (days, clock) = match rest.split_once('T') {
            Some((_, "")) => return None,
            Some((days, clock)) => (days, clock),
            None => (rest, ""),
        };
        if rest.is_empty() {
            return None;
        }
        let mut micros: i64 = 0;
        let mut add = |count: &str, unit_micros: i64| -> Option<()> {
            if !digits(count) {
                return None;
            }
            let part = count.parse::<i64>().ok()?.checked_mul(unit_micros)?;
            micros = micros.checked_add(part)?;
            Some(())
        };
        if !days.is_empty() {
            add(days.strip_suffix('D')?, DAY)?;
        }
        let mut rest = clock;
        for (unit, unit_micros) in [('H', HOUR), ('M', MINUTE)] {
            if let Some((count, after)) = rest.split_once(unit) {
                add(count, unit_micros)?;
                rest = after;
            }
        }
        if !rest.is_empty() {
            let seconds = rest.strip_suffix('S')?;
            let (whole, fraction) = match seconds.split_once('.') {
                Some((_, fraction)) if !digits(fraction) || fraction.len() > 6 => return None,
                Some((whole, fraction)) => (whole, fraction),
                None => (seconds, ""),
            };
            add(whole, SECOND)?;
            add(&format!("{fraction:0<6}"), 1)?;
        }
        Some(Duration(Span(micros)))
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl fmt::Display for Duration {
    /// Canonical: largest units first, none that is zero, `PT0S` for nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.0.max(0);
        let (days, hours, minutes) = (micros / DAY, micros % DAY / HOUR, micros % HOUR / MINUTE);
        let (seconds, fraction) = (micros % MINUTE / SECOND, micros % SECOND);
        f.write_str("P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if micros % DAY > 0 || micros == 0 {
            f.write_str("T")?;
        }
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}M")?;
        }
        if fraction > 0 {
            let decimals = format!("{fraction:06}");
            write!(f, "{seconds}.{}S", decimals.trim_end_matches('0'))?;
        } else if seconds > 0 || micros == 0 {
            write!(f, "{seconds}S")?;
        }
        Ok(())
    }
}

impl TextScalar for Seq {
    const FORM: &'static str = "a position is needed, as a decimal string like \"42\"";

    /// One text per position: no sign, no leading zero.
    fn read(text: &str) -> Option<Seq> {
        let canonical = digits(text) && (text.len() == 1 || !text.starts_with('0'));
        canonical.then(|| text.parse().ok().map(Seq)).flatten()
    }
}

impl TextScalar for Cursor {
    const FORM: &'static str = "a cursor as it was given is needed";

    fn read(text: &str) -> Option<Cursor> {
        let fits = (1..=crate::cursor::CURSOR_CHARACTERS_MAX).contains(&text.len()) && text.is_ascii();
        fits.then(|| Cursor(text.to_owned()))
    }
}

/// At least one, and nothing but ASCII digits.
fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decimal string `-?digits[.digits]`; JSON numbers, exponents, `+`, `_`, `.5`, `5.` are refused. Output is padded to the currency's ISO 4217 exponent.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Decimal> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<Decimal>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// ISO 4217 alphabetic code, upper case, current codes only.
#[Scalar(name = "CurrencyCode")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<CurrencyCode> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<CurrencyCode>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// RFC 3339 instant in UTC, at most microseconds.
#[Scalar(name = "DateTime")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<DateTime> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<DateTime>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// ISO 8601 duration of days and below: PT0S, PT20S, P7D. Not negative; zero only where the field says so.
#[Scalar(name = "Duration")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Duration> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<Duration>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// Position in one log, unsigned 64-bit, as a decimal string.
#[Scalar(name = "Seq")]
impl ScalarType for Seq {
    fn parse(value: Value) -> InputValueResult<Seq> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<Seq>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Opaque, versioned; bound to its connection and filter.
#[Scalar(name = "Cursor")]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Cursor> {
        parse(value)
    }
    fn is_valid(value: &Value) -> bool {
        fits::<Cursor>(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value; money inside it is strings.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Json> {
        Ok(Json(value))
    }
    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<T: ScalarType>(text: &str) -> Option<T> {
        let value = Value::String(text.to_owned());
        let parsed = T::parse(value.clone()).ok();
        assert_eq!(parsed.is_some(), T::is_valid(&value), "is_valid and parse agree on {text:?}");
        parsed
    }

    fn write<T: ScalarType>(scalar: &T) -> String {
        match scalar.to_value() {
            Value::String(text) => text,
            other => panic!("not a string: {other}"),
        }
    }

    proptest! {
        #[test]
        fn decimals_read_back_digit_by_digit(sign in prop::sample::select(vec!["", "-"]), whole in 0u64..=999_999_999_999_999_999, fraction in "[0-9]{0,10}") {
            let dot = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{whole}{dot}{fraction}");
            match read::<Decimal>(&text) {
                Some(value) => prop_assert_eq!(write(&value), text),
                None => prop_assert!(text.starts_with('-') && text.bytes().all(|byte| b"-0.".contains(&byte)), "{}", text),
            }
        }

        #[test]
        fn instants_read_back(micros in -62_135_596_800_000_000i64..=253_402_207_199_999_999) {
            let text = write(&DateTime(Timestamp(micros)));
            prop_assert_eq!(read::<DateTime>(&text), Some(DateTime(Timestamp(micros))), "{}", text);
        }

        #[test]
        fn durations_read_back(micros in 0i64..=i64::MAX) {
            let text = write(&Duration(Span(micros)));
            prop_assert_eq!(read::<Duration>(&text), Some(Duration(Span(micros))), "{}", text);
        }

        #[test]
        fn positions_read_back(seq: u64) {
            prop_assert_eq!(read::<Seq>(&seq.to_string()), Some(Seq(seq)));
        }

        #[test]
        fn no_text_breaks_a_reader(text: String) {
            for (name, value) in [("Decimal", read::<Decimal>(&text).map(|v| write(&v))), ("Seq", read::<Seq>(&text).map(|v| write(&v)))] {
                // What these two take they give back unchanged.
                if let Some(given) = value { prop_assert_eq!(&given, &text, "{}", name); }
            }
            read::<DateTime>(&text);
            read::<Duration>(&text);
            read::<CurrencyCode>(&text);
        }

        #[test]
        fn shapes_close_to_right_do_not_break_a_reader(text in "P?[0-9]{0,3}D?T?[0-9]{0,20}[HM]?[0-9.]{0,9}S?", instant in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,7})?Z") {
            if let Some(span) = read::<Duration>(&text) { prop_assert_eq!(read::<Duration>(&write(&span)), Some(span)); }
            if let Some(at) = read::<DateTime>(&instant) { prop_assert_eq!(read::<DateTime>(&write(&at)), Some(at)); }
        }
    }

    #[test]
    fn decimals_that_are_not_are_refused() {
        for bad in [
            "",
            "-",
            "+1",
            "1_000",
            ".5",
            "5.",
            "00",
            "01.5",
            "1e3",
            "1E3",
            " 1",
            "1 ",
            "1,5",
            "--1",
            "-0",
            "-0.00",
            "NaN",
            "Infinity",
            "٣",
            "１",
            "1.٣",
            "1000000000000000000",
            "0x10",
            "1.2.3",
            "1.-2",
            "0.00000000000000000000000000001",
            "1\n",
            "1\0",
        ] {
            assert_eq!(read::<Decimal>(bad), None, "{bad:?}");
        }
        for good in ["0", "0.00", "-1", "19.99", "999999999999999999", "123456789.123456789", "1.10"] {
            assert_eq!(write(&read::<Decimal>(good).unwrap()), good);
        }
    }

    #[test]
    fn numbers_are_refused_by_the_name_of_the_type() {
        let number = Value::from(1);
        let messages = [
            Decimal::parse(number.clone()).unwrap_err().into_server_error(Default::default()).message,
            Seq::parse(number.clone()).unwrap_err().into_server_error(Default::default()).message,
        ];
        assert_eq!(messages, [r#"Expected input type "Decimal", found 1."#, r#"Expected input type "Seq", found 1."#]);
        for name in ["Decimal", "CurrencyCode", "DateTime", "Duration", "Seq", "Cursor"] {
            for value in [number.clone(), Value::from(1.5), Value::from(true), Value::Null, Value::List(vec![])] {
                assert_eq!(is_valid(name, &value), Some(false), "{name} {value}");
            }
        }
        assert_eq!(is_valid("JSON", &number), Some(true));
        assert_eq!(is_valid("Stranger", &number), None);
    }

    #[test]
    fn instants_that_are_not_are_refused() {
        for bad in [
            "2026-11-22",
            "2026-11-22T01:02:03",
            "2026-11-22 01:02:03Z",
            "2026-11-22t01:02:03z",
            "2026-11-22T01:02:03+01:00",
            "2026-11-22T01:02:03-00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T23:59:60Z",
            "2026-11-22T01:02:03.Z",
            "2026-11-22T01:02:03.1234567Z",
            "2026-11-22T01:02Z",
            "-2026-11-22T01:02:03Z",
            "2026-11-22T01:02:03ZZ",
            "2026-11-22T01:02:03Z[UTC]",
            "",
        ] {
            assert_eq!(read::<DateTime>(bad), None, "{bad:?}");
        }
        let at = |text: &str| read::<DateTime>(text).unwrap().0.0;
        assert_eq!(at("1970-01-01T00:00:00Z"), 0);
        assert_eq!(at("1970-01-01T00:00:00.000001+00:00"), 1);
        assert_eq!(at("1969-12-31T23:59:59.999999Z"), -1);
        assert_eq!(at("2024-02-29T12:00:00.5Z"), 1_709_208_000_500_000);
        assert_eq!(write(&DateTime(Timestamp(1_709_208_000_500_000))), "2024-02-29T12:00:00.5Z");
        assert!(write(&DateTime(Timestamp(i64::MAX))).starts_with("9999-12-30T"));
    }

    #[test]
    fn durations_that_are_not_are_refused() {
        for bad in [
            "",
            "P",
            "PT",
            "P1DT",
            "P1W",
            "P1M",
            "P1Y",
            "-PT1S",
            "PT-1S",
            "+PT1S",
            "pt1s",
            "PT1s",
            "P1.5D",
            "PT1.5M",
            "PT.5S",
            "PT5.S",
            "PT1.1234567S",
            "PT1S1M",
            "PT1M1H",
            "P1H",
            "PT1D",
            "T1S",
            "1S",
            "PTS",
            "P9999999999999999999D",
            "P106751992D",
            "PT1S ",
            "PT1S1S",
            "PT1H1H",
        ] {
            assert_eq!(read::<Duration>(bad), None, "{bad:?}");
        }
        for (text, micros, canonical) in [
            ("PT0S", 0, "PT0S"),
            ("P0D", 0, "PT0S"),
            ("PT20S", 20 * SECOND, "PT20S"),
            ("PT60S", MINUTE, "PT1M"),
            ("P7D", 7 * DAY, "P7D"),
            ("PT36H", 36 * HOUR, "P1DT12H"),
            ("P1DT2H3M4.050000S", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND + 50_000, "P1DT2H3M4.05S"),
            ("PT0.000001S", 1, "PT0.000001S"),
        ] {
            let span = read::<Duration>(text).unwrap();
            assert_eq!((span.0.0, write(&span).as_str()), (micros, canonical));
        }
    }

    #[test]
    fn positions_and_currencies_that_are_not_are_refused() {
        for bad in ["", "-1", "+1", "01", "1.0", "18446744073709551616", "0x1", "١"] {
            assert_eq!(read::<Seq>(bad), None, "{bad:?}");
        }
        for bad in ["", "EU", "EURO", "eur", "E1R", "ÄÖ", " EUR"] {
            assert_eq!(read::<CurrencyCode>(bad), None, "{bad:?}");
        }
        assert_eq!(read::<CurrencyCode>("EUR").unwrap().0, "EUR");
        assert_eq!(read::<Cursor>(&"x".repeat(crate::cursor::CURSOR_CHARACTERS_MAX + 1)), None);
    }

    #[test]
    fn json_keeps_its_members_in_order() {
        let text = r#"{"z":1,"a":{"y":[true,null,"1.50"],"b":0.5}}"#;
        assert_eq!(Json::from_text(text).unwrap().to_text(), text);
        assert!(Json::from_text("{").is_err());
    }
}
