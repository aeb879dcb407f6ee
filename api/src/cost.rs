//! What one request costs: its reading, its document with its variables, and each item that a subscription gives.
//!
//! Promises: linear in the document, each fragment costed once; lists count by the `first` that will be
//! used, wherever it comes from; the sum saturates.
//!
//! The measure is the processor's time of a bid, 140 µs for a document that costs 10. What is read and thrown away is
//! priced by the worst that was measured: 72 ms for 1 MiB of variables, 7.2 ms for 8 KiB of a document that is parsed
//! and does not fit the schema.
//!
//! Not here: what depends on the document alone (`guard`), and how much a caller may spend in a second.

use crate::errors::ErrorCode;
use crate::guard::{Refused, too_much};
use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Value, Variables};
use async_graphql_value::Value as InputValue;
use std::collections::HashMap;

/// What `first` and the length of `ids` may be at most.
pub const LIST_MAX: u64 = 100;
/// Of one request: each field, spread and inline fragment costs 1, times the `first` or `ids` it stands in; an
/// audit trail costs 4,000 more, a moment of the past 6,000, a question's topics 150.
pub const COST_MAX: u64 = 20_000;
/// Of a request that was read, and for each whole KiB of it.
pub const REQUEST: u64 = 1;
pub const KIB_READ: u64 = 4;
/// A document that the house does not know costs 1 for so many bytes of it, on top: parsing and validating it.
pub const UNKNOWN_BYTES: u64 = 16;
/// An item that an equal subscription has made is bytes to be sent and nothing else.
pub const SHARED_ITEM: u64 = 1;

/// What reading a request of this length costs, whatever becomes of it.
pub fn reading(bytes: usize) -> u64 {
    REQUEST.saturating_add(KIB_READ.saturating_mul(bytes as u64 / 1_024))
}

/// What it costs to find out whether a text of this length, which is not known, is a document.
pub fn vetting(bytes: usize) -> u64 {
    bytes as u64 / UNKNOWN_BYTES
}

/// What an item costs of a subscription that costs `whole` to begin: the same, but of what its field reads to begin
/// the share of one entry of a page.
pub fn item(operation: &OperationDefinition, whole: u64) -> u64 {
    let roots = operation.selection_set.node.items.iter();
    let begun = roots.map(|root| match &root.node {
        Selection::Field(field) => weight(&field.node),
        _ => 0,
    });
    let begun: u64 = begun.sum();
    whole.saturating_sub(begun).saturating_add(begun / LIST_MAX)
}

/// What the operation costs with these variables, declared defaults filled in. Refuses a `first` outside
/// 0..=100, more than 100 `ids`, and more than [`COST_MAX`].
pub fn cost(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<u64, Refused> {
    let mut bill = Bill { document, variables, fragments: HashMap::new() };
    let total = bill.selection_set(&operation.selection_set.node)?;
    if total > COST_MAX {
        return Err(too_much(format!("the request costs {total}, at most {COST_MAX} is taken"), None));
    }
    Ok(total)
}

/// Fields that may read far more than they show, and what each costs on top: an audit trail reads up to 4,096
/// events to find a page, and so does an audit feed, again and again; a moment of the past folds logs, unless it was
/// folded lately. Three moments fit one request: before, at and after. A long question is looked at for two
/// milliseconds.
const WEIGHTS: [(&str, u64); 4] =
    [("auditTrail", 4_000), ("auditFeed", 4_000), ("asOf", 6_000), ("suggestTopics", 150)];

fn weight(field: &Field) -> u64 {
    WEIGHTS.iter().find(|(name, _)| field.name.node == *name).map_or(0, |(_, cost)| *cost)
}

/// Costs each fragment once.
struct Bill<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    fragments: HashMap<&'a str, u64>,
}

impl<'a> Bill<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<u64, Refused> {
        let mut sum: u64 = 0;
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => {
                    let each = self.selection_set(&field.node.selection_set.node)?;
                    each.saturating_mul(self.multiplicity(&field.node)?).saturating_add(weight(&field.node))
                }
                Selection::InlineFragment(inline) => self.selection_set(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            };
            sum = sum.saturating_add(1).saturating_add(inner);
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a str) -> Result<u64, Refused> {
        if let Some(known) = self.fragments.get(name) {
            return Ok(*known);
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(0);
        };
        let cost = self.selection_set(&fragment.node.selection_set.node)?;
        self.fragments.insert(name, cost);
        Ok(cost)
    }

    /// How often what stands below a field may be resolved. At least once, so that `first: 0` hides
    /// nothing from the sum.
    fn multiplicity(&self, field: &Field) -> Result<u64, Refused> {
        let mut times: u64 = 1;
        for (name, value) in &field.arguments {
            let count = match name.node.as_str() {
                "first" => self.first(&value.node),
                "ids" => self.length(&value.node),
                _ => continue,
            };
            match count {
                Some(count) if count <= LIST_MAX => times = times.saturating_mul(count.max(1)),
                _ => {
                    let message = format!(
                        "{} is 0 to {LIST_MAX}",
                        if name.node == "first" { "first" } else { "the number of ids" }
                    );
                    return Err(Refused::new(ErrorCode::ValidationFailed, message, value.pos));
                }
            }
        }
        Ok(times)
    }

    /// None where the value is no whole number from zero. A missing one counts as the most: validation or
    /// the field refuses it.
    fn first(&self, value: &InputValue) -> Option<u64> {
        let number = match value {
            InputValue::Number(number) => number,
            InputValue::Variable(name) => match self.variables.get(name) {
                Some(Value::Number(number)) => number,
                Some(Value::Null) | None => return Some(LIST_MAX),
                Some(_) => return None,
            },
            InputValue::Null => return Some(LIST_MAX),
            _ => return None,
        };
        number.as_u64()
    }

    /// A single value is a list of one.
    fn length(&self, value: &InputValue) -> Option<u64> {
        let length = match value {
            InputValue::List(items) => items.len(),
            InputValue::Variable(name) => match self.variables.get(name) {
                Some(Value::List(items)) => items.len(),
                _ => 1,
            },
            _ => 1,
        };
        u64::try_from(length).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    #[test]
    fn a_trail_and_the_past_cost_what_they_may_read() {
        let of = |text: &str| {
            let document = parse_query(text).unwrap();
            let operation = crate::guard::select(&document, None).unwrap();
            cost(&document, operation, &Variables::default()).map_err(|_| ())
        };
        assert_eq!(of("{ auditTrail(first: 2) { edges { node { id } } } }"), Ok(1 + 2 * 3 + 4_000));
        let many: Vec<String> =
            (0..5).map(|at| format!("a{at}: auditTrail(first: 1) {{ edges {{ cursor }} }}")).collect();
        assert_eq!(of(&format!("{{ {} }}", many.join(" "))), Err(()));
        let past = |count: usize| {
            let moment = |at| format!("a{at}: asOf(point: {{ seq: 1 }}, log: \"main\") {{ at }}");
            of(&format!("{{ {} }}", (0..count).map(moment).collect::<Vec<_>>().join(" ")))
        };
        assert_eq!(past(3), Ok(3 * (1 + 1 + 6_000)));
        assert_eq!(past(4), Err(()));
        assert_eq!(of("subscription { auditFeed { entry { id } } }"), Ok(1 + 2 + 4_000));
    }

    #[test]
    fn an_item_costs_what_it_shows_and_an_entry_of_a_trail_what_it_costs_on_a_page() {
        let item_of = |text: &str| {
            let document = parse_query(text).unwrap();
            let operation = crate::guard::select(&document, None).unwrap();
            item(operation, cost(&document, operation, &Variables::default()).unwrap_or(0))
        };
        assert_eq!(item_of("subscription { agentFeed { kind agent { status } } }"), 1 + 3);
        // A page of a hundred entries: 4,000 and a hundred times what one shows.
        assert_eq!(item_of("subscription { auditFeed { entry { id } } }"), 1 + 2 + 4_000 / 100);
        assert_eq!(item_of("subscription { f: auditFeed { meta { seq } entry { id data } } }"), 1 + 5 + 40);
    }

    #[test]
    fn what_is_read_costs_by_its_length() {
        assert_eq!([0, 1_023, 1_024, 65_536, 1_048_576].map(reading), [1, 1, 5, 257, 4_097]);
        assert_eq!([3, 800, 65_536].map(vetting), [0, 50, 4_096]);
        // Whatever is refused for its form, a full bucket can pay for it.
        assert!(reading(crate::http::BODY_BYTES_MAX) + vetting(crate::guard::DOCUMENT_BYTES_MAX) < COST_MAX);
    }
}
