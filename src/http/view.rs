//! How values of the chain look in JSON over HTTP. Only for reading: nothing here is parsed back.

use serde::Serialize;

use super::error::{ApiError, Code};
use crate::{Address, Block, CompactTarget, Difficulty, Hash, Target, Timestamp};

/// A block with its hash and its header's fields side by side.
#[derive(Debug, Serialize)]
pub(super) struct BlockView<'a, T> {
    height: u64,
    hash: &'a Hash,
    previous_hash: &'a Hash,
    merkle_root: &'a Hash,
    history_root: &'a Hash,
    state_root: &'a Hash,
    timestamp: Timestamp,
    target: CompactTarget,
    /// How many times harder than the chain's easiest target.
    difficulty: Option<Difficulty>,
    miner: &'a Address,
    nonce: u64,
    version: u32,
    data: &'a [T],
}

impl<'a, T> BlockView<'a, T> {
    pub(super) fn new(block: &'a Block<T>, easiest: CompactTarget) -> Self {
        let header = block.header();
        Self {
            height: header.height,
            hash: block.hash(),
            previous_hash: &header.previous_hash,
            merkle_root: &header.merkle_root,
            history_root: &header.history_root,
            state_root: &header.state_root,
            timestamp: header.timestamp,
            target: header.target,
            difficulty: difficulty(easiest, header.target),
            miner: &header.miner,
            nonce: header.nonce,
            version: header.version,
            data: block.data(),
        }
    }
}

/// A pending transaction.
#[derive(Debug, Serialize)]
pub(super) struct TransactionView<'a, T> {
    pub(super) id: &'a Hash,
    pub(super) data: &'a T,
}

/// One value as JSON.
pub(super) fn to_json<V: Serialize>(value: &V) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(not_json)
}

/// A list that ends with the item that brings it to `max_bytes`, and how many items it has.
pub(super) fn to_json_list<V: Serialize>(
    items: impl IntoIterator<Item = V>,
    max_bytes: usize,
) -> Result<(Vec<u8>, usize), ApiError> {
    let mut json = vec![b'['];
    let mut count = 0;
    for item in items {
        if count > 0 {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &item).map_err(not_json)?;
        count += 1;
        if json.len() >= max_bytes {
            break;
        }
    }
    json.push(b']');
    Ok((json, count))
}

/// Nothing where a target stands for no number, which no block of a chain has.
fn difficulty(easiest: CompactTarget, target: CompactTarget) -> Option<Difficulty> {
    Some(Difficulty::new(Target::try_from(easiest).ok()?, Target::try_from(target).ok()?))
}

/// Only an application's own transaction type can fail, such as a map whose keys are no strings.
#[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
fn not_json(error: serde_json::Error) -> ApiError {
    ApiError::new(Code::Internal, format!("a value has no JSON form: {error}"))
}
