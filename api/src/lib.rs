//! The only crate that knows HTTP and GraphQL.
//!
//! In reading order: a request comes in by [`http`], its caller is named by [`auth`], its document vetted by
//! [`guard`] and remembered by [`documents`], its [`variables`] checked, its [`cost`] counted; [`graphql`]
//! runs it and [`answer`] is written. [`cursor`] and [`errors`] are what resolvers need besides.

pub mod answer;
pub mod app;
pub mod auth;
mod cache;
pub mod cli;
pub mod cost;
pub mod cursor;
pub mod documents;
pub mod errors;
pub mod graphql;
pub mod guard;
mod handover;
pub mod http;
pub mod variables;
