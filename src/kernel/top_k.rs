//! The best few of many scores.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Keeps the `limit` best scores it is shown: higher scores first (in the total order of floats), of equal
/// ones the smaller index. NaN is never kept.
#[derive(Debug, Clone)]
pub(crate) struct TopK {
    limit: usize,
    kept: BinaryHeap<Kept>,
}

/// One kept score. Its order is "worse than", so that the heap's top is the next to go.
#[derive(Debug, Clone, Copy)]
struct Kept {
    score: f32,
    index: u32,
}

impl TopK {
    /// Keeps the best `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        // A caller's limit may be "everything": memory grows with what is kept, not with what is asked.
        Self { limit, kept: BinaryHeap::with_capacity(limit.min(1_024)) }
    }

    /// Whether a score could still be kept. At a tie with the worst kept one, its index decides.
    pub(crate) fn would_keep(&self, score: f32) -> bool {
        !score.is_nan() && self.worst().is_none_or(|worst| score.total_cmp(&worst).is_ge())
    }

    /// The score that the next one must reach, once there are `limit` of them.
    pub(crate) fn worst(&self) -> Option<f32> {
        let full = self.kept.len() >= self.limit;
        // A limit of 0 keeps nothing, whatever its score.
        full.then(|| self.kept.peek().map_or(f32::INFINITY, |worst| worst.score))
    }

    /// Shows it a score.
    pub(crate) fn push(&mut self, score: f32, index: u32) {
        if score.is_nan() {
            return;
        }
        let shown = Kept { score, index };
        if self.kept.len() < self.limit {
            self.kept.push(shown);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && shown < *worst
        {
            *worst = shown;
        }
    }

    /// The kept scores with their indices, best first.
    pub(crate) fn into_sorted(self) -> Vec<(f32, u32)> {
        self.kept.into_sorted_vec().into_iter().map(|kept| (kept.score, kept.index)).collect()
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Kept {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SplitMix64;

    #[test]
    fn it_agrees_with_sorting_everything() {
        let mut random = SplitMix64::new(11);
        for limit in [0, 1, 2, 7, 50, usize::MAX] {
            // Few distinct values, both zeros and NaN among them, so that ties abound.
            let pool = [0.0, -0.0, 1.0, -1.0, 0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            let shown: Vec<(f32, u32)> = (0..40).map(|index| (pool[random.below(8)], index)).collect();
            let mut top = TopK::new(limit);
            for &(score, index) in shown.iter().rev() {
                let before = top.clone().into_sorted();
                let would_keep = top.would_keep(score);
                top.push(score, index);
                let kept = format!("{:?}", top.clone().into_sorted()) != format!("{before:?}");
                assert!(would_keep || !kept, "{score} was kept against the announcement");
            }
            let mut sorted: Vec<_> = shown.into_iter().filter(|(score, _)| !score.is_nan()).collect();
            sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            sorted.truncate(limit);
            // As text, because the zeros must agree in their sign.
            assert_eq!(format!("{:?}", top.into_sorted()), format!("{sorted:?}"));
        }
    }
}
