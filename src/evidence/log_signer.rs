//! The signer of a chain's own checkpoints.

use core::num::NonZeroU64;

use super::checkpoint::check_origin;
use super::{Checkpoint, IssueError, NoteError, NoteSigner, OriginError, SignedNote, stored};
use crate::chain::Blockchain;
use crate::primitives::{Hash, Transaction};
use crate::store::StoreError;

/// Signs checkpoints of a chain, and never two that contradict each other.
///
/// A checkpoint is signed only for blocks that lie below a number of others, the depth. The last signed checkpoint is in
/// the store of the chain, and durable before [`sign`](Self::sign) returns it. If a reorganisation replaces one of its
/// blocks, nothing more is signed unless the chain contains that block again.
///
/// # What this does not prevent
///
/// - A chain that is opened from an old backup of its store, or rebuilt without it, knows nothing of the checkpoints that
///   were signed since. If it takes another course there, the next checkpoint contradicts one of them. Auditors and
///   witnesses find that out.
/// - Two stores with one key are two logs, which contradict each other if their chains part for longer than the depth.
///   One store cannot be open twice, if it is [`Redb`](crate::store).
#[derive(Clone, Debug)]
pub struct LogSigner {
    key: NoteSigner,
    origin: String,
    depth: NonZeroU64,
}

/// The key of the last signed checkpoint in the store of its chain.
const KEY: &[u8] = b"signed checkpoint";

impl LogSigner {
    /// The default of [`with_depth`](Self::with_depth): 6 blocks.
    pub const DEFAULT_DEPTH: NonZeroU64 = NonZeroU64::new(6).unwrap();

    /// Signs with this key, whose name is the origin of the log.
    pub fn new(key: NoteSigner) -> Self {
        Self { origin: key.name().to_owned(), key, depth: Self::DEFAULT_DEPTH }
    }

    /// Sets the origin of the log, if it is not the name of the key.
    ///
    /// # Errors
    ///
    /// [`OriginError`] if no checkpoint can have it.
    pub fn with_origin(mut self, origin: impl Into<String>) -> Result<Self, OriginError> {
        self.origin = origin.into();
        check_origin(&self.origin)?;
        Ok(self)
    }

    /// Sets how many blocks there have to be from the last block of a checkpoint to the tip, without counting the former.
    /// The larger, the less likely a reorganisation replaces a signed block.
    #[must_use]
    pub const fn with_depth(mut self, depth: NonZeroU64) -> Self {
        self.depth = depth;
        self
    }

    /// The origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key.
    pub const fn key(&self) -> &NoteSigner {
        &self.key
    }

    /// The last checkpoint that was signed for this chain, with any key; `None` if none was.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails or the checkpoint in it is damaged.
    pub fn last<T: Transaction>(
        chain: &Blockchain<T>,
    ) -> Result<Option<(Checkpoint, SignedNote)>, StoreError> {
        stored::read(chain, KEY)
    }

    /// Signs the largest checkpoint that lies deep enough. Returns the last one again if there is no larger one.
    ///
    /// Reads a value from the store, and commits one for each new checkpoint.
    ///
    /// # Errors
    ///
    /// - [`SignError::TooShort`] if the chain has no block that lies deep enough.
    /// - [`SignError::Contradiction`] or [`SignError::Behind`] if the chain does not contain the last signed checkpoint.
    /// - [`SignError::InMemory`] if the chain forgets what was signed when it is closed.
    /// - [`SignError::Store`] if the store fails, or the checkpoint in it is damaged. The new checkpoint counts as not
    ///   signed.
    pub fn sign<T: Transaction>(&self, chain: &mut Blockchain<T>) -> Result<SignedNote, SignError> {
        if chain.store().is_in_memory() {
            return Err(SignError::InMemory);
        }
        let last = Self::last(chain)?;
        let (height, depth) = (chain.height(), self.depth.get());
        let mut size = self.size_under(height);
        if let Some((checkpoint, note)) = last {
            check_extends(&checkpoint, chain)?;
            let is_ours = checkpoint.origin() == self.origin && note.verify([&self.key.verifier()]).is_ok();
            if is_ours && checkpoint.size() >= size {
                return Ok(note);
            }
            // With a new key or origin, the same blocks are signed again.
            size = size.max(checkpoint.size());
        }
        if size == 0 {
            return Err(SignError::TooShort { height, depth });
        }
        let checkpoint = Checkpoint::of_chain(chain, size, &self.origin)?;
        let note = SignedNote::sign(checkpoint.to_string(), &self.key)?;
        stored::write(chain, KEY, &note)?;
        Ok(note)
    }

    /// The number of blocks that lie deep enough under a tip at this height.
    pub(crate) fn size_under(&self, height: u64) -> u64 {
        height.checked_sub(self.depth.get()).map_or(0, |deepest| deepest + 1)
    }
}

/// Checks that the best chain extends a checkpoint.
///
/// # Errors
///
/// [`SignError::Contradiction`] or [`SignError::Behind`] if it does not, and [`SignError::Store`] if the store fails.
pub(crate) fn check_extends<T: Transaction>(
    checkpoint: &Checkpoint,
    chain: &Blockchain<T>,
) -> Result<(), SignError> {
    let size = checkpoint.size();
    let Some(header) = chain.header_at(size)? else {
        return Err(SignError::Behind { size, height: chain.height() });
    };
    let (got, signed) = (header.history_root, checkpoint.root());
    if got == signed { Ok(()) } else { Err(SignError::Contradiction { size, signed, got }) }
}

/// Why no checkpoint is signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No block of the chain lies deep enough.
    #[error("the chain has {height} blocks above its first, and a signed block needs {depth} above it")]
    TooShort {
        /// The height of the tip.
        height: u64,
        /// The depth of the signer.
        depth: u64,
    },
    /// A reorganisation replaced a block of the last signed checkpoint.
    #[error(
        "the chain contradicts the last signed checkpoint: the root over {size} blocks is {got}, signed was {signed}"
    )]
    Contradiction {
        /// The number of blocks in the signed checkpoint.
        size: u64,
        /// The root that was signed.
        signed: Hash,
        /// The root that the chain has now.
        got: Hash,
    },
    /// The chain is not longer than the last signed checkpoint, so it cannot be compared with it.
    #[error("the chain ends at height {height}, the last signed checkpoint needs a header at height {size}")]
    Behind {
        /// The number of blocks in the signed checkpoint.
        size: u64,
        /// The height of the tip.
        height: u64,
    },
    /// The store is in memory, so that a later run could sign what contradicts this one.
    #[error("a chain in memory forgets what was signed; signing needs a store on disk")]
    InMemory,
    /// No checkpoint can be made of the chain.
    #[error(transparent)]
    Checkpoint(#[from] IssueError),
    /// The checkpoint does not fit into a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
