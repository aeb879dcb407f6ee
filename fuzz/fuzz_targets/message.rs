//! What clients say on a WebSocket.
//!
//! Promises checked (`api::fuzzing::check_message`): what was read is what was said; what is answered is JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    api::fuzzing::check_message(text);
});
