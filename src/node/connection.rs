//! The tasks of a connection, and the tasks that accept and dial. Each task ends by itself; the driver never
//! waits for one.

#[cfg(feature = "metrics")]
mod counted;
mod queue;

use core::convert::Infallible;
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::inbox::{Inbox, Waiting};
use super::incoming::Incoming;
use super::shared::Shared;
use crate::primitives::application;
use crate::primitives::{Hash, Transaction, transaction_id};
use crate::protocol::{CloseReason, Direction, Input, Message, PeerAddr, PeerId, Reach};
use crate::transport::{Connection, Listener, Outgoing, Receiver, Transport, TransportError};
use crate::wire::WireError;
pub(super) use queue::{MAX_QUEUE_BYTES, Queued};
use queue::{Queue, write};

/// How long a dial may take, with any transport.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a goodbye may take, including everything that is queued before it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Inbound connections beyond those that the protocol admits: new ones that are about to be refused, and old
/// ones that are being closed. If all are in use, no further connection is accepted until one of them ends.
const SPARE_CONNECTIONS: usize = 16;

/// The driver's end of a connection. Dropping it sends what is queued, as far as the peer reads it in time,
/// then says goodbye and closes the connection.
#[derive(Debug)]
pub(super) struct PeerSender<T> {
    queue: Queue<T>,
    task: AbortHandle,
    /// Dropped with the `PeerSender`, which signals the task to close.
    _open: oneshot::Sender<Infallible>,
}

impl<T: Transaction> PeerSender<T> {
    /// Queues a message without waiting. Returns whether it fits into the queue.
    pub(super) fn send(&self, item: Queued<T>) -> bool {
        self.queue.push(item)
    }

    /// Whether this is the task of the connection.
    pub(super) fn is_of(&self, task: tokio::task::Id) -> bool {
        self.task.id() == task
    }

    /// Ends the connection at once, without a goodbye.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

/// Starts the task of a connection. The task drops `place` when it ends.
pub(super) fn open<T: Transaction>(
    peer: PeerId,
    connection: Box<dyn Connection<T>>,
    place: Option<OwnedSemaphorePermit>,
    transport: Option<Arc<dyn Transport<T>>>,
    shared: &Arc<Shared<T>>,
    incoming: &mpsc::Sender<Incoming<T>>,
    tasks: &mut JoinSet<()>,
) -> PeerSender<T> {
    let (queue, queued) = Queue::new();
    let (open, dropped) = oneshot::channel();
    let (shared, incoming) = (Arc::clone(shared), incoming.clone());
    let task = tasks.spawn(async move {
        talk(peer, connection, transport.as_deref(), queued, dropped, &shared, &incoming).await;
        drop(place);
    });
    PeerSender { queue, task, _open: open }
}

/// Runs both directions in one task, so that neither outlives the other.
async fn talk<T: Transaction>(
    peer: PeerId,
    connection: Box<dyn Connection<T>>,
    transport: Option<&dyn Transport<T>>,
    queued: queue::Receiver<T>,
    dropped: oneshot::Receiver<Infallible>,
    shared: &Shared<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) {
    let halves = connection.split();
    #[cfg(feature = "metrics")]
    let halves = counted::counted(halves, &shared.counts);
    let (mut sender, receiver) = halves;
    let mut writing = pin!(async {
        write(sender.as_mut(), queued, shared, incoming).await?;
        sender.close().await;
        Ok(())
    });
    // In a fixed order, so that a simulation is repeatable.
    let written = tokio::select! {
        biased;
        written = &mut writing => Some(written),
        // After the `PeerSender` is dropped, nothing more is read.
        _ = dropped => None,
        () = read(peer, receiver, transport, shared, incoming) => None,
    };
    match written {
        Some(Ok(())) => {}
        Some(Err(reason)) => {
            // If the driver is gone, the report is not needed.
            let _ = incoming.send(Incoming::Input(Input::Disconnected { peer, reason })).await;
        }
        None => {
            // A peer that does not read in time loses only the goodbye.
            let _ = timeout(CLOSE_TIMEOUT, writing).await;
        }
    }
}

/// Reads the messages of a peer, as far as its [`Inbox`] has room, so that a peer that sends fast is slowed down.
/// Reports the end of the connection, and then waits until the driver drops the [`PeerSender`], because there
/// may still be messages to write.
async fn read<T: Transaction>(
    peer: PeerId,
    mut receiver: Box<dyn Receiver<T>>,
    transport: Option<&dyn Transport<T>>,
    shared: &Shared<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) {
    // The capacity of `incoming` is no limit for a single peer: one peer could fill all of it.
    let inbox = Arc::new(Inbox::new());
    loop {
        inbox.has_room().await;
        let event = match receiver.recv().await {
            Ok(Some(mut message)) => {
                message.digest_ahead();
                // A synchronisation usually has nothing to compare, and the driver holds the lock during each commit.
                if message.has_blocks() && shared.has_pending.load(Ordering::Relaxed) {
                    shared.with_read(false, |protocol| message.adopt(protocol.mempool()));
                }
                check_ahead(&message, &shared.genesis).await;
                let Some(next) = inbox.join(relayable(peer, message, transport)) else { continue };
                inbox.put(next).await;
                Incoming::Received(Arc::clone(&inbox))
            }
            Ok(None) => Incoming::Input(Input::Disconnected { peer, reason: CloseReason::Ended }),
            Err(error) => Incoming::Input(unreadable(peer, error)),
        };
        let goes_on = matches!(event, Incoming::Received(_));
        if incoming.send(event).await.is_err() || !goes_on {
            break;
        }
    }
    core::future::pending::<()>().await;
}

/// Lets the transactions of a message check themselves, so that the driver finds their verdicts. Ends at the first that
/// is refused, which the driver refuses again, with the name of the rule. Signatures take tens of microseconds each, so
/// the other tasks of the thread have turns meanwhile.
async fn check_ahead<T: Transaction>(message: &Message<T>, genesis: &Hash) {
    for transaction in message.checked_ahead() {
        if application::check(transaction, genesis).is_err() {
            break;
        }
        consume_budget().await;
    }
}

/// Says whose fault it is that a message cannot be read.
fn unreadable<T>(peer: PeerId, error: TransportError) -> Input<T> {
    match error {
        // A valid message that this format cannot read for the application's type.
        TransportError::Malformed(error @ WireError::UnsupportedType { .. }) => {
            Input::Disconnected { peer, reason: CloseReason::Unreadable(Arc::new(error)) }
        }
        TransportError::Malformed(error) => Input::Malformed { peer, error: Arc::new(error) },
        TransportError::Violation(error) => Input::Malformed { peer, error: error.into() },
        error => Input::Disconnected { peer, reason: CloseReason::Lost(Arc::new(error)) },
    }
}

/// Splits off the transactions of a message that this node could not relay to its other peers.
fn relayable<T: Transaction>(
    peer: PeerId,
    message: Message<T>,
    transport: Option<&dyn Transport<T>>,
) -> Waiting<T> {
    let (Message::Transactions(_), Some(transport)) = (&message, transport) else {
        return Waiting::new(peer, message);
    };
    let message = Outgoing::new(message);
    let is_fine = transport.check_message(&message).is_ok();
    let transactions = match message.into_message() {
        Message::Transactions(transactions) if !is_fine => transactions,
        message => return Waiting::new(peer, message),
    };
    let mut unsendable = Vec::new();
    let mut sendable = Vec::new();
    for transaction in transactions {
        let checked =
            transport.check_message(&Outgoing::new(Message::Transactions(vec![transaction.clone()])));
        match (checked, transaction_id(&transaction)) {
            (Err(error), Ok(id)) => unsendable.push((id, Arc::new(error))),
            // The protocol refuses a transaction without an id.
            _ => sendable.push(transaction),
        }
    }
    Waiting { unsendable, ..Waiting::new(peer, Message::Transactions(sendable)) }
}

/// Accepts connections and passes them to the driver.
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
                // An error means that the driver has ended, and that this task is about to be aborted.
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
        Err(error) => Incoming::Input(Input::DialFailed { address, error: Arc::new(error) }),
    };
    // If the driver has ended, the connection is not needed.
    let _ = incoming.send(input).await;
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use async_trait::async_trait;

    use super::queue::tests::shared;
    use super::*;
    use crate::{Blockchain, ChainSpec};

    /// Receives these messages.
    #[derive(Debug)]
    struct Sent(VecDeque<Message>);

    #[async_trait]
    impl Receiver<String> for Sent {
        async fn recv(&mut self) -> Result<Option<Message>, TransportError> {
            Ok(self.0.pop_front())
        }
    }

    /// Only blocks are compared with the mempool. A message without them reaches the driver's queue while the driver
    /// imports what came before.
    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "nothing else runs on this thread")]
    async fn a_message_without_blocks_waits_for_no_lock() {
        let shared = shared(Blockchain::new(ChainSpec::builder("test").build().unwrap()));
        let (incoming, mut told) = mpsc::channel(1);
        let _importing = shared.write();
        let receiver = Box::new(Sent([Message::Ping(1)].into()));
        tokio::select! {
            () = read(PeerId(1), receiver, None, &shared, &incoming) => panic!("ended"),
            told = told.recv() => {
                let Some(Incoming::Received(inbox)) = &told else { panic!("{told:?}") };
                let waiting = inbox.take().unwrap();
                assert!(matches!(waiting.input, Input::Received { message: Message::Ping(1), .. }), "{waiting:?}");
            }
        }
    }
}
