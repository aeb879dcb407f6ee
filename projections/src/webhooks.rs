//! What leaves the house: webhooks, without their way. What is to be told of an event (`plan`), what is due of it
//! (`board`), what is sent and what comes of it (`told`): plain functions over the store and the views.
//!
//! Promises: nothing is due before it is claimed by an event, whose delivery's id is the receiver's idempotency key;
//! each event is claimed once for each webhook that stood when it happened, until it is told, and ordered with
//! others about the same inquiry; a provider is told of what its audit trail shows it at that moment, never of sealed
//! bids, and of ids and topics alone.
//!
//! Not here: what a webhook is and who may have one (`domain::webhook`); loops, signatures, addresses and requests
//! (`api/src/webhooks.rs`). Who shares the store with another node reads on in `effects` before it plans or sends.

pub mod board;
pub mod plan;
pub mod told;
