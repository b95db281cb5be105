//! The header: 180 bytes that commit to the whole block. Defines the layout; validates nothing.

use core::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hash::Hash;
use super::sha256;
use super::target::CompactTarget;
use super::transaction::Context;
use super::units::{Address, Timestamp};

/// A block's header. Its [`hash`](Self::hash) is the block's identity and its proof of work.
///
/// The encoding is 180 bytes, every integer big-endian:
///
/// | bytes | field |
/// | --- | --- |
/// | 0..4 | `version` |
/// | 4..12 | `height` |
/// | 12..44 | `previous_hash` |
/// | 44..76 | `merkle_root` |
/// | 76..108 | `history_root` |
/// | 108..140 | `state_root` |
/// | 140..148 | `timestamp` |
/// | 148..152 | `target` |
/// | 152..172 | `miner` |
/// | 172..180 | `nonce` |
///
/// The nonce comes last, so one attempt of a miner is one SHA-256 compression from a midstate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the block format and rules; [`Header::VERSION`].
    pub version: u32,
    /// The number of blocks before this one; 0 for the genesis block.
    pub height: u64,
    /// The parent's hash. In the genesis block, which has no parent, the
    /// [`commitment`](crate::ChainSpec::commitment) to the chain's spec.
    pub previous_hash: Hash,
    /// RFC 6962 tree hash over the canonical bytes of this block's transactions.
    pub merkle_root: Hash,
    /// RFC 6962 tree hash over the hashes of all blocks before this one.
    pub history_root: Hash,
    /// The application's state root after this block; zeros if it does not commit to its state.
    pub state_root: Hash,
    /// The time that the miner claims for the block.
    pub timestamp: Timestamp,
    /// The target that the hash has to meet.
    pub target: CompactTarget,
    /// The miner's address.
    pub miner: Address,
    /// The value that the miner varies; below [`Header::NONCE_LIMIT`].
    pub nonce: u64,
}

impl Header {
    /// The length of the encoding in bytes.
    pub const LEN: usize = 180;
    /// The version that this crate writes and accepts.
    pub const VERSION: u32 = 1;
    /// Nonces are below 2^53, so that a nonce is exact as a number in JavaScript.
    pub const NONCE_LIMIT: u64 = 1 << 53;

    /// SHA-256 of the encoding.
    pub fn hash(&self) -> Hash {
        Hash::digest(&self.to_bytes())
    }

    /// The [hash](Self::hash) of each header, much faster than one after the other if there are many.
    pub(crate) fn hashes(headers: &[Self]) -> Vec<Hash> {
        sha256::digest_fixed::<0, { Self::LEN }, 3, _, _>([], headers.iter(), Self::write, Hash::from_bytes)
    }

    /// The context of this block's transactions in the chain with this genesis block. A chain calls
    /// [`Transaction::apply`](crate::Transaction::apply) and [`end_block`](crate::Transaction::end_block) with it, and tests
    /// of them can do so too.
    pub const fn context<'a>(&'a self, genesis: &'a Hash) -> Context<'a> {
        Context {
            genesis,
            height: self.height,
            timestamp: self.timestamp,
            miner: self.miner,
            previous_hash: &self.previous_hash,
            author: None,
        }
    }

    /// The 180 bytes.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        self.write(&mut bytes);
        bytes
    }

    /// Writes the 180 bytes.
    #[inline]
    pub(super) fn write(&self, bytes: &mut [u8; Self::LEN]) {
        bytes[0..4].copy_from_slice(&self.version.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.height.to_be_bytes());
        bytes[12..44].copy_from_slice(self.previous_hash.as_bytes());
        bytes[44..76].copy_from_slice(self.merkle_root.as_bytes());
        bytes[76..108].copy_from_slice(self.history_root.as_bytes());
        bytes[108..140].copy_from_slice(self.state_root.as_bytes());
        bytes[140..148].copy_from_slice(&self.timestamp.as_millis().to_be_bytes());
        bytes[148..152].copy_from_slice(&self.target.to_bits().to_be_bytes());
        bytes[152..172].copy_from_slice(self.miner.as_bytes());
        bytes[172..180].copy_from_slice(&self.nonce.to_be_bytes());
    }

    /// Decodes the 180 bytes. Every input decodes to a header; the consensus checks decide whether the header
    /// is valid.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            version: u32::from_be_bytes(field(bytes, 0)),
            height: u64::from_be_bytes(field(bytes, 4)),
            previous_hash: Hash::from_bytes(field(bytes, 12)),
            merkle_root: Hash::from_bytes(field(bytes, 44)),
            history_root: Hash::from_bytes(field(bytes, 76)),
            state_root: Hash::from_bytes(field(bytes, 108)),
            timestamp: Timestamp::from_millis(u64::from_be_bytes(field(bytes, 140))),
            target: CompactTarget::from_bits(u32::from_be_bytes(field(bytes, 148))),
            miner: Address::from_bytes(field(bytes, 152)),
            nonce: u64::from_be_bytes(field(bytes, 172)),
        }
    }
}

/// The `N` bytes at `offset`, which must be within the header.
fn field<const N: usize>(bytes: &[u8; Header::LEN], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[offset..offset + N]);
    field
}

/// The fields by name, for human-readable formats.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(remote = "Header", deny_unknown_fields)]
struct HeaderFields {
    version: u32,
    height: u64,
    previous_hash: Hash,
    merkle_root: Hash,
    history_root: Hash,
    state_root: Hash,
    timestamp: Timestamp,
    target: CompactTarget,
    miner: Address,
    nonce: u64,
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Header {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        HeaderFields::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Header {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        HeaderFields::schemas(schemas);
    }
}

impl Serialize for Header {
    /// The fields by name in human-readable formats, the 180 bytes in the others.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return HeaderFields::serialize(self, serializer);
        }
        let mut tuple = serializer.serialize_tuple(Self::LEN)?;
        for byte in self.to_bytes() {
            tuple.serialize_element(&byte)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return HeaderFields::deserialize(deserializer);
        }
        deserializer.deserialize_tuple(Self::LEN, HeaderBytesVisitor)
    }
}

struct HeaderBytesVisitor;

impl<'de> Visitor<'de> for HeaderBytesVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} bytes of a header", Header::LEN)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Header, A::Error> {
        let mut bytes = [0; Header::LEN];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(index, &self))?;
        }
        Ok(Header::from_bytes(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_header() -> impl Strategy<Value = Header> {
        proptest::collection::vec(any::<u8>(), Header::LEN)
            .prop_map(|bytes| Header::from_bytes(bytes.as_slice().try_into().unwrap()))
    }

    proptest! {
        #[test]
        fn every_encoding_round_trips(header in any_header()) {
            let bytes = header.to_bytes();
            prop_assert_eq!(Header::from_bytes(&bytes), header);
            prop_assert_eq!(postcard::to_allocvec(&header).unwrap(), bytes.to_vec());
            prop_assert_eq!(postcard::from_bytes::<Header>(&bytes).unwrap(), header);
            let json = serde_json::to_string(&header).unwrap();
            prop_assert_eq!(serde_json::from_str::<Header>(&json).unwrap(), header);
        }
    }

    #[test]
    fn fields_lie_where_the_layout_says() {
        let header = Header {
            version: 1,
            height: 2,
            previous_hash: Hash::from_bytes([3; 32]),
            merkle_root: Hash::from_bytes([4; 32]),
            history_root: Hash::from_bytes([5; 32]),
            state_root: Hash::from_bytes([6; 32]),
            timestamp: Timestamp::from_millis(7),
            target: CompactTarget::from_bits(8),
            miner: Address::from_bytes([9; 20]),
            nonce: 10,
        };
        let expected = [
            "00000001",
            "0000000000000002",
            &"03".repeat(32),
            &"04".repeat(32),
            &"05".repeat(32),
            &"06".repeat(32),
            "0000000000000007",
            "00000008",
            &"09".repeat(20),
            "000000000000000a",
        ];
        assert_eq!(hex::encode(header.to_bytes()), expected.concat());
    }

    #[test]
    fn a_claim_that_is_no_field_is_refused() {
        let header = Header::from_bytes(&[0; Header::LEN]);
        let mut json = serde_json::to_value(header).unwrap();
        json["difficulty"] = 200.into();
        let error = serde_json::from_value::<Header>(json).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `difficulty`"), "{error}");
    }

    #[test]
    fn a_short_encoding_is_refused() {
        assert!(postcard::from_bytes::<Header>(&[0; 179]).is_err());
    }
}
