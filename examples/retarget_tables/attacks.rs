//! Two attacks with manipulated timestamps: a private fork that raises its own difficulty, and a miner that
//! lowers the difficulty.

use hashloom::consensus::retarget::Sample;
use hashloom::primitives::{Difficulty, Target};
use hashloom::{Retarget, Timestamp};

use crate::{INTERVAL, RULES};

/// By how much a timestamp must exceed the median. The timestamps of a fork that stands still advance by this
/// much.
const STILL_MS: u64 = 1;

/// How far a timestamp may be ahead of the clock, in intervals: the default drift divided by the default
/// interval.
const DRIFT: f64 = 12.0;

/// The upper limit of a solve time in LWMA, in intervals.
const LONGEST: f64 = 6.0;

/// A week in intervals of ten seconds.
const WEEK: f64 = 60_480.0;

/// Trials of each strategy.
const TRIALS: usize = 10_000;

/// The number of blocks that claim no time. The remaining blocks claim the target interval. The best strategy
/// counts.
const STRATEGIES: [usize; 3] = [40, 100, usize::MAX];

/// Blocks before an attack, all on time: two windows of Bitcoin's rule.
const BEFORE: u64 = 4_032;

/// A private fork whose timestamps stand still.
pub(crate) fn raised() {
    println!("### A private fork that raises its own difficulty\n");
    println!(
        "| rule | difficulty after 30 blocks | 60 | 100 | 40 %: 100 blocks in a week | 45 % | race, 40 %: 100 \
         blocks | 133 | 200 |"
    );
    println!("| --- |{}", " ---: |".repeat(8));
    row("luck alone", &[vec![1.0]]);
    for (name, rule) in RULES {
        row(name, &STRATEGIES.map(|still| fork(rule, still)));
    }
    println!();
}

/// The last of the forks is the one whose timestamps always stand still.
fn row(name: &str, forks: &[Vec<f64>]) {
    print!("| {name} |");
    let still = forks.last().map_or(&[][..], Vec::as_slice);
    for block in [30, 60, 100] {
        let times = if still.len() == 1 { still.first() } else { still.get(block) };
        print!(" {} |", times.map_or_else(|| "more".to_owned(), |times| crate::number(*times)));
    }
    for (share, lead, depth) in [(0.4, 100, 0), (0.45, 100, 0), (0.4, 0, 100), (0.4, 0, 133), (0.4, 0, 200)] {
        let chances = forks.iter().map(|fork| chance(fork, share, lead, depth));
        print!(" {} |", percent(chances.fold(0.0, f64::max)));
    }
    println!();
}

/// A miner with all of the hash rate that lowers the difficulty from 57 to 1.
pub(crate) fn lowered() {
    println!("### A miner of all blocks that lowers the difficulty from 57\n");
    println!(
        "| rule | a chain that is mined: after 100 blocks | lowest in 1,000 | after a gap of 1,000 T: after 100 \
         blocks | blocks to 1 |"
    );
    println!("| --- |{}", " ---: |".repeat(4));
    for (name, rule) in RULES {
        let mined = lowest(rule, 0.0);
        let idle = lowest(rule, crate::GAP);
        let to_one = idle.iter().position(|difficulty| *difficulty < 1.01);
        println!(
            "| {name} | {} | {} | {} | {} |",
            crate::number(mined[99]),
            crate::number(mined.iter().copied().fold(f64::INFINITY, f64::min)),
            crate::number(idle[99]),
            to_one.map_or_else(|| "more than 1,000".to_owned(), |blocks| (blocks + 1).to_string()),
        );
    }
    println!();
}

/// The difficulties of a fork from a chain at a difficulty of 1,000, as multiples of that difficulty. Ends at
/// 10,000 times the difficulty, because a week is too short beyond that. The first `still` blocks claim a
/// millisecond each, the others an interval.
fn fork(rule: Retarget, still: usize) -> Vec<f64> {
    let mut chain = Headers::on_time(rule, 1_000);
    let mut difficulties = Vec::new();
    loop {
        let times = chain.next() / 1_000.0;
        difficulties.push(times);
        // All later blocks have the difficulty of the last one.
        let is_over = difficulties.len() >= still.saturating_add(300) || difficulties.len() == 3_000;
        if is_over || times > 10_000.0 {
            return difficulties;
        }
        let solve = if difficulties.len() <= still { STILL_MS } else { interval_ms() };
        chain.push(chain.last_ms() + solve);
    }
}

/// The probability that a fork with a share of the hash rate overtakes the chain within a week. The fork
/// starts `lead` blocks behind, and success counts once the chain has mined `depth` blocks in the meantime.
fn chance(fork: &[f64], share: f64, lead: u32, depth: u32) -> f64 {
    let mut random = fastrand::Rng::with_seed(1);
    let successes = (0..TRIALS).filter(|_| replaces(fork, share, lead, depth, &mut random)).count();
    crate::count(successes) / crate::count(TRIALS)
}

fn replaces(fork: &[f64], share: f64, lead: u32, depth: u32, random: &mut fastrand::Rng) -> bool {
    let (mut now, mut work, mut mined) = (0.0, 0.0, 0.0);
    for index in 0.. {
        let difficulty = fork[index.min(fork.len() - 1)];
        let took = exponential(random) * difficulty / share;
        now += took;
        if now > WEEK {
            return false;
        }
        mined += poisson(took * (1.0 - share), random);
        work += difficulty;
        let behind = f64::from(lead) + mined - work;
        if behind < 0.0 && mined >= f64::from(depth) {
            return true;
        }
        // From here, a fork at a constant difficulty catches up once in millions of weeks.
        if index >= fork.len() && behind > 40.0 * difficulty {
            return false;
        }
    }
    false
}

/// The difficulties of 1,000 blocks by a miner with all of the hash rate, which is right for a difficulty of
/// 57. Each timestamp is as late as the rule counts and as the clock allows, which is `gap` intervals ahead
/// of the chain.
fn lowest(rule: Retarget, gap: f64) -> Vec<f64> {
    let mut chain = Headers::on_time(rule, 57);
    let mut random = fastrand::Rng::with_seed(1);
    let mut now = crate::count(BEFORE as usize - 1) + gap;
    let mut difficulties = Vec::new();
    for _ in 0..1_000 {
        let difficulty = chain.next();
        difficulties.push(difficulty);
        now += exponential(&mut random) * difficulty / 57.0;
        let latest = ((now + DRIFT) * crate::count(interval_ms() as usize)) as u64;
        let wanted = chain.last_ms() + (LONGEST as u64) * interval_ms();
        chain.push(wanted.min(latest).max(chain.last_ms() + STILL_MS));
    }
    difficulties
}

/// Headers without hashes and with chosen timestamps.
struct Headers {
    rule: Retarget,
    blocks: Vec<Sample>,
}

impl Headers {
    /// A chain that has been on time since block 1, at this difficulty.
    fn on_time(rule: Retarget, difficulty: u64) -> Self {
        let target = Target::from_uint(easiest().as_uint() / hashloom::primitives::U256::from(difficulty))
            .to_compact();
        let at =
            |height| Sample { height, timestamp: Timestamp::from_millis(height * interval_ms()), target };
        Self { rule, blocks: (0..BEFORE).map(at).collect() }
    }

    fn last_ms(&self) -> u64 {
        self.blocks[self.blocks.len() - 1].timestamp.as_millis()
    }

    fn target(&self) -> hashloom::CompactTarget {
        let parent = self.blocks.len() as u64 - 1;
        self.rule.next_target(Target::FOUR_HEX_ZEROS, INTERVAL, parent, |height| self.blocks[height as usize])
    }

    /// The difficulty of the next block.
    fn next(&self) -> f64 {
        let target = Target::try_from(self.target()).expect("a rule gives a target");
        Difficulty::new(easiest(), target).as_f64()
    }

    fn push(&mut self, timestamp_ms: u64) {
        let (height, target) = (self.blocks.len() as u64, self.target());
        self.blocks.push(Sample { height, timestamp: Timestamp::from_millis(timestamp_ms), target });
    }
}

fn easiest() -> Target {
    Target::try_from(Target::FOUR_HEX_ZEROS).expect("a constant that stands for a target")
}

fn interval_ms() -> u64 {
    INTERVAL.as_secs() * 1_000
}

fn exponential(random: &mut fastrand::Rng) -> f64 {
    -(1.0 - random.f64()).ln()
}

/// A Poisson-distributed number of blocks with this mean. Uses the normal distribution for large means.
fn poisson(mean: f64, random: &mut fastrand::Rng) -> f64 {
    if mean > 100.0 {
        let normal = (2.0 * exponential(random)).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        return (mean + mean.sqrt() * normal).round().max(0.0);
    }
    let (mut count, mut until) = (0.0, exponential(random));
    while until <= mean {
        count += 1.0;
        until += exponential(random);
    }
    count
}

fn percent(part: f64) -> String {
    if part == 0.0 { "0".to_owned() } else { format!("{:.2} %", part * 100.0) }
}
