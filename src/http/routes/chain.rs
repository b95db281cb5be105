//! Pages of the chain, headers, and the blocks on side branches.

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::api::{HeaderView, SideBlockView};
use crate::chain::Blockchain;
use crate::http::config::RoutesConfig;
use crate::http::error::{ApiError, Code};
use crate::http::json::{list, to_json, to_json_list};
use crate::http::query::PageQuery;
use crate::http::rendered::{Rendered, RenderedPage};
use crate::http::response::{Lifetime, Response, cacheable, entity_tag, json_body};
use crate::node::{BlockId, NodeHandle};
use crate::primitives::{CompactTarget, Hash, Header, Transaction};
use crate::store::StoreError;

/// Which blocks of the best chain a page has, as of one moment.
struct Page {
    /// The lowest height that a page can have: blocks below it have no body.
    lowest: u64,
    tip: Hash,
    /// The height of the tip.
    height: u64,
    /// The hash and the header of each, in the order of the page.
    items: Vec<(Hash, Header)>,
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
    let limit = page_items(query.limit, config);
    let page = node.read(|chain| Page::read(chain, chain.first_body(), query, limit))?;
    // Block by block, so that neither the lock of the node nor the memory of the blocks is taken for a whole page.
    let blocks = page.items.iter().map_while(|(hash, header)| {
        if let Some(block) = rendered.get(hash) {
            return Some(Ok(block));
        }
        match node.read(|chain| chain.block_and_size(hash, Some(header.height))) {
            Ok(Some((block, _))) => Some(rendered.block(&block)),
            // Pruned since: the page ends before it.
            Ok(None) => None,
            Err(error) => Some(Err(error.into())),
        }
    });
    let (body, count) = list(blocks, config.max_page_bytes, |block, body| {
        body.extend_from_slice(&block?.body);
        Ok(())
    })?;
    if count == 0 && !page.items.is_empty() {
        return Err(ApiError::new(Code::Busy, "the blocks of this page were pruned meanwhile"));
    }
    let shown = page.render(query.descending, limit, (body, count));
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
    let page = node.read(|chain| Page::read(chain, 0, query, limit))?;
    let views = page.items.iter().map(|(_, header)| HeaderView::new(header, easiest));
    let written = to_json_list(views, config.max_page_bytes)?;
    Ok(page.render(query.descending, limit, written).response(request))
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
    cacheable(request, entity_tag(&view.hash.to_string()), lifetime, || to_json(&view))
}

impl Page {
    /// Up to `limit` headers from the height of the query on, up or down.
    fn read<T: Transaction>(
        chain: &Blockchain<T>,
        lowest: u64,
        query: &PageQuery,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let height = chain.height();
        let mut items = Vec::new();
        let mut next = if query.descending {
            query.from.unwrap_or(height).min(height)
        } else {
            query.from.unwrap_or(0).max(lowest)
        };
        while (lowest..=height).contains(&next) && items.len() < limit {
            let Some(header) = chain.header_at(next)? else { break };
            items.push((header.hash(), header));
            let after = if query.descending { next.checked_sub(1) } else { next.checked_add(1) };
            let Some(after) = after else { break };
            next = after;
        }
        Ok(Self { lowest, tip: *chain.tip().hash(), height, items })
    }

    /// The page with the JSON of the first `count` items, and a reference to the next page.
    fn render(&self, descending: bool, limit: usize, (body, count): (Vec<u8>, usize)) -> RenderedPage {
        let (body, total) = (body.into(), self.height.saturating_add(1));
        let shown = &self.items[..count.min(self.items.len())];
        let ([(first, _), ..], [.., (last, end)]) = (shown, shown) else {
            return RenderedPage { body, tag: None, link: None, total };
        };
        let end = end.height;
        // The highest block commits to all blocks before it, and the count determines the lowest one.
        let (tag, next, order) = if descending {
            let next = end.checked_sub(1).filter(|next| *next >= self.lowest);
            (format!("{first}-{count}-desc"), next, "&order=desc")
        } else {
            (format!("{last}-{count}"), Some(end + 1).filter(|next| *next <= self.height), "")
        };
        // Relative to the URL of the request (RFC 8288, section 3.2), with which it has the path in common.
        let link = next.map(|next| format!("<?from={next}&limit={limit}{order}>; rel=\"next\""));
        // A header of printable ASCII is always valid.
        let link = link.and_then(|link| link.try_into().ok());
        RenderedPage { body, tag: Some(entity_tag(&tag)), link, total }
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
