//! The house rules that a compiler does not know: which crate may use which, where SQL and appends stand,
//! what `domain` must not touch. A broken rule is told in a sentence.

use std::fs;
use std::path::{Path, PathBuf};
use tests::root;

/// Crates in their order: each may use those to its left.
const ORDER: [&str; 4] = ["domain", "store", "projections", "api"];
/// They stand to the right of all of those, and nobody uses them: not each other either. What they may touch is
/// their own business.
const OUTSIDE: [&str; 2] = ["tests", "bench"];
/// They know nothing of the house: they use none of its crates, and `api` alone uses them.
const LEAVES: [&str; 3] = ["topics", "statements", "reconcile"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Product code of a crate: path within the workspace, text without its test modules.
fn product(krate: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join(krate).join("src"), &mut found);
    assert!(!found.is_empty(), "{krate} has sources");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        (name, text)
    };
    let is_test = |name: &str| {
        name.contains("/tests")
            || name.contains("_tests.rs")
            || name.ends_with("/testing.rs")
            || name.ends_with("/fixture.rs")
    };
    found.into_iter().map(named).filter(|(name, _)| !is_test(name)).collect()
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}

/// Whether a line of code has `krate::` as a path's beginning: imported, or written out where it is used.
/// `crate::store::`, `super::store::` and `my_store::` are other things.
fn names_crate(line: &str, krate: &str) -> bool {
    let path = format!("{krate}::");
    line.match_indices(&path).any(|(at, _)| {
        let own =
            line[..at].strip_suffix("::").is_some_and(|rest| rest.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        !own && !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// What a line appends to, where it calls `append` on something: `self.store` of `self.store.append(`. A line
/// that begins with `.append(` goes on with the one before it, so that is looked at too.
fn appends_to<'a>(before: &'a str, line: &'a str) -> Option<&'a str> {
    let at = line.find(".append(").or_else(|| line.contains("EventStore::append(").then_some(0))?;
    let word = |text: &'a str| {
        let text = text.trim_end();
        let start = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '(' || c == ')'));
        &text[start.map_or(0, |start| start + 1)..]
    };
    if line.contains("EventStore::append(") {
        return Some("EventStore");
    }
    Some(if line[..at].trim().is_empty() { word(before) } else { word(&line[..at]) })
}

/// By its name, as everybody here calls it: `store`, `self.store`, `app.store()`, `backend`, `events_store`.
fn is_event_store(receiver: &str) -> bool {
    let last = receiver.rsplit('.').next().unwrap_or(receiver).trim_end_matches("()").to_lowercase();
    let clone = receiver.to_lowercase().contains("store.");
    clone || last == "eventstore" || last.ends_with("store") || last.ends_with("backend")
}

#[test]
fn the_rules_see_what_they_look_for() {
    for line in [
        "use store::backend::EventStore;",
        "    let x = store::raw::Raw::default();",
        "f::<store::raw::Raw>()",
        "(::store::x)",
    ] {
        assert!(names_crate(line, "store"), "{line}");
    }
    for line in ["use crate::store::x;", "my_store::x()", "self::store::y", "restore::z", "super::store::y"] {
        assert!(!names_crate(line, "store"), "{line}");
    }
    for (before, line) in [
        ("", "    self.store.append(&log, head, &batch)?;"),
        ("", "app.store().append("),
        ("", "let x = backend.append(log, None, &[]);"),
        ("        event_store", "            .append(log, head, batch)"),
        ("", "EventStore::append(&*store, log, head, batch)"),
        ("", "store.clone().append(log, head, batch)"),
    ] {
        assert!(appends_to(before, line).is_some_and(is_event_store), "{before} {line}");
    }
    for (before, line) in [
        ("", "headers.append(NAME, value)"),
        ("", "unreadable.append(&mut bids.unreadable);"),
        ("all", ".append(&mut x)"),
    ] {
        assert!(!appends_to(before, line).is_some_and(is_event_store), "{before} {line}");
    }
}

fn report(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn imports_run_one_way() {
    let mut broken = Vec::new();
    for (at, krate) in ORDER.iter().enumerate() {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        for later in &ORDER[at + 1..] {
            if manifest
                .lines()
                .any(|line| line.starts_with(&format!("{later}.")) || line.starts_with(&format!("{later} ")))
            {
                broken.push(format!("{krate}/Cargo.toml depends on {later}, which stands to its right"));
            }
            for (name, text) in product(krate) {
                for (line, text) in code_lines(&text) {
                    if names_crate(text, later) {
                        broken.push(format!("{name}:{line} uses {later}, which stands to the right of {krate}"));
                    }
                }
            }
        }
    }
    for krate in ORDER.iter().chain(&OUTSIDE) {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        for outside in OUTSIDE {
            let named =
                |line: &str| line.starts_with(&format!("{outside}.")) || line.starts_with(&format!("{outside} "));
            if manifest.lines().any(named) {
                broken.push(format!("{krate}/Cargo.toml depends on {outside}, which nobody uses"));
            }
        }
    }
    for leaf in LEAVES {
        let others = ORDER.iter().chain(&OUTSIDE).chain(&LEAVES).filter(|krate| **krate != leaf);
        for krate in others {
            let names = |of: &str, named: &str| {
                let manifest = fs::read_to_string(root().join(of).join("Cargo.toml")).unwrap();
                manifest.lines().any(|line| line.starts_with(&format!("{named}.")))
            };
            if names(leaf, krate) {
                broken.push(format!("{leaf}/Cargo.toml depends on {krate}, and it is to know nothing of the house"));
            }
            if names(krate, leaf) && *krate != "api" {
                broken.push(format!("{krate}/Cargo.toml depends on {leaf}, which api alone uses"));
            }
        }
    }
    report("imports run domain ← store ← projections ← api ← tests, bench", broken);
}

#[test]
fn the_domain_knows_no_outside() {
    let banned = [
        ("std::time::", "a clock: `now` comes in with the command"),
        ("std::fs", "files: the domain does no I/O"),
        ("std::net", "a network: the domain does no I/O"),
        ("tokio", "an async runtime: decisions are plain functions"),
        ("async fn", "async: decisions are plain functions"),
        ("getrandom", "randomness: ids come in with the command"),
        ("f64", "a float: amounts are exact"),
        ("f32", "a float: amounts are exact"),
        ("std::collections::HashMap", "a map whose order could reach an event: use Table or BTreeMap"),
    ];
    let mut broken = Vec::new();
    for (name, text) in product("domain") {
        for (line, text) in code_lines(&text) {
            for (word, why) in banned {
                // Table is the one place that holds hash maps, and it cannot be iterated.
                if text.contains(word) && !(word.ends_with("HashMap") && name == "domain/src/table.rs") {
                    broken.push(format!("{name}:{line} touches {why}"));
                }
            }
        }
    }
    report("domain is pure", broken);
}

#[test]
fn only_the_writer_appends_and_only_backends_speak_sql() {
    let mut broken = Vec::new();
    for krate in ORDER.into_iter().chain(LEAVES) {
        for (name, text) in product(krate) {
            let backend = [
                "store/src/sqlite",
                "store/src/memory",
                "store/src/vault",
                "store/src/conformance",
                "store/src/backend",
                "projections/src/history",
            ];
            let is_backend = backend.iter().any(|prefix| name.starts_with(prefix));
            let mut before = "";
            for (line, text) in code_lines(&text) {
                let appends = appends_to(before, text).is_some_and(is_event_store);
                // A log that is moved whole was decided before.
                let moves = name == "store/src/moved.rs";
                if appends && name != "store/src/writer.rs" && !moves && !is_backend {
                    broken.push(format!("{name}:{line} appends: give the writer a command instead"));
                }
                before = text;
                if text.contains("rusqlite") && !is_backend {
                    broken.push(format!("{name}:{line} speaks SQL: only the store's backends and history do"));
                }
                if (text.contains("async_graphql") || text.contains("axum")) && krate != "api" {
                    broken.push(format!("{name}:{line} knows HTTP or GraphQL: only api does"));
                }
            }
        }
    }
    report("one writer, few places with SQL, one crate with HTTP", broken);
}

#[test]
fn the_clock_is_read_where_time_enters() {
    let allowed = ["store/src/clock.rs", "api/src/auth.rs", "api/src/cli/"];
    let mut broken = Vec::new();
    for krate in ORDER.into_iter().chain(LEAVES) {
        for (name, text) in product(krate) {
            for (line, text) in code_lines(&text) {
                if text.contains("SystemTime::now") && !allowed.iter().any(|prefix| name.starts_with(prefix)) {
                    broken.push(format!("{name}:{line} reads the clock: take it from the writer's Clock"));
                }
            }
        }
    }
    report("time enters through the injected clock, and with tokens", broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let words = ["todo!(", "unimplemented!(", "dbg!(", "TODO", "FIXME", "XXX", "#[ignore"];
    let mut broken = Vec::new();
    for krate in ORDER.into_iter().chain(LEAVES).chain(["bench"]) {
        for (name, text) in product(krate) {
            for (line, text) in text.lines().enumerate() {
                if words.iter().any(|word| text.contains(word)) {
                    broken.push(format!("{name}:{} is unfinished: {}", line + 1, text.trim()));
                }
            }
        }
    }
    report("nothing is left unfinished", broken);
}

#[test]
fn every_decision_record_is_short_and_numbered() {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(root().join("docs/adr")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 60, "docs/adr/{name} has {lines} lines; a decision fits 60");
        numbers.push(name[..4].parse::<u32>().unwrap_or_else(|_| panic!("docs/adr/{name} starts with no number")));
    }
    numbers.sort_unstable();
    // Whoever works beside others is given numbers ahead, so one may be missing for a while.
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "two decision records have one number: {numbers:?}");
    let lines = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap().lines().count();
    assert!(lines <= 200, "docs/ARCHITECTURE.md has {lines} lines; 200 are readable");
}
