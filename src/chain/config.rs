//! The limits of a chain.

/// The limits of a chain: what it keeps in memory and in its store.
///
/// Bytes of memory are those of [`Block::memory_size`](crate::Block::memory_size): blocks, their
/// transactions, and the [`Transaction::heap_size`](crate::Transaction::heap_size) of each. Allocator
/// overhead is not counted; with it, resident memory is at most three times the limit. The worst case is
/// transactions of one byte of text; for long texts, resident memory is close to the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainConfig {
    /// The maximum number of orphans: blocks with an unknown parent. Default: 64.
    pub max_orphans: usize,
    /// Bytes of memory of all orphans. Default: 16 MiB.
    pub max_orphan_bytes: usize,
    /// Headers that are not on the best chain: side branches, and headers whose bodies are missing. The chain
    /// cannot switch to a fork that is longer. Default: 65,536, about 35 MiB.
    pub max_side_headers: usize,
    /// Size of the bodies that are not on the best chain: bytes of memory of pending bodies, which lack the
    /// body of an ancestor; canonical bytes of those in the store. The chain cannot switch to a fork with
    /// more canonical bytes. Pending bodies are evicted to store the missing body, and when no connected peer
    /// has their branch. Default: 256 MiB.
    pub max_side_bytes: usize,
    /// Bytes of memory of the cache of recently used blocks. Default: 32 MiB.
    pub max_cached_bytes: usize,
    /// Keeps the bodies of this many blocks at the end of the best chain (at least that of the tip), and of
    /// some more if the state needs them. Older bodies are deleted, while all headers stay. A reorganisation
    /// that begins below the kept bodies is refused. Default: `None`, which keeps every body.
    pub keep_bodies: Option<u64>,
    /// Keeps an index from the ids of transactions to their blocks, for
    /// [`Blockchain::find_transaction`](crate::Blockchain::find_transaction). It takes some 60 bytes for each
    /// transaction in a file, and 70 in a store in memory. A chain that is opened with it for the first time, or
    /// after a program has written without it, reads the blocks that the index lacks. Default: `false`.
    pub index_transactions: bool,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            max_orphans: 64,
            max_orphan_bytes: 16 << 20,
            max_side_headers: 1 << 16,
            max_side_bytes: 256 << 20,
            max_cached_bytes: 32 << 20,
            keep_bodies: None,
            index_transactions: false,
        }
    }
}

impl ChainConfig {
    /// Sets [`max_orphans`](Self::max_orphans).
    #[must_use]
    pub const fn with_max_orphans(mut self, blocks: usize) -> Self {
        self.max_orphans = blocks;
        self
    }

    /// Sets [`max_orphan_bytes`](Self::max_orphan_bytes).
    #[must_use]
    pub const fn with_max_orphan_bytes(mut self, bytes: usize) -> Self {
        self.max_orphan_bytes = bytes;
        self
    }

    /// Sets [`max_side_headers`](Self::max_side_headers).
    #[must_use]
    pub const fn with_max_side_headers(mut self, headers: usize) -> Self {
        self.max_side_headers = headers;
        self
    }

    /// Sets [`max_side_bytes`](Self::max_side_bytes).
    #[must_use]
    pub const fn with_max_side_bytes(mut self, bytes: usize) -> Self {
        self.max_side_bytes = bytes;
        self
    }

    /// Sets [`max_cached_bytes`](Self::max_cached_bytes).
    #[must_use]
    pub const fn with_max_cached_bytes(mut self, bytes: usize) -> Self {
        self.max_cached_bytes = bytes;
        self
    }

    /// Sets [`keep_bodies`](Self::keep_bodies).
    #[must_use]
    pub const fn with_keep_bodies(mut self, blocks: Option<u64>) -> Self {
        self.keep_bodies = blocks;
        self
    }

    /// Sets [`index_transactions`](Self::index_transactions).
    #[must_use]
    pub const fn with_index_transactions(mut self, index: bool) -> Self {
        self.index_transactions = index;
        self
    }
}
