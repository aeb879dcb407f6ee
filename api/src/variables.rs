//! Variables against their declared types, before anything runs.
//!
//! The library checks a variable where an argument uses it, as that field is resolved; by then a sibling
//! may have written. The specification wants it before: CoerceVariableValues (October 2021, §6.1.2).
//!
//! Promises: after [`InputTypes::coerce`] the variables are those the operation declares, defaults filled
//! in, each of its type; what is refused is named by its path.
//!
//! Not here: values written in the document (validation), sizes and depth (`guard`), what a value means.

use crate::errors::ErrorCode;
use crate::graphql::scalars;
use crate::guard::Refused;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, OperationDefinition, Type, TypeKind, TypeSystemDefinition};
use async_graphql::{Name, Value, Variables};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// The input types of a schema, read from its SDL: the library keeps its own registry to itself.
#[derive(Debug)]
pub struct InputTypes {
    types: HashMap<String, InputKind>,
}

#[derive(Debug)]
enum InputKind {
    Enum(HashSet<String>),
    /// By name: of several that are missing, the first is named.
    Object {
        one_of: bool,
        fields: BTreeMap<String, InputField>,
    },
}

#[derive(Debug)]
struct InputField {
    ty: Type,
    has_default: bool,
}

impl InputTypes {
    /// Panics where the SDL does not parse: it is the program's own.
    pub fn of_sdl(sdl: &str) -> InputTypes {
        let document = parse_schema(sdl).expect("the library reads the SDL it writes");
        let mut types = HashMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let kind = match definition.node.kind {
                TypeKind::Enum(members) => InputKind::Enum(
                    members.values.into_iter().map(|member| member.node.value.node.to_string()).collect(),
                ),
                TypeKind::InputObject(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let has_default = field.node.default_value.is_some();
                        (field.node.name.node.to_string(), InputField { ty: field.node.ty.node, has_default })
                    });
                    let one_of = definition.node.directives.iter().any(|each| each.node.name.node == "oneOf");
                    InputKind::Object { one_of, fields: fields.collect() }
                }
                _ => continue,
            };
            types.insert(definition.node.name.node.to_string(), kind);
        }
        InputTypes { types }
    }

    /// The operation's variables out of the request's. VALIDATION_FAILED where one does not fit.
    pub fn coerce(&self, operation: &OperationDefinition, mut given: Variables) -> Result<Variables, Refused> {
        let mut coerced = Variables::default();
        for definition in &operation.variable_definitions {
            let name = &definition.node.name.node;
            let ty = &definition.node.var_type.node;
            match given.remove(name) {
                Some(value) => {
                    self.check(ty, &value, Place::Variable(name))
                        .map_err(|why| Refused::new(ErrorCode::ValidationFailed, why, definition.pos))?;
                    coerced.insert(name.clone(), value);
                }
                None => match &definition.node.default_value {
                    // Validation has checked it.
                    Some(default) => {
                        coerced.insert(name.clone(), default.node.clone());
                    }
                    None if ty.nullable => {}
                    None => {
                        let why = format!("${name}: a {ty} is needed");
                        return Err(Refused::new(ErrorCode::ValidationFailed, why, definition.pos));
                    }
                },
            }
        }
        Ok(coerced)
    }

    fn check(&self, ty: &Type, value: &Value, path: Place<'_>) -> Result<(), String> {
        match (&ty.base, value) {
            (_, Value::Null) if ty.nullable => Ok(()),
            (_, Value::Null) => Err(format!("{path}: a {ty} is needed, found null")),
            (BaseType::List(item), Value::List(values)) => {
                values.iter().enumerate().try_for_each(|(at, value)| self.check(item, value, Place::Entry(&path, at)))
            }
            // A single value is a list of one.
            (BaseType::List(item), single) => self.check(item, single, path),
            (BaseType::Named(name), value) => self.check_named(name, value, path),
        }
    }

    fn check_named(&self, name: &Name, value: &Value, path: Place<'_>) -> Result<(), String> {
        let fits = match (self.types.get(name.as_str()), value) {
            (Some(InputKind::Enum(members)), Value::String(text)) => members.contains(text),
            (Some(InputKind::Object { one_of, fields }), Value::Object(_)) => {
                return self.check_object(*one_of, fields, name, value, path);
            }
            (Some(_), _) => false,
            (None, value) => scalar_fits(name, value),
        };
        // The value is the caller's own, but it may be long or a secret in a log.
        if fits { Ok(()) } else { Err(format!("{path}: not a {name}{}", hint(value))) }
    }

    fn check_object(
        &self,
        one_of: bool,
        fields: &BTreeMap<String, InputField>,
        name: &Name,
        value: &Value,
        path: Place<'_>,
    ) -> Result<(), String> {
        let Value::Object(members) = value else {
            return Err(format!("{path}: not a {name}"));
        };
        if one_of && (members.len() != 1 || members.values().any(|value| matches!(value, Value::Null))) {
            return Err(format!("{path}: exactly one member of {name} is needed, not null"));
        }
        for (member, value) in members {
            let field =
                fields.get(member.as_str()).ok_or_else(|| format!("{path}: {name} has no member of the name given"))?;
            self.check(&field.ty, value, Place::Member(&path, member))?;
        }
        let missing = fields
            .iter()
            .find(|(member, field)| !field.ty.nullable && !field.has_default && !members.contains_key(member.as_str()));
        match missing {
            Some((member, field)) => Err(format!("{path}.{member}: a {} is needed", field.ty)),
            None => Ok(()),
        }
    }
}

/// Where a value stands; written out only for what is refused.
#[derive(Clone, Copy)]
enum Place<'a> {
    Variable(&'a str),
    Member(&'a Place<'a>, &'a str),
    Entry(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Variable(name) => write!(f, "${name}"),
            Place::Member(parent, name) => write!(f, "{parent}.{name}"),
            Place::Entry(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

/// The built-in scalars as the library's resolvers read them; scalars nobody knows are left to their fields.
fn scalar_fits(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("Int", Value::Number(number)) => number.as_i64().is_some_and(|whole| i32::try_from(whole).is_ok()),
        ("Float", Value::Number(_)) | ("String", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
        ("ID", Value::String(_)) => true,
        ("ID", Value::Number(number)) => number.is_i64(),
        ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
        _ => scalars::is_valid(name, value).unwrap_or(true),
    }
}

fn hint(value: &Value) -> &'static str {
    match value {
        Value::Number(_) => ", found a number",
        Value::Boolean(_) => ", found a boolean",
        Value::List(_) => ", found a list",
        Value::Object(_) => ", found an object",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{select, vet};
    use serde_json::json;

    const SDL: &str = r#"
        directive @oneOf on INPUT_OBJECT
        enum Direction { FORWARD REVERSE }
        scalar Decimal
        input MoneyInput { amount: Decimal! currency: CurrencyCode! }
        input BidInput { auctionId: ID! amount: MoneyInput! level: Int! = 1 note: String tags: [String!] }
        input AsOfInput @oneOf { seq: Seq at: DateTime }
        type Query { a: Int }
    "#;

    fn coerce(declared: &str, given: serde_json::Value) -> Result<serde_json::Value, String> {
        let vetted = vet(&format!("query({declared}){{a}}")).unwrap();
        let operation = select(&vetted.document, None).unwrap();
        InputTypes::of_sdl(SDL)
            .coerce(operation, Variables::from_json(given))
            .map(|variables| serde_json::to_value(variables).unwrap())
            .map_err(|refused| refused.message)
    }

    #[test]
    fn what_fits_is_taken_with_its_defaults_and_without_strangers() {
        let bid = json!({"auctionId": "auc_1", "amount": {"amount": "1.50", "currency": "EUR"}, "tags": ["a"]});
        assert_eq!(coerce("$b:BidInput!", json!({"b": bid, "stranger": 1})), Ok(json!({ "b": bid })));
        assert_eq!(coerce("$n:Int=3 $d:Direction $i:[ID!]", json!({"i": "one"})), Ok(json!({"n": 3, "i": "one"})));
        assert_eq!(coerce("$n:Int=3", json!({"n": null})), Ok(json!({"n": null})));
        assert_eq!(coerce("$d:Direction!", json!({"d": "FORWARD"})), Ok(json!({"d": "FORWARD"})));
        assert_eq!(coerce("$f:Float $i:ID", json!({"f": 1, "i": 7})), Ok(json!({"f": 1, "i": 7})));
        assert_eq!(coerce("$p:AsOfInput", json!({"p": {"seq": "1"}})), Ok(json!({"p": {"seq": "1"}})));
        assert_eq!(coerce("$x:Stranger", json!({"x": [1]})), Ok(json!({"x": [1]})));
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let bid = |amount: serde_json::Value| json!({"b": {"auctionId": "a", "amount": {"amount": amount, "currency": "EUR"}}});
        for (declared, given, why) in [
            ("$b:BidInput!", json!({}), "$b: a BidInput! is needed"),
            ("$b:BidInput!", json!({"b": null}), "$b: a BidInput! is needed, found null"),
            ("$b:BidInput!", bid(json!(1.5)), "$b.amount.amount: not a Decimal, found a number"),
            ("$b:BidInput!", bid(json!("1e3")), "$b.amount.amount: not a Decimal"),
            ("$b:BidInput!", bid(json!(null)), "$b.amount.amount: a Decimal! is needed, found null"),
            ("$b:BidInput!", json!({"b": {"auctionId": "a"}}), "$b.amount: a MoneyInput! is needed"),
            (
                "$b:BidInput!",
                json!({"b": {"auctionId": "a", "amount": {"amount": "1", "currency": "EUR", "x": 1}}}),
                "$b.amount: MoneyInput has no member of the name given",
            ),
            ("$b:[BidInput!]", json!({"b": [null]}), "$b[0]: a BidInput! is needed, found null"),
            ("$d:Direction", json!({"d": "SIDEWAYS"}), "$d: not a Direction"),
            ("$n:Int", json!({"n": 2_147_483_648_i64}), "$n: not a Int, found a number"),
            ("$n:Int", json!({"n": 1.5}), "$n: not a Int, found a number"),
            ("$n:Int", json!({"n": "1"}), "$n: not a Int"),
            ("$s:String", json!({"s": 1}), "$s: not a String, found a number"),
            ("$i:ID", json!({"i": true}), "$i: not a ID, found a boolean"),
            ("$p:AsOfInput", json!({"p": {}}), "$p: exactly one member of AsOfInput is needed, not null"),
            (
                "$p:AsOfInput",
                json!({"p": {"seq": "1", "at": null}}),
                "$p: exactly one member of AsOfInput is needed, not null",
            ),
        ] {
            assert_eq!(coerce(declared, given), Err(why.to_owned()));
        }
    }
}
