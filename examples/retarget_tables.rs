//! Simulates every retargeting rule and prints the tables of `docs/retargeting.md`:
//!
//! ```sh
//! cargo run --example retarget_tables --no-default-features
//! ```
//!
//! Times are in units of the target block interval. Solve times are exponentially distributed, with fixed
//! seeds. A hash rate of 1 finds a block of the easiest target in one interval on average, so the right
//! difficulty for a hash rate is the hash rate itself.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    reason = "a simulation whose numbers are small and known"
)]

#[path = "retarget_tables/attacks.rs"]
mod attacks;

use std::time::Duration;

use hashloom::consensus::retarget::Sample;
use hashloom::primitives::{Difficulty, Target};
use hashloom::{Retarget, Timestamp};

/// The target block interval.
const INTERVAL: Duration = Duration::from_secs(10);

/// The initial hash rate of the scenarios: a block of the easiest target every 10 ms.
const RATE: f64 = 1_000.0;

/// Runs for each rule and scenario, each with its own seed.
const RUNS: usize = 10;

/// Blocks after which every rule that settles has settled: six windows of Bitcoin's rule.
const WARM_UP: usize = 12_096;

/// The number of blocks after which a rule counts as not settling.
const MAX_BLOCKS: usize = 250_000;

/// Idle time before each burst of on-demand mining.
const GAP: f64 = 1_000.0;

/// All rules except `Fixed`, which never changes the target.
const RULES: [(&str, Retarget); 9] = [
    ("Step", Retarget::Step),
    ("Window 2016", Retarget::Window { blocks: 2_016 }),
    ("Window 60", Retarget::Window { blocks: 60 }),
    ("Lwma 30", Retarget::Lwma { blocks: 30 }),
    ("Lwma 45", Retarget::Lwma { blocks: 45 }),
    ("Lwma 60", Retarget::Lwma { blocks: 60 }),
    ("BoundedLwma 90", Retarget::BoundedLwma { blocks: 90 }),
    ("Asert 30 T", Retarget::Asert { half_life_ms: 300_000 }),
    ("Asert 288 T", Retarget::Asert { half_life_ms: 2_880_000 }),
];

fn main() {
    steady();
    jumps();
    on_off();
    on_demand();
    left_alone();
    forged();
    attacks::raised();
    attacks::lowered();
}

/// From the easiest target to a constant hash rate, and the block intervals after settling.
fn steady() {
    let columns = ["blocks to settle", "time to settle", "mean interval", "longest", "difficulty wobble"];
    table("Steady hash rate", &columns, |rule, seed| {
        let mut chain = Chain::new(rule, seed);
        let (blocks, time) = chain.settle(RATE);
        chain.mine_many(WARM_UP, RATE);
        let start = chain.now;
        let waits = chain.mine_many(WARM_UP, RATE);
        vec![
            Median(blocks),
            Median(time),
            Mean((chain.now - start) / count(WARM_UP)),
            Max(waits.into_iter().fold(0.0, f64::max)),
            Percent(wobble(&chain.difficulties[chain.difficulties.len() - WARM_UP..])),
        ]
    });
}

/// The hash rate rises tenfold, or falls to a tenth.
fn jumps() {
    let columns = [
        "up: blocks to settle",
        "up: time",
        "down: blocks to settle",
        "down: time",
        "down: longest interval",
    ];
    table("Hash rate jumps tenfold up, tenfold down", &columns, |rule, seed| {
        let mut up = Chain::new(rule, seed);
        up.mine_many(WARM_UP, RATE);
        let mut down = up.clone();
        let (up_blocks, up_time) = up.settle(RATE * 10.0);
        let (down_blocks, down_time) = down.settle(RATE / 10.0);
        vec![
            Median(up_blocks),
            Median(up_time),
            Median(down_blocks),
            Median(down_time),
            Max(down.longest_since(WARM_UP)),
        ]
    });
}

/// Ten times the hash rate for 100 intervals, then the normal hash rate for 100 intervals, twenty times.
fn on_off() {
    const PHASE: f64 = 100.0;
    let columns = ["mean interval", "interval while on", "interval while off", "longest"];
    table("On-off mining: ten times the hash rate in every other 100 T", &columns, |rule, seed| {
        let mut chain = Chain::new(rule, seed);
        chain.mine_many(WARM_UP, RATE);
        let start = chain.now;
        let (mut on, mut off) = (0.0, 0.0);
        while chain.now < start + 40.0 * PHASE {
            chain.mine_while(|now| {
                // Slightly later, because of rounding errors at the end of a phase.
                let phase = (now + 1e-6 - start).div_euclid(PHASE);
                let is_on = phase.rem_euclid(2.0) < 0.5;
                (if is_on { RATE * 10.0 } else { RATE }, start + (phase + 1.0) * PHASE)
            });
            let is_on = (chain.now - start).rem_euclid(2.0 * PHASE) < PHASE;
            *(if is_on { &mut on } else { &mut off }) += 1.0;
        }
        vec![
            Mean((chain.now - start) / (on + off)),
            Mean(20.0 * PHASE / on),
            Mean(20.0 * PHASE / off),
            Max(chain.longest_since(WARM_UP)),
        ]
    });
}

/// A new chain that is mined only in bursts after long gaps, and then continuously.
fn on_demand() {
    let columns = [
        "bursts of 5: mean wait",
        "longest wait",
        "bursts of 50: mean wait",
        "longest wait",
        "then steady: blocks to settle",
        "time",
    ];
    table("On-demand mining: 200 bursts, 1,000 T of nothing between them", &columns, |rule, seed| {
        let mut results = Vec::new();
        let mut short = Chain::new(rule, seed);
        for (chain, burst) in [(&mut short, 5), (&mut Chain::new(rule, seed), 50)] {
            let waits: Vec<f64> = (0..200).flat_map(|_| chain.burst(burst, RATE)).collect();
            results.push(Mean(mean(&waits)));
            results.push(Max(waits.into_iter().fold(0.0, f64::max)));
        }
        let (blocks, time) = short.settle(RATE);
        results.extend([Median(blocks), Median(time)]);
        results
    });
}

/// A chain that was mined continuously, then only on demand with a tenth of the hash rate.
fn left_alone() {
    let columns = ["burst 1: mean wait", "burst 2", "burst 5", "burst 10", "burst 20", "longest wait"];
    table("Left to on-demand mining by a tenth of the hash rate, bursts of 5", &columns, |rule, seed| {
        let mut chain = Chain::new(rule, seed);
        chain.mine_many(WARM_UP, RATE);
        let bursts: Vec<Vec<f64>> = (0..20).map(|_| chain.burst(5, RATE / 10.0)).collect();
        let longest = bursts.iter().flatten().copied().fold(0.0, f64::max);
        let mut results: Vec<Cell> = [1, 2, 5, 10, 20].map(|burst| Mean(mean(&bursts[burst - 1]))).into();
        results.push(Max(longest));
        results
    });
}

/// A third of the blocks have a timestamp six intervals ahead, the upper limit of a solve time in LWMA.
fn forged() {
    let columns = ["mean interval", "longest", "difficulty wobble"];
    table("A third of the blocks stamped 6 T ahead, steady hash rate", &columns, |rule, seed| {
        let mut chain = Chain::new(rule, seed);
        chain.mine_many(WARM_UP, RATE);
        let start = chain.now;
        for _ in 0..WARM_UP {
            chain.ahead = if chain.random.u8(0..3) == 0 { 6.0 } else { 0.0 };
            chain.mine(RATE);
        }
        vec![
            Mean((chain.now - start) / count(WARM_UP)),
            Max(chain.longest_since(WARM_UP)),
            Percent(wobble(&chain.difficulties[WARM_UP + 1..])),
        ]
    });
}

/// A chain of headers without hashes, in simulated time.
#[derive(Clone)]
struct Chain {
    rule: Retarget,
    easiest: Target,
    blocks: Vec<Sample>,
    difficulties: Vec<f64>,
    /// How long each block was mined for, without idle time.
    waits: Vec<f64>,
    /// Intervals since the start of the chain.
    now: f64,
    /// How far the next block's timestamp is in the future, in intervals.
    ahead: f64,
    random: fastrand::Rng,
}

impl Chain {
    fn new(rule: Retarget, seed: usize) -> Self {
        let easiest = Target::try_from(Target::FOUR_HEX_ZEROS).expect("a constant that stands for a target");
        let genesis = Sample { height: 0, timestamp: Timestamp::default(), target: Target::FOUR_HEX_ZEROS };
        Self {
            rule,
            easiest,
            blocks: vec![genesis],
            difficulties: vec![1.0],
            waits: vec![0.0],
            now: 0.0,
            ahead: 0.0,
            random: fastrand::Rng::with_seed(seed as u64),
        }
    }

    /// Mines a block at a hash rate that may change with time, and returns how long that took. `phase`
    /// returns the hash rate at a time, and the time until which it lasts.
    fn mine_while(&mut self, phase: impl Fn(f64) -> (f64, f64)) -> f64 {
        let start = self.now;
        let parent = self.blocks.len() as u64 - 1;
        let past = |height| self.blocks[height as usize];
        let compact = self.rule.next_target(Target::FOUR_HEX_ZEROS, INTERVAL, parent, past);
        let target = Target::try_from(compact).expect("a rule gives a target");
        let difficulty = Difficulty::new(self.easiest, target).as_f64();
        let mut work = -(1.0 - self.random.f64()).ln() * difficulty;
        loop {
            let (rate, end) = phase(self.now);
            let needed = work / rate;
            if self.now + needed <= end {
                self.now += needed;
                break;
            }
            work -= rate * (end - self.now);
            self.now = end;
        }
        // Years after genesis, which must not influence any rule.
        let timestamp = Timestamp::from_millis(
            1_700_000_000_000 + ((self.now + self.ahead) * INTERVAL.as_secs_f64() * 1_000.0) as u64,
        );
        self.blocks.push(Sample { height: parent + 1, timestamp, target: compact });
        self.difficulties.push(difficulty);
        self.waits.push(self.now - start);
        self.now - start
    }

    fn mine(&mut self, rate: f64) -> f64 {
        self.mine_while(|_| (rate, f64::INFINITY))
    }

    fn mine_many(&mut self, blocks: usize, rate: f64) -> Vec<f64> {
        (0..blocks).map(|_| self.mine(rate)).collect()
    }

    fn burst(&mut self, blocks: usize, rate: f64) -> Vec<f64> {
        self.now += GAP;
        self.mine_many(blocks, rate)
    }

    /// Mines until the mean difficulty of the last 20 blocks is within 20 % of the right one for the hash
    /// rate. Returns the blocks and the time that this took.
    fn settle(&mut self, rate: f64) -> (f64, f64) {
        let start = self.now;
        for mined in 1..=MAX_BLOCKS {
            self.mine(rate);
            let last = &self.difficulties[self.difficulties.len().saturating_sub(20)..];
            if mined >= 20 && (mean(last) / rate - 1.0).abs() < 0.2 {
                return (count(mined), self.now - start);
            }
        }
        (f64::INFINITY, f64::INFINITY)
    }

    fn longest_since(&self, height: usize) -> f64 {
        self.waits[height + 1..].iter().copied().fold(0.0, f64::max)
    }
}

/// A result of one run, and how the results of several runs are combined.
#[derive(Clone, Copy)]
enum Cell {
    Mean(f64),
    Median(f64),
    Max(f64),
    Percent(f64),
}
use Cell::{Max, Mean, Median, Percent};

fn table(title: &str, columns: &[&str], run: impl Fn(Retarget, usize) -> Vec<Cell>) {
    println!("### {title}\n\n| rule | {} |", columns.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len()));
    for (name, rule) in RULES {
        let runs: Vec<Vec<Cell>> = (0..RUNS).map(|seed| run(rule, seed)).collect();
        let cells: Vec<String> = (0..columns.len())
            .map(|column| merge(&runs.iter().map(|run| run[column]).collect::<Vec<_>>()))
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    println!();
}

fn merge(cells: &[Cell]) -> String {
    let mut values: Vec<f64> = cells
        .iter()
        .map(|cell| match *cell {
            Mean(v) | Median(v) | Max(v) | Percent(v) => v,
        })
        .collect();
    values.sort_by(f64::total_cmp);
    match cells[0] {
        Mean(_) => number(mean(&values)),
        Median(_) => number(values[values.len() / 2]),
        Max(_) => number(values[values.len() - 1]),
        Percent(_) => format!("{:.0} %", mean(&values) * 100.0),
    }
}

fn number(value: f64) -> String {
    match value {
        v if v.is_infinite() => "never".to_owned(),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

/// The standard deviation divided by the mean.
fn wobble(difficulties: &[f64]) -> f64 {
    let mean = mean(difficulties);
    let variance = difficulties.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count(difficulties.len());
    variance.sqrt() / mean
}

fn count(n: usize) -> f64 {
    n as f64
}
