//! The log `treasury`: each event of a call server that moves money becomes one journal entry.
//!
//! Promises: an entry's legs sum to zero in each currency, exactly; each source is posted once, in the order of its
//! log; what the source says it moves is posted as it stands; entries are numbered without gaps.
//!
//! Not here: what an event moves (its own subject decides that, `Event::legs` reads it), wallets and whether somebody
//! can pay (the call server's log), balances (a view).

use crate::check;
use crate::currency::Currency;
use crate::event::Event;
use crate::event::community::SourcePosition;
use crate::event::journal::{EntryPosted, JournalEvent};
use crate::event::settlement::Leg;
use crate::fees;
use crate::ids::Subject;
use crate::money::Money;
use crate::refusal::Refusal;
use crate::state::State;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Of one entry: an event is bounded, and so is what it moves.
pub const LEGS_MAX: usize = 100;
/// What an account's path begins with.
const KINDS: [&str; 5] = ["assets", "equity", "expenses", "income", "liabilities"];

/// A repeat posts nothing. Errors: SOURCE_FORKED; INVALID where the legs are none of an entry, which blocks its log.
pub fn post(
    state: &State,
    about: Subject,
    at: Timestamp,
    legs: &[Leg],
    source: &SourcePosition,
) -> Result<Vec<Event>, Refusal> {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    if legs.len() < 2 || legs.len() > LEGS_MAX {
        return Err(Refusal::invalid(&["legs"], format!("2 to {LEGS_MAX} legs")));
    }
    for leg in legs {
        if !is_account(&leg.account) {
            return Err(Refusal::invalid(&["legs"], "paths of the chart of accounts"));
        }
        check::text(&["legs"], &leg.rule, check::TEXT_CHARS_MAX)?;
    }
    if !balances(legs) {
        return Err(Refusal::invalid(&["legs"], "legs that sum to zero in each currency"));
    }
    let number = state.scalars.entries + 1;
    Ok(vec![EntryPosted { about, at, legs: legs.to_vec(), number, source: source.clone() }.into()])
}

/// Whether the legs sum to zero in each currency. A sum that is too large for an amount is none.
pub fn balances(legs: &[Leg]) -> bool {
    let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
    for leg in legs {
        let currency = leg.amount.currency();
        let before = sums.get(&currency).copied().unwrap_or_else(|| Money::zero(currency));
        let Ok(sum) = before.plus(leg.amount) else { return false };
        sums.insert(currency, sum);
    }
    sums.values().all(|sum| sum.amount().is_zero())
}

/// `kind:part…`: lower-case letters, digits, `-` and `_`. Nothing that another program's journal would read as an end
/// of the name.
fn is_account(path: &str) -> bool {
    let mut parts = path.split(':');
    let is_kind = parts.next().is_some_and(|kind| KINDS.contains(&kind));
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    let mut rest = parts.peekable();
    is_kind && rest.peek().is_some() && rest.all(is_part) && path.len() <= check::TEXT_CHARS_MAX
}

pub fn apply(state: &mut State, event: &JournalEvent) {
    match event {
        JournalEvent::EntryPosted(e) => {
            state.change_scalars(|scalars| scalars.entries = e.number);
            state.note_source(&e.source);
        }
        JournalEvent::FeeRuleSet(e) => fees::add(state, &e.rule),
        JournalEvent::FeeRuleTaken(e) => {
            fees::add(state, &e.rule);
            state.note_source(&e.source);
        }
    }
}
