//! What a writer promises while nothing goes wrong: order, time, batches, envelopes.

use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::auction::AuctionEvent;
use domain::log::LogName;
use domain::refusal::Refusal;
use domain::terms::AuctionRules;
use domain::time::{Span, Timestamp};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use store::backend::{EventStore, Limits};
use store::memory::{Call, CallKind, Fault, MemoryStore};
use store::recorded::Recorded;
use store::writer::mailbox::{Trouble, spawn};
use store::writer::order::{Answer, Order};
use store::writer::{OpenError, Settings, Writer};

/// Every call of one kind to `main` waits here until it is let go.
struct Gate {
    arrived: Receiver<()>,
    go: Sender<()>,
}

impl Gate {
    fn before(store: &MemoryStore, kind: CallKind) -> Gate {
        let (tell, arrived) = channel();
        let (go, wait) = channel();
        let wait = Mutex::new(wait);
        store.on_call(move |call| {
            if call.kind == kind && *call.log == main_log() {
                // A test that has let its gate go hears and says no more.
                let _ = tell.send(());
                let _ = wait.lock().unwrap().recv();
            }
        });
        Gate { arrived, go }
    }
    fn somebody_waits(&self) {
        self.arrived.recv_timeout(std::time::Duration::from_secs(30)).expect("somebody comes to the gate");
    }
    fn one_goes(&self) {
        self.go.send(()).unwrap();
    }
    fn opens(self) {}
}

fn count_appends(store: &MemoryStore) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    store.on_call(move |call| {
        if call.kind == CallKind::Append {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    count
}

fn nobody_is_told(_: &LogName, _: Trouble) {
    panic!("no flush has failed");
}

#[test]
fn subscribers_hear_of_an_event_before_its_answer_and_once() {
    let market = Market::new();
    let heard: Arc<Mutex<Vec<u64>>> = Arc::default();
    let hearing = heard.clone();
    let tell = move |events: &[Arc<Recorded>]| hearing.lock().unwrap().extend(events.iter().map(|event| event.seq));
    let writer = market.opening().told(tell).open();
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    for _ in 0..20 {
        let seq = first(mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap());
        assert_eq!(heard.lock().unwrap().last(), Some(&seq), "the answer came after the news");
    }
    mailbox.stop();
    thread.join().unwrap();
    let everything: Vec<u64> = market.log().iter().map(|event| event.seq).collect();
    assert_eq!(*heard.lock().unwrap(), everything, "from the first event on, in order");
}

#[test]
fn another_writers_events_are_heard_in_their_place() {
    let market = Market::new();
    let heard: Arc<Mutex<Vec<u64>>> = Arc::default();
    let hearing = heard.clone();
    let tell = move |events: &[Arc<Recorded>]| hearing.lock().unwrap().extend(events.iter().map(|event| event.seq));
    let mut ours = market.opening().told(tell).open();
    let mut theirs = market.open();
    for _ in 0..3 {
        done(theirs.handle(credit(BEN, "1.00")));
        done(theirs.handle(credit(BEN, "1.00")));
        done(ours.handle(credit(ANN, "1.00")));
    }
    let everything: Vec<u64> = market.log().iter().map(|event| event.seq).collect();
    assert_eq!(*heard.lock().unwrap(), everything);
}

#[test]
fn orders_that_gather_while_a_batch_is_written_share_the_next_append() {
    let market = Market::new();
    let writer = market.open();
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let first_answer = mailbox.send(credit(ANN, "1.00"));
    gate.somebody_waits();
    let answers: Vec<_> = (0..30).map(|_| mailbox.send(credit(BEN, "1.00"))).collect();
    gate.one_goes();
    let start = first(first_answer.blocking_recv().unwrap());
    gate.somebody_waits();
    gate.opens();
    let seqs: Vec<u64> = answers.into_iter().map(|answer| first(answer.blocking_recv().unwrap())).collect();
    assert_eq!(seqs, (start + 1..=start + 30).collect::<Vec<u64>>(), "in the order of sending");
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn one_call_appends_what_many_orders_came_to() {
    let market = Market::new();
    let mut writer = market.open();
    let appends = count_appends(&market.store);
    let orders = (0..100).map(|_| (credit(ANN, "1.00"), MORNING)).collect();
    assert!(writer.handle_all(orders).into_iter().all(|answer| done(answer).len() == 1));
    assert_eq!(appends.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refusal_goes_out_only_with_its_batch() {
    let market = Market::new();
    let writer = market.open();
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let mut answers = mailbox.send_all(vec![nonsense(), credit(ANN, "1.00")]);
    gate.somebody_waits();
    assert!(answers[0].try_recv().is_err(), "its batch is not durable yet");
    gate.opens();
    let mut answers = answers.into_iter().map(|answer| answer.blocking_recv().unwrap());
    assert_eq!(refused(answers.next().unwrap()), Refusal::NotFound { field: "inquiryId" });
    done(answers.next().unwrap());
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn refusals_alone_wait_until_the_head_is_confirmed() {
    let market = Market::new();
    let writer = market.open();
    let gate = Gate::before(&market.store, CallKind::Confirm);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let mut answer = mailbox.send(nonsense());
    gate.somebody_waits();
    assert!(answer.try_recv().is_err());
    gate.opens();
    refused(answer.blocking_recv().unwrap());
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn what_is_due_at_an_instant_comes_before_a_command_at_it() {
    let mut market = Market::new();
    let mut writer = market.open();
    let auction = market.auction(&mut writer);
    done(writer.handle(bid(ANN, auction, "5.00")));

    market.at(before(MORNING + OPEN_FOR));
    done(writer.handle(bid(BEN, auction, "6.00")));
    market.at(MORNING + OPEN_FOR);
    assert_eq!(refused(writer.handle(bid(ANN, auction, "7.00"))), Refusal::AuctionClosed);
    let types = market.types();
    assert_eq!(types[types.len() - 3..], ["auction.awarded.v1", "auction.bid_lost.v1", "reservation.opened.v1"]);
    let last = market.log().pop().unwrap();
    assert_eq!((last.time, last.actor.clone(), last.key), (MORNING + OPEN_FOR, Actor::System, None));
}

#[test]
fn nothing_is_due_before_its_instant() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    assert_eq!(writer.next_deadline(), Some(MORNING + OPEN_FOR));
    market.at(before(MORNING + OPEN_FOR));
    assert_eq!(writer.tick(), Ok(false));
    market.at(MORNING + OPEN_FOR);
    assert_eq!(writer.tick(), Ok(true));
    assert_eq!(writer.tick(), Ok(false));
    assert!(market.types().contains(&"auction.unsold.v1"));
}

#[test]
fn a_deadline_needs_no_command() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    let (tell, heard) = channel();
    let tell = Mutex::new(tell);
    let live = market
        .opening()
        .told(move |events| {
            for event in events {
                // The test has heard enough when it ends.
                let _ = tell.lock().unwrap().send(event.type_name);
            }
        })
        .open();
    market.at(MORNING + OPEN_FOR);
    let (mailbox, thread) = spawn(live, nobody_is_told);
    assert!(heard.iter().any(|name| name == "auction.unsold.v1"));
    mailbox.stop();
    thread.join().unwrap();
}

/// Whether the closing of an auction was moved because the platform was late.
fn was_moved(market: &Market) -> bool {
    let moved = |event: &Recorded| matches!(&event.event, Event::Auction(AuctionEvent::Extended(e)) if e.bid.is_none());
    let moved = market.log().iter().any(moved);
    assert_ne!(moved, market.types().contains(&"auction.unsold.v1"));
    moved
}

#[test]
fn up_to_ten_seconds_after_a_deadline_are_not_late() {
    for (after, late) in [(Span::seconds(10), false), (Span(10_000_001), true)] {
        let mut market = Market::new();
        let mut writer = market.open();
        market.auction(&mut writer);
        market.at(MORNING + OPEN_FOR + after);
        assert_eq!(writer.tick(), Ok(true));
        assert_eq!(was_moved(&market), late, "{after:?}");
    }
}

#[test]
fn a_deadline_before_the_start_is_late_and_one_at_it_is_not() {
    for (start, late) in [(MORNING + OPEN_FOR, false), (MORNING + OPEN_FOR + Span(1), true)] {
        let mut market = Market::new();
        let mut writer = market.open();
        market.auction(&mut writer);
        drop(writer);
        market.at(start);
        assert_eq!(market.open().tick(), Ok(true));
        assert_eq!(was_moved(&market), late, "{start:?}");
    }
}

#[test]
fn what_falls_due_while_the_log_is_folded_is_late() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    drop(writer);
    market.at(before(MORNING + OPEN_FOR));
    let clock = market.clock.clone();
    market.store.on_call(move |call| {
        if call.kind == CallKind::Read {
            clock.turn(MORNING + OPEN_FOR + Span::seconds(2));
        }
    });
    assert_eq!(market.open().tick(), Ok(true));
    assert!(was_moved(&market));
}

#[test]
fn a_clock_that_goes_back_never_takes_time_along() {
    let market = Market::new();
    let mut writer = market.open();
    let later = MORNING + Span::seconds(100);
    market.at(later);
    done(writer.handle(credit(ANN, "1.00")));
    market.at(MORNING);
    let event = done(writer.handle(credit(ANN, "1.00"))).pop().unwrap();
    assert_eq!(event.time, later);
    market.at(later + Span(1));
    assert_eq!(done(writer.handle(credit(ANN, "1.00")))[0].time, later + Span(1));
    assert!(market.log().windows(2).all(|pair| pair[0].time <= pair[1].time));
}

#[test]
fn a_deadline_is_not_passed_by_a_clock_that_went_back() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    market.at(before(MORNING + OPEN_FOR));
    done(writer.handle(credit(ANN, "1.00")));
    market.at(MORNING);
    assert_eq!(writer.tick(), Ok(false));
    assert!(!market.types().contains(&"auction.unsold.v1"));
}

#[test]
fn a_node_more_than_five_seconds_behind_does_not_start() {
    let market = Market::new();
    market.at(MORNING + Span::seconds(-5));
    market.open();
    market.at(MORNING + Span(-5_000_001));
    let Err(error) = market.opening().try_open() else { panic!("it started") };
    assert!(matches!(&error, OpenError::ClockBehind { log, .. } if *log == main_log()), "{error}");
    assert_eq!(error.to_string(), "the clock is 5 s behind the last event of log main; set it before starting");
}

#[test]
fn each_order_of_a_run_has_its_own_instant() {
    let mut market = Market::new();
    let mut writer = market.open();
    let auction = market.auction(&mut writer);
    market.at(MORNING + OPEN_FOR);
    let at = |seconds: i64| MORNING + Span::seconds(seconds);
    let orders = vec![
        (bid(ANN, auction, "5.00"), at(1)),
        (bid(BEN, auction, "6.00"), at(3)),
        // Entered before and arrived after: time stands.
        (credit(CAT, "1.00"), at(2)),
        (bid(ANN, auction, "7.00"), at(60)),
    ];
    let mut answers = writer.handle_all(orders).into_iter();
    assert_eq!(done(answers.next().unwrap())[0].time, at(1));
    assert_eq!(done(answers.next().unwrap())[0].time, at(3));
    assert_eq!(done(answers.next().unwrap())[0].time, at(3));
    assert_eq!(refused(answers.next().unwrap()), Refusal::AuctionClosed);
}

#[test]
fn a_full_batch_is_cut_and_the_answers_stay_in_order() {
    let mut market = Market::on(MemoryStore::with_limits(one_command_a_batch()));
    let mut writer = market.open();
    let auction = market.auction(&mut writer);
    let appends = count_appends(&market.store);
    let next = writer.head().unwrap().seq + 1;
    let orders = vec![
        bid(ANN, auction, "5.00"),
        bid(BEN, auction, "1.00"),
        keyed(credit(CAT, "2.00"), 77, 1),
        keyed(credit(CAT, "2.00"), 77, 1),
        will(CAT, Will::Available),
        bid(BEN, auction, "6.00"),
        nonsense(),
    ];
    let answers = writer.handle_all(orders.into_iter().map(|order| (order, MORNING)).collect());
    let told: Vec<String> = answers.iter().map(told).collect();
    assert_eq!(
        told,
        [
            format!("done {next}"),
            "BID_TOO_LOW".to_owned(),
            format!("done {}", next + 1),
            format!("replayed {} 1", next + 1),
            format!("done {}", next + 2),
            format!("done {} {}", next + 3, next + 4),
            "NOT_FOUND".to_owned(),
        ]
    );
    assert_eq!(appends.load(Ordering::SeqCst), 4, "one a command that appends");
    assert!(*writer.state() == fold(&market.log()));
}

/// The same logs in a store that takes no batch of `batch_bytes`.
fn tight(market: &Market, batch_bytes: usize) -> MemoryStore {
    let store = MemoryStore::with_limits(Limits { batch_bytes, batch_events: 10_000, event_bytes: 4 << 20 });
    for log in [LogName::community(), main_log()] {
        let mut head = None;
        for event in market.store.read(&log, 0, 1_000).unwrap() {
            store.append(&log, head, std::slice::from_ref(&event)).unwrap();
            head = Some(event.head());
        }
    }
    store
}

/// Each alone is small enough, and the two are not: the second comes first in the next batch, a timer's as a command's.
#[test]
fn what_does_not_fit_beside_what_is_there_comes_first_in_the_next_batch() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    market.pass(Span::seconds(1));
    let contested = market.auction(&mut writer);
    done(writer.handle(bid(ANN, contested, "5.00")));
    done(writer.handle(bid(BEN, contested, "6.00")));
    let order = market.accepts();
    let before = market.log().len();
    let open = |market: &Market, store: &MemoryStore| Opening::of(&main_log(), store, &market.clock).open();

    // Nobody wants the first, and somebody the second: little, and then much.
    let closing = market.now() + OPEN_FOR;
    let due = |writer: &mut Writer| {
        market.at(closing);
        while writer.next_deadline().is_some_and(|due| due <= closing) {
            assert_eq!(writer.tick(), Ok(true));
        }
        market.at(MORNING + Span::seconds(1));
    };
    let narrow = |roomy: &MemoryStore| -> usize {
        let log = log_of(roomy, &main_log());
        log[before..].iter().map(|event| event.raw.size()).sum::<usize>() - 1
    };
    let roomy = tight(&market, 8 << 20);
    due(&mut open(&market, &roomy));
    let store = tight(&market, narrow(&roomy));
    let mut writer = open(&market, &store);
    due(&mut writer);
    assert_eq!(log_of(&store, &main_log()).len(), log_of(&roomy, &main_log()).len());
    assert!(*writer.state() == fold(&log_of(&store, &main_log())));

    let orders = || vec![(credit(CAT, "2.00"), MORNING), (keyed(order.clone(), 7, 1), MORNING)];
    let roomy = tight(&market, 8 << 20);
    let expected: Vec<String> = open(&market, &roomy).handle_all(orders()).iter().map(told).collect();
    let store = tight(&market, narrow(&roomy));
    let mut writer = open(&market, &store);
    let answers: Vec<String> = writer.handle_all(orders()).iter().map(told).collect();
    assert_eq!(answers, expected);
    assert!(*writer.state() == fold(&log_of(&store, &main_log())));
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Done(events) => events.iter().fold("done".to_owned(), |text, event| format!("{text} {}", event.seq)),
        Answer::Replayed { first, events } => format!("replayed {first} {events}"),
        Answer::Refused(refusal) => refusal.code().to_owned(),
        Answer::Unavailable(message) => (*message).to_owned(),
    }
}

#[test]
fn deadlines_are_cut_at_the_limit_too_and_all_come_before_the_command() {
    let mut market = Market::on(MemoryStore::with_limits(one_command_a_batch()));
    let mut writer = market.open();
    for _ in 0..5 {
        market.auction(&mut writer);
    }
    market.at(MORNING + OPEN_FOR);
    done(writer.handle(credit(ANN, "1.00")));
    let types = market.types();
    assert_eq!(types.iter().filter(|name| **name == "auction.unsold.v1").count(), 5);
    assert_eq!(types.last(), Some(&"wallet.credited.v1"));
}

#[test]
fn a_start_folds_the_log_to_the_state_that_was() {
    let mut market = Market::new();
    let mut writer = market.open();
    let auction = market.auction(&mut writer);
    done(writer.handle(bid(ANN, auction, "5.00")));
    done(writer.handle(bid(BEN, auction, "6.00")));
    market.auction(&mut writer);
    market.at(MORNING + OPEN_FOR);
    assert_eq!(writer.tick(), Ok(true));
    market.at(MORNING + OPEN_FOR + CONSENT);
    assert_eq!(writer.tick(), Ok(true));
    let again = market.open();
    assert!(again.state() == writer.state());
    assert_eq!((again.head(), again.next_deadline()), (writer.head(), writer.next_deadline()));
    assert!(*again.state() == fold(&market.log()));
}

#[test]
fn a_log_longer_than_a_page_is_read_to_its_end() {
    let market = Market::new();
    let mut writer = market.open();
    let orders = (0..2_500).map(|_| (credit(ANN, "0.01"), MORNING)).collect();
    writer.handle_all(orders);
    let again = market.open();
    assert_eq!(again.head(), writer.head());
    assert!(again.state() == writer.state());
}

#[test]
fn a_commands_events_stand_together_with_the_key_on_the_first() {
    let mut market = Market::new();
    let mut writer = market.open();
    // Deadlines fall due between the commands of one batch, never inside a command.
    market.auction(&mut writer);
    market.at(MORNING + OPEN_FOR);
    let accepted: Vec<_> = (0..3).map(|n| keyed(market.accepts(), n, 5)).collect();
    let ids: Vec<_> = accepted.iter().map(|order| order.id).collect();
    let orders =
        accepted.into_iter().enumerate().map(|(n, order)| (order, (MORNING + OPEN_FOR).plus(n as i64 - 1))).collect();
    let answers = writer.handle_all(orders);

    let log = market.log();
    let mut salts = BTreeSet::new();
    for (answer, (n, id)) in answers.into_iter().zip(ids.into_iter().enumerate()) {
        let events = done(answer);
        assert!(events.len() > 3);
        for (index, event) in events.iter().enumerate() {
            assert_eq!(log[event.seq as usize], **event, "the log holds what was answered");
            assert_eq!(event.seq, events[0].seq + index as u64);
            assert_eq!((event.correlation, event.source.is_some()), (id, true));
            match event.key {
                Some(key) => {
                    assert_eq!((index, key.hash, key.fingerprint, key.events), (0, n as u128, 5, events.len() as u32))
                }
                None => assert_ne!(index, 0),
            }
        }
    }
    assert!(log.iter().all(|event| salts.insert(event.raw.salt)), "no two events share a salt");
    assert!(log.iter().any(|event| event.type_name == "auction.unsold.v1"));
}

/// `at + n` microseconds, for tables of instants.
trait Later {
    fn plus(self, micros: i64) -> Timestamp;
}
impl Later for Timestamp {
    fn plus(self, micros: i64) -> Timestamp {
        Timestamp(self.0 + micros)
    }
}

#[test]
fn a_command_that_waited_too_long_is_not_decided() {
    let market = Market::new();
    let patience = Settings::default().patience;
    let writer = market.open();
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let ahead = mailbox.send(credit(ANN, "1.00"));
    gate.somebody_waits();
    let too_long = mailbox.send(credit(BEN, "2.00"));
    market.at(MORNING.plus(1));
    let just_in_time = mailbox.send(credit(CAT, "3.00"));
    market.at(MORNING.plus(1) + patience);
    gate.opens();
    let start = first(ahead.blocking_recv().unwrap());
    assert_eq!(unavailable(too_long.blocking_recv().unwrap()), "The command waited too long; try again.");
    assert_eq!(first(just_in_time.blocking_recv().unwrap()), start + 1);
    mailbox.stop();
    thread.join().unwrap();
}

/// From the next append to `main` on the clock shows `now`; another writer was first there.
fn meets_a_conflict_at(market: &Market, now: Timestamp) {
    market.store.inject(&main_log(), [Fault::Conflict]);
    let (clock, turned) = (market.clock.clone(), AtomicBool::new(false));
    market.store.on_call(move |call| {
        if call.kind == CallKind::Append && *call.log == main_log() && !turned.swap(true, Ordering::SeqCst) {
            clock.turn(now);
        }
    });
}

const WAITED_TOO_LONG: &str = "The command waited too long; try again.";

#[test]
fn a_batch_that_is_decided_again_is_given_up_once_its_patience_is_over() {
    let patience = Settings::default().patience;
    for (after, given_up) in [(patience, false), (Span(patience.0 + 1), true)] {
        let market = Market::new();
        let length = market.log().len();
        let writer = market.open();
        meets_a_conflict_at(&market, MORNING + after);
        let (mailbox, thread) = spawn(writer, nobody_is_told);
        let orders = vec![credit(ANN, "1.00"), nonsense(), credit(BEN, "2.00")];
        let answers: Vec<_> = mailbox.send_all(orders).into_iter().map(|one| one.blocking_recv().unwrap()).collect();
        if given_up {
            assert!(answers.into_iter().all(|answer| unavailable(answer) == WAITED_TOO_LONG));
            assert_eq!(market.log().len(), length, "nothing of it is in the log");
        } else {
            assert_eq!(told(&answers[0]), format!("done {length}"));
            assert_eq!(told(&answers[1]), "NOT_FOUND");
            assert_eq!(told(&answers[2]), format!("done {}", length + 1));
        }
        // The writer goes on.
        done(mailbox.send(credit(CAT, "3.00")).blocking_recv().unwrap());
        mailbox.stop();
        thread.join().unwrap();
        assert!(*market.open().state() == fold(&market.log()));
    }
}

#[test]
fn a_batch_whose_fate_was_unknown_for_too_long_and_then_turned_out_badly_is_given_up() {
    let market = Market::new();
    let writer = market.open();
    market.store.inject(&main_log(), [Fault::UnknownNotWritten]);
    meets_a_conflict_at(&market, MORNING + Settings::default().patience + Span(1));
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    assert_eq!(unavailable(mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap()), WAITED_TOO_LONG);
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn of_one_batch_those_are_given_up_that_waited_too_long_and_their_runs_whole() {
    let market = Market::new();
    let patience = Settings::default().patience;
    let writer = market.open();
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let ahead = mailbox.send(credit(ANN, "1.00"));
    gate.somebody_waits();
    let run = mailbox.send_all(vec![credit(BEN, "2.00"), nonsense(), credit(BEN, "2.00")]);
    market.at(MORNING.plus(1));
    let younger = mailbox.send(credit(CAT, "3.00"));
    market.store.inject(&main_log(), [Fault::Nothing, Fault::Conflict]);
    gate.one_goes();
    let start = first(ahead.blocking_recv().unwrap());
    // Together they make the next batch, which meets a conflict when the run is too old.
    gate.somebody_waits();
    market.at(MORNING.plus(1) + patience);
    gate.opens();
    for answer in run {
        assert_eq!(unavailable(answer.blocking_recv().unwrap()), WAITED_TOO_LONG);
    }
    assert_eq!(first(younger.blocking_recv().unwrap()), start + 1);
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn where_a_run_is_cut_by_the_batch_limit_what_is_behind_the_first_given_up_is_given_up_too() {
    let market = Market::on(MemoryStore::with_limits(one_command_a_batch()));
    let writer = market.open();
    let start = writer.head().unwrap().seq + 1;
    let (appends, clock, store) = (AtomicUsize::new(0), market.clock.clone(), market.store.clone());
    let late = MORNING + Settings::default().patience + Span(1);
    market.store.on_call(move |call| {
        // Its second batch of one meets a conflict, at which the time is over.
        if call.kind == CallKind::Append && appends.fetch_add(1, Ordering::SeqCst) == 1 {
            clock.turn(late);
            store.inject(&main_log(), [Fault::Conflict]);
        }
    });
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let orders = (0..3).map(|_| credit(ANN, "1.00")).collect();
    let mut answers = mailbox.send_all(orders).into_iter().map(|answer| answer.blocking_recv().unwrap());
    assert_eq!(first(answers.next().unwrap()), start);
    assert!(answers.all(|answer| unavailable(answer) == WAITED_TOO_LONG));
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn a_replay_on_a_turned_clock_is_never_too_late() {
    let market = Market::new();
    let mut writer = market.open();
    let at = |minutes: i64| MORNING + Span::minutes(minutes);
    market.at(at(60));
    market.store.inject(&main_log(), [Fault::Conflict]);
    let answers = writer.handle_all((0..60).map(|minute| (credit(ANN, "1.00"), at(minute))).collect());
    assert!(answers.into_iter().enumerate().all(|(minute, answer)| done(answer)[0].time == at(minute as i64)));
}

#[test]
fn what_follows_by_itself_names_nobody_and_belongs_to_its_command() {
    let mut market = Market::new();
    let mut writer = market.open();
    for agent in [ANN, BEN, CAT] {
        done(writer.handle(will(agent, Will::Break)));
    }
    let mut registered = market.accepts();
    let Command::RegisterInquiry { acceptance, .. } = &mut registered.command else { panic!("an inquiry") };
    acceptance.terms = terms(AuctionRules { rounds: 2, ..rules() });
    done(writer.handle(registered));
    market.at(MORNING + OPEN_FOR);
    assert_eq!(writer.tick(), Ok(true));

    // Ann is free: the platform opens the next round. She has not opened an auction.
    let back = Order { causation: Some(domain::ids::EventId(7)), ..keyed(will(ANN, Will::Available), 3, 3) };
    let events = done(writer.handle(back.clone()));
    let types: Vec<_> = events.iter().map(|event| event.type_name).collect();
    assert_eq!(types, ["agent.status_set.v1", "auction.opened.v1"]);
    let of = |at: usize| (events[at].actor.clone(), events[at].key.map(|key| key.events), events[at].causation);
    assert_eq!(of(0), (Actor::Agent(ANN), Some(2), back.causation));
    assert_eq!(of(1), (Actor::System, None, None));
    assert_eq!((events[0].correlation, events[1].correlation), (back.id, back.id));
    assert_ne!(events[0].raw.salt, events[1].raw.salt);
    assert_eq!(replayed(writer.handle(back.clone())), (events[0].seq, 2));
    assert_eq!(replayed(market.open().handle(back)), (events[0].seq, 2), "also to whoever reads it back");
    assert!(*writer.state() == fold(&market.log()));
}

#[test]
fn a_full_mailbox_says_so_at_once() {
    let market = Market::new();
    let writer = {
        let mut opening = market.opening();
        opening.settings.mailbox = 1;
        opening.open()
    };
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let at_hand = mailbox.send(credit(ANN, "1.00"));
    gate.somebody_waits();
    let waiting = mailbox.send(credit(BEN, "1.00"));
    let too_many = mailbox.send_all(vec![credit(CAT, "1.00"), credit(CAT, "1.00")]);
    for answer in too_many {
        assert_eq!(unavailable(answer.blocking_recv().unwrap()), "Too many commands are waiting; try again.");
    }
    gate.opens();
    done(at_hand.blocking_recv().unwrap());
    done(waiting.blocking_recv().unwrap());
    mailbox.stop();
    thread.join().unwrap();
}

#[test]
fn a_stop_ends_the_batch_at_hand_and_answers_everybody() {
    let market = Market::new();
    let writer = {
        let mut opening = market.opening();
        opening.settings.batch = 1;
        opening.open()
    };
    let gate = Gate::before(&market.store, CallKind::Append);
    let (mailbox, thread) = spawn(writer, nobody_is_told);
    let at_hand = mailbox.send(credit(ANN, "1.00"));
    gate.somebody_waits();
    mailbox.stop();
    // One of these is taken up with the stop, the others never.
    let waiting: Vec<_> = (0..3).map(|_| mailbox.send(credit(BEN, "1.00"))).collect();
    gate.opens();
    done(at_hand.blocking_recv().unwrap());
    let answers: Vec<Answer> = waiting.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
    thread.join().unwrap();
    assert_eq!(unavailable(answers[2].clone()), "This log's writer has ended; try again.");
    let late = mailbox.send(credit(BEN, "1.00")).blocking_recv().unwrap();
    assert_eq!(unavailable(late), "This log's writer has ended; try again.");
    mailbox.stop();
}

#[test]
fn a_command_for_what_is_already_so_is_recorded_once_under_its_key() {
    let market = Market::new();
    let mut writer = market.open();
    let length = market.log().len();
    let again = keyed(will(ANN, Will::Available), 3, 3);
    assert_eq!(first(writer.handle(again.clone())), length as u64);
    assert_eq!(replayed(writer.handle(again)), (length as u64, 1));
    assert_eq!(market.log().len(), length + 1);
}

#[test]
fn an_event_that_was_refused_its_place_is_not_in_the_state() {
    let market = Market::new();
    let mut writer = market.open();
    let state = fold(&market.log());
    let command = Command::PlaceBid { auction: domain::ids::AuctionId(5), amount: eur("1.00") };
    refused(writer.handle(order(Actor::Agent(ANN), command)));
    assert!(*writer.state() == state);
}

/// What is heard of a writer whose second order panics where `arm` says.
fn panicking(arm: impl FnOnce(&Market, Opening, Arc<AtomicBool>) -> Opening, expected: &'static str) {
    let market = Market::new();
    let armed = Arc::new(AtomicBool::new(false));
    let writer = arm(&market, market.opening(), armed.clone()).open();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = told.clone();
    let (mailbox, thread) = spawn(writer, move |log: &LogName, why| hears.lock().unwrap().push((log.clone(), why)));
    first(mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap());
    armed.store(true, Ordering::SeqCst);
    let answer = mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap();
    assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    mailbox.stop();
    thread.join().unwrap();
    assert_eq!(*told.lock().unwrap(), [(mailbox.log().clone(), Trouble::Broken(expected))]);
}

#[test]
fn a_writer_that_panics_says_so_and_leaves_nobody_waiting() {
    let arm = |market: &Market, opening: Opening, armed: Arc<AtomicBool>| {
        let fuse = move |call: Call<'_>| assert!(call.kind != CallKind::Append || !armed.load(Ordering::SeqCst));
        market.store.on_call(fuse);
        opening
    };
    panicking(arm, "its writer panicked");
}

#[test]
fn views_that_panic_say_so_and_leave_nobody_waiting() {
    let arm = |_: &Market, opening: Opening, armed: Arc<AtomicBool>| {
        opening.told(move |_: &[Arc<Recorded>]| assert!(!armed.load(Ordering::SeqCst), "on purpose"))
    };
    panicking(arm, "its views panicked");
}

#[test]
fn the_next_batch_is_appended_while_the_views_hear_of_the_last_and_answers_wait_for_the_views() {
    let market = Market::new();
    let appends = count_appends(&market.store);
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let slow = Arc::new(AtomicBool::new(false));
    let started = slow.clone();
    let views = move |_: &[Arc<Recorded>]| {
        // They hear of what the log holds at the start too.
        if started.load(Ordering::SeqCst) {
            wait.lock().unwrap().recv().unwrap();
        }
    };
    let writer = market.opening().told(views).open();
    slow.store(true, Ordering::SeqCst);
    let before = appends.load(Ordering::SeqCst);
    let (mailbox, thread) = spawn(writer, |_, _| {});
    let mut one = mailbox.send(credit(ANN, "1.00"));
    while appends.load(Ordering::SeqCst) < before + 1 {
        std::thread::yield_now();
    }
    let mut two = mailbox.send(credit(BEN, "1.00"));
    while appends.load(Ordering::SeqCst) < before + 2 {
        std::thread::yield_now();
    }
    assert!(one.try_recv().is_err() && two.try_recv().is_err(), "the views have heard of neither");
    go.send(()).unwrap();
    first(one.blocking_recv().unwrap());
    assert!(two.try_recv().is_err(), "the views have heard of the first alone");
    go.send(()).unwrap();
    first(two.blocking_recv().unwrap());
    mailbox.stop();
    thread.join().unwrap();
}
