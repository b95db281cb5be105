//! The routes: answers an `http` request with an `http` response, over a node. Opens no socket and reads no
//! clock.
//!
//! The functions here are async and must not block. Reads that may wait for the node's lock or for the store,
//! long lists, and large values in JSON go to [`Threads`]; all that changes the node is an async call of its
//! handle, which ends when the future is dropped.

mod chain;
mod change;
#[cfg(feature = "evidence")]
mod log;
#[cfg(feature = "openapi")]
mod openapi;
mod page;
mod state;
pub(super) mod table;
mod transactions;

use core::pin::Pin;
use std::borrow::Cow;
use std::sync::Arc;
#[cfg(feature = "openapi")]
use std::sync::OnceLock;

use hyper::body::Bytes;
use hyper::header::HeaderMap;
#[cfg(feature = "openapi")]
use hyper::header::HeaderValue;
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use hyper::{Method, Request};
#[cfg(feature = "metrics")]
use prometheus_client::registry::Registry;
use rouille::percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;

use super::config::RoutesConfig;
use super::cors;
use super::error::{ApiError, Code};
use super::events::Feed;
use super::guard;
use super::json::{json, to_json_list};
#[cfg(feature = "metrics")]
use super::metrics::{self, HttpMetrics};
use super::query::{PageQuery, check_limit, decimal, numbers};
use super::rendered::Rendered;
use super::response::{Lifetime, Response, json_body};
#[cfg(feature = "openapi")]
use super::response::{cacheable, entity_tag};
use super::threads::Threads;
use crate::api::{Health, HealthStatus, PendingTransaction, Status};
use crate::node::{BlockId, NodeHandle, Stopped};
use crate::primitives::{Block, CompactTarget, Hash, Transaction};
use table::{Endpoint, Found, Read};

/// The routes of a node.
pub(super) struct Routes<T: Transaction> {
    node: NodeHandle<T>,
    config: RoutesConfig,
    threads: Threads,
    /// One permit for each `POST /mine` in progress.
    mining: Semaphore,
    /// The target of difficulty 1.
    easiest: CompactTarget,
    rendered: Rendered,
    feed: Feed,
    #[cfg(feature = "metrics")]
    metrics: HttpMetrics,
    /// What `GET /metrics` shows.
    #[cfg(feature = "metrics")]
    registry: Registry,
    /// The description of the routes and its tag, once it was asked for.
    #[cfg(feature = "openapi")]
    openapi: OnceLock<(Bytes, HeaderValue)>,
}

/// The size, in bytes, of the largest body or block that is parsed or serialized on the task of a connection,
/// which delays other tasks by some tens of microseconds.
const MAX_BYTES_ON_TASK: usize = 16 << 10;

impl<T: Transaction> Routes<T> {
    pub(super) fn new(node: NodeHandle<T>, config: RoutesConfig, threads: Threads) -> Self {
        let mining = Semaphore::new(config.max_mining.min(Semaphore::MAX_PERMITS));
        let easiest = node.chain().spec().easiest_target();
        let rendered = Rendered::new(config.max_rendered_bytes, easiest);
        let feed = Feed::new(&config);
        #[cfg(feature = "metrics")]
        let metrics = config.metrics.clone().unwrap_or_default();
        #[cfg(feature = "metrics")]
        metrics.prepare(table::names());
        Self {
            #[cfg(feature = "metrics")]
            registry: metrics::registry(&node, &metrics),
            #[cfg(feature = "metrics")]
            metrics,
            node,
            config,
            threads,
            mining,
            easiest,
            rendered,
            feed,
            #[cfg(feature = "openapi")]
            openapi: OnceLock::new(),
        }
    }

    /// Answers a request. Dropping the future cancels the request: a search for a block stops.
    pub(super) async fn respond(self: Arc<Self>, request: Request<Bytes>) -> Response {
        let (head, bytes) = request.into_parts();
        let found = table::find(&head.method, head.uri.path());
        #[cfg(feature = "metrics")]
        let (started, route) = (tokio::time::Instant::now(), found.as_ref().ok().map(|found| found.route));
        let response = self.answer(&head, bytes, found).await.unwrap_or_else(ApiError::into_response);
        #[cfg(feature = "metrics")]
        self.metrics.count(
            route.and_then(table::position),
            head.method == Method::HEAD,
            &response,
            started.elapsed(),
        );
        response
    }

    async fn answer(
        self: &Arc<Self>,
        head: &Parts,
        bytes: Bytes,
        found: Result<Found<'_>, ApiError>,
    ) -> Result<Response, ApiError> {
        guard::check_host(&head.headers, &self.config.allowed_hosts)?;
        if cors::is_preflight(&head.method, &head.headers) {
            guard::check_origin(&head.headers, &self.config.allowed_origins)?;
            return Ok(cors::preflight());
        }
        let Found { route, argument } = found?;
        let argument = &*decoded(argument);
        match route.endpoint {
            Endpoint::Read(read) => {
                let query = head.uri.query().unwrap_or_default();
                self.read(read, argument, query, &head.headers).await
            }
            Endpoint::Change(change) => {
                guard::check_origin(&head.headers, &self.config.allowed_origins)?;
                if let Some(token) = self.config.token.as_ref().filter(|_| change.needs_token()) {
                    token.check(&head.headers)?;
                }
                Box::pin(self.change(change, argument, head, bytes)).await
            }
        }
    }

    async fn read(
        self: &Arc<Self>,
        read: Read,
        argument: &str,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        match read {
            Read::Status => self.status(|status| json(StatusCode::OK, status)).await,
            Read::Events => self.feed.answer(&self.node, headers, self.threads.delivery()),
            Read::Health => self.status(health).await,
            #[cfg(feature = "metrics")]
            Read::Metrics => {
                let headers = headers.clone();
                self.on_thread(move |routes| Ok(metrics::answer(&routes.registry, &headers))).await
            }
            #[cfg(feature = "openapi")]
            Read::OpenApi => self.openapi(headers),
            Read::Block => self.block(argument, headers).await,
            Read::Blocks => {
                let query = PageQuery::parse(query)?;
                let tip = self.node.try_chain().map(|chain| *chain.tip().hash());
                if let Some(page) = tip.and_then(|tip| self.rendered.page(&tip, &query)) {
                    return Ok(page.response(headers));
                }
                let headers = headers.clone();
                self.on_thread(move |routes| {
                    chain::blocks(&routes.node, &routes.rendered, &query, &routes.config, &headers)
                })
                .await
            }
            Read::LatestBlock => {
                let headers = headers.clone();
                self.on_thread(move |routes| {
                    let tip = routes.node.tip();
                    routes.show(&tip, BlockId::Height(tip.height()), &headers)
                })
                .await
            }
            Read::Headers => {
                let (query, headers) = (PageQuery::parse(query)?, headers.clone());
                self.on_thread(move |routes| {
                    chain::headers(&routes.node, routes.easiest, &query, &routes.config, &headers)
                })
                .await
            }
            Read::Header => {
                let (id, headers) = (block_id_in(argument)?, headers.clone());
                self.on_thread(move |routes| chain::header(&routes.node, routes.easiest, id, &headers)).await
            }
            Read::State => self.state(headers).await,
            Read::StateProof => self.state_proof(argument, headers).await,
            Read::Branches => {
                let [limit] = numbers(query, ["limit"])?;
                check_limit(limit)?;
                self.on_thread(move |routes| {
                    chain::branches(&routes.node, routes.easiest, limit, &routes.config)
                })
                .await
            }
            Read::Explorer if self.config.explorer => page::page(headers),
            Read::Asset if self.config.explorer => page::asset(argument, headers),
            Read::Explorer | Read::Asset => Err(table::not_found()),
            Read::Transactions => {
                let [limit] = numbers(query, ["limit"])?;
                check_limit(limit)?;
                let limit = chain::page_items(limit, &self.config);
                self.on_thread(move |routes| routes.transactions(limit)).await
            }
            Read::Transaction => {
                let id = transaction_id_in(argument)?;
                self.on_thread(move |routes| transactions::transaction(&routes.node, &id)).await
            }
            #[cfg(feature = "evidence")]
            Read::Receipt => {
                let (id, headers) = (transaction_id_in(argument)?, headers.clone());
                let checkpoint = self.node.checkpoint().await?;
                self.on_thread(move |routes| transactions::receipt(&routes.node, &id, checkpoint, &headers))
                    .await
            }
            Read::Peers => self.on_thread(|routes| json(StatusCode::OK, &routes.node.peers())).await,
            Read::Addresses => self.on_thread(|routes| json(StatusCode::OK, &routes.node.addresses())).await,
            Read::Bans => self.on_thread(|routes| json(StatusCode::OK, &routes.node.bans())).await,
            #[cfg(feature = "evidence")]
            Read::Checkpoint => log::checkpoint(&self.node).await,
            #[cfg(feature = "evidence")]
            Read::Tile => {
                let (tile, headers) = (log::tile_in(argument)?, headers.clone());
                self.on_thread(move |routes| log::tile(&routes.node, tile, &headers)).await
            }
            #[cfg(feature = "evidence")]
            Read::Consistency => {
                let sizes = numbers(query, ["old", "new"])?;
                self.on_thread(move |routes| log::consistency(&routes.node, sizes)).await
            }
        }
    }

    /// Runs a read on a thread, because it may wait for the lock of the node or for the store, or takes long. Boxed, so
    /// that the future of a request that needs no thread is small.
    fn on_thread<'a>(
        self: &'a Arc<Self>,
        read: impl FnOnce(&Self) -> Result<Response, ApiError> + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send + 'a>> {
        Box::pin(async move {
            let permit = self.threads.admit(&Method::GET).await?;
            let routes = Arc::clone(self);
            permit.run(move || read(&routes)).await
        })
    }

    /// Answers without a thread, unless the node is applying a change.
    async fn status(
        self: &Arc<Self>,
        show: fn(&Status) -> Result<Response, ApiError>,
    ) -> Result<Response, ApiError> {
        match self.node.ended() {
            None => {}
            Some(Ok(())) => return Err(Stopped.into()),
            Some(Err(failure)) => return Err(ApiError::new(Code::NodeFailed, failure.to_string())),
        }
        let status = self.node.try_chain().map(|chain| chain.status());
        match status {
            Some(status) => show(&status),
            None => self.on_thread(move |routes| show(&routes.node.status())).await,
        }
    }

    #[cfg(feature = "openapi")]
    fn openapi(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        let (document, tag) = if let Some(rendered) = self.openapi.get() {
            rendered
        } else {
            let document = openapi::document(&self.config)?;
            let tag = entity_tag(&Hash::digest(&document).to_string());
            self.openapi.get_or_init(|| (document.into(), tag))
        };
        cacheable(headers, tag.clone(), Lifetime::Revalidated, || Ok(document.clone()))
    }

    /// Answers without a thread if the block is small and in memory, unless the node is applying a change.
    async fn block(self: &Arc<Self>, argument: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
        let id = block_id_in(argument)?;
        let in_memory = self.node.try_chain().and_then(|chain| chain.block_in_memory(id, MAX_BYTES_ON_TASK));
        if let Some(block) = in_memory {
            return self.show(&block, id, headers);
        }
        let (text, headers) = (argument.to_owned(), headers.clone());
        self.on_thread(move |routes| {
            let block = match id {
                BlockId::Height(height) => routes.node.block_at(height)?,
                BlockId::Hash(hash) => routes.node.block(&hash)?,
            };
            match block {
                Some(block) => routes.show(&block, id, &headers),
                None => Err(ApiError::new(Code::BlockNotFound, format!("this node has no block {text}"))),
            }
        })
        .await
    }

    fn show(&self, block: &Block<T>, id: BlockId, headers: &HeaderMap) -> Result<Response, ApiError> {
        let lifetime = match id {
            BlockId::Height(_) => Lifetime::Revalidated,
            BlockId::Hash(_) => Lifetime::Immutable,
        };
        Ok(self.rendered.block(block)?.response(headers, lifetime))
    }

    fn transactions(&self, limit: usize) -> Result<Response, ApiError> {
        let pending = self.node.pending(limit);
        let views = pending.iter().map(|(id, data)| PendingTransaction { id: *id, data });
        let (body, _) = to_json_list(views, self.config.max_page_bytes)?;
        Ok(json_body(StatusCode::OK, body))
    }
}

/// Whether the node can do its work: an error if its store does not let it. A node that has ended has no status.
fn health(status: &Status) -> Result<Response, ApiError> {
    if status.halted {
        let message =
            status.store_error.clone().unwrap_or_else(|| "the store cannot be written to".to_owned());
        return Err(ApiError::new(Code::StoreFailed, message));
    }
    let is_behind = status.header_height > status.height;
    let status = if is_behind { HealthStatus::Behind } else { HealthStatus::Ok };
    json(StatusCode::OK, &Health { status })
}

/// Parses a block id from a path. 64 digits are a hash, even if all of them are decimal; no height has that
/// many.
fn block_id_in(text: &str) -> Result<BlockId, ApiError> {
    let parsed = match text.len() {
        64 => text.parse().ok().map(BlockId::Hash),
        _ => decimal(text).map(BlockId::Height),
    };
    parsed.ok_or_else(|| {
        let message = format!("block id {text:?}, expected a decimal height or a hash of 64 hex digits");
        ApiError::new(Code::BadBlockId, message)
    })
}

/// Parses a transaction id from a path.
fn transaction_id_in(text: &str) -> Result<Hash, ApiError> {
    text.parse().map_err(|_| {
        let message =
            format!("transaction id {text:?}, expected 64 hex digits as in the list of transactions");
        ApiError::new(Code::BadTransactionId, message)
    })
}

/// An argument of a path without percent-encoding: some clients encode colons and slashes.
fn decoded(argument: &str) -> Cow<'_, str> {
    percent_decode_str(argument).decode_utf8_lossy()
}

#[cfg(test)]
mod tests;
