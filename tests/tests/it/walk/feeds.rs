//! The same walk by feeds: everybody follows everything, from the first position that it was ever shown, and looks
//! through every item.

use super::paths::{Document, Schema, Step, subscriptions};
use super::{Found, Ids, SECRETS, Story, VIEWERS, fill, may, of, place, told};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tests::feeds::Socket;
use tests::{Client, House, Scratch};

/// How many objects with an id stand on a path.
const NODES: usize = 2;
/// Operations of one socket; the house takes 64.
const AT_ONCE: usize = 48;
/// A socket that says nothing for so long has said what there is.
const SILENCE: Duration = Duration::from_secs(2);

/// What must have come by a feed, or the walk went nowhere.
const TOLD: [(&str, &str); 14] = [
    ("Carla", "Ann's message"),
    ("Carla", "Carla's question"),
    ("Cora", "Cora's question"),
    ("Zoe", "Zoe's question"),
    ("Ann", "Carla's message"),
    ("Ann", "Carla's question"),
    ("Ben", "Ben's sealed bid"),
    ("Cat", "Cat's sealed bid"),
    ("Dan", "Dan's sealed bid"),
    ("Ben", "Zoe's attribute shown before consent"),
    ("bank", "Carla's question"),
    ("rival", "Zoe's question"),
    ("operator", "Ann's bid, once sealed"),
    ("finance", "Ann's bid, once sealed"),
];

/// What nothing in the story brings about.
const NEVER: [&str; 2] = ["gap", "estimatedWait"];

/// What one viewer asks for.
fn asked(schema: &Schema, ids: &Ids, cursors: &BTreeMap<String, String>, client: &mut Client) -> Vec<Document> {
    let fill = fill(ids);
    let mut all = Vec::new();
    for field in &schema.of("Subscription").fields {
        let named = |argument: &str, types: &[&str]| -> Vec<String> {
            of(ids, types).iter().map(|id| format!("{argument}: \"{id}\"")).collect()
        };
        let watched = match field.name.as_str() {
            "queueFeed" => named("queueId", &["Queue"]),
            "agentFeed" => named("agentId", &["Agent"]),
            "agentsFeed" => ["main", "other"].map(|log| format!("callServer: \"{log}\"")).to_vec(),
            "sessionFeed" => named("sessionId", &["Session"]),
            "inquiryFeed" => named("inquiryId", &["Inquiry"]),
            "auctionTicks" => named("auctionId", &["Auction"]),
            "auditFeed" => {
                let mut subjects =
                    named("subject", &["Inquiry", "Auction", "Agent", "Customer", "Provider", "Session"]);
                subjects.push("subject: null".to_owned());
                subjects
            }
            other => panic!("the walk does not know what {other} watches: say it here"),
        };
        let after = |what: &str, client: &mut Client| -> Vec<String> {
            match field.name.as_str() {
                "auctionTicks" => vec![what.to_owned()],
                // From its very first entry on.
                "auditFeed" => {
                    let first =
                        client.ask(&format!("{{ auditTrail({what}, first: 1) {{ edges {{ cursor }} }} }}"), json!({}));
                    let cursor = first["auditTrail"]["edges"][0]["cursor"].as_str();
                    vec![cursor.map_or(what.to_owned(), |cursor| format!("{what}, after: \"{cursor}\""))]
                }
                // Of the two logs, one is the right one.
                _ if cursors.is_empty() => vec![what.to_owned()],
                _ => cursors.values().map(|cursor| format!("{what}, after: \"{cursor}\"")).collect(),
            }
        };
        let nodes = NODES - usize::from(field.of == "Auction");
        let beneath = schema.beneath(&field.of, nodes, &fill);
        for arguments in watched.iter().flat_map(|what| after(what, client)) {
            let arguments = format!("({arguments})");
            all.extend(subscriptions(Step::asked(
                "Subscription",
                field,
                field.name.clone(),
                &arguments,
                beneath.clone(),
            )));
        }
    }
    all
}

/// Follows them, some at a time, and looks through what comes. Feeds that said something, by name.
fn follow(house: &House, token: &str, viewer: usize, documents: &[Document], found: &mut Found) -> BTreeSet<String> {
    let mut spoke = BTreeSet::new();
    for some in documents.chunks(AT_ONCE) {
        let mut socket = Socket::open(house, token);
        socket.begin();
        for (at, document) in some.iter().enumerate() {
            socket.say(&json!({"id": at.to_string(), "type": "subscribe", "payload": {"query": document.text}}));
        }
        let mut open = some.len();
        while open > 0
            && let Some(message) = socket.hear_within(SILENCE)
        {
            let document = message["id"].as_str().and_then(|id| id.parse::<usize>().ok()).map(|at| &some[at]);
            match (message["type"].as_str(), document) {
                (Some("next"), Some(document)) => {
                    let answer = &message["payload"];
                    if is_refused(answer) {
                        continue;
                    }
                    found.note(viewer, answer, &answer["data"], document);
                    spoke.extend(document.steps.iter().map(|step| step.field.clone()));
                }
                (Some("error"), Some(_)) => {
                    assert!(is_refused(&json!({"errors": message["payload"]})), "{}: {message}", VIEWERS[viewer]);
                    open -= 1;
                }
                (Some("complete"), Some(_)) => open -= 1,
                (Some("ping"), None) => socket.say(&json!({"type": "pong"})),
                _ => panic!("{}: {message}", VIEWERS[viewer]),
            }
        }
    }
    spoke
}

/// Another's thing, or a cursor of the other log.
fn is_refused(answer: &Value) -> bool {
    let code = &answer["errors"][0]["extensions"]["code"];
    ["FORBIDDEN", "UNAUTHENTICATED", "BAD_REQUEST"].iter().any(|refusal| code == refusal)
}

#[test]
fn no_feed_leads_anybody_to_what_is_not_its_own() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--rate-limit", "off", "--loopback-webhooks"]);
    let (Story { schema, mut clients, found, cursors, .. }, _) = told(&house);
    // Everybody knows all ids.
    let mut ids = Ids::new();
    for (of, some) in found.iter().flat_map(|found| &found.ids) {
        ids.entry(of.clone()).or_default().extend(some.iter().cloned());
    }
    let (schema, ids, house) = (&schema, &ids, &house);
    let told: Vec<(Found, BTreeSet<String>)> = std::thread::scope(|scope| {
        let each = clients.iter_mut().zip(&cursors).enumerate().map(|(viewer, (client, cursors))| {
            scope.spawn(move || {
                let documents = asked(schema, ids, cursors, client);
                let mut found = Found::default();
                let spoke = follow(house, &client.token, viewer, &documents, &mut found);
                (found, spoke)
            })
        });
        let started: Vec<_> = each.collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let leaks: BTreeSet<&String> = told.iter().flat_map(|(found, _)| &found.leaks).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let errors: BTreeSet<&String> = told.iter().flat_map(|(found, _)| &found.errors).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    // That nothing was found tells something only where all was told.
    let speak: BTreeMap<&str, &BTreeSet<String>> =
        VIEWERS.iter().zip(&told).map(|(who, (_, spoke))| (*who, spoke)).collect();
    assert!(speak["anonymous"].is_empty(), "{speak:#?}");
    let all: BTreeSet<String> = schema.of("Subscription").fields.iter().map(|field| field.name.clone()).collect();
    assert_eq!(*speak["operator"], all);
    let missing: Vec<_> = TOLD
        .iter()
        .filter(|(who, secret)| {
            let seen = SECRETS.iter().find(|(name, ..)| name == secret).map(|(_, _, seen)| seen);
            assert!(seen.is_some_and(|seen| may(place(who), seen)), "{who} may not see {secret}");
            !told[place(who)].0.secrets.contains(secret)
        })
        .collect();
    assert!(missing.is_empty(), "not told: {missing:#?}\n{speak:#?}");
    let had: BTreeSet<&String> = told.iter().flat_map(|(found, _)| &found.fields).collect();
    let items = schema.of("Subscription").fields.iter().map(|field| &field.of);
    let fields = items.flat_map(|item| schema.of(item).fields.iter().map(move |field| (item, &field.name)));
    let never: BTreeSet<String> = fields
        .filter(|(item, field)| item.ends_with("FeedItem") && !NEVER.contains(&field.as_str()))
        .map(|(item, field)| format!("{item}.{field}"))
        .filter(|field| !had.contains(field))
        .collect();
    assert!(never.is_empty(), "nobody was ever told of these: {never:#?}");
}
