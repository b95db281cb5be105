//! The content of a receipt that a `.tlog-proof` file has no field for, and its binary form in the `extra` line.

use crate::ChainSpec;
use crate::primitives::merkle::InclusionProof;
use crate::primitives::{Block, Hash, Header};

/// The first bytes of the extra data. They tell receipts from the extra data of other applications, and the versions of
/// the form apart.
const MAGIC: &[u8] = b"hashloom/receipt@v1\n";

/// The number of bytes before the path.
const FIXED_BYTES: usize = MAGIC.len() + Header::LEN + 4 + 4 + 1;

/// The proof that a block contains a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) header: Header,
    /// The path of the transaction's id in the tree of the block.
    pub(super) proof: InclusionProof,
    /// The canonical bytes.
    pub(super) transaction: Vec<u8>,
}

/// Why the content of a receipt is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The extra data is not that of a receipt in a version that this crate reads.
    #[error("the extra data does not begin with \"hashloom/receipt@v1\\n\"")]
    Version,
    /// The extra data ends before the transaction.
    #[error("{got} bytes of extra data, expected at least {expected}")]
    Length {
        /// The length of the data.
        got: usize,
        /// The number of bytes before the transaction.
        expected: usize,
    },
    /// The claimed number of transactions is above [`Block::MAX_TRANSACTIONS`].
    #[error("a block of {got} transactions, expected at most {limit}")]
    Transactions {
        /// The claimed number of transactions in the block.
        got: u64,
        /// The most that a block may have.
        limit: u64,
    },
    /// The claimed index is not below the claimed number of transactions.
    #[error("transaction {index} of a block of {count}")]
    Index {
        /// The claimed index of the transaction, from 0.
        index: u64,
        /// The claimed number of transactions in the block.
        count: u64,
    },
    /// The path in the block is above [`Receipt::MAX_TRANSACTION_PATH`](super::Receipt::MAX_TRANSACTION_PATH), or the
    /// path in the log above [`InclusionProof::MAX_PATH`].
    #[error("a path of {got} hashes, expected at most {limit}")]
    Path {
        /// The number of hashes in the path.
        got: usize,
        /// The most that a path may have.
        limit: usize,
    },
    /// The transaction is larger than a block may be: above [`ChainSpec::MAX_BLOCK_BYTES`].
    #[error("a transaction of {got} bytes, expected at most {limit}")]
    TransactionBytes {
        /// The number of canonical bytes.
        got: usize,
        /// The most that a block of any chain may have.
        limit: usize,
    },
}

impl Content {
    /// The longest path: that of a block with [`Block::MAX_TRANSACTIONS`].
    pub(super) const MAX_PATH: usize = Block::<()>::MAX_TRANSACTIONS.ilog2() as usize;

    /// The longest binary form.
    pub(super) const MAX_BYTES: usize = FIXED_BYTES + Self::MAX_PATH * 32 + ChainSpec::MAX_BLOCK_BYTES;

    /// Checks the limits, which hold for every form of a receipt.
    pub(super) fn checked(self) -> Result<Self, ContentError> {
        let Self { proof: InclusionProof { index, tree_size, ref path }, .. } = self;
        let limit = Block::<()>::MAX_TRANSACTIONS as u64;
        if tree_size > limit {
            return Err(ContentError::Transactions { got: tree_size, limit });
        }
        if index >= tree_size {
            return Err(ContentError::Index { index, count: tree_size });
        }
        if path.len() > Self::MAX_PATH {
            return Err(ContentError::Path { got: path.len(), limit: Self::MAX_PATH });
        }
        let (got, limit) = (self.transaction.len(), ChainSpec::MAX_BLOCK_BYTES);
        if got > limit {
            return Err(ContentError::TransactionBytes { got, limit });
        }
        Ok(self)
    }

    /// The binary form.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let InclusionProof { index, tree_size, path } = &self.proof;
        let mut bytes = Vec::with_capacity(FIXED_BYTES + path.len() * 32 + self.transaction.len());
        bytes.extend(MAGIC);
        bytes.extend(self.header.to_bytes());
        // The limits are far below what the integers hold.
        bytes.extend(u32::try_from(*index).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(u32::try_from(*tree_size).unwrap_or(u32::MAX).to_be_bytes());
        bytes.push(u8::try_from(path.len()).unwrap_or(u8::MAX));
        for hash in path {
            bytes.extend(hash.as_bytes());
        }
        bytes.extend(&self.transaction);
        bytes
    }

    /// Reads the binary form.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ContentError::Version)?;
        let short = |expected| ContentError::Length { got: bytes.len(), expected };
        let (header, rest) = rest.split_first_chunk().ok_or(short(FIXED_BYTES))?;
        let (index, rest) = rest.split_first_chunk().ok_or(short(FIXED_BYTES))?;
        let (count, rest) = rest.split_first_chunk().ok_or(short(FIXED_BYTES))?;
        let (hashes, mut rest) = rest.split_first().ok_or(short(FIXED_BYTES))?;
        let hashes = usize::from(*hashes);
        if hashes > Self::MAX_PATH {
            return Err(ContentError::Path { got: hashes, limit: Self::MAX_PATH });
        }
        let mut path = Vec::with_capacity(hashes);
        for _ in 0..hashes {
            let (hash, behind) = rest.split_first_chunk().ok_or(short(FIXED_BYTES + hashes * 32))?;
            path.push(Hash::from_bytes(*hash));
            rest = behind;
        }
        let (index, tree_size) = (u32::from_be_bytes(*index).into(), u32::from_be_bytes(*count).into());
        let proof = InclusionProof { index, tree_size, path };
        Self { header: Header::from_bytes(header), proof, transaction: rest.to_vec() }.checked()
    }
}
