//! The auditor: reads what stands in the logs, as JSON, and what was answered, and says the first thing that
//! cannot be. It has models and arithmetic of its own and shares no code with `domain`: what both get wrong
//! in the same way, both must have been told wrong.
//!
//! ```text
//! entry      a stored event as JSON, commands' groups, amounts as whole thousandths
//! chain      hashes, positions, envelopes, keys, sources
//! handover   what `community` decided for a call server stands there
//! market     what one call server's events come to; fold: an event against it; inquiry, money: their parts
//! pricing    what bids cost and which may stand; award: who must win, and what the others are told
//! selection  who has an inquiry without an auction; standing: what agents would pay or take, and bids by it
//! blocks     who is kept from whom
//! merges     what moves from queues that were merged
//! glances    who stands where, as views show it
//! strikes    who won and did not consent
//! places     where too much goes on
//! deadlines  nothing outlives its deadline; who was late, and whether it may be blamed
//! limits     what an offer may have open and cost in a day
//! proofs     by which keys providers vouch for customers
//! erasure    what was accepted for whom was erased, and what of it ends
//! webhooks   who is told of what leaves the house, when, and how often
//! answers    every answer is borne out by the log, every event is somebody's
//! feeds      what readers of feeds saw is what concerned them
//! ```
//!
//! Deliberately not here: how the day was made, and anything that writes. The place of `asOf` is
//! `views.rs`: it answers what an earlier fold of these events says, which is no business of an auditor.

pub mod answers;
pub mod award;
pub mod bids;
pub mod blocks;
pub mod chain;
mod conference;
pub mod deadlines;
pub mod entry;
pub mod erasure;
pub mod feeds;
pub mod fold;
pub mod glances;
pub mod handover;
mod hours;
pub mod inquiry;
pub mod limits;
pub mod market;
mod merges;
pub mod money;
mod notices;
pub mod places;
mod preference;
pub mod pricing;
pub mod proofs;
pub mod selection;
pub mod standing;
mod strikes;
pub mod treasury;
pub mod webhooks;

use answers::Told;
use deadlines::Up;
use entry::{Entry, groups};
use feeds::Watch;
use glances::Glance;
use market::Market;
use std::collections::{BTreeMap, HashSet};
use webhooks::{Mark, Sent};

/// One stored event, byte for byte.
#[derive(Clone)]
pub struct Line {
    pub seq: u64,
    pub envelope: Vec<u8>,
    pub data: Vec<u8>,
    pub salt: [u8; 16],
    pub hash: [u8; 32],
}

/// Everything that the auditor is given of a day.
#[derive(Clone)]
pub struct Books {
    pub logs: BTreeMap<String, Vec<Line>>,
    pub told: Vec<Told>,
    pub ups: Vec<Up>,
    /// The commands that timers made, on either node.
    pub ticks: HashSet<String>,
    pub watches: Vec<Watch>,
    pub glances: Vec<Glance>,
    pub sent: Vec<Sent>,
    pub marks: Vec<Mark>,
}

/// What cannot be, and where it shows.
#[derive(Clone, Debug)]
pub struct Finding {
    pub invariant: &'static str,
    pub log: String,
    pub seq: u64,
    pub what: String,
}

impl Finding {
    pub fn at(entry: &Entry, invariant: &'static str, what: String) -> Finding {
        let what = format!("{} {what}", entry.kind);
        Finding { invariant, log: entry.log.clone(), seq: entry.seq, what }
    }
}

pub type Audited = Result<(), Finding>;

/// `must!(entry, what must be so, "the invariant", "what is so instead")`.
macro_rules! must {
    ($entry:expr, $holds:expr, $invariant:expr, $($what:tt)*) => {
        if !$holds {
            return Err($crate::audit::Finding::at($entry, $invariant, format!($($what)*)));
        }
    };
}
pub(crate) use must;

/// What an account came to, for who compares it with a view: balance and holds in thousandths.
pub type Accounts = BTreeMap<(String, String, String), (i128, i128)>;

/// Every log, where it is one.
pub fn read(books: &Books) -> Result<BTreeMap<&str, Vec<Entry>>, Finding> {
    books.logs.iter().map(|(log, lines)| Ok((log.as_str(), chain::read(log, lines)?))).collect()
}

/// Looks at a whole day. `over`: it is evening, so nothing may be left open.
pub fn audit(books: &Books, over: bool) -> Result<Accounts, Finding> {
    let logs = read(books)?;
    answers::audit(books, &logs)?;
    treasury::audit(&logs, over)?;
    let mut accounts = Accounts::new();
    let none = vec![];
    let community = logs.get("community").unwrap_or(&none);
    let treasury = logs.get("treasury").map(Vec::as_slice);
    for (log, entries) in logs.iter().filter(|(log, _)| !["community", "treasury", "effects"].contains(log)) {
        let ups: Vec<&Up> = books.ups.iter().filter(|up| up.log == *log).collect();
        let glances: Vec<&Glance> = books.glances.iter().filter(|one| one.log == *log).collect();
        let mut market = Market::default();
        for group in groups(entries) {
            known(&market, group)?;
            let due = deadlines::before(&market, group)?;
            for part in award::parts(group) {
                award::decided(&market, part)?;
                for entry in part {
                    blocks::before(&market, entry, group)?;
                    standing::before(&mut market, entry, group)?;
                    fold::fold(&mut market, entry, group)?;
                }
            }
            strikes::after(&market, group)?;
            standing::after(&mut market, group.last().expect("a group has events"))?;
            deadlines::after(&market, group, due, &ups)?;
            merges::after(&market, group)?;
            glances::after(&market, group, &glances)?;
            market.stands(group)?;
        }
        notices::audit(entries)?;
        handover::audit(log, entries, community, treasury, over)?;
        if over && let Some(last) = entries.last() {
            market.is_over(last)?;
        }
        for ((owner, currency), account) in &market.accounts {
            let held = market.held(owner, currency);
            accounts.insert((log.to_string(), owner.to_string(), currency.to_string()), (account.balance, held));
        }
    }
    limits::audit(&logs, over)?;
    proofs::audit(community)?;
    blocks::audit(community)?;
    erasure::audit(&logs)?;
    webhooks::audit(&books.sent, &books.marks, &logs, over)?;
    // Last, so that what is wrong with a log is told as such.
    feeds::audit(&books.watches, &logs)?;
    Ok(accounts)
}

/// Whatever an event names must have begun: so that nobody after this has to ask again.
fn known(market: &Market<'_>, group: &[Entry]) -> Audited {
    let begun = |kind: &str, name: &str, id: &str| group.iter().any(|one| one.is(kind) && one.text(name) == id);
    for entry in group {
        let id = |name: &str| entry.data.get(name).and_then(serde_json::Value::as_str);
        for (name, known, kind) in [
            ("inquiry", id("inquiry").map(|id| market.inquiries.contains_key(id)), "inquiry.registered"),
            ("auction", id("auction").map(|id| market.auctions.contains_key(id)), "auction.opened"),
            (
                "reservation",
                id("reservation").map(|id| market.reservations.contains_key(id) || market.invitations.contains_key(id)),
                "reservation.opened",
            ),
            ("session", id("session").map(|id| market.sessions.contains_key(id)), "session.opened"),
            ("agent", id("agent").map(|id| market.agents.contains_key(id)), "agent.registered"),
        ] {
            let fine = known.unwrap_or(true) || begun(kind, name, id(name).unwrap_or_default());
            must!(entry, fine, "known things", "names {name} {:?}, which never began", id(name));
        }
    }
    Ok(())
}
