//! The rules for root fields that the library lacks: one field that writes money at most, exactly one for a
//! subscription.
//!
//! Promises: an operation has one outcome, or one stream; a subscription that may run stands in a form that
//! the library runs: its field at the root, without fragment or directive.
//!
//! Not here: whether fragments fit the type that they stand in. Validation sees them as they were written.

use super::Refused;
use crate::errors::ErrorCode;
use async_graphql::Positioned;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};

/// Mutations whose decision holds, releases, escrows or posts money. An operation has at most one of them,
/// so that it has one outcome: the library runs mutations one after the other, two of the same response key
/// as well, and does not undo the first for the second.
pub(crate) const MONEY_MUTATIONS: [&str; 16] = [
    "placeBid",
    "withdrawBid",
    "setStandingValue",
    "creditWallet",
    "refundSettlement",
    "payOut",
    "returnPayout",
    "netPayable",
    "claimInquiry",
    "withdrawInquiry",
    "resumeInquiry",
    "acceptReservation",
    "declineReservation",
    "endSession",
    "reportChannel",
    "completeWrapUp",
];

/// Call when the document's expansion is bounded: fragments are walked at each spread.
pub(super) fn check(document: &ExecutableDocument, operation: &OperationDefinition) -> Result<(), Refused> {
    let refused = |message: &str| Err(Refused::new(ErrorCode::ValidationFailed, message, operation.selection_set.pos));
    let root = &operation.selection_set.node;
    match operation.ty {
        OperationType::Query => Ok(()),
        OperationType::Mutation if money_fields(document, root) > 1 => {
            refused("an operation has at most one mutation that moves or binds money")
        }
        OperationType::Mutation => Ok(()),
        OperationType::Subscription => {
            let mut fields = Vec::new();
            if !collect(document, root, &mut fields) {
                return refused("what stands at a subscription's root carries no directive");
            }
            // The specification also takes several selections of one response key; nobody writes that.
            match fields.as_slice() {
                [only] if only.node.name.node.starts_with("__") => {
                    refused("a subscription's one field is not introspection")
                }
                [_] => Ok(()),
                _ => refused("a subscription has exactly one root field"),
            }
        }
    }
}

/// The document with each subscription's field taken out of its fragments; none where all stand at the root.
/// Call after [`check`].
pub(super) fn inlined(document: &ExecutableDocument) -> Option<ExecutableDocument> {
    let wrapped = |operation: &OperationDefinition| {
        operation.ty == OperationType::Subscription
            && !matches!(operation.selection_set.node.items.as_slice(), [Positioned { node: Selection::Field(_), .. }])
    };
    if !document.operations.iter().any(|(_, operation)| wrapped(&operation.node)) {
        return None;
    }
    let mut flat = document.clone();
    let operations: Vec<&mut Positioned<OperationDefinition>> = match &mut flat.operations {
        DocumentOperations::Single(only) => vec![only],
        DocumentOperations::Multiple(named) => named.values_mut().collect(),
    };
    for operation in operations.into_iter().filter(|operation| wrapped(&operation.node)) {
        let mut fields = Vec::new();
        collect(document, &operation.node.selection_set.node, &mut fields);
        let items = fields.into_iter().map(|field| Positioned::new(Selection::Field(field.clone()), field.pos));
        operation.node.selection_set.node.items = items.collect();
    }
    Some(flat)
}

/// The fields that stand in a selection set or in fragments of it; false where one of those, or a fragment,
/// carries a directive. A fragment that the document lacks holds nothing; validation names it.
fn collect<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, into: &mut Vec<&'a Positioned<Field>>) -> bool {
    set.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => {
            into.push(field);
            field.node.directives.is_empty()
        }
        Selection::InlineFragment(inline) => {
            inline.node.directives.is_empty() && collect(document, &inline.node.selection_set.node, into)
        }
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            spread.node.directives.is_empty()
                && fragment.is_none_or(|fragment| {
                    fragment.node.directives.is_empty() && collect(document, &fragment.node.selection_set.node, into)
                })
        }
    })
}

/// Walks each spread: what the document expands to has been bounded by now.
fn money_fields(document: &ExecutableDocument, set: &SelectionSet) -> usize {
    set.items
        .iter()
        .map(|selection| match &selection.node {
            Selection::Field(field) => usize::from(MONEY_MUTATIONS.contains(&field.node.name.node.as_str())),
            Selection::InlineFragment(inline) => money_fields(document, &inline.node.selection_set.node),
            Selection::FragmentSpread(spread) => document
                .fragments
                .get(&spread.node.fragment_name.node)
                .map_or(0, |fragment| money_fields(document, &fragment.node.selection_set.node)),
        })
        .sum()
}
