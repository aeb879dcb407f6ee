//! The store: append-only logs, the only truth of the house.
//!
//! ```text
//! raw, chain      an event as the log keeps it, and the hashes that bind each to all before it
//! backend         EventStore: what a place that keeps logs promises
//! sqlite          one file per log, for one node
//! memory          for tests, with faults on demand
//! conformance     what every backend must pass
//! folder          the data folder and its lock
//! vault           keys of data subjects: erasing one makes sealed data unreadable for ever
//! stored          every event shape ever written
//! recorded        an event with its envelope, as everybody but a backend sees it
//! keys, clock     the window of idempotency keys; the injected clock
//! snapshot        a log's fold on disk, so that a start need not begin at zero
//! handover        what an event of `community` asks of a call server
//! writer          mailbox → decide → append → publish → answer
//! ```
//!
//! A log is a sequence of events, 0-based, gapless, hash-chained. Its one write is the conditional
//! append: a batch stands whole and durable after the head that its writer knew, or not at all.
//! Nothing else locks, elects or leases, so any writer may die at any time.
//!
//! What is absent: no event is changed or deleted; no backend reads an event's text; nobody but a
//! writer appends; nobody here speaks HTTP or GraphQL.

pub mod backend;
pub mod chain;
pub mod clock;
pub mod conformance;
pub mod folder;
pub mod handover;
pub mod keys;
pub mod memory;
pub mod moved;
pub mod raw;
pub mod recorded;
pub mod snapshot;
pub mod sqlite;
pub mod stored;
pub mod vault;
pub mod writer;
