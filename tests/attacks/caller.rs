//! An attacker that exchanges messages, over any transport.

use std::sync::Arc;

use hashloom::primitives::{U256, Work};
use hashloom::protocol::{Hello, Reach, Tip, limits};
use hashloom::transport::{Connection, Outgoing, Receiver, Sender, TransportError};
use hashloom::{Block, Hash, Message};

use crate::chain::Entry;
use crate::stage::Stage;

pub(crate) struct Caller {
    sender: Box<dyn Sender<Entry>>,
    receiver: Box<dyn Receiver<Entry>>,
    /// The `Hello` that an honest peer would send.
    pub(crate) hello: Hello,
}

impl Caller {
    /// Opens a connection, and reads the node's `Hello`.
    pub(crate) async fn connect(stage: &mut Stage) -> Self {
        let connection = stage.transport.dial(&stage.address(), Reach::ANY).await.unwrap();
        Self::meet(stage, connection).await
    }

    /// Makes the node dial the attacker, at an address that does not listen afterwards.
    pub(crate) async fn called(stage: &mut Stage) -> Self {
        let mut listener = stage.transport.listen(&stage.carrier.anywhere()).await.unwrap();
        stage.node.connect(listener.local_addr().clone()).await.unwrap();
        let connection = listener.accept().await.unwrap();
        Self::meet(stage, connection).await
    }

    async fn meet(stage: &mut Stage, connection: Box<dyn Connection<Entry>>) -> Self {
        let (sender, mut receiver) = connection.split();
        let first = receiver.recv().await.unwrap();
        let Some(Message::Hello(hello)) = first else { panic!("the node says hello first, not {first:?}") };
        stage.callers += 1;
        let hello = Hello {
            nonce: hello.nonce ^ stage.callers,
            agent: "attacker".to_owned(),
            listen: None,
            wants_new_blocks: false,
            ..hello
        };
        Self { sender, receiver, hello }
    }

    /// Opens a connection that the node refuses. Returns the reason that the node sends.
    pub(crate) async fn refused(stage: &mut Stage) -> String {
        let (_sender, mut receiver) =
            stage.transport.dial(&stage.address(), Reach::ANY).await.unwrap().split();
        let first = receiver.recv().await.unwrap();
        let Some(Message::Bye { reason }) = first else { panic!("the node says goodbye, not {first:?}") };
        reason
    }

    /// A peer that has completed the handshake, and has all of the node's blocks.
    pub(crate) async fn introduced(stage: &mut Stage) -> Self {
        let mut caller = Self::connect(stage).await;
        caller.introduce().await;
        caller
    }

    /// A peer that claims more work than any other, so that the node has requested headers from it. Also
    /// returns the requested number of headers.
    pub(crate) async fn ahead(stage: &mut Stage) -> (Self, u32) {
        let mut caller = Self::connect(stage).await;
        caller.hello.tip = Tip { hash: Hash::digest(b"ahead"), height: 9, work: Work::from_uint(U256::MAX) };
        caller.introduce().await;
        let limit = caller.asked_for_headers().await;
        (caller, limit)
    }

    /// A peer that the node has dialled and asked for addresses.
    pub(crate) async fn asked_for_peers(stage: &mut Stage) -> Self {
        let mut caller = Self::called(stage).await;
        caller.introduce().await;
        let limit = caller.hear_of(|message| match message {
            Message::GetPeers { limit } => Some(limit),
            _ => None,
        });
        assert_eq!(limit.await as usize, limits::MAX_PEERS_PER_MESSAGE);
        caller
    }

    /// Sends a `Hello`. The node may have closed the connection.
    pub(crate) async fn introduce(&mut self) {
        let hello = Message::Hello(self.hello.clone());
        self.say(hello).await;
    }

    /// Sends a message. The node may have closed the connection.
    pub(crate) async fn say(&mut self, message: Message<Entry>) {
        let _ = self.try_say(message).await;
    }

    pub(crate) async fn try_say(&mut self, message: Message<Entry>) -> Result<(), TransportError> {
        self.sender.send(&Outgoing::new(message)).await
    }

    /// Sends a message again and again without reading, until the connection is closed.
    pub(crate) async fn say_until_closed(&mut self, message: Message<Entry>) {
        /// Messages between two flushes.
        const BATCH: usize = 256;
        let message = Outgoing::new(message);
        loop {
            for _ in 0..BATCH {
                if self.sender.feed(&message).await.is_err() {
                    return;
                }
            }
            if self.sender.flush().await.is_err() {
                return;
            }
        }
    }

    /// The next message from the node.
    pub(crate) async fn hear(&mut self) -> Message<Entry> {
        self.receiver.recv().await.unwrap().expect("the node goes on talking")
    }

    /// Reads until the node sends a message of this kind.
    pub(crate) async fn hear_of<R>(&mut self, wanted: impl Fn(Message<Entry>) -> Option<R>) -> R {
        loop {
            let message = self.hear().await;
            if let Message::Bye { reason } = &message {
                panic!("the node says goodbye: {reason}");
            }
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    /// Waits until the node requests headers. Returns the requested number.
    pub(crate) async fn asked_for_headers(&mut self) -> u32 {
        self.hear_of(|message| match message {
            Message::GetHeaders { limit, .. } => Some(limit),
            _ => None,
        })
        .await
    }

    /// Waits until the node requests blocks. Returns their hashes.
    pub(crate) async fn asked_for_blocks(&mut self) -> Vec<Hash> {
        self.hear_of(|message| match message {
            Message::GetBlocks { hashes } => Some(hashes),
            _ => None,
        })
        .await
    }

    /// Waits until the node requests transactions. Returns their number.
    pub(crate) async fn asked_for_transactions(&mut self) -> usize {
        self.hear_of(|message| match message {
            Message::GetTransactions { ids } => Some(ids.len()),
            _ => None,
        })
        .await
    }

    /// Waits until the node has handled all messages so far. Returns what it sent in the meantime.
    pub(crate) async fn is_heard(&mut self) -> Vec<Message<Entry>> {
        /// A number that no other ping has.
        const MARK: u64 = 0x1dea;
        self.say(Message::Ping(MARK)).await;
        let mut said = Vec::new();
        loop {
            match self.hear().await {
                Message::Pong(MARK) => return said,
                Message::Bye { reason } => panic!("the node says goodbye: {reason}"),
                other => said.push(other),
            }
        }
    }

    /// Reads until the connection ends. Returns the reason of the node's `Bye`.
    pub(crate) async fn last_word(&mut self) -> Option<String> {
        let mut told = None;
        while let Ok(Some(message)) = self.receiver.recv().await {
            assert_eq!(told, None, "nothing follows a goodbye");
            if let Message::Bye { reason } = message {
                told = Some(reason);
            }
        }
        told
    }
}

/// The message in which a miner announces a block.
pub(crate) fn new_block(block: &Arc<Block<Entry>>) -> Message<Entry> {
    Message::NewBlock(Arc::clone(block))
}
