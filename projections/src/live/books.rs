//! The books: what stands in each account of the chart, in each currency, and the fee rules, folded from `treasury`.
//!
//! Promises: balances are the exact sums of the legs of all entries, and sum to zero in each currency; an account without
//! a balance is not kept, so memory follows the money that is somewhere, and not how often it moved.
//!
//! Not here: the entries themselves (history has them), what is held (`account`), whose account a path is.

use super::error::Misfit;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::community::SourcePosition;
use domain::event::journal::JournalEvent;
use domain::event::settlement::Leg;
use domain::fees::FeeRule;
use domain::money::MoneyError;
use domain::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::Arc;
use store::raw::Hex;
use store::recorded::Recorded;

/// Path and currency. Paths sort as text.
pub type AccountKey = (Arc<str>, Currency);

/// Balances as of some entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Debit positive; none is zero. At the currency's exponent.
    balances: BTreeMap<AccountKey, Decimal>,
    /// Of the last entry: how many there are.
    entries: u64,
    /// In the order of their numbers, each with when it was set and the position and chain hash of its event.
    rules: Vec<RuleRow>,
}

/// A fee rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    pub rule: FeeRule,
    pub set_at: Timestamp,
    pub source: SourcePosition,
}

/// Both sides of a currency: they are equal, or the books are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Of the accounts with a debit balance.
    pub debit: Decimal,
    /// Of those with a credit balance, as a positive amount.
    pub credit: Decimal,
}

impl Books {
    pub(super) fn fold(&mut self, recorded: &Recorded) -> Result<(), Misfit> {
        let Event::Journal(event) = &recorded.event else { return Err(Misfit::WrongLog) };
        match event {
            JournalEvent::EntryPosted(entry) => {
                self.entries = entry.number;
                self.add(&entry.legs)?;
            }
            JournalEvent::FeeRuleSet(e) => {
                let hash = Hex(&recorded.raw.hash).to_string();
                let source = SourcePosition { hash, log: recorded.log.clone(), seq: recorded.seq };
                self.rules.push(RuleRow { rule: e.rule.clone(), set_at: recorded.time, source });
            }
            JournalEvent::FeeRuleTaken(_) => return Err(Misfit::WrongLog),
        }
        Ok(())
    }

    /// In the order of their numbers.
    pub fn rules(&self) -> &[RuleRow] {
        &self.rules
    }

    /// What these legs move. Errors: a balance that is too large to count; then some of them are in it.
    pub fn add(&mut self, legs: &[Leg]) -> Result<(), MoneyError> {
        legs.iter().try_for_each(|leg| self.change(leg, leg.amount.amount()))
    }

    /// The same as if these legs had not been.
    pub fn take_out(&mut self, legs: &[Leg]) -> Result<(), MoneyError> {
        legs.iter().try_for_each(|leg| self.change(leg, -leg.amount.amount()))
    }

    fn change(&mut self, leg: &Leg, by: Decimal) -> Result<(), MoneyError> {
        let key = (Arc::from(leg.account.as_str()), leg.amount.currency());
        match self.balances.entry(key) {
            Entry::Vacant(entry) if !by.is_zero() => {
                entry.insert(by);
            }
            Entry::Vacant(_) => {}
            Entry::Occupied(mut entry) => {
                let sum = entry.get().checked_add(by).ok_or(MoneyError::Overflow)?;
                if sum.is_zero() {
                    entry.remove();
                } else {
                    *entry.get_mut() = sum;
                }
            }
        }
        Ok(())
    }

    /// How many entries they hold.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Accounts with a balance, by path and currency, after one of them.
    pub fn balances(&self, after: Option<&AccountKey>) -> impl Iterator<Item = (&AccountKey, Decimal)> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.balances.range((from, Bound::Unbounded)).map(|(key, amount)| (key, *amount))
    }

    /// Zero where the account has no balance, or is none.
    pub fn balance(&self, account: &str, currency: Currency) -> Decimal {
        self.balances.get(&(Arc::from(account), currency)).copied().unwrap_or(Decimal::ZERO)
    }

    /// By currency, of those in which anything stands.
    pub fn totals(&self) -> Result<BTreeMap<Currency, Total>, MoneyError> {
        let mut totals: BTreeMap<Currency, Total> = BTreeMap::new();
        for ((_, currency), amount) in &self.balances {
            let total = totals.entry(*currency).or_default();
            let side = if amount.is_sign_negative() { &mut total.credit } else { &mut total.debit };
            *side = side.checked_add(amount.abs()).ok_or(MoneyError::Overflow)?;
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::money::Money;

    fn leg(account: &str, amount: &str, currency: &str) -> Leg {
        let amount = Money::parse(amount, currency.parse().unwrap()).unwrap();
        Leg { account: account.to_owned(), amount, rule: "test/1".to_owned() }
    }

    fn held(books: &Books) -> Vec<(String, String)> {
        let shown = |((account, currency), amount): (&AccountKey, Decimal)| {
            (account.to_string(), format!("{amount} {currency}"))
        };
        books.balances(None).map(shown).collect()
    }

    #[test]
    fn balances_are_exact_by_currency_and_what_is_empty_is_no_row() {
        let mut books = Books::default();
        let first = [leg("a", "0.10", "EUR"), leg("b", "-0.10", "EUR"), leg("a", "7", "JPY"), leg("b", "-7", "JPY")];
        books.add(&first).unwrap();
        books.add(&[leg("b", "0.10", "EUR"), leg("c", "-0.10", "EUR")]).unwrap();
        let row = |account: &str, amount: &str| (account.to_owned(), amount.to_owned());
        assert_eq!(held(&books), [row("a", "0.10 EUR"), row("a", "7 JPY"), row("b", "-7 JPY"), row("c", "-0.10 EUR")]);
        let totals = books.totals().unwrap();
        assert_eq!(totals.len(), 2);
        assert!(totals.values().all(|total| total.debit == total.credit && !total.debit.is_zero()));
        let after = (Arc::from("a"), "JPY".parse().unwrap());
        assert_eq!(books.balances(Some(&after)).count(), 2);
        let mut back = books.clone();
        back.take_out(&first).unwrap();
        assert_eq!(held(&back), [row("b", "0.10 EUR"), row("c", "-0.10 EUR")]);
        assert_eq!(back.balance("a", "EUR".parse().unwrap()), Decimal::ZERO);
    }
}
