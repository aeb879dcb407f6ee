//! What is written: the inputs of the contract, and how each becomes domain types.
//!
//! Promises: an input that does not parse is a refusal with the path of what is wrong, from `input`; an id
//! that does not parse is the id of nothing. Bounds that the domain checks are not checked here again.
//!
//! Not here: what is sealed and for whom, which log it goes to (`mutation`), and the scalars' own form.

pub mod acceptance;
pub mod agent;
pub mod block;
pub mod community;
pub mod hours;
pub mod money;
pub mod offer;
pub mod origin;
pub mod parse;
pub mod webhook;
pub mod work;
