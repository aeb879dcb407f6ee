//! The rules and laws of the decisions, told from outside: commands in, events and refusals out.
//!
//! Each `Market` runs under the auditor (`support/auditor.rs`), which knows only the rules, and takes every
//! decision twice: once to be taken back, once to stand.
#![allow(clippy::unwrap_used)] // The words of `support` are used by tests alone.
#![allow(unreachable_pub)] // They are public to the tests, which are one program.

mod support;

mod agents;
mod bidding;
mod blocks;
mod books;
mod claims;
mod closing;
mod community;
mod conference;
mod erasure;
mod fees;
mod hours;
mod inquiries;
mod laws;
mod limits;
mod locations;
mod money;
mod oracle;
mod order;
mod payouts;
mod preferred;
mod presence;

mod prices;
mod proofs;
mod queues;
mod relaxation;
mod reservations;
mod rounds;
mod routed;
mod sessions;
mod strikes;
mod webhooks;
