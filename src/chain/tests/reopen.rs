//! A reopened chain equals the chain that was closed, and continues like one that was never closed.

use core::time::Duration;
use std::sync::Arc;

use proptest::prelude::*;
use rstest::rstest;

use super::forge::*;
use super::model::{Arrival, Model, Plan, grow, plans, scenario};
use super::stored::{Disk, assert_same, copy_of, disk, open};
use crate::chain::{Imported, Verdict};
use crate::{BlockError, Blockchain, ChainConfig, ChainSpec, CompactTarget, Retarget, Timestamp};

/// One of the steps after each of which a chain is reopened. Parents are imported before their children,
/// because orphans are not stored.
#[derive(Clone, Debug)]
enum Step {
    NextBlockRules,
    Again(prop::sample::Index),
    Checkpoint,
}

fn steps() -> impl Strategy<Value = (Vec<Plan>, Vec<Step>)> {
    plans().prop_flat_map(|plans| {
        let other = prop_oneof![any::<prop::sample::Index>().prop_map(Step::Again), Just(Step::Checkpoint)];
        let step = prop_oneof![3 => Just(Step::NextBlockRules), 1 => other];
        let steps = prop::collection::vec(step, plans.len()..2 * plans.len() + 1);
        (Just(plans), steps)
    })
}

/// The outcome of an import, if the block is kept. Refusals and orphans may differ after a reopening, because
/// invalid blocks are not stored: a block that one chain refuses for an invalid ancestor is an orphan for the
/// other.
fn outcome(imported: Result<Imported<Note>, BlockError>) -> Option<Imported<Note>> {
    imported.ok().filter(|imported| !matches!(imported.verdicts[..], [Ok(Verdict::Orphan { .. })]))
}

fn run(config: &ChainConfig, spec: &ChainSpec, plans: &[Plan], steps: &[Step]) {
    let branches = grow(spec, plans);
    let (kept_disk, disk) = (disk(), disk());
    let mut kept: Chain = open(spec, config, &kept_disk);
    let mut next = 0;
    for step in steps {
        let mut reopened: Chain = open(spec, config, &disk);
        let index = match step {
            Step::NextBlockRules => {
                next += 1;
                next - 1
            }
            Step::Again(index) => index.index(next + 1),
            Step::Checkpoint => {
                kept.checkpoint().unwrap();
                reopened.checkpoint().unwrap();
                continue;
            }
        };
        let Some(branch) = branches.get(index) else { continue };
        // Invalid blocks and orphans are not stored, so importing one of them again may have another outcome.
        let is_kept = kept.block(branch.tip().hash()).unwrap().is_some() && kept.orphan_count() == 0;
        if matches!(step, Step::Again(_)) && !is_kept {
            continue;
        }
        let [left, right] = [&mut kept, &mut reopened].map(|chain| outcome(import(chain, branch.tip())));
        assert_eq!(left, right, "block {index}");
        assert_same(&kept, &reopened);
        assert_same(&kept, &open(spec, config, &disk));
    }
}

/// What a chain loses when it is closed is restored by importing the blocks again.
fn run_with_gaps(plans: &[Plan], arrivals: &[Arrival], checkpoints: usize) {
    let branches = grow(&spec(), plans);
    let (config, disk) = (ChainConfig::default(), disk());
    let mut kept: Chain = open(&spec(), &config, &disk);
    for (step, arrival) in arrivals.iter().enumerate() {
        let _ = match arrival {
            Arrival::Header(index) => kept.import_header(branches[*index].tip().header(), NOW).map(|_| ()),
            Arrival::Block(index) => kept.import(Arc::clone(branches[*index].tip()), NOW).map(|_| ()),
            Arrival::Mutated(_) => Ok(()),
        };
        if step % checkpoints == 0 {
            kept.checkpoint().unwrap();
        }
        let reopened: Chain = open(&spec(), &config, &copy_of(&disk));
        reopened.check_invariants();
        assert_same(&kept, &reopened);
        assert_eq!(reopened.best_header().0, reopened.tip().hash(), "headers without bodies are forgotten");
    }
    let mut reopened: Chain = open(&spec(), &config, &disk);
    for branch in &branches {
        let _ = import(&mut reopened, branch.tip());
    }
    assert_eq!(reopened.work(), kept.work());
    for branch in &branches {
        // An invalid block is detected only if its branch has the most work at some time.
        let is_good = branch.mined().iter().all(|block| !Model::is_bad(block));
        let tip = branch.tip();
        for chain in [&kept, &reopened].into_iter().filter(|_| is_good) {
            assert_eq!(chain.block(tip.hash()), Ok(Some(Arc::clone(tip))));
        }
    }
    assert_eq!(reopened.verify(..), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn opening_after_every_import_changes_nothing(
        (plans, steps) in steps(),
        keep_bodies in prop::option::of(0..12_u64),
        finality in prop::option::of(1..8_u64),
    ) {
        let spec = builder().finality_depth(finality).build().unwrap();
        run(&ChainConfig::default().with_keep_bodies(keep_bodies), &spec, &plans, &steps);
    }

    #[test]
    fn what_is_open_is_what_is_stored((plans, arrivals) in scenario(), checkpoints in 1..20_usize) {
        run_with_gaps(&plans, &arrivals, checkpoints);
    }
}

/// The time of the next block: by turns, ten blocks come too fast and ten too slowly.
fn next_time(chain: &Blockchain) -> Timestamp {
    let gap = if chain.height() / 10 % 2 == 0 { 5 } else { 40 };
    chain.tip().header().timestamp.saturating_add(Duration::from_secs(gap))
}

fn extend(chain: &mut Blockchain, text: &str) {
    let now = next_time(chain);
    let block = chain.template(vec![text.to_owned()], now).unwrap().mine().unwrap();
    let imported = chain.import(block.into(), now).unwrap();
    assert!(imported.is_extension());
}

#[rstest]
#[case::step(Retarget::Step)]
#[case::window(Retarget::Window { blocks: 15 })]
#[case::lwma(Retarget::Lwma { blocks: 15 })]
#[case::asert(Retarget::Asert { half_life_ms: 120_000 })]
fn the_next_target_is_that_of_a_chain_that_was_never_closed(#[case] retarget: Retarget) {
    let easy = CompactTarget::from_bits(0x200f_ffff);
    let spec = ChainSpec::builder("test").easiest_target(easy).retarget(retarget);
    let spec = spec.block_interval(Duration::from_secs(20)).build().unwrap();
    let (config, disk) = (ChainConfig::default(), disk());
    let mut chain: Blockchain = open(&spec, &config, &disk);
    let mut targets = Vec::new();
    for _ in 0..200 {
        extend(&mut chain, "main");
        targets.push(chain.next_target());
        let mut reopened: Blockchain = open(&spec, &config, &copy_of(&disk));
        assert_eq!(reopened.next_target(), chain.next_target());
        let now = next_time(&chain);
        assert_eq!(
            reopened.template(Vec::new(), now).unwrap().header(),
            chain.template(Vec::new(), now).unwrap().header()
        );
        extend(&mut reopened, "another");
    }
    targets.dedup();
    assert!(targets.len() > 3, "{targets:?}");
    assert_eq!(open::<String>(&spec, &config, &disk).verify(..), Ok(()));
}

#[test]
fn a_new_store_is_given_the_genesis_block_and_nothing_else() {
    let disk: Disk = disk();
    let chain: Chain = open(&spec(), &ChainConfig::default(), &disk);
    chain.check_invariants();
    assert_eq!(disk.commits(), 1);
    let again: Chain = open(&spec(), &ChainConfig::default(), &disk);
    assert_eq!(disk.commits(), 1, "opening what is there writes nothing");
    assert_same(&again, &super::forge::chain());
}

#[test]
fn the_first_seen_of_equals_is_known_after_opening() {
    let trunk = Branch::of(&[1]);
    let ends: Vec<Branch> = (10..14).map(|number| trunk.with(&[number])).collect();
    let (config, disk) = (ChainConfig::default(), disk());
    let mut chain: Chain = open(&spec(), &config, &disk);
    assert_eq!(import(&mut chain, trunk.tip()), extended(trunk.mined()));
    assert_eq!(import(&mut chain, ends[2].tip()), extended(ends[2].above(1)));
    for index in [0, 3, 1] {
        assert_eq!(import(&mut chain, ends[index].tip()), Ok(side_branch()));
    }
    let mut chain: Chain = open(&spec(), &config, &disk);
    assert_follows(&chain, &ends[2]);
    // If the branch with the most work is invalid, the first seen of the others stays the best chain.
    let mut bad = trunk.with(&[20]);
    bad.extend(vec![Note::Bad(21)]);
    for block in bad.above(1) {
        let _ = import(&mut chain, block);
    }
    assert_follows(&chain, &ends[2]);
    assert!(chain.is_invalid(bad.tip().hash()));
}
