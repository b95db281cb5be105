//! Chains on a store that the test can still access, and the comparison of two chains.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forge::*;
use crate::primitives::Work;
use crate::primitives::merkle::{ConsistencyProof, InclusionProof};
use crate::store::{ALL_KEYS, Entries, Memory, Order, Store as _, Table};
use crate::testing::store::Faulty;
use crate::{Block, Blockchain, ChainConfig, ChainSpec, CompactTarget, Hash, Header, OpenError, Transaction};

/// A store whose clones share their contents, so that a chain can be reopened.
pub(super) type Disk = Faulty<Memory>;

pub(super) fn disk() -> Disk {
    Faulty::new(Memory::new())
}

/// The entries of a table.
pub(super) fn entries(disk: &Disk, table: Table) -> Entries {
    disk.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap()
}

/// A separate store with equal entries.
pub(super) fn copy_of(disk: &Disk) -> Disk {
    Faulty::new(disk.with_inner(|memory| memory.clone()))
}

pub(super) fn try_open<T: Transaction>(
    spec: &ChainSpec,
    config: &ChainConfig,
    disk: &Disk,
) -> Result<Blockchain<T>, OpenError> {
    Blockchain::open(spec.clone(), config.clone(), Box::new(disk.clone()))
}

#[track_caller]
pub(super) fn open<T: Transaction>(spec: &ChainSpec, config: &ChainConfig, disk: &Disk) -> Blockchain<T> {
    try_open(spec, config, disk).unwrap()
}

/// `len` blocks that extend the chain's tip and are not imported.
pub(super) fn blocks_above<T: Transaction>(
    chain: &Blockchain<T>,
    len: u64,
    mut data: impl FnMut(u64) -> Vec<T>,
) -> Vec<Arc<Block<T>>> {
    let mut scratch = Blockchain::new(chain.spec().clone());
    for block in chain.blocks(1..) {
        let _ = scratch.import(block.unwrap(), NOW).unwrap();
    }
    let start = scratch.height() + 1;
    let mined = (start..start + len).map(|height| {
        let block = Arc::new(scratch.template(data(height), NOW).unwrap().mine().unwrap());
        let imported = scratch.import(Arc::clone(&block), NOW).unwrap();
        assert!(imported.is_extension());
        block
    });
    mined.collect()
}

/// Everything of a chain that survives a reopening, except for its state.
#[derive(Debug, PartialEq)]
pub(super) struct Picture<T: Transaction> {
    blocks: Vec<Arc<Block<T>>>,
    headers: Vec<Header>,
    first_body: u64,
    work: Work,
    next_target: CompactTarget,
    locator: Vec<Hash>,
    ancestors: Vec<InclusionProof>,
    consistency: Vec<ConsistencyProof>,
    branches: BTreeMap<Hash, (Work, usize, Arc<Block<T>>)>,
    states: Vec<u64>,
    next: Header,
}

impl<T: Transaction> Picture<T> {
    pub(super) fn of(chain: &Blockchain<T>) -> Self {
        let heights = || 0..=chain.height();
        let branches = chain.tree.complete_rows().into_iter().map(|(hash, row)| {
            let block = chain.block(&hash).unwrap().expect("a complete block is there");
            assert_eq!(*block.header(), row.header);
            (hash, (row.work, row.size, block))
        });
        let next = chain.template(Vec::new(), NOW).unwrap();
        assert_eq!(chain.tip().hash(), &next.header().previous_hash);
        Self {
            blocks: chain.blocks(..).map(Result::unwrap).collect(),
            headers: heights().map(|height| chain.header_at(height).unwrap().unwrap()).collect(),
            first_body: chain.first_body(),
            work: chain.work(),
            next_target: chain.next_target(),
            locator: chain.locator_from(chain.tip().hash()).unwrap(),
            ancestors: heights().map(|at| chain.ancestor_proof(at, chain.height() + 1).unwrap()).collect(),
            consistency: heights().map(|at| chain.consistency_proof(at, chain.height()).unwrap()).collect(),
            branches: branches.collect(),
            states: chain.checkpoints.states.clone(),
            next: *next.header(),
        }
    }

    /// The picture without the heights of the stored states, to compare chains that wrote their states at
    /// other heights.
    pub(super) fn without_states(self) -> Self {
        Self { states: Vec::new(), ..self }
    }
}

/// Asserts that two chains are equal in everything that survives a reopening.
#[track_caller]
pub(super) fn assert_same<T: Transaction>(left: &Blockchain<T>, right: &Blockchain<T>)
where
    T::State: PartialEq + core::fmt::Debug,
{
    assert_eq!(left.state(), right.state());
    assert_eq!(Picture::of(left), Picture::of(right));
}
