//! Measures a chain on disk as ratios within one run, compared with a bare append-only file with as many
//! syncs, and with the store without a chain.
//!
//! ```sh
//! cargo bench --bench store --features redb
//! cargo bench --bench store --features redb -- --blocks 1000000
//! ```
//!
//! Prints Markdown tables; `docs/storage.md` shows those of one run.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "store/chain.rs"]
mod chain;
#[path = "common/forge.rs"]
mod forge;
#[path = "store/log.rs"]
mod log;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hashloom::store::{Batch, Redb, Store, Table};
use hashloom::{Block, Blockchain, ChainConfig};

use log::Log;

/// Measures the store.
#[derive(Debug, Parser)]
struct Options {
    /// Blocks of the longer chain that is opened; the shorter one has a hundredth of them.
    #[arg(long, default_value_t = 100_000)]
    blocks: u64,

    /// Blocks of a kilobyte that are appended in batches, and read at random.
    #[arg(long, default_value_t = 20_000)]
    appended: usize,

    /// Blocks that are appended with a commit for each.
    #[arg(long, default_value_t = 500)]
    single: usize,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,

    /// Builds a chain of small blocks in this directory and reports on itself, as a process of its own.
    #[arg(long, hide = true)]
    build: Option<PathBuf>,

    /// Ends the building process without closing anything.
    #[arg(long, hide = true)]
    abort: bool,
}

const BATCH: usize = 1_000;

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(directory) = &options.build {
        return build(directory, options.blocks, options.abort);
    }
    // In the target directory, because a directory for temporary files may be in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    append_and_read(directory.path(), &options)?;
    open(directory.path(), &options)
}

/// A row of a table: a measurement, and its ratio to the first row.
fn row(name: &str, per_block: Duration, base: Duration) {
    let micros = per_block.as_secs_f64() * 1e6;
    println!("| {name} | {micros:.1} | {:.2} |", per_block.as_secs_f64() / base.as_secs_f64());
}

fn per_block(blocks: usize, run: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().div_f64(blocks as f64))
}

fn append_and_read(directory: &Path, options: &Options) -> Result<()> {
    let blocks = chain::blocks(options.appended.max(options.single), 1_024)?;
    let bytes: Vec<Vec<u8>> =
        blocks.iter().map(|block| postcard::to_allocvec(&**block)).collect::<Result<_, _>>()?;
    let batched = options.appended;

    let mut logged = Log::create(&directory.join("batched.log"))?;
    let base = per_block(batched, || logged.append_all(&bytes[..batched], BATCH))?;
    let mut store = Redb::open(directory.join("store"))?;
    let alone = per_block(batched, || put_all(&mut store, &blocks[..batched], &bytes, BATCH))?;
    let mut kept = chain::open(&directory.join("chain"), ChainConfig::default().with_max_cached_bytes(0))?;
    let whole = per_block(batched, || import_all(&mut kept, &blocks[..batched], BATCH))?;
    let mut in_memory = chain::in_memory()?;
    let memory = per_block(batched, || import_all(&mut in_memory, &blocks[..batched], BATCH))?;
    println!("\n### Appending {batched} blocks of 1 KiB, {BATCH} in a commit\n");
    println!("| | µs a block | ratio |\n| --- | ---: | ---: |");
    row("append-only file, one sync a batch", base, base);
    row("store alone", alone, base);
    row("chain: every rule checked, and stored", whole, base);
    row("chain in memory", memory, base);

    let single = options.single;
    let mut one_by_one = Log::create(&directory.join("single.log"))?;
    let base = per_block(single, || one_by_one.append_all(&bytes[..single], 1))?;
    let mut store_single = Redb::open(directory.join("store-single"))?;
    let alone = per_block(single, || put_all(&mut store_single, &blocks[..single], &bytes, 1))?;
    let mut chain_single = chain::open(&directory.join("chain-single"), ChainConfig::default())?;
    let whole = per_block(single, || import_all(&mut chain_single, &blocks[..single], 1))?;
    println!("\n### Appending {single} blocks of 1 KiB, each durable before the next\n");
    println!("| | µs a block | ratio |\n| --- | ---: | ---: |");
    row("append-only file, one sync a block", base, base);
    row("store alone", alone, base);
    row("chain: every rule checked, and stored", whole, base);

    let mut random = fastrand::Rng::with_seed(1);
    let order: Vec<usize> = (0..batched).map(|_| random.usize(..batched)).collect();
    let base = per_block(batched, || logged.read_all(&order))?;
    let alone = per_block(batched, || {
        for index in &order {
            let key = blocks[*index].hash();
            ensure!(
                store.get(Table::Blocks, key.as_bytes())?.as_ref() == Some(&bytes[*index]),
                "another block"
            );
        }
        Ok(())
    })?;
    let whole = per_block(batched, || {
        for index in &order {
            let block = kept.block(blocks[*index].hash())?.context("no block")?;
            ensure!(block.height() == blocks[*index].height(), "another block");
        }
        Ok(())
    })?;
    println!("\n### Reading {batched} of them at random, by hash\n");
    println!("| | µs a block | ratio |\n| --- | ---: | ---: |");
    row("file, with an index in memory", base, base);
    row("store alone", alone, base);
    row("chain: decoded and hashed again, nothing cached", whole, base);

    let raw: u64 = bytes[..batched].iter().map(|bytes| bytes.len() as u64).sum();
    drop((store, kept));
    println!("\n### Bytes on disk for {:.1} MB of blocks\n", raw as f64 / 1e6);
    println!("| | MB | ratio |\n| --- | ---: | ---: |");
    for (name, path) in [("append-only file", "batched.log"), ("store alone", "store"), ("chain", "chain")] {
        let size = sum_of(&directory.join(path), &on_disk)?;
        println!("| {name} | {:.1} | {:.2} |", size as f64 / 1e6, size as f64 / raw as f64);
    }
    Ok(())
}

fn put_all(store: &mut Redb, blocks: &[Arc<Block>], bytes: &[Vec<u8>], batch: usize) -> Result<()> {
    for (blocks, bytes) in blocks.chunks(batch).zip(bytes.chunks(batch)) {
        let mut changes = Batch::new();
        for (block, bytes) in blocks.iter().zip(bytes) {
            changes.put(Table::Blocks, *block.hash().as_bytes(), bytes.clone());
        }
        store.commit(&changes)?;
    }
    Ok(())
}

fn import_all(chain: &mut Blockchain, blocks: &[Arc<Block>], batch: usize) -> Result<()> {
    for blocks in blocks.chunks(batch) {
        let imported = chain.import_all(blocks.iter().cloned(), forge::NOW)?;
        ensure!(imported.connected.len() == blocks.len(), "a block was refused");
    }
    Ok(())
}

/// Opens a short chain and a long one, after a clean shutdown and after an abort.
fn open(directory: &Path, options: &Options) -> Result<()> {
    println!("\n### Opening, and memory, with small blocks\n");
    println!("| blocks | stop | open, ms | space on disk, bytes a block | length of the file | resident |");
    println!("| ---: | --- | ---: | ---: | ---: | ---: |");
    for blocks in [options.blocks / 100, options.blocks] {
        for (stop, abort) in [("clean", false), ("killed", true)] {
            let at = directory.join(format!("{blocks}-{stop}"));
            let mut child = Command::new(std::env::current_exe()?);
            child.arg("--build").arg(&at).arg("--blocks").arg(blocks.to_string());
            if abort {
                child.arg("--abort");
            }
            let output = child.stderr(Stdio::inherit()).output()?;
            ensure!(output.status.success() != abort, "the child ended with {}", output.status);
            let resident: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
            let per_block = |bytes: u64| bytes as f64 / blocks as f64;
            let (space, length) = (sum_of(&at, &on_disk)?, sum_of(&at, &fs::Metadata::len)?);
            let start = Instant::now();
            let chain = chain::open(&at, ChainConfig::default())?;
            let opened = start.elapsed();
            ensure!(chain.height() == blocks, "opened at height {}", chain.height());
            println!(
                "| {blocks} | {stop} | {:.1} | {:.0} | {:.0} | {:.0} |",
                opened.as_secs_f64() * 1e3,
                per_block(space),
                per_block(length),
                per_block(resident)
            );
        }
    }
    Ok(())
}

/// Builds a chain, prints the memory that it takes, and ends cleanly or aborts.
fn build(directory: &Path, blocks: u64, abort: bool) -> Result<()> {
    let mut chain = chain::open(directory, ChainConfig::default())?;
    let before = resident()?;
    chain::grow(&mut chain, blocks, BATCH)?;
    println!("{}", resident()?.saturating_sub(before));
    if abort {
        std::process::abort();
    }
    Ok(chain.checkpoint()?)
}

/// The resident memory of this process in bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The sum of this figure over a file, or all files in a directory.
fn sum_of(path: &Path, figure: &impl Fn(&fs::Metadata) -> u64) -> Result<u64> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(figure(&metadata));
    }
    fs::read_dir(path)?.map(|entry| sum_of(&entry?.path(), figure)).sum()
}

/// The space that a file takes on its disk: less than its length if parts of it were never written.
#[cfg(unix)]
fn on_disk(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn on_disk(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
