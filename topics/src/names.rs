//! Subjects by their names alone, where nothing was trained: a question that says "I lost my card" is about
//! `cards/lost`. Each word of the name looks for a word like it in the question.

/// A subject counts from here on: three of four of its letters are in the question.
const ENOUGH: f32 = 0.75;
/// Two words are the same from here on: `card` and `cards`, `transfer` and `transferred`.
const ALIKE: f32 = 0.6;
/// Words of a question that are looked at.
const WORDS_MAX: usize = 100;

/// The names that fit, the best first; equal ones in their own order. A name is words between anything that is no
/// letter or digit. Longer names that fit say more than shorter ones: they stand first.
pub fn fitting<'a>(question: &str, names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, f32)> {
    let mut asked = words(question);
    asked.truncate(WORDS_MAX);
    let mut fitting: Vec<(&str, f32, usize)> = Vec::new();
    for name in names {
        let wanted = words(name);
        let letters: usize = wanted.iter().map(|word| word.chars().count()).sum();
        let there = |word: &&String| asked.iter().any(|other| alike(word, other) >= ALIKE);
        let found: usize = wanted.iter().filter(there).map(|word| word.chars().count()).sum();
        let score = if letters == 0 { 0.0 } else { found as f32 / letters as f32 };
        if score >= ENOUGH {
            fitting.push((name, score, letters));
        }
    }
    fitting.sort_by(|a, b| (b.1 * b.2 as f32).total_cmp(&(a.1 * a.2 as f32)).then(a.0.cmp(b.0)));
    fitting.into_iter().map(|(name, score, _)| (name, score)).collect()
}

/// The words of a text in lower case.
pub fn words(text: &str) -> Vec<String> {
    let lower: String = text.to_lowercase().chars().filter(|c| !matches!(c, '\'' | '\u{2019}')).collect();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// How alike two words are, by their common beginning: what bends is the end.
fn alike(a: &str, b: &str) -> f32 {
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let (short, long) = (a.chars().count().min(b.chars().count()), a.chars().count().max(b.chars().count()));
    if common == long {
        return 1.0;
    }
    // Three letters are no stem: `car` is not `card`.
    if common < 4 || common + 1 < short { 0.0 } else { common as f32 / long as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first<'a>(question: &str, names: &[&'a str]) -> Option<&'a str> {
        fitting(question, names.iter().copied()).first().map(|(name, _)| *name)
    }

    #[test]
    fn a_subject_is_found_by_its_words() {
        let names = ["cards", "cards/lost", "transfers", "refund-policy"];
        assert_eq!(first("I lost my card!", &names), Some("cards/lost"));
        assert_eq!(first("a card, please", &names), Some("cards"));
        assert_eq!(first("It was transferred twice", &names), Some("transfers"));
        assert_eq!(first("my car is broken", &names), None);
        assert_eq!(first("what a day", &names), None);
        assert_eq!(first("", &names), None);
        // Half of a name is not the name.
        assert_eq!(first("where is my refund", &names), None);
        assert_eq!(first("what is your refund policy", &names), Some("refund-policy"));
    }
}
