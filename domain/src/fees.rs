//! Fees: which part of a price is the house's, and the tax on it. A rule is an event of `treasury`, with a number and an
//! instant from which it holds; each call server takes it over, and a settlement's legs name the one that was in force at
//! its consent.
//!
//! Promises: nothing outside the logs changes money, and nothing changes it afterwards: a rule begins now or later, and
//! is never changed; what a price is split into sums to the price, exactly, and no part is below zero. Commission and tax are
//! each rounded once, to the currency's smallest unit; the payee has the rest.
//!
//! Not here: taxes between payer and payee (a price is what is paid, whatever is in it), and who is paid when
//! (`settlement`).

use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::SourcePosition;
use crate::event::journal::{FeeRuleSet, FeeRuleTaken};
use crate::ids::FeeRuleId;
use crate::money::Money;
use crate::refusal::Refusal;
use crate::split::{Rounding, rounded};
use crate::state::State;
use crate::time::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How long a payer may object where no rule says otherwise.
pub const RETURN_WINDOW: Span = Span::days(2);
/// What a rule may say.
pub const RETURN_WINDOW_MAX: Span = Span::days(90);
/// Of the rules, as many: each stays, so that what it split can be told for ever.
pub const RULES_MAX: usize = 1_000;

/// 0 to 100, with at most four decimals: `15`, `8.1`, `9.975`. Kept in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

/// One percent.
const ONE: u32 = 10_000;
/// All of it.
const WHOLE: i128 = 100 * ONE as i128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPercent;

impl Percent {
    pub const ZERO: Percent = Percent(0);

    pub fn new(value: Decimal) -> Result<Percent, NoPercent> {
        let scaled = value.checked_mul(Decimal::from(ONE)).ok_or(NoPercent)?;
        let whole: u32 = scaled.normalize().try_into().map_err(|_| NoPercent)?;
        let fits = scaled.fract().is_zero() && i128::from(whole) <= WHOLE;
        if fits { Ok(Percent(whole)) } else { Err(NoPercent) }
    }

    pub fn value(self) -> Decimal {
        Decimal::new(i64::from(self.0), 4).normalize()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}
impl FromStr for Percent {
    type Err = NoPercent;
    fn from_str(text: &str) -> Result<Percent, NoPercent> {
        Percent::new(Decimal::from_str_exact(text).map_err(|_| NoPercent)?)
    }
}
impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|NoPercent| serde::de::Error::custom("no percentage"))
    }
}

/// What the house takes of a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRule {
    /// Of the price without tax.
    pub commission: Percent,
    pub id: FeeRuleId,
    /// To whom the tax is owed: a part of an account's path, such as `de`. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// From 1, in the order in which they were set.
    pub number: u32,
    /// How long a payer may object before the payee's money is payable.
    #[serde(default = "return_window", skip_serializing_if = "is_usual")]
    pub return_window: Span,
    /// The tax that a price has in it, and that is owed on the commission.
    pub tax: Percent,
    /// Of the tax; the commission is always rounded half to even.
    #[serde(default, skip_serializing_if = "Rounding::is_half_even")]
    pub tax_rounding: Rounding,
    pub valid_from: Timestamp,
}

fn return_window() -> Span {
    RETURN_WINDOW
}
fn is_usual(window: &Span) -> bool {
    *window == RETURN_WINDOW
}

/// What becomes of a price. The three sum to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    pub payee: Money,
    pub commission: Money,
    pub tax: Money,
}

/// Of the price without tax the commission, on the commission the tax; the rest is the payee's. Of a price too small for all
/// three the tax gives way first.
pub fn split(price: Money, rule: &FeeRule) -> Split {
    let currency = price.currency();
    let units = price.units();
    let tax = i128::from(rule.tax.0);
    // The net price is not rounded: it stands on no document of ours, and what is rounded twice is off by one too often.
    let commission = rounded(units, rule.commission.0.into(), WHOLE + tax, Rounding::HalfEven);
    let tax = rounded(commission, tax, WHOLE, rule.tax_rounding).min(units - commission);
    let money = |units| Money::of_units(units, currency);
    Split { payee: money(units - commission - tax), commission: money(commission), tax: money(tax) }
}

/// To `treasury`. Errors: INVALID for a rule that would have begun before now, or what is no part of a path; LIMIT_REACHED.
pub fn set(
    state: &State,
    commission: Percent,
    (tax, tax_rounding): (Percent, Rounding),
    return_window: Option<Span>,
    jurisdiction: Option<&str>,
    valid_from: Option<Timestamp>,
    ctx: &Ctx,
) -> Result<Vec<Event>, Refusal> {
    let valid_from = valid_from.unwrap_or(ctx.now);
    if valid_from < ctx.now {
        return Err(Refusal::invalid(&["validFrom"], "now or later: what was settled stays as it was"));
    }
    match jurisdiction {
        Some(name) if !is_part(name) => {
            return Err(Refusal::invalid(&["jurisdiction"], "1 to 20 lower-case letters, digits and `-`"));
        }
        None if tax != Percent::ZERO => {
            return Err(Refusal::invalid(&["jurisdiction"], "to whom the tax is owed"));
        }
        Some(_) | None => {}
    }
    let return_window = return_window.unwrap_or(RETURN_WINDOW);
    if return_window < Span::ZERO || return_window > RETURN_WINDOW_MAX {
        return Err(Refusal::invalid(&["returnWindow"], "at most 90 days"));
    }
    let known = &state.scalars.fee_rules;
    if known.len() >= RULES_MAX {
        return Err(Refusal::LimitReached { message: "There are a thousand fee rules." });
    }
    let number = known.last().map_or(0, |rule| rule.number) + 1;
    let id = FeeRuleId(ctx.ids.next());
    let jurisdiction = jurisdiction.map(str::to_owned);
    let rule = FeeRule { id, number, commission, tax, tax_rounding, return_window, jurisdiction, valid_from };
    Ok(vec![FeeRuleSet { rule }.into()])
}

fn is_part(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=20).contains(&name.len()) && name.bytes().all(is_letter)
}

/// To a call server, by a process manager. A repeat takes nothing. Errors: SOURCE_FORKED.
pub fn take(state: &State, rule: &FeeRule, source: &SourcePosition) -> Result<Vec<Event>, Refusal> {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    Ok(vec![FeeRuleTaken { rule: rule.clone(), source: source.clone() }.into()])
}

/// The rule that holds at an instant: of those that have begun, the one that was set last.
pub fn in_force(state: &State, at: Timestamp) -> Option<&FeeRule> {
    state.scalars.fee_rules.iter().rev().find(|rule| rule.valid_from <= at)
}

/// A rule by its number: those that hold no more are kept too.
pub fn numbered(state: &State, number: u32) -> Option<&FeeRule> {
    state.scalars.fee_rules.iter().find(|rule| rule.number == number)
}

pub(crate) fn add(state: &mut State, rule: &FeeRule) {
    state.change_scalars(|scalars| {
        scalars.fee_rules = scalars.fee_rules.iter().cloned().chain([rule.clone()]).collect::<Arc<[FeeRule]>>();
    });
}
