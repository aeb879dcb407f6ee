//! The terms of questions that may name a queue: those that several customers have used.
//!
//! Counted in memory, by keyed hashes of terms and of customers, from the acceptances of the log and the vault: whoever
//! is erased is not counted from the next start on.

use crate::app::App;
use crate::handover;
use domain::event::Event;
use domain::event::community::OfferEvent;
use domain::ids::CustomerId;
use domain::log::LogName;
use domain::topic::Topic;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::sync::{RwLock, Weak};
use std::time::Duration;
use topics::names;

use super::LOOK_BACK;

/// Who must have used a term before it may name a queue.
const CUSTOMERS: usize = 5;
/// Terms that are counted at most; later ones are not.
const TERMS_MAX: usize = 200_000;
const RETRY: Duration = Duration::from_millis(500);

/// Words of English that name nothing. Other languages have theirs; there a term is the rarest that many used.
const NOTHING: &str = "about above after again also another anybody anyone anything anyway because been before being \
    below best between both came cannot cant come could dear didnt does doesnt doing done dont down during each else \
    even ever every everything find from gave getting give given goes going gone good have havent having hello help \
    here hers however into isnt itself just keep kept kind know last less like long made make makes many maybe mine \
    more most much must myself need needed needs never none nothing once only other ours over people person please \
    possible problem question really said same says seem seems shall should show since some somebody someone something \
    soon still such sure take taken tell than thank thanks that thats their them then there these they thing things \
    think this those though through time today told tomorrow tonight took toward tried trying under until upon used \
    using very want wanted wants were what whats when where whether which while whom whose will with within without \
    wont work worked working works would yesterday your yours yourself";

pub(super) struct Terms {
    /// Words of the trained labels.
    trained: HashSet<String>,
    nothing: HashSet<&'static str>,
    counted: RwLock<HashMap<u64, Used>>,
    secret: Hmac<Sha256>,
}

/// By whom a term was used: hashes of the first customers, as many as are needed.
#[derive(Default)]
struct Used {
    customers: Vec<u64>,
    times: u32,
}

impl Terms {
    pub(super) fn new(trained: HashSet<String>, secret: &[u8; 32]) -> Terms {
        Terms {
            trained,
            nothing: NOTHING.split_whitespace().collect(),
            counted: RwLock::default(),
            secret: Hmac::new_from_slice(secret).expect("any length is a key"),
        }
    }

    /// The term that names what the question is about: of those that may, the one that was used the least.
    pub(super) fn of(&self, question: &str) -> Option<Topic> {
        let counted = self.counted.read().expect("no holder panics");
        let mut best: Option<(u32, String)> = None;
        for word in names::words(question).into_iter().filter(|word| self.says_something(word)) {
            let used = counted.get(&self.hash(b"term", word.as_bytes()));
            let common = used.is_some_and(|used| used.customers.len() >= CUSTOMERS) || self.trained.contains(&word);
            let times = used.map_or(0, |used| used.times);
            if common && best.as_ref().is_none_or(|(least, _)| times < *least) {
                best = Some((times, word));
            }
        }
        best.and_then(|(_, word)| word.parse().ok())
    }

    pub(super) fn is_common(&self, word: &str) -> bool {
        let counted = self.counted.read().expect("no holder panics");
        let used = counted.get(&self.hash(b"term", word.as_bytes()));
        self.says_something(word)
            && (self.trained.contains(word) || used.is_some_and(|used| used.customers.len() >= CUSTOMERS))
    }

    /// Letters alone: numbers are somebody's.
    fn says_something(&self, word: &str) -> bool {
        (4..=32).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && !self.nothing.contains(word)
    }

    pub(super) fn count(&self, customer: CustomerId, question: &str) {
        let customer = self.hash(b"customer", &customer.0.to_be_bytes());
        let words: HashSet<String> =
            names::words(question).into_iter().filter(|word| self.says_something(word)).collect();
        let mut counted = self.counted.write().expect("no holder panics");
        for word in words {
            let hash = self.hash(b"term", word.as_bytes());
            if counted.len() >= TERMS_MAX && !counted.contains_key(&hash) {
                continue;
            }
            let used = counted.entry(hash).or_default();
            used.times = used.times.saturating_add(1);
            if used.customers.len() < CUSTOMERS && !used.customers.contains(&customer) {
                used.customers.push(customer);
            }
        }
    }

    fn hash(&self, kind: &[u8], bytes: &[u8]) -> u64 {
        let mut mac = self.secret.clone();
        mac.update(kind);
        mac.update(b":");
        mac.update(bytes);
        let hash = mac.finalize().into_bytes();
        u64::from_be_bytes(hash[..8].try_into().expect("eight of thirty-two bytes"))
    }
}

/// Counts what is asked, from a while back and on, for as long as the house runs.
pub(crate) async fn follow(app: Weak<App>) {
    let Some(mut moved) = app.upgrade().map(|app| app.community_moved.subscribe()) else { return };
    let Some(head) = app.upgrade().map(|app| app.live.head(&LogName::community())) else { return };
    let mut next = head.map_or(0, |head| head.seq + 1).saturating_sub(LOOK_BACK);
    loop {
        moved.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let page = match handover::read(&strong, next).await {
            Ok(page) => page,
            Err(reason) => {
                tracing::error!(next, reason, "subjects.waiting");
                drop(strong);
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        for event in &page {
            if let Event::Offer(OfferEvent::Accepted(accepted)) = &event.event
                && let Some(sealed) = &accepted.question
                && let Ok(Some(text)) = strong.open(sealed).await
                && let Some(question) = asked(&text)
            {
                strong.subjects.terms.count(accepted.customer, &question);
            }
            next = event.seq + 1;
        }
        drop(strong);
        if page.is_empty() && moved.changed().await.is_err() {
            return;
        }
    }
}

/// The question within what the edge sealed.
pub(super) fn asked(text: &str) -> Option<String> {
    let sealed: crate::graphql::types::sealed::Question = serde_json::from_str(text).ok()?;
    sealed.question
}
