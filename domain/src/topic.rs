//! Topics, skills and how they fit. A topic is a path of one to four lower-case segments
//! (`cards/lost`). What stands nearer the root contains what lies beneath it: a queue of `cards`
//! takes `cards/lost`, and who is skilled in `cards` is skilled in `cards/lost`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One to four segments of 1 to 48 characters `a-z 0-9 _ -`, the first of them a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// Not a path of one to four lower-case segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTopic;

const SEGMENTS_MAX: usize = 4;
const SEGMENT_CHARS_MAX: usize = 48;

impl Topic {
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether `other` is this topic or lies beneath it.
    pub fn contains(&self, other: &Topic) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
    /// Segments of the path: the longest match wins where several contain a topic.
    pub fn depth(&self) -> usize {
        self.0.split('/').count()
    }
    /// The topic itself, then its ancestors up to the root segment.
    pub fn and_ancestors(&self) -> impl Iterator<Item = Topic> + '_ {
        let mut rest = Some(&*self.0);
        std::iter::from_fn(move || {
            let path = rest?;
            rest = path.rsplit_once('/').map(|(parent, _)| parent);
            Some(Topic(Arc::from(path)))
        })
    }
}

impl FromStr for Topic {
    type Err = BadTopic;
    fn from_str(text: &str) -> Result<Topic, BadTopic> {
        let mut count = 0;
        for segment in text.split('/') {
            count += 1;
            let bytes = segment.as_bytes();
            let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let valid = count <= SEGMENTS_MAX
                && (1..=SEGMENT_CHARS_MAX).contains(&bytes.len())
                && plain(&bytes[0])
                && bytes.iter().all(|b| plain(b) || *b == b'_' || *b == b'-');
            if !valid {
                return Err(BadTopic);
            }
        }
        Ok(Topic(Arc::from(text)))
    }
}
impl Serialize for Topic {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        crate::text::read(d)
    }
}
impl fmt::Display for BadTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a topic is a path of 1 to 4 segments of a-z, 0-9, _ and -, such as cards/lost")
    }
}
impl std::error::Error for BadTopic {}
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an agent can do, or an inquiry asks for, at a level of 1 to 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    pub level: u8,
    pub name: Topic,
}

/// Levels go from 1 to this one.
pub const SKILL_LEVEL_MAX: u8 = 10;

/// Whether `skills` cover everything `desired`: each by a skill of the same name or an ancestor's, at
/// its level or above.
pub fn covers(skills: &[Skill], desired: &[Skill]) -> bool {
    desired.iter().all(|want| skills.iter().any(|have| have.level >= want.level && have.name.contains(&want.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    #[test]
    fn a_topic_contains_itself_and_what_lies_beneath() {
        assert!(topic("cards").contains(&topic("cards")));
        assert!(topic("cards").contains(&topic("cards/lost")));
        assert!(!topic("cards/lost").contains(&topic("cards")));
        assert!(!topic("card").contains(&topic("cards")));
        let path: Vec<_> = topic("a/b/c").and_ancestors().collect();
        assert_eq!(path, [topic("a/b/c"), topic("a/b"), topic("a")]);
    }

    #[test]
    fn topics_at_the_boundary() {
        let longest = "a".repeat(48);
        assert!(format!("{longest}/b/c/d").parse::<Topic>().is_ok());
        for bad in ["", "/", "a/", "/a", "a//b", "a/b/c/d/e", "Cards", "-a", "_a", "a b", "ä", &"a".repeat(49)] {
            assert_eq!(bad.parse::<Topic>(), Err(BadTopic), "{bad}");
        }
    }

    #[test]
    fn a_skill_covers_what_lies_beneath_at_its_level() {
        let skill = |name: &str, level| Skill { level, name: topic(name) };
        assert!(covers(&[skill("cards", 2)], &[skill("cards/lost", 2)]));
        assert!(!covers(&[skill("cards", 2)], &[skill("cards/lost", 3)]));
        assert!(!covers(&[skill("cards/lost", 9)], &[skill("cards", 1)]));
        assert!(covers(&[], &[]));
    }
}
