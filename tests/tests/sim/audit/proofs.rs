//! By what providers prove who their customers are: nothing is accepted by a key that the provider has not, then.

use super::entry::{Entry, text};
use super::{Audited, must};
use std::collections::{BTreeMap, BTreeSet};

/// `community`.
pub fn audit(community: &[Entry]) -> Audited {
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in community {
        if entry.is("provider.registered") || entry.is("provider.updated") {
            // Registered without keys it has none, updated without it keeps them.
            if let Some(given) = entry.data.get("customer_keys").and_then(serde_json::Value::as_array) {
                must!(entry, given.len() <= 5, "customer proofs", "has {} keys", given.len());
                keys.insert(entry.text("provider"), given.iter().map(|key| text(key, "thumbprint")).collect());
            }
        }
        if entry.is("offer.accepted")
            && let Some(key) = entry.data.get("proven_by").and_then(serde_json::Value::as_str)
        {
            let has = keys.get(entry.text("provider")).is_some_and(|keys| keys.contains(key));
            must!(entry, has, "customer proofs", "is proven by {key}, which is no key of the provider's");
        }
    }
    Ok(())
}
