//! What is exported comes back, and nothing else gets in: every flipped byte, every truncation and every forged
//! record ends in an error by name, with the blocks before it in the chain.

mod damage;
mod forged;
mod round_trip;

use std::sync::Arc;

use crate::{
    Block, Blockchain, ChainSpec, ChainSpecBuilder, CompactTarget, ImportError, Retarget, Timestamp,
};

/// A clock that is ahead of every block that is made here.
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

/// Three blocks: two texts, none, one.
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

/// Imports a file into an empty chain and returns what the chain is then.
fn imported(file: &[u8]) -> (Blockchain, Result<u64, ImportError>) {
    let mut chain = empty();
    let result = chain.import_archive(file, NOW);
    (chain, result)
}

fn blocks(chain: &Blockchain) -> Vec<Arc<Block>> {
    chain.blocks(..).map(Result::unwrap).collect()
}

/// Another chain with the same blocks.
fn copy_of(chain: &Blockchain) -> Blockchain {
    let mut copy = empty();
    for block in &blocks(chain)[1..] {
        let _ = copy.import(Arc::clone(block), NOW).unwrap();
    }
    copy
}

/// Asserts that `chain` is the lower part of `whole`, and sound.
fn assert_prefix(chain: &Blockchain, whole: &Blockchain) {
    assert_eq!(chain.verify(..), Ok(()));
    assert_eq!(blocks(chain), blocks(whole)[..blocks(chain).len()]);
}
