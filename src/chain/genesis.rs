//! The beginning of a chain, computed from its spec.

use std::sync::Arc;

use crate::consensus::{ChainSpec, GenesisError};
use crate::primitives::{Block, Transaction};

/// The genesis block and the first state.
#[derive(Debug)]
pub(super) struct Genesis<T: Transaction> {
    pub(super) block: Arc<Block<T>>,
    /// The state before any transaction.
    pub(super) state: T::State,
}

impl<T: Transaction> Genesis<T> {
    pub(super) fn of(spec: &ChainSpec) -> Result<Self, GenesisError> {
        let (block, state) = spec.genesis_and_state()?;
        Ok(Self { block: Arc::new(block), state })
    }
}
