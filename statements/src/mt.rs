//! MT940 and MT942 (SWIFT, category 9), as banks write them: with or without SWIFT's blocks and banks' own envelopes
//! around the fields, lines broken at 65 letters wherever that falls, German structured `:86:`.
//!
//! Deliberately not here: national `:NS:` fields, and structures of `:86:` other than `?20`.

use crate::{Balance, Entry, Fault, Format, Place, Reference, State, Statement, amount, date};
use jiff::civil::Date;
use rust_decimal::Decimal;

/// A field: its tag, its lines, where it begins.
struct Field<'a> {
    line: usize,
    tag: &'a str,
    lines: Vec<&'a str>,
}

pub(crate) fn read(text: &str) -> Result<Vec<Statement>, Vec<Fault>> {
    let mut reader = Reader::default();
    for field in fields(text) {
        if let Err(what) = reader.take(&field) {
            reader.faults.push(Fault::new(Place::Line(field.line), format!(":{}: {what}", field.tag)));
        }
    }
    reader.end()
}

/// Fields in their order; an end mark is one with the tag `-`. Whatever stands outside of fields is an envelope.
fn fields(text: &str) -> Vec<Field<'_>> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let line = line.rfind("{4:").map_or(line, |block| &line[block + 3..]);
        let tagged = line.strip_prefix(':').and_then(|rest| rest.split_once(':')).filter(|(tag, _)| is_tag(tag));
        if let Some((tag, rest)) = tagged {
            fields.push(Field { line: at + 1, tag, lines: vec![rest] });
            open = true;
        } else if matches!(line.trim().trim_end_matches('X'), "-" | "-}") {
            fields.push(Field { line: at + 1, tag: "-", lines: vec![] });
            open = false;
        } else if let Some(field) = fields.last_mut().filter(|_| open) {
            field.lines.push(line);
        }
    }
    fields
}

fn is_tag(tag: &str) -> bool {
    let mut letters = tag.chars();
    let number = letters.by_ref().take(2).filter(char::is_ascii_digit).count() == 2;
    number && letters.as_str().len() <= 1 && letters.all(|c| c.is_ascii_uppercase()) || tag == "NS"
}

#[derive(Default)]
struct Reader {
    done: Vec<Statement>,
    /// The statement at hand.
    open: Option<Statement>,
    /// The next `:86:` belongs to the last entry.
    describes: bool,
    faults: Vec<Fault>,
}

impl Reader {
    fn take(&mut self, field: &Field<'_>) -> Result<(), String> {
        let place = Place::Line(field.line);
        let first = field.lines.first().copied().unwrap_or_default().trim();
        let describes = std::mem::take(&mut self.describes);
        match field.tag {
            "20" => self.begin(place),
            // A bank may leave `:20:` out.
            "25" | "25P" if self.open.as_ref().is_none_or(|one| one.closing.is_some()) => {
                self.begin(place);
                self.at_hand()?.account = first.to_owned();
            }
            "25" | "25P" => {
                let one = self.at_hand()?;
                if one.account.is_empty() {
                    one.account = first.to_owned();
                } else {
                    one.doubts.push(Fault::new(place, "a second account within one statement"));
                }
            }
            "28" | "28C" => self.at_hand()?.number = Some(first.to_owned()).filter(|number| !number.is_empty()),
            "60F" | "60M" | "62F" | "62M" => {
                let (currency, balance) = balance(first)?;
                let one = self.at_hand()?;
                if one.currency.get_or_insert_with(|| currency.to_owned()) != currency {
                    one.doubts.push(Fault::new(place.clone(), format!("a balance in {currency}")));
                }
                let side = if field.tag.starts_with("60") { &mut one.opening } else { &mut one.closing };
                if side.is_some() {
                    one.doubts.push(Fault::new(place, "a second balance of this kind"));
                } else {
                    *side = Some(balance);
                }
            }
            "61" => {
                let entry = entry(&field.lines, place.clone())?;
                let one = self.at_hand()?;
                if one.closing.is_some() {
                    one.doubts.push(Fault::new(place, "an entry behind the closing balance"));
                }
                one.entries.push(entry);
                self.describes = true;
            }
            // Some banks repeat the tag for each line.
            "86" if describes => {
                if let Some(entry) = self.at_hand()?.entries.last_mut() {
                    describe(entry, &field.lines);
                }
                self.describes = true;
            }
            "34F" => {
                let one = self.at_hand()?;
                one.format = Format::Mt942;
                // Floors: debit and credit may be told apart.
                let currency = first.get(..3).filter(|currency| is_currency(currency)).ok_or("names no currency")?;
                one.currency.get_or_insert_with(|| currency.to_owned());
            }
            "90D" | "90C" => self.counted(field.tag == "90C", first, place)?,
            // Of no field: the statement's own words, other references, available balances, times.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place) {
        self.done.extend(self.open.take());
        self.open = Some(Statement {
            format: Format::Mt940,
            account: String::new(),
            currency: None,
            number: None,
            opening: None,
            closing: None,
            entries: vec![],
            doubts: vec![],
            place,
        });
    }

    fn at_hand(&mut self) -> Result<&mut Statement, String> {
        self.open.as_mut().ok_or_else(|| "stands before any statement's beginning (:20:)".to_owned())
    }

    /// `:90D:` and `:90C:` of MT942: how many entries, and their sum.
    fn counted(&mut self, credit: bool, text: &str, place: Place) -> Result<(), String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let count: usize = text[..digits].parse().map_err(|_| "has no number")?;
        let sum = text.get(digits + 3..).and_then(amount::parse).ok_or("has no sum")?;
        let one = self.at_hand()?;
        let of_kind = one.entries.iter().map(|entry| entry.amount).filter(|amount| amount.is_sign_positive() == credit);
        let (found, total) = of_kind.fold((0, Decimal::ZERO), |(n, sum), amount| (n + 1, sum + amount.abs()));
        if (found, total) != (count, sum) {
            one.doubts
                .push(Fault::new(place, format!("tells of {count} entries, {sum} in all; there are {found}, {total}")));
        }
        Ok(())
    }

    fn end(mut self) -> Result<Vec<Statement>, Vec<Fault>> {
        self.done.extend(self.open.take());
        for one in &self.done {
            if one.account.is_empty() {
                self.faults.push(Fault::new(one.place.clone(), "the statement names no account (:25:)"));
            }
            if one.currency.is_none() {
                self.faults.push(Fault::new(one.place.clone(), "the statement has neither balance nor currency"));
            }
        }
        if self.faults.is_empty() { Ok(self.done) } else { Err(self.faults) }
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `C070904EUR1125250,4`.
fn balance(text: &str) -> Result<(&str, Balance), String> {
    let credit = match text.get(..1) {
        Some("C") => true,
        Some("D") => false,
        _ => return Err("begins with neither C nor D".to_owned()),
    };
    let day = text.get(1..7).and_then(date::six).ok_or("has no date behind its mark")?;
    let currency = text.get(7..10).filter(|currency| is_currency(currency)).ok_or("names no currency")?;
    let amount = unsigned(&text[10..]).ok_or("has no amount")?;
    Ok((currency, Balance { date: Some(day), amount: if credit { amount } else { -amount } }))
}

fn unsigned(text: &str) -> Option<Decimal> {
    amount::parse(text).filter(|_| !text.trim_start().starts_with(['-', '+']))
}

/// `0709070904CR50990,05NTRFNONREF//0724710333343453`, and a line of the bank's below it.
fn entry(lines: &[&str], place: Place) -> Result<Entry, String> {
    let text = lines.first().copied().unwrap_or_default();
    let value = text.get(..6).and_then(date::six).ok_or("begins with no date")?;
    let rest = &text[6..];
    let (booked, rest) = booking_day(rest, value);
    let (sign, rest) = mark(rest).ok_or("has no C or D behind its dates")?;
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.')).count();
    let amount = unsigned(&rest[..digits]).ok_or("has no amount behind its mark")?;
    let rest = &rest[digits..];
    let code = rest.get(..4).filter(|code| code.starts_with(['N', 'F', 'S'])).ok_or("has no type behind its amount")?;
    let (own, bank) = rest[4..].split_once("//").unwrap_or((&rest[4..], ""));
    let reference = |carrier: &str, value: &str| Reference { carrier: carrier.to_owned(), value: value.to_owned() };
    let own = own.trim();
    let mut references = vec![];
    if !own.is_empty() && own != "NONREF" {
        references.push(reference("customer", own));
    }
    let supplementary: Vec<&str> = lines[1..].iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    Ok(Entry {
        state: State::Booked,
        booked,
        value: Some(value),
        amount: if sign { amount } else { -amount },
        code: Some(code.to_owned()),
        bank_reference: Some(bank.trim().to_owned()).filter(|bank| !bank.is_empty()),
        references,
        counterparty: None,
        counterparty_account: None,
        remittance: supplementary.join(" "),
        payments: vec![],
        place,
    })
}

/// Four digits, four blanks, or nothing.
fn booking_day(rest: &str, value: Date) -> (Option<Date>, &str) {
    match rest.get(..4) {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => (date::beside(text, value), &rest[4..]),
        Some("    ") => (None, &rest[4..]),
        _ => (None, rest),
    }
}

/// Whether it is a credit. `RC` takes a credit back and `RD` a debit; `EC` and `ED` are expected. The third letter of
/// the currency may follow.
fn mark(rest: &str) -> Option<(bool, &str)> {
    let marks = [("RC", false), ("RD", true), ("EC", true), ("ED", false), ("C", true), ("D", false)];
    let (mark, credit) = marks.into_iter().find(|(mark, _)| rest.starts_with(mark))?;
    let rest = &rest[mark.len()..];
    let funds = rest.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    Some((credit, if funds { &rest[1..] } else { rest }))
}

/// `:86:`: German structure, or words.
fn describe(entry: &mut Entry, lines: &[&str]) {
    let structured = lines.first().is_some_and(|line| {
        let code = line.bytes().take_while(u8::is_ascii_digit).count();
        code == 3 && line[code..].starts_with('?')
    });
    if !structured {
        let words = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
        let words = std::iter::once(entry.remittance.trim()).filter(|old| !old.is_empty()).chain(words);
        entry.remittance = words.collect::<Vec<_>>().join(" ");
        return;
    }
    // A line ends where it is full, in the middle of anything.
    let whole = lines.concat();
    let (mut purpose, mut name) = (String::new(), String::new());
    for part in whole.split('?').skip(1) {
        let Some((number, text)) = part.split_at_checked(2) else { continue };
        match number.parse::<u8>() {
            Ok(20..=29 | 60..=63) => purpose.push_str(text),
            Ok(31 | 38) if entry.counterparty_account.is_none() && !text.trim().is_empty() => {
                entry.counterparty_account = Some(text.trim().to_owned());
            }
            Ok(32 | 33) => name.push_str(text),
            _ => {}
        }
    }
    entry.counterparty = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    sepa(entry, &purpose);
}

/// Keys that German banks put before each part of a purpose.
const SEPA: [&str; 11] =
    ["EREF+", "KREF+", "MREF+", "BREF+", "RREF+", "CRED+", "DEBT+", "COAM+", "SVWZ+", "ABWA+", "ABWE+"];

fn sepa(entry: &mut Entry, purpose: &str) {
    let mut at: Vec<(usize, &str)> = SEPA.iter().filter_map(|key| Some((purpose.find(key)?, *key))).collect();
    at.sort_unstable();
    let before = &purpose[..at.first().map_or(purpose.len(), |(at, _)| *at)];
    let mut words = vec![before.trim()];
    for (index, (start, key)) in at.iter().enumerate() {
        let end = at.get(index + 1).map_or(purpose.len(), |(next, _)| *next);
        let value = purpose[start + key.len()..end].trim();
        let carrier = key.trim_end_matches('+');
        if carrier == "SVWZ" {
            words.push(value);
        } else if !value.is_empty() && !crate::is_placeholder(value) {
            entry.references.push(Reference { carrier: carrier.to_owned(), value: value.to_owned() });
        }
    }
    words.retain(|word| !word.is_empty());
    entry.remittance = words.join(" ");
}
