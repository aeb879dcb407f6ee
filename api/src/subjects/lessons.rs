//! What agents confirm, learned from: one lesson of an inquiry, the last one that was given.
//!
//! Promises: a confirmation that says what was said already teaches nothing, one that says something else takes the
//! lesson before it back. At a start the confirmations come in the order in which they came while the house ran, so
//! what is learned is the same. Of `LESSONS_MAX` inquiries at most; later ones are not learned from.
//!
//! Not here: which topics may be confirmed, and by whom (`domain::inquiry`).

use super::{LOOK_BACK, topic_of};
use crate::app::App;
use crate::graphql::types::sealed::Question;
use domain::event::Event;
use domain::event::inquiry::InquiryEvent;
use domain::ids::InquiryId;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use domain::topic::Topic;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock, Weak};
use store::recorded::Recorded;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use topics::{Lesson, Model, Taught};

/// Inquiries that are learned from at most.
const LESSONS_MAX: usize = 20_000;
/// Events read at once.
const PAGE: usize = 1_000;

pub(super) struct Lessons {
    /// How many of the labels the house trained; those after them came with a lesson.
    trained: usize,
    taught: RwLock<Taught>,
    given: Mutex<HashMap<InquiryId, Given>>,
    /// Confirmations, as the writers acknowledge them, to `learn`.
    confirmed: UnboundedSender<Confirmed>,
    to_learn: Mutex<Option<UnboundedReceiver<Confirmed>>>,
}

/// What was learned from an inquiry.
struct Given {
    /// In order.
    topics: Vec<Topic>,
    lesson: Lesson,
}

/// What an agent said that an inquiry is about.
struct Confirmed {
    log: LogName,
    seq: Seq,
    at: Timestamp,
    inquiry: InquiryId,
    /// In order: which was named first says nothing.
    topics: Vec<Topic>,
}

impl Confirmed {
    fn of(event: &Recorded) -> Option<Confirmed> {
        let Event::Inquiry(InquiryEvent::TopicsConfirmed(e)) = &event.event else { return None };
        let mut topics = e.topics.clone();
        topics.sort_unstable();
        Some(Confirmed { log: event.log.clone(), seq: event.seq, at: event.time, inquiry: e.inquiry, topics })
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

impl Lessons {
    pub(super) fn new(model: Option<Model>) -> Lessons {
        let (confirmed, to_learn) = mpsc::unbounded_channel();
        Lessons {
            trained: model.as_ref().map_or(0, |model| model.labels().len()),
            taught: RwLock::new(Taught::new(model.map(Into::into))),
            given: Mutex::default(),
            confirmed,
            to_learn: Mutex::new(Some(to_learn)),
        }
    }

    pub(super) fn ear(&self) -> Ear {
        Ear(self.confirmed.clone())
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Taught) -> T) -> T {
        read(&self.taught.read().expect("no holder panics"))
    }

    /// Whether a lesson brought this label.
    pub(super) fn is_coined(&self, label: u32) -> bool {
        label as usize >= self.trained
    }

    /// Whether these topics would teach anything.
    fn is_news(&self, inquiry: InquiryId, topics: &[Topic]) -> bool {
        let given = self.given.lock().expect("no holder panics");
        given.get(&inquiry).map_or(given.len() < LESSONS_MAX, |given| given.topics != topics)
    }

    /// A confirmed topic is the label that comes to it, or a new one.
    pub(super) fn teach(&self, inquiry: InquiryId, question: &str, topics: &[Topic]) {
        if !self.is_news(inquiry, topics) {
            return;
        }
        let mut taught = self.taught.write().expect("no holder panics");
        let mut given = self.given.lock().expect("no holder panics");
        if let Some(before) = given.remove(&inquiry) {
            taught.take_back(question, &before.lesson);
        }
        let label = |topic: &Topic| {
            let known = taught.labels().iter().find(|label| topic_of(label).as_ref() == Some(topic));
            known.cloned().unwrap_or_else(|| topic.to_string())
        };
        let labels: Vec<String> = topics.iter().map(label).collect();
        if let Some(lesson) = taught.teach(question, &labels) {
            given.insert(inquiry, Given { topics: topics.to_vec(), lesson });
        }
    }
}

/// Learns what agents confirm: of each call server's newest events what was confirmed before the house started, then
/// what is acknowledged. A question that can no longer be opened is not learned from.
pub(crate) async fn learn(app: Weak<App>) {
    let Some(mut to_learn) =
        app.upgrade().and_then(|app| app.subjects.lessons.to_learn.lock().expect("no holder panics").take())
    else {
        return;
    };
    let mut known: HashMap<LogName, Seq> = HashMap::new();
    let mut earlier: Vec<Confirmed> = Vec::new();
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
                earlier.extend(page);
                if count == 0 {
                    break;
                }
                next += count;
            }
        }
        earlier.sort_by(|a, b| (a.at, &a.log, a.seq).cmp(&(b.at, &b.log, b.seq)));
        for confirmed in &earlier {
            lesson(&app, confirmed).await;
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
    if !app.subjects.lessons.is_news(confirmed.inquiry, &confirmed.topics) {
        return;
    }
    let Ok(Some(dossier)) = app.dossier(confirmed.inquiry).await else { return };
    let Some(sealed) = dossier.read(|dossier| dossier.inquiry().and_then(|row| row.question.clone())) else { return };
    if let Ok(Some(text)) = app.open(&sealed).await
        && let Ok(Question { question: Some(question), .. }) = serde_json::from_str(&text)
    {
        app.subjects.lessons.teach(confirmed.inquiry, &question, &confirmed.topics);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = "my debit thing vanished at the till";

    fn topics(names: &[&str]) -> Vec<Topic> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }
    fn first(lessons: &Lessons) -> Option<String> {
        lessons.read(|taught| {
            let verdict = taught.classify(QUESTION, 1);
            verdict.in_scope.then(|| taught.labels()[verdict.ranked[0].0 as usize].clone())
        })
    }
    fn version(lessons: &Lessons) -> String {
        lessons.read(Taught::version)
    }

    #[test]
    fn the_last_one_of_an_inquiry_wins_and_a_repeat_teaches_nothing() {
        let lessons = Lessons::new(None);
        let says = |names: &[&str]| lessons.teach(InquiryId(1), QUESTION, &topics(names));
        says(&["plastic"]);
        assert_eq!((first(&lessons).as_deref(), version(&lessons).as_str()), (Some("plastic"), "none+1"));
        // However often it is said again.
        (0..100).for_each(|_| says(&["plastic"]));
        assert_eq!(version(&lessons), "none+1");
        // Something else: as often as the other was said before.
        says(&["cards", "loans"]);
        assert_eq!((first(&lessons).as_deref(), version(&lessons).as_str()), (Some("cards"), "none+2"));
        assert_eq!(lessons.given.lock().unwrap().len(), 1, "one lesson of an inquiry");
        says(&["cards", "loans"]);
        assert_eq!(version(&lessons), "none+2");
        says(&["plastic"]);
        assert_eq!((first(&lessons).as_deref(), version(&lessons).as_str()), (Some("plastic"), "none+3"));
        // Another inquiry with the same words is a lesson of its own.
        lessons.teach(InquiryId(2), QUESTION, &topics(&["plastic"]));
        assert_eq!((version(&lessons).as_str(), lessons.given.lock().unwrap().len()), ("none+4", 2));
    }

    #[test]
    fn so_many_inquiries_are_learned_from_and_their_last_word_still_counts() {
        let lessons = Lessons::new(None);
        lessons.teach(InquiryId(0), QUESTION, &topics(&["plastic"]));
        let lesson = lessons.given.lock().unwrap()[&InquiryId(0)].lesson.clone();
        for inquiry in 1..LESSONS_MAX as u128 - 1 {
            let given = Given { topics: topics(&["plastic"]), lesson: lesson.clone() };
            lessons.given.lock().unwrap().insert(InquiryId(inquiry), given);
        }
        let last = InquiryId(LESSONS_MAX as u128);
        assert!(lessons.is_news(last, &topics(&["cards"])));
        lessons.teach(last, QUESTION, &topics(&["cards"]));
        assert_eq!(lessons.given.lock().unwrap().len(), LESSONS_MAX);
        assert!(!lessons.is_news(InquiryId(u128::MAX), &topics(&["cards"])), "no more inquiries");
        assert!(lessons.is_news(last, &topics(&["loans"])) && !lessons.is_news(last, &topics(&["cards"])));
    }
}
