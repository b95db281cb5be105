//! The auditor: compares each checkpoint with the last one that it accepted.

mod contradiction;
mod error;

use core::str::FromStr;

pub use contradiction::Contradiction;
pub use error::{AuditError, ContradictionError, ParseAuditorError, ParseContradictionError};

use super::{Checkpoint, Policy, SignedNote};
use crate::primitives::Hash;
use crate::primitives::merkle::{ConsistencyProof, ProofError};

/// Follows a log: holds the last checkpoint that it accepted, and accepts another only if it extends that one.
///
/// Its memory is the held checkpoint as a signed note, which is evidence: write it to a file after each change, and parse
/// it at the next audit.
///
/// ```
/// use hashloom::evidence::{Auditor, Checkpoint, NoteSigner, Policy, SignedNote, Verdict};
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// for text in ["one", "two", "three"] {
///     let block = chain.template(vec![text.to_owned()], now)?.mine()?;
///     let _ = chain.import(block.into(), now)?;
/// }
/// let key = NoteSigner::from_seed("log.example/orders", &[7; 32])?;
/// let sign = |size| -> Result<SignedNote, Box<dyn std::error::Error>> {
///     let checkpoint = Checkpoint::of_chain(&chain, size, key.name())?;
///     Ok(SignedNote::sign(checkpoint.to_string(), &key)?)
/// };
///
/// let policy = Policy::new(key.verifier());
/// let mut auditor = Auditor::new();
/// assert_eq!(auditor.audit(&policy, &sign(1)?, &[])?, Verdict::First);
/// let file = auditor.to_text().unwrap_or_default();
///
/// let mut auditor: Auditor = file.parse()?;
/// let proof = chain.consistency_proof(1, 3)?;
/// assert_eq!(auditor.audit(&policy, &sign(3)?, &proof.path)?, Verdict::Consistent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auditor {
    held: Option<SignedNote>,
}

/// What an [`Auditor`] finds out about a checkpoint that the log has signed.
///
/// Only a [`Contradiction`] proves that the log misbehaved. A smaller checkpoint or a proof that does not fit may also be
/// the fault of the messenger that delivered it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The auditor held no checkpoint, and holds this one now. Nothing is known about the past of the log.
    First,
    /// The checkpoint has the size and the root of the held one.
    Unchanged,
    /// The tree of the checkpoint extends the held one. The auditor holds the checkpoint now.
    Consistent,
    /// An alarm: the checkpoint is smaller than the held one. Either the log has lost its tail, or an old checkpoint was
    /// delivered again; a signature has no time, so the two cannot be told apart. Ask the log again, on another way: the
    /// tail is gone if the log has no checkpoint of the held size or a larger one. What others can be shown is the held
    /// note and the smaller one.
    CutOff {
        /// Whether the path has shown that the held tree extends the smaller one, so that nothing below its size was
        /// rewritten.
        is_prefix: bool,
    },
    /// An alarm, but no proof: the path does not show that the tree of the checkpoint extends the held one. Either the
    /// log was rewritten, or the path is not the right one. Ask again, on another way: a log that cannot prove its
    /// consistency is not consistent.
    ///
    /// A log that was rewritten can deliver a path that ends at the root of the new checkpoint, which is proof and gives
    /// [`Rewritten`](Self::Rewritten), unless the held size is a power of two: a consistency proof of RFC 6962 omits the
    /// old root then. Ask for that root, too, and combine both with [`Contradiction::new`].
    Unproven(ProofError),
    /// Proof that the log has rewritten entries: the larger of the two trees does not extend the smaller one.
    Rewritten(Box<Contradiction>),
    /// Proof that the log has shown two histories: both checkpoints have one size, and different roots.
    SplitView(Box<Contradiction>),
}

impl Verdict {
    /// Whether a person should look at the log: the checkpoint does not extend the held one, or was not shown to.
    pub const fn is_alarm(&self) -> bool {
        match self {
            Self::First | Self::Unchanged | Self::Consistent => false,
            Self::CutOff { .. } | Self::Unproven(_) | Self::Rewritten(_) | Self::SplitView(_) => true,
        }
    }
}

impl Auditor {
    /// An auditor that holds no checkpoint and accepts the first.
    pub const fn new() -> Self {
        Self { held: None }
    }

    /// The last checkpoint that was accepted.
    pub const fn held(&self) -> Option<&SignedNote> {
        self.held.as_ref()
    }

    /// The memory: the text of the held note, which [`FromStr`] parses; `None` if none is held. An empty text is no
    /// memory, so that a file that was truncated does not make an auditor that accepts everything.
    pub fn to_text(&self) -> Option<String> {
        self.held.as_ref().map(ToString::to_string)
    }

    /// Compares a checkpoint with the held one. `path` is that of the [`ConsistencyProof`] from the smaller to the larger
    /// of the two; empty if the sizes are equal, or none is held.
    ///
    /// Only [`Verdict::First`] and [`Verdict::Consistent`] change what is held.
    ///
    /// The held checkpoint must meet the policy, too. To change the key of a log, let the log sign one checkpoint with
    /// both keys: the auditor accepts it by the old policy, and later ones by the new policy.
    ///
    /// # Errors
    ///
    /// [`AuditError`], if the checkpoint or the held one does not meet the policy. Not a verdict on the log: a third party
    /// may have made the text.
    pub fn audit(
        &mut self,
        policy: &Policy,
        next: &SignedNote,
        path: &[Hash],
    ) -> Result<Verdict, AuditError> {
        let new = policy.check(next).map_err(AuditError::Next)?.checkpoint;
        let Some(held) = &self.held else {
            self.held = Some(next.clone());
            return Ok(Verdict::First);
        };
        let old = policy.check(held).map_err(AuditError::Held)?.checkpoint;

        if new.size() == old.size() {
            if new.root() == old.root() {
                return Ok(Verdict::Unchanged);
            }
            let found = Contradiction::found(held, next, new.root(), &[]);
            return Ok(Verdict::SplitView(Box::new(found)));
        }
        if new.size() < old.size() {
            return Ok(match extends(&new, &old, path) {
                Ok(()) => Verdict::CutOff { is_prefix: true },
                Err(Mismatch::OtherRoot(root)) => {
                    Verdict::Rewritten(Box::new(Contradiction::found(next, held, root, path)))
                }
                Err(Mismatch::Proof(_)) => Verdict::CutOff { is_prefix: false },
            });
        }
        match extends(&old, &new, path) {
            Ok(()) => {
                self.held = Some(next.clone());
                Ok(Verdict::Consistent)
            }
            Err(Mismatch::OtherRoot(root)) => {
                Ok(Verdict::Rewritten(Box::new(Contradiction::found(held, next, root, path))))
            }
            Err(Mismatch::Proof(error)) => Ok(Verdict::Unproven(error)),
        }
    }
}

/// How a path fails to show that a tree extends a smaller one.
enum Mismatch {
    /// The path shows that the larger tree had this root at the smaller size.
    OtherRoot(Hash),
    /// The path shows nothing.
    Proof(ProofError),
}

/// Whether the path shows that the larger tree extends the smaller one, or that it does not.
fn extends(smaller: &Checkpoint, larger: &Checkpoint, path: &[Hash]) -> Result<(), Mismatch> {
    let (old_size, new_size) = (smaller.size(), larger.size());
    let proof = ConsistencyProof { old_size, new_size, path: path.to_vec() };
    match proof.verify(&smaller.root(), &larger.root()) {
        Ok(()) => Ok(()),
        // The path leads to another old root, which counts if it also leads to the signed new root.
        Err(ProofError::OldRoot { got, .. }) if proof.verify(&got, &larger.root()).is_ok() => {
            Err(Mismatch::OtherRoot(got))
        }
        Err(error) => Err(Mismatch::Proof(error)),
    }
}

impl FromStr for Auditor {
    type Err = ParseAuditorError;

    /// Parses the memory of an auditor. The signatures are verified by the next [`audit`](Self::audit).
    fn from_str(text: &str) -> Result<Self, ParseAuditorError> {
        let held: SignedNote = text.parse()?;
        held.text().parse::<Checkpoint>()?;
        Ok(Self { held: Some(held) })
    }
}
