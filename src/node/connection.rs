//! The tasks of one connection, and those that make one: talking, accepting, dialling. Each ends by itself;
//! none is ever waited for by the driver.

use core::convert::Infallible;
use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::driver::Incoming;
use crate::primitives::{Hash, Transaction, transaction_id};
use crate::protocol::{CloseReason, Direction, Message, PeerAddr, PeerId, Reach};
use crate::transport::{Connection, Listener, Outgoing, Receiver, Sender, Transport, TransportError};
use crate::wire::WireError;

/// Messages that wait for a peer to read; one that costs memory of its own counts for several. A peer whose
/// queue is full is closed.
pub(super) const MAX_QUEUE: usize = 256;

/// For how many a message counts that is up to a megabyte which nothing else holds. A block that was just mined is
/// shared with the chain, and the rest is small.
const LARGE_MESSAGE: u32 = 32;

/// For how many an answer with blocks counts, which may hold a megabyte too. Less, because a peer that asks for as
/// many as it may gets one such message for each of large blocks.
const MANY_BLOCKS: u32 = 3;

/// How long a peer may take to read one message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a dial may take, whatever the transport.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a goodbye may take, with all that is queued before it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections that peers opened and that may exist beside those that the protocol admits: new ones that are
/// about to be refused, and old ones that are being closed. Where there are more, no further one is accepted
/// until one of them is gone.
const SPARE_CONNECTIONS: usize = 16;

/// The driver's end of a connection. Dropping it sends what is queued, as far as the peer reads it soon, says
/// goodbye and closes.
#[derive(Debug)]
pub(super) struct Link<T> {
    /// Bounded by `room`.
    queue: mpsc::UnboundedSender<Queued<T>>,
    room: Arc<Semaphore>,
    task: AbortHandle,
    /// Dropped with the link, which its task notices.
    _open: oneshot::Sender<Infallible>,
}

/// The id of a transaction, and why it cannot be sent.
pub(super) type Unsendable = (Hash, Arc<TransportError>);

/// A message, and the room that it takes up.
type Queued<T> = (Outgoing<T>, OwnedSemaphorePermit);

impl<T: Transaction> Link<T> {
    /// Queues a message, without waiting. Returns whether there was room.
    pub(super) fn send(&self, message: Outgoing<T>) -> bool {
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(weight(message.message())) else {
            return false;
        };
        // A task that is gone has reported why.
        let _ = self.queue.send((message, room));
        true
    }

    /// Whether this task is that of the connection.
    pub(super) fn is_of(&self, task: tokio::task::Id) -> bool {
        self.task.id() == task
    }

    /// Ends the connection at once, without a goodbye.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

const fn weight<T>(message: &Message<T>) -> u32 {
    match message {
        Message::Headers(_) | Message::Transactions(_) => LARGE_MESSAGE,
        Message::Blocks(_) => MANY_BLOCKS,
        _ => 1,
    }
}

/// Starts the task of a connection. `place` is given back when it ends.
pub(super) fn open<T: Transaction>(
    peer: PeerId,
    connection: Box<dyn Connection<T>>,
    place: Option<OwnedSemaphorePermit>,
    transport: Option<Arc<dyn Transport<T>>>,
    incoming: &mpsc::Sender<Incoming<T>>,
    tasks: &mut JoinSet<()>,
) -> Link<T> {
    let (queue, messages) = mpsc::unbounded_channel();
    let (open, dropped) = oneshot::channel();
    let incoming = incoming.clone();
    let task = tasks.spawn(async move {
        talk(peer, connection, transport.as_deref(), messages, dropped, &incoming).await;
        drop(place);
    });
    Link { queue, room: Arc::new(Semaphore::new(MAX_QUEUE)), task, _open: open }
}

/// Both directions in one task, so that neither outlives the other.
async fn talk<T: Transaction>(
    peer: PeerId,
    connection: Box<dyn Connection<T>>,
    transport: Option<&dyn Transport<T>>,
    messages: mpsc::UnboundedReceiver<Queued<T>>,
    dropped: oneshot::Receiver<Infallible>,
    incoming: &mpsc::Sender<Incoming<T>>,
) {
    let (mut sender, receiver) = connection.split();
    let mut writing = pin!(async {
        write(sender.as_mut(), messages, incoming).await?;
        sender.close().await;
        Ok(())
    });
    // In this order, and not at random, so that a simulation can be repeated.
    let written = tokio::select! {
        biased;
        written = &mut writing => Some(written),
        // From here on nothing more is read.
        _ = dropped => None,
        () = read(peer, receiver, transport, incoming) => None,
    };
    match written {
        Some(Ok(())) => {}
        Some(Err(reason)) => {
            // If the driver is gone, the report is not needed.
            let _ = incoming.send(Incoming::Ended { peer, reason }).await;
        }
        None => {
            // A peer that does not read loses the goodbye, nothing else.
            let _ = timeout(CLOSE_TIMEOUT, writing).await;
        }
    }
}

/// Reads only after the driver has taken what was read before, so a peer that writes fast is slowed down, and there
/// is never more of it than the message that is handled and the next one. Reports the end and then waits for the
/// driver to drop the link; there may be something to say yet.
async fn read<T: Transaction>(
    peer: PeerId,
    mut receiver: Box<dyn Receiver<T>>,
    transport: Option<&dyn Transport<T>>,
    incoming: &mpsc::Sender<Incoming<T>>,
) {
    // Room in `incoming` is no measure: one peer could fill all of it.
    let turns = Arc::new(Semaphore::new(1));
    // The semaphore is never closed.
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let input = match receiver.recv().await {
            Ok(Some(message)) => {
                message.digest_ahead();
                let (message, unsendable) = relayable(message, transport);
                Incoming::Received { peer, message, unsendable, turn }
            }
            Ok(None) => Incoming::Ended { peer, reason: CloseReason::Ended },
            Err(TransportError::Malformed(error @ WireError::UnsupportedType { .. })) => {
                Incoming::Ended { peer, reason: CloseReason::Unreadable(Arc::new(error)) }
            }
            Err(TransportError::Malformed(error)) => Incoming::Malformed { peer, error: Arc::new(error) },
            Err(TransportError::Violation(error)) => Incoming::Malformed { peer, error: error.into() },
            Err(error) => Incoming::Ended { peer, reason: CloseReason::Lost(Arc::new(error)) },
        };
        let goes_on = matches!(input, Incoming::Received { .. });
        if incoming.send(input).await.is_err() || !goes_on {
            break;
        }
    }
    core::future::pending::<()>().await;
}

/// A message of a peer without the transactions that this node could not tell its other peers of, and those.
fn relayable<T: Transaction>(
    message: Message<T>,
    transport: Option<&dyn Transport<T>>,
) -> (Message<T>, Vec<Unsendable>) {
    let (Message::Transactions(_), Some(transport)) = (&message, transport) else {
        return (message, Vec::new());
    };
    let message = Outgoing::new(message);
    let is_fine = transport.check_message(&message).is_ok();
    let transactions = match message.into_message() {
        Message::Transactions(transactions) if !is_fine => transactions,
        message => return (message, Vec::new()),
    };
    let mut unsendable = Vec::new();
    let mut sendable = Vec::new();
    for transaction in transactions {
        let checked =
            transport.check_message(&Outgoing::new(Message::Transactions(vec![transaction.clone()])));
        match (checked, transaction_id(&transaction)) {
            (Err(error), Ok(id)) => unsendable.push((id, Arc::new(error))),
            // One without an id is for the protocol to refuse.
            _ => sendable.push(transaction),
        }
    }
    (Message::Transactions(sendable), unsendable)
}

/// Writes what is queued until the driver has dropped the link.
async fn write<T: Transaction>(
    sender: &mut dyn Sender<T>,
    mut messages: mpsc::UnboundedReceiver<Queued<T>>,
    incoming: &mpsc::Sender<Incoming<T>>,
) -> Result<(), CloseReason> {
    while let Some((message, _room)) = messages.recv().await {
        feed(sender, message, incoming).await?;
        // One flush for all that waits.
        while let Ok((message, _room)) = messages.try_recv() {
            feed(sender, message, incoming).await?;
        }
        in_time(sender.flush()).await?.map_err(lost)?;
    }
    Ok(())
}

/// Feeds a message, or what can be said in its place if it has no form on this connection: to end the connection would
/// have the peer come back and ask again without end.
async fn feed<T: Transaction>(
    sender: &mut dyn Sender<T>,
    message: Outgoing<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) -> Result<(), CloseReason> {
    let mut left = vec![message];
    while let Some(message) = left.pop() {
        match in_time(sender.feed(&message)).await? {
            Err(TransportError::Unsendable(error)) => {
                left.extend(substitutes(message.into_message()));
                // If the driver is gone, the report is not needed.
                let _ = incoming.send(Incoming::Unsendable { error: Arc::new(error) }).await;
            }
            fed => fed.map_err(lost)?,
        }
    }
    Ok(())
}

/// What to say in the place of a message that cannot be sent, last first: blocks one by one, as far as they can be, and
/// of the others that they are not here.
fn substitutes<T: Transaction>(message: Message<T>) -> Vec<Outgoing<T>> {
    let substitutes = match message {
        Message::Blocks(blocks) if blocks.len() > 1 => {
            blocks.into_iter().rev().map(|block| Message::Blocks(vec![block])).collect()
        }
        Message::Blocks(blocks) if !blocks.is_empty() => {
            vec![Message::NotFound { hashes: blocks.iter().map(|block| *block.hash()).collect() }]
        }
        Message::NewBlock(block) => vec![Message::Announce(*block.header())],
        Message::Transactions(transactions) if !transactions.is_empty() => {
            vec![Message::Transactions(Vec::new())]
        }
        _ => Vec::new(),
    };
    substitutes.into_iter().map(Outgoing::new).collect()
}

async fn in_time<R>(step: impl Future<Output = R>) -> Result<R, CloseReason> {
    timeout(WRITE_TIMEOUT, step).await.map_err(|_| CloseReason::WriteTimeout(WRITE_TIMEOUT))
}

fn lost(error: TransportError) -> CloseReason {
    CloseReason::Lost(Arc::new(error))
}

/// Hands every connection that peers open to the driver.
pub(super) async fn accept<T: Transaction>(
    mut listener: Box<dyn Listener<T>>,
    max_inbound: usize,
    incoming: mpsc::Sender<Incoming<T>>,
) -> TransportError {
    let places = max_inbound.saturating_add(SPARE_CONNECTIONS).min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places));
    loop {
        // The semaphore is never closed.
        let place = Arc::clone(&places).acquire_owned().await.ok();
        match listener.accept().await {
            Ok(connection) => {
                let address = connection.remote_addr().clone();
                let direction = Direction::Inbound;
                let opened = Incoming::Opened { direction, address, connection, place };
                // Where the driver is gone, this task is about to be aborted.
                let _ = incoming.send(opened).await;
            }
            Err(error) => return error,
        }
    }
}

pub(super) async fn dial<T: Transaction>(
    transport: Arc<dyn Transport<T>>,
    address: PeerAddr,
    reach: Reach,
    incoming: mpsc::Sender<Incoming<T>>,
) {
    let dialled = timeout(DIAL_TIMEOUT, transport.dial(&address, reach)).await.unwrap_or_else(|_| {
        Err(TransportError::Timeout { address: address.clone(), step: "dialling", after: DIAL_TIMEOUT })
    });
    let input = match dialled {
        Ok(connection) => {
            Incoming::Opened { direction: Direction::Outbound, address, connection, place: None }
        }
        Err(error) => Incoming::DialFailed { address, error: Arc::new(error) },
    };
    // The driver may be gone, and then nobody needs the connection.
    let _ = incoming.send(input).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::primitives::{Block, Header};

    /// Notes what is done with it.
    #[derive(Debug, Default)]
    struct Noting(Mutex<Vec<String>>);

    #[async_trait]
    impl Sender<String> for Noting {
        async fn feed(&mut self, message: &Outgoing<String>) -> Result<(), TransportError> {
            self.0.lock().unwrap().push(format!("{:?}", message.message()));
            Ok(())
        }

        async fn flush(&mut self) -> Result<(), TransportError> {
            self.0.lock().unwrap().push("flush".to_owned());
            Ok(())
        }

        async fn close(&mut self) {}
    }

    /// Cannot send the block at height 2.
    #[derive(Debug, Default)]
    struct Without2(Noting);

    #[async_trait]
    impl Sender<String> for Without2 {
        async fn feed(&mut self, message: &Outgoing<String>) -> Result<(), TransportError> {
            let blocks = match message.message() {
                Message::NewBlock(block) => core::slice::from_ref(block),
                Message::Blocks(blocks) => blocks,
                _ => &[],
            };
            if blocks.iter().any(|block| block.height() == 2) {
                return Err(TransportError::Unsendable(WireError::TooLarge { got: 2, limit: 1 }));
            }
            self.0.feed(message).await
        }

        async fn flush(&mut self) -> Result<(), TransportError> {
            self.0.flush().await
        }

        async fn close(&mut self) {}
    }

    /// Its peer is told what it can be, and that the rest is not here.
    #[tokio::test]
    async fn what_cannot_be_sent_is_replaced() {
        let block = |height| {
            let mut header = Header::from_bytes(&[0; Header::LEN]);
            header.height = height;
            Arc::new(Block::<String>::new(header, Vec::new()))
        };
        let (incoming, mut told) = mpsc::channel(9);
        let mut sender = Without2::default();
        let answer = Message::Blocks(vec![block(1), block(2), block(3)]);
        for message in [answer, Message::NewBlock(block(2)), Message::Ping(1)] {
            feed(&mut sender, Outgoing::new(message), &incoming).await.unwrap();
        }
        let expected = [
            Message::Blocks(vec![block(1)]),
            Message::NotFound { hashes: vec![*block(2).hash()] },
            Message::Blocks(vec![block(3)]),
            Message::Announce(*block(2).header()),
            Message::Ping(1),
        ];
        let noted = sender.0.0.into_inner().unwrap();
        assert_eq!(noted, expected.map(|message| format!("{message:?}")));
        assert!(matches!(told.try_recv(), Ok(Incoming::Unsendable { .. })));
    }

    #[tokio::test]
    async fn what_waits_is_flushed_once() {
        let (queue, messages) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(MAX_QUEUE));
        for number in 1..=3 {
            let taken = Arc::clone(&room).try_acquire_owned().unwrap();
            queue.send((Outgoing::new(Message::Ping(number)), taken)).unwrap();
        }
        drop(queue);
        let mut sender = Noting::default();
        write(&mut sender, messages, &mpsc::channel(1).0).await.unwrap();
        assert_eq!(sender.0.into_inner().unwrap(), ["Ping(1)", "Ping(2)", "Ping(3)", "flush"]);
        assert_eq!(room.available_permits(), MAX_QUEUE, "what is written takes up no room");
    }
}
