//! A text as a sparse vector: words and pairs of words, and runs of 2 to 4 characters within words (a blank at each
//! end belongs to a word). A feature is known by a 64-bit hash of its kind and its characters, so a model holds
//! nobody's words.
//!
//! The same text gives the same bits on every machine: nothing here calls the platform's mathematics but `sqrt`,
//! which IEEE 754 makes exact, and sums run in one fixed order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Features of one kind are brought to length 1 on their own, so that a long text's many runs of characters do
/// not drown its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Words,
    Characters,
}

/// The largest run of characters.
const RUN_MAX: usize = 4;
const RUN_MIN: usize = 2;
/// How much the words weigh against the runs of characters, and so forth: both were chosen on held-out rows
/// (docs/adr/0022-topics.md).
pub(crate) const LENGTHS: [f32; 2] = [0.7, 1.0];

/// What is left of a text: its words in lower case, one blank around each.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 2);
    plain.push(' ');
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            // "can't" and "cant" are one word.
            '\'' | '\u{2019}' => {}
            letter if letter.is_alphanumeric() => plain.push(letter),
            _ if plain.ends_with(' ') => {}
            _ => plain.push(' '),
        }
    }
    if !plain.ends_with(' ') {
        plain.push(' ');
    }
    plain
}

/// FNV-1a, finished so that near texts lie far apart. Written here, since a model is read by later versions.
fn hash(kind: u8, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(kind);
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// Hands over the hash of every feature of a text, as often as it occurs.
pub(crate) fn each(text: &str, mut found: impl FnMut(Kind, u64)) {
    let plain = plain(text);
    let words: Vec<(usize, usize)> = {
        let mut words = Vec::new();
        let mut start = 1;
        for (at, _) in plain.match_indices(' ').skip(1) {
            words.push((start, at));
            start = at + 1;
        }
        words
    };
    for (at, (start, end)) in words.iter().enumerate() {
        found(Kind::Words, hash(1, &plain.as_bytes()[*start..*end]));
        if let Some((_, second)) = words.get(at + 1) {
            found(Kind::Words, hash(1, &plain.as_bytes()[*start..*second]));
        }
    }
    let mut starts: Vec<usize> = plain.char_indices().map(|(at, _)| at).collect();
    starts.push(plain.len());
    for first in 0..starts.len() {
        for length in RUN_MIN..=RUN_MAX {
            let Some(end) = starts.get(first + length) else { break };
            // A blank within it: it would reach into the next word.
            if length > RUN_MIN && plain.as_bytes()[starts[first + length - 2]] == b' ' {
                break;
            }
            found(Kind::Characters, hash(2, &plain.as_bytes()[starts[first]..*end]));
        }
    }
}

/// The hashes are already as good as any.
#[derive(Default)]
pub(crate) struct Same(u64);
impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole numbers are keys here");
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
pub(crate) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<Same>>;

/// The features that a model knows, each with its weight.
pub(crate) struct Vocabulary {
    /// In ascending order of hash; a feature's number is its place here.
    pub(crate) known: Vec<Known>,
    numbers: ByHash<u32>,
    /// The weight of what it does not know: that of its rarest.
    rarest: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) hash: u64,
    pub(crate) kind: Kind,
    /// How much it tells: the rarer the more.
    pub(crate) weight: f32,
}

/// A text's known features in ascending order of number.
pub(crate) type Sparse = Vec<(u32, f32)>;

impl Vocabulary {
    /// What occurs in at least `least` of the texts.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>, least: u32) -> Vocabulary {
        let mut seen: ByHash<(Kind, u32, u32)> = ByHash::default();
        let mut count = 0;
        for text in texts {
            count += 1;
            each(text, |kind, hash| {
                let (_, texts, last) = seen.entry(hash).or_insert((kind, 0, 0));
                *texts += u32::from(*last != count);
                *last = count;
            });
        }
        let weight = |texts: u32| 1.0 + ln((1.0 + f64::from(count)) / (1.0 + f64::from(texts)));
        let known = seen.into_iter().filter(|(_, (_, texts, _))| *texts >= least);
        let mut known: Vec<Known> =
            known.map(|(hash, (kind, texts, _))| Known { hash, kind, weight: weight(texts) as f32 }).collect();
        known.sort_unstable_by_key(|known| known.hash);
        Vocabulary::from_known(known)
    }

    pub(crate) fn from_known(known: Vec<Known>) -> Vocabulary {
        let numbers = known.iter().zip(0..).map(|(known, number)| (known.hash, number)).collect();
        let rarest = known.iter().fold(1.0_f32, |rarest, known| rarest.max(known.weight));
        Vocabulary { known, numbers, rarest }
    }

    pub(crate) fn number(&self, hash: u64) -> Option<u32> {
        self.numbers.get(&hash).copied()
    }

    pub(crate) fn weight(&self, hash: u64) -> f32 {
        self.number(hash).map_or(self.rarest, |number| self.known[number as usize].weight)
    }

    /// The vector, and which share of the text's features it holds.
    pub(crate) fn vector(&self, text: &str) -> (Sparse, f32) {
        let mut numbers: Vec<u32> = Vec::new();
        let mut unknown = 0_u32;
        each(text, |_, hash| match self.numbers.get(&hash) {
            Some(number) => numbers.push(*number),
            None => unknown += 1,
        });
        let share = numbers.len() as f32 / (numbers.len() as u32 + unknown).max(1) as f32;
        numbers.sort_unstable();
        let mut vector = Sparse::new();
        let mut lengths = [0.0_f32; 2];
        for same in numbers.chunk_by(|a, b| a == b) {
            let known = &self.known[same[0] as usize];
            let value = (1.0 + ln(same.len() as f64)) as f32 * known.weight;
            lengths[known.kind as usize] += value * value;
            vector.push((same[0], value));
        }
        for (number, value) in &mut vector {
            let kind = self.known[*number as usize].kind as usize;
            *value *= LENGTHS[kind] / lengths[kind].sqrt();
        }
        (vector, share)
    }
}

/// The natural logarithm of a number of at least 1, to about 15 digits, alike on every machine.
pub(crate) fn ln(x: f64) -> f64 {
    let mut mantissa = x;
    let mut twos = 0.0;
    while mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        twos += 1.0;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), and that lies within 0.1716 of zero.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut term = t;
    let mut sum = 0.0;
    for odd in (1..24).step_by(2) {
        sum += term / f64::from(odd);
        term *= square;
    }
    twos * std::f64::consts::LN_2 + 2.0 * sum
}
