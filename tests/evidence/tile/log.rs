//! Chains with hardly any proof of work.

use std::sync::LazyLock;

use hashloom::primitives::Target;
use hashloom::store::Memory;
use hashloom::{Blockchain, ChainConfig, ChainSpec, Hash, Retarget, Store, Timestamp};

/// The size of the log that the specification of tiles has as its example.
pub(super) const TALL: u64 = 70_000;

/// A chain whose tip has the root of the log of [`TALL`] blocks.
pub(super) static LOG: LazyLock<Blockchain> =
    LazyLock::new(|| chain(TALL, ChainConfig::default(), Box::new(Memory::new())));

/// A chain of this height. All such chains have the same blocks.
pub(super) fn chain(height: u64, config: ChainConfig, store: Box<dyn Store>) -> Blockchain {
    let builder =
        ChainSpec::builder("tiles").easiest_target(Target::MAX.to_compact()).retarget(Retarget::Fixed);
    let mut chain = Blockchain::open(builder.build().unwrap(), config, store).unwrap();
    extend(&mut chain, height);
    chain
}

/// Mines empty blocks up to this height.
pub(super) fn extend(chain: &mut Blockchain, height: u64) {
    let now = Timestamp::from_millis(u64::MAX >> 1);
    while chain.height() < height {
        let block = chain.template(Vec::new(), now).unwrap().mine().unwrap();
        assert!(chain.import(block.into(), now).unwrap().is_extension());
    }
}

/// The hashes of the first blocks.
pub(super) fn entries(size: u64) -> Vec<Hash> {
    (0..size).map(|height| LOG.header_at(height).unwrap().unwrap().hash()).collect()
}
