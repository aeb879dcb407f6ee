//! Personal data, sealed at the edge before it becomes a command. Nothing in this crate can open it.

use crate::ids::Subject;
use serde::{Deserialize, Serialize};

/// A ciphertext and whose key opens it. Erasing the data subject deletes that key; the log stays valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// base64url without padding: nonce, ciphertext, tag (see the vault).
    pub ciphertext: Box<str>,
    /// The data subject: a customer or an agent.
    pub subject: Subject,
}
