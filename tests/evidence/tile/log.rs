//! A chain with hardly any proof of work, as long as the largest log of the tests.

use std::sync::LazyLock;

use hashloom::primitives::Target;
use hashloom::{Blockchain, ChainSpec, Hash, Retarget, Timestamp};

/// The size of the log that the specification of tiles has as its example.
pub(super) const TALL: u64 = 70_000;

/// A chain whose tip has the root of the log of [`TALL`] blocks.
pub(super) static LOG: LazyLock<Blockchain> = LazyLock::new(|| {
    let builder =
        ChainSpec::builder("tiles").easiest_target(Target::MAX.to_compact()).retarget(Retarget::Fixed);
    let mut chain = Blockchain::new(builder.build().unwrap());
    let now = Timestamp::from_millis(u64::MAX >> 1);
    while chain.height() < TALL {
        let block = chain.template(Vec::new(), now).unwrap().mine().unwrap();
        assert!(chain.import(block.into(), now).unwrap().is_extension());
    }
    chain
});

/// The hashes of the first blocks.
pub(super) fn entries(size: u64) -> Vec<Hash> {
    (0..size).map(|height| LOG.header_at(height).unwrap().unwrap().hash()).collect()
}
