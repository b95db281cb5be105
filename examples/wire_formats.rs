//! Compares the wire formats for a transaction type: the size of a block in each format, and how long
//! encoding and decoding take. Replace `Entry` by another type to compare the formats for it.
//!
//! ```sh
//! cargo run --release --example wire_formats --features ws-json,ws-bincode,ws-postcard -- --svg formats.svg
//! ```
//!
//! `cargo bench --bench wire_formats` measures the formats over sockets and in a synchronisation.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "../benches/common/chart.rs"]
mod chart;
#[path = "../benches/common/codec.rs"]
mod codec;
#[path = "../benches/common/comparison.rs"]
mod comparison;
#[path = "../benches/common/environment.rs"]
mod environment;
#[path = "../benches/common/format.rs"]
mod format;
#[path = "../benches/common/table.rs"]
mod table;
#[path = "../benches/common/turns.rs"]
mod turns;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use hashloom::{Block, Context, Header, Rejected, Transaction};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use codec::Sample;
use format::Format;

/// Compares the wire formats on one type of transaction.
#[derive(Debug, Parser)]
struct Options {
    /// Transactions in a block.
    #[arg(long, default_value_t = 10)]
    transactions: u64,

    /// Turns of writing and reading in each format; an odd number has a median.
    #[arg(long, default_value_t = 501)]
    rounds: usize,

    /// Writes a chart to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// An entry of an audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    actor: String,
    action: Action,
    at: u64,
    amount: Option<f64>,
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Action {
    Opened,
    Changed { field: String },
    Closed,
}

impl Entry {
    /// An entry that differs for each number.
    fn example(number: u64) -> Self {
        Self {
            actor: format!("user-{}", number % 97),
            action: match number % 3 {
                0 => Action::Opened,
                1 => Action::Changed { field: "quantity".to_owned() },
                _ => Action::Closed,
            },
            at: 1_767_225_600_000 + number * 1_234,
            amount: number.is_multiple_of(2).then_some(number as f64 * 0.25),
            tags: vec!["warehouse".to_owned(), "audit".to_owned()],
        }
    }
}

impl Transaction for Entry {
    type State = ();

    fn apply(&self, (): &mut (), _context: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// Blocks in one message: as many as a peer requests at once.
const BLOCKS: u64 = 64;

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.rounds > 0, "nothing is measured in no turn");
    let blocks = (0..BLOCKS).map(|block| {
        let first = block * options.transactions;
        let data = (first..first + options.transactions).map(Entry::example).collect();
        // The proof of work is not checked here.
        Arc::new(Block::new(Header::from_bytes(&[7; Header::LEN]), data))
    });
    let item = format!("block of {} entries", options.transactions);
    let sample = Sample::blocks(item, blocks.collect())?;
    let progress = ProgressBar::new(options.rounds as u64);
    let measured = [sample.measure(options.rounds, || progress.inc(1))?];
    progress.finish_and_clear();

    println!("{}", environment::describe(&["serde_json", "bincode", "postcard"]));
    println!("{}", comparison::sizes(&measured).markdown());
    println!("{}", comparison::speeds(&measured).markdown());
    if let Some(path) = &options.svg {
        let chart = chart::svg(
            "Wire formats",
            &Format::ALL.map(Format::name),
            &comparison::panels(&measured),
            table::figure,
        );
        fs::write(path, chart).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
