//! The transaction ids of the blocks of the last import, kept so that the mempool does not hash the
//! transactions again.

use super::Blockchain;
use crate::primitives::{ByHash, Hash, Transaction};

/// The most ids that are kept, 32 bytes each. The mempool computes the others again.
const MAX_IDS: usize = 1 << 14;

#[derive(Debug, Default)]
pub(super) struct Ids {
    by_block: ByHash<Vec<Hash>>,
    /// Those of all blocks.
    count: usize,
}

impl Ids {
    pub(super) fn clear(&mut self) {
        self.by_block.clear();
        self.count = 0;
    }

    pub(super) fn keep(&mut self, block: Hash, ids: Vec<Hash>) {
        if ids.len() <= MAX_IDS - self.count && !self.by_block.contains_key(&block) {
            self.count += ids.len();
            self.by_block.insert(block, ids);
        }
    }
}

impl<T: Transaction> Blockchain<T> {
    /// The transaction ids of a block, in order, if they were kept in the last import.
    pub(crate) fn ids_of(&self, block: &Hash) -> Option<&[Hash]> {
        self.ids.by_block.get(block).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_kept_than_fit() {
        let hash = |byte| Hash::from_bytes([byte; 32]);
        let mut ids = Ids::default();
        ids.keep(hash(1), vec![hash(7); MAX_IDS - 1]);
        ids.keep(hash(2), vec![hash(8); 2]);
        ids.keep(hash(3), vec![hash(9)]);
        let kept = |ids: &Ids, block| ids.by_block.get(&hash(block)).map(Vec::len);
        assert_eq!([1, 2, 3].map(|block| kept(&ids, block)), [Some(MAX_IDS - 1), None, Some(1)]);
        ids.clear();
        ids.keep(hash(2), vec![hash(8); 2]);
        assert_eq!([1, 2, 3].map(|block| kept(&ids, block)), [None, Some(2), None]);
    }
}
