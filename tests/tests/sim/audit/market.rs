//! What one call server's events come to, in the auditor's own words, and what must be so after every
//! command, whatever it was.

use super::entry::{Amount, Entry};
use super::places::{self, Place};
use super::preference::Preferred;
use super::pricing::Rules;
use super::selection::{self, Price, Way};
use super::standing::{Opening, Value};
use super::strikes;
use super::{Audited, must};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

type Id<'a> = &'a str;

#[derive(Default)]
pub struct Agent<'a> {
    pub number: i64,
    pub location: &'a str,
    pub capacity: usize,
    pub available: bool,
    pub skills: Vec<(&'a str, i64)>,
    pub affiliated: Option<Id<'a>>,
    pub asked: BTreeSet<Id<'a>>,
    pub sessions: BTreeSet<Id<'a>>,
    pub wrap_ups: BTreeSet<Id<'a>>,
    /// Sessions that it joined as a third agent: it takes nothing else.
    pub guest_in: BTreeSet<Id<'a>>,
    /// More rounds open for it then.
    pub rounds_at: Option<i64>,
    /// AVAILABLE, and seen at a node: it is gone then.
    pub present_until: Option<i64>,
    /// It has been without work since then.
    pub worked_at: i64,
    /// The selection that was its last, counted over all of them.
    pub selected: i64,
    /// What it would pay or take unasked.
    pub values: Vec<Value<'a>>,
    /// Providers that keep it from their inquiries.
    pub blocked_by: BTreeSet<Id<'a>>,
    /// Customers whom it keeps away from.
    pub keeps_from: BTreeSet<Id<'a>>,
    /// When each of its strikes is forgotten.
    pub strikes: Vec<i64>,
    /// It names no bid until then.
    pub barred_until: Option<i64>,
    /// Within a command: its strike must bar it.
    pub owes_bar: bool,
}

impl Agent<'_> {
    pub fn load(&self) -> usize {
        self.asked.len() + self.sessions.len()
    }
    pub fn is_free(&self) -> bool {
        let undivided = self.wrap_ups.is_empty() && self.guest_in.is_empty();
        self.available && undivided && self.load() < self.capacity
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before its offer's hours: registered, and nothing begins for it.
    Early,
    Queued,
    InAuction,
    Reserved,
    Engaged,
    WrapUp,
    /// Withdrawn, and its customer may come back: it keeps its place in its queues.
    Away,
    Closed,
}

pub struct Inquiry<'a> {
    pub step: Step,
    pub provider: Id<'a>,
    pub customer: Id<'a>,
    pub accepted_at: i64,
    /// Who started it, where the provider pays: it is for somebody else then.
    pub unpaid: Option<Id<'a>>,
    /// Its customer is erased: until it ends nobody gets it.
    pub ends_soon: bool,
    pub way: Way<'a>,
    pub topics: Vec<&'a str>,
    pub consent_window: i64,
    pub wrap_up: Option<i64>,
    pub independent: bool,
    /// Asked for by now.
    pub skills: Vec<(&'a str, i64)>,
    /// The offer's own, its rings, and how many of them were entered.
    pub own_skills: Vec<(&'a str, i64)>,
    pub relaxation: &'a [Json],
    pub rings: usize,
    /// By its terms so long, and whom until an agent has it.
    pub prefers: i64,
    pub preferred: Option<Preferred<'a>>,
    pub max_wait: i64,
    pub queues: Vec<Id<'a>>,
    /// In all of them it stands behind whoever's is less.
    pub place: (i64, Id<'a>),
    /// Its offer's.
    pub hours: Option<&'a Json>,
    /// When its offer's hours begin.
    pub begins_at: Option<i64>,
    pub wait_left: i64,
    pub waits_since: Option<i64>,
    pub auctions: Vec<Id<'a>>,
    pub reservations: Vec<Id<'a>>,
    /// From which of its reservations on it is asked about without having been back in its place.
    pub chain_from: usize,
    /// Nobody could have it: the platform selects again then.
    pub selects_at: Option<i64>,
    /// Away: until then its customer may come back; and how often it did.
    pub kept_until: Option<i64>,
    pub comebacks: u32,
    /// Whom the decision has just chosen, and at which price.
    pub chosen: Option<(Id<'a>, Price<'a>)>,
    /// What its session costs.
    pub owed: Price<'a>,
    pub session: Option<Id<'a>>,
    pub settled: bool,
    /// The session's wrap-up is done, or there is none.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Live,
    Withdrawn,
    Lost,
    Won,
    Forfeited,
}

#[derive(Clone, Debug)]
pub struct Bid<'a> {
    pub id: Id<'a>,
    pub agent: Id<'a>,
    pub amount: Amount,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Open,
    Awarded,
    Closed,
}

pub struct Auction<'a> {
    pub inquiry: Id<'a>,
    pub rules: Rules<'a>,
    pub phase: Phase,
    pub closes_at: i64,
    pub hard: Option<i64>,
    pub moved: bool,
    /// In the order of recording.
    pub bids: Vec<Bid<'a>>,
    /// The bid of each agent that counts.
    pub counts: BTreeMap<Id<'a>, usize>,
    pub bidders: Vec<Id<'a>>,
    pub price: Option<Amount>,
    /// Who has it now, at which price.
    pub winner: Option<(usize, Amount)>,
    /// As the events say it, by owner.
    pub holds: BTreeMap<Id<'a>, Amount>,
}

impl<'a> Auction<'a> {
    /// Best first; equals in the order of recording.
    pub fn ranked(&self) -> Vec<usize> {
        let mut ranked: Vec<usize> = self.counts.values().copied().collect();
        ranked.sort_by_key(|at| (-self.rules.worth(self.bids[*at].amount), *at));
        ranked
    }
    /// OPEN and PROXY, while open.
    pub fn leader(&self) -> Option<usize> {
        self.ranked().first().copied().filter(|_| !self.rules.sealed())
    }
}

pub struct Reservation<'a> {
    pub inquiry: Id<'a>,
    pub agent: Id<'a>,
    /// Auction and bid, where it was won.
    pub won: Option<(Id<'a>, Id<'a>)>,
    pub price: Price<'a>,
    /// Of whom the reservation itself holds the price; where it was won, the auction does.
    pub payer: Option<Id<'a>>,
    pub deadline: i64,
    pub pending: bool,
    pub declined: bool,
    pub lapsed: bool,
    pub ended_at: Option<i64>,
}

pub struct Invitation<'a> {
    pub session: Id<'a>,
    pub agent: Id<'a>,
    pub by: Id<'a>,
    pub transfer: bool,
    /// The platform selected whom it asks, and asks the next.
    pub skilled: bool,
    pub deadline: i64,
    pub pending: bool,
    /// Who invited knows what came of it.
    pub told: bool,
}

pub struct Session<'a> {
    pub inquiry: Id<'a>,
    /// The first one, now or at its end.
    pub agent: Id<'a>,
    /// Those in it, the first one first.
    pub agents: Vec<Id<'a>>,
    /// Pending.
    pub invitations: BTreeSet<Id<'a>>,
    /// Open channels beside MAIN.
    pub sides: BTreeMap<Id<'a>, [Id<'a>; 2]>,
    pub telephone: bool,
    /// The customer is on the line.
    pub connected: bool,
    /// It ends by itself then.
    pub idle_at: Option<i64>,
    pub ends_at: Option<i64>,
    /// Until when those wrap up who are no longer in it.
    pub handed_over: BTreeMap<Id<'a>, i64>,
    pub customer: Id<'a>,
    pub channel: Id<'a>,
    pub open: bool,
    pub ended_at: Option<i64>,
    pub wrap_up: Option<i64>,
    pub recorded: bool,
}

impl Session<'_> {
    /// Somebody said or did something.
    pub fn stirs(&mut self, at: i64) {
        self.idle_at = (!(self.telephone && self.connected)).then_some(at + 30 * 60_000_000);
    }
}

pub struct Settlement<'a> {
    pub inquiry: Id<'a>,
    pub payee: Id<'a>,
    pub payer: Id<'a>,
    pub price: (Amount, &'a str),
    /// The number of the fee rule.
    pub rule: Option<i64>,
    /// Of the payee, of commission, of tax: what was not given back.
    pub shares: [Amount; 3],
    pub payable_at: Option<i64>,
}

/// What the house takes: commission and tax in ten-thousandths of a percent.
pub struct FeeRule<'a> {
    pub number: i64,
    pub commission: Amount,
    pub tax: Amount,
    pub jurisdiction: Option<Id<'a>>,
    /// Of the tax; else of two units the even one.
    pub half_up: bool,
    pub return_window: i64,
    pub valid_from: i64,
}

pub struct Account<'a> {
    pub id: Id<'a>,
    pub balance: Amount,
    pub limit: Option<Amount>,
    /// What was free after the last command; a limit that was cut may leave less than nothing.
    free: Amount,
    cut: bool,
}

impl<'a> Account<'a> {
    pub fn new(id: Id<'a>, limit: Option<Amount>) -> Account<'a> {
        Account { id, balance: 0, limit, free: 0, cut: true }
    }
    pub fn set_limit(&mut self, limit: Option<Amount>) {
        self.limit = limit;
        self.cut = true;
    }
}

pub struct Queue<'a> {
    pub topic: &'a str,
    pub origin: &'a str,
    pub skills: Vec<(&'a str, i64)>,
    /// What a step of priority is worth.
    pub credit: i64,
    pub standing: BTreeSet<Id<'a>>,
    /// Which it was merged into; its topic leads there.
    pub into: Option<Id<'a>>,
    /// Others were merged into it: it does not retire by itself.
    pub has_merged: bool,
    /// Who stands in it yet moves then.
    pub moves_at: Option<i64>,
}

impl Queue<'_> {
    /// Where it was the last, nobody is left to move.
    pub fn leaves(&mut self, inquiry: &str) {
        self.standing.remove(inquiry);
        self.moves_at = self.moves_at.filter(|_| !self.standing.is_empty());
    }
}

#[derive(Default)]
pub struct Market<'a> {
    pub agents: BTreeMap<Id<'a>, Agent<'a>>,
    /// In order of registration.
    pub roster: Vec<Id<'a>>,
    /// How often the platform has selected.
    pub selections: i64,
    pub opening: Opening<'a>,
    pub inquiries: BTreeMap<Id<'a>, Inquiry<'a>>,
    pub auctions: BTreeMap<Id<'a>, Auction<'a>>,
    pub reservations: BTreeMap<Id<'a>, Reservation<'a>>,
    pub invitations: BTreeMap<Id<'a>, Invitation<'a>>,
    pub sessions: BTreeMap<Id<'a>, Session<'a>>,
    pub settlements: BTreeMap<Id<'a>, Settlement<'a>>,
    /// As they were taken over.
    pub fee_rules: Vec<FeeRule<'a>>,
    pub credit_notes: i64,
    pub queues: BTreeMap<Id<'a>, Queue<'a>>,
    /// Erased customers of whom more is open, and when the next inquiry ends.
    pub forgets: BTreeMap<Id<'a>, i64>,
    pub places: BTreeMap<&'a str, Place>,
    /// By owner and currency.
    pub accounts: BTreeMap<(Id<'a>, &'a str), Account<'a>>,
    /// On their way: whose, and what.
    pub payouts: BTreeMap<Id<'a>, (Id<'a>, Amount, &'a str)>,
    /// What every path in the chart of accounts came to, by currency; debit positive.
    pub books: BTreeMap<(&'a str, &'a str), Amount>,
}

/// `cards` covers `cards/lost`.
pub fn covers(whole: &str, part: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<'a> Market<'a> {
    pub fn held(&self, owner: &str, currency: &str) -> Amount {
        let of = self.auctions.values().filter(|auction| auction.rules.currency == currency);
        let for_bids: Amount = of.filter_map(|auction| auction.holds.get(owner)).sum();
        let asked = self.reservations.values().filter(|one| one.pending && one.payer == Some(owner));
        let prices = asked.filter_map(|one| one.price).filter(|price| price.1 == currency);
        for_bids + prices.map(|price| price.0).sum::<Amount>()
    }
    /// The same of everybody, in one pass.
    fn all_held(&self) -> BTreeMap<(Id<'a>, &'a str), Amount> {
        let mut held: BTreeMap<(Id<'a>, &'a str), Amount> = BTreeMap::new();
        for auction in self.auctions.values() {
            for (owner, hold) in &auction.holds {
                *held.entry((owner, auction.rules.currency)).or_default() += hold;
            }
        }
        for asked in self.reservations.values().filter(|one| one.pending) {
            if let (Some(owner), Some((amount, currency))) = (asked.payer, asked.price) {
                *held.entry((owner, currency)).or_default() += amount;
            }
        }
        held
    }
    /// What an owner may spend; `None`: any amount. An agent without an account has nothing, a provider pays on
    /// account.
    pub fn free(&self, owner: &str, currency: &str) -> Option<Amount> {
        match self.accounts.get(&(owner, currency)) {
            Some(account) => account.limit.map(|limit| account.balance + limit - self.held(owner, currency)),
            None if owner.starts_with("agt_") => Some(0),
            None => None,
        }
    }

    /// Why an agent may not have an inquiry now. `less`: reservations that end in the same decision.
    pub fn unfit(&self, agent: &str, inquiry: &Inquiry<'a>, less: usize) -> Option<&'static str> {
        let Some(row) = self.agents.get(agent) else { return Some("NOT_REGISTERED") };
        let skilled =
            |wanted: &(&str, i64)| row.skills.iter().any(|(name, level)| *level >= wanted.1 && covers(name, wanted.0));
        if inquiry.ends_soon {
            Some("NOT_AVAILABLE")
        } else if row.blocked_by.contains(inquiry.provider) {
            Some("BLOCKED")
        } else if row.keeps_from.contains(inquiry.customer) {
            // Nobody is to read it from the record.
            Some("NOT_AVAILABLE")
        } else if inquiry.independent && row.affiliated == Some(inquiry.provider) || inquiry.unpaid == Some(agent) {
            Some("NOT_INDEPENDENT")
        } else if !row.available || !row.wrap_ups.is_empty() || !row.guest_in.is_empty() {
            Some("NOT_AVAILABLE")
        } else if !inquiry.skills.iter().all(skilled) {
            Some("LACKS_SKILL")
        } else if row.load() - less >= row.capacity {
            Some("AT_CAPACITY")
        } else {
            None
        }
    }
    /// By its skills, and whose it is, whatever it does.
    pub fn suits(&self, agent: &str, inquiry: &Inquiry<'a>) -> bool {
        let row = &self.agents[agent];
        let independent = !inquiry.independent || row.affiliated != Some(inquiry.provider);
        let skilled = inquiry
            .skills
            .iter()
            .all(|(wanted, least)| row.skills.iter().any(|(name, level)| level >= least && covers(name, wanted)));
        let blocked = row.blocked_by.contains(inquiry.provider) || row.keeps_from.contains(inquiry.customer);
        let welcome = !blocked && inquiry.unpaid != Some(agent);
        independent && welcome && skilled
    }

    /// Whether some agent could win a new round who has not said no to the inquiry. `leaving`: whose reservation ends in
    /// the same decision.
    pub fn somebody_is_free(&self, inquiry: &Inquiry<'a>, leaving: Option<&str>) -> bool {
        let no = |agent: &str| {
            let asked = inquiry.reservations.iter().map(|id| &self.reservations[id]);
            asked.into_iter().any(|one| one.agent == agent && (one.pending || one.declined))
        };
        let could_win =
            |agent: &str| !no(agent) && !strikes::is_barred(self, agent) && !places::is_avoided(self, agent, leaving);
        self.agents.keys().any(|agent| could_win(agent) && self.unfit(agent, inquiry, 0).is_none())
    }

    /// What must be so after every command.
    pub fn stands(&mut self, group: &[Entry]) -> Audited {
        let last = group.last().expect("a group has events");
        for (id, inquiry) in self.inquiries.iter().filter(|(_, inquiry)| inquiry.step != Step::Closed) {
            self.has_a_way_on(last, id, inquiry)?;
        }
        for (id, auction) in
            self.auctions.iter().filter(|(_, auction)| !auction.holds.is_empty() || auction.phase != Phase::Closed)
        {
            let expected = self.holds_by_rule(auction);
            let found: BTreeMap<&str, Amount> =
                auction.holds.iter().filter(|(_, hold)| **hold != 0).map(|(owner, hold)| (*owner, *hold)).collect();
            must!(last, found == expected, "holds = live bids", "{id}: {found:?} are held, {expected:?} should be");
        }
        let held = self.all_held();
        for (key, account) in &mut self.accounts {
            let Some(limit) = account.limit else { continue };
            let free = account.balance + limit - held.get(key).copied().unwrap_or(0);
            let before = if account.cut { free.min(0) } else { account.free.min(0) };
            account.free = free;
            account.cut = false;
            must!(last, free >= before, "credit limit", "{key:?} has {free} free");
        }
        Ok(())
    }

    fn has_a_way_on(&self, last: &Entry, id: &str, inquiry: &Inquiry<'a>) -> Audited {
        let open = inquiry.auctions.iter().filter(|auction| self.auctions[*auction].phase == Phase::Open).count();
        let pending = inquiry.reservations.iter().filter(|one| self.reservations[*one].pending).count();
        let talks = inquiry.session.is_some_and(|session| self.sessions[session].open);
        let wraps = inquiry.session.is_some_and(|session| self.sessions[session].wrap_up.is_some());
        let waits = inquiry.waits_since.is_some();
        let found = (open, pending, talks, wraps, waits);
        let expected = match inquiry.step {
            Step::Early => (0, 0, false, false, false),
            Step::Queued => (0, 0, false, false, true),
            Step::InAuction => (1, 0, false, false, false),
            Step::Reserved => (0, 1, false, false, false),
            Step::Engaged => (0, 0, true, false, false),
            Step::WrapUp => (0, 0, false, true, false),
            Step::Away => (0, 0, false, false, false),
            Step::Closed => return Ok(()),
        };
        must!(last, found == expected, "no stuck inquiry", "{id} is {:?} with {found:?}", inquiry.step);
        let away = inquiry.step == Step::Away;
        must!(last, away == inquiry.kept_until.is_some(), "no stuck inquiry", "{id} is gone without an end");
        let stands = matches!(inquiry.step, Step::Early | Step::Queued | Step::InAuction | Step::Reserved | Step::Away);
        let everywhere = inquiry.queues.iter().all(|queue| {
            let queue = self.queues.get(queue);
            queue.is_some_and(|queue| queue.standing.contains(id))
                || !stands && queue.is_none_or(|queue| !queue.standing.contains(id))
        });
        must!(last, everywhere, "queues", "{id} is {:?} and stands elsewhere", inquiry.step);
        // Whose wait is over at this very instant is expired next.
        let over = inquiry.waits_since.is_some_and(|since| since + inquiry.wait_left <= last.time);
        let put_off = self.agents.values().any(|agent| agent.rounds_at.is_some());
        let rounds_left = inquiry.step == Step::Queued && inquiry.auctions.len() < inquiry.way.rounds();
        let could = rounds_left && !over && !put_off && self.somebody_is_free(inquiry, None);
        must!(last, !could, "no stuck inquiry", "{id} waits, and somebody is free for another round");
        must!(last, inquiry.chosen.is_none(), "atomic", "{id} has been given to nobody: {:?}", inquiry.chosen);
        // A refusal that is long enough ago at this very instant is selected for next.
        let due = inquiry.selects_at.is_some_and(|at| at <= last.time);
        let waits = inquiry.step == Step::Queued && !over && !put_off && !due;
        let could = waits && selection::somebody_could(self, inquiry, last.time);
        must!(last, !could, "no stuck inquiry", "{id} waits beside an agent that could have it");
        Ok(())
    }

    /// One hold per agent and auction: while its bid leads, or is sealed and open, or is awarded (DESIGN §4).
    fn holds_by_rule(&self, auction: &Auction<'a>) -> BTreeMap<&'a str, Amount> {
        let mut holds = BTreeMap::new();
        match (auction.phase, auction.winner) {
            (Phase::Open, _) if auction.rules.forward => {
                let held: Vec<usize> = match auction.rules.sealed() {
                    true => auction.counts.values().copied().collect(),
                    false => auction.leader().into_iter().collect(),
                };
                holds.extend(held.into_iter().map(|at| (auction.bids[at].agent, auction.bids[at].amount)));
            }
            (Phase::Awarded, Some((at, price))) => {
                let asked = self.inquiries[auction.inquiry].reservations.last().map(|id| &self.reservations[id]);
                let payer = if auction.rules.forward {
                    auction.bids[at].agent
                } else {
                    self.inquiries[auction.inquiry].provider
                };
                if asked.is_some_and(|asked| asked.pending) {
                    holds.insert(payer, price);
                }
            }
            _ => {}
        }
        holds
    }

    /// In the evening nothing is left but accounts.
    pub fn is_over(&self, last: &Entry) -> Audited {
        let open = self.inquiries.iter().find(|(_, inquiry)| inquiry.step != Step::Closed);
        must!(
            last,
            open.is_none(),
            "no lost inquiry",
            "{} is still {:?}",
            open.map_or("", |one| one.0),
            open.map(|one| one.1.step)
        );
        must!(last, self.settlements.is_empty(), "settled", "{} settlements are not payable", self.settlements.len());
        let held = self.auctions.values().any(|auction| auction.holds.values().any(|hold| *hold != 0));
        let held = held || self.reservations.values().any(|one| one.pending);
        must!(last, !held, "holds = live bids", "something is held for nothing");
        for ((path, currency), amount) in &self.books {
            let empty = !path.contains(":escrow:") && !path.ends_with(":pending") || *amount == 0;
            must!(last, empty, "postings sum to zero", "{path} has {amount} {currency} left");
        }
        Ok(())
    }
}
