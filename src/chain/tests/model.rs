//! The chain is compared with a model that keeps every block, computes everything from scratch, and knows
//! only the guarantees of fork choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::forge::*;
use crate::primitives::{Target, Work};
use crate::{Block, ChainConfig, ChainSpec, Hash};

/// One block of a random tree.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The parent: 0 for genesis, or one of the blocks before this one.
    parent: prop::sample::Index,
    /// Whether the parent is the previous block instead, so that branches grow long.
    follows: bool,
    /// Whether the application rejects the block.
    bad: bool,
    size: usize,
}

/// What arrives in one step.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    Header(usize),
    Block(usize),
    /// A body that does not belong to the header.
    Mutated(usize),
}

pub(super) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan =
        (any::<prop::sample::Index>(), prop::bool::weighted(0.6), prop::bool::weighted(0.1), 0..200_usize);
    let plan = plan.prop_map(|(parent, follows, bad, size)| Plan { parent, follows, bad, size });
    prop::collection::vec(plan, 1..40)
}

/// Blocks in random order, with headers before some and duplicates of others. Headers lean towards low
/// numbers, so that many of them have a known parent.
fn arrivals(blocks: usize) -> impl Strategy<Value = Vec<Arrival>> {
    let one = (0..blocks, 0..blocks, 0..10_u8);
    let scattered = prop::collection::vec(one, blocks..=3 * blocks).prop_map(|steps| {
        steps.into_iter().map(|(a, b, kind)| match kind {
            0..=2 => Arrival::Header(a.min(b)),
            3 => Arrival::Mutated(a),
            _ => Arrival::Block(a),
        })
    });
    // Finally every block arrives once more, so that each tree is complete at the end.
    let rest = Just((0..blocks).collect::<Vec<_>>()).prop_shuffle();
    (any::<bool>(), scattered, rest).prop_map(move |(headers_first, scattered, rest)| {
        let headers = (0..if headers_first { blocks } else { 0 }).map(Arrival::Header);
        headers.chain(scattered).chain(rest.into_iter().map(Arrival::Block)).collect()
    })
}

pub(super) fn scenario() -> impl Strategy<Value = (Vec<Plan>, Vec<Arrival>)> {
    plans().prop_flat_map(|plans| {
        let arrivals = arrivals(plans.len());
        (Just(plans), arrivals)
    })
}

/// The branch that ends at each planned block.
pub(super) fn grow(spec: &ChainSpec, plans: &[Plan]) -> Vec<Branch> {
    let mut branches = vec![Branch::new(spec)];
    for (number, plan) in (0..).zip(plans) {
        let parent = if plan.follows { branches.len() - 1 } else { plan.parent.index(branches.len()) };
        let mut branch = branches[parent].clone();
        let mut data = vec![Note::Word(number), Note::Pad(vec![0; plan.size])];
        if plan.bad {
            data.push(Note::Bad(number));
        }
        branch.extend(data);
        branches.push(branch);
    }
    branches.remove(0);
    branches
}

/// Every block that arrived, valid or not.
#[derive(Default)]
pub(super) struct Model {
    bodies: BTreeMap<Hash, Shared>,
}

impl Model {
    /// The path from the block above genesis to this block, if all its blocks have arrived.
    fn path(&self, tip: &Shared) -> Option<Vec<Shared>> {
        let mut path = vec![Arc::clone(tip)];
        while path[path.len() - 1].height() > 1 {
            path.push(Arc::clone(self.bodies.get(&path[path.len() - 1].header().previous_hash)?));
        }
        path.reverse();
        Some(path)
    }

    pub(super) fn is_bad(block: &Shared) -> bool {
        block.data().iter().any(|note| matches!(note, Note::Bad(_)))
    }

    /// The complete branches without a bad block.
    fn good_branches(&self) -> Vec<Vec<Shared>> {
        let paths = self.bodies.values().filter_map(|block| self.path(block));
        paths.filter(|path| !path.iter().any(Self::is_bad)).collect()
    }
}

fn work(path: &[Shared]) -> Work {
    path.iter().map(|block| Work::from(Target::try_from(block.header().target).unwrap())).sum()
}

/// Imports all arrivals, and compares the chain with the model after each of them.
fn compare(plans: &[Plan], arrivals: &[Arrival]) {
    let branches = grow(&spec(), plans);
    let mut model = Model::default();
    let mut chain = chain_with(ChainConfig::default());
    let mut followed: Vec<Shared> = Vec::new();
    for arrival in arrivals {
        match arrival {
            Arrival::Header(index) => {
                let block = branches[*index].tip();
                // A header whose parent is unknown is refused. No header moves the best chain.
                let _ = import_header(&mut chain, block);
            }
            Arrival::Block(index) => {
                let block = branches[*index].tip();
                let _ = import(&mut chain, block);
                model.bodies.insert(*block.hash(), Arc::clone(block));
            }
            Arrival::Mutated(index) => {
                let header = *branches[*index].tip().header();
                let mutated: Shared = Block::new(header, words(&[u32::MAX])).into();
                let before = chain.tip().clone();
                let _ = import(&mut chain, &mutated);
                assert_eq!(*chain.tip(), before);
            }
        }
        let got = blocks(&chain, 1..);
        let good = model.good_branches();
        let most = good.iter().map(|path| work(path)).max().unwrap_or_default();
        if work(&followed) == most {
            assert_eq!(got, followed, "nothing is better than what was followed before");
        } else {
            assert!(good.contains(&got), "a good branch is followed");
            assert_eq!(work(&got), most, "and none has more work");
        }
        let fresh = fed(spec(), &got);
        assert_eq!((chain.state(), chain.work()), (fresh.state(), fresh.work()));
        followed = got;
    }
    let best = chain.best_header().1.height;
    assert_eq!(best, chain.height(), "when all bodies are here, no good header is ahead");
    for branch in &branches {
        let is_bad = branch.mined().iter().any(Model::is_bad);
        assert!(
            is_bad || chain.block(branch.tip().hash()) == Ok(Some(branch.tip().clone())),
            "every good block is kept"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn fork_choice_follows_the_model((plans, arrivals) in scenario()) {
        compare(&plans, &arrivals);
    }

    /// Low limits evict many blocks, so the model does not apply. The invariants, which include the limits,
    /// must hold.
    #[test]
    fn nothing_breaks_where_room_is_scarce(
        (plans, arrivals) in scenario(),
        (headers, orphans) in (0..12_usize, 0..5_usize),
        (bytes, orphan_bytes) in (0..4_000_usize, 0..1_500_usize),
        finality in prop::option::of(1..6_u64),
    ) {
        let spec = builder().finality_depth(finality).build().unwrap();
        let branches = grow(&spec, &plans);
        let config = ChainConfig::default()
            .with_max_side_headers(headers)
            .with_max_side_bytes(bytes)
            .with_max_orphans(orphans)
            .with_max_orphan_bytes(orphan_bytes);
        let mut chain = Chain::with_config(spec.clone(), config);
        for arrival in &arrivals {
            let (before, work) = (chain.tip().clone(), chain.work());
            let refused = match arrival {
                Arrival::Header(index) => import_header(&mut chain, branches[*index].tip()).err(),
                Arrival::Block(index) => import(&mut chain, branches[*index].tip()).err(),
                Arrival::Mutated(index) => {
                    let header = *branches[*index].tip().header();
                    import(&mut chain, &Block::new(header, words(&[u32::MAX])).into()).err()
                }
            };
            prop_assert!(chain.work() > work || *chain.tip() == before, "only more work moves the tip");
            prop_assert!(refused.is_none() || *chain.tip() == before, "{refused:?} moved the tip");
            let got = blocks(&chain, 1..);
            let fresh = fed(spec.clone(), &got);
            prop_assert_eq!(chain.state(), fresh.state());
        }
    }
}
