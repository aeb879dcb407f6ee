//! The log, told from outside: a little market whose writers meet faults, rivals, repeats and kills.
#![allow(clippy::unwrap_used)] // The words of `support` are used by tests alone.
#![allow(unreachable_pub)] // They are public to the tests, which are one program.

mod support;

mod faults;
mod golden;
mod idempotency;
mod kills;
mod two_writers;
mod writer;
