//! Many seeds on all cores, and what to say of the one that fails: the invariant, the position, the last
//! events, and the command that replays it.

use crate::audit::{Finding, audit};
use crate::day::{Day, live_through};
use crate::house::{House, LOGS, lock, log};
use crate::readers::{self, Logs};
use crate::{again, evidence, views};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::{AgentEvent, WillReason};
use domain::event::auction::AuctionEvent;
use domain::event::inquiry::{InquiryEvent, SelectionMade};
use domain::event::queue::QueueEvent;
use domain::event::reservation::ReservationEvent;
use domain::refusal::Refusal;
use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use store::recorded::Recorded;
use store::writer::order::Answer;

/// Every so many days keep SQL rows, which cost half as much as all the rest.
const HISTORY_EVERY: u64 = 2;

thread_local! {
    /// The house of the day that this thread lives through.
    static HOUSE: RefCell<Option<Arc<House>>> = const { RefCell::new(None) };
    /// What a panic said, on a thread that simulates.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers the house, for the last words of a day that panics.
pub fn watch(house: &Arc<House>) {
    HOUSE.with(|slot| *slot.borrow_mut() = Some(house.clone()));
}

/// Days that `CALLMARKET_SEED=n` or `CALLMARKET_SEEDS=FROM..TO` ask for; else all that CI lives through: as
/// many as fit its time with optimisation, and a few of them without.
pub fn seeds() -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{text} is no seed"));
    if let Ok(seed) = std::env::var("CALLMARKET_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    if let Ok(seeds) = std::env::var("CALLMARKET_SEEDS") {
        let (from, to) = seeds.split_once("..").expect("CALLMARKET_SEEDS is FROM..TO");
        return number(from)..number(to);
    }
    0..if cfg!(debug_assertions) { 100 } else { 10_000 }
}

/// How often each thing came up: a simulation in which something never happens tests nothing of it.
#[derive(Default)]
pub struct Tally(pub std::collections::BTreeMap<String, u64>);

impl Tally {
    fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }
    fn add(&mut self, other: Tally) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }
    /// What a selection came to, and a standing value.
    fn count_choice(&mut self, event: &Recorded) {
        match &event.event {
            Event::Inquiry(InquiryEvent::SelectionMade(e)) => {
                self.count(format!("selection: {}", e.why.rule));
                if e.agent.is_none() {
                    self.count("selection: nobody");
                }
                for excluded in &e.why.excluded {
                    let reason = serde_json::to_value(excluded.reason).expect("a word");
                    self.count(format!("selection: left out {}", reason.as_str().expect("a word")));
                }
            }
            Event::Agent(AgentEvent::StandingValueSet(e)) if e.value.is_none() => {
                self.count("standing value: taken back")
            }
            Event::Inquiry(InquiryEvent::Moved(e)) => {
                let ways = [
                    ("merge: already there", e.already),
                    ("merge: away", e.away),
                    ("merge: moved by a timer", event.actor == Actor::System),
                ];
                ways.iter().filter(|(_, so)| *so).for_each(|(what, _)| self.count(*what));
            }
            _ => {}
        }
    }
    /// What only an event's neighbours tell.
    fn count_groups(&mut self, events: &[Arc<Recorded>]) {
        for group in events.chunk_by(|a, b| a.correlation == b.correlation) {
            let selects = |e: &SelectionMade| e.agent.is_some() && !e.why.rule.starts_with("claim");
            if matches!(&group[0].event, Event::Inquiry(InquiryEvent::SelectionMade(e)) if selects(e)) {
                self.count("selection: after a cool-off");
            }
            let merges = |event: &&Arc<Recorded>| matches!(event.event, Event::Queue(QueueEvent::Merged(_)));
            if group.iter().filter(merges).count() > 1 {
                self.count("merge: several queues");
            }
            let opens = |event: &Arc<Recorded>| matches!(event.event, Event::Auction(AuctionEvent::Opened(_)));
            let bids = |event: &&Arc<Recorded>| matches!(event.event, Event::Auction(AuctionEvent::BidPlaced(_)));
            let opened = group.iter().position(opens).unwrap_or(group.len());
            (0..group[opened..].iter().filter(bids).count())
                .for_each(|_| self.count("standing value: bid at an opening"));
        }
    }
    fn of(day: &Day, logs: &Logs) -> Tally {
        let mut tally = Tally::default();
        for event in logs.values().flatten() {
            tally.count(event.type_name);
            tally.count_choice(event);
            match &event.event {
                Event::Inquiry(InquiryEvent::Registered(e)) if e.stands_at.is_some() => tally.count("put ahead"),
                Event::Agent(AgentEvent::StatusSet(e)) if e.reason == WillReason::Absent => tally.count("absent"),
                Event::Agent(AgentEvent::PresenceReported(e)) if e.node.is_none() => tally.count("absent: excused"),
                _ => {}
            }
        }
        logs.values().for_each(|events| tally.count_groups(events));
        let record = lock(&day.house.record);
        for asked in &record.asked {
            let command = asked.order.command.rights().0;
            if let Some(Answer::Done(events)) = &asked.answer
                && events.iter().any(|event| moves_money(event))
            {
                tally.count(format!("{MOVES_MONEY}{command}"));
            }
            match &asked.answer {
                None => tally.count("answer: none, the node crashed"),
                Some(Answer::Done(events)) if events.is_empty() => tally.count("answer: nothing, a repeat"),
                Some(Answer::Done(_)) if command.is_empty() => tally.count("done: handover"),
                Some(Answer::Done(_)) => tally.count(format!("done: {command}")),
                Some(Answer::Replayed { .. }) => tally.count("answer: replayed"),
                Some(Answer::Refused(refusal)) => {
                    tally.count(format!("refused: {}", refusal.code()));
                    if *refusal == Refusal::ProviderCannotPay {
                        tally.count("refused: a provider that cannot pay");
                    }
                    if *refusal == Refusal::AgentBlocked {
                        tally.count("refused: who is blocked");
                    }
                    if *refusal == Refusal::AgentKeepsAway {
                        tally.count("refused: who keeps away");
                    }
                    if *refusal == Refusal::AgentStartedIt {
                        tally.count("refused: who started it");
                    }
                }
                Some(Answer::Unavailable(_)) => tally.count("answer: unavailable"),
            }
        }
        *tally.0.entry("crash".into()).or_default() += record.crashes as u64;
        *tally.0.entry("a clock too far behind to start".into()).or_default() += record.clocks_behind as u64;
        *tally.0.entry("from a snapshot".into()).or_default() += record.restored as u64;
        *tally.0.entry("from a snapshot: long past".into()).or_default() += record.restored_behind as u64;
        *tally.0.entry("feed: went on elsewhere".into()).or_default() += day.watchers.resumed as u64;
        *tally.0.entry("feed: read the log again".into()).or_default() += day.watchers.behind as u64;
        *tally.0.entry("feed: stood elsewhere".into()).or_default() += day.watchers.elsewhere as u64;
        *tally.0.entry("as of".into()).or_default() += u64::from(lock(&day.house.fallen).is_some());
        *tally.0.entry("deadline".into()).or_default() += record.ticks.len() as u64;
        tally
    }
}

/// Begins what a [`Tally`] says of mutations whose decision held, released, escrowed or posted money. What follows from
/// it by itself (somebody is free, so a round opens with the bids of standing values) is the platform's own.
pub const MOVES_MONEY: &str = "moves money: ";

fn moves_money(event: &Recorded) -> bool {
    let kinds = ["auction.bid_", "auction.awarded", "settlement.", "wallet.credited"];
    let holds = matches!(&event.event, Event::Reservation(ReservationEvent::Opened(e)) if e.payer.is_some());
    event.actor != Actor::System && (holds || kinds.iter().any(|kind| event.type_name.starts_with(kind)))
}

/// Lives through a day and looks at all of it.
pub fn play(seed: u64) -> Result<Tally, String> {
    hear_panics();
    PANIC.with(|slot| *slot.borrow_mut() = Some(String::new()));
    let played = catch_unwind(AssertUnwindSafe(|| {
        let day = live_through(seed, seed.is_multiple_of(HISTORY_EVERY));
        let accounts = audit(&evidence::of(&day), true)?;
        let logs = readers::all(&day.house);
        again::check(&day, &logs);
        lock(&day.house.keeper).check(&day.house, &logs);
        views::check(&day, &logs, &accounts);
        Ok(Tally::of(&day, &logs))
    }));
    let said = PANIC.with(|slot| slot.borrow_mut().take()).unwrap_or_default();
    let house = HOUSE.with(|slot| slot.borrow_mut().take());
    match (played, house) {
        (Ok(Ok(tally)), _) => Ok(tally),
        (Ok(Err(finding)), Some(house)) => Err(failure(seed, &house, Some(&finding), &said)),
        (Err(_), Some(house)) => Err(failure(seed, &house, None, &said)),
        (_, None) => Err(format!("seed {seed}: no house was built: {said}")),
    }
}

/// Simulating threads keep what a panic says for the report; all others print it as ever.
fn hear_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let heard = PANIC.with(|slot| match &mut *slot.borrow_mut() {
                Some(said) => {
                    said.push_str(&info.to_string());
                    said.push('\n');
                    true
                }
                None => false,
            });
            if !heard {
                before(info);
            }
        }));
    });
}

fn failure(seed: u64, house: &House, finding: Option<&Finding>, said: &str) -> String {
    let mut text = format!("\nseed {seed} breaks an invariant\n");
    match finding {
        Some(finding) => {
            text += &format!("  {}\n  {} {}: {}\n", finding.invariant, finding.log, finding.seq, finding.what);
            text += &last_events(house, &finding.log, finding.seq);
        }
        None => {
            text += &format!("  {said}\n");
            for name in LOGS {
                text += &last_events(house, name, house.length(&log(name)));
            }
        }
    }
    text + &format!("replay it:\n  CALLMARKET_SEED={seed} cargo test --release -p tests --test sim whole_days\n")
}

fn last_events(house: &House, name: &str, until: u64) -> String {
    let events = readers::read(house, &log(name), None, until as usize + 1);
    let last = std::env::var("CALLMARKET_LAST").ok().and_then(|count| count.parse().ok()).unwrap_or(14);
    let mut text = format!("the last events of {name}:\n");
    for event in events.iter().rev().take(last).rev() {
        let seconds = (event.time.0 - crate::day::MORNING) as f64 / 1e6;
        let data = String::from_utf8_lossy(&event.raw.data);
        let data: String = data.chars().take(420).collect();
        text += &format!("  {:>5} {seconds:>14.6} s {} {}: {data}\n", event.seq, event.type_name, event.correlation);
    }
    text
}

/// All days, on twice as many threads as cores: a writer waits a little where an append's fate is not known.
pub fn play_all(seeds: Range<u64>) -> Result<Tally, String> {
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (total, failure) = (Mutex::new(Tally::default()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match play(seed) {
                        Ok(one) => tally.add(one),
                        Err(text) => {
                            failed.store(true, Ordering::Relaxed);
                            lock(&failure).get_or_insert(text);
                        }
                    }
                }
                lock(&total).add(tally);
            });
        }
    });
    match failure.into_inner().expect("no simulating thread panics") {
        Some(text) => Err(text),
        None => Ok(total.into_inner().expect("no simulating thread panics")),
    }
}
