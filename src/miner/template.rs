//! Templates: blocks that lack only the nonce. Validates nothing: the code that combines header and
//! transactions is responsible for a valid header that commits to the transactions.

use std::sync::Arc;

use super::search::{Miner, SearchOutcome};
use crate::primitives::CompactTargetError;
use crate::{Block, Header};

/// A header without a nonce, and the block's transactions: the input of a [`Miner`].
///
/// [`Blockchain::template`](crate::Blockchain::template) makes one that extends the chain. A clone shares the
/// transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct Template<T = String> {
    header: Header,
    data: Arc<Vec<T>>,
}

impl<T> Template<T> {
    /// Combines a header and transactions. The header's nonce is set to zero.
    pub fn new(header: Header, data: Vec<T>) -> Self {
        Self { header: Header { nonce: 0, ..header }, data: Arc::new(data) }
    }

    /// The header; its nonce is zero.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The transactions, in order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Mutable access to the header, with which the search rolls the timestamp.
    pub(super) const fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl<T: Clone> Template<T> {
    /// The block with this nonce. Copies the transactions only if a clone of the template shares them.
    pub fn into_block(self, nonce: u64) -> Block<T> {
        Block::new(Header { nonce, ..self.header }, Arc::unwrap_or_clone(self.data))
    }

    /// Searches on the calling thread until a block is found: for tests, and for programs that do nothing
    /// else meanwhile. The time depends on the target. This search cannot be stopped; that of a [`Miner`]
    /// can.
    ///
    /// # Errors
    ///
    /// [`SearchError`] if no hash can meet the header's target, or if the search is exhausted.
    pub fn mine(self) -> Result<Block<T>, SearchError> {
        let mut miner = Miner::new(self)?;
        loop {
            match miner.search(u64::MAX) {
                SearchOutcome::Found(block) => return Ok(block),
                SearchOutcome::Continue { .. } => {}
                SearchOutcome::Exhausted => return Err(SearchError::Exhausted),
            }
        }
    }
}

/// Why [`Template::mine`] found no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The header's compact target encodes no valid target.
    #[error(transparent)]
    Target(#[from] CompactTargetError),
    /// All nonces were tried at all timestamps from the header's on.
    #[error("every nonce was tried up to the last timestamp")]
    Exhausted,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ONE_IN_64, naive, template};
    use super::*;
    use crate::CompactTarget;

    #[test]
    fn mine_finds_the_first_nonce() {
        let template = template(ONE_IN_64, 1);
        let block = template.clone().mine().unwrap();
        let nonce = naive(*template.header(), 0..Header::NONCE_LIMIT).next().unwrap();
        assert_eq!(*block.header(), Header { nonce, ..*template.header() });
        assert_eq!(block.data(), template.data());
    }

    #[test]
    fn mine_refuses_what_is_no_target() {
        let zero = CompactTarget::from_bits(0);
        assert_eq!(template(0, 1).mine(), Err(SearchError::Target(CompactTargetError::Zero(zero))));
    }

    #[test]
    fn a_template_has_no_nonce_and_shares_its_data() {
        let header = Header::from_bytes(&[7; Header::LEN]);
        let template = Template::new(header, vec!["a".to_owned()]);
        assert_eq!(*template.header(), Header { nonce: 0, ..header });
        assert_eq!(template.clone().data().as_ptr(), template.data().as_ptr());
        assert_eq!(template.into_block(header.nonce), Block::new(header, vec!["a".to_owned()]));
    }
}
