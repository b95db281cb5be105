//! Failing stores: an import that fails changes nothing, the chain can still be read, and as soon as the
//! store works again, the chain continues as if nothing had failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rstest::rstest;

use super::forge::*;
use super::stored::{Disk, Picture, assert_same, disk, open, try_open};
use crate::chain::{Imported, Verdict};
use crate::store::{Batch, Cause, Entries, Keys, Order, Store, Table};
use crate::testing::store::Failure;
use crate::{BlockError, ChainConfig, OpenError, StoreError};

/// A call that writes to the store.
#[derive(Clone, Debug)]
enum Step {
    Header(Shared),
    Import(Vec<Shared>),
    Checkpoint,
}

/// The result of a step, except for an error of the store.
#[derive(Debug, PartialEq)]
enum Outcome {
    Header(Result<bool, BlockError>),
    Imported(Imported<Note>),
    Done,
}

impl Outcome {
    /// Accepts a duplicate in place of an expected orphan, because the failed attempt may have kept the
    /// orphan.
    fn forgive_orphans(&mut self, expected: &Self) {
        let (Self::Imported(got), Self::Imported(expected)) = (self, expected) else { return };
        for (got, expected) in got.verdicts.iter_mut().zip(&expected.verdicts) {
            if let (Ok(Verdict::Duplicate), Ok(Verdict::Orphan { .. })) = (&got, expected) {
                got.clone_from(expected);
            }
        }
    }
}

impl Step {
    fn run(&self, chain: &mut Chain) -> Result<Outcome, StoreError> {
        Ok(match self {
            Self::Header(block) => match chain.import_header(block.header(), NOW) {
                Err(BlockError::Store(error)) => return Err(error),
                result => Outcome::Header(result),
            },
            Self::Import(blocks) => Outcome::Imported(chain.import_all(blocks.iter().cloned(), NOW)?),
            Self::Checkpoint => {
                chain.checkpoint()?;
                Outcome::Done
            }
        })
    }
}

/// Blocks that extend the tip, side branches, reorganisations, invalid blocks, orphans, and checkpoints.
fn steps() -> Vec<Step> {
    let main = Branch::of(&[1, 2, 3, 4, 5]);
    let side = main.cut(3).with(&[14, 15, 16]);
    let mut bad = side.with(&[27]);
    bad.extend(vec![Note::Bad(28)]);
    let bad = bad.with(&[29]);
    let back = main.with(&[6, 7, 8, 9]);
    let end = back.cut(6).with(&[37, 38, 39, 40]);
    let import = |blocks: &[Shared]| Step::Import(blocks.to_vec());
    let reversed: Vec<Shared> = back.above(6).iter().rev().cloned().collect();
    vec![
        import(&main.mined()[..3]),
        import(main.above(3)),
        Step::Checkpoint,
        Step::Header(Arc::clone(side.at(4))),
        import(&side.above(3)[..2]),
        import(side.above(5)),
        import(bad.above(6)),
        Step::Checkpoint,
        Step::Header(Arc::clone(back.at(6))),
        import(&back.above(5)[..1]),
        import(&reversed),
        import(end.above(6)),
        import(&[Arc::clone(end.tip()), Arc::clone(end.with(&[41]).tip())]),
        Step::Checkpoint,
    ]
}

fn configs() -> [ChainConfig; 3] {
    let config = ChainConfig::default();
    [config.clone(), config.clone().with_keep_bodies(Some(3)), config.with_max_cached_bytes(0)]
}

/// The outcome of each step, and the chain after it, if the store does not fail.
fn reference(config: &ChainConfig) -> Vec<(Outcome, Picture<Note>)> {
    let mut chain = chain_with(config.clone());
    let run = |step: Step| {
        let outcome = step.run(&mut chain).unwrap();
        chain.check_invariants();
        (outcome, Picture::of(&chain))
    };
    steps().into_iter().map(run).collect()
}

#[rstest]
#[case(Failure::Full, StoreError::Full(Cause::new("the test has it so")))]
#[case(Failure::Io, StoreError::Io(Cause::new("the test has it so")))]
fn a_commit_that_fails_changes_nothing(#[case] failure: Failure, #[case] error: StoreError) {
    for config in configs() {
        let expected = reference(&config);
        for commits in 0.. {
            let disk = disk();
            let mut chain: Chain = open(&spec(), &config, &disk);
            disk.fail_commits_after(commits, failure);
            let mut has_failed = false;
            for (step, (outcome, picture)) in steps().iter().zip(&expected) {
                let (before, state) = (Picture::of(&chain), chain.state().clone());
                if let Err(got) = step.run(&mut chain) {
                    has_failed = true;
                    assert_eq!(got, error);
                    assert_eq!(
                        (Picture::of(&chain), chain.state()),
                        (before, &state),
                        "after {commits} commits"
                    );
                    chain.check_invariants();
                    assert_eq!(step.run(&mut chain), Err(error.clone()), "it still fails");
                    assert_eq!(chain.recover(), Err(error.clone()));
                    assert_eq!(chain.state(), &state);
                    disk.heal();
                    if commits % 2 == 0 {
                        chain.recover().unwrap();
                        chain.check_invariants();
                    }
                    let mut got = step.run(&mut chain).unwrap();
                    got.forgive_orphans(outcome);
                    assert_eq!(&got, outcome);
                }
                chain.check_invariants();
                assert_eq!(&Picture::of(&chain), picture);
            }
            assert_same(&open(&spec(), &config, &disk), &chain);
            if !has_failed {
                assert!(commits > 8, "there is one commit for each step that keeps something");
                break;
            }
        }
    }
}

#[test]
fn a_new_store_that_cannot_be_written_to_is_no_chain() {
    let disk = disk();
    disk.fail_commits_after(0, Failure::Full);
    let error = StoreError::Full(Cause::new("the test has it so"));
    assert_eq!(
        try_open::<Note>(&spec(), &ChainConfig::default(), &disk).unwrap_err(),
        OpenError::Store(error)
    );
    disk.heal();
    disk.fail_reads(Failure::Io);
    let error = StoreError::Io(Cause::new("the test has it so"));
    assert_eq!(
        try_open::<Note>(&spec(), &ChainConfig::default(), &disk).unwrap_err(),
        OpenError::Store(error)
    );
    disk.heal();
    assert_eq!(open::<Note>(&spec(), &ChainConfig::default(), &disk).height(), 0);
}

/// A store that fails all operations, reads included, after a given number of them, until the test mends it.
#[derive(Clone, Debug)]
struct Fuse {
    disk: Disk,
    left: Arc<AtomicU64>,
}

impl Fuse {
    fn new() -> Self {
        Self { disk: disk(), left: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn blow_after(&self, operations: u64) {
        self.left.store(operations, Ordering::Relaxed);
    }

    fn mend(&self) {
        self.blow_after(u64::MAX);
    }

    fn burn(&self) -> Result<(), StoreError> {
        match self.left.load(Ordering::Relaxed).checked_sub(1) {
            Some(left) => {
                self.blow_after(left);
                Ok(())
            }
            None => Err(blown()),
        }
    }
}

fn blown() -> StoreError {
    StoreError::Io(Cause::new("blown"))
}

impl Store for Fuse {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.burn()?;
        self.disk.get(table, key)
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.burn()?;
        self.disk.scan(table, keys, order, limit)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.burn()?;
        self.disk.commit(batch)
    }
}

/// Runs every query on a chain whose store fails. A query may fail, but must not return wrong data.
fn interrogate(chain: &Chain, known: &[Shared]) {
    let is_known = |block: &Shared| known.contains(block) || block.height() == 0;
    let (height, tip) = (chain.height(), Arc::clone(chain.tip()));
    assert!(is_known(&tip));
    assert!(chain.template(Vec::new(), NOW).is_ok());
    for at in 0..=height + 1 {
        if let Ok(Some(block)) = chain.block_at(at) {
            assert!(block.height() == at && is_known(&block), "height {at}");
        }
        if let Ok(Some(header)) = chain.header_at(at) {
            assert_eq!(header.height, at);
        }
        let _ = chain.ancestor_proof(at, height);
        let _ = chain.consistency_proof(at, height);
    }
    for block in known {
        let found = chain.block(block.hash()).unwrap_or_default();
        assert!(found.is_none_or(|found| found == *block));
        let header = chain.header(block.hash()).unwrap_or_default();
        assert!(header.is_none_or(|header| header == *block.header()));
        let _ = (chain.is_best(block.hash()), chain.work_at(block.hash()));
        let _ = chain.locator_from(block.hash());
        let _ = chain.missing_bodies(block.hash(), 9);
        let _ = chain.transaction_proof(block.hash(), 0);
    }
    let _ = (chain.locator(), chain.headers_after(&[], 9), chain.verify(..), chain.best_header());
    let _ = (chain.blocks(..).count(), chain.export(.., Vec::new()).is_ok(), chain.first_body());
}

/// The rollback fails too, because all operations of the store fail.
#[test]
fn a_store_that_is_gone_in_the_middle_of_anything_leaves_a_chain_that_can_be_read() {
    let known: Vec<Shared> = steps()
        .into_iter()
        .flat_map(|step| match step {
            Step::Header(block) => vec![block],
            Step::Import(blocks) => blocks,
            Step::Checkpoint => Vec::new(),
        })
        .collect();
    for config in configs() {
        let expected = reference(&config);
        for at in 0..expected.len() {
            for operations in 0.. {
                if !lose_the_store(&config, &expected, at, operations, &known) {
                    break;
                }
            }
        }
    }
}

/// Runs all steps on a store that fails after `operations` operations of step `at`. Returns false if the step
/// succeeds, because it has no more operations than that.
fn lose_the_store(
    config: &ChainConfig,
    expected: &[(Outcome, Picture<Note>)],
    at: usize,
    operations: u64,
    known: &[Shared],
) -> bool {
    let fuse = Fuse::new();
    let mut chain = Chain::open(spec(), config.clone(), Box::new(fuse.clone())).unwrap();
    let steps = steps();
    for (step, (outcome, _)) in steps.iter().zip(expected).take(at) {
        assert_eq!(&step.run(&mut chain).unwrap(), outcome);
    }
    let (before, state) = (Picture::of(&chain), chain.state().clone());
    fuse.blow_after(operations);
    let result = steps[at].run(&mut chain);
    if let Ok(outcome) = result {
        assert_eq!(outcome, expected[at].0);
        return false;
    }
    assert_eq!(result, Err(blown()), "after {operations} operations of step {at}");
    interrogate(&chain, known);
    for block in known {
        let _ = chain.import_header(block.header(), NOW);
    }
    assert_eq!(steps[at].run(&mut chain), Err(blown()), "it is still gone");
    assert_eq!(chain.recover(), Err(blown()));
    interrogate(&chain, known);
    fuse.mend();
    // In the other cases the next step recovers by itself.
    if operations.is_multiple_of(2) {
        chain.recover().unwrap();
        chain.check_invariants();
        assert_eq!((Picture::of(&chain), chain.state()), (before, &state));
    }
    for (index, (outcome, picture)) in expected.iter().enumerate().skip(at) {
        let mut got = steps[index].run(&mut chain).unwrap();
        if index == at {
            got.forgive_orphans(outcome);
        }
        assert_eq!(&got, outcome, "after {operations} operations of step {at}");
        chain.check_invariants();
        assert_eq!(&Picture::of(&chain), picture);
    }
    true
}

/// After a truncation that failed halfway, the chain continues from what is left.
#[test]
fn a_cut_that_fails_leaves_a_shorter_chain() {
    let main = Branch::of(&(0..150).collect::<Vec<_>>());
    let side = main.cut(10).with(&[200, 201]);
    let config = ChainConfig::default();
    for fails_reads in [false, true] {
        for commits in 0.. {
            let disk = disk();
            let mut chain: Chain = open(&spec(), &config, &disk);
            for part in [&main.mined()[..140], side.above(10), main.above(140)] {
                let _ = chain.import_all(part.iter().cloned(), NOW).unwrap();
                chain.checkpoint().unwrap();
            }
            disk.fail_commits_after(commits, Failure::Full);
            let result = chain.drop_above(5);
            if result.is_ok() {
                assert!(commits > 3);
                assert_follows(&chain, &main.cut(5));
                break;
            }
            if fails_reads {
                disk.fail_reads(Failure::Io);
                interrogate(&chain, main.mined());
                assert!(chain.import(Arc::clone(main.tip()), NOW).is_err());
            }
            disk.heal();
            let _ = import(&mut chain, main.at(1)).unwrap();
            let left = usize::try_from(chain.height()).unwrap();
            // A truncation deletes at most 64 blocks per commit, from the top.
            assert!(left == 150 || left <= 150 - 64 || left == 5, "{left}");
            assert_follows(&chain, &main.cut(left));
            let _ = chain.import_all(main.mined().iter().chain(side.above(10)).cloned(), NOW).unwrap();
            chain.check_invariants();
            assert_follows(&chain, &main);
            assert_same(&open(&spec(), &config, &disk), &chain);
        }
    }
}
