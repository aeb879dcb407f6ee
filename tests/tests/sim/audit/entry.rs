//! A stored event as the auditor reads it: plain JSON. A member that is missing or of another kind is a
//! panic with its name: then the shape has changed, and the auditor must learn it.

use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Entry {
    pub log: String,
    pub seq: u64,
    /// In microseconds.
    pub time: i64,
    pub kind: String,
    pub role: String,
    /// Whoever asked; absent: nobody with a name.
    pub actor: Option<String>,
    /// Hash, fingerprint, number of events.
    pub key: Option<(String, String, u64)>,
    /// The command.
    pub id: String,
    /// Log, position, hash.
    pub source: Option<(String, u64, String)>,
    pub subjects: Vec<String>,
    pub hash: [u8; 32],
    pub data: Value,
}

/// Whole thousandths of a currency's unit.
pub type Amount = i128;

impl Entry {
    pub fn text(&self, name: &str) -> &str {
        text(&self.data, name)
    }
    pub fn text_if(&self, name: &str) -> Option<&str> {
        self.data.get(name).map(|value| value.as_str().expect("a text"))
    }
    pub fn int(&self, name: &str) -> i64 {
        int(&self.data, name)
    }
    pub fn int_if(&self, name: &str) -> Option<i64> {
        self.data.get(name).map(|value| value.as_i64().expect("a number"))
    }
    pub fn money(&self, name: &str) -> (Amount, &str) {
        money(&self.data[name])
    }
    pub fn money_if(&self, name: &str) -> Option<(Amount, &str)> {
        self.data.get(name).map(money)
    }
    /// `{"agent": "agt_…"}` is `agt_…`.
    pub fn party(&self, name: &str) -> &str {
        let party = self.data[name].as_object().expect("a party");
        party.values().next().and_then(Value::as_str).expect("a party's id")
    }
    pub fn is(&self, kind: &str) -> bool {
        self.kind.strip_suffix(".v1") == Some(kind)
    }
    /// A deadline made it, and nobody's command.
    pub fn is_tick(&self) -> bool {
        let reported = self.is("agent.presence_reported") && self.data.get("node").is_some();
        let of_a_sender = self.kind.starts_with("webhook.");
        self.role == "SYSTEM" && self.source.is_none() && !reported && !of_a_sender
    }
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name} in {value}"))
}
pub fn int(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number {name} in {value}"))
}
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
pub fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    list(value, name).iter().map(|one| one.as_str().expect("a text")).collect()
}

/// The smallest amount of a currency.
pub fn smallest(currency: &str) -> Amount {
    10i128.pow(3 - decimals(currency))
}
fn decimals(currency: &str) -> u32 {
    match currency {
        "EUR" => 2,
        "JPY" => 0,
        "KWD" => 3,
        other => panic!("the days know no {other}"),
    }
}

/// An amount must have exactly its currency's decimals.
pub fn amount(text: &str, currency: &str) -> Amount {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert_eq!(fraction.len(), decimals(currency) as usize, "{text} {currency} has its currency's decimals");
    let digits: Amount = format!("{whole}{fraction}").parse().expect("digits");
    digits * smallest(currency)
}
pub fn money(value: &Value) -> (Amount, &str) {
    let currency = text(value, "currency");
    (amount(text(value, "amount"), currency), currency)
}

/// The events of one command stand together.
pub fn groups(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|a, b| a.id == b.id)
}
