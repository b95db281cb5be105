//! Pages of the chain, headers, and the blocks on side branches.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::StoreError;
use crate::api::{HeaderView, SideBlockView};
use crate::http::config::RoutesConfig;
use crate::http::error::{ApiError, Code};
use crate::http::json::{to_json, to_json_list};
use crate::http::query::PageQuery;
use crate::http::rendered::{Rendered, RenderedPage};
use crate::http::response::{Lifetime, Response, cacheable, json_body};
use crate::node::{BlockId, NodeHandle};
use crate::primitives::{Block, CompactTarget, Hash, Transaction};

/// Consecutive blocks or headers of the best chain, as of one moment.
pub(super) struct Page<I> {
    /// The lowest height that a page can have: blocks below it have no body.
    lowest: u64,
    tip: Hash,
    /// The height of the tip.
    pub(super) height: u64,
    /// In the order of the page.
    pub(super) items: Vec<I>,
}

/// The number of items in a page if the query has no `limit`.
const DEFAULT_PAGE_ITEMS: usize = 100;

/// The number of items of a page.
pub(super) fn page_items(limit: Option<u64>, config: &RoutesConfig) -> usize {
    let limit = limit.map_or(DEFAULT_PAGE_ITEMS, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    limit.min(config.max_page_items)
}

/// A page of the best chain.
pub(super) fn blocks<T: Transaction>(
    node: &NodeHandle<T>,
    rendered: &Rendered,
    query: &PageQuery,
    config: &RoutesConfig,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let (limit, max_bytes) = (page_items(query.limit, config), config.max_page_bytes);
    let page = page(node, query, limit, max_bytes)?;
    let (body, count) = rendered.list(page.items.iter().map(|block| &**block), max_bytes)?;
    let place = |block: &Arc<Block<T>>| (block.height(), *block.hash());
    let shown = page.render(query.descending, limit, (body, count), place);
    Ok(rendered.keep_page(page.tip, *query, shown).response(request))
}

/// A page of the headers of the best chain.
pub(super) fn headers<T: Transaction>(
    node: &NodeHandle<T>,
    easiest: CompactTarget,
    query: &PageQuery,
    config: &RoutesConfig,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let limit = page_items(query.limit, config);
    let page =
        node.read(|chain| Page::collect(0, chain.tip(), query, limit, |height| chain.header_at(height)))?;
    let page = page.map(|header| HeaderView::new(&header, easiest));
    let (body, count) = to_json_list(&page.items, config.max_page_bytes)?;
    let place = |header: &HeaderView| (header.height, header.hash);
    Ok(page.render(query.descending, limit, (body, count), place).response(request))
}

/// A header: on the best chain by its height, on any branch by its hash.
pub(super) fn header<T: Transaction>(
    node: &NodeHandle<T>,
    easiest: CompactTarget,
    id: BlockId,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let (header, lifetime) = match id {
        BlockId::Height(height) => (node.read(|chain| chain.header_at(height))?, Lifetime::Revalidated),
        BlockId::Hash(hash) => (node.read(|chain| chain.header(&hash))?, Lifetime::Immutable),
    };
    let Some(header) = header else {
        let shown = match id {
            BlockId::Height(height) => height.to_string(),
            BlockId::Hash(hash) => hash.to_string(),
        };
        return Err(ApiError::new(Code::BlockNotFound, format!("this node has no header {shown}")));
    };
    let view = HeaderView::new(&header, easiest);
    cacheable(request, &view.hash.to_string(), lifetime, || to_json(&view))
}

/// Up to `limit` blocks of the best chain. The last block is the one that reaches `max_bytes` of memory.
pub(super) fn page<T: Transaction>(
    node: &NodeHandle<T>,
    query: &PageQuery,
    limit: usize,
    max_bytes: usize,
) -> Result<Page<Arc<Block<T>>>, StoreError> {
    let mut bytes = 0;
    node.read(|chain| {
        Page::collect(chain.first_body(), chain.tip(), query, limit, |height| {
            if bytes >= max_bytes {
                return Ok(None);
            }
            let block = chain.block_at(height)?;
            bytes += block.as_ref().map_or(0, |block| block.memory_size());
            Ok(block)
        })
    })
}

impl<I> Page<I> {
    /// Up to `limit` items from the height of the query on, up or down, until `read` has none.
    fn collect<T: Transaction>(
        lowest: u64,
        tip: &Block<T>,
        query: &PageQuery,
        limit: usize,
        mut read: impl FnMut(u64) -> Result<Option<I>, StoreError>,
    ) -> Result<Self, StoreError> {
        let height = tip.height();
        let mut items = Vec::new();
        let mut next = if query.descending {
            query.from.unwrap_or(height).min(height)
        } else {
            query.from.unwrap_or(0).max(lowest)
        };
        while (lowest..=height).contains(&next) && items.len() < limit {
            let Some(item) = read(next)? else { break };
            items.push(item);
            let after = if query.descending { next.checked_sub(1) } else { next.checked_add(1) };
            let Some(after) = after else { break };
            next = after;
        }
        Ok(Self { lowest, tip: *tip.hash(), height, items })
    }

    /// The page with other items in the places of these.
    fn map<J>(self, item: impl FnMut(I) -> J) -> Page<J> {
        let Self { lowest, tip, height, items } = self;
        Page { lowest, tip, height, items: items.into_iter().map(item).collect() }
    }

    /// The page with the JSON of the first `count` items, and a reference to the next page. `place` is the height and the
    /// hash of an item.
    fn render(
        &self,
        descending: bool,
        limit: usize,
        (body, count): (Vec<u8>, usize),
        place: impl Fn(&I) -> (u64, Hash),
    ) -> RenderedPage {
        let (body, total) = (body.into(), self.height.saturating_add(1));
        let shown = &self.items[..count.min(self.items.len())];
        let ([first, ..], [.., last]) = (shown, shown) else {
            return RenderedPage { body, tag: None, link: None, total };
        };
        let ((_, first), (end, last)) = (place(first), place(last));
        // The highest block commits to all blocks before it, and the count determines the lowest one.
        let (tag, next, order) = if descending {
            let next = end.checked_sub(1).filter(|next| *next >= self.lowest);
            (format!("{first}-{count}-desc"), next, "&order=desc")
        } else {
            (format!("{last}-{count}"), Some(end + 1).filter(|next| *next <= self.height), "")
        };
        // Relative to the URL of the request (RFC 8288, section 3.2), with which it has the path in common.
        let link = next.map(|next| format!("<?from={next}&limit={limit}{order}>; rel=\"next\""));
        RenderedPage { body, tag: Some(tag), link, total }
    }
}

/// The blocks on side branches, the highest first.
pub(super) fn branches<T: Transaction>(
    node: &NodeHandle<T>,
    easiest: CompactTarget,
    limit: Option<u64>,
    config: &RoutesConfig,
) -> Result<Response, ApiError> {
    let blocks = node.chain().side_blocks(page_items(limit, config));
    let views = blocks.iter().map(|(hash, header)| SideBlockView::new(*hash, header, easiest));
    let (body, _) = to_json_list(views, config.max_page_bytes)?;
    Ok(json_body(StatusCode::OK, body))
}
