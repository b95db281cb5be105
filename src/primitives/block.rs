//! Blocks: a header and the transactions that it commits to. A block knows its hash; whether it is a good
//! block is for the consensus checks.

use core::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize};

use super::application;
use super::bounded::bounded_vec;
use super::hash::Hash;
use super::header::Header;
use super::merkle;
use super::transaction::{EncodeError, Transaction};

/// A header and its transactions. Immutable, and its hash is always the header's own: a block with another
/// hash cannot be built, nor parsed.
#[derive(Clone, Serialize)]
pub struct Block<T = String> {
    header: Header,
    data: Vec<T>,
    #[serde(skip)]
    hash: Hash,
    /// Of `data`, where it was computed ahead of its use.
    #[serde(skip)]
    digest: OnceLock<BodyDigest>,
}

impl<T> Block<T> {
    /// More transactions than this in one block are refused while parsing, before they take memory: a type
    /// without bytes of its own would otherwise let a short message claim billions.
    pub const MAX_TRANSACTIONS: usize = 1 << 20;

    /// Puts a header and transactions together and hashes the header.
    pub fn new(header: Header, data: Vec<T>) -> Self {
        Self { hash: header.hash(), header, data, digest: OnceLock::new() }
    }

    /// The hash of the header: the block's identity.
    pub const fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The transactions, in order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The number of blocks before this one.
    pub const fn height(&self) -> u64 {
        self.header.height
    }

    /// The header and the transactions.
    pub fn into_parts(self) -> (Header, Vec<T>) {
        (self.header, self.data)
    }
}

impl<T: Transaction> Block<T> {
    /// Encodes every transaction once and returns what the checks and the mempool need of the result.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a transaction that has no canonical bytes.
    pub fn digest(&self) -> Result<BodyDigest, EncodeError> {
        self.digest.get().map_or_else(|| BodyDigest::of(&self.data), |digest| Ok(digest.clone()))
    }

    /// The canonical size in bytes. What has no canonical bytes does not count.
    pub(crate) fn size(&self) -> usize {
        if let Some(digest) = self.digest.get() {
            return digest.size;
        }
        let mut bytes = Vec::new();
        let mut size = Header::LEN;
        for transaction in &self.data {
            bytes.clear();
            if application::encode(transaction, &mut bytes).is_ok() {
                size += bytes.len();
            }
        }
        size
    }

    /// Computes the digest ahead of the checks that need it, on whichever thread has the time, and keeps it in the
    /// block. Not where the ids would take more memory than the transactions, which may be of a byte each. It changes
    /// nothing else.
    pub fn digest_ahead(&self) {
        if self.digest.get().is_some() {
            return;
        }
        // What has no canonical bytes is refused by who asks for the digest.
        if let Ok(digest) = BodyDigest::of(&self.data)
            && digest.ids.len() * Hash::LEN <= digest.size
        {
            // Of two threads that compute it one comes first.
            let _ = self.digest.set(digest);
        }
    }

    #[cfg(all(test, feature = "node"))]
    pub(crate) fn is_digested(&self) -> bool {
        self.digest.get().is_some()
    }
}

impl<T: PartialEq> PartialEq for Block<T> {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.data == other.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Block<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, data, hash, digest: _ } = self;
        f.debug_struct("Block").field("header", header).field("data", data).field("hash", hash).finish()
    }
}

/// A body reduced to what consensus looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyDigest {
    /// The transactions' ids, in order: the leaves of the Merkle tree.
    pub ids: Vec<Hash>,
    /// The block's size in bytes: the header and the canonical bytes of the transactions.
    pub size: usize,
}

impl BodyDigest {
    /// The digest of a block with these transactions.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a transaction that has no canonical bytes.
    pub fn of<T: Transaction>(data: &[T]) -> Result<Self, EncodeError> {
        let mut bytes = Vec::new();
        let mut size = Header::LEN;
        let mut ids = Vec::with_capacity(data.len());
        for transaction in data {
            bytes.clear();
            application::encode(transaction, &mut bytes)?;
            size += bytes.len();
            ids.push(merkle::leaf_hash(&bytes));
        }
        Ok(Self { ids, size })
    }

    /// The root of the transactions' Merkle tree.
    pub fn merkle_root(&self) -> Hash {
        merkle::root(&self.ids)
    }
}

/// A transaction's id: the hash of its canonical bytes as a Merkle leaf.
///
/// # Errors
///
/// [`EncodeError`], for a transaction that has no canonical bytes.
pub fn transaction_id<T: Transaction>(transaction: &T) -> Result<Hash, EncodeError> {
    let mut bytes = Vec::new();
    application::encode(transaction, &mut bytes)?;
    Ok(merkle::leaf_hash(&bytes))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Block<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Block", deny_unknown_fields, bound = "T: Deserialize<'de>")]
        struct Parts<T> {
            header: Header,
            #[serde(deserialize_with = "transactions")]
            data: Vec<T>,
        }
        let Parts { header, data } = Parts::deserialize(deserializer)?;
        Ok(Self::new(header, data))
    }
}

fn transactions<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    bounded_vec(deserializer, Block::<T>::MAX_TRANSACTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Rejected};

    fn block(data: &[&str]) -> Block {
        let header = Header::from_bytes(&[7; Header::LEN]);
        Block::new(header, data.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn hash_is_the_header_s_and_survives_every_format() {
        let block = block(&["a", "b"]);
        assert_eq!(*block.hash(), block.header().hash());
        let json = serde_json::to_string(&block).unwrap();
        assert_eq!(serde_json::from_str::<Block>(&json).unwrap(), block);
        let bytes = postcard::to_allocvec(&block).unwrap();
        assert_eq!(postcard::from_bytes::<Block>(&bytes).unwrap(), block);
    }

    #[test]
    fn a_hash_cannot_be_claimed() {
        let mut json = serde_json::to_value(block(&[])).unwrap();
        json["hash"] = "00".repeat(32).into();
        let error = serde_json::from_value::<Block>(json).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `hash`"), "{error}");
    }

    #[test]
    fn digest_counts_canonical_bytes() {
        let digest = block(&["abc", ""]).digest().unwrap();
        // Postcard writes a string as its length and its bytes.
        assert_eq!(digest.size, Header::LEN + 4 + 1);
        assert_eq!(digest.ids[0], merkle::leaf_hash(b"\x03abc"));
        assert_eq!(digest.ids[0], transaction_id(&"abc".to_owned()).unwrap());
    }

    /// Encodes itself as how often it has been encoded.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Counted;

    std::thread_local! {
        static ENCODED: core::cell::Cell<u8> = const { core::cell::Cell::new(0) };
    }

    impl Transaction for Counted {
        type State = ();

        fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
            Ok(())
        }

        fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
            ENCODED.set(ENCODED.get() + 1);
            bytes.push(ENCODED.get());
            Ok(())
        }
    }

    #[test]
    fn a_digest_that_was_computed_ahead_is_used_and_does_not_count() {
        let block = |count| Block::new(Header::from_bytes(&[7; Header::LEN]), vec![Counted; count]);
        let few = block(5);
        few.digest_ahead();
        few.digest_ahead();
        assert_eq!(few.digest().unwrap().ids, [1, 2, 3, 4, 5].map(|byte| merkle::leaf_hash(&[byte])));
        assert_eq!((few.digest().unwrap().size, ENCODED.get()), (Header::LEN + 5, 5));
        assert_eq!((&few, format!("{few:?}")), (&block(5), format!("{:?}", block(5))));
        // 180 bytes for the header, one for each transaction, and 32 for each id.
        for (count, is_kept) in [(5, true), (6, false)] {
            let block = block(count);
            block.digest_ahead();
            let before = ENCODED.get();
            assert_eq!((block.digest().unwrap().ids.len(), ENCODED.get() == before), (count, is_kept));
        }
    }

    #[test]
    fn transactions_without_bytes_cannot_claim_billions() {
        let mut bytes = vec![0; Header::LEN];
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
        let error = postcard::from_bytes::<Block<()>>(&bytes).unwrap_err();
        assert_eq!(error, postcard::Error::SerdeDeCustom);
    }
}
