//! Sharing an amount out, in whole smallest units: the shares sum to the amount, exactly.
//!
//! By largest remainder: each share is its exact part rounded down, and the units that are left go to the largest
//! remainders, on a tie to the first. "A unit more for the first ones" would give 99.99 at 75 to 25 as 75.00 and 24.99,
//! where 74.99 and 25.00 is right.
//!
//! A part is rounded once, from the exact product; of two that are as near the even one, unless a rule says otherwise.
//!
//! Not here: what an amount is shared out for (`fees`, `settlement`).

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// `amount` by these weights. Neither is negative; with all weights zero nothing can be shared out, and the first has it
/// all. Weights and amount below 2^63, so that nothing overflows.
pub fn share_out(amount: i128, weights: &[i128]) -> Vec<i128> {
    let all: i128 = weights.iter().sum();
    if all == 0 {
        return weights.iter().enumerate().map(|(at, _)| if at == 0 { amount } else { 0 }).collect();
    }
    let mut shares: Vec<i128> = weights.iter().map(|weight| amount * weight / all).collect();
    let left = amount - shares.iter().sum::<i128>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|at| (std::cmp::Reverse(amount * weights[*at] % all), *at));
    for at in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        shares[at] += 1;
    }
    shares
}

/// Which of two units a part becomes that lies in the middle between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// The even one: over many parts as much is lost as is won.
    #[default]
    HalfEven,
    /// The larger one, as some tax laws want it.
    HalfUp,
}

impl Rounding {
    pub(crate) fn is_half_even(&self) -> bool {
        *self == Rounding::HalfEven
    }
}

/// `amount × of / all`. Not of negative numbers.
pub fn rounded(amount: i128, of: i128, all: i128, rounding: Rounding) -> i128 {
    let (down, rest) = (amount * of / all, amount * of % all);
    let up = match (2 * rest).cmp(&all) {
        Ordering::Less => false,
        Ordering::Equal => rounding == Rounding::HalfUp || down % 2 == 1,
        Ordering::Greater => true,
    };
    down + i128::from(up)
}
