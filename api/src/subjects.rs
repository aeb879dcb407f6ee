//! What a question is about, found at the edge, where it is still in clear.
//!
//! First the classifier, with the labels that it was trained on. Where the question is about none of them, the names of
//! what is published. Where none of those fits, a term of the question that at least five people have used, or that
//! stands in a trained label; and `general` where there is none. So no word of one person becomes a queue's name; and one
//! that came from strangers and that an operator merged away or retired is none any more.
//!
//! Not here: who may say what a question is about (`domain::community`), and how a classifier works (`topics`).

mod lessons;
mod terms;

use crate::proxy::Client;
use domain::event::community::{Classified, TopicScore};
use domain::log::Seq;
use domain::topic::Topic;
use domain::why::RANKED_MAX;
use lessons::{Ear, Lessons};
use projections::live::queue::Named;
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

    /// The question as it is sealed, with what says who else used its words.
    pub(crate) fn with_origin(&self, question: String, client: Client) -> String {
        self.terms.with_origin(question, client)
    }

    /// `published`: the names that a question may be about where nothing was trained. `named`: what operators made of a
    /// name that strangers' words gave.
    pub(crate) fn of(&self, question: &str, published: &[Topic], named: impl Fn(&Topic) -> Named) -> Classified {
        let wanted = |topic: Topic| match named(&topic) {
            Named::Freely => Some(topic),
            Named::Otherwise(topic) => Some(topic),
            Named::NoMore => None,
        };
        let (model, in_scope, ranked) = self.lessons.read(|taught| {
            let verdict = taught.classify(question, RANKED_MAX);
            let topics = verdict.ranked.into_iter().filter_map(|(label, score)| {
                Some((topic_of(&taught.labels()[label as usize])?, self.lessons.is_coined(label), score))
            });
            (taught.version(), verdict.in_scope, topics.collect::<Vec<_>>())
        });
        let mut scores: Vec<TopicScore> = Vec::new();
        for (topic, coined, score) in ranked {
            // Labels that come to one topic are one.
            if let Some(topic) = if coined { wanted(topic) } else { Some(topic) }
                && !scores.iter().any(|known| known.topic == topic)
            {
                scores.push(TopicScore { score: (score * 10_000.0) as u32, topic });
            }
        }
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
        let term = self.terms.of(question).into_iter().find_map(wanted);
        let rule = if term.is_some() { "term/1" } else { "general/1" };
        let topic = term.unwrap_or_else(general);
        chosen(rule, topic, scores)
    }

    /// Whether a topic may be given with a question because the classifier might have found it.
    pub(crate) fn knows(&self, topic: &Topic, named: impl Fn(&Topic) -> Named) -> bool {
        let labels: Vec<bool> = self.lessons.read(|taught| {
            let labels = (0..).zip(taught.labels()).filter(|(_, label)| topic_of(label).as_ref() == Some(topic));
            labels.map(|(label, _)| self.lessons.is_coined(label)).collect()
        });
        let coined = || labels.contains(&true) || self.terms.is_common(topic.as_str());
        labels.contains(&false) || (coined() && named(topic) == Named::Freely)
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

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    #[test]
    fn published_names_come_before_terms() {
        let subjects = Subjects::new(None, &[7; 32]);
        let found = subjects.of("I lost my card", &[topic("cards"), topic("cards/lost")], |_| Named::NoMore);
        assert_eq!((found.rule.as_str(), found.chosen), ("name/1", topic("cards/lost")));
        assert_eq!(found.scores.len(), 2);
        assert_eq!(found.model, "none+0");
    }

    #[test]
    fn operators_have_the_last_word_on_a_name_of_strangers() {
        let subjects = Subjects::new(None, &[7; 32]);
        let ask = "the rotten microwave is loud";
        for customer in 1..=5 {
            subjects.terms.hear(customer, "such a rotten microwave");
        }
        subjects.terms.hear(6, "rotten");
        let of = |named: fn(&Topic) -> Named| {
            let found = subjects.of(ask, &[], named);
            (found.rule, found.chosen.to_string(), subjects.knows(&topic("microwave"), named))
        };
        let freely = |_: &Topic| Named::Freely;
        assert_eq!(of(freely), ("term/1".into(), "microwave".into(), true), "of several the one used the least");
        let renamed = |_: &Topic| Named::Otherwise("kitchen".parse().unwrap());
        assert_eq!(of(renamed), ("term/1".into(), "kitchen".into(), false));
        let next = |name: &Topic| if name.as_str() == "microwave" { Named::NoMore } else { Named::Freely };
        assert_eq!(of(next), ("term/1".into(), "rotten".into(), false));
        assert_eq!(of(|_| Named::NoMore), ("general/1".into(), "general".into(), false));
        // And on what an agent made a label of: the house's own labels stay.
        subjects.lessons.teach(domain::ids::InquiryId(1), ask, &[topic("microwave")]);
        assert_eq!(of(freely), ("model/1".into(), "microwave".into(), true));
        assert_eq!(of(renamed), ("model/1".into(), "kitchen".into(), false));
        assert_eq!(of(|_| Named::NoMore), ("general/1".into(), "general".into(), false));
        let example = |text: &str, label| topics::Example { text: text.into(), label: Some(label) };
        let examples = [example("a loud microwave", 0), example("my card is lost", 1), example("card lost", 1)];
        let trained = Model::train(vec!["microwave".into(), "cards".into()], &examples);
        let subjects = Subjects::new(Some(trained), &[7; 32]);
        let found = subjects.of("loud microwave", &[], |_| Named::NoMore);
        assert_eq!((found.rule.as_str(), found.chosen), ("model/1", topic("microwave")));
        assert!(subjects.knows(&topic("microwave"), |_| Named::NoMore));
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
