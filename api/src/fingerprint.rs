//! What idempotency compares: an input's text, the same for inputs that certainly mean the same.
//!
//! The order of an object's members says nothing, and an amount of money is the same with fewer decimals of its
//! currency written out. Nothing else is made equal: nulls stay, because an update may take away with them what
//! an absent member leaves (an input that does not tell the two apart comes in with nulls for both); the order of
//! lists stays, and so does text that is no amount. Two inputs that mean the same in another way are told apart,
//! and the second is refused, which harms nobody.
//!
//! Not here: the hash, and which inputs are kept (`app`, the store's key window).

use async_graphql::{Name, Value};
use domain::currency::Currency;
use domain::money::Money;

pub(crate) fn canonical(input: &Value) -> String {
    let mut text = String::with_capacity(256);
    write(input, &mut text);
    text
}

/// As the library writes a value (fingerprints of running keys were taken of that), with its members in order.
fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => {
            let mut all: Vec<(&Name, &Value)> = members.iter().collect();
            all.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let padded = padded(&all);
            into.push('{');
            for (at, (name, member)) in all.into_iter().enumerate() {
                into.push_str(if at > 0 { ", " } else { "" });
                into.push_str(name);
                into.push_str(": ");
                match &padded {
                    Some(amount) if at == 0 => quote(amount, into),
                    _ => write(member, into),
                }
            }
            into.push('}');
        }
        Value::List(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                into.push_str(if at > 0 { ", " } else { "" });
                write(item, into);
            }
            into.push(']');
        }
        Value::String(text) => quote(text, into),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => {
            into.push_str(&value.to_string());
        }
    }
}

/// Text that needs no escape, as nearly all does, is copied; the library writes the rest.
fn quote(text: &str, into: &mut String) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        into.push('"');
        into.push_str(text);
        into.push('"');
    } else {
        into.push_str(&Value::String(text.to_owned()).to_string());
    }
}

/// `{amount, currency}` and nothing else is money, in free JSON too: the contract says how it is written there.
/// Its amount with all decimals of its currency. What is no amount of its currency stays as it came, and is
/// refused elsewhere.
fn padded(members: &[(&Name, &Value)]) -> Option<String> {
    let [(amount, Value::String(given)), (currency, Value::String(code))] = members else { return None };
    if (amount.as_str(), currency.as_str()) != ("amount", "currency") {
        return None;
    }
    let money = Money::parse(given, code.parse::<Currency>().ok()?).ok()?;
    Some(money.amount().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn text(input: &Json) -> String {
        canonical(&Value::from_json(input.clone()).unwrap())
    }
    fn money(amount: &str, currency: &str) -> Json {
        json!({ "amount": amount, "currency": currency })
    }
    fn read(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn it_is_the_librarys_text() {
        for input in [
            json!({}),
            json!([]),
            json!({ "a": [], "b": {}, "c": [1, -2.5, true, null, "x"] }),
            json!({ "text": "plain ~ text", "quoted": "say \"no\" \\ never", "lines": "a\r\n\tb", "bell": "\u{7}\u{7f}" }),
            json!({ "umlaut": "Größe", "emoji": "🐟", "next": "\u{85}" }),
        ] {
            let value = Value::from_json(input).unwrap();
            let mut sorted = value.clone();
            if let Value::Object(members) = &mut sorted {
                members.sort_keys();
            }
            assert_eq!(canonical(&value), sorted.to_string());
        }
        assert_eq!(canonical(&Value::Enum(Name::new("CLEAR"))), "CLEAR");
        assert_eq!(
            text(&json!({ "b": money("7", "EUR"), "a": 1 })),
            "{a: 1, b: {amount: \"7.00\", currency: \"EUR\"}}"
        );
    }

    #[test]
    fn inputs_that_mean_the_same_are_the_same() {
        for (one, other) in [
            (money("20.0", "EUR"), money("20.00", "EUR")),
            (money("20", "EUR"), money("20.00", "EUR")),
            (money("0", "EUR"), money("-0.0", "EUR")),
            (
                json!({ "list": [{ "limit": money("1.5", "KWD") }] }),
                json!({ "list": [{ "limit": money("1.500", "KWD") }] }),
            ),
            (read(r#"{"currency":"EUR","amount":"7"}"#), read(r#"{"amount":"7.00","currency":"EUR"}"#)),
            (
                read(r#"{"a":{"y":1,"x":[{"q":null,"p":2}]},"b":3}"#),
                read(r#"{"b":3,"a":{"x":[{"p":2,"q":null}],"y":1}}"#),
            ),
        ] {
            assert_eq!(text(&one), text(&other), "{one} and {other}");
        }
    }

    #[test]
    fn inputs_that_may_mean_something_else_are_not() {
        for (one, other) in [
            (money("20.00", "EUR"), money("20.01", "EUR")),
            (money("20.00", "EUR"), money("20.00", "USD")),
            (money("20.000", "EUR"), money("20.00", "EUR")),
            (money("20.0", "JPY"), money("20", "JPY")),
            (money("20.0", "ABC"), money("20", "ABC")),
            (money("+20", "EUR"), money("20", "EUR")),
            (
                json!({ "amount": "1.0", "currency": "EUR", "at": 1 }),
                json!({ "amount": "1.00", "currency": "EUR", "at": 1 }),
            ),
            (json!({ "text": "1.0" }), json!({ "text": "1.00" })),
            (json!({ "text": "1" }), json!({ "text": 1 })),
            (json!({ "text": null }), json!({})),
            (json!({ "list": ["a", "b"] }), json!({ "list": ["b", "a"] })),
            (json!({ "text": "null" }), json!({ "text": null })),
            (json!({ "text": "a\",b:\"c" }), json!({ "text": "a", "b": "c" })),
        ] {
            assert_ne!(text(&one), text(&other), "{one} and {other}");
        }
    }
}
