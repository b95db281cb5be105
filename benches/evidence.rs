//! Measures evidence for logs of growing size: the bytes of proofs, receipts and tiles, the reads of the store and the
//! time to issue them, and the time to check them.
//!
//! ```sh
//! cargo bench --no-default-features --features evidence --bench evidence
//! cargo bench --no-default-features --features evidence --bench evidence -- --quick
//! ```
//!
//! All logs are the first blocks of one chain, which is in memory, so their size is all that differs. They alternate in
//! turns of less than a millisecond, and a ratio compares turns in close succession, so that other load on the machine
//! affects all of them. The time to issue something depends on the store, and the smallest log fits in the caches of the
//! processor, so the targets are about the reads instead. Prints Markdown tables.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/environment.rs"]
mod environment;
#[path = "common/forge.rs"]
mod forge;
#[path = "common/grow.rs"]
mod grow;
#[path = "common/table.rs"]
mod table;
#[path = "common/turns.rs"]
mod turns;

use core::hint::black_box;
use core::iter;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;
use hashloom::evidence::{Checkpoint, LogSigner, NoteSigner, Policy, Receipt, SignedNote, Tile};
use hashloom::primitives::merkle::leaf_hash;
use hashloom::store::{Batch, Entries, Keys, Memory, Order, Table as Rows};
use hashloom::{Blockchain, ChainConfig, Hash, Store, StoreError};

use forge::spec;
use grow::grow;
use table::{Table, figure};
use turns::{median, quartiles};

/// Measures proofs, receipts and tiles.
#[derive(Debug, Parser)]
struct Options {
    /// The size of the largest log. The others are powers of ten from a thousand on.
    #[arg(long, default_value_t = 1_000_000)]
    largest: u64,

    /// Turns of each kind of evidence for each log; an odd number has a median.
    #[arg(long, default_value_t = 301)]
    rounds: usize,

    /// The seed of the places that are proven.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Measures so little that it takes seconds.
    #[arg(long)]
    quick: bool,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The size of the smallest log.
const SMALLEST: u64 = 1_000;

/// The proofs of a turn.
const TURN: usize = 10;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options = Options { largest: 10_000, rounds: 3, ..options };
    }
    ensure!(options.largest >= SMALLEST, "the largest log has at least {SMALLEST} blocks");
    println!("{}", environment::describe(&["sha2", "ed25519-dalek", "postcard"]));

    let reads = Arc::new(AtomicU64::new(0));
    let chain = chain(options.largest, Counting(Memory::new(), Arc::clone(&reads)))?;
    let mut logs = iter::successors(Some(SMALLEST), |size| size.checked_mul(10))
        .take_while(|size| *size < options.largest)
        .chain([options.largest])
        .map(|size| Log::new(&chain, &reads, size))
        .collect::<Result<Vec<_>>>()?;
    let mut rng = Rng::with_seed(options.seed);
    for _ in 0..options.rounds {
        for log in &mut logs {
            log.take_turn(&mut rng)?;
        }
    }
    for kind in 0..KINDS.len() {
        println!("{}", table(kind, &logs).markdown());
    }
    println!("{}", targets(&logs).markdown());
    println!("{}", checkpoints(&options)?.markdown());
    Ok(())
}

/// The checkpoints that a log signs a second, each of one block more and durable in the store, beside the bare signature
/// of a note of the same length.
fn checkpoints(options: &Options) -> Result<Table> {
    let key = NoteSigner::from_seed("log.example/bench", &[1; 32])?;
    let signer = LogSigner::new(key.clone()).with_depth(NonZeroU64::MIN);
    let mut chain = Blockchain::open(spec()?, ChainConfig::default(), Box::new(Kept(Memory::new())))?;
    let mut forge = forge::Forge::new()?;
    let (mut bare, mut durable) = (Vec::new(), Vec::new());
    for _ in 0..=options.rounds {
        let block = forge.next(|height| vec![height.to_string()])?;
        let _ = chain.import(block, forge::NOW)?;
        if chain.height() == 1 {
            continue;
        }
        let start = Instant::now();
        let note = black_box(signer.sign(&mut chain)?);
        durable.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(SignedNote::sign(note.text(), &key)?);
        bare.push(start.elapsed().as_secs_f64());
    }
    let [low, middle, high] = quartiles(durable.iter().zip(&bare).map(|(durable, bare)| bare / durable));
    let mut table = Table::new("Checkpoints", ["", "a second", "of the bare signature", "middle half"]);
    table.row([
        "signed, each of one block more".to_owned(),
        figure(1.0 / median(durable.iter().copied())),
        figure(middle),
        format!("{} to {}", figure(low), figure(high)),
    ]);
    Ok(table.note(
        "The last checkpoint is read and verified, the new one is signed, and written to a store in memory.",
    ))
}

/// A store in memory that says that it is on a disk, because nothing is signed for a chain that is forgotten.
#[derive(Debug)]
struct Kept(Memory);

impl Store for Kept {
    fn get(&self, table: Rows, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key)
    }

    fn scan(&self, table: Rows, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.0.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}

/// A store in memory that counts its reads.
#[derive(Debug)]
struct Counting(Memory, Arc<AtomicU64>);

impl Store for Counting {
    fn get(&self, table: Rows, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(table, key)
    }

    fn scan(&self, table: Rows, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.0.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}

/// A chain with this many small blocks, of which the last has the root over all before it.
fn chain(blocks: u64, store: Counting) -> Result<Blockchain> {
    let mut chain = Blockchain::open(spec()?, ChainConfig::default(), Box::new(store))?;
    grow(&mut chain, blocks)?;
    Ok(chain)
}

const INCLUSION: usize = 0;
const CONSISTENCY: usize = 1;
const RECEIPT: usize = 2;
/// The first of the kinds of tiles.
const TILES: usize = 3;

/// The kinds of evidence: a title, and what a reader has to know.
const KINDS: [(&str, &str); 6] = [
    ("Inclusion proofs", "Of blocks at random heights. The bytes are those of the path."),
    ("Consistency proofs", "With logs of random smaller sizes. The bytes are those of the path."),
    (
        "Receipts",
        "Of transactions of a few bytes at random heights, as `.tlog-proof` files. To check one is to parse it and to \
         verify it with the one signature of the log.",
    ),
    ("Tiles of entries, each entry", EACH_OF_256),
    ("Tiles of level 0, each hash", EACH_OF_256),
    ("Tiles of level 1, each hash", EACH_OF_256),
];

const EACH_OF_256: &str = "A full tile has 256.";

/// The levels of the kinds of tiles.
const TILE_LEVELS: [Option<u8>; KINDS.len() - TILES] = [None, Some(0), Some(1)];

/// The bytes and times of one kind of evidence for each piece, turn by turn.
#[derive(Default)]
struct Figures {
    bytes: Vec<f64>,
    reads: Vec<f64>,
    /// Microseconds.
    issued: Vec<f64>,
    /// Microseconds. Empty for a kind that is not checked alone.
    checked: Vec<f64>,
}

impl Figures {
    /// Issues evidence for each place, checks it, and notes the averages.
    fn turn<P, E>(
        &mut self,
        reads: &AtomicU64,
        places: &[P],
        issue: impl Fn(&P) -> Result<E>,
        len: impl Fn(&E) -> usize,
        check: impl Fn(&P, &E) -> Result<()>,
    ) -> Result<()> {
        let pieces = places.len() as f64;
        let reads_before = reads.load(Ordering::Relaxed);
        let start = Instant::now();
        let issued = places.iter().map(|place| black_box(issue(place))).collect::<Result<Vec<_>>>()?;
        self.issued.push(1e6 * start.elapsed().as_secs_f64() / pieces);
        self.reads.push((reads.load(Ordering::Relaxed) - reads_before) as f64 / pieces);
        let start = Instant::now();
        for (place, piece) in places.iter().zip(&issued) {
            check(place, black_box(piece))?;
        }
        self.checked.push(1e6 * start.elapsed().as_secs_f64() / pieces);
        self.bytes.push(issued.iter().map(|piece| len(piece) as f64).sum::<f64>() / pieces);
        Ok(())
    }

    /// Makes a tile.
    fn tile(&mut self, reads: &AtomicU64, tile: Tile, chain: &Blockchain, size: u64) -> Result<()> {
        let hashes = f64::from(tile.width());
        let reads_before = reads.load(Ordering::Relaxed);
        let start = Instant::now();
        let bytes = black_box(tile.bytes(chain, size))?;
        self.issued.push(1e6 * start.elapsed().as_secs_f64() / hashes);
        self.reads.push((reads.load(Ordering::Relaxed) - reads_before) as f64 / hashes);
        self.bytes.push(bytes.len() as f64 / hashes);
        Ok(())
    }
}

/// The first blocks of the chain.
struct Log<'a> {
    chain: &'a Blockchain,
    /// The reads of the chain's store so far.
    reads: &'a AtomicU64,
    size: u64,
    root: Hash,
    checkpoint: SignedNote,
    policy: Policy,
    tiles: [Vec<Tile>; TILE_LEVELS.len()],
    figures: [Figures; KINDS.len()],
}

impl<'a> Log<'a> {
    fn new(chain: &'a Blockchain, reads: &'a AtomicU64, size: u64) -> Result<Self> {
        let key = NoteSigner::from_seed("log.example/bench", &[1; 32])?;
        let checkpoint = Checkpoint::of_chain(chain, size, key.name())?;
        Ok(Self {
            chain,
            reads,
            size,
            root: checkpoint.root(),
            checkpoint: SignedNote::sign(checkpoint.to_string(), &key)?,
            policy: Policy::new(key.verifier()).with_easiest_target(chain.spec().easiest_target())?,
            tiles: TILE_LEVELS
                .map(|level| Tile::added(0, size).filter(|tile| tile.level() == level).collect()),
            figures: Default::default(),
        })
    }

    fn take_turn(&mut self, rng: &mut Rng) -> Result<()> {
        let Self { chain, reads, size, root, checkpoint, policy, tiles, figures } = self;
        let (chain, reads, size) = (*chain, *reads, *size);
        // Genesis has no transaction.
        let places = iter::repeat_with(|| {
            let height = rng.u64(1..size);
            let header = chain.header_at(height)?.context("no such block")?;
            Ok((height, header.hash(), header.history_root))
        });
        let places = places.take(TURN).collect::<Result<Vec<_>>>()?;
        figures[INCLUSION].turn(
            reads,
            &places,
            |(height, ..)| Ok(chain.ancestor_proof(*height, size)?),
            |proof| proof.path.len() * Hash::LEN,
            |(_, hash, _), proof| Ok(proof.verify(&leaf_hash(hash.as_bytes()), root)?),
        )?;
        figures[CONSISTENCY].turn(
            reads,
            &places,
            |(older, ..)| Ok(chain.consistency_proof(*older, size)?),
            |proof| proof.path.len() * Hash::LEN,
            |(.., old_root), proof| Ok(proof.verify(old_root, root)?),
        )?;
        figures[RECEIPT].turn(
            reads,
            &places,
            |(_, hash, _)| Ok(Receipt::issue(chain, hash, 0, checkpoint.clone())?.to_string()),
            String::len,
            |(height, ..), file| {
                let receipt: Receipt = file.parse()?;
                ensure!(receipt.verify(policy)?.header.height == *height, "proves another block");
                Ok(())
            },
        )?;
        for (figures, tiles) in figures[TILES..].iter_mut().zip(tiles) {
            let tile = rng.choice(&*tiles).context("no such tile")?;
            figures.tile(reads, *tile, chain, size)?;
        }
        Ok(())
    }
}

/// The turns of one kind of evidence for one log.
type Turns = fn(&Figures) -> &[f64];

const ASPECTS: [(&str, Turns); 4] = [
    ("bytes", |figures| &figures.bytes),
    ("reads", |figures| &figures.reads),
    ("µs to issue", |figures| &figures.issued),
    ("µs to check", |figures| &figures.checked),
];

/// The aspects that have targets.
const TARGETS: [usize; 3] = [0, 1, 3];

/// How far a cost may exceed the ratio of the levels: the places are random, and the machine has other load.
const MARGIN: f64 = 1.1;

/// The quartiles of the ratios of the turns of a log to those of a smaller one in the same round.
fn ratios(log: &Log, smaller: &Log, kind: usize, turns: Turns) -> [f64; 3] {
    let pairs = turns(&log.figures[kind]).iter().zip(turns(&smaller.figures[kind]));
    quartiles(pairs.map(|(turn, base)| turn / base))
}

/// The levels of the tree of a log, as a multiple of those of a smaller one.
fn levels(log: &Log, smaller: &Log) -> f64 {
    let levels = |log: &Log| f64::from(log.size.next_power_of_two().ilog2());
    levels(log) / levels(smaller)
}

/// The figures of one kind for all logs. Ratios are relative to the smallest.
fn table(kind: usize, logs: &[Log]) -> Table {
    let aspects = ASPECTS.iter().filter(|(_, turns)| !turns(&logs[0].figures[kind]).is_empty());
    let columns = aspects.clone().flat_map(|(name, _)| [*name, "ratio", "middle half"]);
    let mut table = Table::new(KINDS[kind].0, ["blocks", "ratio of levels"].into_iter().chain(columns));
    for log in logs {
        let mut cells = vec![figure(log.size as f64), figure(levels(log, &logs[0]))];
        for (_, turns) in aspects.clone() {
            let [low, middle, high] = ratios(log, &logs[0], kind, *turns);
            let value = median(turns(&log.figures[kind]).iter().copied());
            cells.extend([figure(value), figure(middle), format!("{} to {}", figure(low), figure(high))]);
        }
        table.row(cells);
    }
    table.note(KINDS[kind].1)
}

/// That the costs grow no more than the number of levels, which is the logarithm of the size.
fn targets(logs: &[Log]) -> Table {
    let mut table = Table::new("Targets", ["largest log, of the smallest", "here", "at most", ""]);
    let [smallest, .., largest] = logs else { return table };
    let bound = MARGIN * levels(largest, smallest);
    for (kind, (title, _)) in KINDS.iter().enumerate() {
        for (name, turns) in TARGETS.map(|target| ASPECTS[target]) {
            if turns(&largest.figures[kind]).is_empty() {
                continue;
            }
            let ratio = ratios(largest, smallest, kind, turns)[1];
            let verdict = if ratio <= bound { "met" } else { "missed" };
            table.row([format!("{title}: {name}"), figure(ratio), figure(bound), verdict.to_owned()]);
        }
    }
    table
}
