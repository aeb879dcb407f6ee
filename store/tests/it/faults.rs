//! What a writer does when its store fails, in every way that a store can.

use crate::support::*;
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::time::Span;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use store::backend::{AppendError, EventStore, Limits, ReadError};
use store::chain::ChainError;
use store::memory::{CallKind, Fault, MemoryStore};
use store::raw::{Head, RawEvent};
use store::recorded::Recorded;
use store::writer::OpenError;
use store::writer::mailbox::spawn;
use store::writer::order::Answer;

fn moved(event: &Recorded) -> bool {
    matches!(&event.event, Event::Auction(AuctionEvent::Extended(e)) if e.bid.is_none())
}

#[test]
fn what_was_decided_on_an_old_state_is_decided_again() {
    let mut market = Market::new();
    let mut ours = market.open();
    let auction = market.auction(&mut ours);
    let mut theirs = market.open();
    done(theirs.handle(bid(BEN, auction, "5.00")));
    assert_eq!(refused(ours.handle(bid(ANN, auction, "5.00"))), Refusal::BidTooLow { minimum: eur("5.01") });
    let events = done(ours.handle(bid(ANN, auction, "5.01")));
    assert_eq!(events.len(), 2, "the bid, and the one that it outbids");
    assert!(*ours.state() == fold(&market.log()));
}

#[test]
fn a_refusal_on_an_old_state_is_decided_again() {
    let market = Market::new();
    let mut ours = market.open();
    let mut theirs = market.open();
    // Ours knows nobody by that id; theirs has just hired.
    let hired = domain::command::Command::RegisterAgent {
        agent: domain::ids::AgentId(50),
        display_name: sealed("name"),
        location: "Linz".into(),
        skills: vec![],
        capacity: 1,
        affiliated_with: None,
        credit_limit: None,
    };
    done(theirs.handle(order(operator(), hired)));
    assert_eq!(ours.state().agents.len(), 3);
    done(ours.handle(credit(domain::ids::AgentId(50), "1.00")));
}

#[test]
fn a_conflict_without_a_rival_costs_nothing() {
    let market = Market::new();
    let mut writer = market.open();
    let length = market.log().len();
    market.store.inject(&main_log(), [Fault::Conflict, Fault::Conflict]);
    assert_eq!(first(writer.handle(credit(ANN, "1.00"))), length as Seq);
    assert_eq!(market.log().len(), length + 1);
}

#[test]
fn a_full_disk_writes_nothing_and_is_recovered_from() {
    let market = Market::new();
    let mut writer = market.open();
    let (log, state) = (market.log(), fold(&market.log()));
    market.store.inject(&main_log(), [Fault::RefusedFull, Fault::RefusedFull]);
    for _ in 0..2 {
        let key = keyed(credit(ANN, "1.00"), 1, 1);
        let message = unavailable(writer.handle(key));
        assert_eq!(message, "The disk is full: nothing was written, reading goes on.");
        assert!(*writer.state() == state && market.log() == log);
    }
    // Refusals need no room.
    refused(writer.handle(nonsense()));
    assert_eq!(first(writer.handle(keyed(credit(ANN, "1.00"), 1, 1))), log.len() as Seq, "the key was free");
}

#[test]
fn a_deadline_that_passed_while_the_disk_was_full_harms_nobody() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    market.at(MORNING + OPEN_FOR + Span::seconds(-1));
    market.store.inject(&main_log(), [Fault::RefusedFull]);
    unavailable(writer.handle(credit(ANN, "1.00")));
    market.at(MORNING + OPEN_FOR + Span::seconds(1));
    done(writer.handle(credit(ANN, "1.00")));
    let log = market.log();
    assert!(moved(&log[log.len() - 2]), "two seconds of outage, and the closing among them");

    // And once only: from now on the store is there again.
    let closes = writer.next_deadline().unwrap();
    market.at(closes + Span::seconds(1));
    assert_eq!(writer.tick(), Ok(true));
    assert_eq!(market.types().last(), Some(&"inquiry.requeued.v1"));
}

#[test]
fn a_deadline_that_could_not_be_written_stays_due() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    let length = market.log().len();
    market.at(MORNING + OPEN_FOR);
    market.store.inject(&main_log(), [Fault::RefusedFull, Fault::RefusedFull]);
    assert!(writer.tick().is_err());
    assert_eq!(writer.next_deadline(), Some(MORNING + OPEN_FOR));
    market.pass(Span::seconds(1));
    assert!(writer.tick().is_err());
    market.pass(Span::seconds(1));
    assert_eq!(writer.tick(), Ok(true));
    let log = market.log();
    assert!(moved(&log[length]) && log.len() == length + 1);
}

#[test]
fn what_may_be_written_is_sent_again_until_it_is_known() {
    use Fault::{UnknownNotWritten, UnknownWritten};
    for faults in [
        vec![UnknownNotWritten],
        vec![UnknownWritten],
        vec![UnknownNotWritten, UnknownNotWritten, UnknownWritten, UnknownWritten],
    ] {
        let market = Market::new();
        let mut writer = market.open();
        let log = market.log();
        market.store.inject(&main_log(), faults);
        let seq = first(writer.handle(credit(ANN, "1.00")));
        assert_eq!((seq, market.log().len()), (log.len() as Seq, log.len() + 1), "once");
        assert_eq!(first(writer.handle(credit(ANN, "1.00"))), seq + 1);
    }
}

#[test]
fn a_refused_resend_says_nothing_of_what_was_sent_before() {
    for (sent, stands) in [(Fault::UnknownWritten, true), (Fault::UnknownNotWritten, false)] {
        let market = Market::new();
        let mut writer = market.open();
        let length = market.log().len();
        market.store.inject(&main_log(), [sent, Fault::RefusedFull]);
        match writer.handle(credit(ANN, "1.00")) {
            Answer::Done(events) => assert!(stands && events[0].seq == length as Seq),
            other => assert!(!stands && unavailable(other).starts_with("The disk is full")),
        }
        assert_eq!(market.log().len(), length + usize::from(stands));
        assert_eq!(first(writer.handle(credit(ANN, "1.00"))), market.log().len() as Seq - 1);
    }
}

/// A rival's writer appends before the `nth` append of node 1.
fn rival_before_append(market: &Market, nth: usize) {
    let rival = Mutex::new(Opening::of(&main_log(), &market.store.node(2), &market.clock).open());
    let count = AtomicUsize::new(0);
    market.store.on_call(move |call| {
        let ours = call.node == 1 && call.kind == CallKind::Append;
        if ours && count.fetch_add(1, Ordering::SeqCst) == nth {
            done(rival.lock().unwrap().handle(credit(BEN, "9.00")));
        }
    });
}

#[test]
fn a_rival_may_come_between_the_lost_batch_and_its_resend() {
    let market = Market::new();
    let mut writer = Opening::of(&main_log(), &market.store.node(1), &market.clock).open();
    let next = market.log().len() as Seq;
    rival_before_append(&market, 1);
    market.store.inject(&main_log(), [Fault::UnknownNotWritten]);
    assert_eq!(
        first(writer.handle(credit(ANN, "1.00"))),
        next + 1,
        "the rival took the place, so it was decided again"
    );
    assert_eq!(market.log().len() as Seq, next + 2);
    assert!(*writer.state() == fold(&market.log()));
}

#[test]
fn a_rival_may_come_after_a_batch_whose_answer_was_lost() {
    let market = Market::new();
    let mut writer = Opening::of(&main_log(), &market.store.node(1), &market.clock).open();
    let next = market.log().len() as Seq;
    rival_before_append(&market, 1);
    market.store.inject(&main_log(), [Fault::UnknownWritten]);
    assert_eq!(first(writer.handle(credit(ANN, "1.00"))), next, "it stood already");
    assert_eq!(first(writer.handle(credit(ANN, "1.00"))), next + 2, "after the rival's");
    assert_eq!(market.log().len() as Seq, next + 3);
    assert!(*writer.state() == fold(&market.log()));
}

#[test]
fn a_deadline_that_passed_while_nothing_was_known_harms_nobody() {
    let mut market = Market::new();
    let mut writer = market.open();
    market.auction(&mut writer);
    market.at(before(MORNING + OPEN_FOR));
    let clock = market.clock.clone();
    let sent = AtomicUsize::new(0);
    market.store.on_call(move |call| {
        if call.kind == CallKind::Append && sent.fetch_add(1, Ordering::SeqCst) == 1 {
            clock.turn(MORNING + OPEN_FOR + Span::seconds(2));
        }
    });
    market.store.inject(&main_log(), [Fault::UnknownNotWritten]);
    done(writer.handle(credit(ANN, "1.00")));
    assert_eq!(writer.tick(), Ok(true));
    assert!(moved(market.log().last().unwrap()));
}

#[test]
fn a_failed_flush_ends_the_writer_and_says_so() {
    let market = Market::new();
    let writer = market.open();
    let length = market.log().len();
    market.store.inject(&main_log(), [Fault::Broken]);
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let (mailbox, thread) = spawn(writer, move |log, _| tell.lock().unwrap().send(log.clone()).unwrap());
    let message = unavailable(mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap());
    assert_eq!(message, "The store has failed; the process must start again.");
    assert_eq!(told.recv().unwrap(), main_log());
    thread.join().unwrap();
    unavailable(mailbox.send(credit(ANN, "1.00")).blocking_recv().unwrap());
    assert_eq!(market.log().len(), length);
}

#[test]
fn after_a_failed_flush_nothing_is_sent() {
    let market = Market::new();
    let mut writer = market.open();
    let length = market.log().len();
    market.store.inject(&main_log(), [Fault::Broken]);
    unavailable(writer.handle(credit(ANN, "1.00")));
    assert!(writer.is_broken());
    unavailable(writer.handle(credit(ANN, "1.00")));
    unavailable(writer.handle(nonsense()));
    assert_eq!(market.log().len(), length);
}

#[test]
fn a_store_that_lost_events_is_never_written_again() {
    for lost in [1, 4] {
        let market = Market::new();
        let mut writer = market.open();
        let length = market.log().len();
        market.store.inject(&main_log(), [Fault::DropTail(lost)]);
        let message = unavailable(writer.handle(credit(ANN, "1.00")));
        assert_eq!(message, "This log is stopped: the store holds another history. The operator has been told.");
        for order in [credit(ANN, "1.00"), nonsense()] {
            unavailable(writer.handle(order));
        }
        assert_eq!(market.log().len(), length - lost);
        assert!(!writer.is_broken(), "a restart would not help");
    }
}

#[test]
fn a_fork_is_for_an_operator_even_where_the_tail_comes_back() {
    let market = Market::new();
    let mut writer = market.open();
    let lost = market.store.read(&main_log(), 0, 1_000).unwrap();
    let (last, rest) = lost.split_last().unwrap();
    market.store.drop_tail(&main_log(), 1);
    unavailable(writer.handle(credit(ANN, "1.00")));
    market.store.append(&main_log(), Some(rest.last().unwrap().head()), std::slice::from_ref(last)).unwrap();
    let message = unavailable(writer.handle(credit(ANN, "1.00")));
    assert_eq!(message, "This log is stopped; the operator has been told.");
    unavailable(writer.handle(nonsense()));
    assert_eq!(market.log().len(), lost.len());
}

#[test]
fn a_refusal_too_notices_that_the_store_lost_events() {
    let market = Market::new();
    let mut writer = market.open();
    market.store.drop_tail(&main_log(), 1);
    unavailable(writer.handle(nonsense()));
    unavailable(writer.handle(credit(ANN, "1.00")));
}

#[test]
fn a_store_with_another_history_of_the_same_length_is_a_fork() {
    let market = Market::new();
    let mut ours = market.open();
    done(ours.handle(credit(ANN, "1.00")));
    let length = market.log().len();
    market.store.drop_tail(&main_log(), 1);
    let mut theirs = market.open();
    done(theirs.handle(credit(BEN, "2.00")));
    let log = market.log();
    unavailable(ours.handle(credit(ANN, "1.00")));
    done(theirs.handle(credit(BEN, "2.00")));
    unavailable(ours.handle(credit(ANN, "1.00")));
    assert_eq!((log.len(), market.log().len()), (length, length + 1));
}

type Tamper = Arc<dyn Fn(Vec<RawEvent>) -> Result<Vec<RawEvent>, ReadError> + Send + Sync>;

/// A store whose reads somebody has had a hand in.
struct Tampered {
    inner: MemoryStore,
    tamper: Tamper,
}

impl EventStore for Tampered {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
    fn logs(&self) -> Result<Vec<LogName>, ReadError> {
        self.inner.logs()
    }
    fn head(&self, log: &LogName) -> Result<Option<Head>, ReadError> {
        self.inner.head(log)
    }
    fn append(&self, log: &LogName, expected: Option<Head>, batch: &[RawEvent]) -> Result<(), AppendError> {
        self.inner.append(log, expected, batch)
    }
    fn confirm(&self, log: &LogName, expected: Option<Head>) -> Result<(), AppendError> {
        self.inner.confirm(log, expected)
    }
    fn read(&self, log: &LogName, from: Seq, max: usize) -> Result<Vec<RawEvent>, ReadError> {
        (self.tamper)(self.inner.read(log, from, max)?)
    }
    fn read_at(&self, log: &LogName, seqs: &[Seq]) -> Result<Vec<RawEvent>, ReadError> {
        self.inner.read_at(log, seqs)
    }
}

fn tampered(
    market: &Market,
    tamper: impl Fn(Vec<RawEvent>) -> Result<Vec<RawEvent>, ReadError> + Send + Sync + 'static,
) -> Opening {
    let store = Arc::new(Tampered { inner: market.store.clone(), tamper: Arc::new(tamper) });
    Opening { store, ..market.opening() }
}

fn broken_at(opening: Opening) -> ChainError {
    match opening.try_open() {
        Err(OpenError::Chain { log, source }) => {
            assert_eq!(log, main_log());
            source
        }
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn one_changed_byte_is_named_at_the_start() {
    let market = Market::new();
    for at in 0..market.log().len() {
        let edits: [fn(&mut RawEvent); 4] = [
            |event| event.envelope[9] ^= 1,
            |event| *event.data.last_mut().unwrap() ^= 1,
            |event| event.salt[15] ^= 1,
            |event| event.hash[31] ^= 1,
        ];
        for edit in edits {
            let opening = tampered(&market, move |mut events| {
                edit(&mut events[at]);
                Ok(events)
            });
            let error = broken_at(opening);
            assert_eq!(error, ChainError::Broken { seq: at as Seq });
            assert!(error.to_string().contains(&format!("event {at} ")));
        }
    }
}

#[test]
fn a_missing_or_moved_event_is_named_at_the_start() {
    let market = Market::new();
    let missing = tampered(&market, |mut events| {
        events.remove(3);
        Ok(events)
    });
    assert_eq!(broken_at(missing), ChainError::Gap { expected: 3, found: 4 });
    let swapped = tampered(&market, |mut events| {
        events.swap(3, 4);
        Ok(events)
    });
    assert_eq!(broken_at(swapped), ChainError::Gap { expected: 3, found: 4 });
    let renumbered = tampered(&market, |mut events| {
        events.swap(3, 4);
        (events[3].seq, events[4].seq) = (3, 4);
        Ok(events)
    });
    assert_eq!(broken_at(renumbered), ChainError::Broken { seq: 3 });
}

#[test]
fn a_rivals_event_that_does_not_fit_the_chain_stops_the_writer() {
    let market = Market::new();
    let known = market.log().len() as Seq;
    let heard: Arc<Mutex<Vec<Seq>>> = Arc::default();
    let hearing = heard.clone();
    let repaired = Arc::new(AtomicBool::new(false));
    let whole = repaired.clone();
    let mut ours = tampered(&market, move |mut events| {
        let broken = |event: &&mut RawEvent| event.seq == known + 1 && !whole.load(Ordering::SeqCst);
        for event in events.iter_mut().filter(broken) {
            event.salt[0] ^= 1;
        }
        Ok(events)
    })
    .told(move |events| hearing.lock().unwrap().extend(events.iter().map(|event| event.seq)))
    .open();
    let before = fold(&market.log());
    let mut theirs = market.open();
    done(theirs.handle(credit(BEN, "1.00")));
    done(theirs.handle(credit(BEN, "1.00")));
    let message = unavailable(ours.handle(credit(ANN, "1.00")));
    assert_eq!(message, "This log is stopped: it holds what cannot be understood. The operator has been told.");
    repaired.store(true, Ordering::SeqCst);
    assert_eq!(unavailable(ours.handle(credit(ANN, "1.00"))), "This log is stopped; the operator has been told.");
    assert_eq!(market.log().len() as Seq, known + 2);
    assert!(*ours.state() == before, "what was not published is not in the state");
    assert_eq!(heard.lock().unwrap().last(), Some(&(known - 1)));
}

#[test]
fn a_tail_that_cannot_be_read_now_is_read_later_and_told_once() {
    let mut market = Market::new();
    let away = Arc::new(AtomicBool::new(false));
    let gone = away.clone();
    let heard: Arc<Mutex<Vec<Seq>>> = Arc::default();
    let hearing = heard.clone();
    let mut ours = tampered(&market, move |events| match gone.load(Ordering::SeqCst) {
        false => Ok(events),
        true => Err(ReadError::Unavailable { log: main_log(), step: "reading", source: "the cable".into() }),
    })
    .told(move |events| hearing.lock().unwrap().extend(events.iter().map(|event| event.seq)))
    .open();
    let mut theirs = market.open();
    market.auction(&mut theirs);
    away.store(true, Ordering::SeqCst);
    assert_eq!(unavailable(ours.handle(credit(ANN, "1.00"))), "The log cannot be read now; try again.");
    away.store(false, Ordering::SeqCst);
    // The deadline passed while we saw nothing.
    market.at(MORNING + OPEN_FOR + Span::seconds(1));
    done(ours.handle(credit(ANN, "1.00")));
    let log = market.log();
    assert!(moved(&log[log.len() - 2]));
    assert_eq!(*heard.lock().unwrap(), (0..log.len() as Seq).collect::<Vec<_>>());
}
