//! Simulates a network of miners and prints how many blocks become stale because of forks, and how fast
//! blocks propagate, for several block intervals and message delays: the table of `docs/simulation.md`.
//!
//! ```sh
//! cargo run --example simulate --features test-utils -- --chart forks.svg
//! ```

#![expect(clippy::cast_precision_loss, reason = "counts of a simulation, far below 2^53")]

#[path = "simulate/chart.rs"]
mod chart;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hashloom::Hash;
use hashloom::sim::{Latency, Measurements, Simulation, SimulationConfig, Topology};
use indicatif::{ProgressBar, ProgressStyle};

/// Simulates how block intervals and message delays make forks.
#[derive(Debug, Parser)]
struct Options {
    /// Nodes in the network, all with the same hash rate.
    #[arg(long, default_value_t = 20)]
    nodes: usize,

    /// Peers that each node dials, in addition to its neighbour on a ring.
    #[arg(long, default_value_t = 3)]
    outbound: usize,

    /// Blocks that each run mines.
    #[arg(long, default_value_t = 4_000)]
    blocks: u32,

    /// Mean times between blocks, in seconds.
    #[arg(long, value_delimiter = ',', default_value = "5,10,30,60")]
    intervals: Vec<f64>,

    /// Mean delays of a message from one node to the next, in milliseconds; exponentially distributed.
    #[arg(long, value_delimiter = ',', default_value = "50,200,1000")]
    delays: Vec<u64>,

    /// Where the randomness comes from.
    #[arg(long, env = "HASHLOOM_SEED", default_value_t = 1)]
    seed: u64,

    /// Writes a chart to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// The result of one run.
#[derive(Clone, Copy, Debug)]
struct Row {
    interval: f64,
    /// The mean delay of one message, in seconds.
    delay: f64,
    /// The share of all blocks that are not on the best chain at the end.
    stale: f64,
    /// The share that the formula predicts.
    formula: f64,
    /// How long a block takes to reach half, nine tenths and 99 % of the other nodes, in seconds.
    percentiles: [f64; 3],
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.nodes > 1, "a network has at least two nodes");
    ensure!(options.intervals.iter().all(|interval| *interval > 0.0), "an interval is longer than 0");
    let runs = options.intervals.len() * options.delays.len();
    let progress = progress(runs as u64 * u64::from(options.blocks));
    let mut rows = Vec::new();
    for delay in &options.delays {
        for interval in &options.intervals {
            progress.set_message(format!("a block in {interval} s, {delay} ms a hop"));
            rows.push(run(&options, *interval, Duration::from_millis(*delay), &progress)?);
        }
    }
    progress.finish_and_clear();
    print(&rows);
    if let Some(file) = &options.chart {
        std::fs::write(file, chart::svg(&rows))
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("\nchart: {}", file.display());
    }
    Ok(())
}

/// A progress bar, which draws nothing if standard error is not a terminal.
fn progress(blocks: u64) -> ProgressBar {
    let bar = ProgressBar::new(blocks);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} blocks, {eta}");
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

fn run(options: &Options, interval: f64, delay: Duration, progress: &ProgressBar) -> Result<Row> {
    let config = SimulationConfig::default()
        .with_seed(options.seed)
        .with_nodes(options.nodes)
        .with_topology(Topology::Random { outbound: options.outbound })
        .with_latency(Latency::Exponential { floor: delay / 2, mean: delay / 2 })
        .with_block_interval(None)
        .with_replay("HASHLOOM_SEED={seed} cargo run --example simulate --features test-utils -- …");
    let mut network = Simulation::new(config)?;
    // The nodes complete their handshakes before the first block.
    network.run_for(delay * 20)?;
    network.set_block_interval(Some(Duration::try_from_secs_f64(interval)?));
    let wanted = options.blocks as usize;
    let mut mined = 0;
    while mined < wanted {
        network.run_for(Duration::try_from_secs_f64(interval * 10.0)?)?;
        let now = network.measurements().blocks().len().min(wanted);
        progress.inc((now - mined) as u64);
        mined = now;
    }
    network.run_until_agreed(Duration::try_from_secs_f64(interval * 1_000.0)? + delay * 100)?;
    network.verify()?;
    Ok(evaluate(&network, interval, delay.as_secs_f64()))
}

fn evaluate(network: &Simulation, interval: f64, delay: f64) -> Row {
    let chain = network.protocol(0).map(hashloom::Protocol::chain);
    let blocks = chain.into_iter().flat_map(|chain| chain.blocks(..)).flatten();
    let best: BTreeSet<Hash> = blocks.map(|block| *block.hash()).collect();
    let measured = network.measurements();
    let delays = measured.delays();
    let percentile = |percent: usize| {
        let at = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(at).map_or(0.0, Duration::as_secs_f64)
    };
    Row {
        interval,
        delay,
        stale: measured.stale(&best) as f64 / measured.blocks().len() as f64,
        formula: 1.0 - (-mean_unaware(measured, network.config().nodes) / interval).exp(),
        percentiles: [50, 90, 99].map(percentile),
    }
}

/// The delay in the formula: how long an average share of the hash rate does not have a new block. The delay
/// of the miner itself is zero.
fn mean_unaware(measured: &Measurements, nodes: usize) -> f64 {
    let delays = measured.delays();
    let sum: f64 = delays.iter().map(Duration::as_secs_f64).sum();
    let others = (nodes - 1) as f64 / nodes as f64;
    sum / (delays.len().max(1) as f64) * others
}

fn print(rows: &[Row]) {
    println!(
        "| interval | delay of a hop | 50 % have it after | 90 % | 99 % | stale blocks | 1 - exp(-D/T) |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in rows {
        let [half, most, all] = row.percentiles;
        println!(
            "| {} s | {:.2} s | {half:.2} s | {most:.2} s | {all:.2} s | {:.2} % | {:.2} % |",
            row.interval,
            row.delay,
            row.stale * 100.0,
            row.formula * 100.0
        );
    }
}
