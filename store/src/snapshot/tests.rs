use super::*;
use crate::folder::Scratch;
use crate::memory::MemoryStore;
use crate::recorded::{CommandId, Facts, Recorded};
use domain::actor::Actor;
use domain::event::community::OfferRetired;
use domain::ids::OfferId;
use domain::time::Timestamp;
use std::fs;

/// A log of so many events; `salt` makes another history of it.
fn log_of(events: u64, salt: u8) -> (MemoryStore, Vec<Head>) {
    let store = MemoryStore::new();
    let log = LogName::community();
    let mut heads: Vec<Head> = Vec::new();
    for seq in 0..events {
        let facts = Facts {
            actor: Actor::System,
            key: None,
            correlation: CommandId(1),
            causation: None,
            source: None,
            trace: None,
            time: Timestamp(0),
            salt: [salt; 16],
        };
        let last = heads.last().copied();
        let event = OfferRetired { offer: OfferId(1) }.into();
        let sealed = Recorded::seal(&log, seq, &Head::link(last), event, facts);
        store.append(&log, last, std::slice::from_ref(&sealed.raw)).unwrap();
        heads.push(sealed.raw.head());
    }
    (store, heads)
}

fn snapshot(head: Head) -> Snapshot {
    Snapshot { log: LogName::community(), head, writer: vec![1, 2, 3], view: vec![4, 5] }
}

fn newest(snapshots: &Snapshots, store: &MemoryStore, at_most: Option<Seq>) -> Option<Seq> {
    let log = LogName::community();
    snapshots.nearest(store, &log, at_most, |snapshot| Ok(Some(snapshot.head.seq))).unwrap()
}

#[test]
fn the_nearest_at_or_before_is_found_and_what_cannot_be_used_is_passed_over() {
    let scratch = Scratch::new();
    let snapshots = Snapshots::of(&DataFolder::open(&scratch.0).unwrap(), "b1");
    let (store, heads) = log_of(10, 0);
    assert_eq!(newest(&snapshots, &store, None), None);
    for seq in [2, 5, 8] {
        snapshots.write(&snapshot(heads[seq])).unwrap();
    }
    assert_eq!(snapshots.positions(&LogName::community()), [2, 5, 8]);
    for (at_most, expected) in [(None, Some(8)), (Some(8), Some(8)), (Some(7), Some(5)), (Some(1), None)] {
        assert_eq!(newest(&snapshots, &store, at_most), expected, "{at_most:?}");
    }
    let found = snapshots.nearest(&store, &LogName::community(), None, |found| match found.head.seq {
        8 => Ok(None),
        _ => Ok(Some(found)),
    });
    assert_eq!(found.unwrap(), Some(snapshot(heads[5])));
    assert_eq!(newest(&snapshots, &store, None), Some(8), "what one has no use for is another's");
}

#[test]
fn any_byte_that_is_another_is_found() {
    let (_, heads) = log_of(1, 0);
    let bytes = snapshot(heads[0]).to_bytes("b1");
    assert_eq!(Snapshot::from_bytes(&bytes, "b1").unwrap(), snapshot(heads[0]));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(Snapshot::from_bytes(&damaged, "b1").is_err(), "byte {at}, bit {bit}");
        }
        assert!(Snapshot::from_bytes(&bytes[..at], "b1").is_err(), "cut at {at}");
    }
    assert!(Snapshot::from_bytes(&[&bytes[..], b"x"].concat(), "b1").is_err());
    assert!(Snapshot::from_bytes(&bytes, "b2").is_err(), "whatever its name says");
}

#[test]
fn a_damaged_or_torn_file_gives_way_to_the_next_older_one() {
    let scratch = Scratch::new();
    let data = DataFolder::open(&scratch.0).unwrap();
    let snapshots = Snapshots::of(&data, "b1");
    // As the next process finds them.
    let newest = |store| newest(&Snapshots::of(&data, "b1"), store, None);
    let (store, heads) = log_of(10, 0);
    for seq in [2, 5, 8] {
        snapshots.write(&snapshot(heads[seq])).unwrap();
    }
    let folder = scratch.0.join("snapshots/community");
    let file = |seq| folder.join(file_name(seq, "b1"));
    let whole = fs::read(file(8)).unwrap();
    fs::write(file(8), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(newest(&store), Some(5));
    fs::write(file(8), [&whole[..20], &[!whole[20]], &whole[21..]].concat()).unwrap();
    assert_eq!(newest(&store), Some(5));
    // One under another's name.
    fs::write(file(8), fs::read(file(2)).unwrap()).unwrap();
    assert_eq!(newest(&store), Some(5));
    // What was being written when the process died.
    let draft = folder.join("00000000000000000007-b1.new");
    fs::write(&draft, &whole[..10]).unwrap();
    fs::write(folder.join("notes.txt"), "").unwrap();
    assert_eq!(newest(&store), Some(5));
    snapshots.write(&snapshot(heads[9])).unwrap();
    assert!(!draft.exists() && folder.join("notes.txt").exists());
    assert_eq!(newest(&store), Some(9));
}

#[test]
fn another_build_is_passed_over_and_leaves_with_the_next_snapshot() {
    let scratch = Scratch::new();
    let folder = DataFolder::open(&scratch.0).unwrap();
    let (store, heads) = log_of(10, 0);
    let (old, new) = (Snapshots::of(&folder, "b1"), Snapshots::of(&folder, "b2"));
    old.write(&snapshot(heads[8])).unwrap();
    assert_eq!(newest(&new, &store, None), None);
    new.write(&snapshot(heads[5])).unwrap();
    assert_eq!((newest(&new, &store, None), newest(&old, &store, None)), (Some(5), None));
}

#[test]
fn a_lost_historys_snapshot_is_deleted_by_who_may_write_alone() {
    let scratch = Scratch::new();
    let folder = DataFolder::open(&scratch.0).unwrap();
    let snapshots = Snapshots::of(&folder, "b1");
    let (_, heads) = log_of(10, 0);
    // The log went back to two events, and on from there otherwise; one snapshot is past its end.
    let (store, _) = log_of(7, 1);
    for seq in [5, 8] {
        snapshots.write(&snapshot(heads[seq])).unwrap();
    }
    let reader = Snapshots::of(&DataFolder::open_shared(&scratch.0).unwrap(), "b1");
    assert_eq!(newest(&reader, &store, None), None);
    assert_eq!(reader.positions(&LogName::community()), [5, 8]);
    assert_eq!(newest(&snapshots, &store, None), None);
    assert!(snapshots.positions(&LogName::community()).is_empty());
}

#[test]
fn after_a_fork_what_still_stands_stays() {
    let scratch = Scratch::new();
    let snapshots = Snapshots::of(&DataFolder::open(&scratch.0).unwrap(), "b1");
    let (_, heads) = log_of(10, 0);
    for seq in [2, 5, 8] {
        snapshots.write(&snapshot(heads[seq])).unwrap();
    }
    let (shorter, _) = log_of(6, 0);
    snapshots.drop_lost(&shorter, &LogName::community()).unwrap();
    assert_eq!(snapshots.positions(&LogName::community()), [2, 5]);
}

#[test]
fn what_takes_too_much_room_is_thinned_and_gaps_double() {
    let scratch = Scratch::new();
    let all = Snapshots::of(&DataFolder::open(&scratch.0).unwrap(), "b1");
    let (_, heads) = log_of(200, 0);
    let size = snapshot(heads[0]).to_bytes("b1").len() as u64;
    // Positions of two digits and more take a byte more here and there.
    let snapshots = Snapshots { kept_bytes: 9 * (size + 8), ..all.clone() };
    for head in heads.iter().skip(9).step_by(10) {
        snapshots.write(&snapshot(*head)).unwrap();
    }
    let kept = snapshots.positions(&LogName::community());
    assert!((8..=9).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept[kept.len() - 3..], [179, 189, 199], "{kept:?}");
    let ages: Vec<u64> = kept.iter().map(|seq| 199 - seq).collect();
    for pair in ages.windows(2) {
        assert!(pair[0] <= 4 * pair[1].max(10), "a gap of more than its distance: {kept:?}");
    }
    let two = Snapshots { kept_bytes: 0, ..all };
    two.thin(&LogName::community());
    assert_eq!(two.positions(&LogName::community()), [189, 199]);
}

#[test]
fn what_was_found_damaged_is_not_read_again_until_it_is_written_anew() {
    let scratch = Scratch::new();
    let snapshots = Snapshots::of(&DataFolder::open(&scratch.0).unwrap(), "b1");
    let (store, heads) = log_of(10, 0);
    for seq in [2, 5, 8] {
        snapshots.write(&snapshot(heads[seq])).unwrap();
    }
    let folder = scratch.0.join("snapshots/community");
    let file = |seq| folder.join(file_name(seq, "b1"));
    let whole = fs::read(file(8)).unwrap();
    fs::write(file(8), &whole[1..]).unwrap();
    assert_eq!(newest(&snapshots, &store, None), Some(5));
    // Whoever looks again does not look into it: it would find it whole.
    fs::write(file(8), &whole).unwrap();
    assert_eq!(newest(&snapshots, &store, None), Some(5));
    assert_eq!(newest(&snapshots.clone(), &store, None), Some(5));
    snapshots.write(&snapshot(heads[8])).unwrap();
    assert_eq!(newest(&snapshots, &store, None), Some(8));

    // Parts that say nonsense are damage too, found by whoever restores them.
    let log = LogName::community();
    let nonsense = |snapshot: Snapshot| match snapshot.head.seq {
        8 => Err(Damaged("nonsense".into())),
        seq => Ok(Some(seq)),
    };
    assert_eq!(snapshots.nearest(&store, &log, None, nonsense).unwrap(), Some(5));
    assert_eq!(newest(&snapshots, &store, None), Some(5));

    // What cannot be read now may be read later, and is said once all the same.
    let held = folder.join("held");
    fs::rename(file(5), &held).unwrap();
    fs::create_dir(file(5)).unwrap();
    assert_eq!(newest(&snapshots, &store, None), Some(2));
    assert!(!snapshots.is_news(&file(5), Fault::Unreadable));
    fs::remove_dir(file(5)).unwrap();
    fs::rename(held, file(5)).unwrap();
    assert_eq!(newest(&snapshots, &store, None), Some(5));

    // A file that is gone is nobody's fault.
    fs::remove_file(file(5)).unwrap();
    snapshots.delete(&file(8));
    assert!(!snapshots.faults().contains_key(&file(8)));
}
