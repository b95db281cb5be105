//! Templates: the next block without its nonce.

use core::time::Duration;

use super::Blockchain;
use crate::consensus::RuleError;
use crate::consensus::check;
use crate::miner::Template;
use crate::primitives::application;
use crate::primitives::{Address, BodyDigest, Hash, Header, Timestamp, Transaction};

impl<T: Transaction> Blockchain<T> {
    /// A template of the next block with these transactions and without a miner address.
    ///
    /// # Errors
    ///
    /// The rule that a block with these transactions would break: one that the application refuses, one that
    /// does not come back from its serde form, too many transactions, or too many bytes.
    pub fn template(&self, data: Vec<T>, now: Timestamp) -> Result<Template<T>, RuleError> {
        self.template_for(Address::ZERO, data, now)
    }

    /// A template of the next block with these transactions, mined by `miner`.
    ///
    /// # Errors
    ///
    /// As for [`template`](Self::template).
    pub fn template_for(
        &self,
        miner: Address,
        data: Vec<T>,
        now: Timestamp,
    ) -> Result<Template<T>, RuleError> {
        check::count(data.len(), &self.spec)?;
        // Checked before mining, because a block that does not read back from the store would waste its work.
        data.iter().try_for_each(application::check_serde_form)?;
        let (got, limit) = (self.next_timestamp(now), now.saturating_add(self.spec.max_future_drift()));
        if got > limit {
            return Err(RuleError::TimestampTooLate { got, limit });
        }
        let digest = BodyDigest::of(&data)?;
        if !self.spec.fits(&digest) {
            return Err(RuleError::Size { got: digest.size, limit: self.spec.max_block_bytes() });
        }
        check::transactions(&data, self.genesis().hash())?;
        let mut header = self.next_header(miner, digest.merkle_root(), now);
        let mut state = self.state().clone();
        check::apply_all(&header, self.genesis().hash(), &data, &mut state)?;
        header.state_root = application::state_root::<T>(&state)?;
        Ok(Template::new(header, data))
    }

    /// How long until the next block can be mined by a clock that says `now`. Zero, unless the clock is so
    /// far behind the chain that the lowest timestamp after the median is further ahead of it than the spec's
    /// drift.
    pub fn next_block_wait(&self, now: Timestamp) -> Duration {
        self.next_timestamp(now).saturating_since(now.saturating_add(self.spec.max_future_drift()))
    }

    /// The timestamp of the next block: `now`, or the lowest one after the median if the clock is behind
    /// that.
    fn next_timestamp(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(self.end.past.median().as_millis().saturating_add(1)))
    }

    /// The header of the next block, without state root and nonce.
    pub(crate) fn next_header(&self, miner: Address, merkle_root: Hash, now: Timestamp) -> Header {
        Header {
            version: Header::VERSION,
            height: self.height() + 1,
            previous_hash: self.store.tip().hash,
            merkle_root,
            history_root: self.end.history.root(),
            state_root: Hash::ZERO,
            timestamp: self.next_timestamp(now),
            target: self.next_target(),
            miner,
            nonce: 0,
        }
    }
}
