//! Models and their files: the same bytes, refused when damaged; examples read or refused by their line; what is
//! taught later.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, which is what it is for")]

use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use topics::table::{TEXT_MAX, examples, read_bytes};
use topics::{FileError, Model, Taught};

const QUESTIONS: &str = "id,text,category
1,I lost my card yesterday,lost
2,My card is gone and I cannot find it,lost
3,Somebody took my card,lost
4,Where is the new card that I ordered,arrival
5,When will my card be delivered,arrival
6,The post has not brought my card,arrival
7,What is the exchange rate for dollars,rate
8,How do you set exchange rates,rate
9,Is the rate for euros fixed,rate
10,play me a song,oos
";

fn model(text: &str) -> Model {
    let path = Path::new("q.csv");
    let (labels, examples) = examples(read_bytes(text.as_bytes(), path, true).unwrap(), path).unwrap();
    Model::train(labels, &examples)
}
fn refused(text: &[u8]) -> String {
    let path = Path::new("q.csv");
    match read_bytes(text, path, true).and_then(|questions| examples(questions, path)) {
        Ok(_) => panic!("taken: {:?}", String::from_utf8_lossy(text)),
        Err(error) => error.to_string(),
    }
}
fn label(model: &Model, text: &str) -> Option<String> {
    let verdict = model.classify(text, 1);
    verdict.in_scope.then(|| model.labels()[verdict.ranked[0].0 as usize].clone())
}

#[test]
fn a_question_has_the_label_of_those_like_it() {
    let model = model(QUESTIONS);
    assert_eq!(label(&model, "I have lost the card").as_deref(), Some("lost"));
    assert_eq!(label(&model, "exchange rate of dollars?").as_deref(), Some("rate"));
    // Nothing of it is known: out of scope, whatever the threshold.
    assert_eq!(label(&model, "Ω"), None);
    assert_eq!(label(&model, ""), None);
    let ranked = model.classify("I have lost the card", 9).ranked;
    assert_eq!(ranked.len(), 3);
    assert!(ranked.is_sorted_by(|a, b| a.1 >= b.1) && ranked.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
}

/// A word that stands in no question, and in one label's name alone.
#[test]
fn a_label_is_found_by_its_name() {
    let named = QUESTIONS.replace(",rate", ",currencies_abroad");
    let found = model(&named).classify("currencies abroad", 1).ranked[0].0;
    assert_eq!(model(&named).labels()[found as usize], "currencies_abroad");
    assert!(model(QUESTIONS).classify("currencies abroad", 1).ranked[0].1 < 0.5, "it tells nothing there");
}

/// The version is a hash of every byte: another machine, build or order of summing would show here.
#[test]
fn the_same_questions_give_the_same_bytes() {
    let first = model(QUESTIONS);
    assert_eq!(first.to_bytes(), model(QUESTIONS).to_bytes());
    assert_eq!(first.version(), "968c768e34caff74");
    assert_ne!(first.version(), model(&QUESTIONS.replace("Somebody", "Nobody")).version());
}

#[test]
fn a_file_gives_the_model_back() {
    let first = model(QUESTIONS);
    let bytes = first.to_bytes();
    let again = Model::from_bytes(&bytes, Path::new("m")).unwrap();
    assert_eq!(again.to_bytes(), bytes);
    assert_eq!(again.version(), first.version());
    for text in ["I lost it", "a rate", "song", "the card of the post", "ÄÖ card"] {
        assert_eq!(again.classify(text, 3), first.classify(text, 3));
    }
}

#[test]
fn every_damaged_byte_and_every_cut_is_refused() {
    let bytes = model(QUESTIONS).to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(Model::from_bytes(&damaged, Path::new("m")).is_err(), "byte {at}");
    }
    for end in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..end], Path::new("m")).is_err(), "cut at {end}");
    }
    let error = Model::from_bytes(&[&bytes[..], b"x"].concat(), Path::new("m")).err().unwrap();
    assert!(matches!(error, FileError::Damaged { .. }), "{error}");
    let mut newer = bytes.clone();
    newer[16] = 2;
    let error = Model::from_bytes(&newer, Path::new("m")).err().unwrap();
    assert_eq!(error.to_string(), "m is a model of format 2; this program reads format 1");
    let error = Model::from_bytes(b"id,text\n", Path::new("m")).err().unwrap();
    assert_eq!(error.to_string(), "m is no model of topics");
}

/// A checksum is no secret: numbers that do not fit each other are refused behind a right one, and no room is made
/// for what they claim to count.
#[test]
fn numbers_that_do_not_fit_are_refused_behind_a_right_checksum() {
    use sha2::{Digest, Sha256};
    let bytes = model(QUESTIONS).to_bytes();
    let body = &bytes[..bytes.len() - 32];
    for (at, number) in [
        (20, 0_u32),
        (20, 1),
        (20, 4),
        (20, u32::MAX),
        (24, 0),
        (24, u32::MAX),
        (28, f32::NAN.to_bits()),
        (32, u32::MAX),
    ] {
        let mut forged = body.to_vec();
        forged[at..at + 4].copy_from_slice(&number.to_le_bytes());
        let sum = Sha256::digest(&forged);
        let forged = [&forged[..], &sum[..]].concat();
        let error = Model::from_bytes(&forged, Path::new("m")).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("m is damaged: its numbers do not fit each other"), "{number} at {at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_model_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Model::from_bytes(&[&b"callmarket topic\x01\x00\x00\x00"[..], &bytes].concat(), Path::new("m"));
        let _ = read_bytes(&bytes, Path::new("q"), true);
    }

    #[test]
    fn any_text_has_a_verdict(text in ".{0,200}") {
        let model = model(QUESTIONS);
        let ranked = model.classify(&text, 3).ranked;
        prop_assert!(ranked.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
    }
}

#[test]
fn what_cannot_be_learned_from_is_named_by_its_line() {
    assert_eq!(refused(b"id,text,tag\n1,a,b\n"), "q.csv:1: the header has no column category or intent");
    assert_eq!(refused(b"id,question,intent\n1,a,b\n"), "q.csv:1: the header has no column text");
    assert_eq!(refused(b"text,intent\na,b\n"), "q.csv:1: the header has no column id");
    assert_eq!(
        refused(b"id,text,intent,category\n"),
        "q.csv:1: the header has both category and intent; one of them is the label"
    );
    assert_eq!(refused(b""), "q.csv:1: the header has no column id");
    assert_eq!(refused(b"id,text,intent\n1,a b,x\n\n2,c d\n"), "q.csv:4: 2 cells, the header has 3");
    assert_eq!(refused(b"id,text,intent\r\n1,a b,x\r\n2,\xff,x\r\n"), "q.csv:3: not UTF-8");
    assert_eq!(refused(b"id,text,intent\n1,\"a\nb\",x\n2,c,\n"), "q.csv:4: a label has 1 to 256 bytes");
    let one = "id,text,intent\n1,a b,x\n2,c d,x\n3,e f,y\n";
    assert_eq!(refused(one.as_bytes()), "q.csv:4: the label y has this row alone; at least two are needed");
    assert_eq!(
        refused(b"id,text,intent\n1,a,x\n2,b,x\n3,c,oos\n"),
        "q.csv:1: fewer than two labels: there is nothing to tell apart"
    );
    assert_eq!(refused(b"id,text,intent\n1,a,x\n2,??,x\n3,b,y\n4,c,y\n"), "q.csv:3: a text without words");
    let text = |length: usize| format!("id,text,intent\n1,{},x\n2,b,x\n3,c,y\n4,d,y\n", "a".repeat(length));
    assert_eq!(
        refused(text(TEXT_MAX + 1).as_bytes()),
        format!("q.csv:2: a text of {} bytes; at most {TEXT_MAX}", TEXT_MAX + 1)
    );
    assert_eq!(refused(text(1 << 20).as_bytes()), format!("q.csv:2: a text of {} bytes; at most {TEXT_MAX}", 1 << 20));
    assert!(read_bytes(text(TEXT_MAX).as_bytes(), Path::new("q.csv"), true).is_ok());
}

#[test]
fn corrections_are_learned_and_nothing_else_is_forgotten() {
    let base = Arc::new(model(QUESTIONS));
    let mut taught = Taught::new(Some(base.clone()));
    for text in ["I lost my card", "exchange rates", "song"] {
        assert_eq!(taught.classify(text, 3), base.classify(text, 3), "untaught, it says what the model says");
    }
    let best = |taught: &Taught, text: &str| {
        let verdict = taught.classify(text, 1);
        verdict.in_scope.then(|| taught.labels()[verdict.ranked[0].0 as usize].clone())
    };
    assert_ne!(best(&taught, "my pin is blocked").as_deref(), Some("pin"));
    // A label that the model has not is learned from the third question on, or so.
    for _ in 0..2 {
        taught.teach("my pin is blocked", &["pin".to_owned()]);
        taught.teach("I forgot the pin number", &["pin".to_owned()]);
    }
    assert_eq!(best(&taught, "the pin is blocked again").as_deref(), Some("pin"));
    assert_eq!(best(&taught, "I lost my card yesterday").as_deref(), Some("lost"));
    assert_eq!(taught.version(), format!("{}+4", base.version()));
}

#[test]
fn an_empty_house_learns_from_its_first_questions() {
    let mut taught = Taught::new(None);
    assert!(!taught.classify("my pin is blocked", 3).in_scope);
    taught.teach("my pin is blocked", &["pin".to_owned()]);
    taught.teach("where is my parcel", &["parcel".to_owned()]);
    let verdict = taught.classify("my pin is blocked", 1);
    assert!(verdict.in_scope);
    assert_eq!(taught.labels()[verdict.ranked[0].0 as usize], "pin");
    assert!(!taught.classify("what a wonderful day", 1).in_scope);
}

#[test]
fn a_lesson_is_taken_back() {
    let base = Arc::new(model(QUESTIONS));
    let taught_pin = |taught: &mut Taught| taught.teach("my pin is blocked", &["pin".to_owned()]).unwrap();
    for base in [None, Some(base)] {
        let mut taught = Taught::new(base.clone());
        taught.teach("where is my parcel", &["parcel".to_owned()]).unwrap();
        let before = taught.clone();
        let wrong = taught.teach("my pin is blocked", &["parcel".to_owned()]).unwrap();
        taught.take_back("my pin is blocked", &wrong);
        taught_pin(&mut taught);
        let mut right = before;
        taught_pin(&mut right);
        for text in ["my pin is blocked", "where is my parcel", "is the pin there"] {
            let (now, wanted) = (taught.classify(text, 9), right.classify(text, 9));
            assert_eq!(now.in_scope, wanted.in_scope, "{text}");
            for ((label, score), (other, expected)) in now.ranked.iter().zip(&wanted.ranked) {
                assert_eq!(label, other, "{text}");
                assert!((score - expected).abs() < 1e-4, "{text}: {score}, not {expected}");
            }
        }
        assert_ne!(taught.version(), right.version(), "another course of lessons is another version");
    }
    assert!(Taught::new(None).teach("", &["pin".to_owned()]).is_none());
    assert!(Taught::new(None).teach("my pin is blocked", &[]).is_none());
}
