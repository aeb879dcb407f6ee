//! Bank statements: MT940 and MT942, camt, OFX, as a finance person gets them from anywhere.
//!
//! Promises checked: whatever the bytes, they are read or refused with a place and a reason, and what was read can be
//! summed and proven.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match statements::read(data) {
    Ok(all) => {
        assert!(!all.is_empty());
        for one in all {
            assert!(!one.account.is_empty());
            one.proof();
        }
    }
    Err(faults) => assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.what.is_empty())),
});
