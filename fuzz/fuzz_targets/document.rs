//! Documents: what the guard lets through is as small as it says, whoever measures it.
//!
//! Promises checked: vetting takes bounded time, expansion and depth are within their limits when counted anew by
//! plain walking, every operation costs at most the limit or is refused, and vetting twice says the same.
//!
//! Not here: whether a document fits the schema, which the library decides.

#![no_main]

use api::cost::{COST_MAX, cost};
use api::guard::{ALIASES_MAX, DEPTH_MAX, SELECTIONS_MAX, select, vet};
use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

/// Far above what an instrumented build on a busy machine needs for 64 KiB; exponential work passes it at once.
const PATIENCE: Duration = Duration::from_secs(2);

fuzz_target!(|query: &str| {
    let started = Instant::now();
    let vetted = vet(query);
    assert!(started.elapsed() < PATIENCE, "vetting took {:?}", started.elapsed());
    let Ok(vetted) = vetted else {
        return;
    };
    assert_eq!(vetted.tokens, vet(query).expect("what was taken is taken again").tokens);
    let mut count = Count::default();
    let mut names = vec![];
    for (name, operation) in vetted.document.operations.iter() {
        count.set(&vetted.document, &operation.node.selection_set.node, 0);
        names.push(name.map(|name| name.to_string()));
    }
    assert!(count.selections <= SELECTIONS_MAX, "{} selections", count.selections);
    assert!(count.depth <= DEPTH_MAX, "{} deep", count.depth);
    let fragments = vetted.document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let operations = vetted.document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let aliases: usize = operations.chain(fragments).map(aliases).sum();
    assert!(aliases <= ALIASES_MAX, "{aliases} aliases");
    for name in names {
        let operation = select(&vetted.document, name.as_deref()).expect("each operation is found by its name");
        let started = Instant::now();
        if let Ok(total) = cost(&vetted.document, operation, &Variables::default()) {
            assert!(total <= COST_MAX);
        }
        assert!(started.elapsed() < PATIENCE);
    }
});

/// What a document expands to, each fragment walked at each spread.
#[derive(Default)]
struct Count {
    selections: u64,
    depth: usize,
}

impl Count {
    fn set(&mut self, document: &ExecutableDocument, set: &SelectionSet, depth: usize) {
        self.depth = self.depth.max(depth);
        for selection in &set.items {
            self.selections += 1;
            assert!(self.selections <= SELECTIONS_MAX, "the document expands without end");
            match &selection.node {
                Selection::Field(field) => {
                    if !field.node.selection_set.node.items.is_empty() {
                        self.set(document, &field.node.selection_set.node, depth + 1);
                    }
                }
                Selection::InlineFragment(inline) => self.set(document, &inline.node.selection_set.node, depth + 1),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.set(document, &fragment.node.selection_set.node, depth + 1);
                    }
                }
            }
        }
    }
}

/// As they are written: a fragment's count once, however often it is spread.
fn aliases(set: &SelectionSet) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => usize::from(field.node.alias.is_some()) + aliases(&field.node.selection_set.node),
        Selection::InlineFragment(inline) => aliases(&inline.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    };
    set.items.iter().map(|selection| of(&selection.node)).sum()
}
