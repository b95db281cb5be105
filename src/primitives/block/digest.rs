//! Digests of bodies: the ids of the transactions, their Merkle root, and the sizes. Many transactions are
//! hashed at a time, of several bodies if possible.

use super::super::application;
use super::super::hash::Hash;
use super::super::header::Header;
use super::super::merkle;
use super::super::transaction::{EncodeError, Transaction};

/// The digest of a body: the values that the consensus checks need.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyDigest {
    /// The transactions' ids, in order: the leaves of the Merkle tree.
    pub ids: Vec<Hash>,
    /// The block's size in bytes: the header and the canonical bytes of the transactions.
    pub size: usize,
    /// The root over the ids.
    root: Hash,
}

impl BodyDigest {
    /// The digest of the body with these transactions.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a transaction that has no canonical bytes.
    pub fn of<T: Transaction>(data: &[T]) -> Result<Self, EncodeError> {
        Ok(digest_of(data)?.digest)
    }

    /// Whether the ids take no more memory than the canonical size of the block.
    pub(crate) const fn is_small(&self) -> bool {
        self.ids.len() * Hash::LEN <= self.size
    }

    /// The root of the transactions' Merkle tree.
    pub const fn merkle_root(&self) -> Hash {
        self.root
    }
}

/// The digest of a body, and the sum of the heap sizes of its transactions.
pub(super) struct MeasuredDigest {
    pub(super) digest: BodyDigest,
    pub(super) heap: usize,
}

/// The digest of the body with these transactions.
pub(super) fn digest_of<T: Transaction>(data: &[T]) -> Result<MeasuredDigest, EncodeError> {
    let mut leaves = Leaves { collects: data.len() >= merkle::MANY, ..Leaves::default() };
    let (size, heap) = leaves.encode(data)?;
    let ids = leaves.into_hashes();
    let root = merkle::root(&ids);
    Ok(MeasuredDigest { digest: BodyDigest { ids, size, root }, heap })
}

/// The digests of the bodies with these transactions.
pub(super) fn digests_of<'a, T: Transaction>(
    bodies: impl Iterator<Item = &'a [T]>,
) -> Vec<Result<MeasuredDigest, EncodeError>> {
    let mut leaves = Leaves { collects: true, ..Leaves::default() };
    let encoded: Vec<_> = bodies
        .map(|data| {
            let before = leaves.count;
            let sizes = leaves.encode(data);
            // Includes the transactions before one without canonical bytes.
            (leaves.count - before, sizes)
        })
        .collect();
    let mut hashes = leaves.into_hashes().into_iter();
    let ids: Vec<Vec<Hash>> =
        encoded.iter().map(|(count, _)| hashes.by_ref().take(*count).collect()).collect();
    let roots = merkle::roots(ids.clone());
    let digest = |((ids, root), (_, sizes)): ((_, _), (_, Result<_, _>))| {
        let (size, heap) = sizes?;
        Ok(MeasuredDigest { digest: BodyDigest { ids, size, root }, heap })
    };
    ids.into_iter().zip(roots).zip(encoded).map(digest).collect()
}

/// How many canonical bytes are collected before they are hashed: small enough for a cache of the processor,
/// and enough for many transactions of a usual size.
const MAX_COLLECTED: usize = 64 << 10;

/// The leaf hashes of transactions, which are encoded one after the other and hashed many at a time.
#[derive(Default)]
struct Leaves {
    /// Whether the bytes are collected. The few transactions of a single small body are hashed at once, which
    /// takes no copy.
    collects: bool,
    /// The transactions that were encoded.
    count: usize,
    /// The canonical bytes of those that are not hashed yet.
    bytes: Vec<u8>,
    /// The ends of the transactions in `bytes`.
    ends: Vec<usize>,
    hashes: Vec<Hash>,
    /// The buffer for one transaction. [`Transaction::encode`] is the application's, and never sees the bytes
    /// of others.
    buffer: Vec<u8>,
}

impl Leaves {
    /// Adds the transactions of a body. Returns the canonical size of the block, and the heap size of the
    /// transactions.
    fn encode<T: Transaction>(&mut self, data: &[T]) -> Result<(usize, usize), EncodeError> {
        let (mut size, mut heap) = (Header::LEN, 0_usize);
        if self.collects {
            self.ends.reserve(data.len());
        } else {
            self.hashes.reserve_exact(data.len());
        }
        for transaction in data {
            self.buffer.clear();
            let held = application::encode_and_measure(transaction, &mut self.buffer)?;
            size += self.buffer.len();
            heap = held.saturating_add(heap);
            self.count += 1;
            if !self.collects {
                self.hashes.push(merkle::leaf_hash(&self.buffer));
                continue;
            }
            self.bytes.extend(&self.buffer);
            self.ends.push(self.bytes.len());
            if self.bytes.len() >= MAX_COLLECTED {
                self.hash();
            }
        }
        Ok((size, heap))
    }

    fn hash(&mut self) {
        let mut start = 0;
        let bytes: Vec<&[u8]> =
            self.ends.drain(..).map(|end| &self.bytes[core::mem::replace(&mut start, end)..end]).collect();
        let hashes = merkle::leaf_hashes(&bytes);
        self.bytes.clear();
        if self.hashes.is_empty() {
            self.hashes = hashes;
        } else {
            self.hashes.extend(hashes);
        }
    }

    fn into_hashes(mut self) -> Vec<Hash> {
        if self.collects {
            self.hash();
        }
        self.hashes
    }
}
