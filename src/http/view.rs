//! JSON forms of the chain's values for HTTP. They are only serialized, never parsed.

use hyper::http::StatusCode;
use serde::Serialize;

use super::error::{ApiError, Code};
use super::response::{Response, json_body};
use crate::primitives::{Difficulty, Target, Transaction};
use crate::{Address, Block, CompactTarget, Hash, Header, Timestamp};

/// A block: its hash, the fields of its header, and its transactions with their ids.
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
    transaction_ids: Vec<Hash>,
    data: &'a [T],
}

impl<'a, T: Transaction> BlockView<'a, T> {
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
            // An imported block has an encoding.
            transaction_ids: block.digest().map(|digest| digest.ids).unwrap_or_default(),
            data: block.data(),
        }
    }
}

/// A block on a side branch, without its transactions.
#[derive(Debug, Serialize)]
pub(super) struct SideBlockView<'a> {
    height: u64,
    hash: &'a Hash,
    previous_hash: &'a Hash,
    timestamp: Timestamp,
    difficulty: Option<Difficulty>,
    miner: &'a Address,
}

impl<'a> SideBlockView<'a> {
    pub(super) fn new(hash: &'a Hash, header: &'a Header, easiest: CompactTarget) -> Self {
        Self {
            height: header.height,
            hash,
            previous_hash: &header.previous_hash,
            timestamp: header.timestamp,
            difficulty: difficulty(easiest, header.target),
            miner: &header.miner,
        }
    }
}

/// A pending transaction.
#[derive(Debug, Serialize)]
pub(super) struct TransactionView<'a, T> {
    pub(super) id: &'a Hash,
    pub(super) data: &'a T,
}

/// A response with one value as JSON.
pub(super) fn json<V: Serialize>(status: StatusCode, value: &V) -> Result<Response, ApiError> {
    Ok(json_body(status, to_json(value)?))
}

/// Serializes one value as JSON.
pub(super) fn to_json<V: Serialize>(value: &V) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(not_json)
}

/// Serializes a list up to the item that reaches `max_bytes`. Returns the JSON and the number of items.
pub(super) fn to_json_list<V: Serialize>(
    items: impl IntoIterator<Item = V>,
    max_bytes: usize,
) -> Result<(Vec<u8>, usize), ApiError> {
    list(items, max_bytes, |item, json| serde_json::to_writer(json, &item).map_err(not_json))
}

/// Writes a list in JSON up to the item that reaches `max_bytes`; `write` appends one item. Returns the JSON and the
/// number of items.
pub(super) fn list<V>(
    items: impl IntoIterator<Item = V>,
    max_bytes: usize,
    write: impl Fn(V, &mut Vec<u8>) -> Result<(), ApiError>,
) -> Result<(Vec<u8>, usize), ApiError> {
    let (mut json, mut count) = (vec![b'['], 0);
    for item in items {
        if count > 0 {
            json.push(b',');
        }
        write(item, &mut json)?;
        count += 1;
        if json.len() >= max_bytes {
            break;
        }
    }
    json.push(b']');
    Ok((json, count))
}

/// `None` if a compact target is not valid, which is impossible for a block of a chain.
fn difficulty(easiest: CompactTarget, target: CompactTarget) -> Option<Difficulty> {
    Some(Difficulty::new(Target::try_from(easiest).ok()?, Target::try_from(target).ok()?))
}

/// Only the application's transaction type can fail, for example a map whose keys are not strings.
#[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
fn not_json(error: serde_json::Error) -> ApiError {
    ApiError::new(Code::Internal, format!("a value has no JSON form: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainSpec;
    use crate::primitives::transaction_id;
    use serde_json::json;

    #[test]
    fn a_block_has_exactly_the_documented_fields() {
        let header = Header {
            version: 1,
            height: 3,
            previous_hash: Hash::digest(&3_u64.to_be_bytes()),
            merkle_root: Hash::ZERO,
            history_root: Hash::ZERO,
            state_root: Hash::ZERO,
            timestamp: Timestamp::from_millis(1_003),
            // Four times harder than the easiest target.
            target: CompactTarget::from_bits(0x1e3f_ffc0),
            miner: Address::from_bytes([0xab; 20]),
            nonce: 42,
        };
        let block = Block::new(header, vec!["block 3".to_owned()]);
        assert_eq!(
            serde_json::to_value(BlockView::new(&block, ChainSpec::default().easiest_target())).unwrap(),
            json!({
                "height": 3,
                "hash": block.hash().to_string(),
                "previous_hash": Hash::digest(&3_u64.to_be_bytes()).to_string(),
                "merkle_root": "00".repeat(32),
                "history_root": "00".repeat(32),
                "state_root": "00".repeat(32),
                "timestamp": 1003,
                "target": "1e3fffc0",
                "difficulty": 4.0,
                "miner": "ab".repeat(20),
                "nonce": 42,
                "version": 1,
                "transaction_ids": [transaction_id(&"block 3".to_owned()).unwrap().to_string()],
                "data": ["block 3"],
            })
        );
    }
}
