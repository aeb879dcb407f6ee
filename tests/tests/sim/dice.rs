//! Chance from a seed: SplitMix64. The same seed throws the same numbers, on every machine and for ever.
//!
//! Deliberately not here: anything from the operating system.

#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x6a09_e667_f3bc_c908)
    }
    /// Other dice, which throw on their own from here.
    pub fn split(&mut self) -> Dice {
        Dice(self.word())
    }
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
    /// Below `sides`.
    pub fn throw(&mut self, sides: usize) -> usize {
        (self.word() % sides as u64) as usize
    }
    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.word() % (most - least + 1) as u64) as i64
    }
    pub fn percent(&mut self, percent: usize) -> bool {
        self.throw(100) < percent
    }
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.throw(from.len())].clone()) }
    }
    /// One of what there is for sure.
    pub fn one<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.throw(from.len())].clone()
    }
    /// Mostly one of the last few: what was just made matters most.
    pub fn recent<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let reach = if self.percent(20) { from.len() } else { from.len().min(4) };
        if reach == 0 { None } else { Some(from[from.len() - 1 - self.throw(reach)].clone()) }
    }
    /// An index, each as likely as its weight.
    pub fn weighed(&mut self, weights: &[usize]) -> usize {
        let mut left = self.throw(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!("what is left is below the sum")
    }
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_be_bytes());
        }
        bytes
    }
}
