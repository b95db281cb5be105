//! The memory of a chain and a mempool under limits in bytes of memory, for transactions that take many times
//! their canonical bytes. `ChainConfig` and `MempoolConfig` promise at most three times the limit. Also the
//! memory that a wire format allocates to decode a frame, and that of the largest page of blocks.
//!
//! A separate binary, because the counting allocator counts the whole process. The trials run one after the
//! other for this reason.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which fail by panicking")]

#[cfg(all(feature = "test-utils", feature = "ws-bincode", feature = "ws-json", feature = "ws-postcard"))]
mod formats;
#[cfg(feature = "http")]
mod pages;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use hashloom::chain::Verdict;
use hashloom::mempool::{Mempool, MempoolConfig, MempoolError, Source};
use hashloom::store::{Batch, Entries, Keys, Memory, Order, Store, StoreError, Table};
use hashloom::{
    Block, Blockchain, ChainConfig, ChainSpec, CompactTarget, Context, Protocol, ProtocolConfig, Rejected,
    Retarget, Timestamp, Transaction,
};
use libtest_mimic::{Arguments, Failed, Trial};
use peak_alloc::PeakAlloc;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The documented factor: resident memory is at most this many times a limit.
const FACTOR: usize = 3;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Canonical bytes of the transactions of a block.
const BLOCK_BYTES: usize = 4 << 10;

/// A transaction type of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    author: String,
    place: String,
    note: Option<Box<str>>,
    payload: Vec<u8>,
}

impl Transaction for Record {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// Transactions of one kind.
struct Shape<T> {
    name: &'static str,
    /// Makes a transaction. The number makes it unique, if it is long enough for that.
    make: fn(usize) -> T,
    /// The lengths of its heap allocations.
    pieces: fn(&T) -> Vec<usize>,
}

fn texts() -> Vec<Shape<String>> {
    let pieces = |text: &String| vec![text.len()];
    vec![
        Shape { name: "empty texts", make: |_| String::new(), pieces },
        Shape { name: "texts of a byte", make: |_| "x".to_owned(), pieces },
        Shape { name: "short texts", make: |number| format!("{number:x}"), pieces },
        Shape { name: "long texts", make: |number| format!("{number:01000}"), pieces },
    ]
}

fn records() -> Vec<Shape<Record>> {
    vec![Shape {
        name: "records",
        make: |number| Record {
            author: "a".to_owned(),
            place: "b".to_owned(),
            note: Some("c".into()),
            payload: number.to_be_bytes()[6..].to_vec(),
        },
        pieces: |record| {
            let note = record.note.as_ref().map_or(0, |note| note.len());
            vec![record.author.len(), record.place.len(), note, record.payload.len()]
        },
    }]
}

impl<T: Transaction> Shape<T> {
    /// Converts counted bytes to resident memory, for a common allocator: an allocation takes eight
    /// additional bytes, in multiples of 16, and at least 32.
    fn resident(&self, counted: usize) -> usize {
        let transaction = (self.make)(0xabc);
        let pieces = (self.pieces)(&transaction);
        let resident = |len: &usize| if *len == 0 { 0 } else { (len + 8).next_multiple_of(16).max(32) };
        let all: usize = size_of::<T>() + pieces.iter().map(resident).sum::<usize>();
        counted * all / (size_of::<T>() + pieces.iter().sum::<usize>())
    }

    fn assert_bounded(&self, what: &str, counted: usize, limit: usize) {
        self.assert_at_most(what, counted, limit);
        assert!(counted >= limit / 4, "{what} of {} do not fill the limit", self.name);
    }

    /// The encodings of `count` consecutive blocks.
    fn blocks(&self, count: usize) -> Vec<Vec<u8>> {
        let mut chain = Blockchain::new(spec());
        let mut len = Vec::new();
        (self.make)(0xabc).encode(&mut len).unwrap();
        let mut block = |index| {
            let numbers = (0..BLOCK_BYTES / len.len()).map(|at| index * BLOCK_BYTES + at);
            let block = chain.template(numbers.map(self.make).collect(), NOW).unwrap().mine().unwrap();
            let block = Arc::new(block);
            let _ = chain.import(Arc::clone(&block), NOW).unwrap();
            postcard::to_allocvec(&*block).unwrap()
        };
        (0..count).map(&mut block).collect()
    }

    fn assert_at_most(&self, what: &str, counted: usize, limit: usize) {
        let resident = self.resident(counted);
        let percent = 100 * resident / limit;
        println!(
            "{what} of {}: {counted} bytes counted, {resident} resident, {percent} % of the limit",
            self.name
        );
        assert!(resident <= FACTOR * limit, "{what} of {} take {resident} bytes, limit {limit}", self.name);
    }
}

fn spec() -> ChainSpec {
    ChainSpec::builder("memory")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .max_block_transactions(1 << 20)
        .build()
        .unwrap()
}

fn read<T: Transaction>(bytes: &[u8]) -> Arc<Block<T>> {
    Arc::new(postcard::from_bytes(bytes).unwrap())
}

const LIMIT: usize = 512 << 10;

/// More blocks than fit, even if they take no more memory than their canonical bytes.
const MANY: usize = 2 * LIMIT / BLOCK_BYTES;

fn orphans<T: Transaction>(shape: &Shape<T>) {
    let config = ChainConfig::default().with_max_orphan_bytes(LIMIT).with_max_orphans(usize::MAX);
    let blocks = shape.blocks(MANY);
    let mut chain = Blockchain::<T>::with_config(spec(), config);
    let before = ALLOCATOR.current_usage();
    for bytes in &blocks[1..] {
        let block = read(bytes);
        block.digest_ahead();
        let imported = chain.import(block, NOW).unwrap();
        assert!(matches!(imported.verdicts[..], [Ok(Verdict::Orphan { .. })]));
    }
    shape.assert_bounded("orphans", ALLOCATOR.current_usage() - before, LIMIT);
}

fn waiting_bodies<T: Transaction>(shape: &Shape<T>) {
    let config = ChainConfig::default().with_max_side_bytes(LIMIT);
    let blocks = shape.blocks(MANY);
    let mut chain = Blockchain::<T>::with_config(spec(), config);
    for bytes in &blocks {
        assert_eq!(chain.import_header(read::<T>(bytes).header(), NOW), Ok(true));
    }
    let before = ALLOCATOR.current_usage();
    for bytes in &blocks[1..] {
        // Bodies beyond the limit are refused.
        let _ = chain.import(read(bytes), NOW);
    }
    shape.assert_bounded("bodies that wait", ALLOCATOR.current_usage() - before, LIMIT);
    // Whatever is pending, the lowest block is imported, and all blocks after it.
    for bytes in &blocks {
        let _ = chain.import(read(bytes), NOW).unwrap();
    }
    assert_eq!(chain.height(), blocks.len() as u64);
}

fn cached_blocks<T: Transaction>(shape: &Shape<T>) {
    let store = stored::<T>(&shape.blocks(MANY));
    let before = ALLOCATOR.current_usage();
    let config = ChainConfig::default().with_max_cached_bytes(LIMIT);
    let chain = Blockchain::<T>::open(spec(), config, Box::new(store)).unwrap();
    for block in chain.blocks(1..) {
        let _ = block.unwrap();
    }
    shape.assert_bounded("cached blocks", ALLOCATOR.current_usage() - before, LIMIT);
}

fn pending_transactions<T: Transaction>(shape: &Shape<T>) {
    let chain = Blockchain::<T>::new(spec());
    let config = MempoolConfig::default().with_max_transactions(usize::MAX).with_max_bytes(LIMIT);
    let mut mempool = Mempool::new(&chain, config);
    let before = ALLOCATOR.current_usage();
    for number in 0.. {
        match mempool.submit((shape.make)(number), Source::Local, &chain, NOW) {
            Ok(_) => {}
            Err(MempoolError::Full { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    shape.assert_bounded("pending transactions", ALLOCATOR.current_usage() - before, LIMIT);
}

/// The peak memory of a node's start, a verification, an export and an import of all blocks: the cache, and
/// some blocks with their digests.
fn passes_over_a_chain<T: Transaction>(shape: &Shape<T>) {
    let blocks = shape.blocks(MANY);
    let store = stored::<T>(&blocks);
    let largest = read::<T>(&blocks[0]);
    let limit = LIMIT / 2 + 2 * (largest.memory_size() + 32 * largest.data().len() + BLOCK_BYTES);
    let config = ChainConfig::default().with_max_cached_bytes(LIMIT / 2);
    let open = || Blockchain::<T>::open(spec(), config.clone(), Box::new(store.clone())).unwrap();
    let mempool = MempoolConfig::default().with_max_mined_ids(100);
    let protocol = ProtocolConfig::default().with_mempool(mempool);
    let start = peak(&mut || {
        let _ = Protocol::with_chain(open(), protocol.clone(), NOW).unwrap();
    });
    shape.assert_at_most("a start on blocks", start, limit);
    shape.assert_at_most("a verification of blocks", peak(&mut || open().verify(..).unwrap()), limit);
    let mut archive = Vec::with_capacity(4 * MANY * BLOCK_BYTES);
    let export = peak(&mut || assert_eq!(open().export(.., &mut archive).unwrap(), MANY as u64));
    shape.assert_at_most("an export of blocks", export, limit);
    // A batch of an import has a megabyte and one block.
    let mut chain = Blockchain::<T>::open(spec(), config.clone(), Box::new(Shared::default())).unwrap();
    let import = peak(&mut || assert_eq!(chain.import_archive(&*archive, NOW).unwrap(), MANY as u64));
    let stored = blocks.iter().map(Vec::len).sum::<usize>();
    shape.assert_at_most("an import of blocks", import.saturating_sub(stored), limit + (1 << 20));
}

/// The peak of allocated bytes during the call, beyond those that were allocated before.
fn peak(pass: &mut dyn FnMut()) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    pass();
    ALLOCATOR.peak_usage() - before
}

/// A store with these blocks.
fn stored<T: Transaction>(blocks: &[Vec<u8>]) -> Shared {
    let store = Shared::default();
    let mut chain = Blockchain::<T>::open(spec(), ChainConfig::default(), Box::new(store.clone())).unwrap();
    for bytes in blocks {
        let _ = chain.import(read(bytes), NOW).unwrap();
    }
    store
}

/// A store that outlives the chain.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Memory>>);

impl Store for Shared {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.lock().unwrap().get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.0.lock().unwrap().scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.lock().unwrap().commit(batch)
    }
}

type Check<T> = fn(&Shape<T>);

fn trials<T: Transaction>(shapes: fn() -> Vec<Shape<T>>) -> Vec<Trial> {
    let limits: [(&str, Check<T>); 5] = [
        ("orphans", orphans),
        ("waiting_bodies", waiting_bodies),
        ("cached_blocks", cached_blocks),
        ("pending_transactions", pending_transactions),
        ("passes_over_a_chain", passes_over_a_chain),
    ];
    let mut trials = Vec::new();
    for (what, check) in limits {
        for (index, shape) in shapes().into_iter().enumerate() {
            // A mempool has no equal transactions, so a shape without unique values cannot fill it.
            if what == "pending_transactions" && index < 2 && shapes().len() > 1 {
                continue;
            }
            let name = format!("{what}::{}", shape.name.replace(' ', "_"));
            trials.push(Trial::test(name, move || {
                check(&shape);
                Ok::<(), Failed>(())
            }));
        }
    }
    trials
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut all = trials(texts);
    all.extend(trials(records));
    #[cfg(all(
        feature = "test-utils",
        feature = "ws-bincode",
        feature = "ws-json",
        feature = "ws-postcard"
    ))]
    all.extend(formats::trials());
    #[cfg(feature = "http")]
    all.extend(pages::trials());
    libtest_mimic::run(&arguments, all).exit_code()
}
