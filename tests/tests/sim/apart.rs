//! The auditor stands apart: no file of it names a crate of the house, or a part of the simulation that does.

use std::path::PathBuf;

const HOUSE: [&str; 4] = ["domain", "store", "projections", "api"];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a line of code names that is not the auditor's own; `root`: it stands in the auditor's `mod.rs`.
fn foreign(line: &str, root: bool) -> Option<String> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    // A path's beginning, not what stands in one.
    let begins = |word: &str, at: usize| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let inside = before.ends_with(is_word) || before.strip_suffix("::").is_some_and(|path| path.ends_with(is_word));
        let named = after.starts_with("::") || before.ends_with("use ") || before.ends_with("extern crate ");
        !inside && named && !after.starts_with(is_word)
    };
    let found = |word: &str| code.match_indices(word).any(|(at, _)| begins(word, at));
    if let Some(krate) = HOUSE.into_iter().find(|krate| found(krate)) {
        return Some(krate.to_owned());
    }
    let own = |at: usize| code[at..].starts_with("crate::audit::");
    if code.match_indices("crate::").any(|(at, _)| begins("crate", at) && !own(at)) {
        return Some("the simulation".to_owned());
    }
    let above = if root { "super::" } else { "super::super" };
    let elsewhere = [above, "#[path", "include!"].into_iter().find(|way| code.contains(way));
    elsewhere.map(str::to_owned)
}

#[test]
fn the_rule_sees_what_it_looks_for() {
    for line in [
        "use domain::money::Money;",
        "    let x = store::raw::Raw::default();",
        "f::<::projections::Live>()",
        "extern crate api;",
        "use domain as d;",
        "use crate::house::House;",
        "    crate::day::live_through(1, false)",
        "use super::super::day;",
        "include!(\"../house.rs\");",
    ] {
        assert!(foreign(line, false).is_some(), "{line}");
    }
    assert!(foreign("use super::evidence;", true).is_some());
    for line in [
        "// what `domain::money` does",
        "use super::entry::Entry;",
        "return Err($crate::audit::Finding::at($entry));",
        "use std::collections::BTreeMap;",
        "let domain = 1;",
        "restore::from(x)",
        "use crate::audit::entry::Entry;",
    ] {
        assert_eq!(foreign(line, false), None, "{line}");
    }
}

#[test]
fn the_auditor_shares_no_code_with_the_house() {
    let folder = tests::root().join("tests/tests/sim/audit");
    let files = std::fs::read_dir(&folder).expect("the auditor's files");
    let files: Vec<PathBuf> = files.map(|entry| entry.expect("a file").path()).collect();
    assert!(files.len() > 10, "the auditor stands in {}", folder.display());
    let mut broken = vec![];
    for file in files {
        // A folder would have to be walked too.
        assert!(file.extension().is_some_and(|ending| ending == "rs"), "{} is no file of Rust", file.display());
        let root = file.ends_with("mod.rs");
        let text = std::fs::read_to_string(&file).expect("a file of the auditor's");
        for (at, line) in text.lines().enumerate() {
            if let Some(what) = foreign(line, root) {
                broken.push(format!("{}:{} names {what}: {}", file.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "the auditor shares code with what it looks at:\n  {}", broken.join("\n  "));
}
