//! The limits of the HTTP API, in two tables: those of the routes, which hold under any server, and those of
//! the server, which hold for any handler.

use core::num::NonZeroU32;
use core::time::Duration;

#[cfg(feature = "metrics")]
use super::metrics::HttpMetrics;
use super::origin::Origin;
use super::token::Token;
#[cfg(feature = "openapi")]
use super::transaction_schema::TransactionSchema;

/// The limits of the routes.
///
/// ```
/// use hashloom::http::RoutesConfig;
///
/// let config = RoutesConfig::default().with_allowed_hosts(["node.example"]);
/// assert_eq!(config.max_page_items, 1000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoutesConfig {
    /// Host names that a `Host` header may have in addition to IP addresses and `localhost`, without a port.
    /// Default: none.
    pub allowed_hosts: Vec<String>,
    /// The origins of web pages that may use the API as a program may: read answers, and change something if they have the
    /// [token](Self::token). Default: none, so that only the explorer of this node may.
    pub allowed_origins: Vec<Origin>,
    /// Whether `GET /` answers with the explorer, a page for people. Default: `true`.
    pub explorer: bool,
    /// Whether `GET /state` answers with the application's state, which then is public to every client that may read.
    /// Default: `false`.
    pub state: bool,
    /// The largest JSON of the application's state, in bytes; a larger one is answered 500. Default: 16 MiB.
    pub max_state_bytes: usize,
    /// What a client must send to change something; reads need nothing, and so does `POST /witness/add-checkpoint`, which is
    /// for strangers. Default: none, so that everybody may.
    pub token: Option<Token>,
    /// What `GET /openapi.json` says of the application's transactions. Default: that they are any JSON.
    #[cfg(feature = "openapi")]
    pub(super) transaction_schema: Option<TransactionSchema>,
    /// The largest request body, in bytes. Default: 1 MiB.
    pub max_body_bytes: usize,
    /// The maximum number of blocks or transactions in one page; a larger `limit` is clamped. Default: 1000.
    pub max_page_items: usize,
    /// The size at which a page ends, in bytes of JSON. The item that reaches the limit is still included, so that a page has
    /// at most this size and that of the largest item. Blocks are read and written one by one, in at most four times that memory.
    /// Default: 1 MiB.
    pub max_page_bytes: usize,
    /// The JSON that is kept to be sent again, in bytes: half for blocks, half for pages of them. Default: 16 MiB.
    pub max_rendered_bytes: usize,
    /// The maximum number of clients that read `GET /events` at a time; further ones are answered 503 with `Retry-After`.
    /// Default: 64.
    pub max_event_clients: usize,
    /// The events that are kept for clients that read them late or come back, in bytes of memory. Default: 1 MiB, which is
    /// some 3,000 events.
    pub max_event_bytes: usize,
    /// The time limit of one `POST /mine`. Default: 60 seconds.
    pub mine_timeout: Duration,
    /// The maximum number of concurrent `POST /mine` requests; further ones are answered 503 with
    /// `Retry-After`. Default: 8.
    pub max_mining: usize,
    /// Where the routes count their requests. Default: in metrics of their own, which `GET /metrics` shows.
    #[cfg(feature = "metrics")]
    pub metrics: Option<HttpMetrics>,
}

impl Default for RoutesConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            explorer: true,
            state: false,
            max_state_bytes: 16 << 20,
            token: None,
            #[cfg(feature = "openapi")]
            transaction_schema: None,
            max_body_bytes: 1 << 20,
            max_page_items: 1000,
            max_page_bytes: 1 << 20,
            max_rendered_bytes: 16 << 20,
            max_event_clients: 64,
            max_event_bytes: 1 << 20,
            mine_timeout: Duration::from_secs(60),
            max_mining: 8,
            #[cfg(feature = "metrics")]
            metrics: None,
        }
    }
}

impl RoutesConfig {
    /// Sets [`allowed_hosts`](Self::allowed_hosts).
    #[must_use]
    pub fn with_allowed_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.allowed_hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`allowed_origins`](Self::allowed_origins).
    #[must_use]
    pub fn with_allowed_origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.allowed_origins = origins.into_iter().collect();
        self
    }

    /// Sets [`explorer`](Self::explorer).
    #[must_use]
    pub fn with_explorer(mut self, explorer: bool) -> Self {
        self.explorer = explorer;
        self
    }

    /// Sets [`state`](Self::state).
    #[must_use]
    pub fn with_state(mut self, state: bool) -> Self {
        self.state = state;
        self
    }

    /// Sets [`max_state_bytes`](Self::max_state_bytes).
    #[must_use]
    pub fn with_max_state_bytes(mut self, bytes: usize) -> Self {
        self.max_state_bytes = bytes;
        self
    }

    /// Sets [`token`](Self::token).
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Lets `GET /openapi.json` have the schema of the application's transactions, as the component `Transaction`. The schemas
    /// to which it refers are there by the name `Transaction.{name}`.
    #[cfg(feature = "openapi")]
    #[must_use]
    pub fn with_transaction_schema<T: utoipa::ToSchema>(mut self) -> Self {
        self.transaction_schema = Some(TransactionSchema::of::<T>());
        self
    }

    /// Sets [`max_body_bytes`](Self::max_body_bytes).
    #[must_use]
    pub fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets [`max_page_items`](Self::max_page_items); 0 counts as 1.
    #[must_use]
    pub fn with_max_page_items(mut self, items: usize) -> Self {
        self.max_page_items = items.max(1);
        self
    }

    /// Sets [`max_page_bytes`](Self::max_page_bytes).
    #[must_use]
    pub fn with_max_page_bytes(mut self, bytes: usize) -> Self {
        self.max_page_bytes = bytes;
        self
    }

    /// Sets [`max_rendered_bytes`](Self::max_rendered_bytes).
    #[must_use]
    pub fn with_max_rendered_bytes(mut self, bytes: usize) -> Self {
        self.max_rendered_bytes = bytes;
        self
    }

    /// Sets [`max_event_clients`](Self::max_event_clients).
    #[must_use]
    pub fn with_max_event_clients(mut self, clients: usize) -> Self {
        self.max_event_clients = clients;
        self
    }

    /// Sets [`max_event_bytes`](Self::max_event_bytes).
    #[must_use]
    pub fn with_max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// Sets [`mine_timeout`](Self::mine_timeout).
    #[must_use]
    pub fn with_mine_timeout(mut self, timeout: Duration) -> Self {
        self.mine_timeout = timeout;
        self
    }

    /// Sets [`max_mining`](Self::max_mining).
    #[must_use]
    pub fn with_max_mining(mut self, requests: usize) -> Self {
        self.max_mining = requests;
        self
    }

    /// Sets [`metrics`](Self::metrics).
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn with_metrics(mut self, metrics: HttpMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }
}

/// The limits of the server.
///
/// ```
/// use std::time::Duration;
/// use hashloom::http::HttpConfig;
///
/// let config = HttpConfig::default().with_max_connections(64).with_body_timeout(Duration::from_secs(5));
/// assert_eq!(config.max_connections_per_address, 48);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The maximum number of connections; further ones are answered 503 and closed. Default: 256.
    pub max_connections: usize,
    /// The maximum number of connections from one IPv4 address or one IPv6 /64, which is what one host
    /// usually has. Default: 48, for eight tabs of a browser, each of which opens up to six.
    pub max_connections_per_address: usize,
    /// How many requests per second one IPv4 address or one IPv6 /64 may make in the long run; further ones are answered 429
    /// with `Retry-After`. Behind a reverse proxy all clients have its address, so let the proxy limit them. Default: no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// How many requests an address may make at once after a pause, if
    /// [`requests_per_second`](Self::requests_per_second) are limited. The explorer makes about ten when it is opened. Default: 100.
    pub request_burst: NonZeroU32,
    /// The largest request head (request line and headers), in bytes; hyper requires at least 8 KiB. Default:
    /// 16 KiB.
    pub max_head_bytes: usize,
    /// The time limit from the start of a connection, or from the end of the previous response, to the end of
    /// the next request head. It also limits how long an idle connection is kept. Default: 5 seconds.
    pub head_timeout: Duration,
    /// The largest request body, in bytes. Default: 1 MiB.
    pub max_body_bytes: usize,
    /// The time limit from the end of the head to the end of the body. Default: 10 seconds.
    pub body_timeout: Duration,
    /// The maximum number of `GET` and `HEAD` requests that run concurrently, each on a thread. A request
    /// that [`serve_node`](super::serve_node) answers without a thread does not count. Default: 16.
    pub max_reads: usize,
    /// The maximum number of other requests that run concurrently, with [`serve`](super::serve) each on a
    /// thread. They may take long, so they have a limit of their own and never delay a read. Default: 16.
    pub max_writes: usize,
    /// How long a request waits until fewer than [`max_reads`](Self::max_reads) or
    /// [`max_writes`](Self::max_writes) others run, before it is answered 503. Default: 2 seconds.
    pub queue_timeout: Duration,
    /// The largest response body, in bytes; it is held in memory. Default: 64 MiB.
    pub max_response_bytes: usize,
    /// The time limit for a client to read a response that does not fit into the socket buffer. Default: 30
    /// seconds.
    pub write_timeout: Duration,
    /// How long [`HttpServer::shutdown`](super::HttpServer::shutdown) waits for requests in progress.
    /// Default: 3 seconds, well below the 10 seconds after which service managers kill a program.
    pub shutdown_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            max_connections: 256,
            max_connections_per_address: 48,
            requests_per_second: None,
            request_burst: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            max_head_bytes: 16 << 10,
            head_timeout: Duration::from_secs(5),
            max_body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(10),
            max_reads: 16,
            max_writes: 16,
            queue_timeout: Duration::from_secs(2),
            max_response_bytes: 64 << 20,
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(3),
        }
    }
}

impl HttpConfig {
    /// Sets [`max_connections`](Self::max_connections).
    #[must_use]
    pub fn with_max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets [`max_connections_per_address`](Self::max_connections_per_address).
    #[must_use]
    pub fn with_max_connections_per_address(mut self, connections: usize) -> Self {
        self.max_connections_per_address = connections;
        self
    }

    /// Sets [`requests_per_second`](Self::requests_per_second).
    #[must_use]
    pub fn with_requests_per_second(mut self, requests: NonZeroU32) -> Self {
        self.requests_per_second = Some(requests);
        self
    }

    /// Sets [`request_burst`](Self::request_burst).
    #[must_use]
    pub fn with_request_burst(mut self, requests: NonZeroU32) -> Self {
        self.request_burst = requests;
        self
    }

    /// Sets [`max_head_bytes`](Self::max_head_bytes); less than 8 KiB counts as 8 KiB.
    #[must_use]
    pub fn with_max_head_bytes(mut self, bytes: usize) -> Self {
        self.max_head_bytes = bytes.max(Self::MIN_HEAD_BYTES);
        self
    }

    /// Sets [`head_timeout`](Self::head_timeout).
    #[must_use]
    pub fn with_head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// Sets [`max_body_bytes`](Self::max_body_bytes).
    #[must_use]
    pub fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets [`body_timeout`](Self::body_timeout).
    #[must_use]
    pub fn with_body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets [`max_reads`](Self::max_reads).
    #[must_use]
    pub fn with_max_reads(mut self, requests: usize) -> Self {
        self.max_reads = requests;
        self
    }

    /// Sets [`max_writes`](Self::max_writes).
    #[must_use]
    pub fn with_max_writes(mut self, requests: usize) -> Self {
        self.max_writes = requests;
        self
    }

    /// Sets [`queue_timeout`](Self::queue_timeout).
    #[must_use]
    pub fn with_queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// Sets [`max_response_bytes`](Self::max_response_bytes).
    #[must_use]
    pub fn with_max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets [`write_timeout`](Self::write_timeout).
    #[must_use]
    pub fn with_write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout).
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The minimum that hyper accepts; it panics if a smaller limit is set.
    pub(super) const MIN_HEAD_BYTES: usize = 8 << 10;
}
