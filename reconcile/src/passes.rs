//! The passes of a run. Each looks at everything as the pass before it left it, decides, and only then claims: so no
//! order of lines or items can reach a result.

use crate::days::working;
use crate::reference::is_ours;
use crate::subset::{self, MOST, Sum};
use crate::{Account, Day, Found, Id, Item, Line, Match, Policy, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many windows around the expected days are looked at for whatever else an entry could be.
const NEAR: i32 = 3;
/// Names are compared among so many that look alike.
const RIVALS_MAX: usize = 50;
/// Searches for sums in one run come to this many times the budget of one.
const SEARCHES: u64 = 16;

/// Matches what can be matched. Sorted; whoever is given twice, under one id, is one.
pub fn run(lines: &[Line], items: &[Item], policy: &Policy) -> Vec<Found> {
    let mut run = Run::new(lines, items, policy);
    run.by_own_references();
    run.by_groups();
    run.by_amount_and_date();
    run.by_sums();
    run.found.sort_unstable();
    run.found
}

/// Positions of lines, and of items, that belong together.
type Group = (Vec<usize>, Vec<usize>);

struct Run<'a> {
    policy: &'a Policy,
    /// By their ids.
    lines: Vec<&'a Line>,
    items: Vec<&'a Item>,
    /// Matched, or found to be undecided: no later pass touches them.
    line_taken: Vec<bool>,
    item_taken: Vec<bool>,
    found: Vec<Found>,
}

fn by_id<T>(all: &[T], id: impl Fn(&T) -> Id) -> Vec<&T> {
    let mut all: Vec<&T> = all.iter().collect();
    all.sort_by_key(|one| id(one));
    all.dedup_by_key(|one| id(one));
    all
}

impl<'a> Run<'a> {
    fn new(lines: &'a [Line], items: &'a [Item], policy: &'a Policy) -> Run<'a> {
        let (lines, items) = (by_id(lines, |line| line.id), by_id(items, |item| item.id));
        let (line_taken, item_taken) = (vec![false; lines.len()], vec![false; items.len()]);
        Run { policy, lines, items, line_taken, item_taken, found: vec![] }
    }

    fn take(&mut self, lines: &[usize], items: &[usize]) -> (Vec<Id>, Vec<Id>) {
        lines.iter().for_each(|at| self.line_taken[*at] = true);
        items.iter().for_each(|at| self.item_taken[*at] = true);
        // Positions are in the order of ids.
        (lines.iter().map(|at| self.lines[*at].id).collect(), items.iter().map(|at| self.items[*at].id).collect())
    }

    fn matched(&mut self, lines: &[usize], items: &[usize], rule: Rule, confirmed: bool) {
        let difference = clamped(self.moved(lines) - self.expected(items));
        let (lines, items) = self.take(lines, items);
        self.found.push(Found::Match(Match { lines, items, rule, difference, cause: None, confirmed }));
    }

    /// What belongs together and is not the same: for a cause, or for a person to say.
    fn differs(&mut self, lines: &[usize], items: &[usize], rule: Rule) {
        let (moved, expected) = (self.moved(lines), self.expected(items));
        let cause = self.policy.causes.iter().find(|cause| explains(cause, moved, expected));
        let (cause, difference) = (cause.map(|cause| cause.name.clone()), clamped(moved - expected));
        let confirmed = cause.is_some() && lines.len() == 1;
        let (lines, items) = self.take(lines, items);
        self.found.push(Found::Match(Match { lines, items, rule, difference, cause, confirmed }));
    }

    fn ambiguous(&mut self, lines: &[usize], items: &[usize], rule: Rule) {
        let (lines, items) = self.take(lines, items);
        self.found.push(Found::Ambiguous { lines, items, rule });
    }

    fn moved(&self, lines: &[usize]) -> i128 {
        lines.iter().map(|at| i128::from(self.lines[*at].amount)).sum()
    }
    fn expected(&self, items: &[usize]) -> i128 {
        items.iter().map(|at| i128::from(self.items[*at].amount)).sum()
    }
    fn one_account(&self, lines: &[usize], items: &[usize]) -> bool {
        let accounts =
            lines.iter().map(|at| self.lines[*at].account).chain(items.iter().map(|at| self.items[*at].account));
        accounts.collect::<BTreeSet<Account>>().len() == 1
    }

    /// Lines and items that name each other, as far as that reaches.
    fn by_own_references(&mut self) {
        let own = |item: &'a Item| &item.references;
        for (lines, items) in self.components(own) {
            if !self.one_account(&lines, &items) {
                // Paid to where it was not expected: a person's to see.
                self.ambiguous(&lines, &items, Rule::Reference);
                continue;
            }
            let equal = self.moved(&lines) == self.expected(&items);
            match (lines.len(), items.len()) {
                (1, 1) if equal => self.matched(&lines, &items, Rule::Reference, true),
                (1, 1) => self.differs(&lines, &items, Rule::Reference),
                (1, _) | (_, 1) if equal => self.matched(&lines, &items, Rule::Group, true),
                // Each of them would do alone: one came twice.
                (_, 1) if lines.iter().any(|at| self.lines[*at].amount == self.items[items[0]].amount) => {
                    self.ambiguous(&lines, &items, Rule::Reference);
                }
                (1, _) | (_, 1) => self.differs(&lines, &items, Rule::Group),
                _ => self.ambiguous(&lines, &items, Rule::Reference),
            }
        }
    }

    /// Batches that a line names.
    fn by_groups(&mut self) {
        let groups = |item: &'a Item| &item.groups;
        for (lines, items) in self.components(groups) {
            if !self.one_account(&lines, &items) {
                self.ambiguous(&lines, &items, Rule::Group);
            } else if self.moved(&lines) == self.expected(&items) {
                // Several lines for several items: which is whose is not known.
                self.matched(&lines, &items, Rule::Group, lines.len() == 1 || items.len() == 1);
            } else {
                self.differs(&lines, &items, Rule::Group);
            }
        }
    }

    /// What is free and connected by common names.
    fn components(&self, names: impl Fn(&'a Item) -> &'a Vec<Box<str>>) -> Vec<Group> {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, item) in self.items.iter().enumerate().filter(|(at, _)| !self.item_taken[*at]) {
            for name in names(item) {
                by_name.entry(name).or_default().push(at);
            }
        }
        let mut sets = Sets::new(self.lines.len() + self.items.len());
        let mut named = vec![false; self.lines.len()];
        for (at, line) in self.lines.iter().enumerate().filter(|(at, _)| !self.line_taken[*at]) {
            for item in line.references.iter().filter_map(|name| by_name.get(&**name)).flatten() {
                sets.join(at, self.lines.len() + item);
                named[at] = true;
            }
        }
        let mut components: BTreeMap<usize, Group> = BTreeMap::new();
        for at in (0..self.lines.len()).filter(|at| named[*at]) {
            components.entry(sets.root(at)).or_default().0.push(at);
        }
        for at in 0..self.items.len() {
            if let Some((_, items)) = components.get_mut(&sets.root(self.lines.len() + at)) {
                items.push(at);
            }
        }
        components.into_values().collect()
    }

    fn window(&self, item: &Item, times: i32) -> (Day, Day) {
        let (before, after) = (i32::from(self.policy.before) * times, i32::from(self.policy.after) * times);
        (working(item.from, -before), working(item.to, after))
    }

    /// Equal amounts on one account, near each other.
    fn by_amount_and_date(&mut self) {
        let mut buckets: HashMap<(Account, i64), Group> = HashMap::new();
        for (at, item) in self.items.iter().enumerate() {
            buckets.entry((item.account, item.amount)).or_default().1.push(at);
        }
        for (at, line) in self.lines.iter().enumerate() {
            if let Some((lines, _)) = buckets.get_mut(&(line.account, line.amount)) {
                lines.push(at);
            }
        }
        let mut buckets: Vec<_> = buckets.into_values().filter(|(lines, _)| !lines.is_empty()).collect();
        buckets.sort_unstable();
        for (lines, items) in buckets {
            self.one_amount(&lines, &items);
        }
    }

    /// Lines and items of one account and amount.
    fn one_amount(&mut self, lines: &[usize], items: &[usize]) {
        let mut days: Vec<(Day, usize)> = lines.iter().map(|at| (self.lines[*at].day, *at)).collect();
        days.sort_unstable();
        // What was matched already competes too: of two that look alike, one may have been taken for the other.
        let spans: Vec<(Day, Day)> = items.iter().map(|at| self.window(self.items[*at], NEAR)).collect();
        let mut firsts: Vec<Day> = spans.iter().map(|(first, _)| *first).collect();
        let mut lasts: Vec<Day> = spans.iter().map(|(_, last)| *last).collect();
        firsts.sort_unstable();
        lasts.sort_unstable();
        let items_near =
            |day: Day| firsts.partition_point(|first| *first <= day) - lasts.partition_point(|last| *last < day);
        let lines_near = |(first, last): (Day, Day)| {
            days.partition_point(|(day, _)| *day < first)..days.partition_point(|(day, _)| *day <= last)
        };
        // By their places in `days` and in `items`.
        let mut rivals: Vec<Vec<usize>> = vec![vec![]; days.len()];
        for (item, span) in spans.iter().enumerate() {
            let near = lines_near(*span);
            if near.len() <= RIVALS_MAX {
                near.for_each(|line| rivals[line].push(item));
            }
        }
        let mut pairs = vec![];
        let mut sets = Sets::new(days.len() + items.len());
        // Of a crowd nothing is decided: its lines hang together from the first to the last.
        let mut crowds = vec![0i32; days.len() + 1];
        for (item, span) in spans.iter().enumerate().filter(|(item, _)| !self.item_taken[items[*item]]) {
            let (near, fitting) = (lines_near(*span), lines_near(self.window(self.items[items[item]], 1)));
            if near.len() > RIVALS_MAX {
                if !fitting.is_empty() {
                    sets.join(fitting.start, days.len() + item);
                    crowds[fitting.start] += 1;
                    crowds[fitting.end - 1] -= 1;
                }
                continue;
            }
            for line in fitting.filter(|line| !self.line_taken[days[*line].1] && self.may_be(days[*line].1)) {
                let (day, one) = days[line];
                let says = self.says(one, items[item]);
                let unique = near.len() == 1 && items_near(day) == 1;
                // Or these two have one name, and whatever else would fit has another's.
                let by_name = says == Says::Same
                    && rivals[line].len() == items_near(day)
                    && rivals[line].iter().all(|rival| *rival == item || self.says(one, items[*rival]) == Says::Other)
                    && near.clone().all(|rival| rival == line || self.says(days[rival].1, items[item]) == Says::Other);
                if unique || by_name {
                    let sure = match says {
                        Says::Same => true,
                        Says::Nothing => self.policy.amount_alone,
                        Says::Other => false,
                    };
                    pairs.push((one, items[item], sure));
                } else {
                    sets.join(line, days.len() + item);
                }
            }
        }
        let mut open = 0;
        for line in 1..days.len() {
            open += crowds[line - 1];
            if open > 0 {
                sets.join(line - 1, line);
            }
        }
        for (line, item, confirmed) in pairs {
            self.matched(&[line], &[item], Rule::AmountAndDate, confirmed);
        }
        let mut undecided: BTreeMap<usize, Group> = BTreeMap::new();
        for (at, (_, line)) in
            days.iter().enumerate().filter(|(_, (_, line))| !self.line_taken[*line] && self.may_be(*line))
        {
            undecided.entry(sets.root(at)).or_default().0.push(*line);
        }
        for (at, item) in items.iter().enumerate().filter(|(_, item)| !self.item_taken[**item]) {
            undecided.entry(sets.root(days.len() + at)).or_default().1.push(*item);
        }
        for (mut lines, items) in
            undecided.into_values().filter(|(lines, items)| !lines.is_empty() && !items.is_empty())
        {
            lines.sort_unstable();
            self.ambiguous(&lines, &items, Rule::AmountAndDate);
        }
    }

    /// A line that names something of ours is about that, known or not.
    fn may_be(&self, line: usize) -> bool {
        !self.lines[line].references.iter().any(|name| is_ours(name))
    }

    fn says(&self, line: usize, item: usize) -> Says {
        match (&self.lines[line].counterparty, &self.items[item].counterparty) {
            (Some(one), Some(other)) if one == other => Says::Same,
            (Some(_), Some(_)) => Says::Other,
            _ => Says::Nothing,
        }
    }

    /// Several items in one line, or several lines for one item.
    fn by_sums(&mut self) {
        let mut left = self.policy.nodes.saturating_mul(SEARCHES);
        let mut sums: Vec<Group> = vec![];
        let lines: Vec<usize> = (0..self.lines.len()).filter(|at| !self.line_taken[*at] && self.may_be(*at)).collect();
        let items: Vec<usize> = (0..self.items.len()).filter(|at| !self.item_taken[*at]).collect();
        let mut near = Near::new(self, &lines, &items);
        let mut undecided = vec![];
        for line in &lines {
            let fitting = near.items_of(self, *line);
            match self.search(self.lines[*line].amount, &fitting, |at| self.items[at].amount, &mut left) {
                Outcome::One(items) => sums.push((vec![*line], items)),
                Outcome::Several => undecided.push(Found::Ambiguous {
                    lines: self.line_ids(&[*line]),
                    items: self.item_ids(&fitting),
                    rule: Rule::Sum,
                }),
                Outcome::Exhausted => {
                    undecided.push(Found::Exhausted { lines: self.line_ids(&[*line]), items: self.item_ids(&fitting) })
                }
                Outcome::None => {}
            }
        }
        for item in &items {
            let fitting = near.lines_of(self, *item);
            match self.search(self.items[*item].amount, &fitting, |at| self.lines[at].amount, &mut left) {
                Outcome::One(lines) => sums.push((lines, vec![*item])),
                Outcome::Several => undecided.push(Found::Ambiguous {
                    lines: self.line_ids(&fitting),
                    items: self.item_ids(&[*item]),
                    rule: Rule::Sum,
                }),
                Outcome::Exhausted => {
                    undecided.push(Found::Exhausted { lines: self.line_ids(&fitting), items: self.item_ids(&[*item]) })
                }
                Outcome::None => {}
            }
        }
        self.found.extend(undecided);
        self.settle(sums);
    }

    /// Sums that share nothing with another stand; the others are several readings.
    fn settle(&mut self, sums: Vec<Group>) {
        let mut sets = Sets::new(self.lines.len() + self.items.len());
        let count = self.lines.len();
        for (lines, items) in &sums {
            let all: Vec<usize> = lines.iter().copied().chain(items.iter().map(|at| count + at)).collect();
            all.windows(2).for_each(|pair| sets.join(pair[0], pair[1]));
        }
        let mut shared: BTreeMap<usize, Vec<Group>> = BTreeMap::new();
        for (lines, items) in sums {
            shared.entry(sets.root(lines[0])).or_default().push((lines, items));
        }
        for readings in shared.into_values() {
            match &readings[..] {
                [(lines, items)] => {
                    let named = lines.iter().all(|line| items.iter().all(|item| self.says(*line, *item) == Says::Same));
                    self.matched(lines, items, Rule::Sum, named);
                }
                several => {
                    let lines: BTreeSet<usize> = several.iter().flat_map(|(lines, _)| lines.iter().copied()).collect();
                    let items: BTreeSet<usize> = several.iter().flat_map(|(_, items)| items.iter().copied()).collect();
                    self.ambiguous(&Vec::from_iter(lines), &Vec::from_iter(items), Rule::Sum);
                }
            }
        }
    }

    fn search(&self, target: i64, fitting: &[usize], amount: impl Fn(usize) -> i64, left: &mut u64) -> Outcome {
        if fitting.len() < 2 {
            return Outcome::None;
        }
        let amounts: Vec<i64> = fitting.iter().map(|at| amount(*at)).collect();
        let reach: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
        if reach.unsigned_abs() < i128::from(target).unsigned_abs() {
            return Outcome::None;
        }
        let half = fitting.len().div_ceil(2);
        let cost = if fitting.len() > MOST { u64::MAX } else { 2 << half };
        if cost > *left {
            return Outcome::Exhausted;
        }
        *left -= cost;
        match subset::find(&amounts, target, self.policy.nodes) {
            Sum::None => Outcome::None,
            Sum::One(set) => Outcome::One(set.into_iter().map(|at| fitting[at]).collect()),
            Sum::Several => Outcome::Several,
            Sum::Exhausted => Outcome::Exhausted,
        }
    }

    fn line_ids(&self, lines: &[usize]) -> Vec<Id> {
        lines.iter().map(|at| self.lines[*at].id).collect()
    }
    fn item_ids(&self, items: &[usize]) -> Vec<Id> {
        items.iter().map(|at| self.items[*at].id).collect()
    }
}

enum Outcome {
    None,
    One(Vec<usize>),
    Several,
    Exhausted,
}

/// What the names on both sides say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Says {
    Same,
    Other,
    Nothing,
}

fn clamped(difference: i128) -> i64 {
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

fn explains(cause: &crate::Cause, moved: i128, expected: i128) -> bool {
    let by = (moved.abs() - expected.abs()).abs();
    let part = expected.abs() * i128::from(cause.basis_points) / 10_000;
    let same_side = moved.signum() == expected.signum();
    same_side && (moved.abs() < expected.abs()) == cause.short && by <= i128::from(cause.most).min(part)
}

/// An account, and whether money comes in.
type Side = (Account, bool);

/// Free lines and items, each with its days.
struct Near {
    lines: HashMap<Side, Vec<(Day, usize)>>,
    items: HashMap<Side, Vec<(Day, Day, usize)>>,
}

impl Near {
    fn new(run: &Run<'_>, lines: &[usize], items: &[usize]) -> Near {
        let mut near = Near { lines: HashMap::new(), items: HashMap::new() };
        for at in lines {
            let line = run.lines[*at];
            near.lines.entry((line.account, line.amount > 0)).or_default().push((line.day, *at));
        }
        for at in items {
            let item = run.items[*at];
            let (first, last) = run.window(item, 1);
            near.items.entry((item.account, item.amount > 0)).or_default().push((first, last, *at));
        }
        near.lines.values_mut().for_each(|all| all.sort_unstable());
        near.items.values_mut().for_each(|all| all.sort_unstable());
        near
    }

    /// Smaller items that may be part of a line, in the order of their ids. Where the line names its other side, that one's
    /// alone, if there are any.
    fn items_of(&mut self, run: &Run<'_>, line: usize) -> Vec<usize> {
        let one = run.lines[line];
        let Some(all) = self.items.get(&(one.account, one.amount > 0)) else { return vec![] };
        let until = all.partition_point(|(first, _, _)| *first <= one.day);
        let smaller = |at: usize| run.items[at].amount.unsigned_abs() < one.amount.unsigned_abs();
        let fitting =
            all[..until].iter().filter(|(_, last, at)| *last >= one.day && smaller(*at)).map(|(_, _, at)| *at);
        narrowed(fitting.collect(), |at| run.says(line, at))
    }

    fn lines_of(&mut self, run: &Run<'_>, item: usize) -> Vec<usize> {
        let one = run.items[item];
        let Some(all) = self.lines.get(&(one.account, one.amount > 0)) else { return vec![] };
        let (first, last) = run.window(one, 1);
        let from = all.partition_point(|(day, _)| *day < first);
        let smaller = |at: usize| run.lines[at].amount.unsigned_abs() < one.amount.unsigned_abs();
        let near = all[from..].iter().take_while(|(day, _)| *day <= last).map(|(_, at)| *at);
        narrowed(near.filter(|at| smaller(*at)).collect(), |at| run.says(at, item))
    }
}

fn narrowed(mut all: Vec<usize>, says: impl Fn(usize) -> Says) -> Vec<usize> {
    all.sort_unstable();
    let same: Vec<usize> = all.iter().copied().filter(|at| says(*at) == Says::Same).collect();
    if !same.is_empty() {
        return same;
    }
    all.retain(|at| says(*at) == Says::Nothing);
    all
}

/// Sets that grow together.
struct Sets(Vec<u32>);

impl Sets {
    fn new(count: usize) -> Sets {
        Sets((0..count as u32).collect())
    }
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] as usize != at {
            self.0[at] = self.0[self.0[at] as usize];
            at = self.0[at] as usize;
        }
        at
    }
    /// The smaller root stays: the result does not depend on the order.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other) as u32;
    }
}
