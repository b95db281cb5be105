//! Blocks: a header and the transactions that it commits to. A block stores its hash. The consensus checks
//! decide whether a block is valid.

mod digest;

use core::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize};

use super::application;
use super::bounded::bounded_vec;
use super::hash::Hash;
use super::header::Header;
use super::merkle;
use super::transaction::{EncodeError, Transaction};
pub use digest::BodyDigest;
use digest::{MeasuredDigest, digest_of, digests_of};

/// A header and its transactions. Immutable. The hash is always that of the header: a block with a wrong hash
/// can be neither built nor parsed.
#[derive(Clone, Serialize)]
pub struct Block<T = String> {
    header: Header,
    data: Vec<T>,
    #[serde(skip)]
    hash: Hash,
    /// The digest of `data`, if [`digest_ahead`](Self::digest_ahead) computed and kept it.
    #[serde(skip)]
    digest: OnceLock<BodyDigest>,
    /// The sizes of the block, computed at the first use.
    #[serde(skip)]
    measure: OnceLock<Measure>,
}

/// The sizes of a block.
#[derive(Clone, Copy, Debug)]
struct Measure {
    /// In canonical bytes. Transactions without canonical bytes count as zero.
    size: usize,
    /// In bytes of memory.
    memory: usize,
}

impl<T> Block<T> {
    /// The most transactions of a block. More are refused while parsing, before they take memory: with a type
    /// that encodes to zero bytes, a short message could otherwise claim billions.
    pub const MAX_TRANSACTIONS: usize = 1 << 20;

    /// Combines a header and transactions, and hashes the header.
    pub fn new(header: Header, data: Vec<T>) -> Self {
        Self::with_hash(header, header.hash(), data)
    }

    /// [`new`](Self::new) with the hash of the header, if it is known.
    pub(crate) const fn with_hash(header: Header, hash: Hash, data: Vec<T>) -> Self {
        Self { header, data, hash, digest: OnceLock::new(), measure: OnceLock::new() }
    }

    /// The hash of the header, which identifies the block.
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
    /// The ids of the transactions and the canonical size of the block. Encodes every transaction once,
    /// unless [`digest_ahead`](Self::digest_ahead) has kept the digest.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a transaction that has no canonical bytes.
    pub fn digest(&self) -> Result<BodyDigest, EncodeError> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest.clone());
        }
        let MeasuredDigest { digest, heap } = digest_of(&self.data)?;
        self.measure.get_or_init(|| self.measured(digest.size, heap));
        Ok(digest)
    }

    /// The [digests](Self::digest) of these blocks. Many small blocks take much less time than one after the
    /// other.
    pub(crate) fn digests<'a>(
        blocks: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<Result<BodyDigest, EncodeError>> {
        let blocks: Vec<_> = blocks.into_iter().map(|block| (block, block.digest.get())).collect();
        let new = blocks.iter().filter(|(_, kept)| kept.is_none()).map(|(block, _)| &*block.data);
        let mut digests = digests_of(new).into_iter();
        let digest = |(block, kept): (&Self, Option<&BodyDigest>)| {
            let new = if kept.is_none() { digests.next() } else { None };
            // One of the two is there.
            let Some(MeasuredDigest { digest, heap }) = new.transpose()? else { return block.digest() };
            block.measure.get_or_init(|| block.measured(digest.size, heap));
            Ok(digest)
        };
        blocks.into_iter().map(digest).collect()
    }

    /// The canonical size in bytes. Transactions without canonical bytes count as zero.
    pub(crate) fn size(&self) -> usize {
        self.measure().size
    }

    /// The number of bytes that the block takes in memory, as counted by all limits in bytes of memory: the
    /// block itself, and for each transaction its `size_of` and its [`heap_size`](Transaction::heap_size),
    /// without the overhead of the allocator. The first call encodes the transactions, unless the
    /// [digest](Self::digest) has been computed before.
    pub fn memory_size(&self) -> usize {
        self.measure().memory
    }

    fn measure(&self) -> Measure {
        *self.measure.get_or_init(|| {
            let mut bytes = Vec::new();
            let (mut size, mut heap) = (Header::LEN, 0);
            for transaction in &self.data {
                bytes.clear();
                let held = application::encode_and_measure(transaction, &mut bytes);
                let (len, held) = held.map_or((0, bytes.len()), |held| (bytes.len(), held));
                size += len;
                heap = held.saturating_add(heap);
            }
            self.measured(size, heap)
        })
    }

    fn measured(&self, size: usize, heap: usize) -> Measure {
        let transactions = self.data.capacity().saturating_mul(size_of::<T>());
        let fixed = Self::FIXED_SIZE + self.digest.get().map_or(0, |digest| size_of_val(&*digest.ids));
        Measure { size, memory: fixed.saturating_add(transactions).saturating_add(heap) }
    }

    /// The memory of a block without its transactions, including the two counts of the `Arc` that holds the
    /// block.
    pub(crate) const FIXED_SIZE: usize = size_of::<Self>() + 2 * size_of::<usize>();

    /// Computes the digest before the checks need it, for example on another thread, and keeps it in the
    /// block. The digest is not kept if its ids take more memory than the canonical size of the block, as
    /// those of transactions of one byte each may. Has no other effect.
    pub fn digest_ahead(&self) {
        Self::digest_all_ahead([self]);
    }

    /// [`digest_ahead`](Self::digest_ahead) for many blocks, which takes much less time than one after the
    /// other.
    pub fn digest_all_ahead<'a>(blocks: impl IntoIterator<Item = &'a Self>) {
        let blocks: Vec<_> = blocks.into_iter().filter(|block| !block.is_digested()).collect();
        for (block, digest) in blocks.iter().zip(digests_of(blocks.iter().map(|block| &*block.data))) {
            // A transaction without canonical bytes is an error of the later call of `digest`.
            let Ok(MeasuredDigest { digest, heap }) = digest else { continue };
            let size = digest.size;
            if digest.is_small() {
                // If two threads compute the digest at the same time, the first result is kept.
                let _ = block.digest.set(digest);
            }
            block.measure.get_or_init(|| block.measured(size, heap));
        }
    }

    /// Replaces transactions by equal ones that this node has checked before, if the digest was computed ahead: a
    /// [`check`](Transaction::check) that kept its verdict in the value is not made again.
    #[cfg(feature = "node")]
    pub(crate) fn adopt<'a>(&mut self, checked: impl Fn(&Hash) -> Option<&'a T>) {
        let Some(digest) = self.digest.get() else { return };
        for (transaction, id) in self.data.iter_mut().zip(&digest.ids) {
            if let Some(checked) = checked(id).filter(|checked| *checked == transaction) {
                *transaction = checked.clone();
            }
        }
    }

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
        let Self { header, data, hash, digest: _, measure: _ } = self;
        f.debug_struct("Block").field("header", header).field("data", data).field("hash", hash).finish()
    }
}

/// A transaction's id: the Merkle leaf hash of its canonical bytes.
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

/// Decodes the transactions of a block, and refuses more than [`Block::MAX_TRANSACTIONS`].
pub(crate) fn transactions<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
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

    #[test]
    fn memory_counts_the_transactions_their_heap_and_a_digest_that_is_kept() {
        let fixed = Block::<String>::FIXED_SIZE + 3 * size_of::<String>();
        let texts = ["", "", ""];
        assert_eq!((block(&texts).memory_size(), block(&texts).size()), (fixed + 3, Header::LEN + 3));
        let long = "x".repeat(100);
        let texts = [&*long, &long, ""];
        let measured = block(&texts);
        let _ = measured.digest();
        assert_eq!((measured.memory_size(), measured.size()), (fixed + 203, Header::LEN + 203));
        let digested = block(&texts);
        digested.digest_ahead();
        assert_eq!(digested.memory_size(), fixed + 203 + 3 * Hash::LEN);
        let roomy = Block::new(Header::from_bytes(&[7; Header::LEN]), Vec::<String>::with_capacity(9));
        assert_eq!(roomy.memory_size(), Block::<String>::FIXED_SIZE + 9 * size_of::<String>());
    }

    #[test]
    fn a_type_says_what_its_heap_holds() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Zeros(Vec<u64>);

        impl Transaction for Zeros {
            type State = ();

            fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
                Ok(())
            }

            fn heap_size(&self, encoded_len: usize) -> usize {
                assert_eq!(encoded_len, 1 + self.0.len());
                size_of_val(&*self.0)
            }
        }

        let block = Block::new(Header::from_bytes(&[7; Header::LEN]), vec![Zeros(vec![0; 100])]);
        let expected = Block::<Zeros>::FIXED_SIZE + size_of::<Zeros>() + 800;
        assert_eq!((block.memory_size(), block.size()), (expected, Header::LEN + 101));
    }

    /// A transaction that encodes as the number of encodings so far.
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
        // A digest is kept if its ids, of 32 bytes each, take no more than the block: 180 bytes for the
        // header and one for each transaction.
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
