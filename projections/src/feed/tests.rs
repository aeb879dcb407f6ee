//! Whatever a reader watches, wherever it begins, however slow it is and whatever is dealt meanwhile: it
//! gets what a plain filter over the log gives, once and in order.

use super::*;
use crate::flipped::Flipped;
use crate::history::fixture::opened;
use domain::actor::Actor;
use domain::event::agent::{AgentStatusSet, Will, WillReason};
use domain::event::inquiry::{InquiryMoved, InquiryRequeued};
use domain::event::queue::QueueRetired;
use domain::ids::AuctionId;
use domain::terms::AuctionFormat;
use domain::time::Timestamp;
use std::time::{Duration, Instant};
use store::memory::MemoryStore;
use store::recorded::{CommandId, Facts};

const LOG: &str = "main";

/// A log on the memory store and the feeds over it. Inquiry n stands in queue n % 3.
struct House {
    store: Arc<MemoryStore>,
    feeds: Arc<Feeds>,
    log: LogName,
    written: Vec<Arc<Recorded>>,
}

impl House {
    fn new() -> House {
        House::with(Arc::new(|_, _| Vec::new()))
    }

    fn with(outsiders: Outsiders) -> House {
        let store = Arc::new(MemoryStore::default());
        let queues: QueuesOf = Arc::new(|inquiry| Ok(vec![QueueId(inquiry.0 % 3)]));
        let feeds = Feeds::start(store.clone(), queues, outsiders).unwrap();
        House { store, feeds, log: LOG.parse().unwrap(), written: Vec::new() }
    }

    /// Appends a batch, and hands it over as a writer does.
    fn write(&mut self, events: Vec<Event>) {
        let head = self.written.last().map(|event| event.raw.head());
        let mut last = head;
        let mut batch = Vec::new();
        for event in events {
            let facts = Facts {
                actor: Actor::System,
                key: None,
                correlation: CommandId(0),
                causation: None,
                source: None,
                trace: None,
                time: Timestamp(0),
                salt: [0; 16],
            };
            let sealed = Recorded::seal(&self.log, Head::next(last), &Head::link(last), event, facts);
            last = Some(sealed.raw.head());
            batch.push(Arc::new(sealed));
        }
        let raw: Vec<_> = batch.iter().map(|event| event.raw.clone()).collect();
        self.store.append(&self.log, head, &raw).unwrap();
        self.feeds.publish(&batch);
        self.written.extend(batch);
    }

    fn expected(&self, watched: &[Watched], after: Option<Seq>) -> Vec<Seq> {
        let fits = |event: &&Arc<Recorded>| {
            let queues: Vec<QueueId> = inquiry_of(&event.subjects).iter().map(|id| QueueId(id.0 % 3)).collect();
            concerns(event, &queues).any(|one| watched.contains(&one))
        };
        let past = |event: &&Arc<Recorded>| after.is_none_or(|after| event.seq > after);
        self.written.iter().filter(past).filter(fits).map(|event| event.seq).collect()
    }
}

fn status(agent: u128) -> Event {
    AgentStatusSet { agent: AgentId(agent), note: None, reason: WillReason::Asked, will: Will::Break }.into()
}
fn requeued(inquiry: u128) -> Event {
    InquiryRequeued { expires_at: Timestamp(0), inquiry: InquiryId(inquiry) }.into()
}
fn retired(queue: u128) -> Event {
    QueueRetired { last: None, queue: QueueId(queue) }.into()
}

/// Reads until `count` events came, or nothing comes for a while.
fn drain(reader: &mut Reader, count: usize) -> Vec<Seq> {
    let mut got = Vec::new();
    let patience = Instant::now() + Duration::from_secs(20);
    while got.len() < count && Instant::now() < patience {
        match reader.step().unwrap() {
            Step::Event(event) => got.push(event.seq),
            Step::Read => reader.read_on().unwrap(),
            Step::Wait => std::thread::yield_now(),
        }
    }
    got
}

/// Knuth's multiplier: enough to shuffle with.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A reader, what it watches, where it began after, and what it got.
type Trial = (Reader, Vec<Watched>, Option<Seq>, Vec<Seq>);

#[test]
fn every_reader_gets_what_concerns_it_once_and_in_order() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let mut house = House::new();
        let mut readers: Vec<Trial> = Vec::new();
        for _ in 0..dice.roll(120) + 20 {
            match dice.roll(6) {
                0 => {
                    let all = [
                        Watched::Agent(AgentId(dice.roll(4).into())),
                        Watched::Agents,
                        Watched::Queue(QueueId(dice.roll(3).into())),
                        Watched::Inquiry(InquiryId(dice.roll(6).into())),
                    ];
                    let watched: Vec<Watched> = all.into_iter().filter(|_| dice.roll(2) == 0).collect();
                    let last = house.written.last();
                    let after = match dice.roll(3) {
                        0 => house.written.get(dice.roll(1 + house.written.len() as u64) as usize),
                        _ => last,
                    };
                    let mark = after.map(|event| Mark::from(event.raw.head()));
                    let reader = house.feeds.follow(&house.log, watched.clone(), mark).unwrap();
                    // Without a mark it begins wherever the dealing has come to.
                    let from = mark.map(|mark| mark.seq).or(reader.at.map(|head| head.seq));
                    readers.push((reader, watched, from, Vec::new()));
                }
                1 if !readers.is_empty() => {
                    let at = dice.roll(readers.len() as u64) as usize;
                    if dice.roll(4) == 0 {
                        readers.swap_remove(at);
                    } else {
                        let (reader, _, _, got) = &mut readers[at];
                        match reader.step().unwrap() {
                            Step::Event(event) => got.push(event.seq),
                            Step::Read => reader.read_on().unwrap(),
                            Step::Wait => {}
                        }
                    }
                }
                _ => {
                    // Now and then more than an inbox holds.
                    let many = if dice.roll(20) == 0 { 3 * INBOX as u64 } else { dice.roll(9) + 1 };
                    let event = |dice: &mut Dice| match dice.roll(3) {
                        0 => status(dice.roll(4).into()),
                        1 => requeued(dice.roll(6).into()),
                        _ => retired(dice.roll(3).into()),
                    };
                    let events = (0..many).map(|_| event(&mut dice)).collect();
                    house.write(events);
                }
            }
        }
        for (reader, watched, after, got) in &mut readers {
            let expected = house.expected(watched, *after);
            got.extend(drain(reader, expected.len() - got.len()));
            assert_eq!(*got, expected, "seed {seed}, watching {watched:?} after {after:?}");
        }
        drop(readers);
        assert_eq!(house.feeds.readers(), 0);
        assert!(lock(&house.feeds.logs).values().all(|log| log.inboxes.is_empty()), "nothing is left behind");
    }
}

#[test]
fn a_mark_of_another_history_is_refused() {
    let mut house = House::new();
    house.write(vec![status(1), status(2)]);
    let head = house.written[1].raw.head();
    let follow = |mark| house.feeds.follow(&house.log, vec![Watched::Agents], Some(mark)).map(|_| ());
    assert!(follow(Mark::from(head)).is_ok());
    let other = Mark { hash: [0; 8], ..Mark::from(head) };
    assert!(matches!(follow(other), Err(FeedError::Forked)));
    let beyond = Mark { seq: 9, ..Mark::from(head) };
    assert!(matches!(follow(beyond), Err(FeedError::Forked)));
    assert_eq!(house.feeds.readers(), 0);
}

#[test]
fn a_fork_ends_the_readers_of_its_log_and_lets_none_begin() {
    let mut house = House::new();
    house.write(vec![status(1)]);
    let mut reader = house.feeds.follow(&house.log, vec![Watched::Agents], None).unwrap();
    house.feeds.end(&house.log);
    assert!(matches!(reader.step(), Err(FeedError::Forked)));
    assert!(matches!(house.feeds.follow(&house.log, vec![Watched::Agents], None), Err(FeedError::Forked)));
    let other: LogName = "other".parse().unwrap();
    assert!(house.feeds.follow(&other, vec![Watched::Agents], None).is_ok());
}

#[test]
fn an_inbox_that_is_full_costs_no_more() {
    let mut house = House::new();
    let mut reader = house.feeds.follow(&house.log, vec![Watched::Agents], None).unwrap();
    for _ in 0..8 {
        house.write((0..INBOX).map(|_| status(1)).collect());
    }
    let expected = house.expected(&[Watched::Agents], None);
    while lock(&reader.inbox.content).state == State::Open {
        std::thread::yield_now();
    }
    assert!(lock(&reader.inbox.content).events.len() <= INBOX);
    assert_eq!(drain(&mut reader, expected.len()), expected);
}

/// What a reader gives until it ends, and why it ends.
fn until_end(reader: &mut Reader) -> (Vec<Seq>, FeedError) {
    let mut got = Vec::new();
    loop {
        match reader.step() {
            Ok(Step::Event(event)) => got.push(event.seq),
            Ok(Step::Read) => {
                if let Err(error) = reader.read_on() {
                    return (got, error);
                }
            }
            Ok(Step::Wait) => panic!("it has given {got:?} and waits"),
            Err(error) => return (got, error),
        }
    }
}

#[test]
fn a_byte_that_was_changed_ends_the_feed_before_its_event() {
    const DAMAGED: Seq = PAGE as Seq + 40;
    let mut house = House::new();
    house.write((0..2 * PAGE as u128).map(status).collect());
    let marks: Vec<Mark> = house.written.iter().map(|event| Mark::from(event.raw.head())).collect();
    let store = Flipped { inner: (*house.store).clone(), log: house.log.clone(), seq: DAMAGED };
    let feeds = Feeds::start(Arc::new(store), Arc::new(|_| Ok(Vec::new())), Arc::new(|_, _| Vec::new())).unwrap();
    feeds.begin_after(&house.log, house.written.last().unwrap().raw.head());
    // From the start, from the page before, from the event right before; and from the event itself on, whose link is
    // not asked for.
    for after in [None, Some(10), Some(DAMAGED - 1)] {
        let mut reader = match after {
            None => feeds.follow_from_start(&house.log, vec![Watched::Agents]).unwrap(),
            Some(seq) => feeds.follow(&house.log, vec![Watched::Agents], Some(marks[seq as usize])).unwrap(),
        };
        let (got, error) = until_end(&mut reader);
        let broken = ChainError::Broken { seq: DAMAGED };
        assert!(matches!(error, FeedError::Chain { source, .. } if source == broken), "{error:?}");
        assert!(got.iter().all(|seq| *seq < DAMAGED), "after {after:?}: {got:?}");
    }
    let mut reader = feeds.follow(&house.log, vec![Watched::Agents], Some(marks[DAMAGED as usize])).unwrap();
    assert_eq!(drain(&mut reader, 2 * PAGE - 1 - DAMAGED as usize).first(), Some(&(DAMAGED + 1)));
}

#[test]
fn what_was_read_must_be_what_the_dealing_goes_on_from() {
    let mut house = House::new();
    house.write(vec![status(1), status(2)]);
    let other = Head { hash: [9; 32], ..house.written[1].raw.head() };
    let feeds = Feeds::start(house.store.clone(), Arc::new(|_| Ok(Vec::new())), Arc::new(|_, _| Vec::new())).unwrap();
    feeds.begin_after(&house.log, other);
    let mut reader = feeds.follow_from_start(&house.log, vec![Watched::Agents]).unwrap();
    assert!(matches!(reader.read_on(), Err(FeedError::Forked)));
}

#[test]
fn an_opening_wakes_the_agents_that_could_bid_and_stands_in_the_log_for_all() {
    let even: Outsiders =
        Arc::new(|_, agents| agents.iter().filter(|agent| agent.0.is_multiple_of(2)).copied().collect());
    let mut house = House::with(even);
    let watch = |house: &House, agent, after: Option<Mark>| {
        house.feeds.follow(&house.log, vec![Watched::Agent(AgentId(agent))], after).unwrap()
    };
    house.write(vec![status(1)]);
    let start = Mark::from(house.written[0].raw.head());
    let (mut odd, mut even) = (watch(&house, 1, Some(start)), watch(&house, 2, Some(start)));
    house.write(vec![opened(AuctionId(1), InquiryId(1), AuctionFormat::Open).into(), status(1), status(2)]);
    assert_eq!(drain(&mut odd, 2), [1, 2]);
    assert_eq!(drain(&mut even, 1), [3]);
    // Who reads it from the log decides for itself.
    assert_eq!(drain(&mut watch(&house, 2, Some(start)), 2), [1, 3]);
}

/// It read of an inquiry before that was moved, heard of the move at its inbox, and fell behind after that.
#[test]
fn who_reads_again_knows_where_an_inquiry_was_moved_meanwhile() {
    let store = Arc::new(MemoryStore::default());
    let stands_in = Arc::new(Mutex::new(vec![QueueId(1)]));
    let queues = stands_in.clone();
    let queues_of: QueuesOf = Arc::new(move |_| Ok(lock(&queues).clone()));
    let (feeds, dealer) = Feeds::by_hand(store.clone(), queues_of, Arc::new(|_, _| Vec::new()), INBOX);
    let mut house = House { store, feeds, log: LOG.parse().unwrap(), written: Vec::new() };
    house.write(vec![requeued(7), retired(2)]);
    while dealer.deal(&house.feeds) {}
    let mut reader = house.feeds.follow_from_start(&house.log, vec![Watched::Queue(QueueId(2))]).unwrap();
    assert_eq!(drain(&mut reader, 1), [1], "what is about the queue itself");
    *lock(&stands_in) = vec![QueueId(1), QueueId(2)];
    let (inquiry, from, into) = (InquiryId(7), QueueId(1), QueueId(2));
    let moved = InquiryMoved { already: false, away: false, desired_skills: vec![], from, inquiry, into };
    house.write(vec![moved.into()]);
    assert!(dealer.deal(&house.feeds));
    assert_eq!(drain(&mut reader, 1), [2]);
    let many = 2 * INBOX as Seq;
    for _ in 0..many {
        house.write(vec![requeued(7)]);
    }
    while dealer.deal(&house.feeds) {}
    assert_eq!(drain(&mut reader, many as usize), (3..3 + many).collect::<Vec<_>>());
}

/// A reader of one agent, and many events that are not its own, dealt or not.
#[test]
fn a_quiet_reader_that_kept_up_has_nothing_to_read_again_and_is_not_lost() {
    let store = Arc::new(MemoryStore::default());
    let (feeds, dealer) = Feeds::by_hand(
        store.clone(),
        Arc::new(|inquiry| Ok(vec![QueueId(inquiry.0 % 3)])),
        Arc::new(|_, _| Vec::new()),
        INBOX,
    );
    let mut house = House { store, feeds, log: LOG.parse().unwrap(), written: Vec::new() };
    house.feeds.lose_from(500);
    house.write(vec![status(1)]);
    while dealer.deal(&house.feeds) {}
    let mark = Mark::from(house.written[0].raw.head());
    let mut reader = house.feeds.follow(&house.log, vec![Watched::Agent(AgentId(1))], Some(mark)).unwrap();
    for _ in 0..1_000 {
        house.write(vec![status(2)]);
        assert!(dealer.deal(&house.feeds));
    }
    assert!(matches!(reader.step().unwrap(), Step::Wait), "it has heard of all that concerns it: nothing");
    // The dealing does not keep up: the last batch is left out, and everybody reads on in the log.
    for _ in 0..BATCHES + 1 {
        house.write(vec![status(2)]);
    }
    let missed = house.written.last().unwrap().seq;
    house.write(vec![status(1)]);
    assert!(matches!(reader.step().unwrap(), Step::Read));
    assert_eq!(reader.next(), 1_001, "from where the dealing had come to");
    // More than five hundred behind, and rightly told so.
    assert!(reader.is_lost());
    house.feeds.lose_from(5_000);
    assert!(!reader.is_lost());
    while dealer.deal(&house.feeds) {}
    assert_eq!(drain(&mut reader, 1), [missed + 1]);
}
