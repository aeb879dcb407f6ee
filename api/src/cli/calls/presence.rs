//! Who was there, and when, as far as a log of conversations shows it: an agent is present from its first
//! conversation of a day to its last, but for gaps longer than a stated length. Before the first and after the
//! last it may have been there idle: the log does not know, and what is derived is the least.

use domain::time::{Span, Timestamp};

/// From, and to.
pub(super) type Interval = (Timestamp, Timestamp);

/// Conversations to presence: gaps up to `break_after` are bridged, also over midnight.
pub(super) fn present(mut sessions: Vec<Interval>, break_after: Span) -> Vec<Interval> {
    sessions.sort_unstable();
    let mut there: Vec<Interval> = Vec::new();
    for (from, to) in sessions {
        match there.last_mut() {
            Some(last) if from <= last.1 + break_after => last.1 = last.1.max(to),
            _ => there.push((from, to)),
        }
    }
    there
}

/// Each instant once.
pub(super) fn union(intervals: Vec<Interval>) -> Vec<Interval> {
    present(intervals, Span::ZERO)
}

const HOUR: i64 = 3_600_000_000;

/// How long intervals last in each hour of day.
pub(super) fn by_hour(intervals: &[Interval]) -> [Span; 24] {
    let mut hours = [Span::ZERO; 24];
    for (from, to) in intervals {
        let mut at = from.0;
        while at < to.0 {
            let next = (at.div_euclid(HOUR) + 1) * HOUR;
            hours[hour_of(Timestamp(at))].0 += next.min(to.0) - at;
            at = next;
        }
    }
    hours
}

pub(super) fn hour_of(at: Timestamp) -> usize {
    at.0.div_euclid(HOUR).rem_euclid(24) as usize
}

/// Whether both lie in one day.
pub(super) fn same_day(a: Timestamp, b: Timestamp) -> bool {
    a.0.div_euclid(24 * HOUR) == b.0.div_euclid(24 * HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp(minutes * 60_000_000)
    }

    #[test]
    fn a_gap_longer_than_stated_is_a_break_and_one_as_long_is_none() {
        let sessions = vec![(at(50), at(60)), (at(0), at(10)), (at(5), at(8)), (at(40), at(41)), (at(92), at(93))];
        let there = present(sessions.clone(), Span::minutes(30));
        assert_eq!(there, [(at(0), at(60)), (at(92), at(93))]);
        assert_eq!(present(sessions.clone(), Span::minutes(32)), [(at(0), at(93))]);
        assert_eq!(present(sessions, Span::minutes(29)).len(), 3);
        assert_eq!(union(vec![(at(0), at(10)), (at(5), at(12)), (at(12), at(13))]), [(at(0), at(13))]);
        assert_eq!(present(vec![(at(1430), at(1450))], Span::ZERO), [(at(1430), at(1450))], "midnight is no break");
    }

    #[test]
    fn time_is_counted_in_the_hour_of_day_in_which_it_passes() {
        let hours = by_hour(&[(at(50), at(130)), (at(1430), at(1450))]);
        let minutes: Vec<i64> = hours.iter().map(|span| span.0 / 60_000_000).collect();
        assert_eq!((minutes[0], minutes[1], minutes[2], minutes[23]), (10 + 10, 60, 10, 10));
        assert_eq!(minutes.iter().sum::<i64>(), 100);
        assert!(same_day(at(0), at(1439)) && !same_day(at(1439), at(1440)));
    }
}
