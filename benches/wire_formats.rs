//! Compares JSON, bincode and postcard on the wire: sizes, times to encode and decode, messages per second
//! over a socket, full synchronisation, propagation through a mesh, and processor time, as ratios within one
//! run.
//!
//! ```sh
//! cargo bench --bench wire_formats --features ws-json,ws-bincode,ws-postcard
//! cargo bench --bench wire_formats --features ws-json,ws-bincode,ws-postcard -- \
//!     --blocks 200000 --markdown wire_formats.md --svg wire_formats.svg
//! cargo bench --bench wire_formats --features ws-json,ws-bincode,ws-postcard -- --only sync --ways bincode,memory
//! ```
//!
//! The formats alternate in turns, and a ratio is the median over the turns, so that other load on the
//! machine affects all of them. Prints Markdown tables; `docs/benchmarks.md` shows those of one run.
//! `--quick` only checks that everything works.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/chart.rs"]
mod chart;
#[path = "common/codec.rs"]
mod codec;
#[path = "common/comparison.rs"]
mod comparison;
#[path = "common/environment.rs"]
mod environment;
#[path = "common/forge.rs"]
mod forge;
#[path = "common/format.rs"]
mod format;
#[path = "wire_formats/mesh.rs"]
mod mesh;
#[path = "wire_formats/report.rs"]
mod report;
#[path = "wire_formats/shapes.rs"]
mod shapes;
#[path = "wire_formats/socket.rs"]
mod socket;
#[path = "wire_formats/sync.rs"]
mod sync;
#[path = "common/table.rs"]
mod table;
#[path = "wire_formats/traffic.rs"]
mod traffic;
#[path = "common/turns.rs"]
mod turns;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use report::Results;

/// Compares the wire formats.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of writing and reading each payload in each format; an odd number has a median.
    #[arg(long, default_value_t = 501)]
    rounds: usize,

    /// Turns of sending messages over a socket.
    #[arg(long, default_value_t = 21)]
    socket_rounds: usize,

    /// Messages of such a turn.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,

    /// Blocks of the chain that is synchronised.
    #[arg(long, default_value_t = 100_000)]
    blocks: u64,

    /// Synchronisations over each way.
    #[arg(long, default_value_t = 5)]
    sync_rounds: usize,

    /// Numbers of nodes in a mesh.
    #[arg(long, value_delimiter = ',', default_value = "3,8,20")]
    meshes: Vec<usize>,

    /// Blocks that spread through each mesh.
    #[arg(long, default_value_t = 51)]
    mesh_rounds: usize,

    /// Measures only these. A chart needs all of them.
    #[arg(long, value_delimiter = ',', conflicts_with = "svg")]
    only: Vec<Section>,

    /// Ways that are synchronised over; the first is the baseline.
    #[arg(long, value_delimiter = ',', default_value = "json,bincode,postcard,disk,memory")]
    ways: Vec<sync::Way>,

    /// Measures so little that it takes seconds, to see that everything works; also without Cargo's `--bench`.
    #[arg(long)]
    quick: bool,

    /// Writes the tables to this file, too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Writes a chart to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The sections of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Bytes of messages, and the time to write and to read them.
    Codecs,
    /// Messages a second over a socket.
    Socket,
    /// Full synchronisation.
    Sync,
    /// A block through a mesh.
    Mesh,
}

impl Options {
    fn measures(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    fn shortened(self) -> Self {
        if self.bench && !self.quick {
            return self;
        }
        Self {
            rounds: 3,
            socket_rounds: 1,
            messages: 500,
            blocks: self.blocks.min(1_000),
            sync_rounds: 1,
            meshes: vec![3, 8],
            mesh_rounds: 2,
            ..self
        }
    }
}

/// The crates whose versions the figures depend on.
const CRATES: [&str; 6] = ["serde_json", "bincode", "postcard", "serde", "tokio", "tungstenite"];

fn main() -> Result<()> {
    let options = Options::parse().shortened();
    // Described first, because later the benchmark itself is load.
    let environment = environment::describe(&CRATES);
    let results = measure(&options)?;
    let mut markdown = environment;
    for table in results.tables() {
        markdown.push('\n');
        markdown.push_str(&table.markdown());
    }
    println!("{markdown}");
    if let Some(path) = &options.markdown {
        fs::write(path, &markdown).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &options.svg {
        fs::write(path, results.svg()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Results> {
    let blocks = shapes::forge(1_000, |height| shapes::texts(height, shapes::LONG_TEXT))?;
    let mut results = Results {
        blocks: options.blocks,
        raw: blocks[0].digest()?.size as f64,
        codecs: Vec::new(),
        throughput: Vec::new(),
        synced: Vec::new(),
        propagations: Vec::new(),
    };
    let progress = progress(steps(options) as u64)?;
    let tick = || progress.inc(1);
    if options.measures(Section::Codecs) {
        progress.set_message("writing and reading");
        results.codecs = vec![
            shapes::short_texts()?.measure(options.rounds, tick)?,
            shapes::long_texts()?.measure(options.rounds, tick)?,
            shapes::readings()?.measure(options.rounds, tick)?,
            shapes::blobs()?.measure(options.rounds, tick)?,
            shapes::headers()?.measure(options.rounds, tick)?,
        ];
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if options.measures(Section::Socket) {
            progress.set_message("messages over a socket");
            let rounds = options.socket_rounds;
            results.throughput = socket::measure(&blocks, options.messages, rounds, tick).await?;
        }
        if options.measures(Section::Sync) {
            progress.set_message("full synchronisation");
            results.synced = sync::measure(&options.ways, options.blocks, options.sync_rounds, tick).await?;
        }
        for (characters, nodes) in meshes(options) {
            progress.set_message(format!("a mesh of {nodes}"));
            let data = shapes::texts(0, characters);
            results.propagations.extend(mesh::measure(nodes, &data, options.mesh_rounds, tick).await?);
        }
        anyhow::Ok(())
    })?;
    progress.finish_and_clear();
    Ok(results)
}

/// The number of ticks of the progress bar.
fn steps(options: &Options) -> usize {
    let parts = [
        (Section::Codecs, 5 * options.rounds),
        (Section::Socket, options.socket_rounds),
        (Section::Sync, 1 + 2 * options.ways.len() * options.sync_rounds),
    ];
    let steps: usize =
        parts.iter().filter(|(section, _)| options.measures(*section)).map(|(_, steps)| steps).sum();
    steps + meshes(options).count() * options.mesh_rounds
}

/// The meshes, each with the length of the texts in the blocks that propagate through it.
fn meshes(options: &Options) -> impl Iterator<Item = (usize, usize)> {
    let characters = MESH_BLOCKS.into_iter().filter(|_| options.measures(Section::Mesh));
    characters.flat_map(|characters| options.meshes.iter().map(move |nodes| (characters, *nodes)))
}

/// The length of the four texts in a block that propagates through a mesh: a small block and a large one.
const MESH_BLOCKS: [usize; 2] = [shapes::LONG_TEXT, 16 << 10];

fn progress(steps: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}")?;
    Ok(ProgressBar::new(steps).with_style(style))
}
