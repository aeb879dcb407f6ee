//! Documents that were vetted and validated, by their text, so that a client's thousandth request pays
//! neither the parser nor the validator.
//!
//! Promises: bounded in documents and in bytes, however callers vary their documents; the key is the whole
//! text, so two documents never share an entry; no document is known by name.
//!
//! Not here: what depends on variables. Cost and the variables' types are checked at each request.

use crate::cache::TwoGenerations;
use crate::guard::Vetted;
use std::sync::{Arc, Mutex};

/// Documents per generation, of which there are two; a document of everyday size weighs one share.
const DOCUMENTS: usize = 512;
/// A share of a generation's bytes. A token of a parsed document takes a few hundred bytes.
const SHARE_BYTES: usize = 32 * 1_024;
const TOKEN_BYTES: usize = 300;

/// The cache of one endpoint.
pub struct Documents {
    known: Mutex<TwoGenerations<Arc<str>, Arc<Vetted>>>,
}

impl Default for Documents {
    fn default() -> Documents {
        Documents { known: Mutex::new(TwoGenerations::new(DOCUMENTS)) }
    }
}

impl Documents {
    /// A document that was remembered and is still there.
    pub fn get(&self, query: &str) -> Option<Arc<Vetted>> {
        self.known.lock().expect("nothing panics under this lock").get(query)
    }

    /// Call with validated documents only: whoever finds one here will not validate it again, and what is
    /// refused cannot push out what is used.
    pub fn remember(&self, query: &str, vetted: &Arc<Vetted>) {
        let weight = 1 + (query.len() + vetted.tokens * TOKEN_BYTES) / SHARE_BYTES;
        self.known.lock().expect("nothing panics under this lock").insert(Arc::from(query), Arc::clone(vetted), weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::vet;

    #[test]
    fn a_document_is_found_by_its_whole_text() {
        let documents = Documents::default();
        let vetted = Arc::new(vet("{a}").unwrap());
        assert!(documents.get("{a}").is_none());
        documents.remember("{a}", &vetted);
        assert!(Arc::ptr_eq(&documents.get("{a}").unwrap(), &vetted));
        assert!(documents.get("{a} ").is_none());
    }

    #[test]
    fn strangers_do_not_push_out_what_is_used() {
        let documents = Documents::default();
        let vetted = Arc::new(vet("{a}").unwrap());
        documents.remember("used", &vetted);
        for stranger in 0..10_000 {
            documents.remember(&format!("stranger {stranger}"), &vetted);
            assert!(documents.get("used").is_some());
        }
        assert!(documents.get("stranger 1").is_none());
    }
}
