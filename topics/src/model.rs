//! What is learned from labelled questions, and what it says of a new one.
//!
//! A question is out of scope where its standing (`standing`) lies under a threshold. Five models, each of four
//! fifths of the questions, are asked about the fifth that they have not seen, and the threshold is where
//! `REJECTED` of those lie under it. The questions that are known to be out of scope teach every label what it is
//! not.
//!
//! The same questions in the same order give the same bytes. Weights are kept in one byte each, with a scale for
//! each feature: all that is said of a model, its threshold too, is of those.

use crate::features::{Sparse, Vocabulary};
use crate::svm::{self, Settings, Weights};

/// A question to learn from; `None` is a question that is out of scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub text: String,
    pub label: Option<u32>,
}

/// The share of questions in scope that are taken for questions out of scope.
pub const REJECTED: f32 = 0.04;

const PARTS: usize = 5;
const COST: f32 = 1.0;
const ROUNDS: u32 = 20;
/// The parts' models are asked for one number only, and that has settled by then.
const ROUNDS_OF_PARTS: u32 = 8;

pub struct Model {
    pub(crate) labels: Vec<String>,
    pub(crate) threshold: f32,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) weights: Bytes,
    /// Sixteen hexadecimal digits of the checksum: models that differ have different ones.
    pub(crate) version: String,
}

/// Weights in a byte each: a row for each feature, with its scale, and the constant feature's as they are.
pub(crate) struct Bytes {
    pub(crate) classes: usize,
    pub(crate) scales: Vec<f32>,
    pub(crate) rows: Vec<i8>,
    pub(crate) constant: Vec<f32>,
}

impl Bytes {
    fn of(weights: &Weights) -> Bytes {
        let features = weights.rows.len() / weights.classes - 1;
        let mut scales = Vec::with_capacity(features);
        let mut rows = Vec::with_capacity(features * weights.classes);
        for row in weights.rows[..features * weights.classes].chunks_exact(weights.classes) {
            let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            let scale = largest / 127.0;
            scales.push(scale);
            rows.extend(row.iter().map(|weight| if scale > 0.0 { (weight / scale).round() as i8 } else { 0 }));
        }
        let constant = weights.rows[features * weights.classes..].to_vec();
        Bytes { classes: weights.classes, scales, rows, constant }
    }

    pub(crate) fn scores(&self, vector: &Sparse) -> Vec<f32> {
        let mut scores = self.constant.clone();
        for (number, value) in vector {
            let at = *number as usize;
            let value = value * self.scales[at];
            let row = &self.rows[at * self.classes..(at + 1) * self.classes];
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * f32::from(*weight);
            }
        }
        scores
    }
}

/// How a question stands with its best label: the best score counts, its lead over the next, and how much of the
/// question is known at all.
pub(crate) fn standing(scores: &[f32], share: f32) -> f32 {
    let (mut best, mut next) = (-1.0_f32, -1.0_f32);
    for score in scores {
        if *score > best {
            (best, next) = (*score, best);
        } else {
            next = next.max(*score);
        }
    }
    best + 0.3 * (best - next) + 2.0 * share
}

/// What a model says of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the best label is meant; otherwise the question is about none of them.
    pub in_scope: bool,
    /// The labels by their score, the best first: 0 to 1.
    pub ranked: Vec<(u32, f32)>,
}

impl Model {
    /// `labels` have at least two examples each, and there are at least two of them (`table::Examples` sees to it).
    pub fn train(labels: Vec<String>, examples: &[Example]) -> Model {
        let parts = parts(examples, labels.len());
        let mut sums = Vec::new();
        for part in 0..PARTS {
            let seen: Vec<&Example> =
                (0..examples.len()).filter(|at| parts[*at] != part).map(|at| &examples[at]).collect();
            let (vocabulary, weights) = learn(&seen, &labels, ROUNDS_OF_PARTS);
            for (example, _) in
                examples.iter().zip(&parts).filter(|(example, at)| **at == part && example.label.is_some())
            {
                let (vector, share) = vocabulary.vector(&example.text);
                sums.push(standing(&weights.scores(&vector), share));
            }
        }
        sums.sort_unstable_by(f32::total_cmp);
        let threshold = sums.get((sums.len() as f32 * REJECTED) as usize).copied().unwrap_or(0.0);
        let (vocabulary, weights) = learn(&examples.iter().collect::<Vec<_>>(), &labels, ROUNDS);
        let mut model = Model { labels, threshold, vocabulary, weights, version: String::new() };
        model.version = crate::file::version(&model);
        model
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }
    /// Names the model: sixteen hexadecimal digits.
    pub fn version(&self) -> &str {
        &self.version
    }
    pub fn features(&self) -> usize {
        self.vocabulary.known.len()
    }

    /// At most `first` labels are ranked.
    pub fn classify(&self, text: &str, first: usize) -> Verdict {
        let (vector, share) = self.vocabulary.vector(text);
        let scores = self.weights.scores(&vector);
        let in_scope = !vector.is_empty() && standing(&scores, share) >= self.threshold;
        Verdict { in_scope, ranked: ranked(&scores, first) }
    }
}

/// The best `first`, by score and then by number. A score of the machine is shown between 0 and 1: at -1 and
/// below it is 0, at 1 and above 1.
pub(crate) fn ranked(scores: &[f32], first: usize) -> Vec<(u32, f32)> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    let better = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if first < order.len() {
        order.select_nth_unstable_by(first, better);
        order.truncate(first);
    }
    order.sort_unstable_by(better);
    order.into_iter().map(|at| (at, ((scores[at as usize] + 1.0) / 2.0).clamp(0.0, 1.0))).collect()
}

/// A label's name is one more question about it: `lost_or_stolen_card` says what a dozen examples may not.
fn learn(examples: &[&Example], labels: &[String], rounds: u32) -> (Vocabulary, Bytes) {
    let named = labels.iter().zip(0..).filter(|(name, _)| name.contains(char::is_alphabetic));
    let (mut texts, mut classes): (Vec<&str>, Vec<u32>) = named.map(|(name, class)| (&**name, class)).unzip();
    texts.extend(examples.iter().map(|example| &*example.text));
    classes.extend(examples.iter().map(|example| example.label.unwrap_or(u32::MAX)));
    let vocabulary = Vocabulary::of(texts.iter().copied(), 1);
    let vectors: Vec<Sparse> = texts.iter().map(|text| vocabulary.vector(text).0).collect();
    let settings = Settings { c: COST, rounds };
    let weights = svm::train(&vectors, &classes, labels.len(), vocabulary.known.len(), &settings);
    (vocabulary, Bytes::of(&weights))
}

/// The part of each example: the first fifth of each label's in the order of the file, the second and so on. Who
/// collects questions gets them from one person, or about one wording, one after the other; dealt out singly, the
/// parts would know each other's questions, and the threshold would lie too high for a stranger's.
fn parts(examples: &[Example], labels: usize) -> Vec<usize> {
    let label = |example: &Example| example.label.map_or(labels, |label| label as usize);
    let mut all = vec![0; labels + 1];
    examples.iter().for_each(|example| all[label(example)] += 1);
    let mut seen = vec![0; labels + 1];
    let part = |example: &Example| {
        let at = label(example);
        seen[at] += 1;
        (seen[at] - 1) * PARTS / all[at]
    };
    examples.iter().map(part).collect()
}
