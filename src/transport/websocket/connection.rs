//! An open WebSocket connection: one socket, two halves.
//!
//! Both halves lock the socket for the duration of one poll, never across an await. So the sending half can
//! also read, which an orderly close requires: if a TCP socket is closed with unread input, the operating
//! system discards data that the peer has not read yet.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::io::ReadBuf;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::{Error, Message as WsMessage};

use super::codec::{Codec, check_len};
use super::config::WebSocketConfig;
use super::stream::WsStream;
use crate::primitives::Transaction;
use crate::protocol::{Message, PeerAddr};
use crate::transport::{Connection, Outgoing, Receiver, Sender, TransportError};
use crate::wire::{Frame, Payload, WireError};

/// Encodes a message, within the size limit of this transport.
fn sendable_frame<T: Transaction>(
    codec: &dyn Codec<T>,
    config: &WebSocketConfig,
    message: &Outgoing<T>,
) -> Result<Frame, TransportError> {
    let frame = codec.encode(message).map_err(TransportError::Unsendable)?;
    check_len(&frame, config.max_frame_bytes).map_err(TransportError::Unsendable)?;
    Ok(frame)
}

/// A connection whose handshake has succeeded.
#[derive(Debug)]
pub(super) struct WsConnection<T: Transaction> {
    remote: PeerAddr,
    socket: Arc<Mutex<SharedStream>>,
    codec: Arc<dyn Codec<T>>,
    config: WebSocketConfig,
}

impl<T: Transaction> WsConnection<T> {
    pub(super) fn new(
        remote: PeerAddr,
        stream: WsStream,
        codec: Arc<dyn Codec<T>>,
        config: WebSocketConfig,
    ) -> Self {
        let socket = SharedStream { stream, state: State::Open };
        Self { remote, socket: Arc::new(Mutex::new(socket)), codec, config }
    }
}

impl<T: Transaction> Connection<T> for WsConnection<T> {
    fn remote_addr(&self) -> &PeerAddr {
        &self.remote
    }

    fn format(&self) -> &'static str {
        self.codec.subprotocol()
    }

    fn split(self: Box<Self>) -> (Box<dyn Sender<T>>, Box<dyn Receiver<T>>) {
        let (socket, codec) = (Arc::clone(&self.socket), Arc::clone(&self.codec));
        let receiver = WsReceiver { socket, codec, bytes: 0 };
        let sender = WsSender { socket: self.socket, codec: self.codec, config: self.config, bytes: 0 };
        (Box::new(sender), Box::new(receiver))
    }
}

#[derive(Debug)]
struct WsSender<T: Transaction> {
    socket: Arc<Mutex<SharedStream>>,
    codec: Arc<dyn Codec<T>>,
    config: WebSocketConfig,
    /// The bytes of all frames.
    bytes: u64,
}

#[async_trait]
impl<T: Transaction> Sender<T> for WsSender<T> {
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let frame = sendable_frame(&*self.codec, &self.config, message)?;
        poll_fn(|cx| lock(&self.socket).poll_feed(cx, &frame)).await?;
        self.bytes += frame.as_bytes().len() as u64;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        poll_fn(|cx| lock(&self.socket).poll_flush(cx)).await
    }

    async fn close(&mut self) {
        let drain = lock(&self.socket).start_close();
        let polite = async {
            poll_fn(|cx| lock(&self.socket).poll_close(cx)).await;
            if drain {
                poll_fn(|cx| lock(&self.socket).poll_drain(cx)).await;
            }
        };
        // On a timeout the connection is closed anyway: a peer that does not read in time had its chance.
        let _ = tokio::time::timeout(self.config.close_timeout, polite).await;
    }

    fn sent_bytes(&self) -> u64 {
        self.bytes
    }
}

#[derive(Debug)]
struct WsReceiver<T: Transaction> {
    socket: Arc<Mutex<SharedStream>>,
    codec: Arc<dyn Codec<T>>,
    /// The bytes of all frames.
    bytes: u64,
}

#[async_trait]
impl<T: Transaction> Receiver<T> for WsReceiver<T> {
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError> {
        let Some(frame) = poll_fn(|cx| lock(&self.socket).poll_frame(cx)).await? else {
            return Ok(None);
        };
        self.bytes += frame.as_bytes().len() as u64;
        self.codec.decode(&frame).map(Some).map_err(|error| {
            lock(&self.socket).stop_reading();
            TransportError::Malformed(error)
        })
    }

    fn received_bytes(&self) -> u64 {
        self.bytes
    }
}

fn lock(socket: &Mutex<SharedStream>) -> MutexGuard<'_, SharedStream> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The WebSocket that both halves of a connection share.
#[derive(Debug)]
struct SharedStream {
    stream: WsStream,
    state: State,
}

/// The state of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Open in both directions.
    Open,
    /// Open for writing only: a read failed or the stream ended.
    WriteOnly,
    /// Closed by the peer, which does not read any more.
    ClosedByPeer,
    /// Closed by this side.
    ClosedByUs,
}

impl SharedStream {
    fn poll_feed(&mut self, cx: &mut Context<'_>, frame: &Frame) -> Poll<Result<(), TransportError>> {
        if !matches!(self.state, State::Open | State::WriteOnly) {
            return Poll::Ready(Err(TransportError::Closed));
        }
        let message = || match frame.clone().0 {
            Payload::Text(text) => WsMessage::Text(text),
            Payload::Binary(bytes) => WsMessage::Binary(bytes),
        };
        self.stream.poll_feed(cx, message).map_err(transport_error)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.stream.poll_flush(cx).map_err(transport_error)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, TransportError>> {
        loop {
            if self.state != State::Open {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.stream.poll_message(cx)) {
                Ok(WsMessage::Text(text)) => return Poll::Ready(Ok(Some(Frame(Payload::Text(text))))),
                Ok(WsMessage::Binary(bytes)) => return Poll::Ready(Ok(Some(Frame(Payload::Binary(bytes))))),
                // The library queues the answer to a ping, and the next read writes it.
                Ok(WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_)) => {}
                Ok(WsMessage::Close(_)) => {
                    self.state = State::ClosedByPeer;
                    // Writes the answer to the close, as far as the socket accepts it.
                    let _ = self.stream.poll_message(cx);
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => self.stop_reading(),
                Err(error) => {
                    self.stop_reading();
                    return Poll::Ready(Err(transport_error(error)));
                }
            }
        }
    }

    fn stop_reading(&mut self) {
        if self.state == State::Open {
            self.state = State::WriteOnly;
        }
    }

    /// Closes the receiving half. Returns whether the peer may still be reading.
    fn start_close(&mut self) -> bool {
        let peer_reads = self.state != State::ClosedByPeer;
        self.state = State::ClosedByUs;
        self.stream.wake_reader();
        peer_reads
    }

    /// Writes the buffered frames and a close frame, and shuts down this direction.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A failure means that the connection is gone already.
        let _ = ready!(self.stream.poll_close(cx));
        let _ = ready!(Pin::new(self.stream.io()).poll_shutdown(cx));
        Poll::Ready(())
    }

    /// Reads and discards input until the peer has closed its direction as well.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(self.stream.io()).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

/// Converts an error of the WebSocket library on an open connection.
fn transport_error(error: Error) -> TransportError {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            TransportError::Malformed(WireError::TooLarge { got: size, limit: max_size })
        }
        Error::Utf8(_) => TransportError::Malformed(WireError::NotUtf8),
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing) => {
            TransportError::Closed
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => TransportError::Vanished,
        Error::Io(error) => TransportError::Io(error),
        violation => TransportError::Violation(violation.into()),
    }
}
