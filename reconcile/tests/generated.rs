//! Months of payments that are made up, with all that happens to payments, and the truth beside them.
#![allow(clippy::unwrap_used)]

use reconcile::{Cause, Found, Id, Item, Line, Match, Policy, Rule, reference, run};
use std::collections::{BTreeMap, BTreeSet};

/// splitmix64: the same months everywhere.
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What carries our references to the bank and back.
#[derive(Clone, Copy, PartialEq)]
enum References {
    Survive,
    Vanish,
}

#[derive(Default)]
struct Month {
    lines: Vec<Line>,
    items: Vec<Item>,
    /// Of each line the items that it pays.
    truth: BTreeMap<Id, BTreeSet<Id>>,
    /// Items that were paid as expected: what can be confirmed.
    plain: BTreeSet<Id>,
}

impl Month {
    fn line(
        &mut self,
        dice: &mut Dice,
        day: i32,
        amount: i64,
        references: Vec<Box<str>>,
        counterparty: Option<Box<str>>,
        items: &[Id],
    ) {
        let id = u128::from(dice.word()) << 64 | u128::from(dice.word());
        self.truth.insert(id, items.iter().copied().collect());
        self.lines.push(Line { id, account: 1, amount, day, references, counterparty });
    }
}

fn month(seed: u64, payments: usize, survive: References) -> Month {
    let mut dice = Dice(seed);
    let mut month = Month::default();
    let mut batch: Vec<Id> = vec![];
    for _ in 0..payments {
        let day = 20_000 + dice.below(30) as i32;
        let amount = 1 + dice.below(1_000_000) as i64;
        // Amounts that many have: prices.
        let amount = if dice.percent(10) { [999, 1_000, 2_500, 4_990, 10_000][dice.below(5) as usize] } else { amount };
        let amount = if dice.percent(30) { -amount } else { amount };
        let id = u128::from(dice.word()) << 64 | u128::from(dice.word());
        let own: Box<str> = reference::issue(id).into();
        let name: Box<str> = format!("PARTY{}", dice.below(2_000)).into();
        let item = Item {
            id,
            account: 1,
            amount,
            from: day,
            to: day,
            references: vec![own.clone()],
            groups: vec![],
            counterparty: dice.percent(50).then(|| name.clone()),
        };
        month.items.push(item);
        let carried = match survive {
            References::Survive => vec![own.clone()],
            References::Vanish => vec![],
        };
        // Banks know their customers by other names, and often by none.
        let shown = match dice.below(10) {
            0..4 => None,
            4..9 => Some(name),
            _ => Some(format!("{name}GMBH").into()),
        };
        let paid = day + dice.below(4) as i32;
        match dice.below(100) {
            // Late, beyond any window.
            0..3 => month.line(&mut dice, paid + 30, amount, carried, shown, &[id]),
            // Booked twice.
            3..5 => {
                for _ in 0..2 {
                    month.line(&mut dice, paid, amount, carried.clone(), shown.clone(), &[id]);
                }
            }
            // Another amount.
            5..7 => {
                let short = amount - amount.signum() * (1 + dice.below(300) as i64);
                month.line(&mut dice, paid, short, carried, shown, &[id]);
            }
            // Came back.
            7..9 => {
                month.line(&mut dice, paid, amount, carried.clone(), shown.clone(), &[id]);
                month.line(&mut dice, paid + 2, -amount, carried, shown, &[]);
            }
            // Never came.
            9..11 => {}
            // Mangled: a letter is wrong.
            11..14 => {
                let at = 2 + dice.below(reference::LENGTH as u64 - 2) as usize;
                let mut wrong = own.to_string();
                wrong.replace_range(at..=at, if &wrong[at..=at] == "K" { "M" } else { "K" });
                let found = reference::found_in(&format!("THANKS {wrong} AND MORE")).into_iter().map(Into::into);
                month.line(&mut dice, paid, amount, found.collect(), shown, &[id]);
            }
            // With others in one line; a batch names itself, where anything survives.
            14..19 => batch.push(id),
            _ => {
                month.plain.insert(id);
                month.line(&mut dice, paid, amount, carried, shown, &[id]);
            }
        }
        // Of somebody nobody knows, at times with an amount that somebody else has paid. (With the amount of one that never
        // came, and no name, nobody could tell it from that one.)
        if dice.percent(2) {
            let known = month
                .lines
                .iter()
                .rev()
                .find(|line| month.truth[&line.id].iter().any(|item| month.plain.contains(item)));
            let known = known.map(|line| line.amount).filter(|_| dice.percent(20));
            let amount = known.unwrap_or(1 + dice.below(1_000_000) as i64);
            month.line(&mut dice, paid, amount, vec![], None, &[]);
        }
        if batch.len() >= 5 {
            month.batched(&mut dice, std::mem::take(&mut batch), survive);
        }
    }
    month
}

impl Month {
    fn batched(&mut self, dice: &mut Dice, ids: Vec<Id>, survive: References) {
        let group: Box<str> = reference::issue(ids[0] ^ 1).into();
        let mut amount = 0;
        for item in self.items.iter_mut().filter(|item| ids.contains(&item.id)) {
            item.groups = vec![group.clone()];
            (item.from, item.to) = (20_010, 20_010);
            amount += item.amount;
        }
        let named = if survive == References::Survive { vec![group] } else { vec![] };
        if survive == References::Survive {
            self.plain.extend(&ids);
        }
        self.line(dice, 20_011, amount, named, None, &ids);
    }

    /// A confirmed match is right where its lines pay its items, all of them and nothing else.
    fn is_right(&self, one: &Match) -> bool {
        let paid: BTreeSet<Id> = one.lines.iter().flat_map(|line| self.truth[line].iter().copied()).collect();
        paid == one.items.iter().copied().collect()
    }
}

fn confirmed(found: &[Found]) -> impl Iterator<Item = &Match> {
    found.iter().filter_map(|one| match one {
        Found::Match(one) if one.confirmed => Some(one),
        _ => None,
    })
}

fn check(survive: References, least: f64) {
    let (mut matches, mut wrong, mut plain, mut hit) = (0, vec![], 0, 0);
    for seed in 0..if cfg!(debug_assertions) { 12 } else { 60 } {
        let month = month(seed, 2_000, survive);
        // Sums are searched for in small sets alone, to be done soon.
        let policy = Policy { amount_alone: survive == References::Vanish, nodes: 1 << 12, ..Policy::default() };
        let found = run(&month.lines, &month.items, &policy);
        claims_are_single(&found);
        let mut items = BTreeSet::new();
        for one in confirmed(&found) {
            matches += 1;
            items.extend(one.items.iter().copied());
            if !month.is_right(one) {
                wrong.push((seed, one.clone()));
            }
        }
        plain += month.plain.len();
        hit += month.plain.intersection(&items).count();
    }
    let rate = hit as f64 / plain as f64;
    println!("{matches} confirmed, {} wrong, {:.2} % of {plain} plain ones", wrong.len(), 100.0 * rate);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rate >= least, "{rate}");
}

/// Nothing is claimed twice, and what is undecided is not claimed.
fn claims_are_single(found: &[Found]) {
    let (mut lines, mut items) = (BTreeSet::new(), BTreeSet::new());
    for one in found {
        if let Found::Match(one) = one {
            assert!(!one.lines.is_empty() && !one.items.is_empty());
            assert!(one.lines.iter().all(|line| lines.insert(*line)), "a line is claimed twice");
            assert!(one.items.iter().all(|item| items.insert(*item)), "an item is claimed twice");
            assert!(!one.confirmed || one.difference == 0 || one.cause.is_some());
        }
    }
}

#[test]
fn where_references_survive_nearly_all_is_confirmed_and_nothing_wrongly() {
    check(References::Survive, 0.95);
}

#[test]
fn by_amount_and_date_most_is_confirmed_and_nothing_wrongly() {
    check(References::Vanish, 0.70);
}

#[test]
fn order_and_repetition_change_nothing() {
    for survive in [References::Survive, References::Vanish] {
        let mut month = month(99, 800, survive);
        let found = run(&month.lines, &month.items, &Policy::default());
        let mut dice = Dice(5);
        for _ in 0..3 {
            for at in (1..month.lines.len()).rev() {
                month.lines.swap(at, dice.below(at as u64 + 1) as usize);
            }
            month.items.reverse();
            let again = month.lines[0].clone();
            month.lines.push(again);
            assert_eq!(run(&month.lines, &month.items, &Policy::default()), found);
        }
    }
}

fn line(id: Id, amount: i64, day: i32, references: &[&str]) -> Line {
    Line {
        id,
        account: 1,
        amount,
        day,
        references: references.iter().map(|name| (*name).into()).collect(),
        counterparty: None,
    }
}
fn item(id: Id, amount: i64, day: i32, references: &[&str]) -> Item {
    let references = references.iter().map(|name| (*name).into()).collect();
    Item { id, account: 1, amount, from: day, to: day, references, groups: vec![], counterparty: None }
}

#[test]
fn two_that_look_alike_are_shown_and_neither_is_taken() {
    let lines = [line(1, 500, 20_000, &[]), line(2, 500, 20_000, &[])];
    let items = [item(11, 500, 20_000, &[]), item(12, 500, 20_000, &[])];
    let both = Found::Ambiguous { lines: vec![1, 2], items: vec![11, 12], rule: Rule::AmountAndDate };
    assert_eq!(run(&lines, &items, &Policy::default()), [both]);
    // A reference for one of them does not make the other sure: it might be the first's double.
    let items = [item(11, 500, 20_000, &["A"]), item(12, 500, 20_000, &[])];
    let lines = [line(1, 500, 20_000, &["A"]), line(2, 500, 20_000, &[])];
    let found = run(&lines, &items, &Policy::default());
    assert!(matches!(&found[..], [Found::Match(one), Found::Ambiguous { .. }] if one.items == [11]), "{found:?}");
}

#[test]
fn a_difference_needs_a_cause_with_a_name() {
    let fee = Cause { name: "wire fee".into(), most: 25, basis_points: 300, short: true };
    let policy = Policy { causes: vec![fee], ..Policy::default() };
    let outcome =
        |amount: i64| match &run(&[line(1, amount, 20_000, &["A"])], &[item(11, 1_000, 20_000, &["A"])], &policy)[..] {
            [Found::Match(one)] => (one.difference, one.confirmed, one.cause.as_deref().map(str::to_owned)),
            other => panic!("{other:?}"),
        };
    let fee = || Some("wire fee".to_owned());
    assert_eq!(outcome(1_000), (0, true, None));
    assert_eq!(outcome(975), (-25, true, fee()));
    assert_eq!(outcome(974), (-26, false, None));
    assert_eq!(outcome(1_001), (1, false, None));
    assert_eq!(outcome(-975), (-1_975, false, None));
    // 3 % of 1,000 is 30, but no more than 25; of 500 it is 15.
    let half = run(&[line(1, 480, 20_000, &["A"])], &[item(11, 500, 20_000, &["A"])], &policy);
    assert!(matches!(&half[..], [Found::Match(one)] if !one.confirmed));
}

#[test]
fn a_sum_is_proposed_where_it_is_the_only_one() {
    let items = [item(11, 300, 20_000, &[]), item(12, 450, 20_000, &[]), item(13, 7_000, 20_000, &[])];
    let found = run(&[line(1, 750, 20_000, &[])], &items, &Policy::default());
    assert!(
        matches!(&found[..], [Found::Match(one)] if one.items == [11, 12] && !one.confirmed && one.rule == Rule::Sum),
        "{found:?}"
    );
    let two = [
        item(11, 300, 20_000, &[]),
        item(12, 450, 20_000, &[]),
        item(13, 250, 20_000, &[]),
        item(14, 500, 20_000, &[]),
    ];
    let found = run(&[line(1, 750, 20_000, &[])], &two, &Policy::default());
    assert!(matches!(&found[..], [Found::Ambiguous { rule: Rule::Sum, .. }]), "{found:?}");
    let many: Vec<Item> = (0..41).map(|at| item(100 + at, 1 << at, 20_000, &[])).collect();
    let found = run(&[line(1, 3 << 39, 20_000, &[])], &many, &Policy::default());
    assert!(matches!(&found[..], [Found::Exhausted { .. }]), "{found:?}");
}

#[test]
fn whoever_names_something_of_ours_is_about_that() {
    let elsewhere = reference::issue(42);
    let found = run(&[line(1, 500, 20_000, &[&elsewhere])], &[item(11, 500, 20_000, &[])], &Policy::default());
    assert!(found.is_empty(), "{found:?}");
    // And what arrives on another account is for a person to see.
    let other = Line { account: 2, ..line(1, 500, 20_000, &["A"]) };
    let found = run(&[other], &[item(11, 500, 20_000, &["A"])], &Policy::default());
    assert!(matches!(&found[..], [Found::Ambiguous { rule: Rule::Reference, .. }]), "{found:?}");
}

#[test]
fn windows_end_where_they_end() {
    // A Monday. Two working days before, five after.
    let fits = |day: i32| !run(&[line(1, 500, day, &[])], &[item(11, 500, 20_780, &[])], &Policy::default()).is_empty();
    assert_eq!([20_775, 20_776, 20_787, 20_788].map(fits), [false, true, true, false]);
}
