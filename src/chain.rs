//! L2: the chain. Keeps every known header, validates what arrives, follows the branch with the most work and
//! holds the application's state at its tip. No clock, no I/O: time comes as an argument.

mod import;
mod locator;
mod orphans;
mod progress;
mod query;
mod snapshots;
mod template;
mod tree;
mod verify;

use std::sync::Arc;

use crate::consensus::ChainSpec;
use crate::primitives::merkle::{self, CompactRange, HistoryTree};
use crate::primitives::{Hash, Header, Target, Transaction, Work};

pub use import::Imported;
use orphans::Orphans;
pub use progress::Progress;
use snapshots::Snapshots;
use tree::Tree;
pub use verify::{Verifier, VerifyError};

/// A proof-of-work blockchain in memory.
///
/// It follows the branch with the most accumulated work, the first seen of equals, and can be given blocks in
/// any order and any number of times.
///
/// ```
/// use hashloom::{Blockchain, ChainSpec, Imported, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
/// assert!(matches!(chain.import(block.into(), now)?, Imported::Extended { .. }));
/// assert_eq!(chain.tip().data(), ["hello"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Blockchain<T: Transaction = String> {
    spec: ChainSpec,
    config: ChainConfig,
    tree: Tree<T>,
    /// The hashes of the best chain as the leaves of a tree.
    history: HistoryTree,
    /// History frontiers at the ends of recently extended branches, newest last.
    branch_ranges: Vec<(Hash, CompactRange)>,
    snapshots: Snapshots<T::State>,
    orphans: Orphans<T>,
}

/// How much a chain keeps beside its best branch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainConfig {
    /// Blocks that wait for an unknown parent. Default: 64.
    pub max_orphans: usize,
    /// Canonical bytes of all blocks that wait for an unknown parent. Default: 16 MiB.
    pub max_orphan_bytes: usize,
    /// Headers that are not on the best chain: side branches, and headers whose bodies are still to come. A
    /// fork longer than this cannot be overcome. Default: 65,536, about 20 MiB.
    pub max_side_headers: usize,
    /// Canonical bytes of the bodies that are not on the best chain. A fork whose bodies are larger cannot be
    /// overcome. Default: 256 MiB.
    pub max_side_bytes: usize,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            max_orphans: 64,
            max_orphan_bytes: 16 << 20,
            max_side_headers: 1 << 16,
            max_side_bytes: 256 << 20,
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
}

impl<T: Transaction> Blockchain<T> {
    /// A chain that holds the genesis block of `spec`.
    pub fn new(spec: ChainSpec) -> Self {
        Self::with_config(spec, ChainConfig::default())
    }

    /// A chain that holds the genesis block of `spec`, with bounds of your own.
    pub fn with_config(spec: ChainSpec, config: ChainConfig) -> Self {
        let genesis = Arc::new(spec.genesis::<T>());
        let mut history = HistoryTree::new();
        history.push(history_leaf(genesis.hash()));
        Self {
            tree: Tree::new(genesis, Header::LEN, work_of(spec.easiest_target())),
            history,
            branch_ranges: Vec::new(),
            snapshots: Snapshots::new(T::State::default()),
            orphans: Orphans::new(config.max_orphans, config.max_orphan_bytes),
            spec,
            config,
        }
    }
}

/// A block's leaf in the history tree.
fn history_leaf(hash: &Hash) -> Hash {
    merkle::leaf_hash(hash.as_bytes())
}

/// The work of one block. A target that stands for no number is refused before anybody asks for its work.
fn work_of(target: crate::CompactTarget) -> Work {
    Target::try_from(target).map_or(Work::ZERO, Work::from)
}

#[cfg(test)]
mod tests;
