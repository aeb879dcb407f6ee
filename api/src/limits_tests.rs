//! Every default limit, against what is told of it: a limit that is changed is changed here, and in the documents.
//!
//! A structure is taken apart by name, so that a limit that is added is missed here.

use crate::cost::{COST_MAX, KIB_READ, LIST_MAX, UNKNOWN_BYTES};
use crate::endpoint::DEADLINE;
use crate::http::BODY_BYTES_MAX;
use crate::rate::COST_PER_SECOND;
use crate::{endpoint, guard, listen, ws};
use std::time::Duration;

const KIB: usize = 1_024;

const FEEDS: &str = include_str!("../../docs/feeds.md");
const TRANSPORTS: &str = include_str!("../../docs/adr/0010-own-transports.md");

/// Line breaks are of the page, not of the sentence.
fn says(document: &str, sentence: &str) -> bool {
    document.split_whitespace().collect::<Vec<_>>().join(" ").contains(sentence)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_socket_and_a_stream_have_the_limits_that_clients_are_told_of() {
    let endpoint::Limits {
        init,
        ping,
        silence,
        send,
        farewell,
        operations,
        caller_subscriptions,
        caller_streams,
        address_streams,
        message_bytes,
    } = endpoint::Limits::default();
    // 4408 after 3 s; a comment each 12 s; 4413 within 10 s, of which 1 is for the client to hear it.
    assert_eq!((init, ping, silence), (seconds(3), seconds(12), seconds(30)));
    assert_eq!((send, farewell), (seconds(8), seconds(1)));
    assert!(send + farewell < seconds(10));
    assert!(says(FEEDS, "into the payload of `connection_init`, within 3 s"));
    assert!(says(FEEDS, "nothing was heard of the client for 30 s; it is pinged each 12 s"));
    assert!(says(FEEDS, "the reader did not read for 8 s"));
    assert_eq!((operations, caller_subscriptions), (64, 256));
    assert!(says(FEEDS, "64 operations of a socket, 256 subscriptions of a caller"));
    assert_eq!((caller_streams, address_streams), (64, 1_024));
    assert!(says(FEEDS, "64 sockets and streams of the caller, 1,024 of an address without a name"));
    assert_eq!((ws::MESSAGE_BYTES_MAX, message_bytes), (64 * KIB, 4 * KIB * KIB));
    assert!(says(FEEDS, "64 KiB of a message to the house and 4 MiB from it"));
}

#[test]
fn a_connection_has_the_limits_that_are_decided() {
    let listen::Limits { connections, address_connections, proxies, first, head, stall, drain } =
        listen::Limits::default();
    assert_eq!((connections, address_connections), (20_000, 2_000));
    assert!(says(TRANSPORTS, "20,000 connections"));
    assert!(says(FEEDS, "2,000 connections of an address"));
    assert!(!proxies.trusts([127, 0, 0, 1].into()), "nobody is a proxy unless it is named");
    assert_eq!((first, head), (seconds(10), seconds(75)));
    assert!(says(TRANSPORTS, "75 s for each head") && says(TRANSPORTS, "a first request within 10 s"));
    // A message has its own limit below it, so that its reader can be told why.
    assert_eq!((stall, drain), (seconds(10), seconds(5)));
    assert!(endpoint::Limits::default().send + endpoint::Limits::default().farewell < stall);
    assert!(says(TRANSPORTS, "bytes have waited 10 s"));
}

#[test]
fn a_request_has_the_limits_that_clients_are_told_of() {
    assert_eq!((BODY_BYTES_MAX, guard::DOCUMENT_BYTES_MAX), (KIB * KIB, 64 * KIB));
    assert_eq!((guard::DEPTH_MAX, guard::ALIASES_MAX, LIST_MAX), (32, 100, 100));
    assert_eq!((COST_MAX, COST_PER_SECOND), (20_000, 100_000));
    let told = "a body of 1 MiB, a document of 64 KiB, 32 levels, 100 aliases, 100 of a list, a cost of 20,000, \
                and 100,000 of cost in a second";
    assert!(says(FEEDS, told));
    assert_eq!((KIB_READ, UNKNOWN_BYTES), (4, 16));
    assert!(says(
        FEEDS,
        "Reading costs 4 for each KiB of a request, and 1 for 16 bytes of a document that the house does not know"
    ));
    assert_eq!((guard::TOKENS_MAX, guard::DIRECTIVES_MAX, guard::OPERATIONS_MAX), (4_096, 32, 16));
    assert_eq!((guard::VARIABLES_MAX, guard::SELECTIONS_MAX), (100, 10_000));
    assert_eq!(DEADLINE, seconds(10));
}
