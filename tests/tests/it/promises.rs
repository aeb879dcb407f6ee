//! `docs/promises.md` and `docs/CLAIMS.md` name tests; this one finds them.

use std::collections::BTreeSet;
use std::fs;
use tests::root;

/// What stands in backticks and names a test: `path.rs::function`, `path.mjs::what it says`, `path.py::function`. The
/// second half is empty where only a file of tests is named.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_file = |file: &str| [".rs", ".mjs", ".py"].iter().any(|ending| file.ends_with(ending));
    let halves = |quoted| str::split_once(quoted, "::").unwrap_or((quoted, ""));
    text.split('`').skip(1).step_by(2).map(halves).filter(move |(file, test)| !test.is_empty() || is_file(file))
}

/// Whether the text of a file has this test, in the words of its language.
fn has_test(file: &str, text: &str, test: &str) -> bool {
    let begins = |start: String| text.lines().any(|line| line.trim_start().starts_with(&start));
    match file.rsplit('.').next() {
        Some("rs") => is_test(text, test),
        // Where it is one of several of a loop its name is a template, and is named as that.
        Some("mjs") => ["'", "`"].iter().any(|quote| begins(format!("test({quote}{test}{quote},"))),
        Some("py") => test.starts_with("test_") && begins(format!("def {test}(")),
        _ => false,
    }
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
fn a_test_is_found_in_the_words_of_its_language() {
    let page = "`a.mjs::it works`, `b.py::test_it`, `c.mjs`, `serve`, `d.rs::it`";
    let found: Vec<_> = named(page).collect();
    assert_eq!(found, [("a.mjs", "it works"), ("b.py", "test_it"), ("c.mjs", ""), ("d.rs", "it")]);
    let script = "test('it works', async () => {\n  test(`each of ${all} works`, () => {\n// test('it did', ";
    let known =
        ["it works", "each of ${all} works", "it work", "it did", ""].map(|test| has_test("a.mjs", script, test));
    assert_eq!(known, [true, true, false, false, false]);
    let python = "def test_it():\n# def test_that():\ndef helper():\n";
    assert_eq!(["test_it", "test_that", "helper"].map(|test| has_test("b.py", python, test)), [true, false, false]);
    assert!(!has_test("page.txt", "it works", "it works"));
}

/// The page, whose tests all are there.
fn all_there(name: &str) -> String {
    let page = fs::read_to_string(root().join(name)).unwrap();
    // A file of the product stands for itself.
    let tests = named(&page).filter(|(file, test)| !test.is_empty() || !file.contains("/src/"));
    let missing: Vec<String> = tests
        .filter(|(file, test)| !fs::read_to_string(root().join(file)).is_ok_and(|text| has_test(file, &text, test)))
        .map(|(file, test)| format!("{file}::{test}"))
        .collect();
    assert!(missing.is_empty(), "{name} names what is no test:\n  {}", missing.join("\n  "));
    page
}

/// Of a table, without its heads.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| claim"))
}

#[test]
fn every_claim_has_what_does_it_and_what_shows_it() {
    let page = all_there("docs/CLAIMS.md");
    let (community, inquiries) = page.split_once("\n## User inquiries").expect("both documents");
    for (document, claims) in [(community, 39), (inquiries, 31)] {
        let mut covered = BTreeSet::new();
        for row in rows(document) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(cells.len() == 6 && named(cells[4]).any(|(_, test)| !test.is_empty()), "no test shows {row}");
            for (file, test) in named(cells[3]) {
                assert!(test.is_empty() && root().join(file).exists(), "{file} is not there: {row}");
            }
            covered.extend(cells[1].split(", ").map(|number| number.parse::<u32>().unwrap()));
        }
        let missing: Vec<u32> = (1..=claims).filter(|claim| !covered.contains(claim)).collect();
        assert!(missing.is_empty(), "claims without a row: {missing:?}");
    }
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let page = all_there("docs/promises.md");
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
