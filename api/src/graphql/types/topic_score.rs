//! What the classifier makes of a question.

use crate::app::App;
use crate::graphql::input::acceptance::QUESTION_CHARS_MAX;
use crate::graphql::scalars::Decimal;
use crate::subjects::NAMES_MAX;
use async_graphql::SimpleObject;
use domain::event::community::Classified;
use domain::event::queue::QueueOrigin;
use domain::ids::OfferId;
use domain::terms::OfferTerms;
use domain::topic::Topic;
use projections::live::community::OfferState;

#[derive(SimpleObject)]
pub struct TopicScore {
    topic: String,
    score: Decimal,
    model_version: String,
}

impl TopicScore {
    /// The candidates, the best first.
    pub(crate) fn all(classified: &Classified) -> Vec<TopicScore> {
        let show = |candidate: &domain::event::community::TopicScore| TopicScore {
            topic: candidate.topic.to_string(),
            score: Decimal(rust_decimal::Decimal::new(candidate.score.into(), 4)),
            model_version: classified.model.clone(),
        };
        classified.scores.iter().map(show).collect()
    }
}

/// What the classifier would make of a question; empty where it finds nothing, where the question could not be
/// accepted for its length, and where no such offer takes any.
pub(crate) fn suggest(app: &App, offer: Option<OfferId>, question: &str, first: i32) -> Vec<TopicScore> {
    let offer = offer.and_then(|id| app.live.offer(id));
    let Some(offer) = offer.filter(|offer| offer.state != OfferState::Retired && offer.terms.accepts_questions) else {
        return Vec::new();
    };
    if question.chars().count() > QUESTION_CHARS_MAX {
        return Vec::new();
    }
    let classified = app.subjects.of(question, &published_topics(app, &offer.terms), |name| app.live.named(name));
    let mut scores = match &*classified.rule {
        "general/1" => Vec::new(),
        "term/1" => {
            let topic = classified.chosen.to_string();
            vec![TopicScore { topic, score: Decimal(0.into()), model_version: classified.model.clone() }]
        }
        _ => TopicScore::all(&classified),
    };
    scores.truncate(usize::try_from(first).unwrap_or(0));
    scores
}

/// The subjects that are published: the offer's links', the call servers', and those of queues that no question made.
pub(crate) fn published_topics(app: &App, terms: &OfferTerms) -> Vec<Topic> {
    let mut topics: Vec<Topic> = terms.links.iter().map(|link| link.topic.clone()).collect();
    topics.extend(app.live.call_servers().iter().flat_map(|server| server.topics.iter().cloned()));
    let queues = app.live.queues(None, None, None, NAMES_MAX).into_iter();
    topics.extend(queues.filter(|queue| queue.origin != QueueOrigin::Question).map(|queue| queue.topic));
    topics.sort_unstable();
    topics.dedup();
    topics.truncate(NAMES_MAX);
    topics
}
