//! Chains with many small blocks.

use anyhow::{Result, ensure};
use hashloom::Blockchain;

use super::forge::{Forge, NOW};

/// The most blocks that are in memory beside the chain.
const BATCH: u64 = 1_000;

/// Imports this many small blocks into a chain of genesis alone.
pub(crate) fn grow(chain: &mut Blockchain, blocks: u64) -> Result<()> {
    let mut forge = Forge::new()?;
    while chain.height() < blocks {
        let count = BATCH.min(blocks - chain.height());
        let batch =
            (0..count).map(|_| forge.next(|height| vec![height.to_string()])).collect::<Result<Vec<_>>>()?;
        let imported = chain.import_all(batch, NOW)?;
        ensure!(imported.verdicts.iter().all(Result::is_ok), "a block was refused");
    }
    Ok(())
}
