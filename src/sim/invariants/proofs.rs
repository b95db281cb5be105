//! No header without proof of work is accepted.

use super::{Breach, Invariant, Observation};
use crate::primitives::Target;

/// The hash of the best known header, which determines the blocks to download, meets its target.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadersCostWork;

impl Invariant for HeadersCostWork {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let chain = observed.protocol.chain();
        let (hash, header) = chain.best_header();
        let is_met = Target::try_from(header.target).is_ok_and(|target| target.is_met_by(hash));
        // Genesis is not mined.
        if is_met || header.height == 0 { Ok(()) } else { Err(Breach::FreeHeader { hash: *hash }) }
    }
}
