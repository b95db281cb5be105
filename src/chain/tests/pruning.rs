//! A chain that keeps only the last bodies: what it still serves, and its errors for pruned bodies.

use core::slice;
use std::sync::Arc;

use rstest::rstest;
use serde::{Deserialize, Serialize};

use super::forge::{NOW, builder, duplicate, outcome};
use super::stored::{Disk, assert_same, blocks_above, disk, open};
use crate::archive::ExportError;
use crate::chain::Verdict;
use crate::{Block, BlockError, Blockchain, ChainConfig, ChainSpec, Context, Rejected, Transaction};

/// A transaction whose state is as large as all transactions together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Heavy(Vec<u8>);

impl Transaction for Heavy {
    type State = Vec<Vec<u8>>;

    fn apply(&self, state: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        state.push(self.0.clone());
        Ok(())
    }
}

/// A transaction that the tests can build from a number, which makes it unique, and a size.
trait Sized: Transaction<State: PartialEq> {
    fn of(number: u64, bytes: usize) -> Self;
}

impl Sized for Heavy {
    fn of(number: u64, bytes: usize) -> Self {
        Self([&number.to_be_bytes()[..], &vec![0; bytes]].concat())
    }
}

/// The state of a `String` is `()`.
impl Sized for String {
    fn of(number: u64, bytes: usize) -> Self {
        format!("{number:0bytes$}")
    }
}

fn spec() -> ChainSpec {
    builder().build().unwrap()
}

fn keeping(bodies: u64) -> ChainConfig {
    ChainConfig::default().with_keep_bodies(Some(bodies))
}

fn mined<T: Sized>(chain: &Blockchain<T>, len: u64, label: u64) -> Vec<Arc<Block<T>>> {
    blocks_above(chain, len, |height| vec![T::of(label * 1_000_000 + height, 20_000)])
}

/// A chain that keeps at least `keep` bodies, its store, and all blocks that it imported.
fn grown<T: Sized>(len: u64, keep: u64) -> (Blockchain<T>, Disk, Vec<Arc<Block<T>>>) {
    let disk = disk();
    let mut chain = open(&spec(), &keeping(keep), &disk);
    let blocks = mined(&Blockchain::new(spec()), len, 1);
    for block in &blocks {
        let imported = chain.import(Arc::clone(block), NOW).unwrap();
        assert_eq!(imported, outcome(Verdict::Kept, &[], slice::from_ref(block)));
        let kept = chain.height() - chain.first_body().saturating_sub(1);
        assert!(kept >= keep.min(chain.height()), "{kept} bodies are kept at {}", chain.height());
    }
    (chain, disk, blocks)
}

/// Asserts for each of `blocks` that its header is known, and that its body is available exactly from
/// [`Blockchain::first_body`] on.
fn assert_bodies<T: Sized>(chain: &Blockchain<T>, blocks: &[Arc<Block<T>>]) {
    let first = chain.first_body();
    assert_eq!(chain.block_at(0).unwrap().as_ref(), Some(chain.genesis()), "genesis is never gone");
    for block in blocks {
        let kept = (block.height() >= first).then_some(block);
        assert_eq!(chain.block(block.hash()).unwrap().as_ref(), kept);
        assert_eq!(chain.block_at(block.height()).unwrap().as_ref(), kept);
        assert_eq!(chain.header(block.hash()).unwrap().as_ref(), Some(block.header()));
        assert_eq!(chain.header_at(block.height()).unwrap().as_ref(), Some(block.header()));
        assert_eq!(chain.is_best(block.hash()), Ok(true));
        let proof = chain.transaction_proof(block.hash(), 0).unwrap();
        assert_eq!(proof.is_some(), kept.is_some());
    }
    let kept: Vec<_> = chain.blocks(1..).map(Result::unwrap).collect();
    assert_eq!(kept, blocks[usize::try_from(first.max(1)).unwrap() - 1..]);
}

fn check<T: Sized>() {
    let keep = 20;
    let (mut chain, disk, mut blocks) = grown::<T>(300, keep);
    let first = chain.first_body();
    assert!(first > 1, "nothing was pruned");
    assert_bodies(&chain, &blocks);
    assert_eq!(chain.keeps_bodies(), Some(keep));
    chain.check_store();
    assert_eq!(chain.verify(..), Ok(()));
    assert_eq!(chain.verify(first..), Ok(()));
    assert_eq!(chain.import(Arc::clone(&blocks[0]), NOW), Ok(duplicate()));

    let reopened = open::<T>(&spec(), &keeping(keep), &disk);
    assert_same(&reopened, &chain);
    assert_bodies(&reopened, &blocks);
    assert_eq!(reopened.verify(..), Ok(()));

    // A chain that is opened without pruning still knows which bodies are missing.
    let all = open::<T>(&spec(), &ChainConfig::default(), &disk);
    assert_same(&all, &chain);
    assert_eq!((all.first_body(), all.keeps_bodies()), (first, Some(300 - first + 1)));

    reorganise_within(&mut chain, &mut blocks, keep);
    chain.check_store();
    assert_same(&open::<T>(&spec(), &keeping(keep), &disk), &chain);
    for chain in [chain, open::<T>(&spec(), &keeping(keep), &disk)] {
        refuse_below(chain, &blocks);
    }
}

/// Imports a branch that forks `depth` blocks below the tip, and asserts that it becomes the best chain.
fn reorganise_within<T: Sized>(chain: &mut Blockchain<T>, blocks: &mut Vec<Arc<Block<T>>>, depth: u64) {
    let at = blocks.len() - usize::try_from(depth).unwrap();
    let mut trunk = Blockchain::new(spec());
    let _ = trunk.import_all(blocks[..at].iter().cloned(), NOW).unwrap();
    let branch = mined(&trunk, depth + 1, 2);
    let imported = chain.import_all(branch.iter().cloned(), NOW).unwrap();
    let old: Vec<_> = blocks.drain(at..).rev().collect();
    assert_eq!(imported.disconnected, old);
    assert_eq!(imported.connected, branch);
    blocks.extend(branch);
    let mut whole = Blockchain::<T>::new(spec());
    let _ = whole.import_all(blocks.iter().cloned(), NOW).unwrap();
    assert_eq!(chain.state(), whole.state());
    assert_bodies(chain, blocks);
}

/// Asserts that a branch that forks below the lowest state that the chain can restore is refused, by its
/// header and by its block, and that a branch that forks at that state is accepted.
fn refuse_below<T: Sized>(mut chain: Blockchain<T>, blocks: &[Arc<Block<T>>]) {
    let base = chain.checkpoints.base();
    assert!(base >= chain.first_body() - 1 && base > 1);
    let before = Arc::clone(chain.tip());
    for fork in [0, 1, base - 1] {
        let mut trunk = Blockchain::new(spec());
        let at = usize::try_from(fork).unwrap();
        let _ = trunk.import_all(blocks[..at].iter().cloned(), NOW).unwrap();
        let stray = mined(&trunk, 1, 3).remove(0);
        let error = BlockError::Pruned { fork_height: fork, base };
        assert_eq!(chain.import_header(stray.header(), NOW), Err(error.clone()));
        assert_eq!(chain.import(Arc::clone(&stray), NOW), Err(error));
        assert_eq!(chain.header(stray.hash()), Ok(None), "it is no worse than it was");
    }
    assert_eq!(chain.tip(), &before);
    let mut blocks = blocks.to_vec();
    let depth = chain.height() - base;
    reorganise_within(&mut chain, &mut blocks, depth);
    chain.check_store();
}

#[test]
fn a_chain_without_a_state_keeps_the_last_bodies() {
    check::<String>();
}

#[test]
fn a_chain_with_a_large_state_keeps_the_last_bodies_and_those_that_it_needs() {
    check::<Heavy>();
}

#[rstest]
fn bodies_are_kept_as_asked_for(#[values(0, 1, 2, 60)] keep: u64) {
    let (chain, disk, blocks) = grown::<String>(130, keep);
    assert_bodies(&chain, &blocks);
    chain.check_store();
    // The body of the tip is always kept, because opening a chain reads it.
    assert_same(&open::<String>(&spec(), &keeping(keep), &disk), &chain);
}

#[test]
fn an_export_from_below_is_refused_and_one_from_above_is_whole() {
    let (chain, _, blocks) = grown::<String>(150, 10);
    let kept_from = chain.first_body();
    for start in [0, 1, kept_from - 1] {
        let error = chain.export(start.., Vec::new()).unwrap_err();
        assert!(
            matches!(error, ExportError::Pruned { height, kept_from: from } if height == start.max(1) && from == kept_from),
            "{error}"
        );
    }
    let mut file = Vec::new();
    assert_eq!(chain.export(kept_from.., &mut file).unwrap(), 151 - kept_from);
    assert_eq!(chain.export(0..1, Vec::new()).unwrap(), 0, "genesis is in no archive");
    let mut other: Blockchain = Blockchain::new(spec());
    let _ = other.import_all(blocks[..usize::try_from(kept_from).unwrap() - 1].iter().cloned(), NOW).unwrap();
    other.import_archive(file.as_slice(), NOW).unwrap();
    assert_eq!(other.tip(), chain.tip());
}

#[test]
fn bodies_that_go_while_they_are_exported_are_named_as_gone() {
    let (mut chain, _, _) = grown::<String>(50, 10);
    assert_eq!(chain.first_body(), 0);
    let mut exporter = crate::archive::Exporter::new(&chain, .., Vec::new()).unwrap();
    assert_eq!(exporter.step(&chain, 5).unwrap().done, 5);
    for block in mined(&chain, 100, 1) {
        let _ = chain.import(block, NOW).unwrap();
    }
    let kept_from = chain.first_body();
    assert!(kept_from > 10);
    let error = exporter.step(&chain, 5).unwrap_err();
    assert!(
        matches!(error, ExportError::Pruned { height: 6, kept_from: from } if from == kept_from),
        "{error}"
    );
}

/// The first pruning of a long chain deletes its bodies in steps.
#[test]
fn a_long_chain_is_pruned_in_pieces() {
    let disk = disk();
    let mut chain: Blockchain = open(&spec(), &ChainConfig::default(), &disk);
    let blocks = blocks_above(&chain, 700, |height| vec![format!("{height}")]);
    let (old, new) = blocks.split_at(600);
    let _ = chain.import_all(old.iter().cloned(), NOW).unwrap();
    chain.checkpoint().unwrap();
    let mut chain: Blockchain = open(&spec(), &keeping(10), &disk);
    assert_eq!(chain.first_body(), 0);
    let mut firsts = Vec::new();
    for (count, block) in (1..).zip(new) {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
        firsts.push(chain.first_body());
        assert_bodies(&chain, &blocks[..600 + count]);
        chain.check_store();
        if count % 3 == 0 {
            let reopened: Blockchain = open(&spec(), &keeping(10), &disk);
            assert_same(&reopened, &chain);
        }
    }
    firsts.dedup();
    // The last state is at height 600. Ten blocks later the bodies up to it are deleted, 256 with each block.
    assert_eq!(firsts, [0, 257, 513, 601]);
}

/// A side branch whose fork was pruned is not followed, however much work it gets. Its stored blocks are
/// still served.
#[test]
fn a_branch_that_was_there_before_its_fork_was_pruned_is_given_up() {
    let disk = disk();
    let mut chain: Blockchain = open(&spec(), &keeping(10), &disk);
    let main = mined(&Blockchain::new(spec()), 150, 1);
    let mut trunk = Blockchain::new(spec());
    let _ = trunk.import_all(main[..5].iter().cloned(), NOW).unwrap();
    let side = mined(&trunk, 150, 2);
    let _ = chain.import_all(main[..20].iter().cloned(), NOW).unwrap();
    let _ = chain.import_all(side[..10].iter().cloned(), NOW).unwrap();
    for block in &main[20..] {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
    let base = chain.checkpoints.base();
    assert!(base > 5);
    chain.check_store();
    let error = BlockError::Pruned { fork_height: 5, base };
    assert_eq!(chain.import_header(side[10].header(), NOW), Err(error.clone()));
    assert_eq!(chain.verify(..), Ok(()));
    let mut chain: Blockchain = open(&spec(), &keeping(10), &disk);
    assert_eq!(chain.block(side[9].hash()), Ok(Some(Arc::clone(&side[9]))));
    assert_eq!(chain.import(Arc::clone(&side[10]), NOW), Err(error));
    assert_eq!(chain.tip(), &main[149]);
    chain.check_store();
}
