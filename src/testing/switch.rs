//! Fault injection between a node and its transport: a switch that cuts the node off.

use core::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::protocol::Reach;
use crate::transport::{Connection, Listener, Outgoing, Receiver, Sender, Transport, TransportError};
use crate::{Message, PeerAddr, Transaction};

/// A transport that can be cut off from its network and reconnected, to test how a node handles a partition.
/// A switch wraps any transport and simulates nothing: connections really end, and the other side sees what
/// it would see if the machine had died.
///
/// [`cut`](Self::cut) ends every open connection, makes dials fail with [`TransportError::Cut`], and drops
/// incoming connections at once. The listener keeps its address. [`heal`](Self::heal) permits new
/// connections; the old ones stay closed, and the node has to dial again.
///
/// Clones share the switch: keep one and pass the other to the node.
#[derive(Debug)]
pub struct Switch<T = String> {
    inner: Arc<dyn Transport<T>>,
    wiring: Arc<Wiring>,
}

impl<T: Transaction> Switch<T> {
    /// A switch in front of `transport` that is not cut.
    pub fn new(transport: impl Transport<T>) -> Self {
        Self::over(Arc::new(transport))
    }

    /// A switch in front of a transport that is shared or was chosen at run time.
    pub fn over(transport: Arc<dyn Transport<T>>) -> Self {
        Self { inner: transport, wiring: Arc::default() }
    }

    /// Ends every connection of the switch, and permits no new one.
    pub fn cut(&self) {
        let mut wires = self.wiring.lock();
        wires.is_cut = true;
        self.wiring.cuts.send_modify(|count| *count += 1);
        for end in wires.open.drain(..).filter_map(|end| end.upgrade()) {
            end.cut();
        }
    }

    /// Permits new connections.
    pub fn heal(&self) {
        self.wiring.lock().is_cut = false;
    }

    /// Whether the node is cut off.
    pub fn is_cut(&self) -> bool {
        self.wiring.lock().is_cut
    }
}

impl<T> Clone for Switch<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), wiring: Arc::clone(&self.wiring) }
    }
}

#[async_trait]
impl<T: Transaction> Transport<T> for Switch<T> {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        self.inner.check_address(address)
    }

    fn check_message(&self, message: &Outgoing<T>) -> Result<(), TransportError> {
        self.inner.check_message(message)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<T>>, TransportError> {
        let inner = self.inner.listen(address).await?;
        Ok(Box::new(SwitchListener { inner, wiring: Arc::clone(&self.wiring) }))
    }

    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection<T>>, TransportError> {
        let mut cuts = self.wiring.watch()?;
        let connection = tokio::select! {
            biased;
            _ = cuts.changed() => return Err(TransportError::Cut),
            dialled = self.inner.dial(address, reach) => dialled?,
        };
        self.wiring.join(connection, &cuts)
    }
}

/// The state that clones, listeners and connections share.
#[derive(Debug, Default)]
struct Wiring {
    wires: Mutex<Wires>,
    /// How many times the switch was cut.
    cuts: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Wires {
    is_cut: bool,
    /// The halves of the open connections. Some entries may be dead since the last connection was added.
    open: Vec<Weak<dyn Cut>>,
}

impl Wiring {
    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to the cuts after this call.
    fn watch(&self) -> Result<watch::Receiver<u64>, TransportError> {
        let wires = self.lock();
        if wires.is_cut { Err(TransportError::Cut) } else { Ok(self.cuts.subscribe()) }
    }

    /// Registers a new connection with the switch, unless the switch was cut since `cuts` was subscribed.
    fn join<T: Transaction>(
        &self,
        connection: Box<dyn Connection<T>>,
        cuts: &watch::Receiver<u64>,
    ) -> Result<Box<dyn Connection<T>>, TransportError> {
        let (remote, format) = (connection.remote_addr().clone(), connection.format());
        let (sender, receiver) = connection.split();
        let (sender, receiver) = (Arc::new(Slot::new(sender)), Arc::new(Slot::new(receiver)));
        let mut wires = self.lock();
        if cuts.has_changed().unwrap_or(true) {
            return Err(TransportError::Cut);
        }
        wires.open.retain(|end| end.strong_count() > 0);
        let ends: [Arc<dyn Cut>; 2] = [sender.clone(), receiver.clone()];
        wires.open.extend(ends.iter().map(Arc::downgrade));
        Ok(Box::new(SwitchConnection { remote, format, sender, receiver }))
    }
}

#[derive(Debug)]
struct SwitchListener<T> {
    inner: Box<dyn Listener<T>>,
    wiring: Arc<Wiring>,
}

#[async_trait]
impl<T: Transaction> Listener<T> for SwitchListener<T> {
    fn local_addr(&self) -> &PeerAddr {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection<T>>, TransportError> {
        loop {
            let connection = self.inner.accept().await?;
            let joined = self.wiring.watch().and_then(|cuts| self.wiring.join(connection, &cuts));
            if joined.is_ok() {
                return joined;
            }
        }
    }
}

#[derive(Debug)]
struct SwitchConnection<T> {
    remote: PeerAddr,
    format: &'static str,
    sender: Arc<Slot<dyn Sender<T>>>,
    receiver: Arc<Slot<dyn Receiver<T>>>,
}

impl<T: Transaction> Connection<T> for SwitchConnection<T> {
    fn remote_addr(&self) -> &PeerAddr {
        &self.remote
    }

    fn format(&self) -> &'static str {
        self.format
    }

    fn split(self: Box<Self>) -> (Box<dyn Sender<T>>, Box<dyn Receiver<T>>) {
        (Box::new(SwitchHalf(self.sender)), Box::new(SwitchHalf(self.receiver)))
    }
}

#[derive(Debug)]
struct SwitchHalf<H: ?Sized>(Arc<Slot<H>>);

#[async_trait]
impl<T: Transaction> Sender<T> for SwitchHalf<dyn Sender<T>> {
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let mut lease = self.0.lease();
        self.0.unless_cut(lease.half()?.feed(message)).await?
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        let mut lease = self.0.lease();
        self.0.unless_cut(lease.half()?.flush()).await?
    }

    async fn close(&mut self) {
        let mut lease = self.0.lease();
        if let Ok(half) = lease.half() {
            // The connection ends in any case, whether the switch was cut or the half was closed.
            let _ = self.0.unless_cut(half.close()).await;
        }
    }

    fn sent_bytes(&self) -> u64 {
        self.0.lock().as_ref().map_or(0, |half| half.sent_bytes())
    }
}

#[async_trait]
impl<T: Transaction> Receiver<T> for SwitchHalf<dyn Receiver<T>> {
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError> {
        let mut lease = self.0.lease();
        self.0.unless_cut(lease.half()?.recv()).await?
    }

    fn received_bytes(&self) -> u64 {
        self.0.lock().as_ref().map_or(0, |half| half.received_bytes())
    }
}

/// An object that the switch can end.
trait Cut: Debug + Send + Sync {
    fn cut(&self);
}

/// Holds one half of a connection. A cut drops an idle half from its slot; a half in use is out on a
/// [`Lease`], and the cut wakes the operation that uses it.
#[derive(Debug)]
struct Slot<H: ?Sized> {
    half: Mutex<Option<Box<H>>>,
    is_cut: watch::Sender<bool>,
}

impl<H: ?Sized> Slot<H> {
    fn new(half: Box<H>) -> Self {
        Self { half: Mutex::new(Some(half)), is_cut: watch::Sender::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<H>>> {
        self.half.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> Lease<'_, H> {
        Lease { half: self.lock().take(), slot: self }
    }

    async fn unless_cut<R>(&self, operation: impl Future<Output = R>) -> Result<R, TransportError> {
        let mut is_cut = self.is_cut.subscribe();
        tokio::select! {
            biased;
            _ = is_cut.wait_for(|is_cut| *is_cut) => Err(TransportError::Cut),
            result = operation => Ok(result),
        }
    }
}

impl<H: ?Sized + Debug + Send> Cut for Slot<H> {
    fn cut(&self) {
        // The flag is set first, so that a lease that ends in between does not put its half back.
        self.is_cut.send_replace(true);
        self.lock().take();
    }
}

/// Takes the half out of its slot for one operation, and puts it back even if the operation is cancelled.
struct Lease<'a, H: ?Sized> {
    half: Option<Box<H>>,
    slot: &'a Slot<H>,
}

impl<H: ?Sized> Lease<'_, H> {
    fn half(&mut self) -> Result<&mut H, TransportError> {
        self.half.as_deref_mut().ok_or(TransportError::Cut)
    }
}

impl<H: ?Sized> Drop for Lease<'_, H> {
    fn drop(&mut self) {
        let mut place = self.slot.lock();
        if !*self.slot.is_cut.borrow() {
            *place = self.half.take();
        }
    }
}
