//! The books: each event of a call server with legs has one entry, in the order of its log, which says what it says; the
//! entries are numbered without gaps; fee rules begin no earlier than they were set. In the evening nothing is left out.

use super::entry::{Entry, int, list, text};
use super::{Audited, must};
use std::collections::BTreeMap;

pub fn audit(logs: &BTreeMap<&str, Vec<Entry>>, over: bool) -> Audited {
    // A mutant of another log is without its books.
    let Some(treasury) = logs.get("treasury") else { return Ok(()) };
    let mut posted: BTreeMap<&str, i64> = BTreeMap::new();
    let (mut entries, mut rules) = (0, 0);
    for entry in treasury {
        match entry.kind.as_str() {
            "journal.entry_posted.v1" => {
                entries += 1;
                must!(entry, entry.int("number") == entries, "books", "leaves a gap in the numbers");
                posts(logs, entry, &mut posted)?;
            }
            "fee_rule.set.v1" => {
                rules += 1;
                let rule = &entry.data["rule"];
                must!(entry, int(rule, "number") == rules, "fees", "leaves a gap in the numbers");
                must!(entry, int(rule, "valid_from") >= entry.time, "fees", "began before it was set");
                must!(entry, entry.role == "FINANCE", "rights", "was set by {}", entry.role);
            }
            other => must!(entry, false, "known events", "{other} is no event of `treasury`"),
        }
    }
    for (log, theirs) in logs.iter().filter(|(log, _)| !["community", "treasury", "effects"].contains(log)) {
        let last = posted.get(log).copied().unwrap_or(-1);
        let left_out = theirs.iter().find(|entry| entry.seq as i64 > last && !list(&entry.data, "legs").is_empty());
        if let Some(entry) = left_out {
            must!(entry, !over, "books", "was never posted");
        }
    }
    Ok(())
}

/// One entry beside its source; what moved between the last one and this would have been left out.
fn posts<'a>(logs: &BTreeMap<&str, Vec<Entry>>, entry: &'a Entry, posted: &mut BTreeMap<&'a str, i64>) -> Audited {
    let source = &entry.data["source"];
    let (log, seq) = (text(source, "log"), int(source, "seq"));
    let last = posted.insert(log, seq).unwrap_or(-1);
    must!(entry, last < seq, "books", "{log} {seq} was posted before");
    let theirs = logs.get(log).map_or(&[][..], |entries| entries);
    let between = theirs.iter().skip((last + 1) as usize).take((seq - last - 1).max(0) as usize);
    let left_out = between.into_iter().find(|one| !list(&one.data, "legs").is_empty());
    must!(entry, left_out.is_none(), "books", "leaves out {log} {}", left_out.map_or(0, |one| one.seq));
    let Some(moved) = theirs.get(seq as usize) else {
        must!(entry, false, "books", "{log} has no {seq}");
        return Ok(());
    };
    let hash: String = moved.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    must!(entry, hash == text(source, "hash"), "books", "{log} {seq} is another event");
    let same = entry.data.get("legs") == moved.data.get("legs") && entry.int("at") == moved.time;
    must!(entry, same, "books", "is not what {log} {seq} moved");
    let about = moved.data.get("settlement").or(moved.data.get("account"));
    must!(entry, entry.data.get("about") == about, "books", "is about something else");
    Ok(())
}
