//! What is read: the output types of the contract, one file per subject.
//!
//! Every type that can be asked for by id has `load`, which answers for one viewer at one moment ([`eyes::Eyes`]):
//! absent and forbidden are both `None`. An object holds copies of small rows, so that it is consistent in itself,
//! and for what belongs to an inquiry the viewer's [`rights::Sight`] of it, from which connections are read. Rows
//! are read through the eyes, rights are asked of the present.

pub mod account;
pub mod agent;
pub mod auction;
pub mod audit;
pub mod bid;
pub mod block;
pub mod call_server;
pub mod connection;
pub mod content;
pub mod customer;
pub mod decision;
pub mod enums;
pub(crate) mod eyes;
pub mod fee;
pub mod filters;
pub mod fresh;
pub mod hours;
pub mod inquiry;
pub mod journal;
pub mod money;
pub mod node;
pub mod notice;
pub mod offer;
pub mod provider;
pub mod queue;
pub mod record;
pub mod reservation;
pub(crate) mod rights;
pub(crate) mod sealed;
pub(crate) mod search;
pub mod session;
pub mod settlement;
pub mod snapshot;
pub mod terms;
pub mod topic_score;
pub mod viewer;
pub mod webhook;

pub use account::Account;
pub use agent::Agent;
pub use auction::Auction;
pub use bid::Bid;
pub use block::Block;
pub use call_server::CallServer;
pub use customer::Customer;
pub use enums::*;
pub use inquiry::Inquiry;
pub use money::Money;
pub use offer::Offer;
pub use provider::Provider;
pub use queue::Queue;
pub use reservation::Reservation;
pub use session::{Message, Session};
pub use settlement::Settlement;
pub use webhook::{Webhook, WebhookDelivery};
