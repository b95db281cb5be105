//! Measures the validation and import of headers and blocks as ratios within one run, compared with the
//! SHA-256 compressions that every validation needs, called on their own.
//!
//! ```sh
//! cargo bench --no-default-features --bench validation
//! cargo bench --no-default-features --bench validation -- --quick
//! ```
//!
//! The ways alternate in turns of a millisecond or less, and a ratio compares turns in close succession, so
//! that other load on the machine affects all of them. Prints Markdown tables; `docs/benchmarks.md` shows
//! those of one run.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "validation/blocks.rs"]
mod blocks;
#[path = "common/environment.rs"]
mod environment;
#[path = "validation/floor.rs"]
mod floor;
#[path = "common/forge.rs"]
mod forge;
#[path = "common/grow.rs"]
mod grow;
#[path = "validation/growth.rs"]
mod growth;
#[path = "validation/headers.rs"]
mod headers;
#[path = "validation/memory.rs"]
mod memory;
#[path = "common/table.rs"]
mod table;
#[path = "common/turns.rs"]
mod turns;
#[path = "validation/ways.rs"]
mod ways;

use anyhow::Result;
use clap::Parser;

use memory::Kind;
use table::{Table, figure};

/// Measures the validation and import of headers and blocks.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Headers of the chain that is imported before its blocks.
    #[arg(long, default_value_t = 50_000)]
    headers: usize,

    /// Blocks of the chain that is imported.
    #[arg(long, default_value_t = 20_000)]
    blocks: usize,

    /// How many times each of the two chains is imported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// The height of the longer of the two chains that go on growing.
    #[arg(long, default_value_t = 1_000_000)]
    tall: u64,

    /// Measures so little that it takes seconds.
    #[arg(long)]
    quick: bool,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,

    /// Builds so many of something and reports on its own memory, as a process of its own.
    #[arg(long, hide = true)]
    resident: Option<Kind>,
}

/// The height of the shorter of the two chains whose growth is compared.
const SHORT: u64 = 1_000;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options = Options { headers: 3_000, blocks: 1_000, rounds: 1, tall: 5_000, ..options };
    }
    if let Some(kind) = options.resident {
        return memory::report(kind, &options);
    }
    println!("{}", environment::describe(&["sha2", "quick_cache", "postcard"]));

    let headers = headers::measure(options.headers, options.rounds)?;
    println!("{}", headers.table.markdown());
    let blocks = blocks::measure(options.blocks, options.rounds)?;
    for table in &blocks.tables {
        println!("{}", table.markdown());
    }
    let growth = growth::measure(SHORT, options.tall)?;
    println!("{}", growth.table.markdown());
    println!("{}", memory::measure(&options)?.markdown());

    let mut targets = Table::new("Targets", ["target", "here", ""]);
    let mut target = |name: &str, value: f64, is_met: bool| {
        let verdict = if is_met { "met" } else { "missed" };
        targets.row([name.to_owned(), figure(value), verdict.to_owned()]);
    };
    let per_second = headers.rate;
    target("1,000,000 headers of a chain a second", per_second, per_second >= 1e6);
    target("`import_headers`: 0.9 times the bare compressions", headers.ratio, headers.ratio <= 0.9);
    for (name, rate) in &blocks.rates {
        target(&format!("250,000 blocks a second: {name}"), *rate, *rate >= 250e3);
    }
    for (name, ratio) in &growth.ratios {
        let bound = (options.tall as f64).log2() / (SHORT as f64).log2();
        let name =
            format!("{name} at height {}, of that at {SHORT}: no more than the logarithms", options.tall);
        target(&name, *ratio, *ratio <= bound);
    }
    println!("{}", targets.markdown());
    Ok(())
}
