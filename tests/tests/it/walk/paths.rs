//! Every path of a schema as documents: from a root field through each field of each type, a number of objects deep.
//!
//! Promises: no field of a type that is reached is left out, unions and interfaces are asked through each of their
//! types, and every document stays within what one request may cost. The schema is the one that the house tells of
//! itself, so a field that comes later is walked, too.
//!
//! Not here: who asks, with which ids, and what may be found.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::Client;

/// Of one request, somewhat below what the house takes.
const COST: u64 = 19_000;
const TOKENS: u64 = 3_600;
const ALIASES: u64 = 90;
/// What the house charges on top.
const WEIGHTS: [(&str, u64); 2] = [("auditTrail", 4_000), ("asOf", 6_000)];

const INTROSPECTION: &str = "{ __schema { types { kind name interfaces { name } possibleTypes { name }
    fields { name type { ...type } args { name defaultValue type { ...type } } } } } }
fragment type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

pub(super) struct Schema(BTreeMap<String, Type>);

pub(super) struct Type {
    kind: String,
    is_node: bool,
    pub(super) fields: Vec<Field>,
    possible: Vec<String>,
}

impl Type {
    fn is_object(&self) -> bool {
        self.kind == "OBJECT"
    }
}

pub(super) struct Field {
    pub(super) name: String,
    /// The named type, without its wrappers.
    pub(super) of: String,
    pub(super) required: Vec<String>,
}

impl Schema {
    pub(super) fn ask(client: &mut Client) -> Schema {
        let told = client.ask(INTROSPECTION, Value::Null);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
        let field = |field: &Value| {
            let required = list(&field["args"]).into_iter();
            let required = required.filter(|arg| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null());
            Field { name: name(field), of: named(&field["type"]), required: required.map(|arg| name(&arg)).collect() }
        };
        let types = list(&told["__schema"]["types"]).into_iter().map(|one| {
            let is_node = list(&one["interfaces"]).iter().any(|interface| name(interface) == "Node");
            let possible = list(&one["possibleTypes"]).iter().map(name).collect();
            let fields = list(&one["fields"]).iter().map(field).collect();
            (name(&one), Type { kind: name_of_kind(&one), is_node, fields, possible })
        });
        Schema(types.collect())
    }

    pub(super) fn of(&self, name: &str) -> &Type {
        self.0.get(name).unwrap_or_else(|| panic!("the schema has no type {name}"))
    }

    pub(super) fn nodes(&self) -> &[String] {
        &self.of("Node").possible
    }

    fn is_leaf(&self, name: &str) -> bool {
        matches!(self.of(name).kind.as_str(), "SCALAR" | "ENUM")
    }

    /// Types that answers can hold, from this one on.
    fn reached(&self, from: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(name) = next.pop() {
            let one = self.of(&name);
            if !self.is_leaf(&name) && found.insert(name.clone()) {
                next.extend(one.fields.iter().map(|field| field.of.clone()).chain(one.possible.iter().cloned()));
            }
        }
        found
    }

    /// Each field of an object, from this type on.
    pub(super) fn fields(&self, from: &str) -> BTreeSet<String> {
        let objects = self.reached(from).into_iter().filter(|name| self.of(name).is_object());
        let fields = |name: String| self.of(&name).fields.iter().map(move |field| format!("{name}.{}", field.name));
        objects.flat_map(fields).collect()
    }

    /// Each field with each that can stand right beneath it, from this type on.
    pub(super) fn pairs(&self, from: &str) -> BTreeSet<Pair> {
        let mut found = BTreeSet::new();
        for name in self.reached(from) {
            for field in &self.of(&name).fields {
                let of = self.of(&field.of);
                let beneath = std::iter::once(&field.of).chain(&of.possible).map(|name| (name, self.of(name)));
                for (on, one) in beneath.filter(|(_, one)| one.is_object()) {
                    found.extend(
                        one.fields.iter().map(|next| [name.clone(), field.name.clone(), on.clone(), next.name.clone()]),
                    );
                }
            }
        }
        found
    }

    /// All that stands beneath a value of the type `of`, `nodes` more objects with an id deep. What has no id is a
    /// part of what it stands in.
    pub(super) fn beneath(&self, of: &str, nodes: usize, fill: &Fill) -> Vec<Step> {
        let one = self.of(of);
        if !one.possible.is_empty() {
            let each = one.possible.iter().filter_map(|name| self.narrowed(name, nodes, fill));
            return std::iter::once(Step::new(of, "__typename", "")).chain(each).collect();
        }
        one.fields.iter().flat_map(|field| self.steps(of, field, nodes, fill)).collect()
    }

    /// One of the types of an interface, and its name, which says that it is one.
    pub(super) fn narrowed_with_name(&self, name: &str, nodes: usize, fill: &Fill) -> Vec<Step> {
        std::iter::once(Step::new(name, "__typename", "")).chain(self.narrowed(name, nodes, fill)).collect()
    }

    /// `... on` one of the types of a union or an interface.
    fn narrowed(&self, name: &str, nodes: usize, fill: &Fill) -> Option<Step> {
        let nodes = if self.of(name).is_node { nodes.checked_sub(1)? } else { nodes };
        Some(Step { on_type: true, beneath: self.beneath(name, nodes, fill), ..Step::new(name, "", "") })
    }

    /// A field with each way to fill its arguments, and what stands beneath it; none where it would lead too deep.
    pub(super) fn steps(&self, on: &str, field: &Field, nodes: usize, fill: &Fill) -> Vec<Step> {
        let mut beneath = Vec::new();
        if !self.is_leaf(&field.of) {
            let is_node = self.of(&field.of).is_node;
            if is_node && nodes == 0 {
                return Vec::new();
            }
            beneath = self.beneath(&field.of, nodes - usize::from(is_node), fill);
            // A connection to what would be too deep.
            if beneath.is_empty() {
                return Vec::new();
            }
        }
        let filled = fill(on, field, nodes);
        let many = filled.len() > 1;
        let step = |(at, (arguments, times)): (usize, (String, u64))| Step {
            alias: many.then(|| format!("{}{at}", field.name)),
            times,
            beneath: beneath.clone(),
            ..Step::new(on, &field.name, &arguments)
        };
        filled.into_iter().enumerate().map(step).collect()
    }
}

/// The ways to fill the arguments of a field of a type, with so many objects beneath: the text, and how many it asks
/// for at most.
pub(super) type Fill<'a> = dyn Fn(&str, &Field, usize) -> Vec<(String, u64)> + 'a;

fn name_of_kind(value: &Value) -> String {
    value["kind"].as_str().unwrap_or_default().to_owned()
}

fn named(mut value: &Value) -> String {
    while !value["ofType"].is_null() {
        value = &value["ofType"];
    }
    value["name"].as_str().unwrap_or_default().to_owned()
}

/// A field of a document, or a narrowing to a type.
#[derive(Clone)]
pub(super) struct Step {
    /// The type that has the field.
    pub(super) on: String,
    pub(super) field: String,
    alias: Option<String>,
    arguments: String,
    times: u64,
    on_type: bool,
    pub(super) beneath: Vec<Step>,
}

impl Step {
    /// A field under a name of its own, asked as `arguments` say.
    pub(super) fn asked(on: &str, field: &Field, name: String, arguments: &str, beneath: Vec<Step>) -> Step {
        Step { alias: Some(name), beneath, ..Step::new(on, &field.name, arguments) }
    }

    /// For as many as `times`.
    pub(super) fn times(self, times: usize) -> Step {
        Step { times: u64::try_from(times).unwrap_or(u64::MAX), ..self }
    }

    fn new(on: &str, field: &str, arguments: &str) -> Step {
        let (on, field, arguments) = (on.to_owned(), field.to_owned(), arguments.to_owned());
        Step { on, field, alias: None, arguments, times: 1, on_type: false, beneath: Vec::new() }
    }

    fn weight(&self) -> u64 {
        1 + WEIGHTS.iter().find(|(name, _)| *name == self.field).map_or(0, |(_, weight)| *weight)
    }
    fn cost(&self) -> u64 {
        self.weight() + self.times * self.beneath.iter().map(Step::cost).sum::<u64>()
    }
    fn own_tokens(&self) -> u64 {
        let marks = self.arguments.chars().filter(|letter| !letter.is_alphanumeric() && *letter != '_').count();
        // At most a word between two marks; braces, alias and colon.
        6 + 2 * u64::try_from(marks).unwrap_or(u64::MAX)
    }
    fn tokens(&self) -> u64 {
        if self.beneath.is_empty() && self.arguments.is_empty() && self.alias.is_none() {
            return 1;
        }
        self.own_tokens() + self.beneath.iter().map(Step::tokens).sum::<u64>()
    }
    fn aliases(&self) -> u64 {
        u64::from(self.alias.is_some()) + self.beneath.iter().map(Step::aliases).sum::<u64>()
    }

    fn fits(&self, limits: Limits) -> bool {
        self.cost() <= limits.cost && self.tokens() <= limits.tokens && self.aliases() <= limits.aliases
    }

    /// The same in pieces that each fit one request.
    fn split(self, limits: Limits) -> Vec<Step> {
        if self.fits(limits) {
            return vec![self];
        }
        let spare = |what: u64, own: u64| {
            what.checked_sub(own)
                .unwrap_or_else(|| panic!("{}.{} does not fit one request: {limits:?}", self.on, self.field))
        };
        let within = Limits {
            cost: spare(limits.cost, self.weight()) / self.times.max(1),
            tokens: spare(limits.tokens, self.own_tokens()),
            aliases: spare(limits.aliases, u64::from(self.alias.is_some())),
        };
        let with = |beneath: Vec<Step>| Step { beneath, ..self.clone() };
        packed(self.beneath.clone(), within).into_iter().map(with).collect()
    }

    fn write(&self, out: &mut String) {
        if self.on_type {
            out.push_str("... on ");
            out.push_str(&self.on);
        } else {
            if let Some(alias) = &self.alias {
                out.push_str(alias);
                out.push(':');
            }
            out.push_str(&self.field);
            out.push_str(&self.arguments);
        }
        if !self.beneath.is_empty() {
            write_set(&self.beneath, out);
        }
        out.push(' ');
    }

    /// Tells `tell` of each value in an answer that this step, or one beneath, asked for.
    pub(super) fn visit<'a>(&'a self, parent: &'a Value, tell: &mut impl FnMut(&'a Step, &'a Value)) {
        if self.on_type {
            if parent["__typename"] == self.on {
                self.beneath.iter().for_each(|step| step.visit(parent, tell));
            }
            return;
        }
        self.each(&parent[self.alias.as_ref().unwrap_or(&self.field)], tell);
    }

    fn each<'a>(&'a self, value: &'a Value, tell: &mut impl FnMut(&'a Step, &'a Value)) {
        match value {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| self.each(item, tell)),
            _ => {
                tell(self, value);
                self.beneath.iter().for_each(|step| step.visit(value, tell));
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    cost: u64,
    tokens: u64,
    aliases: u64,
}

/// Steps in as few sets as fit.
fn packed(steps: Vec<Step>, limits: Limits) -> Vec<Vec<Step>> {
    let mut sets: Vec<Vec<Step>> = vec![Vec::new()];
    let mut left = limits;
    for piece in steps.into_iter().flat_map(|step| step.split(limits)) {
        if !piece.fits(left) {
            sets.push(Vec::new());
            left = limits;
        }
        left.cost -= piece.cost().min(left.cost);
        left.tokens -= piece.tokens().min(left.tokens);
        left.aliases -= piece.aliases().min(left.aliases);
        sets.last_mut().expect("one is there").push(piece);
    }
    sets
}

fn write_set(steps: &[Step], out: &mut String) {
    out.push('{');
    steps.iter().for_each(|step| step.write(out));
    out.push('}');
}

/// A type and its field, and a type and field right beneath.
pub(super) type Pair = [String; 4];

/// The pairs that these ask for.
pub(super) fn pairs(documents: &[Document]) -> BTreeSet<Pair> {
    fn walk<'a>(before: Option<&'a Step>, step: &'a Step, found: &mut BTreeSet<[&'a str; 4]>) {
        if let Some(before) = before.filter(|_| !step.on_type) {
            found.insert([&before.on, &before.field, &step.on, &step.field]);
        }
        let before = if step.on_type { before } else { Some(step) };
        step.beneath.iter().for_each(|next| walk(before, next, found));
    }
    let mut found = BTreeSet::new();
    documents.iter().flat_map(|document| &document.steps).for_each(|step| walk(None, step, &mut found));
    found.into_iter().map(|pair| pair.map(str::to_owned)).collect()
}

/// One request: its text, and what it asks for.
pub(super) struct Document {
    pub(super) text: String,
    pub(super) steps: Vec<Step>,
}

/// These fields of `Query` in as few requests as may be.
pub(super) fn documents(roots: Vec<Step>) -> Vec<Document> {
    let limits = Limits { cost: COST, tokens: TOKENS, aliases: ALIASES };
    let sets = packed(roots, limits).into_iter().filter(|set| !set.is_empty());
    let document = |steps: Vec<Step>| {
        let mut text = String::new();
        write_set(&steps, &mut text);
        Document { text, steps }
    };
    sets.map(document).collect()
}

/// A field of `Subscription` in as few operations as may be, which have it alone.
pub(super) fn subscriptions(root: Step) -> Vec<Document> {
    let limits = Limits { cost: COST, tokens: TOKENS, aliases: ALIASES };
    let document = |step: Step| {
        let steps = vec![step];
        let mut text = "subscription".to_owned();
        write_set(&steps, &mut text);
        Document { text, steps }
    };
    root.split(limits).into_iter().map(document).collect()
}

/// What a payload is asked for, in the pieces that one request each can ask for.
pub(super) fn payloads(steps: Vec<Step>) -> Vec<Document> {
    let limits = Limits { cost: COST - 100, tokens: TOKENS - 100, aliases: ALIASES };
    let document = |steps: Vec<Step>| {
        let text = steps.iter().fold(String::new(), |mut text, step| {
            step.write(&mut text);
            text
        });
        Document { text, steps }
    };
    packed(steps, limits).into_iter().filter(|set| !set.is_empty()).map(document).collect()
}
