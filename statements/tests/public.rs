//! Real files of many banks, read in place, against what others read from them (`expected.csv`).
#![allow(clippy::unwrap_used)]

use rust_decimal::Decimal;
use statements::{Proof, State, Statement};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The folder with the recorded data; where it is not named, these tests say that they are skipped.
fn folder() -> Option<PathBuf> {
    match std::env::var_os("CALLMARKET_SHARED") {
        Some(shared) => Some(PathBuf::from(shared).join("data/bank_statements")),
        None => {
            println!("skipped: CALLMARKET_SHARED does not name the folder with the statements");
            None
        }
    }
}

type Row = BTreeMap<String, String>;

/// Of each file its rows, one a statement; a file that is to be refused has one without a number.
fn expected(folder: &std::path::Path) -> BTreeMap<String, Vec<Row>> {
    let mut reader = csv::Reader::from_path(folder.join("expected.csv")).unwrap();
    let mut files: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in reader.deserialize() {
        let row: Row = row.unwrap();
        files.entry(row["file"].clone()).or_default().push(row);
    }
    files
}

fn amount(text: &str) -> Option<Decimal> {
    (!text.is_empty()).then(|| text.parse::<Decimal>().unwrap().normalize())
}

fn compare(row: &Row, one: &Statement, wrong: &mut Vec<String>) {
    let mut is = |what: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{} {}: {what} is {found}, not {expected}", row["file"], row["statement_no"]));
        }
    };
    let told = |amount: Option<Decimal>| amount.map_or("none".to_owned(), |amount| amount.normalize().to_string());
    is("opening", told(amount(&row["opening"])), told(one.opening.as_ref().map(|balance| balance.amount)));
    is("closing", told(amount(&row["closing"])), told(one.closing.as_ref().map(|balance| balance.amount)));
    is("net", told(amount(&row["net_sum"])), told(one.net()));
    // Others take it from the account alone; a balance names it too.
    if !row["currency"].is_empty() {
        is("currency", row["currency"].clone(), one.currency.clone().unwrap_or_default());
    }
    // camt's accounts are not in the table, and of one with a blank in it others read the first word.
    if !row["account"].is_empty() && !one.account.contains("\"NUMERO DE COMPTE") {
        is("account", row["account"].clone(), one.account.clone());
    }
    let proof = match one.proof() {
        Proof::Holds => "yes",
        Proof::Off(_) => "no",
        Proof::NotGiven => "",
    };
    is("balanced", row["balanced"].clone(), proof.to_owned());
    // Others count movements of securities, without an amount.
    let securities = one.doubts.iter().filter(|doubt| doubt.what.contains("securities")).count();
    is("entries", row["n_entries"].clone(), (one.entries.len() + securities).to_string());
}

#[test]
fn real_files_read_as_others_read_them() {
    let Some(folder) = folder() else { return };
    let (mut wrong, mut read, mut refused) = (vec![], 0, 0);
    for (file, rows) in expected(&folder) {
        let outcome = statements::read(&fs::read(folder.join(&file)).unwrap());
        match (outcome, rows[0]["statement_no"].as_str()) {
            (Err(faults), "") => {
                println!("{file}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
                refused += 1;
            }
            (Ok(found), "") => wrong.push(format!("{file} is to be refused, and has {} statements", found.len())),
            (Err(faults), _) => wrong.push(format!("{file}: {faults:?}")),
            (Ok(found), _) if found.len() != rows.len() => {
                wrong.push(format!("{file} has {} statements, not {}", found.len(), rows.len()));
            }
            (Ok(found), _) => {
                read += found.len();
                rows.iter().zip(&found).for_each(|(row, one)| compare(row, one, &mut wrong));
            }
        }
    }
    println!("{read} statements read, {refused} files refused");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 90 && refused >= 4, "the set is whole");
}

#[test]
fn a_file_cut_anywhere_balances_only_where_it_is_whole() {
    let Some(folder) = folder() else { return };
    for file in ["mt940/betterplace__sepa_snippet.sta", "camt/genkgo__camt053.v8.xml", "ofx/checking.ofx"] {
        let bytes = fs::read(folder.join(file)).unwrap();
        let whole = statements::read(&bytes).unwrap();
        for end in 0..bytes.len() {
            for (cut, whole) in statements::read(&bytes[..end]).unwrap_or_default().iter().zip(&whole) {
                // What balances has all its entries.
                let proven = cut.proof() != Proof::Holds || cut.entries == whole.entries;
                assert!(proven, "{file} cut at {end} balances, and is not whole");
            }
        }
    }
}

#[test]
fn what_a_bank_wrote_about_a_payment_is_found() {
    let Some(folder) = folder() else { return };
    let first = |file: &str| statements::read(&fs::read(folder.join(file)).unwrap()).unwrap().remove(0);
    let mt = first("mt940/betterplace__sepa_snippet.sta");
    let entry = &mt.entries[0];
    assert_eq!(entry.bank_reference.as_deref(), Some("0724710333343453"));
    assert_eq!(entry.references[0].carrier, "EREF");
    assert_eq!(entry.references[0].value, "EndToEndId TFNR 22 004 00001");
    assert_eq!(entry.counterparty.as_deref(), Some("KARL        KAUFMANN"));
    assert_eq!(entry.counterparty_account.as_deref(), Some("DE14508800500194785000"));
    assert_eq!(entry.remittance, "Verw CTSc-01 BC-PPP TFNr 22 004");
    let camt = first("camt/genkgo__camt053.v2.multi.statement.xml");
    assert!(!camt.account.is_empty() && camt.entries[0].state == State::Booked);
    let batch = first("camt/moov__200519_camt054-ESR-ASR_P_CH2909000000250094239_1110092704_0_2019042500372179.xml");
    assert!(batch.entries.iter().any(|entry| entry.payments.len() > 1), "a batch keeps its payments");
    let ofx = first("ofx/checking.ofx");
    assert!(ofx.entries.iter().all(|entry| entry.bank_reference.is_some()));
}

proptest::proptest! {
    #[test]
    fn anything_is_read_or_refused(
        head in proptest::sample::select(vec![":20:x\n:25:1\n", "<Document><BkToCstmrStmt><Stmt>", "OFXHEADER:100\n<OFX>", "{4:\n:20:"]),
        tail in "(:61:|:86:|:6[02]F:|[CD]?[0-9]{6}|EUR|[0-9,.]{1,9}|NTRFNONREF|//|\\?2[0-9]|<(/?(Stmt|Ntry|Amt|Bal|Acct|STMTRS|STMTTRN|TRNAMT)[^<]{0,4}>)|&[a-z]{2,4};|\n|é|[ -~]){0,40}",
    ) {
        let text = format!("{head}{tail}");
        if let Ok(all) = statements::read(text.as_bytes()) {
            for one in all {
                one.proof();
            }
        }
    }
}
