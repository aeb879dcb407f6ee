//! Bank statements through the command line: what balances, what does not, what is refused and where.

use serde_json::{Value, json};
use std::fs;
use tests::{Scratch, run};

const GOOD: &str = ":20:ONE\n:25:10020030/1234567\n:28C:5/1\n:60F:C260301EUR100,00\n\
                    :61:2603020302D40,NTRFNONREF//B1\n:86:Rent\n:62F:C260302EUR60,\n-\n";

#[test]
fn a_statement_is_read_proven_and_told() {
    let scratch = Scratch::new();
    let file = |name: &str, text: &str| {
        fs::write(scratch.join(name), text).unwrap();
        scratch.join(name).to_str().unwrap().to_owned()
    };
    let good = file("good.sta", GOOD);
    let ran = run(&["statement", &good]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, format!("{good}: 10020030/1234567 EUR: 100 to 60, 1 entries: balances\n"));

    let off = file("off.sta", &GOOD.replace("EUR60,", "EUR61,"));
    let bad = file("bad.sta", &GOOD.replace("D40,", "D4o,"));
    let ran = run(&["statement", "--json", &good, &off, &bad]);
    assert_eq!(ran.code, 1, "something was found");
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["statements"][0]["balanced"], true);
    assert_eq!(lines[1]["statements"][0]["balanced"], false);
    assert_eq!(lines[1]["statements"][0]["net"], "-40");
    assert_eq!(lines[2], json!({ "file": bad, "refused": ["line 5: :61: has no type behind its amount"] }));

    assert_eq!(run(&["statement", "nowhere.sta"]).code, 2);
    assert_eq!(run(&["statement"]).code, 2);
}
