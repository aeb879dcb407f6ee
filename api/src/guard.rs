//! The document guard: what a document may ask for, decided before the GraphQL library sees it.
//!
//! The library walks fragments once per spread, before it validates; a document of 1.5 KB can make it walk
//! for minutes. So every document goes through here first: size, tokens and nesting by a small lexer, then
//! the parse, then one pass that measures each fragment once. All of it is linear in the document.
//!
//! Promises: a document that [`vet`] lets through expands to at most [`SELECTIONS_MAX`] selections, no deeper
//! than [`DEPTH_MAX`], without cycles.
//!
//! Not here: whether the document fits the schema (the library validates that), what it costs with its
//! variables (`cost`), and what a variable may hold beyond its size (`variables`).

mod root;
#[cfg(test)]
pub(crate) use root::MONEY_MUTATIONS;

use crate::errors::{ErrorCode, server_error};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Pos, ServerError, Value, Variables};
use async_graphql_value::Value as InputValue;
use std::collections::HashMap;

pub const DOCUMENT_BYTES_MAX: usize = 64 * 1_024;
pub const TOKENS_MAX: usize = 4_096;
/// Of brackets of any kind in the text, and of selection sets once fragments are expanded.
pub const DEPTH_MAX: usize = 32;
pub const ALIASES_MAX: usize = 100;
/// In the whole document.
pub const DIRECTIVES_MAX: usize = 32;
pub const OPERATIONS_MAX: usize = 16;
/// Of one operation.
pub const VARIABLES_MAX: usize = 100;
/// Selections of all definitions together, each fragment counted at each spread.
pub const SELECTIONS_MAX: u64 = 10_000;
/// Introspection lists that lead back to types may be nested this deep (tools need one).
const INTROSPECTION_LISTS_MAX: u32 = 2;

/// Why a document or its variables are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: ErrorCode,
    pub message: String,
    pub pos: Option<Pos>,
}

impl Refused {
    pub fn new(code: ErrorCode, message: impl Into<String>, pos: impl Into<Option<Pos>>) -> Refused {
        Refused { code, message: message.into(), pos: pos.into() }
    }
}

impl From<Refused> for ServerError {
    fn from(refused: Refused) -> ServerError {
        ServerError { locations: refused.pos.into_iter().collect(), ..server_error(refused.code, refused.message) }
    }
}

/// A document that may be handed to the library.
#[derive(Debug)]
pub struct Vetted {
    /// As it was written: what is validated and costed.
    pub document: ExecutableDocument,
    /// What is run in its place, where a subscription's field stands in fragments: the library runs nothing
    /// for such a field.
    inlined: Option<ExecutableDocument>,
    pub tokens: usize,
    /// An argument holds a variable inside a list or an object. The library can check such an argument only
    /// with the variables at hand, so validating the document once is not enough.
    pub mixed_arguments: bool,
    /// It asks for `__schema` or `__type`.
    pub introspects: bool,
}

impl Vetted {
    /// What the library may be given to run once `document` is validated.
    pub fn runnable(&self) -> &ExecutableDocument {
        self.inlined.as_ref().unwrap_or(&self.document)
    }
}

/// Reads a document and measures it. Depends on nothing but the text, so the answer can be kept.
pub fn vet(query: &str) -> Result<Vetted, Refused> {
    if query.len() > DOCUMENT_BYTES_MAX {
        return Err(too_much(format!("a document has at most {DOCUMENT_BYTES_MAX} bytes"), None));
    }
    let tokens = count_tokens(query)?;
    let document = parse_query(query).map_err(parse_failed)?;
    if document.operations.iter().len() > OPERATIONS_MAX {
        return Err(too_much(format!("a document has at most {OPERATIONS_MAX} operations"), None));
    }
    let mut survey =
        Survey { document: &document, shapes: HashMap::new(), aliases: 0, mixed_arguments: false, introspects: false };
    let mut selections: u64 = 0;
    for (_, operation) in document.operations.iter() {
        if operation.node.variable_definitions.len() > VARIABLES_MAX {
            return Err(too_much(format!("an operation has at most {VARIABLES_MAX} variables"), operation.pos));
        }
        let shape = survey.selection_set(&operation.node.selection_set.node, 0)?;
        selections = selections.saturating_add(shape.selections);
    }
    // Fragments that nothing spreads are refused by validation, but validation walks them too.
    for name in document.fragments.keys() {
        selections = selections.saturating_add(survey.fragment(name, 0)?.selections);
    }
    if selections > SELECTIONS_MAX {
        return Err(too_much(format!("a document expands to at most {SELECTIONS_MAX} selections"), None));
    }
    let (mixed_arguments, introspects) = (survey.mixed_arguments, survey.introspects);
    for (_, operation) in document.operations.iter() {
        root::check(&document, &operation.node)?;
    }
    let inlined = root::inlined(&document);
    Ok(Vetted { document, inlined, tokens, mixed_arguments, introspects })
}

/// The operation a request means: the named one, or the only one.
pub fn select<'a>(
    document: &'a ExecutableDocument,
    operation_name: Option<&str>,
) -> Result<&'a OperationDefinition, Refused> {
    let bad = |message: &str| Refused::new(ErrorCode::BadRequest, message, None);
    match (&document.operations, operation_name) {
        (DocumentOperations::Single(only), None) => Ok(&only.node),
        (DocumentOperations::Single(_), Some(_)) => Err(bad("the document has no operation of this name")),
        (DocumentOperations::Multiple(named), Some(name)) => {
            named.get(name).map(|found| &found.node).ok_or_else(|| bad("the document has no operation of this name"))
        }
        (DocumentOperations::Multiple(named), None) => {
            let mut each = named.values();
            match (each.next(), each.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(bad("operationName is needed: the document has several operations")),
            }
        }
    }
}

/// Variables come from JSON, whose reader bounds its own depth at 128; here they are held to the
/// document's depth, to 1,000 items a list and 10,000 values in all.
pub fn check_variables(variables: &Variables) -> Result<(), Refused> {
    fn walk(value: &Value, depth: usize, left: &mut usize) -> Result<(), Refused> {
        let bad = |message: &str| Err(Refused::new(ErrorCode::BadRequest, message, None));
        *left = match left.checked_sub(1) {
            Some(left) => left,
            None => return bad("the variables hold more than 10000 values"),
        };
        match value {
            Value::List(_) | Value::Object(_) if depth >= DEPTH_MAX => bad("the variables are nested too deep"),
            Value::List(items) if items.len() > 1_000 => bad("a list in the variables has more than 1000 items"),
            Value::List(items) => items.iter().try_for_each(|item| walk(item, depth + 1, left)),
            Value::Object(members) => members.values().try_for_each(|member| walk(member, depth + 1, left)),
            _ => Ok(()),
        }
    }
    let mut left = 10_000;
    variables.values().try_for_each(|value| walk(value, 1, &mut left))
}

pub(crate) fn too_much(message: String, pos: impl Into<Option<Pos>>) -> Refused {
    Refused::new(ErrorCode::CostExceeded, message, pos)
}

/// The parser's message quotes the line, which may be the whole document; only what it expected is kept.
fn parse_failed(error: parser::Error) -> Refused {
    let text = error.to_string();
    let message = text.lines().find_map(|line| line.trim_start().strip_prefix("= ")).map_or_else(
        || {
            if text.len() <= 200 { text.clone() } else { "the document is not GraphQL".to_owned() }
        },
        |expected| format!("the document is not GraphQL: {expected}"),
    );
    Refused::new(ErrorCode::ParseFailed, message, error.positions().next())
}

/// Counts tokens, directives and the depth of brackets, so that what the recursive parser is given is
/// small and shallow. Where a string does not end the parser might see brackets that this lexer does not,
/// so that is refused at once.
fn count_tokens(query: &str) -> Result<usize, Refused> {
    let bytes = query.as_bytes();
    let (mut at, mut tokens, mut depth, mut directives) = (0, 0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => continue,
            0xEF if bytes[start..].starts_with(b"\xEF\xBB\xBF") => {
                at += 2;
                continue;
            }
            b'#' => {
                at = bytes[start..]
                    .iter()
                    .position(|b| matches!(b, b'\n' | b'\r'))
                    .map_or(bytes.len(), |end| start + end);
                continue;
            }
            b'"' => {
                at = string_end(bytes, start)
                    .ok_or_else(|| Refused::new(ErrorCode::ParseFailed, "a string does not end", None))?;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'@' => directives += 1,
            b'.' if bytes[start..].starts_with(b"...") => at += 2,
            _ if word(byte) => {
                while bytes.get(at).is_some_and(|next| word(*next)) {
                    at += 1;
                }
            }
            _ => {}
        }
        tokens += 1;
        if tokens > TOKENS_MAX {
            return Err(too_much(format!("a document has at most {TOKENS_MAX} tokens"), None));
        }
        if depth > DEPTH_MAX {
            return Err(too_much(format!("a document is nested at most {DEPTH_MAX} deep"), None));
        }
        if directives > DIRECTIVES_MAX {
            return Err(too_much(format!("a document has at most {DIRECTIVES_MAX} directives"), None));
        }
    }
    Ok(tokens)
}

/// Of names and of numbers, as far as counting needs.
fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The position after the string that starts here; none where it does not end.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let block = bytes[start..].starts_with(b"\"\"\"");
    let mut at = start + if block { 3 } else { 1 };
    loop {
        match (bytes.get(at)?, block) {
            (b'"', false) => return Some(at + 1),
            (b'\n' | b'\r', false) => return None,
            (b'\\', false) => at += 2,
            (b'"', true) if bytes[at..].starts_with(b"\"\"\"") => return Some(at + 3),
            (b'\\', true) if bytes[at..].starts_with(b"\\\"\"\"") => at += 4,
            _ => at += 1,
        }
    }
}

/// What a selection set comes to once its fragments are expanded.
#[derive(Clone, Copy, Default)]
struct Shape {
    selections: u64,
    /// Selection sets below this one.
    height: usize,
    introspection_lists: u32,
}

/// Measures each definition once. A fragment that is being measured has no shape yet: meeting it is a cycle.
struct Survey<'a> {
    document: &'a ExecutableDocument,
    shapes: HashMap<&'a str, Option<Shape>>,
    aliases: usize,
    mixed_arguments: bool,
    introspects: bool,
}

impl<'a> Survey<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet, depth: usize) -> Result<Shape, Refused> {
        check_depth(depth)?;
        let mut sum = Shape::default();
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => self.field(&field.node, depth)?,
                Selection::InlineFragment(inline) => self.below(&inline.node.selection_set.node, depth)?,
                Selection::FragmentSpread(spread) => {
                    let shape = self.fragment(&spread.node.fragment_name.node, depth + 1)?;
                    Shape { height: shape.height + 1, ..shape }
                }
            };
            sum.selections = sum.selections.saturating_add(1).saturating_add(inner.selections);
            sum.height = sum.height.max(inner.height);
            sum.introspection_lists = sum.introspection_lists.max(inner.introspection_lists);
        }
        check_depth(depth + sum.height)?;
        if sum.introspection_lists > INTROSPECTION_LISTS_MAX {
            return Err(too_much("introspection goes from type to type too often".to_owned(), None));
        }
        Ok(sum)
    }

    fn below(&mut self, set: &'a SelectionSet, depth: usize) -> Result<Shape, Refused> {
        let shape = self.selection_set(set, depth + 1)?;
        Ok(Shape { height: shape.height + 1, ..shape })
    }

    fn field(&mut self, field: &'a Field, depth: usize) -> Result<Shape, Refused> {
        if let Some(alias) = &field.alias {
            self.aliases += 1;
            if self.aliases > ALIASES_MAX {
                return Err(too_much(format!("a document has at most {ALIASES_MAX} aliases"), alias.pos));
            }
        }
        self.introspects |= matches!(field.name.node.as_str(), "__schema" | "__type");
        self.mixed_arguments |= field.arguments.iter().any(|(_, value)| match &value.node {
            InputValue::Variable(_) => false,
            other => holds_variable(other),
        });
        if field.selection_set.node.items.is_empty() {
            return Ok(Shape::default());
        }
        let shape = self.below(&field.selection_set.node, depth)?;
        // The lists by which introspection comes back to types, as graphql-js limits them.
        let list = matches!(field.name.node.as_str(), "fields" | "interfaces" | "possibleTypes" | "inputFields");
        Ok(Shape { introspection_lists: shape.introspection_lists + u32::from(list), ..shape })
    }

    /// A fragment that the document lacks measures nothing; validation names it.
    fn fragment(&mut self, name: &'a str, depth: usize) -> Result<Shape, Refused> {
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Shape::default());
        };
        match self.shapes.get(name) {
            Some(Some(shape)) => {
                check_depth(depth + shape.height)?;
                Ok(*shape)
            }
            Some(None) => {
                let message = format!("the fragment {name} spreads itself");
                Err(Refused::new(ErrorCode::ValidationFailed, message, fragment.pos))
            }
            None => {
                self.shapes.insert(name, None);
                let shape = self.selection_set(&fragment.node.selection_set.node, depth)?;
                self.shapes.insert(name, Some(shape));
                Ok(shape)
            }
        }
    }
}

fn holds_variable(value: &InputValue) -> bool {
    match value {
        InputValue::Variable(_) => true,
        InputValue::List(items) => items.iter().any(holds_variable),
        InputValue::Object(members) => members.values().any(holds_variable),
        _ => false,
    }
}

fn check_depth(depth: usize) -> Result<(), Refused> {
    if depth > DEPTH_MAX {
        return Err(too_much(format!("a document is nested at most {DEPTH_MAX} deep, fragments included"), None));
    }
    Ok(())
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
