//! A wire format of one's own: MessagePack, by the crate `rmp-serde`. Two nodes synchronise over it, and what crossed
//! the wire is printed.
//!
//! ```sh
//! cargo run --features test-utils --example custom_format
//! ```
//!
//! A format is a name and two functions, [`WireFormat`]; `WebSocket` and `WsMulti` make a transport of it. Exits with 1
//! where anything is not as it should be. `docs/wire-formats.md` says what a format has to keep, and
//! `hashloom::testing::wire` (feature `test-utils`) has the suites that check it, which this example runs first.

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
        // Without this a byte is a number, and a hash a list of 32 of them.
        let mut serializer = rmp_serde::Serializer::new(Vec::new()).with_bytes(BytesMode::ForceAll);
        match message.serialize(&mut serializer) {
            Ok(()) => Ok(serializer.into_inner().into()),
            Err(error) => Err(WireError::Encode { format: Self::SUBPROTOCOL, source: error.into() }),
        }
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        // Refuses a text frame.
        let bytes = frame.as_binary(Self::SUBPROTOCOL)?;
        // Takes memory for what it has read, not for what a length claims.
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

/// Messages and bytes that were read, by the kind of message. Clones count together.
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

/// How long anything may take that is waited for.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    // Panics at the first check that fails. In an application this is a test.
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
    tokio::time::timeout(DEADLINE, waiting).await.context("waited in vain")??;
    Ok(())
}
