//! One key, one effect: in parallel, across restarts, past the window in memory, for a day.

use crate::support::*;
use domain::log::Seq;
use domain::refusal::Refusal;
use domain::time::{Span, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use store::keys::{KEPT, OldKeys, Seen, Unfindable};
use store::memory::MemoryStore;
use store::writer::mailbox::spawn;
use store::writer::order::Answer;

/// Looks a key up in the log itself.
struct Scan {
    store: MemoryStore,
    asked: AtomicUsize,
    away: AtomicBool,
}

impl Scan {
    fn of(market: &Market) -> Arc<Scan> {
        Arc::new(Scan { store: market.store.clone(), asked: AtomicUsize::new(0), away: AtomicBool::new(false) })
    }
}

impl OldKeys for Scan {
    fn find(&self, hash: u128, _: Timestamp) -> Result<Option<Seen>, Unfindable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Unfindable("away".into()));
        }
        let log = log_of(&self.store, &main_log());
        let found = log.iter().rev().find_map(|event| {
            let key = event.key.filter(|key| key.hash == hash)?;
            Some(Seen { first: event.seq, events: key.events, fingerprint: key.fingerprint, at: event.time })
        });
        Ok(found)
    }
}

/// A hash as SHA-256 makes it: spread over all bits.
fn spread(n: u64) -> u128 {
    use sha2::Digest;
    u128::from_be_bytes(sha2::Sha256::digest(n.to_be_bytes())[..16].try_into().unwrap())
}

#[test]
fn a_hundred_at_once_under_one_key_are_one() {
    let market = Market::new();
    let length = market.log().len();
    let (mailbox, thread) = spawn(market.open(), |_, _| panic!("no flush has failed"));
    let ask = |mailbox: store::writer::mailbox::Mailbox| {
        std::thread::spawn(move || mailbox.send(keyed(credit(ANN, "5.00"), 42, 7)).blocking_recv().unwrap())
    };
    let threads: Vec<_> = (0..100).map(|_| ask(mailbox.clone())).collect();
    let answers: Vec<Answer> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (done_ones, others): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, Answer::Done(_)));
    assert_eq!((done_ones.len(), others.len()), (1, 99));
    let at = first(done_ones.into_iter().next().unwrap());
    assert!(others.into_iter().all(|answer| replayed(answer) == (at, 1)));
    mailbox.stop();
    thread.join().unwrap();
    assert_eq!(market.log().len(), length + 1);
}

#[test]
fn the_same_key_in_one_batch_is_one() {
    let market = Market::new();
    let mut writer = market.open();
    let orders = vec![
        (keyed(credit(ANN, "5.00"), 42, 7), MORNING),
        (keyed(credit(ANN, "5.00"), 42, 7), MORNING),
        (keyed(credit(ANN, "6.00"), 42, 8), MORNING),
        (keyed(credit(ANN, "5.00"), 43, 7), MORNING),
    ];
    let mut answers = writer.handle_all(orders).into_iter();
    let at = first(answers.next().unwrap());
    assert_eq!(replayed(answers.next().unwrap()), (at, 1));
    assert_eq!(refused(answers.next().unwrap()), Refusal::KeyReused { first_seen_at: MORNING });
    assert_eq!(first(answers.next().unwrap()), at + 1);
}

#[test]
fn another_input_under_a_used_key_is_refused_and_appends_nothing() {
    let market = Market::new();
    let mut writer = market.open();
    done(writer.handle(keyed(credit(ANN, "5.00"), 42, 7)));
    let length = market.log().len();
    market.pass(Span::seconds(1));
    let refusal = refused(writer.handle(keyed(credit(ANN, "5.00"), 42, 8)));
    assert_eq!(refusal, Refusal::KeyReused { first_seen_at: MORNING });
    assert_eq!(market.log().len(), length);
}

#[test]
fn a_key_outlives_its_writer() {
    let mut market = Market::new();
    let mut writer = market.open();
    let accepted = keyed(market.accepts(), 42, 7);
    let events = done(writer.handle(accepted.clone()));
    drop(writer);
    let mut again = market.open();
    assert_eq!(replayed(again.handle(accepted)), (events[0].seq, events.len() as u32));
    assert!(matches!(refused(again.handle(keyed(credit(ANN, "1.00"), 42, 8))), Refusal::KeyReused { .. }));
}

#[test]
fn a_key_that_fell_out_of_memory_is_found_in_the_log() {
    let market = Market::new();
    let scan = Scan::of(&market);
    let opening = || {
        let mut opening = market.opening();
        opening.settings.keys = 4;
        opening.older = scan.clone();
        opening
    };
    let mut writer = opening().open();
    let seqs: Vec<Seq> = (0..60).map(|n| first(writer.handle(keyed(credit(ANN, "1.00"), spread(n), n)))).collect();
    assert!(scan.asked.swap(0, Ordering::SeqCst) < 30, "a new key seldom costs a look");
    for mut writer in [writer, opening().open()] {
        for (n, seq) in (0..).zip(&seqs) {
            assert_eq!(replayed(writer.handle(keyed(credit(ANN, "1.00"), spread(n), n))), (*seq, 1));
            let other = refused(writer.handle(keyed(credit(ANN, "1.00"), spread(n), n + 1)));
            assert!(matches!(other, Refusal::KeyReused { .. }));
        }
        assert!(scan.asked.swap(0, Ordering::SeqCst) > 0, "most had fallen out");
    }
}

#[test]
fn while_old_keys_cannot_be_looked_up_nothing_is_done_twice() {
    let market = Market::new();
    let scan = Scan::of(&market);
    let mut opening = market.opening();
    opening.settings.keys = 4;
    opening.older = scan.clone();
    let mut writer = opening.open();
    for n in 0..20 {
        done(writer.handle(keyed(credit(ANN, "1.00"), spread(n), n)));
    }
    let length = market.log().len();
    scan.away.store(true, Ordering::SeqCst);
    let message = unavailable(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 0)));
    assert_eq!(message, "Earlier idempotency keys cannot be looked up now; try again.");
    assert_eq!(market.log().len(), length);
    replayed(writer.handle(keyed(credit(ANN, "1.00"), spread(19), 19)));
    scan.away.store(false, Ordering::SeqCst);
    replayed(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 0)));
}

#[test]
fn after_a_day_a_key_is_free_again() {
    for keys in [1_000, 2] {
        let market = Market::new();
        let mut opening = market.opening();
        opening.settings.keys = keys;
        opening.older = Scan::of(&market);
        let mut writer = opening.open();
        let at = first(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 1)));
        for n in 1..10 {
            done(writer.handle(keyed(credit(ANN, "1.00"), spread(n), 1)));
        }
        market.at(before(MORNING + KEPT));
        assert_eq!(replayed(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 1))), (at, 1));
        market.at(MORNING + KEPT);
        let again = first(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 2)));
        assert!(again > at);
        assert_eq!(replayed(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 2))), (again, 1));
        let mut opening = market.opening();
        opening.settings.keys = keys;
        opening.older = Scan::of(&market);
        let mut restarted = opening.open();
        assert_eq!(replayed(restarted.handle(keyed(credit(ANN, "1.00"), spread(0), 2))), (again, 1));
    }
}

#[test]
fn a_key_from_before_a_snapshot_is_known_for_a_day_and_then_free() {
    let mut market = Market::new();
    let scan = Scan::of(&market);
    let opening = |market: &Market| {
        let mut opening = market.opening();
        opening.older = scan.clone();
        opening
    };
    let mut writer = opening(&market).open();
    let auction = market.auction(&mut writer);
    let at = first(writer.handle(keyed(credit(ANN, "1.00"), spread(0), 1)));
    done(writer.handle(keyed(bid(BEN, auction, "7.00"), spread(1), 1)));
    let (state, head) = (writer.state().clone(), writer.head());
    drop(writer);

    let mut again = opening(&market).from_snapshot().open();
    assert!(*again.state() == state && again.head() == head);
    assert_eq!(replayed(again.handle(keyed(credit(ANN, "1.00"), spread(0), 1))), (at, 1));
    let other = refused(again.handle(keyed(credit(ANN, "2.00"), spread(0), 2)));
    assert_eq!(other, Refusal::KeyReused { first_seen_at: MORNING });
    scan.asked.store(0, Ordering::SeqCst);
    for n in 100..200 {
        done(again.handle(keyed(credit(ANN, "1.00"), spread(n), 1)));
    }
    assert!(scan.asked.load(Ordering::SeqCst) < 30, "a new key seldom costs a look");
    drop(again);

    // A snapshot upon a snapshot, and the last instant of the day.
    market.at(before(MORNING + KEPT));
    let mut again = opening(&market).from_snapshot().open();
    assert_eq!(replayed(again.handle(keyed(credit(ANN, "1.00"), spread(0), 1))), (at, 1));
    market.at(MORNING + KEPT);
    assert!(first(again.handle(keyed(credit(ANN, "2.00"), spread(0), 2))) > at);
}

#[test]
fn a_refusal_keeps_no_key_and_is_decided_anew() {
    let mut market = Market::new();
    let mut writer = market.open();
    let auction = market.auction(&mut writer);
    let dear = keyed(bid(ANN, auction, "150.00"), 42, 7);
    assert_eq!(refused(writer.handle(dear.clone())), Refusal::InsufficientFunds { available: eur("100.00") });
    done(writer.handle(credit(ANN, "50.00")));
    let at = first(writer.handle(dear.clone()));
    assert_eq!(replayed(writer.handle(dear)), (at, 1));
}
