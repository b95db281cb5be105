//! How much a chain keeps.

/// How much a chain keeps, and where its bounds are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainConfig {
    /// Blocks that wait for an unknown parent. Default: 64.
    pub max_orphans: usize,
    /// Canonical bytes of all blocks that wait for an unknown parent. Default: 16 MiB.
    pub max_orphan_bytes: usize,
    /// Headers that are not on the best chain: side branches, and headers whose bodies are still to come. A
    /// fork longer than this cannot be overcome. Default: 65,536, about 35 MiB.
    pub max_side_headers: usize,
    /// Canonical bytes of the bodies that are not on the best chain. A fork whose bodies are larger cannot be
    /// overcome. Default: 256 MiB.
    pub max_side_bytes: usize,
    /// Canonical bytes of the blocks that are kept in memory because they were used lately. Default: 32 MiB.
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
