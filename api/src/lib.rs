//! The only crate that knows HTTP and GraphQL.
//!
//! In reading order: a connection is taken by [`listen`], a request comes in by [`http`], by a socket (`ws`) or
//! as a stream (`sse`), its caller is named by [`auth`]; at the [`endpoint`] its document is vetted by [`guard`]
//! and remembered by [`documents`], its [`variables`] checked, its [`cost`] counted; [`graphql`] runs it and
//! [`answer`] is written. [`cursor`] and [`errors`] are what resolvers need besides.

pub mod answer;
pub mod app;
pub mod auth;
mod balance;
mod books;
mod cache;
pub mod cli;
pub mod connected;
pub mod cost;
pub mod cursor;
pub mod documents;
pub mod drain;
pub mod endpoint;
mod erasure;
pub mod errors;
mod expiry;
mod fees;
mod fingerprint;
mod fork;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod graphql;
pub mod guard;
mod handover;
pub mod http;
mod information;
mod item;
mod keys;
#[cfg(test)]
mod limits_tests;
pub mod listen;
pub mod newcomers;
mod pages;
mod past;
mod places;
mod presence;
mod proof;
pub mod proxy;
pub mod rate;
pub mod revoked;
mod shared;
mod signed;
mod snapshotter;
mod sse;
mod subjects;
#[cfg(test)]
mod testing;
pub mod variables;
mod webhooks;
mod ws;
