//! L6: the node over HTTP. The [`routes`] are a plain rouille handler that needs no socket; [`serve`] runs any
//! rouille handler behind hyper, with a limit on everything that a client can make grow, and [`serve_node`] the routes
//! alone, with fewer threads. Knows nothing of the sockets of peers.
//!
//! | route | does | answers |
//! | --- | --- | --- |
//! | `GET /blocks?from=&limit=` | blocks of the best chain in order of height; 100 unless told, at most 1000 | 200, with `X-Total-Count`, and `Link` where there is a next page |
//! | `GET /blocks/{height or hash}` | one block; a hash has 64 hex digits | 200 |
//! | `POST /mine` | mines a block and announces it to the peers | 201, with `Location` |
//! | `GET /transactions?limit=` | pending transactions with their ids | 200 |
//! | `POST /transactions` | hands one transaction in | 202 |
//! | `GET /peers` | connected peers | 200 |
//! | `POST /peers` | dials one more | 202 |
//! | `DELETE /peers/{id}` | ends a connection, and dials its address no more | 204 |
//! | `GET /bans` | hosts that are banned | 200 |
//! | `POST /bans` | bans a host | 201 |
//! | `DELETE /bans/{host}` | lifts a ban | 204 |
//! | `GET /status` | the node at a glance | 200 |
//!
//! `HEAD` goes wherever `GET` goes. Every answer is JSON. A page ends early once it has grown to
//! [`RoutesConfig::max_page_bytes`]; the `Link` header says where the next one begins.
//!
//! # Caches
//!
//! A block by its hash never changes: a cache may keep it for a year without asking (`immutable`, RFC 8246). A block by
//! its height and a page of blocks change with the best chain: they have an `ETag`, and who sends it back in
//! `If-None-Match` gets a 304 without a body where nothing has changed. Everything else is not to be kept.
//!
//! # Bodies
//!
//! `POST /mine` takes `{"data": [..]}`, a list of transactions, or `{"data": value}`, a single one. A value is
//! first read as a list; where a transaction is itself a JSON array, wrap it in a list. An empty list mines an
//! empty block; `{}` or no body at all mines the pending transactions. `POST /transactions` takes
//! `{"data": value}`, always a single one, `POST /peers` `{"address": "ws://host:port"}`, and `POST /bans`
//! `{"host": "10.0.0.1", "seconds": 60}`, an hour where it does not say. Other fields are refused.
//!
//! # Errors
//!
//! `{"error": {"code": "block_not_found", "message": "..."}}`: the code is for programs and stays, the message
//! is for people and may change.
//!
//! | status | codes |
//! | --- | --- |
//! | 400 | `bad_request`, `bad_json`, `bad_query`, `bad_block_id`, `bad_address`, `bad_peer_id`, `bad_transaction_id`, `bad_host` |
//! | 403 | `host_not_allowed`, `cross_origin` |
//! | 404 | `not_found`, `block_not_found`, `peer_not_found`, `transaction_not_found`, `address_not_found`, `ban_not_found` |
//! | 405 (with `Allow`) | `method_not_allowed` |
//! | 408 | `request_timeout` |
//! | 409 | `already_pending`, `already_mined`, `already_connected`, `peer_banned` |
//! | 413 | `body_too_large` |
//! | 415 | `unsupported_media_type` |
//! | 422 | `transaction_rejected`, `transaction_not_encodable`, `transaction_panicked`, `transaction_too_large`, `block_too_large` |
//! | 500 | `internal` |
//! | 501 | `upgrade_unsupported`, `no_transport` |
//! | 503 (with `Retry-After`) | `busy`, `mempool_full`, `mining_timeout`, `clock_behind`, `too_many_peers`, `store_failed`, `node_failed`, `shutting_down` |
//!
//! What is not HTTP at all, and a head beyond its limit, hyper answers itself: 400 and 431 without a body. A
//! head that takes too long is not answered but closed.
//!
//! # Web pages
//!
//! Nothing here asks for a password, so a web page that is open in somebody's browser must not reach a node on
//! their machine. No cross-origin access is granted; a `POST` is refused with a foreign `Origin`, and one
//! with a body needs a JSON content type, which a page cannot send without asking first; a `Host` that is neither an IP address,
//! `localhost` nor one of [`RoutesConfig::allowed_hosts`] is refused, which stops DNS rebinding.

mod answer;
mod backend;
mod body;
mod caching;
mod client;
mod config;
mod error;
mod guard;
mod node;
mod query;
mod routes;
mod server;
mod view;

pub use config::{HttpConfig, RoutesConfig};
pub use server::{HttpServer, serve};

use std::io;

use tokio::net::TcpListener;

use crate::node::NodeHandle;
use crate::primitives::Transaction;
use routes::Routes;

/// The routes over a node, as a handler for [`serve`] or for any rouille application. It blocks: `POST /mine`
/// until a block is found, the others for a moment.
///
/// A rouille handler cannot see the end of a connection. So the search for a client that has left goes on, and keeps
/// its place among [`RoutesConfig::max_mining`], until it finds a block or [`RoutesConfig::mine_timeout`] is over. With
/// [`serve_node`] it ends with the connection.
pub fn routes<T: Transaction>(
    node: NodeHandle<T>,
    config: RoutesConfig,
) -> impl Fn(&rouille::Request) -> rouille::Response + Clone + Send + Sync + 'static {
    routes::handler(node, config)
}

/// Serves the routes over a node on connections from `listener`, as [`serve`] serves [`routes`], and faster: what is at
/// hand is answered on the task of the connection, without a thread.
///
/// That is `GET /status`, and `GET /blocks/{height or hash}` for a block of at most 16 KiB that was used lately and is
/// one of the last 2,048 or beside the best chain, as long as no change of the chain is being taken in. All else may
/// wait for the store, for the node or for a miner, or takes long to write down, and so has a thread: older blocks,
/// larger ones, pages, everything that changes something.
///
/// When the connection of a request ends, so does its wait: a search of `POST /mine` stops and its place is free, and
/// what has not begun is not done. A client that closes only its sending side counts as gone. The end is not seen while
/// bytes of a next request on that connection have arrived; [`RoutesConfig::mine_timeout`] bounds the search then.
///
/// # Errors
///
/// As for [`serve`].
///
/// # Panics
///
/// As for [`serve`].
pub fn serve_node<T: Transaction>(
    listener: TcpListener,
    node: NodeHandle<T>,
    routes: RoutesConfig,
    server: HttpConfig,
) -> io::Result<HttpServer> {
    server::start(listener, Routes::new(node, routes), server)
}
