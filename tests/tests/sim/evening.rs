//! The evening of a simulated day: faults end, every node runs, everybody goes home, and time goes on until
//! nothing is due any more. What is still open then is lost or stuck.

use crate::day::{Day, SECOND};
use crate::deeds;
use crate::handover;
use crate::hooks;
use crate::house::{LOGS, lock, log};
use crate::trade;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::wallet::Party;
use domain::ids::{AgentId, InquiryId};
use domain::log::LogName;

pub fn fall(day: &mut Day) {
    day.falls();
}

impl Day {
    /// Faults end, everybody goes home, and what is due is run out.
    fn falls(&mut self) {
        self.evening = true;
        self.skew = [0, 0];
        // A clock that was behind has caught up with what a clock ahead has dated.
        let last = LOGS.iter().filter_map(|name| self.house.last_time(&log(name))).max();
        self.now = self.now.max(last.map_or(0, |last| last.0)) + 30 * SECOND;
        self.turn();
        for node in 0..2 {
            if !self.house.is_up(node) {
                assert!(self.house.start(node), "in the evening every node starts");
            }
        }
        for round in 0..60 {
            for name in LOGS {
                // What is left of the faults goes with these.
                self.quietly(round % 2, &log(name));
            }
            if !self.house.faults_wait() {
                break;
            }
        }
        for node in 0..2 {
            if !self.house.is_up(node) {
                assert!(self.house.start(node), "in the evening every node starts");
            }
            for name in ["main", "east"] {
                while handover::step(&self.house, &mut self.dice, node, &log(name), 100) {}
                handover::bring_rules(&self.house, &mut self.dice, node, &log(name));
            }
        }
        self.everybody_leaves();
        // At every turn the next deadline, and there are as many as inquiries and settlements.
        for _ in 0..2_000 {
            let Some(due) = (0..2).filter_map(|node| self.house.next_deadline(node)).max() else { break };
            self.run_to(due.0.max(self.now));
            self.everybody_leaves();
        }
        self.money_leaves();
        for name in ["main", "east"] {
            while handover::bring_ends(&self.house, &mut self.dice, 0, &log(name), 100) {}
            while handover::post(&self.house, &mut self.dice, 0, &log(name), 100) {}
        }
        hooks::all_is_told(self);
        // A refusal appends nothing and confirms the head: now both have read everything.
        for name in LOGS {
            for node in 0..2 {
                let nobody = Command::WithdrawInquiry { inquiry: InquiryId(0), reason: None };
                let deed = (log(name), deeds::operator(), nobody);
                let order = deeds::order(&mut self.dice, deed, None);
                self.house.give(node, &log(name), vec![(order, self.house.now(node))]);
            }
        }
        self.readers.read_all(&self.house);
        for node in 0..2 {
            self.house.deal(node, usize::MAX);
        }
        self.watchers.read_all(&self.house);
    }

    /// A plain command that changes something where a fault may wait, and brings the node up to date.
    fn quietly(&mut self, node: usize, log: &LogName) {
        if !self.house.is_up(node) {
            self.house.start(node);
        }
        let command = match log.as_str() {
            "community" => trade::provider(&mut self.dice, false),
            "effects" => hooks::of_nothing(&mut self.dice),
            "treasury" => deeds::fee_rule(&mut self.dice),
            name => Command::CreditWallet {
                owner: Party::Agent(AgentId(if name == "main" { 1 } else { 21 })),
                amount: crate::menu::grid(1, "EUR".parse().expect("a currency")),
                reference: "till".to_owned(),
            },
        };
        let actor = match command {
            Command::CreditWallet { .. } | Command::SetFeeRule { .. } => Actor::Finance("fin".into()),
            _ => deeds::operator(),
        };
        let order = deeds::order(&mut self.dice, (log.clone(), actor, command), None);
        self.house.give(node, log, vec![(order, self.house.now(node))]);
    }

    /// Most of a day's money is payable in its evening.
    fn money_leaves(&mut self) {
        for name in ["main", "east"].map(log) {
            // Few owe, so each is asked.
            let payable = lock(&self.house.known).markets.get(&name).map_or(vec![], |market| market.payable.clone());
            let mut asked: Vec<_> =
                payable.iter().map(|(owner, amount)| deeds::netting(&name, *owner, *amount)).collect();
            for draw in [deeds::pay_out, deeds::return_payout, deeds::pay_out] {
                asked.extend(draw(&mut self.dice, &lock(&self.house.known), &name));
                for deed in asked.drain(..) {
                    let order = deeds::order(&mut self.dice, deed, None);
                    self.house.give(0, &name, vec![(order, self.house.now(0))]);
                }
            }
        }
    }

    fn everybody_leaves(&mut self) {
        for name in ["main", "east"] {
            let log = log(name);
            let open: Vec<_> = match lock(&self.house.known).markets.get(&log) {
                Some(market) => market.sessions.iter().filter(|one| one.open).cloned().collect(),
                None => vec![],
            };
            for one in open {
                let actor = Actor::Customer(one.customer);
                let order =
                    deeds::order(&mut self.dice, (log.clone(), actor, Command::EndSession { session: one.id }), None);
                self.house.give(0, &log, vec![(order, self.house.now(0))]);
            }
        }
    }
}
