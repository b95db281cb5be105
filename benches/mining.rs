//! Measures the mining kernels as ratios within one run, compared with the block function of the `sha2`
//! crate, called from a midstate for one nonce after another.
//!
//! ```sh
//! cargo bench --no-default-features --bench mining
//! cargo bench --no-default-features --bench mining -- --rounds 2001 --jobs 401
//! ```
//!
//! The ways to mine alternate in short turns, and a ratio is the median over the turns, so that other load on
//! the machine affects all of them. Prints Markdown tables; `docs/benchmarks.md` shows those of one run.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/turns.rs"]
mod turns;

use core::hint::black_box;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hashloom::miner::{MiningJob, MiningKernel, MiningOutcome, SearchOutcome, Template};
use hashloom::{CompactTarget, Header, Miner, Timestamp};
use sha2::{Digest, Sha256};
use turns::{median, quartiles};

/// The attempts of a mining thread between two checks of its stop flag.
const PORTION: u64 = 4096;

/// Measures mining.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of each kernel; an odd number has a median.
    #[arg(long, default_value_t = 501)]
    rounds: usize,

    /// Attempts of a turn by `sha2` alone: so few that most turns end before the system runs something else.
    /// The other ways make so many more or fewer that a turn takes about the same time.
    #[arg(long, default_value_t = 20_000)]
    hashes: u64,

    /// Turns of each number of threads, and stops.
    #[arg(long, default_value_t = 101)]
    jobs: usize,

    /// Attempts of a turn on one thread: so many that starting the thread does not count.
    #[arg(long, default_value_t = 2_000_000)]
    job_hashes: u64,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One way to mine.
struct Way {
    name: String,
    /// The attempts of a turn.
    hashes: u64,
    run: Box<dyn FnMut(u64) -> Result<Duration>>,
    /// Attempts per second, turn by turn.
    rates: Vec<f64>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let fastest = MiningKernel::available().next().context("no kernel")?;
    println!("The fastest kernel here is `{fastest}`.");

    let mut ways = vec![way("`sha2`: block function from a midstate", options.hashes, |hashes| {
        bare(MiningKernel::Sha2, hashes)
    })];
    ways.push(way("JSON for each nonce, then `sha2`", options.hashes / 20, json));
    ways.push(way("whole header by `sha2`", options.hashes / 2, whole_header));
    for kernel in MiningKernel::available().filter(|kernel| *kernel != MiningKernel::Sha2) {
        let hashes = if kernel == MiningKernel::Sha2ByFour { options.hashes } else { 2 * options.hashes };
        ways.push(way(&format!("kernel `{kernel}`"), hashes, move |hashes| bare(kernel, hashes)));
    }
    take_turns(&mut ways, options.rounds)?;
    table("Kernels, one thread", &ways);

    let hashes = 3 * options.hashes;
    let mut ways =
        vec![way(&format!("kernel `{fastest}`, bare"), hashes, move |hashes| bare(fastest, hashes))];
    ways.push(way("as a mining thread calls it", hashes, in_portions));
    take_turns(&mut ways, options.rounds)?;
    table("What the miner adds: looking for a stop, progress, nonces", &ways);

    let hashes = options.job_hashes;
    let mut ways =
        vec![way(&format!("kernel `{fastest}`, bare"), hashes, move |hashes| bare(fastest, hashes))];
    ways.push(way("`MiningJob` on one thread", hashes, |hashes| job(1, hashes)));
    ways.push(way("`MiningJob` on two threads", 2 * hashes, |hashes| job(2, hashes)));
    take_turns(&mut ways, options.jobs)?;
    table("Threads, with their start and end", &ways);

    stop(options.jobs)
}

fn way(name: &str, hashes: u64, run: impl FnMut(u64) -> Result<Duration> + 'static) -> Way {
    Way { name: name.to_owned(), hashes: hashes.max(1), run: Box::new(run), rates: Vec::new() }
}

fn take_turns(ways: &mut [Way], rounds: usize) -> Result<()> {
    for _ in 0..rounds {
        for way in &mut *ways {
            let elapsed = (way.run)(way.hashes)?;
            way.rates.push(way.hashes as f64 / elapsed.as_secs_f64());
        }
    }
    Ok(())
}

/// Prints a table. The first way is the base. A ratio compares two turns in close succession.
fn table(title: &str, ways: &[Way]) {
    println!("\n### {title}\n");
    println!("| | million a second | ratio | middle half of the ratios | ratio of the fastest turns |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let fastest = |way: &Way| way.rates.iter().copied().fold(0.0, f64::max);
    for way in ways {
        let [low, middle, high] =
            quartiles(way.rates.iter().zip(&ways[0].rates).map(|(rate, base)| rate / base));
        let rate = median(way.rates.iter().copied()) / 1e6;
        let best = fastest(way) / fastest(&ways[0]);
        println!("| {} | {rate:.2} | {middle:.3} | {low:.3} to {high:.3} | {best:.3} |", way.name);
    }
}

/// A header with a target of 1, for which no nonce is found.
fn header() -> Header {
    let mut header = Header::from_bytes(&[7; Header::LEN]);
    header.target = CompactTarget::from_bits(0x0300_0001);
    header.timestamp = Timestamp::from_millis(1);
    header
}

fn miner() -> Result<Miner> {
    Ok(Miner::new(Template::new(header(), Vec::new()))?)
}

/// A search with its whole budget at once, which calls its kernel once.
fn bare(kernel: MiningKernel, hashes: u64) -> Result<Duration> {
    let mut miner = miner()?.with_kernel(kernel)?;
    let start = Instant::now();
    ensure!(miner.search(hashes) == SearchOutcome::Continue { hashes }, "found something");
    Ok(start.elapsed())
}

/// The loop of a mining thread, on the calling thread.
fn in_portions(hashes: u64) -> Result<Duration> {
    let mut miner = miner()?;
    let (stop, progress) = black_box((AtomicBool::new(false), AtomicU64::new(0)));
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) && miner.hashes() < hashes {
        let before = miner.hashes();
        let search = miner.search(PORTION.min(hashes - before));
        progress.fetch_add(miner.hashes() - before, Ordering::Relaxed);
        ensure!(matches!(search, SearchOutcome::Continue { .. }), "found something");
    }
    let elapsed = start.elapsed();
    ensure!(progress.into_inner() == hashes, "another number of attempts");
    Ok(elapsed)
}

/// A mining job as a node runs it: on threads, until the last nonce at the last timestamp.
fn job(threads: usize, hashes: u64) -> Result<Duration> {
    let mut header = header();
    header.timestamp = Timestamp::from_millis(u64::MAX);
    let miner = Miner::<String>::new(Template::new(header, Vec::new()))?.with_nonces(0..hashes);
    let (sender, receiver) = mpsc::channel();
    let threads = NonZeroUsize::new(threads).context("no thread")?;
    let start = Instant::now();
    let job = MiningJob::start(miner, threads, move |outcome| {
        // The receiver waits below.
        let _ = sender.send(outcome);
    })?;
    ensure!(receiver.recv()? == MiningOutcome::Exhausted, "found something");
    let elapsed = start.elapsed();
    ensure!(job.hashes() == hashes, "another number of attempts");
    Ok(elapsed)
}

fn whole_header(hashes: u64) -> Result<Duration> {
    let mut header = header();
    let start = Instant::now();
    for nonce in 0..hashes {
        header.nonce = nonce;
        ensure!(black_box(header.hash()).as_bytes()[..4] != [0; 4], "found something");
    }
    Ok(start.elapsed())
}

/// The way of many tutorials: the block as JSON text, with the nonce in it, hashed from the start for each
/// attempt.
fn json(hashes: u64) -> Result<Duration> {
    let mut header = header();
    let start = Instant::now();
    for nonce in 0..hashes {
        header.nonce = nonce;
        let text = serde_json::to_vec(&header)?;
        ensure!(black_box(Sha256::digest(&text))[..4] != [0; 4], "found something");
    }
    Ok(start.elapsed())
}

/// The time from the stop to the end of the last thread.
fn stop(rounds: usize) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (sender, receiver) = mpsc::channel();
        let job = MiningJob::start(miner()?, NonZeroUsize::MIN, move |outcome| {
            // The receiver waits below.
            let _ = sender.send((outcome, Instant::now()));
        })?;
        while job.hashes() == 0 {
            std::thread::yield_now();
        }
        let start = Instant::now();
        job.stop();
        let (outcome, end) = receiver.recv()?;
        ensure!(outcome == MiningOutcome::Stopped, "not stopped");
        times.push(end.duration_since(start).as_secs_f64() * 1e3);
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    println!("\n### A stop is seen\n\n| | ms |\n| --- | ---: |");
    println!("| median | {:.3} |\n| longest of {rounds} | {longest:.3} |", median(times.into_iter()));
    Ok(())
}
