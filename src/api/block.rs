//! Blocks and headers: the fields of the header with the hash of it.

use serde::{Deserialize, Serialize};

use crate::primitives::{
    Address, Block, CompactTarget, Difficulty, EncodeError, Hash, Header, Target, Timestamp, Transaction,
};

/// A header with its hash: `GET /headers/{height or hash}`, and the items of `GET /headers`.
///
/// [`Header`] has a conversion from this type, which fails if the hash is not that of the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct HeaderView {
    /// The number of blocks before this one.
    pub height: u64,
    /// The hash of the header, which identifies the block.
    pub hash: Hash,
    /// The hash of the parent.
    pub previous_hash: Hash,
    /// The root of the tree over the transactions.
    pub merkle_root: Hash,
    /// The root of the tree over the hashes of all blocks before this one.
    pub history_root: Hash,
    /// The root of the application's state after the block.
    pub state_root: Hash,
    /// When the block was mined, as the miner claims.
    pub timestamp: Timestamp,
    /// The target that the hash meets.
    pub target: CompactTarget,
    /// How many times harder than the easiest target of the chain.
    pub difficulty: Option<Difficulty>,
    /// The address of the miner.
    pub miner: Address,
    /// The value that the miner has varied.
    pub nonce: u64,
    /// The version of the block format and rules.
    pub version: u32,
}

/// A block: `GET /blocks/{height or hash}`, `GET /blocks/latest`, the items of `GET /blocks`, and the answer to
/// `POST /mine`.
///
/// [`Block`] has a conversion from this type, which fails if the hash is not that of the header, or the transactions are
/// not those that the header commits to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BlockView<T> {
    /// The header and the hash; in JSON, fields of the block.
    #[serde(flatten)]
    pub header: HeaderView,
    /// The ids of the transactions, in order.
    pub transaction_ids: Vec<Hash>,
    /// The transactions, in order.
    pub data: Vec<T>,
}

/// A block on a side branch, without its transactions: the items of `GET /branches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SideBlockView {
    /// The number of blocks before this one.
    pub height: u64,
    /// The hash of the header, which identifies the block.
    pub hash: Hash,
    /// The hash of the parent.
    pub previous_hash: Hash,
    /// When the block was mined, as the miner claims.
    pub timestamp: Timestamp,
    /// How many times harder than the easiest target of the chain.
    pub difficulty: Option<Difficulty>,
    /// The address of the miner.
    pub miner: Address,
}

/// Why the JSON of a block or a header is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The hash is not that of the header.
    #[error("the hash is given as {got}, and that of the header is {expected}")]
    Hash {
        /// The hash in the JSON.
        got: Hash,
        /// The hash of the header.
        expected: Hash,
    },
    /// The transactions are not those that the header commits to.
    #[error("the root of the transactions is {got}, and the header commits to {expected}")]
    MerkleRoot {
        /// The root of the transactions in the JSON.
        got: Hash,
        /// The root in the header.
        expected: Hash,
    },
    /// The ids are not those of the transactions.
    #[error("the ids are not those of the transactions")]
    TransactionIds,
    /// A transaction has no canonical bytes.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl HeaderView {
    /// The form of a header of a chain with this easiest target.
    pub fn new(header: &Header, easiest: CompactTarget) -> Self {
        Self::with_hash(header, header.hash(), easiest)
    }

    fn with_hash(header: &Header, hash: Hash, easiest: CompactTarget) -> Self {
        Self {
            height: header.height,
            hash,
            previous_hash: header.previous_hash,
            merkle_root: header.merkle_root,
            history_root: header.history_root,
            state_root: header.state_root,
            timestamp: header.timestamp,
            target: header.target,
            difficulty: difficulty(easiest, header.target),
            miner: header.miner,
            nonce: header.nonce,
            version: header.version,
        }
    }
}

impl TryFrom<HeaderView> for Header {
    type Error = ViewError;

    fn try_from(view: HeaderView) -> Result<Self, ViewError> {
        let header = Self {
            version: view.version,
            height: view.height,
            previous_hash: view.previous_hash,
            merkle_root: view.merkle_root,
            history_root: view.history_root,
            state_root: view.state_root,
            timestamp: view.timestamp,
            target: view.target,
            miner: view.miner,
            nonce: view.nonce,
        };
        let expected = header.hash();
        if view.hash != expected {
            return Err(ViewError::Hash { got: view.hash, expected });
        }
        Ok(header)
    }
}

impl<'a, T: Transaction> BlockView<&'a T> {
    /// The form of a block of a chain with this easiest target. Borrows the transactions.
    pub fn new(block: &'a Block<T>, easiest: CompactTarget) -> Self {
        Self {
            header: HeaderView::with_hash(block.header(), *block.hash(), easiest),
            // An imported block has an encoding.
            transaction_ids: block.digest().map(|digest| digest.ids).unwrap_or_default(),
            data: block.data().iter().collect(),
        }
    }
}

impl<T: Transaction> TryFrom<BlockView<T>> for Block<T> {
    type Error = ViewError;

    fn try_from(view: BlockView<T>) -> Result<Self, ViewError> {
        let block = Self::new(Header::try_from(view.header)?, view.data);
        let digest = block.digest()?;
        let (got, expected) = (digest.merkle_root(), block.header().merkle_root);
        if got != expected {
            return Err(ViewError::MerkleRoot { got, expected });
        }
        if digest.ids != view.transaction_ids {
            return Err(ViewError::TransactionIds);
        }
        Ok(block)
    }
}

impl SideBlockView {
    /// The form of a header with this hash, of a chain with this easiest target.
    pub fn new(hash: Hash, header: &Header, easiest: CompactTarget) -> Self {
        Self {
            height: header.height,
            hash,
            previous_hash: header.previous_hash,
            timestamp: header.timestamp,
            difficulty: difficulty(easiest, header.target),
            miner: header.miner,
        }
    }
}

/// `None` if a compact target is not valid, which is impossible for a block of a chain.
fn difficulty(easiest: CompactTarget, target: CompactTarget) -> Option<Difficulty> {
    Some(Difficulty::new(Target::try_from(easiest).ok()?, Target::try_from(target).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainSpec;
    use crate::primitives::{BodyDigest, transaction_id};
    use rstest::rstest;
    use serde_json::{Value, json};

    fn block() -> Block<String> {
        let data = vec!["block 3".to_owned()];
        let header = Header {
            version: 1,
            height: 3,
            previous_hash: Hash::digest(&3_u64.to_be_bytes()),
            merkle_root: BodyDigest::of(&data).unwrap().merkle_root(),
            history_root: Hash::ZERO,
            state_root: Hash::ZERO,
            timestamp: Timestamp::from_millis(1_003),
            // Four times harder than the easiest target.
            target: CompactTarget::from_bits(0x1e3f_ffc0),
            miner: Address::from_bytes([0xab; 20]),
            nonce: 42,
        };
        Block::new(header, data)
    }

    fn json_of(block: &Block<String>) -> String {
        serde_json::to_string(&BlockView::new(block, ChainSpec::default().easiest_target())).unwrap()
    }

    #[test]
    fn a_block_has_exactly_the_documented_fields_in_their_order() {
        let block = block();
        let id = transaction_id(&"block 3".to_owned()).unwrap();
        let expected = format!(
            "{{\"height\":3,\"hash\":\"{}\",\"previous_hash\":\"{}\",\"merkle_root\":\"{}\",\"history_root\":\"{zeros}\",\
             \"state_root\":\"{zeros}\",\"timestamp\":1003,\"target\":\"1e3fffc0\",\"difficulty\":4.0,\"miner\":\"{}\",\
             \"nonce\":42,\"version\":1,\"transaction_ids\":[\"{id}\"],\"data\":[\"block 3\"]}}",
            block.hash(),
            Hash::digest(&3_u64.to_be_bytes()),
            block.header().merkle_root,
            "ab".repeat(20),
            zeros = "00".repeat(32),
        );
        assert_eq!(json_of(&block), expected);
    }

    #[test]
    fn a_block_reads_back_and_becomes_the_block_again() {
        let view: BlockView<String> = serde_json::from_str(&json_of(&block())).unwrap();
        assert_eq!(Header::try_from(view.header.clone()).unwrap(), *block().header());
        assert_eq!(Block::try_from(view).unwrap(), block());
    }

    /// Integers beyond 64 bits, which a generic value of JSON does not have.
    #[test]
    fn a_transaction_is_not_read_through_a_generic_value() {
        let mut json: Value = serde_json::from_str(&json_of(&block())).unwrap();
        json["data"] = json!(["?"]);
        let text = json.to_string().replace("\"?\"", &u128::MAX.to_string());
        assert_eq!(serde_json::from_str::<BlockView<u128>>(&text).unwrap().data, [u128::MAX]);
    }

    #[rstest]
    #[case("nonce", json!(43), "the hash is given as ")]
    #[case("hash", json!(Hash::ZERO), "the hash is given as ")]
    #[case("data", json!(["another"]), "the root of the transactions is ")]
    #[case("data", json!([]), "the root of the transactions is ")]
    #[case("transaction_ids", json!([]), "the ids are not those of the transactions")]
    fn what_a_block_is_not(#[case] field: &str, #[case] value: Value, #[case] error: &str) {
        let mut json: Value = serde_json::from_str(&json_of(&block())).unwrap();
        json[field] = value;
        let view: BlockView<String> = serde_json::from_value(json).unwrap();
        let got = Block::try_from(view).unwrap_err().to_string();
        assert!(got.starts_with(error), "{got}");
    }
}
