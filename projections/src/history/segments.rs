//! Idempotency keys on the disk: sorted segments, so that no insert is scattered over a day's keys.
//!
//! Each slice of a log adds one segment, in its transaction; where eight of one level stand at the end, they
//! become one of the next level. So a key is written once a level, always in sequence, and a look-up asks
//! some tens of segments, or the few that overlap the positions that it is about. A segment is cut into parts
//! of about a page by its hashes, which are spread evenly, so a key's part is known without a search.
//!
//! An entry is the first half of the hash and the position of its event: who asks reads the event and
//! compares the whole hash.
//!
//! Not here: reading events, and the 24 hours of a key to the instant (`keys`).

use super::rows::Whole;
use domain::log::Seq;
use domain::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use std::ops::RangeInclusive;
use store::keys::KEPT;

/// The first half of a key's hash, and where its event stands.
pub(super) type Entry = (u64, Seq);

const FANOUT: usize = 8;
/// Segments that would be larger together are left alone, so that a transaction stays short.
const KEYS_MAX: u64 = 1 << 20;
/// Keys of a part, more or less: about three quarters of a page.
const PART: u64 = 192;
const ENTRY: usize = 16;

pub(super) fn half(hash: u128) -> u64 {
    (hash >> 64) as u64
}

struct Segment {
    no: u64,
    newest: i64,
    level: i64,
    keys: u64,
}

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let (Whole(no), Whole(keys)) = (row.get("no")?, row.get("keys")?);
    Ok(Segment { no, newest: row.get("newest")?, level: row.get("level")?, keys })
}

fn parts(keys: u64) -> u64 {
    keys.div_ceil(PART).max(1)
}

/// The part of so many in which the hash stands.
fn part(half: u64, parts: u64) -> u64 {
    ((u128::from(half) * u128::from(parts)) >> 64) as u64
}

fn place(no: u64, part: u64) -> Whole {
    Whole(no << 16 | part)
}

/// Adds the keys of one slice. `newest`: the time of the last of them.
pub(super) fn add(db: &Connection, log_no: i64, newest: Timestamp, keys: Vec<Entry>) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    write(db, log_no, newest.0, 0, keys)?;
    loop {
        let sql = "SELECT * FROM key_segment WHERE log = ?1 ORDER BY last DESC LIMIT ?2";
        let mut statement = db.prepare_cached(sql)?;
        let tail = statement.query_map((log_no, Whole(FANOUT as u64)), segment)?.collect::<Result<Vec<_>, _>>()?;
        let level = tail[0].level;
        let together: u64 = tail.iter().map(|one| one.keys).sum();
        if tail.len() < FANOUT || tail.iter().any(|one| one.level != level) || together > KEYS_MAX {
            return Ok(());
        }
        let mut keys = Vec::with_capacity(together as usize);
        for one in &tail {
            entries(db, one.no, &mut keys)?;
            remove(db, one.no)?;
        }
        write(db, log_no, tail[0].newest, level + 1, keys)?;
    }
}

fn write(db: &Connection, log_no: i64, newest: i64, level: i64, mut keys: Vec<Entry>) -> rusqlite::Result<()> {
    let seqs = || keys.iter().map(|(_, seq)| *seq);
    let (Some(first), Some(last)) = (seqs().min(), seqs().max()) else { return Ok(()) };
    db.prepare_cached("INSERT INTO key_segment(log, first, last, newest, level, keys) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute((log_no, Whole(first), Whole(last), newest, level, Whole(keys.len() as u64)))?;
    let no = db.last_insert_rowid() as u64;
    // The stable sort, since it finds the runs of what is merged.
    keys.sort();
    let parts = parts(keys.len() as u64);
    let mut insert = db.prepare_cached("INSERT INTO key_part(place, keys) VALUES(?1, ?2)")?;
    let mut bytes = Vec::with_capacity(2 * PART as usize * ENTRY);
    for chunk in keys.chunk_by(|left, right| part(left.0, parts) == part(right.0, parts)) {
        bytes.clear();
        for (half, seq) in chunk {
            bytes.extend_from_slice(&half.to_be_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
        }
        insert.execute((place(no, part(chunk[0].0, parts)), bytes.as_slice()))?;
    }
    Ok(())
}

fn remove(db: &Connection, no: u64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM key_part WHERE place >= ?1 AND place < ?2")?
        .execute((place(no, 0), place(no + 1, 0)))?;
    db.prepare_cached("DELETE FROM key_segment WHERE no = ?1")?.execute([Whole(no)])?;
    Ok(())
}

/// Takes the oldest segment away, if all its keys are free again at `time`. One at a time, so that a transaction
/// stays short: each slice brings at most one.
pub(super) fn cut(db: &Connection, log_no: i64, time: Timestamp) -> rusqlite::Result<()> {
    let sql = "SELECT * FROM key_segment WHERE log = ?1 ORDER BY last LIMIT 1";
    let oldest = db.prepare_cached(sql)?.query_row([log_no], segment).optional()?;
    match oldest {
        Some(oldest) if time - Timestamp(oldest.newest) >= KEPT => remove(db, oldest.no),
        Some(_) | None => Ok(()),
    }
}

/// The entries in the column `keys`.
fn decode(row: &Row<'_>) -> rusqlite::Result<Vec<Entry>> {
    let at = row.as_ref().column_index("keys")?;
    let (entries, rest) = row.get_ref(at)?.as_blob()?.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return Err(rusqlite::Error::InvalidColumnType(at, "keys".to_owned(), Type::Blob));
    }
    let entry = |entry: &[u8; ENTRY]| {
        let both = u128::from_be_bytes(*entry);
        ((both >> 64) as u64, both as u64)
    };
    Ok(entries.iter().map(entry).collect())
}

fn entries(db: &Connection, no: u64, all: &mut Vec<Entry>) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare_cached("SELECT keys FROM key_part WHERE place >= ?1 AND place < ?2 ORDER BY place")?;
    let mut rows = statement.query((place(no, 0), place(no + 1, 0)))?;
    while let Some(row) = rows.next()? {
        all.extend(decode(row)?);
    }
    Ok(())
}

/// Where keys with this half of a hash stand that may still count at `now`, newest first.
pub(super) fn find(
    db: &Connection,
    log_no: i64,
    half: u64,
    within: &RangeInclusive<Seq>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Seq>> {
    let sql =
        "SELECT * FROM key_segment WHERE log = ?1 AND last >= ?2 AND first <= ?3 AND newest > ?4 ORDER BY last DESC";
    let bound = |seq: &Seq| i64::try_from(*seq).unwrap_or(i64::MAX);
    let mut segments = db.prepare_cached(sql)?;
    let oldest = now.0.saturating_sub(KEPT.0);
    let segments = segments.query_map((log_no, bound(within.start()), bound(within.end()), oldest), segment)?;
    let mut one = db.prepare_cached("SELECT keys FROM key_part WHERE place = ?1")?;
    let mut found = Vec::new();
    for segment in segments {
        let segment = segment?;
        let place = place(segment.no, part(half, parts(segment.keys)));
        let keys = one.query_row([place], decode).optional()?.unwrap_or_default();
        let from = keys.partition_point(|(known, _)| *known < half);
        let same = keys[from..].iter().take_while(|(known, _)| *known == half).map(|(_, seq)| *seq);
        let before = found.len();
        found.extend(same.filter(|seq| within.contains(seq)));
        found[before..].reverse();
    }
    Ok(found)
}

/// Calls `each` with every entry of the log from position `from` on, in the order of the log.
pub(super) fn in_order(
    db: &Connection,
    log_no: i64,
    from: Seq,
) -> rusqlite::Result<impl FnMut() -> rusqlite::Result<Option<Entry>>> {
    let mut statement = db.prepare("SELECT * FROM key_segment WHERE log = ?1 AND last >= ?2 ORDER BY last")?;
    let segments = statement.query_map((log_no, Whole(from)), segment)?.collect::<Result<Vec<_>, _>>()?;
    let (mut segments, mut ready) = (segments.into_iter(), Vec::new().into_iter());
    Ok(move || {
        loop {
            if let Some(entry) = ready.next() {
                return Ok(Some(entry));
            }
            let Some(next) = segments.next() else { return Ok(None) };
            let mut keys = Vec::new();
            entries(db, next.no, &mut keys)?;
            keys.retain(|(_, seq)| *seq >= from);
            keys.sort_unstable_by_key(|(_, seq)| *seq);
            ready = keys.into_iter();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn table() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(super::super::SCHEMA).unwrap();
        db
    }
    /// Spread over all bits, as a hash is.
    fn hash(n: u64) -> u64 {
        let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
    }
    fn segments(db: &Connection) -> Vec<Segment> {
        let mut statement = db.prepare("SELECT * FROM key_segment ORDER BY last").unwrap();
        statement.query_map((), segment).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_key_is_found_however_the_slices_were_cut() {
        let db = table();
        let (mut next, mut all) = (0u64, HashMap::<u64, Vec<Seq>>::new());
        for slice in 0..300u64 {
            let mut keys = Vec::new();
            for _ in 0..slice * 37 % 100 {
                // Some come again, and another log has its own.
                let half = hash(if next % 10 == 0 { next / 2 } else { next });
                all.entry(half).or_default().push(next);
                keys.push((half, next));
                next += 1 + slice % 3;
            }
            add(&db, 1, Timestamp(next as i64), keys).unwrap();
            add(&db, 2, Timestamp(0), vec![(hash(slice), slice)]).unwrap();
        }
        let now = Timestamp(next as i64);
        for (half, seqs) in &all {
            let newest_first: Vec<Seq> = seqs.iter().rev().copied().collect();
            assert_eq!(find(&db, 1, *half, &(0..=Seq::MAX), now).unwrap(), newest_first);
            let first = seqs[0];
            assert_eq!(find(&db, 1, *half, &(first..=first), now).unwrap(), [first]);
        }
        let nobodys: Vec<Seq> = Vec::new();
        assert_eq!(find(&db, 1, hash(u64::MAX), &(0..=Seq::MAX), now).unwrap(), nobodys);
        assert_eq!(find(&db, 2, hash(7), &(0..=Seq::MAX), now).unwrap(), [7], "a log has its own keys");
        let seqs: Vec<Seq> = {
            let mut next = in_order(&db, 1, 100).unwrap();
            std::iter::from_fn(move || next().unwrap()).map(|(_, seq)| seq).collect()
        };
        let mut expected: Vec<Seq> = all.values().flatten().copied().filter(|seq| *seq >= 100).collect();
        expected.sort_unstable();
        assert_eq!(seqs, expected);
        // 300 slices of both logs: 4 of level 2, and of each level below fewer than eight.
        assert!(segments(&db).len() <= 2 * 3 * (FANOUT - 1), "{}", segments(&db).len());
    }

    #[test]
    fn what_is_merged_or_cut_leaves_nothing_behind() {
        let db = table();
        let keys = |slice: u64| (slice * 1_000..(slice + 1) * 1_000).map(|seq| (hash(seq), seq)).collect::<Vec<_>>();
        for slice in 0..FANOUT as u64 {
            add(&db, 1, Timestamp(slice as i64), keys(slice)).unwrap();
        }
        let merged: Vec<(i64, u64)> = segments(&db).iter().map(|one| (one.level, one.keys)).collect();
        assert_eq!(merged, [(1, 8_000)]);
        add(&db, 1, Timestamp(100), keys(8)).unwrap();
        let bytes = |db: &Connection| {
            db.query_row("SELECT coalesce(sum(length(keys)), 0) FROM key_part", (), |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(bytes(&db), 9_000 * ENTRY as i64);
        let newest = Timestamp(FANOUT as i64 - 1);
        cut(&db, 1, Timestamp(newest.0 + KEPT.0 - 1)).unwrap();
        assert_eq!(segments(&db).len(), 2);
        assert_eq!(find(&db, 1, hash(0), &(0..=Seq::MAX), Timestamp(newest.0 + KEPT.0 - 1)).unwrap(), [0]);
        assert!(find(&db, 1, hash(0), &(0..=Seq::MAX), newest + KEPT).unwrap().is_empty(), "not even before the cut");
        cut(&db, 1, newest + KEPT).unwrap();
        assert_eq!((segments(&db).len(), bytes(&db)), (1, 1_000 * ENTRY as i64));
    }

    #[test]
    fn segments_that_would_be_too_long_together_stay() {
        let db = table();
        let share = KEYS_MAX / FANOUT as u64 + 1;
        for slice in 0..FANOUT as u64 {
            let keys = (slice * share..(slice + 1) * share).map(|seq| (hash(seq), seq)).collect();
            add(&db, 1, Timestamp(0), keys).unwrap();
        }
        assert_eq!(segments(&db).len(), FANOUT);
        let last = FANOUT as u64 * share - 1;
        assert_eq!(find(&db, 1, hash(last), &(0..=Seq::MAX), Timestamp(0)).unwrap(), [last]);
    }
}
