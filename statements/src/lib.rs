//! Bank statements as banks send them: MT940 and MT942, camt.052, .053 and .054 in any version, OFX 1.x and 2.x, read
//! into one shape.
//!
//! It promises: a file is read whole or not at all, and what is wrong with it is said with its line or path; amounts are
//! the file's digits, credit positive; whatever was odd but could be read is a doubt of its statement, so nothing is
//! passed over in silence. Reading never panics and takes memory in proportion to the file.
//!
//! Deliberately not here: what is done with a statement (duplicates, continuity, matching), currencies' exponents, CSV.

mod amount;
mod camt;
mod date;
mod mt;
mod ofx;
mod text;
mod xml;

use jiff::civil::Date;
use rust_decimal::Decimal;
use std::fmt;

/// Of a file. More is no statement of anybody's.
pub const BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Mt940,
    Mt942,
    Camt052,
    Camt053,
    Camt054,
    Ofx,
}

/// Where in its file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 1.
    Line(usize),
    /// Of an element, each step with its number among its namesakes where it is not the first: `Stmt/Ntry[2]/Amt`.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Path(path) => f.write_str(path),
        }
    }
}

/// What is wrong, for the person who has the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    pub place: Place,
    pub what: String,
}

impl Fault {
    fn new(place: Place, what: impl Into<String>) -> Fault {
        Fault { place, what: what.into() }
    }
}

/// One account over one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub format: Format,
    /// As the bank names it: an IBAN, or whatever it has.
    pub account: String,
    /// Three letters; not looked up.
    pub currency: Option<String>,
    /// The bank's number of this statement.
    pub number: Option<String>,
    /// Booked balances; of a page in the middle, the one carried over.
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    pub entries: Vec<Entry>,
    /// What could be read and still is not as it should be.
    pub doubts: Vec<Fault>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    pub date: Option<Date>,
    /// Credit positive.
    pub amount: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Booked,
    /// Not in the balances.
    Pending,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub state: State,
    pub booked: Option<Date>,
    pub value: Option<Date>,
    /// Credit positive.
    pub amount: Decimal,
    /// The bank's word for the kind: `NTRF`, `PMNT/RCDT/ESCT`, `DEBIT`.
    pub code: Option<String>,
    /// What the bank promises to be the entry's own: AcctSvcrRef, FITID, the second reference of MT.
    pub bank_reference: Option<String>,
    /// Everything else that names the payment, in the order of the file. Placeholders are left out.
    pub references: Vec<Reference>,
    pub counterparty: Option<String>,
    pub counterparty_account: Option<String>,
    /// What the payer wrote, and where nobody said which part that is, all that the bank wrote.
    pub remittance: String,
    /// Payments that were booked as one.
    pub payments: Vec<Payment>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name of its place in the format: `EREF`, `EndToEndId`, `RF`.
    pub carrier: String,
    pub value: String,
}

/// One payment of an entry that holds several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Credit positive; absent where the file does not say.
    pub amount: Option<Decimal>,
    pub bank_reference: Option<String>,
    pub references: Vec<Reference>,
    pub counterparty: Option<String>,
    pub counterparty_account: Option<String>,
    pub remittance: String,
}

/// Whether the entries lead from the opening to the closing balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Holds,
    /// Closing minus opening minus entries.
    Off(Decimal),
    /// A balance is missing.
    NotGiven,
}

impl Statement {
    /// Of the booked entries.
    pub fn net(&self) -> Option<Decimal> {
        let mut booked = self.entries.iter().filter(|entry| entry.state == State::Booked);
        booked.try_fold(Decimal::ZERO, |sum, entry| sum.checked_add(entry.amount))
    }

    pub fn proof(&self) -> Proof {
        let (Some(opening), Some(closing), Some(net)) = (&self.opening, &self.closing, self.net()) else {
            return Proof::NotGiven;
        };
        match closing.amount.checked_sub(opening.amount).and_then(|moved| moved.checked_sub(net)) {
            Some(off) if off.is_zero() => Proof::Holds,
            Some(off) => Proof::Off(off),
            None => Proof::NotGiven,
        }
    }
}

/// Written where a reference is required and there is none.
fn is_placeholder(value: &str) -> bool {
    let value: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    matches!(value.as_str(), "NOTPROVIDED" | "NONREF" | "NOREF" | "NOTAVAILABLE" | "NA" | "NONE")
}

/// Reads a file of any of the formats, which it tells by its content. Never an empty list.
///
/// # Errors
/// All that is wrong, in the order of the file; nothing of the file counts then.
pub fn read(bytes: &[u8]) -> Result<Vec<Statement>, Vec<Fault>> {
    let file = |what: &str| vec![Fault::new(Place::Line(1), what)];
    if bytes.len() > BYTES_MAX {
        return Err(file("the file is larger than 64 MiB"));
    }
    let text = text::decode(bytes).map_err(file)?;
    let statements = match text::kind(&text) {
        Some(text::Kind::Ofx) => ofx::read(&text)?,
        Some(text::Kind::Xml) => camt::read(&text)?,
        Some(text::Kind::Mt) => mt::read(&text)?,
        None => return Err(file("this is no MT940 or MT942, no camt.052, .053 or .054 and no OFX")),
    };
    if statements.is_empty() { Err(file("there is no statement in it")) } else { Ok(statements) }
}
