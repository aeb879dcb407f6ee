//! Variables: JSON as a request brings it, against every kind of declared type.
//!
//! Promises checked: what is coerced is of the declared names alone, none that is needed is missing, and coercing it
//! again changes nothing. The input is JSON: an object of variables.

#![no_main]

use api::guard::{check_variables, select, vet};
use api::variables::InputTypes;
use async_graphql::Variables;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Every input type of the contract, and each wrapping of scalars.
static TYPES: LazyLock<InputTypes> = LazyLock::new(|| InputTypes::of_sdl(&api::graphql::sdl()));

/// One operation per way to declare; names are the seeds'.
const DECLARED: [&str; 8] = [
    "$input: PlaceBidInput!",
    "$input: PublishOfferInput!",
    "$input: AcceptOfferInput!",
    "$input: RegisterAgentInput",
    "$filter: AuditFilter, $first: Int! = 5, $after: Cursor, $reverse: Boolean = false",
    "$ids: [ID!]!, $statuses: [AgentStatus!], $deep: [[Int]]",
    "$a: Decimal, $b: DateTime, $c: Duration, $d: Seq, $e: CurrencyCode, $f: JSON, $g: Float, $h: String",
    "$allocation: AllocationInput = {claim: {}}, $money: MoneyInput",
];

fuzz_target!(|data: &[u8]| {
    let Ok(given) = serde_json::from_slice::<Variables>(data) else {
        return;
    };
    if check_variables(&given).is_err() {
        return;
    }
    for declared in DECLARED {
        let vetted = vet(&format!("query({declared}) {{ a }}")).expect("the declaration is well-formed");
        let operation = select(&vetted.document, None).expect("there is one operation");
        let Ok(coerced) = TYPES.coerce(operation, given.clone()) else {
            continue;
        };
        for definition in &operation.variable_definitions {
            let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
            let null = coerced.get(name).is_none_or(|value| *value == async_graphql::Value::Null);
            assert!(ty.nullable || !null, "${name} is needed");
        }
        let known =
            |name: &async_graphql::Name| operation.variable_definitions.iter().any(|it| it.node.name.node == *name);
        assert!(coerced.keys().all(known), "a variable nobody declared");
        let again = TYPES.coerce(operation, coerced.clone()).expect("what was coerced fits");
        assert_eq!(*again, *coerced);
    }
});
