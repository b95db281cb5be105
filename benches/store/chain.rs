//! Chains on disk and in memory, and the blocks for them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use hashloom::store::Redb;
use hashloom::{Block, Blockchain, ChainConfig};

use super::forge::{Forge, NOW, spec};

pub(crate) fn open(directory: &Path, config: ChainConfig) -> Result<Blockchain> {
    Ok(Blockchain::open(spec()?, config, Box::new(Redb::open(directory)?))?)
}

pub(crate) fn in_memory() -> Result<Blockchain> {
    Ok(Blockchain::new(spec()?))
}

/// Blocks with one text of `bytes` bytes each, from height 1 on.
pub(crate) fn blocks(count: usize, bytes: usize) -> Result<Vec<Arc<Block>>> {
    take(&mut Forge::new()?, count, bytes)
}

/// Extends an empty chain with small blocks, which are committed in batches.
pub(crate) fn grow(chain: &mut Blockchain, count: u64, batch: usize) -> Result<()> {
    let mut forge = Forge::new()?;
    while chain.height() < count {
        let blocks = take(&mut forge, batch.min(usize::try_from(count - chain.height())?), 24)?;
        let made = blocks.len();
        ensure!(chain.import_all(blocks, NOW)?.connected.len() == made, "a block was refused");
    }
    Ok(())
}

fn take(forge: &mut Forge, count: usize, bytes: usize) -> Result<Vec<Arc<Block>>> {
    (0..count).map(|_| forge.next(|height| vec![format!("{height:0>bytes$}")])).collect()
}
