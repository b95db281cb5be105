//! L4: how messages reach a peer. A [`Transport`] listens and dials, a [`Connection`] splits into a [`Sender`]
//! and a [`Receiver`]. Knows nothing of blocks, of the protocol's rules or of what a message means.
//!
//! All traits are dyn-compatible, so an application chooses its transport at run time. To bring your own,
//! implement the five of them and run the public suite `hashloom::testing::transport` over them.

mod error;
mod memory;
mod outgoing;
mod switch;
pub(crate) mod throttle;
#[cfg(feature = "websocket")]
mod websocket;

use core::fmt::Debug;

use async_trait::async_trait;

pub use error::{AddressProblem, TransportError};
pub use memory::Memory;
pub use outgoing::Outgoing;
pub use switch::Switch;
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
/// It may refuse a message that is larger than [`limits::max_frame_bytes`](crate::limits::max_frame_bytes) says for
/// its kind, and a first message on a connection beyond [`limits::MAX_HELLO_BYTES`](crate::limits::MAX_HELLO_BYTES).
#[async_trait]
pub trait Transport<T: Transaction = String>: Debug + Send + Sync + 'static {
    /// Whether an address could be a peer's that this transport dials, without using it: a wrong one is refused where
    /// it is given instead of being dialled for ever, and is not believed where a peer names it.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`].
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError>;

    /// Whether this message could be sent to every peer, in each form that it may take on the way, and is read there as
    /// an equal one. A node asks before it takes a transaction and before it mines a block.
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
    /// [`TransportError::BadAddress`], [`TransportError::AddressInUse`] and what else keeps an address from
    /// being listened at.
    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError>;

    /// Opens a connection to a peer. Takes bounded time. Dropping the future cancels the attempt.
    ///
    /// A transport that resolves host names connects to no network address that `reach` does not permit.
    ///
    /// # Errors
    ///
    /// Whatever keeps the connection from being made, naming the address.
    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection<T>>, TransportError>;
}

/// Takes connections that peers open. Dropping it stops listening and frees the address; connections that
/// were accepted live on.
#[async_trait]
pub trait Listener<T: Transaction = String>: Debug + Send {
    /// Where it listens; with the real port where port 0 was asked for.
    fn local_addr(&self) -> &PeerAddr;

    /// Waits for the next connection that is ready for use. A peer whose handshake fails is not seen here.
    ///
    /// Cancel-safe: no connection is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// Only what ends the listener for good.
    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError>;
}

/// An open connection. Dropping it, or both its halves, ends it without a goodbye.
pub trait Connection<T: Transaction = String>: Debug + Send {
    /// The address that was dialled, or the one that the connection came from.
    fn remote_addr(&self) -> &PeerAddr;

    /// Takes the two directions apart, each to a task of its own.
    fn split(self: Box<Self>) -> (Box<dyn Sender<T>>, Box<dyn Receiver<T>>);
}

/// The sending half of a connection.
///
/// Messages arrive in the order in which they were fed, or the connection ends. Several that wait are best
/// sent with one [`feed`](Self::feed) each and one [`flush`](Self::flush).
#[async_trait]
pub trait Sender<T: Transaction = String>: Debug + Send {
    /// Takes one message, which may wait in a buffer until [`flush`](Self::flush). Waits while the buffer is
    /// full, which is as long as the peer reads nothing.
    ///
    /// Cancel-safe: a message is taken whole or not at all.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsendable`] where the message has no form on this transport: the connection is as
    /// good as before. Every other error ends the connection.
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError>;

    /// Hands everything that was fed to the network. Waits as long as the peer reads nothing.
    ///
    /// Cancel-safe: what is not handed over yet stays in the buffer.
    ///
    /// # Errors
    ///
    /// Every error ends the connection.
    async fn flush(&mut self) -> Result<(), TransportError>;

    /// [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// Those of the two.
    async fn send(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Flushes, says goodbye in the transport's own way and waits, for a bounded time, until the peer has had
    /// the chance to read it all. Works also after [`TransportError::Malformed`]. The receiving half of this
    /// side ends with `None`; what the peer sends from now on is not read.
    ///
    /// Failures are not reported: the connection is over either way. Dropping the future ends the connection
    /// without further waiting once both halves are dropped.
    async fn close(&mut self);
}

/// The receiving half of a connection.
#[async_trait]
pub trait Receiver<T: Transaction = String>: Debug + Send {
    /// Waits for the next message; `None` when the connection ended in an orderly way. After `None` or an
    /// error there is nothing more to come.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TransportError::Malformed`] for what is no message: the peer is at fault, and the sending half still
    /// works, to tell it so. Every other error is the loss of the connection.
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError>;
}
