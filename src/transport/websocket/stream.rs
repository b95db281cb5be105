//! A WebSocket over an asynchronous stream of bytes. The WebSocket library, `tungstenite`, calls synchronous
//! reads and writes, and can continue after each that would block; this file turns that into polling.
//!
//! The first message has a limit of its own, so that a peer without a completed handshake cannot make this
//! side buffer a large one: a frame is refused by its head, before its payload.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::handshake::client::{ClientHandshake, Request, Response};
use tungstenite::handshake::server::{Callback, ServerHandshake};
use tungstenite::handshake::{HandshakeError, HandshakeRole, MidHandshake};
use tungstenite::protocol::{Role, WebSocketConfig as Limits};
use tungstenite::{Error, Message, WebSocket};

use super::config::WebSocketConfig;
use super::socket::Io;
use crate::protocol::limits::MAX_HELLO_BYTES;

/// The size of the read buffer of each connection, in bytes.
const READ_BUFFER_BYTES: usize = 32 << 10;

/// An open WebSocket. One task may read while another one writes.
#[derive(Debug)]
pub(super) struct WsStream {
    socket: WebSocket<Unblocked<Box<dyn Io>>>,
    /// The limit after the first message, in bytes; `None` once it applies.
    raised_limit: Option<usize>,
    /// The last write filled the buffer and the network did not accept it.
    is_write_blocked: bool,
}

impl WsStream {
    /// The dialling side of a handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] with the response of a server that refuses.
    pub(super) async fn dial(
        stream: Box<dyn Io>,
        request: Request,
        config: &WebSocketConfig,
    ) -> Result<(Self, Response), Error> {
        let stream = Unblocked::new(stream);
        let tasks = Arc::clone(&stream.tasks);
        let handshake = ClientHandshake::start(stream, request, Some(first_limits(config)))?;
        let (socket, response) = finish(&tasks, handshake).await?;
        Ok((Self::over(socket, config), response))
    }

    /// The listening side after a successful [`accept`].
    pub(super) fn accepted(stream: Box<dyn Io>, config: &WebSocketConfig) -> Self {
        let limits = Some(first_limits(config));
        Self::over(WebSocket::from_raw_socket(Unblocked::new(stream), Role::Server, limits), config)
    }

    const fn over(socket: WebSocket<Unblocked<Box<dyn Io>>>, config: &WebSocketConfig) -> Self {
        Self { socket, raised_limit: Some(config.max_frame_bytes), is_write_blocked: false }
    }

    /// The next message. [`Error::ConnectionClosed`] after both sides have said goodbye.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        self.tasks().reader.register(cx);
        let message = ready!(unless_blocked(self.socket.read()))?;
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && let Some(limit) = self.raised_limit.take()
        {
            self.socket.set_config(|limits| {
                limits.max_frame_size = Some(limit);
                limits.max_message_size = Some(limit);
            });
        }
        Poll::Ready(Ok(message))
    }

    /// Waits until the network has accepted earlier messages that filled the buffer, and adds one more.
    pub(super) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: impl FnOnce() -> Message,
    ) -> Poll<Result<(), Error>> {
        if self.is_write_blocked {
            ready!(self.poll_flush(cx))?;
        }
        self.tasks().writer.register(cx);
        match unless_blocked(self.socket.write(message())) {
            Poll::Ready(result) => Poll::Ready(result),
            // The message is in the buffer.
            Poll::Pending => {
                self.is_write_blocked = true;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Writes the buffered messages.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.tasks().writer.register(cx);
        let result = ready!(unless_blocked(self.socket.flush()));
        self.is_write_blocked = false;
        unless_closed(result)
    }

    /// Writes the buffered messages and a close frame.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.tasks().writer.register(cx);
        // If the close frame is already in the buffer, the library only flushes.
        unless_closed(ready!(unless_blocked(self.socket.close(None))))
    }

    /// Wakes the task that waits for a message.
    pub(super) fn wake_reader(&self) {
        self.tasks().reader.wake();
    }

    /// The stream of bytes below.
    pub(super) fn io(&mut self) -> &mut dyn Io {
        &mut self.socket.get_mut().stream
    }

    fn tasks(&self) -> &Tasks {
        &self.socket.get_ref().tasks
    }
}

/// The listening side of a handshake. Borrows the stream, so that the caller can answer a request that the
/// library does not answer.
///
/// No byte after the request is read: the library refuses a peer that sends before it receives the answer.
pub(super) async fn accept(
    stream: &mut Box<dyn Io>,
    callback: impl Callback,
    config: &WebSocketConfig,
) -> Result<(), Error> {
    let stream = Unblocked::new(stream);
    let tasks = Arc::clone(&stream.tasks);
    let handshake = ServerHandshake::start(stream, callback, Some(first_limits(config)));
    finish(&tasks, handshake).await.map(drop)
}

async fn finish<R: HandshakeRole>(
    tasks: &Tasks,
    handshake: MidHandshake<R>,
) -> Result<R::FinalResult, Error> {
    let mut interrupted = Some(handshake);
    poll_fn(|cx| {
        tasks.reader.register(cx);
        let Some(handshake) = interrupted.take() else { return Poll::Pending };
        match handshake.handshake() {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(HandshakeError::Failure(error)) => Poll::Ready(Err(error)),
            Err(HandshakeError::Interrupted(handshake)) => {
                interrupted = Some(handshake);
                Poll::Pending
            }
        }
    })
    .await
}

/// The limits up to the first message, in the form of the library.
fn first_limits(config: &WebSocketConfig) -> Limits {
    let limit = MAX_HELLO_BYTES.min(config.max_frame_bytes);
    Limits::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_frame_size(Some(limit))
        .max_message_size(Some(limit))
}

fn unless_blocked<R>(result: Result<R, Error>) -> Poll<Result<R, Error>> {
    match result {
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// A flush that ends a connection which both sides have closed has succeeded.
fn unless_closed(result: Result<(), Error>) -> Poll<Result<(), Error>> {
    match result {
        Err(Error::ConnectionClosed) => Poll::Ready(Ok(())),
        result => Poll::Ready(result),
    }
}

/// A stream of bytes with synchronous reads and writes, which fail with [`io::ErrorKind::WouldBlock`] instead
/// of waiting. When they can continue, the registered tasks are woken.
#[derive(Debug)]
struct Unblocked<S> {
    stream: S,
    tasks: Arc<Tasks>,
    /// Wakes `tasks`.
    waker: Waker,
}

impl<S> Unblocked<S> {
    fn new(stream: S) -> Self {
        let tasks = Arc::<Tasks>::default();
        Self { stream, waker: Waker::from(Arc::clone(&tasks)), tasks }
    }
}

impl<S: AsyncRead + Unpin> Read for Unblocked<S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for Unblocked<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_write(&mut cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_flush(&mut cx))
    }
}

fn or_would_block<R>(poll: Poll<io::Result<R>>) -> io::Result<R> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The tasks that use a stream. Progress in either direction wakes both, because a read of the library may
/// write (the answer to a ping), and TLS may read to write: the waker of one task must not replace the other's.
#[derive(Debug, Default)]
struct Tasks {
    reader: Task,
    writer: Task,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

/// A task that is waiting, if one is.
#[derive(Debug, Default)]
struct Task(Mutex<Option<Waker>>);

impl Task {
    /// Called before each attempt, so that no progress in between is missed.
    fn register(&self, cx: &Context<'_>) {
        let mut waker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        // Unlocked before the call, which may run other code.
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
