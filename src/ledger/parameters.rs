//! The parameters of a ledger, which are the genesis data of its chain.

use serde::{Deserialize, Serialize};

use super::MAX_SUPPLY;
use crate::primitives::Address;

/// How much a chain mints, and for whom.
///
/// The reward of a block is halved every [`halving_interval`](Self::halving_interval) blocks, rounded down, until it is zero:
/// the reward at height h is `first_reward >> ((h - 1) / halving_interval)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerParameters {
    first_reward: u64,
    halving_interval: u64,
    min_fee: u64,
    opening: Vec<(Address, u64)>,
}

/// Nothing is ever minted.
impl Default for LedgerParameters {
    fn default() -> Self {
        Self { first_reward: 0, halving_interval: 1, min_fee: 0, opening: Vec::new() }
    }
}

impl LedgerParameters {
    /// Parameters with this reward of the first block, in units, and this number of blocks with each reward.
    ///
    /// # Errors
    ///
    /// [`ParametersError`], if the interval is zero, or if all rewards are together more than [`MAX_SUPPLY`].
    pub fn new(first_reward: u64, halving_interval: u64) -> Result<Self, ParametersError> {
        Self { first_reward, halving_interval, ..Self::default() }.checked()
    }

    /// Adds accounts with balances before the first block.
    ///
    /// # Errors
    ///
    /// [`ParametersError`], if a balance is zero, an account is named twice, or the supply is above [`MAX_SUPPLY`].
    pub fn with_opening(
        mut self,
        accounts: impl IntoIterator<Item = (Address, u64)>,
    ) -> Result<Self, ParametersError> {
        self.opening.extend(accounts);
        self.opening.sort_unstable();
        self.checked()
    }

    /// Refuses transfers with a lower fee, in units. Zero unless it is set. A fee is what makes it costly to fill blocks and the
    /// state with accounts.
    #[must_use]
    pub const fn with_min_fee(mut self, units: u64) -> Self {
        self.min_fee = units;
        self
    }

    /// The units that the miner of the block at this height is paid, besides the fees. The genesis block has no miner.
    pub fn reward(&self, height: u64) -> u64 {
        let Some(blocks_before) = height.checked_sub(1) else { return 0 };
        let halvings = blocks_before / self.halving_interval;
        u32::try_from(halvings).ok().and_then(|halvings| self.first_reward.checked_shr(halvings)).unwrap_or(0)
    }

    /// The number of blocks with each reward.
    pub const fn halving_interval(&self) -> u64 {
        self.halving_interval
    }

    /// The lowest fee of a transfer, in units.
    pub const fn min_fee(&self) -> u64 {
        self.min_fee
    }

    /// The accounts with balances before the first block, in ascending order.
    pub fn opening(&self) -> &[(Address, u64)] {
        &self.opening
    }

    /// The units that are minted in all blocks of the chain, if every block has a miner.
    pub fn max_minted(&self) -> u128 {
        let opening: u128 = self.opening.iter().map(|(_, units)| u128::from(*units)).sum();
        let eras = (0..u64::BITS).map(|halvings| u128::from(self.first_reward >> halvings));
        // At most 2^65 units in all eras, times 2^64 blocks.
        opening.saturating_add(eras.sum::<u128>().saturating_mul(u128::from(self.halving_interval)))
    }

    /// The bytes for [`ChainSpecBuilder::genesis_data`](crate::consensus::ChainSpecBuilder::genesis_data): the parameters in
    /// postcard.
    pub fn to_genesis_data(&self) -> Vec<u8> {
        // Numbers and lists of them can always be encoded.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads what [`to_genesis_data`](Self::to_genesis_data) wrote.
    ///
    /// # Errors
    ///
    /// [`ParametersError`], if the bytes are no parameters or not valid ones.
    pub fn from_genesis_data(data: &[u8]) -> Result<Self, ParametersError> {
        match postcard::take_from_bytes::<Self>(data) {
            Ok((parameters, [])) => parameters.checked(),
            Ok((_, rest)) => Err(ParametersError::TrailingBytes { got: rest.len() }),
            Err(error) => Err(ParametersError::Encoding { reason: error.to_string() }),
        }
    }

    fn checked(self) -> Result<Self, ParametersError> {
        if self.halving_interval == 0 {
            return Err(ParametersError::HalvingInterval);
        }
        for (at, (account, units)) in self.opening.iter().enumerate() {
            if *units == 0 {
                return Err(ParametersError::EmptyAccount { account: *account });
            }
            match self.opening.get(at + 1) {
                Some((next, _)) if next == account => {
                    return Err(ParametersError::RepeatedAccount { account: *account });
                }
                Some((next, _)) if next < account => return Err(ParametersError::Order),
                _ => {}
            }
        }
        let got = self.max_minted();
        if got > u128::from(MAX_SUPPLY) {
            return Err(ParametersError::Supply { got });
        }
        Ok(self)
    }
}

/// Why there is no ledger with these parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// The number of blocks with each reward is zero.
    #[error("the halving interval is 0, expected at least 1 block")]
    HalvingInterval,
    /// The opening balances and all rewards are too much.
    #[error("{got} units are minted in all, expected at most {MAX_SUPPLY}")]
    Supply {
        /// The units that would be minted.
        got: u128,
    },
    /// An opening balance is zero.
    #[error("the opening balance of {account} is 0, expected at least 1")]
    EmptyAccount {
        /// The account.
        account: Address,
    },
    /// Two opening balances are of one account.
    #[error("{account} has two opening balances, expected one")]
    RepeatedAccount {
        /// The account.
        account: Address,
    },
    /// The accounts in the genesis data are not in ascending order, which would give one ledger several genesis blocks.
    #[error("the opening balances are not in ascending order of their accounts")]
    Order,
    /// The genesis data goes on after the parameters.
    #[error("{got} bytes follow the parameters, expected none")]
    TrailingBytes {
        /// The number of bytes.
        got: usize,
    },
    /// The genesis data is not the postcard form of parameters. A chain with a ledger always has genesis data.
    #[error("not the parameters of a ledger: {reason}")]
    Encoding {
        /// What postcard says.
        reason: String,
    },
}
