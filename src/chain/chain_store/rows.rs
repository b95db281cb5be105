//! The rows of the best chain: a header, the work up to it, and subtrees of the history, by height.

use core::ops::RangeInclusive;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{BestEntry, ChainStore, codec};
use crate::chain::error::OpenError;
use crate::primitives::{Hash, Header, Transaction};
use crate::store::{ALL_KEYS, Order, StoreError, Table, seal_all};

/// The number of rows at the end of the best chain that are cached, under 400 bytes each: twice what the
/// longest retargeting average reads.
pub(in crate::chain) const RECENT_ROWS: usize = 2_048;

/// How many rows are sealed together.
const SEALED_AT_ONCE: usize = 64;

impl<T: Transaction> ChainStore<T> {
    /// The last row of the best chain.
    pub(in crate::chain) fn tip(&self) -> &Arc<BestEntry> {
        #[expect(clippy::expect_used, reason = "loading a chain loads its tip, and no change leaves none")]
        self.recent.back().expect("the best chain has a tip")
    }

    /// The row of the best chain at this height.
    pub(in crate::chain) fn row(&self, height: u64) -> Result<Option<Arc<BestEntry>>, StoreError> {
        let first = self.recent.front().map(|row| row.header.height);
        match first.and_then(|first| height.checked_sub(first)) {
            Some(index) => Ok(usize::try_from(index).ok().and_then(|index| self.recent.get(index)).cloned()),
            None => self.load_row(height),
        }
    }

    /// Whether the look-up of the [row](Self::row) at this height takes no read of the store.
    pub(in crate::chain) fn is_recent(&self, height: u64) -> bool {
        self.recent.front().is_some_and(|first| height >= first.header.height)
    }

    /// The row of the best chain at this height, which must not be above the tip.
    pub(in crate::chain) fn row_below_tip(&self, height: u64) -> Result<Arc<BestEntry>, StoreError> {
        self.row(height)?.ok_or_else(|| missing_row(height))
    }

    /// The row of the best chain with this hash. `hint` is a height at which the row is looked for first: for
    /// a recent block that takes no read of the store.
    pub(in crate::chain) fn row_of(
        &self,
        hash: &Hash,
        hint: Option<u64>,
    ) -> Result<Option<Arc<BestEntry>>, StoreError> {
        if let Some(height) = hint
            && let Some(row) = self.row(height)?.filter(|row| row.hash == *hash)
        {
            return Ok(Some(row));
        }
        if let Some(tip) = self.recent.back().filter(|tip| tip.hash == *hash) {
            return Ok(Some(Arc::clone(tip)));
        }
        let Some(value) = self.get(Table::Heights, hash.as_bytes())? else { return Ok(None) };
        let row = codec::height_of_key(&value).map(|height| self.row(height)).transpose()?.flatten();
        row.filter(|row| row.hash == *hash)
            .map(Some)
            .ok_or_else(|| StoreError::damaged(Table::Heights, hash, "leads to another block"))
    }

    /// Checks that the index by hash leads to this row of the best chain.
    pub(in crate::chain) fn check_found(&self, row: &BestEntry) -> Result<(), StoreError> {
        let value = self.get(Table::Heights, row.hash.as_bytes())?;
        match value.as_deref().map(codec::height_of_key) {
            Some(height) if height == Some(row.header.height) => Ok(()),
            Some(_) => Err(StoreError::damaged(Table::Heights, row.hash, "leads to another block")),
            None => Err(StoreError::damaged(Table::Heights, row.hash, "is missing")),
        }
    }

    /// The header of the best chain at this height, if it has this hash; `None` also if its row is damaged.
    pub(in crate::chain) fn header_at(&self, height: u64, hash: &Hash) -> Result<Option<Header>, StoreError> {
        if self.is_recent(height) {
            return Ok(self.row(height)?.filter(|row| row.hash == *hash).map(|row| row.header));
        }
        // The hash shows that the header is whole, so the checksum of the row is not needed.
        Ok(self.unchecked_header(height)?.filter(|header| header.hash() == *hash))
    }

    /// The headers of the best chain at these heights, which must not be above the tip.
    pub(in crate::chain) fn headers(&self, heights: RangeInclusive<u64>) -> Result<Vec<Header>, StoreError> {
        let (first, last) = heights.into_inner();
        let whole = |heights: RangeInclusive<u64>| -> Result<Vec<Header>, StoreError> {
            heights.map(|height| Ok(self.row_below_tip(height)?.header)).collect()
        };
        let first_whole = self.recent.front().map_or(last, |row| row.header.height).clamp(first, last);
        let rest = whole(first_whole..=last)?;
        let unchecked: Result<Option<Vec<Header>>, StoreError> =
            (first..first_whole).map(|height| self.unchecked_header(height)).collect();
        if let Some(mut headers) = unchecked? {
            let hashes = Header::hashes(&headers);
            headers.extend(rest);
            // Each hash is in the header after it, so a header before a whole one is whole.
            if headers.iter().skip(1).zip(&hashes).all(|(next, hash)| next.previous_hash == *hash) {
                return Ok(headers);
            }
        }
        // A row is damaged: the checksums show which.
        whole(first..=last)
    }

    /// The header in the stored row at this height, whose checksum is not verified; `None` if there is none.
    fn unchecked_header(&self, height: u64) -> Result<Option<Header>, StoreError> {
        let value = self.get(Table::Chain, &height.to_be_bytes())?;
        Ok(value.and_then(|value| BestEntry::header_in(&value)))
    }

    /// Whether the block of the best chain at this height has this hash.
    pub(in crate::chain) fn is_best_at(&self, height: u64, hash: &Hash) -> Result<bool, StoreError> {
        Ok(self.row(height)?.is_some_and(|row| row.hash == *hash))
    }

    /// Appends a row to the best chain.
    pub(in crate::chain) fn push_row(&mut self, row: BestEntry) {
        let row = Arc::new(row);
        self.recent.push_back(Arc::clone(&row));
        self.put_row(row);
        if self.unsealed.len() == SEALED_AT_ONCE {
            self.seal_rows();
        }
        if self.recent.len() > RECENT_ROWS {
            self.recent.pop_front();
        }
    }

    /// The rows of the best chain above `height`, lowest first.
    pub(in crate::chain) fn rows_above(&self, height: u64) -> Result<Vec<Arc<BestEntry>>, StoreError> {
        let tip = self.tip().header.height;
        (height + 1..=tip).map(|at| self.row_below_tip(at)).collect()
    }

    /// Removes the rows [above](Self::rows_above) a height from the best chain.
    pub(in crate::chain) fn truncate(&mut self, cut: &[Arc<BestEntry>]) -> Result<(), StoreError> {
        let Some(lowest) = cut.first() else { return Ok(()) };
        let kept = self.row_below_tip(lowest.header.height - 1)?;
        self.seal_rows();
        for row in cut {
            self.batch.delete(Table::Chain, row.header.height.to_be_bytes());
            self.batch.delete(Table::Heights, *row.hash.as_bytes());
        }
        self.recent.truncate(self.recent.len().saturating_sub(cut.len()));
        if self.recent.is_empty() {
            self.recent.push_back(kept);
        }
        Ok(())
    }

    /// The cached rows of the best chain, ascending.
    pub(in crate::chain) fn recent_rows(&self) -> impl Iterator<Item = &BestEntry> {
        self.recent.iter().map(|row| &**row)
    }

    /// Loads the last rows of the best chain into the cache.
    pub(in crate::chain) fn load_recent(&mut self) -> Result<(), OpenError> {
        self.recent.clear();
        let mut rows = VecDeque::new();
        for (key, value) in self.store.scan(Table::Chain, ALL_KEYS, Order::Descending, RECENT_ROWS)? {
            let height = codec::height_of_key(&key)
                .ok_or_else(|| StoreError::damaged(Table::Chain, hex::encode(&key), "is no height"))?;
            let damaged = |error| OpenError::Damaged { height, error };
            let row = BestEntry::from_bytes(height, &value).map_err(damaged)?;
            if let Some(next) = rows.front().map(|next: &Arc<BestEntry>| &next.header) {
                let above = height + 1;
                if next.height != above {
                    return Err(OpenError::Damaged { height: above, error: missing_row(above) });
                }
                if next.previous_hash != row.hash {
                    let error = StoreError::damaged(Table::Chain, height, "is not the parent of the next");
                    // Genesis is never another one.
                    return Err(OpenError::Damaged { height: height.max(1), error });
                }
            }
            rows.push_front(Arc::new(row));
        }
        let lowest = rows.front().map_or(1, |row| row.header.height);
        if rows.len() < RECENT_ROWS && lowest > 0 {
            let height = lowest - 1;
            return Err(OpenError::Damaged { height, error: missing_row(height) });
        }
        self.recent = rows;
        Ok(())
    }

    /// The height of the last row, even if the row is damaged.
    pub(in crate::chain) fn last_height(&self) -> Result<Option<u64>, StoreError> {
        let last = self.store.scan(Table::Chain, ALL_KEYS, Order::Descending, 1)?;
        Ok(last.first().and_then(|(key, _)| codec::height_of_key(key)))
    }

    pub(super) fn put_row(&mut self, row: Arc<BestEntry>) {
        self.batch.set(Table::Heights, row.hash.as_bytes(), row.header.height.to_be_bytes().to_vec());
        self.unsealed.push(row);
    }

    /// Moves the rows that are not in the batch there.
    pub(super) fn seal_rows(&mut self) {
        let value = |row: Arc<BestEntry>| (row.header.height.to_be_bytes(), row.to_unsealed_bytes());
        for (height, value) in seal_all(Table::Chain, self.unsealed.drain(..).map(value)) {
            self.batch.set(Table::Chain, &height, value);
        }
    }

    pub(super) fn load_row(&self, height: u64) -> Result<Option<Arc<BestEntry>>, StoreError> {
        let Some(value) = self.get(Table::Chain, &height.to_be_bytes())? else { return Ok(None) };
        BestEntry::from_bytes(height, &value).map(|row| Some(Arc::new(row)))
    }
}

pub(super) fn missing_row(height: u64) -> StoreError {
    StoreError::damaged(Table::Chain, height, "is missing")
}
