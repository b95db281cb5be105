//! A block that lacks only its nonce. Judges nothing: whether the header is a good one, and commits to the
//! transactions, is for whoever puts the two together.

use std::sync::Arc;

use super::search::{Miner, Search};
use crate::{Block, CompactTargetError, Header};

/// A header without a nonce and the transactions under it: what a [`Miner`] works on.
///
/// [`Blockchain::template`](crate::Blockchain::template) makes one that extends the chain. A clone shares the
/// transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct Template<T = String> {
    header: Header,
    data: Arc<Vec<T>>,
}

impl<T> Template<T> {
    /// Puts a header and transactions together. The header's nonce is set to zero.
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

    /// The header, for the search to roll its timestamp.
    pub(super) const fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl<T: Clone> Template<T> {
    /// The block with this nonce, found by whatever means. Copies the transactions only where a clone of the
    /// template still shares them.
    pub fn into_block(self, nonce: u64) -> Block<T> {
        Block::new(Header { nonce, ..self.header }, Arc::unwrap_or_clone(self.data))
    }

    /// Searches on the calling thread until a block is found: for tests, and for programs that have nothing
    /// else to do. Takes as long as the target asks for, and cannot be stopped; a [`Miner`] can.
    ///
    /// # Errors
    ///
    /// [`SearchError`], for a header whose target no hash can meet, and for a search that has come to its end.
    pub fn mine(self) -> Result<Block<T>, SearchError> {
        let mut miner = Miner::new(self)?;
        loop {
            match miner.search(u64::MAX) {
                Search::Found(block) => return Ok(block),
                Search::Continue { .. } => {}
                Search::Exhausted => return Err(SearchError::Exhausted),
            }
        }
    }
}

/// Why [`Template::mine`] found no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The header's compact target stands for no target.
    #[error(transparent)]
    Target(#[from] CompactTargetError),
    /// Every nonce was tried at every timestamp from the header's on.
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
