//! A custom wire format: MessagePack, with the crate `rmp-serde`. Two nodes synchronise over it, and the
//! example prints the messages that they exchange.
//!
//! ```sh
//! cargo run --features test-utils --example custom_format
//! ```
//!
//! A format implements [`WireFormat`], a name and two functions; `WebSocket` and `WsMulti` turn it into a
//! transport. `docs/wire-formats.md` has the requirements for a format, and `hashloom::testing::wire`
//! (feature `test-utils`) the suites that check them, which this example runs first. Exits with 1 if anything
//! is not as expected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hashloom::testing::wire::{memory_suite, suite};
use hashloom::transport::WebSocket;
use hashloom::wire::{Frame, WireError, WireFormat};
use hashloom::{ChainSpec, Node, NodeHandle};
use peak_alloc::PeakAlloc;
use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// Counts what the format allocates while it decodes.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// MessagePack. Structs are arrays without names; hashes and headers are byte strings.
#[derive(Clone, Debug, Default)]
struct MessagePack {
    /// What was read, for this example to print. A format needs no state.
    traffic: Option<Traffic>,
}

impl WireFormat for MessagePack {
    const SUBPROTOCOL: &'static str = "example.v1.msgpack";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        // Without `ForceAll`, each byte is encoded as a number, and a hash as a list of 32 numbers.
        let mut serializer = rmp_serde::Serializer::new(Vec::new()).with_bytes(BytesMode::ForceAll);
        match message.serialize(&mut serializer) {
            Ok(()) => Ok(serializer.into_inner().into()),
            Err(error) => Err(WireError::Encode { format: Self::SUBPROTOCOL, source: error.into() }),
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        // Refuses a text frame.
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        // The deserializer allocates memory for what it has read, not for the length that the input claims.
        let mut deserializer = rmp_serde::Deserializer::new(bytes);
        let message = M::deserialize(&mut deserializer)
            .map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))?;
        let rest = deserializer.get_ref();
        if !rest.is_empty() {
            let trailing = format_args!("{} bytes remaining", rest.len());
            return Err(WireError::decode(Self::SUBPROTOCOL, &trailing));
        }
        if let Some(traffic) = &self.traffic {
            traffic.count(bytes);
        }
        Ok(message)
    }
}

/// The messages and bytes that were read, by the kind of message. Clones share their counts.
#[derive(Clone, Debug, Default)]
struct Traffic(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Traffic {
    fn count(&self, bytes: &[u8]) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A message is a map with one entry, whose key is its kind.
        #[expect(clippy::zero_sized_map_values, reason = "the content is skipped")]
        let kind = rmp_serde::from_slice::<BTreeMap<String, IgnoredAny>>(bytes).unwrap_or_default();
        for kind in kind.into_keys() {
            let start = &bytes[..bytes.len().min(24)];
            println!("  {kind:12} {:5} bytes  {}…", bytes.len(), hex::encode(start));
            let (messages, total) = kinds.entry(kind).or_default();
            *messages += 1;
            *total += bytes.len();
        }
    }

    fn of(&self, kind: &str) -> usize {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(kind).map_or(0, |(messages, _)| *messages)
    }

    fn print(&self) {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        println!("\nkind         messages  bytes");
        for (kind, (messages, bytes)) in &*kinds {
            println!("{kind:12} {messages:8} {bytes:6}");
        }
    }
}

/// The time limit of a wait.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    // Each suite panics at the first check that fails. An application runs them in a test.
    let texts = ["one".to_owned(), String::new(), "\u{2713}".repeat(1_000)];
    suite(&MessagePack::default(), &texts);
    memory_suite(&MessagePack::default(), &texts, |decode| {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        decode();
        ALLOCATOR.peak_usage() - before
    });
    println!("The format passes the suites for wire formats.");

    let traffic = Traffic::default();
    let format = MessagePack { traffic: Some(traffic.clone()) };
    let spec = ChainSpec::builder("custom-format").build()?;
    let alice: NodeHandle = Node::builder(spec.clone())
        .transport(WebSocket::new(format.clone()))
        .listen("ws://127.0.0.1:0".parse()?)
        .start()
        .await?;
    for text in ["one", "two", "three"] {
        alice.mine(vec![text.to_owned()]).await?;
    }
    println!("\nAlice has mined three blocks. Bob, who has none, dials her:\n");
    let bob: NodeHandle = Node::builder(spec)
        .transport(WebSocket::new(format.clone()))
        .peers([alice.listen_addr().context("alice does not listen")?.clone()])
        .start()
        .await?;
    reaches(&bob, 3).await?;
    println!("\nBob has them and mines a fourth:\n");
    bob.mine(vec!["four".to_owned()]).await?;
    reaches(&alice, 4).await?;

    ensure!(alice.blocks(..)? == bob.blocks(..)?, "the chains differ");
    let texts: Vec<String> = alice.blocks(1..)?.iter().flat_map(|block| block.data().to_vec()).collect();
    ensure!(texts == ["one", "two", "three", "four"], "the chain holds {texts:?}");
    for kind in ["hello", "headers", "blocks", "new_block"] {
        ensure!(traffic.of(kind) > 0, "no {kind} has crossed the wire");
    }
    bob.shutdown().await;
    alice.shutdown().await;
    traffic.print();
    Ok(())
}

async fn reaches(node: &NodeHandle, height: u64) -> Result<()> {
    let waiting = node.wait_for(|chain| chain.height() == height);
    tokio::time::timeout(DEADLINE, waiting).await.context("timed out")??;
    Ok(())
}
