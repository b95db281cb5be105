//! What the store holds besides blocks: states from time to time, and how far bodies are pruned.

/// The states in the store, and how far its bodies are pruned.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    /// The heights of the states in the store, ascending. Genesis is not among them, because its state is
    /// computed from the spec.
    pub(super) states: Vec<u64>,
    /// The size of the last stored state in bytes.
    pub(super) state_bytes: usize,
    /// Canonical bytes of the blocks above the last stored state.
    pub(super) replay_bytes: usize,
    /// The bodies from height 1 up to this height have been pruned.
    pub(super) pruned: u64,
    /// The lowest height whose transactions the index has; `None` without an index.
    pub(super) indexed_from: Option<u64>,
    /// The height of a state that was read back successfully before pruning.
    pub(super) readable: Option<u64>,
    /// Whether memory differs from the store: a commit failed, and so did the reload after it.
    pub(super) is_stale: bool,
}

impl Checkpoints {
    /// The lowest height whose state the chain can restore.
    pub(super) fn base(&self) -> u64 {
        if self.pruned == 0 {
            return 0;
        }
        self.states.iter().copied().find(|height| *height >= self.pruned).unwrap_or(self.pruned)
    }
}
