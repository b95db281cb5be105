//! An exported chain can be imported, and nothing else is accepted: every flipped byte, every truncation and
//! every forged record ends in an error that names it, after the blocks before it were imported.

mod damage;
mod forged;
mod round_trip;

use std::sync::Arc;

use crate::archive::ImportError;
use crate::consensus::ChainSpecBuilder;
use crate::{Block, Blockchain, ChainSpec, CompactTarget, Retarget, Timestamp};

/// The time at which the blocks of these tests are mined and imported.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn builder(name: &str) -> ChainSpecBuilder {
    let easy = CompactTarget::from_bits(0x2000_ffff);
    ChainSpec::builder(name).easiest_target(easy).retarget(Retarget::Fixed).max_block_bytes(4_096)
}

fn empty() -> Blockchain {
    Blockchain::new(builder("test").build().unwrap())
}

fn mined(chain: &Blockchain, data: &[&str]) -> Arc<Block> {
    let data = data.iter().map(ToString::to_string).collect();
    Arc::new(chain.template(data, NOW).unwrap().mine().unwrap())
}

fn extend(chain: &mut Blockchain, data: &[&str]) {
    let block = mined(chain, data);
    let _ = chain.import(block, NOW).unwrap();
}

/// A chain of three blocks, with two texts, none, and one.
fn small() -> Blockchain {
    let mut chain = empty();
    for data in [&["one", "two"][..], &[], &["three"]] {
        extend(&mut chain, data);
    }
    chain
}

fn exported(chain: &Blockchain) -> Vec<u8> {
    let mut file = Vec::new();
    assert_eq!(chain.export(.., &mut file).unwrap(), chain.height());
    file
}

/// Imports a file into a new chain, and returns the chain and the result.
fn imported(file: &[u8]) -> (Blockchain, Result<u64, ImportError>) {
    let mut chain = empty();
    let result = chain.import_archive(file, NOW);
    (chain, result)
}

fn blocks(chain: &Blockchain) -> Vec<Arc<Block>> {
    chain.blocks(..).map(Result::unwrap).collect()
}

/// A separate chain with equal blocks.
fn copy_of(chain: &Blockchain) -> Blockchain {
    let mut copy = empty();
    for block in &blocks(chain)[1..] {
        let _ = copy.import(Arc::clone(block), NOW).unwrap();
    }
    copy
}

/// Asserts that `chain` is valid, and is the lower part of `whole`.
fn assert_prefix(chain: &Blockchain, whole: &Blockchain) {
    assert_eq!(chain.verify(..), Ok(()));
    assert_eq!(blocks(chain), blocks(whole)[..blocks(chain).len()]);
}
