//! One against the rest, for all classes at once: dual coordinate descent for the L2-loss support vector machine
//! (Hsieh et al., 2008). Weights lie by feature, the classes beside each other, so a text touches each of its
//! features' rows once for all classes.

use crate::features::Sparse;

/// Rows of `classes` numbers, one per feature, and a last one for the constant feature.
pub(crate) struct Weights {
    pub(crate) classes: usize,
    pub(crate) rows: Vec<f32>,
}

impl Weights {
    pub(crate) fn scores(&self, vector: &Sparse, scores: &mut Vec<f32>) {
        scores.clear();
        scores.extend_from_slice(&self.rows[self.rows.len() - self.classes..]);
        for (number, value) in vector {
            let at = *number as usize * self.classes;
            for (score, weight) in scores.iter_mut().zip(&self.rows[at..at + self.classes]) {
                *score += value * weight;
            }
        }
    }
}

pub(crate) struct Settings {
    /// What an error costs.
    pub(crate) c: f32,
    pub(crate) rounds: u32,
}

/// A small generator with a fixed seed: the order of the texts is the same on every machine.
pub(crate) struct Dice(pub(crate) u64);
impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
    pub(crate) fn shuffle(&mut self, order: &mut [u32]) {
        for at in (1..order.len()).rev() {
            order.swap(at, self.below(at + 1));
        }
    }
}

/// `labels`: the class of each text; a number that is no class is a text of none of them.
pub(crate) fn train(
    vectors: &[Sparse],
    labels: &[u32],
    classes: usize,
    features: usize,
    settings: &Settings,
) -> Weights {
    let mut weights = Weights { classes, rows: vec![0.0; (features + 1) * classes] };
    let mut alphas = vec![0.0_f32; vectors.len() * classes];
    let diagonal = 0.5 / settings.c;
    let squares: Vec<f32> =
        vectors.iter().map(|v| 1.0 + v.iter().map(|(_, x)| x * x).sum::<f32>() + diagonal).collect();
    let mut order: Vec<u32> = (0..vectors.len() as u32).collect();
    let mut dice = Dice(1);
    let mut scores = Vec::new();
    let mut steps: Vec<(u32, f32)> = Vec::new();
    let mut change = vec![0.0_f32; classes];
    for _ in 0..settings.rounds {
        dice.shuffle(&mut order);
        let mut largest = 0.0_f32;
        for at in &order {
            let at = *at as usize;
            let vector = &vectors[at];
            weights.scores(vector, &mut scores);
            let mine = labels[at] as usize;
            let alphas = &mut alphas[at * classes..(at + 1) * classes];
            steps.clear();
            for class in 0..classes {
                let sign = if class == mine { 1.0 } else { -1.0 };
                let alpha = alphas[class];
                let gradient = sign * scores[class] - 1.0 + diagonal * alpha;
                let next = (alpha - gradient / squares[at]).max(0.0);
                let step = next - alpha;
                if step.abs() > 1e-3 {
                    alphas[class] = next;
                    steps.push((class as u32, sign * step));
                    largest = largest.max(step.abs());
                }
            }
            if steps.len() * 6 < classes {
                for (number, value) in vector.iter().chain([&(features as u32, 1.0)]) {
                    let row = *number as usize * classes;
                    for (class, step) in &steps {
                        weights.rows[row + *class as usize] += step * value;
                    }
                }
            } else {
                change.fill(0.0);
                for (class, step) in &steps {
                    change[*class as usize] = *step;
                }
                for (number, value) in vector.iter().chain([&(features as u32, 1.0)]) {
                    let row = *number as usize * classes;
                    for (weight, step) in weights.rows[row..row + classes].iter_mut().zip(&change) {
                        *weight += step * value;
                    }
                }
            }
        }
        if largest < 0.02 {
            break;
        }
    }
    weights
}
