//! L6: the node over HTTP. The [`routes`] are a plain rouille handler that needs no socket. [`serve`] runs
//! any rouille handler behind hyper, with a limit on every resource that a client can consume, and
//! [`serve_node`] serves the routes of a node with fewer threads. This layer does not use the sockets of
//! peers.
//!
//! The routes are one async function from an `http` request to an `http` response. The server of
//! [`serve_node`] calls it on the task of a connection; the handler of [`routes`] converts the types of
//! rouille, and waits for it.
//!
//! | route | does | answers |
//! | --- | --- | --- |
//! | `GET /` | the explorer, a page for people | 200 |
//! | `GET /assets/{name}` | a file of the explorer | 200 |
//! | `GET /blocks?from=&limit=&order=` | blocks of the best chain, the lowest first, or the highest with `order=desc`; 100 by default, at most 1000 | 200, with `X-Total-Count`, and `Link` if there is a next page |
//! | `GET /blocks/latest` | the last block of the best chain | 200 |
//! | `GET /blocks/{height or hash}` | one block; a hash has 64 hex digits | 200 |
//! | `GET /headers?from=&limit=&order=` | the headers of the best chain with their hashes, paged like blocks; also of blocks that were pruned | 200, with `X-Total-Count`, and `Link` if there is a next page |
//! | `GET /headers/{height or hash}` | one header, on the best chain by its height, or on any branch by its hash | 200 |
//! | `GET /branches?limit=` | the blocks on side branches, without their transactions, the highest first | 200 |
//! | `GET /state` | the application's state after the last block, with the height and the hash of the block, if [`RoutesConfig::state`] is on | 200 |
//! | `GET /state/{key}` | what [proves](crate::Transaction::prove) to an outsider which value the application's state has at a key after the last block, with the height and the hash of the block | 200 |
//! | `POST /mine` | mines a block and announces it to the peers | 201, with `Location` |
//! | `GET /transactions?limit=` | pending transactions with their ids | 200 |
//! | `POST /transactions` | submits a transaction | 202 |
//! | `GET /transactions/{id}` | what has become of a transaction: pending, mined, or dropped | 200 |
//! | `DELETE /transactions/{id}` | removes a pending transaction | 204 |
//! | `GET /peers` | connected peers | 200 |
//! | `POST /peers` | adds an address to dial | 202 |
//! | `DELETE /peers/{id}` | ends a connection, and stops dialling its address | 204 |
//! | `GET /addresses` | addresses that discovery knows | 200 |
//! | `DELETE /addresses/{address}` | forgets an address, and ends the connection to it | 204 |
//! | `GET /bans` | banned hosts | 200 |
//! | `POST /bans` | bans a host | 201 |
//! | `DELETE /bans/{host}` | lifts a ban | 204 |
//! | `GET /status` | a summary of the node's state | 200 |
//! | `GET /events` | what happens on the node, as it happens: see [Events](#events) | 200 |
//! | `GET /health` | whether the node does its work, for what restarts or replaces it: `ok`, or `behind` while it fetches blocks; 503 if it has ended or cannot write | 200 |
//! | `GET /metrics` | the [metrics](crate::node::NodeHandle::metrics) of the node, of these routes and of the process, for Prometheus | 200 |
//! | `GET /openapi.json` | a description of these routes, in the form of OpenAPI 3.1 | 200 |
//! | `GET /log/checkpoint` | the largest [signed checkpoint](crate::evidence::LogSigner), as a signed note | 200 |
//! | `GET /log/tile/{level/index}` | a [tile](crate::evidence::Tile) of the log of that checkpoint, or of its entries | 200 |
//! | `GET /log/consistency?old=&new=` | the proof that the log of `new` blocks extends that of `old` blocks, and both roots | 200 |
//! | `GET /receipts/{transaction id}` | the [proof](crate::evidence::Receipt) that a transaction is in the log of a signed checkpoint | 200 |
//! | `POST /witness/add-checkpoint` | cosigns a checkpoint of another log, as a [witness](crate::evidence::Witness) | 200 |
//!
//! `/openapi.json` needs the feature `openapi`. The routes below `/log`, `/receipts` and `/witness` need the feature `evidence`, and `/metrics` needs the feature `metrics`: it
//! answers in `OpenMetrics` if a client asks for that, and else in Prometheus' text format. A checkpoint is plain text, and a tile is binary, as
//! <https://c2sp.org/tlog-tiles> asks for; a node without a [signer](crate::node::NodeBuilder::signer) has neither.
//!
//! `GET /transactions/{id}` answers with `"status": "pending"` and the `data`; with `"mined"`, the `block`, its `height` and
//! `depth` (1 at the tip), the `index` in the block, and the `data` unless it was pruned; or with `"dropped"` and the
//! `reason`, for the last 1,000 since the start of the node. Mined ones are found if the chain keeps an
//! [index](crate::ChainConfig::index_transactions). A receipt is JSON, or a `.tlog-proof` file for a client whose `Accept`
//! prefers `text/plain` to `application/json` (RFC 9110, section 12.5.1).
//!
//! The JSON of each answer and of each body is a type of [`api`](crate::api), which a client parses.
//!
//! `HEAD` is supported wherever `GET` is. Every other response body is JSON. A page ends early when it reaches
//! [`RoutesConfig::max_page_bytes`]; the `Link` header has the URL of the next page. `Link` and `Location` are relative to the URL
//! of the request, so they are right under any prefix.
//!
//! # Caches
//!
//! A block or a header by its hash never changes, nor does a tile: a cache may keep it for a year without revalidation
//! (`immutable`, RFC 8246). A block by its height, a page, the state and its proofs change with the best chain: the response has an `ETag`,
//! and a client that sends the tag in `If-None-Match` gets a 304 without a body if nothing has changed. Other
//! responses must not be cached.
//!
//! # Bodies
//!
//! `POST /mine` accepts `{"data": [..]}`, a list of transactions, or `{"data": value}`, a single one. The
//! value is first parsed as a list; if the application's transactions are JSON arrays themselves, wrap a
//! single one in a list. An empty list mines an empty block. `{}` and no body mine the pending
//! transactions.
//! `POST /transactions` accepts `{"data": value}`, always a single transaction, `POST /peers`
//! `{"address": "ws://host:port"}`, and `POST /bans` `{"host": "10.0.0.1", "seconds": 60}`, where `seconds`
//! defaults to an hour. Unknown fields are refused.
//!
//! # Events
//!
//! `GET /events` is answered with server-sent events, which a page reads with `EventSource` and a person with `curl -N`. Each is
//! one object of JSON with a `type`: `block_connected` (with `difficulty`, `interval_ms` and its `source`: `mined`, or a `peer`
//! with its `address` and wire `format`), `block_disconnected`, `headers_advanced`, `transaction_accepted`,
//! `transaction_refused`, `transactions_removed` (all are counted, the first 100 named), `mining_started`, `mining_continues`,
//! `mining_ended`, `peer_connected`, `peer_disconnected`, `host_banned`, `dial_failed`, `store_failed`, `store_recovered`,
//! `clock_behind`, `clock_caught_up`, `branch_refused`, `branch_refusal_ended`, `signing_stopped` and `signing_resumed`, which
//! mean what [`Event`](crate::Event) says. New types may be added.
//!
//! A new client first reads `open` with the `height` and the `tip` on which the events after it build. A client that comes back
//! with the `Last-Event-ID` of the event that it read last, as `EventSource` does by itself, continues with the one after it.
//! Where events are missing, because they were evicted, the client was too slow or the node was restarted, `missed` comes in
//! their place, with their number or `null`, and after a restart `open`.
//!
//! The node keeps the last [`RoutesConfig::max_event_bytes`], sends a comment after 15 seconds without an event, and serves up to
//! [`RoutesConfig::max_event_clients`] at a time, each of which also takes one of [`HttpConfig::max_connections`]. The handler
//! of [`routes`] does not keep a thread for a client: the answer ends after the events that there are, and asks the client to
//! come back after a second.
//!
//! # Errors
//!
//! `{"error": {"code": "block_not_found", "message": "..."}}`: the code is stable and for programs; the
//! message is for people and may change.
//!
//! | status | codes |
//! | --- | --- |
//! | 400 | `bad_request`, `bad_json`, `bad_query`, `bad_block_id`, `bad_address`, `bad_peer_id`, `bad_transaction_id`, `bad_host`, `bad_checkpoint` |
//! | 401 (with `WWW-Authenticate`) | `unauthorized` |
//! | 403 | `host_not_allowed`, `cross_origin`, `checkpoint_not_signed` |
//! | 404 | `not_found`, `block_not_found`, `peer_not_found`, `transaction_not_found`, `address_not_found`, `ban_not_found`, `state_key_not_found`, `checkpoint_not_found`, `log_not_witnessed`, `not_yet_signed`, `tile_not_found` |
//! | 405 (with `Allow`) | `method_not_allowed` |
//! | 408 | `request_timeout` |
//! | 409 | `already_pending`, `already_mined`, `already_connected`, `peer_banned`, `checkpoint_conflict` |
//! | 413 | `body_too_large` |
//! | 415 | `unsupported_media_type` |
//! | 422 | `transaction_rejected`, `transaction_not_encodable`, `transaction_panicked`, `transaction_too_large`, `block_too_large`, `checkpoint_inconsistent` |
//! | 429 (with `Retry-After`) | `too_many_requests` |
//! | 500 | `internal` |
//! | 501 | `upgrade_unsupported`, `no_transport` |
//! | 503 (with `Retry-After`) | `busy`, `mempool_full`, `mining_timeout`, `clock_behind`, `too_many_peers`, `signing_stopped`, `store_failed`, `node_failed`, `shutting_down` |
//!
//! hyper itself answers a request that is not valid HTTP with 400, and a head that exceeds its limit with
//! 431, both without a body. If a head takes too long, the connection is closed without an answer.
//!
//! # Dependencies
//!
//! rouille's URL parser depends on 21 crates of Unicode tables. If nothing else in the application parses host names,
//! `cargo update -p idna_adapter --precise 1.0.0` leaves them out.
//!
//! # Web pages
//!
//! Without a [token](RoutesConfig::token) every client may use all of the API, and the browser of a user is a client on the
//! user's machine. What a page of another origin can do with a node that the browser reaches:
//!
//! | a page of | reads | changes something |
//! | --- | --- | --- |
//! | the node's own origin: the explorer | yes | yes, with the token if there is one |
//! | one of the [`allowed_origins`](RoutesConfig::allowed_origins) | yes | yes, with the token if there is one |
//! | any other origin | the node answers a `GET`, and the browser keeps the answer from the page; the page learns that a node is there, and how long the answer takes | no: 403 |
//!
//! - An origin is listed as `scheme://host` or `scheme://host:port`. `*` is refused, because it would let every page read a
//!   node that only this machine can reach; `null` is refused, because anyone can make a page with it.
//! - A listed origin is echoed in `Access-Control-Allow-Origin`. `ETag`, `Link`, `Location`, `Retry-After`, `X-Request-Id` and
//!   `X-Total-Count` are exposed, errors too. If any origin is listed, all answers have `Vary: Origin`.
//! - A preflight `OPTIONS` of the node's own or a listed origin is answered with 204 at every path, for ten minutes, and allows the
//!   headers `Authorization` and `Content-Type`; of another origin with 403. There are no cookies, so credentials are not allowed.
//! - A `POST` with a body needs a JSON content type, which a page cannot send without a preflight.
//! - A `Host` that is neither an IP address, `localhost` nor one of [`RoutesConfig::allowed_hosts`] is refused, which prevents
//!   DNS rebinding.
//! - What is not a browser sends any `Origin` or none: only the token keeps other programs from changing something.
//!
//! # Limits for each client
//!
//! [`HttpConfig::requests_per_second`] limits the requests of one IPv4 address, or of one IPv6 /64, after a burst; it is off by
//! default. One beyond it is answered 429, before its body is read, with the time in `Retry-After`. It is the server that counts,
//! not the handler of [`routes`], and it counts preflights, too. The server's own errors (429, 408, a body that is too large) have
//! the headers for listed origins like all others.
//!
//! # Request ids and the access log
//!
//! Every answer has an `X-Request-Id`, which is in the log lines about its request as the field `id` of a span `request`. It is the
//! client's own if that has 1 to 64 letters, digits and `-_.`; otherwise 8 random hex digits, which stay the same until the node is
//! restarted, and a number.
//!
//! For each answer the server has one line at the target `hashloom::http::access` and the level `debug`, which a filter such as
//! `RUST_LOG=hashloom::http::access=debug` switches on: `remote` (the address of the connection), `method`, `path` (without the
//! query), `status`, `bytes` (of the body), `micros` (from the end of the head of the request until the answer is ready to be sent)
//! and `request_id`. Neither queries nor headers are written, so the token is not.
//!
//! The explorer at `/` is of the node's own origin. It loads nothing from elsewhere and runs no inline script, which its
//! `Content-Security-Policy` has the browser enforce, and it shows what the chain has as text. All its URLs are relative, so
//! that it works under any prefix whose path ends with a slash. [`RoutesConfig::explorer`] switches it off.

#[cfg(feature = "evidence")]
mod accept;
mod body;
mod bridge;
mod config;
mod cors;
mod edge;
mod error;
mod event_stream;
mod events;
mod guard;
mod header;
mod json;
#[cfg(feature = "metrics")]
mod metrics;
mod origin;
mod query;
mod rendered;
mod response;
mod routes;
mod server;
mod threads;
mod token;
#[cfg(feature = "openapi")]
mod transaction_schema;

pub use config::{HttpConfig, RoutesConfig};
#[cfg(feature = "metrics")]
pub use metrics::HttpMetrics;
pub use origin::{Origin, OriginError};
/// Re-exported for its `Request` and `Response`, which [`routes`] and [`serve`] take and return: an application's own
/// handler then has the matching version.
pub use rouille;
pub use server::{HttpServer, serve};
pub use token::{Token, TokenError};
/// Re-exported for its `ToSchema`, with which an application describes its transactions:
/// [`RoutesConfig::with_transaction_schema`].
#[cfg(feature = "openapi")]
pub use utoipa;

use std::io;
use std::sync::Arc;

use hyper::header::HeaderMap;
use tokio::net::TcpListener;
use tracing::Instrument;

use crate::node::NodeHandle;
use crate::primitives::Transaction;
use edge::Edge;
use routes::Routes;
use threads::Threads;

/// The routes of a node, as a handler for [`serve`] or for any rouille application. The handler blocks:
/// `POST /mine` until a block is found, other requests briefly.
///
/// A rouille handler cannot detect the end of a connection. If the client of a `POST /mine` disconnects, the
/// search continues, and counts towards [`RoutesConfig::max_mining`], until it finds a block or
/// [`RoutesConfig::mine_timeout`] has passed. With [`serve_node`] the search ends with the connection.
///
/// # Panics
///
/// The handler panics in async code, where blocking is not allowed.
pub fn routes<T: Transaction>(
    node: NodeHandle<T>,
    config: RoutesConfig,
) -> impl Fn(&rouille::Request) -> rouille::Response + Clone + Send + Sync + 'static {
    let (runtime, max_body_bytes) = (node.runtime().clone(), config.max_body_bytes);
    let edge = Arc::new(Edge::new(config.allowed_origins.clone()));
    let routes = Arc::new(Routes::new(node, config, Threads::Calling));
    move |request| {
        let request = bridge::from_rouille(request, max_body_bytes);
        let (routes, edge) = (Arc::clone(&routes), &edge);
        runtime.block_on(async move {
            let (visit, mut response) = match request {
                Ok(mut request) => {
                    let visit = edge.enter(request.headers_mut());
                    let response = routes.respond(request).instrument(visit.span()).await;
                    (visit, response)
                }
                Err(error) => (edge.enter(&mut HeaderMap::new()), error.into_response()),
            };
            visit.leave(&mut response);
            bridge::into_rouille(response).await
        })
    }
}

/// Serves the routes of a node on connections from `listener`, like [`serve`] with [`routes`] but faster:
/// requests are answered on the task of the connection, and only what may block runs on a thread.
///
/// `GET /status`, and `GET /blocks/{height or hash}` for a cached block of at most 16 KiB that is one of the
/// last 2,048 or on a side branch, need no thread, unless the node is applying a change; nor does a page of blocks
/// that was asked for before, while the tip is the same. All other reads may
/// wait for the store or for the node, or take long to serialize, and run on a thread: older or larger
/// blocks, pages and lists. A request that changes something waits for the node without a thread; a body or a
/// mined block of more than 16 KiB is parsed or serialized on one.
///
/// When the connection of a request ends, the request is cancelled: a search of `POST /mine` stops and
/// releases its permit, and a request that has not started is skipped. A client that closes only its sending
/// side counts as disconnected. The end of a connection is not detected while bytes of a next request are
/// unread; then [`RoutesConfig::mine_timeout`] bounds the search.
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
    let edge = Edge::new(routes.allowed_origins.clone());
    let routes = Arc::new(Routes::new(node, routes, Threads::pool(&server)));
    server::start(listener, server, edge, move |request, _| {
        let routes = Arc::clone(&routes);
        async { Ok(routes.respond(request).await) }
    })
}
