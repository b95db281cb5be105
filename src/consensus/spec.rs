//! The spec: the rules that all nodes of a chain share.

mod genesis;

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::retarget::{Retarget, RetargetError};
use crate::primitives::{
    Block, BodyDigest, CompactTarget, CompactTargetError, Header, Span, Target, Timestamp,
};
use genesis::GenesisData;
pub use genesis::GenesisError;

/// The rules of one chain. The genesis block commits to all of them, so nodes with different rules have
/// different genesis blocks and refuse each other at the handshake.
///
/// [`ChainSpec::builder`] starts a spec, and [`ChainSpecBuilder::build`] validates it: a `ChainSpec` is
/// always valid. [`ChainSpec::default`] is the chain named `hashloom`, which the examples run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Rules", into = "Rules")]
pub struct ChainSpec {
    rules: Rules,
}

/// The fields in the form that the commitment and the store use. Their order and types are part of the
/// commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    name: String,
    genesis_time: Timestamp,
    easiest_target: CompactTarget,
    block_interval_ms: u64,
    retarget: Retarget,
    max_block_bytes: u64,
    max_block_transactions: u64,
    max_future_drift_ms: u64,
    finality_depth: Option<u64>,
    /// Empty genesis data is not part of the commitment.
    #[serde(default)]
    genesis_data: GenesisData,
}

impl ChainSpec {
    /// The longest name in bytes.
    pub const MAX_NAME_BYTES: usize = 64;
    /// The largest `max_block_bytes`: 4 MiB.
    ///
    /// The limit counts canonical bytes, which do not bound the size on the wire: small values are many times
    /// larger in JSON. A block also has to fit into one frame of every format that the chain's nodes use.
    /// A block that does not fit reaches no peer over that format, and a node does not mine it, so choose the
    /// size with the transaction type in mind. A block of texts always fits.
    pub const MAX_BLOCK_BYTES: usize = 1 << 22;
    /// The shortest block interval: 10 ms. Retargeting counts in milliseconds. [`Retarget::Window`] limits
    /// the measured time to at least a quarter of the expected one, which for a much shorter interval rounds
    /// down to 0 ms: the target could fall at once to 1, which no block meets.
    pub const MIN_BLOCK_INTERVAL: Duration = Duration::from_millis(10);
    /// The longest block interval and future drift: a day.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

    /// Starts a spec from the defaults and a name. A different name alone makes a different chain.
    pub fn builder(name: impl Into<String>) -> ChainSpecBuilder {
        ChainSpecBuilder { rules: Rules { name: name.into(), ..Rules::default() } }
    }

    /// Starts a spec for a chain that is mined only when there is something to record: the defaults with
    /// [`Retarget::Fixed`], at [`Target::FOUR_HEX_ZEROS`]. Every block takes about 65,536 attempts on
    /// average, however fast blocks follow each other. With the default rule, mining in a long loop raises
    /// the difficulty until each block takes the [block interval](Self::block_interval).
    ///
    /// Proof of work does not protect such a chain. One computer mines thousands of its blocks in a minute,
    /// so any peer can replace the end of the chain with a branch of more work. Connect to known peers only
    /// (`Tls`, with a secret or certificates), set a [`finality_depth`](ChainSpecBuilder::finality_depth),
    /// and let `apply` check who may write what. The blocks are still linked: a verifier who knows the hash
    /// of a later block detects a change.
    ///
    /// The name alone does not select the rules: with the same name, [`builder`](Self::builder) makes another
    /// chain.
    ///
    /// ```
    /// # use hashloom::{ChainSpec, Retarget};
    /// let spec = ChainSpec::on_demand("inventory").finality_depth(Some(100)).build()?;
    /// assert_eq!(spec.retarget(), Retarget::Fixed);
    /// # Ok::<(), hashloom::consensus::SpecError>(())
    /// ```
    pub fn on_demand(name: impl Into<String>) -> ChainSpecBuilder {
        Self::builder(name).retarget(Retarget::Fixed)
    }

    /// The chain's name.
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// The timestamp of the genesis block.
    pub const fn genesis_time(&self) -> Timestamp {
        self.rules.genesis_time
    }

    /// The easiest target that a block may have; that of genesis and block 1.
    pub const fn easiest_target(&self) -> CompactTarget {
        self.rules.easiest_target
    }

    /// The target time between blocks, which retargeting maintains.
    pub const fn block_interval(&self) -> Duration {
        Duration::from_millis(self.rules.block_interval_ms)
    }

    /// How the difficulty adjusts.
    pub const fn retarget(&self) -> Retarget {
        self.rules.retarget
    }

    /// The largest canonical size of a block in bytes, header included.
    #[expect(clippy::cast_possible_truncation, reason = "validated to be at most 4 MiB")]
    pub const fn max_block_bytes(&self) -> usize {
        self.rules.max_block_bytes as usize
    }

    /// The most transactions of a block.
    #[expect(clippy::cast_possible_truncation, reason = "validated to be at most 2^20")]
    pub const fn max_block_transactions(&self) -> usize {
        self.rules.max_block_transactions as usize
    }

    /// How far a block's timestamp may be ahead of a node's clock.
    pub const fn max_future_drift(&self) -> Duration {
        Duration::from_millis(self.rules.max_future_drift_ms)
    }

    /// How many blocks at the end of the best chain a reorganisation may disconnect; `None` means no limit.
    ///
    /// A limit protects old blocks from being rewritten by a miner with more hash rate. Its cost: nodes that
    /// were partitioned for more blocks than the limit stay on separate chains.
    pub const fn finality_depth(&self) -> Option<u64> {
        self.rules.finality_depth
    }

    /// Whether a body of this size fits into a block.
    pub(crate) fn fits(&self, digest: &BodyDigest) -> bool {
        digest.size <= self.max_block_bytes()
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            name: "hashloom".to_owned(),
            // 2026-01-01 00:00 UTC.
            genesis_time: Timestamp::from_millis(1_767_225_600_000),
            easiest_target: Target::FOUR_HEX_ZEROS,
            block_interval_ms: 10_000,
            retarget: Retarget::default(),
            max_block_bytes: 1 << 20,
            max_block_transactions: 1 << 14,
            max_future_drift_ms: 120_000,
            finality_depth: None,
            genesis_data: GenesisData::default(),
        }
    }
}

impl TryFrom<Rules> for ChainSpec {
    type Error = SpecError;

    fn try_from(rules: Rules) -> Result<Self, SpecError> {
        ChainSpecBuilder { rules }.build()
    }
}

impl From<ChainSpec> for Rules {
    fn from(spec: ChainSpec) -> Self {
        spec.rules
    }
}

/// Sets the rules of a chain; [`build`](Self::build) validates them together.
#[derive(Clone, Debug)]
#[must_use]
pub struct ChainSpecBuilder {
    rules: Rules,
}

impl ChainSpecBuilder {
    /// Sets the timestamp of the genesis block. Default: 2026-01-01 00:00 UTC.
    pub fn genesis_time(mut self, time: Timestamp) -> Self {
        self.rules.genesis_time = time;
        self
    }

    /// Sets the easiest target that a block may have. Default: [`Target::FOUR_HEX_ZEROS`].
    pub fn easiest_target(mut self, target: CompactTarget) -> Self {
        self.rules.easiest_target = target;
        self
    }

    /// Sets the target time between blocks, which retargeting maintains, in whole milliseconds, from
    /// [`ChainSpec::MIN_BLOCK_INTERVAL`] to [`ChainSpec::MAX_INTERVAL`]. Default: 10 seconds.
    pub fn block_interval(mut self, interval: Duration) -> Self {
        self.rules.block_interval_ms = millis(interval);
        self
    }

    /// Sets how the difficulty adjusts. Default: [`Retarget::default`].
    pub fn retarget(mut self, retarget: Retarget) -> Self {
        self.rules.retarget = retarget;
        self
    }

    /// Sets the largest canonical size of a block in bytes, header included. Default: 1 MiB.
    pub fn max_block_bytes(mut self, bytes: usize) -> Self {
        self.rules.max_block_bytes = bytes as u64;
        self
    }

    /// Sets the most transactions of a block, from 1 to [`Block::MAX_TRANSACTIONS`]. Default: 16,384.
    ///
    /// Bytes alone do not bound what a block costs: an empty text is one canonical byte, but 24 bytes in
    /// memory and two hashes in the Merkle tree.
    pub fn max_block_transactions(mut self, transactions: usize) -> Self {
        self.rules.max_block_transactions = transactions as u64;
        self
    }

    /// Sets how far a block's timestamp may be ahead of a node's clock, in whole milliseconds, at most
    /// [`ChainSpec::MAX_INTERVAL`]. Default: 2 minutes.
    pub fn max_future_drift(mut self, drift: Duration) -> Self {
        self.rules.max_future_drift_ms = millis(drift);
        self
    }

    /// Sets how many blocks at the end of the best chain a reorganisation may disconnect. Default: no limit.
    pub fn finality_depth(mut self, blocks: Option<u64>) -> Self {
        self.rules.finality_depth = blocks;
        self
    }

    /// Sets the genesis data, at most [`ChainSpec::MAX_GENESIS_DATA_BYTES`]: bytes from which
    /// [`Transaction::genesis_state`](crate::Transaction::genesis_state) makes the state before the first
    /// transaction, such as the keys that may write or opening balances. The genesis hash commits to them.
    /// Default: empty.
    pub fn genesis_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.rules.genesis_data = GenesisData(data.into().into());
        self
    }

    /// Validates the rules.
    ///
    /// # Errors
    ///
    /// [`SpecError`], which names the invalid rule.
    pub fn build(self) -> Result<ChainSpec, SpecError> {
        let rules = self.rules;
        let name = rules.name.len();
        if name == 0 || name > ChainSpec::MAX_NAME_BYTES {
            return Err(SpecError::Name { got: name });
        }
        if let Some(odd) = rules.name.chars().find(|c| c.is_control()) {
            return Err(SpecError::NameCharacter(odd));
        }
        let easiest = Target::try_from(rules.easiest_target)?;
        if easiest.to_compact() != rules.easiest_target {
            return Err(SpecError::EasiestTarget {
                got: rules.easiest_target,
                expected: easiest.to_compact(),
            });
        }
        check_interval("block interval", millis(ChainSpec::MIN_BLOCK_INTERVAL), rules.block_interval_ms)?;
        check_interval("future drift", 0, rules.max_future_drift_ms)?;
        rules.retarget.validate()?;
        let limits = Header::LEN as u64..=ChainSpec::MAX_BLOCK_BYTES as u64;
        if !limits.contains(&rules.max_block_bytes) {
            return Err(SpecError::MaxBlockBytes { got: rules.max_block_bytes });
        }
        let limits = 1..=Block::<()>::MAX_TRANSACTIONS as u64;
        if !limits.contains(&rules.max_block_transactions) {
            return Err(SpecError::MaxBlockTransactions { got: rules.max_block_transactions });
        }
        if rules.finality_depth == Some(0) {
            return Err(SpecError::FinalityDepth);
        }
        let got = rules.genesis_data.0.len();
        if got > ChainSpec::MAX_GENESIS_DATA_BYTES {
            return Err(SpecError::GenesisData { got });
        }
        Ok(ChainSpec { rules })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn span(millis: u64) -> Span {
    Span(Duration::from_millis(millis))
}

fn check_interval(rule: &'static str, min_ms: u64, got_ms: u64) -> Result<(), SpecError> {
    let max_ms = millis(ChainSpec::MAX_INTERVAL);
    if (min_ms..=max_ms).contains(&got_ms) {
        Ok(())
    } else {
        Err(SpecError::Interval { rule, got_ms, min_ms, max_ms })
    }
}

/// Why a spec is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The name is empty or too long.
    #[error("chain name has {got} bytes, expected 1 to {}", ChainSpec::MAX_NAME_BYTES)]
    Name {
        /// The length of the name in bytes.
        got: usize,
    },
    /// The name contains a control character.
    #[error("chain name holds {0:?}, expected no control characters")]
    NameCharacter(char),
    /// The easiest target encodes no valid target.
    #[error("easiest target: {0}")]
    CompactTarget(#[from] CompactTargetError),
    /// The easiest target is not in the normalised compact form that headers use.
    #[error("easiest target is {got}, expected its normal form {expected}")]
    EasiestTarget {
        /// The target as given.
        got: CompactTarget,
        /// The equal target in normalised form.
        expected: CompactTarget,
    },
    /// A time is out of its range.
    #[error("{rule} is {}, expected {} to {}", span(*.got_ms), span(*.min_ms), span(*.max_ms))]
    Interval {
        /// Which time.
        rule: &'static str,
        /// The time as given, in milliseconds.
        got_ms: u64,
        /// The shortest allowed, in milliseconds.
        min_ms: u64,
        /// The longest allowed, in milliseconds.
        max_ms: u64,
    },
    /// The parameters of the retargeting rule are invalid.
    #[error("retargeting: {0}")]
    Retarget(#[from] RetargetError),
    /// The block size is too small for a header, or too large to be sent.
    #[error("max_block_bytes is {got}, expected {} to {}", Header::LEN, ChainSpec::MAX_BLOCK_BYTES)]
    MaxBlockBytes {
        /// The size as given, in bytes.
        got: u64,
    },
    /// The limit is 0, or above the number of transactions that a decoder accepts.
    #[error("max_block_transactions is {got}, expected 1 to {}", Block::<()>::MAX_TRANSACTIONS)]
    MaxBlockTransactions {
        /// The number as given.
        got: u64,
    },
    /// The finality depth is 0: no block could be disconnected, so two blocks found at about the same time
    /// would split the chain permanently.
    #[error("finality depth is 0, expected at least 1 or none")]
    FinalityDepth,
    /// The genesis data is too large.
    #[error("genesis data has {got} bytes, expected at most {}", ChainSpec::MAX_GENESIS_DATA_BYTES)]
    GenesisData {
        /// The length of the data in bytes.
        got: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const DAY_MS: u64 = 86_400_000;

    #[rstest]
    #[case::none(0, false)]
    #[case::below_the_shortest(9, false)]
    #[case::shortest(10, true)]
    #[case::longest(DAY_MS, true)]
    #[case::above_the_longest(DAY_MS + 1, false)]
    fn block_interval_has_bounds(#[case] got_ms: u64, #[case] is_allowed: bool) {
        let interval = Duration::from_millis(got_ms);
        let built = ChainSpec::builder("test").block_interval(interval).build();
        let error = SpecError::Interval { rule: "block interval", got_ms, min_ms: 10, max_ms: DAY_MS };
        assert_eq!(
            built.map(|spec| spec.block_interval()),
            if is_allowed { Ok(interval) } else { Err(error) }
        );
    }

    #[rstest]
    #[case::empty(0, false)]
    #[case::shortest(1, true)]
    #[case::longest(64, true)]
    #[case::too_long(65, false)]
    fn name_has_bounds(#[case] got: usize, #[case] is_allowed: bool) {
        let name = "x".repeat(got);
        let built = ChainSpec::builder(&name).build();
        let error = SpecError::Name { got };
        assert_eq!(built.map(|spec| spec.name().to_owned()), if is_allowed { Ok(name) } else { Err(error) });
    }

    #[rstest]
    #[case::no_room_for_a_header(179, false)]
    #[case::smallest(180, true)]
    #[case::largest(4 << 20, true)]
    #[case::too_large((4 << 20) + 1, false)]
    fn block_size_has_bounds(#[case] bytes: usize, #[case] is_allowed: bool) {
        let built = ChainSpec::builder("test").max_block_bytes(bytes).build();
        let error = SpecError::MaxBlockBytes { got: bytes as u64 };
        assert_eq!(built.map(|spec| spec.max_block_bytes()), if is_allowed { Ok(bytes) } else { Err(error) });
    }

    #[rstest]
    #[case::none(0, false)]
    #[case::fewest(1, true)]
    #[case::most(1 << 20, true)]
    #[case::too_many((1 << 20) + 1, false)]
    fn number_of_transactions_has_bounds(#[case] count: usize, #[case] is_allowed: bool) {
        let built = ChainSpec::builder("test").max_block_transactions(count).build();
        let error = SpecError::MaxBlockTransactions { got: count as u64 };
        let expected = if is_allowed { Ok(count) } else { Err(error) };
        assert_eq!(built.map(|spec| spec.max_block_transactions()), expected);
    }

    #[test]
    fn rules_that_are_read_are_validated_like_those_that_are_built() {
        let spec = ChainSpec::builder("mine").block_interval(Duration::from_secs(3)).build().unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ChainSpec>(&json).unwrap(), spec);
        let error = serde_json::from_str::<ChainSpec>(&json.replace("mine", "")).unwrap_err();
        assert!(error.to_string().contains(&SpecError::Name { got: 0 }.to_string()), "{error}");
        let unknown = r#"{"Lwma":{"blocks":60,"clamp":4}}"#;
        let error = serde_json::from_str::<Retarget>(unknown).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `clamp`"), "{error}");
    }

    #[test]
    fn a_window_keeps_its_lower_bound_at_the_shortest_interval() {
        use crate::consensus::retarget::{Pace, Sample, window};

        let spec = ChainSpec::builder("test").block_interval(ChainSpec::MIN_BLOCK_INTERVAL).build().unwrap();
        let pace = Pace::new(Target::try_from(spec.easiest_target()).unwrap(), spec.block_interval());
        let at = |height, target| Sample { height, timestamp: Timestamp::from_millis(5), target };
        let target = spec.easiest_target();
        // A measured time of zero counts as a quarter of the expected 10 ms, rounded down to 2 ms.
        let easiest = Target::try_from(target).unwrap().as_uint();
        let fifth = Target::from_uint(easiest / crate::primitives::U256::from(5));
        assert_eq!(window(&pace, &at(1, target), &at(2, target)), fifth.to_compact());
    }
}
