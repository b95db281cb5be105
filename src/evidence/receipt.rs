//! Receipts: the proof that a transaction is in the log.

mod content;
mod error;
mod file;
mod form;
mod verify;

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

pub use content::ContentError;
pub use error::{DecodeReceiptError, IssueReceiptError, ParseReceiptError, VerifyReceiptError};
pub use verify::Proven;

use self::content::Content;
use self::file::ProofFile;
use self::form::Form;
use super::{Checkpoint, CheckpointError, SignedNote};
use crate::Blockchain;
use crate::primitives::merkle::{self, InclusionProof, ProofError};
use crate::primitives::{Hash, Header, Transaction, application};

/// A proof that a transaction is in the log, for a verifier who has a public key and neither the chain nor the type of
/// its transactions.
///
/// A receipt carries the transaction as canonical bytes, the header of its block with the path from the transaction to
/// the header's `merkle_root`, and a signed [`Checkpoint`] with the path from the block to the checkpoint's root. All of
/// them are claims until [`verify`](Self::verify) has checked them.
///
/// # As text
///
/// [`Display`](fmt::Display) and [`FromStr`] write and parse a [`.tlog-proof` file](https://c2sp.org/tlog-proof). The
/// entry of the log is the 32-byte hash of the block and its index is the height, so that any verifier of that format
/// can check that the block is in the log. What proves the transaction is in the `extra` line:
///
/// | bytes | content |
/// | --- | --- |
/// | 0..20 | `hashloom/receipt@v1` and a newline |
/// | 20..200 | the [`Header`] of the block |
/// | 200..204 | the index of the transaction in the block, big-endian |
/// | 204..208 | the number of transactions in the block, big-endian, at most [`Block::MAX_TRANSACTIONS`](crate::Block::MAX_TRANSACTIONS) |
/// | 208 | the number of hashes in the path, at most [`MAX_TRANSACTION_PATH`](Self::MAX_TRANSACTION_PATH) |
/// | 209.. | the path from the transaction's id to the `merkle_root`, 32 bytes each, the leaf's sibling first |
/// | the rest | the canonical bytes of the transaction, at most [`ChainSpec::MAX_BLOCK_BYTES`](crate::ChainSpec::MAX_BLOCK_BYTES) |
///
/// # In JSON
///
/// `transaction` is hex, `header` and `transaction_proof` have the form that they have elsewhere, `path` lists the
/// hashes from the block to the checkpoint's root, and `checkpoint` is the signed note as text.
///
/// ```
/// use hashloom::evidence::{Checkpoint, NoteSigner, Policy, Receipt, SignedNote};
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
/// let hash = *block.hash();
/// let _ = chain.import(block.into(), now)?;
///
/// // The operator of the log, who has the secret key, signs a checkpoint of the first two blocks.
/// let block = chain.template(Vec::new(), now)?.mine()?;
/// let _ = chain.import(block.into(), now)?;
/// let key = NoteSigner::from_seed("log.example/orders", &[7; 32])?;
/// let checkpoint = Checkpoint::of_chain(&chain, 2, key.name())?;
/// let note = SignedNote::sign(checkpoint.to_string(), &key)?;
/// let file = Receipt::issue(&chain, &hash, 0, note)?.to_string();
///
/// // An auditor, who has the public key and the file.
/// let policy = Policy::new(key.verifier()).with_easiest_target(ChainSpec::default().easiest_target())?;
/// let receipt: Receipt = file.parse()?;
/// let proven = receipt.verify(&policy)?;
/// assert_eq!(proven.header.height, 1);
/// assert_eq!(proven.decode::<String>()?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Receipt {
    content: Content,
    /// The siblings on the path from the block to the checkpoint's root.
    path: Vec<Hash>,
    note: SignedNote,
    /// What the note says.
    checkpoint: Checkpoint,
}

impl Receipt {
    /// The longest text that is parsed, in bytes: that of a transaction that fills a block of
    /// [`ChainSpec::MAX_BLOCK_BYTES`](crate::ChainSpec::MAX_BLOCK_BYTES), and of the largest signed note.
    pub const MAX_BYTES: usize =
        Content::MAX_BYTES.div_ceil(3) * 4 + ProofFile::MAX_OTHER_BYTES + SignedNote::MAX_BYTES;

    /// The longest path from a transaction to the root of its block, which has at most
    /// [`Block::MAX_TRANSACTIONS`](crate::Block::MAX_TRANSACTIONS).
    pub const MAX_TRANSACTION_PATH: usize = Content::MAX_PATH;

    /// Proves that a block of the best chain contains the transaction at `index`, in the tree of a signed checkpoint of
    /// this chain. The signatures are not checked: the caller signed the checkpoint or has verified it.
    ///
    /// Reads the block, and O(log n) hashes of a chain of n blocks.
    ///
    /// # Errors
    ///
    /// [`IssueReceiptError`]: the block is unknown, on a side branch, pruned, has no transaction at `index`, or is not in the
    /// tree of the checkpoint; or the note is not a checkpoint of this chain; or the store fails.
    pub fn issue<T: Transaction>(
        chain: &Blockchain<T>,
        block: &Hash,
        index: usize,
        note: SignedNote,
    ) -> Result<Self, IssueReceiptError> {
        let checkpoint = note.text().parse::<Checkpoint>()?;
        let header = chain.header(block)?.ok_or(IssueReceiptError::UnknownBlock { hash: *block })?;
        if !chain.is_best(block)? {
            return Err(IssueReceiptError::SideBranch { hash: *block });
        }
        let (height, size) = (header.height, checkpoint.size());
        if height >= size {
            return Err(IssueReceiptError::NotCovered { height, size });
        }
        if size > chain.height().saturating_add(1) {
            return Err(IssueReceiptError::BeyondTip { size, height: chain.height() });
        }
        let in_log = chain.ancestor_proof(height, size)?;
        match in_log.verify(&merkle::leaf_hash(block.as_bytes()), &checkpoint.root()) {
            Ok(()) => {}
            Err(ProofError::Root { got, expected }) => {
                return Err(IssueReceiptError::OtherHistory { size, got: expected, expected: got });
            }
            Err(error) => return Err(IssueReceiptError::Proof(error)),
        }

        let body = chain.block(block)?;
        let body = body.ok_or_else(|| IssueReceiptError::Pruned { height, first: chain.first_body() })?;
        let count = body.data().len();
        let record = body.data().get(index).ok_or(IssueReceiptError::NoTransaction { index, count })?;
        let mut transaction = Vec::new();
        application::encode(record, &mut transaction)?;
        let proof = InclusionProof::new(&body.digest()?.ids, index).map_err(IssueReceiptError::Proof)?;
        // A block of a chain is within the limits of the content.
        let content = Content { header, proof, transaction };
        Ok(Self { content, path: in_log.path, note, checkpoint })
    }

    /// The canonical bytes of the transaction. A claim until the receipt is verified.
    pub fn transaction(&self) -> &[u8] {
        &self.content.transaction
    }

    /// The header of the block. A claim until the receipt is verified.
    pub const fn header(&self) -> &Header {
        &self.content.header
    }

    /// The signed checkpoint. A claim until the receipt is verified.
    pub const fn checkpoint(&self) -> &SignedNote {
        &self.note
    }

    /// Combines the parts of a parsed receipt.
    fn new(content: Content, path: Vec<Hash>, note: SignedNote) -> Result<Self, CheckpointError> {
        Ok(Self { checkpoint: note.text().parse::<Checkpoint>()?, content, path, note })
    }
}

impl fmt::Display for Receipt {
    /// The text of a `.tlog-proof` file, which ends in a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        file::write(f, &self.content.to_bytes(), self.content.header.height, &self.path, &self.note)
    }
}

impl FromStr for Receipt {
    type Err = ParseReceiptError;

    /// Parses the text of a `.tlog-proof` file. Exactly the texts that [`Display`](fmt::Display) writes are accepted.
    fn from_str(text: &str) -> Result<Self, ParseReceiptError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ParseReceiptError::TooLong { got: text.len(), limit: Self::MAX_BYTES });
        }
        let file = ProofFile::parse(text)?;
        let line = ProofFile::EXTRA_LINE;
        let content =
            Content::from_bytes(&file.extra).map_err(|error| ParseReceiptError::Extra { line, error })?;
        let height = content.header.height;
        if file.index != height {
            return Err(ParseReceiptError::Index { line: ProofFile::INDEX_LINE, got: file.index, height });
        }
        let line = file.checkpoint_line;
        let note = file.checkpoint.parse().map_err(|error| ParseReceiptError::Note { line, error })?;
        Self::new(content, file.path, note).map_err(|error| ParseReceiptError::Checkpoint { line, error })
    }
}
