//! OFX 1.x (SGML, whose values need no end tag) and 2.x (XML): accounts of banks, cards and the cash of investment
//! accounts, and lists of accounts without any movement.
//!
//! Deliberately not here: securities, payments, anything that a client would send.

use crate::{Balance, Entry, Fault, Format, Place, Reference, State, Statement, amount, date, is_placeholder};

/// Nested aggregates.
const DEPTH_MAX: usize = 64;

#[derive(Debug, Default)]
struct Node {
    name: String,
    value: String,
    children: Vec<Node>,
    line: usize,
}

impl Node {
    fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }
    fn value_at(&self, path: &[&str]) -> Option<&str> {
        let node = path.iter().try_fold(self, |node, name| node.child(name))?;
        Some(node.value.trim()).filter(|value| !value.is_empty())
    }
    /// Itself and all below it, in the order of the file.
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        for child in &self.children {
            child.each(visit);
        }
    }
    fn place(&self) -> Place {
        Place::Line(self.line)
    }
}

pub(crate) fn read(text: &str) -> Result<Vec<Statement>, Vec<Fault>> {
    let root = tree(text).map_err(|fault| vec![fault])?;
    let (mut statements, mut faults) = (vec![], vec![]);
    root.each(&mut |node| {
        let account = match node.name.as_str() {
            "STMTRS" => "BANKACCTFROM",
            "CCSTMTRS" => "CCACCTFROM",
            "INVSTMTRS" => "INVACCTFROM",
            "ACCTINFO" => return statements.extend(listed(node)),
            "STATUS" => return faults.extend(refused(node)),
            _ => return,
        };
        match statement(node, account, &mut faults) {
            Ok(statement) => statements.push(statement),
            Err(fault) => faults.push(fault),
        }
    });
    if statements.is_empty() && faults.is_empty() {
        faults.push(Fault::new(Place::Line(1), "there is no account in it"));
    }
    if faults.is_empty() { Ok(statements) } else { Err(faults) }
}

/// A bank that could not answer says so instead of an account.
fn refused(status: &Node) -> Option<Fault> {
    let error = status.value_at(&["SEVERITY"]) == Some("ERROR");
    let words = status.value_at(&["MESSAGE"]).unwrap_or("no reason");
    error.then(|| Fault::new(status.place(), format!("the bank answered with an error: {words}")))
}

/// An account of a list, of which nothing else is known.
fn listed(node: &Node) -> Option<Statement> {
    let mut account = None;
    node.each(&mut |inner| {
        if inner.name.ends_with("ACCTFROM") {
            account = account.or(inner.value_at(&["ACCTID"]));
        }
    });
    Some(empty(account?, node))
}

fn empty(account: &str, node: &Node) -> Statement {
    Statement {
        format: Format::Ofx,
        account: account.to_owned(),
        currency: None,
        number: None,
        opening: None,
        closing: None,
        entries: vec![],
        doubts: vec![],
        place: node.place(),
    }
}

fn statement(node: &Node, account: &str, faults: &mut Vec<Fault>) -> Result<Statement, Fault> {
    let fault = |at: &Node, what: &str| Fault::new(at.place(), what.to_owned());
    let account = node.value_at(&[account, "ACCTID"]).ok_or_else(|| fault(node, "the statement names no account"))?;
    let mut one = empty(account, node);
    one.currency = node.value_at(&["CURDEF"]).map(str::to_ascii_uppercase);
    if let Some(ledger) = node.child("LEDGERBAL") {
        let amount = ledger.value_at(&["BALAMT"]).ok_or_else(|| fault(ledger, "the ledger balance is empty"))?;
        let amount = amount::parse(amount).ok_or_else(|| fault(ledger, "the ledger balance is no amount"))?;
        one.closing = Some(Balance { date: ledger.value_at(&["DTASOF"]).and_then(date::eight), amount });
    }
    node.each(&mut |inner| match inner.name.as_str() {
        "STMTTRN" => match entry(inner) {
            Ok(entry) => one.entries.push(entry),
            Err(fault) => faults.push(fault),
        },
        // Bought, sold, reinvested: each has its identity in here.
        "INVTRAN" => one.doubts.push(fault(inner, "a movement of securities is left out")),
        _ => {}
    });
    Ok(one)
}

fn entry(node: &Node) -> Result<Entry, Fault> {
    let fault = |what: String| Fault::new(node.place(), what);
    let posted = node.value_at(&["DTPOSTED"]).ok_or_else(|| fault("the transaction has no date (DTPOSTED)".into()))?;
    let booked = date::eight(posted).ok_or_else(|| fault(format!("{posted:?} is no date")))?;
    let text = node.value_at(&["TRNAMT"]).ok_or_else(|| fault("the transaction has no amount (TRNAMT)".into()))?;
    let amount = amount::parse(text).ok_or_else(|| fault(format!("{text:?} is no amount")))?;
    let own = |name: &str| {
        let value = node.value_at(&[name]).filter(|value| !is_placeholder(value))?;
        Some(Reference { carrier: name.to_owned(), value: value.to_owned() })
    };
    let name = node.value_at(&["NAME"]).or_else(|| node.value_at(&["PAYEE", "NAME"]));
    let to = ["BANKACCTTO", "CCACCTTO"].into_iter().find_map(|to| node.value_at(&[to, "ACCTID"]));
    Ok(Entry {
        state: State::Booked,
        booked: Some(booked),
        value: node.value_at(&["DTAVAIL"]).and_then(date::eight),
        amount,
        code: node.value_at(&["TRNTYPE"]).map(str::to_owned),
        bank_reference: node.value_at(&["FITID"]).map(str::to_owned),
        references: ["CHECKNUM", "REFNUM", "SRVRTID"].into_iter().filter_map(own).collect(),
        counterparty: name.map(str::to_owned),
        counterparty_account: to.map(str::to_owned),
        remittance: node.value_at(&["MEMO"]).unwrap_or_default().to_owned(),
        payments: vec![],
        place: node.place(),
    })
}

/// Everything from `<OFX>` on. A tag that no end tag closes holds a value, or nothing.
fn tree(text: &str) -> Result<Node, Fault> {
    let at = text.to_ascii_uppercase().find("<OFX>").unwrap_or(0);
    let mut line = 1 + text[..at].matches('\n').count();
    let mut open = vec![Node::default()];
    let mut rest = &text[at..];
    while let Some(start) = rest.find('<') {
        line += rest[..start].matches('\n').count();
        let Some(end) = rest[start..].find('>') else {
            return Err(Fault::new(Place::Line(line), "a tag does not end"));
        };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        let value = &rest[..rest.find('<').unwrap_or(rest.len())];
        let began = line;
        line += tag.matches('\n').count();
        if let Some(name) = tag.strip_prefix('/') {
            close(&mut open, name.trim());
        } else if !tag.starts_with(['?', '!']) {
            let name = tag.trim_end_matches('/').trim().to_ascii_uppercase();
            let value = unescaped(value.trim());
            open.push(Node { name, value, children: vec![], line: began });
            if open.last().is_some_and(|node| !node.value.is_empty()) {
                // A value's end tag may follow or not: then there is nothing left to close.
                finish(&mut open);
            } else if open.len() > DEPTH_MAX {
                return Err(Fault::new(Place::Line(began), "aggregates are nested too deeply"));
            }
        }
    }
    while open.len() > 1 {
        finish(&mut open);
    }
    open.pop().ok_or_else(|| Fault::new(Place::Line(1), "there is nothing in it"))
}

/// The last open tag ends.
fn finish(open: &mut Vec<Node>) {
    if let Some(done) = open.pop()
        && let Some(parent) = open.last_mut()
    {
        parent.children.push(done);
    }
}

/// An end tag: what was begun since and never ended was an empty value, and its followers stood beside it.
fn close(open: &mut Vec<Node>, name: &str) {
    let Some(at) = open.iter().rposition(|node| node.name.eq_ignore_ascii_case(name)).filter(|at| *at > 0) else {
        return;
    };
    while open.len() > at + 1 {
        let Some(mut unclosed) = open.pop() else { return };
        let inner = std::mem::take(&mut unclosed.children);
        if let Some(parent) = open.last_mut() {
            parent.children.push(unclosed);
            parent.children.extend(inner);
        }
    }
    finish(open);
}

fn unescaped(value: &str) -> String {
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    known.iter().fold(value.to_owned(), |value, (name, letter)| value.replace(name, letter))
}
