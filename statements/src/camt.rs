//! camt.052, camt.053 and camt.054 (ISO 20022), any version: what they have in common has had the same names since the
//! second, and where a version put a code into an element of its own, both are read.
//!
//! An entry's sign is its `CdtDbtInd`; a reversal's is so already (`RvslInd` says only that it is one). Balances are the
//! booked ones: OPBD, else PRCD, and CLBD.

use crate::xml::{Element, Step, Walk};
use crate::{Balance, Entry, Fault, Format, Payment, Place, Reference, State, Statement, amount, date, is_placeholder};
use jiff::civil::Date;
use rust_decimal::Decimal;

pub(crate) fn read(text: &str) -> Result<Vec<Statement>, Vec<Fault>> {
    let mut walk = Walk::new(text);
    let (mut done, mut faults): (Vec<Statement>, Vec<Fault>) = (vec![], vec![]);
    let mut open: Option<Statement> = None;
    let mut depth = 0;
    loop {
        let inside = open.is_some();
        // A statement's own elements one by one: it may have a million entries.
        let step = walk.next(|name| inside || name == "GrpHdr").map_err(|fault| vec![fault])?;
        match step {
            Step::Into(element) => {
                depth += 1;
                let format = match element.name.as_str() {
                    "Rpt" => Format::Camt052,
                    "Stmt" => Format::Camt053,
                    "Ntfctn" => Format::Camt054,
                    // `Document`, the message, and any envelope of a bank's own around them.
                    _ => continue,
                };
                open = Some(Statement {
                    format,
                    account: String::new(),
                    currency: None,
                    number: None,
                    opening: None,
                    closing: None,
                    entries: vec![],
                    doubts: vec![],
                    place: walk.path(&[]),
                });
            }
            Step::Whole(element) => {
                if let Some(one) = &mut open
                    && let Err(fault) = take(one, &element, &walk)
                {
                    faults.push(fault);
                }
            }
            Step::Out => {
                depth -= 1;
                if let Some(one) = open.take() {
                    if one.account.is_empty() {
                        faults.push(Fault::new(one.place.clone(), "the statement names no account (Acct/Id)"));
                    }
                    done.push(one);
                }
            }
            Step::End if depth == 0 => break,
            Step::End => return Err(vec![Fault::new(walk.line(), "the file ends within an element")]),
        }
    }
    if done.is_empty() && faults.is_empty() {
        faults.push(Fault::new(
            Place::Line(1),
            "there is no statement (Stmt), report (Rpt) or notification (Ntfctn) in it",
        ));
    }
    if faults.is_empty() { Ok(done) } else { Err(faults) }
}

/// One of a statement's own elements.
fn take(one: &mut Statement, element: &Element, walk: &Walk<'_>) -> Result<(), Fault> {
    let at = |steps: &[&str]| {
        let own = std::iter::once(element.step()).chain(steps.iter().map(|step| (*step).to_owned()));
        walk.path(&own.collect::<Vec<_>>())
    };
    match element.name.as_str() {
        "ElctrncSeqNb" | "LglSeqNb" => {
            one.number.get_or_insert_with(|| element.text.trim().to_owned());
        }
        "Acct" => {
            let account = element.text_at(&["Id", "IBAN"]).or_else(|| element.text_at(&["Id", "Othr", "Id"]));
            let account = account.or_else(|| element.text_at(&["Id", "PrtryAcct", "Id"]));
            one.account = account.ok_or_else(|| Fault::new(at(&["Id"]), "names no account"))?.to_owned();
            one.currency = element.text_at(&["Ccy"]).map(str::to_owned);
        }
        "Bal" => {
            let kind = element.text_at(&["Tp", "CdOrPrtry", "Cd"]).unwrap_or_default();
            let (amount, currency) = money(element).map_err(|what| Fault::new(at(&["Amt"]), what))?;
            let date = day(element, "Dt").map_err(|what| Fault::new(at(&["Dt"]), what))?;
            let balance = Balance { date, amount };
            let counts = match kind {
                // An interim one is the opening of a page in the middle.
                "OPBD" => {
                    one.opening = Some(balance);
                    true
                }
                "PRCD" => {
                    one.opening.get_or_insert(balance);
                    true
                }
                "CLBD" if one.closing.is_some() => {
                    one.doubts.push(Fault::new(at(&[]), "a second closing balance"));
                    false
                }
                "CLBD" => {
                    one.closing = Some(balance);
                    true
                }
                _ => false,
            };
            if counts && one.currency.get_or_insert_with(|| currency.clone()) != &currency {
                one.doubts.push(Fault::new(at(&["Amt"]), format!("a balance in {currency}")));
            }
        }
        "Ntry" => {
            let (entry, currency) = entry(element, &at)?;
            if one.currency.get_or_insert_with(|| currency.clone()) != &currency {
                one.doubts.push(Fault::new(at(&["Amt"]), format!("an entry in {currency}")));
            }
            one.doubts.extend(batch(element, &entry).map(|what| Fault::new(at(&["NtryDtls"]), what)));
            one.entries.push(entry);
        }
        _ => {}
    }
    Ok(())
}

/// `Amt` under its `CdtDbtInd`, and its currency.
fn money(element: &Element) -> Result<(Decimal, String), String> {
    let amt = element.child("Amt").ok_or("has no amount")?;
    let amount = amount::parse(&amt.text).filter(|amount| !amount.is_sign_negative());
    let amount = amount.ok_or_else(|| format!("{:?} is no amount", amt.text.trim()))?;
    let currency = amt.attribute("Ccy").ok_or("has no currency")?;
    match element.text_at(&["CdtDbtInd"]) {
        Some("CRDT") => Ok((amount, currency.to_owned())),
        Some("DBIT") => Ok((-amount, currency.to_owned())),
        _ => Err("is neither CRDT nor DBIT".to_owned()),
    }
}

/// `Dt` or `DtTm` within.
fn day(element: &Element, name: &str) -> Result<Option<Date>, String> {
    let Some(inner) = element.child(name) else { return Ok(None) };
    let Some(text) = inner.text_at(&["Dt"]).or_else(|| inner.text_at(&["DtTm"])) else { return Ok(None) };
    date::iso(text).map(Some).ok_or_else(|| format!("{text:?} is no day"))
}

fn entry(element: &Element, at: &dyn Fn(&[&str]) -> Place) -> Result<(Entry, String), Fault> {
    let (amount, currency) = money(element).map_err(|what| Fault::new(at(&["Amt"]), what))?;
    let date = |name: &'static str| day(element, name).map_err(|what| Fault::new(at(&[name]), what));
    let (booked, value) = (date("BookgDt")?, date("ValDt")?);
    let status = element.text_at(&["Sts", "Cd"]).or_else(|| element.text_at(&["Sts"]));
    let state = match status {
        Some("BOOK") => State::Booked,
        Some("PDNG" | "INFO" | "FUTR") => State::Pending,
        other => return Err(Fault::new(at(&["Sts"]), format!("{:?} is no status", other.unwrap_or_default()))),
    };
    let mut payments: Vec<Payment> = details(element).map(|one| payment(one, amount)).collect();
    let info = element.text_at(&["AddtlNtryInf"]).unwrap_or_default().to_owned();
    let bank_reference = known(element.text_at(&["AcctSvcrRef"]));
    let mut entry = Entry {
        state,
        booked,
        value,
        amount,
        code: code(element),
        bank_reference,
        references: named("NtryRef", element.text_at(&["NtryRef"])).into_iter().collect(),
        counterparty: None,
        counterparty_account: None,
        remittance: info,
        payments: vec![],
        place: at(&[]),
    };
    match payments.len() {
        0 => {}
        // The entry's own.
        1 => {
            let own = payments.remove(0);
            entry.bank_reference = entry.bank_reference.or(own.bank_reference);
            entry.references.extend(own.references);
            entry.counterparty = own.counterparty;
            entry.counterparty_account = own.counterparty_account;
            if !own.remittance.is_empty() {
                entry.remittance = own.remittance;
            }
        }
        _ => entry.payments = payments,
    }
    Ok((entry, currency))
}

fn details(entry: &Element) -> impl Iterator<Item = &Element> {
    entry.all("NtryDtls").flat_map(|details| details.all("TxDtls"))
}

/// What an entry's batch says of itself and is not so.
fn batch(element: &Element, entry: &Entry) -> Option<String> {
    let stated = element.all("NtryDtls").filter_map(|details| details.text_at(&["Btch", "NbOfTxs"]));
    let stated: usize = stated.filter_map(|count| count.parse::<usize>().ok()).sum();
    let found = details(element).count();
    if stated > 0 && found > 0 && stated != found {
        return Some(format!("tells of {stated} payments; there are {found}"));
    }
    let amounts: Option<Vec<Decimal>> = entry.payments.iter().map(|payment| payment.amount).collect();
    let total = amounts.filter(|all| !all.is_empty())?.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add)?;
    (total != entry.amount).then(|| format!("its payments come to {total}, the entry is {}", entry.amount))
}

fn payment(details: &Element, of: Decimal) -> Payment {
    let amount = details.child("Amt").or_else(|| details.at(&["AmtDtls", "TxAmt", "Amt"]));
    let amount = amount.and_then(|amt| amount::parse(&amt.text));
    let debit = match details.text_at(&["CdtDbtInd"]) {
        Some(mark) => mark == "DBIT",
        None => of.is_sign_negative(),
    };
    let refs = details.child("Refs");
    let reference = |name: &str| named(name, refs.and_then(|refs| refs.text_at(&[name])));
    let mut references: Vec<Reference> =
        ["EndToEndId", "InstrId", "PmtInfId", "MsgId", "MndtId", "TxId", "UETR", "ClrSysRef"]
            .into_iter()
            .filter_map(reference)
            .collect();
    for structured in details.all("RmtInf").flat_map(|inf| inf.all("Strd")) {
        references.extend(named("RF", structured.text_at(&["CdtrRefInf", "Ref"])));
        references.extend(named("RfrdDocInf", structured.text_at(&["RfrdDocInf", "Nb"])));
    }
    let words = details.all("RmtInf").flat_map(|inf| inf.all("Ustrd")).map(|words| words.text.trim());
    let remittance = words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
    // Who paid a credit is its debtor.
    let (side, account) = if debit { ("Cdtr", "CdtrAcct") } else { ("Dbtr", "DbtrAcct") };
    let party = details.child("RltdPties");
    let name = party.and_then(|party| party.text_at(&[side, "Nm"]).or_else(|| party.text_at(&[side, "Pty", "Nm"])));
    let number = party.and_then(|party| {
        party.text_at(&[account, "Id", "IBAN"]).or_else(|| party.text_at(&[account, "Id", "Othr", "Id"]))
    });
    Payment {
        amount: amount.map(|amount| if debit { -amount } else { amount }),
        bank_reference: known(refs.and_then(|refs| refs.text_at(&["AcctSvcrRef"]))),
        references,
        counterparty: name.map(str::to_owned),
        counterparty_account: number.map(str::to_owned),
        remittance,
    }
}

fn code(element: &Element) -> Option<String> {
    let domain = element.at(&["BkTxCd", "Domn"]);
    let parts = domain.map(|domain| {
        let parts = [domain.text_at(&["Cd"]), domain.text_at(&["Fmly", "Cd"]), domain.text_at(&["Fmly", "SubFmlyCd"])];
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    });
    parts.filter(|code| !code.is_empty()).or_else(|| element.text_at(&["BkTxCd", "Prtry", "Cd"]).map(str::to_owned))
}

fn known(text: Option<&str>) -> Option<String> {
    text.filter(|text| !is_placeholder(text)).map(str::to_owned)
}

fn named(carrier: &str, value: Option<&str>) -> Option<Reference> {
    known(value).map(|value| Reference { carrier: carrier.to_owned(), value })
}
