//! Callmarket's decisions, pure: no async, no clock, no randomness, no I/O, no GraphQL.
//!
//! A [`command::Command`] goes to the log that holds what it is about. [`decide::decide`] reads that log's
//! [`state::State`] and answers with events or a [`refusal::Refusal`]; [`decide::apply`] folds an event
//! into the state. Replaying a log gives the same state; deciding recorded commands again gives the same
//! events.
//!
//! In reading order: words and values, then what happens, then who decides it.

// Words and values.
pub mod actor;
pub mod currency;
pub mod hours;
pub mod ids;
pub mod location;
pub mod log;
pub mod money;
pub mod patch;
pub mod sealed;
pub mod split;
pub mod terms;
mod text;
pub mod time;
pub mod topic;
pub mod why;

// What is asked, what happens, why not.
pub mod command;
pub mod event;
pub mod refusal;

// The state, and what takes it back.
pub mod bids;
mod shared;
pub mod state;
pub mod table;
pub mod waiting;

// The decisions, a file per subject.
pub mod agent;
pub mod auction;
pub mod award;
pub mod block;
pub mod books;
pub mod check;
pub mod claim;
pub mod community;
pub mod conference;
pub mod customer;
pub mod decide;
pub mod fees;
pub mod inquiry;
pub mod limits;
pub mod payout;
pub mod preference;
pub mod pricing;
pub mod queue;
pub mod reservation;
pub mod routing;
pub mod session;
pub mod settlement;
pub mod standing;
pub mod strike;
pub mod wallet;
pub mod webhook;
