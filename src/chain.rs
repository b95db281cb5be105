//! L2: the chain. Validates headers and blocks, follows the branch with the most work, stores blocks, and
//! keeps the application's state at the tip. Has no clock, and does no I/O but that of its store: time comes
//! as an argument.

mod ancestry;
mod chain_store;
mod checkpoints;
mod config;
mod entry;
mod error;
mod format;
mod genesis;
mod headers;
mod import;
mod locator;
mod open;
mod orphans;
mod outcome;
mod persist;
mod prepare;
mod progress;
mod query;
mod snapshots;
mod template;
mod transactions;
mod tree;
mod verified;
mod verify;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::consensus::ChainSpec;
use crate::consensus::headers::BranchEnd;
use crate::primitives::{Block, Hash, Transaction};

use chain_store::ChainStore;
use checkpoints::Checkpoints;
pub use config::ChainConfig;
pub(crate) use entry::ChainEntry;
pub use error::{BlockError, FindError, HeadersError, OpenError, ProveError};
pub use format::FORMAT_VERSION;
use genesis::Genesis;
use orphans::Orphans;
pub use outcome::{Imported, Verdict};
pub use progress::Progress;
#[cfg(feature = "http")]
pub(crate) use query::BlockId;
use snapshots::Snapshots;
pub use transactions::TransactionPlace;
use tree::Tree;
pub use verified::VerifiedBlock;
pub use verify::{Verifier, VerifyError};

/// A proof-of-work blockchain.
///
/// The best chain is the branch with the most accumulated work; of branches with equal work, the one seen
/// first. Blocks can be imported in any order and any number of times. Blocks, headers and some states are
/// kept in a [`Store`](crate::Store). Memory holds the last rows of the best chain, the side branches, and a
/// bounded cache of recently used blocks. What an import reports is durable, and after a store error the
/// chain is as it was before the import.
///
/// ```
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
/// assert!(chain.import(block.into(), now)?.is_extension());
/// assert_eq!(chain.tip().data(), ["hello"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Blockchain<T: Transaction = String> {
    spec: ChainSpec,
    config: ChainConfig,
    store: ChainStore<T>,
    genesis: Genesis<T>,
    tip: Arc<Block<T>>,
    tree: Tree<T>,
    /// The side branch blocks that are in the store.
    stored_branches: BTreeSet<Hash>,
    /// The end of the best chain.
    end: BranchEnd,
    /// The ends of recently extended branches, most recent last.
    branch_ends: Vec<BranchEnd>,
    snapshots: Snapshots<T::State>,
    orphans: Orphans<T>,
    checkpoints: Checkpoints,
    /// The outcome of the current import so far.
    outcome: Imported<T>,
}

#[cfg(test)]
mod tests;
