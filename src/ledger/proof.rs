//! Proofs of balances, for those who have a header and not the state.

use super::Ledger;
use crate::primitives::{Address, Hash, MapProof};
use crate::signed::{SignedState, StateProofError, split_hash};

/// A proof of the units in an account, or that it has none. The key `accounts/{address}` of `GET /state/{key}` has it on a chain
/// of [`SignedTransfer`](super::SignedTransfer)s.
///
/// # Bytes
///
/// The root of the sequence numbers, 32 bytes; the root of the accounts, 32 bytes; the minted units, 8 bytes, big-endian;
/// and the bytes of a [`MapProof`] of the address in the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceProof {
    sequences_root: Hash,
    accounts_root: Hash,
    minted: u64,
    proof: MapProof,
}

impl BalanceProof {
    /// Reads the [bytes](#bytes) of a proof.
    ///
    /// # Errors
    ///
    /// [`StateProofError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateProofError> {
        let (sequences_root, rest) = split_hash(bytes)?;
        let (accounts_root, rest) = split_hash(rest)?;
        let missing = StateProofError::Length { got: rest.len(), expected: size_of::<u64>() };
        let (minted, rest) = rest.split_first_chunk().ok_or(missing)?;
        let (minted, proof) = (u64::from_be_bytes(*minted), MapProof::from_bytes(rest)?);
        Ok(Self { sequences_root, accounts_root, minted, proof })
    }

    /// The [bytes](#bytes) of the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.sequences_root.as_ref(), &end(&self.accounts_root, self.minted, &self.proof)].concat()
    }

    /// The units in the account, by the state root of a header that the caller trusts. Zero if there is no such account.
    ///
    /// # Errors
    ///
    /// [`StateProofError`], if the proof does not hold for this account and root.
    pub fn verify(&self, account: &Address, state_root: &Hash) -> Result<u64, StateProofError> {
        let ledger_root = Ledger::root_of(&self.accounts_root, self.minted);
        let got = SignedState::<Ledger>::root_of(&self.sequences_root, &ledger_root);
        if got != *state_root {
            return Err(StateProofError::Root { got, expected: *state_root });
        }
        Ok(self.proof.verify::<Address, u64>(account, &self.accounts_root)?.unwrap_or(0))
    }
}

/// The bytes of a proof that the ledger knows: all but the root of the sequence numbers.
pub(super) fn of_ledger(ledger: &Ledger, account: &Address) -> Option<Vec<u8>> {
    let accounts = ledger.accounts();
    // An address always has canonical bytes, and so has a number.
    let proof = accounts.prove(account).ok()?;
    Some(end(&accounts.root(), ledger.minted(), &proof))
}

fn end(accounts_root: &Hash, minted: u64, proof: &MapProof) -> Vec<u8> {
    [accounts_root.as_ref(), &minted.to_be_bytes(), &proof.to_bytes()].concat()
}
