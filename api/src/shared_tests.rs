use super::*;
use crate::guard::vet;
use serde_json::json;

fn join(shared: &Arc<Shared>, document: &str, variables: serde_json::Value, sight: &str) -> Member {
    let vetted = vet(document).unwrap();
    shared.join(&vetted, document, None, Variables::from_json(variables), sight.to_owned())
}

fn at(seq: u64) -> At {
    At { mark: Mark { seq, hash: [7; 8] }, replay: false, erasures: 0 }
}

fn made(text: &str) -> Answer {
    let data = async_graphql::Value::String(text.to_owned());
    Answer::Executed { data, errors: vec![], extensions: Default::default() }
}

const DOCUMENT: &str = "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { kind } }";

#[test]
fn equals_take_what_one_of_them_has_made() {
    let shared = Arc::new(Shared::default());
    let one = join(&shared, DOCUMENT, json!({"id": "q", "after": "here"}), "OPERATOR");
    let other = join(&shared, DOCUMENT, json!({"id": "q"}), "OPERATOR");
    assert!(!one.takes(at(1)));
    one.makes(at(1));
    let bytes = one.answer(made("item")).body();
    assert!(other.takes(at(1)) && other.has_taken());
    assert_eq!(other.answer(made("never")).body(), bytes);
    assert!(!other.has_taken(), "one item was taken, not the next");
    assert_eq!(other.answer(made("own")).body(), r#"{"data":"own"}"#);
    let replayed = At { replay: true, ..at(1) };
    assert!(!other.takes(replayed), "its item says that it is one");
    let another_history = At { mark: Mark { seq: 1, hash: [8; 8] }, replay: false, erasures: 0 };
    assert!(!other.takes(another_history) && !other.takes(at(2)));
    assert!(!other.takes(At { erasures: 1, ..at(1) }), "somebody was erased since, and it may show who");
    assert_eq!(shared.taken(), 1);
    drop((one, other));
    assert_eq!(shared.groups(), 0);
}

#[test]
fn whatever_differs_makes_two_of_them() {
    let shared = Arc::new(Shared::default());
    let _kept = [
        join(&shared, DOCUMENT, json!({"id": "q"}), "OPERATOR"),
        join(&shared, DOCUMENT, json!({"id": "q"}), "AGENT\nagt_1"),
        join(&shared, DOCUMENT, json!({"id": "q"}), "AGENT\nagt_2"),
        join(&shared, DOCUMENT, json!({"id": "r"}), "OPERATOR"),
        join(&shared, &format!("{DOCUMENT} "), json!({"id": "q"}), "OPERATOR"),
    ];
    assert_eq!(shared.groups(), 5);
}

#[test]
fn where_to_begin_is_no_difference_and_everything_else_is() {
    let start = |document: &str| start(&vet(document).unwrap(), document, None).map(str::to_owned);
    assert_eq!(start(DOCUMENT).as_deref(), Some("after"));
    for document in [
        "subscription { queueFeed(queueId: 1, after: \"x\") { kind } }",
        "subscription($a: Cursor) { queueFeed(queueId: $a) { kind } }",
        // It says something else, too.
        "subscription($a: Cursor) { queueFeed(after: $a) { inquiry { bids(after: $a) { id } } } }",
        "subscription($a: Cursor) { queueFeed(after: $a) { kind } } # $a",
    ] {
        assert_eq!(start(document), None, "{document}");
    }
    let longer = "subscription($a: Cursor, $ab: ID) { queueFeed(queueId: $ab, after: $a) { kind } }";
    assert_eq!(start(longer).as_deref(), Some("a"));
    let wrapped = "subscription($a: Cursor) { ...F } fragment F on Subscription { queueFeed(after: $a) { kind } }";
    assert_eq!(start(wrapped).as_deref(), Some("a"));
}

#[test]
fn what_is_remembered_is_bounded_and_nothing_where_nobody_is_equal() {
    let shared = Arc::new(Shared::default());
    let one = join(&shared, DOCUMENT, json!({}), "OPERATOR");
    one.makes(at(1));
    assert!(matches!(one.answer(made("item")), Answer::Executed { .. }));
    let other = join(&shared, DOCUMENT, json!({}), "OPERATOR");
    assert!(!other.takes(at(1)), "it came later");
    for seq in 2..100 {
        one.makes(at(seq));
        one.answer(made(&"x".repeat(10_000)));
    }
    assert!(other.takes(at(99)) && !other.takes(at(93)), "some six fit");
    assert!(lock(&one.group.0).bytes <= BYTES_MAX);
    one.makes(at(100));
    one.answer(made(&"x".repeat(BYTES_MAX)));
    assert!(!other.takes(at(100)));
    // An item with an error is everybody's own.
    one.makes(at(101));
    let failed = Answer::Executed {
        data: async_graphql::Value::Null,
        errors: vec![crate::errors::server_error(crate::errors::ErrorCode::Timeout, "late")],
        extensions: Default::default(),
    };
    one.answer(failed);
    assert!(!other.takes(at(101)));
}

#[test]
fn nobody_is_given_what_is_no_longer_fresh() {
    let shared = Arc::new(Shared::default());
    let (one, other) = (join(&shared, DOCUMENT, json!({}), "O"), join(&shared, DOCUMENT, json!({}), "O"));
    one.makes(at(1));
    one.answer(made("item"));
    std::thread::sleep(FRESH);
    assert!(!other.takes(at(1)));
    assert_eq!(lock(&one.group.0).bytes, 0);
}
