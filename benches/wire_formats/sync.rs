//! A full synchronisation: an empty node fetches a whole chain from another one. For comparison, the time to
//! decode the same messages and import their blocks without nodes and sockets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use hashloom::protocol::limits;
use hashloom::store::{ALL_KEYS, Batch, Entries, Keys, Memory, Order, Redb, Store, Table};
use hashloom::{
    Block, Blockchain, ChainConfig, Message, Node, NodeHandle, PeerAddr, StoreError, Transport, transport,
};
use tempfile::TempDir;

use super::forge::{Forge, NOW, spec};
use super::format::Format;
use super::shapes::{LONG_TEXT, texts};
use super::traffic::{Traffic, cpu_time};

/// The deadline of one synchronisation.
const DEADLINE: Duration = Duration::from_secs(600);

/// How many entries are copied to a disk in one commit.
const COPIED_AT_ONCE: usize = 10_000;

/// How blocks travel from node to node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Wire(Format),
    /// In bincode, with the stores of both nodes on a disk.
    Disk,
    /// As values, without a codec or a socket.
    Memory,
}

impl Way {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wire(format) => format.name(),
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }

    const fn format(self) -> Option<Format> {
        match self {
            Self::Wire(format) => Some(format),
            Self::Disk => Some(Format::Bincode),
            Self::Memory => None,
        }
    }
}

impl ValueEnum for Way {
    fn value_variants<'a>() -> &'a [Self] {
        const WAYS: &[Way] = &[
            Way::Wire(Format::Json),
            Way::Wire(Format::Bincode),
            Way::Wire(Format::Postcard),
            Way::Disk,
            Way::Memory,
        ];
        WAYS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// The results of one way, turn by turn.
pub(crate) struct Synced {
    pub(crate) way: Way,
    /// Blocks per second from node to node.
    pub(crate) rates: Vec<f64>,
    /// Blocks per second through decoding and import, on one thread.
    pub(crate) alone: Vec<f64>,
    /// Bytes that the two nodes read, over all turns.
    pub(crate) bytes: u64,
    /// Processor time of both nodes, over all turns.
    pub(crate) cpu: Duration,
}

/// Synchronises `blocks` blocks over each of these ways, for each round.
pub(crate) async fn measure(
    ways: &[Way],
    blocks: u64,
    rounds: usize,
    mut tick: impl FnMut(),
) -> Result<Vec<Synced>> {
    let chain = grow(blocks)?;
    tick();
    let empty = |way| Synced { way, rates: Vec::new(), alone: Vec::new(), bytes: 0, cpu: Duration::ZERO };
    let mut measured: Vec<Synced> = ways.iter().copied().map(empty).collect();
    let mut sources = Vec::new();
    for way in ways {
        sources.push(Source::start(*way, chain.clone()).await?);
    }
    for _ in 0..rounds {
        for (synced, source) in measured.iter_mut().zip(&sources) {
            let elapsed = import_alone(synced.way, &chain, blocks)?;
            synced.alone.push(blocks as f64 / elapsed.as_secs_f64());
            tick();
            let (bytes, cpu) = (source.traffic.bytes(), cpu_time());
            let elapsed = source.sync(blocks).await?;
            synced.rates.push(blocks as f64 / elapsed.as_secs_f64());
            synced.cpu += cpu_time().saturating_sub(cpu);
            synced.bytes += source.traffic.bytes() - bytes;
            tick();
        }
    }
    for source in sources {
        source.node.shutdown().await;
    }
    Ok(measured)
}

/// A node that has the chain.
struct Source {
    /// The directory for the stores of this node and the others, if they are on a disk.
    directory: Option<TempDir>,
    node: NodeHandle,
    transport: Arc<dyn Transport>,
    address: PeerAddr,
    /// The bytes that this node and the others on its transport have read.
    traffic: Traffic,
}

impl Source {
    async fn start(way: Way, chain: Shared) -> Result<Self> {
        let traffic = Traffic::default();
        let (transport, listen): (Arc<dyn Transport>, _) = match way.format() {
            Some(format) => (Arc::new(traffic.transport(format)), "ws://127.0.0.1:0"),
            None => (Arc::new(transport::Memory::new()), "memory://source"),
        };
        // In the target directory, because a directory for temporary files may be in memory.
        let directory =
            (way == Way::Disk).then(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))).transpose()?;
        let node = Node::builder(spec()?).shared_transport(Arc::clone(&transport)).listen(listen.parse()?);
        let node = match &directory {
            Some(directory) => node.store(copied(&chain, Redb::open(directory.path().join("source"))?)?),
            None => node.store(chain),
        };
        let node = node.start().await?;
        let address = node.listen_addr().cloned().unwrap_or(listen.parse()?);
        Ok(Self { directory, node, transport, address, traffic })
    }

    /// The time that a new node needs to fetch the whole chain, including its start.
    async fn sync(&self, blocks: u64) -> Result<Duration> {
        let directory = self.directory.as_ref().map(|directory| directory.path().join("target"));
        let start = Instant::now();
        let mut node = Node::<String>::builder(spec()?).shared_transport(Arc::clone(&self.transport));
        if let Some(directory) = &directory {
            node = node.store(Redb::open(directory)?);
        }
        let node = node.peers([self.address.clone()]).start().await?;
        tokio::time::timeout(DEADLINE, node.wait_for(|chain| chain.height() == blocks)).await??;
        let elapsed = start.elapsed();
        ensure!(node.tip().hash() == self.node.tip().hash(), "another chain");
        node.shutdown().await;
        if let Some(directory) = directory {
            std::fs::remove_dir_all(directory)?;
        }
        Ok(elapsed)
    }
}

/// A store with everything that another one has.
fn copied(from: &impl Store, mut to: Redb) -> Result<Redb> {
    for table in Table::ALL {
        for entries in from.scan(table, ALL_KEYS, Order::Ascending, usize::MAX)?.chunks(COPIED_AT_ONCE) {
            let mut batch = Batch::new();
            for (key, value) in entries {
                batch.put(table, key.clone(), value.clone());
            }
            to.commit(&batch)?;
        }
    }
    Ok(to)
}

/// The time to decode and import the chain, in messages of the size of a synchronisation. Excludes encoding.
fn import_alone(way: Way, chain: &Shared, blocks: u64) -> Result<Duration> {
    let source = Blockchain::<String>::open(spec()?, ChainConfig::default(), Box::new(chain.clone()))?;
    let mut target = Blockchain::new(spec()?);
    let mut elapsed = Duration::ZERO;
    let all: Vec<u64> = (1..=blocks).collect();
    for heights in all.chunks(limits::MAX_BLOCKS) {
        let batch: Vec<Arc<Block>> =
            source.blocks(heights[0]..heights[0] + heights.len() as u64).collect::<Result<_, _>>()?;
        let message = Message::Blocks(batch);
        let frame = match way.format() {
            Some(format) => Some((format, format.encode(&message)?)),
            None => None,
        };
        let start = Instant::now();
        let message = match &frame {
            Some((format, frame)) => format.decode(frame)?,
            None => message,
        };
        let Message::Blocks(batch) = message else { anyhow::bail!("another message") };
        let imported = target.import_all(batch, NOW)?;
        elapsed += start.elapsed();
        ensure!(imported.connected.len() == heights.len(), "a block was refused");
    }
    Ok(elapsed)
}

/// A chain of blocks with four transactions of 150 bytes.
fn grow(blocks: u64) -> Result<Shared> {
    let store = Shared::default();
    let mut chain = Blockchain::open(spec()?, ChainConfig::default(), Box::new(store.clone()))?;
    let mut forge = Forge::new()?;
    while chain.height() < blocks {
        let batch = (blocks - chain.height()).min(1_000);
        let batch: Vec<Arc<Block>> =
            (0..batch).map(|_| forge.next(|height| texts(height, LONG_TEXT))).collect::<Result<_>>()?;
        let made = batch.len();
        ensure!(chain.import_all(batch, NOW)?.connected.len() == made, "a block was refused");
    }
    Ok(store)
}

/// A store in memory that several chains share. Once the chain is built, they read it and rewrite existing
/// values only.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Memory>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.lock().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.lock().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.lock().commit(batch)
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}
