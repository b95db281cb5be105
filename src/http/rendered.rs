//! The JSON of blocks. A block never changes, so its JSON is written once and kept, within a limit in bytes.

use hyper::body::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::error::ApiError;
use super::json::{self, to_json};
use crate::api::BlockView;
use crate::primitives::{Block, CompactTarget, Hash, Transaction};

/// The JSON of the blocks that were asked for lately.
pub(super) struct Rendered {
    /// The target of difficulty 1.
    easiest: CompactTarget,
    json: Cache<Hash, Bytes, Size>,
}

/// The approximate overhead of the cache per block.
const OVERHEAD: usize = 160;

/// The size that is expected of a block's JSON, for a first guess of how many there will be.
const EXPECTED_BYTES: usize = 2_048;

#[derive(Clone)]
struct Size;

impl Weighter<Hash, Bytes> for Size {
    fn weight(&self, _: &Hash, json: &Bytes) -> u64 {
        json.len().saturating_add(OVERHEAD) as u64
    }
}

impl Rendered {
    pub(super) fn new(max_bytes: usize, easiest: CompactTarget) -> Self {
        let (blocks, limit) = (max_bytes / EXPECTED_BYTES, max_bytes as u64);
        let mut options = OptionsBuilder::new();
        // A shard keeps nothing that is larger than its part of the limit.
        options.shards(1).estimated_items_capacity(blocks).weight_capacity(limit);
        let json = match options.build() {
            Ok(options) => {
                Cache::with_options(options, Size, DefaultHashBuilder::default(), DefaultLifecycle::default())
            }
            Err(_) => Cache::with_weighter(blocks, limit, Size),
        };
        Self { easiest, json }
    }

    /// The JSON of a block.
    pub(super) fn block<T: Transaction>(&self, block: &Block<T>) -> Result<Bytes, ApiError> {
        if let Some(json) = self.json.get(block.hash()) {
            return Ok(json);
        }
        let json = Bytes::from(to_json(&BlockView::new(block, self.easiest))?);
        self.json.insert(*block.hash(), json.clone());
        Ok(json)
    }

    /// The JSON of a list of blocks, up to the one that reaches `max_bytes`, and their number.
    pub(super) fn list<'a, T: Transaction>(
        &self,
        blocks: impl IntoIterator<Item = &'a Block<T>>,
        max_bytes: usize,
    ) -> Result<(Vec<u8>, usize), ApiError> {
        json::list(blocks, max_bytes, |block, json| {
            json.extend_from_slice(&self.block(block)?);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChainSpec, Header};

    #[test]
    fn a_block_is_rendered_once_and_the_limit_holds() {
        let spec = ChainSpec::default();
        let genesis: Block<String> = spec.genesis().unwrap();
        let of = |nonce| Block::new(Header { nonce, ..*genesis.header() }, vec!["x".repeat(1_000)]);
        let rendered = Rendered::new(64 << 10, spec.easiest_target());
        let first = rendered.block(&of(1)).unwrap();
        assert_eq!(rendered.block(&of(1)).unwrap().as_ptr(), first.as_ptr());
        assert_eq!(first, to_json(&BlockView::new(&of(1), spec.easiest_target())).unwrap());
        for nonce in 0..1_000 {
            rendered.block(&of(nonce)).unwrap();
            assert!(rendered.json.weight() <= 64 << 10);
        }
        let (list, count) = rendered.list([&of(7), &of(8), &of(9)], 2_000).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
        assert_eq!((list.len(), count), (2, 2));
        assert_eq!(list[1]["nonce"], 8);
    }

    #[test]
    fn without_room_everything_is_rendered_anew() {
        let spec = ChainSpec::default();
        let genesis: Block<String> = spec.genesis().unwrap();
        let rendered = Rendered::new(0, spec.easiest_target());
        assert_eq!(rendered.block(&genesis).unwrap(), rendered.block(&genesis).unwrap());
        assert_eq!(rendered.json.len(), 0);
    }
}
