//! The consensus checks. Each is a pure function of its arguments, without a stored chain.

use super::error::RuleError;
use super::spec::ChainSpec;
use crate::primitives::application::{self, ApplyError};
use crate::primitives::{Block, BodyDigest, CompactTarget, Hash, Header, Target, Timestamp, Transaction};

/// The values that a header must have because of its ancestors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// The parent's height plus one.
    pub(crate) height: u64,
    /// The target that retargeting computes.
    pub(crate) target: CompactTarget,
    /// The median of the last timestamps.
    pub(crate) median: Timestamp,
    /// The root over the hashes of all ancestors.
    pub(crate) history_root: Hash,
}

/// The checks that need only the header: its version, its nonce, and a hash at or below its claimed target.
/// They are the cheapest filter against spam. A target easier than the chain's easiest one is refused,
/// because it would cost no work to meet.
pub(crate) fn proof_of_work(header: &Header, hash: &Hash, spec: &ChainSpec) -> Result<(), RuleError> {
    if header.version != Header::VERSION {
        return Err(RuleError::version(header));
    }
    if header.nonce >= Header::NONCE_LIMIT {
        return Err(RuleError::Nonce { got: header.nonce, limit: Header::NONCE_LIMIT });
    }
    let (target, easiest) = (Target::try_from(header.target)?, spec.easiest_target());
    if header.target != easiest && target > Target::try_from(easiest)? {
        return Err(RuleError::Target { got: header.target, expected: easiest });
    }
    if !target.is_met_by(hash) {
        return Err(RuleError::ProofOfWork { hash: *hash, target: header.target });
    }
    Ok(())
}

impl ChainSpec {
    /// Checks a header without its ancestors: the version, the range of the nonce, that the target is not
    /// easier than the easiest, and that the hash meets the target.
    ///
    /// A header that passes need not be in the chain: one with the easiest target passes even if the chain
    /// requires a much harder one. [`HeaderChain`](crate::consensus::HeaderChain) checks a header against its ancestors.
    /// The header of the genesis block has no proof of work and is refused; compare its hash instead.
    ///
    /// # Errors
    ///
    /// [`RuleError`], the first of these rules that the header breaks.
    pub fn check_header(&self, header: &Header) -> Result<(), RuleError> {
        proof_of_work(header, &header.hash(), self)
    }
}

/// The checks of a header against its ancestors and the clock.
pub(crate) fn header_in_chain(
    header: &Header,
    expected: &Expected,
    spec: &ChainSpec,
    now: Timestamp,
) -> Result<(), RuleError> {
    if header.height != expected.height {
        return Err(RuleError::Height { got: header.height, expected: expected.height });
    }
    if header.target != expected.target {
        return Err(RuleError::Target { got: header.target, expected: expected.target });
    }
    if header.timestamp <= expected.median {
        return Err(RuleError::TimestampTooEarly { got: header.timestamp, median: expected.median });
    }
    if header.history_root != expected.history_root {
        return Err(RuleError::HistoryRoot { got: header.history_root, expected: expected.history_root });
    }
    // Checked last, because it is the only rule whose verdict changes with time: a header that fails this
    // check satisfies all other rules of this function.
    let limit = now.saturating_add(spec.max_future_drift());
    if header.timestamp > limit {
        return Err(RuleError::TimestampTooLate { got: header.timestamp, limit });
    }
    Ok(())
}

/// Checks the number of transactions, without hashing any of them.
pub(crate) fn count(transactions: usize, spec: &ChainSpec) -> Result<(), RuleError> {
    let limit = spec.max_block_transactions();
    if transactions > limit {
        return Err(RuleError::Count { got: transactions, limit });
    }
    Ok(())
}

/// Checks a body against its header. The number of transactions is checked before any of them is hashed. The
/// Merkle root comes next: a body that does not match the header is no evidence against the block. The checks of
/// the application come last, because they may cost most.
pub(crate) fn body<T: Transaction>(
    block: &Block<T>,
    genesis: &Hash,
    spec: &ChainSpec,
) -> Result<BodyDigest, RuleError> {
    count(block.data().len(), spec)?;
    digested_body(block, block.digest()?, genesis, spec)
}

/// [`body`] for a block whose number of transactions was checked, and whose digest is known.
pub(crate) fn digested_body<T: Transaction>(
    block: &Block<T>,
    digest: BodyDigest,
    genesis: &Hash,
    spec: &ChainSpec,
) -> Result<BodyDigest, RuleError> {
    let (got, expected) = (digest.merkle_root(), block.header().merkle_root);
    if got != expected {
        return Err(RuleError::MerkleRoot { got, expected });
    }
    if !spec.fits(&digest) {
        return Err(RuleError::Size { got: digest.size, limit: spec.max_block_bytes() });
    }
    transactions(block.data(), genesis)?;
    Ok(digest)
}

/// Checks what the application checks without a state: [`Transaction::check`].
pub(crate) fn transactions<T: Transaction>(data: &[T], genesis: &Hash) -> Result<(), RuleError> {
    data.iter().enumerate().try_for_each(|(index, transaction)| {
        application::check(transaction, genesis).map_err(|error| refused(index, error))
    })
}

/// The error of a transaction that the application refuses.
fn refused(index: usize, error: ApplyError) -> RuleError {
    match error {
        ApplyError::Rejected(reason) => RuleError::Transaction { index, reason },
        ApplyError::Panicked(panic) => RuleError::ApplyPanicked { index, panic },
    }
}

/// Applies a block to the state after its parent. After an error the state is partly changed and must be
/// discarded.
pub(crate) fn apply<T: Transaction>(
    header: &Header,
    genesis: &Hash,
    data: &[T],
    state: &mut T::State,
) -> Result<(), RuleError> {
    apply_all(header, genesis, data, state)?;
    state_root::<T>(header, state)
}

/// Checks the state after a block against its header.
pub(crate) fn state_root<T: Transaction>(header: &Header, state: &T::State) -> Result<(), RuleError> {
    let state_root = application::state_root::<T>(state)?;
    if header.state_root != state_root {
        return Err(RuleError::StateRoot { got: state_root, expected: header.state_root });
    }
    Ok(())
}

/// Applies a block's transactions and ends the block, without checking its state root.
pub(crate) fn apply_all<T: Transaction>(
    header: &Header,
    genesis: &Hash,
    data: &[T],
    state: &mut T::State,
) -> Result<(), RuleError> {
    let context = header.context(genesis);
    for (index, transaction) in data.iter().enumerate() {
        application::apply(transaction, state, &context).map_err(|error| refused(index, error))?;
    }
    application::end_block::<T>(state, &context).map_err(|error| match error {
        ApplyError::Rejected(reason) => RuleError::EndBlock { reason },
        ApplyError::Panicked(panic) => RuleError::EndBlockPanicked { panic },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block whose header commits to its body.
    fn block_of(data: Vec<String>) -> Block {
        let mut header = Header::from_bytes(&[0; Header::LEN]);
        header.merkle_root = BodyDigest::of(&data).unwrap().merkle_root();
        Block::new(header, data)
    }

    #[test]
    fn a_body_has_as_many_bytes_and_transactions_as_may_be_and_not_one_more() {
        // Three texts of seven characters in total, each with one byte for its length.
        let limit = Header::LEN + 10;
        let spec =
            ChainSpec::builder("test").max_block_bytes(limit).max_block_transactions(3).build().unwrap();
        let check = |texts: &[&str]| {
            let block = block_of(texts.iter().map(ToString::to_string).collect());
            body(&block, &Hash::ZERO, &spec).map(|digest| (digest.ids.len(), digest.size))
        };
        assert_eq!(check(&["1234567", "", ""]), Ok((3, limit)));
        assert_eq!(check(&["12345678", "", ""]), Err(RuleError::Size { got: limit + 1, limit }));
        assert_eq!(check(&["", "", "", ""]), Err(RuleError::Count { got: 4, limit: 3 }));
    }
}
