//! Matches lines of bank statements with items that the books expect there.
//!
//! [`run`] is a pure function of a set of lines and a set of items: their order does not matter, and the same sets give
//! the same result. It promises that each line and each item is claimed by one match at most, that nothing is confirmed
//! where another reading of the same facts is possible, and that what it could not decide is said, not guessed: several
//! readings are [`Found::Ambiguous`], a search that was given up is [`Found::Exhausted`].
//!
//! Passes, the surest first, each on what those before it left: references; groups that a reference names; amount and
//! date; sums of several. A difference is accepted for a named cause only.
//!
//! Deliberately not here: what a match does to the books, people's decisions, files, currencies' exponents: amounts are
//! whole minor units, and a line and an item meet only on one account in one currency.

mod days;
mod passes;
pub mod reference;
mod subset;

pub use passes::run;

/// Names a line or an item, for ever: whoever has the same facts has the same id.
pub type Id = u128;

/// A day, counted from 1970-01-01.
pub type Day = i32;

/// An account at a bank or a payment service, in one currency.
pub type Account = u32;

/// What a bank says has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub id: Id,
    pub account: Account,
    /// Minor units, credit positive.
    pub amount: i64,
    pub day: Day,
    /// As [`reference::normal`] gives them: all that name a payment, in whatever carrier.
    pub references: Vec<Box<str>>,
    /// Whoever is on the other side, as [`reference::normal`] gives it.
    pub counterparty: Option<Box<str>>,
}

/// What the books expect on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: Id,
    pub account: Account,
    /// Minor units, as the bank will show it: credit positive.
    pub amount: i64,
    /// When it is expected, first and last day.
    pub from: Day,
    pub to: Day,
    /// Its own: they name this item and no other.
    pub references: Vec<Box<str>>,
    /// Of batches: they name this item among others.
    pub groups: Vec<Box<str>>,
    pub counterparty: Option<Box<str>>,
}

/// How far reality may be from what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Names these rules in each match. Whoever changes one of them changes the version.
    pub version: u32,
    /// Working days before the first and after the last expected day.
    pub before: u16,
    pub after: u16,
    /// Amount and date confirm where neither side names anything; else they propose. Not for an account to which our
    /// references come through: whoever pays there without one is likely to be somebody else.
    pub amount_alone: bool,
    /// Why a difference may be, in the order in which they are tried.
    pub causes: Vec<Cause>,
    /// Of one search for a sum.
    pub nodes: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { version: 1, before: 2, after: 5, amount_alone: false, causes: vec![], nodes: 1 << 22 }
    }
}

/// A difference that is nobody's mistake: a fee that a bank keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub name: Box<str>,
    /// The difference is at most this, in minor units, and …
    pub most: u64,
    /// … at most this part of the expected amount, in hundredths of a percent.
    pub basis_points: u32,
    /// The bank shows less than expected; else more.
    pub short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The line names the item.
    Reference,
    /// The line names the items' group, or several lines name one item; sums are equal.
    Group,
    /// Amount and date fit, nothing else fits either of them.
    AmountAndDate,
    /// A set of items makes up a line, or a set of lines an item.
    Sum,
}

/// Lines and items that belong together; at least one of each, sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    pub lines: Vec<Id>,
    pub items: Vec<Id>,
    pub rule: Rule,
    /// Lines minus items; other than zero only where a cause is named or it is not confirmed.
    pub difference: i64,
    pub cause: Option<Box<str>>,
    /// It stands by itself; else a person has to say so.
    pub confirmed: bool,
}

/// What came of a run for those that it matched or could not decide. What is in none of them is left over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    Match(Match),
    /// Each of the readings is possible, and claims nothing.
    Ambiguous {
        lines: Vec<Id>,
        items: Vec<Id>,
        rule: Rule,
    },
    /// The search for a sum ended before it was done.
    Exhausted {
        lines: Vec<Id>,
        items: Vec<Id>,
    },
}
