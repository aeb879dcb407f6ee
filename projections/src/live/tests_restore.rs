//! Views from snapshots: whatever was snapshot when, a start comes to what a fold from zero comes to.

use super::testing::*;
use super::tests::assert_same;
use super::*;
use crate::flipped::Flipped;
use domain::event::auction::Standing;
use domain::event::community::OfferAccepted;
use domain::event::inquiry::{InquiryEvent, InquiryWithdrawn};
use domain::event::wallet::Party;
use domain::ids::InquiryId;
use domain::terms::{AuctionFormat, Direction};
use proptest::prelude::*;
use std::path::PathBuf;
use store::folder::DataFolder;
use store::memory::MemoryStore;
use store::snapshot::{Snapshot, Snapshots};
use store::writer::folded::Folded;

/// A data folder that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Scratch(std::env::temp_dir().join(format!("live-test-{}-{number}", std::process::id())))
    }
    fn snapshots(&self) -> Snapshots {
        Snapshots::of(&DataFolder::open(&self.0).unwrap(), BUILD)
    }
}
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `community` and the call servers `main` and `north`, with inquiries at every stage.
struct Town {
    community: Pen,
    servers: [Pen; 2],
    logs: [Vec<Arc<Recorded>>; 3],
    /// Of each call server: what was accepted and is not registered yet, and what comes next of each inquiry.
    accepted: [Vec<(u128, Seq)>; 2],
    under_way: [Vec<Vec<Event>>; 2],
    inquiries: u128,
    seconds: i64,
}

const NAMES: [&str; 2] = ["main", "north"];

impl Town {
    fn new() -> Town {
        let mut town = Town {
            community: Pen::new("community"),
            servers: NAMES.map(Pen::new),
            logs: Default::default(),
            accepted: Default::default(),
            under_way: Default::default(),
            inquiries: 0,
            seconds: 1,
        };
        town.community(call_server(1, "main"));
        town.community(call_server(2, "north"));
        town.community(published());
        for at in 0..2 {
            for event in [
                queue(1, "cards"),
                agent(ANN, 9),
                agent(BEN, 9),
                wallet(1, Party::Agent(ANN), None),
                wallet(2, Party::Agent(BEN), None),
            ] {
                town.server(at, event);
            }
        }
        town
    }

    fn community(&mut self, event: Event) -> Seq {
        self.seconds += 1;
        self.logs[2].extend(self.community.at(self.seconds, [event]));
        self.logs[2].len() as Seq - 1
    }
    fn server(&mut self, at: usize, event: Event) {
        self.seconds += 1;
        self.logs[at].extend(self.servers[at].at(self.seconds, [event]));
    }

    fn accept(&mut self, at: usize) {
        self.inquiries += 1;
        let Event::Offer(OfferEvent::Accepted(e)) = accepted(self.inquiries) else { panic!("it is an acceptance") };
        let seq = self.community(OfferAccepted { call_server: NAMES[at].parse().unwrap(), ..*e }.into());
        self.accepted[at].push((self.inquiries, seq));
    }

    /// Registers the oldest acceptance, or takes an inquiry a step on.
    fn step(&mut self, at: usize, pick: usize) {
        let open = self.under_way[at].len();
        if pick % (open + 1) == open && !self.accepted[at].is_empty() {
            let (inquiry, seq) = self.accepted[at].remove(0);
            let mut event = registered(inquiry, self.seconds, &[1]);
            if let Event::Inquiry(InquiryEvent::Registered(e)) = &mut event {
                e.source.seq = seq;
            }
            self.server(at, event);
            let mut life = life(inquiry, pick);
            life.reverse();
            self.under_way[at].push(life);
        } else if open > 0 {
            let life = &mut self.under_way[at][pick % open];
            let event = life.pop();
            if life.is_empty() {
                self.under_way[at].remove(pick % open);
            }
            if let Some(event) = event {
                self.server(at, event);
            }
        }
    }

    fn store(&self) -> MemoryStore {
        let store = MemoryStore::new();
        for log in &self.logs {
            let raw: Vec<_> = log.iter().map(|event| event.raw.clone()).collect();
            store.append(&log[0].log, None, &raw).unwrap();
        }
        store
    }
}

/// What becomes of an inquiry after its registration.
fn life(n: u128, kind: usize) -> Vec<Event> {
    match kind % 3 {
        0 => vec![InquiryWithdrawn { freed: None, inquiry: InquiryId(n), place_kept_until: None, reason: None }.into()],
        1 => vec![reserved(n, n, ANN, 1, 1_000_000), lapsed(n, n, ANN, None)],
        _ => vec![
            opened(n, rules(Direction::Forward, AuctionFormat::Open)),
            bid(n, n, ANN, "10", Standing::Leads, Some("10"), None),
            bid(n, n + 1_000_000, BEN, "12", Standing::Leads, Some("12"), None),
            outbid(n, n, ANN),
            awarded(n, n + 1_000_000, BEN, "12"),
            reserved(n, n, BEN, 1, 1_000_000),
            consented(n, n, BEN),
            session(n, BEN),
            escrowed(n, n + 1_000_000, Party::Agent(BEN), Party::Provider(PROVIDER), "12"),
            ended(n, BEN, None),
            wrapped_up(n, BEN),
            completed(n),
        ],
    }
}

/// A snapshot of the log's first `length` events, or of none; by way of another one at `by_way`.
fn snapshot_of(log: &[Arc<Recorded>], length: usize, by_way: usize, store: &MemoryStore) -> Option<Snapshot> {
    let make = |by_way: &[usize]| {
        let mut fold = LogFold::new(&log[0].log);
        let mut from = 0;
        for to in by_way.iter().copied().chain([length]) {
            for page in log[from..to].chunks(7) {
                fold.fold(page).unwrap();
            }
            from = to;
            fold.complete(store).unwrap();
            let snapshot = fold.snapshot()?;
            let restored = LogFold::restore(&snapshot).unwrap();
            assert_eq!(fold.difference(&restored), None, "a snapshot gives back what was put in");
            fold = restored;
        }
        fold.snapshot()
    };
    let direct = make(&[]);
    if by_way < length && by_way > 0 {
        assert_eq!(direct, make(&[by_way]), "equal folds are written as equal bytes");
    }
    direct
}

/// As a node starts: call servers first, then `community`.
fn started(snapshots: &[Option<Snapshot>; 3], logs: [&[Arc<Recorded>]; 3], store: &MemoryStore) -> Live {
    let live = Live::new();
    for (snapshot, log) in snapshots.iter().zip(logs) {
        let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.head.seq as usize + 1);
        if let Some(snapshot) = snapshot {
            live.restore(snapshot).unwrap();
        }
        if log.first().is_some_and(|event| event.log.is_reserved()) {
            live.fill(store).unwrap();
        }
        for page in log.get(from..).unwrap_or_default().chunks(5) {
            live.apply(page).unwrap();
        }
    }
    live
}

fn from_zero(logs: [&[Arc<Recorded>]; 3], store: &MemoryStore) -> Live {
    started(&[None, None, None], logs, store)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_start_from_any_snapshots_is_a_start_from_zero(
        deeds in proptest::collection::vec((0usize..3, 0usize..2, 0usize..1_000), 0..160),
        ends in proptest::array::uniform3(0.0..=1.0f64),
        cuts in proptest::array::uniform3(0.0..=1.0f64),
        ways in proptest::array::uniform3(0.0..=1.0f64),
    ) {
        let mut town = Town::new();
        for (kind, at, pick) in deeds {
            match kind {
                0 => town.accept(at),
                _ => town.step(at, pick),
            }
        }
        let store = town.store();
        let at = |share: f64, length: usize| (share * length as f64).round() as usize;
        let logs = [&town.logs[0][..], &town.logs[1][..], &town.logs[2][..]];
        let snapshots = [0, 1, 2].map(|log| {
            let cut = at(cuts[log], logs[log].len());
            snapshot_of(logs[log], cut, at(ways[log], cut), &store)
        });
        assert_same(&started(&snapshots, logs, &store), &from_zero(logs, &store));

        // The same of past positions, which may be such as never were at once.
        let scratch = Scratch::new();
        let kept = scratch.snapshots();
        for snapshot in snapshots.iter().flatten() {
            kept.write(snapshot).unwrap();
        }
        let past = [0, 1, 2].map(|log| &logs[log][..at(ends[log], logs[log].len()).max(1)]);
        let heads: BTreeMap<LogName, Seq> =
            past.iter().map(|log| (log[0].log.clone(), log.len() as Seq - 1)).collect();
        assert_same(&Live::as_of(&kept, &store, &heads).unwrap(), &from_zero(past, &store));

        // What a call server alone says is the same too, wherever it comes from.
        let main = [(past[0][0].log.clone(), past[0].len() as Seq - 1)].into();
        let none = Snapshots::none();
        assert_same(&Live::as_of(&kept, &store, &main).unwrap(), &Live::as_of(&none, &store, &main).unwrap());
    }
}

#[test]
fn the_past_is_not_folded_from_what_was_changed() {
    let mut town = Town::new();
    town.accept(0);
    town.accept(0);
    let store = town.store();
    let log = town.logs[0][0].log.clone();
    let last = town.logs[0].len() as Seq - 1;
    assert!(last > 2);
    for seq in 0..=last {
        let flipped = Flipped { inner: store.clone(), log: log.clone(), seq };
        let folded = Live::as_of(&Snapshots::none(), &flipped, &[(log.clone(), last)].into());
        let error = folded.map(|_| ()).unwrap_err();
        let broken = ChainError::Broken { seq };
        assert!(matches!(error, RefoldError::Chain { source, .. } if source == broken), "{seq}: {error:?}");
        if seq > 0 {
            assert!(Live::as_of(&Snapshots::none(), &flipped, &[(log.clone(), seq - 1)].into()).is_ok());
        }
    }
}

#[test]
fn what_closed_long_ago_stays_away_wherever_the_snapshots_stand() {
    let mut town = Town::new();
    for _ in 0..CLOSED_MAX + 40 {
        town.accept(0);
        while !town.accepted[0].is_empty() {
            town.step(0, town.under_way[0].len());
        }
        // Some never close.
        if !town.inquiries.is_multiple_of(50) {
            while !town.under_way[0].is_empty() {
                town.step(0, 0);
            }
        }
        town.under_way[0].clear();
    }
    town.accept(0);
    let store = town.store();
    let logs = [&town.logs[0][..], &town.logs[1][..], &town.logs[2][..]];
    let whole = from_zero(logs, &store);
    for (main, community) in [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.3, 0.9), (0.9, 0.3), (0.0, 1.0), (1.0, 0.0)] {
        let cut = |log: usize, share: f64| {
            let length = (share * logs[log].len() as f64) as usize;
            snapshot_of(logs[log], length, length / 2, &store)
        };
        let snapshots = [cut(0, main), None, cut(2, community)];
        assert_same(&started(&snapshots, logs, &store), &whole);
    }
}

#[test]
fn a_snapshot_that_says_nonsense_is_damaged() {
    let writer = Folded::default().save();
    let head = Head { seq: 0, hash: [0; 32] };
    for log in ["main", "community"] {
        let snapshot = Snapshot { log: log.parse().unwrap(), head, writer: writer.clone(), view: vec![0xC1] };
        assert!(LogFold::restore(&snapshot).is_err());
        assert!(Live::new().restore(&snapshot).is_err());
    }
}
