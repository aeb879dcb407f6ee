//! One simulated market day: a morning in which the house is furnished, hours in which anything happens, and
//! an evening in which faults end and every deadline is run out.
//!
//! Orders are delayed, reordered, doubled, retried under their key on either node, and their answers lost;
//! stores fail, nodes crash between any two steps, clocks jump and step back, readers lag. All of it is
//! drawn from the seed, and nothing else is.

use crate::audit::glances::Glance;
use crate::deeds::{self, Deed};
use crate::dice::Dice;
use crate::evening;
use crate::glances;
use crate::handover;
use crate::hooks::{self, Flight};
use crate::house::{House, LOGS, Spring, Trap, VIEWED, lock, log};
use crate::menu::topic;
use crate::readers::Readers;
use crate::trade;
use crate::watchers::Watchers;
use domain::command::Command;
use domain::event::agent::Will;
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId};
use domain::log::LogName;
use domain::time::Timestamp;
use std::sync::Arc;
use store::backend::EventStore;
use store::memory::Fault;
use store::writer::order::{Answer, Key, Order};

pub const MORNING: i64 = 1_800_000_000_000_000;
pub const SECOND: i64 = 1_000_000;

/// An order on its way to some node.
#[derive(Clone)]
struct Letter {
    log: LogName,
    order: Order,
    /// Not before this step.
    step: usize,
    tries: usize,
}

pub struct Day {
    pub house: Arc<House>,
    pub readers: Readers,
    pub watchers: Watchers,
    pub glances: Vec<Glance>,
    pub dice: Dice,
    pub now: i64,
    /// How far each node's clock is off.
    pub skew: [i64; 2],
    letters: Vec<Letter>,
    /// Orders that were sent under a key.
    keyed: Vec<(LogName, Order)>,
    keys: u128,
    step: usize,
    /// Who sends what webhooks are due, and what it has sent and not recorded.
    pub sender: usize,
    pub flights: Vec<Flight>,
    /// Faults have ended.
    pub evening: bool,
}

/// The whole day of a seed. `history`: one of the readers keeps SQL rows.
pub fn live_through(seed: u64, history: bool) -> Day {
    let mut dice = Dice::new(seed);
    let house = House::new(dice.split(), Timestamp(MORNING));
    crate::run::watch(&house);
    let readers = Readers::new(history);
    let skew = [0, 0];
    let (letters, keyed) = (vec![], vec![]);
    let (watchers, glances) = (Watchers::default(), vec![]);
    let (now, evening) = (MORNING, false);
    let (keys, step, sender, flights) = (0, 0, 0, vec![]);
    let mut day = Day {
        house,
        readers,
        watchers,
        glances,
        dice,
        now,
        skew,
        letters,
        keyed,
        keys,
        step,
        sender,
        flights,
        evening,
    };
    day.morning();
    let steps = 80 + day.dice.throw(160);
    for step in 0..steps {
        day.step = step;
        day.hour();
    }
    evening::fall(&mut day);
    day
}

impl Day {
    fn morning(&mut self) {
        assert!(self.house.start(0) && self.house.start(1), "nothing is in the way of a start");
        for (name, topics) in [("main", ["cards", "loans"].as_slice()), ("east", &["travel"])] {
            let command = Command::OpenCallServer {
                name: log(name),
                topics: topics.iter().map(|text| topic(text)).collect(),
                languages: vec![if name == "main" { "en" } else { "de" }.to_owned()],
                locations: vec![trade::location(&mut self.dice)],
            };
            self.simply((LogName::community(), deeds::operator(), command));
        }
        for limited in [true, false] {
            let command = trade::provider(&mut self.dice, limited);
            self.simply((LogName::community(), deeds::operator(), command));
        }
        let providers = lock(&self.house.known).providers.clone();
        for number in 0..2 + self.dice.throw(3) {
            let deed = trade::publish(&mut self.dice, providers[number % providers.len()]);
            self.simply(deed);
        }
        for name in ["main", "east"] {
            let log = log(name);
            handover::step(&self.house, &mut self.dice, 0, &log, 100);
            if self.dice.percent(60) {
                // So that most of what comes stands in a queue of some policy.
                let deed = deeds::declare(&mut self.dice, &log, if name == "main" { "cards" } else { "travel" });
                self.simply(deed);
            }
            for number in 0..3 + self.dice.throw(3) {
                let agent = AgentId(if name == "main" { 1 } else { 21 } + number as u128);
                let deed = deeds::register(&mut self.dice, &lock(&self.house.known), &log, agent);
                self.simply(deed);
                for _ in 0..2 {
                    let deed = deeds::credit(&mut self.dice, &log, Party::Agent(agent), 4, 60);
                    self.simply(deed);
                }
                for _ in 0..self.dice.throw(3) {
                    let deed = deeds::first_value(&mut self.dice, &log, agent);
                    self.simply(deed);
                }
                let available = Command::SetAgentStatus { agent, will: Will::Available, note: None };
                self.simply((log.clone(), deeds::operator(), available));
            }
        }
        if self.dice.percent(25) {
            for _ in 0..1 + self.dice.throw(2) {
                let deed = hooks::create(&mut self.dice, &lock(&self.house.known));
                deed.into_iter().for_each(|deed| self.simply(deed));
            }
        }
        if self.dice.percent(6) {
            self.crowd_comes();
        }
    }

    fn crowd_comes(&mut self) {
        lock(&self.house.known).crowded = true;
        for customer in std::iter::once(None).chain((101..108).map(|number| Some(CustomerId(number)))) {
            let deed = trade::crowd(&mut self.dice, &lock(&self.house.known), customer);
            deed.into_iter().for_each(|deed| self.simply(deed));
        }
        handover::step(&self.house, &mut self.dice, 0, &log("main"), 100);
    }

    /// Sent once, to the first node.
    fn simply(&mut self, deed: Deed) {
        let log = deed.0.clone();
        let order = deeds::order(&mut self.dice, deed, None);
        self.house.give(0, &log, vec![(order, self.house.now(0))]);
    }

    fn hour(&mut self) {
        match self.dice.weighed(&[70, 11, 12, 4, 2, 2, 4, 5, 8, 9]) {
            0 => self.somebody_asks(),
            1 => self.time_passes(),
            2 => self.hand_over(),
            3 => self.store_fails(),
            4 => self.node_crashes(),
            5 => self.clock_is_set(),
            6 => lock(&self.house.keeper).keep_one(&self.house, &mut self.dice),
            7 => self.readers.read_on(&mut self.dice, &self.house),
            8 => self.watchers.act(&mut self.dice, &self.house),
            _ => hooks::act(self),
        }
        self.deliver();
        for node in 0..2 {
            let batches = if self.dice.percent(70) { usize::MAX } else { self.dice.throw(3) };
            self.house.deal(node, batches);
        }
        if self.dice.percent(5) {
            self.glances.extend(glances::take(&mut self.dice, &self.house));
        }
        for node in 0..2 {
            if !self.house.is_up(node) && self.dice.percent(30) {
                self.maybe_trap(node, 10);
                self.house.start(node);
                self.disarm();
            }
        }
    }

    fn somebody_asks(&mut self) {
        let deed = deeds::draw(&mut self.dice, &lock(&self.house.known));
        let log = deed.0.clone();
        // Nobody asks again for a report: the next one tells more.
        let report = matches!(deed.2, Command::ReportPresence { .. });
        let key = (self.dice.percent(75) && !report).then(|| {
            self.keys += 1;
            Key { hash: (self.keys << 64) | u128::from(self.dice.word()), fingerprint: self.dice.word() }
        });
        let order = deeds::order(&mut self.dice, deed, key);
        if order.key.is_some() {
            self.keyed.push((log.clone(), order.clone()));
        }
        let delay = if self.dice.percent(70) { 0 } else { 1 + self.dice.throw(12) };
        if self.dice.percent(6) {
            // Sent twice: the same letter under the same key, or the same wish again.
            let again = self.again(&order);
            let step = self.step + self.dice.throw(8);
            self.letters.push(Letter { log: log.clone(), order: again, step, tries: 0 });
        }
        self.letters.push(Letter { log, order, step: self.step + delay, tries: 0 });
    }

    /// The same wish in another request.
    fn again(&mut self, order: &Order) -> Order {
        let entropy = store::writer::order::Entropy(self.dice.bytes());
        let mut again = Order { id: entropy.command_id(), entropy, ..order.clone() };
        hooks::another(&mut self.dice, &mut again.command);
        again
    }

    /// Some letters of one log reach one node together, in any order.
    fn deliver(&mut self) {
        if self.dice.percent(8) && !self.keyed.is_empty() {
            self.retry_an_old_key();
        }
        let ready: Vec<usize> = (0..self.letters.len()).filter(|at| self.letters[*at].step <= self.step).collect();
        let Some(first) = self.dice.pick(&ready) else { return };
        let log = self.letters[first].log.clone();
        let many = if self.dice.percent(70) { 1 } else { 4 };
        let mut batch: Vec<usize> = ready.into_iter().filter(|at| self.letters[*at].log == log).collect();
        while batch.len() > many {
            batch.swap_remove(self.dice.throw(batch.len()));
        }
        batch.sort_unstable();
        let mut letters: Vec<Letter> = batch.into_iter().rev().map(|at| self.letters.remove(at)).collect();
        if self.dice.percent(50) {
            letters.reverse();
        }
        let node = self.dice.throw(2);
        self.maybe_trap(node, 22);
        // They wait in the mailbox for a moment, the first the longest.
        let now = self.house.now(node).0;
        let mut waits: Vec<i64> =
            letters.iter().map(|_| self.dice.between(0, 3) * self.dice.between(0, 900_000)).collect();
        waits.sort_unstable_by_key(|wait| -wait);
        let entered = waits.into_iter().map(|wait| Timestamp(now - wait));
        let orders = letters.iter().map(|letter| letter.order.clone()).zip(entered).collect();
        let answers = self.house.give(node, &log, orders);
        self.disarm();
        for (index, letter) in letters.into_iter().enumerate() {
            let answer = answers.as_ref().map(|answers| &answers[index]);
            let lost = self.dice.percent(8);
            match answer {
                Some(Answer::Done(_) | Answer::Replayed { .. } | Answer::Refused(_)) if !lost => {}
                // Nobody knows what became of it: most ask again, on either node.
                _ if letter.tries < 3 && self.dice.percent(85) => {
                    let order = self.again(&letter.order);
                    let step = self.step + 1 + self.dice.throw(4);
                    self.letters.push(Letter { order, step, tries: letter.tries + 1, ..letter });
                }
                _ => {}
            }
        }
        // The node of the request brings its acceptance to the call server.
        if log == LogName::community() && self.dice.percent(60) {
            self.hand_over_by(node);
        }
    }

    /// A client that never heard asks once more, sometimes with another input under the same key.
    fn retry_an_old_key(&mut self) {
        let Some((log, order)) = self.dice.recent(&self.keyed) else { return };
        let mut order = self.again(&order);
        if self.dice.percent(15)
            && let Some(key) = &mut order.key
        {
            key.fingerprint ^= 1;
        }
        self.letters.push(Letter { log, order, step: self.step, tries: 3 });
    }

    pub fn maybe_trap(&mut self, node: usize, percent: usize) {
        if self.evening || !self.dice.percent(percent) {
            return;
        }
        let spring = match self.dice.throw(12) {
            0 => Spring::Crash,
            1 => Spring::Time(self.dice.between(1, 25) * SECOND),
            _ => {
                let known = self.house.known.clone();
                let (log, actor, command) = deeds::draw(&mut self.dice, &lock(&known));
                let order = deeds::order(&mut self.dice, (log.clone(), actor, command), None);
                Spring::Rival(log, vec![order])
            }
        };
        let after = !matches!(spring, Spring::Time(_)) && self.dice.percent(40);
        self.house.set_trap(Some(Trap { node, calls: self.dice.weighed(&[8, 3, 1]), after, spring }));
    }

    /// What has not sprung by now never will; where time has passed in it, it has passed for all.
    pub fn disarm(&mut self) {
        self.house.set_trap(None);
        for node in 0..2 {
            self.now = self.now.max(self.house.now(node).0 - self.skew[node]);
        }
    }

    fn hand_over(&mut self) {
        let node = self.dice.throw(2);
        self.hand_over_by(node);
    }
    fn hand_over_by(&mut self, node: usize) {
        for name in ["main", "east"] {
            let log = log(name);
            if self.dice.percent(8) {
                // It forgets how far it was, or counts from too early.
                let back = self.house.handed(node, &log).map(|next| next.saturating_sub(self.dice.throw(4) as u64));
                self.house.set_handed(node, &log, back);
            }
            let max = self.dice.one(&[1, 3, 100]);
            self.maybe_trap(node, 12);
            handover::step(&self.house, &mut self.dice, node, &log, max);
            self.disarm();
            if self.dice.percent(50) {
                self.maybe_trap(node, 12);
                handover::bring_ends(&self.house, &mut self.dice, node, &log, max);
                self.disarm();
            }
            if self.dice.percent(30) {
                self.maybe_trap(node, 12);
                handover::post(&self.house, &mut self.dice, node, &log, max);
                self.disarm();
            }
            if self.dice.percent(30) {
                self.maybe_trap(node, 12);
                if self.house.is_up(node) {
                    handover::bring_rules(&self.house, &mut self.dice, node, &log);
                }
                self.disarm();
            }
        }
    }

    fn store_fails(&mut self) {
        use Fault::{Broken, Conflict, Nothing, RefusedFull, UnknownNotWritten, UnknownWritten};
        // An invented conflict on a resend would deny a batch that stands, so it never follows an Unknown.
        let faults = match self.dice.throw(11) {
            0 => vec![Conflict],
            1 => vec![Nothing, Conflict],
            2 => vec![RefusedFull],
            3 => vec![RefusedFull, RefusedFull, RefusedFull],
            4 => vec![UnknownNotWritten],
            5 => vec![UnknownWritten],
            6 => vec![Nothing, UnknownWritten],
            7 => vec![UnknownNotWritten, UnknownWritten],
            8 => vec![UnknownWritten, RefusedFull],
            9 => vec![UnknownNotWritten, RefusedFull],
            _ => vec![Broken],
        };
        let log = log(self.dice.one(&["main", "main", "east", "community", "treasury", "effects"]));
        self.house.inject(&log, faults);
    }

    fn node_crashes(&mut self) {
        let node = self.dice.throw(2);
        if self.house.is_up(node) {
            self.house.crash(node);
        }
    }

    /// Somebody sets a clock: mostly a little off, seldom by seconds, now and then by up to an hour.
    fn clock_is_set(&mut self) {
        let node = self.dice.throw(2);
        let off = [2 * SECOND, 30 * SECOND, 600 * SECOND, 3_600 * SECOND][self.dice.weighed(&[70, 16, 8, 6])];
        self.skew[node] = self.dice.between(-off, off);
        self.turn();
    }

    pub fn turn(&self) {
        for node in 0..2 {
            self.house.turn(node, Timestamp(self.now + self.skew[node]));
        }
    }

    fn time_passes(&mut self) {
        let span = match self.dice.weighed(&[55, 20, 18, 4, 1]) {
            0 => self.dice.between(0, 4 * SECOND),
            1 => self.dice.between(0, 20 * SECOND),
            2 => self.until_a_deadline(),
            3 => self.dice.between(0, 900 * SECOND),
            _ => self.dice.between(0, 30 * 3_600 * SECOND),
        };
        let to = self.now + span.max(0);
        if self.dice.percent(85) {
            self.run_to(to);
        } else {
            // Nobody was there to hear the timers.
            self.now = to;
            self.turn();
        }
    }

    /// To the next deadline, a microsecond before it, or a little after.
    fn until_a_deadline(&mut self) -> i64 {
        let due = (0..2).filter_map(|node| self.house.next_deadline(node)).min();
        let off = self.dice.one(&[-1, 0, 0, 1, SECOND]);
        due.map_or(0, |due| due.0 - self.now + off)
    }

    /// Time goes on and stops at every deadline, where the nodes' timers ring.
    pub fn run_to(&mut self, to: i64) {
        for _ in 0..400 {
            let due = (0..2).filter_map(|node| self.house.next_deadline(node)).min();
            let Some(due) = due.filter(|due| due.0 <= to) else { break };
            // A clock ahead hears it first: on time by its own reckoning, or a day would be one long lateness.
            let ahead = self.skew[0].max(self.skew[1]);
            self.now = self.now.max(due.0 - ahead.max(0));
            self.turn();
            let first = self.dice.throw(2);
            for node in [first, 1 - first] {
                for name in VIEWED {
                    self.maybe_trap(node, 4);
                    self.house.tick(node, &log(name));
                    self.disarm();
                }
            }
            // A clock behind does not hear it yet; a full disk hears it in vain.
            let still = (0..2).filter_map(|node| self.house.next_deadline(node)).min();
            if still.is_some_and(|still| still <= due) {
                self.now = (due.0 - ahead.min(0)).min(to).max(self.now + SECOND / 2);
            }
        }
        self.now = self.now.max(to);
        self.turn();
    }

    /// What a log's bytes are, in short.
    pub fn digest(&self) -> Vec<(u64, [u8; 32])> {
        LOGS.iter()
            .map(|name| {
                let head = self.house.store.head(&log(name)).expect("the store in memory can be read");
                head.map_or((0, [0; 32]), |head| (head.seq, head.hash))
            })
            .collect()
    }
}
