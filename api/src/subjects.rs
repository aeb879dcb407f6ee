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

mod lessons;
mod terms;

use domain::event::community::{Classified, TopicScore};
use domain::log::Seq;
use domain::topic::Topic;
use domain::why::RANKED_MAX;
use lessons::{Ear, Lessons};
use terms::Terms;
use topics::{Model, names};

pub(crate) use lessons::learn;
pub(crate) use terms::follow;

/// Events of a log that are looked at when the house starts: for terms, and for what was confirmed.
const LOOK_BACK: Seq = 100_000;
/// Published names that are looked at.
pub(crate) const NAMES_MAX: usize = 200;

pub(crate) struct Subjects {
    lessons: Lessons,
    terms: Terms,
}

impl Subjects {
    pub(crate) fn new(model: Option<Model>, secret: &[u8; 32]) -> Subjects {
        let trained = model.iter().flat_map(Model::labels).flat_map(|label| names::words(label)).collect();
        Subjects { lessons: Lessons::new(model), terms: Terms::new(trained, secret) }
    }

    pub(crate) fn ear(&self) -> Ear {
        self.lessons.ear()
    }

    /// `published`: the names that a question may be about where nothing was trained.
    pub(crate) fn of(&self, question: &str, published: &[Topic]) -> Classified {
        let (model, in_scope, mut scores) = self.lessons.read(|taught| {
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
        });
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
        let term = self.terms.of(question);
        let rule = if term.is_some() { "term/1" } else { "general/1" };
        let topic = term.unwrap_or_else(general);
        scores.truncate(RANKED_MAX);
        chosen(rule, topic, scores)
    }

    /// Whether a topic may be given with a question because the classifier might have found it.
    pub(crate) fn knows(&self, topic: &Topic) -> bool {
        let is_label =
            self.lessons.read(|taught| taught.labels().iter().any(|label| topic_of(label).as_ref() == Some(topic)));
        is_label || self.terms.is_common(topic.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::CustomerId;

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
                subjects.terms.count(CustomerId(customer), "the microwave makes a noise");
            }
        }
        let found = subjects.of(ask, &[]);
        assert_eq!((found.rule.as_str(), found.chosen), ("term/1", topic("microwave")));
        assert!(subjects.knows(&topic("microwave")));
        assert!(!subjects.knows(&topic("ludwig")) && !subjects.knows(&topic("haberfellner")));
        // Words that everybody uses and numbers name nothing, however many use them.
        for customer in 10..30 {
            subjects.terms.count(CustomerId(customer), "please help with 12345678");
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
