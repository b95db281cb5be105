//! The invariants of the store after every commit, recomputed from its bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{block_key, height_of_key, read_block, read_state};
use super::rows::RECENT_ROWS;
use super::{BestEntry, ChainEntry, ChainStore, MetaKey};
use crate::consensus::check;
use crate::consensus::headers::{history_leaf, work_of};
use crate::primitives::merkle::{HistoryTree, Subtrees};
use crate::primitives::{Hash, Transaction, Work};
use crate::store::{ALL_KEYS, Entries, Order, Table};

use super::super::checkpoints::Checkpoints;

/// The side branch blocks in the header tree.
pub(in super::super) struct Aside {
    /// The rows that the store must have.
    pub(in super::super) complete: BTreeMap<Hash, ChainEntry>,
    /// The blocks whose rows may differ, because changes of them are not written to the store yet.
    pub(in super::super) touched: BTreeSet<Hash>,
    /// The removed blocks, by height, whose bodies may still be in the store.
    pub(in super::super) dropped: BTreeSet<(u64, Hash)>,
}

impl<T: Transaction> ChainStore<T>
where
    T::State: PartialEq,
{
    /// Checks all that the store has of the best chain and of the side branches `aside`. Returns the rows of
    /// the best chain and the state at its tip.
    pub(in super::super) fn check_invariants(
        &self,
        aside: &Aside,
        checkpoints: &Checkpoints,
        first: &T::State,
    ) -> (Vec<BestEntry>, T::State) {
        assert!(self.batch.is_empty(), "what has changed is committed");
        let rows = self.check_rows();
        self.check_recent(&rows);
        self.check_branches(aside);
        self.check_bodies(&rows, aside, checkpoints.pruned);
        let state = self.check_states(&rows, checkpoints, first);
        (rows, state)
    }

    fn check_rows(&self) -> Vec<BestEntry> {
        let (mut work, mut history, mut rows) = (Work::ZERO, HistoryTree::new(), Vec::<BestEntry>::new());
        for ((key, value), height) in self.stored(Table::Chain).into_iter().zip(0_u64..) {
            assert_eq!(height_of_key(&key), Some(height), "no height is left out");
            let row = BestEntry::from_bytes(height, &value).unwrap();
            assert_eq!(row.header.height, height);
            assert_eq!(row.hash, row.header.hash());
            assert!(rows.last().is_none_or(|parent| parent.hash == row.header.previous_hash));
            work = work + work_of(row.header.target);
            assert_eq!(row.work, work);
            history.push(history_leaf(&row.hash));
            let levels = 1..=(height + 1).trailing_zeros() as usize;
            let subtrees = levels.map(|level| history.subtree(level, ((height + 1) >> level) - 1).unwrap());
            assert_eq!(row.subtrees, subtrees.collect::<Vec<_>>());
            rows.push(row);
        }
        let heights = self.stored(Table::Heights).into_iter().collect::<BTreeMap<_, _>>();
        let expected =
            rows.iter().map(|row| (row.hash.as_bytes().to_vec(), row.header.height.to_be_bytes().to_vec()));
        assert_eq!(heights, expected.collect());
        rows
    }

    fn check_recent(&self, rows: &[BestEntry]) {
        assert!(!self.recent.is_empty() && self.recent.len() <= RECENT_ROWS);
        assert!(self.recent_rows().eq(&rows[rows.len() - self.recent.len()..]));
    }

    fn check_branches(&self, aside: &Aside) {
        let stored = self.branches().unwrap().into_iter().collect::<BTreeMap<_, _>>();
        let expected = aside.complete.iter().map(|(hash, row)| (*hash, Some(row.clone())));
        let settled = |rows: BTreeMap<Hash, Option<ChainEntry>>| {
            rows.into_iter().filter(|(hash, _)| !aside.touched.contains(hash)).collect::<Vec<_>>()
        };
        assert_eq!(settled(stored), settled(expected.collect()));
    }

    fn check_bodies(&self, rows: &[BestEntry], aside: &Aside, pruned: u64) {
        let mut stored = self.stored(Table::Blocks).into_iter().collect::<BTreeMap<_, _>>();
        // The genesis block is derived from the spec, and its body is not stored.
        let kept = rows.iter().filter(|row| row.header.height > pruned && row.header.height > 0);
        let kept = kept.map(|row| &row.entry);
        for entry in kept.chain(aside.complete.values()) {
            let (height, hash) = (entry.header.height, &entry.hash);
            let bytes =
                stored.remove(&block_key(height, hash)[..]).expect("every block that is kept is there");
            let (block, read) = read_block::<T>(&entry.header, hash, &bytes).unwrap();
            assert_eq!((block.hash(), block.header(), read), (hash, &entry.header, entry.size));
        }
        for (height, hash) in &aside.dropped {
            stored.remove(&block_key(*height, hash)[..]);
        }
        assert!(stored.is_empty(), "bodies that nobody asks for: {:?}", stored.keys());
    }

    fn check_states(&self, rows: &[BestEntry], checkpoints: &Checkpoints, first: &T::State) -> T::State {
        let heights = |key| self.heights(key).unwrap().unwrap_or_default();
        assert_eq!(heights(MetaKey::States), checkpoints.states);
        assert_eq!(heights(MetaKey::Pruned).first().copied().unwrap_or(0), checkpoints.pruned);
        let stored = self.stored(Table::States).into_iter();
        let mut stored: BTreeMap<u64, Vec<u8>> =
            stored.map(|(key, value)| (height_of_key(&key).unwrap(), value)).collect();
        assert!(stored.keys().eq(&checkpoints.states), "the states are where the list of them says");
        let read = |height: u64, bytes: &[u8]| {
            let hash = &rows[usize::try_from(height).unwrap()].hash;
            read_state::<T::State>(height, hash, bytes).unwrap()
        };
        let mut state = first.clone();
        let mut start = 0;
        if checkpoints.pruned > 0 {
            // States below the pruned height are deleted when the next state is written.
            stored = stored.split_off(&checkpoints.pruned);
            let (height, bytes) = stored.pop_first().expect("a pruned chain has a state to begin with");
            (start, state) = (height, read(height, &bytes));
        }
        let mut replay_bytes = 0;
        for row in rows.iter().filter(|row| row.header.height > start) {
            let block = self.stored_block(row).unwrap();
            check::apply(&row.header, &rows[0].hash, block.data(), &mut state).unwrap();
            replay_bytes += row.size;
            if let Some(bytes) = stored.remove(&row.header.height) {
                assert!(read(row.header.height, &bytes) == state, "state {} is another", row.header.height);
                replay_bytes = 0;
            }
        }
        assert!(stored.is_empty(), "states above the tip: {:?}", stored.keys());
        assert_eq!(checkpoints.replay_bytes, replay_bytes);
        state
    }

    fn stored(&self, table: Table) -> Entries {
        self.store().scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap()
    }
}
