//! The tasks of one connection, and those that make one: reading, writing, accepting, dialling. Each ends by
//! itself; none is ever waited for by the driver.

use core::time::Duration;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::driver::Incoming;
use crate::primitives::Transaction;
use crate::protocol::{CloseReason, Direction, PeerAddr, PeerId};
use crate::transport::{Connection, Listener, Outgoing, Receiver, Sender, Transport, TransportError};

/// Messages that wait for a peer to read. One whose queue is full is closed.
pub(super) const MAX_QUEUE: usize = 256;

/// How long a peer may take to read what was written to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The driver's end of a connection. Dropping it sends what is queued, says goodbye and closes.
#[derive(Debug)]
pub(super) struct Link<T> {
    queue: mpsc::Sender<Outgoing<T>>,
}

impl<T: Transaction> Link<T> {
    /// Queues a message, without waiting. Returns whether there was room.
    pub(super) fn send(&self, message: Outgoing<T>) -> bool {
        // A writer that is gone has reported why.
        !matches!(self.queue.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
    }
}

/// Starts the two tasks of a connection.
pub(super) fn open<T: Transaction>(
    peer: PeerId,
    connection: Box<dyn Connection<T>>,
    incoming: &mpsc::Sender<Incoming<T>>,
    tasks: &mut JoinSet<()>,
) -> Link<T> {
    let (sender, receiver) = connection.split();
    let (queue, messages) = mpsc::channel(MAX_QUEUE);
    let reading = tokio::spawn(read(peer, receiver, incoming.clone())).abort_handle();
    tasks.spawn(write(peer, sender, messages, reading, incoming.clone()));
    Link { queue }
}

/// Reads only after the driver has taken what was read before, so a peer that writes fast is slowed down.
async fn read<T: Transaction>(
    peer: PeerId,
    mut receiver: Box<dyn Receiver<T>>,
    incoming: mpsc::Sender<Incoming<T>>,
) {
    loop {
        let input = match receiver.recv().await {
            Ok(Some(message)) => Incoming::Received { peer, message },
            Ok(None) => Incoming::Ended { peer, reason: CloseReason::Ended },
            Err(TransportError::Malformed(error)) => Incoming::Malformed { peer, error: Arc::new(error) },
            Err(error) => Incoming::Ended { peer, reason: CloseReason::Lost(Arc::new(error)) },
        };
        let goes_on = matches!(input, Incoming::Received { .. });
        if incoming.send(input).await.is_err() || !goes_on {
            return;
        }
    }
}

async fn write<T: Transaction>(
    peer: PeerId,
    mut sender: Box<dyn Sender<T>>,
    mut messages: mpsc::Receiver<Outgoing<T>>,
    reading: AbortHandle,
    incoming: mpsc::Sender<Incoming<T>>,
) {
    while let Some(message) = messages.recv().await {
        let written = async {
            sender.feed(&message).await?;
            // One flush for all that waits.
            while let Ok(message) = messages.try_recv() {
                sender.feed(&message).await?;
            }
            sender.flush().await
        };
        let reason = match timeout(WRITE_TIMEOUT, written).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => CloseReason::Lost(Arc::new(error)),
            Err(_) => CloseReason::WriteTimeout(WRITE_TIMEOUT),
        };
        reading.abort();
        // The driver may be gone, and then nobody needs to know.
        let _ = incoming.send(Incoming::Ended { peer, reason }).await;
        return;
    }
    let _ = timeout(CLOSE_TIMEOUT, sender.close()).await;
    reading.abort();
}

/// Hands every connection that peers open to the driver.
pub(super) async fn accept<T: Transaction>(
    mut listener: Box<dyn Listener<T>>,
    incoming: mpsc::Sender<Incoming<T>>,
) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                let address = connection.remote_addr().clone();
                let opened = Incoming::Opened { direction: Direction::Inbound, address, connection };
                if incoming.send(opened).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "no longer accepting connections");
                return;
            }
        }
    }
}

pub(super) async fn dial<T: Transaction>(
    transport: Arc<dyn Transport<T>>,
    address: PeerAddr,
    incoming: mpsc::Sender<Incoming<T>>,
) {
    let input = match transport.dial(&address).await {
        Ok(connection) => Incoming::Opened { direction: Direction::Outbound, address, connection },
        Err(error) => Incoming::DialFailed { address, error: Arc::new(error) },
    };
    // The driver may be gone, and then nobody needs the connection.
    let _ = incoming.send(input).await;
}
