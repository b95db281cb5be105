//! The steps that verify a receipt.

use super::{Content, DecodeReceiptError, Receipt, VerifyReceiptError};
use crate::evidence::{AcceptedCheckpoint, Policy};
use crate::primitives::merkle::{self, InclusionProof};
use crate::primitives::{Hash, Header, Target, Transaction, application, transaction_id};

/// What a receipt proves.
///
/// The place of the transaction among those of its block is not proven: a `merkle_root` does not commit to the number of
/// its leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proven<'a> {
    /// The canonical bytes of the transaction.
    pub transaction: &'a [u8],
    /// The id of the transaction, as from [`transaction_id`].
    pub id: Hash,
    /// The hash of the block that contains the transaction.
    pub block_hash: Hash,
    /// The header of the block: its height, and the time that its miner claims.
    pub header: &'a Header,
    /// The checkpoint whose tree contains the block, and who signed it.
    pub accepted: AcceptedCheckpoint,
}

impl Receipt {
    /// Checks all that the receipt claims, with no other input than the policy, and returns what is proven.
    ///
    /// The steps, in this order: the log's keys have signed the checkpoint, with the expected origin and enough witnesses;
    /// the hash of the header is the entry of the log at its height, by the path to the checkpoint's root; the hash meets
    /// the header's target, which is not easier than that of the policy; enough blocks are on top; and the transaction is
    /// in the block, by the path from its id to the header's `merkle_root`.
    ///
    /// # What is not proven
    ///
    /// - The work on top. A receipt has the headers of no other blocks, and no checkpoint commits to work, so the number
    ///   of blocks on top is the word of the keys that signed. To measure work, follow the headers with a
    ///   [`HeaderChain`](crate::consensus::HeaderChain).
    /// - That the block and its transactions follow the rules of the chain and of the application, other than the target.
    /// - When the block was mined: its timestamp is the miner's claim. The time of a witness is that of the witness's
    ///   clock, at which the block was in the log.
    /// - That the log shows all verifiers one history. Compare checkpoints with an [`Auditor`](crate::evidence::Auditor),
    ///   or demand witnesses.
    ///
    /// # Errors
    ///
    /// [`VerifyReceiptError`], the step that fails. Nothing is proven then.
    pub fn verify(&self, policy: &Policy) -> Result<Proven<'_>, VerifyReceiptError> {
        let accepted = policy.check(&self.note)?;
        let Content { header, proof, transaction } = &self.content;
        let (hash, height, checkpoint) = (header.hash(), header.height, &accepted.checkpoint);
        let in_log = InclusionProof { index: height, tree_size: checkpoint.size(), path: self.path.clone() };
        in_log
            .verify(&merkle::leaf_hash(hash.as_bytes()), &checkpoint.root())
            .map_err(|error| VerifyReceiptError::NotInLog { hash, height, error })?;

        check_work(header, &hash, policy)?;
        // The path has shown that the height is below the size.
        let on_top = checkpoint.size().saturating_sub(height).saturating_sub(1);
        let expected = policy.min_blocks_on_top();
        if on_top < expected {
            return Err(VerifyReceiptError::BlocksOnTop { got: on_top, expected });
        }

        let id = merkle::leaf_hash(transaction);
        proof.verify(&id, &header.merkle_root).map_err(|error| VerifyReceiptError::NotInBlock {
            id,
            height,
            error,
        })?;
        Ok(Proven { transaction, id, block_hash: hash, header, accepted })
    }
}

/// Checks the proof of work as far as a header alone shows it.
fn check_work(header: &Header, hash: &Hash, policy: &Policy) -> Result<(), VerifyReceiptError> {
    if header.version != Header::VERSION {
        return Err(VerifyReceiptError::Version { got: header.version, expected: Header::VERSION });
    }
    let target = Target::try_from(header.target)?;
    if let Some(easiest) = policy.easiest_target()
        && target > easiest
    {
        return Err(VerifyReceiptError::EasyTarget { got: header.target, easiest });
    }
    if !target.is_met_by(hash) {
        return Err(VerifyReceiptError::ProofOfWork { hash: *hash, target: header.target });
    }
    Ok(())
}

impl Proven<'_> {
    /// Reads the transaction from its canonical bytes, for a type whose canonical bytes are those that
    /// [`Transaction::encode`] provides. For a type with an `encode` of its own, compare the [`transaction_id`] of the
    /// expected value with [`id`](Self::id).
    ///
    /// # Errors
    ///
    /// [`DecodeReceiptError`], if the bytes are not a value of the type, or of one with another id.
    pub fn decode<T: Transaction>(&self) -> Result<T, DecodeReceiptError> {
        let read = || postcard::from_bytes::<T>(self.transaction);
        let value = application::guarded("Deserialize::deserialize", read)?
            .map_err(|error| DecodeReceiptError::Malformed { reason: error.to_string() })?;
        let got = transaction_id(&value)?;
        if got != self.id {
            return Err(DecodeReceiptError::OtherId { got, expected: self.id });
        }
        Ok(value)
    }
}
