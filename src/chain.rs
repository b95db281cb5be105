//! L2: the chain. Validates what arrives, follows the branch with the most work, keeps blocks in a store and the
//! application's state at the tip. No clock, and no I/O but the store's: time comes as an argument.

mod ancestry;
mod config;
mod error;
mod extend;
mod ids;
mod import;
mod imported;
mod locator;
mod open;
mod orphans;
mod persist;
mod progress;
mod query;
mod records;
mod snapshots;
mod template;
mod tree;
mod verify;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::consensus::ChainSpec;
use crate::consensus::headers::{BranchEnd, history_leaf, work_of};
use crate::primitives::merkle::CompactRange;
use crate::primitives::{Block, Hash, Transaction};

use ancestry::Next;
pub use config::ChainConfig;
pub use error::{OpenError, ProveError};
use ids::Ids;
use imported::Moves;
pub use imported::{Imported, ImportedAll, Verdict};
pub use open::FORMAT_VERSION;
use open::Genesis;
use orphans::Orphans;
use persist::Upkeep;
pub use progress::Progress;
pub(crate) use records::Known;
use records::Records;
use snapshots::Snapshots;
use tree::Tree;
pub use verify::{Verifier, VerifyError};

/// A proof-of-work blockchain.
///
/// It follows the branch with the most accumulated work, the first seen of equals, and can be given blocks in
/// any order and any number of times. Blocks, headers and some states are kept in a [`Store`](crate::Store); in
/// memory are the end of the chain, what stands beside it, and a bounded number of blocks that were used lately.
/// What an import reports is durable, and after an error of the store the chain is as it was before the import.
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
#[derive(Debug)]
pub struct Blockchain<T: Transaction = String> {
    spec: ChainSpec,
    config: ChainConfig,
    records: Records<T>,
    genesis: Genesis<T>,
    tip: Arc<Block<T>>,
    tree: Tree<T>,
    /// Those of the blocks beside the best chain that the store has.
    stored_branches: BTreeSet<Hash>,
    /// The frontier of the tree whose leaves are the hashes of the best chain.
    history: CompactRange,
    /// The ends of recently extended branches, newest last.
    branch_ends: Vec<BranchEnd>,
    snapshots: Snapshots<T::State>,
    orphans: Orphans<T>,
    upkeep: Upkeep,
    next: Next,
    /// How the best chain has changed in the import under way.
    moves: Moves<T>,
    ids: Ids,
}

#[cfg(test)]
mod tests;
