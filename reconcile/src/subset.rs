//! Which of some amounts make up a sum: all sets of two halves, met in the middle. It stops at the second solution,
//! and says so where it had to stop before the end.

/// Half of them are put together at once: 2^20 sums.
pub(crate) const MOST: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    None,
    /// The only one; positions, ascending.
    One(Vec<usize>),
    Several,
    Exhausted,
}

/// Sets of at least two.
pub(crate) fn find(amounts: &[i64], target: i64, nodes: u64) -> Sum {
    let count = amounts.len();
    if count < 2 {
        return Sum::None;
    }
    let half = count / 2;
    let sums = (1u64 << half.max(count - half)).saturating_mul(2);
    if count > MOST || sums > nodes {
        return Sum::Exhausted;
    }
    let (left, right) = amounts.split_at(half);
    let mut low = all(left);
    low.sort_unstable();
    let mut found: Option<u64> = None;
    for (sum, set) in all(right) {
        let wanted = i128::from(target) - sum;
        let at = low.partition_point(|(sum, _)| *sum < wanted);
        for (_, other) in low[at..].iter().take_while(|(sum, _)| *sum == wanted) {
            let whole = other | set << half;
            if whole.count_ones() < 2 {
                continue;
            }
            if found.is_some() {
                return Sum::Several;
            }
            found = Some(whole);
        }
    }
    found.map_or(Sum::None, |set| Sum::One((0..count).filter(|at| set >> at & 1 == 1).collect()))
}

/// Each set's sum and its members as bits.
fn all(amounts: &[i64]) -> Vec<(i128, u64)> {
    let mut sums = vec![(0, 0)];
    for (at, amount) in amounts.iter().enumerate() {
        sums.extend_from_within(..);
        let half = sums.len() / 2;
        for (sum, set) in &mut sums[half..] {
            *sum += i128::from(*amount);
            *set |= 1 << at;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_trying_all_sets_finds(amounts in prop::collection::vec(-20i64..20, 0..11), target in -60i64..60) {
            let sets = (0u32..1 << amounts.len()).filter(|set| set.count_ones() > 1);
            let sum = |set: &u32| (0..amounts.len()).filter(|at| set >> at & 1 == 1).map(|at| amounts[at]).sum::<i64>();
            let fitting: Vec<u32> = sets.filter(|set| sum(set) == target).collect();
            let expected = match fitting[..] {
                [] => Sum::None,
                [set] => Sum::One((0..amounts.len()).filter(|at| set >> at & 1 == 1).collect()),
                _ => Sum::Several,
            };
            prop_assert_eq!(find(&amounts, target, 1 << 22), expected);
        }
    }

    #[test]
    fn forty_fit_and_forty_one_do_not() {
        let powers: Vec<i64> = (0..40).map(|at| 1 << at).collect();
        let target = (1 << 3) + (1 << 21) + (1 << 39);
        assert_eq!(find(&powers, target, 1 << 22), Sum::One(vec![3, 21, 39]));
        assert_eq!(find(&powers, target, 1 << 20), Sum::Exhausted);
        assert_eq!(find(&[1; 41], 3, u64::MAX), Sum::Exhausted);
        assert_eq!(find(&[i64::MAX; 40], i64::MAX, 1 << 22), Sum::None);
    }
}
