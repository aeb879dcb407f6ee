//! How long those who were answered had waited, and what that says to those who wait.
//!
//! It promises a range that is honest about what it does not know: from the tenth to the ninetieth of a hundred of the
//! latest who were answered in this queue, by how long each place before them took. So about four of five waits lie
//! within it, where tomorrow is like today; on a recorded month of a telephone centre 80 % did (ADR 41). Whole numbers,
//! from events alone: two nodes say the same. Deliberately not here: how many agents are there, and who can serve whom.

use domain::time::Span;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Who is looked back on, and how many it needs.
const ANSWERED: usize = 30;
const ANSWERED_NEEDED: usize = 5;

/// Of one queue.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waits {
    /// Microseconds of waiting for each place, of those answered last; the latest last.
    paces: VecDeque<i64>,
}

impl Waits {
    /// Somebody was answered that had come to this place, 1 for the first.
    pub(super) fn answered(&mut self, waited: Span, place: usize) {
        if self.paces.len() == ANSWERED {
            self.paces.pop_front();
        }
        self.paces.push_back(waited.0 / i64::try_from(place.max(1)).unwrap_or(i64::MAX));
    }

    /// For who stands at this place now, in whole seconds; absent before five were answered.
    pub(super) fn range(&self, place: usize) -> Option<(Span, Span)> {
        if self.paces.len() < ANSWERED_NEEDED {
            return None;
        }
        let mut paces: Vec<i64> = self.paces.iter().copied().collect();
        paces.sort_unstable();
        let tenth = paces.len() / 10;
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let second = Span::seconds(1).0;
        let low = paces[tenth].saturating_mul(place) / second;
        let high = paces[paces.len() - 1 - tenth].saturating_mul(place).saturating_add(second - 1) / second;
        Some((Span(low * second), Span(high.saturating_mul(second))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(range: Option<(Span, Span)>) -> Option<(i64, i64)> {
        range.map(|(low, high)| (low.0 / 1_000_000, high.0 / 1_000_000))
    }

    #[test]
    fn the_extremes_of_ten_are_left_out() {
        let mut waits = Waits::default();
        for (at, pace) in [7, 900, 5, 0, 8, 6, 9, 4, 3, 10].into_iter().enumerate() {
            assert_eq!(waits.range(1).is_some(), at >= ANSWERED_NEEDED, "after {at}");
            waits.answered(Span::seconds(2 * pace), 2);
        }
        assert_eq!(seconds(waits.range(1)), Some((3, 10)));
        assert_eq!(seconds(waits.range(3)), Some((9, 30)));
        // Only the latest count.
        (0..ANSWERED).for_each(|_| waits.answered(Span(1_500_000), 1));
        assert_eq!(seconds(waits.range(3)), Some((4, 5)), "rounded outward");
    }

    #[test]
    fn no_wait_is_too_long_to_say() {
        let mut waits = Waits::default();
        (0..ANSWERED).for_each(|_| waits.answered(Span(i64::MAX), 1));
        let (low, high) = waits.range(usize::MAX).unwrap();
        assert!(low <= high && low.0 > 0);
    }

    /// A telephone centre of three agents, nearly busy all the time: who comes, and how long a talk lasts, by a small
    /// generator with a fixed seed.
    #[test]
    fn about_four_of_five_waits_lie_within_what_was_said() {
        let mut seed = 7_u64;
        let mut dice = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((seed >> 33) % below).unwrap()
        };
        let (mut now, mut free, mut waits) = (0, [0_i64; 3], Waits::default());
        let mut answered: Vec<(i64, usize, i64)> = Vec::new();
        let (mut said, mut within) = (0, 0);
        for _ in 0..5_000 {
            now += dice(100);
            free.sort_unstable();
            let begins = now.max(free[0]);
            // Those before it who are answered by now, and those who still wait.
            let mut still = Vec::new();
            for one in answered.drain(..) {
                if one.0 <= now {
                    waits.answered(Span::seconds(one.2), one.1);
                } else {
                    still.push(one);
                }
            }
            answered = still;
            let place = answered.len() + 1;
            free[0] = begins + 30 + dice(215);
            if begins > now {
                if let Some((low, high)) = seconds(waits.range(place)) {
                    said += 1;
                    within += i32::from((low..=high).contains(&(begins - now)));
                }
                answered.push((begins, place, begins - now));
            }
        }
        let share = 100 * within / said;
        assert!(said > 1_000 && (70..=90).contains(&share), "{share} % of {said}");
    }
}
