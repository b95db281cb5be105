//! An attacker that speaks in messages, over whatever transport.

use std::sync::Arc;

use hashloom::transport::{Connection, Outgoing, Receiver, Sender, TransportError};
use hashloom::{Block, Hash, Hello, Message, Reach, Tip, U256, Work, limits};

use crate::chain::Entry;
use crate::stage::Stage;

pub(crate) struct Caller {
    sender: Box<dyn Sender<Entry>>,
    receiver: Box<dyn Receiver<Entry>>,
    /// What an honest peer would say first.
    pub(crate) hello: Hello,
}

impl Caller {
    /// Opens a connection, and reads who the node is.
    pub(crate) async fn connect(stage: &mut Stage) -> Self {
        let connection = stage.transport.dial(&stage.address(), Reach::ANY).await.unwrap();
        Self::meet(stage, connection).await
    }

    /// Has the node open a connection, to a place where nobody listens afterwards.
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

    /// Opens a connection that the node does not want. Returns what it says.
    pub(crate) async fn refused(stage: &mut Stage) -> String {
        let (_sender, mut receiver) =
            stage.transport.dial(&stage.address(), Reach::ANY).await.unwrap().split();
        let first = receiver.recv().await.unwrap();
        let Some(Message::Bye { reason }) = first else { panic!("the node says goodbye, not {first:?}") };
        reason
    }

    /// A peer that has introduced itself, and knows all that the node knows.
    pub(crate) async fn introduced(stage: &mut Stage) -> Self {
        let mut caller = Self::connect(stage).await;
        caller.introduce().await;
        caller
    }

    /// A peer that says it has more work than anybody, and was asked for headers. Returns how many are wanted, too.
    pub(crate) async fn ahead(stage: &mut Stage) -> (Self, u32) {
        let mut caller = Self::connect(stage).await;
        caller.hello.tip = Tip { hash: Hash::digest(b"ahead"), height: 9, work: Work::from_uint(U256::MAX) };
        caller.introduce().await;
        let limit = caller.asked_for_headers().await;
        (caller, limit)
    }

    /// A peer that the node has called, and has asked for the addresses of others.
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

    /// Says hello, unless the node does not want to hear it.
    pub(crate) async fn introduce(&mut self) {
        let hello = Message::Hello(self.hello.clone());
        self.say(hello).await;
    }

    /// Says something, which the node need not want to hear.
    pub(crate) async fn say(&mut self, message: Message<Entry>) {
        let _ = self.try_say(message).await;
    }

    pub(crate) async fn try_say(&mut self, message: Message<Entry>) -> Result<(), TransportError> {
        self.sender.send(&Outgoing::new(message)).await
    }

    /// Says the same again and again without reading anything, until the connection is gone.
    pub(crate) async fn say_until_closed(&mut self, message: Message<Entry>) {
        /// Written together.
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

    /// The next message of the node's.
    pub(crate) async fn hear(&mut self) -> Message<Entry> {
        self.receiver.recv().await.unwrap().expect("the node goes on talking")
    }

    /// Reads until the node says something of this kind.
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

    /// Waits until the node asks for headers. Returns how many it wants.
    pub(crate) async fn asked_for_headers(&mut self) -> u32 {
        self.hear_of(|message| match message {
            Message::GetHeaders { limit, .. } => Some(limit),
            _ => None,
        })
        .await
    }

    /// Waits until the node asks for blocks. Returns which.
    pub(crate) async fn asked_for_blocks(&mut self) -> Vec<Hash> {
        self.hear_of(|message| match message {
            Message::GetBlocks { hashes } => Some(hashes),
            _ => None,
        })
        .await
    }

    /// Waits until the node asks for transactions. Returns how many.
    pub(crate) async fn asked_for_transactions(&mut self) -> usize {
        self.hear_of(|message| match message {
            Message::GetTransactions { ids } => Some(ids.len()),
            _ => None,
        })
        .await
    }

    /// Waits until the node has taken in all that was said. Returns what it said in the meantime.
    pub(crate) async fn is_heard(&mut self) -> Vec<Message<Entry>> {
        /// Told from the number of another ping by nobody else.
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

    /// Reads to the end. Returns the node's last word.
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

/// A block as a miner would send it.
pub(crate) fn new_block(block: &Arc<Block<Entry>>) -> Message<Entry> {
    Message::NewBlock(Arc::clone(block))
}
