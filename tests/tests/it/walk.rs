//! A walk of every path of the SDL (attack A5): whoever asks, by whichever way, never finds what is not its own.
//!
//! A small community has secrets in it, each a text or an amount that stands nowhere else. Everybody then asks for
//! everything: each field of `Query` with the ids of everything that anybody has seen, each field of each type
//! beneath, `NODES` objects deep, through each type of each union and interface, now and at moments of the past; and
//! whoever gives a mutation asks the same of its payload. `SECRETS` says who may find what. It was written from the
//! design's table of rights, not from the code.
//!
//! `feeds` walks the items of every subscription in the same way.
//!
//! Not here: that something is there or not (`rights`, `sealed`), SIDE channels, which nothing opens yet.

mod feeds;
mod paths;
mod story;

use paths::{Document, Field, Schema, Step, documents, pairs};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use story::{Story, tell};
use tests::{Client, House, Scratch};

/// How many objects with an id stand on a path.
const NODES: usize = 3;

const VIEWERS: [&str; 13] =
    ["anonymous", "Carla", "Cora", "Zoe", "Ann", "Ben", "Cat", "Dan", "Eve", "bank", "rival", "finance", "operator"];

/// Carla talked with Ann, and talks with her again: both bank's inquiries. Ben lost to Ann, Cat looks on; both bid
/// for Cora, who waits in bank's sealed and proxy auctions. Zoe waits in rival's: in main, where Ann, Ben and Cat are,
/// and in other, where Dan has bid, and where he let a reservation lapse that Eve was asked to take. In the order of
/// VIEWERS: `c` where it is found, `-` where never.
const SECRETS: [(&str, &str, &str); 43] = [
    ("where bank is told", "hook-of-bank", "---------c--c"),
    ("Carla's name", "Carla Carlsen", "-c--c--------"),
    ("Carla's address", "carla@example.org", "-c--c--------"),
    ("Carla's telephone", "+351210000001", "-c--c--------"),
    ("Carla's attribute", "iban-of-carla", "-c--c--------"),
    ("Carla's attribute shown before consent", "gold-of-carla", "-c--c----c---"),
    ("Carla's question", "Where is the card of Carla?", "-c--c----c---"),
    ("Carla's earlier question", "Was there a card of Carla?", "-c--c----c---"),
    ("what Carla read", "excerpt-of-carla", "-c--c----c---"),
    ("Carla's message", "word-of-carla", "-c--c--------"),
    ("Ann's message", "word-of-ann", "-c--c--------"),
    ("Ann's notes", "notes-of-ann", "----c-------c"),
    ("Ann's notes of before", "earlier-notes-of-ann", "----c-------c"),
    ("the record's notes", "record-notes-of-ann", "----c--------"),
    ("the record's disposition", "disposition-of-ann", "-c--c--------"),
    ("the record's information", "information-of-ann", "-c--c--------"),
    ("Cora's name", "Cora Corelli", "--c----------"),
    ("Cora's address", "cora@example.org", "--c----------"),
    ("Cora's telephone", "+351210000002", "--c----------"),
    ("Cora's attribute", "iban-of-cora", "--c----------"),
    ("Cora's attribute shown before consent", "silver-of-cora", "--c-ccc--c---"),
    ("Cora's question", "Where is the card of Cora?", "--c------c---"),
    ("Zoe's name", "Zoe Zola", "---c---------"),
    ("Zoe's attribute shown before consent", "bronze-of-zoe", "---cccccc-c--"),
    ("Zoe's question", "Where is the loan of Zoe?", "---c------c--"),
    ("Ann's name", "Ann of Ankara", "-c--c----c---"),
    ("Ben's name", "Ben of Berlin", "-----c-------"),
    ("Cat's name", "Cat of Cairo", "------c------"),
    ("Dan's name", "Dan of Dakar", "-------c-----"),
    ("Eve's name", "Eve of Essen", "--------c----"),
    ("Ben's sealed bid", "71.13", "-----c-------"),
    ("Cat's sealed bid", "73.17", "------c------"),
    ("Dan's sealed bid", "8.37", "-------c-----"),
    ("Ben's leading maximum", "87.19", "-----c-------"),
    ("Ann's bid, once sealed", "23.29", "----c----c-cc"),
    ("Ben's bid, once sealed, which is the price", "19.31", "----cc---c-cc"),
    ("bank's hidden reserve", "4.11", "---------c--c"),
    ("rival's hidden reserve in main", "7.19", "----------c-c"),
    ("rival's hidden reserve in other", "6.13", "----------c-c"),
    ("Ben's balance", "2011.31", "-----c-----cc"),
    ("what Ben has left", "1852.99", "-----c-------"),
    ("what Cat has left", "2940.20", "------c------"),
    ("rival's balance", "6029.43", "----------ccc"),
];

/// Types that nothing can be of yet: offers are made with auctions alone. And what the classifier says: in this story
/// it has learned nothing.
const NOT_YET: [&str; 5] = ["ClaimRules.", "RoutedRules.", "TopicScore.", "Inquiry.topicScores", "Query.suggestTopics"];

/// What one viewer found so far.
#[derive(Default)]
struct Found {
    secrets: BTreeSet<&'static str>,
    /// Who found what, and the first way to it.
    leaks: BTreeSet<String>,
    /// Texts that were looked at.
    read: HashSet<String>,
    /// Types and fields that had a value.
    fields: BTreeSet<String>,
    /// By type.
    ids: Ids,
    errors: BTreeSet<String>,
}

type Ids = BTreeMap<String, BTreeSet<String>>;

fn may(viewer: usize, seen: &str) -> bool {
    seen.as_bytes()[viewer] == b'c'
}

/// Amounts stand alone in a string, with a sign where something is taken; words anywhere in one.
fn holds(text: &str, secret: &str) -> bool {
    match secret.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        true => text.strip_prefix('-').unwrap_or(text) == secret,
        false => text.contains(secret),
    }
}

/// Each text in an answer, with the way to it.
fn texts<'a>(value: &'a Value, way: &mut Vec<&'a str>, tell: &mut impl FnMut(&'a str, &[&'a str])) {
    match value {
        Value::String(text) => tell(text, way),
        Value::Array(items) => items.iter().for_each(|item| texts(item, way, tell)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            way.push(name);
            texts(value, way, tell);
            way.pop();
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Found {
    /// An answer, and what of it the document asked for.
    fn note(&mut self, viewer: usize, answer: &Value, data: &Value, document: &Document) {
        let (read, secrets, leaks) = (&mut self.read, &mut self.secrets, &mut self.leaks);
        texts(answer, &mut Vec::new(), &mut |text, way| {
            if !read.contains(text) {
                read.insert(text.to_owned());
                for (name, _, seen) in SECRETS.iter().filter(|(_, secret, _)| holds(text, secret)) {
                    secrets.insert(*name);
                    if !may(viewer, seen) {
                        leaks.insert(format!("{} finds {name} at {}", VIEWERS[viewer], way.join(".")));
                    }
                }
            }
        });
        for error in answer["errors"].as_array().into_iter().flatten() {
            self.errors.insert(format!("{}: {error}", VIEWERS[viewer]));
        }
        let mut had: HashMap<*const Step, &Step> = HashMap::new();
        for step in &document.steps {
            step.visit(data, &mut |step, value| {
                had.insert(step, step);
                if let (true, Value::String(id)) = (step.field == "id", value) {
                    self.ids.entry(step.on.clone()).or_default().insert(id.clone());
                }
            });
        }
        self.fields.extend(had.values().map(|step| format!("{}.{}", step.on, step.field)));
    }

    fn take(&mut self, other: Found) {
        self.secrets.extend(other.secrets);
        self.leaks.extend(other.leaks);
        self.fields.extend(other.fields);
        self.errors.extend(other.errors);
        for (of, ids) in other.ids {
            self.ids.entry(of).or_default().extend(ids);
        }
    }
}

/// Ids of these types.
fn of(ids: &Ids, types: &[&str]) -> Vec<String> {
    types.iter().flat_map(|name| ids.get(*name).into_iter().flatten().cloned()).collect()
}

/// How required arguments of a field are filled, with these ids.
fn fill<'a>(ids: &'a Ids) -> impl Fn(&str, &Field, usize) -> Vec<(String, u64)> + 'a {
    move |on, field, nodes| {
        let required: Vec<&str> = field.required.iter().map(String::as_str).collect();
        let count = match (on, field.name.as_str()) {
            ("Query", "auditTrail") => 100,
            ("Query", _) => 8,
            // Deep down more would cost more than one request may, and is found further up.
            _ if nodes > 1 => 4,
            _ => 2,
        };
        match required.as_slice() {
            [] => vec![(String::new(), 1)],
            ["first"] => vec![(format!("(first: {count})"), count)],
            ["id"] => of(ids, &[&field.of]).iter().map(|id| (format!("(id: \"{id}\")"), 1)).collect(),
            ["channelId", "first"] => {
                let each = of(ids, &["Channel"]);
                each.iter().map(|id| (format!("(channelId: \"{id}\", first: {count})"), count)).collect()
            }
            ["offerId", "question", "first"] => {
                let each = of(ids, &["Offer"]);
                let asked = |id| (format!("(offerId: \"{id}\", question: \"Where is it?\", first: 2)"), 2);
                each.iter().map(asked).collect()
            }
            other => panic!("the walk does not know how to fill {on}.{}({other:?}): say it here", field.name),
        }
    }
}

/// A field of `Query` narrowed to what others have, by the arguments that it does not require.
fn narrowed(ids: &Ids, field: &str) -> Vec<(String, usize)> {
    let by = |types: &[&str], before: &str, after: &str, times: usize| {
        let each = of(ids, types).into_iter();
        each.map(|id| (format!("({before}\"{id}\"{after}, first: {times})"), times)).collect::<Vec<_>>()
    };
    match field {
        "auditTrail" => {
            let subjects = ["Inquiry", "Auction", "Agent", "Customer", "Provider", "Offer", "Session"];
            let mut all = by(&subjects, "subject: ", "", 100);
            all.push(("(reverse: true, first: 100)".to_owned(), 100));
            all
        }
        "accounts" => by(&["Agent", "Provider"], "ownerId: ", "", 5),
        "offers" => by(&["Provider"], "providerId: ", "", 5),
        "inquiries" => by(&["Customer"], "filter: {customerId: ", "}", 5),
        "settlements" => by(&["Agent", "Provider"], "filter: {partyId: ", "}", 5),
        _ => Vec::new(),
    }
}

/// Every field of `Query`, with these ids, at these moments.
fn roots(schema: &Schema, ids: &Ids, nodes: usize, moments: &[String]) -> Vec<Step> {
    let fill = fill(ids);
    let mut all = Vec::new();
    for field in &schema.of("Query").fields {
        let asked = |name: String, arguments: &str, beneath: Vec<Step>| {
            Step::asked("Query", field, format!("{}{name}", field.name), arguments, beneath)
        };
        match field.name.as_str() {
            "node" | "nodes" => {
                let size = if field.name == "node" { 1 } else { 8 };
                for name in schema.nodes() {
                    // Both find the same; one leads on.
                    let nodes = if size == 1 { nodes - 1 } else { nodes };
                    let beneath = schema.narrowed_with_name(name, nodes, &fill);
                    for (at, some) in of(ids, &[name]).chunks(size).enumerate() {
                        let arguments = match some {
                            [one] if size == 1 => format!("(id: \"{one}\")"),
                            some => format!("(ids: {})", json!(some)),
                        };
                        all.push(asked(format!("{name}{at}"), &arguments, beneath.clone()).times(some.len()));
                    }
                }
            }
            // What leads on from there reads the same rows as now, at another moment.
            "asOf" => all.extend(moments.iter().enumerate().map(|(at, moment)| {
                asked(at.to_string(), &format!("({moment})"), schema.beneath("Snapshot", nodes - 1, &fill))
            })),
            _ => all.extend(schema.steps("Query", field, nodes, &fill)),
        }
        for (at, (arguments, times)) in narrowed(ids, &field.name).into_iter().enumerate() {
            all.push(asked(format!("By{at}"), &arguments, schema.beneath(&field.of, 1, &fill)).times(times));
        }
    }
    all
}

/// Everybody asks these.
fn ask_all(clients: &mut [Client], documents: &[Document]) -> Vec<Found> {
    std::thread::scope(|scope| {
        let each = clients.iter_mut().enumerate().map(|(viewer, client)| {
            scope.spawn(move || {
                let mut found = Found::default();
                for document in documents {
                    let answer = client.send(&document.text, Value::Null).expect("the server answers");
                    found.note(viewer, &answer, &answer["data"], document);
                }
                found
            })
        });
        let started: Vec<_> = each.collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The community, when all has happened, and moments to look back at.
fn told(house: &House) -> (Story<'_>, Vec<String>) {
    // Everybody is a stranger until the story says who it is.
    let mut clients: Vec<Client> = VIEWERS.iter().map(|_| house.client("")).collect();
    for role in ["finance", "operator"] {
        clients[place(role)] = house.client(&house.token(role, None));
    }
    let schema = Schema::ask(&mut clients[place("operator")]);
    let found = VIEWERS.iter().map(|_| Found::default()).collect();
    let cursors = vec![BTreeMap::new(); VIEWERS.len()];
    let mut story = Story { house, schema, clients, found, cursors };
    let moments = tell(&mut story);
    (story, moments)
}

/// A place in VIEWERS.
fn place(who: &str) -> usize {
    VIEWERS.iter().position(|name| *name == who).unwrap()
}

#[test]
fn no_path_of_the_sdl_leads_anybody_to_what_is_not_its_own() {
    for (name, _, seen) in SECRETS {
        assert_eq!(seen.len(), VIEWERS.len(), "{name}");
    }
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--rate-limit", "off", "--loopback-webhooks"]);
    let (story, moments) = told(&house);
    let Story { schema, mut clients, mut found, .. } = story;

    // What anybody finds without an id tells everybody the ids.
    let (mut ids, mut asked) = (Ids::new(), BTreeSet::new());
    for nodes in [2, NODES] {
        let documents = documents(roots(&schema, &ids, nodes, &moments));
        asked = pairs(&documents);
        for (all, now) in found.iter_mut().zip(ask_all(&mut clients, &documents)) {
            all.take(now);
        }
        for (of, some) in found.iter().flat_map(|found| &found.ids) {
            ids.entry(of.clone()).or_default().extend(some.iter().cloned());
        }
    }

    let leaks: BTreeSet<&String> = found.iter().flat_map(|found| &found.leaks).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let errors: BTreeSet<&String> = found.iter().flat_map(|found| &found.errors).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    // That nothing was found tells something only where all was asked, and all was there.
    let left_out: Vec<_> = schema.pairs("Query").difference(&asked).cloned().collect();
    assert!(left_out.is_empty(), "on no path: {left_out:#?}");
    let mut unseen = Vec::new();
    for (viewer, found) in found.iter().enumerate() {
        let missing = SECRETS.iter().filter(|(name, _, seen)| may(viewer, seen) && !found.secrets.contains(name));
        unseen.extend(missing.map(|(name, ..)| format!("{} does not find {name}", VIEWERS[viewer])));
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
    let had: BTreeSet<String> = found.iter().flat_map(|found| &found.fields).cloned().collect();
    let mut never = schema.fields("Query");
    never.retain(|field| !had.contains(field) && !NOT_YET.iter().any(|of| field.starts_with(of)));
    assert!(never.is_empty(), "nobody ever saw a value there: {never:#?}");
}
