//! Import of headers, ahead of their blocks.

use super::Blockchain;
use super::error::{BlockError, HeadersError};
use super::prepare::HEADERS_AT_ONCE;
use crate::consensus::check;
use crate::primitives::{Hash, Header, Timestamp, Transaction};

impl<T: Transaction> Blockchain<T> {
    /// Validates a header and adds it to the header tree, ahead of its block. Returns whether it was new.
    ///
    /// # Errors
    ///
    /// The rule that the header breaks, as far as a header without its body can be checked. An error changes
    /// nothing.
    pub fn import_header(&mut self, header: &Header, now: Timestamp) -> Result<bool, BlockError> {
        self.import_hashed_header(header.hash(), header, now)
    }

    /// Imports headers in their order, like [`import_header`](Self::import_header), up to the first one that is
    /// refused. Returns how many were new. Headers that follow each other take less time than single
    /// imports, because their hashes are computed many at a time.
    ///
    /// # Errors
    ///
    /// [`HeadersError`], the first header that is refused. Those before it are imported.
    pub fn import_headers(&mut self, headers: &[Header], now: Timestamp) -> Result<usize, HeadersError> {
        self.import_hashed_headers(&Header::hashes(headers), headers, now)
    }

    /// [`import_headers`](Self::import_headers) for headers whose hashes are known.
    pub(crate) fn import_hashed_headers(
        &mut self,
        hashes: &[Hash],
        headers: &[Header],
        now: Timestamp,
    ) -> Result<usize, HeadersError> {
        let mut new = 0;
        for (part, headers) in headers.chunks(HEADERS_AT_ONCE).enumerate() {
            let start = part * HEADERS_AT_ONCE;
            let hashes = &hashes[start..start + headers.len()];
            self.prepare_headers(hashes, headers);
            for (index, (hash, header)) in hashes.iter().zip(headers).enumerate() {
                let imported = self.import_hashed_header(*hash, header, now);
                new += usize::from(imported.map_err(|error| HeadersError { index: start + index, error })?);
            }
        }
        Ok(new)
    }

    /// [`import_header`](Self::import_header) for a header whose hash is known.
    pub(crate) fn import_hashed_header(
        &mut self,
        hash: Hash,
        header: &Header,
        now: Timestamp,
    ) -> Result<bool, BlockError> {
        self.recover_if_stale()?;
        if let Some(node) = self.tree.node(&hash) {
            return if node.is_invalid() { Err(BlockError::KnownInvalid { hash }) } else { Ok(false) };
        }
        if self.store.is_best_at(header.height, &hash)? {
            return Ok(false);
        }
        check::proof_of_work(header, &hash, &self.spec)?;
        let checked = self.check_header(header, now)?;
        self.evict_for_header(&[header.previous_hash])?;
        self.insert_header(hash, header, checked);
        Ok(true)
    }
}
