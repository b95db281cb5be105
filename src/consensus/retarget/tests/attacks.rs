//! Attacks on a rule by a miner with less than half of the work, who chooses timestamps.
//! `examples/retarget_tables.rs` measures every rule and more strategies.

use super::super::*;
use super::{TEN_MINUTES, pace, sample};
use crate::primitives::Difficulty;
use rstest::rstest;

const INTERVAL_MS: u64 = 600_000;

/// The limit of a solve time in an average.
const LONGEST_MS: u64 = 6 * INTERVAL_MS;

/// A week of blocks at the default interval, 10 s.
const WEEK: f64 = 60_480.0;

/// The difficulties of blocks that each claim to have taken `solve_ms`, on a chain that has been on time at
/// this difficulty for longer than an average reaches back.
fn difficulties(rule: Retarget, difficulty: u64, solve_ms: u64, blocks: usize) -> Vec<f64> {
    let easiest = pace().easiest();
    let target = Target::from_uint(easiest.as_uint() / U256::from(difficulty)).to_compact();
    let mut chain: Vec<Sample> =
        (0..200).map(|height| sample(height, height * INTERVAL_MS, target.to_bits())).collect();
    let mut difficulties = Vec::new();
    for _ in 0..blocks {
        let parent = chain[chain.len() - 1];
        let past = |height| chain[usize::try_from(height).unwrap()];
        let target = rule.next_target(easiest.to_compact(), TEN_MINUTES, parent.height, past);
        difficulties.push(Difficulty::new(easiest, Target::try_from(target).unwrap()).as_f64());
        chain.push(sample(parent.height + 1, parent.timestamp.as_millis() + solve_ms, target.to_bits()));
    }
    difficulties
}

/// An exponentially distributed number with a mean of 1.
fn exponential(random: &mut fastrand::Rng) -> f64 {
    -(1.0 - random.f64()).ln()
}

/// A random number of blocks if `mean` are expected, approximated by the normal distribution for a large
/// mean.
fn poisson(mean: f64, random: &mut fastrand::Rng) -> f64 {
    if mean > 100.0 {
        let normal = (2.0 * exponential(random)).sqrt() * (core::f64::consts::TAU * random.f64()).cos();
        return (mean + mean.sqrt() * normal).round().max(0.0);
    }
    core::iter::repeat_with(|| exponential(random))
        .scan(0.0, |sum, time| {
            *sum += time;
            (*sum <= mean).then_some(1.0)
        })
        .sum()
}

/// Whether a private fork with these difficulties and 40 % of all hash rate replaces the last 100 blocks of
/// the public chain within a week, while the other miners extend the public chain. Work is counted in blocks
/// of the public chain, time in its intervals.
fn replaces_100_blocks(difficulties: &[f64], random: &mut fastrand::Rng) -> bool {
    let (mut now, mut work, mut public) = (0.0, 0.0, 100.0);
    for difficulty in difficulties {
        let took = exponential(random) * difficulty / 0.4;
        now += took;
        public += poisson(took * 0.6, random);
        work += difficulty;
        if now > WEEK {
            return false;
        }
        if work > public {
            return true;
        }
    }
    panic!("the week outlasts the fork");
}

#[rstest]
#[case::without_limits(Retarget::Lwma { blocks: 45 }, false)]
#[case::default(Retarget::default(), true)]
fn a_fork_does_not_raise_its_difficulty_until_luck_decides(#[case] rule: Retarget, #[case] is_safe: bool) {
    const TRIALS: usize = 5_000;
    // Long enough for any chance: at the end of the fork a block takes longer than a week.
    let fork: Vec<f64> =
        difficulties(rule, 1_000, 1, 2_500).into_iter().map(|difficulty| difficulty / 1_000.0).collect();
    let mut random = fastrand::Rng::with_seed(8);
    let successes = (0..TRIALS).filter(|_| replaces_100_blocks(&fork, &mut random)).count();
    assert_eq!(successes * 1_000 < TRIALS, is_safe, "{successes} of {TRIALS} forks replace 100 blocks");
}

#[rstest]
#[case::without_limits(Retarget::Lwma { blocks: 45 }, false)]
#[case::default(Retarget::default(), true)]
fn a_hundred_blocks_do_not_lower_the_difficulty_from_57_to_1(#[case] rule: Retarget, #[case] is_safe: bool) {
    let difficulties = difficulties(rule, 57, LONGEST_MS, 101);
    let last = difficulties[100];
    assert_eq!(last > 2.0, is_safe, "the difficulty falls to {last}");
}
