//! The JSON of blocks and of pages. A block never changes, and neither does a page while the tip is the same, so their JSON is
//! written once and kept, within a limit in bytes.

use core::convert::Infallible;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use hyper::http::StatusCode;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::error::ApiError;
use super::json::to_json;
use super::query::PageQuery;
use super::response::{Lifetime, Response, cacheable, entity_tag, json_body};
use crate::api::BlockView;
use crate::primitives::{Block, CompactTarget, Hash, Transaction, cache_of_bytes};

/// The JSON of the blocks and of the pages that were asked for lately. Each kind has half of the limit.
pub(super) struct Rendered {
    /// The target of difficulty 1.
    easiest: CompactTarget,
    blocks: Cache<Hash, Tagged, Size>,
    /// By the tip and what was asked for.
    pages: Cache<(Hash, PageQuery), Arc<RenderedPage>, Size>,
}

/// A body with its entity tag.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    pub(super) body: Bytes,
    tag: HeaderValue,
}

/// A page of the best chain as it is sent.
#[derive(Debug)]
pub(super) struct RenderedPage {
    pub(super) body: Bytes,
    /// Identifies the body; `None` for a page without items.
    pub(super) tag: Option<HeaderValue>,
    /// The `Link` to the next page, if there is one.
    pub(super) link: Option<HeaderValue>,
    /// The number of blocks of the best chain.
    pub(super) total: u64,
}

/// The approximate overhead of the cache per block or page.
const OVERHEAD: usize = 160;

/// The size that is expected of a block's JSON.
const EXPECTED_BYTES: usize = 2_048;

/// The size that is expected of a page's JSON.
const EXPECTED_PAGE_BYTES: usize = 64 << 10;

#[derive(Clone)]
struct Size;

impl Weighter<Hash, Tagged> for Size {
    fn weight(&self, _: &Hash, block: &Tagged) -> u64 {
        block.body.len().saturating_add(block.tag.len() + OVERHEAD) as u64
    }
}

impl Weighter<(Hash, PageQuery), Arc<RenderedPage>> for Size {
    fn weight(&self, _: &(Hash, PageQuery), page: &Arc<RenderedPage>) -> u64 {
        let texts = [&page.tag, &page.link].into_iter().flatten().map(HeaderValue::len).sum::<usize>();
        page.body.len().saturating_add(texts + OVERHEAD) as u64
    }
}

impl Tagged {
    /// The answer to a request with these headers.
    pub(super) fn response(self, request: &HeaderMap, lifetime: Lifetime) -> Response {
        let Ok(response) = cacheable(request, self.tag, lifetime, || Ok::<_, Infallible>(self.body));
        response
    }
}

impl RenderedPage {
    /// The answer to a request with these headers.
    pub(super) fn response(&self, request: &HeaderMap) -> Response {
        let body = self.body.clone();
        let mut response = match self.tag.clone() {
            Some(tag) => Tagged { body, tag }.response(request, Lifetime::Revalidated),
            None => json_body(StatusCode::OK, body),
        };
        let headers = response.headers_mut();
        headers.insert(X_TOTAL_COUNT, self.total.into());
        headers.extend(self.link.clone().map(|link| (LINK, link)));
        response
    }
}

/// The number of blocks of the best chain.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

impl Rendered {
    pub(super) fn new(max_bytes: usize, easiest: CompactTarget) -> Self {
        let half = max_bytes / 2;
        Self {
            easiest,
            blocks: cache_of_bytes(half, EXPECTED_BYTES, Size),
            pages: cache_of_bytes(half, EXPECTED_PAGE_BYTES, Size),
        }
    }

    /// The page that was asked for before with this tip.
    pub(super) fn page(&self, tip: &Hash, query: &PageQuery) -> Option<Arc<RenderedPage>> {
        self.pages.get(&(*tip, *query))
    }

    /// Keeps a page until another tip makes it useless and it is evicted.
    pub(super) fn keep_page(&self, tip: Hash, query: PageQuery, page: RenderedPage) -> Arc<RenderedPage> {
        let page = Arc::new(page);
        self.pages.insert((tip, query), Arc::clone(&page));
        page
    }

    /// The JSON of a block that was asked for before.
    pub(super) fn get(&self, hash: &Hash) -> Option<Tagged> {
        self.blocks.get(hash)
    }

    /// The JSON of a block, with its hash as the entity tag.
    pub(super) fn block<T: Transaction>(&self, block: &Block<T>) -> Result<Tagged, ApiError> {
        if let Some(rendered) = self.get(block.hash()) {
            return Ok(rendered);
        }
        let mut json = to_json(&BlockView::new(block, self.easiest))?;
        json.shrink_to_fit();
        let rendered = Tagged { body: json.into(), tag: entity_tag(&block.hash().to_string()) };
        self.blocks.insert(*block.hash(), rendered.clone());
        Ok(rendered)
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
        assert_eq!(rendered.block(&of(1)).unwrap().body.as_ptr(), first.body.as_ptr());
        assert_eq!(first.body, to_json(&BlockView::new(&of(1), spec.easiest_target())).unwrap());
        assert_eq!(first.tag, format!("\"{}\"", of(1).hash()));
        for nonce in 0..1_000 {
            rendered.block(&of(nonce)).unwrap();
            assert!(rendered.blocks.weight() <= 32 << 10);
        }
    }

    #[test]
    fn a_page_is_kept_for_its_tip_within_the_limit() {
        let rendered = Rendered::new(64 << 10, ChainSpec::default().easiest_target());
        let page =
            |bytes: usize| RenderedPage { body: vec![b'x'; bytes].into(), tag: None, link: None, total: 1 };
        let query = PageQuery { from: Some(7), ..PageQuery::default() };
        let kept = rendered.keep_page(Hash::ZERO, query, page(1_000));
        assert!(Arc::ptr_eq(&rendered.page(&Hash::ZERO, &query).unwrap(), &kept));
        assert!(rendered.page(&Hash::from_bytes([1; 32]), &query).is_none());
        assert!(rendered.page(&Hash::ZERO, &PageQuery { descending: true, ..query }).is_none());
        for from in 0..1_000 {
            rendered.keep_page(Hash::ZERO, PageQuery { from: Some(from), ..query }, page(1_000));
            assert!(rendered.pages.weight() <= 32 << 10);
        }
        // A page that is larger than the limit is sent and not kept.
        let large = PageQuery { limit: Some(1), ..query };
        assert_eq!(rendered.keep_page(Hash::ZERO, large, page(40 << 10)).body.len(), 40 << 10);
        assert!(rendered.page(&Hash::ZERO, &large).is_none());
    }

    #[test]
    fn without_room_everything_is_rendered_anew() {
        let spec = ChainSpec::default();
        let genesis: Block<String> = spec.genesis().unwrap();
        let rendered = Rendered::new(0, spec.easiest_target());
        assert_eq!(rendered.block(&genesis).unwrap().body, rendered.block(&genesis).unwrap().body);
        assert_eq!(rendered.blocks.len(), 0);
    }
}
