//! `callmarket statement`: what is in a bank's file, and whether its balances prove it. It writes nothing: a person looks
//! before anything is imported.

use super::{Failure, Found, Misuse};
use clap::Args;
use serde_json::{Value, json};
use statements::{Fault, Proof, State, Statement};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct StatementFiles {
    /// Files in MT940, MT942, camt.052, camt.053, camt.054 or OFX
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One line of JSON for each file
    #[arg(long)]
    json: bool,
}

impl StatementFiles {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let mut found = Found::Nothing;
        for file in &self.files {
            let bytes = std::fs::read(file).map_err(|error| Misuse(format!("{}: {error}", file.display())))?;
            let read = statements::read(&bytes);
            let whole = matches!(&read, Ok(all) if all.iter().all(is_sound));
            if !whole {
                found = Found::Something;
            }
            match self.json {
                true => println!("{}", line(file, &read)),
                false => tell(file, &read),
            }
        }
        Ok(found)
    }
}

/// Nothing about it needs a person. Where a balance is missing, nothing can be said against it.
fn is_sound(one: &Statement) -> bool {
    one.doubts.is_empty() && !matches!(one.proof(), Proof::Off(_))
}

fn tell(file: &Path, read: &Result<Vec<Statement>, Vec<Fault>>) {
    let name = file.display();
    let all = match read {
        Ok(all) => all,
        Err(faults) => {
            faults.iter().for_each(|fault| println!("{name}: refused: {fault}"));
            return;
        }
    };
    for one in all {
        let amount = |balance: &Option<statements::Balance>| match balance {
            Some(balance) => balance.amount.to_string(),
            None => "?".to_owned(),
        };
        let proof = match one.proof() {
            Proof::Holds => "balances".to_owned(),
            Proof::Off(off) => format!("does not balance: {off} is missing"),
            Proof::NotGiven => "cannot be proven, a balance is missing".to_owned(),
        };
        let currency = one.currency.as_deref().unwrap_or("");
        let (opening, closing) = (amount(&one.opening), amount(&one.closing));
        println!("{name}: {} {currency}: {opening} to {closing}, {} entries: {proof}", one.account, one.entries.len());
        one.doubts.iter().for_each(|doubt| println!("{name}: {} {doubt}", one.account));
    }
}

fn line(file: &Path, read: &Result<Vec<Statement>, Vec<Fault>>) -> Value {
    let faults = |faults: &[Fault]| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = file.display().to_string();
    match read {
        Err(refused) => json!({ "file": file, "refused": faults(refused) }),
        Ok(all) => {
            let statements = all.iter().map(|one| {
                json!({
                    "account": one.account,
                    "currency": one.currency,
                    "number": one.number,
                    "opening": one.opening.as_ref().map(|balance| balance.amount.to_string()),
                    "closing": one.closing.as_ref().map(|balance| balance.amount.to_string()),
                    "entries": one.entries.len(),
                    "pending": one.entries.iter().filter(|entry| entry.state == State::Pending).count(),
                    "net": one.net().map(|net| net.to_string()),
                    "balanced": match one.proof() {
                        Proof::Holds => Some(true),
                        Proof::Off(_) => Some(false),
                        Proof::NotGiven => None,
                    },
                    "doubts": faults(&one.doubts),
                })
            });
            json!({ "file": file, "statements": statements.collect::<Vec<_>>() })
        }
    }
}
