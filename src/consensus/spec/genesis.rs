//! The start of a chain: the genesis block, and the application's state before the first transaction.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ChainSpec;
use crate::primitives::application::{self, ApplyError};
use crate::primitives::{Address, Block, Hash, Header, Panicked, Rejected, Transaction, merkle};

/// The genesis data of a spec, defined by the application; hex digits in human-readable formats.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct GenesisData(pub(super) Arc<[u8]>);

impl Default for GenesisData {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl fmt::Debug for GenesisData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for GenesisData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(&self.0))
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for GenesisData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            hex::decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?
        } else {
            Vec::deserialize(deserializer)?
        };
        Ok(Self(bytes.into()))
    }
}

impl ChainSpec {
    /// The largest [genesis data](super::ChainSpecBuilder::genesis_data), in bytes: 1 MiB.
    pub const MAX_GENESIS_DATA_BYTES: usize = 1 << 20;

    /// The application's data from which [`Transaction::genesis_state`] makes the state before the first
    /// transaction.
    pub fn genesis_data(&self) -> &[u8] {
        &self.rules.genesis_data.0
    }

    /// The hash of all rules of the chain: SHA-256 of a tag and the rules in postcard, without the genesis
    /// data if it is empty.
    pub fn commitment(&self) -> Hash {
        #[expect(
            clippy::expect_used,
            clippy::missing_panics_doc,
            reason = "plain integers, a string and bytes always encode"
        )]
        let mut rules = postcard::to_allocvec(&self.rules).expect("rules are plain data");
        if self.genesis_data().is_empty() {
            // Removes the length of the empty genesis data, one byte of 0.
            rules.pop();
        }
        Hash::digest_parts(&[b"hashloom chain spec v1\0", &rules])
    }

    /// The genesis block: no transactions, no proof of work, computed from the rules. Its `previous_hash` is
    /// the [`commitment`](Self::commitment).
    ///
    /// # Errors
    ///
    /// [`GenesisError`], if the application refuses the genesis data, or if its code panics.
    pub fn genesis<T: Transaction>(&self) -> Result<Block<T>, GenesisError> {
        self.genesis_and_state().map(|(block, _)| block)
    }

    /// The genesis block, and the state that its header commits to.
    pub(crate) fn genesis_and_state<T: Transaction>(&self) -> Result<(Block<T>, T::State), GenesisError> {
        let state = application::genesis_state::<T>(self.genesis_data())?;
        let empty = merkle::root(&[]);
        let header = Header {
            version: Header::VERSION,
            height: 0,
            previous_hash: self.commitment(),
            merkle_root: empty,
            history_root: empty,
            state_root: application::state_root::<T>(&state)?,
            timestamp: self.genesis_time(),
            target: self.easiest_target(),
            miner: Address::ZERO,
            nonce: 0,
        };
        Ok((Block::new(header, Vec::new()), state))
    }
}

/// Why the genesis block of a spec cannot be built for an application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The application refuses the [genesis data](ChainSpec::genesis_data).
    #[error("the application refuses the chain's genesis data: {0}")]
    Rejected(#[from] Rejected),
    /// The application's code panicked.
    #[error("no genesis block can be made: {0}")]
    Panicked(#[from] Panicked),
}

impl From<ApplyError> for GenesisError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(rejected) => Self::Rejected(rejected),
            ApplyError::Panicked(panicked) => Self::Panicked(panicked),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Context;
    use crate::consensus::SpecError;

    /// Adds to a balance, whose initial value is the genesis data, a little-endian number.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Deposit(u64);

    impl Transaction for Deposit {
        type State = u64;

        fn apply(&self, state: &mut u64, _: &Context<'_>) -> Result<(), Rejected> {
            *state += self.0;
            Ok(())
        }

        fn genesis_state(data: &[u8]) -> Result<u64, Rejected> {
            assert_ne!(data, b"panic", "as asked");
            let bytes = data.try_into();
            bytes.map(u64::from_le_bytes).map_err(|_| Rejected::new("opening_balance", "expected 8 bytes"))
        }

        fn state_root(state: &u64) -> Hash {
            Hash::digest(&state.to_le_bytes())
        }
    }

    fn spec(data: &[u8]) -> ChainSpec {
        ChainSpec::builder("test").genesis_data(data).build().unwrap()
    }

    #[test]
    fn the_state_begins_with_the_genesis_data_and_the_genesis_hash_commits_to_both() {
        let (block, state) = spec(&7_u64.to_le_bytes()).genesis_and_state::<Deposit>().unwrap();
        assert_eq!((state, block.header().state_root), (7, Hash::digest(&7_u64.to_le_bytes())));
        let other = spec(&8_u64.to_le_bytes());
        assert_ne!(block.header().previous_hash, other.commitment());
    }

    #[test]
    fn a_spec_without_genesis_data_commits_to_its_other_rules_alone() {
        let spec = ChainSpec::default();
        let mut rules = postcard::to_allocvec(&spec.rules).unwrap();
        assert_eq!(rules.pop(), Some(0));
        assert_eq!(spec.commitment(), Hash::digest_parts(&[b"hashloom chain spec v1\0", &rules]));
    }

    #[rstest]
    #[case::refused(
        b"short",
        "the application refuses the chain's genesis data: opening_balance: expected 8 bytes"
    )]
    #[case::panics(b"panic", "the application's `Transaction::genesis_state` panicked")]
    fn genesis_data_that_makes_no_state_is_an_error(#[case] data: &[u8], #[case] text: &str) {
        let error = spec(data).genesis::<Deposit>().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }

    #[test]
    fn an_application_without_genesis_data_refuses_some() {
        let error = spec(b"x").genesis::<String>().unwrap_err();
        assert!(matches!(&error, GenesisError::Rejected(got) if got.rule() == "genesis_data"), "{error}");
        assert!(spec(b"").genesis::<String>().is_ok());
    }

    #[rstest]
    #[case::most(1 << 20, true)]
    #[case::too_much((1 << 20) + 1, false)]
    fn genesis_data_has_a_bound(#[case] got: usize, #[case] is_allowed: bool) {
        let built = ChainSpec::builder("test").genesis_data(vec![0; got]).build();
        let expected = if is_allowed { Ok(got) } else { Err(SpecError::GenesisData { got }) };
        assert_eq!(built.map(|spec| spec.genesis_data().len()), expected);
    }

    #[test]
    fn genesis_data_reads_back_from_texts_and_bytes() {
        let spec = spec(&[0, 0xab, 0xff]);
        let json = serde_json::to_value(&spec).unwrap();
        assert_eq!(json["genesis_data"], "00abff");
        assert_eq!(serde_json::from_value::<ChainSpec>(json.clone()).unwrap(), spec);
        assert_eq!(postcard::from_bytes::<ChainSpec>(&postcard::to_allocvec(&spec).unwrap()).unwrap(), spec);
        let mut without = json;
        without.as_object_mut().unwrap().remove("genesis_data");
        assert_eq!(serde_json::from_value::<ChainSpec>(without).unwrap().genesis_data(), b"");
    }
}
