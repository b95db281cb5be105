//! The settings of a mempool.

/// The limits of a mempool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MempoolConfig {
    /// The number of pending transactions. Default: 10,000.
    pub max_transactions: usize,
    /// The bytes of memory of all pending transactions. Each one counts as about 480 bytes, plus twice its
    /// `size_of`, plus its [`heap_size`](crate::Transaction::heap_size). The overhead of the allocator is not
    /// counted; with it, resident memory is at most three times this limit. Default: 16 MiB.
    pub max_bytes: usize,
    /// The number of ids of recently mined transactions that are remembered, so that a late relay is not
    /// mined twice. Meanwhile, every node with this setting refuses an equal transaction. Each takes at most
    /// 110 bytes of memory. Default: 50,000.
    pub max_mined_ids: usize,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self { max_transactions: 10_000, max_bytes: 16 << 20, max_mined_ids: 50_000 }
    }
}

impl MempoolConfig {
    /// Sets [`max_transactions`](Self::max_transactions).
    #[must_use]
    pub const fn with_max_transactions(mut self, transactions: usize) -> Self {
        self.max_transactions = transactions;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_mined_ids`](Self::max_mined_ids).
    #[must_use]
    pub const fn with_max_mined_ids(mut self, ids: usize) -> Self {
        self.max_mined_ids = ids;
        self
    }
}
