//! How much a chain keeps.

/// How much a chain keeps, and where its bounds are.
///
/// Bytes of memory are those of [`Block::memory_size`](crate::Block::memory_size): blocks, their transactions and what
/// [`Transaction::heap_size`](crate::Transaction::heap_size) says of them. What an allocator adds to a small piece is
/// not counted. With it, what is kept takes at most three times the limit of resident memory; it is the most for
/// transactions of a text of one byte, and close to the limit for long ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainConfig {
    /// Blocks that wait for an unknown parent. Default: 64.
    pub max_orphans: usize,
    /// Bytes of memory of all blocks that wait for an unknown parent. Default: 16 MiB.
    pub max_orphan_bytes: usize,
    /// Headers that are not on the best chain: side branches, and headers whose bodies are still to come. A
    /// fork longer than this cannot be overcome. Default: 65,536, about 35 MiB.
    pub max_side_headers: usize,
    /// Bytes of the bodies that are not on the best chain: of memory for those that wait for an ancestor's body,
    /// canonical ones for those in the store. A fork with more canonical bytes cannot be overcome; bodies that
    /// wait are forgotten for the one that they wait for, and when no connected peer leads to them. Default:
    /// 256 MiB.
    pub max_side_bytes: usize,
    /// Bytes of memory of the blocks that are kept because they were used lately. Default: 32 MiB.
    pub max_cached_bytes: usize,
    /// Keeps the bodies of this many blocks at the end of the best chain, of the last one in any case, and of some
    /// more where the state needs them; older ones are removed, while all headers stay. A reorganisation that begins below what is kept is
    /// refused. Default: `None`, which keeps every body.
    pub keep_bodies: Option<u64>,
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
}
