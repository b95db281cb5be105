//! Builds blocks by hand on any parent. The commitments of a header are computed from the list of its
//! ancestors, independently of the chain under test.

use core::ops::RangeBounds;
use core::slice;
use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chain::{Imported, Verdict, VerifiedBlock};
use crate::consensus::ChainSpecBuilder;
use crate::primitives::merkle;
use crate::primitives::{EncodeError, Target};
use crate::{
    Address, Block, BlockError, Blockchain, ChainConfig, ChainSpec, CompactTarget, Context, Hash, Header,
    Rejected, Retarget, Timestamp, Transaction,
};

/// A target that every second hash meets, so that mining costs almost nothing.
pub(super) const EASY: CompactTarget = CompactTarget::from_bits(0x207f_ffff);
/// A time that is later than the timestamp of every block that does not set one.
pub(super) const NOW: Timestamp = Timestamp::from_millis(2_000_000_000_000);

pub(super) type Chain = Blockchain<Note>;
pub(super) type Shared = Arc<Block<Note>>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Note {
    Word(u32),
    Pad(Vec<u8>),
    /// Rejected by the application.
    Bad(u32),
    /// Has no canonical bytes.
    Mute,
}

/// A state that differs for every order of blocks and of transactions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger(pub(super) Hash);

impl Ledger {
    fn add(&mut self, note: &Note, height: u64) {
        let line = format!("{} {height} {note:?}", self.0);
        self.0 = Hash::digest(line.as_bytes());
    }
}

impl Transaction for Note {
    type State = Ledger;

    fn apply(&self, state: &mut Ledger, context: &Context<'_>) -> Result<(), Rejected> {
        // Changes the state even if it rejects, so that the tests detect a chain that keeps a half-applied
        // state.
        state.add(self, context.height);
        if let Self::Bad(number) = self { Err(rejected(*number)) } else { Ok(()) }
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        if *self == Self::Mute {
            return Err(mute());
        }
        *bytes = postcard::to_extend(self, core::mem::take(bytes))
            .map_err(|error| EncodeError::new(error.to_string()))?;
        Ok(())
    }

    fn state_root(state: &Ledger) -> Hash {
        state.0
    }
}

/// The reason for which [`Note::Bad`] is rejected.
pub(super) fn rejected(number: u32) -> Rejected {
    Rejected::new("bad", number.to_string())
}

/// Why [`Note::Mute`] has no canonical bytes.
pub(super) fn mute() -> EncodeError {
    EncodeError::new("a mute note has no bytes")
}

pub(super) fn words(words: &[u32]) -> Vec<Note> {
    words.iter().copied().map(Note::Word).collect()
}

pub(super) fn builder() -> ChainSpecBuilder {
    let builder = ChainSpec::builder("test").easiest_target(EASY).retarget(Retarget::Fixed);
    builder.max_future_drift(Duration::from_secs(60))
}

pub(super) fn spec() -> ChainSpec {
    builder().build().unwrap()
}

pub(super) fn chain() -> Chain {
    Chain::new(spec())
}

pub(super) fn chain_with(config: ChainConfig) -> Chain {
    Chain::with_config(spec(), config)
}

/// A chain that imported these blocks one by one.
pub(super) fn fed(spec: ChainSpec, blocks: &[Shared]) -> Chain {
    let mut chain = Chain::new(spec);
    for block in blocks {
        assert_eq!(import(&mut chain, block), extended(slice::from_ref(block)));
    }
    chain
}

pub(super) fn import(chain: &mut Chain, block: &Shared) -> Result<Imported<Note>, BlockError> {
    let result = chain.import(Arc::clone(block), NOW);
    chain.check_invariants();
    result
}

pub(super) fn import_header(chain: &mut Chain, block: &Shared) -> Result<bool, BlockError> {
    let result = chain.import_header(block.header(), NOW);
    chain.check_invariants();
    result
}

/// Sets the nonce of a header so that it has proof of work.
pub(super) fn mine(mut header: Header) -> Header {
    let target = Target::try_from(header.target).unwrap();
    header.nonce = (0..Header::NONCE_LIMIT)
        .find(|nonce| target.is_met_by(&Header { nonce: *nonce, ..header }.hash()))
        .unwrap();
    header
}

/// A list of blocks from genesis on, each the parent of the next.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    blocks: Vec<Shared>,
}

impl Branch {
    pub(super) fn new(spec: &ChainSpec) -> Self {
        Self { blocks: vec![Arc::new(spec.genesis().unwrap())] }
    }

    /// A branch on genesis with one block for each number.
    pub(super) fn of(numbers: &[u32]) -> Self {
        Self::new(&spec()).with(numbers)
    }

    /// This branch, extended by one block for each number.
    pub(super) fn with(&self, numbers: &[u32]) -> Self {
        let mut branch = self.clone();
        for number in numbers {
            branch.extend(words(&[*number]));
        }
        branch
    }

    /// This branch up to and including the block at `height`.
    pub(super) fn cut(&self, height: usize) -> Self {
        Self { blocks: self.blocks[..=height].to_vec() }
    }

    pub(super) fn extend(&mut self, data: Vec<Note>) -> Shared {
        let block = Arc::new(self.next(data));
        self.push(&block);
        block
    }

    pub(super) fn push(&mut self, block: &Shared) {
        self.blocks.push(Arc::clone(block));
    }

    /// The next block with this data: valid, unless `data` itself breaks a rule.
    pub(super) fn next(&self, data: Vec<Note>) -> Block<Note> {
        Block::new(mine(self.draft(&data)), data)
    }

    /// The next block, with a header that `change` modifies before it is mined.
    pub(super) fn next_with(&self, data: Vec<Note>, change: impl FnOnce(&mut Header)) -> Shared {
        let mut header = self.draft(&data);
        change(&mut header);
        Arc::new(Block::new(mine(header), data))
    }

    /// The header of the next block, without its nonce.
    pub(super) fn draft(&self, data: &[Note]) -> Header {
        let height = self.blocks.len() as u64;
        let mut state = Ledger::default();
        for block in &self.blocks[1..] {
            block.data().iter().for_each(|note| state.add(note, block.height()));
        }
        for note in data {
            state.add(note, height);
        }
        let genesis = self.blocks[0].header();
        Header {
            version: 1,
            height,
            previous_hash: *self.tip().hash(),
            merkle_root: merkle_root(data),
            history_root: history_root(&self.blocks),
            state_root: state.0,
            timestamp: Timestamp::from_millis(genesis.timestamp.as_millis() + 10_000 * height),
            target: genesis.target,
            miner: Address::ZERO,
            nonce: 0,
        }
    }

    pub(super) fn at(&self, height: usize) -> &Shared {
        &self.blocks[height]
    }

    pub(super) fn hash(&self, height: usize) -> Hash {
        *self.blocks[height].hash()
    }

    pub(super) fn tip(&self) -> &Shared {
        &self.blocks[self.blocks.len() - 1]
    }

    /// The blocks above genesis.
    pub(super) fn mined(&self) -> &[Shared] {
        &self.blocks[1..]
    }

    pub(super) fn above(&self, height: usize) -> &[Shared] {
        &self.blocks[height + 1..]
    }
}

fn merkle_root(data: &[Note]) -> Hash {
    let leaf = |note: &Note| {
        let mut bytes = Vec::new();
        // A transaction without canonical bytes has no leaf hash, so any leaf will do.
        let _ = note.encode(&mut bytes);
        merkle::leaf_hash(&bytes)
    };
    merkle::root(&data.iter().map(leaf).collect::<Vec<_>>())
}

pub(super) fn history_root(blocks: &[Shared]) -> Hash {
    merkle::root(&blocks.iter().map(|block| merkle::leaf_hash(block.hash().as_bytes())).collect::<Vec<_>>())
}

/// The blocks of the best chain at these heights.
pub(super) fn blocks(chain: &Chain, heights: impl RangeBounds<u64>) -> Vec<Shared> {
    chain.blocks(heights).map(Result::unwrap).collect()
}

/// Asserts that `chain` has the blocks, the state, the work and the history of a chain that imported nothing
/// but `branch`.
pub(super) fn assert_follows(chain: &Chain, branch: &Branch) {
    assert_eq!(blocks(chain, ..), branch.blocks);
    let fresh = fed(chain.spec().clone(), branch.mined());
    assert_eq!(chain.state(), fresh.state());
    assert_eq!(chain.work(), fresh.work());
    assert_eq!(chain.end.history.range(), fresh.end.history.range());
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what an import returns")]
pub(super) fn extended(blocks: &[Shared]) -> Result<Imported<Note>, BlockError> {
    Ok(outcome(Verdict::Kept, &[], blocks))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what an import returns")]
pub(super) fn reorged(old: &[Shared], new: &[Shared]) -> Result<Imported<Note>, BlockError> {
    Ok(outcome(Verdict::Kept, old, new))
}

/// The outcome of an import of one block. `disconnected` and `connected` are lowest first.
pub(super) fn outcome<T: Transaction>(
    verdict: Verdict,
    disconnected: &[Arc<Block<T>>],
    connected: &[Arc<Block<T>>],
) -> Imported<T> {
    Imported {
        verdicts: vec![Ok(verdict)],
        disconnected: disconnected.iter().rev().cloned().collect(),
        connected: verified(connected),
    }
}

pub(super) fn verified<T: Transaction>(blocks: &[Arc<Block<T>>]) -> Vec<VerifiedBlock<T>> {
    blocks.iter().map(|block| VerifiedBlock::from_store(Arc::clone(block), block.size())).collect()
}

pub(super) fn side_branch<T: Transaction>() -> Imported<T> {
    outcome(Verdict::Kept, &[], &[])
}

pub(super) fn orphaned<T: Transaction>(missing: Hash) -> Imported<T> {
    outcome(Verdict::Orphan { missing }, &[], &[])
}

pub(super) fn duplicate<T: Transaction>() -> Imported<T> {
    outcome(Verdict::Duplicate, &[], &[])
}
