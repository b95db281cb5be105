//! Full blocks, imported one by one and in batches, with and without decoding, and the parts of an import.

use core::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hashloom::mempool::{Mempool, MempoolConfig};
use hashloom::primitives::merkle::{self, CompactRange};
use hashloom::{Block, Blockchain};

use super::forge::{Forge, NOW};
use super::table::Table;
use super::ways::{self, Way};
use super::{floor, headers};

/// The blocks of a turn and of a batch.
const TURN: usize = 100;

/// The texts of a block, and the bytes of a text.
pub(crate) const TEXTS: usize = 4;
pub(crate) const TEXT: usize = 150;

pub(crate) struct Blocks {
    pub(crate) tables: [Table; 2],
    /// Blocks per second, by way.
    pub(crate) rates: Vec<(&'static str, f64)>,
}

/// The next block, full of texts.
pub(crate) fn next(forge: &mut Forge) -> Result<Arc<Block>> {
    forge.next(|height| (0..TEXTS).map(|index| format!("{height:0>width$}", width = TEXT - index)).collect())
}

pub(crate) fn measure(count: usize, rounds: usize) -> Result<Blocks> {
    let mut forge = Forge::new()?;
    let blocks = (0..count).map(|_| next(&mut forge)).collect::<Result<Vec<_>>>()?;
    let bytes =
        blocks.iter().map(|block| Ok(postcard::to_allocvec(&**block)?)).collect::<Result<Vec<_>>>()?;

    let mut bare = Way::new("the compressions that a block asks for, bare");
    let mut single = Way::new("`import`");
    let mut batched = Way::new("`import_all` of a hundred");
    let mut decoded = Way::new("decode and `import`");
    let mut decoded_batch = Way::new("decode and `import_all` of a hundred");
    let mut ahead = Way::new("`import_headers` of a hundred, then `import_all`");
    let mut followed = Way::new("`import_all` of a hundred, and the mempool follows");
    let mut pieces = Pieces::new();

    for _ in 0..rounds {
        let mut chains = [(); 6].map(|()| headers::empty(count));
        let [by_one, by_batch, by_bytes, by_byte_batch, by_header, with_mempool] = &mut chains;
        let (by_one, by_batch, by_bytes) = (of(by_one)?, of(by_batch)?, of(by_bytes)?);
        let (by_byte_batch, by_header) = (of(by_byte_batch)?, of(by_header)?);
        let with_mempool = of(with_mempool)?;
        let mut mempool = Mempool::new(with_mempool, MempoolConfig::default());
        pieces.begin(by_one.genesis());
        for (blocks, bytes) in blocks.chunks(TURN).zip(bytes.chunks(TURN)) {
            let len = blocks.len();
            bare.note(floor::compress(blocks.iter().map(|block| compressions(block)).sum()), len);
            single.note(
                timed(|| {
                    for block in blocks {
                        let _ = black_box(by_one.import(Arc::clone(block), NOW)?);
                    }
                    Ok(())
                })?,
                len,
            );
            batched.note(timed(|| import_all(by_batch, blocks.iter().cloned()))?, len);
            decoded.note(
                timed(|| {
                    for bytes in bytes {
                        let _ = black_box(by_bytes.import(Arc::new(postcard::from_bytes(bytes)?), NOW)?);
                    }
                    Ok(())
                })?,
                len,
            );
            decoded_batch.note(
                timed(|| {
                    let read = |bytes: &Vec<u8>| Ok(Arc::new(postcard::from_bytes(bytes)?));
                    import_all(by_byte_batch, bytes.iter().map(read).collect::<Result<Vec<_>>>()?)
                })?,
                len,
            );
            ahead.note(
                timed(|| {
                    let headers: Vec<_> = blocks.iter().map(|block| *block.header()).collect();
                    ensure!(by_header.import_headers(&headers, NOW)? == len, "a header was known");
                    import_all(by_header, blocks.iter().cloned())
                })?,
                len,
            );
            followed.note(
                timed(|| {
                    let imported = with_mempool.import_all(blocks.iter().cloned(), NOW)?;
                    mempool.update(&imported, with_mempool, NOW);
                    Ok(())
                })?,
                len,
            );
            pieces.measure(blocks, bytes)?;
        }
        for chain in [by_one, by_batch, by_bytes, by_byte_batch, by_header, with_mempool] {
            ensure!(chain.tip() == &blocks[count - 1], "a chain ends at height {}", chain.height());
        }
    }

    let title = format!("{count} blocks of {TEXTS} texts of {TEXT} bytes, into a chain in memory");
    let imports = [&bare, &single, &batched, &decoded, &decoded_batch, &ahead, &followed];
    let Pieces { decode, digest, merkle_root, history_root, .. } = &pieces;
    let pieces = [&bare, decode, digest, merkle_root, history_root];
    let tables =
        [ways::table(&title, "µs a block", &imports), ways::table("Pieces of that", "µs a block", &pieces)];
    let rates = [("`import`", &single), ("decode and `import_all`", &decoded_batch)];
    Ok(Blocks { tables, rates: rates.map(|(name, way)| (name, way.rate())).into() })
}

/// The parts of an import.
struct Pieces {
    decode: Way,
    digest: Way,
    merkle_root: Way,
    history_root: Way,
    history: CompactRange,
}

impl Pieces {
    const fn new() -> Self {
        Self {
            decode: Way::new("decode"),
            digest: Way::new("digest: canonical bytes, their hashes and the Merkle root"),
            merkle_root: Way::new("Merkle root"),
            history_root: Way::new("history root"),
            history: CompactRange::new(),
        }
    }

    /// Starts a new chain.
    fn begin(&mut self, genesis: &Block) {
        self.history = [merkle::leaf_hash(genesis.hash().as_bytes())].into_iter().collect();
    }

    /// Measures a turn with these blocks and their bytes.
    fn measure(&mut self, blocks: &[Arc<Block>], bytes: &[Vec<u8>]) -> Result<()> {
        let len = blocks.len();
        self.decode.note(
            timed(|| {
                for bytes in bytes {
                    black_box(postcard::from_bytes::<Block>(bytes)?);
                }
                Ok(())
            })?,
            len,
        );
        let mut digests = Vec::with_capacity(len);
        let elapsed = timed(|| {
            for block in blocks {
                digests.push(block.digest()?);
            }
            Ok(())
        })?;
        self.digest.note(elapsed, len);
        let elapsed = timed(|| {
            for (digest, block) in digests.iter().zip(blocks) {
                ensure!(merkle::root(&digest.ids) == block.header().merkle_root, "another Merkle root");
            }
            Ok(())
        })?;
        self.merkle_root.note(elapsed, len);
        self.history_root.note(
            timed(|| {
                for block in blocks {
                    ensure!(self.history.root() == block.header().history_root, "another history");
                    self.history.push(merkle::leaf_hash(block.hash().as_bytes()));
                }
                Ok(())
            })?,
            len,
        );
        Ok(())
    }
}

fn of(chain: &mut Result<Blockchain>) -> Result<&mut Blockchain> {
    chain.as_mut().map_err(|error| anyhow::anyhow!("{error}"))
}

fn import_all(chain: &mut Blockchain, blocks: impl IntoIterator<Item = Arc<Block>>) -> Result<()> {
    let imported = black_box(chain.import_all(blocks, NOW)?);
    ensure!(imported.verdicts.iter().all(Result::is_ok), "a block was refused");
    Ok(())
}

fn timed(run: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

fn compressions(block: &Block) -> u32 {
    // Postcard encodes the length of a text of this size in two bytes.
    let leaves = block.data().iter().map(|text| 2 + text.len());
    floor::of_header(block.header()) + floor::of_body(leaves)
}
