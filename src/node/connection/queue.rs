//! The queue of messages to a peer, and the loop that writes them to the connection.

use core::time::Duration;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::node::incoming::Incoming;
use crate::node::shared::Shared;
use crate::primitives::{Hash, Transaction};
use crate::protocol::{BlocksAnswer, CloseReason, Message, Protocol};
use crate::transport::{Outgoing, Sender, TransportError};

/// The memory, in bytes, that the queued messages to one peer may take. A peer whose queue is full is
/// disconnected. A message that is larger than the limit is queued only if the queue is empty. An answer with
/// blocks is queued as the hashes of the blocks; each block is read from the store when it is written.
pub(in crate::node) const MAX_QUEUE_BYTES: usize = 2 << 20;

/// The memory, in bytes, that a queued message takes in addition to its contents: the entry in the queue,
/// [`Outgoing`] and the frame.
const OVERHEAD: usize = 512;

/// How long a peer may take to read one message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The driver's end of a queue.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Bounded by `room`.
    items: mpsc::UnboundedSender<(Queued<T>, OwnedSemaphorePermit)>,
    /// One permit per free byte.
    room: Arc<Semaphore>,
}

/// The connection task's end of a queue.
pub(super) type Receiver<T> = mpsc::UnboundedReceiver<(Queued<T>, OwnedSemaphorePermit)>;

impl<T: Transaction> Queue<T> {
    pub(super) fn new() -> (Self, Receiver<T>) {
        let (items, receiver) = mpsc::unbounded_channel();
        (Self { items, room: Arc::new(Semaphore::new(MAX_QUEUE_BYTES)) }, receiver)
    }

    /// Queues an item without waiting. Returns whether it fits.
    pub(super) fn push(&self, item: Queued<T>) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "at most a constant far below 2^32")]
        let bytes = item.memory_size().min(MAX_QUEUE_BYTES) as u32;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
            return false;
        };
        // An error means that the task has ended, and has reported why.
        let _ = self.items.send((item, room));
        true
    }
}

/// An item of the queue.
#[derive(Debug)]
pub(in crate::node) enum Queued<T> {
    Message(Outgoing<T>),
    /// Blocks, which are read from the store when they are written.
    Blocks(BlocksAnswer<T>),
}

impl<T: Transaction> Queued<T> {
    fn memory_size(&self) -> usize {
        OVERHEAD.saturating_add(match self {
            Self::Message(message) => message.message().memory_size(),
            Self::Blocks(answer) => answer.len() * size_of::<Hash>(),
        })
    }
}

/// Writes the queued items until the driver drops the `PeerSender`.
pub(super) async fn write<T: Transaction>(
    sender: &mut dyn Sender<T>,
    mut queued: Receiver<T>,
    shared: &Shared<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) -> Result<(), CloseReason> {
    while let Some((item, _room)) = queued.recv().await {
        feed_item(sender, item, shared, incoming).await?;
        // One flush for everything that is queued.
        while let Ok((item, _room)) = queued.try_recv() {
            feed_item(sender, item, shared, incoming).await?;
        }
        flush(sender).await?;
    }
    Ok(())
}

async fn feed_item<T: Transaction>(
    sender: &mut dyn Sender<T>,
    item: Queued<T>,
    shared: &Shared<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) -> Result<(), CloseReason> {
    match item {
        Queued::Message(message) => feed(sender, message, incoming).await,
        Queued::Blocks(mut answer) => {
            while let Some(message) = next_blocks(&mut answer, shared, incoming).await {
                feed(sender, Outgoing::new(message), incoming).await?;
                // Flushed at once, so that at most one message of the answer is in memory.
                flush(sender).await?;
            }
            Ok(())
        }
    }
}

/// Reads the next message of an answer under the read lock, after the connections that queued for the permit
/// before.
async fn next_blocks<T: Transaction>(
    answer: &mut BlocksAnswer<T>,
    shared: &Shared<T>,
    incoming: &mpsc::Sender<Incoming<T>>,
) -> Option<Message<T>> {
    let mut failures = Vec::new();
    let message = {
        // The semaphore is never closed.
        let _turn = shared.answering.acquire().await.ok()?;
        let next = |protocol: &Protocol<T>| protocol.next_blocks(answer, |error| failures.push(error));
        shared.with_read(shared.waits_for_disk, next)
    };
    for error in failures {
        // If the driver has ended, the report is not needed.
        let _ = incoming.send(Incoming::ReadFailed(error)).await;
    }
    message
}

async fn flush<T: Transaction>(sender: &mut dyn Sender<T>) -> Result<(), CloseReason> {
    in_time(sender.flush()).await?.map_err(lost)
}

/// Feeds a message, or its substitutes if the wire format cannot encode it: after a disconnect the peer would
/// reconnect and request it again.
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
                // If the driver has ended, the report is not needed.
                let _ = incoming.send(Incoming::Unsendable(error)).await;
            }
            fed => fed.map_err(lost)?,
        }
    }
    Ok(())
}

/// The substitutes for a message that cannot be sent, in reverse order: each block in a message of its own,
/// and `NotFound` for a block that cannot be sent either.
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

#[cfg(test)]
pub(super) mod tests {
    use core::sync::atomic::AtomicBool;
    use std::sync::{Mutex, OnceLock, RwLock};

    use async_trait::async_trait;
    use rstest::rstest;
    use tokio::sync::{broadcast, watch};

    use super::*;
    use crate::node::clock::Clock;
    use crate::primitives::{Block, CompactTarget, Header, Timestamp};
    use crate::wire::WireError;
    use crate::{Blockchain, ChainSpec, Protocol, ProtocolConfig};

    /// Records the calls of its methods.
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

    /// A sender that cannot send the block at height 2.
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

    /// The peer receives every block that can be sent, and `NotFound` or the header for one that cannot.
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

    /// The shared part of a node that has this chain and runs no tasks.
    pub(in crate::node::connection) fn shared(chain: Blockchain<String>) -> Shared<String> {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let protocol = Protocol::with_chain(chain, ProtocolConfig::default(), start).unwrap();
        Shared {
            genesis: *protocol.chain().genesis().hash(),
            protocol: RwLock::new(protocol),
            has_pending: AtomicBool::new(false),
            waits_for_disk: false,
            answering: Semaphore::new(1),
            clock: Clock::new(Arc::new(move || start)),
            listen: None,
            mining: Mutex::default(),
            mining_error: Mutex::default(),
            #[cfg(all(feature = "client", feature = "evidence"))]
            published: Mutex::default(),
            events: broadcast::Sender::new(1).downgrade(),
            changes: watch::channel(()).1,
            ended: OnceLock::new(),
            #[cfg(feature = "metrics")]
            counts: Arc::default(),
        }
    }

    #[tokio::test]
    async fn what_waits_is_flushed_once() {
        let (queue, queued) = Queue::new();
        for number in 1..=3 {
            assert!(queue.push(Queued::Message(Outgoing::new(Message::Ping(number)))));
        }
        let room = Arc::clone(&queue.room);
        drop(queue);
        let mut sender = Noting::default();
        let shared = shared(Blockchain::new(ChainSpec::builder("test").build().unwrap()));
        write(&mut sender, queued, &shared, &mpsc::channel(1).0).await.unwrap();
        assert_eq!(sender.0.into_inner().unwrap(), ["Ping(1)", "Ping(2)", "Ping(3)", "flush"]);
        assert_eq!(room.available_permits(), MAX_QUEUE_BYTES, "what is written takes up no room");
    }

    /// The limit counts the bytes of memory of a message, independent of its contents.
    #[rstest]
    #[case::small(Message::Ping(1), 0)]
    #[case::headers(Message::Headers(vec![Header::from_bytes(&[0; Header::LEN]); 2_000]), 2_000 * size_of::<Header>())]
    #[case::texts(Message::Transactions(vec!["x".repeat(1_000); 1_000]), 1_000 * (size_of::<String>() + 1_002))]
    #[case::empty_texts(Message::Transactions(vec![String::new(); 1_000]), 1_000 * (size_of::<String>() + 1))]
    #[case::larger_than_the_queue(Message::Transactions(vec!["x".repeat(3 << 20)]), MAX_QUEUE_BYTES - OVERHEAD - size_of::<Message>())]
    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes_of_memory(#[case] message: Message, #[case] held: usize) {
        let (queue, _queued) = Queue::new();
        let pushed = core::iter::repeat(Outgoing::new(message))
            .take_while(|message| queue.push(Queued::Message(message.clone())));
        assert_eq!(pushed.count(), MAX_QUEUE_BYTES / (OVERHEAD + size_of::<Message>() + held));
    }

    /// Reports each message that it is fed, and finishes a flush only when it has a permit.
    #[derive(Debug)]
    struct Slow {
        fed: mpsc::UnboundedSender<Message>,
        permits: Arc<Semaphore>,
    }

    #[async_trait]
    impl Sender<String> for Slow {
        async fn feed(&mut self, message: &Outgoing<String>) -> Result<(), TransportError> {
            self.fed.send(message.message().clone()).unwrap();
            Ok(())
        }

        async fn flush(&mut self) -> Result<(), TransportError> {
            self.permits.acquire().await.unwrap().forget();
            Ok(())
        }

        async fn close(&mut self) {}
    }

    /// A peer that requests the largest blocks and does not read causes only one message to be built.
    #[tokio::test]
    async fn blocks_are_read_when_those_before_are_on_their_way() {
        let spec =
            ChainSpec::builder("test").easiest_target(CompactTarget::from_bits(0x207f_ffff)).build().unwrap();
        let mut chain = Blockchain::new(spec);
        let now = Timestamp::from_millis(1_800_000_000_000);
        for number in 0..3 {
            let data = vec![number.to_string().repeat(600_000)];
            let block = Arc::new(chain.template(data, now).unwrap().mine().unwrap());
            let _ = chain.import(block, now).unwrap();
        }
        let blocks: Vec<_> = chain.blocks(1..).map(Result::unwrap).collect();
        let mut asked: Vec<Hash> = blocks.iter().map(|block| *block.hash()).collect();
        asked.insert(1, Hash::ZERO);
        let (queue, queued) = Queue::new();
        assert!(queue.push(Queued::Blocks(BlocksAnswer::new(&asked))));
        assert!(queue.room.available_permits() >= MAX_QUEUE_BYTES - 1_024, "hashes wait, and no blocks");
        drop(queue);

        let permits = Arc::new(Semaphore::new(0));
        let (fed, mut told) = mpsc::unbounded_channel();
        let mut sender = Slow { fed, permits: Arc::clone(&permits) };
        let shared = shared(chain);
        let task =
            tokio::spawn(async move { write(&mut sender, queued, &shared, &mpsc::channel(1).0).await });
        let expected = blocks
            .into_iter()
            .map(|block| Message::Blocks(vec![block]))
            .chain([Message::NotFound { hashes: vec![Hash::ZERO] }]);
        for expected in expected {
            assert_eq!(told.recv().await, Some(expected));
            for _ in 0..9 {
                tokio::task::yield_now().await;
            }
            assert!(told.try_recv().is_err(), "goes on before that is on its way");
            permits.add_permits(1);
        }
        // For the flush at the end of the queue.
        permits.add_permits(1);
        assert_eq!(told.recv().await, None);
        task.await.unwrap().unwrap();
    }
}
