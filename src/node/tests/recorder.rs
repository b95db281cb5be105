//! Records what nodes receive: every message of a peer with its time. A transport that wraps another one.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::primitives::Hash;
use crate::protocol::{Message, PeerAddr, Reach};
use crate::transport::{Connection, Listener, Receiver, Sender, Transport, TransportError};

/// The record of a run, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(pub(super) Vec<String>);

impl Seen {
    pub(super) fn hash(&self) -> Hash {
        Hash::from_bytes(Sha256::digest(self.0.concat()).into())
    }

    /// The number of the first line in which two records differ, with both lines.
    pub(super) fn first_difference<'a>(
        &'a self,
        other: &'a Self,
    ) -> Option<(usize, [Option<&'a String>; 2])> {
        let lines = 0..self.0.len().max(other.0.len());
        lines.map(|line| (line, [self.0.get(line), other.0.get(line)])).find(|(_, [one, other])| one != other)
    }
}

/// Adds the lines of one host to the record of all hosts.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    host: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    pub(super) const fn new(host: usize, seen: Arc<Mutex<Seen>>) -> Self {
        Self { host, seen }
    }

    pub(super) fn note(&self, what: &dyn core::fmt::Debug) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        let line = format!("{} {} {what:?}\n", at.as_micros(), self.host);
        self.seen.lock().unwrap().0.push(line);
    }
}

/// A transport whose messages are recorded as they are received.
#[derive(Debug)]
pub(super) struct Recorded<R> {
    pub(super) inner: R,
    pub(super) recorder: Recorder,
}

impl Recorded<Box<dyn Connection>> {
    fn boxed(inner: Box<dyn Connection>, recorder: &Recorder) -> Box<dyn Connection> {
        recorder.note(&inner.remote_addr());
        Box::new(Self { inner, recorder: recorder.clone() })
    }
}

#[async_trait]
impl<W: Transport> Transport for Recorded<W> {
    fn check_address(&self, address: &PeerAddr) -> Result<(), TransportError> {
        self.inner.check_address(address)
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener>, TransportError> {
        let inner = self.inner.listen(address).await?;
        Ok(Box::new(Recorded { inner, recorder: self.recorder.clone() }))
    }

    async fn dial(&self, address: &PeerAddr, reach: Reach) -> Result<Box<dyn Connection>, TransportError> {
        let dialled = self.inner.dial(address, reach).await;
        dialled
            .inspect_err(|error| self.recorder.note(error))
            .map(|connection| Recorded::boxed(connection, &self.recorder))
    }
}

#[async_trait]
impl Listener for Recorded<Box<dyn Listener>> {
    fn local_addr(&self) -> &PeerAddr {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection>, TransportError> {
        let connection = self.inner.accept().await?;
        Ok(Recorded::boxed(connection, &self.recorder))
    }
}

impl Connection for Recorded<Box<dyn Connection>> {
    fn remote_addr(&self) -> &PeerAddr {
        self.inner.remote_addr()
    }

    fn format(&self) -> &'static str {
        self.inner.format()
    }

    fn split(self: Box<Self>) -> (Box<dyn Sender>, Box<dyn Receiver>) {
        let (sender, inner) = self.inner.split();
        (sender, Box::new(Recorded { inner, recorder: self.recorder }))
    }
}

#[async_trait]
impl Receiver for Recorded<Box<dyn Receiver>> {
    async fn recv(&mut self) -> Result<Option<Message>, TransportError> {
        let received = self.inner.recv().await;
        self.recorder.note(&received);
        received
    }
}
