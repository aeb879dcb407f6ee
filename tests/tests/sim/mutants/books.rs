//! Days on which money went another way than it should, and books that say something else than the logs.

use super::{Mutant, a_cent, data, days, edit, find, is, reseal};
use crate::audit::{Line, audit};
use serde_json::json;

/// In a call server's log.
pub(super) const FEES: &[Mutant] = &[
    ("a commission by a cent", commission_by_a_cent, &["fees"]),
    ("a price without its fee", no_fee, &["fees"]),
    ("by a rule that is not in force", another_rule, &["fees"]),
    ("a refund by a cent from another share", refund_by_a_cent, &["postings"]),
    ("a credit note left out", note_left_out, &["fees"]),
    ("money back that was given back", back_again, &["fees", "credit limit", "known things"]),
    ("more paid out than is payable", paid_out_twice, &["payouts"]),
    ("a payout to somebody else's account", paid_to_another, &["known things", "payouts", "postings"]),
    ("a payout that came back and never left", back_from_nowhere, &["payouts"]),
    ("a payout that comes back short", back_short, &["payouts", "postings"]),
];

/// In the books.
const BOOKS: &[Mutant] = &[
    ("an entry that was never posted", never_posted, &["books"]),
    ("an entry twice", posted_twice, &["books", "handover"]),
    ("an entry that says something else", says_else, &["books"]),
    ("an entry at another time", another_time, &["books"]),
    ("a number left out", number_left_out, &["books"]),
    ("a fee rule from before it was set", earlier_rule, &["fees"]),
];

fn paid_out_twice(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "wallet.paid_out")?;
    edit(&mut lines[at], |data| {
        let amount = data["amount"]["amount"].as_str().expect("an amount").to_owned();
        data["amount"]["amount"] = json!(format!("9{amount}"));
        data["legs"][0]["amount"]["amount"] = json!(format!("9{amount}"));
        data["legs"][1]["amount"]["amount"] = json!(format!("-9{amount}"));
    });
    Some(())
}
fn paid_to_another(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "wallet.paid_out")?;
    let owner = data(&lines[at])["owner"].clone();
    let other = lines.iter().find(|line| is(line, "wallet.opened") && data(line)["owner"] != owner)?;
    let other = data(other)["owner"].clone();
    edit(&mut lines[at], |data| data["owner"] = other);
    Some(())
}
fn back_from_nowhere(lines: &mut Vec<Line>) -> Option<()> {
    let back = find(lines, "wallet.payout_returned")?;
    let payout = data(&lines[back])["payout"].clone();
    let left = lines.iter().position(|line| is(line, "wallet.paid_out") && data(line)["payout"] == payout)?;
    lines.remove(left);
    Some(())
}
fn back_short(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "wallet.payout_returned")?;
    edit(&mut lines[at], |data| {
        a_cent(&mut data["amount"]);
        let amount = data["amount"]["amount"].as_str().expect("an amount").to_owned();
        data["legs"][0]["amount"]["amount"] = json!(amount);
        data["legs"][1]["amount"]["amount"] = json!(format!("-{amount}"));
    });
    Some(())
}
fn with_fee(lines: &[Line], kind: &str) -> Option<usize> {
    let has_fee = |line: &Line| data(line).get("fee").is_some_and(|fee| fee["commission"]["amount"] != "0.00");
    lines
        .iter()
        .position(|line| is(line, kind) && has_fee(line) && data(line)["legs"].as_array().map_or(0, Vec::len) > 2)
}
fn commission_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = with_fee(lines, "settlement.pending")?;
    edit(&mut lines[at], |data| a_cent(&mut data["fee"]["commission"]));
    Some(())
}
fn no_fee(lines: &mut Vec<Line>) -> Option<()> {
    let at = with_fee(lines, "settlement.pending")?;
    edit(&mut lines[at], |data| {
        data.as_object_mut().expect("an object").remove("fee");
        let price = data["legs"][0]["amount"]["amount"].as_str().expect("an amount").to_owned();
        data["legs"].as_array_mut().expect("legs").truncate(2);
        data["legs"][1]["amount"]["amount"] = json!(format!("-{price}"));
    });
    Some(())
}
fn another_rule(lines: &mut Vec<Line>) -> Option<()> {
    let ruled = |line: &Line| is(line, "settlement.escrowed") && data(line).get("fee_rule").is_some();
    let at = lines.iter().position(ruled)?;
    edit(&mut lines[at], |data| data["fee_rule"] = json!(data["fee_rule"].as_i64().expect("a number") + 1));
    Some(())
}
fn refund_by_a_cent(lines: &mut Vec<Line>) -> Option<()> {
    let at = with_fee(lines, "settlement.refunded")?;
    // From the second what the first gives less: the sum is the same.
    edit(&mut lines[at], |data| {
        for (leg, by) in [(0, 1), (1, -1)] {
            let amount = data["legs"][leg]["amount"]["amount"].as_str().expect("an amount").to_owned();
            let decimals = amount.split_once('.').map_or(0, |(_, part)| part.len());
            let units: i64 = amount.replace('.', "").parse().expect("digits");
            let units = format!("{:0width$}", units + by, width = decimals + 1);
            let (whole, part) = units.split_at(units.len() - decimals);
            let shown = if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") };
            data["legs"][leg]["amount"]["amount"] = json!(shown);
        }
    });
    Some(())
}
fn note_left_out(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "settlement.refunded")?;
    edit(&mut lines[at], |data| data["credit_note"] = json!(data["credit_note"].as_i64().expect("a number") + 1));
    Some(())
}
fn back_again(lines: &mut Vec<Line>) -> Option<()> {
    let whole = |line: &Line| is(line, "settlement.refunded") && data(line)["left"]["amount"] != "0.00";
    let at = lines.iter().position(whole)?;
    edit(&mut lines[at], |data| a_cent(&mut data["left"]));
    Some(())
}

fn never_posted(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().rposition(|line| is(line, "journal.entry_posted"))?;
    lines.remove(at);
    Some(())
}
fn posted_twice(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().rposition(|line| is(line, "journal.entry_posted"))?;
    let mut second = lines[at].clone();
    edit(&mut second, |data| data["number"] = json!(data["number"].as_i64().expect("a number") + 1));
    super::edit_envelope(&mut second, |envelope| envelope["correlation"] = json!("cmd_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
    lines.insert(at + 1, second);
    Some(())
}
fn says_else(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "journal.entry_posted")?;
    edit(&mut lines[at], |data| (0..2).for_each(|leg| a_cent(&mut data["legs"][leg]["amount"])));
    Some(())
}
fn another_time(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "journal.entry_posted")?;
    edit(&mut lines[at], |data| data["at"] = json!(data["at"].as_i64().expect("an instant") - 1));
    Some(())
}
fn number_left_out(lines: &mut Vec<Line>) -> Option<()> {
    let at = lines.iter().rposition(|line| is(line, "journal.entry_posted"))?;
    edit(&mut lines[at], |data| data["number"] = json!(data["number"].as_i64().expect("a number") + 1));
    Some(())
}
fn earlier_rule(lines: &mut Vec<Line>) -> Option<()> {
    let at = find(lines, "fee_rule.set")?;
    edit(&mut lines[at], |data| data["rule"]["valid_from"] = json!(0));
    Some(())
}

#[test]
fn the_auditor_finds_every_mutant_of_the_books() {
    let mut left: Vec<&Mutant> = BOOKS.iter().collect();
    for (seed, day) in days() {
        left.retain(|(name, tamper, invariants)| {
            let mut books = day.clone();
            if tamper(books.logs.get_mut("treasury").expect("the log")).is_none() {
                return true;
            }
            reseal(&mut books, "treasury", true);
            let found = audit(&books, true).err().unwrap_or_else(|| panic!("{name}: not found on day {seed}"));
            assert!(invariants.contains(&found.invariant), "{name}, day {seed}: {found:?}");
            false
        });
        if left.is_empty() {
            return;
        }
    }
    panic!("on no day: {:?}", left.iter().map(|(name, ..)| name).collect::<Vec<_>>());
}
