//! L4: how messages reach a peer. A [`Transport`] listens and dials, a [`Connection`] splits into a
//! [`Sender`] and a [`Receiver`]. This layer knows nothing of blocks, of the protocol's rules or of the
//! meaning of a message.
//!
//! All traits are dyn-compatible, so an application can choose its transport at run time. A custom transport
//! implements the five traits and runs the public test suite `hashloom::testing::transport`.

mod error;
#[cfg(any(feature = "http", feature = "websocket"))]
pub(crate) mod linger;
mod memory;
mod outgoing;
pub(crate) mod throttle;
#[cfg(feature = "websocket")]
mod websocket;

use core::fmt::Debug;

use async_trait::async_trait;

pub use error::{AddressProblem, TransportError};
pub use memory::Memory;
pub use outgoing::Outgoing;
#[cfg(feature = "ws-bincode")]
pub use websocket::WsBincode;
#[cfg(feature = "ws-json")]
pub use websocket::WsJson;
#[cfg(feature = "ws-postcard")]
pub use websocket::WsPostcard;
#[cfg(feature = "tls")]
pub use websocket::{Fingerprint, Secret, Tls, TlsBuilder, TlsError, TlsPart, TlsProblem};
#[cfg(feature = "websocket")]
pub use websocket::{WebSocket, WebSocketConfig, WsMulti};

use crate::primitives::Transaction;
use crate::protocol::{Message, PeerAddr, Reach};

/// A way to reach peers.
///
/// A transport may refuse a message that is larger than
/// [`MessageKind::max_frame_bytes`](crate::protocol::MessageKind::max_frame_bytes), and a first message of a
/// connection that is larger than [`limits::MAX_HELLO_BYTES`](crate::protocol::limits::MAX_HELLO_BYTES).
#[async_trait]
pub trait Transport<T: Transaction = String>: Debug + Send + Sync + 'static {
    /// Checks, without any I/O, whether this transport could dial an address. A bad address is rejected when
    /// it is configured, instead of being dialled again and again, and is ignored when a peer advertises it.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`].
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError>;

    /// Checks whether this message could be sent to every peer, in each wire format of the transport, and
    /// whether it would be decoded as an equal message. A node calls this before it accepts a transaction and
    /// before it mines a block.
    ///
    /// Provided: every message can be sent.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsendable`].
    fn check_message(&self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let _ = message;
        Ok(())
    }

    /// Starts to listen at an address.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`], [`TransportError::AddressInUse`], and any other error that prevents
    /// listening.
    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError>;

    /// Opens a connection to a peer, in bounded time. Dropping the future cancels the attempt.
    ///
    /// A transport that resolves host names must not connect to a network address that `reach` does not
    /// permit.
    ///
    /// # Errors
    ///
    /// Any error that prevents the connection; it names the address.
    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection<T>>, TransportError>;
}

/// Accepts connections of peers. Dropping the listener stops listening and releases the address; accepted
/// connections stay open.
#[async_trait]
pub trait Listener<T: Transaction = String>: Debug + Send {
    /// The address at which the transport listens. If port 0 was configured, the address has the port that
    /// was assigned.
    fn local_addr(&self) -> &PeerAddr;

    /// Waits for the next connection that is ready for use. A peer whose handshake fails is never returned.
    ///
    /// Cancel-safe: no connection is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// Only an error after which the listener cannot accept any more.
    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError>;
}

/// An open connection. Dropping it, or both its halves, closes it without a goodbye.
pub trait Connection<T: Transaction = String>: Debug + Send {
    /// The address that was dialled, or the one that the connection came from.
    fn remote_addr(&self) -> &PeerAddr;

    /// The name of the connection's wire format, for people. Provided: `none`, for a transport that moves values.
    fn format(&self) -> &'static str {
        "none"
    }

    /// Splits the connection into its two directions, so that each can be used by a task of its own.
    fn split(self: Box<Self>) -> (Box<dyn Sender<T>>, Box<dyn Receiver<T>>);
}

/// The sending half of a connection.
///
/// Messages arrive in the order in which they were fed, or the connection ends. To send several messages,
/// call [`feed`](Self::feed) for each and [`flush`](Self::flush) once.
#[async_trait]
pub trait Sender<T: Transaction = String>: Debug + Send {
    /// Accepts one message, which may stay in a buffer until [`flush`](Self::flush). Waits while the buffer
    /// is full because the peer does not read.
    ///
    /// Cancel-safe: a message is accepted completely or not at all.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsendable`] if the transport cannot encode the message: the connection is not
    /// affected. Every other error ends the connection.
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError>;

    /// Writes all buffered messages to the network. Waits while the peer does not read.
    ///
    /// Cancel-safe: messages that are not written yet stay in the buffer.
    ///
    /// # Errors
    ///
    /// Every error ends the connection.
    async fn flush(&mut self) -> Result<(), TransportError>;

    /// [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// The errors of both.
    async fn send(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Flushes, says goodbye as the transport defines it, and waits, for a bounded time, until the peer has
    /// had the chance to read everything. Works after [`TransportError::Malformed`] as well. The receiving
    /// half of this side then returns `None`; messages that the peer sends later are not read.
    ///
    /// Failures are not reported, because the connection ends in any case. If the future is dropped, the
    /// connection ends without further waiting as soon as both halves are dropped.
    async fn close(&mut self);

    /// The bytes of all messages that were fed so far, as the transport encodes them, for the metrics of a node.
    ///
    /// Provided: 0, for a transport that does not count them.
    fn sent_bytes(&self) -> u64 {
        0
    }
}

/// The receiving half of a connection.
#[async_trait]
pub trait Receiver<T: Transaction = String>: Debug + Send {
    /// Waits for the next message; `None` when the connection was closed in an orderly way. After `None` or
    /// an error no further message arrives.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TransportError::Malformed`] for input that is not a valid message: the peer is at fault, and the
    /// sending half can still be used, for example to tell the peer so. Every other error means that the
    /// connection is lost.
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError>;

    /// The bytes of all messages that were received so far, as the transport decodes them, for the metrics of a node.
    ///
    /// Provided: 0, for a transport that does not count them.
    fn received_bytes(&self) -> u64 {
        0
    }
}
