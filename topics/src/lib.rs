//! Finds the subject matter of a question.
//!
//! `table` reads questions, `Model::train` learns from them, `Model::classify` says which label a new one has, or
//! that it is about none of them. A model knows features by their hashes, never anybody's words, and is the same,
//! byte for byte, wherever it is made from the same file.
//!
//! `Taught` goes on learning from single questions, and begins from nothing where there is no model; `names` finds
//! subjects by what they are called.
//!
//! It knows nothing of topics as the house has them, of queues or of customers: labels are text, as trained.

mod features;
mod file;
mod model;
pub mod names;
mod svm;
pub mod table;
mod taught;

pub use file::{FileError, LABELS_MAX};
pub use model::{Example, Model, REJECTED, Verdict};
pub use taught::{Lesson, Taught};
