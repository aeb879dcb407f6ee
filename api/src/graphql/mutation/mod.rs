//! The mutation root, a part per subject.
//!
//! A resolver names the caller and asks whether the role may; parses the input; finds the log; seals what is
//! personal; submits one command; and loads what it answers with, as it is now. A refusal is an answer:
//! `userErrors`. A replay finds the ids in the recorded events and is otherwise the same.

mod acceptance;
mod agent;
mod bid;
mod block;
mod call;
mod community;
mod customer;
mod inquiry;
#[cfg(test)]
mod keys_tests;
mod offer;
pub mod payload;
mod queue;
mod reservation;
mod session;
#[cfg(test)]
mod tests;
pub mod user_error;
mod wallet;
mod webhook;

use async_graphql::MergedObject;

#[derive(MergedObject, Default)]
pub struct Mutation(
    community::Community,
    customer::Customers,
    agent::Agents,
    block::Blocks,
    queue::Queues,
    wallet::Wallets,
    offer::Offers,
    acceptance::Acceptances,
    inquiry::Inquiries,
    bid::Bids,
    reservation::Reservations,
    session::Sessions,
    webhook::Webhooks,
);
