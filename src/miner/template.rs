//! Templates: blocks that lack only the nonce. Validates nothing: the code that combines header and
//! transactions is responsible for a valid header that commits to the transactions.

use std::sync::Arc;

use crate::{Block, Header};

/// A header without a nonce, and the block's transactions: the input of a [`Miner`](crate::Miner).
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_no_nonce_and_shares_its_data() {
        let header = Header::from_bytes(&[7; Header::LEN]);
        let template = Template::new(header, vec!["a".to_owned()]);
        assert_eq!(*template.header(), Header { nonce: 0, ..header });
        assert_eq!(template.clone().data().as_ptr(), template.data().as_ptr());
        assert_eq!(template.into_block(header.nonce), Block::new(header, vec!["a".to_owned()]));
    }
}
