//! What a verifier demands of a checkpoint and of a receipt.

use super::{Checkpoint, CheckpointError, NoteVerifier, SignedNote, VerifyError};
use crate::primitives::{CompactTarget, CompactTargetError, Target, Timestamp};

/// What a verifier demands: which log, the keys that must have signed, and how many witnesses.
///
/// ```
/// use hashloom::evidence::{NoteSigner, Policy};
///
/// let key = NoteSigner::from_seed("log.example/orders", &[7; 32])?.verifier();
/// // Checkpoints of the log `log.example/orders` that this key has signed.
/// let policy = Policy::new(key);
/// # Ok::<(), hashloom::evidence::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    origin: String,
    keys: Vec<NoteVerifier>,
    witnesses: Vec<NoteVerifier>,
    min_witnesses: usize,
    easiest_target: Option<Target>,
    min_blocks_on_top: u64,
}

impl Policy {
    /// Accepts the checkpoints that `key` has signed, of the log with the origin that is the name of the key, without
    /// witnesses.
    pub fn new(key: NoteVerifier) -> Self {
        Self {
            origin: key.name().to_owned(),
            keys: vec![key],
            witnesses: Vec::new(),
            min_witnesses: 0,
            easiest_target: None,
            min_blocks_on_top: 0,
        }
    }

    /// Sets the origin of the log, if it is not the name of the key. The origin is all that identifies the chain: a
    /// receipt has no path to the genesis block.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Adds a key of the log that must have signed, too.
    ///
    /// # Errors
    ///
    /// [`PolicyKeyError::SharedKey`], if the policy has the public key already.
    pub fn with_key(mut self, key: NoteVerifier) -> Result<Self, PolicyKeyError> {
        self.check_new(&key)?;
        self.keys.push(key);
        Ok(self)
    }

    /// Sets the witnesses, and how many of them must have cosigned.
    ///
    /// # Errors
    ///
    /// [`PolicyKeyError`], if there are not so many witnesses, a key is not that of a cosigner, or the policy has the
    /// public key already, whose signature would count twice.
    pub fn with_witnesses(
        mut self,
        witnesses: impl IntoIterator<Item = NoteVerifier>,
        min: usize,
    ) -> Result<Self, PolicyKeyError> {
        self.witnesses.clear();
        for key in witnesses {
            if !key.is_cosigner() {
                return Err(PolicyKeyError::NoCosigner { name: key.name().to_owned(), key_id: key.key_id() });
            }
            self.check_new(&key)?;
            self.witnesses.push(key);
        }
        if min > self.witnesses.len() {
            return Err(PolicyKeyError::TooFew { got: self.witnesses.len(), expected: min });
        }
        self.min_witnesses = min;
        Ok(self)
    }

    /// Sets the easiest target that the header of a receipt may have: that of the chain,
    /// [`ChainSpec::easiest_target`](crate::ChainSpec::easiest_target), or a harder one. Default: none, so that the work
    /// of a block may be as little as its header claims.
    ///
    /// # Errors
    ///
    /// [`CompactTargetError`], if the compact form encodes no target.
    pub fn with_easiest_target(mut self, target: CompactTarget) -> Result<Self, CompactTargetError> {
        self.easiest_target = Some(target.try_into()?);
        Ok(self)
    }

    /// Sets how many blocks of the checkpoint's tree must be on top of the block of a receipt. The number is what the
    /// log has signed; see [`Receipt::verify`](super::Receipt::verify) on the work in them.
    #[must_use]
    pub const fn with_min_blocks_on_top(mut self, blocks: u64) -> Self {
        self.min_blocks_on_top = blocks;
        self
    }

    /// Checks a checkpoint: the origin, the signatures of the log, and the number of witnesses.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], the first demand that is not met.
    pub fn check(&self, note: &SignedNote) -> Result<AcceptedCheckpoint, PolicyError> {
        let verified = note.verify(self.keys.iter().chain(&self.witnesses))?;
        let signature_of = |key| verified.signatures.iter().find(|signature| signature.verifier == key);
        if let Some(key) = self.keys.iter().find(|key| signature_of(*key).is_none()) {
            return Err(PolicyError::NotSigned { name: key.name().to_owned(), key_id: key.key_id() });
        }
        let checkpoint: Checkpoint = verified.text.parse()?;
        if checkpoint.origin() != self.origin {
            let (got, expected) = (checkpoint.origin().to_owned(), self.origin.clone());
            return Err(PolicyError::Origin { got, expected });
        }
        let cosigned = self.witnesses.iter().filter_map(signature_of);
        let witnesses: Vec<_> = cosigned
            .filter_map(|signature| {
                Some(Witnessed { witness: signature.verifier.clone(), time: signature.time? })
            })
            .collect();
        if witnesses.len() < self.min_witnesses {
            return Err(PolicyError::Witnesses { got: witnesses.len(), expected: self.min_witnesses });
        }
        Ok(AcceptedCheckpoint { checkpoint, signed_by: self.keys.clone(), witnesses })
    }

    /// Refuses a key whose public key the policy has already.
    fn check_new(&self, key: &NoteVerifier) -> Result<(), PolicyKeyError> {
        if self.keys.iter().chain(&self.witnesses).any(|other| other.public_key() == key.public_key()) {
            return Err(PolicyKeyError::SharedKey { name: key.name().to_owned(), key_id: key.key_id() });
        }
        Ok(())
    }

    /// The easiest target of a header.
    pub(super) const fn easiest_target(&self) -> Option<Target> {
        self.easiest_target
    }

    /// The least number of blocks on top.
    pub(super) const fn min_blocks_on_top(&self) -> u64 {
        self.min_blocks_on_top
    }
}

/// A checkpoint that meets a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedCheckpoint {
    /// The head of the log.
    pub checkpoint: Checkpoint,
    /// The keys of the log that have signed: all of the policy.
    pub signed_by: Vec<NoteVerifier>,
    /// The witnesses of the policy that have cosigned.
    pub witnesses: Vec<Witnessed>,
}

/// The cosignature of a witness: at this time, the checkpoint was the largest that the witness had seen, and all that it
/// had seen were consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witnessed {
    /// The witness.
    pub witness: NoteVerifier,
    /// When it cosigned, by its own clock.
    pub time: Timestamp,
}

/// The demand of a [`Policy`] that a checkpoint does not meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A signature is invalid, or no signature is from a key of the policy.
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// A key of the log has not signed.
    #[error("no signature of the key {name}+{key_id:08x}")]
    NotSigned {
        /// The name of the key.
        name: String,
        /// The ID of the key.
        key_id: u32,
    },
    /// What the keys have signed is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another log.
    #[error("a checkpoint of {got:?}, expected {expected:?}")]
    Origin {
        /// The origin of the checkpoint.
        got: String,
        /// The origin of the policy.
        expected: String,
    },
    /// Too few witnesses have cosigned.
    #[error("{got} of the witnesses have cosigned, expected at least {expected}")]
    Witnesses {
        /// The number of witnesses of the policy that have cosigned.
        got: usize,
        /// The least number of the policy.
        expected: usize,
    },
}

/// Why keys cannot be those of a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyKeyError {
    /// The key is not that of a cosigner, so its signatures have no time.
    #[error("{name}+{key_id:08x} is not the key of a cosigner")]
    NoCosigner {
        /// The name of the key.
        name: String,
        /// The ID of the key.
        key_id: u32,
    },
    /// The policy has the public key already, under another name or as a key of the other type.
    #[error("the public key of {name}+{key_id:08x} is used twice")]
    SharedKey {
        /// The name of the second of the two keys.
        name: String,
        /// The ID of the second of the two keys.
        key_id: u32,
    },
    /// There are fewer witnesses than must have cosigned.
    #[error("{got} witnesses, of which {expected} must have cosigned")]
    TooFew {
        /// The number of witnesses.
        got: usize,
        /// The number that must have cosigned.
        expected: usize,
    },
}
