//! The halves of a connection, with the messages that pass them counted by kind.

use std::sync::Arc;

use async_trait::async_trait;

use crate::node::counts::Counts;
use crate::primitives::Transaction;
use crate::protocol::{Message, MessageKind};
use crate::transport::{Outgoing, Receiver, Sender, TransportError};

type Halves<T> = (Box<dyn Sender<T>>, Box<dyn Receiver<T>>);

/// Counts what passes the halves of a connection.
pub(super) fn counted<T: Transaction>((sender, receiver): Halves<T>, counts: &Arc<Counts>) -> Halves<T> {
    let sender = Counted { half: sender, counts: Arc::clone(counts) };
    let receiver = Counted { half: receiver, counts: Arc::clone(counts) };
    (Box::new(sender), Box::new(receiver))
}

/// A half of a connection that is counted.
#[derive(Debug)]
struct Counted<H: ?Sized> {
    half: Box<H>,
    counts: Arc<Counts>,
}

#[async_trait]
impl<T: Transaction> Sender<T> for Counted<dyn Sender<T>> {
    async fn feed(&mut self, message: &Outgoing<T>) -> Result<(), TransportError> {
        let before = self.half.sent_bytes();
        self.half.feed(message).await?;
        let bytes = self.half.sent_bytes().saturating_sub(before);
        self.counts.on_sent(MessageKind::from(message.message()), bytes);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        self.half.flush().await
    }

    async fn close(&mut self) {
        self.half.close().await;
    }

    fn sent_bytes(&self) -> u64 {
        self.half.sent_bytes()
    }
}

#[async_trait]
impl<T: Transaction> Receiver<T> for Counted<dyn Receiver<T>> {
    async fn recv(&mut self) -> Result<Option<Message<T>>, TransportError> {
        let before = self.half.received_bytes();
        let received = self.half.recv().await?;
        if let Some(message) = &received {
            let bytes = self.half.received_bytes().saturating_sub(before);
            self.counts.on_received(MessageKind::from(message), bytes);
        }
        Ok(received)
    }

    fn received_bytes(&self) -> u64 {
        self.half.received_bytes()
    }
}
