use super::file::pragma;
use super::*;
use crate::conformance::{self, events};
use crate::folder::Scratch;

/// A store and the folder that it stands in, which lasts as long.
fn store() -> (SqliteStore, Scratch) {
    let scratch = Scratch::new();
    (open(&scratch), scratch)
}
fn open(scratch: &Scratch) -> SqliteStore {
    SqliteStore::open(&DataFolder::open(&scratch.0).unwrap()).unwrap()
}
fn log() -> LogName {
    "bank".parse().unwrap()
}
fn head(batch: &[RawEvent]) -> Option<Head> {
    batch.last().map(RawEvent::head)
}

#[test]
fn conforms() {
    let scratch = Scratch::new();
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        let folder = DataFolder::open(scratch.0.join(count.get().to_string())).unwrap();
        Arc::new(SqliteStore::open(&folder).unwrap())
    });
}

#[test]
fn conforms_when_opened_again() {
    let scratch = Scratch::new();
    conformance::reopen(&|| Arc::new(open(&scratch)));
}

#[test]
fn a_reader_works_beside_a_writer() {
    let (store, scratch) = store();
    let beside = SqliteStore::open(&DataFolder::open_shared(&scratch.0).unwrap()).unwrap();
    assert_eq!(beside.logs().unwrap(), []);
    let batch = events(None, &["a", "b"]);
    store.append(&log(), None, &batch).unwrap();
    assert_eq!(beside.logs().unwrap(), [log()]);
    assert_eq!(beside.read(&log(), 0, 9).unwrap(), batch);
    let next = events(head(&batch), &["c"]);
    let denied = beside.append(&log(), head(&batch), &next);
    assert!(matches!(denied, Err(AppendError::Refused(Refused::Denied(_)))), "{denied:?}");
    store.append(&log(), head(&batch), &next).unwrap();
    assert_eq!(beside.head(&log()).unwrap(), head(&next));
    drop(store);
    assert_eq!(beside.read(&log(), 1, 9).unwrap(), [&batch[1..], &next].concat(), "and without one");
}

#[test]
fn nobody_changes_an_event() {
    let (store, scratch) = store();
    store.append(&log(), None, &events(None, &["a"])).unwrap();
    let shell = Connection::open(scratch.0.join("logs/bank.sqlite")).unwrap();
    for sql in ["UPDATE event SET data = ''", "DELETE FROM event"] {
        let refused = shell.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

/// A sender may be told to make room, and the same batch fits then.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let (store, _scratch) = store();
    let batch = events(None, &["a"]);
    store.append(&log(), None, &batch).unwrap();
    let file = store.file(&log()).unwrap();
    let limit_pages = |pages: u32| {
        let limit = format!("max_page_count = {pages}");
        let _: i64 = pragma(&file.writer().connection, &limit).unwrap();
    };
    limit_pages(5);
    let big = events(head(&batch), &["small", &"x".repeat(100_000)]);
    assert_eq!(store.append(&log(), head(&batch), &big), Err(Refused::Full.into()));
    assert_eq!(store.confirm(&log(), head(&batch)), Ok(()));
    assert_eq!(store.read(&log(), 0, 9).unwrap(), batch);
    limit_pages(1_000);
    assert_eq!(store.append(&log(), head(&batch), &big), Ok(()));
}

/// Whoever writes with a shell beside us is noticed, and nothing is lost or doubled.
#[test]
fn a_foreign_write_is_a_conflict() {
    let (store, scratch) = store();
    let batch = events(None, &["a"]);
    store.append(&log(), None, &batch).unwrap();
    let shell = Connection::open(scratch.0.join("logs/bank.sqlite")).unwrap();
    let insert = "INSERT INTO event VALUES (1, '', '', zeroblob(16), zeroblob(32))";
    shell.execute(insert, []).unwrap();
    let next = events(head(&batch), &["b"]);
    for _ in 0..2 {
        assert_eq!(store.append(&log(), head(&batch), &next), Err(AppendError::Conflict));
    }
    assert_eq!(store.head(&log()).unwrap(), Some(Head { seq: 1, hash: [0; 32] }));
}

#[test]
fn after_a_break_nothing_is_written() {
    let (store, scratch) = store();
    let batch = events(None, &["a"]);
    store.append(&log(), None, &batch).unwrap();
    let shell = Connection::open(scratch.0.join("logs/bank.sqlite")).unwrap();
    shell.execute_batch("ALTER TABLE event RENAME TO elsewhere").unwrap();
    let next = events(head(&batch), &["b"]);
    assert!(matches!(store.append(&log(), head(&batch), &next), Err(AppendError::Broken(_))));
    shell.execute_batch("ALTER TABLE elsewhere RENAME TO event").unwrap();
    assert!(matches!(store.append(&log(), head(&batch), &next), Err(AppendError::Broken(_))));
    assert!(matches!(store.confirm(&log(), head(&batch)), Err(AppendError::Broken(_))));
    drop((store, shell));
    assert_eq!(open(&scratch).append(&log(), head(&batch), &next), Ok(()), "a new start goes on");
}

#[test]
fn errors_mean_what_the_writer_must_do() {
    let meaning = |code| classify(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    assert_eq!(meaning(ffi::SQLITE_FULL), Refused::Full.into());
    assert_eq!(meaning(ffi::SQLITE_CONSTRAINT_PRIMARYKEY), AppendError::Conflict);
    for code in [ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY_DIRECTORY] {
        assert!(matches!(meaning(code), AppendError::Refused(Refused::Denied(_))), "{code}");
    }
    for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_NOMEM] {
        assert!(matches!(meaning(code), AppendError::Unknown(_)), "{code}");
    }
    let breaking = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE];
    for code in breaking.into_iter().chain([ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_ERROR]) {
        assert!(matches!(meaning(code), AppendError::Broken(_)), "{code}");
    }
}

#[test]
fn a_gap_in_the_file_is_damage() {
    let (store, scratch) = store();
    store.append(&log(), None, &events(None, &["a", "b", "c"])).unwrap();
    let shell = Connection::open(scratch.0.join("logs/bank.sqlite")).unwrap();
    shell.execute_batch("DROP TRIGGER event_is_never_deleted; DELETE FROM event WHERE seq = 1").unwrap();
    assert!(matches!(store.read(&log(), 0, 9), Err(ReadError::Damaged { .. })));
    assert!(matches!(store.read_at(&log(), &[0, 1]), Err(ReadError::Missing { seq: 1, .. })));
}

#[test]
fn pages_move_into_the_file_as_the_log_grows() {
    let (store, scratch) = store();
    let big = "x".repeat(1 << 20);
    let mut expected = None;
    for _ in 0..160 {
        let batch = events(expected, &[&big]);
        store.append(&log(), expected, &batch).unwrap();
        expected = head(&batch);
    }
    let size = |name: &str| std::fs::metadata(scratch.0.join("logs").join(name)).unwrap().len();
    // However slow the disk was: what the writer waits for, and a batch.
    assert!(size("bank.sqlite-wal") < 72 << 20, "{}", size("bank.sqlite-wal"));
    assert!(size("bank.sqlite") > 80 << 20, "{}", size("bank.sqlite"));
}

/// Has the thread do its work to the end.
fn move_beside(file: &LogFile) {
    file.writer().mover.begin().unwrap();
    while !file.writer().mover.has_ended() {
        std::thread::yield_now();
    }
}

/// After a thread's run the next append moves what came since, and the one after it writes over what was moved.
fn the_next_but_one_starts_over(store: &SqliteStore, scratch: &Scratch, expected: Option<Head>) {
    let size = || std::fs::metadata(scratch.0.join("logs/bank.sqlite-wal")).unwrap().len();
    let next = events(expected, &[&"x".repeat(1 << 20)]);
    store.append(&log(), expected, &next).unwrap();
    assert!(!store.file(&log()).unwrap().writer().mover.is_running());
    let full = size();
    let last = events(head(&next), &[&"y".repeat(1 << 19)]);
    store.append(&log(), head(&next), &last).unwrap();
    assert_eq!(size(), full, "written from its beginning again");
    assert_eq!(store.head(&log()).unwrap(), head(&last));
}

/// The write-ahead log starts over only where nothing of it is left to move, and it is the writer that sees to that.
#[test]
fn after_a_run_beside_it_the_writer_moves_the_rest() {
    let (store, scratch) = store();
    let batch = events(None, &["a"]);
    store.append(&log(), None, &batch).unwrap();
    let file = store.file(&log()).unwrap();
    move_beside(&file);
    let looked = "PRAGMA wal_checkpoint(NOOP)";
    let pages = |row: &Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (held, moved) = file.writer().connection.query_row(looked, [], pages).unwrap();
    assert!(held > 0 && moved == held, "the thread moves all there was: {moved} of {held}");
    the_next_but_one_starts_over(&store, &scratch, head(&batch));
}

/// Out of descriptors, for one: the thread cannot open the file, and the writer's own connection still can move.
#[test]
fn where_the_thread_cannot_the_writer_moves_all() {
    let (store, scratch) = store();
    let batch = events(None, &["a"]);
    store.append(&log(), None, &batch).unwrap();
    let file = store.file(&log()).unwrap();
    file.writer().mover = Mover::new(scratch.0.join("nowhere").join("bank.sqlite"));
    move_beside(&file);
    the_next_but_one_starts_over(&store, &scratch, head(&batch));
}

/// `.cargo/config.toml` has reached this build. `HAVE_FDATASYNC`, which SQLite does not list, stands beside it.
#[test]
fn sqlite_is_built_as_the_tree_says() {
    let connection = Connection::open_in_memory().unwrap();
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()), "{options:?}");
}

#[test]
fn a_newer_file_is_refused_with_both_numbers() {
    let (store, scratch) = store();
    store.append(&log(), None, &events(None, &["a"])).unwrap();
    drop(store);
    let shell = Connection::open(scratch.0.join("logs/bank.sqlite")).unwrap();
    shell.execute_batch("PRAGMA user_version = 9").unwrap();
    let refused = SqliteStore::open(&DataFolder::open(&scratch.0).unwrap()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 9, known: 1, .. }), "{refused}");
}

/// Many more readers than connections: nobody is lost, and the writer is not kept waiting.
#[test]
fn readers_share_few_connections() {
    let (store, _scratch) = store();
    store.append(&log(), None, &events(None, &["a"])).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 * READERS {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(store.read(&log(), 0, 9).unwrap().len(), 1)));
        }
    });
    assert!(store.file(&log()).unwrap().readers.state.lock().unwrap().idle.len() <= READERS);
}
