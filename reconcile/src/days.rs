//! Working days: Monday to Friday. Holidays differ from bank to bank; windows are wide enough for them.

use crate::Day;

/// So many working days later (or earlier, where negative).
pub(crate) fn working(day: Day, by: i32) -> Day {
    let (step, mut left, mut day) = (by.signum(), by.abs(), day);
    while left > 0 {
        day = day.saturating_add(step);
        if is_working(day) {
            left -= 1;
        }
        if day == Day::MAX || day == Day::MIN {
            break;
        }
    }
    day
}

/// 1970-01-01 was a Thursday.
fn is_working(day: Day) -> bool {
    !matches!((i64::from(day) + 3).rem_euclid(7), 5 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_do_not_count() {
        // 2026-11-20 is a Friday.
        let friday = 20_777;
        assert_eq!(working(friday, 1), friday + 3);
        assert_eq!(working(friday + 1, 1), friday + 3);
        assert_eq!(working(friday, 5), friday + 7);
        assert_eq!(working(friday + 3, -1), friday);
        assert_eq!(working(friday, -2), friday - 2);
        assert_eq!(working(friday, 0), friday);
        assert_eq!(working(Day::MAX, 9), Day::MAX);
    }
}
