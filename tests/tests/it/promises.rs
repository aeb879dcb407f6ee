//! `docs/promises.md` names tests; this one finds them.

use std::collections::BTreeSet;
use std::fs;
use tests::root;

/// What stands in backticks and names a test: `path.rs::function`.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::"))
}

/// Whether a function of this name is a test of the text: its attribute stands above it, or a property's macro
/// around it.
fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &&str| {
        let start = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        start.and_then(|rest| rest.strip_prefix(function)).is_some_and(|rest| rest.starts_with('('))
    };
    let Some(at) = lines.iter().position(is_it) else { return false };
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    above.into_iter().any(|line| matches!(*line, "#[test]" | "#[tokio::test]") || line.starts_with("#[tokio::test("))
}

#[test]
fn a_test_is_told_from_what_only_looks_like_one() {
    let text = "#[test]\nfn one() {}\n#[tokio::test]\nasync fn two() {}\nfn three() {}\n// fn four()\n#[test]\n#[rustfmt::skip]\nfn five() {}";
    let known = ["one", "two", "three", "four", "five", "on"].map(|name| is_test(text, name));
    assert_eq!(known, [true, true, false, false, true, false]);
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let page = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let missing: Vec<String> = named(&page)
        .filter(|(file, _)| file.ends_with(".rs"))
        .filter(|(file, function)| !fs::read_to_string(root().join(file)).is_ok_and(|text| is_test(&text, function)))
        .map(|(file, function)| format!("{file}::{function}"))
        .collect();
    assert!(missing.is_empty(), "docs/promises.md names what is no test:\n  {}", missing.join("\n  "));
    // Every row has one.
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    let bare: Vec<&&str> = rows.iter().filter(|row| !row.starts_with("| | ") && named(row).next().is_none()).collect();
    assert!(bare.is_empty(), "no test is named: {bare:#?}");
    let of_attacks: BTreeSet<&str> = rows.iter().filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    let kinds = [("D", 8), ("A", 9), ("M", 4), ("W", 4), ("L", 4), ("T", 1)];
    for row in kinds.iter().flat_map(|(kind, most)| (1..=*most).map(move |number| format!("{kind}{number}"))) {
        assert!(of_attacks.contains(row.as_str()), "{row} has no row");
    }
}
