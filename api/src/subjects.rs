//! What a question is about, found at the edge, where it is still in clear.
//!
//! First the classifier, with the labels that it was trained on. Where the question is about none of them, the names of
//! what is published. Where none of those fits, a term of the question that at least five customers have used, or that
//! stands in a trained label; and `general` where there is none. So no word of one person becomes a queue's name.
//!
//! Which terms were used is counted in memory, by keyed hashes of terms and of customers, from the acceptances of the
//! log and the vault: whoever is erased is not counted from the next start on.
//!
//! Not here: who may say what a question is about (`domain::community`), and how a classifier works (`topics`).

use crate::app::App;
use crate::handover;
use domain::event::Event;
use domain::event::community::{Classified, OfferEvent, TopicScore};
use domain::event::inquiry::InquiryEvent;
use domain::ids::{CustomerId, InquiryId};
use domain::log::{LogName, Seq};
use domain::topic::Topic;
use domain::why::RANKED_MAX;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Duration;
use store::recorded::Recorded;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use topics::{Model, Taught, names};

/// Who must have used a term before it may name a queue.
const CUSTOMERS: usize = 5;
/// Events of a log that are looked at when the house starts: for terms, and for what was confirmed.
const LOOK_BACK: Seq = 100_000;
/// Terms that are counted at most; later ones are not.
const TERMS_MAX: usize = 200_000;
/// Events read at once.
const PAGE: usize = 1_000;
/// Confirmed questions that are learned from at most.
const LESSONS_MAX: u64 = 20_000;
const RETRY: Duration = Duration::from_millis(500);
/// Published names that are looked at.
pub(crate) const NAMES_MAX: usize = 200;

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

pub(crate) struct Subjects {
    taught: RwLock<Taught>,
    /// Words of the trained labels.
    trained: HashSet<String>,
    nothing: HashSet<&'static str>,
    counted: RwLock<HashMap<u64, Used>>,
    /// Confirmations, as the writers acknowledge them, to `learn`.
    confirmed: UnboundedSender<Confirmed>,
    to_learn: Mutex<Option<UnboundedReceiver<Confirmed>>>,
    secret: Hmac<Sha256>,
}

/// What an agent said that an inquiry is about.
struct Confirmed {
    log: LogName,
    seq: Seq,
    inquiry: InquiryId,
    topics: Vec<Topic>,
}

impl Confirmed {
    fn of(event: &Recorded) -> Option<Confirmed> {
        let Event::Inquiry(InquiryEvent::TopicsConfirmed(e)) = &event.event else { return None };
        Some(Confirmed { log: event.log.clone(), seq: event.seq, inquiry: e.inquiry, topics: e.topics.clone() })
    }
}

/// Told of each acknowledged batch of a call server.
pub(crate) struct Ear(UnboundedSender<Confirmed>);

impl Ear {
    pub(crate) fn note(&self, events: &[Arc<Recorded>]) {
        for confirmed in events.iter().filter_map(|event| Confirmed::of(event)) {
            // Nobody learns any more once the house stops.
            let _ = self.0.send(confirmed);
        }
    }
}

/// By whom a term was used: hashes of the first customers, as many as are needed.
#[derive(Default)]
struct Used {
    customers: Vec<u64>,
    times: u32,
}

impl Subjects {
    pub(crate) fn new(model: Option<Model>, secret: &[u8; 32]) -> Subjects {
        let (confirmed, to_learn) = mpsc::unbounded_channel();
        let trained = model.iter().flat_map(Model::labels).flat_map(|label| names::words(label)).collect();
        Subjects {
            taught: RwLock::new(Taught::new(model.map(Into::into))),
            trained,
            nothing: NOTHING.split_whitespace().collect(),
            counted: RwLock::default(),
            confirmed,
            to_learn: Mutex::new(Some(to_learn)),
            secret: Hmac::new_from_slice(secret).expect("any length is a key"),
        }
    }

    pub(crate) fn ear(&self) -> Ear {
        Ear(self.confirmed.clone())
    }

    /// A confirmed topic is the label that comes to it, or a new one.
    fn teach(&self, question: &str, topics: &[Topic]) {
        let mut taught = self.taught.write().expect("no holder panics");
        if taught.lessons() >= LESSONS_MAX {
            return;
        }
        let label = |topic: &Topic| {
            let known = taught.labels().iter().find(|label| topic_of(label).as_ref() == Some(topic));
            known.cloned().unwrap_or_else(|| topic.to_string())
        };
        let labels: Vec<String> = topics.iter().map(label).collect();
        taught.teach(question, &labels);
    }

    /// `published`: the names that a question may be about where nothing was trained.
    pub(crate) fn of(&self, question: &str, published: &[Topic]) -> Classified {
        let (model, in_scope, mut scores) = {
            let taught = self.taught.read().expect("no holder panics");
            let verdict = taught.classify(question, RANKED_MAX);
            let mut scores: Vec<TopicScore> = Vec::new();
            for (label, score) in verdict.ranked {
                // Labels that come to one topic are one.
                if let Some(topic) = topic_of(&taught.labels()[label as usize])
                    && !scores.iter().any(|known| known.topic == topic)
                {
                    scores.push(TopicScore { score: (score * 10_000.0) as u32, topic });
                }
            }
            (taught.version(), verdict.in_scope, scores)
        };
        let chosen = |rule: &str, chosen: Topic, scores| Classified {
            chosen,
            model: model.clone(),
            rule: rule.to_owned(),
            scores,
        };
        if in_scope && let Some(first) = scores.first() {
            return chosen("model/1", first.topic.clone(), scores);
        }
        let fitting = names::fitting(question, published.iter().map(Topic::as_str));
        let fitting = fitting.into_iter().filter_map(|(name, score)| {
            Some(TopicScore { score: (score * 10_000.0) as u32, topic: name.parse().ok()? })
        });
        let fitting: Vec<TopicScore> = fitting.take(RANKED_MAX).collect();
        if let Some(first) = fitting.first() {
            return chosen("name/1", first.topic.clone(), fitting);
        }
        let term = self.term(question);
        let rule = if term.is_some() { "term/1" } else { "general/1" };
        let topic = term.unwrap_or_else(general);
        scores.truncate(RANKED_MAX);
        chosen(rule, topic, scores)
    }

    /// Whether a topic may be given with a question because the classifier might have found it.
    pub(crate) fn knows(&self, topic: &Topic) -> bool {
        let taught = self.taught.read().expect("no holder panics");
        taught.labels().iter().any(|label| topic_of(label).as_ref() == Some(topic)) || self.is_common(topic.as_str())
    }

    /// The term that names what the question is about: of those that may, the one that was used the least.
    fn term(&self, question: &str) -> Option<Topic> {
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

    fn is_common(&self, word: &str) -> bool {
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

    fn count(&self, customer: CustomerId, question: &str) {
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

fn general() -> Topic {
    domain::community::GENERAL.parse().expect("the constant is a topic")
}

/// A label as a topic: lower case, a `-` for whatever a topic has not, at most four segments. `None`: nothing is left.
pub(crate) fn topic_of(label: &str) -> Option<Topic> {
    let segment = |text: &str| {
        let plain: String = text
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' })
            .collect();
        let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
        let joined = words.join("-");
        let joined = joined.trim_start_matches('_');
        joined[..joined.len().min(48)].to_owned()
    };
    let segments: Vec<String> = label.split('/').map(segment).filter(|segment| !segment.is_empty()).take(4).collect();
    segments.join("/").parse().ok()
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
                strong.subjects.count(accepted.customer, &question);
            }
            next = event.seq + 1;
        }
        drop(strong);
        if page.is_empty() && moved.changed().await.is_err() {
            return;
        }
    }
}

/// Learns what agents confirm: of each call server's newest events what was confirmed before the house started, then
/// what is acknowledged. A question that can no longer be opened is not learned from.
pub(crate) async fn learn(app: Weak<App>) {
    let Some(mut to_learn) =
        app.upgrade().and_then(|app| app.subjects.to_learn.lock().expect("no holder panics").take())
    else {
        return;
    };
    let mut known: HashMap<LogName, Seq> = HashMap::new();
    if let Some(app) = app.upgrade() {
        for server in app.live.call_servers() {
            let Some(head) = app.live.head(&server.name) else { continue };
            known.insert(server.name.clone(), head.seq);
            let mut next = head.seq.saturating_sub(LOOK_BACK);
            while next <= head.seq {
                let (store, log) = (app.store.clone(), server.name.clone());
                let wanted = usize::try_from(head.seq + 1 - next).unwrap_or(PAGE).min(PAGE);
                let read = move || {
                    let raws = store.read(&log, next, wanted).ok()?;
                    let count = raws.len() as Seq;
                    let events = raws.into_iter().filter_map(|raw| Recorded::open(&log, raw).ok());
                    Some((count, events.filter_map(|event| Confirmed::of(&event)).collect::<Vec<_>>()))
                };
                let Ok(Some((count, page))) = tokio::task::spawn_blocking(read).await else {
                    tracing::error!(log = %server.name, next, "subjects.unread");
                    break;
                };
                for confirmed in &page {
                    lesson(&app, confirmed).await;
                }
                if count == 0 {
                    break;
                }
                next += count;
            }
        }
    }
    while let Some(confirmed) = to_learn.recv().await {
        let Some(app) = app.upgrade() else { return };
        if known.get(&confirmed.log).is_none_or(|seq| confirmed.seq > *seq) {
            lesson(&app, &confirmed).await;
        }
    }
}

async fn lesson(app: &Arc<App>, confirmed: &Confirmed) {
    let Ok(Some(dossier)) = app.dossier(confirmed.inquiry).await else { return };
    let Some(sealed) = dossier.read(|dossier| dossier.inquiry().and_then(|row| row.question.clone())) else { return };
    if let Ok(Some(text)) = app.open(&sealed).await
        && let Some(question) = asked(&text)
    {
        app.subjects.teach(&question, &confirmed.topics);
    }
}

/// The question within what the edge sealed.
fn asked(text: &str) -> Option<String> {
    let sealed: crate::graphql::types::sealed::Question = serde_json::from_str(text).ok()?;
    sealed.question
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    #[test]
    fn a_term_names_a_queue_once_five_customers_used_it() {
        let subjects = Subjects::new(None, &[7; 32]);
        let ask = "My microwave, bought by Ludwig Haberfellner, is broken";
        for customer in 1..=5 {
            let found = subjects.of(ask, &[]);
            assert_eq!(
                (found.rule.as_str(), found.chosen),
                ("general/1", topic("general")),
                "before customer {customer}"
            );
            // The same customer again is nobody new.
            for _ in 0..3 {
                subjects.count(CustomerId(customer), "the microwave makes a noise");
            }
        }
        let found = subjects.of(ask, &[]);
        assert_eq!((found.rule.as_str(), found.chosen), ("term/1", topic("microwave")));
        assert!(subjects.knows(&topic("microwave")));
        assert!(!subjects.knows(&topic("ludwig")) && !subjects.knows(&topic("haberfellner")));
        // Words that everybody uses and numbers name nothing, however many use them.
        for customer in 10..30 {
            subjects.count(CustomerId(customer), "please help with 12345678");
        }
        assert_eq!(subjects.of("please help with 12345678", &[]).chosen, topic("general"));
    }

    #[test]
    fn published_names_come_before_terms() {
        let subjects = Subjects::new(None, &[7; 32]);
        let found = subjects.of("I lost my card", &[topic("cards"), topic("cards/lost")]);
        assert_eq!((found.rule.as_str(), found.chosen), ("name/1", topic("cards/lost")));
        assert_eq!(found.scores.len(), 2);
        assert_eq!(found.model, "none+0");
    }

    #[test]
    fn a_label_is_a_topic() {
        for (label, wanted) in [
            ("card_arrival", "card_arrival"),
            ("Lost Card!", "lost-card"),
            ("Cards / Lost", "cards/lost"),
            ("_x", "x"),
            ("a/b/c/d/e", "a/b/c/d"),
            ("Karten verlören", "karten-verl-ren"),
            (&"a".repeat(60), &"a".repeat(48)),
        ] {
            assert_eq!(topic_of(label), Some(topic(wanted)), "{label}");
        }
        for nothing in ["", "/", "???", "漢字"] {
            assert_eq!(topic_of(nothing), None, "{nothing}");
        }
    }
}
