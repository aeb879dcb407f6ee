//! The terms of questions that may name a queue: those that several people have used.
//!
//! Promises: five of them, and no two with one customer's account or from one address; who comes from this machine itself
//! is known by the account alone, since behind a proxy that the house was not told of everybody would be one of those.
//! Nothing with a digit, no part of a mail or web address, not what the customer is called, none of the contact centre's
//! own words.
//!
//! Counted in memory, by keyed hashes of terms, customers and addresses, from the acceptances of the log and the vault:
//! whoever is erased is not counted any more at once. The hash of an address is sealed with the question that came
//! from there.
//!
//! Not here: what operators do about a name that they do not want (`Subjects::of`).

use super::LOOK_BACK;
use crate::app::App;
use crate::graphql::types::sealed::{Profile, Question};
use crate::handover;
use crate::proxy::Client;
use domain::event::Event;
use domain::event::community::{OfferAccepted, OfferEvent};
use domain::event::customer::CustomerEvent;
use domain::ids::CustomerId;
use domain::log::LogName;
use domain::terms::Initiator;
use domain::topic::Topic;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, RwLock, Weak};
use std::time::Duration;
use topics::names;

/// Who must have used a term before it may name a queue.
const PEOPLE: usize = 5;
/// Terms that are counted at most. For one more, those that one person alone has used begin anew.
const TERMS_MAX: usize = 200_000;
/// Terms of one question that are looked at.
const OF_ONE_QUESTION: usize = 50;
/// What one household of IPv6 may have: a /48.
const HOUSEHOLD: u128 = !(u128::MAX >> 48);
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

/// Who used a term, as hashes.
struct Person {
    customer: u64,
    /// Absent: unknown.
    address: Option<u64>,
    times: u32,
}

/// By whom a term was used: the first, as many as are needed.
#[derive(Default)]
struct Used {
    people: Vec<Person>,
    times: u32,
}

impl Used {
    fn is_common(&self) -> bool {
        self.people.len() >= PEOPLE
    }

    fn by(&mut self, customer: u64, address: Option<u64>) {
        self.times = self.times.saturating_add(1);
        if let Some(known) = self.people.iter_mut().find(|one| one.customer == customer) {
            known.times = known.times.saturating_add(1);
            return;
        }
        let from_there = |one: &Person| address.is_some() && one.address == address;
        if !self.is_common() && !self.people.iter().any(from_there) {
            self.people.push(Person { customer, address, times: 1 });
        }
    }
}

/// A question, and who is known to have asked it.
struct Asked {
    customer: CustomerId,
    question: Question,
    /// What the customer is called, where it said so.
    called: String,
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

    /// The terms that may name what the question is about, the one that was used the least first.
    pub(super) fn of(&self, question: &str) -> Vec<Topic> {
        let counted = self.counted.read().expect("no holder panics");
        let mut found: Vec<(u32, String)> = Vec::new();
        for word in self.terms(question) {
            let used = counted.get(&self.hash(b"term", word.as_bytes()));
            if self.trained.contains(&word) || used.is_some_and(Used::is_common) {
                found.push((used.map_or(0, |used| used.times), word));
            }
        }
        // Of equal ones the first.
        found.sort_by_key(|(times, _)| *times);
        found.into_iter().filter_map(|(_, word)| word.parse().ok()).collect()
    }

    pub(super) fn is_common(&self, word: &str) -> bool {
        let counted = self.counted.read().expect("no holder panics");
        let used = counted.get(&self.hash(b"term", word.as_bytes()));
        self.says_something(word) && (self.trained.contains(word) || used.is_some_and(Used::is_common))
    }

    /// A question as it is sealed: with a hash of where it came from, where that says who asks.
    pub(super) fn with_origin(&self, question: String, client: Client) -> String {
        let (Some(from), Ok(Value::Object(mut members))) = (self.address(client), serde_json::from_str(&question))
        else {
            return question;
        };
        members.insert("from".to_owned(), format!("{from:016x}").into());
        Value::Object(members).to_string()
    }

    fn address(&self, client: Client) -> Option<u64> {
        let bits = match client.address.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits() & HOUSEHOLD,
        };
        (!client.is_own_machine).then(|| self.hash(b"address", &bits.to_be_bytes()))
    }

    /// The words of a question that could name something, each once.
    fn terms(&self, question: &str) -> Vec<String> {
        let mut terms: Vec<String> = Vec::new();
        for word in question.split_whitespace().filter(|word| is_plain(word)).flat_map(names::words) {
            if terms.len() < OF_ONE_QUESTION && self.says_something(&word) && !terms.contains(&word) {
                terms.push(word);
            }
        }
        terms
    }

    /// Letters alone: numbers are somebody's.
    fn says_something(&self, word: &str) -> bool {
        (4..=32).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && !self.nothing.contains(word)
    }

    fn count(&self, asked: &Asked) {
        let Some(question) = &asked.question.question else { return };
        let customer = self.hash(b"customer", &asked.customer.0.to_be_bytes());
        let address = asked.question.from.as_deref().and_then(|hash| u64::from_str_radix(hash, 16).ok());
        let called = names::words(&asked.called);
        let mut counted = self.counted.write().expect("no holder panics");
        for word in self.terms(question).into_iter().filter(|word| !called.contains(word)) {
            let hash = self.hash(b"term", word.as_bytes());
            if counted.len() >= TERMS_MAX && !counted.contains_key(&hash) {
                counted.retain(|_, used| used.people.len() > 1);
                if counted.len() >= TERMS_MAX {
                    continue;
                }
            }
            counted.entry(hash).or_default().by(customer, address);
        }
    }

    /// Drops what this customer was counted for. How often a term was used by those beyond the first few says nothing of
    /// anybody, and stays until the next start.
    fn forget(&self, customer: CustomerId) {
        let customer = self.hash(b"customer", &customer.0.to_be_bytes());
        let mut counted = self.counted.write().expect("no holder panics");
        counted.retain(|_, used| {
            if let Some(at) = used.people.iter().position(|one| one.customer == customer) {
                used.times = used.times.saturating_sub(used.people.swap_remove(at).times);
            }
            !used.people.is_empty()
        });
    }

    /// A customer of whom nothing else is known.
    #[cfg(test)]
    pub(super) fn hear(&self, customer: u128, question: &str) {
        let question = Question { question: Some(question.to_owned()), from: None };
        self.count(&Asked { customer: CustomerId(customer), question, called: String::new() });
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

/// No part of a mail or web address, of a number, of a path.
fn is_plain(word: &str) -> bool {
    let within = word.trim_matches(|c: char| !c.is_alphanumeric());
    let letters = within.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '\u{2019}' | '-'));
    letters && !word.contains(['@', '/', '#'])
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
            if let Event::Customer(CustomerEvent::Erased(erased)) = &event.event {
                strong.subjects.terms.forget(erased.customer);
            }
            if let Event::Offer(OfferEvent::Accepted(accepted)) = &event.event
                && let Some(asked) = asked_by(&strong, accepted).await
            {
                strong.subjects.terms.count(&asked);
            }
            next = event.seq + 1;
        }
        drop(strong);
        if page.is_empty() && moved.changed().await.is_err() {
            return;
        }
    }
}

/// Whatever of it can still be opened. The contact centre's words are its own.
async fn asked_by(app: &Arc<App>, accepted: &OfferAccepted) -> Option<Asked> {
    let sealed = accepted.question.as_ref().filter(|_| accepted.initiator != Initiator::ContactCenter)?;
    let question = serde_json::from_str(&app.open(sealed).await.ok()??).ok()?;
    let mut called = String::new();
    if let Some(profile) = &accepted.profile
        && let Ok(Some(text)) = app.open(profile).await
        && let Ok(profile) = serde_json::from_str::<Profile>(&text)
    {
        called = [profile.display_name, profile.email].map(Option::unwrap_or_default).join(" ");
    }
    Some(Asked { customer: accepted.customer, question, called })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "127.0.0.1";

    fn terms() -> Terms {
        Terms::new(HashSet::new(), &[7; 32])
    }
    fn ask(terms: &Terms, customer: u128, peer: &str, question: &str) {
        let sealed = serde_json::json!({ "question": question }).to_string();
        let sealed = terms.with_origin(sealed, Client::direct(peer.parse().unwrap()));
        let question = serde_json::from_str(&sealed).unwrap();
        terms.count(&Asked { customer: CustomerId(customer), question, called: "Ann Quill <ann@moss.example>".into() });
    }

    #[test]
    fn five_customers_and_five_addresses_make_a_term() {
        let terms = terms();
        let is_common = || terms.is_common("microwave");
        let ask = |customer, peer: &str| ask(&terms, customer, peer, "the microwave makes a noise");
        // One customer from everywhere is one, and so is one address with any number of customers.
        (0..99).for_each(|n| ask(1, &format!("192.0.2.{n}")));
        (0..99).for_each(|n| ask(n, "198.51.100.1"));
        (0..99).for_each(|n| ask(n, &format!("2001:db8:1:{n}::{n}")));
        assert!(!is_common(), "a customer, an address, and a household of IPv6");
        ask(200, "203.0.113.1");
        assert!(!is_common(), "four");
        ask(200, "203.0.113.2");
        ask(201, "203.0.113.1");
        ask(202, "::ffff:203.0.113.1");
        assert!(!is_common(), "known by the account, or by the address, however it is written");
        ask(203, "2001:db8:2::1");
        assert!(is_common(), "five");
        assert_eq!(terms.of("is it the microwave?"), ["microwave".parse().unwrap()]);
        // One of the five is erased: four, until another one uses it.
        terms.forget(CustomerId(1));
        assert!(!is_common() && terms.of("is it the microwave?").is_empty());
        ask(204, "203.0.113.9");
        assert!(is_common());
    }

    #[test]
    fn who_comes_from_this_machine_is_known_by_the_account() {
        let terms = terms();
        for customer in 1..=5 {
            assert!(!terms.is_common("microwave"), "before {customer}");
            (0..3).for_each(|_| ask(&terms, customer, HERE, "the microwave"));
        }
        assert!(terms.is_common("microwave"));
        let question = r#"{"question":"x"}"#;
        assert_eq!(terms.with_origin(question.into(), Client::direct("::1".parse().unwrap())), question);
        // Whom a proxy of ours on loopback does not tell apart are one address.
        let proxied = Client { address: HERE.parse().unwrap(), is_own_machine: false };
        assert_ne!(terms.with_origin(question.into(), proxied), question);
    }

    #[test]
    fn what_is_somebodys_names_nothing() {
        let terms = terms();
        let text = "Quill here: call 0049555123 or chamber221b, mail ludwig@haberfellner.example, \
            look at https://insult.example/path or example.org/page #haberfellner @ludwig, cheers, quill. The dishwasher's \
            door-handle broke; is that (terrible)?";
        (1..=9).for_each(|customer| ask(&terms, customer, HERE, text));
        let common: Vec<String> = terms.of(text).iter().map(Topic::to_string).collect();
        assert_eq!(common, ["call", "mail", "look", "cheers", "dishwashers", "door", "handle", "broke", "terrible"]);
        for whose in ["quill", "moss", "ludwig", "haberfellner", "insult", "example", "path", "page", "chamber221b"] {
            assert!(!terms.is_common(whose), "{whose}");
        }
        // Three letters, and thirty-three.
        let (short, long, longer) = ("abc", "a".repeat(32), "a".repeat(33));
        (1..=9).for_each(|customer| ask(&terms, customer, HERE, &format!("{short} {long} {longer}")));
        assert!(terms.is_common(&long) && !terms.is_common(&longer) && !terms.is_common(short));
    }

    #[test]
    fn a_flood_of_words_takes_nobodys_place() {
        let terms = terms();
        (1..=2).for_each(|customer| ask(&terms, customer, HERE, "the microwave"));
        let letters =
            |n: usize| -> String { format!("{n:06}").bytes().map(|digit| char::from(b'a' + digit - b'0')).collect() };
        for flood in 0..=TERMS_MAX / OF_ONE_QUESTION {
            let words: Vec<String> = (0..OF_ONE_QUESTION + 9).map(|n| letters(flood * OF_ONE_QUESTION + n)).collect();
            ask(&terms, 9, "192.0.2.9", &words.join(" "));
        }
        assert!(terms.counted.read().unwrap().len() <= TERMS_MAX);
        (3..=5).for_each(|customer| ask(&terms, customer, HERE, "the microwave and the dishwasher"));
        assert!(terms.is_common("microwave"), "who was counted still is");
        (6..=7).for_each(|customer| ask(&terms, customer, HERE, "a dishwasher"));
        assert!(terms.is_common("dishwasher"), "and what comes after it is, too");
    }
}
