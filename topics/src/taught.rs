//! What is learned while questions come in: corrections on top of a model, or on top of nothing.
//!
//! A confirmed question moves its own label up and the best other one down, where that was not led already, and no
//! others (passive-aggressive updates on the same features). Taught in the same order, the same questions give the
//! same scores. To forget somebody's question, teach anew without it.

use crate::features::{ByHash, Kind, LENGTHS, Sparse, each, ln};
use crate::model::{Model, Verdict, ranked, standing};
use std::sync::Arc;

/// By how much the label of a question leads the next one; half of what lacks is made good at once.
const LEAD: f32 = 0.5;
/// Where the next one lies at least: labels that nothing speaks for lie at -1.
const NOBODY: f32 = -0.5;
/// Where nothing was trained: what a question reaches that the best label, known in half of it, is meant by.
const THRESHOLD_OF_NOTHING: f32 = 1.0;

#[derive(Clone)]
pub struct Taught {
    base: Option<Arc<Model>>,
    labels: Vec<String>,
    /// The changes of each feature, by label. How likely a label is on its own stays as trained: questions come in
    /// runs of one subject.
    changes: ByHash<Vec<(u32, f32)>>,
    lessons: u64,
}

/// What one question changed, to take it back by: its labels, and by how much each moved.
#[derive(Clone, Debug)]
pub struct Lesson(Vec<(u32, f32)>);

impl Taught {
    pub fn new(base: Option<Arc<Model>>) -> Taught {
        let labels = base.as_ref().map(|base| base.labels.clone()).unwrap_or_default();
        Taught { base, labels, changes: ByHash::default(), lessons: 0 }
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }
    /// The model's version, and how many lessons it has had since; one that was taken back was had.
    pub fn version(&self) -> String {
        format!("{}+{}", self.base.as_ref().map_or("none", |base| base.version()), self.lessons)
    }

    /// The features of a text with their values, whether anybody knows them or not.
    fn features(&self, text: &str) -> Vec<(u64, f32)> {
        let mut found: Vec<(u64, Kind)> = Vec::new();
        each(text, |kind, hash| found.push((hash, kind)));
        found.sort_unstable_by_key(|(hash, _)| *hash);
        let mut lengths = [0.0_f32; 2];
        let mut features = Vec::new();
        for same in found.chunk_by(|a, b| a.0 == b.0) {
            let (hash, kind) = same[0];
            let weight = self.base.as_ref().map_or(1.0, |base| base.vocabulary.weight(hash));
            let value = (1.0 + ln(same.len() as f64)) as f32 * weight;
            lengths[kind as usize] += value * value;
            features.push((hash, kind, value));
        }
        let scaled = |(hash, kind, value): (u64, Kind, f32)| {
            (hash, value * LENGTHS[kind as usize] / lengths[kind as usize].sqrt())
        };
        features.into_iter().map(scaled).collect()
    }

    fn scores(&self, text: &str, features: &[(u64, f32)]) -> (Vec<f32>, f32) {
        let (mut scores, known) = match &self.base {
            Some(base) => {
                let (vector, _): (Sparse, f32) = base.vocabulary.vector(text);
                (base.weights.scores(&vector), Some(&base.vocabulary))
            }
            None => (Vec::new(), None),
        };
        // A label that the model has not: it lies where a label lies that nothing speaks for.
        scores.resize(self.labels.len(), -1.0);
        let mut familiar = 0_u32;
        for (hash, value) in features {
            let changes = self.changes.get(hash);
            familiar += u32::from(changes.is_some() || known.is_some_and(|known| known.number(*hash).is_some()));
            for (label, change) in changes.into_iter().flatten() {
                scores[*label as usize] += value * change;
            }
        }
        (scores, familiar as f32 / features.len().max(1) as f32)
    }

    pub fn classify(&self, text: &str, first: usize) -> Verdict {
        let features = self.features(text);
        let (scores, share) = self.scores(text, &features);
        let threshold = self.base.as_ref().map_or(THRESHOLD_OF_NOTHING, |base| base.threshold);
        let in_scope = share > 0.0 && !scores.is_empty() && standing(&scores, share) >= threshold;
        Verdict { in_scope, ranked: ranked(&scores, first) }
    }

    /// A question is about these labels, as somebody found who dealt with it. Unknown ones are new labels. `None`: it
    /// has no words, or no label.
    pub fn teach(&mut self, text: &str, labels: &[String]) -> Option<Lesson> {
        let mut meant = Vec::new();
        for label in labels {
            let at = self.labels.iter().position(|known| known == label).unwrap_or_else(|| {
                self.labels.push(label.clone());
                self.labels.len() - 1
            });
            meant.push(at);
        }
        let features = self.features(text);
        if features.is_empty() || meant.is_empty() {
            return None;
        }
        let (scores, _) = self.scores(text, &features);
        let square = features.iter().map(|(_, value)| value * value).sum::<f32>();
        let mut steps: Vec<(u32, f32)> = Vec::new();
        let rivals = (0..scores.len()).filter(|at| !meant.contains(at));
        let rival = rivals.max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
        let to_beat = rival.map_or(NOBODY, |rival| scores[rival].max(NOBODY));
        for at in meant {
            let miss = to_beat + LEAD - scores[at];
            if miss > 0.0 {
                let step = miss / (2.0 * square);
                steps.push((at as u32, step));
                if let Some(rival) = rival.filter(|rival| scores[*rival] > NOBODY) {
                    steps.push((rival as u32, -step));
                }
            }
        }
        self.lessons += 1;
        self.change(&features, &steps, 1.0);
        Some(Lesson(steps))
    }

    /// The same question was about something else: what it changed is changed back. What others were taught meanwhile
    /// stays as it was taught.
    pub fn take_back(&mut self, text: &str, lesson: &Lesson) {
        let features = self.features(text);
        self.change(&features, &lesson.0, -1.0);
    }

    fn change(&mut self, features: &[(u64, f32)], steps: &[(u32, f32)], sign: f32) {
        for (hash, value) in features {
            let changes = self.changes.entry(*hash).or_default();
            for (label, step) in steps {
                let change = sign * value * step;
                match changes.iter_mut().find(|(other, _)| other == label) {
                    Some((_, known)) => *known += change,
                    None => changes.push((*label, change)),
                }
            }
        }
    }
}
