//! Signed checkpoints in the store of a chain, each under a key of its own in [`Table::Meta`].

use super::{Checkpoint, SignedNote};
use crate::chain::Blockchain;
use crate::primitives::Transaction;
use crate::store::{Batch, StoreError, Table, seal, unseal};

/// Reads a checkpoint; `None` if there is none.
pub(super) fn read<T: Transaction>(
    chain: &Blockchain<T>,
    key: &[u8],
) -> Result<Option<(Checkpoint, SignedNote)>, StoreError> {
    let Some(value) = chain.store().get(Table::Meta, key)? else { return Ok(None) };
    let parse = |value| {
        let note = SignedNote::parse(unseal(Table::Meta, key, value)?).ok()?;
        Some((note.text().parse().ok()?, note))
    };
    let damaged =
        || StoreError::damaged(Table::Meta, String::from_utf8_lossy(key), "is no signed checkpoint");
    parse(&value).map(Some).ok_or_else(damaged)
}

/// Writes a checkpoint, which is durable when this returns.
pub(super) fn write<T: Transaction>(
    chain: &mut Blockchain<T>,
    key: &[u8],
    note: &SignedNote,
) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(Table::Meta, key, seal(Table::Meta, key, note.to_string().into_bytes()));
    chain.commit_aside(&batch)
}
