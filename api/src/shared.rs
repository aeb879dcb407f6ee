//! Equal subscriptions: same document, operation, variables and sight. What one of them has made of an event is
//! there, as bytes, for the others.
//!
//! Each keeps its own place in the log, so that nothing is said here of who is slow, who resumes and who is told
//! a gap: only the making of an item and its execution are saved. Where to begin (`after`) is no difference.
//! Nobody waits for another: who comes while an item is being made makes it too.
//!
//! Promises: an item is taken from another only within [`FRESH`] of its making; one with an error is everybody's
//! own; a subscription that has no equal remembers nothing; what equals hold together is bounded.
//!
//! Not here: whose sight is the same (`graphql::types::rights`), and feeds whose items depend on what their
//! reader was told before (`graphql::subscription`): those never ask.

use crate::answer::Answer;
use crate::guard::{Vetted, select};
use async_graphql::Variables;
use async_graphql::parser::types::Selection;
use async_graphql_value::Value as InputValue;
use projections::feed::Mark;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An item shows things as they are when it is delivered. Those who keep up are delivered to within this.
const FRESH: Duration = Duration::from_secs(1);
/// Of the items that one group of equals remembers. A longer one is everybody's own.
const BYTES_MAX: usize = 64 * 1_024;

/// What makes subscriptions equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    document: String,
    operation: Option<String>,
    variables: String,
    sight: String,
}

/// An event as its item shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) mark: Mark,
    pub(crate) replay: bool,
    /// How many customers were erased before it was begun: nothing that was opened before an erasure is taken after it.
    pub(crate) erasures: usize,
}

/// All subscriptions of an endpoint, by what they equal.
#[derive(Default)]
pub(crate) struct Shared {
    groups: Mutex<HashMap<Key, Arc<Group>>>,
    /// Items that were taken from another.
    taken: AtomicU64,
}

#[derive(Default)]
struct Group(Mutex<Items>);

#[derive(Default)]
struct Items {
    members: usize,
    /// The oldest first.
    made: VecDeque<(At, Instant, Arc<str>)>,
    bytes: usize,
}

// A panic elsewhere leaves nothing half done: what is held here is changed in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Items {
    fn find(&mut self, at: At) -> Option<Arc<str>> {
        while self.made.front().is_some_and(|(_, made, _)| made.elapsed() >= FRESH) {
            self.drop_oldest();
        }
        self.made.iter().rev().find(|(known, ..)| *known == at).map(|(.., bytes)| Arc::clone(bytes))
    }

    fn keep(&mut self, at: At, bytes: &Arc<str>) {
        if self.members < 2 || bytes.len() > BYTES_MAX || self.find(at).is_some() {
            return;
        }
        while self.bytes + bytes.len() > BYTES_MAX {
            self.drop_oldest();
        }
        self.bytes += bytes.len();
        self.made.push_back((at, Instant::now(), Arc::clone(bytes)));
    }

    fn drop_oldest(&mut self) {
        if let Some((.., bytes)) = self.made.pop_front() {
            self.bytes -= bytes.len();
        }
    }
}

impl Shared {
    /// Joins the subscription's equals. `sight`: the same for viewers who see the same of everything.
    pub(crate) fn join(
        self: &Arc<Shared>,
        vetted: &Vetted,
        document: &str,
        operation: Option<&str>,
        mut variables: Variables,
        sight: String,
    ) -> Member {
        if let Some(start) = start(vetted, document, operation) {
            variables.remove(start);
        }
        let variables = serde_json::to_string(&variables).expect("variables are JSON");
        let key = Key { document: document.to_owned(), operation: operation.map(str::to_owned), variables, sight };
        let group = {
            let mut groups = lock(&self.groups);
            let group = Arc::clone(groups.entry(key.clone()).or_default());
            lock(&group.0).members += 1;
            group
        };
        Member { shared: Arc::clone(self), key, group, now: Mutex::default() }
    }

    /// Items that were taken from another instead of being made.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn groups(&self) -> usize {
        lock(&self.groups).len()
    }
}

/// The variable that says where to begin and nothing else: the root field's `after`, if it is named but there
/// and where it is declared. The text is counted, so a comment or a string that names it makes a difference.
fn start<'a>(vetted: &'a Vetted, document: &str, operation: Option<&str>) -> Option<&'a str> {
    let operation = select(vetted.runnable(), operation).ok()?;
    let [root] = operation.selection_set.node.items.as_slice() else { return None };
    let Selection::Field(field) = &root.node else { return None };
    let InputValue::Variable(name) = &field.node.get_argument("after")?.node else { return None };
    let named = |at: usize| !document[at..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let text = format!("${name}");
    let places = document.match_indices(&text).filter(|(at, _)| named(at + text.len())).count();
    (places == 2).then_some(name.as_str())
}

/// One subscription among its equals, from its beginning to its end.
pub(crate) struct Member {
    shared: Arc<Shared>,
    key: Key,
    group: Arc<Group>,
    now: Mutex<Now>,
}

/// What becomes of the item that the library executes next: one at a time, in order.
#[derive(Default)]
enum Now {
    #[default]
    Own,
    /// It is made here, and others may have it.
    Made(At),
    Taken(Arc<str>),
}

impl Member {
    /// Whether another has made this event's item. Then the library is given anything in its place, executes
    /// nothing, and [`Member::answer`] gives the other's bytes.
    pub(crate) fn takes(&self, at: At) -> bool {
        let Some(bytes) = lock(&self.group.0).find(at) else { return false };
        *lock(&self.now) = Now::Taken(bytes);
        true
    }

    /// The item that comes next is this event's.
    pub(crate) fn makes(&self, at: At) {
        *lock(&self.now) = Now::Made(at);
    }

    pub(crate) fn has_taken(&self) -> bool {
        matches!(*lock(&self.now), Now::Taken(_))
    }

    /// What was executed, or what was taken instead of it.
    pub(crate) fn answer(&self, executed: Answer) -> Answer {
        match (std::mem::take(&mut *lock(&self.now)), &executed) {
            (Now::Taken(bytes), _) => {
                self.shared.taken.fetch_add(1, Ordering::Relaxed);
                Answer::Ready(bytes)
            }
            (Now::Made(at), Answer::Executed { errors, .. }) if errors.is_empty() && self.has_equals() => {
                let bytes: Arc<str> = executed.body().into();
                lock(&self.group.0).keep(at, &bytes);
                Answer::Ready(bytes)
            }
            _ => executed,
        }
    }

    fn has_equals(&self) -> bool {
        lock(&self.group.0).members > 1
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut groups = lock(&self.shared.groups);
        let left = {
            let mut items = lock(&self.group.0);
            items.members -= 1;
            items.members
        };
        if let (0, Entry::Occupied(group)) = (left, groups.entry(self.key.clone())) {
            group.remove();
        }
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
