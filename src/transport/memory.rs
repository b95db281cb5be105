//! Connections inside one process. Messages move as values, without a wire format.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::error::{AddressProblem, TransportError};
use super::outgoing::Outgoing;
use super::{Connection, Listener, Receiver, Sender, Transport};
use crate::primitives::Transaction;
use crate::protocol::{Message, PeerAddr, Reach};

/// A private network inside the process: nodes that hold clones of one `Memory` can reach each other, under
/// addresses such as `memory://alice`. Listening at plain `memory://` picks a free address.
///
/// For tests, and for several nodes in one program. A dial waits while the listener's backlog is full, so set
/// a timeout if the other end may be stuck.
#[derive(Debug)]
pub struct Memory<T = String>(Arc<Mutex<Hub<T>>>);

impl<T: Transaction> Memory<T> {
    /// A network without listeners.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Hub { listeners: BTreeMap::new(), next_address: 1 })))
    }

    fn hub(&self) -> MutexGuard<'_, Hub<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Transaction> Default for Memory<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The scheme of this transport's addresses.
const SCHEME: &str = "memory://";

/// The capacity of each direction of a connection, in messages.
const QUEUED_MESSAGES: usize = 64;

/// How many connections may be waiting for a listener to accept them.
const BACKLOG: usize = 16;

#[async_trait]
impl<T: Transaction> Transport<T> for Memory<T> {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        name(address).map(drop)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError> {
        let name = name(address)?;
        let mut hub = self.hub();
        let address = if name.is_empty() { hub.fresh_address() } else { address.clone() };
        if hub.listeners.contains_key(&address) {
            return Err(TransportError::AddressInUse { address });
        }
        let (sender, incoming) = mpsc::channel(BACKLOG);
        hub.listeners.insert(address.clone(), sender);
        drop(hub);
        Ok(Box::new(MemoryListener { address, incoming, network: self.clone() }))
    }

    async fn dial(&self, address: &PeerAddr, _: Reach) -> Result<Box<dyn Connection<T>>, TransportError> {
        name(address)?;
        let nobody = || TransportError::NobodyListens { address: address.clone() };
        let (listener, local) = {
            let mut hub = self.hub();
            let listener = hub.listeners.get(address).cloned().ok_or_else(nobody)?;
            (listener, hub.fresh_address())
        };
        let (our_end, their_end) = connect(local, address.clone());
        listener.send(their_end).await.map_err(|_| nobody())?;
        Ok(Box::new(our_end))
    }
}

/// The listeners of a network.
#[derive(Debug)]
struct Hub<T> {
    listeners: BTreeMap<PeerAddr, mpsc::Sender<MemoryConnection<T>>>,
    next_address: u64,
}

impl<T> Hub<T> {
    /// An address without a listener. No address is returned twice.
    #[expect(clippy::expect_used, reason = "the scheme and a number are printable and short")]
    fn fresh_address(&mut self) -> PeerAddr {
        loop {
            let address = format!("{SCHEME}{}", self.next_address).parse().expect("a valid address");
            self.next_address += 1;
            if !self.listeners.contains_key(&address) {
                return address;
            }
        }
    }
}

/// The part of an address after the scheme.
fn name(address: &PeerAddr) -> Result<&str, TransportError> {
    address.as_str().strip_prefix(SCHEME).ok_or_else(|| TransportError::BadAddress {
        address: address.clone(),
        problem: AddressProblem::Scheme { expected: SCHEME },
    })
}

#[derive(Debug)]
struct MemoryListener<T: Transaction> {
    address: PeerAddr,
    incoming: mpsc::Receiver<MemoryConnection<T>>,
    network: Memory<T>,
}

#[async_trait]
impl<T: Transaction> Listener<T> for MemoryListener<T> {
    fn local_addr(&self) -> &PeerAddr {
        &self.address
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError> {
        // The hub holds a sender while this listener exists, so the channel is not closed.
        let connection = self.incoming.recv().await.ok_or(TransportError::Closed)?;
        Ok(Box::new(connection))
    }
}

impl<T: Transaction> Drop for MemoryListener<T> {
    fn drop(&mut self) {
        self.network.hub().listeners.remove(&self.address);
    }
}

/// Both ends of a new connection: the one at `left`, then the one at `right`.
fn connect<T>(left: PeerAddr, right: PeerAddr) -> (MemoryConnection<T>, MemoryConnection<T>) {
    let (to_right, from_left) = mpsc::channel(QUEUED_MESSAGES);
    let (to_left, from_right) = mpsc::channel(QUEUED_MESSAGES);
    let (close_left, left_closed) = watch::channel(false);
    let (close_right, right_closed) = watch::channel(false);
    let left_end = MemoryConnection {
        remote: right,
        sender: MemorySender { outgoing: Some(to_right), close: close_left },
        receiver: MemoryReceiver {
            incoming: from_right,
            closed: left_closed.clone(),
            peer_closed: right_closed.clone(),
        },
    };
    let right_end = MemoryConnection {
        remote: left,
        sender: MemorySender { outgoing: Some(to_left), close: close_right },
        receiver: MemoryReceiver { incoming: from_left, closed: right_closed, peer_closed: left_closed },
    };
    (left_end, right_end)
}

#[derive(Debug)]
struct MemoryConnection<T> {
    remote: PeerAddr,
    sender: MemorySender<T>,
    receiver: MemoryReceiver<T>,
}

impl<T: Transaction> Connection<T> for MemoryConnection<T> {
    fn remote_addr(&self) -> &PeerAddr {
        &self.remote
    }

    fn split(self: Box<Self>) -> (Box<dyn Sender<T>>, Box<dyn Receiver<T>>) {
        (Box::new(self.sender), Box::new(self.receiver))
    }
}

#[derive(Debug)]
struct MemorySender<T> {
    /// `None` after a close.
    outgoing: Option<mpsc::Sender<Outgoing<T>>>,
    close: watch::Sender<bool>,
}

#[async_trait]
impl<T: Transaction> Sender<T> for MemorySender<T> {
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let outgoing = self.outgoing.as_ref().ok_or(TransportError::Closed)?;
        outgoing.send(message.clone()).await.map_err(|_| TransportError::Closed)
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        if self.outgoing.is_some() { Ok(()) } else { Err(TransportError::Closed) }
    }

    async fn close(&mut self) {
        // In this order, so that a receiver that sees the end of the queue also sees that the connection was
        // closed.
        self.close.send_replace(true);
        self.outgoing = None;
    }
}

#[derive(Debug)]
struct MemoryReceiver<T> {
    incoming: mpsc::Receiver<Outgoing<T>>,
    /// Whether this side has closed the connection.
    closed: watch::Receiver<bool>,
    /// Whether the other side has closed the connection.
    peer_closed: watch::Receiver<bool>,
}

#[async_trait]
impl<T: Transaction> Receiver<T> for MemoryReceiver<T> {
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError> {
        let received = tokio::select! {
            biased;
            Ok(_) = self.closed.wait_for(|closed| *closed) => return Ok(None),
            received = self.incoming.recv() => received,
        };
        match received {
            Some(message) => Ok(Some(message.into_message())),
            None if *self.peer_closed.borrow() => Ok(None),
            None => Err(TransportError::Vanished),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_another_transport_is_refused() {
        let address = "ws://localhost:5001".parse().unwrap();
        let error = Memory::<String>::new().dial(&address, Reach::ANY).await.unwrap_err();
        assert_eq!(error.to_string(), "bad address ws://localhost:5001: expected it to begin with memory://");
    }

    #[tokio::test]
    async fn fresh_addresses_keep_clear_of_taken_ones() {
        let network = Memory::<String>::new();
        let taken = network.listen(&"memory://1".parse().unwrap()).await.unwrap();
        let fresh = network.listen(&"memory://".parse().unwrap()).await.unwrap();
        assert_eq!(taken.local_addr().as_str(), "memory://1");
        assert_eq!(fresh.local_addr().as_str(), "memory://2");
    }

    #[tokio::test]
    async fn networks_do_not_see_each_other() {
        let address = "memory://alice".parse().unwrap();
        let _listener = Memory::<String>::new().listen(&address).await.unwrap();
        let error = Memory::<String>::new().dial(&address, Reach::ANY).await.unwrap_err();
        assert!(matches!(error, TransportError::NobodyListens { .. }), "{error}");
    }
}
