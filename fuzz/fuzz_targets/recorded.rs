//! Recorded market history: two CSV files, as `callmarket replay` reads them. The input is both, parted by a line
//! `----`.
//!
//! Promises checked (`api::fuzzing::check_recorded`): every row is taken or reported, and what was taken can be offered,
//! bid for and closed in a market.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    const MARK: &[u8] = b"----\n";
    let at = data.windows(MARK.len()).position(|window| window == MARK);
    let (auctions, bids) = at.map_or((data, data), |at| (&data[..at], &data[at + MARK.len()..]));
    api::fuzzing::check_recorded(auctions, bids);
});
