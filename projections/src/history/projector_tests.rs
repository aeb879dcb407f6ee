//! The thread and the file: following, waiting, stopping, rebuilding, verifying.

use super::fixture::*;
use super::projector::{Projector, Status};
use super::rebuild::DifferenceKind;
use super::{History, HistoryError, Waited, lock};
use domain::log::LogName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::backend::EventStore;
use store::recorded::{KeyMark, Recorded};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the status is as wished.
fn until(projector: &Projector, wish: impl Fn(&Status) -> bool) -> Status {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = projector.status();
        if wish(&status) {
            return status;
        }
        assert!(Instant::now() < end, "{status:?}");
        projector.wake();
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn execute(history: &History, sql: &str) {
    lock(&history.files.read().unwrap().write).db.execute_batch(sql).unwrap();
}

/// A folder of this test alone, gone with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("history-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
    fn file(&self) -> std::path::PathBuf {
        self.0.join("history.sqlite")
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn the_projector_follows_every_log() {
    let mut logs = life();
    let history = Arc::new(History::open_in_memory().unwrap());
    let projector = Projector::start(history.clone(), Arc::new(logs.store.clone())).unwrap();
    let status = until(&projector, |status| status.logs.len() == 2 && status.logs.values().all(|log| log.lag == 0));
    assert!(status.is_well());
    let late = logs.add(&LogName::community(), 500, published(domain::ids::OfferId(3), PROVIDER));
    projector.wake();
    assert!(history.wait_for(&late.log, late.seq, PATIENCE));
    assert_eq!(history.verify(&logs.store).unwrap(), None);
    projector.stop();
}

#[test]
fn a_bad_event_stops_its_log_alone() {
    let mut logs = life();
    let bad = logs.add(&main_log(), 100, of_nobody(outbid(98, BEN)));
    let history = Arc::new(History::open_in_memory().unwrap());
    let projector = Projector::start(history.clone(), Arc::new(logs.store.clone())).unwrap();
    let status = until(&projector, |status| !status.is_well());
    let trouble = status.logs[&main_log()].trouble.clone().unwrap();
    assert!(trouble.stopped);
    assert_eq!((trouble.seq, trouble.subject), (Some(bad.seq), Some(AUCTION.into())));
    assert!(history.wait_for(&LogName::community(), 2, PATIENCE));
    assert!(history.wait_for(&main_log(), bad.seq - 1, PATIENCE));
}

#[test]
fn a_full_disk_is_waited_for() {
    let mut logs = life();
    for at in 200..600 {
        logs.add(&main_log(), at, published(domain::ids::OfferId(at as u128), PROVIDER));
    }
    let history = Arc::new(History::open_in_memory().unwrap());
    execute(&history, "PRAGMA max_page_count = 1"); // As many as it has now: the rows need more.
    let projector = Projector::start(history.clone(), Arc::new(logs.store.clone())).unwrap();
    let status = until(&projector, |status| !status.is_well());
    let trouble = status.logs.values().find_map(|log| log.trouble.clone()).unwrap();
    assert!(!trouble.stopped && trouble.what.contains("full"), "{trouble:?}");
    // Whoever waits for it is told at once, and not after its patience.
    let heads: Vec<_> =
        logs.recorded.iter().map(|(log, events)| (log.clone(), events.last().unwrap().raw.head())).collect();
    for _ in 0..2 {
        let begun = Instant::now();
        projector.wake();
        assert_eq!(history.wait_unless_full(&heads, PATIENCE), Waited::Full);
        assert!(begun.elapsed() < PATIENCE / 4);
    }
    execute(&history, "PRAGMA max_page_count = 100000");
    let status = until(&projector, |status| status.is_well() && status.logs.values().all(|log| log.lag == 0));
    assert_eq!(status.logs.len(), 2);
    assert_eq!(history.wait_unless_full(&heads, PATIENCE), Waited::There);
    // What is late for another reason is not full.
    let late = vec![(main_log(), store::raw::Head { seq: 1_000_000, hash: [0; 32] })];
    assert_eq!(history.wait_unless_full(&late, Duration::from_millis(1)), Waited::Late);
    assert_eq!(history.verify(&logs.store).unwrap(), None);
}

#[test]
fn a_rebuilt_file_takes_the_place_of_the_old_one() {
    let folder = Folder::new("rebuild");
    let mut logs = life();
    let history = Arc::new(History::open(&folder.file()).unwrap());
    let projector = Projector::start(history.clone(), Arc::new(logs.store.clone())).unwrap();
    assert!(history.wait_for(&main_log(), logs.recorded[&main_log()].len() as u64 - 1, PATIENCE));
    assert!(history.wait_for(&LogName::community(), 2, PATIENCE));
    assert_eq!(history.verify(&logs.store).unwrap(), None);

    execute(&history, "UPDATE auction SET state = 'OPEN'");
    let found = history.verify(&logs.store).unwrap().unwrap();
    assert_eq!((found.table, found.kind), ("auction", DifferenceKind::Column(4)));
    execute(&history, "DELETE FROM lookup");
    assert_eq!(history.verify(&logs.store).unwrap().unwrap().kind, DifferenceKind::Missing);
    execute(&history, "INSERT INTO lookup VALUES('a', 'b')");
    assert_eq!(history.verify(&logs.store).unwrap().unwrap().kind, DifferenceKind::Unfounded);

    let mut heard = 0;
    history.rebuild(&logs.store, |_, _, _| heard += 1).unwrap();
    assert_eq!(heard, 2);
    assert_eq!(history.verify(&logs.store).unwrap(), None);
    let late = logs.add(
        &main_log(),
        500,
        domain::event::inquiry::InquiryRequeued { expires_at: domain::time::Timestamp(900), inquiry: INQUIRY },
    );
    projector.wake();
    assert!(history.wait_for(&late.log, late.seq, PATIENCE), "{:?}", projector.status());
    projector.stop();
    drop(history);

    let reopened = History::open(&folder.file()).unwrap();
    assert_eq!(reopened.checkpoint(&main_log()).unwrap().head, logs.store.head(&main_log()).unwrap().unwrap());
    assert_eq!(reopened.verify(&logs.store).unwrap(), None);
}

fn shared(logs: &Logs, log: &LogName) -> Vec<Arc<Recorded>> {
    logs.recorded[log].iter().cloned().map(Arc::new).collect()
}

#[test]
fn what_is_handed_over_is_folded_and_the_log_has_the_rest() {
    let mut logs = life();
    let main = main_log();
    let history = Arc::new(History::open_in_memory().unwrap());
    let projector = Projector::start(history.clone(), Arc::new(logs.store.clone())).unwrap();
    let all = shared(&logs, &main);
    // A gap, a repetition, and an end that nobody hands over.
    for batch in [&all[..4], &all[6..8], &all[7..10]] {
        projector.publish(batch);
    }
    assert!(history.wait_for(&main, all.len() as u64 - 1, PATIENCE), "{:?}", projector.status());
    // Of another history: the log decides.
    let foreign = {
        let mut other = life();
        other.add(&main, 200, of_nobody(outbid(1, BEN)));
        shared(&other, &main)
    };
    let last = logs.add(&main, 201, outbid(1, BEN));
    projector.publish(&foreign[foreign.len() - 1..]);
    assert!(history.wait_for(&main, last.seq, PATIENCE), "{:?}", projector.status());
    assert!(history.wait_for(&LogName::community(), 2, PATIENCE));
    assert!(until(&projector, |status| status.logs.values().all(|log| log.lag == 0)).is_well());
    assert_eq!(history.verify(&logs.store).unwrap(), None);
}

#[test]
fn what_the_store_lost_is_not_folded_into_a_rebuilt_file() {
    let logs = life();
    let (main, history) = (main_log(), History::open_in_memory().unwrap());
    let (all, generation) = (shared(&logs, &main), history.generation());
    history.project_handed(&main, &all[..9], generation).unwrap();
    let store = logs.store.clone();
    store.drop_tail(&main, 4);
    let kept = all.len() - 4;
    history.rebuild(&store, |_, _, _| ()).unwrap();
    let lost = history.project_handed(&main, &all[kept..], generation);
    assert!(matches!(lost, Err(HistoryError::Overtaken { .. })), "{lost:?}");
    assert_eq!(history.checkpoint(&main).unwrap().head, all[kept - 1].raw.head());
}

#[test]
fn a_list_that_waits_does_not_wait_for_the_gathering() {
    let history = Arc::new(History::open_in_memory().unwrap());
    let begun = Instant::now();
    let gathering = std::thread::spawn({
        let history = history.clone();
        move || {
            history.bell.gather(begun + PATIENCE);
            begun.elapsed()
        }
    });
    let heads = [(main_log(), store::raw::Head { seq: 0, hash: [0; 32] })];
    let waiting = std::thread::spawn({
        let history = history.clone();
        move || history.wait_unless_full(&heads, PATIENCE)
    });
    assert!(gathering.join().unwrap() < PATIENCE);
    let logs = life();
    history.project(&main_log(), &logs.recorded[&main_log()][..1]).unwrap();
    assert_eq!(waiting.join().unwrap(), Waited::There);
}

#[test]
fn a_process_that_dies_between_slices_goes_on_where_the_rows_are() {
    let folder = Folder::new("dies");
    let mut logs = life();
    let main = main_log();
    let key = |hash: u128| Some(KeyMark { hash: hash << 64 | 7, fingerprint: 1, events: 1 });
    for at in 200..260 {
        logs.add_by(&main, at, outbid(1, BEN), domain::actor::Actor::Agent(ANN), key(at as u128));
    }
    let events = &logs.recorded[&main];
    let mut done = 0;
    while done < events.len() {
        // Nothing of it is closed: what is written is what a killed process leaves.
        let history = std::mem::ManuallyDrop::new(History::open(&folder.file()).unwrap());
        assert_eq!(history.checkpoint(&main).map_or(0, |known| known.head.seq as usize + 1), done);
        for chunk in events[done..].chunks(3).take(4) {
            history.project(&main, chunk).unwrap();
            done += chunk.len();
        }
        let found = |event: &Recorded| {
            let hash = event.key.unwrap().hash;
            history.find_folded_key(&logs.store, &main, hash, 0..=u64::MAX, event.time).unwrap().map(|key| key.seq)
        };
        for event in events[..done].iter().filter(|event| event.key.is_some()) {
            assert_eq!(found(event), Some(event.seq));
        }
        for event in events[done..].iter().filter(|event| event.key.is_some()) {
            assert_eq!(found(event), None);
        }
    }
    assert_eq!(History::open(&folder.file()).unwrap().verify(&logs.store).unwrap(), None);
}

#[test]
fn a_file_of_another_schema_is_refused_and_rebuilt() {
    let folder = Folder::new("schema");
    let logs = life();
    rusqlite::Connection::open(folder.file()).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    let refused = History::open(&folder.file()).err().unwrap();
    assert!(matches!(refused, HistoryError::Schema { found: 1, .. }), "{refused}");
    let history = History::open_to_rebuild(&folder.file()).unwrap();
    history.rebuild(&logs.store, |_, _, _| ()).unwrap();
    assert_eq!(history.checkpoint(&main_log()).unwrap().head, logs.store.head(&main_log()).unwrap().unwrap());
    assert_eq!(history.verify(&logs.store).unwrap(), None);
}
