//! Stored events: what the log may hold after somebody has written into it. The input is a type's name, a line's end,
//! and data; or an envelope and data, where the first line is JSON.
//!
//! Promises checked: reading either fails or gives an event; what was read is written in its canonical form, which
//! reads as the same event and is written the same again; its subjects are at most three.

#![no_main]

use domain::log::LogName;
use libfuzzer_sys::fuzz_target;
use store::raw::RawEvent;
use store::recorded::Recorded;
use store::stored::{decode, encode};

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, rest) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    if first.starts_with(b"{") {
        let log: LogName = "main".parse().expect("a log's name");
        let raw = RawEvent { seq: 7, envelope: first.into(), data: rest.into(), salt: [1; 16], hash: [2; 32] };
        if let Ok(recorded) = Recorded::open(&log, raw.clone()) {
            assert_eq!((recorded.seq, &recorded.log, &recorded.raw), (7, &log, &raw));
        }
        return;
    }
    let Ok(type_name) = std::str::from_utf8(first) else {
        return;
    };
    let Ok((named, event)) = decode(type_name, rest) else {
        return;
    };
    assert_eq!(named, type_name);
    assert!(event.subjects().iter().count() <= 3);
    let (written, canonical) = encode(&event);
    assert_eq!(written, type_name);
    let (_, again) = decode(written, &canonical).expect("what is written reads");
    assert_eq!(again, event);
    assert_eq!(encode(&again).1, canonical);
});
