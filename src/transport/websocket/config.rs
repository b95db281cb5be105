//! The limits and settings of a WebSocket transport.

use core::time::Duration;

use super::socket::Network;
use super::tls::Tls;
use crate::wire::DEFAULT_MAX_FRAME_BYTES;

/// The limits of a WebSocket transport towards its peers, its timeouts, and its settings of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// The largest message, sent or received, in bytes, summed over its fragments. An incoming message is
    /// refused by its announced size, before memory is allocated for it. Kinds of messages without
    /// transactions have smaller limits of their own
    /// ([`MessageKind::max_frame_bytes`](crate::protocol::MessageKind::max_frame_bytes)), and so has the first message
    /// of a connection ([`limits::MAX_HELLO_BYTES`](crate::protocol::limits::MAX_HELLO_BYTES)). Default:
    /// [`DEFAULT_MAX_FRAME_BYTES`].
    pub max_frame_bytes: usize,
    /// The time limit of a handshake at either end, from connecting or accepting TCP to the end of the
    /// WebSocket handshake, TLS included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How many handshakes a listener runs concurrently, TLS included. If the limit is reached, a new peer
    /// replaces the oldest handshake of the address with the most. At least 1. Default: 32.
    pub max_pending_handshakes: usize,
    /// How many of these handshakes one IPv4 address or IPv6 /64 may have. A further one replaces the oldest
    /// of that address. At least 1. Default: 8.
    pub max_pending_handshakes_per_address: usize,
    /// The origins of web pages that may connect, such as `https://wallet.example`. Browsers send the origin
    /// of the page; peers send none, because they are not browsers. Default: none, so that a web page cannot
    /// connect to a node on the machine of its reader.
    pub allowed_origins: Vec<String>,
    /// A hint for HTTP clients that connect to the port for peers, such as where HTTP is served. One line
    /// without a line break, which strangers may read. Default: no hint; the answer says only that the port
    /// is for peers.
    pub http_hint: Option<String>,
    /// How long a close waits for the peer to read what was sent. Default: 2 s.
    pub close_timeout: Duration,
    /// The settings of TLS, which `wss://` needs: the certificate of this node, and which peers it trusts.
    /// Default: none, so that only `ws://` is available.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// The network that provides the sockets.
    pub(super) network: Network,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            handshake_timeout: Duration::from_secs(10),
            max_pending_handshakes: 32,
            max_pending_handshakes_per_address: 8,
            allowed_origins: Vec::new(),
            http_hint: None,
            close_timeout: Duration::from_secs(2),
            #[cfg(feature = "tls")]
            tls: None,
            network: Network::System,
        }
    }
}

impl WebSocketConfig {
    /// The settings of TLS, if TLS is configured.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "there are none in this build"))]
    pub(super) const fn tls(&self) -> Option<&Tls> {
        #[cfg(feature = "tls")]
        return self.tls.as_ref();
        #[cfg(not(feature = "tls"))]
        return None;
    }

    /// Sets [`max_frame_bytes`](Self::max_frame_bytes).
    #[must_use]
    pub fn with_max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes;
        self
    }

    /// Sets [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`max_pending_handshakes`](Self::max_pending_handshakes).
    #[must_use]
    pub fn with_max_pending_handshakes(mut self, handshakes: usize) -> Self {
        self.max_pending_handshakes = handshakes;
        self
    }

    /// Sets [`max_pending_handshakes_per_address`](Self::max_pending_handshakes_per_address).
    #[must_use]
    pub fn with_max_pending_handshakes_per_address(mut self, handshakes: usize) -> Self {
        self.max_pending_handshakes_per_address = handshakes;
        self
    }

    /// Sets [`allowed_origins`](Self::allowed_origins).
    #[must_use]
    pub fn with_allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`http_hint`](Self::http_hint).
    #[must_use]
    pub fn with_http_hint(mut self, hint: impl Into<String>) -> Self {
        self.http_hint = Some(hint.into());
        self
    }

    /// Sets [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub fn with_close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets [`tls`](field@Self::tls).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}
