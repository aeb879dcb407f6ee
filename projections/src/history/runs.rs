//! The index of subjects, many positions to a row: one slice of a log makes one run of each subject that it
//! concerns, or several of bounded length. A run is its first position and the distances of those that follow.
//!
//! It promises what single rows would give: the positions of a subject in a log, in order, from either end,
//! without reading more than the runs that hold them.
//!
//! Not here: which subjects an event concerns (`apply`), and reading the events (`trail`).

use super::rows::Whole;
use domain::log::Seq;
use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use std::ops::Range;

/// Bytes of a run: with its key, no row needs a page beside its place in the tree.
const BYTES_MAX: usize = 768;
/// Of one distance: 64 bits in groups of seven.
const NUMBER_MAX: usize = 10;

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// `None`: the bytes are no run.
fn decode(first: Seq, bytes: &[u8]) -> Option<Vec<Seq>> {
    let mut seqs = vec![first];
    let (mut last, mut number, mut shift) = (first, 0u64, 0);
    for byte in bytes {
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.checked_add(number)?;
            seqs.push(last);
            (number, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(seqs)
}

/// Writes (subject, position) pairs of one slice: sorted, so that each subject's runs land on one page.
pub(super) fn write(db: &Connection, log_no: i64, concerned: &mut Vec<(i64, Seq)>) -> rusqlite::Result<()> {
    concerned.sort_unstable();
    concerned.dedup();
    let mut insert =
        db.prepare_cached("INSERT INTO subject_event(subject, log, first, seqs) VALUES(?1, ?2, ?3, ?4)")?;
    let mut bytes = Vec::with_capacity(BYTES_MAX);
    let mut rest = concerned.as_slice();
    while let Some((&(subject, first), behind)) = rest.split_first() {
        bytes.clear();
        let mut last = first;
        let more = behind.iter().take_while(|(next, seq)| {
            let fits = *next == subject && bytes.len() + NUMBER_MAX <= BYTES_MAX;
            if fits {
                put(&mut bytes, seq - last);
                last = *seq;
            }
            fits
        });
        let more = more.count();
        insert.execute((subject, log_no, Whole(first), bytes.as_slice()))?;
        rest = &behind[more..];
    }
    Ok(())
}

/// The run in the columns `first` and `seqs`.
pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<Vec<Seq>> {
    let Whole(first) = row.get("first")?;
    let at = row.as_ref().column_index("seqs")?;
    let bytes = row.get_ref(at)?.as_blob()?;
    decode(first, bytes).ok_or_else(|| rusqlite::Error::InvalidColumnType(at, "seqs".to_owned(), Type::Blob))
}

/// The first `limit` positions of a subject in the range, in the direction of reading.
pub(super) fn read(
    db: &Connection,
    subject: i64,
    log_no: i64,
    range: &Range<Seq>,
    reverse: bool,
    limit: usize,
) -> rusqlite::Result<Vec<Seq>> {
    let order = if reverse { "DESC" } else { "ASC" };
    // The run before the range may reach into it.
    let sql = format!(
        "SELECT first, seqs FROM subject_event WHERE subject = ?1 AND log = ?2 AND first < ?4 AND first >= coalesce(
         (SELECT max(first) FROM subject_event WHERE subject = ?1 AND log = ?2 AND first <= ?3), 0)
         ORDER BY first {order}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((subject, log_no, Whole(range.start), Whole(range.end)))?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let mut seqs = run(row)?;
        if reverse {
            seqs.reverse();
        }
        found.extend(seqs.into_iter().filter(|seq| range.contains(seq)));
    }
    found.truncate(limit);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn table() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(super::super::SCHEMA).unwrap();
        db
    }

    #[test]
    fn what_is_written_reads_back_from_either_end() {
        let db = table();
        // Near and far, in slices that end anywhere, some of them longer than one run may be.
        let mut draw = 1u64;
        let mut next = || {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            draw >> 40
        };
        let (mut at, mut all) = (0u64, [BTreeSet::new(), BTreeSet::new()]);
        for slice in 0..40 {
            let mut concerned = Vec::new();
            for _ in 0..if slice % 7 == 0 { 3_000 } else { next() % 9 } {
                at += if next() % 50 == 0 { next() * 1_000 } else { 1 + next() % 200 };
                let subject = next() % 2;
                all[subject as usize].insert(at);
                concerned.extend([(subject as i64, at), (subject as i64, at)]);
            }
            concerned.reverse();
            write(&db, 7, &mut concerned).unwrap();
        }
        for (subject, seqs) in all.iter().enumerate() {
            let ends: Vec<Seq> =
                seqs.iter().copied().step_by(97).flat_map(|seq| [seq, seq + 1]).chain([0, at + 1]).collect();
            for range in ends.iter().zip(ends.iter().rev()).map(|(start, end)| *start..*end) {
                for limit in [1, 10, usize::MAX] {
                    let read = |reverse| read(&db, subject as i64, 7, &range, reverse, limit).unwrap();
                    let inside = || seqs.iter().copied().filter(|seq| range.contains(seq));
                    assert_eq!(read(false), inside().take(limit).collect::<Vec<_>>(), "{range:?}");
                    assert_eq!(read(true), inside().rev().take(limit).collect::<Vec<_>>(), "{range:?}");
                }
            }
            assert!(read(&db, subject as i64, 8, &(0..at), false, 9).unwrap().is_empty(), "another log has none");
        }
        let longest: i64 = db.query_row("SELECT max(length(seqs)) FROM subject_event", (), |row| row.get(0)).unwrap();
        let longest = longest as usize;
        assert!(longest > BYTES_MAX / 2 && longest <= BYTES_MAX, "{longest}");
    }

    #[test]
    fn bytes_that_are_no_run_are_an_error() {
        let db = table();
        for bytes in [&[0x80][..], &[1, 0xff], &[0xff; 11]] {
            db.execute("INSERT OR REPLACE INTO subject_event VALUES(1, 1, 5, ?1)", [bytes]).unwrap();
            assert!(read(&db, 1, 1, &(0..100), false, 10).is_err(), "{bytes:?}");
        }
    }
}
