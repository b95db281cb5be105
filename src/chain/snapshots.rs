//! Snapshots of the application's state at the tip and at a few heights below it. A reorganisation that
//! disconnects `d` blocks replays O(d) blocks, and the number of snapshots in memory is O(log height). The
//! states in the store are thinned out by a similar rule.

/// States by height.
#[derive(Clone, Debug)]
pub(super) struct Snapshots<S> {
    /// The states below the tip, by ascending height.
    below: Vec<(u64, S)>,
    tip: (u64, S),
}

impl<S> Snapshots<S> {
    /// Snapshots for a tip at `height` with this state, and none below.
    pub(super) const fn new(height: u64, state: S) -> Self {
        Self { below: Vec::new(), tip: (height, state) }
    }

    pub(super) const fn tip(&self) -> &S {
        &self.tip.1
    }

    /// The highest snapshot at or below `height`, and its height; `None` if all snapshots are higher.
    pub(super) fn at_or_below(&self, height: u64) -> Option<(u64, &S)> {
        if self.tip.0 <= height {
            return Some((self.tip.0, &self.tip.1));
        }
        let after = self.below.partition_point(|(at, _)| *at <= height);
        let (at, state) = &self.below[after.checked_sub(1)?];
        Some((*at, state))
    }

    /// Adds the state after the next block, and drops the snapshots that the new tip does not need.
    pub(super) fn push(&mut self, state: S) {
        let tip = self.tip.0 + 1;
        self.below.push(core::mem::replace(&mut self.tip, (tip, state)));
        self.below.retain(|(at, _)| is_kept(*at, tip));
    }
}

impl<S: Clone> Snapshots<S> {
    /// The snapshots below `height`, for a chain that ends at `height` with `state`.
    pub(super) fn rewound(&self, height: u64, state: S) -> Self {
        let below = self.below.iter().filter(|(at, _)| *at < height).cloned().collect();
        Self { below, tip: (height, state) }
    }
}

/// Whether the snapshot at `height` is kept for a tip at `tip`: at depths from `2^k` to below `2^(k+1)`, the
/// heights that are multiples of `2^(k-1)` are. Each interval `[d, 2d]` of depths within the chain then has a
/// snapshot.
const fn is_kept(height: u64, tip: u64) -> bool {
    let depth = tip - height;
    depth == 0 || height.is_multiple_of(1 << depth.ilog2().saturating_sub(1))
}

/// The heights to drop from these ascending ones below `tip`: a height is dropped if the depth of its lower
/// neighbour is at most twice the depth of the next higher one that is kept. The highest and the lowest
/// height are kept. Of three consecutive heights that remain, the outer depths differ by more than a factor
/// of two. As the tip grows, going back `d` blocks costs a replay of O(d) blocks, or of as many as there are
/// between two stored states, and few states remain.
pub(super) fn superfluous(heights: &[u64], tip: u64) -> Vec<u64> {
    let mut dropped = Vec::new();
    let mut next_kept = tip;
    for (index, height) in heights.iter().enumerate().rev() {
        let below = index.checked_sub(1).map(|index| heights[index]);
        match below {
            Some(below) if next_kept < tip && tip - below <= 2 * (tip - next_kept) => dropped.push(*height),
            _ => next_kept = *height,
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grown(tip: u64) -> Snapshots<u64> {
        let mut snapshots = Snapshots::new(0, 0);
        for height in 1..=tip {
            snapshots.push(height);
        }
        snapshots
    }

    #[test]
    fn going_back_replays_in_the_order_of_the_depth() {
        let snapshots = grown(5_000);
        for depth in 0..=5_000 {
            let height = 5_000 - depth;
            let (at, state) = snapshots.at_or_below(height).unwrap();
            assert_eq!(*state, at);
            assert!(height - at <= depth, "depth {depth} replays {}", height - at);
        }
        assert!(snapshots.below.len() <= 3 * 13, "{} states", snapshots.below.len());
    }

    #[test]
    fn the_states_of_the_store_thin_out_with_depth() {
        let mut heights: Vec<u64> = Vec::new();
        for tip in 1..=20_000 {
            if tip % 10 == 0 {
                let dropped = superfluous(&heights, tip);
                heights.retain(|height| !dropped.contains(height));
                heights.push(tip);
            }
            for pair in heights.windows(2) {
                let (old, new) = (tip - pair[0], tip - pair[1]);
                assert!(old <= 2 * new + 20, "from {old} to {new} at {tip}");
            }
        }
        assert!(heights.len() < 40, "{heights:?}");
        assert!(heights[0] <= 10_000, "{heights:?}");
    }

    proptest! {
        #[test]
        fn reorgs_leave_no_state_of_the_old_branch(
            reorgs in prop::collection::vec((0u64..40, 1usize..60), 1..30),
        ) {
            let mut snapshots = grown(50);
            let mut chain: Vec<u64> = (0..=50).collect();
            for (label, (depth, len)) in reorgs.into_iter().enumerate() {
                let fork = (chain.len() as u64 - 1).saturating_sub(depth);
                chain.truncate(usize::try_from(fork).unwrap() + 1);
                snapshots = snapshots.rewound(fork, *chain.last().unwrap());
                for state in (0..len as u64).map(|i| (label as u64 + 1) * 1_000 + i) {
                    chain.push(state);
                    snapshots.push(state);
                }
                prop_assert_eq!(snapshots.tip(), chain.last().unwrap());
                for height in 0..chain.len() as u64 {
                    let (at, state) = snapshots.at_or_below(height).unwrap();
                    prop_assert!(at <= height);
                    prop_assert_eq!(*state, chain[usize::try_from(at).unwrap()]);
                }
            }
        }
    }
}
