//! The messages of a peer on their way to the driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::primitives::{Hash, Transaction};
use crate::protocol::{Input, Message, PeerId};
use crate::transport::TransportError;

/// The memory, in bytes, of waiting blocks above which no further message is read.
const MAX_WAITING_BYTES: usize = 256 << 10;

/// What a message counts in addition to its blocks, so that messages without blocks are limited, too.
const OVERHEAD: usize = 1 << 10;

/// What was read from a peer and waits for the driver: one message, or the blocks of several small ones. The driver then
/// imports them together, so that a store on a disk makes them durable in one commit. The longer a commit takes, the
/// more blocks arrive for the next one.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    waiting: Mutex<Option<Waiting<T>>>,
    /// Notified when the driver has taken what waited.
    taken: Notify,
}

/// The id of a transaction, and the reason why it cannot be sent.
pub(super) type Unsendable = (Hash, Arc<TransportError>);

/// What a peer has sent, without the transactions that no other peer could be sent, and those.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    /// [`Input::ReceivedBlocks`] if it is blocks, else [`Input::Received`].
    pub(super) input: Input<T>,
    pub(super) unsendable: Vec<Unsendable>,
}

impl<T: Transaction> Inbox<T> {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::new(None), taken: Notify::new() }
    }

    /// Waits until another message may be read: nothing waits, or few blocks. So at most two messages of a peer and
    /// [`MAX_WAITING_BYTES`] are in memory: what the driver handles, what waits, and the message that is read.
    pub(super) async fn has_room(&self) {
        while !self.waiting().as_ref().is_none_or(Waiting::has_room) {
            self.taken.notified().await;
        }
    }

    /// Adds blocks to those that wait. Returns what does not belong to them.
    pub(super) fn join(&self, mut next: Waiting<T>) -> Option<Waiting<T>> {
        if let Some(Waiting { input: Input::ReceivedBlocks { messages, .. }, .. }) = &mut *self.waiting()
            && let Input::ReceivedBlocks { messages: more, .. } = &mut next.input
        {
            messages.append(more);
            return None;
        }
        Some(next)
    }

    /// Waits until the driver has taken what was there before.
    pub(super) async fn put(&self, next: Waiting<T>) {
        while self.waiting().is_some() {
            self.taken.notified().await;
        }
        *self.waiting() = Some(next);
    }

    /// Takes what waits, which lets the connection read on.
    pub(super) fn take(&self) -> Option<Waiting<T>> {
        let taken = self.waiting().take();
        self.taken.notify_one();
        taken
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Transaction> Waiting<T> {
    /// A message all of which can be relayed.
    pub(super) fn new(peer: PeerId, message: Message<T>) -> Self {
        let input = match message {
            Message::Blocks(blocks) => Input::ReceivedBlocks { peer, messages: vec![blocks] },
            message => Input::Received { peer, message },
        };
        Self { input, unsendable: Vec::new() }
    }

    fn has_room(&self) -> bool {
        let Input::ReceivedBlocks { messages, .. } = &self.input else { return false };
        let blocks = messages.iter().flatten().map(|block| block.memory_size());
        OVERHEAD * messages.len() + blocks.sum::<usize>() < MAX_WAITING_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::{Block, Header};

    const PEER: PeerId = PeerId(1);

    /// A message with one block, whose text has so many bytes.
    fn block(number: u64, bytes: usize) -> Message {
        let mut header = Header::from_bytes(&[0; Header::LEN]);
        header.height = number;
        Message::Blocks(vec![Arc::new(Block::new(header, vec!["x".repeat(bytes)]))])
    }

    /// The heights of the blocks of each message that the driver gets.
    fn taken(inbox: &Inbox<String>) -> Vec<Vec<u64>> {
        match inbox.take().unwrap().input {
            Input::ReceivedBlocks { peer: PEER, messages } => {
                messages.iter().map(|blocks| blocks.iter().map(|block| block.height()).collect()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn blocks_that_wait_are_taken_together_and_other_messages_alone() {
        let inbox = Inbox::new();
        inbox.put(Waiting::new(PEER, block(1, 9))).await;
        assert!(inbox.join(Waiting::new(PEER, block(2, 9))).is_none());
        let ping = inbox.join(Waiting::new(PEER, Message::Ping(3))).expect("a ping is no block");
        assert_eq!(taken(&inbox), [[1], [2]]);
        inbox.put(ping).await;
        let block = inbox.join(Waiting::new(PEER, block(4, 9))).expect("blocks do not overtake a ping");
        assert!(matches!(
            inbox.take().unwrap().input,
            Input::Received { peer: PEER, message: Message::Ping(3) }
        ));
        inbox.put(block).await;
        assert_eq!(taken(&inbox), [[4]]);
        assert!(inbox.take().is_none());
    }

    /// Nothing is read while something other than blocks waits, or many blocks.
    #[tokio::test]
    async fn what_waits_is_bounded_in_memory() {
        let full = async |inbox: &Inbox<String>| {
            tokio::select! { biased; () = inbox.has_room() => false, () = core::future::ready(()) => true }
        };
        let inbox = Inbox::new();
        assert!(!full(&inbox).await);
        inbox.put(Waiting::new(PEER, Message::Ping(1))).await;
        assert!(full(&inbox).await);
        assert!(inbox.take().is_some() && !full(&inbox).await);
        inbox.put(Waiting::new(PEER, block(1, MAX_WAITING_BYTES / 2))).await;
        assert!(!full(&inbox).await);
        assert!(inbox.join(Waiting::new(PEER, block(2, MAX_WAITING_BYTES / 2))).is_none());
        assert!(full(&inbox).await);
        assert_eq!(taken(&inbox), [[1], [2]]);
        assert!(!full(&inbox).await);
    }

    /// Messages without blocks break a rule, but the driver sees that only after what it is doing.
    #[tokio::test]
    async fn messages_without_blocks_are_limited() {
        let inbox = Inbox::<String>::new();
        inbox.put(Waiting::new(PEER, Message::Blocks(Vec::new()))).await;
        let mut messages = 1;
        while inbox.waiting().as_ref().unwrap().has_room() {
            assert!(inbox.join(Waiting::new(PEER, Message::Blocks(Vec::new()))).is_none());
            messages += 1;
        }
        assert_eq!(messages, MAX_WAITING_BYTES / OVERHEAD);
    }

    /// A reader that waits goes on when the driver takes what was there.
    #[tokio::test]
    async fn a_message_waits_until_the_one_before_is_taken() {
        let inbox = Arc::new(Inbox::<String>::new());
        inbox.put(Waiting::new(PEER, Message::Ping(1))).await;
        let reader = Arc::clone(&inbox);
        let reading = tokio::spawn(async move { reader.put(Waiting::new(PEER, block(2, 9))).await });
        tokio::task::yield_now().await;
        assert!(matches!(inbox.take().unwrap().input, Input::Received { .. }));
        reading.await.unwrap();
        assert_eq!(taken(&inbox), [[2]]);
    }
}
