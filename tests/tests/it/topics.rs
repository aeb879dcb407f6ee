//! The classifier on files, through the binary: what it prints, what it refuses, and its exit codes.

use serde_json::Value;
use std::fs;
use tests::{Scratch, run};

const QUESTIONS: &str = "id,text,category,note
1,I lost my card yesterday,Lost Card,
2,My card is gone and I cannot find it,Lost Card,x
3,Somebody took my card,Lost Card,
4,What is the exchange rate for dollars,rate,
5,How do you set exchange rates,rate,
6,Is the rate for euros fixed,rate,
";

#[test]
fn questions_are_learned_from_and_classified() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (train, asked, model) = (path("train.csv"), path("asked.csv"), path("m.model"));
    fs::write(&train, QUESTIONS).unwrap();
    fs::write(&asked, "text,id\n\"I have lost the card, alas\",a\nΩ,b\n").unwrap();
    let trained = run(&["topics", "train", &train, "--model", &model, "--validate", &train, "--json"]);
    assert_eq!(trained.code, 0, "{}", trained.err);
    let said: Value = serde_json::from_str(&trained.out).unwrap();
    assert_eq!((&said["labels"], &said["examples"], &said["out_of_scope"]), (&2.into(), &6.into(), &0.into()));
    assert_eq!(said["validation"]["accuracy"], 1.0);
    let bytes = fs::read(&model).unwrap();
    run(&["topics", "train", &train, "--model", &model]);
    assert_eq!(fs::read(&model).unwrap(), bytes, "the same questions give the same bytes");

    let classified = run(&["topics", "classify", "--model", &model, &asked, "--json"]);
    assert_eq!(classified.code, 0, "{}", classified.err);
    let lines: Vec<Value> = classified.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["id"], &lines[0]["topic"]), (&"a".into(), &"Lost Card".into()), "the label as trained");
    assert_eq!((&lines[1]["id"], &lines[1]["topic"]), (&"b".into(), &Value::Null));
    assert!(lines.iter().all(|line| line["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score))));
    assert_eq!(lines.len(), 2);

    // Found wrong: 1. Not there, or wrong use: 2.
    let refused = |code, args: &[&str], words: &str| {
        let ran = run(&[&["topics"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    };
    refused(1, &["train", &asked, "--model", &model], "asked.csv:1: the header has no column category or intent");
    refused(1, &["classify", "--model", &train, &asked, "--json"], "train.csv is no model of topics");
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    fs::write(path("damaged"), damaged).unwrap();
    refused(1, &["classify", "--model", &path("damaged"), &asked], "damaged: its checksum is another");
    refused(2, &["classify", "--model", &path("nowhere"), &asked], "nowhere cannot be read");
    refused(2, &["classify", "--model", &model, &path("nowhere")], "nowhere cannot be read");
    refused(2, &["train", &train], "--model");
    assert_eq!(fs::read(&model).unwrap(), bytes, "what was refused wrote nothing");
}
