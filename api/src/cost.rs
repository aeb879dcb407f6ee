//! What one request costs: its document with its variables.
//!
//! Promises: linear in the document, each fragment costed once; lists count by the `first` that will be
//! used, wherever it comes from; the sum saturates.
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
/// audit trail costs 4,000 more, a moment of the past 6,000.
pub const COST_MAX: u64 = 20_000;

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
/// events to find a page, a moment of the past folds logs, unless it was folded lately. Three moments fit one request:
/// before, at and after.
const WEIGHTS: [(&str, u64); 2] = [("auditTrail", 4_000), ("asOf", 6_000)];

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
                    let weight =
                        WEIGHTS.iter().find(|(name, _)| field.node.name.node == *name).map_or(0, |(_, cost)| *cost);
                    each.saturating_mul(self.multiplicity(&field.node)?).saturating_add(weight)
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
    }
}
