//! The bounds of a WebSocket transport.

use core::time::Duration;

use super::socket::Network;
use super::tls::Tls;
use crate::wire::DEFAULT_MAX_FRAME_BYTES;

/// How much a WebSocket transport takes from a peer, and how long it waits for one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// The most bytes in one message, sent or received, however many fragments it comes in. An incoming one is
    /// refused on its announced size, before it takes memory. Kinds that carry no transactions have smaller limits of
    /// their own ([`limits::max_frame_bytes`](crate::limits::max_frame_bytes)), and the first message of a connection
    /// has [`limits::MAX_HELLO_BYTES`](crate::limits::MAX_HELLO_BYTES). Default: [`DEFAULT_MAX_FRAME_BYTES`].
    pub max_frame_bytes: usize,
    /// From the first packet to the end of the WebSocket handshake, with that of TLS, at either end. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Handshakes that a listener carries on at the same time, those of TLS included. When there are so many, the next
    /// peer takes the place of the oldest one from the address with the most. At least 1. Default: 32.
    pub max_pending_handshakes: usize,
    /// How many of them may be with one IPv4 address or IPv6 /64; what it opens beyond that takes the place of its
    /// oldest one. At least 1. Default: 8.
    pub max_pending_handshakes_per_address: usize,
    /// The origins of web pages that may connect, such as `https://wallet.example`. Browsers name the origin of the
    /// page, and peers, which are not browsers, name none. Default: none, so that no page that somebody opens
    /// talks to a node on the same machine.
    pub allowed_origins: Vec<String>,
    /// What a client of HTTP is told that comes to the port for peers, such as where HTTP is served. One line that
    /// strangers may read, without a line break. Default: nothing more than that the port is for peers.
    pub http_hint: Option<String>,
    /// How long a close waits for the peer to read what was sent. Default: 2 s.
    pub close_timeout: Duration,
    /// What is needed for `wss://`: who this node is, and whom it takes. Default: none, so that all is `ws://`.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// Where sockets come from.
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
    /// The settings of TLS, if there are any.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "there are none in this build"))]
    pub(super) const fn tls(&self) -> Option<&Tls> {
        #[cfg(feature = "tls")]
        return self.tls.as_ref();
        #[cfg(not(feature = "tls"))]
        return None;
    }

    /// The same on the hosts of a simulated network.
    #[cfg(test)]
    pub(crate) fn simulated() -> Self {
        Self { network: Network::Simulated, ..Self::default() }
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
