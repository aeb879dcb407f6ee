//! A recorded month of a telephone centre through the binary: `replay calls`. Its reference figures are those that
//! came with the month.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use tests::{House, Ran, Scratch, recorded, run, text};

const HEADER: &str =
    "id,customer,type,arrival,vru_exit,queue_enter,queue_exit,outcome,service_start,service_end,agent,flags\n";

fn month() -> Option<PathBuf> {
    recorded("bank_calls_1999_01/calls.csv")
}

fn replay(calls: &std::path::Path, more: &[&str]) -> Ran {
    run(&[&["replay", "calls", "--calls", calls.to_str().unwrap()], more].concat())
}

fn report(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1, "--json prints one line");
    serde_json::from_str(&ran.out).unwrap()
}

/// Cells of a row by column.
fn rows(file: &std::path::Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        header.iter().zip(line.split(',')).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    lines.map(row).collect()
}

/// Seconds from the beginning of the month, which no conversation leaves.
fn seconds(time: &str) -> i64 {
    let part = |at: std::ops::Range<usize>| time[at].parse::<i64>().unwrap();
    let days = (part(5..7) - 1) * 31 + part(8..10);
    ((days * 24 + part(11..13)) * 60 + part(14..16)) * 60 + part(17..19)
}

#[test]
fn as_recorded_the_month_has_its_reference_figures_and_exactly_the_double_booked_are_refused() {
    let Some(month) = month() else { return };
    let ran = replay(&month, &["--as-recorded", "--json"]);
    let told = report(&ran);
    let counted = &told["rows"];
    assert_eq!(
        (&counted["read"], &counted["wanted_an_agent"], &counted["left_in_ivr"], &counted["unreadable"]),
        (&json!(31_359), &json!(30_161), &json!(1_198), &json!(0))
    );
    assert_eq!(counted["answered_without_agents_name"], 490);
    let all = &told["all"]["recorded"];
    assert_eq!((&all["answered_at_once"], &all["answered"]), (&json!(13_475), &json!(13_475 + 13_585)));
    assert_eq!((&all["hung_up"], &all["abandonment"]), (&json!(3_101), &json!(0.1028)));
    assert_eq!(all["service_level"], 0.5438, "answered within 20 s: 54.4 %");
    assert_eq!(all["wait"], json!({"mean": 69.8, "median": 48, "p90": 157, "p99": 306}));
    assert_eq!(
        (&all["patience_of_abandoners"]["median"], &all["patience_of_abandoners"]["p90"]),
        (&json!(39), &json!(132))
    );
    assert_eq!(all["service_s"].as_i64().unwrap() / 3_600, 1_378, "1,379 agent-hours, rounded");
    // Who hung up hangs up when it did.
    let replayed = &told["all"]["replayed"];
    assert_eq!(
        (&replayed["hung_up"], &replayed["patience_of_abandoners"]),
        (&all["hung_up"], &all["patience_of_abandoners"])
    );

    // Who is refused, told by what must hold of any two conversations of one agent, and of nothing else.
    let mut of_agents: BTreeMap<String, Vec<(i64, i64, String)>> = BTreeMap::new();
    for row in rows(&month) {
        if row["outcome"] == "AGENT" && !row["agent"].is_empty() && !row["service_start"].is_empty() {
            let talk = (seconds(&row["service_start"]), seconds(&row["service_end"]), row["id"].clone());
            of_agents.entry(row["agent"].clone()).or_default().push(talk);
        }
    }
    let refused: BTreeMap<String, &Value> =
        told["refused"].as_array().unwrap().iter().map(|row| (text(&row["id"]), row)).collect();
    let mut known = BTreeSet::new();
    for (agent, talks) in &of_agents {
        for (start, _, id) in talks {
            let begun = talks.iter().filter(|(other, _, of)| (other, of) < (start, id) && !refused.contains_key(of));
            let latest = begun.max_by_key(|(_, end, _)| *end);
            let over = latest.map_or(0, |(_, end, _)| end - start);
            match refused.get(id) {
                Some(row) => {
                    assert!(over > 2, "call {id} of {agent} is refused and overlaps {over} s");
                    assert_eq!((&row["agent"], &row["seconds"]), (&json!(agent), &json!(over)), "call {id}");
                    assert_eq!(latest.map(|(.., of)| of.clone()), Some(text(&row["with"])), "call {id}");
                    known.insert(id.clone());
                }
                None => assert!(over <= 2, "call {id} of {agent} is taken and overlaps {over} s"),
            }
        }
    }
    assert_eq!((known.len(), refused.len()), (386, 386), "every refused call is one of the log's");
    assert_eq!(told["sessions"], 27_060 - 386);
}

#[test]
fn by_policy_the_same_month_is_the_same_bytes_with_recorded_figures_beside() {
    let Some(month) = month() else { return };
    let ran = replay(&month, &["--json"]);
    let told = report(&ran);
    let again = replay(&month, &["--json"]);
    assert!(ran.out == again.out, "{}\n{}", ran.out, again.out);
    assert_eq!(told["head"].as_str().map(str::len), Some(64));
    let (recorded, replayed) = (&told["all"]["recorded"], &told["all"]["replayed"]);
    assert_eq!((&recorded["calls"], &replayed["calls"]), (&json!(30_161), &json!(30_161)));
    let fates: u64 = ["answered", "hung_up", "expired"].iter().map(|fate| replayed[fate].as_u64().unwrap()).sum();
    assert_eq!(fates, 30_161, "everybody is answered, hangs up or expires");
    // Each part is counted once.
    for parts in ["topics", "hours"] {
        for side in ["recorded", "replayed"] {
            for figure in ["calls", "answered", "hung_up", "expired", "answered_within_20_s", "service_s"] {
                let sum: u64 =
                    told[parts].as_array().unwrap().iter().map(|row| row[side][figure].as_u64().unwrap()).sum();
                assert_eq!(json!(sum), told["all"][side][figure], "{figure} of {side} {parts}");
            }
        }
    }
    // Nobody has more patience than it showed, so nobody who hung up hung up later.
    assert!(replayed["patience_of_abandoners"]["p99"].as_u64() <= Some(1_000), "{replayed}");
}

/// Whoever stands ahead waits less, whoever is helped by anybody too; and it is the same each time.
#[test]
fn priorities_and_rings_change_what_comes_of_a_day() {
    let Some(month) = month() else { return };
    let scratch = Scratch::new();
    let policy = scratch.join("p.json");
    let day = |text: &str| {
        fs::write(&policy, text).unwrap();
        let more = ["--from", "1999-01-04", "--to", "1999-01-04", "--json", "--policy", policy.to_str().unwrap()];
        let (ran, again) = (replay(&month, &more), replay(&month, &more));
        assert!(ran.out == again.out, "{}\n{}", ran.out, again.out);
        report(&ran)
    };
    let wait = |told: &Value, topic: &str| {
        let row = told["topics"].as_array().unwrap().iter().find(|row| row["topic"] == topic).unwrap();
        row["replayed"]["wait"]["mean"].as_f64().unwrap()
    };
    let plain = day("{}");
    let ahead = r#"{"priority_credit_s": 60, "topics": {"bank/ps": {"priority": 10}}}"#;
    let ahead = day(ahead);
    assert!(wait(&ahead, "bank/ps") < wait(&plain, "bank/ps"), "{ahead}");
    assert!(wait(&ahead, "bank/nw") > wait(&plain, "bank/nw"), "somebody waits for it: {ahead}");
    let credit = r#"{"topics": {"bank/ps": {"priority_credit_s": 60}}}"#;
    assert_eq!(day(credit)["all"], plain["all"], "a credit alone moves nobody");
    // Others help out with what few agents know.
    let helped = day(r#"{"relaxation": [{"after_s": 60, "any_topic": true}]}"#);
    assert!(wait(&helped, "bank/ne") < wait(&plain, "bank/ne"), "{helped}");
}

#[test]
fn a_replayed_day_is_served_and_verified() {
    let Some(month) = month() else { return };
    let scratch = Scratch::new();
    for (name, more) in [("recorded", Some("--as-recorded")), ("routed", None)] {
        let data = scratch.join(name);
        let folder = data.to_str().unwrap();
        let day = ["--from", "1999-01-01", "--to", "1999-01-01", "--json"];
        let in_memory = replay(&month, &day.iter().copied().chain(more).collect::<Vec<_>>());
        let kept: Vec<&str> = day.iter().copied().chain(more).chain(["--data", folder]).collect();
        let ran = replay(&month, &kept);
        assert_eq!(ran.out, in_memory.out, "{name}: kept or not, it is the same");
        let told = report(&ran);
        let wanted = told["rows"]["wanted_an_agent"].as_u64().unwrap();
        let verified = run(&["verify", "--data", folder]);
        assert_eq!(verified.code, 0, "{name}: {}{}", verified.out, verified.err);
        let again = replay(&month, &kept);
        assert_eq!(again.code, 1, "{name}: a folder with a market is none to replay into");

        let house = House::open(&data);
        let mut operator = house.client(&house.token("operator", None));
        let listed = "query($after: Cursor) { inquiries(first: 100, after: $after) { edges { node { state topics channel } } pageInfo { hasNextPage endCursor } } }";
        let inquiries = operator.pages("inquiries", listed, json!({}));
        let in_state = |state: &str| inquiries.iter().filter(|inquiry| inquiry["state"] == state).count() as u64;
        assert_eq!(inquiries.len() as u64, wanted, "{name}");
        assert_eq!(json!(in_state("COMPLETED")), told["sessions"], "{name}");
        assert_eq!(in_state("COMPLETED") + in_state("WITHDRAWN") + in_state("EXPIRED"), wanted, "{name}");
        assert!(inquiries.iter().all(|inquiry| inquiry["channel"] == "TELEPHONE"), "{name}");
        let asked = "{ agents(first: 100) { edges { node { displayName status } } } }";
        let found = operator.ask(asked, json!({}));
        let agents = found["agents"]["edges"].as_array().unwrap();
        assert_eq!(json!(agents.len()), told["agents"], "{name}");
        let named = |edge: &Value| {
            edge["node"]["displayName"]
                .as_str()
                .is_some_and(|name| name.starts_with('A') || name.starts_with("unnamed"))
        };
        assert!(agents.iter().all(|edge| named(edge) && edge["node"]["status"] == "OFFLINE"), "{name}: {agents:?}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_run_goes_on() {
    let scratch = Scratch::new();
    let calls = scratch.join("c.csv");
    let good = "1,,PS,1999-01-03T08:00:00,1999-01-03T08:00:05,,,AGENT,1999-01-03T08:00:05,1999-01-03T08:01:00,A1,\n";
    let bad = "2,,PS,1999-01-03T08:00:00,soon,,,AGENT,1999-01-03T08:00:05,1999-01-03T08:01:00,A1,\n";
    fs::write(&calls, format!("{HEADER}{good}{bad}")).unwrap();
    let ran = replay(&calls, &["--json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("c.csv:3: vru_exit \"soon\""), "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&told["rows"]["read"], &told["rows"]["unreadable"], &told["sessions"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let shown = replay(&calls, &["--as-recorded"]);
    assert!(shown.out.contains("bank/ps"), "{}", shown.out);
    fs::write(&calls, HEADER).unwrap();
    assert_eq!(report(&replay(&calls, &["--json"]))["rows"]["read"], 0, "nobody called");
}

#[test]
fn wrong_use_is_told_from_a_wrong_file() {
    let scratch = Scratch::new();
    let (calls, policy) = (scratch.join("c.csv"), scratch.join("p.json"));
    fs::write(&calls, HEADER).unwrap();
    let asked = |more: &[&str]| {
        let ran = replay(&calls, more);
        (ran.code, ran.err)
    };
    let path = policy.to_str().unwrap();
    assert_eq!(asked(&["--from", "1999-01-02", "--to", "1999-01-01"]).0, 2);
    assert_eq!(asked(&["--from", "yesterday"]).0, 2);
    assert_eq!(asked(&["--policy", path]).0, 2, "a file that is not there");
    assert_eq!(asked(&["--as-recorded", "--policy", path]).0, 2);
    let row = "1,,PS,1999-01-03T08:00:00,1999-01-03T08:00:05,,,AGENT,1999-01-03T08:00:05,1999-01-03T08:01:00,A1,\n";
    fs::write(&calls, format!("{HEADER}{row}")).unwrap();
    let ring = |text: &str| {
        format!("{{\"max_wait_s\": 100, \"relaxation\": [{{\"after_s\": 5, \"lower_levels\": 1}}, {text}]}}")
    };
    for (text, wanted) in [
        ("{\n  \"rooting\": \"LONGEST_IDLE\"}", "p.json: rooting: unknown field `rooting`"),
        ("{\n  \"rooting\": \"LONGEST_IDLE\"}", "line 2 column"),
        ("{\"routing\": \"BEST_VALUE\"}", "routing: BEST_VALUE needs money"),
        ("{\"routing\": \"BEST\"}", "routing: unknown variant `BEST`"),
        ("{\"consent_after_s\": 20}", "consent_after_s: must be below consent_window_s"),
        ("{\"max_wait_s\": \"PT1H\"}", "max_wait_s: invalid type"),
        ("{\"max_wait_s\": -1}", "max_wait_s: invalid value"),
        ("{\"max_wait_s\": 0}", "max_wait_s: 1 to 5184000"),
        ("{\"consent_window_s\": 3601}", "consent_window_s: 1 to 3600"),
        ("{\"wrap_up_s\": 86401}", "wrap_up_s: 0 to 86400"),
        ("{\"priority\": 11}", "priority: 0 to 10"),
        ("{\"priority_credit_s\": 86401}", "priority_credit_s: 0 to 86400"),
        ("{\"topics\": {\"bank/ps\": {\"priority\": 11}}}", "topics.bank/ps.priority: 0 to 10"),
        ("{\"topics\": {\"bank/ps\": {\"priority_credit_s\": 86401}}}", "topics.bank/ps.priority_credit_s: 0 to 86400"),
        ("{\"topics\": {\"bank/ps\": {\"prio\": 1}}}", "topics.bank/ps.prio: unknown field `prio`"),
        ("{\"topics\": {\"bank/zz\": {\"priority\": 1}}}", "topics.bank/zz: no call of the file is of this type"),
        ("{\"topics\": {\"Bank!\": {}}}", "topics"),
        (&ring("{\"after_s\": 4, \"any_topic\": true, \"lower_levels\": 1}"), "relaxation.1.after_s: "),
        (
            &ring("{\"after_s\": 100, \"any_topic\": true, \"lower_levels\": 1}"),
            "relaxation.1.after_s: before max_wait_s is over",
        ),
        (
            "{\"topics\": {\"bank/ps\": {\"priority\": 1},\n \"bank/ps\": {\"priority\": 2}}}",
            "p.json: topics.bank/ps: is there twice at line 2",
        ),
        (&ring("{\"after_s\": 9, \"lower_levels\": 10}"), "relaxation.1.lower_levels: 0 to 9"),
        (&ring("{\"after_s\": 9}"), "relaxation.1: "),
        (&ring("{\"after\": 9}"), "relaxation.1.after: unknown field `after`"),
        ("{\"topics\": {\"bank/ps\": {\"relaxation\": [{\"after_s\": 0}]}}}", "topics.bank/ps.relaxation.0.after_s: "),
        ("[]", "p.json: a JSON object is wanted"),
        ("{\"relaxation\": [[60, true]]}", "relaxation.0: a JSON object is wanted"),
        ("{\"topics\": {\"bank/ps\": [1]}}", "topics.bank/ps: a JSON object"),
        ("{", "line 1 column"),
    ] {
        fs::write(&policy, text).unwrap();
        let (code, err) = asked(&["--policy", path]);
        assert!(code == 2 && err.contains(wanted) && err.contains("p.json"), "{text}: {code} {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    fs::write(&policy, "{\"routing\": \"ROUND_ROBIN\", \"wrap_up_s\": 5, \"consent_after_s\": 19}").unwrap();
    assert_eq!(asked(&["--policy", path]), (0, String::new()));
    fs::write(
        &policy,
        "{\"priority_credit_s\": 60, \"relaxation\": [{\"after_s\": 30, \"any_topic\": true}],
          \"topics\": {\"bank/ps\": {\"priority\": 2, \"relaxation\": []}}}",
    )
    .unwrap();
    assert_eq!(asked(&["--policy", path]), (0, String::new()));
    fs::write(&calls, format!("\n{}", HEADER.replace("vru_exit", "ivr_exit"))).unwrap();
    let (code, err) = asked(&[]);
    let wanted = "c.csv:2: the header has no column vru_exit; wanted are id, customer, type, arrival, vru_exit, queue_enter, \
        queue_exit, outcome, service_start, service_end, agent, flags\n";
    assert!(code == 2 && err.ends_with(wanted), "{code} {err}");
}
