//! Chains of headers without bodies: the values that a header is checked against, and a verifier without a
//! store.

mod history;

use super::check::{self, Expected};
use super::error::RuleError;
use super::retarget::{Past, Retarget, Sample};
use super::spec::{ChainSpec, GenesisError};
use crate::primitives::{CompactTarget, Hash, Header, Target, Timestamp, Transaction, Work};
pub(crate) use history::{History, history_leaf};

/// A chain of headers from genesis on, verified without bodies, state or store: for an auditor or a light
/// client.
///
/// Each header is checked by the rules of [`Blockchain::import_header`](crate::Blockchain::import_header):
/// version, nonce, proof of work, parent, height, target by the retargeting rule, median of timestamps,
/// history root and drift. The chain keeps no side branches, so the finality depth does not apply. To choose
/// between two branches, clone the chain at the fork, push each branch to its own clone and compare
/// [`work`](Self::work). Bodies and states are not checked. An
/// [`InclusionProof`](crate::primitives::merkle::InclusionProof) against the header's `merkle_root` proves that a
/// transaction is in a block.
///
/// Memory does not grow with the length of the chain, except for one hash each time that the length doubles.
/// The verifier keeps the samples of past headers that retargeting needs, at most
/// [`Retarget::MAX_LWMA_BLOCKS`](crate::Retarget::MAX_LWMA_BLOCKS) and two.
///
/// ```
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
/// use hashloom::consensus::HeaderChain;
///
/// // A node of another operator.
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let now = Timestamp::from_millis(1_767_225_700_000);
/// let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
/// let header = *block.header();
/// let _ = chain.import(block.into(), now)?;
///
/// // An auditor, who has the specification and the headers.
/// let mut headers = HeaderChain::new::<String>(ChainSpec::default())?;
/// headers.push(&header, now)?;
/// assert_eq!(headers.tip(), &header);
/// assert_eq!(headers.work(), chain.work());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderChain {
    spec: ChainSpec,
    tip: Header,
    work: Work,
    end: BranchEnd,
}

impl HeaderChain {
    /// The chain that has only the genesis block of `spec`.
    ///
    /// The genesis header is computed, never received: all work is counted from genesis, and a forger would
    /// choose another. Its state root is that of the state that `T` makes of the genesis data, so `T` has to
    /// be the transaction type of the chain. With a type that has another genesis state root, the first
    /// header is refused for its parent; compare [`tip_hash`](Self::tip_hash) with the genesis hash that the
    /// chain's operators publish.
    ///
    /// # Errors
    ///
    /// [`GenesisError`], if `T` refuses the spec's genesis data, or if its code panics.
    pub fn new<T: Transaction>(spec: ChainSpec) -> Result<Self, GenesisError> {
        let genesis = spec.genesis::<T>()?;
        let (tip, hash) = (*genesis.header(), *genesis.hash());
        let mut end = BranchEnd::default();
        end.extend(spec.retarget(), hash, &tip, |_| ());
        Ok(Self { spec, tip, work: work_of(tip.target), end })
    }

    /// Verifies the child of the [`tip`](Self::tip) and makes it the tip. Pushing the tip again succeeds and
    /// changes nothing, so that a list of headers may begin with the genesis header. `now` is the time by the
    /// caller's clock, from which the drift of the header's timestamp is measured.
    ///
    /// # Errors
    ///
    /// [`RuleError`], the rule that the header breaks; the chain does not change.
    /// [`RuleError::Parent`] if the parent is not the tip, as for a header of another chain.
    /// [`RuleError::TimestampTooLate`] depends on `now`: the header may be pushed again later.
    pub fn push(&mut self, header: &Header, now: Timestamp) -> Result<(), RuleError> {
        let hash = header.hash();
        if hash == self.end.hash {
            return Ok(());
        }
        check::proof_of_work(header, &hash, &self.spec)?;
        if header.previous_hash != self.end.hash {
            return Err(RuleError::Parent { got: header.previous_hash, expected: self.end.hash });
        }
        check::header_in_chain(header, &self.end.expected(&self.spec), &self.spec, now)?;
        self.end.extend(self.spec.retarget(), hash, header, |_| ());
        self.work = self.work + work_of(header.target);
        self.tip = *header;
        Ok(())
    }

    /// The rules of the chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The last header.
    pub const fn tip(&self) -> &Header {
        &self.tip
    }

    /// The hash of the [`tip`](Self::tip).
    pub const fn tip_hash(&self) -> &Hash {
        &self.end.hash
    }

    /// The work of all headers, genesis included.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// The target that the next header has to have.
    pub fn next_target(&self) -> CompactTarget {
        self.end.next_target(&self.spec)
    }

    /// The RFC 6962 root over the hashes of all headers, the tip included: the `history_root` of the next
    /// header.
    pub fn history_root(&self) -> Hash {
        self.end.history.root()
    }
}

/// The end of a branch: the values of its headers that the next header is checked against.
#[derive(Clone, Debug, Default)]
pub(crate) struct BranchEnd {
    pub(crate) hash: Hash,
    /// The frontier of the history tree over all hashes up to and including `hash`.
    pub(crate) history: History,
    /// The blocks up to and including `hash`, as far as the next target and the next median depend on them.
    pub(crate) past: Past,
}

impl BranchEnd {
    /// The values that the next header must have.
    pub(crate) fn expected(&self, spec: &ChainSpec) -> Expected {
        Expected {
            height: self.past.last().map_or(0, |parent| parent.height + 1),
            target: self.next_target(spec),
            median: self.past.median(),
            history_root: self.history.root(),
        }
    }

    /// The target that the next header must have.
    pub(crate) fn next_target(&self, spec: &ChainSpec) -> CompactTarget {
        spec.retarget().target_after(spec.easiest_target(), spec.block_interval(), &self.past)
    }

    /// A copy without what the history has computed in advance.
    pub(crate) fn without_ahead(&self) -> Self {
        Self { hash: self.hash, history: self.history.range().clone().into(), past: self.past.clone() }
    }

    /// Appends the next header. Calls `completed` as [`History::push`] does.
    pub(crate) fn extend(
        &mut self,
        rule: Retarget,
        hash: Hash,
        header: &Header,
        completed: impl FnMut(Hash),
    ) {
        self.hash = hash;
        self.history.push(&hash, completed);
        self.past.push(rule, Sample::from(header));
    }
}

/// The work of one block; zero for an invalid target, which the checks refuse before they add work.
pub(crate) fn work_of(target: CompactTarget) -> Work {
    Target::try_from(target).map_or(Work::ZERO, Work::from)
}
