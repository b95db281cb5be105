//! WebSocket transports (RFC 6455) over TCP or TLS: one for each wire format, and one that serves several
//! formats on one port.

mod address;
mod admission;
mod codec;
mod config;
mod connection;
mod dial;
mod listen;
mod secure;
mod socket;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "websocket/no_tls.rs")]
mod tls;

use std::sync::Arc;

use async_trait::async_trait;

use address::Endpoint;
use codec::{Codec, Formats};
pub use config::WebSocketConfig;
#[cfg(feature = "tls")]
pub use tls::{Fingerprint, Secret, Tls, TlsBuilder, TlsError, TlsPart, TlsProblem};

use super::error::TransportError;
use super::outgoing::Outgoing;
use super::{Connection, Listener, Transport};
use crate::primitives::Transaction;
use crate::protocol::{PeerAddr, Reach};
#[cfg(feature = "ws-bincode")]
use crate::wire::Bincode;
#[cfg(feature = "ws-json")]
use crate::wire::Json;
#[cfg(feature = "ws-postcard")]
use crate::wire::Postcard;
use crate::wire::WireFormat;

/// WebSocket with JSON in text frames.
#[cfg(feature = "ws-json")]
pub type WsJson = WebSocket<Json>;

/// WebSocket with bincode in binary frames.
#[cfg(feature = "ws-bincode")]
pub type WsBincode = WebSocket<Bincode>;

/// WebSocket with postcard in binary frames.
#[cfg(feature = "ws-postcard")]
pub type WsPostcard = WebSocket<Postcard>;

/// A WebSocket transport with one wire format.
///
/// Addresses are `ws://host:port`, with an optional path that a server ignores, and `wss://host:port` if TLS
/// is configured. The default ports are 80 and 443. Port 0 listens at any free port. The handshake negotiates
/// the format by its [`SUBPROTOCOL`](WireFormat::SUBPROTOCOL): a peer without the format is refused, and both
/// ends report which formats they support.
#[derive(Clone, Debug, Default)]
pub struct WebSocket<F> {
    format: Arc<F>,
    config: WebSocketConfig,
}

impl<F: WireFormat> WebSocket<F> {
    /// A transport with the default configuration.
    pub fn new(format: F) -> Self {
        Self { format: Arc::new(format), config: WebSocketConfig::default() }
    }

    /// Replaces the configuration.
    #[must_use]
    pub fn with_config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    fn formats<T: Transaction>(&self) -> Formats<T> {
        vec![Arc::clone(&self.format) as Arc<dyn Codec<T>>].into()
    }
}

#[async_trait]
impl<T: Transaction, F: WireFormat> Transport<T> for WebSocket<F> {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        Endpoint::of_peer(address, &self.config).map(drop)
    }

    fn check_message(&self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let codec: &dyn Codec<T> = &*self.format;
        codec.check(message, self.config.max_frame_bytes).map_err(TransportError::Unsendable)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError> {
        listen::listen(address, self.formats(), self.config.clone()).await
    }

    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection<T>>, TransportError> {
        dial::dial(address, reach, self.formats(), &self.config).await
    }
}

/// A WebSocket transport with several wire formats: one port serves peers of each format.
///
/// A dial offers all formats in order of preference. A listener selects the first offered format that it
/// supports.
///
/// ```
/// # #[cfg(all(feature = "ws-json", feature = "ws-bincode"))] {
/// use hashloom::transport::WsMulti;
/// use hashloom::wire::{Bincode, Json};
///
/// let transport = WsMulti::<String>::new(Bincode).and(Json);
/// assert_eq!(transport.subprotocols(), ["hashloom.v1.bincode", "hashloom.v1.json"]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WsMulti<T = String> {
    formats: Vec<Arc<dyn Codec<T>>>,
    config: WebSocketConfig,
}

impl<T: Transaction> WsMulti<T> {
    /// A transport with one format, the preferred one, and the default configuration.
    pub fn new(preferred: impl WireFormat) -> Self {
        Self { formats: vec![Arc::new(preferred)], config: WebSocketConfig::default() }
    }

    /// Adds a format, less preferred than those before it.
    #[must_use]
    pub fn and(mut self, format: impl WireFormat) -> Self {
        self.formats.push(Arc::new(format));
        self
    }

    /// Replaces the configuration.
    #[must_use]
    pub fn with_config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    /// The subprotocols of the formats, in order of preference.
    pub fn subprotocols(&self) -> Vec<&'static str> {
        self.formats.iter().map(|format| format.subprotocol()).collect()
    }
}

#[async_trait]
impl<T: Transaction> Transport<T> for WsMulti<T> {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        Endpoint::of_peer(address, &self.config).map(drop)
    }

    fn check_message(&self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let limit = self.config.max_frame_bytes;
        let check = |format: &Arc<dyn Codec<T>>| format.check(message, limit);
        self.formats.iter().try_for_each(check).map_err(TransportError::Unsendable)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError> {
        listen::listen(address, self.formats.as_slice().into(), self.config.clone()).await
    }

    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection<T>>, TransportError> {
        dial::dial(address, reach, self.formats.as_slice().into(), &self.config).await
    }
}
