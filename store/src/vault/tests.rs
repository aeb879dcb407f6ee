use super::*;
use crate::folder::Scratch;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn open(scratch: &Scratch) -> Vault {
    Vault::open(&DataFolder::open(&scratch.0).unwrap()).unwrap()
}

#[test]
fn a_subject_has_one_key_and_keeps_it() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    assert!(vault.existing("ann").unwrap().is_none());
    let key = vault.key_for("ann").unwrap();
    assert!(vault.key_for("ann").unwrap() == key && vault.key_for("ben").unwrap() != key);
    let secret = vault.secret("cursor").unwrap();
    assert_ne!(vault.secret("fingerprint").unwrap(), secret);
    drop(vault);
    let vault = open(&scratch);
    assert!(vault.existing("ann").unwrap().unwrap() == key);
    assert_eq!(vault.secret("cursor").unwrap(), secret);
    let mode = fs::metadata(scratch.0.join("keys/master")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_given_key_is_kept_and_takes_no_other_ones_place() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    let key = vault.give("ann", Key::of([7; 32])).unwrap();
    assert!(key == Key::of([7; 32]) && vault.give("ann", Key::of([8; 32])).unwrap() == key);
    let own = vault.key_for("ben").unwrap();
    assert!(vault.give("ben", Key::of([7; 32])).unwrap() == own);
    vault.erase("cid").unwrap();
    assert!(matches!(vault.give("cid", Key::of([7; 32])), Err(VaultError::Erased)));
    drop(vault);
    assert!(open(&scratch).existing("ann").unwrap().unwrap() == key);
}

#[test]
fn a_mark_leads_to_whom_it_led_first_until_that_one_is_erased() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    let (ann, ben) = ([1; 16], [2; 16]);
    assert_eq!(vault.led_to(ann).unwrap(), None);
    assert_eq!(&*vault.leads_to(ann, "cus_1").unwrap(), "cus_1");
    assert_eq!(&*vault.leads_to(ann, "cus_2").unwrap(), "cus_1", "the first one stays");
    assert_eq!(&*vault.leads_to(ben, "cus_3").unwrap(), "cus_3");
    // Together, as their requests are taken: one of them is the first.
    let vault = std::sync::Arc::new(vault);
    let ask = |n: u32| {
        let vault = vault.clone();
        std::thread::spawn(move || vault.leads_to([3; 16], &format!("cus_x{n}")).unwrap())
    };
    let asked: Vec<_> = (0..16).map(ask).collect();
    let told: HashSet<_> = asked.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    vault.erase("cus_1").unwrap();
    assert_eq!(vault.led_to(ann).unwrap(), None);
    let vault = std::sync::Arc::into_inner(vault).unwrap();
    drop(vault);
    let vault = open(&scratch);
    assert_eq!(vault.led_to(ben).unwrap().as_deref(), Some("cus_3"));
    assert_eq!(&*vault.leads_to(ann, "cus_4").unwrap(), "cus_4");
}

#[test]
fn erased_is_for_ever() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    let sealed = vault.key_for("ann").unwrap().seal(b"", b"Ann");
    vault.erase("ann").unwrap();
    vault.erase("ann").unwrap();
    vault.erase("never seen").unwrap();
    for vault in [vault, open_again(&scratch)] {
        for subject in ["ann", "never seen"] {
            assert!(vault.existing(subject).unwrap().is_none());
            assert!(matches!(vault.key_for(subject), Err(VaultError::Erased)));
        }
        assert_eq!(vault.key_for("ben").unwrap().open(b"", &sealed), Err(Unsealable));
    }
}
fn open_again(scratch: &Scratch) -> Vault {
    let copy = scratch.0.join("copy");
    fs::create_dir_all(copy.join("keys")).unwrap();
    for name in ["format", "vault.sqlite", "keys/master"] {
        fs::copy(scratch.0.join(name), copy.join(name)).unwrap();
    }
    Vault::open(&DataFolder::open(copy).unwrap()).unwrap()
}

#[test]
fn the_write_ahead_log_does_not_grow_with_every_customer() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    for n in 0..2_000u32 {
        vault.key_for(&format!("{:x}", n.wrapping_mul(0x9e37_79b1))).unwrap();
    }
    let size = fs::metadata(scratch.0.join("vault.sqlite-wal")).unwrap().len();
    // Two thousand commits of three pages would be 24 MiB.
    assert!(size < 8 << 20, "{size}");
}

/// Not even sealed: whoever finds the master key later finds nothing to open with it. Enough keys
/// that pages split, and others are made meanwhile.
#[test]
fn an_erased_key_leaves_no_trace_in_the_files() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    let subjects: Vec<String> = (0..1_000u32).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b1))).collect();
    let (erased, kept) = subjects.split_at(500);
    let make = |subject: &str| vault.key_for(subject).map(|_| ());
    for_each_at_once(erased, make);
    // The beginning of each sealed key: version, nonce, and some of the ciphertext.
    let sealed: HashSet<[u8; 33]> = {
        let shell = Connection::open(scratch.0.join("vault.sqlite")).unwrap();
        let mut select = shell.prepare("SELECT substr(sealed, 1, 33) FROM sealed_key").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let traces = || {
        let files = ["vault.sqlite", "vault.sqlite-wal"].map(|name| fs::read(scratch.0.join(name)).unwrap());
        files.concat().windows(33).filter(|window| sealed.contains(*window)).count()
    };
    assert!(traces() >= 500);
    std::thread::scope(|scope| {
        scope.spawn(|| for_each_at_once(kept, make));
        for_each_at_once(erased, |subject| vault.erase(subject));
    });
    assert_eq!(traces(), 0);
    assert!(kept.iter().all(|subject| vault.existing(subject).unwrap().is_some()));
}

/// A vault of the first shape opens with its keys; what was erased stays erased, and nothing of it stays behind.
#[test]
fn keys_of_the_first_shape_are_taken_over() {
    let scratch = Scratch::new();
    drop(open(&scratch));
    let path = scratch.0.join("vault.sqlite");
    let master = Key(fs::read(scratch.0.join("keys/master")).unwrap().try_into().unwrap());
    let sealed = |subject: &str, key: &Key| master.seal(&place("key", subject), &key.0);
    let keys: Vec<(String, Key)> = (0..200).map(|n| (format!("cus_{n}"), Key::random())).collect();
    let old = {
        let check: Vec<u8> = {
            let now = Connection::open(&path).unwrap();
            now.query_row("SELECT sealed FROM secret WHERE name = ?", [CHECK], |row| row.get(0)).unwrap()
        };
        for name in ["vault.sqlite", "vault.sqlite-wal", "vault.sqlite-shm"] {
            let _ = fs::remove_file(scratch.0.join(name));
        }
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&format!("{} PRAGMA user_version = 1;", MIGRATIONS[0])).unwrap();
        old.execute("INSERT INTO secret VALUES (?, ?)", params![CHECK, check]).unwrap();
        for (subject, key) in &keys {
            old.execute("INSERT INTO key VALUES (?, ?)", params![subject, sealed(subject, key)]).unwrap();
        }
        old.execute("INSERT INTO key VALUES ('gone', NULL)", []).unwrap();
        old
    };
    drop(old);
    let vault = open(&scratch);
    for (subject, key) in &keys {
        assert!(vault.existing(subject).unwrap().unwrap() == *key, "{subject}");
    }
    assert!(matches!(vault.key_for("gone"), Err(VaultError::Erased)));
    assert!(vault.key_for("new").is_ok());
    vault.erase(&keys[7].0).unwrap();
    assert!(vault.existing(&keys[7].0).unwrap().is_none());
    assert!(vault.existing(&keys[8].0).unwrap().unwrap() == keys[8].1);
}

fn for_each_at_once(subjects: &[String], ask: impl Fn(&str) -> Result<(), VaultError> + Sync) {
    std::thread::scope(|scope| {
        for part in subjects.chunks(50) {
            scope.spawn(|| part.iter().for_each(|subject| ask(subject).unwrap()));
        }
    });
}

#[test]
fn those_who_ask_together_share_a_commit() {
    let vault = Vault::in_memory().unwrap();
    let key = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| vault.key_for("ann").unwrap())).collect();
        let keys: Vec<Key> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
        keys[0].clone()
    });
    assert!(vault.existing("ann").unwrap().unwrap() == key);

    // The same without threads: all requests wait when the worker starts.
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&MIGRATIONS.concat()).unwrap();
    let mut worker = Worker::new(connection, Key::random(), None);
    let (requests, queue) = sync_channel(10);
    let mut answers = Vec::new();
    for number in 0..10 {
        let (reply, answer) = sync_channel(1);
        let subject = format!("subject {}", number / 2).into();
        let ask = if number == 9 { Ask::Erase { subject } } else { Ask::Key { subject, make: Make::Random } };
        requests.send(Request { ask, reply }).unwrap();
        answers.push(answer);
    }
    drop(requests);
    let before = worker.connection.total_changes();
    worker.run(&queue);
    assert!(answers.iter().all(|answer| answer.recv().unwrap().is_ok()));
    assert_eq!(worker.connection.total_changes() - before, 12, "five keys and one erasure, two rows each");
    assert!(lock(&worker.cache).get("subject 4").is_none(), "made and erased in one batch");
}

#[test]
fn a_shared_folder_is_only_read() {
    let scratch = Scratch::new();
    let vault = open(&scratch);
    let key = vault.key_for("ann").unwrap();
    let beside = Vault::open(&DataFolder::open_shared(&scratch.0).unwrap()).unwrap();
    assert!(beside.key_for("ann").unwrap() == key);
    assert!(beside.existing("ben").unwrap().is_none());
    assert!(matches!(beside.key_for("ben"), Err(VaultError::ReadOnly)));
    assert!(matches!(beside.erase("ann"), Err(VaultError::ReadOnly)));
    assert!(matches!(beside.secret("new"), Err(VaultError::ReadOnly)));
}

#[test]
fn the_wrong_master_key_is_noticed_at_once() {
    let scratch = Scratch::new();
    drop(open(&scratch));
    let master = scratch.0.join("keys/master");
    let refused = || Vault::open(&DataFolder::open(&scratch.0).unwrap()).err().unwrap();
    fs::write(&master, [7; 32]).unwrap();
    assert!(matches!(refused(), VaultOpenError::WrongMaster { .. }));
    fs::write(&master, [7; 31]).unwrap();
    assert!(matches!(refused(), VaultOpenError::BadMaster { .. }));
    fs::remove_file(&master).unwrap();
    assert!(matches!(refused(), VaultOpenError::NoMaster { .. }));
}

/// A new vault would open nothing of what the logs hold, and give erased people new keys.
#[test]
fn a_vault_that_is_gone_is_not_made_anew_beside_logs() {
    let scratch = Scratch::new();
    drop(open(&scratch));
    let file = scratch.0.join("vault.sqlite");
    fs::remove_file(&file).unwrap();
    drop(open(&scratch)); // A start that was cut short before anything was recorded.
    fs::write(scratch.0.join("logs/community.sqlite"), "").unwrap();
    drop(open(&scratch));
    fs::remove_file(&file).unwrap();
    for folder in [DataFolder::open(&scratch.0), DataFolder::open_shared(&scratch.0)] {
        let refused = Vault::open(&folder.unwrap()).err().unwrap();
        assert!(matches!(&refused, VaultOpenError::NoVault { path } if *path == file), "{refused}");
        assert!(!file.exists(), "nothing was made");
    }
}

#[test]
fn the_cache_forgets_the_oldest() {
    let mut cache = Cache::default();
    for number in 0..3 * GENERATION {
        cache.put(number.to_string().into(), Key::random());
        cache.get("0");
    }
    assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
    assert!(cache.get("0").is_some(), "in use all the time");
    assert!(cache.get("1").is_none());
}
