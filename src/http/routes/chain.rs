//! Pages of the chain, and the blocks beside it.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, LINK};

use crate::StoreError;
use crate::http::config::RoutesConfig;
use crate::http::error::ApiError;
use crate::http::query::PageQuery;
use crate::http::rendered::Rendered;
use crate::http::response::{Lifetime, Response, cacheable, json_body, with_header};
use crate::http::view::{SideBlockView, to_json_list};
use crate::node::NodeHandle;
use crate::primitives::{Block, CompactTarget, Transaction};

/// Consecutive blocks of the best chain, as of one moment.
pub(super) struct Page<T> {
    /// The lowest height whose body is kept.
    lowest: u64,
    /// The height of the tip.
    pub(super) height: u64,
    /// The blocks, in the order of the page.
    pub(super) blocks: Vec<Arc<Block<T>>>,
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
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let (limit, max_bytes) = (page_items(query.limit, config), config.max_page_bytes);
    let Page { lowest, height, blocks } = page(node, query.from, query.descending, limit, max_bytes)?;
    let (body, count) = rendered.list(blocks.iter().map(|block| &**block), max_bytes)?;
    let counted = |response| with_header(response, X_TOTAL_COUNT, height.saturating_add(1));
    let shown = &blocks[..count.min(blocks.len())];
    let ([first, ..], [.., last]) = (shown, shown) else {
        return Ok(counted(json_body(StatusCode::OK, body)));
    };
    // The highest block commits to all blocks before it, and the count determines the lowest one.
    let (tag, next, order) = if query.descending {
        let next = last.height().checked_sub(1).filter(|next| *next >= lowest);
        (format!("{}-{count}-desc", first.hash()), next, "&order=desc")
    } else {
        (format!("{}-{count}", last.hash()), Some(last.height() + 1).filter(|next| *next <= height), "")
    };
    let response = counted(cacheable(headers, &tag, Lifetime::Revalidated, || Ok::<_, ApiError>(body))?);
    Ok(match next {
        Some(next) => {
            let link = format!("</blocks?from={next}&limit={limit}{order}>; rel=\"next\"");
            with_header(response, LINK, link)
        }
        None => response,
    })
}

/// Up to `limit` blocks of the best chain from this height on, up or down. The last block is the one that reaches
/// `max_bytes` of memory.
pub(super) fn page<T: Transaction>(
    node: &NodeHandle<T>,
    from: Option<u64>,
    descending: bool,
    limit: usize,
    max_bytes: usize,
) -> Result<Page<T>, StoreError> {
    node.read(|chain| {
        let (lowest, height) = (chain.first_body(), chain.height());
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let mut next =
            if descending { from.unwrap_or(height).min(height) } else { from.unwrap_or(0).max(lowest) };
        while (lowest..=height).contains(&next) && blocks.len() < limit && bytes < max_bytes {
            let Some(block) = chain.block_at(next)? else { break };
            bytes += block.memory_size();
            blocks.push(block);
            let Some(after) = (if descending { next.checked_sub(1) } else { next.checked_add(1) }) else {
                break;
            };
            next = after;
        }
        Ok(Page { lowest, height, blocks })
    })
}

/// The blocks on side branches, the highest first.
pub(super) fn branches<T: Transaction>(
    node: &NodeHandle<T>,
    easiest: CompactTarget,
    limit: Option<u64>,
    config: &RoutesConfig,
) -> Result<Response, ApiError> {
    let blocks = node.chain().side_blocks(page_items(limit, config));
    let views = blocks.iter().map(|(hash, header)| SideBlockView::new(hash, header, easiest));
    let (body, _) = to_json_list(views, config.max_page_bytes)?;
    Ok(json_body(StatusCode::OK, body))
}

/// The number of blocks of the best chain.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
