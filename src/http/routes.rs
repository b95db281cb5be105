//! The routes: maps requests to calls of a node. Opens no socket and reads no clock.

use core::marker::PhantomData;
use std::sync::Arc;

use rouille::{Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::backend::{Backend, Page};
use super::body::{Body, address_in, host_in};
use super::caching::{Lifetime, cacheable};
use super::client::Client;
use super::config::RoutesConfig;
use super::error::{ApiError, Code};
use super::guard;
use super::query::{Paging, decimal};
use super::server::Handler;
use super::view::{BlockView, TransactionView, to_json, to_json_list};
use crate::{Block, Hash, PeerAddr, PeerHost, PeerId, Transaction, limits};

/// A handler for any rouille application, with any backend.
pub(super) fn handler<T: Transaction, B: Backend<T>>(
    backend: B,
    config: RoutesConfig,
) -> impl Fn(&Request) -> Response + Clone + Send + Sync + 'static {
    let routes = Arc::new(Routes::new(backend, config));
    move |request| routes.answer(request, &Client::unknown()).into()
}

/// The routes with any backend.
pub(super) struct Routes<T, B> {
    backend: B,
    config: RoutesConfig,
    /// One permit for each `POST /mine` in progress.
    mining: Semaphore,
    transaction: PhantomData<fn() -> T>,
}

impl<T: Transaction, B: Backend<T>> Handler for Routes<T, B> {
    fn answer_at_once(&self, request: &Request) -> Option<Answer> {
        Routes::answer_at_once(self, request)
    }

    fn answer(&self, request: &Request, client: &Client, _: usize) -> Result<Answer, ApiError> {
        Ok(Routes::answer(self, request, client))
    }
}

/// The resource that a path identifies.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Blocks,
    Block(&'a str),
    Mine,
    Transactions,
    Transaction(&'a str),
    Peers,
    Peer(&'a str),
    Addresses,
    Address,
    Bans,
    Ban,
    Status,
}

impl<'a> Resource<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        match path {
            "/blocks" => Some(Self::Blocks),
            "/mine" => Some(Self::Mine),
            "/transactions" => Some(Self::Transactions),
            "/peers" => Some(Self::Peers),
            "/addresses" => Some(Self::Addresses),
            "/status" => Some(Self::Status),
            "/bans" => Some(Self::Bans),
            _ => {
                let below = |prefix: &str| path.strip_prefix(prefix).filter(|id| !id.contains('/'));
                let block = below("/blocks/").map(Self::Block);
                let peer = below("/peers/").map(Self::Peer);
                let transaction = below("/transactions/").map(Self::Transaction);
                // The host in the path may be an IPv6 network, which contains a slash, and an address
                // contains several.
                let others = [("/bans/", Self::Ban), ("/addresses/", Self::Address)];
                let other = others.into_iter().find(|(prefix, _)| path.starts_with(prefix));
                block.or(peer).or(transaction).or_else(|| other.map(|(_, resource)| resource))
            }
        }
    }

    /// The permitted methods, as in an `Allow` header.
    const fn allow(self) -> &'static str {
        match self {
            Self::Blocks | Self::Block(_) | Self::Addresses | Self::Status => "GET, HEAD",
            Self::Mine => "POST",
            Self::Transaction(_) => "GET, HEAD, DELETE",
            Self::Peer(_) | Self::Address | Self::Ban => "DELETE",
            Self::Transactions | Self::Peers | Self::Bans => "GET, HEAD, POST",
        }
    }
}

impl<T: Transaction, B: Backend<T>> Routes<T, B> {
    pub(super) fn new(backend: B, config: RoutesConfig) -> Self {
        let mining = Semaphore::new(config.max_mining.min(Semaphore::MAX_PERMITS));
        Self { backend, config, mining, transaction: PhantomData }
    }

    /// Answers a request. May block; a long operation ends early if the client disconnects.
    pub(super) fn answer(&self, request: &Request, client: &Client) -> Answer {
        if let Err(error) = guard::check_host(request, &self.config.allowed_hosts) {
            return error.into_answer();
        }
        let (path, query) = path_and_query(request);
        let Some(resource) = Resource::parse(path) else {
            let message = format!("nothing at this path; the routes are {ROUTES}");
            return ApiError::new(Code::NotFound, message).into_answer();
        };
        let answer = match (request.method(), resource) {
            // The server removes the body of the answer to `HEAD`.
            ("GET" | "HEAD", Resource::Blocks) => self.blocks(request, query),
            ("GET" | "HEAD", Resource::Block(id)) => self.block(request, id),
            ("GET" | "HEAD", Resource::Transactions) => self.transactions(query),
            ("GET" | "HEAD", Resource::Transaction(id)) => self.transaction(id),
            ("GET" | "HEAD", Resource::Peers) => json(200, &self.backend.peers()),
            ("GET" | "HEAD", Resource::Addresses) => json(200, &self.backend.addresses()),
            ("GET" | "HEAD", Resource::Bans) => json(200, &self.backend.bans()),
            ("GET" | "HEAD", Resource::Status) => self.backend.status().and_then(|status| json(200, &status)),
            ("POST", Resource::Mine) => self.body(request).and_then(|body| self.mine(body, client)),
            ("POST", Resource::Transactions) => self.body(request).and_then(|body| self.submit(body)),
            ("POST", Resource::Peers) => self.body(request).and_then(|body| self.connect(body)),
            ("POST", Resource::Bans) => self.body(request).and_then(|body| self.ban(body)),
            ("DELETE", Resource::Transaction(id)) => {
                guard::check_origin(request).and_then(|()| self.remove_transaction(id))
            }
            ("DELETE", Resource::Address) => {
                guard::check_origin(request).and_then(|()| self.forget_address(request))
            }
            ("DELETE", Resource::Peer(id)) => guard::check_origin(request).and_then(|()| self.remove(id)),
            ("DELETE", Resource::Ban) => guard::check_origin(request).and_then(|()| self.unban(request)),
            (method, resource) => {
                let allow = resource.allow();
                let message = format!("method {method} is not allowed here, expected {allow}");
                let error = ApiError::new(Code::MethodNotAllowed, message);
                return error.into_answer().with_header("Allow", allow);
            }
        };
        answer.unwrap_or_else(ApiError::into_answer)
    }

    /// Like [`answer`](Self::answer), but only if the answer is short, in memory, and needs no wait for a
    /// lock. `None` for any other request, including one that has to be refused.
    pub(super) fn answer_at_once(&self, request: &Request) -> Option<Answer> {
        if !matches!(request.method(), "GET" | "HEAD") {
            return None;
        }
        guard::check_host(request, &self.config.allowed_hosts).ok()?;
        let answer = match Resource::parse(path_and_query(request).0)? {
            Resource::Status => json(200, &self.backend.status_if_at_hand()?),
            Resource::Block(id) => {
                let id = BlockId::parse(id).ok()?;
                let block = match id {
                    BlockId::Height(height) => self.backend.block_at_if_at_hand(height),
                    BlockId::Hash(hash) => self.backend.block_if_at_hand(&hash),
                };
                self.show(&*block?, request, id.lifetime())
            }
            _ => return None,
        };
        answer.ok()
    }

    fn blocks(&self, request: &Request, query: &str) -> Result<Answer, ApiError> {
        let paging = Paging::parse(query, &["from", "limit"])?;
        let from = paging.from.unwrap_or(0);
        let limit = self.page_limit(paging);
        let Page { height, blocks } = self.backend.blocks(from, limit, self.config.max_page_bytes)?;
        let easiest = self.backend.easiest_target();
        let views = blocks.iter().map(|block| BlockView::new(block, easiest));
        let (body, count) = to_json_list(views, self.config.max_page_bytes)?;
        let answer =
            Answer::json(200, body).with_header("X-Total-Count", height.saturating_add(1).to_string());
        let Some(last) = count.checked_sub(1).and_then(|index| blocks.get(index)) else {
            return Ok(answer);
        };
        // The last block commits to all blocks before it, and the count determines the first one.
        let tag = format!("{}-{count}", last.hash());
        let answer = cacheable(answer, request, &tag, Lifetime::Revalidated);
        let next = last.height() + 1;
        if next > height {
            return Ok(answer);
        }
        let link = format!("</blocks?from={next}&limit={limit}>; rel=\"next\"");
        Ok(answer.with_header("Link", link))
    }

    fn block(&self, request: &Request, id: &str) -> Result<Answer, ApiError> {
        let parsed = BlockId::parse(id)?;
        let block = match parsed {
            BlockId::Height(height) => self.backend.block_at(height)?,
            BlockId::Hash(hash) => self.backend.block(&hash)?,
        };
        let Some(block) = block else {
            return Err(ApiError::new(Code::BlockNotFound, format!("this node has no block {id}")));
        };
        self.show(&block, request, parsed.lifetime())
    }

    fn show(&self, block: &Block<T>, request: &Request, lifetime: Lifetime) -> Result<Answer, ApiError> {
        let answer = json(200, &self.view(block))?;
        Ok(cacheable(answer, request, &block.hash().to_string(), lifetime))
    }

    fn mine(&self, body: Body, client: &Client) -> Result<Answer, ApiError> {
        let data = body.into_transactions()?;
        let Ok(_permit) = self.mining.try_acquire() else {
            let limit = self.config.max_mining;
            let message = format!("{limit} requests to mine are under way, which is the limit");
            return Err(ApiError::new(Code::Busy, message));
        };
        let block = self.backend.mine(data, self.config.mine_timeout, client)?;
        let location = format!("/blocks/{}", block.hash());
        Ok(json(201, &self.view(&block))?.with_header("Location", location))
    }

    fn transactions(&self, query: &str) -> Result<Answer, ApiError> {
        let paging = Paging::parse(query, &["limit"])?;
        let pending = self.backend.pending(self.page_limit(paging));
        let views = pending.iter().map(|(id, data)| TransactionView { id, data });
        let (body, _) = to_json_list(views, self.config.max_page_bytes)?;
        Ok(Answer::json(200, body))
    }

    fn transaction(&self, id: &str) -> Result<Answer, ApiError> {
        let id = transaction_id_in(id)?;
        let data = self.backend.transaction(&id).ok_or_else(|| not_pending(&id))?;
        json(200, &TransactionView { id: &id, data: &data })
    }

    fn remove_transaction(&self, id: &str) -> Result<Answer, ApiError> {
        let id = transaction_id_in(id)?;
        if !self.backend.remove_transaction(id)? {
            return Err(not_pending(&id));
        }
        Ok(Answer::no_content())
    }

    fn submit(&self, body: Body) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        struct Accepted {
            id: Hash,
        }
        let id = self.backend.submit(body.into_transaction()?)?;
        json(202, &Accepted { id })
    }

    fn connect(&self, body: Body) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        struct Dialling {
            address: PeerAddr,
        }
        let address = body.into_address()?;
        self.backend.connect(address.clone())?;
        json(202, &Dialling { address })
    }

    fn remove(&self, id: &str) -> Result<Answer, ApiError> {
        let Some(peer) = decimal(id).map(PeerId) else {
            let message = format!("peer id {id:?}, expected a number as in the list of peers");
            return Err(ApiError::new(Code::BadPeerId, message));
        };
        if !self.backend.remove(peer)? {
            return Err(ApiError::new(Code::PeerNotFound, format!("no peer {id} is connected")));
        }
        Ok(Answer::no_content())
    }

    fn forget_address(&self, request: &Request) -> Result<Answer, ApiError> {
        // The decoded path: some clients percent-encode colons and slashes.
        let path = request.url();
        let address = address_in(path.strip_prefix("/addresses/").unwrap_or_default())?;
        if !self.backend.forget_address(address.clone())? {
            return Err(ApiError::new(Code::AddressNotFound, format!("{address} is not known")));
        }
        Ok(Answer::no_content())
    }

    fn ban(&self, body: Body) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        struct Banned {
            host: PeerHost,
            seconds: u64,
        }
        let (host, duration) = body.into_ban()?;
        let duration = duration.unwrap_or(limits::BAN_DURATION);
        self.backend.ban(host.clone(), duration)?;
        json(201, &Banned { host, seconds: duration.as_secs() })
    }

    fn unban(&self, request: &Request) -> Result<Answer, ApiError> {
        // The decoded path: some clients percent-encode colons and slashes.
        let path = request.url();
        let name = path.strip_prefix("/bans/").unwrap_or_default();
        // The list also contains hosts that are not valid names, of transports whose addresses have none.
        let listed = self.backend.bans().into_iter().map(|ban| ban.host).find(|host| host.as_str() == name);
        let host = listed.map_or_else(|| host_in(name), Ok)?;
        if !self.backend.unban(host.clone())? {
            return Err(ApiError::new(Code::BanNotFound, format!("{host} is not banned")));
        }
        Ok(Answer::no_content())
    }

    fn body(&self, request: &Request) -> Result<Body, ApiError> {
        guard::check_origin(request)?;
        Body::read(request, self.config.max_body_bytes)
    }

    fn page_limit(&self, paging: Paging) -> usize {
        let limit =
            paging.limit.map_or(DEFAULT_PAGE_ITEMS, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        limit.min(self.config.max_page_items)
    }

    fn view<'a>(&self, block: &'a Block<T>) -> BlockView<'a, T> {
        BlockView::new(block, self.backend.easiest_target())
    }
}

/// The two ways to name a block in a path.
#[derive(Clone, Copy)]
enum BlockId {
    Height(u64),
    Hash(Hash),
}

impl BlockId {
    /// 64 digits are a hash, even if all of them are decimal; no height has that many.
    fn parse(id: &str) -> Result<Self, ApiError> {
        let parsed =
            if id.len() == 64 { id.parse().ok().map(Self::Hash) } else { decimal(id).map(Self::Height) };
        parsed.ok_or_else(|| {
            let message = format!("block id {id:?}, expected a decimal height or a hash of 64 hex digits");
            ApiError::new(Code::BadBlockId, message)
        })
    }

    const fn lifetime(self) -> Lifetime {
        match self {
            Self::Height(_) => Lifetime::Revalidated,
            Self::Hash(_) => Lifetime::Immutable,
        }
    }
}

/// Parses a transaction id from a path.
fn transaction_id_in(text: &str) -> Result<Hash, ApiError> {
    text.parse().map_err(|_| {
        let message =
            format!("transaction id {text:?}, expected 64 hex digits as in the list of transactions");
        ApiError::new(Code::BadTransactionId, message)
    })
}

fn not_pending(id: &Hash) -> ApiError {
    ApiError::new(Code::TransactionNotFound, format!("transaction {id} is not pending"))
}

fn json<V: Serialize>(status: u16, value: &V) -> Result<Answer, ApiError> {
    Ok(Answer::json(status, to_json(value)?))
}

fn path_and_query(request: &Request) -> (&str, &str) {
    request.raw_url().split_once('?').unwrap_or((request.raw_url(), ""))
}

/// The number of items in a page if the query has no `limit`.
const DEFAULT_PAGE_ITEMS: usize = 100;

/// The routes, for the error of an unknown path.
const ROUTES: &str = "/blocks, /blocks/{height or hash}, POST /mine, /transactions, /transactions/{id}, /peers, \
                      DELETE /peers/{id}, /addresses, DELETE /addresses/{address}, /bans, DELETE /bans/{host} and /status";

#[cfg(test)]
mod tests;
